//! `schema`: prints a GraphQL schema.

use super::terminal;
use crate::error::Cause;
use crate::graphql::schema::sdl;
use crate::graphql::{business, staff};

/// Prints the business API's definition, or the staff API's, sorted, as `schema.graphql` and `schema.staff.graphql` hold it.
pub(super) fn run(of_staff: bool) -> Result<(), Cause> {
    let text = if of_staff { sdl(&staff::schema()) } else { sdl(&business::schema()) };
    Ok(terminal::say(text.trim_end())?)
}
