//! What payers' banks do about charges, what is paid back, and what is listed of a span of time.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::kept::push_newest;
use super::StripeSimulator;
use super::books::{Asked, Books, Done, Intent, Said, carrying, missing, payment_of, refusal, shown};

/// How many objects of a list are answered where nothing is said of it.
const PAGE: usize = 10;
/// How many at most.
const MOST_OF_A_PAGE: usize = 100;
/// How long there is for evidence, in seconds.
const EVIDENCE_SECONDS: i64 = 7 * 86_400;

/// A dispute.
#[derive(Debug, Clone)]
pub(super) struct Dispute {
    /// `du_…`
    pub(super) id: String,
    /// What is disputed.
    pub(super) intent: String,
    /// How much of it, as Stripe writes it.
    pub(super) amount: i64,
    /// In lower case.
    pub(super) currency: String,
    /// How it stands, in Stripe's words.
    pub(super) status: &'static str,
    /// What was taken for it and given back.
    pub(super) moved: Vec<i64>,
    /// When it began, in seconds.
    created: i64,
}

/// A refund.
#[derive(Debug, Clone)]
pub(super) struct Refund {
    /// `re_…`
    pub(super) id: String,
    /// What it pays back of.
    pub(super) intent: String,
    /// As Stripe writes it.
    pub(super) amount: i64,
    /// In lower case.
    pub(super) currency: String,
    /// What was written on it.
    pub(super) metadata: HashMap<String, String>,
    /// When it was made, in seconds.
    pub(super) created: i64,
}

impl StripeSimulator {
    /// A payer's bank disputes so much of a payment of ours, or all of it; answers what Stripe calls that. None where nothing was charged
    /// for it.
    pub fn dispute(&self, payment: &str, amount: Option<i64>, status: &'static str, moved: &[i64]) -> Option<String> {
        let mut books = self.books();
        let is_it = |of: Option<&str>, status: &str| of == Some(payment) && status == "succeeded";
        let intent = books.intents.iter().find(|intent| is_it(payment_of(intent), intent.status))?;
        let (intent, currency, amount) = (intent.id.clone(), intent.currency.clone(), amount.unwrap_or(intent.amount));
        let (id, created) = (books.id("du"), books.now());
        let dispute = Dispute { id: id.clone(), intent, amount, currency, status, moved: moved.to_vec(), created };
        let object = shown_dispute(&dispute);
        let most = books.options.most;
        push_newest(&mut books.disputes, most, dispute);
        books.event("charge.dispute.created", &object);
        Some(id)
    }

    /// What has become of a dispute; whether there is one.
    pub fn dispute_goes(&self, id: &str, status: &'static str, moved: &[i64]) -> bool {
        let is_over = matches!(status, "won" | "lost" | "warning_closed");
        self.change_dispute(id, Some(status), moved, if is_over { "charge.dispute.closed" } else { "charge.dispute.updated" })
    }

    /// Money of a dispute moves, after it was decided; whether there is one.
    pub fn dispute_pays(&self, id: &str, moved: &[i64]) -> bool {
        let is_taken = moved.iter().sum::<i64>() < 0;
        self.change_dispute(id, None, moved, if is_taken { "charge.dispute.funds_withdrawn" } else { "charge.dispute.funds_reinstated" })
    }

    /// A bank decides a dispute that is open: what it took of the charge is given back where it is won. Whether there is one.
    pub fn decide(&self, id: &str, is_won: bool) -> bool {
        let books = self.books();
        let open = books.disputes.iter().find(|dispute| dispute.id == id && !matches!(dispute.status, "won" | "lost"));
        let Some((mut moved, amount)) = open.map(|dispute| (dispute.moved.clone(), dispute.amount)) else { return false };
        drop(books);
        if is_won && moved.iter().sum::<i64>() < 0 {
            moved.push(amount);
        }
        self.dispute_goes(id, if is_won { "won" } else { "lost" }, &moved)
    }

    /// Changes a dispute, and tells of it; whether there is one.
    fn change_dispute(&self, id: &str, status: Option<&'static str>, moved: &[i64], event: &'static str) -> bool {
        let mut books = self.books();
        let Some(dispute) = books.disputes.iter_mut().find(|dispute| dispute.id == id) else { return false };
        dispute.status = status.unwrap_or(dispute.status);
        dispute.moved = moved.to_vec();
        let object = shown_dispute(dispute);
        books.event(event, &object);
        true
    }

    /// Lists a payment of ours otherwise than it was, from now on; whether there is one.
    pub fn tamper(&self, payment: &str, change: impl FnOnce(&mut Value)) -> bool {
        let mut books = self.books();
        let Some(intent) = books.intents.iter_mut().find(|intent| payment_of(intent) == Some(payment)) else { return false };
        let mut listed = shown(intent);
        change(&mut listed);
        intent.listed = Some(listed);
        true
    }

    /// Knows nothing of a payment of ours any more.
    pub fn forget(&self, payment: &str) {
        self.books().intents.retain(|intent| payment_of(intent) != Some(payment));
    }

    /// Somebody charges a card in the dashboard, under a payment's id or none.
    pub fn charged_by_hand(&self, amount: i64, currency: &str, payment: Option<&str>) {
        let mut books = self.books();
        let (id, created) = (books.id("pi"), books.now());
        let (currency, customer) = (currency.to_owned(), "cus_by_hand".to_owned());
        let metadata = carrying(payment);
        let intent = Intent { id, amount, currency, customer, status: "succeeded", error: None, metadata, created, listed: None };
        books.note(intent);
    }

    /// Somebody pays a part of a payment of ours back in the dashboard; whether so much of it is left.
    pub fn refunded_by_hand(&self, payment: &str, amount: i64) -> bool {
        let mut books = self.books();
        let found = books.intents.iter().find(|intent| payment_of(intent) == Some(payment) && intent.status == "succeeded");
        let Some(intent) = found.filter(|intent| books.paid_back(&intent.id).saturating_add(amount) <= intent.amount) else { return false };
        let (intent, currency) = (intent.id.clone(), intent.currency.clone());
        let (id, created, most) = (books.id("re"), books.now(), books.options.most);
        push_newest(&mut books.refunds, most, Refund { id, intent, amount, currency, metadata: HashMap::new(), created });
        true
    }

    /// Whether questions without a key are left without an answer from now on.
    pub fn is_silent(&self, silent: bool) {
        self.books().silent = silent;
    }
}

impl Books {
    /// What was paid back of an intent.
    fn paid_back(&self, intent: &str) -> i64 {
        self.refunds.iter().filter(|refund| refund.intent == intent).map(|refund| refund.amount).sum()
    }

    /// Pays a part of a charge back.
    pub(super) fn pay_back(&mut self, asked: &Asked) -> Done {
        let (intent, amount) = (asked.needed("payment_intent")?.to_owned(), asked.number("amount")?);
        if amount < 1 {
            return Err("Invalid positive integer: amount.".to_owned());
        }
        let paid = self.paid_back(&intent);
        let charge = self.intents.iter().find(|made| made.id == intent && made.status == "succeeded");
        let Some(currency) = charge.filter(|made| paid.saturating_add(amount) <= made.amount).map(|made| made.currency.clone()) else {
            return Ok(refusal(400, "invalid_request_error", "charge_already_refunded"));
        };
        let (id, created) = (self.id("re"), self.now());
        let refund = Refund { id, intent, amount, currency, metadata: asked.metadata(), created };
        let made = shown_refund(&refund);
        push_newest(&mut self.refunds, self.options.most, refund);
        self.event("refund.created", &made);
        Ok((200, made))
    }

    /// The dispute of an id.
    pub(super) fn dispute_of(&self, id: &str) -> Said {
        self.disputes.iter().find(|dispute| dispute.id == id).map_or_else(|| missing(404), |dispute| (200, shown_dispute(dispute)))
    }

    /// A page of what was made in a span of time, the newest first.
    pub(super) fn made_between(&self, asked: &Asked, what: &str) -> Done {
        let (from, until) = (asked.number("created[gte]")?, asked.number("created[lt]")?);
        let mut found: Vec<Value> = match what {
            "payment_intents" => self.intents.iter().map(shown).collect(),
            "refunds" => self.refunds.iter().map(shown_refund).collect(),
            _ => self.disputes.iter().map(shown_dispute).collect(),
        };
        found.retain(|object| object["created"].as_i64().is_some_and(|created| (from..until).contains(&created)));
        found.reverse();
        page(asked, found)
    }
}

/// A page of a list.
pub(super) fn page(asked: &Asked, mut found: Vec<Value>) -> Done {
    if let Some(after) = asked.field("starting_after") {
        let at = found.iter().position(|object| object["id"] == after).ok_or_else(|| format!("No such object: {after}."))?;
        found.drain(..=at);
    }
    let limit = asked.field("limit").map_or(Ok(PAGE), str::parse).map_err(|_| "Invalid integer: limit.".to_owned())?;
    if !(1..=MOST_OF_A_PAGE).contains(&limit) {
        return Err("Invalid integer: limit.".to_owned());
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok((200, json!({ "object": "list", "data": found, "has_more": has_more })))
}

/// A dispute as it is shown.
pub(super) fn shown_dispute(dispute: &Dispute) -> Value {
    let moved: Vec<Value> = dispute.moved.iter().map(|amount| json!({ "amount": amount, "fee": 1500, "currency": "eur" })).collect();
    json!({
        "object": "dispute", "id": dispute.id, "payment_intent": dispute.intent, "amount": dispute.amount, "currency": dispute.currency,
        "reason": "fraudulent", "status": dispute.status, "created": dispute.created, "balance_transactions": moved, "metadata": {},
        "evidence_details": { "due_by": dispute.created.saturating_add(EVIDENCE_SECONDS) },
    })
}

/// A refund as it is shown.
pub(super) fn shown_refund(refund: &Refund) -> Value {
    json!({
        "object": "refund", "id": refund.id, "payment_intent": refund.intent, "amount": refund.amount, "status": "succeeded",
        "currency": refund.currency, "metadata": refund.metadata, "created": refund.created,
    })
}
