//! Logs: lines by `tracing` on stderr, for a person or as JSON, with panics among them.
//!
//! stdout belongs to what a command prints. No secret is ever a field of a line.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{LogFormat, LogSettings};

/// Logs cannot be switched on.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is none.
    #[error("the log filter is wrong")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// They are on already.
    #[error("logs are switched on already")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Switches logs on for the whole process, and has panics logged. Once, at start.
///
/// # Errors
/// Where the filter is wrong, or logs are on already.
pub fn init(settings: &LogSettings) -> Result<(), TelemetryError> {
    let colours = std::io::stderr().is_terminal();
    tracing::subscriber::set_global_default(subscriber(settings, colours, std::io::stderr)?)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn subscriber<W>(settings: &LogSettings, colours: bool, writer: W) -> Result<impl Subscriber + Send + Sync, TelemetryError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(&settings.filter)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match settings.format {
        LogFormat::Human => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(true).boxed(),
    };
    Ok(Registry::default().with(filter).with(lines))
}

/// One line for a panic: where it was, what it said, and the stack where `RUST_BACKTRACE` asks for it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let backtrace = Backtrace::capture();
    let thread = std::thread::current();
    tracing::error!(
        thread = thread.name().unwrap_or("unnamed"),
        at = panic.location().map(tracing::field::display),
        backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(&backtrace)),
        "panicked: {}",
        panic.payload_as_str().unwrap_or("without a message"),
    );
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str, work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let settings = LogSettings { filter: filter.to_owned(), format };
        let subscriber = subscriber(&settings, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_carries_its_fields_and_its_spans() {
        let text = logged(LogFormat::Json, "info", || {
            let _span = tracing::info_span!("request", request_id = "r1").entered();
            tracing::info!(invoice = "inv_1", "paid");
        });
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!((&line["level"], &line["message"], &line["invoice"]), (&"INFO".into(), &"paid".into(), &"inv_1".into()));
        assert_eq!(line["spans"][0]["request_id"], "r1");
    }

    #[test]
    fn a_line_for_people_is_plain_text_where_there_is_no_terminal() {
        let text = logged(LogFormat::Human, "info", || tracing::warn!(invoice = "inv_1", "overdue"));
        assert!(text.contains("WARN") && text.contains("overdue invoice=\"inv_1\""), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn lines_below_the_filter_are_left_out() {
        let text = logged(LogFormat::Human, "warn,evolve_business=error", || {
            tracing::info!("too quiet");
            tracing::warn!("too quiet for its target");
            tracing::warn!(target: "other", "loud enough");
            tracing::error!("very loud");
        });
        assert!(!text.contains("too quiet") && text.contains("loud enough") && text.contains("very loud"), "{text}");
    }

    #[test]
    fn a_panic_is_a_line_with_its_place() {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(log_panic));
        let text = logged(LogFormat::Json, "error", || {
            assert!(std::panic::catch_unwind(|| panic!("the ledger does not balance: {}", 7)).is_err());
        });
        std::panic::set_hook(before);
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["message"], "panicked: the ledger does not balance: 7");
        assert!(line["at"].as_str().unwrap().starts_with("src/telemetry/logs.rs:"), "{line}");
    }

    #[test]
    fn a_wrong_filter_is_an_error() {
        let settings = LogSettings { filter: "info,x=loud".to_owned(), format: LogFormat::Human };
        assert!(matches!(subscriber(&settings, false, std::io::sink), Err(TelemetryError::Filter(_))));
    }
}
