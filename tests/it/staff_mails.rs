//! Mails to staff: told once, tried again where a server may take them later, and given up in the end.

use std::sync::Arc;

use async_trait::async_trait;
use evolve_business::adapters::mail::{Mail, MailError, Mailer};
use evolve_business::services::staff::StaffService;
use evolve_business::services::{Ports, retention};
use evolve_business::store::spent::Spent;
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::json;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::shown;
use crate::world_lives::PASSWORD;

const NOW: &str = "2027-01-31T09:00:00Z";
const STAFF: &str = "admin@staff.example";

both!(
    a_recovery_code_that_a_member_of_staff_used_is_mailed_to_them_once,
    a_mail_to_staff_is_tried_again_and_given_up_in_the_end,
    a_mail_to_staff_goes_in_its_time,
);

/// A member of staff with a second factor, and their recovery codes.
async fn protected(world: &World) -> (Server, StaffService, Vec<String>) {
    let server = Server::start(world).await;
    world.staff(&server, StaffRole::Admin).await;
    let service = StaffService::new(world.ports.clone());
    let (_, codes) = service.enable_two_factor(STAFF).await.unwrap();
    (server, service, codes.iter().map(shown).collect())
}

/// Signs in by a recovery code; answers the code of a refusal, if there is one.
async fn enters(server: &Server, code: &str) -> Option<String> {
    let input = json!({ "email": STAFF, "password": PASSWORD, "otp": code });
    let payload = server.staff().payload("staffSignIn", input, "session { accessToken }").await;
    payload["userErrors"][0]["code"].as_str().map(str::to_owned)
}

/// What became of every mail, the first first.
async fn states(world: &World) -> Vec<String> {
    world.read_texts("select status || ' ' || attempts || ' ' || coalesce(error, '') from staff_mails order by created_at, id").await
}

async fn a_recovery_code_that_a_member_of_staff_used_is_mailed_to_them_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, service, codes) = protected(&world).await;
    assert_eq!(enters(&server, "0000-0000-0000-0000").await.as_deref(), Some("INVALID_CREDENTIALS"));
    assert_eq!(service.send_mails().await.unwrap(), 0, "one that is none lets nobody in, and is told to nobody");
    assert_eq!(enters(&server, &codes[0]).await, None);
    assert_eq!(enters(&server, &codes[0]).await.as_deref(), Some("INVALID_CREDENTIALS"));
    // Several look at once.
    let looks = futures::future::join_all((0..4).map(|_| service.send_mails())).await;
    assert_eq!(looks.into_iter().map(Result::unwrap).sum::<usize>(), 1);
    assert_eq!(world.subjects_to(STAFF), ["A recovery code was used"]);
    let mail = world.mails().pop().unwrap();
    assert!(mail.contains("staff API") && !mail.contains("Open the application"), "{mail}");
    assert!(!mail.contains(&codes[0]));
    assert_eq!(service.send_mails().await.unwrap(), 0);
    assert_eq!(states(&world).await, ["SENT 1 "]);
}

/// A server that takes nothing.
struct Refuses {
    transient: bool,
}

#[async_trait]
impl Mailer for Refuses {
    async fn send(&self, _mail: &Mail) -> Result<(), MailError> {
        Err(MailError { transient: self.transient, cause: "no room\r\nhere".into() })
    }
}

fn refusing(world: &World, transient: bool) -> StaffService {
    let ports: Ports = world.mailing(Arc::new(Refuses { transient }));
    StaffService::new(ports)
}

async fn a_mail_to_staff_is_tried_again_and_given_up_in_the_end(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, service, codes) = protected(&world).await;
    let busy = refusing(&world, true);
    enters(&server, &codes[0]).await;
    for _ in 0..2 {
        assert_eq!(busy.send_mails().await.unwrap(), 0);
        assert_eq!(states(&world).await, ["QUEUED 1 no room  here"], "not before its time");
    }
    world.advance(SignedDuration::from_secs(15));
    assert_eq!(service.send_mails().await.unwrap(), 1);
    assert_eq!(states(&world).await, ["SENT 2 "]);

    world.advance(SignedDuration::from_secs(1));
    enters(&server, &codes[1]).await;
    for _ in 0..20 {
        world.advance(SignedDuration::from_mins(30));
        busy.send_mails().await.unwrap();
    }
    assert_eq!(states(&world).await[1], "FAILED 15 no room  here");
    // What is refused for good is given up at once; so is what is for somebody who is gone.
    enters(&server, &codes[2]).await;
    refusing(&world, false).send_mails().await.unwrap();
    assert_eq!(states(&world).await[2], "FAILED 1 no room  here");
    world.advance(SignedDuration::from_secs(1));
    enters(&server, &codes[3]).await;
    service.remove(STAFF).await.unwrap();
    assert_eq!(service.send_mails().await.unwrap(), 0);
    assert_eq!(states(&world).await[3], "FAILED 1 there is no such member of staff any more");
    assert_eq!(world.subjects_to(STAFF).len(), 1);
}

async fn a_mail_to_staff_goes_in_its_time(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, service, codes) = protected(&world).await;
    enters(&server, &codes[0]).await;
    service.send_mails().await.unwrap();
    world.advance(SignedDuration::from_hours(24));
    enters(&server, &codes[1]).await;
    let keep = SignedDuration::from_hours(90 * 24);
    let swept = async || -> u64 {
        let all = retention::sweep(&world.ports, keep).await.unwrap();
        all.into_iter().filter(|(kind, _)| *kind == Spent::StaffMails).map(|(_, count)| count).sum()
    };
    world.advance(SignedDuration::from_hours(89 * 24));
    assert_eq!(swept().await, 0);
    world.advance(SignedDuration::from_secs(1));
    assert_eq!(swept().await, 1);
    world.advance(SignedDuration::from_hours(365 * 24));
    assert_eq!(swept().await, 0, "what was not sent yet stays");
    assert_eq!(states(&world).await, ["QUEUED 0 "]);
}
