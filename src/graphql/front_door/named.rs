//! Documents that a request names instead of sending them: those that the operator trusts, by their ids, and those that clients had
//! kept by their hashes ("automatic persisted queries", as Apollo's clients send them).
//!
//! A client names one by `documentId`, as <https://github.com/graphql/graphql-over-http> has it in its appendix on persisted documents, or
//! by `extensions.persistedQuery`. What is kept for clients is bounded, and popular documents stay when many others come.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use moka::sync::Cache;
use serde::Deserialize;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::limits::Limits;
use super::{GraphqlRequest, Refusal};
use crate::error::Code;

/// The SHA-256 of a document's text.
pub(super) type Hash = [u8; 32];

/// The field of `extensions` by which Apollo's clients name a document.
const PERSISTED_QUERY: &str = "persistedQuery";
/// What an id begins with that is the hash of its document.
const SHA256: &str = "sha256:";
/// What a document takes that is kept for clients, beside its text.
const KEPT_BYTES: usize = 128;

/// Why a document cannot be trusted: a clause that follows its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// It is not one of this schema, or passes a limit.
    #[error("is refused: {0}")]
    Refused(Refusal),
    /// Its id says that it is another text.
    #[error("is not the text that its id is the hash of")]
    OtherText,
    /// Another has its id.
    #[error("has the id of another document")]
    SameId,
}

/// The text of a document, of the request or kept.
#[derive(Debug)]
pub(super) enum Text<'r> {
    /// Of the request.
    Sent(&'r str),
    /// Kept here.
    Known(Arc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Sent(text) => text,
            Self::Known(text) => text,
        }
    }
}

/// The document that a request is for.
#[derive(Debug)]
pub(super) struct Found<'r> {
    /// Its hash.
    pub(super) hash: Hash,
    /// Its text.
    pub(super) text: Text<'r>,
    /// Whether the client asks to have it kept, once it has passed.
    pub(super) is_to_keep: bool,
}

/// How a request names its document.
#[derive(Debug, Clone, Copy)]
enum Name<'r> {
    /// By `documentId`.
    Id(&'r str),
    /// By `extensions.persistedQuery`.
    Persisted(&'r str),
}

/// `extensions.persistedQuery`; other fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersistedQuery<'r> {
    /// Of the protocol; 1.
    version: u64,
    /// The hash, or a trusted id.
    sha256_hash: &'r str,
}

impl GraphqlRequest {
    /// Whether it says which document it is for.
    pub fn has_document(&self) -> bool {
        self.query.is_some() || self.document_id.is_some() || self.persisted_query().is_some()
    }

    /// What `extensions.persistedQuery` says.
    fn persisted_query(&self) -> Option<&Json> {
        self.extensions.get(PERSISTED_QUERY).filter(|named| !named.is_null())
    }

    /// How it names its document, if it does.
    fn name(&self) -> Result<Option<Name<'_>>, Refusal> {
        match (&self.document_id, self.persisted_query()) {
            (None, None) => Ok(None),
            (Some(id), None) => Ok(Some(Name::Id(id))),
            (None, Some(named)) => match PersistedQuery::deserialize(named) {
                Ok(PersistedQuery { version: 1, sha256_hash }) => Ok(Some(Name::Persisted(sha256_hash))),
                _ => Err(bad("extensions.persistedQuery has the version 1 and a sha256Hash.")),
            },
            (Some(_), Some(_)) => Err(bad("A request names its document by documentId or by extensions.persistedQuery, and not by both.")),
        }
    }
}

/// The documents that requests may name.
#[derive(Debug)]
pub(super) struct Named {
    /// The trusted documents by their hashes.
    trusted: HashMap<Hash, Arc<str>>,
    /// The ids that they are known by beside these.
    ids: HashMap<String, Hash>,
    /// Whether no others are let in.
    pub(super) is_closed: bool,
    /// What is kept for clients; `None` where nothing is.
    kept: Option<Cache<Hash, Arc<str>>>,
}

impl Named {
    /// Nothing is trusted yet, and nothing kept.
    pub(super) fn new(limits: &Limits) -> Self {
        // However short a document is, it counts as its share.
        let share = limits.kept_bytes.checked_div(limits.kept_documents).unwrap_or_default();
        let weigh = move |_: &Hash, text: &Arc<str>| {
            let weight = text.len().saturating_add(KEPT_BYTES);
            u32::try_from(weight).unwrap_or(u32::MAX).max(u32::try_from(share).unwrap_or(u32::MAX))
        };
        let kept = (limits.kept_bytes > 0).then(|| Cache::builder().max_capacity(limits.kept_bytes).weigher(weigh).build());
        Self { trusted: HashMap::new(), ids: HashMap::new(), is_closed: false, kept }
    }

    /// Trusts a document that has passed.
    pub(super) fn trust(&mut self, id: &str, hash: Hash, text: &str) -> Result<(), Untrusted> {
        if id.strip_prefix(SHA256).is_some_and(|digits| hash_of(digits) != Some(hash)) {
            return Err(Untrusted::OtherText);
        }
        if self.ids.get(id).is_some_and(|known| *known != hash) {
            return Err(Untrusted::SameId);
        }
        self.ids.insert(id.to_owned(), hash);
        self.trusted.entry(hash).or_insert_with(|| text.into());
        Ok(())
    }

    /// How many documents are trusted.
    pub(super) fn trusted(&self) -> usize {
        self.trusted.len()
    }

    /// How many documents are kept for clients, and their bytes.
    pub(super) fn kept(&self) -> (u64, u64) {
        self.kept.as_ref().map_or((0, 0), |kept| {
            kept.run_pending_tasks();
            (kept.entry_count(), kept.weighted_size())
        })
    }

    /// Keeps a document that has passed.
    pub(super) fn keep(&self, found: &Found<'_>) {
        if let Some(kept) = self.kept.as_ref().filter(|_| !self.is_closed) {
            kept.entry(found.hash).or_insert_with(|| (*found.text).into());
        }
    }

    /// The document that a request is for.
    pub(super) fn find<'r>(&self, request: &'r GraphqlRequest) -> Result<Found<'r>, Refusal> {
        let name = request.name()?;
        // Clients whose types ask for a `query` send an empty one beside a name.
        let query = request.query.as_deref().filter(|query| name.is_none() || !query.is_empty());
        let found = match (name, query) {
            (None, query) => Found::sent(query.unwrap_or_default(), false),
            (Some(name), None) => self.look_up(name)?,
            (Some(Name::Id(_)), Some(_)) => {
                return Err(bad("A request sends its document as query or names it by documentId, and not both."));
            }
            (Some(Name::Persisted(named)), Some(query)) => {
                let found = Found::sent(query, true);
                // A trusted document may have an id that is no hash.
                if hash_of(named) != Some(found.hash) && self.ids.get(named) != Some(&found.hash) {
                    return Err(bad("extensions.persistedQuery.sha256Hash is not the SHA-256 of the query."));
                }
                found
            }
        };
        if self.is_closed && !self.trusted.contains_key(&found.hash) {
            let message = "The server runs the documents that its operator trusts, and this is none of them.";
            return Err(Refusal::one(Code::DocumentNotTrusted, message));
        }
        Ok(found)
    }

    /// The document of that name.
    fn look_up(&self, name: Name<'_>) -> Result<Found<'static>, Refusal> {
        let (text, hash) = match name {
            Name::Id(id) => (id, id.strip_prefix(SHA256).and_then(hash_of)),
            Name::Persisted(text) => (text, hash_of(text)),
        };
        let by_id = self.ids.get(text).copied().and_then(|hash| Some((hash, self.trusted.get(&hash)?.clone())));
        let trusted = || hash.and_then(|hash| Some((hash, self.trusted.get(&hash)?.clone())));
        let kept = || hash.and_then(|hash| Some((hash, self.kept.as_ref()?.get(&hash)?)));
        if let Some((hash, text)) = by_id.or_else(trusted).or_else(kept) {
            return Ok(Found { hash, text: Text::Known(text), is_to_keep: false });
        }
        Err(match name {
            Name::Id(_) => Refusal::one(Code::PersistedQueryNotFound, "The server has no document of that documentId."),
            // The words that clients know, who send the document then.
            Name::Persisted(_) if self.is_closed || self.kept.is_some() => {
                Refusal::one(Code::PersistedQueryNotFound, "PersistedQueryNotFound")
            }
            Name::Persisted(_) => Refusal::one(Code::PersistedQueryNotSupported, "PersistedQueryNotSupported"),
        })
    }
}

impl<'r> Found<'r> {
    /// A document that the request brings.
    fn sent(text: &'r str, is_to_keep: bool) -> Self {
        Self { hash: digest(text), text: Text::Sent(text), is_to_keep }
    }
}

/// The hash of a text.
pub(super) fn digest(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// The hash that 64 small hexadecimal digits are.
fn hash_of(digits: &str) -> Option<Hash> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let mut hash = Hash::default();
    if digits.len() != hash.len().saturating_mul(2) {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(hash)
}

/// A name that is none.
fn bad(message: &str) -> Refusal {
    Refusal::one(Code::BadUserInput, message)
}
