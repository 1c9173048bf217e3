//! What is held of a business: every column is classified, and all that is personal is in its export.

use std::collections::BTreeMap;

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::privacy::{Column, TABLES};
use evolve_business::store::types::{Role, StaffRole};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::{Kind, TestDatabase};
use crate::matrix::sign_in;
use crate::world::World;
use crate::world_lives::{PASSWORD, register};
use crate::world_logs::listening;
use crate::world_privacy::{PHONE, TAX_ID, exported, held, mark, marked, newest_export};
use crate::world_staff::code;
use crate::world_uploads::pdf;

const NOW: &str = "2027-01-31T09:00:00Z";

both!(
    every_column_of_both_databases_is_classified,
    an_export_has_every_personal_column_and_no_secret,
    an_export_is_an_owners_by_their_password_and_is_kept_for_a_week,
);

/// Whether a column of that type may hold what the list says.
fn fits(column: Column, kind: &str, database: Kind) -> bool {
    let fitting: &[&str] = match (column, database) {
        (Column::Id, Kind::Sqlite) => &["blob"],
        (Column::Id, Kind::Postgres) => &["uuid"],
        (Column::Time, Kind::Postgres) => &["timestamp with time zone"],
        (Column::Day, Kind::Postgres) => &["date"],
        (Column::Number | Column::Flag, Kind::Sqlite) => &["integer"],
        (Column::Number, Kind::Postgres) => &["bigint", "integer"],
        (Column::Flag, Kind::Postgres) => &["boolean"],
        (Column::Time | Column::Day, Kind::Sqlite) | (Column::Plain | Column::Personal(_) | Column::Tax, _) => &["text"],
        (Column::Bytes | Column::Sealed(_) | Column::TaxSealed(_), _) => &["blob", "bytea"],
        (Column::Secret, _) => &["text", "blob", "bytea"],
    };
    fitting.contains(&kind)
}

async fn every_column_of_both_databases_is_classified(db: TestDatabase) {
    let kind = db.kind;
    let world = World::at(db, NOW).await;
    let columns = TABLES.iter().flat_map(|table| table.columns.iter().map(|(name, column)| (format!("{}.{name}", table.name), *column)));
    let mut listed: BTreeMap<String, Column> = columns.collect();
    let mut wrong = Vec::new();
    for (name, found) in world.schema().await {
        match listed.remove(&name) {
            None => wrong.push(format!("{name} is not classified: say in store/privacy/columns.rs what it holds")),
            Some(column) if !fits(column, &found, kind) => wrong.push(format!("{name} is {found}, and the list says {column:?}")),
            Some(_) => {}
        }
    }
    wrong.extend(listed.keys().map(|name| format!("{name} is no column any more")));
    assert_eq!(wrong, [""; 0]);
}

async fn an_export_has_every_personal_column_and_no_secret(db: TestDatabase) {
    let logs = listening();
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let life = world.rich_life(&server, &staff).await;
    let (other, _) = register(&server, "zoe").await;
    world.run_due_jobs().await;
    let secrets = world.read_texts("select password_hash from users").await;
    world.mark_all().await;
    // What opens is compared with its hash, so that one is looked for as it is.
    let hash = mark("verification_documents", "sha256");
    world.try_sql(&format!("update verification_documents set sha256 = replace(sha256, '{hash}', '')")).await.unwrap();
    let sha256 = world.read_texts("select sha256 from verification_documents").await.remove(0);
    let files = exported(&world, &life.client).await;
    let all = files.values().map(|file| String::from_utf8_lossy(file)).collect::<Vec<_>>().join("\n");
    let missing: Vec<String> = held()
        .flat_map(|table| marked(table).map(|(column, _)| (table.name, mark(table.name, column))))
        .filter(|(table, mark)| !files.get(&format!("{table}.json")).is_some_and(|file| String::from_utf8_lossy(file).contains(mark)))
        .map(|(_, mark)| mark)
        .collect();
    assert_eq!(missing, [hash]);
    assert!(all.contains(&sha256));
    assert!(all.contains(TAX_ID) && all.contains(PHONE), "what is sealed is opened");
    assert!(files.iter().any(|(name, content)| name.starts_with("documents/doc_") && *content == pdf("TAX_CERTIFICATE")));
    for secret in secrets {
        assert!(!all.contains(&secret));
    }
    assert_eq!(logs.personal(), [""; 0], "what is exported passes through no log");
    // Another business's, whose rows have marks too, are not in it.
    let theirs = other.data("{ viewer { user { id } } }", json!({})).await;
    assert!(theirs["viewer"]["user"]["id"].is_string());
    assert!(!all.contains("zoe"), "of another business");
    for (name, content) in &files {
        if name.strip_suffix(".json").is_some() {
            let rows: Value = serde_json::from_slice(content).unwrap();
            assert!(!rows.as_array().unwrap().is_empty(), "{name}");
        }
    }
    let invoices: Value = serde_json::from_slice(&files["invoices.json"]).unwrap();
    // The first is of 4,990.00 with 16 percent tax on top or in it: whatever it is, it is a number, and the invoice has its number.
    assert!(invoices[0]["total_minor"].is_i64() && invoices[0]["number"].is_string() && invoices[0]["issued_at"].is_string());
}

async fn an_export_is_an_owners_by_their_password_and_is_kept_for_a_week(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    world.run_due_jobs().await;
    let scope = TenantScope::proved(BusinessId::parse(&business).unwrap());
    world.colleague(scope, Role::Admin, "admin@example.com").await;
    let admin = sign_in(server.client(), "signIn", "admin@example.com").await;
    let ask = "mutation($p: String!) { requestDataExport(input: { password: $p }) { export { id } userErrors { code field } } }";
    assert_eq!(code(&admin.ask(ask, json!({ "p": PASSWORD })).await), "FORBIDDEN");
    assert_eq!(code(&admin.ask("{ dataExports { id } }", json!({})).await), "FORBIDDEN");
    let wrong = ann.data(ask, json!({ "p": "another-password" })).await["requestDataExport"].take();
    assert_eq!(wrong, json!({ "export": null, "userErrors": [{ "code": "INVALID_CREDENTIALS", "field": ["input", "password"] }] }));
    assert_eq!(ann.data("{ dataExports { id } }", json!({})).await["dataExports"], json!([]));

    let first = ann.data(ask, json!({ "p": PASSWORD })).await["requestDataExport"]["export"].take();
    let again = ann.data(ask, json!({ "p": PASSWORD })).await["requestDataExport"]["export"].take();
    assert_eq!(first, again, "one is made at a time");
    let pending = newest_export(&ann).await;
    assert_eq!((&pending["status"], &pending["url"], &pending["expiresAt"]), (&json!("PENDING"), &Value::Null, &Value::Null));
    world.run_due_jobs().await;
    let ready = newest_export(&ann).await;
    assert_eq!((&ready["status"], &ready["expiresAt"]), (&json!("READY"), &json!("2027-02-07T09:00:00Z")));
    assert_eq!(world.subjects_to("ann@example.com").pop().unwrap(), "Your export is ready");
    let (status, headers, content) = ann.fetch(&ready["url"]).await;
    assert_eq!((status, &content[..2]), (200, b"PK".as_slice()));
    assert_eq!(headers["content-disposition"], "attachment; filename=\"export-2027-01-31.zip\"; filename*=UTF-8''export-2027-01-31.zip");
    let stored = world.stored_files();
    assert_eq!(stored.len(), 1);
    assert_ne!(std::fs::read(&stored[0]).unwrap()[..2], *b"PK", "it is kept sealed");
    world.advance(SignedDuration::from_mins(15));
    assert_eq!(ann.fetch(&ready["url"]).await.0, 404, "a link is good for a quarter of an hour");
    let actions = world.read_texts("select action from audit_events where action like 'data_export.%'").await;
    assert_eq!(actions, ["data_export.requested"]);

    world.advance(SignedDuration::from_hours(7 * 24));
    let ann = sign_in(server.client(), "signIn", "ann@example.com").await;
    let over = newest_export(&ann).await;
    assert_eq!((&over["status"], &over["url"]), (&json!("EXPIRED"), &Value::Null));
    world.run_due_jobs().await;
    assert!(world.stored_files().is_empty(), "{:?}", world.stored_files());
    assert_eq!(world.read_texts("select status from data_exports").await, ["EXPIRED"]);
}
