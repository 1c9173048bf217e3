//! `identity`: whom the subjects of the identity provider are here.

use clap::Subcommand;

use super::{serve, terminal, told};
use crate::app::App;
use crate::config::Settings;
use crate::error::Cause;
use crate::services::customers::CustomerService;

/// What `identity` does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum IdentityAction {
    /// Forget which subject a customer's person is, and end the sessions that its tokens carry
    Unlink {
        /// The address that they sign in with
        #[arg(value_name = "EMAIL")]
        email: String,
    },
}

/// Does it.
pub(super) async fn run(settings: Settings, action: IdentityAction) -> Result<(), Cause> {
    serve::prepare(&settings).await?;
    let app = App::build(&settings).await?;
    let IdentityAction::Unlink { email } = action;
    CustomerService::new(app.ports.clone()).unlink_identity(&email).await.map_err(told)?;
    terminal::say(&format!("{email} is no subject of the identity provider any more."))?;
    Ok(app.close().await?)
}
