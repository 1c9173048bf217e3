//! Files in a bucket: a real service that speaks S3 (moto, in a process of its own).

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use evolve_business::adapters::documents::Documents;
use evolve_business::config::S3Settings;
use evolve_business::error::Error;
use evolve_business::services::Ports;
use serde_json::json;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::{PASSWORD, register};
use crate::world_privacy::exported;
use crate::world_uploads::{KENYAN, documents, pdf};

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/s3/server.py");

both!(documents_lie_sealed_in_a_bucket_and_come_back_from_it, an_erasure_leaves_nothing_of_a_business_in_the_bucket);

/// The service; it ends when its standard input is closed, which is when the test ends.
struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    /// Starts one with a bucket `papers`; `None`, said loudly, where there is no moto. Under CI that fails.
    fn start() -> Option<Self> {
        let python = std::env::var("EVOLVE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let found = Command::new(&python).args(["-c", "import moto.server"]).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("CI").is_none(), "no moto under CI: {python} does not know it");
            let line =
                format!("\n!!! SKIPPED: a test of S3 did nothing: {python} has no moto; name one that has by EVOLVE_TEST_PYTHON.\n\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
        let mut child = Command::new(python).arg(SERVER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let first = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        Some(Self { child, port: first.strip_prefix("port ").unwrap().parse().unwrap() })
    }

    /// The names of all that lies in a bucket of it, as the service itself lists them.
    async fn names(&self, bucket: &str) -> Vec<String> {
        let listed = reqwest::get(format!("http://127.0.0.1:{}/{bucket}?list-type=2", self.port)).await.unwrap().text().await.unwrap();
        assert!(listed.contains("<ListBucketResult"), "{listed}");
        listed.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned()).collect()
    }

    /// How to reach a bucket of it.
    fn bucket(&self, name: &str) -> S3Settings {
        S3Settings {
            ca_file: None,
            bucket: name.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
            access_key_id: "test".to_owned(),
            secret_access_key: "test".into(),
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

async fn documents_lie_sealed_in_a_bucket_and_come_back_from_it(db: TestDatabase) {
    let Some(moto) = Moto::start() else { return };
    let bucket = Documents::in_bucket(&moto.bucket("papers"), None).unwrap();
    bucket.put("biz_x/doc_x", b"sealed".to_vec()).await.unwrap();
    assert_eq!(bucket.get("biz_x/doc_x").await.unwrap(), "sealed");
    bucket.delete("biz_x/doc_x").await.unwrap();
    bucket.delete("biz_x/doc_x").await.unwrap();
    assert!(matches!(bucket.get("biz_x/doc_x").await, Err(Error::Adapter(_))));
    let large = vec![7; 10 * 1024 * 1024 + 49];
    bucket.put("biz_x/large", large.clone()).await.unwrap();
    assert!(bucket.get("biz_x/large").await.unwrap() == large);
    let absent = Documents::in_bucket(&moto.bucket("none"), None).unwrap();
    assert!(matches!(absent.put("biz_x/doc_x", b"sealed".to_vec()).await, Err(Error::Adapter(_))));

    // The whole way, with the bucket in place of the folder.
    let mut world = World::at(db, "2027-01-31T09:00:00Z").await;
    let mut parts = world.parts(std::sync::Arc::new(world.gateway.clone()));
    parts.documents = bucket.clone();
    world.ports = Ports::new(parts);
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let submitted = ann.submit(&documents(&KENYAN)).await;
    assert_eq!(submitted["userErrors"], json!([]));
    world.run_due_jobs().await;
    assert_eq!(world.stored_files().len(), 0, "nothing lies in the folder");
    for document in submitted["verification"]["documents"].as_array().unwrap() {
        let sealed = bucket.get(&format!("{business}/{}", document["id"].as_str().unwrap())).await.unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"%PDF-"), "it is plain");
        let (status, _, bytes) = ann.fetch(&document["downloadUrl"]).await;
        assert_eq!((status, bytes), (200, pdf(document["kind"].as_str().unwrap())));
    }
    // A service that is gone is a fault, and what is submitted is not taken.
    let (ben, _) = register(&server, "ben").await;
    drop(moto);
    let (_, answer) = ben.form(&crate::world_uploads::submission(&documents(&KENYAN))).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");
    assert_eq!(world.number("select count(*) from verification_documents").await, 3);
}

async fn an_erasure_leaves_nothing_of_a_business_in_the_bucket(db: TestDatabase) {
    let Some(moto) = Moto::start() else { return };
    let mut world = World::at(db, "2027-01-31T09:00:00Z").await;
    let mut parts = world.parts(std::sync::Arc::new(world.gateway.clone()));
    parts.documents = Documents::in_bucket(&moto.bucket("papers"), None).unwrap();
    world.ports = Ports::new(parts);
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let ((ann, business), (ben, other)) = (register(&server, "ann").await, register(&server, "ben").await);
    for client in [&ann, &ben] {
        assert_eq!(client.submit(&documents(&KENYAN)).await["userErrors"], json!([]));
    }
    assert!(exported(&world, &ann).await.len() > 5);
    let below = |names: &[String], business: &str| names.iter().filter(|name| name.starts_with(&format!("{business}/"))).count();
    let names = moto.names("papers").await;
    // Three documents each, and the export.
    assert_eq!((below(&names, &business), below(&names, &other), names.len()), (4, 3, 7), "{names:?}");
    let input = json!({ "password": PASSWORD, "confirm": "ann Traders" });
    ann.mutate("eraseBusiness", input, "erasedAt").await;
    world.run_due_jobs().await;
    let names = moto.names("papers").await;
    assert_eq!((below(&names, &business), below(&names, &other), names.len()), (0, 3, 3), "{names:?}");
    // What was being uploaded meanwhile goes by the second time that is looked.
    let late = Documents::in_bucket(&moto.bucket("papers"), None).unwrap();
    late.put(&format!("{business}/doc_late"), b"sealed".to_vec()).await.unwrap();
    world.advance(jiff::SignedDuration::from_hours(2));
    world.run_due_jobs().await;
    let names = moto.names("papers").await;
    assert_eq!((below(&names, &business), names.len()), (0, 3), "{names:?}");
}
