//! Coupons and the plans they are for; and on a subscription its coupon, and the discount of its running period.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!(
    "m0014_coupons",
    "coupons",
    "coupon_plans";
    before: "alter table pending_lines drop column discount_minor; \
     alter table subscriptions drop column charged_discount_minor; \
     alter table subscriptions drop column charged_discount_percent; \
     alter table subscriptions drop column coupon_remaining_periods; \
     alter table subscriptions drop column coupon_id"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // A coupon is redeemed in the transaction of the business that subscribes, so the application may count redemptions, and
    // nothing else of it. A code is unique by its key, which is the code in lower case.
    table(
        manager,
        "coupons",
        Wall::Own { grants: "select, update (redemptions)", using: "true", check: Some("true") },
        "id {uuid} primary key,
         code text not null,
         code_key text not null unique,
         percent_off text,
         amount_off_minor {bigint} check (amount_off_minor > 0),
         currency text,
         periods {int} check (periods >= 1),
         max_redemptions {int} check (max_redemptions >= 1),
         redemptions {int} not null check (redemptions >= 0),
         expires_at {timestamp},
         created_at {timestamp} not null,
         check ((percent_off is null) <> (amount_off_minor is null)),
         check ((amount_off_minor is null) = (currency is null)),
         check (redemptions <= max_redemptions)",
    )
    .await?;
    // A coupon without a row here is for every plan.
    table(
        manager,
        "coupon_plans",
        Wall::ReadByAll,
        "coupon_id {uuid} not null references coupons (id),
         plan_id {uuid} not null references plans (id),
         primary key (coupon_id, plan_id)",
    )
    .await?;
    // Null remaining periods beside a coupon are for ever. `charged_discount_…` belongs to what was last charged for the running
    // period, so that its proration lines are net of it whatever became of the coupon.
    run(
        manager,
        "alter table subscriptions add column coupon_id {uuid} references coupons (id);
         alter table subscriptions add column coupon_remaining_periods {int} check (coupon_remaining_periods >= 0);
         alter table subscriptions add column charged_discount_percent text;
         alter table subscriptions add column charged_discount_minor {bigint}
           check (charged_discount_minor is null or (charged_discount_minor >= 0 and charged_discount_percent is null));
         alter table pending_lines add column discount_minor {bigint} not null default 0 check (discount_minor >= 0)",
    )
    .await
}
