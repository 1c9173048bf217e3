//! The API as a client meets it: a server on a free port of loopback, asked over real HTTP.

use std::time::Duration;

use evolve_business::app::App;
use evolve_business::config::Network;
use evolve_business::graphql::front_door::Limits;
use evolve_business::http::graphql;
use evolve_business::http::server::{self, ServerLimits};
use evolve_business::security::keys::Keys;
use evolve_business::security::random::SystemRng;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// A server of a world, until it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    stop: CancellationToken,
}

impl Server {
    /// Serves `world` on a free port.
    pub(crate) async fn start(world: &World) -> Self {
        Self::behind(world, Vec::new()).await
    }

    /// The same, behind proxies that are believed.
    pub(crate) async fn behind(world: &World, proxies: Vec<Network>) -> Self {
        Self::with(world, |app| app.behind(proxies)).await
    }

    /// The same, with the house changed.
    pub(crate) async fn with(world: &World, change: impl FnOnce(App) -> App) -> Self {
        Self::set(world, graphql::Settings::default(), change).await
    }

    /// The same, with other settings of requests too.
    pub(crate) async fn set(world: &World, settings: graphql::Settings, change: impl FnOnce(App) -> App) -> Self {
        let keys = Keys::load_or_create(world.database.dir.path(), &SystemRng).unwrap();
        let app = change(App::of(world.ports.clone(), keys.cursor, Some(world.gateway.clone()), Limits::default()).unwrap());
        let app = app.hearing_stripe(vec!["whsec_replaced".into(), crate::stripe_simulator::WEBHOOK_SECRET.into()]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = app.router(settings, None, Vec::new());
        let stop = CancellationToken::new();
        tokio::spawn(server::serve(listener, router, ServerLimits::default(), stop.clone().cancelled_owned()));
        Self { url, stop }
    }

    /// A client of the staff API, of nobody in particular.
    pub(crate) fn staff(&self) -> Client {
        Client { url: format!("{}/staff/graphql", self.url), ..self.client() }
    }

    /// A client of whoever holds this access token.
    pub(crate) fn holder(&self, token: &Value) -> Client {
        Client { token: Some(token.as_str().unwrap().to_owned()), ..self.client() }
    }

    /// A client of nobody in particular.
    pub(crate) fn client(&self) -> Client {
        Client { url: format!("{}/graphql", self.url), token: None, about: None, http: reqwest::Client::new() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Client {
    url: String,
    pub(crate) token: Option<String>,
    /// The business that the header `Evolve-Business` names.
    pub(crate) about: Option<String>,
    http: reqwest::Client,
}

impl Client {
    /// The status and the bytes of the answer to a document.
    pub(crate) async fn raw(&self, query: &str, variables: &Value) -> (u16, String) {
        self.raw_as("test", query, variables).await
    }

    /// The same, as the request of this id.
    pub(crate) async fn raw_as(&self, request_id: &str, query: &str, variables: &Value) -> (u16, String) {
        let request = self.posting().timeout(Duration::from_secs(30)).header("x-request-id", request_id);
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A request by POST that says who asks.
    pub(crate) fn posting(&self) -> reqwest::RequestBuilder {
        let mut request = self.http.post(&self.url).header("accept", "application/graphql-response+json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(business) = &self.about {
            request = request.header("evolve-business", business);
        }
        request
    }

    /// Where the server is.
    pub(crate) fn server(&self) -> &str {
        self.url.split_once("/graphql").unwrap().0.trim_end_matches("/staff")
    }

    /// The answer to a document, errors and all.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Value {
        serde_json::from_str(&self.raw(query, &variables).await.1).unwrap()
    }

    /// The data of a document that must have no errors.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(query, variables).await;
        assert_eq!(answer.get("errors"), None, "{answer:#}");
        answer["data"].take()
    }

    /// One mutation's payload, which must refuse nothing: `field` of `input: $input`.
    pub(crate) async fn mutate(&self, field: &str, input: Value, selection: &str) -> Value {
        let payload = self.payload(field, input, selection).await;
        assert_eq!(payload["userErrors"], json!([]), "{field}: {payload:#}");
        payload
    }

    /// One mutation's payload.
    pub(crate) async fn payload(&self, field: &str, input: Value, selection: &str) -> Value {
        self.payload_of(field, &input_type(field), input, selection).await
    }

    /// The same, where the input's type is named otherwise than the field.
    pub(crate) async fn payload_of(&self, field: &str, input_type: &str, input: Value, selection: &str) -> Value {
        let query =
            format!("mutation($input: {input_type}!) {{ {field}(input: $input) {{ {selection} userErrors {{ code message field }} }} }}");
        let mut data = self.data(&query, json!({ "input": input })).await;
        data[field].take()
    }
}

/// The type of a mutation's input, as most are named.
pub(crate) fn input_type(field: &str) -> String {
    format!("{}{}Input", field[..1].to_uppercase(), &field[1..])
}
