//! Disputes: what a payer's bank does about a charge. A gateway's word is a hint, as ever: the dispute is asked about, and what is
//! answered is written down by the rules of `billing::dispute`, once however often it is told. An open one is asked about daily, so that
//! a hint that was lost only delays. Evidence is for people, at the gateway.

use jiff::SignedDuration;
use serde_json::json;

use super::inbox::DisputeHeard;
use super::{DISPUTE, Ports, gateway_spoke, ladder};
use crate::adapters::payment::disputes::{DisputeAnswer, DisputeFound, DisputeState};
use crate::adapters::payment::{CALL_LIMIT, GatewayKind, within};
use crate::billing::dispute::{DisputeStatus, Followed, Stand, Told, won};
use crate::billing::lifecycle::{InvalidTransition, PaymentEvent, PaymentStatus};
use crate::error::{Error, Outcome};
use crate::ids::{DisputeId, PaymentId, RefundId};
use crate::services::audit::{self, Act};
use crate::services::billing::{self, Account};
use crate::services::events::{self, DisputeFacts, Event};
use crate::store::disputes::{self, Dispute, DisputeChange, NewDispute};
use crate::store::invoices::Invoice;
use crate::store::jobs::{self, Finish, Job, NewJob};
use crate::store::payments::{self, Payment};
use crate::store::{Instant, Snapshot, System, Tenant, TenantScope, customers};

/// How often an open dispute is asked about.
const DAILY: SignedDuration = SignedDuration::from_hours(24);
/// How long one is asked about that was decided and whose money has not moved.
const MONEY_FOLLOWS: SignedDuration = SignedDuration::from_hours(30 * 24);
/// When a dispute is asked about again whose payment is not known to have taken money yet.
const PAYMENT_FOLLOWS: SignedDuration = SignedDuration::from_mins(1);

/// Has a dispute asked about that a gateway told of by `event`, in the caller's transaction. Whose it is, the charge tells.
///
/// # Errors
/// The database's fault.
pub(super) async fn ask_about(
    system: &System,
    ports: &Ports,
    gateway: GatewayKind,
    heard: &DisputeHeard,
    event: &str,
) -> Result<(), Error> {
    let Some(business) = disputes::business_of_charge(system, gateway.as_str(), &heard.charge).await? else {
        tracing::error!(
            charge = heard.charge,
            dispute = heard.reference,
            "a gateway tells of a dispute of no payment of ours; somebody must look"
        );
        return Ok(());
    };
    let tenant = system.tenant(TenantScope::proved(business));
    let ports = ports.of(&tenant).await?;
    let key = format!("{}:{}:{event}", gateway.as_str(), heard.reference);
    schedule(&tenant, &ports, &key, SignedDuration::ZERO).await
}

/// Writes the job that asks, so long from now.
async fn schedule(tenant: &Tenant, ports: &Ports, key: &str, from_now: SignedDuration) -> Result<(), Error> {
    let now = ports.now();
    let due_at = now.saturating_add(from_now).unwrap_or(jiff::Timestamp::MAX).into();
    let job = NewJob { id: ports.ids.next(), kind: DISPUTE, key, due_at, clock: ports.test_clock(), now: now.into() };
    jobs::schedule(tenant, job).await.map(drop)
}

/// A dispute to ask about.
struct Asked {
    /// The gateway that knows it.
    gateway: String,
    /// What that calls it.
    reference: String,
    /// Whether the job is the dispute's own, and not a hint's.
    is_own: bool,
}

/// What a job asks about, and the outside as its business has it: the dispute of its id, or what a gateway told of. `None` for a key that
/// names nothing.
async fn asked(ports: &Ports, scope: TenantScope, key: &str) -> Result<Option<(Asked, Ports)>, Error> {
    let view = Snapshot::new(ports.store.clone(), Some(scope));
    let tenant = view.tenant().await?;
    let ports = ports.of(&tenant).await?;
    if let Some(id) = DisputeId::parse(key) {
        let held = disputes::find(&tenant, id).await?;
        return Ok(held.map(|held| (Asked { gateway: held.gateway, reference: held.gateway_reference, is_own: true }, ports)));
    }
    let mut named = key.splitn(3, ':');
    let (gateway, reference) = (named.next().map(str::to_owned), named.next().map(str::to_owned));
    Ok(gateway.zip(reference).map(|(gateway, reference)| (Asked { gateway, reference, is_own: false }, ports)))
}

/// Runs a job of the kind [`DISPUTE`]: asks the gateway how a dispute stands, and writes down what follows.
///
/// # Errors
/// A fault, after which the job is to be run again.
pub(super) async fn run(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    let Some((Asked { gateway, reference, is_own }, ports)) = asked(ports, scope, &job.job_key).await? else {
        return Ok(Finish::Dead("the job's key names no dispute".to_owned()));
    };
    let answer = if let Some(gateway) = ports.gateways.named(&gateway) {
        within(CALL_LIMIT, gateway.dispute(&reference), DisputeAnswer::Unknown).await
    } else {
        tracing::error!(gateway, dispute = reference, "a dispute is at a gateway that is not configured");
        DisputeAnswer::Unknown
    };
    let found = match answer {
        DisputeAnswer::Found(found) => found,
        DisputeAnswer::NotFound => {
            tracing::error!(gateway, dispute = reference, "the gateway knows nothing of a dispute; somebody must look");
            return Ok(if is_own { Finish::Dead("the gateway does not know the dispute any more".to_owned()) } else { Finish::Done });
        }
        DisputeAnswer::Unknown => return Ok(Finish::Again(ladder::after_lost(job.created_at.get(), ports.now()).into())),
    };
    match write(&ports, scope, gateway, *found).await? {
        Written::Impossible(reason) => Ok(Finish::Dead(reason)),
        Written::NotYet(payment) => {
            gateway_spoke(&ports, payment).await?;
            Ok(Finish::Again(ports.now().saturating_add(PAYMENT_FOLLOWS).unwrap_or(jiff::Timestamp::MAX).into()))
        }
        // A hint is done; the dispute has a job of its own.
        Written::Over => Ok(Finish::Done),
        Written::Open(_) if !is_own => Ok(Finish::Done),
        Written::Open(next) => Ok(Finish::Again(next)),
    }
}

/// What became of what was answered.
enum Written {
    /// Nothing more is waited for.
    Over,
    /// It is asked about again then.
    Open(Instant),
    /// This payment of it is not known to have taken money: the gateway is asked about that first.
    NotYet(PaymentId),
    /// It contradicts what is known; somebody must look.
    Impossible(String),
}

/// Writes down how a dispute stands, with all that follows, in one transaction.
async fn write(ports: &Ports, scope: TenantScope, gateway: String, found: DisputeFound) -> Outcome<Written> {
    let outside = ports.clone();
    let write = move |tenant: Tenant| {
        let (ports, gateway, found) = (outside.clone(), gateway.clone(), found.clone());
        async move {
            let ports = ports.of(&tenant).await?;
            let business = customers::lock_business(&tenant).await?;
            let Some(payment) = disputes::payment_of_charge(&tenant, &gateway, &found.charge_reference).await? else {
                return Ok(Written::Impossible("the dispute is of no payment of this business".to_owned()));
            };
            let account = Account::of_locked(&tenant, business, ports.now()).await?;
            let charged = billing::lock_charged(&tenant, payment.invoice_id).await?;
            let payment = payments::lock_payment(&tenant, payment.id).await?;
            let mut case = Case { tenant, ports, account, invoice: charged.invoice, payment };
            Ok(Box::pin(case.take(&gateway, &found)).await?)
        }
    };
    ports.store.write(scope, write).await
}

/// A dispute at hand: its payment and the invoice of that, locked.
struct Case {
    /// The business's rows.
    tenant: Tenant,
    /// The outside, as the business has it.
    ports: Ports,
    /// The business, as billing sees it.
    account: Account,
    /// What was paid.
    invoice: Invoice,
    /// The payment.
    payment: Payment,
}

impl Case {
    /// Takes what the gateway answers.
    async fn take(&mut self, gateway: &str, found: &DisputeFound) -> Result<Written, Error> {
        let now = self.ports.now();
        if self.payment.status.is_live() {
            // It took money, and we have not heard of that yet.
            return Ok(Written::NotYet(self.payment.id));
        }
        if matches!(self.payment.status, PaymentStatus::Failed | PaymentStatus::Canceled) {
            return Ok(self.impossible(found, "it is of a payment that took no money"));
        }
        if found.amount.currency() != self.payment.currency || found.amount.minor() <= 0 {
            return Ok(self.impossible(found, "it is in another currency than its payment, or over nothing"));
        }
        let held = disputes::by_reference(&self.tenant, gateway, &found.reference).await?;
        let stand = held.as_ref().map_or_else(|| Stand::new(status(found.state)), Dispute::stand);
        let told = Told { status: status(found.state), is_taken: found.is_taken };
        let followed = match stand.follow(told) {
            Ok(followed) => followed,
            Err(refused) => return Ok(self.impossible(found, &refused.to_string())),
        };
        if held.as_ref().is_some_and(|held| held.amount_minor != found.amount.minor() && stand != Stand::new(stand.status)) {
            return Ok(self.impossible(found, "its amount is not what was taken"));
        }
        let (was, dispute) = match held {
            Some(held) => (Some(held.status), held),
            None => (None, self.open(gateway, found).await?),
        };
        let dispute = self.follow(dispute, found, followed).await?;
        self.tell(&dispute, was).await?;
        if dispute.stand().is_over() || dispute.closed_at.is_some_and(|closed| now.duration_since(closed.get()) > MONEY_FOLLOWS) {
            return Ok(Written::Over);
        }
        Ok(Written::Open(now.saturating_add(DAILY).unwrap_or(jiff::Timestamp::MAX).into()))
    }

    /// Says that what was answered cannot be.
    fn impossible(&self, found: &DisputeFound, why: &str) -> Written {
        tracing::error!(payment = %self.payment.id, dispute = found.reference, why, "a dispute contradicts what is known; somebody must look");
        Written::Impossible(format!("the dispute {} contradicts what is known: {why}", found.reference))
    }

    /// Writes a dispute that was never heard of, and the job that asks about it daily.
    async fn open(&self, gateway: &str, found: &DisputeFound) -> Result<Dispute, Error> {
        let id: DisputeId = self.ports.ids.next();
        let new = NewDispute {
            id,
            payment: self.payment.id,
            gateway: gateway.to_owned(),
            gateway_reference: found.reference.clone(),
            amount: found.amount,
            reason: found.reason.clone(),
            status: status(found.state),
            respond_by: found.respond_by.map(Into::into),
            opened_at: found.opened_at.into(),
            at: self.ports.now().into(),
        };
        schedule(&self.tenant, &self.ports, &id.to_string(), DAILY).await?;
        disputes::insert(&self.tenant, new).await
    }

    /// Moves the money by our books as the bank moved it, gives the payment its state, and writes the dispute.
    async fn follow(&mut self, held: Dispute, found: &DisputeFound, followed: Followed) -> Result<Dispute, Error> {
        let (tenant, ports) = (self.tenant.clone(), self.ports.clone());
        let now = Instant::from(ports.now());
        let Followed { stand, takes, gives_back, loses } = followed;
        let mut change = DisputeChange {
            stand,
            amount_minor: found.amount.minor(),
            reason: found.reason.clone(),
            respond_by: found.respond_by.map(Into::into),
            refund: held.refund_id,
            loss_minor: held.loss_minor,
            closed_at: held.closed_at.or_else(|| stand.status.is_final().then_some(now)),
        };
        let dispute = Dispute { amount_minor: change.amount_minor, ..held };
        self.mark(&dispute, stand.status).await?;
        if takes {
            billing::enter_taken(&tenant, &ports, &self.account, &dispute).await?;
        }
        if gives_back {
            billing::enter_given_back(&tenant, &ports, &self.account, &dispute).await?;
        }
        if loses {
            (change.refund, change.loss_minor) = self.lose(&dispute).await?;
        }
        disputes::change(&tenant, &dispute, change, now).await
    }

    /// Gives the payment the state that its dispute leaves it in.
    async fn mark(&mut self, dispute: &Dispute, status: DisputeStatus) -> Result<(), Error> {
        let is_disputed = self.payment.status == PaymentStatus::Disputed;
        let event = if status.holds_the_payment() && !is_disputed {
            PaymentEvent::DisputeOpened
        } else if status == DisputeStatus::Won && is_disputed {
            if disputes::is_held_by_another(&self.tenant, self.payment.id, dispute.id).await? {
                return Ok(());
            }
            won(self.payment.refunded_minor, self.payment.amount_minor)
        } else {
            return Ok(());
        };
        let to = self.payment.status.apply(event).map_err(illegal)?;
        self.payment = disputes::mark(&self.tenant, &self.payment, to, self.ports.now().into()).await?;
        Ok(())
    }

    /// The bank keeps it: what is left of the payment is credited on its invoice and counts as paid back, the rest is a cost. What
    /// was credited is charged once more, and until that is settled the subscription is suspended.
    async fn lose(&mut self, dispute: &Dispute) -> Result<(Option<RefundId>, i64), Error> {
        let (tenant, ports) = (self.tenant.clone(), self.ports.clone());
        let of = (&self.invoice, &self.payment);
        let kept = billing::credit_for_dispute(&tenant, &ports, &mut self.account, of, dispute).await?;
        let refund = match &kept.note {
            Some(note) => Some(super::refunds::kept_by_the_bank(&tenant, &ports, note, &self.payment, &dispute.gateway_reference).await?),
            None => None,
        };
        let loss_minor = kept.loss_minor;
        billing::enter_loss(&tenant, &ports, &self.account, self.invoice.id, loss_minor).await?;
        billing::suspend_for_dispute(&tenant, &ports, &mut self.account, (&self.invoice, kept), dispute).await?;
        Ok((refund, loss_minor))
    }

    /// Tells of a dispute that is new, that has become one, or that is decided: in the audit trail, the log, and to whoever listens.
    async fn tell(&self, dispute: &Dispute, was: Option<DisputeStatus>) -> Result<(), Error> {
        if was == Some(dispute.status) {
            return Ok(());
        }
        let begins = was.is_none_or(|was| was == DisputeStatus::Inquiry) && !dispute.status.is_final();
        let (id, amount) = (dispute.id.to_string(), dispute.amount()?);
        let facts = DisputeFacts {
            dispute_id: id.clone(),
            payment_id: self.payment.id.to_string(),
            invoice_id: self.invoice.id.to_string(),
            invoice_number: self.invoice.number.clone().unwrap_or_default(),
            currency: amount.currency().code().to_owned(),
            amount: amount.amount(),
            reason: dispute.reason.clone(),
            status: dispute.status.as_str().to_owned(),
            respond_by: dispute.respond_by.map(|at| at.get().to_string()),
        };
        let details = json!({
            "payment": self.payment.id.to_string(), "status": dispute.status.as_str(), "was": was.map(DisputeStatus::as_str),
            "amountMinor": dispute.amount_minor, "currency": amount.currency().code(), "lossMinor": dispute.loss_minor,
            "refund": dispute.refund_id.map(|refund| refund.to_string()),
        });
        let action = if begins {
            "dispute.opened"
        } else if dispute.status.is_final() {
            "dispute.closed"
        } else {
            "dispute.changed"
        };
        audit::record(&self.tenant, &self.ports, Act { action, actor: "system", subject: &id, details }).await?;
        match (begins, dispute.status) {
            (true, _) => {
                tracing::error!(dispute = id, payment = %self.payment.id, reason = dispute.reason, "a payer's bank disputes a charge; somebody must look");
                events::emit(&self.tenant, &self.ports, &Event::DisputeOpened(facts)).await
            }
            (false, status) if status.is_final() => {
                tracing::warn!(dispute = id, payment = %self.payment.id, status = status.as_str(), "a dispute is decided");
                events::emit(&self.tenant, &self.ports, &Event::DisputeClosed(facts)).await
            }
            (false, _) => Ok(()),
        }
    }
}

/// The state by our rules of what a gateway tells.
const fn status(state: DisputeState) -> DisputeStatus {
    match state {
        DisputeState::Inquiry => DisputeStatus::Inquiry,
        DisputeState::InquiryClosed => DisputeStatus::InquiryClosed,
        DisputeState::NeedsResponse => DisputeStatus::NeedsResponse,
        DisputeState::UnderReview => DisputeStatus::UnderReview,
        DisputeState::Won => DisputeStatus::Won,
        DisputeState::Lost => DisputeStatus::Lost,
    }
}

/// A payment's state that knows no dispute.
fn illegal(error: InvalidTransition) -> Error {
    Error::Corrupt(error.to_string().into())
}
