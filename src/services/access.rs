//! Who is calling, and what they may do: people by their role, programs by the scopes of their key.

use uuid::Uuid;

use crate::error::Error;
use crate::ids::{ApiKeyId, ProductId, ServiceKeyId, SessionId, StaffId, StaffSessionId, UserId};
use crate::store::types::{ApiScope, Role, Scopes};
use crate::store::{Tenant, TenantScope, customers, keys};

/// Who is calling, as the request guard found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Nobody who has said who they are.
    Anonymous,
    /// A person who is signed in.
    User {
        /// The person.
        user: UserId,
        /// Where they are signed in.
        session: SessionId,
        /// The business they act for.
        scope: TenantScope,
    },
    /// A program of a business, by one of its keys.
    Key {
        /// The key.
        key: ApiKeyId,
        /// The business it acts for.
        scope: TenantScope,
    },
    /// A product of the platform, by one of its keys.
    Service {
        /// The key.
        key: ServiceKeyId,
        /// The product.
        product: ProductId,
        /// The business that it asks about; none where it named none that exists.
        scope: Option<TenantScope>,
    },
    /// A member of the platform's staff, at the staff API alone.
    Staff {
        /// Who.
        staff: StaffId,
        /// Where they are signed in.
        session: StaffSessionId,
    },
}

impl Caller {
    /// The business the caller acts for; none for nobody, and for staff, who act for none.
    pub const fn scope(self) -> Option<TenantScope> {
        match self {
            Self::Anonymous | Self::Staff { .. } => None,
            Self::User { scope, .. } | Self::Key { scope, .. } => Some(scope),
            Self::Service { scope, .. } => scope,
        }
    }

    /// The business the caller acts for.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody; [`Error::Forbidden`] for a product that named no business, as where it
    /// named one: what it may not do says nothing of which businesses there are.
    pub const fn require_scope(self) -> Result<TenantScope, Error> {
        match (self.scope(), self) {
            (Some(scope), _) => Ok(scope),
            (None, Self::Service { .. }) => Err(Error::Forbidden),
            (None, _) => Err(Error::Unauthenticated),
        }
    }
}

/// What a field or an operation asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// To belong to the business: profile, subscription, usage.
    Read,
    /// To ask what was used, and what may be.
    ReadUsage,
    /// To record usage.
    RecordUsage,
    /// To read all of money.
    ReadMoney,
    /// To change subscription, methods, payments.
    ChangeMoney,
    /// To open, to answer and to close tickets of support.
    WriteToSupport,
    /// To change the profile.
    ChangeProfile,
    /// To be a person: one's own sessions and password.
    OwnAccount,
    /// To download the documents that the business has submitted.
    ReadDocuments,
    /// To read what was done and by whom.
    ReadAudit,
    /// To read where events are sent, and what was.
    ReadWebhooks,
    /// To change where events are sent, and to have them sent again.
    ChangeWebhooks,
    /// To change people and keys.
    Manage,
    /// Erasure, export, making owners.
    Own,
}

impl Need {
    /// Whether somebody may. This is the one place that decides it.
    pub const fn allows(self, who: Who) -> bool {
        match who {
            Who::Person(person) => self.allows_role(person.role),
            Who::Key { scopes, .. } => self.allows_scopes(scopes),
            // Its fields are listed by name besides: see `service_key_may`.
            Who::Service { .. } => matches!(self, Self::ReadUsage | Self::RecordUsage),
        }
    }

    /// Whether a role may.
    const fn allows_role(self, role: Role) -> bool {
        match self {
            Self::Read | Self::ReadUsage | Self::WriteToSupport | Self::OwnAccount => true,
            Self::ReadMoney | Self::ChangeMoney => matches!(role, Role::Billing | Role::Admin | Role::Owner),
            Self::ChangeProfile
            | Self::RecordUsage
            | Self::ReadAudit
            | Self::ReadDocuments
            | Self::ReadWebhooks
            | Self::ChangeWebhooks
            | Self::Manage => {
                matches!(role, Role::Admin | Role::Owner)
            }
            Self::Own => matches!(role, Role::Owner),
        }
    }

    /// Whether a key of these scopes may; no key may what is a person's own.
    const fn allows_scopes(self, scopes: Scopes) -> bool {
        match self {
            Self::Read | Self::ReadMoney | Self::ReadAudit | Self::ReadWebhooks => scopes.has(ApiScope::Read),
            Self::ReadUsage => scopes.has(ApiScope::Read) || scopes.has(ApiScope::AccessRead),
            Self::RecordUsage => scopes.has(ApiScope::UsageWrite),
            Self::ChangeMoney => scopes.has(ApiScope::BillingWrite),
            Self::WriteToSupport => scopes.has(ApiScope::SupportWrite),
            Self::ChangeProfile => scopes.has(ApiScope::ProfileWrite),
            Self::ChangeWebhooks => scopes.has(ApiScope::WebhookWrite),
            Self::OwnAccount | Self::ReadDocuments | Self::Manage | Self::Own => false,
        }
    }
}

/// The root fields that a product's key may ask for, about the business that the request names. A request that asks
/// for any other is refused before anything of it runs.
const SERVICE_KEY_FIELDS: &[&str] = &["__typename", "featureAccess", "usage", "recordUsage"];

/// Whether a product's key may ask for a root field.
pub fn service_key_may(field: &str) -> bool {
    SERVICE_KEY_FIELDS.contains(&field)
}

/// A person who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The person.
    pub user: UserId,
    /// Where they are signed in.
    pub session: SessionId,
    /// What they may do.
    pub role: Role,
}

/// Who was found to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A person.
    Person(Person),
    /// A program of the business.
    Key {
        /// Its key.
        key: ApiKeyId,
        /// What the key was made for.
        scopes: Scopes,
    },
    /// A product of the platform.
    Service {
        /// Its key.
        key: ServiceKeyId,
        /// The product.
        product: ProductId,
    },
}

/// A caller whose session and membership, or whose key, were found good in the transaction at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Who.
    pub who: Who,
    /// Whether staff have suspended the business as a whole: then nothing may be changed.
    pub business_suspended: bool,
}

impl Access {
    /// Who did it, for the audit trail.
    pub fn actor(&self) -> String {
        match self.who {
            Who::Person(person) => person.user.to_string(),
            Who::Key { key, .. } => key.to_string(),
            Who::Service { key, .. } => key.to_string(),
        }
    }

    /// The same, as the database keeps it: whose idempotency keys are whose.
    pub const fn actor_uuid(&self) -> Uuid {
        match self.who {
            Who::Person(person) => person.user.uuid(),
            Who::Key { key, .. } => key.uuid(),
            Who::Service { key, .. } => key.uuid(),
        }
    }

    /// The person who calls.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a key.
    pub const fn person(&self) -> Result<Person, Error> {
        match self.who {
            Who::Person(person) => Ok(person),
            Who::Key { .. } | Who::Service { .. } => Err(Error::Forbidden),
        }
    }

    /// The product that calls, which may ask about itself alone; none of a person, or of a key of the business.
    pub const fn product(&self) -> Option<ProductId> {
        match self.who {
            Who::Service { product, .. } => Some(product),
            Who::Person(_) | Who::Key { .. } => None,
        }
    }

    /// The role of the person who calls; none of a key, which has scopes.
    pub const fn role(&self) -> Option<Role> {
        match self.who {
            Who::Person(person) => Some(person.role),
            Who::Key { .. } | Who::Service { .. } => None,
        }
    }

    /// Whether the caller may.
    pub const fn allows(&self, need: Need) -> bool {
        need.allows(self.who)
    }

    /// Refuses what the caller may not.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub const fn require(&self, need: Need) -> Result<(), Error> {
        if self.allows(need) { Ok(()) } else { Err(Error::Forbidden) }
    }
}

/// Finds the caller's session and membership, or key, as they are in this transaction: a session or key that was
/// revoked, a removed member or a changed role counts at once, whatever the guard found.
///
/// # Errors
/// [`Error::Unauthenticated`] where the session or key is over or the person is no longer a member.
pub async fn check(tenant: &Tenant, caller: Caller) -> Result<Access, Error> {
    match caller {
        // Staff act for no business: see `staff::check`.
        Caller::Anonymous | Caller::Staff { .. } => Err(Error::Unauthenticated),
        Caller::User { user, session, .. } => {
            let found = customers::session_access(tenant, session, user).await?.filter(|found| !found.revoked);
            let found = found.ok_or(Error::Unauthenticated)?;
            let who = Who::Person(Person { user, session, role: found.role });
            Ok(Access { who, business_suspended: found.business_suspended })
        }
        Caller::Key { key, .. } => {
            let found = keys::key_access(tenant, key).await?.filter(|found| !found.revoked).ok_or(Error::Unauthenticated)?;
            Ok(Access { who: Who::Key { key, scopes: found.scopes }, business_suspended: found.business_suspended })
        }
        Caller::Service { key, product, .. } => {
            let business = customers::business(tenant).await?;
            Ok(Access { who: Who::Service { key, product }, business_suspended: business.suspended_at.is_some() })
        }
    }
}

/// As [`check`], for a change: the caller must be allowed it and the business must not be suspended by staff.
///
/// # Errors
/// [`Error::Unauthenticated`], or [`Error::Forbidden`].
pub async fn check_change(tenant: &Tenant, caller: Caller, need: Need) -> Result<Access, Error> {
    let access = check(tenant, caller).await?;
    access.require(need)?;
    if access.business_suspended { Err(Error::Forbidden) } else { Ok(access) }
}
