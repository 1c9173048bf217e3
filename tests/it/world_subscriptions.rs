//! Plans with round prices, customers who pay, and a way to look at what was billed.

use std::fmt::Write as _;

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::cancel::{CancelTiming, UnusedTime};
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::billing::period::Interval;
use evolve_business::error::{Failure, Outcome, UserErrorCode};
use evolve_business::ids::{InvoiceId, PlanId, SubscriptionId};
use evolve_business::money::{Currency, Money};
use evolve_business::services::billing::{Account, InvoicePreview, lock_charged, settle_payment, upcoming_invoice};
use evolve_business::services::doctor;
use evolve_business::services::subscriptions::{
    Billed, Cancel, ChangePlan, PreviewChange, PreviewSubscribe, Subscribe, SubscriptionService,
};
use evolve_business::store::subscriptions::{Subscription, find};
use evolve_business::store::{Snapshot, Tenant, customers};

use crate::world::World;
use crate::world_payments::Payer;

/// Two products in shillings, 16 % on top: `books` allows its customers everything, `strict` what is allowed by default.
const SHOP: &str = r#"
[platform]
currency = "USD"
[seller]
name = "Seller Ltd"
tax_id = "P000000000X"
address_line = "One Road"
city = "Nairobi"
postal_code = "00100"
country = "KE"
time_zone = "Africa/Nairobi"
[[tax_rates]]
country = "KE"
name = "VAT"
rate = "0.16"
from = 2021-01-01
[[products]]
code = "books"
name = "Books"
description = "Books."
prorations = ["prorate_now", "prorate_next_invoice", "reset_cycle", "none"]
downgrade_now = true
cancel_unused_time = ["none", "credit", "refund"]
[[products]]
code = "strict"
name = "Strict"
description = "Strict."
"#;

/// A plan of the shop: product, code, a month's price, more members.
const PLANS: [(&str, &str, u32, &str); 8] = [
    ("books", "basic", 30, ""),
    ("books", "plus", 60, ""),
    ("books", "max", 90, ""),
    ("books", "tried", 10, "trial_days = 14"),
    ("books", "checked", 40, "requires_verification = true"),
    ("books", "free", 0, ""),
    ("strict", "basic", 30, ""),
    ("strict", "plus", 60, ""),
];

/// The shop's catalogue; a year costs ten months.
pub(crate) fn shop() -> String {
    let mut text = SHOP.to_owned();
    for (product, code, price, more) in PLANS {
        let year = price * 10;
        write!(
            text,
            "[[plans]]\nproduct = \"{product}\"\ncode = \"{code}\"\nname = \"{code}\"\ndescription = \"{code}.\"\n{more}\nprices = [
  {{ interval = \"monthly\", currency = \"KES\", amount = \"{price}.00\", tax = \"exclusive\" }},
  {{ interval = \"yearly\", currency = \"KES\", amount = \"{year}.00\", tax = \"exclusive\" }},
]\n"
        )
        .unwrap();
    }
    text
}

/// The code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(outcome: Outcome<T>) -> UserErrorCode {
    match outcome {
        Err(Failure::Refused(errors)) => errors[0].code,
        other => panic!("not refused: {other:?}"),
    }
}

impl World {
    /// Opens the shop at `now`.
    pub(crate) async fn shop_at(db: crate::database::TestDatabase, now: &str) -> Self {
        let world = Self::at(db, now).await;
        world.set_up_shop("", "").await;
        world
    }

    /// Writes the shop's catalogue with more of its seller, and more of its product `books`.
    pub(crate) async fn set_up_shop(&self, seller: &str, books: &str) {
        let (zone, unused) = ("time_zone = \"Africa/Nairobi\"\n", "cancel_unused_time = [\"none\", \"credit\", \"refund\"]\n");
        let text = shop().replacen(zone, &format!("{zone}{seller}"), 1).replacen(unused, &format!("{unused}{books}"), 1);
        self.apply_catalogue(&text).await;
    }

    pub(crate) fn subscriptions(&self) -> SubscriptionService {
        SubscriptionService::new(self.ports.clone())
    }

    /// A business with an owner, whose charges succeed.
    pub(crate) async fn customer(&self) -> Payer {
        let payer = self.payer().await;
        self.method(payer, SandboxBehavior::Succeeds).await;
        payer
    }

    /// A monthly plan of `books`.
    pub(crate) async fn offer(&self, plan: &str) -> PreviewSubscribe {
        PreviewSubscribe { plan: Some(self.plan("books", plan).await), interval: Interval::Monthly, coupon: None, trial: true }
    }

    /// A request for a monthly plan of `books`, under a key of its own.
    pub(crate) async fn order(&self, plan: &str) -> Subscribe {
        let idempotency_key = self.ports.ids.next_uuid().to_string();
        Subscribe { offer: self.offer(plan).await, method: None, auto_renewal: true, preview_token: None, idempotency_key }
    }

    /// Subscribes while a worker runs.
    pub(crate) async fn try_subscribe(&self, payer: Payer, order: Subscribe) -> Outcome<Billed> {
        self.working(self.subscriptions().subscribe(payer.caller, order)).await
    }

    /// Subscribes to a monthly plan of `books`.
    pub(crate) async fn subscribe(&self, payer: Payer, plan: &str) -> Billed {
        let order = self.order(plan).await;
        self.try_subscribe(payer, order).await.unwrap()
    }

    /// The subscription as it is now.
    pub(crate) async fn subscription(&self, payer: Payer, id: SubscriptionId) -> Subscription {
        let view = Snapshot::new(self.ports.store.clone(), Some(payer.scope));
        find(&view.tenant().await.unwrap(), id).await.unwrap().unwrap()
    }

    /// The account credit, in minor units.
    pub(crate) async fn balance(&self, payer: Payer) -> i64 {
        let view = Snapshot::new(self.ports.store.clone(), Some(payer.scope));
        customers::business(&view.tenant().await.unwrap()).await.unwrap().balance_minor
    }

    /// A column of the invoice with that number in its series.
    pub(crate) async fn billed(&self, number: u32, column: &str) -> i64 {
        self.number(&format!("select {column} from invoices where number like 'INV-%-{number:06}'")).await
    }

    /// How many rows a table has that meet a condition.
    pub(crate) async fn count(&self, table: &str, condition: &str) -> i64 {
        self.number(&format!("select count(*) from {table} where {condition}")).await
    }

    /// Moves the clock to an instant and runs what is due then, where the test has put rows that no service would write.
    pub(crate) async fn run_with_made_up_rows_at(&self, now: &str) {
        self.clock.set(now.parse().unwrap());
        self.run_due_jobs().await;
    }

    /// Moves the clock to an instant and runs what is due then; afterwards nothing contradicts itself.
    pub(crate) async fn run_at(&self, now: &str) {
        self.run_with_made_up_rows_at(now).await;
        assert_eq!(self.examine().await, [""; 0], "{now}");
    }

    /// What is wrong by the doctor's word, each check by its name with what contradicts it.
    pub(crate) async fn examine(&self) -> Vec<String> {
        let examined = doctor::examine(&self.ports.store).await.unwrap();
        assert!(examined.len() > 15, "every check is made");
        let wrong = examined.iter().flat_map(|check| check.findings.iter().map(move |finding| format!("{}: {finding}", check.name)));
        wrong.collect()
    }
}

/// A change of plan that takes the defaults.
pub(crate) fn as_usual(subscription: SubscriptionId, plan: PlanId) -> PreviewChange {
    PreviewChange {
        subscription: Some(subscription),
        plan: Some(plan),
        interval: None,
        timing: ChangeTiming::Default,
        proration: Proration::ProrateNow,
    }
}

impl World {
    /// A request to change plan, under a key of its own.
    pub(crate) fn changing(&self, change: PreviewChange) -> ChangePlan {
        let idempotency_key = self.ports.ids.next_uuid().to_string();
        ChangePlan { change, method: None, if_version: None, preview_token: None, idempotency_key }
    }

    /// Changes plan while a worker runs.
    pub(crate) async fn try_change(&self, payer: Payer, change: PreviewChange) -> Outcome<Billed> {
        self.working(self.subscriptions().change_plan(payer.caller, self.changing(change))).await
    }

    /// Changes to another plan of `books`.
    pub(crate) async fn change(
        &self,
        payer: Payer,
        subscription: SubscriptionId,
        plan: &str,
        timing: ChangeTiming,
        proration: Proration,
    ) -> Billed {
        let change = PreviewChange { timing, proration, ..as_usual(subscription, self.plan("books", plan).await) };
        self.try_change(payer, change).await.unwrap()
    }

    /// Cancels while a worker runs.
    pub(crate) async fn try_cancel(
        &self,
        payer: Payer,
        subscription: SubscriptionId,
        timing: CancelTiming,
        unused_time: UnusedTime,
    ) -> Outcome<Billed> {
        let idempotency_key = self.ports.ids.next_uuid().to_string();
        let input = Cancel { subscription: Some(subscription), timing, unused_time, reason: None, if_version: None, idempotency_key };
        self.working(self.subscriptions().cancel(payer.caller, input)).await
    }

    /// Books a payment of so many minor units as if a gateway had taken it.
    pub(crate) async fn settle(&self, payer: Payer, invoice: InvoiceId, minor: i64) {
        let ports = self.ports.clone();
        let paid = Money::new(minor, Currency::from_code("KES").unwrap()).unwrap();
        let write = move |tenant: Tenant| {
            let ports = ports.clone();
            async move {
                let mut account = Account::lock(&tenant, ports.now()).await?;
                let charged = lock_charged(&tenant, invoice).await?;
                Ok(settle_payment(&tenant, &ports, &mut account, ports.ids.next(), charged, paid).await?)
            }
        };
        self.ports.store.write(payer.scope, write).await.unwrap();
    }

    /// The invoice that comes next.
    pub(crate) async fn upcoming(&self, payer: Payer, id: SubscriptionId) -> Option<InvoicePreview> {
        let row = self.subscription(payer, id).await;
        let view = Snapshot::new(self.ports.store.clone(), Some(payer.scope));
        upcoming_invoice(&view.tenant().await.unwrap(), &self.ports, row).await.unwrap()
    }
}
