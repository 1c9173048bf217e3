//! The catalogue as the API shows it.

use std::fmt::Write as _;
use std::sync::Arc;

use async_graphql::{EmptyMutation, EmptySubscription, Schema, Value, Variables};
use evolve_business::graphql::business::catalog::CatalogQuery;
use evolve_business::graphql::context::RequestContext;
use evolve_business::ids::{PlanId, ProductId};
use evolve_business::security::keys::Keys;
use evolve_business::security::random::SystemRng;
use evolve_business::services::access::Caller;
use evolve_business::store::{TenantScope, catalog};
use serde_json::{Value as Json, json};

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_catalog::{Statements, execute};

const NOW: &str = "2027-01-31T09:00:00Z";

/// The head of a catalogue whose platform's currency is USD, with two products.
const HEAD: &str = "\
[platform]
currency = 'USD'
[seller]
name = 'S'
tax_id = 'P1'
country = 'KE'
time_zone = 'Africa/Nairobi'
[[products]]
code = 'erp'
name = 'ERP'
description = 'Books.'
[[products]]
code = 'payroll'
name = 'Payroll'
description = 'Wages.'
";

/// A plan of a catalogue file; prices as `monthly USD 10.00`.
fn plan(product: &str, code: &str, prices: &[&str]) -> String {
    let price = |price: &&str| {
        let [interval, currency, amount] = price.split(' ').collect::<Vec<_>>()[..] else { panic!("{price}") };
        format!("{{ interval = '{interval}', currency = '{currency}', amount = '{amount}', tax = 'exclusive' }}")
    };
    let prices: Vec<String> = prices.iter().map(price).collect();
    let prices = prices.join(", ");
    format!(
        "[[plans]]\nproduct = '{product}'\ncode = '{code}'\nname = 'N'\ndescription = 'D'\nprices = [{prices}]\n\
         [[plans.features]]\nkey = 'books'\nname = 'Books'\nkind = 'switch'\n"
    )
}

/// What an operation answers a caller; it must not fail.
async fn ask_as(world: &World, caller: Caller, query: &str, variables: Json) -> Json {
    let response = run(world, caller, query, variables).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    response.data.into_json().unwrap()
}

async fn ask(world: &World, query: &str) -> Json {
    ask_as(world, Caller::Anonymous, query, json!({})).await
}

async fn run(world: &World, caller: Caller, query: &str, variables: Json) -> async_graphql::Response {
    let keys = Keys::load_or_create(world.database.dir.path(), &SystemRng).unwrap();
    let context = RequestContext::new(world.ports.clone(), caller, Arc::new(keys.cursor), None);
    let schema = Schema::build(CatalogQuery, EmptyMutation, EmptySubscription).finish();
    let request = async_graphql::Request::new(query).variables(Variables::from_json(variables)).data(Arc::new(context));
    schema.execute(request).await
}

/// The codes of the nodes of `plans` in an answer.
fn codes(answer: &Json) -> Vec<String> {
    let nodes = answer["plans"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["code"].as_str().unwrap().to_owned()).collect()
}

both!(
    anybody_sees_products_with_their_plans_prices_and_features,
    a_price_is_in_the_platforms_currency_unless_asked_otherwise_and_null_where_not_sold_so,
    a_signed_in_caller_sees_prices_in_the_currency_of_the_business_until_the_session_is_over,
    plans_come_cheapest_first_by_the_month_or_a_twelfth_of_the_year,
    plans_are_paged_both_ways_and_a_cursor_fits_its_own_list_alone,
    an_archived_plan_is_not_on_sale_and_a_cursor_that_names_it_stays_good,
    products_with_plans_prices_and_features_take_the_same_statements_for_3_and_for_30_plans,
);

async fn anybody_sees_products_with_their_plans_prices_and_features(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    assert_eq!(
        ask(&world, "{ products { code } plans { nodes { code } totalCount } }").await,
        json!({ "products": [], "plans": { "nodes": [], "totalCount": 0 } })
    );
    world.seed_catalogue().await;
    let answer = ask(
        &world,
        "{ products { id code name plans { id code archived trialDays maxUsers storageLimit requiresVerification product { code }
             prices { interval amount { amount currency minorUnits } taxBehavior }
             features { key kind enabled included unit overage { model currency packageSize tiers { upTo unitPrice flatAmount } } } } } }",
    )
    .await;
    let products = answer["products"].as_array().unwrap();
    assert_eq!(products.iter().map(|product| &product["code"]).collect::<Vec<_>>(), ["erp", "sacco", "payroll"]);
    assert!(ProductId::parse(products[0]["id"].as_str().unwrap()).is_some());
    let plans = products[0]["plans"].as_array().unwrap();
    assert_eq!(plans.iter().map(|plan| &plan["code"]).collect::<Vec<_>>(), ["starter", "growth", "enterprise"], "cheapest first");
    let enterprise = &plans[2];
    assert!(PlanId::parse(enterprise["id"].as_str().unwrap()).is_some());
    assert_eq!(
        (&enterprise["product"]["code"], &enterprise["archived"], &enterprise["trialDays"]),
        (&json!("erp"), &json!(false), &json!(0))
    );
    assert_eq!((&enterprise["maxUsers"], &enterprise["requiresVerification"]), (&Json::Null, &json!(true)));
    assert_eq!(enterprise["storageLimit"], "1099511627776");
    let price = json!({ "interval": "MONTHLY", "amount": { "amount": "45000.00", "currency": "KES", "minorUnits": "4500000" }, "taxBehavior": "EXCLUSIVE" });
    assert_eq!(enterprise["prices"][0], price);
    let switch = json!({ "key": "inventory", "kind": "SWITCH", "enabled": true, "included": null, "unit": null, "overage": null });
    assert_eq!(enterprise["features"][0], switch);
    let unlimited = json!({ "key": "branches", "kind": "LIMIT", "enabled": true, "included": null, "unit": "branch", "overage": null });
    assert_eq!(enterprise["features"][3], unlimited);
    let metered = json!({ "key": "invoices.sent", "kind": "METERED", "enabled": true, "included": "20000", "unit": "invoice", "overage": {
        "model": "GRADUATED", "currency": "USD", "packageSize": null,
        "tiers": [{ "upTo": "10000", "unitPrice": "0.012", "flatAmount": "0.00" }, { "upTo": null, "unitPrice": "0.006", "flatAmount": "0.00" }],
    } });
    assert_eq!(enterprise["features"][4], metered);
    assert_eq!(enterprise["features"][5]["overage"]["packageSize"], "1000");
    let off = plans[0]["features"].as_array().unwrap().iter().find(|feature| feature["key"] == "multi_currency").unwrap();
    assert_eq!(off["enabled"], false);
}

async fn a_price_is_in_the_platforms_currency_unless_asked_otherwise_and_null_where_not_sold_so(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.apply_catalogue(&format!("{HEAD}{}", plan("erp", "monthly", &["monthly USD 35.00", "monthly KES 4500.00"]))).await;
    let answer = ask(
        &world,
        "{ plans { nodes { price { amount currency } kes: price(currency: \"KES\") { amount } eur: price(currency: \"EUR\") { amount } yearlyPrice { amount } } } }",
    )
    .await;
    let expected =
        json!({ "price": { "amount": "35.00", "currency": "USD" }, "kes": { "amount": "4500.00" }, "eur": null, "yearlyPrice": null });
    assert_eq!(answer["plans"]["nodes"], json!([expected]));
}

async fn plans_come_cheapest_first_by_the_month_or_a_twelfth_of_the_year(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let plans = [
        plan("erp", "dear", &["monthly USD 10.00", "yearly USD 1.00"]),
        plan("erp", "by_year", &["yearly USD 90.00"]),
        plan("payroll", "as_by_year", &["monthly USD 7.50"]),
        plan("payroll", "just_above", &["monthly USD 7.51"]),
        plan("erp", "abroad", &["monthly KES 1.00"]),
        plan("payroll", "dear", &["monthly USD 10.00"]),
        plan("payroll", "free", &["monthly USD 0.00"]),
    ];
    world.apply_catalogue(&format!("{HEAD}{}", plans.concat())).await;
    let answer = ask(&world, "{ plans { nodes { code product { code } } } }").await;
    // A month in USD: 0, 7.50, 90/12 = 7.50, 7.51, 10, 10, and one that is not sold in USD.
    assert_eq!(codes(&answer), ["free", "as_by_year", "by_year", "just_above", "dear", "dear", "abroad"]);
    assert_eq!(answer["plans"]["nodes"][4]["product"]["code"], "erp", "the products' order decides last");
}

async fn a_signed_in_caller_sees_prices_in_the_currency_of_the_business_until_the_session_is_over(db: TestDatabase) {
    let (url, kind) = (db.migration_url.clone(), db.kind);
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    let (business, user, session) = (1, 2, 3);
    let insert = "
        insert into businesses (business_id, business_name, business_email, industry, company_size, country, postal_code, address_line, city,
            phone_sealed, tax_id_sealed, wrapped_key, tax_exempt, time_zone, currency, verification_status, balance_minor, suspended_at,
            created_at, updated_at) values ({1}, 'Duka', 'd@example.com', 'RETAIL', 'SIZE_1', 'KE', '00100', null, null, null, null, {bytes}, {false},
            'Africa/Nairobi', 'KES', 'UNVERIFIED', 0, null, {at}, {at});
        insert into users values ({2}, 'a@example.com', 'a@example.com', 'Ann', 'x', 'en', null, {at}, {at}, null);
        insert into members values ({1}, {4}, {2}, 'MEMBER', {at});
        insert into sessions values ({3}, {2}, {1}, null, {at}, {at}, '2027-03-01 00:00:00+00:00', null);";
    execute(&url, kind, insert).await;
    let id = uuid::Uuid::from_u128;
    let scope = TenantScope::proved(id(business).into());
    let caller = Caller::User { user: id(user).into(), session: id(session).into(), scope };
    let query = "{ plans(product: \"erp\") { nodes { price { amount currency } usd: price(currency: \"USD\") { amount } yearlyPrice { amount } features { overage { currency } } } } }";

    statements.clear();
    let answer = ask_as(&world, caller, query, json!({})).await;
    let starter = &answer["plans"]["nodes"][0];
    assert_eq!(starter["price"], json!({ "amount": "4500.00", "currency": "KES" }));
    assert_eq!((&starter["usd"]["amount"], &starter["yearlyPrice"]["amount"]), (&json!("35.00"), &json!("45000.00")));
    assert_eq!(answer["plans"]["nodes"][2]["features"][4]["overage"]["currency"], "KES");
    assert_eq!(statements.texts().iter().filter(|sql| sql.contains("\"businesses\".\"business_name\"")).count(), 1, "loaded once a view");

    execute(&url, kind, "update sessions set revoked_at = {at};").await;
    let answer = ask_as(&world, caller, query, json!({})).await;
    assert_eq!(answer["plans"]["nodes"][0]["price"], json!({ "amount": "35.00", "currency": "USD" }), "as for anybody");
}

/// Plans `p00`, `p01` … of ERP, each dearer than the one before it.
fn many(count: usize) -> String {
    let mut text = HEAD.to_owned();
    for index in 0..count {
        write!(text, "{}", plan("erp", &format!("p{index:02}"), &[&format!("monthly USD {}.00", index + 1)])).unwrap();
    }
    text
}

const PAGE: &str = "query($product: String, $first: Int, $after: String, $last: Int, $before: String) {
    plans(product: $product, first: $first, after: $after, last: $last, before: $before) {
        nodes { code } edges { cursor node { code } } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

async fn plans_are_paged_both_ways_and_a_cursor_fits_its_own_list_alone(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.apply_catalogue(&many(7)).await;
    let page = async |variables: Json| ask_as(&world, Caller::Anonymous, PAGE, variables).await;
    let info = |answer: &Json| (answer["plans"]["pageInfo"]["hasPreviousPage"] == true, answer["plans"]["pageInfo"]["hasNextPage"] == true);

    let first = page(json!({ "first": 3 })).await;
    assert_eq!((codes(&first), info(&first)), (vec!["p00".into(), "p01".into(), "p02".into()], (false, true)));
    assert_eq!(first["plans"]["totalCount"], 7);
    let end = &first["plans"]["pageInfo"]["endCursor"];
    assert_eq!(*end, first["plans"]["edges"][2]["cursor"]);
    let second = page(json!({ "first": 3, "after": end })).await;
    assert_eq!((codes(&second), info(&second)), (vec!["p03".into(), "p04".into(), "p05".into()], (true, true)));
    let third = page(json!({ "first": 3, "after": second["plans"]["pageInfo"]["endCursor"] })).await;
    assert_eq!((codes(&third), info(&third)), (vec!["p06".into()], (true, false)));
    let beyond = page(json!({ "first": 3, "after": third["plans"]["pageInfo"]["endCursor"] })).await;
    assert_eq!((codes(&beyond), info(&beyond)), (vec![], (true, false)));
    assert_eq!(beyond["plans"]["pageInfo"]["endCursor"], Json::Null);

    let last = page(json!({ "last": 2 })).await;
    assert_eq!((codes(&last), info(&last)), (vec!["p05".into(), "p06".into()], (true, false)));
    let before = page(json!({ "last": 3, "before": second["plans"]["pageInfo"]["startCursor"] })).await;
    assert_eq!((codes(&before), info(&before)), (vec!["p00".into(), "p01".into(), "p02".into()], (false, true)));
    let between = page(json!({ "first": 9, "after": end, "before": third["plans"]["pageInfo"]["startCursor"] })).await;
    assert_eq!((codes(&between), info(&between)), (vec!["p03".into(), "p04".into(), "p05".into()], (true, true)));

    let other = page(json!({ "product": "payroll" })).await;
    assert_eq!((codes(&other), &other["plans"]["totalCount"]), (vec![], &json!(0)));
    for variables in [
        json!({ "first": 3, "last": 3 }),
        json!({ "first": 0 }),
        json!({ "first": 101 }),
        json!({ "after": "AAAA" }),
        json!({ "product": "erp", "after": end }),
    ] {
        let refused = run(&world, Caller::Anonymous, PAGE, variables.clone()).await;
        assert_eq!((refused.errors.len(), refused.data), (1, Value::from_json(json!({ "plans": null })).unwrap()), "{variables}");
    }
}

async fn an_archived_plan_is_not_on_sale_and_a_cursor_that_names_it_stays_good(db: TestDatabase) {
    let (url, kind) = (db.migration_url.clone(), db.kind);
    let world = World::at(db, NOW).await;
    world.apply_catalogue(&many(4)).await;
    let first = ask_as(&world, Caller::Anonymous, PAGE, json!({ "first": 2 })).await;
    execute(&url, kind, "update plans set archived_at = {at} where code = 'p01'").await;

    let answer = ask(&world, "{ plans { nodes { code } totalCount } products { plans { code } } }").await;
    assert_eq!((codes(&answer), &answer["plans"]["totalCount"]), (vec!["p00".into(), "p02".into(), "p03".into()], &json!(3)));
    assert_eq!(answer["products"][0]["plans"].as_array().unwrap().len(), 3);
    let after = json!({ "first": 1, "after": first["plans"]["pageInfo"]["endCursor"] });
    assert_eq!(codes(&ask_as(&world, Caller::Anonymous, PAGE, after).await), ["p02"]);
    let sold = catalog::plans_on_sale(&world.catalogue().await, Some("erp")).await.unwrap();
    assert_eq!(sold.len(), 3);
    let id = world.plan("erp", "p01").await;
    let kept = catalog::plan_to_subscribe(&world.catalogue().await, id).await.unwrap().unwrap();
    assert!(kept.archived, "it is there for those who have it");
}

async fn products_with_plans_prices_and_features_take_the_same_statements_for_3_and_for_30_plans(db: TestDatabase) {
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    let query = "{ products { code plans { price { amount } prices { amount { amount } } features { key overage { currency } } } } }";
    let bare = "{ products { code plans { code price { amount } } } }";
    for count in [3, 30] {
        world.apply_catalogue(&many(count)).await;
        statements.clear();
        let answer = ask(&world, query).await;
        assert_eq!(answer["products"][0]["plans"].as_array().unwrap().len(), count);
        // Products, plans, their prices, the seller for the order and one more for the currency, features.
        assert_eq!(statements.count(), 6, "{count} plans: {:#?}", statements.texts());
        statements.clear();
        ask(&world, bare).await;
        assert_eq!(statements.texts().iter().filter(|sql| sql.contains("plan_features")).count(), 0);
        statements.clear();
        ask(&world, "{ products { code } }").await;
        assert_eq!(statements.count(), 1);
    }
}
