//! What is over and was kept long enough: finished jobs, sent mails, told events, sessions and tokens that ran out. It goes some at a
//! time, whosever it is, and never what something else still refers to or is still to be done.

use super::System;
use super::types::Instant;
use crate::error::Error;

/// A kind of rows that go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Idempotency keys.
    IdempotencyKeys,
    /// Jobs that were done, but for those by a test clock; what was given up stays for the operator.
    Jobs,
    /// Mails that were sent or refused for good.
    Mails,
    /// Events that everybody was told of and nothing shows any more. The last of each aggregate stays: the next is counted from it.
    Events,
    /// Refresh tokens that ran out.
    RefreshTokens,
    /// What sessions that are over are found by, at an identity provider.
    ExternalSessions,
    /// Sessions that are over.
    Sessions,
    /// Staff's refresh tokens that ran out.
    StaffRefreshTokens,
    /// Staff's sessions that are over.
    StaffSessions,
    /// Mails to staff that were sent or given up.
    StaffMails,
    /// Links in mails that ran out.
    AccountTokens,
    /// Days that were compared with a gateway's list. The last of each gateway stays: the next are counted from it.
    GatewayComparisons,
}

impl Spent {
    /// All, in the order in which they go: what refers to others before them.
    pub const ALL: [Self; 12] = [
        Self::IdempotencyKeys,
        Self::Jobs,
        Self::Mails,
        Self::Events,
        Self::RefreshTokens,
        Self::ExternalSessions,
        Self::Sessions,
        Self::StaffRefreshTokens,
        Self::StaffSessions,
        Self::StaffMails,
        Self::AccountTokens,
        Self::GatewayComparisons,
    ];

    /// Removes up to `$2` that were over before `$1`.
    const fn statement(self) -> &'static str {
        match self {
            Self::IdempotencyKeys => {
                "delete from idempotency_keys where (business_id, id) in (
                   select business_id, id from idempotency_keys where created_at < $1 limit $2)"
            }
            Self::Jobs => {
                "delete from jobs where status = 'DONE' and (business_id, id) in (
                   select business_id, id from jobs where status = 'DONE' and updated_at < $1 and test_clock_id is null limit $2)"
            }
            Self::Mails => {
                "delete from mails where (business_id, id) in (
                   select business_id, id from mails where status <> 'QUEUED' and updated_at < $1 limit $2)"
            }
            // Jobs in lanes are what tells of events: where one waits, the business's stay.
            Self::Events => {
                "delete from events where (business_id, id) in (
                   select e.business_id, e.id from events e where e.created_at < $1
                     and e.sequence < (select max(l.sequence) from events l where l.business_id = e.business_id and l.aggregate = e.aggregate)
                     and not exists (select 1 from notifications n where n.business_id = e.business_id and n.event_id = e.id)
                     and not exists (select 1 from mails m where m.business_id = e.business_id and m.event_id = e.id)
                     and not exists (select 1 from webhook_deliveries d where d.business_id = e.business_id and d.event_id = e.id)
                     and not exists (select 1 from jobs j where j.business_id = e.business_id and j.lane is not null and j.status <> 'DONE' and j.created_at < $1)
                     and not exists (select 1 from clock_attachments c where c.business_id = e.business_id)
                   limit $2)"
            }
            Self::RefreshTokens => {
                "delete from refresh_tokens where hash in (select hash from refresh_tokens where expires_at < $1 limit $2)"
            }
            Self::ExternalSessions => {
                "delete from external_sessions where hash in (
                   select x.hash from external_sessions x join sessions s on s.id = x.session_id
                   where s.expires_at < $1 and (s.revoked_at is null or s.revoked_at < $1) limit $2)"
            }
            Self::Sessions => {
                "delete from sessions where id in (
                   select s.id from sessions s where s.expires_at < $1 and (s.revoked_at is null or s.revoked_at < $1)
                     and not exists (select 1 from refresh_tokens r where r.session_id = s.id)
                     and not exists (select 1 from external_sessions x where x.session_id = s.id)
                   limit $2)"
            }
            Self::StaffRefreshTokens => {
                "delete from staff_refresh_tokens where hash in (select hash from staff_refresh_tokens where expires_at < $1 limit $2)"
            }
            Self::StaffSessions => {
                "delete from staff_sessions where id in (
                   select s.id from staff_sessions s where s.expires_at < $1 and (s.revoked_at is null or s.revoked_at < $1)
                     and not exists (select 1 from staff_refresh_tokens r where r.session_id = s.id)
                   limit $2)"
            }
            Self::StaffMails => {
                "delete from staff_mails where id in (select id from staff_mails where status <> 'QUEUED' and updated_at < $1 limit $2)"
            }
            Self::AccountTokens => {
                "delete from account_tokens where hash in (select hash from account_tokens where expires_at < $1 limit $2)"
            }
            Self::GatewayComparisons => {
                "delete from gateway_comparisons where (gateway, day) in (
                   select c.gateway, c.day from gateway_comparisons c where coalesce(c.compared_at, c.leased_until) < $1
                     and c.day < (select max(l.day) from gateway_comparisons l where l.gateway = c.gateway)
                   limit $2)"
            }
        }
    }
}

/// Removes up to `most` rows of a kind that were over before `until`; answers how many.
///
/// # Errors
/// The database's fault.
pub async fn remove(system: &System, spent: Spent, until: Instant, most: i64) -> Result<u64, Error> {
    system.run_with(spent.statement(), vec![until.into(), most.into()]).await
}
