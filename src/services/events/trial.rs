//! What is told before a trial ends.

use serde::{Deserialize, Serialize};

use super::catalogue::SubscriptionFacts;

/// A trial that ends soon, and what its end charges as things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrialFacts {
    /// The subscription.
    pub subscription_id: String,
    /// The product's code.
    pub product: String,
    /// The plan that the first charged period is of.
    pub plan_id: String,
    /// What it is called.
    pub plan_name: String,
    /// MONTHLY or YEARLY.
    pub interval: String,
    /// When the trial ends.
    pub trial_end: String,
    /// ISO 4217.
    pub currency: String,
    /// What the first invoice comes to, with tax.
    pub total: String,
    /// What of that account credit leaves to be paid.
    pub amount_due: String,
    /// The payment method that it is collected by; none where none can be used then.
    pub payment_method_id: Option<String>,
}

impl TrialFacts {
    /// One to show, of that subscription.
    pub(super) fn sample(subscription: &SubscriptionFacts) -> Self {
        let text = str::to_owned;
        Self {
            subscription_id: subscription.subscription_id.clone(),
            product: subscription.product.clone(),
            plan_id: subscription.plan_id.clone(),
            plan_name: subscription.plan_name.clone(),
            interval: subscription.interval.clone(),
            trial_end: text("2027-02-28T09:00:00Z"),
            currency: text("KES"),
            total: text("5788.40"),
            amount_due: text("4990.00"),
            payment_method_id: Some(text("pm_01k2x3y4z5e8f9g0h1j2k3m4nk")),
        }
    }
}
