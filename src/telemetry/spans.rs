//! Spans by OpenTelemetry: of an operation or a job, and within it of its statements and its calls to gateways. Each has attributes of
//! a closed list that are made here, and none of what a log line may say; no others are exported.
//!
//! They are made by the SDK directly, and only where one is exported: without a collector, or where a trace is not sampled, nothing is
//! built. A statement's span is made when it is over.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider};
use rust_decimal::prelude::ToPrimitive as _;

use super::courier::Courier;
use super::operation::Begun;
use crate::config::OtlpSettings;
use crate::error::Cause;

/// The header by which the one who asks names their own span (<https://www.w3.org/TR/trace-context/>).
const PARENT_HEADER: &str = "traceparent";
/// How many spans wait to be sent; those beyond are dropped.
const QUEUE: usize = 8_192;
/// How many are sent at once.
const BATCH: usize = 1_024;
/// How long spans wait for others.
const DELAY: Duration = Duration::from_secs(5);
/// How long the last of them may take.
const FLUSH: Duration = Duration::from_secs(5);

/// Where spans go; the default is nowhere. Its clones share it.
#[derive(Clone, Default)]
pub(super) struct Spans(Option<Arc<Exported>>);

/// The way to a collector.
struct Exported {
    /// Makes spans.
    tracer: SdkTracer,
    /// Sends them.
    provider: SdkTracerProvider,
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Spans(exported)" } else { "Spans(none)" })
    }
}

/// The span of one who asks. Ours are a trace of their own that is linked to it: whether it is sampled stays our own decision.
#[derive(Debug, Clone)]
pub struct CallerSpan(SpanContext);

impl CallerSpan {
    /// The one that `headers` name, of a request by somebody who is believed.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut parts = headers.get(PARENT_HEADER)?.to_str().ok()?.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        if !is_hex(version, 2) || version == "ff" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
            return None;
        }
        if version == "00" && parts.next().is_some() {
            return None;
        }
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
        context.is_valid().then_some(Self(context))
    }
}

impl Spans {
    /// To the collector of the settings.
    ///
    /// # Errors
    /// Where its address or TLS cannot be used.
    pub(super) fn exported(settings: &OtlpSettings) -> Result<Self, Cause> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Courier::new(settings)?)
            .with_endpoint(format!("{}/v1/traces", settings.endpoint))
            .with_protocol(Protocol::HttpBinary)
            .build()?;
        let batches =
            BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_max_export_batch_size(BATCH).with_scheduled_delay(DELAY);
        let ratio = settings.sample_ratio.to_f64().ok_or("EVOLVE_OTLP_SAMPLE_RATIO is no ratio.")?;
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
            .with_resource(
                Resource::builder_empty()
                    .with_service_name(settings.service_name.clone())
                    .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                    .build(),
            )
            .build();
        Ok(Self(Some(Arc::new(Exported { tracer: provider.tracer("evolve-business"), provider }))))
    }

    /// The span of an operation that begins; none where it is not exported.
    pub(super) fn operation(&self, begun: &Begun, name: &str) -> Option<Context> {
        let exported = self.0.as_ref()?;
        let attributes = vec![
            KeyValue::new("graphql.operation.name", name.to_owned()),
            KeyValue::new("graphql.operation.type", begun.kind),
            KeyValue::new("evolve.api", begun.api),
            KeyValue::new("evolve.cost", i64::try_from(begun.cost).unwrap_or(i64::MAX)),
            KeyValue::new("evolve.request_id", begun.request_id.clone()),
        ];
        let links = begun.caller.iter().map(|CallerSpan(context)| Link::with_context(context.clone())).collect();
        exported.root(
            SpanBuilder::from_name(format!("{} {name}", begun.kind))
                .with_kind(SpanKind::Server)
                .with_attributes(attributes)
                .with_links(links),
        )
    }

    /// Ends the span of an operation.
    #[expect(clippy::unused_self, reason = "what may be told of a span is said here")]
    pub(super) fn end_operation(&self, span: &Context, code: &'static str, statements: u32) {
        let span = span.span();
        span.set_attributes([KeyValue::new("evolve.code", code), KeyValue::new("evolve.statements", i64::from(statements))]);
        if matches!(code, "INTERNAL" | "TIMEOUT") {
            span.set_status(Status::error(code));
        }
        span.end();
    }

    /// The span of a job that begins; none where it is not exported.
    pub(super) fn job(&self, kind: &str, attempt: i32) -> Option<Context> {
        let exported = self.0.as_ref()?;
        let attributes = vec![KeyValue::new("evolve.job.kind", kind.to_owned()), KeyValue::new("evolve.job.attempt", i64::from(attempt))];
        exported.root(SpanBuilder::from_name(format!("job {kind}")).with_kind(SpanKind::Consumer).with_attributes(attributes))
    }

    /// Ends the span of a job.
    #[expect(clippy::unused_self, reason = "what may be told of a span is said here")]
    pub(super) fn end_job(&self, span: &Context, outcome: &'static str, statements: u32) {
        let span = span.span();
        span.set_attributes([KeyValue::new("evolve.job.outcome", outcome), KeyValue::new("evolve.statements", i64::from(statements))]);
        if matches!(outcome, "failed" | "dead") {
            span.set_status(Status::error(outcome));
        }
        span.end();
    }

    /// The span of a statement that is over: its verb and its table, and for what it ran.
    pub(super) fn statement(&self, parent: &Context, (verb, table): (&'static str, &str), of: &str, elapsed: Duration, failed: bool) {
        let Some(exported) = &self.0 else { return };
        let name = if table.is_empty() { Cow::Borrowed(verb) } else { Cow::Owned(format!("{verb} {table}")) };
        let mut attributes = vec![KeyValue::new("db.operation.name", verb), KeyValue::new("evolve.operation", of.to_owned())];
        if !table.is_empty() {
            attributes.push(KeyValue::new("db.collection.name", table.to_owned()));
        }
        exported.child(parent, SpanBuilder::from_name(name).with_attributes(attributes), elapsed, failed.then_some("failed"));
    }

    /// The span of a call to a gateway that is over.
    pub(super) fn gateway_call(
        &self,
        parent: &Context,
        (gateway, call): (&'static str, &'static str),
        outcome: &'static str,
        elapsed: Duration,
    ) {
        let Some(exported) = &self.0 else { return };
        let attributes = vec![
            KeyValue::new("evolve.gateway", gateway),
            KeyValue::new("evolve.gateway.call", call),
            KeyValue::new("evolve.gateway.outcome", outcome),
        ];
        let span = SpanBuilder::from_name(format!("{gateway} {call}")).with_attributes(attributes);
        exported.child(parent, span, elapsed, (outcome == "unknown").then_some(outcome));
    }

    /// Sends what still waits, and ends.
    pub(super) async fn flush(&self) {
        let Some(exported) = self.0.clone() else { return };
        // It waits for a thread of its own.
        let flushed = tokio::task::spawn_blocking(move || exported.provider.shutdown_with_timeout(FLUSH)).await;
        match flushed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not sent"),
            Err(error) => tracing::warn!(%error, "the last spans were not sent"),
        }
    }
}

impl Exported {
    /// Begins a trace; none where it is not sampled.
    fn root(&self, span: SpanBuilder) -> Option<Context> {
        let span = self.tracer.build_with_context(span, &Context::new());
        span.is_recording().then(|| Context::new().with_span(span))
    }

    /// A span within `parent` that lasted for `elapsed` and is over.
    fn child(&self, parent: &Context, span: SpanBuilder, elapsed: Duration, wrong: Option<&'static str>) {
        let end = now();
        let begin = end.checked_sub(elapsed).unwrap_or(end);
        let mut span = self.tracer.build_with_context(span.with_kind(SpanKind::Client).with_start_time(begin), parent);
        if let Some(wrong) = wrong {
            span.set_status(Status::error(wrong));
        }
        span.end_with_timestamp(end);
    }
}

/// The present instant.
#[expect(clippy::disallowed_methods, reason = "spans of several processes meet in real time, whatever clock the business runs on")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_span_of_one_who_asks_is_read_as_the_standard_says() {
        let read = |text: &str| {
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static(PARENT_HEADER), HeaderValue::from_str(text).unwrap())]);
            CallerSpan::of(&headers)
                .map(|CallerSpan(context)| (context.trace_id().to_string(), context.span_id().to_string(), context.is_sampled()))
        };
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        assert_eq!(read(&format!("00-{trace}-{span}-01")), Some((trace.to_owned(), span.to_owned(), true)));
        assert_eq!(read(&format!("00-{trace}-{span}-00")), Some((trace.to_owned(), span.to_owned(), false)));
        assert!(read(&format!("cc-{trace}-{span}-01-what-the-future-brings")).is_some());
        for wrong in [
            String::new(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}x-{span}-01"),
        ] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
    }
}
