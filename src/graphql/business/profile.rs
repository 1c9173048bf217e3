//! The business and its people.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};

use super::account::{Role, User};
use super::api_keys::ApiKey;
use super::credit::CreditEntryConnection;
use super::invitations::InvitationConnection;
use super::verification::Verification;

use crate::error::Error;
use crate::graphql::context::{Allow, RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::page::{PageArguments, connection, count_of};
use crate::graphql::scalars::{CountryCode, CurrencyCode, DateTime, EmailAddress, Money, TimeZone, show_id, stored_money};
use crate::ids::{BusinessId, MemberId};
use crate::services::access::Need;
use crate::services::customers::{self as service, Change, CustomerService, UpdateProfile};
use crate::store::page::Position;
use crate::store::{customers, types};

/// How many people work in a business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::CompanySize")]
pub enum CompanySize {
    /// One.
    #[graphql(name = "SIZE_1")]
    Size1,
    /// Two to ten.
    #[graphql(name = "SIZE_2_10")]
    Size2To10,
    /// 11 to 50.
    #[graphql(name = "SIZE_11_50")]
    Size11To50,
    /// 51 to 200.
    #[graphql(name = "SIZE_51_200")]
    Size51To200,
    /// 201 to 500.
    #[graphql(name = "SIZE_201_500")]
    Size201To500,
    /// More than 500.
    #[graphql(name = "SIZE_501_PLUS")]
    Size501Plus,
}

/// How a business as a whole stands with its subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "service::BusinessSubscriptionStatus")]
pub enum BusinessSubscriptionStatus {
    /// It never had one.
    None,
    /// The first payment of one is not settled.
    Incomplete,
    /// In a trial.
    Trialing,
    /// All is well.
    Active,
    /// An invoice is overdue.
    PastDue,
    /// Access is off until the open invoices are paid.
    Suspended,
    /// It has none any more.
    Canceled,
}

/// How far a business has proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::VerificationStatus")]
pub enum VerificationStatus {
    /// Nothing was submitted.
    Unverified,
    /// Under review.
    Pending,
    /// Something is missing.
    NeedsInformation,
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
    /// An approval that ran out.
    Expired,
}

/// A business: the customer.
#[derive(Debug, Clone)]
pub struct Business {
    row: customers::Business,
}

impl Business {
    /// The business of a row.
    pub const fn new(row: customers::Business) -> Self {
        Self { row }
    }

    /// Its row.
    pub const fn row(&self) -> &customers::Business {
        &self.row
    }

    /// The business of a row that was read; each once a view.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody, or the database's fault.
    pub async fn of(request: &RequestContext, id: BusinessId) -> Result<Self, Error> {
        let found = request.view().loaders.businesses.load(id).await?;
        found.map(Self::new).ok_or_else(|| Error::Corrupt("a business is gone".into()))
    }
}

/// A customer of the platform.
#[Object]
impl Business {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.business_id)
    }
    /// What it is called.
    async fn business_name(&self) -> &str {
        &self.row.business_name
    }
    /// Where invoices are mailed.
    async fn business_email(&self) -> EmailAddress {
        EmailAddress(self.row.business_email.clone())
    }
    /// What it does.
    async fn industry(&self) -> &str {
        &self.row.industry
    }
    /// How many people work there.
    async fn company_size(&self) -> CompanySize {
        self.row.company_size.into()
    }
    /// Where it is.
    async fn country(&self) -> CountryCode {
        CountryCode(self.row.country.clone())
    }
    /// Where post goes.
    async fn postal_code(&self) -> &str {
        &self.row.postal_code
    }
    /// Street and house.
    async fn address_line(&self) -> Option<&str> {
        self.row.address_line.as_deref()
    }
    /// The town.
    async fn city(&self) -> Option<&str> {
        self.row.city.as_deref()
    }
    /// E.164, e.g. `+254712345678`.
    async fn phone(&self, context: &Context<'_>) -> Option<Result<String>> {
        nullable(async { Ok(service_of(context).phone(&self.row)?) }).await
    }
    /// As the tax office gave it.
    async fn tax_id(&self, context: &Context<'_>) -> Option<Result<String>> {
        nullable(async { Ok(service_of(context).tax_id(&self.row)?) }).await
    }
    /// Set by staff: no tax line on its invoices.
    async fn tax_exempt(&self) -> bool {
        self.row.tax_exempt
    }
    /// By which its days begin.
    async fn time_zone(&self) -> TimeZone {
        TimeZone(self.row.time_zone.clone())
    }
    /// Fixed at registration.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.row.currency)
    }
    /// The worst among the live subscriptions, from worst: SUSPENDED, PAST_DUE, INCOMPLETE, TRIALING, ACTIVE; without one CANCELED if there was one ever, else NONE.
    #[graphql(guard = "Allow(Need::Read)")]
    async fn subscription_status(&self, context: &Context<'_>) -> Result<BusinessSubscriptionStatus> {
        let view = request(context).view();
        let statuses = view.loaders.subscription_statuses.load(self.row.business_id).await?.unwrap_or_default();
        Ok(service::BusinessSubscriptionStatus::of(&statuses).into())
    }
    /// Set while staff have suspended the business as a whole: no access, no changes; billing goes on.
    async fn suspended_at(&self) -> Option<DateTime> {
        self.row.suspended_at.map(DateTime)
    }
    /// How far it has proved who it is.
    #[graphql(guard = "Allow(Need::Read)")]
    async fn verification(&self) -> Verification {
        Verification::of(self.row.clone())
    }
    /// Account credit: positive is money the business has with us.
    #[graphql(guard = "Allow(Need::ReadMoney)")]
    async fn balance(&self) -> Result<Money> {
        Ok(stored_money(self.row.balance_minor, self.row.currency)?)
    }
    /// Its people, who joined last first.
    #[graphql(guard = "Allow(Need::Read)")]
    async fn members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<MemberConnection> {
        let request = request(context);
        let name = format!("{}/members", self.row.business_id);
        let window = PageArguments { first, after, last, before }.window(request, &name)?;
        let page = request.view().loaders.business_members.page(self.row.business_id, window).await?;
        let count = count_of(request, self.row.business_id, |loaders| &loaders.business_member_counts);
        let page = page.map(|row| (Position { at: row.joined_at, id: row.id.uuid() }, Member { row }));
        Ok(MemberConnection::of(request, &name, page, count))
    }
    /// How the balance came about, the newest first.
    #[graphql(guard = "Allow(Need::ReadMoney)")]
    async fn credit_entries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<CreditEntryConnection> {
        let arguments = PageArguments { first, after, last, before };
        super::credit::page_of_business(request(context), self.row.business_id, arguments).await
    }
    /// Those who are invited and have not answered, the newest first. For owners and admins.
    #[graphql(guard = "Allow(Need::Manage)")]
    async fn invitations(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<InvitationConnection> {
        let arguments = PageArguments { first, after, last, before };
        super::invitations::page_of_business(request(context), self.row.business_id, arguments).await
    }
    /// Its live keys, the newest first. For owners and admins.
    #[graphql(guard = "Allow(Need::Manage)")]
    async fn api_keys(&self, context: &Context<'_>) -> Result<Vec<ApiKey>> {
        Ok(ApiKey::of_business(request(context)).await?)
    }
    /// When it was registered.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
    /// When its profile was changed last.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

/// A person's place in a business.
#[derive(Debug, Clone)]
pub struct Member {
    row: customers::Member,
}

impl Member {
    /// The member of a row.
    pub const fn new(row: customers::Member) -> Self {
        Self { row }
    }

    /// The member of an id, if the caller may see it.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: MemberId) -> Result<Option<Self>, Error> {
        Ok(customers::member(&request.reader().await?, id).await?.map(Self::new))
    }
}

/// A person of the business.
#[Object]
impl Member {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Who.
    async fn user(&self, context: &Context<'_>) -> Result<User> {
        let found = request(context).view().loaders.users.load(self.row.user_id).await?;
        Ok(User::new(found.ok_or_else(|| Error::Corrupt("a member is nobody".into()))?))
    }
    /// What they may do.
    async fn role(&self) -> Role {
        self.row.role.into()
    }
    /// Since when.
    async fn joined_at(&self) -> DateTime {
        DateTime(self.row.joined_at)
    }
}

connection!(MemberConnection, MemberEdge, Member, "members");

/// Fields left out stay as they are.
#[derive(Debug, InputObject)]
pub struct UpdateProfileInput {
    /// What it is called.
    business_name: MaybeUndefined<String>,
    /// Where invoices are mailed.
    business_email: MaybeUndefined<EmailAddress>,
    /// What it does.
    industry: MaybeUndefined<String>,
    /// How many people work there.
    company_size: MaybeUndefined<CompanySize>,
    /// Where it is.
    country: MaybeUndefined<CountryCode>,
    /// Where post goes.
    postal_code: MaybeUndefined<String>,
    /// Street and house.
    address_line: MaybeUndefined<String>,
    /// The town.
    city: MaybeUndefined<String>,
    /// E.164, e.g. `+254712345678`.
    phone: MaybeUndefined<String>,
    /// As the tax office gave it.
    tax_id: MaybeUndefined<String>,
    /// By which its days begin.
    time_zone: MaybeUndefined<TimeZone>,
}

/// What becomes of a field by what was sent for it.
pub(super) fn change<T, R>(sent: MaybeUndefined<T>, convert: impl FnOnce(T) -> R) -> Change<R> {
    match sent {
        MaybeUndefined::Undefined => Change::Keep,
        MaybeUndefined::Null => Change::Clear,
        MaybeUndefined::Value(value) => Change::Set(convert(value)),
    }
}

impl From<UpdateProfileInput> for UpdateProfile {
    fn from(input: UpdateProfileInput) -> Self {
        let text = |sent| change(sent, |text: String| text);
        Self {
            business_name: text(input.business_name),
            business_email: change(input.business_email, |email| email.0),
            industry: text(input.industry),
            company_size: change(input.company_size, Into::into),
            country: change(input.country, |country| country.0),
            postal_code: text(input.postal_code),
            address_line: text(input.address_line),
            city: text(input.city),
            phone: text(input.phone),
            tax_id: text(input.tax_id),
            time_zone: change(input.time_zone, |zone| zone.0),
        }
    }
}

/// What `updateProfile` answers.
#[derive(Debug, SimpleObject)]
pub struct UpdateProfilePayload {
    /// The business as it is now.
    business: Option<Business>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// The caller's business.
#[derive(Debug, Default)]
pub struct ProfileQuery;

#[Object]
impl ProfileQuery {
    /// The caller's business.
    async fn profile(&self, context: &Context<'_>) -> Option<Result<Business>> {
        nullable(async {
            let request = request(context);
            request.require(Need::Read).await?;
            request.view().caller.require_scope()?;
            // What read the caller's access has read the business along with it.
            Ok(Some(Business::new(customers::business(&request.tenant().await?).await?)))
        })
        .await
    }
}

/// Changes of the caller's business.
#[derive(Debug, Default)]
pub struct ProfileMutation;

#[Object]
impl ProfileMutation {
    /// Changes what the business says of itself.
    async fn update_profile(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: UpdateProfileInput,
    ) -> Option<Result<UpdateProfilePayload>> {
        nullable(async {
            let request = request(context);
            let (row, user_errors) = split(service_of(context).update_profile(request.caller, input.into()).await)?;
            request.refresh();
            Ok(Some(UpdateProfilePayload { business: row.map(Business::new), user_errors }))
        })
        .await
    }
}

/// The service.
pub(super) fn service_of(context: &Context<'_>) -> CustomerService {
    CustomerService::new(request(context).ports.clone())
}
