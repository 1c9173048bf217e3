//! `keys rotate`: replaces keys while the server serves. It goes in small steps, each whole by itself, so that it may be stopped
//! anywhere and run again.
//!
//! A business whose key is replaced has two until its files are sealed anew: the new key seals, and both open.

use std::collections::BTreeSet;

use serde_json::json;

use super::{SealedFile, keys_of, seal_anew};
use crate::error::{Error, Failure, Outcome};
use crate::ids::BusinessId;
use crate::security::envelope::{BusinessKey, SealError};
use crate::services::audit::{self, Act};
use crate::services::{Ports, customers as accounts, payments, privacy, verification as review, webhooks as hooks};
use crate::store::customers::Business;
use crate::store::payments as attempts;
use crate::store::types::ExportStatus;
use crate::store::{Instant, Tenant, TenantScope, customers, data_exports, invoices, key_rotation as stored, verification, webhooks};

/// How many rows one step takes.
const STEP: u64 = 100;
/// How often the files of one business are looked through, where documents come in meanwhile.
const MOST_ROUNDS: usize = 5;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Keys of businesses and people that are wrapped under the present master key now.
    pub rewrapped: u64,
    /// Values that lay in plain and are sealed now.
    pub sealed: u64,
    /// Businesses with a new key, whose values and files are all sealed under it.
    pub replaced: u64,
    /// Files that were sealed anew.
    pub files: u64,
    /// What could not be done, each a sentence with an id.
    pub left: Vec<String>,
}

/// Wraps every key under the present master key, and seals what older versions left in plain; with `made_before`, gives each business
/// whose key was made before then a new one, and seals anew what the old one sealed.
///
/// # Errors
/// The database's fault. What does not open is told in [`Rotated::left`], and the others go on.
pub async fn rotate(ports: &Ports, made_before: Option<Instant>) -> Outcome<Rotated> {
    let mut done = Rotated::default();
    rewrap_businesses(ports, &mut done).await?;
    rewrap_second_factors(ports, &mut done).await?;
    seal_numbers(ports, &mut done).await?;
    seal_client_secrets(ports, &mut done).await?;
    if let Some(before) = made_before {
        replace_keys(ports, before, &mut done).await?;
    }
    Ok(done)
}

/// Wraps the keys of businesses under the present master key.
async fn rewrap_businesses(ports: &Ports, done: &mut Rotated) -> Outcome<()> {
    let mut after = None;
    loop {
        let (outside, from) = (ports.clone(), after);
        let step = move |system| {
            let ports = outside.clone();
            async move {
                let head = ports.master.present().head();
                let rows = stored::lock_businesses_wrapped_otherwise(&system, &head, from, STEP).await?;
                let last = rows.last().map(|row| row.business_id);
                let (anew, shut) =
                    each(rows, |row| rewrap(&ports, row).map_err(|error| format!("the key of {}: {error}", row.business_id)));
                stored::save_wrapped_keys(&system, &anew).await?;
                Ok((anew.len(), shut, last))
            }
        };
        let (rewrapped, shut, last) = ports.store.write_system(step).await?;
        done.rewrapped = done.rewrapped.saturating_add(rewrapped as u64);
        done.left.extend(shut);
        match last {
            Some(last) => after = Some(last),
            None => return Ok(()),
        }
    }
}

/// Wraps the keys of a business under the present master key, all or none.
fn rewrap(ports: &Ports, row: &mut stored::WrappedKeys) -> Result<(), SealError> {
    let anew = |wrapped: &[u8]| ports.master.rewrap(ports.rng.as_ref(), row.business_id.uuid(), wrapped);
    let (present, previous) = (anew(&row.wrapped_key)?, row.previous_wrapped_key.as_deref().map(anew).transpose()?);
    (row.wrapped_key, row.previous_wrapped_key) = (present, previous);
    Ok(())
}

/// Changes each row; answers those that were changed, and what is said of the others.
fn each<R>(rows: Vec<R>, change: impl Fn(&mut R) -> Result<(), String>) -> (Vec<R>, Vec<String>) {
    let (mut changed, mut left) = (Vec::with_capacity(rows.len()), Vec::new());
    for mut row in rows {
        match change(&mut row) {
            Ok(()) => changed.push(row),
            Err(sentence) => left.push(sentence),
        }
    }
    (changed, left)
}

/// Wraps the keys of second factors under the present master key.
async fn rewrap_second_factors(ports: &Ports, done: &mut Rotated) -> Outcome<()> {
    let mut after = None;
    loop {
        let (outside, from) = (ports.clone(), after);
        let step = move |system| {
            let ports = outside.clone();
            async move {
                let head = ports.master.present().head();
                let rows = stored::lock_second_factors_wrapped_otherwise(&system, &head, from, STEP).await?;
                let last = rows.last().map(|row| row.holder_id);
                let (anew, shut) = each(rows, |row| {
                    let wrapped = ports.master.rewrap(ports.rng.as_ref(), row.holder_id, &row.wrapped_key);
                    row.wrapped_key = wrapped.map_err(|error| format!("the second factor of {}: {error}", row.holder_id))?;
                    Ok(())
                });
                stored::save_second_factor_keys(&system, &anew).await?;
                Ok((anew.len(), shut, last))
            }
        };
        let (rewrapped, shut, last) = ports.store.write_system(step).await?;
        done.rewrapped = done.rewrapped.saturating_add(rewrapped as u64);
        done.left.extend(shut);
        match last {
            Some(last) => after = Some(last),
            None => return Ok(()),
        }
    }
}

/// Seals registration numbers that lie in plain.
async fn seal_numbers(ports: &Ports, done: &mut Rotated) -> Outcome<()> {
    let mut after = None;
    loop {
        let found = ports.store.read_system(move |system| async move { Ok(stored::numbers_in_plain(&system, after, STEP).await?) }).await?;
        let Some(last) = found.last() else { return Ok(()) };
        after = Some(*last);
        for business in found {
            let outside = ports.clone();
            let seal = move |tenant: Tenant| {
                let ports = outside.clone();
                async move {
                    let business = customers::lock_business(&tenant).await?;
                    let Some(mut row) = verification::find(&tenant).await? else { return Ok(false) };
                    let is_sealed = review::seal_number_in_plain(&ports, &business, &mut row)?;
                    if is_sealed {
                        verification::save(&tenant, row).await?;
                    }
                    Ok(is_sealed)
                }
            };
            match ports.store.write(TenantScope::proved(business), seal).await {
                Ok(is_sealed) => done.sealed = done.sealed.saturating_add(u64::from(is_sealed)),
                Err(failure) => done.left.push(left(business, failure)?),
            }
        }
    }
}

/// Seals client secrets that lie in plain.
async fn seal_client_secrets(ports: &Ports, done: &mut Rotated) -> Outcome<()> {
    let mut after = None;
    loop {
        let step = move |system| async move { Ok(stored::client_secrets_in_plain(&system, after, STEP).await?) };
        let found = ports.store.read_system(step).await?;
        let Some(last) = found.last() else { return Ok(()) };
        after = Some(*last);
        for business in found {
            let outside = ports.clone();
            let seal = move |tenant: Tenant| {
                let ports = outside.clone();
                async move {
                    let (business, mut sealed) = (customers::lock_business(&tenant).await?, 0_u64);
                    for mut payment in attempts::lock_with_client_secret(&tenant).await? {
                        if payments::seal_client_secret_in_plain(&ports, &business, &mut payment)? {
                            attempts::save_client_secret(&tenant, &payment).await?;
                            sealed = sealed.saturating_add(1);
                        }
                    }
                    Ok(sealed)
                }
            };
            match ports.store.write(TenantScope::proved(business), seal).await {
                Ok(sealed) => done.sealed = done.sealed.saturating_add(sealed),
                Err(failure) => done.left.push(left(business, failure)?),
            }
        }
    }
}

/// Gives each business whose key was made before an instant a new one.
async fn replace_keys(ports: &Ports, before: Instant, done: &mut Rotated) -> Outcome<()> {
    let mut after = None;
    loop {
        let step = move |system| async move { Ok(stored::businesses_with_keys_of_before(&system, before, after, STEP).await?) };
        let found = ports.store.read_system(step).await?;
        let Some(last) = found.last() else { return Ok(()) };
        after = Some(*last);
        for business in found {
            match replace_key(ports, TenantScope::proved(business), before).await {
                Ok(Some((files, is_done))) => {
                    done.replaced = done.replaced.saturating_add(u64::from(is_done));
                    done.files = done.files.saturating_add(files);
                    if !is_done {
                        done.left.push(format!("{business}: files came in all the time; the next run ends it"));
                    }
                }
                Ok(None) => {}
                Err(failure) => done.left.push(left(business, failure)?),
            }
        }
    }
}

/// What is said of a business where something does not open or a file is not to be had; the database's own fault ends the command.
fn left(business: BusinessId, failure: Failure) -> Result<String, Failure> {
    match failure {
        Failure::Fault(error @ (Error::Corrupt(_) | Error::Adapter(_))) => Ok(format!("{business}: {error}")),
        other => Err(other),
    }
}

/// Gives a business a new key, or goes on where that was begun; answers how many files were sealed anew and whether that is all of them,
/// and `None` where nothing was to be done.
async fn replace_key(ports: &Ports, scope: TenantScope, before: Instant) -> Outcome<Option<(u64, bool)>> {
    let outside = ports.clone();
    let begin = move |tenant: Tenant| {
        let ports = outside.clone();
        async move { begin(&tenant, &ports, before).await }
    };
    let Some((business, mut kept)) = ports.store.write(scope, begin).await? else { return Ok(None) };
    let (keys, mut seen, mut files) = (keys_of(ports, &business)?, BTreeSet::new(), 0_u64);
    for _ in 0..MOST_ROUNDS {
        kept.retain(|file| !seen.contains(&file.name));
        let mut anew = Vec::new();
        for file in kept {
            seen.insert(file.name.clone());
            if file.seal_anew(ports, keys.clone()).await? {
                anew.push(file);
            }
        }
        files = files.saturating_add(anew.len() as u64);
        let known = seen.clone();
        let end = move |tenant: Tenant| {
            let known = known.clone();
            async move { end(&tenant, &known).await }
        };
        let (left, is_done) = ports.store.write(scope, end).await?;
        // What a file belonged to went meanwhile, and the file with it: what was written since is a copy that nobody knows of.
        for file in anew.iter().filter(|file| left.iter().all(|kept| kept.name != file.name)) {
            ports.documents.delete(&file.name).await?;
        }
        if is_done {
            return Ok(Some((files, true)));
        }
        // Once more, for what came meanwhile.
        kept = left;
    }
    Ok(Some((files, false)))
}

/// Makes the new key, and seals by it what lies in the database. The key before it still opens the files.
async fn begin(tenant: &Tenant, ports: &Ports, before: Instant) -> Outcome<Option<(Business, Vec<SealedFile>)>> {
    let mut business = customers::lock_business(tenant).await?;
    if business.previous_wrapped_key.is_none() {
        if business.key_made_at.unwrap_or(business.created_at) >= before {
            return Ok(None);
        }
        let key = BusinessKey::generate(ports.rng.as_ref());
        let wrapped = ports.master.wrap(ports.rng.as_ref(), business.business_id.uuid(), &key).map_err(Error::from)?;
        business.previous_wrapped_key = Some(std::mem::replace(&mut business.wrapped_key, wrapped));
        business.key_made_at = Some(ports.real_now().into());
        seal_rows(tenant, ports, &mut business).await?;
        let subject = tenant.business().to_string();
        let act = Act { action: "business.key_replaced", actor: "system", subject: &subject, details: json!({}) };
        audit::record(tenant, ports, act).await?;
        business = customers::save_business(tenant, business).await?;
    }
    let kept = files(tenant, &business).await?;
    Ok(Some((business, kept)))
}

/// Seals anew what the database has sealed of a business. Its row is then saved.
async fn seal_rows(tenant: &Tenant, ports: &Ports, business: &mut Business) -> Result<(), Error> {
    accounts::seal_anew(ports, business)?;
    let (keys, place) = (keys_of(ports, business)?, accounts::tax_id_place(business));
    for sealed in invoices::billed_tax_ids(tenant).await? {
        let anew = seal_anew(ports, &keys, &place, &sealed)?;
        invoices::replace_billed_tax_id(tenant, sealed, anew).await?;
    }
    if let Some(mut row) = verification::find(tenant).await? {
        review::seal_anew(ports, business, &mut row)?;
        verification::save(tenant, row).await?;
    }
    for mut method in attempts::methods_with_sealed(tenant).await? {
        payments::seal_anew(ports, business, &mut method)?;
        attempts::save_sealed(tenant, &method).await?;
    }
    for mut payment in attempts::lock_with_client_secret(tenant).await? {
        payments::seal_client_secret_anew(ports, business, &mut payment)?;
        attempts::save_client_secret(tenant, &payment).await?;
    }
    for mut endpoint in webhooks::lock_all(tenant).await? {
        hooks::seal_anew(ports, business, &mut endpoint)?;
        webhooks::save_endpoint(tenant, endpoint).await?;
    }
    Ok(())
}

/// The files of a business: documents, and exports that are ready.
async fn files(tenant: &Tenant, business: &Business) -> Result<Vec<SealedFile>, Error> {
    let documents = verification::documents(tenant).await?;
    let exports = data_exports::standing(tenant).await?;
    let ready = exports.iter().filter(|row| row.status == ExportStatus::Ready);
    let mut kept: Vec<SealedFile> = documents.iter().map(|document| review::file_of(business, document.id)).collect();
    for row in ready {
        kept.extend(privacy::file_of(row).parts(privacy::size_of(row)?));
    }
    Ok(kept)
}

/// Drops the key before the present one, unless files came that were not seen yet; answers all files, and whether it did.
async fn end(tenant: &Tenant, seen: &BTreeSet<String>) -> Outcome<(Vec<SealedFile>, bool)> {
    let mut business = customers::lock_business(tenant).await?;
    let kept = files(tenant, &business).await?;
    let is_done = kept.iter().all(|file| seen.contains(&file.name));
    if is_done {
        business.previous_wrapped_key = None;
        customers::save_business(tenant, business).await?;
    }
    Ok((kept, is_done))
}
