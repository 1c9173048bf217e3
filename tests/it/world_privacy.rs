//! Rows with a mark of their own in everything that is personal, and the schemas as the databases have them.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use evolve_business::store::privacy::{Column, Of, TABLES, Table};
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::Kind;
use crate::world::World;
use crate::world_lives::{Life, PASSWORD};
use crate::world_usage::{event, record};

/// A tax id and a phone number, which are sealed: no mark can be put there past the house.
pub(crate) const TAX_ID: &str = "P059876543Z";
pub(crate) const PHONE: &str = "+254712345678";

/// The mark of a column.
pub(crate) fn mark(table: &str, column: &str) -> String {
    format!("canary.{table}.{column}.")
}

/// The tables that have rows of those who buy.
pub(crate) fn held() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(|table| table.of != Of::Nobody)
}

/// The columns of a table with text that is personal, and those whose text tax law has kept.
pub(crate) fn marked(table: &'static Table) -> impl Iterator<Item = (&'static str, bool)> {
    table.columns.iter().filter_map(|(name, column)| match column {
        Column::Personal(_) => Some((*name, false)),
        Column::Tax => Some((*name, true)),
        _ => None,
    })
}

impl World {
    /// Each column of each table, by `table.column`, with its type in the database.
    pub(crate) async fn schema(&self) -> BTreeMap<String, String> {
        let sql = match self.database.kind {
            Kind::Sqlite => {
                "select m.name || '.' || c.name || ' ' || lower(c.type) from sqlite_master m join pragma_table_info(m.name) c
                 where m.type = 'table' and m.name not like 'sqlite_%' and m.name <> 'seaql_migrations'"
            }
            Kind::Postgres => {
                "select c.table_name || '.' || c.column_name || ' ' || c.data_type from information_schema.columns c
                 join pg_class p on p.oid = format('public.%I', c.table_name)::regclass
                 where c.table_schema = 'public' and p.relkind in ('r', 'p') and not p.relispartition and c.table_name <> 'seaql_migrations'"
            }
        };
        let split = |line: String| line.split_once(' ').map(|(name, kind)| (name.to_owned(), kind.to_owned())).unwrap();
        self.read_texts(sql).await.into_iter().map(split).collect()
    }

    /// A business that has lived: it has rows in every table that can have some.
    pub(crate) async fn rich_life(&self, server: &Server, staff: &Client) -> Life {
        let life = Life::lived(self, server, "ann").await;
        life.named_ids(self).await;
        life.refunded(self, staff).await;
        let client = &life.client;
        client.mutate("updateProfile", json!({ "taxId": TAX_ID, "phone": PHONE, "addressLine": "1 Moi Avenue" }), "business { id }").await;
        client.mutate("beginTwoFactor", json!({ "password": PASSWORD }), "otpauthUrl").await;
        client
            .mutate("setNotificationPreference", json!({ "kind": "invoice.paid", "channel": "IN_APP", "enabled": true }), "__typename")
            .await;
        record(client, json!([event("one", "invoices.sent", "2"), event("two", "invoices.sent", "3")]), false).await;
        staff.mutate("suspendBusiness", json!({ "businessId": life.business, "reason": "Looked into." }), "business { id }").await;
        staff.mutate("restoreBusiness", json!({ "businessId": life.business }), "business { id }").await;
        client.mutate("changeEmail", json!({ "email": "other@example.com", "password": PASSWORD }), "__typename").await;
        // As a token of an identity provider would have it.
        self.try_sql("insert into external_identities select 'https://id.example', 'ann-7', id, created_at from users where email = 'ann@example.com'")
            .await
            .unwrap();
        self.run_due_jobs().await;
        // What M-Pesa said of a payment.
        let hint = self.ports.ids.next_uuid();
        self.sql(&format!(
            "insert into gateway_hints (business_id, id, payment_id, heard_of, digest, reference, succeeded, code, receipt, amount_minor, receiver, received_at)
               select business_id, {{id:{hint}}}, id, 'CHARGE', 'ab', 'ws_CO_1', {{yes}}, '0', 'SFC1', amount_minor, '600610', created_at from payments limit 1"
        ))
        .await;
        let dispute = self.ports.ids.next_uuid();
        self.sql(&format!(
            "insert into disputes (business_id, id, payment_id, ordinal, gateway, gateway_reference, currency, amount_minor, reason, status, funds, opened_at, created_at, updated_at)
               select business_id, {{id:{dispute}}}, id, 1, gateway, 'du_1', currency, amount_minor, 'fraudulent', 'INQUIRY', 'NOT_TAKEN', created_at, created_at, created_at from payments limit 1"
        ))
        .await;
        life
    }

    /// Puts a mark into every personal column of every row of those who buy, past the house. What is there stays behind it, so that what is
    /// unique remains so.
    pub(crate) async fn mark_all(&self) {
        for table in held() {
            for (column, _) in marked(table) {
                let mark = mark(table.name, column);
                // Whoever is billed is read once more, by staff.
                let marked = match column {
                    "billed_to" => format!("replace(billed_to, '\"name\":\"', '\"name\":\"{mark}')"),
                    _ => format!("'{mark}' || coalesce({column}, '')"),
                };
                self.try_sql(&format!("update {0} set {column} = {marked}", table.name)).await.unwrap();
                assert!(self.number(&format!("select count(*) from {}", table.name)).await > 0, "{} has rows", table.name);
            }
        }
    }
}

/// The files of a zip, by their names.
pub(crate) fn unzipped(content: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(Cursor::new(content)).unwrap();
    let mut files = BTreeMap::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.insert(file.name().unwrap().into_owned(), content);
    }
    files
}

/// Asks for an export, has it made, and downloads it.
pub(crate) async fn exported(world: &World, client: &Client) -> BTreeMap<String, Vec<u8>> {
    let asked = client.mutate("requestDataExport", json!({ "password": PASSWORD }), "export { id status }").await;
    assert_eq!(asked["export"]["status"], "PENDING");
    world.run_due_jobs().await;
    let (status, _, content) = client.fetch(&newest_export(client).await["url"]).await;
    assert_eq!(status, 200);
    unzipped(&content)
}

/// The newest export.
pub(crate) async fn newest_export(client: &Client) -> Value {
    client.data("{ dataExports { id status url createdAt expiresAt } }", json!({})).await["dataExports"][0].take()
}
