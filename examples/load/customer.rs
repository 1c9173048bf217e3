//! A client: a customer with a business, and the product that tells what the business used.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::Outcome;
use super::api::{Api, Failure};
use super::figures::{Figures, Operation};

/// The product that every customer has from the start, and the feature of it that is counted.
pub(crate) const PRODUCT: &str = "erp";
const FEATURE: &str = "invoices.sent";
/// The product that is subscribed to and cancelled.
const SECOND_PRODUCT: &str = "payroll";
/// Events of one call.
const BATCH: u64 = 20;
/// How long a customer waits for a payment to settle.
const SETTLED_WITHIN_LOOKS: u32 = 300;
const LOOK: Duration = Duration::from_millis(100);
/// An access token is good for longer.
const RENEW_AFTER: Duration = Duration::from_mins(8);

const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) {
  business { id } session { accessToken refreshToken } userErrors { code message } } }";
const REFRESH: &str = "mutation($input: RefreshSessionInput!) { refreshSession(input: $input) {
  session { accessToken refreshToken } userErrors { code message } } }";
const ADD_METHOD: &str = "mutation($input: AddPaymentMethodInput!) { addPaymentMethod(input: $input) { userErrors { code message } } }";
const CREATE_KEY: &str = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret userErrors { code message } } }";
const PLANS: &str = "{ products { code plans { id requiresVerification price { minorUnits } features { key } } } }";
const SUBSCRIBE: &str = "mutation Subscribe($input: SubscribeInput!) { subscribe(input: $input) {
  subscription { id status plan { id } } invoice { total { minorUnits } } payment { id status } userErrors { code message } } }";
const CHANGE_PLAN: &str = "mutation ChangePlan($input: ChangePlanInput!) { changePlan(input: $input) {
  subscription { status plan { id } pendingChange { effectiveAt } } payment { id status } userErrors { code message } } }";
const CANCEL: &str = "mutation Cancel($input: CancelInput!) { cancel(input: $input) {
  subscription { id status } userErrors { code message } } }";
const RECORD: &str = "mutation RecordUsage($input: RecordUsageInput!) { recordUsage(input: $input) {
  accepted duplicates rejected { error { code } } userErrors { code message } } }";
const PAYMENT: &str = "query Payment($id: ID!) { payment(id: $id) { status } }";
const SUBSCRIPTION: &str = "query Subscription($product: String!) { subscription(product: $product) { id status plan { id } } }";
const USED: &str = "query Used($product: String!) { usage(product: $product) { metrics { feature { key } used } } }";
const DASHBOARD: &str = include_str!("../bench_dashboard/dashboard.graphql");

/// A customer, what must be true of their business, and what they met.
pub(crate) struct Customer {
    name: String,
    api: Api,
    /// Asks as the product.
    product: Api,
    refresh_token: String,
    renewed: Instant,
    chance: StdRng,
    /// The plans of the first product, of which the business has one.
    plans: [String; 2],
    has: usize,
    subscription: String,
    /// The plan of the second product, and the subscription to it.
    second_plan: String,
    second: Option<String>,
    /// How many units are counted.
    used: u64,
    /// How many batches were told.
    batches: u64,
    /// How many orders were placed.
    orders: u64,
    pub(crate) figures: Figures,
    /// What was said of the first error of each code.
    pub(crate) errors: BTreeMap<String, String>,
    /// A sentence for each answer that showed something else than it must.
    pub(crate) wrong: Vec<String>,
}

impl Customer {
    /// Registers a business that no one has registered, and subscribes it to the first product.
    #[expect(clippy::disallowed_methods, reason = "a client has no port of randomness")]
    pub(crate) async fn sign_up(url: &str, number: u32, seed: u64, service_key: Option<&str>) -> Outcome<Self> {
        let name = format!("load-{number}-{:016x}", rand::random::<u64>());
        let mut api = Api::at(url, "/graphql")?;
        let email = format!("{name}@example.com");
        let input = json!({ "input": {
            "businessName": name, "businessEmail": email, "industry": "Retail", "companySize": "SIZE_11_50", "country": "KE",
            "postalCode": "00100", "fullName": "Amina Otieno", "email": email, "password": format!("example-{name}"),
        } });
        let registered = api.done("register", REGISTER, &input).await?;
        let (access, refresh_token) = tokens(&registered)?;
        api.bearer = Some(access);
        api.done("addPaymentMethod", ADD_METHOD, &json!({ "input": { "source": { "sandbox": "SUCCEEDS" } } })).await?;
        let product = if let Some(key) = service_key {
            api.with(key.to_owned(), Some(text(&registered, "/business/id")?))
        } else {
            let input = json!({ "input": { "name": "Load", "scopes": ["USAGE_WRITE"] } });
            api.with(text(&api.done("createApiKey", CREATE_KEY, &input).await?, "/secret")?, None)
        };
        let sold = api.data(PLANS, &json!({})).await.map_err(|failure| format!("{failure:?}"))?;
        let (plans, second_plan) = choose(&sold)?;
        let input = json!({ "planId": plans[0], "interval": "MONTHLY", "trial": false, "idempotencyKey": name });
        let subscribed = api.done("subscribe", SUBSCRIBE, &json!({ "input": input })).await?;
        let subscription = text(&subscribed, "/subscription/id")?;
        let chance = StdRng::seed_from_u64(seed.wrapping_add(u64::from(number)));
        let (figures, renewed) = (Figures::default(), Instant::now());
        let mut customer = Self {
            name,
            api,
            product,
            refresh_token,
            renewed,
            chance,
            plans,
            has: 0,
            subscription,
            second_plan,
            second: None,
            used: 0,
            batches: 0,
            orders: 0,
            figures,
            errors: BTreeMap::new(),
            wrong: Vec::new(),
        };
        customer.settled(Operation::Subscribe, &subscribed["payment"]).await;
        customer.has_first().await;
        if customer.wrong.is_empty() { Ok(customer) } else { Err(customer.wrong.join("; ")) }
    }

    /// Does the next thing.
    pub(crate) async fn act(&mut self) {
        if self.renewed.elapsed() > RENEW_AFTER {
            self.renew().await;
        }
        match self.chance.random_range(0..100) {
            0..50 => self.look().await,
            50..75 => self.tell().await,
            75..87 => self.change_plan().await,
            _ => match self.second.take() {
                None => self.subscribe().await,
                Some(second) => self.cancel(second).await,
            },
        }
    }

    /// Looks whether what was told was counted, and once.
    pub(crate) async fn look_back(&mut self) {
        let Ok(data) = self.api.data(USED, &json!({ "product": PRODUCT })).await else {
            return self.complain(Operation::RecordUsage, "what was used cannot be read");
        };
        let metrics = data["usage"]["metrics"].as_array().map(Vec::as_slice).unwrap_or_default();
        let used = metrics.iter().find(|metric| metric["feature"]["key"] == FEATURE).and_then(|metric| metric["used"].as_str());
        if used != Some(&self.used.to_string()) {
            self.complain(Operation::RecordUsage, &format!("{used:?} units are counted, and {} were told", self.used));
        }
        self.has_first().await;
    }

    async fn look(&mut self) {
        let asked = Instant::now();
        match self.api.data(DASHBOARD, &json!({})).await {
            Err(failure) => self.failed(Operation::Dashboard, failure).await,
            Ok(data) => {
                self.figures.answered(Operation::Dashboard, asked.elapsed());
                let shown = (data.pointer("/profile/businessName"), data.pointer("/subscription/plan/id"));
                if shown != (Some(&json!(self.name)), Some(&json!(self.plans[self.has]))) {
                    self.complain(Operation::Dashboard, &format!("it shows {shown:?}, and the plan is {}", self.plans[self.has]));
                }
                let invoices = data.pointer("/invoices/nodes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                if !invoices.iter().any(|invoice| invoice["status"] == "PAID" && invoice["lines"].get(0).is_some()) {
                    self.complain(Operation::Dashboard, "no invoice is paid");
                }
            }
        }
    }

    /// Tells a batch; one in ten is one that was told before.
    async fn tell(&mut self) {
        let again = self.batches > 0 && self.chance.random_range(0..10) == 0;
        let batch = if again { self.batches - 1 } else { self.batches };
        let event = |n| json!({ "eventId": format!("{batch}-{n}"), "product": PRODUCT, "feature": FEATURE, "quantity": "1" });
        let events: Vec<Value> = (0..BATCH).map(event).collect();
        let input = json!({ "input": { "events": events, "enforceLimits": false } });
        let asked = Instant::now();
        match self.product.payload("recordUsage", RECORD, &input).await {
            Err(failure) => self.failed(Operation::RecordUsage, failure).await,
            Ok(payload) => {
                self.figures.answered(Operation::RecordUsage, asked.elapsed());
                let told = (payload["accepted"].as_u64(), payload["duplicates"].as_u64());
                let expected = if again { (Some(0), Some(BATCH)) } else { (Some(BATCH), Some(0)) };
                if told != expected {
                    self.complain(Operation::RecordUsage, &format!("of {BATCH} events, told again: {again}, it says {payload}"));
                }
                if !again {
                    self.batches += 1;
                    self.used += BATCH;
                }
            }
        }
    }

    async fn change_plan(&mut self) {
        let next = 1 - self.has;
        let input = json!({ "input": {
            "subscriptionId": self.subscription, "planId": self.plans[next], "timing": "NOW", "idempotencyKey": self.order(),
        } });
        let asked = Instant::now();
        match self.api.payload("changePlan", CHANGE_PLAN, &input).await {
            Err(failure) => self.failed(Operation::ChangePlan, failure).await,
            Ok(payload) => {
                self.figures.answered(Operation::ChangePlan, asked.elapsed());
                self.has = next;
                let subscription = &payload["subscription"];
                if subscription["plan"]["id"] != self.plans[next].as_str() || !subscription["pendingChange"].is_null() {
                    self.complain(Operation::ChangePlan, &format!("the plan {} was wanted, and it is {subscription}", self.plans[next]));
                }
                self.settled(Operation::ChangePlan, &payload["payment"]).await;
            }
        }
    }

    async fn subscribe(&mut self) {
        let input = json!({ "input": {
            "planId": self.second_plan, "interval": "MONTHLY", "trial": false, "idempotencyKey": self.order(),
        } });
        let asked = Instant::now();
        match self.api.payload("subscribe", SUBSCRIBE, &input).await {
            Err(failure) => self.failed(Operation::Subscribe, failure).await,
            Ok(payload) => {
                self.figures.answered(Operation::Subscribe, asked.elapsed());
                self.second = payload.pointer("/subscription/id").and_then(Value::as_str).map(str::to_owned);
                let status = payload.pointer("/subscription/status").and_then(Value::as_str);
                if !matches!(status, Some("ACTIVE" | "INCOMPLETE")) || payload["invoice"]["total"]["minorUnits"].is_null() {
                    self.complain(Operation::Subscribe, &payload.to_string());
                }
                self.settled(Operation::Subscribe, &payload["payment"]).await;
            }
        }
    }

    async fn cancel(&mut self, second: String) {
        let input = json!({ "input": {
            "subscriptionId": second, "timing": "NOW", "unusedTime": "CREDIT", "idempotencyKey": self.order(),
        } });
        let asked = Instant::now();
        match self.api.payload("cancel", CANCEL, &input).await {
            Err(failure) => {
                self.second = Some(second);
                self.failed(Operation::Cancel, failure).await;
            }
            Ok(payload) => {
                self.figures.answered(Operation::Cancel, asked.elapsed());
                if payload["subscription"] != json!({ "id": second, "status": "CANCELED" }) {
                    self.complain(Operation::Cancel, &payload.to_string());
                }
            }
        }
    }

    /// A key for the next order.
    fn order(&mut self) -> String {
        self.orders += 1;
        format!("{}-{}", self.name, self.orders)
    }

    /// Waits until a payment that an answer shows has settled; it must succeed. Account credit pays without any.
    async fn settled(&mut self, operation: Operation, payment: &Value) {
        let (Some(id), mut status) = (payment["id"].as_str(), payment["status"].clone()) else { return };
        let mut looks = tokio::time::interval(LOOK);
        for _ in 0..SETTLED_WITHIN_LOOKS {
            if status == "SUCCEEDED" {
                return;
            }
            looks.tick().await;
            match self.api.data(PAYMENT, &json!({ "id": id })).await {
                Ok(data) => status = data["payment"]["status"].clone(),
                Err(failure) => return self.complain(operation, &format!("its payment cannot be read: {failure:?}")),
            }
        }
        self.complain(operation, &format!("its payment is {status}"));
    }

    /// Looks whether the first product is there, with the plan that it must have.
    async fn has_first(&mut self) {
        let wanted = json!({ "id": self.subscription, "status": "ACTIVE", "plan": { "id": self.plans[self.has] } });
        match self.api.data(SUBSCRIPTION, &json!({ "product": PRODUCT })).await {
            Ok(data) if data["subscription"] == wanted => {}
            Ok(data) => self.complain(Operation::Dashboard, &format!("the subscription is {}, and must be {wanted}", data["subscription"])),
            Err(failure) => self.complain(Operation::Dashboard, &format!("the subscription cannot be read: {failure:?}")),
        }
    }

    async fn renew(&mut self) {
        let input = json!({ "input": { "refreshToken": self.refresh_token } });
        match self.api.done("refreshSession", REFRESH, &input).await.and_then(|payload| tokens(&payload)) {
            Ok((access, refresh)) => {
                (self.api.bearer, self.refresh_token) = (Some(access), refresh);
                self.renewed = Instant::now();
            }
            Err(sentence) => self.wrong.push(format!("{}: {sentence}", self.name)),
        }
    }

    /// Counts an error, and waits where the server says so: nothing was done then.
    async fn failed(&mut self, operation: Operation, failure: Failure) {
        if let Some(pause) = failure.retry_after {
            wait(pause).await;
        }
        self.figures.failed(operation, failure.code.clone());
        self.errors.entry(failure.code).or_insert_with(|| format!("{}, {operation}: {}", self.name, failure.message));
    }

    fn complain(&mut self, operation: Operation, sentence: &str) {
        self.wrong.push(format!("{}, {operation}: {sentence}", self.name));
    }
}

#[expect(clippy::disallowed_methods, reason = "a client has no port of time")]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}

/// The tokens in a payload.
fn tokens(payload: &Value) -> Outcome<(String, String)> {
    Ok((text(payload, "/session/accessToken")?, text(payload, "/session/refreshToken")?))
}

fn text(value: &Value, pointer: &str) -> Outcome<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("there is no {pointer} in {value}"))
}

/// The two cheapest plans of the first product that anybody may have and that count what is told, and the cheapest of the second.
fn choose(sold: &Value) -> Outcome<([String; 2], String)> {
    let of = |code: &str, feature: Option<&str>| -> Vec<String> {
        let products = sold["products"].as_array().map(Vec::as_slice).unwrap_or_default();
        let product = products.iter().find(|product| product["code"] == code);
        let plans = product.and_then(|product| product["plans"].as_array()).map(Vec::as_slice).unwrap_or_default();
        let counts = |plan: &Value| {
            let features = plan["features"].as_array().map(Vec::as_slice).unwrap_or_default();
            feature.is_none_or(|key| features.iter().any(|feature| feature["key"] == key))
        };
        let price = |plan: &Value| plan["price"]["minorUnits"].as_str()?.parse::<u64>().ok().filter(|price| *price > 0);
        let open = plans.iter().filter(|plan| plan["requiresVerification"] == false && counts(plan));
        let mut priced: Vec<(u64, String)> = open.filter_map(|plan| Some((price(plan)?, plan["id"].as_str()?.to_owned()))).collect();
        priced.sort();
        priced.into_iter().map(|(_, id)| id).collect()
    };
    match (&*of(PRODUCT, Some(FEATURE)), &*of(SECOND_PRODUCT, None)) {
        ([one, other, ..], [second, ..]) => Ok(([one.clone(), other.clone()], second.clone())),
        found => Err(format!("the catalogue has not two plans of {PRODUCT} and one of {SECOND_PRODUCT} for everybody: {found:?}")),
    }
}
