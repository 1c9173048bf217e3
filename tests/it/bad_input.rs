//! Hostile and wrong requests, over real HTTP: each is answered with its status and code, tells nothing of the inside,
//! and changes nothing.

mod keys;
mod texts;
mod tokens;

use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::Life;

const RESPONSE: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

/// What no answer may hold: words of the database, of the source, of a panic, of the machine.
const INSIDE: [&str; 14] = [
    "sqlx",
    "sea_orm",
    "sea-orm",
    "src/",
    ".rs:",
    "SELECT",
    "select ",
    "INSERT",
    "panicked",
    "RUST_BACKTRACE",
    "/tmp",
    "evolve_business",
    "async_graphql",
    "Option<",
];

both!(
    a_request_that_is_none_is_refused_and_changes_nothing,
    a_document_or_a_value_that_does_not_fit_is_refused_before_anything_runs,
    a_page_size_or_a_date_that_is_far_off_is_told_so,
    an_id_that_names_nothing_finds_nothing,
);

/// Fails where an answer tells of the inside.
fn tells_nothing(what: &str, body: &str) {
    for word in INSIDE {
        assert!(!body.contains(word), "{what}: the answer holds {word:?}: {body}");
    }
}

/// A request as raw as a client can send it.
struct Raw<'a> {
    method: &'a str,
    /// After the path.
    query: String,
    content_type: Option<&'a str>,
    body: Vec<u8>,
}

impl Default for Raw<'_> {
    fn default() -> Self {
        Self { method: "POST", query: String::new(), content_type: Some(JSON), body: Vec::new() }
    }
}

impl Raw<'_> {
    /// A POST of this JSON.
    fn of(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// The answer's status and text, as a caller who accepts this.
    async fn send(&self, server: &Server, token: Option<&str>, accept: &str) -> (u16, String) {
        let url = format!("{}/graphql{}", server.url, self.query);
        let mut request = reqwest::Client::new().request(self.method.parse().unwrap(), url).header("accept", accept);
        if let Some(content_type) = self.content_type {
            request = request.header("content-type", content_type);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.body(self.body.clone()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// Sends a request in both media types: each has its status, and the first error has this code.
async fn refused(server: &Server, life: &Life, what: &str, raw: &Raw<'_>, statuses: (u16, u16), code: &str) {
    for (accept, status) in [(RESPONSE, statuses.0), (JSON, statuses.1)] {
        let (answered, body) = raw.send(server, life.client.token.as_deref(), accept).await;
        tells_nothing(what, &body);
        assert_eq!(answered, status, "{what} as {accept}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], code, "{what} as {accept}: {body}");
        assert!(body["errors"][0]["extensions"]["requestId"].as_str().is_some_and(|id| !id.is_empty()), "{what}: {body}");
        assert!(body.get("data").is_none(), "{what}: nothing ran: {body}");
    }
}

/// A world with a business that has lived, and its server.
async fn lived(db: TestDatabase) -> (World, Server, Life) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let server = Server::start(&world).await;
    let life = Life::lived(&world, &server, "ann").await;
    (world, server, life)
}

async fn a_request_that_is_none_is_refused_and_changes_nothing(db: TestDatabase) {
    let (world, server, life) = lived(db).await;
    let before = world.rows_of(life.business_uuid()).await;
    let change = "mutation { updateProfile(input: { city: \"Changed\" }) { userErrors { code } } }";
    let good = serde_json::to_vec(&json!({ "query": change })).unwrap();
    let nested = format!("{{\"query\": {}, \"variables\": {{\"x\": {}1{}}}}}", json!(change), "[".repeat(50_000), "]".repeat(50_000));
    let encoded = change.replace(' ', "%20").replace('{', "%7B").replace('}', "%7D").replace('"', "%22");

    for (what, body) in [
        ("half a body", b"{\"query\": \"{ profile".to_vec()),
        ("no body", Vec::new()),
        ("null", b"null".to_vec()),
        ("a string", b"\"{ profile { id } }\"".to_vec()),
        ("a batch", [b"[".as_slice(), &good, b",", &good, b"]"].concat()),
        ("an empty batch", b"[]".to_vec()),
        ("bytes that are no UTF-8", b"{\"query\": \"{ \xff\xfe }\"}".to_vec()),
        ("a second body after the first", [good.as_slice(), &good].concat()),
        ("no query", b"{\"variables\": {}}".to_vec()),
        ("a query that is a number", b"{\"query\": 1}".to_vec()),
        ("variables that are a list", json!({ "query": change, "variables": [] }).to_string().into_bytes()),
        ("variables that are a text", json!({ "query": change, "variables": "{}" }).to_string().into_bytes()),
        ("an operation name that is an object", json!({ "query": change, "operationName": {} }).to_string().into_bytes()),
        ("a key twice", format!("{{\"query\": {0}, \"query\": {0}}}", json!(change)).into_bytes()),
        ("variables of 50,000 lists in each other", nested.into_bytes()),
    ] {
        refused(&server, &life, what, &Raw::of(body), (400, 400), "BAD_USER_INPUT").await;
    }
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/mixed; boundary=x")] {
        let raw = Raw { content_type, ..Raw::of(good.clone()) };
        refused(&server, &life, &format!("{content_type:?}"), &raw, (415, 415), "BAD_USER_INPUT").await;
    }
    let form = Raw { content_type: Some("multipart/form-data; boundary=x"), ..Raw::of(good.clone()) };
    refused(&server, &life, "a form that any page may send", &form, (400, 400), "BAD_USER_INPUT").await;
    let padded = json!({ "query": change, "extensions": { "padding": "x".repeat(1024 * 1024) } }).to_string();
    refused(&server, &life, "a body past 1 MiB", &Raw::of(padded), (413, 413), "BAD_USER_INPUT").await;
    let get = Raw { method: "GET", query: format!("?query={encoded}"), content_type: None, body: Vec::new() };
    refused(&server, &life, "a mutation by GET", &get, (405, 405), "BAD_USER_INPUT").await;
    for method in ["PUT", "DELETE", "PATCH"] {
        let raw = Raw { method, ..Raw::of(good.clone()) };
        refused(&server, &life, method, &raw, (405, 405), "BAD_USER_INPUT").await;
    }
    assert_eq!(world.rows_of(life.business_uuid()).await, before);

    // The very body that all of these were made of is a good one.
    let (status, body) = Raw::of(good).send(&server, life.client.token.as_deref(), RESPONSE).await;
    let whole = r#"{"data":{"updateProfile":{"userErrors":[]}},"extensions":{"cost":{"requested":12,"limit":20000}}}"#;
    assert_eq!((status, body.as_str()), (200, whole));
    assert_ne!(world.rows_of(life.business_uuid()).await, before);
}

async fn a_document_or_a_value_that_does_not_fit_is_refused_before_anything_runs(db: TestDatabase) {
    const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
    const INPUT: &str = "BAD_USER_INPUT";
    let (world, server, life) = lived(db).await;
    let before = world.rows_of(life.business_uuid()).await;
    // Each follows a mutation that would change the profile.
    let update = "u: updateProfile(input: { city: \"Changed\" }) { userErrors { code } }";
    let add = "mutation($x: AddPaymentMethodInput!) { UPDATE a: addPaymentMethod(input: $x) { userErrors { code } } }";
    let profile = "mutation($x: UpdateProfileInput!) { UPDATE a: updateProfile(input: $x) { userErrors { code } } }";
    let cancel = "mutation($x: CancelInput!) { UPDATE a: cancel(input: $x) { userErrors { code } } }";
    let cancels = |more: (&str, Value)| {
        let mut input = json!({ "subscriptionId": life.subscription, "idempotencyKey": "bad" });
        input[more.0] = more.1;
        input
    };
    for (what, document, x, code) in [
        ("no document", "", json!(null), "GRAPHQL_PARSE_FAILED"),
        ("half a document", "mutation { UPDATE", json!(null), "GRAPHQL_PARSE_FAILED"),
        ("an unknown root field", "mutation { UPDATE b: dropTables }", json!(null), INVALID),
        ("an unknown field", "mutation { UPDATE b: signOut(input: {}) { users } }", json!(null), INVALID),
        ("an unknown argument", "mutation { UPDATE b: signOut(input: {}, force: true) { userErrors { code } } }", json!(null), INVALID),
        ("an unknown input field", "mutation { UPDATE b: signOut(input: { role: OWNER }) { userErrors { code } } }", json!(null), INVALID),
        ("a field without its selection", "mutation { UPDATE b: signOut(input: {}) }", json!(null), INVALID),
        ("an unknown variable", "mutation { UPDATE b: updateProfile(input: $x) { userErrors { code } } }", json!(null), INVALID),
        ("two operations and no name", "mutation a { UPDATE } mutation b { UPDATE }", json!(null), INPUT),
        ("a variable left out", profile, json!(null), INPUT),
        ("an unknown field in a variable", profile, json!({ "city": "Changed", "role": "OWNER" }), INPUT),
        ("a text for an object", profile, json!("city"), INPUT),
        ("a list for an object", profile, json!([{ "city": "Changed" }]), INPUT),
        ("a number for a text", profile, json!({ "city": 7 }), INPUT),
        ("an object for a text", profile, json!({ "city": {} }), INPUT),
        ("an unknown value of an enum", profile, json!({ "companySize": "SIZE_3" }), INPUT),
        ("an enum in small letters", profile, json!({ "companySize": "size_1" }), INPUT),
        ("a number for an enum", profile, json!({ "companySize": 1 }), INPUT),
        ("an address that is none", profile, json!({ "businessEmail": "nobody" }), INPUT),
        ("an address with a line end", profile, json!({ "businessEmail": "a@b.example\r\nBcc: c@d.example" }), INPUT),
        ("a country that is none", profile, json!({ "country": "XX" }), INPUT),
        ("a time zone that is a path", profile, json!({ "timeZone": "../../etc/passwd" }), INPUT),
        ("a number for a time zone", profile, json!({ "timeZone": 3 }), INPUT),
        ("none of the kinds of source", add, json!({ "source": {} }), INPUT),
        ("two kinds of source", add, json!({ "source": { "sandbox": "SUCCEEDS", "bankTransfer": true } }), INPUT),
        ("a kind of source that is null", add, json!({ "source": { "cardToken": null } }), INPUT),
        ("null for what is never null", add, json!({ "source": null }), INPUT),
        ("null for a default that is never null", add, json!({ "source": { "sandbox": "SUCCEEDS" }, "makeDefault": null }), INPUT),
        ("a text for a Boolean", add, json!({ "source": { "sandbox": "SUCCEEDS" }, "makeDefault": "true" }), INPUT),
        ("2^31 for an Int", cancel, cancels(("ifVersion", json!(2_147_483_648_i64))), INPUT),
        ("-2^31-1 for an Int", cancel, cancels(("ifVersion", json!(-2_147_483_649_i64))), INPUT),
        ("1.5 for an Int", cancel, cancels(("ifVersion", json!(1.5))), INPUT),
        ("1e400 for an Int", cancel, cancels(("ifVersion", json!("1e400"))), INPUT),
        ("null for an id", cancel, cancels(("subscriptionId", Value::Null)), INPUT),
        ("a list for an id", cancel, cancels(("subscriptionId", json!([life.subscription]))), INPUT),
        ("an object for a key", cancel, cancels(("idempotencyKey", json!({ "$ne": "" }))), INPUT),
    ] {
        let variables = if x.is_null() { json!({}) } else { json!({ "x": x }) };
        let body = json!({ "query": document.replace("UPDATE", update), "variables": variables }).to_string();
        refused(&server, &life, what, &Raw::of(body), (400, 200), code).await;
    }
    assert_eq!(world.rows_of(life.business_uuid()).await, before, "the first field of none of them ran");
}

async fn a_page_size_or_a_date_that_is_far_off_is_told_so(db: TestDatabase) {
    let (world, _server, life) = lived(db).await;
    let before = world.rows_of(life.business_uuid()).await;
    for list in ["invoices", "payments", "subscriptions", "creditNotes", "plans"] {
        for (arguments, expected) in [
            ("first: 0", 200),
            ("first: -1", 200),
            ("last: 0", 200),
            ("first: 101", 200),
            ("first: -2147483648", 200),
            ("first: 1, last: 1", 200),
            ("after: \"\"", 200),
            ("after: \"\\u0000\"", 200),
            ("before: \"bm90IGEgY3Vyc29y\"", 200),
            ("first: 2147483647", 400),
            ("first: 2147483648", 400),
        ] {
            let what = format!("{list}({arguments})");
            let document = format!("{{ {list}({arguments}) {{ nodes {{ id }} }} profile {{ businessName }} }}");
            let (status, body) = life.client.raw(&document, &json!({})).await;
            tells_nothing(&what, &body);
            assert_eq!(status, expected, "{what}: {body}");
            let answer: Value = serde_json::from_str(&body).unwrap();
            if expected == 200 {
                assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{what}: {body}");
                assert_eq!(answer["errors"][0]["path"], json!([list]), "{what}: {body}");
                assert_eq!(answer["data"], json!({ list: null, "profile": { "businessName": "ann Traders" } }), "{what}");
            } else {
                let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap();
                assert!(["COST_EXCEEDED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"].contains(&code), "{what}: {body}");
            }
        }
    }
    let dated = "query($x: DateTime) { from: invoices(filter: { issuedFrom: $x }) { nodes { id } } before: invoices(filter: { issuedBefore: $x }) { nodes { id } } }";
    for (at, from, earlier) in [
        ("0000-01-01T00:00:00Z", 2, 0),
        ("0001-01-01T00:00:00.000001Z", 2, 0),
        ("1969-12-31T23:59:59Z", 2, 0),
        ("9999-12-30T22:00:00Z", 0, 2),
    ] {
        let found = life.client.data(dated, json!({ "x": at })).await;
        let count = |list: &str| found[list]["nodes"].as_array().unwrap().len();
        assert_eq!((count("from"), count("before")), (from, earlier), "{at}");
    }
    for at in [
        json!("9999-12-31T23:59:59Z"),
        json!("+292277026596-12-04T15:30:07Z"),
        json!("-009999-01-02T01:59:59Z"),
        json!("2027-02-30T00:00:00Z"),
        json!("2027-01-31"),
        json!("2027-01-31T09:00:00+03:00"),
        json!("2027-01-31T09:00:00.0000001Z"),
        json!(""),
        json!("now"),
        json!(1_800_000_000),
        json!(49.9),
        json!(true),
    ] {
        let (status, body) = life.client.raw(dated, &json!({ "x": at })).await;
        tells_nothing(&at.to_string(), &body);
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (400, &json!("BAD_USER_INPUT")), "{at}: {body}");
    }
    assert_eq!(world.rows_of(life.business_uuid()).await, before);
}

async fn an_id_that_names_nothing_finds_nothing(db: TestDatabase) {
    let (world, _server, life) = lived(db).await;
    let before = world.rows_of(life.business_uuid()).await;
    let good = life.open_invoice.clone();
    let mut ids: Vec<Value> = [
        String::new(),
        " ".to_owned(),
        "\u{0}".to_owned(),
        format!("{good}\u{0}"),
        format!(" {good}"),
        good.to_uppercase(),
        good.replace("inv_", "sub_"),
        good.replace("inv_", ""),
        format!("inv_{}", "z".repeat(26)),
        "inv_00000000000000000000000000".to_owned(),
        "x".repeat(10_000),
        format!("inv_{}", "0".repeat(10_000)),
        "' OR 1=1 --".to_owned(),
        "../../etc/passwd".to_owned(),
        "😀".repeat(26),
        life.business_uuid().to_string(),
    ]
    .into_iter()
    .map(Value::String)
    .collect();
    ids.extend([json!(0), json!(-1), json!(7)]);
    for id in ids {
        let variables = json!({ "id": id });
        let queries = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } invoice(id: $id) { id } payment(id: $id) { id }
          payments(filter: { invoiceId: $id }) { nodes { id } } }";
        let (status, body) = life.client.raw(queries, &variables).await;
        tells_nothing(&id.to_string(), &body);
        // Three things, a list of ten, a page of twenty.
        let cost = json!({ "requested": 3 * 2 + 11 + 22, "limit": 20_000 });
        let data = json!({ "node": null, "nodes": [null], "invoice": null, "payment": null, "payments": { "nodes": [] } });
        let empty = json!({ "data": data, "extensions": { "cost": cost } });
        assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()), (200, empty), "{id}");
        let mutations = "mutation($id: ID!) {
          a: cancel(input: { subscriptionId: $id, timing: NOW, idempotencyKey: \"nothing\" }) { userErrors { code } }
          b: payInvoice(input: { invoiceId: $id, idempotencyKey: \"nothing\" }) { userErrors { code } }
          c: removePaymentMethod(input: { paymentMethodId: $id }) { userErrors { code } }
          d: revokeSession(input: { sessionId: $id }) { userErrors { code } }
          e: subscribe(input: { planId: $id, interval: MONTHLY, idempotencyKey: \"nothing\" }) { userErrors { code } } }";
        let (status, body) = life.client.raw(mutations, &variables).await;
        tells_nothing(&id.to_string(), &body);
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, answer.get("errors")), (200, None), "{id}: {body}");
        for (field, payload) in answer["data"].as_object().unwrap() {
            assert_eq!(payload["userErrors"], json!([{ "code": "NOT_FOUND" }]), "{field} of {id}");
        }
    }
    assert_eq!(world.rows_of(life.business_uuid()).await, before);
}
