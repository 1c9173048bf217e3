//! The platform's own people: their accounts and sessions, what their roles let them do, and what they do to
//! businesses. Every act of theirs is audited with the member of staff as actor.
//!
//! It must never tell by its answer or its work whether an address is a member's.

mod accounts;
mod credit_notes;
mod invoices;
mod mails;
mod payments;
mod reason;
mod revenue;
mod roles;
mod sessions;
mod suspensions;
mod tax;
mod tickets;
mod verifications;

pub use super::sessions::AuthTokens;
pub use accounts::NewStaff;
pub use credit_notes::{Credited, CreditedLine, IssueCreditNote, Settlement};
pub use invoices::{ActOnInvoice, Corrected};
pub(super) use mails::STAFF_RECOVERY_CODE_USED;
pub use payments::{RecordPayment, Recorded, RefundPayment, Refunded, ResolvePayment, ResolveRefund, Resolved, ResolvedRefund};
pub use revenue::revenue_of;
pub use roles::Right;
pub use sessions::{SignIn, SignedIn};
pub use suspensions::Suspend;
pub use tax::SetTaxExempt;
pub use verifications::ReviewVerification;

use super::Ports;
use super::access::Caller;
use crate::error::Error;
use crate::ids::{BusinessId, StaffId, StaffSessionId};
use crate::store::types::StaffRole;
use crate::store::{Instant, System, Tenant, TenantScope, staff};

/// Staff, and what they do.
#[derive(Clone)]
pub struct StaffService {
    /// What it needs of the outside.
    ports: Ports,
}

impl StaffService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Now, as the database keeps it.
    fn now(&self) -> Instant {
        self.ports.now().into()
    }
}

/// A member of staff whose session was found good, in the transaction at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaffAccess {
    /// Who.
    pub staff: StaffId,
    /// Where they are signed in.
    pub session: StaffSessionId,
    /// What they may do.
    pub role: StaffRole,
}

impl StaffAccess {
    /// Who did it, for the audit trail.
    pub fn actor(&self) -> String {
        self.staff.to_string()
    }

    /// Refuses what the role does not allow.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub const fn require(&self, right: Right) -> Result<(), Error> {
        if right.allows(self.role) { Ok(()) } else { Err(Error::Forbidden) }
    }
}

/// Finds the session and the role as they are in this transaction: a session that was ended, an account that was
/// removed or another role counts at once, whatever the token says.
///
/// # Errors
/// [`Error::Unauthenticated`] for whoever is no member of staff, or is signed out.
pub async fn check(system: &System, caller: Caller) -> Result<StaffAccess, Error> {
    let Caller::Staff { staff, session } = caller else { return Err(Error::Unauthenticated) };
    let found = staff::session_access(system, session, staff).await?.ok_or(Error::Unauthenticated)?;
    if found.revoked { Err(Error::Unauthenticated) } else { Ok(StaffAccess { staff, session, role: found.role }) }
}

/// The business that a member of staff acts on.
pub(super) const fn scope(_access: StaffAccess, business: BusinessId) -> TenantScope {
    TenantScope::proved(business)
}

/// A business as a member of staff reads it, or acts on it.
pub fn tenant(system: &System, access: StaffAccess, business: BusinessId) -> Tenant {
    system.tenant(scope(access, business))
}

/// As [`check`], and the role must have the right.
///
/// # Errors
/// [`Error::Unauthenticated`], or [`Error::Forbidden`].
pub async fn check_right(system: &System, caller: Caller, right: Right) -> Result<StaffAccess, Error> {
    let access = check(system, caller).await?;
    access.require(right)?;
    Ok(access)
}
