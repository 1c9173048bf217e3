//! Tokens that are missing, spent or forged: none is taken for good, and none for nobody's.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evolve_business::security::keys::Keys;
use evolve_business::security::random::SystemRng;
use evolve_business::security::token::{TokenIssuer, TokenSettings};
use hmac::{Hmac, Mac as _};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{JSON, RESPONSE, Raw, lived, tells_nothing};
use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::PASSWORD;

both!(a_token_that_is_not_good_is_refused_whatever_is_asked, a_session_that_was_revoked_reads_nothing_more);

const CHANGE: &str = "mutation { updateProfile(input: { city: \"Changed\" }) { userErrors { code } } }";

/// The token with its header changed and signed with HMAC by `key`.
fn signed_by_hmac(token: &str, algorithm: &str, key: &[u8]) -> String {
    let mut parts = token.split('.');
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap();
    header["alg"] = json!(algorithm);
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), parts.next().unwrap());
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The same claims, signed by a key of somebody else's.
fn by_another_key(world: &World, token: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::load_or_create(folder.path(), &SystemRng).unwrap();
    let settings =
        TokenSettings { issuer: "evolve-business".into(), audience: "evolve-business".into(), lifetime: Duration::from_mins(15) };
    let other = TokenIssuer::new(settings, keys.token, Vec::new(), Arc::new(SystemRng));
    let claims = world.ports.tokens.verify(token, world.ports.now()).unwrap().claims;
    other.issue(&claims, world.ports.now()).unwrap().0
}

/// The answer must be that nobody is signed in, in both media types.
async fn is_refused(server: &Server, what: &str, token: &str) {
    for document in [CHANGE, "{ products { code } }"] {
        for accept in [RESPONSE, JSON] {
            let raw = Raw::of(json!({ "query": document }).to_string());
            let (status, body) = raw.send(server, Some(token), accept).await;
            tells_nothing(what, &body);
            let answer: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")), "{what}: {body}");
            assert!(answer.get("data").is_none(), "{what}: {body}");
        }
    }
}

async fn a_token_that_is_not_good_is_refused_whatever_is_asked(db: TestDatabase) {
    let (world, server, life) = lived(db).await;
    let before = world.rows_of(life.business_uuid()).await;
    let good = life.client.token.clone().unwrap();
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let mut says: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    says["exp"] = json!(32_503_680_000_i64);
    let longer = URL_SAFE_NO_PAD.encode(says.to_string());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let other = by_another_key(&world, &good);
    let others: Vec<&str> = other.split('.').collect();
    for (what, token) in [
        ("no token at all", String::new()),
        ("a word", "token".to_owned()),
        ("three words", "a.b.c".to_owned()),
        ("30,000 characters", "x".repeat(30_000)),
        ("one character more", format!("{good}A")),
        ("no signature", format!("{header}.{claims}.")),
        ("claims that were changed", format!("{header}.{longer}.{signature}")),
        ("the algorithm none", format!("{none}.{claims}.")),
        ("another key", other.clone()),
        ("another key under the good one's name", format!("{header}.{}.{}", others[1], others[2])),
        ("HS256 with nothing for a key", signed_by_hmac(&good, "HS256", b"")),
        ("HS256 with a guessed key", signed_by_hmac(&good, "HS256", b"secret")),
        ("HMAC that calls itself EdDSA", signed_by_hmac(&good, "EdDSA", b"secret")),
    ] {
        is_refused(&server, what, &token).await;
    }
    let http = reqwest::Client::new();
    for (what, headers) in [
        ("two headers", vec![format!("Bearer {good}"), format!("Bearer {good}")]),
        ("Basic", vec!["Basic YW5uOnBhc3N3b3Jk".to_owned()]),
        ("no scheme", vec![good.clone()]),
    ] {
        let mut request = http.post(format!("{}/graphql", server.url)).header("accept", RESPONSE);
        for value in headers {
            request = request.header("authorization", value);
        }
        let answer = request.json(&json!({ "query": CHANGE })).send().await.unwrap();
        assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{what}");
        assert_eq!(answer.status(), 401, "{what}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{what}");
    }
    // Nobody may read what is public, and nothing else.
    let nobody = server.client();
    assert_eq!(nobody.data("{ products { code } }", json!({})).await["products"].as_array().unwrap().len(), 3);
    for document in
        [CHANGE, "{ profile { id } }", "{ invoices { nodes { id } } }", "{ subscriptions { nodes { id } } }", "{ sessions { id } }"]
    {
        let answer = nobody.ask(document, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{document}: {answer}");
    }
    assert_eq!(world.rows_of(life.business_uuid()).await, before);

    // A quarter of an hour later the good one is none any more.
    world.advance(SignedDuration::from_mins(14));
    life.client.data("{ profile { id } }", json!({})).await;
    world.advance(SignedDuration::from_mins(2));
    is_refused(&server, "expired", &good).await;
}

async fn a_session_that_was_revoked_reads_nothing_more(db: TestDatabase) {
    let (world, server, life) = lived(db).await;
    let mut second = server.client();
    let input = json!({ "email": life.email, "password": PASSWORD });
    let came = second.mutate("signIn", input, "session { accessToken refreshToken }").await;
    second.token = Some(came["session"]["accessToken"].as_str().unwrap().to_owned());
    let sessions = second.data("{ sessions { id current } }", json!({})).await;
    let current = sessions["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap()["id"].clone();
    life.client.mutate("revokeSession", json!({ "sessionId": current }), "revokedId").await;
    let before = world.rows_of(life.business_uuid()).await;
    for document in [CHANGE, "{ profile { id } }", "{ invoices { nodes { id } } }", "{ subscription { id } }", "{ viewer { role } }"] {
        let answer = second.ask(document, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{document}: {answer}");
        assert!(answer["data"].as_object().unwrap().values().all(Value::is_null), "{document}: {answer}");
    }
    let refresh = json!({ "refreshToken": came["session"]["refreshToken"] });
    let spent = server.client().payload("refreshSession", refresh, "session { accessToken }").await;
    assert_eq!(spent["session"], Value::Null, "{spent}");
    assert_eq!(world.rows_of(life.business_uuid()).await, before);
}
