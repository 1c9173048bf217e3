//! Support: what a business asks of the platform's staff, and what they answer. A ticket is a talk in turns: it waits for
//! staff or for the customer, and what nobody answers is over in the end.

use jiff::SignedDuration;

use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::TicketId;
use crate::services::Ports;
use crate::services::access::{self, Access, Caller, Need, Who};
use crate::services::customers::fields::{line, lines};
use crate::services::events::{self, Event, TicketFacts, TicketWhat};
use crate::store::jobs::{self, Finish, Job, NewJob};
use crate::store::support::{self as rows, Ticket, TicketMessage};
use crate::store::types::{Instant, TicketPriority, TicketStatus};
use crate::store::{Tenant, TenantScope, customers, keys};

mod turns;

pub(in crate::services) use turns::Turn;
use turns::after;

/// The job that looks whether a ticket is over since nobody has said anything; its key is the ticket's id and how many messages it
/// had.
pub const QUIET: &str = "support_quiet";
/// After so long without a word a ticket that waits for the customer is resolved, and after as long again it is closed.
const QUIET_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most tickets of a business that are not closed.
const MAX_LIVE: u64 = 100;
/// The most messages of a ticket.
const MAX_MESSAGES: i32 = 500;
/// The most characters of a subject.
const MAX_SUBJECT_CHARS: usize = 200;
/// The most characters of a message.
const MAX_BODY_CHARS: usize = 10_000;

/// What is asked of support.
#[derive(Debug, Clone)]
pub struct OpenTicket {
    /// What it is about, in one line.
    pub subject: String,
    /// The first message.
    pub body: String,
    /// How much it presses.
    pub priority: TicketPriority,
}

/// Who says something in a ticket.
#[derive(Debug, Clone)]
pub(in crate::services) struct Author {
    /// What they are called.
    pub(in crate::services) name: String,
    /// Whether they are the platform's.
    pub(in crate::services) from_staff: bool,
}

/// A business's tickets.
#[derive(Clone)]
pub struct SupportService {
    /// What it needs of the outside.
    ports: Ports,
}

impl SupportService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Opens a ticket. A business that staff have suspended may: whom else would it ask why?
    ///
    /// # Errors
    /// REQUIRED, TOO_LONG or INVALID at `subject` and `body`; LIMIT_EXCEEDED for one too many; [`Error::Forbidden`] for a key without
    /// SUPPORT_WRITE; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn open(&self, caller: Caller, input: OpenTicket) -> Outcome<TicketId> {
        let (scope, outside) = (caller.require_scope()?, self.ports.clone());
        let write = move |tenant: Tenant| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                customers::lock_business(&tenant).await?;
                let access = access::check(&tenant, caller).await?;
                access.require(Need::WriteToSupport)?;
                let (subject, body) = read(&input)?;
                if rows::count_live(&tenant, MAX_LIVE).await? >= MAX_LIVE {
                    let sentence = format!("A business has at most {MAX_LIVE} tickets that are not closed; close one first.");
                    return Err(UserError::new(UserErrorCode::LimitExceeded, sentence).into());
                }
                let author = author(&tenant, &access, Instant::from(ports.real_now())).await?;
                Ok(begin(&tenant, &ports, (subject, input.priority), &access, said(author, body)).await?)
            }
        };
        self.done(scope, write).await
    }

    /// Says something more in a ticket: staff are to answer then.
    ///
    /// # Errors
    /// NOT_FOUND at `ticketId`, for a member also where somebody else opened it; REQUIRED, TOO_LONG or INVALID at `body`;
    /// INVALID_TRANSITION for a ticket that is closed; LIMIT_EXCEEDED for a message too many; [`Error::Forbidden`],
    /// [`Error::Unauthenticated`] or the database's fault.
    pub async fn reply(&self, caller: Caller, ticket: Option<TicketId>, body: &str) -> Outcome<TicketId> {
        let (scope, outside, body) = (caller.require_scope()?, self.ports.clone(), text("body", body));
        let write = move |tenant: Tenant| {
            let (ports, body) = (outside.clone(), body.clone());
            async move {
                customers::lock_business(&tenant).await?;
                let access = access::check(&tenant, caller).await?;
                access.require(Need::WriteToSupport)?;
                let ticket = held(&tenant, ticket, Some(&access)).await?;
                let author = author(&tenant, &access, Instant::from(ports.real_now())).await?;
                let (id, said) = (ticket.id, said(author, body?));
                turn(&tenant, &ports, ticket, Turn::Customer, said).await?;
                Ok(id)
            }
        };
        self.done(scope, write).await
    }

    /// Closes a ticket: nothing more is said in it.
    ///
    /// # Errors
    /// NOT_FOUND at `ticketId`, for a member also where somebody else opened it; INVALID_TRANSITION for one that is closed;
    /// [`Error::Forbidden`], [`Error::Unauthenticated`] or the database's fault.
    pub async fn close(&self, caller: Caller, ticket: Option<TicketId>) -> Outcome<TicketId> {
        let (scope, outside) = (caller.require_scope()?, self.ports.clone());
        let write = move |tenant: Tenant| {
            let ports = outside.clone();
            async move {
                customers::lock_business(&tenant).await?;
                let access = access::check(&tenant, caller).await?;
                access.require(Need::WriteToSupport)?;
                let mut ticket = held(&tenant, ticket, Some(&access)).await?;
                ticket.status = after(ticket.status, Turn::Closed).ok_or_else(closed)?;
                let id = ticket.id;
                changed(&tenant, &ports, ticket, TicketWhat::Closed).await?;
                Ok(id)
            }
        };
        self.done(scope, write).await
    }

    /// Runs a change, and wakes the worker that tells of it.
    async fn done<F, Fut>(&self, scope: TenantScope, write: F) -> Outcome<TicketId>
    where
        F: Fn(Tenant) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome<TicketId>> + Send + 'static,
    {
        let done = self.ports.store.write(scope, write).await?;
        self.ports.work.notify_one();
        Ok(done)
    }
}

/// What a caller sees: every ticket of the business, or those alone that this person opened.
pub fn sees_those_of(access: &Access) -> Option<crate::ids::UserId> {
    match access.who {
        Who::Person(person) if !access.allows(Need::ReadMoney) => Some(person.user),
        _ => None,
    }
}

/// Runs a job of the kind [`QUIET`] for the business of `scope`, which the worker made from the job's claimed row.
///
/// # Errors
/// The database's fault.
pub async fn run_job(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    let (outside, key) = (ports.clone(), job.job_key.clone());
    let write = move |tenant: Tenant| {
        let (ports, key) = (outside.clone(), key.clone());
        async move { Ok(grow_quiet(&tenant, &ports, &key).await?) }
    };
    ports.store.write(scope, write).await
}

/// Resolves, or closes, a ticket in which nothing was said since the job was written.
async fn grow_quiet(tenant: &Tenant, ports: &Ports, key: &str) -> Result<Finish, Error> {
    let foreign = || Error::Corrupt("a job's key names no ticket".into());
    let (ticket, messages) = key.split_once(':').ok_or_else(foreign)?;
    let (id, messages) = (TicketId::parse(ticket).ok_or_else(foreign)?, messages.parse::<i32>().map_err(|_| foreign())?);
    customers::lock_business(tenant).await?;
    let Some(mut ticket) = rows::lock(tenant, id).await?.filter(|ticket| ticket.messages == messages) else { return Ok(Finish::Done) };
    let Some(status) = after(ticket.status, Turn::Quiet) else { return Ok(Finish::Done) };
    // Run once more, since a worker died after it had resolved the ticket, the job waits for the second week all the same.
    let quiet_from = ticket.updated_at.get().saturating_add(QUIET_FOR).unwrap_or(jiff::Timestamp::MAX);
    if ports.real_now() < quiet_from {
        return Ok(Finish::Again(quiet_from.into()));
    }
    ticket.status = status;
    let what = if status == TicketStatus::Resolved { TicketWhat::Resolved } else { TicketWhat::Closed };
    changed(tenant, ports, ticket, what).await?;
    Ok(if status == TicketStatus::Resolved { Finish::Again(quiet_at(ports)) } else { Finish::Done })
}

/// When a ticket is looked at in which nothing more is said.
fn quiet_at(ports: &Ports) -> Instant {
    ports.real_now().saturating_add(QUIET_FOR).unwrap_or(jiff::Timestamp::MAX).into()
}

/// What is said, and by whom.
type Said = (Author, String);

/// What somebody says.
pub(in crate::services) const fn said(author: Author, body: String) -> Said {
    (author, body)
}

/// The first message makes a ticket.
async fn begin(
    tenant: &Tenant,
    ports: &Ports,
    (subject, priority): (String, TicketPriority),
    access: &Access,
    said: Said,
) -> Result<TicketId, Error> {
    let now = Instant::from(ports.real_now());
    let mut ticket = Ticket {
        business_id: tenant.business(),
        id: ports.ids.next(),
        number: 0,
        subject,
        status: TicketStatus::Open,
        priority,
        opened_by: access.person().ok().map(|person| person.user),
        messages: 1,
        created_at: now,
        updated_at: now,
    };
    ticket.number = rows::insert(tenant, ticket.clone()).await?;
    write(tenant, ports, &ticket, said).await?;
    events::emit(tenant, ports, &Event::Ticket(TicketWhat::Opened, facts(&ticket))).await?;
    Ok(ticket.id)
}

/// Somebody says something more.
pub(in crate::services) async fn turn(tenant: &Tenant, ports: &Ports, mut ticket: Ticket, turn: Turn, said: Said) -> Outcome<()> {
    ticket.status = after(ticket.status, turn).ok_or_else(closed)?;
    if ticket.messages >= MAX_MESSAGES {
        let sentence = format!("A ticket has at most {MAX_MESSAGES} messages; open another one.");
        return Err(UserError::new(UserErrorCode::LimitExceeded, sentence).into());
    }
    ticket.messages = ticket.messages.saturating_add(1);
    write(tenant, ports, &ticket, said).await?;
    if ticket.status == TicketStatus::WaitingForCustomer {
        let (key, now) = (format!("{}:{}", ticket.id, ticket.messages), Instant::from(ports.real_now()));
        let job = NewJob { id: ports.ids.next(), kind: QUIET, key: &key, due_at: quiet_at(ports), clock: None, now };
        jobs::schedule(tenant, job).await?;
    }
    let what = if turn == Turn::Staff { TicketWhat::Answered } else { TicketWhat::Replied };
    Ok(changed(tenant, ports, ticket, what).await?)
}

/// Writes a message.
async fn write(tenant: &Tenant, ports: &Ports, ticket: &Ticket, (author, body): Said) -> Result<(), Error> {
    let message = TicketMessage {
        business_id: tenant.business(),
        id: ports.ids.next(),
        ticket_id: ticket.id,
        author: author.name,
        from_staff: author.from_staff,
        body,
        created_at: ports.real_now().into(),
    };
    rows::insert_message(tenant, message).await
}

/// Writes a ticket's row, and tells of what happened to it.
async fn changed(tenant: &Tenant, ports: &Ports, mut ticket: Ticket, what: TicketWhat) -> Result<(), Error> {
    ticket.updated_at = ports.real_now().into();
    let event = Event::Ticket(what, facts(&ticket));
    rows::save(tenant, ticket).await?;
    events::emit(tenant, ports, &event).await.map(drop)
}

/// A ticket, for an event.
fn facts(ticket: &Ticket) -> TicketFacts {
    TicketFacts {
        ticket_id: ticket.id.to_string(),
        number: number(ticket),
        subject: ticket.subject.clone(),
        status: ticket.status.as_str().to_owned(),
        priority: ticket.priority.as_str().to_owned(),
        opened_by: ticket.opened_by.map(|user| user.to_string()),
    }
}

/// A ticket's number as it is shown: counted within its business.
pub fn number(ticket: &Ticket) -> String {
    format!("T-{}", ticket.number)
}

/// The ticket of an id, locked; with `access` one that the caller sees.
pub(in crate::services) async fn held(tenant: &Tenant, id: Option<TicketId>, access: Option<&Access>) -> Outcome<Ticket> {
    let refusal = || UserError::at("ticketId", UserErrorCode::NotFound, "There is no such ticket.");
    let found = rows::lock(tenant, id.ok_or_else(refusal)?).await?;
    let mine = access.and_then(sees_those_of);
    Ok(found.filter(|ticket| mine.is_none() || ticket.opened_by == mine).ok_or_else(refusal)?)
}

/// The refusal of a ticket that is over.
fn closed() -> UserError {
    UserError::at("ticketId", UserErrorCode::InvalidTransition, "The ticket is closed; open another one.")
}

/// Who speaks for the business.
async fn author(tenant: &Tenant, access: &Access, now: Instant) -> Result<Author, Error> {
    let gone = || Error::Corrupt("whoever calls is nobody".into());
    let name = match access.who {
        Who::Person(person) => customers::users(tenant, vec![person.user]).await?.pop().ok_or_else(gone)?.full_name,
        Who::Key { key, .. } => keys::live_key_by_id(tenant, key, now).await?.ok_or_else(gone)?.name,
        Who::Service { .. } => return Err(Error::Forbidden),
    };
    Ok(Author { name, from_staff: false })
}

/// Reads the input, or everything that is wrong with it.
fn read(input: &OpenTicket) -> Outcome<(String, String)> {
    let subject = line("subject", &input.subject, MAX_SUBJECT_CHARS);
    match (subject, text("body", &input.body)) {
        (Ok(subject), Ok(body)) => Ok((subject, body)),
        (subject, body) => Err(Failure::Refused(subject.err().into_iter().chain(body.err()).collect())),
    }
}

/// What is said: 1 to 10,000 characters, of several lines if need be.
///
/// # Errors
/// REQUIRED, TOO_LONG or INVALID at `field`.
pub(in crate::services) fn text(field: &'static str, text: &str) -> Result<String, UserError> {
    if text.trim().is_empty() {
        return Err(UserError::at(field, UserErrorCode::Required, "This is needed."));
    }
    lines(field, text, MAX_BODY_CHARS)
}
