//! One person in several businesses: going from one to another, and founding a further one.

use super::CustomerService;
use super::external::refuse_external;
use super::fields::Refusals;
use super::register::NewBusiness;
use super::sessions::{Opening, SignedIn};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::{BusinessId, UserId};
use crate::services::access::{self, Caller};
use crate::store::customers::{self, Business, MAX_MEMBERSHIPS, Member};
use crate::store::types::Role;
use crate::store::{System, TenantScope};

impl CustomerService {
    /// Begins a session of the caller in another business of theirs. The present one goes on, so that an answer that is lost on the
    /// way signs nobody out.
    ///
    /// # Errors
    /// NOT_FOUND at `businessId` for a business that is not theirs; NOT_ALLOWED for whoever is signed in by an identity provider; [`Error::Forbidden`] for a key; [`Error::Unauthenticated`]; or
    /// the database's fault.
    pub async fn switch_business(&self, caller: Caller, business: Option<BusinessId>, user_agent: Option<&str>) -> Outcome<SignedIn> {
        let (scope, Caller::User { user, .. }) = (caller.require_scope()?, caller) else { return Err(Error::Forbidden.into()) };
        let refusal = || UserError::at("businessId", UserErrorCode::NotFound, "There is no such business of yours.");
        // One that names nothing is looked for all the same: the caller is checked first.
        let target = business.unwrap_or(BusinessId::from(uuid::Uuid::nil()));
        let (opening, refresh) = Opening::new(&self.ports, user, target, user_agent)?;
        let write = opening.clone();
        let entered = self.ports.store.write_system(move |system| {
            let opening = write.clone();
            async move {
                held(&system, user).await?;
                let person = access::check(&system.tenant(scope), caller).await?.person()?;
                refuse_external(&system, person.session).await?;
                let tenant = system.tenant(TenantScope::proved(target));
                // The row says whose it is: where the system acts, the database has no wall of its own around a business.
                customers::member_of(&tenant, user).await?.filter(|place| place.business_id == target).ok_or_else(refusal)?;
                Ok(opening.write(&system).await?)
            }
        });
        entered.await?;
        Ok(opening.grant(&self.ports, &refresh)?)
    }

    /// Makes a further business, which the caller owns, and their session in it. The present session goes on.
    ///
    /// # Errors
    /// Every refusal of the input at once: REQUIRED, TOO_LONG, INVALID; LIMIT_EXCEEDED for one business too many; NOT_ALLOWED for
    /// whoever is signed in by an identity provider;
    /// [`Error::Forbidden`] for a key; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn create_business(&self, caller: Caller, input: NewBusiness, user_agent: Option<&str>) -> Outcome<(Business, SignedIn)> {
        let (scope, Caller::User { user, .. }) = (caller.require_scope()?, caller) else { return Err(Error::Forbidden.into()) };
        let (sold, _) = self.look_up(None).await?;
        let mut refusals = Refusals::default();
        let founded = input.read(&mut refusals, &sold);
        let (refused, now) = (refusals.into_vec(), self.now());
        let Some(founded) = founded else {
            // Who is not signed in any more, is not told what is wrong with the input.
            let check = self
                .ports
                .store
                .read_system(move |system| async move { Ok(access::check(&system.tenant(scope), caller).await?.person()?) });
            check.await?;
            return Err(Failure::Refused(refused));
        };
        let business = self.business_row(founded, now)?;
        let id = business.business_id;
        let member = Member { business_id: id, id: self.ports.ids.next(), user_id: user, role: Role::Owner, joined_at: now };
        let (opening, refresh) = Opening::new(&self.ports, user, id, user_agent)?;
        let (service, write, row) = (self.clone(), opening.clone(), business.clone());
        let made = self.ports.store.write_system(move |system| {
            let (service, opening, row, member) = (service.clone(), write.clone(), row.clone(), member.clone());
            async move {
                held(&system, user).await?;
                let person = access::check(&system.tenant(scope), caller).await?.person()?;
                refuse_external(&system, person.session).await?;
                one_more(&system, user).await?;
                service.write_business(&system, row, member).await?;
                Ok(opening.write(&system).await?)
            }
        });
        made.await?;
        Ok((business, opening.grant(&self.ports, &refresh)?))
    }
}

/// Locks a person before their session is looked at by which another is begun: whoever ends all of theirs waits for the new one, or has
/// ended the one that it comes from. And of several businesses that are founded at once, each finds those before it.
async fn held(system: &System, user: UserId) -> Result<(), Error> {
    customers::lock_user(system, user).await?.ok_or(Error::Unauthenticated).map(drop)
}

/// Refuses whoever belongs to as many businesses as a person may. The person must be locked by this transaction.
pub(super) async fn one_more(system: &System, user: UserId) -> Outcome<()> {
    let has = customers::memberships(system, user).await?.len();
    if u64::try_from(has).unwrap_or(u64::MAX) < MAX_MEMBERSHIPS {
        return Ok(());
    }
    let sentence = format!("A person belongs to at most {MAX_MEMBERSHIPS} businesses.");
    Err(UserError::new(UserErrorCode::LimitExceeded, sentence).into())
}
