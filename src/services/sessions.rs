//! What sessions of customers and of staff have in common: the tokens, how long they last, what is refused in which
//! words, and what becomes of a refresh token that is shown.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::Ports;
use crate::error::{Error, UserError, UserErrorCode};
use crate::security::token::RefreshToken;
use crate::store::Instant;

/// The most characters that are kept of what a browser says of itself.
const USER_AGENT_CHARS: usize = 256;
/// How often a sign-in begins again because the password's hash was replaced under it.
pub(super) const SIGN_IN_TRIES: usize = 3;

/// The tokens of a session, as the person gets them once.
#[derive(Debug, Clone)]
pub struct AuthTokens {
    /// For each request.
    pub access_token: SecretString,
    /// Until then.
    pub access_token_expires_at: Timestamp,
    /// For the next tokens; good once.
    pub refresh_token: SecretString,
    /// Until then.
    pub refresh_token_expires_at: Timestamp,
}

impl AuthTokens {
    /// An access token with its end, beside the refresh token.
    pub(super) fn of((access_token, expires_at): (String, Timestamp), refresh: &RefreshToken, refresh_expires_at: Instant) -> Self {
        Self {
            access_token: SecretString::from(access_token),
            access_token_expires_at: expires_at,
            refresh_token: refresh.reveal(),
            refresh_token_expires_at: refresh_expires_at.get(),
        }
    }
}

/// Until when a refresh token that is given now is good.
pub(super) fn refresh_expiry(ports: &Ports) -> Result<Instant, Error> {
    let lifetime = SignedDuration::try_from(ports.refresh_lifetime).map_err(|error| Error::Task(Box::new(error)))?;
    Ok(ports.now().checked_add(lifetime).map_err(|error| Error::Task(Box::new(error)))?.into())
}

/// What a browser says of itself, cut and in one line; none where that leaves nothing.
pub(super) fn shown_user_agent(text: &str) -> Option<String> {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS).collect();
    (!shown.is_empty()).then_some(shown)
}

/// The one answer for an address nobody has, a wrong password, and a person whom no business has.
pub(super) fn invalid_credentials() -> UserError {
    UserError::new(UserErrorCode::InvalidCredentials, "The e-mail address or the password is wrong.")
}

/// The one answer for a refresh token that is unknown, spent, too old, or of a session that is over.
pub(super) fn token_expired() -> UserError {
    UserError::at("refreshToken", UserErrorCode::TokenExpired, "Sign in again.")
}

/// Rolls back a sign-in whose password was replaced while it was compared. Nobody is shown it.
pub(super) fn replaced() -> UserError {
    UserError::new(UserErrorCode::Conflict, "The password was changed meanwhile.")
}

/// How a sign-in ended that was not refused.
pub(super) enum Entered {
    /// The session stands.
    Yes,
    /// The hash that the password was compared with is not the stored one any more.
    HashReplaced,
}

/// What a refresh token that is shown is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It was spent before, so somebody has a copy: its session ends for both who hold it.
    Copied,
    /// Too old, or of a session that is over.
    Over,
    /// New tokens.
    Good,
}

impl Shown {
    /// By when the token was spent, when its session was ended, and when it expires.
    pub(super) fn of(spent_at: Option<Instant>, revoked_at: Option<Instant>, expires_at: Instant, now: Instant) -> Self {
        if spent_at.is_some() {
            Self::Copied
        } else if revoked_at.is_some() || expires_at <= now {
            Self::Over
        } else {
            Self::Good
        }
    }
}

/// How showing a refresh token ended.
#[derive(Clone, Copy)]
pub(super) enum Refreshed<C> {
    /// New tokens are given for these claims.
    Yes(C),
    /// What was written stays written: the session of a token that was shown twice is over.
    No,
}
