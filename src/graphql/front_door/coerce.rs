//! Coerces a request's variables against the schema before anything runs, so that a mutation never stops half way
//! because of what its second field was given. Values are never echoed: they may be secrets.

use std::fmt::Write as _;

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::{ExtendedType, InputObjectType};
use serde_json::{Map, Value as Json};

use super::Scalars;
use super::refusal::{Location, Problem};
use crate::error::Code;

/// A variable that an operation declares.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) default: Option<Json>,
    /// It stands where null may not, whatever its own type says.
    pub(super) not_null: bool,
    pub(super) location: Option<Location>,
}

/// Coerces values by the schema's types and collects what is wrong, at most `limit` problems.
pub(super) struct Coercer<'a> {
    pub(super) schema: &'a Schema,
    pub(super) scalars: &'a Scalars,
    pub(super) limit: usize,
    pub(super) problems: Vec<Problem>,
}

impl Coercer<'_> {
    /// The variables the operation declares, with defaults filled in; those it does not declare are dropped.
    /// What is wrong is in [`Self::problems`].
    pub(super) fn variables(&mut self, declared: &[Variable], mut given: Map<String, Json>) -> Map<String, Json> {
        let mut coerced = Map::new();
        for variable in declared {
            if self.problems.len() >= self.limit {
                break;
            }
            let already = self.problems.len();
            match given.remove(&variable.name) {
                None => match &variable.default {
                    Some(default) => {
                        coerced.insert(variable.name.clone(), default.clone());
                    }
                    None if variable.ty.is_non_null() => {
                        self.refuse(&format!("${}", variable.name), &format!("a value of type {} is required", variable.ty));
                    }
                    None => {}
                },
                Some(Json::Null) if variable.not_null => {
                    self.refuse(&format!("${}", variable.name), "null cannot stand where this variable is used");
                }
                Some(value) => {
                    let mut path = format!("${}", variable.name);
                    let value = self.value(&variable.ty, value, &mut path);
                    coerced.insert(variable.name.clone(), value);
                }
            }
            for problem in self.problems.iter_mut().skip(already) {
                problem.locations.extend(variable.location);
            }
        }
        coerced
    }

    /// A value of type `ty`; `path` says where it is. Recursion is bounded by the nesting of the JSON, which its
    /// reader bounds at 128.
    pub(super) fn value(&mut self, ty: &Type, value: Json, path: &mut String) -> Json {
        if self.problems.len() >= self.limit {
            return value;
        }
        if value.is_null() {
            if ty.is_non_null() {
                self.refuse(path, &format!("null is no value of {ty}"));
            }
            return value;
        }
        match ty {
            Type::List(inner) | Type::NonNullList(inner) => match value {
                Json::Array(items) => {
                    let items = items.into_iter().enumerate().map(|(index, item)| {
                        let length = path.len();
                        // Writing to a string cannot fail.
                        let _ = write!(path, "[{index}]");
                        let item = self.value(inner, item, path);
                        path.truncate(length);
                        item
                    });
                    Json::Array(items.collect())
                }
                single => Json::Array(vec![self.value(inner, single, path)]),
            },
            Type::Named(name) | Type::NonNullNamed(name) => self.named(name.as_str(), value, path),
        }
    }

    fn named(&mut self, name: &str, value: Json, path: &mut String) -> Json {
        let schema = self.schema;
        match schema.types.get(name) {
            Some(ExtendedType::Scalar(_)) => self.scalar(name, value, path),
            Some(ExtendedType::Enum(definition)) => {
                if !value.as_str().is_some_and(|text| definition.values.contains_key(text)) {
                    self.refuse(path, &format!("not one of the values of {name}"));
                }
                value
            }
            Some(ExtendedType::InputObject(definition)) => match value {
                Json::Object(fields) => self.object(definition, fields, path),
                other => {
                    self.refuse(path, &format!("an object of type {name} is expected"));
                    other
                }
            },
            _ => {
                self.refuse(path, &format!("{name} is no type of input"));
                value
            }
        }
    }

    fn object(&mut self, definition: &InputObjectType, mut fields: Map<String, Json>, path: &mut String) -> Json {
        let name = &definition.name;
        if definition.is_one_of() && (fields.len() != 1 || fields.values().any(Json::is_null)) {
            self.refuse(path, &format!("exactly one field of {name} is given, and not null"));
            return Json::Object(fields);
        }
        let mut known = 0;
        for (field, definition) in &definition.fields {
            match fields.get_mut(field.as_str()) {
                // In its place: a list of a thousand objects is not built twice.
                Some(value) => {
                    known += 1;
                    let length = path.len();
                    path.push('.');
                    path.push_str(field);
                    *value = self.value(&definition.ty, value.take(), path);
                    path.truncate(length);
                }
                // A field left out stays left out: the schema's own default applies where the field is read.
                None if definition.ty.is_non_null() && definition.default_value.is_none() => {
                    self.refuse(path, &format!("the field {field} of {name} is required"));
                }
                None => {}
            }
        }
        let is_unknown = |field: &&String| !definition.fields.contains_key(field.as_str());
        if known < fields.len()
            && let Some(unknown) = fields.keys().find(is_unknown)
        {
            self.refuse(path, &format!("{name} has no field {unknown:?}"));
        }
        Json::Object(fields)
    }

    fn scalar(&mut self, name: &str, value: Json, path: &str) -> Json {
        let fits = match name {
            "Int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            "Float" => value.is_number(),
            "String" => value.is_string(),
            "Boolean" => value.is_boolean(),
            "ID" => {
                if let Some(number) = value.as_i64() {
                    return Json::String(number.to_string());
                }
                value.is_string()
            }
            custom => {
                if let Some(Err(reason)) = self.scalars.get(custom).map(|check| check(&value)) {
                    self.refuse(path, &format!("not a {custom}: {reason}"));
                }
                return value;
            }
        };
        if !fits {
            let what = if name == "Int" { "a whole number of 32 bits" } else { name };
            self.refuse(path, &format!("{what} is expected"));
        }
        value
    }

    fn refuse(&mut self, path: &str, reason: &str) {
        if self.problems.len() < self.limit {
            self.problems.push(Problem::new(Code::BadUserInput, format!("Variable {path}: {reason}.")));
        }
    }
}
