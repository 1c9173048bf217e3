//! `serve`: serves the API, and works by the clock beside it.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::worker::keeping;
use super::{demo, figures, migrate, shutdown, terminal};
use crate::app::{self, App, trusted};
use crate::config::{Mode, Settings};
use crate::error::Cause;
use crate::http::graphiql::DemoUser;
use crate::http::server::{self, Stopped};
use crate::worker::{Listener, ListenerSettings, Postman, Sweeper, Worker, WorkerSettings};

/// How long the worker may take to finish what it is doing, and to give back what it could not: longer than it gives its jobs.
const WORKER_STOP: Duration = Duration::from_secs(30);

/// How long sockets may take to hear that the server goes away.
const SOCKETS_STOP: Duration = Duration::from_secs(5);

/// Serves until a signal; requests in flight finish, and no job stays leased.
pub(super) async fn run(settings: Settings) -> Result<(), Cause> {
    let stop = shutdown::signal()?;
    // Before the database is touched, so that a fault in them is said at once.
    let manifests = trusted::read(&settings.trusted.manifests)?;
    prepare(&settings).await?;
    let app = App::build(&settings).await?.trusting(&manifests, settings.trusted.alone)?;
    let demo = if settings.mode == Mode::Sandbox { demo::seed_if_empty(&app, &settings).await? } else { None };
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| format!("Cannot listen on {}: {error}", settings.listen))?;
    let origins: Vec<HeaderValue> = settings.cors_origins.iter().map(|origin| origin.parse()).collect::<Result<_, _>>()?;
    let router = app.router(app::request_limits(&settings), demo.clone(), origins);
    let (stopping, watched) = (CancellationToken::new(), CancellationToken::new());
    let figures = figures::serve(&settings, &app, &watched).await?;
    greet(&listener, demo.as_ref(), app.trusted())?;

    tokio::spawn(Listener::new(app.ports.clone(), ListenerSettings::default(), stopping.clone()).run());
    let worker = settings.worker.then(|| {
        let worker =
            Worker::new(app.ports.clone(), WorkerSettings { lease: settings.lease(), ..WorkerSettings::default() }, stopping.clone());
        tokio::spawn(Sweeper::new(app.ports.clone(), keeping(&settings), stopping.clone()).run());
        tokio::spawn(Postman::new(app.ports.clone(), stopping.clone()).run());
        tokio::spawn(worker.run())
    });
    let (told, live) = (stopping.clone(), Arc::clone(&app.live));
    let shutdown = async move {
        let signal = stop.await;
        tracing::info!(signal, "stopping: requests in flight finish");
        told.cancel();
        live.stop();
    };
    if let Stopped::Cut { connections } = server::serve(listener, router, app::server_limits(&settings), shutdown).await {
        tracing::warn!(connections, "connections were cut");
    }
    if !app.live.stopped(SOCKETS_STOP).await {
        tracing::warn!("sockets were cut");
    }
    if let Some(worker) = worker
        && tokio::time::timeout(WORKER_STOP, worker).await.is_err()
    {
        tracing::warn!("the worker did not finish in time");
    }
    watched.cancel();
    if let Some(figures) = figures {
        figures.await?;
    }
    app.close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Brings a sandbox's tables up to date; production only says that they are not.
pub(super) async fn prepare(settings: &Settings) -> Result<(), Cause> {
    std::fs::create_dir_all(&settings.data_dir)?;
    if settings.mode == Mode::Sandbox {
        migrate::up(settings).await?;
        return Ok(());
    }
    if migrate::is_up_to_date(settings).await? {
        Ok(())
    } else {
        Err("The database's tables are not up to date: run `evolve-business migrate` first.".into())
    }
}

/// Says where to look, what is run there, and how to sign in.
fn greet(listener: &TcpListener, demo: Option<&DemoUser>, (documents, alone): (usize, bool)) -> Result<(), Cause> {
    let address = listener.local_addr()?;
    terminal::say(&format!("Evolve Business serves its GraphQL API at http://{address}/graphql"))?;
    if alone {
        terminal::say(&format!("It runs the {documents} documents of EVOLVE_TRUSTED_DOCUMENTS, and no other"))?;
    } else {
        terminal::say(&format!("Explore it in GraphiQL at http://{address}/graphiql"))?;
    }
    if let Some(demo) = demo {
        terminal::say(&format!("Sign in as {} with the password {}", demo.email, demo.password))?;
    }
    Ok(())
}
