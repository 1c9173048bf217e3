//! Credit notes and where they go.

use super::super::RuleError;
use super::super::credit::{
    CreditNote, CreditNotes, Destination, Left, LeftToRefund, charged_again, credit_notes, given_back, note_on_lines, note_over,
    pair_refunds, place, refundable, refundable_of_note, refundable_of_payment, split_refund, spread,
};
use super::super::exact::sum;
use super::super::tax::{Tax, TaxBehavior};
use super::{creditable, exclusive, inclusive};

#[test]
fn net_and_tax_follow_the_invoices_rate() {
    // 9,766.45 × 16/116 = 1,347.096.
    let found = credit_notes(976_645, &[creditable(1_044_000, 144_000)]).unwrap();
    let note = CreditNote { invoice: 0, net_minor: 841_935, tax_minor: 134_710, total_minor: 976_645 };
    assert_eq!(found, CreditNotes { notes: vec![note], uncovered_minor: 0 });
}

#[test]
fn the_last_note_on_an_invoice_takes_the_residue() {
    // 1.00 of which 0.14 is tax. 0.33 × 16/116 = 0.0455 → 0.05, twice; the last 0.34 has what is left, 0.04.
    let mut invoice = creditable(100, 14);
    let mut taxes = Vec::new();
    for total in [33, 33, 34] {
        let note = credit_notes(total, &[invoice]).unwrap().notes[0];
        taxes.push(note.tax_minor);
        invoice.credited_total_minor += note.total_minor;
        invoice.credited_tax_minor += note.tax_minor;
    }
    assert_eq!((taxes, invoice.left_minor()), (vec![5, 5, 4], Ok(0)));
}

#[test]
fn notes_fill_the_newest_invoice_first_and_never_past_its_total() {
    let mut newest = creditable(4_640, 640);
    newest.credited_total_minor = 1_160;
    newest.credited_tax_minor = 160;
    // 34.80 is left on the newest; 58.00 − 34.80 = 23.20 goes on the one before, 3.20 of it tax.
    let found = credit_notes(5_800, &[newest, creditable(11_600, 1_600)]).unwrap();
    assert_eq!(
        found.notes.iter().map(|note| (note.invoice, note.total_minor, note.tax_minor)).collect::<Vec<_>>(),
        [(0, 3_480, 480), (1, 2_320, 320)]
    );
    assert_eq!(credit_notes(5_000, &[newest]).unwrap().uncovered_minor, 1_520);
    assert_eq!(credit_notes(0, &[newest]).unwrap().notes, []);
    newest.credited_total_minor = 9_999;
    assert_eq!(credit_notes(1, &[newest]), Err(RuleError::Inconsistent));
    assert_eq!(credit_notes(-1, &[]), Err(RuleError::Inconsistent));
}

#[test]
fn notes_lower_what_is_due_first_and_the_rest_is_account_credit() {
    let note = |total_minor| CreditNote { invoice: 0, net_minor: total_minor, tax_minor: 0, total_minor };
    // 6.00 and 12.00 against open 10.00 and 5.00: 6 | 4 + 5, and 3.00 is credit.
    assert_eq!(
        place(&[note(600), note(1_200)], &[1_000, 500], 0),
        Ok(vec![
            Destination { took_off: vec![(0, 600)], to_refund_minor: 0, to_credit_minor: 0 },
            Destination { took_off: vec![(0, 400), (1, 500)], to_refund_minor: 0, to_credit_minor: 300 },
        ])
    );
    // A refund of 7.00 comes off the notes first: 6.00 of the one, 1.00 of the other.
    assert_eq!(
        place(&[note(600), note(1_200)], &[], 700),
        Ok(vec![
            Destination { took_off: vec![], to_refund_minor: 600, to_credit_minor: 0 },
            Destination { took_off: vec![], to_refund_minor: 100, to_credit_minor: 1_100 },
        ])
    );
    assert_eq!(spread(100, &[0, -5, 30]), Ok((vec![(2, 30)], 70)));
}

#[test]
fn a_refund_is_what_gateways_took_beyond_the_value_used() {
    // (unused, charged, taken, refunded) → refund
    for (unused, charged, taken, refunded, expected) in [
        (1_500, 3_000, 1_800, 0, 300),   // 18.00 − 15.00 used
        (1_500, 3_000, 3_000, 0, 1_500), // all by card
        (1_500, 3_000, 0, 0, 0),         // all by account credit
        (1_500, 3_000, 1_000, 0, 0),     // less than was used
        (1_500, 3_000, 3_000, 1_000, 500),
        (1_500, 1_500, 3_000, 0, 1_500), // never more than is unused
    ] {
        assert_eq!(refundable(unused, charged, taken, refunded), Ok(expected), "{unused} {charged} {taken} {refunded}");
    }
}

/// What is left of an invoice of exclusive prices.
fn left(total_minor: i64, tax_minor: i64) -> Left {
    Left { total_minor, tax_minor, exclusive_tax_minor: tax_minor }
}

/// Total and tax of a note on lines.
fn on_lines(amounts: &[(super::super::tax::Tax, i64)], left: &Left) -> Option<(i64, i64)> {
    note_on_lines(amounts, left).unwrap().map(|note| {
        assert_eq!(sum([note.net_minor, note.tax_minor]), Ok(note.total_minor));
        (note.total_minor, note.tax_minor)
    })
}

#[test]
fn a_note_on_lines_has_the_tax_of_their_rates() {
    let vat = exclusive("0.16");
    // 10.00 + 1.60, of an invoice over 60.00 + 9.60.
    assert_eq!(on_lines(&[(vat, 1_000)], &left(6_960, 960)), Some((1_160, 160)));
    // Rounded once for a rate: 0.03 + 0.03 is 0.06, × 0.16 = 0.0096 → 0.01; each by itself would be 0.0048 → 0.
    assert_eq!(on_lines(&[(vat, 3), (vat, 3)], &left(6_960, 960)), Some((7, 1)));
    // Two rates: 10.00 × 0.16 = 1.60 and 5.00 × 0.08 = 0.40; what is exempt adds none.
    let amounts = [(vat, 1_000), (exclusive("0.08"), 500), (exclusive("0"), 100)];
    assert_eq!(on_lines(&amounts, &left(10_000, 1_200)), Some((1_800, 200)));
    // Inclusive: 11.60 × 16/116 = 1.60 in it, of an invoice over 69.60 with 9.60 in it.
    let within = Left { total_minor: 6_960, tax_minor: 960, exclusive_tax_minor: 0 };
    assert_eq!(on_lines(&[(inclusive("0.16"), 1_160)], &within), Some((1_160, 160)));
    // Both on one invoice: 11.60 with 1.60 in it, and 10.00 with 1.60 on top.
    let mixed = Left { total_minor: 13_920, tax_minor: 1_920, exclusive_tax_minor: 960 };
    assert_eq!(on_lines(&[(inclusive("0.16"), 1_160), (vat, 1_000)], &mixed), Some((2_320, 320)));
}

#[test]
fn the_last_note_on_lines_takes_the_residue_whether_it_is_more_or_less() {
    let vat = exclusive("0.16");
    // 1.00 + 0.16. 0.33 × 0.16 = 0.0528 → 0.05, twice; the last 0.34 (0.0544 → 0.05 by itself) has 0.16 − 0.10 = 0.06.
    let mut rest = left(116, 16);
    let mut notes = Vec::new();
    for priced in [33, 33, 34] {
        let (total, tax) = on_lines(&[(vat, priced)], &rest).unwrap();
        rest = left(rest.total_minor - total, rest.tax_minor - tax);
        notes.push((total, tax));
    }
    assert_eq!((notes, rest), (vec![(38, 5), (38, 5), (40, 6)], left(0, 0)));
    // 0.10 + 0.02 (0.016 → 0.02). 0.04 × 0.16 = 0.0064 → 0.01, twice; for the last 0.02 (0.0032) nothing is left.
    let mut rest = left(12, 2);
    let mut taxes = Vec::new();
    for priced in [4, 4, 2] {
        let (total, tax) = on_lines(&[(vat, priced)], &rest).unwrap();
        rest = left(rest.total_minor - total, rest.tax_minor - tax);
        taxes.push(tax);
    }
    assert_eq!((taxes, rest), (vec![1, 1, 0], left(0, 0)));
    // Inclusive: 0.30 with 0.04 in it. 0.10 × 16/116 = 0.0138 → 0.01, twice; the last 0.10 has 0.02.
    let mut rest = Left { total_minor: 30, tax_minor: 4, exclusive_tax_minor: 0 };
    let mut taxes = Vec::new();
    for priced in [10, 10, 10] {
        let (total, tax) = on_lines(&[(inclusive("0.16"), priced)], &rest).unwrap();
        rest = Left { total_minor: rest.total_minor - total, tax_minor: rest.tax_minor - tax, exclusive_tax_minor: 0 };
        taxes.push(tax);
    }
    assert_eq!((taxes, rest.total_minor, rest.tax_minor), (vec![1, 1, 2], 0, 0));
}

#[test]
fn a_note_on_lines_goes_no_further_than_what_is_left() {
    let vat = exclusive("0.16");
    assert_eq!(on_lines(&[(vat, 1_001)], &left(1_160, 160)), None);
    assert_eq!(on_lines(&[(vat, 1_000)], &left(1_160, 160)), Some((1_160, 160)));
    // 9.99 × 0.16 = 1.5984 → 1.60, all the tax that is left: 11.59, and 0.01 stays.
    assert_eq!(on_lines(&[(vat, 999)], &left(1_160, 160)), Some((1_159, 160)));
    // What is left of the tax is never more than what is left of the total: of 0.03 with 0.02 of tax, 0.02 takes 0.01.
    let odd = Left { total_minor: 3, tax_minor: 2, exclusive_tax_minor: 0 };
    assert_eq!(on_lines(&[(inclusive("0.16"), 2)], &odd), Some((2, 1)));
    for amounts in [&[][..], &[(vat, 0)], &[(vat, 100), (vat, -1)]] {
        assert_eq!(note_on_lines(amounts, &left(1_160, 160)), Err(RuleError::Inconsistent));
    }
}

#[test]
fn a_void_invoice_gives_back_what_had_lowered_it_but_for_its_own_notes() {
    // (total, due, credit notes on it) → given back
    for (total, due, on_it, expected) in [
        (11_600, 11_600, 0, Some(0)),        // nothing had lowered it
        (11_600, 7_600, 0, Some(4_000)),     // 40.00 of account credit, or paid, or a note on another invoice
        (11_600, 8_600, 3_000, Some(0)),     // its own note
        (11_600, 4_600, 3_000, Some(4_000)), // both
        (11_600, 11_600, 3_000, None),       // its own note lowered another invoice
    ] {
        assert_eq!(given_back(total, due, on_it), Ok(expected), "{total} {due} {on_it}");
    }
}

/// What payments at gateways of one unit have left.
fn at_a_unit_of(unit_minor: i64, left_minor: &[i64]) -> Vec<LeftToRefund> {
    left_minor.iter().map(|&left_minor| LeftToRefund { left_minor, unit_minor }).collect()
}

#[test]
fn a_refund_is_split_over_the_newest_payments_first_in_whole_units_of_the_gateway() {
    assert_eq!(split_refund(500, &at_a_unit_of(1, &[300, 0, 400])), Ok(vec![(0, 300), (2, 200)]));
    // The payments have less left.
    assert_eq!(split_refund(500, &at_a_unit_of(1, &[300])), Ok(vec![(0, 300)]));
    // M-Pesa pays back whole shillings: of 5.50, 5.00; from payments of 3.00 and 4.00.
    assert_eq!(split_refund(550, &at_a_unit_of(100, &[300, 400])), Ok(vec![(0, 300), (1, 200)]));
    assert_eq!(split_refund(99, &at_a_unit_of(100, &[300])), Ok(vec![]));
    assert_eq!(split_refund(0, &at_a_unit_of(1, &[300])), Ok(vec![]));
    // 5.50 of a shilling gateway's 3.50 and a card's 4.00: 3.00, then 2.50 to the cent.
    let mixed = [LeftToRefund { left_minor: 350, unit_minor: 100 }, LeftToRefund { left_minor: 400, unit_minor: 1 }];
    assert_eq!(split_refund(550, &mixed), Ok(vec![(0, 300), (1, 250)]));
    assert_eq!(split_refund(5, &at_a_unit_of(0, &[300])), Err(RuleError::Inconsistent));
}

#[test]
fn parts_of_payments_are_paired_with_the_notes_that_they_belong_to() {
    // Notes of 3.00 and 4.00 to be paid back; 5.00 of them from one payment and 2.00 from the next.
    assert_eq!(pair_refunds(&[300, 400], &[(0, 500), (2, 200)]), Ok(vec![(0, 0, 300), (1, 0, 200), (1, 2, 200)]));
    assert_eq!(pair_refunds(&[0, 400], &[(1, 400)]), Ok(vec![(1, 1, 400)]));
    assert_eq!(pair_refunds(&[], &[]), Ok(vec![]));
    assert_eq!(pair_refunds(&[300], &[(0, 200)]), Err(RuleError::Inconsistent));
    assert_eq!(pair_refunds(&[300], &[(0, 400)]), Err(RuleError::Inconsistent));
}

#[test]
fn a_note_by_hand_pays_back_no_more_than_gateways_took_and_never_what_is_still_due() {
    for (note, due, taken, refunded, expected) in [
        // Paid by a gateway in full.
        (1_000, 0, 3_000, 0, 1_000),
        // 20.00 of it were paid back before; 10.00 are left.
        (1_500, 0, 3_000, 2_000, 1_000),
        // 12.00 came as account credit, 18.00 by a gateway.
        (3_000, 0, 1_800, 0, 1_800),
        // 5.00 are still due: the note takes them off first.
        (1_500, 500, 2_500, 0, 1_000),
        // More is due than the note comes to.
        (300, 500, 2_500, 0, 0),
        // Nothing was paid by a gateway.
        (1_000, 0, 0, 0, 0),
    ] {
        assert_eq!(refundable_of_note(note, due, taken, refunded), Ok(expected), "{note} {due} {taken} {refunded}");
    }
}

#[test]
fn a_note_over_an_amount_has_the_tax_of_the_rates_it_is_shared_out_over() {
    let tax = |rate: &str, behavior| Tax { rate: rate.parse().unwrap(), behavior };
    let (on_top, within) = (tax("0.16", TaxBehavior::Exclusive), tax("0.08", TaxBehavior::Inclusive));
    // 100.00 and 16.00 on top; 54.00 with 4.00 in them; 30.00 without tax: 200.00, of which 20.00 are tax.
    let (taxed, left) = ([(on_top, 11_600), (within, 5_400)], Left { total_minor: 20_000, tax_minor: 2_000, exclusive_tax_minor: 1_600 });
    let over =
        |total, left: &Left| note_over(total, 20_000, &taxed, left).unwrap().map(|(note, priced)| (note.tax_minor, note.net_minor, priced));
    // A half: 58.00 with 8.00, 27.00 with 2.00, 15.00. As priced 100.00 less the 8.00 on top.
    assert_eq!(over(10_000, &left), Some((1_000, 9_000, 9_200)));
    // 0.10: exactly 5.8, 2.7 and 1.5 hundredths, so 6, 3 and 1 by largest remainder (0.8, 0.7, 0.5). 6 × 0.16 ÷ 1.16 = 0.83, so 1;
    // 3 × 0.08 ÷ 1.08 = 0.22, so 0.
    assert_eq!(over(10, &left), Some((1, 9, 9)));
    // All that is left takes the residue, and more is none.
    let rest = Left { total_minor: 9_990, tax_minor: 999, exclusive_tax_minor: 799 };
    assert_eq!(over(9_990, &rest), Some((999, 8_991, 9_191)));
    assert_eq!(over(9_991, &rest), None);
    // Less than 0.10 is left of the total and 0.08 of its tax: a note of 0.05 takes no less than 0.03 of it.
    let last = Left { total_minor: 10, tax_minor: 8, exclusive_tax_minor: 8 };
    assert_eq!(over(5, &last), Some((3, 2, 5)));
    for (total, whole) in [(0, 20_000), (-1, 20_000), (1, 0)] {
        assert_eq!(note_over(total, whole, &taxed, &left), Err(RuleError::Inconsistent));
    }
}

#[test]
fn a_payment_is_paid_back_as_far_as_all_three_have_left_in_whole_units() {
    // (left of the payment, of what was paid, of the total, the unit): what can be paid back.
    for (payment, paid, total, unit, expected) in [
        (3_480, 3_480, 3_480, 1, 3_480),
        (2_000, 1_740, 1_740, 1, 1_740),
        (3_480, 0, 3_480, 1, 0),
        (3_480, 3_480, 1_160, 1, 1_160),
        (3_500, 3_480, 3_480, 100, 3_400),
        (99, 99, 99, 100, 0),
        (3_480, -5, 3_480, 1, 0),
    ] {
        assert_eq!(refundable_of_payment(payment, paid, total, unit), Ok(expected));
    }
    assert_eq!(refundable_of_payment(1, 1, 1, 0), Err(RuleError::Inconsistent));
}

#[test]
fn what_is_charged_once_more_comes_to_what_was_credited() {
    let tax = |rate: &str, behavior| Tax { rate: rate.parse().unwrap(), behavior };
    let (on_top, within) = (tax("0.16", TaxBehavior::Exclusive), tax("0.08", TaxBehavior::Inclusive));
    // 100.00 and 16.00 on top; 54.00 with 4.00 in them; 30.00 without tax.
    let taxed = [(on_top, 11_600), (within, 5_400)];
    // A half: 50.00 and 8.00 on top, 27.00, 15.00.
    assert_eq!(charged_again(10_000, 20_000, &taxed).unwrap(), [(on_top, 5_000), (within, 2_700), (Tax::NONE, 1_500)]);
    // 0.10 is 6, 3 and 1; 0.06 is 0.05 and 0.01 on top.
    assert_eq!(charged_again(10, 20_000, &taxed).unwrap(), [(on_top, 5), (within, 3), (Tax::NONE, 1)]);
    // No price comes to 0.04: 0.03 is 0.03 with its tax, and 0.04 is 0.05.
    let priced_within = Tax { behavior: TaxBehavior::Inclusive, ..on_top };
    assert_eq!(charged_again(4, 11_600, &[(on_top, 11_600)]).unwrap(), [(priced_within, 4)]);
    assert_eq!(charged_again(0, 20_000, &taxed), Err(RuleError::Inconsistent));
}
