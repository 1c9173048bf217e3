//! `staff`: who may use the staff API. Accounts of staff are made here and nowhere else.

use std::io::BufRead as _;

use clap::{Args, Subcommand, ValueEnum};
use secrecy::{ExposeSecret as _, SecretString};

use super::{serve, terminal, told};
use crate::app::App;
use crate::config::Settings;
use crate::error::Cause;
use crate::services::staff::{NewStaff, StaffService};
use crate::store::types::StaffRole;

/// What `staff` does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum StaffAction {
    /// Add a member of staff; prints a password that is made up, unless one is given
    Add(Add),
    /// Remove a member of staff, and end their sessions
    Remove {
        /// Their address
        #[arg(value_name = "EMAIL")]
        email: String,
    },
    /// Turn two-factor on for a member of staff, anew where it is on; prints the link for their device and recovery codes, once
    TwoFactor {
        /// Their address
        #[arg(value_name = "EMAIL")]
        email: String,
        /// Turn it off
        #[arg(long)]
        off: bool,
    },
    /// List the members of staff
    List,
}

/// Who to add.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Add {
    /// Where they sign in
    #[arg(value_name = "EMAIL")]
    email: String,
    /// What they may do
    #[arg(long, value_enum, ignore_case = true)]
    role: RoleArgument,
    /// What they are called; the address up to its @ when left out
    #[arg(long)]
    name: Option<String>,
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
}

/// A role, as it is written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleArgument {
    /// Reads everything, changes nothing
    #[value(name = "SUPPORT")]
    Support,
    /// Plans and prices
    #[value(name = "FINANCE")]
    Finance,
    /// Suspends and restores businesses
    #[value(name = "COMPLIANCE")]
    Compliance,
    /// Everything
    #[value(name = "ADMIN")]
    Admin,
}

impl From<RoleArgument> for StaffRole {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Support => Self::Support,
            RoleArgument::Finance => Self::Finance,
            RoleArgument::Compliance => Self::Compliance,
            RoleArgument::Admin => Self::Admin,
        }
    }
}

/// Adds, removes or lists.
pub(super) async fn run(settings: Settings, action: StaffAction) -> Result<(), Cause> {
    serve::prepare(&settings).await?;
    let app = App::build(&settings).await?;
    let service = StaffService::new(app.ports.clone());
    match action {
        StaffAction::Add(new) => add(&service, new).await?,
        StaffAction::Remove { email } => {
            let removed = service.remove(&email).await.map_err(told)?;
            terminal::say(&format!("{} is no member of staff any more.", removed.email))?;
        }
        StaffAction::TwoFactor { email, off } => two_factor(&service, &email, off).await?,
        StaffAction::List => {
            for member in service.all().await.map_err(told)? {
                terminal::say(&format!("{}  {}  {}", member.role.as_str(), member.email, member.full_name))?;
            }
        }
    }
    Ok(app.close().await?)
}

/// Adds a member, and prints the password where it was made up: this once.
async fn add(service: &StaffService, new: Add) -> Result<(), Cause> {
    let given = if new.password_stdin { Some(read_password()?) } else { None };
    let made_up = if given.is_none() { Some(service.made_up_password()) } else { None };
    let password = given.or_else(|| made_up.clone()).ok_or("There is no password.")?;
    let full_name = new.name.unwrap_or_else(|| new.email.split('@').next().unwrap_or_default().to_owned());
    let added = service.add(NewStaff { email: new.email, full_name, role: new.role.into(), password }).await.map_err(told)?;
    terminal::say(&format!("{} is a member of staff: {}.", added.email, added.role.as_str()))?;
    if let Some(password) = made_up {
        terminal::say(&format!("The password, shown this once: {}", password.expose_secret()))?;
    }
    Ok(())
}

/// Turns two-factor on or off, and prints what is shown this once.
async fn two_factor(service: &StaffService, email: &str, off: bool) -> Result<(), Cause> {
    if off {
        let member = service.disable_two_factor(email).await.map_err(told)?;
        return Ok(terminal::say(&format!("{} signs in by the password alone.", member.email))?);
    }
    let (url, codes) = service.enable_two_factor(email).await.map_err(told)?;
    terminal::say(&format!("The link for their device, shown this once: {}", url.expose_secret()))?;
    terminal::say("Recovery codes, each good once in the place of the digits:")?;
    for code in codes {
        terminal::say(code.expose_secret())?;
    }
    Ok(())
}

/// The first line of stdin, without its end.
fn read_password() -> Result<SecretString, Cause> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned()))
}
