//! What waits for an endpoint of webhooks has somebody who sends it, or the doctor says so.

use crate::database::TestDatabase;
use crate::world_webhooks::Told;

both!(what_waits_for_a_webhook_without_a_sender_is_found_by_its_check);

/// What is done to a database in which something waits for an endpoint, what undoes it, and the check that finds it.
pub(crate) const CONTRADICTIONS: &[(&str, &str, &str)] = &[
    ("update webhook_endpoints set sending = (1 = 0)", "update webhook_endpoints set sending = (1 = 1)", "waiting webhooks"),
    (
        "update jobs set status = 'DONE' where kind = 'send_webhook'",
        "update jobs set status = 'READY' where kind = 'send_webhook'",
        "waiting webhooks",
    ),
];

async fn what_waits_for_a_webhook_without_a_sender_is_found_by_its_check(db: TestDatabase) {
    let told = Told::at(db, "2027-01-31T09:00:00Z").await;
    told.endpoint("/down").await;
    told.receiver.answer(500);
    told.change_plans(&["starter"]).await;
    told.world.run_due_jobs().await;
    assert_eq!(told.world.count("webhook_deliveries", "status = 'PENDING'").await, 1);
    assert_eq!(told.world.examine().await, [""; 0]);
    for (done, undone, check) in CONTRADICTIONS {
        assert!(told.world.run_sql(done).await > 0, "{done}");
        let wrong = told.world.examine().await;
        assert!(wrong.iter().any(|finding| finding.starts_with(&format!("{check}: "))), "{done}: {wrong:#?}");
        assert!(told.world.run_sql(undone).await > 0, "{undone}");
        assert_eq!(told.world.examine().await, [""; 0], "{undone}");
    }
}
