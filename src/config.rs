//! Typed settings: defaults, limits, validation.

mod key;

use std::path::PathBuf;

pub use key::{KEY_BYTES, KeyMaterial, KeyTextError};

/// What the server is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To try it out and to develop against it: makes its own keys, seeds demo data, charges nobody.
    Sandbox,
    /// For real money: refuses weak settings.
    Production,
}

/// The keys that the operator gave.
#[derive(Debug, Clone, Default)]
pub struct KeySettings {
    /// Wraps the keys of businesses.
    pub master: Option<KeyMaterial>,
    /// Signs access tokens.
    pub token: Option<KeyMaterial>,
    /// Signed access tokens until the last rotation.
    pub token_previous: Option<KeyMaterial>,
    /// Authenticates paging cursors.
    pub cursor: Option<KeyMaterial>,
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the server is run for.
    pub mode: Mode,
    /// Where files are kept.
    pub data_dir: PathBuf,
    /// The keys that the operator gave.
    pub keys: KeySettings,
}
