//! The one place that prints: answers on stdout, complaints on stderr.

use std::io::{Result, Write};

/// Prints `text` and a line's end on stdout.
///
/// # Errors
/// Where nobody reads it any more, or the disk it goes to is full.
pub fn say(text: &str) -> Result<()> {
    line(&mut std::io::stdout().lock(), text)
}

/// Prints `text` and a line's end on stderr.
///
/// # Errors
/// As [`say`].
pub fn complain(text: &str) -> Result<()> {
    line(&mut std::io::stderr().lock(), text)
}

fn line(to: &mut impl Write, text: &str) -> Result<()> {
    writeln!(to, "{text}")?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_printed_with_a_lines_end() {
        let mut printed = Vec::new();
        line(&mut printed, "type Query").unwrap();
        assert_eq!(printed, b"type Query\n");
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut full = std::io::Cursor::new([0; 4]);
        assert!(line(&mut full.get_mut().as_mut_slice(), "too long").is_err());
    }
}
