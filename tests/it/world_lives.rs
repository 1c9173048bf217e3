//! Businesses that have lived a little, over the real API: with members, methods, subscriptions, invoices, payments.

use std::collections::BTreeMap;

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::worker::{Worker, WorkerSettings};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::client::{Client, Server};
use crate::world::World;
use crate::world_keys::make_key;
use crate::world_mail::{changed_to, subscription};

/// What a business's own ids are called here, by their prefixes.
const NAMES: &[(&str, &str)] = &[
    ("business", "biz_"),
    ("event", "aud_"),
    ("invoice", "inv_"),
    ("key", "key_"),
    ("member", "mem_"),
    ("method", "pm_"),
    ("notification", "ntf_"),
    ("payment", "pay_"),
    ("session", "ses_"),
    ("subscription", "sub_"),
    ("user", "usr_"),
];

/// A business, its owner's client, and the ids of all that is its own.
pub(crate) struct Life {
    pub(crate) client: Client,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) business: String,
    pub(crate) subscription: String,
    pub(crate) dearer_plan: String,
    /// A plan of a product that it has no subscription to.
    pub(crate) fresh_plan: String,
    pub(crate) open_invoice: String,
    /// Every id of this business's that the API shows.
    pub(crate) ids: Vec<String>,
}

impl World {
    /// A worker beside the test until it is told to stop.
    pub(crate) fn background_worker(&self) -> BackgroundWorker {
        let stop = CancellationToken::new();
        let task = tokio::spawn(Worker::new(self.ports.clone(), WorkerSettings::default(), stop.clone()).run());
        BackgroundWorker { stop, task }
    }
}

/// A worker that runs beside the test.
pub(crate) struct BackgroundWorker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl BackgroundWorker {
    /// Stops it, and waits until what it had begun is written down.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

impl Life {
    /// A business in KES that has a paid subscription to the ERP, an unpaid invoice for Payroll, and two ways to pay.
    pub(crate) async fn lived(world: &World, server: &Server, name: &str) -> Self {
        world.seed_catalogue().await;
        let worker = world.background_worker();
        let (client, business) = register(server, name).await;
        let paying = add_method(&client, "SUCCEEDS").await;
        let declining = add_method(&client, "DECLINES").await;
        let plans = plans(&client).await;
        let subscribe = async |plan: &str, method: &str| {
            let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": format!("{plan}{method}") });
            client.mutate("subscribe", input, "subscription { id status } invoice { id status } payment { id status }").await
        };
        let paid = subscribe(&plans["erp"][0], &paying).await;
        assert_eq!(paid["invoice"]["status"], "PAID", "{paid:#}");
        let unpaid = subscribe(&plans["payroll"][0], &declining).await;
        assert_eq!(unpaid["invoice"]["status"], "OPEN", "{unpaid:#}");
        worker.stop().await;
        // What the worker has not delivered yet.
        world.run_due_jobs().await;
        let mut ids = vec![business.clone(), paying, declining];
        for thing in [&paid, &unpaid] {
            for key in ["subscription", "invoice", "payment"] {
                ids.push(thing[key]["id"].as_str().unwrap().to_owned());
            }
        }
        let own = client
            .data(
                "{ viewer { user { id } } sessions { id } profile { members { nodes { id } } } notifications { nodes { id } } auditEvents { nodes { id } } }",
                json!({}),
            )
            .await;
        ids.push(own["viewer"]["user"]["id"].as_str().unwrap().to_owned());
        ids.push(own["sessions"][0]["id"].as_str().unwrap().to_owned());
        ids.push(own["profile"]["members"]["nodes"][0]["id"].as_str().unwrap().to_owned());
        ids.push(make_key(&client, &["READ"]).await.0);
        for list in ["notifications", "auditEvents"] {
            ids.push(own[list]["nodes"][0]["id"].as_str().unwrap().to_owned());
        }
        Self {
            client,
            email: address(name),
            password: PASSWORD.to_owned(),
            business,
            subscription: paid["subscription"]["id"].as_str().unwrap().to_owned(),
            dearer_plan: plans["erp"][1].clone(),
            fresh_plan: plans["sacco"][0].clone(),
            open_invoice: unpaid["invoice"]["id"].as_str().unwrap().to_owned(),
            ids,
        }
    }

    /// Goes to a dearer plan and back, so that there is a credit note; answers its id.
    pub(crate) async fn credited(&self, world: &World) -> String {
        let subscribed = "query($id: ID!) { node(id: $id) { ... on Subscription { plan { id } } } }";
        let first = self.client.data(subscribed, json!({ "id": self.subscription })).await["node"]["plan"]["id"].take();
        let worker = world.background_worker();
        let mut credited = Value::Null;
        for plan in [json!(self.dearer_plan), first] {
            let input =
                json!({ "subscriptionId": self.subscription, "planId": plan, "timing": "NOW", "idempotencyKey": format!("to {plan}") });
            credited = self.client.mutate("changePlan", input, "creditNotes { id }").await;
        }
        worker.stop().await;
        world.run_due_jobs().await;
        credited["creditNotes"][0]["id"].as_str().unwrap_or_else(|| panic!("{credited:#}")).to_owned()
    }

    /// The newest movement of account credit of a business that [`Life::credited`] has given one.
    pub(crate) async fn credit_entry(&self) -> String {
        let shown = self.client.data("{ profile { creditEntries(first: 1) { nodes { id } } } }", json!({})).await;
        shown["profile"]["creditEntries"]["nodes"][0]["id"].as_str().unwrap_or_else(|| panic!("{shown:#}")).to_owned()
    }

    /// Has this member of staff pay 1.00 and its tax of the first invoice back; answers the ids of the credit note and of the refund.
    pub(crate) async fn refunded(&self, world: &World, staff: &Client) -> (String, String) {
        let invoice = self.ids.iter().find(|id| id.starts_with("inv_")).unwrap();
        let lines = staff.data("query($i: ID!) { node(id: $i) { ... on Invoice { lines { id } } } }", json!({ "i": invoice })).await;
        let input = json!({
            "invoiceId": invoice, "lines": [{ "invoiceLineId": lines["node"]["lines"][0]["id"], "amount": "1.00" }],
            "reason": "GOODWILL", "settlement": "REFUND", "idempotencyKey": format!("refund {invoice}"),
        });
        let made = world.working(staff.mutate("issueCreditNote", input, "creditNote { id refunds { id status } }")).await;
        let (note, refund) = (&made["creditNote"], &made["creditNote"]["refunds"][0]);
        assert_eq!(refund["status"], "SUCCEEDED", "{made:#}");
        (note["id"].as_str().unwrap().to_owned(), refund["id"].as_str().unwrap().to_owned())
    }

    /// Opens a ticket of support; answers its id and that of its message.
    pub(crate) async fn asked_support(&self) -> (String, String) {
        let input = json!({ "subject": "A question", "body": "Why?" });
        let opened = self.client.mutate("openSupportTicket", input, "ticket { id messages { nodes { id } } }").await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&opened["ticket"]["id"]), text(&opened["ticket"]["messages"]["nodes"][0]["id"]))
    }

    /// Names an endpoint of webhooks where nobody listens, and has something happen; answers the ids of the endpoint and of what is to be
    /// delivered there.
    pub(crate) async fn hooked(&self, world: &World) -> (String, String) {
        let input = json!({ "url": "http://127.0.0.1:9/", "events": ["subscription.plan_changed"] });
        self.client.mutate("createWebhookEndpoint", input, "endpoint { id }").await;
        let scope = TenantScope::proved(BusinessId::parse(&self.business).unwrap());
        world.emit(scope, vec![changed_to(&subscription(), "Plus")]).await;
        let shown = self.client.data("{ webhookEndpoints { id deliveries { nodes { id } } } }", json!({})).await;
        let endpoint = &shown["webhookEndpoints"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&endpoint["id"]), text(&endpoint["deliveries"]["nodes"][0]["id"]))
    }

    /// An id of each kind of thing, by what it is called: the business's own, a credit note among them, and what is sold.
    pub(crate) async fn named_ids(&self, world: &World) -> BTreeMap<&'static str, String> {
        let mut ids = BTreeMap::from([("note", self.credited(world).await), ("plan", self.dearer_plan.clone())]);
        ids.insert("movement", self.credit_entry().await);
        let input = json!({ "email": "invited@example.com", "role": "MEMBER" });
        let invited = self.client.mutate("inviteMember", input, "invitation { id }").await;
        ids.insert("invitation", invited["invitation"]["id"].as_str().unwrap().to_owned());
        let (ticket, message) = self.asked_support().await;
        ids.extend([("ticket", ticket), ("message", message), ("document", self.submitted().await)]);
        let (endpoint, delivery) = self.hooked(world).await;
        ids.extend([("endpoint", endpoint), ("delivery", delivery)]);
        let asked = self.client.mutate("requestDataExport", json!({ "password": self.password }), "export { id }").await;
        ids.insert("export", asked["export"]["id"].as_str().unwrap().to_owned());
        world.run_due_jobs().await;
        let products = self.client.data("{ products { id } }", json!({})).await;
        ids.insert("product", products["products"][0]["id"].as_str().unwrap().to_owned());
        for (name, prefix) in NAMES {
            ids.insert(name, self.ids.iter().find(|id| id.starts_with(prefix)).unwrap().clone());
        }
        ids
    }

    /// The business's id as the database keeps it.
    pub(crate) fn business_uuid(&self) -> Uuid {
        BusinessId::parse(&self.business).unwrap().uuid()
    }
}

pub(crate) use crate::world_accounts::PASSWORD;

fn address(name: &str) -> String {
    format!("{name}@example.com")
}

/// Registers a business of `name` in Kenya; answers its owner's client and its id.
pub(crate) async fn register(server: &Server, name: &str) -> (Client, String) {
    let mut client = server.client();
    let input = json!({
        "businessName": format!("{name} Traders"), "businessEmail": address(name), "industry": "Retail", "companySize": "SIZE_2_10",
        "country": "KE", "postalCode": "00100", "fullName": name, "email": address(name), "password": PASSWORD,
    });
    let made = client.mutate("register", input, "business { id } session { accessToken }").await;
    client.token = Some(made["session"]["accessToken"].as_str().unwrap().to_owned());
    (client, made["business"]["id"].as_str().unwrap().to_owned())
}

/// Adds a sandbox method; answers its id.
pub(crate) async fn add_method(client: &Client, behavior: &str) -> String {
    let added = client.mutate("addPaymentMethod", json!({ "source": { "sandbox": behavior } }), "paymentMethod { id }").await;
    added["paymentMethod"]["id"].as_str().unwrap().to_owned()
}

/// The ids of the plans that need no verification, by product, cheapest first.
pub(crate) async fn plans(client: &Client) -> PlansByProduct {
    let found = client.data("{ products { code plans { id requiresVerification price { minorUnits } } } }", json!({})).await;
    let mut plans = PlansByProduct::new();
    for product in found["products"].as_array().unwrap() {
        let open = product["plans"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|plan| plan["requiresVerification"] == Value::Bool(false) && !plan["price"].is_null());
        plans.insert(product["code"].as_str().unwrap().to_owned(), open.map(|plan| plan["id"].as_str().unwrap().to_owned()).collect());
    }
    plans
}

/// Ids by product.
pub(crate) type PlansByProduct = std::collections::HashMap<String, Vec<String>>;
