//! Who said it: Stripe signs each event with a secret of the endpoint, and several may be good while one is replaced.

use std::time::Duration;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// How far the time of a signature may be from ours, either way.
const TOLERANCE: Duration = Duration::from_mins(5);
/// The most signatures of one header that are looked at.
const MOST_SIGNATURES: usize = 16;

/// Whether a body was signed within the last minutes by one of `secrets`. `header` is `Stripe-Signature`.
pub fn is_signed(header: &str, body: &[u8], secrets: &[SecretString], now: Timestamp) -> bool {
    let mut at: Option<&str> = None;
    let mut signatures: Vec<Vec<u8>> = Vec::new();
    for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
        match name {
            "t" => at = Some(value),
            "v1" if signatures.len() < MOST_SIGNATURES => signatures.extend(from_hex(value)),
            _ => {}
        }
    }
    let Some(at) = at.filter(|text| is_near(text, now)) else { return false };
    let is_by = |secret: &SecretString, signature: &[u8]| {
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
        mac.update(at.as_bytes());
        mac.update(b".");
        mac.update(body);
        // Compares in constant time.
        mac.verify_slice(signature).is_ok()
    };
    secrets.iter().any(|secret| signatures.iter().any(|signature| is_by(secret, signature)))
}

/// Whether seconds of Unix time are near enough.
fn is_near(text: &str, now: Timestamp) -> bool {
    let Ok(second) = text.parse::<i64>() else { return false };
    second.abs_diff(now.as_second()) <= TOLERANCE.as_secs()
}

/// The bytes that hexadecimal digits stand for.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python: hmac.new(b"whsec_test", b"1800000000.{}", "sha256").hexdigest().
    const SIGNED: &str = "482e6337ac5272392d375c6fdc4d52a7e615dc2facedab0ffe155ddfd6a56e66";

    fn now(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from((*text).to_owned())).collect()
    }

    #[test]
    fn what_one_of_the_secrets_signed_within_five_minutes_is_signed() {
        let header = format!("t=1800000000,v1={SIGNED}");
        for (secret, second, expected) in [
            (&["whsec_test"][..], 1_800_000_000, true),
            (&["whsec_old", "whsec_test"], 1_800_000_000, true),
            (&["whsec_old"], 1_800_000_000, false),
            (&[], 1_800_000_000, false),
            (&["whsec_test"], 1_800_000_300, true),
            (&["whsec_test"], 1_800_000_301, false),
            (&["whsec_test"], 1_799_999_700, true),
            (&["whsec_test"], 1_799_999_699, false),
        ] {
            assert_eq!(is_signed(&header, b"{}", &secrets(secret), now(second)), expected, "{secret:?} {second}");
        }
    }

    #[test]
    fn another_body_another_time_or_no_signature_is_not_signed() {
        let good = secrets(&["whsec_test"]);
        for (header, body) in [
            (format!("t=1800000000,v1={SIGNED}"), "{ }"),
            (format!("t=1800000001,v1={SIGNED}"), "{}"),
            (format!("t=1800000000,v0={SIGNED}"), "{}"),
            (format!("t=1800000000,v1={}", &SIGNED[2..]), "{}"),
            (format!("v1={SIGNED}"), "{}"),
            ("t=1800000000".to_owned(), "{}"),
            (String::new(), "{}"),
            (format!("t=x,v1={SIGNED}"), "{}"),
        ] {
            assert!(!is_signed(&header, body.as_bytes(), &good, now(1_800_000_000)), "{header}");
        }
        // While a secret is replaced, there is a signature by each.
        let both = format!("t=1800000000,v1={},v1={SIGNED},v0=x", "00".repeat(32));
        assert!(is_signed(&both, b"{}", &good, now(1_800_000_000)));
    }
}
