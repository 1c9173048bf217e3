//! What is read of Daraja's answers, and nothing more of them. It writes some numbers as text, and some texts as numbers.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A token.
#[derive(Deserialize)]
pub(super) struct Token {
    /// Proves who asks.
    pub(super) access_token: String,
    /// How long, in seconds.
    #[serde(deserialize_with = "text")]
    pub(super) expires_in: String,
}

/// Why something was not done.
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    /// E.g. `400.002.02`.
    #[serde(rename = "errorCode", default)]
    pub(super) code: String,
    /// A sentence.
    #[serde(rename = "errorMessage", default)]
    pub(super) message: String,
}

/// A push that was taken.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Pushed {
    /// `0` where it was.
    #[serde(deserialize_with = "text")]
    pub(super) response_code: String,
    /// A sentence.
    #[serde(default)]
    pub(super) response_description: String,
    /// The prompt's id.
    #[serde(rename = "CheckoutRequestID", default)]
    pub(super) checkout_request_id: String,
}

/// What became of a prompt.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Queried {
    /// The prompt's id.
    #[serde(rename = "CheckoutRequestID", default)]
    pub(super) checkout_request_id: String,
    /// `0` where it was paid.
    #[serde(deserialize_with = "text")]
    pub(super) result_code: String,
    /// A sentence.
    #[serde(default)]
    pub(super) result_desc: String,
}

/// A request that was taken, and is answered by itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Taken {
    /// `0` where it was.
    #[serde(deserialize_with = "text")]
    pub(super) response_code: String,
    /// A sentence.
    #[serde(default)]
    pub(super) response_description: String,
}

/// A number or a text, as text.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(serde::de::Error::custom("neither a text nor a number")),
    }
}
