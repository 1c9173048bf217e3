//! Which events people are told of: who, by what, and whether they may say no.

use crate::ids::UserId;
use crate::services::events::{Event, TRIAL_ENDING};
use crate::store::notifications::Recipient;
use crate::store::types::{Channel, Role};

/// Those who deal with money.
const MONEY: &[Role] = &[Role::Owner, Role::Admin, Role::Billing];
/// Those who manage the business.
const MANAGERS: &[Role] = &[Role::Owner, Role::Admin];
/// Whoever is in the business.
const EVERYBODY: &[Role] = &[Role::Owner, Role::Admin, Role::Billing, Role::Member];
/// The owners alone.
const OWNERS: &[Role] = &[Role::Owner];

/// A kind of notification: an event that people are told of, by its name.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The event's name.
    pub name: &'static str,
    /// Who is told.
    pub roles: &'static [Role],
    /// By mail too, and not in the application alone.
    pub by_mail: bool,
    /// Those who cannot refuse the mail.
    pub mandatory_for: &'static [Role],
    /// Mailed to the business's own address too.
    pub to_business: bool,
    /// Mailed to the platform's own support, where it has an address.
    pub to_support: bool,
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    Kind { by_mail: true, mandatory_for: OWNERS, ..Kind::in_app("business.registered", OWNERS) },
    Kind::in_app("subscription.created", MONEY),
    Kind { by_mail: true, ..Kind::in_app("subscription.plan_changed", MONEY) },
    Kind { by_mail: true, ..Kind::in_app("subscription.plan_change_scheduled", MONEY) },
    Kind { by_mail: true, ..Kind::in_app("subscription.cancellation_scheduled", MONEY) },
    Kind { by_mail: true, ..Kind::in_app(TRIAL_ENDING, MONEY) },
    Kind { by_mail: true, mandatory_for: OWNERS, ..Kind::in_app("subscription.past_due", MONEY) },
    Kind { by_mail: true, mandatory_for: OWNERS, ..Kind::in_app("subscription.suspended", MONEY) },
    Kind { by_mail: true, mandatory_for: OWNERS, ..Kind::in_app("subscription.canceled", MONEY) },
    Kind { by_mail: true, to_business: true, ..Kind::in_app("invoice.issued", MONEY) },
    Kind::in_app("invoice.paid", MONEY),
    Kind { by_mail: true, mandatory_for: OWNERS, ..Kind::in_app("payment.failed", MONEY) },
    Kind { by_mail: true, ..Kind::in_app("support_ticket.answered", EVERYBODY) },
    Kind { to_support: true, ..Kind::in_app("payment.came_late", &[]) },
    Kind { to_support: true, ..Kind::in_app("dispute.opened", &[]) },
    Kind { to_support: true, ..Kind::in_app("dispute.closed", &[]) },
    Kind { to_support: true, ..Kind::in_app("support_ticket.opened", &[]) },
    Kind { to_support: true, ..Kind::in_app("support_ticket.replied", &[]) },
    Kind { by_mail: true, ..Kind::in_app("usage.threshold_reached", MONEY) },
    Kind { by_mail: true, ..Kind::in_app("verification.approved", MANAGERS) },
    Kind { by_mail: true, mandatory_for: OWNERS, ..Kind::in_app("verification.expired", MANAGERS) },
    Kind { by_mail: true, mandatory_for: OWNERS, ..Kind::in_app("verification.needs_information", MANAGERS) },
    Kind { by_mail: true, mandatory_for: OWNERS, ..Kind::in_app("verification.rejected", MANAGERS) },
    Kind { by_mail: true, mandatory_for: OWNERS, ..Kind::in_app("webhook_endpoint.disabled", MANAGERS) },
];

impl Kind {
    /// A kind that is told in the application alone.
    const fn in_app(name: &'static str, roles: &'static [Role]) -> Self {
        Self { name, roles, by_mail: false, mandatory_for: &[], to_business: false, to_support: false }
    }

    /// The kind of that name.
    pub fn of(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// Whether it comes by this channel at all.
    pub const fn comes_by(&self, channel: Channel) -> bool {
        matches!(channel, Channel::InApp) || self.by_mail || self.to_support
    }

    /// Whether somebody with this role cannot refuse it there.
    pub fn is_mandatory(&self, channel: Channel, role: Role) -> bool {
        channel == Channel::Email && self.by_mail && self.mandatory_for.contains(&role)
    }
}

/// Those of `people` whom an event concerns: a ticket is its opener's, or where nobody opened it who is still there, the managers'.
pub(super) fn concerned(event: &Event, mut people: Vec<Recipient>) -> Vec<Recipient> {
    let Event::Ticket(_, facts) = event else { return people };
    let opener = facts.opened_by.as_deref().and_then(UserId::parse);
    if people.iter().any(|person| Some(person.user_id) == opener) {
        people.retain(|person| Some(person.user_id) == opener);
    } else {
        people.retain(|person| matches!(person.role, Role::Owner | Role::Admin));
    }
    people
}

/// What a notification of an event is about: what the reader wants to open.
pub(super) fn subject(event: &Event) -> String {
    match event {
        Event::PaymentSucceeded(facts) | Event::PaymentFailed(facts) | Event::PaymentCameLate(facts) => facts.invoice_id.clone(),
        Event::DisputeOpened(facts) | Event::DisputeClosed(facts) => facts.invoice_id.clone(),
        other => other.aggregate(),
    }
}

/// Where in the application that is, below its address.
pub(super) fn path(event: &Event) -> String {
    match event {
        Event::BusinessRegistered(_) => String::new(),
        Event::Subscription(_, facts) => format!("/subscriptions/{}", facts.subscription_id),
        Event::TrialEnding(facts) => format!("/subscriptions/{}", facts.subscription_id),
        Event::UsageThresholdReached(facts) => format!("/subscriptions/{}", facts.subscription_id),
        Event::InvoiceIssued(facts)
        | Event::InvoicePaid(facts)
        | Event::InvoiceVoided(facts)
        | Event::InvoiceMarkedUncollectible(facts) => format!("/invoices/{}", facts.invoice_id),
        Event::CreditNoteIssued(facts) => format!("/invoices/{}", facts.invoice_id),
        Event::RefundSucceeded(_) | Event::RefundFailed(_) => "/invoices".to_owned(),
        Event::PaymentSucceeded(facts) | Event::PaymentFailed(facts) | Event::PaymentCameLate(facts) => {
            format!("/invoices/{}", facts.invoice_id)
        }
        Event::DisputeOpened(facts) | Event::DisputeClosed(facts) => format!("/invoices/{}", facts.invoice_id),
        Event::Ticket(_, facts) => format!("/support/{}", facts.ticket_id),
        Event::Verification(..) => "/verification".to_owned(),
        Event::WebhookDisabled(facts) => format!("/webhooks/{}", facts.endpoint_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::notifications::letters;

    #[test]
    fn every_kind_is_an_event_and_has_words() {
        let names: Vec<&str> = Event::samples().iter().map(Event::name).collect();
        for kind in KINDS {
            assert!(names.contains(&kind.name), "{} is no event", kind.name);
            assert!(letters::is_known(kind.name), "{} has no words", kind.name);
            assert!(kind.mandatory_for.iter().all(|role| kind.by_mail && kind.roles.contains(role)), "{}", kind.name);
        }
    }
}
