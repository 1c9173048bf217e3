//! What must always hold of the texts of keys.

use evolve_business::security::access_key::{AccessKey, KeyOwner, Realm};
use evolve_business::security::random::SeededRng;
use proptest::prelude::*;
use proptest::sample::select;
use secrecy::ExposeSecret as _;

/// A key of any kind, as its holder has it.
fn key() -> impl Strategy<Value = String> {
    let owner = select(&[KeyOwner::Business, KeyOwner::Product][..]);
    let realm = select(&[Realm::Live, Realm::Test][..]);
    let text = |(seed, owner, realm)| AccessKey::generate(&SeededRng::new(seed), owner, realm).reveal().expose_secret().to_owned();
    (any::<u64>(), owner, realm).prop_map(text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_the_reading_of_a_key_panic(text in any::<String>(), key in key(), cut in any::<prop::sample::Index>()) {
        let _ = AccessKey::parse(&text);
        // What begins as a key does and goes on as it likes, in the middle of a character too.
        let place = cut.index(key.len() + 1);
        let _ = AccessKey::parse(&format!("{}{text}", &key[..place]));
        let _ = AccessKey::parse(&format!("{}{text}{}", &key[..place], &key[place..]));
    }

    #[test]
    fn a_key_reads_back_as_itself(text in key()) {
        let read = AccessKey::parse(&text).unwrap();
        let shown = read.reveal();
        prop_assert_eq!(shown.expose_secret(), &text);
        prop_assert!(text.starts_with(&read.shown()));
    }

    #[test]
    fn a_key_with_any_one_character_changed_added_or_left_out_is_none(
        text in key(),
        place in any::<prop::sample::Index>(),
        // A letter of keys, and any other.
        other in prop_oneof![select("0123456789abcdefghjkmnpqrstvwxyz".chars().collect::<Vec<_>>()), any::<char>()],
    ) {
        let place = place.index(text.len());
        let (before, after) = (&text[..place], &text[place..]);
        if !after.starts_with(other) {
            let changed = format!("{before}{other}{}", &after[1..]);
            prop_assert!(AccessKey::parse(&changed).is_none(), "{}", changed);
        }
        let shorter = format!("{before}{}", &after[1..]);
        prop_assert!(AccessKey::parse(&shorter).is_none());
        let longer = format!("{before}{other}{after}");
        prop_assert!(AccessKey::parse(&longer).is_none());
    }
}
