//! What a server holds that has nothing to do.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The most that a server without work may hold beside the pages of its program, right after its first start has made the
/// demo data: a quarter of it is used.
const MOST_KB: u64 = 40_000;

/// Killed when it is dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // A server that has ended already is what is wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A figure of `/proc/PID/status`, in kilobytes.
fn status_kb(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

#[test]
fn an_idle_server_holds_no_memory_that_its_start_took() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolve-business"));
    command.env_clear().current_dir(folder.path()).args(["--listen", "127.0.0.1:0"]);
    let mut served = Served(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let said = BufReader::new(served.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let greeting: Vec<String> = said.take(3).collect();
    assert!(greeting.last().is_some_and(|line| line.starts_with("Sign in as")), "{greeting:?}");
    // The process that was started is the one that serves, by now with pages that nobody uses given back.
    let mut held = u64::MAX;
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(100));
        held = status_kb(served.0.id(), "RssAnon:");
        if held <= MOST_KB {
            return;
        }
    }
    panic!("{held} kB are held");
}
