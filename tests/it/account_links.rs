//! Links in mails: each works once, in its time, for what it is for; nobody learns from them who has an account.

use evolve_business::error::UserErrorCode;
use evolve_business::services::customers::Registered;
use jiff::SignedDuration;
use serde_json::json;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::{PASSWORD, refusals, shown};

const NOW: &str = "2027-01-31T09:00:00Z";
const NEW: &str = "velvet-anchor-hums-backwards";

both!(
    a_registration_is_welcomed_and_its_address_confirmed_once,
    a_link_to_confirm_is_good_for_three_days,
    a_new_password_is_chosen_once_and_ends_every_session,
    a_new_password_is_told_to_whose_it_is,
    a_link_to_a_new_password_is_of_the_address_that_it_was_mailed_to,
    a_link_to_a_new_password_is_good_for_thirty_minutes_and_for_nothing_else,
    a_weak_password_is_refused_and_the_link_stays_good,
    an_address_that_nobody_has_answers_the_same_and_gets_no_mail,
    no_more_than_three_mails_an_hour_are_asked_for,
    a_token_is_stored_as_a_hash_alone,
    links_are_asked_for_and_spent_over_the_api_by_nobody_in_particular,
);

fn expired<T: std::fmt::Debug>(outcome: evolve_business::error::Outcome<T>) -> bool {
    refusals(outcome) == [("token".to_owned(), UserErrorCode::TokenExpired)]
}

/// A business whose owner was welcomed a second ago, so that the next mail is the newest.
async fn welcomed(world: &World) -> Registered {
    let registered = world.register("ann@example.com").await;
    world.run_due_jobs().await;
    world.advance(SignedDuration::from_secs(1));
    registered
}

async fn a_registration_is_welcomed_and_its_address_confirmed_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let registered = world.register("ann@example.com").await;
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("ann@example.com"), ["Welcome to Evolve, Wanjiru Kamau"]);
    assert!(world.mails()[0].contains("https://app.evolve.test/confirm-email#token=evl_"));
    let token = world.mailed_token();
    let user = world.accounts().confirm_email(&token).await.unwrap();
    assert_eq!((user.id, user.email_verified_at.is_some()), (registered.user.id, true));
    assert!(expired(world.accounts().confirm_email(&token).await), "once");
    // Confirmed: nothing is mailed any more.
    world.accounts().resend_confirmation("ann@example.com").await.unwrap();
    world.run_due_jobs().await;
    assert_eq!(world.mails().len(), 1);
    for bad in ["", "evl_", "x", "evl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert!(expired(world.accounts().confirm_email(bad).await), "{bad}");
    }
}

async fn a_link_to_confirm_is_good_for_three_days(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register("ann@example.com").await;
    world.run_due_jobs().await;
    let first = world.mailed_token();
    world.advance(SignedDuration::from_hours(72));
    assert!(expired(world.accounts().confirm_email(&first).await));
    world.accounts().resend_confirmation("ANN@example.com").await.unwrap();
    world.run_due_jobs().await;
    let second = world.mailed_token();
    assert!(expired(world.accounts().reset_password(&second, NEW.into(), None).await), "it is for something else");
    world.advance(SignedDuration::from_hours(72) - SignedDuration::from_micros(1));
    world.accounts().confirm_email(&second).await.unwrap();
}

async fn a_new_password_is_chosen_once_and_ends_every_session(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let registered = welcomed(&world).await;
    world.accounts().request_password_reset(" Ann@Example.com ").await.unwrap();
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("ann@example.com").last().unwrap(), "Choose a new password");
    let token = world.mailed_token();
    let (one, other) = tokio::join!(async { world.accounts().reset_password(&token, NEW.into(), None).await }, async {
        world.accounts().reset_password(&token, NEW.into(), None).await
    });
    assert_eq!([&one, &other].iter().filter(|done| done.is_ok()).count(), 1, "{one:?} {other:?}");
    assert!(world.access(registered.caller).await.is_err(), "the session is over");
    assert!(world.refresh(&registered.tokens).await.is_err());
    assert!(world.sign_in("ann@example.com", PASSWORD).await.is_err());
    world.sign_in("ann@example.com", NEW).await.unwrap();
    assert!(expired(world.accounts().reset_password(&token, PASSWORD.into(), None).await));
    assert_eq!(world.number("select count(*) from audit_events where action = 'user.password_reset'").await, 1);
}

async fn a_new_password_is_told_to_whose_it_is(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let registered = welcomed(&world).await;
    let client = server.holder(&json!(shown(&registered.tokens.access_token)));
    let told = || world.subjects_to("ann@example.com").iter().filter(|subject| *subject == "Your password was changed").count();
    let wrong = json!({ "currentPassword": "not-the-password", "newPassword": NEW });
    assert_eq!(client.payload("changePassword", wrong, "__typename").await["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    world.run_due_jobs().await;
    assert_eq!(told(), 0);
    client.mutate("changePassword", json!({ "currentPassword": PASSWORD, "newPassword": NEW }), "__typename").await;
    world.run_due_jobs().await;
    assert_eq!(told(), 1);
    // By the link of a mail too, where nobody is signed in.
    world.advance(SignedDuration::from_secs(1));
    world.accounts().request_password_reset("ann@example.com").await.unwrap();
    world.run_due_jobs().await;
    let input = json!({ "token": world.mailed_token(), "password": PASSWORD });
    server.client().mutate("resetPassword", input, "__typename").await;
    world.run_due_jobs().await;
    assert_eq!(told(), 2);
    assert!(world.mails().iter().all(|mail| !mail.contains(NEW) && !mail.contains(PASSWORD)));
}

async fn a_link_to_a_new_password_is_of_the_address_that_it_was_mailed_to(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    welcomed(&world).await;
    world.accounts().request_password_reset("ann@example.com").await.unwrap();
    world.run_due_jobs().await;
    let token = world.mailed_token();
    // The mail went out at the moment in which the address was changed: the link was not there yet to be spent by that.
    world.run_sql("update users set email = 'new@example.com', email_key = 'new@example.com'").await;
    assert!(expired(world.accounts().reset_password(&token, NEW.into(), None).await));
    world.run_sql("update users set email = 'Ann@Example.com', email_key = 'ann@example.com'").await;
    world.accounts().reset_password(&token, NEW.into(), None).await.unwrap();
}

async fn a_link_to_a_new_password_is_good_for_thirty_minutes_and_for_nothing_else(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    welcomed(&world).await;
    world.accounts().request_password_reset("ann@example.com").await.unwrap();
    // It is good from when it is mailed.
    world.advance(SignedDuration::from_hours(2));
    world.run_due_jobs().await;
    let token = world.mailed_token();
    assert!(expired(world.accounts().confirm_email(&token).await));
    world.advance(SignedDuration::from_mins(30));
    assert!(expired(world.accounts().reset_password(&token, NEW.into(), None).await));
    world.sign_in("ann@example.com", PASSWORD).await.unwrap();
}

async fn a_weak_password_is_refused_and_the_link_stays_good(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    welcomed(&world).await;
    world.accounts().request_password_reset("ann@example.com").await.unwrap();
    world.run_due_jobs().await;
    let token = world.mailed_token();
    let weak = refusals(world.accounts().reset_password(&token, "password".into(), None).await);
    assert_eq!(weak, [("password".to_owned(), UserErrorCode::WeakPassword)]);
    world.accounts().reset_password(&token, NEW.into(), None).await.unwrap();
}

async fn an_address_that_nobody_has_answers_the_same_and_gets_no_mail(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    for address in ["nobody@example.com", "no address"] {
        let began = std::time::Instant::now();
        world.accounts().request_password_reset(address).await.unwrap();
        world.accounts().resend_confirmation(address).await.unwrap();
        assert!(began.elapsed().as_millis() >= 400, "each waits for longer than the mail of somebody who is there takes");
    }
    assert_eq!(world.run_due_jobs().await, 0);
    assert_eq!(world.mails().len(), 0);
    assert_eq!(world.number("select count(*) from account_requests").await, 4, "they are counted all the same");
}

async fn no_more_than_three_mails_an_hour_are_asked_for(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register("ann@example.com").await;
    world.run_due_jobs().await;
    for _ in 0..5 {
        world.accounts().request_password_reset("ann@example.com").await.unwrap();
    }
    world.run_due_jobs().await;
    assert_eq!(world.mails().len(), 1 + 3);
    world.accounts().resend_confirmation("ann@example.com").await.unwrap();
    world.advance(SignedDuration::from_hours(1));
    world.accounts().request_password_reset("ann@example.com").await.unwrap();
    world.run_due_jobs().await;
    assert_eq!(world.mails().len(), 1 + 3 + 2, "each purpose and each hour has its own three");
    world.advance(SignedDuration::from_hours(25));
    world.accounts().request_password_reset("ann@example.com").await.unwrap();
    assert_eq!(world.number("select count(*) from account_requests").await, 1, "what is old is forgotten");
}

async fn a_token_is_stored_as_a_hash_alone(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.register("ann@example.com").await;
    world.run_due_jobs().await;
    let token = world.mailed_token();
    assert_eq!(world.number("select count(*) from account_tokens").await, 1);
    for (table, column) in [("mails", "details"), ("events", "payload"), ("notifications", "body"), ("jobs", "job_key")] {
        let texts = world.read_texts(&format!("select {column} from {table}")).await;
        assert!(texts.iter().all(|text| !text.contains(&token) && !text.contains("evl_")), "{table}: {texts:?}");
    }
}

async fn links_are_asked_for_and_spent_over_the_api_by_nobody_in_particular(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let registered = welcomed(&world).await;
    let nobody = server.client();
    let confirmed = nobody.mutate("confirmEmail", json!({ "token": world.mailed_token() }), "user { id emailVerified }").await;
    assert_eq!(confirmed["user"], json!({ "id": registered.user.id.to_string(), "emailVerified": true }));
    for operation in ["requestPasswordReset", "resendConfirmation"] {
        let known = nobody.payload(operation, json!({ "email": "ann@example.com" }), "__typename").await;
        let unknown = nobody.payload(operation, json!({ "email": "nobody@example.com" }), "__typename").await;
        assert_eq!(known, unknown, "{operation}");
    }
    world.run_due_jobs().await;
    let token = world.mailed_token();
    let weak = nobody.payload("resetPassword", json!({ "token": token, "password": "short" }), "__typename").await;
    assert_eq!(weak["userErrors"][0]["field"], json!(["input", "password"]));
    nobody.mutate("resetPassword", json!({ "token": token, "password": NEW }), "__typename").await;
    let again = nobody.payload("resetPassword", json!({ "token": token, "password": NEW }), "__typename").await;
    assert_eq!((&again["userErrors"][0]["code"], &again["userErrors"][0]["field"]), (&json!("TOKEN_EXPIRED"), &json!(["input", "token"])));
}
