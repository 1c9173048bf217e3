//! Tickets of support, on both sides of the API.

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::{Role, StaffRole};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::PASSWORD;
use crate::world_catalog::Statements;
use crate::world_keys::{make_key, program};
use crate::world_lives::register;
use crate::world_staff::code;

const NOW: &str = "2027-01-31T09:00:00Z";
const TICKET: &str = "ticket { id number subject status priority messages(first: 10) { totalCount nodes { id author fromStaff body } } }";
const SHOWN: &str = "query($id: ID!) { supportTicket(id: $id) { status messages(first: 10) { totalCount nodes { body } } } }";
const LIST: &str = "query($s: [TicketStatus!]) { supportTickets(status: $s, first: 50) { totalCount nodes { number } } }";

both!(
    a_ticket_goes_back_and_forth_and_each_side_is_told,
    what_nobody_answers_is_resolved_after_a_week_and_closed_after_another,
    a_plain_member_sees_the_tickets_that_they_opened_and_no_others,
    what_cannot_be_said_is_refused_and_changes_nothing,
    a_suspended_business_still_reaches_support,
    a_key_for_support_writes_in_its_own_name_and_reads_nothing,
    tickets_and_their_messages_take_the_same_statements_for_one_and_for_thirty,
);

/// Opens a ticket; answers its id.
async fn open(client: &Client, subject: &str) -> String {
    let input = json!({ "subject": subject, "body": "Please look." });
    client.mutate("openSupportTicket", input, TICKET).await["ticket"]["id"].as_str().unwrap().to_owned()
}

/// Somebody who signs in anew, by an address.
async fn signed_in(server: &Server, email: &str) -> Client {
    let mut client = server.client();
    let input = json!({ "email": email, "password": PASSWORD });
    let session = client.mutate("signIn", input, "session { accessToken }").await;
    client.token = Some(session["session"]["accessToken"].as_str().unwrap().to_owned());
    client
}

async fn a_ticket_goes_back_and_forth_and_each_side_is_told(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let staff = world.staff(&server, StaffRole::Support).await;
    let input = json!({ "subject": " The town is wrong ", "body": "Invoice 7 says Nakuru.\nIt is Thika.", "priority": "HIGH" });
    let opened = ann.mutate("openSupportTicket", input, TICKET).await["ticket"].take();
    let id = opened["id"].clone();
    assert_eq!(
        opened,
        json!({
            "id": id, "number": "T-1", "subject": "The town is wrong", "status": "OPEN", "priority": "HIGH",
            "messages": { "totalCount": 1, "nodes": [
                { "id": opened["messages"]["nodes"][0]["id"], "author": "ann", "fromStaff": false, "body": "Invoice 7 says Nakuru.\nIt is Thika." },
            ] },
        })
    );
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("support@evolve.test"), ["T-1 of ann Traders: The town is wrong"]);

    // Staff see whose it is, and answer.
    let seen = staff.data("{ supportTickets(status: [OPEN]) { nodes { number business { id } } } }", json!({})).await;
    assert_eq!(seen["supportTickets"]["nodes"], json!([{ "number": "T-1", "business": { "id": business } }]));
    let answer = json!({ "ticketId": id, "body": "We have mended it." });
    let answered = staff.mutate("replyToSupportTicket", answer, TICKET).await["ticket"].take();
    assert_eq!((&answered["status"], &answered["messages"]["totalCount"]), (&json!("WAITING_FOR_CUSTOMER"), &json!(2)));
    let last = &answered["messages"]["nodes"][0];
    assert_eq!((&last["fromStaff"], &last["body"]), (&json!(true), &json!("We have mended it.")));
    world.run_due_jobs().await;
    let notes = ann.data("{ notifications(first: 1) { nodes { kind title subject { __typename id } } } }", json!({})).await;
    let told = json!({ "kind": "support_ticket.answered", "title": "An answer to T-1: The town is wrong", "subject": { "__typename": "SupportTicket", "id": id } });
    assert_eq!(notes["notifications"]["nodes"], json!([told]));
    assert_eq!(world.subjects_to("ann@example.com").pop().unwrap(), "An answer to T-1: The town is wrong");
    let mail = world.mails().pop().unwrap();
    assert!(mail.contains(&format!("https://app.evolve.test/support/{}", id.as_str().unwrap())), "{mail}");

    // The customer says more, and closes it.
    let more = json!({ "ticketId": id, "body": "Thank you." });
    let replied = ann.mutate("replyToSupportTicket", more.clone(), TICKET).await["ticket"].take();
    assert_eq!((&replied["status"], &replied["messages"]["totalCount"]), (&json!("OPEN"), &json!(3)));
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("support@evolve.test").len(), 2);
    let closed = ann.mutate("closeSupportTicket", json!({ "ticketId": id }), TICKET).await;
    assert_eq!(closed["ticket"]["status"], "CLOSED");
    for client in [&ann, &staff] {
        let refused = client.payload("replyToSupportTicket", more.clone(), "ticket { id }").await;
        assert_eq!((&refused["ticket"], &refused["userErrors"][0]["code"]), (&Value::Null, &json!("INVALID_TRANSITION")));
    }
    let again = ann.payload("closeSupportTicket", json!({ "ticketId": id }), "ticket { id }").await;
    assert_eq!(again["userErrors"][0]["code"], "INVALID_TRANSITION");
    assert_eq!(world.number("select count(*) from ticket_messages").await, 3);
    let acts = world.read_texts("select action from audit_events where actor like 'stf_%'").await;
    assert_eq!(acts, ["ticket.answered"]);
    let events = world.read_texts("select name from events where aggregate like 'tkt_%' order by sequence").await;
    assert_eq!(events, ["opened", "answered", "replied", "closed"].map(|what| format!("support_ticket.{what}")));
}

async fn what_nobody_answers_is_resolved_after_a_week_and_closed_after_another(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let (quiet, lively) = (open(&ann, "Quiet").await, open(&ann, "Lively").await);
    let staff = world.staff(&server, StaffRole::Support).await;
    for id in [&quiet, &lively] {
        staff.mutate("replyToSupportTicket", json!({ "ticketId": id, "body": "Is it well now?" }), TICKET).await;
    }
    let states = async || world.read_texts("select subject || ' ' || status from support_tickets order by number").await;
    world.pass(SignedDuration::from_hours(6 * 24)).await;
    let ann = signed_in(&server, "ann@example.com").await;
    ann.mutate("replyToSupportTicket", json!({ "ticketId": lively, "body": "No." }), TICKET).await;
    world.pass(SignedDuration::from_hours(24)).await;
    assert_eq!(states().await, ["Quiet RESOLVED", "Lively OPEN"]);
    // As after a worker that died before it had finished the job: it is run once more, and closes nothing.
    world.sql("update jobs set due_at = created_at where kind = 'support_quiet' and status = 'READY'").await;
    assert_eq!(world.run_due_jobs().await, 1);
    assert_eq!(states().await, ["Quiet RESOLVED", "Lively OPEN"]);
    world.pass(SignedDuration::from_hours(7 * 24 - 1)).await;
    assert_eq!(states().await, ["Quiet RESOLVED", "Lively OPEN"]);
    world.pass(SignedDuration::from_hours(1)).await;
    assert_eq!(states().await, ["Quiet CLOSED", "Lively OPEN"]);

    // A word opens one that is resolved.
    let staff = crate::world_staff::signed_in(&server, "support@staff.example").await;
    staff.mutate("replyToSupportTicket", json!({ "ticketId": lively, "body": "And now?" }), TICKET).await;
    world.pass(SignedDuration::from_hours(7 * 24)).await;
    assert_eq!(states().await, ["Quiet CLOSED", "Lively RESOLVED"]);
    let ann = signed_in(&server, "ann@example.com").await;
    ann.mutate("replyToSupportTicket", json!({ "ticketId": lively, "body": "Still no." }), TICKET).await;
    world.pass(SignedDuration::from_hours(30 * 24)).await;
    assert_eq!(states().await, ["Quiet CLOSED", "Lively OPEN"]);
}

async fn a_plain_member_sees_the_tickets_that_they_opened_and_no_others(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let scope = TenantScope::proved(BusinessId::parse(&business).unwrap());
    world.colleague(scope, Role::Member, "mia@example.com").await;
    world.colleague(scope, Role::Billing, "bob@example.com").await;
    let (mia, bob) = (signed_in(&server, "mia@example.com").await, signed_in(&server, "bob@example.com").await);
    let (hers, other) = (open(&mia, "Mine").await, open(&ann, "Money").await);
    let numbers = async |client: &Client| client.data(LIST, json!({})).await["supportTickets"].take();
    assert_eq!(numbers(&mia).await, json!({ "totalCount": 1, "nodes": [{ "number": "T-1" }] }));
    assert_eq!(numbers(&bob).await, json!({ "totalCount": 2, "nodes": [{ "number": "T-2" }, { "number": "T-1" }] }));
    let message =
        ann.data(SHOWN.replace("body", "id").as_str(), json!({ "id": other })).await["supportTicket"]["messages"]["nodes"][0]["id"].take();
    for id in [json!(other), message] {
        let node = mia.data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!(node["node"], Value::Null);
        let node = bob.data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!(node["node"]["id"], id);
    }
    assert_eq!(mia.data(SHOWN, json!({ "id": other })).await["supportTicket"], Value::Null);
    assert_eq!(mia.data(SHOWN, json!({ "id": hers })).await["supportTicket"]["status"], "OPEN");
    for (field, input) in
        [("replyToSupportTicket", json!({ "ticketId": other, "body": "Hm" })), ("closeSupportTicket", json!({ "ticketId": other }))]
    {
        let refused = mia.payload(field, input, "ticket { id }").await;
        assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND", "{field}");
    }
    // Its opener alone is told; where they have left, those who manage the business.
    let staff = world.staff(&server, StaffRole::Admin).await;
    staff.mutate("replyToSupportTicket", json!({ "ticketId": hers, "body": "Done" }), TICKET).await;
    world.run_due_jobs().await;
    assert_eq!(world.number("select count(*) from notifications where kind = 'support_ticket.answered'").await, 1);
    world.sql("delete from members where role = 'MEMBER'").await;
    staff.mutate("replyToSupportTicket", json!({ "ticketId": hers, "body": "Really" }), TICKET).await;
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("ann@example.com").pop().unwrap(), "An answer to T-1: Mine");
    assert_eq!(world.number("select count(*) from notifications where kind = 'support_ticket.answered'").await, 2);
}

async fn what_cannot_be_said_is_refused_and_changes_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let (long, longer) = ("x".repeat(201), "x".repeat(10_001));
    for (subject, body, codes) in [
        ("", " \n ", vec![("REQUIRED", "subject"), ("REQUIRED", "body")]),
        (long.as_str(), longer.as_str(), vec![("TOO_LONG", "subject"), ("TOO_LONG", "body")]),
        ("two\nlines", "a bell \u{7}", vec![("INVALID", "subject"), ("INVALID", "body")]),
    ] {
        let refused = ann.payload("openSupportTicket", json!({ "subject": subject, "body": body }), "ticket { id }").await;
        let expected: Vec<Value> = codes.iter().map(|(code, field)| json!({ "code": code, "field": ["input", field] })).collect();
        let found: Vec<Value> =
            refused["userErrors"].as_array().unwrap().iter().map(|e| json!({ "code": e["code"], "field": e["field"] })).collect();
        assert_eq!(found, expected, "{subject:?}");
    }
    assert_eq!(world.number("select count(*) from support_tickets").await, 0);
    let id = open(&ann, "One").await;
    let refused = ann.payload("replyToSupportTicket", json!({ "ticketId": id, "body": "" }), "ticket { id }").await;
    assert_eq!(refused["userErrors"][0]["code"], "REQUIRED");
    for id in ["tkt_none", "inv_01k2x3y4z5e8f9g0h1j2k3m4n9", ""] {
        let refused = ann.payload("replyToSupportTicket", json!({ "ticketId": id, "body": "x" }), "ticket { id }").await;
        assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND", "{id}");
    }
    world.sql("update support_tickets set messages = 500").await;
    let refused = ann.payload("replyToSupportTicket", json!({ "ticketId": id, "body": "x" }), "ticket { id }").await;
    assert_eq!(refused["userErrors"][0]["code"], "LIMIT_EXCEEDED");
    assert_eq!(world.number("select count(*) from ticket_messages").await, 1);
    for _ in 1..100 {
        open(&ann, "More").await;
    }
    let refused = ann.payload("openSupportTicket", json!({ "subject": "x", "body": "x" }), "ticket { id }").await;
    assert_eq!(refused["userErrors"][0]["code"], "LIMIT_EXCEEDED");
    ann.mutate("closeSupportTicket", json!({ "ticketId": id }), "ticket { id }").await;
    open(&ann, "One more").await;
}

async fn a_suspended_business_still_reaches_support(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let staff = world.staff(&server, StaffRole::Compliance).await;
    staff.mutate("suspendBusiness", json!({ "businessId": business, "reason": "Papers" }), "business { id }").await;
    let id = open(&ann, "Why?").await;
    staff.mutate("replyToSupportTicket", json!({ "ticketId": id, "body": "Your papers have run out." }), TICKET).await;
    ann.mutate("replyToSupportTicket", json!({ "ticketId": id, "body": "I see." }), TICKET).await;
    assert_eq!(ann.data(SHOWN, json!({ "id": id })).await["supportTicket"]["messages"]["totalCount"], 3);
}

async fn a_key_for_support_writes_in_its_own_name_and_reads_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let (_, key) = make_key(&ann, &["SUPPORT_WRITE"]).await;
    let robot = program(&server, &key);
    let opened = robot.mutate("openSupportTicket", json!({ "subject": "A", "body": "b" }), TICKET).await["ticket"].take();
    let name = world.read_texts("select name from api_keys").await.remove(0);
    assert_eq!(opened["messages"]["nodes"][0]["author"], name);
    assert_eq!(code(&robot.ask(LIST, json!({})).await), "FORBIDDEN");
    let (_, other) = make_key(&ann, &["READ"]).await;
    let reader = program(&server, &other);
    assert_eq!(reader.data(LIST, json!({ "s": ["OPEN"] })).await["supportTickets"]["totalCount"], 1);
    assert_eq!(reader.data(LIST, json!({ "s": ["CLOSED"] })).await["supportTickets"]["totalCount"], 0);
    let open = "mutation { openSupportTicket(input: { subject: \"x\", body: \"x\" }) { userErrors { code } } }";
    assert_eq!(code(&reader.ask(open, json!({})).await), "FORBIDDEN");
}

async fn tickets_and_their_messages_take_the_same_statements_for_one_and_for_thirty(db: TestDatabase) {
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let ask = "{ supportTickets(first: 50) { totalCount nodes { number messages(first: 3) { nodes { body } } } } }";
    let mut counts = Vec::new();
    for more in [1, 29] {
        for _ in 0..more {
            open(&ann, "One").await;
        }
        let before = statements.count();
        let shown = ann.data(ask, json!({})).await;
        counts.push((statements.count() - before, shown["supportTickets"]["totalCount"].as_i64().unwrap()));
    }
    assert_eq!((counts[0].1, counts[1].1), (1, 30));
    assert_eq!(counts[0].0, counts[1].0, "{counts:?}");
}
