//! Each limit has a code of its own and says its number, and what an operation costs is told.

use evolve_business::graphql::front_door::{BuildError, FrontDoor, GraphqlRequest, Limits, Method};
use serde_json::json;

use crate::world::World;

/// A world whose limits are all within reach.
fn narrow() -> World {
    World::with(Limits {
        document_bytes: 300,
        tokens: 90,
        recursion: 24,
        operations: 2,
        depth: 5,
        introspection_depth: 4,
        introspection_lists: 1,
        introspection_cost: 12,
        nesting: 6,
        selections: 15,
        aliases: 2,
        root_fields: 3,
        directives: 2,
        complexity: 100,
        ..Limits::default()
    })
}

#[test]
fn each_limit_has_a_code_of_its_own_and_says_how_far_it_was_passed() {
    let world = narrow();
    for (text, code, reached, limit) in [
        (format!("{{ node {{ id }} }} #{}", "x".repeat(284)), "DOCUMENT_BYTES", Some(301), 300),
        (format!("{{ node {{ {} }} }}", "id ".repeat(45)), "TOKENS", None, 90),
        (format!("{{ numbers(numbers: {}{}) }}", "[".repeat(30), "]".repeat(30)), "BRACKETS", None, 24),
        ("query a { node { id } } query b { node { id } } query c { node { id } }".to_owned(), "OPERATIONS", Some(3), 2),
        ("{ ...{ ...{ ...{ ...{ ...{ ...{ node { id } } } } } } } }".to_owned(), "NESTING", Some(7), 6),
        ("{ node { child { child { child { child { id } } } } } }".to_owned(), "DEPTH", Some(6), 5),
        ("{ __schema { types { ofType { ofType { name } } } } }".to_owned(), "INTROSPECTION_DEPTH", Some(5), 4),
        ("{ __type(name: \"Node\") { fields { type { fields { name } } } } }".to_owned(), "INTROSPECTION_DEPTH", Some(5), 4),
        // 1 + 1 + 10 × (1 + 1 + 10 × 1), of which ten cost one.
        ("{ __schema { types { name fields { name } } } }".to_owned(), "INTROSPECTION_COST", Some(13), 12),
        ("{ node { id } colour(colour: RED) __typename decimal(amount: \"1\") }".to_owned(), "ROOT_FIELDS", Some(4), 3),
        ("{ a: node { b: id c: id } }".to_owned(), "ALIASES", Some(3), 2),
        (format!("{{ node {{ {} }} }}", "id ".repeat(15)), "SELECTIONS", Some(16), 15),
        ("{ node @include(if: true) @skip(if: false) { id @skip(if: false) } }".to_owned(), "DIRECTIVES", Some(3), 2),
        // node, nodes, edges, and 100 cursors
        ("{ node { nodes(first: 100) { edges { cursor } } } }".to_owned(), "COST", Some(103), 100),
    ] {
        let refusal = world.refusal(&text, json!({}));
        assert_eq!(refusal.problems[0].code.as_str(), "COST_EXCEEDED", "{text}: {refusal}");
        let exceeded = refusal.exceeded.unwrap();
        assert_eq!((exceeded.code, exceeded.reached, exceeded.limit), (code, reached, limit), "{text}: {refusal}");
        let message = refusal.to_string();
        assert!(message.ends_with(&format!(", and the limit is {limit}.")), "{message}");
        assert!(reached.is_none_or(|reached| message.contains(&format!(": {reached},"))), "{message}");
    }
    let lists = "{ __type(name: \"Node\") { fields { type { fields { name } } } } }";
    let exceeded = World::with(Limits { introspection_lists: 1, ..Limits::default() }).refusal(lists, json!({})).exceeded.unwrap();
    assert_eq!((exceeded.code, exceeded.reached, exceeded.limit), ("INTROSPECTION_LISTS", Some(2), 1));
}

#[test]
fn what_is_just_within_the_limits_is_let_in_and_its_cost_is_told() {
    let world = narrow();
    let admitted = world.admit("{ node { nodes(first: 97) { edges { cursor } } } }", json!({})).unwrap();
    assert_eq!((admitted.cost.requested, admitted.cost.limit, admitted.introspects), (100, 100, false));
    // Whoever introspects may do so beside what an operation may cost: 1 + 1 + 10 × 2, of which ten cost one.
    let text = "{ node { nodes(first: 97) { edges { cursor } } } __schema { types { name kind } } }";
    let admitted = world.admit(text, json!({})).unwrap();
    assert_eq!((admitted.cost.requested, admitted.cost.limit, admitted.introspects), (103, 112, true));
    let refusal = world.refusal("{ node { nodes(first: 98) { edges { cursor } } } }", json!({}));
    let cost = refusal.cost.unwrap();
    assert_eq!((cost.requested, cost.limit), (101, 100));
}

#[test]
fn introspection_is_seen_through_fragments_and_beside_other_operations() {
    let world = World::new();
    for (text, operation, introspects) in [
        ("{ ...a } fragment a on Query { ...b } fragment b on Query { x: __type(name: \"Node\") { name } }", None, true),
        ("{ ... @include(if: false) { __schema { queryType { name } } } }", None, true),
        ("query a { node { __typename } } query b { __schema { queryType { name } } }", Some("a"), false),
        ("query a { node { __typename } } query b { __schema { queryType { name } } }", Some("b"), true),
    ] {
        let request =
            GraphqlRequest { query: Some(text.to_owned()), operation_name: operation.map(str::to_owned), ..GraphqlRequest::default() };
        assert_eq!(world.door.admit(request, Method::Post).unwrap().introspects, introspects, "{text}");
    }
}

#[test]
fn the_standard_introspection_query_costs_half_of_what_introspection_may() {
    // A type's reference is two fields, and nine times `ofType` with two more.
    let of_type = 2 + 9 * 3;
    let input = 5 + 1 + of_type;
    let field = 4 + 1 + 10 * input + 1 + of_type;
    let ty = 5 + (1 + 10 * field) + (1 + 10 * input) + 2 * (1 + 10 * of_type) + (1 + 10 * 4);
    let directives = 1 + 10 * (4 + 1 + 10 * input);
    // The root, its description, three types of two fields, and a list each of types and directives.
    let expected = 2 + 3 * 3 + (1 + 10 * ty) + directives;
    let cost = World::new().cost(include_str!("introspection.graphql"), json!({}));
    // Ten cost one.
    assert_eq!((expected, cost), (51_863, 5_187));
    assert_eq!(Limits::default().introspection_cost, 10_000);
}

#[test]
fn an_operation_has_one_mutation_that_signs_somebody_in_at_most() {
    let sdl = "type Query { a: Int } type Mutation { signIn(n: Int): Int register: Int other: Int }";
    let door = FrontDoor::new(sdl, Limits::default()).unwrap().with_sign_ins(&["signIn", "register"]).unwrap();
    let admit = |text: &str, operation: Option<&str>| {
        let operation_name = operation.map(str::to_owned);
        door.admit(GraphqlRequest { query: Some(text.to_owned()), operation_name, ..GraphqlRequest::default() }, Method::Post)
    };
    for text in ["mutation { signIn }", "mutation { signIn other b: other }", "mutation { ...a } fragment a on Mutation { register other }"]
    {
        assert!(admit(text, None).is_ok(), "{text}");
    }
    // Each operation by itself: one of them runs.
    assert!(admit("mutation a { signIn } mutation b { signIn }", Some("a")).is_ok());
    for text in [
        "mutation { a: signIn(n: 1) b: signIn(n: 2) }",
        "mutation { signIn register }",
        "mutation { signIn ...a } fragment a on Mutation { ... { register } }",
        "mutation { signIn register @skip(if: true) }",
    ] {
        let refusal = admit(text, None).unwrap_err();
        let exceeded = refusal.exceeded.unwrap();
        assert_eq!((exceeded.code, exceeded.reached, exceeded.limit), ("SIGN_INS", Some(2), 1), "{text}");
        let message = "Mutations that sign somebody in or try a secret: 2, and the limit is 1.";
        assert_eq!((refusal.problems[0].code.as_str(), refusal.problems[0].message.as_str()), ("COST_EXCEEDED", message));
    }
    let unknown = FrontDoor::new(sdl, Limits::default()).unwrap().with_sign_ins(&["signOut"]);
    assert!(matches!(unknown, Err(BuildError::UnknownMutation("signOut"))));
}

#[test]
fn no_refusal_suggests_a_name_that_was_not_sent() {
    let world = World::new();
    for (text, variables) in [
        ("{ nod { id } }", json!({})),
        ("{ node { i nam chil } }", json!({})),
        ("{ echo(tex: \"a\") }", json!({})),
        ("{ colour(colour: REDD) }", json!({})),
        ("query($c: Colour!) { colour(colour: $c) }", json!({ "c": "GREE" })),
        ("query($c: Colou!) { colour(colour: $c) }", json!({})),
        ("{ node { ... on Nod { id } } }", json!({})),
        ("query($p: Patch!) { patched(patch: $p) }", json!({ "p": { "siz": 1 } })),
        ("{ patched(patch: { siz: 1 }) }", json!({})),
        ("{ node @includ(if: true) { id } }", json!({})),
    ] {
        let said = world.refusal(text, variables).to_string();
        for name in ["size", "GREEN", "include", "child", "nodes", "Colours", "siblings", "did you mean", "Did you mean"] {
            assert!(!said.contains(name), "{text}: {said}");
        }
    }
}
