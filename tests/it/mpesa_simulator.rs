//! A server that speaks as much of Daraja as the adapter does, keeps the truth about who paid what, and fails on demand. It tells nobody of
//! anything by itself: a test hands its callbacks over, as late, often and garbled as it likes.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const CONSUMER_KEY: &str = "consumer";
pub(crate) const CONSUMER_SECRET: &str = "s3cret";
pub(crate) const SHORT_CODE: &str = "600610";
pub(crate) const PASSKEY: &str = "passkey";
pub(crate) const INITIATOR: &str = "billing";
pub(crate) const CREDENTIAL: &str = "credential";
/// Where the server is said to be that Daraja tells.
pub(crate) const CALLBACK_URL: &str = "http://127.0.0.1:1";
const PUSH: &str = "/mpesa/stkpush/v1/processrequest";
const QUERY: &str = "/mpesa/stkpushquery/v1/query";
const STATUS: &str = "/mpesa/transactionstatus/v1/query";
const REVERSAL: &str = "/mpesa/reversal/v1/request";

/// What the holder of a phone does with a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Enters the PIN at once.
    Pays,
    /// Ends it with that code at once.
    Ends(&'static str),
    /// Does nothing before the test says so.
    Waits,
}

/// What goes wrong with one push or reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not arrive.
    RequestLost,
    /// It is done, and the connection breaks before its answer.
    AnswerLost,
    /// It is done, and the answer says that Daraja is not well.
    ErrorAfterEffect,
    /// It is done after this, and answered.
    Slow(Duration),
    /// The connection breaks, and it arrives when the test says so.
    Late,
    /// There is no room for it.
    Busy,
    /// Its token is not known any more.
    NoToken,
}

/// A prompt on a phone.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    pub(crate) id: String,
    pub(crate) phone: String,
    pub(crate) account: String,
    /// Whole shillings.
    pub(crate) amount: i64,
    pub(crate) callback: String,
    pub(crate) timestamp: String,
    /// Its code, once it is over.
    code: Option<String>,
    receipt: Option<String>,
}

/// What is remembered.
#[derive(Default)]
struct Books {
    holders: HashMap<String, Holder>,
    token: u64,
    tokens: usize,
    prompts: Vec<Prompt>,
    /// By the receipt: what was paid, and back.
    reversed: Vec<(String, String, i64)>,
    callbacks: VecDeque<(String, String)>,
    faults: VecDeque<Fault>,
    late: Vec<(String, Value)>,
    lost_percent: u64,
    chance: u64,
    made: u64,
    calls: Vec<String>,
}

/// The simulator, until its test ends.
#[derive(Clone)]
pub(crate) struct Daraja {
    pub(crate) url: String,
    books: Arc<Mutex<Books>>,
}

impl Daraja {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let daraja = Self { url: format!("http://{}", listener.local_addr().unwrap()), books: Arc::default() };
        let serving = daraja.clone();
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
        daraja
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the holder of that number does from now on.
    pub(crate) fn holder(&self, phone: &str, holder: Holder) {
        self.books().holders.insert(phone.to_owned(), holder);
    }

    /// What goes wrong with the next pushes and reversals, one each.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.books().faults.extend(faults);
    }

    /// Loses so many in a hundred answers from now on, by a chance that is the same in each run.
    pub(crate) fn lose_answers(&self, percent: u64) {
        let mut books = self.books();
        (books.lost_percent, books.chance) = (percent, 0x9e37_79b9_7f4a_7c15);
    }

    /// What was late arrives now.
    pub(crate) fn let_late_arrive(&self) {
        let mut books = self.books();
        for (path, body) in std::mem::take(&mut books.late) {
            books.answer(&path, &body);
        }
    }

    /// An hour passes: the token is not known any more.
    pub(crate) fn forget_token(&self) {
        self.books().token += 1;
    }

    /// How many tokens were given.
    pub(crate) fn tokens(&self) -> usize {
        self.books().tokens
    }

    /// Every prompt that reached a phone, the oldest first.
    pub(crate) fn prompts(&self) -> Vec<Prompt> {
        self.books().prompts.clone()
    }

    /// What was truly paid: the prompt's id, and whole shillings.
    pub(crate) fn paid(&self) -> Vec<(String, i64)> {
        let paid = |prompt: &Prompt| prompt.receipt.is_some().then(|| (prompt.id.clone(), prompt.amount));
        self.books().prompts.iter().filter_map(paid).collect()
    }

    /// What was truly paid back, in whole shillings.
    pub(crate) fn reversed(&self) -> Vec<i64> {
        self.books().reversed.iter().map(|(_, _, amount)| *amount).collect()
    }

    /// How often something was asked, by its path.
    pub(crate) fn calls(&self, of: &str) -> usize {
        self.books().calls.iter().filter(|call| *call == of).count()
    }

    /// How often a transaction's status was asked for.
    pub(crate) fn statuses(&self) -> usize {
        self.calls(STATUS)
    }

    /// The holder of the phone of the newest prompt pays, or ends it with that code.
    pub(crate) fn act(&self, ends: Option<&str>) {
        let mut books = self.books();
        let at = books.prompts.len() - 1;
        assert_eq!(books.prompts[at].code, None, "it is over");
        books.end(at, ends.unwrap_or("0"));
    }

    /// What Daraja has to tell, the oldest first: the address, and the body.
    pub(crate) fn callbacks(&self) -> Vec<(String, String)> {
        self.books().callbacks.drain(..).collect()
    }

    /// Tells a server; answers the status and the body of its answer.
    pub(crate) async fn tell(server: &str, (address, body): &(String, String)) -> (u16, String) {
        let address = address.replacen(CALLBACK_URL, server, 1);
        let answer = reqwest::Client::new().post(address).body(body.clone()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Hears one request; an error breaks the connection.
    async fn hear(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let (path, authorization) = (head.uri.path().to_owned(), head.headers["authorization"].to_str().unwrap().to_owned());
        if path == "/oauth/v1/generate" {
            assert_eq!(head.uri.query(), Some("grant_type=client_credentials"));
            let expected = format!("Basic {}", STANDARD.encode(format!("{CONSUMER_KEY}:{CONSUMER_SECRET}")));
            if authorization != expected {
                return Ok(refusal(400, "400.008.01"));
            }
            let mut books = self.books();
            books.tokens += 1;
            return Ok(answer(200, &json!({ "access_token": format!("token_{}", books.token), "expires_in": "3599" })));
        }
        let fault = self.note(&path);
        if fault == Some(Fault::NoToken) {
            self.forget_token();
        }
        if authorization != format!("Bearer token_{}", self.books().token) {
            return Ok(refusal(404, "404.001.03"));
        }
        let asked: Value = serde_json::from_slice(&body).unwrap();
        match fault {
            Some(Fault::RequestLost) => return Err(broken()),
            Some(Fault::Late) => {
                self.books().late.push((path, asked));
                return Err(broken());
            }
            Some(Fault::Busy) => return Ok(refusal(429, "500.003.02")),
            Some(Fault::Slow(pause)) => {
                tokio::time::timeout(pause, std::future::pending::<Infallible>()).await.map(drop).unwrap_or_default();
            }
            _ => {}
        }
        let (status, body) = self.books().answer(&path, &asked);
        match fault {
            Some(Fault::AnswerLost) => Err(broken()),
            Some(Fault::ErrorAfterEffect) => Ok(refusal(500, "500.001.1002")),
            _ => Ok(answer(status, &body)),
        }
    }

    /// Notes a request, and draws what goes wrong with it: only with what moves money.
    fn note(&self, path: &str) -> Option<Fault> {
        let mut books = self.books();
        books.calls.push(path.to_owned());
        if !matches!(path, PUSH | REVERSAL) {
            return None;
        }
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

fn refusal(status: u16, code: &str) -> Response<Full<Bytes>> {
    answer(status, &refused(code))
}

fn refused(code: &str) -> Value {
    json!({ "requestId": "1", "errorCode": code, "errorMessage": "Refused." })
}

impl Books {
    fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{}", self.made)
    }

    fn answer(&mut self, path: &str, asked: &Value) -> (u16, Value) {
        match path {
            PUSH => self.push(asked),
            QUERY => self.query(asked),
            STATUS => self.status(asked),
            REVERSAL => self.reverse(asked),
            other => panic!("the simulator does not know {other}"),
        }
    }

    fn push(&mut self, asked: &Value) -> (u16, Value) {
        let text = |name: &str| asked[name].as_str().unwrap_or_else(|| panic!("{name} in {asked}")).to_owned();
        check_password(asked);
        let amount: i64 = text("Amount").parse().unwrap();
        let phone = text("PhoneNumber");
        assert_eq!((text("PartyA"), text("PartyB").as_str()), (phone.clone(), SHORT_CODE));
        assert_eq!(text("TransactionType"), "CustomerPayBillOnline");
        assert!((1..=12).contains(&text("AccountReference").len()) && (1..=13).contains(&text("TransactionDesc").len()), "{asked}");
        if !(1..=250_000).contains(&amount) || phone.len() != 12 {
            return (400, refused("400.002.02"));
        }
        if self.prompts.iter().any(|prompt| prompt.phone == phone && prompt.code.is_none()) {
            let body =
                json!({ "errorCode": "500.001.1001", "errorMessage": "Unable to lock subscriber, a transaction is already in process" });
            return (500, body);
        }
        let id = self.id("ws_CO_");
        self.prompts.push(Prompt {
            id: id.clone(),
            phone: phone.clone(),
            account: text("AccountReference"),
            amount,
            callback: text("CallBackURL"),
            timestamp: text("Timestamp"),
            code: None,
            receipt: None,
        });
        let at = self.prompts.len() - 1;
        match self.holders.get(&phone).copied().unwrap_or(Holder::Pays) {
            Holder::Pays => self.end(at, "0"),
            Holder::Ends(code) => self.end(at, code),
            Holder::Waits => {}
        }
        (200, json!({ "MerchantRequestID": "1", "CheckoutRequestID": id, "ResponseCode": "0", "ResponseDescription": "Accepted" }))
    }

    /// A prompt is over, and there is something to tell.
    fn end(&mut self, at: usize, code: &str) {
        let receipt = (code == "0").then(|| self.id("SFC"));
        let prompt = &mut self.prompts[at];
        (prompt.code, prompt.receipt) = (Some(code.to_owned()), receipt.clone());
        let mut told = json!({ "MerchantRequestID": "1", "CheckoutRequestID": prompt.id, "ResultCode": code.parse::<i64>().unwrap(), "ResultDesc": "." });
        if let Some(receipt) = receipt {
            told["CallbackMetadata"] = json!({ "Item": [
                { "Name": "Amount", "Value": prompt.amount }, { "Name": "MpesaReceiptNumber", "Value": receipt }, { "Name": "Balance" },
                { "Name": "PhoneNumber", "Value": prompt.phone.parse::<i64>().unwrap() },
            ] });
        }
        let told = (prompt.callback.clone(), json!({ "Body": { "stkCallback": told } }).to_string());
        self.callbacks.push_back(told);
    }

    fn query(&self, asked: &Value) -> (u16, Value) {
        check_password(asked);
        let id = asked["CheckoutRequestID"].as_str().unwrap();
        let Some(prompt) = self.prompts.iter().find(|prompt| prompt.id == id) else { return (400, refused("400.002.02")) };
        match &prompt.code {
            None => (500, refused("500.001.1001")),
            Some(code) => (200, json!({ "ResponseCode": "0", "CheckoutRequestID": id, "ResultCode": code, "ResultDesc": "." })),
        }
    }

    fn status(&mut self, asked: &Value) -> (u16, Value) {
        check_initiator(asked);
        let (receipt, id) = (asked["TransactionID"].as_str().unwrap(), self.id("conv-"));
        let paid = self.prompts.iter().find(|prompt| prompt.receipt.as_deref() == Some(receipt));
        let back = self.reversed.iter().find(|(reversal, _, _)| reversal == receipt);
        let moved = paid.map(|prompt| (prompt.amount, SHORT_CODE)).or_else(|| back.map(|(_, _, amount)| (*amount, "254700000000")));
        let told = match moved {
            Some((amount, receiver)) => json!({ "ResultCode": 0, "ResultParameters": { "ResultParameter": [
                { "Key": "CreditPartyName", "Value": format!("{receiver} - Acme") }, { "Key": "TransactionStatus", "Value": "Completed" },
                { "Key": "Amount", "Value": amount }, { "Key": "ReceiptNo", "Value": receipt }, { "Key": "TransactionReason" },
            ] } }),
            None => json!({ "ResultCode": 2001 }),
        };
        self.result(asked, &id, told);
        (200, json!({ "OriginatorConversationID": id, "ConversationID": "AG_1", "ResponseCode": "0", "ResponseDescription": "." }))
    }

    fn reverse(&mut self, asked: &Value) -> (u16, Value) {
        check_initiator(asked);
        assert_eq!(asked["RecieverIdentifierType"], "11");
        let (receipt, id) = (asked["TransactionID"].as_str().unwrap().to_owned(), self.id("conv-"));
        let amount: i64 = asked["Amount"].as_str().unwrap().parse().unwrap();
        let paid = self.prompts.iter().find(|prompt| prompt.receipt.as_ref() == Some(&receipt)).map(|prompt| prompt.amount);
        let back: i64 = self.reversed.iter().filter(|(_, of, _)| *of == receipt).map(|(_, _, amount)| amount).sum();
        if paid.is_some_and(|paid| back + amount <= paid) {
            let reversal = self.id("SFC");
            self.reversed.push((reversal.clone(), receipt, amount));
            self.result(asked, &id, json!({ "ResultCode": 0, "TransactionID": reversal }));
        } else {
            self.result(asked, &id, json!({ "ResultCode": "R000001" }));
        }
        (200, json!({ "OriginatorConversationID": id, "ConversationID": "AG_1", "ResponseCode": "0", "ResponseDescription": "." }))
    }

    /// Has the result of a request to tell.
    fn result(&mut self, asked: &Value, id: &str, mut told: Value) {
        told["OriginatorConversationID"] = json!(id);
        let address = asked["ResultURL"].as_str().unwrap().to_owned();
        self.callbacks.push_back((address, json!({ "Result": told }).to_string()));
    }
}

/// The password is of the short code, the passkey and the time.
fn check_password(asked: &Value) {
    assert_eq!(asked["BusinessShortCode"], SHORT_CODE);
    let timestamp = asked["Timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 14 && timestamp.bytes().all(|byte| byte.is_ascii_digit()), "{timestamp}");
    assert_eq!(asked["Password"], STANDARD.encode(format!("{SHORT_CODE}{PASSKEY}{timestamp}")));
}

/// The initiator is who may ask.
fn check_initiator(asked: &Value) {
    assert_eq!((&asked["Initiator"], &asked["SecurityCredential"]), (&json!(INITIATOR), &json!(CREDENTIAL)));
    assert_eq!(asked["ResultURL"], asked["QueueTimeOutURL"]);
}
