//! The composition root: builds store, adapters, services and schema once. `serve`, `worker`, `seed` and the tests share it.

pub mod trusted;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;

use crate::adapters::documents::Documents;
use crate::adapters::mail::{FileMailer, MailAddress, Mailer};
use crate::adapters::oidc::OidcProvider;
use crate::adapters::payment::mpesa::{MpesaGateway, MpesaOptions};
use crate::adapters::payment::registry::Gateways;
use crate::adapters::payment::sandbox::{SandboxGateway, SandboxOptions};
use crate::adapters::payment::stripe::{StripeGateway, StripeOptions};
use crate::adapters::payment::transfer::TransferGateway;
use crate::adapters::payment::{GatewayKind, PaymentGateway};
use crate::adapters::scanner::{Clamd, Scanner};
use crate::adapters::smtp::{SmtpMailer, SmtpServer};
use crate::adapters::webhook::{Reach, SystemLookup, WebhookClient};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Mode, Network, Settings};
use crate::error::{Cause, Error};
use crate::graphql::business::{self, Schema};
use crate::graphql::front_door::{FrontDoor, Limits};
use crate::graphql::page::MAX_PAGE;
use crate::graphql::schema::front_door;
use crate::graphql::staff;
use crate::http::business::BusinessExecutor;
use crate::http::graphiql::{DemoUser, GraphiqlSettings};
use crate::http::live::{Connections, LiveSettings};
use crate::http::rates::Rates;
use crate::http::router::{BUSINESS_PATH, Routes, STAFF_PATH, router};
use crate::http::staff::StaffExecutor;
use crate::http::{graphql, server::ServerLimits};
use crate::ids::{SharedIdGen, SystemIds};
use crate::security::cursor::CursorKey;
use crate::security::keys::Keys;
use crate::security::password::Passwords;
use crate::security::random::{SharedRng, SystemRng};
use crate::security::token::{TokenIssuer, TokenSettings};
use crate::services::keys::KeySignIn;
use crate::services::{Parts, Ports};
use crate::store::{Store, StoreOptions};
use crate::telemetry::Telemetry;
use trusted::Manifest;

/// Who the access tokens are for.
const TOKEN_AUDIENCE: &str = "evolve-business";

/// The house, built.
pub struct App {
    /// What services need.
    pub ports: Ports,
    /// Seals paging cursors.
    pub cursors: Arc<CursorKey>,
    /// The sandbox gateway; none in production.
    pub sandbox: Option<SandboxGateway>,
    /// The business API.
    schema: Schema,
    /// Its front door.
    door: Arc<FrontDoor>,
    /// The staff API.
    staff: staff::Schema,
    /// Its front door.
    staff_door: Arc<FrontDoor>,
    /// Who is believed about where a request comes from.
    proxies: Arc<[Network]>,
    /// How often one may ask.
    rates: Arc<Rates>,
    /// The live connections of this process.
    pub live: Arc<Connections>,
    /// What Stripe signs its events with; none without Stripe.
    stripe_secrets: Option<Arc<[SecretString]>>,
}

impl App {
    /// Opens the database, which must be migrated, and builds everything on it.
    ///
    /// # Errors
    /// A sentence for what could not be opened.
    pub async fn build(settings: &Settings) -> Result<Self, Cause> {
        std::fs::create_dir_all(&settings.data_dir)?;
        let (clock, ids, rng): (SharedClock, SharedIdGen, SharedRng) = (Arc::new(SystemClock), Arc::new(SystemIds), Arc::new(SystemRng));
        let telemetry = Telemetry::of(&settings.telemetry)?;
        let store = open_measured_store(settings, telemetry.clone()).await?;
        let keys = Keys::of(settings, rng.as_ref())?;
        let masters = keys.masters();
        let sandbox = open_sandbox(settings, &clock).await?;
        let gateways = gateways(settings, &clock, sandbox.as_ref())?.measured(&telemetry);
        let tokens = TokenSettings {
            issuer: settings.public_url.clone(),
            audience: TOKEN_AUDIENCE.into(),
            lifetime: settings.sessions.access_lifetime(),
        };
        let ports = Ports::new(Parts {
            store,
            passwords: Passwords::new(settings.passwords.into(), settings.passwords.into(), Arc::clone(&rng))?,
            tokens: Arc::new(TokenIssuer::new(tokens, keys.token, keys.token_previous.into_iter().collect(), Arc::clone(&rng))),
            oidc: oidc(settings, &clock)?,
            previews: keys.cursor.clone(),
            master: masters,
            gateways,
            mailer: mailer(settings, &clock)?,
            documents: documents(settings)?,
            scanner: settings.files.clamd.clone().map(|address| Arc::new(Clamd::at(address)) as Arc<dyn Scanner>),
            public_url: settings.public_url.clone(),
            webhooks: WebhookClient::new(reach(settings), Arc::new(SystemLookup))?,
            app_url: settings.mail.app_url.clone(),
            support_email: settings.mail.support.clone(),
            trial_notice: settings.trial_notice(),
            refresh_lifetime: settings.sessions.refresh_lifetime(),
            sandbox: settings.mode == Mode::Sandbox,
            work: Notify::new(),
            telemetry,
            clock,
            ids,
            rng,
        });
        let app = Self::of(ports, keys.cursor, sandbox, door_limits(settings))?;
        let app = app.behind(settings.proxies()).asked_at(Rates::new(settings.rates)).live_within(live_limits(settings));
        Ok(match &settings.stripe {
            Some(stripe) => app.hearing_stripe(stripe.webhook_secrets.clone()),
            None => app,
        })
    }

    /// The house on ports that are built already.
    ///
    /// # Errors
    /// Where the schema is not valid, which a test would have shown.
    pub fn of(ports: Ports, cursors: CursorKey, sandbox: Option<SandboxGateway>, limits: Limits) -> Result<Self, Cause> {
        let schema = business::schema();
        let door = Arc::new(front_door(&schema, business::SIGN_INS, limits)?);
        let staff = staff::schema();
        let staff_door = Arc::new(front_door(&staff, staff::SIGN_INS, limits)?);
        Ok(Self {
            ports,
            cursors: Arc::new(cursors),
            sandbox,
            schema,
            door,
            staff,
            staff_door,
            proxies: Arc::new([]),
            rates: Arc::new(Rates::none()),
            live: Connections::new(LiveSettings::default()),
            stripe_secrets: None,
        })
    }

    /// The same house behind proxies that are believed about where a request comes from.
    #[must_use]
    pub fn behind(self, proxies: Vec<Network>) -> Self {
        Self { proxies: proxies.into(), ..self }
    }

    /// The same house with limits on how often one may ask.
    #[must_use]
    pub fn asked_at(self, rates: Rates) -> Self {
        Self { rates: Arc::new(rates), ..self }
    }

    /// The same house with limits of live connections.
    #[must_use]
    pub fn live_within(self, settings: LiveSettings) -> Self {
        Self { live: Connections::new(settings), ..self }
    }

    /// The same house, whose business API lets requests name these documents, or runs them alone. The staff API, which the platform's own
    /// people use, runs any.
    ///
    /// # Errors
    /// A sentence for each document that cannot be trusted, for the first few of them.
    pub fn trusting(self, manifests: &[Manifest], alone: bool) -> Result<Self, Cause> {
        if manifests.is_empty() && !alone {
            return Ok(self);
        }
        let mut door = front_door(&self.schema, business::SIGN_INS, *self.door.limits())?;
        trusted::trust(&mut door, manifests)?;
        if alone {
            door.close();
        }
        Ok(Self { door: Arc::new(door), ..self })
    }

    /// How many documents the business API trusts; whether it runs those alone.
    pub fn trusted(&self) -> (usize, bool) {
        (self.door.trusted(), self.door.is_closed())
    }

    /// The same house with an ear for the events that Stripe signs with one of these.
    #[must_use]
    pub fn hearing_stripe(self, secrets: Vec<SecretString>) -> Self {
        Self { stripe_secrets: Some(secrets.into()), ..self }
    }

    /// Waits for the transactions under way, closes the database, and sends the last spans.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn close(self) -> Result<(), Error> {
        let closed = self.ports.store.clone().close().await;
        self.ports.telemetry.flush().await;
        closed
    }

    /// What the server answers.
    pub fn router(&self, limits: graphql::Settings, demo: Option<DemoUser>, cors_origins: Vec<HeaderValue>) -> Router {
        router(Routes {
            executor: BusinessExecutor {
                schema: self.schema.clone(),
                ports: self.ports.clone(),
                keys: KeySignIn::new(self.ports.clone()),
                cursors: Arc::clone(&self.cursors),
                proxies: Arc::clone(&self.proxies),
                rates: Arc::clone(&self.rates),
                introspection: limits.introspection,
                page_rows: limits.page_rows,
            },
            door: Arc::clone(&self.door),
            staff: StaffExecutor {
                schema: self.staff.clone(),
                ports: self.ports.clone(),
                cursors: Arc::clone(&self.cursors),
                proxies: Arc::clone(&self.proxies),
                rates: Arc::clone(&self.rates),
                introspection: limits.introspection,
                page_rows: limits.page_rows,
            },
            staff_door: Arc::clone(&self.staff_door),
            live: Arc::clone(&self.live),
            limits,
            graphiql: GraphiqlSettings {
                endpoint: BUSINESS_PATH.to_owned(),
                staff_endpoint: STAFF_PATH.to_owned(),
                demo,
                is_closed: self.door.is_closed(),
            },
            cors_origins,
            stripe_secrets: self.stripe_secrets.clone(),
            hears_mpesa: self.ports.gateways.named(GatewayKind::Mpesa.as_str()).is_some(),
            sandbox: self.sandbox.clone(),
        })
    }
}

/// Opens the database, which must be migrated.
///
/// # Errors
/// A sentence for what could not be opened; in production also for a login that passes by the walls.
pub async fn open_store(settings: &Settings) -> Result<Store, Cause> {
    open_measured_store(settings, Telemetry::default()).await
}

/// The same, whose statements are told.
async fn open_measured_store(settings: &Settings, telemetry: Telemetry) -> Result<Store, Cause> {
    let (url, pool_size, writers) = (settings.database.url.expose_secret(), settings.database.readers, settings.database.writers);
    let options = StoreOptions { pool_size, writers, telemetry, ..StoreOptions::new(url) };
    let store = Store::open(&options, Arc::new(SystemClock)).await?;
    if settings.mode == Mode::Production {
        refuse_weak_login(&store).await?;
    }
    Ok(store)
}

/// Production refuses a login that passes by the walls in the database.
async fn refuse_weak_login(store: &Store) -> Result<(), Cause> {
    let weaknesses = store.login_weaknesses().await?;
    if weaknesses.is_empty() { Ok(()) } else { Err(weaknesses.join("\n").into()) }
}

/// The sandbox gateway, in sandbox mode.
async fn open_sandbox(settings: &Settings, clock: &SharedClock) -> Result<Option<SandboxGateway>, Cause> {
    if settings.mode != Mode::Sandbox {
        return Ok(None);
    }
    let action_url = format!("{}/gateways/sandbox/actions", settings.public_url);
    let options = SandboxOptions { action_url, hold_after_commit: settings.sandbox_hold, ..SandboxOptions::default() };
    Ok(Some(SandboxGateway::open(&settings.data_dir, Arc::clone(clock), options).await?))
}

/// The gateways that are configured.
fn gateways(settings: &Settings, clock: &SharedClock, sandbox: Option<&SandboxGateway>) -> Result<Gateways, Cause> {
    let mut all: Vec<Arc<dyn PaymentGateway>> = Vec::new();
    if let Some(sandbox) = sandbox {
        all.push(Arc::new(sandbox.clone()));
    }
    if let Some(stripe) = &settings.stripe {
        all.push(Arc::new(StripeGateway::new(&StripeOptions::new(stripe), Arc::clone(clock))?));
    }
    if let Some(mpesa) = &settings.mpesa {
        all.push(Arc::new(MpesaGateway::new(&MpesaOptions::new(mpesa), Arc::clone(clock))?));
    }
    if let Some(instructions) = &settings.transfer_instructions {
        all.push(Arc::new(TransferGateway::new(instructions.clone())));
    }
    Ok(Gateways::new(all))
}

/// Files: in the bucket that the settings name, or in the data directory.
fn documents(settings: &Settings) -> Result<Documents, Cause> {
    let Some(bucket) = &settings.files.s3 else { return Documents::in_folder(&settings.data_dir) };
    let authority = certificates("EVOLVE_S3_CA_FILE", bucket.ca_file.as_deref())?;
    Documents::in_bucket(bucket, authority.as_deref()).map_err(|cause| naming("EVOLVE_S3_CA_FILE", authority.is_some(), cause))
}

/// The identity provider that the settings name.
fn oidc(settings: &Settings, clock: &SharedClock) -> Result<Option<OidcProvider>, Cause> {
    let Some(oidc) = &settings.oidc else { return Ok(None) };
    let authority = certificates("EVOLVE_OIDC_CA_FILE", oidc.ca_file.as_deref())?;
    let provider = OidcProvider::new(oidc, authority.as_deref(), Arc::clone(clock));
    provider.map(Some).map_err(|cause| naming("EVOLVE_OIDC_CA_FILE", authority.is_some(), cause))
}

/// The certificates in the file that a setting names.
fn certificates(setting: &str, path: Option<&Path>) -> Result<Option<Vec<u8>>, Cause> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|error| format!("{setting} names {}, which cannot be read: {error}.", path.display()));
    Ok(path.map(read).transpose()?)
}

/// What went wrong with what a setting's certificates are for.
fn naming(setting: &str, is_given: bool, cause: Cause) -> Cause {
    if is_given { format!("The certificates of {setting} cannot be used: {cause}.").into() } else { cause }
}

/// How far webhooks go.
const fn reach(settings: &Settings) -> Reach {
    if settings.webhooks_to_loopback { Reach::PublicAndLoopback } else { Reach::Public }
}

/// Mail: by the server that the settings name, or as files in the data directory.
fn mailer(settings: &Settings, clock: &SharedClock) -> Result<Arc<dyn Mailer>, Cause> {
    let from = MailAddress::parse(&settings.mail.from).ok_or("EVOLVE_MAIL_FROM is no address of mail.")?;
    if settings.mail.support.as_ref().is_some_and(|support| MailAddress::parse(support).is_none()) {
        return Err("EVOLVE_SUPPORT_EMAIL is no address of mail.".into());
    }
    let Some(smtp) = settings.mail.smtp.clone() else {
        return Ok(Arc::new(FileMailer::open(&settings.data_dir, from, Arc::clone(clock))?));
    };
    let authority = certificates("EVOLVE_SMTP_CA_FILE", smtp.ca_file.as_deref())?;
    let server = SmtpServer { host: smtp.host, port: smtp.port, tls: smtp.tls, login: smtp.login, authority };
    Ok(Arc::new(SmtpMailer::new(&server, &from, Arc::clone(clock))?))
}

/// The front door's limits as the settings give them.
pub fn door_limits(settings: &Settings) -> Limits {
    let given = settings.limits;
    let number = |given: u32| usize::try_from(given).unwrap_or(usize::MAX);
    Limits {
        document_bytes: number(given.query_bytes),
        tokens: number(given.query_tokens),
        depth: given.query_depth.into(),
        aliases: given.query_aliases.into(),
        root_fields: given.query_root_fields.into(),
        directives: given.query_directives.into(),
        complexity: given.query_cost.into(),
        introspection_depth: given.introspection_depth.into(),
        introspection_cost: given.introspection_cost.into(),
        default_page: Limits::default().default_page.min(given.page_rows.into()),
        cache_bytes: given.document_cache_bytes.into(),
        kept_bytes: given.persisted_query_bytes.into(),
        ..Limits::default()
    }
}

/// What a request may take as the settings give it.
pub fn request_limits(settings: &Settings) -> graphql::Settings {
    let max_body_bytes = usize::try_from(settings.limits.body_bytes).unwrap_or(usize::MAX);
    graphql::Settings {
        max_body_bytes,
        time_limit: settings.limits.request_time(),
        statuses: settings.statuses,
        introspection: settings.introspection,
        page_rows: i32::try_from(settings.limits.page_rows).unwrap_or(MAX_PAGE),
    }
}

/// What live connections may take as the settings give it.
fn live_limits(settings: &Settings) -> LiveSettings {
    let number = |given: u32| usize::try_from(given).unwrap_or(usize::MAX);
    let given = settings.live;
    LiveSettings {
        connections: number(given.connections),
        per_caller: number(given.per_caller),
        per_address: number(given.per_address),
        operations: number(given.operations),
        ..LiveSettings::default()
    }
}

/// What connections may take as the settings give it.
pub fn server_limits(settings: &Settings) -> ServerLimits {
    let max_connections = usize::try_from(settings.limits.connections).unwrap_or(usize::MAX);
    // A body may take as long as the whole request, and a little more than the operation itself.
    ServerLimits {
        max_connections,
        body_timeout: settings.limits.request_time().saturating_mul(2).max(Duration::from_secs(5)),
        ..ServerLimits::default()
    }
}
