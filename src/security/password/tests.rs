use super::*;
use crate::error::Failure;
use crate::security::random::{SeededRng, SystemRng};

const CALM: HashLimits = HashLimits { running: 2, waiting: 8 };

fn passwords(cost: HashCost, limits: HashLimits) -> Passwords {
    Passwords::new(cost, limits, Arc::new(SeededRng::new(1))).unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

#[tokio::test]
async fn a_password_is_right_and_another_is_wrong() {
    let passwords = passwords(HashCost::TEST, CALM);
    let stored = passwords.hash(secret("correct horse")).await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{stored}");
    let right = passwords.verify(secret("correct horse"), Some(stored.clone())).await.unwrap();
    assert_eq!(right, Verdict::Right { rehash: false });
    for wrong in ["correct hors", "Correct horse", "", "correct horse "] {
        assert_eq!(passwords.verify(secret(wrong), Some(stored.clone())).await.unwrap(), Verdict::Wrong, "{wrong:?}");
    }
}

#[tokio::test]
async fn the_same_password_hashes_differently_each_time() {
    let passwords = passwords(HashCost::TEST, CALM);
    assert_ne!(passwords.hash(secret("same")).await.unwrap(), passwords.hash(secret("same")).await.unwrap());
}

#[tokio::test]
async fn an_unknown_address_costs_a_hash_of_todays_parameters_and_is_wrong() {
    let passwords = passwords(HashCost { memory_kib: 16, iterations: 2, lanes: 1 }, CALM);
    assert!(passwords.inner.dummy.starts_with("$argon2id$v=19$m=16,t=2,p=1$"));
    let before = passwords.hashes_computed();
    assert_eq!(passwords.verify(secret("anything"), None).await.unwrap(), Verdict::Wrong);
    assert_eq!(passwords.hashes_computed() - before, 1);
}

#[tokio::test]
async fn an_unknown_address_takes_as_long_as_a_wrong_password() {
    // Costly enough that the hash outweighs everything else; the fastest of some runs, since others share the machine.
    let passwords = passwords(HashCost { memory_kib: 8_192, iterations: 4, lanes: 1 }, CALM);
    let stored = passwords.hash(secret("correct horse")).await.unwrap();
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..5 {
        for (at, hash) in [Some(stored.clone()), None].into_iter().enumerate() {
            let start = std::time::Instant::now();
            assert_eq!(passwords.verify(secret("wrong"), hash).await.unwrap(), Verdict::Wrong);
            fastest[at] = fastest[at].min(start.elapsed());
        }
    }
    let [known, unknown] = fastest;
    assert!(unknown * 2 > known && known * 2 > unknown, "known {known:?}, unknown {unknown:?}");
}

#[tokio::test]
async fn the_password_behind_the_dummy_hash_opens_nothing() {
    let rng: SharedRng = Arc::new(SeededRng::new(1));
    let unknown = STANDARD_NO_PAD.encode(rng.bytes::<32>());
    let passwords = passwords(HashCost::TEST, CALM);
    let dummy = passwords.inner.dummy.clone();
    let known = passwords.verify(secret(&unknown), Some(dummy)).await.unwrap();
    assert_eq!(known, Verdict::Right { rehash: false }, "the test knows the right one");
    assert_eq!(passwords.verify(secret(&unknown), None).await.unwrap(), Verdict::Wrong);
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_right_and_asks_for_a_new_one() {
    let older = passwords(HashCost::TEST, CALM);
    let stored = older.hash(secret("correct horse")).await.unwrap();
    let newer = passwords(HashCost { iterations: 2, ..HashCost::TEST }, CALM);
    let verdict = newer.verify(secret("correct horse"), Some(stored)).await.unwrap();
    assert_eq!(verdict, Verdict::Right { rehash: true });
}

#[tokio::test]
async fn a_stored_thing_that_is_no_hash_is_a_fault() {
    let passwords = passwords(HashCost::TEST, CALM);
    for stored in ["", "plain", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"] {
        let verdict = passwords.verify(secret("x"), Some(stored.to_owned())).await;
        assert!(matches!(verdict, Err(Error::Corrupt(_))), "{stored:?}: {verdict:?}");
    }
}

#[tokio::test]
async fn a_password_beyond_the_longest_is_wrong_at_the_same_cost() {
    let passwords = passwords(HashCost::TEST, CALM);
    let stored = passwords.hash(secret(&"ü".repeat(128))).await.unwrap();
    assert!(matches!(passwords.hash(secret(&"ü".repeat(129))).await, Err(Error::BadUserInput(_))));
    let before = passwords.hashes_computed();
    assert_eq!(passwords.verify(secret(&"ü".repeat(1_000_000)), Some(stored)).await.unwrap(), Verdict::Wrong);
    assert_eq!(passwords.hashes_computed() - before, 1);
    let empty = passwords.hash(secret("")).await.unwrap();
    assert_eq!(passwords.verify(secret(&"x".repeat(129)), Some(empty)).await.unwrap(), Verdict::Wrong);
}

#[tokio::test]
async fn a_password_is_chosen_where_the_policy_allows_it_and_otherwise_refused_without_a_hash() {
    let passwords = passwords(HashCost::TEST, CALM);
    let inputs = || vec!["jane.wanjiru@nyumbani.co.ke".to_owned()];
    let stored = passwords.choose("newPassword", secret("kiboko ndege mwezi jua"), inputs()).await.unwrap();
    let verdict = passwords.verify(secret("kiboko ndege mwezi jua"), Some(stored)).await.unwrap();
    assert_eq!(verdict, Verdict::Right { rehash: false });
    let before = passwords.hashes_computed();
    let refused = passwords.choose("newPassword", secret("wanjirunyumbani"), inputs()).await;
    let Err(Failure::Refused(errors)) = refused else { panic!("{refused:?}") };
    assert_eq!((errors.len(), errors[0].code, &*errors[0].field[0]), (1, UserErrorCode::WeakPassword, "newPassword"));
    assert_eq!(passwords.hashes_computed(), before);
}

#[tokio::test]
async fn when_too_many_are_waiting_the_next_is_refused_and_the_others_finish() {
    let passwords = passwords(HashCost::TEST, HashLimits { running: 1, waiting: 1 });
    let held = passwords.running.clone().acquire_owned().await.unwrap();
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.verify(secret("x"), None).await })
        })
        .collect();
    while passwords.admitted.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let refused = passwords.verify(secret("x"), None).await;
    assert!(matches!(refused, Err(Error::RateLimited { .. })), "{refused:?}");
    assert_eq!(passwords.hashes_computed(), 0);
    drop(held);
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap().unwrap(), Verdict::Wrong);
    }
    assert_eq!(passwords.verify(secret("x"), None).await.unwrap(), Verdict::Wrong, "there is room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_caller_who_leaves_does_not_make_room_before_the_work_is_over() {
    let passwords = passwords(HashCost::TEST, HashLimits { running: 1, waiting: 0 });
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    let (started, has_started) = tokio::sync::oneshot::channel::<()>();
    let caller = tokio::spawn({
        let passwords = passwords.clone();
        async move {
            let work = move |_: &Inner| {
                started.send(()).unwrap();
                finished.recv().map_err(|cause| Error::Task(cause.into()))
            };
            passwords.off_thread(work).await
        }
    });
    has_started.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert!(matches!(passwords.verify(secret("x"), None).await, Err(Error::RateLimited { .. })));
    finish.send(()).unwrap();
    while passwords.admitted.available_permits() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(passwords.verify(secret("x"), None).await.unwrap(), Verdict::Wrong);
}

#[test]
fn the_settings_default_to_what_production_uses() {
    let settings = crate::config::Settings::resolve(crate::config::Given::default()).unwrap();
    assert_eq!(HashCost::from(settings.passwords), HashCost::PRODUCTION);
    assert_eq!(HashLimits::from(settings.passwords), HashLimits { running: 4, waiting: 64 });
}

#[test]
fn parameters_that_argon2_does_not_allow_are_refused() {
    for cost in [
        HashCost { memory_kib: 7, ..HashCost::TEST },
        HashCost { iterations: 0, ..HashCost::TEST },
        HashCost { lanes: 0, ..HashCost::TEST },
    ] {
        assert_eq!(Passwords::new(cost, CALM, Arc::new(SystemRng)).unwrap_err(), InvalidHashCost, "{cost:?}");
    }
}

#[test]
fn weak_passwords_are_refused_and_strong_ones_are_not() {
    let code = |password: &str| {
        policy("newPassword", password, &["jane.wanjiru@nyumbani.co.ke", "Nyumbani Hardware"]).map_err(|error| (error.code, error.field))
    };
    let refused = |code| Err((code, vec![Cow::Borrowed("newPassword")]));
    for weak in [
        "",
        "aB3$xy7",
        "password",
        "12345678",
        "qwertyuiop",
        "Password1!",
        "aaaaaaaaaaaaaaaa",
        "jane.wanjiru@nyumbani.co.ke",
        "nyumbanihardware",
    ] {
        assert_eq!(code(weak), refused(UserErrorCode::WeakPassword), "{weak:?}");
    }
    assert_eq!(code(&"tR9 ".repeat(33)), refused(UserErrorCode::TooLong));
    for strong in ["correct horse battery staple", "tR9#kVm2!qLz", "kiboko ndege mwezi jua", "пароль-из-многих-слов-2027"]
    {
        assert_eq!(code(strong), Ok(()), "{strong:?}");
    }
}

#[test]
fn what_others_know_of_a_person_makes_a_password_weak() {
    let password = "wanjirunyumbani";
    assert!(policy("password", password, &[]).is_ok());
    assert!(policy("password", password, &["jane.wanjiru@nyumbani.co.ke"]).is_err());
}

#[test]
fn the_refusal_is_a_sentence_that_does_not_repeat_the_password() {
    let error = policy("password", "password1", &[]).unwrap_err();
    assert!(error.message.ends_with("do not belong together."), "{}", error.message);
    assert!(!error.message.contains("password1"));
}
