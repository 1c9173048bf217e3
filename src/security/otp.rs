//! Second factors: six digits that change every 30 seconds (TOTP, RFC 6238, with SHA-1 as every application of its kind
//! expects), and recovery codes for whoever has lost the device that shows them.
//!
//! Which digits were used is no secret's matter: a caller keeps the step that [`OtpSecret::step_of`] answers, and takes no
//! step twice.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::{Digest as _, Sha256};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::security::random::Rng;

/// The bytes of a secret: those of SHA-1, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;
/// How many digits there are.
const DIGITS: usize = 6;
/// How long digits are shown, in seconds.
const STEP_SECONDS: u64 = 30;
/// How many steps before and after the present one are taken: a clock may be wrong, and a person slow.
const SKEW: u16 = 1;
/// What the application shows beside the account.
const ISSUER: &str = "Evolve";

/// Crockford's base32 in small letters: no `i`, `l`, `o`, `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a recovery code, of 5 bits each: 80 bits, which nobody goes through.
const CODE_CHARS: usize = 16;
/// Characters between two hyphens.
const GROUP: usize = 4;

/// What the server and the person's device share.
pub struct OtpSecret {
    bytes: SecretBox<[u8; SECRET_BYTES]>,
}

impl OtpSecret {
    /// A new random secret.
    pub fn generate(rng: &dyn Rng) -> Self {
        Self { bytes: SecretBox::new(Box::new(rng.bytes())) }
    }

    /// The secret of these bytes; `None` where they are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; SECRET_BYTES] = bytes.try_into().ok()?;
        Some(Self { bytes: SecretBox::new(Box::new(bytes)) })
    }

    /// Its bytes, to be sealed.
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose_secret()
    }

    /// What the person's device reads, as a link or a picture: `otpauth://totp/…`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the account cannot be shown, which an e-mail address can.
    pub fn url(&self, account: &str) -> Result<SecretString, Error> {
        // A colon would end the issuer.
        let account = account.replace(':', " ");
        let totp = self.builder().with_account_name(account).with_issuer(Some(ISSUER)).build();
        let url = totp.and_then(|totp| totp.to_url()).map_err(|_| Error::Corrupt("a second factor has no link".into()))?;
        Ok(SecretString::from(url))
    }

    /// The step whose digits these are, among those around `now`; `None` where they are of none.
    pub fn step_of(&self, digits: &str, now: Timestamp) -> Option<i64> {
        let seconds = u64::try_from(now.as_second()).ok()?;
        i64::try_from(self.totp().check(digits, seconds)?).ok()
    }

    /// The digits that are shown at `now`.
    pub fn digits_at(&self, now: Timestamp) -> Option<String> {
        Some(self.totp().generate(u64::try_from(now.as_second()).ok()?).to_string())
    }

    fn builder(&self) -> Builder {
        let secret = Secret::new_stack(*self.bytes.expose_secret());
        Builder::new().with_secret(secret).with_skew(SKEW).with_step_duration(STEP_SECONDS)
    }

    fn totp(&self) -> Totp {
        self.builder().build_noncompliant()
    }
}

impl fmt::Debug for OtpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtpSecret([REDACTED])")
    }
}

/// A recovery code, as its holder gets it once.
#[derive(Clone)]
pub struct RecoveryCode {
    text: SecretString,
}

impl RecoveryCode {
    /// A new random code: `k3m9-2xqa-…`.
    pub fn generate(rng: &dyn Rng) -> Self {
        let bytes = Zeroizing::new(rng.bytes::<CODE_CHARS>());
        let mut text = Zeroizing::new(String::with_capacity(CODE_CHARS + CODE_CHARS / GROUP));
        for (place, byte) in bytes.iter().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            // 256 is a whole number of alphabets: each character is as likely as any other.
            text.push(char::from(ALPHABET[usize::from(byte % 32)]));
        }
        Self { text: SecretString::from(text.as_str()) }
    }

    /// The code as its holder is given it.
    pub fn reveal(&self) -> SecretString {
        self.text.clone()
    }

    /// What to store. A slow hash would gain nothing: there is no dictionary of 80 random bits to go through.
    pub fn hash(&self) -> [u8; 32] {
        hash_of(&self.text.expose_secret().replace('-', ""))
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode([REDACTED])")
    }
}

fn hash_of(letters: &str) -> [u8; 32] {
    Sha256::digest(letters.as_bytes()).into()
}

/// What a person shows for a second factor.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Six digits from their device.
    Digits(SecretString),
    /// The hash of one of their recovery codes.
    Recovery([u8; 32]),
}

impl Proof {
    /// Reads what was typed: six digits, or a recovery code however it is spelt; `None` for what is neither.
    pub fn parse(text: &str) -> Option<Self> {
        // Nothing longer is looked at.
        (text.len() <= 64).then_some(())?;
        let typed = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_lowercase());
        if typed.len() == DIGITS && typed.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Digits(SecretString::from(typed.as_str())));
        }
        let letters = Zeroizing::new(typed.replace(['i', 'l'], "1").replace('o', "0"));
        let is_code = letters.len() == CODE_CHARS && letters.bytes().all(|byte| ALPHABET.contains(&byte));
        is_code.then(|| Self::Recovery(hash_of(&letters)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::random::SeededRng;

    /// The secret of the test vectors of RFC 6238, appendix B, for SHA-1.
    fn rfc_secret() -> OtpSecret {
        OtpSecret::from_bytes(b"12345678901234567890").unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_test_vectors_of_rfc_6238_appendix_b_hold() {
        // The appendix has eight digits; six are the last six of them.
        for (second, step, eight) in [
            (59, 0x1, "94287082"),
            (1_111_111_109, 0x0235_23EC, "07081804"),
            (1_111_111_111, 0x0235_23ED, "14050471"),
            (1_234_567_890, 0x0273_EF07, "89005924"),
            (2_000_000_000, 0x03F9_40AA, "69279037"),
            (20_000_000_000, 0x27BC_86AA, "65353130"),
        ] {
            let six = &eight[2..];
            assert_eq!(rfc_secret().digits_at(at(second)).as_deref(), Some(six), "{second}");
            assert_eq!(rfc_secret().step_of(six, at(second)), Some(step), "{second}");
        }
    }

    #[test]
    fn digits_are_good_one_step_before_and_after_their_own_and_no_further() {
        // Step 1 is 30 to 59 s.
        let digits = rfc_secret().digits_at(at(59)).unwrap();
        for (second, good) in [(0, true), (29, true), (30, true), (89, true), (90, false), (120, false)] {
            assert_eq!(rfc_secret().step_of(&digits, at(second)), good.then_some(1), "{second}");
        }
    }

    #[test]
    fn what_is_no_six_digits_is_of_no_step() {
        for text in ["", "28708", "2870820", "28708x", "+87082", "２８７０８２", " 87082"] {
            assert_eq!(rfc_secret().step_of(text, at(59)), None, "{text:?}");
        }
    }

    #[test]
    fn the_link_names_the_account_and_the_secret() {
        let url = rfc_secret().url("ann+x@example.com").unwrap();
        // The secret is 12345678901234567890 in base32.
        let expected = "otpauth://totp/Evolve:ann%2Bx%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Evolve";
        assert_eq!(url.expose_secret(), expected);
    }

    #[test]
    fn a_recovery_code_reads_back_however_it_is_spelt() {
        let code = RecoveryCode::generate(&SeededRng::new(1));
        let text = code.reveal().expose_secret().to_owned();
        assert_eq!((text.len(), text.matches('-').count()), (19, 3));
        for spelling in [text.clone(), text.replace('-', ""), text.to_uppercase(), format!(" {} ", text.replace('-', " "))] {
            let Some(Proof::Recovery(hash)) = Proof::parse(&spelling) else { panic!("{spelling}") };
            assert_eq!(hash, code.hash(), "{spelling}");
        }
        let Some(Proof::Recovery(misread)) = Proof::parse("il0o-2222-3333-4444") else { panic!("no code") };
        assert_eq!(misread, hash_of("1100222233334444"));
        assert_ne!(RecoveryCode::generate(&SeededRng::new(2)).hash(), code.hash());
    }

    #[test]
    fn what_is_neither_digits_nor_a_code_is_no_proof() {
        assert!(matches!(Proof::parse("123 456"), Some(Proof::Digits(digits)) if digits.expose_secret() == "123456"));
        for text in ["", "12345", "1234567", "12345x", "uuuu-uuuu-uuuu-uuuu", "k3m9-2xqa-k3m9-2xq", "１２３４５６", &"1".repeat(65)] {
            assert!(Proof::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?} {:?}", rfc_secret(), RecoveryCode::generate(&SeededRng::new(1)), Proof::parse("123456"));
        assert!(!shown.contains("123456") && shown.matches("REDACTED").count() == 3, "{shown}");
    }
}
