//! What a customer's browser finishes a payment with: sealed under its business's own key for as long as the payment waits for it.
//! Whoever has it and the gateway's public key could finish the payment, and read what it is for.

use super::Ports;
use crate::error::Error;
use crate::security::envelope::Place;
use crate::services::sealing::{self, keys_of};
use crate::store::customers::Business;
use crate::store::payments::Payment;

/// Where it is stored: it opens there alone.
fn place(held: &Payment) -> Place<'static> {
    Place { business: held.business_id.uuid(), table: "payments", column: "action_client_secret_sealed", row: held.id.uuid() }
}

/// Seals the client secret of an attempt's action.
pub(super) fn seal(ports: &Ports, business: &Business, held: &Payment, secret: &str) -> Result<Vec<u8>, Error> {
    Ok(keys_of(ports, business)?.seal(ports.rng.as_ref(), &place(held), secret.as_bytes())?)
}

/// Whether an attempt's action has a client secret.
pub const fn has_client_secret(payment: &Payment) -> bool {
    payment.action_client_secret_sealed.is_some() || payment.action_client_secret.is_some()
}

/// The client secret of an attempt's action, opened; `None` where it has none.
///
/// # Errors
/// [`Error::Corrupt`] where it does not open.
pub fn client_secret(ports: &Ports, business: &Business, payment: &Payment) -> Result<Option<String>, Error> {
    match &payment.action_client_secret_sealed {
        Some(sealed) => Ok(Some(keys_of(ports, business)?.open_text(&place(payment), sealed)?)),
        // As an older version wrote it.
        None => Ok(payment.action_client_secret.clone()),
    }
}

/// Seals a client secret that an older version wrote in plain; answers whether there was one. The row is then saved.
pub(in crate::services) fn seal_client_secret_in_plain(ports: &Ports, business: &Business, held: &mut Payment) -> Result<bool, Error> {
    let Some(secret) = held.action_client_secret.take() else { return Ok(false) };
    held.action_client_secret_sealed = Some(seal(ports, business, held, &secret)?);
    Ok(true)
}

/// Seals an attempt's client secret anew, under its business's present key; the row is then saved.
pub(in crate::services) fn seal_client_secret_anew(ports: &Ports, business: &Business, held: &mut Payment) -> Result<(), Error> {
    if seal_client_secret_in_plain(ports, business, held)? {
        return Ok(());
    }
    if let Some(sealed) = &held.action_client_secret_sealed {
        held.action_client_secret_sealed = Some(sealing::seal_anew(ports, &keys_of(ports, business)?, &place(held), sealed)?);
    }
    Ok(())
}
