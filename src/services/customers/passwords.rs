//! Changing a password.

use secrecy::SecretString;
use serde_json::json;

use super::fields::Refusals;
use super::{CustomerService, fault};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::security::password::Verdict;
use crate::services::access::{self, Caller};
use crate::services::audit::{self, Act};
use crate::services::notifications::{PASSWORD_CHANGED, queue};
use crate::services::throttle::{self, Target, Try};
use crate::store::account_links;
use crate::store::customers::{self, Business, User};
use crate::store::email_changes;
use crate::store::sessions::{self as stored, Which};
use crate::store::types::LinkPurpose;

impl CustomerService {
    /// Replaces the caller's password and ends every other session of theirs, in any business, every link to a new one, and a change of
    /// address that is not confirmed. They are told by mail.
    ///
    /// # Errors
    /// INVALID_CREDENTIALS for a wrong present password and RATE_LIMITED after too many of them, WEAK_PASSWORD or TOO_LONG for the new one;
    /// [`Error::Unauthenticated`]; or the database's fault.
    pub async fn change_password(&self, caller: Caller, current: SecretString, new: SecretString) -> Outcome<()> {
        self.guarded(caller, self.change(caller, current, new)).await
    }

    /// Replaces a password.
    async fn change(&self, caller: Caller, current: SecretString, new: SecretString) -> Outcome<()> {
        let (user, business) = self.person(caller).await?;
        let mut refusals = Refusals::default();
        let verdict = self.ports.passwords.verify(current, Some(user.password_hash.clone())).await?;
        refusals.note(if verdict == Verdict::Wrong { Err(wrong_password()) } else { Ok(()) });
        let known = vec![user.email.clone(), user.full_name.clone(), business.business_name];
        refusals.note_all(self.ports.passwords.check("newPassword", new.clone(), known).await)?;
        let refused = refusals.into_vec();
        if !refused.is_empty() {
            return Err(Failure::Refused(refused));
        }
        let new_hash = self.ports.passwords.hash(new).await?;
        let (service, scope, now) = (self.clone(), caller.require_scope()?, self.now());
        let changed = self.ports.store.write_system(move |system| {
            let (service, old, new) = (service.clone(), user.password_hash.clone(), new_hash.clone());
            async move {
                let tenant = system.tenant(scope);
                customers::lock_business(&tenant).await?;
                let access = access::check(&tenant, caller).await?;
                let person = access.person()?;
                // Compared again by its hash: it may have been changed while the new one was hashed.
                if !customers::replace_password(&system, person.user, &old, &new, now).await? {
                    return Err(wrong_password().into());
                }
                throttle::succeed(&system, &service.ports, &Try::new(Target::SignedIn(person.user), None)).await?;
                stored::revoke(&system, person.user, Which::Others(person.session), now).await?;
                account_links::spend(&system, person.user, LinkPurpose::ResetPassword, now).await?;
                email_changes::withdraw(&system, person.user).await?;
                let actor = access.actor();
                let act = Act { action: "user.password_changed", actor: &actor, subject: &actor, details: json!({}) };
                audit::record(&tenant, &service.ports, act).await?;
                Ok(queue(&tenant, &service.ports, person.user, PASSWORD_CHANGED).await?)
            }
        });
        changed.await?;
        self.ports.work.notify_one();
        Ok(())
    }

    /// The caller's whole row, and the business they act for.
    pub(super) async fn person(&self, caller: Caller) -> Result<(User, Business), Error> {
        let scope = caller.require_scope()?;
        let found = self.ports.store.read_system(move |system| async move {
            let tenant = system.tenant(scope);
            let person = access::check(&tenant, caller).await?.person()?;
            let user = customers::user(&system, person.user).await?.ok_or(Error::Unauthenticated)?;
            Ok((user, customers::business(&tenant).await?))
        });
        found.await.map_err(fault)
    }
}

/// The present password is another one.
fn wrong_password() -> UserError {
    UserError::at("currentPassword", UserErrorCode::InvalidCredentials, "This is not your present password.")
}
