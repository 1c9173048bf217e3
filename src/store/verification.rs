//! The verification of a business: what was submitted, the documents, and the rules of the countries.

use std::collections::HashMap;

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryOrder as _};

use super::entity::verification::{document, rule, submission};
use super::live::Subject;
use super::tenant::Catalogue;
use super::{Reader, System, Tenant};
use crate::error::Error;
use crate::ids::{BusinessId, DocumentId};

pub use super::entity::verification::document::Model as Document;
pub use super::entity::verification::rule::Model as Rule;
pub use super::entity::verification::submission::Model as Verification;

/// The country of the rule for all that have none of their own.
pub const EVERYWHERE: &str = "*";

/// Every country's rule.
///
/// # Errors
/// The database's fault.
pub async fn rules(catalogue: &Catalogue) -> Result<Vec<Rule>, Error> {
    catalogue.select::<rule::Entity>().order_by_asc(rule::Column::Country).all().await
}

/// Makes these the rules, instead of those that are there; answers whether something changed. Whoever seeds holds the seller's row.
///
/// # Errors
/// The database's fault.
pub async fn put_rules(system: &System, given: &[Rule]) -> Result<bool, Error> {
    let mut rules_now = given.to_vec();
    rules_now.sort_by(|one, other| one.country.cmp(&other.country));
    if rules(&system.catalogue()).await? == rules_now {
        return Ok(false);
    }
    system.delete_where::<rule::Entity>(rule::Column::Country.is_not_null()).await?;
    system.insert_many(rules_now.into_iter().map(|row| row.into_active_model().reset_all()).collect()).await?;
    Ok(true)
}

/// What this business submitted, where it has. The business is locked by this transaction where it is to be changed.
///
/// # Errors
/// The database's fault.
pub async fn find(tenant: &Tenant) -> Result<Option<Verification>, Error> {
    tenant.select::<submission::Entity>().one().await
}

/// Writes what is submitted for the first time.
///
/// # Errors
/// The database's fault.
pub async fn insert(tenant: &Tenant, row: Verification) -> Result<(), Error> {
    tenant.changed(Subject::Verification);
    tenant.insert_many(vec![row.into_active_model().reset_all()]).await
}

/// Writes the row as a whole. The business is locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save(tenant: &Tenant, row: Verification) -> Result<(), Error> {
    tenant.changed(Subject::Verification);
    tenant.save::<submission::Entity, _>(row.into_active_model().reset_all()).await
}

/// This business's documents, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn documents(tenant: &Tenant) -> Result<Vec<Document>, Error> {
    let newest = tenant.select::<document::Entity>().order_by_desc(document::Column::UploadedAt).order_by_desc(document::Column::Id);
    newest.all().await
}

/// One document of this business.
///
/// # Errors
/// The database's fault.
pub async fn document(reader: &Reader, id: DocumentId) -> Result<Option<Document>, Error> {
    reader.by_id::<document::Entity, _>(id).await
}

/// Writes documents.
///
/// # Errors
/// The database's fault.
pub async fn insert_documents(tenant: &Tenant, rows: Vec<Document>) -> Result<(), Error> {
    tenant.changed(Subject::Verification);
    tenant.insert_many(rows.into_iter().map(|row| row.into_active_model().reset_all()).collect()).await
}

/// Writes a document's row as a whole. The business is locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save_document(tenant: &Tenant, row: Document) -> Result<(), Error> {
    tenant.changed(Subject::Verification);
    tenant.save::<document::Entity, _>(row.into_active_model().reset_all()).await
}

/// How many bytes the documents of a business have.
///
/// # Errors
/// The database's fault.
pub async fn stored_bytes(tenant: &Tenant) -> Result<i64, Error> {
    Ok(documents(tenant).await?.iter().fold(0_i64, |all, document| all.saturating_add(document.byte_size)))
}

/// What these businesses submitted.
///
/// # Errors
/// The database's fault.
pub async fn of_businesses(reader: &Reader, ids: &[BusinessId]) -> Result<HashMap<BusinessId, Verification>, Error> {
    let rows = reader.select_of_businesses::<submission::Entity>(ids).all().await?;
    Ok(rows.into_iter().map(|row| (row.business_id, row)).collect())
}

/// The documents of these businesses, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn documents_of_businesses(reader: &Reader, ids: &[BusinessId]) -> Result<HashMap<BusinessId, Vec<Document>>, Error> {
    let select = reader.select_of_businesses::<document::Entity>(ids);
    let newest = select.order_by_desc(document::Column::UploadedAt).order_by_desc(document::Column::Id);
    let mut found: HashMap<BusinessId, Vec<Document>> = HashMap::new();
    for row in newest.all().await? {
        found.entry(row.business_id).or_default().push(row);
    }
    Ok(found)
}
