//! Payment methods, payments and refunds: what a customer does with them, and the protocol by which an attempt is carried out.
//!
//! An attempt is written and committed before the gateway is called; the call is outside any transaction; the outcome is
//! committed after, by whoever holds the attempt's fence. A lost answer is never a failure: the gateway is asked until it
//! is known what became of the money. This room must never charge an invoice that has a live attempt, nor call a gateway
//! inside a transaction.

use super::Ports;

mod attempt;
mod by_hand;
mod compare;
mod disputes;
mod hints;
mod inbox;
mod ladder;
mod late;
mod methods;
mod options;
mod outcome;
mod pay;
mod protocol;
mod reconciliation;
mod refunds;
mod secrets;

pub use crate::adapters::payment::{MethodSource, SandboxBehavior};
pub use attempt::{Begun, Sender, begin_attempt, method_at, wait_for, wait_for_all};
pub use by_hand::{ByHand, Resolution, record_by_hand, resolve, resolve_refund};
pub(in crate::services) use hints::seal_anew;
pub use hints::{Named, named_by, take_hint};
pub use inbox::{DisputeHeard, GatewayEvent, sweep_events, take_event};
pub use methods::AddPaymentMethod;
pub use options::{PaymentOption, payment_options};
pub use pay::{PaidInvoice, PayInvoice};
pub use protocol::{BegunAttempt, gateway_spoke, run_job, send_begun};
pub use reconciliation::compare_due;
pub use refunds::{begin_refunds, pay_out_by_hand};
pub use secrets::{client_secret, has_client_secret};
pub(in crate::services) use secrets::{seal_client_secret_anew, seal_client_secret_in_plain};

/// The kind of the job that hands an attempt to the gateway; its key is the payment's id.
pub const CHARGE: &str = "charge";
/// The kind of the job that asks the gateway what became of an attempt; its key is the payment's id.
pub const LOOK_UP: &str = "look_up";
/// The kind of the job that hands a refund to the gateway, and asks what became of it; its key is the refund's id.
pub const REFUND: &str = "refund";
/// The kind of the job that asks whether an attempt that was over has succeeded all the same; its key is the payment's id, and which time.
pub const LATE: &str = "late_success";
/// The kind of the job that asks what became of a dispute; its key is the dispute's id, or what a gateway told of it.
pub const DISPUTE: &str = "dispute";
/// Every kind of job that [`run_job`] runs.
pub const JOB_KINDS: [&str; 5] = [CHARGE, LOOK_UP, REFUND, LATE, DISPUTE];

/// What a customer does with payment methods and payments.
#[derive(Clone)]
pub struct PaymentService {
    /// The outside.
    ports: Ports,
}

impl PaymentService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }
}
