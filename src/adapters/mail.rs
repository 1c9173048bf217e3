//! The port to mail, and a mailer that puts each mail into a file, for sandboxes and tests.
//!
//! Addresses and subjects are checked types, so that nothing a customer typed can add a header to a mail. A mail may
//! hold a secret link: its text is never logged, and its file is readable by the server's user alone.

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::clock::SharedClock;
use crate::error::Cause;

/// The longest address, in bytes (RFC 5321).
pub const MAX_ADDRESS_BYTES: usize = 254;
/// The longest subject, in characters.
pub const MAX_SUBJECT_CHARS: usize = 200;
/// The directory of the file mailer, below the data directory.
pub const DIRECTORY: &str = "mail";

/// An address of mail: one `@`, something on both sides, no spaces, no control characters, nothing that ends or
/// quotes a header. Whether it exists, only a mail to it can tell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailAddress(String);

impl MailAddress {
    /// Reads an address; `None` for what cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let plain =
            |part: &str| !part.is_empty() && part.chars().all(|c| !c.is_control() && !c.is_whitespace() && !r#"@<>(),;:"[]\"#.contains(c));
        let fits = text.len() <= MAX_ADDRESS_BYTES && local.len() <= 64 && plain(local) && plain(domain);
        fits.then(|| Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A subject: one line of 1 to [`MAX_SUBJECT_CHARS`] characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// Reads a subject; `None` for what is empty, too long or not one line.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.trim().is_empty() && text.chars().count() <= MAX_SUBJECT_CHARS && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A mail to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Names it, however often it is sent: the one of two copies that comes later can be told by it.
    pub id: Uuid,
    /// To whom.
    pub to: MailAddress,
    /// About what.
    pub subject: Subject,
    /// The plain text.
    pub text: String,
    /// The same as HTML, where there is such a form.
    pub html: Option<String>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
#[error("the mail could not be sent")]
pub struct MailError {
    /// Whether sending it again later may succeed.
    pub transient: bool,
    /// For the log.
    #[source]
    pub cause: Cause,
}

/// Where mails go.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// Hands `mail` over. When this answers, the mail survives a crash of ours.
    ///
    /// # Errors
    /// [`MailError`]; the mail may have been handed over all the same.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;

    /// Whether it keeps what it took.
    fn keeps_copies(&self) -> bool {
        false
    }

    /// Removes what it keeps of a mail, where it does.
    ///
    /// # Errors
    /// [`MailError`].
    async fn forget(&self, _mail: Uuid) -> Result<(), MailError> {
        Ok(())
    }
}

/// Writes each mail to a file `<instant>-<id>.eml` of its own, so that their names sort by time.
pub struct FileMailer {
    directory: PathBuf,
    from: MailAddress,
    clock: SharedClock,
}

impl FileMailer {
    /// A mailer into `<data_dir>/mail`, which it makes.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(data_dir: &Path, from: MailAddress, clock: SharedClock) -> std::io::Result<Self> {
        let directory = data_dir.join(DIRECTORY);
        std::fs::create_dir_all(&directory)?;
        Ok(Self { directory, from, clock })
    }
}

#[async_trait]
impl Mailer for FileMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let (id, at) = (mail.id, self.clock.now());
        let content = render(mail, &self.from, at);
        let name = format!("{}-{id}.eml", at.strftime("%Y%m%dT%H%M%S.%6fZ"));
        let directory = self.directory.clone();
        let written = tokio::task::spawn_blocking(move || write_whole(&directory, &name, content.as_bytes())).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(MailError { transient: true, cause: error.into() }),
            Err(error) => Err(MailError { transient: true, cause: error.into() }),
        }
    }

    fn keeps_copies(&self) -> bool {
        true
    }

    async fn forget(&self, mail: Uuid) -> Result<(), MailError> {
        let (directory, end) = (self.directory.clone(), format!("-{mail}.eml"));
        let removed = tokio::task::spawn_blocking(move || remove_ending(&directory, &end)).await;
        match removed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(MailError { transient: true, cause: error.into() }),
            Err(error) => Err(MailError { transient: true, cause: error.into() }),
        }
    }
}

/// Removes the files of a directory whose names end so.
fn remove_ending(directory: &Path, end: &str) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(end)) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Makes the file whole or not at all: a reader of the directory never meets half a mail.
fn write_whole(directory: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    let unfinished = directory.join(format!(".{name}.tmp"));
    let outcome = write_new(&unfinished, content).and_then(|()| std::fs::rename(&unfinished, directory.join(name)));
    if outcome.is_err() {
        // Best effort: what is left behind is hidden and never read, and the first error is the one to tell.
        drop(std::fs::remove_file(&unfinished));
        return outcome;
    }
    // The name is on the disk only when its directory is.
    std::fs::File::open(directory)?.sync_all()
}

fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// The mail as RFC 5322 and MIME write it, in UTF-8 and readable without a decoder.
fn render(mail: &Mail, from: &MailAddress, at: jiff::Timestamp) -> String {
    let id = mail.id;
    let date = at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S +0000");
    let domain = from.0.split_once('@').map_or("localhost", |(_, domain)| domain);
    let head = format!(
        "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: <{id}@{domain}>\r\nMIME-Version: 1.0\r\n",
        from = from.0,
        to = mail.to.0,
        subject = encoded(&mail.subject.0),
    );
    let text = part("plain", &mail.text);
    let Some(html) = &mail.html else { return head + &text };
    let html = part("html", html);
    let boundary = format!("part-{}", id.simple());
    format!(
        "{head}Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n{text}--{boundary}\r\n{html}--{boundary}--\r\n"
    )
}

fn part(kind: &str, body: &str) -> String {
    let mut part = format!("Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    for line in body.lines() {
        part.push_str(line);
        part.push_str("\r\n");
    }
    part
}

/// A header's value: as it is where it is ASCII, else as encoded words of at most 75 characters (RFC 2047).
fn encoded(value: &str) -> String {
    const MOST_BYTES: usize = 45;
    if value.is_ascii() {
        return value.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in value.chars() {
        if word.len().saturating_add(c.len_utf8()) > MOST_BYTES {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words: Vec<String> = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\r\n ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::ManualClock;

    fn mail(subject: &str, text: &str, html: Option<&str>) -> Mail {
        Mail {
            id: Uuid::from_u128(u128::from(subject.len() as u64)),
            to: MailAddress::parse("amina@example.co.ke").unwrap(),
            subject: Subject::parse(subject).unwrap(),
            text: text.to_owned(),
            html: html.map(str::to_owned),
        }
    }

    fn mailer(dir: &Path, clock: Arc<ManualClock>) -> FileMailer {
        FileMailer::open(dir, MailAddress::parse("no-reply@evolve.example").unwrap(), clock).unwrap()
    }

    fn files(dir: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> = std::fs::read_dir(dir.join(DIRECTORY)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn what_could_add_a_header_is_no_address() {
        for good in ["a@b", "amina+billing@example.co.ke", "o'neil@example.ie", "müller@bücher.example"] {
            assert!(MailAddress::parse(good).is_some(), "{good:?}");
        }
        let long = format!("{}@{}.example", "a".repeat(64), "b".repeat(182));
        assert_eq!(long.len(), 255);
        for bad in ["", "@", "a@", "@b", "ab", "a@b@c", "a b@c", "a@b\r\nBcc: c@d", "a@b\n", "<a@b>", "a,b@c", "a@b\0", &long] {
            assert!(MailAddress::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_subject_is_one_line() {
        assert!(Subject::parse(&"é".repeat(200)).is_some());
        for bad in ["", "  ", "a\r\nBcc: c@d", "a\nb", "a\tb", "a\u{85}b", &"é".repeat(201)] {
            assert!(Subject::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn each_mail_is_a_file_and_their_names_sort_by_time() {
        let dir = tempfile::TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::at("2027-01-31T09:00:00.5Z".parse().unwrap()));
        let mailer = mailer(dir.path(), clock.clone());
        mailer.send(&mail("First", "Hello Amina,\nyour link: https://x.example/t\n", None)).await.unwrap();
        clock.set("2027-01-31T09:00:00.500001Z".parse().unwrap());
        mailer.send(&mail("Second", "Hello", None)).await.unwrap();

        let files = files(dir.path());
        assert_eq!(files.len(), 2, "{files:?}");
        let name = files[0].file_name().unwrap().to_str().unwrap();
        let id = name.strip_prefix("20270131T090000.500000Z-").unwrap().strip_suffix(".eml").unwrap();
        let expected = format!(
            "From: no-reply@evolve.example\r\nTo: amina@example.co.ke\r\nSubject: First\r\nDate: Sun, 31 Jan 2027 09:00:00 +0000\r\n\
             Message-ID: <{id}@evolve.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\nHello Amina,\r\nyour link: https://x.example/t\r\n"
        );
        assert_eq!(std::fs::read_to_string(&files[0]).unwrap(), expected);
        assert!(std::fs::read_to_string(&files[1]).unwrap().contains("Subject: Second\r\n"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn nobody_else_may_read_a_mail() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::at("2027-01-31T09:00:00Z".parse().unwrap()));
        mailer(dir.path(), clock).send(&mail("Link", "secret", None)).await.unwrap();
        assert_eq!(std::fs::metadata(&files(dir.path())[0]).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{:?}", mail("Link", "secret", None)).contains("secret"));
    }

    #[test]
    fn a_mail_with_html_offers_both_forms() {
        let from = MailAddress::parse("a@b").unwrap();
        let mail = mail("Hi", "plain", Some("<p>rich</p>"));
        let mail = Mail { id: Uuid::nil(), ..mail };
        let text = render(&mail, &from, "2027-01-31T09:00:00Z".parse().unwrap());
        let zeros = "0".repeat(32);
        let body = text.split_once("MIME-Version: 1.0\r\n").unwrap().1;
        let expected = format!(
            "Content-Type: multipart/alternative; boundary=\"part-{zeros}\"\r\n\r\n\
             --part-{zeros}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain\r\n\
             --part-{zeros}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>rich</p>\r\n\
             --part-{zeros}--\r\n"
        );
        assert_eq!(body, expected);
    }

    #[test]
    fn a_subject_beyond_ascii_becomes_encoded_words() {
        assert_eq!(encoded("Invoice INV-1"), "Invoice INV-1");
        // "é" is C3 A9, in base64 w6k=.
        assert_eq!(encoded("é"), "=?UTF-8?B?w6k=?=");
        for word in encoded(&"é".repeat(200)).split("\r\n ") {
            assert!(word.len() <= 75, "{word}");
        }
    }

    #[tokio::test]
    async fn a_mail_that_cannot_be_written_is_an_error_and_leaves_nothing() {
        let dir = tempfile::TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::at("2027-01-31T09:00:00Z".parse().unwrap()));
        let mailer = mailer(dir.path(), clock);
        std::fs::remove_dir(dir.path().join(DIRECTORY)).unwrap();
        let error = mailer.send(&mail("Hi", "text", None)).await.unwrap_err();
        assert!(error.transient);
        std::fs::create_dir(dir.path().join(DIRECTORY)).unwrap();
        assert!(files(dir.path()).is_empty());
    }
}
