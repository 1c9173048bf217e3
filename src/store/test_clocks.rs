//! Test clocks. They belong to the sandbox as a whole; a business reads the one that it is on.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait as _, DbErr, EntityTrait as _, IntoActiveModel as _, JoinType,
    QueryFilter as _, QueryOrder as _, QueryResult, QuerySelect as _,
};

use super::customers::Business;
use super::entity::customers::business;
use super::entity::test_clocks::{clock_attachment, test_clock};
use super::entity::work::job;
use super::rows::Places;
use super::tenant::Scoped;
use super::types::{Instant, JobStatus, TestClockStatus};
use super::{Reader, System, Tenant};
use crate::error::Error;
use crate::ids::{BusinessId, TestClockId};

pub use super::entity::test_clocks::test_clock::Model as TestClock;

/// What a test clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Which clock.
    pub clock: TestClockId,
    /// What it shows.
    pub now: Instant,
}

/// What the clock shows that this business is on; `None` where it goes by real time.
///
/// # Errors
/// The database's fault.
pub async fn reading(tenant: &Tenant) -> Result<Option<Reading>, Error> {
    if let Some((_, reading)) = tenant.known() {
        return Ok(reading);
    }
    let own = Query::select()
        .column(clock_attachment::Column::TestClockId)
        .from(clock_attachment::Entity)
        .and_where(clock_attachment::Column::BusinessId.eq(tenant.business()))
        .take();
    let clock = Query::select()
        .columns([test_clock::Column::Id, test_clock::Column::Now])
        .from(test_clock::Entity)
        .and_where(test_clock::Column::Id.in_subquery(own))
        .take();
    let Some(row) = tenant.connection().query_one(&clock).await? else { return Ok(None) };
    Ok(Some(Reading { clock: row.try_get("", "id")?, now: row.try_get("", "now")? }))
}

/// This business, and what the clock shows that it is on, in one statement.
///
/// # Errors
/// [`Error::Corrupt`] where the business is gone; the database's fault.
pub async fn business_and_reading(tenant: &Tenant) -> Result<(Business, Option<Reading>), Error> {
    use business::Column::BusinessId;
    if let Some(known) = tenant.known() {
        return Ok(known);
    }
    let joined = tenant.select::<business::Entity>().filter(BusinessId.eq(tenant.business()));
    let read = |business, places: &mut Places<'_>| Ok((business, read_clock(places.row())?));
    let found = join_clock(joined).all_and(select_clock, read).await?.into_iter().next();
    let (business, reading) = found.ok_or_else(|| Error::Corrupt("a business is gone".into()))?;
    tenant.know(&business, reading);
    Ok((business, reading))
}

/// Joins the clock that a business is on.
pub(super) fn join_clock(select: Scoped<business::Entity>) -> Scoped<business::Entity> {
    let business = business::Column::BusinessId;
    let to_attachment =
        business::Entity::belongs_to(clock_attachment::Entity).from(business).to(clock_attachment::Column::BusinessId).into();
    let to_clock = clock_attachment::Entity::belongs_to(test_clock::Entity)
        .from(clock_attachment::Column::TestClockId)
        .to(test_clock::Column::Id)
        .into();
    select.join(JoinType::LeftJoin, to_attachment).join(JoinType::LeftJoin, to_clock)
}

/// Adds what [`read_clock`] reads to a statement that has joined the clock.
pub(super) fn select_clock(query: &mut SelectStatement) {
    query.expr_as(Expr::col((test_clock::Entity, test_clock::Column::Id)), "clock_id");
    query.expr_as(Expr::col((test_clock::Entity, test_clock::Column::Now)), "clock_now");
}

/// What a joined clock shows; `None` where there is none.
///
/// # Errors
/// Where the row has no such columns.
pub(super) fn read_clock(row: &QueryResult) -> Result<Option<Reading>, DbErr> {
    let clock: Option<TestClockId> = row.try_get("clock_", "id")?;
    let now: Option<Instant> = row.try_get("clock_", "now")?;
    Ok(clock.zip(now).map(|(clock, now)| Reading { clock, now }))
}

/// Every clock, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn all(system: &System) -> Result<Vec<TestClock>, Error> {
    let all = system.select::<test_clock::Entity>();
    let all = all.order_by_desc(test_clock::Column::CreatedAt).order_by_desc(test_clock::Column::Id);
    Ok(all.all(system.connection()).await?)
}

/// Those of these ids.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(system: &System, ids: &[TestClockId]) -> Result<Vec<TestClock>, Error> {
    let those = system.select::<test_clock::Entity>().filter(test_clock::Column::Id.is_in(ids.iter().copied()));
    Ok(those.all(system.connection()).await?)
}

/// The one of that id, locked until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn lock(system: &System, id: TestClockId) -> Result<Option<TestClock>, Error> {
    let one = system.select::<test_clock::Entity>().filter(test_clock::Column::Id.eq(id)).lock_exclusive();
    Ok(one.one(system.connection()).await?)
}

/// Writes a new clock.
///
/// # Errors
/// The database's fault.
pub async fn insert(system: &System, row: TestClock) -> Result<TestClock, Error> {
    system.insert::<test_clock::Entity, _>(row.into_active_model().reset_all()).await
}

/// Writes every column of a clock.
///
/// # Errors
/// The database's fault.
pub async fn save(system: &System, row: TestClock) -> Result<TestClock, Error> {
    system.update::<test_clock::Entity, _>(row.into_active_model().reset_all()).await
}

/// Puts this business on a clock, instead of the one that it was on.
///
/// # Errors
/// The database's fault.
pub async fn attach(tenant: &Tenant, clock: TestClockId) -> Result<(), Error> {
    let row = clock_attachment::Model { business_id: tenant.business(), test_clock_id: clock }.into_active_model().reset_all();
    if tenant.insert_if_new::<clock_attachment::Entity, _>(row.clone()).await? {
        return Ok(());
    }
    tenant.update::<clock_attachment::Entity, _>(row).await.map(drop)
}

/// Which clock each of these businesses is on; those that go by real time are left out.
///
/// # Errors
/// The database's fault.
pub async fn of_businesses(reader: &Reader, businesses: &[BusinessId]) -> Result<HashMap<BusinessId, TestClockId>, Error> {
    let rows = reader.select_of_businesses::<clock_attachment::Entity>(businesses).all().await?;
    Ok(rows.into_iter().map(|row| (row.business_id, row.test_clock_id)).collect())
}

/// The clocks that are advancing, locked until the transaction ends, but for those that another worker moves.
///
/// # Errors
/// The database's fault.
pub async fn lock_advancing(system: &System) -> Result<Vec<TestClock>, Error> {
    use sea_orm::sea_query::{LockBehavior, LockType};
    let advancing = system.select::<test_clock::Entity>().filter(test_clock::Column::Status.eq(TestClockStatus::Advancing));
    let advancing = advancing.order_by_asc(test_clock::Column::Id).lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    Ok(advancing.all(system.connection()).await?)
}

/// When the next job that is due by a clock is due.
///
/// # Errors
/// The database's fault.
pub async fn next_due(system: &System, clock: TestClockId) -> Result<Option<Instant>, Error> {
    let waiting = system.select::<job::Entity>().filter(job::Column::TestClockId.eq(clock));
    let waiting = waiting.filter(job::Column::Status.eq(JobStatus::Ready)).order_by_asc(job::Column::DueAt);
    Ok(waiting.one(system.connection()).await?.map(|job| job.due_at))
}

/// The kind and key of a job by a clock that was given up since then, in real time.
///
/// # Errors
/// The database's fault.
pub async fn given_up(system: &System, clock: TestClockId, since: Instant) -> Result<Option<String>, Error> {
    let dead = system.select::<job::Entity>().filter(job::Column::TestClockId.eq(clock));
    let dead = dead.filter(job::Column::Status.eq(JobStatus::Dead)).filter(job::Column::UpdatedAt.gte(since));
    Ok(dead.one(system.connection()).await?.map(|job| format!("{} {}", job.kind, job.job_key)))
}
