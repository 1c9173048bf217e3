//! What goes wrong on demand: with requests that move money, and with what a gateway tells by itself.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;

/// What the chance of lost answers begins with: it is the same in each run.
const CHANCE: u64 = 0x9e37_79b9_7f4a_7c15;

/// What goes wrong with one request that moves money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not arrive.
    RequestLost,
    /// It is done, and the connection breaks before its answer.
    AnswerLost,
    /// It is done, and the answer says that the gateway is not well.
    ErrorAfterEffect,
    /// It is done after this, and answered.
    Slow(Duration),
    /// The connection breaks, and it arrives later.
    Late,
    /// There is no room for it.
    Busy,
    /// What proves who asks is not known any more.
    NoToken,
}

/// What goes wrong with one thing that a gateway tells by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackFault {
    /// It is told twice.
    Duplicate,
    /// It is told after the next one of its gateway.
    Reordered,
    /// It is told so many milliseconds late.
    Late(u64),
    /// It is not told.
    Missing,
    /// It is told by somebody else: signed with another secret, or, where nothing is signed, at an address that was never given.
    WrongSignature,
}

/// The faults of one gateway's requests that are still to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// What goes wrong with the next requests, one each.
    queue: VecDeque<Fault>,
    /// How many in a hundred answers are lost at random.
    lost_percent: u64,
    /// The state of that chance.
    chance: u64,
}

impl Faults {
    /// Has these happen, one for each request.
    pub(super) fn extend(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.queue.extend(faults);
    }

    /// Loses so many in a hundred answers from now on, by a chance that is the same in each run.
    pub(super) fn lose(&mut self, percent: u64) {
        (self.lost_percent, self.chance) = (percent, CHANCE);
    }

    /// How many wait for their request, and how many in a hundred answers are lost besides.
    pub(super) fn waiting(&self) -> (usize, u64) {
        (self.queue.len(), self.lost_percent)
    }

    /// What goes wrong with the next request. Of the answers that are lost, half are those of requests that were lost themselves.
    pub(super) fn draw(&mut self) -> Option<Fault> {
        if let Some(fault) = self.queue.pop_front() {
            return Some(fault);
        }
        if self.lost_percent == 0 {
            return None;
        }
        // xorshift
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        let (is_lost, after) = (self.chance % 100 < self.lost_percent, self.chance & (1 << 40) == 0);
        is_lost.then_some(if after { Fault::AnswerLost } else { Fault::RequestLost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_their_order_and_then_by_the_same_chance_each_time() {
        let run = || {
            let mut faults = Faults::default();
            faults.extend([Fault::Busy, Fault::Late]);
            faults.lose(30);
            (0..1_002).map(|_| faults.draw()).collect::<Vec<_>>()
        };
        let drawn = run();
        assert_eq!(drawn[..2], [Some(Fault::Busy), Some(Fault::Late)]);
        let lost = drawn[2..].iter().flatten().count();
        assert!((250..350).contains(&lost), "{lost} of 1,000 were lost");
        assert!([Fault::AnswerLost, Fault::RequestLost].iter().all(|fault| drawn[2..].contains(&Some(*fault))));
        assert_eq!(drawn, run());
        assert_eq!(Faults::default().draw(), None);
    }
}
