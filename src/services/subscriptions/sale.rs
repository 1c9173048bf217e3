//! What a sign-up comes to: one function for the preview and for the real thing.

use jiff::Timestamp;

use super::PreviewSubscribe;
use crate::billing::discount::Coupon;
use crate::billing::lifecycle::SubscriptionStatus;
use crate::billing::period::{Period, Schedule};
use crate::billing::proration::{PeriodPrice, recurring_line};
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::CouponId;
use crate::services::billing::{Account, DraftLine, InvoicePreview, rule};
use crate::services::coupons::usable;
use crate::store::catalog::{PlanView, Price, plan_to_subscribe};
use crate::store::types::{Day, VerificationStatus};
use crate::store::{Tenant, subscriptions};

/// A sign-up before it is written.
#[derive(Debug, Clone)]
pub(super) struct Sale {
    /// The plan that is bought.
    pub(super) plan: PlanView,
    /// What it costs.
    pub(super) price: Price,
    /// Its anchor and settings.
    pub(super) schedule: Schedule,
    /// The period that it begins with: the trial, or the first that is charged.
    pub(super) period: Period,
    /// What is charged for that period; `None` in a trial.
    pub(super) charged: Option<PeriodPrice>,
    /// The line of that.
    pub(super) line: Option<DraftLine>,
    /// What is billed now.
    pub(super) preview: Option<InvoicePreview>,
    /// The coupon that it redeems, as it is once the first period has begun.
    pub(super) coupon: Option<(CouponId, Coupon)>,
    /// What the end of a trial will bill.
    pub(super) first_invoice: Option<InvoicePreview>,
}

impl Sale {
    /// The state that it begins in.
    pub(super) fn status(&self) -> SubscriptionStatus {
        let is_due = self.preview.as_ref().is_some_and(|preview| !preview.amount_due.is_zero());
        SubscriptionStatus::initial(self.period.is_trial(), is_due)
    }

    /// When its trial ends.
    pub(super) fn trial_end(&self) -> Option<Timestamp> {
        self.period.is_trial().then_some(self.period.end)
    }

    /// What a token signs.
    pub(super) fn shown(&self) -> (&Option<InvoicePreview>, &Option<InvoicePreview>, Option<Timestamp>) {
        (&self.preview, &self.first_invoice, self.trial_end())
    }
}

/// The plan of an offer, where this business may buy it.
pub(super) async fn plan_on_offer(tenant: &Tenant, account: &Account, offer: &PreviewSubscribe) -> Outcome<(PlanView, Price)> {
    let found = match offer.plan {
        Some(plan) => plan_to_subscribe(&tenant.catalogue(), plan).await?,
        None => None,
    };
    let plan = found.ok_or_else(|| UserError::at("planId", UserErrorCode::NotFound, "There is no such plan."))?;
    let price = plan.price(offer.interval, account.business.currency).filter(|_| !plan.archived);
    let price =
        price.ok_or_else(|| UserError::at("planId", UserErrorCode::PlanNotAvailable, "This plan is not sold in your currency so."))?;
    check_verified(account, &plan)?;
    Ok((plan, price))
}

/// Refuses a plan that asks for a verified business to one that is not.
///
/// # Errors
/// VERIFICATION_REQUIRED.
pub(super) fn check_verified(account: &Account, plan: &PlanView) -> Result<(), UserError> {
    if !plan.requires_verification || account.business.verification_status == VerificationStatus::Approved {
        return Ok(());
    }
    Err(UserError::at("planId", UserErrorCode::VerificationRequired, "Only a verified business can have this plan."))
}

/// What a sign-up at the account's instant comes to. It redeems no coupon.
pub(super) async fn sale(tenant: &Tenant, account: &Account, offer: &PreviewSubscribe) -> Outcome<Sale> {
    let (plan, price) = plan_on_offer(tenant, account, offer).await?;
    let product = &plan.product;
    let days = u16::try_from(plan.trial_days).map_err(|_| Error::Corrupt("a plan's trial is of no length that can be".into()))?;
    let has_trial = offer.trial && days > 0 && !subscriptions::had_trial(tenant, product.id).await?;
    let schedule = Schedule::starting(account.at, account.zone.clone(), offer.interval, product.anchor, product.granularity);
    let coupon = match &offer.coupon {
        Some(code) => {
            let found = usable(tenant, account, code, &plan).await?;
            Some((found.id, found.with_left(found.periods)?))
        }
        None => None,
    };
    let discount = coupon.and_then(|(_, coupon)| coupon.for_new_period().0);
    let charge = PeriodPrice { price_minor: price.amount_minor, tax: account.tax(price.tax_behavior), discount };
    let line_of = |period: &Period| -> Outcome<Option<DraftLine>> {
        let line = recurring_line(period, product.granularity, &charge).map_err(rule)?;
        Ok(line.map(|line| DraftLine::new(line, plan.name.clone(), None)))
    };
    let as_slice = |line: &Option<DraftLine>| line.iter().cloned().collect::<Vec<_>>();
    if has_trial {
        let (period, schedule) = schedule.trial(account.at, days).map_err(rule)?;
        let first = line_of(&schedule.next_period(&period).map_err(rule)?)?;
        let first_invoice = InvoicePreview::of(account, &as_slice(&first), period.end)?;
        return Ok(Sale { price, schedule, period, charged: None, line: None, preview: None, coupon, first_invoice, plan });
    }
    let period = schedule.first_period(account.at, 1).map_err(rule)?;
    let line = line_of(&period)?;
    let preview = InvoicePreview::of(account, &as_slice(&line), account.at)?;
    let coupon = coupon.map(|(id, coupon)| (id, coupon.for_new_period().1));
    Ok(Sale { price, schedule, period, charged: Some(charge), line, preview, coupon, first_invoice: None, plan })
}

/// The columns of an anchor's day.
pub(super) fn anchor_columns(schedule: &Schedule) -> (String, Option<i32>, Day, String) {
    let day = schedule.mode.day().map(i32::from);
    (schedule.mode.as_str().to_owned(), day, Day::from(schedule.anchor), schedule.anchor_time.to_string())
}
