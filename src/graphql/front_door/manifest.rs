//! Manifests of documents, as the tools of clients write them: a map of ids to documents (Relay's `persistConfig`, the
//! `persistedDocuments` of graphql-codegen), or that of Apollo's `generate-persisted-query-manifest`.

use serde::Deserialize;
use serde_json::Value as Json;

/// What Apollo's manifests call themselves.
const APOLLO: &str = "apollo-persisted-query-manifest";

/// Why a text is no manifest: a clause that follows its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is no JSON.
    #[error("is not valid JSON: line {0}")]
    NotJson(usize),
    /// It is another JSON.
    #[error("is neither a map of ids to documents nor a manifest of Apollo's generate-persisted-query-manifest")]
    NotAManifest,
    /// Apollo's, of a version that came later.
    #[error("is a manifest of Apollo's in another version than 1")]
    Version,
    /// It has nothing in it.
    #[error("has no documents")]
    Empty,
}

/// A document of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// What clients name it by.
    pub id: String,
    /// Its text.
    #[serde(rename = "body")]
    pub text: String,
}

/// The documents of a manifest's text.
///
/// # Errors
/// How it is none.
pub fn read(text: &str) -> Result<Vec<Listed>, ManifestError> {
    let json: Json = serde_json::from_str(text).map_err(|error| ManifestError::NotJson(error.line()))?;
    let Json::Object(mut fields) = json else { return Err(ManifestError::NotAManifest) };
    let listed = if fields.get("format").and_then(Json::as_str) == Some(APOLLO) {
        if fields.get("version") != Some(&Json::from(1)) {
            return Err(ManifestError::Version);
        }
        Vec::<Listed>::deserialize(fields.remove("operations").unwrap_or_default()).map_err(|_| ManifestError::NotAManifest)?
    } else {
        let documents = fields.into_iter().map(|(id, document)| match document {
            Json::String(text) => Ok(Listed { id, text }),
            _ => Err(ManifestError::NotAManifest),
        });
        documents.collect::<Result<_, _>>()?
    };
    if listed.is_empty() { Err(ManifestError::Empty) } else { Ok(listed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(id: &str, text: &str) -> Listed {
        Listed { id: id.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn manifests_of_relay_graphql_codegen_and_apollo_are_read() {
        let map = r#"{ "0a": "query A { a }", "sha256:0b": "query B { b }" }"#;
        assert_eq!(read(map), Ok(vec![listed("0a", "query A { a }"), listed("sha256:0b", "query B { b }")]));
        let apollo = r#"{ "format": "apollo-persisted-query-manifest", "version": 1,
            "operations": [{ "id": "0a", "name": "A", "type": "query", "body": "query A { a }" }] }"#;
        assert_eq!(read(apollo), Ok(vec![listed("0a", "query A { a }")]));
    }

    #[test]
    fn what_is_no_manifest_says_how() {
        for (text, expected) in [
            ("{\n\"0a\": \"query A", ManifestError::NotJson(2)),
            ("[]", ManifestError::NotAManifest),
            (r#"{ "0a": { "body": "query A { a }" } }"#, ManifestError::NotAManifest),
            (r#"{ "format": "apollo-persisted-query-manifest", "version": 1 }"#, ManifestError::NotAManifest),
            (
                r#"{ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [{ "id": "0a" }] }"#,
                ManifestError::NotAManifest,
            ),
            (r#"{ "format": "apollo-persisted-query-manifest", "version": 2, "operations": [] }"#, ManifestError::Version),
            (r#"{ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [] }"#, ManifestError::Empty),
            ("{}", ManifestError::Empty),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }
}
