//! `schema`: prints the GraphQL schema.

use crate::error::Cause;

/// Refuses.
pub(super) fn run() -> Result<(), Cause> {
    Err("This build has no schema to print.".into())
}
