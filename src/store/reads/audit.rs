//! The audit trail as the API shows it: of a business, and for staff of all of them together with the platform's own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use sea_orm::{ColumnTrait as _, Condition, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use crate::error::Error;
use crate::ids::{AuditEventId, BusinessId};
use crate::store::entity::staff::{platform_audit_event, platform_audit_head};
use crate::store::entity::work::{audit_event, audit_head};
use crate::store::page::{MAX_COUNT, Page, Position, Window, count_of_each, cut, newest_first, newest_of_each, windowed};
use crate::store::types::Instant;
use crate::store::{Reader, System};

/// One act that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// Its number in its chain, from 1.
    pub sequence: i64,
    /// What was done: `subscription.changed`.
    pub action: String,
    /// Who did it: an id, or `system`.
    pub actor: String,
    /// To what: an id.
    pub subject: String,
    /// Before and after, as JSON.
    pub details: String,
    /// When.
    pub at: Instant,
    /// The hash of the event before it in its chain; zeros before the first.
    pub previous_hash: Vec<u8>,
    /// Its hash.
    pub hash: Vec<u8>,
    /// What the details are hashed with; none of those from before there was any, and of those that were erased.
    pub salt: Option<Vec<u8>>,
    /// The hash of details that were erased.
    pub details_digest: Option<Vec<u8>>,
}

impl AuditEvent {
    /// Where it stands among others.
    pub const fn position(&self) -> Position {
        Position { at: self.at, id: self.id.uuid() }
    }
}

impl From<audit_event::Model> for AuditEvent {
    fn from(row: audit_event::Model) -> Self {
        let audit_event::Model {
            id,
            sequence,
            action,
            actor,
            subject,
            details,
            at,
            previous_hash,
            hash,
            salt,
            details_digest,
            business_id: _,
        } = row;
        Self { id, sequence, action, actor, subject, details, at, previous_hash, hash, salt, details_digest }
    }
}

impl From<platform_audit_event::Model> for AuditEvent {
    fn from(row: platform_audit_event::Model) -> Self {
        let platform_audit_event::Model { id, sequence, action, actor, subject, details, at, previous_hash, hash } = row;
        Self { id, sequence, action, actor, subject, details, at, previous_hash, hash, salt: None, details_digest: None }
    }
}

/// A page of what was done to the businesses that are read, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(reader: &Reader, window: Window) -> Result<Page<AuditEvent>, Error> {
    let page = newest_first(reader.select::<audit_event::Entity>(), audit_event::Column::At, audit_event::Column::Id, window).await?;
    Ok(page.map(AuditEvent::from))
}

/// The next `most` of the business that is read, behind the number `after`, whose details say something that is not erased.
///
/// # Errors
/// The database's fault.
pub async fn with_details(reader: &Reader, after: i64, most: u64) -> Result<Vec<AuditEvent>, Error> {
    let rows = reader.select::<audit_event::Entity>().filter(audit_event::Column::Details.ne("{}"));
    let rows = rows.filter(audit_event::Column::DetailsDigest.is_null()).filter(audit_event::Column::Sequence.gt(after));
    let rows = rows.order_by_asc(audit_event::Column::Sequence).limit(most).all().await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(reader: &Reader) -> Result<u64, Error> {
    reader.select::<audit_event::Entity>().count_up_to(MAX_COUNT).await
}

/// The same part of many businesses' lists, each newest first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn pages_of_businesses(
    reader: &Reader,
    businesses: &[BusinessId],
    window: Window,
) -> Result<HashMap<BusinessId, Page<AuditEvent>>, Error> {
    let rows = || reader.select_of_businesses::<audit_event::Entity>(businesses);
    let order = (audit_event::Column::At, audit_event::Column::Id);
    let pages = newest_of_each(rows, businesses, audit_event::Column::BusinessId, order, window, |row| row.business_id).await?;
    Ok(pages.into_iter().map(|(business, page)| (business, page.map(AuditEvent::from))).collect())
}

/// How many each of many businesses has, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn counts_of_businesses(reader: &Reader, businesses: &[BusinessId]) -> Result<HashMap<BusinessId, u64>, Error> {
    count_of_each(reader.select_of_businesses::<audit_event::Entity>(businesses)).await
}

/// One of the businesses that are read, by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(reader: &Reader, id: AuditEventId) -> Result<Option<AuditEvent>, Error> {
    Ok(reader.by_id::<audit_event::Entity, _>(id).await?.map(Into::into))
}

/// A page of what was done to any business and to the platform, newest first. Two statements, whose rows are merged.
///
/// # Errors
/// The database's fault.
pub async fn page_of_all(system: &System, window: Window) -> Result<Page<AuditEvent>, Error> {
    let of_businesses = system.reader().select::<audit_event::Entity>();
    let of_businesses = windowed::<audit_event::Entity, _>(of_businesses, audit_event::Column::At, audit_event::Column::Id, window);
    let of_platform = system.select::<platform_audit_event::Entity>();
    let (at, id) = (platform_audit_event::Column::At, platform_audit_event::Column::Id);
    let of_platform = windowed::<platform_audit_event::Entity, _>(of_platform, at, id, window);
    let mut rows: Vec<AuditEvent> = of_businesses.all().await?.into_iter().map(Into::into).collect();
    rows.extend(of_platform.all(system.connection()).await?.into_iter().map(AuditEvent::from));
    // As each statement was ordered; `cut` turns a part that is read from its end.
    if window.from_end {
        rows.sort_unstable_by_key(AuditEvent::position);
    } else {
        rows.sort_unstable_by_key(|row| Reverse(row.position()));
    }
    Ok(cut(rows, window))
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count_of_all(system: &System) -> Result<u64, Error> {
    let of_platform = system.select::<platform_audit_event::Entity>().limit(MAX_COUNT.saturating_add(1));
    let of_platform = of_platform.count(system.connection()).await?;
    Ok(count(&system.reader()).await?.saturating_add(of_platform))
}

/// One of the platform's own, by id.
///
/// # Errors
/// The database's fault.
pub async fn of_platform_by_id(system: &System, id: AuditEventId) -> Result<Option<AuditEvent>, Error> {
    let found = system.select::<platform_audit_event::Entity>().filter(platform_audit_event::Column::Id.eq(id));
    Ok(found.one(system.connection()).await?.map(Into::into))
}

/// The head of each chain, by its business, and of the platform's own: the number and the hash of its last event.
///
/// # Errors
/// The database's fault.
pub async fn heads(system: &System) -> Result<BTreeMap<Option<BusinessId>, (i64, Vec<u8>)>, Error> {
    let of_businesses = system.select::<audit_head::Entity>().all(system.connection()).await?;
    let of_platform = system.select::<platform_audit_head::Entity>().all(system.connection()).await?;
    let of_platform = of_platform.into_iter().filter(|head| head.sequence > 0).map(|head| (None, (head.sequence, head.hash)));
    Ok(of_businesses.into_iter().map(|head| (Some(head.business_id), (head.sequence, head.hash))).chain(of_platform).collect())
}

/// The next `most` events of all businesses' chains, chain by chain and each in its order, behind the one of that business
/// and number.
///
/// # Errors
/// The database's fault.
pub async fn part_of_chains(system: &System, after: Option<(BusinessId, i64)>, most: u64) -> Result<Vec<(BusinessId, AuditEvent)>, Error> {
    let (business, sequence) = (audit_event::Column::BusinessId, audit_event::Column::Sequence);
    let mut select = system.select::<audit_event::Entity>();
    if let Some((last, number)) = after {
        let same_chain = Condition::all().add(business.eq(last)).add(sequence.gt(number));
        select = select.filter(Condition::any().add(business.gt(last)).add(same_chain));
    }
    let rows = select.order_by_asc(business).order_by_asc(sequence).limit(most).all(system.connection()).await?;
    Ok(rows.into_iter().map(|row| (row.business_id, row.into())).collect())
}

/// The next `most` events of the platform's own chain behind that number.
///
/// # Errors
/// The database's fault.
pub async fn part_of_platform(system: &System, after: i64, most: u64) -> Result<Vec<AuditEvent>, Error> {
    let sequence = platform_audit_event::Column::Sequence;
    let select = system.select::<platform_audit_event::Entity>().filter(sequence.gt(after)).order_by_asc(sequence).limit(most);
    Ok(select.all(system.connection()).await?.into_iter().map(Into::into).collect())
}
