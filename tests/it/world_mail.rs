//! Mails that landed in files, mailers that misbehave, and events made by hand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use evolve_business::adapters::mail::{Mail, MailError, Mailer};
use evolve_business::ids::{IdGen as _, SubscriptionId, SystemIds};
use evolve_business::services::Ports;
use evolve_business::services::events::{Event, SubscriptionFacts, SubscriptionWhat, emit};
use evolve_business::store::{Tenant, TenantScope, customers};

use crate::world::World;

impl World {
    /// Every mail in the data directory, the oldest first.
    pub(crate) fn mails(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.database.dir.path().join("mail")).unwrap();
        let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).collect();
        files.sort();
        files.into_iter().map(|file| std::fs::read_to_string(file).unwrap().replace("\r\n", "\n")).collect()
    }

    /// The mails to an address, by their subjects.
    pub(crate) fn subjects_to(&self, address: &str) -> Vec<String> {
        let to = format!("\nTo: {address}\n");
        let mails = self.mails().into_iter().filter(|mail| mail.contains(&to));
        mails.map(|mail| mail.split_once("\nSubject: ").unwrap().1.lines().next().unwrap().to_owned()).collect()
    }

    /// The token in the newest mail.
    pub(crate) fn mailed_token(&self) -> String {
        let mail = self.mails().pop().unwrap();
        let (_, after) = mail.split_once("#token=").unwrap();
        after.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next().unwrap().to_owned()
    }

    /// Writes events in one transaction.
    pub(crate) async fn emit(&self, scope: TenantScope, events: Vec<Event>) {
        let outside = self.ports.clone();
        let write = move |tenant: Tenant| {
            let (ports, events) = (outside.clone(), events.clone());
            async move {
                customers::lock_business(&tenant).await?;
                for event in &events {
                    emit(&tenant, &ports, event).await?;
                }
                Ok(())
            }
        };
        self.ports.store.write(scope, write).await.unwrap();
    }

    /// The same world with another mailer.
    pub(crate) fn mailing(&self, mailer: Arc<dyn Mailer>) -> Ports {
        let mut parts = self.parts(Arc::new(self.gateway.clone()));
        parts.mailer = mailer;
        Ports::new(parts)
    }
}

/// A subscription's id that nobody has.
pub(crate) fn subscription() -> String {
    SubscriptionId::from(SystemIds.next_uuid()).to_string()
}

/// A change of a subscription's plan to `plan`.
pub(crate) fn changed_to(subscription: &str, plan: &str) -> Event {
    let is_sample = |event: &Event| matches!(event, Event::Subscription(SubscriptionWhat::PlanChanged, _));
    let Some(Event::Subscription(what, facts)) = Event::samples().into_iter().find(is_sample) else { panic!("no sample") };
    Event::Subscription(what, SubscriptionFacts { subscription_id: subscription.to_owned(), plan_name: plan.to_owned(), ..facts })
}

/// A mail server that answers as it is told, then takes everything.
pub(crate) struct MoodyMailer {
    /// What is answered first: whether it may be tried again.
    pub(crate) refusals: Mutex<VecDeque<bool>>,
    /// The subjects of what it took.
    pub(crate) taken: Mutex<Vec<String>>,
}

impl MoodyMailer {
    /// Refuses as often as `refusals` says: true is for now, false for good.
    pub(crate) fn new(refusals: impl IntoIterator<Item = bool>) -> Arc<Self> {
        Arc::new(Self { refusals: Mutex::new(refusals.into_iter().collect()), taken: Mutex::default() })
    }
}

#[async_trait]
impl Mailer for MoodyMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        if let Some(transient) = self.refusals.lock().unwrap().pop_front() {
            return Err(MailError { transient, cause: "no\r\nthanks".into() });
        }
        self.taken.lock().unwrap().push(mail.subject.as_str().to_owned());
        Ok(())
    }
}
