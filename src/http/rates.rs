//! How often one may ask: who has said who they are by themselves, everybody else by the address that they ask from.
//!
//! The count is this process's own, in memory: it keeps one caller from taking the server from the others. What must hold across
//! processes and restarts (guessing passwords, mails to a stranger) is counted in the database instead, in `services/throttle.rs`.
//! Keys of the platform's own products are not counted: they ask for all of its customers.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use uuid::Uuid;

use crate::config::RateSettings;
use crate::error::Error;
use crate::services::access::Caller;

/// After so many requests, those who did not ask for a while are forgotten.
const FORGET_EVERY: u32 = 4_096;

/// The limits of this process, and who has asked how often.
pub struct Rates {
    /// Of each person and each key.
    callers: Option<Rate<Uuid>>,
    /// Of each address from which nobody says who they are.
    addresses: Option<Rate<IpAddr>>,
}

impl Rates {
    /// Limits as the settings give them.
    pub fn new(settings: RateSettings) -> Self {
        Self { callers: Rate::per_minute(settings.per_caller), addresses: Rate::per_minute(settings.per_address) }
    }

    /// No limits.
    pub const fn none() -> Self {
        Self { callers: None, addresses: None }
    }

    /// Counts a request of whoever the guard found, from `address`.
    ///
    /// # Errors
    /// [`Error::RateLimited`], with when to come again; and what the guard refused.
    pub fn count(&self, found: Result<Caller, Error>, address: Option<IpAddr>) -> Result<Caller, Error> {
        let caller = match found {
            Ok(caller) => caller,
            // Whoever guesses at tokens is nobody.
            Err(refused) => {
                self.count_address(address)?;
                return Err(refused);
            }
        };
        match caller {
            Caller::Anonymous => self.count_address(address)?,
            Caller::User { user, .. } => self.count_caller(user.uuid())?,
            Caller::Key { key, .. } => self.count_caller(key.uuid())?,
            Caller::Staff { staff, .. } => self.count_caller(staff.uuid())?,
            Caller::Service { .. } => {}
        }
        Ok(caller)
    }

    fn count_caller(&self, id: Uuid) -> Result<(), Error> {
        self.callers.as_ref().map_or(Ok(()), |rate| rate.count(&id))
    }

    fn count_address(&self, address: Option<IpAddr>) -> Result<(), Error> {
        let (Some(rate), Some(address)) = (&self.addresses, address) else { return Ok(()) };
        rate.count(&network_of(address))
    }
}

/// Whoever has one address of a network of IPv6 has all 2⁶⁴ of it.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [one, two, three, four, ..] = address.segments();
            Ipv6Addr::new(one, two, three, four, 0, 0, 0, 0).into()
        }
    }
}

/// So many requests a minute, each of which may be asked at once.
struct Rate<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>,
    asked: AtomicU32,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// None for 0.
    fn per_minute(requests: u32) -> Option<Self> {
        let quota = Quota::per_minute(NonZeroU32::new(requests)?);
        Some(Self { limiter: RateLimiter::keyed(quota), asked: AtomicU32::new(0) })
    }

    fn count(&self, key: &K) -> Result<(), Error> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.limiter.clock().now());
            Error::RateLimited { retry_after: wait.max(Duration::from_secs(1)) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ServiceKeyId, StaffId, StaffSessionId};

    fn rates(per_caller: u32, per_address: u32) -> Rates {
        Rates::new(RateSettings { per_caller, per_address })
    }

    fn staff(id: u128) -> Caller {
        Caller::Staff { staff: StaffId::from(Uuid::from_u128(id)), session: StaffSessionId::from(Uuid::from_u128(9)) }
    }

    fn waits(answer: &Result<Caller, Error>) -> Option<u64> {
        match answer {
            Err(Error::RateLimited { retry_after }) => Some(retry_after.as_secs()),
            _ => None,
        }
    }

    #[test]
    fn a_caller_has_so_many_requests_a_minute_and_is_told_when_to_come_again() {
        let rates = rates(3, 1);
        for _ in 0..3 {
            assert_eq!(waits(&rates.count(Ok(staff(1)), None)), None);
        }
        // Three a minute are one in 20 seconds.
        let wait = waits(&rates.count(Ok(staff(1)), None)).unwrap();
        assert!((19..=20).contains(&wait), "{wait}");
        assert_eq!(waits(&rates.count(Ok(staff(2)), None)), None, "another is not held up");
    }

    #[test]
    fn nobody_and_whoever_guesses_at_tokens_are_counted_by_their_address() {
        let rates = rates(1, 2);
        let from = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert!(rates.count(Ok(Caller::Anonymous), from("192.0.2.1")).is_ok());
        assert!(matches!(rates.count(Err(Error::Unauthenticated), from("192.0.2.1")), Err(Error::Unauthenticated)));
        assert!(waits(&rates.count(Err(Error::Unauthenticated), from("192.0.2.1"))).is_some());
        assert!(waits(&rates.count(Ok(Caller::Anonymous), from("192.0.2.1"))).is_some());
        assert!(rates.count(Ok(Caller::Anonymous), from("192.0.2.2")).is_ok());
        assert!(rates.count(Ok(staff(1)), from("192.0.2.1")).is_ok(), "who is known is counted by themselves");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let rates = rates(1, 1);
        let from = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert!(rates.count(Ok(Caller::Anonymous), from("2001:db8::1")).is_ok());
        assert!(waits(&rates.count(Ok(Caller::Anonymous), from("2001:db8::ffff:1"))).is_some());
        assert!(rates.count(Ok(Caller::Anonymous), from("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn products_of_the_platform_and_limits_of_0_count_nobody() {
        let service = Caller::Service {
            key: ServiceKeyId::from(Uuid::from_u128(1)),
            product: crate::ids::ProductId::from(Uuid::from_u128(2)),
            scope: None,
        };
        let (one, none) = (rates(1, 1), rates(0, 0));
        for _ in 0..10 {
            assert!(one.count(Ok(service), None).is_ok() && none.count(Ok(staff(1)), None).is_ok());
            assert!(none.count(Ok(Caller::Anonymous), Some([127, 0, 0, 1].into())).is_ok());
        }
    }

    #[test]
    fn those_who_stay_away_are_forgotten() {
        // 60,000 a minute: a millisecond each.
        let rate = Rate::<u32>::per_minute(60_000).unwrap();
        for key in 0..FORGET_EVERY - 1 {
            rate.count(&key).unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
        rate.count(&0).unwrap();
        assert!(rate.limiter.len() < 100, "{}", rate.limiter.len());
    }
}
