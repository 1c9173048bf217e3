//! How long usage is kept: on PostgreSQL its events lie in months, which are made ahead and dropped whole; on SQLite, and in the
//! part for what no month is there for, they are removed some at a time. So are the ids of events.

use super::System;
use super::types::Instant;
use crate::error::Error;

/// Since when every event of usage is kept; `None` where none was ever removed.
///
/// # Errors
/// The database's fault.
pub async fn kept_since(system: &System) -> Result<Option<Instant>, Error> {
    let rows = system.read_fixed("select kept_since from usage_retention").await?;
    Ok(rows.first().map(|row| row.try_get("", "kept_since")).transpose()?)
}

/// Says that what was recorded before `at` may be gone. It is never taken back.
///
/// # Errors
/// The database's fault.
pub async fn note_kept_since(system: &System, at: Instant) -> Result<(), Error> {
    let sql = "insert into usage_retention (id, kept_since) values (1, $1)
               on conflict (id) do update set kept_since = excluded.kept_since where usage_retention.kept_since < excluded.kept_since";
    system.run_with(sql, vec![at.into()]).await.map(drop)
}

/// Makes the parts for the month of `now` and the two that follow, where there are parts; answers how many it made.
///
/// # Errors
/// The database's fault.
pub async fn make_months(system: &System, now: Instant) -> Result<usize, Error> {
    if !system.is_postgres() {
        return Ok(0);
    }
    let sql =
        "select usage_events_make_month($1::timestamptz + make_interval(months => ahead)) as made from generate_series(0, 2) as ahead";
    let rows = system.read_with(sql, vec![now.into()]).await?;
    let made = rows.iter().map(|row| row.try_get::<bool>("", "made")).collect::<Result<Vec<_>, _>>()?;
    Ok(made.into_iter().filter(|made| *made).count())
}

/// Drops the parts of months that were over by `until`, where there are parts; answers how many.
///
/// # Errors
/// The database's fault.
pub async fn drop_months(system: &System, until: Instant) -> Result<i32, Error> {
    if !system.is_postgres() {
        return Ok(0);
    }
    let rows = system.read_with("select usage_events_drop_months($1::timestamptz) as dropped", vec![until.into()]).await?;
    Ok(rows.first().map(|row| row.try_get("", "dropped")).transpose()?.unwrap_or_default())
}

/// Removes up to `most` events that were recorded before `until`, where no part is there to be dropped; answers how many.
///
/// # Errors
/// The database's fault.
pub async fn remove_events(system: &System, until: Instant, most: i64) -> Result<u64, Error> {
    let sql = if system.is_postgres() {
        // What is older than the month that is partly to be kept is in the part for the rest alone: the others were dropped.
        "delete from usage_events where recorded_at < date_trunc('month', $1::timestamptz at time zone 'UTC') at time zone 'UTC'
           and (business_id, id, recorded_at) in (
             select business_id, id, recorded_at from usage_events
             where recorded_at < date_trunc('month', $1::timestamptz at time zone 'UTC') at time zone 'UTC' limit $2)"
    } else {
        "delete from usage_events where (business_id, id, recorded_at) in (
           select business_id, id, recorded_at from usage_events where recorded_at < $1 limit $2)"
    };
    system.run_with(sql, vec![until.into(), most.into()]).await
}

/// Removes up to `most` ids that were recorded before `until`, but for those of businesses on a test clock, by which they count;
/// answers how many. One that is claimed again meanwhile stays.
///
/// # Errors
/// The database's fault.
pub async fn remove_event_ids(system: &System, until: Instant, most: i64) -> Result<u64, Error> {
    let sql = "delete from usage_event_ids where recorded_at < $1 and (business_id, event_id) in (
                 select i.business_id, i.event_id from usage_event_ids i where i.recorded_at < $1
                   and not exists (select 1 from clock_attachments c where c.business_id = i.business_id) limit $2)";
    system.run_with(sql, vec![until.into(), most.into()]).await
}
