//! The verification of businesses: what was submitted, the documents, and what each country asks for.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0028_verification", "verification_rules", "verifications", "verification_documents"; before: "drop index businesses_under_review");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The country of the rule for every other one is `*`.
    table(
        manager,
        "verification_rules",
        Wall::ReadByAll,
        "country text primary key,
         documents text not null,
         approval_days {int} not null check (approval_days between 1 and 3650)",
    )
    .await?;
    // How far it has come stands in `businesses.verification_status`, which plans ask for.
    table(
        manager,
        "verifications",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         registration_number text not null,
         submitted_at {timestamp} not null,
         reviewed_at {timestamp},
         reason text,
         missing text not null,
         expires_at {timestamp},
         approvals {int} not null check (approvals >= 0),
         primary key (business_id, id),
         unique (business_id)",
    )
    .await?;
    // The files themselves lie elsewhere, sealed, each by its document's id.
    table(
        manager,
        "verification_documents",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         kind text not null check (kind in ('CERTIFICATE_OF_INCORPORATION', 'TAX_CERTIFICATE', 'BUSINESS_PERMIT', 'DIRECTOR_ID', 'PROOF_OF_ADDRESS', 'SACCO_LICENCE')),
         file_name text not null,
         content_type text not null check (content_type in ('application/pdf', 'image/jpeg', 'image/png')),
         byte_size {bigint} not null check (byte_size > 0),
         sha256 text not null,
         status text not null check (status in ('QUARANTINED', 'ACCEPTED', 'REJECTED')),
         scan text not null check (scan in ('WAITING', 'CLEAN', 'INFECTED', 'NOT_SCANNED')),
         reason text,
         uploaded_at {timestamp} not null,
         primary key (business_id, id),
         check (status <> 'ACCEPTED' or scan in ('CLEAN', 'NOT_SCANNED')),
         check (status = 'REJECTED' or scan <> 'INFECTED')",
    )
    .await?;
    run(
        manager,
        "create index all_verifications_by_submission on verifications (submitted_at, business_id);
         create index verification_documents_by_upload on verification_documents (business_id, uploaded_at, id);
         create index all_verification_documents_by_id on verification_documents (id);
         create index businesses_under_review on businesses (business_id) where verification_status = 'PENDING'",
    )
    .await
}
