//! A business's rows as the database keeps them, read past the house.

use sea_orm::sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection, query, query_scalar};
use uuid::Uuid;

use crate::database::Kind;
use crate::world::World;

impl World {
    /// Every row of every table that belongs to a business, as text, sorted.
    pub(crate) async fn rows_of(&self, business: Uuid) -> Vec<String> {
        let mut rows = match self.database.kind {
            Kind::Sqlite => sqlite(&self.database.migration_url, business).await,
            Kind::Postgres => postgres(&self.database.migration_url, business).await,
        };
        assert!(rows.len() > 10, "a business that has lived has rows");
        rows.sort();
        rows
    }
}

async fn sqlite(url: &str, business: Uuid) -> Vec<String> {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let tables = "select m.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and c.name = 'business_id'";
    let tables: Vec<String> = query_scalar(tables).fetch_all(&mut connection).await.unwrap();
    let mut rows = Vec::new();
    for table in tables {
        let columns = query(sea_orm::sqlx::AssertSqlSafe(format!("select name from pragma_table_info('{table}')")))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let shown: Vec<String> = columns.iter().map(|column| format!("quote({})", column.get::<String, _>(0))).collect();
        let dump = format!("select {} from {table} where business_id = ?", shown.join(" || ' ' || "));
        let found: Vec<String> = query_scalar(sea_orm::sqlx::AssertSqlSafe(dump)).bind(business).fetch_all(&mut connection).await.unwrap();
        rows.extend(found.into_iter().map(|row| format!("{table} {row}")));
    }
    rows
}

async fn postgres(url: &str, business: Uuid) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let tables = "select table_name::text from information_schema.columns where table_schema = 'public' and column_name = 'business_id'";
    let tables: Vec<String> = query_scalar(tables).fetch_all(&mut connection).await.unwrap();
    let mut rows = Vec::new();
    for table in tables {
        let dump = format!("select to_jsonb(t)::text from {table} t where business_id = $1");
        let found: Vec<String> = query_scalar(sea_orm::sqlx::AssertSqlSafe(dump)).bind(business).fetch_all(&mut connection).await.unwrap();
        rows.extend(found.into_iter().map(|row| format!("{table} {row}")));
    }
    rows
}
