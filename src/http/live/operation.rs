//! One operation of a live connection, from its admission to its end.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Response, Variables};
use http::request::Parts;
use tokio::sync::mpsc;

use super::Live;
use crate::error::{Allowance, Code, Error};
use crate::graphql::business::live::{Occasion, Watch};
use crate::graphql::front_door::{Admitted, Cost, OperationKind};
use crate::http::business::{beyond_a_service_key, told};
use crate::http::graphql::Executor as _;
use crate::http::graphql::answer::{Asked, first_code};
use crate::http::graphql::begun;
use crate::services::access::Caller;
use crate::store::live::{Change, Subject, Watcher};
use crate::telemetry::{Begun, Operation};

/// How many answers wait for a reader.
pub(super) const WAITING: usize = 16;
/// How many changes are taken together, each thing once.
const TOGETHER: usize = 64;

/// What an operation says. The texts are JSON.
#[derive(Debug)]
pub(super) enum Said {
    /// A result.
    Next(String),
    /// The errors that it ended with before it began.
    Error(String),
    /// It is over.
    Complete,
    /// The whole connection is over.
    End(End),
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its credentials are not good any more.
    Unauthenticated,
    /// Its reader does not read, or changes came faster than they can be read.
    Slow,
}

/// Where an operation says it.
pub(super) struct Voice<T> {
    /// Where it goes.
    pub(super) to: mpsc::Sender<T>,
    /// As what.
    pub(super) of: Box<dyn Fn(Said) -> T + Send + Sync>,
}

impl<T> Voice<T> {
    /// Says it, once there is room.
    async fn say(&self, live: &Live, said: Said) -> Result<(), End> {
        let slow = live.connections.settings.slow;
        match tokio::time::timeout(slow, self.to.send((self.of)(said))).await {
            Ok(Ok(())) => Ok(()),
            // Nobody is there any more.
            Ok(Err(_)) | Err(_) => Err(End::Slow),
        }
    }
}

/// Runs an admitted operation, and says what comes of it until it is over.
pub(super) async fn run<T: Send>(live: &Live, parts: &Parts, asked: Asked<'_>, admitted: Admitted, voice: &Voice<T>) {
    let ended = match admitted.kind {
        OperationKind::Query | OperationKind::Mutation => once(live, parts, asked, admitted, voice).await,
        OperationKind::Subscription => listen(live, parts, asked, admitted, voice).await,
    };
    if let Err(end) = ended {
        // Where nobody listens, or nothing has room, whoever writes finds out by themselves.
        let _ = voice.to.try_send((voice.of)(Said::End(end)));
    }
}

/// A query or mutation, as by POST.
async fn once<T>(live: &Live, parts: &Parts, asked: Asked<'_>, admitted: Admitted, voice: &Voice<T>) -> Result<(), End> {
    let asked = asked.costing(admitted.cost);
    let operation = live.begin(parts, asked, &admitted);
    match tokio::time::timeout(live.time_limit, operation.run(live.executor.execute(parts, admitted))).await {
        Ok(Ok(response)) => {
            operation.end(first_code(&response));
            voice.say(live, Said::Next(asked.result(&response))).await?;
            voice.say(live, Said::Complete).await
        }
        Ok(Err(fault)) => end(live, asked, operation, &fault, voice).await,
        Err(_elapsed) => end(live, asked, operation, &Error::Timeout { limit: live.time_limit }, voice).await,
    }
}

/// How figures call an operation that listens where it is run anew for a change.
const UPDATE: &str = "update";

/// Ends an operation that did not begin to listen, with a fault.
async fn end<T>(live: &Live, asked: Asked<'_>, operation: Operation, fault: &Error, voice: &Voice<T>) -> Result<(), End> {
    operation.end(Some(fault.code()));
    refuse(live, asked, fault, voice).await
}

/// Ends with a fault.
async fn refuse<T>(live: &Live, asked: Asked<'_>, fault: &Error, voice: &Voice<T>) -> Result<(), End> {
    voice.say(live, Said::Error(asked.errors_of_fault(fault))).await?;
    if fault.code() == Code::Unauthenticated { Err(End::Unauthenticated) } else { Ok(()) }
}

/// An operation that listens.
struct Listening<'o> {
    live: &'o Live,
    parts: &'o Parts,
    asked: Asked<'o>,
    caller: Caller,
    document: ExecutableDocument,
    variables: Variables,
    /// How it is told when it is run for a change.
    told: Begun,
    /// What it costs, and what its caller may still spend: told with its first answer.
    terms: Mutex<Option<(Cost, Option<Allowance>)>>,
}

/// Listens until the caller may no more.
async fn listen<T: Send>(live: &Live, parts: &Parts, asked: Asked<'_>, mut admitted: Admitted, voice: &Voice<T>) -> Result<(), End> {
    let operation = live.begin(parts, asked, &admitted);
    let caller = match live.executor.caller(parts).await {
        Ok(caller) => caller,
        Err(fault) => return end(live, asked, operation, &fault, voice).await,
    };
    if let Caller::Service { .. } = caller {
        match beyond_a_service_key(&mut admitted) {
            Ok(refused) => {
                operation.end(Some(Code::Forbidden));
                return voice.say(live, Said::Error(asked.errors_of(&Response::from_errors(refused)))).await;
            }
            Err(fault) => return end(live, asked, operation, &fault, voice).await,
        }
    }
    let scope = match caller.require_scope() {
        Ok(scope) => scope,
        Err(fault) => return end(live, asked, operation, &fault, voice).await,
    };
    let allowance = match live.executor.rates.spend(caller, live.executor.address(parts), admitted.cost.requested) {
        Ok(allowance) => allowance,
        Err(fault) => return end(live, asked, operation, &fault, voice).await,
    };
    // A change is an operation of its own: what caused it was another request.
    let told = Begun { kind: UPDATE, ..begun(asked.api, asked.request_id, &admitted, None) };
    let variables = std::mem::take(&mut admitted.request.variables);
    let Ok(document) = admitted.request.parsed_query().cloned() else {
        return end(live, asked, operation, &Error::Corrupt("an admitted request has no document".into()), voice).await;
    };
    // Spent once, when it begins: what it hears of is not of its own asking.
    let terms = Mutex::new(Some((admitted.cost, allowance)));
    let this = Listening { live, parts, asked, caller, document, variables, told, terms };
    let outside = &live.executor.ports;
    // Before anything is asked, so that nothing is missed between.
    let hearing = outside.store.live().watch(scope.business(), outside.ids.next_uuid());
    let begin = Arc::new(Occasion::begin());
    if let Some(response) = this.run(&begin, operation).await {
        voice.say(live, Said::Error(asked.errors_of(&response))).await?;
        return if is(&response, Code::Unauthenticated) { Err(End::Unauthenticated) } else { Ok(()) };
    }
    let Some(watch) = begin.watch() else { return voice.say(live, Said::Complete).await };
    if let Some(subject) = watch.first()
        && !this.tell(Change { business: scope.business(), subject, events: Vec::new() }, voice).await?
    {
        return Ok(());
    }
    this.follow(watch, hearing, voice).await
}

impl Listening<'_> {
    /// Tells of each change that is listened for.
    async fn follow<T>(&self, watch: Watch, mut hearing: Watcher, voice: &Voice<T>) -> Result<(), End> {
        loop {
            let mut changes: Vec<Change> = Vec::new();
            let mut next = Some(hearing.next().await.map_err(|_| End::Slow)?);
            while let Some(change) = next {
                if watch.wants(&change) && !changes.iter().any(|known| known.subject == change.subject) {
                    changes.push(change);
                }
                next = if changes.len() < TOGETHER { hearing.next_at_once().map_err(|_| End::Slow)? } else { None };
            }
            for change in changes {
                if !self.tell(change, voice).await? {
                    return Ok(());
                }
            }
        }
    }

    /// Tells of a change, where the caller may see it; answers whether they may hear of more.
    async fn tell<T>(&self, change: Change, voice: &Voice<T>) -> Result<bool, End> {
        // A token may be over; what a key may is asked with what changed.
        if let Caller::User { .. } = self.caller
            && self.live.executor.find(&self.parts.headers).await.is_err()
        {
            return Err(End::Unauthenticated);
        }
        let is_missed = change.subject == Subject::Missed;
        let operation = self.live.executor.ports.telemetry.operation(self.told.clone());
        let Some(response) = self.run(&Arc::new(Occasion::Change(change)), operation).await else { return Ok(true) };
        if is(&response, Code::Unauthenticated) {
            return Err(End::Unauthenticated);
        }
        if is_missed && !response.errors.is_empty() {
            return Ok(true);
        }
        let terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (asked, response) = match terms {
            Some((cost, allowance)) => (self.asked.costing(cost), told(response, allowance)),
            None => (self.asked, response),
        };
        voice.say(self.live, Said::Next(asked.result(&response))).await?;
        self.asked.metrics.told();
        if is(&response, Code::Forbidden) {
            // Their part in the business has changed.
            voice.say(self.live, Said::Complete).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Runs the operation once.
    async fn run(&self, occasion: &Arc<Occasion>, operation: Operation) -> Option<Response> {
        // Never closed.
        let _reading = self.live.connections.reads.acquire().await.ok()?;
        let mut request = async_graphql::Request::new("").variables(self.variables.clone());
        request.set_parsed_query(self.document.clone());
        let answer = operation.run(self.live.executor.listen(self.caller, request, Arc::clone(occasion)));
        let response = tokio::time::timeout(self.live.time_limit, answer).await.unwrap_or_else(|_elapsed| {
            let fault = Error::Timeout { limit: self.live.time_limit };
            let mut error = async_graphql::ServerError::new(fault.to_string(), None);
            error.source = Some(Arc::new(fault));
            Some(Response::from_errors(vec![error]))
        });
        operation.end(response.as_ref().and_then(first_code));
        response
    }
}

/// Whether an operation as a whole, and not a field in it, met a fault of that code.
fn is(response: &Response, code: Code) -> bool {
    let whole = response.errors.iter().filter(|error| error.path.len() <= 1);
    whole.filter_map(|error| error.source::<Error>()).any(|fault| fault.code() == code)
}
