//! Registration: a business and its first owner, signed in.

use secrecy::SecretString;
use serde_json::json;

use super::fields::{self, BusinessName, Email, FullName, Industry, PostalCode, Refusals};
use super::sessions::{Opening, SignedIn};
use super::{AuthTokens, CustomerService};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::{BusinessId, UserId};
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

/// What a business says when it comes.
#[derive(Debug, Clone)]
pub struct Register {
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

/// What a business says when it comes, parsed.
#[derive(Debug, Clone)]
struct Newcomer {
    business_name: BusinessName,
    business_email: Email,
    industry: Industry,
    company_size: CompanySize,
    country: &'static Country,
    postal_code: PostalCode,
    time_zone: String,
    currency: Currency,
    full_name: FullName,
    email: Email,
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
        let (business, user) = self.rows(newcomer, password_hash, now)?;
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
        let mut refusals = Refusals::default();
        let business_name = refusals.note(BusinessName::parse("businessName", &input.business_name));
        let business_email = refusals.note(Email::parse("businessEmail", &input.business_email));
        let industry = refusals.note(Industry::parse("industry", &input.industry));
        let country = refusals.note(fields::country("country", &input.country));
        let postal_code = refusals.note(PostalCode::parse("postalCode", &input.postal_code));
        let full_name = refusals.note(FullName::parse("fullName", &input.full_name));
        let email = refusals.note(Email::parse("email", &input.email));
        let time_zone = match &input.time_zone {
            Some(name) => refusals.note(fields::time_zone("timeZone", name)),
            None => country.map(|country| country.time_zone.to_owned()),
        };
        let known = [&input.email, &input.business_email, &input.full_name, &input.business_name].map(String::clone);
        refusals.note_all(self.ports.passwords.check("password", input.password.clone(), known.to_vec()).await)?;

        let (sold, taken) = self.look_up(email.as_ref().map(|email| email.key.clone())).await?;
        if taken {
            refusals.note::<()>(Err(taken_address()));
        }
        let currency = refusals.note(choose_currency(input.currency, country, &sold));
        let read = (|| {
            Some(Newcomer {
                business_name: business_name?,
                business_email: business_email?,
                industry: industry?,
                company_size: input.company_size,
                country: country?,
                postal_code: postal_code?,
                time_zone: time_zone?,
                currency: currency?,
                full_name: full_name?,
                email: email?,
            })
        })();
        let refused = refusals.into_vec();
        match read {
            Some(newcomer) if refused.is_empty() => Ok(newcomer),
            _ => Err(Failure::Refused(refused)),
        }
    }

    /// The currencies that plans are sold in, and whether somebody has the address.
    async fn look_up(&self, email_key: Option<String>) -> Outcome<(Vec<Currency>, bool)> {
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

    /// The business with a new key of its own, and its first owner.
    fn rows(&self, newcomer: Newcomer, password_hash: String, now: Instant) -> Result<(Business, User), Error> {
        let business_id: BusinessId = self.ports.ids.next();
        let user_id: UserId = self.ports.ids.next();
        let rng = self.ports.rng.as_ref();
        let business = Business {
            business_id,
            business_name: newcomer.business_name.into_string(),
            business_email: newcomer.business_email.address,
            industry: newcomer.industry.into_string(),
            company_size: newcomer.company_size,
            country: newcomer.country.code.to_owned(),
            postal_code: newcomer.postal_code.into_string(),
            address_line: None,
            city: None,
            phone_sealed: None,
            tax_id_sealed: None,
            wrapped_key: self.ports.master.wrap(rng, business_id.uuid(), &BusinessKey::generate(rng))?,
            tax_exempt: false,
            time_zone: newcomer.time_zone,
            currency: newcomer.currency,
            verification_status: VerificationStatus::Unverified,
            balance_minor: 0,
            suspended_at: None,
            created_at: now,
            updated_at: now,
        };
        let user = User {
            id: user_id,
            email: newcomer.email.address,
            email_key: newcomer.email.key,
            full_name: newcomer.full_name.into_string(),
            password_hash,
            locale: DEFAULT_LOCALE.to_owned(),
            email_verified_at: None,
            created_at: now,
            updated_at: now,
        };
        Ok((business, user))
    }

    /// Writes everything that a registration makes.
    async fn write_registration(&self, system: &System, rows: (Business, User, Member), opening: &Opening) -> Outcome<()> {
        let (business, user, member) = rows;
        let (owner, registered) = (user.id.to_string(), business.business_id.to_string());
        let facts = RegisteredFacts {
            business_id: registered.clone(),
            owner_id: owner.clone(),
            country: business.country.clone(),
            currency: business.currency.code().to_owned(),
        };
        let details = json!({ "country": business.country, "currency": business.currency.code(), "timeZone": business.time_zone });
        // Two who ask for one address at once: the second waits here, and finds it taken.
        match customers::insert_user(system, user).await {
            Err(Error::UniqueViolation(_)) => return Err(taken_address().into()),
            inserted => inserted?,
        };
        let tenant = system.tenant(TenantScope::proved(business.business_id));
        customers::insert_business(&tenant, business).await?;
        customers::insert_member(&tenant, member).await?;
        opening.write(system).await?;
        events::emit(&tenant, &self.ports, &Event::BusinessRegistered(facts)).await?;
        let act = Act { action: "business.registered", actor: &owner, subject: &registered, details };
        Ok(audit::record(&tenant, &self.ports, act).await?)
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
