//! Exports of what is held of a business, its erasure, and audit events whose details can be erased without breaking their chain.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!(
    "m0034_privacy",
    "data_exports";
    before: "alter table businesses drop column erased_at; \
     alter table audit_events drop column salt; \
     alter table audit_events drop column details_digest"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The file itself lies where documents do, sealed, by the export's id.
    table(
        manager,
        "data_exports",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         requested_by {uuid} not null,
         status text not null check (status in ('PENDING', 'READY', 'EXPIRED')),
         created_at {timestamp} not null,
         expires_at {timestamp},
         byte_size {bigint},
         primary key (business_id, id),
         check ((status = 'PENDING') = (expires_at is null)),
         check ((status = 'PENDING') = (byte_size is null))",
    )
    .await?;
    // Events from before have no salt: the hash in their chain is over the digest of the details alone. Of details that were erased the
    // digest stays, and the salt that it was made with does not.
    run(
        manager,
        "create unique index data_exports_one_pending on data_exports (business_id) where status = 'PENDING';
         create index data_exports_by_time on data_exports (business_id, created_at, id);
         alter table businesses add column erased_at {timestamp};
         alter table audit_events add column salt {bytes};
         alter table audit_events add column details_digest {bytes}",
    )
    .await
}
