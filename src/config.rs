//! Typed settings: where they come from, their defaults, and what makes them wrong.
//!
//! Settings come from flags, then the environment, then `evolve.toml`, and are checked once, at start: everything
//! that is wrong is said at once, a sentence each. Secrets are wiped when dropped and never shown by `Debug`. Below
//! the composition root nobody reads the environment.

mod given;
mod key;
mod load;
mod mpesa;
mod network;
#[cfg(test)]
mod oidc_tests;
mod telemetry;
#[cfg(test)]
mod tests;
mod validate;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::SecretString;

pub use given::{Given, Listed, SettingsArgs};
pub use key::{KEY_BYTES, KeyMaterial, KeyTextError};
pub use load::Problems;
pub use mpesa::SHORT_CODE_DIGITS;
pub use network::{Network, NetworkTextError};
pub use telemetry::{OtlpSettings, TelemetrySettings};

/// The longest an access token may last, in seconds.
pub const ACCESS_TOKEN_SECONDS_MAX: u32 = 900;

/// What the server is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// To try it out and to develop against it: makes its own keys, seeds demo data, charges nobody.
    Sandbox,
    /// For real money: refuses missing keys and weak settings.
    Production,
}

/// How a connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// By TLS from the first byte.
    Implicit,
    /// By STARTTLS; a server without it is not given a mail.
    Starttls,
    /// Not at all.
    None,
}

/// Who may ask for the schema by introspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Introspection {
    /// Whoever asks.
    Everybody,
    /// Whoever says who they are.
    SignedIn,
    /// Nobody.
    Nobody,
}

/// How the statuses of answers of `application/graphql-response+json` are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
pub enum Statuses {
    /// As most servers and clients have them: 400 for a request that is not good, 200 for what was executed.
    #[value(name = "settled")]
    #[serde(rename = "settled")]
    Settled,
    /// As the draft of GraphQL over HTTP of 2026 has them: 422 for a document that is not valid, 294 for data beside errors.
    #[value(name = "draft-2026")]
    #[serde(rename = "draft-2026")]
    Draft2026,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a person at a terminal.
    Human,
    /// One JSON object a line.
    Json,
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the server is run for.
    pub mode: Mode,
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where clients reach it, without a slash at the end; also the issuer of its tokens.
    pub public_url: String,
    /// Where files are kept: the embedded database, a sandbox's keys and mails.
    pub data_dir: PathBuf,
    /// The database.
    pub database: DatabaseSettings,
    /// Whether `serve` runs the worker too.
    pub worker: bool,
    /// How long a worker holds a job, in seconds: one that died gives it up to the others after that.
    pub lease_seconds: u32,
    /// How long events of usage are kept, in days; what they come to is kept for ever.
    pub usage_event_days: u32,
    /// How long what is over is kept, in days: finished jobs, sent mails, told events, sessions and tokens that ran out.
    pub kept_days: u32,
    /// Logs.
    pub log: LogSettings,
    /// Figures, spans and slow operations.
    pub telemetry: TelemetrySettings,
    /// The keys that the operator gave.
    pub keys: KeySettings,
    /// Mail.
    pub mail: MailSettings,
    /// Files that customers upload.
    pub files: FileSettings,
    /// Stripe; without it no cards are taken.
    pub stripe: Option<StripeSettings>,
    /// M-Pesa; without it no phone is prompted.
    pub mpesa: Option<MpesaSettings>,
    /// What is shown to whoever pays by bank transfer; without it that is not offered.
    pub transfer_instructions: Option<String>,
    /// The identity provider whose tokens are good too; without one only ours are.
    pub oidc: Option<OidcSettings>,
    /// How long people stay signed in.
    pub sessions: SessionSettings,
    /// What a password's hash costs.
    pub passwords: PasswordSettings,
    /// What a request may take.
    pub limits: Limits,
    /// The documents that the operator trusts.
    pub trusted: TrustedSettings,
    /// How often and how much one may ask.
    pub rates: RateSettings,
    /// Who may ask for the schema.
    pub introspection: Introspection,
    /// How statuses are chosen.
    pub statuses: Statuses,
    /// How many live connections there may be.
    pub live: LiveLimits,
    /// Sandbox alone: whether webhooks may go to this machine too, unencrypted as well.
    pub webhooks_to_loopback: bool,
    /// Sandbox alone: how long the sandbox gateway waits between taking money and answering.
    pub sandbox_hold: Option<Duration>,
    /// Origins (`https://app.example.com`) whose pages may call the API.
    pub cors_origins: Vec<String>,
    /// Addresses and networks (`10.0.0.0/8`) of the proxies that are believed about where a request comes from.
    pub trusted_proxies: Vec<String>,
}

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: SecretString,
    /// As whom `migrate` signs in; by default as the server does.
    pub migration_url: Option<SecretString>,
    /// Connections for reading.
    pub readers: u32,
    /// Connections for writing; SQLite has one.
    pub writers: u32,
}

/// Mail.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The server; without one, mails are files.
    pub smtp: Option<SmtpSettings>,
    /// Whom mail comes from.
    pub from: String,
    /// Where links lead, without a slash at the end.
    pub app_url: String,
    /// Where support is told of tickets; without one nobody is mailed.
    pub support: Option<String>,
    /// Days before a trial's end on which the business is told of it; 0 tells nobody.
    pub trial_notice_days: u32,
}

/// The mail server.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// As whom to sign in, and with what.
    pub login: Option<(String, SecretString)>,
    /// A file of certificates to trust.
    pub ca_file: Option<PathBuf>,
}

/// Files that customers upload.
#[derive(Debug, Clone, Default)]
pub struct FileSettings {
    /// The bucket; without one they are kept in the data directory.
    pub s3: Option<S3Settings>,
    /// Where `clamd` listens (`HOST:PORT`); without one nothing is scanned.
    pub clamd: Option<String>,
}

/// A bucket of a service that speaks S3.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Its name.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// The service's address; without one Amazon's.
    pub endpoint: Option<String>,
    /// A file of certificates to trust beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Who signs.
    pub access_key_id: String,
    /// With what.
    pub secret_access_key: SecretString,
}

/// Stripe.
#[derive(Debug, Clone)]
pub struct StripeSettings {
    /// Where it is, without a slash at the end.
    pub url: String,
    /// Proves who asks.
    pub secret_key: SecretString,
    /// What the customer's browser asks with; it is no secret.
    pub publishable_key: String,
    /// What its events are signed with: one, or several while one is replaced.
    pub webhook_secrets: Vec<SecretString>,
}

/// M-Pesa, by Safaricom's Daraja.
#[derive(Debug, Clone)]
pub struct MpesaSettings {
    /// Where Daraja is, without a slash at the end.
    pub url: String,
    /// Names the application that asks.
    pub consumer_key: SecretString,
    /// Proves it.
    pub consumer_secret: SecretString,
    /// The paybill number that is paid to.
    pub short_code: String,
    /// Makes the password of a prompt.
    pub passkey: SecretString,
    /// The user of the short code who asks for reversals and states.
    pub initiator: String,
    /// That user's password, encrypted for Safaricom.
    pub security_credential: SecretString,
    /// Where Daraja reaches this server, without a slash at the end.
    pub callback_url: String,
}

/// An identity provider (OpenID Connect) of people of businesses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// Its issuer, to the letter as its tokens have it.
    pub issuer: String,
    /// Of whom its tokens must be for one.
    pub audiences: Vec<String>,
    /// The algorithms that sign them, by their names in a token's header.
    pub algorithms: Vec<String>,
    /// A file of certificates to trust beside the public ones.
    pub ca_file: Option<PathBuf>,
}

/// Logs.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Which lines, e.g. `info,sqlx=warn`.
    pub filter: String,
    /// How they look.
    pub format: LogFormat,
}

/// The keys that the operator gave.
#[derive(Debug, Clone, Default)]
pub struct KeySettings {
    /// Wraps the keys of businesses.
    pub master: Option<KeyMaterial>,
    /// Wrapped them until it was replaced.
    pub master_previous: Option<KeyMaterial>,
    /// Signs access tokens.
    pub token: Option<KeyMaterial>,
    /// Signed access tokens until the last rotation.
    pub token_previous: Option<KeyMaterial>,
    /// Authenticates paging cursors.
    pub cursor: Option<KeyMaterial>,
}

/// How often one may ask, in requests a minute; 0 is as often as one likes. And how much, in points, which operations cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateSettings {
    /// A person or a key.
    pub per_caller: u32,
    /// An address from which nobody says who they are.
    pub per_address: u32,
    /// An address from which files are asked for.
    pub files_per_address: u32,
    /// The points of a person or a key.
    pub caller_points: PointSettings,
    /// The points of such an address.
    pub address_points: PointSettings,
}

/// Points that may be spent; none of either is as many as one likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PointSettings {
    /// How many there are at most.
    pub most: u32,
    /// How many are restored in a minute.
    pub per_minute: u32,
}

/// How long people stay signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSettings {
    /// How long an access token lasts, in seconds.
    pub access_token_seconds: u32,
    /// How long a refresh token lasts, in days.
    pub refresh_token_days: u32,
}

impl Settings {
    /// How long a worker holds a job.
    pub const fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds as u64)
    }

    /// The proxies that are believed about where a request comes from. What names no network was refused at start.
    pub fn proxies(&self) -> Vec<Network> {
        self.trusted_proxies.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// How long events of usage are kept.
    pub const fn keep_usage(&self) -> SignedDuration {
        days(self.usage_event_days)
    }

    /// How long what is over is kept.
    pub const fn keep_spent(&self) -> SignedDuration {
        days(self.kept_days)
    }

    /// How long before a trial's end the business is told of it; zero tells nobody.
    pub const fn trial_notice(&self) -> SignedDuration {
        days(self.mail.trial_notice_days)
    }
}

/// So many days.
const fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(days as i64 * 24)
}

impl SessionSettings {
    /// How long an access token lasts.
    pub const fn access_lifetime(self) -> Duration {
        Duration::from_secs(self.access_token_seconds as u64)
    }

    /// How long a refresh token lasts.
    pub const fn refresh_lifetime(self) -> Duration {
        Duration::from_secs(self.refresh_token_days as u64 * 86_400)
    }
}

/// What a password's hash (argon2id) costs, and how many run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordSettings {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub lanes: u32,
    /// Hashes that run at once.
    pub running: u32,
    /// Hashes that wait for one that runs; any more are refused.
    pub waiting: u32,
}

/// How many live connections there may be: sockets and event streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveLimits {
    /// Of this process.
    pub connections: u32,
    /// Of one person or one key; 0 for any number.
    pub per_caller: u32,
    /// From one address; 0 for any number.
    pub per_address: u32,
    /// Operations of one connection at a time.
    pub operations: u32,
}

/// The documents that the operator trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedSettings {
    /// The manifests that have them.
    pub manifests: Vec<PathBuf>,
    /// Whether the business API runs no others.
    pub alone: bool,
}

/// What a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest body, in bytes.
    pub body_bytes: u32,
    /// How deep a query nests.
    pub query_depth: u32,
    /// What a query costs at most.
    pub query_cost: u32,
    /// Bytes of a document.
    pub query_bytes: u32,
    /// Tokens of a document.
    pub query_tokens: u32,
    /// Aliases of an operation.
    pub query_aliases: u32,
    /// Fields at the root of an operation.
    pub query_root_fields: u32,
    /// Directives of a document.
    pub query_directives: u32,
    /// How deep introspection nests.
    pub introspection_depth: u32,
    /// What introspection costs at most, beside the query.
    pub introspection_cost: u32,
    /// The most rows of a page.
    pub page_rows: u32,
    /// What the cache of parsed documents may hold, in bytes.
    pub document_cache_bytes: u32,
    /// What is kept of documents for clients that ask for it by their hash, in bytes; 0 for nothing.
    pub persisted_query_bytes: u32,
    /// How long a request takes at most, in seconds.
    pub request_seconds: u32,
    /// How many connections are open at once.
    pub connections: u32,
}

impl Limits {
    /// How long a request takes at most.
    pub const fn request_time(self) -> Duration {
        Duration::from_secs(self.request_seconds as u64)
    }
}
