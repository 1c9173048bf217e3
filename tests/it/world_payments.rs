//! Payers, invoices to pay, workers and gateways that misbehave, for tests of payments and of the worker.

use std::sync::Arc;
use std::time::Duration;

use evolve_business::adapters::payment::registry::Gateways;
use evolve_business::adapters::payment::{MethodSource, PaymentGateway, SandboxBehavior};
use evolve_business::error::{Failure, Outcome, UserErrorCode};
use evolve_business::ids::{BusinessId, InvoiceId, PaymentId, PaymentMethodId, SessionId, UserId};
use evolve_business::security::keys::Keys;
use evolve_business::security::token::{TokenIssuer, TokenSettings};
use evolve_business::services::access::Caller;
use evolve_business::services::payments::{self, AddPaymentMethod, PaidInvoice, PayInvoice, PaymentService};
use evolve_business::services::{Parts, Ports};
use evolve_business::store::payments::Payment;
use evolve_business::store::{Snapshot, Tenant, TenantScope, customers, invoices};
use evolve_business::worker::{Worker, WorkerSettings};
use jiff::SignedDuration;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _};
use tokio_util::sync::CancellationToken;

use crate::database::Kind;
use crate::world::World;

/// Somebody who may pay for a business.
#[derive(Clone, Copy)]
pub(crate) struct Payer {
    pub(crate) scope: TenantScope,
    pub(crate) caller: Caller,
}

impl World {
    /// Runs SQL as the owner of the tables. `{id:…}` is an id, `{bytes}` some bytes, `{yes}` and `{no}` are booleans.
    pub(crate) async fn sql(&self, sql: &str) {
        self.try_sql(sql).await.unwrap();
    }

    /// The same, which the database may refuse.
    pub(crate) async fn try_sql(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(self.dialect(sql));
        match self.database.kind {
            Kind::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.database.migration_url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
            Kind::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.database.migration_url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.map(drop)
            }
        }
    }

    /// The one number that a statement answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(self.dialect(sql));
        match self.database.kind {
            Kind::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.database.migration_url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Kind::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.database.migration_url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    /// Writes ids and booleans as the database at hand does.
    fn dialect(&self, sql: &str) -> String {
        let sqlite = self.database.kind == Kind::Sqlite;
        let pick = |on_sqlite: &'static str, on_postgres: &'static str| if sqlite { on_sqlite } else { on_postgres };
        let sql = sql.replace("{bytes}", pick("x'00'", "'\\x00'")).replace("{yes}", pick("1", "true")).replace("{no}", pick("0", "false"));
        let mut parts = sql.split("{id:");
        let mut written = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (id, rest) = part.split_once('}').unwrap();
            let literal = if sqlite { format!("x'{}'", id.replace('-', "")) } else { format!("'{id}'") };
            written.push_str(&literal);
            written.push_str(rest);
        }
        written
    }

    /// A new business with an owner who is signed in.
    pub(crate) async fn payer(&self) -> Payer {
        let (business, user, session): (BusinessId, UserId, SessionId) =
            (self.ports.ids.next(), self.ports.ids.next(), self.ports.ids.next());
        let member = self.ports.ids.next_uuid();
        let (b, u, s, now) = (business.uuid(), user.uuid(), session.uuid(), self.ports.now());
        self.sql(&format!(
            "insert into businesses (business_id, business_name, business_email, industry, company_size, country, postal_code, wrapped_key, tax_exempt, time_zone, currency, verification_status, balance_minor, created_at, updated_at)
               values ({{id:{b}}}, 'Acme', 'a@acme.test', 'Trade', 'SIZE_1', 'KE', '00100', {{bytes}}, {{no}}, 'Africa/Nairobi', 'KES', 'UNVERIFIED', 0, '{now}', '{now}');
             insert into users (id, email, email_key, full_name, password_hash, locale, created_at, updated_at)
               values ({{id:{u}}}, '{u}@acme.test', '{u}@acme.test', 'Ann', 'x', 'en', '{now}', '{now}');
             insert into members (business_id, id, user_id, role, joined_at) values ({{id:{b}}}, {{id:{member}}}, {{id:{u}}}, 'OWNER', '{now}');
             insert into sessions (id, user_id, business_id, created_at, last_used_at, expires_at)
               values ({{id:{s}}}, {{id:{u}}}, {{id:{b}}}, '{now}', '{now}', '2037-01-01T00:00:00Z')"
        ))
        .await;
        let scope = TenantScope::proved(business);
        Payer { scope, caller: Caller::User { user, session, scope } }
    }

    /// An open invoice over `due_minor` cents of a shilling that belongs to no subscription.
    pub(crate) async fn invoice(&self, payer: Payer, due_minor: i64) -> InvoiceId {
        let id: InvoiceId = self.ports.ids.next();
        let (b, i, now) = (payer.scope.business().uuid(), id.uuid(), self.ports.now());
        self.sql(&format!(
            "insert into invoices (business_id, id, number, status, currency, seller, billed_to, subtotal_minor, discount_minor, tax_minor, total_minor, credit_applied_minor, amount_paid_minor, amount_credited_minor, amount_due_minor, exclusive_tax_minor, attempts, issued_at, due_at, created_at)
               values ({{id:{b}}}, {{id:{i}}}, 'INV-{i}', 'OPEN', 'KES', '{{}}', '{{}}', {due_minor}, 0, 0, {due_minor}, 0, 0, 0, {due_minor}, 0, 0, '{now}', '{now}', '{now}')"
        ))
        .await;
        id
    }

    /// Adds a sandbox method that behaves so, and makes it the default.
    pub(crate) async fn method(&self, payer: Payer, behavior: SandboxBehavior) -> PaymentMethodId {
        let input = AddPaymentMethod { source: MethodSource::Sandbox(behavior), make_default: true };
        self.payments().add_payment_method(payer.caller, input).await.unwrap()
    }

    pub(crate) fn payments(&self) -> PaymentService {
        PaymentService::new(self.ports.clone())
    }

    /// Pays an invoice with the default method, under a key of its own, while a worker runs.
    pub(crate) async fn pay(&self, payer: Payer, invoice: InvoiceId) -> Outcome<PaidInvoice> {
        self.working(self.payments().pay_invoice(payer.caller, self.request(invoice))).await
    }

    /// A request to pay with the default method, under a key of its own.
    pub(crate) fn request(&self, invoice: InvoiceId) -> PayInvoice {
        let idempotency_key = self.ports.ids.next_uuid().to_string();
        PayInvoice { invoice: Some(invoice), method: None, return_url: None, idempotency_key }
    }

    /// Begins an attempt with the default method, as a renewal does, and runs no job.
    pub(crate) async fn begin(&self, payer: Payer, invoice: InvoiceId) -> PaymentId {
        let outside = self.ports.clone();
        let begin = move |tenant: Tenant| {
            let ports = outside.clone();
            async move {
                customers::lock_business(&tenant).await?;
                let invoice = invoices::find(&tenant, invoice).await?.unwrap();
                payments::begin_attempt(&tenant, &ports, &invoice, None, payments::Sender::Job).await
            }
        };
        match self.ports.store.write(payer.scope, begin).await.unwrap() {
            payments::Begun::Attempt(payment) => payment.id,
            other => panic!("no attempt: {other:?}"),
        }
    }

    /// A worker on `ports` that is never told to stop.
    pub(crate) fn worker(ports: &Ports) -> Worker {
        Worker::new(ports.clone(), WorkerSettings::default(), CancellationToken::new())
    }

    /// Runs what is due now.
    pub(crate) async fn run_due_jobs(&self) -> usize {
        Self::worker(&self.ports).run_due_jobs().await.unwrap()
    }

    /// Moves the clock on and runs what is due then.
    pub(crate) async fn pass(&self, by: SignedDuration) {
        self.advance(by);
        self.run_due_jobs().await;
    }

    /// Runs a worker while `work` runs.
    pub(crate) async fn working<T>(&self, work: impl Future<Output = T>) -> T {
        let stop = CancellationToken::new();
        let worker = tokio::spawn(Worker::new(self.ports.clone(), WorkerSettings::default(), stop.clone()).run());
        let done = work.await;
        stop.cancel();
        worker.await.unwrap();
        done
    }

    /// The payment as it is now.
    pub(crate) async fn payment(&self, payer: Payer, id: PaymentId) -> Payment {
        let view = Snapshot::new(self.ports.store.clone(), Some(payer.scope));
        evolve_business::store::payments::payment(&view.tenant().await.unwrap(), id).await.unwrap().unwrap()
    }

    /// The payment's state.
    pub(crate) async fn status(&self, payer: Payer, id: PaymentId) -> &'static str {
        self.payment(payer, id).await.status.as_str()
    }

    /// An invoice's state, with what is paid and what is due.
    pub(crate) async fn invoice_is(&self, payer: Payer, id: InvoiceId) -> (&'static str, i64, i64) {
        let view = Snapshot::new(self.ports.store.clone(), Some(payer.scope));
        let invoice = invoices::find(&view.tenant().await.unwrap(), id).await.unwrap().unwrap();
        (invoice.status.as_str(), invoice.amount_paid_minor, invoice.amount_due_minor)
    }

    /// How often the gateway really took money.
    pub(crate) async fn charges(&self) -> usize {
        self.gateway.charges().await.unwrap().len()
    }

    /// The same world seen through another gateway.
    pub(crate) fn through(&self, gateway: Arc<dyn PaymentGateway>) -> Ports {
        Ports::new(self.parts(gateway))
    }

    /// The same, to be changed.
    pub(crate) fn parts(&self, gateway: Arc<dyn PaymentGateway>) -> Parts {
        let parts = &self.ports;
        let keys = Keys::load_or_create(self.database.dir.path(), parts.rng.as_ref()).unwrap();
        let settings = TokenSettings { issuer: "evolve".into(), audience: "evolve".into(), lifetime: Duration::from_mins(15) };
        Parts {
            store: parts.store.clone(),
            clock: parts.clock.clone(),
            ids: parts.ids.clone(),
            rng: parts.rng.clone(),
            passwords: parts.passwords.clone(),
            tokens: Arc::new(TokenIssuer::new(settings, keys.token, Vec::new(), parts.rng.clone())),
            oidc: parts.oidc.clone(),
            master: parts.master.clone(),
            previews: parts.previews.clone(),
            gateways: Gateways::only(gateway),
            mailer: parts.mailer.clone(),
            documents: parts.documents.clone(),
            scanner: parts.scanner.clone(),
            public_url: parts.public_url.clone(),
            webhooks: parts.webhooks.clone(),
            app_url: parts.app_url.clone(),
            support_email: parts.support_email.clone(),
            trial_notice: parts.trial_notice,
            refresh_lifetime: parts.refresh_lifetime,
            sandbox: parts.sandbox,
            work: tokio::sync::Notify::new(),
            telemetry: parts.telemetry.clone(),
        }
    }
}

/// The codes of a refusal, each with the field at fault.
pub(crate) fn refused<T: std::fmt::Debug>(outcome: Outcome<T>) -> Vec<(UserErrorCode, String)> {
    match outcome {
        Err(Failure::Refused(refusals)) => refusals.into_iter().map(|refusal| (refusal.code, refusal.field.join("."))).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Waits for something that another task does, and fails after ten seconds.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if condition().await {
            return;
        }
        tokio::time::timeout(Duration::from_millis(10), std::future::pending::<()>()).await.unwrap_err();
    }
    panic!("it did not come about within ten seconds");
}
