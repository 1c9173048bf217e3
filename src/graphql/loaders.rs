//! Relations that a list shows for each row, loaded in one statement for all of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use dataloader::BatchFn;
use dataloader::cached;
use futures::future::BoxFuture;

use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::Error;
use crate::ids::{
    BusinessId, CouponId, CreditNoteId, InvoiceId, JournalEntryId, PaymentId, PaymentMethodId, PlanId, ProductId, StaffId, SubscriptionId,
    TestClockId, TicketId, UserId, WebhookEndpointId,
};
use crate::money::Currency;
use crate::services::catalog::cheapest_first;
use crate::store::catalog::{self, Feature, Plan, PlanHistory, PlanView, Price, Product, VersionKey};
use crate::store::coupons::{self, Coupon};
use crate::store::customers::{self, Member, UserView};
use crate::store::invitations::{self as invitations_rows, Invitation};
use crate::store::page::{Page, Window};
use crate::store::reads::Of;
use crate::store::reads::audit::{self, AuditEvent};
use crate::store::reads::businesses::{self, Suspension};
use crate::store::reads::credit::{self, CreditEntry};
use crate::store::reads::invoices::{self, CreditNote, CreditNoteLine, Invoice, InvoiceLine, InvoiceTax};
use crate::store::reads::ledger::{self, Posting};
use crate::store::reads::payments::{self, Payment, PaymentMethod};
use crate::store::reads::refunds::{self, Refund};
use crate::store::reads::subscriptions::{self, Subscription};
use crate::store::reads::support::{self, Ticket, TicketMessage};
use crate::store::reads::webhooks::{self, Delivery, Endpoint};
use crate::store::staff::{self, StaffView};
use crate::store::tenant::Catalogue;
use crate::store::test_clocks::{self, TestClock};
use crate::store::verification::{self, Document, Rule, Verification};
use crate::store::{Reader, Snapshot};

/// How often a loader lets the others go first before it reads. A request is one task, so the fields that are ready
/// together have all asked after the first time; each time costs every request a turn of the executor.
const YIELDS: usize = 2;
/// The same where staff read. Their lists have more rows, each with a business of its own, and a row whose turn comes late
/// would be a statement of its own; nobody waits for their dashboards by the thousand.
const YIELDS_OF_STAFF: usize = 10;

/// What a batch answers for a key: the row, none, or the fault that all keys of the batch share.
type Answer<V> = Result<Option<V>, Arc<Error>>;
/// Reads the rows of many keys.
type Fetch<K, V> = fn(Arc<Snapshot>, Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, Error>>;

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
    /// Where it reads.
    snapshot: Arc<Snapshot>,
    /// How.
    fetch: Fetch<K, V>,
    /// The library's loader, once somebody asks: a view has dozens of loaders, and most requests ask three.
    inner: OnceLock<cached::Loader<K, Answer<V>, Batch<K, V>>>,
}

impl<K: Eq + Hash + Clone + Ord + Send + Sync + Debug + 'static, V: Clone + Send + 'static> Loader<K, V> {
    /// A loader that reads by `fetch` from `snapshot`.
    fn new(snapshot: &Arc<Snapshot>, fetch: Fetch<K, V>) -> Self {
        Self { snapshot: Arc::clone(snapshot), fetch, inner: OnceLock::new() }
    }

    /// The library's loader.
    fn inner(&self) -> &cached::Loader<K, Answer<V>, Batch<K, V>> {
        self.inner.get_or_init(|| {
            let batch = Batch { snapshot: Arc::clone(&self.snapshot), fetch: self.fetch };
            let yields = if self.snapshot.is_of_system() { YIELDS_OF_STAFF } else { YIELDS };
            cached::Loader::new(batch).with_yield_count(yields)
        })
    }

    /// The row of a key, if there is one.
    ///
    /// # Errors
    /// The batch's fault.
    pub async fn load(&self, key: K) -> Result<Option<V>, Error> {
        // A batch is run by one of those who wait for it; when that one is dropped (its sibling failed), the others
        // find no answer and load once more.
        let answer = match self.inner().try_load(key.clone()).await {
            Ok(answer) => answer,
            Err(_) => self.inner().try_load(key).await?,
        };
        answer.map_err(Error::Shared)
    }

    /// Puts rows that were read otherwise, so that they are not read again.
    pub async fn prime_many(&self, rows: impl Iterator<Item = (K, Option<V>)>) {
        self.inner().prime_many(rows.map(|(key, row)| (key, Ok(row)))).await;
    }
}

/// Loads pages of the lists of many parents, in one statement for each part that is asked for.
pub type Pages<P, V> = Loader<(P, Window), Page<V>>;

impl<P: Eq + Hash + Clone + Ord + Send + Sync + Debug + 'static, V: Clone + Send + 'static> Pages<P, V> {
    /// The part of a parent's list that `window` asks for.
    ///
    /// # Errors
    /// The batch's fault.
    pub async fn page(&self, parent: P, window: Window) -> Result<Page<V>, Error> {
        let page = self.load((parent, window)).await?;
        page.ok_or_else(|| Error::Corrupt("a page that was asked for was not read".into()))
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
    /// Coupons by id.
    pub coupons: Loader<CouponId, Coupon>,
    /// The plans that a coupon is for; none where it is for every plan.
    pub coupon_plans: Loader<CouponId, Vec<PlanId>>,
    /// Subscriptions by id.
    pub subscriptions: Loader<Of<SubscriptionId>, Subscription>,
    /// Tickets of support by id.
    pub tickets: Loader<Of<TicketId>, Ticket>,
    /// What businesses submitted to be verified.
    pub verifications: Loader<BusinessId, Verification>,
    /// The documents of a business's verification, the newest first.
    pub verification_documents: Loader<BusinessId, Vec<Document>>,
    /// What the countries ask for.
    pub verification_rules: Loader<(), Arc<[Rule]>>,
    /// Pages of a ticket's messages.
    pub ticket_messages: Pages<Of<TicketId>, TicketMessage>,
    /// Endpoints of webhooks by id.
    pub webhook_endpoints: Loader<Of<WebhookEndpointId>, Endpoint>,
    /// Pages of an endpoint's deliveries.
    pub webhook_deliveries: Pages<Of<WebhookEndpointId>, Delivery>,
    /// How many deliveries an endpoint has.
    pub webhook_delivery_counts: Loader<Of<WebhookEndpointId>, u64>,
    /// Pages of a subscription's invoices.
    pub subscription_invoices: Pages<Of<SubscriptionId>, Invoice>,
    /// Pages of a business's invoices.
    pub business_invoices: Pages<BusinessId, Invoice>,
    /// How many invoices a business has.
    pub business_invoice_counts: Loader<BusinessId, u64>,
    /// Pages of a business's subscriptions.
    pub business_subscriptions: Pages<BusinessId, Subscription>,
    /// How many subscriptions a business has.
    pub business_subscription_counts: Loader<BusinessId, u64>,
    /// Pages of a business's payments.
    pub business_payments: Pages<BusinessId, Payment>,
    /// How many payments a business has.
    pub business_payment_counts: Loader<BusinessId, u64>,
    /// Pages of a business's audit trail.
    pub business_audit_events: Pages<BusinessId, AuditEvent>,
    /// How many events the audit trail of a business has.
    pub business_audit_event_counts: Loader<BusinessId, u64>,
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
    /// Payments by id.
    pub payments: Loader<Of<PaymentId>, Payment>,
    /// Credit notes by id.
    pub credit_notes: Loader<Of<CreditNoteId>, CreditNote>,
    /// Refunds by payment.
    pub payment_refunds: Loader<Of<PaymentId>, Vec<Refund>>,
    /// Refunds by credit note.
    pub credit_note_refunds: Loader<Of<CreditNoteId>, Vec<Refund>>,
    /// Lines by credit note.
    pub credit_note_lines: Loader<Of<CreditNoteId>, Vec<CreditNoteLine>>,
    /// Postings by entry of the ledger.
    pub postings: Loader<Of<JournalEntryId>, Vec<Posting>>,
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
    /// Which test clock a business is on.
    pub business_test_clocks: Loader<BusinessId, TestClockId>,
    /// Test clocks, for staff.
    pub test_clocks: Loader<TestClockId, TestClock>,
    /// Members of staff, for staff.
    pub staff: Loader<StaffId, StaffView>,
    /// Pages of a business's people.
    pub business_members: Pages<BusinessId, Member>,
    /// How many people a business has.
    pub business_member_counts: Loader<BusinessId, u64>,
    /// Pages of a business's movements of account credit.
    pub business_credit: Pages<BusinessId, CreditEntry>,
    /// How many movements of account credit a business has.
    pub business_credit_counts: Loader<BusinessId, u64>,
    /// Pages of a business's open invitations.
    pub business_invitations: Pages<BusinessId, Invitation>,
    /// How many open invitations a business has.
    pub business_invitation_counts: Loader<BusinessId, u64>,
    /// People of the businesses that the view shows.
    pub users: Loader<UserId, UserView>,
}

/// A loader that reads the rows that the view shows by one function of the store.
macro_rules! of_reader {
    ($snapshot:expr, $read:path) => {
        Loader::new($snapshot, |snapshot, keys| Box::pin(async move { $read(&snapshot.reader().await?, &keys).await }))
    };
}

/// A loader that reads pages of the lists of many parents by one function of the store.
macro_rules! pages {
    ($snapshot:expr, $read:path) => {
        Loader::new($snapshot, |snapshot, keys| {
            Box::pin(async move {
                let (reader, mut found) = (snapshot.reader().await?, HashMap::with_capacity(keys.len()));
                for (window, parents) in by_window(keys) {
                    let pages = $read(&reader, &parents, window).await?;
                    found.extend(pages.into_iter().map(|(parent, page)| ((parent, window), page)));
                }
                Ok(found)
            })
        })
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
            coupons: of_catalogue!(snapshot, coupons::by_ids),
            coupon_plans: of_catalogue!(snapshot, coupons::plans),
            subscriptions: of_reader!(snapshot, subscriptions::by_ids),
            subscription_invoices: pages!(snapshot, invoices::pages_of_subscriptions),
            business_invoices: pages!(snapshot, invoices::pages_of_businesses),
            business_invoice_counts: of_reader!(snapshot, invoices::counts_of_businesses),
            business_subscriptions: pages!(snapshot, subscriptions::pages_of_businesses),
            business_subscription_counts: of_reader!(snapshot, subscriptions::counts_of_businesses),
            business_payments: pages!(snapshot, payments::pages_of_businesses),
            business_payment_counts: of_reader!(snapshot, payments::counts_of_businesses),
            business_audit_events: pages!(snapshot, audit::pages_of_businesses),
            business_audit_event_counts: of_reader!(snapshot, audit::counts_of_businesses),
            invoices: of_reader!(snapshot, invoices::by_ids),
            invoice_lines: of_reader!(snapshot, lines_of),
            invoice_taxes: of_reader!(snapshot, invoices::taxes_of),
            invoice_payments: of_reader!(snapshot, payments::of_invoices),
            invoice_credit_notes: of_reader!(snapshot, invoices::credit_notes_of),
            payments: of_reader!(snapshot, payments::by_ids),
            credit_notes: of_reader!(snapshot, invoices::credit_notes_by_ids),
            payment_refunds: of_reader!(snapshot, refunds::of_payments),
            credit_note_refunds: of_reader!(snapshot, refunds::of_credit_notes),
            credit_note_lines: of_reader!(snapshot, invoices::credit_note_lines_of),
            postings: of_reader!(snapshot, ledger::postings_of),
            payment_methods: of_reader!(snapshot, payments::methods_by_ids),
            plan_histories: of_catalogue!(snapshot, catalog::histories),
            live_subscriptions: of_reader!(snapshot, catalog::live_subscriptions),
            businesses: of_reader!(snapshot, businesses::by_ids),
            subscription_statuses: of_reader!(snapshot, businesses::subscription_statuses),
            suspensions: of_reader!(snapshot, businesses::standing_suspensions),
            business_test_clocks: of_reader!(snapshot, test_clocks::of_businesses),
            test_clocks: Loader::new(snapshot, |snapshot, ids| Box::pin(test_clocks_of(snapshot, ids))),
            staff: Loader::new(snapshot, |snapshot, ids| {
                Box::pin(async move {
                    let found = staff::staff_by_ids(&snapshot.system().await?, &ids).await?;
                    Ok(found.into_iter().map(|staff| (staff.id, staff)).collect())
                })
            }),
            business_members: pages!(snapshot, customers::members),
            business_member_counts: of_reader!(snapshot, customers::count_members),
            business_credit: pages!(snapshot, credit::pages),
            business_credit_counts: of_reader!(snapshot, credit::counts),
            business_invitations: pages!(snapshot, invitations_rows::pages),
            business_invitation_counts: of_reader!(snapshot, invitations_rows::counts),
            tickets: of_reader!(snapshot, support::by_ids),
            verifications: of_reader!(snapshot, verification::of_businesses),
            verification_documents: of_reader!(snapshot, verification::documents_of_businesses),
            verification_rules: only!(snapshot, verification_rules),
            ticket_messages: pages!(snapshot, support::message_pages),
            webhook_endpoints: of_reader!(snapshot, webhooks::by_ids),
            webhook_deliveries: pages!(snapshot, webhooks::delivery_pages),
            webhook_delivery_counts: of_reader!(snapshot, webhooks::delivery_counts),
            users: Loader::new(snapshot, |snapshot, ids| {
                Box::pin(async move {
                    let found = customers::users(&snapshot.reader().await?, ids).await?;
                    Ok(found.into_iter().map(|user| (user.id, user)).collect())
                })
            }),
        }
    }
}

/// What is asked for, by the part of the list: each part is one statement for all who ask for it.
fn by_window<P>(keys: Vec<(P, Window)>) -> BTreeMap<Window, Vec<P>> {
    let mut parts: BTreeMap<Window, Vec<P>> = BTreeMap::new();
    for (parent, window) in keys {
        parts.entry(window).or_default().push(parent);
    }
    parts
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

async fn verification_rules(snapshot: &Snapshot) -> Result<Option<Arc<[Rule]>>, Error> {
    Ok(Some(verification::rules(&snapshot.catalogue().await?).await?.into()))
}

async fn business_currency(snapshot: &Snapshot) -> Result<Option<Currency>, Error> {
    Ok(Some(customers::business(&snapshot.tenant().await?).await?.currency))
}

/// The test clocks of ids.
async fn test_clocks_of(snapshot: Arc<Snapshot>, ids: Vec<TestClockId>) -> Result<HashMap<TestClockId, TestClock>, Error> {
    let found = test_clocks::by_ids(&snapshot.system().await?, &ids).await?;
    Ok(found.into_iter().map(|clock| (clock.id, clock)).collect())
}
