//! The README says what the program does: its settings and its operations, all of the former and no more of either.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use evolve_business::cli::Cli;

const README: &str = include_str!("../README.md");
const SCHEMA: &str = include_str!("../schema.graphql");
const STAFF_SCHEMA: &str = include_str!("../schema.staff.graphql");

/// The keys and the password that the environment gives and no flag does, since flags can be read by all.
const KEYS: [&str; 14] = [
    "EVOLVE_MASTER_KEY",
    "EVOLVE_MASTER_KEY_PREVIOUS",
    "EVOLVE_TOKEN_KEY",
    "EVOLVE_TOKEN_KEY_PREVIOUS",
    "EVOLVE_CURSOR_KEY",
    "EVOLVE_SMTP_PASSWORD",
    "EVOLVE_S3_SECRET_ACCESS_KEY",
    "EVOLVE_STRIPE_SECRET_KEY",
    "EVOLVE_STRIPE_WEBHOOK_SECRETS",
    "EVOLVE_MPESA_CONSUMER_KEY",
    "EVOLVE_MPESA_CONSUMER_SECRET",
    "EVOLVE_MPESA_PASSKEY",
    "EVOLVE_MPESA_SECURITY_CREDENTIAL",
    "EVOLVE_OTLP_HEADERS",
];

/// The text of the section with that title, down to the next of its kind.
fn section(title: &str) -> &'static str {
    let (_, after) = README.split_once(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("the README has no section {title:?}"));
    after.split("\n## ").next().unwrap()
}

/// The rows of the section's table, without its head, each cell without backquotes.
fn rows(title: &str) -> Vec<Vec<String>> {
    let lines = section(title).lines().filter(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let inside = line.trim_matches('|').replace("\\|", "¦");
        inside.split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    lines.skip(2).map(cells).collect()
}

/// What the text has between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// A setting as its help has it: flag, variable, default (empty without one).
fn settings() -> Vec<[String; 3]> {
    let command = Cli::command();
    let arguments = command.get_arguments().filter(|argument| argument.get_env().is_some());
    let told = |argument: &clap::Arg| {
        let help = argument.get_help().unwrap().to_string();
        let default = help.split_once("[default: ").map_or(String::new(), |(_, rest)| rest.trim_end_matches(']').to_owned());
        [format!("--{}", argument.get_long().unwrap()), argument.get_env().unwrap().to_str().unwrap().to_owned(), default]
    };
    arguments.map(told).collect()
}

#[test]
fn the_settings_table_has_every_flag_with_its_variable_and_default_and_no_other() {
    let rows = rows("Settings");
    let (with_flag, keys): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row[0].starts_with("--"));
    let told: BTreeSet<[String; 3]> = with_flag.iter().map(|row| [row[0].clone(), row[1].clone(), row[2].clone()]).collect();
    let real: BTreeSet<[String; 3]> = settings().into_iter().collect();
    assert!(real.len() > 20, "only {} settings were found", real.len());
    assert_eq!(told.difference(&real).collect::<Vec<_>>(), Vec::<&[String; 3]>::new(), "in the README and not so in the program");
    assert_eq!(real.difference(&told).collect::<Vec<_>>(), Vec::<&[String; 3]>::new(), "in the program and not so in the README");
    assert_eq!(with_flag.len(), told.len(), "a setting stands twice");
    assert_eq!(keys.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), KEYS);
    assert!(rows.iter().all(|row| row.len() == 4 && !row[3].is_empty()), "each row has four cells, the last with a meaning");
}

#[test]
fn every_flag_that_the_readme_names_is_one() {
    let mut command = Cli::command();
    command.build();
    let mut real = BTreeSet::new();
    let mut commands = vec![&command];
    while let Some(command) = commands.pop() {
        real.extend(command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)));
        commands.extend(command.get_subcommands());
    }
    // Cargo's own, in the commands to type.
    real.extend(["example", "release"].map(str::to_owned));
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    for part in
        README.split(|c: char| !word(c)).filter_map(|part| part.strip_prefix("--")).filter(|part| part.starts_with(char::is_alphabetic))
    {
        assert!(real.contains(part), "the README names --{part}, which is no flag");
    }
}

#[test]
fn the_commands_table_has_every_command() {
    let told = section("The command line");
    for subcommand in Cli::command().get_subcommands() {
        assert!(told.contains(&format!("`evolve-business {}", subcommand.get_name())), "{} is missing", subcommand.get_name());
    }
}

#[test]
fn every_operation_of_the_schema_is_beside_a_need_and_no_other_is() {
    operations_are_told("What a customer needs, and the operation for it", SCHEMA, 20);
}

#[test]
fn every_operation_of_the_staff_schema_is_beside_a_need_and_no_other_is() {
    operations_are_told("What staff need, and the operation for it", STAFF_SCHEMA, 15);
}

/// The table of that section has every root field of the schema, which has more than `least`, and no other.
fn operations_are_told(title: &str, schema: &str, least: usize) {
    let told: BTreeSet<&str> = section(title)
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && !line.ends_with("| Operation |"))
        .flat_map(quoted)
        .collect();
    let schema = apollo_compiler::Schema::parse_and_validate(schema, "schema.graphql").unwrap();
    // Live updates are the business API's alone.
    let roots = ["Query", "Mutation", "SubscriptionRoot"].into_iter().filter_map(|root| schema.get_object(root));
    let real: BTreeSet<&str> = roots.flat_map(|root| root.fields.keys().map(apollo_compiler::Name::as_str)).collect();
    assert!(real.len() > least, "only {real:?}");
    assert_eq!(told, real);
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    let links = README.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let files: Vec<&str> = links.filter(|link| !link.starts_with("http")).collect();
    assert!(files.len() > 5, "only {files:?}");
    for file in files {
        assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file} is not there");
    }
}
