//! The documents that the operator trusts: from the manifests that the settings name to the front door.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::Cause;
use crate::graphql::front_door::FrontDoor;
use crate::graphql::front_door::manifest::{self, Listed};

/// No manifest is longer, in bytes.
const BYTES_MAX: u64 = 64 << 20;
/// How many documents that cannot be trusted are told of.
const TOLD: usize = 10;

/// A manifest that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Where it is, to name it by.
    pub name: String,
    /// Its documents.
    pub documents: Vec<Listed>,
}

/// Reads these manifests.
///
/// # Errors
/// A sentence for the first that cannot be read.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Manifest>, Cause> {
    paths.iter().map(|path| read_one(path).map_err(Cause::from)).collect()
}

/// Reads one of them.
fn read_one(path: &Path) -> Result<Manifest, String> {
    let name = path.display().to_string();
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX.saturating_add(1)).read_to_string(&mut text));
    match read {
        Err(error) => return Err(format!("EVOLVE_TRUSTED_DOCUMENTS names {name}, which cannot be read: {error}.")),
        Ok(bytes) if bytes as u64 > BYTES_MAX => {
            return Err(format!("EVOLVE_TRUSTED_DOCUMENTS names {name}, which has more than {BYTES_MAX} bytes."));
        }
        Ok(_) => {}
    }
    let documents = manifest::read(&text).map_err(|error| format!("EVOLVE_TRUSTED_DOCUMENTS names {name}, which {error}."))?;
    Ok(Manifest { name, documents })
}

/// Has the door trust the documents of these.
///
/// # Errors
/// A sentence for each document that cannot be trusted, for the first few of them.
pub(super) fn trust(door: &mut FrontDoor, manifests: &[Manifest]) -> Result<(), Cause> {
    let mut problems = Vec::new();
    for Manifest { name, documents } in manifests {
        for Listed { id, text } in documents {
            if let Err(error) = door.trust(id, text) {
                let error = error.to_string();
                problems.push(format!("EVOLVE_TRUSTED_DOCUMENTS: the document {id:?} of {name} {}.", error.trim_end_matches('.')));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let rest = problems.len().saturating_sub(TOLD);
    problems.truncate(TOLD);
    if rest > 0 {
        problems.push(format!("EVOLVE_TRUSTED_DOCUMENTS: {rest} more cannot be trusted."));
    }
    Err(problems.join("\n").into())
}
