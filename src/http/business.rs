//! Runs what the front door let in against the business schema, for the caller that the guard finds.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::{ObjectType, PathSegment, Response, ServerError, SubscriptionType, Value};
use futures::StreamExt as _;
use http::HeaderMap;
use http::request::Parts;

use super::client_address::{client_address, comes_by_proxy};
use super::graphql::Executor;
use super::guard;
use super::rates::{self, Rates};
use crate::config::{Introspection, Network};
use crate::error::{Allowance, Error};
use crate::graphql::business::Schema;
use crate::graphql::business::live::Occasion;
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
use crate::telemetry::{CallerSpan, Telemetry, by_somebody};

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
    /// Who may ask for the schema.
    pub introspection: Introspection,
    /// The most rows of a page.
    pub page_rows: i32,
}

impl Executor for BusinessExecutor {
    const TAKES_FILES: bool = true;

    fn telemetry(&self) -> Telemetry {
        self.ports.telemetry.clone()
    }

    fn caller_span(&self, parts: &Parts) -> Option<CallerSpan> {
        comes_by_proxy(parts, &self.proxies).then(|| CallerSpan::of(&parts.headers)).flatten()
    }

    async fn may_upload(&self, parts: &Parts) -> Result<(), Error> {
        match self.caller(parts).await? {
            Caller::Anonymous => Err(Error::Unauthenticated),
            Caller::User { .. } | Caller::Key { .. } => Ok(()),
            Caller::Service { .. } | Caller::Staff { .. } => Err(Error::Forbidden),
        }
    }

    async fn execute(&self, parts: &Parts, mut admitted: Admitted) -> Result<Response, Error> {
        let (caller, address) = (self.caller(parts).await?, self.address(parts));
        may_introspect(self.introspection, caller, &admitted)?;
        if let Caller::Service { .. } = caller {
            let refused = beyond_a_service_key(&mut admitted)?;
            if !refused.is_empty() {
                return Ok(Response::from_errors(refused));
            }
        }
        let allowance = self.rates.spend(caller, address, admitted.cost.requested)?;
        let uploads = parts.extensions.get::<Uploads>().cloned().unwrap_or_default();
        let sender = Sender { caller, user_agent: guard::user_agent(&parts.headers), address, uploads, page_rows: self.page_rows };
        Ok(told(run(&self.schema, &self.ports, &self.cursors, sender, admitted).await, allowance))
    }
}

impl BusinessExecutor {
    /// Who the credentials of `headers` are, which is not counted as a request.
    pub(super) async fn find(&self, headers: &HeaderMap) -> Result<Caller, Error> {
        guard::caller(&CustomerService::new(self.ports.clone()), &self.keys, headers).await
    }

    /// Who sends a request, counted.
    pub(super) async fn caller(&self, parts: &Parts) -> Result<Caller, Error> {
        self.rates.count(self.find(&parts.headers).await, self.address(parts))
    }

    /// The address that a request comes from.
    pub(super) fn address(&self, parts: &Parts) -> Option<IpAddr> {
        client_address(parts, &self.proxies)
    }

    /// Whether the caller may still come in: their session or key is not over, and they still belong to the business.
    pub(super) async fn is_still_in(&self, caller: Caller) -> Result<(), Error> {
        match caller {
            Caller::Anonymous | Caller::Staff { .. } => Err(Error::Unauthenticated),
            Caller::Service { .. } => Ok(()),
            Caller::User { .. } | Caller::Key { .. } => {
                let context = RequestContext::new(self.ports.clone(), caller, Arc::clone(&self.cursors), None);
                context.access().await.map(drop)
            }
        }
    }

    /// Runs a listening operation once, for its beginning or for a change; nothing where there is nothing to tell.
    pub(super) async fn listen(&self, caller: Caller, request: async_graphql::Request, occasion: Arc<Occasion>) -> Option<Response> {
        by_somebody();
        let context = RequestContext::new(self.ports.clone(), caller, Arc::clone(&self.cursors), None).paging_by(self.page_rows);
        let request = request.data(Arc::new(context)).data(occasion);
        self.schema.execute_stream(request).next().await
    }
}

/// An error for each root field that a product's key may not ask for, what is public among them: the key is for a few
/// fields about businesses, and is worth nothing elsewhere to whoever finds it. Where there is one, nothing runs.
pub(super) fn beyond_a_service_key(admitted: &mut Admitted) -> Result<Vec<ServerError>, Error> {
    let document = admitted.request.parsed_query().map_err(|_| Error::Corrupt("an admitted request has no document".into()))?;
    let beyond = root_fields(document).into_iter().filter(|field| !service_key_may(&field.name));
    let errors = beyond.map(|field| {
        let mut error = ServerError::new(Error::Forbidden.to_string(), Some(field.at));
        error.source = Some(Arc::new(Error::Forbidden));
        error.with_path(vec![PathSegment::Field(field.key.to_string())])
    });
    Ok(errors.collect())
}

/// Refuses to show the schema to whoever may not see it.
pub(super) fn may_introspect(shown: Introspection, caller: Caller, admitted: &Admitted) -> Result<(), Error> {
    match (shown, caller) {
        _ if !admitted.introspects => Ok(()),
        (Introspection::Nobody, _) => Err(Error::SchemaHidden),
        (Introspection::SignedIn, Caller::Anonymous) => Err(Error::SchemaForSignedIn),
        (Introspection::Everybody | Introspection::SignedIn, _) => Ok(()),
    }
}

/// The answer, with what its caller may still spend.
pub(super) fn told(mut response: Response, allowance: Option<Allowance>) -> Response {
    if let Some(allowance) = allowance {
        response.extensions.insert("rateLimit".to_owned(), rates::shown(&allowance));
        response.http_headers.extend(rates::fields(&allowance));
    }
    response
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
    /// The most rows of a page.
    pub(super) page_rows: i32,
}

/// Runs an admitted operation for its caller.
pub(super) async fn run<Q: ObjectType + 'static, M: ObjectType + 'static, S: SubscriptionType + 'static>(
    schema: &schema::Schema<Q, M, S>,
    ports: &Ports,
    cursors: &Arc<CursorKey>,
    sender: Sender,
    admitted: Admitted,
) -> Response {
    let Sender { caller, user_agent, address, uploads, page_rows } = sender;
    if !matches!(caller, Caller::Anonymous) {
        by_somebody();
    }
    let context = RequestContext::new(ports.clone(), caller, Arc::clone(cursors), user_agent);
    let context = Arc::new(context.coming_from(address).bringing(uploads).paging_by(page_rows));
    let mut response = schema.execute(admitted.request.data(Arc::clone(&context))).await;
    let replays = context.replays();
    if !replays.is_empty() {
        let paths = replays.into_iter().map(|path| Value::List(vec![Value::String(path)])).collect();
        response.extensions.insert("idempotentReplay".to_owned(), Value::List(paths));
    }
    response
}
