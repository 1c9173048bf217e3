//! Ordinary requests: variables, literals, cost, and what async-graphql makes of what was let in.

use evolve_business::graphql::front_door::{BuildError, FrontDoor, GraphqlRequest, Kind, Limits, Method, OperationKind};
use serde_json::json;

use crate::world::{World, check_decimal};

#[tokio::test]
async fn a_mutation_with_a_missing_variable_runs_nothing() {
    let world = World::new();
    let text = "mutation($x: Int!) { a: f(n: 1) b: f(n: $x) }";
    for variables in [json!({}), json!({ "x": null }), json!({ "x": "1" }), json!({ "x": 1.5 }), json!({ "x": 2_147_483_648_i64 })] {
        assert_eq!(world.code(text, variables), "BAD_USER_INPUT");
    }
    assert_eq!(world.run(text, json!({ "x": 2 })).await["data"], json!({ "a": 1, "b": 2 }));
    assert_eq!(world.ran.count(), 2);
}

#[tokio::test]
async fn a_mutation_with_a_bad_scalar_in_its_second_field_runs_nothing() {
    let world = World::new();
    for literal in ["12", "1.5", "\"abc\"", "\"\"", "true", "[\"1\"]", "{a: 1}"] {
        let text = format!("mutation {{ a: f(n: 1) b: pay(amount: {literal}) {{ __typename }} }}").replace(" { __typename }", "");
        assert_eq!(world.code(&text, json!({})), "GRAPHQL_VALIDATION_FAILED", "{literal}");
    }
    let text = "mutation($x: Decimal!) { a: f(n: 1) b: pay(amount: $x) }";
    for value in [json!(12), json!("abc"), json!(""), json!(true), json!(["1"]), json!({})] {
        assert_eq!(world.code(text, json!({ "x": value })), "BAD_USER_INPUT", "{value}");
    }
    let default = "mutation($x: Decimal! = \"abc\") { a: f(n: 1) b: pay(amount: $x) }";
    assert_eq!(world.code(default, json!({ "x": "1" })), "GRAPHQL_VALIDATION_FAILED");
    let deep = "mutation { a: f(n: 1) b: patch(patch: { inner: { amount: 3 } }) }";
    assert_eq!(world.code(deep, json!({})), "GRAPHQL_VALIDATION_FAILED");
    let deep = "mutation($p: Patch!) { a: f(n: 1) b: patch(patch: $p) }";
    let refusal = world.refusal(deep, json!({ "p": { "inner": { "amount": 3 } } }));
    assert_eq!(refusal.problems[0].message, "Variable $p.inner.amount: not a Decimal: a string is expected.");
    assert_eq!(world.ran.count(), 0);
    assert_eq!(world.run(text, json!({ "x": "49.90" })).await["data"], json!({ "a": 1, "b": "49.90" }));
}

#[tokio::test]
async fn a_mutation_that_is_selected_twice_runs_once() {
    let world = World::new();
    let answer = world.run("mutation { f(n: 1) f(n: 1) g g: g }", json!({})).await;
    assert_eq!(answer["data"], json!({ "f": 1, "g": 5 }));
    assert_eq!(world.ran.count(), 2);
    for text in [
        "mutation { f(n: 1) ...m } fragment m on Mutation { f(n: 1) }",
        "mutation { ...m ...m } fragment m on Mutation { f(n: 1) }",
        "mutation { f(n: 1) ... { f(n: 1) } }",
        "mutation { f(n: 1) f(n: 1) @include(if: true) }",
    ] {
        assert_eq!(world.code(text, json!({})), "GRAPHQL_VALIDATION_FAILED", "{text}");
    }
    assert_eq!(world.ran.count(), 2);
}

#[tokio::test]
async fn fields_that_are_selected_twice_are_merged() {
    let world = World::new();
    let text = "{ node { child { id } child { tags ...f } } ...q node { id } } fragment f on Node { id child { id } }
        fragment q on Query { node { tags } }";
    let node = json!({ "child": { "id": "1", "tags": ["a", "b"], "child": { "id": "2" } }, "id": "0", "tags": ["a", "b"] });
    assert_eq!(world.run(text, json!({})).await["data"], json!({ "node": node }));
    let text = "query($no: Boolean!) { node { id @skip(if: $no) id tags @include(if: $no) } }";
    assert_eq!(world.run(text, json!({ "no": false })).await["data"], json!({ "node": { "id": "0" } }));
    assert_eq!(world.run(text, json!({ "no": true })).await["data"]["node"]["id"], "0");
}

#[tokio::test]
async fn null_by_a_variable_where_null_may_not_stand_runs_nothing() {
    let world = World::new();
    let text = "mutation($x: Int) { a: f(n: 1) b: g(n: $x) }";
    assert_eq!(world.code(text, json!({ "x": null })), "BAD_USER_INPUT");
    let text = "mutation($x: Int) { a: f(n: 1) ...m } fragment m on Mutation { b: g(n: $x) }";
    assert_eq!(world.code(text, json!({ "x": null })), "BAD_USER_INPUT");
    assert_eq!(world.ran.count(), 0);
    assert_eq!(world.run(text, json!({})).await["data"], json!({ "a": 1, "b": 5 }));
}

#[tokio::test]
async fn a_variable_left_out_is_not_null() {
    let world = World::new();
    let text = "query($name: String, $size: Int) { patched(patch: { name: $name, size: $size }) }";
    assert_eq!(world.run(text, json!({})).await["data"]["patched"], "left out 7");
    assert_eq!(world.run(text, json!({ "name": null, "size": 3 })).await["data"]["patched"], "null 3");
    assert_eq!(world.run(text, json!({ "name": "n" })).await["data"]["patched"], "given 7");
    let whole = "query($patch: Patch!) { patched(patch: $patch) }";
    assert_eq!(world.run(whole, json!({ "patch": {} })).await["data"]["patched"], "left out 7");
    let list = "query($first: Int) { list(first: $first) { id } }";
    assert_eq!(world.run(list, json!({})).await["data"]["list"], json!([{ "id": "0" }, { "id": "1" }]));
}

#[tokio::test]
async fn defaults_of_variables_are_filled_in() {
    let world = World::new();
    let text = "query($skip: Boolean = true, $n: [Int!]! = 3, $c: Colour! = GREEN) {
        node @skip(if: $skip) { id } numbers(numbers: $n) colour(colour: $c) }";
    assert_eq!(world.run(text, json!({})).await["data"], json!({ "numbers": [3], "colour": "GREEN" }));
    let all = world.run(text, json!({ "skip": false, "n": [1, 2], "c": "RED" })).await;
    assert_eq!(all["data"], json!({ "node": { "id": "0" }, "numbers": [1, 2], "colour": "RED" }));
}

#[test]
fn variables_that_do_not_fit_are_refused_with_their_path() {
    let world = World::new();
    let cases = [
        ("query($v: Colour!) { colour(colour: $v) }", json!("BLUE"), "Variable $v: not one of the values of Colour."),
        ("query($v: Colour!) { colour(colour: $v) }", json!(1), "Variable $v: not one of the values of Colour."),
        ("query($v: [Int!]!) { numbers(numbers: $v) }", json!([1, null]), "Variable $v[1]: null is no value of Int!."),
        (
            "query($v: [Int!]!) { numbers(numbers: $v) }",
            json!([1, -2_147_483_649_i64]),
            "Variable $v[1]: a whole number of 32 bits is expected.",
        ),
        ("query($v: Patch!) { patched(patch: $v) }", json!({ "nam": "x" }), "Variable $v: Patch has no field \"nam\"."),
        ("query($v: Patch!) { patched(patch: $v) }", json!("x"), "Variable $v: an object of type Patch is expected."),
        ("query($v: Patch!) { patched(patch: $v) }", json!({ "size": null }), "Variable $v.size: null is no value of Int!."),
        ("query($v: Source!) { source(source: $v) }", json!({}), "Variable $v: exactly one field of Source is given, and not null."),
        (
            "query($v: Source!) { source(source: $v) }",
            json!({ "card": "a", "phone": "b" }),
            "Variable $v: exactly one field of Source is given, and not null.",
        ),
        (
            "query($v: Source!) { source(source: $v) }",
            json!({ "card": null }),
            "Variable $v: exactly one field of Source is given, and not null.",
        ),
        ("query($v: ID!) { id(id: $v) }", json!(true), "Variable $v: ID is expected."),
        ("query($v: String!) { echo(text: $v) }", json!(1), "Variable $v: String is expected."),
    ];
    for (text, value, message) in cases {
        let refusal = world.refusal(text, json!({ "v": value }));
        assert_eq!(refusal.problems[0].message, message);
        assert_eq!(refusal.problems[0].code.as_str(), "BAD_USER_INPUT");
        assert_eq!(refusal.problems[0].locations.len(), 1);
    }
    let missing = world.refusal("query($v: Int!) { numbers(numbers: [$v]) }", json!({}));
    assert_eq!(missing.problems[0].message, "Variable $v: a value of type Int! is required.");
}

#[test]
fn documents_that_do_not_fit_the_schema_are_refused() {
    let world = World::new();
    for text in [
        "{ patched(patch: { size: 1, size: 2 }) }",
        "{ nested(json: { a: [{ b: 1, b: 1 }] }) }",
        "query($p: Patch! = { size: 1, size: 2 }) { patched(patch: $p) }",
        "{ numbers(numbers: [2147483648]) }",
        "{ numbers(numbers: [1], numbers: [2]) }",
        "{ colour(colour: BLUE) }",
        "{ source(source: { card: \"a\", phone: \"b\" }) }",
        "{ source(source: { card: null }) }",
        "query($x: String) { source(source: { card: $x }) }",
        "{ a: numbers(numbers: [1]) a: numbers(numbers: [2]) }",
        "{ node { child { a: id } child { a: tags } } }",
        "query($x: Int) { node { id } }",
        "query($x: Int!, $x: Int!) { numbers(numbers: [$x]) }",
        "{ numbers(numbers: [$x]) }",
        "{ node }",
        "{ node { id { a } } }",
        "fragment a on Node { id }",
        "type Query { a: Int }",
        "{ decimal(amount: 1e999) }",
        "{ nested(json: 1e999) }",
        "query($x: Decimal! = 1e999) { decimal(amount: $x) }",
        "subscription { node { id } }",
        "query a { node { id } } query a { node { id } }",
        "query($x: String!) { decimal(amount: [$x]) }",
    ] {
        assert_eq!(world.code(text, json!({})), "GRAPHQL_VALIDATION_FAILED", "{text}");
    }
    for text in [
        "",
        "{",
        "{ node {} }",
        "{}",
        "{ node { id } ...a } fragment a on Query {}",
        "nonsense",
        "{ node { id }",
        "{ echo(text: \"unfinished) }",
        "query ($x Int) { node { id } }",
    ] {
        assert_eq!(world.code(text, json!({})), "GRAPHQL_PARSE_FAILED", "{text}");
    }
}

#[test]
fn what_is_wrong_at_one_place_is_told_once() {
    let world = World::new();
    let refusal = world.admit("{ node { list { id", json!({})).unwrap_err();
    let places: Vec<_> = refusal.problems.iter().map(|problem| (&problem.message, &problem.locations)).collect();
    assert_eq!(places.len(), 1, "{places:?}");
    assert_eq!(world.admit("{ nothing neither }", json!({})).unwrap_err().problems.len(), 2);
}

#[tokio::test]
async fn strings_and_numbers_reach_the_resolvers_as_written() {
    let world = World::new();
    for (literal, expected) in [
        (r#""\u00fc\u{1F600}\ud83d\ude00""#, "ü😀😀"),
        (r#""a\b\f\n\r\t\/\\\"""#, "a\u{8}\u{c}\n\r\t/\\\""),
        ("\"\"\"\n    block\n      \\\"\"\" text\n  \"\"\"", "block\n  \"\"\" text"),
        ("\"\"", ""),
    ] {
        let answer = world.run(&format!("{{ echo(text: {literal}) }}"), json!({})).await;
        assert_eq!(answer["data"]["echo"], expected, "{literal}");
    }
    let answer = world.run("{ numbers(numbers: [-2147483648, 2147483647, 0]) }", json!({})).await;
    assert_eq!(answer["data"]["numbers"], json!([-2_147_483_648_i64, 2_147_483_647, 0]));
    let answer = world.run("query($id: ID!) { id(id: $id) }", json!({ "id": 12 })).await;
    assert_eq!(answer["data"]["id"], "12");
    let answer = world.run("query($x: Int!) { nested(json: { a: [$x, { b: RED }] }) }", json!({ "x": 1 })).await;
    assert_eq!(answer["data"]["nested"], true);
}

#[tokio::test]
async fn the_named_operation_runs_with_its_fragments() {
    let world = World::new();
    let query = "query a { node { ...f } } query b { list(first: 1) { ...g } }
        fragment f on Node { id } fragment g on Node { child { ...f } ... on Node @include(if: true) { tags } }";
    let ask = |name: Option<&str>| {
        let request =
            GraphqlRequest { query: Some(query.to_owned()), operation_name: name.map(str::to_owned), ..GraphqlRequest::default() };
        world.door.admit(request, Method::Post)
    };
    let admitted = ask(Some("b")).unwrap();
    assert_eq!(admitted.operation_name.as_deref(), Some("b"));
    assert_eq!(admitted.kind, OperationKind::Query);
    let answer = world.schema.execute(admitted.request).await;
    assert_eq!(answer.data.into_json().unwrap(), json!({ "list": [{ "child": { "id": "1" }, "tags": ["a", "b"] }] }));
    assert_eq!(ask(None).unwrap_err().problems[0].code.as_str(), "BAD_USER_INPUT");
    assert_eq!(ask(Some("c")).unwrap_err().problems[0].code.as_str(), "BAD_USER_INPUT");
    assert_eq!(ask(Some("")).unwrap_err().problems[0].code.as_str(), "BAD_USER_INPUT");
}

#[test]
fn only_queries_come_by_get_and_subscriptions_to_who_stays() {
    let world = World::new();
    let ask = |query: &str, method| world.door.admit(GraphqlRequest { query: Some(query.to_owned()), ..GraphqlRequest::default() }, method);
    assert!(ask("{ node { id } }", Method::Get).is_ok());
    for method in [Method::Get, Method::GetEvents] {
        assert_eq!(ask("mutation { f(n: 1) }", method).unwrap_err().kind, Kind::Method);
    }
    assert_eq!(ask("mutation { f(n: 1) }", Method::Post).unwrap().kind, OperationKind::Mutation);

    let sdl = "type Query { a: Int } type Subscription { b: Int }";
    let door = FrontDoor::new(sdl, Limits::default()).unwrap();
    let ask = |method| {
        let request = GraphqlRequest { query: Some("subscription { b }".to_owned()), ..GraphqlRequest::default() };
        door.admit(request, method)
    };
    for method in [Method::Get, Method::Post] {
        let refusal = ask(method).unwrap_err();
        assert_eq!((refusal.kind, refusal.problems[0].code.as_str()), (Kind::Request, "BAD_USER_INPUT"));
    }
    for method in [Method::GetEvents, Method::Socket] {
        assert_eq!(ask(method).unwrap().kind, OperationKind::Subscription);
    }
}

#[test]
fn cost_is_fields_times_page_sizes() {
    let world = World::new();
    for (text, variables, expected) in [
        ("{ node { id } }", json!({}), 2),
        ("{ __typename node { __typename id } }", json!({}), 4),
        // nodes + first × (node + id + cursor) + edges + pageInfo + hasNextPage, and the root.
        ("{ node { nodes(first: 10) { edges { cursor node { id } } pageInfo { hasNextPage } } } }", json!({}), 1 + 1 + 10 * 3 + 1 + 2),
        // 20 a page where nothing is said, or null is.
        ("{ node { nodes { edges { cursor } } } }", json!({}), 1 + 1 + 1 + 20),
        ("query($n: Int) { node { nodes(first: $n) { edges { cursor } } } }", json!({}), 1 + 1 + 1 + 20),
        ("query($n: Int) { node { nodes(first: $n) { edges { cursor } } } }", json!({ "n": null }), 1 + 1 + 1 + 20),
        ("query($n: Int) { node { nodes(last: $n) { edges { cursor } } } }", json!({ "n": 50 }), 1 + 1 + 1 + 50),
        ("query($n: Int = 30) { node { nodes(first: $n) { edges { cursor } } } }", json!({}), 1 + 1 + 1 + 30),
        ("{ node { nodes(first: 3, last: 4) { edges { cursor } } } }", json!({}), 1 + 1 + 1 + 4),
        // The page of a fragment is that of the connection it is spread in.
        (
            "{ node { nodes(first: 5) { ...e } b: nodes(first: 7) { ...e } } } fragment e on NodeConnection { edges { cursor } }",
            json!({}),
            1 + (2 + 5) + (2 + 7),
        ),
        // A list that is paged itself; its default is the schema's.
        ("{ list { id } }", json!({}), 1 + 2),
        ("{ list(first: 9) { id } }", json!({}), 1 + 9),
        // A plain list counts as 10.
        ("{ node { siblings { id tags } } }", json!({}), 1 + 1 + 10 * 2),
        ("{ node { nodes(first: -1) { edges { cursor } } } }", json!({}), 1 + 1 + 1),
    ] {
        assert_eq!(world.cost(text, variables), expected, "{text}");
    }
}

#[test]
fn cost_over_the_limit_is_refused_with_both_numbers_and_saturates() {
    let world = World::new();
    let nested = "query($n: Int!) { node { nodes(first: $n) { edges { node { nodes(first: $n) { edges { cursor } } } } } } }";
    // 2 + n × (1 + 1) + 1 … : node, nodes, edges, then n of node, nodes, edges and n cursors.
    let cost = |n: u64| 3 + n * (3 + n);
    assert_eq!(world.cost(nested, json!({ "n": 100 })), cost(100));
    let refusal = world.refusal(nested, json!({ "n": 140 }));
    assert_eq!(refusal.problems[0].message, format!("Cost of the operation: {}, and the limit is 20000.", cost(140)));
    assert_eq!(refusal.problems[0].code.as_str(), "COST_EXCEEDED");

    // 65536 four times is 2^64: 0 when it wraps.
    let four = "{ node { nodes(first: 65536) { edges { node { nodes(first: 65536) { edges { node { nodes(first: 65536) { edges { node {
        nodes(first: 65536) { edges { cursor } } } } } } } } } } } } }";
    let world = World::with(Limits { depth: 100, ..Limits::default() });
    assert_eq!(world.refusal(four, json!({})).problems[0].message, format!("Cost of the operation: {}, and the limit is 20000.", u64::MAX));
}

#[test]
fn depth_has_a_limit_and_introspection_its_own() {
    let world = World::new();
    let deep = |fields: usize| format!("{{ node {}{} }}", "{ child ".repeat(fields - 2) + "{ id }", "}".repeat(fields - 2));
    assert!(world.admit(&deep(15), json!({})).is_ok());
    let refusal = world.refusal(&deep(16), json!({}));
    assert_eq!(refusal.problems[0].message, "Depth of the operation: 16, and the limit is 15.");
    let types = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
    assert_eq!(world.code(types, json!({})), "COST_EXCEEDED");
    let of_type = format!("{{ __schema {{ types {{ fields {{ type {}{} }} }} }} }}", "{ ofType ".repeat(20) + "{ name }", "}".repeat(20));
    assert_eq!(world.code(&of_type, json!({})), "COST_EXCEEDED");
}

#[tokio::test]
async fn the_standard_introspection_query_passes_and_is_answered() {
    let world = World::new();
    let answer = world.run(include_str!("introspection.graphql"), json!({})).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    assert_eq!(answer["data"]["__schema"]["queryType"]["name"], "Query");
    assert!(answer["data"]["__schema"]["types"].as_array().unwrap().len() > 10);
}

#[tokio::test]
async fn a_failing_non_null_field_takes_its_nearest_nullable_parent_with_it() {
    let world = World::new();
    let answer = world.run("{ maybe { fragile } }", json!({})).await;
    assert_eq!(answer["data"], json!({ "maybe": [{ "fragile": "whole" }, null, { "fragile": "whole" }] }));
    assert_eq!(answer["errors"][0]["path"], json!(["maybe", 1, "fragile"]));
    let answer = world.run("{ node { siblings { fragile } } }", json!({})).await;
    assert_eq!(answer["data"], json!({ "node": null }));
}

/// What resolvers of nullable fields must know of this version: an `Err` from `Result<Option<T>>` fails the parent.
#[tokio::test]
async fn a_failing_nullable_field_leaves_its_siblings_standing_when_its_error_is_inside_the_option() {
    let world = World::new();
    let sdl = world.schema.sdl();
    assert!(sdl.contains("coded: String\n") && sdl.contains("uncontained: String\n"), "{sdl}");
    let answer = world.run("{ coded node { id } }", json!({})).await;
    assert_eq!(answer["data"], json!({ "coded": null, "node": { "id": "0" } }));
    let answer = world.run("{ uncontained node { id } }", json!({})).await;
    assert_eq!(answer["data"], json!(null));
}

#[tokio::test]
async fn a_cached_document_answers_as_a_new_one() {
    let world = World::new();
    let text = "query($n: [Int!]!) { numbers(numbers: $n) }";
    for n in [1, 2, 3] {
        assert_eq!(world.run(text, json!({ "n": n })).await["data"]["numbers"], json!([n]));
    }
    assert_eq!(world.door.cached().0, 1);
}

#[test]
fn a_door_is_not_built_on_what_is_not_there() {
    assert!(matches!(FrontDoor::new("type Query {", Limits::default()), Err(BuildError::Schema(_))));
    let sdl = "scalar Decimal scalar JSON type Query { a(b: Decimal, c: JSON): Int }";
    let door = FrontDoor::new(sdl, Limits::default()).unwrap();
    assert_eq!(door.unchecked_scalars(), ["Decimal", "JSON"]);
    let door = door.with_scalar("Decimal", check_decimal).unwrap();
    assert_eq!(door.unchecked_scalars(), ["JSON"]);
    assert!(matches!(door.with_scalar("Decimals", check_decimal), Err(BuildError::UnknownScalar("Decimals"))));
}
