//! Keys are replaced while they are in use: what they sealed opens before, meanwhile and after, and by the new key alone in the end.

use std::sync::Arc;

use evolve_business::config::KeyMaterial;
use evolve_business::security::envelope::{KeyId, MasterKey};
use evolve_business::security::key_ring::MasterKeys;
use evolve_business::services::Ports;
use evolve_business::services::sealing::{Rotated, rotate};
use evolve_business::store::Instant;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::statements::subscribe;
use crate::world::World;
use crate::world_catalog::Statements;
use crate::world_lives::{PASSWORD, add_method, plans, register};
use crate::world_privacy::{exported, newest_export, unzipped};
use crate::world_uploads::{KENYAN, documents, pdf};
use crate::world_webhooks::Told;

const NOW: &str = "2027-01-31T09:00:00Z";
const TAX_ID: &str = "P051234567X";
/// What opens sealed values.
const SEALED: &str = "{ profile { taxId phone } verification { registrationNumber documents { kind downloadUrl } } }";

both!(
    a_new_master_key_takes_the_place_of_the_old_one,
    a_hundred_keys_are_wrapped_anew_in_one_statement,
    a_key_that_neither_master_key_wrapped_is_told_and_left,
    a_new_key_seals_anew_all_that_the_old_one_sealed,
    invoices_and_exports_open_under_a_new_key_and_what_is_erased_has_one_too,
    what_was_cut_short_opens_and_is_ended_by_the_next_run,
    a_file_that_is_missing_is_told_and_its_business_keeps_both_keys,
    webhooks_are_signed_by_the_same_secrets_under_a_new_key,
    files_that_are_sent_while_the_key_is_replaced_open,
    a_registration_number_lies_sealed_and_one_in_plain_is_sealed,
);

pub(crate) fn master(byte: u8) -> MasterKey {
    MasterKey::new(KeyMaterial::from_bytes([byte; 32]))
}

impl World {
    /// Takes these for the master keys.
    pub(crate) fn master_keys(&mut self, keys: MasterKeys) {
        let mut parts = self.parts(Arc::new(self.gateway.clone()));
        parts.master = keys;
        self.ports = Ports::new(parts);
    }

    /// Rotates, and replaces the keys that were made before now with `reseal`.
    pub(crate) async fn rotate(&self, reseal: bool) -> Rotated {
        let now = Instant::from(self.ports.real_now());
        rotate(&self.ports, reseal.then_some(now)).await.unwrap()
    }

    /// The heads of what a statement reads.
    async fn heads(&self, sql: &str) -> Vec<Option<KeyId>> {
        self.read_bytes(sql).await.into_iter().map(|bytes| KeyId::of_sealed(&bytes.unwrap())).collect()
    }
}

/// A business that has something sealed in every place, but for webhooks.
pub(crate) async fn started(db: TestDatabase) -> (World, Server, Client) {
    let mut world = World::at(db, NOW).await;
    world.master_keys(MasterKeys::new(master(1), None));
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let profile = json!({ "taxId": TAX_ID, "phone": "+254712345678" });
    assert_eq!(ann.mutate("updateProfile", profile, "userErrors { code }").await["userErrors"], json!([]));
    ann.submitted().await;
    (world, server, ann)
}

/// That everything of ann's business opens, on a server of this world.
pub(crate) async fn opens(world: &World, ann: &Client) {
    let server = Server::start(world).await;
    let again = server.holder(&json!(ann.token.clone().unwrap()));
    let mut shown = again.data(SEALED, json!({})).await;
    assert_eq!(shown["profile"], json!({ "taxId": TAX_ID, "phone": "+254712345678" }));
    assert_eq!(shown["verification"]["registrationNumber"], "PVT-7Y8X9Z");
    let documents = shown["verification"]["documents"].take();
    assert_eq!(documents.as_array().unwrap().len(), 3);
    for document in documents.as_array().unwrap() {
        let (status, _, content) = again.fetch(&document["downloadUrl"]).await;
        assert_eq!((status, content), (200, pdf(document["kind"].as_str().unwrap())), "{document}");
    }
}

/// That nothing of it does.
pub(crate) async fn is_shut(world: &World, ann: &Client) {
    let server = Server::start(world).await;
    let again = server.holder(&json!(ann.token.clone().unwrap()));
    let answer = again.ask("{ profile { taxId } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");
}

async fn a_new_master_key_takes_the_place_of_the_old_one(db: TestDatabase) {
    let (mut world, _server, ann) = started(db).await;
    let sealed = "select tax_id_sealed from businesses";
    let before = world.read_bytes(sealed).await;
    world.master_keys(MasterKeys::new(master(2), None));
    is_shut(&world, &ann).await;
    world.master_keys(MasterKeys::new(master(2), Some(master(1))));
    opens(&world, &ann).await;
    let rotated = world.rotate(false).await;
    assert_eq!(rotated, Rotated { rewrapped: 1, ..Rotated::default() });
    assert_eq!(world.heads("select wrapped_key from businesses").await, [Some(master(2).id())]);
    world.master_keys(MasterKeys::new(master(2), None));
    opens(&world, &ann).await;
    assert_eq!(world.read_bytes(sealed).await, before, "the values stay as they are");
    world.master_keys(MasterKeys::new(master(2), Some(master(1))));
    assert_eq!(world.rotate(false).await, Rotated::default(), "there is nothing left to do");
    world.master_keys(MasterKeys::new(master(1), None));
    is_shut(&world, &ann).await;
}

async fn a_hundred_keys_are_wrapped_anew_in_one_statement(db: TestDatabase) {
    let statements = Statements::default();
    let mut world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    world.master_keys(MasterKeys::new(master(1), None));
    for at in 0..101 {
        world.register(&format!("ann{at}@example.com")).await;
    }
    world.master_keys(MasterKeys::new(master(2), Some(master(1))));
    statements.clear();
    assert_eq!(world.rotate(false).await.rewrapped, 101);
    let texts = statements.texts();
    let of = |verb: &str| texts.iter().filter(|text| text.to_lowercase().trim_start().starts_with(verb)).count();
    // 100, 1 and none; second factors, registration numbers and client secrets: none each.
    assert_eq!((of("update"), of("select")), (2, 3 + 1 + 1 + 1), "{texts:#?}");
    let heads = world.heads("select wrapped_key from businesses").await;
    assert!(heads.len() == 101 && heads.iter().all(|head| *head == Some(master(2).id())));
}

async fn a_key_that_neither_master_key_wrapped_is_told_and_left(db: TestDatabase) {
    let (mut world, server, ann) = started(db).await;
    let (_, ben) = register(&server, "ben").await;
    world.master_keys(MasterKeys::new(master(3), None));
    let server = Server::start(&world).await;
    register(&server, "cat").await;
    world.master_keys(MasterKeys::new(master(2), Some(master(1))));
    let before = world.read_bytes("select wrapped_key from businesses order by created_at, business_id").await;
    let rotated = world.rotate(false).await;
    assert_eq!((rotated.rewrapped, rotated.left.len()), (2, 1), "{rotated:?}");
    assert!(rotated.left[0].contains("a sealed value does not open") && !rotated.left[0].contains(&ben), "{rotated:?}");
    let after = world.read_bytes("select wrapped_key from businesses order by created_at, business_id").await;
    assert_eq!(before.iter().zip(&after).filter(|(before, after)| before == after).count(), 1);
    opens(&world, &ann).await;
}

async fn a_new_key_seals_anew_all_that_the_old_one_sealed(db: TestDatabase) {
    let (world, _server, ann) = started(db).await;
    let old = world.heads("select tax_id_sealed from businesses").await[0];
    let files = |world: &World| -> Vec<Option<KeyId>> {
        world.stored_files().iter().map(|path| KeyId::of_sealed(&std::fs::read(path).unwrap())).collect()
    };
    assert_eq!(files(&world), [old; 3]);
    assert_eq!(world.rotate(true).await, Rotated::default(), "a key that is not older than asked for stays");
    world.advance(SignedDuration::from_secs(1));
    assert_eq!(world.rotate(true).await, Rotated { replaced: 1, files: 3, ..Rotated::default() });
    let new = world.heads("select tax_id_sealed from businesses").await[0];
    assert_ne!(old, new);
    assert_eq!(world.heads("select phone_sealed from businesses").await, [new]);
    assert_eq!(world.heads("select registration_number_sealed from verifications").await, [new]);
    assert_eq!(files(&world), [new; 3]);
    assert_eq!(world.read_bytes("select previous_wrapped_key from businesses").await, [None], "the old key is gone");
    opens(&world, &ann).await;
    assert_eq!(world.rotate(true).await, Rotated::default(), "the new key is not old");
    assert_eq!(world.read_texts("select action from audit_events where action = 'business.key_replaced'").await.len(), 1);
}

async fn invoices_and_exports_open_under_a_new_key_and_what_is_erased_has_one_too(db: TestDatabase) {
    let (world, _server, ann) = started(db).await;
    let (plan, method) = (plans(&ann).await["erp"][0].clone(), add_method(&ann, "SUCCEEDS").await);
    subscribe(&world, &ann, &plan, &method).await;
    let before = exported(&world, &ann).await;
    world.advance(SignedDuration::from_secs(1));
    // Three documents and the export.
    assert_eq!(world.rotate(true).await, Rotated { replaced: 1, files: 4, ..Rotated::default() });
    let (status, _, content) = ann.fetch(&newest_export(&ann).await["url"]).await;
    assert_eq!((status, unzipped(&content)), (200, before));
    let billed = "{ invoices(first: 1) { nodes { billedTo { taxId } } } }";
    let shown = ann.data(billed, json!({})).await;
    assert_eq!(shown["invoices"]["nodes"][0]["billedTo"]["taxId"], TAX_ID);
    let keys = "select tax_id_sealed from businesses union all select billed_tax_id_sealed from invoices";
    let heads = world.heads(keys).await;
    assert!(heads.len() == 2 && heads[0] == heads[1], "{heads:?}");
    // What is left of a business that was erased is the tax id on its invoices, under a key of its own.
    let erase = json!({ "password": PASSWORD, "confirm": "ann Traders" });
    ann.mutate("eraseBusiness", erase, "erasedAt").await;
    world.advance(SignedDuration::from_secs(1));
    assert_eq!(world.rotate(true).await, Rotated { replaced: 1, ..Rotated::default() });
    assert_eq!(world.read_bytes("select previous_wrapped_key from businesses").await, [None]);
    let after = world.heads("select billed_tax_id_sealed from invoices").await;
    assert!(after[0].is_some() && after[0] != heads[0], "it is still there, sealed by another key");
}

async fn what_was_cut_short_opens_and_is_ended_by_the_next_run(db: TestDatabase) {
    let (mut world, _server, ann) = started(db).await;
    let paths = world.stored_files();
    let (kept, away) = (paths[1].clone(), paths[1].with_extension("away"));
    // The second file is not to be had, so that the run ends between two files.
    std::fs::rename(&kept, &away).unwrap();
    world.advance(SignedDuration::from_secs(1));
    let rotated = world.rotate(true).await;
    assert_eq!((rotated.replaced, rotated.left.len()), (0, 1), "{rotated:?}");
    std::fs::rename(&away, &kept).unwrap();
    opens(&world, &ann).await;
    // The master key too may be replaced then: both keys are wrapped anew.
    world.master_keys(MasterKeys::new(master(2), Some(master(1))));
    assert_eq!(world.rotate(false).await, Rotated { rewrapped: 1, ..Rotated::default() });
    world.master_keys(MasterKeys::new(master(2), None));
    opens(&world, &ann).await;
    let rotated = world.rotate(true).await;
    assert!(rotated.replaced == 1 && (1..=3).contains(&rotated.files) && rotated.left.is_empty(), "{rotated:?}");
    assert_eq!(world.read_bytes("select previous_wrapped_key from businesses").await, [None]);
    opens(&world, &ann).await;
}

async fn a_file_that_is_missing_is_told_and_its_business_keeps_both_keys(db: TestDatabase) {
    let (world, server, _ann) = started(db).await;
    std::fs::remove_file(&world.stored_files()[0]).unwrap();
    let (ben, _) = register(&server, "ben").await;
    ben.submitted().await;
    world.advance(SignedDuration::from_secs(1));
    let rotated = world.rotate(true).await;
    assert_eq!((rotated.replaced, rotated.left.len()), (1, 1), "the others go on: {rotated:?}");
    assert!(rotated.left[0].starts_with("biz_") && !rotated.left[0].contains(&world.database.dir.path().display().to_string()));
    let previous = world.read_bytes("select previous_wrapped_key from businesses").await;
    assert_eq!(previous.iter().filter(|key| key.is_some()).count(), 1);
}

async fn webhooks_are_signed_by_the_same_secrets_under_a_new_key(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let (id, _) = told.endpoint("/").await;
    told.ann.mutate("rotateWebhookSecret", json!({ "endpointId": id }), "secret").await;
    told.change_plans(&["A"]).await;
    told.world.run_due_jobs().await;
    told.world.advance(SignedDuration::from_secs(1));
    assert_eq!(told.world.rotate(true).await.replaced, 1);
    let delivery = told.shown().await[0]["deliveries"]["nodes"][0]["id"].clone();
    told.ann.mutate("resendWebhookDelivery", json!({ "deliveryId": delivery }), "delivery { id }").await;
    told.world.run_due_jobs().await;
    let signatures: Vec<usize> = told.receiver.came().iter().map(|came| came.headers["webhook-signature"].split(' ').count()).collect();
    assert_eq!(signatures, [2, 2], "by the present secret and by the one before it");
    let heads = told.world.heads("select secret_sealed from webhook_endpoints").await;
    assert_eq!(told.world.heads("select previous_secret_sealed from webhook_endpoints").await, heads);
}

async fn files_that_are_sent_while_the_key_is_replaced_open(db: TestDatabase) {
    let mut world = World::at(db, NOW).await;
    world.master_keys(MasterKeys::new(master(1), None));
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    for _ in 0..5 {
        world.advance(SignedDuration::from_secs(1));
        let sent = documents(&KENYAN);
        let (came, rotated) = tokio::join!(ann.submit(&sent), async {
            world.rotate(true).await;
            world.rotate(true).await
        });
        assert!(rotated.left.is_empty(), "{rotated:?}");
        // The first is taken; while it is under review, the others are refused.
        assert!(came["userErrors"] == json!([]) || came["userErrors"][0]["code"] == "INVALID_TRANSITION", "{came}");
    }
    let shown = ann.data("{ verification { documents { downloadUrl } } }", json!({})).await;
    let links: Vec<Value> = shown["verification"]["documents"].as_array().unwrap().iter().map(|one| one["downloadUrl"].clone()).collect();
    assert_eq!(links.len(), 3);
    for link in links {
        assert_eq!(ann.fetch(&link).await.0, 200);
    }
}

async fn a_registration_number_lies_sealed_and_one_in_plain_is_sealed(db: TestDatabase) {
    let (world, _server, ann) = started(db).await;
    let plain = "select registration_number from verifications";
    assert_eq!(world.read_texts(plain).await, [""]);
    // As an older version wrote it.
    world.run_sql("update verifications set registration_number = 'PVT-7Y8X9Z', registration_number_sealed = null").await;
    opens(&world, &ann).await;
    assert_eq!(world.rotate(false).await, Rotated { sealed: 1, ..Rotated::default() });
    assert_eq!(world.read_texts(plain).await, [""]);
    opens(&world, &ann).await;
}
