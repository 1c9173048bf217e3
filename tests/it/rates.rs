//! Who asks too often waits, and nobody else does.

use evolve_business::config::RateSettings;
use evolve_business::http::rates::Rates;
use serde_json::json;

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::register;

both!(who_asks_too_often_is_told_when_to_come_again, whoever_guesses_at_tokens_is_counted_by_the_address_and_keeps_out_nobody_who_is_known,);

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
    let limited = Server::with(&world, |app| app.asked_at(Rates::new(RateSettings { per_caller: 3, per_address: 0 }))).await;
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
    let limited = Server::with(&world, |app| app.asked_at(Rates::new(RateSettings { per_caller: 0, per_address: 2 }))).await;
    let guess = limited.holder(&json!("eyJhbGciOiJFZERTQSJ9.e30.AAAA"));
    for _ in 0..2 {
        assert_eq!(asked(&guess).await.0, 401);
    }
    assert_eq!(asked(&guess).await.0, 429);
    assert_eq!(asked(&limited.client()).await.0, 429, "nobody in particular, from the same address");
    let mut staff = limited.staff();
    staff.token = guess.token;
    assert_eq!(asked(&staff).await.0, 429, "both doors count together");
    let ann = limited.holder(&json!(ann.token.unwrap()));
    for _ in 0..5 {
        assert_eq!(asked(&ann).await.0, 200);
    }
}
