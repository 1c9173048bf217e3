//! Guessing is slow: who fails to prove who they are waits before the next try, longer each time.
//!
//! A try is counted where it failed, in a transaction of its own, against two subjects:
//!
//! - **the account, from elsewhere**: all places from which nobody has signed in to it lately, together. From a place where
//!   somebody has, failures are counted for that place alone. So an attack, from however many places, never keeps a person
//!   out where they have signed in before.
//! - **the place**, for whichever account: not for an account that was signed in to from there.
//!
//! One failure is forgotten for each [`Ladder::leak`] without another. The answer is the same whether or not an account is
//! there, and so is the work. A right password that comes while the count says wait is refused as a wrong one is: else many
//! tries at once would be worth more than a few. Counts are in the database, so that they hold across processes.
//! It must never keep or log a password, an address of mail or of the network.

use std::net::IpAddr;

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use super::Ports;
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::UserId;
use crate::store::sign_in_tries::{self as stored, Tries};
use crate::store::{Instant, System};

/// How long a place is known for after somebody came in from there.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How often it is noted that somebody came in from a known place.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// After that without a failure nothing is left of a count.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// A count goes no further than this past the failures that are free.
const MOST_COUNTED: i32 = 20;

/// How long to wait after how many failures.
struct Ladder {
    /// So many failures cost nothing.
    free: i32,
    /// The wait after the last one that is free; it doubles with each further one.
    first_wait: SignedDuration,
    /// No wait is longer.
    longest_wait: SignedDuration,
    /// One failure is forgotten for each of these without another.
    leak: SignedDuration,
}

/// For one account.
const ACCOUNT: Ladder = Ladder {
    free: 5,
    first_wait: SignedDuration::from_secs(15),
    longest_wait: SignedDuration::from_mins(15),
    leak: SignedDuration::from_mins(15),
};
/// For one place, which may be that of many people.
const PLACE: Ladder = Ladder {
    free: 30,
    first_wait: SignedDuration::from_mins(1),
    longest_wait: SignedDuration::from_mins(1),
    leak: SignedDuration::from_mins(1),
};

impl Ladder {
    /// What is left of a count at `now`.
    fn left(&self, tries: &Tries, now: Instant) -> i32 {
        let quiet = now.get().duration_since(tries.last_at.get()).as_secs().max(0);
        let leaked = i32::try_from(quiet / self.leak.as_secs().max(1)).unwrap_or(i32::MAX);
        tries.failures.saturating_sub(leaked).max(0)
    }

    /// How long to wait at `now` for the next try; zero where it may be made.
    fn wait(&self, tries: &Tries, now: Instant) -> SignedDuration {
        let Some(past) = self.left(tries, now).checked_sub(self.free).filter(|past| *past >= 0) else { return SignedDuration::ZERO };
        let doubled = 1_i32.checked_shl(past.unsigned_abs()).filter(|factor| *factor > 0).unwrap_or(i32::MAX);
        let wait = self.first_wait.checked_mul(doubled).unwrap_or(self.longest_wait).min(self.longest_wait);
        let next = tries.last_at.get().saturating_add(wait).unwrap_or(jiff::Timestamp::MAX);
        // A clock that stepped back keeps nobody out for longer than the wait.
        next.duration_since(now.get()).clamp(SignedDuration::ZERO, wait)
    }

    /// The count with one failure more.
    fn failed(&self, tries: &Tries, now: Instant) -> Tries {
        let most = self.free.saturating_add(MOST_COUNTED);
        let failures = self.left(tries, now).saturating_add(1).min(most);
        Tries { subject: tries.subject.clone(), failures, last_at: now }
    }
}

/// Whom a try is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The person with an address, by its canonical form; whoever is meant may not be there.
    User(String),
    /// The member of staff with an address.
    Staff(String),
    /// A person who is signed in and proves once more who they are: apart from what happens at the door.
    SignedIn(UserId),
}

impl Target {
    /// What tells it from any other.
    fn parts(&self) -> (&'static [u8], Vec<u8>) {
        match self {
            Self::User(key) => (b"user", key.as_bytes().to_vec()),
            Self::Staff(key) => (b"staff", key.as_bytes().to_vec()),
            Self::SignedIn(user) => (b"signed in", user.uuid().as_bytes().to_vec()),
        }
    }
}

/// A try to prove who somebody is.
#[derive(Debug, Clone)]
pub(super) struct Try {
    target: Target,
    place: Vec<u8>,
}

impl Try {
    /// A try that comes from an address of the network, where it is known.
    pub(super) fn new(target: Target, address: Option<IpAddr>) -> Self {
        Self { target, place: address.map(place).unwrap_or_default() }
    }

    /// What is counted, in the order in which it is locked.
    fn subjects(&self, is_known: bool) -> Vec<(&'static Ladder, [u8; 32])> {
        let (kind, who) = self.target.parts();
        match (&self.target, is_known) {
            (Target::SignedIn(_), _) => vec![(&ACCOUNT, hash([b"account", kind, &who, b""]))],
            (_, true) => vec![(&ACCOUNT, hash([b"account", kind, &who, &self.place]))],
            (_, false) => vec![(&ACCOUNT, hash([b"account", kind, &who, b"elsewhere"])), (&PLACE, hash([b"place", b"", b"", &self.place]))],
        }
    }

    /// The place as one of this account.
    fn known(&self) -> [u8; 32] {
        let (kind, who) = self.target.parts();
        hash([b"known", kind, &who, &self.place])
    }
}

/// The network that an address stands for: of IPv6 the first 64 bits, which one customer of a provider has.
fn place(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    }
}

/// SHA-256 of the parts, each with its length in front.
fn hash(parts: [&[u8]; 4]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Since when a place must have been come in from to be known at `now`.
fn known_since(now: Instant) -> Instant {
    now.get().saturating_sub(KNOWN_FOR).unwrap_or(jiff::Timestamp::MIN).into()
}

/// Makes a try, unless its time has not come; counts it where it is refused by INVALID_CREDENTIALS.
///
/// What lets somebody in calls [`succeed`] in its transaction.
///
/// # Errors
/// RATE_LIMITED, and those of the try.
pub(super) async fn guarded<T>(ports: &Ports, made: Try, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let (now, look) = (Instant::from(ports.real_now()), made.clone());
    let admitted = ports.store.read_system(move |system| {
        let made = look.clone();
        async move {
            let is_known = stored::known_at(&system, &made.known(), known_since(now)).await?.is_some();
            Ok(refuse(wait_of(&system, &made.subjects(is_known), now).await?)?)
        }
    });
    admitted.await?;
    match work.await {
        Err(Failure::Refused(errors)) if errors.iter().any(|error| error.code == UserErrorCode::InvalidCredentials) => {
            count(ports, made).await?;
            Err(Failure::Refused(errors))
        }
        answer => answer,
    }
}

/// Counts a failure; where the count has said wait meanwhile, the answer is that and nothing is counted.
async fn count(ports: &Ports, made: Try) -> Outcome<()> {
    let now = Instant::from(ports.real_now());
    let counted = ports.store.write_system(move |system| {
        let made = made.clone();
        async move {
            let is_known = stored::known_at(&system, &made.known(), known_since(now)).await?.is_some();
            let mut held = Vec::new();
            for (ladder, subject) in made.subjects(is_known) {
                held.push((ladder, stored::lock_or_make(&system, &subject, now).await?));
            }
            refuse(held.iter().map(|(ladder, tries)| ladder.wait(tries, now)).max().unwrap_or_default())?;
            for (ladder, tries) in held {
                stored::save(&system, &ladder.failed(&tries, now)).await?;
            }
            let old = now.get().saturating_sub(FORGOTTEN_AFTER).unwrap_or(jiff::Timestamp::MIN);
            Ok(stored::forget_before(&system, old.into()).await?)
        }
    });
    counted.await
}

/// Lets a try that proved right go through, in the transaction that lets its person in: forgets what was counted against the account
/// from this place, and makes the place one that is known.
///
/// # Errors
/// RATE_LIMITED where the count has said wait meanwhile; the database's fault.
pub(super) async fn succeed(system: &System, ports: &Ports, made: &Try) -> Outcome<()> {
    let now = Instant::from(ports.real_now());
    let known_at = stored::known_at(system, &made.known(), known_since(now)).await?;
    let subjects = made.subjects(known_at.is_some());
    if let Some((ladder, subject)) = subjects.first() {
        // Locked: it waits for a failure that is being counted.
        if let Some(tries) = stored::lock(system, subject).await? {
            refuse(ladder.wait(&tries, now))?;
            stored::forget(system, subject).await?;
        }
    }
    refuse(wait_of(system, &subjects, now).await?)?;
    note(system, made, known_at, now).await
}

/// Makes the place of a try one that is known: its person proved who they are by other means, e.g. a link in a mail.
///
/// # Errors
/// The database's fault.
pub(super) async fn vouch(system: &System, ports: &Ports, made: &Try) -> Outcome<()> {
    let now = Instant::from(ports.real_now());
    let known_at = stored::known_at(system, &made.known(), known_since(now)).await?;
    note(system, made, known_at, now).await
}

/// Notes that somebody came in, now and then.
async fn note(system: &System, made: &Try, known_at: Option<Instant>, now: Instant) -> Outcome<()> {
    let is_due = known_at.is_none_or(|at| now.get().duration_since(at.get()) >= NOTED_EVERY);
    if is_due && !matches!(made.target, Target::SignedIn(_)) {
        stored::note_place(system, &made.known(), now, known_since(now)).await?;
    }
    Ok(())
}

/// The longest wait of the subjects at `now`.
async fn wait_of(system: &System, subjects: &[(&'static Ladder, [u8; 32])], now: Instant) -> Result<SignedDuration, Error> {
    let hashes: Vec<[u8; 32]> = subjects.iter().map(|(_, subject)| *subject).collect();
    let found = stored::find(system, &hashes).await?;
    let wait = |(ladder, subject): &(&'static Ladder, [u8; 32])| {
        found.iter().find(|tries| tries.subject == subject).map_or(SignedDuration::ZERO, |tries| ladder.wait(tries, now))
    };
    Ok(subjects.iter().map(wait).max().unwrap_or_default())
}

/// Refuses where there is something to wait for.
fn refuse(wait: SignedDuration) -> Result<(), UserError> {
    if wait.is_zero() {
        return Ok(());
    }
    let seconds = wait.as_secs().saturating_add(i64::from(wait.subsec_nanos() > 0));
    let sentence = format!("Too many tries: wait {seconds} s and try again.");
    Err(UserError::new(UserErrorCode::RateLimited, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn tries(failures: i32) -> Tries {
        Tries { subject: vec![0; 32], failures, last_at: at("2027-01-31T09:00:00Z") }
    }

    #[test]
    fn the_wait_doubles_from_the_fifth_failure_to_a_quarter_of_an_hour() {
        let now = at("2027-01-31T09:00:00Z");
        // 15 s doubled: 30, 60, 120, 240, 480, and 960 s is past the longest, 900.
        let waits = [(0, 0), (4, 0), (5, 15), (6, 30), (7, 60), (8, 120), (9, 240), (10, 480), (11, 900), (25, 900), (1_000, 900)];
        for (failures, seconds) in waits {
            assert_eq!(ACCOUNT.wait(&tries(failures), now).as_secs(), seconds, "{failures}");
        }
        for (failures, seconds) in [(29, 0), (30, 60), (45, 60)] {
            assert_eq!(PLACE.wait(&tries(failures), now).as_secs(), seconds, "{failures}");
        }
    }

    #[test]
    fn what_is_left_to_wait_shrinks_and_is_over_at_its_end() {
        for (now, micros) in [
            ("2027-01-31T09:00:10Z", 5_000_000),
            ("2027-01-31T09:00:14.999999Z", 1),
            ("2027-01-31T09:00:15Z", 0),
            ("2027-01-31T10:00:00Z", 0),
            // A clock that stepped back by an hour.
            ("2027-01-31T08:00:00Z", 15_000_000),
        ] {
            assert_eq!(ACCOUNT.wait(&tries(5), at(now)).as_micros(), micros, "{now}");
        }
    }

    #[test]
    fn a_failure_is_forgotten_for_each_quarter_of_an_hour_without_another() {
        for (now, left) in
            [("2027-01-31T09:14:59Z", 6), ("2027-01-31T09:15:00Z", 5), ("2027-01-31T10:29:59Z", 1), ("2027-01-31T12:00:00Z", 0)]
        {
            assert_eq!(ACCOUNT.left(&tries(6), at(now)), left, "{now}");
        }
        let next = ACCOUNT.failed(&tries(6), at("2027-01-31T09:15:00Z"));
        assert_eq!((next.failures, next.last_at), (6, at("2027-01-31T09:15:00Z")));
        // 5 free and 20 more.
        assert_eq!(ACCOUNT.failed(&tries(25), at("2027-01-31T09:00:00Z")).failures, 25);
    }

    #[test]
    fn a_place_is_a_network_and_not_a_spelling() {
        let of = |text: &str| place(text.parse().unwrap());
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }

    #[test]
    fn no_two_subjects_are_one() {
        let of = |target: Target, address: &str| Try::new(target, Some(address.parse().unwrap()));
        let tries = [
            of(Target::User("a@b.example".to_owned()), "192.0.2.7"),
            of(Target::User("c@b.example".to_owned()), "192.0.2.8"),
            of(Target::SignedIn(uuid::Uuid::max().into()), "192.0.2.11"),
            of(Target::Staff("a@b.example".to_owned()), "192.0.2.9"),
            of(Target::SignedIn(uuid::Uuid::nil().into()), "192.0.2.10"),
        ];
        let mut all: Vec<[u8; 32]> = Vec::new();
        for made in &tries {
            for is_known in [true, false] {
                all.extend(made.subjects(is_known).into_iter().map(|(_, subject)| subject));
            }
            all.push(made.known());
        }
        all.sort_unstable();
        let before = all.len();
        all.dedup();
        // What is counted of a person who is signed in is the same from anywhere.
        assert_eq!(all.len(), before - 2);
    }
}
