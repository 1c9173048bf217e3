//! Runs what the front door let in against the business schema, for the caller that the guard finds.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::{ObjectType, PathSegment, Response, ServerError, Value};
use http::request::Parts;

use super::client_address::client_address;
use super::graphql::Executor;
use super::guard;
use super::rates::Rates;
use crate::config::Network;
use crate::error::Error;
use crate::graphql::business::Schema;
use crate::graphql::context::RequestContext;
use crate::graphql::front_door::Admitted;
use crate::graphql::root_fields::root_fields;
use crate::graphql::schema;
use crate::graphql::uploads::Uploads;
use crate::security::cursor::CursorKey;
use crate::services::Ports;
use crate::services::access::{Caller, service_key_may};
use crate::services::customers::CustomerService;
use crate::services::keys::KeySignIn;

/// The business API's executor.
pub struct BusinessExecutor {
    /// The schema.
    pub schema: Schema,
    /// What its services need.
    pub ports: Ports,
    /// Turns keys into callers.
    pub keys: KeySignIn,
    /// Seals paging cursors.
    pub cursors: Arc<CursorKey>,
    /// Who is believed about where a request comes from.
    pub proxies: Arc<[Network]>,
    /// How often one may ask.
    pub rates: Arc<Rates>,
}

impl Executor for BusinessExecutor {
    const TAKES_FILES: bool = true;

    async fn may_upload(&self, parts: &Parts) -> Result<(), Error> {
        let customers = CustomerService::new(self.ports.clone());
        let found = guard::caller(&customers, &self.keys, &parts.headers).await;
        match self.rates.count(found, client_address(parts, &self.proxies))? {
            Caller::Anonymous => Err(Error::Unauthenticated),
            Caller::User { .. } | Caller::Key { .. } => Ok(()),
            Caller::Service { .. } | Caller::Staff { .. } => Err(Error::Forbidden),
        }
    }

    async fn execute(&self, parts: &Parts, mut admitted: Admitted) -> Result<Response, Error> {
        let customers = CustomerService::new(self.ports.clone());
        let address = client_address(parts, &self.proxies);
        let caller = self.rates.count(guard::caller(&customers, &self.keys, &parts.headers).await, address)?;
        if let Caller::Service { .. } = caller {
            let refused = beyond_a_service_key(&mut admitted)?;
            if !refused.is_empty() {
                return Ok(Response::from_errors(refused));
            }
        }
        let uploads = parts.extensions.get::<Uploads>().cloned().unwrap_or_default();
        let sender = Sender { caller, user_agent: guard::user_agent(&parts.headers), address, uploads };
        Ok(run(&self.schema, &self.ports, &self.cursors, sender, admitted).await)
    }
}

/// An error for each root field that a product's key may not ask for, what is public among them: the key is for a few
/// fields about businesses, and is worth nothing elsewhere to whoever finds it. Where there is one, nothing runs.
fn beyond_a_service_key(admitted: &mut Admitted) -> Result<Vec<ServerError>, Error> {
    let document = admitted.request.parsed_query().map_err(|_| Error::Corrupt("an admitted request has no document".into()))?;
    let beyond = root_fields(document).into_iter().filter(|field| !service_key_may(&field.name));
    let errors = beyond.map(|field| {
        let mut error = ServerError::new(Error::Forbidden.to_string(), Some(field.at));
        error.source = Some(Arc::new(Error::Forbidden));
        error.with_path(vec![PathSegment::Field(field.key.to_string())])
    });
    Ok(errors.collect())
}

/// Who sends a request.
pub(super) struct Sender {
    /// Who is calling.
    pub(super) caller: Caller,
    /// Where the caller says they are.
    pub(super) user_agent: Option<String>,
    /// The address of the network that the request comes from.
    pub(super) address: Option<IpAddr>,
    /// The files that came with it.
    pub(super) uploads: Uploads,
}

/// Runs an admitted operation for its caller.
pub(super) async fn run<Q: ObjectType + 'static, M: ObjectType + 'static>(
    schema: &schema::Schema<Q, M>,
    ports: &Ports,
    cursors: &Arc<CursorKey>,
    sender: Sender,
    admitted: Admitted,
) -> Response {
    let Sender { caller, user_agent, address, uploads } = sender;
    let context =
        Arc::new(RequestContext::new(ports.clone(), caller, Arc::clone(cursors), user_agent).coming_from(address).bringing(uploads));
    let mut response = schema.execute(admitted.request.data(Arc::clone(&context))).await;
    let replays = context.replays();
    if !replays.is_empty() {
        let paths = replays.into_iter().map(|path| Value::List(vec![Value::String(path)])).collect();
        response.extensions.insert("idempotentReplay".to_owned(), Value::List(paths));
    }
    response
}
