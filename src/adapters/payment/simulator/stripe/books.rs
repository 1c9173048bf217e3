//! What Stripe remembers, and what it does when it is asked.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::super::faults::Faults;
use super::super::kept::{Newest, push_newest};
use super::banks::{Dispute, Refund, page, shown_refund};
use super::cards::{self, Card, EnteredCard, Method};
use super::{Event, Options};

/// How long a key is remembered, in seconds.
const KEYS_SECONDS: i64 = 24 * 3_600;
/// The least and the most that is charged, as Stripe writes it.
const LEAST: i64 = 50;
const MOST: i64 = 99_999_999;
/// The name under which an intent carries our payment's id.
const PAYMENT: &str = "evolve_payment";

/// A status and a body.
pub(super) type Said = (u16, Value);
/// The same, or what is wrong with the request: something that the adapter would never leave out.
pub(super) type Done = Result<Said, String>;

/// An intent.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    /// `pi_…`
    pub(super) id: String,
    /// As Stripe writes it.
    pub(super) amount: i64,
    /// In lower case.
    pub(super) currency: String,
    /// Whose it is.
    pub(super) customer: String,
    /// How it stands, in Stripe's words.
    pub(super) status: &'static str,
    /// Why the last try failed.
    pub(super) error: Option<Value>,
    /// What was written on it.
    pub(super) metadata: HashMap<String, String>,
    /// When it was made, in seconds.
    pub(super) created: i64,
    /// What is listed of it in its place.
    pub(super) listed: Option<Value>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Of HTTP.
    pub(super) method: String,
    /// Without its query.
    pub(super) path: String,
    /// The fields of the body, or of the query.
    pub(super) form: Vec<(String, String)>,
    /// The idempotency key.
    pub(super) key: Option<String>,
}

/// What a key first came with, and how it was answered.
#[derive(Debug, Clone)]
struct First {
    /// The request.
    asked: Asked,
    /// The answer.
    said: Said,
    /// When, in seconds.
    at: i64,
}

/// What is remembered.
pub(super) struct Books {
    /// How it behaves.
    pub(super) options: Options,
    /// Cards by the ids of their methods.
    pub(super) methods: Newest<Method>,
    /// The oldest first.
    pub(super) intents: VecDeque<Intent>,
    /// The oldest first.
    pub(super) refunds: VecDeque<Refund>,
    /// The oldest first.
    pub(super) disputes: VecDeque<Dispute>,
    /// Questions without a key are not answered.
    pub(super) silent: bool,
    /// What was first asked by each key.
    keys: Newest<First>,
    /// What is to be told.
    pub(super) events: VecDeque<Event>,
    /// What is to go wrong.
    pub(super) faults: Faults,
    /// What is still to arrive.
    pub(super) late: VecDeque<Asked>,
    /// How many ids were given.
    made: u64,
    /// What was asked, by method and path.
    pub(super) calls: VecDeque<String>,
    /// What was asked that nobody may ask so.
    pub(super) malformed: VecDeque<String>,
    /// Rung when there is something to tell.
    pub(super) bell: Arc<Notify>,
}

/// A refusal.
pub(super) fn refusal(status: u16, kind: &str, code: &str) -> Said {
    (status, json!({ "error": { "type": kind, "code": code, "message": "Refused." } }))
}

/// What is not there.
pub(super) fn missing(status: u16) -> Said {
    refusal(status, "invalid_request_error", "resource_missing")
}

impl Asked {
    /// A field's value.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The value of a field that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, String> {
        self.field(name).ok_or_else(|| format!("Missing required param: {name}."))
    }

    /// The same, as a whole number.
    pub(super) fn number(&self, name: &str) -> Result<i64, String> {
        self.needed(name)?.parse().map_err(|_| format!("Invalid integer: {name}."))
    }

    /// What is to be written on the object.
    pub(super) fn metadata(&self) -> HashMap<String, String> {
        let named = |(field, value): &(String, String)| {
            let name = field.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((name.to_owned(), value.clone()))
        };
        self.form.iter().filter_map(named).collect()
    }
}

impl Books {
    /// Nothing yet.
    pub(super) fn new(options: Options) -> Self {
        let most = options.most;
        Self {
            options,
            methods: Newest::new(most),
            intents: VecDeque::new(),
            refunds: VecDeque::new(),
            disputes: VecDeque::new(),
            silent: false,
            keys: Newest::new(most),
            events: VecDeque::new(),
            faults: Faults::default(),
            late: VecDeque::new(),
            made: 0,
            calls: VecDeque::new(),
            malformed: VecDeque::new(),
            bell: Arc::default(),
        }
    }

    /// A new id, which no other run gives.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{}{}", self.options.run, self.made)
    }

    /// The present second.
    pub(super) fn now(&self) -> i64 {
        self.options.clock.now().as_second()
    }

    /// Adds a card under a new id.
    pub(super) fn enter(&mut self, entered: EnteredCard) -> String {
        let id = self.id("pm");
        self.methods.insert(id.clone(), Method { entered, customer: None });
        id
    }

    /// The method of an id. A test token is a new one each time.
    fn resolve(&mut self, id: &str) -> String {
        match cards::of_token(id, self.options.clock.now()) {
            Some(entered) => self.enter(entered),
            None => id.to_owned(),
        }
    }

    /// Remembers that a request was not what it must be, and answers it so.
    pub(super) fn refuse_malformed(&mut self, status: u16, asked: &str, sentence: &str) -> Said {
        push_newest(&mut self.malformed, self.options.most, format!("{asked}: {sentence}"));
        tracing::warn!(asked, sentence, "a request is none that Stripe takes");
        (status, json!({ "error": { "type": "invalid_request_error", "message": sentence } }))
    }

    /// Does what is asked, once for each key.
    pub(super) fn once(&mut self, asked: &Asked) -> Said {
        let Some(key) = &asked.key else { return self.act(asked) };
        let now = self.now();
        if let Some(First { asked: first, said, .. }) = self.keys.get(key).filter(|first| now.saturating_sub(first.at) < KEYS_SECONDS) {
            if (&first.path, &first.form) != (&asked.path, &asked.form) {
                return refusal(400, "idempotency_error", "idempotency_key_in_use");
            }
            return said.clone();
        }
        let said = self.act(asked);
        // What was not begun is not kept.
        if said.0 != 400 {
            self.answer_with(asked, said.clone());
        }
        said
    }

    /// Has a request's key be answered so from now on.
    pub(super) fn answer_with(&mut self, asked: &Asked, said: Said) {
        if let Some(key) = &asked.key {
            let at = self.now();
            self.keys.insert(key.clone(), First { asked: asked.clone(), said, at });
        }
    }

    /// Forgets every key.
    pub(super) fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// Does what is asked.
    fn act(&mut self, asked: &Asked) -> Said {
        match self.route(asked) {
            Ok(said) => said,
            Err(sentence) => {
                let (status, named) =
                    (if sentence.starts_with("Unrecognized") { 404 } else { 400 }, format!("{} {}", asked.method, asked.path));
                self.refuse_malformed(status, &named, &sentence)
            }
        }
    }

    /// Finds what is asked by its path; an error is a sentence about what is wrong with it.
    fn route(&mut self, asked: &Asked) -> Done {
        let path = asked.path.strip_prefix("/v1/").unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        match (asked.method.as_str(), &parts[..]) {
            ("GET", ["payment_methods", id]) => Ok(self.method(id)),
            ("GET", ["setup_intents", id]) => {
                let card = id.strip_prefix("seti_").map(|rest| format!("pm_{rest}")).filter(|id| self.methods.get(id).is_some());
                Ok((
                    200,
                    json!({ "id": id, "status": if card.is_some() { "succeeded" } else { "requires_action" }, "payment_method": card }),
                ))
            }
            ("POST", ["customers"]) => self.customer(asked),
            ("POST", ["payment_intents"]) => self.make(asked),
            ("GET", [what @ ("payment_intents" | "refunds" | "disputes")]) if asked.field("created[gte]").is_some() => {
                self.made_between(asked, what)
            }
            ("GET", ["payment_intents"]) => {
                let customer = asked.needed("customer")?;
                let of = self.intents.iter().rev().filter(|intent| intent.customer == customer);
                page(asked, of.map(shown).collect())
            }
            ("GET", ["disputes", id]) => Ok(self.dispute_of(id)),
            ("GET", ["payment_intents", id]) => Ok(match self.intents.iter().find(|intent| intent.id == *id) {
                Some(intent) => (200, shown(intent)),
                None => missing(404),
            }),
            ("POST", ["payment_intents", id, "cancel"]) => Ok(self.cancel(id)),
            ("POST", ["refunds"]) => self.pay_back(asked),
            ("GET", ["refunds"]) => {
                let intent = asked.needed("payment_intent")?;
                let of = self.refunds.iter().rev().filter(|refund| refund.intent == intent);
                page(asked, of.map(shown_refund).collect())
            }
            _ => Err(format!("Unrecognized request URL ({}: {}).", asked.method, asked.path)),
        }
    }

    /// The method of an id or a test token.
    fn method(&mut self, id: &str) -> Said {
        let id = self.resolve(id);
        self.methods.get(&id).map_or_else(|| missing(404), |method| (200, method.shown(&id)))
    }

    /// Makes a customer of a card that is nobody's yet.
    fn customer(&mut self, asked: &Asked) -> Done {
        let method = self.resolve(asked.needed("payment_method")?);
        let id = self.id("cus");
        Ok(match self.methods.get_mut(&method) {
            Some(method) if method.customer.is_none() => {
                if let Card::Refused(reason) = method.entered.card {
                    return Ok((402, json!({ "error": decline("card_declined", reason) })));
                }
                method.customer = Some(id.clone());
                (200, json!({ "object": "customer", "id": id }))
            }
            _ => missing(400),
        })
    }

    /// Makes an intent, and charges where it is confirmed.
    fn make(&mut self, asked: &Asked) -> Done {
        let (amount, customer) = (asked.number("amount")?, asked.needed("customer")?.to_owned());
        let currency = asked.needed("currency")?.to_owned();
        if asked.field("payment_method_types[0]") != Some("card") {
            return Err("Invalid payment_method_types: the simulator knows cards alone.".to_owned());
        }
        match amount {
            ..LEAST => return Ok(refusal(400, "invalid_request_error", "amount_too_small")),
            LEAST..=MOST => {}
            _ => return Ok(refusal(400, "invalid_request_error", "amount_too_large")),
        }
        let method = asked.field("payment_method").and_then(|id| self.methods.get(id));
        let card = method.filter(|method| method.customer.as_ref() == Some(&customer)).map(|method| method.entered.card);
        let is_confirmed = asked.field("confirm") == Some("true");
        if is_confirmed && (card.is_none() || asked.field("off_session") != Some("true")) {
            return Ok(missing(400));
        }
        let (status, error) = match card.filter(|_| is_confirmed) {
            None => ("requires_payment_method", None),
            Some(Card::Good) => ("succeeded", None),
            Some(Card::Declines(reason) | Card::Refused(reason)) => ("requires_payment_method", Some(decline("card_declined", reason))),
            Some(Card::Authenticates) => ("requires_payment_method", Some(decline("authentication_required", "authentication_required"))),
        };
        let (id, metadata, created) = (self.id("pi"), asked.metadata(), self.now());
        let intent = Intent { id, amount, currency, customer, status, error: error.clone(), metadata, created, listed: None };
        let made = shown(&intent);
        self.note(intent);
        if !is_confirmed {
            return Ok((200, made));
        }
        self.event(if status == "succeeded" { "payment_intent.succeeded" } else { "payment_intent.payment_failed" }, &made);
        Ok(match error {
            None => (200, made),
            Some(mut error) => {
                error["payment_intent"] = made;
                (402, json!({ "error": error }))
            }
        })
    }

    /// Remembers an intent.
    pub(super) fn note(&mut self, intent: Intent) {
        push_newest(&mut self.intents, self.options.most, intent);
    }

    /// Calls an intent off, unless it is over.
    fn cancel(&mut self, id: &str) -> Said {
        let Some(intent) = self.intents.iter_mut().find(|intent| intent.id == id) else { return missing(404) };
        if matches!(intent.status, "succeeded" | "canceled") {
            let error =
                json!({ "type": "invalid_request_error", "code": "payment_intent_unexpected_state", "payment_intent": shown(intent) });
            return (400, json!({ "error": error }));
        }
        intent.status = "canceled";
        let now = shown(intent);
        self.event("payment_intent.canceled", &now);
        (200, now)
    }

    /// Has something to tell.
    pub(super) fn event(&mut self, kind: &'static str, object: &Value) {
        let (id, created) = (self.id("evt"), self.now());
        let body = json!({ "id": id, "object": "event", "type": kind, "created": created, "data": { "object": object } }).to_string();
        push_newest(&mut self.events, self.options.most, Event { id, kind, body });
        self.bell.notify_one();
    }
}

/// Why a bank does not pay.
fn decline(code: &str, reason: &str) -> Value {
    json!({ "type": "card_error", "code": code, "decline_code": reason, "message": "Your card was declined." })
}

/// Whether an intent waits for its customer.
pub(super) fn waits(intent: &Intent) -> bool {
    let asks = |error: &Value| error["code"] == "authentication_required";
    intent.status == "requires_payment_method" && intent.error.as_ref().is_some_and(asks)
}

/// The payment of ours that an intent carries the id of.
pub(super) fn payment_of(intent: &Intent) -> Option<&str> {
    intent.metadata.get(PAYMENT).map(String::as_str)
}

/// What an intent carries that is of a payment of ours.
pub(super) fn carrying(payment: Option<&str>) -> HashMap<String, String> {
    payment.map(|payment| (PAYMENT.to_owned(), payment.to_owned())).into_iter().collect()
}

/// An intent as it is shown.
pub(super) fn shown(intent: &Intent) -> Value {
    if let Some(listed) = &intent.listed {
        return listed.clone();
    }
    json!({
        "object": "payment_intent", "id": intent.id, "status": intent.status, "amount": intent.amount, "currency": intent.currency,
        "customer": intent.customer, "client_secret": format!("{}_secret_x", intent.id), "last_payment_error": intent.error,
        "metadata": intent.metadata, "created": intent.created,
    })
}
