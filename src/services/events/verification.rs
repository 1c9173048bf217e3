//! What events tell of the verification of a business.

use serde::{Deserialize, Serialize};

/// A business's verification as it was when something happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerificationFacts {
    /// The business.
    pub business_id: String,
    /// How far it has come.
    pub status: String,
    /// Why, in words for the customer.
    pub reason: Option<String>,
    /// The kinds of documents that are to be shown anew.
    pub missing: Vec<String>,
    /// When the approval runs out, where there is one.
    pub expires_at: Option<String>,
    /// When it happened.
    pub at: String,
}

/// What may happen to a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerificationWhat {
    /// The business submitted what is asked for.
    Submitted,
    /// It was approved.
    Approved,
    /// It was rejected.
    Rejected,
    /// Something else is to be shown.
    NeedsInformation,
    /// The approval has run out.
    Expired,
}

impl VerificationWhat {
    /// Each of them, with the event's name.
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Submitted, "verification.submitted"),
        (Self::Approved, "verification.approved"),
        (Self::Rejected, "verification.rejected"),
        (Self::NeedsInformation, "verification.needs_information"),
        (Self::Expired, "verification.expired"),
    ];

    /// The event's name.
    pub(super) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(what, _)| *what == self).map_or("verification.changed", |(_, name)| name)
    }

    /// A verification as it stands after it.
    pub(super) fn sample(self) -> VerificationFacts {
        let (status, reason, missing): (_, _, &[&str]) = match self {
            Self::Submitted => ("PENDING", None, &[]),
            Self::Approved => ("APPROVED", None, &[]),
            Self::Rejected => ("REJECTED", Some("The registrar does not know this number."), &[]),
            Self::NeedsInformation => ("NEEDS_INFORMATION", Some("The certificate cannot be read."), &["TAX_CERTIFICATE"]),
            Self::Expired => ("EXPIRED", None, &[]),
        };
        VerificationFacts {
            business_id: "biz_01k2x3y4z5e8f9g0h1j2k3m4n5".to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            missing: missing.iter().map(|kind| (*kind).to_owned()).collect(),
            expires_at: (self == Self::Approved).then(|| "2029-01-31T21:00:00Z".to_owned()),
            at: "2027-01-31T09:00:00Z".to_owned(),
        }
    }
}
