//! What payers' banks do about charges, and what the simulator lists of a span of time.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Asked, Books, Intent, Refund, Simulator, refusal, shown};

/// A dispute.
#[derive(Debug, Clone)]
pub(super) struct Dispute {
    id: String,
    intent: String,
    amount: i64,
    currency: String,
    status: &'static str,
    /// What was taken for it and given back.
    moved: Vec<i64>,
    created: i64,
}

impl Simulator {
    /// What the clock of Stripe shows from now on.
    pub(crate) fn at(&self, now: &str) {
        self.books().now = now.parse::<jiff::Timestamp>().unwrap().as_second();
    }

    /// A payer's bank disputes so much of a payment of ours; answers what Stripe calls that.
    pub(crate) fn dispute(&self, payment: &str, amount: i64, status: &'static str, moved: &[i64]) -> String {
        let mut books = self.books();
        let intent = books.intents.iter().find(|intent| is_of(intent, payment)).unwrap();
        let (intent, currency) = (intent.id.clone(), intent.currency.clone());
        let (id, created) = (books.id("du"), books.now);
        let dispute = Dispute { id: id.clone(), intent, amount, currency, status, moved: moved.to_vec(), created };
        let object = shown_dispute(&dispute);
        books.disputes.push(dispute);
        books.event("charge.dispute.created", &object);
        id
    }

    /// What has become of a dispute.
    pub(crate) fn dispute_goes(&self, id: &str, status: &'static str, moved: &[i64]) {
        let mut books = self.books();
        let dispute = books.disputes.iter_mut().find(|dispute| dispute.id == id).unwrap();
        (dispute.status, dispute.moved) = (status, moved.to_vec());
        let object = shown_dispute(dispute);
        let is_over = matches!(status, "won" | "lost" | "warning_closed");
        books.event(if is_over { "charge.dispute.closed" } else { "charge.dispute.updated" }, &object);
    }

    /// Money of a dispute moves, after it was decided.
    pub(crate) fn dispute_pays(&self, id: &str, moved: &[i64]) {
        let mut books = self.books();
        let dispute = books.disputes.iter_mut().find(|dispute| dispute.id == id).unwrap();
        dispute.moved = moved.to_vec();
        let object = shown_dispute(dispute);
        let is_taken = moved.iter().sum::<i64>() < 0;
        books.event(if is_taken { "charge.dispute.funds_withdrawn" } else { "charge.dispute.funds_reinstated" }, &object);
    }

    /// Lists a payment of ours otherwise than it was, from now on.
    pub(crate) fn tamper(&self, payment: &str, change: impl FnOnce(&mut Value)) {
        let mut books = self.books();
        let intent = books.intents.iter_mut().find(|intent| is_of(intent, payment)).unwrap();
        let mut listed = shown(intent);
        change(&mut listed);
        intent.listed = Some(listed);
    }

    /// Knows nothing of a payment of ours any more.
    pub(crate) fn forget(&self, payment: &str) {
        self.books().intents.retain(|intent| !is_of(intent, payment));
    }

    /// Somebody charges a card in the dashboard, under a payment's id or none.
    pub(crate) fn made_by_hand(&self, amount: i64, payment: Option<&str>) {
        let mut books = self.books();
        let (id, created) = (books.id("pi"), books.now);
        let metadata = payment.map(|payment| ("evolve_payment".to_owned(), payment.to_owned())).into_iter().collect();
        let (currency, customer) = ("kes".to_owned(), "cus_by_hand".to_owned());
        books.intents.push(Intent { id, amount, currency, customer, status: "succeeded", error: None, metadata, created, listed: None });
    }

    /// Somebody pays a part of a payment of ours back in the dashboard.
    pub(crate) fn refunded_by_hand(&self, payment: &str, amount: i64) {
        let mut books = self.books();
        let intent = books.intents.iter().find(|intent| is_of(intent, payment)).unwrap().id.clone();
        let (id, created) = (books.id("re"), books.now);
        books.refunds.push(Refund { id, intent, amount, currency: "kes".to_owned(), metadata: HashMap::new(), created });
    }

    /// Whether questions without a key are left without an answer from now on.
    pub(crate) fn is_silent(&self, silent: bool) {
        self.books().silent = silent;
    }
}

impl Books {
    /// Pays a part of a charge back.
    pub(super) fn pay_back(&mut self, asked: &Asked) -> (u16, Value) {
        let (intent, amount) = (asked.field("payment_intent").unwrap().to_owned(), asked.field("amount").unwrap().parse::<i64>().unwrap());
        let paid: i64 = self.refunds.iter().filter(|refund| refund.intent == intent).map(|refund| refund.amount).sum();
        let charge = self.intents.iter().find(|made| made.id == intent && made.status == "succeeded");
        let Some(currency) = charge.filter(|made| paid + amount <= made.amount).map(|made| made.currency.clone()) else {
            return refusal(400, "invalid_request_error", "charge_already_refunded");
        };
        let id = self.id("re");
        self.refunds.push(Refund { id, intent, amount, currency, metadata: asked.metadata(), created: self.now });
        let made = shown_refund(self.refunds.last().unwrap());
        self.event("refund.created", &made);
        (200, made)
    }

    /// The dispute of an id.
    pub(super) fn dispute_of(&self, id: &str) -> (u16, Value) {
        match self.disputes.iter().find(|dispute| dispute.id == id) {
            Some(dispute) => (200, shown_dispute(dispute)),
            None => refusal(404, "invalid_request_error", "resource_missing"),
        }
    }

    /// A page of what was made in a span of time, the newest first.
    pub(super) fn made_between(&self, asked: &Asked, what: &str) -> (u16, Value) {
        let bound = |name: &str| asked.field(name).map(|text| text.parse::<i64>().unwrap());
        let (from, until) = (bound("created[gte]").unwrap(), bound("created[lt]").unwrap());
        let mut found: Vec<Value> = match what {
            "payment_intents" => self.intents.iter().map(shown).collect(),
            "refunds" => self.refunds.iter().map(shown_refund).collect(),
            _ => self.disputes.iter().map(shown_dispute).collect(),
        };
        found.retain(|object| (from..until).contains(&object["created"].as_i64().unwrap()));
        found.reverse();
        page(asked, found)
    }
}

/// Whether an intent carries a payment's id.
fn is_of(intent: &Intent, payment: &str) -> bool {
    intent.metadata.get("evolve_payment").is_some_and(|named| named == payment)
}

/// A page of a list.
pub(super) fn page(asked: &Asked, mut found: Vec<Value>) -> (u16, Value) {
    if let Some(after) = asked.field("starting_after") {
        let at = found.iter().position(|object| object["id"] == after).unwrap();
        found.drain(..=at);
    }
    let limit: usize = asked.field("limit").unwrap().parse().unwrap();
    let has_more = found.len() > limit;
    found.truncate(limit);
    (200, json!({ "data": found, "has_more": has_more }))
}

fn shown_dispute(dispute: &Dispute) -> Value {
    let moved: Vec<Value> = dispute.moved.iter().map(|amount| json!({ "amount": amount, "fee": 1500, "currency": "eur" })).collect();
    json!({
        "object": "dispute", "id": dispute.id, "payment_intent": dispute.intent, "amount": dispute.amount, "currency": dispute.currency,
        "reason": "fraudulent", "status": dispute.status, "created": dispute.created, "balance_transactions": moved, "metadata": {},
        "evidence_details": { "due_by": dispute.created + 7 * 86_400 },
    })
}

/// A refund as it is shown.
pub(super) fn shown_refund(refund: &Refund) -> Value {
    json!({
        "object": "refund", "id": refund.id, "payment_intent": refund.intent, "amount": refund.amount, "status": "succeeded",
        "currency": refund.currency, "metadata": refund.metadata, "created": refund.created,
    })
}
