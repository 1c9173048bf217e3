//! What is owed and being collected, across businesses, as staff read it.

use jiff::{SignedDuration, Timestamp};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, Condition, FromQueryResult, QueryFilter as _, QuerySelect as _};

use crate::billing::lifecycle::{InvoiceStatus, PaymentStatus, SubscriptionStatus};
use crate::error::Error;
use crate::money::Currency;
use crate::store::Reader;
use crate::store::entity::invoices::invoice;
use crate::store::entity::payments::payment;
use crate::store::entity::subscriptions::subscription;
use crate::store::types::Instant;

/// The days past due at which an age begins; each ends where the next begins.
pub const AGES: [i64; 4] = [0, 30, 60, 90];

/// What is owed at one age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aged {
    /// From so many days past due.
    pub from_days: i64,
    /// To before so many; `None` for the last.
    pub to_days: Option<i64>,
    /// How much, minor units.
    pub amount_minor: i64,
    /// How many invoices.
    pub invoices: i64,
}

/// How many subscriptions of a currency there are in each state; none for a state without one.
///
/// # Errors
/// The database's fault.
pub async fn by_status(reader: &Reader, currency: Currency) -> Result<Vec<(SubscriptionStatus, i64)>, Error> {
    /// The two columns.
    #[derive(FromQueryResult)]
    struct Found {
        /// The state.
        status: SubscriptionStatus,
        /// How many.
        number: i64,
    }
    let counted = reader
        .select::<subscription::Entity>()
        .filter(subscription::Column::Currency.eq(currency))
        .select_only()
        .column(subscription::Column::Status)
        .column_as(Expr::col(subscription::Column::Id).count(), "number")
        .group_by(subscription::Column::Status);
    Ok(counted.all_as::<Found>().await?.into_iter().map(|found| (found.status, found.number)).collect())
}

/// What is owed on open invoices of a currency by how long it is past due at `now`, each of [`AGES`]; what is not due yet is no part of it.
///
/// # Errors
/// The database's fault.
pub async fn owed(reader: &Reader, currency: Currency, now: Timestamp) -> Result<Vec<Aged>, Error> {
    /// Two sums of each age.
    #[derive(FromQueryResult)]
    struct Sums {
        amount_0: Option<i64>,
        amount_1: Option<i64>,
        amount_2: Option<i64>,
        amount_3: Option<i64>,
        invoices_0: Option<i64>,
        invoices_1: Option<i64>,
        invoices_2: Option<i64>,
        invoices_3: Option<i64>,
    }
    let due_by =
        |days: i64| Instant::from(now.saturating_sub(SignedDuration::from_hours(days.saturating_mul(24))).unwrap_or(Timestamp::MIN));
    let mut select = reader
        .select::<invoice::Entity>()
        .filter(invoice::Column::Currency.eq(currency))
        .filter(invoice::Column::Status.eq(InvoiceStatus::Open))
        .filter(invoice::Column::DueAt.lte(Instant::from(now)))
        .select_only();
    for (index, from) in AGES.iter().enumerate() {
        let mut of_age = Condition::all().add(invoice::Column::DueAt.lte(due_by(*from)));
        if let Some(to) = AGES.get(index.saturating_add(1)) {
            of_age = of_age.add(invoice::Column::DueAt.gt(due_by(*to)));
        }
        let amount = CaseStatement::new().case(of_age.clone(), Expr::col(invoice::Column::AmountDueMinor)).finally(0_i64);
        let one = CaseStatement::new().case(of_age, 1_i64).finally(0_i64);
        select = select
            .column_as(Expr::expr(amount).sum().cast_as("bigint"), format!("amount_{index}"))
            .column_as(Expr::expr(one).sum().cast_as("bigint"), format!("invoices_{index}"));
    }
    let Some(sums) = select.all_as::<Sums>().await?.pop() else { return Ok(Vec::new()) };
    let amounts = [sums.amount_0, sums.amount_1, sums.amount_2, sums.amount_3];
    let invoices = [sums.invoices_0, sums.invoices_1, sums.invoices_2, sums.invoices_3];
    let ends = AGES.iter().skip(1).copied().map(Some).chain([None]);
    let aged = AGES.iter().zip(ends).zip(amounts).zip(invoices).map(|(((from_days, to_days), amount), invoices)| Aged {
        from_days: *from_days,
        to_days,
        amount_minor: amount.unwrap_or_default(),
        invoices: invoices.unwrap_or_default(),
    });
    Ok(aged.collect())
}

/// How many open invoices of a currency are tried again by themselves.
///
/// # Errors
/// The database's fault.
pub async fn retrying(reader: &Reader, currency: Currency) -> Result<u64, Error> {
    let open = reader.select::<invoice::Entity>().filter(invoice::Column::Currency.eq(currency));
    let open = open.filter(invoice::Column::Status.eq(InvoiceStatus::Open));
    open.filter(invoice::Column::NextAttemptAt.is_not_null()).count_up_to(i32::MAX.unsigned_abs().into()).await
}

/// How many payments of a currency there are of which it is not known what became.
///
/// # Errors
/// The database's fault.
pub async fn unknown_payments(reader: &Reader, currency: Currency) -> Result<u64, Error> {
    let of_currency = reader.select::<payment::Entity>().filter(payment::Column::Currency.eq(currency));
    of_currency.filter(payment::Column::Status.eq(PaymentStatus::Unknown)).count_up_to(i32::MAX.unsigned_abs().into()).await
}
