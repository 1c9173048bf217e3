//! Sends what is mailed to staff, who belong to no business and so have no jobs.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::Failure;
use crate::services::Ports;
use crate::services::staff::StaffService;

/// How long from one look to the next.
const EVERY: Duration = Duration::from_secs(10);

/// Sends mails to staff until it is told to stop. Any number may run on one store.
pub struct Postman {
    /// The outside.
    ports: Ports,
    /// Tells it to stop.
    shutdown: CancellationToken,
}

impl Postman {
    /// A postman that runs until `shutdown` is cancelled.
    pub const fn new(ports: Ports, shutdown: CancellationToken) -> Self {
        Self { ports, shutdown }
    }

    /// Looks at once, and then every few seconds. What fails is logged, and tried again.
    pub async fn run(self) {
        let staff = StaffService::new(self.ports.clone());
        while let Some(sent) = self.shutdown.run_until_cancelled(staff.send_mails()).await {
            match sent {
                Ok(_) => {}
                Err(Failure::Fault(error)) => tracing::error!(error = &error as &dyn std::error::Error, "mails to staff are not sent"),
                Err(Failure::Refused(refusals)) => tracing::error!(?refusals, "mails to staff are not sent"),
            }
            if self.shutdown.run_until_cancelled(self.ports.clock.sleep(EVERY)).await.is_none() {
                return;
            }
        }
    }
}
