//! What an operation costs: one for each field, a list's fields times its page size. Counted with memory per fragment
//! and saturating, from a plan that is cached with the document; only page sizes given by variables vary.
//!
//! A field that takes `first` or `last` and is no list itself is a connection: the lists directly in it (`edges`,
//! `nodes`) have its page size, and nothing else in it is multiplied. `__typename` costs one like any other field.
//! What an operation introspects is counted alike, and has a limit of its own; ten such fields cost one, since they come from memory.

use std::collections::HashMap;

use apollo_compiler::ast::Value;
use apollo_compiler::executable::{ExecutableDocument, Field, FragmentMap, Selection, SelectionSet};
use serde_json::{Map, Value as Json};

use super::document::is_introspection;
use super::limits::{Limit, Limits};
use super::refusal::Refusal;

/// How many fields of introspection cost one.
const INTROSPECTED_FOR_ONE: u64 = 10;

/// What an operation costs and may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Cost {
    /// What it costs.
    pub requested: u64,
    /// What it may cost.
    pub limit: u64,
}

/// A number of rows that is asked for.
#[derive(Debug)]
enum Rows {
    Fixed(u64),
    /// The value of a variable; when it was not given, the number beside it.
    Variable(String, u64),
}

#[derive(Debug)]
enum Shape {
    /// One value, or one object.
    Single,
    /// A list without a page size of its own.
    List,
    /// A list, or the connection around one, of the largest of these.
    Paged { rows: Vec<Rows>, connection: bool },
}

#[derive(Debug)]
enum Item {
    Field {
        shape: Shape,
        below: Vec<Item>,
    },
    /// `__schema` or `__type`.
    Introspection(Vec<Item>),
    /// An index into the fragments of the plan.
    Fragment(usize),
}

/// The cost of a document's operations as a function of their variables.
#[derive(Debug, Default)]
pub(super) struct Plan {
    operations: Vec<Vec<Item>>,
    fragments: Vec<Vec<Item>>,
}

/// What selections cost: once, and again for each row of the connection they stand in.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    once: u64,
    per_row: u64,
    /// What is introspected, which is counted apart.
    introspection: u64,
}

impl Sum {
    fn add(self, other: Self) -> Self {
        Self {
            once: self.once.saturating_add(other.once),
            per_row: self.per_row.saturating_add(other.per_row),
            introspection: self.introspection.saturating_add(other.introspection),
        }
    }

    fn with_rows(self, rows: u64) -> u64 {
        self.once.saturating_add(self.per_row.saturating_mul(rows))
    }
}

impl Plan {
    /// The plan of a valid document whose operations stand in the order of `ExecutableDocument::operations`.
    pub(super) fn new(document: &ExecutableDocument, limits: &Limits) -> Self {
        let planner = Planner {
            index: document.fragments.keys().enumerate().map(|(index, name)| (name.as_str(), index)).collect(),
            default_page: limits.default_page,
        };
        Self {
            operations: document.operations.iter().map(|operation| planner.items(&operation.selection_set)).collect(),
            fragments: fragments_of(&document.fragments, &planner),
        }
    }

    /// The cost of the operation at `index` with these coerced variables.
    ///
    /// # Errors
    /// Where it is over what it may be.
    pub(super) fn cost(&self, index: usize, variables: &Map<String, Json>, limits: &Limits) -> Result<Cost, Refusal> {
        let mut count = Count { plan: self, variables, plain_list: limits.plain_list, known: vec![None; self.fragments.len()] };
        let items = self.operations.get(index).map(Vec::as_slice).unwrap_or_default();
        let sum = count.items(items);
        let (fields, introspection) = (sum.with_rows(limits.plain_list), sum.introspection);
        // Whoever introspects may do so beside what an operation may cost otherwise.
        let beside = if introspection > 0 { limits.introspection_cost } else { 0 };
        let cost = Cost { requested: fields.saturating_add(introspection), limit: limits.complexity.saturating_add(beside) };
        for (what, reached, limit) in
            [(Limit::Cost, fields, limits.complexity), (Limit::IntrospectionCost, introspection, limits.introspection_cost)]
        {
            if reached > limit {
                return Err(Refusal::over(what, Some(reached), limit).costing(cost));
            }
        }
        Ok(cost)
    }
}

fn fragments_of(fragments: &FragmentMap, planner: &Planner<'_>) -> Vec<Vec<Item>> {
    fragments.values().map(|fragment| planner.items(&fragment.selection_set)).collect()
}

struct Planner<'a> {
    index: HashMap<&'a str, usize>,
    default_page: u64,
}

impl Planner<'_> {
    fn items(&self, set: &SelectionSet) -> Vec<Item> {
        let mut items = Vec::with_capacity(set.selections.len());
        for selection in &set.selections {
            match selection {
                Selection::Field(field) if is_introspection(field.name.as_str()) => {
                    items.push(Item::Introspection(field.selection_set.as_ref().map(|set| self.items(set)).unwrap_or_default()));
                }
                Selection::Field(field) => {
                    let below = field.selection_set.as_ref().map(|set| self.items(set)).unwrap_or_default();
                    items.push(Item::Field { shape: self.shape(field), below });
                }
                Selection::InlineFragment(inline) => items.extend(self.items(&inline.selection_set)),
                Selection::FragmentSpread(spread) => {
                    items.extend(self.index.get(spread.fragment_name.as_str()).map(|&index| Item::Fragment(index)));
                }
            }
        }
        items
    }

    fn shape(&self, field: &Field) -> Shape {
        let list = field.definition.ty.is_list();
        let mut takes_page = false;
        let mut rows = Vec::new();
        for name in ["first", "last"] {
            let Some(definition) = field.definition.argument_by_name(name) else { continue };
            takes_page = true;
            let by_schema = definition.default_value.as_ref().and_then(|value| literal(value));
            match field.arguments.iter().find(|argument| argument.name == name).map(|argument| argument.value.as_ref()) {
                Some(Value::Variable(variable)) => {
                    rows.push(Rows::Variable(variable.as_str().to_owned(), by_schema.unwrap_or(self.default_page)));
                }
                Some(Value::Null) => {}
                Some(given) => rows.push(Rows::Fixed(literal(given).unwrap_or(u64::MAX))),
                None => rows.extend(by_schema.map(Rows::Fixed)),
            }
        }
        match (takes_page, list) {
            (true, list) => {
                if rows.is_empty() {
                    rows.push(Rows::Fixed(self.default_page));
                }
                Shape::Paged { rows, connection: !list }
            }
            (false, true) => Shape::List,
            (false, false) => Shape::Single,
        }
    }
}

/// A literal number of rows; a negative one asks for none, and is refused where it is read.
fn literal(value: &Value) -> Option<u64> {
    match value {
        Value::Int(digits) if digits.as_str().starts_with('-') => Some(0),
        Value::Int(digits) => Some(digits.as_str().parse().unwrap_or(u64::MAX)),
        _ => None,
    }
}

struct Count<'a> {
    plan: &'a Plan,
    variables: &'a Map<String, Json>,
    plain_list: u64,
    known: Vec<Option<Sum>>,
}

impl Count<'_> {
    fn items(&mut self, items: &[Item]) -> Sum {
        items.iter().fold(Sum::default(), |sum, item| sum.add(self.item(item)))
    }

    fn item(&mut self, item: &Item) -> Sum {
        match item {
            Item::Fragment(index) => {
                if let Some(Some(sum)) = self.known.get(*index) {
                    return *sum;
                }
                // A valid document has no fragment that contains itself.
                let sum = self.plan.fragments.get(*index).map(|items| self.items(items)).unwrap_or_default();
                if let Some(slot) = self.known.get_mut(*index) {
                    *slot = Some(sum);
                }
                sum
            }
            Item::Introspection(below) => {
                let below = self.items(below).with_rows(self.plain_list);
                Sum { introspection: below.saturating_add(1).div_ceil(INTROSPECTED_FOR_ONE), ..Sum::default() }
            }
            Item::Field { shape, below } => {
                let below = self.items(below);
                let introspection = below.introspection;
                match shape {
                    Shape::Single => Sum { once: below.with_rows(self.plain_list).saturating_add(1), per_row: 0, introspection },
                    Shape::List => Sum { once: 1, per_row: below.with_rows(self.plain_list), introspection },
                    Shape::Paged { rows, connection } => {
                        let rows = rows.iter().map(|rows| self.rows(rows)).max().unwrap_or(u64::MAX);
                        let below = if *connection { below.with_rows(rows) } else { below.with_rows(self.plain_list).saturating_mul(rows) };
                        Sum { once: below.saturating_add(1), per_row: 0, introspection }
                    }
                }
            }
        }
    }

    fn rows(&self, rows: &Rows) -> u64 {
        match rows {
            Rows::Fixed(rows) => *rows,
            Rows::Variable(name, otherwise) => match self.variables.get(name) {
                None | Some(Json::Null) => *otherwise,
                Some(value) => match value.as_i64() {
                    Some(number) => u64::try_from(number).unwrap_or(0),
                    None => u64::MAX,
                },
            },
        }
    }
}
