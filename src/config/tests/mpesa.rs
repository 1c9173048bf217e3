//! The settings of M-Pesa and of transfers.

use super::*;

#[test]
fn m_pesa_is_whole_or_not_there_and_no_sentence_holds_a_secret() {
    const MISSING: &str = "EVOLVE_MPESA_CONSUMER_KEY is missing: the other settings of M-Pesa are for nothing.";
    let whole = "mpesa_consumer_key = 'k3y'\nmpesa_consumer_secret = 's3cret'\nmpesa_short_code = '600610'\nmpesa_passkey = 'p4ss'\nmpesa_initiator = 'billing'\nmpesa_security_credential = 'cr3d'";
    let mpesa = Settings::resolve(from_file(whole)).unwrap().mpesa.unwrap();
    assert_eq!((mpesa.url.as_str(), mpesa.callback_url.as_str()), ("https://sandbox.safaricom.co.ke", "http://127.0.0.1:8080"));
    assert!(!["k3y", "s3cret", "p4ss", "cr3d"].into_iter().any(|secret| format!("{mpesa:?}").contains(secret)));
    assert!(Settings::resolve(Given::default()).unwrap().mpesa.is_none());
    let without = |name: &str| whole.lines().filter(|line| !line.starts_with(name)).collect::<Vec<_>>().join("\n");
    for (text, sentence) in [
        (without("mpesa_consumer_key"), MISSING),
        ("mpesa_callback_url = 'https://a.example.com'".to_owned(), MISSING),
        (
            without("mpesa_consumer_secret"),
            "EVOLVE_MPESA_CONSUMER_SECRET is missing: EVOLVE_MPESA_CONSUMER_KEY needs it, or EVOLVE_MPESA_CONSUMER_SECRET_FILE with the path of a file that holds it.",
        ),
        (without("mpesa_initiator"), "EVOLVE_MPESA_INITIATOR is missing: EVOLVE_MPESA_CONSUMER_KEY needs it."),
        (whole.replace("600610", "6006x"), "EVOLVE_MPESA_SHORT_CODE is \"6006x\" and must be 5 to 7 digits."),
        (whole.replace("p4ss", "p4 ss"), "EVOLVE_MPESA_PASSKEY must be printable characters without spaces."),
        (
            format!("{whole}\nmpesa_url = 'http://api.example.com'"),
            "EVOLVE_MPESA_URL must begin with https:// where it does not lead to this machine.",
        ),
        (
            format!("{whole}\nmpesa_url = 'https://api.safaricom.co.ke'"),
            "EVOLVE_MPESA_URL is for real money, and a sandbox charges nobody: use Safaricom's sandbox.",
        ),
        ("transfer_instructions = ' '".to_owned(), "EVOLVE_TRANSFER_INSTRUCTIONS must have 1 to 2000 characters."),
    ] {
        let found = problems(from_file(&text));
        assert!(found.iter().any(|found| found == sentence), "{text}: {found:?}");
        assert!(!found.iter().any(|found| found.contains("s3cret") || found.contains("p4 ss")), "{found:?}");
    }
    let real = Settings::resolve(production().or(from_file(whole))).unwrap();
    let mpesa = real.mpesa.unwrap();
    assert_eq!((mpesa.url.as_str(), mpesa.callback_url), ("https://api.safaricom.co.ke", real.public_url));
    let tried = production().or(from_file(&format!("{whole}\nmpesa_url = 'https://sandbox.safaricom.co.ke'")));
    assert_eq!(problems(tried), ["EVOLVE_MPESA_URL is Safaricom's sandbox, in which nobody pays: production needs the real one."]);
}
