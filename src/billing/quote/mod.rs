//! A scenario read from JSON and evaluated from start to end by the very rules that bill: no database, no clock.
//!
//! This room owns the scenario's form and its walk through time. It computes no amount itself.

mod report;
mod scenario;
mod usage;
mod walk;

use super::RuleError;

/// Most periods that one scenario may run through.
pub const MAX_PERIODS: usize = 2_000;
/// Most events that one scenario may have.
pub const MAX_EVENTS: usize = 1_000;

/// Why a scenario is refused, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// It is no JSON of the form that a scenario has.
    #[error("The scenario cannot be read: {0}.")]
    Malformed(String),
    /// A member outside the events has a value that means nothing.
    #[error("The scenario's `{member}` is not valid.")]
    Member {
        /// Which.
        member: &'static str,
    },
    /// It has `usage` or `quantity`.
    #[error("The scenario cannot be evaluated: usage is an event, and quantities are not part of this version.")]
    NotEvaluated,
    /// An event breaks a rule.
    #[error("Event {number} ({name} at {at}) is refused: {reason}")]
    Event {
        /// Its place among the events, from 1.
        number: usize,
        /// What it is.
        name: &'static str,
        /// Its instant as it was written.
        at: String,
        /// One sentence.
        reason: String,
    },
    /// It runs through too many periods or past the calendar's end, or its amounts are too large.
    #[error("The scenario goes too far: {0}.")]
    TooFar(#[from] RuleError),
    /// It has more periods or events than are evaluated.
    #[error("The scenario is too long: at most {MAX_EVENTS} events and {MAX_PERIODS} periods are evaluated.")]
    TooLong,
}

/// What would be billed in the scenario, as JSON.
///
/// # Errors
/// [`QuoteError`]: one sentence, which names the event that breaks a rule.
pub fn run(scenario: &str) -> Result<String, QuoteError> {
    let scenario = scenario::Scenario::parse(scenario)?;
    let quoted = walk::walk(&scenario)?;
    report::print(&quoted, scenario.currency)
}
