//! Accounts: registration, sign-in, sessions, passwords.

use evolve_business::error::{Error, Failure, UserErrorCode as Code};
use evolve_business::ids::{BusinessId, SessionId};
use evolve_business::money::Currency;
use evolve_business::security::password::{HashCost, HashLimits, Passwords};
use evolve_business::services::access::Caller;
use evolve_business::services::customers::{BusinessChoice, NewBusiness, Register, SignIn};
use evolve_business::store::types::Role;
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::{PASSWORD, newcomer, refusals, shown};

const NOW: &str = "2027-01-31T09:00:00Z";
const NEW_PASSWORD: &str = "velvet-harbour-counts-onions";

both!(
    registering_makes_a_business_its_owner_and_a_session,
    registering_answers_everything_that_is_wrong_at_once,
    the_currency_is_the_countrys_where_plans_are_sold_in_it,
    an_address_is_taken_however_it_is_spelt,
    of_two_who_register_one_address_at_once_one_wins,
    an_unknown_address_costs_and_answers_as_a_wrong_password,
    signing_in_chooses_among_the_persons_own_businesses,
    a_person_whom_no_business_has_cannot_sign_in,
    a_hash_of_another_cost_is_replaced_at_sign_in,
    what_a_browser_says_of_itself_is_cut,
    a_refresh_token_is_good_once_and_shown_twice_it_ends_the_session,
    a_refresh_token_runs_out,
    of_two_who_refresh_at_once_one_wins_and_the_session_ends,
    who_was_removed_cannot_refresh,
    signing_out_ends_this_session_and_everywhere_all_of_them,
    an_access_token_is_good_for_15_minutes,
    changing_the_password_ends_every_other_session,
    no_sign_in_by_the_old_password_outlives_its_change,
    a_new_password_must_be_good_and_the_present_one_right,
    a_session_of_another_person_or_business_cannot_be_ended,
);

fn parts(caller: Caller) -> (SessionId, BusinessId) {
    let Caller::User { session, scope, .. } = caller else { panic!("{caller:?}") };
    (session, scope.business())
}

async fn registering_makes_a_business_its_owner_and_a_session(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let made = world.register(" Wanjiru@Baraka.example ").await;
    assert_eq!(made.business.business_name, "Baraka Traders");
    assert_eq!(made.business.time_zone, "Africa/Nairobi", "the country's");
    assert_eq!(made.business.currency.code(), "USD", "nothing is sold in shillings");
    assert_eq!(made.user.email, "Wanjiru@Baraka.example");
    let person = world.access(made.caller).await.unwrap().person().unwrap();
    assert_eq!((person.user, person.role), (made.user.id, Role::Owner));
    assert_eq!(world.accounts().authenticate(made.tokens.access_token.expose_secret()).unwrap(), made.caller);
    let expiry = (made.tokens.access_token_expires_at.to_string(), made.tokens.refresh_token_expires_at.to_string());
    assert_eq!(expiry, ("2027-01-31T09:15:00Z".to_owned(), "2027-03-02T09:00:00Z".to_owned()));
    assert_eq!(world.read_texts("select action from audit_events").await, ["business.registered"]);
    assert_eq!(world.read_texts("select email_key from users").await, ["wanjiru@baraka.example"]);

    let stored = world.read_bytes("select hash from refresh_tokens").await;
    let secret = shown(&made.tokens.refresh_token);
    assert!(stored.iter().flatten().all(|hash| hash.len() == 32 && !String::from_utf8_lossy(hash).contains(&secret[4..12])));
    assert!(world.read_texts("select password_hash from users").await.iter().all(|hash| hash.starts_with("$argon2id$")));
}

async fn registering_answers_everything_that_is_wrong_at_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register("wanjiru@baraka.example").await;
    let hashes = world.ports.passwords.hashes_computed();
    let sound = newcomer("WANJIRU@baraka.example");
    let business = NewBusiness {
        business_name: " ".to_owned(),
        business_email: "nobody".to_owned(),
        industry: "r".repeat(81),
        country: "XX".to_owned(),
        postal_code: "001\u{0}00".to_owned(),
        time_zone: Some("Africa/Atlantis".to_owned()),
        currency: Currency::from_code("KES"),
        ..sound.business.clone()
    };
    let wrong = Register { business, full_name: "w".repeat(121), password: "wanjirubaraka".into(), ..sound };
    let expected = [
        ("businessName", Code::Required),
        ("businessEmail", Code::Invalid),
        ("industry", Code::TooLong),
        ("country", Code::Invalid),
        ("postalCode", Code::Invalid),
        ("timeZone", Code::Invalid),
        ("currency", Code::Invalid),
        ("fullName", Code::TooLong),
        ("password", Code::WeakPassword),
        ("email", Code::Taken),
    ];
    let refused = refusals(world.accounts().register(wrong, None).await);
    assert_eq!(refused, expected.map(|(field, code)| (field.to_owned(), code)));
    assert_eq!(world.ports.passwords.hashes_computed(), hashes, "what is refused is not hashed");
    assert_eq!(world.read_texts("select business_name from businesses").await, ["Baraka Traders"]);
}

async fn the_currency_is_the_countrys_where_plans_are_sold_in_it(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.sell_in(&["KES", "USD"]).await;
    let register = async |email: &str, country: &str, currency: Option<&str>| {
        let sound = newcomer(email);
        let business =
            NewBusiness { country: country.to_owned(), currency: currency.and_then(Currency::from_code), ..sound.business.clone() };
        world.accounts().register(Register { business, ..sound }, None).await
    };
    for (email, country, asked, given) in [
        ("a@one.example", "KE", None, "KES"),
        ("b@two.example", "UG", None, "USD"),
        ("c@three.example", "KE", Some("USD"), "USD"),
        // Only a version that is no longer sold has a price in euro.
        ("d@four.example", "DE", None, "USD"),
    ] {
        assert_eq!(register(email, country, asked).await.unwrap().business.currency.code(), given, "{country} {asked:?}");
    }
    let unsold = [("currency".to_owned(), Code::Invalid)];
    assert_eq!(refusals(register("e@five.example", "KE", Some("UGX")).await), unsold);
    assert_eq!(refusals(register("e@five.example", "KE", Some("EUR")).await), unsold);
    world.run_sql("update plans set archived_at = created_at").await;
    assert_eq!(refusals(register("e@five.example", "KE", Some("KES")).await), unsold);
}

async fn an_address_is_taken_however_it_is_spelt(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register("wanjiru@baraka.example").await;
    for spelling in ["wanjiru@baraka.example", "WANJIRU@Baraka.Example", " wanjiru@baraka.example "] {
        let refused = refusals(world.accounts().register(newcomer(spelling), None).await);
        assert_eq!(refused, [("email".to_owned(), Code::Taken)], "{spelling:?}");
    }
}

async fn of_two_who_register_one_address_at_once_one_wins(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let tries = (0..4).map(|_| {
        let accounts = world.accounts();
        tokio::spawn(async move { accounts.register(newcomer("wanjiru@baraka.example"), None).await })
    });
    let (mut won, mut lost) = (0, 0);
    for answer in futures::future::join_all(tries).await {
        match answer.unwrap() {
            Ok(_) => won += 1,
            refused => {
                assert_eq!(refusals(refused), [("email".to_owned(), Code::Taken)]);
                lost += 1;
            }
        }
    }
    assert_eq!((won, lost), (1, 3));
    let names = world.read_texts("select business_name from businesses").await;
    assert_eq!(names.len(), 1, "the others left nothing behind");
}

async fn an_unknown_address_costs_and_answers_as_a_wrong_password(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register("wanjiru@baraka.example").await;
    let mut answers = Vec::new();
    for email in ["wanjiru@baraka.example", "nobody@baraka.example", "no.body@nowhere.example"] {
        let before = world.ports.passwords.hashes_computed();
        let document = format!(
            r#"mutation {{ signIn(input: {{ email: "{email}", password: "not-the-password" }}) {{ session {{ accessToken }} userErrors {{ code message field }} }} }}"#
        );
        answers.push(world.ask_accounts(Caller::Anonymous, &document).await.to_string());
        assert_eq!(world.ports.passwords.hashes_computed() - before, 1, "{email}");
    }
    assert!(answers[0].contains("INVALID_CREDENTIALS"), "{}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // What cannot be an address at all is answered alike, and reaches no database as it is.
    let before = world.ports.passwords.hashes_computed();
    assert_eq!(refusals(world.sign_in("\0", PASSWORD).await), [(String::new(), Code::InvalidCredentials)]);
    assert_eq!(world.ports.passwords.hashes_computed() - before, 1);
}

async fn signing_in_chooses_among_the_persons_own_businesses(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let first = world.register("wanjiru@baraka.example").await;
    world.advance(SignedDuration::from_secs(1));
    let second = world.register("otieno@upendo.example").await;
    let other = world.register("amina@safari.example").await;
    world
        .run_sql(&format!(
            "insert into members (business_id, id, user_id, role, joined_at) select {}, {}, user_id, 'BILLING', '2027-01-31T09:00:02+00:00' from members where business_id = {}",
            world.uuid_literal(parts(second.caller).1.uuid().as_u128()),
            world.uuid_literal(77),
            world.uuid_literal(parts(first.caller).1.uuid().as_u128()),
        ))
        .await;
    let enter = async |email: &str, password: &str, business| {
        let input = SignIn { email: email.to_owned(), password: password.into(), otp: None, address: None, business };
        world.accounts().sign_in(input, None).await
    };
    let wanjiru = async |business| enter("Wanjiru@baraka.example", PASSWORD, business).await;
    assert_eq!(parts(wanjiru(BusinessChoice::FirstJoined).await.unwrap().caller).1, parts(first.caller).1);
    let there = wanjiru(BusinessChoice::This(Some(parts(second.caller).1))).await.unwrap().caller;
    assert_eq!(parts(there).1, parts(second.caller).1);
    assert_eq!(world.access(there).await.unwrap().role(), Some(Role::Billing));
    let names = world.accounts().memberships(there).await.unwrap();
    assert_eq!(names.iter().map(|found| found.role).collect::<Vec<_>>(), [Role::Owner, Role::Billing]);

    let not_found = [("businessId".to_owned(), Code::NotFound)];
    for business in [Some(parts(other.caller).1), Some(BusinessId::from(uuid::Uuid::from_u128(5))), None] {
        assert_eq!(refusals(wanjiru(BusinessChoice::This(business)).await), not_found);
        let wrong = enter("Wanjiru@baraka.example", "not-the-password", BusinessChoice::This(business)).await;
        assert_eq!(refusals(wrong), [(String::new(), Code::InvalidCredentials)], "the password is asked for first");
    }
}

async fn a_person_whom_no_business_has_cannot_sign_in(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let hash = world.ports.passwords.hash(PASSWORD.into()).await.unwrap();
    world.person(None, "alone@nowhere.example", hash).await;
    assert_eq!(refusals(world.sign_in("alone@nowhere.example", PASSWORD).await), [(String::new(), Code::InvalidCredentials)]);
}

async fn a_hash_of_another_cost_is_replaced_at_sign_in(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let scope = world.register("wanjiru@baraka.example").await.caller.scope().unwrap();
    let cost = HashCost { iterations: 3, ..HashCost::TEST };
    let costlier = Passwords::new(cost, HashLimits { running: 1, waiting: 1 }, world.ports.rng.clone()).unwrap();
    let old = costlier.hash(PASSWORD.into()).await.unwrap();
    world.person(Some((scope, Role::Member)), "otieno@baraka.example", old.clone()).await;
    let hash_of = "select password_hash from users where email_key = 'otieno@baraka.example'";
    world.sign_in("otieno@baraka.example", PASSWORD).await.unwrap();
    let new = world.read_texts(hash_of).await;
    assert!(old.contains("t=3") && new[0].contains("t=1"), "{old} {new:?}");
    world.sign_in("otieno@baraka.example", PASSWORD).await.unwrap();
    assert_eq!(world.read_texts(hash_of).await, new, "one of today's cost stays");
}

async fn what_a_browser_says_of_itself_is_cut(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let agent = format!("\u{0}Fire\nfox{}", "ü".repeat(300));
    let made = world.accounts().register(newcomer("wanjiru@baraka.example"), Some(&agent)).await.unwrap();
    assert!(world.access(made.caller).await.is_ok());
    assert_eq!(world.read_texts("select user_agent from sessions").await, [format!("Firefox{}", "ü".repeat(249))]);
}

async fn a_refresh_token_is_good_once_and_shown_twice_it_ends_the_session(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let made = world.register("wanjiru@baraka.example").await;
    world.advance(SignedDuration::from_hours(24));
    let second = world.refresh(&made.tokens).await.unwrap();
    assert_eq!(second.refresh_token_expires_at.to_string(), "2027-03-03T09:00:00Z");
    assert_eq!(world.accounts().authenticate(second.access_token.expose_secret()).unwrap(), made.caller, "the session goes on");
    let third = world.refresh(&second).await.unwrap();
    assert!(world.access(made.caller).await.is_ok());

    let expired = [("refreshToken".to_owned(), Code::TokenExpired)];
    assert_eq!(refusals(world.refresh(&second).await), expired, "spent");
    assert!(matches!(world.access(made.caller).await, Err(Error::Unauthenticated)), "the session is over");
    assert_eq!(refusals(world.refresh(&third).await), expired, "for who holds the newest token too");
    for unknown in ["", "evr_", "nonsense", &format!("evr_{}", "A".repeat(43))] {
        assert_eq!(refusals(world.accounts().refresh_session(unknown).await), expired, "{unknown:?}");
    }
}

async fn a_refresh_token_runs_out(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let made = world.register("wanjiru@baraka.example").await;
    world.advance(SignedDuration::from_hours(30 * 24));
    assert_eq!(refusals(world.refresh(&made.tokens).await), [("refreshToken".to_owned(), Code::TokenExpired)]);
    world.advance(SignedDuration::from_secs(-1));
    world.refresh(&made.tokens).await.unwrap();
}

async fn of_two_who_refresh_at_once_one_wins_and_the_session_ends(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    for turn in 0..5 {
        let made = world.register(&format!("wanjiru{turn}@baraka.example")).await;
        let token = shown(&made.tokens.refresh_token);
        let tries = (0..2).map(|_| {
            let (accounts, token) = (world.accounts(), token.clone());
            tokio::spawn(async move { accounts.refresh_session(&token).await })
        });
        let answers: Vec<_> = futures::future::join_all(tries).await.into_iter().map(Result::unwrap).collect();
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(won, 1, "{answers:?}");
        for answer in answers {
            match answer {
                Ok(next) => assert_eq!(refusals(world.refresh(&next).await), [("refreshToken".to_owned(), Code::TokenExpired)]),
                refused => assert_eq!(refusals(refused), [("refreshToken".to_owned(), Code::TokenExpired)]),
            }
        }
        assert!(matches!(world.access(made.caller).await, Err(Error::Unauthenticated)));
    }
}

async fn who_was_removed_cannot_refresh(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let made = world.register("wanjiru@baraka.example").await;
    world.run_sql("delete from members").await;
    assert_eq!(refusals(world.refresh(&made.tokens).await), [("refreshToken".to_owned(), Code::TokenExpired)]);
    assert!(matches!(world.access(made.caller).await, Err(Error::Unauthenticated)));
}

async fn signing_out_ends_this_session_and_everywhere_all_of_them(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let email = "wanjiru@baraka.example";
    let first = world.register(email).await;
    let stranger = world.register("amina@safari.example").await;
    let (second, third) = (world.sign_in(email, PASSWORD).await.unwrap(), world.sign_in(email, PASSWORD).await.unwrap());
    world.accounts().sign_out(first.caller, false).await.unwrap();
    assert!(matches!(world.access(first.caller).await, Err(Error::Unauthenticated)));
    assert_eq!(refusals(world.refresh(&first.tokens).await), [("refreshToken".to_owned(), Code::TokenExpired)]);
    assert!(world.access(second.caller).await.is_ok() && world.access(third.caller).await.is_ok());
    let again = world.accounts().sign_out(first.caller, true).await;
    assert!(matches!(again, Err(Failure::Fault(Error::Unauthenticated))), "who is signed out ends nothing: {again:?}");
    assert!(world.access(second.caller).await.is_ok());

    world.accounts().sign_out(second.caller, true).await.unwrap();
    for over in [second.caller, third.caller] {
        assert!(matches!(world.access(over).await, Err(Error::Unauthenticated)));
    }
    assert!(world.access(stranger.caller).await.is_ok());
}

async fn an_access_token_is_good_for_15_minutes(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let made = world.register("wanjiru@baraka.example").await;
    let token = shown(&made.tokens.access_token);
    world.advance(SignedDuration::from_secs(899));
    assert_eq!(world.accounts().authenticate(&token).unwrap(), made.caller);
    world.advance(SignedDuration::from_secs(1));
    for bad in [token.as_str(), "", "a.b.c", &shown(&made.tokens.refresh_token)] {
        assert!(matches!(world.accounts().authenticate(bad), Err(Error::Unauthenticated)), "{bad:?}");
    }
}

async fn changing_the_password_ends_every_other_session(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let email = "wanjiru@baraka.example";
    let made = world.register(email).await;
    let other = world.sign_in(email, PASSWORD).await.unwrap();
    world.accounts().change_password(made.caller, PASSWORD.into(), NEW_PASSWORD.into()).await.unwrap();
    assert!(world.access(made.caller).await.is_ok(), "this one goes on");
    world.refresh(&made.tokens).await.unwrap();
    assert!(matches!(world.access(other.caller).await, Err(Error::Unauthenticated)));
    assert_eq!(refusals(world.sign_in(email, PASSWORD).await), [(String::new(), Code::InvalidCredentials)]);
    world.sign_in(email, NEW_PASSWORD).await.unwrap();
    let acts = world.read_texts("select action from audit_events order by sequence").await;
    assert_eq!(acts, ["business.registered", "user.password_changed"]);
}

async fn no_sign_in_by_the_old_password_outlives_its_change(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let email = "wanjiru@baraka.example";
    let made = world.register(email).await;
    let enter = |_| {
        let accounts = world.accounts();
        let input =
            SignIn { email: email.to_owned(), password: PASSWORD.into(), otp: None, address: None, business: BusinessChoice::FirstJoined };
        tokio::spawn(async move { accounts.sign_in(input, None).await })
    };
    let (before, accounts, caller) = ((0..2).map(enter).collect::<Vec<_>>(), world.accounts(), made.caller);
    let change = tokio::spawn(async move { accounts.change_password(caller, PASSWORD.into(), NEW_PASSWORD.into()).await });
    // Five failures are free, so that none of these is told to wait.
    let after: Vec<_> = (0..3).map(enter).collect();
    change.await.unwrap().unwrap();
    for answer in futures::future::join_all(before.into_iter().chain(after)).await {
        match answer.unwrap() {
            // Let in before the change, and put out by it.
            Ok(entered) => assert!(matches!(world.access(entered.caller).await, Err(Error::Unauthenticated))),
            refused => assert_eq!(refusals(refused), [(String::new(), Code::InvalidCredentials)]),
        }
    }
    assert!(world.access(made.caller).await.is_ok());
}

async fn a_new_password_must_be_good_and_the_present_one_right(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let made = world.register("wanjiru@baraka.example").await;
    let change = async |current: &str, new: &str| world.accounts().change_password(made.caller, current.into(), new.into()).await;
    let wrong = ("currentPassword".to_owned(), Code::InvalidCredentials);
    let weak = ("newPassword".to_owned(), Code::WeakPassword);
    assert_eq!(refusals(change("not-the-password", NEW_PASSWORD).await), vec![wrong.clone()]);
    assert_eq!(refusals(change(PASSWORD, "wanjiru kamau").await), vec![weak.clone()]);
    assert_eq!(refusals(change("not-the-password", "short").await), [wrong, weak]);
    assert!(matches!(
        world.accounts().change_password(Caller::Anonymous, PASSWORD.into(), NEW_PASSWORD.into()).await,
        Err(Failure::Fault(Error::Unauthenticated))
    ));
    world.sign_in("wanjiru@baraka.example", PASSWORD).await.unwrap();
}

async fn a_session_of_another_person_or_business_cannot_be_ended(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let owner = world.register("wanjiru@baraka.example").await.caller;
    let colleague = world.colleague(owner.scope().unwrap(), Role::Member, "otieno@baraka.example").await;
    let stranger = world.register("amina@safari.example").await.caller;
    let not_found = [("sessionId".to_owned(), Code::NotFound)];
    for session in [Some(parts(colleague).0), Some(parts(stranger).0), Some(SessionId::from(uuid::Uuid::from_u128(5))), None] {
        assert_eq!(refusals(world.accounts().revoke_session(owner, session).await), not_found, "{session:?}");
    }
    assert!(world.access(colleague).await.is_ok() && world.access(stranger).await.is_ok());

    world.advance(SignedDuration::from_secs(1));
    let phone = world.sign_in("wanjiru@baraka.example", PASSWORD).await.unwrap().caller;
    let document = "{ sessions { id current userAgent } }";
    let shown = world.ask_accounts(owner, document).await;
    let (newest, oldest) = (parts(phone).0.to_string(), parts(owner).0.to_string());
    let expected = serde_json::json!([
        { "id": newest, "current": false, "userAgent": null },
        { "id": oldest, "current": true, "userAgent": "Firefox" },
    ]);
    assert_eq!(shown["data"]["sessions"], expected);
    let document = format!(r#"mutation {{ revokeSession(input: {{ sessionId: "{newest}" }}) {{ revokedId userErrors {{ code }} }} }}"#);
    let ended = world.ask_accounts(owner, &document).await;
    assert_eq!(ended["data"]["revokeSession"], serde_json::json!({ "revokedId": newest, "userErrors": [] }));
    assert!(matches!(world.access(phone).await, Err(Error::Unauthenticated)));
    assert_eq!(refusals(world.accounts().revoke_session(owner, Some(parts(phone).0)).await), not_found, "it is over");
}
