//! Lets the clients loose on a server and gathers what they met. It uses nothing of the server's code.

mod api;
mod customer;
mod figures;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use self::api::Api;
use self::customer::Customer;
use self::figures::Figures;
#[cfg(test)]
pub(crate) use self::figures::Operation;

/// What there is, or the sentence it stops with.
pub(crate) type Outcome<T> = Result<T, String>;

/// The code for who asks too often.
const RATE_LIMITED: &str = "RATE_LIMITED";
const STAFF_SIGN_IN: &str =
    "mutation($input: StaffSignInInput!) { staffSignIn(input: $input) { session { accessToken } userErrors { code message } } }";
const CREATE_KEY: &str =
    "mutation($input: CreateServiceKeyInput!) { createServiceKey(input: $input) { secret userErrors { code message } } }";

/// How a server is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Clients at once.
    pub(crate) clients: u32,
    /// For how long.
    pub(crate) time: Duration,
    /// What they do is drawn from it.
    pub(crate) seed: u64,
    /// Whether the server may say that they ask too often: they come again when it says, and it is no error.
    pub(crate) may_be_limited: bool,
}

/// What came of it.
pub(crate) struct Report {
    figures: Figures,
    elapsed: Duration,
    may_be_limited: bool,
    /// What was said of the first error of each code.
    pub(crate) errors: BTreeMap<String, String>,
    /// A sentence for each answer that showed something else than it must.
    pub(crate) wrong: Vec<String>,
}

impl Report {
    /// Whether everything was answered, and rightly.
    pub(crate) fn is_well(&self) -> bool {
        let unforeseen = |code: &str| !(self.may_be_limited && code == RATE_LIMITED);
        self.wrong.is_empty() && self.figures.errors(unforeseen) == 0
    }

    /// The figures, a row for each operation.
    pub(crate) fn table(&self) -> String {
        self.figures.table(self.elapsed)
    }

    /// How often this was answered.
    #[cfg(test)]
    pub(crate) fn answers(&self, operation: Operation) -> usize {
        self.figures.answers(operation)
    }
}

/// Lets the clients use the server at `url` for their time, after each has signed up. What they use is told with the product's key, or
/// where there is none with a key of each business.
pub(crate) async fn drive(url: &str, load: Load, service_key: Option<&str>) -> Outcome<Report> {
    let sign_ups = (0..load.clients).map(|number| Customer::sign_up(url, number, load.seed, service_key));
    let customers = futures::future::try_join_all(sign_ups).await?;
    let began = Instant::now();
    let at_work: Vec<_> = customers
        .into_iter()
        .map(|mut customer| {
            tokio::spawn(async move {
                while began.elapsed() < load.time {
                    customer.act().await;
                }
                customer
            })
        })
        .collect();
    let customers = futures::future::try_join_all(at_work).await.map_err(|error| error.to_string())?;
    let mut report = Report {
        figures: Figures::default(),
        elapsed: began.elapsed(),
        may_be_limited: load.may_be_limited,
        errors: BTreeMap::new(),
        wrong: Vec::new(),
    };
    for mut customer in customers {
        customer.look_back().await;
        report.figures.add(customer.figures);
        for (code, sentence) in customer.errors {
            report.errors.entry(code).or_insert(sentence);
        }
        report.wrong.extend(customer.wrong);
    }
    Ok(report)
}

/// A key of the product whose usage is told, made by a member of staff who may.
pub(crate) async fn service_key(url: &str, email: &str, password: &str) -> Outcome<String> {
    let mut staff = Api::at(url, "/staff/graphql")?;
    let input = json!({ "input": { "email": email, "password": password } });
    let signed_in = staff.done("staffSignIn", STAFF_SIGN_IN, &input).await?;
    staff.bearer = signed_in["session"]["accessToken"].as_str().map(str::to_owned);
    let input = json!({ "input": { "name": "Load", "product": customer::PRODUCT } });
    let made = staff.done("createServiceKey", CREATE_KEY, &input).await?;
    made["secret"].as_str().map(str::to_owned).ok_or_else(|| format!("no key: {made}"))
}
