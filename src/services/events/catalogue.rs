//! Every event there is: its name, its version, what it tells, and a sample. Consumers outside of the house will read these
//! payloads, so a version's fields never change their meaning; what must change becomes a further version.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::money::{CreditNoteFacts, DisputeFacts, RefundFacts};
use super::trial::TrialFacts;
use super::verification::{VerificationFacts, VerificationWhat};
use crate::error::Error;

/// The event that tells of a trial's end beforehand.
pub const TRIAL_ENDING: &str = "subscription.trial_ending";

/// What a registration tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisteredFacts {
    /// The business.
    pub business_id: String,
    /// Its first owner.
    pub owner_id: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// ISO 4217.
    pub currency: String,
}

/// How a subscription stands after something happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubscriptionFacts {
    /// The subscription.
    pub subscription_id: String,
    /// Which of its versions this is.
    pub version: i32,
    /// The product's code.
    pub product: String,
    /// The plan in force.
    pub plan_id: String,
    /// What it is called.
    pub plan_name: String,
    /// MONTHLY or YEARLY.
    pub interval: String,
    /// Its state.
    pub status: String,
    /// The end of the running period.
    pub period_end: String,
    /// When it is to end, where that is scheduled.
    pub cancel_at: Option<String>,
    /// The plan that waits for the end of the period.
    pub pending_plan_id: Option<String>,
    /// What that is called.
    pub pending_plan_name: Option<String>,
    /// When it took effect.
    pub at: String,
}

/// An invoice as it was when something happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvoiceFacts {
    /// The invoice.
    pub invoice_id: String,
    /// As it is printed.
    pub number: String,
    /// What it bills.
    pub subscription_id: Option<String>,
    /// Its state.
    pub status: String,
    /// ISO 4217.
    pub currency: String,
    /// With tax.
    pub total: String,
    /// What is still to be paid.
    pub amount_due: String,
}

/// An attempt to pay when it was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PaymentFacts {
    /// The payment.
    pub payment_id: String,
    /// What it pays.
    pub invoice_id: String,
    /// The invoice's number.
    pub invoice_number: String,
    /// ISO 4217.
    pub currency: String,
    /// How much.
    pub amount: String,
    /// The gateway's word for a failure.
    pub failure_code: Option<String>,
}

/// A ticket of support as it was when something happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TicketFacts {
    /// The ticket.
    pub ticket_id: String,
    /// As it is shown.
    pub number: String,
    /// What it is about.
    pub subject: String,
    /// Its state.
    pub status: String,
    /// How much it presses.
    pub priority: String,
    /// The person who opened it; none where a key did.
    pub opened_by: Option<String>,
}

/// What may happen to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketWhat {
    /// The customer opened it.
    Opened,
    /// The customer said more.
    Replied,
    /// Staff said something.
    Answered,
    /// Nobody has said anything for a while.
    Resolved,
    /// It is over.
    Closed,
}

impl TicketWhat {
    /// Each of them, with the event's name.
    const ALL: [(Self, &'static str); 5] = [
        (Self::Opened, "support_ticket.opened"),
        (Self::Replied, "support_ticket.replied"),
        (Self::Answered, "support_ticket.answered"),
        (Self::Resolved, "support_ticket.resolved"),
        (Self::Closed, "support_ticket.closed"),
    ];

    /// The event's name.
    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(what, _)| *what == self).map_or("support_ticket.changed", |(_, name)| name)
    }
}

/// An endpoint of webhooks that was switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookFacts {
    /// The endpoint.
    pub endpoint_id: String,
    /// Its host; the rest of a URL may hold secrets.
    pub host: String,
    /// As `WebhookEndpoint.disabledReason` says it.
    pub reason: String,
    /// When.
    pub at: String,
}

/// How much is used of a feature when a threshold is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UsageFacts {
    /// The subscription.
    pub subscription_id: String,
    /// The product's code.
    pub product: String,
    /// The feature's key.
    pub feature: String,
    /// What it is called.
    pub feature_name: String,
    /// What one unit is.
    pub unit: Option<String>,
    /// The threshold, as a part of what is included: 0.8.
    pub threshold: String,
    /// How much is included.
    pub included: String,
    /// How much is used with the event that reached it.
    pub used: String,
    /// The first instant of the usage period.
    pub period_start: String,
    /// The first instant after it.
    pub period_end: String,
    /// When it was told of.
    pub at: String,
}

/// What may happen to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionWhat {
    /// It began.
    Created,
    /// Its first invoice was settled.
    Activated,
    /// Another plan waits for the end of the period.
    PlanChangeScheduled,
    /// That was taken back.
    PlanChangeWithdrawn,
    /// Another plan is in force.
    PlanChanged,
    /// It will end with the period.
    CancellationScheduled,
    /// That was taken back.
    Reactivated,
    /// An invoice is overdue.
    PastDue,
    /// Access is off until it is paid.
    Suspended,
    /// It was paid after all.
    Recovered,
    /// It ended.
    Canceled,
    /// Its first invoice was never settled.
    Expired,
}

impl SubscriptionWhat {
    /// Each of them, with the event's name and with what the subscription's history calls it.
    pub const ALL: [(Self, &'static str, &'static str); 12] = [
        (Self::Created, "subscription.created", "created"),
        (Self::Activated, "subscription.activated", "activated"),
        (Self::PlanChangeScheduled, "subscription.plan_change_scheduled", "change_scheduled"),
        (Self::PlanChangeWithdrawn, "subscription.plan_change_withdrawn", "change_withdrawn"),
        (Self::PlanChanged, "subscription.plan_changed", "plan_changed"),
        (Self::CancellationScheduled, "subscription.cancellation_scheduled", "cancellation_scheduled"),
        (Self::Reactivated, "subscription.reactivated", "reactivated"),
        (Self::PastDue, "subscription.past_due", "past_due"),
        (Self::Suspended, "subscription.suspended", "suspended"),
        (Self::Recovered, "subscription.recovered", "recovered"),
        (Self::Canceled, "subscription.canceled", "canceled"),
        (Self::Expired, "subscription.expired", "expired"),
    ];

    /// The one that a subscription's history calls so.
    pub fn of_change(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, _, change)| *change == kind).map(|(what, ..)| what)
    }

    /// The event's name.
    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(what, ..)| *what == self).map_or("subscription.changed", |(_, name, _)| name)
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `business.registered`.
    BusinessRegistered(RegisteredFacts),
    /// `subscription.…`.
    Subscription(SubscriptionWhat, SubscriptionFacts),
    /// `subscription.trial_ending`: once, some days before a trial ends and something is charged.
    TrialEnding(TrialFacts),
    /// `invoice.issued`.
    InvoiceIssued(InvoiceFacts),
    /// `invoice.paid`: nothing of it is due any more, by whatever means.
    InvoicePaid(InvoiceFacts),
    /// `invoice.voided`: it was called off.
    InvoiceVoided(InvoiceFacts),
    /// `invoice.marked_uncollectible`: it was given up on, and may still be paid.
    InvoiceMarkedUncollectible(InvoiceFacts),
    /// `credit_note.issued`.
    CreditNoteIssued(CreditNoteFacts),
    /// `refund.succeeded`.
    RefundSucceeded(RefundFacts),
    /// `refund.failed`: it became account credit.
    RefundFailed(RefundFacts),
    /// `payment.succeeded`.
    PaymentSucceeded(PaymentFacts),
    /// `payment.failed`.
    PaymentFailed(PaymentFacts),
    /// `payment.came_late`: money came for an attempt that was over, and is account credit.
    PaymentCameLate(PaymentFacts),
    /// `dispute.opened`: a payer's bank asks about a payment, or takes it back.
    DisputeOpened(DisputeFacts),
    /// `dispute.closed`: it is decided.
    DisputeClosed(DisputeFacts),
    /// `support_ticket.…`.
    Ticket(TicketWhat, TicketFacts),
    /// `verification.…`.
    Verification(VerificationWhat, VerificationFacts),
    /// `usage.threshold_reached`: once for each threshold of a feature and usage period.
    UsageThresholdReached(UsageFacts),
    /// `webhook_endpoint.disabled`: by us, and not by somebody of the business.
    WebhookDisabled(WebhookFacts),
}

impl Event {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BusinessRegistered(_) => "business.registered",
            Self::Subscription(what, _) => what.name(),
            Self::TrialEnding(_) => TRIAL_ENDING,
            Self::InvoiceIssued(_) => "invoice.issued",
            Self::InvoicePaid(_) => "invoice.paid",
            Self::InvoiceVoided(_) => "invoice.voided",
            Self::InvoiceMarkedUncollectible(_) => "invoice.marked_uncollectible",
            Self::CreditNoteIssued(_) => "credit_note.issued",
            Self::RefundSucceeded(_) => "refund.succeeded",
            Self::RefundFailed(_) => "refund.failed",
            Self::PaymentSucceeded(_) => "payment.succeeded",
            Self::PaymentFailed(_) => "payment.failed",
            Self::PaymentCameLate(_) => "payment.came_late",
            Self::DisputeOpened(_) => "dispute.opened",
            Self::DisputeClosed(_) => "dispute.closed",
            Self::Ticket(what, _) => what.name(),
            Self::Verification(what, _) => what.name(),
            Self::UsageThresholdReached(_) => "usage.threshold_reached",
            Self::WebhookDisabled(_) => "webhook_endpoint.disabled",
        }
    }

    /// The version of what it tells: none has a second one yet.
    pub const fn version(&self) -> i32 {
        1
    }

    /// What it happened to: events of one are delivered in their order.
    pub fn aggregate(&self) -> String {
        match self {
            Self::BusinessRegistered(facts) => facts.business_id.clone(),
            Self::Subscription(_, facts) => facts.subscription_id.clone(),
            Self::TrialEnding(facts) => facts.subscription_id.clone(),
            Self::InvoiceIssued(facts)
            | Self::InvoicePaid(facts)
            | Self::InvoiceVoided(facts)
            | Self::InvoiceMarkedUncollectible(facts) => facts.invoice_id.clone(),
            Self::CreditNoteIssued(facts) => facts.credit_note_id.clone(),
            Self::RefundSucceeded(facts) | Self::RefundFailed(facts) => facts.refund_id.clone(),
            Self::PaymentSucceeded(facts) | Self::PaymentFailed(facts) | Self::PaymentCameLate(facts) => facts.payment_id.clone(),
            Self::DisputeOpened(facts) | Self::DisputeClosed(facts) => facts.dispute_id.clone(),
            Self::Ticket(_, facts) => facts.ticket_id.clone(),
            Self::Verification(_, facts) => facts.business_id.clone(),
            Self::UsageThresholdReached(facts) => facts.subscription_id.clone(),
            Self::WebhookDisabled(facts) => facts.endpoint_id.clone(),
        }
    }

    /// What it tells, as JSON.
    ///
    /// # Errors
    /// [`Error::Corrupt`], never for these types.
    pub fn payload(&self) -> Result<String, Error> {
        let written = match self {
            Self::BusinessRegistered(facts) => serde_json::to_string(facts),
            Self::Subscription(_, facts) => serde_json::to_string(facts),
            Self::TrialEnding(facts) => serde_json::to_string(facts),
            Self::InvoiceIssued(facts)
            | Self::InvoicePaid(facts)
            | Self::InvoiceVoided(facts)
            | Self::InvoiceMarkedUncollectible(facts) => serde_json::to_string(facts),
            Self::CreditNoteIssued(facts) => serde_json::to_string(facts),
            Self::RefundSucceeded(facts) | Self::RefundFailed(facts) => serde_json::to_string(facts),
            Self::PaymentSucceeded(facts) | Self::PaymentFailed(facts) | Self::PaymentCameLate(facts) => serde_json::to_string(facts),
            Self::DisputeOpened(facts) | Self::DisputeClosed(facts) => serde_json::to_string(facts),
            Self::Ticket(_, facts) => serde_json::to_string(facts),
            Self::Verification(_, facts) => serde_json::to_string(facts),
            Self::UsageThresholdReached(facts) => serde_json::to_string(facts),
            Self::WebhookDisabled(facts) => serde_json::to_string(facts),
        };
        written.map_err(|_| Error::Corrupt("an event cannot be written".into()))
    }

    /// The event of a name, a version and a payload.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the catalogue knows none such.
    pub fn read(name: &str, version: i32, payload: &str) -> Result<Self, Error> {
        let unknown = || Error::Corrupt("an event is not of the catalogue".into());
        if version != 1 {
            return Err(unknown());
        }
        if let Some((what, ..)) = SubscriptionWhat::ALL.into_iter().find(|(_, known, _)| *known == name) {
            return Ok(Self::Subscription(what, facts(payload)?));
        }
        if let Some((what, _)) = TicketWhat::ALL.into_iter().find(|(_, known)| *known == name) {
            return Ok(Self::Ticket(what, facts(payload)?));
        }
        if let Some((what, _)) = VerificationWhat::ALL.into_iter().find(|(_, known)| *known == name) {
            return Ok(Self::Verification(what, facts(payload)?));
        }
        match name {
            "business.registered" => Ok(Self::BusinessRegistered(facts(payload)?)),
            TRIAL_ENDING => Ok(Self::TrialEnding(facts(payload)?)),
            "invoice.issued" => Ok(Self::InvoiceIssued(facts(payload)?)),
            "invoice.paid" => Ok(Self::InvoicePaid(facts(payload)?)),
            "invoice.voided" => Ok(Self::InvoiceVoided(facts(payload)?)),
            "invoice.marked_uncollectible" => Ok(Self::InvoiceMarkedUncollectible(facts(payload)?)),
            "credit_note.issued" => Ok(Self::CreditNoteIssued(facts(payload)?)),
            "refund.succeeded" => Ok(Self::RefundSucceeded(facts(payload)?)),
            "refund.failed" => Ok(Self::RefundFailed(facts(payload)?)),
            "payment.succeeded" => Ok(Self::PaymentSucceeded(facts(payload)?)),
            "payment.failed" => Ok(Self::PaymentFailed(facts(payload)?)),
            "payment.came_late" => Ok(Self::PaymentCameLate(facts(payload)?)),
            "dispute.opened" => Ok(Self::DisputeOpened(facts(payload)?)),
            "dispute.closed" => Ok(Self::DisputeClosed(facts(payload)?)),
            "usage.threshold_reached" => Ok(Self::UsageThresholdReached(facts(payload)?)),
            "webhook_endpoint.disabled" => Ok(Self::WebhookDisabled(facts(payload)?)),
            _ => Err(unknown()),
        }
    }

    /// One of each, for previews, documentation and tests.
    pub fn samples() -> Vec<Self> {
        let text = str::to_owned;
        let registered = RegisteredFacts {
            business_id: text("biz_01k2x3y4z5e8f9g0h1j2k3m4n5"),
            owner_id: text("usr_01k2x3y4z5e8f9g0h1j2k3m4n6"),
            country: text("KE"),
            currency: text("KES"),
        };
        let subscription = SubscriptionFacts {
            subscription_id: text("sub_01k2x3y4z5e8f9g0h1j2k3m4n7"),
            version: 2,
            product: text("erp"),
            plan_id: text("pln_01k2x3y4z5e8f9g0h1j2k3m4n8"),
            plan_name: text("Business"),
            interval: text("MONTHLY"),
            status: text("ACTIVE"),
            period_end: text("2027-02-28T09:00:00Z"),
            cancel_at: None,
            pending_plan_id: None,
            pending_plan_name: None,
            at: text("2027-01-31T09:00:00Z"),
        };
        let issued = InvoiceFacts {
            invoice_id: text("inv_01k2x3y4z5e8f9g0h1j2k3m4n9"),
            number: text("INV-2027-000042"),
            subscription_id: Some(subscription.subscription_id.clone()),
            status: text("OPEN"),
            currency: text("KES"),
            total: text("4990.00"),
            amount_due: text("4990.00"),
        };
        let succeeded = PaymentFacts {
            payment_id: text("pay_01k2x3y4z5e8f9g0h1j2k3m4na"),
            invoice_id: issued.invoice_id.clone(),
            invoice_number: issued.number.clone(),
            currency: text("KES"),
            amount: text("4990.00"),
            failure_code: None,
        };
        let paid = InvoiceFacts { status: text("PAID"), amount_due: text("0.00"), ..issued.clone() };
        let failed = PaymentFacts { failure_code: Some(text("insufficient_funds")), ..succeeded.clone() };
        let usage = UsageFacts {
            subscription_id: subscription.subscription_id.clone(),
            product: text("erp"),
            feature: text("invoices.sent"),
            feature_name: text("Invoices sent"),
            unit: Some(text("invoice")),
            threshold: text("0.8"),
            included: text("2000"),
            used: text("1600"),
            period_start: text("2027-01-31T09:00:00Z"),
            period_end: text("2027-02-28T09:00:00Z"),
            at: text("2027-02-20T09:00:00Z"),
        };
        let mut samples = vec![Self::BusinessRegistered(registered)];
        samples.extend(SubscriptionWhat::ALL.into_iter().map(|(what, ..)| Self::Subscription(what, sample(what, &subscription))));
        samples.push(Self::TrialEnding(TrialFacts::sample(&subscription)));
        samples.extend([Self::InvoiceIssued(issued.clone()), Self::InvoicePaid(paid)]);
        samples.extend(taken_back(&issued));
        samples.extend([
            Self::PaymentSucceeded(succeeded.clone()),
            Self::PaymentFailed(failed),
            Self::PaymentCameLate(succeeded),
            Self::DisputeOpened(DisputeFacts::sample("NEEDS_RESPONSE")),
            Self::DisputeClosed(DisputeFacts::sample("LOST")),
            Self::UsageThresholdReached(usage),
            sample_webhook(),
        ]);
        samples.extend(TicketWhat::ALL.into_iter().map(|(what, _)| Self::Ticket(what, sample_ticket(what))));
        samples.extend(VerificationWhat::ALL.into_iter().map(|(what, _)| Self::Verification(what, what.sample())));
        samples
    }
}

/// What takes an invoice back, wholly or in part.
fn taken_back(issued: &InvoiceFacts) -> [Event; 5] {
    let voided = InvoiceFacts { status: "VOID".to_owned(), amount_due: "0.00".to_owned(), ..issued.clone() };
    let given_up = InvoiceFacts { status: "UNCOLLECTIBLE".to_owned(), ..issued.clone() };
    [
        Event::InvoiceVoided(voided),
        Event::InvoiceMarkedUncollectible(given_up),
        Event::CreditNoteIssued(CreditNoteFacts::sample()),
        Event::RefundSucceeded(RefundFacts::sample()),
        Event::RefundFailed(RefundFacts::sample()),
    ]
}

/// An endpoint that was switched off.
fn sample_webhook() -> Event {
    Event::WebhookDisabled(WebhookFacts {
        endpoint_id: "whk_01k2x3y4z5e8f9g0h1j2k3m4nd".to_owned(),
        host: "hooks.example.com".to_owned(),
        reason: "410".to_owned(),
        at: "2027-02-20T09:00:00Z".to_owned(),
    })
}

/// A subscription as it stands after `what`.
fn sample(what: SubscriptionWhat, facts: &SubscriptionFacts) -> SubscriptionFacts {
    let mut facts = facts.clone();
    match what {
        SubscriptionWhat::PlanChangeScheduled => {
            facts.pending_plan_id = Some("pln_01k2x3y4z5e8f9g0h1j2k3m4nb".to_owned());
            facts.pending_plan_name = Some("Starter".to_owned());
        }
        SubscriptionWhat::CancellationScheduled => facts.cancel_at = Some(facts.period_end.clone()),
        SubscriptionWhat::PastDue => "PAST_DUE".clone_into(&mut facts.status),
        SubscriptionWhat::Suspended => "SUSPENDED".clone_into(&mut facts.status),
        SubscriptionWhat::Canceled => "CANCELED".clone_into(&mut facts.status),
        SubscriptionWhat::Expired => "EXPIRED".clone_into(&mut facts.status),
        _ => {}
    }
    facts
}

/// A ticket as it stands after `what`.
fn sample_ticket(what: TicketWhat) -> TicketFacts {
    let status = match what {
        TicketWhat::Opened | TicketWhat::Replied => "OPEN",
        TicketWhat::Answered => "WAITING_FOR_CUSTOMER",
        TicketWhat::Resolved => "RESOLVED",
        TicketWhat::Closed => "CLOSED",
    };
    TicketFacts {
        ticket_id: "tkt_01k2x3y4z5e8f9g0h1j2k3m4nc".to_owned(),
        number: "T-7".to_owned(),
        subject: "An invoice names the wrong town".to_owned(),
        status: status.to_owned(),
        priority: "NORMAL".to_owned(),
        opened_by: Some("usr_01k2x3y4z5e8f9g0h1j2k3m4n6".to_owned()),
    }
}

/// What a payload tells.
fn facts<T: DeserializeOwned>(payload: &str) -> Result<T, Error> {
    serde_json::from_str(payload).map_err(|_| Error::Corrupt("an event tells what its version does not know".into()))
}
