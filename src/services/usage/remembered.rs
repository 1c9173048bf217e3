//! What never changes once it is there, kept in memory: which product a code names, and what versions of plans have.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::Error;
use crate::ids::ProductId;
use crate::store::catalog::{self, Feature, VersionKey};
use crate::store::tenant::Catalogue;

/// What of the catalogue was met so far. It holds what exists alone, so it is as large as the catalogue at most.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Products by their codes, which they keep.
    products: RwLock<HashMap<String, ProductId>>,
    /// The features of versions of plans, what every plan limits among them. A version never changes.
    features: RwLock<HashMap<VersionKey, Arc<[Feature]>>>,
}

impl Remembered {
    /// The products of these codes, as far as there are such. A statement where one of them was not met before. The codes are
    /// compared here: what comes from outside may hold what no column can.
    ///
    /// # Errors
    /// The database's fault.
    pub(super) async fn products(&self, catalogue: &Catalogue, codes: &BTreeSet<&str>) -> Result<HashMap<String, ProductId>, Error> {
        let met: HashMap<String, ProductId> = {
            let known = self.products.read().unwrap_or_else(PoisonError::into_inner);
            codes.iter().filter_map(|code| Some(((*code).to_owned(), *known.get(*code)?))).collect()
        };
        if met.len() == codes.len() {
            return Ok(met);
        }
        let all: HashMap<String, ProductId> =
            catalog::products(catalogue).await?.into_iter().map(|product| (product.code, product.id)).collect();
        let found = codes.iter().filter_map(|code| Some(((*code).to_owned(), *all.get(*code)?))).collect();
        self.products.write().unwrap_or_else(PoisonError::into_inner).extend(all);
        Ok(found)
    }

    /// The features of versions of plans, what every plan limits among them. Two statements for those that were not met before.
    ///
    /// # Errors
    /// The database's fault.
    pub(super) async fn features(&self, catalogue: &Catalogue, keys: &[VersionKey]) -> Result<HashMap<VersionKey, Arc<[Feature]>>, Error> {
        let mut found: HashMap<VersionKey, Arc<[Feature]>> = {
            let known = self.features.read().unwrap_or_else(PoisonError::into_inner);
            keys.iter().filter_map(|key| Some((*key, Arc::clone(known.get(key)?)))).collect()
        };
        let missing: Vec<VersionKey> = keys.iter().filter(|key| !found.contains_key(*key)).copied().collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let mut own = catalog::plan_features(catalogue, &missing).await?;
        let plans = catalog::plans(catalogue, &missing).await?;
        let with_limits = |(key, plan): (VersionKey, catalog::Plan)| {
            let features: Arc<[Feature]> = own.remove(&key).unwrap_or_default().into_iter().chain(plan.limits()).collect();
            (key, features)
        };
        let read: HashMap<VersionKey, Arc<[Feature]>> = plans.into_iter().map(with_limits).collect();
        found.extend(read.iter().map(|(key, features)| (*key, Arc::clone(features))));
        self.features.write().unwrap_or_else(PoisonError::into_inner).extend(read);
        Ok(found)
    }
}
