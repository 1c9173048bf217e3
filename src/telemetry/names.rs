//! Names of operations as labels. A name comes from whoever asks, so only so many are told apart; each that is costs lines and memory for
//! as long as the process lives.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// How many names of known callers are told apart.
const OF_SOMEBODY: usize = 200;
/// How many names of callers whom nobody knows are told apart, beside those: whoever fills these up takes none from the others.
const OF_ANYBODY: usize = 32;
/// The longest name that is told, in bytes. Names are ASCII.
const LONGEST: usize = 64;

/// The label of an operation without a name. (No name of GraphQL has brackets.)
pub(super) const UNNAMED: &str = "(unnamed)";
/// The label of all names that are not told apart.
pub(super) const OTHER: &str = "(other)";
/// The label of what was not let in.
pub(super) const REFUSED: &str = "(refused)";

/// The names that are told apart.
#[derive(Debug, Default)]
pub(super) struct Names(RwLock<Known>);

/// Each with its API and its kind.
#[derive(Debug, Default)]
struct Known {
    /// All of them.
    all: HashSet<String>,
    /// How many of them came from callers whom nobody knows.
    of_anybody: usize,
}

impl Names {
    /// The label for an operation of that name. A new name is taken up once it has been answered well, while there is room.
    pub(super) fn label<'n>(&self, (api, kind): (&str, &str), name: Option<&'n str>, is_well: bool, by_somebody: bool) -> &'n str {
        let Some(name) = name else { return UNNAMED };
        if name.len() > LONGEST {
            return OTHER;
        }
        let key = format!("{api} {kind} {name}");
        if self.0.read().unwrap_or_else(PoisonError::into_inner).all.contains(&key) {
            return name;
        }
        if !is_well {
            return OTHER;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let of_somebody = known.all.len().saturating_sub(known.of_anybody);
        let has_room = if by_somebody { of_somebody < OF_SOMEBODY } else { known.of_anybody < OF_ANYBODY };
        if !has_room && !known.all.contains(&key) {
            return OTHER;
        }
        if known.all.insert(key) && !by_somebody {
            known.of_anybody = known.of_anybody.saturating_add(1);
        }
        name
    }
}

/// A name as it may stand in a span or a line.
pub(super) fn shown(name: Option<&str>) -> &str {
    let Some(name) = name else { return UNNAMED };
    name.get(..LONGEST).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_nobody_knows_takes_no_names_from_those_who_are_known() {
        let (names, of) = (Names::default(), ("business", "query"));
        for number in 0..1_000 {
            let name = format!("Junk{number}");
            let expected = if number < OF_ANYBODY { name.as_str() } else { OTHER };
            assert_eq!(names.label(of, Some(&name), true, false), expected);
        }
        for number in 0..1_000 {
            let name = format!("Page{number}");
            let expected = if number < OF_SOMEBODY { name.as_str() } else { OTHER };
            assert_eq!(names.label(of, Some(&name), true, true), expected);
        }
        assert_eq!(names.label(of, Some("Page7"), false, false), "Page7", "it is known by now");
        assert_eq!(names.0.read().unwrap().all.len(), OF_SOMEBODY + OF_ANYBODY);
    }

    #[test]
    fn a_name_is_taken_up_once_it_was_answered_well_and_none_that_is_too_long() {
        let (names, of, long) = (Names::default(), ("business", "query"), "a".repeat(65));
        assert_eq!(names.label(of, Some("Dashboard"), false, true), OTHER);
        assert_eq!(names.label(of, Some("Dashboard"), true, true), "Dashboard");
        assert_eq!(names.label(of, Some("Dashboard"), false, true), "Dashboard");
        assert_eq!(names.label(of, Some(&long), true, true), OTHER);
        assert_eq!(names.label(of, None, true, true), UNNAMED);
        assert_eq!((shown(Some(&long)).len(), shown(None)), (64, UNNAMED));
    }
}
