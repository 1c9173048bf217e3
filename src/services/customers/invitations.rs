//! Inviting people to a business. The link in the mail proves whose the address is; what it lets its holder do is decided when it is
//! shown.

use std::net::IpAddr;

use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::json;

use super::CustomerService;
use super::businesses::one_more;
use super::fields::{Email, FullName, Refusals};
use super::people::may_touch;
use super::sessions::{Opening, SignedIn};
use super::two_factor::audit_recovery;
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::InvitationId;
use crate::security::otp::Proof;
use crate::security::password::Verdict;
use crate::security::token::LinkToken;
use crate::services::Ports;
use crate::services::access::{self, Caller, Need};
use crate::services::audit::{self, Act};
use crate::services::notifications::queue_invitation;
use crate::services::second_factor::{self, Holder};
use crate::services::throttle::{self, Target, Try};
use crate::services::usage::has_room_for_one;
use crate::store::customers::{self, Business, Member, User};
use crate::store::invitations::{self, Invitation};
use crate::store::types::Role;
use crate::store::{Instant, System, Tenant, TenantScope, account_links};

/// How long an invitation may be accepted.
const LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most open invitations of a business.
const MAX_OPEN: u64 = 100;

/// Somebody who accepts an invitation.
#[derive(Debug, Clone)]
pub struct AcceptInvitation {
    /// What stands in the link.
    pub token: String,
    /// What they are called; for a person who is new here.
    pub full_name: Option<String>,
    /// The new password, or that of the account that has the address.
    pub password: SecretString,
    /// The digits of that account's second factor or a recovery code, where two-factor is on.
    pub otp: Option<String>,
    /// The address of the network that they come from, where it is known.
    pub address: Option<IpAddr>,
}

impl CustomerService {
    /// Invites somebody by mail. An invitation of the same address that is open is taken back.
    ///
    /// # Errors
    /// INVALID or TOO_LONG at `email`; TAKEN for whoever is in the business; LIMIT_EXCEEDED for one too many, or where the plan is for
    /// no more people than the business has and has invited; [`Error::Forbidden`]
    /// for a role below ADMIN, and for whoever is no owner where an owner is invited; [`Error::Unauthenticated`]; or the
    /// database's fault.
    pub async fn invite(&self, caller: Caller, email: &str, role: Role) -> Outcome<Invitation> {
        let (scope, ports, now) = (caller.require_scope()?, self.ports.clone(), self.now());
        let email = Email::parse("email", email);
        let expires_at = now.get().saturating_add(LIFETIME).unwrap_or(jiff::Timestamp::MAX);
        let invited = self.ports.store.write_system(move |system| {
            let (ports, email) = (ports.clone(), email.clone());
            async move {
                let tenant = system.tenant(scope);
                let business = customers::lock_business(&tenant).await?;
                // Who may not, is not told what is wrong with the input.
                let access = access::check_change(&tenant, caller, Need::Manage).await?;
                may_touch(&access, role)?;
                let (email, person) = (email?, access.person()?);
                refuse_member(&system, &tenant, &email).await?;
                invitations::revoke_of(&tenant, &email.key, now).await?;
                if invitations::count_open(&tenant, MAX_OPEN).await? >= MAX_OPEN {
                    let sentence = format!("A business has at most {MAX_OPEN} open invitations; revoke one first.");
                    return Err(UserError::new(UserErrorCode::LimitExceeded, sentence).into());
                }
                // Nobody is invited in vain: those who were invited before are waited for.
                let waited_for = invitations::count_good(&tenant, now, MAX_OPEN).await?;
                room(&tenant, &ports, &business, waited_for).await?;
                let row = Invitation {
                    business_id: tenant.business(),
                    id: ports.ids.next(),
                    email: email.address,
                    email_key: email.key,
                    role,
                    invited_by: person.user,
                    created_at: now,
                    expires_at: expires_at.into(),
                    accepted_at: None,
                    revoked_at: None,
                };
                invitations::insert(&tenant, row.clone()).await?;
                queue_invitation(&tenant, &ports, &row).await?;
                let (actor, subject, details) = (access.actor(), row.id.to_string(), json!({ "role": role.as_str() }));
                audit::record(&tenant, &ports, Act { action: "member.invited", actor: &actor, subject: &subject, details }).await?;
                Ok(row)
            }
        });
        let invited = invited.await?;
        self.ports.work.notify_one();
        Ok(invited)
    }

    /// Takes an open invitation back; answers its id.
    ///
    /// # Errors
    /// NOT_FOUND at `invitationId` for any but an open invitation of the business; [`Error::Forbidden`] for a role below ADMIN, and
    /// for whoever is no owner where an owner was invited; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn revoke_invitation(&self, caller: Caller, invitation: Option<InvitationId>) -> Outcome<InvitationId> {
        let (scope, outside, now) = (caller.require_scope()?, self.ports.clone(), self.now());
        let write = move |tenant: Tenant| {
            let ports = outside.clone();
            async move {
                customers::lock_business(&tenant).await?;
                let access = access::check_change(&tenant, caller, Need::Manage).await?;
                let refusal = || UserError::at("invitationId", UserErrorCode::NotFound, "There is no such invitation.");
                let found = invitations::open_by_id(&tenant, invitation.ok_or_else(refusal)?).await?.ok_or_else(refusal)?;
                may_touch(&access, found.role)?;
                invitations::revoke_of(&tenant, &found.email_key, now).await?;
                let (actor, subject, details) = (access.actor(), found.id.to_string(), json!({ "role": found.role.as_str() }));
                audit::record(&tenant, &ports, Act { action: "invitation.revoked", actor: &actor, subject: &subject, details }).await?;
                Ok(found.id)
            }
        };
        self.ports.store.write(scope, write).await
    }

    /// Makes whoever shows the link of an invitation a person of the business, and signs them in: as the account that has the address,
    /// by its password, or as a new one. The address is confirmed by that.
    ///
    /// # Errors
    /// TOKEN_EXPIRED at `token` for one that is unknown, accepted, taken back or too old; INVALID_CREDENTIALS at `password` where an
    /// account has the address; INVALID, OTP_REQUIRED and INVALID_CREDENTIALS at `otp` where its two-factor is on; RATE_LIMITED after
    /// too many; else REQUIRED, TOO_LONG or INVALID at `fullName` and WEAK_PASSWORD or TOO_LONG at `password`; LIMIT_EXCEEDED where
    /// the plan is for no more people, or the person belongs to as many businesses as one may;
    /// [`Error::Forbidden`] where staff have suspended the business; or the database's fault.
    pub async fn accept_invitation(&self, input: AcceptInvitation, user_agent: Option<&str>) -> Outcome<(Member, SignedIn)> {
        let hash = LinkToken::parse(&input.token).ok_or_else(expired)?.hash();
        let (now, proof) = (self.now(), second_factor::read(input.otp.as_deref())?);
        let look = self.ports.store.read_system(move |system| async move {
            let (_, invitation) = good(&system, &hash, now).await?;
            Ok((customers::user_by_email(&system, &invitation.email_key).await?, invitation))
        });
        let (known, invitation) = look.await?;
        let made = Try::new(Target::User(invitation.email_key.clone()), input.address);
        let work = async {
            let comer = match known {
                Some(user) => self.known(user, input.password).await?,
                None => self.newcomer(&invitation, input, now).await?,
            };
            self.let_join((&invitation, comer), &hash, (proof, &made), user_agent).await
        };
        throttle::guarded(&self.ports, made.clone(), work).await
    }

    /// Makes somebody a person of the business, and signs them in.
    async fn let_join(
        &self,
        (invitation, comer): (&Invitation, Comer),
        hash: &[u8; 32],
        (proof, made): (Option<Proof>, &Try),
        user_agent: Option<&str>,
    ) -> Outcome<(Member, SignedIn)> {
        let (now, hash) = (self.now(), *hash);
        let (opening, refresh) = Opening::new(&self.ports, comer.user().id, invitation.business_id, user_agent)?;
        let (service, write, made) = (self.clone(), opening.clone(), made.clone());
        let joined = self.ports.store.write_system(move |system| {
            let (service, comer, opening, proof, made) = (service.clone(), comer.clone(), write.clone(), proof.clone(), made.clone());
            async move {
                let member = service.join(&system, &hash, (&comer, proof.as_ref(), &opening), now).await?;
                throttle::succeed(&system, &service.ports, &made).await?;
                Ok(member)
            }
        });
        let member = joined.await?;
        Ok((member, opening.grant(&self.ports, &refresh)?))
    }

    /// Somebody who has an account, by its password.
    async fn known(&self, user: User, password: SecretString) -> Outcome<Comer> {
        match self.ports.passwords.verify(password, Some(user.password_hash.clone())).await? {
            Verdict::Right { .. } => Ok(Comer::Known(user)),
            Verdict::Wrong => {
                let sentence = "An account has this address: give its password.";
                Err(UserError::at("password", UserErrorCode::InvalidCredentials, sentence).into())
            }
        }
    }

    /// Somebody who is new here.
    async fn newcomer(&self, invitation: &Invitation, input: AcceptInvitation, now: Instant) -> Outcome<Comer> {
        let mut refusals = Refusals::default();
        let full_name = refusals.note(FullName::parse("fullName", input.full_name.as_deref().unwrap_or_default()));
        let known = vec![invitation.email.clone(), input.full_name.clone().unwrap_or_default()];
        refusals.note_all(self.ports.passwords.check("password", input.password.clone(), known).await)?;
        let refused = refusals.into_vec();
        let Some(full_name) = full_name.filter(|_| refused.is_empty()) else { return Err(Failure::Refused(refused)) };
        let password_hash = self.ports.passwords.hash(input.password).await?;
        let email = Email { address: invitation.email.clone(), key: invitation.email_key.clone() };
        Ok(Comer::New(self.user_row(email, full_name, password_hash, now)))
    }

    /// The transaction of an acceptance.
    async fn join(
        &self,
        system: &System,
        hash: &[u8],
        (comer, proof, opening): (&Comer, Option<&Proof>, &Opening),
        now: Instant,
    ) -> Outcome<Member> {
        let (tenant, _) = good(system, hash, now).await?;
        let business = customers::lock_business(&tenant).await?;
        if business.suspended_at.is_some() {
            return Err(Error::Forbidden.into());
        }
        // Read again under the lock: of two who show it at once, the second finds it accepted.
        let (_, invitation) = good(system, hash, now).await?;
        let user = comer.user();
        let asked = comer.settle(system).await?;
        let proved = second_factor::prove(system, &self.ports, Holder::User(user.id), asked, proof).await?;
        account_links::confirm_email(system, user.id, &invitation.email_key, now).await?;
        let place = customers::member_of(&tenant, user.id).await?;
        let member = if let Some(member) = place {
            member
        } else {
            // The plan may have changed since. The invitation stays good, for when there is room.
            room(&tenant, &self.ports, &business, 0).await?;
            one_more(system, user.id).await?;
            self.place(&tenant, user, &invitation, now).await?
        };
        // They are of the business by now, whose mail tells them of it.
        audit_recovery(&tenant, &self.ports, user.id, proved).await?;
        invitations::accept(&tenant, &invitation, now).await?;
        opening.write(system).await?;
        let (actor, subject) = (user.id.to_string(), member.id.to_string());
        let details = json!({ "invitation": invitation.id.to_string(), "role": member.role.as_str() });
        audit::record(&tenant, &self.ports, Act { action: "member.joined", actor: &actor, subject: &subject, details }).await?;
        Ok(member)
    }

    /// Gives somebody the place in the business that they were invited to.
    async fn place(&self, tenant: &Tenant, user: &User, invitation: &Invitation, now: Instant) -> Result<Member, Error> {
        let (business_id, id) = (tenant.business(), self.ports.ids.next());
        let row = Member { business_id, id, user_id: user.id, role: invitation.role, joined_at: now };
        customers::insert_member(tenant, row.clone()).await?;
        Ok(row)
    }
}

/// Who accepts an invitation.
#[derive(Debug, Clone)]
enum Comer {
    /// Somebody who has an account, as it was when its password was compared.
    Known(User),
    /// Somebody whose account is to be made.
    New(User),
}

impl Comer {
    /// Their row.
    const fn user(&self) -> &User {
        match self {
            Self::Known(user) | Self::New(user) => user,
        }
    }

    /// Sees that the password is still the one that was compared, or makes the account; answers whether a second factor is asked for.
    async fn settle(&self, system: &System) -> Outcome<bool> {
        let another = "The account of this address has another password by now: give that.";
        let refusal = || UserError::at("password", UserErrorCode::InvalidCredentials, another);
        match self {
            Self::Known(user) => {
                let held = customers::lock_user(system, user.id).await?;
                let held = held.filter(|held| held.password_hash == user.password_hash).ok_or_else(refusal)?;
                Ok(held.two_factor_at.is_some())
            }
            Self::New(row) => match customers::insert_user(system, row.clone()).await {
                // Somebody has registered with the address meanwhile.
                Err(Error::UniqueViolation(_)) => Err(refusal().into()),
                inserted => Ok(inserted?.two_factor_at.is_some()),
            },
        }
    }
}

/// Refuses one person more than the business's plans are for.
async fn room(tenant: &Tenant, ports: &Ports, business: &Business, waited_for: u64) -> Outcome<()> {
    if has_room_for_one(tenant, ports, business, waited_for).await? {
        return Ok(());
    }
    let sentence = "The plan is for no more people: change to a larger one, or take somebody out.";
    Err(UserError::new(UserErrorCode::LimitExceeded, sentence).into())
}

/// Refuses to invite whoever is in the business.
async fn refuse_member(system: &System, tenant: &Tenant, email: &Email) -> Outcome<()> {
    let Some(user) = customers::user_by_email(system, &email.key).await? else { return Ok(()) };
    if customers::member_of(tenant, user.id).await?.is_none() {
        return Ok(());
    }
    Err(UserError::at("email", UserErrorCode::Taken, "This person is in the business already.").into())
}

/// The business that a token invites to, and its invitation, while it may be accepted.
async fn good(system: &System, hash: &[u8], now: Instant) -> Outcome<(Tenant, Invitation)> {
    let token = invitations::token(system, hash).await?.ok_or_else(expired)?;
    // The row that the hash was found in says whose it is.
    let tenant = system.tenant(TenantScope::proved(token.business_id));
    let found = invitations::find(&tenant, token.invitation_id).await?.filter(|invitation| invitation.is_good(now));
    Ok((tenant, found.ok_or_else(expired)?))
}

/// The one answer for a token that is unknown or not good any more.
fn expired() -> UserError {
    UserError::at("token", UserErrorCode::TokenExpired, "This invitation is not good any more; ask for a new one.")
}
