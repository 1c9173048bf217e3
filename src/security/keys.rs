//! The server's keys: given by the operator, or (in a sandbox) made once and kept in the data directory.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::cursor::CursorKey;
use super::envelope::MasterKey;
use super::key_ring::MasterKeys;
use super::random::Rng;
use super::token::TokenKey;
use crate::config::{KeyMaterial, KeySettings, KeyTextError, Mode, Settings};
use crate::error::Cause;

/// The folder below the data directory that keeps the keys.
const DIRECTORY: &str = "keys";
/// A key file holds 44 letters and a line's end; nothing longer is read.
const FILE_BYTES_MAX: u64 = 1_024;

/// Why there are no keys: one sentence each.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operator gave none.
    #[error("{name} is missing: give it, or {name}_FILE with the path of a file that holds it.")]
    Missing {
        /// The setting.
        name: &'static str,
    },
    /// The file cannot be made, read or written.
    #[error("The key file {path} cannot be used: {source}.")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file's text is no key.
    #[error("The key file {path} holds no key: it {source}.")]
    Text {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: KeyTextError,
    },
    /// Others than its owner may read it.
    #[error("The key file {path} may be read by others: run `chmod 600 {path}`.")]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// The signing key cannot be encoded.
    #[error("The token key cannot be used.")]
    Unusable(#[source] Cause),
}

/// All keys of the server.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Wraps the keys of businesses.
    pub master: MasterKey,
    /// Wrapped them until it was replaced.
    pub master_previous: Option<MasterKey>,
    /// Signs access tokens.
    pub token: TokenKey,
    /// Signed access tokens until the last rotation.
    pub token_previous: Option<TokenKey>,
    /// Authenticates paging cursors.
    pub cursor: CursorKey,
}

impl Keys {
    /// The master key and the one before it.
    pub fn masters(&self) -> MasterKeys {
        MasterKeys::new(self.master.clone(), self.master_previous.clone())
    }

    /// The keys as the settings give them; those that a sandbox does not give are kept in its data directory.
    ///
    /// # Errors
    /// As [`Keys::from_settings`] (production) and [`Keys::load_or_create`] (sandbox).
    pub fn of(settings: &Settings, rng: &dyn Rng) -> Result<Self, KeyError> {
        match settings.mode {
            Mode::Production => Self::from_settings(&settings.keys),
            Mode::Sandbox => Self::given_or_kept(&settings.keys, &settings.data_dir, rng),
        }
    }

    /// The keys that the operator gave.
    ///
    /// # Errors
    /// Where one is missing.
    pub fn from_settings(given: &KeySettings) -> Result<Self, KeyError> {
        let of = |key: &Option<KeyMaterial>, name| key.clone().ok_or(KeyError::Missing { name });
        Self::assemble(
            of(&given.master, "EVOLVE_MASTER_KEY")?,
            &of(&given.token, "EVOLVE_TOKEN_KEY")?,
            of(&given.cursor, "EVOLVE_CURSOR_KEY")?,
            given,
        )
    }

    /// The keys in `<data_dir>/keys`, made there where they are missing. Any number of processes may start at once:
    /// a key file appears whole and under its name once, and all of them read the one that came first.
    ///
    /// # Errors
    /// Where a file cannot be read or written, holds no key, or may be read by others.
    pub fn load_or_create(data_dir: &Path, rng: &dyn Rng) -> Result<Self, KeyError> {
        Self::given_or_kept(&KeySettings::default(), data_dir, rng)
    }

    fn given_or_kept(given: &KeySettings, data_dir: &Path, rng: &dyn Rng) -> Result<Self, KeyError> {
        let directory = data_dir.join(DIRECTORY);
        let of = |key: &Option<KeyMaterial>, name| match key {
            Some(key) => Ok(key.clone()),
            None => kept(&directory, name, rng),
        };
        let (master, token, cursor) = (of(&given.master, "master.key")?, of(&given.token, "token.key")?, of(&given.cursor, "cursor.key")?);
        Self::assemble(master, &token, cursor, given)
    }

    fn assemble(master: KeyMaterial, token: &KeyMaterial, cursor: KeyMaterial, given: &KeySettings) -> Result<Self, KeyError> {
        Ok(Self {
            master: MasterKey::new(master),
            master_previous: given.master_previous.clone().map(MasterKey::new),
            token: TokenKey::new(token).map_err(KeyError::Unusable)?,
            token_previous: given.token_previous.as_ref().map(TokenKey::new).transpose().map_err(KeyError::Unusable)?,
            cursor: CursorKey::new(cursor),
        })
    }
}

/// The key in the file `name`, made first where there is none.
fn kept(directory: &Path, name: &str, rng: &dyn Rng) -> Result<KeyMaterial, KeyError> {
    let path = directory.join(name);
    let failed = |source| KeyError::File { path: path.clone(), source };
    if !path.try_exists().map_err(failed)? {
        create_private_directory(directory).map_err(failed)?;
        create_key_file(directory, &path, &KeyMaterial::from_bytes(rng.bytes())).map_err(failed)?;
    }
    read_key_file(&path)
}

/// Makes the directory, for its owner alone, with those above it.
fn create_private_directory(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Writes the key under a name of its own (O_EXCL, mode 0600), brings it to the disk, and only then gives it its
/// name, unless another process was faster: then that one's stays.
fn create_key_file(directory: &Path, path: &Path, key: &KeyMaterial) -> std::io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".new-key-").tempfile_in(directory)?;
    writeln!(file, "{}", *key.to_base64())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    // The name itself is on the disk only when the directory is.
    #[cfg(unix)]
    std::fs::File::open(directory)?.sync_all()?;
    Ok(())
}

fn read_key_file(path: &Path) -> Result<KeyMaterial, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    refuse_exposed(path, &file.metadata().map_err(failed)?)?;
    let mut text = zeroize::Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    KeyMaterial::parse(&text).map_err(|source| KeyError::Text { path: path.to_owned(), source })
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &std::fs::Metadata) -> Result<(), KeyError> {
    let others = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077;
    if others == 0 { Ok(()) } else { Err(KeyError::Exposed { path: path.to_owned() }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &std::fs::Metadata) -> Result<(), KeyError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Arc, Barrier};

    use super::*;
    use crate::security::random::{SeededRng, SystemRng};

    fn names(keys: &Keys) -> (String, String, String) {
        (keys.master.id().to_string(), keys.token.id().to_owned(), keys.cursor.seal("s", b"p"))
    }

    #[test]
    fn keys_made_once_are_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("deep/data");
        let made = Keys::load_or_create(&data, &SystemRng).unwrap();
        assert_eq!(names(&Keys::load_or_create(&data, &SystemRng).unwrap()), names(&made));
        let bits = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(bits(&data.join("keys")), 0o700);
        for name in ["master.key", "token.key", "cursor.key"] {
            assert_eq!(bits(&data.join("keys").join(name)), 0o600, "{name}");
        }
        assert_eq!(std::fs::read_dir(data.join("keys")).unwrap().count(), 3, "nothing is left over");
    }

    #[test]
    fn processes_that_start_at_once_agree_on_the_keys() {
        for _ in 0..20 {
            let dir = Arc::new(tempfile::tempdir().unwrap());
            let barrier = Arc::new(Barrier::new(8));
            let starts: Vec<_> = (0..8)
                .map(|_| {
                    let (dir, barrier) = (Arc::clone(&dir), Arc::clone(&barrier));
                    std::thread::spawn(move || {
                        barrier.wait();
                        names(&Keys::load_or_create(dir.path(), &SystemRng).unwrap())
                    })
                })
                .collect();
            let all: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
            assert!(all.iter().all(|one| one == &all[0]), "{all:?}");
            assert_eq!(std::fs::read_dir(dir.path().join("keys")).unwrap().count(), 3);
        }
    }

    #[test]
    fn a_key_file_that_is_empty_cut_or_readable_by_others_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        Keys::load_or_create(dir.path(), &SystemRng).unwrap();
        let path = dir.path().join("keys/token.key");
        let good = std::fs::read_to_string(&path).unwrap();
        for bad in ["", &good[..20], "garbage!"] {
            std::fs::write(&path, bad).unwrap();
            let error = Keys::load_or_create(dir.path(), &SystemRng).unwrap_err();
            assert!(matches!(error, KeyError::Text { .. }), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
        std::fs::write(&path, &good).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let error = Keys::load_or_create(dir.path(), &SystemRng).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_key_that_is_missing_among_the_others_is_made_alone() {
        let dir = tempfile::tempdir().unwrap();
        let before = names(&Keys::load_or_create(dir.path(), &SystemRng).unwrap());
        std::fs::remove_file(dir.path().join("keys/cursor.key")).unwrap();
        let after = names(&Keys::load_or_create(dir.path(), &SystemRng).unwrap());
        assert_eq!((&before.0, &before.1), (&after.0, &after.1));
        assert_ne!(before.2, after.2);
    }

    #[test]
    fn keys_given_by_the_operator_are_used_and_each_missing_one_is_named() {
        let key = |seed| Some(KeyMaterial::from_bytes((&SeededRng::new(seed) as &dyn Rng).bytes()));
        let given = KeySettings { master: key(1), master_previous: key(5), token: key(2), token_previous: key(3), cursor: key(4) };
        let keys = Keys::from_settings(&given).unwrap();
        assert_eq!(keys.master.id(), MasterKey::new(given.master.clone().unwrap()).id());
        assert_eq!(keys.token.id(), TokenKey::new(given.token.as_ref().unwrap()).unwrap().id());
        assert!(keys.token_previous.is_some());
        assert_eq!(keys.master_previous.unwrap().id(), MasterKey::new(given.master_previous.clone().unwrap()).id());
        let error = |given: KeySettings| Keys::from_settings(&given).unwrap_err().to_string();
        assert!(error(KeySettings { master: None, ..given.clone() }).starts_with("EVOLVE_MASTER_KEY is missing"));
        assert!(error(KeySettings { token: None, ..given.clone() }).starts_with("EVOLVE_TOKEN_KEY is missing"));
        assert!(error(KeySettings { cursor: None, ..given }).starts_with("EVOLVE_CURSOR_KEY is missing"));
    }

    #[test]
    fn a_sandbox_takes_the_keys_it_is_given_and_keeps_the_others_itself() {
        let dir = tempfile::tempdir().unwrap();
        let master = KeyMaterial::from_bytes((&SeededRng::new(1) as &dyn Rng).bytes());
        let given = KeySettings { master: Some(master.clone()), ..KeySettings::default() };
        let keys = Keys::given_or_kept(&given, dir.path(), &SystemRng).unwrap();
        assert_eq!(keys.master.id(), MasterKey::new(master).id());
        assert!(!dir.path().join("keys/master.key").exists());
        assert!(dir.path().join("keys/token.key").exists());
    }
}
