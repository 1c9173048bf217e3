//! What the business does: one service per noun. A service checks who asks, reads rows through the store, applies
//! the rules of `billing`, writes the outcome in one transaction, and leaves the network to the worker.
//!
//! It must never hold a connection, know GraphQL or HTTP, or call a gateway inside a transaction.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::adapters::documents::Documents;
use crate::adapters::mail::Mailer;
use crate::adapters::oidc::OidcProvider;
use crate::adapters::payment::PaymentGateway;
use crate::adapters::payment::registry::Gateways;
use crate::adapters::scanner::Scanner;
use crate::adapters::webhook::WebhookClient;
use crate::clock::SharedClock;
use crate::error::Error;
use crate::ids::{SharedIdGen, TestClockId};
use crate::security::cursor::CursorKey;
use crate::security::key_ring::MasterKeys;
use crate::security::password::Passwords;
use crate::security::random::SharedRng;
use crate::security::token::TokenIssuer;
use crate::services::usage::Remembered;
use crate::store::customers::Business;
use crate::store::jobs::Job;
use crate::store::test_clocks::{self as clocks, Reading};
use crate::store::{Store, Tenant, customers as customer_rows};
use crate::telemetry::Telemetry;

pub mod access;
pub mod audit;
pub mod billing;
pub mod catalog;
pub mod coupons;
pub mod customers;
pub mod doctor;
pub mod due_jobs;
pub mod events;
mod file_links;
pub mod idempotency;
pub mod keys;
pub mod live;
pub mod notifications;
pub mod payments;
pub mod printing;
pub mod privacy;
pub mod retention;
pub mod sealing;
mod second_factor;
pub mod sessions;
pub mod staff;
pub mod subscriptions;
pub mod support;
pub mod test_clocks;
mod throttle;
pub mod usage;
pub mod verification;
pub mod webhooks;

/// What services need of the outside, built once by the composition root and shared.
#[derive(Clone)]
pub struct Ports {
    /// What its clones share.
    inner: Arc<Parts>,
    /// What the test clock shows that the business at hand is on.
    reading: Option<Reading>,
    /// Whether the business at hand is known to be on no test clock.
    by_real_time: bool,
    /// What of the catalogue was met so far.
    remembered: Arc<Remembered>,
}

/// The parts of [`Ports`].
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The present instant.
    pub clock: SharedClock,
    /// New ids.
    pub ids: SharedIdGen,
    /// Randomness.
    pub rng: SharedRng,
    /// Password hashing.
    pub passwords: Passwords,
    /// Access tokens.
    pub tokens: Arc<TokenIssuer>,
    /// The identity provider whose tokens customers may show in place of ours, where there is one.
    pub oidc: Option<OidcProvider>,
    /// The key that wraps each business's own, and the one before it.
    pub master: MasterKeys,
    /// Signs what a preview showed.
    pub previews: CursorKey,
    /// The payment gateways.
    pub gateways: Gateways,
    /// Outgoing mail.
    pub mailer: Arc<dyn Mailer>,
    /// Where files are kept.
    pub documents: Documents,
    /// What looks for malware in files, where there is something.
    pub scanner: Option<Arc<dyn Scanner>>,
    /// Where clients reach the server, without a slash at the end: links to files lead there.
    pub public_url: String,
    /// Outgoing webhooks.
    pub webhooks: WebhookClient,
    /// Where links in mails lead: the application's address, without a slash at the end.
    pub app_url: String,
    /// Where the platform's support is told of tickets; without one nobody is mailed.
    pub support_email: Option<String>,
    /// How long before a trial's end the business is told of it; zero tells nobody.
    pub trial_notice: SignedDuration,
    /// How long a refresh token is good.
    pub refresh_lifetime: Duration,
    /// Whether sandbox payment methods and demo data are allowed.
    pub sandbox: bool,
    /// Wakes the worker of this process when a job was made due at once.
    pub work: Notify,
    /// Where what happens is told as figures and spans.
    pub telemetry: Telemetry,
}

impl Ports {
    /// Shares `parts`.
    pub fn new(parts: Parts) -> Self {
        // There are no test clocks but in a sandbox.
        let is_sandbox = parts.sandbox;
        Self { inner: Arc::new(parts), reading: None, by_real_time: !is_sandbox, remembered: Arc::default() }
    }

    /// The same outside as the business of `tenant` has it: in a sandbox it may be on a test clock, by which its periods,
    /// trials, dunning and coupons go. Sessions, links and idempotency keys go by real time.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn of(&self, tenant: &Tenant) -> Result<Self, Error> {
        if self.by_real_time {
            return Ok(self.clone());
        }
        Ok(Self { reading: clocks::reading(tenant).await?, by_real_time: false, ..self.clone() })
    }

    /// The same, and the business with it, in one statement.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn of_business(&self, tenant: &Tenant) -> Result<(Self, Business), Error> {
        if self.by_real_time {
            return Ok((self.clone(), customer_rows::business(tenant).await?));
        }
        let (business, reading) = clocks::business_and_reading(tenant).await?;
        Ok((Self { reading, by_real_time: false, ..self.clone() }, business))
    }

    /// What of the catalogue was met so far.
    fn remembered(&self) -> &Remembered {
        &self.remembered
    }

    /// The same outside for a job of billing or of payments: where the job goes by real time, so does its business, since none is
    /// put on a test clock once it has subscribed; so that is not looked up again.
    #[must_use]
    pub fn of_job(&self, job: &Job) -> Self {
        Self { by_real_time: self.by_real_time || job.test_clock_id.is_none(), ..self.clone() }
    }

    /// The same outside at another time, with the gateway of that time: for living through the past as demo data.
    #[must_use]
    pub fn at_another_time(&self, clock: SharedClock, gateway: Arc<dyn PaymentGateway>) -> Self {
        let Parts {
            store,
            previews,
            ids,
            rng,
            passwords,
            tokens,
            oidc,
            master,
            mailer,
            documents,
            scanner,
            public_url,
            webhooks,
            app_url,
            support_email,
            trial_notice,
            refresh_lifetime,
            sandbox,
            telemetry,
            ..
        } = &*self.inner;
        Self::new(Parts {
            store: store.clone(),
            clock,
            ids: Arc::clone(ids),
            previews: previews.clone(),
            rng: Arc::clone(rng),
            passwords: passwords.clone(),
            tokens: Arc::clone(tokens),
            oidc: oidc.clone(),
            master: master.clone(),
            gateways: Gateways::only(gateway),
            mailer: Arc::clone(mailer),
            documents: documents.clone(),
            scanner: scanner.clone(),
            public_url: public_url.clone(),
            webhooks: webhooks.clone(),
            app_url: app_url.clone(),
            support_email: support_email.clone(),
            trial_notice: *trial_notice,
            refresh_lifetime: *refresh_lifetime,
            sandbox: *sandbox,
            work: Notify::new(),
            telemetry: telemetry.clone(),
        })
    }

    /// The present instant: by the test clock of the business at hand, where it is on one.
    pub fn now(&self) -> Timestamp {
        self.reading.map_or_else(|| self.real_now(), |reading| reading.now.get())
    }

    /// The present instant, whatever a test clock shows.
    pub fn real_now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The test clock that [`Ports::now`] goes by; `None` for real time.
    pub fn test_clock(&self) -> Option<TestClockId> {
        self.reading.map(|reading| reading.clock)
    }
}

impl std::ops::Deref for Ports {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.inner
    }
}
