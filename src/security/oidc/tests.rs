use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::signing::Signer;
use super::token::{EXTERNAL_TOKEN_BYTES_MAX, Expected, Refused};
use super::{KEY_SET_BYTES_MAX, KeySet, NoKeys, algorithm_named, may_be_good};

/// The public halves of the keys beside it, of which `weak` has 1024 bits.
const KEYS: &str = include_str!("tests/keys.json");
const RSA: &[u8] = include_bytes!("tests/rsa.der");
const WEAK: &[u8] = include_bytes!("tests/weak.der");
const P256: &[u8] = include_bytes!("tests/p256.der");
const P384: &[u8] = include_bytes!("tests/p384.der");
const ISSUER: &str = "https://id.example.com";
/// In seconds since 1970.
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    at(NOW)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn expected(algorithms: &[&str]) -> Expected {
    Expected {
        issuer: ISSUER.to_owned(),
        audiences: vec!["billing".to_owned()],
        algorithms: algorithms.iter().map(|name| algorithm_named(name).unwrap()).collect(),
    }
}

/// What is expected where every algorithm is taken.
fn any() -> Expected {
    expected(&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"])
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "billing", "sub": "ann-7", "iat": NOW - 10, "exp": NOW + 3_600, "email": "ann@example.com", "email_verified": true })
}

/// The claims with one replaced, or taken away by null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

/// The keys of the files, and one of Ed25519.
fn keys() -> KeySet {
    let mut set: Value = serde_json::from_str(KEYS).unwrap();
    set["keys"].as_array_mut().unwrap().push(Signer::of("ed", 1).published());
    KeySet::parse(set.to_string().as_bytes()).unwrap()
}

fn signing(algorithm: Algorithm) -> (&'static str, EncodingKey) {
    match algorithm {
        Algorithm::ES256 => ("p256", EncodingKey::from_ec_der(P256)),
        Algorithm::ES384 => ("p384", EncodingKey::from_ec_der(P384)),
        Algorithm::EdDSA => ("ed", Signer::of("ed", 1).encoding()),
        _ => ("rsa", EncodingKey::from_rsa_der(RSA)),
    }
}

fn token(algorithm: Algorithm, claims: &Value) -> String {
    let (id, key) = signing(algorithm);
    encode(&Header { kid: Some(id.to_owned()), ..Header::new(algorithm) }, claims, &key).unwrap()
}

/// A token by hand: its header and claims as they are given, and some signature.
fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_by_each_algorithm_is_good_where_that_is_pinned_and_nowhere_else() {
    let names = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    for name in names {
        let token = token(algorithm_named(name).unwrap(), &claims());
        let read = keys().verify(&token, &expected(&[name]), now()).unwrap();
        assert_eq!(
            (read.subject.as_str(), read.verified_email.as_deref(), read.session),
            ("ann-7", Some("ann@example.com"), None),
            "{name}"
        );
        let others: Vec<&str> = names.into_iter().filter(|other| *other != name).collect();
        assert!(!may_be_good(&token, &expected(&others)), "{name}");
        assert_eq!(keys().verify(&token, &expected(&others), now()), Err(Refused::Bad), "{name}");
    }
}

#[test]
fn a_token_that_anybody_could_have_made_is_not_good() {
    let (public, good) = (serde_json::from_str::<Value>(KEYS).unwrap(), token(Algorithm::RS256, &claims()));
    let modulus = URL_SAFE_NO_PAD.decode(public["keys"][0]["n"].as_str().unwrap()).unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    // A public key is no secret: whoever signs with it by HMAC, in whatever form it is written, has shown nothing.
    for secret in [modulus.as_slice(), public["keys"][0]["n"].as_str().unwrap().as_bytes(), KEYS.as_bytes()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = Header { kid: Some("rsa".to_owned()), ..Header::new(algorithm) };
            let token = encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
            assert_eq!(keys().verify(&token, &any(), now()), Err(Refused::Bad), "{algorithm:?}");
        }
    }
    for (what, token) in [
        ("none", forged(&json!({ "alg": "none", "kid": "rsa" }), &claims(), b"")),
        ("None", forged(&json!({ "alg": "None", "kid": "rsa" }), &claims(), b"")),
        ("no algorithm", forged(&json!({ "kid": "rsa" }), &claims(), b"x")),
        ("no signature", forged(&json!({ "alg": "RS256", "kid": "rsa" }), &claims(), b"")),
        (
            "another's signature",
            forged(&json!({ "alg": "RS256", "kid": "rsa" }), &with("sub", json!("ben")), &URL_SAFE_NO_PAD.decode(parts[2]).unwrap()),
        ),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.x")),
        ("no token", "eyJ".to_owned()),
        ("nothing", String::new()),
        ("too long", format!("{}.{}.{}", parts[0], "A".repeat(EXTERNAL_TOKEN_BYTES_MAX), parts[2])),
    ] {
        assert_eq!(keys().verify(&token, &any(), now()), Err(Refused::Bad), "{what}");
    }
}

#[test]
fn a_key_serves_the_algorithms_of_its_kind_alone() {
    let of = |kid: Option<&str>, algorithm: Algorithm, key: &EncodingKey| {
        encode(&Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) }, &claims(), key).unwrap()
    };
    let rsa = EncodingKey::from_rsa_der(RSA);
    for (kid, token) in [
        // Named for a key of another kind, for none, for nobody's.
        ("p256", of(Some("p256"), Algorithm::RS256, &rsa)),
        ("ed", of(Some("ed"), Algorithm::RS256, &rsa)),
        ("unknown", of(Some("unknown"), Algorithm::RS256, &rsa)),
        ("../rsa", of(Some("../rsa"), Algorithm::RS256, &rsa)),
        // Too weak to be among the keys.
        ("weak", of(Some("weak"), Algorithm::RS256, &EncodingKey::from_rsa_der(WEAK))),
    ] {
        assert_eq!(keys().verify(&token, &any(), now()), Err(Refused::UnknownKey), "{kid}");
    }
    // A name may be left out where one key alone can be meant.
    assert!(keys().verify(&of(None, Algorithm::RS256, &rsa), &any(), now()).is_ok());
    let mut two: Value = serde_json::from_str(KEYS).unwrap();
    two["keys"][3] = two["keys"][0].clone();
    two["keys"][3]["kid"] = json!("other");
    let two = KeySet::parse(two.to_string().as_bytes()).unwrap();
    assert_eq!(two.verify(&of(None, Algorithm::RS256, &rsa), &any(), now()), Err(Refused::UnknownKey));
    assert!(two.verify(&of(Some("other"), Algorithm::RS256, &rsa), &any(), now()).is_ok());
    // A key that the issuer has for one algorithm is for no other.
    let mut only: Value = serde_json::from_str(KEYS).unwrap();
    only["keys"][0]["alg"] = json!("RS512");
    let only = KeySet::parse(only.to_string().as_bytes()).unwrap();
    assert_eq!(only.verify(&token(Algorithm::RS256, &claims()), &any(), now()), Err(Refused::UnknownKey));
    assert!(only.verify(&token(Algorithm::RS512, &claims()), &any(), now()).is_ok());
}

#[test]
fn a_token_for_another_or_of_another_is_not_good() {
    for (name, value) in [
        ("iss", json!("https://id.example.com/")),
        ("iss", json!("https://evil.example.com")),
        ("iss", json!([ISSUER])),
        ("iss", json!(null)),
        ("aud", json!("other")),
        ("aud", json!(["other", "billing-staff"])),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("sub", json!(null)),
        ("sub", json!("")),
        ("sub", json!("x".repeat(256))),
        ("sub", json!("ann\n7")),
        ("sub", json!(7)),
        ("exp", json!(null)),
        ("exp", json!("tomorrow")),
        ("exp", json!(i64::MAX)),
        ("exp", json!(NOW - 11)),
        ("iat", json!(null)),
        ("iat", json!(i64::MIN)),
        ("sid", json!("")),
        // Bound to a key that nobody has shown; of logout.
        ("cnf", json!({ "jkt": "x" })),
        ("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} })),
    ] {
        let token = token(Algorithm::ES256, &with(name, value.clone()));
        assert_eq!(keys().verify(&token, &any(), now()), Err(Refused::Bad), "{name}: {value}");
    }
    let several = token(Algorithm::ES256, &with("aud", json!(["other", "billing"])));
    assert!(keys().verify(&several, &any(), now()).is_ok());
}

#[test]
fn a_header_that_asks_for_more_than_is_known_is_not_good() {
    let (id, key) = signing(Algorithm::EdDSA);
    let of = |change: &dyn Fn(&mut Header)| {
        let mut header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::EdDSA) };
        change(&mut header);
        keys().verify(&encode(&header, &claims(), &key).unwrap(), &any(), now())
    };
    for kind in ["logout+jwt", "dpop+jwt", "JWE"] {
        assert_eq!(of(&|header| header.typ = Some(kind.to_owned())), Err(Refused::Bad), "{kind}");
    }
    for kind in [None, Some("JWT"), Some("jwt"), Some("at+jwt"), Some("application/at+jwt")] {
        assert!(of(&|header| header.typ = kind.map(str::to_owned)).is_ok(), "{kind:?}");
    }
    assert_eq!(of(&|header| header.crit = Some(vec!["b64".to_owned()])), Err(Refused::Bad));
    // Where a key lies is for us to know: what a token says of it is not read.
    assert!(of(&|header| header.jku = Some("http://127.0.0.1:1/keys".to_owned())).is_ok());
}

#[test]
fn a_token_is_good_from_its_start_less_a_minute_until_its_end() {
    let (from, until) = (NOW - 10, NOW + 3_600);
    let token = token(Algorithm::EdDSA, &claims());
    let read = keys().verify(&token, &any(), now()).unwrap();
    for (second, good) in [(from - 61, false), (from - 60, true), (until - 1, true), (until, false)] {
        assert_eq!(keys().verify(&token, &any(), at(second)).is_ok(), good, "{second}");
        assert_eq!(read.is_good_at(at(second)), good, "{second}");
    }
    assert_eq!(read.expires_at(), at(until));
    let later = super::tests::token(Algorithm::EdDSA, &with("nbf", json!(NOW + 100)));
    for (second, good) in [(NOW + 39, false), (NOW + 40, true)] {
        assert_eq!(keys().verify(&later, &any(), at(second)).is_ok(), good, "{second}");
    }
    // A day is the longest that one lasts.
    for (lasts, good) in [(86_400, true), (86_401, false)] {
        let token = super::tests::token(Algorithm::EdDSA, &with("exp", json!(NOW - 10 + lasts)));
        assert_eq!(keys().verify(&token, &any(), now()).is_ok(), good, "{lasts}");
    }
}

#[test]
fn what_is_said_of_a_person_is_taken_as_it_is_meant() {
    let read = |claims: &Value| keys().verify(&token(Algorithm::EdDSA, claims), &any(), now()).unwrap();
    for said in [json!(false), json!("true"), json!(1), json!(null), json!([true])] {
        assert_eq!(read(&with("email_verified", said.clone())).verified_email, None, "{said}");
    }
    for said in [json!(["ann@example.com"]), json!(null), json!(7)] {
        assert_eq!(read(&with("email", said.clone())).verified_email, None, "{said}");
    }
    for (said, several) in [(json!(["pwd", "mfa"]), true), (json!(["pwd"]), false), (json!("mfa"), false), (json!(null), false)] {
        assert_eq!(read(&with("amr", said.clone())).several_factors, several, "{said}");
    }
    assert_eq!(read(&with("sid", json!("s-1"))).session.as_deref(), Some("s-1"));
}

#[test]
fn keys_that_do_not_serve_are_passed_over_and_a_set_of_none_is_refused() {
    let good = Signer::of("ed", 1).published();
    let set = |keys: Vec<Value>| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    let changed = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    for (what, key) in [
        ("encrypts", changed("use", json!("enc"))),
        ("signs, and is no public one", changed("key_ops", json!(["sign"]))),
        ("of another algorithm's", changed("alg", json!("RS256"))),
        ("of an unknown algorithm's", changed("alg", json!("HS256"))),
        ("of another curve", changed("crv", json!("Ed448"))),
        ("of an unknown kind", changed("kty", json!("AKP"))),
        ("too short", changed("x", json!("AAAA"))),
        ("no text", changed("x", json!("!"))),
        // Points of order 1 and 4, for which zeros are a signature of one message in so many.
        ("the neutral point", changed("x", json!(format!("AQ{}", "A".repeat(41))))),
        ("a point of small order", changed("x", json!("A".repeat(43)))),
        ("a number for a name", changed("kid", json!(7))),
        ("a secret", json!({ "kty": "oct", "kid": "ed", "k": "c2VjcmV0", "alg": "HS256" })),
        ("no key", json!("ed")),
    ] {
        assert_eq!(set(vec![key.clone()]).map(drop), Err(NoKeys), "{what}");
        // Beside one that serves it does no harm.
        let beside = set(vec![key, good.clone()]).unwrap();
        assert!(beside.verify(&token(Algorithm::EdDSA, &claims()), &any(), now()).is_ok(), "{what}");
    }
    // Of two of the same name neither is believed.
    let mut other = Signer::of("ed", 2).published();
    other["alg"] = json!("EdDSA");
    let twice = set(vec![good.clone(), other]).unwrap();
    assert_eq!(twice.verify(&token(Algorithm::EdDSA, &claims()), &any(), now()), Err(Refused::UnknownKey));
    assert_eq!(set(vec![good.clone(); 65]).map(drop), Err(NoKeys), "too many");
    for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "<html>"] {
        assert_eq!(KeySet::parse(text.as_bytes()).map(drop), Err(NoKeys), "{text}");
    }
    let long = format!("{{\"keys\":[{good}],\"x\":\"{}\"}}", "a".repeat(KEY_SET_BYTES_MAX));
    assert_eq!(KeySet::parse(long.as_bytes()).map(drop), Err(NoKeys), "too long");
}
