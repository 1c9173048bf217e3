//! `mail preview`: prints a mail as it goes out, with the samples of the catalogue of events.

use super::terminal;
use crate::error::Cause;
use crate::services::notifications::preview;

/// Where the links of a preview lead.
const APP_URL: &str = "https://app.example.com";

/// Prints the mail of a kind: subject and text, or the HTML alone.
pub(super) fn preview(kind: &str, locale: &str, html: bool) -> Result<(), Cause> {
    let Some(mail) = preview::mail(kind, locale, APP_URL)? else {
        return Err(format!("There is no mail of the kind {kind:?}; there are: {}.", preview::kinds().join(", ")).into());
    };
    let page = if html { mail.html } else { format!("Subject: {}\n\n{}", mail.subject.as_str(), mail.text) };
    Ok(terminal::say(page.trim_end())?)
}
