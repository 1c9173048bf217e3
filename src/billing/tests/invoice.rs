//! From lines to totals, and the arithmetic below.

use super::super::RuleError;
use super::super::discount::{Coupon, Discount, discounted};
use super::super::exact::{Fraction, round_ratio, share_out};
use super::super::invoice::{Line, LineKind, totals};
use super::super::tax::Tax;
use super::{at, exclusive, inclusive};

/// A line over June.
fn line(kind: LineKind, amount_minor: i64, discount_minor: i64, tax: Tax) -> Line {
    Line {
        kind,
        start: at("2027-06-01T00:00:00Z"),
        end: at("2027-07-01T00:00:00Z"),
        fraction: Fraction::WHOLE,
        unit_price_minor: amount_minor,
        amount_minor,
        discount_minor,
        tax,
    }
}

#[test]
fn halves_are_rounded_away_from_zero() {
    for (numerator, denominator, rounded) in [(5, 2, 3), (-5, 2, -3), (1, 2, 1), (-1, 2, -1), (1, 3, 0), (-2, 3, -1), (7, 1, 7), (0, 9, 0)]
    {
        assert_eq!(round_ratio(numerator, denominator), Ok(rounded), "{numerator}/{denominator}");
    }
    assert_eq!(round_ratio(1, 0), Err(RuleError::NoDenominator));
    assert_eq!(round_ratio(i128::MIN, 1), Err(RuleError::TooLarge));
    assert_eq!(round_ratio(i128::MAX, 1), Err(RuleError::TooLarge));
    assert_eq!(Fraction::new(-1, 2), Err(RuleError::NoDenominator));
}

#[test]
fn shares_go_to_the_largest_remainders_and_ties_to_the_earlier() {
    // (total, exact sizes in tenths, shares)
    for (total, tenths, shares) in [
        (16, vec![53, 53, 53], vec![6, 5, 5]),
        (16, vec![52, 53, 53], vec![5, 6, 5]),
        (-3, vec![-15, -15], vec![-1, -2]),
        (6, vec![-33, 97], vec![-3, 9]),
        (0, vec![], vec![]),
    ] {
        assert_eq!(share_out(total, &tenths, 10), Ok(shares), "{tenths:?}");
    }
    assert_eq!(share_out(99, &[10], 10), Err(RuleError::Inconsistent));
}

#[test]
fn tax_is_rounded_once_on_the_sum_and_shared_back() {
    // 3 × 0.33 = 0.99, × 0.16 = 0.1584 → 0.16, where each line alone would have 0.05.
    let found = totals(vec![line(LineKind::OneOff, 33, 0, exclusive("0.16")); 3], 0).unwrap();
    assert_eq!((found.subtotal_minor, found.tax_minor, found.total_minor), (99, 16, 115));
    assert_eq!(found.lines.iter().map(|line| line.tax_minor).collect::<Vec<_>>(), [6, 5, 5]);
    assert_eq!((found.taxes[0].taxable_minor, found.taxes[0].amount_minor), (99, 16));
}

#[test]
fn inclusive_exclusive_and_untaxed_lines_stand_side_by_side() {
    // 100.00 + 16.00; 116.00 of which 16.00; 50.00 without tax.
    let lines = vec![
        line(LineKind::Recurring, 10_000, 0, exclusive("0.16")),
        line(LineKind::OneOff, 11_600, 0, inclusive("0.16")),
        line(LineKind::OneOff, 5_000, 0, inclusive("0")),
    ];
    let found = totals(lines, 0).unwrap();
    assert_eq!((found.subtotal_minor, found.tax_minor, found.total_minor), (26_600, 3_200, 28_200));
    assert_eq!(found.total_excluding_tax_minor(), Ok(25_000));
    assert_eq!(found.taxes.iter().map(|sum| (sum.taxable_minor, sum.amount_minor)).collect::<Vec<_>>(), [(10_000, 1_600), (10_000, 1_600)]);
    assert_eq!(found.lines[2].tax_minor, 0);
}

#[test]
fn the_discount_comes_before_the_tax_and_the_credit_after_it() {
    // 100.00 − 25.00 + 10.00 usage = 85.00, tax 13.60, total 98.60; of 20.00 credit all is used.
    let lines = vec![line(LineKind::Recurring, 10_000, 2_500, exclusive("0.16")), line(LineKind::Usage, 1_000, 0, exclusive("0.16"))];
    let found = totals(lines.clone(), 2_000).unwrap();
    assert_eq!((found.subtotal_minor, found.discount_minor, found.tax_minor, found.total_minor), (11_000, 2_500, 1_360, 9_860));
    assert_eq!((found.credit_applied_minor, found.amount_due_minor), (2_000, 7_860));
    assert_eq!(found.lines.iter().map(|line| line.tax_minor).collect::<Vec<_>>(), [1_200, 160]);
    let covered = totals(lines, 1_000_000).unwrap();
    assert_eq!((covered.credit_applied_minor, covered.amount_due_minor), (9_860, 0));
}

#[test]
fn no_credit_is_used_on_a_total_below_zero() {
    let found = totals(vec![line(LineKind::ProrationCredit, -1_500, 0, exclusive("0.16"))], 500).unwrap();
    assert_eq!((found.total_minor, found.tax_minor, found.credit_applied_minor), (-1_740, -240, 0));
    assert_eq!(totals(Vec::new(), -1), Err(RuleError::Inconsistent));
}

#[test]
fn discounts_never_go_below_zero() {
    for (discount, price, expected) in [
        (Discount::Percent("25".parse().unwrap()), 9_999, 7_499), // 2,499.75 → 2,500 off
        (Discount::Percent("12.5".parse().unwrap()), 1_000, 875),
        (Discount::Percent("100".parse().unwrap()), 1_000, 0),
        (Discount::Fixed(300), 1_000, 700),
        (Discount::Fixed(3_000), 1_000, 0),
    ] {
        assert_eq!(discounted(price, Some(discount)), Ok(expected), "{discount:?}");
    }
    assert_eq!(discounted(1_000, None), Ok(1_000));
    assert_eq!(discounted(1_000, Some(Discount::Fixed(-1))), Err(RuleError::Inconsistent));
}

#[test]
fn a_coupon_is_spent_by_charged_periods() {
    let discount = Discount::Fixed(100);
    let twice = Coupon { discount, remaining_periods: Some(2) };
    let (first, once) = twice.for_new_period();
    let (second, spent) = once.for_new_period();
    let (third, _) = spent.for_new_period();
    assert_eq!((first, second, third), (Some(discount), Some(discount), None));
    let forever = Coupon { discount, remaining_periods: None };
    assert_eq!(forever.for_new_period(), (Some(discount), forever));
}
