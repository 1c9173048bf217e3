//! What of an event somebody may be watching.

use super::catalogue::Event;
use crate::error::Error;
use crate::ids::{EventId, InvoiceId, PaymentId, SubscriptionId, TicketId};
use crate::store::Tenant;
use crate::store::live::{Change, Subject};
use crate::store::outbox::{self, StoredEvent};

/// What the event `id` tells of that may be watched.
fn subject(event: &Event, id: EventId) -> Option<Subject> {
    match event {
        Event::Subscription(_, facts) => SubscriptionId::parse(&facts.subscription_id).map(Subject::Subscription),
        Event::InvoiceIssued(facts)
        | Event::InvoicePaid(facts)
        | Event::InvoiceVoided(facts)
        | Event::InvoiceMarkedUncollectible(facts) => InvoiceId::parse(&facts.invoice_id).map(Subject::Invoice),
        Event::CreditNoteIssued(facts) => InvoiceId::parse(&facts.invoice_id).map(Subject::Invoice),
        Event::RefundSucceeded(facts) | Event::RefundFailed(facts) => PaymentId::parse(&facts.payment_id).map(Subject::Payment),
        Event::PaymentSucceeded(facts) | Event::PaymentFailed(facts) | Event::PaymentCameLate(facts) => {
            PaymentId::parse(&facts.payment_id).map(Subject::Payment)
        }
        Event::DisputeOpened(facts) | Event::DisputeClosed(facts) => PaymentId::parse(&facts.payment_id).map(Subject::Payment),
        Event::Ticket(_, facts) => TicketId::parse(&facts.ticket_id).map(Subject::Ticket),
        Event::Verification(..) => Some(Subject::Verification),
        Event::UsageThresholdReached(_) => Some(Subject::Threshold(id)),
        Event::BusinessRegistered(_) | Event::TrialEnding(_) | Event::WebhookDisabled(_) => None,
    }
}

/// Notes in an event's transaction what it tells of.
pub(super) fn note(tenant: &Tenant, event: &Event, id: EventId) {
    if let Some(subject) = subject(event, id) {
        outbox::tell(tenant, subject, id);
    }
}

/// The change that an event of the past tells of; none where nobody can watch it.
///
/// # Errors
/// [`Error::Corrupt`] for an event that the catalogue does not know.
pub fn change(stored: &StoredEvent) -> Result<Option<Change>, Error> {
    let event = Event::read(&stored.name, stored.version, &stored.payload)?;
    Ok(subject(&event, stored.id).map(|subject| Change { business: stored.business_id, subject, events: vec![stored.id] }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_but_three_tells_of_something_that_can_be_watched() {
        let silent: Vec<&str> =
            Event::samples().iter().filter(|event| subject(event, EventId::from(uuid::Uuid::nil())).is_none()).map(Event::name).collect();
        assert_eq!(silent, ["business.registered", "subscription.trial_ending", "webhook_endpoint.disabled"]);
    }
}
