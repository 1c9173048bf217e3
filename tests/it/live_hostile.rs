//! Sockets in other hands than they are made for: each way to be closed, and each limit.

use std::time::Duration;

use evolve_business::http::live::LiveSettings;
use evolve_business::ids::{BusinessId, InvoiceId};
use evolve_business::store::TenantScope;
use evolve_business::store::live::{Change, Subject};
use evolve_business::store::types::Role;
use jiff::SignedDuration;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::database::TestDatabase;
use crate::walls_raw::pause;
use crate::world::World;
use crate::world_keys::{make_key, program};
use crate::world_live::{Socket, Stream, listening, quick, serving, until};
use crate::world_lives::register;

const NOW: &str = "2027-01-10T09:00:00Z";
const TICKETS: &str = "subscription { supportTicketChanged { id } }";
const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

both!(
    what_breaks_the_protocol_is_closed_with_its_code,
    pages_of_other_sites_open_no_socket,
    a_socket_ends_with_what_it_was_opened_by,
    an_event_stream_ends_with_what_it_was_opened_by,
    each_limit_is_kept_by_itself,
    a_request_that_opens_no_socket_is_told_how_one_would,
    whoever_does_not_keep_up_is_dropped,
    whoever_does_not_read_is_dropped_and_their_place_is_free,
    a_server_that_stops_says_so_and_takes_no_more,
);

async fn what_breaks_the_protocol_is_closed_with_its_code(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, _) = register(&server, "ann").await;
    let token = ann.token.clone().unwrap();
    let init = json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": TICKETS } });

    let mut before = Socket::open(&server).await;
    before.say(subscribe.clone()).await;
    assert_eq!(before.closed().await, Some(4401), "subscribed before the beginning");
    let mut silent = Socket::open(&server).await;
    assert_eq!(silent.closed().await, Some(4408), "never began");
    for payload in [json!({}), json!({ "authorization": "Bearer wrong" }), json!({ "authorization": 1 }), json!({ "authorization": token })]
    {
        let mut nobody = Socket::open(&server).await;
        nobody.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(nobody.closed().await, Some(4403), "{payload}");
    }
    let mut twice = Socket::of(&server, &ann).await;
    twice.say(init.clone()).await;
    assert_eq!(twice.closed().await, Some(4429), "began twice");
    let mut same = Socket::of(&server, &ann).await;
    same.say(subscribe.clone()).await;
    same.say(subscribe.clone()).await;
    assert_eq!(same.closed().await, Some(4409), "two operations of one id");
    for text in ["", "no JSON", "[]", r#"{"type":"start"}"#, r#"{"type":"subscribe","id":"1","payload":{}}"#, r#"{"type":"complete"}"#] {
        let mut odd = Socket::of(&server, &ann).await;
        odd.say_text(text.to_owned()).await;
        assert_eq!(odd.closed().await, Some(4400), "{text}");
    }
    let mut bytes = Socket::of(&server, &ann).await;
    bytes.say_bytes(vec![1, 2, 3]).await;
    assert_eq!(bytes.closed().await, Some(4400), "bytes");
    let mut long = Socket::of(&server, &ann).await;
    long.shout(format!("{{\"type\":\"ping\",\"payload\":{{\"a\":\"{}\"}}}}", "x".repeat(1024 * 1024))).await;
    assert!(matches!(long.closed().await, Some(4400) | None), "a message of more than a MiB");
    let mut other = Socket::with(&server, &[]).await.unwrap_or_else(|refused| panic!("{refused:?}"));
    assert_eq!(other.closed().await, Some(4406), "no subprotocol");

    // What is over may be ended once more, and its id is free.
    let mut tidy = Socket::of(&server, &ann).await;
    tidy.listen(&world, 0, "1", TICKETS).await;
    for _ in 0..2 {
        tidy.say(json!({ "type": "complete", "id": "1" })).await;
    }
    listening(&world, 0).await;
    tidy.listen(&world, 0, "1", TICKETS).await;
    tidy.say(json!({ "type": "ping" })).await;
    assert_eq!(tidy.hear().await, json!({ "type": "pong" }));
}

async fn a_request_that_opens_no_socket_is_told_how_one_would(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let host = server.url.strip_prefix("http://").unwrap();
    let opens = async |method: &str, version: &str, key: &str| {
        let mut stream = TcpStream::connect(host).await.unwrap();
        let head = format!(
            "{method} /graphql/ws HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\nsec-websocket-version: {version}\r\nsec-websocket-key: {key}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4_096];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).to_lowercase()
    };
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    assert!(opens("GET", "13", key).await.starts_with("http/1.1 101"));
    for (version, key) in [("8", key), ("13", ""), ("13", "dG9vIHNob3J0"), ("13", "no base64")] {
        let refused = opens("GET", version, key).await;
        assert!(refused.starts_with("http/1.1 400") && refused.contains("sec-websocket-version: 13\r\n"), "{version} {key}: {refused}");
    }
    let refused = opens("POST", "13", key).await;
    assert!(refused.starts_with("http/1.1 405") && refused.contains("allow: get\r\n"), "{refused}");
    let plain = reqwest::get(format!("{}/graphql/ws", server.url)).await.unwrap();
    assert_eq!((plain.status().as_u16(), &plain.headers()["sec-websocket-version"].to_str().unwrap()), (400, &"13"));
}

async fn pages_of_other_sites_open_no_socket(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let own = server.url.clone();
    assert!(Socket::with(&server, &[PROTOCOL, ("origin", &own)]).await.is_ok());
    for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
        let refused = Socket::with(&server, &[PROTOCOL, ("origin", origin)]).await.err().unwrap();
        assert_eq!(refused.status().as_u16(), 403, "{origin}");
    }
}

async fn a_socket_ends_with_what_it_was_opened_by(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, business) = register(&server, "ann").await;
    let scope = TenantScope::proved(BusinessId::parse(&business).unwrap());
    let opened = async |client: &Client, already: usize| {
        let mut socket = Socket::of(&server, client).await;
        socket.listen(&world, already, "1", TICKETS).await;
        socket
    };

    // A key that is taken back.
    let (id, secret) = make_key(&ann, &["READ"]).await;
    let mut by_key = opened(&program(&server, &secret), 0).await;
    ann.mutate("revokeApiKey", json!({ "apiKeyId": id }), "revokedId").await;
    assert_eq!(by_key.closed().await, Some(4403));
    listening(&world, 0).await;

    // A member who is removed.
    world.colleague(scope, Role::Billing, "bo@example.com").await;
    let bo = crate::matrix::sign_in(server.client(), "signIn", "bo@example.com").await;
    let mut of_bo = opened(&bo, 0).await;
    let members = ann.data("{ profile { members { nodes { id role } } } }", json!({})).await;
    let members = members["profile"]["members"]["nodes"].as_array().unwrap();
    let member = members.iter().find(|member| member["role"] == "BILLING").unwrap();
    ann.mutate("removeMember", json!({ "memberId": member["id"] }), "removedId").await;
    assert_eq!(of_bo.closed().await, Some(4403));
    listening(&world, 0).await;

    // A session that is signed out.
    let again = crate::matrix::sign_in(server.client(), "signIn", "ann@example.com").await;
    let mut signed_out = opened(&again, 0).await;
    again.mutate("signOut", json!({}), "__typename").await;
    assert_eq!(signed_out.closed().await, Some(4403));
    listening(&world, 0).await;

    // A token that is over: it is good for fifteen minutes.
    let mut late = opened(&ann, 0).await;
    world.advance(SignedDuration::from_mins(14));
    late.is_silent().await;
    world.advance(SignedDuration::from_mins(2));
    assert_eq!(late.closed().await, Some(4403));
    listening(&world, 0).await;
}

async fn an_event_stream_ends_with_what_it_was_opened_by(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, _) = register(&server, "ann").await;
    let mut late = Stream::ask(&ann, TICKETS, json!({})).await.ok().unwrap();
    listening(&world, 1).await;
    world.advance(SignedDuration::from_mins(16));
    assert_eq!(late.next().await.unwrap().0, "complete");
    assert_eq!(late.next().await, None);
    listening(&world, 0).await;
}

async fn each_limit_is_kept_by_itself(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, connections) = serving(&world, LiveSettings { per_caller: 2, per_address: 4, operations: 2, ..quick() }).await;
    let ((ann, _), (ben, _)) = (register(&server, "ann").await, register(&server, "ben").await);
    let mut first = Socket::of(&server, &ann).await;
    first.listen(&world, 0, "1", TICKETS).await;
    first.listen(&world, 1, "2", TICKETS).await;
    first.subscribe("3", TICKETS, json!({})).await;
    assert_eq!(first.error_of("3").await, "RATE_LIMITED");
    first.say(json!({ "type": "complete", "id": "1" })).await;
    listening(&world, 1).await;
    first.listen(&world, 1, "3", TICKETS).await;

    let stream = Stream::ask(&ann, TICKETS, json!({})).await.ok().unwrap();
    let mut third = Socket::open(&server).await;
    third.say(json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {}", ann.token.clone().unwrap()) } })).await;
    assert_eq!(third.closed().await, Some(1013), "two of one person");
    drop(third);
    until(|| connections.open() == 2).await;
    assert_eq!(Stream::ask(&ann, TICKETS, json!({})).await.err().unwrap().0, 429);
    let _others = (Socket::of(&server, &ben).await, Socket::of(&server, &ben).await);
    let refused = Socket::with(&server, &[PROTOCOL]).await.err().unwrap();
    assert_eq!(refused.status().as_u16(), 429, "four from one address");
    drop(stream);
    listening(&world, 2).await;
    let _another = Stream::ask(&ann, TICKETS, json!({})).await.ok().unwrap();

    let (small, _) = serving(&world, LiveSettings { connections: 1, ..quick() }).await;
    let one = Socket::of(&small, &ann).await;
    assert_eq!(Socket::with(&small, &[PROTOCOL]).await.err().unwrap().status().as_u16(), 429, "one of all");
    drop(one);
}

async fn whoever_does_not_keep_up_is_dropped(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, business) = register(&server, "ann").await;
    let mut socket = Socket::of(&server, &ann).await;
    socket.listen(&world, 0, "1", "subscription { invoiceChanged { id } }").await;
    let business = BusinessId::parse(&business).unwrap();
    let changes: Vec<Change> = (0..1_000)
        .map(|number| Change { business, subject: Subject::Invoice(InvoiceId::from(uuid::Uuid::from_u128(number))), events: Vec::new() })
        .collect();
    world.ports.store.live().spread(&changes);
    assert_eq!(socket.closed().await, Some(1013));
    listening(&world, 0).await;
}

async fn whoever_does_not_read_is_dropped_and_their_place_is_free(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let settings = LiveSettings { connections: 1, slow: Duration::from_millis(300), ..quick() };
    let (server, _) = serving(&world, settings).await;
    let (ann, _) = register(&server, "ann").await;
    let mut deaf = Socket::of(&server, &ann).await;
    // Some hundred kB of each answer, and none of them read, until the server has no room for more.
    let whole = "{ __schema { types { name description fields { name description args { name description } } inputFields { name description } enumValues { name description } } } }";
    let asking = async {
        for number in 0.. {
            deaf.subscribe(&number.to_string(), whole, json!({})).await;
            pause(2).await;
        }
    };
    let freed = async {
        loop {
            if let Ok(mut socket) = Socket::with(&server, &[PROTOCOL]).await {
                socket.say(json!({ "type": "ping" })).await;
                assert_eq!(socket.hear().await, json!({ "type": "pong" }));
                break;
            }
            pause(50).await;
        }
    };
    let freed = tokio::time::timeout(Duration::from_mins(1), freed);
    tokio::select! {
        freed = freed => freed.unwrap(),
        () = async { let _ = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(asking)).await; std::future::pending::<()>().await } => {}
    }
}

async fn a_server_that_stops_says_so_and_takes_no_more(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, connections) = serving(&world, quick()).await;
    let (ann, _) = register(&server, "ann").await;
    let mut socket = Socket::of(&server, &ann).await;
    socket.listen(&world, 0, "1", TICKETS).await;
    connections.stop();
    let (code, all) = tokio::join!(socket.closed(), connections.stopped(Duration::from_secs(10)));
    assert_eq!((code, all), (Some(1001), true));
    let mut late = Socket::open(&server).await;
    assert_eq!(late.closed().await, Some(1001));
    drop(server);
}
