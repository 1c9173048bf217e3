//! The gateways that are configured, side by side. What a customer gives to be charged is handed to the one that takes its kind;
//! everything about a method, payment or refund that is stored goes to the one whose name its row carries.

use std::fmt;
use std::sync::Arc;

use super::measured::Measured;
use super::{AmountTerms, GatewayKind, MethodKind, PaymentGateway};
use crate::money::Currency;
use crate::telemetry::Telemetry;

/// The gateways of a server. Its clones share them.
#[derive(Clone)]
pub struct Gateways(Arc<[Arc<dyn PaymentGateway>]>);

impl Gateways {
    /// These, at most one of a kind; where there are more of one, the first is asked.
    pub fn new(gateways: Vec<Arc<dyn PaymentGateway>>) -> Self {
        Self(gateways.into())
    }

    /// One alone.
    pub fn only(gateway: Arc<dyn PaymentGateway>) -> Self {
        Self::new(vec![gateway])
    }

    /// The same, each call to which is told.
    #[must_use]
    pub fn measured(&self, telemetry: &Telemetry) -> Self {
        let measured = |gateway: &Arc<dyn PaymentGateway>| -> Arc<dyn PaymentGateway> {
            Arc::new(Measured { gateway: Arc::clone(gateway), telemetry: telemetry.clone() })
        };
        Self(self.0.iter().map(measured).collect())
    }

    /// The one whose name stands on a stored row; `None` where it is not configured (any more).
    pub fn named(&self, name: &str) -> Option<&dyn PaymentGateway> {
        self.0.iter().map(AsRef::as_ref).find(|gateway| gateway.kind().as_str() == name)
    }

    /// Each of them that moves money.
    pub fn all(&self) -> impl Iterator<Item = &dyn PaymentGateway> {
        self.charging()
    }

    /// The one that takes methods of this kind.
    pub fn taking(&self, method: MethodKind) -> Option<&dyn PaymentGateway> {
        self.0.iter().map(AsRef::as_ref).find(|gateway| gateway.kind().takes(method))
    }

    /// What the gateway of that name takes of a currency.
    pub fn terms_of(&self, name: &str, currency: Currency) -> Option<AmountTerms> {
        self.named(name)?.terms(currency)
    }

    /// The highest least amount of a currency: what is not below it every gateway of that currency takes.
    pub fn highest_least(&self, currency: Currency) -> Option<i64> {
        self.charging().filter_map(|gateway| gateway.terms(currency)).map(|terms| terms.least_minor).max()
    }

    /// What the most modest gateway takes of a currency: the one with the lowest least amount.
    pub fn most_modest(&self, currency: Currency) -> Option<AmountTerms> {
        self.charging().filter_map(|gateway| gateway.terms(currency)).min_by_key(|terms| terms.least_minor)
    }

    /// Those that charge. By a transfer any amount can be paid, and nobody has to.
    fn charging(&self) -> impl Iterator<Item = &dyn PaymentGateway> {
        self.0.iter().map(AsRef::as_ref).filter(|gateway| gateway.kind() != GatewayKind::Transfer)
    }
}

impl fmt::Debug for Gateways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|gateway| gateway.kind())).finish()
    }
}
