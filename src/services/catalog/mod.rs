//! What is sold, and to whom it is sold how: the catalogue.

pub mod countries;
pub mod file;
mod file_overage;
mod file_plans;
mod file_products;
mod file_reader;
#[cfg(test)]
mod file_tests;
mod file_values;
