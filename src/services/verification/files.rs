//! What an uploaded file is: told by its own bytes, with which its name and the type it is declared to be must agree. Nothing is
//! unpacked, decoded or drawn here.

use std::fmt::Write as _;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::pictures::{self, Size};
use crate::error::{UserError, UserErrorCode};

/// The most bytes of a file.
pub const MAX_FILE_BYTES: usize = 10 * 1_024 * 1_024;
/// The most files of a submission.
pub const MAX_FILES: usize = 5;
/// The most characters of a file's name.
const MAX_NAME_CHARS: usize = 150;

/// A file as it was sent.
#[derive(Debug, Clone)]
pub struct Upload {
    /// What its sender calls it; may be anything.
    pub file_name: String,
    /// What its sender says it is, without parameters; may be anything.
    pub content_type: String,
    /// Its bytes; `None` for more of them than a file may have.
    pub content: Option<Bytes>,
}

/// A file that may be kept.
#[derive(Debug, Clone)]
pub(super) struct Sound {
    /// Its name, without folders.
    pub(super) file_name: String,
    /// What it is.
    pub(super) content_type: &'static str,
    /// The hash of its bytes, in hexadecimal digits.
    pub(super) sha256: String,
    /// Its bytes.
    pub(super) content: Bytes,
}

/// Reads how large a picture says it is.
type Measure = fn(&[u8]) -> Option<Size>;

/// A kind of file that is taken.
struct Format {
    /// How it is declared.
    content_type: &'static str,
    /// How its name may end.
    extensions: &'static [&'static str],
    /// Whether the bytes end as such a file does: what is cut off, or has something else behind it, does not.
    is_whole: fn(&[u8]) -> bool,
    /// How large a picture says it is: nothing for one whose frame is broken. Of what is no picture there is no such question.
    size: Option<Measure>,
}

/// What is taken, and nothing else.
const FORMATS: [Format; 3] = [
    Format { content_type: "application/pdf", extensions: &["pdf"], is_whole: ends_as_pdf, size: None },
    Format {
        content_type: "image/jpeg",
        extensions: &["jpg", "jpeg"],
        is_whole: |bytes| bytes.ends_with(&[0xff, 0xd9]),
        size: Some(pictures::jpeg),
    },
    Format {
        content_type: "image/png",
        extensions: &["png"],
        is_whole: |bytes| bytes.ends_with(b"\0\0\0\0IEND\xaeB`\x82"),
        size: Some(pictures::png),
    },
];

/// Reads a file.
///
/// # Errors
/// TOO_LARGE, or UNSUPPORTED_FILE.
pub(super) fn read(upload: &Upload) -> Result<Sound, UserError> {
    let Some(content) = &upload.content else {
        return Err(UserError::new(UserErrorCode::TooLarge, "A file has at most 10 MiB."));
    };
    if content.is_empty() {
        return Err(unsupported("The file is empty."));
    }
    let found = infer::get(content).map(|kind| kind.mime_type());
    let format = FORMATS.iter().find(|format| found == Some(format.content_type));
    let format = format.ok_or_else(|| unsupported("Send a PDF, a JPEG or a PNG."))?;
    if !(format.is_whole)(content) {
        return Err(unsupported("The file is not whole, or has something behind its end."));
    }
    if let Some(size_of) = format.size {
        let size = size_of(content).ok_or_else(|| unsupported("The picture is broken."))?;
        if !size.fits() {
            return Err(UserError::new(UserErrorCode::TooLarge, "A picture has at most 20,000 pixels each way, and 250 million in all."));
        }
    }
    if !upload.content_type.eq_ignore_ascii_case(format.content_type) {
        return Err(unsupported("The file is not of the type that it is declared to be."));
    }
    let file_name = name(&upload.file_name).ok_or_else(|| unsupported("The file has no name that can be shown."))?;
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    if !extension.is_some_and(|extension| format.extensions.contains(&extension.as_str())) {
        return Err(unsupported("The file's name does not end as its type does."));
    }
    Ok(Sound { file_name, content_type: format.content_type, sha256: hex(&Sha256::digest(content)), content: content.clone() })
}

/// The refusal of a file.
fn unsupported(sentence: &str) -> UserError {
    UserError::new(UserErrorCode::UnsupportedFile, sentence)
}

/// A file's name without the folders that it is said to lie in; `None` where nothing is left, or what would not show as it is written.
fn name(given: &str) -> Option<String> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let is_plain = last
        .chars()
        .all(|c| !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'));
    let (stem, _) = last.rsplit_once('.')?;
    let fits = is_plain && !stem.trim_matches('.').is_empty() && last.chars().nth(MAX_NAME_CHARS).is_none();
    fits.then(|| last.to_owned())
}

/// A PDF ends with `%%EOF`, and nothing but white space may follow.
fn ends_as_pdf(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0)).map_or(0, |last| last.saturating_add(1));
    bytes.get(..end).is_some_and(|bytes| bytes.ends_with(b"%%EOF"))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::super::pictures::tests::{jpeg_of, png_of};
    use super::*;

    const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n";

    fn sent(file_name: &str, content_type: &str, content: &[u8]) -> Result<Sound, UserError> {
        read(&Upload { file_name: file_name.into(), content_type: content_type.into(), content: Some(Bytes::copy_from_slice(content)) })
    }

    #[test]
    fn a_file_is_what_its_bytes_say_under_a_name_that_says_the_same() {
        let (jpeg, png) = (jpeg_of(640, 480), png_of(640, 480));
        for (name, declared, content, shown) in [
            ("Certificate.pdf", "application/pdf", PDF, "Certificate.pdf"),
            ("ID.JPG", "image/jpeg", &jpeg, "ID.JPG"),
            ("id.jpeg", "IMAGE/JPEG", &jpeg, "id.jpeg"),
            ("permit.png", "image/png", &png, "permit.png"),
            ("Cheti cha usajili – 2026.pdf", "application/pdf", PDF, "Cheti cha usajili – 2026.pdf"),
            ("../../../etc/passwd.pdf", "application/pdf", PDF, "passwd.pdf"),
            ("C:\\Users\\ann\\scan.pdf", "application/pdf", PDF, "scan.pdf"),
            ("a.exe.pdf", "application/pdf", PDF, "a.exe.pdf"),
        ] {
            let sound = sent(name, declared, content).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
            assert_eq!((sound.file_name.as_str(), sound.content.as_ref()), (shown, content), "{name}");
        }
        // printf '' | sha256sum, of three letters: printf 'abc' | sha256sum
        assert_eq!(hex(&Sha256::digest(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn whatever_is_something_else_or_says_so_is_refused() {
        let (jpeg, png) = (jpeg_of(640, 480), png_of(640, 480));
        let (html, zip, gzip) = (b"<!doctype html><script>alert(1)</script>", b"PK\x03\x04\x14\0\0\0\x08\0zip", b"\x1f\x8b\x08\0\0\0\0\0");
        let behind = |bytes: &[u8], more: &[u8]| [bytes, more].concat();
        let cases: Vec<(&str, &str, Vec<u8>)> = vec![
            ("a.pdf", "application/pdf", html.to_vec()),
            ("bomb.pdf", "application/pdf", zip.to_vec()),
            ("bomb.pdf", "application/pdf", gzip.to_vec()),
            ("empty.pdf", "application/pdf", Vec::new()),
            ("head.pdf", "application/pdf", b"%PDF-1.7\n".to_vec()),
            ("cut.pdf", "application/pdf", PDF[..PDF.len() - 3].to_vec()),
            ("late.pdf", "application/pdf", behind(b"GIF89a", PDF)),
            ("tail.pdf", "application/pdf", behind(PDF, zip)),
            ("tail.jpg", "image/jpeg", behind(&jpeg, zip)),
            ("cut.jpg", "image/jpeg", jpeg[..jpeg.len() - 1].to_vec()),
            ("tail.png", "image/png", behind(&png, html)),
            ("cut.png", "image/png", png[..png.len() - 4].to_vec()),
            ("other.png", "image/png", jpeg.clone()),
            // As a picture begins and ends, with a page between, or nothing.
            ("page.jpg", "image/jpeg", [b"\xff\xd8\xff\xe0", html.as_slice(), b"\xff\xd9"].concat()),
            ("page.png", "image/png", [&png[..8], html.as_slice(), &png[png.len() - 12..]].concat()),
            ("hollow.jpg", "image/jpeg", b"\xff\xd8\xff\xd9".to_vec()),
            ("hollow.png", "image/png", [&png[..33], &png[png.len() - 12..]].concat()),
            ("declared.pdf", "image/png", PDF.to_vec()),
            ("declared.pdf", "application/octet-stream", PDF.to_vec()),
            ("declared.pdf", "", PDF.to_vec()),
            ("page.html", "application/pdf", PDF.to_vec()),
            ("a.pdf.exe", "application/pdf", PDF.to_vec()),
            ("pdf", "application/pdf", PDF.to_vec()),
            (".pdf", "application/pdf", PDF.to_vec()),
            ("", "application/pdf", PDF.to_vec()),
            ("folder/", "application/pdf", PDF.to_vec()),
            ("evil\u{202e}fdp.pdf", "application/pdf", PDF.to_vec()),
            ("two\nlines.pdf", "application/pdf", PDF.to_vec()),
            ("nul\0.pdf", "application/pdf", PDF.to_vec()),
        ];
        for (name, declared, content) in cases {
            assert_eq!(
                sent(name, declared, &content).map(|_| ()).map_err(|e| e.code),
                Err(UserErrorCode::UnsupportedFile),
                "{name:?} {declared}"
            );
        }
        let long = format!("{}.pdf", "x".repeat(MAX_NAME_CHARS));
        assert!(sent(&long, "application/pdf", PDF).is_err());
        let large = Upload { file_name: "a.pdf".into(), content_type: "application/pdf".into(), content: None };
        assert_eq!(read(&large).unwrap_err().code, UserErrorCode::TooLarge);
        for (name, declared, content) in [
            ("huge.png", "image/png", png_of(2_147_483_647, 2_147_483_647)),
            ("wide.png", "image/png", png_of(20_001, 1)),
            ("huge.jpg", "image/jpeg", jpeg_of(65_535, 65_535)),
            ("none.jpg", "image/jpeg", jpeg_of(640, 0)),
        ] {
            assert_eq!(sent(name, declared, &content).unwrap_err().code, UserErrorCode::TooLarge, "{name}");
        }
    }
}
