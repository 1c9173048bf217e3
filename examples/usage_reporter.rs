//! A product's side of usage: it asks whether a customer may go on, and tells what was used, in batches, from a queue that
//! fills up where the server is slow, and again where an answer was lost.
//!
//! ```text
//! cargo run                                # the server, in one terminal
//! cargo run --example usage_reporter       # this, in another; --url names another server
//! ```
//!
//! [`Reporter`] is written to be copied. What it rests on: an event counts once by its id, for 90 days, so that whatever was
//! not answered is sent again as it was; one that is refused says why, and the others of its batch count. What `run` does
//! around it is a trial: a new business, eight workers of a product that use 2,000 calls, and a look at what was counted.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it shows what it does")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

/// The most events of a batch: a call takes 1,000.
const BATCH: usize = 500;
/// How long an event waits for others.
const LINGER: Duration = Duration::from_millis(200);
/// How many events wait to be sent before whoever has another waits too.
const QUEUE: usize = 1_000;
/// How often a batch is sent before it is given up. A real product would keep it on disk instead.
const TRIES: u32 = 6;
/// The pause after the first try that failed; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What a step gives, or the sentence it stops with.
type Outcome<T> = Result<T, String>;

/// Reports the usage of a product that does not exist.
#[derive(Parser)]
struct Arguments {
    /// The server
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse().url).await {
        Ok(()) => {
            println!("\nEverything was counted, and once.");
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("\nStopped: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Something that was used.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    /// Names it for ever: made where it happens, and kept with it until it is answered.
    event_id: String,
    /// The feature's key.
    feature: &'static str,
    /// How much.
    quantity: u32,
}

/// What came of what was told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Counted now.
    accepted: u64,
    /// Counted before.
    duplicates: u64,
    /// Refused.
    rejected: u64,
}

/// Takes what was used, and tells it in batches, in a task of its own.
pub(crate) struct Reporter {
    queue: Sender<Used>,
    task: JoinHandle<Outcome<Told>>,
}

impl Reporter {
    /// A reporter of `product` that calls as `api`.
    pub(crate) fn start(api: Arc<Api>, product: &'static str) -> Self {
        let (queue, events) = mpsc::channel(QUEUE);
        Self { queue, task: tokio::spawn(tell_all(api, product, events)) }
    }

    /// Where workers put what was used: whoever puts something into a full queue waits.
    pub(crate) fn queue(&self) -> Sender<Used> {
        self.queue.clone()
    }

    /// Tells what is left, and what came of all.
    pub(crate) async fn finish(self) -> Outcome<Told> {
        drop(self.queue);
        self.task.await.map_err(|error| format!("the reporter ended early: {error}"))?
    }
}

/// Gathers batches until the queue is closed and empty.
async fn tell_all(api: Arc<Api>, product: &'static str, mut events: Receiver<Used>) -> Outcome<Told> {
    let mut told = Told::default();
    while let Some(first) = events.recv().await {
        let mut batch = vec![first];
        // Full, or nothing more for a while: an event is never told later than that.
        let fill = async {
            while batch.len() < BATCH {
                let Some(event) = events.recv().await else { break };
                batch.push(event);
            }
        };
        let _full_or_late = tokio::time::timeout(LINGER, fill).await;
        let answer = tell(&api, product, &batch).await?;
        told.accepted += answer.accepted;
        told.duplicates += answer.duplicates;
        told.rejected += answer.rejected;
    }
    Ok(told)
}

/// Tells a batch, again and again until it is answered: the ids see to it that it counts once.
async fn tell(api: &Api, product: &str, batch: &[Used]) -> Outcome<Told> {
    let event = |used: &Used| json!({ "eventId": used.event_id, "product": product, "feature": used.feature, "quantity": used.quantity.to_string() });
    let input = json!({ "events": batch.iter().map(event).collect::<Vec<_>>() });
    let document = "mutation Tell($input: RecordUsageInput!) { recordUsage(input: $input) {
      accepted duplicates rejected { eventId error { code message } } userErrors { code message } } }";
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=TRIES {
        match api.ask(document, &json!({ "input": input })).await {
            Ok(data) => return read(&data["recordUsage"]),
            Err(Trouble::Ours(sentence)) => return Err(sentence),
            Err(Trouble::Passing(sentence)) => println!("   try {attempt}: {sentence}; again in {} ms", pause.as_millis()),
        }
        wait(pause).await;
        pause = pause.saturating_mul(2);
    }
    Err(format!("{} events were not told in {TRIES} tries", batch.len()))
}

/// What a payload says.
fn read(payload: &Value) -> Outcome<Told> {
    if let Some(error) = payload["userErrors"].get(0) {
        return Err(format!("recordUsage refuses: {error}"));
    }
    let rejected = payload["rejected"].as_array().map(Vec::as_slice).unwrap_or_default();
    for refused in rejected.iter().take(3) {
        println!("   {} is refused: {}", refused["eventId"], refused["error"]["message"]);
    }
    let number = |name: &str| payload[name].as_u64().ok_or_else(|| format!("the answer has no {name}: {payload}"));
    Ok(Told { accepted: number("accepted")?, duplicates: number("duplicates")?, rejected: rejected.len() as u64 })
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "a client has no port of time")]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// Why there is no answer.
#[derive(Debug)]
enum Trouble {
    /// It may pass: the server is away, busy, or failed.
    Passing(String),
    /// It will not pass by itself: the request is wrong, or not allowed.
    Ours(String),
}

/// A server, and as whom it is called.
pub(crate) struct Api {
    http: reqwest::Client,
    endpoint: String,
    bearer: Option<String>,
}

impl Api {
    /// The API of the server at `url`, called with this token or key.
    fn at(url: &str, bearer: Option<String>) -> Outcome<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(15)).build().map_err(|error| error.to_string())?;
        Ok(Self { http, endpoint: format!("{}/graphql", url.trim_end_matches('/')), bearer })
    }

    /// The `data` of a document.
    async fn ask(&self, document: &str, variables: &Value) -> Result<Value, Trouble> {
        let mut request = self.http.post(&self.endpoint).header("accept", "application/graphql-response+json");
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        let sent = request.json(&json!({ "query": document, "variables": variables })).send().await;
        // Whether it arrived is not known: it is sent again as it was.
        let response = sent.map_err(|error| Trouble::Passing(format!("no answer ({error})")))?;
        let status = response.status();
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(Trouble::Passing(format!("the server answers {status}")));
        }
        let mut answer: Value = response.json().await.map_err(|error| Trouble::Passing(format!("half an answer ({error})")))?;
        let code = answer.pointer("/errors/0/extensions/code").and_then(Value::as_str).map(str::to_owned);
        match code.as_deref() {
            None => Ok(answer["data"].take()),
            Some(code @ ("INTERNAL" | "TIMEOUT" | "RATE_LIMITED")) => Err(Trouble::Passing(format!("the server answers {code}"))),
            Some(_) => Err(Trouble::Ours(answer["errors"][0].to_string())),
        }
    }

    /// The payload of a document's one field, which must refuse nothing.
    async fn payload(&self, document: &str, variables: Value) -> Outcome<Value> {
        let data = self.ask(document, &variables).await.map_err(|trouble| format!("{trouble:?}"))?;
        let payload = data.as_object().and_then(|fields| fields.values().next()).cloned().unwrap_or_default();
        if payload["userErrors"].get(0).is_some() { Err(payload["userErrors"].to_string()) } else { Ok(payload) }
    }
}

/// The trial, on the server at `url`.
pub(crate) async fn run(url: &str) -> Outcome<()> {
    println!("A business subscribes to the ERP, and makes a key for the program that tells what it uses");
    let key = customer(url).await?;
    let api = Arc::new(Api::at(url, Some(key))?);
    println!("May it call the API?");
    let asked = json!({ "product": "erp", "feature": "api.calls", "quantity": "2000" });
    let document = "query May($product: String!, $feature: String!, $quantity: Decimal!) {
      featureAccess(product: $product, feature: $feature, quantity: $quantity) { allowed reason remaining } }";
    let access = api.ask(document, &asked).await.map_err(|trouble| format!("{trouble:?}"))?["featureAccess"].take();
    println!("   {access}");
    if access["allowed"] != json!(true) {
        return Err(format!("2000 calls are not allowed: {access}"));
    }
    println!("Eight workers make 250 calls each");
    let reporter = Reporter::start(Arc::clone(&api), "erp");
    let workers: Vec<JoinHandle<Outcome<()>>> = (0..8).map(|worker| tokio::spawn(work(worker, reporter.queue()))).collect();
    for worker in workers {
        worker.await.map_err(|error| error.to_string())??;
    }
    let told = reporter.finish().await?;
    println!("   {told:?}");
    if told != (Told { accepted: 2_000, duplicates: 0, rejected: 0 }) {
        return Err(format!("not all of it was counted: {told:?}"));
    }
    println!("An answer was lost, for all that is known: the first worker's calls are told once more");
    let again = Reporter::start(Arc::clone(&api), "erp");
    work(0, again.queue()).await?;
    let told = again.finish().await?;
    println!("   {told:?}");
    let document = "query { usage(product: \"erp\") { metrics { feature { key } used } } }";
    let usage = api.ask(document, &json!({})).await.map_err(|trouble| format!("{trouble:?}"))?;
    let metrics = usage["usage"]["metrics"].as_array().map(Vec::as_slice).unwrap_or_default();
    let used = metrics.iter().find(|metric| metric["feature"]["key"] == "api.calls").map(|metric| metric["used"].clone());
    if told.duplicates == 250 && used == Some(json!("2000")) { Ok(()) } else { Err(format!("{told:?}, and {used:?} were counted")) }
}

/// A worker of the product: 250 calls, each an event with an id that says which it was.
async fn work(worker: u32, queue: Sender<Used>) -> Outcome<()> {
    for call in 0..250 {
        let used = Used { event_id: format!("worker-{worker}-call-{call}"), feature: "api.calls", quantity: 1 };
        queue.send(used).await.map_err(|_| "the reporter has stopped".to_owned())?;
    }
    Ok(())
}

/// A new business that has the ERP's plan with calls in it; answers a key of its that may tell and ask.
#[expect(clippy::disallowed_methods, reason = "a client has no port of randomness")]
async fn customer(url: &str) -> Outcome<String> {
    let (name, mut api) = (format!("{:032x}", rand::random::<u128>()), Api::at(url, None)?);
    let email = format!("office-{name}@example.com");
    let input = json!({
        "businessName": format!("Usage {name}"), "businessEmail": email, "industry": "Retail", "companySize": "SIZE_11_50", "country": "KE",
        "postalCode": "00100", "fullName": "Amina Otieno", "email": email, "password": format!("example-{name}"),
    });
    let document = "mutation($input: RegisterInput!) { register(input: $input) { session { accessToken } userErrors { code message } } }";
    let registered = api.payload(document, json!({ "input": input })).await?;
    api.bearer = registered["session"]["accessToken"].as_str().map(str::to_owned);
    let document = "mutation($input: AddPaymentMethodInput!) { addPaymentMethod(input: $input) { userErrors { code message } } }";
    api.payload(document, json!({ "input": { "source": { "sandbox": "SUCCEEDS" } } })).await?;
    let plans = api.payload("{ plans(product: \"erp\") { nodes { id requiresVerification features { key } } } }", json!({})).await?;
    let has_calls = |plan: &&Value| {
        let features = plan["features"].as_array().map(Vec::as_slice).unwrap_or_default();
        plan["requiresVerification"] == json!(false) && features.iter().any(|feature| feature["key"] == "api.calls")
    };
    let nodes = plans["nodes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let plan = nodes.iter().find(has_calls).ok_or("no plan of the ERP has calls")?;
    let input = json!({ "planId": plan["id"], "interval": "MONTHLY", "trial": false, "idempotencyKey": name });
    let document = "mutation($input: SubscribeInput!) { subscribe(input: $input) { subscription { status } userErrors { code message } } }";
    let subscribed = api.payload(document, json!({ "input": input })).await?;
    println!("   the subscription is {}", subscribed["subscription"]["status"]);
    let input = json!({ "name": "Usage reporter", "scopes": ["USAGE_WRITE", "ACCESS_READ"] });
    let document = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret userErrors { code message } } }";
    let made = api.payload(document, json!({ "input": input })).await?;
    made["secret"].as_str().map(str::to_owned).ok_or_else(|| format!("no key: {made}"))
}
