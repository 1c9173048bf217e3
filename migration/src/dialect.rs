//! What differs between SQLite and PostgreSQL in a table's definition, and the walls around each table.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Placeholder, its type on SQLite, its type on PostgreSQL.
const TYPES: &[(&str, &str, &str)] = &[
    ("{uuid}", "blob", "uuid"),
    ("{bytes}", "blob", "bytea"),
    ("{bigint}", "integer", "bigint"),
    ("{int}", "integer", "integer"),
    ("{bool}", "integer", "boolean"),
    ("{timestamp}", "text", "timestamptz"),
    ("{date}", "text", "date"),
    ("{strict}", "strict", ""),
    ("{cascade}", "", "cascade"),
    ("{true}", "1", "true"),
    ("{false}", "0", "false"),
];

/// Who may touch a table on PostgreSQL. SQLite has no roles: there the application's own filter stands alone.
#[derive(Clone, Copy)]
pub(crate) enum Wall {
    /// A tenant's table: the application sees the rows of `app.tenant` alone.
    Tenant,
    /// A global table that the application reads and only the system writes.
    ReadByAll,
    /// A global table for the system alone.
    SystemOnly,
    /// A global table with policies of its own: `(grants, using, with check)` for the application.
    Own { grants: &'static str, using: &'static str, check: Option<&'static str> },
}

/// Runs `sql` in the dialect of the database at hand.
pub(crate) async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let sqlite = manager.get_database_backend() == DbBackend::Sqlite;
    let mut text = sql.to_owned();
    for (placeholder, on_sqlite, on_postgres) in TYPES {
        text = text.replace(placeholder, if sqlite { on_sqlite } else { on_postgres });
    }
    manager.get_connection().execute_unprepared(&text).await.map(drop)
}

/// Runs `sql` on PostgreSQL alone.
pub(crate) async fn on_postgres(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        manager.get_connection().execute_unprepared(sql).await?;
    }
    Ok(())
}

/// Creates a table with its wall. `columns` is what stands between the parentheses.
pub(crate) async fn table(manager: &SchemaManager<'_>, name: &str, wall: Wall, columns: &str) -> Result<(), DbErr> {
    run(manager, &format!("create table {name} ({columns}) {{strict}}")).await?;
    let (grants, using, check) = match wall {
        Wall::Tenant => ("select, insert, update, delete", Some("business_id = (select app_tenant())"), None),
        Wall::ReadByAll => ("select", Some("true"), None),
        Wall::SystemOnly => ("", None, None),
        Wall::Own { grants, using, check } => (grants, Some(using), check),
    };
    let mut sql = format!(
        "alter table {name} enable row level security;
         alter table {name} force row level security;
         create policy system on {name} to evolve_system using (true) with check (true);
         grant select, insert, update, delete on {name} to evolve_system;"
    );
    if let Some(using) = using {
        let check = check.map_or(String::new(), |check| format!(" with check ({check})"));
        let policy =
            format!("create policy tenant on {name} to evolve_app using ({using}){check}; grant {grants} on {name} to evolve_app;");
        sql.push_str(&policy);
    }
    on_postgres(manager, &sql).await
}

/// Drops tables, the last first.
pub(crate) async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables.iter().rev() {
        run(manager, &format!("drop table {table} {{cascade}}")).await?;
    }
    Ok(())
}

/// Drops indexes of tables that stay.
pub(crate) async fn drop_indexes(manager: &SchemaManager<'_>, indexes: &[&str]) -> Result<(), DbErr> {
    for index in indexes {
        run(manager, &format!("drop index {index}")).await?;
    }
    Ok(())
}

/// Implements `MigrationTrait` for a unit struct `Migration`: the module's async `up`, and the way back, which drops
/// the tables named in the order of their making, and the indexes named that it gave to older tables.
macro_rules! migration {
    ($name:literal, $($table:literal),* $(,)?) => {
        crate::dialect::migration!($name, $($table),*; indexes);
    };
    ($name:literal, $($table:literal),*; indexes $($index:literal),* $(,)?) => {
        /// One step.
        #[derive(Debug)]
        pub(crate) struct Migration;

        impl sea_orm_migration::prelude::MigrationName for Migration {
            fn name(&self) -> &'static str {
                $name
            }
        }

        #[async_trait::async_trait]
        impl sea_orm_migration::prelude::MigrationTrait for Migration {
            async fn up(&self, manager: &sea_orm_migration::prelude::SchemaManager) -> Result<(), sea_orm_migration::prelude::DbErr> {
                up(manager).await
            }

            async fn down(&self, manager: &sea_orm_migration::prelude::SchemaManager) -> Result<(), sea_orm_migration::prelude::DbErr> {
                crate::dialect::drop_indexes(manager, &[$($index),*]).await?;
                crate::dialect::drop_tables(manager, &[$($table),*]).await
            }

            fn use_transaction(&self) -> Option<bool> {
                Some(true)
            }
        }
    };
}
pub(crate) use migration;
