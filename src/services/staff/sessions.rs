//! Staff sign in and out as customers do, at their own API: the same answer and the same work for an address that
//! nobody has as for a wrong password, and refresh tokens that are spent at each use.

use std::net::IpAddr;

use secrecy::SecretString;
use serde_json::json;

use super::{StaffService, check, mails};
use crate::error::{Error, Failure, Outcome};
use crate::ids::StaffSessionId;
use crate::security::otp::Proof;
use crate::security::password::Verdict;
use crate::security::token::{RefreshHash, RefreshToken, StaffClaims};
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::customers::fields::Email;
use crate::services::second_factor::{self, Holder, Proved};
use crate::services::sessions::{
    AuthTokens, Entered, Refreshed, SIGN_IN_TRIES, Shown, invalid_credentials, refresh_expiry, replaced, shown_user_agent, token_expired,
};
use crate::services::throttle::{self, Target, Try};
use crate::store::sessions::Which;
use crate::store::staff::{self, Staff, StaffView};
use crate::store::staff_sessions::{self as stored, Session};
use crate::store::{Instant, System};

/// What a member of staff says to sign in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// Their address.
    pub email: String,
    /// Their password.
    pub password: SecretString,
    /// The digits of their second factor or a recovery code, where two-factor is on.
    pub otp: Option<String>,
    /// The address of the network that they come from, where it is known.
    pub address: Option<IpAddr>,
}

/// A member of staff who signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// The member, as a caller.
    pub caller: Caller,
    /// The member, for people.
    pub staff: StaffView,
    /// Their session.
    pub tokens: AuthTokens,
}

/// The row of a refresh token: its hash, never the token.
fn token_row(hash: &RefreshHash, session: StaffSessionId, now: Instant, expires_at: Instant) -> stored::RefreshToken {
    stored::RefreshToken { hash: hash.to_vec(), session_id: session, created_at: now, expires_at, spent_at: None }
}

impl StaffService {
    /// Whom an access token of the staff API names. Whether the session still stands is found in the database, by
    /// [`check`].
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a token that is not good now.
    pub fn authenticate(&self, bearer: &str) -> Result<Caller, Error> {
        let StaffClaims { staff, session } = self.ports.tokens.verify_staff(bearer, self.ports.now())?.claims;
        Ok(Caller::Staff { staff, session })
    }

    /// Begins a session for the member of staff whose address and password these are.
    ///
    /// # Errors
    /// INVALID_CREDENTIALS, by the same words and after the same work for an address nobody has; INVALID at `otp`, OTP_REQUIRED,
    /// INVALID_CREDENTIALS at `otp`, RATE_LIMITED after too many of these; or the database's fault.
    pub async fn sign_in(&self, input: SignIn, user_agent: Option<&str>) -> Outcome<SignedIn> {
        let proof = second_factor::read(input.otp.as_deref())?;
        // An address that cannot be one is looked up all the same, as one that nobody has, for the same work.
        let key = Email::read(&input.email).map(|email| email.key).unwrap_or_default();
        let made = Try::new(Target::Staff(key.clone()), input.address);
        let work = self.let_in(input, (&key, proof.as_ref(), &made), user_agent);
        throttle::guarded(&self.ports, made.clone(), work).await
    }

    /// Begins a session where everything is right.
    async fn let_in(&self, input: SignIn, (key, proof, made): (&str, Option<&Proof>, &Try), user_agent: Option<&str>) -> Outcome<SignedIn> {
        for _ in 0..SIGN_IN_TRIES {
            let asked = key.to_owned();
            let found = self.ports.store.read_system(move |system| {
                let key = asked.clone();
                async move { Ok(staff::staff_by_email(&system, &key).await?) }
            });
            let found = found.await?;
            let stored_hash = found.as_ref().map(|staff| staff.password_hash.clone());
            let verdict = self.ports.passwords.verify(input.password.clone(), stored_hash).await?;
            let (Some(member), Verdict::Right { rehash }) = (found, verdict) else { return Err(invalid_credentials().into()) };
            let refresh = RefreshToken::generate(self.ports.rng.as_ref());
            let session = self.session_of(&member, user_agent)?;
            if let Entered::Yes = self.enter(&member, (session.clone(), refresh.hash()), (proof, made)).await? {
                if rehash {
                    self.rehash(&member, input.password).await?;
                }
                let claims = StaffClaims { staff: member.id, session: session.id };
                let tokens = self.tokens(claims, &refresh, session.expires_at)?;
                return Ok(SignedIn { caller: Caller::Staff { staff: member.id, session: session.id }, staff: member.into(), tokens });
            }
        }
        Err(invalid_credentials().into())
    }

    /// A session that begins now.
    fn session_of(&self, member: &Staff, user_agent: Option<&str>) -> Result<Session, Error> {
        let now = self.now();
        Ok(Session {
            id: self.ports.ids.next(),
            staff_id: member.id,
            user_agent: user_agent.and_then(shown_user_agent),
            created_at: now,
            last_used_at: now,
            expires_at: refresh_expiry(&self.ports)?,
            revoked_at: None,
        })
    }

    /// Writes the session, if the password is still the one that was compared, the account still there, and the second factor
    /// proved where there is one.
    async fn enter(
        &self,
        member: &Staff,
        (session, refresh): (Session, RefreshHash),
        (proof, made): (Option<&Proof>, &Try),
    ) -> Outcome<Entered> {
        let (member, proof, made, ports) = (member.clone(), proof.cloned(), made.clone(), self.ports.clone());
        let entered = self.ports.store.write_system(move |system| {
            let (member, session, proof, made, ports) = (member.clone(), session.clone(), proof.clone(), made.clone(), ports.clone());
            async move {
                let token = token_row(&refresh, session.id, session.created_at, session.expires_at);
                stored::insert_session(&system, session).await?;
                stored::insert_refresh_token(&system, token).await?;
                let held = staff::staff_held(&system, member.id).await?.ok_or_else(invalid_credentials)?;
                if held.password_hash != member.password_hash {
                    // Refused, so that the session is not written; the caller looks again.
                    return Err(replaced().into());
                }
                let asked = held.two_factor_at.is_some();
                let proved = second_factor::prove(&system, &ports, Holder::Staff(member.id), asked, proof.as_ref()).await?;
                if proved == Proved::RecoveryCode {
                    let actor = member.id.to_string();
                    let act = Act { action: "staff.recovery_code_used", actor: &actor, subject: &actor, details: json!({}) };
                    audit::record_platform(&system, &ports, act).await?;
                    mails::queue(&system, &ports, member.id, mails::STAFF_RECOVERY_CODE_USED).await?;
                }
                throttle::succeed(&system, &ports, &made).await
            }
        });
        match entered.await {
            Ok(()) => Ok(Entered::Yes),
            Err(Failure::Refused(errors)) if errors == [replaced()] => Ok(Entered::HashReplaced),
            Err(failure) => Err(failure),
        }
    }

    /// Stores a hash of today's cost beside the account, if the password was not changed meanwhile.
    async fn rehash(&self, member: &Staff, password: SecretString) -> Outcome<()> {
        let new = self.ports.passwords.hash(password).await?;
        let (id, old, now) = (member.id, member.password_hash.clone(), self.now());
        let replaced = self.ports.store.write_system(move |system| {
            let (old, new) = (old.clone(), new.clone());
            async move { Ok(staff::replace_password(&system, id, &old, &new, now).await?) }
        });
        replaced.await.map(drop)
    }

    /// An access token, signed now, beside the refresh token.
    fn tokens(&self, claims: StaffClaims, refresh: &RefreshToken, expires_at: Instant) -> Result<AuthTokens, Error> {
        Ok(AuthTokens::of(self.ports.tokens.issue_staff(&claims, self.ports.now())?, refresh, expires_at))
    }

    /// Spends a refresh token for new tokens.
    ///
    /// # Errors
    /// TOKEN_EXPIRED for one that is unknown, too old, or of a session that is over; for one that was spent before
    /// too, which ends its session. Or the database's fault.
    pub async fn refresh_session(&self, refresh_token: &str) -> Outcome<AuthTokens> {
        let shown = RefreshToken::parse(refresh_token).ok_or_else(token_expired)?.hash();
        let (now, expires_at) = (self.now(), refresh_expiry(&self.ports)?);
        let next = RefreshToken::generate(self.ports.rng.as_ref());
        let next_hash = next.hash();
        let spend = move |system: System| async move {
            // Locked: of two who show it at once, the second finds it spent.
            let Some(token) = stored::lock_refresh_token(&system, &shown).await? else { return Ok(Refreshed::No) };
            let Some(session) = stored::session(&system, token.session_id).await? else { return Ok(Refreshed::No) };
            match Shown::of(token.spent_at, session.revoked_at, token.expires_at, now) {
                Shown::Good => {}
                Shown::Over => return Ok(Refreshed::No),
                Shown::Copied => {
                    stored::revoke(&system, session.staff_id, Which::One(session.id), now).await?;
                    return Ok(Refreshed::No);
                }
            }
            stored::spend_refresh_token(&system, &shown, now).await?;
            stored::insert_refresh_token(&system, token_row(&next_hash, session.id, now, expires_at)).await?;
            stored::carry_on(&system, session.id, now, expires_at).await?;
            Ok(Refreshed::Yes(StaffClaims { staff: session.staff_id, session: session.id }))
        };
        match self.ports.store.write_system(spend).await? {
            Refreshed::Yes(claims) => Ok(self.tokens(claims, &next, expires_at)?),
            Refreshed::No => Err(token_expired().into()),
        }
    }

    /// Ends the caller's session, or every session of theirs.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] where the session is over, or the database's fault.
    pub async fn sign_out(&self, caller: Caller, everywhere: bool) -> Outcome<()> {
        let now = self.now();
        let ended = self.ports.store.write_system(move |system| async move {
            let access = check(&system, caller).await?;
            let which = if everywhere { Which::All } else { Which::One(access.session) };
            Ok(stored::revoke(&system, access.staff, which, now).await?)
        });
        ended.await
    }
}
