//! Phone numbers as M-Pesa writes them: `2547…` and `2541…`, twelve digits.

/// The digits of a Kenyan mobile number that was given in E.164.
pub(super) fn kenyan(given: &str) -> Option<String> {
    let digits = given.strip_prefix('+').unwrap_or(given);
    let is_mobile = digits.starts_with("2547") || digits.starts_with("2541");
    (is_mobile && digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.to_owned())
}

/// For people: `M-Pesa •••• 678`.
pub(super) fn label(number: &str) -> String {
    let last = number.get(number.len().saturating_sub(3)..).unwrap_or_default();
    format!("M-Pesa •••• {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kenyan_mobile_numbers_are_written_as_m_pesa_does_and_no_others_are_taken() {
        for (given, expected) in [
            ("+254712345678", Some("254712345678")),
            ("254712345678", Some("254712345678")),
            ("+254112345678", Some("254112345678")),
            ("+254202345678", None),
            ("+25471234567", None),
            ("+2547123456789", None),
            ("+255712345678", None),
            ("0712345678", None),
            ("+2547123x5678", None),
            ("+25471234567\u{661}", None),
            ("", None),
        ] {
            assert_eq!(kenyan(given).as_deref(), expected, "{given}");
        }
        assert_eq!(label("254712345678"), "M-Pesa •••• 678");
    }
}
