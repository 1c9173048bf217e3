//! A request that is dropped, at whichever poll, leaves a pool of one connection as if it had never been.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use evolve_business::error::{Error, Failure, Outcome};
use evolve_business::ids::{IdGen as _, JobId, SystemIds};
use evolve_business::store::jobs::{self, NewJob};
use evolve_business::store::reads::invoices::{self, InvoiceFilter};
use evolve_business::store::{Snapshot, Store, System, Tenant, TenantScope, customers, work};

use crate::database::{Kind, TestDatabase};
use crate::walls_raw::{NOW, Raw, instant};
use crate::world::World;

both!(
    a_read_that_is_dropped_at_any_poll_leaves_the_pool_clean,
    a_write_that_is_dropped_at_any_poll_is_whole_and_leaves_the_pool_clean,
    a_system_write_that_is_dropped_at_any_poll_is_whole_and_leaves_the_pool_clean,
    a_request_that_is_dropped_at_any_moment_leaves_the_pool_clean,
);

/// Polls `future` whenever it asks to be polled, and drops it after `polls` polls; `None` if it was not ready by then.
async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Polls `future` every 10 µs, asked or not, and drops it after so many times. It neither sleeps nor yields: the system
/// rounds so short a sleep up to a tenth of a millisecond, half of what a read of an embedded database takes, and on a
/// busy machine gives the processor away for several.
fn dropped_after_time<F: Future>(steps: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(futures::task::noop_waker_ref());
    for _ in 0..=steps {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
        let polled = Instant::now();
        while polled.elapsed() < Duration::from_micros(10) {
            std::hint::spin_loop();
        }
    }
    None
}

/// A store with one connection for reading and one for writing, and two businesses: the first has one invoice, the
/// second two. On PostgreSQL row-level security alone keeps them apart, so that a tenant left over would show.
struct Setting {
    store: Store,
    raw: Raw,
    first: TenantScope,
    second: TenantScope,
    _world: World,
}

impl Setting {
    async fn of(db: TestDatabase) -> Self {
        let raw = Raw::open(&db).await;
        let (first, second) = (raw.business().await, raw.business().await);
        for scope in [first, second, second] {
            raw.invoice(scope, 100).await;
        }
        let filter = db.kind == Kind::Sqlite;
        let world = World::with(db, NOW, |options| (options.pool_size, options.writers, options.application_filter) = (1, 1, filter)).await;
        Self { store: world.ports.store.clone(), raw, first, second, _world: world }
    }

    /// What a request of the second business sees and can do next.
    async fn is_clean(&self, after: &str) {
        self.raw.settled().await;
        assert_eq!(read(&self.store, self.second).await.unwrap(), 2, "{after}");
        let (key, scope) = (format!("after {after}"), self.second);
        let name = key.clone();
        let written = self.store.write(scope, move |tenant| schedule(tenant, name.clone())).await;
        assert!(written.unwrap(), "{after}");
        assert_eq!(self.raw.jobs(scope, &key).await, 1, "{after}: what was acknowledged is there");
        self.raw.settled().await;
    }
}

/// Several reads of one snapshot, two of them at once, beside a sibling that fails late.
async fn read(store: &Store, scope: TenantScope) -> Result<u64, Error> {
    let snapshot = Snapshot::new(store.clone(), Some(scope));
    let tenant = snapshot.tenant().await?;
    let filter = InvoiceFilter::default();
    let (business, count) = futures::try_join!(customers::business(&tenant), invoices::count(&tenant, &filter))?;
    assert_eq!(business.business_id, scope.business());
    let last = work::last_audit_event(&tenant).await?;
    assert_eq!(last, None);
    Ok(count)
}

/// Two rows in one transaction: both or none.
async fn schedule(tenant: Tenant, key: String) -> Outcome<bool> {
    let at = instant(NOW);
    customers::lock_business(&tenant).await?;
    let new = |kind| NewJob { id: JobId::from(SystemIds.next_uuid()), kind, key: &key, due_at: at, clock: None, now: at };
    let first = jobs::schedule(&tenant, new("first")).await?;
    Ok(if key.starts_with("after") { first } else { first && jobs::schedule(&tenant, new("second")).await? })
}

async fn a_read_that_is_dropped_at_any_poll_leaves_the_pool_clean(db: TestDatabase) {
    let setting = Setting::of(db).await;
    let mut dropped = 0;
    // How many polls a read takes varies with the threads it meets.
    for polls in 1.. {
        // On a busy machine an answer may be there before it is first asked for: the first polls are tried more often.
        let (rounds, mut ended) = (if polls <= 3 { 8 } else { 1 }, true);
        for round in 0..rounds {
            let seen = dropped_after(polls, read(&setting.store, setting.first)).await;
            setting.is_clean(&format!("{polls} polls of a read, {round}")).await;
            if let Some(seen) = seen {
                assert_eq!(seen.unwrap(), 1);
            } else {
                (dropped, ended) = (dropped + 1, false);
            }
        }
        if ended && polls >= 12 {
            break;
        }
    }
    assert!(dropped > 0, "no read was dropped");
}

async fn a_write_that_is_dropped_at_any_poll_is_whole_and_leaves_the_pool_clean(db: TestDatabase) {
    let setting = Setting::of(db).await;
    let (store, scope) = (setting.store.clone(), setting.first);
    let write = |key: String| store.write(scope, move |tenant| schedule(tenant, key.clone()));
    dropped_writes(setting, "write", write).await;
}

async fn a_system_write_that_is_dropped_at_any_poll_is_whole_and_leaves_the_pool_clean(db: TestDatabase) {
    let setting = Setting::of(db).await;
    let (store, scope) = (setting.store.clone(), setting.first);
    let write = |key: String| store.write_system(move |system| schedule(system.tenant(scope), key.clone()));
    dropped_writes(setting, "system write", write).await;
}

/// Drops writes after one, two and three polls, each many times: a write waits for a task of its own, which on a busy
/// machine may have finished by the first poll. Whoever went away, each has run to its end by the time the store is closed.
async fn dropped_writes<F: Future<Output = Outcome<bool>>>(setting: Setting, word: &str, write: impl Fn(String) -> F) {
    let (mut dropped, mut finished) = (0, 0);
    let keys: Vec<String> = (1..=24).map(|attempt| format!("{word} {attempt}")).collect();
    for (attempt, key) in keys.iter().enumerate() {
        match dropped_after(1 + attempt / 8, write(key.clone())).await {
            Some(written) => {
                assert!(written.unwrap(), "{key}");
                finished += 1;
            }
            None => dropped += 1,
        }
        setting.is_clean(key).await;
    }
    assert!(dropped > 0 && finished > 0, "{dropped} of {} writes were dropped, {finished} finished", keys.len());
    setting.store.close().await.unwrap();
    for key in keys {
        assert_eq!(setting.raw.jobs(setting.first, &key).await, 2, "{key}");
    }
}

async fn a_request_that_is_dropped_at_any_moment_leaves_the_pool_clean(db: TestDatabase) {
    let setting = Setting::of(db).await;
    let scope = setting.first;
    let mut dropped = 0;
    let steps: Vec<u32> = (0..24).chain((24..=64).step_by(4)).chain([96, 128, 192, 256, 384, 512]).collect();
    for steps in steps.iter().copied() {
        let seen = dropped_after_time(steps, read(&setting.store, scope));
        let write = setting.store.write(scope, move |tenant| schedule(tenant, format!("moment {steps}")));
        let written: Option<Result<bool, Failure>> = dropped_after_time(steps, write);
        let look = move |system: System| async move { Ok(customers::business(&system.tenant(scope)).await.map(drop)?) };
        let looked: Option<Outcome<()>> = dropped_after_time(steps, setting.store.read_system(look));
        dropped += usize::from(seen.is_none()) + usize::from(written.is_none()) + usize::from(looked.is_none());
        setting.is_clean(&format!("{steps} steps")).await;
    }
    assert!(dropped > 10, "{dropped} of {} were dropped", 3 * steps.len());
    setting.store.close().await.unwrap();
    for steps in steps {
        assert_eq!(setting.raw.jobs(scope, &format!("moment {steps}")).await, 2, "moment {steps}");
    }
}
