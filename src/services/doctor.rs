//! Proves on a live database that nothing in it contradicts itself: ledger, invoices, numbers, periods, payments, jobs.
//! It reads one state of the database and changes nothing.

use uuid::Uuid;

use super::billing::RENEWAL;
use crate::error::{Error, Outcome};
use crate::ids::{BusinessId, CreditNoteId, InvoiceId, JobId, JournalEntryId, PaymentId, RefundId, SubscriptionId, UsageCounterId};
use crate::store::doctor::{CHECKS, Contradiction, contradictions, miscounted, without_renewal};
use crate::store::{Store, System};

/// A check with what contradicts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What it is called.
    pub name: &'static str,
    /// What holds in a sound database.
    pub holds: &'static str,
    /// What contradicts it, each a sentence with the id it is about: [`crate::store::doctor::MAX_FINDINGS`] at most.
    pub findings: Vec<String>,
}

/// Makes every check.
///
/// # Errors
/// The database's fault.
pub async fn examine(store: &Store) -> Outcome<Vec<Examined>> {
    store.read_system(|system| async move { Ok(examine_all(&system).await?) }).await
}

/// The checks of one state of the database.
async fn examine_all(system: &System) -> Result<Vec<Examined>, Error> {
    let mut examined = Vec::with_capacity(CHECKS.len().saturating_add(2));
    for check in CHECKS {
        let found = contradictions(system, check).await?;
        examined.push(Examined { name: check.name, holds: check.holds, findings: found.iter().map(told).collect() });
    }
    let found = without_renewal(system, RENEWAL).await?;
    let holds = "Every subscription that runs has a job that will bill the end of its period.";
    examined.push(Examined { name: "renewals", holds, findings: found.iter().map(told).collect() });
    let found = miscounted(system).await?;
    let holds = "What is counted of a metered feature is the sum of its events, as far back as they are kept.";
    examined.push(Examined { name: "usage", holds, findings: found.iter().map(told).collect() });
    Ok(examined)
}

/// A contradiction as a sentence with its ids.
fn told(found: &Contradiction) -> String {
    let id = found.id.map(|id| named(&found.prefix, id));
    let business = found.business.map(|business| BusinessId::from(business).to_string());
    match (id, business) {
        (Some(id), Some(business)) if id != business => format!("{id} of {business}: {}", found.note),
        (Some(id), _) => format!("{id}: {}", found.note),
        (None, _) => found.note.clone(),
    }
}

/// An id as the API shows it.
fn named(prefix: &str, id: Uuid) -> String {
    match prefix {
        "biz" => BusinessId::from(id).to_string(),
        "cn" => CreditNoteId::from(id).to_string(),
        "inv" => InvoiceId::from(id).to_string(),
        "job" => JobId::from(id).to_string(),
        "jrn" => JournalEntryId::from(id).to_string(),
        "pay" => PaymentId::from(id).to_string(),
        "ref" => RefundId::from(id).to_string(),
        "sub" => SubscriptionId::from(id).to_string(),
        "ucn" => UsageCounterId::from(id).to_string(),
        _ => id.to_string(),
    }
}
