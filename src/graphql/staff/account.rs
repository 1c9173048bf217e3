//! Members of staff, and their sessions.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use secrecy::SecretString;

use crate::error::Error;
use crate::graphql::business::account::{AuthTokens, RefreshSessionInput, RefreshSessionPayload, SignOutInput, SignOutPayload};
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{DateTime, EmailAddress, show_id};
use crate::ids::StaffId;
use crate::services::access::Caller;
use crate::services::staff::{Right, SignIn, StaffService};
use crate::store::staff::{self, StaffView};
use crate::store::types;

/// What a member of staff may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::StaffRole")]
pub enum StaffRole {
    /// Answers customers: reads everything, changes nothing.
    Support,
    /// Prices and money.
    Finance,
    /// Who may be a customer.
    Compliance,
    /// Everything.
    Admin,
}

/// A member of the platform's staff.
#[derive(Debug, Clone)]
pub struct StaffUser {
    row: StaffView,
}

impl StaffUser {
    /// The member of a row.
    pub const fn new(row: StaffView) -> Self {
        Self { row }
    }

    /// The member of an id, one who was removed too: what they did stays theirs.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: StaffId) -> Result<Option<Self>, Error> {
        Ok(request.view().loaders.staff.load(id).await?.map(Self::new))
    }
}

/// A member of the platform's staff.
#[Object]
impl StaffUser {
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
    /// What they may do.
    async fn role(&self) -> StaffRole {
        self.row.role.into()
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

/// An address and its password.
#[derive(InputObject)]
pub struct StaffSignInInput {
    /// The member's address.
    email: EmailAddress,
    /// Their password.
    password: String,
    /// Six digits, where two-factor is on; or one of the recovery codes, each of which works once.
    otp: Option<String>,
}

/// What `staffSignIn` answers.
#[derive(SimpleObject)]
pub struct StaffSignInPayload {
    /// The tokens.
    session: Option<AuthTokens>,
    /// Who signed in.
    staff_user: Option<StaffUser>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// Who is calling, and their colleagues.
#[derive(Debug, Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// Null for a caller who is not signed in.
    async fn staff_viewer(&self, context: &Context<'_>) -> Option<Result<StaffUser>> {
        nullable(async {
            let request = request(context);
            if request.caller == Caller::Anonymous {
                return Ok(None);
            }
            let access = request.staff_access().await?;
            Ok(StaffUser::by_id(request, access.staff).await?)
        })
        .await
    }
    /// The members of staff, the longest there first.
    async fn staff_users(&self, context: &Context<'_>) -> Option<Result<Vec<StaffUser>>> {
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let found = staff::all_staff(&request.system().await?).await?;
            Ok(Some(found.into_iter().map(StaffUser::new).collect()))
        })
        .await
    }
}

/// Sessions of staff.
#[derive(Debug, Default)]
pub struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Begins a session.
    async fn staff_sign_in(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: StaffSignInInput,
    ) -> Option<Result<StaffSignInPayload>> {
        nullable(async {
            let request = request(context);
            let input =
                SignIn { email: input.email.0, password: SecretString::from(input.password), otp: input.otp, address: request.address };
            let (entered, user_errors) = split(service(context).sign_in(input, request.user_agent.as_deref()).await)?;
            let Some(entered) = entered else {
                return Ok(Some(StaffSignInPayload { session: None, staff_user: None, user_errors }));
            };
            request.show_as(entered.caller);
            let staff_user = Some(StaffUser::new(entered.staff));
            Ok(Some(StaffSignInPayload { session: Some(entered.tokens.into()), staff_user, user_errors }))
        })
        .await
    }
    /// New tokens for the last refresh token. One that is shown twice ends its session.
    async fn staff_refresh_session(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RefreshSessionInput,
    ) -> Option<Result<RefreshSessionPayload>> {
        nullable(async {
            let (tokens, user_errors) = split(service(context).refresh_session(&input.refresh_token).await)?;
            Ok(Some(RefreshSessionPayload { session: tokens.map(AuthTokens::from), user_errors }))
        })
        .await
    }
    /// Ends the session, or all of them.
    async fn staff_sign_out(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SignOutInput,
    ) -> Option<Result<SignOutPayload>> {
        nullable(async {
            let (_, user_errors) = split(service(context).sign_out(request(context).caller, input.everywhere).await)?;
            request(context).refresh();
            Ok(Some(SignOutPayload { user_errors }))
        })
        .await
    }
}

/// The service.
pub(super) fn service(context: &Context<'_>) -> StaffService {
    StaffService::new(request(context).ports.clone())
}
