//! Paying an invoice when the customer asks for it.

use serde::{Deserialize, Serialize};

use super::attempt::{Begun, Sender, begin_attempt, in_progress, wait_for};
use super::outcome::{call_off, conclude, record};
use super::protocol::{cancel, take_to_ask};
use super::{PaymentService, Ports};
use crate::billing::lifecycle::PaymentStatus;
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::{InvoiceId, PaymentId, PaymentMethodId};
use crate::services::access::{Access, Caller, Need, check_change};
use crate::services::idempotency::{self, Claim};
use crate::store::payments::{self, Payment};
use crate::store::{Snapshot, Tenant, TenantScope, customers, invoices};

use super::outcome::Verdict;

/// What is asked of `payInvoice`.
#[derive(Debug, Clone)]
pub struct PayInvoice {
    /// The invoice; `None` for an id that names none.
    pub invoice: Option<InvoiceId>,
    /// With what; `None` is the default. An id that names none is `Some(None)`.
    pub method: Option<Option<PaymentMethodId>>,
    /// Where the gateway is to send the customer.
    pub return_url: Option<String>,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// What `payInvoice` made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaidInvoice {
    /// The attempt; it may still be under way.
    pub payment: PaymentId,
    /// The invoice.
    pub invoice: InvoiceId,
    /// Whether the key was sent before: nothing new was made.
    pub replayed: bool,
}

impl PayInvoice {
    /// What makes two requests the same.
    fn canonical(&self) -> impl Serialize + use<> {
        let method = self.method.map(|named| named.map(|id| id.to_string()).unwrap_or_default());
        (self.invoice.map(|id| id.to_string()), method)
    }
}

/// What is kept under the idempotency key: ids as text.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Made {
    /// The attempt.
    payment: String,
    /// The invoice.
    invoice: String,
}

impl Made {
    /// What was made then.
    fn replay(&self) -> Result<PaidInvoice, Error> {
        let (payment, invoice) = (PaymentId::parse(&self.payment), InvoiceId::parse(&self.invoice));
        let (Some(payment), Some(invoice)) = (payment, invoice) else {
            return Err(Error::Corrupt("an idempotency key names no payment".into()));
        };
        Ok(PaidInvoice { payment, invoice, replayed: true })
    }
}

impl PaymentService {
    /// Pays an invoice: begins an attempt, and waits a while for its outcome. An attempt that waits for the customer is called off
    /// first where a method is named. A charge that fails is no refusal: it is a payment that failed.
    ///
    /// # Errors
    /// NOT_FOUND at `invoiceId` or `paymentMethodId`; INVALID_TRANSITION at `invoiceId` where nothing is to be paid; INVALID at
    /// `returnUrl`; PAYMENT_IN_PROGRESS, PAYMENT_METHOD_REQUIRED, LIMIT_EXCEEDED; those of idempotency keys;
    /// [`Error::Unauthenticated`], [`Error::Forbidden`] or the database's fault.
    pub async fn pay_invoice(&self, caller: Caller, input: PayInvoice) -> Outcome<PaidInvoice> {
        let scope = caller.require_scope()?;
        if input.return_url.is_some() {
            return Err(UserError::at("returnUrl", UserErrorCode::Invalid, "No origin is allowed to be returned to.").into());
        }
        // What waits for the customer now is what naming a method may call off: not what a replay's first call began.
        let waiting = if input.method.is_some() { waiting_now(&self.ports, scope, input.invoice).await? } else { None };
        let mut paid = self.start(caller, scope, input.clone(), None).await;
        if let (Err(Failure::Refused(refusals)), Some(waiting)) = (&paid, waiting)
            && refusals.iter().any(|refusal| refusal.code == UserErrorCode::PaymentInProgress)
            && let Replaced::Yes(called_off) = replace(&self.ports, scope, waiting).await?
        {
            paid = self.start(caller, scope, input, called_off.map(|payment| *payment)).await;
        }
        let paid = paid?;
        if !paid.replayed {
            wait_for(&self.ports, scope, paid.payment).await?;
        }
        Ok(paid)
    }

    /// The transaction of `payInvoice`. `called_off` is an attempt that the gateway has confirmed to be called off; it is over when,
    /// and only when, the new one is written.
    async fn start(&self, caller: Caller, scope: TenantScope, input: PayInvoice, called_off: Option<Payment>) -> Outcome<PaidInvoice> {
        let outside = self.ports.clone();
        let write = move |tenant: Tenant| {
            let (ports, input, called_off) = (outside.clone(), input.clone(), called_off.clone());
            async move {
                let ports = ports.of(&tenant).await?;
                let access = check_change(&tenant, caller, Need::ChangeMoney).await?;
                customers::lock_business(&tenant).await?;
                let (key, canonical) = (&input.idempotency_key, input.canonical());
                match idempotency::claim::<Made>(&tenant, &ports, access.actor_uuid(), key, "payInvoice", &canonical).await? {
                    Claim::Replay(made) => Ok(made.replay()?),
                    Claim::New(claimed) => {
                        let paid = begin_asked(&tenant, &ports, &access, &input, called_off).await?;
                        let made = Made { payment: paid.payment.to_string(), invoice: paid.invoice.to_string() };
                        idempotency::store(&tenant, claimed, &made).await?;
                        Ok(paid)
                    }
                }
            }
        };
        self.ports.store.write(scope, write).await
    }
}

/// Begins the attempt that the customer asks for.
async fn begin_asked(
    tenant: &Tenant,
    ports: &Ports,
    access: &Access,
    input: &PayInvoice,
    called_off: Option<Payment>,
) -> Outcome<PaidInvoice> {
    let invoice = match input.invoice {
        Some(id) => invoices::lock(tenant, id).await?,
        None => None,
    };
    let invoice = invoice.ok_or_else(|| UserError::at("invoiceId", UserErrorCode::NotFound, "There is no such invoice."))?;
    if !invoice.status.is_payable() || invoice.amount_due_minor == 0 {
        let sentence = "Nothing is to be paid on this invoice.";
        return Err(UserError::at("invoiceId", UserErrorCode::InvalidTransition, sentence).into());
    }
    let method = match input.method {
        Some(named) => Some(named.ok_or_else(super::attempt::method_not_found)?),
        None => None,
    };
    if let Some(called_off) = called_off {
        end_called_off(tenant, ports, access, &called_off).await?;
    }
    match begin_attempt(tenant, ports, &invoice, method, Sender::Job).await? {
        Begun::Attempt(payment) => {
            record(tenant, ports, &payment, "payment.begun", &access.actor()).await?;
            Ok(PaidInvoice { payment: payment.id, invoice: invoice.id, replayed: false })
        }
        Begun::ByHand => {
            let sentence = "This method is a transfer that you make at your bank; to be charged, choose another one.";
            Err(UserError::at("paymentMethodId", UserErrorCode::PaymentMethodRequired, sentence).into())
        }
        // A customer who asks is prompted by night too, so that there is nothing to wait for.
        Begun::NoMethod | Begun::NotBefore(_) => {
            let sentence = "Add a payment method that can be charged, or choose another one.";
            Err(UserError::at("paymentMethodId", UserErrorCode::PaymentMethodRequired, sentence).into())
        }
        Begun::TooLittle => Err(UserError::at("invoiceId", UserErrorCode::LimitExceeded, "Less is due than can be paid this way.").into()),
    }
}

/// Ends the attempt that the gateway has called off, unless somebody else has taken it since.
async fn end_called_off(tenant: &Tenant, ports: &Ports, access: &Access, called_off: &Payment) -> Outcome<()> {
    let held = payments::lock_payment(tenant, called_off.id).await?;
    if held.fence == called_off.fence && held.status == PaymentStatus::RequiresAction {
        call_off(tenant, ports, &held, &access.actor()).await?;
        return Ok(());
    }
    if held.status.is_live() { Err(in_progress().into()) } else { Ok(()) }
}

/// The attempt on an invoice that waits for the customer at this moment.
async fn waiting_now(ports: &Ports, scope: TenantScope, invoice: Option<InvoiceId>) -> Outcome<Option<PaymentId>> {
    let Some(invoice) = invoice else { return Ok(None) };
    let view = Snapshot::new(ports.store.clone(), Some(scope));
    Ok(payments::waiting_attempt(&view.tenant().await?, invoice).await?.map(|payment| payment.id))
}

/// Whether a live attempt has made room for another.
enum Replaced {
    /// It has: called off at the gateway and still to be ended, or over by itself.
    Yes(Option<Box<Payment>>),
    /// It is still live.
    No,
}

/// Calls an attempt that waits for the customer off at the gateway, outside any transaction.
async fn replace(ports: &Ports, scope: TenantScope, waiting: PaymentId) -> Outcome<Replaced> {
    let Some((taken, outside)) = take_to_ask(ports, scope, waiting, Some(PaymentStatus::RequiresAction)).await? else {
        return Ok(Replaced::Yes(None));
    };
    match cancel(&outside, scope, &taken).await? {
        Verdict::CalledOff => Ok(Replaced::Yes(Some(Box::new(taken)))),
        // Not known: the question that is asked of the gateway anyway will tell.
        Verdict::Lost | Verdict::Waiting(_) => Ok(Replaced::No),
        verdict @ (Verdict::Succeeded(_) | Verdict::Failed(_)) => {
            conclude(ports, scope, &taken, verdict, Sender::Job).await?;
            Ok(Replaced::Yes(None))
        }
    }
}
