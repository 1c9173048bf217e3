//! Stripe's simulator for tests: on a free port, on a clock that stands until it is set, remembering everything. At its end nothing
//! malformed may have been asked of it.

use std::ops::Deref;
use std::sync::Arc;

use evolve_business::adapters::payment::simulator::Options;
use evolve_business::adapters::payment::simulator::daraja::Holder;
use evolve_business::adapters::payment::simulator::stripe::{self, EnteredCard, StripeSimulator};
use evolve_business::clock::ManualClock;
use evolve_business::http::server::{ServerLimits, serve};
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;

pub(crate) use evolve_business::adapters::payment::simulator::Fault;
pub(crate) use evolve_business::adapters::payment::simulator::stripe::{Card, SECRET_KEY, WEBHOOK_SECRET};

/// Serves a simulator until the test ends; answers where.
pub(crate) async fn listen(router: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, router, ServerLimits::default(), std::future::pending()));
    url
}

/// What simulators of tests are like.
pub(crate) fn options(clock: Arc<ManualClock>) -> Options {
    Options { clock, run: String::new(), most: usize::MAX, late_after: None, holder: |_| Holder::Pays }
}

/// The simulator, until its test ends.
pub(crate) struct Simulator {
    pub(crate) url: String,
    stripe: StripeSimulator,
    clock: Arc<ManualClock>,
}

impl Deref for Simulator {
    type Target = StripeSimulator;

    fn deref(&self) -> &StripeSimulator {
        &self.stripe
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.malformed(), Vec::<String>::new(), "asked of Stripe, and nobody may");
        }
    }
}

impl Simulator {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let stripe = StripeSimulator::new(options(clock.clone()));
        Self { url: listen(stripe.router()).await, stripe, clock }
    }

    /// A card that was entered into Stripe's form: its token.
    pub(crate) fn card(&self, card: Card) -> String {
        self.enter(EnteredCard { card, brand: "visa", last4: "4242", expires: (2, 2028) })
    }

    /// What the clock of Stripe shows from now on.
    pub(crate) fn at(&self, now: &str) {
        self.clock.set(now.parse().unwrap());
    }

    /// The customer of the newest intent that waits passes the bank's check, or fails it.
    pub(crate) fn act(&self, passes: bool) {
        assert!(self.stripe.act(None, passes), "nobody is asked");
    }

    /// The events that Stripe has to tell, the oldest first.
    pub(crate) fn events(&self) -> Vec<String> {
        self.stripe.events().into_iter().map(|event| event.body).collect()
    }

    /// A payer's bank disputes so much of a payment of ours; answers what Stripe calls that.
    pub(crate) fn dispute(&self, payment: &str, amount: i64, status: &'static str, moved: &[i64]) -> String {
        self.stripe.dispute(payment, Some(amount), status, moved).unwrap()
    }

    /// What has become of a dispute.
    pub(crate) fn dispute_goes(&self, id: &str, status: &'static str, moved: &[i64]) {
        assert!(self.stripe.dispute_goes(id, status, moved), "there is no {id}");
    }

    /// Money of a dispute moves, after it was decided.
    pub(crate) fn dispute_pays(&self, id: &str, moved: &[i64]) {
        assert!(self.stripe.dispute_pays(id, moved), "there is no {id}");
    }

    /// Lists a payment of ours otherwise than it was, from now on.
    pub(crate) fn tamper(&self, payment: &str, change: impl FnOnce(&mut Value)) {
        assert!(self.stripe.tamper(payment, change), "there is no {payment}");
    }

    /// Somebody charges a card in the dashboard, under a payment's id or none.
    pub(crate) fn made_by_hand(&self, amount: i64, payment: Option<&str>) {
        self.charged_by_hand(amount, "kes", payment);
    }

    /// Somebody pays a part of a payment of ours back in the dashboard.
    pub(crate) fn refunded_by_hand(&self, payment: &str, amount: i64) {
        assert!(self.stripe.refunded_by_hand(payment, amount), "there is no {payment}");
    }

    /// Tells one event to a server; answers the status of its answer.
    pub(crate) async fn tell(server: &str, body: &str, header: &str) -> u16 {
        let request = reqwest::Client::new().post(format!("{server}/gateways/stripe/events")).header("stripe-signature", header);
        request.body(body.to_owned()).send().await.unwrap().status().as_u16()
    }

    /// The header that signs a body at an instant.
    pub(crate) fn sign(secret: &str, body: &str, at: Timestamp) -> String {
        stripe::sign(secret, body, at).unwrap()
    }
}
