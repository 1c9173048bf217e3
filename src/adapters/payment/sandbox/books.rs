//! What the sandbox has truly done in a span of time: its own ledger.

use jiff::Timestamp;

use super::super::books::{Books, BooksAnswer, ListedCharge, ListedRefund, Moved};
use super::SandboxGateway;
use super::memory::SandboxError;
use super::refunds::reference;

impl SandboxGateway {
    /// What was taken and paid back from `from` to before `until`.
    pub(super) async fn books_now(&self, from: Timestamp, until: Timestamp) -> Result<BooksAnswer, SandboxError> {
        let charges = self.memory.charges().await?.into_iter().filter(|charge| (from..until).contains(&charge.charged_at));
        let charges = charges.map(|charge| ListedCharge {
            reference: charge.reference,
            key: Some(charge.key),
            amount: Some(charge.amount),
            moved: Moved::Yes,
        });
        let refunds = self.memory.refunds().await?.into_iter().filter(|refund| (from..until).contains(&refund.asked_at));
        let refunds = refunds.map(|refund| ListedRefund {
            reference: reference(&refund.key),
            key: Some(refund.key),
            charge_reference: None,
            amount: Some(refund.amount),
            moved: if refund.refused.is_none() { Moved::Yes } else { Moved::No },
        });
        Ok(BooksAnswer::Books(Books { charges: charges.collect(), refunds: refunds.collect(), disputes: Vec::new() }))
    }
}
