//! What makes settings wrong: a sentence each, beginning with the setting's name in the environment.

use std::ops::RangeInclusive;

use http::Uri;
use secrecy::ExposeSecret;
use tracing_subscriber::EnvFilter;

use super::{ACCESS_TOKEN_SECONDS_MAX, KeyMaterial, Mode, Network, Settings, SmtpTls};

/// The least that a password's hash may cost in production.
const PRODUCTION_MEMORY_KIB_MIN: u32 = 19_456;
const PRODUCTION_ITERATIONS_MIN: u32 = 2;

/// argon2 takes no less memory for each lane, in KiB.
const LANE_MEMORY_KIB_MIN: u32 = 8;

impl Settings {
    /// All that is wrong, a sentence each; empty where nothing is.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.check_database(&mut problems);
        self.check_ranges(&mut problems);
        self.check_urls(&mut problems);
        self.check_keys_differ(&mut problems);
        self.check_mail(&mut problems);
        self.check_files(&mut problems);
        self.check_stripe(&mut problems);
        self.check_mpesa(&mut problems);
        self.check_transfer(&mut problems);
        self.check_oidc(&mut problems);
        self.check_telemetry(&mut problems);
        if let Err(error) = EnvFilter::builder().parse(&self.log.filter) {
            problems.push(format!("EVOLVE_LOG is no filter: {error}."));
        }
        if self.mode == Mode::Production {
            self.check_production(&mut problems);
        }
        problems
    }

    fn check_database(&self, problems: &mut Vec<String>) {
        let kind = database_kind(self.database.url.expose_secret());
        if kind.is_none() {
            problems.push("DATABASE_URL must begin with sqlite:// or postgres://.".to_owned());
        }
        let Some(migration) = &self.database.migration_url else { return };
        if database_kind(migration.expose_secret()) != kind {
            problems.push("EVOLVE_MIGRATION_URL must name the same kind of database as DATABASE_URL.".to_owned());
        }
    }

    fn check_ranges(&self, problems: &mut Vec<String>) {
        let Self { database, sessions, passwords, limits, rates, live, .. } = self;
        let lane_memory = passwords.lanes.saturating_mul(LANE_MEMORY_KIB_MIN);
        let ranges = [
            ("EVOLVE_DATABASE_READERS", database.readers, 1..=1_000),
            ("EVOLVE_DATABASE_WRITERS", database.writers, 1..=1_000),
            ("EVOLVE_LEASE_SECONDS", self.lease_seconds, 2..=3_600),
            // An event may be 35 days late, and what stands is then computed from those of since then.
            ("EVOLVE_USAGE_EVENT_DAYS", self.usage_event_days, 40..=3_650),
            ("EVOLVE_KEPT_DAYS", self.kept_days, 30..=3_650),
            ("EVOLVE_TRIAL_NOTICE_DAYS", self.mail.trial_notice_days, 0..=90),
            ("EVOLVE_ACCESS_TOKEN_SECONDS", sessions.access_token_seconds, 30..=ACCESS_TOKEN_SECONDS_MAX),
            ("EVOLVE_REFRESH_TOKEN_DAYS", sessions.refresh_token_days, 1..=365),
            ("EVOLVE_ARGON2_MEMORY_KIB", passwords.memory_kib, lane_memory.max(LANE_MEMORY_KIB_MIN)..=1 << 20),
            ("EVOLVE_ARGON2_ITERATIONS", passwords.iterations, 1..=100),
            ("EVOLVE_ARGON2_LANES", passwords.lanes, 1..=64),
            ("EVOLVE_PASSWORDS_RUNNING", passwords.running, 1..=256),
            ("EVOLVE_PASSWORDS_WAITING", passwords.waiting, 0..=10_000),
            ("EVOLVE_BODY_BYTES", limits.body_bytes, 1_024..=64 << 20),
            ("EVOLVE_QUERY_DEPTH", limits.query_depth, 3..=64),
            ("EVOLVE_QUERY_COST", limits.query_cost, 100..=10_000_000),
            ("EVOLVE_QUERY_BYTES", limits.query_bytes, 1_024..=1 << 20),
            ("EVOLVE_QUERY_TOKENS", limits.query_tokens, 500..=100_000),
            ("EVOLVE_QUERY_ALIASES", limits.query_aliases, 0..=1_000),
            ("EVOLVE_QUERY_ROOT_FIELDS", limits.query_root_fields, 1..=1_000),
            ("EVOLVE_QUERY_DIRECTIVES", limits.query_directives, 0..=1_000),
            ("EVOLVE_PAGE_ROWS", limits.page_rows, 1..=100),
            ("EVOLVE_INTROSPECTION_DEPTH", limits.introspection_depth, 3..=64),
            ("EVOLVE_INTROSPECTION_COST", limits.introspection_cost, 100..=10_000_000),
            ("EVOLVE_DOCUMENT_CACHE_BYTES", limits.document_cache_bytes, 1 << 20..=1 << 30),
            ("EVOLVE_PERSISTED_QUERY_BYTES", limits.persisted_query_bytes, 0..=1 << 30),
            ("EVOLVE_REQUEST_SECONDS", limits.request_seconds, 1..=600),
            ("EVOLVE_CONNECTIONS", limits.connections, 1..=1_000_000),
            ("EVOLVE_REQUESTS_PER_CALLER", rates.per_caller, 0..=1_000_000),
            ("EVOLVE_REQUESTS_PER_ADDRESS", rates.per_address, 0..=1_000_000),
            ("EVOLVE_FILES_PER_ADDRESS", rates.files_per_address, 0..=1_000_000),
            ("EVOLVE_POINTS_RESTORED_PER_CALLER", rates.caller_points.per_minute, 1..=1_000_000_000),
            ("EVOLVE_POINTS_RESTORED_PER_ADDRESS", rates.address_points.per_minute, 1..=1_000_000_000),
            ("EVOLVE_LIVE_CONNECTIONS", live.connections, 1..=1_000_000),
            ("EVOLVE_LIVE_PER_CALLER", live.per_caller, 0..=1_000_000),
            ("EVOLVE_LIVE_PER_ADDRESS", live.per_address, 0..=1_000_000),
            ("EVOLVE_LIVE_OPERATIONS", live.operations, 1..=1_000),
            ("EVOLVE_SLOW_OPERATION_MS", self.telemetry.slow_operation_ms, 0..=3_600_000),
        ];
        problems.extend(ranges.into_iter().filter_map(|(name, value, range)| out_of_range(name, value, &range)));
        // With fewer, an operation that is within its own limit could never run.
        for (name, points) in [("EVOLVE_POINTS_PER_CALLER", rates.caller_points), ("EVOLVE_POINTS_PER_ADDRESS", rates.address_points)] {
            if points.most > 0 && !(limits.query_cost..=POINTS_MAX).contains(&points.most) {
                let least = limits.query_cost;
                problems.push(format!(
                    "{name} is {} and must be 0, for any number, or between EVOLVE_QUERY_COST ({least}) and {POINTS_MAX}.",
                    points.most
                ));
            }
        }
    }

    fn check_urls(&self, problems: &mut Vec<String>) {
        if !is_origin(&self.public_url) {
            problems.push(format!("EVOLVE_PUBLIC_URL is {:?} and must be like https://api.example.com.", self.public_url));
        }
        for origin in self.cors_origins.iter().filter(|origin| !is_origin(origin)) {
            problems.push(format!("EVOLVE_CORS_ORIGINS holds {origin:?}, and each must be like https://app.example.com."));
        }
        for proxy in self.trusted_proxies.iter().filter(|proxy| proxy.parse::<Network>().is_err()) {
            problems.push(format!("EVOLVE_TRUSTED_PROXIES holds {proxy:?}, and each must be like 10.0.0.7 or 10.0.0.0/8."));
        }
    }

    fn check_mail(&self, problems: &mut Vec<String>) {
        // Without one of its own it is the public URL, which is checked already.
        let is_own = self.mail.app_url != self.public_url;
        if is_own && !is_application(&self.mail.app_url) {
            problems.push(format!("EVOLVE_APP_URL is {:?} and must be like https://app.example.com.", self.mail.app_url));
        }
        let Some(smtp) = &self.mail.smtp else { return };
        if smtp.host.is_empty() || smtp.host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') {
            problems.push(format!("EVOLVE_SMTP_HOST is {:?} and must be a name like smtp.example.com.", smtp.host));
        }
        if smtp.tls == SmtpTls::None && !is_loopback(&smtp.host) {
            problems.push("EVOLVE_SMTP_TLS is none, which is for a server on this machine alone: choose implicit or starttls.".to_owned());
        }
    }

    fn check_files(&self, problems: &mut Vec<String>) {
        if let Some(clamd) = &self.files.clamd {
            let is_address = clamd.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty()
                    && !host.contains(|c: char| c.is_whitespace() || c == '/')
                    && port.parse::<u16>().is_ok_and(|port| port > 0)
            });
            if !is_address {
                problems.push(format!("EVOLVE_CLAMD is {clamd:?} and must be like clamd.internal:3310."));
            }
        }
        let Some(s3) = &self.files.s3 else { return };
        if s3.bucket.is_empty() || s3.bucket.contains(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))) {
            problems.push(format!("EVOLVE_S3_BUCKET is {:?} and must be a bucket's name.", s3.bucket));
        }
        if let Some(endpoint) = &s3.endpoint {
            if !is_origin(endpoint) {
                problems.push(format!("EVOLVE_S3_ENDPOINT is {endpoint:?} and must be like https://s3.example.com."));
            } else if self.mode == Mode::Production && !endpoint.starts_with("https://") {
                problems.push("EVOLVE_S3_ENDPOINT must begin with https:// in production.".to_owned());
            }
        }
    }

    /// No sentence holds a key or a secret.
    fn check_stripe(&self, problems: &mut Vec<String>) {
        let Some(stripe) = &self.stripe else { return };
        let (key, mut live) = (stripe.secret_key.expose_secret(), Vec::new());
        if is_token(key, &["sk_test_", "sk_live_", "rk_test_", "rk_live_"]) {
            live.push(key.contains("_live_"));
        } else {
            problems.push("EVOLVE_STRIPE_SECRET_KEY must be a key like sk_test_… or rk_live_….".to_owned());
        }
        if is_token(&stripe.publishable_key, &["pk_test_", "pk_live_"]) {
            live.push(stripe.publishable_key.starts_with("pk_live_"));
        } else {
            problems.push("EVOLVE_STRIPE_PUBLISHABLE_KEY must be a key like pk_test_… or pk_live_….".to_owned());
        }
        if let [secret, publishable] = live[..]
            && secret != publishable
        {
            problems.push("EVOLVE_STRIPE_PUBLISHABLE_KEY and EVOLVE_STRIPE_SECRET_KEY must both be for tests or both live.".to_owned());
        }
        let secrets = &stripe.webhook_secrets;
        if secrets.is_empty() || secrets.iter().any(|secret| !is_token(secret.expose_secret(), &["whsec_"])) {
            problems.push("EVOLVE_STRIPE_WEBHOOK_SECRETS must be secrets like whsec_…, separated by commas.".to_owned());
        }
        let host = stripe.url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
        if !is_origin(&stripe.url) {
            problems.push(format!("EVOLVE_STRIPE_URL is {:?} and must be like https://api.stripe.com.", stripe.url));
        } else if !stripe.url.starts_with("https://") && !is_loopback(host.trim_matches(['[', ']'])) {
            problems.push("EVOLVE_STRIPE_URL must begin with https:// where it does not lead to this machine.".to_owned());
        }
        if self.mode == Mode::Sandbox && live.contains(&true) {
            problems.push("EVOLVE_STRIPE_SECRET_KEY is for real money, and a sandbox charges nobody: use the keys for tests.".to_owned());
        }
    }

    fn check_transfer(&self, problems: &mut Vec<String>) {
        let is_wrong = |text: &String| text.trim().is_empty() || text.chars().count() > TRANSFER_CHARS_MAX;
        if self.transfer_instructions.as_ref().is_some_and(is_wrong) {
            problems.push(format!("EVOLVE_TRANSFER_INSTRUCTIONS must have 1 to {TRANSFER_CHARS_MAX} characters."));
        }
    }

    fn check_oidc(&self, problems: &mut Vec<String>) {
        let Some(oidc) = &self.oidc else { return };
        let (issuer, host) =
            (&oidc.issuer, oidc.issuer.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default());
        if !is_application(issuer.strip_suffix('/').unwrap_or(issuer)) {
            problems.push(format!("EVOLVE_OIDC_ISSUER is {issuer:?} and must be like https://id.example.com."));
        } else if !issuer.starts_with("https://") && (self.mode == Mode::Production || !is_loopback(host.trim_matches(['[', ']']))) {
            problems.push("EVOLVE_OIDC_ISSUER must begin with https:// but for a sandbox's provider on this machine.".to_owned());
        }
        if *issuer == self.public_url {
            problems.push("EVOLVE_OIDC_ISSUER is our own EVOLVE_PUBLIC_URL: name the provider's.".to_owned());
        }
        if oidc.audiences.is_empty() || oidc.audiences.iter().any(String::is_empty) {
            problems.push("EVOLVE_OIDC_AUDIENCE is missing: without it tokens for any other application would be good here.".to_owned());
        }
        if oidc.algorithms.is_empty() || oidc.algorithms.iter().any(|name| !OIDC_ALGORITHMS.contains(&name.as_str())) {
            problems.push(format!("EVOLVE_OIDC_ALGORITHMS must be of {}, separated by commas.", OIDC_ALGORITHMS.join(", ")));
        }
    }

    /// One key in two places would let the holder of one thing forge another.
    fn check_keys_differ(&self, problems: &mut Vec<String>) {
        let keys = self.named_keys();
        for (at, (name, key)) in keys.iter().enumerate() {
            for (other, other_key) in &keys[..at] {
                if key.is_some() && key.map(KeyMaterial::expose) == other_key.map(KeyMaterial::expose) {
                    problems.push(format!("{name} is the same key as {other}: make one for each."));
                }
            }
        }
    }

    fn check_production(&self, problems: &mut Vec<String>) {
        for (name, key) in self.named_keys() {
            if key.is_none() && ![MASTER_KEY_PREVIOUS, TOKEN_KEY_PREVIOUS].contains(&name) {
                problems.push(format!("{name} is missing: production needs it, or {name}_FILE with the path of a file that holds it."));
            }
        }
        if self.webhooks_to_loopback {
            problems
                .push("EVOLVE_WEBHOOKS_TO_LOOPBACK is for a sandbox: production sends webhooks to the public internet alone.".to_owned());
        }
        if !self.public_url.starts_with("https://") {
            problems.push("EVOLVE_PUBLIC_URL must begin with https:// in production.".to_owned());
        }
        match &self.mail.smtp {
            None => problems.push("EVOLVE_SMTP_HOST is missing: production needs a mail server.".to_owned()),
            Some(smtp) if smtp.tls == SmtpTls::None => {
                problems.push("EVOLVE_SMTP_TLS is none and must be implicit or starttls in production.".to_owned());
            }
            Some(_) => {}
        }
        if self.mail.from.ends_with(".localdomain") {
            problems.push("EVOLVE_MAIL_FROM is missing: production needs an address of yours, e.g. billing@example.com.".to_owned());
        }
        if self.mail.app_url != self.public_url && !self.mail.app_url.starts_with("https://") {
            problems.push("EVOLVE_APP_URL must begin with https:// in production.".to_owned());
        }
        for origin in self.cors_origins.iter().filter(|origin| origin.starts_with("http://")) {
            problems.push(format!("EVOLVE_CORS_ORIGINS holds {origin:?}, and production allows https:// alone."));
        }
        let costs = [
            ("EVOLVE_ARGON2_MEMORY_KIB", self.passwords.memory_kib, PRODUCTION_MEMORY_KIB_MIN),
            ("EVOLVE_ARGON2_ITERATIONS", self.passwords.iterations, PRODUCTION_ITERATIONS_MIN),
        ];
        for (name, value, least) in costs {
            if value < least {
                problems.push(format!("{name} is {value} and must be at least {least} in production."));
            }
        }
    }

    fn named_keys(&self) -> [(&'static str, Option<&KeyMaterial>); 5] {
        [
            ("EVOLVE_MASTER_KEY", self.keys.master.as_ref()),
            (MASTER_KEY_PREVIOUS, self.keys.master_previous.as_ref()),
            ("EVOLVE_TOKEN_KEY", self.keys.token.as_ref()),
            (TOKEN_KEY_PREVIOUS, self.keys.token_previous.as_ref()),
            ("EVOLVE_CURSOR_KEY", self.keys.cursor.as_ref()),
        ]
    }
}

/// The most points that anybody has at once.
const POINTS_MAX: u32 = 1_000_000_000;
/// The longest words for whoever pays by transfer.
const TRANSFER_CHARS_MAX: usize = 2_000;
/// What may sign an identity provider's tokens: nothing with a secret that is shared, and not nothing.
const OIDC_ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

const MASTER_KEY_PREVIOUS: &str = "EVOLVE_MASTER_KEY_PREVIOUS";
const TOKEN_KEY_PREVIOUS: &str = "EVOLVE_TOKEN_KEY_PREVIOUS";

fn out_of_range(name: &str, value: u32, range: &RangeInclusive<u32>) -> Option<String> {
    let sentence = || format!("{name} is {value} and must be between {} and {}.", range.start(), range.end());
    (!range.contains(&value)).then(sentence)
}

/// Whether a text is one of these beginnings and some letters and digits.
fn is_token(text: &str, beginnings: &[&str]) -> bool {
    let is_plain =
        |rest: &str| !rest.is_empty() && rest.len() <= 255 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    beginnings.iter().any(|beginning| text.strip_prefix(beginning).is_some_and(is_plain))
}

fn database_kind(url: &str) -> Option<&'static str> {
    match url.split_once(':')?.0 {
        "sqlite" => Some("sqlite"),
        "postgres" | "postgresql" => Some("postgres"),
        _ => None,
    }
}

/// Whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where an application is: as an origin, and it may stand below a path.
pub(super) fn is_application(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let bare = uri.query().is_none() && !text.ends_with('/') && !text.contains(['@', '#']);
    bare && uri.host().is_some_and(|host| !host.is_empty()) && matches!(uri.scheme_str(), Some("http" | "https"))
}

/// Scheme, host and port, and nothing more.
pub(super) fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let bare = uri.path() == "/" && uri.query().is_none() && !text.ends_with('/') && !text.contains('@');
    let host = uri.host().is_some_and(|host| !host.is_empty() && host != "*" && !host.starts_with("*."));
    bare && host && matches!(uri.scheme_str(), Some("http" | "https"))
}
