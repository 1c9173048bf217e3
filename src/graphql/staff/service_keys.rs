//! The keys of the platform's own products.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use secrecy::ExposeSecret as _;

use crate::error::Error;
use crate::graphql::business::catalog::Product;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{DateTime, show_id};
use crate::ids::ServiceKeyId;
use crate::services::keys::{CreateServiceKey, ServiceKeyService};
use crate::services::staff::Right;
use crate::store::keys;

/// A product's own key.
#[derive(Debug, Clone)]
pub struct ServiceKey {
    row: keys::ServiceKey,
}

impl ServiceKey {
    /// The key of a row.
    pub const fn new(row: keys::ServiceKey) -> Self {
        Self { row }
    }

    /// The live key of an id.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: ServiceKeyId) -> Result<Option<Self>, Error> {
        let now = request.ports.now().into();
        Ok(keys::live_service_key_by_id(&request.system().await?, id, now).await?.map(Self::new))
    }
}

/// A product's own credential (the ERP, Payroll): it asks `featureAccess` and `usage` and calls `recordUsage` for every
/// business, for this product alone, at `POST /graphql` with the header `Evolve-Business: biz_…`.
#[Object]
impl ServiceKey {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What it is called.
    async fn name(&self) -> &str {
        &self.row.name
    }
    /// Whose it is.
    async fn product(&self, context: &Context<'_>) -> Result<Product> {
        let found = Product::by_id(request(context), self.row.product_id).await?;
        Ok(found.ok_or_else(|| Error::Corrupt("the product of a key is gone".into()))?)
    }
    /// The part that may be shown: `svc_live_8f3kq2`.
    async fn prefix(&self) -> &str {
        &self.row.prefix
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
pub struct CreateServiceKeyInput {
    /// What it is called: 1 to 100 characters.
    name: String,
    /// A `Product.code`.
    product: String,
    /// Until when it is good, at most five years ahead; left out: until it is revoked.
    expires_at: Option<DateTime>,
}

/// What `createServiceKey` answers.
#[derive(Debug, SimpleObject)]
pub struct CreateServiceKeyPayload {
    /// The key that was made.
    service_key: Option<ServiceKey>,
    /// Shown this once.
    secret: Option<String>,
    /// What is to be put right; when there is any, nothing was made.
    user_errors: Vec<UserError>,
}

/// A key to end.
#[derive(Debug, InputObject)]
pub struct RevokeServiceKeyInput {
    /// One of `serviceKeys`.
    service_key_id: ID,
}

/// What `revokeServiceKey` answers.
#[derive(Debug, SimpleObject)]
pub struct RevokeServiceKeyPayload {
    /// The key that is over.
    revoked_id: Option<ID>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// Queries about keys of products.
#[derive(Debug, Default)]
pub struct ServiceKeyQuery;

#[Object]
impl ServiceKeyQuery {
    /// The live keys of all products, the newest first.
    async fn service_keys(&self, context: &Context<'_>) -> Option<Result<Vec<ServiceKey>>> {
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let found = keys::live_service_keys(&request.system().await?, request.ports.now().into()).await?;
            Ok(Some(found.into_iter().map(ServiceKey::new).collect()))
        })
        .await
    }
}

/// Makes and ends keys of products.
#[derive(Debug, Default)]
pub struct ServiceKeyMutation;

#[Object]
impl ServiceKeyMutation {
    /// Makes a key for a product. ADMIN.
    async fn create_service_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CreateServiceKeyInput,
    ) -> Option<Result<CreateServiceKeyPayload>> {
        nullable(async {
            let request = request(context);
            let wanted = CreateServiceKey { name: input.name, product: input.product, expires_at: input.expires_at.map(|at| at.0.get()) };
            let (made, user_errors) = split(service(request).create(request.caller, wanted).await)?;
            request.refresh();
            let Some(made) = made else { return Ok(Some(CreateServiceKeyPayload { service_key: None, secret: None, user_errors })) };
            let secret = made.secret.expose_secret().to_owned();
            Ok(Some(CreateServiceKeyPayload { service_key: Some(ServiceKey::new(made.key)), secret: Some(secret), user_errors }))
        })
        .await
    }

    /// Ends a key of a product at once. ADMIN.
    async fn revoke_service_key(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RevokeServiceKeyInput,
    ) -> Option<Result<RevokeServiceKeyPayload>> {
        nullable(async {
            let request = request(context);
            let key = ServiceKeyId::parse(&input.service_key_id);
            let (revoked, user_errors) = split(service(request).revoke(request.caller, key).await)?;
            request.refresh();
            Ok(Some(RevokeServiceKeyPayload { revoked_id: revoked.map(show_id), user_errors }))
        })
        .await
    }
}

/// The service.
fn service(request: &RequestContext) -> ServiceKeyService {
    ServiceKeyService::new(request.ports.clone())
}
