//! Printable documents: an issued invoice as a page, behind a link that is good for a quarter of an hour.
//!
//! The page is made when it is asked for. It must never show what the invoice does not say, nor carry anything that runs.

mod page;
mod words;

use self::page::Facts;
pub use self::page::POLICY;
use super::billing::account::zone;
use super::billing::party::Party;
use super::{Ports, file_links};
use crate::billing::lifecycle::InvoiceStatus;
use crate::error::Error;
use crate::ids::InvoiceId;
use crate::store::invoices::Invoice;
use crate::store::{Snapshot, TenantScope, customers, invoices, reads};

/// What the links' signatures are for.
const SCOPE: &str = "print/invoice";

/// A document as it is handed out.
#[derive(Debug)]
pub struct Printed {
    /// What its file is called.
    pub file_name: String,
    /// The page.
    pub html: String,
}

/// A day as the language of a locale writes it: `16 June 2027`.
///
/// # Errors
/// [`Error::Corrupt`] where there are no words.
pub(in crate::services) fn day(locale: &str, day: jiff::civil::Date) -> Result<String, Error> {
    Ok(words::words(locale)?.1.day(day))
}

/// The link to an invoice's page; none for a draft.
pub fn link(ports: &Ports, invoice: &Invoice) -> Option<String> {
    (invoice.status != InvoiceStatus::Draft).then(|| file_links::link(ports, SCOPE, invoice.business_id, invoice.id.uuid()))
}

/// The page of a link's token; `None` for one that is forged or over, or names no issued invoice.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] for what no page can show.
pub async fn print(ports: &Ports, token: &str) -> Result<Option<Printed>, Error> {
    let Some((business, id)) = file_links::named_by(ports, SCOPE, token) else { return Ok(None) };
    let id = InvoiceId::from(id);
    let tenant = Snapshot::new(ports.store.clone(), Some(TenantScope::proved(business))).tenant().await?;
    let found = invoices::find(&tenant, id).await?.filter(|invoice| invoice.status != InvoiceStatus::Draft);
    let Some(invoice) = found else { return Ok(None) };
    let business = customers::business(&tenant).await?;
    let locale = customers::locale(&tenant).await?.unwrap_or_default();
    let payments = reads::payments::of_invoices(&tenant, &[(business.business_id, id)]).await?;
    let facts = Facts {
        lines: invoices::lines(&tenant, id).await?,
        taxes: invoices::taxes(&tenant, id).await?,
        payments: payments.into_values().flatten().collect(),
        notes: invoices::credit_notes(&tenant, &[id]).await?,
        seller: Party::of_seller(&invoice)?,
        billed_to: Party::of_billed(&business, ports, &invoice)?,
        zone: zone(&business.time_zone)?,
        invoice,
    };
    Ok(Some(Printed { file_name: format!("{}.html", page::number_of(&facts.invoice)?), html: page::print(&facts, &locale)? }))
}
