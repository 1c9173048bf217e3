mod limits;
mod mpesa;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::builder::Resettable;
use clap::{Args as _, FromArgMatches as _};
use secrecy::{ExposeSecret, SecretString};

use super::load::{parse_file, secrets_of};
use super::*;

/// A key of 32 different bytes.
fn key(first: u8) -> String {
    STANDARD.encode(std::array::from_fn::<u8, 32, _>(|at| first.wrapping_add(u8::try_from(at).unwrap())))
}

/// What the flags say, whatever the environment of the tests is.
fn flags(arguments: &[&str]) -> SettingsArgs {
    parse(SettingsArgs::augment_args(clap::Command::new("test")).mut_args(|argument| argument.env(Resettable::Reset)), arguments)
}

fn flags_and_environment(arguments: &[&str]) -> SettingsArgs {
    parse(SettingsArgs::augment_args(clap::Command::new("test")), arguments)
}

fn parse(command: clap::Command, arguments: &[&str]) -> SettingsArgs {
    let matches = command.try_get_matches_from([&["test"], arguments].concat()).unwrap();
    SettingsArgs::from_arg_matches(&matches).unwrap()
}

fn problems(given: Given) -> Vec<String> {
    Settings::resolve(given).map_or_else(|problems| problems.0, |_| Vec::new())
}

fn from_file(text: &str) -> Given {
    parse_file(text).unwrap()
}

/// What production accepts.
fn production() -> Given {
    let environment = [("EVOLVE_MASTER_KEY", key(1)), ("EVOLVE_TOKEN_KEY", key(2)), ("EVOLVE_CURSOR_KEY", key(3))];
    let secrets = secrets_of(|name| environment.iter().find(|(other, _)| *other == name).map(|(_, key)| OsString::from(key)));
    let file =
        "mode = 'production'\npublic_url = 'https://api.example.com/'\nsmtp_host = 'smtp.example.com'\nmail_from = 'billing@example.com'";
    secrets.or(from_file(file))
}

#[test]
fn nothing_given_is_a_sandbox_on_this_machine_alone() {
    let settings = Settings::resolve(Given::default()).unwrap();
    assert_eq!(settings.mode, Mode::Sandbox);
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.public_url, "http://127.0.0.1:8080");
    assert_eq!(settings.database.url.expose_secret(), "sqlite://./data/evolve.db");
    assert!(settings.worker && settings.cors_origins.is_empty() && settings.keys.master.is_none());
    assert_eq!((settings.passwords.memory_kib, settings.passwords.iterations, settings.passwords.lanes), (19_456, 2, 1));
    assert_eq!(settings.sessions.access_lifetime(), Duration::from_mins(15));
    assert_eq!(settings.sessions.refresh_lifetime(), Duration::from_hours(30 * 24));
    assert_eq!(settings.limits.body_bytes, 1_048_576);
}

#[test]
fn the_default_database_is_in_the_data_directory_whatever_its_name() {
    let given = Given { data_dir: Some(PathBuf::from("/srv/50% done? #1")), ..Given::default() };
    let url = Settings::resolve(given).unwrap().database.url;
    assert_eq!(url.expose_secret(), "sqlite:///srv/50%25 done%3F %231/evolve.db");
}

#[test]
fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
    let file = from_file("listen = '127.0.0.1:1'\nquery_depth = 20\nno_worker = true\ncors_origins = ['https://a.example']\n");
    let settings = Settings::resolve(flags(&["--listen", "127.0.0.1:2", "--no-worker=false"]).given.or(file)).unwrap();
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.limits.query_depth, 20);
    assert_eq!(settings.limits.connections, 1_024);
    assert_eq!(settings.cors_origins, ["https://a.example"]);
    assert!(settings.worker);
}

#[test]
fn a_flag_alone_switches_the_worker_off() {
    assert!(!Settings::resolve(flags(&["--no-worker"]).given).unwrap().worker);
}

/// Runs in a process of its own (see below), whose environment the test may set.
#[test]
#[ignore = "started by the test below with an environment of its own"]
fn reads_the_environment_of_its_process() {
    let mut arguments = vec!["--listen", "127.0.0.1:3"];
    let config = std::env::var("TEST_CONFIG").unwrap();
    arguments.extend(["--config", &config]);
    let settings = Settings::load(flags_and_environment(&arguments)).unwrap();
    assert_eq!(settings.listen.port(), 3, "the flag goes before the environment");
    assert_eq!(settings.limits.query_depth, 21, "the environment goes before the file");
    assert_eq!(settings.limits.query_cost, 333, "the file goes before the default");
    assert_eq!(settings.limits.connections, 1_024);
    assert_eq!(settings.database.url.expose_secret(), "postgres://u:p@h/d");
    assert_eq!(settings.keys.master.unwrap().expose(), KeyMaterial::parse(&key(1)).unwrap().expose());
    assert_eq!(settings.keys.cursor.unwrap().expose(), KeyMaterial::parse(&key(3)).unwrap().expose());
    assert_eq!(settings.cors_origins, ["https://a.example", "https://b.example"]);
    assert!(!settings.worker);
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (config, cursor) = (dir.path().join("my.toml"), dir.path().join("cursor.key"));
    std::fs::write(&config, "listen = '127.0.0.1:1'\nquery_depth = 20\nquery_cost = 333\n").unwrap();
    std::fs::write(&cursor, key(3) + "\n").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "config::tests::reads_the_environment_of_its_process", "--ignored"])
        .current_dir(dir.path())
        .env("TEST_CONFIG", &config)
        .env("EVOLVE_LISTEN", "127.0.0.1:2")
        .env("EVOLVE_QUERY_DEPTH", "21")
        .env("EVOLVE_NO_WORKER", "1")
        .env("EVOLVE_CORS_ORIGINS", "https://a.example, https://b.example,")
        .env("DATABASE_URL", "postgres://u:p@h/d")
        .env("EVOLVE_MASTER_KEY", key(1))
        .env("EVOLVE_CURSOR_KEY_FILE", &cursor)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_file_that_is_named_must_exist() {
    let error = Settings::load(flags(&["--config", "/nowhere/evolve.toml"])).unwrap_err();
    assert!(error.to_string().starts_with("The settings file /nowhere/evolve.toml cannot be read: "), "{error}");
}

#[test]
fn the_file_says_in_which_line_it_is_wrong_and_never_quotes_it() {
    let error = |text: &str| parse_file(text).unwrap_err();
    let (line, sentence) = error("# settings\n\nlisten = '127.0.0.1:1'\nlistn = '127.0.0.1:1'\n");
    assert_eq!(line, 4);
    assert!(sentence.starts_with("unknown field `listn`, expected one of `mode`"), "{sentence}");
    assert_eq!(error("query_depth = 'deep'").0, 1);
    assert_eq!(error("\nmode = 'test'").0, 2);
    assert_eq!(error("listen = '1'\nlisten = '2'").0, 2);
    let (line, sentence) = error("\nmaster_key = hunter2secret");
    assert!(line == 2 && !sentence.contains("hunter2"), "{sentence}");
}

#[test]
fn a_production_that_is_complete_is_accepted() {
    let settings = Settings::resolve(production()).unwrap();
    assert_eq!(settings.mode, Mode::Production);
    assert_eq!(settings.public_url, "https://api.example.com");
}

#[test]
fn production_says_all_that_it_lacks_at_once() {
    let weak = "mode = 'production'\nargon2_memory_kib = 8\nargon2_iterations = 1\ncors_origins = ['http://a.example']\nwebhooks_to_loopback = true";
    assert_eq!(
        problems(from_file(weak)),
        [
            "EVOLVE_MASTER_KEY is missing: production needs it, or EVOLVE_MASTER_KEY_FILE with the path of a file that holds it.",
            "EVOLVE_TOKEN_KEY is missing: production needs it, or EVOLVE_TOKEN_KEY_FILE with the path of a file that holds it.",
            "EVOLVE_CURSOR_KEY is missing: production needs it, or EVOLVE_CURSOR_KEY_FILE with the path of a file that holds it.",
            "EVOLVE_WEBHOOKS_TO_LOOPBACK is for a sandbox: production sends webhooks to the public internet alone.",
            "EVOLVE_PUBLIC_URL must begin with https:// in production.",
            "EVOLVE_SMTP_HOST is missing: production needs a mail server.",
            "EVOLVE_MAIL_FROM is missing: production needs an address of yours, e.g. billing@example.com.",
            "EVOLVE_CORS_ORIGINS holds \"http://a.example\", and production allows https:// alone.",
            "EVOLVE_ARGON2_MEMORY_KIB is 8 and must be at least 19456 in production.",
            "EVOLVE_ARGON2_ITERATIONS is 1 and must be at least 2 in production.",
        ]
    );
    let sandbox = weak.replace("production", "sandbox");
    assert_eq!(problems(from_file(&sandbox)), Vec::<String>::new());
}

#[test]
fn each_key_that_is_no_key_is_one_sentence() {
    let with = |given: Given| problems(given.or(production()));
    let secret = |text: &str| Some(SecretString::from(text));
    let make = "(make one with `openssl rand -base64 32`)";
    assert_eq!(
        with(Given { master_key: secret("aGVsbG8="), ..Given::default() }),
        [format!("EVOLVE_MASTER_KEY is 5 bytes long and must be exactly 32 {make}.")]
    );
    assert_eq!(with(Given { token_key: secret("hunter2!"), ..Given::default() }), ["EVOLVE_TOKEN_KEY is not base64."]);
    assert_eq!(
        with(Given { cursor_key: secret(&STANDARD.encode([0; 32])), ..Given::default() }),
        [format!("EVOLVE_CURSOR_KEY is a placeholder and not a random key {make}.")]
    );
    assert_eq!(
        with(Given { token_key_previous: secret(&key(1)), ..Given::default() }),
        ["EVOLVE_TOKEN_KEY_PREVIOUS is the same key as EVOLVE_MASTER_KEY: make one for each."]
    );
    assert_eq!(
        with(Given { master_key_file: Some("/nowhere".into()), ..Given::default() }),
        ["EVOLVE_MASTER_KEY and EVOLVE_MASTER_KEY_FILE are both given: leave one out."]
    );
    let without = Given { master_key: None, master_key_file: Some("/nowhere".into()), ..production() };
    let said = problems(without);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("EVOLVE_MASTER_KEY_FILE names /nowhere, which cannot be read: "), "{said:?}");
}

#[test]
fn each_number_out_of_its_range_is_one_sentence() {
    let cases = [
        ("database_readers = 0", "EVOLVE_DATABASE_READERS is 0 and must be between 1 and 1000."),
        ("database_writers = 1001", "EVOLVE_DATABASE_WRITERS is 1001 and must be between 1 and 1000."),
        ("access_token_seconds = 901", "EVOLVE_ACCESS_TOKEN_SECONDS is 901 and must be between 30 and 900."),
        ("refresh_token_days = 0", "EVOLVE_REFRESH_TOKEN_DAYS is 0 and must be between 1 and 365."),
        ("argon2_memory_kib = 7", "EVOLVE_ARGON2_MEMORY_KIB is 7 and must be between 8 and 1048576."),
        ("argon2_memory_kib = 31\nargon2_lanes = 4", "EVOLVE_ARGON2_MEMORY_KIB is 31 and must be between 32 and 1048576."),
        ("argon2_iterations = 0", "EVOLVE_ARGON2_ITERATIONS is 0 and must be between 1 and 100."),
        ("argon2_lanes = 0", "EVOLVE_ARGON2_LANES is 0 and must be between 1 and 64."),
        ("passwords_running = 0", "EVOLVE_PASSWORDS_RUNNING is 0 and must be between 1 and 256."),
        ("passwords_waiting = 10001", "EVOLVE_PASSWORDS_WAITING is 10001 and must be between 0 and 10000."),
        ("body_bytes = 1023", "EVOLVE_BODY_BYTES is 1023 and must be between 1024 and 67108864."),
        ("query_depth = 2", "EVOLVE_QUERY_DEPTH is 2 and must be between 3 and 64."),
        ("query_cost = 99", "EVOLVE_QUERY_COST is 99 and must be between 100 and 10000000."),
        ("document_cache_bytes = 1000", "EVOLVE_DOCUMENT_CACHE_BYTES is 1000 and must be between 1048576 and 1073741824."),
        ("only_trusted_documents = true", "EVOLVE_TRUSTED_DOCUMENTS is missing: EVOLVE_ONLY_TRUSTED_DOCUMENTS needs it."),
        ("request_seconds = 0", "EVOLVE_REQUEST_SECONDS is 0 and must be between 1 and 600."),
        ("lease_seconds = 1", "EVOLVE_LEASE_SECONDS is 1 and must be between 2 and 3600."),
        ("usage_event_days = 39", "EVOLVE_USAGE_EVENT_DAYS is 39 and must be between 40 and 3650."),
        ("kept_days = 29", "EVOLVE_KEPT_DAYS is 29 and must be between 30 and 3650."),
        ("trial_notice_days = 91", "EVOLVE_TRIAL_NOTICE_DAYS is 91 and must be between 0 and 90."),
        ("connections = 0", "EVOLVE_CONNECTIONS is 0 and must be between 1 and 1000000."),
    ];
    for (file, sentence) in cases {
        assert_eq!(problems(from_file(file)), [sentence]);
    }
}

#[test]
fn each_address_that_is_none_is_one_sentence() {
    for url in ["mysql://h/d", "", "evolve.db"] {
        assert_eq!(problems(from_file(&format!("database_url = '{url}'"))), ["DATABASE_URL must begin with sqlite:// or postgres://."]);
    }
    assert_eq!(
        problems(from_file("migration_url = 'postgres://h/d'")),
        ["EVOLVE_MIGRATION_URL must name the same kind of database as DATABASE_URL."]
    );
    for url in ["", "api.example.com", "ftp://a", "https://a/path", "https://a?x", "https://u@a", "https://", "https://*"] {
        let sentence = format!("EVOLVE_PUBLIC_URL is {url:?} and must be like https://api.example.com.");
        let given = Given { public_url: Some(url.to_owned()), ..Given::default() };
        // A slash at the end is dropped, so `https://` is said to be `https:`.
        assert_eq!(problems(given), [sentence.replace("https://\"", "https:\"")], "{url}");
    }
    for origin in ["*", "null", "https://*.example.com", "https://a.example/"] {
        let sentence = format!("EVOLVE_CORS_ORIGINS holds {origin:?}, and each must be like https://app.example.com.");
        assert_eq!(problems(Given { cors_origins: Some(Listed(vec![origin.to_owned()])), ..Given::default() }), [sentence]);
    }
    for proxy in ["proxy.example.com", "10.0.0.1/8", "*"] {
        let sentence = format!("EVOLVE_TRUSTED_PROXIES holds {proxy:?}, and each must be like 10.0.0.7 or 10.0.0.0/8.");
        assert_eq!(problems(from_file(&format!("trusted_proxies = ['{proxy}']"))), [sentence]);
    }
    let of = |file: &str| Settings::resolve(from_file(file)).unwrap().proxies();
    let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Network>>();
    assert_eq!(of(""), networks(&["127.0.0.0/8", "::1"]));
    assert_eq!(of("trusted_proxies = []"), []);
    assert_eq!(of("trusted_proxies = ['10.0.0.0/8', '10.0.0.7']"), networks(&["10.0.0.0/8", "10.0.0.7"]));
}

#[test]
fn a_mail_server_is_reached_as_it_is_said() {
    let of = |file: &str| Settings::resolve(from_file(file)).unwrap().mail;
    assert!(of("").smtp.is_none(), "mails are files");
    assert_eq!(of("public_url = 'https://api.example.com'").app_url, "https://api.example.com");
    assert_eq!(of("app_url = 'https://example.com/app/'").app_url, "https://example.com/app");
    for (file, port, tls) in [
        ("smtp_host = 'smtp.example.com'", 587, SmtpTls::Starttls),
        ("smtp_host = 'smtp.example.com'\nsmtp_tls = 'implicit'", 465, SmtpTls::Implicit),
        ("smtp_host = 'localhost'\nsmtp_tls = 'none'", 25, SmtpTls::None),
        ("smtp_host = '127.0.0.1'\nsmtp_tls = 'none'\nsmtp_port = 2525", 2_525, SmtpTls::None),
    ] {
        let smtp = of(file).smtp.unwrap();
        assert_eq!((smtp.port, smtp.tls, smtp.login.is_none()), (port, tls, true), "{file}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("smtp.password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let given = Given { smtp_password_file: Some(file), ..from_file("smtp_host = 'smtp.example.com'\nsmtp_user = 'evolve'") };
    let settings = Settings::resolve(given).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    let (user, password) = settings.mail.smtp.unwrap().login.unwrap();
    assert_eq!((user.as_str(), password.expose_secret()), ("evolve", "hunter2"));
}

#[test]
fn each_setting_of_mail_that_cannot_be_is_one_sentence() {
    let cases = [
        ("smtp_host = 'a b'", "EVOLVE_SMTP_HOST is \"a b\" and must be a name like smtp.example.com."),
        (
            "smtp_host = 'smtp.example.com'\nsmtp_tls = 'none'",
            "EVOLVE_SMTP_TLS is none, which is for a server on this machine alone: choose implicit or starttls.",
        ),
        ("smtp_host = 'a.example'\nsmtp_user = 'u'", "EVOLVE_SMTP_PASSWORD is missing: EVOLVE_SMTP_USER needs it."),
        ("smtp_host = 'a.example'\nsmtp_password = 'p'", "EVOLVE_SMTP_USER is missing: the password is for nobody."),
        ("app_url = 'example.com'", "EVOLVE_APP_URL is \"example.com\" and must be like https://app.example.com."),
        ("app_url = 'https://a.example/#x'", "EVOLVE_APP_URL is \"https://a.example/#x\" and must be like https://app.example.com."),
    ];
    for (file, sentence) in cases {
        assert_eq!(problems(from_file(file)), [sentence]);
    }
    let in_production = |file: &str| problems(from_file(file).or(production()));
    assert_eq!(
        in_production("smtp_host = 'localhost'\nsmtp_tls = 'none'"),
        ["EVOLVE_SMTP_TLS is none and must be implicit or starttls in production."]
    );
    assert_eq!(in_production("app_url = 'http://app.example.com'"), ["EVOLVE_APP_URL must begin with https:// in production."]);
}

#[test]
fn a_log_filter_that_is_none_is_one_sentence() {
    let said = problems(from_file("log = 'info,sqlx=loud'"));
    assert!(said.len() == 1 && said[0].starts_with("EVOLVE_LOG is no filter: "), "{said:?}");
}

#[test]
fn debug_shows_no_secret() {
    let given = Given { database_url: Some(SecretString::from("postgres://u:hunter2@h/d")), ..production() };
    let shown = format!("{given:?}{:?}", Settings::resolve(given.clone()).unwrap());
    for secret in ["hunter2", &key(1), &key(2), &key(3)] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn files_are_in_the_data_directory_or_in_a_bucket_that_is_wholly_named() {
    let of = |file: &str| Settings::resolve(from_file(file)).unwrap().files;
    let default = of("");
    assert!(default.s3.is_none() && default.clamd.is_none());
    let whole = "s3_bucket = 'papers'\ns3_access_key_id = 'id'\ns3_secret_access_key = 'key'";
    let s3 = of(&format!("{whole}\ns3_endpoint = 'https://s3.example.com/'\nclamd = 'clamd.internal:3310'")).s3.unwrap();
    assert_eq!((s3.bucket.as_str(), s3.region.as_str(), s3.endpoint.as_deref()), ("papers", "us-east-1", Some("https://s3.example.com")));
    assert!(!format!("{s3:?}").contains("\"key\""), "{s3:?}");
    for (file, expected) in [
        ("s3_region = 'eu-west-1'", "EVOLVE_S3_BUCKET is missing: the other settings of S3 are for nothing."),
        ("s3_secret_access_key = 'key'", "EVOLVE_S3_BUCKET is missing: the other settings of S3 are for nothing."),
        ("s3_bucket = 'papers'\ns3_secret_access_key = 'key'", "EVOLVE_S3_ACCESS_KEY_ID is missing: EVOLVE_S3_BUCKET needs it."),
        (
            "s3_bucket = 'papers'\ns3_access_key_id = 'id'",
            "EVOLVE_S3_SECRET_ACCESS_KEY is missing: EVOLVE_S3_BUCKET needs it, or EVOLVE_S3_SECRET_ACCESS_KEY_FILE with the path of a file that holds it.",
        ),
        (&whole.replace("papers", "a/b"), "EVOLVE_S3_BUCKET is \"a/b\" and must be a bucket's name."),
        (
            &format!("{whole}\ns3_endpoint = 's3.example.com'"),
            "EVOLVE_S3_ENDPOINT is \"s3.example.com\" and must be like https://s3.example.com.",
        ),
        ("clamd = 'localhost'", "EVOLVE_CLAMD is \"localhost\" and must be like clamd.internal:3310."),
        ("clamd = 'unix:/run/clamd'", "EVOLVE_CLAMD is \"unix:/run/clamd\" and must be like clamd.internal:3310."),
        ("clamd = ':3310'", "EVOLVE_CLAMD is \":3310\" and must be like clamd.internal:3310."),
    ] {
        assert_eq!(problems(from_file(file)), [expected], "{file}");
    }
    let plain = problems(from_file(&format!("{whole}\ns3_endpoint = 'http://s3.example.com'")).or(production()));
    assert_eq!(plain, ["EVOLVE_S3_ENDPOINT must begin with https:// in production."]);
}

#[test]
fn stripe_is_whole_or_not_there_and_no_sentence_holds_a_secret() {
    const MISSING: &str = "EVOLVE_STRIPE_SECRET_KEY is missing: the other settings of Stripe are for nothing.";
    let whole = "stripe_secret_key = 'sk_test_1'\nstripe_publishable_key = 'pk_test_1'\nstripe_webhook_secrets = 'whsec_1, whsec_2'";
    let stripe = Settings::resolve(from_file(whole)).unwrap().stripe.unwrap();
    assert_eq!((stripe.url.as_str(), stripe.publishable_key.as_str()), ("https://api.stripe.com", "pk_test_1"));
    let secrets: Vec<&str> = stripe.webhook_secrets.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(secrets, ["whsec_1", "whsec_2"]);
    assert!(!format!("{stripe:?}").contains("sk_test_1"));
    assert!(Settings::resolve(Given::default()).unwrap().stripe.is_none());
    for (text, sentence) in [
        ("stripe_publishable_key = 'pk_test_1'".to_owned(), MISSING),
        ("stripe_url = 'https://stripe.example.com'".to_owned(), MISSING),
        ("stripe_webhook_secrets = 'whsec_1'".to_owned(), MISSING),
        (
            "stripe_secret_key = 'sk_test_1'\nstripe_webhook_secrets = 'whsec_1'".to_owned(),
            "EVOLVE_STRIPE_PUBLISHABLE_KEY is missing: EVOLVE_STRIPE_SECRET_KEY needs it.",
        ),
        (
            "stripe_secret_key = 'sk_test_1'\nstripe_publishable_key = 'pk_test_1'".to_owned(),
            "EVOLVE_STRIPE_WEBHOOK_SECRETS is missing: EVOLVE_STRIPE_SECRET_KEY needs it, or EVOLVE_STRIPE_WEBHOOK_SECRETS_FILE with the path of a file that holds it.",
        ),
        (whole.replace("sk_test_1", "s3cret"), "EVOLVE_STRIPE_SECRET_KEY must be a key like sk_test_… or rk_live_…."),
        (whole.replace("pk_test_1", "sk_test_1"), "EVOLVE_STRIPE_PUBLISHABLE_KEY must be a key like pk_test_… or pk_live_…."),
        (whole.replace("whsec_2", "s3cret"), "EVOLVE_STRIPE_WEBHOOK_SECRETS must be secrets like whsec_…, separated by commas."),
        (whole.replace("whsec_1, whsec_2", ","), "EVOLVE_STRIPE_WEBHOOK_SECRETS must be secrets like whsec_…, separated by commas."),
        (
            whole.replace("pk_test_1", "pk_live_1"),
            "EVOLVE_STRIPE_PUBLISHABLE_KEY and EVOLVE_STRIPE_SECRET_KEY must both be for tests or both live.",
        ),
        (
            format!("{whole}\nstripe_url = 'http://stripe.example.com'"),
            "EVOLVE_STRIPE_URL must begin with https:// where it does not lead to this machine.",
        ),
        (format!("{whole}\nstripe_url = 'stripe'"), "EVOLVE_STRIPE_URL is \"stripe\" and must be like https://api.stripe.com."),
    ] {
        let found = problems(from_file(&text));
        assert!(found.iter().any(|found| found == sentence), "{text}: {found:?}");
        assert!(!found.iter().any(|found| found.contains("s3cret") || found.contains("whsec_1")), "{found:?}");
    }
    for url in ["http://127.0.0.1:12111", "http://[::1]:12111", "http://localhost:12111"] {
        assert_eq!(problems(from_file(&format!("{whole}\nstripe_url = '{url}'"))), [""; 0], "{url}");
    }
    let live = whole.replace("_test_", "_live_");
    let real = ["EVOLVE_STRIPE_SECRET_KEY is for real money, and a sandbox charges nobody: use the keys for tests."];
    assert_eq!(problems(from_file(&live)), real);
    assert_eq!(problems(production().or(from_file(&live))), [""; 0]);
}
