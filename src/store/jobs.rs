//! Jobs: what is to be done by the clock. A job is written in the transaction that causes it, claimed with a lease and
//! a fence, and finished only by the claim that holds the fence.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, LockBehavior, LockType, Query};
use sea_orm::{ColumnTrait as _, Condition, FromQueryResult, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::entity::test_clocks::test_clock;
use super::entity::work::job;
use super::types::{Instant, JobStatus};
use super::{System, Tenant};
use crate::error::Error;
use crate::ids::{JobId, TestClockId};

pub use super::entity::work::job::Model as Job;

/// A job to write.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub kind: &'a str,
    /// What it is about; one job of a kind and key for ever.
    pub key: &'a str,
    /// When.
    pub due_at: Instant,
    /// By which test clock that is; `None` for real time.
    pub clock: Option<TestClockId>,
    /// Now, by the same clock.
    pub now: Instant,
}

/// A place in a lane: a job is not claimed while one before it in its lane is still to be done. Places are given in
/// order and committed in that order, which is for whoever gives them to see to.
#[derive(Debug, Clone, Copy)]
pub struct Lane<'a> {
    /// Which lane of the business.
    pub name: &'a str,
    /// Where in it.
    pub position: i64,
}

/// Writes those jobs, each in a lane, of whose kind and key there is none, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn schedule_all_in(tenant: &Tenant, new: &[(NewJob<'_>, Lane<'_>)]) -> Result<(), Error> {
    tenant.insert_new::<job::Entity, _>(new.iter().map(|(new, lane)| row(new, Some(*lane))).collect()).await
}

/// Writes a job unless there is one of its kind and key; answers whether it was written.
///
/// # Errors
/// The database's fault.
pub async fn schedule(tenant: &Tenant, new: NewJob<'_>) -> Result<bool, Error> {
    tenant.insert_if_new(row(&new, None)).await
}

/// As [`schedule`], for a job that nobody claims before `lease_until`, by real time: whoever writes it does what it is about
/// at once, after the commit, and takes it back by [`withdraw`]. It is done by whoever claims it where that never happens.
///
/// # Errors
/// The database's fault.
pub async fn schedule_leased(tenant: &Tenant, new: NewJob<'_>, lease_until: Instant) -> Result<bool, Error> {
    let leased = job::ActiveModel { leased_until: Set(Some(lease_until)), ..row(&new, None) };
    tenant.insert_if_new(leased).await
}

/// As [`schedule`], for a job that waits for those before it in its lane.
///
/// # Errors
/// The database's fault.
pub async fn schedule_in(tenant: &Tenant, new: NewJob<'_>, lane: Lane<'_>) -> Result<bool, Error> {
    tenant.insert_if_new(row(&new, Some(lane))).await
}

/// The row of a new job.
fn row(new: &NewJob<'_>, lane: Option<Lane<'_>>) -> job::ActiveModel {
    job::ActiveModel {
        id: Set(new.id),
        kind: Set(new.kind.to_owned()),
        job_key: Set(new.key.to_owned()),
        due_at: Set(new.due_at),
        status: Set(JobStatus::Ready),
        leased_until: Set(None),
        fence: Set(0),
        attempts: Set(0),
        last_error: Set(None),
        created_at: Set(new.now),
        updated_at: Set(new.now),
        lane: Set(lane.map(|lane| lane.name.to_owned())),
        lane_position: Set(lane.map(|lane| lane.position)),
        test_clock_id: Set(new.clock),
        ..Default::default()
    }
}

/// Jobs that no earlier one of their lane holds up. Those done or dead hold nothing up, and one that did never comes back.
fn first_of_its_lane() -> Condition {
    let earlier = Alias::new("earlier");
    let of_earlier = |column: job::Column| Expr::col((earlier.clone(), column));
    let ahead = Query::select()
        .expr(Expr::val(1))
        .from_as(job::Entity, earlier.clone())
        .and_where(of_earlier(job::Column::BusinessId).equals((job::Entity, job::Column::BusinessId)))
        .and_where(of_earlier(job::Column::Lane).equals((job::Entity, job::Column::Lane)))
        .and_where(of_earlier(job::Column::LanePosition).lt(Expr::col((job::Entity, job::Column::LanePosition))))
        .and_where(of_earlier(job::Column::Status).eq(JobStatus::Ready))
        .take();
    Condition::any().add(job::Column::Lane.is_null()).add(Expr::exists(ahead).not())
}

/// Takes back a job that is no longer to be done. One that is being run finds its fence gone.
///
/// # Errors
/// The database's fault.
pub async fn withdraw(tenant: &Tenant, kind: &str, key: &str, now: Instant) -> Result<(), Error> {
    let this =
        Condition::all().add(job::Column::Kind.eq(kind)).add(job::Column::JobKey.eq(key)).add(job::Column::Status.eq(JobStatus::Ready));
    let done = |update: super::tenant::ScopedUpdate<job::Entity>| {
        // Nobody holds what is over.
        let update = update.set(job::Column::Status, JobStatus::Done).set(job::Column::LeasedUntil, Option::<Instant>::None);
        update.set(job::Column::UpdatedAt, now).filter(this)
    };
    tenant.update_where::<job::Entity>(done).await?;
    Ok(())
}

/// Makes the jobs of a lane due now that wait for a later time.
///
/// # Errors
/// The database's fault.
pub async fn hasten_lane(tenant: &Tenant, lane: &str, now: Instant) -> Result<(), Error> {
    let those =
        Condition::all().add(job::Column::Lane.eq(lane)).add(job::Column::Status.eq(JobStatus::Ready)).add(job::Column::DueAt.gt(now));
    let due = |update: super::tenant::ScopedUpdate<job::Entity>| {
        update.set(job::Column::DueAt, now).set(job::Column::UpdatedAt, now).filter(those)
    };
    tenant.update_where::<job::Entity>(due).await?;
    Ok(())
}

/// Whether a job of a kind and key is not over.
///
/// # Errors
/// The database's fault.
pub async fn is_waiting(tenant: &Tenant, kind: &str, key: &str) -> Result<bool, Error> {
    let this = tenant.select::<job::Entity>().filter(job::Column::Kind.eq(kind)).filter(job::Column::JobKey.eq(key));
    Ok(this.filter(job::Column::Status.eq(JobStatus::Ready)).one().await?.is_some())
}

/// Claims up to `most` jobs that are due by real time and not leased, the longest due first, until `lease_until`. Two
/// claimers never get the same job: PostgreSQL skips rows that another has locked, SQLite has one writer.
///
/// # Errors
/// The database's fault.
pub async fn claim_due(system: &System, now: Instant, lease_until: Instant, most: u64) -> Result<Vec<Job>, Error> {
    let due = Condition::all().add(job::Column::TestClockId.is_null()).add(job::Column::DueAt.lte(now));
    claim(system, due, (now, lease_until), most).await
}

/// As [`claim_due`], for the jobs that are due by their test clocks. Leases go by real time here too.
///
/// # Errors
/// The database's fault.
pub async fn claim_due_by_clocks(system: &System, now: Instant, lease_until: Instant, most: u64) -> Result<Vec<Job>, Error> {
    let of_clock = |column: test_clock::Column| Expr::col((test_clock::Entity, column));
    let shows = Query::select()
        .expr(Expr::val(1))
        .from(test_clock::Entity)
        .and_where(of_clock(test_clock::Column::Id).equals((job::Entity, job::Column::TestClockId)))
        .and_where(of_clock(test_clock::Column::Now).gte(Expr::col((job::Entity, job::Column::DueAt))))
        .take();
    let due = Condition::all().add(job::Column::TestClockId.is_not_null()).add(Expr::exists(shows));
    claim(system, due, (now, lease_until), most).await
}

/// Claims jobs that are due by that condition.
async fn claim(system: &System, due: Condition, (now, lease_until): (Instant, Instant), most: u64) -> Result<Vec<Job>, Error> {
    let free = Condition::any().add(job::Column::LeasedUntil.is_null()).add(job::Column::LeasedUntil.lte(now));
    let due = system.select::<job::Entity>().filter(job::Column::Status.eq(JobStatus::Ready)).filter(due).filter(free);
    let due = due.filter(first_of_its_lane());
    let due = due.order_by_asc(job::Column::DueAt).order_by_asc(job::Column::Id).limit(most);
    let mut claimed = due.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(system.connection()).await?;
    if claimed.is_empty() {
        return Ok(claimed);
    }
    let update = system
        .update_many::<job::Entity>()
        .col_expr(job::Column::LeasedUntil, Expr::value(Some(lease_until)))
        .col_expr(job::Column::Fence, Expr::col(job::Column::Fence).add(1_i64))
        .col_expr(job::Column::Attempts, Expr::col(job::Column::Attempts).add(1_i32))
        .col_expr(job::Column::UpdatedAt, Expr::value(now))
        .filter(any_claim(&claimed));
    update.exec(system.connection()).await?;
    for held in &mut claimed {
        held.leased_until = Some(lease_until);
        held.fence = held.fence.saturating_add(1);
        held.attempts = held.attempts.saturating_add(1);
        held.updated_at = now;
    }
    Ok(claimed)
}

/// These jobs, as long as nobody has claimed them since.
fn any_claim<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> Condition {
    let claim = |job: &Job| {
        let this = Condition::all().add(job::Column::BusinessId.eq(job.business_id)).add(job::Column::Id.eq(job.id));
        this.add(job::Column::Fence.eq(job.fence))
    };
    jobs.into_iter().map(claim).fold(Condition::any(), Condition::add)
}

/// When the next job by real time that nobody holds at `now` is due.
///
/// # Errors
/// The database's fault.
pub async fn next_due(system: &System, now: Instant) -> Result<Option<Instant>, Error> {
    let free = Condition::any().add(job::Column::LeasedUntil.is_null()).add(job::Column::LeasedUntil.lte(now));
    let waiting = system.select::<job::Entity>().filter(job::Column::Status.eq(JobStatus::Ready)).filter(free);
    let waiting = waiting.filter(job::Column::TestClockId.is_null());
    let waiting = waiting.filter(first_of_its_lane()).order_by_asc(job::Column::DueAt);
    Ok(waiting.one(system.connection()).await?.map(|job| job.due_at))
}

/// Jobs of a kind that are due.
#[derive(Debug, FromQueryResult)]
pub struct DueByKind {
    /// The kind.
    pub kind: String,
    /// How many.
    pub count: i64,
    /// When the oldest was due.
    pub oldest: Instant,
}

/// How many jobs of each kind [`claim_due`] could claim, and when the oldest of them was due.
///
/// # Errors
/// The database's fault.
pub async fn due_by_kind(system: &System, now: Instant) -> Result<Vec<DueByKind>, Error> {
    let due = system
        .select::<job::Entity>()
        .select_only()
        .column(job::Column::Kind)
        .column_as(job::Column::Id.count(), "count")
        .column_as(job::Column::DueAt.min(), "oldest")
        .filter(job::Column::Status.eq(JobStatus::Ready))
        .filter(job::Column::TestClockId.is_null())
        .filter(job::Column::DueAt.lte(now))
        .filter(Condition::any().add(job::Column::LeasedUntil.is_null()).add(job::Column::LeasedUntil.lte(now)))
        .filter(first_of_its_lane())
        .group_by(job::Column::Kind);
    Ok(due.into_model::<DueByKind>().all(system.connection()).await?)
}

/// What became of a job that was run.
#[derive(Debug, Clone)]
pub enum Finish {
    /// It is done.
    Done,
    /// It is to be run again then, e.g. to ask a gateway once more. Counts as a fresh start, not as a failure.
    Again(Instant),
    /// It failed and is to be run again then, by real time: a test clock that stands still does not keep it waiting.
    Retry(Instant, String),
    /// It failed for good; somebody must look.
    Dead(String),
}

/// Writes what became of a claimed job, if the claim still holds; answers whether it did.
///
/// # Errors
/// The database's fault.
pub async fn finish(system: &System, claimed: &Job, finish: Finish, now: Instant) -> Result<bool, Error> {
    let mut leased_until = None;
    let (status, due_at, attempts, error) = match finish {
        Finish::Done => (JobStatus::Done, claimed.due_at, claimed.attempts, None),
        Finish::Again(at) => (JobStatus::Ready, at, 0, None),
        Finish::Retry(at, error) if claimed.test_clock_id.is_some() => {
            leased_until = Some(at);
            (JobStatus::Ready, claimed.due_at, claimed.attempts, Some(error))
        }
        Finish::Retry(at, error) => (JobStatus::Ready, at, claimed.attempts, Some(error)),
        Finish::Dead(error) => (JobStatus::Dead, claimed.due_at, claimed.attempts, Some(error)),
    };
    let update = system
        .update_many::<job::Entity>()
        .col_expr(job::Column::Attempts, Expr::value(attempts))
        .col_expr(job::Column::Status, Expr::value(status))
        .col_expr(job::Column::DueAt, Expr::value(due_at))
        .col_expr(job::Column::LeasedUntil, Expr::value(leased_until))
        .col_expr(job::Column::LastError, Expr::value(error))
        .col_expr(job::Column::UpdatedAt, Expr::value(now))
        .filter(job::Column::BusinessId.eq(claimed.business_id))
        .filter(job::Column::Id.eq(claimed.id))
        .filter(job::Column::Fence.eq(claimed.fence))
        .filter(job::Column::Status.eq(JobStatus::Ready));
    Ok(update.exec(system.connection()).await?.rows_affected == 1)
}

/// Writes what became of several claimed jobs, those that are done in one statement; answers how many of the claims still held.
///
/// # Errors
/// The database's fault.
pub async fn finish_all(system: &System, over: &[(Job, Finish)], now: Instant) -> Result<usize, Error> {
    let (done, others): (Vec<_>, Vec<_>) = over.iter().partition(|(_, finish)| matches!(finish, Finish::Done));
    let mut held: usize = 0;
    if !done.is_empty() {
        let update = system
            .update_many::<job::Entity>()
            .col_expr(job::Column::Status, Expr::value(JobStatus::Done))
            .col_expr(job::Column::LeasedUntil, Expr::value(Option::<Instant>::None))
            .col_expr(job::Column::LastError, Expr::value(Option::<String>::None))
            .col_expr(job::Column::UpdatedAt, Expr::value(now))
            .filter(job::Column::Status.eq(JobStatus::Ready))
            .filter(any_claim(done.iter().map(|(job, _)| job)));
        held = usize::try_from(update.exec(system.connection()).await?.rows_affected).unwrap_or(usize::MAX);
    }
    for (job, how) in others {
        held = held.saturating_add(usize::from(finish(system, job, how.clone(), now).await?));
    }
    Ok(held)
}

/// Has a claim hold until then; answers whether it held. One that was given back does not.
///
/// # Errors
/// The database's fault.
pub async fn renew(system: &System, claimed: &Job, lease_until: Instant) -> Result<bool, Error> {
    let update = system
        .update_many::<job::Entity>()
        .col_expr(job::Column::LeasedUntil, Expr::value(Some(lease_until)))
        .filter(job::Column::BusinessId.eq(claimed.business_id))
        .filter(job::Column::Id.eq(claimed.id))
        .filter(job::Column::Fence.eq(claimed.fence))
        .filter(job::Column::LeasedUntil.is_not_null())
        .filter(job::Column::Status.eq(JobStatus::Ready));
    Ok(update.exec(system.connection()).await?.rows_affected == 1)
}

/// Gives back a claimed job that was not run to its end, if the claim still holds: it is due as before, and the claim
/// counts as no attempt. With it go the jobs of its business that were written leased, which whoever wrote them has not done.
///
/// # Errors
/// The database's fault.
pub async fn release(system: &System, claimed: &Job, now: Instant) -> Result<(), Error> {
    let update = system
        .update_many::<job::Entity>()
        .col_expr(job::Column::LeasedUntil, Expr::value(Option::<Instant>::None))
        .col_expr(job::Column::Attempts, Expr::value(claimed.attempts.saturating_sub(1)))
        .col_expr(job::Column::UpdatedAt, Expr::value(now))
        .filter(job::Column::BusinessId.eq(claimed.business_id))
        .filter(job::Column::Id.eq(claimed.id))
        .filter(job::Column::Fence.eq(claimed.fence))
        .filter(job::Column::LeasedUntil.is_not_null())
        .filter(job::Column::Status.eq(JobStatus::Ready));
    update.exec(system.connection()).await?;
    let never_claimed = system
        .update_many::<job::Entity>()
        .col_expr(job::Column::LeasedUntil, Expr::value(Option::<Instant>::None))
        .col_expr(job::Column::UpdatedAt, Expr::value(now))
        .filter(job::Column::BusinessId.eq(claimed.business_id))
        .filter(job::Column::Fence.eq(0_i64))
        .filter(job::Column::LeasedUntil.is_not_null())
        .filter(job::Column::Status.eq(JobStatus::Ready));
    never_claimed.exec(system.connection()).await?;
    Ok(())
}

/// Makes the waiting jobs of a kind and key due now, whosever they are: for what a gateway says of a key that it was given.
///
/// # Errors
/// The database's fault.
pub async fn hasten(system: &System, kind: &str, key: &str, now: Instant) -> Result<(), Error> {
    let update = system
        .update_many::<job::Entity>()
        .col_expr(job::Column::DueAt, Expr::value(now))
        .col_expr(job::Column::UpdatedAt, Expr::value(now))
        .filter(job::Column::Kind.eq(kind))
        .filter(job::Column::JobKey.eq(key))
        .filter(job::Column::Status.eq(JobStatus::Ready))
        .filter(job::Column::TestClockId.is_null())
        .filter(job::Column::DueAt.gt(now));
    update.exec(system.connection()).await?;
    // By a test clock it is due since it was made, whatever that clock shows.
    let by_clock = system
        .update_many::<job::Entity>()
        .col_expr(job::Column::DueAt, Expr::col(job::Column::CreatedAt))
        .col_expr(job::Column::UpdatedAt, Expr::value(now))
        .filter(job::Column::Kind.eq(kind))
        .filter(job::Column::JobKey.eq(key))
        .filter(job::Column::Status.eq(JobStatus::Ready))
        .filter(job::Column::TestClockId.is_not_null());
    by_clock.exec(system.connection()).await?;
    Ok(())
}
