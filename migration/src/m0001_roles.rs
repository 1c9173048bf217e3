//! PostgreSQL's two roles, both NOLOGIN: `evolve_app` sees one tenant's rows, `evolve_system` all. The server's
//! login is a NOINHERIT member of both and may read nothing by itself.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, on_postgres};

migration!("m0001_roles",);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Roles belong to the cluster, not to the database: two databases may be migrated at once.
    on_postgres(
        manager,
        "do $$ begin create role evolve_app nologin; exception when duplicate_object or unique_violation then null; end $$;
         do $$ begin create role evolve_system nologin; exception when duplicate_object or unique_violation then null; end $$;
         grant usage on schema public to evolve_app, evolve_system;
         create or replace function app_tenant() returns uuid language sql stable parallel safe
           as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;",
    )
    .await
}
