//! Hands a validated document over to async-graphql without its parser, which a few kilobytes of brackets can make
//! overflow the stack, and which refuses some legal string escapes.

use std::collections::{HashMap, HashSet};

use apollo_compiler::executable as from;
use apollo_compiler::parser::{SourceMap, SourceSpan};
use apollo_compiler::{Node, ast};
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types as to;
use async_graphql::{Name, Number, Pos, Positioned};
use async_graphql_value::Value;

/// A literal that has no counterpart, e.g. a number with an exponent beyond all bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unrepresentable {
    pub(super) literal: String,
    pub(super) at: Pos,
}

/// Operations by name (the anonymous one under `None`) and fragments, ready to be put together for one execution.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) operations: HashMap<Option<Name>, Positioned<to::OperationDefinition>>,
    pub(super) fragments: HashMap<Name, Positioned<to::FragmentDefinition>>,
}

/// Converts every operation and fragment.
pub(super) fn convert(document: &from::ExecutableDocument) -> Result<Parts, Unrepresentable> {
    let converter = Converter { sources: &document.sources };
    let mut parts = Parts::default();
    for operation in document.operations.iter() {
        let name = operation.name.as_ref().map(|name| Name::new(name.as_str()));
        parts.operations.insert(name, converter.operation(operation)?);
    }
    for (name, fragment) in &document.fragments {
        parts.fragments.insert(Name::new(name.as_str()), converter.fragment(fragment)?);
    }
    Ok(parts)
}

impl Parts {
    /// A response key that `root` selects more than once, through fragments or under different directives, so that
    /// the field would run more than once.
    pub(super) fn repeated<'a>(&'a self, root: &'a to::SelectionSet) -> Option<&'a str> {
        let mut seen = HashSet::new();
        self.fields(root).into_iter().map(|field| field.response_key().node.as_str()).find(|key| !seen.insert(*key))
    }

    /// The fields of a selection set with its fragments spread out, each as often as it is selected. Their number was bounded
    /// before.
    pub(super) fn fields<'a>(&'a self, root: &'a to::SelectionSet) -> Vec<&'a to::Field> {
        let mut fields = Vec::new();
        let mut sets = vec![root];
        while let Some(set) = sets.pop() {
            for item in &set.items {
                match &item.node {
                    to::Selection::Field(field) => fields.push(&field.node),
                    to::Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
                    to::Selection::FragmentSpread(spread) => {
                        let fragment = self.fragments.get(&spread.node.fragment_name.node);
                        sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                    }
                }
            }
        }
        fields
    }
}

/// A place in a selection set: a field with all that is selected below it, or a fragment.
enum Slot<'d> {
    Field(&'d Node<from::Field>, Vec<&'d from::SelectionSet>),
    Fragment(&'d from::Selection),
}

struct Converter<'a> {
    sources: &'a SourceMap,
}

type Converted<T> = Result<Positioned<T>, Unrepresentable>;
type Arguments = Vec<(Positioned<Name>, Positioned<Value>)>;

impl Converter<'_> {
    fn pos(&self, span: Option<SourceSpan>) -> Pos {
        span.and_then(|span| span.line_column(self.sources))
            .map_or_else(Pos::default, |place| Pos { line: place.line, column: place.column })
    }

    fn name(&self, name: &apollo_compiler::Name) -> Positioned<Name> {
        Positioned::new(Name::new(name.as_str()), self.pos(name.location()))
    }

    fn operation(&self, operation: &Node<from::Operation>) -> Converted<to::OperationDefinition> {
        let ty = match operation.operation_type {
            ast::OperationType::Query => to::OperationType::Query,
            ast::OperationType::Mutation => to::OperationType::Mutation,
            ast::OperationType::Subscription => to::OperationType::Subscription,
        };
        let pos = self.pos(operation.location());
        let variable_definitions = operation.variables.iter().map(|variable| self.variable(variable)).collect::<Result<_, _>>()?;
        let definition = to::OperationDefinition {
            ty,
            variable_definitions,
            directives: self.directives(&operation.directives)?,
            selection_set: self.selections(&[&operation.selection_set], pos)?,
        };
        Ok(Positioned::new(definition, pos))
    }

    fn fragment(&self, fragment: &Node<from::Fragment>) -> Converted<to::FragmentDefinition> {
        let pos = self.pos(fragment.location());
        let definition = to::FragmentDefinition {
            type_condition: self.condition(fragment.type_condition()),
            directives: self.directives(&fragment.directives)?,
            selection_set: self.selections(&[&fragment.selection_set], pos)?,
        };
        Ok(Positioned::new(definition, pos))
    }

    fn condition(&self, name: &apollo_compiler::Name) -> Positioned<to::TypeCondition> {
        let on = self.name(name);
        let pos = on.pos;
        Positioned::new(to::TypeCondition { on }, pos)
    }

    fn variable(&self, variable: &Node<from::VariableDefinition>) -> Converted<to::VariableDefinition> {
        let pos = self.pos(variable.location());
        // The front door fills defaults in itself, so that `@skip` and `@include` see them too.
        let definition = to::VariableDefinition {
            name: self.name(&variable.name),
            var_type: Positioned::new(type_of(&variable.ty), pos),
            directives: self.directives(&variable.directives)?,
            default_value: None,
        };
        Ok(Positioned::new(definition, pos))
    }

    /// What these sets of one object select together: a field that is selected again is merged into the first, as the
    /// specification has it (async-graphql would run it once for each time it stands there).
    fn selections(&self, sets: &[&from::SelectionSet], pos: Pos) -> Converted<to::SelectionSet> {
        let mut slots: Vec<Slot<'_>> = Vec::new();
        let mut by_key: HashMap<&str, usize> = HashMap::new();
        for selection in sets.iter().flat_map(|set| &set.selections) {
            let from::Selection::Field(field) = selection else {
                slots.push(Slot::Fragment(selection));
                continue;
            };
            let key = field.response_name().as_str();
            if let Some(Slot::Field(first, below)) = by_key.get(key).and_then(|&index| slots.get_mut(index))
                && first.directives == field.directives
            {
                below.extend(field.selection_set.as_ref());
                continue;
            }
            by_key.entry(key).or_insert(slots.len());
            slots.push(Slot::Field(field, field.selection_set.iter().collect()));
        }
        let items = slots.into_iter().map(|slot| match slot {
            Slot::Field(field, below) => self.field(field, &below),
            Slot::Fragment(selection) => self.fragment_selection(selection),
        });
        Ok(Positioned::new(to::SelectionSet { items: items.collect::<Result<_, _>>()? }, pos))
    }

    fn field(&self, field: &Node<from::Field>, below: &[&from::SelectionSet]) -> Converted<to::Selection> {
        let pos = self.pos(field.location());
        let node = to::Field {
            alias: field.alias.as_ref().map(|alias| self.name(alias)),
            name: self.name(&field.name),
            arguments: self.arguments(&field.arguments)?,
            directives: self.directives(&field.directives)?,
            selection_set: self.selections(below, pos)?,
        };
        Ok(Positioned::new(to::Selection::Field(Positioned::new(node, pos)), pos))
    }

    fn fragment_selection(&self, selection: &from::Selection) -> Converted<to::Selection> {
        Ok(match selection {
            from::Selection::Field(field) => self.field(field, field.selection_set.as_ref().as_slice())?,
            from::Selection::FragmentSpread(spread) => {
                let pos = self.pos(spread.location());
                let node = to::FragmentSpread {
                    fragment_name: self.name(&spread.fragment_name),
                    directives: self.directives(&spread.directives)?,
                };
                Positioned::new(to::Selection::FragmentSpread(Positioned::new(node, pos)), pos)
            }
            from::Selection::InlineFragment(inline) => {
                let pos = self.pos(inline.location());
                let node = to::InlineFragment {
                    type_condition: inline.type_condition.as_ref().map(|name| self.condition(name)),
                    directives: self.directives(&inline.directives)?,
                    selection_set: self.selections(&[&inline.selection_set], pos)?,
                };
                Positioned::new(to::Selection::InlineFragment(Positioned::new(node, pos)), pos)
            }
        })
    }

    fn directives(&self, directives: &ast::DirectiveList) -> Result<Vec<Positioned<to::Directive>>, Unrepresentable> {
        directives
            .iter()
            .map(|directive| {
                let node = to::Directive { name: self.name(&directive.name), arguments: self.arguments(&directive.arguments)? };
                Ok(Positioned::new(node, self.pos(directive.location())))
            })
            .collect()
    }

    fn arguments(&self, arguments: &[Node<ast::Argument>]) -> Result<Arguments, Unrepresentable> {
        arguments
            .iter()
            .map(|argument| {
                let pos = self.pos(argument.value.location());
                Ok((self.name(&argument.name), Positioned::new(self.value(&argument.value)?, pos)))
            })
            .collect()
    }

    fn value(&self, value: &Node<ast::Value>) -> Result<Value, Unrepresentable> {
        let number = |digits: &str| {
            parse_number(digits)
                .map(Value::Number)
                .ok_or_else(|| Unrepresentable { literal: digits.to_owned(), at: self.pos(value.location()) })
        };
        Ok(match value.as_ref() {
            ast::Value::Null => Value::Null,
            ast::Value::Enum(name) => Value::Enum(Name::new(name.as_str())),
            ast::Value::Variable(name) => Value::Variable(Name::new(name.as_str())),
            ast::Value::String(text) => Value::String(text.clone()),
            ast::Value::Float(float) => number(float.as_str())?,
            ast::Value::Int(int) => number(int.as_str())?,
            ast::Value::Boolean(truth) => Value::Boolean(*truth),
            ast::Value::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?),
            ast::Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, value)| Ok((Name::new(name.as_str()), self.value(value)?)))
                    .collect::<Result<IndexMap<_, _>, _>>()?,
            ),
        })
    }
}

/// A number as JSON would read it; `None` beyond its range.
pub(super) fn parse_number(digits: &str) -> Option<Number> {
    serde_json::from_str(digits).ok()
}

fn type_of(ty: &ast::Type) -> to::Type {
    let (base, nullable) = match ty {
        ast::Type::Named(name) => (to::BaseType::Named(Name::new(name.as_str())), true),
        ast::Type::NonNullNamed(name) => (to::BaseType::Named(Name::new(name.as_str())), false),
        ast::Type::List(inner) => (to::BaseType::List(Box::new(type_of(inner))), true),
        ast::Type::NonNullList(inner) => (to::BaseType::List(Box::new(type_of(inner))), false),
    };
    to::Type { base, nullable }
}
