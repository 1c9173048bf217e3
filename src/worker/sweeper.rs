//! What is done again and again, whatever happens to anybody: removing what was kept long enough, and comparing what gateways list with our
//! rows.

use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::services::usage::retention::{Swept, sweep};
use crate::services::{Ports, payments, retention, webhooks};

/// How long from one sweep to the next.
const EVERY: Duration = Duration::from_hours(1);

/// How long what is over is kept.
#[derive(Debug, Clone, Copy)]
pub struct Keeping {
    /// Events of usage.
    pub usage: SignedDuration,
    /// Finished jobs, sent mails, told events, sessions and tokens that ran out.
    pub spent: SignedDuration,
}

/// Sweeps until it is told to stop. Any number may run on one store.
pub struct Sweeper {
    /// The outside.
    ports: Ports,
    /// How long what is over is kept.
    keep: Keeping,
    /// Tells it to stop.
    shutdown: CancellationToken,
}

impl Sweeper {
    /// A sweeper that runs until `shutdown` is cancelled.
    pub const fn new(ports: Ports, keep: Keeping, shutdown: CancellationToken) -> Self {
        Self { ports, keep, shutdown }
    }

    /// Sweeps at once, and then every hour. What fails is logged, and tried again by the next sweep.
    pub async fn run(self) {
        let all = async || {
            let usage = sweep(&self.ports, self.keep.usage).await;
            let (deliveries, events) = (webhooks::retention::sweep(&self.ports).await, payments::sweep_events(&self.ports).await);
            // After the deliveries, which events wait for.
            let spent = retention::sweep(&self.ports, self.keep.spent).await;
            (usage, deliveries, events, spent, payments::compare_due(&self.ports).await)
        };
        while let Some((usage, deliveries, events, spent, compared)) = self.shutdown.run_until_cancelled(all()).await {
            match usage {
                Ok(swept) if swept == Swept::default() => {}
                Ok(swept) => tracing::info!(?swept, "removed what was kept long enough"),
                Err(failure) => tell(failure),
            }
            match deliveries {
                Ok(0) => {}
                Ok(deliveries) => tracing::info!(deliveries, "removed deliveries of webhooks that were kept long enough"),
                Err(failure) => tell(failure),
            }
            match events {
                Ok(0) => {}
                Ok(events) => tracing::info!(events, "removed events of gateways that were kept long enough"),
                Err(failure) => tell(failure),
            }
            match spent {
                Ok(spent) if spent.is_empty() => {}
                Ok(spent) => tracing::info!(?spent, "removed what is over and was kept long enough"),
                Err(failure) => tell(failure),
            }
            match compared {
                Ok(0) => {}
                Ok(days) => tracing::info!(days, "compared what gateways list with our rows"),
                Err(failure) => tell(failure),
            }
            if self.shutdown.run_until_cancelled(self.ports.clock.sleep(EVERY)).await.is_none() {
                return;
            }
        }
    }
}

/// Logs why a sweep was not done.
fn tell(failure: Failure) {
    match failure {
        Failure::Fault(error) => tracing::error!(error = &error as &dyn std::error::Error, "a sweep failed"),
        Failure::Refused(refusals) => tracing::error!(?refusals, "a sweep was refused"),
    }
}
