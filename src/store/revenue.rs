//! Movements of recurring revenue: written with what moves it, summed for staff.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, FromQueryResult, IntoActiveModel as _, QueryFilter as _, QuerySelect as _};

use super::entity::revenue::movement;
use super::entity::subscriptions::subscription;
use super::tenant::Scoped;
use super::types::Day;
use super::{Reader, Tenant};
use crate::billing::revenue::{Counted, Moved, MovementKind};
use crate::error::Error;
use crate::ids::{ProductId, SubscriptionId};
use crate::money::Currency;

pub use super::entity::revenue::movement::Model as Movement;

/// Writes a movement.
///
/// # Errors
/// The database's fault.
pub async fn insert(tenant: &Tenant, row: Movement) -> Result<(), Error> {
    tenant.insert_many::<movement::Entity, _>(vec![row.into_active_model().reset_all()]).await
}

/// Whether another subscription of this business counts.
///
/// # Errors
/// The database's fault.
pub async fn another_counts(tenant: &Tenant, than: SubscriptionId) -> Result<bool, Error> {
    let others = tenant.select::<subscription::Entity>().filter(subscription::Column::Id.ne(than));
    Ok(others.filter(subscription::Column::CountedAnnualMinor.is_not_null()).one().await?.is_some())
}

/// Whether a subscription of this business to a product counted, and ended.
///
/// # Errors
/// The database's fault.
pub async fn has_ended_before(tenant: &Tenant, product: ProductId) -> Result<bool, Error> {
    let of_product = tenant.select::<movement::Entity>().filter(movement::Column::ProductId.eq(product));
    Ok(of_product.filter(movement::Column::Kind.eq(MovementKind::Churned)).one().await?.is_some())
}

/// The sums of movements.
#[derive(FromQueryResult)]
struct Sums {
    /// Minor units of a year; none without a movement.
    annual_minor: Option<i64>,
    /// Subscriptions.
    subscriptions: Option<i64>,
    /// Businesses.
    businesses: Option<i64>,
}

/// The same of a day and kind.
#[derive(FromQueryResult)]
struct SumsOfDay {
    /// The day.
    day: Day,
    /// The kind.
    kind: MovementKind,
    /// Minor units of a year.
    annual_minor: i64,
    /// Subscriptions.
    subscriptions: i64,
    /// Businesses.
    businesses: i64,
}

/// What counts before a day, of all that the reader sees.
///
/// # Errors
/// The database's fault.
pub async fn before(reader: &Reader, currency: Currency, day: Day) -> Result<Counted, Error> {
    let earlier = of_currency(reader, currency).filter(movement::Column::Day.lt(day));
    let sums = summed(earlier.select_only()).all_as::<Sums>().await?.pop();
    Ok(sums.map_or_else(Counted::default, |sums| Counted {
        annual_minor: sums.annual_minor.unwrap_or_default(),
        subscriptions: sums.subscriptions.unwrap_or_default(),
        businesses: sums.businesses.unwrap_or_default(),
    }))
}

/// What moved from a day on, until before another where one is given, summed by day and kind.
///
/// # Errors
/// The database's fault.
pub async fn within(reader: &Reader, currency: Currency, from: Day, until: Option<Day>) -> Result<Vec<Moved>, Error> {
    let mut moved = of_currency(reader, currency).filter(movement::Column::Day.gte(from));
    if let Some(until) = until {
        moved = moved.filter(movement::Column::Day.lt(until));
    }
    let by_day = moved.select_only().column(movement::Column::Day).column(movement::Column::Kind);
    let by_day = summed(by_day).group_by(movement::Column::Day).group_by(movement::Column::Kind);
    let rows = by_day.all_as::<SumsOfDay>().await?;
    let moved = |row: SumsOfDay| Moved {
        day: row.day.get(),
        kind: row.kind,
        by: Counted { annual_minor: row.annual_minor, subscriptions: row.subscriptions, businesses: row.businesses },
    };
    Ok(rows.into_iter().map(moved).collect())
}

/// The movements of a currency.
fn of_currency(reader: &Reader, currency: Currency) -> Scoped<movement::Entity> {
    reader.select::<movement::Entity>().filter(movement::Column::Currency.eq(currency))
}

/// Adds the three sums, as whole numbers of 64 bits: PostgreSQL's own are wider.
fn summed(select: Scoped<movement::Entity>) -> Scoped<movement::Entity> {
    let sum = |column: movement::Column| Expr::col(column).sum().cast_as("bigint");
    select
        .column_as(sum(movement::Column::AnnualMinor), "annual_minor")
        .column_as(sum(movement::Column::Subscriptions), "subscriptions")
        .column_as(sum(movement::Column::Businesses), "businesses")
}
