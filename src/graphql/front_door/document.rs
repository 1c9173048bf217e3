//! A document that passed: what is kept of it in the cache, and how one request is made of it.

use std::collections::{HashMap, HashSet};

use apollo_compiler::ast::OperationType;
use apollo_compiler::executable::{ExecutableDocument, Operation, Selection, SelectionSet};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Schema, ast};
use async_graphql::Name;
use async_graphql::parser::types::{self as parser, DocumentOperations, ExecutableDocument as Executable};

use super::coerce::{Coercer, Variable};
use super::convert::{self, Parts};
use super::cost::Plan;
use super::limits::{Limit, Limits};
use super::literals::{Literals, NotNull, to_json};
use super::refusal::{Location, Problem, Refusal};
use super::{OperationKind, Scalars, shape};
use crate::error::Code;

/// An operation of a document that passed.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) name: Option<Name>,
    pub(super) kind: OperationKind,
    pub(super) variables: Vec<Variable>,
    /// The fragments it spreads, directly or not.
    fragments: Vec<Name>,
    /// Whether it asks for the schema.
    pub(super) introspects: bool,
}

/// A document that passed.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) operations: Vec<Ready>,
    pub(super) plan: Plan,
    parts: Parts,
    /// An estimate, in bytes.
    pub(super) weight: u32,
}

/// Bytes kept for each byte of text: a token of two or three bytes becomes nodes with positions, here and in the plan.
const BYTES_PER_BYTE: usize = 80;

impl Document {
    /// Reads, validates and plans `text`. One operation selects one mutation of `sign_ins` at most.
    pub(super) fn new(text: &str, schema: &Valid<Schema>, scalars: &Scalars, sign_ins: &[&str], limits: &Limits) -> Result<Self, Refusal> {
        if text.len() > limits.document_bytes {
            return Err(Refusal::over(Limit::DocumentBytes, Some(count(text.len())), count(limits.document_bytes)));
        }
        let document = read(text, schema, limits)?;
        let mut literals = Literals { schema, scalars, document: &document, problems: Vec::new() };
        let by_fragment: HashMap<&str, NotNull> =
            document.fragments.iter().map(|(name, fragment)| (name.as_str(), literals.selections(&fragment.selection_set))).collect();
        let mut operations = Vec::new();
        let mut problems = Vec::new();
        for operation in document.operations.iter() {
            let mut not_null = literals.operation(operation);
            let spread = spread_by(operation, &document);
            not_null.extend(spread.iter().filter_map(|name| by_fragment.get(name)).flatten().cloned());
            operations.push(Ready {
                name: operation.name.as_ref().map(|name| Name::new(name.as_str())),
                kind: kind_of(operation.operation_type),
                variables: declared(operation, &document, &not_null, schema, scalars, &mut problems),
                fragments: spread.into_iter().map(Name::new).collect(),
                introspects: false,
            });
        }
        let mut found = literals.problems;
        found.append(&mut problems);
        if let Some(refusal) = Refusal::from_problems(found, limits.bounds) {
            return Err(refusal);
        }
        if operations.is_empty() {
            return Err(Refusal::one(Code::GraphqlValidationFailed, "The document has no operation."));
        }
        let parts = convert::convert(&document).map_err(|number| {
            let mut problem = Problem::new(Code::GraphqlValidationFailed, "A number in the document is beyond all bounds.");
            problem.locations.push(Location { line: number.at.line, column: number.at.column });
            Refusal::of(vec![problem])
        })?;
        check_mutations(&parts, sign_ins)?;
        for ready in &mut operations {
            let root = parts.operations.get(&ready.name).map(|operation| parts.fields(&operation.node.selection_set.node));
            ready.introspects = root.is_some_and(|fields| fields.iter().any(|field| is_introspection(field.name.node.as_str())));
        }
        let names: usize = operations.iter().map(|ready| ready.fragments.len()).sum();
        let weight = text.len().saturating_mul(BYTES_PER_BYTE).saturating_add(names.saturating_mul(32)).saturating_add(1_024);
        Ok(Self { operations, plan: Plan::new(&document, limits), parts, weight: u32::try_from(weight).unwrap_or(u32::MAX) })
    }

    /// The operation to run: the named one, or the only one.
    pub(super) fn choose(&self, name: Option<&str>) -> Result<(usize, &Ready), Refusal> {
        let chosen = match name {
            Some(name) => self.operations.iter().enumerate().find(|(_, ready)| ready.name.as_deref() == Some(name)),
            None if self.operations.len() == 1 => self.operations.iter().enumerate().next(),
            None => {
                let message = "The document has several operations: say which by operationName.";
                return Err(Refusal::one(Code::BadUserInput, message));
            }
        };
        chosen.ok_or_else(|| Refusal::one(Code::BadUserInput, "The document has no operation of that operationName."))
    }

    /// The operation with the fragments it spreads, for async-graphql to run; `None` if it is not of this document.
    pub(super) fn executable(&self, ready: &Ready) -> Option<Executable> {
        let operation = self.parts.operations.get(&ready.name)?.clone();
        let fragments = ready.fragments.iter().filter_map(|name| Some((name.clone(), self.parts.fragments.get(name)?.clone())));
        Some(Executable {
            operations: match &ready.name {
                None => DocumentOperations::Single(operation),
                Some(name) => DocumentOperations::Multiple(HashMap::from([(name.clone(), operation)])),
            },
            fragments: fragments.collect(),
        })
    }
}

/// Refuses a mutation that would run a field twice, or more than one of those that sign somebody in or try a secret: each is as
/// dear as a password's hash, and a request with many of them would be many tries that count as one request.
fn check_mutations(parts: &Parts, sign_ins: &[&str]) -> Result<(), Refusal> {
    for operation in parts.operations.values().filter(|operation| operation.node.ty == parser::OperationType::Mutation) {
        let root = &operation.node.selection_set.node;
        if let Some(key) = parts.repeated(root) {
            let message = format!("The mutation selects {key} more than once: give each its own alias, or select it once.");
            return Err(Refusal::one(Code::GraphqlValidationFailed, message));
        }
        let found = parts.fields(root).into_iter().filter(|field| sign_ins.contains(&field.name.node.as_str())).count();
        if found > 1 {
            return Err(Refusal::over(Limit::SignIns, Some(count(found)), 1));
        }
    }
    Ok(())
}

/// Whether a field of the root shows the schema.
pub(super) fn is_introspection(name: &str) -> bool {
    matches!(name, "__schema" | "__type")
}

/// A number of things, as limits have it.
fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Parses within limits, measures, then validates in full.
fn read(text: &str, schema: &Valid<Schema>, limits: &Limits) -> Result<Valid<ExecutableDocument>, Refusal> {
    let mut parser = apollo_compiler::parser::Parser::new().recursion_limit(limits.recursion).token_limit(limits.tokens);
    let parsed = parser.parse_ast(text, "request");
    if parser.tokens_reached() > limits.tokens {
        return Err(Refusal::over(Limit::Tokens, None, count(limits.tokens)));
    }
    if parser.recursion_reached() > limits.recursion {
        return Err(Refusal::over(Limit::Brackets, None, count(limits.recursion)));
    }
    let ast: ast::Document = parsed.map_err(|failed| Refusal::from_diagnostics(Code::GraphqlParseFailed, &failed.errors, limits.bounds))?;
    shape::check(&ast, limits)?;
    ast.to_executable_validate(schema)
        .map_err(|failed| Refusal::from_diagnostics(Code::GraphqlValidationFailed, &failed.errors, limits.bounds))
}

fn kind_of(ty: OperationType) -> OperationKind {
    match ty {
        OperationType::Query => OperationKind::Query,
        OperationType::Mutation => OperationKind::Mutation,
        OperationType::Subscription => OperationKind::Subscription,
    }
}

/// The variables of an operation, their defaults coerced.
fn declared(
    operation: &Operation,
    document: &ExecutableDocument,
    not_null: &NotNull,
    schema: &Schema,
    scalars: &Scalars,
    problems: &mut Vec<Problem>,
) -> Vec<Variable> {
    let mut variables = Vec::with_capacity(operation.variables.len());
    for variable in &operation.variables {
        let place = variable.location().and_then(|span| span.line_column(&document.sources));
        let location = place.map(|place| Location { line: place.line, column: place.column });
        let mut refuse = |message: String| {
            problems.push(Problem { code: Code::GraphqlValidationFailed, message, locations: location.into_iter().collect() });
        };
        let default = variable.default_value.as_ref().and_then(|literal| {
            let Some(value) = to_json(literal) else {
                refuse(format!("The default of ${} is beyond all bounds.", variable.name));
                return None;
            };
            let mut coercer = Coercer { schema, scalars, limit: 1, problems: Vec::new() };
            let value = coercer.value(&variable.ty, value, &mut format!("${}", variable.name));
            coercer.problems.into_iter().for_each(|problem| refuse(problem.message));
            Some(value)
        });
        variables.push(Variable {
            name: variable.name.as_str().to_owned(),
            ty: variable.ty.as_ref().clone(),
            default,
            not_null: not_null.contains(variable.name.as_str()),
            location,
        });
    }
    variables
}

/// The names of the fragments that an operation spreads, directly or not.
fn spread_by<'a>(operation: &'a Operation, document: &'a ExecutableDocument) -> HashSet<&'a str> {
    let mut spread = HashSet::new();
    let mut sets: Vec<&SelectionSet> = vec![&operation.selection_set];
    while let Some(set) = sets.pop() {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => sets.extend(field.selection_set.as_ref()),
                Selection::InlineFragment(inline) => sets.push(&inline.selection_set),
                Selection::FragmentSpread(fragment) => {
                    if let Some((name, definition)) = document.fragments.get_key_value(&fragment.fragment_name)
                        && spread.insert(name.as_str())
                    {
                        sets.push(&definition.selection_set);
                    }
                }
            }
        }
    }
    spread
}
