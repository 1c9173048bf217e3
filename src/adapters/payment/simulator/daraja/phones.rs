//! What the holders of phones do with prompts.

use std::time::Duration;

/// What the holder of a phone does with a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Enters the PIN at once.
    Pays,
    /// Ends it with that code at once.
    Ends(&'static str),
    /// Ends it with that code after so long; `0` pays.
    After(Duration, &'static str),
    /// Does nothing before somebody says so.
    Waits,
}

/// What people need to look at a phone and enter something.
const A_MOMENT: Duration = Duration::from_secs(3);
/// How long a prompt that nobody answers stands on a phone.
const UNANSWERED: Duration = Duration::from_mins(1);
/// How long one stands that waits for whoever tries this out.
const WATCHED: Duration = Duration::from_secs(170);

/// What the last two digits of a number mean, for those who try a sandbox out; any other number pays.
pub const BY_NUMBER: &[(&str, Holder, &str)] = &[
    ("01", Holder::After(A_MOMENT, "1"), "has too little money on it"),
    ("02", Holder::After(A_MOMENT, "1032"), "the holder declines the prompt"),
    ("03", Holder::After(A_MOMENT, "2001"), "the holder enters a wrong PIN"),
    ("04", Holder::After(UNANSWERED, "1037"), "nobody answers, which is told after a minute"),
    ("05", Holder::After(WATCHED, "1037"), "waits for POST /simulator/act, for almost three minutes"),
    ("06", Holder::Ends("1025"), "the prompt cannot be sent"),
];

/// What the holder of a number does, by its last two digits.
pub fn by_number(phone: &str) -> Holder {
    let found = BY_NUMBER.iter().find(|(digits, ..)| phone.ends_with(digits));
    found.map_or(Holder::After(A_MOMENT, "0"), |(_, holder, _)| *holder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_digits_say_what_a_holder_does_and_all_others_pay() {
        for (phone, expected) in [
            ("254712345678", Holder::After(A_MOMENT, "0")),
            ("254712345601", Holder::After(A_MOMENT, "1")),
            ("254712345602", Holder::After(A_MOMENT, "1032")),
            ("254712345603", Holder::After(A_MOMENT, "2001")),
            ("254712345604", Holder::After(UNANSWERED, "1037")),
            ("254712345605", Holder::After(WATCHED, "1037")),
            ("254712345606", Holder::Ends("1025")),
            ("254712345607", Holder::After(A_MOMENT, "0")),
        ] {
            assert_eq!(by_number(phone), expected, "{phone}");
        }
    }
}
