//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use evolve_business::cli::{self, Cli, terminal};

/// An answer is some thousands of small allocations, which this makes cheaper than libc does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What tells the allocator how many milliseconds to keep pages that are free.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

/// Starts the program anew, as the same process, with an allocator that gives free pages back at once. Otherwise it looks
/// after pages it has kept only when its thread frees others, so that a server which has nothing to do holds what its
/// start took: more than half of its memory. It reads its settings before `main`, and only from the environment, where an
/// operator's own setting stands. Where the program cannot be started anew, it goes on as it is.
#[cfg(unix)]
fn give_memory_back() {
    use std::os::unix::process::CommandExt as _;
    let mut arguments = std::env::args_os();
    if std::env::var_os(PURGE_DELAY).is_some() {
        return;
    }
    if let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) {
        // It returns only where it failed, and then nothing has changed.
        let _failed = std::process::Command::new(program).arg0(name).args(arguments).env(PURGE_DELAY, "0").exec();
    }
}

#[cfg(not(unix))]
fn give_memory_back() {}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.runs_on() {
        give_memory_back();
    }
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
        Err(error) => match terminal::complain(&format!("The threads of the server cannot be started: {error}.")) {
            Ok(()) | Err(_) => ExitCode::FAILURE,
        },
    }
}
