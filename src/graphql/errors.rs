//! How refusals are shown: `UserError`s in a payload. Faults travel as [`crate::error::Error`] and are masked on the way out.

use async_graphql::{Enum, SimpleObject};

use crate::error::{self, Error, Failure, Outcome};

/// Something the caller can put right.
#[derive(Debug, Clone, SimpleObject)]
pub struct UserError {
    /// Which of the closed list.
    code: UserErrorCode,
    /// One sentence, safe to show to a person.
    message: String,
    /// Path of the input field at fault, e.g. `["input", "planId"]`; null when it is none in particular.
    field: Option<Vec<String>>,
}

impl From<error::UserError> for UserError {
    fn from(error: error::UserError) -> Self {
        let field = (!error.field.is_empty())
            .then(|| std::iter::once("input".to_owned()).chain(error.field.iter().map(ToString::to_string)).collect());
        Self { code: error.code.into(), message: error.message, field }
    }
}

/// The closed list of what a payload may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "error::UserErrorCode")]
pub enum UserErrorCode {
    /// The value is not one this field takes.
    Invalid,
    /// A value is needed here.
    Required,
    /// The text is too long.
    TooLong,
    /// The number or list is too large.
    TooLarge,
    /// There is no such thing, or it is not the caller's.
    NotFound,
    /// Somebody has it already.
    Taken,
    /// Unknown address or wrong password.
    InvalidCredentials,
    /// Two-factor is on and `otp` was not given: ask for it and sign in again.
    OtpRequired,
    /// The token is spent or too old.
    TokenExpired,
    /// The password is too easy to guess.
    WeakPassword,
    /// There is a live subscription to the product.
    AlreadySubscribed,
    /// It is so already.
    NoChange,
    /// Not in the state it is in.
    InvalidTransition,
    /// The plan is archived, of another product, or not sold so.
    PlanNotAvailable,
    /// A coupon or payment method that cannot be used in the business's currency.
    CurrencyMismatch,
    /// The coupon does not apply.
    CouponNotApplicable,
    /// The operator's settings do not offer this choice to customers (`Subscription.options`).
    NotAllowed,
    /// Add a way to pay first.
    PaymentMethodRequired,
    /// The gateway refused the method that was to be added. A charge that fails is no user error: see the payment's `status`.
    PaymentFailed,
    /// An attempt on this invoice is not settled yet.
    PaymentInProgress,
    /// Something changed since the preview.
    StalePreview,
    /// The key was used with another input.
    IdempotencyKeyReused,
    /// A request with this key is under way.
    IdempotencyInProgress,
    /// A limit of the plan or the platform is reached.
    LimitExceeded,
    /// The business must be verified first.
    VerificationRequired,
    /// No file of a kind that is taken.
    UnsupportedFile,
    /// The last owner cannot leave.
    LastOwner,
    /// `ifVersion` is not the present version.
    Conflict,
    /// Too many tries; wait.
    RateLimited,
}

/// What a mutation's payload shows of an outcome: the result or the refusals. A fault goes on.
///
/// # Errors
/// A fault.
pub fn split<T>(outcome: Outcome<T>) -> Result<(Option<T>, Vec<UserError>), Error> {
    match outcome {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Failure::Refused(errors)) => Ok((None, errors.into_iter().map(UserError::from).collect())),
        Err(Failure::Fault(error)) => Err(error),
    }
}
