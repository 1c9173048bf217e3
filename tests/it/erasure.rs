//! The erasure of a business: nothing of it and of its people is left anywhere, but for what tax law has kept.

use std::process::{Command, Stdio};

use evolve_business::ids::BusinessId;
use evolve_business::services::audit;
use evolve_business::store::TenantScope;
use evolve_business::store::types::{Role, StaffRole};
use jiff::SignedDuration;
use sea_orm::sqlx::postgres::PgConnectOptions;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::{Kind, TestDatabase};
use crate::matrix::sign_in;
use crate::postgres::find_programs;
use crate::world::World;
use crate::world_lives::{Life, PASSWORD, add_method, register};
use crate::world_logs::listening;
use crate::world_privacy::{PHONE, TAX_ID, held, mark, marked};
use crate::world_staff::{code, signed_in};
use crate::world_uploads::files_below;

const NOW: &str = "2027-01-31T09:00:00Z";

both!(
    nothing_of_an_erased_business_is_left_but_what_tax_law_keeps,
    a_business_with_open_money_is_not_erased,
    who_works_for_another_business_stays_there,
);

/// What an erasure answers.
async fn erase(client: &Client, confirm: &str, password: &str) -> Value {
    let input = json!({ "password": password, "confirm": confirm });
    client.payload("eraseBusiness", input, "erasedAt").await
}

/// Ends the subscription that was never paid, which voids its invoice.
async fn drop_unpaid(world: &World, life: &Life) {
    let found = life.client.data("{ subscriptions { nodes { id status } } }", json!({})).await;
    let unpaid = found["subscriptions"]["nodes"].as_array().unwrap().iter().find(|one| one["status"] == "INCOMPLETE");
    if let Some(unpaid) = unpaid {
        let input = json!({ "subscriptionId": unpaid["id"], "timing": "NOW", "idempotencyKey": "drop" });
        world.working(life.client.mutate("cancel", input, "subscription { status }")).await;
    }
    assert_eq!(world.number("select count(*) from invoices where status = 'OPEN'").await, 0, "{found:#}");
}

impl World {
    /// Every value of every column, as `table.column: text`.
    async fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (name, kind) in self.schema().await {
            let (table, column) = name.split_once('.').unwrap();
            // Bytes are shown as they are, so that text in them is found.
            let shown = match (self.database.kind, kind.as_str()) {
                (Kind::Sqlite, _) => format!("cast('{name}: ' || cast({column} as text) as blob)"),
                (Kind::Postgres, "bytea") => format!("convert_to('{name}: ' || encode({column}, 'escape'), 'UTF8')"),
                (Kind::Postgres, _) => format!("convert_to('{name}: ' || cast({column} as text), 'UTF8')"),
            };
            let found = self.read_bytes(&format!("select {shown} from {table} where {column} is not null")).await;
            all.extend(found.into_iter().flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        }
        all
    }
}

async fn nothing_of_an_erased_business_is_left_but_what_tax_law_keeps(db: TestDatabase) {
    let logs = listening();
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let life = world.rich_life(&server, &staff).await;
    let input = json!({ "planId": life.fresh_plan, "interval": "MONTHLY", "trial": false, "idempotencyKey": "third" });
    let third = world.working(life.client.mutate("subscribe", input, "invoice { id status }")).await;
    assert_eq!(third["invoice"]["status"], "PAID", "{third:#}");
    drop_unpaid(&world, &life).await;
    world.run_due_jobs().await;
    world.mark_all().await;
    // The trail would not hold with a mark in it.
    let in_trail = mark("audit_events", "details");
    world.try_sql(&format!("update audit_events set details = replace(details, '{in_trail}', '')")).await.unwrap();
    let (zoe, other) = register(&server, "zoe").await;
    zoe.mutate("openSupportTicket", json!({ "subject": "A question", "body": "Why?" }), "ticket { id }").await;
    add_method(&zoe, "SUCCEEDS").await;
    world.run_due_jobs().await;
    let other = BusinessId::parse(&other).unwrap().uuid();
    let before = world.rows_of(other).await;
    let hashes = world.read_texts("select password_hash from users where full_name like '%.ann'").await;
    assert_eq!(hashes.len(), 1);
    assert!(world.everything().await.iter().any(|line| line.contains("canary.users.email.")), "a mark is found where it is");

    let name = life.client.data("{ profile { businessName } }", json!({})).await["profile"]["businessName"].take();
    let erased = erase(&life.client, name.as_str().unwrap(), PASSWORD).await;
    assert_eq!(erased, json!({ "erasedAt": NOW, "userErrors": [] }));
    assert_eq!(code(&life.client.ask("{ profile { id } }", json!({})).await), "UNAUTHENTICATED", "its sessions end at once");
    world.run_due_jobs().await;
    world.advance(SignedDuration::from_hours(2));
    world.run_due_jobs().await;

    // What tax law has kept keeps its marks; another business's rows are not touched.
    let kept: Vec<String> =
        held().flat_map(|table| marked(table).filter(|(_, tax)| *tax).map(|(column, _)| mark(table.name, column))).collect();
    let everything = world.everything().await;
    let left: Vec<&String> =
        everything.iter().filter(|line| line.contains("canary.") && kept.iter().all(|mark| !line.contains(mark.as_str()))).collect();
    assert_eq!(left, [""; 0]);
    for mark in &kept {
        assert!(everything.iter().any(|line| line.contains(mark.as_str())), "{mark} is kept");
    }
    for gone in [TAX_ID, PHONE, "1 Moi Avenue", "ann@example.com", "other@example.com", hashes[0].as_str()] {
        let found: Vec<&String> =
            everything.iter().filter(|line| line.contains(gone)).filter(|line| !line.starts_with("invoices.billed_to")).collect();
        assert_eq!(found, [""; 0], "{gone}");
    }
    assert_eq!(world.rows_of(other).await, before, "another business's rows are as they were");
    let details = world.read_texts(
        "select distinct details from audit_events a join businesses b on b.business_id = a.business_id where b.erased_at is not null",
    );
    assert_eq!(details.await, ["{}"]);
    let verified = audit::verify(&world.ports.store).await.unwrap();
    assert_eq!(verified.breaks, Vec::new());
    assert_eq!(world.examine().await, [""; 0]);
    no_file_has_it(&world);
    no_dump_has_it(&world, &kept);
    assert_eq!(logs.personal(), [""; 0]);
    is_a_tombstone(&world, &server, &life, &third["invoice"]["id"]).await;
}

/// Neither the database's own files, nor documents, nor mails have any of it.
fn no_file_has_it(world: &World) {
    let data = world.database.dir.path();
    assert!(world.stored_files().is_empty(), "{:?}", world.stored_files());
    for file in files_below(data) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        // The sandbox's gateway keeps what it charged, as a gateway does.
        if name.starts_with("sandbox") {
            continue;
        }
        let content = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        for table in held() {
            for (column, tax) in marked(table) {
                let mark = mark(table.name, column);
                assert!(tax || !content.contains(&mark), "{name} has {mark}");
            }
        }
        assert!(!content.contains("ann@example.com"), "{name}");
        assert!(!content.contains("1 Moi Avenue") || name.contains(".db"), "{name}");
    }
}

/// A fresh dump of a PostgreSQL database has what tax law keeps, and nothing else. SQLite's file is looked at as it is.
fn no_dump_has_it(world: &World, kept: &[String]) {
    let Some(programs) = find_programs().filter(|_| world.database.kind == Kind::Postgres) else { return };
    let at: PgConnectOptions = world.database.migration_url.parse().unwrap();
    let host = at.get_socket().map_or_else(|| at.get_host().to_owned(), |socket| socket.display().to_string());
    let (port, database) = (at.get_port().to_string(), at.get_database().unwrap());
    let arguments = ["--host", host.as_str(), "--port", port.as_str(), "--username", at.get_username(), database];
    // A folder of links to the server's programs alone has none; then it is a program like any other.
    let program = Some(programs.join("pg_dump")).filter(|path| path.exists()).unwrap_or_else(|| "pg_dump".into());
    let dump = Command::new(program).args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(dump.status.success(), "{}", dump.status);
    let dump = String::from_utf8(dump.stdout).unwrap();
    assert!(dump.contains("COPY public.invoices ("), "it has the tables");
    let left: Vec<&str> =
        dump.lines().filter(|line| line.contains("canary.") && kept.iter().all(|mark| !line.contains(mark.as_str()))).collect();
    assert_eq!(left, [""; 0]);
    for mark in kept {
        assert!(dump.contains(mark.as_str()), "{mark} is kept");
    }
    for gone in ["ann@example.com", "other@example.com", PHONE, TAX_ID] {
        assert!(!dump.contains(gone), "{gone}");
    }
}

/// Nobody comes in any more, and staff see what is kept.
async fn is_a_tombstone(world: &World, server: &Server, life: &Life, invoice: &Value) {
    let input = json!({ "email": life.email, "password": PASSWORD });
    let refused = server.client().payload("signIn", input, "session { accessToken }").await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    let staff = signed_in(server, "admin@staff.example").await;
    let shown = "query($b: ID!, $i: ID!) { business(id: $b) { business { businessName } subscriptions { nodes { status } } }
                 node(id: $i) { ... on Invoice { number status billedTo { name taxId } } } }";
    let shown = staff.data(shown, json!({ "b": life.business, "i": invoice })).await;
    assert_eq!(shown["business"]["business"]["businessName"], "(erased)");
    let subscriptions = shown["business"]["subscriptions"]["nodes"].as_array().unwrap();
    assert_eq!(subscriptions.len(), 3);
    assert!(subscriptions.iter().all(|one| one["status"] == "CANCELED" || one["status"] == "EXPIRED"), "{shown:#}");
    assert_eq!((&shown["node"]["status"], &shown["node"]["billedTo"]["taxId"]), (&json!("PAID"), &json!(TAX_ID)));
    assert!(shown["node"]["billedTo"]["name"].as_str().unwrap().ends_with("ann Traders"));
    assert_eq!(world.number("select count(*) from users where full_name = '(erased)'").await, 1);
}

async fn a_business_with_open_money_is_not_erased(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let life = Life::lived(&world, &server, "ann").await;
    let scope = TenantScope::proved(BusinessId::parse(&life.business).unwrap());
    world.colleague(scope, Role::Admin, "admin@example.com").await;
    let admin = sign_in(server.client(), "signIn", "admin@example.com").await;
    let before = world.rows_of(life.business_uuid()).await;
    let ask = "mutation($p: String!) { eraseBusiness(input: { password: $p, confirm: \"ann Traders\" }) { erasedAt } }";
    assert_eq!(code(&admin.ask(ask, json!({ "p": PASSWORD })).await), "FORBIDDEN");
    for (confirm, password, refusal, field) in [
        ("ann", PASSWORD, "INVALID", json!(["input", "confirm"])),
        ("ann Traders", "another-password", "INVALID_CREDENTIALS", json!(["input", "password"])),
        ("ann Traders", PASSWORD, "NOT_ALLOWED", json!([])),
    ] {
        let refused = erase(&life.client, confirm, password).await;
        assert_eq!(refused["erasedAt"], Value::Null);
        let error = &refused["userErrors"][0];
        assert_eq!(
            (error["code"].as_str().unwrap(), error["field"].as_array().map_or(json!([]), |path| json!(path))),
            (refusal, field),
            "{refused:#}"
        );
    }
    assert_eq!(world.rows_of(life.business_uuid()).await, before);

    drop_unpaid(&world, &life).await;
    let erased = erase(&life.client, "ann Traders", PASSWORD).await;
    assert_eq!(erased["userErrors"], json!([]), "{erased:#}");
    world.run_due_jobs().await;
    assert_eq!(world.examine().await, [""; 0]);
}

async fn who_works_for_another_business_stays_there(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let (_, other) = register(&server, "ben").await;
    let scope = TenantScope::proved(BusinessId::parse(&other).unwrap());
    let user = world.read_texts("select email from users order by email").await;
    assert_eq!(user, ["ann@example.com", "ben@example.com"]);
    world.join(scope, Role::Member, "ann@example.com").await;
    assert_eq!(erase(&ann, "ann Traders", PASSWORD).await["userErrors"], json!([]));
    world.run_due_jobs().await;
    assert_eq!(world.read_texts("select full_name from users order by email").await, ["ann", "ben"]);
    let again = sign_in(server.client(), "signIn", "ann@example.com").await;
    let shown = again.data("{ viewer { user { fullName } business { businessName } } }", json!({})).await;
    assert_eq!(shown["viewer"], json!({ "user": { "fullName": "ann" }, "business": { "businessName": "ben Traders" } }));
}
