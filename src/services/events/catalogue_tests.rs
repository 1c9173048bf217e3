//! The catalogue of events reads back what it writes.

use std::collections::BTreeSet;

use super::catalogue::Event;

#[test]
fn every_sample_reads_back_as_itself() {
    for sample in Event::samples() {
        let payload = sample.payload().unwrap();
        assert_eq!(Event::read(sample.name(), sample.version(), &payload).unwrap(), sample);
    }
}

#[test]
fn no_two_events_have_one_name() {
    let names: Vec<&str> = Event::samples().iter().map(Event::name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    assert_eq!(names.len(), 38);
}

#[test]
fn what_the_catalogue_does_not_know_is_no_event() {
    let payload = Event::samples()[0].payload().unwrap();
    for (name, version, payload) in [
        ("business.sold", 1, payload.as_str()),
        ("business.registered", 2, &payload),
        ("business.registered", 1, "{}"),
        ("business.registered", 1, "no JSON"),
        ("invoice.paid", 1, &payload),
    ] {
        assert!(Event::read(name, version, payload).is_err(), "{name} {version} {payload}");
    }
}
