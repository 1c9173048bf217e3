//! What whoever tries a sandbox out may do and see: the ledger of what was truly done, faults on demand, and what customers and banks do.
//! What makes no sense is answered with a sentence, and changes nothing.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answers::{MAX_BODY_BYTES, said};
use super::faults::{CallbackFault, Fault};
use super::{Simulated, Simulation};

/// How many faults may wait.
const MOST_FAULTS: usize = 1_000;
/// The longest that something may be slow or late, in milliseconds.
const MOST_MILLIS: u64 = 600_000;
/// The most that Stripe charges, as it writes that.
const MOST_AMOUNT: i64 = 99_999_999;
/// The longest code of a prompt's end.
const MOST_CODE_BYTES: usize = 16;

/// What goes wrong with requests, as it is asked for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RequestFault {
    /// [`Fault::RequestLost`]
    RequestLost,
    /// [`Fault::AnswerLost`]
    AnswerLost,
    /// [`Fault::ErrorAfterEffect`]
    ErrorAfterEffect,
    /// [`Fault::Slow`], by so many milliseconds.
    Slow(u64),
    /// [`Fault::Late`]
    Late,
    /// [`Fault::Busy`]
    Busy,
    /// [`Fault::NoToken`]
    NoToken,
}

/// Faults that are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultsInput {
    /// Of which gateway.
    gateway: Simulated,
    /// With its next requests, one each.
    #[serde(default)]
    requests: Vec<RequestFault>,
    /// With what it tells next, one each.
    #[serde(default)]
    callbacks: Vec<CallbackFault>,
    /// How many in a hundred answers are lost from now on.
    lost_percent: Option<u64>,
}

/// What somebody does.
#[derive(Debug, Deserialize)]
#[serde(tag = "does", rename_all = "snake_case", deny_unknown_fields)]
enum ActInput {
    /// The customer passes the bank's check.
    PassesCheck { payment: Option<String> },
    /// The customer fails it.
    FailsCheck { payment: Option<String> },
    /// The holder of a phone enters the PIN.
    Pays { phone: Option<String> },
    /// The holder of a phone, or M-Pesa, ends a prompt with that code.
    Ends { phone: Option<String>, code: String },
    /// What was late arrives now.
    LateArrives {},
    /// A payer's bank disputes a charge, and takes the money.
    Disputes { payment: String, amount: Option<i64> },
    /// The bank decides for us, and gives the money back.
    DisputeWon { dispute: String },
    /// The bank decides against us.
    DisputeLost { dispute: String },
    /// Somebody charges a card in the dashboard.
    ChargesByHand { amount: i64, currency: String },
    /// Somebody pays back in the dashboard.
    RefundsByHand { payment: String, amount: i64 },
}

/// A sentence for whoever asked.
type Refused = String;

/// Its paths.
pub(super) fn router(simulation: Simulation) -> Router {
    let router =
        Router::new().route("/simulator/ledger", get(ledger)).route("/simulator/faults", post(faults)).route("/simulator/act", post(act));
    router.layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(simulation)
}

/// What was truly done at each gateway, and what was told of it.
async fn ledger(State(simulation): State<Simulation>) -> Response {
    let Simulation { stripe, daraja, courier } = &simulation;
    let ledger = json!({ "stripe": stripe.ledger(), "mpesa": daraja.ledger(), "deliveries": courier.ledger() });
    // For people, over lines.
    ([(CONTENT_TYPE, "application/json")], format!("{ledger:#}\n")).into_response()
}

/// Has things go wrong.
async fn faults(State(simulation): State<Simulation>, headers: HeaderMap, body: Bytes) -> Response {
    answer(read(&headers, &body).and_then(|input| fail(&simulation, input)))
}

/// Has somebody do something.
async fn act(State(simulation): State<Simulation>, headers: HeaderMap, body: Bytes) -> Response {
    answer(read(&headers, &body).and_then(|input| done(&simulation, input)))
}

/// An answer, or a sentence about why there is none.
fn answer(done: Result<Value, Refused>) -> Response {
    match done {
        Ok(body) => said(200, &body),
        Err(sentence) => said(400, &json!({ "error": sentence })),
    }
}

/// What was asked. Only JSON that says it is JSON: no page of a stranger can have a browser send that.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refused> {
    let is_json = |value: &http::HeaderValue| {
        value.to_str().is_ok_and(|text| text.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json"))
    };
    if !headers.get(CONTENT_TYPE).is_some_and(is_json) {
        return Err("Send JSON with the header content-type: application/json.".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| format!("That cannot be read: {error}."))
}

/// Has things go wrong.
fn fail(simulation: &Simulation, input: FaultsInput) -> Result<Value, Refused> {
    let FaultsInput { gateway, requests, callbacks, lost_percent } = input;
    if requests.is_empty() && callbacks.is_empty() && lost_percent.is_none() {
        return Err("Say what is to go wrong: requests, callbacks or lost_percent.".to_owned());
    }
    if lost_percent.is_some_and(|percent| percent > 100) {
        return Err("lost_percent must be at most 100.".to_owned());
    }
    let slow = requests.iter().filter_map(|fault| if let RequestFault::Slow(millis) = fault { Some(*millis) } else { None });
    let late = callbacks.iter().filter_map(|fault| if let CallbackFault::Late(millis) = fault { Some(*millis) } else { None });
    if slow.chain(late).any(|millis| millis > MOST_MILLIS) {
        return Err(format!("Nothing is slow or late by more than {MOST_MILLIS} milliseconds."));
    }
    let courier = &simulation.courier;
    let (waiting, told) = (simulation.faults(gateway).0, courier.fail(gateway, []));
    if waiting.saturating_add(requests.len()) > MOST_FAULTS || told.saturating_add(callbacks.len()) > MOST_FAULTS {
        return Err(format!("No more than {MOST_FAULTS} faults may wait."));
    }
    let requests = requests.into_iter().map(|fault| match fault {
        RequestFault::RequestLost => Fault::RequestLost,
        RequestFault::AnswerLost => Fault::AnswerLost,
        RequestFault::ErrorAfterEffect => Fault::ErrorAfterEffect,
        RequestFault::Slow(millis) => Fault::Slow(Duration::from_millis(millis)),
        RequestFault::Late => Fault::Late,
        RequestFault::Busy => Fault::Busy,
        RequestFault::NoToken => Fault::NoToken,
    });
    match gateway {
        Simulated::Stripe => simulation.stripe.fail(requests),
        Simulated::Mpesa => simulation.daraja.fail(requests),
    }
    match (gateway, lost_percent) {
        (Simulated::Stripe, Some(percent)) => simulation.stripe.lose_answers(percent),
        (Simulated::Mpesa, Some(percent)) => simulation.daraja.lose_answers(percent),
        (_, None) => {}
    }
    let told = courier.fail(gateway, callbacks);
    let (waiting, lost_percent) = simulation.faults(gateway);
    Ok(json!({ "gateway": gateway, "waiting": { "requests": waiting, "callbacks": told }, "lost_percent": lost_percent }))
}

/// Has somebody do something.
fn done(simulation: &Simulation, input: ActInput) -> Result<Value, Refused> {
    let Simulation { stripe, daraja, .. } = simulation;
    let bare = |phone: Option<String>| phone.map(|phone| phone.trim_start_matches('+').to_owned());
    let (is_done, otherwise) = match input {
        ActInput::PassesCheck { payment } => (stripe.act(payment.as_deref(), true), "No such payment waits for its customer."),
        ActInput::FailsCheck { payment } => (stripe.act(payment.as_deref(), false), "No such payment waits for its customer."),
        ActInput::Pays { phone } => (daraja.act(bare(phone).as_deref(), "0"), "No such prompt is open."),
        ActInput::Ends { phone, code } => {
            let is_code = !code.is_empty() && code.len() <= MOST_CODE_BYTES && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !is_code || code == "0" {
                return Err("code must be what M-Pesa would tell, e.g. 1032; to pay is another act.".to_owned());
            }
            (daraja.act(bare(phone).as_deref(), &code), "No such prompt is open.")
        }
        ActInput::LateArrives {} => {
            return Ok(json!({ "stripe": stripe.let_late_arrive().len(), "mpesa": daraja.let_late_arrive() }));
        }
        ActInput::Disputes { payment, amount } => {
            let (payment, charged) = charged(simulation, &payment)?;
            let amount = amount.unwrap_or(charged);
            if !(1..=charged).contains(&amount) {
                return Err(format!("amount must be 1 to {charged}."));
            }
            let dispute = stripe.dispute(&payment, Some(amount), "needs_response", &[amount.saturating_neg()]);
            return dispute.map(|id| json!({ "dispute": id })).ok_or_else(|| "No such payment was charged.".to_owned());
        }
        ActInput::DisputeWon { dispute } => (stripe.decide(&dispute, true), "No such dispute is open."),
        ActInput::DisputeLost { dispute } => (stripe.decide(&dispute, false), "No such dispute is open."),
        ActInput::ChargesByHand { amount, currency } => {
            let currency = currency.to_ascii_lowercase();
            if !(1..=MOST_AMOUNT).contains(&amount) || currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
                return Err("amount must be 1 to 99999999, as Stripe writes it, and currency three letters.".to_owned());
            }
            stripe.charged_by_hand(amount, &currency, None);
            (true, "")
        }
        ActInput::RefundsByHand { payment, amount } => {
            let (payment, charged) = charged(simulation, &payment)?;
            if !(1..=charged).contains(&amount) {
                return Err(format!("amount must be 1 to {charged}."));
            }
            (stripe.refunded_by_hand(&payment, amount), "So much is not left of that payment.")
        }
    };
    if is_done { Ok(json!({ "done": true })) } else { Err(otherwise.to_owned()) }
}

/// A payment with what was charged for it.
fn charged(simulation: &Simulation, payment: &str) -> Result<(String, i64), Refused> {
    let found = simulation.stripe.charged().into_iter().find(|(charged, _)| charged == payment);
    found.ok_or_else(|| "No such payment was charged.".to_owned())
}
