//! Brings the changes that other processes make to who watches them here.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::Failure;
use crate::services::Ports;
use crate::services::live::look_back;
use crate::store::live_others::{Ear, Heard};

/// How often it looks and tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerSettings {
    /// From one look back to the next.
    pub look_back: Duration,
    /// Before a connection that failed is tried again.
    pub pause: Duration,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self { look_back: Duration::from_secs(15), pause: Duration::from_secs(1) }
    }
}

/// Listens until it is told to stop. Each process that serves has one.
pub struct Listener {
    /// The outside.
    ports: Ports,
    /// How often it looks and tries.
    settings: ListenerSettings,
    /// Names this process among others.
    origin: Uuid,
    /// When the last look back began, as an id that was made then.
    since: Uuid,
    /// Tells it to stop.
    shutdown: CancellationToken,
}

impl Listener {
    /// A listener that runs until `shutdown` is cancelled. From now on the other processes are told of what is changed here.
    pub fn new(ports: Ports, settings: ListenerSettings, shutdown: CancellationToken) -> Self {
        let (origin, since) = (ports.ids.next_uuid(), ports.ids.next_uuid());
        ports.store.announce_changes(origin);
        Self { ports, settings, origin, since, shutdown }
    }

    /// Listens. What fails is logged, and made up by the next look back.
    pub async fn run(mut self) {
        let shutdown = self.shutdown.clone();
        shutdown.run_until_cancelled(self.listen()).await;
    }

    /// Listens for ever.
    async fn listen(&mut self) {
        loop {
            match self.ports.store.listen(self.origin).await {
                Ok(Some(ear)) => self.hear(ear).await,
                Ok(None) => self.wait_and_look().await,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "changes of other processes cannot be heard");
                    self.ports.clock.sleep(self.settings.pause).await;
                    self.look().await;
                }
            }
        }
    }

    /// Passes on what is heard, until the connection is lost.
    async fn hear(&mut self, mut ear: Ear) {
        // What was changed before anybody listened.
        self.look().await;
        let mut again = self.ports.clock.sleep(self.settings.look_back);
        loop {
            let heard = tokio::select! {
                heard = ear.hear() => heard,
                () = &mut again => {
                    self.look().await;
                    again = self.ports.clock.sleep(self.settings.look_back);
                    continue;
                }
            };
            match heard {
                Ok(Heard::Changes(changes)) => self.ports.store.live().spread(&changes),
                Ok(Heard::Anew) => {
                    tracing::warn!("the connection that hears changes was lost, and is there again");
                    self.ports.store.live().missed();
                    self.look().await;
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the connection that hears changes was lost");
                    self.ports.store.live().missed();
                    self.ports.clock.sleep(self.settings.pause).await;
                    return;
                }
            }
        }
    }

    /// Where nobody can be heard.
    async fn wait_and_look(&mut self) {
        self.ports.clock.sleep(self.settings.look_back).await;
        self.look().await;
    }

    /// Looks back, where anybody watches.
    async fn look(&mut self) {
        let began = self.ports.ids.next_uuid();
        match look_back(&self.ports, self.since).await {
            Ok(()) => self.since = began,
            Err(Failure::Fault(error)) => tracing::error!(error = &error as &dyn std::error::Error, "changes could not be looked back at"),
            Err(Failure::Refused(refusals)) => tracing::error!(?refusals, "changes could not be looked back at"),
        }
    }
}
