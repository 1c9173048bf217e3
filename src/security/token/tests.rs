use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use super::*;
use crate::config::KeyMaterial;
use crate::ids::{BusinessId, SessionId, StaffId, StaffSessionId, UserId};
use crate::security::random::SeededRng;

const SEED: [u8; 32] = [7; 32];
const ISSUER: &str = "https://billing.example.com";
const AUDIENCE: &str = "business-api";

fn key(seed: [u8; 32]) -> TokenKey {
    TokenKey::new(&KeyMaterial::from_bytes(seed)).unwrap()
}

fn issuer_with(current: [u8; 32], previous: &[[u8; 32]], lifetime: Duration) -> TokenIssuer {
    let settings = TokenSettings { issuer: ISSUER.to_owned(), audience: AUDIENCE.to_owned(), lifetime };
    TokenIssuer::new(settings, key(current), previous.iter().copied().map(key).collect(), Arc::new(SeededRng::new(1)))
}

fn issuer() -> TokenIssuer {
    issuer_with(SEED, &[], Duration::from_mins(10))
}

fn now() -> Timestamp {
    "2027-01-31T09:00:00.5Z".parse().unwrap()
}

fn claims() -> AccessClaims {
    AccessClaims {
        user: UserId::from(Uuid::from_u128(1)),
        session: SessionId::from(Uuid::from_u128(2)),
        business: BusinessId::from(Uuid::from_u128(3)),
    }
}

fn after(seconds: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn good_header() -> Value {
    json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": key(SEED).id() })
}

fn good_body() -> Value {
    let AccessClaims { user, session, business } = claims();
    let iat = now().as_second();
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": user.to_string(), "sid": session.to_string(), "biz": business.to_string(),
            "iat": iat, "exp": iat + 600, "jti": "x" })
}

/// A token really signed with our key, whatever it says.
fn signed(header: &Value, body: &Value) -> String {
    let message = format!("{}.{}", part(header), part(body));
    let signature = SigningKey::from_bytes(&SEED).sign(message.as_bytes()).to_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn with(mut value: Value, name: &str, to: Value) -> Value {
    value[name] = to;
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

#[test]
fn a_token_says_who_is_signed_in_until_it_expires() {
    let (token, expires_at) = issuer().issue(&claims(), now()).unwrap();
    assert_eq!(expires_at.to_string(), "2027-01-31T09:10:00Z");
    assert!(token.len() < 700, "{}", token.len());
    let verified = issuer().verify(&token, now()).unwrap();
    assert_eq!(verified.claims, claims());
    assert_eq!(verified.expires_at, expires_at);
    assert!(issuer().verify(&token, after(599)).is_ok());
    assert_eq!(issuer().verify(&token, after(600)), Err(InvalidToken));
    assert_eq!(issuer().verify(&token, after(1_000_000)), Err(InvalidToken));
}

#[test]
fn a_token_that_is_remembered_still_expires_and_vouches_for_no_other() {
    let issuer = issuer();
    let (token, expires) = issuer.issue(&claims(), now()).unwrap();
    assert_eq!(issuer.verify(&token, now()), issuer.verify(&token, now()));
    assert!(issuer.verify(&token, now()).is_ok());
    assert_eq!(issuer.verify(&token, expires), Err(InvalidToken));
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    let (other, _) = issuer_with([8; 32], &[], Duration::from_mins(10)).issue(&claims(), now()).unwrap();
    let (_, other_signature) = other.rsplit_once('.').unwrap();
    assert_eq!(issuer.verify(&format!("{unsigned}.{other_signature}"), now()), Err(InvalidToken));
    assert_eq!(issuer.verify(&format!("{unsigned}."), now()), Err(InvalidToken));
}

#[test]
fn two_tokens_of_one_session_have_different_names() {
    let issuer = issuer();
    let name = || issuer.verify(&issuer.issue(&claims(), now()).unwrap().0, now()).unwrap().token_id;
    assert_ne!(name(), name());
}

#[test]
fn no_token_lasts_longer_than_15_minutes() {
    let (token, expires_at) = issuer_with(SEED, &[], Duration::from_hours(24)).issue(&claims(), now()).unwrap();
    assert_eq!(expires_at.to_string(), "2027-01-31T09:15:00Z");
    assert_eq!(issuer().verify(&token, after(900)), Err(InvalidToken));
    let iat = now().as_second();
    let long = signed(&good_header(), &with(good_body(), "exp", json!(iat + 901)));
    assert_eq!(issuer().verify(&long, now()), Err(InvalidToken));
}

#[test]
fn a_token_from_a_clock_up_to_a_minute_ahead_is_good_and_no_further() {
    let (token, _) = issuer().issue(&claims(), after(60)).unwrap();
    assert!(issuer().verify(&token, now()).is_ok());
    let (token, _) = issuer().issue(&claims(), after(61)).unwrap();
    assert_eq!(issuer().verify(&token, now()), Err(InvalidToken));
}

#[test]
fn after_a_rotation_tokens_of_the_previous_key_are_still_good_and_of_older_ones_not() {
    let (token, _) = issuer().issue(&claims(), now()).unwrap();
    let rotated = issuer_with([8; 32], &[SEED], Duration::from_mins(10));
    assert_eq!(rotated.verify(&token, now()).unwrap().claims, claims());
    let (newer, _) = rotated.issue(&claims(), now()).unwrap();
    assert!(rotated.verify(&newer, now()).is_ok());
    assert_eq!(issuer().verify(&newer, now()), Err(InvalidToken), "the new key is not known to the old list");
    assert_eq!(issuer_with([9; 32], &[[8; 32]], Duration::from_mins(10)).verify(&token, now()), Err(InvalidToken));
}

#[test]
fn the_hostile_tokens_below_fail_for_what_is_changed_alone() {
    let token = signed(&good_header(), &good_body());
    assert_eq!(issuer().verify(&token, now()).unwrap().claims, claims());
}

#[test]
fn a_signed_token_with_a_wrong_or_missing_claim_is_refused() {
    let iat = now().as_second();
    let bad = [
        with(good_body(), "iss", json!("https://evil.example.com")),
        with(good_body(), "iss", json!("https://billing.example.com/")),
        with(good_body(), "aud", json!("staff-api")),
        with(good_body(), "aud", json!(["staff-api"])),
        with(good_body(), "sub", json!(claims().session.to_string())),
        with(good_body(), "sub", json!("usr_")),
        with(good_body(), "biz", Value::Null),
        with(good_body(), "exp", json!(iat)),
        with(good_body(), "exp", json!(i64::MAX)),
        with(good_body(), "exp", json!(u64::MAX)),
        with(good_body(), "exp", json!(1e300)),
        with(good_body(), "exp", json!("never")),
        with(good_body(), "iat", json!(iat + 61)),
        with(good_body(), "iat", json!(i64::MIN)),
        json!([]),
        json!("text"),
    ];
    for body in bad {
        assert_eq!(issuer().verify(&signed(&good_header(), &body), now()), Err(InvalidToken), "{body}");
    }
    for name in ["iss", "aud", "sub", "sid", "biz", "iat", "exp", "jti"] {
        assert_eq!(issuer().verify(&signed(&good_header(), &without(good_body(), name)), now()), Err(InvalidToken), "no {name}");
    }
}

#[test]
fn a_signed_token_with_a_wrong_header_is_refused() {
    let bad = [
        with(good_header(), "typ", json!("JWT")),
        without(good_header(), "typ"),
        with(good_header(), "alg", json!("ES256")),
        with(good_header(), "alg", json!("RS256")),
        with(good_header(), "alg", json!("HS256")),
        with(good_header(), "alg", json!("none")),
        with(good_header(), "alg", json!("eddsa")),
        without(good_header(), "alg"),
        with(good_header(), "kid", json!("unknown")),
        with(good_header(), "kid", json!("../../dev/null")),
        with(good_header(), "kid", json!("")),
        without(good_header(), "kid"),
    ];
    for header in bad {
        assert_eq!(issuer().verify(&signed(&header, &good_body()), now()), Err(InvalidToken), "{header}");
    }
}

#[test]
fn a_token_without_a_signature_is_refused() {
    for algorithm in ["none", "None", "NONE", "nOnE", "EdDSA"] {
        let header = with(good_header(), "alg", json!(algorithm));
        for signature in ["", "AA", &URL_SAFE_NO_PAD.encode([0; 64])] {
            let token = format!("{}.{}.{signature}", part(&header), part(&good_body()));
            assert_eq!(issuer().verify(&token, now()), Err(InvalidToken), "{algorithm} {signature}");
        }
    }
}

#[test]
fn a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() {
    let public = SigningKey::from_bytes(&SEED).verifying_key().to_bytes();
    let header = with(good_header(), "alg", json!("HS256"));
    let message = format!("{}.{}", part(&header), part(&good_body()));
    for secret in [public.to_vec(), STANDARD.encode(public).into_bytes(), URL_SAFE_NO_PAD.encode(public).into_bytes(), Vec::new()] {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&secret).unwrap();
        mac.update(message.as_bytes());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
        assert_eq!(issuer().verify(&token, now()), Err(InvalidToken));
    }
}

#[test]
fn a_token_signed_with_another_key_is_refused_whatever_key_it_names_or_brings() {
    let attacker = SigningKey::from_bytes(&[66; 32]);
    let public = URL_SAFE_NO_PAD.encode(attacker.verifying_key().to_bytes());
    let own_jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": public });
    let headers = [
        good_header(),
        with(good_header(), "jwk", own_jwk),
        with(good_header(), "jku", json!("https://evil.example.com/jwks.json")),
        with(good_header(), "kid", json!(key([66; 32]).id())),
    ];
    for header in headers {
        let message = format!("{}.{}", part(&header), part(&good_body()));
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(attacker.sign(message.as_bytes()).to_bytes()));
        assert_eq!(issuer().verify(&token, now()), Err(InvalidToken), "{header}");
    }
}

#[test]
fn a_token_with_any_letter_changed_or_cut_off_is_refused() {
    let issuer = issuer();
    let (token, _) = issuer.issue(&claims(), now()).unwrap();
    for at in 0..token.len() {
        assert_eq!(issuer.verify(&token[..at], now()), Err(InvalidToken), "cut at {at}");
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(issuer.verify(std::str::from_utf8(&changed).unwrap(), now()), Err(InvalidToken), "changed at {at}");
    }
}

#[test]
fn what_is_no_token_at_all_is_refused() {
    let (token, _) = issuer().issue(&claims(), now()).unwrap();
    let bad = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "....".to_owned(),
        "null".to_owned(),
        "токен.от.врага".to_owned(),
        "\u{0}.\u{0}.\u{0}".to_owned(),
        "😀".repeat(400),
        format!("Bearer {token}"),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}="),
        format!("{token}.{token}"),
        token.replace('.', "。"),
        "A".repeat(1 << 20),
        format!("{token}{}", "A".repeat(1 << 20)),
        ".".repeat(1 << 20),
    ];
    for text in bad {
        assert_eq!(issuer().verify(&text, now()), Err(InvalidToken), "{}", text.chars().take(40).collect::<String>());
    }
}

#[test]
fn a_well_signed_token_that_is_too_long_is_refused_before_it_is_read() {
    let padded = |letters| signed(&good_header(), &with(good_body(), "jti", json!("x".repeat(letters))));
    let fits = padded(1_000);
    assert!(fits.len() <= ACCESS_TOKEN_BYTES_MAX);
    assert!(issuer().verify(&fits, now()).is_ok());
    let exceeds = padded(1_600);
    assert!(exceeds.len() > ACCESS_TOKEN_BYTES_MAX);
    assert_eq!(issuer().verify(&exceeds, now()), Err(InvalidToken));
}

#[test]
fn debug_shows_no_signing_key() {
    let shown = format!("{:?}", issuer());
    assert!(shown.contains(key(SEED).id()) && !shown.contains("7, 7"), "{shown}");
}

#[test]
fn a_token_for_one_api_is_no_token_at_the_other() {
    let issuer = issuer();
    let staff = StaffClaims { staff: StaffId::from(Uuid::from_u128(4)), session: StaffSessionId::from(Uuid::from_u128(5)) };
    let (business_token, staff_token) = (issuer.issue(&claims(), now()).unwrap().0, issuer.issue_staff(&staff, now()).unwrap().0);
    assert_eq!(issuer.verify_staff(&staff_token, now()).unwrap().claims, staff);
    assert_eq!(issuer.verify(&staff_token, now()), Err(InvalidToken));
    assert_eq!(issuer.verify_staff(&business_token, now()), Err(InvalidToken));
    // Signed by us, for staff, and yet of a business.
    let odd = signed(&good_header(), &with(good_body(), "aud", json!(format!("{AUDIENCE}-staff"))));
    assert_eq!(issuer.verify_staff(&odd, now()), Err(InvalidToken));
}
