//! Credit notes and where they go.

use super::super::RuleError;
use super::super::credit::{CreditNote, CreditNotes, Destination, credit_notes, place, refundable, split_refund, spread};
use super::creditable;

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
    assert_eq!(split_refund(500, &[300, 0, 400]), Ok(vec![(0, 300), (2, 200)]));
    assert_eq!(split_refund(500, &[300]), Err(RuleError::Inconsistent));
}
