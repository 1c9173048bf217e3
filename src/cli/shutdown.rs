//! The wish to stop: SIGTERM (a supervisor) or SIGINT (Ctrl-C).

use std::future::Future;

/// Listens from now on, and waits for the first signal to stop; names it. Called again, it waits for the next:
/// the second one is the wish to stop at once.
///
/// # Errors
/// Where the process may not listen for signals.
#[cfg(unix)]
pub fn signal() -> std::io::Result<impl Future<Output = &'static str> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Waits for Ctrl-C.
///
/// # Errors
/// Where the process may not listen for it.
#[cfg(not(unix))]
pub fn signal() -> std::io::Result<impl Future<Output = &'static str> + Send> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => "no signal can be heard",
        }
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn each_signal_to_stop_is_heard_by_name() {
        for (flag, name) in [("-TERM", "SIGTERM"), ("-INT", "SIGINT")] {
            let heard = signal().unwrap();
            let sent = Command::new("kill").args([flag, &std::process::id().to_string()]).status().unwrap();
            assert!(sent.success());
            assert_eq!(tokio::time::timeout(Duration::from_secs(10), heard).await.unwrap(), name);
        }
    }
}
