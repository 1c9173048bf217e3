//! A storm: many customers are charged month after month while a third of Stripe's answers are lost, workers die in the middle of
//! what they do, and events come twice, in the wrong order, or not at all. The simulator's books are the judge.
//!
//! `EVOLVE_STRIPE_STORM` is the number of customers (20 without it), each of whom is charged for six months. 100000 attempts are some
//! 16000 customers.

use std::collections::HashMap;
use std::time::Duration;

use jiff::SignedDuration;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::stripe_simulator::{Card, Simulator};
use crate::world::World;
use crate::world_staff_money::JUNE;

both!(a_storm_of_lost_answers_charges_nobody_twice_and_loses_no_payment);

/// How many customers there are.
fn customers() -> usize {
    std::env::var("EVOLVE_STRIPE_STORM").map_or(20, |text| text.parse().expect("EVOLVE_STRIPE_STORM is a number"))
}

/// Lets a worker die after so long, and another one go on when its leases are over.
async fn restart(world: &World, after: Duration) {
    let worker = World::worker(&world.ports);
    let _died: Result<_, _> = tokio::time::timeout(after, worker.run_due_jobs()).await;
    world.advance(SignedDuration::from_secs(61));
}

/// Tells a server what Stripe has to tell: every third not at all, the others twice, the newest first.
async fn tell(world: &World, server: &Server, simulator: &Simulator) {
    let told: Vec<String> = simulator.events().into_iter().enumerate().filter(|(at, _)| at % 3 != 0).map(|(_, event)| event).collect();
    for event in told.iter().rev().chain(&told) {
        assert_eq!(world.tell(server, event).await, 200);
    }
}

async fn a_storm_of_lost_answers_charges_nobody_twice_and_loses_no_payment(db: TestDatabase) {
    let simulator = Simulator::start().await;
    let world = World::shop_at(db, JUNE).await.with_stripe(&simulator);
    let server = Server::start(&world).await;
    for at in 0..customers() {
        let payer = world.payer().await;
        // Some cards are declined now and for ever; they are dunned beside the others.
        let card = if at % 8 == 7 { Card::Declines("insufficient_funds") } else { Card::Good };
        world.try_card(payer, simulator.card(Card::Good)).await.unwrap();
        world.subscribe(payer, "basic").await;
        world.try_card(payer, simulator.card(card)).await.unwrap();
    }
    simulator.lose_answers(30);
    // A day at a time, until all that was charged in the last month is known.
    for day in 0..190_u64 {
        for rung in 0..3 {
            restart(&world, Duration::from_millis(5 + (day * 7 + rung * 13) % 40)).await;
        }
        tell(&world, &server, &simulator).await;
        world.pass(SignedDuration::from_hours(23)).await;
    }
    simulator.lose_answers(0);
    for _ in 0..4 {
        world.pass(SignedDuration::from_hours(25)).await;
    }

    let mut charged: HashMap<String, Vec<i64>> = HashMap::new();
    for (payment, amount) in simulator.charged() {
        charged.entry(payment).or_default().push(amount);
    }
    assert!(charged.values().all(|charges| charges.len() == 1), "no payment was charged twice");
    let truly: i64 = charged.values().flatten().sum();
    // Every charge is a payment of ours that succeeded, and the other way round.
    let succeeded = world.count("payments", "status = 'SUCCEEDED'").await;
    assert_eq!(usize::try_from(succeeded).unwrap(), charged.len(), "no payment was lost, and none was made up");
    assert_eq!(world.number("select cast(sum(amount_minor) as bigint) from payments where status = 'SUCCEEDED'").await, truly);
    assert_eq!(world.number("select cast(sum(amount_paid_minor) as bigint) from invoices").await, truly, "nobody paid for nothing");
    // No invoice was paid by two of them.
    let twice =
        "select count(*) from (select invoice_id from payments where status = 'SUCCEEDED' group by invoice_id having count(*) > 1) as t";
    assert_eq!(world.number(twice).await, 0);
    assert_eq!(world.count("payments", "status in ('CREATED', 'SENDING', 'UNKNOWN', 'REQUIRES_ACTION')").await, 0, "all is known");
    assert_eq!(world.examine().await, [""; 0]);
    let attempts = world.count("payments", "1 = 1").await;
    assert!(attempts >= i64::try_from(customers() * 7).unwrap(), "{attempts} attempts are too few for a storm");
    assert!(world.count("payments", "failure_code = 'not_charged'").await > 0, "some requests were lost");
}
