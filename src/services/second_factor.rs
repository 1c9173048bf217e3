//! Second factors, of customers and of staff alike: how a secret is kept, and that what is shown for it is taken once.
//!
//! Whoever proves a second factor does so in the transaction that lets them in: of two who show the same digits or the same
//! recovery code at once, one is let in.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::Ports;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::{StaffId, UserId};
use crate::security::envelope::{BusinessKey, Place};
use crate::security::otp::{OtpSecret, Proof, RecoveryCode};
use crate::store::second_factors::{self as stored, SecondFactor};
use crate::store::{Instant, System};

/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;

/// Whose a second factor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A person who signs in to businesses.
    User(UserId),
    /// A member of staff.
    Staff(StaffId),
}

impl Holder {
    /// The key of their row.
    pub(super) const fn uuid(self) -> Uuid {
        match self {
            Self::User(id) => id.uuid(),
            Self::Staff(id) => id.uuid(),
        }
    }

    /// Where their secret is stored: it opens there alone.
    const fn place(self) -> Place<'static> {
        Place { business: self.uuid(), table: "second_factors", column: "secret_sealed", row: self.uuid() }
    }
}

/// By what somebody proved their second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proved {
    /// They have none.
    NotAsked,
    /// The digits of their device.
    Digits,
    /// A recovery code, which is audited.
    RecoveryCode,
}

/// Reads what was given as a one-time password.
pub(super) fn read(otp: Option<&str>) -> Result<Option<Proof>, UserError> {
    let sentence = "A one-time password is six digits, or one of your recovery codes.";
    otp.map(|otp| Proof::parse(otp).ok_or_else(|| UserError::at("otp", UserErrorCode::Invalid, sentence))).transpose()
}

/// A new secret of a holder, sealed under a key of its own and confirmed by nobody yet, and the link that shows it.
pub(super) fn begin(ports: &Ports, holder: Holder, account: &str) -> Result<(SecondFactor, SecretString), Error> {
    let (rng, secret) = (ports.rng.as_ref(), OtpSecret::generate(ports.rng.as_ref()));
    let key = BusinessKey::generate(rng);
    let (user_id, staff_id) = match holder {
        Holder::User(id) => (Some(id), None),
        Holder::Staff(id) => (None, Some(id)),
    };
    let row = SecondFactor {
        holder_id: holder.uuid(),
        user_id,
        staff_id,
        wrapped_key: ports.master.wrap(rng, holder.uuid(), &key)?,
        secret_sealed: key.seal(rng, &holder.place(), secret.expose())?,
        last_step: None,
        created_at: ports.real_now().into(),
        confirmed_at: None,
    };
    Ok((row, secret.url(account)?))
}

/// New recovery codes of a holder: what they are shown once, and what is kept.
pub(super) fn recovery_codes(ports: &Ports, holder: Holder) -> (Vec<SecretString>, Vec<stored::RecoveryCode>) {
    let now = Instant::from(ports.real_now());
    let codes = (0..RECOVERY_CODES).map(|_| RecoveryCode::generate(ports.rng.as_ref()));
    let kept = |code: RecoveryCode| {
        let row = stored::RecoveryCode { hash: code.hash().to_vec(), holder_id: holder.uuid(), created_at: now, spent_at: None };
        (code.reveal(), row)
    };
    codes.map(kept).unzip()
}

/// The step whose digits a proof is, if it is of one that was not taken yet.
pub(super) fn fresh_step(ports: &Ports, holder: Holder, held: &SecondFactor, digits: &str) -> Result<Option<i64>, Error> {
    let key = ports.master.unwrap_key(holder.uuid(), &held.wrapped_key)?;
    let opened = key.open(&holder.place(), &held.secret_sealed)?;
    let secret = OtpSecret::from_bytes(&opened).ok_or_else(|| Error::Corrupt("a second factor has no secret".into()))?;
    let now: Timestamp = ports.real_now();
    Ok(secret.step_of(digits, now).filter(|step| held.last_step.is_none_or(|last| last < *step)))
}

/// Lets only a holder who proves their second factor go on, where they have one (`asked`); what they show is spent.
///
/// # Errors
/// OTP_REQUIRED where nothing was shown; INVALID_CREDENTIALS at `otp` for what is wrong or was used before; the database's fault.
pub(super) async fn prove(system: &System, ports: &Ports, holder: Holder, asked: bool, proof: Option<&Proof>) -> Outcome<Proved> {
    if !asked {
        return Ok(Proved::NotAsked);
    }
    let proof = proof.ok_or_else(|| UserError::at("otp", UserErrorCode::OtpRequired, "Give the six digits that your device shows."))?;
    // Locked: of two who show the same digits at once, the second finds them taken.
    let held = stored::lock(system, holder.uuid()).await?.filter(|held| held.confirmed_at.is_some());
    let held = held.ok_or_else(|| Error::Corrupt("somebody is asked for a second factor that is not there".into()))?;
    match proof {
        Proof::Digits(digits) => {
            let step = fresh_step(ports, holder, &held, digits.expose_secret())?.ok_or_else(wrong)?;
            stored::spend_step(system, &held, step).await?;
            Ok(Proved::Digits)
        }
        Proof::Recovery(hash) => {
            let spent = stored::spend_code(system, holder.uuid(), hash, ports.real_now().into()).await?;
            if spent { Ok(Proved::RecoveryCode) } else { Err(wrong().into()) }
        }
    }
}

/// The one answer for digits or a recovery code that are wrong, too old, or were used.
pub(super) fn wrong() -> UserError {
    let sentence = "This code is wrong, or it was used: wait for the next one.";
    UserError::at("otp", UserErrorCode::InvalidCredentials, sentence)
}
