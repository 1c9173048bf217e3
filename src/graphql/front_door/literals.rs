//! What the schema's own scalars say about the literals of a document, and which variables stand where null may not.
//!
//! Everything here depends on the document alone, so its verdict is cached with it.

use std::collections::HashSet;

use apollo_compiler::ast::{Type, Value};
use apollo_compiler::executable::{Directive, ExecutableDocument, Operation, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, Schema};
use serde_json::{Map, Value as Json};

use super::Scalars;
use super::convert::parse_number;
use super::refusal::{Location, Problem};
use crate::error::Code;

/// Names of variables that must not be given null although their type would let them: they stand where null may not
/// (the default of the variable or of the argument is what let them stand there).
pub(super) type NotNull = HashSet<String>;

/// Walks selections and checks their literals.
pub(super) struct Literals<'a> {
    pub(super) schema: &'a Schema,
    pub(super) scalars: &'a Scalars,
    pub(super) document: &'a ExecutableDocument,
    pub(super) problems: Vec<Problem>,
}

impl Literals<'_> {
    /// Checks an operation's own variables, directives and selections; fragments are walked apart.
    pub(super) fn operation(&mut self, operation: &Operation) -> NotNull {
        let mut uses = NotNull::new();
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                self.unique_fields(default);
                self.value(&variable.ty, default, &mut uses);
            }
            self.directives(&variable.directives, &mut uses);
        }
        self.directives(&operation.directives, &mut uses);
        uses.extend(self.selections(&operation.selection_set));
        uses
    }

    /// Checks one selection set with what is nested in it, fragments spread in it excepted.
    pub(super) fn selections(&mut self, set: &SelectionSet) -> NotNull {
        let mut uses = NotNull::new();
        self.walk(set, &mut uses);
        uses
    }

    fn walk(&mut self, set: &SelectionSet, uses: &mut NotNull) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    self.directives(&field.directives, uses);
                    for argument in &field.arguments {
                        self.unique_fields(&argument.value);
                        if let Some(definition) = field.definition.argument_by_name(&argument.name) {
                            self.value(&definition.ty, &argument.value, uses);
                        }
                    }
                    if let Some(below) = &field.selection_set {
                        self.walk(below, uses);
                    }
                }
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.directives, uses);
                    self.walk(&inline.selection_set, uses);
                }
                Selection::FragmentSpread(spread) => self.directives(&spread.directives, uses),
            }
        }
    }

    fn directives(&mut self, directives: &[Node<Directive>], uses: &mut NotNull) {
        for directive in directives {
            let Some(definition) = self.schema.directive_definitions.get(&directive.name) else { continue };
            for argument in &directive.arguments {
                self.unique_fields(&argument.value);
                if let Some(definition) = definition.argument_by_name(&argument.name) {
                    self.value(&definition.ty, &argument.value, uses);
                }
            }
        }
    }

    /// Refuses an object that gives a field twice, which the compiler's validation does not (the last would win).
    fn unique_fields(&mut self, value: &Node<Value>) {
        match value.as_ref() {
            Value::List(items) => items.iter().for_each(|item| self.unique_fields(item)),
            Value::Object(fields) => {
                let mut seen = HashSet::new();
                for (name, value) in fields {
                    if !seen.insert(name.as_str()) {
                        let message = format!("The field {name} is given twice.");
                        let locations = self.location(name.location()).into_iter().collect();
                        self.problems.push(Problem { code: Code::GraphqlValidationFailed, message, locations });
                    }
                    self.unique_fields(value);
                }
            }
            _ => {}
        }
    }

    fn value(&mut self, ty: &Type, value: &Node<Value>, uses: &mut NotNull) {
        if let Value::Variable(name) = value.as_ref() {
            if ty.is_non_null() {
                uses.insert(name.as_str().to_owned());
            }
            return;
        }
        if value.is_null() {
            // Whether null may stand here was validated.
            return;
        }
        let name = match ty {
            Type::List(inner) | Type::NonNullList(inner) => {
                match value.as_ref() {
                    Value::List(items) => items.iter().for_each(|item| self.value(inner, item, uses)),
                    _ => self.value(inner, value, uses),
                }
                return;
            }
            Type::Named(name) | Type::NonNullNamed(name) => name,
        };
        match self.schema.types.get(name) {
            Some(ExtendedType::InputObject(definition)) => {
                for (name, value) in value.as_object().unwrap_or_default() {
                    if let Some(field) = definition.fields.get(name) {
                        self.value(&field.ty, value, uses);
                    }
                }
            }
            Some(ExtendedType::Scalar(_)) => self.scalar(name.as_str(), value),
            _ => {}
        }
    }

    fn scalar(&mut self, name: &str, value: &Node<Value>) {
        let Some(check) = self.scalars.get(name) else { return };
        let verdict = match to_json(value) {
            Some(json) => check(&json),
            None => Err("a literal of this type is written whole, without variables in it".to_owned()),
        };
        if let Err(reason) = verdict {
            let article = if name.starts_with(['A', 'E', 'I', 'O']) { "an" } else { "a" };
            let message = format!("Not {article} {name}: {reason}.");
            let locations = self.location(value.location()).into_iter().collect();
            self.problems.push(Problem { code: Code::GraphqlValidationFailed, message, locations });
        }
    }

    fn location(&self, span: Option<SourceSpan>) -> Option<Location> {
        let place = span?.line_column(&self.document.sources)?;
        Some(Location { line: place.line, column: place.column })
    }
}

/// A literal as JSON; `None` when it contains a variable, or a number beyond JSON's range.
pub(super) fn to_json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Null => Json::Null,
        Value::Enum(name) => Json::String(name.as_str().to_owned()),
        Value::Variable(_) => return None,
        Value::String(text) => Json::String(text.clone()),
        Value::Float(float) => Json::Number(parse_number(float.as_str())?),
        Value::Int(int) => Json::Number(parse_number(int.as_str())?),
        Value::Boolean(truth) => Json::Bool(*truth),
        Value::List(items) => Json::Array(items.iter().map(|item| to_json(item)).collect::<Option<_>>()?),
        Value::Object(fields) => Json::Object(
            fields.iter().map(|(name, value)| Some((name.as_str().to_owned(), to_json(value)?))).collect::<Option<Map<_, _>>>()?,
        ),
    })
}
