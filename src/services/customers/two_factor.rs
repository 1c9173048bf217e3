//! A second factor: six digits that a person's device shows. It is begun, confirmed by its first digits, and counts from then
//! on, in every business of theirs. A new password does not take it away.

use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::CustomerService;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::UserId;
use crate::security::otp::Proof;
use crate::security::password::Verdict;
use crate::services::Ports;
use crate::services::access::{self, Access, Caller, Person};
use crate::services::audit::{self, Act};
use crate::services::notifications::{RECOVERY_CODE_USED, TWO_FACTOR_DISABLED, TWO_FACTOR_ENABLED, queue};
use crate::services::second_factor::{self, Holder, Proved};
use crate::services::throttle::{self, Target, Try};
use crate::store::customers::{self, User, UserView};
use crate::store::sessions::{self, Which};
use crate::store::{Instant, System, Tenant, second_factors};

/// How long a second factor that was begun may be confirmed.
const PENDING: SignedDuration = SignedDuration::from_hours(1);

impl CustomerService {
    /// Makes a secret for the caller's device, in the place of one that was begun before; answers the link that shows it. It
    /// changes nothing until it is confirmed.
    ///
    /// # Errors
    /// INVALID_CREDENTIALS at `password`, RATE_LIMITED after too many; INVALID_TRANSITION where two-factor is on; [`Error::Forbidden`] for a key;
    /// [`Error::Unauthenticated`]; or the database's fault.
    pub async fn begin_two_factor(&self, caller: Caller, password: SecretString) -> Outcome<SecretString> {
        self.guarded(caller, self.begin(caller, password)).await
    }

    /// Begins with a device.
    async fn begin(&self, caller: Caller, password: SecretString) -> Outcome<SecretString> {
        let (scope, user) = (caller.require_scope()?, self.proved_by_password(caller, password).await?);
        let ports = self.ports.clone();
        let (row, url) = second_factor::begin(&self.ports, Holder::User(user.id), &user.email)?;
        let begun = self.ports.store.write_system(move |system| {
            let (user, row, ports) = (user.clone(), row.clone(), ports.clone());
            async move {
                let tenant = system.tenant(scope);
                let (_, _, held) = locked(&system, &tenant, caller).await?;
                same_password(&held, &user)?;
                succeed(&system, &ports, &held).await?;
                if held.two_factor_at.is_some() {
                    let sentence = "Two-factor is on. Turn it off to begin with another device.";
                    return Err(UserError::new(UserErrorCode::InvalidTransition, sentence).into());
                }
                Ok(second_factors::replace(&system, row).await?)
            }
        });
        begun.await?;
        Ok(url)
    }

    /// Turns two-factor on by the first digits of the device that was begun with, and ends every other session of the caller;
    /// answers recovery codes, which are shown this once.
    ///
    /// # Errors
    /// INVALID or INVALID_CREDENTIALS at `otp`, RATE_LIMITED after too many; INVALID_TRANSITION where none was begun within the hour, or it is on;
    /// [`Error::Forbidden`] for a key; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn confirm_two_factor(&self, caller: Caller, otp: &str) -> Outcome<Vec<SecretString>> {
        self.guarded(caller, self.confirm(caller, otp)).await
    }

    /// Confirms a device.
    async fn confirm(&self, caller: Caller, otp: &str) -> Outcome<Vec<SecretString>> {
        let (scope, ports, now) = (caller.require_scope()?, self.ports.clone(), self.now());
        let digits = match second_factor::read(Some(otp)) {
            Ok(Some(Proof::Digits(digits))) => Ok(digits),
            Ok(_) => Err(UserError::at("otp", UserErrorCode::Invalid, "Give the six digits that your device shows.")),
            Err(refusal) => Err(refusal),
        };
        let confirmed = self.ports.store.write_system(move |system| {
            let (ports, digits) = (ports.clone(), digits.clone());
            async move {
                let tenant = system.tenant(scope);
                let (access, person, held) = locked(&system, &tenant, caller).await?;
                let codes = turn_on(&system, &ports, &held, &digits?, now).await?;
                succeed(&system, &ports, &held).await?;
                // Who is signed in from here on has shown both.
                sessions::revoke(&system, person.user, Which::Others(person.session), now).await?;
                tell(&tenant, &ports, (&access, person.user), ("user.two_factor_enabled", TWO_FACTOR_ENABLED)).await?;
                Ok(codes)
            }
        });
        let codes = confirmed.await?;
        self.ports.work.notify_one();
        Ok(codes)
    }

    /// Turns two-factor off. A recovery code does in the place of the digits.
    ///
    /// # Errors
    /// INVALID at `otp`, INVALID_CREDENTIALS at `password` or `otp`, RATE_LIMITED after too many; NO_CHANGE where it is off; [`Error::Forbidden`] for a key;
    /// [`Error::Unauthenticated`]; or the database's fault.
    pub async fn disable_two_factor(&self, caller: Caller, password: SecretString, otp: &str) -> Outcome<UserView> {
        self.guarded(caller, self.disable(caller, password, otp)).await
    }

    /// Takes a second factor away.
    async fn disable(&self, caller: Caller, password: SecretString, otp: &str) -> Outcome<UserView> {
        let (scope, ports, now) = (caller.require_scope()?, self.ports.clone(), self.now());
        let user = self.proved_by_password(caller, password).await?;
        let proof = second_factor::read(Some(otp))?;
        let disabled = self.ports.store.write_system(move |system| {
            let (ports, user, proof) = (ports.clone(), user.clone(), proof.clone());
            async move {
                let tenant = system.tenant(scope);
                let (access, person, held) = locked(&system, &tenant, caller).await?;
                same_password(&held, &user)?;
                if held.two_factor_at.is_none() {
                    return Err(UserError::new(UserErrorCode::NoChange, "Two-factor is off.").into());
                }
                let holder = Holder::User(person.user);
                let proved = second_factor::prove(&system, &ports, holder, true, proof.as_ref()).await?;
                audit_recovery(&tenant, &ports, person.user, proved).await?;
                succeed(&system, &ports, &held).await?;
                second_factors::remove(&system, holder.uuid()).await?;
                customers::set_two_factor(&system, person.user, None, now).await?;
                tell(&tenant, &ports, (&access, person.user), ("user.two_factor_disabled", TWO_FACTOR_DISABLED)).await?;
                Ok(UserView::from(User { two_factor_at: None, ..held }))
            }
        });
        let user = disabled.await?;
        self.ports.work.notify_one();
        Ok(user)
    }

    /// The caller, whose password this is.
    pub(in crate::services) async fn proved_by_password(&self, caller: Caller, password: SecretString) -> Outcome<User> {
        let (user, _) = self.person(caller).await?;
        match self.ports.passwords.verify(password, Some(user.password_hash.clone())).await? {
            Verdict::Right { .. } => Ok(user),
            Verdict::Wrong => Err(wrong_password().into()),
        }
    }
}

/// The caller's access and row, with the business and the row locked in this order.
pub(in crate::services) async fn locked(system: &System, tenant: &Tenant, caller: Caller) -> Outcome<(Access, Person, User)> {
    customers::lock_business(tenant).await?;
    let access = access::check(tenant, caller).await?;
    let person = access.person()?;
    let held = customers::lock_user(system, person.user).await?.ok_or(Error::Unauthenticated)?;
    Ok((access, person, held))
}

/// Refuses where the password that was compared was changed meanwhile.
pub(in crate::services) fn same_password(held: &User, compared: &User) -> Result<(), UserError> {
    if held.password_hash == compared.password_hash { Ok(()) } else { Err(wrong_password()) }
}

/// Lets a signed-in person who proved who they are go on.
pub(in crate::services) async fn succeed(system: &System, ports: &Ports, held: &User) -> Outcome<()> {
    throttle::succeed(system, ports, &Try::new(Target::SignedIn(held.id), None)).await
}

/// The password is another one.
fn wrong_password() -> UserError {
    UserError::at("password", UserErrorCode::InvalidCredentials, "This is not your password.")
}

/// Confirms what a person began, by its digits.
async fn turn_on(system: &System, ports: &Ports, held: &User, digits: &SecretString, now: Instant) -> Outcome<Vec<SecretString>> {
    let holder = Holder::User(held.id);
    let since = Instant::from(now.get().saturating_sub(PENDING).unwrap_or(jiff::Timestamp::MIN));
    let begun = second_factors::lock(system, holder.uuid()).await?;
    let begun = begun.filter(|begun| begun.confirmed_at.is_none() && begun.created_at > since);
    let refusal = || UserError::new(UserErrorCode::InvalidTransition, "Begin with two-factor first, or again: an hour is given for it.");
    let begun = begun.ok_or_else(refusal)?;
    let step = second_factor::fresh_step(ports, holder, &begun, digits.expose_secret())?.ok_or_else(second_factor::wrong)?;
    let (codes, rows) = second_factor::recovery_codes(ports, holder);
    second_factors::confirm(system, &begun, step, rows, now).await?;
    customers::set_two_factor(system, held.id, Some(now), now).await?;
    Ok(codes)
}

/// Writes down what was done to a person's second factor, and mails it to them.
async fn tell(tenant: &Tenant, ports: &Ports, (access, user): (&Access, UserId), (action, mail): (&str, &str)) -> Result<(), Error> {
    let actor = access.actor();
    audit::record(tenant, ports, Act { action, actor: &actor, subject: &actor, details: json!({}) }).await?;
    queue(tenant, ports, user, mail).await
}

/// Writes down that a recovery code was used, where one was, and mails it to the person. The business's row must be locked by this transaction.
pub(super) async fn audit_recovery(tenant: &Tenant, ports: &Ports, user: UserId, proved: Proved) -> Result<(), Error> {
    if proved != Proved::RecoveryCode {
        return Ok(());
    }
    let actor = user.to_string();
    let act = Act { action: "user.recovery_code_used", actor: &actor, subject: &actor, details: json!({}) };
    audit::record(tenant, ports, act).await?;
    queue(tenant, ports, user, RECOVERY_CODE_USED).await
}
