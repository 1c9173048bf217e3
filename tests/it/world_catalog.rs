//! A world with something to sell.

use std::sync::{Arc, Mutex};

use evolve_business::ids::PlanId;
use evolve_business::services::catalog::CatalogService;
use evolve_business::services::catalog::file::{CatalogueFile, parse};
use evolve_business::services::catalog::seed::Applied;
use evolve_business::store::tenant::Catalogue;
use evolve_business::store::{Snapshot, catalog};
use sea_orm::sqlx::{self, Connection as _};

use crate::database::Kind;
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

/// Runs statements past the house, as the owner of the tables. `{1}` to `{4}` are ids, `{at}` is an instant.
pub(crate) async fn execute(url: &str, kind: Kind, sql: &str) {
    let mut sql = sql.replace("{at}", "'2027-01-31 08:00:00+00:00'");
    let (bytes, no) = if kind == Kind::Sqlite { ("x'00'", "0") } else { ("'\\x00'", "false") };
    sql = sql.replace("{bytes}", bytes).replace("{false}", no);
    for number in 1..=4_u128 {
        let id = uuid::Uuid::from_u128(number);
        let id = if kind == Kind::Sqlite { format!("x'{}'", id.simple()) } else { format!("'{id}'") };
        sql = sql.replace(&format!("{{{number}}}"), &id);
    }
    let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    let changed = match kind {
        Kind::Sqlite => sql.execute(&mut sqlx::SqliteConnection::connect(url).await.unwrap()).await.unwrap().rows_affected(),
        Kind::Postgres => sql.execute(&mut sqlx::PgConnection::connect(url).await.unwrap()).await.unwrap().rows_affected(),
    };
    assert!(changed > 0, "nothing was changed");
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
            let opens = ["begin", "commit", "rollback", "set "];
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
