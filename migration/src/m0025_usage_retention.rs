//! How long events of usage are kept: on PostgreSQL in months that are dropped whole, on SQLite by an index that finds the old
//! ones.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect::{Wall, run, table};

/// One step.
#[derive(Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0025_usage_retention"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Since when every event is kept: what was recorded before may be gone. No row before anything was removed.
        table(manager, "usage_retention", Wall::SystemOnly, "id {int} primary key check (id = 1), kept_since {timestamp} not null").await?;
        // When, by real time, a counter was begun: one that was begun since then is the sum of its events.
        run(manager, "alter table usage_counters add column begun_at {timestamp}").await?;
        match manager.get_database_backend() {
            DbBackend::Postgres => execute(manager, &format!("{PARTED}{MAKE_MONTH}{DROP_MONTHS}{MONTHS_SO_FAR}{KEPT_AS_BEFORE}")).await,
            _ => execute(manager, OLD_ONES).await,
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => execute(manager, &format!("{WHOLE}{KEPT_AS_BEFORE}")).await?,
            _ => execute(manager, "drop index usage_events_by_recording; drop index usage_event_ids_by_recording").await?,
        }
        run(manager, "alter table usage_counters drop column begun_at; drop table usage_retention").await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(sql).await.map(drop)
}

/// SQLite: finds the old ones.
const OLD_ONES: &str = "create index usage_events_by_recording on usage_events (recorded_at);
     create index usage_event_ids_by_recording on usage_event_ids (recorded_at)";

/// PostgreSQL: the events in months, by the instant of recording, and a part for whatever no month is there for, so that no
/// insert fails. The index of ids is small, since rows come in the order of their instants.
const PARTED: &str = "
    alter table usage_events rename to usage_events_before;
    alter table usage_events_before no force row level security;
    alter index usage_events_pkey rename to usage_events_before_pkey;
    alter index usage_events_by_feature rename to usage_events_before_by_feature;
    alter table usage_events_before drop constraint usage_events_business_id_subscription_id_fkey;
    create table usage_events (like usage_events_before including defaults including constraints) partition by range (recorded_at);
    create table usage_events_other partition of usage_events default;
    alter table usage_events_other enable row level security;
    alter table usage_events_other force row level security;
    create index usage_event_ids_by_recording on usage_event_ids using brin (recorded_at);
";

/// The same without parts.
const WHOLE: &str = "
    drop function usage_events_make_month(timestamptz);
    drop function usage_events_drop_months(timestamptz);
    drop index usage_event_ids_by_recording;
    alter table usage_events rename to usage_events_before;
    alter table usage_events_before no force row level security;
    alter index usage_events_pkey rename to usage_events_before_pkey;
    alter index usage_events_by_feature rename to usage_events_before_by_feature;
    alter table usage_events_before drop constraint usage_events_business_id_subscription_id_fkey;
    create table usage_events (like usage_events_before including defaults including constraints);
";

/// Gives the table its keys, moves the rows, then gives it its wall and its grants. The rows are moved while neither table is
/// behind a wall that would hide them from its owner. The reference is there before them: made after, it would be proved by a
/// look at the subscriptions, which their own wall hides from their owner; row by row, that wall does not count.
const KEPT_AS_BEFORE: &str = "
    alter table usage_events add constraint usage_events_pkey primary key (business_id, id, recorded_at);
    alter table usage_events add constraint usage_events_business_id_subscription_id_fkey
      foreign key (business_id, subscription_id) references subscriptions (business_id, id);
    alter table usage_events_before disable row level security;
    insert into usage_events select * from usage_events_before;
    drop table usage_events_before;
    create index usage_events_by_feature on usage_events (business_id, subscription_id, feature_key, occurred_at);
    alter table usage_events enable row level security;
    alter table usage_events force row level security;
    create policy system on usage_events to evolve_system using (true) with check (true);
    create policy tenant on usage_events to evolve_app using (business_id = (select app_tenant()));
    grant select, insert, update, delete on usage_events to evolve_system;
    grant select, insert on usage_events to evolve_app;
";

/// Makes the part for the month (of UTC) that an instant lies in; answers whether it was made. It is not where rows of that
/// month are in the part for the rest already. A part has no grants and no policies of its own: nobody reaches it but through
/// the table. The server's login owns nothing and may make nothing, so this runs as the owner. It takes an instant and no
/// text, and looks names up in `pg_catalog` alone.
const MAKE_MONTH: &str = "
    create function usage_events_make_month(at timestamptz) returns boolean
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare
      first timestamp := date_trunc('month', at at time zone 'UTC');
      part text := 'usage_events_' || to_char(first, 'YYYYMM');
    begin
      perform pg_advisory_xact_lock(7310579640255837538);
      if to_regclass('public.' || part) is not null then
        return false;
      end if;
      begin
        execute format('create table public.%I (like public.usage_events including defaults including constraints)', part);
        execute format('alter table public.%I enable row level security', part);
        execute format('alter table public.%I force row level security', part);
        execute format('alter table public.usage_events attach partition public.%I for values from (%L) to (%L)',
          part, first at time zone 'UTC', (first + interval '1 month') at time zone 'UTC');
      exception when check_violation then
        return false;
      end;
      return true;
    end $$;
    revoke all on function usage_events_make_month(timestamptz) from public;
    grant execute on function usage_events_make_month(timestamptz) to evolve_system;
";

/// Drops the parts of months that were over by an instant; answers how many. See above.
const DROP_MONTHS: &str = "
    create function usage_events_drop_months(until timestamptz) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare
      part text;
      dropped integer := 0;
    begin
      perform pg_advisory_xact_lock(7310579640255837538);
      for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'public.usage_events'::regclass and c.relname ~ '^usage_events_[0-9]{6}$'
          and (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') at time zone 'UTC' <= until
        order by 1
      loop
        execute format('drop table public.%I', part);
        dropped := dropped + 1;
      end loop;
      return dropped;
    end $$;
    revoke all on function usage_events_drop_months(timestamptz) from public;
    grant execute on function usage_events_drop_months(timestamptz) to evolve_system;
";

/// The months that events were recorded in, the present one and the two that follow.
const MONTHS_SO_FAR: &str = "
    select usage_events_make_month(month) from (
      select distinct date_trunc('month', recorded_at at time zone 'UTC') at time zone 'UTC' from usage_events_before
      union
      select date_trunc('month', now() at time zone 'UTC' + make_interval(months => ahead)) at time zone 'UTC' from generate_series(0, 2) as ahead
    ) as months (month);
";
