//! One POST for each operation, on a connection that stays open.

use std::time::Duration;

use serde_json::{Value, json};

use super::Outcome;

/// Longer than a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no payload.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code that the server gives, or `NO_ANSWER`, or `NO_GRAPHQL` for an answer that is none of GraphQL's.
    pub(crate) code: String,
    /// What is said of it.
    pub(crate) message: String,
    /// When to come again, for whom asks too often.
    pub(crate) retry_after: Option<Duration>,
}

/// An endpoint, and as whom it is asked.
pub(crate) struct Api {
    http: reqwest::Client,
    endpoint: String,
    /// A token or key.
    pub(crate) bearer: Option<String>,
    /// The business that a product's key asks about.
    pub(crate) business: Option<String>,
}

impl Api {
    /// The endpoint at this path of a server.
    pub(crate) fn at(url: &str, path: &str) -> Outcome<Self> {
        let http = reqwest::Client::builder().timeout(PATIENCE).pool_max_idle_per_host(1).build().map_err(|error| error.to_string())?;
        Ok(Self { http, endpoint: format!("{}{path}", url.trim_end_matches('/')), bearer: None, business: None })
    }

    /// The same endpoint on the same connections, asked with another key.
    pub(crate) fn with(&self, bearer: String, business: Option<String>) -> Self {
        Self { http: self.http.clone(), endpoint: self.endpoint.clone(), bearer: Some(bearer), business }
    }

    /// The `data` of a document.
    pub(crate) async fn data(&self, document: &str, variables: &Value) -> Result<Value, Failure> {
        let mut request = self.http.post(&self.endpoint).header("accept", "application/graphql-response+json");
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(business) = &self.business {
            request = request.header("evolve-business", business);
        }
        let failure = |code: &str, message: String| Failure { code: code.to_owned(), message, retry_after: None };
        let sent = request.json(&json!({ "query": document, "variables": variables })).send().await;
        let response = sent.map_err(|error| failure("NO_ANSWER", format!("{error:?}")))?;
        let (status, after) = (response.status(), response.headers().get("retry-after").cloned());
        let mut answer: Value = response.json().await.map_err(|error| failure("NO_GRAPHQL", format!("{status}: {error:?}")))?;
        match answer.pointer("/errors/0") {
            None if answer["data"].is_object() => Ok(answer["data"].take()),
            None => Err(failure("NO_GRAPHQL", format!("{status}: {answer}"))),
            Some(error) => {
                let seconds = after.and_then(|value| value.to_str().ok()?.parse().ok());
                let code = error["extensions"]["code"].as_str().unwrap_or("NO_CODE");
                Err(Failure { retry_after: seconds.map(Duration::from_secs), ..failure(code, error["message"].to_string()) })
            }
        }
    }

    /// The payload of the field in a document, which must refuse nothing.
    pub(crate) async fn payload(&self, field: &str, document: &str, variables: &Value) -> Result<Value, Failure> {
        let payload = self.data(document, variables).await?[field].take();
        match payload.pointer("/userErrors/0") {
            None => Ok(payload),
            Some(error) => {
                let code = error["code"].as_str().unwrap_or("NO_CODE").to_owned();
                Err(Failure { code, message: error["message"].to_string(), retry_after: None })
            }
        }
    }

    /// The same, where nothing can be done without it.
    pub(crate) async fn done(&self, field: &str, document: &str, variables: &Value) -> Outcome<Value> {
        let answer = self.payload(field, document, variables).await;
        answer.map_err(|Failure { code, message, .. }| format!("{field}: {code}, {message}"))
    }
}
