//! How often one may ask, and how much: who has said who they are by themselves, everybody else by the address that they ask from.
//!
//! Files are handed out to whoever has a link, so those who ask for them are counted by their address, and apart from the rest.
//!
//! Requests are counted, and what their operations cost leaks out of a bucket of points that fills again evenly (GCRA, the leaky bucket
//! as a meter). An operation that does not run spends no points. What is left is told by `extensions.rateLimit` and by the fields
//! `RateLimit` and `RateLimit-Policy` of <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>.
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
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderName, HeaderValue};
use uuid::Uuid;

use crate::config::{PointSettings, RateSettings};
use crate::error::{Allowance, Error, whole_seconds};
use crate::services::access::Caller;

/// After so many requests, those who did not ask for a while are forgotten.
const FORGET_EVERY: u32 = 4_096;

/// The limits of this process, and who has asked how often.
pub struct Rates {
    /// Of each person and each key.
    callers: Option<Rate<Uuid>>,
    /// Of each address from which nobody says who they are.
    addresses: Option<Rate<IpAddr>>,
    /// Of each address that files are asked for from.
    files: Option<Rate<IpAddr>>,
    /// The points of each person and each key.
    caller_points: Option<Bucket<Uuid>>,
    /// The points of each such address.
    address_points: Option<Bucket<IpAddr>>,
}

impl Rates {
    /// Limits as the settings give them.
    pub fn new(settings: RateSettings) -> Self {
        Self {
            callers: Rate::per_minute(settings.per_caller),
            addresses: Rate::per_minute(settings.per_address),
            files: Rate::per_minute(settings.files_per_address),
            caller_points: Bucket::of(settings.caller_points),
            address_points: Bucket::of(settings.address_points),
        }
    }

    /// No limits.
    pub const fn none() -> Self {
        Self { callers: None, addresses: None, files: None, caller_points: None, address_points: None }
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

    /// Takes what an operation costs from its caller's points; answers what is left, where that is limited.
    ///
    /// # Errors
    /// [`Error::RateLimited`] where there are not so many: then none is taken.
    pub fn spend(&self, caller: Caller, address: Option<IpAddr>, cost: u64) -> Result<Option<Allowance>, Error> {
        let of_caller = |id: Uuid| self.caller_points.as_ref().map(|bucket| bucket.spend(&id, cost)).transpose();
        match caller {
            Caller::Anonymous => {
                let bucket = self.address_points.as_ref().zip(address);
                bucket.map(|(bucket, address)| bucket.spend(&network_of(address), cost)).transpose()
            }
            Caller::User { user, .. } => of_caller(user.uuid()),
            Caller::Key { key, .. } => of_caller(key.uuid()),
            Caller::Staff { staff, .. } => of_caller(staff.uuid()),
            Caller::Service { .. } => Ok(None),
        }
    }

    fn count_caller(&self, id: Uuid) -> Result<(), Error> {
        self.callers.as_ref().map_or(Ok(()), |rate| rate.count(&id))
    }

    fn count_address(&self, address: Option<IpAddr>) -> Result<(), Error> {
        count_network(self.addresses.as_ref(), address)
    }

    /// Counts one who asks for a file from `address`, whatever their link is worth.
    ///
    /// # Errors
    /// [`Error::RateLimited`], with when to come again.
    pub fn count_file(&self, address: Option<IpAddr>) -> Result<(), Error> {
        count_network(self.files.as_ref(), address)
    }
}

/// Counts an address where there is a limit for it.
fn count_network(rate: Option<&Rate<IpAddr>>, address: Option<IpAddr>) -> Result<(), Error> {
    let (Some(rate), Some(address)) = (rate, address) else { return Ok(()) };
    rate.count(&network_of(address))
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
        if is_time_to_forget(&self.asked) {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.limiter.clock().now());
            Error::come_again(wait.max(Duration::from_secs(1)))
        })
    }
}

/// Counts one more who asked; says whether it is time to forget those who did not for a while.
fn is_time_to_forget(asked: &AtomicU32) -> bool {
    asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1
}

/// Points of each, some of which may be spent at once, and which are restored evenly.
struct Bucket<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>,
    asked: AtomicU32,
    /// How many there are at most.
    most: NonZeroU32,
    /// In what time one is restored.
    each: Duration,
}

impl<K: Hash + Eq + Clone> Bucket<K> {
    /// None for 0.
    fn of(points: PointSettings) -> Option<Self> {
        let (most, per_minute) = (NonZeroU32::new(points.most)?, NonZeroU32::new(points.per_minute)?);
        let quota = Quota::per_minute(per_minute).allow_burst(most);
        let limiter = RateLimiter::keyed(quota).with_middleware();
        Some(Self { limiter, asked: AtomicU32::new(0), most, each: quota.replenish_interval() })
    }

    /// Takes so many points from those of `key`; who asks for more than there ever are takes all of them.
    fn spend(&self, key: &K, points: u64) -> Result<Allowance, Error> {
        if is_time_to_forget(&self.asked) {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let points = NonZeroU32::new(u32::try_from(points).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN).min(self.most);
        match self.limiter.check_key_n(key, points) {
            Ok(Ok(left)) => Ok(self.allowance(left.remaining_burst_capacity())),
            Ok(Err(until)) => {
                let wait = until.wait_time_from(self.limiter.clock().now());
                let missing = wait.as_nanos().div_ceil(self.each.as_nanos().max(1));
                let left = points.get().saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX));
                Err(Error::RateLimited { retry_after: wait.max(Duration::from_secs(1)), allowance: Some(self.allowance(left)) })
            }
            // No more than all of them were asked for.
            Err(_) => Err(Error::Corrupt("a bucket of points has not what it was made with".into())),
        }
    }

    /// What is told where so many are left.
    fn allowance(&self, remaining: u32) -> Allowance {
        let limit = self.most.get();
        let reset = self.each.saturating_mul(limit.saturating_sub(remaining));
        Allowance { limit, remaining, reset, window: self.each.saturating_mul(limit) }
    }
}

/// What is left, as `extensions.rateLimit` shows it.
pub(super) fn shown(allowance: &Allowance) -> async_graphql::Value {
    let Allowance { limit, remaining, reset, .. } = *allowance;
    async_graphql::value!({ "limit": limit, "remaining": remaining, "resetSeconds": seconds(reset) })
}

/// What is left, as fields of the answer's head.
pub(super) fn fields(allowance: &Allowance) -> [(HeaderName, HeaderValue); 2] {
    let Allowance { limit, remaining, reset, window } = *allowance;
    let left = format!("\"cost\";r={remaining};t={}", seconds(reset));
    let policy = format!("\"cost\";q={limit};w={}", whole_seconds(window));
    // Digits and quotes are always good.
    let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    [(REMAINING, value(left)), (POLICY, value(policy))]
}

/// What is left, and when all of it is there again.
pub(super) const REMAINING: HeaderName = HeaderName::from_static("ratelimit");
/// How much there is in how long.
pub(super) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Rounded up.
const fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(if time.subsec_nanos() > 0 { 1 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ServiceKeyId, StaffId, StaffSessionId};

    fn rates(per_caller: u32, per_address: u32) -> Rates {
        Rates::new(RateSettings { per_caller, per_address, ..RateSettings::default() })
    }

    fn staff(id: u128) -> Caller {
        Caller::Staff { staff: StaffId::from(Uuid::from_u128(id)), session: StaffSessionId::from(Uuid::from_u128(9)) }
    }

    fn waits(answer: &Result<Caller, Error>) -> Option<u64> {
        match answer {
            Err(Error::RateLimited { retry_after, .. }) => Some(retry_after.as_secs()),
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
    fn whoever_asks_for_files_is_counted_by_their_address_and_apart_from_the_rest() {
        let rates = Rates::new(RateSettings { per_address: 1, files_per_address: 2, ..RateSettings::default() });
        let from = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert!(rates.count_file(from("192.0.2.1")).is_ok() && rates.count_file(from("192.0.2.1")).is_ok());
        let Err(Error::RateLimited { retry_after, .. }) = rates.count_file(from("192.0.2.1")) else { panic!("a third in a minute") };
        // Two a minute are one in 30 seconds.
        assert!((29..=30).contains(&retry_after.as_secs()), "{retry_after:?}");
        assert!(rates.count_file(from("192.0.2.2")).is_ok(), "another is not held up");
        assert!(rates.count(Ok(Caller::Anonymous), from("192.0.2.1")).is_ok(), "and may ask for something else");
        assert!(Rates::none().count_file(from("192.0.2.1")).is_ok() && rates.count_file(None).is_ok());
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

    fn points(most: u32, per_minute: u32) -> Rates {
        let caller_points = PointSettings { most, per_minute };
        Rates::new(RateSettings { caller_points, address_points: PointSettings { most: 10, per_minute: 10 }, ..RateSettings::default() })
    }

    #[test]
    fn an_operation_takes_its_cost_and_one_that_is_refused_takes_nothing() {
        // One a minute: none comes back while this runs.
        let rates = points(100, 1);
        let left = |cost| rates.spend(staff(1), None, cost).map(|left| left.unwrap().remaining);
        assert_eq!((left(60).unwrap(), left(0).unwrap()), (40, 39), "what costs nothing takes one");
        for _ in 0..3 {
            let Err(Error::RateLimited { retry_after, allowance: Some(allowance) }) = left(41) else { panic!() };
            // Two are missing, of which each takes a minute.
            assert!((119..=120).contains(&retry_after.as_secs()), "{retry_after:?}");
            assert_eq!((allowance.limit, allowance.remaining), (100, 39));
            assert!((60 * 61 - 1..=60 * 61).contains(&allowance.reset.as_secs()), "{allowance:?}");
        }
        assert_eq!(left(39).unwrap(), 0, "to the last");
        assert!(left(1).is_err());
        assert_eq!(rates.spend(staff(2), None, 1).unwrap().unwrap().remaining, 99, "another is not held up");
    }

    #[test]
    fn points_come_back_evenly_and_no_more_than_there_were() {
        // 60,000 a minute: one each millisecond.
        let rates = points(50, 60_000);
        assert_eq!(rates.spend(staff(1), None, 50).unwrap().unwrap().remaining, 0);
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(rates.spend(staff(1), None, 10).unwrap().unwrap().remaining, 40);
        assert_eq!(rates.spend(staff(2), None, u64::MAX).unwrap().unwrap().remaining, 0, "who asks for more than there are takes all");
    }

    #[test]
    fn nobody_spends_by_their_address_and_products_of_the_platform_spend_nothing() {
        let rates = points(100, 1);
        let from = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(rates.spend(Caller::Anonymous, from("2001:db8::1"), 7).unwrap().unwrap().remaining, 3);
        assert!(rates.spend(Caller::Anonymous, from("2001:db8::2"), 7).is_err(), "one network");
        assert!(rates.spend(Caller::Anonymous, from("192.0.2.1"), 7).is_ok());
        assert_eq!(rates.spend(Caller::Anonymous, None, 7).unwrap(), None);
        let product = crate::ids::ProductId::from(Uuid::from_u128(2));
        let service = Caller::Service { key: ServiceKeyId::from(Uuid::from_u128(1)), product, scope: None };
        for _ in 0..100 {
            assert_eq!(rates.spend(service, None, 20_000).unwrap(), None);
        }
        assert_eq!(points(0, 1).spend(staff(1), None, 20_000).unwrap(), None, "0 is any number");
    }

    #[test]
    fn what_is_left_is_told_as_the_draft_of_rate_limit_fields_has_it() {
        let allowance = Allowance { limit: 600_000, remaining: 599_000, reset: Duration::from_millis(100), window: Duration::from_mins(1) };
        let [left, policy] = fields(&allowance);
        assert_eq!((left.0.as_str(), left.1.to_str().unwrap()), ("ratelimit", "\"cost\";r=599000;t=1"));
        assert_eq!((policy.0.as_str(), policy.1.to_str().unwrap()), ("ratelimit-policy", "\"cost\";q=600000;w=60"));
        let shown = shown(&allowance).into_json().unwrap();
        assert_eq!(shown, serde_json::json!({ "limit": 600_000, "remaining": 599_000, "resetSeconds": 1 }));
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
        let bucket = Bucket::<u32>::of(PointSettings { most: 60_000, per_minute: 60_000 }).unwrap();
        for key in 0..FORGET_EVERY - 1 {
            bucket.spend(&key, 1).unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
        bucket.spend(&0, 1).unwrap();
        assert!(bucket.limiter.len() < 100, "{}", bucket.limiter.len());
    }
}
