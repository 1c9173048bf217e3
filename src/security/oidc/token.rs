//! A token of the issuer.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::keys::KeySet;

/// The longest token that is looked at, in bytes: other issuers put much into theirs.
pub const EXTERNAL_TOKEN_BYTES_MAX: usize = 8_192;
/// The longest that a token may last.
pub const EXTERNAL_LIFETIME_MAX: Duration = Duration::from_hours(24);
/// How far the issuer's clock may be from ours, in seconds.
const SKEW_SECS: i64 = 60;
/// The longest subject, as OpenID Connect bounds it.
const SUBJECT_BYTES_MAX: usize = 255;
/// The longest name of a session at the issuer.
const SESSION_BYTES_MAX: usize = 255;
/// The kinds of token that a bearer may show; others (of logout, of DPoP) are for other things.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];
/// How `amr` (RFC 8176) says that more than one factor was shown.
const SEVERAL_FACTORS: &str = "mfa";

/// What a token must say.
#[derive(Debug, Clone)]
pub struct Expected {
    /// `iss`, to the letter.
    pub issuer: String,
    /// Of these at least one is in `aud`.
    pub audiences: Vec<String>,
    /// By one of these it is signed.
    pub algorithms: Vec<Algorithm>,
}

/// Why a token is not good. A caller is told neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not, or no longer, or not for us.
    #[error("the token is not good")]
    Bad,
    /// None of the keys is the one that it says it is signed with: the issuer may have a new one.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalClaims {
    /// Who, at the issuer.
    pub subject: String,
    /// What the issuer calls the session, where it does.
    pub session: Option<String>,
    /// Their address, where the issuer says that it is theirs.
    pub verified_email: Option<String>,
    /// Whether they have shown more than one factor to the issuer.
    pub several_factors: bool,
    /// From when on it is good, in seconds since 1970.
    from: i64,
    /// Until when, in seconds since 1970.
    until: i64,
}

impl ExternalClaims {
    /// Whether it is good at `now`, when its signature was found good before.
    pub fn is_good_at(&self, now: Timestamp) -> bool {
        let now = now.as_second();
        self.from <= now.saturating_add(SKEW_SECS) && now < self.until
    }

    /// From then on it is no longer good.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_second(self.until).unwrap_or(Timestamp::MIN)
    }
}

/// The claims as they are sent. Whatever is of another type than here makes the token bad.
#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "iss")]
    _issuer: String,
    sub: String,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    email_verified: Value,
    #[serde(default)]
    amr: Value,
    /// Binds the token to a key of whoever may show it (DPoP, mutual TLS), which a bearer does not prove.
    #[serde(default)]
    cnf: Option<IgnoredAny>,
    /// Is in tokens of logout.
    #[serde(default)]
    events: Option<IgnoredAny>,
}

/// The header of a token that may be good, as far as that can be told without a key.
pub fn may_be_good(token: &str, expected: &Expected) -> bool {
    header(token, expected).is_some()
}

/// As [`may_be_good`].
fn header(token: &str, expected: &Expected) -> Option<Header> {
    if token.len() > EXTERNAL_TOKEN_BYTES_MAX {
        return None;
    }
    let header = decode_header(token).ok()?;
    let kind_fits = header.typ.as_deref().is_none_or(|kind| TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known)));
    // What is critical would have to be understood, and nothing of it is.
    let is_plain = header.crit.is_none() && header.enc.is_none() && header.zip.is_none();
    (kind_fits && is_plain && expected.algorithms.contains(&header.alg)).then_some(header)
}

impl KeySet {
    /// What `token` says, where it is good at `now`.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(&self, token: &str, expected: &Expected, now: Timestamp) -> Result<ExternalClaims, Refused> {
        let header = header(token, expected).ok_or(Refused::Bad)?;
        let key = self.find(header.kid.as_deref(), header.alg).ok_or(Refused::UnknownKey)?;
        let mut validation = Validation::new(header.alg);
        // Time is checked against our own clock: the library would ask the system's.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&expected.issuer]);
        validation.set_audience(&expected.audiences);
        let wire: Wire = decode(token, key, &validation).map_err(|_| Refused::Bad)?.claims;
        let claims = read(wire).ok_or(Refused::Bad)?;
        if claims.is_good_at(now) { Ok(claims) } else { Err(Refused::Bad) }
    }
}

/// What the claims say, where nothing is wrong with them by themselves.
fn read(wire: Wire) -> Option<ExternalClaims> {
    let lasts = wire.exp.checked_sub(wire.iat)?;
    let lasts_well = lasts > 0 && lasts <= i64::try_from(EXTERNAL_LIFETIME_MAX.as_secs()).ok()?;
    let is_name = |text: &str, longest: usize| !text.is_empty() && text.len() <= longest && !text.contains(char::is_control);
    let names = is_name(&wire.sub, SUBJECT_BYTES_MAX) && wire.sid.as_deref().is_none_or(|sid| is_name(sid, SESSION_BYTES_MAX));
    if !lasts_well || !names || wire.cnf.is_some() || wire.events.is_some() {
        return None;
    }
    // Said by anything but `true` it is not said.
    let verified_email = (wire.email_verified == Value::Bool(true)).then(|| wire.email.as_str().map(str::to_owned)).flatten();
    let several_factors = wire.amr.as_array().is_some_and(|methods| methods.iter().any(|method| method == SEVERAL_FACTORS));
    let from = wire.iat.max(wire.nbf.unwrap_or(i64::MIN));
    Some(ExternalClaims { subject: wire.sub, session: wire.sid, verified_email, several_factors, from, until: wire.exp })
}
