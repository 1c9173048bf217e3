//! A server that speaks as much of Stripe as the adapter does, keeps the truth about what was charged, and fails on demand. What it
//! remembers of a key, and what it refuses, is as Stripe's pages on idempotent requests say.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use self::banks::{Dispute, page, shown_refund};

mod banks;

/// What events are signed with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_simulator";
/// Proves who asks.
pub(crate) const SECRET_KEY: &str = "sk_test_simulator";

/// How a card behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    /// Every charge succeeds.
    Good,
    /// Every charge is declined for that reason.
    Declines(&'static str),
    /// The bank asks for its holder.
    Authenticates,
}

/// What goes wrong with one request that makes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not arrive.
    RequestLost,
    /// It is done, and the connection breaks before its answer.
    AnswerLost,
    /// It is done, and the answer says that Stripe is not well; so it does when it is sent again.
    ErrorAfterEffect,
    /// It is done after this, and answered.
    Slow(Duration),
    /// The connection breaks, and it arrives when the test says so.
    Late,
    /// There is no room for it.
    Busy,
}

/// An intent.
#[derive(Debug, Clone)]
struct Intent {
    id: String,
    amount: i64,
    currency: String,
    customer: String,
    status: &'static str,
    error: Option<Value>,
    metadata: HashMap<String, String>,
    created: i64,
    /// What is listed of it in its place.
    listed: Option<Value>,
}

/// A refund.
#[derive(Debug, Clone)]
struct Refund {
    id: String,
    intent: String,
    amount: i64,
    currency: String,
    metadata: HashMap<String, String>,
    created: i64,
}

/// A request as it came.
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    path: String,
    form: Vec<(String, String)>,
    key: Option<String>,
}

/// What is remembered.
#[derive(Default)]
struct Books {
    cards: HashMap<String, Card>,
    customers: HashMap<String, String>,
    intents: Vec<Intent>,
    refunds: Vec<Refund>,
    disputes: Vec<Dispute>,
    /// What the clock shows, in seconds.
    now: i64,
    /// Questions without a key are not answered.
    silent: bool,
    /// What a key first came with, and how it was answered.
    keys: HashMap<String, (Asked, u16, Value)>,
    events: Vec<String>,
    faults: VecDeque<Fault>,
    late: Vec<Asked>,
    /// How many in a hundred answers are lost at random, and the state of that chance.
    lost_percent: u64,
    chance: u64,
    made: u64,
    calls: Vec<String>,
}

/// The simulator, until its test ends.
#[derive(Clone)]
pub(crate) struct Simulator {
    pub(crate) url: String,
    books: Arc<Mutex<Books>>,
}

impl Simulator {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = Self { url: format!("http://{}", listener.local_addr().unwrap()), books: Arc::default() };
        let serving = simulator.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let serving = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| serving.clone().hear(request));
                    // A connection that a fault breaks ends with an error.
                    let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        simulator
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A card that was entered into Stripe's form: its token.
    pub(crate) fn card(&self, card: Card) -> String {
        let mut books = self.books();
        let id = books.id("pm");
        books.cards.insert(id.clone(), card);
        id
    }

    /// What goes wrong with the next requests that make something, one each.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.books().faults.extend(faults);
    }

    /// Loses so many in a hundred answers from now on, by a chance that is the same in each run.
    pub(crate) fn lose_answers(&self, percent: u64) {
        let mut books = self.books();
        (books.lost_percent, books.chance) = (percent, 0x9e37_79b9_7f4a_7c15);
    }

    /// What was late arrives now; answers how each request was answered, to nobody.
    pub(crate) fn let_late_arrive(&self) -> Vec<u16> {
        let mut books = self.books();
        let late = std::mem::take(&mut books.late);
        late.iter().map(|asked| books.once(asked).0).collect()
    }

    /// A day passes: keys are forgotten.
    pub(crate) fn forget_keys(&self) {
        self.books().keys.clear();
    }

    /// What was truly taken: our payments' ids, with what was taken for each, as Stripe writes it.
    pub(crate) fn charged(&self) -> Vec<(String, i64)> {
        let taken = |intent: &Intent| (intent.status == "succeeded").then(|| (intent.metadata["evolve_payment"].clone(), intent.amount));
        self.books().intents.iter().filter_map(taken).collect()
    }

    /// What was truly paid back.
    pub(crate) fn refunded(&self) -> Vec<i64> {
        self.books().refunds.iter().map(|refund| refund.amount).collect()
    }

    /// How each intent stands, the oldest first.
    pub(crate) fn intents(&self) -> Vec<&'static str> {
        self.books().intents.iter().map(|intent| intent.status).collect()
    }

    /// How often something was asked, by method and path.
    pub(crate) fn calls(&self, of: &str) -> usize {
        self.books().calls.iter().filter(|call| *call == of).count()
    }

    /// The customer passes the bank's check, or fails it, for the newest intent.
    pub(crate) fn act(&self, passes: bool) {
        let mut books = self.books();
        let at = books.intents.len() - 1;
        let intent = &mut books.intents[at];
        assert_eq!(intent.status, "requires_payment_method");
        let kind = if passes {
            (intent.status, intent.error) = ("succeeded", None);
            "payment_intent.succeeded"
        } else {
            intent.error = Some(json!({ "type": "card_error", "code": "payment_intent_authentication_failure" }));
            "payment_intent.payment_failed"
        };
        books.tell(kind, at);
    }

    /// The events that Stripe has to tell, the oldest first.
    pub(crate) fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.books().events)
    }

    /// Tells one event to a server; answers the status of its answer.
    pub(crate) async fn tell(server: &str, body: &str, header: &str) -> u16 {
        let request = reqwest::Client::new().post(format!("{server}/gateways/stripe/events")).header("stripe-signature", header);
        request.body(body.to_owned()).send().await.unwrap().status().as_u16()
    }

    /// The header that signs a body at an instant.
    pub(crate) fn sign(secret: &str, body: &str, at: jiff::Timestamp) -> String {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{}.{body}", at.as_second()).as_bytes());
        let hex = mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        format!("t={},v1={hex}", at.as_second())
    }

    /// Hears one request; an error breaks the connection.
    async fn hear(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("stripe-version").as_deref(), Some("2024-06-20"));
        if header("authorization") != Some(format!("Bearer {SECRET_KEY}")) {
            return Ok(answer(401, &json!({ "error": { "type": "invalid_request_error" } })));
        }
        let text = if head.method == "GET" { head.uri.query().unwrap_or_default().as_bytes() } else { &body[..] };
        let form = url::form_urlencoded::parse(text).into_owned().collect();
        let asked = Asked { method: head.method.to_string(), path: head.uri.path().to_owned(), form, key: header("idempotency-key") };
        let fault = self.note(&asked);
        if asked.key.is_none() && self.books().silent {
            return Err(broken());
        }
        match fault {
            Some(Fault::RequestLost) => return Err(broken()),
            Some(Fault::Late) => {
                self.books().late.push(asked);
                return Err(broken());
            }
            Some(Fault::Busy) => return Ok(answer(429, &json!({ "error": { "type": "invalid_request_error", "code": "rate_limit" } }))),
            Some(Fault::Slow(pause)) => {
                tokio::time::timeout(pause, std::future::pending::<Infallible>()).await.map(drop).unwrap_or_default();
            }
            _ => {}
        }
        let (status, body) = self.books().once(&asked);
        match fault {
            Some(Fault::AnswerLost) => Err(broken()),
            Some(Fault::ErrorAfterEffect) => {
                let body = json!({ "error": { "type": "api_error" } });
                if let Some(key) = &asked.key {
                    self.books().keys.insert(key.clone(), (asked.clone(), 500, body.clone()));
                }
                Ok(answer(500, &body))
            }
            _ => Ok(answer(status, &body)),
        }
    }

    /// Notes a request, and draws what goes wrong with it: only with what makes something under a key.
    fn note(&self, asked: &Asked) -> Option<Fault> {
        let mut books = self.books();
        books.calls.push(format!("{} {}", asked.method, asked.path));
        asked.key.as_ref()?;
        if let Some(fault) = books.faults.pop_front() {
            return Some(fault);
        }
        if books.lost_percent == 0 {
            return None;
        }
        // xorshift
        books.chance ^= books.chance << 13;
        books.chance ^= books.chance >> 7;
        books.chance ^= books.chance << 17;
        let (is_lost, before) = (books.chance % 100 < books.lost_percent, books.chance & (1 << 40) == 0);
        is_lost.then_some(if before { Fault::AnswerLost } else { Fault::RequestLost })
    }
}

fn broken() -> std::io::Error {
    std::io::ErrorKind::ConnectionReset.into()
}

fn answer(status: u16, body: &Value) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(Bytes::from(body.to_string()))).unwrap()
}

fn refusal(status: u16, kind: &str, code: &str) -> (u16, Value) {
    (status, json!({ "error": { "type": kind, "code": code, "message": "Refused." } }))
}

impl Asked {
    fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    fn metadata(&self) -> HashMap<String, String> {
        let named = |(field, value): &(String, String)| {
            let name = field.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((name.to_owned(), value.clone()))
        };
        self.form.iter().filter_map(named).collect()
    }
}

impl Books {
    fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{}", self.made)
    }

    /// Does what is asked, once for each key.
    fn once(&mut self, asked: &Asked) -> (u16, Value) {
        let Some(key) = &asked.key else { return self.act(asked) };
        if let Some((first, status, body)) = self.keys.get(key) {
            if (&first.path, &first.form) != (&asked.path, &asked.form) {
                return refusal(400, "idempotency_error", "idempotency_key_in_use");
            }
            return (*status, body.clone());
        }
        let (status, body) = self.act(asked);
        // What was not begun is not kept.
        if status != 400 {
            self.keys.insert(key.clone(), (asked.clone(), status, body.clone()));
        }
        (status, body)
    }

    fn act(&mut self, asked: &Asked) -> (u16, Value) {
        let parts: Vec<&str> = asked.path.trim_start_matches("/v1/").split('/').collect();
        match (asked.method.as_str(), &parts[..]) {
            ("GET", ["payment_methods", id]) => self.method(id),
            ("GET", ["setup_intents", id]) => {
                let card = id.strip_prefix("seti_").map(|rest| format!("pm_{rest}")).filter(|id| self.cards.contains_key(id));
                (200, json!({ "id": id, "status": if card.is_some() { "succeeded" } else { "requires_action" }, "payment_method": card }))
            }
            ("POST", ["customers"]) => {
                let (id, method) = (self.id("cus"), asked.field("payment_method").unwrap().to_owned());
                if !self.cards.contains_key(&method) || self.customers.contains_key(&method) {
                    return refusal(400, "invalid_request_error", "resource_missing");
                }
                self.customers.insert(method, id.clone());
                (200, json!({ "id": id }))
            }
            ("POST", ["payment_intents"]) => self.make(asked),
            ("GET", [what @ ("payment_intents" | "refunds" | "disputes")]) if asked.field("created[gte]").is_some() => {
                self.made_between(asked, what)
            }
            ("GET", ["payment_intents"]) => {
                let of = self.intents.iter().rev().filter(|intent| Some(intent.customer.as_str()) == asked.field("customer"));
                page(asked, of.map(shown).collect())
            }
            ("GET", ["disputes", id]) => self.dispute_of(id),
            ("GET", ["payment_intents", id]) => match self.intents.iter().find(|intent| intent.id == *id) {
                Some(intent) => (200, shown(intent)),
                None => refusal(404, "invalid_request_error", "resource_missing"),
            },
            ("POST", ["payment_intents", id, "cancel"]) => self.cancel(id),
            ("POST", ["refunds"]) => self.pay_back(asked),
            ("GET", ["refunds"]) => {
                let of = self.refunds.iter().filter(|refund| Some(refund.intent.as_str()) == asked.field("payment_intent"));
                (200, json!({ "data": of.map(shown_refund).collect::<Vec<_>>(), "has_more": false }))
            }
            other => panic!("the simulator does not know {other:?}"),
        }
    }

    fn method(&self, id: &str) -> (u16, Value) {
        if !self.cards.contains_key(id) {
            return refusal(404, "invalid_request_error", "resource_missing");
        }
        let card = json!({ "brand": "visa", "last4": "4242", "exp_month": 2, "exp_year": 2028 });
        (200, json!({ "id": id, "customer": self.customers.get(id), "card": card }))
    }

    fn make(&mut self, asked: &Asked) -> (u16, Value) {
        let amount: i64 = asked.field("amount").unwrap().parse().unwrap();
        let (customer, method) = (asked.field("customer").unwrap().to_owned(), asked.field("payment_method"));
        assert_eq!(asked.field("payment_method_types[0]"), Some("card"));
        if amount < 50 {
            return refusal(400, "invalid_request_error", "amount_too_small");
        }
        let card = method.and_then(|id| self.cards.get(id).copied().filter(|_| self.customers.get(id) == Some(&customer)));
        let is_confirmed = asked.field("confirm") == Some("true");
        if is_confirmed && (card.is_none() || asked.field("off_session") != Some("true")) {
            return refusal(400, "invalid_request_error", "resource_missing");
        }
        let decline = |code: &str, reason: &str| json!({ "type": "card_error", "code": code, "decline_code": reason });
        let (status, error) = match card.filter(|_| is_confirmed) {
            None => ("requires_payment_method", None),
            Some(Card::Good) => ("succeeded", None),
            Some(Card::Declines(reason)) => ("requires_payment_method", Some(decline("card_declined", reason))),
            Some(Card::Authenticates) => ("requires_payment_method", Some(decline("authentication_required", "authentication_required"))),
        };
        let (id, currency) = (self.id("pi"), asked.field("currency").unwrap().to_owned());
        self.intents.push(Intent {
            id,
            amount,
            currency,
            customer,
            status,
            error,
            metadata: asked.metadata(),
            created: self.now,
            listed: None,
        });
        let at = self.intents.len() - 1;
        let made = shown(&self.intents[at]);
        if !is_confirmed {
            return (200, made);
        }
        self.tell(if status == "succeeded" { "payment_intent.succeeded" } else { "payment_intent.payment_failed" }, at);
        match self.intents[at].error.clone() {
            None => (200, made),
            Some(mut error) => {
                error["payment_intent"] = made;
                (402, json!({ "error": error }))
            }
        }
    }

    fn cancel(&mut self, id: &str) -> (u16, Value) {
        let at = self.intents.iter().position(|intent| intent.id == id).unwrap();
        if matches!(self.intents[at].status, "succeeded" | "canceled") {
            let now = shown(&self.intents[at]);
            let error = json!({ "type": "invalid_request_error", "code": "payment_intent_unexpected_state", "payment_intent": now });
            return (400, json!({ "error": error }));
        }
        self.intents[at].status = "canceled";
        self.tell("payment_intent.canceled", at);
        (200, shown(&self.intents[at]))
    }

    /// Has something to tell of an intent.
    fn tell(&mut self, kind: &str, at: usize) {
        let object = shown(&self.intents[at]);
        self.event(kind, &object);
    }

    fn event(&mut self, kind: &str, object: &Value) {
        let id = self.id("evt");
        self.events.push(json!({ "id": id, "type": kind, "data": { "object": object } }).to_string());
    }
}

fn shown(intent: &Intent) -> Value {
    if let Some(listed) = &intent.listed {
        return listed.clone();
    }
    json!({
        "object": "payment_intent", "id": intent.id, "status": intent.status, "amount": intent.amount, "currency": intent.currency,
        "customer": intent.customer, "client_secret": format!("{}_secret_x", intent.id), "last_payment_error": intent.error,
        "metadata": intent.metadata, "created": intent.created,
    })
}
