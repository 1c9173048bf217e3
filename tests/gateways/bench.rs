//! The simulators in this process, the adapters that ask them, and a server that hears what they tell.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evolve_business::adapters::payment::mpesa::{MpesaGateway, MpesaOptions};
use evolve_business::adapters::payment::simulator::courier::{Courier, CourierOptions};
use evolve_business::adapters::payment::simulator::daraja::{self, DarajaSimulator, Holder};
use evolve_business::adapters::payment::simulator::stripe::{self, StripeSimulator};
use evolve_business::adapters::payment::simulator::{Options, Simulation};
use evolve_business::adapters::payment::stripe::{StripeGateway, StripeOptions};
use evolve_business::adapters::payment::{
    AttachError, AttachedMethod, ChargeAnswer, ChargeRequest, MethodSource, PaymentGateway as _, WayBack,
};
use evolve_business::clock::SystemClock;
use evolve_business::config::MpesaSettings;
use evolve_business::http::server::{ServerLimits, serve};
use evolve_business::money::{Currency, Money};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What a server heard.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) path: String,
    pub(crate) signature: String,
    pub(crate) body: String,
}

impl Heard {
    /// What an event or a callback is about.
    pub(crate) fn of(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let id = if self.path.starts_with("/events") { &body["id"] } else { &body["Body"]["stkCallback"]["CheckoutRequestID"] };
        id.as_str().unwrap().to_owned()
    }
}

/// What a server heard, and how it answers.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Vec<Heard>>>,
    refusals: Arc<Mutex<u32>>,
}

/// Both simulators behind one address, and a server.
pub(crate) struct Bench {
    pub(crate) url: String,
    pub(crate) simulation: Simulation,
    pub(crate) card_gateway: StripeGateway,
    pub(crate) phone_gateway: MpesaGateway,
    ear: Ear,
    stop: CancellationToken,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn listen(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, router, ServerLimits::default(), std::future::pending()));
    url
}

async fn hear(State(ear): State<Ear>, uri: Uri, headers: HeaderMap, body: String) -> StatusCode {
    let signature = headers.get("stripe-signature").map_or(String::new(), |value| value.to_str().unwrap().to_owned());
    ear.heard.lock().unwrap().push(Heard { path: uri.path().to_owned(), signature, body });
    let mut refusals = ear.refusals.lock().unwrap();
    if *refusals == 0 {
        return StatusCode::OK;
    }
    *refusals -= 1;
    StatusCode::SERVICE_UNAVAILABLE
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::remembering(1_000).await
    }

    /// One whose simulators remember so many of each thing.
    pub(crate) async fn remembering(most: usize) -> Self {
        let ear = Ear::default();
        let server = listen(Router::new().fallback(any(hear)).with_state(ear.clone())).await;
        let (clock, stop) = (Arc::new(SystemClock), CancellationToken::new());
        let late_after = Some(Duration::from_millis(300));
        let options = Options { clock: clock.clone(), run: "r".to_owned(), most, late_after, holder: |_| Holder::Pays };
        let (stripe, daraja) = (StripeSimulator::new(options.clone()), DarajaSimulator::new(options));
        let events_url = format!("{server}/events");
        let told =
            CourierOptions { events_url, delay: Duration::ZERO, pauses: vec![Duration::from_millis(20); 2], clock: clock.clone(), most };
        let courier = Courier::new(stripe.clone(), daraja.clone(), told, stop.clone()).unwrap();
        let simulation = Simulation { stripe, daraja, courier };
        tokio::spawn(simulation.courier.clone().run());
        let url = listen(simulation.router()).await;
        let limit = Duration::from_secs(5);
        let options = StripeOptions {
            url: url.clone(),
            secret_key: stripe::SECRET_KEY.into(),
            publishable_key: stripe::PUBLISHABLE_KEY.to_owned(),
            request_limit: limit,
            call_limit: limit * 2,
        };
        let card_gateway = StripeGateway::new(&options, clock.clone()).unwrap();
        let settings = MpesaSettings {
            url: url.clone(),
            consumer_key: daraja::CONSUMER_KEY.into(),
            consumer_secret: daraja::CONSUMER_SECRET.into(),
            short_code: daraja::SHORT_CODE.to_owned(),
            passkey: daraja::PASSKEY.into(),
            initiator: daraja::INITIATOR.to_owned(),
            security_credential: daraja::CREDENTIAL.into(),
            callback_url: server,
        };
        let phone_gateway = MpesaGateway::new(&MpesaOptions { settings, request_limit: limit, call_limit: limit * 2 }, clock).unwrap();
        Self { url, simulation, card_gateway, phone_gateway, ear, stop }
    }

    /// The server refuses so many calls from now on.
    pub(crate) fn refuse(&self, calls: u32) {
        *self.ear.refusals.lock().unwrap() = calls;
    }

    /// Adds a card.
    pub(crate) async fn card(&self, token: &str) -> Result<AttachedMethod, AttachError> {
        self.card_gateway.attach(MethodSource::CardToken(token.to_owned())).await
    }

    /// Charges 34.80 shillings by a card, under that key.
    pub(crate) async fn charge(&self, key: &str, method: &AttachedMethod) -> ChargeAnswer {
        self.card_gateway.charge(request(key, &method.reference, "34.80")).await
    }

    /// Prompts a phone for 35 shillings; answers the prompt's id.
    pub(crate) async fn push(&self, phone: &str) -> String {
        match self.prompt(phone).await {
            ChargeAnswer::RequiresAction(action) => action.reference.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The same; answers what the gateway says.
    pub(crate) async fn prompt(&self, phone: &str) -> ChargeAnswer {
        self.phone_gateway.charge(request("pay_1", phone, "35.00")).await
    }

    /// Waits until the server has heard so much, and that it hears no more.
    pub(crate) async fn heard(&self, expected: usize) -> Vec<Heard> {
        until(|| self.ear.heard.lock().unwrap().len() >= expected).await;
        pause(150).await;
        let heard = std::mem::take(&mut *self.ear.heard.lock().unwrap());
        assert_eq!(heard.len(), expected, "{heard:#?}");
        heard
    }

    /// Asks by POST; answers the status and the body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url)).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The same, which must be done.
    pub(crate) async fn done(&self, path: &str, body: Value) -> Value {
        let (status, said) = self.post(path, &body).await;
        assert_eq!(status, 200, "{body}: {said}");
        said
    }

    pub(crate) async fn ledger(&self) -> Value {
        reqwest::get(format!("{}/simulator/ledger", self.url)).await.unwrap().json().await.unwrap()
    }

    /// How each delivery stands, when none waits any more: its state, and how often it was tried.
    pub(crate) async fn deliveries(&self) -> Vec<(String, u64)> {
        for _ in 0..500 {
            let ledger = self.ledger().await;
            let deliveries = ledger["deliveries"].as_array().unwrap().iter();
            let stand: Vec<(String, u64)> =
                deliveries.map(|one| (one["state"].as_str().unwrap().to_owned(), one["tries"].as_u64().unwrap())).collect();
            if stand.iter().all(|(state, _)| state != "waiting") {
                return stand;
            }
            pause(20).await;
        }
        panic!("something waits after ten seconds");
    }
}

fn request(key: &str, method_reference: &str, amount: &str) -> ChargeRequest {
    ChargeRequest {
        key: key.to_owned(),
        amount: Money::parse(amount, Currency::from_code("KES").unwrap()).unwrap(),
        method_reference: method_reference.to_owned(),
        description: "Invoice INV-2027-000001".to_owned(),
        age: Duration::ZERO,
        back: WayBack { secret: "secret".to_owned(), status_secret: "status".to_owned(), heard: Vec::new() },
    }
}

pub(crate) async fn pause(millis: u64) {
    tokio::time::timeout(Duration::from_millis(millis), std::future::pending::<()>()).await.unwrap_err();
}

/// Waits for something that another task does, and fails after ten seconds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        pause(20).await;
    }
    panic!("it did not come about within ten seconds");
}

impl Bench {
    /// Asks Daraja for a token.
    async fn token(&self) -> String {
        let request = reqwest::Client::new().get(format!("{}/oauth/v1/generate?grant_type=client_credentials", self.url));
        let answer = request.basic_auth(daraja::CONSUMER_KEY, Some(daraja::CONSUMER_SECRET)).send().await.unwrap();
        let token: Value = answer.json().await.unwrap();
        token["access_token"].as_str().unwrap().to_owned()
    }

    /// Asks Daraja for a push, some members of which are other than they should be (null: left out); answers the status and the body.
    pub(crate) async fn push_with(&self, changes: &Value) -> (u16, Value) {
        let timestamp = "20270131120000";
        let password = STANDARD.encode(format!("{}{}{timestamp}", daraja::SHORT_CODE, daraja::PASSKEY));
        let mut body = json!({
            "BusinessShortCode": daraja::SHORT_CODE, "Password": password, "Timestamp": timestamp,
            "TransactionType": "CustomerPayBillOnline", "Amount": "35", "PartyA": "254712345678", "PartyB": daraja::SHORT_CODE,
            "PhoneNumber": "254712345678", "CallBackURL": "http://127.0.0.1:1/x", "AccountReference": "2027-000001",
            "TransactionDesc": "Invoice",
        });
        let members = body.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            members.insert(name.clone(), value.clone());
            members.retain(|_, value| !value.is_null());
        }
        self.ask_daraja("/mpesa/stkpush/v1/processrequest", &body).await
    }

    /// Asks Daraja something under a good token.
    pub(crate) async fn ask_daraja(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url)).bearer_auth(self.token().await);
        let answer = request.json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Asks Stripe something under the secret key and another version of its API, or the right one.
    pub(crate) async fn ask_stripe(&self, path: &str, form: &str, version: &str) -> (u16, Value) {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url)).bearer_auth(stripe::SECRET_KEY);
        let answer = request.header("stripe-version", version).body(form.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}
