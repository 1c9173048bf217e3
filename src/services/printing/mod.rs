//! Printable documents: an issued invoice as a page, behind a link that is good for a quarter of an hour.
//!
//! The token of a link is signed, names the business, the invoice and the instant until which it is good, and is all that is needed. The
//! page is made when it is asked for. It must never show what the invoice does not say, nor carry anything that runs.

mod page;
mod words;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use self::page::Facts;
pub use self::page::POLICY;
use super::Ports;
use super::billing::account::zone;
use super::billing::party::Party;
use crate::billing::lifecycle::InvoiceStatus;
use crate::error::Error;
use crate::ids::{BusinessId, InvoiceId};
use crate::store::invoices::Invoice;
use crate::store::{Snapshot, TenantScope, customers, invoices, reads};

/// What the links' signatures are for.
const SCOPE: &str = "print/invoice";
/// How long a link is good.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(15);

/// A document as it is handed out.
#[derive(Debug)]
pub struct Printed {
    /// What its file is called.
    pub file_name: String,
    /// The page.
    pub html: String,
}

/// The link to an invoice's page; none for a draft.
pub fn link(ports: &Ports, invoice: &Invoice) -> Option<String> {
    (invoice.status != InvoiceStatus::Draft).then_some(())?;
    let until = ports.real_now().saturating_add(GOOD_FOR).unwrap_or(Timestamp::MAX);
    let (business, id) = (invoice.business_id.uuid(), invoice.id.uuid());
    let said = [business.as_bytes().as_slice(), id.as_bytes(), &until.as_microsecond().to_be_bytes()].concat();
    Some(format!("{}/files/{}", ports.public_url, ports.previews.seal(SCOPE, &said)))
}

/// The page of a link's token; `None` for one that is forged or over, or names no issued invoice.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] for what no page can show.
pub async fn print(ports: &Ports, token: &str) -> Result<Option<Printed>, Error> {
    let Some((business, id)) = ports.previews.open(SCOPE, token).and_then(|said| read(&said, ports.real_now())) else { return Ok(None) };
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

/// The business and the invoice that a token names, where it is still good.
fn read(said: &[u8], now: Timestamp) -> Option<(BusinessId, InvoiceId)> {
    let (business, rest) = said.split_first_chunk::<16>()?;
    let (invoice, rest) = rest.split_first_chunk::<16>()?;
    let until = i64::from_be_bytes(rest.try_into().ok()?);
    (now.as_microsecond() < until).then(|| (BusinessId::from(Uuid::from_bytes(*business)), InvoiceId::from(Uuid::from_bytes(*invoice))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_its_instant_and_only_as_a_whole() {
        let until = Timestamp::from_second(1_000).unwrap();
        let said = [[1_u8; 16].as_slice(), &[2; 16], &until.as_microsecond().to_be_bytes()].concat();
        let at = |micros: i64| Timestamp::from_microsecond(micros).unwrap();
        let expected = (BusinessId::from(Uuid::from_bytes([1; 16])), InvoiceId::from(Uuid::from_bytes([2; 16])));
        assert_eq!(read(&said, at(999_999_999)), Some(expected));
        assert_eq!(read(&said, at(1_000_000_000)), None);
        assert_eq!(read(&said[..39], at(0)), None);
        assert_eq!(read(&[said.as_slice(), &[0]].concat(), at(0)), None);
    }
}
