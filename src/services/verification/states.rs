//! How far a business has come with its verification, and what may happen next.

use crate::store::types::VerificationStatus;

/// What may happen to a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::services) enum Turn {
    /// The business submits what is asked for.
    Submitted,
    /// Staff approve it.
    Approved,
    /// Staff reject it.
    Rejected,
    /// Staff, or the scanner, ask for something else.
    Asked,
    /// The business is called otherwise, is elsewhere, or has another tax id.
    Renamed,
    /// The approval has run out.
    RanOut,
}

/// The state after a turn; `None` where there is no such turn.
pub(in crate::services) const fn after(status: VerificationStatus, turn: Turn) -> Option<VerificationStatus> {
    use VerificationStatus::{Approved, Expired, NeedsInformation, Pending, Rejected, Unverified};
    match (status, turn) {
        (Unverified | Rejected | NeedsInformation | Expired, Turn::Submitted) => Some(Pending),
        (Pending, Turn::Approved) => Some(Approved),
        (Pending, Turn::Rejected) => Some(Rejected),
        (Pending | Approved, Turn::Asked) | (Approved, Turn::Renamed) => Some(NeedsInformation),
        (Approved, Turn::RanOut) => Some(Expired),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use VerificationStatus::{Approved, Expired, NeedsInformation, Pending, Rejected, Unverified};

    const TURNS: [Turn; 6] = [Turn::Submitted, Turn::Approved, Turn::Rejected, Turn::Asked, Turn::Renamed, Turn::RanOut];

    #[test]
    fn every_turn_in_every_state_is_as_the_table_says() {
        // By state: submitted, approved, rejected, asked, renamed, ran out.
        let table = [
            (Unverified, [Some(Pending), None, None, None, None, None]),
            (Pending, [None, Some(Approved), Some(Rejected), Some(NeedsInformation), None, None]),
            (NeedsInformation, [Some(Pending), None, None, None, None, None]),
            (Approved, [None, None, None, Some(NeedsInformation), Some(NeedsInformation), Some(Expired)]),
            (Rejected, [Some(Pending), None, None, None, None, None]),
            (Expired, [Some(Pending), None, None, None, None, None]),
        ];
        assert_eq!(table.len(), VerificationStatus::ALL.len());
        for (status, expected) in table {
            assert_eq!(TURNS.map(|turn| after(status, turn)), expected, "{status:?}");
        }
    }

    #[test]
    fn on_any_walk_an_approval_follows_a_submission_and_only_an_approval_runs_out() {
        // A generator of Lehmer's: the same walks each time.
        let mut seed = 20_261_126_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(48_271) % 0x7fff_ffff;
            usize::try_from(seed).unwrap() % below
        };
        let mut reached = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let mut walk = vec![Unverified];
            for _ in 0..100 {
                let last = walk[walk.len() - 1];
                walk.extend(after(last, TURNS[next(TURNS.len())]));
            }
            for pair in walk.windows(2) {
                reached.insert(pair[1].as_str());
                match pair[1] {
                    Unverified => panic!("nothing goes back to the beginning"),
                    Pending => assert!(!matches!(pair[0], Pending | Approved)),
                    Approved | Rejected => assert_eq!(pair[0], Pending),
                    NeedsInformation => assert!(matches!(pair[0], Pending | Approved)),
                    Expired => assert_eq!(pair[0], Approved),
                }
            }
        }
        assert_eq!(reached.len(), 5, "the walks went everywhere: {reached:?}");
    }
}
