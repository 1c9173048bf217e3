//! Credit notes: what is credited goes on the invoices that charged it, newest first, and from there to what is due
//! on open invoices, to account credit, or to a refund. Never a negative invoice.

use super::RuleError;
use super::exact::{Fraction, difference, negated, share_out, sum};
use super::invoice::{Line, LineKind};
use super::tax::{Tax, TaxBehavior};

/// An issued invoice that charged the period, as far as credit notes care. All in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Creditable {
    /// What the lines that charged the period were taxed at.
    pub tax: Tax,
    /// The invoice's total with tax.
    pub total_minor: i64,
    /// The tax in it.
    pub tax_minor: i64,
    /// Totals of the credit notes that are on it already.
    pub credited_total_minor: i64,
    /// The tax in those.
    pub credited_tax_minor: i64,
}

impl Creditable {
    /// Its total less its credit notes: the most that can still be credited. Minor units.
    ///
    /// # Errors
    /// [`RuleError::Inconsistent`] where more is credited than its total.
    pub fn left_minor(&self) -> Result<i64, RuleError> {
        let left = difference(self.total_minor, self.credited_total_minor)?;
        if left < 0 { Err(RuleError::Inconsistent) } else { Ok(left) }
    }
}

/// One credit note. All in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditNote {
    /// Which of the given invoices it is on.
    pub invoice: usize,
    /// `total − tax`.
    pub net_minor: i64,
    /// By the invoice's rate, rounded; the residue on the note that uses the invoice up.
    pub tax_minor: i64,
    /// What is credited, with tax.
    pub total_minor: i64,
}

/// Credit notes and what they could not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditNotes {
    /// In the order of the given invoices.
    pub notes: Vec<CreditNote>,
    /// What no invoice had room for, with tax: it was charged by lines that are still pending. Minor units.
    pub uncovered_minor: i64,
}

/// Credits `total_minor` (with tax, not negative) on `invoices`, newest first, each up to its total less its notes.
/// Net and tax follow each invoice's rate; the note that uses an invoice up takes the residue, so that the notes on
/// it add up to it exactly.
///
/// # Errors
/// [`RuleError::Inconsistent`] for a negative amount or an invoice with more credited than its total.
pub fn credit_notes(total_minor: i64, invoices: &[Creditable]) -> Result<CreditNotes, RuleError> {
    if total_minor < 0 {
        return Err(RuleError::Inconsistent);
    }
    let mut uncovered_minor = total_minor;
    let mut notes = Vec::new();
    for (invoice, creditable) in invoices.iter().enumerate() {
        let left = creditable.left_minor()?;
        let total_minor = uncovered_minor.min(left);
        if total_minor == 0 {
            continue;
        }
        let tax_left = difference(creditable.tax_minor, creditable.credited_tax_minor)?;
        let tax_minor = if total_minor == left { tax_left } else { creditable.tax.contained_in(total_minor)?.min(tax_left) };
        notes.push(CreditNote { invoice, net_minor: difference(total_minor, tax_minor)?, tax_minor, total_minor });
        uncovered_minor = difference(uncovered_minor, total_minor)?;
    }
    Ok(CreditNotes { notes, uncovered_minor })
}

/// What an issued invoice has left for a credit note on lines of it. All in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Its total less its credit notes.
    pub total_minor: i64,
    /// Its tax less that in them.
    pub tax_minor: i64,
    /// What of that tax comes on top of its prices.
    pub exclusive_tax_minor: i64,
}

/// One credit note on lines of an invoice: what each takes back as it was priced, without exclusive tax, and what the line
/// was taxed at. Net and tax follow the rates of the lines, each rate's sum rounded once; the note that takes back all that
/// is left takes the residue, so that the notes on an invoice add up to it exactly. `None` where it is more than is left.
///
/// # Errors
/// [`RuleError::TooLarge`]; [`RuleError::Inconsistent`] for an amount that is not above zero, or for none.
pub fn note_on_lines(amounts: &[(Tax, i64)], left: &Left) -> Result<Option<CreditNote>, RuleError> {
    if amounts.is_empty() || amounts.iter().any(|&(_, minor)| minor <= 0) {
        return Err(RuleError::Inconsistent);
    }
    let priced_minor = sum(amounts.iter().map(|&(_, minor)| minor))?;
    let priced_left = difference(left.total_minor, left.exclusive_tax_minor)?;
    if priced_minor > priced_left {
        return Ok(None);
    }
    let (total_minor, tax_minor) = if priced_minor == priced_left {
        (left.total_minor, left.tax_minor)
    } else {
        let exclusive = taxes_on(amounts, TaxBehavior::Exclusive)?.min(left.exclusive_tax_minor);
        let total = sum([priced_minor, exclusive])?;
        let tax = sum([exclusive, taxes_on(amounts, TaxBehavior::Inclusive)?])?;
        // No more tax than is left, and no more left of it than is left of the total.
        let least = difference(left.tax_minor, difference(left.total_minor, total)?)?;
        (total, tax.max(least).min(left.tax_minor))
    };
    Ok(Some(CreditNote { invoice: 0, net_minor: difference(total_minor, tax_minor)?, tax_minor, total_minor }))
}

/// One credit note over `total_minor`, with tax, of an invoice that comes to `invoice_minor`, and what it takes back as priced, without
/// exclusive tax. `taxed` is what the invoice comes to with tax at each rate and behaviour; the rest of it is not taxed. The note is
/// shared out over them as the invoice is, and each share has the tax that its rate contains, rounded; the note that takes back all
/// that is left takes the residue. `None` where it is more than is left. All in minor units.
///
/// # Errors
/// [`RuleError::TooLarge`]; [`RuleError::Inconsistent`] for an amount or an invoice that is not above zero.
pub fn note_over(total_minor: i64, invoice_minor: i64, taxed: &[(Tax, i64)], left: &Left) -> Result<Option<(CreditNote, i64)>, RuleError> {
    if total_minor <= 0 || invoice_minor <= 0 {
        return Err(RuleError::Inconsistent);
    }
    if total_minor > left.total_minor {
        return Ok(None);
    }
    let (tax_minor, exclusive_minor) = if total_minor == left.total_minor {
        (left.tax_minor, left.exclusive_tax_minor)
    } else {
        let untaxed = difference(invoice_minor, sum(taxed.iter().map(|&(_, minor)| minor))?)?;
        let groups: Vec<(Tax, i64)> = taxed.iter().copied().chain([(Tax::NONE, untaxed)]).collect();
        let (mut exclusive, mut inclusive) = (0, 0);
        for ((tax, _), share) in groups.iter().zip(shares_of(total_minor, invoice_minor, &groups)?) {
            let part = if tax.behavior == TaxBehavior::Exclusive { &mut exclusive } else { &mut inclusive };
            *part = sum([*part, tax.contained_in(share)?])?;
        }
        // No more tax than is left, and no more left of it than is left of the total.
        let least = difference(left.tax_minor, difference(left.total_minor, total_minor)?)?;
        let tax = sum([exclusive, inclusive])?.max(least).min(left.tax_minor);
        (tax, exclusive.min(left.exclusive_tax_minor).min(tax).max(0))
    };
    let note = CreditNote { invoice: 0, net_minor: difference(total_minor, tax_minor)?, tax_minor, total_minor };
    Ok(Some((note, difference(total_minor, exclusive_minor)?)))
}

/// The lines, as priced, that charge `total_minor` once more of an invoice that comes to `invoice_minor`: it is shared out over what taxes
/// the invoice, as [`note_over`] does. A share is priced as it was where that comes out to the minor unit; where no price without tax does,
/// it is a price with tax in it. All in minor units.
///
/// # Errors
/// As [`note_over`].
pub fn charged_again(total_minor: i64, invoice_minor: i64, taxed: &[(Tax, i64)]) -> Result<Vec<(Tax, i64)>, RuleError> {
    if total_minor <= 0 || invoice_minor <= 0 {
        return Err(RuleError::Inconsistent);
    }
    let untaxed = difference(invoice_minor, sum(taxed.iter().map(|&(_, minor)| minor))?)?;
    let groups: Vec<(Tax, i64)> = taxed.iter().copied().chain([(Tax::NONE, untaxed)]).collect();
    let shares = shares_of(total_minor, invoice_minor, &groups)?;
    let charged = groups.iter().zip(shares).filter(|&(_, share)| share != 0);
    charged.map(|(&(tax, _), share)| priced(tax, share)).collect()
}

/// An amount with tax as a price that comes to it.
fn priced(tax: Tax, share_minor: i64) -> Result<(Tax, i64), RuleError> {
    if tax.behavior == TaxBehavior::Exclusive {
        let net = difference(share_minor, tax.contained_in(share_minor)?)?;
        if sum([net, tax.on(net)?])? == share_minor {
            return Ok((tax, net));
        }
    }
    Ok((Tax { behavior: TaxBehavior::Inclusive, ..tax }, share_minor))
}

/// `total_minor` of `whole_minor`, shared out over parts that come to the whole.
fn shares_of(total_minor: i64, whole_minor: i64, parts: &[(Tax, i64)]) -> Result<Vec<i64>, RuleError> {
    let sizes = parts.iter().map(|&(_, minor)| i128::from(minor).checked_mul(i128::from(total_minor)).ok_or(RuleError::TooLarge));
    share_out(total_minor, &sizes.collect::<Result<Vec<_>, _>>()?, i128::from(whole_minor))
}

/// What of a payment can be paid back on a credit note: no more than is left of it, than the invoice was paid by payments that were not
/// paid back since, and than its total has left for a credit note; in whole `unit_minor` of the gateway that took it. All in minor units.
///
/// # Errors
/// [`RuleError::Inconsistent`] for a unit that is not above zero; [`RuleError::TooLarge`].
pub fn refundable_of_payment(
    payment_left_minor: i64,
    paid_left_minor: i64,
    total_left_minor: i64,
    unit_minor: i64,
) -> Result<i64, RuleError> {
    let most = payment_left_minor.min(paid_left_minor).min(total_left_minor).max(0);
    if unit_minor <= 0 {
        return Err(RuleError::Inconsistent);
    }
    difference(most, most.checked_rem(unit_minor).ok_or(RuleError::Inconsistent)?)
}

/// The tax on amounts of one behaviour: each rate's sum rounded once.
fn taxes_on(amounts: &[(Tax, i64)], behavior: TaxBehavior) -> Result<i64, RuleError> {
    let mut sums: Vec<(Tax, i64)> = Vec::new();
    for &(tax, minor) in amounts.iter().filter(|(tax, _)| tax.behavior == behavior) {
        match sums.iter_mut().find(|(known, _)| *known == tax) {
            Some((_, so_far)) => *so_far = sum([*so_far, minor])?,
            None => sums.push((tax, minor)),
        }
    }
    let taxes = sums.into_iter().map(|(tax, minor)| tax.on(minor)).collect::<Result<Vec<_>, _>>()?;
    sum(taxes)
}

/// What a void invoice gives back as account credit: all that has lowered what was due on it, but for what credit notes on it
/// have given back already. `None` where those gave more, to other invoices. All in minor units.
///
/// # Errors
/// [`RuleError::TooLarge`].
pub fn given_back(total_minor: i64, due_minor: i64, credited_on_it_minor: i64) -> Result<Option<i64>, RuleError> {
    let back = difference(difference(total_minor, due_minor)?, credited_on_it_minor)?;
    Ok((back >= 0).then_some(back))
}

/// What no invoice had room for, as a line that waits beside the pending charges it takes back: priced as `source`, the
/// credit line it comes from, so that with its tax it comes to `uncovered_minor`. `None` for zero.
///
/// # Errors
/// [`RuleError::TooLarge`].
pub fn pending_credit(uncovered_minor: i64, source: &Line) -> Result<Option<Line>, RuleError> {
    let priced_minor = match source.tax.behavior {
        TaxBehavior::Inclusive => uncovered_minor,
        TaxBehavior::Exclusive => difference(uncovered_minor, source.tax.contained_in(uncovered_minor)?)?,
    };
    let amount_minor = negated(priced_minor)?;
    let line = Line { kind: LineKind::ProrationCredit, amount_minor, unit_price_minor: priced_minor, discount_minor: 0, ..*source };
    Ok((amount_minor != 0).then_some(Line { fraction: Fraction::WHOLE, ..line }))
}

/// Spreads an amount over what several places have room for, in their order: (which, how much) where it is not
/// zero, and the rest. So is new account credit used on open invoices, oldest first.
///
/// # Errors
/// [`RuleError::TooLarge`].
pub fn spread(amount_minor: i64, room_minor: &[i64]) -> Result<(Vec<(usize, i64)>, i64), RuleError> {
    let mut rest = amount_minor;
    let mut parts = Vec::new();
    for (place, room) in room_minor.iter().enumerate() {
        let part = rest.min(*room);
        if part > 0 {
            parts.push((place, part));
            rest = difference(rest, part)?;
        }
    }
    Ok((parts, rest))
}

/// Where one credit note went; the parts add up to its total. All in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// (which of the open invoices, what it took off its amount due), in their order.
    pub took_off: Vec<(usize, i64)>,
    /// To be paid back by gateways.
    pub to_refund_minor: i64,
    /// The rest: account credit.
    pub to_credit_minor: i64,
}

/// Places each note: first up to `refund_minor` of them all is to be refunded, then what is due on the subscription's
/// open invoices, oldest first, is lowered, and the rest is account credit. Without a refund pass 0.
///
/// # Errors
/// [`RuleError::TooLarge`].
pub fn place(notes: &[CreditNote], open_due_minor: &[i64], refund_minor: i64) -> Result<Vec<Destination>, RuleError> {
    let mut due = open_due_minor.to_vec();
    let mut refund_left = refund_minor.max(0);
    let mut places = Vec::with_capacity(notes.len());
    for note in notes {
        let to_refund_minor = refund_left.min(note.total_minor);
        refund_left = difference(refund_left, to_refund_minor)?;
        let (took_off, to_credit_minor) = spread(difference(note.total_minor, to_refund_minor)?, &due)?;
        for &(index, taken) in &took_off {
            if let Some(left) = due.get_mut(index) {
                *left = difference(*left, taken)?;
            }
        }
        places.push(Destination { took_off, to_refund_minor, to_credit_minor });
    }
    Ok(places)
}

/// What a cancellation pays back by gateways: `max(0, taken − refunded − value used)`, and never more than the unused
/// time itself. `charged_minor` is what the period's invoices come to less their credit notes; all with tax, in minor
/// units, before this cancellation.
///
/// # Errors
/// [`RuleError::TooLarge`].
pub fn refundable(unused_minor: i64, charged_minor: i64, taken_minor: i64, refunded_minor: i64) -> Result<i64, RuleError> {
    let used = difference(charged_minor, unused_minor)?;
    let back = difference(difference(taken_minor, refunded_minor)?, used)?;
    Ok(back.clamp(0, unused_minor.max(0)))
}

/// What of a credit note by hand on one invoice may be paid back: no more than gateways took for it and have not paid back,
/// and nothing of what the note first takes off what is due on that invoice. All in minor units.
///
/// # Errors
/// [`RuleError::TooLarge`].
pub fn refundable_of_note(note_minor: i64, due_minor: i64, taken_minor: i64, refunded_minor: i64) -> Result<i64, RuleError> {
    let paid_back = difference(taken_minor, refunded_minor)?;
    Ok(difference(note_minor, due_minor)?.min(paid_back).max(0))
}

/// What a payment has left to be paid back, and the unit in which its gateway pays back. Minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftToRefund {
    /// What was taken and not paid back yet.
    pub left_minor: i64,
    /// Whole multiples of this alone; above zero.
    pub unit_minor: i64,
}

/// Splits a refund over payments in their order, the newest first, each up to what it has left, in whole units of the
/// gateway that took it; answers (which payment, how much). What they do not have left, or what is no whole unit, is not paid
/// back. All in minor units.
///
/// # Errors
/// [`RuleError::Inconsistent`] for a unit that is not above zero; [`RuleError::TooLarge`].
pub fn split_refund(refund_minor: i64, payments: &[LeftToRefund]) -> Result<Vec<(usize, i64)>, RuleError> {
    let mut rest = refund_minor;
    let mut parts = Vec::new();
    for (place, LeftToRefund { left_minor, unit_minor }) in payments.iter().enumerate() {
        if *unit_minor <= 0 {
            return Err(RuleError::Inconsistent);
        }
        let most = rest.min(*left_minor);
        let part = difference(most, most.checked_rem(*unit_minor).ok_or(RuleError::Inconsistent)?)?;
        if part > 0 {
            parts.push((place, part));
            rest = difference(rest, part)?;
        }
    }
    Ok(parts)
}

/// Spreads payments' parts of a refund over credit notes, both in their order: (which note, which payment, how much). All in minor
/// units.
///
/// # Errors
/// [`RuleError::Inconsistent`] where the notes and the parts do not come to the same.
pub fn pair_refunds(notes_minor: &[i64], parts: &[(usize, i64)]) -> Result<Vec<(usize, usize, i64)>, RuleError> {
    let mut left = notes_minor.to_vec();
    let mut pairs = Vec::new();
    for &(payment, part) in parts {
        let (taken, rest) = spread(part, &left)?;
        if rest != 0 {
            return Err(RuleError::Inconsistent);
        }
        for (note, minor) in taken {
            if let Some(room) = left.get_mut(note) {
                *room = difference(*room, minor)?;
            }
            pairs.push((note, payment, minor));
        }
    }
    if left.iter().any(|&room| room != 0) {
        return Err(RuleError::Inconsistent);
    }
    Ok(pairs)
}
