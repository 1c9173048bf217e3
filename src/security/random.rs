//! Randomness, as a port: keys, nonces, salts and tokens ask here and nowhere else.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{OsRng, StdRng};
use rand::{RngCore, SeedableRng, TryRngCore};

/// Where unpredictable bytes come from.
pub trait Rng: Send + Sync + 'static {
    /// Fills `bytes` with bytes that nobody can predict.
    fn fill(&self, bytes: &mut [u8]);
}

/// A shared source of randomness.
pub type SharedRng = Arc<dyn Rng>;

impl dyn Rng {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// The operating system's source.
///
/// Where the system cannot give randomness (it never does so after boot on the platforms we run on) `fill` panics,
/// since to go on with predictable keys would be worse than to fail the one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) {
        OsRng.unwrap_err().fill_bytes(bytes);
    }
}

/// A source that repeats itself for the same seed: for tests and reproducible demo data, never where secrecy counts.
#[derive(Debug)]
pub struct SeededRng {
    state: Mutex<StdRng>,
}

impl SeededRng {
    /// The source that `seed` names.
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::new(StdRng::seed_from_u64(seed)) }
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_source_does_not_repeat_itself() {
        let rng: &dyn Rng = &SystemRng;
        let (first, second) = (rng.bytes::<32>(), rng.bytes::<32>());
        assert_ne!(first, second);
        assert_ne!(first, [0; 32]);
    }

    #[test]
    fn a_seeded_source_repeats_itself_for_its_seed_alone() {
        let draw = |seed| {
            let rng: SharedRng = Arc::new(SeededRng::new(seed));
            (rng.bytes::<16>(), rng.bytes::<16>())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(draw(7).0, draw(7).1);
    }
}
