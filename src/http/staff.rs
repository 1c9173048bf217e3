//! Runs what the front door let in against the staff schema, for the member of staff that the guard finds.

use std::sync::Arc;

use async_graphql::Response;
use http::request::Parts;

use super::business::Sender;
use super::client_address::{client_address, comes_by_proxy};
use super::graphql::Executor;
use super::rates::Rates;
use super::{business, guard};
use crate::config::{Introspection, Network};
use crate::error::Error;
use crate::graphql::front_door::Admitted;
use crate::graphql::staff::Schema;
use crate::graphql::uploads::Uploads;
use crate::security::cursor::CursorKey;
use crate::services::Ports;
use crate::services::staff::StaffService;
use crate::telemetry::{CallerSpan, Telemetry};

/// The staff API's executor.
pub struct StaffExecutor {
    /// The schema.
    pub schema: Schema,
    /// What its services need.
    pub ports: Ports,
    /// Seals paging cursors.
    pub cursors: Arc<CursorKey>,
    /// Who is believed about where a request comes from.
    pub proxies: Arc<[Network]>,
    /// How often one may ask.
    pub rates: Arc<Rates>,
    /// Who may ask for the schema.
    pub introspection: Introspection,
    /// The most rows of a page.
    pub page_rows: i32,
}

impl Executor for StaffExecutor {
    const API: &'static str = "staff";

    fn telemetry(&self) -> Telemetry {
        self.ports.telemetry.clone()
    }

    fn caller_span(&self, parts: &Parts) -> Option<CallerSpan> {
        comes_by_proxy(parts, &self.proxies).then(|| CallerSpan::of(&parts.headers)).flatten()
    }

    async fn execute(&self, parts: &Parts, admitted: Admitted) -> Result<Response, Error> {
        let staff = StaffService::new(self.ports.clone());
        let address = client_address(parts, &self.proxies);
        let caller = self.rates.count(guard::staff_caller(&staff, &parts.headers), address)?;
        business::may_introspect(self.introspection, caller, &admitted)?;
        let allowance = self.rates.spend(caller, address, admitted.cost.requested)?;
        let user_agent = guard::user_agent(&parts.headers);
        let sender = Sender { caller, user_agent, address, uploads: Uploads::default(), page_rows: self.page_rows };
        Ok(business::told(business::run(&self.schema, &self.ports, &self.cursors, sender, admitted).await, allowance))
    }
}
