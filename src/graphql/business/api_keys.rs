//! The business's keys, by which its programs sign in.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use secrecy::ExposeSecret as _;

use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{DateTime, show_id};
use crate::ids::ApiKeyId;
use crate::services::access::{Need, Who};
use crate::services::keys::{CreateApiKey, KeyService};
use crate::store::{keys, types};

/// What a key lets a program do. ACCESS_READ: `featureAccess` and `usage` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::ApiScope")]
pub enum ApiScope {
    /// The queries.
    Read,
    /// `featureAccess` and `usage` alone.
    AccessRead,
    /// The mutations of subscriptions, payment methods and payments.
    BillingWrite,
    /// Recording usage.
    UsageWrite,
    /// Changing the profile.
    ProfileWrite,
    /// Opening and answering tickets.
    SupportWrite,
    /// Changing webhooks.
    WebhookWrite,
}

/// A key of the business.
#[derive(Debug, Clone)]
pub struct ApiKey {
    row: keys::ApiKey,
}

impl ApiKey {
    /// The key of a row.
    pub const fn new(row: keys::ApiKey) -> Self {
        Self { row }
    }

    /// The live key of an id, for who manages keys and for the key itself.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody, or the database's fault.
    pub async fn by_id(request: &RequestContext, id: ApiKeyId) -> Result<Option<Self>, Error> {
        let access = request.access().await?;
        let itself = matches!(access.who, Who::Key { key, .. } if key == id) && access.allows(Need::Read);
        if !itself && !access.allows(Need::Manage) {
            return Ok(None);
        }
        let now = request.ports.now().into();
        Ok(keys::live_key_by_id(&request.tenant().await?, id, now).await?.map(Self::new))
    }

    /// The business's live keys, the newest first.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn of_business(request: &RequestContext) -> Result<Vec<Self>, Error> {
        let found = keys::live_keys(&request.tenant().await?, request.ports.now().into()).await?;
        Ok(found.into_iter().map(Self::new).collect())
    }
}

/// A key by which a program of the business signs in: `Authorization: Bearer sk_…`.
#[Object]
impl ApiKey {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What it is called.
    async fn name(&self) -> &str {
        &self.row.name
    }
    /// The part that may be shown: `sk_live_8f3kq2`.
    async fn prefix(&self) -> &str {
        &self.row.prefix
    }
    /// What it may do.
    async fn scopes(&self) -> Vec<ApiScope> {
        self.row.scopes.iter().map(ApiScope::from).collect()
    }
    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
    /// Until when it is good; null where it does not run out.
    async fn expires_at(&self) -> Option<DateTime> {
        self.row.expires_at.map(DateTime)
    }
    /// When it was used last, to the minute; null where it never was.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.row.last_used_at.map(DateTime)
    }
}

/// A key to make.
#[derive(Debug, InputObject)]
pub struct CreateApiKeyInput {
    /// What it is called: 1 to 100 characters.
    name: String,
    /// What it may do: at least one.
    scopes: Vec<ApiScope>,
    /// Until when it is good, at most five years ahead; left out: until it is revoked.
    expires_at: Option<DateTime>,
}

/// What `createApiKey` answers.
#[derive(Debug, SimpleObject)]
pub struct CreateApiKeyPayload {
    /// The key that was made.
    api_key: Option<ApiKey>,
    /// Shown this once.
    secret: Option<String>,
    /// What is to be put right; when there is any, nothing was made.
    user_errors: Vec<UserError>,
}

/// A key to end.
#[derive(Debug, InputObject)]
pub struct RevokeApiKeyInput {
    /// One of `Business.apiKeys`.
    api_key_id: ID,
}

/// What `revokeApiKey` answers.
#[derive(Debug, SimpleObject)]
pub struct RevokeApiKeyPayload {
    /// The key that is over.
    revoked_id: Option<ID>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// Makes and ends keys.
#[derive(Debug, Default)]
pub struct ApiKeyMutation;

#[Object]
impl ApiKeyMutation {
    /// Makes a key for a program of the business. For owners and admins.
    async fn create_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CreateApiKeyInput,
    ) -> Option<Result<CreateApiKeyPayload>> {
        nullable(async {
            let request = request(context);
            let wanted = CreateApiKey {
                name: input.name,
                scopes: input.scopes.into_iter().map(Into::into).collect(),
                expires_at: input.expires_at.map(|at| at.0.get()),
            };
            let (made, user_errors) = split(service(request).create(request.caller, wanted).await)?;
            request.refresh();
            let Some(made) = made else { return Ok(Some(CreateApiKeyPayload { api_key: None, secret: None, user_errors })) };
            let secret = made.secret.expose_secret().to_owned();
            Ok(Some(CreateApiKeyPayload { api_key: Some(ApiKey::new(made.key)), secret: Some(secret), user_errors }))
        })
        .await
    }

    /// Ends a key at once. For owners and admins.
    async fn revoke_api_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RevokeApiKeyInput,
    ) -> Option<Result<RevokeApiKeyPayload>> {
        nullable(async {
            let request = request(context);
            let key = ApiKeyId::parse(&input.api_key_id);
            let (revoked, user_errors) = split(service(request).revoke(request.caller, key).await)?;
            request.refresh();
            Ok(Some(RevokeApiKeyPayload { revoked_id: revoked.map(show_id), user_errors }))
        })
        .await
    }
}

/// The service.
fn service(request: &RequestContext) -> KeyService {
    KeyService::new(request.ports.clone())
}
