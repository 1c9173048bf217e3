//! Accounts and the business's profile: registration, sessions, passwords, what a business says of itself.
//!
//! Passwords are hashed before a transaction begins, never in one. It must never tell by its answer or its work
//! whether an address has an account, and never write personal data to the audit trail.

use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::{Error, Failure, Outcome};
use crate::security::envelope::Place;
use crate::store::customers::{self, Business, Membership};
use crate::store::reads::businesses::{FROM_WORST, Standing};
use crate::store::{Instant, Tenant, sessions as stored};

use super::Ports;
use super::access::{self, Caller};
use super::sealing::{self, keys_of};
use super::throttle::{self, Target, Try};

mod businesses;
mod emails;
mod external;
pub(super) mod fields;
mod invitations;
mod links;
mod passwords;
mod people;
mod profile;
mod register;
mod sessions;
mod two_factor;

pub use super::sessions::AuthTokens;
pub(in crate::services) use two_factor::{locked, same_password, succeed};

pub use invitations::AcceptInvitation;
pub use people::UpdateUser;
pub use profile::{Change, UpdateProfile};
pub use register::{NewBusiness, Register, Registered};
pub use sessions::{BusinessChoice, SignIn, SignedIn};

/// Accounts, sessions and profiles.
#[derive(Clone)]
pub struct CustomerService {
    /// What it needs of the outside.
    ports: Ports,
}

impl CustomerService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Every business of the caller, the first joined first; none for nobody.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] where the session is over, or the database's fault.
    pub async fn memberships(&self, caller: Caller) -> Result<Vec<Membership>, Error> {
        let Caller::User { user, scope, .. } = caller else { return Ok(Vec::new()) };
        let found = self.ports.store.read_system(move |system| async move {
            access::check(&system.tenant(scope), caller).await?;
            Ok(customers::memberships(&system, user).await?)
        });
        found.await.map_err(fault)
    }

    /// Where the caller is signed in to this business, newest first.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn sessions(&self, tenant: &Tenant, caller: Caller) -> Result<Vec<stored::Session>, Error> {
        let access = access::check(tenant, caller).await?;
        stored::live_sessions(tenant, access.person()?.user, self.now()).await
    }

    /// The tax id, opened.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it does not open.
    pub fn tax_id(&self, business: &Business) -> Result<Option<String>, Error> {
        self.open_tax_id(business, business.tax_id_sealed.as_deref())
    }

    /// A tax id that was sealed as this business's, e.g. the copy on an invoice, opened.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it does not open.
    pub fn open_tax_id(&self, business: &Business, sealed: Option<&[u8]>) -> Result<Option<String>, Error> {
        open(&self.ports, business, Sealed::TaxId, sealed)
    }

    /// Whether somebody signs in with this address.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn is_registered(&self, email: &'static str) -> Result<bool, Error> {
        let found =
            self.ports.store.write_system(move |system| async move { Ok(customers::user_by_email(&system, email).await?.is_some()) });
        match found.await {
            Ok(found) => Ok(found),
            Err(Failure::Fault(error)) => Err(error),
            Err(Failure::Refused(_)) => Ok(false),
        }
    }

    /// The phone number, opened.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it does not open.
    pub fn phone(&self, business: &Business) -> Result<Option<String>, Error> {
        open(&self.ports, business, Sealed::Phone, business.phone_sealed.as_deref())
    }

    /// What a person who is signed in proves once more: guessing is as slow as at the door, and apart from it.
    pub(in crate::services) async fn guarded<T>(&self, caller: Caller, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        match caller {
            Caller::User { user, .. } => throttle::guarded(&self.ports, Try::new(Target::SignedIn(user), None), work).await,
            // Nobody else has a password: they are refused.
            _ => work.await,
        }
    }

    /// Now, as the database keeps it.
    fn now(&self) -> Instant {
        self.ports.now().into()
    }
}

/// A column of `businesses` that is sealed under the business's own key.
#[derive(Clone, Copy)]
enum Sealed {
    /// The tax id.
    TaxId,
    /// The phone number.
    Phone,
}

impl Sealed {
    /// Where it is stored.
    const fn place(self, business: &Business) -> Place<'static> {
        let column = match self {
            Self::TaxId => "tax_id_sealed",
            Self::Phone => "phone_sealed",
        };
        Place { business: business.business_id.uuid(), table: "businesses", column, row: business.business_id.uuid() }
    }
}

/// Where a tax id is sealed, on invoices too, which copy it as it is.
pub(in crate::services) fn tax_id_place(business: &Business) -> Place<'static> {
    Sealed::TaxId.place(business)
}

/// Seals what a row has sealed anew, under its present key; the row is then saved.
pub(in crate::services) fn seal_anew(ports: &Ports, business: &mut Business) -> Result<(), Error> {
    let keys = keys_of(ports, business)?;
    let anew = |column: Sealed, sealed: Option<&[u8]>| {
        sealed.map(|sealed| sealing::seal_anew(ports, &keys, &column.place(business), sealed)).transpose()
    };
    let tax_id = anew(Sealed::TaxId, business.tax_id_sealed.as_deref())?;
    let phone = anew(Sealed::Phone, business.phone_sealed.as_deref())?;
    (business.tax_id_sealed, business.phone_sealed) = (tax_id, phone);
    Ok(())
}

/// Seals a value for its column.
fn seal(ports: &Ports, business: &Business, column: Sealed, value: &str) -> Result<Vec<u8>, Error> {
    Ok(keys_of(ports, business)?.seal(ports.rng.as_ref(), &column.place(business), value.as_bytes())?)
}

/// Sets the tax id of a row that is then saved.
pub(in crate::services) fn set_tax_id(ports: &Ports, business: &mut Business, value: &str) -> Result<(), Error> {
    business.tax_id_sealed = Some(seal(ports, business, Sealed::TaxId, value)?);
    Ok(())
}

/// Opens the value of a column.
fn open(ports: &Ports, business: &Business, column: Sealed, sealed: Option<&[u8]>) -> Result<Option<String>, Error> {
    let Some(sealed) = sealed else { return Ok(None) };
    Ok(Some(keys_of(ports, business)?.open_text(&column.place(business), sealed)?))
}

/// The fault of an operation that refuses nothing.
fn fault(failure: crate::error::Failure) -> Error {
    match failure {
        crate::error::Failure::Fault(error) => error,
        crate::error::Failure::Refused(_) => Error::Corrupt("a reading was refused".into()),
    }
}

/// How a business as a whole stands with its subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusinessSubscriptionStatus {
    /// It never had one.
    None,
    /// The first payment of one is not settled.
    Incomplete,
    /// In a trial.
    Trialing,
    /// All is well.
    Active,
    /// An invoice is overdue.
    PastDue,
    /// Access is off until open invoices are paid.
    Suspended,
    /// It has none any more.
    Canceled,
}

impl BusinessSubscriptionStatus {
    /// How one live subscription is shown; none for one that has ended.
    const fn shown(status: SubscriptionStatus) -> Option<Self> {
        match status {
            SubscriptionStatus::Suspended => Some(Self::Suspended),
            SubscriptionStatus::PastDue => Some(Self::PastDue),
            SubscriptionStatus::Incomplete => Some(Self::Incomplete),
            SubscriptionStatus::Trialing => Some(Self::Trialing),
            SubscriptionStatus::Active => Some(Self::Active),
            SubscriptionStatus::Canceled | SubscriptionStatus::Expired => None,
        }
    }

    /// What subscriptions that stand so are asked for by.
    pub const fn standing(self) -> Standing {
        match self {
            Self::None => Standing::None,
            Self::Incomplete => Standing::Worst(SubscriptionStatus::Incomplete),
            Self::Trialing => Standing::Worst(SubscriptionStatus::Trialing),
            Self::Active => Standing::Worst(SubscriptionStatus::Active),
            Self::PastDue => Standing::Worst(SubscriptionStatus::PastDue),
            Self::Suspended => Standing::Worst(SubscriptionStatus::Suspended),
            Self::Canceled => Standing::Ended,
        }
    }

    /// The worst among those that are live; without one CANCELED if there was one ever, else NONE.
    pub fn of(statuses: &[SubscriptionStatus]) -> Self {
        let worst = FROM_WORST.iter().find(|status| statuses.contains(status)).and_then(|status| Self::shown(*status));
        worst.unwrap_or(if statuses.is_empty() { Self::None } else { Self::Canceled })
    }
}

#[cfg(test)]
mod tests {
    use super::BusinessSubscriptionStatus as Shown;
    use super::*;

    #[test]
    fn the_worst_of_the_live_subscriptions_is_shown() {
        use SubscriptionStatus as S;
        for (statuses, shown) in [
            (vec![], Shown::None),
            (vec![S::Canceled], Shown::Canceled),
            (vec![S::Expired], Shown::Canceled),
            (vec![S::Canceled, S::Active], Shown::Active),
            (vec![S::Active, S::Trialing], Shown::Trialing),
            (vec![S::Trialing, S::Incomplete, S::Active], Shown::Incomplete),
            (vec![S::Incomplete, S::PastDue], Shown::PastDue),
            (vec![S::Active, S::PastDue, S::Suspended, S::Expired], Shown::Suspended),
        ] {
            assert_eq!(Shown::of(&statuses), shown, "{statuses:?}");
        }
    }
}
