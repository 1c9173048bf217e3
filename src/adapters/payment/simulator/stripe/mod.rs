//! As much of Stripe as the adapter speaks of it. What it remembers of a key, and what it refuses, is as Stripe's pages on idempotent
//! requests say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, Method, Uri};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use self::books::{Asked, Books, payment_of, waits};
use super::Options;
use super::answers::{Answer, MAX_BODY_BYTES, whoever_waits};
use super::faults::Fault;
use super::kept::push_newest;

mod banks;
mod books;
mod cards;

pub use self::cards::{Card, EnteredCard, test_tokens};

/// Proves who asks.
pub const SECRET_KEY: &str = "sk_test_simulator";
/// What pages would open Stripe's form with.
pub const PUBLISHABLE_KEY: &str = "pk_test_simulator";
/// What events are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_simulator";
/// The one version of Stripe's API that is spoken.
const API_VERSION: &str = "2024-06-20";

/// What Stripe has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`
    pub id: String,
    /// What happened, e.g. `payment_intent.succeeded`.
    pub kind: &'static str,
    /// It, as it is sent.
    pub body: String,
}

/// The simulator. Its clones are one.
#[derive(Clone)]
pub struct StripeSimulator {
    /// What it remembers.
    books: Arc<Mutex<Books>>,
}

impl StripeSimulator {
    /// One that nothing was asked of yet.
    pub fn new(options: Options) -> Self {
        Self { books: Arc::new(Mutex::new(Books::new(options))) }
    }

    /// Its paths.
    pub fn router(&self) -> Router {
        Router::new().route("/v1/{*rest}", any(hear)).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(self.clone())
    }

    /// What it remembers, for as long as nobody else may look.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there may be something to tell.
    pub(super) async fn rung(&self) {
        let bell = Arc::clone(&self.books().bell);
        bell.notified().await;
    }

    /// A card that was entered into Stripe's form: its token.
    pub fn enter(&self, card: EnteredCard) -> String {
        self.books().enter(card)
    }

    /// What goes wrong with the next requests that make something under a key, one each.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.books().faults.extend(faults);
    }

    /// Loses so many in a hundred answers from now on, by a chance that is the same in each run.
    pub fn lose_answers(&self, percent: u64) {
        self.books().faults.lose(percent);
    }

    /// How many faults wait for their request, and how many in a hundred answers are lost besides.
    pub fn faults(&self) -> (usize, u64) {
        self.books().faults.waiting()
    }

    /// What was late arrives now; answers how each request was answered, to nobody.
    pub fn let_late_arrive(&self) -> Vec<u16> {
        let mut books = self.books();
        let late = std::mem::take(&mut books.late);
        late.iter().map(|asked| books.once(asked).0).collect()
    }

    /// A day passes: keys are forgotten.
    pub fn forget_keys(&self) {
        self.books().forget_keys();
    }

    /// What was truly taken: our payments' ids, with what was taken for each, as Stripe writes it.
    pub fn charged(&self) -> Vec<(String, i64)> {
        let books = self.books();
        let taken = books.intents.iter().filter(|intent| intent.status == "succeeded");
        taken.map(|intent| (payment_of(intent).unwrap_or_default().to_owned(), intent.amount)).collect()
    }

    /// What was truly paid back.
    pub fn refunded(&self) -> Vec<i64> {
        self.books().refunds.iter().map(|refund| refund.amount).collect()
    }

    /// How each intent stands, the oldest first.
    pub fn intents(&self) -> Vec<&'static str> {
        self.books().intents.iter().map(|intent| intent.status).collect()
    }

    /// How often something was asked, by method and path.
    pub fn calls(&self, of: &str) -> usize {
        self.books().calls.iter().filter(|call| *call == of).count()
    }

    /// What was asked that nobody may ask of Stripe so; it is forgotten by that.
    pub fn malformed(&self) -> Vec<String> {
        self.books().malformed.drain(..).collect()
    }

    /// The customer passes the bank's check, or fails it: for that payment, or for the newest that waits. Whether one waits.
    pub fn act(&self, payment: Option<&str>, passes: bool) -> bool {
        let mut books = self.books();
        let is_it = |of: Option<&str>| payment.is_none_or(|payment| of == Some(payment));
        let Some(intent) = books.intents.iter_mut().rev().find(|intent| waits(intent) && is_it(payment_of(intent))) else { return false };
        let kind = if passes {
            (intent.status, intent.error) = ("succeeded", None);
            "payment_intent.succeeded"
        } else {
            intent.error = Some(json!({ "type": "card_error", "code": "payment_intent_authentication_failure" }));
            "payment_intent.payment_failed"
        };
        let object = books::shown(intent);
        books.event(kind, &object);
        true
    }

    /// The events that Stripe has to tell, the oldest first; they are told by that.
    pub fn events(&self) -> Vec<Event> {
        self.books().events.drain(..).collect()
    }

    /// What was truly done, for people and tests to read.
    pub fn ledger(&self) -> Value {
        let books = self.books();
        let charges = books.intents.iter().map(|intent| {
            json!({
                "payment": payment_of(intent), "intent": intent.id, "amount": intent.amount, "currency": intent.currency,
                "status": intent.status, "waits_for_customer": waits(intent),
                "failure": intent.error.as_ref().map(|error| if error["decline_code"].is_null() { &error["code"] } else { &error["decline_code"] }),
            })
        });
        let refunds = books
            .refunds
            .iter()
            .map(|refund| json!({ "refund": refund.id, "intent": refund.intent, "amount": refund.amount, "currency": refund.currency }));
        let disputes = books.disputes.iter().map(|dispute| {
            json!({
                "dispute": dispute.id, "intent": dispute.intent, "amount": dispute.amount, "currency": dispute.currency,
                "status": dispute.status, "moved": dispute.moved,
            })
        });
        json!({
            "intents": charges.collect::<Vec<_>>(), "refunds": refunds.collect::<Vec<_>>(), "disputes": disputes.collect::<Vec<_>>(),
            "malformed": books.malformed,
        })
    }

    /// Answers one request.
    async fn answer(self, asked: Asked, headers: HeaderMap) -> Answer {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let named = format!("{} {}", asked.method, asked.path);
        if header("authorization") != Some(&format!("Bearer {SECRET_KEY}")) {
            return Some((401, json!({ "error": { "type": "invalid_request_error", "message": "Invalid API Key provided." } })));
        }
        if header("stripe-version") != Some(API_VERSION) {
            return Some(self.books().refuse_malformed(400, &named, "Invalid Stripe API version."));
        }
        let fault = self.note(&asked, named);
        if asked.key.is_none() && self.books().silent {
            return None;
        }
        match fault {
            Some(Fault::RequestLost) => return None,
            Some(Fault::Late) => {
                self.is_late(asked);
                return None;
            }
            Some(Fault::Busy) => {
                return Some((
                    429,
                    json!({ "error": { "type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests." } }),
                ));
            }
            Some(Fault::NoToken) => {
                return Some((401, json!({ "error": { "type": "invalid_request_error", "message": "Expired API Key provided." } })));
            }
            Some(Fault::Slow(pause)) => {
                let clock = self.books().options.clock.clone();
                clock.sleep(pause).await;
            }
            Some(Fault::AnswerLost | Fault::ErrorAfterEffect) | None => {}
        }
        let mut books = self.books();
        let said = books.once(&asked);
        match fault {
            Some(Fault::AnswerLost) => None,
            Some(Fault::ErrorAfterEffect) => {
                // Sent again, it is answered so again: Stripe keeps what it answered to a key.
                let said = (500, json!({ "error": { "type": "api_error", "message": "An error has occurred." } }));
                books.answer_with(&asked, said.clone());
                Some(said)
            }
            _ => Some(said),
        }
    }

    /// Notes a request, and draws what goes wrong with it: only with what makes something under a key.
    fn note(&self, asked: &Asked, named: String) -> Option<Fault> {
        let mut books = self.books();
        let most = books.options.most;
        push_newest(&mut books.calls, most, named);
        asked.key.as_ref()?;
        books.faults.draw()
    }

    /// Has a request arrive later.
    fn is_late(&self, asked: Asked) {
        let mut books = self.books();
        let most = books.options.most;
        push_newest(&mut books.late, most, asked);
        if let Some(pause) = books.options.late_after {
            let (waited, simulator) = (books.options.clock.sleep(pause), self.clone());
            tokio::spawn(async move {
                waited.await;
                simulator.let_late_arrive();
            });
        }
    }
}

/// Hears one request.
async fn hear(State(simulator): State<StripeSimulator>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = if method == Method::GET { uri.query().unwrap_or_default().as_bytes() } else { &body[..] };
    let form = url::form_urlencoded::parse(text).into_owned().collect();
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let asked = Asked { method: method.to_string(), path: uri.path().to_owned(), form, key };
    whoever_waits(simulator.answer(asked, headers)).await
}

/// The header that signs a body at an instant; none for a secret that nothing can be signed with.
pub fn sign(secret: &str, body: &str, at: Timestamp) -> Option<String> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{}.{body}", at.as_second()).as_bytes());
    let hex = mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    Some(format!("t={},v1={hex}", at.as_second()))
}
