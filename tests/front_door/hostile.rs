//! What is sent to break the server.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use evolve_business::graphql::front_door::Limits;
use serde_json::json;

use crate::world::World;

/// Runs `attack` on a stack as small as a worker's and holds it to `within`. A stack overflow would abort the process.
fn survives(within: Duration, attack: impl FnOnce(&World) + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(move || {
        let world = World::new();
        let began = Instant::now();
        attack(&world);
        began.elapsed()
    });
    let took = thread.unwrap().join().unwrap();
    assert!(took < within, "took {took:?}");
}

const SECONDS: Duration = Duration::from_secs(5);
const SIZES: [usize; 4] = [400, 1_000, 2_000, 5_000];

#[test]
fn nested_brackets_are_refused_on_a_workers_stack() {
    for size in SIZES {
        survives(SECONDS, move |world| {
            let closed = format!("{{ numbers(numbers: {}{}) }}", "[".repeat(size), "]".repeat(size));
            assert_eq!(world.code(&closed, json!({})), "COST_EXCEEDED", "{size}");
            let open = format!("{{ numbers(numbers: {}", "[".repeat(size));
            assert_eq!(world.code(&open, json!({})), "COST_EXCEEDED", "{size}");
            let types = format!("query($x: {}Int{}) {{ numbers(numbers: $x) }}", "[".repeat(size), "]".repeat(size));
            assert_eq!(world.code(&types, json!({})), "COST_EXCEEDED", "{size}");
        });
    }
}

#[test]
fn nested_selection_sets_are_refused_on_a_workers_stack() {
    for size in SIZES {
        survives(SECONDS, move |world| {
            let fields = format!("{{ node {}{{ id }}{} }}", "{ child ".repeat(size), "}".repeat(size));
            assert_eq!(world.code(&fields, json!({})), "COST_EXCEEDED", "{size}");
            let inline = format!("{}{{ __typename }}{}", "{ ... ".repeat(size), "}".repeat(size));
            assert_eq!(world.code(&inline, json!({})), "COST_EXCEEDED", "{size}");
        });
    }
}

#[test]
fn nested_input_objects_are_refused_on_a_workers_stack() {
    for size in SIZES {
        survives(SECONDS, move |world| {
            let literal = format!("{{ patched(patch: {}{{}}{}) }}", "{inner: ".repeat(size), "}".repeat(size));
            assert_eq!(world.code(&literal, json!({})), "COST_EXCEEDED", "{size}");
            let json = format!("{{ nested(json: {}1{}) }}", "{a: ".repeat(size), "}".repeat(size));
            assert_eq!(world.code(&json, json!({})), "COST_EXCEEDED", "{size}");
        });
    }
}

#[test]
fn long_flat_documents_are_answered_on_a_workers_stack() {
    survives(SECONDS, |world| {
        for text in [
            format!("{{ numbers(numbers: [{}]) }}", "1 ".repeat(3_900)),
            format!("{{ numbers(numbers: [{}]) }}", "1 ".repeat(100_000 / 2)),
            format!("{{ patched(patch: {{ {} }}) }}", "size: 1 ".repeat(900)),
            format!("{{ colour({}) }}", "colour: RED ".repeat(900)),
            format!("{{ {} }}", "node ".repeat(3_900)),
            format!("query({}) {{ node {{ id }} }}", "$a: Int ".repeat(900)),
            "?".repeat(100_000),
            "{ ".repeat(50_000),
            "fragment a on Query { node } ".repeat(400),
            "query { node } ".repeat(400),
            format!("# {}\n{{ node {{ id }}", "x".repeat(100_000)),
            format!("{{ echo(text: \"{}\") }}", "\\u0000".repeat(15_000)),
            "\u{feff}".repeat(10_000),
            "\0".repeat(100_000),
            "{ node { id } } ".repeat(300),
            "@a ".repeat(1_000),
            format!("{{ a: echo(text: \"\"\"{}\"\"\") }}", "\n\t".repeat(50_000)),
        ] {
            let began = Instant::now();
            let answer = world.admit(&text, json!({}));
            assert!(began.elapsed() < Duration::from_secs(2), "{:?} for {:.40}", began.elapsed(), text);
            if let Err(refusal) = answer {
                assert!(refusal.problems.len() <= 20);
            }
        }
    });
}

/// `f0` spreads `f1` twice, and so on: the last field is selected `2^fragments` times.
fn fragment_bomb(fragments: usize) -> String {
    let mut text = "{ node { ...f0 } }".to_owned();
    for index in 0..fragments {
        let next = index + 1;
        write!(text, " fragment f{index} on Node {{ a{index}: child {{ ...f{next} }} b{index}: child {{ ...f{next} }} }}").unwrap();
    }
    write!(text, " fragment f{fragments} on Node {{ id }}").unwrap();
    text
}

#[test]
fn a_fragment_bomb_is_refused_without_being_spread_out() {
    survives(SECONDS, |world| {
        for fragments in [5, 12, 25, 70, 150] {
            let began = Instant::now();
            assert_eq!(world.code(&fragment_bomb(fragments), json!({})), "COST_EXCEEDED");
            assert!(began.elapsed() < Duration::from_secs(1), "{:?} for {fragments}", began.elapsed());
        }
        // Spread without fields between: no depth, and each twice.
        let mut flat = "{ node { ...f0 } }".to_owned();
        for index in 0..25 {
            let next = index + 1;
            write!(flat, " fragment f{index} on Node {{ ...f{next} ...f{next} }}").unwrap();
        }
        flat.push_str(" fragment f25 on Node { id }");
        assert_eq!(world.code(&flat, json!({})), "COST_EXCEEDED");
    });
}

#[test]
fn fragments_that_contain_themselves_are_refused() {
    survives(SECONDS, |world| {
        for text in [
            "{ node { ...a } } fragment a on Node { ...a }",
            "{ node { ...a } } fragment a on Node { child { ...b } } fragment b on Node { child { ...a } }",
            "{ node { id } } fragment a on Node { ...b } fragment b on Node { ...a }",
        ] {
            assert_eq!(world.code(text, json!({})), "GRAPHQL_VALIDATION_FAILED", "{text}");
        }
        let mut ring = "{ node { ...f0 } }".to_owned();
        for index in 0..400 {
            write!(ring, " fragment f{index} on Node {{ ...f{} }}", (index + 1) % 400).unwrap();
        }
        assert_eq!(world.code(&ring, json!({})), "COST_EXCEEDED");
    });
}

#[test]
fn aliases_typenames_roots_and_directives_are_counted() {
    survives(SECONDS, |world| {
        let many = |count: usize, what: &dyn Fn(usize) -> String| (0..count).map(what).collect::<String>();
        let aliases = format!("{{ node {{ {} }} }}", many(31, &|index| format!("a{index}: id ")));
        let refusal = world.refusal(&aliases, json!({}));
        assert_eq!(refusal.problems[0].message, "Aliases: 31, and the limit is 30.");
        let allowed = format!("{{ node {{ {} }} }}", many(30, &|index| format!("a{index}: id ")));
        assert!(world.admit(&allowed, json!({})).is_ok());

        let typenames = format!("{{ {} }}", many(1_300, &|index| format!("a{index}: __typename ")));
        assert_eq!(world.code(&typenames, json!({})), "COST_EXCEEDED");
        let refusal = world.refusal(&format!("{{ {} }}", "__typename ".repeat(21)), json!({}));
        assert_eq!(refusal.problems[0].message, "Fields at the root: 21, and the limit is 20.");
        let typenames = format!("{{ node {{ {} }} }}", "__typename ".repeat(3_000));
        assert!(world.cost(&typenames, json!({})) > 3_000);

        let directives = format!("{{ node {} {{ id }} }}", "@include(if: true) ".repeat(51));
        assert_eq!(world.refusal(&directives, json!({})).problems[0].message, "Directives: 51, and the limit is 50.");
        let unknown = format!("{{ node {} {{ id }} }}", "@what ".repeat(50));
        assert_eq!(world.refusal(&unknown, json!({})).problems.len(), 20);
    });
}

#[test]
fn the_size_of_a_document_is_bounded() {
    let world = World::new();
    let limits = Limits::default();
    let long = format!("{{ node {{ id }} }} #{}", "x".repeat(limits.document_bytes));
    assert_eq!(world.code(&long, json!({})), "COST_EXCEEDED");
    // Two tokens each: the value, and the space after it.
    let tokens = format!("{{ numbers(numbers: [{}]) }}", "1 ".repeat(4_000));
    assert_eq!(world.refusal(&tokens, json!({})).problems[0].message, "Tokens of the document: more than 8000, and the limit is 8000.");
    let operations: String = (0..51).map(|index| format!("query q{index} {{ node {{ id }} }} ")).collect();
    assert_eq!(world.code(&operations, json!({})), "COST_EXCEEDED");
}

#[test]
fn errors_are_bounded_in_number_and_length() {
    let world = World::new();
    let fields: String = (0..900).map(|index| format!("nothing{index} ")).collect();
    let refusal = world.refusal(&format!("{{ node {{ {fields} }} }}"), json!({}));
    assert_eq!(refusal.problems.len(), 20);
    let name = "x".repeat(50_000);
    let refusal = world.refusal(&format!("{{ node {{ {name} }} }}"), json!({}));
    assert!(refusal.problems[0].message.chars().count() <= 300);
    let numbers: Vec<_> = (0..900).map(|_| json!("no")).collect();
    let refusal = world.refusal("query($n: [Int!]!) { numbers(numbers: $n) }", json!({ "n": numbers }));
    assert_eq!(refusal.problems.len(), 20);
    let mut patch = serde_json::Map::new();
    patch.insert("y".repeat(50_000), json!(1));
    let refusal = world.refusal("query($p: Patch!) { patched(patch: $p) }", json!({ "p": patch }));
    assert!(refusal.problems[0].message.chars().count() <= 300);
}

#[test]
fn what_was_refused_is_not_kept_and_what_is_kept_is_bounded() {
    let world = World::with(Limits { cache_bytes: 100_000, ..Limits::default() });
    for index in 0..200 {
        world.code(&format!("{{ nothing{index} }}"), json!({}));
    }
    assert_eq!(world.door.cached(), (0, 0));
    for index in 0..2_000 {
        assert!(world.admit(&format!("query q{index} {{ node {{ id }} }}"), json!({})).is_ok());
    }
    let (documents, bytes) = world.door.cached();
    // Each counts as more than 3,000 bytes.
    assert!((1..=33).contains(&documents) && bytes <= 100_000, "{documents} documents, {bytes} bytes");
}

#[test]
fn the_dearest_documents_that_pass_are_read_in_little_time() {
    survives(Duration::from_secs(20), |world| {
        for text in [
            format!("{{ a: echo(text: \"{}\") node {{ {} }} }}", "x".repeat(110_000), "id ".repeat(3_900)),
            format!("{{ node {{ {} }} }}", "child{child{child{child{child{id}}}}} ".repeat(330)),
            format!("{{ node {{ {} }} }}", "nodes(first:1,last:2){edges{cursor}} ".repeat(300)),
            format!("{{ node {{ {} }} }}", "...on Node{id} ".repeat(800)),
            format!("{{ nested(json: {{ {} }}) }}", (0..1_300).map(|index| format!("a{index}:1 ")).collect::<String>()),
        ] {
            let began = Instant::now();
            assert!(world.admit(&text, json!({})).is_ok());
            assert!(began.elapsed() < Duration::from_secs(2), "{:?} for {:.60}", began.elapsed(), text);
        }
    });
}
