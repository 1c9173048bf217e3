//! Demo data: a business that has lived for a year, made by the very services that a real one lives by, on a clock
//! that is moved through that year.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::told;
use crate::adapters::payment::sandbox::{SandboxGateway, SandboxOptions};
use crate::app::App;
use crate::billing::change::{ChangeTiming, Proration};
use crate::billing::period::Interval;
use crate::clock::{Clock as _, ManualClock, SharedClock};
use crate::config::Settings;
use crate::error::{Cause, Failure};
use crate::http::graphiql::DemoUser;
use crate::ids::{PlanId, SubscriptionId};
use crate::money::Currency;
use crate::services::Ports;
use crate::services::access::Caller;
use crate::services::catalog::{CatalogService, file};
use crate::services::customers::{CustomerService, NewBusiness, Register};
use crate::services::payments::{AddPaymentMethod, MethodSource, PaymentService, SandboxBehavior};
use crate::services::subscriptions::{ChangePlan, PreviewChange, PreviewSubscribe, Subscribe, SubscriptionService};
use crate::store::Snapshot;
use crate::store::catalog::plan_by_code;
use crate::store::types::CompanySize;
use crate::worker::{Worker, WorkerSettings};

/// The catalogue that is built in: the file that operators copy.
const CATALOGUE: &str = include_str!("../../catalogue/demo.toml");
/// Who signs in to the demo business.
const EMAIL: &str = "demo@evolve.test";
/// Their password; no secret.
const PASSWORD: &str = "demo-evolve-2027";
/// How long the demo business has lived.
const LIVED: SignedDuration = SignedDuration::from_hours(24 * 366);
/// After how much of that it moved to a dearer plan.
const UNTIL_UPGRADE: SignedDuration = SignedDuration::from_hours(24 * 200);
/// How far the clock is moved at once.
const STEP: SignedDuration = SignedDuration::from_hours(24);

/// Writes a catalogue file, or the one that is built in.
pub(super) async fn apply_catalogue(ports: &Ports, path: Option<&Path>) -> Result<String, Cause> {
    let text = path.map_or_else(|| Ok(CATALOGUE.to_owned()), std::fs::read_to_string)?;
    let parsed = file::parse(&text).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let applied = CatalogService::new(ports.clone()).apply(&parsed).await.map_err(told)?;
    Ok(format!("{applied:?}"))
}

/// Seeds catalogue and demo business where the database has no catalogue yet; answers how to sign in, where the demo
/// business is there.
pub(super) async fn seed_if_empty(app: &App, settings: &Settings) -> Result<Option<DemoUser>, Cause> {
    let catalogue = Snapshot::new(app.ports.store.clone(), None).catalogue().await?;
    if crate::store::catalog::products(&catalogue).await?.is_empty() {
        drop(catalogue);
        apply_catalogue(&app.ports, None).await?;
        tracing::info!("living a year as the demo business");
        seed(app, settings).await?;
    }
    let there = CustomerService::new(app.ports.clone()).is_registered(EMAIL).await?;
    Ok(there.then(|| DemoUser { email: EMAIL.to_owned(), password: PASSWORD.to_owned() }))
}

/// Makes the demo business and lets it live its year.
pub(super) async fn seed(app: &App, settings: &Settings) -> Result<(), Cause> {
    let now = app.ports.now();
    let clock = Arc::new(ManualClock::at(now.saturating_sub(LIVED)?));
    let shared: SharedClock = clock.clone();
    let gateway = SandboxGateway::open(&settings.data_dir, Arc::clone(&shared), SandboxOptions::default()).await?;
    let ports = app.ports.at_another_time(shared, Arc::new(gateway.clone()));
    let caller = register(&ports).await?;
    let source = MethodSource::Sandbox(SandboxBehavior::Succeeds);
    PaymentService::new(ports.clone()).add_payment_method(caller, AddPaymentMethod { source, make_default: true }).await.map_err(told)?;

    let worker = Worker::new(ports.clone(), WorkerSettings::default(), CancellationToken::new());
    let subscription = subscribe(&ports, &worker, caller, plan(&ports, "erp", "starter").await?).await?;
    live_until(&clock, &worker, now.saturating_sub(LIVED)?.saturating_add(UNTIL_UPGRADE)?).await?;
    upgrade(&ports, &worker, caller, subscription, plan(&ports, "erp", "growth").await?).await?;
    live_until(&clock, &worker, now).await?;
    gateway.close().await;
    Ok(())
}

/// Moves the clock to `end`, a day at a time, doing what becomes due.
async fn live_until(clock: &ManualClock, worker: &Worker, end: Timestamp) -> Result<(), Cause> {
    while clock.now() < end {
        clock.set(clock.now().saturating_add(STEP)?.min(end));
        worker.run_due_jobs().await?;
    }
    Ok(())
}

/// Registers the demo business.
async fn register(ports: &Ports) -> Result<Caller, Cause> {
    let input = Register {
        business: NewBusiness {
            business_name: "Baraka Traders".to_owned(),
            business_email: "accounts@baraka.test".to_owned(),
            industry: "Retail".to_owned(),
            company_size: CompanySize::Size11To50,
            country: "KE".to_owned(),
            postal_code: "00100".to_owned(),
            time_zone: Some("Africa/Nairobi".to_owned()),
            currency: Currency::from_code("KES"),
        },
        full_name: "Amina Baraka".to_owned(),
        email: EMAIL.to_owned(),
        password: SecretString::from(PASSWORD),
    };
    Ok(CustomerService::new(ports.clone()).register(input, Some("demo")).await.map_err(told)?.caller)
}

/// The plan of a code.
async fn plan(ports: &Ports, product: &str, code: &str) -> Result<PlanId, Cause> {
    let catalogue = Snapshot::new(ports.store.clone(), None).catalogue().await?;
    let found = plan_by_code(&catalogue, product, code).await?;
    Ok(found.ok_or_else(|| format!("The catalogue has no plan {code} of {product} for the demo business."))?.plan.id)
}

/// Subscribes, with the worker beside it to carry out the payment.
async fn subscribe(ports: &Ports, worker: &Worker, caller: Caller, plan: PlanId) -> Result<SubscriptionId, Cause> {
    let service = SubscriptionService::new(ports.clone());
    let input = Subscribe {
        offer: PreviewSubscribe { plan: Some(plan), interval: Interval::Monthly, coupon: None, trial: false },
        method: None,
        auto_renewal: true,
        preview_token: None,
        idempotency_key: "demo-subscribe".to_owned(),
    };
    let done = beside(worker, service.subscribe(caller, input)).await?;
    Ok(done.subscription)
}

/// Moves to another plan at once.
async fn upgrade(ports: &Ports, worker: &Worker, caller: Caller, subscription: SubscriptionId, plan: PlanId) -> Result<(), Cause> {
    let service = SubscriptionService::new(ports.clone());
    let input = ChangePlan {
        change: PreviewChange {
            subscription: Some(subscription),
            plan: Some(plan),
            interval: None,
            timing: ChangeTiming::Now,
            proration: Proration::ProrateNow,
        },
        preview_token: None,
        method: None,
        if_version: None,
        idempotency_key: "demo-upgrade".to_owned(),
    };
    beside(worker, service.change_plan(caller, input)).await.map(drop)
}

/// Runs what waits for a payment while the worker carries it out.
async fn beside<T>(worker: &Worker, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Cause> {
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker.clone().until(stop.clone()).run());
    let done = work.await.map_err(told);
    stop.cancel();
    running.await?;
    done
}
