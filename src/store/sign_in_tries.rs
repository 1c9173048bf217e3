//! Counts of tries to sign in that failed, and the places that people have signed in from: for the system alone. A subject and a
//! place are hashes, which the services make.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, QueryFilter as _, QuerySelect as _};

use super::System;
use super::entity::staff::{known_place, sign_in_try};
use super::types::Instant;
use crate::error::Error;

/// A count of failures, and when the last one was.
pub use super::entity::staff::sign_in_try::Model as Tries;

/// The counts of subjects; none of a subject that nobody failed at.
///
/// # Errors
/// The database's fault.
pub async fn find(system: &System, subjects: &[[u8; 32]]) -> Result<Vec<Tries>, Error> {
    let subjects = subjects.iter().map(|subject| subject.to_vec());
    let found = system.select::<sign_in_try::Entity>().filter(sign_in_try::Column::Subject.is_in(subjects));
    Ok(found.all(system.connection()).await?)
}

/// The count of a subject, locked until the transaction ends; `None` where nobody failed at it.
///
/// # Errors
/// The database's fault.
pub async fn lock(system: &System, subject: &[u8; 32]) -> Result<Option<Tries>, Error> {
    let row = system.select::<sign_in_try::Entity>().filter(sign_in_try::Column::Subject.eq(subject.to_vec())).lock_exclusive();
    Ok(row.one(system.connection()).await?)
}

/// The count of a subject, made where there is none, and locked until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn lock_or_make(system: &System, subject: &[u8; 32], now: Instant) -> Result<Tries, Error> {
    let new = sign_in_try::ActiveModel { subject: Set(subject.to_vec()), failures: Set(0), last_at: Set(now) };
    system.insert_if_new::<sign_in_try::Entity, _>(new).await?;
    lock(system, subject).await?.ok_or_else(|| Error::Contention("a count of tries was removed meanwhile".into()))
}

/// Writes a count. It must be locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save(system: &System, tries: &Tries) -> Result<(), Error> {
    let row = sign_in_try::ActiveModel { subject: Set(tries.subject.clone()), failures: Set(tries.failures), last_at: Set(tries.last_at) };
    system.update(row).await.map(drop)
}

/// Forgets the count of a subject.
///
/// # Errors
/// The database's fault.
pub async fn forget(system: &System, subject: &[u8; 32]) -> Result<(), Error> {
    system.delete_where::<sign_in_try::Entity>(sign_in_try::Column::Subject.eq(subject.to_vec())).await
}

/// Forgets every count whose last failure was before that.
///
/// # Errors
/// The database's fault.
pub async fn forget_before(system: &System, then: Instant) -> Result<(), Error> {
    system.delete_where::<sign_in_try::Entity>(sign_in_try::Column::LastAt.lt(then)).await
}

/// When somebody last came in from a place; `None` where nobody has since then.
///
/// # Errors
/// The database's fault.
pub async fn known_at(system: &System, place: &[u8; 32], since: Instant) -> Result<Option<Instant>, Error> {
    let known = system.select::<known_place::Entity>().filter(known_place::Column::Place.eq(place.to_vec()));
    let known = known.filter(known_place::Column::LastAt.gt(since)).one(system.connection()).await?;
    Ok(known.map(|known| known.last_at))
}

/// Notes that somebody came in from a place, and forgets the places where nobody has since then.
///
/// # Errors
/// The database's fault.
pub async fn note_place(system: &System, place: &[u8; 32], now: Instant, since: Instant) -> Result<(), Error> {
    let new = known_place::ActiveModel { place: Set(place.to_vec()), last_at: Set(now) };
    if !system.insert_if_new::<known_place::Entity, _>(new).await? {
        let update = system
            .update_many::<known_place::Entity>()
            .col_expr(known_place::Column::LastAt, Expr::value(now))
            .filter(known_place::Column::Place.eq(place.to_vec()));
        update.exec(system.connection()).await?;
    }
    system.delete_where::<known_place::Entity>(known_place::Column::LastAt.lt(since)).await
}
