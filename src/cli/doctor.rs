//! `doctor` and `audit verify`: whether what is stored holds together. Both read one state of the database and change
//! nothing: they need no key, and make none.

use super::{terminal, told};
use crate::app::open_store;
use crate::config::Settings;
use crate::error::Cause;
use crate::services::{audit, doctor};

/// Makes every check of the database, says what each found, and fails where anything is wrong.
pub(super) async fn examine(settings: Settings) -> Result<(), Cause> {
    let store = open_store(&settings).await?;
    let examined = doctor::examine(&store).await;
    store.close().await?;
    let mut wrong: usize = 0;
    for check in examined.map_err(told)? {
        let mark = if check.findings.is_empty() { "ok   " } else { "WRONG" };
        terminal::say(&format!("{mark} {}: {}", check.name, check.holds))?;
        for finding in &check.findings {
            terminal::say(&format!("        {finding}"))?;
        }
        wrong = wrong.saturating_add(check.findings.len());
    }
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} things are wrong.").into()) }
}

/// Recomputes every audit chain, and fails where one does not hold.
pub(super) async fn verify_audit(settings: Settings) -> Result<(), Cause> {
    let store = open_store(&settings).await?;
    let verified = audit::verify(&store).await;
    store.close().await?;
    let verified = verified.map_err(told)?;
    for broken in &verified.breaks {
        let chain = broken.chain.map_or_else(|| "the platform".to_owned(), |business| business.to_string());
        terminal::say(&format!("WRONG {chain}, after event {}: {}", broken.after, broken.what))?;
    }
    if verified.breaks.is_empty() {
        terminal::say(&format!("{} events in {} chains are as they were written.", verified.events, verified.chains))?;
        return Ok(());
    }
    Err(format!("{} of {} chains do not hold.", verified.breaks.len(), verified.chains).into())
}
