//! What a request may cost, each with a name.

use super::refusal::Bounds;

/// A limit of the front door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::document_bytes`].
    DocumentBytes,
    /// [`Limits::tokens`].
    Tokens,
    /// [`Limits::recursion`].
    Brackets,
    /// [`Limits::operations`].
    Operations,
    /// [`Limits::nesting`].
    Nesting,
    /// [`Limits::depth`].
    Depth,
    /// [`Limits::introspection_depth`].
    IntrospectionDepth,
    /// [`Limits::introspection_lists`].
    IntrospectionLists,
    /// [`Limits::introspection_cost`].
    IntrospectionCost,
    /// [`Limits::root_fields`].
    RootFields,
    /// [`Limits::aliases`].
    Aliases,
    /// [`Limits::selections`].
    Selections,
    /// [`Limits::directives`].
    Directives,
    /// [`Limits::complexity`].
    Cost,
    /// One, which no setting changes.
    SignIns,
}

impl Limit {
    /// Its own code, as it is sent.
    pub const fn code(self) -> &'static str {
        match self {
            Self::DocumentBytes => "DOCUMENT_BYTES",
            Self::Tokens => "TOKENS",
            Self::Brackets => "BRACKETS",
            Self::Operations => "OPERATIONS",
            Self::Nesting => "NESTING",
            Self::Depth => "DEPTH",
            Self::IntrospectionDepth => "INTROSPECTION_DEPTH",
            Self::IntrospectionLists => "INTROSPECTION_LISTS",
            Self::IntrospectionCost => "INTROSPECTION_COST",
            Self::RootFields => "ROOT_FIELDS",
            Self::Aliases => "ALIASES",
            Self::Selections => "SELECTIONS",
            Self::Directives => "DIRECTIVES",
            Self::Cost => "COST",
            Self::SignIns => "SIGN_INS",
        }
    }

    /// What is counted, as a message begins.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::DocumentBytes => "Bytes of the document",
            Self::Tokens => "Tokens of the document",
            Self::Brackets => "Nested brackets",
            Self::Operations => "Operations in the document",
            Self::Nesting => "Nested selections",
            Self::Depth => "Depth of the operation",
            Self::IntrospectionDepth => "Depth of introspection",
            Self::IntrospectionLists => "Nested lists of introspection",
            Self::IntrospectionCost => "Cost of introspection",
            Self::RootFields => "Fields at the root",
            Self::Aliases => "Aliases",
            Self::Selections => "Selected fields",
            Self::Directives => "Directives",
            Self::Cost => "Cost of the operation",
            Self::SignIns => "Mutations that sign somebody in or try a secret",
        }
    }
}

/// The limits of one front door. [`Limits::default`] is what the server runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a document.
    pub document_bytes: usize,
    /// Tokens of a document as the lexer counts them: white space, commas and comments are tokens too.
    pub tokens: usize,
    /// Nested brackets, of selections, lists and input objects, while parsing. What protects the stack.
    pub recursion: usize,
    /// Operations of a document, of which one runs.
    pub operations: u64,
    /// Fields inside fields, those of introspection apart.
    pub depth: u64,
    /// Introspection fields inside introspection fields. The standard query is 15 deep.
    pub introspection_depth: u64,
    /// Cost of what an operation introspects, beside [`Limits::complexity`]. The standard query costs about 5,000.
    pub introspection_cost: u64,
    /// `fields`, `inputFields`, `interfaces` and `possibleTypes` inside each other: each multiplies the answer by the schema's size.
    pub introspection_lists: u64,
    /// Selection sets inside each other, those of fragments included. Below async-graphql's own 32.
    pub nesting: u64,
    /// Fields of an operation after its fragments are spread out.
    pub selections: u64,
    /// Aliases of an operation after its fragments are spread out.
    pub aliases: u64,
    /// Fields at the root of an operation after its fragments are spread out.
    pub root_fields: u64,
    /// Directives of a document.
    pub directives: u64,
    /// Cost of an operation: fields, each list's multiplied by its page size.
    pub complexity: u64,
    /// Page size of a list that takes `first` or `last` and was given neither.
    pub default_page: u64,
    /// Length that a list without `first` and `last` is taken to have.
    pub plain_list: u64,
    /// What is told of a refusal.
    pub bounds: Bounds,
    /// Bytes that the cache of parsed documents may hold, by estimate.
    pub cache_bytes: u64,
    /// Bytes of the documents that are kept because clients asked for it; 0 where none are.
    pub kept_bytes: u64,
    /// How many those may be.
    pub kept_documents: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 128 * 1024,
            tokens: 8_000,
            recursion: 64,
            operations: 50,
            depth: 15,
            introspection_depth: 20,
            introspection_cost: 10_000,
            introspection_lists: 2,
            nesting: 30,
            selections: 5_000,
            aliases: 30,
            root_fields: 20,
            directives: 50,
            complexity: 20_000,
            default_page: 20,
            plain_list: 10,
            bounds: Bounds { errors: 20, message_chars: 300 },
            cache_bytes: 32 * 1024 * 1024,
            kept_bytes: 4 * 1024 * 1024,
            kept_documents: 10_000,
        }
    }
}
