//! In which ways a business can pay: what the configured gateways take of its currency.

use super::Ports;
use crate::adapters::payment::{MethodKind, PaymentGateway};
use crate::error::Error;
use crate::money::{Currency, MAX_MINOR, Money};
use crate::store::types::PaymentMethodKind;

/// A way to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentOption {
    /// What kind of method.
    pub kind: PaymentMethodKind,
    /// Of the currencies that were asked about, those that it takes.
    pub currencies: Vec<Currency>,
    /// What the gateway's own form is opened with.
    pub publishable_key: Option<String>,
    /// The most that one payment can take, in the business's currency; `None` without a bound of the gateway's.
    pub limit: Option<Money>,
    /// For whoever pays by hand.
    pub instructions: Option<String>,
}

/// The kinds that gateways take, in the order in which they are offered.
const KINDS: [(MethodKind, PaymentMethodKind); 4] = [
    (MethodKind::Card, PaymentMethodKind::Card),
    (MethodKind::Mpesa, PaymentMethodKind::Mpesa),
    (MethodKind::BankTransfer, PaymentMethodKind::BankTransfer),
    (MethodKind::Sandbox, PaymentMethodKind::Sandbox),
];

/// The ways in which a business of that currency can pay; `sold` are the currencies in which something is on sale.
///
/// # Errors
/// [`Error::Corrupt`] where a gateway takes more than an amount may be.
pub fn payment_options(ports: &Ports, currency: Currency, sold: &[Currency]) -> Result<Vec<PaymentOption>, Error> {
    let mut options = Vec::new();
    for (kind, offered) in KINDS {
        if let Some(gateway) = ports.gateways.taking(kind).filter(|_| kind != MethodKind::Sandbox || ports.sandbox) {
            options.extend(option(gateway, offered, currency, sold)?);
        }
    }
    Ok(options)
}

/// What one gateway offers; `None` where it does not take the business's currency.
fn option(
    gateway: &dyn PaymentGateway,
    kind: PaymentMethodKind,
    currency: Currency,
    sold: &[Currency],
) -> Result<Option<PaymentOption>, Error> {
    let Some(terms) = gateway.terms(currency) else { return Ok(None) };
    let mut currencies: Vec<Currency> = sold.iter().copied().chain([currency]).filter(|sold| gateway.terms(*sold).is_some()).collect();
    currencies.sort_by_key(|currency| currency.code());
    currencies.dedup();
    // One that takes whatever an amount may be has no bound of its own.
    let most_minor = Some(terms.most_minor).filter(|most| *most < MAX_MINOR);
    let limit = most_minor.map(|most| Money::new(most, currency)).transpose();
    Ok(Some(PaymentOption {
        kind,
        currencies,
        publishable_key: gateway.publishable_key().map(str::to_owned),
        limit: limit.map_err(|_| Error::Corrupt("a gateway takes more than an amount may be".into()))?,
        instructions: gateway.instructions().map(str::to_owned),
    }))
}
