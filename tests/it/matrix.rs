//! Who may do what: every query and mutation of a printed schema, and every field of its objects with an id, asked by
//! everybody there is. The answers are a snapshot, to be read and agreed to as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;
use serde_json::{Value, json};

use crate::client::Client;
use crate::world_lives::PASSWORD;

/// The root of live updates.
const LIVE: &str = "SubscriptionRoot";

/// What the cells of a table mean.
const LEGEND: &str = "yes: answered; -: nothing, as for what does not exist; no: FORBIDDEN; who?: UNAUTHENTICATED";

/// One who asks.
pub(crate) struct Asker {
    /// The head of their column.
    pub(crate) name: String,
    pub(crate) client: Client,
    /// The mutation and the address by which they sign in anew for what ends their session.
    pub(crate) signs_in: Option<(&'static str, String)>,
}

impl Asker {
    /// Somebody who does not sign in, or by a key.
    pub(crate) fn new(name: &str, client: Client) -> Self {
        Self { name: name.to_owned(), client, signs_in: None }
    }

    /// A person, signed in by `mutation` at the API of `client`.
    pub(crate) async fn signed_in(name: &str, client: Client, mutation: &'static str, email: String) -> Self {
        let client = sign_in(client, mutation, &email).await;
        Self { name: name.to_owned(), client, signs_in: Some((mutation, email)) }
    }
}

pub(crate) async fn sign_in(mut client: Client, mutation: &str, email: &str) -> Client {
    client.token = None;
    let came = client.mutate(mutation, json!({ "email": email, "password": PASSWORD }), "session { accessToken }").await;
    client.token = Some(came["session"]["accessToken"].as_str().unwrap().to_owned());
    client
}

/// Everybody, and the ids that exist.
pub(crate) struct Everybody {
    pub(crate) askers: Vec<Asker>,
    /// By the names that requests call them by: `$invoice`.
    pub(crate) ids: BTreeMap<&'static str, String>,
}

/// What is asked of a schema.
pub(crate) struct Questions {
    /// The printed schema.
    pub(crate) sdl: &'static str,
    /// A harmless request for each query and mutation: those who may are answered by an object or a refusal that changes
    /// nothing of what the others ask.
    pub(crate) requests: &'static [(&'static str, &'static str)],
    /// Where each object with an id is found, and others with fields that not everybody may read; `?` is the field.
    pub(crate) objects: &'static [(&'static str, &'static str)],
    /// The mutation that ends a session.
    pub(crate) signs_out: &'static str,
}

impl Questions {
    /// The tables of all answers.
    pub(crate) async fn ask(&self, everybody: &Everybody) -> String {
        let schema = Schema::parse(self.sdl, "schema.graphql").unwrap();
        self.leave_nothing_out(&schema);
        let mut tables = vec![LEGEND.to_owned()];
        let listens = if schema.types.contains_key(LIVE) { &[(LIVE, "subscription")][..] } else { &[] };
        for (root, operation) in [("Query", "query"), ("Mutation", "mutation")].iter().chain(listens) {
            let mut rows = BTreeMap::new();
            for field in fields(&schema, root) {
                let (_, rest) = self.requests.iter().find(|(name, _)| *name == field).unwrap();
                let cells = everybody.answers(operation, &format!("{field}{rest}"), &format!("/{field}"), field == self.signs_out).await;
                rows.insert(field, cells);
            }
            tables.push(everybody.table(operation, &rows));
        }
        for (object, place) in self.objects {
            let root = place.split([' ', '(']).next().unwrap();
            let mut rows = BTreeMap::new();
            for field in fields(&schema, object) {
                let leaf = if is_leaf(&schema, object, &field) { field.clone() } else { format!("{field} {{ __typename }}") };
                let cells = everybody.answers("query", &place.replace('?', &leaf), &format!("/{root}"), false).await;
                rows.insert(field, cells);
            }
            tables.push(everybody.table(object, &rows));
        }
        tables.join("\n\n")
    }

    /// A field or an object that is new is asked for, or this fails.
    fn leave_nothing_out(&self, schema: &Schema) {
        let mut roots: Vec<String> = fields(schema, "Query");
        roots.extend(fields(schema, "Mutation"));
        if schema.types.contains_key(LIVE) {
            roots.extend(fields(schema, LIVE));
        }
        let mut asked: Vec<&str> = self.requests.iter().map(|(name, _)| *name).collect();
        roots.sort_unstable();
        asked.sort_unstable();
        assert_eq!(asked, roots, "each query and mutation has a harmless request here");
        let with_id = schema.types.iter().filter_map(|(name, definition)| match definition {
            ExtendedType::Object(object) if object.implements_interfaces.contains("Node") => Some(name.as_str()),
            _ => None,
        });
        let left_out: Vec<&str> = with_id.filter(|name| !self.objects.iter().any(|(object, _)| object == name)).collect();
        assert_eq!(left_out, Vec::<&str>::new(), "each object with an id is found somewhere here");
    }
}

impl Everybody {
    /// What each is answered to `selection` of `operation`, where the answer at `path` is what counts.
    async fn answers(&self, operation: &str, selection: &str, path: &str, signs_out: bool) -> Vec<&'static str> {
        let used: Vec<(&&str, &String)> = self.ids.iter().filter(|(name, _)| names(selection, name)).collect();
        let declared: Vec<String> = used.iter().map(|(name, _)| format!("${name}: ID!")).collect();
        let declared = if declared.is_empty() { String::new() } else { format!("({})", declared.join(", ")) };
        let variables: Value = used.iter().map(|(name, id)| ((**name).to_owned(), json!(id))).collect::<serde_json::Map<_, _>>().into();
        let document = format!("{operation}{declared} {{ {selection} }}");
        let mut cells = Vec::new();
        for asker in &self.askers {
            // Who signs out comes in once more for it, and goes.
            let answer = match &asker.signs_in {
                Some((mutation, email)) if signs_out => {
                    sign_in(asker.client.clone(), mutation, email).await.ask(&document, variables.clone()).await
                }
                _ if operation == "subscription" => asker.client.begin(&document, variables.clone()).await,
                _ => asker.client.ask(&document, variables.clone()).await,
            };
            cells.push(cell(&answer, path, &document));
        }
        cells
    }

    /// A table of rows by their names.
    fn table(&self, title: &str, rows: &BTreeMap<String, Vec<&'static str>>) -> String {
        let first = rows.keys().map(String::len).max().unwrap_or(0).max(title.len());
        let mut text = format!("{title:first$}");
        for asker in &self.askers {
            write!(text, " | {}", asker.name).unwrap();
        }
        for (row, cells) in rows {
            write!(text, "\n{row:first$}").unwrap();
            for (asker, cell) in self.askers.iter().zip(cells) {
                write!(text, " | {cell:width$}", width = asker.name.len()).unwrap();
            }
        }
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

/// Whether a selection uses a variable.
fn names(selection: &str, variable: &str) -> bool {
    selection.split('$').skip(1).any(|rest| {
        let name = rest.split(|c: char| !c.is_ascii_alphanumeric()).next();
        name == Some(variable)
    })
}

/// An answer in one word: see [`LEGEND`].
fn cell(answer: &Value, path: &str, document: &str) -> &'static str {
    let codes: Vec<&Value> = answer["errors"].as_array().into_iter().flatten().map(|error| &error["extensions"]["code"]).collect();
    match &codes[..] {
        [] => match answer["data"].pointer(path) {
            None | Some(Value::Null) => "-",
            Some(Value::Array(items)) if items.iter().all(Value::is_null) && !items.is_empty() => "-",
            Some(_) => "yes",
        },
        [code] if *code == "FORBIDDEN" => "no",
        [code] if *code == "UNAUTHENTICATED" => "who?",
        _ => panic!("{document}: {answer:#}"),
    }
}

/// The names of an object's fields.
fn fields(schema: &Schema, object: &str) -> Vec<String> {
    let Some(ExtendedType::Object(object)) = schema.types.get(object) else { panic!("the schema has no {object}") };
    object.fields.keys().map(ToString::to_string).collect()
}

/// Whether a field has no fields of its own.
fn is_leaf(schema: &Schema, object: &str, field: &str) -> bool {
    let Some(ExtendedType::Object(object)) = schema.types.get(object) else { panic!("the schema has no {object}") };
    let named = object.fields[field].ty.inner_named_type();
    matches!(schema.types[named], ExtendedType::Scalar(_) | ExtendedType::Enum(_))
}
