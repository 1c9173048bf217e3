//! The settings of what the process tells of itself.

use std::net::SocketAddr;
use std::str::FromStr as _;

use http::{HeaderName, HeaderValue, Uri};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret as _, SecretString};

use super::load::secret_of;
use super::validate::{is_application, is_loopback};
use super::{Given, Settings};

/// What the headers are given by.
const HEADERS: &str = "EVOLVE_OTLP_HEADERS";
/// The share of traces that is sent.
const RATIO: &str = "EVOLVE_OTLP_SAMPLE_RATIO";
/// The longest name of a service, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// What the process tells of itself.
#[derive(Debug, Clone, Default)]
pub struct TelemetrySettings {
    /// Where figures are to be read; without it none are kept.
    pub metrics_listen: Option<SocketAddr>,
    /// Where spans are sent; without it none are made.
    pub otlp: Option<OtlpSettings>,
    /// From how many milliseconds on an operation is slow; 0 for never.
    pub slow_operation_ms: u32,
}

/// A collector of spans that speaks OTLP.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    /// Where it is, without a slash at the end.
    pub endpoint: String,
    /// What every request to it carries.
    pub headers: Vec<(String, SecretString)>,
    /// What we are called there.
    pub service_name: String,
    /// The share of traces that is sent, from 0 to 1.
    pub sample_ratio: Decimal,
}

/// The collector, where one is named; what belongs to it without that is a mistake worth a word.
pub(super) fn otlp_of(given: &Given, problems: &mut Vec<String>) -> Option<OtlpSettings> {
    let headers = secret_of(HEADERS, given.otlp_headers.as_ref(), given.otlp_headers_file.as_deref(), problems);
    let Some(endpoint) = given.otlp_endpoint.as_ref() else {
        if headers.is_some() || given.otlp_service_name.is_some() || given.otlp_sample_ratio.is_some() {
            problems.push("EVOLVE_OTLP_ENDPOINT is missing: the other settings of OTLP are for nothing.".to_owned());
        }
        return None;
    };
    let ratio = given.otlp_sample_ratio.as_deref().map_or(Ok(Decimal::ONE), Decimal::from_str);
    let sample_ratio = ratio.ok().filter(|ratio| (Decimal::ZERO..=Decimal::ONE).contains(ratio)).unwrap_or_else(|| {
        problems.push(format!("{RATIO} must be a number from 0 to 1."));
        Decimal::ONE
    });
    Some(OtlpSettings {
        endpoint: endpoint.trim_end_matches('/').to_owned(),
        headers: headers.map(|headers| headers_of(&headers, problems)).unwrap_or_default(),
        service_name: given.otlp_service_name.clone().unwrap_or_else(|| "evolve-business".to_owned()),
        sample_ratio,
    })
}

/// Headers, as `name=value` separated by commas. No sentence holds a value.
fn headers_of(text: &SecretString, problems: &mut Vec<String>) -> Vec<(String, SecretString)> {
    let mut headers = Vec::new();
    for part in text.expose_secret().split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let pair = part.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        match pair {
            Some((name, value)) if HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok() => {
                headers.push((name.to_owned(), SecretString::from(value.to_owned())));
            }
            _ => {
                problems.push(format!("{HEADERS} must be headers like authorization=Bearer …, separated by commas."));
                return Vec::new();
            }
        }
    }
    headers
}

impl Settings {
    /// What is wrong with the settings of what the process tells of itself.
    pub(super) fn check_telemetry(&self, problems: &mut Vec<String>) {
        let telemetry = &self.telemetry;
        if telemetry.metrics_listen.is_some_and(|metrics| metrics == self.listen && metrics.port() > 0) {
            problems.push("EVOLVE_METRICS_LISTEN is the address of EVOLVE_LISTEN: figures are for an address of their own.".to_owned());
        }
        let Some(otlp) = &telemetry.otlp else { return };
        let host = otlp.endpoint.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
        if !is_application(&otlp.endpoint) {
            problems.push(format!("EVOLVE_OTLP_ENDPOINT is {:?} and must be like https://collector.example.com:4318.", otlp.endpoint));
        } else if !otlp.headers.is_empty() && !otlp.endpoint.starts_with("https://") && !is_loopback(host.trim_matches(['[', ']'])) {
            problems.push(format!("EVOLVE_OTLP_ENDPOINT must begin with https:// where {HEADERS} are sent to another machine."));
        }
        if otlp.service_name.trim().is_empty() || otlp.service_name.len() > MAX_NAME_BYTES {
            problems.push(format!("EVOLVE_OTLP_SERVICE_NAME must have 1 to {MAX_NAME_BYTES} bytes."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Problems;
    use super::super::load::parse_file;
    use super::*;

    fn resolved(file: &str) -> Result<Settings, Problems> {
        Settings::resolve(parse_file(file).unwrap())
    }

    #[test]
    fn nothing_is_told_but_of_slow_operations_until_an_operator_says_so() {
        let settings = resolved("").unwrap().telemetry;
        assert!(settings.metrics_listen.is_none() && settings.otlp.is_none());
        assert_eq!(settings.slow_operation_ms, 1_000);
    }

    #[test]
    fn a_collector_is_named_with_what_it_is_sent() {
        let file = "otlp_endpoint = 'http://127.0.0.1:4318/'\notlp_headers = 'authorization=Bearer hunter2, x-scope=a=b'\n\
                    otlp_sample_ratio = '0.25'\notlp_service_name = 'billing'";
        let otlp = resolved(file).unwrap().telemetry.otlp.unwrap();
        assert_eq!((otlp.endpoint.as_str(), otlp.service_name.as_str()), ("http://127.0.0.1:4318", "billing"));
        assert_eq!(otlp.sample_ratio, Decimal::new(25, 2));
        let headers: Vec<_> = otlp.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(headers, [("authorization", "Bearer hunter2"), ("x-scope", "a=b")]);
        assert!(!format!("{otlp:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence_that_holds_no_secret() {
        let endpoint = "otlp_endpoint = 'https://c.example:4318'\n";
        for (file, sentence) in [
            ("otlp_service_name = 'x'", "EVOLVE_OTLP_ENDPOINT is missing: the other settings of OTLP are for nothing."),
            ("otlp_headers = 'a=b'", "EVOLVE_OTLP_ENDPOINT is missing: the other settings of OTLP are for nothing."),
            (
                "otlp_endpoint = 'collector:4318'",
                "EVOLVE_OTLP_ENDPOINT is \"collector:4318\" and must be like https://collector.example.com:4318.",
            ),
            (
                "otlp_endpoint = 'http://c.example:4318'\notlp_headers = 'a=b'",
                "EVOLVE_OTLP_ENDPOINT must begin with https:// where EVOLVE_OTLP_HEADERS are sent to another machine.",
            ),
            (
                &format!("{endpoint}otlp_headers = 'hunter2'"),
                "EVOLVE_OTLP_HEADERS must be headers like authorization=Bearer …, separated by commas.",
            ),
            (&format!("{endpoint}otlp_sample_ratio = '1.1'"), "EVOLVE_OTLP_SAMPLE_RATIO must be a number from 0 to 1."),
            (&format!("{endpoint}otlp_sample_ratio = 'all'"), "EVOLVE_OTLP_SAMPLE_RATIO must be a number from 0 to 1."),
            (&format!("{endpoint}otlp_service_name = ' '"), "EVOLVE_OTLP_SERVICE_NAME must have 1 to 128 bytes."),
            (
                "metrics_listen = '127.0.0.1:8080'",
                "EVOLVE_METRICS_LISTEN is the address of EVOLVE_LISTEN: figures are for an address of their own.",
            ),
            ("slow_operation_ms = 3600001", "EVOLVE_SLOW_OPERATION_MS is 3600001 and must be between 0 and 3600000."),
        ] {
            assert_eq!(resolved(file).unwrap_err().0, [sentence], "{file}");
        }
    }
}
