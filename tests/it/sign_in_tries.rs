//! Guessing a password or a second factor is slow, and keeps nobody out who has signed in from there before.

use std::net::IpAddr;

use evolve_business::error::{Failure, Outcome, UserErrorCode as Code};
use evolve_business::services::customers::{BusinessChoice, SignIn, SignedIn};
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::two_factor::Device;
use crate::world::World;
use crate::world_accounts::{PASSWORD, refusals, shown};
use crate::world_lives::PASSWORD as PASSWORD_OF_STAFF;

both!(
    after_five_failures_the_next_try_waits_longer_each_time,
    an_address_that_nobody_has_is_slowed_by_the_same_words,
    an_attack_from_elsewhere_keeps_nobody_out_where_they_have_signed_in,
    a_place_that_fails_at_many_accounts_waits,
    many_tries_at_once_are_worth_no_more_than_five,
    wrong_digits_count_as_a_wrong_password_does,
    what_is_proved_once_more_is_counted_apart,
    staff_are_guarded_as_customers_are,
    the_place_is_what_a_trusted_proxy_says,
    counts_name_nobody_and_are_forgotten,
);

const NOW: &str = "2027-01-31T09:00:00Z";
const ANN: &str = "ann@example.com";
const WRONG: &str = "not-the-password";

/// A try to sign in from an address.
async fn enter_with(world: &World, from: &str, email: &str, password: &str, otp: Option<&str>) -> Outcome<SignedIn> {
    let address: IpAddr = from.parse().unwrap();
    let (email, password, otp) = (email.to_owned(), password.into(), otp.map(str::to_owned));
    let input = SignIn { email, password, otp, address: Some(address), business: BusinessChoice::FirstJoined };
    world.accounts().sign_in(input, None).await
}

async fn enter(world: &World, from: &str, email: &str, password: &str) -> Outcome<SignedIn> {
    enter_with(world, from, email, password, None).await
}

fn code<T: std::fmt::Debug>(outcome: Outcome<T>) -> Code {
    refusals(outcome)[0].1
}

/// Fails so often, each time without having to wait.
async fn fail(world: &World, times: usize, from: &str, email: &str) {
    for time in 0..times {
        assert_eq!(code(enter(world, from, email, WRONG).await), Code::InvalidCredentials, "{time}");
    }
}

async fn after_five_failures_the_next_try_waits_longer_each_time(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register(ANN).await;
    fail(&world, 5, "192.0.2.7", ANN).await;
    let hashes = world.ports.passwords.hashes_computed();
    for password in [PASSWORD, WRONG] {
        assert_eq!(refusals(enter(&world, "192.0.2.7", ANN, password).await), [(String::new(), Code::RateLimited)]);
    }
    // From elsewhere too: nobody has signed in from either.
    assert_eq!(code(enter(&world, "198.51.100.1", ANN, PASSWORD).await), Code::RateLimited);
    assert_eq!(world.ports.passwords.hashes_computed(), hashes, "nothing is compared");

    // 15 seconds, then 30, then a minute.
    for wait in [15, 30, 60] {
        world.advance(SignedDuration::from_secs(wait) - SignedDuration::from_micros(1));
        assert_eq!(code(enter(&world, "192.0.2.7", ANN, PASSWORD).await), Code::RateLimited, "{wait}");
        world.advance(SignedDuration::from_micros(1));
        fail(&world, 1, "192.0.2.7", ANN).await;
    }
    let Err(Failure::Refused(errors)) = enter(&world, "192.0.2.7", ANN, PASSWORD).await else { panic!("it waits") };
    assert_eq!(errors[0].message, "Too many tries: wait 120 s and try again.");
    world.advance(SignedDuration::from_secs(120));
    enter(&world, "192.0.2.7", ANN, PASSWORD).await.unwrap();
    // Who is in has five more.
    fail(&world, 5, "192.0.2.7", ANN).await;
    assert_eq!(code(enter(&world, "192.0.2.7", ANN, PASSWORD).await), Code::RateLimited);
}

async fn an_address_that_nobody_has_is_slowed_by_the_same_words(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register(ANN).await;
    let mut answers = Vec::new();
    for email in [ANN, "nobody@example.com", "no address"] {
        let mut said = Vec::new();
        for seconds in [0, 0, 0, 0, 0, 0, 15, 0, 30] {
            world.advance(SignedDuration::from_secs(seconds));
            let before = world.ports.passwords.hashes_computed();
            let Err(Failure::Refused(errors)) = enter(&world, "192.0.2.7", email, WRONG).await else { panic!("{email}") };
            said.push((errors, world.ports.passwords.hashes_computed() - before));
        }
        answers.push(said);
    }
    assert!(answers.iter().all(|said| *said == answers[0]), "{answers:?}");
    assert_eq!(answers[0].iter().filter(|(errors, _)| errors[0].code == Code::RateLimited).count(), 2);
}

async fn an_attack_from_elsewhere_keeps_nobody_out_where_they_have_signed_in(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register(ANN).await;
    enter(&world, "192.0.2.7", ANN, PASSWORD).await.unwrap();
    // From many places, each of which fails once.
    for attacker in 1..=5 {
        fail(&world, 1, &format!("198.51.100.{attacker}"), ANN).await;
    }
    assert_eq!(code(enter(&world, "198.51.100.6", ANN, WRONG).await), Code::RateLimited);
    enter(&world, "192.0.2.7", ANN, PASSWORD).await.unwrap();
    // At a place where Ann has never signed in she waits as the others do; her mail shows that it is she.
    assert_eq!(code(enter(&world, "203.0.113.1", ANN, PASSWORD).await), Code::RateLimited);
    world.accounts().request_password_reset(ANN).await.unwrap();
    world.run_due_jobs().await;
    let mail = world.mails().into_iter().find(|mail| mail.contains("reset-password#token=")).unwrap();
    let token = mail.split_once("#token=").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let new = "velvet-anchor-hums-backwards";
    world.accounts().reset_password(&token, new.into(), Some("203.0.113.1".parse().unwrap())).await.unwrap();
    enter(&world, "203.0.113.1", ANN, new).await.unwrap();
    // A place is known for 90 days after the last time.
    world.advance(SignedDuration::from_hours(90 * 24));
    fail(&world, 5, "198.51.100.1", ANN).await;
    assert_eq!(code(enter(&world, "192.0.2.7", ANN, new).await), Code::RateLimited);
}

async fn a_place_that_fails_at_many_accounts_waits(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register(ANN).await;
    world.register("ben@example.com").await;
    enter(&world, "192.0.2.7", ANN, PASSWORD).await.unwrap();
    for account in 0..30 {
        fail(&world, 1, "192.0.2.7", &format!("nobody{account}@example.com")).await;
    }
    assert_eq!(code(enter(&world, "192.0.2.7", "ben@example.com", PASSWORD).await), Code::RateLimited);
    // Of IPv6 a place is the first 64 bits, and none of these is that place.
    enter(&world, "2001:db8::1", "ben@example.com", PASSWORD).await.unwrap();
    enter(&world, "192.0.2.7", ANN, PASSWORD).await.unwrap();
    world.advance(SignedDuration::from_mins(1));
    enter(&world, "192.0.2.7", "ben@example.com", PASSWORD).await.unwrap();
}

async fn many_tries_at_once_are_worth_no_more_than_five(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register(ANN).await;
    let tries = (0..20).map(|_| enter(&world, "192.0.2.7", ANN, WRONG));
    let codes: Vec<Code> = futures::future::join_all(tries).await.into_iter().map(code).collect();
    let wrong = codes.iter().filter(|code| **code == Code::InvalidCredentials).count();
    let limited = codes.iter().filter(|code| **code == Code::RateLimited).count();
    assert_eq!((wrong, limited), (5, 15), "{codes:?}");
    // Many who are right at once are all let in.
    world.advance(SignedDuration::from_mins(1));
    let tries = (0..8).map(|_| enter(&world, "192.0.2.7", ANN, PASSWORD));
    assert!(futures::future::join_all(tries).await.iter().all(Result::is_ok));
}

async fn wrong_digits_count_as_a_wrong_password_does(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let caller = world.register(ANN).await.caller;
    let url = world.accounts().begin_two_factor(caller, PASSWORD.into()).await.unwrap();
    let device = Device::of(&shown(&url));
    world.accounts().confirm_two_factor(caller, &device.shows(&world, 0)).await.unwrap();
    world.advance(SignedDuration::from_secs(30));
    for _ in 0..5 {
        let wrong = enter_with(&world, "192.0.2.7", ANN, PASSWORD, Some("000000")).await;
        assert_eq!(refusals(wrong), [("otp".to_owned(), Code::InvalidCredentials)]);
    }
    let digits = device.shows(&world, 0);
    assert_eq!(code(enter_with(&world, "192.0.2.7", ANN, PASSWORD, Some(&digits)).await), Code::RateLimited);
    world.advance(SignedDuration::from_secs(15));
    // To be asked for the digits is no failure, and takes nothing away either.
    for _ in 0..3 {
        assert_eq!(code(enter(&world, "192.0.2.7", ANN, PASSWORD).await), Code::OtpRequired);
    }
    enter_with(&world, "192.0.2.7", ANN, PASSWORD, Some(&digits)).await.unwrap();
}

async fn what_is_proved_once_more_is_counted_apart(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let caller = world.register(ANN).await.caller;
    let other = world.register("ben@example.com").await.caller;
    let accounts = world.accounts();
    for _ in 0..2 {
        let refused = accounts.change_password(caller, WRONG.into(), "velvet-anchor-hums-backwards".into()).await;
        assert_eq!(code(refused), Code::InvalidCredentials);
    }
    for _ in 0..3 {
        assert_eq!(code(accounts.begin_two_factor(caller, WRONG.into()).await), Code::InvalidCredentials);
    }
    assert_eq!(code(accounts.begin_two_factor(caller, PASSWORD.into()).await), Code::RateLimited);
    assert_eq!(code(accounts.disable_two_factor(caller, PASSWORD.into(), "123456").await), Code::RateLimited);
    enter(&world, "192.0.2.7", ANN, PASSWORD).await.unwrap();
    accounts.begin_two_factor(other, PASSWORD.into()).await.unwrap();
    // And what happens at the door keeps nobody out who is in.
    fail(&world, 5, "198.51.100.1", "ben@example.com").await;
    accounts.change_password(other, PASSWORD.into(), "velvet-anchor-hums-backwards".into()).await.unwrap();
    world.advance(SignedDuration::from_secs(15));
    accounts.begin_two_factor(caller, PASSWORD.into()).await.unwrap();
}

/// Signs in over HTTP, as a proxy would pass it on.
async fn ask(url: &str, field: &str, email: &str, password: &str, forwarded: &str) -> Value {
    let kind = if field == "signIn" { "SignInInput" } else { "StaffSignInInput" };
    let query = format!("mutation($i: {kind}!) {{ {field}(input: $i) {{ session {{ accessToken }} userErrors {{ code }} }} }}");
    let body = json!({ "query": query, "variables": { "i": { "email": email, "password": password } } });
    let request = reqwest::Client::new().post(url).header("x-forwarded-for", forwarded).json(&body);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer["data"][field]["userErrors"][0]["code"].clone()
}

async fn staff_are_guarded_as_customers_are(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let email = world.add_staff(StaffRole::Admin).await;
    let url = format!("{}/staff/graphql", server.url);
    for wanted in ["INVALID_CREDENTIALS"; 5].into_iter().chain(["RATE_LIMITED"; 2]) {
        assert_eq!(ask(&url, "staffSignIn", &email, WRONG, "192.0.2.7").await, wanted);
    }
    assert_eq!(ask(&url, "staffSignIn", &email, PASSWORD_OF_STAFF, "192.0.2.7").await, "RATE_LIMITED");
    // A customer of the same address is somebody else.
    world.register(&email).await;
    assert_eq!(ask(&format!("{}/graphql", server.url), "signIn", &email, PASSWORD, "192.0.2.7").await, Value::Null);
    world.advance(SignedDuration::from_secs(15));
    assert_eq!(ask(&url, "staffSignIn", &email, PASSWORD_OF_STAFF, "192.0.2.7").await, Value::Null);
}

async fn the_place_is_what_a_trusted_proxy_says(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register(ANN).await;
    let (plain, behind) = (Server::start(&world).await, Server::behind(&world, vec!["127.0.0.0/8".parse().unwrap()]).await);
    let (plain, behind) = (format!("{}/graphql", plain.url), format!("{}/graphql", behind.url));
    // Ann's place is known; whoever writes it into the header without a proxy between is not there.
    assert_eq!(ask(&behind, "signIn", ANN, PASSWORD, "192.0.2.7").await, Value::Null);
    for attacker in 1..=5 {
        assert_eq!(ask(&behind, "signIn", ANN, WRONG, &format!("192.0.2.7, 198.51.100.{attacker}")).await, "INVALID_CREDENTIALS");
    }
    assert_eq!(ask(&behind, "signIn", ANN, PASSWORD, "192.0.2.7, 198.51.100.9").await, "RATE_LIMITED");
    assert_eq!(ask(&plain, "signIn", ANN, PASSWORD, "192.0.2.7").await, "RATE_LIMITED");
    assert_eq!(ask(&behind, "signIn", ANN, PASSWORD, "192.0.2.7").await, Value::Null);
}

async fn counts_name_nobody_and_are_forgotten(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register(ANN).await;
    fail(&world, 2, "192.0.2.7", ANN).await;
    fail(&world, 1, "192.0.2.7", "nobody@example.com").await;
    // Two accounts and one place.
    assert_eq!(world.number("select count(*) from sign_in_tries").await, 3);
    enter(&world, "192.0.2.7", ANN, PASSWORD).await.unwrap();
    assert_eq!(world.number("select count(*) from sign_in_tries").await, 2, "the account's is over");
    enter(&world, "192.0.2.7", ANN, PASSWORD).await.unwrap();
    assert_eq!(world.number("select count(*) from known_places").await, 1);
    for column in ["subject from sign_in_tries", "place from known_places"] {
        let hashes = world.read_bytes(&format!("select {column}")).await;
        assert!(hashes.iter().flatten().all(|hash| hash.len() == 32), "{column}");
    }
    world.advance(SignedDuration::from_hours(24) + SignedDuration::from_secs(1));
    fail(&world, 1, "198.51.100.1", "other@example.com").await;
    assert_eq!(world.number("select count(*) from sign_in_tries").await, 2, "what is old is gone");
    world.advance(SignedDuration::from_hours(91 * 24));
    enter(&world, "198.51.100.1", ANN, PASSWORD).await.unwrap();
    assert_eq!(world.number("select count(*) from known_places").await, 1, "so are places");
}
