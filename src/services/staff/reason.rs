//! Why staff did something, in their words.

use crate::error::{UserError, UserErrorCode};
use crate::services::customers::fields::lines;

/// The most characters of a reason.
const MAX_REASON_CHARS: usize = 500;

/// A reason: 1 to 500 characters, of several lines if need be.
///
/// # Errors
/// REQUIRED, TOO_LONG or INVALID at `reason`.
pub(super) fn reason(text: &str) -> Result<String, UserError> {
    const FIELD: &str = "reason";
    if text.trim().is_empty() {
        return Err(UserError::at(FIELD, UserErrorCode::Required, "Say why."));
    }
    words(FIELD, text)
}

/// Words of at most 500 characters, of several lines if need be, without the spaces around them.
///
/// # Errors
/// TOO_LONG or INVALID at `field`.
pub(super) fn words(field: &'static str, text: &str) -> Result<String, UserError> {
    lines(field, text, MAX_REASON_CHARS)
}
