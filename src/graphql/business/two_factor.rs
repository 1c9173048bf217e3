//! Turning a second factor on and off.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use secrecy::{ExposeSecret as _, SecretString};

use super::account::User;
use super::profile::service_of;
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};

/// The password of whoever wants a second factor.
#[derive(InputObject)]
pub struct BeginTwoFactorInput {
    /// The present password.
    password: String,
}

/// What `beginTwoFactor` answers.
#[derive(SimpleObject)]
pub struct BeginTwoFactorPayload {
    /// Shown this once: `otpauth://…`. It is confirmed within an hour, and changes nothing until then.
    otpauth_url: Option<String>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// The first digits of a device.
#[derive(InputObject)]
pub struct ConfirmTwoFactorInput {
    /// The six digits that the device shows.
    otp: String,
}

/// What `confirmTwoFactor` answers.
#[derive(SimpleObject)]
pub struct ConfirmTwoFactorPayload {
    /// Shown this once. Each is good once in the place of the digits.
    recovery_codes: Vec<String>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// What shows that somebody may do without a second factor.
#[derive(InputObject)]
pub struct DisableTwoFactorInput {
    /// The present password.
    password: String,
    /// The six digits that the device shows, or a recovery code.
    otp: String,
}

/// What `disableTwoFactor` answers.
#[derive(SimpleObject)]
pub struct DisableTwoFactorPayload {
    /// Who signs in by their password alone.
    user: Option<User>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// Changes of a second factor.
#[derive(Debug, Default)]
pub struct TwoFactorMutation;

#[Object]
impl TwoFactorMutation {
    /// Makes a secret for the signed-in person's device; `confirmTwoFactor` turns it on.
    async fn begin_two_factor(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: BeginTwoFactorInput,
    ) -> Option<Result<BeginTwoFactorPayload>> {
        nullable(async {
            let (caller, password) = (request(context).caller, SecretString::from(input.password));
            let (url, user_errors) = split(service_of(context).begin_two_factor(caller, password).await)?;
            Ok(Some(BeginTwoFactorPayload { otpauth_url: url.map(|url| url.expose_secret().to_owned()), user_errors }))
        })
        .await
    }
    /// Turns two-factor on by the first digits of the device, and ends every other session of the person.
    async fn confirm_two_factor(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ConfirmTwoFactorInput,
    ) -> Option<Result<ConfirmTwoFactorPayload>> {
        nullable(async {
            let request = request(context);
            let (codes, user_errors) = split(service_of(context).confirm_two_factor(request.caller, &input.otp).await)?;
            request.refresh();
            let recovery_codes = codes.unwrap_or_default().iter().map(|code| code.expose_secret().to_owned()).collect();
            Ok(Some(ConfirmTwoFactorPayload { recovery_codes, user_errors }))
        })
        .await
    }
    /// Turns two-factor off.
    async fn disable_two_factor(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: DisableTwoFactorInput,
    ) -> Option<Result<DisableTwoFactorPayload>> {
        nullable(async {
            let (request, password) = (request(context), SecretString::from(input.password));
            let (user, user_errors) = split(service_of(context).disable_two_factor(request.caller, password, &input.otp).await)?;
            request.refresh();
            Ok(Some(DisableTwoFactorPayload { user: user.map(User::new), user_errors }))
        })
        .await
    }
}
