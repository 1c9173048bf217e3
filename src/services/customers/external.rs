//! People of an identity provider: its tokens are good in place of ours, for whoever they name.
//!
//! A subject is linked to a person once, by an address that both the provider and we know to be theirs, and stays that person's
//! whatever becomes of the address. A token makes nobody, and carries a session of its own: it is listed and ended as any other, and
//! lasts as long as the provider's token. It never becomes a session of ours, which would outlive what the provider allows.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::CustomerService;
use super::fields::Email;
use super::sessions::BusinessChoice;
use crate::adapters::oidc::OidcProvider;
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::{BusinessId, SessionId, UserId};
use crate::security::oidc::ExternalClaims;
use crate::services::Ports;
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::notifications::{IDENTITY_LINKED, queue};
use crate::services::sessions::shown_user_agent;
use crate::store::customers::{self, Membership, User};
use crate::store::external::{self, ExternalIdentity, ExternalSession};
use crate::store::sessions::{self as stored, Session};
use crate::store::{Instant, System, TenantScope};

/// Where somebody was found to come in by a token.
struct Entrance {
    /// Who.
    user: UserId,
    /// To which business.
    business: BusinessId,
    /// The session that the token carries, where it has begun.
    session: Option<SessionId>,
}

impl CustomerService {
    /// Whom a bearer token names: one of ours, or one of the identity provider that the settings name. `choice` says in which of their
    /// businesses a person of the provider acts, whose tokens name none; ours do.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a token that is not good now, or that names nobody here, in the same words; [`Error::Adapter`] where
    /// the provider cannot be asked for its keys; or the database's fault.
    pub async fn identify(&self, bearer: &str, choice: BusinessChoice, user_agent: Option<&str>) -> Result<Caller, Error> {
        match (self.authenticate(bearer), &self.ports.oidc) {
            (Err(_), Some(provider)) => Box::pin(self.by_provider(provider, bearer, choice, user_agent)).await,
            (found, _) => found,
        }
    }

    /// Whom a token of the provider names.
    async fn by_provider(
        &self,
        provider: &OidcProvider,
        token: &str,
        choice: BusinessChoice,
        user_agent: Option<&str>,
    ) -> Result<Caller, Error> {
        let claims = provider.verify(token).await?;
        let issuer = provider.issuer().to_owned();
        let hash = {
            let (claims, issuer, token) = (claims.clone(), issuer.clone(), token.to_owned());
            move |business| session_hash(&issuer, &claims, &token, business)
        };
        let entrance = {
            let (claims, issuer, hash) = (claims.clone(), issuer.clone(), hash.clone());
            let found = self.ports.store.read_system(move |system| {
                let (claims, issuer, hash) = (claims.clone(), issuer.clone(), hash.clone());
                async move { Ok(look_up(&system, &issuer, &claims, choice, hash).await?) }
            });
            refused(found.await)?.ok_or(Error::Unauthenticated)?
        };
        let session = if let Some(session) = entrance.session {
            session
        } else {
            let (hash, user_agent) = (hash(entrance.business), user_agent.and_then(shown_user_agent));
            let opened = self.open_external(&issuer, &claims, &entrance, (hash, user_agent)).await?;
            self.ports.work.notify_one();
            opened
        };
        Ok(Caller::User { user: entrance.user, session, scope: TenantScope::proved(entrance.business) })
    }

    /// Forgets which subject a person is, and ends the sessions that its tokens carry: the next one that is linked by their address is
    /// them. By the operator's command.
    ///
    /// # Errors
    /// NOT_FOUND at `email` for an address that nobody has, NO_CHANGE for somebody who is no subject; or the database's fault.
    pub async fn unlink_identity(&self, email: &str) -> Outcome<()> {
        let key = Email::parse("email", email)?.key;
        let ports = self.ports.clone();
        let unlinked = self.ports.store.write_system(move |system| {
            let (ports, key) = (ports.clone(), key.clone());
            async move {
                let nobody = || UserError::at("email", UserErrorCode::NotFound, "Nobody signs in with this address.");
                let user = customers::user_by_email(&system, &key).await?.ok_or_else(nobody)?.id;
                if !external::remove_identities(&system, user).await? {
                    return Err(UserError::new(UserErrorCode::NoChange, "No identity provider's subject is this person.").into());
                }
                external::end_sessions(&system, user, ports.real_now().into()).await?;
                for membership in customers::memberships(&system, user).await? {
                    let tenant = system.tenant(TenantScope::proved(membership.business_id));
                    customers::lock_business(&tenant).await?;
                    let subject = user.to_string();
                    let act = Act { action: "user.identity_unlinked", actor: "system", subject: &subject, details: json!({}) };
                    audit::record(&tenant, &ports, act).await?;
                }
                Ok(())
            }
        });
        unlinked.await
    }

    /// Begins the session that a token carries, or carries it on, and links its subject where it is not.
    async fn open_external(
        &self,
        issuer: &str,
        claims: &ExternalClaims,
        entrance: &Entrance,
        (hash, user_agent): ([u8; 32], Option<String>),
    ) -> Result<SessionId, Error> {
        let Entrance { user, business, .. } = *entrance;
        let (issuer, claims, ports) = (issuer.to_owned(), claims.clone(), self.ports.clone());
        let opened = self.ports.store.write_system(move |system| {
            let (issuer, claims, ports, user_agent) = (issuer.clone(), claims.clone(), ports.clone(), user_agent.clone());
            async move {
                let tenant = system.tenant(TenantScope::proved(business));
                // In this order, as everywhere; a link is audited besides.
                customers::lock_business(&tenant).await?;
                // Locked: of two requests with the same new token, the second finds what the first has begun.
                let held = customers::lock_user(&system, user).await?.ok_or(Error::Unauthenticated)?;
                customers::member_of(&tenant, user).await?.ok_or(Error::Unauthenticated)?;
                link(&system, &ports, (&issuer, &claims), (&held, business)).await?;
                // Who has a second factor here has shown one there.
                if held.two_factor_at.is_some() && !claims.several_factors {
                    return Err(Error::Unauthenticated.into());
                }
                let (now, until) = (Instant::from(ports.real_now()), Instant::from(claims.expires_at()));
                if let Some(id) = external::session_of(&system, &hash).await? {
                    let known = stored::session(&system, id).await?.filter(|known| known.revoked_at.is_none() && known.user_id == user);
                    let known = known.ok_or(Error::Unauthenticated)?;
                    stored::carry_on(&system, id, now, known.expires_at.max(until)).await?;
                    return Ok(id);
                }
                let id: SessionId = ports.ids.next();
                let row = Session {
                    id,
                    user_id: user,
                    business_id: business,
                    user_agent,
                    created_at: now,
                    last_used_at: now,
                    expires_at: until,
                    revoked_at: None,
                };
                stored::insert_session(&system, row).await?;
                external::insert_session(&system, ExternalSession { hash: hash.to_vec(), session_id: id, created_at: now }).await?;
                Ok(id)
            }
        });
        refused(opened.await)
    }
}

/// Where the person of a token comes in; none where it names nobody here, or nobody of that business.
async fn look_up(
    system: &System,
    issuer: &str,
    claims: &ExternalClaims,
    choice: BusinessChoice,
    hash: impl Fn(BusinessId) -> [u8; 32],
) -> Result<Option<Entrance>, Error> {
    let user = match external::user_of(system, issuer, &claims.subject).await? {
        Some(user) => user,
        None => match of_address(system, issuer, claims).await? {
            Some(user) => user.id,
            None => return Ok(None),
        },
    };
    let memberships = customers::memberships(system, user).await?;
    let Some(business) = chosen(&memberships, choice) else { return Ok(None) };
    let session = match external::session_of(system, &hash(business)).await? {
        Some(id) => stored::session(system, id).await?,
        None => None,
    };
    // One that lasts longer than it was said to has a newer token of the provider's, and is carried on.
    let is_known = |session: &Session| session.user_id == user && session.expires_at.get() >= claims.expires_at();
    let session = session.filter(is_known).map(|session| session.id);
    Ok(Some(Entrance { user, business, session }))
}

/// The person who has the address that a provider vouches for, where we know it to be theirs too: somebody may have registered with an
/// address of another, and waits for them. Nor is it somebody who is known by another subject: the address has changed hands there.
async fn of_address(system: &System, issuer: &str, claims: &ExternalClaims) -> Result<Option<User>, Error> {
    let Some(email) = claims.verified_email.as_deref().and_then(Email::read) else { return Ok(None) };
    let found = customers::user_by_email(system, &email.key).await?.filter(|user| user.email_verified_at.is_some());
    let Some(user) = found else { return Ok(None) };
    Ok(if external::is_linked(system, issuer, user.id).await? { None } else { Some(user) })
}

/// The business to act for.
fn chosen(memberships: &[Membership], choice: BusinessChoice) -> Option<BusinessId> {
    let mut own = memberships.iter().map(|membership| membership.business_id);
    match choice {
        BusinessChoice::FirstJoined => own.next(),
        BusinessChoice::This(asked) => own.find(|own| Some(*own) == asked),
    }
}

/// Links a subject to the person who is held, where it is linked to nobody: written down, and mailed to them.
async fn link(
    system: &System,
    ports: &Ports,
    (issuer, claims): (&str, &ExternalClaims),
    (held, business): (&User, BusinessId),
) -> Result<(), Error> {
    match external::user_of(system, issuer, &claims.subject).await? {
        Some(user) if user == held.id => return Ok(()),
        Some(_) => return Err(Error::Unauthenticated),
        None => {}
    }
    // Looked at again: they are held now.
    if of_address(system, issuer, claims).await?.is_none_or(|found| found.id != held.id) {
        return Err(Error::Unauthenticated);
    }
    let row = ExternalIdentity {
        issuer: issuer.to_owned(),
        subject: claims.subject.clone(),
        user_id: held.id,
        created_at: ports.real_now().into(),
    };
    external::insert_identity(system, row).await?;
    let (tenant, actor) = (system.tenant(TenantScope::proved(business)), held.id.to_string());
    let act = Act { action: "user.identity_linked", actor: &actor, subject: &actor, details: json!({ "issuer": issuer }) };
    audit::record(&tenant, ports, act).await?;
    queue(&tenant, ports, held.id, IDENTITY_LINKED).await
}

/// What a session is found by: what the provider calls it, or the one token where it names none, for each business apart.
fn session_hash(issuer: &str, claims: &ExternalClaims, token: &str, business: BusinessId) -> [u8; 32] {
    let (kind, name) = claims.session.as_deref().map_or(("token", token), |session| ("sid", session));
    let mut hash = Sha256::new();
    for part in [issuer, &claims.subject, kind, name] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.update(business.uuid());
    hash.finalize().into()
}

/// Refuses what would turn a token of the provider into a session of ours.
pub(super) async fn refuse_external(system: &System, session: SessionId) -> Outcome<()> {
    if external::carries(system, session).await? {
        let sentence = "You are signed in by an identity provider: name the business in the header Evolve-Business.";
        return Err(UserError::new(UserErrorCode::NotAllowed, sentence).into());
    }
    Ok(())
}

/// The fault of what refuses nothing by itself.
fn refused<T>(outcome: Outcome<T>) -> Result<T, Error> {
    outcome.map_err(|failure| match failure {
        Failure::Fault(error) => error,
        Failure::Refused(_) => Error::Unauthenticated,
    })
}
