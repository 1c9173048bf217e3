//! Work by the clock: claims jobs that are due and runs them. Any number of workers may run on one store.
//!
//! A job is claimed with a lease and a fence, run outside any transaction of the worker's own, and finished only by the
//! claim that holds the fence. This room must never decide what a job does: that is the services'.

mod dispatch;
mod holding;
mod listener;
mod postman;
mod run;
mod sweeper;

pub use listener::{Listener, ListenerSettings};
pub use postman::Postman;
pub use run::{Worker, WorkerSettings};
pub use sweeper::{Keeping, Sweeper};
