//! Adding, removing and choosing payment methods.

use serde_json::json;

use super::attempt::{Sender, begin_attempt, is_usable, method_not_found};
use super::hints::seal_reference;
use super::{PaymentService, Ports};
use crate::adapters::payment::{AttachError, AttachedMethod, GatewayKind, MethodKind, MethodSource};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::PaymentMethodId;
use crate::services::access::{Access, Caller, Need, check_change};
use crate::services::audit::{self, Act};
use crate::store::payments::{self, NewMethod, PaymentMethod};
use crate::store::types::PaymentMethodKind;
use crate::store::{Instant, Snapshot, Tenant, customers, subscriptions};

/// The most methods of one business, removed ones not counted.
const MOST_METHODS: usize = 20;

/// What is asked of `addPaymentMethod`. Holds what identifies a payer, hence no `Debug`.
#[derive(Clone)]
pub struct AddPaymentMethod {
    /// What the customer gives.
    pub source: MethodSource,
    /// Whether it becomes the default. The first one does in any case.
    pub make_default: bool,
}

impl PaymentService {
    /// Adds a payment method. A new default is tried at once on what is overdue.
    ///
    /// # Errors
    /// INVALID at `source` for a sandbox method outside sandbox mode, PAYMENT_FAILED at `source` where the gateway does not take
    /// it, LIMIT_EXCEEDED past 20 methods; [`Error::Unauthenticated`], [`Error::Forbidden`] or the database's fault.
    pub async fn add_payment_method(&self, caller: Caller, input: AddPaymentMethod) -> Outcome<PaymentMethodId> {
        let scope = caller.require_scope()?;
        let view = Snapshot::new(self.ports.store.clone(), Some(scope));
        let tenant = view.tenant().await?;
        check_change(&tenant, caller, Need::ChangeMoney).await?;
        check_room(&payments::methods(&tenant).await?)?;
        drop((tenant, view));
        if matches!(input.source, MethodSource::Sandbox(_)) && !self.ports.sandbox {
            return Err(UserError::at("source", UserErrorCode::Invalid, "Sandbox payment methods exist in sandbox mode alone.").into());
        }
        let gateway = self.ports.gateways.taking(input.source.kind()).ok_or_else(|| not_taken(&AttachError::Unsupported))?;
        let attached = gateway.attach(input.source).await.map_err(|error| not_taken(&error))?;
        let taken_by = gateway.kind();
        let (outside, make_default) = (self.ports.clone(), input.make_default);
        let write = move |tenant: Tenant| {
            let (ports, attached) = (outside.clone(), attached.clone());
            async move {
                let ports = ports.of(&tenant).await?;
                let access = check_change(&tenant, caller, Need::ChangeMoney).await?;
                let business = customers::lock_business(&tenant).await?;
                if ports.gateways.terms_of(taken_by.as_str(), business.currency).is_none() {
                    return Err(not_taken(&AttachError::Unsupported).into());
                }
                let others = payments::methods(&tenant).await?;
                check_room(&others)?;
                let new = seal_reference(&ports, &business, new_method(&ports, taken_by, attached))?;
                let made = payments::insert_method(&tenant, new).await?;
                record(&tenant, &ports, &access, "payment_method.added", &made).await?;
                let first = !others.iter().any(|method| method.is_default);
                if make_default || first {
                    choose(&tenant, &ports, &made).await?;
                }
                Ok(made.id)
            }
        };
        let made = self.ports.store.write(scope, write).await?;
        self.ports.work.notify_one();
        Ok(made)
    }

    /// Removes a payment method; where it was the default, the newest other one that is usable becomes it, or else the newest.
    ///
    /// # Errors
    /// NOT_FOUND at `paymentMethodId`; [`Error::Unauthenticated`], [`Error::Forbidden`] or the database's fault.
    pub async fn remove_payment_method(&self, caller: Caller, method: Option<PaymentMethodId>) -> Outcome<PaymentMethodId> {
        let scope = caller.require_scope()?;
        let outside = self.ports.clone();
        let write = move |tenant: Tenant| {
            let ports = outside.clone();
            async move {
                let ports = ports.of(&tenant).await?;
                let access = check_change(&tenant, caller, Need::ChangeMoney).await?;
                customers::lock_business(&tenant).await?;
                let held = find(&tenant, method).await?;
                payments::remove_method(&tenant, held.id, ports.now().into()).await?;
                record(&tenant, &ports, &access, "payment_method.removed", &held).await?;
                if held.is_default
                    && let Some(next) = next_default(&tenant, &ports).await?
                {
                    choose(&tenant, &ports, &next).await?;
                }
                Ok(held.id)
            }
        };
        let removed = self.ports.store.write(scope, write).await?;
        self.ports.work.notify_one();
        Ok(removed)
    }

    /// Makes a payment method the default and tries it at once on what is overdue.
    ///
    /// # Errors
    /// NOT_FOUND at `paymentMethodId`; [`Error::Unauthenticated`], [`Error::Forbidden`] or the database's fault.
    pub async fn set_default_payment_method(&self, caller: Caller, method: Option<PaymentMethodId>) -> Outcome<PaymentMethodId> {
        let scope = caller.require_scope()?;
        let outside = self.ports.clone();
        let write = move |tenant: Tenant| {
            let ports = outside.clone();
            async move {
                let ports = ports.of(&tenant).await?;
                let access = check_change(&tenant, caller, Need::ChangeMoney).await?;
                customers::lock_business(&tenant).await?;
                let held = find(&tenant, method).await?;
                if !held.is_default {
                    record(&tenant, &ports, &access, "payment_method.made_default", &held).await?;
                    choose(&tenant, &ports, &held).await?;
                }
                Ok(held.id)
            }
        };
        let chosen = self.ports.store.write(scope, write).await?;
        self.ports.work.notify_one();
        Ok(chosen)
    }
}

/// The method of that id; an id that did not parse names none.
async fn find(tenant: &Tenant, id: Option<PaymentMethodId>) -> Outcome<PaymentMethod> {
    let id = id.ok_or_else(method_not_found)?;
    Ok(payments::method(tenant, id).await?.ok_or_else(method_not_found)?)
}

/// Makes a method the default and begins attempts with it on the open invoices of the subscriptions that are overdue. Ladders that
/// gave up on the method before it try again.
async fn choose(tenant: &Tenant, ports: &Ports, method: &PaymentMethod) -> Outcome<()> {
    payments::make_default(tenant, method.id).await?;
    subscriptions::forget_hard_declines(tenant).await?;
    for invoice in payments::overdue_invoices(tenant).await? {
        match begin_attempt(tenant, ports, &invoice, None, Sender::Job).await {
            Ok(_) => {}
            // What cannot be collected this way stays open and on its ladder; the choice of the method stands.
            Err(Failure::Refused(refusals)) => tracing::info!(invoice = %invoice.id, ?refusals, "the new default method was not tried"),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// The method that becomes the default when the default is removed.
async fn next_default(tenant: &Tenant, ports: &Ports) -> Result<Option<PaymentMethod>, Error> {
    let others = payments::methods(tenant).await?;
    for method in &others {
        if is_usable(tenant, ports, method).await? {
            return Ok(Some(method.clone()));
        }
    }
    Ok(others.into_iter().next())
}

/// Refuses one method too many.
fn check_room(methods: &[PaymentMethod]) -> Result<(), UserError> {
    if methods.len() < MOST_METHODS {
        return Ok(());
    }
    Err(UserError::new(UserErrorCode::LimitExceeded, format!("A business has at most {MOST_METHODS} payment methods; remove one first.")))
}

/// A source that the gateway did not take.
fn not_taken(error: &AttachError) -> UserError {
    UserError::at("source", UserErrorCode::PaymentFailed, error.to_string())
}

/// The row of a source that the gateway has taken.
fn new_method(ports: &Ports, gateway: GatewayKind, attached: AttachedMethod) -> NewMethod {
    NewMethod {
        id: ports.ids.next(),
        kind: match attached.kind {
            MethodKind::Card => PaymentMethodKind::Card,
            MethodKind::Mpesa => PaymentMethodKind::Mpesa,
            MethodKind::BankTransfer => PaymentMethodKind::BankTransfer,
            MethodKind::Sandbox => PaymentMethodKind::Sandbox,
        },
        gateway: gateway.as_str(),
        reference: attached.reference,
        reference_sealed: None,
        label: attached.label,
        expires_on: attached.expires_on.map(Into::into),
        at: Instant::from(ports.now()),
    }
}

/// Writes what was done to a method into the audit trail.
async fn record(tenant: &Tenant, ports: &Ports, access: &Access, action: &str, method: &PaymentMethod) -> Result<(), Error> {
    let details = json!({ "kind": method.kind.as_str() });
    audit::record(tenant, ports, Act { action, actor: &access.actor(), subject: &method.id.to_string(), details }).await
}
