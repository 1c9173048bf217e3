//! Voiding an invoice, and giving up on one. Whoever does either locks the business, the subscription and the invoice, and
//! meets the subscription with its boundaries billed.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::reason::reason;
use super::{Right, StaffAccess, StaffService, check_right, tenant};
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::InvoiceId;
use crate::services::Ports;
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::billing::{Account, Standing, bill_due_boundaries, mark_uncollectible, void_invoice};
use crate::services::idempotency::{self, Claim, Claimed};
use crate::store::invoices::Invoice;
use crate::store::{System, Tenant, invoices, reads};

/// Which invoice, and why.
#[derive(Debug, Clone)]
pub struct ActOnInvoice {
    /// The invoice; `None` for an id that names none.
    pub invoice: Option<InvoiceId>,
    /// Why.
    pub reason: String,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// The invoice that was acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrected {
    /// The invoice.
    pub invoice: InvoiceId,
    /// Whether the key was sent before: nothing new was done.
    pub replayed: bool,
}

/// What is done to an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Correction {
    /// It is called off.
    Void,
    /// It is given up on.
    GiveUp,
}

impl Correction {
    /// Its name under idempotency keys.
    const fn operation(self) -> &'static str {
        match self {
            Self::Void => "voidInvoice",
            Self::GiveUp => "markInvoiceUncollectible",
        }
    }

    /// What the audit trail calls it.
    const fn action(self) -> &'static str {
        match self {
            Self::Void => "invoice.voided",
            Self::GiveUp => "invoice.marked_uncollectible",
        }
    }
}

impl StaffService {
    /// Calls an invoice off: nothing of it is owed any more, and what had lowered what was due on it becomes account credit.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not; NOT_FOUND at `invoiceId`; REQUIRED, TOO_LONG, INVALID at `reason`;
    /// PAYMENT_IN_PROGRESS while an attempt may still charge it; INVALID_TRANSITION where it is paid or void; those of
    /// idempotency keys; or the database's fault.
    pub async fn void_invoice(&self, caller: Caller, input: ActOnInvoice) -> Outcome<Corrected> {
        self.correct(caller, input, Correction::Void).await
    }

    /// Gives up on what is due on an invoice; it may still be paid.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not; NOT_FOUND at `invoiceId`; REQUIRED, TOO_LONG, INVALID at `reason`;
    /// INVALID_TRANSITION where it is not open; those of idempotency keys; or the database's fault.
    pub async fn mark_invoice_uncollectible(&self, caller: Caller, input: ActOnInvoice) -> Outcome<Corrected> {
        self.correct(caller, input, Correction::GiveUp).await
    }

    /// One transaction for both.
    async fn correct(&self, caller: Caller, input: ActOnInvoice, what: Correction) -> Outcome<Corrected> {
        let outside = self.ports.clone();
        let write = move |system: System| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let access = check_right(&system, caller, Right::CorrectInvoices).await?;
                let reason = reason(&input.reason)?;
                let canonical = json!([input.invoice.map(|id| id.to_string()), reason]);
                let key = (input.idempotency_key.as_str(), what.operation(), &canonical);
                match open::<String>(&system, &ports, access, input.invoice, key).await? {
                    Opened::Replay(invoice) => Ok(Corrected { invoice: made(InvoiceId::parse(&invoice))?, replayed: true }),
                    Opened::New(desk) => Box::pin(apply(*desk, what, &reason)).await,
                }
            }
        };
        let done = self.ports.store.write_system(write).await?;
        // What goes on may have begun to collect.
        self.ports.work.notify_one();
        Ok(done)
    }
}

/// What is kept under an idempotency key is what this house wrote there.
pub(super) fn made<T>(id: Option<T>) -> Result<T, Error> {
    id.ok_or_else(|| Error::Corrupt("an idempotency key names nothing".into()))
}

/// An invoice before a member of staff: the business, the subscription and the invoice locked, and what was due billed.
pub(super) struct Desk {
    /// The business's rows.
    pub(super) tenant: Tenant,
    /// The outside as the business has it.
    pub(super) ports: Ports,
    /// The member of staff.
    pub(super) access: StaffAccess,
    /// The business.
    pub(super) account: Account,
    /// The invoice.
    pub(super) invoice: Invoice,
    /// The idempotency key.
    pub(super) claimed: Claimed,
}

/// To act, or to answer as before.
pub(super) enum Opened<T> {
    /// Act.
    New(Box<Desk>),
    /// This was made then.
    Replay(T),
}

/// Finds the invoice and its business, claims the key in the business's table, and locks in order.
///
/// # Errors
/// NOT_FOUND at `invoiceId`; those of idempotency keys; or the database's fault.
pub(super) async fn open<T: DeserializeOwned>(
    system: &System,
    ports: &Ports,
    access: StaffAccess,
    invoice: Option<InvoiceId>,
    (key, operation, input): (&str, &str, &Value),
) -> Outcome<Opened<T>> {
    let missing = || UserError::at("invoiceId", UserErrorCode::NotFound, "There is no such invoice.");
    let id = invoice.ok_or_else(missing)?;
    let found = reads::invoices::by_id(&system.reader(), id).await?.ok_or_else(missing)?;
    let tenant = tenant(system, access, found.business_id);
    let ports = ports.of(&tenant).await?;
    let mut account = Account::lock(&tenant, ports.now()).await?;
    let claimed = match idempotency::claim::<T>(&tenant, &ports, access.staff.uuid(), key, operation, input).await? {
        Claim::Replay(made) => return Ok(Opened::Replay(made)),
        Claim::New(claimed) => claimed,
    };
    if let Some(subscription) = found.subscription_id
        && let Some(mut standing) = Standing::lock(&tenant, subscription).await?
    {
        bill_due_boundaries(&tenant, &ports, &mut account, &mut standing).await?;
    }
    let invoice = invoices::lock(&tenant, id).await?.ok_or_else(missing)?;
    Ok(Opened::New(Box::new(Desk { tenant, ports, access, account, invoice, claimed })))
}

/// Does it, writes it down, and keeps what was done under the key.
async fn apply(desk: Desk, what: Correction, reason: &str) -> Outcome<Corrected> {
    let Desk { tenant, ports, access, mut account, mut invoice, claimed } = desk;
    let (actor, subject, was) = (access.actor(), invoice.id.to_string(), invoice.status);
    match what {
        Correction::Void => void_invoice(&tenant, &ports, &mut account, &mut invoice, &actor).await?,
        Correction::GiveUp => mark_uncollectible(&tenant, &ports, &mut account, &mut invoice).await?,
    }
    let details = json!({ "number": invoice.number, "from": was.as_str(), "to": invoice.status.as_str(), "reason": reason });
    audit::record(&tenant, &ports, Act { action: what.action(), actor: &actor, subject: &subject, details }).await?;
    idempotency::store(&tenant, claimed, &subject).await?;
    Ok(Corrected { invoice: invoice.id, replayed: false })
}
