//! Daraja's simulator for tests: on a free port, remembering everything. It tells nobody of anything by itself here: a test hands its
//! callbacks over, as late, often and garbled as it likes. At its end nothing malformed may have been asked of it.

use std::ops::Deref;
use std::sync::Arc;

use evolve_business::adapters::payment::simulator::daraja::DarajaSimulator;
use evolve_business::clock::ManualClock;
use jiff::Timestamp;

pub(crate) use evolve_business::adapters::payment::simulator::Fault;
pub(crate) use evolve_business::adapters::payment::simulator::daraja::{
    CONSUMER_KEY, CONSUMER_SECRET, CREDENTIAL, Holder, INITIATOR, PASSKEY, SHORT_CODE,
};

use crate::stripe_simulator::{listen, options};

/// Where the server is said to be that Daraja tells.
pub(crate) const CALLBACK_URL: &str = "http://127.0.0.1:1";

/// The simulator, until its test ends.
pub(crate) struct Daraja {
    pub(crate) url: String,
    daraja: DarajaSimulator,
}

impl Deref for Daraja {
    type Target = DarajaSimulator;

    fn deref(&self) -> &DarajaSimulator {
        &self.daraja
    }
}

impl Drop for Daraja {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.malformed(), Vec::<String>::new(), "asked of Daraja, and nobody may");
        }
    }
}

impl Daraja {
    /// Listens on a free port.
    pub(crate) async fn start() -> Self {
        let daraja = DarajaSimulator::new(options(Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH))));
        Self { url: listen(daraja.router()).await, daraja }
    }

    /// The holder of the phone of the newest prompt pays, or ends it with that code.
    pub(crate) fn act(&self, ends: Option<&str>) {
        assert!(self.daraja.act(None, ends.unwrap_or("0")), "no prompt is open");
    }

    /// What Daraja has to tell, the oldest first: the address, and the body.
    pub(crate) fn callbacks(&self) -> Vec<(String, String)> {
        self.daraja.callbacks().into_iter().map(|told| (told.address, told.body)).collect()
    }

    /// Tells a server; answers the status and the body of its answer.
    pub(crate) async fn tell(server: &str, (address, body): &(String, String)) -> (u16, String) {
        let address = address.replacen(CALLBACK_URL, server, 1);
        let answer = reqwest::Client::new().post(address).body(body.clone()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}
