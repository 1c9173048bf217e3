//! Live updates between processes: two houses on one database, as two servers are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evolve_business::ids::BusinessId;
use evolve_business::services::live::look_back;
use evolve_business::store::live::{Change, Subject};
use evolve_business::worker::{Listener, ListenerSettings};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Server};
use crate::database::{Kind, TestDatabase};
use crate::world::World;
use crate::world_catalog::execute;
use crate::world_live::{Socket, until};
use crate::world_lives::register;

const NOW: &str = "2027-01-10T09:00:00Z";
const TICKETS: &str = "subscription { supportTicketChanged { id subject } }";

both!(
    a_change_at_one_server_reaches_who_listens_at_another,
    a_change_that_nobody_told_of_is_found_by_looking_back_and_told_once,
    a_connection_that_is_lost_loses_no_change,
);

/// Two processes, each with a listener of these settings.
struct Two {
    one: World,
    other: World,
    servers: (Server, Server),
    stop: CancellationToken,
}

impl Two {
    async fn on(db: TestDatabase, settings: ListenerSettings) -> Self {
        let beside =
            TestDatabase { url: db.url.clone(), migration_url: db.migration_url.clone(), kind: db.kind, dir: tempfile::tempdir().unwrap() };
        let one = World::at(db, NOW).await;
        // The keys that the first has made.
        copy_keys(one.database.dir.path(), beside.dir.path());
        let other = World::at(beside, NOW).await;
        let stop = CancellationToken::new();
        for world in [&one, &other] {
            tokio::spawn(Listener::new(world.ports.clone(), settings, stop.clone()).run());
        }
        let servers = (Server::start(&one).await, Server::start(&other).await);
        Self { one, other, servers, stop }
    }

    /// Registers ann at the one server, and has her listen at the other.
    async fn listening(&self) -> (Client, String, Socket) {
        let (ann, business) = register(&self.servers.0, "ann").await;
        let mut socket = Socket::of(&self.servers.1, &self.servers.1.holder(&json!(ann.token))).await;
        socket.listen(&self.other, 0, "1", TICKETS).await;
        (ann, business, socket)
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Copies what a process keeps its keys in.
fn copy_keys(from: &std::path::Path, to: &std::path::Path) {
    for file in std::fs::read_dir(from).unwrap().flatten() {
        let path = file.path();
        if path.is_dir() && file.file_name() == "keys" {
            std::fs::create_dir_all(to.join("keys")).unwrap();
            copy_keys(&path, &to.join("keys"));
        } else if path.extension().is_some_and(|end| end == "key") || from.ends_with("keys") {
            std::fs::copy(&path, to.join(file.file_name())).unwrap();
        }
    }
}

async fn ask_support(client: &Client, subject: &str) {
    client.mutate("openSupportTicket", json!({ "subject": subject, "body": "Why?" }), "ticket { id }").await;
}

/// Quick on SQLite too, where one server hears of another by looking back alone.
fn quick() -> ListenerSettings {
    ListenerSettings { look_back: Duration::from_millis(200), pause: Duration::from_millis(50) }
}

async fn a_change_at_one_server_reaches_who_listens_at_another(db: TestDatabase) {
    // On PostgreSQL looking back is too rare to help.
    let settings = if db.kind == Kind::Postgres { ListenerSettings::default() } else { quick() };
    let two = Two::on(db, settings).await;
    let (ann, _, mut socket) = two.listening().await;
    for number in 0..5 {
        let subject = format!("Question {number}");
        ask_support(&ann, &subject).await;
        let began = Instant::now();
        assert_eq!(socket.next_of("1").await["supportTicketChanged"]["subject"], subject);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    socket.is_silent().await;
}

async fn a_change_that_nobody_told_of_is_found_by_looking_back_and_told_once(db: TestDatabase) {
    let beside =
        TestDatabase { url: db.url.clone(), migration_url: db.migration_url.clone(), kind: db.kind, dir: tempfile::tempdir().unwrap() };
    let one = World::at(db, NOW).await;
    copy_keys(one.database.dir.path(), beside.dir.path());
    let other = World::at(beside, NOW).await;
    let (here, there) = (Server::start(&one).await, Server::start(&other).await);
    let (ann, _) = register(&here, "ann").await;
    ask_support(&ann, "Before anybody listened").await;
    let mut socket = Socket::of(&there, &there.holder(&json!(ann.token))).await;
    let since = other.ports.ids.next_uuid();
    socket.listen(&other, 0, "t", TICKETS).await;
    socket.listen(&other, 1, "n", "subscription { notificationAdded { kind } }").await;
    ask_support(&ann, "Unheard").await;
    one.run_due_jobs().await;
    socket.is_silent().await;
    look_back(&other.ports, since).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..2 {
        let heard = socket.hear().await;
        told.push(heard["payload"]["data"].to_string());
    }
    told.sort();
    assert!(told[0].contains("notificationAdded") && told[1].contains("Unheard"), "{told:?}");
    look_back(&other.ports, since).await.unwrap();
    socket.is_silent().await;
}

async fn a_connection_that_is_lost_loses_no_change(db: TestDatabase) {
    if db.kind != Kind::Postgres {
        return;
    }
    let url = db.migration_url.clone();
    let settings = ListenerSettings { look_back: Duration::from_hours(1), pause: Duration::from_millis(50) };
    let two = Two::on(db, settings).await;
    let (ann, business, mut socket) = two.listening().await;
    ask_support(&ann, "First").await;
    assert_eq!(socket.next_of("1").await["supportTicketChanged"]["subject"], "First");
    // Whoever listens is ended, and a change is made while nobody does.
    let ended = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'";
    execute(&url, Kind::Postgres, ended).await;
    ask_support(&ann, "Second").await;
    assert_eq!(socket.next_of("1").await["supportTicketChanged"]["subject"], "Second");
    ask_support(&ann, "Third").await;
    assert_eq!(socket.next_of("1").await["supportTicketChanged"]["subject"], "Third");

    // A word of what is not there tells nothing, and one that cannot be read does no harm.
    execute(&url, Kind::Postgres, "select pg_notify('evolve_live', 'no notice')").await;
    let business = BusinessId::parse(&business).unwrap();
    let hub = Arc::clone(two.other.ports.store.live());
    hub.spread(&[Change { business, subject: Subject::Ticket(uuid::Uuid::nil().into()), events: Vec::new() }]);
    until(|| hub.watchers() == 1).await;
    ask_support(&ann, "Fourth").await;
    assert_eq!(socket.next_of("1").await["supportTicketChanged"]["subject"], "Fourth");
    assert!(!two.one.ports.store.live().watched().iter().any(|(watched, _)| *watched == business));
}
