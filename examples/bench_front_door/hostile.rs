//! Documents that are sent to break the front door, each of which is refused.

use std::fmt::Write as _;

/// So many pieces, each made of its number.
fn many(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// `f0` spreads `f1` twice, and so on: what the last selects is selected 2^fragments times.
fn doubling(fragments: usize, spread: impl Fn(usize) -> String) -> String {
    let mut text = "{ invoices { nodes { ...f0 } } }".to_owned();
    for index in 0..fragments {
        write!(text, " fragment f{index} on Invoice {{ {} }}", spread(index + 1)).unwrap();
    }
    write!(text, " fragment f{fragments} on Invoice {{ id }}").unwrap();
    text
}

/// All of them, with their names.
pub(crate) fn documents() -> Vec<(&'static str, String)> {
    let mut all = nested();
    all.extend(repeated());
    all.extend(fragments());
    all.extend(long());
    all
}

/// Much in each other.
fn nested() -> Vec<(&'static str, String)> {
    vec![
        ("lists in each other", format!("{{ node(id: {}{}) {{ id }} }}", "[".repeat(60_000), "]".repeat(60_000))),
        ("lists that never end", format!("{{ node(id: {}", "[".repeat(120_000))),
        ("selections in each other", format!("{{ invoices {}{} }}", "{ nodes ".repeat(12_000), "}".repeat(12_000))),
        ("inline fragments in each other", format!("{}{{ __typename }}{}", "{ ... ".repeat(18_000), "}".repeat(18_000))),
        ("objects in each other", format!("{{ products(a: {}1{}) }}", "{a: ".repeat(25_000), "}".repeat(25_000))),
        ("types in each other", format!("query($x: {}Int{}) {{ viewer {{ role }} }}", "[".repeat(60_000), "]".repeat(60_000))),
        ("pages in each other", {
            let page = "invoices(first: 100) { nodes { subscription { ";
            format!("{{ {}id{} }}", page.repeat(6), "} } }".repeat(6))
        }),
        ("introspection in itself", format!("{{ __schema {{ types {} {{ name }} {} }} }}", "{ fields { type ".repeat(9), "} }".repeat(9))),
    ]
}

/// Much beside each other.
fn repeated() -> Vec<(&'static str, String)> {
    vec![
        ("aliases", format!("{{ viewer {{ {} }} }}", many(2_600, |n| format!("a{n}: role ")))),
        ("aliases at the root", format!("{{ {} }}", many(1_300, |n| format!("a{n}: __typename ")))),
        ("fields of the root", format!("{{ {} }}", "viewer{role} ".repeat(1_500))),
        ("directives", format!("{{ viewer {} {{ role }} }}", "@include(if:true) ".repeat(1_100))),
        ("directives that are none", format!("{{ viewer {} {{ role }} }}", "@a".repeat(50))),
        ("fields that are none", format!("{{ viewer {{ {} }} }}", many(3_800, |n| format!("n{n} ")))),
        ("arguments that are none", format!("{{ viewer {{ {} }} }}", many(550, |n| format!("role(a{n}:1 b:2)")))),
        ("one argument very often", format!("{{ invoices({}) {{ totalCount }} }}", "first:1 ".repeat(1_900))),
        ("variables that nobody uses", format!("query({}) {{ viewer {{ role }} }}", many(1_300, |n| format!("$a{n}:Int ")))),
        ("variables of no type", format!("query({}) {{ viewer {{ role }} }}", many(1_300, |n| format!("$a{n}:No{n} ")))),
        ("operations", many(1_100, |n| format!("query q{n}{{viewer{{role}}}}"))),
        ("fifty operations of many fields", many(50, |n| format!("query q{n}{{nothing {}}}", "viewer{role id} ".repeat(19)))),
        (
            "fields that are selected again, and one that is none",
            format!("{{ invoices {{ nodes {{ {} none }} }} }}", "lines{kind} ".repeat(1_200)),
        ),
        ("fields that do not merge", {
            let page = |n: usize| format!("subscription{{invoices(first:{n}){{nodes{{id}}}}}} ");
            format!("{{ invoices {{ nodes {{ {} }} }} }}", many(350, page))
        }),
        (
            "an object with one key very often",
            format!("mutation {{ signIn(input: {{ {} }}) {{ userErrors {{ code }} }} }}", "email:\"a\" ".repeat(1_900)),
        ),
        ("a list for a value", format!("{{ nodes(ids: [{} 1.5]) {{ id }} }}", "{} ".repeat(2_600))),
    ]
}

/// Fragments.
fn fragments() -> Vec<(&'static str, String)> {
    let spread = many(300, |n| format!("...f{n} "));
    vec![
        ("fragments that double", doubling(70, |next| format!("a: subscription {{ invoices {{ nodes {{ ...f{next} }} }} }} ...f{next}"))),
        ("fragments that double without a field", doubling(150, |next| format!("...f{next} ...f{next}"))),
        ("fragments that double 25 times", doubling(25, |next| format!("...f{next} ...f{next}"))),
        ("fragments in a ring", {
            let ring = many(400, |n| format!(" fragment f{n} on Invoice {{ ...f{} }}", (n + 1) % 400));
            format!("{{ invoices {{ nodes {{ ...f0 }} }} }}{ring}")
        }),
        ("fragments in a small ring", {
            let ring = many(25, |n| format!(" fragment f{n} on Invoice {{ id ...f{} }}", (n + 1) % 25));
            format!("{{ invoices {{ nodes {{ ...f0 }} }} }}{ring}")
        }),
        (
            "fragments that nobody spreads",
            format!("{{ viewer {{ role }} }}{}", many(600, |n| format!(" fragment f{n} on Invoice {{ id }}"))),
        ),
        ("fragments of one name", format!("{{ viewer {{ role }} }}{}", " fragment f on Invoice { id }".repeat(600))),
        ("fragments that are spread and select what is none", {
            let each = many(300, |n| format!(" fragment f{n} on Invoice {{ id number none{n} }}"));
            format!("{{ invoices {{ nodes {{ {spread} }} }} }}{each}")
        }),
        ("fragments that spread all others", {
            let each = many(24, |n| format!(" fragment f{n} on Invoice {{ id none {} }}", many(24 - n, |m| format!("...f{} ", n + m + 1))));
            format!("{{ invoices {{ nodes {{ ...f0 }} }} }}{each} fragment f24 on Invoice {{ id }}")
        }),
        ("fragments that do not merge", {
            let each = many(250, |n| format!(" fragment f{n} on Invoice {{ lines {{ kind {n}: description }} }}"));
            let each = each.replace(": description", "").replace("kind ", "kind a");
            format!("{{ invoices {{ nodes {{ {} }} }} }}{each}", many(250, |n| format!("...f{n} ")))
        }),
    ]
}

/// Much of one thing.
fn long() -> Vec<(&'static str, String)> {
    vec![
        ("a megabyte of tokens", "{ ".repeat(500_000)),
        ("a megabyte of one name", "a".repeat(1_000_000)),
        ("128 KiB of tokens", "{ ".repeat(65_500)),
        ("128 KiB of question marks", "?".repeat(131_000)),
        ("128 KiB of null bytes", "\0".repeat(131_000)),
        ("128 KiB of comments", "#\n".repeat(65_500)),
        ("128 KiB of commas", ",".repeat(131_000)),
        ("128 KiB of marks of byte order", "\u{feff}".repeat(43_600)),
        ("a name of 128 KiB", format!("{{ {} }}", "n".repeat(130_000))),
        ("a string without end", format!("{{ node(id: \"{}", "x".repeat(130_000))),
        ("a string of escapes that are none", format!("{{ node(id: \"{}\") {{ id }} }}", "\\q".repeat(60_000))),
        ("half pairs of surrogates", format!("{{ node(id: \"{}\") {{ id }} }}", "\\uD800".repeat(20_000))),
        ("a block of empty lines", format!("{{ node(id: \"\"\"{}\"\"\") {{ none }} }}", "\n\t".repeat(60_000))),
        ("a number of 128 KiB", format!("{{ invoices(first: {}) {{ totalCount }} }}", "9".repeat(130_000))),
        ("a number beyond all bounds", format!("{{ invoices(first: 1e{}) {{ totalCount }} }}", "9".repeat(130_000))),
        ("emoji for names", format!("{{ {} }}", "\u{1f9e8} ".repeat(26_000))),
    ]
}
