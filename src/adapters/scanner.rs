//! Looks for malware in files: `clamd`, by its INSTREAM command over TCP.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::Cause;

/// How long a file may take, from the connection to the verdict.
const SCAN_LIMIT: Duration = Duration::from_secs(30);
/// The most bytes that are sent in one piece.
const PIECE_BYTES: usize = 64 * 1_024;
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// What a scanner says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It found nothing.
    Clean,
    /// It found this.
    Infected(String),
}

/// The scanner has no verdict: it is to be asked again.
#[derive(Debug)]
pub struct ScanError(pub Cause);

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the scanner has no verdict: {}", self.0)
    }
}

impl std::error::Error for ScanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// Says whether a file is harmful.
#[async_trait]
pub trait Scanner: Send + Sync + 'static {
    /// The verdict on a file.
    async fn scan(&self, file: &[u8]) -> Result<Verdict, ScanError>;
}

/// A `clamd` that listens on TCP.
#[derive(Debug, Clone)]
pub struct Clamd {
    /// `HOST:PORT`.
    address: String,
}

impl Clamd {
    /// The one at `address` (`HOST:PORT`), which is not asked yet.
    pub const fn at(address: String) -> Self {
        Self { address }
    }

    /// What it answers.
    async fn ask(&self, file: &[u8]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(b"zINSTREAM\0").await?;
        for piece in file.chunks(PIECE_BYTES) {
            let length = u32::try_from(piece.len()).map_err(std::io::Error::other)?;
            stream.write_all(&length.to_be_bytes()).await?;
            stream.write_all(piece).await?;
        }
        stream.write_all(&0_u32.to_be_bytes()).await?;
        stream.flush().await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).trim_end_matches(['\0', '\n']).to_owned())
    }
}

#[async_trait]
impl Scanner for Clamd {
    async fn scan(&self, file: &[u8]) -> Result<Verdict, ScanError> {
        let answer = match tokio::time::timeout(SCAN_LIMIT, self.ask(file)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(ScanError(Box::new(error))),
            Err(elapsed) => return Err(ScanError(Box::new(elapsed))),
        };
        verdict(&answer)
    }
}

/// What an answer means: `stream: OK` or `stream: NAME FOUND`, else there is no verdict.
fn verdict(answer: &str) -> Result<Verdict, ScanError> {
    let none = || ScanError(format!("it answered {answer:?}").into());
    match answer.strip_prefix("stream: ").ok_or_else(none)? {
        "OK" => Ok(Verdict::Clean),
        said => said.strip_suffix(" FOUND").map(|name| Verdict::Infected(name.to_owned())).ok_or_else(none),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_word_is_a_verdict() {
        assert_eq!(verdict("stream: OK").unwrap(), Verdict::Clean);
        assert_eq!(verdict("stream: Win.Test.EICAR_HDB-1 FOUND").unwrap(), Verdict::Infected("Win.Test.EICAR_HDB-1".to_owned()));
        for none in [
            "",
            "OK",
            "stream: ",
            "stream: OKAY",
            "INSTREAM size limit exceeded. ERROR",
            "stream: lstat() failed. ERROR",
            "UNKNOWN COMMAND",
        ] {
            assert!(verdict(none).is_err(), "{none}");
        }
    }
}
