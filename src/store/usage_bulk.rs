//! What `recordUsage` writes by the thousand: ids of events, and events. On PostgreSQL each column goes as one array: a
//! statement with a value for each row's column takes the database twice as long to make ready, and us four times as long
//! to write. SQLite has no arrays and no distance.

use std::collections::HashSet;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::sqlx::Arguments as _;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::{ActiveModelTrait as _, DbErr, IntoActiveModel as _};

use super::Tenant;
use super::entity::usage::{usage_event, usage_event_id};
use super::types::{Instant, to_chrono};
use crate::error::Error;

/// Claims ids; answers those that it has now.
const CLAIM: &str = "insert into usage_event_ids (business_id, event_id, recorded_at)
     select $1, event_id, $2 from unnest($3::text[]) as event_id
     on conflict (business_id, event_id) do update set recorded_at = excluded.recorded_at where usage_event_ids.recorded_at < $4
     returning event_id";

/// Writes events of a business that were recorded at one instant.
const WRITE: &str = "insert into usage_events (business_id, recorded_at, id, subscription_id, feature_key, event_id, action, quantity,
       occurred_at, usage_period_start, properties)
     select $1, $2, * from unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
       $10::timestamptz[], $11::text[])";

/// Claims ids of events, each once in `ids`: answers those that were not counted since `since`. Waits for a transaction
/// that is claiming one of them. One statement.
///
/// # Errors
/// The database's fault.
pub async fn claim_event_ids(tenant: &Tenant, mut ids: Vec<String>, now: Instant, since: Instant) -> Result<HashSet<String>, Error> {
    use usage_event_id::{ActiveModel, Column, Entity};
    // In one order, so that two who claim the same ids do not wait for each other.
    ids.sort_unstable();
    if tenant.is_postgres() {
        let values = arguments(|values| {
            values.add(tenant.business().uuid())?;
            values.add(to_chrono(now))?;
            values.add(ids)?;
            values.add(to_chrono(since))
        })?;
        return Ok(tenant.connection().texts(CLAIM, values).await?.into_iter().collect());
    }
    let row = |id| ActiveModel { event_id: Set(id), recorded_at: Set(now), ..Default::default() };
    let is_old = Expr::col((Entity, Column::RecordedAt)).lt(since);
    let key = vec![Column::BusinessId, Column::EventId];
    let claimed = tenant.insert_claiming::<Entity, _>(ids.into_iter().map(row).collect(), key, Column::RecordedAt, is_old).await?;
    Ok(claimed.into_iter().map(|row| row.event_id).collect())
}

/// Writes events, which were all recorded at `recorded_at`. One statement.
///
/// # Errors
/// The database's fault.
pub(super) async fn write_events(tenant: &Tenant, events: Vec<usage_event::Model>) -> Result<(), Error> {
    let Some(recorded_at) = events.first().map(|event| event.recorded_at) else { return Ok(()) };
    if !tenant.is_postgres() {
        return tenant
            .insert_many::<usage_event::Entity, _>(events.into_iter().map(|row| row.into_active_model().reset_all()).collect())
            .await;
    }
    let values = arguments(|values| {
        values.add(tenant.business().uuid())?;
        values.add(to_chrono(recorded_at))?;
        values.add(column(&events, |event| event.id.uuid()))?;
        values.add(column(&events, |event| event.subscription_id.uuid()))?;
        values.add(column(&events, |event| event.feature_key.as_str()))?;
        values.add(column(&events, |event| event.event_id.as_str()))?;
        values.add(column(&events, |event| event.action.as_str()))?;
        values.add(column(&events, |event| event.quantity.to_string()))?;
        values.add(column(&events, |event| to_chrono(event.occurred_at)))?;
        values.add(column(&events, |event| event.usage_period_start.map(to_chrono)))?;
        values.add(column(&events, |event| event.properties.as_deref()))
    })?;
    tenant.connection().texts(WRITE, values).await?;
    Ok(())
}

/// One column of events.
fn column<'e, V>(events: &'e [usage_event::Model], value: impl Fn(&'e usage_event::Model) -> V) -> Vec<V> {
    events.iter().map(value).collect()
}

/// The values of a statement.
fn arguments(add: impl FnOnce(&mut PgArguments) -> Result<(), sea_orm::sqlx::error::BoxDynError>) -> Result<PgArguments, DbErr> {
    let mut values = PgArguments::default();
    add(&mut values).map_err(|error| DbErr::Type(error.to_string()))?;
    Ok(values)
}
