//! The store's walls: what a tenant, the system and a snapshot can see, and what a dropped request leaves behind.

use evolve_business::error::Failure;
use evolve_business::ids::{BusinessId, IdGen, SystemIds};
use evolve_business::store::{Snapshot, TenantScope, customers};

use crate::database::TestDatabase;
use crate::world::World;

both!(a_business_that_does_not_exist_has_no_row);

async fn a_business_that_does_not_exist_has_no_row(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let scope = TenantScope::proved(BusinessId::from(SystemIds.next_uuid()));
    let snapshot = Snapshot::new(world.ports.store.clone(), Some(scope));
    assert!(customers::business(&snapshot.tenant().await.unwrap()).await.is_err());
    let refused: Result<(), Failure> =
        world.ports.store.write(scope, |tenant| async move { Ok(customers::lock_business(&tenant).await.map(drop)?) }).await;
    assert!(refused.is_err());
}
