//! The words: one file a language, two layouts for mail. Everything is embedded. What a customer typed stands in a word as a
//! value alone: it is escaped in HTML, and can add neither a header nor a line of markup.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Deserialize;

use crate::adapters::mail::{MAX_SUBJECT_CHARS, Subject};
use crate::error::Error;

/// The words of a kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    title: String,
    summary: String,
    more: Vec<String>,
    action: String,
    /// For whom the language's own footer does not hold: who has no account yet.
    footer: Option<String>,
}

/// The words of a language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Language {
    footer: String,
    kinds: BTreeMap<String, Words>,
}

/// The languages, English first: it stands in for any other.
const LANGUAGES: [(&str, &str); 2] =
    [("en", include_str!("../../../templates/en.toml")), ("sw", include_str!("../../../templates/sw.toml"))];

static BOOKS: LazyLock<Result<Vec<(&str, Language)>, String>> = LazyLock::new(|| {
    let read = |(name, text): (&'static str, &str)| toml::from_str(text).map(|language| (name, language));
    LANGUAGES.into_iter().map(read).collect::<Result<_, _>>().map_err(|error| error.to_string())
});

static PRESS: LazyLock<Result<Environment<'static>, String>> = LazyLock::new(|| {
    let mut press = Environment::new();
    // A word that is missing is an error, and not a hole in a sentence.
    press.set_undefined_behavior(UndefinedBehavior::Strict);
    press.set_trim_blocks(true);
    press.add_template("layout.html", include_str!("../../../templates/layout.html")).map_err(|error| error.to_string())?;
    press.add_template("layout.txt", include_str!("../../../templates/layout.txt")).map_err(|error| error.to_string())?;
    Ok(press)
});

/// What is told in the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// One line.
    pub title: String,
    /// A sentence or two.
    pub body: String,
}

/// What is told by mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its subject.
    pub subject: Subject,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// The words of a kind of notification, e.g. `invoice.issued`, in the language of a locale.
fn words(kind: &str, locale: &str) -> Result<(&'static str, &'static Language, &'static Words), Error> {
    let books = BOOKS.as_ref().map_err(|_| Error::Corrupt("the words cannot be read".into()))?;
    let primary = locale.split(['-', '_']).next().unwrap_or_default();
    let chosen = books.iter().find(|(name, _)| name.eq_ignore_ascii_case(primary)).or_else(|| books.first());
    let (name, language) = chosen.ok_or_else(|| Error::Corrupt("there are no words".into()))?;
    let words = language.kinds.get(&kind.replace('.', "_"));
    Ok((name, language, words.ok_or_else(|| Error::Corrupt("there are no words for a kind of notification".into()))?))
}

/// Whether there are words for a kind.
pub fn is_known(kind: &str) -> bool {
    words(kind, "en").is_ok()
}

/// Puts the values into a sentence.
fn fill(press: &Environment<'_>, sentence: &str, values: &Value) -> Result<String, Error> {
    press.render_str(sentence, values).map_err(|error| Error::Task(Box::new(error)))
}

/// The press.
fn press() -> Result<&'static Environment<'static>, Error> {
    PRESS.as_ref().map_err(|_| Error::Corrupt("the layouts cannot be read".into()))
}

/// What is told of `kind` in the application.
///
/// # Errors
/// [`Error::Corrupt`] for a kind without words; [`Error::Task`] where a value is missing.
pub fn note(kind: &str, locale: &str, values: &serde_json::Value) -> Result<Note, Error> {
    let (_, _, words) = words(kind, locale)?;
    let (press, values) = (press()?, Value::from_serialize(values));
    Ok(Note { title: fill(press, &words.title, &values)?, body: fill(press, &words.summary, &values)? })
}

/// What is told of `kind` by mail, with `link` behind its action.
///
/// # Errors
/// As [`note`].
pub fn letter(kind: &str, locale: &str, values: &serde_json::Value, link: &str) -> Result<Letter, Error> {
    let (name, language, words) = words(kind, locale)?;
    let (press, values) = (press()?, Value::from_serialize(values));
    let title = fill(press, &words.title, &values)?;
    let mut paragraphs = vec![fill(press, &words.summary, &values)?];
    for sentence in &words.more {
        // What holds in some cases alone leaves no hole in the others.
        paragraphs.push(fill(press, sentence, &values)?.trim().to_owned());
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    let footer = fill(press, words.footer.as_ref().unwrap_or(&language.footer), &values)?;
    let page =
        context! { language => name, title => title, paragraphs => paragraphs, action => words.action, link => link, footer => footer };
    let print = |layout: &str| {
        let printed = press.get_template(layout).and_then(|layout| layout.render(&page));
        printed.map_err(|error| Error::Task(Box::new(error)))
    };
    Ok(Letter { subject: subject(&title)?, text: print("layout.txt")?, html: print("layout.html")? })
}

/// A title as a subject: one line, cut where it is too long.
fn subject(title: &str) -> Result<Subject, Error> {
    let line: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SUBJECT_CHARS).collect();
    Subject::parse(&line).ok_or_else(|| Error::Corrupt("a mail has no subject".into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_language_has_words_for_the_same_kinds() {
        let books = BOOKS.as_ref().unwrap();
        let english: Vec<&String> = books[0].1.kinds.keys().collect();
        for (name, language) in books {
            assert_eq!(language.kinds.keys().collect::<Vec<_>>(), english, "{name}");
        }
    }

    #[test]
    fn what_a_customer_typed_is_escaped_in_html_and_adds_no_header() {
        let values = json!({ "name": "<b>Ann</b>\r\nBcc: eve@example.com", "business": "A & <script>" });
        let letter = letter("business.registered", "en", &values, "https://app.example/confirm-email#token=a&b").unwrap();
        assert!(!letter.html.contains("<script>") && !letter.html.contains("<b>Ann"), "{}", letter.html);
        assert!(letter.html.contains("A &amp; &lt;script&gt; is registered."), "{}", letter.html);
        assert_eq!(letter.subject.as_str(), "Welcome to Evolve, <b>Ann</b>  Bcc: eve@example.com");
        assert!(letter.text.contains("A & <script> is registered. Choose a plan to begin.\n"), "{}", letter.text);
        assert!(letter.text.contains("Confirm the address:\nhttps://app.example/confirm-email#token=a&b\n"), "{}", letter.text);
    }

    #[test]
    fn a_locale_chooses_its_language_and_english_stands_in() {
        let values = json!({ "number": "INV-2027-000042", "currency": "KES", "total": "4990.00" });
        for (locale, title) in [
            ("sw", "Ankara INV-2027-000042 imelipwa"),
            ("sw-KE", "Ankara INV-2027-000042 imelipwa"),
            ("SW_TZ", "Ankara INV-2027-000042 imelipwa"),
            ("en", "Invoice INV-2027-000042 is paid"),
            ("fr", "Invoice INV-2027-000042 is paid"),
            ("", "Invoice INV-2027-000042 is paid"),
        ] {
            assert_eq!(note("invoice.paid", locale, &values).unwrap().title, title, "{locale}");
        }
    }

    #[test]
    fn a_value_that_is_missing_is_an_error_and_not_a_hole() {
        assert!(note("invoice.paid", "en", &json!({ "number": "INV-1" })).is_err());
        assert!(note("no.such", "en", &json!({})).is_err());
    }

    #[test]
    fn a_long_title_is_cut_to_a_subject() {
        let values = json!({ "name": "é".repeat(300), "business": "B" });
        let letter = letter("business.registered", "en", &values, "").unwrap();
        assert_eq!(letter.subject.as_str().chars().count(), MAX_SUBJECT_CHARS);
    }
}
