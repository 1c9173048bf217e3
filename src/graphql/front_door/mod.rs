//! The front door: what a request must pass before anything of it runs.
//!
//! A request sends its document, or names one that is here already (`named.rs`). The document is parsed within limits, its shape measured, then validated in full against our own SDL by
//! `apollo-compiler`; the operation is chosen, its variables coerced, its cost counted. What passed is cached by the
//! hash of its text and handed to async-graphql already parsed, so that its own parser never sees a request.
//!
//! This room knows nothing of HTTP, of callers or of the schema's resolvers. It must never run any of a request, never
//! keep what a hostile document made it build, and never echo the value of a variable.

mod absent;
mod coerce;
mod convert;
mod cost;
mod document;
mod limits;
mod literals;
pub mod manifest;
mod named;
mod refusal;
mod shape;

use std::collections::HashMap;
use std::sync::Arc;

use apollo_compiler::Schema;
use apollo_compiler::ast::OperationType;
use apollo_compiler::validation::Valid;
use moka::sync::Cache;
use serde_json::{Map, Value as Json};

pub use cost::Cost;
pub use limits::{Limit, Limits};
pub use named::Untrusted;
pub use refusal::{Bounds, Kind, Location, Problem, Refusal, shorten};

use crate::error::Code;
use coerce::Coercer;
use document::Document;
use named::{Hash, Named};

/// Whether a JSON value is one of a scalar, else why not: a clause without a full stop that does not echo the value.
pub type ScalarCheck = fn(&Json) -> Result<(), String>;

type Scalars = HashMap<String, ScalarCheck>;

/// A request as a client sends it.
#[derive(Debug, Clone, Default)]
pub struct GraphqlRequest {
    /// The document, where it is sent.
    pub query: Option<String>,
    /// The id of one that the server has.
    pub document_id: Option<String>,
    /// Which of its operations.
    pub operation_name: Option<String>,
    /// Values of its variables.
    pub variables: Map<String, Json>,
    /// What the protocol leaves to servers: `persistedQuery` names a document too, and nothing else is read from it.
    pub extensions: Map<String, Json>,
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By GET: queries alone.
    Get,
    /// By POST: queries and mutations.
    Post,
    /// By GET for an event stream: queries and subscriptions.
    GetEvents,
    /// Over a connection that stays: subscriptions too.
    Socket,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Reads.
    Query,
    /// Changes.
    Mutation,
    /// Listens.
    Subscription,
}

impl OperationKind {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

/// A request that may run.
#[derive(Debug)]
pub struct Admitted {
    /// Parsed, coerced, ready to execute; the executor adds its data.
    pub request: async_graphql::Request,
    /// What it does.
    pub kind: OperationKind,
    /// What it costs.
    pub cost: Cost,
    /// The operation's name in the document.
    pub operation_name: Option<String>,
    /// The hash of the document's text.
    pub document: [u8; 32],
    /// Whether it asks for the schema, which is not shown to everybody.
    pub introspects: bool,
}

/// Why a front door cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Our own SDL is not valid.
    #[error("the schema is not valid: {0}")]
    Schema(String),
    /// A check was given for a scalar that the schema does not define.
    #[error("the schema defines no scalar {0}")]
    UnknownScalar(&'static str),
    /// A mutation was named that the schema does not define.
    #[error("the schema defines no mutation {0}")]
    UnknownMutation(&'static str),
}

/// Lets requests in or refuses them, for one schema.
#[derive(Debug)]
pub struct FrontDoor {
    schema: Valid<Schema>,
    scalars: Scalars,
    /// Mutations that sign somebody in or try a secret.
    sign_ins: &'static [&'static str],
    limits: Limits,
    named: Named,
    passed: Cache<Hash, Arc<Document>>,
}

impl FrontDoor {
    /// A door for the schema that `sdl` describes.
    ///
    /// # Errors
    /// When `sdl` is not a valid schema.
    pub fn new(sdl: &str, limits: Limits) -> Result<Self, BuildError> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql").map_err(|failed| BuildError::Schema(failed.errors.to_string()))?;
        let passed = Cache::builder().max_capacity(limits.cache_bytes).weigher(|_, document: &Arc<Document>| document.weight).build();
        Ok(Self { schema, scalars: Scalars::new(), sign_ins: &[], limits, named: Named::new(&limits), passed })
    }

    /// Lets one of these mutations into an operation, and no second one, whichever of them.
    ///
    /// # Errors
    /// When the schema defines no such mutation.
    pub fn with_sign_ins(self, names: &'static [&'static str]) -> Result<Self, BuildError> {
        let mutations = self.schema.root_operation(OperationType::Mutation);
        match names.iter().find(|name| mutations.is_none_or(|root| self.schema.type_field(root, name).is_err())) {
            Some(unknown) => Err(BuildError::UnknownMutation(unknown)),
            None => Ok(Self { sign_ins: names, ..self }),
        }
    }

    /// Has every value of the scalar `name`, in variables and in documents, checked before anything runs.
    ///
    /// # Errors
    /// When the schema defines no such scalar.
    pub fn with_scalar(mut self, name: &'static str, check: ScalarCheck) -> Result<Self, BuildError> {
        if !self.defines_scalar(name) {
            return Err(BuildError::UnknownScalar(name));
        }
        self.scalars.insert(name.to_owned(), check);
        Ok(self)
    }

    /// Lets requests name the document `id`. What is checked of it is what any other must pass, so scalars come before.
    ///
    /// # Errors
    /// Why it cannot be trusted.
    pub fn trust(&mut self, id: &str, text: &str) -> Result<(), Untrusted> {
        let hash = named::digest(text);
        self.document(hash, text).map_err(Untrusted::Refused)?;
        self.named.trust(id, hash, text)
    }

    /// From now on lets in the documents that are trusted, and no other.
    pub const fn close(&mut self) {
        self.named.is_closed = true;
    }

    /// Whether only trusted documents are let in.
    pub const fn is_closed(&self) -> bool {
        self.named.is_closed
    }

    /// How many documents are trusted.
    pub fn trusted(&self) -> usize {
        self.named.trusted()
    }

    /// How many documents are kept because clients asked for it, and the bytes that they count as.
    pub fn kept(&self) -> (u64, u64) {
        self.named.kept()
    }

    /// The schema's own scalars that have no check, sorted: any JSON passes for them.
    pub fn unchecked_scalars(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.custom_scalars().filter(|name| !self.scalars.contains_key(*name)).collect();
        names.sort_unstable();
        names
    }

    /// Whether the schema defines a scalar of that name.
    pub fn defines_scalar(&self, name: &str) -> bool {
        self.custom_scalars().any(|scalar| scalar == name)
    }

    fn custom_scalars(&self) -> impl Iterator<Item = &str> {
        self.schema.types.iter().filter(|(_, ty)| ty.is_scalar() && !ty.is_built_in()).map(|(name, _)| name.as_str())
    }

    /// The limits in force.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many parsed documents are kept, and their estimated bytes.
    pub fn cached(&self) -> (u64, u64) {
        self.passed.run_pending_tasks();
        (self.passed.entry_count(), self.passed.weighted_size())
    }

    /// Lets a request in, or says why not. Nothing of it has run when it is refused.
    ///
    /// # Errors
    /// There is no document of that name, or it is not trusted; it does not parse or validate, passes a limit, has no such operation;
    /// a variable does not fit; the method may not carry the operation.
    pub fn admit(&self, request: GraphqlRequest, method: Method) -> Result<Admitted, Refusal> {
        let found = self.named.find(&request)?;
        let document = self.document(found.hash, &found.text)?;
        if found.is_to_keep {
            self.named.keep(&found);
        }
        self.admit_with(&document, found.hash, request, method)
    }

    /// The same for a document of our own, which needs nobody's trust.
    ///
    /// # Errors
    /// As for any other.
    pub fn admit_own(&self, document: &str, request: GraphqlRequest, method: Method) -> Result<Admitted, Refusal> {
        let hash = named::digest(document);
        let document = self.document(hash, document)?;
        self.admit_with(&document, hash, request, method)
    }

    fn admit_with(&self, document: &Document, hash: Hash, request: GraphqlRequest, method: Method) -> Result<Admitted, Refusal> {
        let (index, ready) = document.choose(request.operation_name.as_deref())?;
        match (ready.kind, method) {
            (OperationKind::Mutation, Method::Get | Method::GetEvents) => return Err(Refusal::method("A mutation is sent by POST.")),
            (OperationKind::Subscription, Method::Get | Method::Post) => {
                return Err(Refusal::one(Code::BadUserInput, "A subscription is sent over a WebSocket or an event stream."));
            }
            _ => {}
        }
        let mut coercer = Coercer { schema: &self.schema, scalars: &self.scalars, limit: self.limits.bounds.errors, problems: Vec::new() };
        let variables = coercer.variables(&ready.variables, request.variables);
        if let Some(refusal) = Refusal::from_problems(coercer.problems, self.limits.bounds) {
            return Err(refusal);
        }
        let cost = document.plan.cost(index, &variables, &self.limits)?;
        let Some(mut executable) = document.executable(ready) else {
            return Err(Refusal::one(Code::Internal, "The operation was lost on its way."));
        };
        if ready.variables.iter().any(|variable| !variables.contains_key(&variable.name)) {
            absent::leave_out(&mut executable, &|name| !variables.contains_key(name));
        }
        // No text: async-graphql would parse it, had the parsed document been forgotten.
        let mut admitted = async_graphql::Request::new("").variables(async_graphql::Variables::from_json(Json::Object(variables)));
        admitted.set_parsed_query(executable);
        let operation_name = ready.name.as_ref().map(ToString::to_string);
        let introspects = ready.introspects;
        Ok(Admitted { request: admitted, kind: ready.kind, cost, operation_name, document: hash, introspects })
    }

    /// The document of `text`, whose hash that is, from the cache or read anew. A document that did not pass is not kept.
    fn document(&self, hash: Hash, text: &str) -> Result<Arc<Document>, Refusal> {
        if let Some(known) = self.passed.get(&hash) {
            return Ok(known);
        }
        let document = Arc::new(Document::new(text, &self.schema, &self.scalars, self.sign_ins, &self.limits)?);
        self.passed.insert(hash, Arc::clone(&document));
        Ok(document)
    }
}
