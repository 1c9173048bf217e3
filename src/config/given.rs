//! Settings as they are given: each may be left out. One list serves flags, environment and file alike.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::BoolishValueParser;
use secrecy::SecretString;

use super::{Introspection, LogFormat, Mode, SmtpTls, Statuses};

const SERVER: &str = "Server";
const DATABASE: &str = "Database";
const KEYS: &str = "Keys and passwords";
const MAIL: &str = "Mail";
const FILES: &str = "Files";
const GATEWAYS: &str = "Payment gateways";
const LIMITS: &str = "Limits";
const LOGS: &str = "Logs";
const TELEMETRY: &str = "Metrics and traces";

/// Where settings come from: flags, environment, and the file that `--config` names.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SettingsArgs {
    /// Read settings from this file [default: evolve.toml, if there is one]
    ///
    /// Its keys are the flags' names with `_` for `-`, e.g. `data_dir = "/var/lib/evolve"`. Flags and environment go before it.
    #[arg(long, global = true, env = "EVOLVE_CONFIG", value_name = "PATH", help_heading = SERVER)]
    pub config: Option<PathBuf>,
    /// What is given by flags and environment.
    #[command(flatten)]
    pub given: Given,
}

/// Declares the settings once, with what lets the stronger of two sources win.
macro_rules! given {
    ($($(#[$meta:meta])* $field:ident: $type:ty,)*) => {
        /// Settings as one source gives them.
        #[derive(Debug, Clone, Default, clap::Args, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Given {
            $($(#[$meta])* pub $field: Option<$type>,)*
        }

        impl Given {
            /// These, and `weaker` where these say nothing.
            #[must_use]
            pub fn or(self, weaker: Self) -> Self {
                Self { $($field: self.$field.or(weaker.$field),)* }
            }
        }
    };
}

given! {
    /// Run to try things out, or for real money [default: sandbox]
    #[arg(long, global = true, env = "EVOLVE_MODE", value_name = "MODE", help_heading = SERVER)]
    mode: Mode,
    /// Listen on this address and port [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = "EVOLVE_LISTEN", value_name = "ADDRESS", help_heading = SERVER)]
    listen: SocketAddr,
    /// Where clients reach the server [default: http:// and the address it listens on]
    #[arg(long, global = true, env = "EVOLVE_PUBLIC_URL", value_name = "URL", help_heading = SERVER)]
    public_url: String,
    /// Keep files here: the embedded database, documents, a sandbox's keys and mails [default: ./data]
    #[arg(long, global = true, env = "EVOLVE_DATA_DIR", value_name = "PATH", help_heading = SERVER)]
    data_dir: PathBuf,
    /// Leave work by the clock (renewals, payments, mails) to `worker` processes
    #[arg(long, global = true, env = "EVOLVE_NO_WORKER", value_name = "BOOL", help_heading = SERVER,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    no_worker: bool,
    /// How long a worker holds a job: what a worker that died had begun is taken up by another after that [default: 60]
    #[arg(long, global = true, env = "EVOLVE_LEASE_SECONDS", value_name = "SECONDS", help_heading = SERVER)]
    lease_seconds: u32,
    /// Days for which events of usage are kept as they came; what they come to is kept for ever [default: 90]
    #[arg(long, global = true, env = "EVOLVE_USAGE_EVENT_DAYS", value_name = "DAYS", help_heading = SERVER)]
    usage_event_days: u32,
    /// Days for which what is over is kept: finished jobs, sent mails, told events, sessions and tokens that ran out [default: 90]
    #[arg(long, global = true, env = "EVOLVE_KEPT_DAYS", value_name = "DAYS", help_heading = SERVER)]
    kept_days: u32,
    /// Origins whose pages may call the API, separated by commas [default: none]
    #[arg(long, global = true, env = "EVOLVE_CORS_ORIGINS", value_name = "ORIGINS", help_heading = SERVER)]
    cors_origins: Listed,
    /// Manifests of documents that clients of the business API may name by their ids, separated by commas [default: none]
    #[arg(long, global = true, env = "EVOLVE_TRUSTED_DOCUMENTS", value_name = "PATHS", help_heading = SERVER)]
    trusted_documents: Listed,
    /// Let the business API run those documents alone, and refuse any other
    #[arg(long, global = true, env = "EVOLVE_ONLY_TRUSTED_DOCUMENTS", value_name = "BOOL", help_heading = SERVER,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    only_trusted_documents: bool,
    /// Proxies whose X-Forwarded-For is believed, as addresses or networks like 10.0.0.0/8, separated by commas [default: 127.0.0.0/8,::1]
    #[arg(long, global = true, env = "EVOLVE_TRUSTED_PROXIES", value_name = "NETWORKS", help_heading = SERVER)]
    trusted_proxies: Listed,
    /// Statuses of application/graphql-response+json: settled, or draft-2026 (422, 294) [default: settled]
    #[arg(long, global = true, env = "EVOLVE_HTTP_STATUSES", value_name = "WHICH", help_heading = SERVER, hide_possible_values = true)]
    http_statuses: Statuses,
    /// Sandbox alone: let webhooks go to this machine too, by http:// as well, to try them out
    #[arg(long, global = true, env = "EVOLVE_WEBHOOKS_TO_LOOPBACK", value_name = "BOOL", help_heading = SERVER,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    webhooks_to_loopback: bool,
    /// Sandbox alone: let the sandbox gateway wait between taking money and answering, to try out what a crash leaves
    #[arg(long, global = true, env = "EVOLVE_SANDBOX_HOLD_SECONDS", value_name = "SECONDS", help_heading = SERVER)]
    sandbox_hold_seconds: u32,

    /// The database: sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME [default: sqlite://<data-dir>/evolve.db]
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", help_heading = DATABASE)]
    database_url: SecretString,
    /// As whom `migrate` signs in to PostgreSQL [default: as the server does]
    #[arg(long, global = true, env = "EVOLVE_MIGRATION_URL", hide_env_values = true, value_name = "URL", help_heading = DATABASE)]
    migration_url: SecretString,
    /// Connections for reading [default: 8]
    #[arg(long, global = true, env = "EVOLVE_DATABASE_READERS", value_name = "COUNT", help_heading = DATABASE)]
    database_readers: u32,
    /// Connections for writing, on PostgreSQL; SQLite has one [default: 8]
    #[arg(long, global = true, env = "EVOLVE_DATABASE_WRITERS", value_name = "COUNT", help_heading = DATABASE)]
    database_writers: u32,

    // A key is no flag: any user of the machine could read it in the list of processes.
    #[arg(skip)]
    master_key: SecretString,
    /// A file with the key that protects what is stored sealed
    #[arg(long, global = true, env = "EVOLVE_MASTER_KEY_FILE", value_name = "PATH", help_heading = KEYS)]
    master_key_file: PathBuf,
    #[arg(skip)]
    master_key_previous: SecretString,
    /// A file with the master key in use before this one, until `keys rotate` is through
    #[arg(long, global = true, env = "EVOLVE_MASTER_KEY_PREVIOUS_FILE", value_name = "PATH", help_heading = KEYS)]
    master_key_previous_file: PathBuf,
    #[arg(skip)]
    token_key: SecretString,
    /// A file with the key that signs access tokens
    #[arg(long, global = true, env = "EVOLVE_TOKEN_KEY_FILE", value_name = "PATH", help_heading = KEYS)]
    token_key_file: PathBuf,
    #[arg(skip)]
    token_key_previous: SecretString,
    /// A file with the token key in use before this one, whose tokens are still good
    #[arg(long, global = true, env = "EVOLVE_TOKEN_KEY_PREVIOUS_FILE", value_name = "PATH", help_heading = KEYS)]
    token_key_previous_file: PathBuf,
    #[arg(skip)]
    cursor_key: SecretString,
    /// A file with the key that authenticates paging cursors
    #[arg(long, global = true, env = "EVOLVE_CURSOR_KEY_FILE", value_name = "PATH", help_heading = KEYS)]
    cursor_key_file: PathBuf,
    /// How long an access token lasts, at most 900 seconds [default: 900]
    #[arg(long, global = true, env = "EVOLVE_ACCESS_TOKEN_SECONDS", value_name = "SECONDS", help_heading = KEYS)]
    access_token_seconds: u32,
    /// How long a person stays signed in without coming back [default: 30]
    #[arg(long, global = true, env = "EVOLVE_REFRESH_TOKEN_DAYS", value_name = "DAYS", help_heading = KEYS)]
    refresh_token_days: u32,
    /// An identity provider (OpenID Connect) whose tokens customers may show in place of ours: its issuer [default: none]
    #[arg(long, global = true, env = "EVOLVE_OIDC_ISSUER", value_name = "URL", help_heading = KEYS)]
    oidc_issuer: String,
    /// Whom its tokens must be for, separated by commas
    #[arg(long, global = true, env = "EVOLVE_OIDC_AUDIENCE", value_name = "NAMES", help_heading = KEYS)]
    oidc_audience: Listed,
    /// The algorithms that may sign them, separated by commas [default: RS256,ES256,EdDSA]
    #[arg(long, global = true, env = "EVOLVE_OIDC_ALGORITHMS", value_name = "NAMES", help_heading = KEYS)]
    oidc_algorithms: Listed,
    /// A file of certificates (PEM) to trust at the issuer beside the public ones
    #[arg(long, global = true, env = "EVOLVE_OIDC_CA_FILE", value_name = "PATH", help_heading = KEYS)]
    oidc_ca_file: PathBuf,
    /// Memory of one password's hash [default: 19456]
    #[arg(long, global = true, env = "EVOLVE_ARGON2_MEMORY_KIB", value_name = "KIB", help_heading = KEYS)]
    argon2_memory_kib: u32,
    /// Passes over that memory [default: 2]
    #[arg(long, global = true, env = "EVOLVE_ARGON2_ITERATIONS", value_name = "COUNT", help_heading = KEYS)]
    argon2_iterations: u32,
    /// Lanes of that memory [default: 1]
    #[arg(long, global = true, env = "EVOLVE_ARGON2_LANES", value_name = "COUNT", help_heading = KEYS)]
    argon2_lanes: u32,
    /// Password hashes that run at once [default: 4]
    #[arg(long, global = true, env = "EVOLVE_PASSWORDS_RUNNING", value_name = "COUNT", help_heading = KEYS)]
    passwords_running: u32,
    /// Password hashes that wait; any more are refused [default: 64]
    #[arg(long, global = true, env = "EVOLVE_PASSWORDS_WAITING", value_name = "COUNT", help_heading = KEYS)]
    passwords_waiting: u32,

    /// The mail server (SMTP); a sandbox without one writes mails to files in <data-dir>/mail
    #[arg(long, global = true, env = "EVOLVE_SMTP_HOST", value_name = "HOST", help_heading = MAIL)]
    smtp_host: String,
    /// Its port [default: 465 for implicit, 587 for starttls, 25 for none]
    #[arg(long, global = true, env = "EVOLVE_SMTP_PORT", value_name = "PORT", help_heading = MAIL)]
    smtp_port: u16,
    /// How the connection to it is protected; none is for a sandbox's server on this machine alone [default: starttls]
    #[arg(long, global = true, env = "EVOLVE_SMTP_TLS", value_name = "MODE", help_heading = MAIL)]
    smtp_tls: SmtpTls,
    /// A file of certificates (PEM) to trust beside the public ones
    #[arg(long, global = true, env = "EVOLVE_SMTP_CA_FILE", value_name = "PATH", help_heading = MAIL)]
    smtp_ca_file: PathBuf,
    /// As whom to sign in to it [default: nobody]
    #[arg(long, global = true, env = "EVOLVE_SMTP_USER", value_name = "USER", help_heading = MAIL)]
    smtp_user: String,
    #[arg(skip)]
    smtp_password: SecretString,
    /// A file with the password for that
    #[arg(long, global = true, env = "EVOLVE_SMTP_PASSWORD_FILE", value_name = "PATH", help_heading = MAIL)]
    smtp_password_file: PathBuf,
    /// Whom mail comes from [default: billing@localhost.localdomain, in a sandbox]
    #[arg(long, global = true, env = "EVOLVE_MAIL_FROM", value_name = "ADDRESS", help_heading = MAIL)]
    mail_from: String,
    /// Where your support is told of tickets and of what customers answer [default: nobody is mailed]
    #[arg(long, global = true, env = "EVOLVE_SUPPORT_EMAIL", value_name = "ADDRESS", help_heading = MAIL)]
    support_email: String,
    /// Where links in mails lead: the application's address [default: the public URL]
    #[arg(long, global = true, env = "EVOLVE_APP_URL", value_name = "URL", help_heading = MAIL)]
    app_url: String,
    /// Days before a trial's end on which the business is told of it; 0 tells nobody [default: 3]
    #[arg(long, global = true, env = "EVOLVE_TRIAL_NOTICE_DAYS", value_name = "DAYS", help_heading = MAIL)]
    trial_notice_days: u32,

    /// The bucket (S3) for the documents that customers upload [default: none, they are kept in <data-dir>/documents]
    #[arg(long, global = true, env = "EVOLVE_S3_BUCKET", value_name = "NAME", help_heading = FILES)]
    s3_bucket: String,
    /// The region of the bucket [default: us-east-1]
    #[arg(long, global = true, env = "EVOLVE_S3_REGION", value_name = "REGION", help_heading = FILES)]
    s3_region: String,
    /// Where a service other than Amazon's is reached [default: Amazon's address for the region]
    #[arg(long, global = true, env = "EVOLVE_S3_ENDPOINT", value_name = "URL", help_heading = FILES)]
    s3_endpoint: String,
    /// A file of certificates (PEM) to trust there beside the public ones
    #[arg(long, global = true, env = "EVOLVE_S3_CA_FILE", value_name = "PATH", help_heading = FILES)]
    s3_ca_file: PathBuf,
    /// Who signs requests to the bucket
    #[arg(long, global = true, env = "EVOLVE_S3_ACCESS_KEY_ID", value_name = "ID", help_heading = FILES)]
    s3_access_key_id: String,
    #[arg(skip)]
    s3_secret_access_key: SecretString,
    /// A file with the secret key for that
    #[arg(long, global = true, env = "EVOLVE_S3_SECRET_ACCESS_KEY_FILE", value_name = "PATH", help_heading = FILES)]
    s3_secret_access_key_file: PathBuf,
    /// Where clamd listens on TCP, which scans documents before staff may accept them [default: nothing is scanned]
    #[arg(long, global = true, env = "EVOLVE_CLAMD", value_name = "HOST:PORT", help_heading = FILES)]
    clamd: String,

    #[arg(skip)]
    stripe_secret_key: SecretString,
    /// A file with the secret key (sk_ or rk_) of the Stripe account that takes cards [default: none, no cards are taken]
    #[arg(long, global = true, env = "EVOLVE_STRIPE_SECRET_KEY_FILE", value_name = "PATH", help_heading = GATEWAYS)]
    stripe_secret_key_file: PathBuf,
    /// The publishable key (pk_) of that account, which pages ask Stripe's form with
    #[arg(long, global = true, env = "EVOLVE_STRIPE_PUBLISHABLE_KEY", value_name = "KEY", help_heading = GATEWAYS)]
    stripe_publishable_key: String,
    #[arg(skip)]
    stripe_webhook_secrets: SecretString,
    /// A file with the secrets (whsec_) that Stripe signs its events with, separated by commas: several while one is replaced
    #[arg(long, global = true, env = "EVOLVE_STRIPE_WEBHOOK_SECRETS_FILE", value_name = "PATH", help_heading = GATEWAYS)]
    stripe_webhook_secrets_file: PathBuf,
    /// Where Stripe is, to try out against a simulator of it [default: https://api.stripe.com]
    #[arg(long, global = true, env = "EVOLVE_STRIPE_URL", value_name = "URL", help_heading = GATEWAYS)]
    stripe_url: String,

    #[arg(skip)]
    mpesa_consumer_key: SecretString,
    /// A file with the consumer key of the Daraja application that prompts for M-Pesa [default: none, no phone is prompted]
    #[arg(long, global = true, env = "EVOLVE_MPESA_CONSUMER_KEY_FILE", value_name = "PATH", help_heading = GATEWAYS)]
    mpesa_consumer_key_file: PathBuf,
    #[arg(skip)]
    mpesa_consumer_secret: SecretString,
    /// A file with that application's consumer secret
    #[arg(long, global = true, env = "EVOLVE_MPESA_CONSUMER_SECRET_FILE", value_name = "PATH", help_heading = GATEWAYS)]
    mpesa_consumer_secret_file: PathBuf,
    /// The paybill number that M-Pesa is paid to
    #[arg(long, global = true, env = "EVOLVE_MPESA_SHORT_CODE", value_name = "DIGITS", help_heading = GATEWAYS)]
    mpesa_short_code: String,
    #[arg(skip)]
    mpesa_passkey: SecretString,
    /// A file with the passkey of that number
    #[arg(long, global = true, env = "EVOLVE_MPESA_PASSKEY_FILE", value_name = "PATH", help_heading = GATEWAYS)]
    mpesa_passkey_file: PathBuf,
    /// The user of that number who asks for reversals and the states of transactions
    #[arg(long, global = true, env = "EVOLVE_MPESA_INITIATOR", value_name = "NAME", help_heading = GATEWAYS)]
    mpesa_initiator: String,
    #[arg(skip)]
    mpesa_security_credential: SecretString,
    /// A file with that user's password, encrypted by Safaricom's certificate
    #[arg(long, global = true, env = "EVOLVE_MPESA_SECURITY_CREDENTIAL_FILE", value_name = "PATH", help_heading = GATEWAYS)]
    mpesa_security_credential_file: PathBuf,
    /// Where Daraja is [default: https://api.safaricom.co.ke, in a sandbox https://sandbox.safaricom.co.ke]
    #[arg(long, global = true, env = "EVOLVE_MPESA_URL", value_name = "URL", help_heading = GATEWAYS)]
    mpesa_url: String,
    /// Where Daraja reaches this server [default: the public URL]
    #[arg(long, global = true, env = "EVOLVE_MPESA_CALLBACK_URL", value_name = "URL", help_heading = GATEWAYS)]
    mpesa_callback_url: String,
    /// What is shown to whoever pays by bank transfer: the account, and what to write on it [default: none, transfers are not offered]
    #[arg(long, global = true, env = "EVOLVE_TRANSFER_INSTRUCTIONS", value_name = "TEXT", help_heading = GATEWAYS)]
    transfer_instructions: String,

    /// The longest body of a request [default: 1048576]
    #[arg(long, global = true, env = "EVOLVE_BODY_BYTES", value_name = "BYTES", help_heading = LIMITS)]
    body_bytes: u32,
    /// How deep a query may nest [default: 15]
    #[arg(long, global = true, env = "EVOLVE_QUERY_DEPTH", value_name = "LEVELS", help_heading = LIMITS)]
    query_depth: u32,
    /// What a query may cost [default: 20000]
    #[arg(long, global = true, env = "EVOLVE_QUERY_COST", value_name = "POINTS", help_heading = LIMITS)]
    query_cost: u32,
    /// The longest document of a query [default: 131072]
    #[arg(long, global = true, env = "EVOLVE_QUERY_BYTES", value_name = "BYTES", help_heading = LIMITS)]
    query_bytes: u32,
    /// How many tokens a document may have, white space among them [default: 8000]
    #[arg(long, global = true, env = "EVOLVE_QUERY_TOKENS", value_name = "COUNT", help_heading = LIMITS)]
    query_tokens: u32,
    /// How many aliases an operation may have [default: 30]
    #[arg(long, global = true, env = "EVOLVE_QUERY_ALIASES", value_name = "COUNT", help_heading = LIMITS)]
    query_aliases: u32,
    /// How many fields an operation may have at its root [default: 20]
    #[arg(long, global = true, env = "EVOLVE_QUERY_ROOT_FIELDS", value_name = "COUNT", help_heading = LIMITS)]
    query_root_fields: u32,
    /// How many directives a document may have [default: 50]
    #[arg(long, global = true, env = "EVOLVE_QUERY_DIRECTIVES", value_name = "COUNT", help_heading = LIMITS)]
    query_directives: u32,
    /// How many rows a page may have, at most 100 [default: 100]
    #[arg(long, global = true, env = "EVOLVE_PAGE_ROWS", value_name = "COUNT", help_heading = LIMITS)]
    page_rows: u32,
    /// Who may ask for the schema: everybody, signed-in or nobody [default: everybody, in production signed-in]
    #[arg(long, global = true, env = "EVOLVE_INTROSPECTION", value_name = "WHO", help_heading = LIMITS, hide_possible_values = true)]
    introspection: Introspection,
    /// How deep introspection may nest [default: 20]
    #[arg(long, global = true, env = "EVOLVE_INTROSPECTION_DEPTH", value_name = "LEVELS", help_heading = LIMITS)]
    introspection_depth: u32,
    /// What introspection may cost, beside the query [default: 10000]
    #[arg(long, global = true, env = "EVOLVE_INTROSPECTION_COST", value_name = "POINTS", help_heading = LIMITS)]
    introspection_cost: u32,
    /// What the cache of parsed documents may hold, of each API [default: 33554432]
    #[arg(long, global = true, env = "EVOLVE_DOCUMENT_CACHE_BYTES", value_name = "BYTES", help_heading = LIMITS)]
    document_cache_bytes: u32,
    /// How much of documents is kept for clients that then send their hash alone, for each API; 0 is none [default: 4194304]
    #[arg(long, global = true, env = "EVOLVE_PERSISTED_QUERY_BYTES", value_name = "BYTES", help_heading = LIMITS)]
    persisted_query_bytes: u32,
    /// How long a request may take [default: 10]
    #[arg(long, global = true, env = "EVOLVE_REQUEST_SECONDS", value_name = "SECONDS", help_heading = LIMITS)]
    request_seconds: u32,
    /// How many connections may be open at once [default: 1024]
    #[arg(long, global = true, env = "EVOLVE_CONNECTIONS", value_name = "COUNT", help_heading = LIMITS)]
    connections: u32,
    /// How many requests a minute one person or key may make; 0 is any number [default: 1200]
    #[arg(long, global = true, env = "EVOLVE_REQUESTS_PER_CALLER", value_name = "COUNT", help_heading = LIMITS)]
    requests_per_caller: u32,
    /// How many requests a minute may come from one address without saying who asks; 0 is any number [default: 600]
    #[arg(long, global = true, env = "EVOLVE_REQUESTS_PER_ADDRESS", value_name = "COUNT", help_heading = LIMITS)]
    requests_per_address: u32,
    /// How many files a minute may be asked for from one address; 0 is any number [default: 600]
    #[arg(long, global = true, env = "EVOLVE_FILES_PER_ADDRESS", value_name = "COUNT", help_heading = LIMITS)]
    files_per_address: u32,
    /// Points that one person or key may spend at once; operations cost them. 0 is any number [default: 600000]
    #[arg(long, global = true, env = "EVOLVE_POINTS_PER_CALLER", value_name = "POINTS", help_heading = LIMITS)]
    points_per_caller: u32,
    /// How many of these are restored in a minute [default: 600000]
    #[arg(long, global = true, env = "EVOLVE_POINTS_RESTORED_PER_CALLER", value_name = "POINTS", help_heading = LIMITS)]
    points_restored_per_caller: u32,
    /// Points that may be spent at once from one address without saying who asks; 0 is any number [default: 300000]
    #[arg(long, global = true, env = "EVOLVE_POINTS_PER_ADDRESS", value_name = "POINTS", help_heading = LIMITS)]
    points_per_address: u32,
    /// How many of these are restored in a minute [default: 300000]
    #[arg(long, global = true, env = "EVOLVE_POINTS_RESTORED_PER_ADDRESS", value_name = "POINTS", help_heading = LIMITS)]
    points_restored_per_address: u32,
    /// How many live connections (sockets and event streams) this process may have [default: 512]
    #[arg(long, global = true, env = "EVOLVE_LIVE_CONNECTIONS", value_name = "COUNT", help_heading = LIMITS)]
    live_connections: u32,
    /// How many live connections one person or one key may have; 0 is any number [default: 32]
    #[arg(long, global = true, env = "EVOLVE_LIVE_PER_CALLER", value_name = "COUNT", help_heading = LIMITS)]
    live_per_caller: u32,
    /// How many live connections may come from one address; 0 is any number [default: 128]
    #[arg(long, global = true, env = "EVOLVE_LIVE_PER_ADDRESS", value_name = "COUNT", help_heading = LIMITS)]
    live_per_address: u32,
    /// How many operations one live connection may have at a time [default: 20]
    #[arg(long, global = true, env = "EVOLVE_LIVE_OPERATIONS", value_name = "COUNT", help_heading = LIMITS)]
    live_operations: u32,

    /// Which lines are logged, e.g. `debug` or `info,sqlx=warn` [default: info]
    #[arg(long, global = true, env = "EVOLVE_LOG", value_name = "FILTER", help_heading = LOGS)]
    log: String,
    /// How log lines look [default: human]
    #[arg(long, global = true, env = "EVOLVE_LOG_FORMAT", value_name = "FORMAT", help_heading = LOGS)]
    log_format: LogFormat,
    /// An operation that takes so long is a line of the log; 0 is never [default: 1000]
    #[arg(long, global = true, env = "EVOLVE_SLOW_OPERATION_MS", value_name = "MS", help_heading = LOGS)]
    slow_operation_ms: u32,

    /// Let Prometheus read metrics at this address and port, /metrics, which are for nobody else [default: none are kept]
    #[arg(long, global = true, env = "EVOLVE_METRICS_LISTEN", value_name = "ADDRESS", help_heading = TELEMETRY)]
    metrics_listen: SocketAddr,
    /// Send traces to this collector by OTLP over HTTP, below /v1/traces [default: none are made]
    #[arg(long, global = true, env = "EVOLVE_OTLP_ENDPOINT", value_name = "URL", help_heading = TELEMETRY)]
    otlp_endpoint: String,
    #[arg(skip)]
    otlp_headers: SecretString,
    /// A file with the headers that the collector wants, NAME=VALUE separated by commas
    #[arg(long, global = true, env = "EVOLVE_OTLP_HEADERS_FILE", value_name = "PATH", help_heading = TELEMETRY)]
    otlp_headers_file: PathBuf,
    /// What the process is called in traces [default: evolve-business]
    #[arg(long, global = true, env = "EVOLVE_OTLP_SERVICE_NAME", value_name = "NAME", help_heading = TELEMETRY)]
    otlp_service_name: String,
    /// The share of operations and jobs that are traced, from 0 to 1 [default: 1]
    #[arg(long, global = true, env = "EVOLVE_OTLP_SAMPLE_RATIO", value_name = "RATIO", help_heading = TELEMETRY)]
    otlp_sample_ratio: String,
}

/// A list: separated by commas in a flag or the environment, a list in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Listed(pub Vec<String>);

impl FromStr for Listed {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()))
    }
}
