//! The real program of both: a sandbox server, started with the environment that `evolve-business gateways` prints, and what its customers
//! pay.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::database::{self, Kind, TestDatabase};
use crate::server::{Server, free_port, seed};

const REGISTER: &str =
    "mutation($input: RegisterInput!) { register(input: $input) { session { accessToken } userErrors { code message } } }";
const OFFERS: &str = "{ plans(product: \"payroll\", first: 1) { nodes { id } } }";
const ADD: &str = "mutation($source: PaymentMethodSource!) {
  addPaymentMethod(input: { source: $source }) { paymentMethod { label } userErrors { code message } }
}";
const SUBSCRIBE: &str = "mutation($input: SubscribeInput!) {
  subscribe(input: $input) { payment { id status action { kind } } userErrors { code message } }
}";
const STATE: &str = "{
  subscriptions { nodes { status } }
  invoices { nodes { status amountPaid { minorUnits } } }
  payments { nodes { id status failureCode amount { minorUnits } } }
}";
/// Payroll Starter: 2,000.00 and 16 % on top.
const TOTAL: i64 = 232_000;

mod what_the_documentation_has_one_type_works_when_it_is_pasted {
    use super::{Kind, database, typed_as_documented};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, typed_as_documented).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, typed_as_documented).await;
    }
}

mod what_a_sandbox_charges_at_the_simulators_is_settled_by_what_they_tell_and_agrees_with_their_ledger {
    use super::{Kind, charged_at_the_simulators, database};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, charged_at_the_simulators).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, charged_at_the_simulators).await;
    }
}

/// A process that is killed at the latest when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// `evolve-business gateways`, as a developer starts it.
struct Gateways {
    process: Process,
    stdout: BufReader<ChildStdout>,
    url: String,
    environment: Vec<(String, String)>,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolve-business"));
    command.env_clear().current_dir(std::env::temp_dir()).arg("gateways").args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Gateways {
    /// Starts it on a free port, to tell that server, and reads what it prints.
    fn start(server: &str) -> Self {
        let mut command = command(&["--listen", "127.0.0.1:0", "--server", server]);
        let mut process = Process(command.stderr(Stdio::null()).spawn().unwrap());
        let mut stdout = BufReader::new(process.0.stdout.take().unwrap());
        let (mut environment, mut url) = (Vec::new(), String::new());
        loop {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended: {:?}", process.0.wait());
            if let Some((name, value)) = line.trim().strip_prefix("export ").and_then(|rest| rest.split_once('=')) {
                environment.push((name.to_owned(), value.to_owned()));
                if name == "EVOLVE_STRIPE_URL" {
                    value.clone_into(&mut url);
                }
            }
            if line.contains("docs/gateways.md") {
                return Self { process, stdout, url, environment };
            }
        }
    }

    async fn ledger(&self) -> Value {
        reqwest::get(format!("{}/simulator/ledger", self.url)).await.unwrap().json().await.unwrap()
    }

    /// The ledger when nothing waits to be told any more: a server may act on what it hears before its answer is noted.
    async fn told(&self) -> Value {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..100 {
            looks.tick().await;
            let ledger = self.ledger().await;
            if ledger["deliveries"].as_array().unwrap().iter().all(|told| told["state"] != json!("waiting")) {
                return ledger;
            }
        }
        panic!("something waits after 10 s: {:#}", self.ledger().await["deliveries"]);
    }

    async fn post(&self, path: &str, body: Value) {
        let answer = reqwest::Client::new().post(format!("{}/simulator/{path}", self.url)).json(&body).send().await.unwrap();
        let (status, said) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{body}: {said}");
    }

    /// What the ledger has of a payment of ours.
    async fn intents(&self, payment: &Value) -> Vec<Value> {
        let ledger = self.ledger().await;
        ledger["stripe"]["intents"].as_array().unwrap().iter().filter(|intent| intent["payment"] == *payment).cloned().collect()
    }

    /// SIGTERM: how it ends.
    async fn stop(mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.process.0.id().to_string()]).status().unwrap().success());
        let ended = tokio::task::spawn_blocking(move || {
            let mut rest = String::new();
            self.stdout.read_to_string(&mut rest).unwrap();
            self.process.0.wait().unwrap()
        });
        let status = tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it ends by itself").unwrap();
        assert!(status.success(), "{status}");
    }
}

/// A customer of the server.
struct Customer<'a> {
    server: &'a Server,
    token: String,
}

impl<'a> Customer<'a> {
    async fn register(server: &'a Server, name: &str) -> Self {
        let input = json!({
            "businessName": name, "businessEmail": "office@example.com", "industry": "Retail", "companySize": "SIZE_2_10", "country": "KE",
            "postalCode": "00100", "fullName": name, "email": format!("{name}@example.com"), "password": "correct-horse-battery-staple-9",
        });
        let mut customer = Self { server, token: String::new() };
        let registered = customer.ask(REGISTER, json!({ "input": input })).await;
        registered["register"]["session"]["accessToken"].as_str().unwrap_or_else(|| panic!("{registered}")).clone_into(&mut customer.token);
        customer
    }

    /// One who pays so.
    async fn paying(server: &'a Server, name: &str, source: Value) -> Self {
        let customer = Self::register(server, name).await;
        let added = customer.ask(ADD, json!({ "source": source })).await;
        assert_eq!(added["addPaymentMethod"]["userErrors"], json!([]), "{added}");
        customer
    }

    async fn ask(&self, operation: &str, variables: Value) -> Value {
        let request = reqwest::Client::new().post(self.server.endpoint()).timeout(Duration::from_mins(1));
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let answer = request.json(&json!({ "query": operation, "variables": variables })).send().await.unwrap();
        let mut answer: Value = answer.json().await.unwrap();
        assert_eq!(answer.get("errors"), None, "{answer:#}\n{}", self.server.log());
        answer["data"].take()
    }

    /// Subscribes to the cheapest plan; answers the payment.
    async fn subscribe(&self) -> Value {
        let offers = self.ask(OFFERS, json!({})).await;
        let plan = &offers["plans"]["nodes"][0]["id"];
        let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "idempotencyKey": "the-order" });
        let mut ordered = self.ask(SUBSCRIBE, json!({ "input": input })).await;
        assert_eq!(ordered["subscribe"]["userErrors"], json!([]), "{ordered}");
        ordered["subscribe"]["payment"].take()
    }

    /// Waits until the one payment stands so; answers all that the customer sees.
    async fn until(&self, status: &str) -> Value {
        let mut looks = tokio::time::interval(Duration::from_millis(200));
        let mut state = Value::Null;
        for _ in 0..150 {
            looks.tick().await;
            state = self.ask(STATE, json!({})).await;
            if state["payments"]["nodes"][0]["status"] == json!(status) {
                return state;
            }
        }
        panic!("no payment is {status} after 30 s: {state}\n{}", self.server.log());
    }

    /// Waits until the one payment has succeeded, the invoice is paid and there is access.
    async fn is_served(&self, payment: &Value) {
        let state = self.until("SUCCEEDED").await;
        let amount = json!({ "minorUnits": TOTAL.to_string() });
        assert_eq!(
            state["payments"]["nodes"],
            json!([{ "id": payment["id"], "status": "SUCCEEDED", "failureCode": null, "amount": amount }])
        );
        assert_eq!(state["invoices"]["nodes"], json!([{ "status": "PAID", "amountPaid": amount }]));
        assert_eq!(state["subscriptions"]["nodes"], json!([{ "status": "ACTIVE" }]));
    }
}

async fn charged_at_the_simulators(db: TestDatabase) {
    let port = free_port();
    let gateways = Gateways::start(&format!("http://127.0.0.1:{port}"));
    seed(&db);
    let environment: Vec<(&str, &str)> = gateways.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut server = Server::start_at(port, &db, &environment).await;

    let amina = Customer::paying(&server, "amina", json!({ "cardToken": "pm_card_visa" })).await;
    let by_card = amina.subscribe().await;
    amina.is_served(&by_card).await;
    assert_taken(&gateways.intents(&by_card["id"]).await);

    let brian = Customer::paying(&server, "brian", json!({ "mpesaPhone": "+254712345678" })).await;
    let by_phone = brian.subscribe().await;
    brian.is_served(&by_phone).await;
    let ledger = gateways.ledger().await;
    let prompts = ledger["mpesa"]["prompts"].as_array().unwrap();
    assert_eq!((prompts.len(), &prompts[0]["amount"], &prompts[0]["paid"]), (1, &json!(TOTAL / 100), &json!(true)), "{ledger:#}");

    // A bank that refuses the card at once, and one that declines each charge.
    let chipo = Customer::register(&server, "chipo").await;
    let refused = chipo.ask(ADD, json!({ "source": { "cardToken": "pm_card_chargeDeclined" } })).await;
    assert_eq!(refused["addPaymentMethod"]["userErrors"][0]["code"], json!("PAYMENT_FAILED"), "{refused}");
    let chipo = Customer::paying(&server, "chipo2", json!({ "cardToken": "pm_simulator_insufficient_funds" })).await;
    let declined = chipo.subscribe().await;
    let state = chipo.until("FAILED").await;
    assert_eq!(state["payments"]["nodes"][0]["failureCode"], json!("insufficient_funds"));
    let intents = gateways.intents(&declined["id"]).await;
    assert!(intents.iter().all(|intent| intent["status"] != json!("succeeded")) && !intents.is_empty(), "{intents:?}");

    // The answer is lost; the event makes the question due at once, and there is one charge.
    gateways.post("faults", json!({ "gateway": "stripe", "requests": ["answer_lost"] })).await;
    let dalia = Customer::paying(&server, "dalia", json!({ "cardToken": "pm_card_visa" })).await;
    let lost = dalia.subscribe().await;
    dalia.is_served(&lost).await;
    assert_taken(&gateways.intents(&lost["id"]).await);

    // The bank asks for the customer, who passes.
    let esi = Customer::paying(&server, "esi", json!({ "cardToken": "pm_card_authenticationRequired" })).await;
    let asked = esi.subscribe().await;
    assert_eq!((&asked["status"], &asked["action"]["kind"]), (&json!("REQUIRES_ACTION"), &json!("CLIENT_SECRET")), "{asked}");
    gateways.post("act", json!({ "does": "passes_check", "payment": asked["id"] })).await;
    esi.is_served(&asked).await;
    assert_taken(&gateways.intents(&asked["id"]).await);

    agrees_with_the_ledger(&gateways, &server, [&by_card, &lost, &asked]).await;
    let status = server.stop(Duration::from_secs(45)).await;
    assert!(status.success(), "{status}: {}", server.log());
    gateways.stop().await;
}

/// One intent, of which the whole was taken.
fn assert_taken(intents: &[Value]) {
    let stand: Vec<_> = intents.iter().map(|intent| (&intent["status"], &intent["amount"], &intent["currency"])).collect();
    assert_eq!(stand, [(&json!("succeeded"), &json!(TOTAL), &json!("kes"))]);
}

/// Nothing else was taken, nothing was asked that may not be, and the server took all that it was told.
async fn agrees_with_the_ledger(gateways: &Gateways, server: &Server, paid: [&Value; 3]) {
    let ledger = gateways.told().await;
    let intents = ledger["stripe"]["intents"].as_array().unwrap();
    let taken: Vec<&Value> =
        intents.iter().filter(|intent| intent["status"] == json!("succeeded")).map(|intent| &intent["payment"]).collect();
    assert_eq!(taken, paid.map(|payment| &payment["id"]));
    for gateway in ["stripe", "mpesa"] {
        assert_eq!(ledger[gateway]["malformed"], json!([]), "{gateway}");
    }
    let told = ledger["deliveries"].as_array().unwrap();
    let (events, callbacks): (Vec<&Value>, Vec<&Value>) = told.iter().partition(|told| told["gateway"] == json!("stripe"));
    assert!(events.len() >= 5 && callbacks.len() == 1, "{told:#?}");
    assert!(told.iter().all(|told| told["state"] == json!("taken") && told["answered"] == json!(200)), "{told:#?}\n{}", server.log());
}

#[test]
fn the_program_refuses_what_others_could_reach_and_production() {
    let refused = |arguments: &[&str], mode: Option<&str>| {
        let output = command(arguments).envs(mode.map(|mode| ("EVOLVE_MODE", mode))).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(&["--listen", "0.0.0.0:0"], None);
    assert!(said.contains("`gateways` listens on this machine alone"), "{said}");
    let said = refused(&["--listen", "127.0.0.1:0", "--server", "http://198.51.100.1"], None);
    assert!(said.contains("--server is \"http://198.51.100.1\" and must be a server on this machine"), "{said}");
    // Production has much else to say where nothing is set.
    refused(&["--listen", "127.0.0.1:0"], Some("production"));
}

/// The blocks of the section of docs/gateways.md that are to be typed, for a server and simulators that are elsewhere.
fn documented(server: &str, simulators: &str) -> Vec<String> {
    let (_, after) = include_str!("../../docs/gateways.md").split_once("## Trying it out without an account\n").unwrap();
    let blocks = after.split("\n## ").next().unwrap().split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(|block| block.replace("http://127.0.0.1:8080", server).replace("http://127.0.0.1:8090", simulators)).collect()
}

/// The demo business buys by card, the answer to which is lost, and by phone.
async fn typed_as_documented(db: TestDatabase) {
    let port = free_port();
    let at = format!("http://127.0.0.1:{port}");
    let gateways = Gateways::start(&at);
    let blocks = documented(&at, &gateways.url);
    let [command, start, walk] = &blocks[..] else { panic!("{blocks:#?}") };
    assert_eq!(command, "evolve-business gateways\n");
    let exports: Vec<(&str, &str)> =
        start.lines().filter_map(|line| line.strip_prefix("export ").and_then(|rest| rest.split_once('='))).collect();
    let printed: Vec<(&str, &str)> = gateways.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!((exports.as_slice(), start.lines().last()), (printed.as_slice(), Some("evolve-business serve")));
    let mut server = Server::start_at(port, &db, &exports).await;
    let script = walk.clone();
    let typed = tokio::task::spawn_blocking(move || Command::new("bash").args(["-e", "-o", "pipefail", "-c", &script]).output().unwrap());
    let output = typed.await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}\n{}", output.status, server.log());
    for expected in [
        "{\"status\":\"SUCCEEDED\",\"methodLabel\":\"M-Pesa •••• 678\",\"amount\":{\"amount\":\"3480.00\"}}",
        "{\"status\":\"SUCCEEDED\",\"methodLabel\":\"Visa •••• 4242\",\"amount\":{\"amount\":\"2320.00\"}}",
        "\"receipt\": \"SFC",
    ] {
        assert!(said.contains(expected), "{expected} is not in: {said}");
    }
    let ledger = gateways.ledger().await;
    let intents = ledger["stripe"]["intents"].as_array().unwrap();
    assert_taken(intents);
    assert_eq!(ledger["mpesa"]["prompts"].as_array().unwrap().len(), 1);
    assert!(server.stop(Duration::from_secs(45)).await.success(), "{}", server.log());
    gateways.stop().await;
}
