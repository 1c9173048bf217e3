//! What is done again and again, whatever happens to anybody: removing what was kept long enough.

use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::services::Ports;
use crate::services::usage::retention::{Swept, sweep};

/// How long from one sweep to the next.
const EVERY: Duration = Duration::from_hours(1);

/// Sweeps until it is told to stop. Any number may run on one store.
pub struct Sweeper {
    /// The outside.
    ports: Ports,
    /// How long events of usage are kept.
    keep_usage: SignedDuration,
    /// Tells it to stop.
    shutdown: CancellationToken,
}

impl Sweeper {
    /// A sweeper that runs until `shutdown` is cancelled.
    pub const fn new(ports: Ports, keep_usage: SignedDuration, shutdown: CancellationToken) -> Self {
        Self { ports, keep_usage, shutdown }
    }

    /// Sweeps at once, and then every hour. What fails is logged, and tried again by the next sweep.
    pub async fn run(self) {
        while let Some(swept) = self.shutdown.run_until_cancelled(sweep(&self.ports, self.keep_usage)).await {
            match swept {
                Ok(swept) if swept == Swept::default() => {}
                Ok(swept) => tracing::info!(?swept, "removed what was kept long enough"),
                Err(Failure::Fault(error)) => tracing::error!(error = &error as &dyn std::error::Error, "a sweep failed"),
                Err(Failure::Refused(refusals)) => tracing::error!(?refusals, "a sweep was refused"),
            }
            if self.shutdown.run_until_cancelled(self.ports.clock.sleep(EVERY)).await.is_none() {
                return;
            }
        }
    }
}
