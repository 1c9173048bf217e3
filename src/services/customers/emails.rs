//! Changing the address that somebody signs in with. It takes effect when the link that is mailed to the new one is followed; the
//! old one is told at once.
//!
//! Whether somebody has the new address shows nowhere but to whoever reads its mail. Sessions go on: where one signs in says nothing
//! of who is signed in. A new password takes back what was asked for and not confirmed.

use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::CustomerService;
use super::fields::Email;
use super::links::{expired, first_business, good};
use super::two_factor::{locked, same_password, succeed};
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::UserId;
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::notifications::queue_email_change;
use crate::store::account_links;
use crate::store::customers::{self, User, UserView};
use crate::store::email_changes::{self, EmailChange};
use crate::store::types::LinkPurpose;
use crate::store::{Instant, System, TenantScope};

/// How often a person may ask for it within [`super::links::WINDOW`]: each time mails an address that they name.
const MOST_CHANGES: u64 = 3;

impl CustomerService {
    /// Mails a link to the address that the caller wants to sign in with, and word of it to the one that they have.
    ///
    /// # Errors
    /// INVALID_CREDENTIALS at `password`; INVALID or TOO_LONG at `email`, NO_CHANGE where it is theirs already; RATE_LIMITED after
    /// too many wrong passwords or changes; [`Error::Forbidden`] for a key; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn change_email(&self, caller: Caller, email: &str, password: SecretString) -> Outcome<UserView> {
        let user = self.guarded(caller, self.ask_for_change(caller, email, password)).await?;
        self.ports.work.notify_one();
        Ok(user)
    }

    /// Writes down what is asked for.
    async fn ask_for_change(&self, caller: Caller, email: &str, password: SecretString) -> Outcome<UserView> {
        let (scope, user) = (caller.require_scope()?, self.proved_by_password(caller, password).await?);
        let (service, email) = (self.clone(), Email::parse("email", email)?);
        let asked = self.ports.store.write_system(move |system| {
            let (service, user, email) = (service.clone(), user.clone(), email.clone());
            async move {
                let (ports, now, tenant) = (&service.ports, service.now(), system.tenant(scope));
                let (access, _, held) = locked(&system, &tenant, caller).await?;
                same_password(&held, &user)?;
                succeed(&system, ports, &held).await?;
                if held.email_key == email.key {
                    return Err(UserError::at("email", UserErrorCode::NoChange, "This is your address already.").into());
                }
                service.count_change(&system, held.id, now).await?;
                let change = EmailChange {
                    user_id: held.id,
                    email: email.address,
                    email_key: email.key,
                    old_email: held.email.clone(),
                    asked_at: now,
                    confirmed_at: None,
                };
                queue_email_change(&tenant, ports, &change).await?;
                email_changes::put(&system, change).await?;
                let actor = access.actor();
                let act = Act { action: "user.email_change_requested", actor: &actor, subject: &actor, details: json!({}) };
                audit::record(&tenant, ports, act).await?;
                Ok(UserView::from(held))
            }
        });
        asked.await
    }

    /// Refuses whoever has asked for too many changes; counts this one.
    async fn count_change(&self, system: &System, user: UserId, now: Instant) -> Outcome<()> {
        let whose = Sha256::new().chain_update(b"change of address\0").chain_update(user.uuid().as_bytes()).finalize();
        if self.asked_too_often(system, &whose, LinkPurpose::ConfirmEmail, MOST_CHANGES).await? {
            let sentence = "You have asked for too many changes of your address: wait an hour.";
            return Err(UserError::new(UserErrorCode::RateLimited, sentence).into());
        }
        Ok(self.note_asked(system, &whose, LinkPurpose::ConfirmEmail, now).await?)
    }

    /// Gives the person of a link the address that it was mailed to, if that is what they asked for last.
    pub(super) async fn take_address(&self, system: &System, hash: &[u8], user: UserId) -> Outcome<UserView> {
        let (ports, now) = (&self.ports, self.now());
        let tenant = system.tenant(TenantScope::proved(first_business(system, user).await?.ok_or_else(expired)?));
        customers::lock_business(&tenant).await?;
        let held = customers::lock_user(system, user).await?.ok_or_else(expired)?;
        let token = good(account_links::lock(system, hash).await?, LinkPurpose::ConfirmEmail, now)?;
        let change = email_changes::find(system, user).await?;
        let change = change.filter(|change| change.confirmed_at.is_none() && change.email_key == token.email_key).ok_or_else(expired)?;
        match customers::set_email(system, user, (&change.email, &change.email_key), now).await {
            // Of two who want one address, one has it. Whoever shows the link reads its mail, and may know.
            Err(Error::UniqueViolation(_)) => return Err(taken().into()),
            done => done?,
        }
        email_changes::conclude(system, &change, now).await?;
        // What was mailed to the old address is worth nothing any more.
        account_links::spend(system, user, LinkPurpose::ConfirmEmail, now).await?;
        account_links::spend(system, user, LinkPurpose::ResetPassword, now).await?;
        let actor = user.to_string();
        let act = Act { action: "user.email_changed", actor: &actor, subject: &actor, details: json!({}) };
        audit::record(&tenant, ports, act).await?;
        let (email, email_key) = (change.email, change.email_key);
        Ok(UserView::from(User { email, email_key, email_verified_at: Some(now), ..held }))
    }
}

/// Somebody has the address by now.
fn taken() -> UserError {
    UserError::at("token", UserErrorCode::Taken, "There is an account with this address: sign in with it, or change to another.")
}
