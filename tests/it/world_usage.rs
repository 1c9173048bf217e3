//! A product that counts what its customers use, and a program of it that tells.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_keys::program;
use crate::world_lives::{add_method, register};
use crate::world_subscriptions::shop;

/// The ERP: its customers may change to anything, at once.
const ERP: &str = "
[[products]]
code = 'erp'
name = 'ERP'
description = 'ERP.'
prorations = ['prorate_now', 'prorate_next_invoice', 'reset_cycle', 'none']
downgrade_now = true
cancel_unused_time = ['none', 'credit', 'refund']
";

/// A plan of the ERP, a month's price, more members, and its features.
const PLANS: [(&str, u32, &str, &str); 3] = [
    (
        "small",
        30,
        "max_users = 3\nstorage_limit = 1000",
        "{ key = 'reports', name = 'Reports', kind = 'switch' },
         { key = 'export', name = 'Export', kind = 'switch', enabled = false },
         { key = 'branches', name = 'Branches', kind = 'limit', unit = 'branch', included = 2 },
         { key = 'calls', name = 'Calls', kind = 'metered', unit = 'call', included = 100 },
         { key = 'faxes', name = 'Faxes', kind = 'metered', unit = 'fax', included = 5, overage = [{ currency = 'KES', model = 'per_unit', tiers = [{ unit_price = '1.00' }] }] },
         { key = 'pages', name = 'Pages', kind = 'metered', unit = 'page', included = 1000, overage = [{ currency = 'KES', model = 'package', package_size = 100, tiers = [{ unit_price = '45.00' }] }] },
         { key = 'prints', name = 'Prints', kind = 'metered', unit = 'print', included = 100, overage = [{ currency = 'KES', model = 'graduated', tiers = [{ up_to = 10, unit_price = '2.00' }, { up_to = 30, unit_price = '1.50', flat_amount = '5.00' }, { unit_price = '0.75' }] }] },
         { key = 'sms', name = 'Text messages', kind = 'metered', unit = 'message', included = 10, overage = [{ currency = 'KES', model = 'per_unit', tiers = [{ unit_price = '2.50' }] }] },
         { key = 'stamps', name = 'Stamps', kind = 'metered', unit = 'stamp', included = 0, overage = [{ currency = 'KES', model = 'volume', tiers = [{ up_to = 1000, unit_price = '0.004' }, { unit_price = '0.0035' }] }] }",
    ),
    (
        "big",
        90,
        "",
        "{ key = 'reports', name = 'Reports', kind = 'switch' },
         { key = 'export', name = 'Export', kind = 'switch' },
         { key = 'branches', name = 'Branches', kind = 'limit', unit = 'branch' },
         { key = 'calls', name = 'Calls', kind = 'metered', unit = 'call', included = 1000 },
         { key = 'sms', name = 'Text messages', kind = 'metered', unit = 'message', included = 20, overage = [{ currency = 'KES', model = 'graduated', tiers = [{ up_to = 10, unit_price = '2.00' }, { unit_price = '1.50' }] }] }",
    ),
    ("tried", 30, "trial_days = 14", "{ key = 'calls', name = 'Calls', kind = 'metered', unit = 'call', included = 100, thresholds = ['0.5'] }"),
];

/// The catalogue: the shop's, and the ERP.
fn catalogue() -> String {
    let mut text = format!("{}{ERP}", shop());
    for (code, price, more, features) in PLANS {
        let year = price * 10;
        write!(
            text,
            "[[plans]]\nproduct = 'erp'\ncode = '{code}'\nname = '{code}'\ndescription = '{code}.'\n{more}\nprices = [
  {{ interval = 'monthly', currency = 'KES', amount = '{price}.00', tax = 'exclusive' }},
  {{ interval = 'yearly', currency = 'KES', amount = '{year}.00', tax = 'exclusive' }},
]\nfeatures = [{features}]\n"
        )
        .unwrap();
    }
    text
}

/// A customer of the ERP, and the ERP itself.
pub(crate) struct Erp {
    pub(crate) world: World,
    pub(crate) server: Server,
    /// The customer's owner.
    pub(crate) owner: Client,
    pub(crate) business: String,
    /// The ERP's program, which asks about the customer.
    pub(crate) program: Client,
    pub(crate) subscription: String,
}

impl Erp {
    /// Without a subscription.
    pub(crate) async fn unsold(db: TestDatabase, now: &str) -> Self {
        Self::of(World::at(db, now).await).await
    }

    /// The same in a world that is there.
    pub(crate) async fn of(world: World) -> Self {
        world.apply_catalogue(&catalogue()).await;
        let server = Server::start(&world).await;
        let (owner, business) = register(&server, "ann").await;
        let mut program = program(&server, &world.service_key().await);
        program.about = Some(business.clone());
        Self { world, server, owner, business, program, subscription: String::new() }
    }

    /// With a subscription that began at `now`.
    pub(crate) async fn at(db: TestDatabase, now: &str, plan: &str, interval: &str) -> Self {
        let mut erp = Self::unsold(db, now).await;
        erp.subscribe(plan, interval).await;
        erp
    }

    /// Subscribes and pays.
    pub(crate) async fn subscribe(&mut self, plan: &str, interval: &str) {
        add_method(&self.owner, "SUCCEEDS").await;
        let plan = self.world.plan("erp", plan).await.to_string();
        let key = self.world.ports.ids.next_uuid().to_string();
        let input = json!({ "planId": plan, "interval": interval, "idempotencyKey": key });
        let made = self.world.working(self.owner.mutate("subscribe", input, "subscription { id status }")).await;
        made["subscription"]["id"].as_str().unwrap().clone_into(&mut self.subscription);
    }

    /// Changes the plan at once; the caller's access token must be good still.
    pub(crate) async fn change(&self, plan: &str, proration: &str) {
        let plan = self.world.plan("erp", plan).await.to_string();
        let key = self.world.ports.ids.next_uuid().to_string();
        let input =
            json!({ "subscriptionId": self.subscription, "planId": plan, "timing": "NOW", "proration": proration, "idempotencyKey": key });
        self.world.working(self.owner.mutate("changePlan", input, "subscription { version }")).await;
    }

    /// Has the ERP leave so many hours for late usage.
    pub(crate) async fn leave_hours(&self, hours: u16) {
        self.world.apply_catalogue(&catalogue().replacen(ERP, &format!("{ERP}grace_hours = {hours}\n"), 1)).await;
    }

    /// Moves the clock, and has the worker do what is due.
    pub(crate) async fn pass_to(&self, now: &str) {
        self.world.clock.set(now.parse().unwrap());
        self.world.run_due_jobs().await;
    }

    /// Tells of events.
    pub(crate) async fn record(&self, events: Value) -> Value {
        record(&self.program, events, true).await
    }

    /// What was used of a feature, in the usage period of now or of `at`.
    pub(crate) async fn used(&self, feature: &str, at: Option<&str>) -> Value {
        let query = "query($at: DateTime) { usage(product: \"erp\", at: $at) { metrics { feature { key } used } } }";
        let shown = self.program.data(query, json!({ "at": at })).await;
        let metrics = shown["usage"]["metrics"].as_array().unwrap_or_else(|| panic!("{shown:#}"));
        let found = metrics.iter().find(|metric| metric["feature"]["key"] == feature);
        found.unwrap_or_else(|| panic!("no {feature} in {shown:#}"))["used"].clone()
    }

    /// The usage period of now or of `at`; null where there is none.
    pub(crate) async fn period(&self, at: Option<&str>) -> Value {
        let query = "query($at: DateTime) { usage(product: \"erp\", at: $at) { period { start end } } }";
        self.program.data(query, json!({ "at": at })).await["usage"]["period"].take()
    }

    /// Whether a feature may be used: `allowed` and `reason`.
    pub(crate) async fn access(&self, feature: &str, quantity: &str) -> (bool, String) {
        let query = "query($f: String!, $q: Decimal!) { featureAccess(product: \"erp\", feature: $f, quantity: $q) { allowed reason } }";
        let shown = self.program.data(query, json!({ "f": feature, "q": quantity })).await;
        let access = &shown["featureAccess"];
        (access["allowed"].as_bool().unwrap(), access["reason"].as_str().unwrap().to_owned())
    }
}

/// Tells of events as `client`.
pub(crate) async fn record(client: &Client, events: Value, enforce: bool) -> Value {
    let input = json!({ "events": events, "enforceLimits": enforce });
    client.mutate("recordUsage", input, "accepted duplicates rejected { index eventId error { code field } }").await
}

/// An event of the ERP's.
pub(crate) fn event(id: &str, feature: &str, quantity: &str) -> Value {
    json!({ "eventId": id, "product": "erp", "feature": feature, "quantity": quantity })
}

/// One that happened at an instant.
pub(crate) fn event_at(id: &str, feature: &str, quantity: &str, at: &str) -> Value {
    json!({ "eventId": id, "product": "erp", "feature": feature, "quantity": quantity, "occurredAt": at })
}

/// One that says what the whole quantity is.
pub(crate) fn set_at(id: &str, feature: &str, quantity: &str, at: &str) -> Value {
    json!({ "eventId": id, "product": "erp", "feature": feature, "quantity": quantity, "occurredAt": at, "action": "SET" })
}

/// How many were counted, and how many had been already; nothing was refused.
pub(crate) fn counted(payload: &Value) -> (i64, i64) {
    assert_eq!(payload["rejected"], json!([]), "{payload:#}");
    (payload["accepted"].as_i64().unwrap(), payload["duplicates"].as_i64().unwrap())
}

/// The index, the last of the field and the code of each refusal.
pub(crate) fn refused(payload: &Value) -> Vec<(i64, String, String)> {
    let told = |rejected: &Value| {
        let error = &rejected["error"];
        let field = error["field"].as_array().unwrap();
        assert_eq!(field[..3], [json!("input"), json!("events"), json!(rejected["index"].to_string())], "{payload:#}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (rejected["index"].as_i64().unwrap(), text(field.get(3).unwrap_or(&Value::Null)), text(&error["code"]))
    };
    payload["rejected"].as_array().unwrap().iter().map(told).collect()
}
