//! The mail to support about what gateways list and our rows do not have, or have otherwise. It concerns no business, so it is no row of
//! one: it is handed over at once, and what it tells of is marked as told after that.

use serde_json::json;

use super::letters;
use crate::adapters::mail::{Mail, MailAddress};
use crate::error::{Error, Failure, Outcome};
use crate::services::Ports;

/// The mail.
pub const GATEWAY_DIFFERENCES: &str = "gateway.differences";
/// What a line of it looks like.
pub(super) const SAMPLE: &str = "stripe, 2027-02-20: CHARGE pi_3Nx NOT_HERE: here nothing, there moved KES 34.80";
/// The most lines that it has; staff see them all.
const MOST_LINES: usize = 20;

/// Mails `lines` to support; nothing where support has no address. One that a mail server refuses for good is an error in the log.
///
/// # Errors
/// [`Error::Adapter`] where the server may take the mail later.
pub async fn tell_of_differences(ports: &Ports, lines: &[String]) -> Outcome<()> {
    let Some(to) = ports.support_email.as_deref().and_then(MailAddress::parse) else { return Ok(()) };
    let shown = lines.get(..MOST_LINES).unwrap_or(lines);
    let letter = letters::letter(GATEWAY_DIFFERENCES, "en", &json!({ "count": lines.len(), "lines": shown }), "")?;
    let mail = Mail { id: ports.ids.next_uuid(), to, subject: letter.subject, text: letter.text, html: Some(letter.html) };
    match ports.mailer.send(&mail).await {
        Ok(()) => Ok(()),
        Err(error) if error.transient => Err(Failure::Fault(Error::Adapter(Box::new(error)))),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the mail about what gateways list was refused; somebody must look");
            Ok(())
        }
    }
}
