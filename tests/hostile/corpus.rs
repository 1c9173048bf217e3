//! The requests and their answers, as a table.

use serde_json::{Value, json};

use crate::case::{ACCEPT, BAD, COST, Caller, Case, INVALID, JSON, NOT_FOUND, PARSE, VIEWER};

/// What `part` gives for each number below `count`.
fn many(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

/// The whole corpus.
pub(crate) fn cases() -> Vec<Case> {
    [depths(), breadths(), fragments(), texts(), values(), pages_and_ids(), bodies(), names(), heads(), callers(), forms(), slow()].concat()
}

/// Nested without end.
fn depths() -> Vec<Case> {
    let around = |open: &str, inside: &str, close: &str, count: usize| format!("{}{inside}{}", open.repeat(count), close.repeat(count));
    vec![
        Case::document("fields in 5,000 fields", around("{ subscription ", "{ id }", "}", 5_000), COST),
        Case::document("inline fragments in 5,000 others", format!("{{ {} }}", around("... { ", "__typename", "}", 5_000)), COST),
        Case::document("5,000 lists in a literal", format!("{{ nodes(ids: {}) {{ id }} }}", around("[", "", "]", 5_000)), COST),
        Case::document("5,000 lists in a type", format!("query($x: {}) {{ viewer {{ role }} }}", around("[", "Int", "]", 5_000)), COST),
        Case::document(
            "5,000 objects in a literal",
            format!("{{ invoices(filter: {}) {{ totalCount }} }}", around("{a: ", "1", "}", 5_000)),
            COST,
        ),
        Case::document("50,000 braces that nobody closes", "{ ".repeat(50_000), COST),
        Case::document("16 fields in each other", format!("{{ products {} }}", around("{ plans { product ", "{ id }", "} }", 8)), COST),
        Case::document(
            "introspection of types in types",
            around("{ __schema { types { fields { type { fields { type { fields { name } } } } } } }", "", " }", 1),
            COST,
        ),
        Case::document("introspection 40 deep", format!("{{ __type(name: \"Plan\") {} }}", around("{ ofType ", "{ name }", "}", 40)), COST),
        Case::document(
            "a list in its own page, four times",
            "{ subscriptions(first: 100) { nodes { invoices(first: 100) { nodes { subscription { invoices(first: 100) { nodes { id } } } } } } } }",
            COST,
        ),
    ]
}

/// Too many of something.
fn breadths() -> Vec<Case> {
    vec![
        Case::document("31 aliases", format!("{{ viewer {{ {} }} }}", many(31, |i| format!("a{i}: role "))), COST),
        Case::document("2,600 aliases of what costs nothing", format!("{{ {} }}", many(2_600, |i| format!("a{i}: __typename "))), COST),
        Case::document("21 fields at the root", format!("{{ {} }}", "__typename ".repeat(21)), COST),
        Case::document(
            "31 aliases of a mutation",
            format!("mutation {{ {} }}", many(31, |i| format!("a{i}: signOut(input: {{}}) {{ userErrors {{ code }} }} "))),
            COST,
        ),
        Case::document(
            "three passwords tried at once",
            format!(
                "mutation {{ {} }}",
                many(3, |i| format!(
                    "a{i}: signIn(input: {{ email: \"demo@evolve.test\", password: \"{i}\" }}) {{ userErrors {{ code }} }} "
                ))
            ),
            COST,
        )
        .by_nobody(),
        Case::document(
            "a page of everything that introspection has, 20 times",
            {
                let types = "types { fields { args { type { name fields { name } } } } }";
                format!("{{ {} }}", many(20, |i| format!("a{i}: __schema {{ {types} }} ")))
            },
            COST,
        ),
        Case::document("51 directives", format!("{{ viewer {} {{ role }} }}", "@include(if: true) ".repeat(51)), COST),
        Case::document("50 directives that are none", format!("{{ viewer {} {{ role }} }}", "@what ".repeat(50)), INVALID),
        Case::document("a directive twice where it may stand once", "{ viewer @skip(if: true) @skip(if: false) { role } }", INVALID),
        Case::document("a page of a thousand million", "{ invoices(first: 1000000000) { nodes { id } } }", COST),
        Case::document(
            "page sizes whose product wraps around",
            "{ invoices(first: 65536) { nodes { subscription { invoices(first: 65536) { nodes { subscription { invoices(first: 65536) { nodes { subscription { invoices(first: 65536) { nodes { id } } } } } } } } } } } }",
            COST,
        ),
        Case::query(
            "a page size by a variable",
            "query($n: Int) { invoices(first: $n) { nodes { lines { kind } payments { id } } } }",
            json!({ "n": 2_147_483_647 }),
        ),
        Case::document("9,000 tokens", format!("{{ viewer {{ {} }} }}", "role,".repeat(4_500)), COST),
        Case::document("a comment of 128 KiB", format!("{{ viewer {{ role }} }} #{}", "x".repeat(128 * 1024)), COST),
        Case::document("51 operations", many(51, |i| format!("query q{i} {{ viewer {{ role }} }} ")), COST),
        Case::document("900 fields that are none", format!("{{ viewer {{ {} }} }}", many(900, |i| format!("n{i} "))), INVALID),
        Case::document("900 times the same argument", format!("{{ plan({}) {{ id }} }}", "id: 1 ".repeat(900)), INVALID),
        Case::document("900 variables of one name", format!("query({}) {{ viewer {{ role }} }}", "$a: Int ".repeat(900)), INVALID),
        Case::runs("5,000 ids at once", "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": vec!["a"; 5_000] }), BAD),
        Case::runs(
            "5,000 values that no variable takes",
            "{ viewer { role } }",
            Value::Object((0..5_000).map(|i| (format!("v{i}"), json!(i))).collect()),
            "",
        ),
    ]
}

/// Fragments that grow, and such as contain themselves.
fn fragments() -> Vec<Case> {
    let bomb = |count: usize, each: fn(usize) -> String| {
        format!("{{ plans(product: \"erp\") {{ nodes {{ ...f0 }} }} }} {} fragment f{count} on Plan {{ id }}", many(count, each))
    };
    vec![
        Case::document(
            "a fragment that doubles 25 times",
            bomb(25, |i| {
                format!(
                    "fragment f{i} on Plan {{ a{i}: product {{ plans {{ ...f{n} }} }} b{i}: product {{ plans {{ ...f{n} }} }} }} ",
                    n = i + 1
                )
            }),
            COST,
        ),
        Case::document(
            "a flat fragment that doubles 25 times",
            bomb(25, |i| format!("fragment f{i} on Plan {{ ...f{n} ...f{n} }} ", n = i + 1)),
            COST,
        ),
        Case::document("a fragment that contains itself", "{ viewer { ...a } } fragment a on Viewer { ...a }", INVALID),
        Case::document(
            "two fragments that contain each other",
            "{ viewer { ...a } } fragment a on Viewer { business { ...b } } fragment b on Business { id ...b }",
            INVALID,
        ),
        Case::document(
            "a circle that nobody enters",
            "{ viewer { role } } fragment a on Viewer { ...b } fragment b on Viewer { ...a }",
            INVALID,
        ),
        Case::document(
            "a circle of 400 fragments",
            format!("{{ viewer {{ ...f0 }} }} {}", many(400, |i| format!("fragment f{i} on Viewer {{ ...f{} }} ", (i + 1) % 400))),
            COST,
        ),
        Case::document("a fragment that is not there", "{ viewer { ...nothing } }", INVALID),
        Case::document("a fragment on what it cannot be", "{ viewer { ... on Plan { id } } }", INVALID),
        Case::document("a fragment 400 times", "fragment a on Query { __typename } ".repeat(400), INVALID),
    ]
}

/// Documents of odd characters.
fn texts() -> Vec<Case> {
    vec![
        Case::document("no document", "", PARSE),
        Case::document("a comment alone", "# nothing", PARSE),
        Case::document("a null byte", "{ viewer\0 { role } }", PARSE),
        Case::document("100,000 null bytes", "\0".repeat(100_000), COST),
        Case::document("marks of byte order in a document", "{ viewer\u{feff}\u{202e} { role } }", PARSE),
        Case::document("half a surrogate pair in a string", "{ invoice(id: \"\\uD800\") { id } }", PARSE),
        Case::document("a string without end", format!("{{ invoice(id: \"{}", "x".repeat(100_000)), PARSE),
        Case::document("letters that look like others", "{ v\u{456}ewer { role } }", PARSE),
        Case::document("what no version of the language has", "{ viewer { role } } ~~~ <script>", PARSE),
        Case::body("bytes that are no UTF-8", b"{\"query\":\"{ viewer { role } \xff\xfe }\"}".as_slice(), BAD),
        Case::body("UTF-8 that is longer than it may be", b"{\"query\":\"{ viewer { role } \xc0\x80 }\"}".as_slice(), BAD),
        Case::body("UTF-16", VIEWER.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), BAD),
        Case::body("half a surrogate pair in JSON", r#"{"query":"{ viewer { role } }","variables":{"a":"\ud800"}}"#, BAD),
    ]
}

/// Values that are none, or too large.
fn values() -> Vec<Case> {
    let page = "query($n: Int) { invoices(first: $n) { totalCount } }";
    let quantity = "query($q: Decimal!) { featureAccess(product: \"erp\", feature: \"users\", quantity: $q) { allowed } }";
    let city = "mutation($c: String) { updateProfile(input: { city: $c }) { userErrors { code } } }";
    let bad = |name, query: &str, variables| Case { code: BAD, ..Case::query(name, query, variables) };
    vec![
        bad("an Int over 32 bits", page, json!({ "n": 2_147_483_648_u64 })),
        bad("an Int with a part", page, json!({ "n": 1.5 })),
        bad("an Int as text", page, json!({ "n": "1" })),
        Case::document(
            "an Int of 500 digits in a document",
            format!("{{ invoices(first: {}) {{ totalCount }} }}", "9".repeat(500)),
            INVALID,
        ),
        bad("a Decimal as a number", quantity, json!({ "q": 0.1 })),
        bad("a Decimal of 10,000 digits", quantity, json!({ "q": "9".repeat(10_000) })),
        bad("a Decimal that is not a number", quantity, json!({ "q": "NaN" })),
        bad("a Decimal with an exponent", quantity, json!({ "q": "1e308" })),
        Case::runs("a Decimal over what may be asked", quantity, json!({ "q": "9".repeat(28) }), BAD),
        bad(
            "a day that no calendar has",
            "query($at: DateTime) { usage(product: \"erp\", at: $at) { __typename } }",
            json!({ "at": "2026-02-30T00:00:00Z" }),
        ),
        bad(
            "the year 99999",
            "query($at: DateTime) { usage(product: \"erp\", at: $at) { __typename } }",
            json!({ "at": "99999-01-01T00:00:00Z" }),
        ),
        bad("a value that is missing", "query($id: ID!) { invoice(id: $id) { id } }", json!({})),
        bad("null where there must be a value", "query($id: ID!) { invoice(id: $id) { id } }", json!({ "id": null })),
        bad(
            "an id that is a number of 20 digits",
            "query($id: ID!) { invoice(id: $id) { id } }",
            json!({ "id": 12_345_678_901_234_567_890_u64 }),
        ),
        bad(
            "a field that an input does not have",
            "query($f: InvoiceFilter) { invoices(filter: $f) { totalCount } }",
            json!({ "f": { "__proto__": {} } }),
        ),
        bad(
            "an enum's value that is none",
            "query($i: ChangePlanPreviewInput!) { changePlanPreview(input: $i) { previewToken } }",
            json!({ "i": { "subscriptionId": "a", "planId": "b", "timing": "NEVER" } }),
        ),
        Case::document(
            "two ways of one input that takes one",
            "mutation { addPaymentMethod(input: { source: { bankTransfer: true, cardToken: \"x\" } }) { userErrors { code } } }",
            INVALID,
        ),
        Case::runs("a null byte in a text", city, json!({ "c": "a\0b" }), "INVALID"),
        Case::runs("characters that turn a text around", city, json!({ "c": "\u{202e}\u{200b}" }), "INVALID"),
        Case::runs("a text of 900,000 characters", city, json!({ "c": "x".repeat(900_000) }), "TOO_LONG"),
        Case::body("a number that is infinite", r#"{"query":"{ viewer { role } }","variables":{"a":1e999}}"#, BAD),
        Case::document(
            "a file where there is none",
            "mutation { submitVerification(input: { registrationNumber: \"1\", documents: [{ kind: DIRECTOR_ID, file: null }] }) { userErrors { code } } }",
            INVALID,
        ),
    ]
}

/// Forged cursors and ids.
fn pages_and_ids() -> Vec<Case> {
    let after = "query($c: String) { invoices(after: $c) { totalCount } }";
    let invoice = "query($id: ID!) { invoice(id: $id) { id } }";
    vec![
        Case::runs("a cursor of nobody's making", after, json!({ "c": "AAAA" }), BAD),
        Case::runs("a cursor of 100,000 characters", after, json!({ "c": "A".repeat(100_000) }), BAD),
        Case::runs("a cursor that is a statement", after, json!({ "c": "' or 1=1 --" }), BAD),
        Case::runs("no characters as a cursor", after, json!({ "c": "" }), BAD),
        Case::runs("a cursor with a null byte", after, json!({ "c": "\0" }), BAD),
        Case::runs("a page of none", "{ invoices(first: 0) { totalCount } }", json!({}), BAD),
        Case::runs("a page of less than none", "{ invoices(last: -2147483648) { totalCount } }", json!({}), BAD),
        Case::runs("both ends of a list", "{ invoices(first: 1, last: 1) { totalCount } }", json!({}), BAD),
        Case::runs("an id of 100,000 characters", invoice, json!({ "id": format!("inv_{}", "a".repeat(100_000)) }), ""),
        Case::runs("an id with a null byte", invoice, json!({ "id": "inv_\0" }), ""),
        Case::runs("an id of other letters", invoice, json!({ "id": "\u{130}nv_\u{f6}\u{f6}\u{f6}" }), ""),
        Case::runs("an id that is a path", invoice, json!({ "id": "../../etc/passwd" }), ""),
        Case::runs("an id that is a statement", invoice, json!({ "id": "' or 1=1; drop table invoices --" }), ""),
        Case::runs(
            "an id of another kind",
            "query($id: ID!) { node(id: $id) { id } }",
            json!({ "id": "key_01k2x3y4z5e8f9g0h1j2k3m4ne" }),
            "",
        ),
    ]
}

/// Bodies that are no request.
fn bodies() -> Vec<Case> {
    let lists = format!(r#"{{"query":"{{ viewer {{ role }} }}","variables":{{"a":{}{}}}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let large = json!({ "query": "{ viewer { role } }", "extensions": { "a": "x".repeat(1024 * 1024) } }).to_string();
    let chunked = |name, body: &str| Case {
        is_measured: false,
        body: body.into(),
        ..Case::headers(name, "transfer-encoding: chunked\r\n", 400, BAD)
    };
    vec![
        Case::body("no body", "", BAD),
        Case::body("half a body", r#"{"query":"{ vie"#, BAD),
        Case::body("null", "null", BAD),
        Case::body("a batch of 1,000", format!("[{}]", vec![VIEWER; 1_000].join(",")), BAD),
        Case::body("two requests in one body", VIEWER.repeat(2), BAD),
        Case::body("a key twice", r#"{"query":"{ viewer { role } }","query":"{ products { id } }"}"#, BAD),
        Case::body("variables that are a list", r#"{"query":"{ viewer { role } }","variables":[]}"#, BAD),
        Case::body("50,000 lists in each other", lists, BAD),
        Case::body("an operation that is not there", r#"{"query":"{ viewer { role } }","operationName":"__proto__"}"#, BAD),
        Case::body("two operations and no name", r#"{"query":"query a { viewer { role } } query b { viewer { role } }"}"#, BAD),
        Case { status: 413, ..Case::body("a body over a mebibyte", large, BAD) },
        chunked("a chunk whose size overflows", "fffffffffffffffff\r\n{}"),
        chunked("a chunk whose size is no number", "zz\r\n{}"),
        Case { is_measured: false, ..Case::headers("ten thousand million bytes announced", "content-length: 9999999999\r\n", 413, BAD) },
    ]
}

/// Names of documents in the place of documents.
fn names() -> Vec<Case> {
    let by_hash = |name, hash: Value, code| {
        Case::body(name, json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } }).to_string(), code)
    };
    let by_id = |name, id: &str| Case::body(name, json!({ "documentId": id }).to_string(), NOT_FOUND);
    let beside = |name, extensions: &str| {
        Case::body(name, format!(r#"{{"query":"{{ viewer {{ role }} }}","extensions":{{"persistedQuery":{extensions}}}}}"#), BAD)
    };
    vec![
        by_hash("a hash in the place of a document", json!("x"), NOT_FOUND),
        by_hash("a hash of 900,000 letters", json!("a".repeat(900_000)), NOT_FOUND),
        by_hash("a list of 100,000 hashes", json!(vec!["a"; 100_000]), BAD),
        by_id("an id of 900,000 letters", &"a".repeat(900_000)),
        by_id("a document id that is a path", "../../../../etc/passwd"),
        by_id("a document id that is a statement", "sha256:'; drop table users; --"),
        beside("a document with another's hash", &json!({ "version": 1, "sha256Hash": "0".repeat(64) }).to_string()),
        beside("a version beyond all bounds", r#"{"version":18446744073709551617,"sha256Hash":"x"}"#),
        beside("50,000 lists in the place of a name", &format!("{}{}", "[".repeat(50_000), "]".repeat(50_000))),
        Case::body("a document and an id", r#"{"query":"{ viewer { role } }","documentId":"x"}"#, BAD),
    ]
}

/// Methods, types and headers.
fn heads() -> Vec<Case> {
    let get = |name, query: &str, status, code| Case {
        line: format!("GET /graphql?{query}"),
        body: Vec::new(),
        is_measured: false,
        ..Case::bare(name, ACCEPT, status, code)
    };
    let other = |name, line: &str, status, code| Case { line: line.to_owned(), ..Case::headers(name, "", status, code) };
    let typed = |name, content_type: &str| Case::bare(name, format!("{ACCEPT}content-type: {content_type}\r\n"), 415, BAD);
    vec![
        get("a mutation by GET", "query=mutation%7BsignOut(input:%7B%7D)%7BuserErrors%7Bcode%7D%7D%7D", 405, BAD),
        get("a query twice by GET", "query=%7B__typename%7D&query=%7B__typename%7D", 400, BAD),
        get("variables that are no JSON by GET", "query=%7B__typename%7D&variables=%7B", 400, BAD),
        get("a GET of 100,000 characters", &format!("query={}", "a".repeat(100_000)), 431, ""),
        other("PUT", "PUT /graphql", 405, BAD),
        other("TRACE", "TRACE /graphql", 405, BAD),
        other("a method that is none", "P@ST /graphql", 400, ""),
        typed("JSON as text, which a form can send", "text/plain"),
        typed("a form of fields", "application/x-www-form-urlencoded"),
        typed("JSON in UTF-16", "application/json; charset=utf-16"),
        typed("what is nearly JSON", "application/json5"),
        Case::bare("no type at all", ACCEPT, 415, BAD),
        Case::headers("two types", "content-type: text/plain\r\n", 415, BAD),
        Case::headers("a body that says it is compressed", "content-encoding: gzip\r\n", 415, BAD),
        Case::bare("answers that are HTML", format!("{JSON}accept: text/html\r\n"), 406, BAD),
        Case::bare("2,500 types of answers", format!("{JSON}accept: {}application/json\r\n", "text/html;q=0.1, ".repeat(2_500)), 200, ""),
        Case::headers("200 headers", many(200, |i| format!("x-{i}: a\r\n")), 431, ""),
        Case::headers("a header of 100,000 characters", format!("x-a: {}\r\n", "a".repeat(100_000)), 431, ""),
        Case::headers("a header with a null byte", b"x-a: \0\r\n", 400, ""),
        Case::headers("a header with a space in its name", "x a: b\r\n", 400, ""),
        Case::headers("a header over two lines", "x-a: b\r\n c: d\r\n", 400, ""),
        Case::headers("two hosts", "host: y\r\n", 400, ""),
        Case::headers("two lengths", "content-length: 1\r\n", 400, ""),
        Case { is_measured: false, ..Case::headers("a length below zero", "content-length: -1\r\n", 400, "") },
        Case::headers("a length and chunks", "transfer-encoding: chunked\r\n", 400, BAD),
        Case::headers("5,000 addresses that it came by", format!("x-forwarded-for: {}\r\n", ["1.2.3.4"; 5_000].join(", ")), 200, ""),
    ]
}

/// Tokens and headers that name somebody else.
fn callers() -> Vec<Case> {
    let token = |name, value: &str, status, code| Case::headers(name, format!("authorization: {value}\r\n"), status, code).by_nobody();
    vec![
        token("a token of nobody's making", "Bearer forged", 401, "UNAUTHENTICATED"),
        token("a token that is signed by nobody", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfMSJ9.", 401, "UNAUTHENTICATED"),
        token("a token of 3,000 characters", &format!("Bearer {}", "a".repeat(3_000)), 401, "UNAUTHENTICATED"),
        token("a token of 100,000 characters", &format!("Bearer {}", "a".repeat(100_000)), 431, ""),
        token("a password in the place of a token", "Basic ZGVtbzpkZW1v", 401, "UNAUTHENTICATED"),
        token("a key whose checksum is wrong", "Bearer sk_test_00000000000000000000000000000000", 401, "UNAUTHENTICATED"),
        Case::headers("a token that is no text", b"authorization: Bearer \xff\xfe\r\n", 401, "UNAUTHENTICATED").by_nobody(),
        Case::headers("two tokens", "authorization: Bearer x\r\n", 401, "UNAUTHENTICATED"),
        Case::headers("a business that a person names", "evolve-business: biz_01k2x3y4z5e8f9g0h1j2k3m4ne\r\n", 200, ""),
        Case::runs("money of a business by nobody", "{ invoices { totalCount } }", json!({}), "UNAUTHENTICATED").by_nobody(),
    ]
}

/// Forms with files.
fn forms() -> Vec<Case> {
    const OPERATIONS: &str = "--x\ncontent-disposition: form-data; name=\"operations\"\n\n{\"query\":\"mutation($i: SubmitVerificationInput!) { submitVerification(input: $i) { userErrors { code } } }\",\"variables\":{\"i\":{\"registrationNumber\":\"1\",\"documents\":[{\"kind\":\"DIRECTOR_ID\",\"file\":null}]}}}\n";
    let map = |map: &str| format!("--x\ncontent-disposition: form-data; name=\"map\"\n\n{map}\n");
    let file = |name: &str| {
        format!("--x\ncontent-disposition: form-data; name=\"{name}\"; filename=\"a.pdf\"\ncontent-type: application/pdf\n\nx\n")
    };
    let place = r#"["variables.i.documents.0.file"]"#;
    let form = |name, parts: &[&str], status| Case::form(name, &format!("{}--x--\n", parts.concat()), status);
    let six = format!("{{{}}}", (0..6).map(|i| format!("\"{i}\":{place}")).collect::<Vec<_>>().join(","));
    let bare = format!("{ACCEPT}content-type: multipart/form-data; boundary=x\r\n");
    vec![
        Case::bare("a form without the header that no page sends", bare.as_str(), 400, BAD),
        Case { headers: bare.replace("; boundary=x", "").into_bytes(), ..Case::bare("a form without a boundary", "", 400, BAD) },
        form("a form of nothing", &[], 400),
        form("a map before its operations", &[&map("{}"), OPERATIONS], 400),
        form("a map of six files", &[OPERATIONS, &map(&six)], 413),
        form("a map into the prototype", &[OPERATIONS, &map(r#"{"0":["variables.__proto__.file"]}"#), &file("0")], 400),
        form("a map into the document", &[OPERATIONS, &map(r#"{"0":["query"]}"#), &file("0")], 400),
        form("a map of 17 KiB", &[OPERATIONS, &map(&format!("{{\"{}\":{place}}}", "a".repeat(17_000))), &file("0")], 413),
        form("a file that nobody named", &[OPERATIONS, &map(&format!("{{\"0\":{place}}}")), &file("1")], 400),
        form("a file that never comes", &[OPERATIONS, &map(&format!("{{\"0\":{place}}}"))], 400),
        form("a batch in a form", &["--x\ncontent-disposition: form-data; name=\"operations\"\n\n[{}]\n", &map("{}")], 400),
        Case { caller: Caller::Nobody, code: "UNAUTHENTICATED", ..form("files of nobody", &[OPERATIONS], 401) },
    ]
}

/// What the server waits for.
fn slow() -> Vec<Case> {
    let waits = |name, case: Case| Case { name, is_slow: true, is_measured: false, ..case };
    vec![
        waits("a body of which the rest never comes", Case::headers("", "content-length: 1000\r\n", 408, BAD)),
        waits(
            "a chunk of which the rest never comes",
            Case { body: b"400\r\n{".to_vec(), ..Case::headers("", "transfer-encoding: chunked\r\n", 408, BAD) },
        ),
        waits(
            "a refused body of which the rest never comes",
            Case::bare("", format!("{ACCEPT}content-type: text/plain\r\ncontent-length: 1000\r\n"), 415, BAD),
        ),
    ]
}
