//! The files that came with a request, by the keys that stand for them in its variables.

use std::collections::HashMap;
use std::sync::Arc;

use crate::services::verification::Upload;

/// The files of a request; none of one that is no form.
#[derive(Debug, Clone, Default)]
pub struct Uploads {
    files: Arc<HashMap<String, Upload>>,
}

impl Uploads {
    /// Adds a file. Nobody else holds these yet.
    pub fn add(&mut self, key: String, file: Upload) {
        Arc::make_mut(&mut self.files).insert(key, file);
    }

    /// The file of a key; its bytes are shared.
    pub fn get(&self, key: &str) -> Option<Upload> {
        self.files.get(key).cloned()
    }
}
