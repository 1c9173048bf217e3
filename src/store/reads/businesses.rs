//! Businesses as staff look for them.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Func, LikeExpr, Query, SelectStatement};
use sea_orm::{ColumnTrait as _, FromQueryResult, QueryFilter as _, QuerySelect as _};

use super::subscriptions::LIVE;
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::Error;
use crate::ids::{BusinessId, ProductId};
use crate::store::Reader;
use crate::store::customers::Business;
use crate::store::entity::customers::{business, member, user};
use crate::store::entity::staff::suspension;
use crate::store::entity::subscriptions::subscription;
use crate::store::page::{MAX_COUNT, Page, Window, newest_first};
use crate::store::tenant::Scoped;
use crate::store::types::VerificationStatus;

pub use crate::store::entity::staff::suspension::Model as Suspension;

/// Makes the character after it in a pattern stand for itself.
const ESCAPE: char = '!';

/// What a business's subscriptions as a whole are asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It never had one.
    None,
    /// This is the worst of the live ones.
    Worst(SubscriptionStatus),
    /// It had one, and has none that is live.
    Ended,
}

/// Which businesses are asked for; every member narrows.
#[derive(Debug, Clone, Default)]
pub struct BusinessFilter {
    /// What somebody typed: a part of the name, a whole address of the business or of one of its people, or an id.
    pub search: Option<String>,
    /// Whose subscriptions stand so.
    pub standings: Option<Vec<Standing>>,
    /// So far verified.
    pub verification: Option<Vec<VerificationStatus>>,
    /// In this country.
    pub country: Option<String>,
    /// With a live subscription to this product.
    pub product: Option<ProductId>,
    /// Suspended by staff, or not.
    pub suspended: Option<bool>,
}

/// Many by id.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(reader: &Reader, ids: &[BusinessId]) -> Result<HashMap<BusinessId, Business>, Error> {
    let select = reader.select::<business::Entity>().filter(business::Column::BusinessId.is_in(ids.iter().copied()));
    Ok(select.all().await?.into_iter().map(|row| (row.business_id, row)).collect())
}

/// A page, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(reader: &Reader, filter: &BusinessFilter, window: Window) -> Result<Page<Business>, Error> {
    newest_first(filtered(reader, filter), business::Column::CreatedAt, business::Column::BusinessId, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(reader: &Reader, filter: &BusinessFilter) -> Result<u64, Error> {
    filtered(reader, filter).count_up_to(MAX_COUNT).await
}

/// The states of many businesses' subscriptions, each once. A business without subscriptions has no entry.
///
/// # Errors
/// The database's fault.
pub async fn subscription_statuses(reader: &Reader, ids: &[BusinessId]) -> Result<HashMap<BusinessId, Vec<SubscriptionStatus>>, Error> {
    /// The two columns.
    #[derive(FromQueryResult)]
    struct Found {
        /// Whose.
        business_id: BusinessId,
        /// A state.
        status: SubscriptionStatus,
    }
    let select = reader.select::<subscription::Entity>().filter(subscription::Column::BusinessId.is_in(ids.iter().copied()));
    let columns = select.select_only().column(subscription::Column::BusinessId).column(subscription::Column::Status).distinct();
    let mut statuses: HashMap<BusinessId, Vec<SubscriptionStatus>> = HashMap::new();
    for found in columns.all_as::<Found>().await? {
        statuses.entry(found.business_id).or_default().push(found.status);
    }
    Ok(statuses)
}

/// The suspensions that stand, of many businesses.
///
/// # Errors
/// The database's fault.
pub async fn standing_suspensions(reader: &Reader, ids: &[BusinessId]) -> Result<HashMap<BusinessId, Suspension>, Error> {
    let select = reader.select::<suspension::Entity>().filter(suspension::Column::BusinessId.is_in(ids.iter().copied()));
    let rows = select.filter(suspension::Column::RestoredAt.is_null()).all().await?;
    Ok(rows.into_iter().map(|row| (row.business_id, row)).collect())
}

/// What `filter` leaves.
fn filtered(reader: &Reader, filter: &BusinessFilter) -> Scoped<business::Entity> {
    let mut select = reader.select::<business::Entity>();
    if let Some(text) = &filter.search {
        select = select.filter(found_by(text));
    }
    if let Some(standings) = &filter.standings {
        select = select.filter(standings.iter().fold(nothing(), |any, standing| any.add(stands(*standing))));
    }
    if let Some(verification) = &filter.verification {
        select = select.filter(business::Column::VerificationStatus.is_in(verification.iter().copied()));
    }
    if let Some(country) = &filter.country {
        select = select.filter(business::Column::Country.eq(country.as_str()));
    }
    if let Some(product) = filter.product {
        let of_product = Condition::all().add(subscription::Column::ProductId.eq(product)).add(subscription::Column::Status.is_in(LIVE));
        select = select.filter(business::Column::BusinessId.in_subquery(with_subscription(of_product)));
    }
    if let Some(suspended) = filter.suspended {
        let at = business::Column::SuspendedAt;
        select = select.filter(if suspended { at.is_not_null() } else { at.is_null() });
    }
    select
}

/// What no row meets, for adding alternatives to.
fn nothing() -> Condition {
    Condition::any().add(Expr::val(1).eq(0))
}

/// The businesses that a text finds. Its wildcards stand for themselves; small and capital letters are one, on SQLite
/// those of ASCII alone.
fn found_by(text: &str) -> Condition {
    let small = text.to_lowercase();
    let mut pattern = String::from("%");
    for character in small.chars() {
        if matches!(character, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(character);
    }
    pattern.push('%');
    let lower = |column: business::Column| Expr::expr(Func::lower(Expr::col((business::Entity, column))));
    let of_person = Query::select()
        .column((member::Entity, member::Column::BusinessId))
        .from(member::Entity)
        .inner_join(user::Entity, Expr::col((user::Entity, user::Column::Id)).equals((member::Entity, member::Column::UserId)))
        .and_where(Expr::col((user::Entity, user::Column::EmailKey)).eq(small.as_str()))
        .to_owned();
    let mut any = Condition::any()
        .add(lower(business::Column::BusinessName).like(LikeExpr::new(pattern).escape(ESCAPE)))
        .add(lower(business::Column::BusinessEmail).eq(small.as_str()))
        .add(business::Column::BusinessId.in_subquery(of_person));
    if let Some(id) = BusinessId::parse(text) {
        any = any.add(business::Column::BusinessId.eq(id));
    }
    any
}

/// The businesses that have a subscription like this.
fn with_subscription(like: Condition) -> SelectStatement {
    Query::select().column(subscription::Column::BusinessId).from(subscription::Entity).cond_where(like).to_owned()
}

/// The businesses whose subscriptions stand so.
fn stands(standing: Standing) -> Condition {
    let of = |statuses: Vec<SubscriptionStatus>| with_subscription(Condition::all().add(subscription::Column::Status.is_in(statuses)));
    let id = business::Column::BusinessId;
    match standing {
        Standing::None => Condition::all().add(id.not_in_subquery(with_subscription(Condition::all()))),
        Standing::Ended => {
            let ended: HashSet<_> = SubscriptionStatus::ALL.iter().copied().filter(|status| !LIVE.contains(status)).collect();
            Condition::all().add(id.in_subquery(of(ended.into_iter().collect()))).add(id.not_in_subquery(of(LIVE.to_vec())))
        }
        Standing::Worst(worst) => {
            let above = FROM_WORST.iter().copied().take_while(|status| *status != worst).collect();
            Condition::all().add(id.in_subquery(of(vec![worst]))).add(id.not_in_subquery(of(above)))
        }
    }
}

/// The states of a live subscription, the worst first.
pub const FROM_WORST: [SubscriptionStatus; 5] = [
    SubscriptionStatus::Suspended,
    SubscriptionStatus::PastDue,
    SubscriptionStatus::Incomplete,
    SubscriptionStatus::Trialing,
    SubscriptionStatus::Active,
];
