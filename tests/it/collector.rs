//! A collector of spans that keeps what it is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use evolve_business::http::server::{self, ServerLimits};
use http::HeaderMap;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Held;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

/// What the collector wants to see.
pub(crate) const HEADER: (&str, &str) = ("authorization", "Bearer of-the-collector");

/// A collector.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) url: String,
    kept: Arc<Mutex<Kept>>,
}

/// What a collector was sent.
#[derive(Default)]
struct Kept {
    spans: Vec<Span>,
    /// The names of services, and everything else beside the spans.
    around: Vec<String>,
}

impl Collector {
    /// One that listens until the test is over.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept = Arc::<Mutex<Kept>>::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&kept));
        // Until the test's runtime ends.
        tokio::spawn(server::serve(listener, router, ServerLimits::default(), std::future::pending()));
        Self { url, kept }
    }

    /// The spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.kept.lock().unwrap().spans.clone()
    }

    /// Everything that it was sent, as text.
    pub(crate) fn everything(&self) -> String {
        let kept = self.kept.lock().unwrap();
        format!("{:?}{:?}", kept.spans, kept.around)
    }

    /// The only span of that name.
    pub(crate) fn span(&self, name: &str) -> Span {
        let mut found: Vec<Span> = self.spans().into_iter().filter(|span| span.name == name).collect();
        let names: Vec<String> = self.spans().into_iter().map(|span| span.name).collect();
        assert_eq!(found.len(), 1, "{name} in {names:?}");
        found.remove(0)
    }

    /// The spans right below one.
    pub(crate) fn below(&self, parent: &Span) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.trace_id == parent.trace_id && span.parent_span_id == parent.span_id).collect()
    }
}

/// Takes what is sent, from whoever has the header.
async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> (http::StatusCode, Vec<u8>) {
    if headers.get(HEADER.0).is_none_or(|sent| sent != HEADER.1) || headers["content-type"] != "application/x-protobuf" {
        return (http::StatusCode::UNAUTHORIZED, Vec::new());
    }
    let sent = ExportTraceServiceRequest::decode(body).unwrap();
    let mut kept = kept.lock().unwrap();
    for resource in sent.resource_spans {
        kept.around.push(format!("{:?}", resource.resource));
        for scope in resource.scope_spans {
            kept.around.push(format!("{:?}", scope.scope));
            kept.spans.extend(scope.spans);
        }
    }
    (http::StatusCode::OK, ExportTraceServiceResponse::default().encode_to_vec())
}

/// The attributes of a span, as texts.
pub(crate) fn attributes(span: &Span) -> BTreeMap<String, String> {
    let text = |held: Held| match held {
        Held::StringValue(text) => text,
        Held::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let pairs = span.attributes.iter().cloned();
    pairs.map(|pair| (pair.key, text(pair.value.unwrap().value.unwrap()))).collect()
}

/// The value of a figure with these labels; zero where it is not told.
pub(crate) fn figure(text: &str, name_and_labels: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name_and_labels)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap_or_else(|_| panic!("{name_and_labels} {value}")))
}
