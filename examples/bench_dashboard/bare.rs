//! The peer: one handler written by hand on axum and sqlx. It runs the statements that the server runs for the same
//! dashboard, in one transaction with the same role and business, and writes the same JSON. It has no GraphQL, no
//! tokens to verify, no pages, no limits: what it saves is what those cost.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use evolve_business::ids::{InvoiceId, PlanId, SubscriptionId};
use evolve_business::money::{Currency, Money};
use sea_orm::prelude::{DateTimeUtc, Uuid};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sea_orm::sqlx::{self, AssertSqlSafe, PgConnection, PgPool, Row as _};
use serde::Serialize;

/// The statuses of a subscription that lives, as the server asks for them.
const LIVE: [&str; 5] = ["INCOMPLETE", "TRIALING", "ACTIVE", "PAST_DUE", "SUSPENDED"];
/// From worst: what a business's status is among those of its subscriptions.
const WORST_FIRST: [&str; 7] = ["SUSPENDED", "PAST_DUE", "INCOMPLETE", "TRIALING", "ACTIVE", "CANCELED", "EXPIRED"];
/// Invoices on the dashboard; one more is read, as the server does to know whether there is a next page.
const PAGE: usize = 20;

/// The server's own statements for one dashboard, as its store said them.
pub(crate) struct Statements {
    scope: &'static str,
    session: &'static str,
    products: &'static str,
    subscription: &'static str,
    invoices: &'static str,
    plan: &'static str,
    lines: &'static str,
    statuses: &'static str,
}

impl Statements {
    /// Tells the server's statements apart. Stops where there is one that the handler below does not run.
    pub(crate) fn of(heard: &[String]) -> Self {
        let find = |mark: &str| -> &'static str {
            let mut found = heard.iter().filter(|sql| sql.contains(mark));
            let one = found.next().unwrap_or_else(|| panic!("the server runs no statement with {mark}: {heard:#?}"));
            assert!(found.next().is_none(), "the server runs two statements with {mark}: {heard:#?}");
            one.clone().leak()
        };
        let statements = Self {
            scope: find("set local role"),
            session: find("FROM \"businesses\" INNER JOIN \"sessions\""),
            products: find("FROM \"products\""),
            subscription: find("FROM \"subscriptions\" WHERE \"subscriptions\".\"business_id\" = $1 AND \"subscriptions\".\"product_id\""),
            invoices: find("FROM \"invoices\""),
            plan: find("FROM \"plan_versions\""),
            lines: find("FROM \"invoice_lines\""),
            statuses: find("SELECT DISTINCT \"subscriptions\".\"business_id\""),
        };
        assert_eq!(heard.len(), 8, "the server runs a statement that the handler does not: {heard:#?}");
        statements
    }
}

/// Whose dashboard it is: what the server reads from the access token.
#[derive(Clone, Copy)]
pub(crate) struct Whose {
    pub(crate) business: Uuid,
    pub(crate) user: Uuid,
    pub(crate) session: Uuid,
}

pub(crate) struct Peer {
    pool: PgPool,
    statements: Statements,
    whose: Whose,
}

/// The router of the peer, whose pool is set up as the server's pool of readers is.
pub(crate) async fn router(url: &str, connections: u32, statements: Statements, whose: Whose) -> axum::Router {
    let options: PgConnectOptions = url.parse().unwrap();
    let options = options.options([("default_transaction_isolation", "repeatable read"), ("default_transaction_read_only", "on")]);
    let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false).connect_with(options).await.unwrap();
    axum::Router::new().route("/graphql", post(dashboard)).with_state(Arc::new(Peer { pool, statements, whose }))
}

async fn dashboard(State(peer): State<Arc<Peer>>) -> impl IntoResponse {
    let mut transaction = peer.pool.begin_with(AssertSqlSafe(peer.statements.scope)).await.unwrap();
    let answer = Answer { data: peer.read(&mut transaction).await.unwrap() };
    drop(transaction);
    ([(CONTENT_TYPE, "application/json")], serde_json::to_vec(&answer).unwrap())
}

fn query(sql: &'static str) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
    sqlx::query(AssertSqlSafe(sql))
}

impl Peer {
    async fn read(&self, to: &mut PgConnection) -> Result<Dashboard, sqlx::Error> {
        let (sql, Whose { business, user, session }) = (&self.statements, self.whose);
        let caller = query(sql.session).bind(business).bind(business).bind(session).bind(user).fetch_one(&mut *to).await?;
        assert!(!caller.try_get::<bool, _>("revoked")?, "signed out");
        let products = query(sql.products).fetch_all(&mut *to).await?;
        let erp = products.iter().find(|row| row.get::<&str, _>("code") == "erp").map(|row| row.get::<Uuid, _>("id"));
        let asked = LIVE.iter().fold(query(sql.subscription).bind(business).bind(erp), |query, status| query.bind(*status));
        let subscription = asked.bind(2_i64).fetch_one(&mut *to).await?;
        let invoices = query(sql.invoices).bind(business).bind(i64::try_from(PAGE + 1).unwrap()).fetch_all(&mut *to).await?;
        let (plan, version): (Uuid, i32) = (subscription.try_get("plan_id")?, subscription.try_get("plan_version")?);
        let plan = query(sql.plan).bind(version).bind(plan).fetch_one(&mut *to).await?;
        let ids = invoices.iter().take(PAGE).map(|row| row.get::<Uuid, _>("id"));
        let lines = ids.fold(query(sql.lines).bind(business), sqlx::query::Query::bind).fetch_all(&mut *to).await?;
        let statuses = query(sql.statuses).bind(business).bind(business).fetch_all(&mut *to).await?;

        let mut lines_of: HashMap<Uuid, Vec<&PgRow>> = HashMap::new();
        for line in &lines {
            lines_of.entry(line.try_get("invoice_id")?).or_default().push(line);
        }
        let invoice = |row: &PgRow| -> Result<Invoice, sqlx::Error> {
            let lines = lines_of.get(&row.try_get::<Uuid, _>("id")?).map_or(&[][..], Vec::as_slice);
            Invoice::of(row, lines)
        };
        Ok(Dashboard {
            profile: Profile::of(&caller, &statuses)?,
            subscription: Subscription::of(&subscription, &plan)?,
            invoices: Invoices { nodes: invoices.iter().take(PAGE).map(invoice).collect::<Result<_, _>>()? },
        })
    }
}

#[derive(Serialize)]
struct Answer {
    data: Dashboard,
}

#[derive(Serialize)]
struct Dashboard {
    profile: Profile,
    subscription: Subscription,
    invoices: Invoices,
}

#[derive(Serialize)]
struct Amount {
    amount: String,
    currency: &'static str,
}

impl Amount {
    fn of(minor: i64, currency: &str) -> Self {
        let currency = Currency::from_code(currency).unwrap();
        Self { amount: Money::new(minor, currency).unwrap().amount(), currency: currency.code() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    business_name: String,
    currency: String,
    subscription_status: &'static str,
    balance: Amount,
}

impl Profile {
    fn of(row: &PgRow, statuses: &[PgRow]) -> Result<Self, sqlx::Error> {
        let currency: String = row.try_get("currency")?;
        let has = |status: &&&str| statuses.iter().any(|row| row.get::<&str, _>("status") == **status);
        Ok(Self {
            business_name: row.try_get("business_name")?,
            subscription_status: WORST_FIRST.iter().find(has).copied().unwrap_or("NONE"),
            balance: Amount::of(row.try_get("balance_minor")?, &currency),
            currency,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    status: String,
    interval: String,
    start_date: String,
    end_date: String,
    price: Amount,
    plan: Plan,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    id: String,
    code: String,
    name: String,
    max_users: Option<i32>,
}

impl Subscription {
    fn of(row: &PgRow, plan: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: SubscriptionId::from(row.try_get::<Uuid, _>("id")?).to_string(),
            status: row.try_get("status")?,
            interval: row.try_get("billing_interval")?,
            start_date: instant(row.try_get("started_at")?),
            end_date: instant(row.try_get("period_end")?),
            price: Amount::of(row.try_get("price_minor")?, row.try_get("currency")?),
            // By their places: a product's columns, which follow, have the same names.
            plan: Plan {
                id: PlanId::from(plan.try_get::<Uuid, _>(0)?).to_string(),
                code: plan.try_get(11)?,
                name: plan.try_get(2)?,
                max_users: plan.try_get(5)?,
            },
        })
    }
}

#[derive(Serialize)]
struct Invoices {
    nodes: Vec<Invoice>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invoice {
    id: String,
    number: Option<String>,
    status: String,
    issued_at: Option<String>,
    total: Amount,
    amount_due: Amount,
    lines: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    kind: String,
    description: String,
    quantity: String,
    unit_price: String,
    amount: Amount,
    tax: Amount,
}

impl Invoice {
    fn of(row: &PgRow, lines: &[&PgRow]) -> Result<Self, sqlx::Error> {
        let currency: &str = row.try_get("currency")?;
        let line = |line: &&PgRow| -> Result<Line, sqlx::Error> {
            Ok(Line {
                kind: line.try_get("kind")?,
                description: line.try_get("description")?,
                quantity: line.try_get("quantity")?,
                unit_price: line.try_get("unit_price")?,
                amount: Amount::of(line.try_get("amount_minor")?, currency),
                tax: Amount::of(line.try_get("tax_minor")?, currency),
            })
        };
        Ok(Self {
            id: InvoiceId::from(row.try_get::<Uuid, _>("id")?).to_string(),
            number: row.try_get("number")?,
            status: row.try_get("status")?,
            issued_at: row.try_get::<Option<DateTimeUtc>, _>("issued_at")?.map(instant),
            total: Amount::of(row.try_get("total_minor")?, currency),
            amount_due: Amount::of(row.try_get("amount_due_minor")?, currency),
            lines: lines.iter().map(line).collect::<Result<_, _>>()?,
        })
    }
}

/// RFC 3339 in UTC, with as many digits below the second as there are.
fn instant(at: DateTimeUtc) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
