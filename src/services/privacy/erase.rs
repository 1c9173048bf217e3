//! An erasure: asked for by an owner with their password and the business's name, done in one transaction, and finished by jobs where it
//! reaches beyond the database.
//!
//! The business's key is destroyed. Another takes its place, which has sealed the tax ids on issued invoices alone: tax law has those kept.

use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::json;

use super::{ERASE_FILES, FORGET_MAILS, PrivacyService};
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::{MailId, UserId};
use crate::security::envelope::BusinessKey;
use crate::services::Ports;
use crate::services::access::{self, Access, Caller, Need};
use crate::services::audit::{self, Act};
use crate::services::billing::{Account, Standing, abandon, expire};
use crate::services::customers::{CustomerService, locked, same_password, succeed, tax_id_place};
use crate::services::sealing::keys_of;
use crate::store::customers::{self, Business};
use crate::store::jobs::{self, Finish, NewJob};
use crate::store::privacy::{self as rows, Unsettled};
use crate::store::{Instant, Snapshot, System, Tenant, TenantScope, invoices};

/// After so long what was on its way into the files when a business was erased is there, and is removed too: longer than a job may run.
const ONCE_MORE_AFTER: SignedDuration = SignedDuration::from_hours(2);
/// How long until what could not be removed is tried again.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// How many mails a job forgets.
const MAILS_AT_ONCE: usize = 50;
/// What stands between the ids in a job's key.
const BETWEEN: char = ' ';

impl PrivacyService {
    /// Erases the caller's business for good, and its people who work for no other; answers when.
    ///
    /// # Errors
    /// INVALID at `confirm` for another name than the business's; INVALID_CREDENTIALS at `password`, RATE_LIMITED after too many wrong ones;
    /// PAYMENT_IN_PROGRESS while a payment or a refund is under way, NOT_ALLOWED while an invoice is to be paid; [`Error::Forbidden`] for
    /// whoever is no owner; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn erase(&self, caller: Caller, password: SecretString, confirm: &str) -> Outcome<Instant> {
        let scope = caller.require_scope()?;
        {
            let tenant = Snapshot::new(self.ports.store.clone(), Some(scope)).tenant().await?;
            access::check_change(&tenant, caller, Need::Own).await?;
            same_name(&customers::business(&tenant).await?, confirm)?;
        }
        let people = CustomerService::new(self.ports.clone());
        let at = people.guarded(caller, self.forget(caller, password, confirm)).await?;
        self.ports.work.notify_one();
        Ok(at)
    }

    /// Erases a business whose owner's password this is.
    async fn forget(&self, caller: Caller, password: SecretString, confirm: &str) -> Outcome<Instant> {
        let (scope, user) = (caller.require_scope()?, self.owner(caller, password).await?);
        let (outside, confirm) = (self.ports.clone(), confirm.to_owned());
        let erased = self.ports.store.write_system(move |system| {
            let (ports, user, confirm) = (outside.clone(), user.clone(), confirm.clone());
            async move {
                let tenant = system.tenant(scope);
                let (access, _, held) = locked(&system, &tenant, caller).await?;
                access.require(Need::Own)?;
                same_password(&held, &user)?;
                succeed(&system, &ports, &held).await?;
                let business = customers::business(&tenant).await?;
                same_name(&business, &confirm)?;
                settled(rows::unsettled(&system, tenant.business()).await?)?;
                Box::pin(end_all(&system, &tenant, &ports.of(&tenant).await?, &business, &access)).await?;
                Ok(Box::pin(erase_all(&system, &tenant, &ports, &business, &access)).await?)
            }
        });
        erased.await
    }
}

/// Refuses another name than the business's.
fn same_name(business: &Business, confirm: &str) -> Result<(), UserError> {
    if business.business_name == confirm.trim() {
        return Ok(());
    }
    Err(UserError::at("confirm", UserErrorCode::Invalid, "This is not the business's name: type it as the profile shows it."))
}

/// Refuses while money is on its way or owed.
fn settled(left: Unsettled) -> Result<(), UserError> {
    if left.under_way > 0 {
        let sentence = "A payment or a refund is under way: wait until it is over.";
        return Err(UserError::new(UserErrorCode::PaymentInProgress, sentence));
    }
    if left.open_invoices > 0 {
        let sentence = "An invoice is open: pay it, or ask support to void it, before the business is erased.";
        return Err(UserError::new(UserErrorCode::NotAllowed, sentence));
    }
    Ok(())
}

/// Ends every subscription at once: nothing more is billed, and nothing paid back.
async fn end_all(system: &System, tenant: &Tenant, ports: &Ports, business: &Business, access: &Access) -> Outcome<()> {
    let mut account = Account::of_locked(tenant, business.clone(), ports.now()).await?;
    for id in rows::live_subscriptions(system, tenant.business()).await? {
        let Some(mut standing) = Standing::lock(tenant, id).await? else { continue };
        if standing.row.status == SubscriptionStatus::Incomplete {
            expire(tenant, ports, &mut account, &mut standing, &access.actor()).await?;
        } else {
            abandon(tenant, ports, &account, &mut standing, &access.actor()).await?;
        }
    }
    Ok(())
}

/// Erases everything that the database has, and writes the jobs that erase the rest.
async fn erase_all(system: &System, tenant: &Tenant, ports: &Ports, business: &Business, access: &Access) -> Result<Instant, Error> {
    let (id, now) = (tenant.business(), Instant::from(ports.real_now()));
    let (actor, subject) = (access.actor(), id.to_string());
    let act = Act { action: audit::BUSINESS_ERASED, actor: &actor, subject: &subject, details: json!({}) };
    audit::record(tenant, ports, act).await?;
    audit::erase_details(tenant).await?;
    let people: Vec<UserId> = rows::people_of_no_other(system, id).await?;
    let mails = rows::mails(system, id, &people).await?;
    let key = BusinessKey::generate(ports.rng.as_ref());
    seal_anew(tenant, ports, business, &key).await?;
    rows::erase(system, id, &people, ports.master.wrap(ports.rng.as_ref(), id.uuid(), &key)?, now).await?;
    let later = Instant::from(now.get().saturating_add(ONCE_MORE_AFTER).unwrap_or(jiff::Timestamp::MAX));
    for (key, due_at) in [("1", now), ("2", later)] {
        schedule(tenant, ports, ERASE_FILES, key, due_at).await?;
    }
    if ports.mailer.keeps_copies() {
        for part in mails.chunks(MAILS_AT_ONCE) {
            let key = part.iter().map(ToString::to_string).collect::<Vec<_>>().join(&BETWEEN.to_string());
            schedule(tenant, ports, FORGET_MAILS, &key, now).await?;
        }
    }
    Ok(now)
}

/// Seals the tax ids on the business's invoices under the key that takes the place of its own.
async fn seal_anew(tenant: &Tenant, ports: &Ports, business: &Business, key: &BusinessKey) -> Result<(), Error> {
    let (old, place) = (keys_of(ports, business)?, tax_id_place(business));
    for sealed in invoices::billed_tax_ids(tenant).await? {
        let anew = key.seal(ports.rng.as_ref(), &place, &old.open(&place, &sealed)?)?;
        invoices::replace_billed_tax_id(tenant, sealed, anew).await?;
    }
    Ok(())
}

/// Writes a job of an erasure.
async fn schedule(tenant: &Tenant, ports: &Ports, kind: &str, key: &str, due_at: Instant) -> Result<(), Error> {
    let now = Instant::from(ports.real_now());
    jobs::schedule(tenant, NewJob { id: ports.ids.next(), kind, key, due_at, clock: None, now }).await.map(drop)
}

/// Removes the files of an erased business, and what the database's own files still have of it. What cannot be removed is tried until it is.
///
/// # Errors
/// None but the database's, which is tried again.
pub(super) async fn erase_files(ports: &Ports, scope: TenantScope) -> Outcome<Finish> {
    let again = || Finish::Again(ports.real_now().saturating_add(AGAIN_AFTER).unwrap_or(jiff::Timestamp::MAX).into());
    if let Err(error) = ports.documents.delete_below(&scope.business().to_string()).await {
        tracing::error!(error = &error as &dyn std::error::Error, business = %scope.business(), "files of an erased business are still there");
        return Ok(again());
    }
    // Where somebody reads an old state of the database, that has to end first.
    Ok(if ports.store.scrub().await? { Finish::Done } else { again() })
}

/// Forgets the mails of a job's key.
///
/// # Errors
/// The fault of where they are kept, which is tried again.
pub(super) async fn forget_mails(ports: &Ports, key: &str) -> Outcome<Finish> {
    let ids = key.split(BETWEEN).map(MailId::parse).collect::<Option<Vec<_>>>();
    for id in ids.ok_or_else(|| Error::Corrupt("a job's key names no mails".into()))? {
        ports.mailer.forget(id.uuid()).await.map_err(|error| Error::Adapter(Box::new(error)))?;
    }
    Ok(Finish::Done)
}
