//! What the process logs, as far as it says something that no log may have.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::world_privacy::{PHONE, TAX_ID};

/// What is personal in these tests, and said by nothing else. Of a mark of [`crate::world_privacy::mark`], its beginning.
pub(crate) const PERSONAL: [&str; 4] = ["canary.", TAX_ID, PHONE, "1 Moi Avenue"];
/// The default of the settings, and all that we could say ourselves.
const FILTER: &str = "info,evolve_business=trace";

/// The lines of this process.
#[derive(Default)]
pub(crate) struct Logs {
    /// Those that say something personal.
    personal: Mutex<Vec<String>>,
    /// Those of slow operations.
    slow: Mutex<Vec<String>>,
}

/// Begins to listen, once in this process: other tests that run meanwhile are heard too, and may say nothing personal either.
pub(crate) fn listening() -> &'static Logs {
    static LOGS: OnceLock<Logs> = OnceLock::new();
    let mut is_first = false;
    let logs = LOGS.get_or_init(|| {
        is_first = true;
        Logs::default()
    });
    if is_first {
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(logs);
        let filter = EnvFilter::builder().parse(FILTER).unwrap();
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(lines)).unwrap();
    }
    logs
}

impl Logs {
    /// The lines that say something personal. A line of its own shows that it would have heard one.
    pub(crate) fn personal(&self) -> Vec<String> {
        static SAMPLES: AtomicUsize = AtomicUsize::new(0);
        let sample = format!("canary.sample.{}.", SAMPLES.fetch_add(1, Ordering::SeqCst));
        tracing::info!(target: "evolve_business", sample, "said by a test");
        let heard = self.personal.lock().unwrap().clone();
        assert!(heard.iter().any(|line| line.contains(&sample)), "nothing is heard at all");
        heard.into_iter().filter(|line| !line.contains("canary.sample.")).collect()
    }
}

impl Logs {
    /// The lines of slow operations of this request.
    pub(crate) fn slow(&self, request_id: &str) -> Vec<String> {
        let id = format!("request_id=\"{request_id}\"");
        self.slow.lock().unwrap().iter().filter(|line| line.contains(&id)).cloned().collect()
    }
}

impl io::Write for &Logs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if PERSONAL.iter().any(|personal| text.contains(personal)) {
            self.personal.lock().unwrap().push(text.clone().into_owned());
        }
        if text.contains("an operation was slow") {
            self.slow.lock().unwrap().push(text.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for &'static Logs {
    type Writer = Self;

    fn make_writer(&self) -> Self::Writer {
        self
    }
}
