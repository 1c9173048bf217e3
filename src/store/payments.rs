//! Payment methods and payment attempts. Whoever changes one has locked the business first.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{ExprTrait as _, LockType};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::Tenant;
use super::entity::invoices::invoice;
use super::entity::payments::{payment, payment_method};
use super::entity::subscriptions::subscription;
use super::live::Subject;
use super::types::{Day, Instant, PaymentMethodKind};
use crate::billing::lifecycle::{InvoiceStatus, PaymentStatus, SubscriptionStatus};
use crate::error::Error;
use crate::ids::{InvoiceId, PaymentId, PaymentMethodId};
use crate::money::{Currency, Money};

pub use super::entity::payments::payment::Model as Payment;
pub use super::entity::payments::payment_method::Model as PaymentMethod;

use super::invoices::Invoice;

/// The states of an attempt that may still charge something; the same list stands in the index that allows one of
/// them per invoice.
const LIVE: [PaymentStatus; 4] = [PaymentStatus::Created, PaymentStatus::Sending, PaymentStatus::RequiresAction, PaymentStatus::Unknown];

/// The gateway of what came outside any gateway and was recorded by hand.
pub const MANUAL: &str = "manual";

impl Payment {
    /// Whether its money moves by hand alone: it came outside any gateway, or was settled by a statement that named no reference by
    /// which the gateway could be asked to pay it back.
    pub fn is_paid_back_by_hand(&self) -> bool {
        self.gateway == MANUAL || self.gateway_reference.is_none()
    }

    /// What is to be charged.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for an amount that no amount can be.
    pub fn amount(&self) -> Result<Money, Error> {
        amount_of(self.amount_minor, self.currency)
    }
}

/// An amount as it was stored.
fn amount_of(minor: i64, currency: Currency) -> Result<Money, Error> {
    Money::new(minor, currency).map_err(|_| Error::Corrupt("a payment's amount is past what an amount may be".into()))
}

/// A payment method to write.
#[derive(Debug, Clone)]
pub struct NewMethod {
    /// Its id.
    pub id: PaymentMethodId,
    /// Its kind.
    pub kind: PaymentMethodKind,
    /// The gateway that has taken it.
    pub gateway: &'static str,
    /// What the gateway knows it by; empty where that is sealed.
    pub reference: String,
    /// The same, sealed.
    pub reference_sealed: Option<Vec<u8>>,
    /// For people.
    pub label: String,
    /// The last day on which it can be charged.
    pub expires_on: Option<Day>,
    /// Now.
    pub at: Instant,
}

/// Writes a payment method, which is not the default yet.
///
/// # Errors
/// The database's fault.
pub async fn insert_method(tenant: &Tenant, new: NewMethod) -> Result<PaymentMethod, Error> {
    let row = payment_method::ActiveModel {
        id: Set(new.id),
        kind: Set(new.kind),
        gateway: Set(new.gateway.to_owned()),
        reference: Set(new.reference),
        reference_sealed: Set(new.reference_sealed),
        label: Set(new.label),
        is_default: Set(false),
        expires_on: Set(new.expires_on),
        removed_at: Set(None),
        created_at: Set(new.at),
        ..Default::default()
    };
    tenant.insert(row).await
}

/// The methods that are not removed, newest first.
///
/// # Errors
/// The database's fault.
pub async fn methods(tenant: &Tenant) -> Result<Vec<PaymentMethod>, Error> {
    let kept = tenant.select::<payment_method::Entity>().filter(payment_method::Column::RemovedAt.is_null());
    kept.order_by_desc(payment_method::Column::CreatedAt).order_by_desc(payment_method::Column::Id).all().await
}

/// The method of that id, unless it is removed.
///
/// # Errors
/// The database's fault.
pub async fn method(tenant: &Tenant, id: PaymentMethodId) -> Result<Option<PaymentMethod>, Error> {
    Ok(tenant.by_id::<payment_method::Entity, _>(id).await?.filter(|method| method.removed_at.is_none()))
}

/// The method of that id, removed or not.
///
/// # Errors
/// The database's fault.
pub async fn method_of_payment(tenant: &Tenant, id: PaymentMethodId) -> Result<Option<PaymentMethod>, Error> {
    tenant.by_id::<payment_method::Entity, _>(id).await
}

/// The methods with a sealed reference, removed or not.
///
/// # Errors
/// The database's fault.
pub async fn methods_with_sealed(tenant: &Tenant) -> Result<Vec<PaymentMethod>, Error> {
    tenant.select::<payment_method::Entity>().filter(payment_method::Column::ReferenceSealed.is_not_null()).all().await
}

/// Writes a method's sealed reference.
///
/// # Errors
/// The database's fault.
pub async fn save_sealed(tenant: &Tenant, method: &PaymentMethod) -> Result<(), Error> {
    let row = payment_method::ActiveModel {
        business_id: Set(method.business_id),
        id: Set(method.id),
        reference_sealed: Set(method.reference_sealed.clone()),
        ..Default::default()
    };
    tenant.save(row).await
}

/// The default method.
///
/// # Errors
/// The database's fault.
pub async fn default_method(tenant: &Tenant) -> Result<Option<PaymentMethod>, Error> {
    let kept = tenant.select::<payment_method::Entity>().filter(payment_method::Column::RemovedAt.is_null());
    kept.filter(payment_method::Column::IsDefault.eq(true)).one().await
}

/// Makes a method the only default.
///
/// # Errors
/// The database's fault.
pub async fn make_default(tenant: &Tenant, id: PaymentMethodId) -> Result<(), Error> {
    tenant
        .update_where::<payment_method::Entity>(|update| {
            update.set(payment_method::Column::IsDefault, false).filter(payment_method::Column::IsDefault.eq(true))
        })
        .await?;
    tenant
        .update_where::<payment_method::Entity>(|update| {
            update.set(payment_method::Column::IsDefault, true).filter(payment_method::Column::Id.eq(id))
        })
        .await?;
    Ok(())
}

/// Removes a method: its row stays for the payments that were made with it, and subscriptions that were to be paid with
/// it are paid with the default from now on.
///
/// # Errors
/// The database's fault.
pub async fn remove_method(tenant: &Tenant, id: PaymentMethodId, at: Instant) -> Result<(), Error> {
    tenant
        .update_where::<subscription::Entity>(|update| {
            update
                .set(subscription::Column::PaymentMethodId, Option::<PaymentMethodId>::None)
                .filter(subscription::Column::PaymentMethodId.eq(id))
        })
        .await?;
    tenant
        .update_where::<payment_method::Entity>(|update| {
            update
                .set(payment_method::Column::IsDefault, false)
                .set(payment_method::Column::RemovedAt, at)
                .filter(payment_method::Column::Id.eq(id))
        })
        .await?;
    Ok(())
}

/// The newest attempt on an invoice. If one is live, it is this one.
///
/// # Errors
/// The database's fault.
pub async fn last_attempt(tenant: &Tenant, invoice: InvoiceId) -> Result<Option<Payment>, Error> {
    let attempts = tenant.select::<payment::Entity>().filter(payment::Column::InvoiceId.eq(invoice));
    attempts.order_by_desc(payment::Column::Attempt).one().await
}

/// An attempt to write.
#[derive(Debug, Clone)]
pub struct NewAttempt<'a> {
    /// Its id, which is the key that the gateway is given.
    pub id: PaymentId,
    /// What it pays.
    pub invoice: InvoiceId,
    /// With what.
    pub method: &'a PaymentMethod,
    /// How much; more than zero.
    pub amount: Money,
    /// CREATED, or SENDING in the hands of whoever writes it.
    pub status: PaymentStatus,
    /// 1 for the first on the invoice.
    pub attempt: i32,
    /// Now.
    pub at: Instant,
}

/// Writes an attempt, and its number on the invoice; answers it as it is written.
///
/// # Errors
/// [`Error::UniqueViolation`] where another attempt on the invoice is live.
pub async fn insert_attempt(tenant: &Tenant, new: NewAttempt<'_>) -> Result<Payment, Error> {
    let row = Payment {
        business_id: tenant.business(),
        id: new.id,
        invoice_id: new.invoice,
        method_id: Some(new.method.id),
        method_kind: new.method.kind,
        method_label: new.method.label.clone(),
        currency: new.amount.currency(),
        amount_minor: new.amount.minor(),
        refunded_minor: 0,
        refunding_minor: 0,
        status: new.status,
        gateway: new.method.gateway.clone(),
        gateway_method: new.method.reference.clone(),
        gateway_reference: None,
        receipt: None,
        failure_code: None,
        failure_message: None,
        hard_decline: false,
        action_kind: None,
        action_url: None,
        action_client_secret: None,
        action_client_secret_sealed: None,
        action_expires_at: None,
        attempt: new.attempt,
        // A fence of 1 is the first sender's.
        fence: i64::from(new.status == PaymentStatus::Sending),
        created_at: new.at,
        updated_at: new.at,
        settled_at: None,
        received_on: None,
    };
    write(tenant, row).await
}

/// Writes a payment, and its number on the invoice; answers it as it is written.
async fn write(tenant: &Tenant, row: Payment) -> Result<Payment, Error> {
    tenant.insert_many(vec![row.clone().into_active_model().reset_all()]).await?;
    tenant.changed(Subject::Payment(row.id));
    tenant
        .update_where::<invoice::Entity>(|update| {
            update.set(invoice::Column::Attempts, row.attempt).filter(invoice::Column::Id.eq(row.invoice_id))
        })
        .await?;
    Ok(row)
}

/// A payment to write that came outside any gateway.
#[derive(Debug, Clone)]
pub struct NewRecorded {
    /// Its id.
    pub id: PaymentId,
    /// What it pays.
    pub invoice: InvoiceId,
    /// How much; more than zero.
    pub amount: Money,
    /// What it is called on the statement.
    pub receipt: String,
    /// The day on which it came.
    pub received_on: Day,
    /// For people.
    pub label: &'static str,
    /// 1 for the first on the invoice.
    pub attempt: i32,
    /// Now.
    pub at: Instant,
}

/// Writes a payment that came outside any gateway. It has succeeded, since its money is there.
///
/// # Errors
/// [`Error::UniqueViolation`] where the business has a recorded payment with that receipt.
pub async fn insert_recorded(tenant: &Tenant, new: NewRecorded) -> Result<Payment, Error> {
    let row = Payment {
        business_id: tenant.business(),
        id: new.id,
        invoice_id: new.invoice,
        method_id: None,
        method_kind: PaymentMethodKind::BankTransfer,
        method_label: new.label.to_owned(),
        currency: new.amount.currency(),
        amount_minor: new.amount.minor(),
        refunded_minor: 0,
        refunding_minor: 0,
        status: PaymentStatus::Succeeded,
        gateway: MANUAL.to_owned(),
        gateway_method: String::new(),
        gateway_reference: None,
        receipt: Some(new.receipt),
        failure_code: None,
        failure_message: None,
        hard_decline: false,
        action_kind: None,
        action_url: None,
        action_client_secret: None,
        action_client_secret_sealed: None,
        action_expires_at: None,
        attempt: new.attempt,
        fence: 0,
        created_at: new.at,
        updated_at: new.at,
        settled_at: Some(new.at),
        received_on: Some(new.received_on),
    };
    write(tenant, row).await
}

/// A payment to write whose attempt was taken for over.
#[derive(Debug, Clone)]
pub struct NewLate<'a> {
    /// Its id.
    pub id: PaymentId,
    /// The attempt.
    pub of: &'a Payment,
    /// The gateway's own id of the charge.
    pub gateway_reference: String,
    /// The gateway's receipt.
    pub receipt: Option<String>,
    /// Its number on the invoice.
    pub attempt: i32,
    /// Now.
    pub at: Instant,
}

/// Writes a payment that has succeeded though its attempt was taken for over.
///
/// # Errors
/// [`Error::UniqueViolation`] where that charge is a payment of the business already.
pub async fn insert_late(tenant: &Tenant, new: NewLate<'_>) -> Result<Payment, Error> {
    let row = Payment {
        id: new.id,
        refunded_minor: 0,
        refunding_minor: 0,
        status: PaymentStatus::Succeeded,
        gateway_reference: Some(new.gateway_reference),
        receipt: new.receipt,
        failure_code: None,
        failure_message: None,
        hard_decline: false,
        action_kind: None,
        action_url: None,
        action_client_secret: None,
        action_client_secret_sealed: None,
        action_expires_at: None,
        attempt: new.attempt,
        fence: 0,
        created_at: new.at,
        updated_at: new.at,
        settled_at: Some(new.at),
        received_on: None,
        ..new.of.clone()
    };
    write(tenant, row).await
}

/// Whether a charge of that reference at a gateway is a payment of the business that has succeeded.
///
/// # Errors
/// The database's fault.
pub async fn is_settled(tenant: &Tenant, gateway: &str, reference: &str) -> Result<bool, Error> {
    let of = tenant.select::<payment::Entity>().filter(payment::Column::Gateway.eq(gateway));
    let of = of.filter(payment::Column::GatewayReference.eq(reference)).filter(payment::Column::SettledAt.is_not_null());
    Ok(of.one().await?.is_some())
}

/// Writes the receipt of a locked payment, which was told later than that it succeeded.
///
/// # Errors
/// The database's fault.
pub async fn save_receipt(tenant: &Tenant, held: &Payment, receipt: &str) -> Result<(), Error> {
    let row = payment::ActiveModel {
        business_id: Set(held.business_id),
        id: Set(held.id),
        receipt: Set(Some(receipt.to_owned())),
        ..Default::default()
    };
    tenant.save(row).await
}

/// Whether a payment with that receipt was recorded for the business.
///
/// # Errors
/// The database's fault.
pub async fn is_recorded(tenant: &Tenant, receipt: &str) -> Result<bool, Error> {
    let recorded = tenant.select::<payment::Entity>().filter(payment::Column::Gateway.eq(MANUAL));
    Ok(recorded.filter(payment::Column::Receipt.eq(receipt)).one().await?.is_some())
}

/// An attempt.
///
/// # Errors
/// The database's fault.
pub async fn payment(tenant: &Tenant, id: PaymentId) -> Result<Option<Payment>, Error> {
    tenant.by_id::<payment::Entity, _>(id).await
}

/// An attempt, locked until the transaction ends.
///
/// # Errors
/// [`Error::Corrupt`] where it is gone: attempts are never deleted.
pub async fn lock_payment(tenant: &Tenant, id: PaymentId) -> Result<Payment, Error> {
    tenant.lock_by_id::<payment::Entity, _>(id).await?.ok_or_else(|| Error::Corrupt("a payment is gone".into()))
}

/// Takes a locked attempt in hand: whoever had it before cannot write its outcome any more. Answers it with the new
/// fence. Does not touch `updated_at`, which says since when the attempt stands where it stands.
///
/// # Errors
/// The database's fault.
pub async fn take(tenant: &Tenant, held: &Payment) -> Result<Payment, Error> {
    let row = payment::ActiveModel { id: Set(held.id), fence: Set(held.fence.saturating_add(1)), ..Default::default() };
    let row = payment::ActiveModel { business_id: Set(held.business_id), ..row };
    tenant.update(row).await
}

/// As [`take`], of an attempt that is now in that state.
///
/// # Errors
/// The database's fault.
pub async fn take_as(tenant: &Tenant, held: &Payment, to: PaymentStatus, now: Instant) -> Result<Payment, Error> {
    let row = payment::ActiveModel {
        business_id: Set(held.business_id),
        id: Set(held.id),
        status: Set(to),
        fence: Set(held.fence.saturating_add(1)),
        updated_at: Set(now),
        ..Default::default()
    };
    tenant.changed(Subject::Payment(held.id));
    tenant.update(row).await
}

/// What changes with an attempt's state. What is `None` stays as it is, but for the action, which ends with its state.
#[derive(Debug, Clone, Default)]
pub struct PaymentChange {
    /// The gateway's own id of the charge.
    pub gateway_reference: Option<String>,
    /// The gateway's receipt.
    pub receipt: Option<String>,
    /// Why it failed: a code, a sentence, and whether trying the method again is pointless.
    pub failure: Option<(String, String, bool)>,
    /// What the customer must do.
    pub action: Option<PaymentAction>,
    /// When money was taken.
    pub settled_at: Option<Instant>,
}

/// What the customer must do, as it is stored.
#[derive(Debug, Clone)]
pub struct PaymentAction {
    /// REDIRECT, CLIENT_SECRET or PHONE.
    pub kind: &'static str,
    /// For REDIRECT.
    pub url: Option<String>,
    /// For CLIENT_SECRET, sealed.
    pub client_secret_sealed: Option<Vec<u8>>,
    /// Until when.
    pub expires_at: Instant,
}

/// Gives a locked attempt a new state.
///
/// # Errors
/// The database's fault.
pub async fn change_status(tenant: &Tenant, held: &Payment, to: PaymentStatus, change: PaymentChange, now: Instant) -> Result<(), Error> {
    let (code, message, hard) = match change.failure {
        Some((code, message, hard)) => (Some(code), Some(message), hard),
        None => (held.failure_code.clone(), held.failure_message.clone(), held.hard_decline),
    };
    let (kind, url, secret, expires) = match change.action {
        Some(action) => (Some(action.kind.to_owned()), action.url, action.client_secret_sealed, Some(action.expires_at)),
        None => (None, None, None, None),
    };
    let row = payment::ActiveModel {
        business_id: Set(held.business_id),
        id: Set(held.id),
        status: Set(to),
        gateway_reference: Set(change.gateway_reference.or_else(|| held.gateway_reference.clone())),
        receipt: Set(change.receipt.or_else(|| held.receipt.clone())),
        failure_code: Set(code),
        failure_message: Set(message),
        hard_decline: Set(hard),
        action_kind: Set(kind),
        action_url: Set(url),
        action_client_secret: Set(None),
        action_client_secret_sealed: Set(secret),
        action_expires_at: Set(expires),
        settled_at: Set(change.settled_at.or(held.settled_at)),
        updated_at: Set(now),
        ..Default::default()
    };
    tenant.changed(Subject::Payment(held.id));
    tenant.save(row).await
}

/// The attempts whose action has a client secret, sealed or as an older version wrote it, locked until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn lock_with_client_secret(tenant: &Tenant) -> Result<Vec<Payment>, Error> {
    let sealed = payment::Column::ActionClientSecretSealed.is_not_null();
    let with = tenant.select::<payment::Entity>().filter(sealed.or(payment::Column::ActionClientSecret.is_not_null()));
    with.order_by_asc(payment::Column::Id).lock(LockType::NoKeyUpdate).all().await
}

/// Writes the client secret of a locked attempt's action, sealed, and none in plain.
///
/// # Errors
/// The database's fault.
pub async fn save_client_secret(tenant: &Tenant, held: &Payment) -> Result<(), Error> {
    let row = payment::ActiveModel {
        business_id: Set(held.business_id),
        id: Set(held.id),
        action_client_secret: Set(None),
        action_client_secret_sealed: Set(held.action_client_secret_sealed.clone()),
        ..Default::default()
    };
    tenant.save(row).await
}

/// The attempt on an invoice that waits for the customer, if one does.
///
/// # Errors
/// The database's fault.
pub async fn waiting_attempt(tenant: &Tenant, invoice: InvoiceId) -> Result<Option<Payment>, Error> {
    let waiting = tenant.select::<payment::Entity>().filter(payment::Column::InvoiceId.eq(invoice));
    waiting.filter(payment::Column::Status.eq(PaymentStatus::RequiresAction)).one().await
}

/// The open invoices with something due of the subscriptions that are PAST_DUE or SUSPENDED, the oldest first, except those
/// with a live attempt.
///
/// # Errors
/// The database's fault.
pub async fn overdue_invoices(tenant: &Tenant) -> Result<Vec<Invoice>, Error> {
    let to_subscription = invoice::Entity::belongs_to(subscription::Entity)
        .from((invoice::Column::BusinessId, invoice::Column::SubscriptionId))
        .to((subscription::Column::BusinessId, subscription::Column::Id))
        .into();
    let open = tenant
        .select::<invoice::Entity>()
        .join(JoinType::InnerJoin, to_subscription)
        .filter(subscription::Column::Status.is_in([SubscriptionStatus::PastDue, SubscriptionStatus::Suspended]))
        .filter(invoice::Column::Status.eq(InvoiceStatus::Open))
        .filter(invoice::Column::AmountDueMinor.gt(0))
        .order_by_asc(invoice::Column::CreatedAt)
        .order_by_asc(invoice::Column::Id);
    let mut overdue = open.all().await?;
    if overdue.is_empty() {
        return Ok(overdue);
    }
    let ids: Vec<InvoiceId> = overdue.iter().map(|invoice| invoice.id).collect();
    let live = tenant.select::<payment::Entity>().filter(payment::Column::InvoiceId.is_in(ids)).filter(payment::Column::Status.is_in(LIVE));
    let live = live.all().await?;
    overdue.retain(|invoice| !live.iter().any(|payment| payment.invoice_id == invoice.id));
    Ok(overdue)
}
