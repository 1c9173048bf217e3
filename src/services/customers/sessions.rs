//! Signing in and out. A session is carried on by a refresh token that is spent at each use; one that is shown twice
//! was copied, and ends the session for both who hold it.

use std::net::IpAddr;

use secrecy::SecretString;

use super::CustomerService;
use super::fields::Email;
use super::two_factor::audit_recovery;
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::{BusinessId, SessionId, UserId};
use crate::security::otp::Proof;
use crate::security::password::Verdict;
use crate::security::token::{AccessClaims, RefreshHash, RefreshToken};
use crate::services::Ports;
use crate::services::access::{self, Caller};
use crate::services::second_factor::{self, Holder};
use crate::services::sessions::{
    AuthTokens, Entered, Refreshed, SIGN_IN_TRIES, Shown, invalid_credentials, refresh_expiry, replaced, shown_user_agent, token_expired,
};
use crate::services::throttle::{self, Target, Try};
use crate::store::customers::{self, User};
use crate::store::sessions::{self as stored, Session, Which};
use crate::store::{Instant, System, TenantScope};

/// What a person says to sign in.
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
    /// Which of their businesses.
    pub business: BusinessChoice,
}

/// Which of a person's businesses to sign in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusinessChoice {
    /// The one they joined first.
    FirstJoined,
    /// This one; `None` for an id that names none.
    This(Option<BusinessId>),
}

/// A person who signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// The person, as a caller.
    pub caller: Caller,
    /// Their session.
    pub tokens: AuthTokens,
}

/// What a new session writes: its row and its first refresh token.
#[derive(Clone)]
pub(super) struct Opening {
    session: Session,
    token: stored::RefreshToken,
}

impl Opening {
    /// A session of `user` in `business`, and the refresh token that its row holds the hash of.
    pub(super) fn new(ports: &Ports, user: UserId, business: BusinessId, user_agent: Option<&str>) -> Result<(Self, RefreshToken), Error> {
        let (now, expires_at) = (Instant::from(ports.now()), refresh_expiry(ports)?);
        let refresh = RefreshToken::generate(ports.rng.as_ref());
        let session = Session {
            id: ports.ids.next(),
            user_id: user,
            business_id: business,
            user_agent: user_agent.and_then(shown_user_agent),
            created_at: now,
            last_used_at: now,
            expires_at,
            revoked_at: None,
        };
        let token = token_row(&refresh.hash(), session.id, now, expires_at);
        Ok((Self { session, token }, refresh))
    }

    /// Writes the session and its refresh token.
    pub(super) async fn write(&self, system: &System) -> Result<(), Error> {
        stored::insert_session(system, self.session.clone()).await?;
        stored::insert_refresh_token(system, self.token.clone()).await
    }

    /// Who is signed in, with their tokens.
    pub(super) fn grant(&self, ports: &Ports, refresh: &RefreshToken) -> Result<SignedIn, Error> {
        let (user, session, business) = (self.session.user_id, self.session.id, self.session.business_id);
        let caller = Caller::User { user, session, scope: TenantScope::proved(business) };
        let tokens = tokens(ports, AccessClaims { user, session, business }, refresh, self.session.expires_at)?;
        Ok(SignedIn { caller, tokens })
    }
}

/// The row of a refresh token: its hash, never the token.
fn token_row(hash: &RefreshHash, session: SessionId, now: Instant, expires_at: Instant) -> stored::RefreshToken {
    stored::RefreshToken { hash: hash.to_vec(), session_id: session, created_at: now, expires_at, spent_at: None }
}

/// An access token, signed now, beside the refresh token.
fn tokens(ports: &Ports, claims: AccessClaims, refresh: &RefreshToken, refresh_expires_at: Instant) -> Result<AuthTokens, Error> {
    Ok(AuthTokens::of(ports.tokens.issue(&claims, ports.now())?, refresh, refresh_expires_at))
}

impl CustomerService {
    /// Whom an access token names. Whether the session still stands is found in the database, by
    /// [`access::check`].
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a token that is not good now.
    pub fn authenticate(&self, bearer: &str) -> Result<Caller, Error> {
        let AccessClaims { user, session, business } = self.ports.tokens.verify(bearer, self.ports.now())?.claims;
        Ok(Caller::User { user, session, scope: TenantScope::proved(business) })
    }

    /// Begins a session for the person whose address and password these are.
    ///
    /// # Errors
    /// INVALID_CREDENTIALS, by the same words and after the same work for an address nobody has; INVALID at `otp`, OTP_REQUIRED,
    /// INVALID_CREDENTIALS at `otp`; RATE_LIMITED after too many of these; NOT_FOUND for a business that is not the person's; or the
    /// database's fault.
    pub async fn sign_in(&self, input: SignIn, user_agent: Option<&str>) -> Outcome<SignedIn> {
        let proof = second_factor::read(input.otp.as_deref())?;
        // An address that cannot be one is looked up all the same, as one that nobody has, for the same work.
        let key = Email::read(&input.email).map(|email| email.key).unwrap_or_default();
        let made = Try::new(Target::User(key.clone()), input.address);
        let work = self.let_in(input, (&key, proof.as_ref(), &made), user_agent);
        throttle::guarded(&self.ports, made.clone(), work).await
    }

    /// Begins a session where everything is right.
    async fn let_in(&self, input: SignIn, (key, proof, made): (&str, Option<&Proof>, &Try), user_agent: Option<&str>) -> Outcome<SignedIn> {
        for _ in 0..SIGN_IN_TRIES {
            let user = self.user_of(key).await?;
            let stored_hash = user.as_ref().map(|user| user.password_hash.clone());
            let verdict = self.ports.passwords.verify(input.password.clone(), stored_hash).await?;
            let (Some(user), Verdict::Right { rehash }) = (user, verdict) else { return Err(invalid_credentials().into()) };
            let business = self.choose(user.id, input.business).await?;
            let (opening, refresh) = Opening::new(&self.ports, user.id, business, user_agent)?;
            if let Entered::Yes = self.enter(&user, &opening, (proof, made)).await? {
                if rehash {
                    self.rehash(&user, input.password).await?;
                }
                return Ok(opening.grant(&self.ports, &refresh)?);
            }
        }
        Err(invalid_credentials().into())
    }

    /// Who has an address. What cannot be one is nobody's.
    async fn user_of(&self, key: &str) -> Outcome<Option<User>> {
        let key = key.to_owned();
        let found = self.ports.store.read_system(move |system| {
            let key = key.clone();
            async move { Ok(customers::user_by_email(&system, &key).await?) }
        });
        found.await
    }

    /// The business to sign in to.
    async fn choose(&self, user: UserId, choice: BusinessChoice) -> Outcome<BusinessId> {
        let memberships =
            self.ports.store.read_system(move |system| async move { Ok(customers::memberships(&system, user).await?) }).await?;
        let first = memberships.first().ok_or_else(invalid_credentials)?;
        match choice {
            BusinessChoice::FirstJoined => Ok(first.business_id),
            BusinessChoice::This(asked) => {
                let own = memberships.iter().map(|membership| membership.business_id).find(|own| Some(*own) == asked);
                let refusal = || UserError::at("businessId", UserErrorCode::NotFound, "There is no such business of yours.");
                Ok(own.ok_or_else(refusal)?)
            }
        }
    }

    /// Writes the session, if the password is still the one that was compared, the person still a member, and the second factor
    /// proved where there is one.
    async fn enter(&self, user: &User, opening: &Opening, (proof, made): (Option<&Proof>, &Try)) -> Outcome<Entered> {
        let (user, opening, proof, made, ports) = (user.clone(), opening.clone(), proof.cloned(), made.clone(), self.ports.clone());
        let entered = self.ports.store.write_system(move |system| {
            let (user, opening, proof, made, ports) = (user.clone(), opening.clone(), proof.clone(), made.clone(), ports.clone());
            async move {
                let tenant = system.tenant(TenantScope::proved(opening.session.business_id));
                if matches!(proof, Some(Proof::Recovery(_))) {
                    // Its use is audited, and the business is locked before a person is.
                    customers::lock_business(&tenant).await?;
                }
                opening.write(&system).await?;
                let held = customers::user_held(&system, user.id).await?;
                let Some(held) = held.filter(|held| held.password_hash == user.password_hash) else {
                    // Refused, so that the session is not written; the caller looks again.
                    return Err(replaced().into());
                };
                if customers::member_of(&tenant, user.id).await?.is_none() {
                    return Err(invalid_credentials().into());
                }
                let asked = held.two_factor_at.is_some();
                let proved = second_factor::prove(&system, &ports, Holder::User(user.id), asked, proof.as_ref()).await?;
                audit_recovery(&tenant, &ports, user.id, proved).await?;
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
    async fn rehash(&self, user: &User, password: SecretString) -> Outcome<()> {
        let new = self.ports.passwords.hash(password).await?;
        let (id, old, now) = (user.id, user.password_hash.clone(), self.now());
        let replaced = self.ports.store.write_system(move |system| {
            let (old, new) = (old.clone(), new.clone());
            async move { Ok(customers::replace_password(&system, id, &old, &new, now).await?) }
        });
        replaced.await.map(drop)
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
        let refreshed = self.ports.store.write_system(move |system| async move {
            // Locked: of two who show it at once, the second finds it spent.
            let Some(token) = stored::lock_refresh_token(&system, &shown).await? else { return Ok(Refreshed::No) };
            let Some(session) = stored::session(&system, token.session_id).await? else { return Ok(Refreshed::No) };
            match Shown::of(token.spent_at, session.revoked_at, token.expires_at, now) {
                Shown::Good => {}
                Shown::Over => return Ok(Refreshed::No),
                Shown::Copied => {
                    stored::revoke(&system, session.user_id, Which::One(session.id), now).await?;
                    return Ok(Refreshed::No);
                }
            }
            let tenant = system.tenant(TenantScope::proved(session.business_id));
            if customers::member_of(&tenant, session.user_id).await?.is_none() {
                return Ok(Refreshed::No);
            }
            stored::spend_refresh_token(&system, &shown, now).await?;
            stored::insert_refresh_token(&system, token_row(&next_hash, session.id, now, expires_at)).await?;
            stored::carry_on(&system, session.id, now, expires_at).await?;
            Ok(Refreshed::Yes(AccessClaims { user: session.user_id, session: session.id, business: session.business_id }))
        });
        match refreshed.await? {
            Refreshed::Yes(claims) => Ok(tokens(&self.ports, claims, &next, expires_at)?),
            Refreshed::No => Err(token_expired().into()),
        }
    }

    /// Ends the caller's session, or every session of theirs in any business.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] where the session is over, or the database's fault.
    pub async fn sign_out(&self, caller: Caller, everywhere: bool) -> Outcome<()> {
        let (scope, now) = (caller.require_scope()?, self.now());
        let ended = self.ports.store.write_system(move |system| async move {
            let person = access::check(&system.tenant(scope), caller).await?.person()?;
            let which = if everywhere { Which::All } else { Which::One(person.session) };
            // Locked: a session that is being begun by one of theirs is waited for.
            customers::lock_user(&system, person.user).await?.ok_or(Error::Unauthenticated)?;
            Ok(stored::revoke(&system, person.user, which, now).await?)
        });
        ended.await
    }

    /// Ends one of the caller's sessions in this business; answers its id.
    ///
    /// # Errors
    /// NOT_FOUND for any other session; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn revoke_session(&self, caller: Caller, session: Option<SessionId>) -> Outcome<SessionId> {
        let (scope, now) = (caller.require_scope()?, self.now());
        let refusal = || UserError::at("sessionId", UserErrorCode::NotFound, "You are not signed in there.");
        let ended = self.ports.store.write_system(move |system| async move {
            let tenant = system.tenant(scope);
            let person = access::check(&tenant, caller).await?.person()?;
            let session = session.ok_or_else(refusal)?;
            stored::live_session(&tenant, session, person.user, now).await?.ok_or_else(refusal)?;
            stored::revoke(&system, person.user, Which::One(session), now).await?;
            Ok(session)
        });
        ended.await
    }
}
