//! Pages of plans. The list is small and in an order that no column has, so it is read whole and cut here.

use std::sync::Arc;

use futures::FutureExt as _;

use super::{Plan, PlanConnection, offer};
use crate::error::Error;
use crate::graphql::context::RequestContext;
use crate::graphql::page::PageArguments;
use crate::store::catalog::PlanView;
use crate::store::page::{Page, Position, Window};
use crate::store::types::Instant;

/// The page of the plans on sale, of one product or of all.
///
/// # Errors
/// [`Error::BadUserInput`] for a number or a cursor that is none; the database's fault.
pub(super) async fn plans(request: &RequestContext, product: Option<&str>, arguments: &PageArguments) -> Result<PlanConnection, Error> {
    let list = product.map_or_else(|| "plans".to_owned(), |code| format!("plans/{code}"));
    let window = arguments.window(request, &list)?;
    let offer = offer(request).await?;
    let of_product: Vec<&PlanView> = offer.iter().filter(|plan| product.is_none_or(|code| plan.product.code == code)).collect();
    let total = of_product.iter().filter(|plan| !plan.archived).count();
    let page = cut(&of_product, window)?;
    let count = Arc::new(move || futures::future::ready(Ok(u64::try_from(total).unwrap_or(u64::MAX))).boxed());
    Ok(PlanConnection::of(request, &list, page, count))
}

/// The part of `plans` that a window shows. Plans that are archived keep their place, so that a cursor that names one
/// stays good, and are not shown.
fn cut(plans: &[&PlanView], window: Window) -> Result<Page<(Position, Plan)>, Error> {
    let place = |position: Position| {
        let found = plans.iter().position(|plan| plan.id.uuid() == position.id);
        found.ok_or_else(|| Error::BadUserInput("The cursor is not one of this list's.".into()))
    };
    let begin = window.after.map(place).transpose()?.map_or(0, |index| index.saturating_add(1));
    let end = window.before.map(place).transpose()?.unwrap_or(plans.len()).max(begin);
    let sold: Vec<usize> = (0..plans.len()).filter(|index| !plans[*index].archived).collect();
    let mut shown: Vec<usize> = sold.iter().copied().filter(|index| (begin..end).contains(index)).collect();
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    if window.from_end {
        shown.drain(..shown.len().saturating_sub(limit));
    } else {
        shown.truncate(limit);
    }
    // An empty page stands where its window does.
    let (first, beyond) = shown.first().zip(shown.last()).map_or((begin, end), |(first, last)| (*first, last.saturating_add(1)));
    Ok(Page {
        has_previous: sold.iter().any(|index| *index < first),
        has_next: sold.iter().any(|index| *index >= beyond),
        rows: shown.into_iter().map(|index| (position(plans[index]), Plan::new(plans[index].clone()))).collect(),
    })
}

/// A plan's place is found by its id; the list is in no order of time.
fn position(plan: &PlanView) -> Position {
    Position { at: Instant::from(jiff::Timestamp::UNIX_EPOCH), id: plan.id.uuid() }
}
