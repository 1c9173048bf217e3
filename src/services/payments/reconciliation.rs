//! The daily comparison with what each gateway lists, for what no other protocol would find: a charge that was made by hand at the
//! gateway, a row that was lost with a database that was brought back, a refund that somebody else made. What differs is written down
//! for staff, told once, and marked when it has cleared. Nothing is changed by it.
//!
//! A day is one of UTC, and is compared when it has been over for an hour; again each day while something of it differs, for some weeks.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::compare::{Compared, named, not_there, refund_not_there, refund_unsettled, took, unsettled};
use super::inbox::DisputeHeard;
use super::{Ports, disputes};
use crate::adapters::payment::books::{Books, BooksAnswer};
use crate::adapters::payment::{BegunCharge, CALL_LIMIT, LookUpAnswer, PaymentGateway, RefundLookUpAnswer, RefundRequest, WayBack, within};
use crate::billing::lifecycle::RefundStatus;
use crate::error::{Error, Outcome};
use crate::services::notifications::tell_of_differences;
use crate::store::System;
use crate::store::gateway_differences as rows;
use crate::store::payments::Payment;
use crate::store::refunds::Refund;
use crate::store::types::{Day, Instant};

/// How long a day must be over before it is compared.
const SETTLES: SignedDuration = SignedDuration::from_hours(1);
/// How long a comparison may take before another process may begin it anew.
const LEASE: SignedDuration = SignedDuration::from_hours(1);
/// A day of which something differs is not compared again before that.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(23);
/// The most days that are caught up with after a standstill.
const MOST_MISSED: i64 = 7;
/// For how many days what differs is looked at again.
const LOOKED_AT: i64 = 35;
/// The hours of a day: a list is read hour by hour.
const HOURS: i64 = 24;
/// The most rows of ours that are read at once, and that one statement names.
const PAGE: usize = 200;
/// The most of our rows that are asked about one by one, since they are on no list of that day.
const MOST_ASKED: usize = 500;
/// The most differences of a day that are written down.
const MOST_FOUND: usize = 1_000;
/// The most differences that one mail tells of.
const MOST_TOLD: u64 = 1_000;

/// Compares what is due of every gateway, and tells of what was found. Answers how many days were compared. It may be run by any number
/// of processes at once.
///
/// # Errors
/// The database's fault, or a mail server's that may take the mail later; what was done until then stays done.
pub async fn compare_due(ports: &Ports) -> Outcome<usize> {
    let mut compared: usize = 0;
    for gateway in ports.gateways.all() {
        for day in due_days(ports, gateway.kind().as_str()).await? {
            if claim(ports, gateway.kind().as_str(), day).await? && compare(ports, gateway, day).await? {
                compared = compared.saturating_add(1);
            }
        }
    }
    tell(ports).await?;
    Ok(compared)
}

/// The days of a gateway that are due, the oldest first.
async fn due_days(ports: &Ports, gateway: &'static str) -> Outcome<Vec<Day>> {
    let now = ports.real_now();
    let today = date(now.saturating_sub(SETTLES).unwrap_or(Timestamp::MIN));
    let (Ok(yesterday), Ok(oldest)) = (today.checked_sub(1.day()), today.checked_sub(LOOKED_AT.days())) else { return Ok(Vec::new()) };
    let read = move |system: System| async move {
        let done = rows::comparisons(&system, gateway, oldest.into()).await?;
        Ok((done, rows::open_days(&system, gateway, oldest.into()).await?))
    };
    let (comparisons, open) = ports.store.read_system(read).await?;
    let last = comparisons.iter().filter(|comparison| comparison.compared_at.is_some()).map(|comparison| comparison.day.get()).max();
    // Where nothing was compared before, the list of yesterday is the first.
    let first = last.and_then(|last| last.checked_add(1.day()).ok()).unwrap_or(yesterday);
    let first = first.max(yesterday.checked_sub((MOST_MISSED - 1).days()).unwrap_or(yesterday));
    let missed = first.series(1.day()).take_while(|day| *day <= yesterday);
    let mut days: Vec<Date> = open.into_iter().map(Day::get).chain(missed).collect();
    days.sort_unstable();
    days.dedup();
    Ok(days.into_iter().map(Day::from).collect())
}

/// The day of UTC.
fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// Takes a day in hand; answers whether it is ours to compare.
async fn claim(ports: &Ports, gateway: &'static str, day: Day) -> Outcome<bool> {
    let now = ports.real_now();
    let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
    let not_since = now.saturating_sub(AGAIN_AFTER).unwrap_or(Timestamp::MIN);
    let claim =
        move |system: System| async move { Ok(rows::claim(&system, (gateway, day), (now.into(), until.into()), not_since.into()).await?) };
    ports.store.write_system(claim).await
}

/// Compares a day of a gateway and writes down what differs; answers whether that could be done.
async fn compare(ports: &Ports, gateway: &dyn PaymentGateway, day: Day) -> Outcome<bool> {
    let name = gateway.kind().as_str();
    let Ok(start) = day.get().to_zoned(TimeZone::UTC) else { return Ok(false) };
    let (from, until) = (start.timestamp(), start.timestamp().saturating_add(SignedDuration::from_hours(HOURS)).unwrap_or(Timestamp::MAX));
    let mut compared = Compared::default();
    let Some(is_offered) = read_list(ports, gateway, from, &mut compared).await? else {
        tracing::error!(gateway = name, ?day, "a gateway's list could not be read; the day is compared again later");
        return Ok(false);
    };
    let span = (Instant::from(from), Instant::from(until));
    own_payments(ports, gateway, span, is_offered, &mut compared).await?;
    own_refunds(ports, gateway, span, is_offered, &mut compared).await?;
    let mut found = compared.found;
    if found.len() > MOST_FOUND {
        tracing::error!(gateway = name, ?day, count = found.len(), "more differs than is written down; somebody must look");
        found.truncate(MOST_FOUND);
    }
    let (outside, now) = (ports.clone(), Instant::from(ports.real_now()));
    let write = move |system: System| {
        let (ports, found) = (outside.clone(), found.clone());
        async move { Ok(rows::write(&system, (name, day), &found, &mut || ports.ids.next(), now).await?) }
    };
    ports.store.write_system(write).await?;
    Ok(true)
}

/// Reads a gateway's list hour by hour from `from` on, and holds it against our rows. Answers whether there is such a list; `None` where it
/// could not be read.
async fn read_list(ports: &Ports, gateway: &dyn PaymentGateway, from: Timestamp, compared: &mut Compared) -> Outcome<Option<bool>> {
    for hour in 0..HOURS {
        let at = |hour: i64| from.saturating_add(SignedDuration::from_hours(hour)).unwrap_or(Timestamp::MAX);
        let books = match gateway.books(at(hour), at(hour.saturating_add(1))).await {
            BooksAnswer::Books(books) => books,
            BooksAnswer::NotOffered => return Ok(Some(false)),
            BooksAnswer::Unknown => return Ok(None),
        };
        for part in parts(&books) {
            hold_against_ours(ports, gateway, part, compared).await?;
        }
    }
    Ok(Some(true))
}

/// A list in parts that one statement can name.
fn parts(books: &Books) -> Vec<Books> {
    let charges = books.charges.chunks(PAGE).map(|part| Books { charges: part.to_vec(), ..Books::default() });
    let refunds = books.refunds.chunks(PAGE).map(|part| Books { refunds: part.to_vec(), ..Books::default() });
    let disputes = books.disputes.chunks(PAGE).map(|part| Books { disputes: part.to_vec(), ..Books::default() });
    charges.chain(refunds).chain(disputes).collect()
}

/// Holds a part of a list against our rows. A dispute of a charge of ours that nobody told us of is asked about.
async fn hold_against_ours(ports: &Ports, gateway: &dyn PaymentGateway, part: Books, compared: &mut Compared) -> Outcome<()> {
    let (kind, names) = (gateway.kind(), named(&part));
    let read = move |system: System| {
        let names = names.clone();
        async move { Ok(rows::ours(&system, kind.as_str(), &names).await?) }
    };
    let ours = ports.store.read_system(read).await?;
    compared.take(&part, &ours);
    let unheard = part.disputes.into_iter().filter(|dispute| !ours.disputes.contains(&dispute.reference));
    let unheard: Vec<DisputeHeard> =
        unheard.map(|dispute| DisputeHeard { reference: dispute.reference, charge: dispute.charge_reference }).collect();
    if unheard.is_empty() {
        return Ok(());
    }
    let outside = ports.clone();
    let ask = move |system: System| {
        let (ports, unheard) = (outside.clone(), unheard.clone());
        async move {
            for heard in &unheard {
                disputes::ask_about(&system, &ports, kind, heard, "list").await?;
            }
            Ok(())
        }
    };
    ports.store.write_system(ask).await?;
    ports.work.notify_one();
    Ok(())
}

/// Looks for our payments of a span of time that the gateway's list does not have, where it has one, and for those whose end is not known.
async fn own_payments(
    ports: &Ports,
    gateway: &dyn PaymentGateway,
    span: (Instant, Instant),
    is_offered: bool,
    compared: &mut Compared,
) -> Outcome<()> {
    let (name, mut after, mut asked) = (gateway.kind().as_str(), None, 0_usize);
    loop {
        let most = u64::try_from(PAGE).unwrap_or(u64::MAX);
        let read = move |system: System| async move { Ok(rows::payments_between(&system.reader(), name, span, after, most).await?) };
        let page = ports.store.read_system(read).await?;
        for payment in &page {
            if payment.status.is_live() {
                compared.found.push(unsettled(payment));
            } else if is_offered && took(payment.status) && payment.gateway_reference.is_some() && !compared.payments.contains(&payment.id)
            {
                asked = asked.saturating_add(1);
                let theirs = if asked > MOST_ASKED { Some("not on the list") } else { asked_for(gateway, payment).await? };
                compared.found.extend(theirs.map(|theirs| not_there(payment, theirs)));
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some((last.created_at, last.id)),
            _ => return Ok(()),
        }
    }
}

/// What a gateway says that is asked for a payment which took money by our rows; `None` where it says the same. It may have been begun a
/// moment before midnight, and made a moment after.
async fn asked_for(gateway: &dyn PaymentGateway, payment: &Payment) -> Result<Option<&'static str>, Error> {
    let charge = BegunCharge {
        key: payment.id.to_string(),
        amount: payment.amount()?,
        method_reference: payment.gateway_method.clone(),
        reference: payment.gateway_reference.clone(),
        age: std::time::Duration::ZERO,
        back: WayBack::default(),
    };
    Ok(match within(CALL_LIMIT, gateway.look_up(&charge), LookUpAnswer::Unknown).await {
        LookUpAnswer::Succeeded(_) => None,
        LookUpAnswer::Failed(_) | LookUpAnswer::Canceled => Some("not moved"),
        LookUpAnswer::RequiresAction(_) => Some("not moved yet"),
        LookUpAnswer::NotFound => Some("nothing"),
        LookUpAnswer::Unknown => Some("not on the list, and no answer"),
    })
}

/// As [`own_payments`], of refunds.
async fn own_refunds(
    ports: &Ports,
    gateway: &dyn PaymentGateway,
    span: (Instant, Instant),
    is_offered: bool,
    compared: &mut Compared,
) -> Outcome<()> {
    let (name, mut after, mut asked) = (gateway.kind().as_str(), None, 0_usize);
    loop {
        let most = u64::try_from(PAGE).unwrap_or(u64::MAX);
        let read = move |system: System| async move { Ok(rows::refunds_between(&system.reader(), name, span, after, most).await?) };
        let page = ports.store.read_system(read).await?;
        for refund in &page {
            // One that the gateway has in hand may take days.
            if !refund.status.is_final() && refund.status != RefundStatus::Accepted {
                compared.found.push(refund_unsettled(refund));
            } else if is_offered && is_paid_by_gateway(refund) && !compared.refunds.contains(&refund.id) {
                asked = asked.saturating_add(1);
                let theirs = if asked > MOST_ASKED { Some("not on the list") } else { asked_for_refund(ports, gateway, refund).await? };
                compared.found.extend(theirs.map(|theirs| refund_not_there(refund, theirs)));
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some((last.created_at, last.id)),
            _ => return Ok(()),
        }
    }
}

/// Whether a gateway has paid it, by our rows; what was paid by hand has no reference.
fn is_paid_by_gateway(refund: &Refund) -> bool {
    refund.status == RefundStatus::Succeeded && refund.gateway_reference.is_some()
}

/// As [`asked_for`], of a refund.
async fn asked_for_refund(ports: &Ports, gateway: &dyn PaymentGateway, refund: &Refund) -> Outcome<Option<&'static str>> {
    let held = refund.clone();
    let read = move |system: System| {
        let refund = held.clone();
        async move { Ok(rows::payment_of(&system.reader(), &refund).await?) }
    };
    let Some(payment) = ports.store.read_system(read).await? else { return Ok(Some("nothing")) };
    let request = RefundRequest {
        key: refund.id.to_string(),
        charge_key: payment.id.to_string(),
        charge_reference: payment.gateway_reference.clone().unwrap_or_default(),
        charge_receipt: payment.receipt.clone(),
        amount: refund.amount()?,
        again: true,
        back: WayBack::default(),
    };
    Ok(match within(CALL_LIMIT, gateway.look_up_refund(&request), RefundLookUpAnswer::Unknown).await {
        RefundLookUpAnswer::Succeeded(_) => None,
        RefundLookUpAnswer::Failed(_) => Some("not moved"),
        RefundLookUpAnswer::Accepted => Some("not moved yet"),
        RefundLookUpAnswer::NotFound => Some("nothing"),
        RefundLookUpAnswer::Unknown => Some("not on the list, and no answer"),
    })
}

/// Tells of what differs and nobody was told of: in the log, and support by mail.
async fn tell(ports: &Ports) -> Outcome<()> {
    let untold = ports.store.read_system(move |system: System| async move { Ok(rows::untold(&system, MOST_TOLD).await?) }).await?;
    if untold.is_empty() {
        return Ok(());
    }
    for one in &untold {
        tracing::error!(
            difference = %one.id, gateway = one.gateway, day = ?one.day, subject = one.subject.as_str(), kind = one.kind.as_str(),
            reference = one.reference, ours = one.ours, theirs = one.theirs, "a gateway's list differs from our rows; somebody must look"
        );
    }
    let lines: Vec<String> = untold.iter().map(line).collect();
    tell_of_differences(ports, &lines).await?;
    let (ids, now): (Vec<_>, _) = (untold.iter().map(|one| one.id).collect(), Instant::from(ports.real_now()));
    let told = move |system: System| {
        let ids = ids.clone();
        async move { Ok(rows::told(&system, &ids, now).await?) }
    };
    ports.store.write_system(told).await
}

/// A difference in a line.
fn line(one: &rows::Difference) -> String {
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
    let (gateway, day, subject, kind) = (&one.gateway, one.day.get(), one.subject.as_str(), one.kind.as_str());
    format!("{gateway}, {day}: {subject} {} {kind}: here {}, there {}", one.reference, said(&one.ours), said(&one.theirs))
}
