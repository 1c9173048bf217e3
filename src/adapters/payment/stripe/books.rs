//! What Stripe lists of a span of time: intents, refunds and disputes by when they were created, page by page.

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::super::books::{Books, BooksAnswer, ListedCharge, ListedDispute, ListedRefund, Moved};
use super::client::Form;
use super::disputes::StripeDispute;
use super::intents::Lost;
use super::objects::{Intent, IntentStatus, PAYMENT, Page, REFUND, StripeRefund};
use super::{StripeGateway, amounts};

/// How many objects a page has: the most that Stripe gives.
const PAGE: usize = 100;
/// The most pages of one list that are read of one span: ten thousand objects.
const MOST_PAGES: usize = 100;

/// An object of a list.
trait Listed: DeserializeOwned {
    /// Its id, behind which the next page begins.
    fn id(&self) -> &str;
}

impl Listed for Intent {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for StripeRefund {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Listed for StripeDispute {
    fn id(&self) -> &str {
        &self.id
    }
}

impl StripeGateway {
    /// What was created from `from` to before `until`.
    pub(super) async fn books_now(&self, from: Timestamp, until: Timestamp) -> BooksAnswer {
        match self.read_books(from, until).await {
            Ok(books) => BooksAnswer::Books(books),
            Err(Lost) => BooksAnswer::Unknown,
        }
    }

    /// The same.
    async fn read_books(&self, from: Timestamp, until: Timestamp) -> Result<Books, Lost> {
        let intents = self.list::<Intent>("/v1/payment_intents", from, until).await?;
        let refunds = self.list::<StripeRefund>("/v1/refunds", from, until).await?;
        let disputes = self.list::<StripeDispute>("/v1/disputes", from, until).await?;
        let dispute = |dispute: StripeDispute| {
            let charge_reference = dispute.intent()?.to_owned();
            Some(ListedDispute { reference: dispute.id, charge_reference })
        };
        Ok(Books {
            charges: intents.into_iter().map(charge).collect(),
            refunds: refunds.into_iter().map(refund).collect(),
            disputes: disputes.into_iter().filter_map(dispute).collect(),
        })
    }

    /// All of a list that was created in a span of time.
    async fn list<T: Listed>(&self, path: &str, from: Timestamp, until: Timestamp) -> Result<Vec<T>, Lost> {
        let mut found: Vec<T> = Vec::new();
        for _ in 0..MOST_PAGES {
            let mut query: Form<'_> = vec![
                ("created[gte]", from.as_second().to_string()),
                ("created[lt]", until.as_second().to_string()),
                ("limit", PAGE.to_string()),
            ];
            query.extend(found.last().map(|last| ("starting_after", last.id().to_owned())));
            let page = self.client.get::<Page<T>>(path, &query).await?;
            let is_empty = page.data.is_empty();
            found.extend(page.data);
            if !page.has_more || is_empty {
                return Ok(found);
            }
        }
        tracing::error!(path, %from, "Stripe lists more of a span of time than is read; somebody must look");
        Err(Lost)
    }
}

/// An intent.
fn charge(intent: Intent) -> ListedCharge {
    let moved = match intent.status {
        IntentStatus::Succeeded => Moved::Yes,
        // One that waits for another method was declined, and is called off when it is asked about.
        IntentStatus::Canceled | IntentStatus::RequiresPaymentMethod => Moved::No,
        IntentStatus::RequiresConfirmation
        | IntentStatus::RequiresAction
        | IntentStatus::Processing
        | IntentStatus::RequiresCapture
        | IntentStatus::Other => Moved::NotYet,
    };
    let amount = amounts::money(intent.amount, &intent.currency);
    ListedCharge { key: intent.metadata.get(PAYMENT).cloned(), reference: intent.id, amount, moved }
}

/// A refund.
fn refund(refund: StripeRefund) -> ListedRefund {
    let moved = match refund.status.as_deref() {
        Some("succeeded") => Moved::Yes,
        Some("failed" | "canceled") => Moved::No,
        _ => Moved::NotYet,
    };
    let amount = refund.currency.as_deref().and_then(|currency| amounts::money(refund.amount, currency));
    let charge_reference = refund.payment_intent.as_str().or_else(|| refund.payment_intent.get("id")?.as_str()).map(str::to_owned);
    ListedRefund { key: refund.metadata.get(REFUND).cloned(), reference: refund.id, charge_reference, amount, moved }
}
