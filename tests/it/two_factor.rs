//! Two-factor: it is asked for once it is confirmed, and what is shown for it is taken once.

use evolve_business::config::KeyMaterial;
use evolve_business::error::{Outcome, UserErrorCode as Code};
use evolve_business::security::envelope::MasterKey;
use evolve_business::security::key_ring::MasterKeys;
use evolve_business::security::keys::Keys;
use evolve_business::security::otp::OtpSecret;
use evolve_business::services::access::Caller;
use evolve_business::services::customers::{Registered, SignedIn};
use evolve_business::services::staff::StaffService;
use evolve_business::store::types::{Role, StaffRole};
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::people::{Team, address, ask, refused};
use crate::world::World;
use crate::world_accounts::{PASSWORD, refusals, shown};
use crate::world_lives::PASSWORD as PASSWORD_OF_LIVES;
use crate::world_staff::text;

both!(
    two_factor_counts_from_when_it_is_confirmed_and_not_before,
    digits_are_good_around_their_own_step_and_each_once,
    of_many_who_show_the_same_digits_at_once_one_is_let_in,
    a_recovery_code_lets_in_once,
    a_new_password_leaves_two_factor_on_and_a_refresh_asks_for_nothing,
    two_factor_is_turned_off_by_the_password_and_the_digits,
    what_was_begun_is_confirmed_within_an_hour_and_by_the_newest_device,
    an_invitation_is_no_way_around_it,
    secrets_and_recovery_codes_are_not_stored_as_they_are,
    a_second_factor_holds_when_the_master_key_is_replaced,
    staff_are_asked_for_a_second_factor_that_the_operator_turned_on,
);

/// The start of a step of 30 seconds.
const NOW: &str = "2027-01-31T09:00:00Z";
const ANN: &str = "ann@example.com";
const STAFF: &str = "admin@staff.example";
const STEP: SignedDuration = SignedDuration::from_secs(30);

/// What a person's device holds.
pub(crate) struct Device(OtpSecret);

impl Device {
    /// A device that has read the link.
    pub(crate) fn of(url: &str) -> Self {
        let base32 = url.split("secret=").nth(1).unwrap().split('&').next().unwrap();
        let (mut bits, mut held, mut bytes) = (0_u32, 0_u32, Vec::new());
        for letter in base32.bytes() {
            let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).unwrap();
            (bits, held) = ((bits << 5) | u32::try_from(value).unwrap(), held + 5);
            if held >= 8 {
                held -= 8;
                bytes.push(u8::try_from((bits >> held) & 0xff).unwrap());
            }
        }
        Self(OtpSecret::from_bytes(&bytes).unwrap())
    }

    /// The digits that it shows so many steps from now.
    pub(crate) fn shows(&self, world: &World, steps: i32) -> String {
        self.0.digits_at(world.ports.real_now() + STEP * steps).unwrap()
    }
}

/// A device that a person began with.
async fn begun(world: &World, caller: Caller) -> Device {
    Device::of(world.accounts().begin_two_factor(caller, PASSWORD.into()).await.unwrap().expose_secret())
}

/// A person whose two-factor has been on since one step ago, so that the present digits are fresh; and their recovery codes.
async fn protected(world: &World) -> (Registered, Device, Vec<String>) {
    let registered = world.register(ANN).await;
    let device = begun(world, registered.caller).await;
    let codes = world.accounts().confirm_two_factor(registered.caller, &device.shows(world, 0)).await.unwrap();
    world.advance(STEP);
    (registered, device, codes.iter().map(shown).collect())
}

async fn enter(world: &World, otp: &str) -> Outcome<SignedIn> {
    world.sign_in_with(ANN, PASSWORD, Some(otp)).await
}

fn refusal(field: &str, code: Code) -> Vec<(String, Code)> {
    vec![(field.to_owned(), code)]
}

async fn two_factor_counts_from_when_it_is_confirmed_and_not_before(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    let (ann, elsewhere) = (&team.owner, world.sign_in(ANN, PASSWORD_OF_LIVES).await.unwrap());
    let is_on =
        async || ann.data("{ viewer { user { twoFactorEnabled } } }", json!({})).await["viewer"]["user"]["twoFactorEnabled"].clone();
    let payload = ann.payload("beginTwoFactor", json!({ "password": "not-the-password" }), "otpauthUrl").await;
    assert_eq!((&payload["otpauthUrl"], &payload["userErrors"][0]["code"]), (&json!(null), &json!("INVALID_CREDENTIALS")));
    assert_eq!(payload["userErrors"][0]["field"], json!(["input", "password"]));

    let payload = ann.mutate("beginTwoFactor", json!({ "password": PASSWORD_OF_LIVES }), "otpauthUrl").await;
    let url = text(&payload["otpauthUrl"]);
    assert!(url.starts_with("otpauth://totp/Evolve:ann%40example.com?secret="), "{url}");
    let device = Device::of(&url);
    world.sign_in(ANN, PASSWORD_OF_LIVES).await.unwrap();
    assert_eq!(is_on().await, json!(false), "what is only begun changes nothing");

    for (otp, code) in [("000000", "INVALID_CREDENTIALS"), ("12345", "INVALID"), ("abcd-efgh-jkmn-pqrs", "INVALID")] {
        let payload = ann.payload("confirmTwoFactor", json!({ "otp": otp }), "recoveryCodes").await;
        assert_eq!((&payload["recoveryCodes"], &payload["userErrors"][0]["code"]), (&json!([]), &json!(code)), "{otp}");
        assert_eq!(payload["userErrors"][0]["field"], json!(["input", "otp"]));
    }
    let digits = device.shows(&world, 0);
    let payload = ann.mutate("confirmTwoFactor", json!({ "otp": digits }), "recoveryCodes").await;
    let mut codes: Vec<String> = payload["recoveryCodes"].as_array().unwrap().iter().map(text).collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 10);
    assert_eq!(is_on().await, json!(true));
    assert!(world.access(elsewhere.caller).await.is_err(), "a session from before, elsewhere, is over");

    let server = &team.server;
    for (password, otp, field, code) in [
        (PASSWORD_OF_LIVES, json!(null), json!(null), "OTP_REQUIRED"),
        (PASSWORD_OF_LIVES, json!("000000"), json!(["input", "otp"]), "INVALID_CREDENTIALS"),
        (PASSWORD_OF_LIVES, json!("00000x"), json!(["input", "otp"]), "INVALID"),
        ("not-the-password", json!(device.shows(&world, 1)), json!(null), "INVALID_CREDENTIALS"),
        // Those that confirmed it are taken.
        (PASSWORD_OF_LIVES, json!(digits), json!(["input", "otp"]), "INVALID_CREDENTIALS"),
    ] {
        let input = json!({ "email": ANN, "password": password, "otp": otp });
        let payload = server.client().payload("signIn", input, "session { accessToken }").await;
        assert_eq!(payload["session"], json!(null), "{otp}");
        if field != json!(null) || code == "INVALID_CREDENTIALS" {
            assert_eq!(payload["userErrors"][0]["field"], field, "{otp}");
        }
        assert_eq!(payload["userErrors"][0]["code"], code, "{otp}");
    }
    world.advance(STEP);
    let input = json!({ "email": ANN, "password": PASSWORD_OF_LIVES, "otp": device.shows(&world, 0) });
    server.client().mutate("signIn", input, "session { accessToken }").await;

    world.run_due_jobs().await;
    assert!(world.subjects_to(ANN).contains(&"Two-factor is on".to_owned()));
    assert_eq!(world.number("select count(*) from audit_events where action = 'user.two_factor_enabled'").await, 1);
}

async fn digits_are_good_around_their_own_step_and_each_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (_, device, _) = protected(&world).await;
    let taken = refusal("otp", Code::InvalidCredentials);
    // One step has passed since it was confirmed by step 0: this is step 1.
    world.advance(STEP);
    // Step 2: the digits of steps 0 to 4 are tried.
    assert_eq!(refusals(enter(&world, &device.shows(&world, -2)).await), taken, "step 0 is too old, and was used");
    enter(&world, &device.shows(&world, -1)).await.unwrap();
    assert_eq!(refusals(enter(&world, &device.shows(&world, -1)).await), taken, "step 1, again");
    assert_eq!(refusals(enter(&world, &device.shows(&world, 2)).await), taken, "step 4 is not shown anywhere yet");
    enter(&world, &device.shows(&world, 1)).await.unwrap();
    assert_eq!(refusals(enter(&world, &device.shows(&world, 0)).await), taken, "step 2 lies before step 3, which was taken");
    // The last moment of step 2, and then step 3: its own digits are taken; those of step 4 are next.
    world.advance(STEP);
    assert_eq!(refusals(enter(&world, &device.shows(&world, 0)).await), taken, "step 3 was taken a step ago");
    enter(&world, &device.shows(&world, 1)).await.unwrap();
    // A clock that steps back finds them all taken.
    world.advance(-STEP);
    for steps in -1..=1 {
        assert_eq!(refusals(enter(&world, &device.shows(&world, steps)).await), taken, "{steps}");
    }
}

async fn of_many_who_show_the_same_digits_at_once_one_is_let_in(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (_, device, _) = protected(&world).await;
    let sessions = world.number("select count(*) from sessions").await;
    let digits = device.shows(&world, 0);
    let tries = (0..4).map(|_| enter(&world, &digits));
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    for answer in answers.into_iter().filter(Result::is_err) {
        assert_eq!(refusals(answer), refusal("otp", Code::InvalidCredentials));
    }
    assert_eq!(world.number("select count(*) from sessions").await, sessions + 1, "the others left nothing behind");
}

async fn a_recovery_code_lets_in_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (_, _, codes) = protected(&world).await;
    let tries = (0..3).map(|_| enter(&world, &codes[0]));
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert_eq!(refusals(enter(&world, &codes[0]).await), refusal("otp", Code::InvalidCredentials));
    // However it is spelt.
    enter(&world, &codes[1].replace('-', " ").to_uppercase()).await.unwrap();
    // Another person's are nobody's here.
    let ben = world.register("ben@example.com").await;
    let device = begun(&world, ben.caller).await;
    let others = world.accounts().confirm_two_factor(ben.caller, &device.shows(&world, 0)).await.unwrap();
    assert_eq!(refusals(enter(&world, &shown(&others[0])).await), refusal("otp", Code::InvalidCredentials));
    assert_eq!(world.number("select count(*) from audit_events where action = 'user.recovery_code_used'").await, 2);
    assert_eq!(world.number("select count(*) from recovery_codes where spent_at is not null").await, 2);
    world.run_due_jobs().await;
    let told = world.subjects_to(ANN).into_iter().filter(|subject| subject == "A recovery code was used").count();
    assert_eq!((told, world.subjects_to("ben@example.com").contains(&"A recovery code was used".to_owned())), (2, false));
}

async fn a_new_password_leaves_two_factor_on_and_a_refresh_asks_for_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (registered, device, _) = protected(&world).await;
    let next = world.refresh(&registered.tokens).await.unwrap();
    world.refresh(&next).await.unwrap();
    world.accounts().request_password_reset(ANN).await.unwrap();
    world.run_due_jobs().await;
    let mail = world.mails().into_iter().find(|mail| mail.contains("reset-password#token=")).unwrap();
    let token = mail.split_once("#token=").unwrap().1.split_whitespace().next().unwrap().to_owned();
    let new = "velvet-anchor-hums-backwards";
    world.accounts().reset_password(&token, new.into(), None).await.unwrap();
    assert_eq!(refusals(world.sign_in(ANN, new).await), refusal("otp", Code::OtpRequired));
    world.sign_in_with(ANN, new, Some(&device.shows(&world, 0))).await.unwrap();
}

async fn two_factor_is_turned_off_by_the_password_and_the_digits(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (registered, device, codes) = protected(&world).await;
    let caller = registered.caller;
    let disable = async |password: &str, otp: &str| world.accounts().disable_two_factor(caller, password.into(), otp).await;
    let fresh = device.shows(&world, 0);
    assert_eq!(refusals(disable("not-the-password", &fresh).await), refusal("password", Code::InvalidCredentials));
    assert_eq!(refusals(disable(PASSWORD, "none").await), refusal("otp", Code::Invalid));
    assert_eq!(refusals(disable(PASSWORD, "000000").await), refusal("otp", Code::InvalidCredentials));
    let begin = world.accounts().begin_two_factor(caller, PASSWORD.into()).await;
    assert_eq!(refusals(begin), refusal("", Code::InvalidTransition), "it is on");
    assert_eq!(refusals(world.sign_in(ANN, PASSWORD).await), refusal("otp", Code::OtpRequired), "nothing was changed");

    let user = disable(PASSWORD, &fresh).await.unwrap();
    assert_eq!(user.two_factor_at, None);
    world.sign_in(ANN, PASSWORD).await.unwrap();
    assert_eq!(refusals(disable(PASSWORD, &device.shows(&world, 1)).await), refusal("", Code::NoChange));
    assert_eq!(refusals(world.accounts().confirm_two_factor(caller, &fresh).await), refusal("", Code::InvalidTransition));
    assert_eq!(world.count("second_factors", "true").await + world.count("recovery_codes", "true").await, 0);

    // On again, and off by a recovery code of the new ones; the old ones are gone.
    let device = begun(&world, caller).await;
    let new = world.accounts().confirm_two_factor(caller, &device.shows(&world, 0)).await.unwrap();
    assert_eq!(refusals(disable(PASSWORD, &codes[0]).await), refusal("otp", Code::InvalidCredentials));
    disable(PASSWORD, &shown(&new[0])).await.unwrap();
    world.run_due_jobs().await;
    let off = world.subjects_to(ANN).into_iter().filter(|subject| subject == "Two-factor is off").count();
    assert_eq!(off, 2);
    let actions = world.read_texts("select action from audit_events where action like 'user.%' order by sequence").await;
    let on_off = ["user.two_factor_enabled", "user.two_factor_disabled", "user.two_factor_enabled"];
    assert_eq!(actions, [&on_off[..], &["user.recovery_code_used", "user.two_factor_disabled"]].concat());
}

async fn what_was_begun_is_confirmed_within_an_hour_and_by_the_newest_device(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let caller = world.register(ANN).await.caller;
    let confirm = async |otp: String| world.accounts().confirm_two_factor(caller, &otp).await;
    assert_eq!(refusals(confirm("123456".to_owned()).await), refusal("", Code::InvalidTransition), "nothing was begun");
    let first = begun(&world, caller).await;
    let second = begun(&world, caller).await;
    assert_eq!(refusals(confirm(first.shows(&world, 0)).await), refusal("otp", Code::InvalidCredentials));
    world.advance(SignedDuration::from_hours(1));
    assert_eq!(refusals(confirm(second.shows(&world, 0)).await), refusal("", Code::InvalidTransition));
    world.advance(SignedDuration::from_micros(-1));
    confirm(second.shows(&world, 0)).await.unwrap();
    // Both begin at once: one device is left, and no more.
    let other = world.register("ben@example.com").await.caller;
    let (one, two) = tokio::join!(begun(&world, other), begun(&world, other));
    let confirmed = [one, two].map(|device| device.shows(&world, 0)).map(|otp| {
        let accounts = world.accounts();
        async move { accounts.confirm_two_factor(other, &otp).await.is_ok() }
    });
    let confirmed = futures::future::join_all(confirmed).await;
    assert_eq!(confirmed.iter().filter(|done| **done).count(), 1);
}

async fn an_invitation_is_no_way_around_it(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[("ben", Role::Member)]).await;
    let ben = world.sign_in(&address("ben"), PASSWORD).await.unwrap();
    let device = begun(&world, ben.caller).await;
    world.accounts().confirm_two_factor(ben.caller, &device.shows(&world, 0)).await.unwrap();
    let eve = crate::world_lives::register(&team.server, "eve").await.0;
    world.run_due_jobs().await;
    world.advance(STEP);
    let made = ask(&eve, "inviteMember", json!({ "email": address("ben"), "role": "ADMIN" }), "invitation { id }").await;
    assert_eq!(made["data"]["inviteMember"]["userErrors"], json!([]), "{made}");
    world.run_due_jobs().await;
    let token = world.mailed_token();
    let accept = async |otp: Option<&str>| {
        let input = json!({ "token": token, "password": PASSWORD, "otp": otp });
        ask(&team.server.client(), "acceptInvitation", input, "session { accessToken } member { role }").await
    };
    let digits = device.shows(&world, 0);
    for (otp, code) in [(None, "OTP_REQUIRED"), (Some("000000"), "INVALID_CREDENTIALS"), (Some("x"), "INVALID")] {
        assert_eq!(refused(&accept(otp).await, "acceptInvitation"), code, "{otp:?}");
    }
    let came = accept(Some(&digits)).await;
    assert_eq!(came["data"]["acceptInvitation"]["member"]["role"], "ADMIN", "{came}");
}

async fn secrets_and_recovery_codes_are_not_stored_as_they_are(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (registered, device, codes) = protected(&world).await;
    let secret = device.0.expose();
    // 1 version + 8 key id + 24 nonce + 20 secret + 16 tag.
    for (column, length) in [("secret_sealed", 69), ("wrapped_key", 81)] {
        let stored = world.read_bytes(&format!("select {column} from second_factors")).await.remove(0).unwrap();
        assert_eq!(stored.len(), length, "{column}");
        assert!(!stored.windows(8).any(|part| secret.starts_with(part)), "{column}");
    }
    let hashes = world.read_bytes("select hash from recovery_codes").await;
    assert!(hashes.len() == 10 && hashes.iter().flatten().all(|hash| hash.len() == 32));
    for column in ["details from mails", "details from audit_events", "payload from events"] {
        let texts = world.read_texts(&format!("select {column}")).await;
        assert!(texts.iter().all(|found| codes.iter().all(|code| !found.contains(&code[..9]))), "{column}");
    }
    // A secret that was moved to another person does not open: nobody is let in, and nothing is told of why.
    let ben = world.register("ben@example.com").await;
    begun(&world, ben.caller).await;
    let ids = [registered.user.id, ben.user.id].map(|id| world.uuid_literal(id.uuid().as_u128()));
    let from = |column: &str| format!("{column} = (select {column} from second_factors where holder_id = {})", ids[0]);
    let moved = format!("update second_factors set {}, {} where holder_id = {}", from("secret_sealed"), from("wrapped_key"), ids[1]);
    assert_eq!(world.run_sql(&moved).await, 1);
    let client = server.holder(&json!(shown(&ben.tokens.access_token)));
    let answer = ask(&client, "confirmTwoFactor", json!({ "otp": device.shows(&world, 0) }), "recoveryCodes").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");
}

async fn a_second_factor_holds_when_the_master_key_is_replaced(db: TestDatabase) {
    let mut world = World::at(db, NOW).await;
    let (_, device, _) = protected(&world).await;
    let keys = Keys::load_or_create(world.database.dir.path(), world.ports.rng.as_ref()).unwrap();
    let new = || MasterKey::new(KeyMaterial::from_bytes([9; 32]));
    world.master_keys(MasterKeys::new(new(), Some(keys.master)));
    // That of the person and of their business.
    assert_eq!(world.rotate(false).await.rewrapped, 2);
    world.master_keys(MasterKeys::new(new(), None));
    enter(&world, &device.shows(&world, 0)).await.unwrap();
}

async fn staff_are_asked_for_a_second_factor_that_the_operator_turned_on(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let service = StaffService::new(world.ports.clone());
    let admin = world.staff(&server, StaffRole::Admin).await;
    let (url, codes) = service.enable_two_factor(STAFF).await.unwrap();
    let device = Device::of(&shown(&url));
    assert_eq!(codes.len(), 10);
    let answer = admin.ask("{ staffViewer { id } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "who was signed in shows both from here on");

    let enter = async |otp: Option<&str>| {
        let input = json!({ "email": STAFF, "password": PASSWORD_OF_LIVES, "otp": otp });
        server.staff().payload("staffSignIn", input, "session { accessToken } staffUser { twoFactorEnabled }").await
    };
    let (digits, code) = (device.shows(&world, 0), shown(&codes[0]));
    assert_eq!(enter(None).await["userErrors"][0]["code"], "OTP_REQUIRED");
    assert_eq!(enter(Some("000000")).await["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    assert_eq!(enter(Some(&digits)).await["staffUser"]["twoFactorEnabled"], true);
    assert_eq!(enter(Some(&digits)).await["userErrors"][0]["code"], "INVALID_CREDENTIALS", "once");
    assert_eq!(enter(Some(&code)).await["userErrors"], json!([]));
    assert_eq!(enter(Some(&code)).await["userErrors"][0]["code"], "INVALID_CREDENTIALS", "once");
    assert_eq!(world.number("select count(*) from staff_mails").await, 1, "of the code that let in, and of nothing else");
    // Anew: the device and the codes before it are worth nothing.
    let (url, _) = service.enable_two_factor(STAFF).await.unwrap();
    world.advance(STEP);
    assert_eq!(enter(Some(&device.shows(&world, 0))).await["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    assert_eq!(enter(Some(&shown(&codes[1]))).await["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    assert_eq!(enter(Some(&Device::of(&shown(&url)).shows(&world, 0))).await["userErrors"], json!([]));

    service.disable_two_factor(STAFF).await.unwrap();
    assert_eq!(enter(None).await["staffUser"]["twoFactorEnabled"], false);
    assert_eq!(refusals(service.disable_two_factor(STAFF).await), refusal("email", Code::NoChange));
    assert_eq!(refusals(service.enable_two_factor("nobody@staff.example").await), refusal("email", Code::NotFound));
    let acts = world.read_texts("select action || ' ' || actor from platform_audit_events where sequence > 1 order by sequence").await;
    let used = world.read_texts("select 'staff.recovery_code_used ' || actor from platform_audit_events where action like '%used'").await;
    let operators = ["staff.two_factor_enabled system", &used[0], "staff.two_factor_enabled system", "staff.two_factor_disabled system"];
    assert_eq!(acts, operators);
    assert!(used[0].contains(" stf_"), "{used:?}");
}
