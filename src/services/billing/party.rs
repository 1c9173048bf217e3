//! The seller and the buyer on an invoice, as they were when it was issued.

use serde::Deserialize;

use crate::error::Error;
use crate::services::Ports;
use crate::services::customers::CustomerService;
use crate::store::customers::Business;
use crate::store::reads::invoices::Invoice;

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Party {
    /// The name.
    pub name: String,
    /// The tax id, in plain.
    #[serde(default)]
    pub tax_id: Option<String>,
    /// Street and house.
    pub address_line: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// The postal code.
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

impl Party {
    /// The seller.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where what is stored is none.
    pub fn of_seller(invoice: &Invoice) -> Result<Self, Error> {
        serde_json::from_str(&invoice.seller).map_err(|_| Error::Corrupt("an invoice has no seller".into()))
    }

    /// The buyer, whose tax id is sealed for its place in the row of the invoice's business.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where what is stored is none, or does not open.
    pub fn of_billed(business: &Business, ports: &Ports, invoice: &Invoice) -> Result<Self, Error> {
        let mut party: Self = serde_json::from_str(&invoice.billed_to).map_err(|_| Error::Corrupt("an invoice has no buyer".into()))?;
        if let Some(sealed) = &invoice.billed_tax_id_sealed {
            party.tax_id = CustomerService::new(ports.clone()).open_tax_id(business, Some(sealed))?;
        }
        Ok(party)
    }
}
