//! Files of any size: they lie in parts, each sealed for its own place among them, so that no more than one part is in memory however
//! large a file is. A part that is missing, cut, or put in the place of another does not open as that one.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{Stream, unfold};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::SealedFile;
use crate::error::Error;
use crate::security::key_ring::BusinessKeys;
use crate::security::random::SharedRng;
use crate::services::Ports;
use crate::store::TenantScope;
use crate::store::customers::Business;

/// How many bytes a part has before it is sealed; the last one has what is left.
pub(in crate::services) const PART_BYTES: usize = 1_024 * 1_024;

/// A file in parts.
#[derive(Debug, Clone)]
pub(in crate::services) struct SealedParts {
    /// The folder that they lie in; nothing else does.
    pub(in crate::services) folder: String,
    /// Whose the file is.
    pub(in crate::services) business: Uuid,
    /// The table of the row that it belongs to.
    pub(in crate::services) table: &'static str,
    /// That row.
    pub(in crate::services) row: Uuid,
}

impl SealedParts {
    /// One part.
    fn part(&self, at: usize) -> SealedFile {
        let (name, column) = (format!("{}/{at}", self.folder), Cow::Owned(format!("file.{at}")));
        SealedFile { name, business: self.business, table: self.table, column, row: self.row }
    }

    /// The parts of a file that has so many bytes.
    pub(in crate::services) fn parts(&self, bytes: u64) -> impl Iterator<Item = SealedFile> + use<'_> {
        lengths(bytes).map(|(at, _)| self.part(at))
    }

    /// What a file of so many bytes says, part by part.
    pub(in crate::services) fn read(
        self,
        ports: Ports,
        scope: TenantScope,
        business: Business,
        bytes: u64,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        unfold((lengths(bytes), self), move |(mut left, file)| {
            let (ports, business) = (ports.clone(), business.clone());
            async move {
                let (at, length) = left.next()?;
                let read = async {
                    let mut content = file.part(at).open(&ports, scope, &business).await?;
                    if content.len() != length {
                        return Err(Error::Corrupt("a part of a file is of another length".into()));
                    }
                    Ok(Bytes::from(std::mem::take(&mut *content)))
                };
                Some((read.await, (left, file)))
            }
        })
    }

    /// Removes every part, of whatever was kept here.
    ///
    /// # Errors
    /// The fault of where files are kept.
    pub(in crate::services) async fn remove(&self, ports: &Ports) -> Result<(), Error> {
        ports.documents.delete_below(&self.folder).await
    }
}

/// The number and the length of each part of a file of so many bytes.
fn lengths(bytes: u64) -> impl Iterator<Item = (usize, usize)> + Send + 'static {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    (0..bytes.div_ceil(PART_BYTES)).map(move |at| (at, bytes.saturating_sub(at.saturating_mul(PART_BYTES)).min(PART_BYTES)))
}

/// What a file in parts is written into. A part is sealed as soon as it is full, and lies sealed in a file of this machine that has no name
/// until it is kept: so what is written inside of a transaction waits for no network, and nothing lies anywhere as it is.
pub(in crate::services) struct Spool {
    /// What is written.
    of: SealedParts,
    /// Seals it.
    keys: BusinessKeys,
    /// For its nonces.
    rng: SharedRng,
    /// The part that is not full yet.
    part: Zeroizing<Vec<u8>>,
    /// The parts that are.
    sealed: File,
    /// How many bytes each of them has there.
    lengths: Vec<usize>,
    /// How many bytes were written.
    bytes: u64,
}

impl Spool {
    /// An empty one.
    ///
    /// # Errors
    /// Where this machine has no place for it.
    pub(in crate::services) fn begin(of: SealedParts, keys: BusinessKeys, rng: SharedRng) -> Result<Self, Error> {
        let sealed = tempfile::tempfile().map_err(|error| Error::Task(Box::new(error)))?;
        Ok(Self { of, keys, rng, part: Zeroizing::new(Vec::with_capacity(PART_BYTES)), sealed, lengths: Vec::new(), bytes: 0 })
    }

    /// Seals the part at hand.
    fn seal(&mut self) -> io::Result<()> {
        let file = self.of.part(self.lengths.len());
        let sealed = self.keys.seal(self.rng.as_ref(), &file.place(), &self.part).map_err(io::Error::other)?;
        self.sealed.write_all(&sealed)?;
        self.lengths.push(sealed.len());
        self.part.clear();
        Ok(())
    }

    /// What was written, as a whole.
    ///
    /// # Errors
    /// Where the last part cannot be written.
    pub(in crate::services) fn finish(mut self) -> Result<Spooled, Error> {
        let last = if self.part.is_empty() { Ok(()) } else { self.seal() };
        last.and_then(|()| self.sealed.seek(SeekFrom::Start(0))).map_err(|error| Error::Task(Box::new(error)))?;
        Ok(Spooled { of: self.of, sealed: Arc::new(self.sealed), lengths: self.lengths, bytes: self.bytes })
    }
}

impl Write for Spool {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let taken = more.len().min(PART_BYTES.saturating_sub(self.part.len()));
        self.part.extend_from_slice(more.get(..taken).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(u64::try_from(taken).map_err(io::Error::other)?);
        if self.part.len() == PART_BYTES {
            self.seal()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file in parts that is written, and not kept yet.
pub(in crate::services) struct Spooled {
    /// What it is.
    of: SealedParts,
    /// Its parts, one behind the other.
    sealed: Arc<File>,
    /// How many bytes each of them has there.
    lengths: Vec<usize>,
    /// How many bytes it has.
    bytes: u64,
}

impl Spooled {
    /// How many bytes it has.
    pub(in crate::services) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Keeps its parts in the place of whatever was kept there; of them one is in memory at a time.
    ///
    /// # Errors
    /// The fault of where files are kept.
    pub(in crate::services) async fn keep(self, ports: &Ports) -> Result<(), Error> {
        self.of.remove(ports).await?;
        for (at, length) in self.lengths.into_iter().enumerate() {
            let sealed = Arc::clone(&self.sealed);
            let reading = tokio::task::spawn_blocking(move || {
                let mut part = vec![0; length];
                (&*sealed).read_exact(&mut part).map(|()| part)
            });
            let read = reading.await.map_err(|error| Error::Task(Box::new(error)))?;
            ports.documents.put(&self.of.part(at).name, read.map_err(|error| Error::Task(Box::new(error)))?).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeyMaterial;
    use crate::security::envelope::{BusinessKey, MasterKey};
    use crate::security::key_ring::MasterKeys;
    use crate::security::random::SeededRng;

    const BUSINESS: Uuid = Uuid::from_u128(1);

    fn keys() -> BusinessKeys {
        let (rng, masters) = (SeededRng::new(1), MasterKeys::new(MasterKey::new(KeyMaterial::from_bytes([1; 32])), None));
        let wrapped = masters.wrap(&rng, BUSINESS, &BusinessKey::generate(&rng)).unwrap();
        masters.of_business(BUSINESS, &wrapped, None).unwrap()
    }

    fn parts() -> SealedParts {
        SealedParts { folder: "biz/exp".to_owned(), business: BUSINESS, table: "data_exports", row: Uuid::from_u128(2) }
    }

    /// A spool into which so many bytes were written, piece by piece, that are no repetition.
    fn written(bytes: usize, keys: &BusinessKeys) -> Spooled {
        let mut spool = Spool::begin(parts(), keys.clone(), Arc::new(SeededRng::new(2))).unwrap();
        let all: Vec<u8> = (0..bytes).map(|at| u8::try_from(at / 7 % 251).unwrap()).collect();
        for piece in all.chunks(300_007) {
            spool.write_all(piece).unwrap();
            assert!(spool.part.len() < PART_BYTES && spool.part.capacity() == PART_BYTES, "no more than a part is held");
        }
        spool.finish().unwrap()
    }

    /// The parts as they lie sealed.
    fn sealed(spooled: &Spooled) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        (&*spooled.sealed).read_to_end(&mut all).unwrap();
        let mut rest = all.as_slice();
        let mut parts = Vec::new();
        for length in &spooled.lengths {
            let (part, behind) = rest.split_at(*length);
            parts.push(part.to_vec());
            rest = behind;
        }
        assert!(rest.is_empty());
        parts
    }

    #[test]
    fn however_large_a_file_is_no_more_than_a_part_of_it_is_in_memory() {
        let keys = keys();
        for (bytes, expected) in [
            (0, vec![]),
            (1, vec![1]),
            (PART_BYTES, vec![PART_BYTES]),
            (PART_BYTES + 1, vec![PART_BYTES, 1]),
            (5 * PART_BYTES - 1, vec![PART_BYTES, PART_BYTES, PART_BYTES, PART_BYTES, PART_BYTES - 1]),
        ] {
            let spooled = written(bytes, &keys);
            assert_eq!(spooled.bytes(), bytes as u64);
            let opened: Vec<Vec<u8>> = sealed(&spooled)
                .iter()
                .enumerate()
                .map(|(at, part)| keys.open(&parts().part(at).place(), part).unwrap().to_vec())
                .collect();
            assert_eq!(opened.iter().map(Vec::len).collect::<Vec<_>>(), expected, "{bytes}");
            assert_eq!(lengths(spooled.bytes()).map(|(_, length)| length).collect::<Vec<_>>(), expected, "{bytes}");
            let whole = opened.concat();
            assert!(whole.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at / 7 % 251), "{bytes}");
        }
    }

    #[test]
    fn a_part_opens_in_its_own_place_alone() {
        let keys = keys();
        let sealed = sealed(&written(3 * PART_BYTES, &keys));
        assert!(keys.open(&parts().part(1).place(), &sealed[1]).is_ok());
        for (at, part) in [(0, &sealed[1]), (1, &sealed[0]), (2, &sealed[1])] {
            assert!(keys.open(&parts().part(at).place(), part).is_err(), "{at}");
        }
        let other = SealedParts { row: Uuid::from_u128(3), ..parts() };
        assert!(keys.open(&other.part(1).place(), &sealed[1]).is_err(), "of another file");
    }
}
