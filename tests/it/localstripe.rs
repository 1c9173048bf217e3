//! The adapter of Stripe against an implementation that is not ours: localstripe, in a process of its own. It refuses what Stripe's pages do not name, and
//! signs what it tells. What it does not do as Stripe does (keys, disputes, intents of a customer or of a span
//! of time) is for the simulator.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use evolve_business::adapters::payment::registry::Gateways;
use evolve_business::adapters::payment::stripe::{StripeGateway, StripeOptions};
use evolve_business::adapters::payment::{
    BegunCharge, ChargeAnswer, ChargeRequest, LookUpAnswer, MethodSource, PaymentGateway as _, RefundAnswer, RefundLookUpAnswer,
    RefundRequest, WayBack,
};
use evolve_business::clock::{Clock as _, SystemClock};
use evolve_business::money::{Currency, Money};
use evolve_business::services::{Parts, Ports};
use serde_json::Value;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::stripe_simulator::WEBHOOK_SECRET;
use crate::world::World;
use crate::world_payments::until;

both!(a_card_is_charged_at_localstripe_and_what_that_signs_is_heard);

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/localstripe/server.py");
const KEY: &str = "sk_test_localstripe";

/// localstripe; it ends when its standard input is closed, which is when the test ends.
struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    url: String,
}

impl Peer {
    /// Starts one; `None`, said loudly, where there is none. Under CI that fails.
    fn start() -> Option<Self> {
        let python = std::env::var("EVOLVE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let found = Command::new(&python).args(["-c", "import localstripe"]).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("CI").is_none(), "no localstripe under CI: {python} does not know it");
            let line = format!(
                "\n!!! SKIPPED: a test of Stripe did nothing: {python} has no localstripe; name one that has by EVOLVE_TEST_PYTHON.\n\n"
            );
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
        let mut command = Command::new(python);
        let mut child = command.arg(SERVER).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let url = format!("http://127.0.0.1:{}", first.trim().strip_prefix("port ").unwrap());
        let stdin = child.stdin.take();
        Some(Self { child, stdin, url })
    }

    /// What a browser or an operator would ask of it.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = reqwest::Client::new().post(format!("{}{path}", self.url)).bearer_auth(KEY);
        let answer = request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A card that Stripe's form has taken: its method.
    async fn card(&self, number: &str) -> String {
        let form =
            [("type", "card"), ("card[number]", number), ("card[exp_month]", "12"), ("card[exp_year]", "2030"), ("card[cvc]", "123")];
        self.post("/v1/payment_methods", &form).await["id"].as_str().unwrap().to_owned()
    }

    fn gateway(&self) -> StripeGateway {
        let limit = Duration::from_secs(10);
        let publishable_key = "pk_test_localstripe".to_owned();
        let options =
            StripeOptions { url: self.url.clone(), secret_key: KEY.into(), publishable_key, request_limit: limit, call_limit: limit };
        StripeGateway::new(&options, Arc::new(SystemClock)).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // One that has ended already is what is wanted.
        drop(self.child.wait());
    }
}

fn shillings(amount: &str) -> Money {
    Money::parse(amount, Currency::from_code("KES").unwrap()).unwrap()
}

/// A charge of 34.80.
fn charge(key: &str, method_reference: &str) -> ChargeRequest {
    ChargeRequest {
        key: key.to_owned(),
        amount: shillings("34.80"),
        method_reference: method_reference.to_owned(),
        description: "Invoice INV-2027-000001".to_owned(),
        age: Duration::ZERO,
        back: WayBack::default(),
    }
}

async fn a_card_is_charged_at_localstripe_and_what_that_signs_is_heard(db: TestDatabase) {
    let Some(peer) = Peer::start() else { return };
    let gateway = peer.gateway();
    // What it signs is told to a server, whose clock is real.
    let world = World::at(db, &SystemClock.now().to_string()).await;
    let sandbox = Arc::new(world.gateway.clone());
    let gateways = Gateways::new(vec![sandbox.clone(), Arc::new(peer.gateway())]);
    let ports = Ports::new(Parts { gateways, ..world.parts(sandbox) });
    let world = World { ports, ..world };
    let server = Server::start(&world).await;
    let told = format!("{}/gateways/stripe/events", server.url);
    let hook = [("url", told.as_str()), ("secret", WEBHOOK_SECRET), ("events[]", "payment_intent.succeeded")];
    peer.post("/_config/webhooks/ours", &hook).await;
    // Another, by a secret that is not ours: it is refused, and nothing of it is remembered.
    let forged = [("url", told.as_str()), ("secret", "whsec_of_another"), ("events[]", "payment_intent.succeeded")];
    peer.post("/_config/webhooks/forged", &forged).await;

    // A card that was set up by a setup intent, off session from then on.
    let setup = peer.post("/v1/setup_intents", &[("usage", "off_session")]).await["id"].as_str().unwrap().to_owned();
    let card = peer.card("4242424242424242").await;
    peer.post(&format!("/v1/setup_intents/{setup}/confirm"), &[("payment_method", card.as_str())]).await;
    let attached = gateway.attach(MethodSource::CardToken(setup)).await.unwrap();
    assert_eq!((attached.label.as_str(), attached.expires_on.unwrap().to_string()), ("Visa •••• 4242", "2030-12-31".to_owned()));
    let ChargeAnswer::Succeeded(success) = gateway.charge(charge("pay_one", &attached.reference)).await else { panic!("not charged") };
    let begun = BegunCharge {
        key: "pay_one".to_owned(),
        amount: shillings("34.80"),
        method_reference: attached.reference.clone(),
        reference: Some(success.reference.clone()),
        age: Duration::ZERO,
        back: WayBack::default(),
    };
    assert_eq!(gateway.look_up(&begun).await, LookUpAnswer::Succeeded(success.clone()));
    // A part of it is paid back, once.
    let refund = RefundRequest {
        key: "ref_one".to_owned(),
        charge_key: "pay_one".to_owned(),
        charge_reference: success.reference.clone(),
        charge_receipt: None,
        amount: shillings("11.60"),
        again: false,
        back: WayBack::default(),
    };
    assert_eq!(gateway.look_up_refund(&refund).await, RefundLookUpAnswer::NotFound);
    let RefundAnswer::Succeeded(first) = gateway.refund(refund.clone()).await else { panic!("not paid back") };
    assert_eq!(gateway.refund(refund.clone()).await, RefundAnswer::Succeeded(first.clone()));
    assert_eq!(gateway.look_up_refund(&refund).await, RefundLookUpAnswer::Succeeded(first));
    // One that its bank declines: by its method, without a setup.
    let declined = gateway.attach(MethodSource::CardToken(peer.card("4000000000000341").await)).await.unwrap();
    let ChargeAnswer::Failed(decline) = gateway.charge(charge("pay_two", &declined.reference)).await else { panic!("charged") };
    assert_eq!(decline.code, "card_declined");

    until(async || world.number("select count(*) from gateway_events").await == 1).await;
    let kinds = world.read_texts("select kind || ' ' || gateway from gateway_events").await;
    assert_eq!(kinds, ["payment_intent.succeeded stripe"]);
}
