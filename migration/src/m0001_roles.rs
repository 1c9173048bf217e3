//! PostgreSQL's two roles, both NOLOGIN: `evolve_app` sees one tenant's rows, `evolve_system` all. The server's
//! login is a NOINHERIT member of both and may read nothing by itself.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, on_postgres};

migration!("m0001_roles");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Roles belong to the cluster, not to the database: two databases may be migrated at once.
    on_postgres(
        manager,
        "select pg_advisory_xact_lock(7310219641);
         do $$ begin
           if not exists (select from pg_roles where rolname = 'evolve_app') then create role evolve_app nologin; end if;
           if not exists (select from pg_roles where rolname = 'evolve_system') then create role evolve_system nologin; end if;
         end $$;
         grant usage on schema public to evolve_app, evolve_system;
         create function app_tenant() returns uuid language sql stable parallel safe
           as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;",
    )
    .await
}
