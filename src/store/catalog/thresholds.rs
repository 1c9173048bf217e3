//! Thresholds as one column keeps them: parts of what is included, with a comma between; empty for none.

use crate::error::Error;
use crate::money::Rate;

/// The thresholds as one column keeps them.
pub(in crate::store) fn write(thresholds: &[Rate]) -> String {
    thresholds.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The thresholds of a column.
///
/// # Errors
/// [`Error::Corrupt`] for anything that [`write`] does not write.
pub(in crate::store) fn read(column: &str) -> Result<Vec<Rate>, Error> {
    if column.is_empty() {
        return Ok(Vec::new());
    }
    let read = column.split(',').map(str::parse::<Rate>).collect::<Result<Vec<_>, _>>();
    read.map_err(|_| Error::Corrupt("a threshold is foreign".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_read_back_as_they_were_written() {
        for (texts, column) in [(vec![], ""), (vec!["1"], "1"), (vec!["0.5", "0.80", "1", "1.25"], "0.5,0.8,1,1.25")] {
            let thresholds: Vec<Rate> = texts.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!((write(&thresholds).as_str(), read(column).unwrap()), (column, thresholds));
        }
        for foreign in ["soon", "0.8,", "0.8;1", "80 %"] {
            assert!(matches!(read(foreign), Err(Error::Corrupt(_))), "{foreign}");
        }
    }
}
