//! Keys as they are stored wrapped, a step of them at a time: for `keys rotate` alone.

use sea_orm::sea_query::{CaseStatement, Cond, Expr, ExprTrait as _, Func, IntoColumnRef, SimpleExpr};
use sea_orm::{ColumnTrait as _, FromQueryResult, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use uuid::Uuid;

use super::System;
use super::entity::customers::{business, second_factor};
use super::entity::payments::payment;
use super::entity::verification::submission;
use super::types::Instant;
use crate::error::Error;
use crate::ids::BusinessId;

/// The keys of a business, wrapped.
#[derive(Debug, Clone, FromQueryResult)]
pub struct WrappedKeys {
    /// The business.
    pub business_id: BusinessId,
    /// The present key.
    pub wrapped_key: Vec<u8>,
    /// The one before it, while files are left that it sealed.
    pub previous_wrapped_key: Option<Vec<u8>>,
}

/// The key of a second factor, wrapped.
#[derive(Debug, Clone, FromQueryResult)]
pub struct WrappedFactorKey {
    /// Whose it is.
    pub holder_id: Uuid,
    /// The key.
    pub wrapped_key: Vec<u8>,
}

/// Businesses after `after`, in the order of their ids, that have a key which does not begin with `head`; locked.
///
/// # Errors
/// The database's fault.
pub async fn lock_businesses_wrapped_otherwise(
    system: &System,
    head: &[u8],
    after: Option<BusinessId>,
    most: u64,
) -> Result<Vec<WrappedKeys>, Error> {
    use business::Column::{BusinessId as Id, PreviousWrappedKey, WrappedKey};
    let otherwise = Cond::any()
        .add(begins_otherwise((business::Entity, WrappedKey), head))
        .add(begins_otherwise((business::Entity, PreviousWrappedKey), head));
    let mut rows = system.select::<business::Entity>().filter(otherwise).order_by_asc(Id).limit(most);
    if let Some(after) = after {
        rows = rows.filter(Id.gt(after));
    }
    let keys = rows.select_only().columns([Id, WrappedKey, PreviousWrappedKey]).lock_exclusive();
    Ok(keys.into_model::<WrappedKeys>().all(system.connection()).await?)
}

/// Writes the keys of businesses, in one statement. They are locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save_wrapped_keys(system: &System, rows: &[WrappedKeys]) -> Result<(), Error> {
    use business::Column::{BusinessId as Id, PreviousWrappedKey, WrappedKey};
    if rows.is_empty() {
        return Ok(());
    }
    let (mut present, mut previous) = (CaseStatement::new(), CaseStatement::new());
    for row in rows {
        present = present.case(Id.eq(row.business_id), Expr::val(row.wrapped_key.clone()));
        if let Some(wrapped) = &row.previous_wrapped_key {
            previous = previous.case(Id.eq(row.business_id), Expr::val(wrapped.clone()));
        }
    }
    let mut update = system.update_many::<business::Entity>().filter(Id.is_in(rows.iter().map(|row| row.business_id)));
    update = update.col_expr(WrappedKey, present.finally(Expr::col(WrappedKey)).into());
    if rows.iter().any(|row| row.previous_wrapped_key.is_some()) {
        update = update.col_expr(PreviousWrappedKey, previous.finally(Expr::col(PreviousWrappedKey)).into());
    }
    update.exec(system.connection()).await?;
    Ok(())
}

/// Second factors after `after`, in the order of their holders, whose key does not begin with `head`; locked.
///
/// # Errors
/// The database's fault.
pub async fn lock_second_factors_wrapped_otherwise(
    system: &System,
    head: &[u8],
    after: Option<Uuid>,
    most: u64,
) -> Result<Vec<WrappedFactorKey>, Error> {
    use second_factor::Column::{HolderId, WrappedKey};
    let otherwise = begins_otherwise((second_factor::Entity, WrappedKey), head);
    let mut rows = system.select::<second_factor::Entity>().filter(otherwise).order_by_asc(HolderId).limit(most);
    if let Some(after) = after {
        rows = rows.filter(HolderId.gt(after));
    }
    let keys = rows.select_only().columns([HolderId, WrappedKey]).lock_exclusive();
    Ok(keys.into_model::<WrappedFactorKey>().all(system.connection()).await?)
}

/// Writes the keys of second factors, in one statement. They are locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save_second_factor_keys(system: &System, rows: &[WrappedFactorKey]) -> Result<(), Error> {
    use second_factor::Column::{HolderId, WrappedKey};
    if rows.is_empty() {
        return Ok(());
    }
    let keys =
        rows.iter().fold(CaseStatement::new(), |keys, row| keys.case(HolderId.eq(row.holder_id), Expr::val(row.wrapped_key.clone())));
    let update = system.update_many::<second_factor::Entity>().filter(HolderId.is_in(rows.iter().map(|row| row.holder_id)));
    update.col_expr(WrappedKey, keys.finally(Expr::col(WrappedKey)).into()).exec(system.connection()).await?;
    Ok(())
}

/// Businesses after `after` whose registration number lies in plain, in the order of their ids.
///
/// # Errors
/// The database's fault.
pub async fn numbers_in_plain(system: &System, after: Option<BusinessId>, most: u64) -> Result<Vec<BusinessId>, Error> {
    use submission::Column::{BusinessId as Id, RegistrationNumber};
    let mut rows = system.select::<submission::Entity>().filter(RegistrationNumber.ne("")).order_by_asc(Id).limit(most);
    if let Some(after) = after {
        rows = rows.filter(Id.gt(after));
    }
    Ok(rows.select_only().column(Id).into_tuple().all(system.connection()).await?)
}

/// Businesses after `after` with a payment whose client secret lies in plain, in the order of their ids.
///
/// # Errors
/// The database's fault.
pub async fn client_secrets_in_plain(system: &System, after: Option<BusinessId>, most: u64) -> Result<Vec<BusinessId>, Error> {
    use payment::Column::{ActionClientSecret, BusinessId as Id};
    let mut rows = system.select::<payment::Entity>().filter(ActionClientSecret.is_not_null()).order_by_asc(Id).limit(most);
    if let Some(after) = after {
        rows = rows.filter(Id.gt(after));
    }
    Ok(rows.select_only().column(Id).distinct().into_tuple().all(system.connection()).await?)
}

/// Businesses after `after` whose key was made before an instant, or that have two, in the order of their ids.
///
/// # Errors
/// The database's fault.
pub async fn businesses_with_keys_of_before(
    system: &System,
    before: Instant,
    after: Option<BusinessId>,
    most: u64,
) -> Result<Vec<BusinessId>, Error> {
    use business::Column::{BusinessId as Id, CreatedAt, KeyMadeAt, PreviousWrappedKey};
    let made = Expr::expr(Func::coalesce([Expr::col(KeyMadeAt), Expr::col(CreatedAt)]));
    let old = Cond::any().add(PreviousWrappedKey.is_not_null()).add(made.lt(before));
    let mut rows = system.select::<business::Entity>().filter(old).order_by_asc(Id).limit(most);
    if let Some(after) = after {
        rows = rows.filter(Id.gt(after));
    }
    Ok(rows.select_only().column(Id).into_tuple().all(system.connection()).await?)
}

/// The condition that what a column holds begins with something else. Nothing at all begins with anything.
fn begins_otherwise(column: impl IntoColumnRef, head: &[u8]) -> SimpleExpr {
    let length = i32::try_from(head.len()).unwrap_or(i32::MAX);
    let begins = Func::cust("substr").args([Expr::col(column.into_column_ref()), Expr::val(1_i32), Expr::val(length)]);
    Expr::expr(begins).ne(head.to_vec())
}
