//! The ladder of a subscription whose invoice is not paid: pure dates, one ladder a subscription, from its oldest
//! unpaid invoice.

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::RuleError;
use super::period::Zone;

/// Days that a customer has to push a payment.
pub const PUSHED_DUE_DAYS: u16 = 7;
/// Days after a subscription's end until its open invoices are UNCOLLECTIBLE.
pub const UNCOLLECTIBLE_AFTER_DAYS: u16 = 30;
/// Hours that the first payment of a subscription has before it is EXPIRED.
pub const INCOMPLETE_HOURS: u16 = 24;

/// How long payment is waited for. A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DunningSettings {
    /// Days after the start on which payment is tried again, increasing.
    pub retry_after_days: Vec<u16>,
    /// Days of suspension before the end.
    pub cancel_after_days: u16,
}

impl Default for DunningSettings {
    fn default() -> Self {
        Self { retry_after_days: vec![1, 3, 5, 7], cancel_after_days: 30 }
    }
}

/// What a rung of the ladder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// The subscription becomes PAST_DUE.
    PastDue,
    /// The n-th retry, from 1; its failure leads to the next rung. After a hard decline the date stands without an attempt.
    Retry(u16),
    /// The last retry failed: SUSPENDED.
    Suspend,
    /// Suspended for too long: CANCELED.
    Cancel,
}

/// A rung of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// When; the past where the worker was late.
    pub at: Timestamp,
}

/// The rung that follows `taken` of them: 0 is PAST_DUE at `start` (a card's first failure, the due date of a method that the
/// customer pushes, or the issue where no method is usable), then the retries, then SUSPENDED at the last retry's date,
/// then CANCELED. `None` after the last.
///
/// # Errors
/// [`RuleError::OutOfTime`] past the calendar's end.
pub fn next_step(start: Timestamp, taken: u16, settings: &DunningSettings) -> Result<Option<Step>, RuleError> {
    let retries = u16::try_from(settings.retry_after_days.len()).map_err(|_| RuleError::OutOfTime)?;
    let last = settings.retry_after_days.last().copied().unwrap_or(0);
    if taken == 0 {
        return Ok(Some(Step { kind: StepKind::PastDue, at: start }));
    }
    let past_retries = taken.checked_sub(retries);
    let (kind, days) = match past_retries {
        Some(1) => (StepKind::Suspend, last),
        Some(2) => (StepKind::Cancel, last.checked_add(settings.cancel_after_days).ok_or(RuleError::OutOfTime)?),
        Some(beyond) if beyond > 2 => return Ok(None),
        _ => {
            let index = usize::from(taken.saturating_sub(1));
            (StepKind::Retry(taken), settings.retry_after_days.get(index).copied().ok_or(RuleError::OutOfTime)?)
        }
    };
    Ok(Some(Step { kind, at: days_after(start, days)? }))
}

/// The same where the settings may have changed since the ladder began: a subscription that is not suspended is at the last
/// rung before that at most, and one that is has nothing before it but its end.
///
/// # Errors
/// As [`next_step`].
pub fn following_step(start: Timestamp, taken: u16, is_suspended: bool, settings: &DunningSettings) -> Result<Option<Step>, RuleError> {
    let retries = u16::try_from(settings.retry_after_days.len()).map_err(|_| RuleError::OutOfTime)?;
    let suspends = retries.checked_add(1).ok_or(RuleError::OutOfTime)?;
    let rung = if is_suspended { suspends.checked_add(1).ok_or(RuleError::OutOfTime)? } else { taken.min(suspends) };
    next_step(start, rung, settings)
}

/// All the rungs that follow, as [`following_step`] finds the first of them.
///
/// # Errors
/// As [`next_step`].
pub fn rungs_ahead(start: Timestamp, taken: u16, is_suspended: bool, settings: &DunningSettings) -> Result<Vec<Step>, RuleError> {
    let suspends = u16::try_from(settings.retry_after_days.len()).ok().and_then(|retries| retries.checked_add(1));
    let suspends = suspends.ok_or(RuleError::OutOfTime)?;
    let first = if is_suspended { suspends.checked_add(1).ok_or(RuleError::OutOfTime)? } else { taken.min(suspends) };
    let mut rungs = Vec::new();
    for rung in first..=u16::MAX {
        match next_step(start, rung, settings)? {
            Some(step) => rungs.push(step),
            None => break,
        }
    }
    Ok(rungs)
}

/// When an invoice is due: at its issue for cards, 7 days later for a method that the customer must push.
///
/// # Errors
/// [`RuleError::OutOfTime`] past the calendar's end.
pub fn due_at(issued_at: Timestamp, is_pushed: bool) -> Result<Timestamp, RuleError> {
    if is_pushed { days_after(issued_at, PUSHED_DUE_DAYS) } else { Ok(issued_at) }
}

/// `days` times 24 hours after `start`.
///
/// # Errors
/// [`RuleError::OutOfTime`] past the calendar's end.
pub fn days_after(start: Timestamp, days: u16) -> Result<Timestamp, RuleError> {
    let span = SignedDuration::from_hours(i64::from(days).checked_mul(24).ok_or(RuleError::OutOfTime)?);
    start.checked_add(span).map_err(|_| RuleError::OutOfTime)
}

/// `days` times 24 hours before `end`.
///
/// # Errors
/// [`RuleError::OutOfTime`] before the calendar's beginning.
pub fn days_before(end: Timestamp, days: u16) -> Result<Timestamp, RuleError> {
    let span = SignedDuration::from_hours(i64::from(days).checked_mul(24).ok_or(RuleError::OutOfTime)?);
    end.checked_sub(span).map_err(|_| RuleError::OutOfTime)
}

/// The first instant from `at` on at which a prompt may reach a phone unasked: 08:00 to 20:00 local.
///
/// # Errors
/// [`RuleError::OutOfTime`] past the calendar's end.
pub fn prompt_time(at: Timestamp, zone: &Zone) -> Result<Timestamp, RuleError> {
    let date = zone.date_of(at);
    let hour = zone.time_of(at).hour();
    let opens = Time::constant(8, 0, 0, 0);
    match hour {
        0..8 => zone.instant(date, opens),
        8..20 => Ok(at),
        _ => zone.instant(date.checked_add(1.day()).map_err(|_| RuleError::OutOfTime)?, opens),
    }
}
