//! Who is calling, and their sessions.

use std::net::IpAddr;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use secrecy::{ExposeSecret as _, SecretString};

use super::api_keys::ApiKey;
use super::profile::{Business, CompanySize, service_of};
use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{CountryCode, CurrencyCode, DateTime, EmailAddress, TimeZone, show_id};
use crate::ids::{BusinessId, SessionId, UserId};
use crate::services::access::{Caller, Need};
use crate::services::customers::{self as service, BusinessChoice, NewBusiness, Register, SignIn};
use crate::store::customers::{self, UserView};
use crate::store::{sessions, types};

/// What a person may do in a business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::Role")]
pub enum Role {
    /// Everything.
    Owner,
    /// All but erasure, export and making owners.
    Admin,
    /// Reads and changes all of money.
    Billing,
    /// Reads profile, subscription, usage and its own notifications; opens tickets.
    Member,
}

/// A person who can sign in.
#[derive(Debug, Clone)]
pub struct User {
    row: UserView,
}

impl User {
    /// The person of a row.
    pub const fn new(row: UserView) -> Self {
        Self { row }
    }

    /// The person of an id, if they are of the caller's business.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: UserId) -> Result<Option<Self>, Error> {
        Ok(request.view().loaders.users.load(id).await?.map(Self::new))
    }
}

/// A person who can sign in.
#[Object]
impl User {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What they are called.
    async fn full_name(&self) -> &str {
        &self.row.full_name
    }
    /// Where they sign in.
    async fn email(&self) -> EmailAddress {
        EmailAddress(self.row.email.clone())
    }
    /// Whether the address was confirmed.
    async fn email_verified(&self) -> bool {
        self.row.email_verified_at.is_some()
    }
    /// BCP 47, e.g. `en`.
    async fn locale(&self) -> &str {
        &self.row.locale
    }
    /// Whether signing in asks for six digits too.
    async fn two_factor_enabled(&self) -> bool {
        self.row.two_factor_at.is_some()
    }
    /// When the account was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

/// A place where a person is signed in.
#[derive(Debug, Clone)]
pub struct UserSession {
    row: sessions::Session,
}

impl UserSession {
    /// The caller's own session of an id, if it goes on.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: SessionId) -> Result<Option<Self>, Error> {
        let Caller::User { user, .. } = request.caller else { return Ok(None) };
        let now = request.ports.now().into();
        Ok(sessions::live_session(&request.tenant().await?, id, user, now).await?.map(|row| Self { row }))
    }
}

/// A place where a person is signed in.
#[Object]
impl UserSession {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Whether this request comes by it.
    async fn current(&self, context: &Context<'_>) -> bool {
        matches!(request(context).caller, Caller::User { session, .. } if session == self.row.id)
    }
    /// What the browser says of itself.
    async fn user_agent(&self) -> Option<&str> {
        self.row.user_agent.as_deref()
    }
    /// When they signed in.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
    /// When its tokens were last renewed.
    async fn last_used_at(&self) -> DateTime {
        DateTime(self.row.last_used_at)
    }
}

/// A business of the signed-in person.
#[derive(Debug, Clone)]
pub struct Membership {
    row: customers::Membership,
}

/// A business of the signed-in person.
#[Object]
impl Membership {
    /// What they may do there.
    async fn role(&self) -> Role {
        self.row.role.into()
    }
    /// Since when.
    async fn joined_at(&self) -> DateTime {
        DateTime(self.row.joined_at)
    }
    /// Which business.
    async fn business_id(&self) -> ID {
        show_id(self.row.business_id)
    }
    /// Its name.
    async fn business_name(&self) -> &str {
        &self.row.business_name
    }
}

/// Who is calling.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    caller: Caller,
    business: BusinessId,
}

impl Viewer {
    /// The viewer of a caller; none for nobody.
    pub const fn new(caller: Caller) -> Option<Self> {
        match caller.scope() {
            None => None,
            Some(scope) => Some(Self { caller, business: scope.business() }),
        }
    }
}

/// Who is calling.
#[Object]
impl Viewer {
    /// The person who is signed in.
    async fn user(&self, context: &Context<'_>) -> Option<Result<User>> {
        nullable(async {
            let Caller::User { user, .. } = self.caller else { return Ok(None) };
            Ok(request(context).view().loaders.users.load(user).await?.map(User::new))
        })
        .await
    }
    /// The key that is calling.
    async fn api_key(&self, context: &Context<'_>) -> Option<Result<ApiKey>> {
        nullable(async {
            let Caller::Key { key, .. } = self.caller else { return Ok(None) };
            Ok(ApiKey::by_id(request(context), key).await?)
        })
        .await
    }
    /// Null for a key: it has scopes.
    async fn role(&self, context: &Context<'_>) -> Option<Result<Role>> {
        nullable(async { Ok(request(context).access().await?.role().map(Into::into)) }).await
    }
    /// The business they act for.
    async fn business(&self, context: &Context<'_>) -> Result<Business> {
        let found = request(context).view().loaders.businesses.load(self.business).await?;
        Ok(Business::new(found.ok_or(Error::Unauthenticated)?))
    }
    /// Every business of the signed-in person; empty for a key.
    async fn memberships(&self, context: &Context<'_>) -> Result<Vec<Membership>> {
        let found = service_of(context).memberships(self.caller).await?;
        Ok(found.into_iter().map(|row| Membership { row }).collect())
    }
}

/// The tokens of a session.
#[derive(Debug, Clone)]
pub struct AuthTokens {
    tokens: service::AuthTokens,
}

impl From<service::AuthTokens> for AuthTokens {
    fn from(tokens: service::AuthTokens) -> Self {
        Self { tokens }
    }
}

/// The tokens of a session.
#[Object]
impl AuthTokens {
    /// For each request, as `Authorization: Bearer …`.
    async fn access_token(&self) -> &str {
        self.tokens.access_token.expose_secret()
    }
    /// Until then.
    async fn access_token_expires_at(&self) -> DateTime {
        self.tokens.access_token_expires_at.into()
    }
    /// For `refreshSession`; good once.
    async fn refresh_token(&self) -> &str {
        self.tokens.refresh_token.expose_secret()
    }
    /// Until then.
    async fn refresh_token_expires_at(&self) -> DateTime {
        self.tokens.refresh_token_expires_at.into()
    }
}

/// A business, its first owner and their password.
#[derive(InputObject)]
pub struct RegisterInput {
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
    /// The first owner's name.
    full_name: String,
    /// Where the first owner signs in.
    email: EmailAddress,
    /// 8 to 128 characters that are hard to guess.
    password: String,
}

impl From<RegisterInput> for Register {
    fn from(input: RegisterInput) -> Self {
        Self {
            business: NewBusiness {
                business_name: input.business_name,
                business_email: input.business_email.0,
                industry: input.industry,
                company_size: input.company_size.into(),
                country: input.country.0,
                postal_code: input.postal_code,
                time_zone: input.time_zone.map(|zone| zone.0),
                currency: input.currency.map(|currency| currency.0),
            },
            full_name: input.full_name,
            email: input.email.0,
            password: SecretString::from(input.password),
        }
    }
}

/// What `register` answers.
#[derive(Debug, SimpleObject)]
pub struct RegisterPayload {
    /// The business.
    business: Option<Business>,
    /// Its first owner.
    user: Option<User>,
    /// Their session.
    session: Option<AuthTokens>,
    /// What is to be put right; when there is any, nothing was made.
    user_errors: Vec<UserError>,
}

/// An address and its password.
#[derive(InputObject)]
pub struct SignInInput {
    /// The person's address.
    email: EmailAddress,
    /// Their password.
    password: String,
    /// Six digits, where two-factor is on; or one of the recovery codes, each of which works once.
    otp: Option<String>,
    /// Which business, for a person in several; default: the first joined.
    business_id: Option<ID>,
}

impl SignInInput {
    /// What is asked of the service, from an address of the network.
    fn asked_from(self, address: Option<IpAddr>) -> SignIn {
        let business = self.business_id.map_or(BusinessChoice::FirstJoined, |id| BusinessChoice::This(BusinessId::parse(&id)));
        SignIn { email: self.email.0, password: SecretString::from(self.password), otp: self.otp, address, business }
    }
}

/// What `signIn` answers.
#[derive(SimpleObject)]
pub struct SignInPayload {
    /// The tokens.
    session: Option<AuthTokens>,
    /// Who signed in.
    viewer: Option<Viewer>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// A refresh token to spend.
#[derive(InputObject)]
pub struct RefreshSessionInput {
    /// The last one that was given.
    pub(in crate::graphql) refresh_token: String,
}

/// What `refreshSession` answers.
#[derive(SimpleObject)]
pub struct RefreshSessionPayload {
    /// New tokens; the old refresh token is spent.
    pub(in crate::graphql) session: Option<AuthTokens>,
    /// What is to be put right.
    pub(in crate::graphql) user_errors: Vec<UserError>,
}

/// Which sessions to end.
#[derive(InputObject)]
pub struct SignOutInput {
    /// Every session of the user, not this one alone.
    #[graphql(default)]
    pub(in crate::graphql) everywhere: bool,
}

/// What `signOut` answers.
#[derive(SimpleObject)]
pub struct SignOutPayload {
    /// What is to be put right.
    pub(in crate::graphql) user_errors: Vec<UserError>,
}

/// The present password and the new one.
#[derive(InputObject)]
pub struct ChangePasswordInput {
    /// The present one.
    current_password: String,
    /// 8 to 128 characters that are hard to guess.
    new_password: String,
}

/// What `changePassword` answers.
#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// A session to end.
#[derive(InputObject)]
pub struct RevokeSessionInput {
    /// One of `sessions`.
    session_id: ID,
}

/// What `revokeSession` answers.
#[derive(SimpleObject)]
pub struct RevokeSessionPayload {
    /// The session that is over.
    revoked_id: Option<ID>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// Who is calling, and where they are signed in.
#[derive(Debug, Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// Null for a caller who is not signed in.
    async fn viewer(&self, context: &Context<'_>) -> Option<Result<Viewer>> {
        nullable(async {
            let request = request(context);
            let viewer = Viewer::new(request.caller);
            if viewer.is_some() {
                request.require(Need::Read).await?;
            }
            Ok(viewer)
        })
        .await
    }
    /// Where the caller is signed in to this business, newest first.
    async fn sessions(&self, context: &Context<'_>) -> Option<Result<Vec<UserSession>>> {
        nullable(async {
            request(context).require(Need::OwnAccount).await?;
            let request = request(context);
            let found = service_of(context).sessions(&request.tenant().await?, request.caller).await?;
            Ok(Some(found.into_iter().map(|row| UserSession { row }).collect()))
        })
        .await
    }
}

/// Registration and sessions.
#[derive(Debug, Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Makes a business and its first owner, and signs them in.
    async fn register(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RegisterInput,
    ) -> Option<Result<RegisterPayload>> {
        nullable(async {
            let request = request(context);
            let (made, user_errors) = split(service_of(context).register(input.into(), request.user_agent.as_deref()).await)?;
            let Some(made) = made else {
                return Ok(Some(RegisterPayload { business: None, user: None, session: None, user_errors }));
            };
            request.show_as(made.caller);
            let (business, user) = (Some(Business::new(made.business)), Some(User::new(made.user)));
            Ok(Some(RegisterPayload { business, user, session: Some(made.tokens.into()), user_errors }))
        })
        .await
    }
    /// Begins a session.
    async fn sign_in(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SignInInput,
    ) -> Option<Result<SignInPayload>> {
        nullable(async {
            let request = request(context);
            let (entered, user_errors) =
                split(service_of(context).sign_in(input.asked_from(request.address), request.user_agent.as_deref()).await)?;
            let Some(entered) = entered else {
                return Ok(Some(SignInPayload { session: None, viewer: None, user_errors }));
            };
            request.show_as(entered.caller);
            Ok(Some(SignInPayload { session: Some(entered.tokens.into()), viewer: Viewer::new(entered.caller), user_errors }))
        })
        .await
    }
    /// New tokens for the last refresh token. One that is shown twice ends its session.
    async fn refresh_session(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RefreshSessionInput,
    ) -> Option<Result<RefreshSessionPayload>> {
        nullable(async {
            let (tokens, user_errors) = split(service_of(context).refresh_session(&input.refresh_token).await)?;
            Ok(Some(RefreshSessionPayload { session: tokens.map(AuthTokens::from), user_errors }))
        })
        .await
    }
    /// Ends the session, or all of them.
    async fn sign_out(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SignOutInput,
    ) -> Option<Result<SignOutPayload>> {
        nullable(async {
            let (_, user_errors) = split(service_of(context).sign_out(request(context).caller, input.everywhere).await)?;
            request(context).refresh();
            Ok(Some(SignOutPayload { user_errors }))
        })
        .await
    }
    /// Replaces the password and ends every other session.
    async fn change_password(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ChangePasswordInput,
    ) -> Option<Result<ChangePasswordPayload>> {
        nullable(async {
            let (current, new) = (SecretString::from(input.current_password), SecretString::from(input.new_password));
            let (_, user_errors) = split(service_of(context).change_password(request(context).caller, current, new).await)?;
            request(context).refresh();
            Ok(Some(ChangePasswordPayload { user_errors }))
        })
        .await
    }
    /// Ends one of the caller's sessions in this business.
    async fn revoke_session(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RevokeSessionInput,
    ) -> Option<Result<RevokeSessionPayload>> {
        nullable(async {
            let session = SessionId::parse(&input.session_id);
            let (revoked, user_errors) = split(service_of(context).revoke_session(request(context).caller, session).await)?;
            request(context).refresh();
            Ok(Some(RevokeSessionPayload { revoked_id: revoked.map(show_id), user_errors }))
        })
        .await
    }
}
