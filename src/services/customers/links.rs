//! Links in mails: confirming an address, and choosing a new password. The link's token is made when its mail is sent.

use std::net::IpAddr;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::CustomerService;
use super::fields::{Email, Refusals};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::{BusinessId, UserId};
use crate::security::token::LinkToken;
use crate::services::audit::{self, Act};
use crate::services::notifications::{CONFIRM_EMAIL, PASSWORD_CHANGED, RESET_PASSWORD, queue};
use crate::services::throttle::{self, Target, Try};
use crate::store::account_links::{self as stored, AccountToken};
use crate::store::customers::{self, User, UserView};
use crate::store::email_changes;
use crate::store::sessions::{self, Which};
use crate::store::types::LinkPurpose;
use crate::store::{Instant, System, TenantScope};

/// How often a mail may be asked for an address within [`WINDOW`]; more is done nothing about, and answers the same.
const MOST_REQUESTS: u64 = 3;
/// After so long a request is answered, whether somebody has the address or not.
const ANSWERED_AFTER: Duration = Duration::from_millis(200);
/// The time in which requests are counted.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// After that a request is forgotten.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);

impl CustomerService {
    /// Mails a link to choose a new password, where somebody has the address. The answer and the time that it
    /// takes are the same where nobody has.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn request_password_reset(&self, email: &str) -> Outcome<()> {
        self.request(email, LinkPurpose::ResetPassword).await
    }

    /// Mails the link that confirms an address once more, where somebody has it and it is not confirmed; as
    /// [`CustomerService::request_password_reset`].
    ///
    /// # Errors
    /// The database's fault.
    pub async fn resend_confirmation(&self, email: &str) -> Outcome<()> {
        self.request(email, LinkPurpose::ConfirmEmail).await
    }

    /// Notes a request, and queues its mail.
    async fn request(&self, email: &str, purpose: LinkPurpose) -> Outcome<()> {
        // What cannot be an address is looked up all the same, as one that nobody has.
        let key = Email::read(email).map(|email| email.key).unwrap_or_default();
        let service = self.clone();
        let asked = self.ports.store.write_system(move |system| {
            let (service, key) = (service.clone(), key.clone());
            async move { service.note(&system, &key, purpose).await }
        });
        // Whoever measures is told nothing by it: the answer waits for longer than either takes.
        let (asked, ()) = tokio::join!(asked, self.ports.clock.sleep(ANSWERED_AFTER));
        asked?;
        self.ports.work.notify_one();
        Ok(())
    }

    /// The transaction of a request.
    async fn note(&self, system: &System, key: &str, purpose: LinkPurpose) -> Outcome<()> {
        let (ports, now) = (&self.ports, self.now());
        let hash = Sha256::digest(key.as_bytes());
        let user = customers::user_by_email(system, key).await?;
        let business = first_business(system, user.as_ref().map_or(UserId::from(uuid::Uuid::nil()), |user| user.id)).await?;
        if self.asked_too_often(system, &hash, purpose, MOST_REQUESTS).await? {
            return Ok(());
        }
        self.note_asked(system, &hash, purpose, now).await?;
        let (Some(user), Some(business)) = (user, business) else { return Ok(()) };
        let kind = match purpose {
            LinkPurpose::ConfirmEmail if user.email_verified_at.is_some() => return Ok(()),
            LinkPurpose::ConfirmEmail => CONFIRM_EMAIL,
            LinkPurpose::ResetPassword => RESET_PASSWORD,
        };
        // The person's own business carries the mail.
        Ok(queue(&system.tenant(TenantScope::proved(business)), ports, user.id, kind).await?)
    }

    /// Whether so much was asked for whom a hash stands for within the window.
    pub(super) async fn asked_too_often(&self, system: &System, hash: &[u8], purpose: LinkPurpose, most: u64) -> Result<bool, Error> {
        let since = self.now().get().saturating_sub(WINDOW).unwrap_or(jiff::Timestamp::MIN);
        Ok(stored::requests_since(system, hash, purpose, since.into()).await? >= most)
    }

    /// Notes that something was asked for whom a hash stands for.
    pub(super) async fn note_asked(&self, system: &System, hash: &[u8], purpose: LinkPurpose, now: Instant) -> Result<(), Error> {
        let old = now.get().saturating_sub(FORGOTTEN_AFTER).unwrap_or(jiff::Timestamp::MIN);
        stored::note_request(system, (self.ports.ids.next_uuid(), hash), purpose, now, old.into()).await
    }

    /// Confirms the address that the token was mailed to: the one that its person has, or the one that they asked to change to, which
    /// they have from then on.
    ///
    /// # Errors
    /// TOKEN_EXPIRED for a token that is unknown, spent or too old, or of an address that was given up; TAKEN where somebody else has
    /// the address by now; the database's fault.
    pub async fn confirm_email(&self, token: &str) -> Outcome<UserView> {
        let hash = LinkToken::parse(token).ok_or_else(expired)?.hash();
        let service = self.clone();
        let confirmed = self.ports.store.write_system(move |system| {
            let service = service.clone();
            async move { service.confirm_address(&system, &hash).await }
        });
        confirmed.await
    }

    /// The transaction of a confirmation.
    async fn confirm_address(&self, system: &System, hash: &[u8]) -> Outcome<UserView> {
        let now = self.now();
        let seen = good(stored::find(system, hash).await?, LinkPurpose::ConfirmEmail, now)?;
        let user = customers::user(system, seen.user_id).await?.ok_or_else(expired)?;
        if user.email_key != seen.email_key {
            return self.take_address(system, hash, user.id).await;
        }
        let token = good(stored::lock(system, hash).await?, LinkPurpose::ConfirmEmail, now)?;
        if !stored::confirm_email(system, token.user_id, &token.email_key, now).await? {
            return Err(expired().into());
        }
        stored::spend(system, token.user_id, LinkPurpose::ConfirmEmail, now).await?;
        Ok(UserView::from(customers::user(system, token.user_id).await?.ok_or_else(expired)?))
    }

    /// Replaces the password of the person whom the token was mailed to, and ends every session of theirs. Whoever reads their mail
    /// may sign in from there, whatever guessing goes on elsewhere.
    ///
    /// # Errors
    /// TOKEN_EXPIRED as [`CustomerService::confirm_email`]; WEAK_PASSWORD or TOO_LONG at `password`; the database's fault.
    pub async fn reset_password(&self, token: &str, password: SecretString, address: Option<IpAddr>) -> Outcome<()> {
        let hash = LinkToken::parse(token).ok_or_else(expired)?.hash();
        let now = self.now();
        let look = self.ports.store.read_system(move |system| async move {
            let token = good(stored::find(&system, &hash).await?, LinkPurpose::ResetPassword, now)?;
            Ok(customers::user(&system, token.user_id).await?.filter(|user| user.email_key == token.email_key).ok_or_else(expired)?)
        });
        let user = look.await?;
        let mut refusals = Refusals::default();
        refusals.note_all(self.ports.passwords.check("password", password.clone(), vec![user.email, user.full_name]).await)?;
        let refused = refusals.into_vec();
        if !refused.is_empty() {
            return Err(Failure::Refused(refused));
        }
        let new = self.ports.passwords.hash(password).await?;
        let (service, id) = (self.clone(), user.id);
        let changed = self.ports.store.write_system(move |system| {
            let (service, new) = (service.clone(), new.clone());
            async move {
                let user = service.replace(&system, &hash, id, &new).await?;
                throttle::vouch(&system, &service.ports, &Try::new(Target::User(user.email_key), address)).await
            }
        });
        changed.await?;
        self.ports.work.notify_one();
        Ok(())
    }

    /// The transaction of a reset.
    async fn replace(&self, system: &System, hash: &[u8], user: UserId, new: &str) -> Outcome<User> {
        let now = self.now();
        let business = first_business(system, user).await?.ok_or_else(expired)?;
        let tenant = system.tenant(TenantScope::proved(business));
        customers::lock_business(&tenant).await?;
        // Locked: of two who show one token at once, the second finds it spent.
        let token = good(stored::lock(system, hash).await?, LinkPurpose::ResetPassword, now)?;
        // A mail may go out to an address at the very moment in which it is given up.
        let held = customers::user(system, user).await?.filter(|held| held.email_key == token.email_key).ok_or_else(expired)?;
        if !customers::replace_password(system, user, &held.password_hash, new, now).await? {
            return Err(Error::Contention("the password was changed meanwhile".into()).into());
        }
        stored::spend(system, user, LinkPurpose::ResetPassword, now).await?;
        email_changes::withdraw(system, user).await?;
        sessions::revoke(system, user, Which::All, now).await?;
        let actor = user.to_string();
        let act = Act { action: "user.password_reset", actor: &actor, subject: &actor, details: json!({}) };
        audit::record(&tenant, &self.ports, act).await?;
        queue(&tenant, &self.ports, user, PASSWORD_CHANGED).await?;
        Ok(held)
    }
}

/// The business that a person joined first.
pub(super) async fn first_business(system: &System, user: UserId) -> Result<Option<BusinessId>, Error> {
    Ok(customers::memberships(system, user).await?.first().map(|membership| membership.business_id))
}

/// The one answer for a token that is unknown, spent, too old, or for something else.
pub(super) fn expired() -> UserError {
    UserError::at("token", UserErrorCode::TokenExpired, "This link is not good any more; ask for a new one.")
}

/// A token that may be spent now.
pub(super) fn good(token: Option<AccountToken>, purpose: LinkPurpose, now: Instant) -> Result<AccountToken, UserError> {
    token.filter(|token| token.purpose == purpose && token.spent_at.is_none() && token.expires_at > now).ok_or_else(expired)
}
