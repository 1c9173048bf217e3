//! Files that are downloaded: how much is held of them, by whomever they are taken how slowly, and exports of much.

use std::time::Duration;

use evolve_business::clock::{Clock as _, SystemClock};
use evolve_business::config::RateSettings;
use evolve_business::http::rates::Rates;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{Client, Server};
use crate::database::{Kind, TestDatabase};
use crate::world::World;
use crate::world_catalog::Statements;
use crate::world_lives::{PASSWORD, register};
use crate::world_privacy::{newest_export, unzipped};
use crate::world_uploads::{KENYAN, documents, files_below};

const NOW: &str = "2027-01-31T09:00:00Z";
/// How many bytes a large document has.
const LARGE: usize = 10 * PART - 82;
/// The parts that an export lies in.
const PART: usize = 1_024 * 1_024;

both!(
    a_business_has_four_downloads_under_way_and_others_go_on,
    an_export_of_many_rows_is_read_some_at_a_time_and_kept_in_parts,
    details_of_many_audit_events_are_erased_some_at_a_time,
    whoever_asks_for_files_too_often_from_one_address_is_told_when_to_come_again,
);

/// A connection that has asked for a link's file and reads no more than the head of the answer, which it returns.
async fn begins(server: &Server, link: &Value) -> (TcpStream, String) {
    let (_, path) = link.as_str().unwrap().split_once("/files/").unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    // So that what the kernel keeps is far less than the file.
    socket.set_recv_buffer_size(8 * 1_024).unwrap();
    let mut stream = socket.connect(server.url.strip_prefix("http://").unwrap().parse().unwrap()).await.unwrap();
    stream.write_all(format!("GET /files/{path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(Duration::from_secs(20), stream.read_u8()).await.unwrap().unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

/// A document of ten mebibytes that was submitted, by its link.
async fn large_document(client: &Client) -> Value {
    let mut sent = documents(&KENYAN);
    // Eighteen bytes are around it.
    let noise: Vec<u8> = (0..LARGE - 18).map(|at| b"abcdefghijklmnop"[at * at % 16]).collect();
    sent[0].3 = [b"%PDF-1.7\n% ".as_slice(), &noise, b"\n%%EOF\n"].concat();
    assert_eq!(client.submit(&sent).await["userErrors"], json!([]));
    let large = LARGE.to_string();
    let shown = client.data("{ verification { documents { byteSize downloadUrl } } }", json!({})).await;
    let found = shown["verification"]["documents"].as_array().unwrap().iter().find(|one| one["byteSize"].as_str() == Some(large.as_str()));
    found.unwrap()["downloadUrl"].clone()
}

async fn a_business_has_four_downloads_under_way_and_others_go_on(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let ((ann, _), (ben, _)) = (register(&server, "ann").await, register(&server, "ben").await);
    let (of_ann, of_ben) = (large_document(&ann).await, large_document(&ben).await);
    let mut open = Vec::new();
    for _ in 0..4 {
        let (stream, head) = begins(&server, &of_ann).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_lowercase().contains("\r\ncontent-length: 10485678\r\n"), "{head}");
        open.push(stream);
    }
    let (_, head) = begins(&server, &of_ann).await;
    assert!(head.starts_with("HTTP/1.1 429") && head.to_lowercase().contains("\r\nretry-after: 10\r\n"), "{head}");
    // Another's are handed out meanwhile, and hers again when she has gone away from one.
    let (status, _, content) = ben.fetch(&of_ben).await;
    assert_eq!((status, content.len(), &content[..8]), (200, LARGE, b"%PDF-1.7".as_slice()));
    drop(open.pop());
    let mut again = 0;
    for _ in 0..100 {
        again = ann.fetch(&of_ann).await.0;
        if again == 200 {
            break;
        }
        SystemClock.sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(again, 200);
}

/// The status of a file that is asked for by way of a proxy, from an address, and in how many seconds to come again.
async fn asked(link: &str, from: &str) -> (u16, Option<u64>) {
    let answer = reqwest::Client::new().get(link).header("x-forwarded-for", from).send().await.unwrap();
    let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().parse().unwrap());
    assert_eq!(answer.headers()["cache-control"], "no-store");
    (answer.status().as_u16(), wait)
}

async fn whoever_asks_for_files_too_often_from_one_address_is_told_when_to_come_again(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    assert_eq!(ann.submit(&documents(&KENYAN)).await["userErrors"], json!([]));
    let shown = ann.data("{ verification { documents { downloadUrl } } }", json!({})).await;
    let (_, token) = shown["verification"]["documents"][0]["downloadUrl"].as_str().unwrap().split_once("/files/").unwrap();
    let rates = RateSettings { per_address: 1, files_per_address: 3, ..RateSettings::default() };
    let limited = Server::with(&world, |app| app.asked_at(Rates::new(rates)).behind(vec!["127.0.0.1/32".parse().unwrap()])).await;
    let (good, forged) = (format!("{}/files/{token}", limited.url), format!("{}/files/x{token}", limited.url));
    assert_eq!(asked(&good, "192.0.2.1").await, (200, None));
    // Whoever guesses at links is counted as who has one.
    assert_eq!(asked(&forged, "192.0.2.1").await, (404, None));
    assert_eq!(asked(&good, "192.0.2.1").await, (200, None));
    for link in [&good, &forged] {
        let (status, wait) = asked(link, "192.0.2.1").await;
        // Three a minute are one in 20 seconds.
        assert!(status == 429 && (1..=20).contains(&wait.unwrap()), "{status} {wait:?}");
    }
    assert_eq!(asked(&good, "192.0.2.2").await.0, 200, "another address is not held up");
    assert_eq!(limited.client().raw("{ __typename }", &json!({})).await.0, 200, "and what is asked of the API is counted apart");
}

/// Rows of idempotency keys, of which each says 400 characters that are no repetition.
pub(crate) async fn many_rows(world: &World, count: usize) {
    let (numbers, id, noise) = match world.database.kind {
        Kind::Sqlite => {
            ("with recursive n(i) as (select 1 union all select i + 1 from n where i < {count}) ", "randomblob(16)", "hex(randomblob(200))")
        }
        Kind::Postgres => (
            "with n(i) as (select generate_series(1, {count})) ",
            "gen_random_uuid()",
            "(select string_agg(md5(i::text || g::text || random()::text), '') from generate_series(1, 13) g)",
        ),
    };
    let sql = format!(
        "insert into idempotency_keys (business_id, id, actor, idempotency_key, operation, input_hash, outcome, created_at)
         {numbers}select b.business_id, {id}, b.business_id, 'key ' || i, 'test', b.wrapped_key, {noise}, b.created_at from businesses b, n"
    );
    assert_eq!(world.run_sql(&sql.replace("{count}", &count.to_string())).await, count as u64);
}

/// What the export's folder has, each with how many bytes it has there, in the order of their numbers.
fn parts(world: &World) -> Vec<(std::path::PathBuf, u64)> {
    let mut found: Vec<_> = files_below(&world.database.dir.path().join("documents"))
        .into_iter()
        .filter(|path| path.parent().unwrap().file_name().unwrap().to_string_lossy().starts_with("exp_"))
        .map(|path| (path.clone(), std::fs::metadata(&path).unwrap().len()))
        .collect();
    found.sort_by_key(|(path, _)| path.file_name().unwrap().to_string_lossy().parse::<usize>().unwrap());
    found
}

async fn an_export_of_many_rows_is_read_some_at_a_time_and_kept_in_parts(db: TestDatabase) {
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    world.run_due_jobs().await;
    // 14,000 rows of 400 random digits, which are 200 bytes at least however well they are compressed: 2.8 MB.
    many_rows(&world, 14_000).await;
    ann.mutate("requestDataExport", json!({ "password": PASSWORD }), "export { id }").await;
    statements.clear();
    world.run_due_jobs().await;
    let read: Vec<String> = statements.texts().into_iter().filter(|text| text.contains("from idempotency_keys")).collect();
    assert_eq!((read.len(), read.iter().all(|text| text.contains("limit 500"))), (14_000 / 500 + 1, true), "{read:#?}");

    let lie = parts(&world);
    assert!(lie.len() >= 3, "{lie:?}");
    // Each part has its own 49 bytes of version, key id, nonce and tag.
    assert!(lie[..lie.len() - 1].iter().all(|(_, bytes)| *bytes == PART as u64 + 49), "{lie:?}");
    let link = newest_export(&ann).await["url"].take();
    let (status, headers, content) = ann.fetch(&link).await;
    assert_eq!((status, headers["content-length"].to_str().unwrap()), (200, content.len().to_string().as_str()));
    assert_eq!(content.len() as u64, lie.iter().map(|(_, bytes)| bytes - 49).sum::<u64>());
    let files = unzipped(&content);
    let rows: Value = serde_json::from_slice(&files["idempotency_keys.json"]).unwrap();
    let mut keys: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["idempotency_key"].as_str().unwrap()).collect();
    keys.retain(|key| key.starts_with("key "));
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 14_000, "each once, and none is missing between two reads");

    // Under a new key of the business it is the same, part by part; and no part stands in for another.
    world.advance(jiff::SignedDuration::from_secs(1));
    assert_eq!(world.rotate(true).await.files, lie.len() as u64);
    assert!(ann.fetch(&link).await.2 == content);
    let lie = parts(&world);
    let (first, second) = (std::fs::read(&lie[0].0).unwrap(), std::fs::read(&lie[1].0).unwrap());
    std::fs::write(&lie[0].0, &second).unwrap();
    assert_eq!(ann.fetch(&link).await.0, 500, "before anything is sent it can be said");
    std::fs::write(&lie[0].0, &first).unwrap();
    std::fs::write(&lie[1].0, &first).unwrap();
    let (_, path) = link.as_str().unwrap().split_once("/files/").unwrap();
    let cut = reqwest::get(format!("{}/files/{path}", server.url)).await.unwrap();
    assert!(cut.bytes().await.is_err(), "afterwards it is cut off, and never ended as if it were whole");
    std::fs::write(&lie[1].0, &second).unwrap();
    assert!(ann.fetch(&newest_export(&ann).await["url"]).await.2 == content);

    // Its time over, nothing of it is left; nor of what an earlier run had kept.
    std::fs::write(lie[0].0.with_file_name("99"), b"left over").unwrap();
    world.advance(jiff::SignedDuration::from_hours(7 * 24));
    world.run_due_jobs().await;
    assert_eq!(parts(&world), []);
}

async fn details_of_many_audit_events_are_erased_some_at_a_time(db: TestDatabase) {
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    for number in 0..250 {
        ann.mutate("updateProfile", json!({ "city": format!("City {number}") }), "business { id }").await;
    }
    world.run_due_jobs().await;
    let with_details = world.number("select count(*) from audit_events where details <> '{}'").await;
    assert!(with_details > 250);
    statements.clear();
    ann.mutate("eraseBusiness", json!({ "password": PASSWORD, "confirm": "ann Traders" }), "erasedAt").await;
    let read: Vec<String> = statements
        .texts()
        .into_iter()
        .filter(|text| text.to_lowercase().starts_with("select") && text.contains("\"details_digest\" IS NULL"))
        .collect();
    // 251 events with details, a hundred at a time, and none in the end.
    assert_eq!((read.len(), read.iter().all(|text| text.contains("LIMIT"))), (4, true), "{read:#?}");
    assert_eq!(world.number("select count(*) from audit_events where details <> '{}'").await, 0);
    let verified = evolve_business::services::audit::verify(&world.ports.store).await.unwrap();
    assert_eq!(verified.breaks, Vec::new());
}
