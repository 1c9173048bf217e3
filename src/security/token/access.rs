//! Access tokens: JWTs signed with Ed25519, at most 15 minutes long.
//!
//! Algorithm, type, issuer and audience are pinned, the key is found by `kid` among those we hold, and time is the
//! caller's clock's. A `kid`, `jku`, `x5u` or `jwk` of a token is never followed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::KeyMaterial;
use crate::error::{Cause, Error};
use crate::ids::{BusinessId, SessionId, StaffId, StaffSessionId, UserId};
use crate::security::random::SharedRng;

/// The longest an access token may last.
pub const ACCESS_LIFETIME_MAX: Duration = Duration::from_mins(15);

/// The longest token that is looked at, in bytes.
pub const ACCESS_TOKEN_BYTES_MAX: usize = 2_048;

/// How far another server's clock may be ahead of ours, in seconds.
const SKEW_SECS: i64 = 60;

/// How many tokens are remembered.
const READ_TOKENS_MAX: u64 = 10_000;

/// RFC 9068: keeps any other JWT of ours from passing as an access token.
const TYP: &str = "at+jwt";
const KEY_ID_BYTES: usize = 8;
const TOKEN_ID_BYTES: usize = 16;

/// The token is not, or no longer, good. Says nothing of why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is not good")]
pub struct InvalidToken;

impl From<InvalidToken> for Error {
    fn from(_: InvalidToken) -> Self {
        Self::Unauthenticated
    }
}

/// Who is signed in, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessClaims {
    /// The person.
    pub user: UserId,
    /// Where the person is signed in.
    pub session: SessionId,
    /// The business the session is for.
    pub business: BusinessId,
}

/// Which member of staff is signed in, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaffClaims {
    /// The member of staff.
    pub staff: StaffId,
    /// Where they are signed in.
    pub session: StaffSessionId,
}

/// Which API a token is for. One is never good at the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Business,
    Staff,
}

/// What the tokens for one of the APIs say.
trait Claims: Sized {
    const AUDIENCE: Audience;
    /// As `sub`, `sid` and `biz`.
    fn write(&self) -> (String, String, Option<String>);
    /// From `sub`, `sid` and `biz`.
    fn read(sub: &str, sid: &str, biz: Option<&str>) -> Option<Self>;
}

impl Claims for AccessClaims {
    const AUDIENCE: Audience = Audience::Business;

    fn write(&self) -> (String, String, Option<String>) {
        (self.user.to_string(), self.session.to_string(), Some(self.business.to_string()))
    }

    fn read(sub: &str, sid: &str, biz: Option<&str>) -> Option<Self> {
        Some(Self { user: UserId::parse(sub)?, session: SessionId::parse(sid)?, business: BusinessId::parse(biz?)? })
    }
}

impl Claims for StaffClaims {
    const AUDIENCE: Audience = Audience::Staff;

    fn write(&self) -> (String, String, Option<String>) {
        (self.staff.to_string(), self.session.to_string(), None)
    }

    fn read(sub: &str, sid: &str, biz: Option<&str>) -> Option<Self> {
        if biz.is_some() {
            return None;
        }
        Some(Self { staff: StaffId::parse(sub)?, session: StaffSessionId::parse(sid)? })
    }
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAccess<C = AccessClaims> {
    /// Who, and where.
    pub claims: C,
    /// From when on it is no longer good: a connection that stays open ends then.
    pub expires_at: Timestamp,
    /// Names this one token.
    pub token_id: String,
}

/// A key that signs access tokens.
#[derive(Clone)]
pub struct TokenKey {
    signing: EncodingKey,
    verifying: DecodingKey,
    id: String,
}

impl TokenKey {
    /// The Ed25519 key of this seed.
    ///
    /// # Errors
    /// Only where the encoder of the key fails.
    pub fn new(seed: &KeyMaterial) -> Result<Self, Cause> {
        let key = SigningKey::from_bytes(seed.expose());
        let public = key.verifying_key().to_bytes();
        let digest = Sha256::digest(public);
        Ok(Self {
            signing: EncodingKey::from_ed_der(key.to_pkcs8_der()?.as_bytes()),
            verifying: DecodingKey::from_ed_der(&public),
            id: URL_SAFE_NO_PAD.encode(&digest[..KEY_ID_BYTES]),
        })
    }

    /// The `kid` of tokens signed with it: from a hash of the public key.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What every token of this server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// `iss`: the server's public URL.
    pub issuer: String,
    /// `aud` of the business API's tokens; that of staff's is this with `-staff` behind it.
    pub audience: String,
    /// How long a token lasts; cut to [`ACCESS_LIFETIME_MAX`].
    pub lifetime: Duration,
}

impl TokenSettings {
    /// `aud` of the tokens for an API.
    fn audience_of(&self, audience: Audience) -> String {
        match audience {
            Audience::Business => self.audience.clone(),
            Audience::Staff => format!("{}-staff", self.audience),
        }
    }

    /// What the tokens for an API must say.
    fn validation(&self, audience: Audience) -> Validation {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Time is checked against our own clock: the library would ask the system's.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[self.audience_of(audience)]);
        validation
    }
}

/// Issues access tokens, and verifies them.
pub struct TokenIssuer {
    settings: TokenSettings,
    current: TokenKey,
    /// Keys whose tokens are still good: those in use before the current one.
    previous: Vec<TokenKey>,
    /// For the business API's tokens.
    business: Validation,
    /// For staff's.
    staff: Validation,
    /// What tokens whose signature was found good say, by the hash of the token: an API is asked many times with the same
    /// one, and the signature is most of what it costs to read it. Times are checked anew each time. Of the business API
    /// alone: staff are few.
    read: Cache<[u8; 32], Arc<Read<AccessClaims>>>,
    rng: SharedRng,
}

/// What a token with a good signature says.
struct Read<C> {
    claims: C,
    /// Seconds since 1970.
    issued: i64,
    /// Seconds since 1970.
    expires: i64,
    token_id: String,
}

impl<C: Copy> Read<C> {
    /// What it says, where it is good at `now`.
    fn at(&self, now: Timestamp) -> Result<VerifiedAccess<C>, InvalidToken> {
        check_times(self.issued, self.expires, now.as_second())?;
        let expires_at = Timestamp::from_second(self.expires).map_err(|_| InvalidToken)?;
        Ok(VerifiedAccess { claims: self.claims, expires_at, token_id: self.token_id.clone() })
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer").field("settings", &self.settings).field("current", &self.current).finish_non_exhaustive()
    }
}

/// The claims as they are sent. Times are seconds since 1970.
#[derive(Serialize, Deserialize)]
struct Wire {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    biz: Option<String>,
    iat: i64,
    exp: i64,
    jti: String,
}

impl TokenIssuer {
    /// Signs with `current`; verifies what `current` or any of `previous` signed.
    pub fn new(settings: TokenSettings, current: TokenKey, previous: Vec<TokenKey>, rng: SharedRng) -> Self {
        let (business, staff) = (settings.validation(Audience::Business), settings.validation(Audience::Staff));
        Self { settings, current, previous, business, staff, read: Cache::new(READ_TOKENS_MAX), rng }
    }

    /// A token for `claims` at the business API, and when it expires.
    ///
    /// # Errors
    /// [`Error::Task`] only where signing itself fails.
    pub fn issue(&self, claims: &AccessClaims, now: Timestamp) -> Result<(String, Timestamp), Error> {
        self.sign(claims, now)
    }

    /// A token for `claims` at the staff API, and when it expires.
    ///
    /// # Errors
    /// As [`TokenIssuer::issue`].
    pub fn issue_staff(&self, claims: &StaffClaims, now: Timestamp) -> Result<(String, Timestamp), Error> {
        self.sign(claims, now)
    }

    /// What `token` says, where it is good at the business API at `now`.
    ///
    /// # Errors
    /// One opaque error for whatever is wrong with it.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedAccess, InvalidToken> {
        let hash: [u8; 32] = Sha256::digest(bounded(token)?).into();
        let read = if let Some(read) = self.read.get(&hash) {
            read
        } else {
            let read = Arc::new(self.read(token)?);
            self.read.insert(hash, Arc::clone(&read));
            read
        };
        read.at(now)
    }

    /// What `token` says, where it is good at the staff API at `now`.
    ///
    /// # Errors
    /// As [`TokenIssuer::verify`].
    pub fn verify_staff(&self, token: &str, now: Timestamp) -> Result<VerifiedAccess<StaffClaims>, InvalidToken> {
        self.read(bounded(token)?)?.at(now)
    }

    fn sign<C: Claims>(&self, claims: &C, now: Timestamp) -> Result<(String, Timestamp), Error> {
        let issued = now.as_second();
        let expires = issued.saturating_add_unsigned(self.settings.lifetime.min(ACCESS_LIFETIME_MAX).as_secs());
        let (sub, sid, biz) = claims.write();
        let wire = Wire {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience_of(C::AUDIENCE),
            sub,
            sid,
            biz,
            iat: issued,
            exp: expires,
            jti: URL_SAFE_NO_PAD.encode(self.rng.bytes::<TOKEN_ID_BYTES>()),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYP.to_owned());
        header.kid = Some(self.current.id.clone());
        let token = encode(&header, &wire, &self.current.signing).map_err(|cause| Error::Task(cause.into()))?;
        let expires_at = Timestamp::from_second(expires).map_err(|cause| Error::Task(cause.into()))?;
        Ok((token, expires_at))
    }

    /// What `token` says, where one of our keys has signed it for us, whenever it is good.
    fn read<C: Claims>(&self, token: &str) -> Result<Read<C>, InvalidToken> {
        let header = decode_header(token).map_err(|_| InvalidToken)?;
        if header.typ.as_deref() != Some(TYP) {
            return Err(InvalidToken);
        }
        let key_id = header.kid.as_deref().ok_or(InvalidToken)?;
        let key = std::iter::once(&self.current).chain(&self.previous).find(|key| key.id == key_id).ok_or(InvalidToken)?;
        let validation = match C::AUDIENCE {
            Audience::Business => &self.business,
            Audience::Staff => &self.staff,
        };
        let wire: Wire = decode(token, &key.verifying, validation).map_err(|_| InvalidToken)?.claims;
        let claims = C::read(&wire.sub, &wire.sid, wire.biz.as_deref()).ok_or(InvalidToken)?;
        Ok(Read { claims, issued: wire.iat, expires: wire.exp, token_id: wire.jti })
    }
}

/// The token, where it is not too long to be looked at.
fn bounded(token: &str) -> Result<&str, InvalidToken> {
    if token.len() > ACCESS_TOKEN_BYTES_MAX { Err(InvalidToken) } else { Ok(token) }
}

/// Good from `iat` (less the skew) until `exp`, and never longer than the longest lifetime.
fn check_times(issued: i64, expires: i64, now: i64) -> Result<(), InvalidToken> {
    let begun = issued <= now.saturating_add(SKEW_SECS);
    let over = expires <= now;
    let too_long = expires > issued.saturating_add_unsigned(ACCESS_LIFETIME_MAX.as_secs());
    if begun && !over && !too_long { Ok(()) } else { Err(InvalidToken) }
}
