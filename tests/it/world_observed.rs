//! A world that tells of everything.

use std::sync::Arc;

use evolve_business::config::{OtlpSettings, TelemetrySettings};
use evolve_business::http::live::{Connections, LiveSettings};
use evolve_business::http::metrics;
use evolve_business::telemetry::Telemetry;
use rust_decimal::Decimal;
use tower::ServiceExt as _;

use crate::collector::{Collector, HEADER};
use crate::database::TestDatabase;
use crate::world::World;

/// Tells of everything, spans to `collector`; every operation is slow that takes a millisecond.
pub(crate) fn telling(collector: &Collector) -> Telemetry {
    let otlp = OtlpSettings {
        endpoint: collector.url.clone(),
        headers: vec![(HEADER.0.to_owned(), HEADER.1.into())],
        service_name: "evolve-test".to_owned(),
        sample_ratio: Decimal::ONE,
    };
    // Nobody listens there: what is told is read from the router.
    let metrics_listen = Some("127.0.0.1:1".parse().unwrap());
    Telemetry::of(&TelemetrySettings { metrics_listen, otlp: Some(otlp), slow_operation_ms: 1 }).unwrap()
}

impl World {
    /// A world that tells of everything, spans to `collector`.
    pub(crate) async fn observed(db: TestDatabase, now: &str, collector: &Collector) -> Self {
        Self::with(db, now, |options| options.telemetry = telling(collector)).await
    }

    /// What Prometheus reads.
    pub(crate) async fn scraped(&self) -> String {
        self.scraped_with(&Connections::new(LiveSettings::default())).await
    }

    /// The same, of a server with these live connections.
    pub(crate) async fn scraped_with(&self, live: &Arc<Connections>) -> String {
        let router = metrics::router(self.ports.clone(), Arc::clone(live));
        let request = http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &"text/plain; version=0.0.4; charset=utf-8".parse().unwrap())
        );
        let body = axum::body::to_bytes(answer.into_body(), 16 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }
}
