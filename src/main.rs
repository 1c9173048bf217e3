//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use evolve_business::cli::{self, Cli, terminal};

/// An answer is some thousands of small allocations, which this makes cheaper than libc does; and what a burst of password
/// hashes took (19 MiB each) goes back to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
        Err(error) => match terminal::complain(&format!("The threads of the server cannot be started: {error}.")) {
            Ok(()) | Err(_) => ExitCode::FAILURE,
        },
    }
}
