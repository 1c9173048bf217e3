//! The shape of a document, measured on its syntax alone before validation sees it: so that validation, too, only
//! ever works on documents of a bounded size.
//!
//! Fragments are measured once each, however often they are spread, and every sum saturates.

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, DirectiveList, Document, FragmentDefinition, Selection};

use super::limits::{Limit, Limits};
use super::refusal::Refusal;
use crate::error::Code;

/// What a selection set amounts to with its fragments spread out.
#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    selections: u64,
    aliases: u64,
    root_fields: u64,
    depth: u64,
    introspection_depth: u64,
    introspection_lists: u64,
    nesting: u64,
}

impl Measure {
    /// Adds a sibling.
    fn add(&mut self, other: Self) {
        self.selections = self.selections.saturating_add(other.selections);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.root_fields = self.root_fields.saturating_add(other.root_fields);
        self.depth = self.depth.max(other.depth);
        self.introspection_depth = self.introspection_depth.max(other.introspection_depth);
        self.introspection_lists = self.introspection_lists.max(other.introspection_lists);
        self.nesting = self.nesting.max(other.nesting);
    }
}

/// A fragment's measure, or that it is being taken: then the fragment contains itself, which validation refuses.
#[derive(Clone, Copy)]
enum Known {
    Measuring,
    Measured(Measure),
}

struct Measurer<'a> {
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    known: HashMap<&'a str, Known>,
    directives: u64,
    limit: u64,
    /// A selection set `{}` was seen: a draft of the grammar allows it, the one in force does not.
    empty: bool,
}

/// Refuses a document whose shape passes a limit.
pub(super) fn check(document: &Document, limits: &Limits) -> Result<(), Refusal> {
    let mut measurer = Measurer { fragments: HashMap::new(), known: HashMap::new(), directives: 0, limit: limits.nesting, empty: false };
    let mut operations = Vec::new();
    for definition in &document.definitions {
        match definition {
            Definition::OperationDefinition(operation) => operations.push(operation),
            Definition::FragmentDefinition(fragment) => {
                measurer.fragments.insert(fragment.name.as_str(), fragment);
                measurer.count_directives(&fragment.directives);
            }
            // Anything else has no place in a request, which validation says.
            _ => {}
        }
    }
    let count = u64::try_from(operations.len()).unwrap_or(u64::MAX);
    within(Limit::Operations, count, limits.operations)?;
    for operation in operations {
        measurer.count_directives(&operation.directives);
        for variable in &operation.variables {
            measurer.count_directives(&variable.directives);
        }
        let measure = measurer.measure(&operation.selection_set, false, 1);
        within(Limit::Nesting, measure.nesting, limits.nesting)?;
        within(Limit::Depth, measure.depth, limits.depth)?;
        within(Limit::IntrospectionDepth, measure.introspection_depth, limits.introspection_depth)?;
        within(Limit::IntrospectionLists, measure.introspection_lists, limits.introspection_lists)?;
        within(Limit::RootFields, measure.root_fields, limits.root_fields)?;
        within(Limit::Aliases, measure.aliases, limits.aliases)?;
        within(Limit::Selections, measure.selections, limits.selections)?;
    }
    // Fragments that nothing spreads are invalid, but their directives are validated first.
    let names: Vec<&str> = measurer.fragments.keys().copied().collect();
    for name in names {
        let measure = measurer.fragment(name, 1);
        within(Limit::Nesting, measure.nesting, limits.nesting)?;
    }
    if measurer.empty {
        return Err(Refusal::one(Code::GraphqlParseFailed, "A selection set is not empty."));
    }
    within(Limit::Directives, measurer.directives, limits.directives)
}

fn within(what: Limit, reached: u64, limit: u64) -> Result<(), Refusal> {
    if reached > limit { Err(Refusal::over(what, Some(reached), limit)) } else { Ok(()) }
}

impl<'a> Measurer<'a> {
    fn count_directives(&mut self, directives: &DirectiveList) {
        self.directives = self.directives.saturating_add(u64::try_from(directives.len()).unwrap_or(u64::MAX));
    }

    /// `level` is how deep the walk itself is: past the limit there is no need, and no stack, to go on.
    fn measure(&mut self, selections: &'a [Selection], introspecting: bool, level: u64) -> Measure {
        if level > self.limit {
            return Measure { nesting: 1, ..Measure::default() };
        }
        self.empty |= selections.is_empty();
        let mut total = Measure::default();
        for selection in selections {
            let measure = match selection {
                Selection::Field(field) => {
                    self.count_directives(&field.directives);
                    let name = field.name.as_str();
                    let meta = name.starts_with("__") && name != "__typename";
                    let below = match &field.selection_set {
                        Some(selections) => self.measure(selections, introspecting || meta, level.saturating_add(1)),
                        None => Measure::default(),
                    };
                    let mut measure = field_measure(name, below, introspecting, meta);
                    measure.aliases = measure.aliases.saturating_add(u64::from(field.alias.is_some()));
                    measure
                }
                Selection::InlineFragment(inline) => {
                    self.count_directives(&inline.directives);
                    self.measure(&inline.selection_set, introspecting, level.saturating_add(1))
                }
                Selection::FragmentSpread(spread) => {
                    self.count_directives(&spread.directives);
                    self.fragment(spread.fragment_name.as_str(), level.saturating_add(1))
                }
            };
            total.add(measure);
        }
        total.nesting = total.nesting.saturating_add(1);
        total
    }

    fn fragment(&mut self, name: &str, level: u64) -> Measure {
        let Some((&name, &definition)) = self.fragments.get_key_value(name) else {
            // Unknown: validation says so.
            return Measure::default();
        };
        match self.known.get(name) {
            Some(Known::Measured(measure)) => return *measure,
            Some(Known::Measuring) => return Measure::default(),
            None => {}
        }
        self.known.insert(name, Known::Measuring);
        // Fields of `__Type` and its like count as introspection wherever the fragment is spread.
        let introspecting = definition.type_condition.as_str().starts_with("__");
        let measure = self.measure(&definition.selection_set, introspecting, level);
        self.known.insert(name, Known::Measured(measure));
        measure
    }
}

/// A field's measure from that of what is selected below it.
fn field_measure(name: &str, below: Measure, introspecting: bool, meta: bool) -> Measure {
    let inside = introspecting || meta;
    let list = introspecting && matches!(name, "fields" | "inputFields" | "interfaces" | "possibleTypes");
    Measure {
        selections: below.selections.saturating_add(1),
        aliases: below.aliases,
        root_fields: 1,
        depth: if inside { 0 } else { below.depth.saturating_add(1) },
        introspection_depth: if inside { below.introspection_depth.saturating_add(1) } else { below.introspection_depth },
        introspection_lists: below.introspection_lists.saturating_add(u64::from(list)),
        nesting: below.nesting,
    }
}
