//! Stripe and Daraja on this machine: HTTP servers that speak as much of them as the adapters do, keep the truth about what was charged,
//! and fail on demand. The tests take them as their judge, and `evolve-business gateways` serves them to whoever tries a sandbox out.
//!
//! Neither knows anything of this program's rows. What a request must have and has not is answered as the original answers it, and
//! remembered ([`stripe::StripeSimulator::malformed`]), so that a test can say that there was none. Nothing is kept on disk, and of
//! everything the newest so many alone ([`Options::most`]).

use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::courier::Courier;
use self::daraja::DarajaSimulator;
pub use self::faults::{CallbackFault, Fault};
use self::stripe::StripeSimulator;
use crate::clock::SharedClock;

mod answers;
mod control;
pub mod courier;
pub mod daraja;
mod faults;
mod kept;
pub mod stripe;

/// Which gateway is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Simulated {
    /// Stripe.
    Stripe,
    /// Daraja.
    Mpesa,
}

impl Simulated {
    /// Its name in logs.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "Stripe",
            Self::Mpesa => "M-Pesa",
        }
    }
}

/// How simulators behave.
#[derive(Clone)]
pub struct Options {
    /// What time it is, and what waits.
    pub clock: SharedClock,
    /// What ids have in them, so that those of two runs differ: letters and digits.
    pub run: String,
    /// How many of each thing are remembered.
    pub most: usize,
    /// When a request that is late arrives; none where whoever asked for that says when.
    pub late_after: Option<Duration>,
    /// What the holder of a number does with a prompt, where nothing else was said of it.
    pub holder: fn(&str) -> daraja::Holder,
}

/// Both of them, with whoever tells what they have to tell. Its clones are one.
#[derive(Clone)]
pub struct Simulation {
    /// Cards.
    pub stripe: StripeSimulator,
    /// Phones.
    pub daraja: DarajaSimulator,
    /// Whoever tells a server of it.
    pub courier: Courier,
}

impl Simulation {
    /// The paths of both, and those below `/simulator/` by which whoever tries this out sees and does things.
    pub fn router(&self) -> Router {
        let router = self.stripe.router().merge(self.daraja.router()).merge(control::router(self.clone()));
        router.fallback(nothing_here)
    }

    /// How many faults of a gateway's requests wait, and how many in a hundred answers are lost besides.
    fn faults(&self, of: Simulated) -> (usize, u64) {
        match of {
            Simulated::Stripe => self.stripe.faults(),
            Simulated::Mpesa => self.daraja.faults(),
        }
    }
}

/// What other paths are answered.
async fn nothing_here() -> Response {
    answers::said(404, &json!({ "error": "There is nothing here: see GET /simulator/ledger, or docs/gateways.md." }))
}

/// Whether an address is of this machine, in plain HTTP.
pub fn is_here(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("http") && is_loopback
}
