//! What the process tells of itself: all of it, to those who are meant to hear it, and of nobody.

use std::collections::BTreeSet;

use evolve_business::config::Network;
use evolve_business::telemetry::CATALOGUE;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::collector::{Collector, attributes, figure};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_catalog::Statements;
use crate::world_lives::{PASSWORD, add_method, plans, register};
use crate::world_logs::{PERSONAL, listening};
use crate::world_observed::telling;
use crate::world_payments::until;
use crate::world_privacy::{PHONE, TAX_ID};

const NOW: &str = "2027-01-10T09:00:00Z";
const OPERATIONS: &str = include_str!("../../docs/operations.md");
/// An operation with a name, that reads several tables.
const HOME: &str = "query Home { profile { businessName } invoices(first: 3) { nodes { id lines { kind } } } subscription { id } }";

both!(
    an_operation_and_its_statements_are_spans_of_one_trace,
    what_is_told_holds_nothing_personal_and_every_figure_is_told_and_documented,
    metrics_are_no_part_of_the_public_api,
    an_operation_that_was_refused_is_counted_without_its_name,
    a_slow_operation_is_one_line_without_what_it_was_asked_with,
    a_trace_of_a_trusted_proxy_is_linked_and_nobody_elses,
    a_collector_that_is_gone_stops_nothing,
    a_database_that_is_gone_is_told_in_the_scrape,
);

/// A business that pays for a plan, with everything marked that it says of itself.
async fn marked_life(world: &World, server: &Server) -> Client {
    world.seed_catalogue().await;
    let (client, _) = register(server, "canary.ann").await;
    client.mutate("updateProfile", json!({ "taxId": TAX_ID, "phone": PHONE, "addressLine": "1 Moi Avenue" }), "business { id }").await;
    let method = add_method(&client, "SUCCEEDS").await;
    let plan = plans(&client).await["erp"][0].clone();
    let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": "canary.key" });
    let paid = world.working(client.mutate("subscribe", input, "invoice { status }")).await;
    assert_eq!(paid["invoice"]["status"], "PAID", "{paid:#}");
    world.run_due_jobs().await;
    client
}

async fn an_operation_and_its_statements_are_spans_of_one_trace(db: TestDatabase) {
    let (collector, statements) = (Collector::start().await, Statements::default());
    let observer = statements.observer();
    let world = World::with(db, NOW, |options| {
        options.telemetry = telling(&collector);
        options.observer = Some(observer);
    })
    .await;
    let server = Server::start(&world).await;
    let client = marked_life(&world, &server).await;
    statements.clear();
    client.raw_as("of-home", HOME, &json!({})).await;
    let ran = statements.count();
    let text = world.scraped().await;
    world.ports.telemetry.flush().await;

    let home = collector.span("query Home");
    assert!(home.parent_span_id.is_empty() && home.trace_id.len() == 16, "{home:?}");
    let told = attributes(&home);
    assert!(told["evolve.cost"].parse::<u64>().unwrap() > 0, "{told:?}");
    let expected = [
        ("evolve.api", "business"),
        ("evolve.code", "OK"),
        ("evolve.request_id", "of-home"),
        ("evolve.statements", &ran.to_string()),
        ("graphql.operation.name", "Home"),
        ("graphql.operation.type", "query"),
    ];
    let rest: Vec<(&str, &str)> =
        told.iter().filter(|(key, _)| *key != "evolve.cost").map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(rest, expected);
    let below = collector.below(&home);
    assert_eq!(below.len(), ran, "a span for each statement: {below:#?}");
    let names: BTreeSet<&str> = below.iter().map(|span| span.name.as_str()).collect();
    assert!(names.contains("select invoices") && names.contains("select businesses"), "{names:?}");
    for statement in &below {
        let told = attributes(statement);
        assert_eq!((told["db.operation.name"].as_str(), told["evolve.operation"].as_str()), ("select", "Home"));
        assert!(statement.start_time_unix_nano >= home.start_time_unix_nano && statement.end_time_unix_nano <= home.end_time_unix_nano);
    }
    // What a mutation writes in a task of its own belongs to it too, and what a job asks a gateway to the job.
    let charge = collector.spans().into_iter().find(|span| span.name == "job charge").unwrap();
    let names: Vec<String> = collector.below(&charge).into_iter().map(|span| span.name).collect();
    assert!(names.iter().any(|name| name == "sandbox charge") && names.iter().any(|name| name == "update payments"), "{names:?}");
    let of_subscribe: Vec<_> = collector.spans().into_iter().filter(|span| attributes(span).contains_key("evolve.operation")).collect();
    let inserted = of_subscribe.iter().filter(|span| span.name == "insert invoices").count();
    assert_eq!(inserted, 1);

    // The same in figures.
    assert_eq!(figure(&text, "evolve_graphql_requests_total{operation=\"Home\",kind=\"query\",code=\"OK\",api=\"business\"}"), 1);
    assert_eq!(figure(&text, "evolve_graphql_request_seconds_count{operation=\"Home\",kind=\"query\",api=\"business\"}"), 1);
    assert_eq!(figure(&text, "evolve_sql_statements_sum{operation=\"Home\",kind=\"query\",api=\"business\"}"), ran as u64);
    assert_eq!(figure(&text, "evolve_gateway_calls_total{gateway=\"sandbox\",call=\"charge\",outcome=\"succeeded\"}"), 1);
    assert_eq!(figure(&text, "evolve_gateway_calls_total{gateway=\"sandbox\",call=\"attach\",outcome=\"succeeded\"}"), 1);
    assert_eq!(figure(&text, "evolve_jobs_finished_total{kind=\"charge\",outcome=\"done\"}"), 1);
    assert_eq!(figure(&text, "evolve_jobs_claimed_total{kind=\"charge\"}"), 1);
    assert!(figure(&text, "evolve_pool_open_connections{pool=\"writer\"}") >= 1, "{text}");
    assert_eq!(figure(&text, "evolve_pool_waiting{pool=\"reader\"}"), 0);
    assert!(figure(&text, "evolve_mails_total{outcome=\"sent\"}") >= 1, "{text}");
}

/// The names in the table of the documentation.
fn documented() -> BTreeSet<&'static str> {
    let (_, section) = OPERATIONS.split_once("\n## Metrics\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `evolve_")?.split('`').next())
        .map(|name| name.split('{').next().unwrap())
        .collect()
}

async fn what_is_told_holds_nothing_personal_and_every_figure_is_told_and_documented(db: TestDatabase) {
    let (logs, collector) = (listening(), Collector::start().await);
    let world = World::observed(db, NOW, &collector).await;
    let server = Server::start(&world).await;
    let client = marked_life(&world, &server).await;
    // In a variable, in the document itself, in what does not parse, in what is refused, and as a password that is wrong.
    let search = "query Search($after: String) { invoices(first: 3, after: $after) { nodes { id } } }";
    client.raw(search, &json!({ "after": "canary.cursor" })).await;
    client.raw("query Literal { invoices(first: 3, after: \"canary.literal\") { nodes { id } } }", &json!({})).await;
    client.raw("query Broken { \"canary.broken\" ", &json!({})).await;
    client.raw("query Unknown($a: String) { profile { canary_field(a: $a) } }", &json!({ "a": "canary.argument" })).await;
    let sign_in = "mutation SignIn($input: SignInInput!) { signIn(input: $input) { session { accessToken } userErrors { code } } }";
    for password in ["canary.password", PASSWORD] {
        server.client().raw(sign_in, &json!({ "input": { "email": "canary.ann@example.com", "password": password } })).await;
    }
    let token = client.token.clone().unwrap();
    let invited = json!({ "email": "canary.invited@example.com", "role": "MEMBER" });
    client.mutate("inviteMember", invited, "invitation { id }").await;
    let hook = json!({ "url": "http://127.0.0.1:9/canary.hook", "events": ["subscription.plan_changed"] });
    client.mutate("createWebhookEndpoint", hook, "endpoint { id }").await;
    world.run_due_jobs().await;
    // Due, and not done: so that there is one of a kind to be told.
    client.mutate("inviteMember", json!({ "email": "canary.other@example.com", "role": "MEMBER" }), "invitation { id }").await;

    let text = world.scraped().await;
    world.ports.telemetry.flush().await;
    let spans = collector.everything();
    assert!(spans.contains("query Search") && spans.contains("insert users") && spans.contains("evolve-test"), "nothing was collected");
    assert!(text.contains("operation=\"Search\"") || text.contains("operation=\"(other)\""), "{text}");
    assert_eq!(figure(&text, "evolve_graphql_requests_total{operation=\"SignIn\",kind=\"mutation\",code=\"OK\",api=\"business\"}"), 2);
    for told in [&text, &spans] {
        for personal in PERSONAL.into_iter().chain(["canary", "example.com", PASSWORD, &token, "of-the-collector"]) {
            let at = told.find(personal);
            assert_eq!(at, None, "{personal}: {}", &told[at.unwrap_or_default().saturating_sub(200)..]);
        }
    }
    assert_eq!(logs.personal(), [""; 0]);

    let told: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let listed: BTreeSet<&str> = CATALOGUE.iter().map(|metric| metric.name).collect();
    assert_eq!(told, listed, "told, and listed in the catalogue");
    assert_eq!(
        documented(),
        listed.iter().map(|name| name.strip_prefix("evolve_").unwrap()).collect::<BTreeSet<_>>(),
        "documented, and listed in the catalogue"
    );
    for metric in CATALOGUE {
        assert!(text.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.as_str())), "{}", metric.name);
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let row = format!("| `{}` | {} | {labels} | ", metric.name, metric.kind.as_str());
        assert!(OPERATIONS.contains(&row), "docs/operations.md has no row {row}");
    }
}

async fn metrics_are_no_part_of_the_public_api(db: TestDatabase) {
    let collector = Collector::start().await;
    let world = World::observed(db, NOW, &collector).await;
    let server = Server::start(&world).await;
    let answer = reqwest::get(format!("{}/metrics", server.url)).await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    assert!(world.scraped().await.contains("evolve_build_info{version=\"0.1.0\"} 1"));
}

async fn an_operation_that_was_refused_is_counted_without_its_name(db: TestDatabase) {
    let collector = Collector::start().await;
    let world = World::observed(db, NOW, &collector).await;
    let server = Server::start(&world).await;
    let client = server.client();
    client.raw("query Parse { ", &json!({})).await;
    client.raw("query Validate { nothing }", &json!({})).await;
    client.raw("query Needs { profile { id } }", &json!({})).await;
    let staff = server.staff();
    staff.raw("query Staff { nothing }", &json!({})).await;
    client.raw("query Public { products { code } }", &json!({})).await;
    client.posting().body("no request").header("content-type", "application/json").send().await.unwrap();
    let text = world.scraped().await;
    let counted = |operation: &str, kind: &str, code: &str, api: &str| {
        let labels = format!("{{operation=\"{operation}\",kind=\"{kind}\",code=\"{code}\",api=\"{api}\"}}");
        figure(&text, &format!("evolve_graphql_requests_total{labels}"))
    };
    assert_eq!(counted("(refused)", "none", "GRAPHQL_PARSE_FAILED", "business"), 1, "{text}");
    assert_eq!(counted("(refused)", "none", "GRAPHQL_VALIDATION_FAILED", "business"), 1);
    assert_eq!(counted("(refused)", "none", "BAD_USER_INPUT", "business"), 1);
    assert_eq!(counted("(refused)", "none", "GRAPHQL_VALIDATION_FAILED", "staff"), 1);
    assert_eq!(counted("(other)", "query", "UNAUTHENTICATED", "business"), 1);
    assert_eq!(counted("Public", "query", "OK", "business"), 1);
    for name in ["Parse", "Validate", "Needs", "Staff"] {
        assert!(!text.contains(&format!("\"{name}\"")), "{name}");
    }
}

async fn a_slow_operation_is_one_line_without_what_it_was_asked_with(db: TestDatabase) {
    let (logs, collector) = (listening(), Collector::start().await);
    let on = db.kind;
    let world = World::observed(db, NOW, &collector).await;
    let server = Server::start(&world).await;
    // A password's hash takes more than a millisecond.
    let (client, id) = (server.client(), format!("slow-{on:?}"));
    let register = "mutation Slow($input: RegisterInput!) { register(input: $input) { userErrors { code } } }";
    let input = json!({
        "businessName": "canary.slow Traders", "businessEmail": "canary.slow@example.com", "industry": "Retail", "companySize": "SIZE_2_10",
        "country": "KE", "postalCode": "00100", "fullName": "canary.slow", "email": "canary.slow@example.com", "password": PASSWORD,
    });
    client.raw_as(&id, register, &json!({ "input": input })).await;
    until(async || !logs.slow(&id).is_empty()).await;
    let lines = logs.slow(&id);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    for part in
        ["WARN", "operation=\"Slow\"", "kind=\"mutation\"", "api=\"business\"", "code=\"OK\"", "cost=", " ms=", "statements=", "sql_ms="]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    // What `printf '%s' '…' | sha256sum` says of the document.
    let hash = line.split_once("document=\"").unwrap().1.split('"').next().unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(register.as_bytes());
    assert_eq!(hash, digest.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}")));
    assert_eq!(logs.personal(), [""; 0]);
}

async fn a_trace_of_a_trusted_proxy_is_linked_and_nobody_elses(db: TestDatabase) {
    let collector = Collector::start().await;
    let world = World::observed(db, NOW, &collector).await;
    let believing = Server::behind(&world, vec!["127.0.0.0/8".parse::<Network>().unwrap()]).await;
    let other = Server::start(&world).await;
    for (server, name) in [(&believing, "Believed"), (&other, "NotBelieved")] {
        let request = server.client().posting().header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let body: Value = json!({ "query": format!("query {name} {{ products {{ code }} }}") });
        assert_eq!(request.json(&body).send().await.unwrap().status().as_u16(), 200);
    }
    world.ports.telemetry.flush().await;
    let believed = collector.span("query Believed");
    let links: Vec<Vec<u8>> = believed.links.iter().map(|link| link.trace_id.clone()).collect();
    assert_eq!(links, [0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes().to_vec()]);
    assert!(believed.parent_span_id.is_empty() && believed.trace_id != links[0], "a trace of our own");
    assert!(collector.span("query NotBelieved").links.is_empty());
}

async fn a_collector_that_is_gone_stops_nothing(db: TestDatabase) {
    let mut collector = Collector::start().await;
    // Nobody listens there.
    "http://127.0.0.1:9".clone_into(&mut collector.url);
    let world = World::observed(db, NOW, &collector).await;
    let server = Server::start(&world).await;
    let answer = server.client().ask("query Alone { products { code } }", json!({})).await;
    assert_eq!((&answer["data"], &answer["errors"]), (&json!({ "products": [] }), &Value::Null), "{answer}");
    world.ports.telemetry.flush().await;
    assert!(collector.spans().is_empty());
}

async fn a_database_that_is_gone_is_told_in_the_scrape(db: TestDatabase) {
    let collector = Collector::start().await;
    let world = World::observed(db, NOW, &collector).await;
    assert_eq!(figure(&world.scraped().await, "evolve_scrape_failures_total"), 0);
    world.ports.store.clone().close().await.unwrap();
    let text = world.scraped().await;
    assert_eq!(figure(&text, "evolve_scrape_failures_total"), 1);
    assert_eq!(figure(&text, "evolve_pool_open_connections{pool=\"reader\"}"), 0);
}
