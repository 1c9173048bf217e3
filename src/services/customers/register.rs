//! Registration: a business and its first owner, signed in.

use secrecy::SecretString;
use serde_json::json;

use super::fields::{self, BusinessName, Email, FullName, Industry, PostalCode, Refusals};
use super::sessions::{Opening, SignedIn};
use super::{AuthTokens, CustomerService};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::BusinessId;
use crate::money::Currency;
use crate::security::envelope::BusinessKey;
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::catalog::countries::Country;
use crate::services::events::{self, Event, RegisteredFacts};
use crate::store::customers::{self, Business, Member, User, UserView};
use crate::store::types::{CompanySize, Role, VerificationStatus};
use crate::store::{Instant, System, TenantScope};

/// The currency of a business where plans are not sold in its country's.
const FALLBACK_CURRENCY: &str = "USD";
/// The language of a person who has said nothing of it.
const DEFAULT_LOCALE: &str = "en";

/// What a business says of itself when it comes.
#[derive(Debug, Clone)]
pub struct NewBusiness {
    /// What it is called.
    pub business_name: String,
    /// Where invoices are mailed.
    pub business_email: String,
    /// What it does.
    pub industry: String,
    /// How many people work there.
    pub company_size: CompanySize,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Where post goes.
    pub postal_code: String,
    /// IANA; default: the country's.
    pub time_zone: Option<String>,
    /// Default: the country's where plans are sold in it, else USD.
    pub currency: Option<Currency>,
}

/// A business that comes with its first owner, who is new here.
#[derive(Debug, Clone)]
pub struct Register {
    /// The business.
    pub business: NewBusiness,
    /// The first owner's name.
    pub full_name: String,
    /// The first owner's address.
    pub email: String,
    /// The first owner's password.
    pub password: SecretString,
}

/// A business that was registered.
#[derive(Debug)]
pub struct Registered {
    /// The business.
    pub business: Business,
    /// Its first owner.
    pub user: UserView,
    /// The owner, as a caller.
    pub caller: Caller,
    /// Their session.
    pub tokens: AuthTokens,
}

/// What a business says of itself, parsed.
#[derive(Debug, Clone)]
pub(super) struct Founded {
    business_name: BusinessName,
    business_email: Email,
    industry: Industry,
    company_size: CompanySize,
    country: &'static Country,
    postal_code: PostalCode,
    time_zone: String,
    currency: Currency,
}

/// A business with its first owner, parsed.
#[derive(Debug, Clone)]
struct Newcomer {
    business: Founded,
    full_name: FullName,
    email: Email,
}

impl NewBusiness {
    /// Reads it, and takes note of everything that is wrong with it; plans are sold in the currencies `sold`.
    pub(super) fn read(&self, refusals: &mut Refusals, sold: &[Currency]) -> Option<Founded> {
        let business_name = refusals.note(BusinessName::parse("businessName", &self.business_name));
        let business_email = refusals.note(Email::parse("businessEmail", &self.business_email));
        let industry = refusals.note(Industry::parse("industry", &self.industry));
        let country = refusals.note(fields::country("country", &self.country));
        let postal_code = refusals.note(PostalCode::parse("postalCode", &self.postal_code));
        let time_zone = match &self.time_zone {
            Some(name) => refusals.note(fields::time_zone("timeZone", name)),
            None => country.map(|country| country.time_zone.to_owned()),
        };
        let currency = refusals.note(choose_currency(self.currency, country, sold));
        Some(Founded {
            business_name: business_name?,
            business_email: business_email?,
            industry: industry?,
            company_size: self.company_size,
            country: country?,
            postal_code: postal_code?,
            time_zone: time_zone?,
            currency: currency?,
        })
    }
}

impl CustomerService {
    /// Makes a business, its first owner, and their session.
    ///
    /// # Errors
    /// Every refusal of the input at once: REQUIRED, TOO_LONG, INVALID, WEAK_PASSWORD, TAKEN; or the database's fault.
    pub async fn register(&self, input: Register, user_agent: Option<&str>) -> Outcome<Registered> {
        let newcomer = self.parse(&input).await?;
        // Before the transaction: a hash takes tens of milliseconds.
        let password_hash = self.ports.passwords.hash(input.password).await?;
        let now = self.now();
        let ids = &self.ports.ids;
        let business = self.business_row(newcomer.business, now)?;
        let user = self.user_row(newcomer.email, newcomer.full_name, password_hash, now);
        let member = Member { business_id: business.business_id, id: ids.next(), user_id: user.id, role: Role::Owner, joined_at: now };
        let (opening, refresh) = Opening::new(&self.ports, user.id, business.business_id, user_agent)?;
        let signed_in = opening.grant(&self.ports, &refresh)?;
        let (service, view) = (self.clone(), UserView::from(user.clone()));
        let rows = (business.clone(), user, member);
        self.ports
            .store
            .write_system(move |system| {
                let (service, rows, opening) = (service.clone(), rows.clone(), opening.clone());
                async move { service.write_registration(&system, rows, &opening).await }
            })
            .await?;
        let SignedIn { caller, tokens } = signed_in;
        Ok(Registered { business, user: view, caller, tokens })
    }

    /// Everything that is wrong with the input, at once.
    async fn parse(&self, input: &Register) -> Outcome<Newcomer> {
        let (sold, taken) = self.look_up(Email::read(&input.email).map(|email| email.key)).await?;
        let mut refusals = Refusals::default();
        let business = input.business.read(&mut refusals, &sold);
        let full_name = refusals.note(FullName::parse("fullName", &input.full_name));
        let email = refusals.note(Email::parse("email", &input.email));
        let known = [&input.email, &input.business.business_email, &input.full_name, &input.business.business_name].map(String::clone);
        refusals.note_all(self.ports.passwords.check("password", input.password.clone(), known.to_vec()).await)?;
        if taken {
            refusals.note::<()>(Err(taken_address()));
        }
        let read = (|| Some(Newcomer { business: business?, full_name: full_name?, email: email? }))();
        let refused = refusals.into_vec();
        match read {
            Some(newcomer) if refused.is_empty() => Ok(newcomer),
            _ => Err(Failure::Refused(refused)),
        }
    }

    /// The currencies that plans are sold in, and whether somebody has the address.
    pub(super) async fn look_up(&self, email_key: Option<String>) -> Outcome<(Vec<Currency>, bool)> {
        let found = self.ports.store.read_system(move |system| {
            let email_key = email_key.clone();
            async move {
                let sold = customers::currencies_on_sale(&system.catalogue()).await?;
                let taken = match email_key {
                    Some(key) => customers::user_by_email(&system, &key).await?.is_some(),
                    None => false,
                };
                Ok((sold, taken))
            }
        });
        found.await
    }

    /// A business with a new key of its own.
    pub(super) fn business_row(&self, founded: Founded, now: Instant) -> Result<Business, Error> {
        let business_id: BusinessId = self.ports.ids.next();
        let rng = self.ports.rng.as_ref();
        Ok(Business {
            business_id,
            business_name: founded.business_name.into_string(),
            business_email: founded.business_email.address,
            industry: founded.industry.into_string(),
            company_size: founded.company_size,
            country: founded.country.code.to_owned(),
            postal_code: founded.postal_code.into_string(),
            address_line: None,
            city: None,
            phone_sealed: None,
            tax_id_sealed: None,
            wrapped_key: self.ports.master.wrap(rng, business_id.uuid(), &BusinessKey::generate(rng))?,
            previous_wrapped_key: None,
            key_made_at: None,
            tax_exempt: false,
            time_zone: founded.time_zone,
            currency: founded.currency,
            verification_status: VerificationStatus::Unverified,
            balance_minor: 0,
            suspended_at: None,
            created_at: now,
            updated_at: now,
        })
    }

    /// A person whose address is not confirmed yet.
    pub(super) fn user_row(&self, email: Email, full_name: FullName, password_hash: String, now: Instant) -> User {
        User {
            id: self.ports.ids.next(),
            email: email.address,
            email_key: email.key,
            full_name: full_name.into_string(),
            password_hash,
            locale: DEFAULT_LOCALE.to_owned(),
            email_verified_at: None,
            two_factor_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Writes everything that a registration makes.
    async fn write_registration(&self, system: &System, rows: (Business, User, Member), opening: &Opening) -> Outcome<()> {
        let (business, user, member) = rows;
        // Two who ask for one address at once: the second waits here, and finds it taken.
        match customers::insert_user(system, user).await {
            Err(Error::UniqueViolation(_)) => return Err(taken_address().into()),
            inserted => inserted?,
        };
        self.write_business(system, business, member).await?;
        Ok(opening.write(system).await?)
    }

    /// Writes a business with its first owner, and tells of it.
    pub(super) async fn write_business(&self, system: &System, business: Business, member: Member) -> Result<(), Error> {
        let (owner, registered) = (member.user_id.to_string(), business.business_id.to_string());
        let facts = RegisteredFacts {
            business_id: registered.clone(),
            owner_id: owner.clone(),
            country: business.country.clone(),
            currency: business.currency.code().to_owned(),
        };
        let details = json!({ "country": business.country, "currency": business.currency.code(), "timeZone": business.time_zone });
        let tenant = system.tenant(TenantScope::proved(business.business_id));
        customers::insert_business(&tenant, business).await?;
        customers::insert_member(&tenant, member).await?;
        events::emit(&tenant, &self.ports, &Event::BusinessRegistered(facts)).await?;
        let act = Act { action: "business.registered", actor: &owner, subject: &registered, details };
        audit::record(&tenant, &self.ports, act).await
    }
}

/// Somebody has the address.
fn taken_address() -> UserError {
    UserError::at("email", UserErrorCode::Taken, "There is an account with this address; sign in.")
}

/// The currency that was asked for, where plans are sold in it; else the country's where they are, else USD.
fn choose_currency(asked: Option<Currency>, country: Option<&Country>, sold: &[Currency]) -> Result<Currency, UserError> {
    if let Some(asked) = asked {
        let refusal = || UserError::at("currency", UserErrorCode::Invalid, "No plan is sold in this currency.");
        return sold.contains(&asked).then_some(asked).ok_or_else(refusal);
    }
    let own = country.and_then(|country| Currency::from_code(country.currency)).filter(|own| sold.contains(own));
    let refusal = || UserError::at("currency", UserErrorCode::Required, "Choose a currency.");
    own.or_else(|| Currency::from_code(FALLBACK_CURRENCY)).ok_or_else(refusal)
}
