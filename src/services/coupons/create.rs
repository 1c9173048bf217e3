//! Making a coupon.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::json;

use super::{CouponService, MAX_CODE_CHARS, is_code};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::{CouponId, PlanId};
use crate::money::{Currency, Money, Rate, parse_decimal};
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::customers::fields::Refusals;
use crate::services::staff::{Right, check_right};
use crate::store::coupons::{self, Coupon, code_key};
use crate::store::{Instant, System, catalog};

/// The most coupons that have not expired.
const MAX_UNEXPIRED: u64 = 1_000;
/// The most plans that one coupon names.
const MAX_PLANS: usize = 100;
/// The most digits after the point of a percentage.
const MAX_PERCENT_DIGITS: u32 = 4;

/// A coupon to make. Numbers are as they were typed.
#[derive(Debug, Clone)]
pub struct NewCoupon {
    /// Unique, whatever the case.
    pub code: String,
    /// What it takes off.
    pub value: CouponValue,
    /// For how many charged periods; `None` is for ever.
    pub periods: Option<i32>,
    /// How often it may be redeemed; `None` is without limit.
    pub max_redemptions: Option<i32>,
    /// When it can be used no longer; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// The plans that it is for, none for every plan; an id that names none is `None`.
    pub plans: Vec<Option<PlanId>>,
}

/// What a coupon takes off the price of a whole period.
#[derive(Debug, Clone)]
pub enum CouponValue {
    /// So many per cent.
    Percent(String),
    /// An amount.
    Amount {
        /// How much.
        amount: String,
        /// In which currency.
        currency: Currency,
    },
}

/// The columns of a value: the percentage, or the minor units with their currency.
type ValueColumns = (Option<Rate>, Option<i64>, Option<Currency>);

impl CouponService {
    /// Makes a coupon, which can be used at once.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not. Every refusal of the input at once: INVALID, NOT_FOUND for a plan there is not,
    /// TOO_LARGE for too many; then TAKEN for a code there is, LIMIT_EXCEEDED for one coupon too many; or the database's fault.
    pub async fn create(&self, caller: Caller, new: NewCoupon) -> Outcome<CouponId> {
        let (ports, id) = (self.ports.clone(), self.ports.ids.next());
        let made = self.ports.store.write_system(move |system| {
            let (ports, new) = (ports.clone(), new.clone());
            async move {
                let access = check_right(&system, caller, Right::ManageCoupons).await?;
                // So that two who make one at a time cannot pass the limit together.
                catalog::lock_catalogue(&system).await?;
                let now = Instant::from(ports.now());
                let (row, plans) = read(&system, &new, id, now).await?;
                if coupons::count_unexpired(&system.catalogue(), now, MAX_UNEXPIRED).await? >= MAX_UNEXPIRED {
                    let sentence = format!("There are at most {MAX_UNEXPIRED} coupons that have not expired.");
                    return Err(UserError::new(UserErrorCode::LimitExceeded, sentence).into());
                }
                match coupons::insert(&system, row.clone(), &plans).await {
                    Err(Error::UniqueViolation(_)) => {
                        return Err(UserError::at("code", UserErrorCode::Taken, "There is a coupon of this code.").into());
                    }
                    inserted => inserted?,
                }
                let (actor, subject, details) = (access.actor(), id.to_string(), shown(&row, &plans));
                audit::record_platform(&system, &ports, Act { action: "coupon.created", actor: &actor, subject: &subject, details })
                    .await?;
                Ok(id)
            }
        });
        made.await
    }
}

/// The row of a coupon to make, and the plans that it is for.
async fn read(system: &System, new: &NewCoupon, id: CouponId, now: Instant) -> Outcome<(Coupon, Vec<PlanId>)> {
    let mut refusals = Refusals::default();
    let code = refusals.note(read_code(&new.code));
    let value = refusals.note(read_value(&new.value));
    refusals.note(at_least_one("periods", new.periods));
    refusals.note(at_least_one("maxRedemptions", new.max_redemptions));
    refusals.note(read_expiry(new.expires_at, now));
    let plans = refusals.note_all(read_plans(system, &new.plans).await)?;
    let refused = refusals.into_vec();
    let (Some(code), Some((percent_off, amount_off_minor, currency)), Some(plans), true) = (code, value, plans, refused.is_empty()) else {
        return Err(Failure::Refused(refused));
    };
    let row = Coupon {
        id,
        code_key: code_key(&code),
        code,
        percent_off,
        amount_off_minor,
        currency,
        periods: new.periods,
        max_redemptions: new.max_redemptions,
        redemptions: 0,
        expires_at: new.expires_at.map(Instant::from),
        created_at: now,
    };
    Ok((row, plans))
}

/// A code.
fn read_code(code: &str) -> Result<String, UserError> {
    let sentence = || format!("A code is 1 to {MAX_CODE_CHARS} letters, digits, hyphens and underscores.");
    if is_code(code) { Ok(code.to_owned()) } else { Err(UserError::at("code", UserErrorCode::Invalid, sentence())) }
}

/// What is taken off: some, and of a percentage no more than all.
fn read_value(value: &CouponValue) -> Result<ValueColumns, UserError> {
    let refusal = |field: &'static str, message: String| {
        let field = vec![Cow::Borrowed("value"), Cow::Borrowed(field)];
        UserError { code: UserErrorCode::Invalid, message, field }
    };
    match value {
        CouponValue::Percent(text) => {
            let percent = parse_decimal(text).map(Rate::from).filter(|percent| {
                let number = percent.decimal();
                number > Decimal::ZERO && number <= Decimal::ONE_HUNDRED && number.scale() <= MAX_PERCENT_DIGITS
            });
            let sentence = || format!("A percentage is above 0 and at most 100, with at most {MAX_PERCENT_DIGITS} digits after the point.");
            Ok((Some(percent.ok_or_else(|| refusal("percentOff", sentence()))?), None, None))
        }
        CouponValue::Amount { amount, currency } => {
            let money = Money::parse(amount, *currency).ok().filter(|money| money.minor() > 0);
            let digits = currency.digits();
            let sentence = || format!("An amount is above zero, with at most {digits} digits after the point in {currency}.");
            Ok((None, Some(money.ok_or_else(|| refusal("amountOff", sentence()))?.minor()), Some(*currency)))
        }
    }
}

/// A number that is one at least, where there is one.
fn at_least_one(field: &'static str, number: Option<i32>) -> Result<(), UserError> {
    if number.is_none_or(|number| number >= 1) {
        return Ok(());
    }
    Err(UserError::at(field, UserErrorCode::Invalid, "This is 1 at least, or left out."))
}

/// An instant that is still to come, where there is one.
fn read_expiry(expires_at: Option<Timestamp>, now: Instant) -> Result<(), UserError> {
    if expires_at.is_none_or(|at| at > now.get()) {
        return Ok(());
    }
    Err(UserError::at("expiresAt", UserErrorCode::Invalid, "A coupon expires in the future."))
}

/// The plans that are named, each once.
async fn read_plans(system: &System, named: &[Option<PlanId>]) -> Outcome<Vec<PlanId>> {
    if named.len() > MAX_PLANS {
        return Err(UserError::at("planIds", UserErrorCode::TooLarge, format!("A coupon names at most {MAX_PLANS} plans.")).into());
    }
    let known: BTreeSet<PlanId> = match named {
        [] => BTreeSet::new(),
        _ => catalog::all_plans(&system.catalogue()).await?.iter().map(|plan| plan.id).collect(),
    };
    let found: Option<BTreeSet<PlanId>> = named.iter().map(|plan| plan.filter(|plan| known.contains(plan))).collect();
    let missing = || UserError::at("planIds", UserErrorCode::NotFound, "There is no such plan.");
    Ok(found.ok_or_else(missing)?.into_iter().collect())
}

/// A coupon, for the audit trail.
fn shown(row: &Coupon, plans: &[PlanId]) -> serde_json::Value {
    json!({
        "code": row.code, "percentOff": row.percent_off.map(|percent| percent.to_string()), "amountOffMinor": row.amount_off_minor,
        "currency": row.currency.map(Currency::code), "periods": row.periods, "maxRedemptions": row.max_redemptions,
        "expiresAt": row.expires_at.map(|at| at.get().to_string()), "plans": plans.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
