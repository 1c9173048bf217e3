//! Thresholds of usage: where they lie, and which were told of.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, run};

migration!(
    "m0023_usage_thresholds",;
    before: "alter table usage_standings drop column told_in;
             alter table usage_standings drop column told;
             alter table usage_counters drop column told;
             alter table plan_features drop column thresholds"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // What a feature has whose plan says nothing of them. A column's default is no update: versions of plans never change, and
    // the owner of a table that is behind its own walls may update none of its rows.
    run(manager, "alter table plan_features add column thresholds text not null default '0.8,1'").await?;
    // A threshold is told of once in a usage period. What stands belongs to none: it notes in which it was told of.
    run(
        manager,
        "alter table usage_counters add column told text not null default '';
         alter table usage_standings add column told text not null default '';
         alter table usage_standings add column told_in {timestamp}",
    )
    .await
}
