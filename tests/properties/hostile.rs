//! The fuzz targets on random bytes, and on sound input with some bytes changed, cut out and put in.

use proptest::prelude::*;
use proptest::sample::{Index, select};

#[path = "../../fuzz/targets.rs"]
mod targets;

use targets::BOUNDARY;

/// A change of some bytes at a place.
#[derive(Debug, Clone)]
enum Change {
    Put(Index, Vec<u8>),
    Cut(Index, usize),
    Turn(Index, u8),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let put = (any::<Index>(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Change::Put(at, bytes));
    let cut = (any::<Index>(), 1_usize..8).prop_map(|(at, length)| Change::Cut(at, length));
    let turn = (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Change::Turn(at, bit));
    prop::collection::vec(prop_oneof![put, cut, turn], 0..4)
}

/// Sound input, changed.
fn changed(sound: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (select(sound), changes()).prop_map(|(mut bytes, changes)| {
        for change in changes {
            match change {
                Change::Put(at, more) => {
                    let at = at.index(bytes.len() + 1);
                    bytes.splice(at..at, more);
                }
                Change::Cut(at, length) => {
                    let at = at.index(bytes.len() + 1);
                    bytes.drain(at..(at + length).min(bytes.len()));
                }
                Change::Turn(at, bit) if !bytes.is_empty() => {
                    let at = at.index(bytes.len());
                    bytes[at] ^= 1 << bit;
                }
                Change::Turn(..) => {}
            }
        }
        bytes
    })
}

fn of(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn form() -> Vec<u8> {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{{\"query\":\"{{a}}\",\"variables\":{{\"f\":null}}}}\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{{\"0\":[\"variables.f\"]}}\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"0\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.7\r\n\
         --{BOUNDARY}--\r\n"
    )
    .into_bytes()
}

/// A target, and sound input of it.
type Sound = (fn(&[u8]), Vec<Vec<u8>>);

/// Sound input of each target.
fn sound() -> [Sound; 7] {
    let keys = ["sk_live_0123456789abcdefghjkmnpqrstvwxyz", "0123-4567-89ab-cdef", "123456"];
    [
        (targets::tokens, [of(&[&targets::issuer().1, targets::EXTERNAL, targets::PUBLISHED]), of(&keys)].concat()),
        (targets::ids, of(&["inv_01h455vb4pex5vsknk084sn02q", "biz_00000000000000000000000000", "inv_7zzzzzzzzzzzzzzzzzzzzzzzzz"])),
        (targets::cursors, of(&[&targets::cursor().1])),
        (targets::forms, vec![form(), b"multipart/form-data; boundary=evolve".to_vec()]),
        (
            targets::scalars,
            of(&[
                "49.90",
                "-0.000000000001",
                "79228162514264337593543950335",
                "2027-02-28",
                "2024-02-29",
                "2027-01-31T09:00:00.123456Z",
                "2027-01-31T09:00:00+03:00",
                "9223372036854775807",
                "KES",
                "KE",
                "Africa/Nairobi",
                "ann@example.com",
                "https://a.example/b?c",
            ]),
        ),
        (
            targets::messages,
            of(&[
                r#"{"type":"connection_init","payload":{"authorization":"Bearer token"}}"#,
                r#"{"id":"1","type":"subscribe","payload":{"query":"{__typename}","operationName":null,"variables":{"a":[1]}}}"#,
                r#"{"id":"1","type":"complete"}"#,
                r#"{"type":"ping"}"#,
            ]),
        ),
        (
            targets::callbacks,
            of(&[
                r#"{"Body":{"stkCallback":{"CheckoutRequestID":"ws_CO_1","ResultCode":0,"CallbackMetadata":{"Item":[{"Name":"Amount","Value":35.00},{"Name":"MpesaReceiptNumber","Value":"SFC1"}]}}}}"#,
                r#"{"Result":{"OriginatorConversationID":"1","ResultCode":"0","TransactionID":"SFC2","ResultParameters":{"ResultParameter":[{"Key":"Amount","Value":35},{"Key":"ReceiptNo","Value":"SFC1"}]}}}"#,
            ]),
        ),
    ]
}

#[test]
fn what_is_sound_is_read() {
    let (issuer, token) = targets::issuer();
    assert!(issuer.verify(token, jiff::Timestamp::constant(1_800_000_000, 0)).is_ok());
    let (key, cursor) = targets::cursor();
    assert!(key.open("biz/invoices", &cursor).is_some());
    for (target, inputs) in sound() {
        for input in inputs {
            target(&input);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let form = evolve_business::http::graphql::reads_form("multipart/form-data; boundary=evolve", form().into());
    assert!(runtime.block_on(form));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_from_outside_make_a_reader_panic_or_believe_them(bytes in prop::collection::vec(any::<u8>(), 0..512), text in any::<String>()) {
        for (target, _) in sound() {
            target(&bytes);
            target(text.as_bytes());
        }
    }

    #[test]
    fn a_token_that_was_changed_is_none(bytes in changed(sound()[0].1.clone())) {
        targets::tokens(&bytes);
    }

    #[test]
    fn an_id_that_was_changed_is_none_or_another(bytes in changed(sound()[1].1.clone())) {
        targets::ids(&bytes);
    }

    #[test]
    fn a_cursor_that_was_changed_is_none(bytes in changed(sound()[2].1.clone())) {
        targets::cursors(&bytes);
    }

    #[test]
    fn a_form_that_was_changed_is_read_or_refused(bytes in changed(sound()[3].1.clone())) {
        targets::forms(&bytes);
    }

    #[test]
    fn a_callback_that_was_changed_is_read_or_refused(bytes in changed(sound()[5].1.clone())) {
        targets::callbacks(&bytes);
    }

    #[test]
    fn a_scalar_that_was_changed_is_read_as_what_it_says_or_refused(bytes in changed(sound()[4].1.clone())) {
        targets::scalars(&bytes);
    }

    #[test]
    fn a_message_that_was_changed_is_read_or_refused(bytes in changed(sound()[5].1.clone())) {
        targets::messages(&bytes);
    }
}
