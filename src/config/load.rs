//! Puts the sources of settings together.

use std::ffi::OsString;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{
    DatabaseSettings, FileSettings, Given, Introspection, KeyMaterial, KeySettings, Limits, Listed, LiveLimits, LogFormat, LogSettings,
    MailSettings, Mode, OidcSettings, PasswordSettings, PointSettings, RateSettings, S3Settings, SessionSettings, Settings, SettingsArgs,
    SmtpSettings, SmtpTls, Statuses, StripeSettings, TelemetrySettings, TrustedSettings,
};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "evolve.toml";
/// No file of settings or key is longer, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The proxies that are believed until an operator says otherwise: who is on this machine needs no header to pass for another.
const THIS_MACHINE: [&str; 2] = ["127.0.0.0/8", "::1"];
/// Whom a sandbox's mail comes from until an operator says otherwise.
const SANDBOX_FROM: &str = "billing@localhost.localdomain";

/// What signs an identity provider's tokens until an operator says otherwise.
const OIDC_ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// Everything that is wrong with the settings, a sentence each. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

impl Settings {
    /// The settings of flags and environment (`args`), then the file; checked.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn load(args: SettingsArgs) -> Result<Self, Problems> {
        let SettingsArgs { config, given } = args;
        let given = given.or(secrets_of(|name| std::env::var_os(name)));
        let file = match config {
            Some(path) => read_file(&path),
            None => match Path::new(DEFAULT_FILE).try_exists() {
                Ok(false) => Ok(Given::default()),
                _ => read_file(Path::new(DEFAULT_FILE)),
            },
        };
        Self::resolve(given.or(file.map_err(|problem| Problems(vec![problem]))?))
    }

    /// The settings that `given` makes, with the defaults for what it leaves out; checked.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn resolve(given: Given) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let keys = keys_of(&given, &mut problems);
        let smtp = smtp_of(&given, &mut problems);
        let files = FileSettings { s3: s3_of(&given, &mut problems), clamd: given.clamd.clone() };
        let stripe = stripe_of(&given, &mut problems);
        let mpesa = super::mpesa::of(&given, &mut problems);
        let oidc = oidc_of(&given, &mut problems);
        let otlp = super::telemetry::otlp_of(&given, &mut problems);
        let trusted = trusted_of(&given, &mut problems);
        let settings = Self::with_defaults(given, keys, smtp, files);
        let mpesa = mpesa.map(|mpesa| match mpesa.callback_url.as_str() {
            "" => super::MpesaSettings { callback_url: settings.public_url.clone(), ..mpesa },
            _ => mpesa,
        });
        let telemetry = TelemetrySettings { otlp, ..settings.telemetry };
        let settings = Self { telemetry, stripe, mpesa, oidc, trusted, ..settings };
        // A key that cannot be read is not also said to be missing.
        let said: Vec<String> = problems.iter().map(|problem| subject(problem).to_owned()).collect();
        problems.extend(settings.validate().into_iter().filter(|problem| !said.iter().any(|said| said == subject(problem))));
        if problems.is_empty() { Ok(settings) } else { Err(Problems(problems)) }
    }

    fn with_defaults(given: Given, keys: KeySettings, smtp: Option<SmtpSettings>, files: FileSettings) -> Self {
        let (mode, rates, limits) = (given.mode.unwrap_or(Mode::Sandbox), rates_of(&given), limits_of(&given));
        let listen = given.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let data_dir = given.data_dir.unwrap_or_else(|| PathBuf::from("./data"));
        let url = given.database_url.unwrap_or_else(|| SecretString::from(sqlite_url(&data_dir.join("evolve.db"))));
        let public_url = given.public_url.map_or_else(|| format!("http://{listen}"), |url| url.trim_end_matches('/').to_owned());
        Self {
            mode,
            introspection: given.introspection.unwrap_or_else(|| introspection_of(mode)),
            statuses: given.http_statuses.unwrap_or(Statuses::Settled),
            listen,
            mail: MailSettings {
                smtp,
                from: given.mail_from.unwrap_or_else(|| SANDBOX_FROM.to_owned()),
                support: given.support_email,
                app_url: given.app_url.map_or_else(|| public_url.clone(), |url| url.trim_end_matches('/').to_owned()),
                trial_notice_days: given.trial_notice_days.unwrap_or(3),
            },
            files,
            stripe: None,
            mpesa: None,
            transfer_instructions: given.transfer_instructions,
            oidc: None,
            public_url,
            data_dir,
            database: DatabaseSettings {
                url,
                migration_url: given.migration_url,
                readers: given.database_readers.unwrap_or(8),
                writers: given.database_writers.unwrap_or(8),
            },
            worker: !given.no_worker.unwrap_or(false),
            lease_seconds: given.lease_seconds.unwrap_or(60),
            usage_event_days: given.usage_event_days.unwrap_or(90),
            kept_days: given.kept_days.unwrap_or(90),
            log: LogSettings {
                filter: given.log.unwrap_or_else(|| "info".to_owned()),
                format: given.log_format.unwrap_or(LogFormat::Human),
            },
            telemetry: TelemetrySettings {
                metrics_listen: given.metrics_listen,
                otlp: None,
                slow_operation_ms: given.slow_operation_ms.unwrap_or(1_000),
            },
            keys,
            sessions: SessionSettings {
                access_token_seconds: given.access_token_seconds.unwrap_or(900),
                refresh_token_days: given.refresh_token_days.unwrap_or(30),
            },
            passwords: PasswordSettings {
                memory_kib: given.argon2_memory_kib.unwrap_or(19_456),
                iterations: given.argon2_iterations.unwrap_or(2),
                lanes: given.argon2_lanes.unwrap_or(1),
                running: given.passwords_running.unwrap_or(4),
                waiting: given.passwords_waiting.unwrap_or(64),
            },
            rates,
            live: LiveLimits {
                connections: given.live_connections.unwrap_or(512),
                per_caller: given.live_per_caller.unwrap_or(32),
                per_address: given.live_per_address.unwrap_or(128),
                operations: given.live_operations.unwrap_or(20),
            },
            limits,
            trusted: TrustedSettings::default(),
            webhooks_to_loopback: given.webhooks_to_loopback.unwrap_or(false),
            sandbox_hold: given.sandbox_hold_seconds.map(|seconds| std::time::Duration::from_secs(seconds.into())),
            cors_origins: given.cors_origins.unwrap_or_default().0,
            trusted_proxies: given.trusted_proxies.map_or_else(|| THIS_MACHINE.map(str::to_owned).to_vec(), |proxies| proxies.0),
        }
    }
}

/// How often and how much one may ask.
fn rates_of(given: &Given) -> RateSettings {
    RateSettings {
        per_caller: given.requests_per_caller.unwrap_or(1_200),
        per_address: given.requests_per_address.unwrap_or(600),
        files_per_address: given.files_per_address.unwrap_or(600),
        caller_points: PointSettings {
            most: given.points_per_caller.unwrap_or(600_000),
            per_minute: given.points_restored_per_caller.unwrap_or(600_000),
        },
        address_points: PointSettings {
            most: given.points_per_address.unwrap_or(300_000),
            per_minute: given.points_restored_per_address.unwrap_or(300_000),
        },
    }
}

/// Who may ask for the schema, where it is not said.
const fn introspection_of(mode: Mode) -> Introspection {
    match mode {
        Mode::Sandbox => Introspection::Everybody,
        Mode::Production => Introspection::SignedIn,
    }
}

/// What a request may take.
fn limits_of(given: &Given) -> Limits {
    Limits {
        body_bytes: given.body_bytes.unwrap_or(1 << 20),
        query_depth: given.query_depth.unwrap_or(15),
        query_cost: given.query_cost.unwrap_or(20_000),
        query_bytes: given.query_bytes.unwrap_or(128 << 10),
        query_tokens: given.query_tokens.unwrap_or(8_000),
        query_aliases: given.query_aliases.unwrap_or(30),
        query_root_fields: given.query_root_fields.unwrap_or(20),
        query_directives: given.query_directives.unwrap_or(50),
        introspection_depth: given.introspection_depth.unwrap_or(20),
        introspection_cost: given.introspection_cost.unwrap_or(10_000),
        page_rows: given.page_rows.unwrap_or(100),
        document_cache_bytes: given.document_cache_bytes.unwrap_or(32 << 20),
        persisted_query_bytes: given.persisted_query_bytes.unwrap_or(4 << 20),
        request_seconds: given.request_seconds.unwrap_or(10),
        connections: given.connections.unwrap_or(1_024),
    }
}

/// The name of the setting that a sentence begins with.
fn subject(problem: &str) -> &str {
    let name = problem.split(' ').next().unwrap_or_default();
    name.strip_suffix("_FILE").unwrap_or(name)
}

/// The keys, which are no flags and so are read here, by the names that `environment` knows.
pub(super) fn secrets_of(environment: impl Fn(&str) -> Option<OsString>) -> Given {
    let of = |name| environment(name).map(|value| SecretString::from(value.to_string_lossy().into_owned()));
    Given {
        master_key: of("EVOLVE_MASTER_KEY"),
        master_key_previous: of("EVOLVE_MASTER_KEY_PREVIOUS"),
        token_key: of("EVOLVE_TOKEN_KEY"),
        token_key_previous: of("EVOLVE_TOKEN_KEY_PREVIOUS"),
        cursor_key: of("EVOLVE_CURSOR_KEY"),
        smtp_password: of("EVOLVE_SMTP_PASSWORD"),
        s3_secret_access_key: of("EVOLVE_S3_SECRET_ACCESS_KEY"),
        stripe_secret_key: of("EVOLVE_STRIPE_SECRET_KEY"),
        stripe_webhook_secrets: of("EVOLVE_STRIPE_WEBHOOK_SECRETS"),
        mpesa_consumer_key: of("EVOLVE_MPESA_CONSUMER_KEY"),
        mpesa_consumer_secret: of("EVOLVE_MPESA_CONSUMER_SECRET"),
        mpesa_passkey: of("EVOLVE_MPESA_PASSKEY"),
        mpesa_security_credential: of("EVOLVE_MPESA_SECURITY_CREDENTIAL"),
        otlp_headers: of("EVOLVE_OTLP_HEADERS"),
        ..Given::default()
    }
}

fn keys_of(given: &Given, problems: &mut Vec<String>) -> KeySettings {
    let mut of = |name: &str, text: &Option<SecretString>, file: &Option<PathBuf>| {
        key_of(name, text.as_ref(), file.as_deref()).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        })
    };
    KeySettings {
        master: of("EVOLVE_MASTER_KEY", &given.master_key, &given.master_key_file),
        master_previous: of("EVOLVE_MASTER_KEY_PREVIOUS", &given.master_key_previous, &given.master_key_previous_file),
        token: of("EVOLVE_TOKEN_KEY", &given.token_key, &given.token_key_file),
        token_previous: of("EVOLVE_TOKEN_KEY_PREVIOUS", &given.token_key_previous, &given.token_key_previous_file),
        cursor: of("EVOLVE_CURSOR_KEY", &given.cursor_key, &given.cursor_key_file),
    }
}

/// The mail server, where there is one; a password without a user or a server is a mistake worth a word.
fn smtp_of(given: &Given, problems: &mut Vec<String>) -> Option<SmtpSettings> {
    let password = secret_of("EVOLVE_SMTP_PASSWORD", given.smtp_password.as_ref(), given.smtp_password_file.as_deref(), problems);
    let login = match (given.smtp_user.clone(), password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (Some(_), None) => {
            problems.push("EVOLVE_SMTP_PASSWORD is missing: EVOLVE_SMTP_USER needs it.".to_owned());
            None
        }
        (None, Some(_)) => {
            problems.push("EVOLVE_SMTP_USER is missing: the password is for nobody.".to_owned());
            None
        }
    };
    let tls = given.smtp_tls.unwrap_or(SmtpTls::Starttls);
    let port = match tls {
        SmtpTls::Implicit => 465,
        SmtpTls::Starttls => 587,
        SmtpTls::None => 25,
    };
    let host = given.smtp_host.clone()?;
    Some(SmtpSettings { host, port: given.smtp_port.unwrap_or(port), tls, login, ca_file: given.smtp_ca_file.clone() })
}

/// A secret that is given by itself or in a file.
pub(super) fn secret_of(name: &str, text: Option<&SecretString>, file: Option<&Path>, problems: &mut Vec<String>) -> Option<SecretString> {
    match (text, file) {
        (Some(_), Some(_)) => {
            problems.push(format!("{name} and {name}_FILE are both given: leave one out."));
            None
        }
        (Some(secret), None) => Some(secret.clone()),
        (None, Some(path)) => match read(path) {
            Ok(text) => Some(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => {
                problems.push(format!("{name}_FILE names {}, which cannot be read: {error}.", path.display()));
                None
            }
        },
        (None, None) => None,
    }
}

/// The bucket, where one is named; what belongs to a bucket that is not is a mistake worth a word.
fn s3_of(given: &Given, problems: &mut Vec<String>) -> Option<S3Settings> {
    const SECRET: &str = "EVOLVE_S3_SECRET_ACCESS_KEY";
    let secret = secret_of(SECRET, given.s3_secret_access_key.as_ref(), given.s3_secret_access_key_file.as_deref(), problems);
    let Some(bucket) = given.s3_bucket.clone() else {
        let others = [&given.s3_region, &given.s3_endpoint, &given.s3_access_key_id];
        if secret.is_some() || given.s3_ca_file.is_some() || others.into_iter().any(Option::is_some) {
            problems.push("EVOLVE_S3_BUCKET is missing: the other settings of S3 are for nothing.".to_owned());
        }
        return None;
    };
    if given.s3_access_key_id.is_none() {
        problems.push("EVOLVE_S3_ACCESS_KEY_ID is missing: EVOLVE_S3_BUCKET needs it.".to_owned());
    }
    if secret.is_none() {
        problems.push(format!("{SECRET} is missing: EVOLVE_S3_BUCKET needs it, or {SECRET}_FILE with the path of a file that holds it."));
    }
    Some(S3Settings {
        bucket,
        region: given.s3_region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
        endpoint: given.s3_endpoint.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
        ca_file: given.s3_ca_file.clone(),
        access_key_id: given.s3_access_key_id.clone()?,
        secret_access_key: secret?,
    })
}

/// Stripe, where its key is given; what belongs to it without that is a mistake worth a word.
fn stripe_of(given: &Given, problems: &mut Vec<String>) -> Option<StripeSettings> {
    const KEY: &str = "EVOLVE_STRIPE_SECRET_KEY";
    const SECRETS: &str = "EVOLVE_STRIPE_WEBHOOK_SECRETS";
    let key = secret_of(KEY, given.stripe_secret_key.as_ref(), given.stripe_secret_key_file.as_deref(), problems);
    let secrets = secret_of(SECRETS, given.stripe_webhook_secrets.as_ref(), given.stripe_webhook_secrets_file.as_deref(), problems);
    let Some(secret_key) = key else {
        if secrets.is_some() || given.stripe_publishable_key.is_some() || given.stripe_url.is_some() {
            problems.push(format!("{KEY} is missing: the other settings of Stripe are for nothing."));
        }
        return None;
    };
    if given.stripe_publishable_key.is_none() {
        problems.push(format!("EVOLVE_STRIPE_PUBLISHABLE_KEY is missing: {KEY} needs it."));
    }
    if secrets.is_none() {
        problems.push(format!("{SECRETS} is missing: {KEY} needs it, or {SECRETS}_FILE with the path of a file that holds it."));
    }
    let listed = secrets?;
    let webhook_secrets = listed.expose_secret().split(',').map(str::trim).filter(|secret| !secret.is_empty());
    Some(StripeSettings {
        url: given.stripe_url.as_deref().unwrap_or("https://api.stripe.com").trim_end_matches('/').to_owned(),
        secret_key,
        publishable_key: given.stripe_publishable_key.clone()?,
        webhook_secrets: webhook_secrets.map(|secret| SecretString::from(secret.to_owned())).collect(),
    })
}

/// The identity provider, where its issuer is given; what belongs to it without that is a mistake worth a word.
fn oidc_of(given: &Given, problems: &mut Vec<String>) -> Option<OidcSettings> {
    let listed = |list: &Option<Listed>| list.clone().unwrap_or_default().0;
    let Some(issuer) = given.oidc_issuer.clone() else {
        if given.oidc_audience.is_some() || given.oidc_algorithms.is_some() || given.oidc_ca_file.is_some() {
            problems.push("EVOLVE_OIDC_ISSUER is missing: the other settings of the identity provider are for nothing.".to_owned());
        }
        return None;
    };
    let algorithms = given.oidc_algorithms.is_some().then(|| listed(&given.oidc_algorithms));
    let algorithms = algorithms.unwrap_or_else(|| OIDC_ALGORITHMS.map(str::to_owned).to_vec());
    Some(OidcSettings { issuer, audiences: listed(&given.oidc_audience), algorithms, ca_file: given.oidc_ca_file.clone() })
}

/// The documents that the operator trusts. To run those alone where there are none is to run nothing.
fn trusted_of(given: &Given, problems: &mut Vec<String>) -> TrustedSettings {
    let manifests: Vec<_> = given.trusted_documents.clone().unwrap_or_default().0.into_iter().map(PathBuf::from).collect();
    let alone = given.only_trusted_documents.unwrap_or(false);
    if alone && manifests.is_empty() {
        problems.push("EVOLVE_TRUSTED_DOCUMENTS is missing: EVOLVE_ONLY_TRUSTED_DOCUMENTS needs it.".to_owned());
    }
    TrustedSettings { manifests, alone }
}

fn key_of(name: &str, text: Option<&SecretString>, file: Option<&Path>) -> Result<Option<KeyMaterial>, String> {
    match (text, file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(format!("{name} and {name}_FILE are both given: leave one out.")),
        (Some(text), None) => KeyMaterial::parse(text.expose_secret()).map(Some).map_err(|error| format!("{name} {error}.")),
        (None, Some(path)) => {
            let text = read(path).map_err(|error| format!("{name}_FILE names {}, which cannot be read: {error}.", path.display()))?;
            KeyMaterial::parse(&text).map(Some).map_err(|error| format!("{name}_FILE names {}, whose text {error}.", path.display()))
        }
    }
}

fn read_file(path: &Path) -> Result<Given, String> {
    let text = read(path).map_err(|error| format!("The settings file {} cannot be read: {error}.", path.display()))?;
    parse_file(&text).map_err(|(line, error)| format!("The settings file {} is wrong in line {line}: {error}.", path.display()))
}

/// The settings of a file's text, or the line (from 1) and what is wrong with it. Never quotes the line itself: it may hold a secret.
pub(super) fn parse_file(text: &str) -> Result<Given, (usize, String)> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        (before.matches('\n').count() + 1, error.message().trim().replace('\n', ", "))
    })
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let read = std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, "the file is too long"));
    }
    Ok(text)
}

/// The URL of an SQLite file, with what has a meaning in URLs escaped.
fn sqlite_url(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}")
}
