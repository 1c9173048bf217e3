//! Links in mails: confirming an address, choosing a new password.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use secrecy::SecretString;

use super::account::User;
use super::profile::service_of;
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::EmailAddress;

/// A token that confirms an address.
#[derive(InputObject)]
pub struct ConfirmEmailInput {
    /// What stands behind `#token=` in the mail's link.
    token: String,
}

/// What `confirmEmail` answers.
#[derive(SimpleObject)]
pub struct ConfirmEmailPayload {
    /// Whose address it is.
    user: Option<User>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// Whose address is to be confirmed.
#[derive(InputObject)]
pub struct ResendConfirmationInput {
    /// The address.
    email: EmailAddress,
}

/// Answers the same whether or not the address is known.
#[derive(SimpleObject)]
pub struct ResendConfirmationPayload {
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// Who has forgotten their password.
#[derive(InputObject)]
pub struct RequestPasswordResetInput {
    /// Where they sign in.
    email: EmailAddress,
}

/// Answers the same whether or not the address is known.
#[derive(SimpleObject)]
pub struct RequestPasswordResetPayload {
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// A token and the password that it lets one choose.
#[derive(InputObject)]
pub struct ResetPasswordInput {
    /// What stands behind `#token=` in the mail's link.
    token: String,
    /// 8 to 128 characters that are hard to guess.
    password: String,
}

/// What `resetPassword` answers.
#[derive(SimpleObject)]
pub struct ResetPasswordPayload {
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// The address that somebody wants to sign in with.
#[derive(InputObject)]
pub struct ChangeEmailInput {
    /// The new address.
    email: EmailAddress,
    /// The present password.
    password: String,
}

/// Takes effect when the new address is confirmed.
#[derive(SimpleObject)]
pub struct ChangeEmailPayload {
    /// The person, who has their present address until then.
    user: Option<User>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// What the links in mails do.
#[derive(Debug, Default)]
pub struct AccountLinkMutation;

#[Object]
impl AccountLinkMutation {
    /// Confirms an address by the token that was mailed to it.
    async fn confirm_email(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ConfirmEmailInput,
    ) -> Option<Result<ConfirmEmailPayload>> {
        nullable(async {
            let (user, user_errors) = split(service_of(context).confirm_email(&input.token).await)?;
            Ok(Some(ConfirmEmailPayload { user: user.map(User::new), user_errors }))
        })
        .await
    }
    /// Mails a link to the address that the signed-in person wants to sign in with; `confirmEmail` with its token takes it.
    async fn change_email(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ChangeEmailInput,
    ) -> Option<Result<ChangeEmailPayload>> {
        nullable(async {
            let (caller, password) = (request(context).caller, SecretString::from(input.password));
            let (user, user_errors) = split(service_of(context).change_email(caller, &input.email.0, password).await)?;
            Ok(Some(ChangeEmailPayload { user: user.map(User::new), user_errors }))
        })
        .await
    }
    /// Mails the link that confirms an address once more; at most three times an hour.
    async fn resend_confirmation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ResendConfirmationInput,
    ) -> Option<Result<ResendConfirmationPayload>> {
        nullable(async {
            let (_, user_errors) = split(service_of(context).resend_confirmation(&input.email.0).await)?;
            Ok(Some(ResendConfirmationPayload { user_errors }))
        })
        .await
    }
    /// Mails a link to choose a new password; at most three times an hour.
    async fn request_password_reset(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RequestPasswordResetInput,
    ) -> Option<Result<RequestPasswordResetPayload>> {
        nullable(async {
            let (_, user_errors) = split(service_of(context).request_password_reset(&input.email.0).await)?;
            Ok(Some(RequestPasswordResetPayload { user_errors }))
        })
        .await
    }
    /// Replaces the password by the token that was mailed, and ends every session of the person.
    async fn reset_password(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ResetPasswordInput,
    ) -> Option<Result<ResetPasswordPayload>> {
        nullable(async {
            let password = SecretString::from(input.password);
            let (_, user_errors) = split(service_of(context).reset_password(&input.token, password, request(context).address).await)?;
            Ok(Some(ResetPasswordPayload { user_errors }))
        })
        .await
    }
}
