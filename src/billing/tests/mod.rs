//! The rules by example: each table has the arithmetic, worked out by hand, beside the case.

mod cancel;
mod change;
mod change_money;
mod collect;
mod credit;
mod cycle;
mod dispute;
mod dunning;
mod invoice;
mod ledger;
mod lifecycle;
mod period;
mod quote;
mod revenue;
mod usage;

use jiff::Timestamp;

use super::change::{ChangeFacts, ChangeOptions, ChangeRequest, ChangeTiming, PlanPrices, Price, Proration};
use super::credit::Creditable;
use super::lifecycle::SubscriptionStatus;
use super::period::{AnchorMode, Granularity, Interval, Schedule, Zone};
use super::proration::PeriodPrice;
use super::tax::{Tax, TaxBehavior};

/// An instant.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A zone.
fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

/// A tax that comes on top.
fn exclusive(rate: &str) -> Tax {
    Tax { rate: rate.parse().unwrap(), behavior: TaxBehavior::Exclusive }
}

/// A tax that prices contain.
fn inclusive(rate: &str) -> Tax {
    Tax { rate: rate.parse().unwrap(), behavior: TaxBehavior::Inclusive }
}

/// A price per period at 16 % on top.
fn price(amount_minor: i64) -> Price {
    Price { amount_minor, tax: exclusive("0.16") }
}

/// An invoice over `total_minor`, of which `tax_minor` is tax at 16 %, without credit notes.
fn creditable(total_minor: i64, tax_minor: i64) -> Creditable {
    Creditable { tax: exclusive("0.16"), total_minor, tax_minor, credited_total_minor: 0, credited_tax_minor: 0 }
}

/// Staff's view of a subscription at 30.00 a month since 1 June 2027, midnight in UTC: a period of 30 days.
fn june() -> ChangeFacts {
    let start = at("2027-06-01T00:00:00Z");
    let schedule = Schedule::starting(start, Zone::UTC, Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let period = schedule.first_period(start, 1).unwrap();
    ChangeFacts {
        status: SubscriptionStatus::Active,
        schedule,
        period,
        agreed_price_minor: 3000,
        charged: Some(PeriodPrice { price_minor: 3000, tax: exclusive("0.16"), discount: None }),
        discount_of_new_period: None,
        pending_lines: Vec::new(),
        charging_invoices: vec![creditable(3480, 480)],
        account_credit_minor: 0,
        options: None,
    }
}

/// A customer's view of [`june`], where the operator has set nothing.
fn june_for_customer() -> ChangeFacts {
    ChangeFacts { options: Some(ChangeOptions::default()), ..june() }
}

/// Another plan at `monthly_minor` a month and twelve times that a year, wanted monthly on 16 June at once.
fn to_monthly(monthly_minor: i64) -> ChangeRequest {
    ChangeRequest {
        at: at("2027-06-16T09:00:00Z"),
        is_same_plan: false,
        is_available: true,
        prices: PlanPrices { monthly: Some(price(monthly_minor)), yearly: Some(price(monthly_minor.checked_mul(12).unwrap())) },
        interval: Interval::Monthly,
        timing: ChangeTiming::Now,
        proration: Proration::ProrateNow,
    }
}
