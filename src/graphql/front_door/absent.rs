//! Leaves out what a variable without a value was to fill, as the specification asks: an argument or input field given
//! by such a variable counts as not given, so that its default applies, and "left out" is not mistaken for null.
//! (async-graphql would read it as null, and a non-null argument with a default would fail half way.)

use async_graphql::parser::types::{Directive, DocumentOperations, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Positioned};
use async_graphql_value::Value;

type Arguments = Vec<(Positioned<Name>, Positioned<Value>)>;

/// Removes from `document` the arguments and input fields that stand for a variable of which `absent` says so.
pub(super) fn leave_out(document: &mut ExecutableDocument, absent: &dyn Fn(&str) -> bool) {
    match &mut document.operations {
        DocumentOperations::Single(operation) => selections(&mut operation.node.selection_set.node, absent),
        DocumentOperations::Multiple(operations) => {
            for operation in operations.values_mut() {
                selections(&mut operation.node.selection_set.node, absent);
            }
        }
    }
    for fragment in document.fragments.values_mut() {
        selections(&mut fragment.node.selection_set.node, absent);
    }
}

fn selections(set: &mut SelectionSet, absent: &dyn Fn(&str) -> bool) {
    for selection in &mut set.items {
        match &mut selection.node {
            Selection::Field(field) => {
                arguments(&mut field.node.arguments, absent);
                directives(&mut field.node.directives, absent);
                selections(&mut field.node.selection_set.node, absent);
            }
            Selection::InlineFragment(inline) => {
                directives(&mut inline.node.directives, absent);
                selections(&mut inline.node.selection_set.node, absent);
            }
            Selection::FragmentSpread(spread) => directives(&mut spread.node.directives, absent),
        }
    }
}

fn directives(directives: &mut [Positioned<Directive>], absent: &dyn Fn(&str) -> bool) {
    for directive in directives {
        arguments(&mut directive.node.arguments, absent);
    }
}

fn arguments(arguments: &mut Arguments, absent: &dyn Fn(&str) -> bool) {
    arguments.retain_mut(|(_, argument)| keep(&mut argument.node, absent));
}

/// Whether `value` was given at all; what is not given inside it is removed, or null in a list.
fn keep(value: &mut Value, absent: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Variable(name) => return !absent(name.as_str()),
        Value::Object(fields) => fields.retain(|_, value| keep(value, absent)),
        Value::List(items) => {
            for item in items {
                if !keep(item, absent) {
                    *item = Value::Null;
                }
            }
        }
        _ => {}
    }
    true
}
