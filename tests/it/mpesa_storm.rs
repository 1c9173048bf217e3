//! A storm: many customers are prompted month after month while a third of Daraja's answers are lost, workers die in the middle of what they
//! do, and callbacks come twice, in the wrong order, and some of them days late. The simulator's books are the judge.
//!
//! `EVOLVE_MPESA_STORM` is the number of customers (20 without it), each of whom is prompted for six months. 10000 attempts are some 1500
//! customers.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::SignedDuration;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::mpesa_simulator::{Daraja, Holder};
use crate::world::World;
use crate::world_staff_money::JUNE;

both!(a_storm_of_lost_answers_prompts_nobody_twice_for_an_attempt_and_loses_no_shilling);

/// How many customers there are.
fn customers() -> usize {
    std::env::var("EVOLVE_MPESA_STORM").map_or(20, |text| text.parse().expect("EVOLVE_MPESA_STORM is a number"))
}

/// Lets a worker die after so long, and another one go on when its leases are over.
async fn restart(world: &World, after: Duration) {
    let worker = World::worker(&world.ports);
    let _died: Result<_, _> = tokio::time::timeout(after, worker.run_due_jobs()).await;
    world.advance(SignedDuration::from_secs(61));
}

/// What Daraja has to tell, and has not told yet.
#[derive(Default)]
struct Post {
    /// By the day on which it is handed over.
    waiting: Vec<(u64, (String, String))>,
    seen: u64,
}

impl Post {
    /// Takes what is new: every third is told two days late.
    fn collect(&mut self, daraja: &Daraja, day: u64) {
        for told in daraja.callbacks() {
            self.seen += 1;
            self.waiting.push((if self.seen.is_multiple_of(3) { day + 2 } else { day }, told));
        }
    }

    /// Hands over what is due on a day, each twice, the newest first.
    async fn hand_over(&mut self, server: &Server, day: u64) {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(|(on, _)| *on <= day);
        self.waiting = later;
        for (_, told) in due.iter().rev().chain(&due) {
            assert_eq!(Daraja::tell(&server.url, told).await.0, 200);
        }
    }
}

async fn a_storm_of_lost_answers_prompts_nobody_twice_for_an_attempt_and_loses_no_shilling(db: TestDatabase) {
    let daraja = Daraja::start().await;
    let world = World::shop_at(db, JUNE).await.with_mpesa(&daraja);
    let server = Server::start(&world).await;
    for at in 0..customers() {
        let phone = format!("2547{at:08}");
        let payer = world.phone_payer(&phone).await;
        world.subscribe(payer, "basic").await;
        // Some never have the money after the first month; they are dunned beside the others.
        daraja.holder(&phone, if at % 8 == 7 { Holder::Ends("1") } else { Holder::Pays });
    }
    let mut post = Post::default();
    post.collect(&daraja, 0);
    post.hand_over(&server, 0).await;
    world.run_due_jobs().await;
    daraja.lose_answers(30);
    // A day at a time: by day, when phones may be prompted, and until all that was asked for is known.
    for day in 1..190_u64 {
        for rung in 0..3 {
            restart(&world, Duration::from_millis(5 + (day * 7 + rung * 13) % 40)).await;
        }
        world.run_due_jobs().await;
        for _ in 0..2 {
            post.collect(&daraja, day);
            post.hand_over(&server, day).await;
            world.run_due_jobs().await;
        }
        // To the same hour of the next day.
        world.pass(SignedDuration::from_secs(86_400 - 3 * 61)).await;
    }
    daraja.lose_answers(0);
    for day in 190..200 {
        post.collect(&daraja, day);
        post.hand_over(&server, day + 2).await;
        world.pass(SignedDuration::from_hours(24)).await;
    }
    // What was begun at last is asked about.
    for _ in 0..5 {
        post.collect(&daraja, 200);
        post.hand_over(&server, 202).await;
        world.pass(SignedDuration::from_mins(1)).await;
    }

    // Each attempt has an address of its own: nobody was prompted twice for one.
    let prompts = daraja.prompts();
    let addresses: HashSet<&str> = prompts.iter().map(|prompt| prompt.callback.as_str()).collect();
    assert_eq!(addresses.len(), prompts.len(), "no attempt was pushed twice");
    let mut paid: HashMap<String, i64> = HashMap::new();
    for (prompt, shillings) in daraja.paid() {
        assert_eq!(paid.insert(prompt, shillings), None);
    }
    let truly: i64 = paid.values().sum::<i64>() * 100;
    // Every shilling that was paid is a payment of ours that succeeded, once, and the other way round.
    let took = "status = 'SUCCEEDED' and gateway = 'mpesa'";
    assert_eq!(usize::try_from(world.count("payments", took).await).unwrap(), paid.len(), "no payment was lost, and none was made up");
    assert_eq!(world.number(&format!("select cast(sum(amount_minor) as bigint) from payments where {took}")).await, truly);
    assert_eq!(
        world.number(&format!("select count(distinct gateway_reference) from payments where {took}")).await,
        i64::try_from(paid.len()).unwrap()
    );
    // What did not pay an invoice is account credit: late, or what was rounded up.
    let kept = "select cast(coalesce(sum(amount_minor), 0) as bigint) from credit_entries where reason in ('LATE_PAYMENT', 'ROUNDING', 'OVERPAYMENT')";
    let used = world.number("select cast(sum(amount_paid_minor) as bigint) from invoices").await;
    // Less than a shilling is not prompted for: it is given, and was not paid.
    let given = "select cast(coalesce(sum(amount_minor), 0) as bigint) from postings where account = 'ROUNDING'";
    assert_eq!(used + world.number(kept).await - world.number(given).await, truly, "nobody paid for nothing");
    assert_eq!(world.count("payments", "status in ('CREATED', 'SENDING', 'UNKNOWN', 'REQUIRES_ACTION')").await, 0, "all is known");
    assert_eq!(world.examine().await, [""; 0]);
    let attempts = world.count("payments", "1 = 1").await;
    assert!(attempts >= i64::try_from(customers() * 5).unwrap(), "{attempts} attempts are too few for a storm");
    assert!(world.count("payments", "failure_code = 'no_callback'").await > 0, "some requests were lost");
    assert!(world.count("credit_entries", "reason = 'LATE_PAYMENT'").await > 0, "some came late");
}
