//! Temporary.
use super::*;
#[allow(missing_docs)]
pub struct ChangePlanPreview {
    pub preview: Option<crate::services::billing::InvoicePreview>,
    pub effective_at: jiff::Timestamp,
    pub preview_token: String,
}
fn later<T>() -> Outcome<T> {
    Err(Error::Corrupt("later".into()).into())
}
#[allow(missing_docs, clippy::missing_errors_doc)]
impl SubscriptionService {
    pub async fn change_plan_preview(&self, _c: Caller, _i: PreviewChange) -> Outcome<ChangePlanPreview> {
        later()
    }
    pub async fn change_plan(&self, _c: Caller, _i: ChangePlan) -> Outcome<Billed> {
        later()
    }
    pub async fn cancel_plan_change(&self, _c: Caller, _i: Option<SubscriptionId>) -> Outcome<SubscriptionId> {
        later()
    }
    pub async fn cancel(&self, _c: Caller, _i: Cancel) -> Outcome<Billed> {
        later()
    }
    pub async fn reactivate(&self, _c: Caller, _i: Option<SubscriptionId>) -> Outcome<SubscriptionId> {
        later()
    }
    pub async fn set_auto_renewal(&self, _c: Caller, _i: Option<SubscriptionId>, _b: bool) -> Outcome<SubscriptionId> {
        later()
    }
}
impl Billed {
    pub fn of(s: SubscriptionId) -> Self {
        Self::nothing(s)
    }
}
