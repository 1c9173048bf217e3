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

#[cfg(test)]
mod tests {
    use super::super::file::parse;
    use super::super::file_tests::{DEMO, HEAD, problems};
    use super::*;

    #[test]
    fn what_verification_asks_for_is_read_by_country_and_is_there_without_a_word() {
        let of = |tail: &str| parse(&format!("{HEAD}{tail}")).unwrap().verification;
        let told = |rules: Vec<VerificationRule>| -> Vec<(Option<&str>, Vec<&str>, i32)> {
            let names = |rule: &VerificationRule| rule.documents.iter().map(|kind| kind.as_str()).collect();
            rules.iter().map(|rule| (rule.country, names(rule), rule.approval_days)).collect()
        };
        assert_eq!(told(of("")), [(None, vec!["CERTIFICATE_OF_INCORPORATION", "DIRECTOR_ID"], 365)]);
        let written = "[verification]\ndocuments = ['sacco_licence']\napproval_days = 30\n\
            [[verification.countries]]\ncountry = 'KE'\ndocuments = ['tax_certificate', 'director_id']\napproval_days = 3650\n";
        assert_eq!(told(of(written)), [(None, vec!["SACCO_LICENCE"], 30), (Some("KE"), vec!["TAX_CERTIFICATE", "DIRECTOR_ID"], 3650)]);
        let demo: Vec<Option<&str>> = parse(DEMO).unwrap().verification.iter().map(|rule| rule.country).collect();
        assert_eq!(demo, [None, Some("KE"), Some("UG"), Some("TZ"), Some("NG")]);
        for (change, to, expected) in [
            ("approval_days = 30\n", "", "`approval_days` is missing."),
            ("approval_days = 30", "approval_days = 0", "`approval_days` must be a whole number from 1 to 3650, without quotes."),
            ("['sacco_licence']", "[]", "`documents` must not be empty."),
            ("'tax_certificate', 'director_id'", "'director_id', 'director_id'", "`documents` names something twice."),
            ("country = 'KE'", "country = 'XX'", "`country` \"XX\" is no country of ISO 3166-1 alpha-2."),
            ("country = 'KE'", "country = 'KE'\nlevel = 1", "`level` is not known here; known are country, documents, approval_days."),
        ] {
            let found = problems(&format!("{HEAD}{}", written.replace(change, to)));
            assert!(found.len() == 1 && found[0].ends_with(expected), "{to}: {found:?}");
        }
        let twice = format!("{written}[[verification.countries]]\ncountry = 'KE'\ndocuments = ['director_id']\napproval_days = 1\n");
        let found = problems(&format!("{HEAD}{twice}"));
        assert!(found.len() == 1 && found[0].contains("`country` has its documents already, in line "), "{found:?}");
    }
}
