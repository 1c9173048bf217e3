//! The catalogue: seeding it, reading it, and who may change it.

use std::collections::HashMap;

use evolve_business::billing::period::Interval;
use evolve_business::billing::tax::TaxBehavior;
use evolve_business::money::{Currency, Rate};
use evolve_business::services::catalog::CatalogService;
use evolve_business::services::catalog::seed::Applied;
use evolve_business::store::catalog::{self, OverageModel};
use evolve_business::store::types::FeatureKind;
use sea_orm::sqlx::{self, Connection as _};

use crate::database::{Kind, TestDatabase};
use crate::world::World;
use crate::world_catalog::{DEMO, Statements, catalogue_file};

const NOW: &str = "2027-01-31T09:00:00Z";

fn currency(code: &str) -> Currency {
    Currency::from_code(code).unwrap()
}

both!(
    seeding_the_demo_puts_its_products_plans_and_seller_on_sale,
    applying_the_same_file_again_changes_nothing,
    a_changed_plan_gets_a_new_version_and_the_one_before_it_stays,
    product_settings_tax_rates_and_seller_are_changed_in_place,
    two_servers_that_seed_at_once_both_succeed_and_sell_everything_once,
    a_tax_rate_holds_from_its_day_until_the_next,
    any_number_of_versions_is_read_in_one_statement_each_for_plans_prices_and_features,
);

async fn seeding_the_demo_puts_its_products_plans_and_seller_on_sale(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    assert!(catalog::seller(&world.catalogue().await).await.unwrap().is_none());
    let applied = world.apply_catalogue(DEMO).await;
    let expected = Applied {
        seller_changed: true,
        tax_rates_written: 4,
        verification_changed: true,
        products_written: 3,
        plans_created: 9,
        versions_created: 0,
        plans_unchanged: 0,
    };
    assert_eq!(applied, expected);

    let read = world.catalogue().await;
    let products = catalog::products(&read).await.unwrap();
    assert_eq!(products.iter().map(|product| product.code.as_str()).collect::<Vec<_>>(), ["erp", "sacco", "payroll"]);
    assert_eq!(
        (products[0].change_options.prorations.len(), products[0].change_options.downgrade_now, products[0].cancel_unused_time.len()),
        (4, true, 3)
    );
    let seller = catalog::seller(&read).await.unwrap().unwrap();
    assert_eq!(
        (seller.name.as_str(), seller.city.as_deref(), seller.platform_currency),
        ("Evolve Business Ltd", Some("Nairobi"), currency("USD"))
    );
    assert_eq!(catalog::sold_currencies(&read).await.unwrap(), [currency("KES"), currency("USD")]);

    assert_eq!(catalog::plans_on_sale(&read, None).await.unwrap().len(), 9);
    let erp = catalog::plans_on_sale(&read, Some("erp")).await.unwrap();
    assert_eq!(erp.iter().map(|plan| plan.code.as_str()).collect::<Vec<_>>(), ["enterprise", "growth", "starter"]);
    assert_eq!(catalog::plans_on_sale(&read, Some("crm")).await.unwrap(), []);
    let growth = &erp[1];
    assert_eq!((growth.version, growth.trial_days, growth.max_users, growth.storage_limit), (1, 14, Some(25), Some(107_374_182_400)));
    let yearly = growth.price(Interval::Yearly, currency("KES")).unwrap();
    assert_eq!((yearly.amount_minor, yearly.tax_behavior), (12_000_000, TaxBehavior::Exclusive));
    assert_eq!(growth.price(Interval::Monthly, currency("EUR")), None);

    let features = catalog::plan_features(&read, &[growth.key()]).await.unwrap().remove(&growth.key()).unwrap();
    let keys: Vec<_> = features.iter().map(|feature| (feature.key.as_str(), feature.kind)).collect();
    let expected = [
        ("inventory", FeatureKind::Switch),
        ("multi_currency", FeatureKind::Switch),
        ("branches", FeatureKind::Limit),
        ("invoices.sent", FeatureKind::Metered),
        ("api.calls", FeatureKind::Metered),
    ];
    assert_eq!(keys, expected, "in the file's order");
    assert_eq!(features[3].included, Some("2000".parse::<Rate>().unwrap()));
    let calls = &features[4].overage[0];
    assert_eq!((calls.currency, calls.model), (currency("KES"), OverageModel::Package { size: 1000.into() }));
    assert_eq!(calls.tiers[0].unit_price, "45".parse::<Rate>().unwrap());
}

async fn applying_the_same_file_again_changes_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let before = catalog::all_plans(&world.catalogue().await).await.unwrap();
    assert_eq!(world.apply_catalogue(DEMO).await, Applied { plans_unchanged: 9, ..Applied::default() });
    assert_eq!(catalog::all_plans(&world.catalogue().await).await.unwrap(), before);
}

async fn a_changed_plan_gets_a_new_version_and_the_one_before_it_stays(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let id = world.plan("erp", "starter").await;
    let before = catalog::plan_versions(&world.catalogue().await, &[(id, 1)]).await.unwrap();
    let features_before = catalog::plan_features(&world.catalogue().await, &[(id, 1)]).await.unwrap();

    // Each of these is in the demo's ERP Starter alone.
    let changes = [
        ("amount = \"4500.00\"", "amount = \"4800.00\""),
        ("One shop, one set of books.", "One shop, one set of books, one phone."),
        ("included = 200\n", "included = 250\n"),
        ("max_users = 5\n", "max_users = 6\n"),
    ];
    let mut text = DEMO.to_owned();
    for (version, (from, to)) in (2..).zip(changes) {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
        let applied = world.apply_catalogue(&text).await;
        assert_eq!(applied, Applied { versions_created: 1, plans_unchanged: 8, ..Applied::default() }, "{to}");
        let current = catalog::plan_to_subscribe(&world.catalogue().await, id).await.unwrap().unwrap();
        assert_eq!((current.id, current.version), (id, version), "{to}");
    }
    let read = world.catalogue().await;
    let current = catalog::plan_to_subscribe(&read, id).await.unwrap().unwrap();
    assert_eq!(current.price(Interval::Monthly, currency("KES")).unwrap().amount_minor, 480_000);
    assert_eq!(current.max_users, Some(6));
    assert_eq!(catalog::plan_versions(&read, &[(id, 1)]).await.unwrap(), before);
    assert_eq!(catalog::plan_features(&read, &[(id, 1)]).await.unwrap(), features_before);
    assert_eq!(catalog::plans_on_sale(&read, None).await.unwrap().len(), 9, "one version of each is on sale");
}

async fn product_settings_tax_rates_and_seller_are_changed_in_place(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let before = catalog::products(&world.catalogue().await).await.unwrap();
    let text = DEMO
        .replacen("anchor = \"anniversary\"", "anchor = \"fixed_day\"\nfixed_day = 25", 1)
        .replace("rate = \"0.16\"", "rate = \"0.15\"")
        .replace("Evolve Business Ltd", "Evolve Ltd");
    let applied = world.apply_catalogue(&text).await;
    let expected = Applied { seller_changed: true, tax_rates_written: 1, products_written: 1, plans_unchanged: 9, ..Applied::default() };
    assert_eq!(applied, expected);
    let read = world.catalogue().await;
    let after = catalog::products(&read).await.unwrap();
    assert_eq!((after[0].id, after[0].anchor.day()), (before[0].id, Some(25)));
    assert_eq!(after[1..], before[1..]);
    let (seller, rates) = catalog::seller_and_tax_rates(&read, "KE").await.unwrap();
    let rate = catalog::tax_rate_on(rates, "2027-01-31".parse::<jiff::civil::Date>().unwrap().into()).unwrap();
    assert_eq!(rate.rate, "0.15".parse::<Rate>().unwrap());
    assert_eq!(seller.unwrap().name, "Evolve Ltd");
}

async fn two_servers_that_seed_at_once_both_succeed_and_sell_everything_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let service = CatalogService::new(world.ports.clone());
    let file = catalogue_file(DEMO);
    let all = futures::future::join_all((0..4).map(|_| service.apply(&file))).await;
    let created: usize = all.into_iter().map(|applied| applied.unwrap().plans_created).sum();
    assert_eq!(created, 9);
    assert_eq!(catalog::all_plans(&world.catalogue().await).await.unwrap().len(), 9);
}

async fn a_tax_rate_holds_from_its_day_until_the_next(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let more = "[[tax_rates]]\ncountry = \"KE\"\nname = \"VAT\"\nrate = \"0.14\"\nfrom = 2020-04-01\n";
    world.apply_catalogue(&format!("{DEMO}\n{more}")).await;
    let read = world.catalogue().await;
    for (country, on, expected) in [
        ("KE", "2020-03-31", None),
        ("KE", "2020-04-01", Some("0.14")),
        ("KE", "2020-12-31", Some("0.14")),
        ("KE", "2021-01-01", Some("0.16")),
        ("KE", "2027-01-31", Some("0.16")),
        ("UG", "2027-01-31", Some("0.18")),
        ("NG", "2027-01-31", Some("0.075")),
        ("RW", "2027-01-31", None),
    ] {
        let (seller, rates) = catalog::seller_and_tax_rates(&read, country).await.unwrap();
        assert!(seller.is_some(), "{country}");
        let rate = catalog::tax_rate_on(rates, on.parse::<jiff::civil::Date>().unwrap().into());
        assert_eq!(rate.map(|rate| rate.rate.to_string()).as_deref(), expected, "{country} on {on}");
    }
}

async fn any_number_of_versions_is_read_in_one_statement_each_for_plans_prices_and_features(db: TestDatabase) {
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    world.apply_catalogue(&DEMO.replace("max_users = 5\n", "max_users = 6\n")).await;
    let read = world.catalogue().await;
    let mut keys: Vec<_> = catalog::all_plans(&read).await.unwrap().iter().map(|plan| plan.key()).collect();
    keys.push((world.plan("erp", "starter").await, 1));
    // A version that does not exist, of a plan that does, must not be answered by another version.
    let unknown = (world.plan("erp", "growth").await, 2);
    keys.push(unknown);

    statements.clear();
    let plans = catalog::plans(&read, &keys).await.unwrap();
    assert_eq!((plans.len(), statements.count()), (10, 1));
    let prices = catalog::plan_prices(&read, &keys).await.unwrap();
    assert_eq!((prices.len(), statements.count()), (10, 2));
    assert!(prices.values().all(|prices| prices.len() == 4));
    let features = catalog::plan_features(&read, &keys).await.unwrap();
    assert_eq!((features.len(), statements.count()), (10, 3));
    assert!(!plans.contains_key(&unknown) && !prices.contains_key(&unknown) && !features.contains_key(&unknown));
    assert_eq!(catalog::plans(&read, &[]).await.unwrap(), HashMap::new());
    assert_eq!(statements.count(), 3, "nothing is asked for no keys");
}

/// SQLite has no roles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_role_cannot_write_the_catalogue_on_postgres() {
    crate::database::run(Kind::Postgres, the_application_role_cannot_write_the_catalogue).await;
}

async fn the_application_role_cannot_write_the_catalogue(db: TestDatabase) {
    let url = db.url.clone();
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query("set role evolve_app").execute(&mut connection).await.unwrap();
    let plans: i64 = sqlx::query_scalar("select count(*) from plans").fetch_one(&mut connection).await.unwrap();
    assert_eq!(plans, 9, "it may read");
    for table in ["products", "plans", "plan_versions", "plan_prices", "plan_features", "tax_rates", "sellers"] {
        for change in [format!("delete from {table}"), format!("insert into {table} default values"), format!("truncate {table}")] {
            let refused = sqlx::query(sqlx::AssertSqlSafe(change.clone())).execute(&mut connection).await.unwrap_err();
            let code = refused.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned);
            assert_eq!(code.as_deref(), Some("42501"), "{change}");
        }
    }
    let refused = sqlx::query("update plan_prices set amount_minor = 0").execute(&mut connection).await.unwrap_err();
    assert_eq!(refused.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(), Some("42501"));
}
