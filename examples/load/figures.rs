//! How long answers took, and what came instead of answers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    /// Subscribes to the second product, and pays.
    Subscribe,
    /// Changes the plan of the first product at once.
    ChangePlan,
    /// Cancels the second product at once, for account credit.
    Cancel,
    /// Reads the dashboard.
    Dashboard,
    /// Tells what was used.
    RecordUsage,
}

impl Operation {
    const ALL: [Self; 5] = [Self::Subscribe, Self::ChangePlan, Self::Cancel, Self::Dashboard, Self::RecordUsage];

    const fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::ChangePlan => "changePlan",
            Self::Cancel => "cancel",
            Self::Dashboard => "dashboard",
            Self::RecordUsage => "recordUsage",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What one or all clients met.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    took: BTreeMap<Operation, Vec<Duration>>,
    errors: BTreeMap<Operation, BTreeMap<String, u64>>,
}

impl Figures {
    /// An answer that came after so long.
    pub(crate) fn answered(&mut self, operation: Operation, took: Duration) {
        self.took.entry(operation).or_default().push(took);
    }

    /// An error in place of an answer.
    pub(crate) fn failed(&mut self, operation: Operation, code: String) {
        *self.errors.entry(operation).or_default().entry(code).or_default() += 1;
    }

    /// Puts another's to these.
    pub(crate) fn add(&mut self, other: Self) {
        for (operation, took) in other.took {
            self.took.entry(operation).or_default().extend(took);
        }
        for (operation, errors) in other.errors {
            for (code, count) in errors {
                *self.errors.entry(operation).or_default().entry(code).or_default() += count;
            }
        }
    }

    /// How many errors have such a code.
    pub(crate) fn errors(&self, counts: impl Fn(&str) -> bool) -> u64 {
        self.errors.values().flatten().filter(|(code, _)| counts(code)).map(|(_, count)| count).sum()
    }

    /// How often this was answered.
    #[cfg(test)]
    pub(crate) fn answers(&self, operation: Operation) -> usize {
        self.took.get(&operation).map_or(0, Vec::len)
    }

    /// A row for each operation and one for all, of what was answered in `elapsed`.
    pub(crate) fn table(&self, elapsed: Duration) -> String {
        let head = format!("{:<12} {:>8} {:>10} {:>10} {:>10}   errors", "operation", "answers", "p50 ms", "p99 ms", "a second");
        let rows = Operation::ALL.iter().map(|operation| {
            let took = self.took.get(operation).cloned().unwrap_or_default();
            row(operation.name(), took, elapsed, self.errors.get(operation).into_iter().flatten())
        });
        let all = row("all", self.took.values().flatten().copied().collect(), elapsed, self.errors.values().flatten());
        std::iter::once(head).chain(rows).chain([all]).collect::<Vec<_>>().join("\n")
    }
}

fn row<'e>(name: &str, mut took: Vec<Duration>, elapsed: Duration, errors: impl Iterator<Item = (&'e String, &'e u64)>) -> String {
    took.sort_unstable();
    let count = u128::try_from(took.len()).unwrap_or(u128::MAX);
    let a_second = tenths(count.saturating_mul(10_000) / elapsed.as_millis().max(1));
    let of_hundred = |part| tenths(percentile(&took, part).as_micros() / 100);
    let mut by_code: BTreeMap<&str, u64> = BTreeMap::new();
    for (code, count) in errors {
        *by_code.entry(code).or_default() += count;
    }
    let errors = by_code.iter().map(|(code, count)| format!("{count} {code}")).collect::<Vec<_>>().join(", ");
    let errors = if errors.is_empty() { "none" } else { &errors };
    format!("{name:<12} {count:>8} {:>10} {:>10} {a_second:>10}   {errors}", of_hundred(50), of_hundred(99))
}

/// Of sorted times, the one that so many in a hundred do not exceed.
fn percentile(sorted: &[Duration], of_hundred: usize) -> Duration {
    let rank = (sorted.len() * of_hundred).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn tenths(number: u128) -> String {
    format!("{}.{}", number / 10, number % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        millis.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn of_a_hundred_times_the_fiftieth_and_the_ninety_ninth_are_named() {
        let hundred = millis(1..=100);
        assert_eq!(percentile(&hundred, 50), Duration::from_millis(50));
        assert_eq!(percentile(&hundred, 99), Duration::from_millis(99));
        assert_eq!(percentile(&millis([7]), 99), Duration::from_millis(7));
        assert_eq!(percentile(&millis([3, 8]), 50), Duration::from_millis(3));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn a_row_says_how_many_how_long_how_often_and_what_else_came() {
        let mut figures = Figures::default();
        // 2 s, 4 answers: 2 a second.
        for took in millis([30, 10, 20, 1_250]) {
            figures.answered(Operation::Dashboard, took);
        }
        let mut other = Figures::default();
        other.failed(Operation::Dashboard, "TIMEOUT".to_owned());
        other.failed(Operation::Dashboard, "TIMEOUT".to_owned());
        other.failed(Operation::Cancel, "INTERNAL".to_owned());
        figures.add(other);
        let table = figures.table(Duration::from_secs(2));
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[4], ["dashboard", "4", "20.0", "1250.0", "2.0", "2", "TIMEOUT"]);
        assert_eq!(rows[3], ["cancel", "0", "0.0", "0.0", "0.0", "1", "INTERNAL"]);
        assert_eq!(rows[1], ["subscribe", "0", "0.0", "0.0", "0.0", "none"]);
        assert_eq!(rows[6], ["all", "4", "20.0", "1250.0", "2.0", "1", "INTERNAL,", "2", "TIMEOUT"]);
        assert_eq!(figures.errors(|_| true), 3);
        assert_eq!(figures.errors(|code| code != "TIMEOUT"), 1);
    }
}
