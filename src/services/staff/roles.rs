//! What each role of staff may do: one closed table.

use crate::store::types::StaffRole;

/// What an operation of the staff API asks of its caller's role.
///
/// | Right | SUPPORT | FINANCE | COMPLIANCE | ADMIN |
/// | --- | --- | --- | --- | --- |
/// | read everything | yes | yes | yes | yes |
/// | suspend and restore businesses | | | yes | yes |
/// | review verifications | | | yes | yes |
/// | plans and their prices | | yes | | yes |
/// | coupons | | yes | | yes |
/// | exempt a business from tax | | yes | | yes |
/// | void, give up on and credit invoices | | yes | | yes |
/// | record, resolve and refund payments | | yes | | yes |
/// | change and cancel subscriptions in a business's place | | yes | | yes |
/// | keys of products | | | | yes |
/// | test clocks, in a sandbox | | yes | | yes |
/// | answer tickets | yes | yes | yes | yes |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// To read: every business, the catalogue, colleagues, audit trails.
    Read,
    /// To suspend and to restore a business.
    SuspendBusinesses,
    /// To review what businesses submit to be verified.
    ReviewVerifications,
    /// To make and to archive plans, and to set their prices.
    ManagePlans,
    /// To make coupons.
    ManageCoupons,
    /// To say whether a business pays tax.
    ExemptFromTax,
    /// To void invoices, to give up on them, and to issue credit notes on them.
    CorrectInvoices,
    /// To record what came outside a gateway, to settle what a gateway does not tell, and to pay back.
    HandlePayments,
    /// To change and to cancel subscriptions in a business's place.
    ManageSubscriptions,
    /// To make and to end the keys of products.
    ManageServiceKeys,
    /// To answer tickets.
    AnswerTickets,
    /// To make test clocks, to advance them, and to put businesses on them.
    MoveTestClocks,
}

impl Right {
    /// Whether a role has it.
    pub const fn allows(self, role: StaffRole) -> bool {
        match self {
            Self::Read | Self::AnswerTickets => true,
            Self::SuspendBusinesses | Self::ReviewVerifications => matches!(role, StaffRole::Compliance | StaffRole::Admin),
            Self::ManagePlans
            | Self::ManageCoupons
            | Self::ExemptFromTax
            | Self::CorrectInvoices
            | Self::HandlePayments
            | Self::ManageSubscriptions
            | Self::MoveTestClocks => matches!(role, StaffRole::Finance | StaffRole::Admin),
            Self::ManageServiceKeys => matches!(role, StaffRole::Admin),
        }
    }
}
