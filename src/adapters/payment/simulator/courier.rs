//! Tells a server what the simulators have to tell, as the originals do by themselves: Stripe's events signed and again until they are
//! taken, Daraja's callbacks once, at the addresses that came with the requests. It calls this machine alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::wire::{AGENT, Wire};
use super::daraja::DarajaSimulator;
use super::faults::CallbackFault;
use super::kept::Newest;
use super::stripe::{self, StripeSimulator};
use super::{Simulated, is_here};
use crate::clock::SharedClock;
use crate::error::Cause;

/// How long a server may take to take something.
const CALL: Duration = Duration::from_secs(10);
/// How many calls are under way at once.
const AT_ONCE: usize = 16;
/// How long something is held for the next one, before which it was to come.
const HELD: Duration = Duration::from_secs(30);
/// How long what is under way may take when it is to stop.
const STOP: Duration = Duration::from_secs(5);
/// When an event that was not taken is sent again. The original goes on for three days.
pub const PAUSES: [Duration; 5] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15), Duration::from_mins(1), Duration::from_mins(5)];
/// How long after it happened the originals tell of something, about.
pub const DELAY: Duration = Duration::from_secs(1);
/// What signs an event that somebody else sends.
const OTHER_SECRET: &str = "whsec_of_somebody_else";

/// How it is told.
#[derive(Clone)]
pub struct CourierOptions {
    /// Where the server takes Stripe's events.
    pub events_url: String,
    /// How long after it happened something is told: by then whoever asked has had the answer, or lost it.
    pub delay: Duration,
    /// When an event that was not taken is sent again.
    pub pauses: Vec<Duration>,
    /// What time it is, and what waits.
    pub clock: SharedClock,
    /// How many deliveries are remembered, and may wait.
    pub most: usize,
}

/// What is to be told.
#[derive(Debug)]
struct Told {
    /// Which delivery it is.
    number: String,
    /// By whom.
    gateway: Simulated,
    /// Where.
    address: String,
    /// What.
    body: String,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It is to be told, or to be told again.
    Waiting,
    /// The server has taken it.
    Taken,
    /// The server did not, and it is not told again.
    GivenUp,
    /// It is not told, by a fault that was asked for.
    Missing,
}

/// A delivery as the ledger has it.
#[derive(Debug, Serialize)]
struct Delivery {
    /// By whom.
    gateway: Simulated,
    /// What it is about: of Stripe an event's id, of Daraja a prompt or conversation.
    of: String,
    /// What happened, e.g. `payment_intent.succeeded`.
    kind: &'static str,
    /// How it went so far.
    state: State,
    /// How often it was sent.
    tries: u32,
    /// The status of the last answer; none where there was none.
    answered: Option<u16>,
}

/// What is remembered.
struct Desk {
    /// What goes wrong with what Stripe tells next.
    stripe_faults: VecDeque<CallbackFault>,
    /// The same of Daraja.
    mpesa_faults: VecDeque<CallbackFault>,
    /// What is told after the next one of its gateway.
    held: Vec<Told>,
    /// By their numbers.
    deliveries: Newest<Delivery>,
    /// How many there were.
    made: u64,
}

/// Whoever tells. Its clones are one.
#[derive(Clone)]
pub struct Courier {
    /// Who has something to tell.
    stripe: StripeSimulator,
    /// The same.
    daraja: DarajaSimulator,
    /// How it is told.
    options: CourierOptions,
    /// The client of HTTP.
    wire: Wire,
    /// Room for calls.
    slots: Arc<Semaphore>,
    /// What is remembered.
    desk: Arc<Mutex<Desk>>,
    /// What is under way.
    tasks: TaskTracker,
    /// Ends it.
    stop: CancellationToken,
}

impl Desk {
    /// The faults of a gateway that are still to come.
    fn faults(&mut self, of: Simulated) -> &mut VecDeque<CallbackFault> {
        match of {
            Simulated::Stripe => &mut self.stripe_faults,
            Simulated::Mpesa => &mut self.mpesa_faults,
        }
    }
}

impl Courier {
    /// One that has told nothing yet.
    ///
    /// # Errors
    /// Where a client of HTTP cannot be set up.
    pub fn new(stripe: StripeSimulator, daraja: DarajaSimulator, options: CourierOptions, stop: CancellationToken) -> Result<Self, Cause> {
        let desk = Desk {
            stripe_faults: VecDeque::new(),
            mpesa_faults: VecDeque::new(),
            held: Vec::new(),
            deliveries: Newest::new(options.most),
            made: 0,
        };
        let wire = Wire::new("", CALL)?;
        let (slots, tasks) = (Arc::new(Semaphore::new(AT_ONCE)), TaskTracker::new());
        Ok(Self { stripe, daraja, options, wire, slots, desk: Arc::new(Mutex::new(desk)), tasks, stop })
    }

    /// What is remembered, for as long as nobody else may look.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with the next things that a gateway tells, one each; answers how many wait.
    pub(super) fn fail(&self, gateway: Simulated, faults: impl IntoIterator<Item = CallbackFault>) -> usize {
        let mut desk = self.desk();
        let queue = desk.faults(gateway);
        queue.extend(faults);
        queue.len()
    }

    /// What was told, the oldest first.
    pub(super) fn ledger(&self) -> Value {
        json!(self.desk().deliveries.iter().collect::<Vec<_>>())
    }

    /// Tells what there is to tell until it is to stop.
    pub async fn run(self) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.stripe.rung() => {}
                () = self.daraja.rung() => {}
            }
            for event in self.stripe.events() {
                self.take(Simulated::Stripe, event.id, event.kind, self.options.events_url.clone(), event.body);
            }
            for callback in self.daraja.callbacks() {
                self.take(Simulated::Mpesa, callback.of, "callback", callback.address, callback.body);
            }
        }
        self.tasks.close();
        if tokio::time::timeout(STOP, self.tasks.wait()).await.is_err() {
            tracing::warn!("what was being told was cut");
        }
    }

    /// Takes one thing in hand, with what goes wrong with it.
    fn take(&self, gateway: Simulated, of: String, kind: &'static str, address: String, body: String) {
        let mut desk = self.desk();
        desk.made += 1;
        let number = desk.made.to_string();
        let delivery = Delivery { gateway, of, kind, state: State::Waiting, tries: 0, answered: None };
        desk.deliveries.insert(number.clone(), delivery);
        let told = Told { number, gateway, address, body };
        let fault = desk.faults(gateway).pop_front();
        if fault == Some(CallbackFault::Reordered) {
            let number = told.number.clone();
            desk.held.push(told);
            drop(desk);
            return self.release_later(number);
        }
        let held = desk.held.extract_if(.., |held| held.gateway == gateway).collect::<Vec<_>>();
        drop(desk);
        if self.tasks.len() >= self.options.most {
            tracing::warn!(gateway = gateway.as_str(), "too much waits to be told: what came last is not told");
            return self.note(&told, State::GivenUp, None, 0);
        }
        let courier = self.clone();
        self.spawn(async move {
            courier.tell(&told, fault).await;
            for held in held {
                courier.deliver(&held, false).await;
            }
        });
    }

    /// Tells what is held for the next one, where none comes for long.
    fn release_later(&self, number: String) {
        let (courier, waited) = (self.clone(), self.options.clock.sleep(HELD));
        self.spawn(async move {
            waited.await;
            let held = courier.desk().held.extract_if(.., |held| held.number == number).collect::<Vec<_>>();
            for held in held {
                courier.deliver(&held, false).await;
            }
        });
    }

    /// Does something beside until it is to stop.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move { stop.run_until_cancelled_owned(work).await });
    }

    /// Tells one thing, with what goes wrong with it.
    async fn tell(&self, told: &Told, fault: Option<CallbackFault>) {
        self.options.clock.sleep(self.options.delay).await;
        match fault {
            None | Some(CallbackFault::Reordered) => self.deliver(told, false).await,
            Some(CallbackFault::Duplicate) => {
                self.deliver(told, false).await;
                self.deliver(told, false).await;
            }
            Some(CallbackFault::Late(millis)) => {
                self.options.clock.sleep(Duration::from_millis(millis)).await;
                self.deliver(told, false).await;
            }
            Some(CallbackFault::Missing) => self.note(told, State::Missing, None, 0),
            Some(CallbackFault::WrongSignature) => self.deliver(told, true).await,
        }
    }

    /// Sends one thing until it is taken, as often as its gateway does; once where it is forged.
    async fn deliver(&self, told: &Told, is_forged: bool) {
        let resends = told.gateway == Simulated::Stripe && !is_forged;
        let mut pauses = self.options.pauses.iter().filter(|_| resends);
        loop {
            let answered = self.send(told, is_forged).await;
            let is_taken = answered.is_some_and(|status| (200..300).contains(&status));
            let pause = pauses.next().filter(|_| !is_taken);
            let state = match pause {
                _ if is_taken => State::Taken,
                Some(_) => State::Waiting,
                None => State::GivenUp,
            };
            self.note(told, state, answered, 1);
            let Some(pause) = pause else { return };
            self.options.clock.sleep(*pause).await;
        }
    }

    /// Sends one thing once; answers the status of the answer.
    async fn send(&self, told: &Told, is_forged: bool) -> Option<u16> {
        // Closed never.
        let _slot = self.slots.acquire().await.ok()?;
        let request = self.request(told, is_forged)?;
        let (status, _) = self.wire.send(request, "a simulator's callback", told.gateway.as_str()).await?;
        Some(status)
    }

    /// The request; none to another machine.
    fn request(&self, told: &Told, is_forged: bool) -> Option<Request<Full<Bytes>>> {
        let mut address = told.address.clone();
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json")), (USER_AGENT, AGENT)];
        match told.gateway {
            Simulated::Stripe => {
                let secret = if is_forged { OTHER_SECRET } else { stripe::WEBHOOK_SECRET };
                let signature = stripe::sign(secret, &told.body, self.options.clock.now())?;
                headers.push((http::HeaderName::from_static("stripe-signature"), HeaderValue::from_str(&signature).ok()?));
            }
            // Nothing is signed: what proves who speaks is the end of the address.
            Simulated::Mpesa if is_forged => {
                let last = address.pop()?;
                address.push(if last == 'x' { 'y' } else { 'x' });
            }
            Simulated::Mpesa => {}
        }
        let uri = address.parse::<Uri>().ok().filter(is_here);
        let Some(uri) = uri else {
            tracing::warn!(gateway = told.gateway.as_str(), "an address is not on this machine, and nothing is told to it");
            return None;
        };
        let mut request = Request::new(Full::new(Bytes::from(told.body.clone())));
        (*request.method_mut(), *request.uri_mut()) = (Method::POST, uri);
        request.headers_mut().extend(headers);
        Some(request)
    }

    /// Notes how it went, and says so.
    fn note(&self, told: &Told, state: State, answered: Option<u16>, tries: u32) {
        let mut desk = self.desk();
        // Gone where there were too many since.
        let Some(delivery) = desk.deliveries.get_mut(&told.number) else { return };
        (delivery.state, delivery.answered) = (state, answered);
        delivery.tries = delivery.tries.saturating_add(tries);
        let (gateway, of, kind, tries) = (told.gateway.as_str(), delivery.of.as_str(), delivery.kind, delivery.tries);
        match state {
            State::Taken => tracing::info!(gateway, of, kind, tries, answered, "told"),
            State::Missing => tracing::info!(gateway, of, kind, "not told, as was asked for"),
            State::Waiting => tracing::warn!(gateway, of, kind, tries, answered, "not taken; it is told again"),
            State::GivenUp => tracing::warn!(gateway, of, kind, tries, answered, "not taken, and not told again"),
        }
    }
}
