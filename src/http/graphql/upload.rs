//! Files by <https://github.com/jaydenseric/graphql-multipart-request-spec>: first `operations`, then `map`, then the files, each
//! within its budget. The operation is admitted before the first byte of a file is read.
//!
//! A form of another site can send such a body unasked, so a header is needed that no form sends.

use std::collections::BTreeMap;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use multer::{Constraints, Field, Multipart, SizeLimit};
use serde_json::Value as Json;

use super::{Payload, Unreadable, caused_by, too_large, unreadable};
use crate::graphql::front_door::GraphqlRequest;
use crate::graphql::uploads::Uploads;
use crate::http::body::BodyTimedOut;
use crate::services::verification::{MAX_FILE_BYTES, MAX_FILES, Upload};

/// The header that a browser sends to another site only after having asked it.
pub(crate) const PREFLIGHT: &str = "graphql-require-preflight";
/// The most bytes of the part `map`.
const MAX_MAP_BYTES: usize = 16 * 1_024;
/// The most characters of a file's key.
const MAX_KEY_CHARS: usize = 64;
/// What the form itself may take, beside the files: its heads and its ends.
const FORM_BYTES: usize = 64 * 1_024;

const NOT_A_FORM: Unreadable = unreadable(
    StatusCode::BAD_REQUEST,
    "A multipart request has a part `operations`, then a part `map`, then the files that `map` names, each once.",
);
const NOT_A_MAP: Unreadable = unreadable(
    StatusCode::BAD_REQUEST,
    "`map` is a JSON object: for each file a list of the places of a null in `operations`, like [\"variables.input.documents.0.file\"].",
);
const TOO_MANY: Unreadable = unreadable(StatusCode::PAYLOAD_TOO_LARGE, "A request has at most 5 files.");

/// The most bytes of a body, whose part `operations` has `operations` at most.
pub(super) const fn body_limit(operations: usize) -> usize {
    MAX_FILES.saturating_mul(MAX_FILE_BYTES).saturating_add(operations).saturating_add(MAX_MAP_BYTES).saturating_add(FORM_BYTES)
}

/// A form of which the request is read, and the files are not yet.
pub(super) struct Form {
    parts: Multipart<'static>,
    /// The files that are to come.
    keys: Vec<String>,
}

impl Form {
    /// Reads the request of a form, without a document where it is for one of ours.
    ///
    /// # Errors
    /// How it is none.
    pub(super) async fn open(
        headers: &HeaderMap,
        body: Body,
        max_operations: usize,
        is_stored: bool,
    ) -> Result<(GraphqlRequest, Self), Unreadable> {
        let boundary = headers.get(CONTENT_TYPE).and_then(|value| multer::parse_boundary(value.to_str().ok()?).ok()).ok_or(NOT_A_FORM)?;
        let limit = SizeLimit::new().whole_stream(u64::try_from(body_limit(max_operations)).unwrap_or(u64::MAX));
        let stream: BodyDataStream = body.into_data_stream();
        let mut parts = Multipart::with_constraints(stream, boundary, Constraints::new().size_limit(limit));
        let operations = text_part(&mut parts, "operations", max_operations).await?;
        let map = text_part(&mut parts, "map", MAX_MAP_BYTES).await?;
        if operations.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(unreadable(StatusCode::BAD_REQUEST, "Batches are not accepted: one request, one operation."));
        }
        let payload: Payload = serde_json::from_slice(&operations).map_err(|_| NOT_A_FORM)?;
        let map: BTreeMap<String, Vec<String>> = serde_json::from_slice(&map).map_err(|_| NOT_A_MAP)?;
        if map.len() > MAX_FILES || map.values().map(Vec::len).sum::<usize>() > MAX_FILES {
            return Err(TOO_MANY);
        }
        let mut request = if is_stored { payload.for_stored()? } else { payload.into_request()? };
        let mut variables = Json::Object(std::mem::take(&mut request.variables));
        for (key, places) in &map {
            put(&mut variables, key, places).ok_or(NOT_A_MAP)?;
        }
        if let Json::Object(variables) = variables {
            request.variables = variables;
        }
        Ok((request, Self { parts, keys: map.into_keys().collect() }))
    }

    /// Reads the files, each within its budget. Of one that has more bytes nothing is kept.
    ///
    /// # Errors
    /// How the form is none.
    pub(super) async fn files(mut self) -> Result<Uploads, Unreadable> {
        let mut uploads = Uploads::default();
        while let Some(field) = self.parts.next_field().await.map_err(|error| failed(&error))? {
            let place = field.name().and_then(|name| self.keys.iter().position(|key| key == name)).ok_or(NOT_A_FORM)?;
            let key = self.keys.swap_remove(place);
            let upload = Upload {
                file_name: field.file_name().unwrap_or_default().to_owned(),
                content_type: field.content_type().map(|declared| declared.essence_str().to_owned()).unwrap_or_default(),
                content: within(field, MAX_FILE_BYTES).await?,
            };
            uploads.add(key, upload);
        }
        if self.keys.is_empty() { Ok(uploads) } else { Err(NOT_A_FORM) }
    }
}

/// Puts a file's key in the place of each null that it is for.
fn put(variables: &mut Json, key: &str, places: &[String]) -> Option<()> {
    (!places.is_empty() && !key.is_empty() && key.chars().count() <= MAX_KEY_CHARS && !key.chars().any(char::is_control)).then_some(())?;
    for place in places {
        let mut steps = place.split('.');
        (steps.next() == Some("variables")).then_some(())?;
        let found = steps.try_fold(&mut *variables, |value, step| match value {
            Json::Object(fields) => fields.get_mut(step),
            Json::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
            _ => None,
        })?;
        found.is_null().then_some(())?;
        *found = Json::String(key.to_owned());
    }
    Some(())
}

/// The next part, which must be of that name and no file.
async fn text_part(parts: &mut Multipart<'static>, name: &str, limit: usize) -> Result<Bytes, Unreadable> {
    let field = parts.next_field().await.map_err(|error| failed(&error))?;
    let field = field.filter(|field| field.name() == Some(name)).ok_or(NOT_A_FORM)?;
    within(field, limit).await?.ok_or_else(|| too_large(limit))
}

/// The bytes of a part; `None` where it has more than `limit`: they are read to the end of it, and not kept.
async fn within(mut field: Field<'static>, limit: usize) -> Result<Option<Bytes>, Unreadable> {
    let mut bytes = Some(BytesMut::new());
    while let Some(chunk) = field.chunk().await.map_err(|error| failed(&error))? {
        bytes = bytes.filter(|bytes| bytes.len().saturating_add(chunk.len()) <= limit);
        if let Some(bytes) = &mut bytes {
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(bytes.map(BytesMut::freeze))
}

/// Why a form could not be read to its end.
fn failed(error: &multer::Error) -> Unreadable {
    match error {
        multer::Error::StreamSizeExceeded { limit } | multer::Error::FieldSizeExceeded { limit, .. } => {
            too_large(usize::try_from(*limit).unwrap_or(usize::MAX))
        }
        error if caused_by::<BodyTimedOut>(error) => unreadable(StatusCode::REQUEST_TIMEOUT, "The body took too long to arrive."),
        _ => NOT_A_FORM,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_stands_where_a_null_was_and_nowhere_else() {
        let sent = json!({ "input": { "documents": [{ "file": null }, { "file": null }], "kind": "X" }, "one": null });
        for (key, places, expected) in [
            (
                "0",
                vec!["variables.input.documents.1.file"],
                Some(json!({ "input": { "documents": [{ "file": null }, { "file": "0" }], "kind": "X" }, "one": null })),
            ),
            (
                "0",
                vec!["variables.one", "variables.input.documents.0.file"],
                Some(json!({ "input": { "documents": [{ "file": "0" }, { "file": null }], "kind": "X" }, "one": "0" })),
            ),
            ("0", vec!["variables.input.documents.2.file"], None),
            ("0", vec!["variables.input.documents.-1.file"], None),
            ("0", vec!["variables.input.kind"], None),
            ("0", vec!["variables.one", "variables.one"], None),
            ("0", vec!["variables"], None),
            ("0", vec!["query"], None),
            ("0", vec![""], None),
            ("0", vec![], None),
            ("", vec!["variables.one"], None),
        ] {
            let mut variables = sent.clone();
            let places: Vec<String> = places.into_iter().map(str::to_owned).collect();
            let done = put(&mut variables, key, &places);
            assert_eq!(done.map(|()| variables), expected, "{places:?}");
        }
        let mut variables = sent;
        assert_eq!(put(&mut variables, &"k".repeat(65), &["variables.one".to_owned()]), None);
    }
}
