//! `schema`: prints the GraphQL schema.

use super::terminal;
use crate::error::Cause;
use crate::graphql::business;

/// Prints the business API's definition, sorted, as `schema.graphql` holds it.
pub(super) fn run() -> Result<(), Cause> {
    Ok(terminal::say(business::sdl(&business::schema()).trim_end())?)
}
