//! Answering customers.

use serde_json::json;

use super::{Right, StaffService, check_right, tenant};
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::TicketId;
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::support::{self, Author, Turn};
use crate::store::reads::support as reads;
use crate::store::{System, customers, staff};

impl StaffService {
    /// Answers a ticket: the customer is to say something then.
    ///
    /// # Errors
    /// NOT_FOUND at `ticketId`; REQUIRED, TOO_LONG or INVALID at `body`; INVALID_TRANSITION for a ticket that is closed;
    /// LIMIT_EXCEEDED for a message too many; [`Error::Unauthenticated`] or the database's fault.
    pub async fn answer_ticket(&self, caller: Caller, ticket: Option<TicketId>, body: &str) -> Outcome<TicketId> {
        let (outside, body) = (self.ports.clone(), support::text("body", body));
        let write = move |system: System| {
            let (ports, body) = (outside.clone(), body.clone());
            async move {
                let access = check_right(&system, caller, Right::AnswerTickets).await?;
                let refusal = || UserError::at("ticketId", UserErrorCode::NotFound, "There is no such ticket.");
                let id = ticket.ok_or_else(refusal)?;
                let business = reads::by_id(&system.reader(), id).await?.ok_or_else(refusal)?.business_id;
                let tenant = tenant(&system, access, business);
                customers::lock_business(&tenant).await?;
                let held = support::held(&tenant, Some(id), None).await?;
                let gone = || Error::Corrupt("whoever calls is nobody".into());
                let name = staff::staff_by_ids(&system, &[access.staff]).await?.pop().ok_or_else(gone)?.full_name;
                let said = support::said(Author { name, from_staff: true }, body?);
                support::turn(&tenant, &ports, held, Turn::Staff, said).await?;
                let (actor, subject) = (access.actor(), id.to_string());
                let act = Act { action: "ticket.answered", actor: &actor, subject: &subject, details: json!({}) };
                audit::record(&tenant, &ports, act).await?;
                Ok(id)
            }
        };
        let done = self.ports.store.write_system(write).await?;
        self.ports.work.notify_one();
        Ok(done)
    }
}
