//! Files as clients send them: forms written by hand, so that they can be wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::world::World;
use crate::world_lives::Life;

/// What stands between the parts.
const BOUNDARY: &str = "------evolve-tests";
/// The type of a form.
pub(crate) const FORM: &str = "multipart/form-data; boundary=------evolve-tests";
/// The documents that Kenya asks for.
pub(crate) const KENYAN: [&str; 3] = ["CERTIFICATE_OF_INCORPORATION", "TAX_CERTIFICATE", "DIRECTOR_ID"];
/// What a submission shows.
pub(crate) const VERIFICATION: &str = "verification { status reason registrationNumber submittedAt reviewedAt expiresAt \
    requirements { kind satisfied } documents { id kind fileName contentType byteSize sha256 status reason uploadedAt downloadUrl } }";

/// A part of a form.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// Its file's name and declared type; none for a field.
    pub(crate) file: Option<(String, String)>,
    pub(crate) content: Vec<u8>,
}

/// A field of a form.
pub(crate) fn field(name: &str, content: &Value) -> Part {
    Part { name: name.to_owned(), file: None, content: content.to_string().into_bytes() }
}

/// A file of a form.
pub(crate) fn file(name: &str, file_name: &str, content_type: &str, content: &[u8]) -> Part {
    Part { name: name.to_owned(), file: Some((file_name.to_owned(), content_type.to_owned())), content: content.to_vec() }
}

/// The body of a form.
pub(crate) fn body(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"", part.name).bytes());
        if let Some((file_name, content_type)) = &part.file {
            body.extend(format!("; filename=\"{file_name}\"").bytes());
            if !content_type.is_empty() {
                body.extend(format!("\r\nContent-Type: {content_type}").bytes());
            }
        }
        body.extend(b"\r\n\r\n");
        body.extend(&part.content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

/// A PDF that says this.
pub(crate) fn pdf(says: &str) -> Vec<u8> {
    format!("%PDF-1.7\n1 0 obj\n<< /Title ({says}) >>\nendobj\ntrailer\n<<>>\n%%EOF\n").into_bytes()
}

/// The parts of a submission of these documents: kind, file name, declared type, bytes.
pub(crate) fn submission(documents: &[(&str, &str, &str, Vec<u8>)]) -> Vec<Part> {
    let shown: Vec<Value> = documents.iter().map(|(kind, ..)| json!({ "kind": kind, "file": null })).collect();
    let query = format!(
        "mutation($input: SubmitVerificationInput!) {{ submitVerification(input: $input) {{ {VERIFICATION} userErrors {{ code message field }} }} }}"
    );
    let input = json!({ "registrationNumber": "PVT-7Y8X9Z", "documents": shown });
    let places: serde_json::Map<String, Value> =
        (0..documents.len()).map(|at| (at.to_string(), json!([format!("variables.input.documents.{at}.file")]))).collect();
    let mut parts = vec![field("operations", &json!({ "query": query, "variables": { "input": input } })), field("map", &places.into())];
    parts.extend(documents.iter().enumerate().map(|(at, (_, name, declared, content))| file(&at.to_string(), name, declared, content)));
    parts
}

/// A document of each of these kinds.
pub(crate) fn documents<'k>(kinds: &[&'k str]) -> Vec<(&'k str, &'static str, &'static str, Vec<u8>)> {
    kinds.iter().map(|kind| (*kind, "scan.pdf", "application/pdf", pdf(kind))).collect()
}

impl Client {
    /// The status and the answer to a form.
    pub(crate) async fn form(&self, parts: &[Part]) -> (u16, Value) {
        self.form_with(body(parts), Some("1")).await
    }

    /// The same, with bytes of any kind, and with the header against other sites or without.
    pub(crate) async fn form_with(&self, body: Vec<u8>, preflight: Option<&str>) -> (u16, Value) {
        let mut request = self.posting().timeout(Duration::from_mins(1)).header("content-type", FORM);
        if let Some(value) = preflight {
            request = request.header("graphql-require-preflight", value);
        }
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// The payload of a submission.
    pub(crate) async fn submit(&self, documents: &[(&str, &str, &str, Vec<u8>)]) -> Value {
        let (status, mut answer) = self.form(&submission(documents)).await;
        assert_eq!((status, answer.get("errors")), (200, None), "{answer:#}");
        answer["data"]["submitVerification"].take()
    }

    /// Submits what Kenya asks for; answers the verification.
    pub(crate) async fn submitted(&self) -> Value {
        let mut payload = self.submit(&documents(&KENYAN)).await;
        assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
        payload["verification"].take()
    }

    /// What a link leads to at this client's server: the status, the headers and the bytes.
    pub(crate) async fn fetch(&self, link: &Value) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
        let (_, path) = link.as_str().unwrap().split_once("/files/").unwrap();
        let answer = reqwest::get(format!("{}/files/{path}", self.server())).await.unwrap();
        (answer.status().as_u16(), answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
    }
}

impl Life {
    /// Submits the business to be verified; answers the id of a document.
    pub(crate) async fn submitted(&self) -> String {
        self.client.submitted().await["documents"][0]["id"].as_str().unwrap().to_owned()
    }
}

impl World {
    /// The files that lie below the folder of documents.
    pub(crate) fn stored_files(&self) -> Vec<std::path::PathBuf> {
        files_below(&self.database.dir.path().join("documents"))
    }
}

/// Every file below a folder.
pub(crate) fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}
