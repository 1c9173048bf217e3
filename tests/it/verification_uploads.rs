//! Files that come in: what a form must be, what a file must be, and that what is refused leaves nothing behind.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::register;
use crate::world_payments::until;
use crate::world_uploads::{KENYAN, Part, body, documents, field, file, pdf, submission};

const NOW: &str = "2027-01-31T09:00:00Z";
/// The most bytes of a file.
const MOST: usize = 10 * 1024 * 1024;

both!(
    a_file_that_is_not_what_it_says_is_refused_and_nothing_is_stored,
    a_form_that_is_none_is_refused_before_anything_runs,
    who_may_send_no_files_is_told_before_they_are_read,
    no_more_than_four_uploads_are_read_at_once,
    a_file_of_ten_mebibytes_is_taken_and_one_byte_more_is_not,
);

async fn started(db: TestDatabase) -> (World, Server, Client) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    (world, server, ann)
}

/// A chunk of a PNG.
fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [kind.as_slice(), data].concat();
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&named);
    [u32::try_from(data.len()).unwrap().to_be_bytes().as_slice(), &named, &sum.to_be_bytes()].concat()
}

/// A PNG that says that it is a square of so many pixels each way.
fn png_of(side: u32) -> Vec<u8> {
    let side = side.to_be_bytes();
    let head = chunk(*b"IHDR", &[side.as_slice(), &side, &[8, 6, 0, 0, 0]].concat());
    [b"\x89PNG\r\n\x1a\n".as_slice(), &head, &chunk(*b"IDAT", b"\x78\x9c\x03\0\0\0\0\x01"), &chunk(*b"IEND", b"")].concat()
}

/// Nothing was stored, noted or changed.
async fn untouched(world: &World) {
    assert_eq!(world.stored_files(), Vec::<PathBuf>::new());
    for table in ["verifications", "verification_documents"] {
        assert_eq!(world.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    assert_eq!(world.number("select count(*) from businesses where verification_status <> 'UNVERIFIED'").await, 0);
    assert_eq!(world.number("select count(*) from jobs where kind like '%document%'").await, 0);
}

async fn a_file_that_is_not_what_it_says_is_refused_and_nothing_is_stored(db: TestDatabase) {
    let (world, _server, ann) = started(db).await;
    let good = pdf("x");
    let polyglot = [good.as_slice(), b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"].concat();
    let page = b"<html><script>fetch('//evil')</script></html>".to_vec();
    // The heads of a ZIP and of a gzip: what they would grow to is never looked at.
    let (zip, gzip) = (b"PK\x03\x04\x14\0\0\0\x08\0".to_vec(), b"\x1f\x8b\x08\0\0\0\0\0\x02\xff".to_vec());
    for (name, declared, content, code) in [
        ("a.pdf", "application/pdf", page.clone(), "UNSUPPORTED_FILE"),
        ("a.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>".to_vec(), "UNSUPPORTED_FILE"),
        ("bomb.pdf", "application/pdf", zip, "UNSUPPORTED_FILE"),
        ("bomb.pdf", "application/pdf", gzip, "UNSUPPORTED_FILE"),
        ("both.pdf", "application/pdf", polyglot, "UNSUPPORTED_FILE"),
        ("cut.pdf", "application/pdf", good[..good.len() - 4].to_vec(), "UNSUPPORTED_FILE"),
        ("empty.pdf", "application/pdf", Vec::new(), "UNSUPPORTED_FILE"),
        ("a.png", "application/pdf", good.clone(), "UNSUPPORTED_FILE"),
        ("a.pdf", "image/png", good.clone(), "UNSUPPORTED_FILE"),
        ("a.pdf", "", good.clone(), "UNSUPPORTED_FILE"),
        ("huge.png", "image/png", png_of(2_147_483_647), "TOO_LARGE"),
        ("broken.png", "image/png", [&png_of(640)[..30], b"!".as_slice(), &png_of(640)[31..]].concat(), "UNSUPPORTED_FILE"),
        ("page.png", "image/png", [&png_of(640)[..8], page.as_slice(), b"\0\0\0\0IEND\xaeB`\x82"].concat(), "UNSUPPORTED_FILE"),
        ("page.jpg", "image/jpeg", [b"\xff\xd8\xff\xe0", page.as_slice(), b"\xff\xd9"].concat(), "UNSUPPORTED_FILE"),
        ("..", "application/pdf", good.clone(), "UNSUPPORTED_FILE"),
        ("", "application/pdf", good.clone(), "UNSUPPORTED_FILE"),
    ] {
        let mut sent = documents(&KENYAN);
        sent[1] = ("TAX_CERTIFICATE", name, declared, content);
        let refused = ann.submit(&sent).await;
        assert_eq!(refused["verification"], Value::Null, "{name} {declared}");
        let error = &refused["userErrors"];
        assert_eq!(
            (&error[0]["code"], &error[0]["field"], &error[1]),
            (&json!(code), &json!(["input", "documents", "1", "file"]), &Value::Null),
            "{name} {declared}: {error}"
        );
    }
    // Everything that is wrong is told at once.
    let mut parts = submission(&[("DIRECTOR_ID", "a.pdf", "application/pdf", page.clone())]);
    let operations = String::from_utf8(parts[0].content.clone()).unwrap().replace("PVT-7Y8X9Z", "two\\nlines");
    parts[0].content = operations.into_bytes();
    let (_, answer) = ann.form(&parts).await;
    let errors = answer["data"]["submitVerification"]["userErrors"].as_array().unwrap().clone();
    assert_eq!(errors.iter().map(|error| error["field"][1].as_str().unwrap()).collect::<Vec<_>>(), ["registrationNumber", "documents"]);
    untouched(&world).await;

    // A name that leads elsewhere is the name at its end. What is a page or a program besides, where no reader of pictures looks, is
    // taken for the picture that it is, and handed out as one: as an attachment, which nothing shows or runs.
    let mut sent = documents(&KENYAN);
    let image = [&png_of(640)[..33], &chunk(*b"teXt", &page), &png_of(640)[33..]].concat();
    sent[0] = ("CERTIFICATE_OF_INCORPORATION", "../../../../tmp/evil.pdf", "application/pdf", good);
    sent[2] = ("DIRECTOR_ID", "both.png", "image/png", image.clone());
    let taken = ann.submit(&sent).await;
    assert_eq!(taken["userErrors"], json!([]));
    let mut names = world.read_texts("select file_name from verification_documents").await;
    names.sort();
    assert_eq!(names, ["both.png", "evil.pdf", "scan.pdf"]);
    let shown = ann.data("{ verification { documents { fileName downloadUrl } } }", json!({})).await;
    let both = shown["verification"]["documents"].as_array().unwrap().iter().find(|one| one["fileName"] == "both.png").unwrap();
    let (status, headers, content) = ann.fetch(&both["downloadUrl"]).await;
    assert_eq!((status, content), (200, image));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-disposition", "attachment; filename=\"both.png\"; filename*=UTF-8''both.png"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(headers[name], value);
    }
    // What is stored is called by ids of ours alone.
    let mut ids = world.read_texts("select job_key from jobs where kind = 'scan_document'").await;
    let mut stored: Vec<String> =
        world.stored_files().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    stored.sort();
    ids.sort();
    assert_eq!(stored, ids);
}

async fn a_form_that_is_none_is_refused_before_anything_runs(db: TestDatabase) {
    let (world, server, ann) = started(db).await;
    let whole = submission(&documents(&KENYAN));
    let with = |change: &dyn Fn(&mut Vec<Part>)| {
        let mut parts = whole.clone();
        change(&mut parts);
        body(&parts)
    };
    let map = |to: Value| with(&move |parts| parts[1] = field("map", &to));
    let place = "variables.input.documents.0.file";
    let cut = body(&whole)[..600].to_vec();
    for (what, sent, status) in [
        ("no parts", b"--------evolve-tests--\r\n".to_vec(), 400),
        ("no form at all", b"hello".to_vec(), 400),
        ("cut off", cut, 400),
        ("the map first", with(&|parts| parts.swap(0, 1)), 400),
        ("no map", with(&|parts| drop(parts.remove(1))), 400),
        ("a file first", with(&|parts| parts.swap(0, 2)), 400),
        ("a file is missing", with(&|parts| drop(parts.pop())), 400),
        ("a file comes twice", with(&|parts| parts.push(parts[2].clone())), 400),
        ("a file that nobody wants", with(&|parts| parts.push(file("9", "a.pdf", "application/pdf", b"x"))), 400),
        ("a map to no null", map(json!({ "0": ["variables.input.registrationNumber"] })), 400),
        ("a map to nowhere", map(json!({ "0": ["variables.input.documents.7.file"] })), 400),
        ("a map to the document", map(json!({ "0": ["query"] })), 400),
        ("a map of two to one place", map(json!({ "0": [place], "1": [place] })), 400),
        ("a map that is none", map(json!([place])), 400),
        ("six files", map(json!({ "0": [place], "1": [], "2": [], "3": [], "4": [], "5": [] })), 413),
        ("a null that no file is for", map(json!({ "0": [place], "1": ["variables.input.documents.1.file"] })), 400),
        ("a batch", with(&|parts| parts[0].content = [b"[", parts[0].content.as_slice(), b"]"].concat()), 400),
        ("operations that are none", with(&|parts| parts[0].content = b"{".to_vec()), 400),
        ("an operation of a mebibyte", with(&|parts| parts[0].content = vec![b' '; 1024 * 1024 + 1]), 413),
        (
            "a document that does not fit the schema",
            with(&|parts| {
                parts[0] = field(
                    "operations",
                    &json!({ "query": "{ nothing }", "variables": { "input": { "documents": [{ "file": null }, { "file": null }, { "file": null }] } } }),
                );
            }),
            400,
        ),
    ] {
        let (found, answer) = ann.form_with(sent, Some("1")).await;
        assert_eq!((found, answer["data"].is_null()), (status, true), "{what}: {answer}");
        assert!(answer["errors"][0]["extensions"]["code"].is_string(), "{what}: {answer}");
    }
    // Another site's form sends no such header.
    for header in [None, Some("")] {
        let (status, answer) = ann.form_with(body(&whole), header).await;
        assert_eq!((status, answer["data"].is_null()), (400, true), "{answer}");
    }
    // The staff API takes no files, and GET has no body.
    let mut staff = server.staff();
    staff.token.clone_from(&ann.token);
    assert_eq!(staff.form_with(body(&whole), Some("1")).await.0, 415);
    // A key that stands for no file of the request is no file.
    let query = "mutation($file: Upload!) { submitVerification(input: { registrationNumber: \"1\", documents: [{ kind: DIRECTOR_ID, file: $file }] }) { userErrors { code field } } }";
    let answer = ann.data(query, json!({ "file": "0" })).await["submitVerification"].take();
    assert_eq!(answer["userErrors"], json!([{ "code": "REQUIRED", "field": ["input", "documents", "0", "file"] }]));
    let refused = ann.ask(query, json!({ "file": 7 })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    untouched(&world).await;
}

async fn who_may_send_no_files_is_told_before_they_are_read(db: TestDatabase) {
    let (world, server, _ann) = started(db).await;
    let mut product = crate::world_keys::program(&server, &world.service_key().await);
    let mut forged = server.client();
    forged.token = Some("forged".to_owned());
    product.about = None;
    for (client, status) in [(server.client(), 401), (forged, 401), (product, 403)] {
        let (found, answer) = client.form(&submission(&documents(&KENYAN))).await;
        assert_eq!(found, status, "{answer}");
    }
    // Nothing is read of whom nothing is taken: an answer comes to a body that has hardly begun.
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=x\r\ngraphql-require-preflight: 1\r\ncontent-length: {}\r\n\r\n--x",
        5 * MOST
    );
    let answer = head_of_answer(&server, &head).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    untouched(&world).await;
}

/// The first bytes of the answer to a request of which only this is sent.
async fn head_of_answer(server: &Server, sent: &str) -> String {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

async fn no_more_than_four_uploads_are_read_at_once(db: TestDatabase) {
    let (world, server, ann) = started(db).await;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: multipart/form-data; boundary=x\r\ngraphql-require-preflight: 1\r\ncontent-length: 100000\r\n\r\n--x",
        ann.token.as_ref().unwrap()
    );
    // One after the other, until one is answered before its body is there: those before it are being read.
    let mut open = Vec::new();
    let refused = loop {
        assert!(open.len() < 5, "a fifth is read");
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        match tokio::time::timeout(Duration::from_secs(2), stream.read_exact(&mut answer)).await {
            Ok(read) => {
                read.unwrap();
                break String::from_utf8_lossy(&answer).into_owned();
            }
            Err(_elapsed) => open.push(stream),
        }
    };
    assert_eq!((refused.as_str(), open.len()), ("HTTP/1.1 429", 4));
    // A whole one is told to come again too, and everything else is answered as ever.
    let sent = submission(&documents(&KENYAN[..1]));
    assert_eq!(ann.form(&sent).await.0, 429);
    assert!(ann.data("{ verification { status } }", json!({})).await["verification"]["status"] == "UNVERIFIED");
    drop(open);
    until(async || ann.form(&sent).await.0 == 200).await;
    // One that says it is too large is refused by what it says.
    let large = head.replace("content-length: 100000", &format!("content-length: {}", 60 * 1024 * 1024));
    let answer = head_of_answer(&server, &large).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    untouched(&world).await;
}

async fn a_file_of_ten_mebibytes_is_taken_and_one_byte_more_is_not(db: TestDatabase) {
    let (world, _server, ann) = started(db).await;
    let empty = pdf("").len();
    let mut sent = documents(&KENYAN);
    sent[2].3 = pdf(&"x".repeat(MOST - empty + 1));
    let refused = ann.submit(&sent).await;
    assert_eq!(
        (&refused["userErrors"][0]["code"], &refused["userErrors"][0]["field"]),
        (&json!("TOO_LARGE"), &json!(["input", "documents", "2", "file"]))
    );
    untouched(&world).await;
    sent[2].3 = pdf(&"x".repeat(MOST - empty));
    assert_eq!(sent[2].3.len(), MOST);
    let taken = ann.submit(&sent).await;
    assert_eq!(taken["verification"]["status"], "PENDING", "{}", taken["userErrors"]);
    assert_eq!(world.number("select max(byte_size) from verification_documents").await, 10_485_760);
    let largest = taken["verification"]["documents"].as_array().unwrap().iter().find(|one| one["byteSize"] == "10485760").unwrap();
    let (status, _, bytes) = ann.fetch(&largest["downloadUrl"]).await;
    assert_eq!((status, bytes.len()), (200, MOST));
}
