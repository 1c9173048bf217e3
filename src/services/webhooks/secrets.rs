//! An endpoint's secrets: sealed under its business's own key.

use jiff::SignedDuration;

use crate::error::Error;
use crate::ids::{BusinessId, WebhookEndpointId};
use crate::security::envelope::Place;
use crate::security::webhook_secret::WebhookSecret;
use crate::services::Ports;
use crate::services::sealing::{self, keys_of};
use crate::store::Instant;
use crate::store::customers::Business;
use crate::store::webhooks::Endpoint;

/// How long the secret that was replaced signs too.
pub(super) const BOTH_SIGN_FOR: SignedDuration = SignedDuration::from_hours(24);

/// A column that holds a secret.
#[derive(Debug, Clone, Copy)]
enum Column {
    /// The present one.
    Present,
    /// The one before it.
    Previous,
}

impl Column {
    /// Where it is stored: it opens there alone.
    const fn place(self, business: BusinessId, endpoint: WebhookEndpointId) -> Place<'static> {
        let column = match self {
            Self::Present => "secret_sealed",
            Self::Previous => "previous_secret_sealed",
        };
        Place { business: business.uuid(), table: "webhook_endpoints", column, row: endpoint.uuid() }
    }
}

/// Seals a new endpoint's secret.
pub(super) fn seal(ports: &Ports, business: &Business, endpoint: WebhookEndpointId, secret: &WebhookSecret) -> Result<Vec<u8>, Error> {
    seal_in(ports, business, endpoint, Column::Present, secret)
}

/// Seals a secret for a column.
fn seal_in(
    ports: &Ports,
    business: &Business,
    endpoint: WebhookEndpointId,
    column: Column,
    secret: &WebhookSecret,
) -> Result<Vec<u8>, Error> {
    let place = column.place(business.business_id, endpoint);
    Ok(keys_of(ports, business)?.seal(ports.rng.as_ref(), &place, secret.expose())?)
}

/// Opens the secret of a column.
fn open(ports: &Ports, business: &Business, endpoint: WebhookEndpointId, column: Column, sealed: &[u8]) -> Result<WebhookSecret, Error> {
    let opened = keys_of(ports, business)?.open(&column.place(business.business_id, endpoint), sealed)?;
    WebhookSecret::from_bytes(&opened).ok_or_else(|| Error::Corrupt("a webhook has no secret".into()))
}

/// Replaces an endpoint's secret; the one before it signs too for a day.
pub(super) fn rotate(ports: &Ports, business: &Business, row: &mut Endpoint, secret: &WebhookSecret) -> Result<(), Error> {
    let replaced = open(ports, business, row.id, Column::Present, &row.secret_sealed)?;
    let until = ports.real_now().saturating_add(BOTH_SIGN_FOR).unwrap_or(jiff::Timestamp::MAX);
    row.previous_secret_sealed = Some(seal_in(ports, business, row.id, Column::Previous, &replaced)?);
    row.previous_until = Some(until.into());
    row.secret_sealed = seal(ports, business, row.id, secret)?;
    Ok(())
}

/// Seals an endpoint's secrets anew, under its business's present key; the row is then saved.
pub(in crate::services) fn seal_anew(ports: &Ports, business: &Business, row: &mut Endpoint) -> Result<(), Error> {
    let keys = keys_of(ports, business)?;
    let anew = |column: Column, sealed: &[u8]| sealing::seal_anew(ports, &keys, &column.place(business.business_id, row.id), sealed);
    let present = anew(Column::Present, &row.secret_sealed)?;
    let previous = row.previous_secret_sealed.as_deref().map(|sealed| anew(Column::Previous, sealed)).transpose()?;
    (row.secret_sealed, row.previous_secret_sealed) = (present, previous);
    Ok(())
}

/// The secrets that sign at `now`, the present one first.
pub(super) fn signing(ports: &Ports, business: &Business, row: &Endpoint, now: Instant) -> Result<Vec<WebhookSecret>, Error> {
    let mut secrets = vec![open(ports, business, row.id, Column::Present, &row.secret_sealed)?];
    if let (Some(sealed), Some(until)) = (&row.previous_secret_sealed, row.previous_until)
        && now < until
    {
        secrets.push(open(ports, business, row.id, Column::Previous, sealed)?);
    }
    Ok(secrets)
}
