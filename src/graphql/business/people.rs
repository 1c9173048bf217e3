//! People and their businesses: roles, leaving, and one person in several.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};

use super::account::{AuthTokens, Role, User, Viewer};
use super::profile::{Business, CompanySize, Member, change, service_of};
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{CountryCode, CurrencyCode, EmailAddress, TimeZone, show_id};
use crate::ids::{BusinessId, MemberId};
use crate::services::customers::{NewBusiness, UpdateUser};

/// A person of the business, and what they may do from now on.
#[derive(InputObject)]
pub struct UpdateMemberInput {
    /// Who.
    member_id: ID,
    /// Owners alone make and unmake owners.
    role: Role,
}

/// What `updateMember` answers.
#[derive(SimpleObject)]
pub struct UpdateMemberPayload {
    /// The person as they are now.
    member: Option<Member>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Who is to leave.
#[derive(InputObject)]
pub struct RemoveMemberInput {
    /// Anybody's own place, or by owners and admins another's.
    member_id: ID,
}

/// What `removeMember` answers.
#[derive(SimpleObject)]
pub struct RemoveMemberPayload {
    /// Who has left.
    removed_id: Option<ID>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// What a person says of themselves; fields left out stay as they are.
#[derive(InputObject)]
pub struct UpdateUserInput {
    /// What they are called.
    full_name: MaybeUndefined<String>,
    /// BCP 47, e.g. `sw-KE`: the language of mails.
    locale: MaybeUndefined<String>,
}

/// What `updateUser` answers.
#[derive(SimpleObject)]
pub struct UpdateUserPayload {
    /// The person as they are now.
    user: Option<User>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// The business to go to.
#[derive(InputObject)]
pub struct SwitchBusinessInput {
    /// One of `viewer.memberships`.
    business_id: ID,
}

/// What `switchBusiness` answers.
#[derive(SimpleObject)]
pub struct SwitchBusinessPayload {
    /// A session in that business. The present one goes on until it is signed out or expires.
    session: Option<AuthTokens>,
    /// The same person, in that business.
    viewer: Option<Viewer>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// A further business of a person who is signed in.
#[derive(InputObject)]
pub struct CreateBusinessInput {
    /// What it is called.
    business_name: String,
    /// Where invoices are mailed.
    business_email: EmailAddress,
    /// What it does.
    industry: String,
    /// How many people work there.
    company_size: CompanySize,
    /// Where it is.
    country: CountryCode,
    /// Where post goes.
    postal_code: String,
    /// Default: the country's.
    time_zone: Option<TimeZone>,
    /// Default: the country's where plans are sold in it, else USD.
    currency: Option<CurrencyCode>,
}

impl From<CreateBusinessInput> for NewBusiness {
    fn from(input: CreateBusinessInput) -> Self {
        Self {
            business_name: input.business_name,
            business_email: input.business_email.0,
            industry: input.industry,
            company_size: input.company_size.into(),
            country: input.country.0,
            postal_code: input.postal_code,
            time_zone: input.time_zone.map(|zone| zone.0),
            currency: input.currency.map(|currency| currency.0),
        }
    }
}

/// What `createBusiness` answers.
#[derive(SimpleObject)]
pub struct CreateBusinessPayload {
    /// The business.
    business: Option<Business>,
    /// Its owner's session in it. The present one goes on until it is signed out or expires.
    session: Option<AuthTokens>,
    /// What is to be put right; when there is any, nothing was made.
    user_errors: Vec<UserError>,
}

/// Changes of people and their businesses.
#[derive(Debug, Default)]
pub struct PeopleMutation;

#[Object]
impl PeopleMutation {
    /// Gives a person of the business another role, at once. For owners and admins.
    async fn update_member(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: UpdateMemberInput,
    ) -> Option<Result<UpdateMemberPayload>> {
        nullable(async {
            let (request, member) = (request(context), MemberId::parse(&input.member_id));
            let (made, user_errors) = split(service_of(context).update_member(request.caller, member, input.role.into()).await)?;
            request.refresh();
            Ok(Some(UpdateMemberPayload { member: made.map(Member::new), user_errors }))
        })
        .await
    }
    /// Takes a person out of the business, or lets the caller leave it. Their sessions in it end at once; their account stays.
    async fn remove_member(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RemoveMemberInput,
    ) -> Option<Result<RemoveMemberPayload>> {
        nullable(async {
            let (request, member) = (request(context), MemberId::parse(&input.member_id));
            let (removed, user_errors) = split(service_of(context).remove_member(request.caller, member).await)?;
            Ok(Some(RemoveMemberPayload { removed_id: removed.map(show_id), user_errors }))
        })
        .await
    }
    /// Changes what the signed-in person says of themselves.
    async fn update_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: UpdateUserInput,
    ) -> Option<Result<UpdateUserPayload>> {
        nullable(async {
            let request = request(context);
            let asked = UpdateUser { full_name: change(input.full_name, |text| text), locale: change(input.locale, |text| text) };
            let (user, user_errors) = split(service_of(context).update_user(request.caller, asked).await)?;
            request.refresh();
            Ok(Some(UpdateUserPayload { user: user.map(User::new), user_errors }))
        })
        .await
    }
    /// Begins a session of the signed-in person in another business of theirs.
    async fn switch_business(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SwitchBusinessInput,
    ) -> Option<Result<SwitchBusinessPayload>> {
        nullable(async {
            let (request, business) = (request(context), BusinessId::parse(&input.business_id));
            let outcome = service_of(context).switch_business(request.caller, business, request.user_agent.as_deref()).await;
            let (entered, user_errors) = split(outcome)?;
            let Some(entered) = entered else { return Ok(Some(SwitchBusinessPayload { session: None, viewer: None, user_errors })) };
            request.show_as(entered.caller);
            Ok(Some(SwitchBusinessPayload { session: Some(entered.tokens.into()), viewer: Viewer::new(entered.caller), user_errors }))
        })
        .await
    }
    /// Makes a further business, which the signed-in person owns.
    async fn create_business(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CreateBusinessInput,
    ) -> Option<Result<CreateBusinessPayload>> {
        nullable(async {
            let request = request(context);
            let outcome = service_of(context).create_business(request.caller, input.into(), request.user_agent.as_deref()).await;
            let (made, user_errors) = split(outcome)?;
            let Some((business, entered)) = made else {
                return Ok(Some(CreateBusinessPayload { business: None, session: None, user_errors }));
            };
            request.show_as(entered.caller);
            let (business, session) = (Some(Business::new(business)), Some(entered.tokens.into()));
            Ok(Some(CreateBusinessPayload { business, session, user_errors }))
        })
        .await
    }
}
