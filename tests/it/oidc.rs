//! Tokens of an identity provider: a real one (oidc-provider-mock, in a process of its own), and what somebody forges.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use evolve_business::adapters::oidc::{ASK_AGAIN_AFTER, OidcProvider};
use evolve_business::clock::{Clock as _, SystemClock};
use evolve_business::config::OidcSettings;
use evolve_business::error::UserErrorCode;
use evolve_business::ids::BusinessId;
use evolve_business::services::Ports;
use evolve_business::store::TenantScope;
use evolve_business::store::types::Role;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::refusals;
use crate::world_lives::register;
use crate::world_staff::code;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/oidc/server.py");
const VIEWER: &str = "{ viewer { role user { email } business { businessName } } sessions { id current userAgent } }";

both!(
    a_subject_is_linked_by_an_address_that_both_sides_know_to_be_theirs_and_stays_linked,
    whatever_is_wrong_with_a_token_answers_in_the_same_bytes,
    a_session_of_the_provider_is_listed_ended_and_never_becomes_one_of_ours,
    keys_are_rotated_and_outlive_a_provider_that_is_down,
    who_has_a_second_factor_here_has_shown_one_to_the_provider,
    many_requests_with_the_same_new_token_begin_one_session,
);

/// The provider; it ends when its standard input is closed, which is when the test ends.
struct Provider {
    child: Child,
    asks: Option<ChildStdin>,
    answers: std::io::Lines<BufReader<ChildStdout>>,
    issuer: String,
}

impl Provider {
    /// Starts one; `None`, said loudly, where there is none. Under CI that fails.
    fn start() -> Option<Self> {
        let python = std::env::var("EVOLVE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let found = Command::new(&python).args(["-c", "import oidc_provider_mock"]).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("CI").is_none(), "no oidc-provider-mock under CI: {python} does not know it");
            let line = format!(
                "\n!!! SKIPPED: a test of OIDC did nothing: {python} has no oidc-provider-mock; name one that has by EVOLVE_TEST_PYTHON.\n\n"
            );
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
        let mut command = Command::new(python);
        let mut child = command.arg(SERVER).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = answers.next().unwrap().unwrap();
        let issuer = format!("http://127.0.0.1:{}", first.strip_prefix("port ").unwrap());
        let asks = child.stdin.take();
        Some(Self { child, asks, answers, issuer })
    }

    fn asked(&mut self, what: &Value) -> String {
        let mut asks = self.asks.as_ref().unwrap();
        asks.write_all(format!("{what}\n").as_bytes()).unwrap();
        asks.flush().unwrap();
        serde_json::from_str(&self.answers.next().unwrap().unwrap()).unwrap()
    }

    /// Says what it knows of a subject.
    fn knows(&mut self, subject: &str, claims: &Value) {
        self.asked(&json!({ "do": "knows", "sub": subject, "claims": claims }));
    }

    /// The token of a subject who signs in there.
    fn token(&mut self, subject: &str) -> String {
        self.asked(&json!({ "do": "sign_in", "sub": subject }))
    }

    fn forge(&mut self, header: &Value, claims: &Value, key: &str) -> String {
        self.asked(&json!({ "do": "forge", "header": header, "claims": claims, "key": key }))
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.asks.take());
        // One that has ended already is what is wanted.
        drop(self.child.wait());
    }
}

/// What Ann's provider says of her.
fn ann() -> Value {
    json!({ "email": "ann@example.com", "email_verified": true })
}

/// A world that believes a provider, whose clock is real.
async fn believing(db: TestDatabase, provider: &Provider) -> (World, Server) {
    let mut world = World::at(db, &SystemClock.now().to_string()).await;
    let settings = OidcSettings {
        issuer: provider.issuer.clone(),
        audiences: vec!["billing".to_owned()],
        algorithms: ["RS256", "ES256", "EdDSA"].map(str::to_owned).to_vec(),
        ca_file: None,
    };
    let mut parts = world.parts(Arc::new(world.gateway.clone()));
    parts.oidc = Some(OidcProvider::new(&settings, None, world.clock.clone()).unwrap());
    world.ports = Ports::new(parts);
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    (world, server)
}

/// Whoever shows this token.
fn shower(server: &Server, token: &str) -> Client {
    server.holder(&json!(token))
}

/// The same, with the header that names a business.
fn acting_for(client: &Client, business: &str) -> Client {
    let mut acting = client.clone();
    acting.about = Some(business.to_owned());
    acting
}

/// Ann, whose address both sides know, and her business.
async fn known_ann(world: &World, server: &Server, provider: &mut Provider) -> (Client, String) {
    let (client, business) = register(server, "ann").await;
    world.try_sql("update users set email_verified_at = created_at").await.unwrap();
    provider.knows("ann-7", &ann());
    (client, business)
}

async fn is_refused(client: &Client) -> bool {
    let answer = client.ask(VIEWER, json!({})).await;
    answer["errors"].is_array() && code(&answer) == "UNAUTHENTICATED"
}

async fn a_subject_is_linked_by_an_address_that_both_sides_know_to_be_theirs_and_stays_linked(db: TestDatabase) {
    let Some(mut provider) = Provider::start() else { return };
    let (world, server) = believing(db, &provider).await;
    let (_, business) = register(&server, "ann").await;
    provider.knows("ann-7", &ann());
    let at_provider_alone = shower(&server, &provider.token("ann-7"));
    assert!(is_refused(&at_provider_alone).await, "somebody may have registered with an address of another");
    world.try_sql("update users set email_verified_at = created_at").await.unwrap();
    for said in [json!(false), json!("true"), json!(null)] {
        provider.knows("ann-8", &json!({ "email": "ann@example.com", "email_verified": said }));
        assert!(is_refused(&shower(&server, &provider.token("ann-8"))).await, "{said}");
    }
    assert_eq!(world.number("select count(*) from external_identities").await, 0);
    assert_eq!(world.number("select count(*) from external_sessions").await, 0);

    let seen = at_provider_alone.data(VIEWER, json!({})).await;
    assert_eq!(seen["viewer"]["user"]["email"], "ann@example.com");
    assert_eq!((&seen["viewer"]["role"], &seen["viewer"]["business"]["businessName"]), (&json!("OWNER"), &json!("ann Traders")));
    world.run_due_jobs().await;
    assert!(world.subjects_to("ann@example.com").contains(&"You can sign in by your organization's account".to_owned()));
    let audited = world.read_texts("select details from audit_events where action = 'user.identity_linked'").await;
    assert_eq!(audited, [json!({ "issuer": provider.issuer }).to_string()]);

    // From now on she is her subject, whatever becomes of the address; and nobody else gets her place by it.
    provider.knows("ann-7", &json!({ "email": "new@example.com", "email_verified": false }));
    provider.knows("ann-9", &ann());
    let again = shower(&server, &provider.token("ann-7")).data(VIEWER, json!({})).await;
    assert_eq!(again["viewer"]["user"]["email"], "ann@example.com");
    assert!(is_refused(&shower(&server, &provider.token("ann-9"))).await);
    assert_eq!(world.number("select count(*) from external_identities").await, 1);
    // Where an account is made anew there, the operator lets it in.
    world.accounts().unlink_identity("Ann@example.com").await.unwrap();
    assert!(is_refused(&at_provider_alone).await, "its sessions are over");
    let nine = shower(&server, &provider.token("ann-9"));
    assert_eq!(nine.data(VIEWER, json!({})).await["viewer"]["user"]["email"], "ann@example.com");
    assert!(is_refused(&shower(&server, &provider.token("ann-7"))).await);
    for (email, code) in [("nobody@example.com", UserErrorCode::NotFound), ("ben@example.com", UserErrorCode::NoChange)] {
        if code == UserErrorCode::NoChange {
            register(&server, "ben").await;
        }
        assert_eq!(refusals(world.accounts().unlink_identity(email).await)[0].1, code);
    }
    // Who leaves the business is nobody here.
    let scope = TenantScope::proved(BusinessId::parse(&business).unwrap());
    world.colleague(scope, Role::Owner, "zoe@example.com").await;
    world.try_sql("delete from members where user_id in (select user_id from external_identities)").await.unwrap();
    assert!(is_refused(&nine).await);
}

async fn whatever_is_wrong_with_a_token_answers_in_the_same_bytes(db: TestDatabase) {
    let Some(mut provider) = Provider::start() else { return };
    let (world, server) = believing(db, &provider).await;
    known_ann(&world, &server, &mut provider).await;
    let now = world.clock.now().as_second();
    let good = json!({
        "iss": provider.issuer, "aud": ["billing"], "sub": "ann-7", "iat": now - 5, "exp": now + 600,
        "email": "ann@example.com", "email_verified": true,
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let mut stranger = with("sub", json!("zoe-1"));
    stranger["email"] = json!("zoe@example.com");
    let key = provider.asked(&json!({ "do": "published" }));
    let own = json!({ "alg": "RS256", "kid": key });
    let nobody = server.holder(&json!("no-token")).raw(VIEWER, &json!({})).await;
    assert!(nobody.1.contains("UNAUTHENTICATED"), "{nobody:?}");
    let elsewhere = {
        let (ben, business) = register(&server, "ben").await;
        assert!(ben.data(VIEWER, json!({})).await["viewer"].is_object());
        business
    };
    for (what, header, claims, key) in [
        ("none", json!({ "alg": "none", "kid": key }), good.clone(), "none"),
        ("NONE", json!({ "alg": "NONE" }), good.clone(), "none"),
        ("the public key as a secret", json!({ "alg": "HS256", "kid": key }), good.clone(), "public"),
        ("the public key under the right name", own.clone(), good.clone(), "public"),
        ("no signature", own.clone(), good.clone(), "none"),
        ("another's key", own.clone(), good.clone(), "other"),
        ("an unknown key", json!({ "alg": "RS256", "kid": "unknown" }), good.clone(), "other"),
        ("an algorithm that is not pinned", json!({ "alg": "PS256", "kid": key }), good.clone(), "own"),
        ("another issuer", own.clone(), with("iss", json!("https://id.example.com")), "own"),
        ("another audience", own.clone(), with("aud", json!("other")), "own"),
        ("no audience", own.clone(), with("aud", json!(null)), "own"),
        ("expired", own.clone(), with("exp", json!(now)), "own"),
        ("not yet good", own.clone(), with("nbf", json!(now + 3_600)), "own"),
        ("too long", own.clone(), with("exp", json!(now + 100_000)), "own"),
        ("huge", own.clone(), with("more", json!("x".repeat(10_000))), "own"),
        ("bound to a key", own.clone(), with("cnf", json!({ "jkt": "x" })), "own"),
        ("of logout", json!({ "alg": "RS256", "kid": key, "typ": "logout+jwt" }), good.clone(), "own"),
        ("nobody here", own.clone(), stranger, "own"),
    ] {
        let token = provider.forge(&header, &claims, key);
        assert_eq!(shower(&server, &token).raw(VIEWER, &json!({})).await, nobody, "{what}");
    }
    let token = provider.forge(&own, &good, "own");
    for named in [elsewhere.as_str(), "biz_00000000000000000000000000", "no business"] {
        let client = acting_for(&shower(&server, &token), named);
        assert_eq!(client.raw(VIEWER, &json!({})).await, nobody, "{named}");
    }
    assert_eq!(world.number("select count(*) from external_identities").await, 0, "nothing was begun by any of them");
    let mut staff = server.staff();
    staff.token = Some(token.clone());
    assert_eq!(code(&staff.ask("{ staffViewer { id } }", json!({})).await), "UNAUTHENTICATED", "staff have a door of their own");
    assert!(shower(&server, &token).data(VIEWER, json!({})).await["viewer"].is_object(), "and it is a good one");
}

async fn a_session_of_the_provider_is_listed_ended_and_never_becomes_one_of_ours(db: TestDatabase) {
    let Some(mut provider) = Provider::start() else { return };
    let (world, server) = believing(db, &provider).await;
    let (_, first) = known_ann(&world, &server, &mut provider).await;
    let (_, second) = register(&server, "ben").await;
    let scope = TenantScope::proved(BusinessId::parse(&second).unwrap());
    world.join(scope, Role::Member, "ann@example.com").await;
    let token = provider.token("ann-7");
    let client = shower(&server, &token);
    // The header says for which business, and she has there the role that she has there.
    for (business, role) in [(&first, "OWNER"), (&second, "MEMBER")] {
        let client = acting_for(&client, business);
        assert_eq!(client.data(VIEWER, json!({})).await["viewer"]["role"], role);
    }
    let there = acting_for(&client, &second);
    let forbidden = there.ask("{ invoices { nodes { id } } }", json!({})).await;
    assert_eq!(code(&forbidden), "FORBIDDEN");
    for (field, input, selection) in [
        ("switchBusiness", json!({ "businessId": second }), "session { accessToken }"),
        (
            "createBusiness",
            json!({ "businessName": "Third", "businessEmail": "third@example.com", "industry": "Retail", "companySize": "SIZE_1", "country": "KE", "postalCode": "00100" }),
            "session { accessToken } business { id }",
        ),
    ] {
        let refused = client.payload(field, input, selection).await;
        assert_eq!((&refused["session"], &refused["userErrors"][0]["code"]), (&json!(null), &json!("NOT_ALLOWED")), "{field}: {refused}");
    }
    assert_eq!(world.number("select count(*) from businesses").await, 2);

    let seen = client.data(VIEWER, json!({})).await;
    let sessions = seen["sessions"].as_array().unwrap();
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    let current = sessions.iter().find(|session| session["current"] == true).unwrap()["id"].clone();
    client.data(VIEWER, json!({})).await;
    assert_eq!(world.number("select count(*) from external_sessions").await, 2, "one in each business, however often it is shown");
    client.mutate("revokeSession", json!({ "sessionId": current }), "revokedId").await;
    assert!(is_refused(&client).await, "the token is over here, though it is not there");
    assert!(!is_refused(&there).await, "in the other business it goes on");
    let next = shower(&server, &provider.token("ann-7"));
    assert!(!is_refused(&next).await, "who signs in there again comes in");
    next.mutate("signOut", json!({ "everywhere": true }), "__typename").await;
    for client in [&next, &there] {
        assert!(is_refused(client).await);
    }
    // What the provider calls one session is one here, whatever token carries it.
    provider.knows("ann-7", &json!({ "sid": "s-1" }));
    let (one, other) = (shower(&server, &provider.token("ann-7")), shower(&server, &provider.token("ann-7")));
    assert!(!is_refused(&one).await && !is_refused(&other).await);
    one.mutate("signOut", json!({}), "__typename").await;
    assert!(is_refused(&other).await && is_refused(&shower(&server, &provider.token("ann-7"))).await);
    // A token is good until its end, and its session with it.
    provider.knows("ann-7", &json!({ "sid": "s-2" }));
    let last = shower(&server, &provider.token("ann-7"));
    assert!(!is_refused(&last).await);
    world.advance(SignedDuration::from_mins(61));
    assert!(is_refused(&last).await);
}

async fn keys_are_rotated_and_outlive_a_provider_that_is_down(db: TestDatabase) {
    let Some(mut provider) = Provider::start() else { return };
    let (world, server) = believing(db, &provider).await;
    known_ann(&world, &server, &mut provider).await;
    let old = shower(&server, &provider.token("ann-7"));
    assert!(!is_refused(&old).await);
    provider.asked(&json!({ "do": "rotate" }));
    let named = json!({ "alg": "RS256", "kid": provider.asked(&json!({ "do": "published" })) });
    let now = world.clock.now().as_second();
    let claims = json!({ "iss": provider.issuer, "aud": "billing", "sub": "ann-7", "iat": now, "exp": now + 80_000 });
    let new = shower(&server, &provider.forge(&named, &claims, "own"));
    assert!(is_refused(&new).await, "the keys were asked for a moment ago");
    world.advance(ASK_AGAIN_AFTER);
    assert!(!is_refused(&new).await);
    assert!(is_refused(&old).await, "its key was taken back");
    drop(provider);
    world.advance(SignedDuration::from_hours(20));
    assert!(!is_refused(&new).await);
    // Nobody can tell any more whether a token is good: that is a fault, and not for whoever shows one to put right.
    world.advance(SignedDuration::from_hours(4));
    assert_eq!(code(&new.ask(VIEWER, json!({})).await), "INTERNAL");
    assert_eq!(code(&shower(&server, "no-token").ask(VIEWER, json!({})).await), "UNAUTHENTICATED");
    let (ours, _) = register(&server, "ben").await;
    assert!(ours.data(VIEWER, json!({})).await["viewer"].is_object(), "our own tokens ask nobody");
}

async fn who_has_a_second_factor_here_has_shown_one_to_the_provider(db: TestDatabase) {
    let Some(mut provider) = Provider::start() else { return };
    let (world, server) = believing(db, &provider).await;
    known_ann(&world, &server, &mut provider).await;
    world.try_sql("update users set two_factor_at = created_at").await.unwrap();
    let client = shower(&server, &provider.token("ann-7"));
    assert!(is_refused(&client).await);
    assert_eq!(world.number("select count(*) from external_identities").await, 0, "what is refused links nobody");
    let mut claims = ann();
    claims["amr"] = json!(["pwd", "otp", "mfa"]);
    provider.knows("ann-7", &claims);
    assert!(!is_refused(&shower(&server, &provider.token("ann-7"))).await);
    provider.knows("ann-7", &ann());
    assert!(is_refused(&shower(&server, &provider.token("ann-7"))).await, "each time anew");
}

async fn many_requests_with_the_same_new_token_begin_one_session(db: TestDatabase) {
    let Some(mut provider) = Provider::start() else { return };
    let (world, server) = believing(db, &provider).await;
    known_ann(&world, &server, &mut provider).await;
    let client = shower(&server, &provider.token("ann-7"));
    let all = futures::future::join_all((0..20).map(|_| client.data(VIEWER, json!({})))).await;
    let current: std::collections::BTreeSet<String> = all
        .iter()
        .flat_map(|seen| seen["sessions"].as_array().unwrap())
        .filter(|session| session["current"] == true)
        .map(|session| session["id"].to_string())
        .collect();
    assert_eq!(current.len(), 1);
    assert_eq!(world.number("select count(*) from external_sessions").await, 1);
    assert_eq!(world.number("select count(*) from audit_events where action = 'user.identity_linked'").await, 1);
    world.run_due_jobs().await;
    assert_eq!(world.examine().await, [""; 0]);
}
