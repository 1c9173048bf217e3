//! Reads what the catalogue file asks of a business that is to be verified, by country.

use std::collections::BTreeMap;

use super::file::VerificationRule;
use super::file_reader::Section;
use super::file_values::{choices, country, whole};
use crate::store::types::DocumentKind;

/// The most days for which an approval holds.
const MAX_APPROVAL_DAYS: i64 = 3_650;

/// The rule for every country that has none of its own, where the file says nothing.
pub(super) fn usual() -> VerificationRule {
    let documents = vec![DocumentKind::CertificateOfIncorporation, DocumentKind::DirectorId];
    VerificationRule { country: None, documents, approval_days: 365 }
}

/// The rules: first the one for every country that has none of its own.
pub(super) fn read_verification(section: Option<Section<'_>>) -> Vec<VerificationRule> {
    let Some(mut section) = section else { return vec![usual()] };
    let mut rules = Vec::new();
    let countries = section.tables("countries");
    rules.extend(read_rule(section, None));
    let mut first_lines = BTreeMap::new();
    for mut section in countries {
        let Some(code) = section.need("country", country) else { continue };
        let line = section.line_of("country");
        if let Some(first) = first_lines.insert(code, line) {
            section.problem("country", &format!("has its documents already, in line {first}."));
        }
        rules.extend(read_rule(section, Some(code)));
    }
    rules
}

fn read_rule(mut section: Section<'_>, country: Option<&'static str>) -> Option<VerificationRule> {
    let documents = section.need("documents", |value| choices(value, KINDS));
    let days = section.need("approval_days", whole(1, MAX_APPROVAL_DAYS));
    section.finish();
    Some(VerificationRule { country, documents: documents?, approval_days: i32::try_from(days?).ok()? })
}

const KINDS: &[(&str, DocumentKind)] = &[
    ("certificate_of_incorporation", DocumentKind::CertificateOfIncorporation),
    ("tax_certificate", DocumentKind::TaxCertificate),
    ("business_permit", DocumentKind::BusinessPermit),
    ("director_id", DocumentKind::DirectorId),
    ("proof_of_address", DocumentKind::ProofOfAddress),
    ("sacco_licence", DocumentKind::SaccoLicence),
];
