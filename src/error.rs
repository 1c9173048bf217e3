//! Closed lists of what can go wrong.
//!
//! [`UserError`]s are expected refusals: values in a payload that changed nothing. [`Error`] is a fault or a
//! caller who may not: its cause is logged with the request's id and never sent.

use std::borrow::Cow;
use std::time::Duration;

/// The cause of a fault, for the log alone.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A limit that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Exceeded {
    /// Which: its own code.
    pub code: &'static str,
    /// How far it was reached, where that was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<u64>,
    /// The limit.
    pub limit: u64,
}

/// What a caller may spend: points, which operations cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many there are when none was spent.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// In how long all of them are there again.
    pub reset: Duration,
    /// In how long all of them are there again once none is left.
    pub window: Duration,
}

/// What stops a whole request or field.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no caller, or the token is not (or no longer) good.
    #[error("Sign in first.")]
    Unauthenticated,
    /// The caller's role or key does not allow it.
    #[error("Your role or key does not allow this.")]
    Forbidden,
    /// The request is malformed beyond what a payload could say.
    #[error("{0}")]
    BadUserInput(Cow<'static, str>),
    /// A page of fewer rows than one, or more than there may be.
    #[error("A page has 1 to {most} rows, not {asked}.")]
    PageRows {
        /// How many were asked for.
        asked: i32,
        /// How many there may be.
        most: i32,
    },
    /// Too many requests, or too much asked by them.
    #[error("Too many requests: come again in {} s.", whole_seconds(*retry_after))]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
        /// What may be spent, where it is that which is short.
        allowance: Option<Allowance>,
    },
    /// The time allowed for the request is over.
    #[error("The request took longer than {limit:?}, which is the limit.")]
    Timeout {
        /// That time.
        limit: Duration,
    },
    /// The schema is shown to those who are signed in.
    #[error("The schema is shown to those who are signed in: sign in first.")]
    SchemaForSignedIn,
    /// The schema is shown to nobody.
    #[error("This server does not show its schema.")]
    SchemaHidden,
    /// The database asks to run the transaction again (serialization, deadlock, busy, lost connection).
    #[error("The database is busy.")]
    Contention(#[source] Cause),
    /// A unique key that exists already.
    #[error("A unique key exists already.")]
    UniqueViolation(#[source] Cause),
    /// Any other fault of the database.
    #[error("The database failed.")]
    Store(#[source] Cause),
    /// A gateway, mail server or other peer failed.
    #[error("An outside service failed.")]
    Adapter(#[source] Cause),
    /// What is stored breaks an invariant; names which.
    #[error("What is stored is inconsistent: {0}.")]
    Corrupt(Cow<'static, str>),
    /// A lock was not to be had within the time that a transaction waits for one.
    #[error("Another request holds what this one needs.")]
    LockTimeout(#[source] Cause),
    /// One fault that several fields share.
    #[error("{0}")]
    Shared(#[source] std::sync::Arc<Error>),
    /// A task died.
    #[error("A task ended early.")]
    Task(#[source] Cause),
    /// Reading or writing a file failed.
    #[error("A file could not be read or written.")]
    Io(#[from] std::io::Error),
}

/// Declares the codes once: what each means, its name here, as it is sent, and the HTTP status of a request that is refused with it.
macro_rules! codes {
    ($(#[doc = $meaning:literal] $name:ident = $text:literal, $status:literal;)+) => {
        /// The closed list of top-level `extensions.code`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)+
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As it is sent, its status, and what it means.
            const fn told(self) -> (&'static str, u16, &'static str) {
                match self {
                    $(Self::$name => ($text, $status, $meaning.trim_ascii()),)+
                }
            }
        }
    };
}

codes! {
    /// The document is no GraphQL.
    GraphqlParseFailed = "GRAPHQL_PARSE_FAILED", 400;
    /// It does not fit the schema. Nothing of it ran.
    GraphqlValidationFailed = "GRAPHQL_VALIDATION_FAILED", 400;
    /// Variables or arguments are malformed (for what is no request at all, also 405, 406, 408, 413 and 415). Nothing of it ran, unless the error has a `path`: then it is that field alone.
    BadUserInput = "BAD_USER_INPUT", 400;
    /// Too deep, too broad or too costly: ask for less at once.
    CostExceeded = "COST_EXCEEDED", 400;
    /// The server has no document of that name: send it as `query`, with its hash.
    PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND", 400;
    /// This server keeps no documents for clients: send it as `query`, and no hash.
    PersistedQueryNotSupported = "PERSISTED_QUERY_NOT_SUPPORTED", 400;
    /// This server runs the documents of its operator's own applications alone, and this is none of them.
    DocumentNotTrusted = "DOCUMENT_NOT_TRUSTED", 400;
    /// The token is not good: renew it, or sign in.
    Unauthenticated = "UNAUTHENTICATED", 401;
    /// The role or key does not allow it.
    Forbidden = "FORBIDDEN", 403;
    /// Too many requests: `Retry-After` says in how many seconds to come again.
    RateLimited = "RATE_LIMITED", 429;
    /// A fault of ours, with nothing of its cause. With the same idempotency key it may be sent again.
    Internal = "INTERNAL", 500;
    /// It took too long. As `INTERNAL`.
    Timeout = "TIMEOUT", 504;
}

impl Code {
    /// As it is sent.
    pub const fn as_str(self) -> &'static str {
        self.told().0
    }

    /// The HTTP status of a request that was refused as a whole.
    pub const fn status(self) -> u16 {
        self.told().1
    }

    /// What it means, and what to do.
    pub const fn meaning(self) -> &'static str {
        self.told().2
    }

    /// The code that is sent so.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl Error {
    /// The code a client sees.
    pub fn code(&self) -> Code {
        match self {
            Self::Shared(error) => error.code(),
            Self::Unauthenticated | Self::SchemaForSignedIn => Code::Unauthenticated,
            Self::Forbidden | Self::SchemaHidden => Code::Forbidden,
            Self::BadUserInput(_) | Self::PageRows { .. } => Code::BadUserInput,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::Timeout { .. } | Self::LockTimeout(_) => Code::Timeout,
            Self::Contention(_)
            | Self::UniqueViolation(_)
            | Self::Store(_)
            | Self::Adapter(_)
            | Self::Corrupt(_)
            | Self::Task(_)
            | Self::Io(_) => Code::Internal,
        }
    }

    /// A fault that no more can be said of than to come again after a while.
    pub const fn come_again(retry_after: Duration) -> Self {
        Self::RateLimited { retry_after, allowance: None }
    }

    /// The limit that was passed, where it has a number.
    pub fn exceeded(&self) -> Option<Exceeded> {
        match self {
            Self::Shared(error) => error.exceeded(),
            Self::PageRows { asked, most } if asked > most => {
                Some(Exceeded { code: "PAGE_ROWS", reached: u64::try_from(*asked).ok(), limit: u64::from(most.unsigned_abs()) })
            }
            Self::Timeout { limit } => Some(Exceeded { code: "SECONDS", reached: None, limit: limit.as_secs() }),
            _ => None,
        }
    }

    /// The sentence a client sees: nothing of the cause.
    pub fn public_message(&self) -> Cow<'_, str> {
        match self.code() {
            Code::Internal => Cow::Borrowed("Something went wrong on our side; name the request's id when you report it."),
            _ => Cow::Owned(self.to_string()),
        }
    }

    /// Whether running the same transaction again may succeed.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Contention(_))
    }
}

/// Rounded up, and never none, so that a client that waits so long is not refused again for a fraction.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// Something the caller can put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    /// Which of the closed list.
    pub code: UserErrorCode,
    /// One sentence, safe to show to a person.
    pub message: String,
    /// Path of the input field at fault below `input`, e.g. `["planId"]`; empty when it is none in particular.
    pub field: Vec<Cow<'static, str>>,
}

impl UserError {
    /// A refusal that no field in particular is at fault for.
    pub fn new(code: UserErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: Vec::new() }
    }

    /// A refusal of the input field `field`.
    pub fn at(field: &'static str, code: UserErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: vec![Cow::Borrowed(field)] }
    }
}

/// The closed list of `UserError.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserErrorCode {
    Invalid,
    Required,
    TooLong,
    TooLarge,
    NotFound,
    Taken,
    InvalidCredentials,
    OtpRequired,
    TokenExpired,
    WeakPassword,
    AlreadySubscribed,
    NoChange,
    InvalidTransition,
    PlanNotAvailable,
    CurrencyMismatch,
    CouponNotApplicable,
    NotAllowed,
    PaymentMethodRequired,
    PaymentFailed,
    PaymentInProgress,
    StalePreview,
    IdempotencyKeyReused,
    IdempotencyInProgress,
    LimitExceeded,
    VerificationRequired,
    UnsupportedFile,
    LastOwner,
    Conflict,
    RateLimited,
}

/// Why a service did not do what it was asked: refused (nothing changed), or a fault.
#[derive(Debug)]
pub enum Failure {
    /// Expected refusals, for the payload's `userErrors`. Never empty.
    Refused(Vec<UserError>),
    /// A fault, for the top-level `errors`.
    Fault(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        Self::Refused(vec![error])
    }
}

/// What a service answers.
pub type Outcome<T> = Result<T, Failure>;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn no_fault_of_ours_says_its_cause() {
        let cause = || -> Cause { "secret".into() };
        for fault in [
            Error::Contention(cause()),
            Error::UniqueViolation(cause()),
            Error::Store(cause()),
            Error::Adapter(cause()),
            Error::Corrupt("secret".into()),
            Error::LockTimeout(cause()),
            Error::Shared(Arc::new(Error::Store(cause()))),
            Error::Shared(Arc::new(Error::Corrupt("secret".into()))),
            Error::Task(cause()),
            Error::Io(std::io::Error::other("secret")),
        ] {
            let told = fault.public_message().into_owned();
            assert!(!told.contains("secret") && !told.is_empty(), "{fault:?}: {told}");
            assert!(format!("{fault:?}").contains("secret"), "the log has it: {fault:?}");
        }
    }
}
