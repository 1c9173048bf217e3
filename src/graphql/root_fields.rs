//! What an operation asks of the root, without running it.

use std::collections::HashSet;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Pos};

/// A field of the root that an operation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootField {
    /// Its name in the schema.
    pub name: Name,
    /// Its name in the answer.
    pub key: Name,
    /// Where it stands.
    pub at: Pos,
}

/// The root fields of every operation of a document that the front door let in, through fragments too. What `@skip`
/// would leave out is among them. A fragment is looked into once, however often it is named.
pub fn root_fields(document: &ExecutableDocument) -> Vec<RootField> {
    let mut found = Vec::new();
    let mut seen: HashSet<&Name> = HashSet::new();
    let mut sets: Vec<&SelectionSet> = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node).collect();
    while let Some(set) = sets.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let (name, key) = (field.node.name.node.clone(), field.node.response_key().node.clone());
                    found.push(RootField { name, key, at: field.pos });
                }
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if seen.insert(name)
                        && let Some(fragment) = document.fragments.get(name)
                    {
                        sets.push(&fragment.node.selection_set.node);
                    }
                }
            }
        }
    }
    found
}
