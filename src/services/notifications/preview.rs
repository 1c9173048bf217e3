//! Mails as they look, with the samples of the catalogue of events: for whoever writes the words.

use serde_json::{Value, json};

use super::letters::{self, Letter};
use super::{
    BUSINESS_RESTORED, BUSINESS_SUSPENDED, CONFIRM_EMAIL, EMAIL_CHANGE, EMAIL_CHANGING, EXPORT_READY, GATEWAY_DIFFERENCES, IDENTITY_LINKED,
    INVITATION, KINDS, PASSWORD_CHANGED, RECOVERY_CODE_USED, RESET_PASSWORD, TWO_FACTOR_DISABLED, TWO_FACTOR_ENABLED, around, differences,
    kinds, merged, worded,
};
use crate::error::Error;
use crate::services::billing::account::zone;
use crate::services::events::Event;
use crate::services::staff::STAFF_RECOVERY_CODE_USED;
use crate::store::types::Channel;

/// Where the sample business is.
const SAMPLE_ZONE: &str = "Africa/Nairobi";

/// The mails that tell of no event.
const OTHERS: [&str; 15] = [
    BUSINESS_RESTORED,
    BUSINESS_SUSPENDED,
    CONFIRM_EMAIL,
    EMAIL_CHANGE,
    EMAIL_CHANGING,
    EXPORT_READY,
    GATEWAY_DIFFERENCES,
    IDENTITY_LINKED,
    PASSWORD_CHANGED,
    RESET_PASSWORD,
    RECOVERY_CODE_USED,
    INVITATION,
    TWO_FACTOR_ENABLED,
    TWO_FACTOR_DISABLED,
    STAFF_RECOVERY_CODE_USED,
];

/// Every kind of mail, by the name that [`mail`] takes.
pub fn kinds() -> Vec<&'static str> {
    KINDS.iter().filter(|kind| kind.comes_by(Channel::Email)).map(|kind| kind.name).chain(OTHERS).collect()
}

/// A mail of a kind; `None` for one that there is not.
///
/// # Errors
/// As [`letters::letter`].
pub fn mail(kind: &str, locale: &str, app_url: &str) -> Result<Option<Letter>, Error> {
    if !kinds().contains(&kind) {
        return Ok(None);
    }
    let mut values = json!({ "business": "Baraka Traders", "name": "Wanjiru Kamau", "count": 1, "lines": [differences::SAMPLE] });
    let mut path = "/…#token=…".to_owned();
    if let Some(event) = Event::samples().into_iter().find(|event| event.name() == kind) {
        path = kinds::path(&event);
        let told: Value = serde_json::from_str(&event.payload()?).map_err(|error| Error::Task(Box::new(error)))?;
        values = worded(merged(merged(values, told), around::sample(&event)), &zone(SAMPLE_ZONE)?, locale)?;
    }
    letters::letter(kind, locale, &values, &format!("{app_url}{path}")).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_mail_is_printed_in_every_language() {
        for kind in kinds() {
            let mails = ["en", "sw"].map(|locale| mail(kind, locale, "https://app.example").unwrap().unwrap());
            assert_ne!(mails[0], mails[1], "{kind}");
            // Support answers at an address that is no part of the application, and staff have none of ours.
            let is_for_us = [STAFF_RECOVERY_CODE_USED, GATEWAY_DIFFERENCES].contains(&kind);
            let leads = !is_for_us && KINDS.iter().all(|one| one.name != kind || !one.to_support);
            for mail in mails.into_iter().filter(|_| leads) {
                assert!(
                    mail.text.contains("https://app.example") && mail.html.contains("https:&#x2f;&#x2f;app.example"),
                    "{kind}: {}",
                    mail.html
                );
            }
        }
        assert_eq!(mail("no.such", "en", "").unwrap(), None);
    }
}
