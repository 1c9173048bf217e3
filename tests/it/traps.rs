//! Values that a database or its driver is known to bend: amounts, rates, instants, days, closed lists.

use std::fmt::Debug;

use evolve_business::billing::invoice::LineKind;
use evolve_business::billing::lifecycle::{InvoiceStatus, PaymentStatus, SubscriptionStatus};
use evolve_business::billing::period::{Granularity, Interval};
use evolve_business::billing::tax::TaxBehavior;
use evolve_business::ids::{IdGen as _, JobId, SystemIds};
use evolve_business::money::{Currency, MAX_MINOR, Rate};
use evolve_business::store::jobs::{self, NewJob};
use evolve_business::store::types::{
    CompanySize, CreditNoteReason, CreditReason, Day, DocumentKind, DocumentStatus, FeatureKind, Instant, JobStatus, PaymentMethodKind,
    PeriodKind, Role, ScanStatus, UsageAction, VerificationStatus,
};
use sea_orm::{TryGetable, Value};

use crate::database::{Kind, TestDatabase};
use crate::walls_raw::{NOW, Raw, instant};
use crate::world::World;

both!(
    amounts_come_back_to_the_last_minor_unit,
    rates_come_back_to_the_last_digit,
    instants_come_back_to_the_microsecond_and_sort_by_time,
    jobs_are_claimed_in_the_order_of_their_microseconds,
    days_come_back_and_sort,
    every_closed_list_comes_back,
    a_text_that_is_none_of_the_list_is_an_error,
);

/// Stores each value in a column of that type (on SQLite, on PostgreSQL), reads them back in the column's own order.
async fn through<T: Into<Value> + TryGetable + Copy>(db: &TestDatabase, types: (&str, &str), values: &[T]) -> Vec<T> {
    let raw = Raw::open(db).await;
    let (column, strict) = if db.kind == Kind::Sqlite { (types.0, "strict") } else { (types.1, "") };
    raw.run("drop table if exists kept", vec![]).await;
    raw.run(&format!("create table kept (v {column} not null) {strict}"), vec![]).await;
    for value in values {
        raw.insert("kept", vec![("v", (*value).into())]).await;
        let equal = raw.one::<i64>("select count(*) as v from kept where v = $1", vec![(*value).into()]).await;
        assert_eq!(equal, 1, "it is found by itself alone");
    }
    raw.column("select v from kept order by v", vec![]).await
}

async fn amounts_come_back_to_the_last_minor_unit(db: TestDatabase) {
    // 90071992547409.93 and its neighbours: beyond 2^53 minor units, where a double has no odd numbers.
    let amounts =
        [-MAX_MINOR, -1, 0, 1, 499_999_999_999_999, MAX_MINOR, 9_007_199_254_740_992, 9_007_199_254_740_993, 9_007_199_254_740_994];
    assert_eq!(MAX_MINOR, 10_i64.pow(15));
    assert_eq!(through(&db, ("integer", "bigint"), &amounts).await, amounts);
    let raw = Raw::open(&db).await;
    let texts: Vec<String> = raw.column("select cast(v as text) as v from kept where v > 9000000000000000 order by kept.v", vec![]).await;
    assert_eq!(texts, ["9007199254740992", "9007199254740993", "9007199254740994"]);
    // Through an entity, and a sum that the database makes.
    let scope = raw.business().await;
    let invoice = raw.invoice(scope, 9_007_199_254_740_993).await;
    let world = World::at(db, NOW).await;
    let snapshot = evolve_business::store::Snapshot::new(world.ports.store.clone(), Some(scope));
    let read = evolve_business::store::reads::invoices::by_id(&snapshot.tenant().await.unwrap(), invoice).await.unwrap().unwrap();
    assert_eq!((read.total_minor, read.amount_due_minor), (9_007_199_254_740_993, 9_007_199_254_740_993));
}

async fn rates_come_back_to_the_last_digit(db: TestDatabase) {
    let texts = [
        "-0.16",
        "0",
        "0.0000000000000000000000000001",
        "0.0035",
        "0.16",
        "0.3333333333333333333333333333",
        "1234567890123456789012345678",
        "4194304.23",
        "7.9228162514264337593543950335",
        "90071992547409.93",
    ];
    // Not by `Rate::from_str`, which is for what clients send: a computed rate may have a digit more.
    let rates: Vec<Rate> = texts.iter().map(|text| Rate::from(text.parse::<rust_decimal::Decimal>().unwrap())).collect();
    let mut kept = through(&db, ("text", "text"), &rates).await;
    kept.sort_by_key(Rate::to_string);
    assert_eq!(kept.iter().map(Rate::to_string).collect::<Vec<_>>(), texts);
    let raw = Raw::open(&db).await;
    raw.run("delete from kept", vec![]).await;
    raw.insert("kept", vec![("v", "0.160".into())]).await;
    assert_eq!(raw.one::<Rate>("select v from kept", vec![]).await, "0.16".parse().unwrap(), "written by hand");
}

/// In the order of time; as texts of varying length some would sort otherwise.
const INSTANTS: [&str; 11] = [
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00Z",
    "2027-01-31T09:00:29.999999Z",
    "2027-01-31T09:00:30Z",
    "2027-01-31T09:00:30.000001Z",
    "2027-01-31T09:00:30.001Z",
    "2027-01-31T09:00:30.5Z",
    "2027-01-31T09:00:30.500001Z",
    "2027-01-31T09:00:31Z",
    "2027-02-01T00:00:00Z",
    "9999-12-30T21:59:59.999999Z",
];

async fn instants_come_back_to_the_microsecond_and_sort_by_time(db: TestDatabase) {
    let instants = INSTANTS.map(instant);
    let mut shuffled = instants;
    shuffled.reverse();
    shuffled.swap(2, 7);
    assert_eq!(through(&db, ("text", "timestamptz"), &shuffled).await, instants);
    let raw = Raw::open(&db).await;
    for (place, at) in (0_i64..).zip(instants) {
        let sql = "select count(*) as v from kept where v < $1";
        assert_eq!(raw.one::<i64>(sql, vec![at.into()]).await, place, "so many are before {at:?}");
    }
    let finer = Instant::from("2027-01-31T09:00:30.0000019Z".parse::<jiff::Timestamp>().unwrap());
    assert_eq!(finer, instant("2027-01-31T09:00:30.000001Z"), "what is finer than a microsecond is dropped before it is stored");
}

async fn jobs_are_claimed_in_the_order_of_their_microseconds(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let world = World::at(db, NOW).await;
    let schedule = |tenant: evolve_business::store::Tenant| async move {
        for at in INSTANTS.iter().rev() {
            let new = NewJob {
                id: JobId::from(SystemIds.next_uuid()),
                kind: "boundary",
                key: at,
                due_at: instant(at),
                clock: None,
                now: instant(NOW),
            };
            jobs::schedule(&tenant, new).await?;
        }
        Ok(())
    };
    world.ports.store.write(scope, schedule).await.unwrap();
    let (now, until) = (instant("2027-01-31T09:00:30.5Z"), instant("2027-01-31T09:05:00Z"));
    let claimed =
        world.ports.store.write_system(move |system| async move { Ok(jobs::claim_due(&system, now, until, 100).await?) }).await.unwrap();
    let keys: Vec<&str> = claimed.iter().map(|job| job.job_key.as_str()).collect();
    assert_eq!(keys, INSTANTS[..7], "those that are due then, the longest due first");
    assert!(claimed.iter().all(|job| job.due_at == instant(&job.job_key) && job.leased_until == Some(until)));
}

async fn days_come_back_and_sort(db: TestDatabase) {
    let days = ["0999-12-31", "1582-10-10", "1970-01-01", "2027-12-31", "2028-02-29", "2028-03-01", "9999-12-31"];
    let days = days.map(|day| Day::from(day.parse::<jiff::civil::Date>().unwrap()));
    let mut shuffled = days;
    shuffled.reverse();
    assert_eq!(through(&db, ("text", "date"), &shuffled).await, days);
}

/// For each closed list: its values come back from a text column, under their own names.
macro_rules! each_list {
    ($db:expr, $($list:ty),+ $(,)?) => { $(
        let kept = through($db, ("text", "text"), <$list>::ALL).await;
        let mut expected = <$list>::ALL.to_vec();
        expected.sort_by_key(|value| value.as_str());
        assert_eq!(kept, expected);
    )+ };
}

async fn every_closed_list_comes_back(db: TestDatabase) {
    each_list!(&db, Interval, Granularity, TaxBehavior, LineKind, SubscriptionStatus, InvoiceStatus, PaymentStatus, Role, CompanySize);
    each_list!(&db, VerificationStatus, FeatureKind, PaymentMethodKind, JobStatus, PeriodKind, CreditNoteReason, CreditReason);
    each_list!(&db, DocumentKind, DocumentStatus, ScanStatus);
    let currencies = ["EUR", "JPY", "KES", "KWD", "UGX", "USD"].map(|code| Currency::from_code(code).unwrap());
    assert_eq!(through(&db, ("text", "text"), &currencies).await, currencies);
}

/// A text in a column is no `T`.
async fn is_foreign<T: TryGetable + Debug>(raw: &Raw, text: &str) {
    let row = raw.rows("select cast($1 as text) as v", vec![text.into()]).await.remove(0);
    let read = row.try_get::<T>("", "v");
    assert!(read.is_err(), "{text:?} was read as {read:?}");
    assert!(row.try_get::<Option<T>>("", "v").is_err(), "{text:?} is not nothing either");
}

async fn a_text_that_is_none_of_the_list_is_an_error(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    for text in ["", "NO_SUCH", "owner", " OWNER", "OWNER ", "Active", "0"] {
        is_foreign::<Role>(&raw, text).await;
        is_foreign::<SubscriptionStatus>(&raw, text).await;
        is_foreign::<InvoiceStatus>(&raw, text).await;
        is_foreign::<PaymentStatus>(&raw, text).await;
        is_foreign::<JobStatus>(&raw, text).await;
        is_foreign::<Interval>(&raw, text).await;
        is_foreign::<TaxBehavior>(&raw, text).await;
        is_foreign::<CreditReason>(&raw, text).await;
        is_foreign::<Currency>(&raw, text).await;
    }
    for text in ["", ".", "-", "abc", "1e3", "1_000", "+1", " 1", "NaN", "1,5", "79228162514264337593543950336"] {
        is_foreign::<Rate>(&raw, text).await;
    }
}

/// The names of a closed list are the names that its column takes: one list, written in two places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_take_the_names_of_the_closed_lists_and_no_others() {
    crate::database::run(Kind::Postgres, |db| async move {
        let raw = Raw::open(&db).await;
        let columns = [
            ("members", "role", names(Role::ALL, Role::as_str)),
            ("businesses", "company_size", names(CompanySize::ALL, CompanySize::as_str)),
            ("businesses", "verification_status", names(VerificationStatus::ALL, VerificationStatus::as_str)),
            ("products", "granularity", names(Granularity::ALL, Granularity::as_str)),
            ("plan_prices", "billing_interval", names(Interval::ALL, Interval::as_str)),
            ("plan_prices", "tax_behavior", names(TaxBehavior::ALL, TaxBehavior::as_str)),
            ("plan_features", "kind", names(FeatureKind::ALL, FeatureKind::as_str)),
            ("usage_events", "action", names(UsageAction::ALL, UsageAction::as_str)),
            ("subscriptions", "status", names(SubscriptionStatus::ALL, SubscriptionStatus::as_str)),
            ("periods", "kind", names(PeriodKind::ALL, PeriodKind::as_str)),
            ("invoices", "status", names(InvoiceStatus::ALL, InvoiceStatus::as_str)),
            ("invoice_lines", "kind", names(LineKind::ALL, LineKind::as_str)),
            ("credit_notes", "reason", names(CreditNoteReason::ALL, CreditNoteReason::as_str)),
            ("credit_entries", "reason", names(CreditReason::ALL, CreditReason::as_str)),
            ("payment_methods", "kind", names(PaymentMethodKind::ALL, PaymentMethodKind::as_str)),
            ("payments", "status", names(PaymentStatus::ALL, PaymentStatus::as_str)),
            ("verification_documents", "kind", names(DocumentKind::ALL, DocumentKind::as_str)),
            ("verification_documents", "status", names(DocumentStatus::ALL, DocumentStatus::as_str)),
            ("verification_documents", "scan", names(ScanStatus::ALL, ScanStatus::as_str)),
            ("jobs", "status", names(JobStatus::ALL, JobStatus::as_str)),
        ];
        for (table, column, names) in columns {
            let sql = "select m[1] as v from pg_constraint c, regexp_matches(pg_get_constraintdef(c.oid), '''([A-Z0-9_]+)''', 'g') m
                       where c.contype = 'c' and c.conrelid = $1::regclass and c.conname = $2 order by 1";
            let taken: Vec<String> = raw.column(sql, vec![table.into(), format!("{table}_{column}_check").into()]).await;
            assert_eq!(taken, names, "{table}.{column}");
        }
    })
    .await;
}

fn names<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Vec<String> {
    let mut names: Vec<String> = all.iter().map(|value| name(*value).to_owned()).collect();
    names.sort_unstable();
    names
}
