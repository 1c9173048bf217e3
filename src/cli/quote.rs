//! `quote`: evaluates a scenario by the rules of billing alone, without a database or settings.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::terminal;
use crate::billing::quote;
use crate::error::Cause;

/// The longest scenario that is read, in bytes: a thousand events take a quarter of it.
const MAX_SCENARIO_BYTES: u64 = 1_024 * 1_024;
/// What stands for stdin instead of a file.
const STDIN: &str = "-";

/// What `quote --help` says: the settings, which it does not need, are left out.
pub(super) const HELP: &str = "\
{about-with-newline}
{usage-heading} {usage}

Arguments:
{positionals}
{after-help}";

/// How it is called.
pub(super) const USAGE: &str = "evolve-business quote <FILE>";

/// The form of a scenario, for those who read `--help`.
pub(super) const AFTER_HELP: &str = r#"It needs no database, no settings and no network, and changes nothing: what it prints follows from the scenario alone, by the
very rules that bill. Every invoice is taken as paid when it is due. docs/billing.md explains each rule.

Save this as scenario.json and run `evolve-business quote scenario.json`:

  {
    "time_zone": "Africa/Nairobi", "currency": "KES",
    "tax": { "rate": "0.16", "behavior": "exclusive" },
    "events": [
      { "at": "2027-01-31T09:00:00Z", "subscribe": { "price": "3000.00", "interval": "monthly" } },
      { "at": "2027-03-10T12:00:00Z", "change": { "price": "9000.00", "interval": "monthly", "timing": "now" } },
      { "at": "2027-05-02T08:00:00Z", "cancel": { "timing": "now", "unused_time": "credit" } }
    ],
    "until": "2027-06-30T00:00:00Z"
  }

A scenario has:
  time_zone    an IANA name, e.g. "Africa/Nairobi"
  currency     three letters of ISO 4217, e.g. "KES"; amounts are text with at most its digits
  until        the last instant that is looked at, itself too; later events are left out
  events       what happens, in order of time, each at an instant like "2027-01-31T09:00:00Z"
  anchor       "anniversary" (default), "calendar", or "fixed_day" with the member fixed_day: 1 to 31
  granularity  "day" (default) or "second": in what a part of a period is counted
  tax          rate (a part of one) and behavior, "inclusive" or "exclusive"; none where it is left out
  coupon       percent_off or amount_off, and periods: how many charged periods; for ever where that is left out

Each event is exactly one of:
  subscribe    price, interval ("monthly" or "yearly"); trial_days, plan (a name), coupon
  change       price, interval; timing ("default", "now", "period_end"), plan,
               proration ("prorate_now", "prorate_next_invoice", "reset_cycle", "none")
  cancel       timing ("period_end", "now"), unused_time ("none", "credit", "refund")
  reactivate   {}: takes a scheduled cancellation back
  zone         the time zone that the business moves to
  usage        quantity, of something metered, as text; included (for a month) and tiers (unit_price, up_to in all but
               the last, flat_amount), model ("graduated", "per_unit", "package" with package_size, "volume"): those
               of the last usage that has them rate all of the usage period

A scenario that breaks a rule is refused with one sentence, which names the event, and the exit code 1."#;

/// Why a scenario was not read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    /// There is no such file, or it may not be read.
    #[error("The scenario {0} cannot be read")]
    Failed(String, #[source] io::Error),
    /// It has more than [`MAX_SCENARIO_BYTES`].
    #[error("The scenario {0} is too long: at most {MAX_SCENARIO_BYTES} bytes are read.")]
    TooLong(String),
    /// It is no UTF-8.
    #[error("The scenario {0} is no text in UTF-8.")]
    NoText(String),
}

/// Prints what would be billed in the scenario of a file, or of stdin for `-`.
pub(super) fn run(file: &Path) -> Result<(), Cause> {
    let scenario = if file == Path::new(STDIN) {
        text_of("on stdin", io::stdin().lock())?
    } else {
        let name = file.display().to_string();
        let opened = File::open(file).map_err(|error| Unreadable::Failed(name.clone(), error))?;
        text_of(&name, opened)?
    };
    Ok(terminal::say(&quote::run(&scenario)?)?)
}

/// All of it, where that is not too much.
fn text_of(name: &str, from: impl Read) -> Result<String, Unreadable> {
    let mut bytes = Vec::new();
    let one_more = MAX_SCENARIO_BYTES.saturating_add(1);
    let read = from.take(one_more).read_to_end(&mut bytes).map_err(|error| Unreadable::Failed(name.to_owned(), error))?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_SCENARIO_BYTES {
        return Err(Unreadable::TooLong(name.to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| Unreadable::NoText(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_read_to_its_last_byte_and_not_past_the_most() {
        let most = usize::try_from(MAX_SCENARIO_BYTES).unwrap();
        assert_eq!(text_of("x", " ".repeat(most).as_bytes()).unwrap().len(), most);
        let refused = text_of("x.json", io::repeat(b' ')).unwrap_err();
        assert_eq!(refused.to_string(), "The scenario x.json is too long: at most 1048576 bytes are read.");
        assert_eq!(text_of("x.json", [0xff].as_slice()).unwrap_err().to_string(), "The scenario x.json is no text in UTF-8.");
    }

    #[test]
    fn the_scenario_of_the_help_is_evaluated() {
        let (_, after) = AFTER_HELP.split_once("scenario.json`:\n").unwrap();
        let (scenario, _) = after.split_once("\n\nA scenario has").unwrap();
        assert!(quote::run(scenario).unwrap().contains("\"credit_balance\": \"9766.45\""));
    }
}
