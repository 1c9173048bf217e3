//! The walk of a scenario through time: its events and boundaries in order, every invoice paid when it is due.

use jiff::Timestamp;

use super::super::RuleError;
use super::super::cancel::{CancelFacts, CancelOutcome, CancelRequest, Ended, cancel};
use super::super::change::{AtOnce, ChangeFacts, ChangeOutcome, ChangeRequest, PlanPrices, Price, Scheduled, Settlement, change};
use super::super::credit::{CreditNote, CreditNotes, Creditable, place};
use super::super::cycle::{BeginFacts, Begun, Boundary, BoundaryFacts, begin, boundary, invoice_of};
use super::super::discount::Coupon;
use super::super::exact::{difference, sum};
use super::super::invoice::{Line, Totals};
use super::super::lifecycle::{SubscriptionEvent, SubscriptionStatus};
use super::super::period::{Interval, Period, Schedule, Zone};
use super::super::proration::PeriodPrice;
use super::scenario::{Action, Change, Event, Scenario, Subscribe};
use super::usage::Meter;
use super::{MAX_PERIODS, QuoteError};

/// What a scenario came to.
pub(super) struct Quoted {
    /// As they turned out.
    pub(super) periods: Vec<(Timestamp, Timestamp)>,
    /// Invoices, and the lines of changes that were credited.
    pub(super) invoices: Vec<QuotedInvoice>,
    /// In order.
    pub(super) credit_notes: Vec<QuotedNote>,
    /// Account credit. Minor units.
    pub(super) credit_minor: i64,
}

/// An invoice, or the lines of a change that was credited.
pub(super) struct QuotedInvoice {
    /// When.
    pub(super) at: Timestamp,
    /// What it comes to; below zero for a credit.
    pub(super) totals: Totals,
    /// What became account credit instead. Minor units.
    pub(super) granted_minor: i64,
}

/// A credit note.
pub(super) struct QuotedNote {
    /// When.
    pub(super) at: Timestamp,
    /// The note.
    pub(super) note: CreditNote,
    /// What became account credit. Minor units.
    pub(super) to_credit_minor: i64,
    /// What is paid back. Minor units.
    pub(super) to_refund_minor: i64,
}

/// An invoice that charged the running period.
#[derive(Clone, Copy)]
struct Charging {
    /// As credit notes see it.
    creditable: Creditable,
    /// What was paid for it. Minor units.
    taken_minor: i64,
    /// What of that was paid back. Minor units.
    refunded_minor: i64,
}

/// The one subscription.
struct Subscription {
    /// Its state.
    status: SubscriptionStatus,
    /// Its anchor and settings.
    schedule: Schedule,
    /// The running period.
    period: Period,
    /// The plan's name.
    plan: Option<String>,
    /// The price agreed.
    price: Price,
    /// What was last charged for the running period.
    charged: Option<PeriodPrice>,
    /// Its coupon.
    coupon: Option<Coupon>,
    /// A change that waits, with its plan's name.
    pending_change: Option<(Scheduled, Option<String>)>,
    /// Whether it ends with the running period.
    ends_with_period: bool,
    /// Lines that wait for the next invoice.
    pending_lines: Vec<Line>,
    /// Newest first.
    charging: Vec<Charging>,
    /// What is used.
    meter: Meter,
}

/// The walk: what was billed so far, and the subscription.
struct Walk<'a> {
    /// What is walked through.
    scenario: &'a Scenario,
    /// What came of it so far.
    quoted: Quoted,
    /// The live subscription.
    live: Option<Subscription>,
    /// Whether the trial was given.
    had_trial: bool,
    /// The business's present zone.
    zone: Zone,
}

/// Evaluates a scenario.
///
/// # Errors
/// [`QuoteError`] naming the event that breaks a rule.
pub(super) fn walk(scenario: &Scenario) -> Result<Quoted, QuoteError> {
    let quoted = Quoted { periods: Vec::new(), invoices: Vec::new(), credit_notes: Vec::new(), credit_minor: 0 };
    let mut walk = Walk { scenario, quoted, live: None, had_trial: false, zone: scenario.zone.clone() };
    for event in &scenario.events {
        walk.bill_due(event.at)?;
        walk.apply(event)?;
    }
    walk.bill_due(scenario.until)?;
    if let Some(live) = walk.live.take() {
        walk.quoted.periods.push((live.period.start, live.period.end));
    }
    Ok(walk.quoted)
}

impl Walk<'_> {
    /// Bills every boundary up to and including `now`, in order.
    fn bill_due(&mut self, now: Timestamp) -> Result<(), QuoteError> {
        loop {
            self.bill_month(now)?;
            let Some(mut live) = self.live.take_if(|live| live.period.end <= now) else { return Ok(()) };
            let at = live.period.end;
            self.close_period(&live.period, at)?;
            self.close_usage(&mut live, at)?;
            let waiting = live.pending_change.take();
            let facts = BoundaryFacts {
                schedule: Schedule { zone: self.zone.clone(), ..live.schedule.clone() },
                period: live.period.clone(),
                price: live.price,
                coupon: live.coupon,
                pending_change: waiting.as_ref().map(|(scheduled, _)| *scheduled),
                is_ending: live.ends_with_period,
                is_suspended: false,
                pending_lines: std::mem::take(&mut live.pending_lines),
                account_credit_minor: self.quoted.credit_minor,
            };
            live.charging.clear();
            match boundary(&facts)? {
                Boundary::Ended { invoice } => self.book_if_any(at, &mut live, invoice)?,
                Boundary::Renewed(begun) => {
                    if live.status == SubscriptionStatus::Trialing {
                        live.status = live.status.apply(SubscriptionEvent::TrialEnded).map_err(|_| RuleError::Inconsistent)?;
                    }
                    if let Some((_, plan)) = waiting {
                        live.plan = plan;
                    }
                    self.begin(at, live, *begun)?;
                }
            }
        }
    }

    /// Bills what was used in a month that is over and ends before its period does, on an invoice of its own.
    fn bill_month(&mut self, now: Timestamp) -> Result<(), QuoteError> {
        let is_over = |live: &&mut Subscription| live.meter.due().is_some_and(|due| due <= now && due < live.period.end);
        let Some(live) = self.live.as_mut().filter(is_over) else { return Ok(()) };
        let Some(at) = live.meter.due() else { return Ok(()) };
        let Some(used) = live.meter.close(at, live.period.is_trial(), self.scenario.tax)? else { return Ok(()) };
        live.pending_lines.push(used);
        if let Some(totals) = invoice_of(&live.pending_lines, self.quoted.credit_minor)? {
            live.pending_lines.clear();
            self.quoted.credit_minor = difference(self.quoted.credit_minor, totals.credit_applied_minor)?;
            self.quoted.invoices.push(QuotedInvoice { at, totals, granted_minor: 0 });
        }
        Ok(())
    }

    /// What was used until `at`, where the usage period ends, waits for the invoice of that instant.
    fn close_usage(&self, live: &mut Subscription, at: Timestamp) -> Result<(), RuleError> {
        let used = live.meter.close(at, live.period.is_trial(), self.scenario.tax)?;
        live.pending_lines.extend(used);
        Ok(())
    }

    /// The subscription goes on in a period that begins.
    fn begin(&mut self, at: Timestamp, live: Subscription, begun: Begun) -> Result<(), RuleError> {
        let Begun { schedule, period, price, charged, coupon, invoice, pending_lines } = begun;
        let mut live = Subscription { schedule, period, price, charged, coupon, pending_lines, ..live };
        self.book_if_any(at, &mut live, invoice)?;
        self.live = Some(live);
        Ok(())
    }

    /// Books an invoice where there is one.
    fn book_if_any(&mut self, at: Timestamp, live: &mut Subscription, invoice: Option<Totals>) -> Result<(), RuleError> {
        invoice.map_or(Ok(()), |invoice| self.book(at, live, invoice))
    }

    /// Notes a period as it turned out; one without length was none.
    fn close_period(&mut self, period: &Period, end: Timestamp) -> Result<(), QuoteError> {
        if self.quoted.periods.len() >= MAX_PERIODS {
            return Err(QuoteError::TooLong);
        }
        if period.start < end {
            self.quoted.periods.push((period.start, end));
        }
        Ok(())
    }

    /// Books an invoice, paid in full when due.
    fn book(&mut self, at: Timestamp, live: &mut Subscription, totals: Totals) -> Result<(), RuleError> {
        self.quoted.credit_minor = difference(self.quoted.credit_minor, totals.credit_applied_minor)?;
        let creditable = Creditable {
            tax: self.scenario.tax,
            total_minor: totals.total_minor,
            tax_minor: totals.tax_minor,
            credited_total_minor: 0,
            credited_tax_minor: 0,
        };
        live.charging.insert(0, Charging { creditable, taken_minor: totals.amount_due_minor, refunded_minor: 0 });
        self.quoted.invoices.push(QuotedInvoice { at, totals, granted_minor: 0 });
        Ok(())
    }

    /// Books credit notes: up to `refund_minor` is paid back, the rest becomes account credit.
    fn credit(&mut self, at: Timestamp, live: &mut Subscription, notes: &CreditNotes, refund_minor: i64) -> Result<(), RuleError> {
        for (note, place) in notes.notes.iter().zip(place(&notes.notes, &[], refund_minor)?) {
            let charging = live.charging.get_mut(note.invoice).ok_or(RuleError::Inconsistent)?;
            charging.creditable.credited_total_minor = sum([charging.creditable.credited_total_minor, note.total_minor])?;
            charging.creditable.credited_tax_minor = sum([charging.creditable.credited_tax_minor, note.tax_minor])?;
            charging.refunded_minor = sum([charging.refunded_minor, place.to_refund_minor])?;
            self.quoted.credit_minor = sum([self.quoted.credit_minor, place.to_credit_minor])?;
            self.quoted.credit_notes.push(QuotedNote {
                at,
                note: *note,
                to_credit_minor: place.to_credit_minor,
                to_refund_minor: place.to_refund_minor,
            });
        }
        Ok(())
    }

    /// Applies an event, after the boundaries that are due.
    fn apply(&mut self, event: &Event) -> Result<(), QuoteError> {
        match (&event.action, self.live.take()) {
            (Action::Zone(zone), live) => {
                self.zone = zone.clone();
                self.live = live;
            }
            (Action::Subscribe(_), Some(_)) => return Err(event.refused("There is a live subscription already.")),
            (Action::Subscribe(wanted), None) => self.subscribe(event.at, wanted)?,
            (_, None) => return Err(event.refused("There is no live subscription.")),
            (Action::Change(wanted), Some(live)) => self.change(event, live, wanted)?,
            (Action::Cancel { timing, unused_time }, Some(live)) => {
                self.cancel(event, live, &CancelRequest { at: event.at, timing: *timing, unused_time: *unused_time })?;
            }
            (Action::Usage(usage), Some(mut live)) => {
                let schedule = Schedule { zone: self.zone.clone(), ..live.schedule.clone() };
                if !live.meter.count(usage, (&schedule, &live.period), event.at)? {
                    return Err(event.refused("It needs `included` and `tiers`: nothing before it has them."));
                }
                self.live = Some(live);
            }
            (Action::Reactivate, Some(live)) if !live.ends_with_period => {
                return Err(event.refused("No cancellation is scheduled."));
            }
            (Action::Reactivate, Some(live)) => self.live = Some(Subscription { ends_with_period: false, ..live }),
        }
        Ok(())
    }

    /// A sign-up.
    fn subscribe(&mut self, at: Timestamp, wanted: &Subscribe) -> Result<(), RuleError> {
        let has_trial = wanted.trial_days > 0 && !self.had_trial;
        let (mode, granularity) = (self.scenario.mode, self.scenario.granularity);
        let begun = begin(&BeginFacts {
            at,
            schedule: Schedule::starting(at, self.zone.clone(), wanted.interval, mode, granularity),
            trial_days: if has_trial { wanted.trial_days } else { 0 },
            price: Price { amount_minor: wanted.price_minor, tax: self.scenario.tax },
            coupon: wanted.coupon,
            account_credit_minor: self.quoted.credit_minor,
        })?;
        self.had_trial |= has_trial;
        let live = Subscription {
            status: if has_trial { SubscriptionStatus::Trialing } else { SubscriptionStatus::Active },
            schedule: begun.schedule.clone(),
            period: begun.period.clone(),
            plan: wanted.plan.clone(),
            price: begun.price,
            charged: None,
            coupon: None,
            pending_change: None,
            ends_with_period: false,
            pending_lines: Vec::new(),
            charging: Vec::new(),
            meter: Meter::default(),
        };
        self.begin(at, live, begun)
    }

    /// A change of plan.
    fn change(&mut self, event: &Event, mut live: Subscription, wanted: &Change) -> Result<(), QuoteError> {
        live.schedule.zone = self.zone.clone();
        let price = Price { amount_minor: wanted.price_minor, tax: self.scenario.tax };
        let is_same_price = wanted.price_minor == live.price.amount_minor && wanted.interval == live.schedule.interval;
        let request = ChangeRequest {
            at: event.at,
            is_same_plan: if wanted.plan.is_some() { wanted.plan == live.plan } else { is_same_price },
            is_available: true,
            prices: match wanted.interval {
                Interval::Monthly => PlanPrices { monthly: Some(price), yearly: None },
                Interval::Yearly => PlanPrices { monthly: None, yearly: Some(price) },
            },
            interval: wanted.interval,
            timing: wanted.timing,
            proration: wanted.proration,
        };
        let mut facts = ChangeFacts {
            status: live.status,
            schedule: live.schedule.clone(),
            period: live.period.clone(),
            agreed_price_minor: live.price.amount_minor,
            charged: live.charged,
            discount_of_new_period: live.coupon.and_then(|coupon| coupon.for_new_period().0),
            pending_lines: live.pending_lines.clone(),
            charging_invoices: live.charging.iter().map(|charging| charging.creditable).collect(),
            account_credit_minor: self.quoted.credit_minor,
            options: None,
        };
        live.ends_with_period = false;
        live.pending_change = None;
        let weigh = |facts: &ChangeFacts| change(facts, &request).map_err(|error| event.refused(error.to_string()));
        let mut outcome = weigh(&facts)?;
        if matches!(&outcome, ChangeOutcome::AtOnce(done) if done.reset.is_some()) && live.meter.due().is_some() {
            // The usage period ends with the cycle, and is billed with the change.
            self.close_usage(&mut live, event.at)?;
            facts.pending_lines.clone_from(&live.pending_lines);
            outcome = weigh(&facts)?;
        }
        match outcome {
            ChangeOutcome::Scheduled(scheduled) => live.pending_change = Some((scheduled, wanted.plan.clone())),
            ChangeOutcome::AtOnce(done) => {
                live.plan.clone_from(&wanted.plan);
                self.change_at_once(event.at, &mut live, *done)?;
            }
        }
        self.live = Some(live);
        Ok(())
    }

    /// Books a change that takes effect at its instant.
    fn change_at_once(&mut self, at: Timestamp, live: &mut Subscription, done: AtOnce) -> Result<(), QuoteError> {
        live.price = done.price;
        live.schedule.interval = done.interval;
        live.charged = done.charged;
        if let Some(reset) = done.reset {
            self.close_period(&live.period, reset.period.start)?;
            live.schedule = reset.schedule;
            live.period = reset.period;
            live.coupon = live.coupon.map(|coupon| coupon.for_new_period().1);
        }
        match done.settlement {
            Settlement::Nothing => {}
            Settlement::Pend => live.pending_lines.extend(done.lines),
            Settlement::Invoice(totals) => {
                live.pending_lines.clear();
                self.book(at, live, *totals)?;
            }
            Settlement::Credit { total_minor, totals, notes, pending } => {
                let granted_minor = difference(total_minor, notes.uncovered_minor)?;
                self.quoted.invoices.push(QuotedInvoice { at, totals: *totals, granted_minor });
                self.credit(at, live, &notes, 0)?;
                live.pending_lines.extend(pending);
            }
        }
        Ok(())
    }

    /// A cancellation.
    fn cancel(&mut self, event: &Event, mut live: Subscription, request: &CancelRequest) -> Result<(), QuoteError> {
        let facts = CancelFacts {
            status: live.status,
            period: live.period.clone(),
            granularity: live.schedule.granularity,
            charged: live.charged,
            charging_invoices: live.charging.iter().map(|charging| charging.creditable).collect(),
            taken_minor: sum(live.charging.iter().map(|charging| charging.taken_minor))?,
            refunded_minor: sum(live.charging.iter().map(|charging| charging.refunded_minor))?,
            options: None,
        };
        match cancel(&facts, request).map_err(|error| event.refused(error.to_string()))? {
            CancelOutcome::AtPeriodEnd { .. } => {
                self.live = Some(Subscription { ends_with_period: true, pending_change: None, ..live });
            }
            CancelOutcome::AtOnce(ended) => self.end(event.at, &mut live, &ended)?,
        }
        Ok(())
    }

    /// Books an end at once: credit notes, and the final invoice.
    fn end(&mut self, at: Timestamp, live: &mut Subscription, ended: &Ended) -> Result<(), QuoteError> {
        self.close_period(&live.period, at)?;
        self.close_usage(live, at)?;
        self.credit(at, live, &ended.notes, ended.refund_minor)?;
        live.pending_lines.extend(ended.pending);
        let invoice = invoice_of(&live.pending_lines, self.quoted.credit_minor)?;
        self.book_if_any(at, live, invoice)?;
        Ok(())
    }
}
