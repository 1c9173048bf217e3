//! What a gateway's list and our rows say of the same thing, held against each other. Nothing is changed by it, here or there.

use std::collections::{HashMap, HashSet};

use crate::adapters::payment::books::{Books, ListedCharge, ListedRefund, Moved};
use crate::billing::lifecycle::{PaymentStatus, RefundStatus};
use crate::ids::{PaymentId, RefundId};
use crate::store::gateway_differences::{Found, Named, Ours};
use crate::store::payments::Payment;
use crate::store::refunds::Refund;
use crate::store::types::{DifferenceKind, DifferenceSubject};

/// What a part of a gateway's list names.
pub(super) fn named(books: &Books) -> Named {
    let charges = books.charges.iter().map(|charge| charge.reference.clone());
    let of_refunds = books.refunds.iter().filter_map(|refund| refund.charge_reference.clone());
    let of_disputes = books.disputes.iter().map(|dispute| dispute.charge_reference.clone());
    Named {
        payments: books.charges.iter().filter_map(|charge| PaymentId::parse(charge.key.as_deref()?)).collect(),
        refunds: books.refunds.iter().filter_map(|refund| RefundId::parse(refund.key.as_deref()?)).collect(),
        charges: charges.chain(of_refunds).chain(of_disputes).collect(),
        disputes: books.disputes.iter().map(|dispute| dispute.reference.clone()).collect(),
    }
}

/// What was found of a part of a list, and which of our rows stand on it.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// What differs.
    pub(super) found: Vec<Found>,
    /// The payments that the gateway has.
    pub(super) payments: HashSet<PaymentId>,
    /// The refunds that it has.
    pub(super) refunds: HashSet<RefundId>,
}

impl Compared {
    /// Holds a part of a list against what our rows have of it.
    pub(super) fn take(&mut self, books: &Books, ours: &Ours) {
        let by_id: HashMap<PaymentId, &Payment> = ours.payments.iter().map(|payment| (payment.id, payment)).collect();
        let by_reference: HashMap<&str, &Payment> =
            ours.payments.iter().filter_map(|payment| Some((payment.gateway_reference.as_deref()?, payment))).collect();
        for theirs in &books.charges {
            let keyed = theirs.key.as_deref().and_then(PaymentId::parse).and_then(|id| by_id.get(&id).copied());
            let held = by_reference.get(theirs.reference.as_str()).copied().or(keyed);
            self.payments.extend(held.map(|payment| payment.id));
            self.found.extend(charge(theirs, held));
        }
        let refunds: HashMap<RefundId, &Refund> = ours.refunds.iter().map(|refund| (refund.id, refund)).collect();
        for theirs in &books.refunds {
            let held = theirs.key.as_deref().and_then(RefundId::parse).and_then(|id| refunds.get(&id).copied());
            self.refunds.extend(held.map(|refund| refund.id));
            let of = theirs.charge_reference.as_deref().and_then(|reference| by_reference.get(reference).copied());
            self.found.extend(refund(theirs, held, of));
        }
        let known: HashSet<&str> = ours.disputes.iter().map(String::as_str).collect();
        for theirs in books.disputes.iter().filter(|theirs| !known.contains(theirs.reference.as_str())) {
            let of = by_reference.get(theirs.charge_reference.as_str()).copied();
            let theirs_say = Some(format!("a dispute of {}", theirs.charge_reference));
            self.found.push(about(DifferenceSubject::Dispute, DifferenceKind::NotHere, &theirs.reference, (of, None), (None, theirs_say)));
        }
    }
}

/// Something that differs.
fn about(
    subject: DifferenceSubject,
    kind: DifferenceKind,
    reference: &str,
    (payment, refund): (Option<&Payment>, Option<&Refund>),
    (ours, theirs): (Option<String>, Option<String>),
) -> Found {
    let business = payment.map(|payment| payment.business_id).or_else(|| refund.map(|refund| refund.business_id));
    Found {
        subject,
        kind,
        reference: reference.to_owned(),
        business,
        payment: payment.map(|payment| payment.id).or_else(|| refund.map(|refund| refund.payment_id)),
        refund: refund.map(|refund| refund.id),
        ours,
        theirs,
    }
}

/// In what a charge on the list differs from the payment that it is of.
fn charge(theirs: &ListedCharge, held: Option<&Payment>) -> Option<Found> {
    let of = |kind, ours| {
        let said = (ours, Some(said(theirs.moved, theirs.amount.map(|amount| amount.to_string()).as_deref())));
        Some(about(DifferenceSubject::Charge, kind, &theirs.reference, (held, None), said))
    };
    let Some(payment) = held else {
        return if theirs.moved == Moved::Yes { of(DifferenceKind::NotHere, None) } else { None };
    };
    let ours = || Some(shown(payment));
    // A second charge that carries one payment's id was taken for nothing.
    let is_another = payment.gateway_reference.as_ref().is_some_and(|reference| *reference != theirs.reference);
    if is_another {
        return if theirs.moved == Moved::Yes { of(DifferenceKind::NotHere, ours()) } else { None };
    }
    let took = took(payment.status);
    if took != (theirs.moved == Moved::Yes) {
        return of(DifferenceKind::Status, ours());
    }
    let is_same = theirs.amount.is_some_and(|amount| (amount.minor(), amount.currency()) == (payment.amount_minor, payment.currency));
    if took && !is_same { of(DifferenceKind::Amount, ours()) } else { None }
}

/// In what a refund on the list differs from ours; `of` is the payment that it pays back.
fn refund(theirs: &ListedRefund, held: Option<&Refund>, of: Option<&Payment>) -> Option<Found> {
    let differs = |kind, ours| {
        let said = (ours, Some(said(theirs.moved, theirs.amount.map(|amount| amount.to_string()).as_deref())));
        Some(about(DifferenceSubject::Refund, kind, &theirs.reference, (of, held), said))
    };
    let Some(held) = held else {
        return if theirs.moved == Moved::No { None } else { differs(DifferenceKind::NotHere, None) };
    };
    let ours = || Some(shown_refund(held));
    let is_paid = held.status == RefundStatus::Succeeded;
    let is_open = theirs.moved == Moved::NotYet && !held.status.is_final();
    if is_paid != (theirs.moved == Moved::Yes) && !is_open {
        return differs(DifferenceKind::Status, ours());
    }
    let is_same = theirs.amount.is_some_and(|amount| (amount.minor(), amount.currency()) == (held.amount_minor, held.currency));
    if is_same { None } else { differs(DifferenceKind::Amount, ours()) }
}

/// Our payment took money, and the gateway, which was asked for it, does not say so.
pub(super) fn not_there(payment: &Payment, theirs: &str) -> Found {
    let reference = payment.gateway_reference.clone().unwrap_or_else(|| payment.id.to_string());
    let said = (Some(shown(payment)), Some(theirs.to_owned()));
    about(DifferenceSubject::Charge, DifferenceKind::NotThere, &reference, (Some(payment), None), said)
}

/// The same of a refund.
pub(super) fn refund_not_there(refund: &Refund, theirs: &str) -> Found {
    let reference = refund.gateway_reference.clone().unwrap_or_else(|| refund.id.to_string());
    let said = (Some(shown_refund(refund)), Some(theirs.to_owned()));
    about(DifferenceSubject::Refund, DifferenceKind::NotThere, &reference, (None, Some(refund)), said)
}

/// What became of a payment is not known here.
pub(super) fn unsettled(payment: &Payment) -> Found {
    let said = (Some(shown(payment)), None);
    about(DifferenceSubject::Charge, DifferenceKind::Unsettled, &payment.id.to_string(), (Some(payment), None), said)
}

/// What became of a refund is not known here.
pub(super) fn refund_unsettled(refund: &Refund) -> Found {
    let said = (Some(shown_refund(refund)), None);
    about(DifferenceSubject::Refund, DifferenceKind::Unsettled, &refund.id.to_string(), (None, Some(refund)), said)
}

/// Whether a payment in that state took money.
pub(super) const fn took(status: PaymentStatus) -> bool {
    use PaymentStatus::{Disputed, PartiallyRefunded, Refunded, Succeeded};
    matches!(status, Succeeded | PartiallyRefunded | Refunded | Disputed)
}

/// What our row says of a payment.
fn shown(payment: &Payment) -> String {
    format!(
        "{} {}",
        payment.status.as_str(),
        payment.amount().map_or_else(|_| payment.amount_minor.to_string(), |amount| amount.to_string())
    )
}

/// What our row says of a refund.
fn shown_refund(refund: &Refund) -> String {
    format!("{} {}", refund.status.as_str(), refund.amount().map_or_else(|_| refund.amount_minor.to_string(), |amount| amount.to_string()))
}

/// What a gateway says.
fn said(moved: Moved, amount: Option<&str>) -> String {
    let moved = match moved {
        Moved::Yes => "moved",
        Moved::No => "not moved",
        Moved::NotYet => "not moved yet",
    };
    format!("{moved} {}", amount.unwrap_or("an amount that is none of ours"))
}
