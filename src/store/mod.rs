//! The one room that knows the database.
