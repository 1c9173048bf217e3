//! A business as billing sees it at one instant: its row, its zone, its tax, who sells to it.

use jiff::Timestamp;

use crate::billing::period::Zone;
use crate::billing::tax::{Tax, TaxBehavior};
use crate::error::{Error, Outcome};
use crate::ids::PaymentMethodId;
use crate::money::{Money, Rate};
use crate::services::Ports;
use crate::services::payments::{Begun, BegunAttempt, Sender, begin_attempt};
use crate::store::catalog::{Seller, TaxRate, seller_and_tax_rates, tax_rate_on};
use crate::store::customers::{Business, business, lock_business};
use crate::store::invoices::Invoice;
use crate::store::types::{Day, Instant};
use crate::store::{Tenant, invoices};

/// What tax is called where its country names none.
const TAX_NAME: &str = "Tax";

/// A business at the instant that an operation takes effect.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its row; the balance follows what is posted.
    pub business: Business,
    /// Its zone.
    pub zone: Zone,
    /// Who sells; `None` before a catalogue was seeded.
    seller: Option<Seller>,
    /// The zone whose calendar dates and numbers documents: the seller's.
    pub seller_zone: Zone,
    /// The instant.
    pub at: Timestamp,
    /// Its country's tax on that day.
    tax: Option<TaxRate>,
    /// The attempts that were begun and are in the hands of this operation; `None` where each is left to its job.
    begun: Option<Vec<BegunAttempt>>,
}

impl Account {
    /// The business, locked until the transaction ends.
    ///
    /// # Errors
    /// The database's fault; [`Error::Corrupt`] for a time zone that is none.
    pub async fn lock(tenant: &Tenant, at: Timestamp) -> Result<Self, Error> {
        Self::of(tenant, lock_business(tenant).await?, at).await
    }

    /// The business of a row that this transaction has locked.
    ///
    /// # Errors
    /// As [`Account::lock`].
    pub async fn of_locked(tenant: &Tenant, business: Business, at: Timestamp) -> Result<Self, Error> {
        Self::of(tenant, business, at).await
    }

    /// The business as it is, for reading alone.
    ///
    /// # Errors
    /// As [`Account::lock`].
    pub async fn read(tenant: &Tenant, at: Timestamp) -> Result<Self, Error> {
        Self::of(tenant, business(tenant).await?, at).await
    }

    /// The rest of what billing needs to know.
    async fn of(tenant: &Tenant, business: Business, at: Timestamp) -> Result<Self, Error> {
        let (seller, rates) = seller_and_tax_rates(&tenant.catalogue(), &business.country).await?;
        let seller_zone = seller.as_ref().map_or(Ok(Zone::UTC), |seller| zone(&seller.time_zone))?;
        let tax = tax_rate_on(rates, Day::from(seller_zone.date_of(at)));
        Ok(Self { zone: zone(&business.time_zone)?, business, seller, seller_zone, at, tax, begun: None })
    }

    /// The same business, for an operation that hands the attempts it begins to the gateway itself, once it is committed: what
    /// [`Account::take_begun`] answers then.
    #[must_use]
    pub fn sending(self) -> Self {
        Self { begun: Some(Vec::new()), ..self }
    }

    /// Begins an attempt for what is due on an invoice, as [`begin_attempt`] does, by whoever this operation leaves it to.
    ///
    /// # Errors
    /// As [`begin_attempt`].
    pub async fn begin_attempt(
        &mut self,
        tenant: &Tenant,
        ports: &Ports,
        invoice: &Invoice,
        method: Option<PaymentMethodId>,
    ) -> Outcome<Begun> {
        let sender = if self.begun.is_some() { Sender::Beginner } else { Sender::Job };
        let attempt = begin_attempt(tenant, ports, invoice, method, sender).await?;
        if let (Some(begun), Begun::Attempt(payment)) = (&mut self.begun, &attempt) {
            begun.push(BegunAttempt { payment: (**payment).clone(), number: invoice.number.clone() });
        }
        Ok(attempt)
    }

    /// The attempts that whoever holds the account must hand to the gateway after the commit.
    pub fn take_begun(self) -> Vec<BegunAttempt> {
        self.begun.unwrap_or_default()
    }

    /// Who sells.
    ///
    /// # Errors
    /// [`Error::Corrupt`] before a catalogue was seeded.
    pub fn seller(&self) -> Result<&Seller, Error> {
        self.seller.as_ref().ok_or_else(|| Error::Corrupt("there is no seller".into()))
    }

    /// What a price of that behaviour is taxed at today; an exempt business pays none.
    pub fn tax(&self, behavior: TaxBehavior) -> Tax {
        let rate = self.tax.as_ref().filter(|_| !self.business.tax_exempt).map_or(Rate::ZERO, |tax| tax.rate);
        Tax { rate, behavior }
    }

    /// What the tax is called.
    pub fn tax_name(&self) -> &str {
        self.tax.as_ref().map_or(TAX_NAME, |tax| &tax.name)
    }

    /// The instant, as columns keep it.
    pub fn instant(&self) -> Instant {
        Instant::from(self.at)
    }

    /// So many minor units of the business's currency.
    ///
    /// # Errors
    /// [`Error::Corrupt`] past every limit.
    pub fn money(&self, minor: i64) -> Result<Money, Error> {
        Money::new(minor, self.business.currency).map_err(|_| Error::Corrupt("an amount is too large".into()))
    }

    /// The invoices of the business that are open, the oldest first.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn open_invoices(&self, tenant: &Tenant) -> Result<Vec<Invoice>, Error> {
        invoices::open(tenant, None).await
    }
}

/// The zone of a name that was checked when it was stored.
///
/// # Errors
/// [`Error::Corrupt`] for a name that is none.
pub fn zone(name: &str) -> Result<Zone, Error> {
    Zone::parse(name).ok_or_else(|| Error::Corrupt("a time zone is unknown".into()))
}
