//! What must always hold of the billing rules, and of what comes in from outside, tried on random inputs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use evolve_business::billing::change::{
    ChangeFacts, ChangeOutcome, ChangeRequest, ChangeTiming, PlanPrices, Price, Proration, Settlement, change,
};
use evolve_business::billing::credit::{Creditable, credit_notes, place};
use evolve_business::billing::discount::Discount;
use evolve_business::billing::exact::Fraction;
use evolve_business::billing::invoice::{Line, LineKind, Totals, totals};
use evolve_business::billing::lifecycle::{
    InvoiceEvent, InvoiceStatus, PaymentEvent, PaymentStatus, RefundEvent, RefundStatus, SubscriptionEvent, SubscriptionStatus,
};
use evolve_business::billing::period::{AnchorMode, DayOfMonth, Granularity, Interval, Period, Schedule, Zone};
use evolve_business::billing::proration::{PeriodPrice, credit_line, recurring_line};
use evolve_business::billing::tax::{Tax, TaxBehavior};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

#[path = "properties/access_keys.rs"]
mod access_keys;
#[path = "properties/changes.rs"]
mod changes;
#[path = "properties/hostile.rs"]
mod hostile;
#[path = "properties/scenario.rs"]
mod scenario;
#[path = "properties/usage.rs"]
mod usage;

/// Zones with every kind of oddity: none, gaps at midnight, folds at midnight, half hours, a date that was left out.
const ZONES: [&str; 10] = [
    "UTC",
    "Africa/Nairobi",
    "Africa/Cairo",
    "America/Havana",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Europe/Dublin",
];

fn zone() -> impl Strategy<Value = Zone> {
    select(&ZONES[..]).prop_map(|name| Zone::parse(name).unwrap())
}

/// Microseconds of 2000 to 2060.
fn instant() -> impl Strategy<Value = Timestamp> {
    (946_684_800_000_000_i64..2_840_140_800_000_000).prop_map(|micros| Timestamp::from_microsecond(micros).unwrap())
}

fn mode() -> impl Strategy<Value = AnchorMode> {
    prop_oneof![
        2 => Just(AnchorMode::Anniversary),
        1 => Just(AnchorMode::Calendar),
        1 => (1_i8..=31).prop_map(|day| AnchorMode::FixedDay(DayOfMonth::new(day).unwrap())),
    ]
}

fn interval() -> impl Strategy<Value = Interval> {
    select(Interval::ALL)
}

fn granularity() -> impl Strategy<Value = Granularity> {
    select(Granularity::ALL)
}

fn tax() -> impl Strategy<Value = Tax> {
    (select(vec![0_i64, 1, 75, 160, 190, 333]), select(TaxBehavior::ALL))
        .prop_map(|(thousandths, behavior)| Tax { rate: Decimal::new(thousandths, 3).into(), behavior })
}

fn discount() -> impl Strategy<Value = Option<Discount>> {
    prop_oneof![
        Just(None),
        (0_i64..=1000).prop_map(|tenths| Some(Discount::Percent(Decimal::new(tenths, 1).into()))),
        (0_i64..50_000).prop_map(|minor| Some(Discount::Fixed(minor))),
    ]
}

/// Whether `left` is no more than `right`, as exact fractions.
fn at_most(left: Fraction, right: Fraction) -> bool {
    i128::from(left.numerator()) * i128::from(right.denominator()) <= i128::from(right.numerator()) * i128::from(left.denominator())
}

/// The instant at so many percent of a period.
fn inside(period: &Period, percent: i64) -> Timestamp {
    let length = period.end.duration_since(period.start).as_micros();
    period.start + SignedDuration::from_micros(i64::try_from(length * i128::from(percent) / 100).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn periods_tile_time_without_gap_or_overlap(
        start in instant(), first_zone in zone(), mode in mode(), granularity in granularity(), trial in 0_u16..40,
        steps in prop::collection::vec((interval(), prop::option::weighted(0.2, zone()), 0_i64..100), 1..30),
    ) {
        let schedule = Schedule::starting(start, first_zone, steps[0].0, mode, granularity);
        let (mut period, mut schedule) = if trial > 0 {
            schedule.trial(start, trial).unwrap()
        } else {
            (schedule.first_period(start, 1).unwrap(), schedule)
        };
        prop_assert!(period.start <= start && start.duration_since(period.start) < SignedDuration::from_secs(1));
        for (interval, moved, percent) in steps {
            check_period(&period, granularity, percent)?;
            schedule.interval = interval;
            if let Some(moved) = moved {
                schedule.zone = moved;
            }
            let next = schedule.next_period(&period).unwrap();
            prop_assert_eq!((next.start, next.number), (period.end, period.number + 1));
            prop_assert!(next.opened_on == period.nominal_end || (period.is_trial() && next.opened_on == next.nominal_start));
            if mode == AnchorMode::Anniversary {
                prop_assert_eq!(next.nominal_end.day(), schedule.anchor.day().min(next.nominal_end.days_in_month()));
                prop_assert!(next.fraction_opened(granularity).unwrap().is_whole());
            }
            period = next;
        }
    }

    #[test]
    fn shares_add_up_to_the_whole(
        lines in prop::collection::vec((-1_000_000_i64..1_000_000, 0_i64..1000, tax()), 0..12), credit in 0_i64..100_000,
    ) {
        let lines: Vec<Line> = lines.into_iter().map(|(amount, off, tax)| one_line(amount, off, tax)).collect();
        let found = totals(lines.clone(), credit).unwrap();
        prop_assert_eq!(found.lines.iter().map(|line| line.tax_minor).sum::<i64>(), found.tax_minor);
        prop_assert_eq!(found.subtotal_minor, lines.iter().map(|line| line.amount_minor).sum::<i64>());
        let on_top: i64 = found.taxes.iter().filter(|sum| sum.tax.behavior == TaxBehavior::Exclusive).map(|sum| sum.amount_minor).sum();
        prop_assert_eq!(found.total_minor, found.subtotal_minor - found.discount_minor + on_top);
        prop_assert_eq!(found.amount_due_minor, found.total_minor - found.credit_applied_minor);
        prop_assert!((0..=credit).contains(&found.credit_applied_minor));
        prop_assert!(found.total_minor < 0 || found.amount_due_minor >= 0);
        for sum in &found.taxes {
            let group: Vec<_> = found.lines.iter().filter(|line| line.line.tax == sum.tax).collect();
            prop_assert_eq!(group.iter().map(|line| line.tax_minor).sum::<i64>(), sum.amount_minor);
            for line in group {
                // Within one unit of what the line alone would have.
                let alone = sum.tax.on(line.line.discounted_minor().unwrap()).unwrap();
                prop_assert!((alone - line.tax_minor).abs() <= 1, "{line:?}");
            }
        }
    }

    #[test]
    fn credit_notes_add_up_to_their_invoice_exactly(
        total in 1_i64..1_000_000, parts in prop::collection::vec(1_i64..400_000, 1..20), tax in tax(),
    ) {
        let tax_minor = tax.contained_in(total).unwrap();
        let mut invoice = Creditable { tax, total_minor: total, tax_minor, credited_total_minor: 0, credited_tax_minor: 0 };
        for part in parts {
            let found = credit_notes(part, &[invoice]).unwrap();
            let credited: i64 = found.notes.iter().map(|note| note.total_minor).sum();
            prop_assert_eq!(credited + found.uncovered_minor, part);
            for note in &found.notes {
                prop_assert_eq!(note.net_minor + note.tax_minor, note.total_minor);
                prop_assert!(note.net_minor >= 0 && note.tax_minor >= 0, "{note:?}");
                invoice.credited_total_minor += note.total_minor;
                invoice.credited_tax_minor += note.tax_minor;
            }
            prop_assert!(invoice.credited_total_minor <= total && invoice.credited_tax_minor <= tax_minor);
            prop_assert!(found.uncovered_minor == 0 || invoice.credited_total_minor == total);
        }
        if invoice.credited_total_minor == total {
            prop_assert_eq!(invoice.credited_tax_minor, tax_minor);
        }
    }

    #[test]
    fn what_is_placed_is_neither_lost_nor_made(
        notes in prop::collection::vec(1_i64..5_000, 0..6), open in prop::collection::vec(0_i64..5_000, 0..6), refund in 0_i64..9_000,
    ) {
        let large = i64::from(u32::MAX);
        let invoice = Creditable { tax: Tax::NONE, total_minor: large, tax_minor: 0, credited_total_minor: 0, credited_tax_minor: 0 };
        let notes: Vec<_> = notes.iter().flat_map(|total| credit_notes(*total, &[invoice]).unwrap().notes).collect();
        let places = place(&notes, &open, refund).unwrap();
        let mut taken = vec![0; open.len()];
        for (note, place) in notes.iter().zip(&places) {
            let off: i64 = place.took_off.iter().map(|(_, minor)| minor).sum();
            prop_assert_eq!(off + place.to_refund_minor + place.to_credit_minor, note.total_minor);
            for (index, minor) in &place.took_off {
                taken[*index] += minor;
            }
            // Nothing becomes credit while something is due.
            prop_assert!(place.to_credit_minor == 0 || taken == open);
        }
        prop_assert!(taken.iter().zip(&open).all(|(taken, due)| taken <= due));
    }

    #[test]
    fn no_credit_exceeds_the_charge_it_takes_back(
        start in instant(), zone in zone(), mode in mode(), interval in interval(), granularity in granularity(),
        price_minor in 0_i64..10_000_000, discount in discount(), percent in 0_i64..100,
    ) {
        let period = Schedule::starting(start, zone, interval, mode, granularity).first_period(start, 1).unwrap();
        let price = PeriodPrice { price_minor, tax: Tax::NONE, discount };
        let charged = recurring_line(&period, granularity, &price).unwrap().map_or(0, |line| line.discounted_minor().unwrap());
        let credited = credit_line(&period, inside(&period, percent), granularity, &price).unwrap().map_or(0, |line| line.amount_minor);
        prop_assert!(charged >= 0 && credited <= 0 && -credited <= charged, "{credited} of {charged}");
    }

    #[test]
    fn a_sequence_of_changes_undone_on_the_same_day_nets_to_zero(
        start in instant(), mode in mode(), tax in tax(), discount in discount(), days in 0_i64..27,
        prices in prop::collection::vec((1_i64..5_000_000, any::<bool>()), 1..8), first in 1_i64..5_000_000,
    ) {
        let walk = Undone::walk(start, mode, tax, discount, days, first, &prices);
        prop_assert_eq!(walk.net_minor, 0, "before tax");
        // Billed and waiting less credited is what the first period cost, within a unit of tax for each change.
        let off = walk.billed_minor + walk.waiting_minor - walk.credited_minor - walk.first_minor;
        prop_assert!(off.abs() <= i64::try_from(prices.len()).unwrap() + 2, "off by {off}");
        prop_assert!(walk.credited_minor <= walk.billed_minor);
    }

    #[test]
    fn random_walks_reach_legal_states_alone(
        events in prop::collection::vec((0_usize..99, 0_usize..99, 0_usize..99), 1..60), initial in 0_usize..3,
    ) {
        let mut subscription = [SubscriptionStatus::Incomplete, SubscriptionStatus::Trialing, SubscriptionStatus::Active][initial];
        let (mut invoice, mut payment) = (InvoiceStatus::Draft, PaymentStatus::Created);
        for (one, two, three) in events {
            let before = (subscription, invoice, payment);
            subscription = subscription.apply(SubscriptionEvent::ALL[one % SubscriptionEvent::ALL.len()]).unwrap_or(subscription);
            invoice = invoice.apply(InvoiceEvent::ALL[two % InvoiceEvent::ALL.len()]).unwrap_or(invoice);
            payment = payment.apply(PaymentEvent::ALL[three % PaymentEvent::ALL.len()]).unwrap_or(payment);
            prop_assert!(before.0 == subscription || LEGAL.contains(&(before.0.as_str(), subscription.as_str())));
            prop_assert!(before.1 == invoice || LEGAL_OF_INVOICES.contains(&(before.1.as_str(), invoice.as_str())));
            prop_assert!(before.2 == payment || LEGAL_OF_PAYMENTS.contains(&(before.2.as_str(), payment.as_str())));
            prop_assert!(before.0 == subscription || !before.0.is_final());
            prop_assert!(before.1 == invoice || !before.1.is_final());
            prop_assert!(invoice != InvoiceStatus::Draft || before.1 == invoice);
            // Once out of a state that may still charge, never in one again: nothing is charged twice by one attempt.
            prop_assert!(before.2.is_live() || !payment.is_live());
            prop_assert!(before.2 == payment || payment != PaymentStatus::Failed || before.2.is_live());
        }
    }

    #[test]
    fn a_random_walk_of_a_refund_reaches_legal_states_alone(events in prop::collection::vec(0_usize..99, 1..30)) {
        let mut refund = RefundStatus::Created;
        for event in events {
            let before = refund;
            refund = refund.apply(RefundEvent::ALL[event % RefundEvent::ALL.len()]).unwrap_or(refund);
            prop_assert!(before == refund || LEGAL_OF_REFUNDS.contains(&(before.as_str(), refund.as_str())));
            // What is over stays as it is: nothing is paid back twice by one refund, and none is both paid and credited.
            prop_assert!(before == refund || !before.is_final());
        }
    }
}

/// What may follow what, written out again.
const LEGAL: [(&str, &str); 13] = [
    ("INCOMPLETE", "ACTIVE"),
    ("INCOMPLETE", "EXPIRED"),
    ("TRIALING", "ACTIVE"),
    ("TRIALING", "PAST_DUE"),
    ("TRIALING", "CANCELED"),
    ("ACTIVE", "PAST_DUE"),
    ("ACTIVE", "CANCELED"),
    ("ACTIVE", "SUSPENDED"),
    ("PAST_DUE", "ACTIVE"),
    ("PAST_DUE", "SUSPENDED"),
    ("PAST_DUE", "CANCELED"),
    ("SUSPENDED", "ACTIVE"),
    ("SUSPENDED", "CANCELED"),
];

/// What may follow what of an invoice.
const LEGAL_OF_INVOICES: [(&str, &str); 6] = [
    ("DRAFT", "OPEN"),
    ("OPEN", "PAID"),
    ("OPEN", "VOID"),
    ("OPEN", "UNCOLLECTIBLE"),
    ("UNCOLLECTIBLE", "PAID"),
    ("UNCOLLECTIBLE", "VOID"),
];

/// What may follow what of a payment attempt.
const LEGAL_OF_PAYMENTS: [(&str, &str); 21] = [
    ("CREATED", "SENDING"),
    ("CREATED", "CANCELED"),
    ("SENDING", "SUCCEEDED"),
    ("SENDING", "FAILED"),
    ("SENDING", "REQUIRES_ACTION"),
    ("SENDING", "UNKNOWN"),
    ("REQUIRES_ACTION", "SUCCEEDED"),
    ("REQUIRES_ACTION", "FAILED"),
    ("REQUIRES_ACTION", "CANCELED"),
    ("REQUIRES_ACTION", "UNKNOWN"),
    ("UNKNOWN", "SUCCEEDED"),
    ("UNKNOWN", "FAILED"),
    ("SUCCEEDED", "PARTIALLY_REFUNDED"),
    ("SUCCEEDED", "REFUNDED"),
    ("SUCCEEDED", "DISPUTED"),
    ("PARTIALLY_REFUNDED", "REFUNDED"),
    ("PARTIALLY_REFUNDED", "DISPUTED"),
    // A bank may take back what was paid back already.
    ("REFUNDED", "DISPUTED"),
    ("DISPUTED", "SUCCEEDED"),
    ("DISPUTED", "PARTIALLY_REFUNDED"),
    ("DISPUTED", "REFUNDED"),
];

/// What may follow what of a refund.
const LEGAL_OF_REFUNDS: [(&str, &str); 10] = [
    ("CREATED", "SENDING"),
    ("SENDING", "ACCEPTED"),
    ("SENDING", "UNKNOWN"),
    ("SENDING", "SUCCEEDED"),
    ("SENDING", "FAILED"),
    ("ACCEPTED", "SUCCEEDED"),
    ("ACCEPTED", "FAILED"),
    ("UNKNOWN", "ACCEPTED"),
    ("UNKNOWN", "SUCCEEDED"),
    ("UNKNOWN", "FAILED"),
];

/// What every period must fulfil: it has length, and what is left of it never grows, is all of it at the start and
/// nothing at the end.
fn check_period(period: &Period, granularity: Granularity, percent: i64) -> Result<(), TestCaseError> {
    prop_assert!(period.whole_start <= period.start && period.start < period.end, "{period:?}");
    prop_assert!(period.nominal_start <= period.opened_on && period.opened_on < period.nominal_end, "{period:?}");
    let opened = period.fraction_opened(granularity).unwrap();
    prop_assert!(at_most(opened, Fraction::WHOLE) && opened.numerator() > 0, "{period:?}");
    let now = inside(period, percent);
    let left = period.fraction_left(now, granularity).unwrap();
    prop_assert_eq!(period.fraction_left(period.start, granularity).unwrap(), opened);
    prop_assert!(at_most(left, opened), "{period:?} {now}");
    prop_assert!(at_most(period.fraction_left(now + SignedDuration::from_hours(30), granularity).unwrap(), left));
    prop_assert_eq!(period.fraction_left(period.end, granularity).unwrap().numerator(), 0);
    Ok(())
}

/// A line over no time in particular.
fn one_line(amount_minor: i64, discount_minor: i64, tax: Tax) -> Line {
    Line {
        kind: LineKind::Recurring,
        start: Timestamp::UNIX_EPOCH,
        end: Timestamp::UNIX_EPOCH,
        fraction: Fraction::WHOLE,
        unit_price_minor: amount_minor,
        amount_minor,
        discount_minor,
        tax,
    }
}

/// A subscription that changes plan and goes back, and what it cost.
struct Undone {
    facts: ChangeFacts,
    /// All lines of the changes, before tax.
    net_minor: i64,
    /// What the first period cost, with tax.
    first_minor: i64,
    /// Totals of invoices.
    billed_minor: i64,
    /// Totals of credit notes.
    credited_minor: i64,
    /// Pending lines with their tax.
    waiting_minor: i64,
}

impl Undone {
    fn walk(
        start: Timestamp,
        mode: AnchorMode,
        tax: Tax,
        discount: Option<Discount>,
        days: i64,
        first: i64,
        prices: &[(i64, bool)],
    ) -> Self {
        let schedule = Schedule::starting(start, Zone::UTC, Interval::Monthly, mode, Granularity::Day);
        let period = schedule.first_period(start, 1).unwrap();
        let charged = PeriodPrice { price_minor: first, tax, discount };
        let at = (start + SignedDuration::from_hours(days * 24)).min(period.end - SignedDuration::from_secs(1));
        let facts = ChangeFacts {
            status: SubscriptionStatus::Active,
            schedule,
            agreed_price_minor: first,
            charged: Some(charged),
            discount_of_new_period: discount,
            pending_lines: Vec::new(),
            charging_invoices: Vec::new(),
            account_credit_minor: 0,
            options: None,
            period,
        };
        let mut walk = Self { facts, net_minor: 0, first_minor: 0, billed_minor: 0, credited_minor: 0, waiting_minor: 0 };
        let line = recurring_line(&walk.facts.period, Granularity::Day, &charged).unwrap();
        walk.invoice(&totals(line.into_iter().collect(), 0).unwrap(), tax);
        walk.first_minor = walk.billed_minor;
        for &(price_minor, waits) in prices.iter().chain(&[(first, false)]) {
            walk.change(at, Price { amount_minor: price_minor, tax }, waits);
        }
        walk.waiting_minor = totals(walk.facts.pending_lines.clone(), 0).unwrap().total_minor;
        walk
    }

    fn invoice(&mut self, totals: &Totals, tax: Tax) {
        self.billed_minor += totals.total_minor;
        let (total_minor, tax_minor) = (totals.total_minor, totals.tax_minor);
        let creditable = Creditable { tax, total_minor, tax_minor, credited_total_minor: 0, credited_tax_minor: 0 };
        self.facts.charging_invoices.insert(0, creditable);
    }

    fn change(&mut self, at: Timestamp, price: Price, waits: bool) {
        let request = ChangeRequest {
            at,
            is_same_plan: false,
            is_available: true,
            prices: PlanPrices { monthly: Some(price), yearly: None },
            interval: Interval::Monthly,
            timing: ChangeTiming::Now,
            proration: if waits { Proration::ProrateNextInvoice } else { Proration::ProrateNow },
        };
        let ChangeOutcome::AtOnce(done) = change(&self.facts, &request).unwrap() else { panic!("it waits") };
        self.net_minor += done.net_minor;
        self.facts.charged = done.charged;
        self.facts.agreed_price_minor = price.amount_minor;
        match done.settlement {
            Settlement::Nothing => {}
            Settlement::Pend => self.facts.pending_lines.extend(done.lines),
            Settlement::Invoice(totals) => {
                self.facts.pending_lines.clear();
                self.invoice(&totals, price.tax);
            }
            Settlement::Credit { notes, pending, .. } => {
                for note in notes.notes {
                    self.credited_minor += note.total_minor;
                    let invoice = &mut self.facts.charging_invoices[note.invoice];
                    invoice.credited_total_minor += note.total_minor;
                    invoice.credited_tax_minor += note.tax_minor;
                }
                self.facts.pending_lines.extend(pending);
            }
        }
    }
}
