//! What the codes of results mean.

use super::super::Decline;
use super::own;

/// What a result's code says of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was paid.
    Paid,
    /// It is still on the phone, or on its way.
    Open,
    /// It was not paid, and will not be.
    Over(Decline),
}

/// What a result's code says of a prompt.
pub(super) fn fate(code: &str) -> Fate {
    let (name, sentence) = match code {
        "0" => return Fate::Paid,
        // Still being processed.
        "4999" => return Fate::Open,
        "1" => ("insufficient_funds", "The M-Pesa balance is too low for this payment."),
        "17" | "8" | "2" | "3" | "4" => ("over_limit", "The payment is outside of what M-Pesa allows for this number."),
        "1001" => ("payer_busy", "Another M-Pesa transaction of this number is under way. Try again in some minutes."),
        "1019" => ("expired", "The M-Pesa prompt has expired."),
        "1025" | "9999" => ("prompt_not_sent", "The M-Pesa prompt could not be sent."),
        "1032" => ("canceled_by_payer", "The M-Pesa prompt was declined on the phone."),
        "1037" => ("unreachable", "The phone could not be reached, or the prompt was not answered in time."),
        "2001" => ("wrong_pin", "The M-Pesa PIN was wrong."),
        other => return Fate::Over(own(&format!("mpesa_{}", plain(other)), "M-Pesa did not take the payment.")),
    };
    Fate::Over(own(name, sentence))
}

/// A code without anything that does not belong into one.
pub(super) fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(16).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_says_what_became_of_the_prompt() {
        let name = |code| match fate(code) {
            Fate::Paid => "paid".to_owned(),
            Fate::Open => "open".to_owned(),
            Fate::Over(decline) => {
                assert!(!decline.hard, "a prompt can always be sent again: {code}");
                decline.code
            }
        };
        for (code, expected) in [
            ("0", "paid"),
            ("1", "insufficient_funds"),
            ("1001", "payer_busy"),
            ("1019", "expired"),
            ("1032", "canceled_by_payer"),
            ("1037", "unreachable"),
            ("2001", "wrong_pin"),
            ("4999", "open"),
            ("SFC_IC0003", "mpesa_sfcic0003"),
            ("00", "mpesa_00"),
            ("", "mpesa_"),
        ] {
            assert_eq!(name(code), expected, "{code}");
        }
    }
}
