//! What a gateway that signs nothing tells of by itself. It comes by an address that names one attempt and cannot be guessed, is kept as a
//! hint, and has the gateway asked. Whoever asks takes from it what to ask about, and believes the answer.
//!
//! The secret of an address is derived, from the attempt's id by the key that also seals cursors, and is not stored: a copy of the
//! database holds none of them, an attempt that is sent again has the same one, and nothing is to be written before a prompt is sent.

use uuid::Uuid;

use super::{LATE, Ports, inbox};
use crate::adapters::payment::{GatewayKind, Heard, HeardOf, WayBack};
use crate::billing::lifecycle::PaymentStatus;
use crate::error::{Error, Failure};
use crate::ids::{BusinessId, PaymentId, RefundId};
use crate::security::envelope::Place;
use crate::services::sealing::{self, keys_of};
use crate::store::customers::{self, Business};
use crate::store::gateway_hints::{self, GatewayHint, NewHint};
use crate::store::payments::{self, NewMethod, Payment, PaymentMethod};
use crate::store::types::HeardKind;
use crate::store::{Instant, Snapshot, Tenant, TenantScope, jobs, refunds};

use super::inbox::GatewayEvent;

/// What the secrets of addresses are sealed for.
const PURPOSE: &str = "gateway_events";
/// How often it is asked whether an attempt that was over has succeeded all the same.
const MOST_LATE: usize = 3;

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// A payment.
    Payment,
    /// What a question about a payment is answered with.
    PaymentStatus,
    /// A refund.
    Refund,
    /// What a question about a refund is answered with.
    RefundStatus,
}

impl About {
    /// All of them; the place is what stands in a secret.
    const ALL: [Self; 4] = [Self::Payment, Self::PaymentStatus, Self::Refund, Self::RefundStatus];

    /// What stands in a secret for it.
    const fn byte(self) -> u8 {
        match self {
            Self::Payment => 0,
            Self::PaymentStatus => 1,
            Self::Refund => 2,
            Self::RefundStatus => 3,
        }
    }
}

/// The payment or refund that a secret names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// Whose it is.
    business: BusinessId,
    /// What it is about.
    about: About,
    /// Which one.
    thing: Uuid,
}

impl Named {
    /// Of what the gateway tells there.
    pub const fn heard_of(self) -> HeardOf {
        match self.about {
            About::Payment => HeardOf::Charge,
            About::PaymentStatus | About::RefundStatus => HeardOf::Status,
            About::Refund => HeardOf::Refund,
        }
    }
}

/// What a secret names; `None` where we did not make it.
pub fn named_by(ports: &Ports, secret: &str) -> Option<Named> {
    let said = ports.previews.open(PURPOSE, secret)?;
    let (business, rest) = said.split_first_chunk::<16>()?;
    let (about, thing) = rest.split_first()?;
    let about = About::ALL.into_iter().find(|known| known.byte() == *about)?;
    let thing = Uuid::from_bytes(thing.try_into().ok()?);
    Some(Named { business: BusinessId::from(Uuid::from_bytes(*business)), about, thing })
}

/// A secret.
fn secret(ports: &Ports, business: BusinessId, about: About, thing: Uuid) -> String {
    let said = [business.uuid().as_bytes().as_slice(), &[about.byte()], thing.as_bytes()].concat();
    ports.previews.seal(PURPOSE, &said)
}

/// The way back for a charge, with what came by it.
pub(super) fn of_payment(ports: &Ports, business: BusinessId, payment: PaymentId, heard: Vec<Heard>) -> WayBack {
    WayBack {
        secret: secret(ports, business, About::Payment, payment.uuid()),
        status_secret: secret(ports, business, About::PaymentStatus, payment.uuid()),
        heard,
    }
}

/// The way back for a refund, with what came by it.
pub(super) fn of_refund(ports: &Ports, business: BusinessId, refund: RefundId, heard: Vec<Heard>) -> WayBack {
    WayBack {
        secret: secret(ports, business, About::Refund, refund.uuid()),
        status_secret: secret(ports, business, About::RefundStatus, refund.uuid()),
        heard,
    }
}

/// What was heard of a payment, or of a refund of it; nothing is looked for where its gateway signs what it says.
pub(super) async fn heard(ports: &Ports, scope: TenantScope, payment: &Payment, refund: Option<RefundId>) -> Result<Vec<Heard>, Error> {
    if payment.gateway != GatewayKind::Mpesa.as_str() {
        return Ok(Vec::new());
    }
    let view = Snapshot::new(ports.store.clone(), Some(scope));
    let hints = gateway_hints::of(&view.tenant().await?, payment.id, refund).await?;
    Ok(hints.into_iter().map(told).collect())
}

/// A hint, as gateways take it.
fn told(hint: GatewayHint) -> Heard {
    let GatewayHint { heard_of, reference, succeeded, code, receipt, amount_minor, receiver, .. } = hint;
    let of = match heard_of {
        HeardKind::Charge => HeardOf::Charge,
        HeardKind::Status => HeardOf::Status,
        HeardKind::Refund => HeardOf::Refund,
    };
    Heard { of, reference, succeeded, code, receipt, amount_minor, receiver }
}

/// Keeps what was said and has the gateway asked about it; `digest` is the body's. What is said twice is there once.
///
/// # Errors
/// The database's fault.
pub async fn take_hint(ports: &Ports, named: Named, heard: Heard, digest: String) -> Result<(), Error> {
    // Proved by the secret, which we made for this business's attempt.
    let scope = TenantScope::proved(named.business);
    let (outside, said, by) = (ports.clone(), heard, digest.clone());
    let keep = move |tenant: Tenant| {
        let (ports, heard, digest) = (outside.clone(), said.clone(), by.clone());
        async move { Ok(keep(&tenant, &ports, named, heard, digest).await?) }
    };
    let kept = match ports.store.write(scope, keep).await {
        Ok(kept) => kept,
        Err(Failure::Fault(error)) => return Err(error),
        Err(Failure::Refused(_)) => return Err(Error::Corrupt("a hint was refused".into())),
    };
    let Some((payment, refund)) = kept else { return Ok(()) };
    let id = format!("{}:{digest}", refund.map_or_else(|| payment.to_string(), |refund| refund.to_string()));
    let kind = kind_of(named.heard_of()).as_str().to_owned();
    inbox::take_event(ports, GatewayEvent { gateway: GatewayKind::Mpesa, id, kind, payment: Some(payment), refund, dispute: None }).await?;
    let late: Vec<String> = (1..=MOST_LATE).map(|time| late_key(payment, time)).collect();
    inbox::hasten_late(ports, late).await
}

/// The kind of a hint, as it is stored.
const fn kind_of(of: HeardOf) -> HeardKind {
    match of {
        HeardOf::Charge => HeardKind::Charge,
        HeardOf::Status => HeardKind::Status,
        HeardOf::Refund => HeardKind::Refund,
    }
}

/// The key of a job of the kind [`LATE`].
fn late_key(payment: PaymentId, time: usize) -> String {
    format!("{payment}:{time}")
}

/// Keeps a hint; answers the payment and the refund that it is about. A success of an attempt that is over has a job look into it.
async fn keep(
    tenant: &Tenant,
    ports: &Ports,
    named: Named,
    heard: Heard,
    digest: String,
) -> Result<Option<(PaymentId, Option<RefundId>)>, Error> {
    let ports = ports.of(tenant).await?;
    customers::lock_business(tenant).await?;
    let (payment, refund) = match named.about {
        About::Payment | About::PaymentStatus => (PaymentId::from(named.thing), None),
        About::Refund | About::RefundStatus => {
            let refund = refunds::lock(tenant, RefundId::from(named.thing)).await?;
            (refund.payment_id, Some(refund.id))
        }
    };
    let found = payments::payment(tenant, payment).await?.filter(|payment| payment.gateway == GatewayKind::Mpesa.as_str());
    if found.is_none() {
        return Ok(None);
    }
    let held = payments::lock_payment(tenant, payment).await?;
    let new = NewHint {
        id: ports.ids.next(),
        payment,
        refund,
        heard_of: kind_of(heard.of),
        digest,
        reference: heard.reference.clone(),
        succeeded: heard.succeeded,
        code: heard.code.clone(),
        receipt: heard.receipt.clone(),
        amount_minor: heard.amount_minor,
        receiver: heard.receiver.clone(),
        at: Instant::from(ports.real_now()),
    };
    if gateway_hints::keep(tenant, new).await? && heard.of == HeardOf::Charge && heard.succeeded {
        told_of_success(tenant, &ports, &held, &heard).await?;
    }
    Ok(Some((payment, refund)))
}

/// A success was told of, of an attempt that does not wait for one.
async fn told_of_success(tenant: &Tenant, ports: &Ports, held: &Payment, heard: &Heard) -> Result<(), Error> {
    match held.status {
        PaymentStatus::Failed | PaymentStatus::Canceled => {
            tracing::error!(payment = %held.id, "the gateway tells that an attempt that was over has succeeded; it is asked");
            let said = gateway_hints::of(tenant, held.id, None).await?;
            let times = said.iter().filter(|hint| hint.heard_of == HeardKind::Charge && hint.succeeded).count();
            if times <= MOST_LATE {
                let (key, now) = (late_key(held.id, times), ports.now().into());
                let clock = ports.test_clock();
                jobs::schedule(tenant, jobs::NewJob { id: ports.ids.next(), kind: LATE, key: &key, due_at: now, clock, now }).await?;
            }
            Ok(())
        }
        // The receipt alone is new, which no query tells.
        PaymentStatus::Succeeded | PaymentStatus::PartiallyRefunded if held.receipt.is_none() => {
            let is_it = held.gateway_reference.as_ref() == Some(&heard.reference) && heard.amount_minor == Some(held.amount_minor);
            match heard.receipt.as_deref().filter(|_| is_it) {
                Some(receipt) => payments::save_receipt(tenant, held, receipt).await,
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Where a method's reference is sealed: it opens there alone.
fn place(business: BusinessId, method: Uuid) -> Place<'static> {
    Place { business: business.uuid(), table: "payment_methods", column: "reference_sealed", row: method }
}

/// Seals what a method is known by, where that is a person's phone number.
pub(super) fn seal_reference(ports: &Ports, business: &Business, new: NewMethod) -> Result<NewMethod, Error> {
    if new.gateway != GatewayKind::Mpesa.as_str() {
        return Ok(new);
    }
    let place = place(business.business_id, new.id.uuid());
    let sealed = keys_of(ports, business)?.seal(ports.rng.as_ref(), &place, new.reference.as_bytes())?;
    Ok(NewMethod { reference: String::new(), reference_sealed: Some(sealed), ..new })
}

/// Seals what a method has sealed anew, under its business's present key; the row is then saved.
pub(in crate::services) fn seal_anew(ports: &Ports, business: &Business, row: &mut PaymentMethod) -> Result<(), Error> {
    if let Some(sealed) = &row.reference_sealed {
        let place = place(business.business_id, row.id.uuid());
        row.reference_sealed = Some(sealing::seal_anew(ports, &keys_of(ports, business)?, &place, sealed)?);
    }
    Ok(())
}

/// What the gateway knows an attempt's method by: as it stands on the attempt, or opened from the method.
pub(super) async fn method_reference(ports: &Ports, scope: TenantScope, payment: &Payment) -> Result<String, Error> {
    let Some(method) = payment.method_id.filter(|_| payment.gateway_method.is_empty()) else { return Ok(payment.gateway_method.clone()) };
    let view = Snapshot::new(ports.store.clone(), Some(scope));
    let tenant = view.tenant().await?;
    let business = customers::business(&tenant).await?;
    // One that was erased meanwhile is nobody's number.
    let Some(sealed) = payments::method_of_payment(&tenant, method).await?.and_then(|row| row.reference_sealed) else {
        return Ok(String::new());
    };
    Ok(keys_of(ports, &business)?.open_text(&place(business.business_id, method.uuid()), &sealed)?)
}
