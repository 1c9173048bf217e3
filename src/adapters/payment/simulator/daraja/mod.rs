//! As much of Daraja as the adapter speaks of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

use self::books::{Books, PUSH, REVERSAL, STATUS, refused};
use super::Options;
use super::answers::{Answer, MAX_BODY_BYTES, whoever_waits};
use super::faults::Fault;
use super::kept::push_newest;

mod books;
mod phones;

pub use self::phones::{BY_NUMBER, Holder, by_number};

/// Proves to whom a token is given.
pub const CONSUMER_KEY: &str = "consumer";
/// The same.
pub const CONSUMER_SECRET: &str = "s3cret";
/// The paybill number that is paid to.
pub const SHORT_CODE: &str = "600610";
/// Makes the password of a push.
pub const PASSKEY: &str = "passkey";
/// Who may ask for reversals and states.
pub const INITIATOR: &str = "billing";
/// Proves it.
pub const CREDENTIAL: &str = "credential";
/// Where tokens are had.
const TOKEN: &str = "/oauth/v1/generate";

/// A prompt on a phone.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// `ws_CO_…`
    pub id: String,
    /// Twelve digits.
    pub phone: String,
    /// What the payer sees that it is for.
    pub account: String,
    /// Whole shillings.
    pub amount: i64,
    /// Where it is told what became of it.
    pub callback: String,
    /// When it was asked for, as the request says.
    pub timestamp: String,
    /// Its code, once it is over.
    code: Option<String>,
    /// Where it was paid.
    receipt: Option<String>,
}

/// What Daraja has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The prompt or the conversation that it is about.
    pub of: String,
    /// Where: nobody but who gave it knows it.
    pub address: String,
    /// What.
    pub body: String,
}

/// The simulator. Its clones are one.
#[derive(Clone)]
pub struct DarajaSimulator {
    /// What it remembers.
    books: Arc<Mutex<Books>>,
}

impl DarajaSimulator {
    /// One that nothing was asked of yet.
    pub fn new(options: Options) -> Self {
        Self { books: Arc::new(Mutex::new(Books::new(options))) }
    }

    /// Its paths.
    pub fn router(&self) -> Router {
        let router = Router::new().route("/mpesa/{*rest}", any(hear)).route("/oauth/{*rest}", any(hear));
        router.layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(self.clone())
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

    /// What the holder of that number does from now on.
    pub fn holder(&self, phone: &str, holder: Holder) {
        self.books().holders.insert(phone.to_owned(), holder);
    }

    /// What goes wrong with the next pushes and reversals, one each.
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

    /// What was late arrives now; answers how much it was.
    pub fn let_late_arrive(&self) -> usize {
        let mut books = self.books();
        let late = std::mem::take(&mut books.late);
        for (path, body) in &late {
            // Nobody hears it.
            let _said = books.answer(path, body);
        }
        self.see_to(&mut books);
        late.len()
    }

    /// An hour passes: the token is not known any more.
    pub fn forget_token(&self) {
        self.books().token += 1;
    }

    /// How many tokens were given.
    pub fn tokens(&self) -> usize {
        self.books().tokens
    }

    /// Every prompt that reached a phone, the oldest first.
    pub fn prompts(&self) -> Vec<Prompt> {
        self.books().prompts.iter().cloned().collect()
    }

    /// What was truly paid: the prompt's id, and whole shillings.
    pub fn paid(&self) -> Vec<(String, i64)> {
        let paid = |prompt: &Prompt| prompt.receipt.is_some().then(|| (prompt.id.clone(), prompt.amount));
        self.books().prompts.iter().filter_map(paid).collect()
    }

    /// What was truly paid back, in whole shillings.
    pub fn reversed(&self) -> Vec<i64> {
        self.books().reversals.iter().map(|reversal| reversal.amount).collect()
    }

    /// How often something was asked, by its path.
    pub fn calls(&self, of: &str) -> usize {
        self.books().calls.iter().filter(|call| *call == of).count()
    }

    /// How often a transaction's status was asked for.
    pub fn statuses(&self) -> usize {
        self.calls(STATUS)
    }

    /// What was asked that nobody may ask of Daraja so; it is forgotten by that.
    pub fn malformed(&self) -> Vec<String> {
        self.books().malformed.drain(..).collect()
    }

    /// The holder of a phone ends the prompt on it with that code, `0` pays: of that phone, or of the newest prompt that is open. Whether
    /// one is.
    pub fn act(&self, phone: Option<&str>, code: &str) -> bool {
        let mut books = self.books();
        let is_it = |prompt: &&Prompt| prompt.code.is_none() && phone.is_none_or(|phone| prompt.phone == phone);
        let Some(id) = books.prompts.iter().rev().find(is_it).map(|prompt| prompt.id.clone()) else { return false };
        books.end(&id, code).is_some()
    }

    /// What Daraja has to tell, the oldest first; it is told by that.
    pub fn callbacks(&self) -> Vec<Callback> {
        self.books().callbacks.drain(..).collect()
    }

    /// What was truly done, for people and tests to read.
    pub fn ledger(&self) -> Value {
        let books = self.books();
        let prompts = books.prompts.iter().map(|prompt| {
            json!({
                "prompt": prompt.id, "phone": prompt.phone, "account": prompt.account, "amount": prompt.amount, "code": prompt.code,
                "receipt": prompt.receipt, "paid": prompt.receipt.is_some(),
            })
        });
        let reversals =
            books.reversals.iter().map(|reversal| json!({ "receipt": reversal.receipt, "of": reversal.of, "amount": reversal.amount }));
        json!({ "prompts": prompts.collect::<Vec<_>>(), "reversals": reversals.collect::<Vec<_>>(), "malformed": books.malformed })
    }

    /// Answers one request.
    async fn answer(self, path: String, query: String, authorization: String, body: Bytes) -> Answer {
        if path == TOKEN {
            return Some(self.give_token(&query, &authorization));
        }
        let fault = self.note(&path);
        if fault == Some(Fault::NoToken) {
            self.forget_token();
        }
        if authorization != format!("Bearer {}", self.books().token()) {
            return Some(refused(404, "404.001.03", "Invalid Access Token"));
        }
        let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
            self.books().note_malformed(&path, "the body is no JSON");
            return Some(refused(400, "400.002.05", "Invalid Request Payload"));
        };
        match fault {
            Some(Fault::RequestLost) => return None,
            Some(Fault::Late) => {
                self.is_late(path, asked);
                return None;
            }
            Some(Fault::Busy) => return Some(refused(429, "500.003.02", "System is busy. Please try again in few minutes.")),
            Some(Fault::Slow(pause)) => {
                let clock = self.books().options.clock.clone();
                clock.sleep(pause).await;
            }
            Some(Fault::AnswerLost | Fault::ErrorAfterEffect | Fault::NoToken) | None => {}
        }
        let mut books = self.books();
        let said = books.answer(&path, &asked);
        self.see_to(&mut books);
        match fault {
            Some(Fault::AnswerLost) => None,
            Some(Fault::ErrorAfterEffect) => Some(refused(500, "500.001.1002", "Internal Server Error")),
            _ => Some(said),
        }
    }

    /// Gives the token that is good now.
    fn give_token(&self, query: &str, authorization: &str) -> (u16, Value) {
        let mut books = self.books();
        if query != "grant_type=client_credentials" {
            books.note_malformed(TOKEN, "the grant type is none that is known");
            return refused(400, "400.008.02", "Invalid grant type passed");
        }
        if authorization != format!("Basic {}", STANDARD.encode(format!("{CONSUMER_KEY}:{CONSUMER_SECRET}"))) {
            return refused(400, "400.008.01", "Invalid Authentication passed");
        }
        books.tokens += 1;
        (200, json!({ "access_token": books.token(), "expires_in": "3599" }))
    }

    /// Notes a request, and draws what goes wrong with it: only with what moves money.
    fn note(&self, path: &str) -> Option<Fault> {
        let mut books = self.books();
        let most = books.options.most;
        push_newest(&mut books.calls, most, path.to_owned());
        if matches!(path, PUSH | REVERSAL) { books.faults.draw() } else { None }
    }

    /// Has a request arrive later.
    fn is_late(&self, path: String, asked: Value) {
        let mut books = self.books();
        let most = books.options.most;
        push_newest(&mut books.late, most, (path, asked));
        if let Some(pause) = books.options.late_after {
            let (waited, simulator) = (books.options.clock.sleep(pause), self.clone());
            tokio::spawn(async move {
                waited.await;
                simulator.let_late_arrive();
            });
        }
    }

    /// Has holders of phones do in their time what they do.
    fn see_to(&self, books: &mut Books) {
        for later in std::mem::take(&mut books.later) {
            let (waited, simulator) = (books.options.clock.sleep(later.after), self.clone());
            tokio::spawn(async move {
                waited.await;
                // Nothing where somebody was quicker.
                let _ended = simulator.books().end(&later.prompt, later.code);
            });
        }
    }
}

/// Hears one request.
async fn hear(State(simulator): State<DarajaSimulator>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
    whoever_waits(simulator.answer(path, query, authorization, body)).await
}
