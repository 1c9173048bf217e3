//! What a business says of itself, changed field by field.

use serde_json::json;

use super::fields::{self, AddressLine, BusinessName, City, Email, Industry, Phone, PostalCode, Refusals, TaxId};
use super::{CustomerService, Sealed, open, seal};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::services::Ports;
use crate::services::access::{self, Caller, Need};
use crate::services::audit::{self, Act};
use crate::services::verification;
use crate::store::customers::{self, Business};
use crate::store::types::CompanySize;

/// What becomes of one field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays.
    #[default]
    Keep,
    /// It becomes empty.
    Clear,
    /// It becomes this.
    Set(T),
}

/// Which fields of the profile to change.
#[derive(Debug, Clone, Default)]
pub struct UpdateProfile {
    /// What it is called.
    pub business_name: Change<String>,
    /// Where invoices are mailed.
    pub business_email: Change<String>,
    /// What it does.
    pub industry: Change<String>,
    /// How many people work there.
    pub company_size: Change<CompanySize>,
    /// ISO 3166-1 alpha-2.
    pub country: Change<String>,
    /// Where post goes.
    pub postal_code: Change<String>,
    /// Street and house.
    pub address_line: Change<String>,
    /// The town.
    pub city: Change<String>,
    /// E.164.
    pub phone: Change<String>,
    /// As the tax office gave it.
    pub tax_id: Change<String>,
    /// IANA.
    pub time_zone: Change<String>,
}

/// The changes, parsed.
#[derive(Debug, Clone)]
struct Changes {
    business_name: Option<String>,
    business_email: Option<String>,
    industry: Option<String>,
    company_size: Option<CompanySize>,
    country: Option<String>,
    postal_code: Option<String>,
    time_zone: Option<String>,
    address_line: Change<String>,
    city: Change<String>,
    phone: Change<String>,
    tax_id: Change<String>,
    /// The names of those that are given, for the audit trail.
    given: Vec<&'static str>,
}

impl CustomerService {
    /// Changes the fields that are given. One that is given as it is changes nothing but the time of the last change.
    ///
    /// # Errors
    /// Every refusal of the input at once: REQUIRED, TOO_LONG, INVALID; [`Error::Forbidden`] for a role below ADMIN;
    /// or the database's fault.
    pub async fn update_profile(&self, caller: Caller, input: UpdateProfile) -> Outcome<Business> {
        let (scope, now, ports) = (caller.require_scope()?, self.now(), self.ports.clone());
        let parsed = parse(input);
        let updated = self.ports.store.write(scope, move |tenant| {
            let (parsed, ports) = (parsed.clone(), ports.clone());
            async move {
                let mut row = customers::lock_business(&tenant).await?;
                // Who may not, is not told what is wrong with the input.
                let access = access::check_change(&tenant, caller, Need::ChangeProfile).await?;
                let changes = parsed.map_err(Failure::Refused)?;
                if changes.given.is_empty() {
                    return Ok(row);
                }
                let details = json!({ "fields": changes.given });
                let was = identity(&ports, &row)?;
                apply(&ports, &mut row, changes)?;
                row.updated_at = now;
                let (actor, subject) = (access.actor(), row.business_id.to_string());
                audit::record(&tenant, &ports, Act { action: "business.updated", actor: &actor, subject: &subject, details }).await?;
                if identity(&ports, &row)? != was {
                    verification::renamed(&tenant, &ports, &mut row, &actor).await?;
                }
                Ok(customers::save_business(&tenant, row).await?)
            }
        });
        let updated = updated.await?;
        self.ports.work.notify_one();
        Ok(updated)
    }
}

/// What a business was verified as: its name, its country and its tax id.
fn identity(ports: &Ports, row: &Business) -> Result<(String, String, Option<String>), Error> {
    let tax_id = open(ports, row, Sealed::TaxId, row.tax_id_sealed.as_deref())?;
    Ok((row.business_name.clone(), row.country.clone(), tax_id))
}

/// Reads the input, or everything that is wrong with it.
fn parse(input: UpdateProfile) -> Result<Changes, Vec<UserError>> {
    let mut reader = Reader::default();
    let changes = Changes {
        business_name: reader
            .needed("businessName", input.business_name, |field, text| BusinessName::parse(field, &text).map(BusinessName::into_string)),
        business_email: reader
            .needed("businessEmail", input.business_email, |field, text| Email::parse(field, &text).map(|email| email.address)),
        industry: reader.needed("industry", input.industry, |field, text| Industry::parse(field, &text).map(Industry::into_string)),
        company_size: reader.needed("companySize", input.company_size, |_, size| Ok(size)),
        country: reader
            .needed("country", input.country, |field, text| fields::country(field, &text).map(|country| country.code.to_owned())),
        postal_code: reader
            .needed("postalCode", input.postal_code, |field, text| PostalCode::parse(field, &text).map(PostalCode::into_string)),
        time_zone: reader.needed("timeZone", input.time_zone, |field, text| fields::time_zone(field, &text)),
        address_line: reader
            .nullable("addressLine", input.address_line, |field, text| AddressLine::parse(field, &text).map(AddressLine::into_string)),
        city: reader.nullable("city", input.city, |field, text| City::parse(field, &text).map(City::into_string)),
        phone: reader.nullable("phone", input.phone, |field, text| Phone::parse(field, &text).map(Phone::into_string)),
        tax_id: reader.nullable("taxId", input.tax_id, |field, text| TaxId::parse(field, &text).map(TaxId::into_string)),
        given: reader.given,
    };
    let refused = reader.refusals.into_vec();
    if refused.is_empty() { Ok(changes) } else { Err(refused) }
}

/// Reads changes one by one, and keeps the names of those given and the refusals.
#[derive(Default)]
struct Reader {
    given: Vec<&'static str>,
    refusals: Refusals,
}

impl Reader {
    /// A field that must not become empty.
    fn needed<T, R>(
        &mut self,
        field: &'static str,
        change: Change<T>,
        read: impl FnOnce(&'static str, T) -> Result<R, UserError>,
    ) -> Option<R> {
        let read = match change {
            Change::Keep => return None,
            Change::Clear => Err(UserError::at(field, UserErrorCode::Invalid, "This cannot be empty.")),
            Change::Set(value) => read(field, value),
        };
        self.given.push(field);
        self.refusals.note(read)
    }

    /// A field that may become empty.
    fn nullable(
        &mut self,
        field: &'static str,
        change: Change<String>,
        read: impl FnOnce(&'static str, String) -> Result<String, UserError>,
    ) -> Change<String> {
        let Change::Set(text) = change else {
            if change == Change::Clear {
                self.given.push(field);
            }
            return change;
        };
        self.given.push(field);
        self.refusals.note(read(field, text)).map_or(Change::Keep, Change::Set)
    }
}

/// Writes the changes into the row; what is secret is sealed under the business's own key.
fn apply(ports: &Ports, row: &mut Business, changes: Changes) -> Result<(), Error> {
    row.phone_sealed = sealed(ports, row, Sealed::Phone, row.phone_sealed.clone(), changes.phone)?;
    row.tax_id_sealed = sealed(ports, row, Sealed::TaxId, row.tax_id_sealed.clone(), changes.tax_id)?;
    replace(&mut row.business_name, changes.business_name);
    replace(&mut row.business_email, changes.business_email);
    replace(&mut row.industry, changes.industry);
    replace(&mut row.company_size, changes.company_size);
    replace(&mut row.country, changes.country);
    replace(&mut row.postal_code, changes.postal_code);
    replace(&mut row.time_zone, changes.time_zone);
    set(&mut row.address_line, changes.address_line);
    set(&mut row.city, changes.city);
    Ok(())
}

/// The content of a sealed column after a change.
fn sealed(
    ports: &Ports,
    row: &Business,
    column: Sealed,
    present: Option<Vec<u8>>,
    change: Change<String>,
) -> Result<Option<Vec<u8>>, Error> {
    Ok(match change {
        Change::Keep => present,
        Change::Clear => None,
        Change::Set(value) => Some(seal(ports, row, column, &value)?),
    })
}

/// Replaces a value, where there is another.
fn replace<T>(value: &mut T, change: Option<T>) {
    if let Some(new) = change {
        *value = new;
    }
}

/// Replaces or clears a value.
fn set(value: &mut Option<String>, change: Change<String>) {
    match change {
        Change::Keep => {}
        Change::Clear => *value = None,
        Change::Set(new) => *value = Some(new),
    }
}
