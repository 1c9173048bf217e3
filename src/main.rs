//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use evolve_business::cli::{self, Cli, terminal};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
        Err(error) => match terminal::complain(&format!("The threads of the server cannot be started: {error}.")) {
            Ok(()) | Err(_) => ExitCode::FAILURE,
        },
    }
}
