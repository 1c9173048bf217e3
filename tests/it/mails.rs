//! Mails: who gets which, in which language, and what becomes of one that the server does not take.

use evolve_business::services::events::Event;
use evolve_business::store::types::Role;
use jiff::SignedDuration;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_mail::{MoodyMailer, changed_to, subscription};

const NOW: &str = "2027-01-31T09:00:00Z";

both!(
    a_mail_is_tried_again_until_the_server_takes_it_and_the_next_waits_for_it,
    a_mail_that_is_refused_for_good_is_recorded_and_holds_nothing_up,
    a_server_that_never_takes_a_mail_is_given_up_on,
    a_mail_speaks_the_language_of_its_reader,
    an_invoice_is_mailed_to_the_businesss_own_address_too_and_nobody_gets_two,
);

async fn a_mail_is_tried_again_until_the_server_takes_it_and_the_next_waits_for_it(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    let one = subscription();
    world.emit(payer.scope, vec![changed_to(&one, "A"), changed_to(&one, "B")]).await;
    let mailer = MoodyMailer::new([true, true]);
    let worker = World::worker(&world.mailing(mailer.clone()));
    worker.run_due_jobs().await.unwrap();
    assert_eq!(world.number("select count(*) from mails where status = 'QUEUED'").await, 2);
    assert_eq!(world.number("select count(*) from jobs where kind = 'send_mail' and attempts = 1").await, 1, "the second has to wait");
    for _ in 0..2 {
        world.advance(SignedDuration::from_secs(2));
        worker.run_due_jobs().await.unwrap();
    }
    assert_eq!(*mailer.taken.lock().unwrap(), ["Your plan is now A", "Your plan is now B"]);
    assert_eq!(world.number("select count(*) from mails where status = 'SENT' and error is null").await, 2);
}

async fn a_mail_that_is_refused_for_good_is_recorded_and_holds_nothing_up(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    let one = subscription();
    world.emit(payer.scope, vec![changed_to(&one, "A"), changed_to(&one, "B")]).await;
    let mailer = MoodyMailer::new([false]);
    World::worker(&world.mailing(mailer.clone())).run_due_jobs().await.unwrap();
    assert_eq!(*mailer.taken.lock().unwrap(), ["Your plan is now B"]);
    assert_eq!(world.read_texts("select error from mails where status = 'FAILED'").await, ["no  thanks"]);
    assert_eq!(world.number("select count(*) from jobs where status <> 'DONE'").await, 0, "nobody has to look");
}

async fn a_server_that_never_takes_a_mail_is_given_up_on(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.emit(payer.scope, vec![changed_to(&subscription(), "A")]).await;
    let worker = World::worker(&world.mailing(MoodyMailer::new([true; 100])));
    for _ in 0..20 {
        worker.run_due_jobs().await.unwrap();
        world.advance(SignedDuration::from_hours(1));
    }
    assert_eq!(world.number("select count(*) from mails where status = 'FAILED'").await, 1);
    assert_eq!(world.number("select count(*) from jobs where kind = 'send_mail' and status = 'DEAD' and attempts = 15").await, 1);
}

async fn a_mail_speaks_the_language_of_its_reader(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.sql("update users set locale = 'sw-KE'").await;
    world.colleague(payer.scope, Role::Billing, "bo@example.com").await;
    world.colleague(payer.scope, Role::Member, "mo@example.com").await;
    world.emit(payer.scope, vec![changed_to(&subscription(), "<Plus>")]).await;
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("bo@example.com"), ["Your plan is now <Plus>"]);
    assert_eq!(world.subjects_to("mo@example.com"), Vec::<String>::new(), "money is none of a member's business");
    let mails = world.mails();
    assert_eq!(mails.len(), 2);
    let swahili = mails.iter().find(|mail| mail.contains("Subject: Mpango wako sasa ni <Plus>")).unwrap();
    assert!(swahili.contains("&lt;Plus&gt;") && swahili.contains("https://app.evolve.test/subscriptions/sub_"), "{swahili}");
}

async fn an_invoice_is_mailed_to_the_businesss_own_address_too_and_nobody_gets_two(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    let issued = Event::samples().into_iter().find(|event| event.name() == "invoice.issued").unwrap();
    world.sql("update users set email = 'ann@example.com'").await;
    world.emit(payer.scope, vec![issued.clone()]).await;
    world.run_due_jobs().await;
    for address in ["ann@example.com", "a@acme.test"] {
        assert_eq!(world.subjects_to(address), ["Invoice INV-2027-000042 for KES 4990.00"], "{address}");
    }
    assert_eq!(world.mails().len(), 2);
    // The owner reads the business's mail.
    world.sql("update users set email = 'A@acme.test'").await;
    world.emit(payer.scope, vec![issued]).await;
    world.run_due_jobs().await;
    assert_eq!((world.mails().len(), world.subjects_to("A@acme.test").len()), (3, 1));
}
