//! Passwords: argon2id, off the async threads and bounded in number, and the policy for new ones.
//!
//! An unknown address costs the same work as a wrong password, so that an answer's time tells nobody who has an
//! account. This room never stores or logs a password.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::random::{Rng, SharedRng};
use crate::config::PasswordSettings;
use crate::error::{Error, Outcome, UserError, UserErrorCode};

/// The shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// The longest password, in characters.
pub const PASSWORD_CHARS_MAX: usize = 128;

const SALT_BYTES: usize = 16;
/// What a caller is told to wait when too many hashes are waiting already.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The cost of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub lanes: u32,
}

impl HashCost {
    /// What production uses: the second recommendation of OWASP's password storage cheat sheet for argon2id.
    pub const PRODUCTION: Self = Self { memory_kib: 19_456, iterations: 2, lanes: 1 };
    /// As cheap as the algorithm allows, for tests.
    pub const TEST: Self = Self { memory_kib: 8, iterations: 1, lanes: 1 };

    fn params(self) -> Result<Params, argon2::Error> {
        Params::new(self.memory_kib, self.iterations, self.lanes, None)
    }
}

/// How many hashes run and wait at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashLimits {
    /// Run at once; each takes a thread and [`HashCost::memory_kib`].
    pub running: usize,
    /// Wait for one that runs; any more are refused.
    pub waiting: usize,
}

impl From<PasswordSettings> for HashCost {
    fn from(settings: PasswordSettings) -> Self {
        Self { memory_kib: settings.memory_kib, iterations: settings.iterations, lanes: settings.lanes }
    }
}

impl From<PasswordSettings> for HashLimits {
    fn from(settings: PasswordSettings) -> Self {
        let count = |setting| usize::try_from(setting).unwrap_or(usize::MAX);
        Self { running: count(settings.running), waiting: count(settings.waiting) }
    }
}

/// The parameters are outside of what argon2 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("argon2 does not allow these parameters")]
pub struct InvalidHashCost;

/// What became of comparing a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not the password, or nobody to compare it with.
    Wrong,
    /// The password.
    Right {
        /// The stored hash was made with other parameters than today's: hash the password again and store that.
        rehash: bool,
    },
}

/// Hashes and compares passwords.
#[derive(Clone)]
pub struct Passwords {
    inner: Arc<Inner>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

struct Inner {
    params: Params,
    rng: SharedRng,
    /// The hash of a random password nobody knows, for addresses nobody has.
    dummy: String,
    computed: AtomicU64,
}

impl Inner {
    fn hash(&self, password: &SecretString) -> Result<String, Error> {
        let hashed = hash(&self.params, self.rng.as_ref(), password.expose_secret());
        self.computed.fetch_add(1, Ordering::Relaxed);
        hashed.map_err(|cause| Error::Task(cause.into()))
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("params", &self.inner.params).finish_non_exhaustive()
    }
}

impl Passwords {
    /// Computes one hash on this thread, for the addresses nobody has.
    ///
    /// # Errors
    /// Where argon2 does not allow `cost`.
    pub fn new(cost: HashCost, limits: HashLimits, rng: SharedRng) -> Result<Self, InvalidHashCost> {
        let params = cost.params().map_err(|_| InvalidHashCost)?;
        let unknown = STANDARD_NO_PAD.encode(rng.bytes::<32>());
        let dummy = hash(&params, rng.as_ref(), &unknown).map_err(|_| InvalidHashCost)?;
        let admitted = limits.running.saturating_add(limits.waiting).min(Semaphore::MAX_PERMITS);
        Ok(Self {
            inner: Arc::new(Inner { params, rng, dummy, computed: AtomicU64::new(0) }),
            running: Arc::new(Semaphore::new(limits.running.min(Semaphore::MAX_PERMITS))),
            admitted: Arc::new(Semaphore::new(admitted)),
        })
    }

    /// The hash of `password`, to be stored: a PHC string.
    ///
    /// # Errors
    /// [`Error::RateLimited`] where too many are waiting, [`Error::BadUserInput`] where it is longer than the policy
    /// allows, [`Error::Task`] where the hash failed.
    pub async fn hash(&self, password: SecretString) -> Result<String, Error> {
        if too_long(password.expose_secret()) {
            return Err(Error::BadUserInput("The password is too long.".into()));
        }
        self.off_thread(move |inner| inner.hash(&password)).await
    }

    /// The hash of a password that a person chose, where the [`policy`] allows it: both off the async threads.
    ///
    /// # Errors
    /// As [`policy`] (refused) and [`Passwords::hash`] (a fault).
    pub async fn choose(&self, field: &'static str, password: SecretString, user_inputs: Vec<String>) -> Outcome<String> {
        let work = move |inner: &Inner| {
            let user_inputs: Vec<&str> = user_inputs.iter().map(String::as_str).collect();
            match policy(field, password.expose_secret(), &user_inputs) {
                Ok(()) => inner.hash(&password).map(Ok),
                Err(refusal) => Ok(Err(refusal)),
            }
        };
        self.off_thread(work).await?.map_err(Into::into)
    }

    /// Whether the [`policy`] allows a password, off the async threads.
    ///
    /// # Errors
    /// As [`policy`] (refused); [`Error::RateLimited`] where too many are waiting (a fault).
    pub async fn check(&self, field: &'static str, password: SecretString, user_inputs: Vec<String>) -> Outcome<()> {
        let work = move |_: &Inner| {
            let user_inputs: Vec<&str> = user_inputs.iter().map(String::as_str).collect();
            Ok(policy(field, password.expose_secret(), &user_inputs))
        };
        self.off_thread(work).await?.map_err(Into::into)
    }

    /// Compares `password` with the stored hash, or with nobody's, at the same cost.
    ///
    /// # Errors
    /// [`Error::RateLimited`] where too many are waiting, [`Error::Corrupt`] where `stored` is no argon2id hash.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<Verdict, Error> {
        self.off_thread(move |inner| {
            // One that is too long was never accepted; it is compared with nobody's, for the same work.
            let stored = stored.filter(|_| !too_long(password.expose_secret()));
            let known = stored.is_some();
            let parsed = PasswordHash::new(stored.as_deref().unwrap_or(&inner.dummy)).map_err(|_| not_a_hash())?;
            let params = Params::try_from(&parsed).map_err(|_| not_a_hash())?;
            let compared = Argon2::default().verify_password(comparable(password.expose_secret()).as_bytes(), &parsed);
            inner.computed.fetch_add(1, Ordering::Relaxed);
            match compared {
                Ok(()) if known => Ok(Verdict::Right { rehash: !is_current(&inner.params, &params, &parsed) }),
                Ok(()) | Err(argon2::password_hash::Error::Password) => Ok(Verdict::Wrong),
                Err(_) => Err(not_a_hash()),
            }
        })
        .await
    }

    /// How many hashes were computed since the start.
    pub fn hashes_computed(&self) -> u64 {
        self.inner.computed.load(Ordering::Relaxed)
    }

    /// Runs `work` on a thread that may block. Both permits go with it, so that a caller who leaves early frees
    /// neither before the work is over.
    async fn off_thread<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    {
        let busy = |_| Error::come_again(BUSY_RETRY_AFTER);
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|cause| Error::Task(cause.into()))?;
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || {
            let done = work(&inner);
            drop((running, admitted));
            done
        });
        task.await.map_err(|cause| Error::Task(cause.into()))?
    }
}

fn not_a_hash() -> Error {
    Error::Corrupt("a stored password is no argon2id hash".into())
}

fn hash(params: &Params, rng: &dyn Rng, password: &str) -> Result<String, argon2::password_hash::Error> {
    let salt = SaltString::encode_b64(&rng.bytes::<SALT_BYTES>())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    Ok(argon2.hash_password(password.as_bytes(), &salt)?.to_string())
}

fn is_current(current: &Params, stored: &Params, hash: &PasswordHash<'_>) -> bool {
    let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    cost(current) == cost(stored) && hash.algorithm == Algorithm::Argon2id.ident() && hash.version == Some(u32::from(Version::V0x13))
}

fn too_long(password: &str) -> bool {
    password.chars().nth(PASSWORD_CHARS_MAX).is_some()
}

/// The password, or nothing where it is too long: no megabyte is hashed for anybody.
fn comparable(password: &str) -> &str {
    if too_long(password) { "" } else { password }
}

/// Whether `password` may be chosen. `user_inputs` are what others know of the person (address, names, business):
/// a password made of them is weak. `field` names the input field for the refusal.
///
/// The estimate looks at the first 100 characters only, and still takes up to some milliseconds (100 in a debug
/// build): [`Passwords::choose`] does it off the async threads.
///
/// # Errors
/// `WEAK_PASSWORD` where it is too short or too easily guessed, `TOO_LONG` where it is too long.
pub fn policy(field: &'static str, password: &str, user_inputs: &[&str]) -> Result<(), UserError> {
    if password.chars().count() < PASSWORD_CHARS_MIN {
        let message = format!("Choose a password of at least {PASSWORD_CHARS_MIN} characters.");
        return Err(UserError::at(field, UserErrorCode::WeakPassword, message));
    }
    if too_long(password) {
        let message = format!("Choose a password of at most {PASSWORD_CHARS_MAX} characters.");
        return Err(UserError::at(field, UserErrorCode::TooLong, message));
    }
    let known = known_words(user_inputs);
    let estimate = zxcvbn::zxcvbn(password, &known);
    if estimate.score() >= zxcvbn::Score::Three {
        return Ok(());
    }
    let reason = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let reason: Cow<'_, str> = reason.map_or("It is too easy to guess.".into(), |warning| warning.to_string().into());
    let message = format!("{reason} Choose a longer password, such as four words that do not belong together.");
    Err(UserError::at(field, UserErrorCode::WeakPassword, message))
}

/// The inputs and their words: of `jane.doe@example.com` also `jane` and `example`.
fn known_words<'a>(user_inputs: &[&'a str]) -> Vec<&'a str> {
    const INPUTS_MAX: usize = 16;
    const WORDS_MAX: usize = 8;
    const WORD_CHARS_MIN: usize = 3;
    let words = |input: &'a str| {
        let parts = input.split(|at: char| !at.is_alphanumeric()).filter(|part| part.chars().nth(WORD_CHARS_MIN - 1).is_some());
        std::iter::once(input).chain(parts.take(WORDS_MAX))
    };
    user_inputs.iter().copied().take(INPUTS_MAX).flat_map(words).collect()
}

#[cfg(test)]
mod tests;
