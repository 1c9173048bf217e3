//! The command line: one file per command. Reads settings, switches logs on, runs the command, and turns its end
//! into an exit code. Holds no rule of the business.

mod demo;
mod doctor;
mod figures;
mod gateways;
mod identity;
mod keys;
mod mail;
mod migrate;
mod quote;
mod schema;
mod seed;
mod serve;
pub mod shutdown;
mod staff;
pub mod terminal;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{Settings, SettingsArgs};
use crate::error::{Cause, Failure};
use crate::telemetry;

pub use identity::IdentityAction;
pub use staff::StaffAction;

/// The command ran and failed.
const FAILED: u8 = 1;
/// The command line or the settings are wrong; clap exits with the same.
const WRONG_SETTINGS: u8 = 2;

const AFTER_HELP: &str = "\
Settings come from flags, then the environment, then evolve.toml.

Keys come from the environment or from files, never from flags (anyone on the machine can read those):
  EVOLVE_MASTER_KEY           protects what is stored sealed
  EVOLVE_MASTER_KEY_PREVIOUS  the master key in use before this one (until `keys rotate` is through)
  EVOLVE_TOKEN_KEY            signs access tokens
  EVOLVE_TOKEN_KEY_PREVIOUS   the token key in use before this one (after a rotation)
  EVOLVE_CURSOR_KEY           authenticates paging cursors
Each is 32 bytes in base64: make one with `openssl rand -base64 32`. A sandbox makes its own in <data-dir>/keys.
The mail server's password comes the same way: EVOLVE_SMTP_PASSWORD. So do a collector's headers: EVOLVE_OTLP_HEADERS.";

/// The customer-facing backend of a software platform: subscriptions, billing and accounts as a GraphQL API.
///
/// Without a command it serves: on an embedded database in ./data, in sandbox mode, with demo data to try out.
#[derive(Debug, Parser)]
#[command(version, after_long_help = AFTER_HELP)]
pub struct Cli {
    /// What the settings are.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// What to do; serves where there is none.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Whether the command goes on until it is told to stop.
    pub const fn runs_on(&self) -> bool {
        matches!(self.command, None | Some(Command::Serve | Command::Worker | Command::Gateways { .. }))
    }
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the API, and work by the clock beside it (the default)
    #[command(after_long_help = AFTER_HELP)]
    Serve,
    /// Work by the clock alone: renewals, payments, mails. Any number may run on one PostgreSQL
    #[command(after_long_help = AFTER_HELP)]
    Worker,
    /// Bring the database's tables up to date, or say how they stand
    Migrate {
        /// What to do with the tables
        #[arg(value_enum, default_value_t = MigrateAction::Up)]
        action: MigrateAction,
    },
    /// Fill the catalogue of products and plans from a file, or the database with demo data
    Seed {
        /// A catalogue (TOML); the built-in one when left out
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Add a demo business with a year of invoices and payments; sandbox mode alone
        #[arg(long)]
        demo: bool,
    },
    /// Print the GraphQL schema
    Schema {
        /// The staff API's instead of the business API's
        #[arg(long)]
        staff: bool,
    },
    /// Prove that nothing in the database contradicts itself: ledger, invoices, numbers, periods, payments, jobs
    Doctor,
    /// Look at the audit trail
    Audit {
        /// What to do
        #[arg(value_enum)]
        action: AuditAction,
    },
    /// Look after the keys that protect what is stored sealed
    Keys {
        /// What to do
        #[command(subcommand)]
        action: KeysAction,
    },
    /// Evaluate a scenario (JSON): what would be billed from sign-up to end, printed as JSON
    #[command(help_template = quote::HELP, override_usage = quote::USAGE, after_help = quote::AFTER_HELP)]
    Quote {
        /// The scenario; - reads it from stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Simulate Stripe and Daraja on this machine, to try a sandbox out without an account
    #[command(help_template = gateways::HELP, override_usage = gateways::USAGE, after_help = gateways::AFTER_HELP)]
    Gateways {
        /// Where the sandbox server is that is told of events
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
        server: String,
    },
    /// Look at what is mailed
    Mail {
        /// What to do
        #[command(subcommand)]
        action: MailAction,
    },
    /// Say whom the subjects of the identity provider are
    Identity {
        /// What to do
        #[command(subcommand)]
        action: IdentityAction,
    },
    /// Add, remove or list the members of staff, who sign in to the staff API
    Staff {
        /// What to do
        #[command(subcommand)]
        action: StaffAction,
    },
}

/// What `mail` does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum MailAction {
    /// Print a mail as it goes out, filled with a sample
    Preview {
        /// Which, e.g. `invoice.issued`; an unknown one lists them all
        kind: String,
        /// In the language of this locale
        #[arg(long, default_value = "en", value_name = "LOCALE")]
        locale: String,
        /// The HTML instead of the text
        #[arg(long)]
        html: bool,
    },
}

/// What `keys` does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum KeysAction {
    /// Wrap every key under EVOLVE_MASTER_KEY, which takes the place of EVOLVE_MASTER_KEY_PREVIOUS; runs while serving, and again
    /// where it was cut short
    Rotate {
        /// Give each business a new key too, and seal all it sealed anew, files among it, where the key is at least so many days old
        #[arg(long, value_name = "DAYS")]
        reseal: Option<u16>,
    },
}

/// What `audit` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditAction {
    /// Find any event that was edited, removed, added or put elsewhere
    Verify,
}

/// What `migrate` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MigrateAction {
    /// Run the migrations that have not run
    Up,
    /// Say which migrations have run
    Status,
    /// Take back the last migration
    Down,
}

/// Runs what the command line asks for; the exit code is 0, 1 where it failed, 2 where the settings are wrong.
pub async fn run(cli: Cli) -> ExitCode {
    let command = cli.command.unwrap_or(Command::Serve);
    // The schema is the same whatever the settings, and so is what a scenario comes to.
    if let Command::Schema { staff } = command {
        return finish(schema::run(staff));
    }
    if let Command::Quote { file } = &command {
        return finish(quote::run(file));
    }
    if let Command::Mail { action: MailAction::Preview { kind, locale, html } } = &command {
        return finish(mail::preview(kind, locale, *html));
    }
    let listen = cli.settings.given.listen;
    let settings = match Settings::load(cli.settings) {
        Ok(settings) => settings,
        Err(problems) => return fail(&problems.to_string(), WRONG_SETTINGS),
    };
    if let Err(error) = telemetry::init(&settings.log) {
        return finish(Err(error.into()));
    }
    finish(match command {
        Command::Serve => serve::run(settings).await,
        Command::Worker => worker::run(settings).await,
        Command::Migrate { action } => migrate::run(settings, action).await,
        Command::Seed { file, demo } => seed::run(settings, file, demo).await,
        Command::Schema { staff } => schema::run(staff),
        Command::Doctor => doctor::examine(settings).await,
        Command::Audit { action: AuditAction::Verify } => doctor::verify_audit(settings).await,
        Command::Keys { action: KeysAction::Rotate { reseal } } => keys::rotate(settings, reseal).await,
        Command::Quote { file } => quote::run(&file),
        Command::Gateways { server } => gateways::run(settings, listen, &server).await,
        Command::Mail { action: MailAction::Preview { kind, locale, html } } => mail::preview(&kind, &locale, html),
        Command::Identity { action } => identity::run(settings, action).await,
        Command::Staff { action } => staff::run(settings, action).await,
    })
}

fn finish(done: Result<(), Cause>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&with_causes(error.as_ref()), FAILED),
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    // Where stderr is gone too, the exit code is all that is left to say it with.
    match terminal::complain(message) {
        Ok(()) | Err(_) => ExitCode::from(code),
    }
}

/// A refusal or a fault as a sentence for whoever runs the command.
fn told(failure: Failure) -> Cause {
    match failure {
        Failure::Fault(error) => error.into(),
        Failure::Refused(errors) => errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(" ").into(),
    }
}

/// The error and what caused it, in one line each.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}\n  because: {cause}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn command(arguments: &[&str]) -> Option<Command> {
        Cli::try_parse_from([&["evolve-business"], arguments].concat()).unwrap().command
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_command_is_read() {
        assert_eq!(command(&[]), None);
        assert_eq!(command(&["serve"]), Some(Command::Serve));
        assert_eq!(command(&["worker"]), Some(Command::Worker));
        assert_eq!(command(&["migrate"]), Some(Command::Migrate { action: MigrateAction::Up }));
        assert_eq!(command(&["migrate", "status"]), Some(Command::Migrate { action: MigrateAction::Status }));
        assert_eq!(command(&["doctor"]), Some(Command::Doctor));
        assert_eq!(command(&["keys", "rotate"]), Some(Command::Keys { action: KeysAction::Rotate { reseal: None } }));
        let yearly = Some(Command::Keys { action: KeysAction::Rotate { reseal: Some(365) } });
        assert_eq!(command(&["keys", "rotate", "--reseal", "365"]), yearly);
        assert_eq!(command(&["audit", "verify"]), Some(Command::Audit { action: AuditAction::Verify }));
        assert_eq!(command(&["migrate", "down"]), Some(Command::Migrate { action: MigrateAction::Down }));
        assert_eq!(command(&["seed", "my.toml", "--demo"]), Some(Command::Seed { file: Some("my.toml".into()), demo: true }));
        let action = MailAction::Preview { kind: "invoice.issued".into(), locale: "sw".into(), html: true };
        assert_eq!(command(&["mail", "preview", "invoice.issued", "--locale", "sw", "--html"]), Some(Command::Mail { action }));
        assert_eq!(command(&["quote", "scenario.json"]), Some(Command::Quote { file: "scenario.json".into() }));
        assert_eq!(command(&["quote", "-"]), Some(Command::Quote { file: "-".into() }));
        assert!(Cli::try_parse_from(["evolve-business", "quote"]).is_err(), "a scenario is needed");
        let here = Command::Gateways { server: "http://127.0.0.1:8080".into() };
        assert_eq!(command(&["gateways", "--listen", "127.0.0.1:0"]), Some(here));
        assert_eq!(command(&["schema"]), Some(Command::Schema { staff: false }));
        assert_eq!(command(&["schema", "--staff"]), Some(Command::Schema { staff: true }));
        for role in ["ADMIN", "admin"] {
            let added = command(&["staff", "add", "ann@example.com", "--role", role, "--name", "Ann"]);
            assert!(matches!(added, Some(Command::Staff { action: StaffAction::Add(_) })), "{role}: {added:?}");
        }
        assert!(Cli::try_parse_from(["evolve-business", "staff", "add", "ann@example.com"]).is_err(), "a role is needed");
    }

    #[test]
    fn settings_stand_before_or_after_the_command() {
        for arguments in [["--listen", "127.0.0.1:9", "serve"], ["serve", "--listen", "127.0.0.1:9"]] {
            let cli = Cli::try_parse_from([&["evolve-business"], arguments.as_slice()].concat()).unwrap();
            assert_eq!(cli.settings.given.listen, Some("127.0.0.1:9".parse().unwrap()));
            assert_eq!(cli.command, Some(Command::Serve));
        }
        let cli = Cli::try_parse_from(["evolve-business", "--no-worker", "serve"]).unwrap();
        assert_eq!((cli.settings.given.no_worker, cli.command), (Some(true), Some(Command::Serve)));
    }

    #[test]
    fn the_help_of_serve_names_every_setting_with_its_variable() {
        let mut command = Cli::command();
        command.build();
        let help = command.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
        for argument in Cli::command().get_arguments().filter(|argument| argument.get_env().is_some()) {
            let (flag, variable) = (argument.get_long().unwrap(), argument.get_env().unwrap().to_str().unwrap());
            assert!(help.contains(&format!("--{flag}")) && help.contains(variable), "{flag}");
        }
        for name in [
            "EVOLVE_MASTER_KEY ",
            "EVOLVE_MASTER_KEY_PREVIOUS ",
            "EVOLVE_TOKEN_KEY ",
            "EVOLVE_TOKEN_KEY_PREVIOUS ",
            "EVOLVE_CURSOR_KEY ",
            "DATABASE_URL",
        ] {
            assert!(help.contains(name), "{name}");
        }
    }

    #[test]
    fn a_key_is_no_flag() {
        for flag in ["--master-key", "--token-key", "--cursor-key"] {
            assert!(Cli::try_parse_from(["evolve-business", flag, "x"]).is_err(), "{flag}");
        }
    }

    #[test]
    fn an_error_is_told_with_what_caused_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("The server cannot start")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("the port is taken"));
        assert_eq!(with_causes(&error), "The server cannot start\n  because: the port is taken");
    }
}
