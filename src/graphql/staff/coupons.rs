//! Coupons as staff see and make them.

use async_graphql::{Context, ID, InputObject, Object, OneofObject, Result, SimpleObject};

use super::plans::MoneyInput;
use crate::error::Error;
use crate::graphql::business::catalog::Plan;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{DateTime, Decimal, Money, show_id, stored_money};
use crate::ids::{CouponId, PlanId};
use crate::services::coupons::{CouponService, CouponValue as NewValue, NewCoupon};
use crate::services::staff::Right;
use crate::store::coupons;

/// A coupon.
#[derive(Debug, Clone)]
pub struct Coupon {
    row: coupons::Coupon,
}

impl Coupon {
    /// The coupon of an id, if there is one.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: CouponId) -> Result<Option<Self>, Error> {
        Ok(request.view().loaders.coupons.load(id).await?.map(|row| Self { row }))
    }
}

/// What takes something off the charged periods of whoever subscribes with it. It never changes.
#[Object]
impl Coupon {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What a customer types, in whatever case.
    async fn code(&self) -> &str {
        &self.row.code
    }
    /// So many per cent; null where it is an amount.
    async fn percent_off(&self) -> Option<Decimal> {
        self.row.percent_off.map(Decimal::from)
    }
    /// An amount off the price of a whole period; null where it is a percentage.
    async fn amount_off(&self) -> Option<Result<Money>> {
        let (minor, currency) = self.row.amount_off_minor.zip(self.row.currency)?;
        Some(stored_money(minor, currency).map_err(Into::into))
    }
    /// Charged periods; null: for ever.
    async fn periods(&self) -> Option<i32> {
        self.row.periods
    }
    /// How often it may be redeemed; null: without limit.
    async fn max_redemptions(&self) -> Option<i32> {
        self.row.max_redemptions
    }
    /// How many subscriptions have redeemed it; one that expired before it was paid does not count.
    async fn redemptions(&self) -> i32 {
        self.row.redemptions
    }
    /// When it can be used no longer; null: never.
    async fn expires_at(&self) -> Option<DateTime> {
        self.row.expires_at.map(DateTime)
    }
    /// The plans that it is for, cheapest first; empty: every plan.
    async fn plans(&self, context: &Context<'_>) -> Result<Vec<Plan>> {
        let loaders = &request(context).view().loaders;
        let plans = loaders.coupon_plans.load(self.row.id).await?.unwrap_or_default();
        if plans.is_empty() {
            return Ok(Vec::new());
        }
        let offer = loaders.offer.load(()).await?.unwrap_or_default();
        Ok(offer.iter().filter(|view| plans.contains(&view.id)).cloned().map(Plan::new).collect())
    }
}

/// What a coupon takes off the price of a whole period: exactly one.
#[derive(Debug, OneofObject)]
pub enum CouponValue {
    /// So many per cent: above 0 and at most 100, with at most four digits after the point.
    PercentOff(Decimal),
    /// An amount, for businesses of its currency.
    AmountOff(MoneyInput),
}

impl From<CouponValue> for NewValue {
    fn from(value: CouponValue) -> Self {
        match value {
            CouponValue::PercentOff(percent) => Self::Percent(percent.0),
            CouponValue::AmountOff(money) => Self::Amount { amount: money.amount.0, currency: money.currency.0 },
        }
    }
}

/// A coupon to make.
#[derive(Debug, InputObject)]
pub struct CreateCouponInput {
    /// 1 to 40 letters, digits, hyphens and underscores; unique, whatever the case.
    code: String,
    /// What it takes off.
    value: CouponValue,
    /// Charged periods. 1: once; left out: for ever.
    periods: Option<i32>,
    /// How often it may be redeemed; left out: without limit.
    max_redemptions: Option<i32>,
    /// When it can be used no longer; left out: never.
    expires_at: Option<DateTime>,
    /// The plans that it is for; left out: every plan.
    plan_ids: Option<Vec<ID>>,
}

impl From<CreateCouponInput> for NewCoupon {
    fn from(input: CreateCouponInput) -> Self {
        Self {
            code: input.code,
            value: input.value.into(),
            periods: input.periods,
            max_redemptions: input.max_redemptions,
            expires_at: input.expires_at.map(|at| at.0.get()),
            plans: input.plan_ids.unwrap_or_default().iter().map(|id| PlanId::parse(id)).collect(),
        }
    }
}

/// What `createCoupon` answers.
#[derive(Debug, SimpleObject)]
pub struct CreateCouponPayload {
    /// The coupon, which can be used at once.
    coupon: Option<Coupon>,
    /// What is to be put right; when there is any, nothing was made.
    user_errors: Vec<UserError>,
}

/// Queries about coupons.
#[derive(Debug, Default)]
pub struct CouponQuery;

#[Object]
impl CouponQuery {
    /// The coupons, the newest first.
    async fn coupons(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whether those that have run out are shown too.", default)] include_expired: bool,
    ) -> Option<Result<Vec<Coupon>>> {
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let found = coupons::coupons(&request.catalogue().await?, request.ports.now().into(), include_expired).await?;
            Ok(Some(found.into_iter().map(|row| Coupon { row }).collect()))
        })
        .await
    }
}

/// Makes coupons.
#[derive(Debug, Default)]
pub struct CouponMutation;

#[Object]
impl CouponMutation {
    /// Makes a coupon, which can be used at once. FINANCE and ADMIN.
    async fn create_coupon(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CreateCouponInput,
    ) -> Option<Result<CreateCouponPayload>> {
        nullable(async {
            let request = request(context);
            let service = CouponService::new(request.ports.clone());
            let (id, user_errors) = split(service.create(request.caller, input.into()).await)?;
            request.refresh();
            let coupon = match id {
                Some(id) => Coupon::by_id(request, id).await?,
                None => None,
            };
            Ok(Some(CreateCouponPayload { coupon, user_errors }))
        })
        .await
    }
}
