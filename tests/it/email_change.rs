//! Changing the address that somebody signs in with: it counts from when the link to the new one is followed, for one of those who
//! want it, and tells nobody who has an account.

use evolve_business::error::UserErrorCode as Code;
use evolve_business::services::access::Caller;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::{PASSWORD, newcomer, refusals, shown};

both!(
    an_address_changes_when_the_link_to_the_new_one_is_followed,
    whether_somebody_has_the_address_shows_nowhere,
    of_two_who_want_one_address_one_has_it,
    of_a_change_and_a_registration_one_has_the_address,
    the_newest_change_counts_and_a_new_password_takes_it_back,
    links_to_the_old_address_are_worth_nothing_afterwards,
    what_cannot_be_changed_is_refused_and_changes_nothing,
);

const NOW: &str = "2027-01-31T09:00:00Z";
const ANN: &str = "ann@example.com";
const NEW: &str = "Ann@Baraka.example";
const OTHER_PASSWORD: &str = "velvet-anchor-hums-backwards";

/// The tokens that were mailed to an address, the oldest first.
fn tokens_to(world: &World, address: &str) -> Vec<String> {
    let to = format!("\nTo: {address}\n");
    let mails = world.mails().into_iter().filter(|mail| mail.contains(&to));
    let token = |mail: String| Some(mail.split_once("#token=")?.1.split_whitespace().next()?.to_owned());
    mails.filter_map(token).collect()
}

/// Asks for a change, and has its mails sent.
async fn ask(world: &World, caller: Caller, email: &str) {
    world.accounts().change_email(caller, email, PASSWORD.into()).await.unwrap();
    world.run_due_jobs().await;
}

/// A person who was welcomed, so that the mails that follow are all there are.
async fn person(world: &World, email: &str) -> Caller {
    let caller = world.register(email).await.caller;
    world.run_due_jobs().await;
    world.advance(SignedDuration::from_secs(1));
    caller
}

fn refusal(field: &str, code: Code) -> Vec<(String, Code)> {
    vec![(field.to_owned(), code)]
}

async fn emails(world: &World) -> Vec<String> {
    world.read_texts("select email from users order by email_key").await
}

async fn an_address_changes_when_the_link_to_the_new_one_is_followed(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let registered = world.register(ANN).await;
    world.run_due_jobs().await;
    let client = server.holder(&json!(shown(&registered.tokens.access_token)));
    let input = json!({ "email": NEW, "password": PASSWORD });
    let payload = client.mutate("changeEmail", input, "user { email emailVerified }").await;
    assert_eq!(payload["user"], json!({ "email": ANN, "emailVerified": false }), "not yet");
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to(NEW), ["Confirm your new e-mail address"]);
    assert_eq!(world.subjects_to(ANN), ["Welcome to Evolve, Wanjiru Kamau", "Your e-mail address is to change"]);
    assert_eq!((emails(&world).await, tokens_to(&world, ANN).len()), (vec![ANN.to_owned()], 1), "the old address gets no link");
    world.sign_in(ANN, PASSWORD).await.unwrap();
    assert_eq!(refusals(world.sign_in(NEW, PASSWORD).await), refusal("", Code::InvalidCredentials));

    let token = tokens_to(&world, NEW).remove(0);
    let confirmed = server.client().mutate("confirmEmail", json!({ "token": token }), "user { email emailVerified }").await;
    assert_eq!(confirmed["user"], json!({ "email": NEW, "emailVerified": true }));
    world.sign_in("ann@baraka.example", PASSWORD).await.unwrap();
    assert_eq!(refusals(world.sign_in(ANN, PASSWORD).await), refusal("", Code::InvalidCredentials));
    assert_eq!(refusals(world.accounts().confirm_email(&token).await), refusal("token", Code::TokenExpired), "once");
    // Whoever is signed in stays so.
    let viewer = client.data("{ viewer { user { email } } }", json!({})).await;
    assert_eq!(viewer["viewer"]["user"]["email"], NEW);
    let actions = world.read_texts("select action from audit_events where action like 'user.%' order by sequence").await;
    assert_eq!(actions, ["user.email_change_requested", "user.email_changed"]);
    let details = world.read_texts("select details from audit_events").await;
    assert!(details.iter().all(|details| !details.contains('@')), "{details:?}");
    // The old address is free.
    world.register(ANN).await;
}

async fn whether_somebody_has_the_address_shows_nowhere(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    person(&world, "ben@example.com").await;
    let registered = world.register(ANN).await;
    world.run_due_jobs().await;
    let client = server.holder(&json!(shown(&registered.tokens.access_token)));
    let mut answers = Vec::new();
    for email in ["ben@example.com", "nobody@example.com"] {
        let before = world.ports.passwords.hashes_computed();
        answers.push(client.payload("changeEmail", json!({ "email": email, "password": PASSWORD }), "user { email }").await);
        assert_eq!(world.ports.passwords.hashes_computed() - before, 1, "{email}");
        world.run_due_jobs().await;
        assert_eq!(world.subjects_to(email).last().unwrap(), "Confirm your new e-mail address");
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0]["userErrors"], json!([]));
    // To whoever reads the address's mail it shows, and nothing is taken from who has it.
    ask(&world, registered.caller, "ben@example.com").await;
    let token = tokens_to(&world, "ben@example.com").pop().unwrap();
    let refused = server.client().payload("confirmEmail", json!({ "token": token }), "user { id }").await;
    assert_eq!((&refused["user"], &refused["userErrors"][0]["code"]), (&Value::Null, &json!("TAKEN")));
    assert_eq!(emails(&world).await, [ANN, "ben@example.com"]);
}

async fn of_two_who_want_one_address_one_has_it(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (ann, ben) = (person(&world, ANN).await, person(&world, "ben@example.com").await);
    for caller in [ann, ben] {
        ask(&world, caller, NEW).await;
    }
    let tokens = tokens_to(&world, NEW);
    assert_eq!(tokens.len(), 2);
    let claims = tokens.iter().map(|token| {
        let accounts = world.accounts();
        async move { accounts.confirm_email(token).await }
    });
    let answers = futures::future::join_all(claims).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    for answer in answers.into_iter().filter(Result::is_err) {
        assert_eq!(refusals(answer), refusal("token", Code::Taken));
    }
    assert_eq!(emails(&world).await.iter().filter(|email| *email == NEW).count(), 1);
    assert_eq!(world.number("select count(*) from audit_events where action = 'user.email_changed'").await, 1);
}

async fn of_a_change_and_a_registration_one_has_the_address(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let ann = person(&world, ANN).await;
    ask(&world, ann, NEW).await;
    let token = tokens_to(&world, NEW).remove(0);
    let accounts = world.accounts();
    let (changed, registered) = tokio::join!(accounts.confirm_email(&token), accounts.register(newcomer(NEW), None));
    assert_ne!(changed.is_ok(), registered.is_ok(), "{changed:?} {registered:?}");
    assert_eq!(emails(&world).await.iter().filter(|email| *email == NEW).count(), 1);
}

async fn the_newest_change_counts_and_a_new_password_takes_it_back(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let ann = person(&world, ANN).await;
    let expired = refusal("token", Code::TokenExpired);
    ask(&world, ann, "first@example.com").await;
    world.advance(SignedDuration::from_secs(1));
    ask(&world, ann, "second@example.com").await;
    let first = tokens_to(&world, "first@example.com").remove(0);
    assert_eq!(refusals(world.accounts().confirm_email(&first).await), expired);
    let second = tokens_to(&world, "second@example.com").remove(0);
    world.accounts().change_password(ann, PASSWORD.into(), OTHER_PASSWORD.into()).await.unwrap();
    assert_eq!(refusals(world.accounts().confirm_email(&second).await), expired);
    assert_eq!(emails(&world).await, [ANN]);
    // A mail that waited while the change was taken back goes nowhere.
    world.accounts().change_email(ann, "third@example.com", OTHER_PASSWORD.into()).await.unwrap();
    world.accounts().change_password(ann, OTHER_PASSWORD.into(), PASSWORD.into()).await.unwrap();
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("third@example.com"), Vec::<String>::new());
}

async fn links_to_the_old_address_are_worth_nothing_afterwards(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let ann = person(&world, ANN).await;
    ask(&world, ann, NEW).await;
    world.advance(SignedDuration::from_hours(71));
    world.accounts().request_password_reset(ANN).await.unwrap();
    world.run_due_jobs().await;
    let reset = tokens_to(&world, ANN).pop().unwrap();
    let token = tokens_to(&world, NEW).remove(0);
    assert_eq!(refusals(world.accounts().reset_password(&token, OTHER_PASSWORD.into(), None).await), refusal("token", Code::TokenExpired));
    world.accounts().confirm_email(&token).await.unwrap();
    assert_eq!(refusals(world.accounts().reset_password(&reset, OTHER_PASSWORD.into(), None).await), refusal("token", Code::TokenExpired));
    world.sign_in(NEW, PASSWORD).await.unwrap();
}

async fn what_cannot_be_changed_is_refused_and_changes_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let ann = person(&world, ANN).await;
    let change = async |email: &str, password: &str| world.accounts().change_email(ann, email, password.into()).await;
    assert_eq!(refusals(change(NEW, "not-the-password").await), refusal("password", Code::InvalidCredentials));
    assert_eq!(refusals(change("nobody", PASSWORD).await), refusal("email", Code::Invalid));
    assert_eq!(refusals(change(" ANN@example.com ", PASSWORD).await), refusal("email", Code::NoChange));
    assert_eq!(world.count("email_changes", "true").await, 0);
    for number in 0..3 {
        change(&format!("new{number}@example.com"), PASSWORD).await.unwrap();
    }
    assert_eq!(refusals(change(NEW, PASSWORD).await), refusal("", Code::RateLimited), "no more than three an hour");
    world.advance(SignedDuration::from_hours(1));
    change(NEW, PASSWORD).await.unwrap();
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("new2@example.com"), Vec::<String>::new(), "the last one counts, and its mails go out");
    assert_eq!(world.subjects_to(NEW).len(), 1);
}
