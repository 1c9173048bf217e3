//! Mails: written down by the consumer of events or by a request of a person, sent each by a job of its own.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Told, kinds, letters};
use crate::adapters::mail::{Mail, MailAddress, MailError};
use crate::error::{Error, Failure, Outcome};
use crate::ids::{MailId, UserId};
use crate::security::token::LinkToken;
use crate::services::Ports;
use crate::store::account_links::{self, AccountToken};
use crate::store::customers::{self, UserView};
use crate::store::email_changes::{self, EmailChange};
use crate::store::invitations::{self, Invitation, InvitationToken};
use crate::store::jobs::{self, Finish, Job, Lane, NewJob};
use crate::store::mails::{self as rows, StoredMail};
use crate::store::notifications::{Recipient, recipients};
use crate::store::types::{Channel, Instant, LinkPurpose, MailStatus, Role};
use crate::store::{Tenant, TenantScope};

/// The kind of the job that sends a mail; its key is the mail's id.
pub const SEND_MAIL: &str = "send_mail";
/// The mail that asks whether an address is its owner's, once more.
pub const CONFIRM_EMAIL: &str = "confirm.email";
/// The mail that lets somebody choose a new password.
pub const RESET_PASSWORD: &str = "reset.password";
/// The mail that invites somebody to a business.
pub const INVITATION: &str = "member.invited";
/// The mail that asks whether an address is its owner's who wants to change to it.
pub const EMAIL_CHANGE: &str = "email.change";
/// The mail to the address that is to be changed.
pub const EMAIL_CHANGING: &str = "email.changing";
/// The mail that says that there is another password.
pub const PASSWORD_CHANGED: &str = "password.changed";
/// The mail that says that two-factor is on.
pub const TWO_FACTOR_ENABLED: &str = "two_factor.enabled";
/// The mail that says that two-factor is off.
pub const TWO_FACTOR_DISABLED: &str = "two_factor.disabled";
/// The mail that says that a recovery code was used in the place of the digits.
pub const RECOVERY_CODE_USED: &str = "recovery_code.used";
/// The mail that says that an account at the identity provider may come in as the person from now on.
pub const IDENTITY_LINKED: &str = "identity.linked";
/// The mail that says that an export of what is held of a business can be downloaded.
pub const EXPORT_READY: &str = "data_export.ready";
/// The mail that says that staff have suspended a business.
pub const BUSINESS_SUSPENDED: &str = "business.suspended";
/// The mail that says that staff have restored a business.
pub const BUSINESS_RESTORED: &str = "business.restored";
/// What the platform's support is called in a mail to it.
const SUPPORT: &str = "Support";
/// How often a mail is tried: over some four hours.
const MOST_ATTEMPTS: i32 = 15;
/// The most characters of what a server said that are kept.
const ERROR_CHARS: usize = 500;

/// How long a link is good, from when its mail is sent.
const fn lifetime(purpose: LinkPurpose) -> SignedDuration {
    match purpose {
        LinkPurpose::ConfirmEmail => SignedDuration::from_hours(72),
        LinkPurpose::ResetPassword => SignedDuration::from_mins(30),
    }
}

/// What the link of a mail of that kind lets its holder do; `None` where it only leads somewhere.
fn purpose(kind: &str) -> Option<LinkPurpose> {
    match kind {
        "business.registered" | CONFIRM_EMAIL => Some(LinkPurpose::ConfirmEmail),
        RESET_PASSWORD => Some(LinkPurpose::ResetPassword),
        _ => None,
    }
}

/// Writes down the mails of an event that are not written yet, with the jobs that send them.
///
/// # Errors
/// The database's fault.
pub(super) async fn write(tenant: &Tenant, ports: &Ports, told: &Told<'_>, people: &[Recipient]) -> Result<(), Error> {
    let has_one = rows::people_of_event(tenant, told.stored.id).await?;
    let people: Vec<&Recipient> = told.by(Channel::Email, people).collect();
    let is_reached = |address: &str| people.iter().any(|person| person.email.eq_ignore_ascii_case(address));
    let to_business = told.kind.to_business && !is_reached(&told.business.business_email);
    let to_people = people.iter().map(|person| (Some(person.user_id), person.full_name.as_str(), person.locale.as_str()));
    let locale = if to_business { customers::locale(tenant).await?.unwrap_or_default() } else { String::new() };
    let to_business = to_business.then_some((None, told.business.business_name.as_str(), locale.as_str()));
    // Of a kind that goes to support, nothing goes to the business's own address.
    let to_support = (told.kind.to_support && ports.support_email.is_some()).then_some((None, SUPPORT, ""));
    let readers = to_people.chain(to_business).chain(to_support);
    let mut mails = Vec::with_capacity(people.len());
    for (user, name, locale) in readers.filter(|(user, ..)| !has_one.contains(user)) {
        let (values, path) = (told.values(name, locale)?, kinds::path(told.event));
        let details = json!({ "values": values, "path": path, "support": told.kind.to_support, "locale": locale });
        mails.push(row(tenant, ports, (user, told.kind.name), &details, Some(told.stored.id)));
    }
    let lanes: Vec<(String, String)> =
        mails.iter().map(|mail| (mail.id.to_string(), format!("mail/{}/{}", reader(mail), told.stored.aggregate))).collect();
    rows::insert(tenant, mails).await?;
    let position = told.stored.sequence;
    let jobs = lanes.iter().map(|(mail, lane)| (sending(ports, mail), Lane { name: lane, position }));
    jobs::schedule_all_in(tenant, &jobs.collect::<Vec<_>>()).await
}

/// Who reads a mail, for the name of its lane.
fn reader(mail: &StoredMail) -> String {
    mail.user_id.map_or_else(|| mail.business_id.to_string(), |user| user.to_string())
}

/// Writes down a mail that a person asked for, with the job that sends it.
///
/// # Errors
/// The database's fault.
pub async fn queue(tenant: &Tenant, ports: &Ports, user: UserId, kind: &str) -> Result<(), Error> {
    let business = customers::business(tenant).await?;
    let name = customers::users(tenant, vec![user]).await?.pop().map(|user| user.full_name).unwrap_or_default();
    let details = json!({ "values": { "business": business.business_name, "name": name }, "path": "" });
    let mail = row(tenant, ports, (Some(user), kind), &details, None);
    let id = mail.id;
    rows::insert(tenant, vec![mail]).await?;
    jobs::schedule(tenant, sending(ports, &id.to_string())).await.map(drop)
}

/// Writes down a mail to each owner of the business, with the jobs that send them.
///
/// # Errors
/// The database's fault.
pub async fn queue_to_owners(tenant: &Tenant, ports: &Ports, kind: &'static str) -> Result<(), Error> {
    for owner in recipients(tenant, &[Role::Owner], kind).await? {
        queue(tenant, ports, owner.user_id, kind).await?;
    }
    Ok(())
}

/// Writes down the mail of an invitation, with the job that sends it. It is written in the language of whoever invites: nothing is
/// known of the other.
///
/// # Errors
/// The database's fault.
pub async fn queue_invitation(tenant: &Tenant, ports: &Ports, invitation: &Invitation) -> Result<(), Error> {
    let business = customers::business(tenant).await?;
    let host = customers::users(tenant, vec![invitation.invited_by]).await?.pop();
    let (name, locale) = host.map(|host| (host.full_name, host.locale)).unwrap_or_default();
    let details = json!({ "values": { "business": business.business_name, "name": name }, "path": "", "locale": locale });
    let mail = StoredMail { invitation_id: Some(invitation.id), ..row(tenant, ports, (None, INVITATION), &details, None) };
    let id = mail.id;
    rows::insert(tenant, vec![mail]).await?;
    jobs::schedule(tenant, sending(ports, &id.to_string())).await.map(drop)
}

/// Writes down the mails of a change of address, to the new one and to the old one, with the jobs that send them.
///
/// # Errors
/// The database's fault.
pub async fn queue_email_change(tenant: &Tenant, ports: &Ports, change: &EmailChange) -> Result<(), Error> {
    let business = customers::business(tenant).await?;
    let name = customers::users(tenant, vec![change.user_id]).await?.pop().map(|user| user.full_name).unwrap_or_default();
    let values = json!({ "business": business.business_name, "name": name });
    let details = json!({ "values": values, "path": "", "asked": change.asked_at.get().to_string() });
    for kind in [EMAIL_CHANGE, EMAIL_CHANGING] {
        let mail = row(tenant, ports, (Some(change.user_id), kind), &details, None);
        let id = mail.id;
        rows::insert(tenant, vec![mail]).await?;
        jobs::schedule(tenant, sending(ports, &id.to_string())).await?;
    }
    Ok(())
}

/// A mail that waits.
fn row(
    tenant: &Tenant,
    ports: &Ports,
    (user, kind): (Option<UserId>, &str),
    details: &Value,
    event: Option<crate::ids::EventId>,
) -> StoredMail {
    let now = Instant::from(ports.now());
    StoredMail {
        business_id: tenant.business(),
        id: ports.ids.next(),
        event_id: event,
        user_id: user,
        invitation_id: None,
        kind: kind.to_owned(),
        details: details.to_string(),
        status: MailStatus::Queued,
        error: None,
        created_at: now,
        updated_at: now,
    }
}

/// The job that sends a mail.
fn sending<'a>(ports: &Ports, mail: &'a str) -> NewJob<'a> {
    let now = Instant::from(ports.real_now());
    NewJob { id: ports.ids.next(), kind: SEND_MAIL, key: mail, due_at: now, clock: None, now }
}

/// Sends a mail, unless that has happened. Its token is made now, so that it is good for its whole time, and committed as a hash
/// before the mail is handed over.
///
/// # Errors
/// The database's fault; [`Error::Adapter`] where the server may take the mail later.
pub(super) async fn send(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    let id = MailId::parse(&job.job_key).ok_or_else(|| Error::Corrupt("a job names no mail".into()))?;
    let mail = match prepare(ports, scope, id).await? {
        Prepared::Mail(mail) => mail,
        Prepared::Over => return Ok(Finish::Done),
        Prepared::Unfit(why) => {
            conclude(ports, scope, id, MailStatus::Failed, Some(why.to_owned())).await?;
            return Ok(Finish::Done);
        }
    };
    let outcome = ports.mailer.send(&mail).await;
    let again = outcome.as_ref().is_err_and(|error| error.transient) && job.attempts < MOST_ATTEMPTS;
    ports.telemetry.metrics().mailed(outcome.is_ok(), again);
    match outcome {
        Ok(()) => {
            conclude(ports, scope, id, MailStatus::Sent, None).await?;
            Ok(Finish::Done)
        }
        Err(error) if again => Err(Failure::Fault(Error::Adapter(Box::new(error)))),
        Err(error) => {
            let said = said(&error);
            conclude(ports, scope, id, MailStatus::Failed, Some(said.clone())).await?;
            if error.transient {
                return Ok(Finish::Dead(said));
            }
            tracing::warn!(mail = %id, error = said, "a mail was refused for good");
            Ok(Finish::Done)
        }
    }
}

/// What a server said, cut, and in one line.
fn said(error: &MailError) -> String {
    error.cause.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(ERROR_CHARS).collect()
}

/// What there is to send.
enum Prepared {
    /// This.
    Mail(Mail),
    /// Nothing any more.
    Over,
    /// A mail that cannot be sent.
    Unfit(&'static str),
}

/// Puts a mail together, with the token of its link.
async fn prepare(ports: &Ports, scope: TenantScope, id: MailId) -> Outcome<Prepared> {
    let read = ports.store.read_system(move |system| async move {
        let tenant = system.tenant(scope);
        let Some(row) = rows::find(&tenant, id).await?.filter(|row| row.status == MailStatus::Queued) else { return Ok(None) };
        let business = customers::business(&tenant).await?;
        let user = customers::users(&tenant, row.user_id.into_iter().collect()).await?.pop();
        let invitation = match row.invitation_id {
            Some(invitation) => invitations::find(&tenant, invitation).await?,
            None => None,
        };
        let change = match row.user_id.filter(|_| matches!(row.kind.as_str(), EMAIL_CHANGE | EMAIL_CHANGING)) {
            Some(user) => email_changes::find(&system, user).await?,
            None => None,
        };
        Ok(Some((row, business.business_email, user, (invitation, change))))
    });
    let Some((row, business_email, user, (invitation, change))) = read.await? else { return Ok(Prepared::Over) };
    if row.user_id.is_some() && user.is_none() {
        return Ok(Prepared::Unfit("the person has left the business"));
    }
    if row.invitation_id.is_some() {
        return invite(ports, &row, invitation).await;
    }
    if let (EMAIL_CHANGE | EMAIL_CHANGING, Some(user)) = (row.kind.as_str(), &user) {
        return change_address(ports, &row, user, change).await;
    }
    let details: Value = serde_json::from_str(&row.details).map_err(|error| Error::Task(Box::new(error)))?;
    let address = match (&user, details["support"].as_bool()) {
        (Some(user), _) => user.email.clone(),
        (None, Some(true)) => ports.support_email.clone().unwrap_or_default(),
        (None, _) => business_email,
    };
    let Some(to) = MailAddress::parse(&address) else { return Ok(Prepared::Unfit("the address cannot be one")) };
    let link = match (purpose(&row.kind), &user) {
        (Some(purpose), Some(user)) => token_link(ports, (user.id, user.email.to_lowercase()), purpose).await?,
        _ => format!("{}{}", ports.app_url, details["path"].as_str().unwrap_or_default()),
    };
    let written_in = || details["locale"].as_str().unwrap_or_default().to_owned();
    let locale = user.map_or_else(written_in, |user| user.locale);
    let letter = letters::letter(&row.kind, &locale, &details["values"], &link)?;
    Ok(Prepared::Mail(Mail { id: id.uuid(), to, subject: letter.subject, text: letter.text, html: Some(letter.html) }))
}

/// Puts a mail of a change of address together, as long as it is the one that its person asked for last.
async fn change_address(ports: &Ports, row: &StoredMail, user: &UserView, change: Option<EmailChange>) -> Outcome<Prepared> {
    let details: Value = serde_json::from_str(&row.details).map_err(|error| Error::Task(Box::new(error)))?;
    let is_last = |change: &EmailChange| details["asked"].as_str() == Some(change.asked_at.get().to_string().as_str());
    let Some(change) = change.filter(is_last) else { return Ok(Prepared::Unfit("the change was taken back")) };
    let is_new = row.kind == EMAIL_CHANGE;
    if is_new && change.confirmed_at.is_some() {
        // A mail that was handed over by a worker that did not live to say so.
        return Ok(Prepared::Unfit("the address is confirmed already"));
    }
    let address = if is_new { &change.email } else { &change.old_email };
    let Some(to) = MailAddress::parse(address) else { return Ok(Prepared::Unfit("the address cannot be one")) };
    // The token is of the new address: by it, it takes the place of the old one.
    let link =
        if is_new { token_link(ports, (user.id, change.email_key), LinkPurpose::ConfirmEmail).await? } else { ports.app_url.clone() };
    let letter = letters::letter(&row.kind, &user.locale, &details["values"], &link)?;
    Ok(Prepared::Mail(Mail { id: row.id.uuid(), to, subject: letter.subject, text: letter.text, html: Some(letter.html) }))
}

/// Puts the mail of an invitation together, with the token of its link; it goes to the invitation's address.
async fn invite(ports: &Ports, row: &StoredMail, invitation: Option<Invitation>) -> Outcome<Prepared> {
    let now = Instant::from(ports.now());
    let Some(invitation) = invitation.filter(|invitation| invitation.is_good(now)) else {
        return Ok(Prepared::Unfit("the invitation is over"));
    };
    let Some(to) = MailAddress::parse(&invitation.email) else { return Ok(Prepared::Unfit("the address cannot be one")) };
    let details: Value = serde_json::from_str(&row.details).map_err(|error| Error::Task(Box::new(error)))?;
    let token = LinkToken::generate(ports.rng.as_ref());
    let stored =
        InvitationToken { hash: token.hash().to_vec(), business_id: invitation.business_id, invitation_id: invitation.id, created_at: now };
    let write = ports.store.write_system(move |system| {
        let stored = stored.clone();
        async move { Ok(invitations::insert_token(&system, stored).await?) }
    });
    write.await?;
    let link = format!("{}/accept-invitation#token={}", ports.app_url, *token.reveal());
    let letter = letters::letter(&row.kind, details["locale"].as_str().unwrap_or_default(), &details["values"], &link)?;
    Ok(Prepared::Mail(Mail { id: row.id.uuid(), to, subject: letter.subject, text: letter.text, html: Some(letter.html) }))
}

/// A link with a new token, whose hash is stored. The token stands behind `#`: no server on the way sees or logs it.
async fn token_link(ports: &Ports, (user_id, email_key): (UserId, String), purpose: LinkPurpose) -> Outcome<String> {
    let token = LinkToken::generate(ports.rng.as_ref());
    let now = ports.now();
    let row = AccountToken {
        hash: token.hash().to_vec(),
        user_id,
        purpose,
        email_key,
        created_at: now.into(),
        expires_at: now.saturating_add(lifetime(purpose)).unwrap_or(jiff::Timestamp::MAX).into(),
        spent_at: None,
    };
    let write = ports.store.write_system(move |system| {
        let row = row.clone();
        async move { Ok(account_links::insert(&system, row).await?) }
    });
    write.await?;
    let page = match purpose {
        LinkPurpose::ConfirmEmail => "confirm-email",
        LinkPurpose::ResetPassword => "reset-password",
    };
    Ok(format!("{}/{page}#token={}", ports.app_url, *token.reveal()))
}

/// Writes what became of a mail.
async fn conclude(ports: &Ports, scope: TenantScope, id: MailId, status: MailStatus, error: Option<String>) -> Outcome<()> {
    let now = Instant::from(ports.now());
    let write = move |tenant: Tenant| {
        let error = error.clone();
        async move { Ok(rows::conclude(&tenant, id, status, error, now).await?) }
    };
    ports.store.write(scope, write).await
}
