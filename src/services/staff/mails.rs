//! Mails to staff: written down in the transaction that they tell of, sent outside of any, and tried until they are sent or given up.

use jiff::SignedDuration;
use serde_json::json;

use super::StaffService;
use crate::adapters::mail::{Mail, MailAddress, MailError};
use crate::error::{Error, Failure, Outcome};
use crate::ids::StaffId;
use crate::services::Ports;
use crate::services::notifications::letters;
use crate::store::staff_mails::{self as rows, StaffMail};
use crate::store::types::MailStatus;
use crate::store::{Instant, System, staff};

/// The mail that says that a recovery code was used in the place of the digits.
pub(in crate::services) const STAFF_RECOVERY_CODE_USED: &str = "staff.recovery_code_used";

/// How many are taken in hand at once.
const AT_ONCE: u64 = 20;
/// How long one that was taken in hand is left to whoever did.
const TAKEN_FOR: SignedDuration = SignedDuration::from_mins(5);
/// How often a mail is tried: over some four hours.
const MOST_ATTEMPTS: i32 = 15;
/// After the first try that failed the next comes so much later; twice as much after each further one.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(15);
/// No wait is longer.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(30);
/// The most characters of what a server said that are kept.
const ERROR_CHARS: usize = 500;

/// Writes down a mail to a member of staff.
///
/// # Errors
/// The database's fault.
pub(super) async fn queue(system: &System, ports: &Ports, staff: StaffId, kind: &str) -> Result<(), Error> {
    let now = Instant::from(ports.real_now());
    let row = StaffMail {
        id: ports.ids.next(),
        staff_id: staff,
        kind: kind.to_owned(),
        status: MailStatus::Queued,
        attempts: 0,
        due_at: now,
        error: None,
        created_at: now,
        updated_at: now,
    };
    rows::insert(system, row).await
}

impl StaffService {
    /// Sends every mail to staff that is due; answers how many were handed over. Any number may do so at once.
    ///
    /// # Errors
    /// The database's fault; what was sent until then is.
    pub async fn send_mails(&self) -> Outcome<usize> {
        let mut sent = 0_usize;
        loop {
            let now = self.ports.real_now();
            let until = Instant::from(now.saturating_add(TAKEN_FOR).unwrap_or(jiff::Timestamp::MAX));
            let take = move |system: System| async move {
                let mut taken = Vec::new();
                for row in rows::take_due(&system, now.into(), until, AT_ONCE).await? {
                    let reader = staff::staff_held(&system, row.staff_id).await?;
                    taken.push((row, reader));
                }
                Ok(taken)
            };
            let taken = self.ports.store.write_system(take).await?;
            if taken.is_empty() {
                return Ok(sent);
            }
            for (row, reader) in taken {
                let reader = reader.and_then(|reader| Some((MailAddress::parse(&reader.email)?, reader.full_name)));
                let answer = match reader {
                    Some((to, name)) => self.ports.mailer.send(&letter(&row, to, &name)?).await,
                    None => Err(MailError { transient: false, cause: "there is no such member of staff any more".into() }),
                };
                sent = sent.saturating_add(usize::from(answer.is_ok()));
                self.conclude(row, answer).await?;
            }
        }
    }

    /// Writes what became of a mail: it was sent, is tried again later, or is given up.
    async fn conclude(&self, row: StaffMail, answer: Result<(), MailError>) -> Outcome<()> {
        let now = self.ports.real_now();
        let (status, due_at, error) = match answer {
            Ok(()) => (MailStatus::Sent, row.due_at, None),
            Err(error) if error.transient && row.attempts < MOST_ATTEMPTS => {
                let next = now.saturating_add(wait(row.attempts)).unwrap_or(jiff::Timestamp::MAX);
                (MailStatus::Queued, next.into(), Some(said(&error)))
            }
            Err(error) => {
                let said = said(&error);
                tracing::error!(mail = %row.id, error = said, "a mail to a member of staff was given up: somebody must look");
                (MailStatus::Failed, row.due_at, Some(said))
            }
        };
        let write = move |system: System| {
            let (row, error) = (row.clone(), error.clone());
            async move {
                let after = StaffMail { status, due_at, error, updated_at: now.into(), ..row.clone() };
                rows::conclude(&system, &row, after).await.map_err(Failure::from)
            }
        };
        self.ports.store.write_system(write).await
    }
}

/// How long to wait for the next try after so many.
fn wait(attempts: i32) -> SignedDuration {
    let doubled = attempts.checked_sub(1).and_then(|past| 1_i32.checked_shl(past.unsigned_abs())).filter(|factor| *factor > 0);
    doubled.and_then(|factor| FIRST_WAIT.checked_mul(factor)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

/// The mail of a row. Staff have no language of their own here.
fn letter(row: &StaffMail, to: MailAddress, name: &str) -> Result<Mail, Error> {
    let letter = letters::letter(&row.kind, "en", &json!({ "name": name }), "")?;
    Ok(Mail { id: row.id.uuid(), to, subject: letter.subject, text: letter.text, html: Some(letter.html) })
}

/// What a server said, cut, and in one line.
fn said(error: &MailError) -> String {
    error.cause.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(ERROR_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_to_half_an_hour_and_all_of_them_come_to_some_four_hours() {
        let seconds: Vec<i64> = (1..MOST_ATTEMPTS).map(|attempts| wait(attempts).as_secs()).collect();
        assert_eq!(seconds[..9], [15, 30, 60, 120, 240, 480, 960, 1_800, 1_800]);
        // 15 (2⁷ - 1) = 1,905, and seven of half an hour.
        assert_eq!(seconds.iter().sum::<i64>(), 1_905 + 7 * 1_800);
        assert_eq!(wait(1_000), LONGEST_WAIT);
    }
}
