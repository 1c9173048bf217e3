//! The program itself, started by this example as another process: the example runs as the program where its environment says
//! so. Nothing has to be built beside it.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::database::TestDatabase;
use crate::drive::Outcome;

/// Set for the process that is to be the program.
const AS_PROGRAM: &str = "LOAD_EXAMPLE_IS_THE_PROGRAM";
/// What differs from the program's defaults: these clients ask more often than people do, and all from one address.
const SETTINGS: &[(&str, &str)] = &[
    ("EVOLVE_REQUESTS_PER_CALLER", "0"),
    ("EVOLVE_REQUESTS_PER_ADDRESS", "0"),
    ("EVOLVE_POINTS_PER_CALLER", "0"),
    ("EVOLVE_POINTS_PER_ADDRESS", "0"),
    ("EVOLVE_LOG", "warn"),
    // As the program sets it for itself; this example does not start itself anew to do so.
    ("MIMALLOC_PURGE_DELAY", "0"),
];
/// How long a start and a stop may take.
const WITHIN: Duration = Duration::from_mins(1);
/// How often a server that starts is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Whether this process is to be the program.
pub(crate) fn is_asked_for() -> bool {
    std::env::var_os(AS_PROGRAM).is_some()
}

/// The program on one database.
pub(crate) struct Program {
    executable: PathBuf,
    settings: Vec<(&'static str, String)>,
    folder: PathBuf,
}

/// A server that runs; killed at the latest when it is dropped.
pub(crate) struct Server {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Program {
    /// The program with this database's settings.
    pub(crate) fn on(db: &TestDatabase) -> Outcome<Self> {
        let executable = std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
        let folder = db.dir.path().to_owned();
        let settings = vec![
            ("DATABASE_URL", db.url.clone()),
            ("EVOLVE_MIGRATION_URL", db.migration_url.clone()),
            ("EVOLVE_DATA_DIR", folder.display().to_string()),
            ("EVOLVE_PUBLIC_URL", "http://evolve.test".to_owned()),
        ];
        Ok(Self { executable, settings, folder })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        // Nothing from around it: no settings of whoever runs it.
        command.env_clear().env(AS_PROGRAM, "1").envs(SETTINGS.iter().copied());
        command.envs(self.settings.iter().map(|(name, value)| (name, value))).current_dir(&self.folder);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command of the program to its end; answers what it says.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Outcome<String> {
        let output = self.command().args(arguments).output().await.map_err(|error| format!("{}: {error}", arguments.join(" ")))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        Err(format!("{}: {}\n{said}{}", arguments.join(" "), output.status, String::from_utf8_lossy(&output.stderr)))
    }

    /// Starts the server on a free port, and waits until it is ready.
    pub(crate) async fn serve(&self) -> Outcome<Server> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| format!("no port is free: {error}"))?;
        let log = self.folder.join("server.log");
        let file = File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
        let (out, err) = file.map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = self.command();
        command.arg("serve").env("EVOLVE_LISTEN", address.to_string()).stdout(out).stderr(err);
        let child = command.spawn().map_err(|error| format!("the server does not start: {error}"))?;
        let server = Server { child, url: format!("http://{address}"), log };
        tokio::time::timeout(WITHIN, server.ready()).await.map_err(|_| format!("the server is not ready:\n{}", server.log()))?;
        Ok(server)
    }
}

impl Server {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Everything it has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_else(|error| format!("its log cannot be read: {error}"))
    }

    async fn ready(&self) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            if reqwest::get(format!("{}/readyz", self.url)).await.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
        }
    }

    /// Ends it as an operator does (SIGTERM), and looks how it ended.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        let pid = self.child.id().ok_or_else(|| format!("the server ended by itself:\n{}", self.log()))?;
        let told = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await;
        if !told.is_ok_and(|status| status.success()) {
            return Err(format!("process {pid} cannot be told to stop"));
        }
        let ended =
            tokio::time::timeout(WITHIN, self.child.wait()).await.map_err(|_| format!("the server does not stop:\n{}", self.log()))?;
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("the server ended with {status}:\n{}", self.log())),
            Err(error) => Err(format!("the server is not to be waited for: {error}")),
        }
    }
}
