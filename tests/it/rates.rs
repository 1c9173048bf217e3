//! Who asks too often waits, and nobody else does.

use evolve_business::config::{PointSettings, RateSettings};
use evolve_business::http::rates::Rates;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_keys::program;
use crate::world_live::{Socket, Stream, listening};
use crate::world_lives::register;

both!(
    who_asks_too_often_is_told_when_to_come_again,
    whoever_guesses_at_tokens_is_counted_by_the_address_and_keeps_out_nobody_who_is_known,
    who_spends_their_points_is_told_what_is_left_and_when_to_come_again,
    what_does_not_run_spends_nothing,
    a_product_that_reports_usage_is_never_held_up,
    an_operation_by_socket_or_stream_tells_with_its_first_answer_what_it_cost,
);

const WHO: &str = "{ __typename }";

/// The status of an answer, its code if it has one, and in how many seconds to come again.
async fn asked(client: &Client) -> (u16, String, Option<u64>) {
    let answer = client.posting().json(&json!({ "query": WHO })).send().await.unwrap();
    let (status, wait) =
        (answer.status().as_u16(), answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().parse().unwrap()));
    let body: serde_json::Value = answer.json().await.unwrap();
    (status, body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned(), wait)
}

async fn who_asks_too_often_is_told_when_to_come_again(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let ((ann, _), (ben, _)) = (register(&server, "ann").await, register(&server, "ben").await);
    let limited = Server::with(&world, |app| app.asked_at(Rates::new(RateSettings { per_caller: 3, ..RateSettings::default() }))).await;
    let on = |client: &Client| limited.holder(&json!(client.token));
    let (ann, ben) = (on(&ann), on(&ben));
    for _ in 0..3 {
        assert_eq!(asked(&ann).await, (200, String::new(), None));
    }
    let (status, code, wait) = asked(&ann).await;
    assert_eq!((status, code.as_str()), (429, "RATE_LIMITED"));
    // Three a minute are one in 20 seconds.
    assert!((1..=20).contains(&wait.unwrap()), "{wait:?}");
    assert_eq!(asked(&ben).await.0, 200);
}

async fn whoever_guesses_at_tokens_is_counted_by_the_address_and_keeps_out_nobody_who_is_known(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let limited = Server::with(&world, |app| app.asked_at(Rates::new(RateSettings { per_address: 2, ..RateSettings::default() }))).await;
    let guess = limited.holder(&json!("eyJhbGciOiJFZERTQSJ9.e30.AAAA"));
    for _ in 0..2 {
        assert_eq!(asked(&guess).await.0, 401);
    }
    assert_eq!(asked(&guess).await.0, 429);
    assert_eq!(asked(&limited.client()).await.0, 429, "nobody in particular, from the same address");
    let mut staff = limited.staff();
    staff.token = guess.token;
    assert_eq!(asked(&staff).await.0, 429, "both doors count together");
    let known = limited.holder(&json!(ann.token));
    for _ in 0..5 {
        assert_eq!(asked(&known).await.0, 200);
    }
    // An event stream is no way around it.
    let limited = Server::with(&world, |app| app.asked_at(Rates::new(RateSettings { per_address: 2, ..RateSettings::default() }))).await;
    let guess = limited.holder(&json!("eyJhbGciOiJFZERTQSJ9.e30.AAAA"));
    for status in [401, 401, 429] {
        assert_eq!(Stream::ask(&guess, WHO, json!({})).await.err().unwrap().0, status);
    }
    assert!(Stream::ask(&limited.holder(&json!(ann.token)), WHO, json!({})).await.is_ok());
}

/// Points that come back one a minute, so that none does while a test runs.
fn points(most: u32) -> Rates {
    let points = PointSettings { most, per_minute: 1 };
    Rates::new(RateSettings { caller_points: points, address_points: points, ..RateSettings::default() })
}

/// The status of an answer, its fields that say what is left and when to come again, and its body.
async fn answered(request: reqwest::RequestBuilder) -> (u16, [Option<String>; 3], Value) {
    let answer = request.send().await.unwrap();
    let field = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let fields = [field("ratelimit"), field("ratelimit-policy"), field("retry-after")];
    (answer.status().as_u16(), fields, answer.json().await.unwrap())
}

async fn who_spends_their_points_is_told_what_is_left_and_when_to_come_again(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let ((ann, _), (ben, _)) = (register(&server, "ann").await, register(&server, "ben").await);
    let limited = Server::with(&world, |app| app.asked_at(points(20))).await;
    let (ann, ben) = (limited.holder(&json!(ann.token)), limited.holder(&json!(ben.token)));
    // A list counts as ten.
    let products = json!({ "query": "{ products { code } }" });
    let policy = Some("\"cost\";q=20;w=1200".to_owned());

    let (status, fields, body) = answered(ann.posting().json(&products)).await;
    assert_eq!((status, fields), (200, [Some("\"cost\";r=9;t=660".to_owned()), policy.clone(), None]));
    let cost = json!({ "requested": 11, "limit": 20_000 });
    let left = json!({ "limit": 20, "remaining": 9, "resetSeconds": 660 });
    assert_eq!(body["extensions"], json!({ "cost": cost, "rateLimit": left }));

    let (status, [remaining, told, wait], body) = answered(ann.posting().json(&products)).await;
    assert_eq!((status, told), (429, policy));
    // Two are missing.
    let (wait, error): (u64, _) = (wait.unwrap().parse().unwrap(), &body["errors"][0]);
    assert!((115..=120).contains(&wait), "{wait}");
    assert_eq!(error["message"], format!("Too many requests: come again in {wait} s."));
    assert_eq!(error["extensions"]["code"], "RATE_LIMITED");
    assert_eq!((&body["extensions"]["cost"], &body["extensions"]["rateLimit"]["remaining"]), (&cost, &json!(9)));
    assert!(remaining.unwrap().starts_with("\"cost\";r=9;t=6"), "what was refused took nothing");

    // What is cheaper still goes, and others are not held up.
    assert_eq!(answered(ann.posting().json(&json!({ "query": "{ viewer { role } }" }))).await.0, 200);
    assert_eq!(answered(ben.posting().json(&products)).await.0, 200);
    // Nobody in particular spends by the address, at the paths that stand for documents too, whose answers are the data alone.
    let plans = |client: &Client| reqwest::Client::new().get(format!("{}/api/business/v1/plans/?product=erp&first=1", client.server()));
    assert_eq!(answered(plans(&limited.client())).await.0, 200, "what costs more than there is takes all of it");
    let (status, [remaining, ..], body) = answered(plans(&limited.client())).await;
    assert_eq!(status, 429, "{body}");
    assert_eq!((body.as_object().unwrap().len(), remaining.is_some()), (1, true), "{body}");
    let rich = Server::with(&world, |app| app.asked_at(points(20_000))).await;
    let (status, [remaining, ..], body) = answered(plans(&rich.client())).await;
    assert_eq!((status, body.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>()), (200, vec!["plans"]), "{body}");
    assert!(remaining.unwrap().starts_with("\"cost\";r=19"));
}

async fn what_does_not_run_spends_nothing(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let limited = Server::with(&world, |app| app.asked_at(points(10))).await;
    let ann = limited.holder(&json!(ann.token));
    for query in
        ["{", "{ nothing }", "query($a: Int!) { invoices(first: $a) { totalCount } }", "{ invoices(first: 100000) { nodes { id } } }"]
    {
        let body = ann.ask(query, json!({})).await;
        assert!(body["errors"][0]["extensions"]["code"].is_string() && body["extensions"].get("rateLimit").is_none(), "{body}");
    }
    let refused = ann.ask("{ invoices(first: 100000) { nodes { id } } }", json!({})).await;
    assert_eq!(refused["extensions"], json!({ "cost": { "requested": 100_002, "limit": 20_000 } }), "it is told what it would cost");
    assert_eq!(refused["errors"][0]["extensions"]["limit"], json!({ "code": "COST", "reached": 100_002, "limit": 20_000 }));
    let stranger = limited.holder(&json!("eyJhbGciOiJFZERTQSJ9.e30.AAAA"));
    for _ in 0..20 {
        assert_eq!(stranger.raw("{ viewer { role } }", &json!({})).await.0, 401);
    }
    let body = ann.ask("{ viewer { role } }", json!({})).await;
    assert_eq!(body["extensions"]["rateLimit"]["remaining"], 8);
    let body = limited.client().ask("{ viewer { role } }", json!({})).await;
    assert_eq!(body["extensions"]["rateLimit"]["remaining"], 8, "and nothing of the address's was spent");
}

async fn a_product_that_reports_usage_is_never_held_up(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    world.seed_catalogue().await;
    let limited = Server::with(&world, |app| app.asked_at(points(20))).await;
    let product = program(&limited, &world.service_key().await);
    for _ in 0..40 {
        let body = product.ask("{ __typename }", json!({})).await;
        assert_eq!((&body["data"]["__typename"], body["extensions"].get("rateLimit")), (&json!("Query"), None));
    }
}

async fn an_operation_by_socket_or_stream_tells_with_its_first_answer_what_it_cost(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let limited = Server::with(&world, |app| app.asked_at(points(20))).await;
    let ann = limited.holder(&json!(ann.token));
    let mut socket = Socket::of(&limited, &ann).await;
    let listens = "subscription { supportTicketChanged { id } }";
    socket.listen(&world, 0, "s", listens).await;
    let opens = "mutation { openSupportTicket(input: { subject: \"Why?\", body: \"Why?\" }) { ticket { id } } }";
    for (nth, expected) in [(1, Some(json!(18))), (2, None)] {
        server.holder(&json!(ann.token)).data(opens, json!({})).await;
        let heard = socket.hear().await;
        let told = &heard["payload"]["extensions"];
        assert_eq!(heard["type"], "next", "{heard}");
        assert_eq!(told["rateLimit"].get("remaining"), expected.as_ref(), "{nth}: {heard}");
        assert_eq!(told["cost"].get("requested"), expected.map(|_| json!(2)).as_ref(), "{nth}: {heard}");
    }
    socket.subscribe("q", "{ viewer { role } }", json!({})).await;
    let heard = socket.hear().await;
    assert_eq!((&heard["id"], &heard["payload"]["extensions"]["rateLimit"]["remaining"]), (&json!("q"), &json!(16)), "{heard}");
    assert_eq!(socket.hear().await["type"], "complete");

    let mut stream = Stream::ask(&ann, "{ viewer { role } }", json!({})).await.ok().unwrap();
    let (_, told) = stream.next().await.unwrap();
    assert_eq!(told["extensions"]["cost"], json!({ "requested": 2, "limit": 20_000 }), "{told}");
    assert_eq!(told["extensions"]["rateLimit"]["remaining"], 14, "{told}");
    drop(socket);
    listening(&world, 0).await;

    // Who has none left may not listen either.
    ann.data("{ a: products { code } viewer { role } }", json!({})).await;
    let mut socket = Socket::of(&limited, &ann).await;
    socket.subscribe("late", listens, json!({})).await;
    assert_eq!(socket.error_of("late").await, "RATE_LIMITED");
}
