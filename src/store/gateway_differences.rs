//! The daily comparison with what gateways list, for the system alone: which days were compared, what our rows have of them, and what
//! was found to differ.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, Condition, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::entity::payments::{dispute, gateway_comparison, gateway_difference, payment, refund};
use super::page::{MAX_COUNT, Page, Window, cut, windowed};
use super::payments::Payment;
use super::refunds::Refund;
use super::types::{Day, DifferenceKind, DifferenceSubject, Instant};
use super::{Reader, System};
use crate::error::Error;
use crate::ids::{BusinessId, GatewayDifferenceId, PaymentId, RefundId};

pub use super::entity::payments::gateway_comparison::Model as Comparison;
pub use super::entity::payments::gateway_difference::Model as Difference;

/// The comparisons of a gateway's days from `since` on.
///
/// # Errors
/// The database's fault.
pub async fn comparisons(system: &System, gateway: &str, since: Day) -> Result<Vec<Comparison>, Error> {
    let of_it = system.select::<gateway_comparison::Entity>().filter(gateway_comparison::Column::Gateway.eq(gateway));
    let of_it = of_it.filter(gateway_comparison::Column::Day.gte(since)).order_by_asc(gateway_comparison::Column::Day);
    Ok(of_it.all(system.connection()).await?)
}

/// The days from `since` on of which something of a gateway differs still.
///
/// # Errors
/// The database's fault.
pub async fn open_days(system: &System, gateway: &str, since: Day) -> Result<Vec<Day>, Error> {
    let open = system.select::<gateway_difference::Entity>().filter(gateway_difference::Column::Gateway.eq(gateway));
    let open = open.filter(gateway_difference::Column::Day.gte(since)).filter(gateway_difference::Column::ClearedAt.is_null());
    let days = open.select_only().column(gateway_difference::Column::Day).distinct().order_by_asc(gateway_difference::Column::Day);
    Ok(days.into_tuple::<Day>().all(system.connection()).await?)
}

/// Takes a day of a gateway in hand until `lease_until`, unless somebody has it, or has compared it since `not_since`; answers whether.
///
/// # Errors
/// The database's fault.
pub async fn claim(
    system: &System,
    (gateway, day): (&str, Day),
    (now, lease_until): (Instant, Instant),
    not_since: Instant,
) -> Result<bool, Error> {
    let new =
        gateway_comparison::ActiveModel { gateway: Set(gateway.to_owned()), day: Set(day), leased_until: Set(now), compared_at: Set(None) };
    system.insert_if_new::<gateway_comparison::Entity, _>(new).await?;
    let is_due =
        Condition::any().add(gateway_comparison::Column::ComparedAt.is_null()).add(gateway_comparison::Column::ComparedAt.lte(not_since));
    let taken = system
        .update_many::<gateway_comparison::Entity>()
        .col_expr(gateway_comparison::Column::LeasedUntil, Expr::value(lease_until))
        .filter(gateway_comparison::Column::Gateway.eq(gateway))
        .filter(gateway_comparison::Column::Day.eq(day))
        .filter(gateway_comparison::Column::LeasedUntil.lte(now))
        .filter(is_due);
    Ok(taken.exec(system.connection()).await?.rows_affected > 0)
}

/// What our rows have of what a gateway lists.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    /// The payments that it names, by our id or its own.
    pub payments: Vec<Payment>,
    /// The refunds that it names, by our id or its own.
    pub refunds: Vec<Refund>,
    /// What it calls those of its disputes that we have.
    pub disputes: Vec<String>,
}

/// What a part of a gateway's list names.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Our payments.
    pub payments: Vec<PaymentId>,
    /// Our refunds.
    pub refunds: Vec<RefundId>,
    /// What the gateway calls charges.
    pub charges: Vec<String>,
    /// What it calls disputes.
    pub disputes: Vec<String>,
}

/// What our rows of a gateway have of what a part of its list names.
///
/// # Errors
/// The database's fault.
pub async fn ours(system: &System, gateway: &str, named: &Named) -> Result<Ours, Error> {
    let reader = system.reader();
    let is_named = Condition::any()
        .add(payment::Column::Id.is_in(named.payments.iter().copied()))
        .add(payment::Column::GatewayReference.is_in(named.charges.iter().map(String::as_str)));
    let payments = reader.select::<payment::Entity>().filter(payment::Column::Gateway.eq(gateway)).filter(is_named).all().await?;
    let refunds = reader.select::<refund::Entity>().filter(refund::Column::Gateway.eq(gateway));
    let refunds = refunds.filter(refund::Column::Id.is_in(named.refunds.iter().copied())).all().await?;
    let disputes = reader.select::<dispute::Entity>().filter(dispute::Column::Gateway.eq(gateway));
    let disputes = disputes.filter(dispute::Column::GatewayReference.is_in(named.disputes.iter().map(String::as_str))).all().await?;
    Ok(Ours { payments, refunds, disputes: disputes.into_iter().map(|dispute| dispute.gateway_reference).collect() })
}

/// The payments of a gateway that were begun from `from` to before `until`, after the one of that time and id, the oldest first.
///
/// # Errors
/// The database's fault.
pub async fn payments_between(
    reader: &Reader,
    gateway: &str,
    (from, until): (Instant, Instant),
    after: Option<(Instant, PaymentId)>,
    most: u64,
) -> Result<Vec<Payment>, Error> {
    let (at, id) = (payment::Column::CreatedAt, payment::Column::Id);
    let mut select =
        reader.select::<payment::Entity>().filter(payment::Column::Gateway.eq(gateway)).filter(at.gte(from)).filter(at.lt(until));
    if let Some((last, last_id)) = after {
        select = select.filter(Condition::any().add(at.gt(last)).add(Condition::all().add(at.eq(last)).add(id.gt(last_id))));
    }
    select.order_by_asc(at).order_by_asc(id).limit(most).all().await
}

/// As [`payments_between`], of refunds, each with its payment; without those that banks have paid themselves in a dispute.
///
/// # Errors
/// The database's fault.
pub async fn refunds_between(
    reader: &Reader,
    gateway: &str,
    (from, until): (Instant, Instant),
    after: Option<(Instant, RefundId)>,
    most: u64,
) -> Result<Vec<Refund>, Error> {
    let (at, id) = (refund::Column::CreatedAt, refund::Column::Id);
    let by_banks = sea_orm::sea_query::Query::select()
        .column(dispute::Column::RefundId)
        .from(dispute::Entity)
        .and_where(dispute::Column::RefundId.is_not_null())
        .take();
    let mut select =
        reader.select::<refund::Entity>().filter(refund::Column::Gateway.eq(gateway)).filter(at.gte(from)).filter(at.lt(until));
    select = select.filter(id.not_in_subquery(by_banks));
    if let Some((last, last_id)) = after {
        select = select.filter(Condition::any().add(at.gt(last)).add(Condition::all().add(at.eq(last)).add(id.gt(last_id))));
    }
    select.order_by_asc(at).order_by_asc(id).limit(most).all().await
}

/// The payment of a refund.
///
/// # Errors
/// The database's fault.
pub async fn payment_of(reader: &Reader, refund: &Refund) -> Result<Option<Payment>, Error> {
    reader.within(refund.business_id).by_id::<payment::Entity, _>(refund.payment_id).await
}

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Of what.
    pub subject: DifferenceSubject,
    /// How.
    pub kind: DifferenceKind,
    /// What the gateway calls it, or we where that has no name for it.
    pub reference: String,
    /// Whose it is, where that is known.
    pub business: Option<BusinessId>,
    /// The payment that it is about, where that is known.
    pub payment: Option<PaymentId>,
    /// The refund that it is about, where that is known.
    pub refund: Option<RefundId>,
    /// What our rows say.
    pub ours: Option<String>,
    /// What the gateway says.
    pub theirs: Option<String>,
}

/// Writes what a day's comparison found, once for each: what is there already is open again, and what was found of that day before and
/// was not found again is cleared. `ids` are for what is new.
///
/// # Errors
/// The database's fault.
pub async fn write(
    system: &System,
    (gateway, day): (&str, Day),
    found: &[Found],
    ids: &mut (dyn FnMut() -> GatewayDifferenceId + Send),
    now: Instant,
) -> Result<(), Error> {
    let of_day = system.select::<gateway_difference::Entity>().filter(gateway_difference::Column::Gateway.eq(gateway));
    let before = of_day.filter(gateway_difference::Column::Day.eq(day)).all(system.connection()).await?;
    let is =
        |row: &Difference, one: &Found| (row.subject, row.kind, row.reference.as_str()) == (one.subject, one.kind, one.reference.as_str());
    for one in found {
        let held = match before.iter().find(|row| is(row, one)) {
            Some(held) => Some(held.clone()),
            None => of_another_day(system, gateway, one).await?,
        };
        match held {
            Some(held) => {
                // One that had cleared is told of again.
                let told_at = held.told_at.filter(|_| held.cleared_at.is_none());
                let row = gateway_difference::ActiveModel {
                    id: Set(held.id),
                    day: Set(day),
                    ours: Set(one.ours.clone()),
                    theirs: Set(one.theirs.clone()),
                    told_at: Set(told_at),
                    cleared_at: Set(None),
                    ..Default::default()
                };
                system.update(row).await?;
            }
            None => insert(system, (gateway, day), one, ids(), now).await?,
        }
    }
    for held in before.iter().filter(|row| row.cleared_at.is_none() && !found.iter().any(|one| is(row, one))) {
        let row = gateway_difference::ActiveModel { id: Set(held.id), cleared_at: Set(Some(now)), ..Default::default() };
        system.update(row).await?;
    }
    let done = system
        .update_many::<gateway_comparison::Entity>()
        .col_expr(gateway_comparison::Column::ComparedAt, Expr::value(Some(now)))
        .col_expr(gateway_comparison::Column::LeasedUntil, Expr::value(now))
        .filter(gateway_comparison::Column::Gateway.eq(gateway))
        .filter(gateway_comparison::Column::Day.eq(day));
    done.exec(system.connection()).await?;
    Ok(())
}

/// The same difference, found of another day.
async fn of_another_day(system: &System, gateway: &str, one: &Found) -> Result<Option<Difference>, Error> {
    let same = system
        .select::<gateway_difference::Entity>()
        .filter(gateway_difference::Column::Gateway.eq(gateway))
        .filter(gateway_difference::Column::Subject.eq(one.subject))
        .filter(gateway_difference::Column::Kind.eq(one.kind))
        .filter(gateway_difference::Column::Reference.eq(one.reference.as_str()));
    Ok(same.one(system.connection()).await?)
}

/// Writes a difference that is new.
async fn insert(system: &System, (gateway, day): (&str, Day), one: &Found, id: GatewayDifferenceId, now: Instant) -> Result<(), Error> {
    let row = gateway_difference::ActiveModel {
        id: Set(id),
        gateway: Set(gateway.to_owned()),
        day: Set(day),
        subject: Set(one.subject),
        kind: Set(one.kind),
        reference: Set(one.reference.clone()),
        concerned_id: Set(one.business),
        payment_id: Set(one.payment),
        refund_id: Set(one.refund),
        ours: Set(one.ours.clone()),
        theirs: Set(one.theirs.clone()),
        found_at: Set(now),
        told_at: Set(None),
        cleared_at: Set(None),
    };
    system.insert::<gateway_difference::Entity, _>(row).await.map(drop)
}

/// The open differences that nobody was told of, the oldest first.
///
/// # Errors
/// The database's fault.
pub async fn untold(system: &System, most: u64) -> Result<Vec<Difference>, Error> {
    let open = system.select::<gateway_difference::Entity>().filter(gateway_difference::Column::ClearedAt.is_null());
    let untold = open.filter(gateway_difference::Column::ToldAt.is_null());
    let in_order = untold.order_by_asc(gateway_difference::Column::FoundAt).order_by_asc(gateway_difference::Column::Id).limit(most);
    Ok(in_order.all(system.connection()).await?)
}

/// Writes that these were told of.
///
/// # Errors
/// The database's fault.
pub async fn told(system: &System, ids: &[GatewayDifferenceId], now: Instant) -> Result<(), Error> {
    let update = system.update_many::<gateway_difference::Entity>().col_expr(gateway_difference::Column::ToldAt, Expr::value(Some(now)));
    update.filter(gateway_difference::Column::Id.is_in(ids.iter().copied())).exec(system.connection()).await?;
    Ok(())
}

/// Which differences are asked for; every member narrows.
#[derive(Debug, Clone, Default)]
pub struct DifferenceFilter {
    /// Of this gateway.
    pub gateway: Option<String>,
    /// Those that are open, or those that have cleared.
    pub is_open: Option<bool>,
    /// Of this business.
    pub business: Option<BusinessId>,
}

impl DifferenceFilter {
    /// What it leaves.
    fn condition(&self) -> Condition {
        let mut condition = Condition::all();
        if let Some(gateway) = &self.gateway {
            condition = condition.add(gateway_difference::Column::Gateway.eq(gateway.as_str()));
        }
        if let Some(business) = self.business {
            condition = condition.add(gateway_difference::Column::ConcernedId.eq(business));
        }
        match self.is_open {
            Some(true) => condition.add(gateway_difference::Column::ClearedAt.is_null()),
            Some(false) => condition.add(gateway_difference::Column::ClearedAt.is_not_null()),
            None => condition,
        }
    }
}

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(system: &System, id: GatewayDifferenceId) -> Result<Option<Difference>, Error> {
    let found = system.select::<gateway_difference::Entity>().filter(gateway_difference::Column::Id.eq(id));
    Ok(found.one(system.connection()).await?)
}

/// A page, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(system: &System, filter: &DifferenceFilter, window: Window) -> Result<Page<Difference>, Error> {
    let select = system.select::<gateway_difference::Entity>().filter(filter.condition());
    let (at, id) = (gateway_difference::Column::FoundAt, gateway_difference::Column::Id);
    let select = windowed::<gateway_difference::Entity, _>(select, at, id, window);
    Ok(cut(select.all(system.connection()).await?, window))
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(system: &System, filter: &DifferenceFilter) -> Result<u64, Error> {
    let select = system.select::<gateway_difference::Entity>().filter(filter.condition()).limit(MAX_COUNT.saturating_add(1));
    Ok(select.count(system.connection()).await?)
}
