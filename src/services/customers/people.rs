//! A business's people: what they may do, and leaving. It always has an owner.

use serde_json::json;

use super::fields::FullName;
use super::profile::Change;
use super::{CustomerService, fields};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::MemberId;
use crate::services::access::{self, Access, Caller, Need};
use crate::services::audit::{self, Act};
use crate::store::customers::{self, Member, UserView};
use crate::store::types::Role;
use crate::store::{Tenant, sessions};

/// What a person says of themselves; what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateUser {
    /// What they are called.
    pub full_name: Change<String>,
    /// A BCP 47 tag, for mails.
    pub locale: Change<String>,
}

impl CustomerService {
    /// Gives a person of the business another role, which counts at once.
    ///
    /// # Errors
    /// NOT_FOUND at `memberId`; LAST_OWNER where nobody else owns the business; [`Error::Forbidden`] for a role below ADMIN, and
    /// for whoever is no owner where an owner is made or unmade; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn update_member(&self, caller: Caller, member: Option<MemberId>, role: Role) -> Outcome<Member> {
        let (scope, outside) = (caller.require_scope()?, self.ports.clone());
        let write = move |tenant: Tenant| {
            let ports = outside.clone();
            async move {
                customers::lock_business(&tenant).await?;
                let access = access::check_change(&tenant, caller, Need::Manage).await?;
                let found = find(&tenant, member).await?.ok_or_else(no_such_member)?;
                may_touch(&access, found.role)?;
                may_touch(&access, role)?;
                if found.role == role {
                    return Ok(found);
                }
                keep_an_owner(&tenant, &found).await?;
                let made = customers::set_role(&tenant, &found, role).await?;
                let (actor, subject) = (access.actor(), found.id.to_string());
                let details = json!({ "user": found.user_id.to_string(), "from": found.role.as_str(), "to": role.as_str() });
                audit::record(&tenant, &ports, Act { action: "member.role_changed", actor: &actor, subject: &subject, details }).await?;
                Ok(made)
            }
        };
        self.ports.store.write(scope, write).await
    }

    /// Takes a person out of the business, or lets the caller leave it. Their sessions in it are over at once; their account, and
    /// their places in other businesses, stay.
    ///
    /// # Errors
    /// NOT_FOUND at `memberId`; LAST_OWNER where nobody else owns the business; [`Error::Forbidden`] for a role below ADMIN that
    /// takes another out, and for whoever is no owner where an owner is; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn remove_member(&self, caller: Caller, member: Option<MemberId>) -> Outcome<MemberId> {
        let (scope, ports, now) = (caller.require_scope()?, self.ports.clone(), self.now());
        let removed = self.ports.store.write_system(move |system| {
            let ports = ports.clone();
            async move {
                let tenant = system.tenant(scope);
                customers::lock_business(&tenant).await?;
                let access = access::check_change(&tenant, caller, Need::OwnAccount).await?;
                let person = access.person()?;
                let found = find(&tenant, member).await?;
                if found.as_ref().is_none_or(|found| found.user_id != person.user) {
                    access.require(Need::Manage)?;
                }
                let found = found.ok_or_else(no_such_member)?;
                may_touch(&access, found.role)?;
                keep_an_owner(&tenant, &found).await?;
                // Locked: a session that they are beginning here is waited for, and ended with the others.
                customers::lock_user(&system, found.user_id).await?;
                customers::delete_member(&tenant, found.id).await?;
                sessions::revoke_in(&system, found.user_id, tenant.business(), now).await?;
                let (actor, subject) = (access.actor(), found.id.to_string());
                let details = json!({ "user": found.user_id.to_string(), "role": found.role.as_str() });
                audit::record(&tenant, &ports, Act { action: "member.removed", actor: &actor, subject: &subject, details }).await?;
                Ok(found.id)
            }
        });
        removed.await
    }

    /// Changes what the caller says of themselves.
    ///
    /// # Errors
    /// Every refusal of the input at once: REQUIRED, TOO_LONG, INVALID; [`Error::Forbidden`] for a key;
    /// [`Error::Unauthenticated`]; or the database's fault.
    pub async fn update_user(&self, caller: Caller, input: UpdateUser) -> Outcome<UserView> {
        let (scope, now) = (caller.require_scope()?, self.now());
        let mut refusals = fields::Refusals::default();
        let full_name =
            refusals.note(read("fullName", input.full_name, |text| FullName::parse("fullName", &text).map(FullName::into_string)));
        let locale = refusals.note(read("locale", input.locale, |text| fields::locale("locale", &text)));
        let refused = refusals.into_vec();
        let updated = self.ports.store.write_system(move |system| {
            let (full_name, locale, refused) = (full_name.clone().flatten(), locale.clone().flatten(), refused.clone());
            async move {
                let tenant = system.tenant(scope);
                let person = access::check(&tenant, caller).await?.person()?;
                if !refused.is_empty() {
                    return Err(Failure::Refused(refused));
                }
                customers::update_user(&system, person.user, (full_name, locale), now).await?;
                Ok(UserView::from(customers::user(&system, person.user).await?.ok_or(Error::Unauthenticated)?))
            }
        });
        updated.await
    }
}

/// The person of an id, where the business has them. Its lock is held. The row says so too: where the system acts, the database has
/// no wall of its own around a business.
async fn find(tenant: &Tenant, member: Option<MemberId>) -> Result<Option<Member>, Error> {
    match member {
        Some(id) => Ok(customers::member(tenant, id).await?.filter(|found| found.business_id == tenant.business())),
        None => Ok(None),
    }
}

/// Refuses whoever is no owner to make, change or take out one.
pub(super) fn may_touch(access: &Access, role: Role) -> Result<(), Error> {
    if role == Role::Owner { access.require(Need::Own) } else { Ok(()) }
}

/// Refuses to take the last owner's place away.
async fn keep_an_owner(tenant: &Tenant, member: &Member) -> Outcome<()> {
    if member.role == Role::Owner && customers::count_owners(tenant).await? < 2 {
        let sentence = "Somebody must own the business: make another owner first.";
        return Err(UserError::at("memberId", UserErrorCode::LastOwner, sentence).into());
    }
    Ok(())
}

/// Reads a field that must not become empty.
fn read<T>(field: &'static str, change: Change<String>, read: impl FnOnce(String) -> Result<T, UserError>) -> Result<Option<T>, UserError> {
    match change {
        Change::Keep => Ok(None),
        Change::Clear => Err(UserError::at(field, UserErrorCode::Invalid, "This cannot be empty.")),
        Change::Set(text) => read(text).map(Some),
    }
}

/// The refusal of an id that names nobody here.
fn no_such_member() -> UserError {
    UserError::at("memberId", UserErrorCode::NotFound, "There is no such person in the business.")
}
