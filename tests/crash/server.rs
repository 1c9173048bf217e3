//! The program itself, as an operator starts it.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::database::TestDatabase;

/// How long a start may take.
const STARTED_WITHIN_LOOKS: u32 = 600;
const LOOK: Duration = Duration::from_millis(100);

/// A server that runs; killed at the latest when it is dropped.
pub(crate) struct Server {
    child: Child,
    base: String,
    log: PathBuf,
}

/// Fills the catalogue, so that the server finds one and makes no demo business, whose payments would be in the way.
pub(crate) fn seed(db: &TestDatabase) {
    run(db, &["seed"]);
}

/// Runs a command of the program, which must succeed, and answers what it says.
pub(crate) fn run(db: &TestDatabase, arguments: &[&str]) -> String {
    let output = command(db).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    said
}

fn command(db: &TestDatabase) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolve-business"));
    // Nothing from around the test: no settings of whoever runs it.
    command.env_clear().current_dir(db.dir.path()).stdin(Stdio::null());
    command.env("DATABASE_URL", &db.url).env("EVOLVE_MIGRATION_URL", &db.migration_url).env("EVOLVE_DATA_DIR", db.dir.path());
    // The issuer of tokens, which are to be good after a restart on another port.
    command.env("EVOLVE_PUBLIC_URL", "http://evolve.test");
    command
}

/// A port on which nobody listens.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Server {
    /// Starts the server with more settings in its environment, and waits until it is ready.
    pub(crate) async fn start(db: &TestDatabase, environment: &[(&str, &str)]) -> Self {
        Self::start_at(free_port(), db, environment).await
    }

    /// The same, on a port that somebody was told of before.
    pub(crate) async fn start_at(port: u16, db: &TestDatabase, environment: &[(&str, &str)]) -> Self {
        let log = db.dir.path().join(format!("server-{port}.log"));
        let file = File::create(&log).unwrap();
        let mut command = command(db);
        command.arg("serve").env("EVOLVE_LISTEN", format!("127.0.0.1:{port}")).envs(environment.iter().copied());
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let mut server = Self { child, base: format!("http://127.0.0.1:{port}"), log };
        let mut looks = tokio::time::interval(LOOK);
        for _ in 0..STARTED_WITHIN_LOOKS {
            looks.tick().await;
            let ready = reqwest::get(format!("{}/readyz", server.base)).await;
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return server;
            }
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server did not start ({status}): {}", server.log());
            }
        }
        panic!("the server is not ready: {}", server.log());
    }

    /// Where it is reached.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}/graphql", self.base)
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// `kill -9`: nothing of its own runs any more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended; fails where that takes longer than `within`.
    pub(crate) async fn stop(&mut self, within: Duration) -> ExitStatus {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let ended = async {
            let mut looks = tokio::time::interval(LOOK);
            loop {
                looks.tick().await;
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
            }
        };
        let ended = tokio::time::timeout(within, ended).await;
        ended.unwrap_or_else(|_| panic!("still running {within:?} after SIGTERM: {}", self.log()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended already is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
