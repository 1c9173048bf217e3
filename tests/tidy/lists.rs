//! What the rules allow, and where. Each exception has its reason; an entry that is no longer needed fails the test,
//! so these lists shrink by themselves. Growing one is a decision.

/// Rooms that anyone may use, and that use only each other.
pub(crate) const LEAVES: &[&str] = &["ids", "clock", "error", "config", "money", "telemetry"];

/// Each other room of `src/`, and the rooms it may use beside itself and the leaves.
pub(crate) const ROOMS: &[(&str, &[&str])] = &[
    ("security", &[]),
    ("adapters", &["security"]),
    ("store", &["billing", "security"]),
    ("services", &["billing", "store", "adapters", "security"]),
    // `security`: paging cursors are sealed where they are shown.
    ("graphql", &["services", "billing", "store", "security"]),
    ("worker", &["services", "billing", "store", "adapters"]),
    ("http", &["graphql", "services", "store", "adapters", "security"]),
    ("app", &["http", "graphql", "worker", "services", "billing", "store", "adapters", "security"]),
    ("cli", &["app", "http", "graphql", "worker", "services", "billing", "store", "adapters", "security"]),
    ("main", &["cli"]),
];

/// `billing` is pure: of the leaves it may use these alone.
pub(crate) const BILLING_MAY_USE: &[&str] = &["money", "ids", "error"];

/// Words that have no place in `billing`, which has no clock, no randomness, no waiting and no floats.
pub(crate) const BANNED_IN_BILLING: &[&str] =
    &["async", "await", "f32", "f64", "SystemTime", "Instant", "rand", "tokio", "sea_orm", "sqlx", "tracing", "unsafe"];

/// The database's crates, and where in `src/` they may be named: a folder ends in `/`.
pub(crate) const DATABASE_CRATES: &[(&str, &[&str])] = &[
    ("sea_orm", &["src/store/"]),
    ("sea_query", &["src/store/"]),
    ("sea_orm_migration", &["src/store/"]),
    // The sandbox gateway keeps what it charged in a database file of its own, as a gateway would.
    ("sqlx", &["src/store/", "src/adapters/payment/sandbox"]),
];

/// The most lines of code in a file: blank lines and comments are free.
pub(crate) const MAX_LINES: usize = 400;

/// Files that are longer, how long they may be, and why they are one.
pub(crate) const LONGER_FILES: &[(&str, usize, &str)] = &[];

/// Files where a call or type that `clippy.toml` bans is expected.
pub(crate) const BANNED_CALLS: &[(&str, &str)] = &[
    ("src/clock.rs", "the port of time asks the operating system"),
    ("src/ids.rs", "the port of ids asks the operating system"),
    ("src/http/body.rs", "how slow a peer may be is real time"),
    ("src/telemetry/spans.rs", "spans of several processes meet in real time"),
    ("src/store/connection.rs", "connections live here, and the statements that no table has"),
    ("src/store/driver.rs", "a transaction begins on a connection"),
    ("src/store/tenant.rs", "a tenant's statements are made here"),
    ("src/store/system.rs", "the system's statements are made here"),
    ("migration/src/lib.rs", "migrations are raw SQL"),
    ("examples/load/customer.rs", "a client has no port of time or randomness"),
    ("examples/main_job/api.rs", "a client has no port of randomness"),
    ("examples/usage_reporter.rs", "a client has no port of time or randomness"),
    ("tests/front_door.rs", "a test waits in real time"),
    ("tests/it/walls_raw.rs", "tests that look past the walls"),
];

/// Files that make a `TenantScope`: whoever has one may act for that business.
pub(crate) const TENANT_SCOPE_MADE: &[(&str, &str)] = &[
    ("src/services/customers/businesses.rs", "a business whose member the caller was found to be, or that they are making"),
    ("src/services/customers/emails.rs", "the business that the person of a mailed token joined first"),
    ("src/services/customers/external.rs", "a business whose member the person of an identity provider's verified token was found to be"),
    ("src/services/customers/invitations.rs", "the business of an invitation whose mailed token was shown"),
    ("src/services/customers/links.rs", "the business that the person of an address or a mailed token joined first"),
    ("src/services/customers/register.rs", "the business that is being made"),
    ("src/services/customers/sessions.rs", "a verified access token, and the session that a password or refresh token opens"),
    ("src/services/keys/sign_in.rs", "a key that was found by its hash, and the business that a product's key asks about"),
    ("src/services/sealing/rotate.rs", "every business in turn, by the operator's command"),
    ("src/services/payments/disputes.rs", "the business of a payment that a gateway knows the charge of"),
    ("src/services/payments/hints.rs", "the business of an attempt whose sealed address a gateway has spoken at"),
    ("src/services/printing/mod.rs", "the business of a document whose signed link was shown"),
    ("src/services/privacy/links.rs", "the business of an export whose signed link was shown"),
    ("src/services/staff/mod.rs", "the business that a member of staff reads or acts on, audited"),
    ("src/services/verification/links.rs", "the business of a file whose signed link was shown"),
    ("src/worker/dispatch.rs", "the business of a job's claimed row"),
];

/// Files that open the `System` capability, which sees every business.
pub(crate) const SYSTEM_OPENED: &[(&str, &str)] = &[
    ("src/services/audit.rs", "every chain of the audit trail is verified"),
    ("src/services/catalog/plans.rs", "the catalogue is everybody's"),
    ("src/services/catalog/seed.rs", "the catalogue is everybody's"),
    ("src/services/coupons/create.rs", "coupons are everybody's, as the catalogue is"),
    ("src/services/customers/businesses.rs", "sessions, and a business that is being made"),
    ("src/services/customers/emails.rs", "people belong to no business, and who has an address is known to the system alone"),
    ("src/services/customers/external.rs", "tokens of an identity provider, before anybody is known"),
    ("src/services/customers/invitations.rs", "invitations are accepted before anybody is known"),
    ("src/services/customers/links.rs", "links in mails, before anybody is known"),
    ("src/services/customers/mod.rs", "a person's businesses, and whether an address is taken"),
    ("src/services/customers/passwords.rs", "people belong to no business"),
    ("src/services/customers/people.rs", "people belong to no business, and a member who leaves is signed out of it"),
    ("src/services/customers/register.rs", "a business that is being made"),
    ("src/services/customers/sessions.rs", "sign-in and refresh, before anybody is known"),
    ("src/services/customers/two_factor.rs", "second factors belong to people and no business"),
    ("src/services/due_jobs.rs", "jobs that are due are counted across businesses"),
    ("src/services/doctor.rs", "the whole database is examined"),
    ("src/services/keys/api_keys.rs", "a key's hash, by which it is found before its business is known"),
    ("src/services/keys/service_keys.rs", "keys of products belong to no business"),
    ("src/services/keys/sign_in.rs", "keys are looked up before anybody is known"),
    ("src/services/live.rs", "what was missed is looked for, of every business that is watched"),
    ("src/services/notifications/mails.rs", "the token of a mail's link, which belongs to a person and no business"),
    ("src/services/payments/inbox.rs", "a gateway's word, whose business its payment tells"),
    ("src/services/payments/reconciliation.rs", "what a gateway lists, whosever it is"),
    ("src/services/payments/protocol.rs", "a gateway's word, whose business its payment tells"),
    ("src/services/privacy/erase.rs", "a business's people are erased with it, who belong to no business"),
    ("src/services/privacy/export.rs", "a business's people, of whom much is held that belongs to no business"),
    ("src/graphql/context.rs", "the view of a member of staff, who reads every business"),
    ("src/services/sealing/rotate.rs", "keys are replaced whosever they are, by the operator's command"),
    ("src/services/staff/accounts.rs", "staff belong to no business"),
    ("src/services/staff/sessions.rs", "staff belong to no business"),
    ("src/services/staff/credit_notes.rs", "an invoice that staff credit, whose business it tells"),
    ("src/services/staff/invoices.rs", "an invoice that staff void or give up on, whose business it tells"),
    ("src/services/staff/mails.rs", "staff belong to no business, nor do mails to them"),
    ("src/services/staff/payments.rs", "staff record, resolve and pay back payments of businesses"),
    ("src/services/staff/tax.rs", "a business that staff exempt from tax"),
    ("src/services/subscriptions/for_business.rs", "a subscription that staff change or cancel, whose business it tells"),
    ("src/services/staff/suspensions.rs", "a business that staff suspend or restore"),
    ("src/services/staff/tickets.rs", "a ticket that staff answer, which tells whose it is"),
    ("src/services/staff/verifications.rs", "a business whose submission staff review"),
    ("src/services/retention.rs", "what was kept long enough goes, whosever it is"),
    ("src/services/throttle.rs", "tries to sign in are counted before anybody is known"),
    ("src/services/usage/retention.rs", "what was kept long enough goes, whosever it is"),
    ("src/services/webhooks/retention.rs", "what was kept long enough goes, whosever it is"),
    ("src/services/test_clocks.rs", "test clocks belong to the sandbox as a whole"),
    ("src/worker/holding.rs", "claims of jobs are held across businesses"),
    ("src/worker/run.rs", "jobs are claimed across businesses"),
];

/// Words of a workplace that no reader of the project could follow up. Split, so that this file holds none.
pub(crate) const FOREIGN_WORDS: &[&str] = &[
    concat!("BILLING", ".md"),
    concat!("DESIGN", ".md"),
    concat!("TRAPS", ".md"),
    concat!("STYLE", ".md"),
    concat!("BRIEF", ".md"),
    concat!("/wo", "rk/"),
    concat!("../sh", "ared"),
    concat!("helper ", "session"),
];

/// Marks of what somebody meant to do later. Split, so that this file holds none.
pub(crate) const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Crates of which the lock file has exactly one version: a second SQLite in one process corrupts files, and a second
/// sqlx, rustls or axum means types that do not meet.
pub(crate) const ONE_VERSION: &[&str] = &["sqlx", "sqlx-core", "axum", "hyper", "rustls", "sea-orm", "libsqlite3-sys"];

/// Crates that must not come in: they need cmake, perl or a system library to build.
pub(crate) const NO_VERSION: &[&str] = &["openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "cmake"];
