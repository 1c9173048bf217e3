//! `docs/webhooks.md` has every event that a webhook may tell of, with the body that the program makes of its sample.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use evolve_business::services::events::Event;
use evolve_business::services::webhooks::{event_types, fan_out};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../docs/webhooks.md");
/// What stands before the samples, to the end of the document.
const SAMPLES: &str = "\n## Samples\n";

/// The events that webhooks tell of.
fn told() -> Vec<Event> {
    let types = event_types();
    Event::samples().into_iter().filter(|event| types.contains(&event.name())).collect()
}

/// The body that tells of a sample.
fn body(event: &Event) -> String {
    let at = "2027-02-20T09:00:00Z".parse::<jiff::Timestamp>().unwrap();
    fan_out::body(event.name(), at.into(), &event.payload().unwrap()).unwrap()
}

#[test]
fn every_event_stands_in_the_document_with_its_version_and_the_body_that_is_sent() {
    let sample = |event: &Event| {
        let body: Value = serde_json::from_str(&body(event)).unwrap();
        let data = serde_json::to_string_pretty(&body["data"]).unwrap().replace('\n', "\n  ");
        let shown = format!("{{\n  \"type\": {},\n  \"timestamp\": {},\n  \"data\": {data}\n}}", body["type"], body["timestamp"]);
        format!("\n### `{}`, version {}\n\n```json\n{shown}\n```\n", event.name(), event.version())
    };
    let wanted: String = told().iter().map(sample).collect();
    let (_, samples) = DOCUMENT.split_once(SAMPLES).unwrap_or_else(|| panic!("no samples: {wanted}"));
    assert!(samples == wanted, "the samples of docs/webhooks.md are to be:\n{wanted}");
}

#[test]
fn every_event_stands_in_the_table_once_and_no_other() {
    let (_, after) = DOCUMENT.split_once("\n## Events\n").unwrap();
    let table = after.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let names: Vec<&str> = rows.map(|line| line.split('`').nth(1).unwrap()).collect();
    assert_eq!(names, event_types());
}

#[test]
fn a_body_is_far_smaller_than_it_may_be() {
    for event in told() {
        let length = body(&event).len();
        assert!(length * 16 < fan_out::MAX_BODY_BYTES, "{}: {length}", event.name());
    }
}
