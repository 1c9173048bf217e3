//! What gateways are asked to take.

use super::super::RuleError;
use super::super::collect::{Collection, GatewayAmounts, collect};

#[test]
fn an_amount_is_rounded_up_to_the_gateways_unit_within_its_bounds() {
    // Whole shillings from 10.00 to 1,500.00; a tenth of a dinar in thousandths.
    let shillings = GatewayAmounts { unit_minor: 100, least_minor: 1_000, most_minor: Some(150_000) };
    let dinars = GatewayAmounts { unit_minor: 10, least_minor: 0, most_minor: None };
    for (due, gateway, expected) in [
        (348_000, dinars, Collection::Take(348_000)),
        (1_001, dinars, Collection::Take(1_010)),
        (3_480, shillings, Collection::Take(3_500)),
        (3_500, shillings, Collection::Take(3_500)),
        (999, shillings, Collection::WriteOff(999)),
        (1_000, shillings, Collection::Take(1_000)),
        (149_901, shillings, Collection::Take(150_000)),
        (150_001, shillings, Collection::LimitExceeded),
        (0, shillings, Collection::Nothing),
        (-5, shillings, Collection::Nothing),
    ] {
        assert_eq!(collect(due, &gateway), Ok(expected), "{due}");
    }
    assert_eq!(collect(1, &GatewayAmounts { unit_minor: 0, ..shillings }), Err(RuleError::NoDenominator));
}
