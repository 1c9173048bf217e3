//! The audit trail as somebody would tamper with it.

use evolve_business::ids::BusinessId;
use evolve_business::services::audit;
use sha2::{Digest as _, Sha256};

use crate::database::{Kind, TestDatabase};
use crate::world::World;

both!(a_trail_that_was_tampered_with_is_found_by_its_chain, details_that_go_without_an_erasure_are_missed, a_trail_as_it_was_written_holds,);

/// What is done to the trail past every wall, and what is said of it.
const TAMPERED: &[(&str, &str)] = &[
    ("update audit_events set details = '{}' where sequence = 2", "is not what was written"),
    ("update audit_events set actor = 'system' where sequence = 2", "is not what was written"),
    ("update audit_events set action = 'subscription.canceled' where sequence = 2", "is not what was written"),
    ("update audit_events set subject = 'sub_x' where sequence = 2", "is not what was written"),
    (
        "update audit_events set at = (select at from audit_events where sequence = 1) where sequence = (select max(sequence) from audit_events)",
        "is not what was written",
    ),
    ("update audit_events set previous_hash = hash where sequence = 2", "does not follow the event before it"),
    ("update audit_events set hash = previous_hash where sequence = 2", "is not what was written"),
    ("update audit_events set salt = previous_hash where sequence = 2", "is not what was written"),
    ("update audit_events set details_digest = hash where sequence = 2", "is not what was written"),
    ("delete from audit_events where sequence = 2", "those between are missing"),
    ("delete from audit_events where sequence = 1", "those between are missing"),
    ("delete from audit_events where sequence = (select max(sequence) from audit_events)", "which is not what stands last"),
    ("delete from audit_events", "which is not what stands last"),
    ("delete from audit_heads", "the chain has no head"),
    ("update audit_heads set sequence = sequence - 1", "which is not what stands last"),
];

/// A business with some events, and its id.
async fn lived(db: TestDatabase) -> (World, BusinessId) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    world.subscribe(payer, "basic").await;
    world.run_at("2027-06-30T21:00:00Z").await;
    (world, payer.scope.business())
}

async fn a_trail_as_it_was_written_holds(db: TestDatabase) {
    let (world, _) = lived(db).await;
    let verified = audit::verify(&world.ports.store).await.unwrap();
    let events = world.count("audit_events", "true").await + world.count("platform_audit_events", "true").await;
    assert_eq!((verified.breaks, i64::try_from(verified.events).unwrap()), (Vec::new(), events));
    assert!(verified.chains >= 1 && events > 3);
}

async fn details_that_go_without_an_erasure_are_missed(db: TestDatabase) {
    let (world, business) = lived(db).await;
    // As an erasure leaves it: the right digest in the place of the details.
    let salt = world.read_bytes("select salt from audit_events where sequence = 2").await.remove(0).unwrap();
    let details = world.read_texts("select details from audit_events where sequence = 2").await.remove(0);
    let digest = Sha256::new().chain_update(&salt).chain_update(&details).finalize();
    let digits = digest.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    let bytes = match world.database.kind {
        Kind::Sqlite => format!("x'{digits}'"),
        Kind::Postgres => format!("decode('{digits}', 'hex')"),
    };
    let blank = format!("update audit_events set details = '{{}}', salt = null, details_digest = {bytes} where sequence = 2");
    assert_eq!(world.run_sql(&blank).await, 1);
    let verified = audit::verify(&world.ports.store).await.unwrap();
    let [found] = &verified.breaks[..] else { panic!("{verified:#?}") };
    assert_eq!((found.chain, found.after), (Some(business), 1));
    assert!(found.what.ends_with("are gone, and nothing was erased since"), "{}", found.what);
}

async fn a_trail_that_was_tampered_with_is_found_by_its_chain(db: TestDatabase) {
    let (world, business) = lived(db).await;
    for table in ["audit_events", "audit_heads"] {
        world.run_sql(&format!("create table kept_{table} as select * from {table}")).await;
    }
    for (tampered, told) in TAMPERED {
        assert!(world.run_sql(tampered).await > 0, "{tampered}");
        let verified = audit::verify(&world.ports.store).await.unwrap();
        let [found] = &verified.breaks[..] else { panic!("{tampered}: {verified:#?}") };
        assert!(found.what.contains(told), "{tampered}: {}", found.what);
        assert_eq!(found.chain, Some(business), "{tampered}");
        for table in ["audit_events", "audit_heads"] {
            world.run_sql(&format!("delete from {table}")).await;
            world.run_sql(&format!("insert into {table} select * from kept_{table}")).await;
        }
        assert_eq!(audit::verify(&world.ports.store).await.unwrap().breaks, Vec::new(), "{tampered}");
    }
    // Two events that change places: each hash is good for its own place alone.
    for (from, to) in [(2, 1_000_000), (3, 2), (1_000_000, 3)] {
        world.run_sql(&format!("update audit_events set sequence = {to} where sequence = {from}")).await;
    }
    let verified = audit::verify(&world.ports.store).await.unwrap();
    assert_eq!(verified.breaks.len(), 1);
    assert_eq!((verified.breaks[0].after, verified.breaks[0].what.contains("does not follow")), (1, true));
}
