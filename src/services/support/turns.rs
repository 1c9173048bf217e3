//! Whose turn it is in a ticket.

use crate::store::types::TicketStatus;

/// What may happen to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::services) enum Turn {
    /// The customer says something.
    Customer,
    /// Staff say something.
    Staff,
    /// Nobody has said anything for a while.
    Quiet,
    /// The customer closes it.
    Closed,
}

/// The state after a turn; `None` where there is no such turn.
pub(super) const fn after(status: TicketStatus, turn: Turn) -> Option<TicketStatus> {
    use TicketStatus::{Closed, Open, Resolved, WaitingForCustomer};
    match (status, turn) {
        (Closed, _) | (Open, Turn::Quiet) => None,
        (Open | WaitingForCustomer | Resolved, Turn::Customer) => Some(Open),
        (Open | WaitingForCustomer | Resolved, Turn::Staff) => Some(WaitingForCustomer),
        (WaitingForCustomer, Turn::Quiet) => Some(Resolved),
        (Resolved, Turn::Quiet) | (Open | WaitingForCustomer | Resolved, Turn::Closed) => Some(Closed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_opens_all_but_what_is_closed_and_silence_ends_what_waits_for_the_customer() {
        use TicketStatus::{Closed, Open, Resolved, WaitingForCustomer};
        for (status, customer, staff, quiet, closed) in [
            (Open, Some(Open), Some(WaitingForCustomer), None, Some(Closed)),
            (WaitingForCustomer, Some(Open), Some(WaitingForCustomer), Some(Resolved), Some(Closed)),
            (Resolved, Some(Open), Some(WaitingForCustomer), Some(Closed), Some(Closed)),
            (Closed, None, None, None, None),
        ] {
            let found = [Turn::Customer, Turn::Staff, Turn::Quiet, Turn::Closed].map(|turn| after(status, turn));
            assert_eq!(found, [customer, staff, quiet, closed], "{status:?}");
        }
    }
}
