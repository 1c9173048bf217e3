//! What is told of operations that stay, and of clients that do not.

use std::time::Duration;

use serde_json::json;

use crate::client::Server;
use crate::collector::{Collector, attributes, figure};
use crate::database::TestDatabase;
use crate::statements::subscribe;
use crate::world::World;
use crate::world_live::{Socket, quick, serving};
use crate::world_lives::{add_method, plans, register};
use crate::world_payments::until;

const NOW: &str = "2027-01-10T09:00:00Z";

both!(an_operation_that_listens_is_told_as_it_begins_and_for_each_change, a_client_that_goes_away_is_told);

async fn an_operation_that_listens_is_told_as_it_begins_and_for_each_change(db: TestDatabase) {
    let collector = Collector::start().await;
    let world = World::observed(db, NOW, &collector).await;
    world.seed_catalogue().await;
    let (server, live) = serving(&world, quick()).await;
    let (client, _) = register(&server, "ann").await;
    let method = add_method(&client, "SUCCEEDS").await;
    let plan = plans(&client).await["erp"][0].clone();
    world.run_due_jobs().await;
    let mut socket = Socket::of(&server, &client).await;
    socket.listen(&world, 0, "one", "subscription Money { paymentChanged { status } }").await;
    socket.subscribe("two", "subscription Wrong { nothing }", json!({})).await;
    assert_eq!(socket.error_of("two").await, "GRAPHQL_VALIDATION_FAILED");
    let text = world.scraped_with(&live).await;
    assert_eq!(figure(&text, "evolve_live_connections"), 1);
    assert_eq!(figure(&text, "evolve_graphql_requests_total{operation=\"Money\",kind=\"subscription\",code=\"OK\",api=\"business\"}"), 1);
    assert_eq!(
        figure(
            &text,
            "evolve_graphql_requests_total{operation=\"(refused)\",kind=\"none\",code=\"GRAPHQL_VALIDATION_FAILED\",api=\"business\"}"
        ),
        1
    );
    assert_eq!(figure(&text, "evolve_live_updates_total"), 0);

    subscribe(&world, &client, &plan, &method).await;
    while socket.next_of("one").await["paymentChanged"]["status"] != "SUCCEEDED" {}
    until(async || figure(&world.scraped_with(&live).await, "evolve_live_updates_total") >= 1).await;
    drop(socket);
    until(async || figure(&world.scraped_with(&live).await, "evolve_live_connections") == 0).await;
    let text = world.scraped_with(&live).await;
    let updates = figure(&text, "evolve_graphql_requests_total{operation=\"Money\",kind=\"update\",code=\"OK\",api=\"business\"}");
    assert!(updates >= 1, "{text}");
    assert_eq!(figure(&text, "evolve_graphql_requests_total{operation=\"Money\",kind=\"subscription\",code=\"OK\",api=\"business\"}"), 1);

    world.ports.telemetry.flush().await;
    let update = collector.spans().into_iter().find(|span| span.name == "update Money").unwrap();
    let below = collector.below(&update).len();
    assert!(below > 0);
    assert_eq!(attributes(&update)["evolve.statements"], below.to_string());
}

async fn a_client_that_goes_away_is_told(db: TestDatabase) {
    let collector = Collector::start().await;
    let world = World::observed(db, NOW, &collector).await;
    let server = Server::start(&world).await;
    let (client, _) = register(&server, "ann").await;
    // So many readings, one after the other, that it takes longer than the client waits.
    let long = (1..=20).map(|first| format!("a{first}: invoices(first: {first}) {{ nodes {{ id }} }}")).collect::<Vec<_>>().join(" ");
    let body = json!({ "query": format!("query Hasty {{ {long} }}") });
    let mut is_told = false;
    // Some are answered before, or are not even heard.
    for wait_ms in (1..=40).cycle().take(400) {
        drop(client.posting().json(&body).timeout(Duration::from_millis(wait_ms)).send().await);
        is_told = world.scraped().await.lines().any(|line| line.contains("kind=\"query\",code=\"GONE\""));
        if is_told {
            break;
        }
    }
    assert!(is_told, "{}", world.scraped().await);
}
