//! `keys`: the keys that protect what is stored sealed.

use jiff::SignedDuration;

use super::{serve, terminal, told};
use crate::app::App;
use crate::config::Settings;
use crate::error::Cause;
use crate::services::sealing;

/// Wraps every key under the present master key; with `reseal`, replaces the keys of businesses that are at least so many days old.
pub(super) async fn rotate(settings: Settings, reseal: Option<u16>) -> Result<(), Cause> {
    serve::prepare(&settings).await?;
    let app = App::build(&settings).await?;
    let age = reseal.map(|days| SignedDuration::from_hours(i64::from(days).saturating_mul(24)));
    let before = age.map(|age| app.ports.real_now().checked_sub(age)).transpose()?.map(Into::into);
    let rotated = sealing::rotate(&app.ports, before).await;
    app.close().await?;
    let done = rotated.map_err(told)?;
    let others = if done.left.is_empty() { "no other is left" } else { "what is left is named below" };
    terminal::say(&format!("Keys wrapped under EVOLVE_MASTER_KEY now: {}; {others}.", done.rewrapped))?;
    if done.sealed > 0 {
        terminal::say(&format!("Values that lay in plain and are sealed now: {}.", done.sealed))?;
    }
    if reseal.is_some() {
        terminal::say(&format!("Businesses with a new key: {}; files sealed anew: {}.", done.replaced, done.files))?;
    }
    for sentence in &done.left {
        terminal::say(&format!("LEFT {sentence}"))?;
    }
    if done.left.is_empty() { Ok(()) } else { Err(format!("{} are left as they were.", done.left.len()).into()) }
}
