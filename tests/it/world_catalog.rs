//! A world with something to sell.

use std::sync::{Arc, Mutex};

use evolve_business::ids::PlanId;
use evolve_business::services::catalog::CatalogService;
use evolve_business::services::catalog::file::{CatalogueFile, parse};
use evolve_business::services::catalog::seed::Applied;
use evolve_business::store::tenant::Catalogue;
use evolve_business::store::{Snapshot, catalog};

use crate::world::World;

/// The demo's catalogue, as it is shipped.
pub(crate) const DEMO: &str = include_str!("../../catalogue/demo.toml");

/// A catalogue from its text.
pub(crate) fn catalogue_file(text: &str) -> CatalogueFile {
    parse(text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

impl World {
    /// Sells what the demo sells.
    pub(crate) async fn seed_catalogue(&self) {
        self.apply_catalogue(DEMO).await;
    }

    /// Sells what the text of a catalogue file says.
    pub(crate) async fn apply_catalogue(&self, text: &str) -> Applied {
        CatalogService::new(self.ports.clone()).apply(&catalogue_file(text)).await.unwrap()
    }

    /// Reads of the catalogue as it is now.
    pub(crate) async fn catalogue(&self) -> Catalogue {
        Snapshot::new(self.ports.store.clone(), None).catalogue().await.unwrap()
    }

    /// The plan of those codes.
    pub(crate) async fn plan(&self, product: &str, code: &str) -> PlanId {
        let found = catalog::plan_by_code(&self.catalogue().await, product, code).await.unwrap();
        found.unwrap_or_else(|| panic!("no plan {product}/{code}")).id
    }
}

/// The statements that a store has run, for tests that count them. What opens and ends a transaction does not count.
#[derive(Clone, Default)]
pub(crate) struct Statements {
    seen: Arc<Mutex<Vec<String>>>,
}

impl Statements {
    /// For the store's options.
    pub(crate) fn observer(&self) -> Arc<dyn Fn(&str) + Send + Sync> {
        let seen = Arc::clone(&self.seen);
        Arc::new(move |sql| {
            let opens = ["begin", "commit", "rollback", "select set_config", "set "];
            if !opens.iter().any(|word| sql.to_ascii_lowercase().starts_with(word)) {
                seen.lock().unwrap().push(sql.to_owned());
            }
        })
    }

    /// How many since the last [`Statements::clear`].
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Their texts.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Counts from nothing.
    pub(crate) fn clear(&self) {
        self.seen.lock().unwrap().clear();
    }
}
