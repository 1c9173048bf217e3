//! Word to people: an event becomes one notification and one mail for each who should know, by role and by what they want.
//!
//! A channel is a consumer of events: it writes down, in one transaction, what is to be told to whom. A mail is then sent by a
//! job of its own, outside any transaction, in the order of its aggregate. It must never log what a mail says, nor keep a
//! link's token but as a hash.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::billing::period::Zone;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::NotificationId;
use crate::money::Rate;
use crate::services::Ports;
use crate::services::access::{self, Caller};
use crate::services::billing::account::zone;
use crate::services::events::{Consumer, Event, brought};
use crate::services::printing;
use crate::store::customers::{self, Business};
use crate::store::jobs::{Finish, Job};
use crate::store::notifications::{self as rows, NewPreference, Notification, Recipient};
use crate::store::outbox::StoredEvent;
use crate::store::types::{Channel, Instant, Role};
use crate::store::{Tenant, TenantScope};

mod around;
mod differences;
mod kinds;
pub mod letters;
mod mails;
pub mod preview;

use around::merged;
pub use differences::{GATEWAY_DIFFERENCES, tell_of_differences};
pub use kinds::{KINDS, Kind};
pub use mails::{
    BUSINESS_RESTORED, BUSINESS_SUSPENDED, CONFIRM_EMAIL, EMAIL_CHANGE, EMAIL_CHANGING, EXPORT_READY, IDENTITY_LINKED, INVITATION,
    PASSWORD_CHANGED, RECOVERY_CODE_USED, RESET_PASSWORD, SEND_MAIL, TWO_FACTOR_DISABLED, TWO_FACTOR_ENABLED, queue, queue_email_change,
    queue_invitation, queue_to_owners,
};

/// Tells people, in the application and by mail.
pub const TELL: Consumer = Consumer { job_kind: "notify", wants: |name| Kind::of(name).is_some() };
/// Every kind of job that [`run_job`] runs.
pub const JOB_KINDS: [&str; 2] = [TELL.job_kind, SEND_MAIL];
/// The most ids that are marked as read at once.
const MAX_IDS: usize = 100;

/// Runs a job of one of [`JOB_KINDS`] for the business of `scope`, which the worker made from the job's claimed row.
///
/// # Errors
/// The database's fault, or the mail server's where it may take the mail later.
pub async fn run_job(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    if job.kind == SEND_MAIL {
        return mails::send(ports, scope, job).await;
    }
    let (outside, key) = (ports.clone(), job.job_key.clone());
    let write = move |tenant: Tenant| {
        let (ports, key) = (outside.clone(), key.clone());
        async move {
            tell(&tenant, &ports, &key).await?;
            Ok(Finish::Done)
        }
    };
    ports.store.write(scope, write).await
}

/// What is to be told of an event.
struct Told<'a> {
    /// The event as it is stored.
    stored: &'a StoredEvent,
    /// What it says.
    event: &'a Event,
    /// What people are told of it.
    kind: &'static Kind,
    /// What stands around it.
    around: &'a Value,
    /// Whose event it is.
    business: &'a Business,
}

impl Told<'_> {
    /// Those of `people` who are told by a channel: all who have not said no, and those who cannot.
    fn by<'p>(&self, channel: Channel, people: &'p [Recipient]) -> impl Iterator<Item = &'p Recipient> {
        let kind = self.kind;
        people.iter().filter(move |person| person.said(channel) != Some(false) || kind.is_mandatory(channel, person.role))
    }

    /// What the words to somebody of that name may name, in the language of their locale: what the event tells and what stands around it,
    /// with instants as days in the business's zone, the business, and the name.
    fn values(&self, name: &str, locale: &str) -> Result<Value, Error> {
        let told: Value = serde_json::from_str(&self.event.payload()?).map_err(|error| Error::Task(Box::new(error)))?;
        let zone = zone(&self.business.time_zone)?;
        let named = json!({ "business": self.business.business_name, "name": name });
        worded(merged(merged(named, told), self.around.clone()), &zone, locale)
    }
}

/// Tells each who should know of an event, once: in the application, and by the mails that are written down.
async fn tell(tenant: &Tenant, ports: &Ports, key: &str) -> Result<(), Error> {
    let (stored, event) = brought(tenant, key).await?;
    let Some(kind) = Kind::of(&stored.name) else { return Ok(()) };
    let Some(around) = around::of(tenant, ports, &event).await? else { return Ok(()) };
    let business = customers::business(tenant).await?;
    let people = kinds::concerned(&event, rows::recipients(tenant, kind.roles, kind.name).await?);
    let told = Told { stored: &stored, event: &event, kind, around: &around, business: &business };
    notify(tenant, ports, &told, &people).await?;
    if kind.comes_by(Channel::Email) { mails::write(tenant, ports, &told, &people).await } else { Ok(()) }
}

/// Tells in the application.
async fn notify(tenant: &Tenant, ports: &Ports, told: &Told<'_>, people: &[Recipient]) -> Result<(), Error> {
    let mut notifications = Vec::with_capacity(people.len());
    for person in told.by(Channel::InApp, people) {
        let note = letters::note(told.kind.name, &person.locale, &told.values(&person.full_name, &person.locale)?)?;
        notifications.push(Notification {
            business_id: tenant.business(),
            id: ports.ids.next(),
            event_id: told.stored.id,
            user_id: person.user_id,
            kind: told.kind.name.to_owned(),
            title: note.title,
            body: note.body,
            subject: Some(kinds::subject(told.event)),
            created_at: Instant::from(ports.now()),
            read_at: None,
        });
    }
    rows::insert_new(tenant, notifications).await
}

/// What is an instant, or a list of them, wherever words name it.
const INSTANTS: [&str; 11] =
    ["periodEnd", "cancelAt", "expiresAt", "respondBy", "at", "trialEnd", "retryAt", "suspendedAt", "canceledAt", "dueAt", "givenUpAt"];

/// The same values as words name them: instants as days in `zone`, written as the language of `locale` does, and a threshold as percent.
fn worded(mut values: Value, zone: &Zone, locale: &str) -> Result<Value, Error> {
    let day = |value: &mut Value| {
        if let Some(at) = value.as_str().and_then(|text| text.parse().ok()) {
            *value = Value::from(printing::day(locale, zone.date_of(at))?);
        }
        Ok::<(), Error>(())
    };
    for key in INSTANTS {
        match values.get_mut(key) {
            Some(Value::Array(several)) => several.iter_mut().try_for_each(day)?,
            Some(one) => day(one)?,
            None => {}
        }
    }
    name_percent(&mut values);
    Ok(values)
}

/// Names a threshold, which events tell as a part, as people do.
fn name_percent(values: &mut Value) {
    let part = values["threshold"].as_str().and_then(|text| text.parse::<Rate>().ok());
    if let Some(percent) = part.and_then(|part| part.decimal().checked_mul(Decimal::ONE_HUNDRED)) {
        values["percent"] = Value::from(percent.normalize().to_string());
    }
}

/// What a person wants of a kind by a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preference {
    /// The kind's name.
    pub kind: &'static str,
    /// The channel.
    pub channel: Channel,
    /// Whether it comes.
    pub enabled: bool,
    /// Whether it comes whatever they want.
    pub mandatory: bool,
}

/// People's own notifications.
#[derive(Clone)]
pub struct NotificationService {
    /// What it needs of the outside.
    ports: Ports,
}

impl NotificationService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Marks notifications of the caller's as read: these, or all. An id that names none of theirs is refused, and nothing
    /// is marked.
    ///
    /// # Errors
    /// NOT_FOUND, TOO_LARGE or REQUIRED at `ids`, INVALID for both; [`Error::Unauthenticated`] or the database's fault.
    pub async fn mark_read(&self, caller: Caller, ids: Option<Vec<Option<NotificationId>>>, all: bool) -> Outcome<()> {
        let (scope, now) = (caller.require_scope()?, Instant::from(self.ports.now()));
        let refuse = |code, sentence: &str| Err(UserError::at("ids", code, sentence).into());
        match (&ids, all) {
            (Some(_), true) => return refuse(UserErrorCode::Invalid, "Give `ids` or `all`, not both."),
            (None, false) => return refuse(UserErrorCode::Required, "Give `ids`, or `all: true`."),
            (Some(ids), _) if ids.len() > MAX_IDS => return refuse(UserErrorCode::TooLarge, "At most 100 are marked at once."),
            _ => {}
        }
        let write = move |tenant: Tenant| {
            let ids = ids.clone();
            async move {
                let person = access::check(&tenant, caller).await?.person()?;
                let Some(ids) = ids else { return Ok(rows::mark_read(&tenant, person.user, None, now).await?) };
                let missing = || UserError::at("ids", UserErrorCode::NotFound, "There is no such notification.");
                let mut named = ids.into_iter().collect::<Option<Vec<NotificationId>>>().ok_or_else(missing)?;
                named.sort_unstable();
                named.dedup();
                if rows::of_ids(&tenant, person.user, &named).await?.len() != named.len() {
                    return Err(missing().into());
                }
                Ok(rows::mark_read(&tenant, person.user, Some(&named), now).await?)
            }
        };
        self.ports.store.write(scope, write).await
    }

    /// What the caller wants of each kind that their role is told of, by each channel it comes by.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or the database's fault.
    pub async fn preferences(&self, tenant: &Tenant, caller: Caller) -> Result<Vec<Preference>, Error> {
        let person = access::check(tenant, caller).await?.person()?;
        let said = rows::preferences(tenant, person.user).await?;
        Ok(offered(person.role)
            .map(|(kind, channel)| {
                let refused = said.iter().any(|row| row.kind == kind.name && row.channel == channel && !row.enabled);
                let mandatory = kind.is_mandatory(channel, person.role);
                Preference { kind: kind.name, channel, enabled: mandatory || !refused, mandatory }
            })
            .collect())
    }

    /// Sets what the caller wants of a kind by a channel.
    ///
    /// # Errors
    /// NOT_FOUND at `kind` for one that they are not told of there, NOT_ALLOWED at `enabled` for refusing a mandatory one;
    /// [`Error::Unauthenticated`] or the database's fault.
    pub async fn set_preference(&self, caller: Caller, kind: &str, channel: Channel, enabled: bool) -> Outcome<()> {
        let (scope, now, id) = (caller.require_scope()?, Instant::from(self.ports.now()), self.ports.ids.next());
        let kind = Kind::of(kind);
        let write = move |tenant: Tenant| async move {
            let person = access::check(&tenant, caller).await?.person()?;
            let known = kind.filter(|kind| kind.roles.contains(&person.role) && kind.comes_by(channel));
            let Some(kind) = known else {
                return Err(UserError::at("kind", UserErrorCode::NotFound, "You are told of no such thing there.").into());
            };
            if !enabled && kind.is_mandatory(channel, person.role) {
                return Err(UserError::at("enabled", UserErrorCode::NotAllowed, "This mail cannot be switched off.").into());
            }
            let new = NewPreference { id, user: person.user, kind: kind.name, channel, enabled, now };
            Ok(rows::set_preference(&tenant, new).await?)
        };
        self.ports.store.write(scope, write).await
    }
}

/// The kinds that a role is told of, with each channel that they come by.
fn offered(role: Role) -> impl Iterator<Item = (&'static Kind, Channel)> {
    let of_role = KINDS.iter().filter(move |kind| kind.roles.contains(&role));
    of_role.flat_map(|kind| Channel::ALL.iter().copied().filter(|channel| kind.comes_by(*channel)).map(move |channel| (kind, channel)))
}
