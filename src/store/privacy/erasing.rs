//! Erasing what is held of a business, and of those of its people who work for no other.

use sea_orm::Value;
use uuid::Uuid;

use super::{Column, Fate, Of, TABLES, Table, To};
use crate::error::Error;
use crate::ids::{BusinessId, MailId, SubscriptionId, UserId};
use crate::store::System;
use crate::store::types::Instant;

/// What stands where a name was.
pub const ERASED: &str = "(erased)";

/// What is not over, so that a business cannot be erased yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled {
    /// Payments and refunds of which it is not known yet whether they come off.
    pub under_way: i64,
    /// Invoices that are to be paid.
    pub open_invoices: i64,
}

/// What is not over in a business. Its row is locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn unsettled(system: &System, business: BusinessId) -> Result<Unsettled, Error> {
    let sql =
        "select (select count(*) from payments where business_id = $1 and status in ('CREATED', 'SENDING', 'REQUIRES_ACTION', 'UNKNOWN'))
                    + (select count(*) from refunds where business_id = $1 and status not in ('SUCCEEDED', 'FAILED')) as under_way,
                      (select count(*) from invoices where business_id = $1 and status = 'OPEN') as open_invoices";
    let rows = system.read_with(sql, vec![business.into()]).await?;
    let row = rows.first().ok_or_else(|| Error::Corrupt("a count has no answer".into()))?;
    Ok(Unsettled { under_way: row.try_get("", "under_way")?, open_invoices: row.try_get("", "open_invoices")? })
}

/// The subscriptions of a business that have not ended.
///
/// # Errors
/// The database's fault.
pub async fn live_subscriptions(system: &System, business: BusinessId) -> Result<Vec<SubscriptionId>, Error> {
    let sql = "select id from subscriptions where business_id = $1 and status not in ('CANCELED', 'EXPIRED') order by id";
    ids(system, sql, vec![business.into()]).await.map(|found| found.into_iter().map(Into::into).collect())
}

/// The mails of a business and of these people.
///
/// # Errors
/// The database's fault.
pub async fn mails(system: &System, business: BusinessId, people: &[UserId]) -> Result<Vec<MailId>, Error> {
    let mut found = ids(system, "select id from mails where business_id = $1", vec![business.into()]).await?;
    for person in people {
        found.extend(ids(system, "select id from mails where user_id = $1", vec![(*person).into()]).await?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(Into::into).collect())
}

/// The people of a business, and those who have left it, who work for no other.
///
/// # Errors
/// The database's fault.
pub async fn people_of_no_other(system: &System, business: BusinessId) -> Result<Vec<UserId>, Error> {
    let sql = "select u.id from users u
               where (u.id in (select user_id from members where business_id = $1) or u.id in (select user_id from sessions where business_id = $1))
                 and not exists (select 1 from members m where m.user_id = u.id and m.business_id <> $1) order by u.id";
    ids(system, sql, vec![business.into()]).await.map(|found| found.into_iter().map(Into::into).collect())
}

/// The one column of a statement.
async fn ids(system: &System, sql: &'static str, values: Vec<Value>) -> Result<Vec<Uuid>, Error> {
    let rows = system.read_with(sql, values).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

/// Erases what is personal of a business and of these people, table by table, and puts `wrapped_key` in the place of the business's key. What
/// is audited is erased by whoever keeps its chain.
///
/// # Errors
/// The database's fault.
pub async fn erase(system: &System, business: BusinessId, people: &[UserId], wrapped_key: Vec<u8>, now: Instant) -> Result<(), Error> {
    for table in TABLES.iter().filter(|table| table.name != "audit_events") {
        let on_postgres = system.is_postgres();
        match table.of {
            Of::Business => run(system, table, "business_id = $1", business.into(), on_postgres).await?,
            Of::Sessions(column) => {
                let own = format!("{column} in (select id from sessions where business_id = $1)");
                run(system, table, &own, business.into(), on_postgres).await?;
                let theirs = format!("{column} in (select id from sessions where user_id = $1)");
                for person in people {
                    run(system, table, &theirs, (*person).into(), on_postgres).await?;
                }
            }
            Of::People(column) => {
                for person in people {
                    run(system, table, &format!("{column} = $1"), (*person).into(), on_postgres).await?;
                }
            }
            Of::Nobody => {}
        }
        // What is left of them in businesses that they have left.
        if table.of == Of::Business && table.fate == Fate::Removed && table.columns.iter().any(|(name, _)| *name == "user_id") {
            for person in people {
                run(system, table, "user_id = $1", (*person).into(), on_postgres).await?;
            }
        }
    }
    let sql = "update payment_methods set is_default = $2, removed_at = coalesce(removed_at, $3) where business_id = $1";
    system.run_with(sql, vec![business.into(), false.into(), now.into()]).await?;
    let sql = "update businesses set wrapped_key = $2, previous_wrapped_key = null, key_made_at = $3, verification_status = 'UNVERIFIED', erased_at = $3, updated_at = $3 where business_id = $1";
    system.run_with(sql, vec![business.into(), wrapped_key.into(), now.into()]).await.map(drop)
}

/// Does to the rows of a table that `which` selects what its fate is.
async fn run(system: &System, table: &Table, which: &str, value: Value, on_postgres: bool) -> Result<(), Error> {
    let sql = match table.fate {
        Fate::Removed => format!("delete from {} where {which}", table.name),
        Fate::Kept => {
            let blanks: Vec<String> = table.columns.iter().filter_map(|(name, column)| blank(name, *column, on_postgres)).collect();
            if blanks.is_empty() {
                return Ok(());
            }
            format!("update {} set {} where {which}", table.name, blanks.join(", "))
        }
    };
    system.run_made(&sql, vec![value]).await.map(drop)
}

/// How a column is blanked; `None` for one that stays. The keys of a business are replaced by whoever has another one.
fn blank(name: &str, column: Column, on_postgres: bool) -> Option<String> {
    let to = match column {
        Column::Personal(to) => to,
        Column::Sealed(_) => To::Null,
        Column::Secret if name.ends_with("wrapped_key") => return None,
        // Bytes, which no text takes the place of.
        Column::Secret if name.ends_with("_sealed") => To::Null,
        Column::Secret => To::Empty,
        _ => return None,
    };
    Some(match to {
        To::Null => format!("{name} = null"),
        To::Empty => format!("{name} = case when {name} is null then null else '' end"),
        To::Erased => format!("{name} = '{ERASED}'"),
        To::Own if on_postgres => format!("{name} = 'erased ' || cast(id as text)"),
        To::Own => format!("{name} = 'erased ' || lower(hex(id))"),
    })
}
