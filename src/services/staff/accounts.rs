//! Accounts of staff. They are made and removed by whoever runs the server, on the command line, and by no API.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::json;

use super::StaffService;
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::StaffId;
use crate::services::audit::{self, Act};
use crate::services::customers::fields::{Email, FullName, Refusals};
use crate::services::second_factor::{self, Holder};
use crate::store::second_factors::{self, SecondFactor};
use crate::store::sessions::Which;
use crate::store::staff::{self, Staff, StaffView};
use crate::store::types::StaffRole;
use crate::store::{System, staff_sessions};

/// Who acts on the command line, in the audit trail.
const OPERATOR: &str = "system";
/// The bytes of a password that is made up: 144 bits.
const MADE_UP_BYTES: usize = 18;

/// A member of staff to add.
#[derive(Debug, Clone)]
pub struct NewStaff {
    /// Where they sign in.
    pub email: String,
    /// What they are called.
    pub full_name: String,
    /// What they may do.
    pub role: StaffRole,
    /// Their password.
    pub password: SecretString,
}

impl StaffService {
    /// A password that nobody could guess.
    pub fn made_up_password(&self) -> SecretString {
        SecretString::from(URL_SAFE_NO_PAD.encode(self.ports.rng.bytes::<MADE_UP_BYTES>()))
    }

    /// Adds a member of staff.
    ///
    /// # Errors
    /// Every refusal at once: INVALID, REQUIRED, TOO_LONG, WEAK_PASSWORD; TAKEN where one has the address; or the
    /// database's fault.
    pub async fn add(&self, new: NewStaff) -> Outcome<StaffView> {
        let mut refusals = Refusals::default();
        let email = refusals.note(Email::parse("email", &new.email));
        let full_name = refusals.note(FullName::parse("fullName", &new.full_name));
        let known = vec![new.email, new.full_name];
        // Before the transaction: a hash takes tens of milliseconds.
        let hash = refusals.note_all(self.ports.passwords.choose("password", new.password, known).await)?;
        let (Some(email), Some(full_name), Some(password_hash)) = (email, full_name, hash) else {
            return Err(Failure::Refused(refusals.into_vec()));
        };
        let now = self.now();
        let row = Staff {
            id: self.ports.ids.next(),
            email: email.address,
            email_key: email.key,
            full_name: full_name.into_string(),
            password_hash,
            role: new.role,
            two_factor_at: None,
            created_at: now,
            updated_at: now,
            removed_at: None,
        };
        let ports = self.ports.clone();
        let added = self.ports.store.write_system(move |system| {
            let (ports, row) = (ports.clone(), row.clone());
            async move {
                let added = match staff::insert_staff(&system, row).await {
                    Err(Error::UniqueViolation(_)) => return Err(taken().into()),
                    added => added?,
                };
                let subject = added.id.to_string();
                let details = json!({ "role": added.role.as_str() });
                audit::record_platform(&system, &ports, Act { action: "staff.added", actor: OPERATOR, subject: &subject, details }).await?;
                Ok(StaffView::from(added))
            }
        });
        added.await
    }

    /// Removes the member of staff with that address, and ends their sessions.
    ///
    /// # Errors
    /// NOT_FOUND where nobody has it; or the database's fault.
    pub async fn remove(&self, email: &str) -> Outcome<StaffView> {
        let (ports, key, now) = (self.ports.clone(), Email::parse("email", email)?.key, self.now());
        let removed = self.ports.store.write_system(move |system| {
            let (ports, key) = (ports.clone(), key.clone());
            async move {
                let found = staff::staff_by_email(&system, &key).await?.ok_or_else(nobody)?;
                if !staff::remove_staff(&system, found.id, now).await? {
                    return Err(nobody().into());
                }
                staff_sessions::revoke(&system, found.id, Which::All, now).await?;
                let subject = found.id.to_string();
                let act = Act { action: "staff.removed", actor: OPERATOR, subject: &subject, details: json!({}) };
                audit::record_platform(&system, &ports, act).await?;
                Ok(StaffView::from(found))
            }
        });
        removed.await
    }

    /// Turns two-factor on for the member of staff with that address, in the place of what they had, and ends their sessions; answers
    /// the link for their device, and recovery codes. Both are shown this once.
    ///
    /// # Errors
    /// NOT_FOUND where nobody has it; or the database's fault.
    pub async fn enable_two_factor(&self, email: &str) -> Outcome<(SecretString, Vec<SecretString>)> {
        let (service, key) = (self.clone(), Email::parse("email", email)?.key);
        let enabled = self.ports.store.write_system(move |system| {
            let (service, key) = (service.clone(), key.clone());
            async move {
                let (ports, now) = (&service.ports, service.now());
                let found = staff::staff_by_email(&system, &key).await?.ok_or_else(nobody)?;
                // First, since it locks the account.
                staff::set_two_factor(&system, found.id, Some(now), now).await?;
                let holder = Holder::Staff(found.id);
                let (row, url) = second_factor::begin(ports, holder, &found.email)?;
                let (codes, rows) = second_factor::recovery_codes(ports, holder);
                second_factors::replace(&system, SecondFactor { confirmed_at: Some(now), ..row }).await?;
                second_factors::insert_codes(&system, rows).await?;
                staff_sessions::revoke(&system, found.id, Which::All, now).await?;
                service.note(&system, found.id, "staff.two_factor_enabled").await?;
                Ok((url, codes))
            }
        });
        enabled.await
    }

    /// Turns two-factor off for the member of staff with that address.
    ///
    /// # Errors
    /// NOT_FOUND where nobody has it; NO_CHANGE where it is off; or the database's fault.
    pub async fn disable_two_factor(&self, email: &str) -> Outcome<StaffView> {
        let (service, key, now) = (self.clone(), Email::parse("email", email)?.key, self.now());
        let disabled = self.ports.store.write_system(move |system| {
            let (service, key) = (service.clone(), key.clone());
            async move {
                let found = staff::staff_by_email(&system, &key).await?.ok_or_else(nobody)?;
                if found.two_factor_at.is_none() {
                    return Err(UserError::at("email", UserErrorCode::NoChange, "Two-factor is off for this member of staff.").into());
                }
                staff::set_two_factor(&system, found.id, None, now).await?;
                second_factors::remove(&system, Holder::Staff(found.id).uuid()).await?;
                service.note(&system, found.id, "staff.two_factor_disabled").await?;
                Ok(StaffView::from(Staff { two_factor_at: None, ..found }))
            }
        });
        disabled.await
    }

    /// Writes down what the operator did to an account.
    async fn note(&self, system: &System, subject: StaffId, action: &str) -> Result<(), Error> {
        let subject = subject.to_string();
        audit::record_platform(system, &self.ports, Act { action, actor: OPERATOR, subject: &subject, details: json!({}) }).await
    }

    /// The members of staff, the longest there first.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn all(&self) -> Outcome<Vec<StaffView>> {
        self.ports.store.read_system(|system| async move { Ok(staff::all_staff(&system).await?) }).await
    }
}

/// One has the address.
fn taken() -> UserError {
    UserError::at("email", UserErrorCode::Taken, "There is a member of staff with this address.")
}

/// Nobody has the address.
fn nobody() -> UserError {
    UserError::at("email", UserErrorCode::NotFound, "There is no member of staff with this address.")
}
