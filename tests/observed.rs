//! The real program tells of itself: figures at an address of their own, spans to a collector, the last of them when it is told to stop.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/collector.rs"]
mod collector;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "shared with the tests of a crash")]
#[path = "crash/server.rs"]
mod server;

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use serde_json::{Value, json};

use crate::collector::{Collector, HEADER, figure};
use crate::database::{Kind, TestDatabase};
use crate::server::{Server, seed};

/// How long a stop may take.
const STOPPED_WITHIN: Duration = Duration::from_secs(45);

mod a_server_tells_of_itself_and_sends_its_last_spans_when_it_stops {
    use super::{Kind, database};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, super::a_server_tells_of_itself_and_sends_its_last_spans_when_it_stops).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, super::a_server_tells_of_itself_and_sends_its_last_spans_when_it_stops).await;
    }
}

async fn a_server_tells_of_itself_and_sends_its_last_spans_when_it_stops(db: TestDatabase) {
    seed(&db);
    let collector = Collector::start().await;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let (listen, headers) = (format!("127.0.0.1:{port}"), format!("{}={}", HEADER.0, HEADER.1));
    let told = [
        ("EVOLVE_METRICS_LISTEN", listen.as_str()),
        ("EVOLVE_OTLP_ENDPOINT", &collector.url),
        ("EVOLVE_OTLP_HEADERS", &headers),
        ("EVOLVE_OTLP_SERVICE_NAME", "evolve-of-a-test"),
    ];
    let mut server = Server::start(&db, &told).await;
    let body = json!({ "query": "query Shelf { products { code } }" });
    let answer: Value = reqwest::Client::new().post(server.endpoint()).json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["products"].as_array().map(Vec::len), Some(3), "{answer}");

    let text = reqwest::get(format!("http://{listen}/metrics")).await.unwrap().text().await.unwrap();
    assert_eq!(
        figure(&text, "evolve_graphql_requests_total{operation=\"Shelf\",kind=\"query\",code=\"OK\",api=\"business\"}"),
        1,
        "{text}"
    );
    for other in ["/", "/graphql", "/healthz"] {
        assert_eq!(reqwest::get(format!("http://{listen}{other}")).await.unwrap().status().as_u16(), 404, "{other}");
    }
    assert_eq!(reqwest::get(format!("{}/metrics", server.url())).await.unwrap().status().as_u16(), 404);

    assert!(server.stop(STOPPED_WITHIN).await.success(), "{}", server.log());
    let below = collector.below(&collector.span("query Shelf"));
    assert!(below.iter().any(|span| span.name == "select products"), "{below:?}");
    assert!(collector.everything().contains("evolve-of-a-test"));
    assert!(!server.log().contains(HEADER.1), "{}", server.log());
}
