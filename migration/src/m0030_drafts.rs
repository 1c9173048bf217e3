//! Hours for late usage, a setting of a product, and the drafts that invoices are meanwhile.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, run};

migration!(
    "m0030_drafts",;
    before: "drop index invoices_drafts; \
     alter table invoices drop column draft_until; \
     alter table invoices drop column draft_plan_id; \
     alter table invoices drop column draft_plan_version; \
     alter table invoices drop column draft_tax_behavior; \
     alter table products drop column grace_hours"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Of a draft: what was metered before `draft_until` is rated as it is issued, by the plan that was in force then. Null once it is issued.
    run(
        manager,
        "alter table products add column grace_hours {int} not null default 0 check (grace_hours between 0 and 72);
         alter table invoices add column draft_until {timestamp};
         alter table invoices add column draft_plan_id {uuid};
         alter table invoices add column draft_plan_version {int};
         alter table invoices add column draft_tax_behavior text check (draft_tax_behavior in ('INCLUSIVE', 'EXCLUSIVE'));
         create index invoices_drafts on invoices (business_id, subscription_id) where status = 'DRAFT'",
    )
    .await
}
