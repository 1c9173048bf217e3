//! The walls as PostgreSQL has them: each table that has a tenant is walked, so that a new one cannot be forgotten.

use evolve_business::clock::SystemClock;
use evolve_business::ids::{IdGen as _, SystemIds};
use evolve_business::store::{Store, StoreOptions};
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Row as _};
use std::sync::Arc;
use uuid::Uuid;

use crate::database::{Kind, TestDatabase, run};
use crate::postgres::{self, execute};
use crate::walls_raw::Raw;

/// Tables with a `business_id` whose key does not lead with it, each with why.
const GLOBAL_KEYS: &[(&str, &str)] = &[
    ("sessions", "found by its id before the business is known; the primary key is the id"),
    ("invoice_register", "numbers are gapless across all businesses; the primary key is (series, year, number)"),
];

/// Tables with a `business_id` that are for the system alone, each with why.
const SYSTEM_ALONE: &[(&str, &str)] = &[
    ("api_key_hashes", "a key is found by its hash before its business is known"),
    ("invitation_tokens", "an invitation is found by its link before anybody is known"),
];

/// Tables that the application may read every row of, or none by its role alone, since they have no tenant.
const CATALOGUE: &[&str] =
    &["products", "plans", "plan_versions", "plan_prices", "plan_features", "tax_rates", "sellers", "coupons", "coupon_plans"];

/// SQLSTATE: insufficient privilege, which row-level security refuses by too.
const REFUSED: &str = "42501";

/// Makes a test on PostgreSQL alone of an `async fn name(db: TestDatabase)`.
macro_rules! on_postgres {
    ($($test:ident = $body:ident),+ $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            run(Kind::Postgres, $body).await;
        }
    )+ };
}

on_postgres!(
    every_tenants_table_is_behind_forced_row_level_security = walls_stand,
    every_key_of_a_tenants_table_leads_with_the_business = keys_lead,
    every_reference_between_tenants_tables_carries_the_business = references_carry,
    no_table_lets_one_business_reach_anothers_rows = no_row_is_reached,
    the_application_cannot_read_secrets = no_secret_is_read,
    the_servers_login_reads_nothing_by_itself = login_reads_nothing,
    a_login_that_is_too_strong_is_named = weaknesses_are_named,
    a_part_of_a_table_is_reached_through_the_table_alone = parts_are_out_of_reach,
    an_event_of_usage_is_written_of_an_own_subscription_alone_and_those_stay = events_refer_to_what_stays,
);

async fn superuser(db: &TestDatabase) -> PgConnection {
    PgConnection::connect(&db.migration_url).await.unwrap()
}

/// The rows of a query, each column as text.
async fn table(connection: &mut PgConnection, sql: &'static str) -> Vec<Vec<String>> {
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| (0..row.len()).map(|column| row.get::<String, _>(column)).collect()).collect()
}

/// Each table with a `business_id` that a tenant has rows of its own in. Parts of tables are reached through their tables alone.
async fn tenant_tables(connection: &mut PgConnection) -> Vec<String> {
    let sql = "select c.table_name::text from information_schema.columns c
               join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
               where c.table_schema = 'public' and c.column_name = 'business_id' and t.table_type = 'BASE TABLE'
               and not (select relispartition from pg_class where oid = format('public.%I', c.table_name)::regclass) order by 1";
    let mut found: Vec<String> = table(connection, sql).await.into_iter().flatten().collect();
    for (name, reason) in SYSTEM_ALONE {
        assert!(found.iter().any(|found| found == name), "{name} is gone: take it off the list ({reason})");
    }
    found.retain(|found| SYSTEM_ALONE.iter().all(|(name, _)| found != name));
    assert!(found.len() >= 19, "{found:?}");
    found
}

/// Each table of ours.
async fn all_tables(connection: &mut PgConnection) -> Vec<String> {
    let sql = "select tablename::text from pg_tables where schemaname = 'public' and tablename <> 'seaql_migrations' order by 1";
    table(connection, sql).await.into_iter().flatten().collect()
}

/// Runs one statement in a transaction that has taken a role and a tenant, and rolls it back; answers the rows it
/// touched or the SQLSTATE it was refused by.
async fn as_role(connection: &mut PgConnection, role: &str, tenant: Option<Uuid>, statement: &str) -> Result<u64, String> {
    let mut transaction = connection.begin().await.unwrap();
    let tenant = tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
    let take = sqlx::query("select set_config('role', $1, true), set_config('app.tenant', $2, true)").bind(role).bind(tenant);
    take.execute(&mut *transaction).await.unwrap();
    let outcome = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut *transaction).await;
    let outcome = outcome.map(|done| done.rows_affected()).map_err(|error| {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.map_or_else(|| error.to_string(), std::borrow::Cow::into_owned)
    });
    transaction.rollback().await.unwrap();
    outcome
}

/// Whether a statement touched no row, or was refused for want of a privilege.
fn is_nothing(outcome: &Result<u64, String>) -> bool {
    outcome.as_ref().map_or_else(|code| code == REFUSED, |rows| *rows == 0)
}

async fn walls_stand(db: TestDatabase) {
    let mut admin = superuser(&db).await;
    let sql = "select relname::text, relrowsecurity::text, relforcerowsecurity::text from pg_class
               where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace and relname <> 'seaql_migrations'";
    for row in table(&mut admin, sql).await {
        assert_eq!(row[1..], ["true", "true"], "{}: row-level security is enabled and forced", row[0]);
    }
    let sql = "select tablename::text, policyname::text, roles::text, permissive::text, cmd::text,
                      coalesce(qual, '-'), coalesce(with_check, '-') from pg_policies where schemaname = 'public'";
    let policies = table(&mut admin, sql).await;
    for name in tenant_tables(&mut admin).await {
        let own: Vec<_> = policies.iter().filter(|policy| policy[0] == name && policy[2] != "{evolve_system}").collect();
        let [tenant] = own[..] else { panic!("{name} has one policy beside the system's: {own:?}") };
        let own_rows = "(business_id = ( SELECT app_tenant() AS app_tenant))";
        assert_eq!(tenant[2..6], ["{evolve_app}", "PERMISSIVE", "ALL", own_rows], "{name}");
        // What proves a reference besides asks for the business as well.
        let check = &tenant[6];
        assert!(check == "-" || (name == "usage_events" && check.starts_with(&format!("({own_rows} AND "))), "{name}: {check}");
    }
}

async fn keys_lead(db: TestDatabase) {
    let mut admin = superuser(&db).await;
    let sql = "select t.relname::text, i.relname::text,
                      coalesce((select attname::text from pg_attribute a where a.attrelid = t.oid and a.attnum = x.indkey[0]), 'an expression')
               from pg_index x join pg_class t on t.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
               where x.indisunique and t.relnamespace = 'public'::regnamespace";
    let keys = table(&mut admin, sql).await;
    for name in tenant_tables(&mut admin).await {
        let leading: Vec<_> = keys.iter().filter(|key| key[0] == name).collect();
        assert!(!leading.is_empty(), "{name} has a key");
        let is_global = GLOBAL_KEYS.iter().any(|(global, _)| *global == name);
        for key in leading {
            assert_eq!(key[2] == "business_id", !is_global, "{name}: the key {} leads with {}", key[1], key[2]);
        }
    }
    for (name, reason) in GLOBAL_KEYS {
        assert!(keys.iter().any(|key| key[0] == *name), "{name} is gone: take it off the list ({reason})");
    }
}

async fn references_carry(db: TestDatabase) {
    let mut admin = superuser(&db).await;
    let tenants = tenant_tables(&mut admin).await;
    let sql = "select c.conname::text, t.relname::text, f.relname::text, a.attname::text, b.attname::text
               from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_class f on f.oid = c.confrelid
               join pg_attribute a on a.attrelid = t.oid and a.attnum = c.conkey[1]
               join pg_attribute b on b.attrelid = f.oid and b.attnum = c.confkey[1]
               where c.contype = 'f' and t.relnamespace = 'public'::regnamespace";
    let mut seen = 0;
    for row in table(&mut admin, sql).await {
        if tenants.contains(&row[1]) && tenants.contains(&row[2]) {
            assert_eq!(row[3..], ["business_id", "business_id"], "{} of {}", row[0], row[1]);
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
}

/// Puts a row of each of two businesses into every tenant's table, with what refuses made-up values taken away, and
/// tries to reach one business's rows as the other.
async fn no_row_is_reached(db: TestDatabase) {
    let mut admin = superuser(&db).await;
    let tenants = tenant_tables(&mut admin).await;
    let businesses = [SystemIds.next_uuid(), SystemIds.next_uuid()];
    fill(&mut admin, businesses).await;
    let mut application = PgConnection::connect(&db.url).await.unwrap();
    for name in &tenants {
        assert_eq!(as_role(&mut application, "evolve_system", None, &format!("select from {name}")).await, Ok(2), "{name}: the system");
        for statement in [format!("select from {name}"), format!("select from {name} for update")] {
            // Where the application may not even update, a lock is refused outright.
            let seen = as_role(&mut application, "evolve_app", None, &statement).await;
            assert!(is_nothing(&seen), "{statement} without a tenant: {seen:?}");
        }
        for (own, other) in [(businesses[0], businesses[1]), (businesses[1], businesses[0])] {
            let seen = as_role(&mut application, "evolve_app", Some(own), &format!("select from {name}")).await;
            assert_eq!(seen, Ok(1), "{name}: its own row");
            for statement in [
                format!("select from {name} where business_id = '{other}'"),
                format!("select from {name} where business_id = '{other}' for update"),
                format!("update {name} set business_id = business_id where business_id = '{other}'"),
                format!("delete from {name} where business_id = '{other}'"),
            ] {
                let touched = as_role(&mut application, "evolve_app", Some(own), &statement).await;
                assert!(is_nothing(&touched), "{statement}: {touched:?}");
            }
            for statement in [
                format!("update {name} set business_id = '{other}'"),
                format!("insert into {name} select * from copy_of_{name} where business_id = '{other}'"),
            ] {
                let moved = as_role(&mut application, "evolve_app", Some(own), &statement).await;
                assert_eq!(moved, Err(REFUSED.into()), "{statement}");
            }
        }
    }
}

/// Events have no reference that each row is proved by: the wall proves them.
async fn events_refer_to_what_stays(db: TestDatabase) {
    let mut admin = superuser(&db).await;
    let [own, other] = [SystemIds.next_uuid(), SystemIds.next_uuid()];
    fill(&mut admin, [own, other]).await;
    let mut application = PgConnection::connect(&db.url).await.unwrap();
    let insert = |subscription: &str| {
        format!(
            "insert into usage_events (business_id, id, recorded_at, subscription_id, feature_key, event_id, action, quantity, occurred_at)
             select '{own}', gen_random_uuid(), now(), {subscription}, 'calls', 'a', 'ADD', '1', now()"
        )
    };
    let of = |business: Uuid| format!("(select id from copy_of_subscriptions where business_id = '{business}')");
    for (subscription, written) in
        [(of(own), Ok(1)), (of(other), Err(REFUSED.to_owned())), ("gen_random_uuid()".to_owned(), Err(REFUSED.to_owned()))]
    {
        assert_eq!(as_role(&mut application, "evolve_app", Some(own), &insert(&subscription)).await, written, "{subscription}");
    }
    for role in ["evolve_app", "evolve_system"] {
        for name in ["subscriptions", "businesses"] {
            let removed = as_role(&mut application, role, Some(own), &format!("delete from {name}")).await;
            assert_eq!(removed, Err(REFUSED.to_owned()), "{role}: {name}");
        }
    }
}

/// See [`no_row_is_reached`]. Keys that a made-up row could break are dropped, so that nothing but the wall refuses.
async fn fill(admin: &mut PgConnection, businesses: [Uuid; 2]) {
    let free = "do $$ declare c record; begin
        for c in select conrelid::regclass as tab, conname from pg_constraint
                 where contype in ('f', 'c') and connamespace = 'public'::regnamespace and conparentid = 0 and coninhcount = 0 loop
          execute format('alter table %s drop constraint %I', c.tab, c.conname);
        end loop;
        for c in select distinct conrelid::regclass as tab, conname from pg_constraint
                 where contype in ('p', 'u') and connamespace = 'public'::regnamespace and conparentid = 0 and coninhcount = 0 loop
          execute format('alter table %s drop constraint %I', c.tab, c.conname);
        end loop; end $$";
    execute(admin, free).await;
    for business in businesses {
        let fill = format!(
            "do $$ declare t record; begin
             for t in select table_name as tab, string_agg(quote_ident(column_name), ', ' order by ordinal_position) as columns,
               string_agg(case when column_name = 'business_id' then quote_literal('{business}') else case data_type
                 when 'uuid' then 'gen_random_uuid()' when 'bytea' then '''\\x00''' when 'boolean' then 'false'
                 when 'timestamp with time zone' then 'now()' when 'date' then 'current_date' when 'text' then '''x'''
                 else '1' end end, ', ' order by ordinal_position) as fields
               from information_schema.columns c where table_schema = 'public' and table_name not like 'copy_of_%'
               and not (select relispartition from pg_class where oid = format('public.%I', c.table_name)::regclass)
               and exists (select from information_schema.columns b
                 where b.table_schema = 'public' and b.table_name = c.table_name and b.column_name = 'business_id')
               group by table_name loop
               execute format('insert into %I (%s) values (%s)', t.tab, t.columns, t.fields);
               execute format('create table if not exists copy_of_%s as select * from %I with no data', t.tab, t.tab);
               execute format('insert into copy_of_%s select * from %I where business_id = %L', t.tab, t.tab, '{business}');
               execute format('grant select on copy_of_%s to evolve_app', t.tab);
             end loop; end $$"
        );
        execute(admin, &fill).await;
    }
}

async fn no_secret_is_read(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let business = raw.business().await.business().uuid();
    let mut application = PgConnection::connect(&db.url).await.unwrap();
    for statement in [
        "select password_hash from users",
        "select email_key from users",
        "select * from users",
        "select from refresh_tokens",
        "select from external_identities",
        "select from external_sessions",
        "select from service_keys",
        "select from second_factors",
        "select from email_changes",
        "select from recovery_codes",
        "select from staff_users",
        "select from staff_sessions",
        "select from staff_refresh_tokens",
        "select from platform_audit_events",
        "select from platform_audit_heads",
        "select from usage_retention",
    ] {
        assert_eq!(as_role(&mut application, "evolve_app", Some(business), statement).await, Err(REFUSED.into()), "{statement}");
    }
    for (name, _) in SYSTEM_ALONE {
        for statement in [format!("select from {name}"), format!("delete from {name}")] {
            assert_eq!(as_role(&mut application, "evolve_app", Some(business), &statement).await, Err(REFUSED.into()), "{statement}");
        }
    }
    for statement in ["select id, email, full_name from users", "select user_id from members", "select id from sessions"] {
        assert_eq!(as_role(&mut application, "evolve_app", Some(business), statement).await, Ok(0), "{statement}");
    }
    for name in CATALOGUE {
        assert_eq!(as_role(&mut application, "evolve_app", None, &format!("select from {name}")).await, Ok(0), "{name}");
        let written = as_role(&mut application, "evolve_app", None, &format!("delete from {name}")).await;
        assert_eq!(written, Err(REFUSED.into()), "{name} is the system's to write");
    }
    // Of a coupon the application counts the redemptions, and sets nothing else.
    let counted = as_role(&mut application, "evolve_app", Some(business), "update coupons set redemptions = redemptions + 1").await;
    assert_eq!(counted, Ok(0));
    for column in ["percent_off", "amount_off_minor", "max_redemptions", "expires_at", "code_key"] {
        let set = as_role(&mut application, "evolve_app", Some(business), &format!("update coupons set {column} = null")).await;
        assert_eq!(set, Err(REFUSED.into()), "{column}");
    }
}

/// A part has no grants and no policies: row-level security of the table it is a part of is not passed by asking the part. What
/// makes and drops parts does so as their owner: the system may have it done, and nobody else.
async fn parts_are_out_of_reach(db: TestDatabase) {
    let mut admin = superuser(&db).await;
    let sql = "select c.oid::regclass::text, relrowsecurity::text, relforcerowsecurity::text,
                      (select count(*) from pg_policy where polrelid = c.oid)::text, (relacl is null)::text
               from pg_class c where relispartition and relkind in ('r', 'p') order by 1";
    let parts = table(&mut admin, sql).await;
    assert!(parts.len() >= 4, "the rest, this month and two ahead: {parts:?}");
    let mut application = PgConnection::connect(&db.url).await.unwrap();
    for part in parts {
        assert_eq!(part[1..], ["true", "true", "0", "true"], "{part:?}");
        for role in ["evolve_app", "evolve_system"] {
            for statement in [
                format!("select from {}", part[0]),
                format!("insert into {} select * from {}", part[0], part[0]),
                format!("update {} set quantity = '1'", part[0]),
                format!("delete from {}", part[0]),
                format!("drop table {}", part[0]),
            ] {
                let refused = as_role(&mut application, role, Some(SystemIds.next_uuid()), &statement).await;
                assert_eq!(refused, Err(REFUSED.into()), "{statement} as {role}");
            }
        }
    }
    let sql = "select proname::text, prosecdef::text, array_to_string(proconfig, ' '), (proowner = relowner)::text,
                      (select string_agg(t, ' ') from unnest(proargtypes) a, format_type(a, null) t)
               from pg_proc join pg_class on relname = 'usage_events' where pronamespace = 'public'::regnamespace and prosecdef order by 1";
    let functions = table(&mut admin, sql).await;
    assert_eq!(functions.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["usage_events_drop_months", "usage_events_make_month"]);
    for row in functions {
        assert_eq!(row[1..], ["true", "search_path=pg_catalog, pg_temp", "true", "timestamp with time zone"], "{row:?}");
        let call = format!("select {}('2020-01-01')", row[0]);
        assert_eq!(as_role(&mut application, "evolve_app", None, &call).await, Err(REFUSED.into()), "{call}");
        assert_eq!(as_role(&mut application, "none", None, &call).await, Err(REFUSED.into()), "{call}: the login itself");
        assert_eq!(as_role(&mut application, "evolve_system", None, &call).await, Ok(1), "{call}");
    }
}

async fn login_reads_nothing(db: TestDatabase) {
    let mut admin = superuser(&db).await;
    let mut application = PgConnection::connect(&db.url).await.unwrap();
    for name in all_tables(&mut admin).await {
        for statement in [format!("select from {name}"), format!("delete from {name}")] {
            let refused = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut application).await.unwrap_err();
            let code = refused.as_database_error().and_then(sqlx::error::DatabaseError::code);
            assert_eq!(code.as_deref(), Some(REFUSED), "{statement}: {refused}");
        }
    }
}

/// What is said of a login that has these attributes, or that other role, on this database.
async fn said_of(url: &str) -> Vec<&'static str> {
    let options = StoreOptions { pool_size: 1, ..StoreOptions::new(url) };
    let store = Store::open(&options, Arc::new(SystemClock)).await.unwrap();
    let found = store.login_weaknesses().await.unwrap();
    store.close().await.unwrap();
    found
}

async fn weaknesses_are_named(db: TestDatabase) {
    assert_eq!(said_of(&db.url).await, [""; 0]);
    let said = said_of(&db.migration_url).await;
    assert!(said.iter().any(|sentence| sentence.contains("superuser")), "{said:?}");
    assert!(said.iter().any(|sentence| sentence.contains("owner")), "{said:?}");

    let mut admin = superuser(&db).await;
    let server = postgres::server_async().await.unwrap();
    let name = table(&mut admin, "select current_database()::text").await.remove(0).remove(0);
    let login = format!("login_{}", SystemIds.next_uuid().simple());
    let give_back = format!("alter table sellers owner to current_user; drop owned by {login}; drop role {login}");
    // How the login is made, how it gets too much, and the word that names it.
    let cases = [
        ("noinherit", String::new(), None),
        ("noinherit bypassrls", String::new(), Some("BYPASSRLS")),
        ("noinherit", format!("alter table sellers owner to {login}"), Some("owner")),
        ("inherit", format!("grant evolve_system to {login}"), Some("INHERIT")),
        ("inherit", format!("grant evolve_app to {login}"), Some("INHERIT")),
        ("noinherit", format!("grant {} to {login}", whoami(&mut admin).await), Some("superuser")),
    ];
    for (attributes, grant, word) in cases {
        execute(&mut admin, &format!("create role {login} login {attributes} password '{login}'; {grant}")).await;
        let said = said_of(&server.url(&name, &login)).await;
        execute(&mut admin, &give_back).await;
        match word {
            Some(word) => assert!(said.iter().any(|sentence| sentence.contains(word)), "{attributes} {grant}: {said:?}"),
            None => assert_eq!(said, [""; 0], "{attributes} {grant}"),
        }
    }
}

async fn whoami(admin: &mut PgConnection) -> String {
    table(admin, "select current_user::text").await.remove(0).remove(0)
}
