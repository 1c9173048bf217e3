//! Each rule fires on what it forbids and is silent on what it allows: a rule that cannot fire is no rule.

use crate::rules::{Source, Violation, database_crates, directions, invariants, lengths, only_in, pure_billing, versions, words};

/// Where the violations are, as `path:line`.
fn places(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(|violation| format!("{}:{}", violation.path, violation.line)).collect()
}

fn one(path: &str, text: &str) -> Vec<Source> {
    vec![Source::new(path, text)]
}

#[test]
fn a_use_against_the_direction_is_found() {
    for (path, text) in [
        ("src/billing/period.rs", "use crate::clock::Clock;"),
        ("src/billing/period.rs", "fn f() -> crate::store::Tenant {}"),
        ("src/money.rs", "use crate::billing::Period;"),
        ("src/money.rs", "use super::services;"),
        ("src/adapters/mail.rs", "use crate::{error::Error, store::Tenant};"),
        ("src/adapters/mail.rs", "use crate::http::Guard;"),
        ("src/services/billing.rs", "use crate::graphql::page;"),
        ("src/services/billing.rs", "use super::super::http;"),
        ("src/graphql/invoice.rs", "use crate::http::Guard;"),
        ("src/graphql/invoice.rs", "use crate::store::entity::invoice;"),
        ("src/graphql/invoice.rs", "use crate::adapters::mail;"),
        ("src/store/tenant.rs", "use crate::services::Billing;"),
        ("src/worker/mod.rs", "use crate::graphql::Schema;"),
        ("src/http/mod.rs", "use crate::app::App;"),
        ("src/app.rs", "use crate::cli::Args;"),
        ("src/main.rs", "use evolve_business::store::Tenant;"),
        ("src/elsewhere/mod.rs", ""),
    ] {
        assert_eq!(places(&directions(&one(path, text))), [format!("{path}:1")], "{text}");
    }
}

#[test]
fn a_use_in_the_direction_is_allowed() {
    for (path, text) in [
        ("src/billing/period.rs", "use crate::{money::Money, ids::*, billing::tax}; use super::tax; // crate::store"),
        ("src/graphql/invoice.rs", "use crate::store::Invoice; use crate::services::Billing; const A: &str = \"crate::http::X\";"),
        ("src/store/tenant.rs", "use crate::store::entity::invoice; use super::entity;"),
        ("src/lib.rs", "pub mod store; pub(crate) use crate::store::Tenant;"),
        ("src/main.rs", "fn main() { evolve_business::cli::main() }"),
        ("tests/it/store.rs", "use crate::store::entity::invoice;"),
    ] {
        assert_eq!(places(&directions(&one(path, text))), [""; 0], "{text}");
    }
}

#[test]
fn a_crate_of_the_database_outside_the_store_is_found() {
    let text = "//! sea_orm\nuse sea_orm::DbErr;";
    for path in ["src/services/billing.rs", "src/app.rs", "src/cli/migrate.rs", "src/graphql/mod.rs"] {
        assert_eq!(places(&database_crates(&one(path, text))), [format!("{path}:2")]);
    }
    assert_eq!(places(&database_crates(&one("src/store/tenant.rs", text))), [""; 0]);
    assert_eq!(places(&database_crates(&one("src/adapters/payment/stripe.rs", "use sqlx::Row;"))), ["src/adapters/payment/stripe.rs:1"]);
    assert_eq!(places(&database_crates(&one("src/adapters/payment/sandbox/file.rs", "use sqlx::Row;"))), [""; 0]);
}

#[test]
fn a_file_of_more_than_400_lines_of_code_is_found() {
    let long = |lines: usize| one("src/a.rs", &"// why\nuse b;\n\n".repeat(lines));
    assert_eq!(places(&lengths(&long(400), &[])), [""; 0]);
    assert_eq!(places(&lengths(&long(401), &[])), ["src/a.rs:1"]);
    // A string counts with all its lines.
    assert_eq!(places(&lengths(&one("src/a.rs", &format!("const A: &str = \"{}\";", "\n".repeat(401))), &[])), ["src/a.rs:1"]);
}

#[test]
fn an_allowance_for_a_long_file_only_shrinks() {
    let long = |lines: usize| one("src/a.rs", &"use b;\n".repeat(lines));
    let listed = &[("src/a.rs", 450, "one table")];
    for (lines, violations) in [(451, 1), (450, 0), (425, 0), (424, 1), (400, 1)] {
        assert_eq!(lengths(&long(lines), listed).len(), violations, "{lines}");
    }
    assert_eq!(places(&lengths(&[], listed)), ["src/a.rs:0"]);
}

#[test]
fn what_is_not_pure_in_billing_is_found() {
    for text in ["async fn f() {}", "let a: f64;", "1f32", "2.5f64", "Timestamp::now()", "tokio::spawn(x)", "rand::rng()"] {
        assert_eq!(places(&pure_billing(&one("src/billing/tax.rs", text))), ["src/billing/tax.rs:1"], "{text}");
        assert_eq!(places(&pure_billing(&one("src/worker/mod.rs", text))), [""; 0], "{text}");
    }
    assert_eq!(
        places(&pure_billing(&one("src/billing/tax.rs", "/// async f64\nfn at(now: Timestamp) { 0xf64 }"))),
        ["src/billing/tax.rs:2"]
    );
}

#[test]
fn what_is_listed_is_allowed_there_alone_and_must_still_be_there() {
    let patterns: &[&[&str]] = &[&["TenantScope", "::"], &[".", "system", "("]];
    let sources = [
        Source::new("src/a.rs", "let a = TenantScope::of(row);"),
        Source::new("src/b.rs", "// TenantScope::\nuse crate::TenantScope;\nlet b = store.system();"),
        Source::new("src/c.rs", "fn system() {} struct TenantScope { system: () }"),
    ];
    assert_eq!(places(&only_in(&sources, "r", &[], patterns)), ["src/a.rs:1", "src/b.rs:3"]);
    assert_eq!(places(&only_in(&sources, "r", &[("src/a.rs", "why"), ("src/b.rs", "why")], patterns)), [""; 0]);
    let stale = [("src/a.rs", "why"), ("src/b.rs", "why"), ("src/c.rs", "why"), ("src/d.rs", "why")];
    assert_eq!(places(&only_in(&sources, "r", &stale, patterns)), ["src/d.rs:0", "src/c.rs:0"]);
    assert_eq!(places(&only_in(&sources[..1], "r", &[("src/a.rs", "")], patterns)), ["src/a.rs:0"], "a reason is part of it");
}

#[test]
fn an_expectation_of_a_banned_call_is_found_in_an_attribute() {
    let source = one("src/a.rs", "#[expect(clippy::disallowed_methods, reason = \"no\")]\nfn f() {}");
    assert_eq!(places(&only_in(&source, "r", &[], &[&["disallowed_methods"]])), ["src/a.rs:1"]);
}

#[test]
fn words_from_elsewhere_and_unfinished_marks_are_found() {
    for text in [
        concat!("see BILLING", ".md 2.2"),
        concat!("cd /wo", "rk/main"),
        concat!("../sh", "ared/tools"),
        concat!("// TO", "DO: later"),
        concat!("(FIX", "ME)"),
        concat!("# X", "XX"),
    ] {
        assert_eq!(places(&words(&one("docs/a.md", &format!("fine\n{text}")))), ["docs/a.md:2"], "{text}");
    }
    assert_eq!(places(&words(&one("a.sh", "mktemp evolve-XXXXXX; billing.md; TODOS; network/work"))), [""; 0]);
}

#[test]
fn an_invariant_without_a_living_test_is_found() {
    let map = |text: &str| Source::new("src/lib.rs", text);
    let tests = || Source::new("tests/it/a.rs", "async fn a_sentence(db: Db) {}\n// fn gone");
    let head = "//! # Map\n//! 1. no invariant\n//! # Invariants\n";
    let found = |item: &str| places(&invariants(&[map(&format!("{head}{item}\n//!\n//! # Glossary\n//! 2. none\n")), tests()]));
    assert_eq!(found("//! 1. It holds\n//!    (test: `a_sentence`)."), [""; 0]);
    assert_eq!(found("//! 1. It holds (tests: `it::a_sentence`, `a_sentence`)."), [""; 0]);
    assert_eq!(found("//! 1. It holds."), ["src/lib.rs:4"]);
    assert_eq!(found("//! 1. It holds; test: a_sentence"), ["src/lib.rs:4"]);
    assert_eq!(found("//! 1. It holds; test: `a_sentence`\n//! 2. And this; tests: `a_sentence`, `gone`"), ["src/lib.rs:5"]);
}

#[test]
fn a_second_version_and_a_banned_crate_are_found() {
    let lock = |extra: &str| {
        let names = crate::lists::ONE_VERSION.iter().map(|name| format!("[[package]]\nname = \"{name}\"\nversion = \"1\"\n"));
        Source::new("Cargo.lock", names.collect::<String>() + extra)
    };
    assert_eq!(places(&versions(&lock(""))), [""; 0]);
    assert_eq!(versions(&lock("name = \"sqlx\"\n")).len(), 1);
    assert_eq!(versions(&lock("name = \"openssl-sys\"\n")).len(), 1);
    assert_eq!(versions(&Source::new("Cargo.lock", "")).len(), crate::lists::ONE_VERSION.len());
}
