//! A world to test in: the services on a database of the test's own, with a clock that the test moves, a sandbox
//! gateway with its own memory, and mail that lands in files.

use std::sync::Arc;
use std::time::Duration;

use evolve_business::adapters::documents::Documents;
use evolve_business::adapters::mail::{FileMailer, MailAddress};
use evolve_business::adapters::payment::registry::Gateways;
use evolve_business::adapters::payment::sandbox::{SandboxGateway, SandboxOptions};
use evolve_business::adapters::webhook::{Reach, SystemLookup, WebhookClient};
use evolve_business::clock::{ManualClock, SharedClock};
use evolve_business::ids::{SharedIdGen, SystemIds};
use evolve_business::security::keys::Keys;
use evolve_business::security::password::{HashCost, HashLimits, Passwords};
use evolve_business::security::random::{SharedRng, SystemRng};
use evolve_business::security::token::{TokenIssuer, TokenSettings};
use evolve_business::services::{Parts, Ports};
use evolve_business::store::{Store, StoreOptions};
use jiff::SignedDuration;

use crate::database::TestDatabase;

/// The services with everything around them.
pub(crate) struct World {
    pub(crate) ports: Ports,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) gateway: SandboxGateway,
    /// Kept so that the data directory lives as long as the world.
    pub(crate) database: TestDatabase,
}

impl World {
    /// A world whose clock stands at `now` (RFC 3339), on `database`.
    pub(crate) async fn at(database: TestDatabase, now: &str) -> Self {
        Self::with(database, now, |_| {}).await
    }

    /// The same, with the store's options changed.
    pub(crate) async fn with(database: TestDatabase, now: &str, change: impl FnOnce(&mut StoreOptions)) -> Self {
        let clock = Arc::new(ManualClock::at(now.parse().unwrap()));
        let shared: SharedClock = clock.clone();
        let ids: SharedIdGen = Arc::new(SystemIds);
        let rng: SharedRng = Arc::new(SystemRng);
        let mut options = StoreOptions { durable: false, ..StoreOptions::new(&database.url) };
        change(&mut options);
        let store = Store::open(&options, shared.clone()).await.unwrap();
        let keys = Keys::load_or_create(database.dir.path(), rng.as_ref()).unwrap();
        let masters = keys.masters();
        let gateway = SandboxGateway::open(database.dir.path(), shared.clone(), SandboxOptions::default()).await.unwrap();
        let from = MailAddress::parse("billing@evolve.test").unwrap();
        let settings =
            TokenSettings { issuer: "evolve-business".into(), audience: "evolve-business".into(), lifetime: Duration::from_mins(15) };
        let ports = Ports::new(Parts {
            store,
            clock: shared.clone(),
            ids,
            rng: rng.clone(),
            passwords: Passwords::new(HashCost::TEST, HashLimits { running: 4, waiting: 64 }, rng.clone()).unwrap(),
            tokens: Arc::new(TokenIssuer::new(settings, keys.token, Vec::new(), rng)),
            oidc: None,
            master: masters,
            previews: keys.cursor,
            gateways: Gateways::only(Arc::new(gateway.clone())).measured(&options.telemetry),
            mailer: Arc::new(FileMailer::open(database.dir.path(), from, shared).unwrap()),
            documents: Documents::in_folder(database.dir.path()).unwrap(),
            scanner: None,
            public_url: "https://api.evolve.test".to_owned(),
            webhooks: WebhookClient::new(Reach::PublicAndLoopback, Arc::new(SystemLookup)).unwrap(),
            app_url: "https://app.evolve.test".to_owned(),
            support_email: Some("support@evolve.test".to_owned()),
            trial_notice: SignedDuration::from_hours(3 * 24),
            refresh_lifetime: Duration::from_hours(30 * 24),
            sandbox: true,
            work: tokio::sync::Notify::new(),
            telemetry: options.telemetry,
        });
        Self { ports, clock, gateway, database }
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }
}
