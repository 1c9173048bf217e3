//! What random sequences of changes come to: the price of each stretch of time, weighted by its length.

use evolve_business::billing::change::{
    ChangeFacts, ChangeOutcome, ChangeRequest, ChangeTiming, PlanPrices, Price, Proration, Settlement, change,
};
use evolve_business::billing::credit::Creditable;
use evolve_business::billing::invoice::{Line, Totals, totals};
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::billing::period::{Granularity, Interval, Period, Schedule};
use evolve_business::billing::proration::{PeriodPrice, recurring_line};
use evolve_business::billing::tax::Tax;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use proptest::prelude::*;

use super::{discount, granularity, inside, instant, interval, mode, tax, zone};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn changes_within_a_period_come_to_its_time_weighted_price(
        start in instant(), zone in zone(), mode in mode(), interval in interval(), granularity in granularity(),
        tax in tax(), discount in discount(), first in 1_i64..50_000_000,
        changes in prop::collection::vec((0_i64..100, 1_i64..50_000_000), 0..12),
    ) {
        let mut changes = changes;
        changes.sort_by_key(|&(percent, _)| percent);
        let schedule = Schedule::starting(start, zone, interval, mode, granularity);
        let mut walk = Walk::begin(&schedule, start, PeriodPrice { price_minor: first, tax, discount });
        let period = walk.facts.period.clone();
        let denominator = units(&period, granularity, None);
        let mut stretches = vec![(walk.charged()?, units(&period, granularity, Some(period.start)))];
        for (percent, price_minor) in changes {
            let at = inside(&period, percent);
            walk.change(at, price_minor);
            stretches.push((walk.charged()?, units(&period, granularity, Some(at))));
        }
        // What each stretch is worth, in minor units times the units of the whole period: exact.
        let ends = stretches.iter().skip(1).map(|&(_, left)| left).chain([0]);
        let worth: i128 = stretches.iter().zip(ends).map(|(&(price, left), end)| i128::from(price) * i128::from(left - end)).sum();
        let billed: i64 = walk.lines.iter().map(|line| line.discounted_minor().unwrap()).sum();
        let off = (i128::from(billed) * i128::from(denominator) - worth).abs();
        // Half a minor unit for each line that was rounded: one for the period, two for each change.
        let most = i128::from(denominator) * i128::try_from(stretches.len() * 2 - 1).unwrap();
        prop_assert!(off * 2 <= most, "{billed} is off by {off}/{denominator}: {:?}", walk.lines);
        // With tax: what was invoiced less what was credited is that, but for a minor unit of tax a document.
        let taxed = totals(walk.lines.clone(), 0).unwrap().total_minor;
        let kept = walk.invoiced_minor - walk.credited_minor;
        prop_assert!((kept - taxed).abs() <= walk.documents, "{kept} is kept, and {taxed} was to be");
        prop_assert!(walk.credited_minor <= walk.invoiced_minor);
    }
}

/// Units of a period: dates or seconds from `at` to its end, or those of the whole anchored period. Counted again
/// with the calendar alone.
fn units(period: &Period, granularity: Granularity, at: Option<Timestamp>) -> i64 {
    match (granularity, at) {
        (Granularity::Second, at) => period.end.as_second() - at.unwrap_or(period.whole_start).as_second(),
        (Granularity::Day, None) => i64::from(period.nominal_start.until((Unit::Day, period.nominal_end)).unwrap().get_days()),
        (Granularity::Day, Some(at)) => {
            let date = at.to_zoned(TimeZone::get(period.zone.name()).unwrap()).date();
            i64::from(date.until((Unit::Day, period.nominal_end)).unwrap().get_days())
        }
    }
}

/// A subscription in its first period, and all that it was billed.
struct Walk {
    facts: ChangeFacts,
    /// Every line.
    lines: Vec<Line>,
    /// Totals of invoices.
    invoiced_minor: i64,
    /// Totals of credit notes.
    credited_minor: i64,
    /// Invoices and credit notes, each with a rounded tax.
    documents: i64,
}

impl Walk {
    fn begin(schedule: &Schedule, at: Timestamp, charged: PeriodPrice) -> Self {
        let period = schedule.first_period(at, 1).unwrap();
        let line = recurring_line(&period, schedule.granularity, &charged).unwrap();
        let facts = ChangeFacts {
            status: SubscriptionStatus::Active,
            schedule: schedule.clone(),
            agreed_price_minor: charged.price_minor,
            charged: Some(charged),
            discount_of_new_period: charged.discount,
            pending_lines: Vec::new(),
            charging_invoices: Vec::new(),
            account_credit_minor: 0,
            options: None,
            period,
        };
        let mut walk = Self { facts, lines: Vec::new(), invoiced_minor: 0, credited_minor: 0, documents: 0 };
        let lines: Vec<Line> = line.into_iter().collect();
        walk.invoice(&totals(lines.clone(), 0).unwrap(), charged.tax);
        walk.lines = lines;
        walk
    }

    /// What a whole period is charged at now, less its discount.
    fn charged(&self) -> Result<i64, TestCaseError> {
        self.facts.charged.unwrap().net_minor().map_err(|error| TestCaseError::fail(error.to_string()))
    }

    fn invoice(&mut self, totals: &Totals, tax: Tax) {
        self.invoiced_minor += totals.total_minor;
        self.documents += 1;
        let (total_minor, tax_minor) = (totals.total_minor, totals.tax_minor);
        let creditable = Creditable { tax, total_minor, tax_minor, credited_total_minor: 0, credited_tax_minor: 0 };
        self.facts.charging_invoices.insert(0, creditable);
    }

    /// To another plan at once, under PRORATE_NOW.
    fn change(&mut self, at: Timestamp, price_minor: i64) {
        let charged = self.facts.charged.unwrap();
        let price = Price { amount_minor: price_minor, tax: charged.tax };
        let prices = match self.facts.schedule.interval {
            Interval::Monthly => PlanPrices { monthly: Some(price), yearly: None },
            Interval::Yearly => PlanPrices { monthly: None, yearly: Some(price) },
        };
        let interval = self.facts.schedule.interval;
        let request = ChangeRequest {
            at,
            is_same_plan: false,
            is_available: true,
            prices,
            interval,
            timing: ChangeTiming::Now,
            proration: Proration::ProrateNow,
        };
        let ChangeOutcome::AtOnce(done) = change(&self.facts, &request).unwrap() else { panic!("it waits") };
        self.facts.charged = done.charged;
        self.facts.agreed_price_minor = price_minor;
        self.lines.extend(done.lines);
        match done.settlement {
            Settlement::Nothing => {}
            Settlement::Pend => panic!("nothing waits under PRORATE_NOW"),
            Settlement::Invoice(totals) => self.invoice(&totals, price.tax),
            Settlement::Credit { notes, pending, .. } => {
                assert_eq!(pending, None, "all that is credited was invoiced");
                for note in notes.notes {
                    self.credited_minor += note.total_minor;
                    self.documents += 1;
                    let invoice = &mut self.facts.charging_invoices[note.invoice];
                    invoice.credited_total_minor += note.total_minor;
                    invoice.credited_tax_minor += note.tax_minor;
                }
            }
        }
    }
}
