//! What is read of bytes that anybody may send, each with what must hold of the reading: for `cargo fuzz`, and for the bounded
//! runs of `tests/properties/hostile.rs`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use evolve_business::adapters::payment::HeardOf;
use evolve_business::adapters::payment::mpesa::callback;
use evolve_business::config::KeyMaterial;
use evolve_business::graphql::scalars;
use evolve_business::http::graphql::reads_form;
use evolve_business::http::live::reads_message;
use evolve_business::ids::{BusinessId, InvoiceId, SessionId, UserId};
use evolve_business::security::access_key::AccessKey;
use evolve_business::security::cursor::CursorKey;
use evolve_business::security::oidc::{Expected, KeySet, algorithm_named};
use evolve_business::security::otp::Proof;
use evolve_business::security::random::SeededRng;
use evolve_business::security::token::{AccessClaims, LinkToken, RefreshToken, TokenIssuer, TokenKey, TokenSettings};
use jiff::Timestamp;
use rust_decimal::Decimal;
use uuid::Uuid;

/// When tokens are looked at.
const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
/// What stands between the parts of a form.
pub(crate) const BOUNDARY: &str = "evolve";

/// An issuer that nobody but itself has the key of, and a token of its.
pub(crate) fn issuer() -> &'static (TokenIssuer, String) {
    static ISSUER: OnceLock<(TokenIssuer, String)> = OnceLock::new();
    ISSUER.get_or_init(|| {
        let key = TokenKey::new(&KeyMaterial::from_bytes([7; 32])).expect("a key");
        let settings = TokenSettings { issuer: "evolve".into(), audience: "evolve".into(), lifetime: Duration::from_mins(15) };
        let issuer = TokenIssuer::new(settings, key, Vec::new(), Arc::new(SeededRng::new(1)));
        let one = Uuid::from_u128(1);
        let claims = AccessClaims { user: UserId::from(one), session: SessionId::from(one), business: BusinessId::from(one) };
        let token = issuer.issue(&claims, NOW).expect("a token").0;
        (issuer, token)
    })
}

/// What a provider publishes: the key of RFC 8037's example.
pub(crate) const PUBLISHED: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// A token that says what a good one would, with a signature of zeros.
pub(crate) const EXTERNAL: &str = concat!(
    "eyJhbGciOiJFZERTQSIsImtpZCI6Im9uZSJ9",
    ".eyJpc3MiOiJldm9sdmUiLCJhdWQiOiJldm9sdmUiLCJzdWIiOiJhbm4iLCJpYXQiOjE3OTk5OTk5OTAsImV4cCI6MTgwMDAwMDYwMH0",
    ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
);

/// The keys of a provider, and what its tokens must say.
fn provider() -> &'static (KeySet, Expected) {
    static PROVIDER: OnceLock<(KeySet, Expected)> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        let algorithms = algorithm_named("EdDSA").into_iter().collect();
        let expected = Expected { issuer: "evolve".into(), audiences: vec!["evolve".into()], algorithms };
        (KeySet::parse(PUBLISHED.as_bytes()).expect("keys"), expected)
    })
}

/// The key of cursors, and a cursor of a list.
pub(crate) fn cursor() -> (CursorKey, String) {
    let key = CursorKey::new(KeyMaterial::from_bytes([8; 32]));
    let cursor = key.seal("biz/invoices", &[1; 24]);
    (key, cursor)
}

/// Access tokens, refresh tokens, tokens of links, keys, codes: none but the issuer's own is good. Tokens of an identity provider, and the
/// keys that it publishes: no token is good by keys whose other halves nobody has.
pub(crate) fn tokens(data: &[u8]) {
    let (published, expected) = provider();
    if let Ok(keys) = KeySet::parse(data) {
        assert!(keys.verify(EXTERNAL, expected, NOW).is_err());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (issuer, good) = issuer();
    assert!(issuer.verify(text, NOW).is_err() || text == good, "a token was forged: {text}");
    assert!(issuer.verify_staff(text, NOW).is_err(), "a token of staff was forged: {text}");
    assert!(published.verify(text, expected, NOW).is_err(), "a token of the provider was forged: {text}");
    let _ = RefreshToken::parse(text);
    let _ = LinkToken::parse(text);
    let _ = Proof::parse(text);
    if AccessKey::parse(text).is_some() {
        assert!(AccessKey::is_meant(text));
    }
}

/// Ids: what is read is written again as it was.
pub(crate) fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(id) = InvoiceId::parse(text) {
        assert_eq!(id.to_string(), text, "one id has two texts");
    }
    let _ = BusinessId::parse(text);
}

/// Cursors: none but those that were sealed open, and in their own list alone.
pub(crate) fn cursors(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (key, good) = cursor();
    assert!(key.open("biz/invoices", text).is_none() || text == good, "a cursor was forged: {text}");
    assert!(key.open("other/invoices", text).is_none(), "a cursor opened in another list: {text}");
}

/// Forms with files: any body, with the boundary that is asked for.
pub(crate) fn forms(data: &[u8]) {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| tokio::runtime::Builder::new_current_thread().build().expect("a runtime"));
    let _ = runtime.block_on(reads_form(&format!("multipart/form-data; boundary={BOUNDARY}"), Bytes::copy_from_slice(data)));
    // And as the type itself.
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = runtime.block_on(reads_form(text, Bytes::from_static(b"--evolve--")));
    }
}

/// Messages of sockets: what is one is JSON of an object with a type.
pub(crate) fn messages(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if reads_message(text) {
        let read: serde_json::Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON was read: {text}"));
        assert!(read["type"].is_string(), "a message without a type was read: {text}");
    }
}

/// What M-Pesa tells of by itself, and whoever passes for it: what is read is short, and names something.
pub(crate) fn callbacks(data: &[u8]) {
    for of in [HeardOf::Charge, HeardOf::Status, HeardOf::Refund] {
        if let Some(heard) = callback::read(of, data) {
            assert!((1..=100).contains(&heard.reference.len()) && heard.code.len() <= 100, "it is kept as it came: {heard:?}");
            assert!(heard.amount_minor.is_none_or(|minor| minor >= 0), "money is never less than nothing: {heard:?}");
        }
    }
}

/// Decimals, dates, instants and the other scalars: what is read is what was written.
pub(crate) fn scalars(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = scalars::read_decimal(text) {
        let read: Decimal = read.parse().unwrap_or_else(|_| panic!("no decimal: {read}"));
        let given: Decimal = Decimal::from_str_exact(text).unwrap_or_else(|_| panic!("more digits than are kept: {text}"));
        assert_eq!(read, given, "a decimal was read as another");
    }
    if let Ok(day) = scalars::read_date(text) {
        assert_eq!(day.get().to_string(), text, "one day has two texts");
    }
    if let Ok(instant) = scalars::read_date_time(text) {
        let given: Timestamp = text.parse().unwrap_or_else(|_| panic!("no instant: {text}"));
        assert_eq!(instant.get(), given, "an instant was read as another");
    }
    if let Ok(number) = scalars::read_big_int(text) {
        assert_eq!(text.parse(), Ok(number), "a number was read as another");
    }
    let _ = scalars::read_currency(text);
    let _ = scalars::read_country(text);
    let _ = scalars::read_time_zone(text);
    let _ = scalars::read_email(text);
    let _ = scalars::read_url(text);
    let _ = scalars::read_upload(text);
}
