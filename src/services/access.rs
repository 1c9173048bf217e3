//! Who is calling, and what their role lets them do.

use crate::error::Error;
use crate::ids::{SessionId, StaffId, StaffSessionId, UserId};
use crate::store::types::Role;
use crate::store::{Tenant, TenantScope, customers};

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
            Self::User { scope, .. } => Some(scope),
        }
    }

    /// The business the caller acts for.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody.
    pub fn require_scope(self) -> Result<TenantScope, Error> {
        self.scope().ok_or(Error::Unauthenticated)
    }
}

/// What a field or an operation asks of the caller's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// To be signed in: profile, subscription, usage, one's own things.
    Read,
    /// To read all of money.
    ReadMoney,
    /// To change subscription, methods, payments.
    ChangeMoney,
    /// To change the profile and people.
    Manage,
    /// Erasure, export, making owners.
    Own,
}

impl Need {
    /// Whether a role may.
    pub const fn allows(self, role: Role) -> bool {
        match self {
            Self::Read => true,
            Self::ReadMoney | Self::ChangeMoney => matches!(role, Role::Billing | Role::Admin | Role::Owner),
            Self::Manage => matches!(role, Role::Admin | Role::Owner),
            Self::Own => matches!(role, Role::Owner),
        }
    }
}

/// A caller whose session and membership were found good, in the transaction at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The person.
    pub user: UserId,
    /// Where they are signed in.
    pub session: SessionId,
    /// What they may do.
    pub role: Role,
    /// Whether staff have suspended the business as a whole: then nothing may be changed.
    pub business_suspended: bool,
}

impl Access {
    /// Who did it, for the audit trail.
    pub fn actor(&self) -> String {
        self.user.to_string()
    }

    /// Refuses what the role does not allow.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub const fn require(&self, need: Need) -> Result<(), Error> {
        if need.allows(self.role) { Ok(()) } else { Err(Error::Forbidden) }
    }
}

/// Finds the caller's session and membership as they are in this transaction: a revoked session, a removed member or
/// a changed role counts at once, whatever the token says.
///
/// # Errors
/// [`Error::Unauthenticated`] where the session is over or the person is no longer a member.
pub async fn check(tenant: &Tenant, caller: Caller) -> Result<Access, Error> {
    let Caller::User { user, session, .. } = caller else { return Err(Error::Unauthenticated) };
    let found = customers::session_access(tenant, session, user).await?.ok_or(Error::Unauthenticated)?;
    if found.revoked {
        return Err(Error::Unauthenticated);
    }
    Ok(Access { user, session, role: found.role, business_suspended: found.business_suspended })
}

/// As [`check`], for a change: the role must allow it and the business must not be suspended by staff.
///
/// # Errors
/// [`Error::Unauthenticated`], or [`Error::Forbidden`].
pub async fn check_change(tenant: &Tenant, caller: Caller, need: Need) -> Result<Access, Error> {
    let access = check(tenant, caller).await?;
    access.require(need)?;
    if access.business_suspended { Err(Error::Forbidden) } else { Ok(access) }
}
