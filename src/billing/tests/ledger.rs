//! Double entry.

use super::super::RuleError;
use super::super::ledger::{
    Account, CreditNotePosting, Entry, credit_note_issued, credit_used, dispute_opened, dispute_won, given_up, invoice_issued,
    invoice_voided, lost_to_dispute, payment_captured, recovered, refund_by_dispute, refund_failed, refund_paid, rounded_off,
};

/// The sum of some entries on one account.
fn balance(entries: &[Entry], account: Account) -> i64 {
    entries.iter().flat_map(Entry::postings).filter(|posting| posting.account == account).map(|posting| posting.amount_minor).sum()
}

#[test]
fn the_receivable_is_what_is_due() {
    // 34.80 with 4.80 tax; 4.00 by credit; of 30.80 due 31.00 is taken, 0.20 of it account credit.
    let entries = [invoice_issued(3480, 480).unwrap(), credit_used(400).unwrap(), payment_captured(3100, 3080).unwrap()];
    assert_eq!(balance(&entries[..1], Account::Receivable), 3480);
    assert_eq!(balance(&entries[..2], Account::Receivable), 3080);
    assert_eq!(balance(&entries, Account::Receivable), 0);
    assert_eq!(balance(&entries, Account::Revenue), -3000);
    assert_eq!(balance(&entries, Account::TaxPayable), -480);
    assert_eq!(balance(&entries, Account::AccountCredit), 400 - 20);
    assert_eq!(balance(&entries, Account::Cash), 3100);
}

#[test]
fn a_payment_in_part_leaves_the_rest_due() {
    let entries = [invoice_issued(3480, 480).unwrap(), payment_captured(1000, 3480).unwrap()];
    assert_eq!((balance(&entries, Account::Receivable), balance(&entries, Account::AccountCredit)), (2480, 0));
}

#[test]
fn a_credit_note_goes_where_its_parts_say() {
    let note = CreditNotePosting { total_minor: 1740, tax_minor: 240, took_off_minor: 500, to_credit_minor: 940, to_refund_minor: 300 };
    let entries = [credit_note_issued(&note).unwrap(), refund_paid(200).unwrap(), refund_failed(100).unwrap()];
    assert_eq!(balance(&entries, Account::Receivable), -500);
    assert_eq!(balance(&entries, Account::AccountCredit), -940 - 100);
    assert_eq!(balance(&entries, Account::Refunds), 0);
    assert_eq!((balance(&entries, Account::Revenue), balance(&entries, Account::TaxPayable)), (1500, 240));
    assert_eq!(credit_note_issued(&CreditNotePosting { took_off_minor: 501, ..note }), Err(RuleError::Unbalanced));
}

#[test]
fn a_void_invoice_gives_back_the_credit_it_used() {
    let entries = [invoice_issued(3480, 480).unwrap(), credit_used(400).unwrap(), invoice_voided(3480, 480, 3080, 400).unwrap()];
    for account in Account::ALL {
        assert_eq!(balance(&entries, *account), 0, "{account:?}");
    }
    assert_eq!(invoice_voided(3480, 480, 3080, 0), Err(RuleError::Unbalanced));
}

#[test]
fn a_void_invoice_gives_back_what_its_credit_notes_have_left() {
    // 34.80 with 4.80 tax, of which a note of 11.60 (10.00 + 1.60) took off what was due, and 10.00 was paid: 13.20 is due.
    let note = CreditNotePosting { total_minor: 1160, tax_minor: 160, took_off_minor: 1160, to_credit_minor: 0, to_refund_minor: 0 };
    let paid = [invoice_issued(3480, 480).unwrap(), credit_note_issued(&note).unwrap(), payment_captured(1000, 2320).unwrap()];
    let entries = [&paid[..], &[invoice_voided(2320, 320, 1320, 1000).unwrap()]].concat();
    assert_eq!((balance(&entries, Account::Receivable), balance(&entries, Account::Revenue)), (0, 0));
    assert_eq!((balance(&entries, Account::TaxPayable), balance(&entries, Account::AccountCredit)), (0, -1000));
}

#[test]
fn what_is_too_little_for_a_gateway_is_lost_to_rounding() {
    let entries = [invoice_issued(7, 0).unwrap(), rounded_off(7).unwrap(), credit_used(7).unwrap()];
    let balances =
        [Account::Receivable, Account::AccountCredit, Account::Rounding, Account::Revenue].map(|account| balance(&entries, account));
    assert_eq!(balances, [0, 0, 7, -7]);
}

#[test]
fn what_is_given_up_on_is_owed_until_it_is_paid() {
    let entries = [invoice_issued(3480, 480).unwrap(), given_up(3480).unwrap()];
    assert_eq!((balance(&entries, Account::Receivable), balance(&entries, Account::WriteOffAllowance)), (3480, -3480));
    let later = [given_up(3480).unwrap(), recovered(3480).unwrap()];
    assert_eq!(balance(&later, Account::WriteOff), 0);
}

#[test]
fn every_entry_adds_up_to_zero_and_has_no_empty_side() {
    for entry in [
        invoice_issued(100, 0).unwrap(),
        credit_used(500).unwrap(),
        rounded_off(7).unwrap(),
        dispute_opened(3480).unwrap(),
        dispute_won(3480).unwrap(),
        refund_by_dispute(3480).unwrap(),
        lost_to_dispute(3480).unwrap(),
    ] {
        assert_eq!(entry.postings().iter().map(|posting| posting.amount_minor).sum::<i64>(), 0);
        assert_eq!(entry.postings().len(), 2);
    }
    assert_eq!(invoice_issued(0, 0).unwrap().postings(), []);
    assert_eq!(Entry::new([(Account::Cash, 1)]), Err(RuleError::Unbalanced));
}
