//! Invitations to a business.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use secrecy::SecretString;

use super::account::{AuthTokens, Role};
use super::profile::{Member, service_of};
use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::page::{PageArguments, connection, count_of};
use crate::graphql::scalars::{DateTime, EmailAddress, show_id};
use crate::ids::{BusinessId, InvitationId};
use crate::services::customers::AcceptInvitation;
use crate::store::invitations as rows;
use crate::store::page::Position;

/// Somebody who is invited to a business.
#[derive(Debug, Clone)]
pub struct Invitation {
    row: rows::Invitation,
}

impl Invitation {
    /// The invitation of a row.
    pub const fn new(row: rows::Invitation) -> Self {
        Self { row }
    }

    /// The open invitation of an id, if the caller may see it.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: InvitationId) -> Result<Option<Self>, Error> {
        Ok(rows::open_by_id(&request.reader().await?, id).await?.map(Self::new))
    }
}

/// Somebody who is invited to a business.
#[Object]
impl Invitation {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Whom it was mailed to.
    async fn email(&self) -> EmailAddress {
        EmailAddress(self.row.email.clone())
    }
    /// What they will do.
    async fn role(&self) -> Role {
        self.row.role.into()
    }
    /// Until when it may be accepted.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.row.expires_at)
    }
    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

connection!(InvitationConnection, InvitationEdge, Invitation, "invitations");

/// A page of a business's open invitations, read together with those of other businesses.
pub(super) async fn page_of_business(
    request: &RequestContext,
    business: BusinessId,
    arguments: PageArguments,
) -> Result<InvitationConnection> {
    let name = format!("{business}/invitations");
    let window = arguments.window(request, &name)?;
    let page = request.view().loaders.business_invitations.page(business, window).await?;
    let count = count_of(request, business, |loaders| &loaders.business_invitation_counts);
    let page = page.map(|row| (Position { at: row.created_at, id: row.id.uuid() }, Invitation::new(row)));
    Ok(InvitationConnection::of(request, &name, page, count))
}

/// Whom to invite.
#[derive(InputObject)]
pub struct InviteMemberInput {
    /// Where the invitation is mailed.
    email: EmailAddress,
    /// What they will do. Owners alone invite owners.
    role: Role,
}

/// What `inviteMember` answers.
#[derive(SimpleObject)]
pub struct InviteMemberPayload {
    /// The invitation; one of the same address that was open is taken back.
    invitation: Option<Invitation>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// An invitation, and who accepts it. `fullName` is for a person who is new here; `password` is the new one, or that of the account that has this address.
#[derive(InputObject)]
pub struct AcceptInvitationInput {
    /// What stands behind `#token=` in the mail's link.
    token: String,
    /// For a person who is new here.
    full_name: Option<String>,
    /// The new one, or that of the account that has the address.
    password: String,
    /// Six digits or a recovery code, where that account's two-factor is on.
    otp: Option<String>,
}

/// What `acceptInvitation` answers.
#[derive(SimpleObject)]
pub struct AcceptInvitationPayload {
    /// Their session in the business.
    session: Option<AuthTokens>,
    /// Their place in it.
    member: Option<Member>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// An invitation to take back.
#[derive(InputObject)]
pub struct RevokeInvitationInput {
    /// One of `profile.invitations`.
    invitation_id: ID,
}

/// What `revokeInvitation` answers.
#[derive(SimpleObject)]
pub struct RevokeInvitationPayload {
    /// The invitation that is over.
    revoked_id: Option<ID>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Inviting people.
#[derive(Debug, Default)]
pub struct InvitationMutation;

#[Object]
impl InvitationMutation {
    /// Invites somebody to the business by mail; the link is good for seven days. For owners and admins.
    async fn invite_member(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: InviteMemberInput,
    ) -> Option<Result<InviteMemberPayload>> {
        nullable(async {
            let request = request(context);
            let (made, user_errors) = split(service_of(context).invite(request.caller, &input.email.0, input.role.into()).await)?;
            request.refresh();
            Ok(Some(InviteMemberPayload { invitation: made.map(Invitation::new), user_errors }))
        })
        .await
    }
    /// Joins the business of an invitation, and signs in.
    async fn accept_invitation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: AcceptInvitationInput,
    ) -> Option<Result<AcceptInvitationPayload>> {
        nullable(async {
            let request = request(context);
            let (token, full_name, password) = (input.token, input.full_name, SecretString::from(input.password));
            let asked = AcceptInvitation { token, full_name, password, otp: input.otp, address: request.address };
            let (joined, user_errors) = split(service_of(context).accept_invitation(asked, request.user_agent.as_deref()).await)?;
            let Some((member, entered)) = joined else {
                return Ok(Some(AcceptInvitationPayload { session: None, member: None, user_errors }));
            };
            request.show_as(entered.caller);
            let (session, member) = (Some(entered.tokens.into()), Some(Member::new(member)));
            Ok(Some(AcceptInvitationPayload { session, member, user_errors }))
        })
        .await
    }
    /// Takes an invitation back that is open. For owners and admins.
    async fn revoke_invitation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RevokeInvitationInput,
    ) -> Option<Result<RevokeInvitationPayload>> {
        nullable(async {
            let (request, id) = (request(context), InvitationId::parse(&input.invitation_id));
            let (revoked, user_errors) = split(service_of(context).revoke_invitation(request.caller, id).await)?;
            request.refresh();
            Ok(Some(RevokeInvitationPayload { revoked_id: revoked.map(show_id), user_errors }))
        })
        .await
    }
}
