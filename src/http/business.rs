//! Runs what the front door let in against the business schema, for the caller that the guard finds.

use std::sync::Arc;

use async_graphql::{ObjectType, Response, Value};
use http::request::Parts;

use super::graphql::Executor;
use super::guard;
use crate::error::Error;
use crate::graphql::business::Schema;
use crate::graphql::context::RequestContext;
use crate::graphql::front_door::Admitted;
use crate::graphql::schema;
use crate::security::cursor::CursorKey;
use crate::services::Ports;
use crate::services::access::Caller;
use crate::services::customers::CustomerService;

/// The business API's executor.
pub struct BusinessExecutor {
    /// The schema.
    pub schema: Schema,
    /// What its services need.
    pub ports: Ports,
    /// Seals paging cursors.
    pub cursors: Arc<CursorKey>,
}

impl Executor for BusinessExecutor {
    async fn execute(&self, parts: &Parts, admitted: Admitted) -> Result<Response, Error> {
        let customers = CustomerService::new(self.ports.clone());
        let caller = guard::caller(&parts.headers, |token| customers.authenticate(token))?;
        Ok(run(&self.schema, &self.ports, &self.cursors, caller, parts, admitted).await)
    }
}

/// Runs an admitted operation for its caller.
pub(super) async fn run<Q: ObjectType + 'static, M: ObjectType + 'static>(
    schema: &schema::Schema<Q, M>,
    ports: &Ports,
    cursors: &Arc<CursorKey>,
    caller: Caller,
    parts: &Parts,
    admitted: Admitted,
) -> Response {
    let context = Arc::new(RequestContext::new(ports.clone(), caller, Arc::clone(cursors), guard::user_agent(&parts.headers)));
    let mut response = schema.execute(admitted.request.data(Arc::clone(&context))).await;
    let replays = context.replays();
    if !replays.is_empty() {
        let paths = replays.into_iter().map(|path| Value::List(vec![Value::String(path)])).collect();
        response.extensions.insert("idempotentReplay".to_owned(), Value::List(paths));
    }
    response
}
