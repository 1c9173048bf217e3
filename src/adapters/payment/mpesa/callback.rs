//! What Daraja sends by itself: the result of a prompt, of a question about a transaction, of a reversal. Nobody signs it; it tells what to
//! ask about.

use serde::Deserialize;
use serde_json::Value;

use super::super::{Heard, HeardOf};
use super::SHILLING_MINOR;
use super::objects::text;
use crate::config::SHORT_CODE_DIGITS;

/// The longest id, receipt or code that is kept, in bytes.
const MAX_BYTES: usize = 100;

#[derive(Deserialize)]
struct OfPrompt {
    #[serde(rename = "Body")]
    body: PromptBody,
}

#[derive(Deserialize)]
struct PromptBody {
    #[serde(rename = "stkCallback")]
    callback: Prompt,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Prompt {
    #[serde(rename = "CheckoutRequestID")]
    id: String,
    #[serde(deserialize_with = "text")]
    result_code: String,
    #[serde(default)]
    callback_metadata: Items,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Items {
    #[serde(default)]
    item: Vec<Named>,
}

#[derive(Deserialize)]
struct OfResult {
    #[serde(rename = "Result")]
    result: Answered,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answered {
    #[serde(rename = "OriginatorConversationID")]
    id: String,
    #[serde(deserialize_with = "text")]
    result_code: String,
    #[serde(rename = "TransactionID", default)]
    transaction: String,
    #[serde(default)]
    result_parameters: Parameters,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    #[serde(default)]
    result_parameter: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "Name", alias = "Key", default)]
    name: String,
    #[serde(rename = "Value", default)]
    value: Value,
}

/// The value of that name, as text.
fn value(of: &[Named], name: &str) -> Option<String> {
    match &of.iter().find(|named| named.name == name)?.value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Shillings as they are written (`300`, `300.0`, `300.00`), in cents.
fn cents(text: &str) -> Option<i64> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 2 || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let part: i64 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(SHILLING_MINOR)?.checked_add(part)
}

/// The short code of `600610 - Name of the business`. Of somebody with a phone, who is paid back, nothing is kept.
fn short_code(party: &str) -> Option<String> {
    let code = party.split(" - ").next().unwrap_or_default().trim();
    (SHORT_CODE_DIGITS.contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())).then(|| code.to_owned())
}

/// Reads what was sent about a thing of that kind; `None` for what is nothing of the kind.
pub fn read(of: HeardOf, body: &[u8]) -> Option<Heard> {
    let heard = match of {
        HeardOf::Charge => {
            let OfPrompt { body: PromptBody { callback } } = serde_json::from_slice(body).ok()?;
            let items = &callback.callback_metadata.item;
            Heard {
                of,
                reference: callback.id,
                succeeded: callback.result_code == "0",
                code: callback.result_code,
                receipt: value(items, "MpesaReceiptNumber"),
                amount_minor: value(items, "Amount").as_deref().and_then(cents),
                receiver: None,
            }
        }
        HeardOf::Status | HeardOf::Refund => {
            let OfResult { result } = serde_json::from_slice(body).ok()?;
            let told = &result.result_parameters.result_parameter;
            let is_completed = of == HeardOf::Refund || value(told, "TransactionStatus").as_deref() == Some("Completed");
            let receipt = if of == HeardOf::Status { value(told, "ReceiptNo") } else { Some(result.transaction) };
            Heard {
                of,
                reference: result.id,
                succeeded: result.result_code == "0" && is_completed,
                code: result.result_code,
                receipt,
                amount_minor: value(told, "Amount").as_deref().and_then(cents),
                receiver: value(told, "CreditPartyName").as_deref().and_then(short_code),
            }
        }
    };
    let is_short = |text: &str| text.len() <= MAX_BYTES && text.chars().all(|c| !c.is_control());
    let told = [Some(&heard.reference), Some(&heard.code), heard.receipt.as_ref(), heard.receiver.as_ref()];
    let is_kept = told.into_iter().flatten().all(|text| is_short(text)) && !heard.reference.is_empty();
    is_kept.then(|| Heard { receipt: heard.receipt.filter(|receipt| !receipt.is_empty()), ..heard })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_a_prompt_is_read_as_daraja_writes_it() {
        let body = br#"{"Body":{"stkCallback":{"MerchantRequestID":"29115-34620561-1","CheckoutRequestID":"ws_CO_1","ResultCode":0,
            "ResultDesc":"The service request is processed successfully.","CallbackMetadata":{"Item":[{"Name":"Amount","Value":1.00},
            {"Name":"MpesaReceiptNumber","Value":"NLJ7RT61SV"},{"Name":"Balance"},{"Name":"TransactionDate","Value":20191219102115},
            {"Name":"PhoneNumber","Value":254708374149}]}}}}"#;
        let expected = Heard {
            of: HeardOf::Charge,
            reference: "ws_CO_1".to_owned(),
            succeeded: true,
            code: "0".to_owned(),
            receipt: Some("NLJ7RT61SV".to_owned()),
            amount_minor: Some(100),
            receiver: None,
        };
        assert_eq!(read(HeardOf::Charge, body), Some(expected));
        let canceled =
            br#"{"Body":{"stkCallback":{"CheckoutRequestID":"ws_CO_2","ResultCode":"1032","ResultDesc":"Request cancelled by user."}}}"#;
        let heard = read(HeardOf::Charge, canceled).unwrap();
        assert_eq!((heard.succeeded, heard.code.as_str(), heard.receipt, heard.amount_minor), (false, "1032", None, None));
    }

    #[test]
    fn the_result_of_a_question_names_receipt_amount_and_receiver() {
        let body = br#"{"Result":{"ResultType":0,"ResultCode":0,"OriginatorConversationID":"3213-1","ConversationID":"AG_1","TransactionID":"MBN1",
            "ResultParameters":{"ResultParameter":[{"Key":"CreditPartyName","Value":"600610 - Safaricom"},{"Key":"TransactionStatus","Value":"Completed"},
            {"Key":"TransactionReason"},{"Key":"Amount","Value":300},{"Key":"ReceiptNo","Value":"NLJ7RT61SV"}]}}}"#;
        let heard = read(HeardOf::Status, body).unwrap();
        assert_eq!((heard.succeeded, heard.receipt.as_deref()), (true, Some("NLJ7RT61SV")));
        assert_eq!((heard.amount_minor, heard.receiver.as_deref()), (Some(30_000), Some("600610")));
        let reversed = read(HeardOf::Refund, body).unwrap();
        assert_eq!((reversed.succeeded, reversed.receipt.as_deref()), (true, Some("MBN1")));
        let open = String::from_utf8_lossy(body).replace("Completed", "Pending");
        assert!(!read(HeardOf::Status, open.as_bytes()).unwrap().succeeded);
    }

    #[test]
    fn who_is_paid_back_is_nobody_whose_number_is_kept() {
        for party in ["254712345678 - Jane Doe", "+254712345678", "0712345678 - 600610", "Jane Doe", "", " - 600610", "6006", "60061000"] {
            assert_eq!(short_code(party), None, "{party}");
        }
        for (party, code) in [("600610 - Safaricom", "600610"), ("60061", "60061"), (" 6006100 - 254712345678", "6006100")] {
            assert_eq!(short_code(party).as_deref(), Some(code), "{party}");
        }
    }

    #[test]
    fn what_is_nothing_of_the_kind_is_not_read() {
        let long = format!(r#"{{"Body":{{"stkCallback":{{"CheckoutRequestID":"{}","ResultCode":0}}}}}}"#, "x".repeat(101));
        for body in [
            "",
            "{}",
            "[]",
            r#"{"Body":{}}"#,
            r#"{"Body":{"stkCallback":{"CheckoutRequestID":"","ResultCode":0}}}"#,
            r#"{"Body":{"stkCallback":{"CheckoutRequestID":"x"}}}"#,
            r#"{"Body":{"stkCallback":{"CheckoutRequestID":"x","ResultCode":[]}}}"#,
            "{\"Body\":{\"stkCallback\":{\"CheckoutRequestID\":\"x\\u0000\",\"ResultCode\":0}}}",
            r#"{"Result":{"OriginatorConversationID":"x","ResultCode":0}}"#,
            &long,
        ] {
            assert_eq!(read(HeardOf::Charge, body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn shillings_are_read_without_a_rounding() {
        for (text, expected) in [
            ("300", Some(30_000)),
            ("300.0", Some(30_000)),
            ("300.05", Some(30_005)),
            ("0.5", Some(50)),
            ("300.005", None),
            ("-300", None),
            ("3e2", None),
            (".5", None),
            ("", None),
            ("92233720368547758.08", None),
        ] {
            assert_eq!(cents(text), expected, "{text}");
        }
    }
}
