//! The closed list of codes, and one answer of each as a client reads it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use evolve_business::app::App;
use evolve_business::error::Code;
use evolve_business::graphql::front_door::Limits;
use evolve_business::http::graphql;
use evolve_business::http::server::{self, ServerLimits};
use evolve_business::security::keys::Keys;
use evolve_business::security::password::{HashCost, HashLimits, Passwords};
use evolve_business::security::random::SystemRng;
use evolve_business::services::{Parts, Ports};
use evolve_business::store::TenantScope;
use evolve_business::store::types::Role;
use evolve_business::telemetry::Telemetry;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::PASSWORD;

both!(each_code_is_answered_as_it_always_was);

/// A server of these ports; answers its URL. It ends with the test's runtime.
async fn serve(world: &World, ports: Ports, settings: graphql::Settings) -> String {
    serve_app(house(world, ports, Limits::default()), settings).await
}

/// The house on these ports.
fn house(world: &World, ports: Ports, limits: Limits) -> App {
    let keys = Keys::load_or_create(world.database.dir.path(), &SystemRng).unwrap();
    App::of(ports, keys.cursor, Some(world.gateway.clone()), limits).unwrap()
}

async fn serve_app(app: App, settings: graphql::Settings) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    let router = app.router(settings, None, Vec::new());
    tokio::spawn(server::serve(listener, router, ServerLimits::default(), CancellationToken::new().cancelled_owned()));
    url
}

/// The same ports, with a hasher that has no room.
fn too_busy(ports: &Ports) -> Ports {
    let Parts {
        store, clock, ids, rng, tokens, master, previews, gateways, mailer, webhooks, documents, refresh_lifetime, sandbox, ..
    } = &**ports;
    Ports::new(Parts {
        store: store.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
        rng: rng.clone(),
        passwords: Passwords::new(HashCost::TEST, HashLimits { running: 0, waiting: 0 }, rng.clone()).unwrap(),
        tokens: Arc::clone(tokens),
        oidc: None,
        master: master.clone(),
        previews: previews.clone(),
        gateways: gateways.clone(),
        mailer: Arc::clone(mailer),
        documents: documents.clone(),
        scanner: None,
        public_url: "https://api.evolve.test".to_owned(),
        webhooks: webhooks.clone(),
        app_url: "https://app.evolve.test".to_owned(),
        support_email: None,
        trial_notice: jiff::SignedDuration::from_hours(3 * 24),
        refresh_lifetime: *refresh_lifetime,
        sandbox: *sandbox,
        work: tokio::sync::Notify::new(),
        telemetry: Telemetry::default(),
    })
}

/// What a client reads: the status, the headers that say what to do, and the body.
async fn answer(url: &str, token: Option<&str>, body: Value) -> String {
    let mut request = reqwest::Client::new().post(url).header("accept", "application/graphql-response+json");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.json(&body).send().await.unwrap();
    let mut shown = format!("{}\n", answer.status().as_u16());
    for name in ["content-type", "www-authenticate", "retry-after", "cache-control", "vary"] {
        if let Some(value) = answer.headers().get(name) {
            writeln!(shown, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["requestId"], id, "{body}");
    write!(shown, "{body:#}").unwrap();
    shown.replace(&id, "[request id]")
}

async fn each_code_is_answered_as_it_always_was(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let made = world.register("ann@example.com").await;
    let scope = made.caller.scope().unwrap();
    let member = token(&world, scope, Role::Member, "ben@example.com").await;
    let owner = token(&world, scope, Role::Owner, "cat@example.com").await;
    let url = serve(&world, world.ports.clone(), graphql::Settings::default()).await;
    let hasty = serve(&world, world.ports.clone(), graphql::Settings { time_limit: Duration::ZERO, ..graphql::Settings::default() }).await;
    let busy = serve(&world, too_busy(&world.ports), graphql::Settings::default()).await;
    let forgetful = house(&world, world.ports.clone(), Limits { kept_bytes: 0, ..Limits::default() });
    let forgetful = serve_app(forgetful, graphql::Settings::default()).await;
    let closed = house(&world, world.ports.clone(), Limits::default()).trusting(&[], true).unwrap();
    let closed = serve_app(closed, graphql::Settings::default()).await;

    let query = |text: &str| json!({ "query": text });
    let typed = json!({ "query": "query($first: Int) { invoices(first: $first) { nodes { id } } }", "variables": { "first": "ten" } });
    let deep = format!("{{ {}id{} }}", "invoices { nodes { subscription { ".repeat(8), " } } }".repeat(8));
    let sign_in = json!({
        "query": "mutation($input: SignInInput!) { signIn(input: $input) { userErrors { code } } }",
        "variables": { "input": { "email": "ann@example.com", "password": PASSWORD } },
    });
    let hash = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "0".repeat(64) } } });
    // So many readings, one after the other, that none is through within a tick of the timer.
    let long = (1..=20).map(|first| format!("a{first}: invoices(first: {first}) {{ nodes {{ id }} }}")).collect::<Vec<_>>().join(" ");
    let mut all = String::new();
    let asked = [
        ("GRAPHQL_PARSE_FAILED", &url, Some(&owner), query("{ profile { id }")),
        ("GRAPHQL_VALIDATION_FAILED", &url, Some(&owner), query("{ profile { secret } }")),
        ("BAD_USER_INPUT", &url, Some(&owner), typed),
        ("UNAUTHENTICATED", &url, Some(&"forged".to_owned()), query("{ profile { id } }")),
        ("FORBIDDEN", &url, Some(&member), query("{ invoices { nodes { id } } profile { businessName } }")),
        ("RATE_LIMITED", &busy, None, sign_in),
        ("COST_EXCEEDED", &url, Some(&owner), query(&deep)),
        ("PERSISTED_QUERY_NOT_FOUND", &url, Some(&owner), hash.clone()),
        ("PERSISTED_QUERY_NOT_SUPPORTED", &forgetful, Some(&owner), hash),
        ("DOCUMENT_NOT_TRUSTED", &closed, Some(&owner), query("{ profile { id } }")),
        ("TIMEOUT", &hasty, Some(&owner), query(&format!("{{ {long} }}"))),
    ];
    // A fault of ours comes below.
    let all_codes: BTreeSet<&str> = asked.iter().map(|(code, ..)| *code).chain(["INTERNAL"]).collect();
    assert_eq!(all_codes, Code::ALL.iter().map(|code| code.as_str()).collect());
    for (code, url, token, body) in asked {
        let shown = answer(url, token.map(String::as_str), body).await;
        assert!(shown.contains(&format!("\"code\": \"{code}\"")), "{code}: {shown}");
        write!(all, "== {code}\n{shown}\n\n").unwrap();
    }
    // A table that is gone is a fault of ours.
    world.run_sql("alter table payment_methods rename to gone").await;
    let shown = answer(&url, Some(&owner), query("{ paymentMethods { id } }")).await;
    write!(all, "== INTERNAL\n{shown}\n").unwrap();
    insta::assert_snapshot!("each_code", all);
}

#[test]
fn the_closed_list_of_codes_is_as_it_was_agreed() {
    let line = |code: &Code| format!("{} {} {}", code.as_str(), code.status(), code.meaning());
    insta::assert_snapshot!("codes", Code::ALL.iter().map(line).collect::<Vec<_>>().join("\n"));
    for code in Code::ALL {
        assert_eq!(Code::named(code.as_str()), Some(*code));
    }
    assert_eq!(Code::named("internal"), None);
}

/// A token of a colleague's.
async fn token(world: &World, scope: TenantScope, role: Role, email: &str) -> String {
    world.colleague(scope, role, email).await;
    let signed_in = world.sign_in(email, PASSWORD).await.unwrap();
    crate::world_accounts::shown(&signed_in.tokens.access_token)
}
