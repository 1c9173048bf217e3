//! What a server holds that has nothing to do, and what its caches hold at most.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use evolve_business::graphql::front_door::{FrontDoor, GraphqlRequest, Limits, Method};

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

/// What the cache of parsed documents may hold here.
const CACHE_BYTES: u64 = 32 << 20;

/// Documents that are read into much for the length of their text, each a form of its own, and each time another.
fn dense(form: usize, index: usize) -> String {
    let mut text = String::new();
    match form {
        0 => write!(text, "query q{index}{{profile{{{}}}}}", "id ".repeat(1_500)).unwrap(),
        1 => (0..50)
            .for_each(|operation| write!(text, "query q{index}_{operation}($a:Int){{invoices(first:$a){{nodes{{id ...f}}}}}}").unwrap()),
        2 => write!(text, "query q{index}{{nodes(ids:[{}]){{id}}}}", "1,".repeat(100)).unwrap(),
        _ => {
            write!(text, "query q{index}{{profile{{{}}}}}", "...{id}".repeat(400)).unwrap();
        }
    }
    if form == 1 {
        text.push_str("fragment f on Invoice{id number status}");
    }
    text
}

#[test]
fn the_cache_of_parsed_documents_holds_no_more_than_it_is_given() {
    for form in 0..4 {
        let limits = Limits { cache_bytes: CACHE_BYTES, ..Limits::default() };
        let door = FrontDoor::new(include_str!("../schema.graphql"), limits).unwrap();
        let admit = |index: usize| {
            let request = GraphqlRequest { query: Some(dense(form, index)), ..GraphqlRequest::default() };
            door.admit(request, Method::Post).err().filter(|refusal| !refusal.to_string().contains("several operations"))
        };
        assert_eq!(admit(0), None, "form {form}");
        let (before, each) = (status_kb(std::process::id(), "RssAnon:"), door.cached().1);
        let count = usize::try_from(CACHE_BYTES.saturating_mul(3) / 2 / each).unwrap();
        for index in 1..count {
            assert_eq!(admit(index), None);
        }
        let (documents, bytes) = door.cached();
        let held_kb = status_kb(std::process::id(), "RssAnon:").saturating_sub(before);
        println!("form {form}: {documents} documents count as {} kB, and {held_kb} kB are held", bytes / 1_024);
        assert!(bytes <= CACHE_BYTES && bytes > CACHE_BYTES / 2, "{bytes} of {CACHE_BYTES} bytes");
        // With what the allocator keeps of what was only read through.
        assert!(held_kb <= CACHE_BYTES / 1_024 * 3 / 2, "form {form}: {held_kb} kB are held");
    }
}
