//! The states of subscriptions, invoices and payments, and which event leads from which to which. Nothing else
//! changes a state.

text_enum! {
    /// The state of a subscription.
    SubscriptionStatus {
        /// The first payment is not settled; there is no access yet.
        Incomplete = "INCOMPLETE",
        /// A trial runs.
        Trialing = "TRIALING",
        /// All is well.
        Active = "ACTIVE",
        /// An invoice is overdue and being retried; access goes on.
        PastDue = "PAST_DUE",
        /// Retries are used up; access is off.
        Suspended = "SUSPENDED",
        /// Ended. Final.
        Canceled = "CANCELED",
        /// The first payment never came. Final.
        Expired = "EXPIRED",
    }
}

text_enum! {
    /// What happens to a subscription.
    SubscriptionEvent {
        /// INCOMPLETE: its first invoice is settled.
        FirstInvoiceSettled = "FIRST_INVOICE_SETTLED",
        /// INCOMPLETE: 24 hours without payment, cancelled, its invoice void, or another sign-up in its place.
        FirstInvoiceAbandoned = "FIRST_INVOICE_ABANDONED",
        /// The trial ends and the first charge can be tried, or nothing is due.
        TrialEnded = "TRIAL_ENDED",
        /// The trial ends and no payment method is usable.
        TrialEndedWithoutMethod = "TRIAL_ENDED_WITHOUT_METHOD",
        /// A charge failed, or an invoice is past its due date.
        PaymentOverdue = "PAYMENT_OVERDUE",
        /// No open invoice is overdue any more (PAST_DUE); no open invoice is left (SUSPENDED).
        PaymentRecovered = "PAYMENT_RECOVERED",
        /// The last retry failed.
        RetriesExhausted = "RETRIES_EXHAUSTED",
        /// A payment dispute was lost.
        DisputeLost = "DISPUTE_LOST",
        /// The end, by whomever: a cancellation takes effect, or 30 days of suspension are over.
        Canceled = "CANCELED",
    }
}

text_enum! {
    /// The state of an invoice.
    InvoiceStatus {
        /// Not issued; may be deleted.
        Draft = "DRAFT",
        /// Issued and not settled.
        Open = "OPEN",
        /// Settled. Final.
        Paid = "PAID",
        /// Called off. Final.
        Void = "VOID",
        /// Given up on; may still be paid.
        Uncollectible = "UNCOLLECTIBLE",
    }
}

text_enum! {
    /// What happens to an invoice.
    InvoiceEvent {
        /// It gets its number. With a total of zero [`InvoiceEvent::Settled`] follows at once.
        Issued = "ISSUED",
        /// Nothing is due any more.
        Settled = "SETTLED",
        /// It is called off.
        Voided = "VOIDED",
        /// It is given up on.
        WrittenOff = "WRITTEN_OFF",
    }
}

text_enum! {
    /// The state of one payment attempt, as it is kept; [`PaymentStatus::shown`] is what the API shows.
    PaymentStatus {
        /// Written and not sent.
        Created = "CREATED",
        /// Handed to the gateway; no answer yet.
        Sending = "SENDING",
        /// The customer must act.
        RequiresAction = "REQUIRES_ACTION",
        /// The gateway's answer was lost; never charged again meanwhile.
        Unknown = "UNKNOWN",
        /// Charged.
        Succeeded = "SUCCEEDED",
        /// Not charged. Final.
        Failed = "FAILED",
        /// Given up before anything was charged. Final.
        Canceled = "CANCELED",
        /// Charged and paid back in part.
        PartiallyRefunded = "PARTIALLY_REFUNDED",
        /// Charged and paid back.
        Refunded = "REFUNDED",
        /// The payer's bank has taken it back or may.
        Disputed = "DISPUTED",
    }
}

text_enum! {
    /// What happens to a payment attempt.
    PaymentEvent {
        /// The worker hands it to the gateway.
        Sent = "SENT",
        /// The gateway charged it.
        Succeeded = "SUCCEEDED",
        /// The gateway refused it.
        Failed = "FAILED",
        /// The gateway waits for the customer.
        ActionRequired = "ACTION_REQUIRED",
        /// The answer was lost.
        AnswerLost = "ANSWER_LOST",
        /// It was called off, and the gateway agreed where it knew of it.
        Canceled = "CANCELED",
        /// A part was paid back.
        PartlyRefunded = "PARTLY_REFUNDED",
        /// All was paid back.
        FullyRefunded = "FULLY_REFUNDED",
        /// The payer's bank disputes it.
        DisputeOpened = "DISPUTE_OPENED",
        /// The dispute was won, and nothing had been paid back.
        DisputeWon = "DISPUTE_WON",
        /// The dispute was won, and a part had been paid back.
        DisputeWonPartlyRefunded = "DISPUTE_WON_PARTLY_REFUNDED",
        /// The dispute was won, and all had been paid back.
        DisputeWonRefunded = "DISPUTE_WON_REFUNDED",
    }
}

text_enum! {
    /// The state of one refund, as it is kept; [`RefundStatus::shown`] is what the API shows.
    RefundStatus {
        /// Written and not sent.
        Created = "CREATED",
        /// Handed to the gateway; no answer yet.
        Sending = "SENDING",
        /// The gateway has it in hand.
        Accepted = "ACCEPTED",
        /// The gateway's answer was lost.
        Unknown = "UNKNOWN",
        /// Paid back. Final.
        Succeeded = "SUCCEEDED",
        /// Not paid back, and never will be: it became account credit. Final.
        Failed = "FAILED",
    }
}

text_enum! {
    /// What happens to a refund.
    RefundEvent {
        /// The worker hands it to the gateway.
        Sent = "SENT",
        /// The gateway has taken it in hand, and tells later what became of it.
        Accepted = "ACCEPTED",
        /// The answer was lost.
        AnswerLost = "ANSWER_LOST",
        /// The gateway paid it.
        Succeeded = "SUCCEEDED",
        /// The gateway will not pay it.
        Failed = "FAILED",
    }
}

/// An event that the state does not allow; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible in {state}")]
pub struct InvalidTransition {
    /// The state it is in.
    pub state: &'static str,
    /// What was to happen.
    pub event: &'static str,
}

impl SubscriptionStatus {
    /// The state that a new one begins in.
    pub const fn initial(has_trial: bool, is_something_due: bool) -> Self {
        match (has_trial, is_something_due) {
            (true, _) => Self::Trialing,
            (false, true) => Self::Incomplete,
            (false, false) => Self::Active,
        }
    }

    /// Whether it counts as the business's subscription to the product: all but the final two.
    pub const fn is_live(self) -> bool {
        !self.is_final()
    }

    /// Whether nothing leads out of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Canceled | Self::Expired)
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`InvalidTransition`] where this state does not know it.
    pub const fn apply(self, event: SubscriptionEvent) -> Result<Self, InvalidTransition> {
        use SubscriptionEvent as Event;
        match (self, event) {
            (Self::Incomplete, Event::FirstInvoiceSettled)
            | (Self::Trialing, Event::TrialEnded)
            | (Self::PastDue | Self::Suspended, Event::PaymentRecovered) => Ok(Self::Active),
            (Self::Incomplete, Event::FirstInvoiceAbandoned) => Ok(Self::Expired),
            (Self::Trialing, Event::TrialEndedWithoutMethod) | (Self::Active, Event::PaymentOverdue) => Ok(Self::PastDue),
            (Self::PastDue, Event::RetriesExhausted) | (Self::Active | Self::PastDue, Event::DisputeLost) => Ok(Self::Suspended),
            (Self::Trialing | Self::Active | Self::PastDue | Self::Suspended, Event::Canceled) => Ok(Self::Canceled),
            _ => Err(InvalidTransition { state: self.as_str(), event: event.as_str() }),
        }
    }
}

impl InvoiceStatus {
    /// Whether nothing leads out of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Paid | Self::Void)
    }

    /// Whether it can be paid.
    pub const fn is_payable(self) -> bool {
        matches!(self, Self::Open | Self::Uncollectible)
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`InvalidTransition`] where this state does not know it.
    pub const fn apply(self, event: InvoiceEvent) -> Result<Self, InvalidTransition> {
        match (self, event) {
            (Self::Draft, InvoiceEvent::Issued) => Ok(Self::Open),
            (Self::Open | Self::Uncollectible, InvoiceEvent::Settled) => Ok(Self::Paid),
            (Self::Open | Self::Uncollectible, InvoiceEvent::Voided) => Ok(Self::Void),
            (Self::Open, InvoiceEvent::WrittenOff) => Ok(Self::Uncollectible),
            _ => Err(InvalidTransition { state: self.as_str(), event: event.as_str() }),
        }
    }
}

impl PaymentStatus {
    /// Whether it may still charge something: an invoice has one such attempt at most.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Created | Self::Sending | Self::RequiresAction | Self::Unknown)
    }

    /// What the API shows: CREATED and SENDING are both PENDING.
    pub const fn shown(self) -> &'static str {
        match self {
            Self::Created | Self::Sending => "PENDING",
            other => other.as_str(),
        }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`InvalidTransition`] where this state does not know it.
    pub const fn apply(self, event: PaymentEvent) -> Result<Self, InvalidTransition> {
        use PaymentEvent as Event;
        match (self, event) {
            (Self::Created, Event::Sent) => Ok(Self::Sending),
            (Self::Sending | Self::RequiresAction | Self::Unknown, Event::Succeeded) | (Self::Disputed, Event::DisputeWon) => {
                Ok(Self::Succeeded)
            }
            (Self::Sending | Self::RequiresAction | Self::Unknown, Event::Failed) => Ok(Self::Failed),
            (Self::Sending, Event::ActionRequired) => Ok(Self::RequiresAction),
            (Self::Sending | Self::RequiresAction, Event::AnswerLost) => Ok(Self::Unknown),
            (Self::Created | Self::RequiresAction, Event::Canceled) => Ok(Self::Canceled),
            (Self::Succeeded | Self::PartiallyRefunded, Event::PartlyRefunded) | (Self::Disputed, Event::DisputeWonPartlyRefunded) => {
                Ok(Self::PartiallyRefunded)
            }
            (Self::Succeeded | Self::PartiallyRefunded, Event::FullyRefunded) | (Self::Disputed, Event::DisputeWonRefunded) => {
                Ok(Self::Refunded)
            }
            // A bank may take back what was paid back already.
            (Self::Succeeded | Self::PartiallyRefunded | Self::Refunded, Event::DisputeOpened) => Ok(Self::Disputed),
            _ => Err(InvalidTransition { state: self.as_str(), event: event.as_str() }),
        }
    }
}

impl RefundStatus {
    /// Whether nothing leads out of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// What the API shows: what is on its way is PENDING.
    pub const fn shown(self) -> &'static str {
        match self {
            Self::Created | Self::Sending | Self::Accepted => "PENDING",
            other => other.as_str(),
        }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`InvalidTransition`] where this state does not know it.
    pub const fn apply(self, event: RefundEvent) -> Result<Self, InvalidTransition> {
        use RefundEvent as Event;
        match (self, event) {
            (Self::Created, Event::Sent) => Ok(Self::Sending),
            (Self::Sending | Self::Unknown, Event::Accepted) => Ok(Self::Accepted),
            (Self::Sending, Event::AnswerLost) => Ok(Self::Unknown),
            (Self::Sending | Self::Accepted | Self::Unknown, Event::Succeeded) => Ok(Self::Succeeded),
            (Self::Sending | Self::Accepted | Self::Unknown, Event::Failed) => Ok(Self::Failed),
            _ => Err(InvalidTransition { state: self.as_str(), event: event.as_str() }),
        }
    }
}
