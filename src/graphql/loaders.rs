//! Relations that a list shows for each row, loaded in one statement for all of them.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use dataloader::BatchFn;
use dataloader::cached;
use futures::future::BoxFuture;

use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::Error;
use crate::ids::{BusinessId, CreditNoteId, InvoiceId, PaymentMethodId, PlanId, ProductId, StaffId, SubscriptionId, UserId};
use crate::money::Currency;
use crate::services::catalog::cheapest_first;
use crate::store::catalog::{self, Feature, Plan, PlanHistory, PlanView, Price, Product, VersionKey};
use crate::store::customers::{self, UserView};
use crate::store::page::{Page, Window};
use crate::store::reads::Of;
use crate::store::reads::businesses::{self, Suspension};
use crate::store::reads::invoices::{self, CreditNote, CreditNoteLine, Invoice, InvoiceFilter, InvoiceLine, InvoiceTax};
use crate::store::reads::payments::{self, Payment, PaymentMethod};
use crate::store::reads::subscriptions::{self, Subscription};
use crate::store::staff::{self, StaffView};
use crate::store::tenant::Catalogue;
use crate::store::{Reader, Snapshot};

/// How often a loader lets the others go first before it reads. A request is one task, so the fields that are ready
/// together have all asked after the first time; each time costs every request a turn of the executor.
const YIELDS: usize = 2;

/// What a batch answers for a key: the row, none, or the fault that all keys of the batch share.
type Answer<V> = Result<Option<V>, Arc<Error>>;
/// Reads the rows of many keys.
type Fetch<K, V> = Arc<dyn Fn(Arc<Snapshot>, Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, Error>> + Send + Sync>;

/// One batch function.
pub struct Batch<K, V> {
    /// Where it reads.
    snapshot: Arc<Snapshot>,
    /// How.
    fetch: Fetch<K, V>,
}

impl<K: Ord + Clone + Hash + Eq, V: Clone> BatchFn<K, Answer<V>> for Batch<K, V> {
    async fn load(&mut self, keys: &[K]) -> HashMap<K, Answer<V>> {
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        let mut found = match (self.fetch)(Arc::clone(&self.snapshot), sorted).await {
            Ok(found) => found,
            Err(error) => {
                let error = Arc::new(error);
                return keys.iter().map(|key| (key.clone(), Err(Arc::clone(&error)))).collect();
            }
        };
        // Every key is answered, so that a key without an answer can only mean that the batch was dropped.
        keys.iter().map(|key| (key.clone(), Ok(found.remove(key)))).collect()
    }
}

/// Loads rows by key, many at once, each once a view.
pub struct Loader<K: Eq + Hash + Clone + Ord + Send + Sync + Debug + 'static, V: Clone + Send + 'static> {
    /// The library's loader.
    inner: cached::Loader<K, Answer<V>, Batch<K, V>>,
}

impl<K: Eq + Hash + Clone + Ord + Send + Sync + Debug + 'static, V: Clone + Send + 'static> Loader<K, V> {
    /// A loader that reads by `fetch` from `snapshot`.
    pub fn new<F>(snapshot: &Arc<Snapshot>, fetch: F) -> Self
    where
        F: Fn(Arc<Snapshot>, Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, Error>> + Send + Sync + 'static,
    {
        let batch = Batch { snapshot: Arc::clone(snapshot), fetch: Arc::new(fetch) };
        Self { inner: cached::Loader::new(batch).with_yield_count(YIELDS) }
    }

    /// The row of a key, if there is one.
    ///
    /// # Errors
    /// The batch's fault.
    pub async fn load(&self, key: K) -> Result<Option<V>, Error> {
        // A batch is run by one of those who wait for it; when that one is dropped (its sibling failed), the others
        // find no answer and load once more.
        let answer = match self.inner.try_load(key.clone()).await {
            Ok(answer) => answer,
            Err(_) => self.inner.try_load(key).await?,
        };
        answer.map_err(Error::Shared)
    }

    /// Puts rows that were read otherwise, so that they are not read again.
    pub async fn prime_many(&self, rows: impl Iterator<Item = (K, Option<V>)>) {
        self.inner.prime_many(rows.map(|(key, row)| (key, Ok(row)))).await;
    }
}

/// The loaders of one view.
pub struct Loaders {
    /// Products by id.
    pub products: Loader<ProductId, Arc<Product>>,
    /// Versions of plans.
    pub plans: Loader<VersionKey, Plan>,
    /// Prices by version of a plan.
    pub plan_prices: Loader<VersionKey, Vec<Price>>,
    /// Features by version of a plan.
    pub plan_features: Loader<VersionKey, Vec<Feature>>,
    /// The current versions of all plans, archived or not, cheapest first.
    pub offer: Loader<(), Arc<Vec<PlanView>>>,
    /// The platform's currency; none before a catalogue was seeded.
    pub platform_currency: Loader<(), Currency>,
    /// The currency of the caller's business.
    pub business_currency: Loader<(), Currency>,
    /// Subscriptions by id.
    pub subscriptions: Loader<Of<SubscriptionId>, Subscription>,
    /// Pages of a subscription's invoices. A statement each, but read together: what the invoices of all of them lead to
    /// is then asked for at once.
    pub subscription_invoices: Loader<(Of<SubscriptionId>, Window), Page<Invoice>>,
    /// Invoices by id.
    pub invoices: Loader<Of<InvoiceId>, Invoice>,
    /// Lines by invoice.
    pub invoice_lines: Loader<Of<InvoiceId>, Arc<[InvoiceLine]>>,
    /// Taxes by invoice.
    pub invoice_taxes: Loader<Of<InvoiceId>, Vec<InvoiceTax>>,
    /// Payments by invoice.
    pub invoice_payments: Loader<Of<InvoiceId>, Vec<Payment>>,
    /// Credit notes by invoice.
    pub invoice_credit_notes: Loader<Of<InvoiceId>, Vec<CreditNote>>,
    /// Lines by credit note.
    pub credit_note_lines: Loader<Of<CreditNoteId>, Vec<CreditNoteLine>>,
    /// Methods that are not removed, by id.
    pub payment_methods: Loader<Of<PaymentMethodId>, PaymentMethod>,
    /// Businesses by id.
    pub businesses: Loader<BusinessId, customers::Business>,
    /// The states of a business's subscriptions, each once.
    pub subscription_statuses: Loader<BusinessId, Vec<SubscriptionStatus>>,
    /// The suspensions that stand, by business.
    pub suspensions: Loader<BusinessId, Suspension>,
    /// What plans were sold for.
    pub plan_histories: Loader<PlanId, PlanHistory>,
    /// How many live subscriptions have a plan, of the businesses that the view shows.
    pub live_subscriptions: Loader<PlanId, i64>,
    /// Members of staff, for staff.
    pub staff: Loader<StaffId, StaffView>,
    /// People of the businesses that the view shows.
    pub users: Loader<UserId, UserView>,
}

/// A loader that reads the rows that the view shows by one function of the store.
macro_rules! of_reader {
    ($snapshot:expr, $read:path) => {
        Loader::new($snapshot, |snapshot, keys| Box::pin(async move { $read(&snapshot.reader().await?, &keys).await }))
    };
}

/// A loader that reads the catalogue by one function of the store.
macro_rules! of_catalogue {
    ($snapshot:expr, $read:path) => {
        Loader::new($snapshot, |snapshot, keys| Box::pin(async move { $read(&snapshot.catalogue().await?, &keys).await }))
    };
}

/// A loader of the one thing of its kind that a view has.
macro_rules! only {
    ($snapshot:expr, $read:path) => {
        Loader::new($snapshot, |snapshot, _| {
            Box::pin(async move { Ok($read(&snapshot).await?.map(|only| ((), only)).into_iter().collect()) })
        })
    };
}

impl Loaders {
    /// Loaders that read from `snapshot`.
    pub fn new(snapshot: &Arc<Snapshot>) -> Self {
        Self {
            products: of_catalogue!(snapshot, products),
            plans: of_catalogue!(snapshot, catalog::plans),
            plan_prices: of_catalogue!(snapshot, catalog::plan_prices),
            plan_features: of_catalogue!(snapshot, catalog::plan_features),
            offer: only!(snapshot, offer),
            platform_currency: only!(snapshot, platform_currency),
            business_currency: only!(snapshot, business_currency),
            subscriptions: of_reader!(snapshot, subscriptions::by_ids),
            subscription_invoices: Loader::new(snapshot, |snapshot, keys| Box::pin(subscription_invoices(snapshot, keys))),
            invoices: of_reader!(snapshot, invoices::by_ids),
            invoice_lines: of_reader!(snapshot, lines_of),
            invoice_taxes: of_reader!(snapshot, invoices::taxes_of),
            invoice_payments: of_reader!(snapshot, payments::of_invoices),
            invoice_credit_notes: of_reader!(snapshot, invoices::credit_notes_of),
            credit_note_lines: of_reader!(snapshot, invoices::credit_note_lines_of),
            payment_methods: of_reader!(snapshot, payments::methods_by_ids),
            plan_histories: of_catalogue!(snapshot, catalog::histories),
            live_subscriptions: of_reader!(snapshot, catalog::live_subscriptions),
            businesses: of_reader!(snapshot, businesses::by_ids),
            subscription_statuses: of_reader!(snapshot, businesses::subscription_statuses),
            suspensions: of_reader!(snapshot, businesses::standing_suspensions),
            staff: Loader::new(snapshot, |snapshot, ids| {
                Box::pin(async move {
                    let found = staff::staff_by_ids(&snapshot.system().await?, &ids).await?;
                    Ok(found.into_iter().map(|staff| (staff.id, staff)).collect())
                })
            }),
            users: Loader::new(snapshot, |snapshot, ids| {
                Box::pin(async move {
                    let found = customers::users(&snapshot.reader().await?, ids).await?;
                    Ok(found.into_iter().map(|user| (user.id, user)).collect())
                })
            }),
        }
    }
}

async fn subscription_invoices(
    snapshot: Arc<Snapshot>,
    keys: Vec<(Of<SubscriptionId>, Window)>,
) -> Result<HashMap<(Of<SubscriptionId>, Window), Page<Invoice>>, Error> {
    let reader = snapshot.reader().await?;
    let mut pages = HashMap::with_capacity(keys.len());
    for ((business, subscription), window) in keys {
        let filter = InvoiceFilter { subscriptions: Some(vec![subscription]), ..InvoiceFilter::default() };
        let page = invoices::page(&reader.within(business), &filter, window).await?;
        pages.insert(((business, subscription), window), page);
    }
    Ok(pages)
}

async fn lines_of(reader: &Reader, invoices: &[Of<InvoiceId>]) -> Result<HashMap<Of<InvoiceId>, Arc<[InvoiceLine]>>, Error> {
    Ok(invoices::lines_of(reader, invoices).await?.into_iter().map(|(key, lines)| (key, lines.into())).collect())
}

/// All products: there are few, and one statement serves them.
async fn products(catalogue: &Catalogue, _ids: &[ProductId]) -> Result<HashMap<ProductId, Arc<Product>>, Error> {
    Ok(catalog::products(catalogue).await?.into_iter().map(|product| (product.id, Arc::new(product))).collect())
}

async fn offer(snapshot: &Snapshot) -> Result<Option<Arc<Vec<PlanView>>>, Error> {
    let mut plans = catalog::all_plans(&snapshot.catalogue().await?).await?;
    // Without a seller nothing was seeded, and there is nothing to sort.
    if let Some(currency) = platform_currency(snapshot).await? {
        cheapest_first(&mut plans, currency);
    }
    Ok(Some(Arc::new(plans)))
}

async fn platform_currency(snapshot: &Snapshot) -> Result<Option<Currency>, Error> {
    Ok(catalog::seller(&snapshot.catalogue().await?).await?.map(|seller| seller.platform_currency))
}

async fn business_currency(snapshot: &Snapshot) -> Result<Option<Currency>, Error> {
    Ok(Some(customers::business(&snapshot.tenant().await?).await?.currency))
}
