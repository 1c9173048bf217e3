//! The settings of M-Pesa: all of them, or none.

use std::ops::RangeInclusive;

use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

use super::load::secret_of;
use super::validate::{is_loopback, is_origin};
use super::{Given, Mode, MpesaSettings, Settings};

/// Where real money is moved.
const LIVE_URL: &str = "https://api.safaricom.co.ke";
/// Where it is not.
const SANDBOX_URL: &str = "https://sandbox.safaricom.co.ke";
/// What makes the others of use.
const KEY: &str = "EVOLVE_MPESA_CONSUMER_KEY";
/// How many digits a short code has.
pub const SHORT_CODE_DIGITS: RangeInclusive<usize> = 5..=7;
/// The longest text that is taken from the operator, in bytes.
const MAX_BYTES: usize = 1_024;

/// M-Pesa, where its key is given; what belongs to it without that is a mistake worth a word.
pub(super) fn of(given: &Given, problems: &mut Vec<String>) -> Option<MpesaSettings> {
    let mut secret = |name: &'static str, text: Option<&SecretString>, file: Option<&std::path::Path>| {
        let before = problems.len();
        let found = secret_of(name, text, file, problems);
        (name, found, problems.len() > before)
    };
    let key = secret(KEY, given.mpesa_consumer_key.as_ref(), given.mpesa_consumer_key_file.as_deref());
    let others = [
        secret("EVOLVE_MPESA_CONSUMER_SECRET", given.mpesa_consumer_secret.as_ref(), given.mpesa_consumer_secret_file.as_deref()),
        secret("EVOLVE_MPESA_PASSKEY", given.mpesa_passkey.as_ref(), given.mpesa_passkey_file.as_deref()),
        secret(
            "EVOLVE_MPESA_SECURITY_CREDENTIAL",
            given.mpesa_security_credential.as_ref(),
            given.mpesa_security_credential_file.as_deref(),
        ),
    ];
    let texts = [("EVOLVE_MPESA_SHORT_CODE", &given.mpesa_short_code), ("EVOLVE_MPESA_INITIATOR", &given.mpesa_initiator)];
    let (_, Some(consumer_key), _) = key else {
        let told = [&given.mpesa_short_code, &given.mpesa_initiator, &given.mpesa_url, &given.mpesa_callback_url];
        let is_told = told.into_iter().any(Option::is_some) || others.iter().any(|(_, found, _)| found.is_some());
        if is_told && !key.2 {
            problems.push(format!("{KEY} is missing: the other settings of M-Pesa are for nothing."));
        }
        return None;
    };
    for (name, found, is_said) in &others {
        if found.is_none() && !is_said {
            problems.push(format!("{name} is missing: {KEY} needs it, or {name}_FILE with the path of a file that holds it."));
        }
    }
    for (name, text) in texts {
        if text.is_none() {
            problems.push(format!("{name} is missing: {KEY} needs it."));
        }
    }
    let [(_, consumer_secret, _), (_, passkey, _), (_, security_credential, _)] = others;
    let is_sandbox = given.mode.unwrap_or(Mode::Sandbox) == Mode::Sandbox;
    let bare = |url: &String| url.trim_end_matches('/').to_owned();
    Some(MpesaSettings {
        url: given.mpesa_url.as_ref().map_or_else(|| if is_sandbox { SANDBOX_URL } else { LIVE_URL }.to_owned(), bare),
        consumer_key,
        consumer_secret: consumer_secret?,
        short_code: given.mpesa_short_code.clone()?,
        passkey: passkey?,
        initiator: given.mpesa_initiator.clone()?,
        security_credential: security_credential?,
        // Where nothing is said, it is the public URL, which is known when all is put together.
        callback_url: given.mpesa_callback_url.as_ref().map(bare).unwrap_or_default(),
    })
}

impl Settings {
    /// What is wrong with M-Pesa's settings.
    pub(super) fn check_mpesa(&self, problems: &mut Vec<String>) {
        let Some(mpesa) = &self.mpesa else { return };
        if !SHORT_CODE_DIGITS.contains(&mpesa.short_code.len()) || !mpesa.short_code.bytes().all(|byte| byte.is_ascii_digit()) {
            problems.push(format!("EVOLVE_MPESA_SHORT_CODE is {:?} and must be 5 to 7 digits.", mpesa.short_code));
        }
        let secrets = [
            (KEY, &mpesa.consumer_key),
            ("EVOLVE_MPESA_CONSUMER_SECRET", &mpesa.consumer_secret),
            ("EVOLVE_MPESA_PASSKEY", &mpesa.passkey),
            ("EVOLVE_MPESA_SECURITY_CREDENTIAL", &mpesa.security_credential),
        ];
        for (name, secret) in secrets {
            let text = secret.expose_secret();
            if text.is_empty() || text.len() > MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                problems.push(format!("{name} must be printable characters without spaces."));
            }
        }
        for (name, url) in [("EVOLVE_MPESA_URL", &mpesa.url), ("EVOLVE_MPESA_CALLBACK_URL", &mpesa.callback_url)] {
            let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
            if !is_origin(url) {
                problems.push(format!("{name} is {url:?} and must be like {LIVE_URL}."));
            } else if !url.starts_with("https://") && !is_loopback(host.trim_matches(['[', ']'])) {
                problems.push(format!("{name} must begin with https:// where it does not lead to this machine."));
            } else if self.mode == Mode::Production && !url.starts_with("https://") && name == "EVOLVE_MPESA_CALLBACK_URL" {
                problems.push(format!("{name} must begin with https:// in production."));
            }
        }
        if self.mode == Mode::Sandbox && mpesa.url == LIVE_URL {
            problems.push("EVOLVE_MPESA_URL is for real money, and a sandbox charges nobody: use Safaricom's sandbox.".to_owned());
        }
        if self.mode == Mode::Production && mpesa.url == SANDBOX_URL {
            problems.push("EVOLVE_MPESA_URL is Safaricom's sandbox, in which nobody pays: production needs the real one.".to_owned());
        }
    }
}
