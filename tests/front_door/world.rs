//! A small schema that counts what runs, behind a front door and a router as the server has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_graphql::{
    Context, EmptySubscription, Enum, InputObject, InputValueError, InputValueResult, MaybeUndefined, Object, OneofObject, Scalar,
    ScalarType, Schema, SimpleObject, ValidationMode, Value,
};
use axum::Router;
use evolve_business::error::Error;
use evolve_business::graphql::front_door::{Admitted, FrontDoor, GraphqlRequest, Limits, Method, Refusal};
use evolve_business::http::graphql::{Executor, Settings, handler};
use evolve_business::http::{health, server};
use evolve_business::ids::{SharedIdGen, SystemIds};
use http::request::Parts;
use serde_json::{Map, Value as Json};

/// How many mutations' resolvers ran.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ran(Arc<AtomicUsize>);

impl Ran {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn note(ctx: &Context<'_>) {
        ctx.data_unchecked::<Self>().0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) struct Decimal(pub(crate) String);

#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            other => Err(InputValueError::expected_type(other)),
        }
    }
    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

pub(crate) fn check_decimal(value: &Json) -> Result<(), String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match value.as_str().map(|text| text.split_once('.').unwrap_or((text, "0"))) {
        Some((whole, part)) if digits(whole) && digits(part) => Ok(()),
        Some(_) => Err("digits with one point are expected".to_owned()),
        None => Err("a string is expected".to_owned()),
    }
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Red,
    Green,
}

#[derive(InputObject)]
pub(crate) struct Patch {
    pub(crate) name: MaybeUndefined<String>,
    #[graphql(default = 7)]
    pub(crate) size: i32,
    pub(crate) amount: Option<Decimal>,
    pub(crate) inner: Option<Box<Patch>>,
}

#[derive(OneofObject)]
pub(crate) enum Source {
    Card(String),
    Phone(String),
}

#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    has_next_page: bool,
}

#[derive(SimpleObject)]
pub(crate) struct NodeEdge {
    node: Node,
    cursor: String,
}

#[derive(SimpleObject)]
pub(crate) struct NodeConnection {
    edges: Vec<NodeEdge>,
    page_info: PageInfo,
}

pub(crate) struct Node(i32);

#[Object]
impl Node {
    async fn id(&self) -> async_graphql::ID {
        self.0.to_string().into()
    }
    async fn child(&self) -> Option<Node> {
        Some(Node(self.0.saturating_add(1)))
    }
    async fn tags(&self) -> Vec<String> {
        vec!["a".into(), "b".into()]
    }
    async fn siblings(&self) -> Vec<Node> {
        vec![Node(1)]
    }
    async fn nodes(&self, first: Option<i32>, last: Option<i32>) -> NodeConnection {
        let count = first.or(last).unwrap_or(20).min(2);
        let edges = (0..count).map(|id| NodeEdge { node: Node(id), cursor: id.to_string() }).collect();
        NodeConnection { edges, page_info: PageInfo { has_next_page: false } }
    }
    /// Fails for the second.
    async fn fragile(&self) -> async_graphql::Result<String> {
        if self.0 == 1 { Err("secret cause".into()) } else { Ok("whole".into()) }
    }
}

/// A nullable field whose error leaves its siblings standing: what `Result<Option<T>, _>::transpose` gives.
type Nullable<T> = Option<async_graphql::Result<T>>;

pub(crate) struct Query;

#[Object]
impl Query {
    async fn node(&self) -> Option<Node> {
        Some(Node(0))
    }
    async fn list(&self, #[graphql(default = 2)] first: i32) -> Vec<Node> {
        (0..first.min(3)).map(Node).collect()
    }
    async fn maybe(&self) -> Option<Vec<Option<Node>>> {
        Some((0..3).map(|id| Some(Node(id))).collect())
    }
    async fn colour(&self, colour: Colour) -> Colour {
        colour
    }
    async fn numbers(&self, numbers: Vec<i32>) -> Vec<i32> {
        numbers
    }
    async fn nested(&self, json: Option<async_graphql::Json<Json>>) -> bool {
        json.is_some()
    }
    async fn source(&self, source: Source) -> String {
        match source {
            Source::Card(token) => token,
            Source::Phone(number) => number,
        }
    }
    async fn decimal(&self, amount: Decimal) -> Decimal {
        amount
    }
    async fn echo(&self, text: String) -> String {
        text
    }
    async fn id(&self, id: async_graphql::ID) -> async_graphql::ID {
        id
    }
    async fn patched(&self, patch: Patch) -> String {
        let name = match patch.name {
            MaybeUndefined::Undefined => "left out",
            MaybeUndefined::Null => "null",
            MaybeUndefined::Value(_) => "given",
        };
        format!("{name} {}", patch.size)
    }
    async fn forbidden(&self) -> Nullable<String> {
        Some(Err(async_graphql::Error::new_with_source(Error::Forbidden)))
    }
    async fn broken(&self) -> Nullable<String> {
        Some(Err(async_graphql::Error::new_with_source(Error::Store("password=hunter2".into()))))
    }
    async fn coded(&self) -> Nullable<String> {
        let mut error = async_graphql::Error::new("Say less.");
        error.extensions.get_or_insert_default().set("code", "BAD_USER_INPUT");
        Some(Err(error))
    }
    /// Nullable too, by its type in the schema.
    async fn uncontained(&self) -> async_graphql::Result<Option<String>> {
        Err("uncontained".into())
    }
    async fn slow(&self) -> bool {
        tokio::time::sleep(Duration::from_mins(1)).await;
        true
    }
    async fn wait(&self, milliseconds: u64) -> bool {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        true
    }
    async fn panics(&self) -> bool {
        assert!(std::hint::black_box(false), "as asked");
        true
    }
}

pub(crate) struct Mutation;

#[Object]
impl Mutation {
    async fn f(&self, ctx: &Context<'_>, n: i32) -> Option<i32> {
        Ran::note(ctx);
        Some(n)
    }
    async fn g(&self, ctx: &Context<'_>, #[graphql(default = 5)] n: i32) -> Option<i32> {
        Ran::note(ctx);
        Some(n)
    }
    async fn pay(&self, ctx: &Context<'_>, amount: Decimal) -> Option<Decimal> {
        Ran::note(ctx);
        Some(amount)
    }
    async fn patch(&self, ctx: &Context<'_>, patch: Patch) -> Option<i32> {
        Ran::note(ctx);
        Some(patch.size)
    }
}

pub(crate) type TestSchema = Schema<Query, Mutation, EmptySubscription>;

pub(crate) struct World {
    pub(crate) schema: TestSchema,
    pub(crate) door: Arc<FrontDoor>,
    pub(crate) ran: Ran,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let ran = Ran::default();
        let schema = Schema::build(Query, Mutation, EmptySubscription).validation_mode(ValidationMode::Fast).data(ran.clone()).finish();
        let door = FrontDoor::new(&schema.sdl(), limits).unwrap().with_scalar("Decimal", check_decimal).unwrap();
        Self { schema, door: Arc::new(door), ran }
    }

    /// With documents that are trusted, and no others where the door is closed.
    pub(crate) fn trusting(documents: &[(&str, &str)], is_closed: bool) -> Self {
        let mut world = Self::new();
        for (id, text) in documents {
            world.door_mut().trust(id, text).unwrap();
        }
        if is_closed {
            world.door_mut().close();
        }
        world
    }

    /// The door, before anybody else has it.
    pub(crate) fn door_mut(&mut self) -> &mut FrontDoor {
        Arc::get_mut(&mut self.door).unwrap()
    }

    pub(crate) fn admit(&self, query: &str, variables: Json) -> Result<Admitted, Refusal> {
        let variables = match variables {
            Json::Object(variables) => variables,
            _ => Map::new(),
        };
        self.door.admit(GraphqlRequest { query: Some(query.to_owned()), variables, ..GraphqlRequest::default() }, Method::Post)
    }

    /// Why it was not let in.
    pub(crate) fn refusal(&self, query: &str, variables: Json) -> Refusal {
        match self.admit(query, variables) {
            Ok(admitted) => panic!("let in: {query}: {admitted:?}"),
            Err(refusal) => refusal,
        }
    }

    /// The code of the first reason.
    pub(crate) fn code(&self, query: &str, variables: Json) -> &'static str {
        self.refusal(query, variables).problems[0].code.as_str()
    }

    /// What it costs.
    pub(crate) fn cost(&self, query: &str, variables: Json) -> u64 {
        self.admit(query, variables).unwrap().cost.requested
    }

    /// What it answers, errors and all.
    pub(crate) async fn run(&self, query: &str, variables: Json) -> Json {
        let admitted = self.admit(query, variables).unwrap_or_else(|refusal| panic!("refused: {refusal}"));
        serde_json::to_value(self.schema.execute(admitted.request).await).unwrap()
    }

    pub(crate) fn router(&self, settings: Settings) -> Router {
        let executor = Runs { schema: self.schema.clone() };
        let router = Router::new()
            .route("/graphql", handler(Arc::clone(&self.door), executor, settings))
            .route(
                "/panic",
                axum::routing::get(|| async {
                    assert!(std::hint::black_box(false), "as asked");
                }),
            )
            .merge(health::router(|| async { Ok(()) }));
        let ids: SharedIdGen = Arc::new(SystemIds);
        server::dressed(router, ids)
    }
}

struct Runs {
    schema: TestSchema,
}

impl Executor for Runs {
    async fn execute(&self, parts: &Parts, admitted: Admitted) -> Result<async_graphql::Response, Error> {
        match parts.headers.get("authorization").map(|value| value.to_str().unwrap()) {
            Some("Bearer bad") => return Err(Error::Unauthenticated),
            Some("Bearer busy") => return Err(Error::come_again(Duration::from_millis(2_500))),
            Some("Bearer outside") => return Err(Error::Forbidden),
            Some("Bearer broken") => return Err(Error::Store("password=hunter2".into())),
            _ => {}
        }
        Ok(self.schema.execute(admitted.request).await)
    }
}
