//! The client: one POST for each operation, and the shapes of what comes back.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

/// Every operation there is, each with a name.
const OPERATIONS: &str = include_str!("operations.graphql");

/// What a step gives, or the sentence it stops with.
pub(crate) type Outcome<T> = Result<T, String>;

pub(crate) fn stop<T>(sentence: impl Into<String>) -> Outcome<T> {
    Err(sentence.into())
}

/// Letters and digits that nobody has used.
#[expect(clippy::disallowed_methods, reason = "a client has no port of randomness")]
pub(crate) fn fresh() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A server, and as whom it is called.
pub(crate) struct Api {
    http: reqwest::Client,
    endpoint: String,
    session: Option<Session>,
}

impl Api {
    /// The API of the server at `url`.
    pub(crate) fn at(url: &str) -> Outcome<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().map_err(|error| error.to_string())?;
        Ok(Self { http, endpoint: format!("{}/graphql", url.trim_end_matches('/')), session: None })
    }

    pub(crate) fn use_session(&mut self, session: Session) {
        self.session = Some(session);
    }

    pub(crate) fn forget_session(&mut self) {
        self.session = None;
    }

    pub(crate) fn refresh_token(&self) -> &str {
        self.session.as_ref().map_or("", |session| &session.refresh_token)
    }

    /// The `data` of the operation of that name. `errors` beside it are for callers that may not, malformed requests and faults: the end here.
    pub(crate) async fn data(&self, operation: &str, variables: Value) -> Outcome<Value> {
        let mut request = self.http.post(&self.endpoint).header("accept", "application/graphql-response+json");
        if let Some(session) = &self.session {
            request = request.bearer_auth(&session.access_token);
        }
        let sent = request.json(&json!({ "query": OPERATIONS, "operationName": operation, "variables": variables })).send().await;
        let response = sent.map_err(|error| format!("{} does not answer: {}", self.endpoint, with_causes(&error)))?;
        let status = response.status();
        let mut answer: Value = response.json().await.map_err(|error| format!("the answer ({status}) is no JSON: {error}"))?;
        match answer.pointer("/errors/0") {
            None => Ok(answer["data"].take()),
            Some(error) => {
                let message = error["message"].as_str().unwrap_or("no message");
                stop(format!("{}: {message} ({status}, {operation})", error["extensions"]["code"].as_str().unwrap_or("an error")))
            }
        }
    }

    /// The payload of an operation with one field. What the caller can put right stands in its `userErrors`: the end here.
    pub(crate) async fn payload(&self, operation: &str, variables: Value) -> Outcome<Value> {
        let data = self.data(operation, variables).await?;
        let fields = data.as_object().into_iter().flatten();
        let Some((field, payload)) = fields.map(|(field, payload)| (field.clone(), payload.clone())).next() else {
            return stop(format!("the answer has no payload: {data}"));
        };
        match payload["userErrors"].as_array().map(Vec::as_slice) {
            Some([]) => Ok(payload),
            Some([error, ..]) => {
                let (code, message) = (error["code"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default());
                stop(format!("{field} refuses: {code}, {message}"))
            }
            None => stop(format!("{field} answers no payload: {payload}")),
        }
    }
}

/// An error and what caused it: reqwest's own text leaves the cause out.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) access_token: String,
    pub(crate) access_token_expires_at: String,
    pub(crate) refresh_token: String,
}

/// An exact amount: `amount` to show, `minor_units` to compute with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Money {
    amount: String,
    currency: String,
    #[serde(deserialize_with = "whole_number")]
    pub(crate) minor_units: i64,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.amount)
    }
}

/// A `BigInt` is a string in JSON, whose numbers are not exact in every language.
fn whole_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) plan: PlanName,
    pub(crate) price: Money,
    pub(crate) current_period: Period,
    pub(crate) auto_renewal: bool,
    pub(crate) cancel_at: Option<String>,
    pub(crate) version: i32,
}

#[derive(Deserialize)]
pub(crate) struct PlanName {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Deserialize)]
pub(crate) struct Period {
    pub(crate) end: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) status: PaymentStatus,
    pub(crate) amount: Money,
    pub(crate) method_label: String,
    pub(crate) receipt: Option<String>,
    pub(crate) failure_message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum PaymentStatus {
    Pending,
    RequiresAction,
    Unknown,
    Succeeded,
    Failed,
    Canceled,
    /// An enum may gain values: what is not known here is none of the above.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreditNote {
    pub(crate) number: String,
    pub(crate) amount: Money,
    pub(crate) took_off_amount_due: Money,
    pub(crate) to_account_credit: Money,
    pub(crate) to_refund: Money,
}

/// An invoice, or the preview of one, which has no number, status, taxes and payments yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invoice {
    pub(crate) number: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) lines: Vec<Line>,
    #[serde(default)]
    taxes: Vec<Tax>,
    subtotal: Money,
    discount: Money,
    tax: Money,
    total_excluding_tax: Option<Money>,
    pub(crate) total: Money,
    credit_applied: Money,
    pub(crate) amount_paid: Option<Money>,
    amount_credited: Option<Money>,
    pub(crate) amount_due: Money,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Line {
    kind: String,
    description: String,
    amount: Money,
    tax: Money,
}

#[derive(Deserialize)]
struct Tax {
    name: String,
    rate: String,
    behavior: String,
    amount: Money,
}

impl Invoice {
    /// Its lines, taxes and sums, to show.
    pub(crate) fn table(&self) -> String {
        let title = self.number.as_ref().map(|number| format!("   {number}, {}\n", self.status.as_deref().unwrap_or_default()));
        let lines = self.lines.iter().map(|line| (line.description.clone(), &line.amount));
        let taxes = self.taxes.iter().map(|tax| (format!("{} at {}", tax.name, tax.rate), &tax.amount));
        let sums = [("Tax", &self.tax), ("Total", &self.total), ("Due", &self.amount_due)].map(|(what, sum)| (what.to_owned(), sum));
        let rows = lines.chain(taxes).chain(sums).map(|(what, amount)| format!("     {what:<66} {:>16}\n", amount.to_string()));
        title.into_iter().chain(rows).collect()
    }

    /// Holds every sum of an invoice to its parts.
    pub(crate) fn adds_up(&self) -> Outcome<()> {
        let sum = |what: &str, is: i64, should_be: i64| {
            if is == should_be { Ok(()) } else { stop(format!("{what} is {is} and its parts add up to {should_be} minor units")) }
        };
        let of = |money: &Option<Money>| money.as_ref().map_or(0, |money| money.minor_units);
        let tax_where = |exclusive: bool| -> i64 {
            let taxes = self.taxes.iter().filter(|tax| !exclusive || tax.behavior == "EXCLUSIVE");
            taxes.map(|tax| tax.amount.minor_units).sum()
        };
        let (total, tax) = (self.total.minor_units, self.tax.minor_units);
        sum("the subtotal", self.subtotal.minor_units, self.lines.iter().map(|line| line.amount.minor_units).sum())?;
        sum("the tax by rate", tax, tax_where(false))?;
        sum("the tax by line", tax, self.lines.iter().map(|line| line.tax.minor_units).sum())?;
        sum("the total", total, self.subtotal.minor_units - self.discount.minor_units + tax_where(true))?;
        sum("the total without tax", of(&self.total_excluding_tax), total - tax)?;
        let settled = self.credit_applied.minor_units + of(&self.amount_paid) + of(&self.amount_credited);
        sum("the amount due", self.amount_due.minor_units, total - settled)
    }

    /// Holds a bill to the preview that the customer agreed to, line by line.
    pub(crate) fn is_what_was_previewed(&self, preview: &Self) -> Outcome<()> {
        if self.lines != preview.lines {
            return stop(format!("the bill's lines are {:?}, and the preview's were {:?}", self.lines, preview.lines));
        }
        let sums = |bill: &Self| [&bill.subtotal, &bill.discount, &bill.tax, &bill.total, &bill.credit_applied].map(|sum| sum.minor_units);
        if sums(self) != sums(preview) {
            return stop(format!("the bill comes to {}, and the preview to {}", self.total, preview.total));
        }
        let (due, paid) = (preview.amount_due.minor_units, self.amount_paid.as_ref().map_or(0, |paid| paid.minor_units));
        if due == paid { Ok(()) } else { stop(format!("{paid} minor units were paid, and the preview said {due}")) }
    }
}
