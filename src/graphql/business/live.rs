//! Live updates. An operation that listens is run again for each change that it wants, as a query would be: with its caller's own
//! access, in a snapshot of its own. What a change is of is all that is known before.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, ID, Result, SimpleObject, Subscription as Live};
use futures::stream::{self, Iter};
use uuid::Uuid;

use super::catalog::Product;
use super::invoices::Invoice;
use super::notifications::Notification;
use super::payments::Payment;
use super::subscriptions::{Subscription, product_of_code};
use super::support::SupportTicket;
use super::usage::{MetricUsage, metric_at};
use super::verification::{Verification, of_caller};
use crate::error::Error;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::scalars::{DateTime, Decimal};
use crate::ids::{EventId, PaymentId, UserId};
use crate::services::access::Need;
use crate::services::events::{self, Event};
use crate::store::live::{Change, Subject};
use crate::store::reads::{invoices, payments, subscriptions};

/// What an operation that listens is run for.
pub enum Occasion {
    /// It begins: whether the caller may listen is asked, and what for is noted.
    Begin(Mutex<Option<Watch>>),
    /// Something changed that it listens for.
    Change(Change),
}

impl Occasion {
    /// The beginning.
    pub const fn begin() -> Self {
        Self::Begin(Mutex::new(None))
    }

    /// What the operation listens for, once it was run for its beginning.
    pub fn watch(&self) -> Option<Watch> {
        match self {
            Self::Begin(watch) => *watch.lock().unwrap_or_else(PoisonError::into_inner),
            Self::Change(_) => None,
        }
    }
}

/// What an operation listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// What this person is told.
    Notifications(UserId),
    /// Every subscription.
    Subscriptions,
    /// Every invoice.
    Invoices,
    /// Every payment.
    Payments,
    /// One payment. Its present state comes first: it may have changed before anybody listened.
    Payment(PaymentId),
    /// Thresholds of usage.
    Thresholds,
    /// The verification.
    Verification,
    /// Every ticket of support.
    Tickets,
}

impl Watch {
    /// Whether the operation is to be run for a change of its business.
    pub fn wants(self, change: &Change) -> bool {
        match (self, change.subject) {
            (Self::Notifications(person), Subject::Notification(_, told)) => person == told,
            (Self::Payment(one), Subject::Payment(changed)) => one == changed,
            (Self::Subscriptions, Subject::Subscription(_))
            | (Self::Invoices, Subject::Invoice(_))
            | (Self::Payments, Subject::Payment(_))
            | (Self::Thresholds, Subject::Threshold(_))
            | (Self::Verification, Subject::Verification)
            | (Self::Tickets, Subject::Ticket(_))
            // What is one thing can be read again where something may have been missed.
            | (Self::Payment(_) | Self::Verification, Subject::Missed) => true,
            _ => false,
        }
    }

    /// What is shown before anything has changed.
    pub const fn first(self) -> Option<Subject> {
        match self {
            Self::Payment(id) => Some(Subject::Payment(id)),
            _ => None,
        }
    }

    /// The one thing that it listens for, which changed or may have.
    const fn subject(self, changed: Subject) -> Subject {
        match (self, changed) {
            (Self::Payment(id), _) => Subject::Payment(id),
            (Self::Verification, _) => Subject::Verification,
            (_, changed) => changed,
        }
    }
}

/// What one run of an operation answers: something, or nothing.
type Once<T> = Iter<std::option::IntoIter<Result<Option<T>>>>;

/// Notes what an operation listens for where it begins, and else reads what changed. What the caller cannot see is not told of.
async fn told<T>(context: &Context<'_>, need: Need, watch: Watch, read: impl AsyncFnOnce(Subject) -> Result<Option<T>>) -> Result<Once<T>> {
    request(context).require(need).await?;
    let found = match context.data_unchecked::<Arc<Occasion>>().as_ref() {
        Occasion::Begin(noted) => {
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
            None
        }
        Occasion::Change(change) => read(watch.subject(change.subject)).await?,
    };
    Ok(stream::iter(found.map(|found| Ok(Some(found)))))
}

/// A threshold of usage that was reached. `threshold` as a part of `included`: `0.8`.
#[derive(SimpleObject)]
pub struct UsageThreshold {
    /// Of which product.
    product: Product,
    /// Which.
    threshold: Decimal,
    /// What is used of the feature now.
    usage: MetricUsage,
    /// When it was reached.
    at: DateTime,
}

/// The threshold that an event tells of.
async fn threshold(request: &RequestContext, id: EventId) -> Result<Option<UsageThreshold>> {
    let tenant = request.tenant().await?;
    let (_, event) = events::brought(&tenant, &id.to_string()).await?;
    let Event::UsageThresholdReached(facts) = event else { return Ok(None) };
    let unread = || Error::Corrupt("an event of a threshold cannot be read".into());
    let at = facts.at.parse::<jiff::Timestamp>().map_err(|_| unread())?;
    let Some(usage) = metric_at(request, (&facts.product, &facts.feature), at).await? else { return Ok(None) };
    let Some(id) = product_of_code(request, &facts.product).await? else { return Ok(None) };
    let Some(product) = Product::by_id(request, id).await? else { return Ok(None) };
    Ok(Some(UsageThreshold { product, threshold: Decimal(facts.threshold), usage, at: at.into() }))
}

/// What can be listened for, over a WebSocket (`graphql-transport-ws`) or as server-sent events.
#[derive(Debug, Default)]
pub struct SubscriptionRoot;

/// What can be listened for, over a WebSocket (`graphql-transport-ws`) or as server-sent events.
#[Live]
impl SubscriptionRoot {
    /// Something that the caller is told. For people, who alone are told anything.
    async fn notification_added(&self, context: &Context<'_>) -> Result<Once<Notification>> {
        let request = request(context);
        request.require(Need::OwnAccount).await?;
        let person = request.access().await?.person()?.user;
        told(context, Need::OwnAccount, Watch::Notifications(person), async |subject| {
            let Subject::Notification(id, _) = subject else { return Ok(None) };
            Ok(Notification::by_id(request, id).await?)
        })
        .await
    }

    /// A subscription of the business, whenever something of it changed.
    async fn subscription_changed(&self, context: &Context<'_>) -> Result<Once<Subscription>> {
        told(context, Need::Read, Watch::Subscriptions, async |subject| {
            let Subject::Subscription(id) = subject else { return Ok(None) };
            Ok(subscriptions::by_id(&request(context).reader().await?, id).await?.map(Subscription::new))
        })
        .await
    }

    /// An invoice of the business, whenever something of it changed.
    async fn invoice_changed(&self, context: &Context<'_>) -> Result<Once<Invoice>> {
        told(context, Need::ReadMoney, Watch::Invoices, async |subject| {
            let Subject::Invoice(id) = subject else { return Ok(None) };
            Ok(invoices::by_id(&request(context).reader().await?, id).await?.map(Invoice::new))
        })
        .await
    }

    /// An M-Pesa prompt or 3-D Secure settles after the mutation has answered: watch it here. With `paymentId`, that payment
    /// alone, and first as it is now.
    async fn payment_changed(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "This payment alone; without, each.")] payment_id: Option<ID>,
    ) -> Result<Once<Payment>> {
        // An id that names nothing is that of a payment which never changes.
        let one = payment_id.map(|id| PaymentId::parse(&id).unwrap_or_else(|| PaymentId::from(Uuid::nil())));
        told(context, Need::ReadMoney, one.map_or(Watch::Payments, Watch::Payment), async |subject| {
            let Subject::Payment(id) = subject else { return Ok(None) };
            Ok(payments::by_id(&request(context).reader().await?, id).await?.map(Payment::new))
        })
        .await
    }

    /// A threshold of a feature's usage is reached: once for each in a usage period.
    async fn usage_threshold_reached(&self, context: &Context<'_>) -> Result<Once<UsageThreshold>> {
        told(context, Need::ReadUsage, Watch::Thresholds, async |subject| {
            let Subject::Threshold(id) = subject else { return Ok(None) };
            threshold(request(context), id).await
        })
        .await
    }

    /// The verification of the business, whenever something of it changed.
    async fn verification_changed(&self, context: &Context<'_>) -> Result<Once<Verification>> {
        told(context, Need::Read, Watch::Verification, async |_| Ok(of_caller(request(context)).await?)).await
    }

    /// A ticket of the business, whenever something of it changed or was said; for a plain member, one that they opened.
    async fn support_ticket_changed(&self, context: &Context<'_>) -> Result<Once<SupportTicket>> {
        told(context, Need::Read, Watch::Tickets, async |subject| {
            let Subject::Ticket(id) = subject else { return Ok(None) };
            Ok(SupportTicket::by_id(request(context), id).await?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BusinessId, InvoiceId, NotificationId, SubscriptionId, TicketId};

    #[test]
    fn an_operation_hears_of_what_it_listens_for_alone() {
        let uuid = Uuid::from_u128;
        let person = UserId::from(uuid(1));
        let subjects = [
            Subject::Notification(NotificationId::from(uuid(2)), person),
            Subject::Notification(NotificationId::from(uuid(2)), UserId::from(uuid(9))),
            Subject::Subscription(SubscriptionId::from(uuid(3))),
            Subject::Invoice(InvoiceId::from(uuid(4))),
            Subject::Payment(PaymentId::from(uuid(5))),
            Subject::Payment(PaymentId::from(uuid(6))),
            Subject::Threshold(EventId::from(uuid(7))),
            Subject::Verification,
            Subject::Ticket(TicketId::from(uuid(8))),
            Subject::Missed,
        ];
        for (watch, heard) in [
            (Watch::Notifications(person), vec![0]),
            (Watch::Subscriptions, vec![2]),
            (Watch::Invoices, vec![3]),
            (Watch::Payments, vec![4, 5]),
            (Watch::Payment(PaymentId::from(uuid(5))), vec![4, 9]),
            (Watch::Thresholds, vec![6]),
            (Watch::Verification, vec![7, 9]),
            (Watch::Tickets, vec![8]),
        ] {
            let change = |subject| Change { business: BusinessId::from(uuid(1)), subject, events: Vec::new() };
            let found: Vec<usize> = (0..subjects.len()).filter(|place| watch.wants(&change(subjects[*place]))).collect();
            assert_eq!(found, heard, "{watch:?}");
        }
    }
}
