//! Where files lie and who opens them: sealed, each in its place, by links that end; and what the scanner says of them.

use std::sync::{Arc, Mutex};

use evolve_business::adapters::scanner::{Clamd, ScanError, Scanner, Verdict};
use evolve_business::services::Ports;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::register;
use crate::world_uploads::{KENYAN, VERIFICATION, documents, files_below, pdf};

const NOW: &str = "2027-01-31T09:00:00Z";

both!(
    nothing_plain_of_a_file_lies_anywhere,
    a_sealed_file_opens_in_its_own_place_alone,
    a_link_is_good_for_a_quarter_of_an_hour_and_for_one_file,
    a_file_that_was_stored_and_never_taken_is_removed,
    what_the_scanner_finds_is_never_handed_out,
    a_scanner_that_is_down_is_asked_again,
);

async fn started(db: TestDatabase) -> (World, Server, Client) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    (world, server, ann)
}

/// The links to a verification's documents, by their kinds.
async fn links(client: &Client) -> Vec<(String, Value)> {
    let mut found = client.data("{ verification { documents { kind downloadUrl } } }", json!({})).await["verification"]["documents"].take();
    let one = |one: &mut Value| (one["kind"].as_str().unwrap().to_owned(), one["downloadUrl"].take());
    let mut links: Vec<_> = found.as_array_mut().unwrap().iter_mut().map(one).collect();
    links.sort_by(|one, other| one.0.cmp(&other.0));
    links
}

async fn nothing_plain_of_a_file_lies_anywhere(db: TestDatabase) {
    let (world, _server, ann) = started(db).await;
    let canary = "canary-9f86d081884c7d65";
    let mut sent = documents(&KENYAN);
    sent[0].3 = pdf(&canary.repeat(100));
    assert_eq!(ann.submit(&sent).await["userErrors"], json!([]));
    world.run_due_jobs().await;
    let files = files_below(world.database.dir.path());
    assert_eq!(world.stored_files().len(), 3);
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        assert!(!bytes.windows(canary.len()).any(|part| part == canary.as_bytes()), "{} has it", path.display());
        let is_document = path.starts_with(world.database.dir.path().join("documents"));
        assert!(!is_document || !bytes.windows(5).any(|part| part == b"%PDF-"), "{} is plain", path.display());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = std::fs::metadata(world.database.dir.path().join("documents")).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    }
}

async fn a_sealed_file_opens_in_its_own_place_alone(db: TestDatabase) {
    let (world, server, ann) = started(db).await;
    ann.submitted().await;
    let own = world.stored_files();
    let (ben, _) = register(&server, "ben").await;
    ben.submitted().await;
    let foreign = world.stored_files().into_iter().find(|path| !own.contains(path)).unwrap();
    for (_, link) in links(&ann).await {
        assert_eq!(ann.fetch(&link).await.0, 200);
    }
    let whole: Vec<Vec<u8>> = own.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let mut changed = whole[0].clone();
    *changed.last_mut().unwrap() ^= 1;
    for content in [whole[1].clone(), std::fs::read(&foreign).unwrap(), changed, whole[0][..40].to_vec(), Vec::new()] {
        std::fs::write(&own[0], content).unwrap();
        let mut statuses = Vec::new();
        for (_, link) in links(&ann).await {
            let (status, _, bytes) = ann.fetch(&link).await;
            assert!(status == 200 || !bytes.windows(5).any(|part| part == b"%PDF-"));
            statuses.push(status);
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 500]);
    }
    std::fs::remove_file(&own[0]).unwrap();
    let mut statuses = Vec::new();
    for (_, link) in links(&ann).await {
        statuses.push(ann.fetch(&link).await.0);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 500]);
}

async fn a_link_is_good_for_a_quarter_of_an_hour_and_for_one_file(db: TestDatabase) {
    let (world, server, ann) = started(db).await;
    ann.submitted().await;
    let (ben, _) = register(&server, "ben").await;
    ben.submitted().await;
    let links_of_ann = links(&ann).await;
    for (kind, link) in &links_of_ann {
        assert!(link.as_str().unwrap().starts_with("https://api.evolve.test/files/"));
        assert_eq!(ben.fetch(link).await.2, pdf(kind), "whoever holds it");
    }
    let (_, good) = &links_of_ann[0];
    let (head, token) = good.as_str().unwrap().split_at("https://api.evolve.test/files/".len());
    let never = ann.fetch(&json!(format!("{head}none"))).await;
    assert_eq!(never.0, 404);
    let letters = "ABab01_-";
    for at in 0..token.len() {
        // One letter changed, wherever it is, makes it a link that never was; and so does one that is missing.
        let other = letters.chars().find(|letter| !token[at..].starts_with(*letter)).unwrap();
        let forged = format!("{head}{}{other}{}", &token[..at], &token[at + 1..]);
        let answer = ann.fetch(&json!(forged)).await;
        assert_eq!((answer.0, &answer.2), (404, &never.2), "letter {at}");
    }
    assert_eq!(ann.fetch(&json!(format!("{head}{}", &token[1..]))).await.0, 404);
    // A cursor of a list is signed by the same key, and is no link.
    let cursor =
        ann.data("{ auditEvents(first: 1) { pageInfo { endCursor } } }", json!({})).await["auditEvents"]["pageInfo"]["endCursor"].take();
    assert_eq!(ann.fetch(&json!(format!("{head}{}", cursor.as_str().unwrap()))).await.0, 404);
    // A document that is gone answers as one that never was.
    world.advance(SignedDuration::from_millis(15 * 60 * 1_000 - 1));
    assert_eq!(ann.fetch(good).await.0, 200);
    world.advance(SignedDuration::from_millis(1));
    let over = ann.fetch(good).await;
    assert_eq!((over.0, &over.2), (404, &never.2));
}

async fn a_file_that_was_stored_and_never_taken_is_removed(db: TestDatabase) {
    let (world, _server, ann) = started(db).await;
    // A file stands where the business's folder is to be: nothing can be stored.
    let folder = world.database.dir.path().join("documents");
    let business = ann.data("{ profile { id } }", json!({})).await["profile"]["id"].as_str().unwrap().to_owned();
    std::fs::write(folder.join(&business), b"in the way").unwrap();
    let (status, answer) = ann.form(&crate::world_uploads::submission(&documents(&KENYAN))).await;
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (200, &json!("INTERNAL")), "{answer}");
    assert_eq!(world.number("select count(*) from verification_documents").await, 0);
    let noted = world.read_texts("select job_key from jobs where kind = 'discard_documents'").await.remove(0);
    let ids: Vec<&str> = noted.split(' ').collect();
    assert_eq!(ids.len(), 3);
    // As if the process had died after two of them.
    std::fs::remove_file(folder.join(&business)).unwrap();
    std::fs::create_dir(folder.join(&business)).unwrap();
    for id in &ids[..2] {
        std::fs::write(folder.join(&business).join(id), b"sealed").unwrap();
    }
    ann.submitted().await;
    assert_eq!(world.stored_files().len(), 5);
    world.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(world.stored_files().len(), 3, "what was taken stays");
    let left: Vec<String> = world.stored_files().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert!(left.iter().all(|name| !ids.contains(&name.as_str())));
    assert_eq!(world.number("select count(*) from jobs where kind = 'discard_documents' and status = 'READY'").await, 0);
}

/// A `clamd` of the test's own: it speaks INSTREAM, keeps what it was sent, and finds `EICAR` in it.
async fn clamd() -> (Clamd, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(instream(stream, Arc::clone(&kept)));
        }
    });
    (Clamd::at(address), seen)
}

async fn instream(mut stream: TcpStream, seen: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut command = [0; 10];
    stream.read_exact(&mut command).await.unwrap();
    assert_eq!(&command, b"zINSTREAM\0");
    let mut file = Vec::new();
    loop {
        let length = stream.read_u32().await.unwrap();
        if length == 0 {
            break;
        }
        let mut piece = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut piece).await.unwrap();
        file.extend(piece);
    }
    let found = file.windows(5).any(|part| part == b"EICAR");
    seen.lock().unwrap().push(file);
    stream.write_all(if found { b"stream: Win.Test.EICAR FOUND\0" } else { b"stream: OK\0" }).await.unwrap();
}

impl World {
    /// The same world with a scanner.
    fn scanned_by(mut self, scanner: Arc<dyn Scanner>) -> Self {
        let mut parts = self.parts(Arc::new(self.gateway.clone()));
        parts.scanner = Some(scanner);
        self.ports = Ports::new(parts);
        self
    }
}

async fn what_the_scanner_finds_is_never_handed_out(db: TestDatabase) {
    let (clamd, seen) = clamd().await;
    assert_eq!(clamd.scan(&vec![7; 200_000]).await.unwrap(), Verdict::Clean);
    assert_eq!(seen.lock().unwrap().pop().unwrap(), vec![7; 200_000], "in pieces, and whole");
    let world = World::at(db, NOW).await.scanned_by(Arc::new(clamd));
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let mut sent = documents(&KENYAN);
    sent[1].3 = pdf("EICAR");
    assert_eq!(ann.submit(&sent).await["userErrors"], json!([]));
    let before = links(&ann).await;
    let (_, harmful) = before.iter().find(|(kind, _)| kind == "TAX_CERTIFICATE").unwrap();
    world.run_due_jobs().await;
    let mut scanned = std::mem::take(&mut *seen.lock().unwrap());
    let mut expected: Vec<Vec<u8>> = sent.iter().map(|(.., content)| content.clone()).collect();
    scanned.sort();
    expected.sort();
    assert_eq!(scanned, expected);

    let shown = ann.data(&format!("{{ {VERIFICATION} }}"), json!({})).await["verification"].take();
    assert_eq!(shown["status"], "NEEDS_INFORMATION");
    assert!(shown["reason"].as_str().unwrap().starts_with("Something harmful"));
    let document = shown["documents"].as_array().unwrap().iter().find(|one| one["kind"] == "TAX_CERTIFICATE").unwrap();
    assert_eq!((&document["status"], &document["downloadUrl"]), (&json!("REJECTED"), &Value::Null));
    assert_eq!(ann.fetch(harmful).await.0, 404, "a link from before is good no more");
    let states = world.read_texts("select scan || ' ' || status from verification_documents order by scan").await;
    assert_eq!(states, ["CLEAN QUARANTINED", "CLEAN QUARANTINED", "INFECTED REJECTED"]);
    assert_eq!(world.subjects_to("ann@example.com").pop().unwrap(), "The verification of ann Traders needs something more");

    // Another file in its place, and staff may accept what is clean.
    let again = ann.submit(&documents(&["TAX_CERTIFICATE"])).await;
    assert_eq!(again["verification"]["status"], "PENDING", "{again:#}");
    world.run_due_jobs().await;
    let staff = world.staff(&server, evolve_business::store::types::StaffRole::Compliance).await;
    staff.mutate("reviewVerification", json!({ "businessId": business, "decision": "APPROVE" }), "business { id }").await;
    let states = world.read_texts("select scan || ' ' || status from verification_documents order by scan").await;
    assert_eq!(states, ["CLEAN ACCEPTED", "CLEAN ACCEPTED", "CLEAN ACCEPTED", "INFECTED REJECTED"]);
    assert!(world.try_sql("update verification_documents set status = 'ACCEPTED' where scan = 'INFECTED'").await.is_err());
}

/// A scanner that has no verdict until it is told one.
struct Down(Mutex<bool>);

#[async_trait::async_trait]
impl Scanner for Down {
    async fn scan(&self, _file: &[u8]) -> Result<Verdict, ScanError> {
        if *self.0.lock().unwrap() { Err(ScanError("it is down".into())) } else { Ok(Verdict::Clean) }
    }
}

async fn a_scanner_that_is_down_is_asked_again(db: TestDatabase) {
    // Nobody listens there any more; and one that says something else has no verdict either.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = Clamd::at(listener.local_addr().unwrap().to_string());
    drop(listener);
    assert!(gone.scan(b"x").await.is_err());
    let scanner = Arc::new(Down(Mutex::new(true)));
    let world = World::at(db, NOW).await.scanned_by(scanner.clone());
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    ann.submitted().await;
    let staff = world.staff(&server, evolve_business::store::types::StaffRole::Compliance).await;
    let approve =
        async || staff.payload("reviewVerification", json!({ "businessId": business, "decision": "APPROVE" }), "business { id }").await;
    let waiting = async || world.number("select count(*) from verification_documents where scan = 'WAITING'").await;
    // More often than a job is tried that fails.
    for _ in 0..3 {
        world.pass(SignedDuration::from_mins(1)).await;
        assert_eq!(waiting().await, 3);
        assert_eq!(approve().await["userErrors"][0]["code"], "INVALID_TRANSITION");
    }
    assert_eq!(world.number("select cast(max(attempts) as bigint) from jobs where kind = 'scan_document'").await, 0, "it is no failure");
    *scanner.0.lock().unwrap() = false;
    world.pass(SignedDuration::from_mins(1)).await;
    assert_eq!(waiting().await, 0);
    assert_eq!(approve().await["userErrors"], json!([]));
    // Run once more, as after a worker that died, it finds nothing to do.
    world.sql("update jobs set status = 'READY', due_at = created_at where kind = 'scan_document'").await;
    world.run_due_jobs().await;
    assert_eq!(world.number("select count(*) from jobs where kind = 'scan_document' and status = 'READY'").await, 0);
    assert_eq!(world.read_texts("select distinct status from verification_documents").await, ["ACCEPTED"]);
}
