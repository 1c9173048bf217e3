//! Staff read across businesses: each thing with what is its own, and in as many statements for many as for one.

use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_catalog::Statements;
use crate::world_lives::{Life, add_method, plans, register};
use crate::world_staff::{code, text};

both!(
    everything_is_shown_with_its_own_business,
    lists_across_businesses_take_the_same_statements_for_one_and_for_thirty,
    a_search_finds_by_name_address_and_id_and_its_wildcards_are_letters,
    filters_narrow_by_what_the_business_is,
    what_there_is_not_answers_null,
    pages_across_businesses_go_on_where_they_ended,
);

const NOW: &str = "2027-01-10T09:00:00Z";

/// Thirty businesses' worth of what a back office looks at.
const INVOICES: &str = "{ invoices(first: 40) { nodes { number business { id businessName subscriptionStatus } billedTo { name taxId }
  subscription { id status plan { name product { code } } } lines { description amount { amount } } payments { status method { label } invoice { id } } } } }";
const SUBSCRIPTIONS: &str = "{ subscriptions(first: 40) { nodes { id status plan { name } price { amount } } } }";
const PAYMENTS: &str =
    "{ payments(first: 40) { nodes { status amount { amount } invoice { number business { businessName } } method { label } } } }";
const BUSINESSES: &str = "{ businesses(first: 40) { nodes { id suspensionReason suspendedBy { email } business { businessName subscriptionStatus balance { amount } } } } }";

const LISTS: &str = "{ businesses(first: 40) { nodes { id
  subscriptions(first: 2) { totalCount nodes { id plan { name } } } invoices(first: 2) { totalCount nodes { id lines { description } } }
  payments(last: 2) { totalCount nodes { id invoice { number } } } auditEvents(first: 3) { totalCount nodes { id action } }
  business { members(first: 5) { totalCount nodes { user { email } } } } } } }";

async fn world(db: TestDatabase) -> (World, Server, Client, Statements) {
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Support).await;
    (world, server, staff, statements)
}

/// A business with a paid subscription; answers its id.
async fn paying(world: &World, server: &Server, name: &str) -> String {
    let (client, business) = register(server, name).await;
    let method = add_method(&client, "SUCCEEDS").await;
    let plan = plans(&client).await["erp"][0].clone();
    client.mutate("updateProfile", json!({ "taxId": format!("P-{name}") }), "business { id }").await;
    let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": name });
    let paid = world.working(client.mutate("subscribe", input, "invoice { status }")).await;
    assert_eq!(paid["invoice"]["status"], "PAID", "{paid:#}");
    business
}

async fn counted(client: &Client, statements: &Statements, document: &str) -> (Value, Vec<String>) {
    statements.clear();
    let data = client.data(document, json!({})).await;
    (data, statements.texts())
}

async fn lists_across_businesses_take_the_same_statements_for_one_and_for_thirty(db: TestDatabase) {
    let (world, server, staff, statements) = world(db).await;
    paying(&world, &server, "b00").await;
    let mut first = Vec::new();
    for document in [INVOICES, SUBSCRIPTIONS, PAYMENTS, BUSINESSES, LISTS] {
        first.push(counted(&staff, &statements, document).await.1);
    }
    for number in 1..30 {
        paying(&world, &server, &format!("b{number:02}")).await;
    }
    for (document, one) in [INVOICES, SUBSCRIPTIONS, PAYMENTS, BUSINESSES, LISTS].into_iter().zip(first) {
        let (shown, thirty) = counted(&staff, &statements, document).await;
        let list = shown.as_object().unwrap().values().next().unwrap();
        assert_eq!(list["nodes"].as_array().unwrap().len(), 30, "{document}");
        assert_eq!(thirty.len(), one.len(), "one:\n{}\n\nthirty:\n{}", one.join("\n"), thirty.join("\n"));
    }
    // Each of the thirty invoices is shown with its own business, buyer and tax id.
    let shown = staff.data(INVOICES, json!({})).await;
    let mut names = Vec::new();
    for invoice in shown["invoices"]["nodes"].as_array().unwrap() {
        let name = text(&invoice["business"]["businessName"]);
        assert_eq!(invoice["billedTo"]["name"], json!(name), "{invoice:#}");
        assert_eq!(invoice["billedTo"]["taxId"], format!("P-{}", name.trim_end_matches(" Traders")), "{invoice:#}");
        assert_eq!((invoice["lines"].as_array().unwrap().len(), &invoice["payments"][0]["status"]), (1, &json!("SUCCEEDED")));
        names.push(name);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 30);
}

async fn everything_is_shown_with_its_own_business(db: TestDatabase) {
    let (world, server, staff, _) = world(db).await;
    let (ann, ben) = (Life::lived(&world, &server, "ann").await, Life::lived(&world, &server, "ben").await);
    let document = "query($id: ID!) { business(id: $id) { id business { businessName members { nodes { user { email } } } }
        subscriptions { totalCount nodes { id upcomingInvoice { total { amount } } invoices { nodes { id business { id } } } } }
        invoices { totalCount nodes { id business { id } } } payments { totalCount nodes { id invoice { business { id } } } } } }";
    for life in [&ann, &ben] {
        let shown = staff.data(document, json!({ "id": life.business })).await["business"].take();
        assert_eq!(shown["id"], json!(life.business));
        assert_eq!(shown["business"]["members"]["nodes"], json!([{ "user": { "email": life.email } }]));
        for list in ["subscriptions", "invoices", "payments"] {
            assert_eq!(shown[list]["totalCount"], 2, "{list}: {shown:#}");
            for node in shown[list]["nodes"].as_array().unwrap() {
                assert!(life.ids.contains(&text(&node["id"])), "{list}: {node:#}");
            }
        }
        for invoice in shown["invoices"]["nodes"].as_array().unwrap() {
            assert_eq!(invoice["business"]["id"], json!(life.business));
        }
        assert_eq!(shown["payments"]["nodes"][0]["invoice"]["business"]["id"], json!(life.business));
        let paid = shown["subscriptions"]["nodes"].as_array().unwrap().iter().find(|node| node["id"] == json!(life.subscription)).unwrap();
        assert!(paid["upcomingInvoice"]["total"]["amount"].is_string(), "{paid:#}");
        // Whatever has an id is found by it, but for what is a customer's own alone.
        let (hidden, shown): (Vec<&String>, Vec<&String>) =
            life.ids.iter().partition(|id| ["ses_", "ntf_", "key_"].iter().any(|prefix| id.starts_with(prefix)));
        assert_eq!(hidden.len(), 3);
        for id in hidden {
            assert_eq!(staff.data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await["node"], Value::Null);
        }
        for id in shown {
            let node = staff
                .data("query($id: ID!) { node(id: $id) { id __typename } nodes(ids: [$id, \"inv_x\"]) { id } }", json!({ "id": id }))
                .await;
            assert_eq!(node["node"]["id"], json!(id), "{node:#}");
            assert_eq!(node["nodes"], json!([{ "id": id }, null]));
        }
    }
    // A part of each one's list, read for both at once, is the part of its own list.
    let parts = "{ businesses { nodes { id whole: invoices(first: 9) { nodes { id } } newest: invoices(first: 1) { totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage } }
      oldest: invoices(last: 1) { nodes { id } pageInfo { hasNextPage hasPreviousPage } } } } }";
    let shown = staff.data(parts, json!({})).await["businesses"]["nodes"].take();
    assert_eq!(shown.as_array().unwrap().len(), 2);
    for business in shown.as_array().unwrap() {
        let whole = business["whole"]["nodes"].as_array().unwrap();
        let life = [&ann, &ben].into_iter().find(|life| business["id"] == json!(life.business)).unwrap();
        assert!(whole.len() == 2 && whole.iter().all(|node| life.ids.contains(&text(&node["id"]))), "{business:#}");
        let page = |next: bool, previous: bool| json!({ "hasNextPage": next, "hasPreviousPage": previous });
        assert_eq!(business["newest"], json!({ "totalCount": 2, "nodes": [whole[0]], "pageInfo": page(true, false) }));
        assert_eq!(business["oldest"], json!({ "nodes": [whole[1]], "pageInfo": page(false, true) }));
    }
    let all = staff
        .data("{ invoices { totalCount } payments { totalCount } subscriptions { totalCount } businesses { totalCount } }", json!({}))
        .await;
    let counts: Vec<&Value> = all.as_object().unwrap().values().map(|list| &list["totalCount"]).collect();
    assert_eq!(counts.len(), 4);
    assert_eq!((&all["businesses"]["totalCount"], &all["invoices"]["totalCount"]), (&json!(2), &json!(4)));
    let of_ann = "query($id: ID!) { invoices(filter: { businessId: $id, status: [OPEN] }) { nodes { id } } payments(filter: { businessId: $id, status: [FAILED] }) { nodes { invoice { id } } }
        subscriptions(filter: { businessId: $id, product: \"erp\", status: [ACTIVE] }) { nodes { id } } }";
    let shown = staff.data(of_ann, json!({ "id": ann.business })).await;
    assert_eq!(shown["invoices"]["nodes"], json!([{ "id": ann.open_invoice }]));
    assert_eq!(shown["payments"]["nodes"], json!([{ "invoice": { "id": ann.open_invoice } }]));
    assert_eq!(shown["subscriptions"]["nodes"], json!([{ "id": ann.subscription }]));
}

/// The names that a search finds, sorted.
async fn found(staff: &Client, search: &str) -> Vec<String> {
    let shown =
        staff.data("query($s: String) { businesses(search: $s) { nodes { business { businessName } } } }", json!({ "s": search })).await;
    let mut names: Vec<String> =
        shown["businesses"]["nodes"].as_array().unwrap().iter().map(|node| text(&node["business"]["businessName"])).collect();
    names.sort();
    names
}

async fn a_search_finds_by_name_address_and_id_and_its_wildcards_are_letters(db: TestDatabase) {
    let (_world, server, staff, _) = world(db).await;
    let (_, ann_id) = register(&server, "ann").await;
    register(&server, "joanna").await;
    let (odd, _) = register(&server, "odd").await;
    odd.mutate("updateProfile", json!({ "businessName": "100% _Fresh_! Ltd", "businessEmail": "Post@Fresh.example" }), "business { id }")
        .await;
    assert_eq!(found(&staff, "ANN").await, ["ann Traders", "joanna Traders"], "in any case, anywhere in the name");
    assert_eq!(found(&staff, "ann@EXAMPLE.com").await, ["ann Traders"], "an address is a whole one");
    assert_eq!(found(&staff, "post@fresh.example").await, ["100% _Fresh_! Ltd"]);
    assert_eq!(found(&staff, "odd@example.com").await, ["100% _Fresh_! Ltd"], "by one of its people");
    assert_eq!(found(&staff, &ann_id).await, ["ann Traders"]);
    assert_eq!(found(&staff, "nn@example.com").await, [""; 0]);
    for (search, finds) in
        [("%", true), ("_", true), ("!", true), ("0% _f", true), ("a%n", false), ("a_n", false), ("\\", false), ("'", false)]
    {
        let expected: &[&str] = if finds { &["100% _Fresh_! Ltd"] } else { &[] };
        assert_eq!(found(&staff, search).await, expected, "{search}");
    }
    for bad in [String::new(), " ".to_owned(), "a".repeat(101), "ü".repeat(101), "a\u{0}b".to_owned(), "a\nb".to_owned()] {
        let answer = staff.ask("query($s: String) { businesses(search: $s) { nodes { id } } }", json!({ "s": bad })).await;
        assert_eq!((code(&answer), &answer["data"]["businesses"]), ("BAD_USER_INPUT", &Value::Null), "{bad:?}");
        let answer = staff.ask("query($s: String) { invoices(filter: { number: $s }) { nodes { id } } }", json!({ "s": bad })).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{bad:?}");
    }
    assert_eq!(found(&staff, &"ü".repeat(100)).await, [""; 0]);
}

async fn filters_narrow_by_what_the_business_is(db: TestDatabase) {
    let (world, server, staff, _) = world(db).await;
    let life = Life::lived(&world, &server, "ann").await;
    let (_, idle) = register(&server, "ben").await;
    // Ann pays for the ERP and has not paid for Payroll, which is INCOMPLETE: the worse of the two.
    for (filter, expected) in [
        (json!({ "subscriptionStatus": ["INCOMPLETE"] }), vec![&life.business]),
        (json!({ "subscriptionStatus": ["ACTIVE"] }), vec![]),
        (json!({ "subscriptionStatus": ["NONE"] }), vec![&idle]),
        (json!({ "subscriptionStatus": ["CANCELED", "SUSPENDED", "PAST_DUE", "TRIALING"] }), vec![]),
        (json!({ "subscriptionStatus": ["NONE", "INCOMPLETE"] }), vec![&idle, &life.business]),
        (json!({ "subscriptionStatus": [] }), vec![]),
        (json!({ "verification": ["UNVERIFIED"] }), vec![&idle, &life.business]),
        (json!({ "verification": ["APPROVED"] }), vec![]),
        (json!({ "country": "KE" }), vec![&idle, &life.business]),
        (json!({ "country": "UG" }), vec![]),
        (json!({ "product": "erp" }), vec![&life.business]),
        (json!({ "product": "sacco" }), vec![]),
        (json!({ "product": "no such" }), vec![]),
        (json!({ "suspended": true }), vec![]),
        (json!({ "suspended": false, "product": "payroll" }), vec![&life.business]),
    ] {
        let shown =
            staff.data("query($f: BusinessFilter) { businesses(filter: $f) { totalCount nodes { id } } }", json!({ "f": filter })).await;
        let mut ids: Vec<String> = shown["businesses"]["nodes"].as_array().unwrap().iter().map(|node| text(&node["id"])).collect();
        ids.sort();
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        expected.sort();
        assert_eq!(ids, expected, "{filter}");
        assert_eq!(shown["businesses"]["totalCount"], expected.len(), "{filter}");
    }
    let cancel = json!({ "subscriptionId": life.subscription, "timing": "NOW", "idempotencyKey": "c" });
    world.working(life.client.mutate("cancel", cancel, "subscription { status }")).await;
    let overdue = "query($o: Boolean) { invoices(filter: { overdue: $o }) { nodes { id } } }";
    // Due at once: overdue a moment later.
    world.advance(jiff::SignedDuration::from_secs(1));
    assert_eq!(staff.data(overdue, json!({ "o": true })).await["invoices"]["nodes"], json!([{ "id": life.open_invoice }]));
    assert_eq!(staff.data(overdue, json!({ "o": false })).await["invoices"]["nodes"].as_array().unwrap().len(), 1);
}

async fn what_there_is_not_answers_null(db: TestDatabase) {
    let (_world, _server, staff, _) = world(db).await;
    for id in
        ["", "biz_", "biz_01h455vb4pex5vsknk084sn02q", "inv_01h455vb4pex5vsknk084sn02q", "stf_01h455vb4pex5vsknk084sn02q", "ses_x", "\u{0}"]
    {
        let shown = staff.data("query($id: ID!) { business(id: $id) { id } node(id: $id) { id } nodes(ids: [$id]) { id } invoices(filter: { businessId: $id }) { nodes { id } } }", json!({ "id": id })).await;
        assert_eq!(shown, json!({ "business": null, "node": null, "nodes": [null], "invoices": { "nodes": [] } }), "{id:?}");
    }
    let many: Vec<String> = (0..101).map(|_| "inv_x".to_owned()).collect();
    assert_eq!(code(&staff.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": many })).await), "BAD_USER_INPUT");
}

async fn pages_across_businesses_go_on_where_they_ended(db: TestDatabase) {
    let (world, server, staff, _) = world(db).await;
    let mut expected = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        expected.insert(0, register(&server, name).await.1);
        world.advance(jiff::SignedDuration::from_secs(1));
    }
    let document = "query($after: String) { businesses(first: 2, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }";
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = staff.data(document, json!({ "after": after })).await["businesses"].take();
        seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| text(&node["id"])));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    assert_eq!(seen, expected);
    // A cursor is good in its own list alone.
    let answer = staff.ask("query($after: String) { invoices(after: $after) { nodes { id } } }", json!({ "after": after })).await;
    assert_eq!(code(&answer), "BAD_USER_INPUT");
    for arguments in ["first: 0", "first: 101", "first: 1, last: 1"] {
        assert_eq!(code(&staff.ask(&format!("{{ businesses({arguments}) {{ nodes {{ id }} }} }}"), json!({})).await), "BAD_USER_INPUT");
    }
}
