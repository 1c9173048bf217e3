//! The verification of a business, from what it submits to the end of its approval, over the real API.

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::{Role, StaffRole};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::matrix::sign_in;
use crate::world::World;
use crate::world_catalog::Statements;
use crate::world_keys::{make_key, program};
use crate::world_lives::{add_method, register};
use crate::world_staff::signed_in as staff_again;
use crate::world_uploads::{KENYAN, VERIFICATION, documents, pdf};

const NOW: &str = "2027-01-31T09:00:00Z";
const QUEUE: &str = "{ verificationQueue { totalCount nodes { id business { verification { status } } } } }";

both!(
    a_business_is_verified_by_its_documents_until_its_approval_runs_out,
    what_staff_decide_is_told_and_decides_what_is_asked_for_next,
    what_cannot_be_decided_is_refused_and_changes_nothing,
    a_business_that_is_called_otherwise_is_verified_anew,
    the_queue_has_the_oldest_submission_first_and_pages_both_ways,
    documents_are_for_those_who_manage_the_business,
    documents_count_as_storage,
    verifications_take_the_same_statements_for_one_and_for_many,
);

/// The plan of the ERP that asks for a verified business.
async fn checked_plan(client: &Client) -> String {
    let found = client.data("{ plans(product: \"erp\") { nodes { id requiresVerification } } }", json!({})).await;
    let plan = found["plans"]["nodes"].as_array().unwrap().iter().find(|plan| plan["requiresVerification"] == true).unwrap();
    plan["id"].as_str().unwrap().to_owned()
}

/// The codes of what is refused to whoever wants that plan, first as a preview.
async fn wanting(client: &Client, plan: &str, key: &str) -> Vec<Value> {
    let preview =
        "query($p: ID!) { subscribePreview(input: { planId: $p, interval: MONTHLY, trial: false }) { userErrors { code field } } }";
    let shown = client.data(preview, json!({ "p": plan })).await["subscribePreview"]["userErrors"].take();
    let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "idempotencyKey": key });
    let done = client.payload("subscribe", input, "subscription { id }").await["userErrors"].take();
    let codes = |errors: Value| errors.as_array().unwrap().iter().map(|error| error["code"].clone()).collect::<Vec<_>>();
    let (shown, done) = (codes(shown), codes(done));
    assert_eq!(shown, done, "the preview says what is done");
    done
}

async fn review(staff: &Client, business: &str, decision: &str, more: Value) -> Value {
    let mut input = json!({ "businessId": business, "decision": decision });
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    let selection = format!("business {{ business {{ {VERIFICATION} }} }}");
    let mut payload = staff.payload("reviewVerification", input, &selection).await;
    if payload["userErrors"] == json!([]) { payload["business"]["business"]["verification"].take() } else { payload["userErrors"].take() }
}

async fn a_business_is_verified_by_its_documents_until_its_approval_runs_out(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    add_method(&ann, "SUCCEEDS").await;
    let staff = world.staff(&server, StaffRole::Compliance).await;
    let plan = checked_plan(&ann).await;
    assert_eq!(wanting(&ann, &plan, "1").await, [json!("VERIFICATION_REQUIRED")]);
    let before = ann.data(&format!("{{ {VERIFICATION} }}"), json!({})).await["verification"].take();
    let asked: Vec<Value> = KENYAN.iter().map(|kind| json!({ "kind": kind, "satisfied": false })).collect();
    assert_eq!((&before["status"], &before["requirements"], &before["documents"]), (&json!("UNVERIFIED"), &json!(asked), &json!([])));

    let submitted = ann.submitted().await;
    assert_eq!(submitted["status"], "PENDING");
    assert_eq!((&submitted["registrationNumber"], &submitted["submittedAt"]), (&json!("PVT-7Y8X9Z"), &json!(NOW)));
    assert!(submitted["requirements"].as_array().unwrap().iter().all(|one| one["satisfied"] == true));
    let first = submitted["documents"].as_array().unwrap().iter().find(|one| one["kind"] == "TAX_CERTIFICATE").unwrap();
    let content = pdf("TAX_CERTIFICATE");
    assert_eq!(
        (&first["status"], &first["fileName"], &first["contentType"], &first["byteSize"]),
        (&json!("QUARANTINED"), &json!("scan.pdf"), &json!("application/pdf"), &json!(content.len().to_string()))
    );
    assert_eq!(first["sha256"], sha256(&content));
    let again = ann.submit(&documents(&KENYAN)).await;
    assert_eq!((&again["verification"], &again["userErrors"][0]["code"]), (&Value::Null, &json!("INVALID_TRANSITION")));
    assert_eq!(wanting(&ann, &plan, "2").await, [json!("VERIFICATION_REQUIRED")]);

    // Staff see it in the queue, wait for the scanner's job, read the file, and approve.
    let queue = staff.data(QUEUE, json!({})).await["verificationQueue"].take();
    assert_eq!(queue, json!({ "totalCount": 1, "nodes": [{ "id": business, "business": { "verification": { "status": "PENDING" } } }] }));
    assert_eq!(review(&staff, &business, "APPROVE", json!({})).await[0]["code"], "INVALID_TRANSITION");
    world.run_due_jobs().await;
    for client in [&ann, &staff] {
        let shown = client
            .data("query($i: ID!) { node(id: $i) { ... on VerificationDocument { downloadUrl } } }", json!({ "i": first["id"] }))
            .await;
        let (status, headers, bytes) = client.fetch(&shown["node"]["downloadUrl"]).await;
        assert_eq!((status, bytes == content), (200, true));
        assert_eq!(headers["content-disposition"], "attachment; filename=\"scan.pdf\"; filename*=UTF-8''scan.pdf");
        assert_eq!(
            (&headers["content-type"], &headers["cache-control"]),
            (&"application/pdf".parse().unwrap(), &"no-store".parse().unwrap())
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
    let approved = review(&staff, &business, "APPROVE", json!({})).await;
    // 730 days from 2027-01-31 (2028 has 366): 2029-01-30, and in Nairobi that day ends at 21:00 UTC.
    assert_eq!((&approved["status"], &approved["expiresAt"]), (&json!("APPROVED"), &json!("2029-01-30T21:00:00Z")));
    assert!(approved["documents"].as_array().unwrap().iter().all(|one| one["status"] == "ACCEPTED"));
    assert_eq!(staff.data(QUEUE, json!({})).await["verificationQueue"]["totalCount"], 0);
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("ann@example.com").pop().unwrap(), "ann Traders is verified");
    assert!(world.mails().pop().unwrap().contains("until 31 January 2029"), "{:?}", world.mails().pop());
    let bought = world.working(wanting(&ann, &plan, "3")).await;
    assert_eq!(bought, Vec::<Value>::new());

    // A second before its end it holds; then it has run out, and what runs goes on.
    world.pass("2029-01-30T20:59:59Z".parse::<jiff::Timestamp>().unwrap().duration_since(NOW.parse().unwrap())).await;
    let status = async || world.read_texts("select verification_status from businesses").await.remove(0);
    assert_eq!(status().await, "APPROVED");
    world.pass(SignedDuration::from_secs(1)).await;
    assert_eq!(status().await, "EXPIRED");
    let ann = sign_in(server.client(), "signIn", "ann@example.com").await;
    let after = ann.data("{ verification { status expiresAt } subscriptions { nodes { status } } }", json!({})).await;
    assert_eq!(after["verification"]["status"], "EXPIRED");
    assert_eq!(after["subscriptions"]["nodes"], json!([{ "status": "ACTIVE" }]));
    // Among the mails of two years' invoices.
    assert!(world.subjects_to("ann@example.com").contains(&"The verification of ann Traders has run out".to_owned()));
    let actions = world.read_texts("select action from audit_events where action like 'verification.%' order by sequence").await;
    assert_eq!(actions, ["submitted", "approved", "expired"].map(|what| format!("verification.{what}")));

    submitted_again(&world, &server, &ann, &business).await;
    assert_eq!(world.examine().await, [""; 0]);
}

/// Submitted and approved again, until a day that staff name.
async fn submitted_again(world: &World, server: &Server, ann: &Client, business: &str) {
    let payload = ann.submit(&[]).await;
    assert_eq!(payload["verification"]["status"], "PENDING", "{payload:#}");
    let staff = staff_again(server, "compliance@staff.example").await;
    let approved = review(&staff, business, "APPROVE", json!({ "approvedUntil": "2029-03-31" })).await;
    assert_eq!(approved["expiresAt"], "2029-03-31T21:00:00Z", "{approved:#}");
    world.pass(SignedDuration::from_hours(24 * 61)).await;
    assert_eq!(world.read_texts("select verification_status from businesses").await, ["EXPIRED"]);
}

/// The SHA-256 of bytes, in hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

async fn what_staff_decide_is_told_and_decides_what_is_asked_for_next(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let incomplete = ann.submit(&documents(&KENYAN[..2])).await;
    let refusal = json!([{ "code": "REQUIRED", "message": "Still missing: DIRECTOR_ID.", "field": ["input", "documents"] }]);
    assert_eq!(incomplete["userErrors"], refusal);
    ann.submitted().await;
    world.run_due_jobs().await;

    // Something is to be shown anew, and something that the country does not ask for.
    let more = json!({ "reason": "The ID is blurred.", "missing": ["DIRECTOR_ID", "PROOF_OF_ADDRESS"] });
    let asked = review(&staff, &business, "REQUEST_INFORMATION", more).await;
    assert_eq!(
        (&asked["status"], &asked["reason"], &asked["reviewedAt"]),
        (&json!("NEEDS_INFORMATION"), &json!("The ID is blurred."), &json!(NOW))
    );
    let satisfied = |verification: &Value| -> Vec<(String, bool)> {
        let one = |one: &Value| (one["kind"].as_str().unwrap().to_owned(), one["satisfied"].as_bool().unwrap());
        verification["requirements"].as_array().unwrap().iter().map(one).collect()
    };
    let expected = [("CERTIFICATE_OF_INCORPORATION", true), ("TAX_CERTIFICATE", true), ("DIRECTOR_ID", false), ("PROOF_OF_ADDRESS", false)];
    assert_eq!(satisfied(&asked), expected.map(|(kind, is)| (kind.to_owned(), is)));
    let id = asked["documents"].as_array().unwrap().iter().find(|one| one["kind"] == "DIRECTOR_ID").unwrap();
    assert_eq!((&id["status"], &id["reason"]), (&json!("REJECTED"), &json!("The ID is blurred.")));
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("ann@example.com").pop().unwrap(), "The verification of ann Traders needs something more");
    let mail = world.mails().pop().unwrap();
    assert!(mail.contains("The ID is blurred.") && mail.contains("director id, proof of address"), "{mail}");

    // What is there already need not be sent again.
    let half = ann.submit(&documents(&["DIRECTOR_ID"])).await;
    assert_eq!(half["userErrors"][0]["message"], "Still missing: PROOF_OF_ADDRESS.");
    let whole = ann.submit(&documents(&["DIRECTOR_ID", "PROOF_OF_ADDRESS"])).await;
    assert_eq!((&whole["verification"]["status"], &whole["verification"]["reason"]), (&json!("PENDING"), &Value::Null), "{whole:#}");
    assert_eq!(whole["verification"]["documents"].as_array().unwrap().len(), 5);

    let rejected = review(&staff, &business, "REJECT", json!({ "reason": "Nobody knows this number." })).await;
    assert_eq!(rejected["status"], "REJECTED");
    assert!(rejected["documents"].as_array().unwrap().iter().all(|one| one["status"] == "REJECTED"));
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("ann@example.com").pop().unwrap(), "ann Traders could not be verified");
    let names = world.read_texts("select name from events where name like 'verification.%' order by sequence").await;
    assert_eq!(names, ["submitted", "needs_information", "submitted", "rejected"].map(|what| format!("verification.{what}")));
    assert_eq!(ann.submitted().await["status"], "PENDING");
    assert_eq!(world.examine().await, [""; 0]);
}

async fn what_cannot_be_decided_is_refused_and_changes_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let staff = world.staff(&server, StaffRole::Compliance).await;
    for decision in ["APPROVE", "REJECT", "REQUEST_INFORMATION"] {
        assert_eq!(review(&staff, &business, decision, json!({ "reason": "x" })).await[0]["code"], "INVALID_TRANSITION", "{decision}");
    }
    ann.submitted().await;
    world.run_due_jobs().await;
    let long = "x".repeat(501);
    for (decision, more, code, field) in [
        ("REJECT", json!({}), "REQUIRED", "reason"),
        ("REQUEST_INFORMATION", json!({ "reason": "  " }), "REQUIRED", "reason"),
        ("REJECT", json!({ "reason": long }), "TOO_LONG", "reason"),
        ("APPROVE", json!({ "reason": "a bell \u{7}" }), "INVALID", "reason"),
        ("REJECT", json!({ "reason": "x", "missing": ["DIRECTOR_ID"] }), "INVALID", "missing"),
        ("REJECT", json!({ "reason": "x", "approvedUntil": "2028-01-01" }), "INVALID", "approvedUntil"),
        ("APPROVE", json!({ "approvedUntil": "2027-01-30" }), "INVALID", "approvedUntil"),
        ("APPROVE", json!({ "approvedUntil": "2037-01-30" }), "INVALID", "approvedUntil"),
    ] {
        let refused = review(&staff, &business, decision, more.clone()).await;
        assert_eq!((&refused[0]["code"], &refused[0]["field"]), (&json!(code), &json!(["input", field])), "{decision} {more} {refused}");
    }
    for id in ["biz_none", "", "usr_01k2x3y4z5e8f9g0h1j2k3m4n6"] {
        assert_eq!(review(&staff, id, "APPROVE", json!({})).await[0]["code"], "NOT_FOUND");
    }
    assert_eq!(world.read_texts("select verification_status from businesses").await, ["PENDING"]);
    // The last day of ten years, and today, can be named.
    assert_eq!(review(&staff, &business, "APPROVE", json!({ "approvedUntil": "2037-01-28" })).await["status"], "APPROVED");
    assert_eq!(review(&staff, &business, "REJECT", json!({ "reason": "x" })).await[0]["code"], "INVALID_TRANSITION");
    let asked = review(&staff, &business, "REQUEST_INFORMATION", json!({ "reason": "A doubt." })).await;
    assert_eq!((&asked["status"], &asked["expiresAt"]), (&json!("NEEDS_INFORMATION"), &Value::Null));
    assert_eq!(world.number("select count(*) from jobs where kind = 'expire_verification' and status = 'READY'").await, 0);
}

async fn a_business_that_is_called_otherwise_is_verified_anew(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Compliance).await;
    let (ann, business) = register(&server, "ann").await;
    ann.mutate("updateProfile", json!({ "taxId": "P051234567X" }), "business { id }").await;
    ann.submitted().await;
    world.run_due_jobs().await;
    for (change, ends) in [
        (json!({ "city": "Thika", "businessName": "ann Traders", "country": "KE", "taxId": "P051234567X" }), false),
        (json!({ "businessName": "Ann & Co" }), true),
        (json!({ "country": "UG" }), true),
        (json!({ "country": "KE" }), true),
        (json!({ "taxId": "P051234567Y" }), true),
        (json!({ "taxId": null }), true),
    ] {
        let approved = review(&staff, &business, "APPROVE", json!({})).await;
        assert_eq!(approved["status"], "APPROVED", "{approved:#}");
        let changed = ann.mutate("updateProfile", change.clone(), &format!("business {{ {VERIFICATION} }}")).await;
        let shown = &changed["business"]["verification"];
        assert_eq!(shown["status"], if ends { "NEEDS_INFORMATION" } else { "APPROVED" }, "{change}");
        assert_eq!(shown["reason"].is_string(), ends, "{change}");
        if ends {
            // Uganda asks for a permit beside the others.
            let kinds: &[&str] = if change["country"] == "UG" { &["BUSINESS_PERMIT"] } else { &[] };
            assert_eq!(ann.submit(&documents(kinds)).await["verification"]["status"], "PENDING");
            world.run_due_jobs().await;
        } else {
            review(&staff, &business, "REQUEST_INFORMATION", json!({ "reason": "Once more." })).await;
            assert_eq!(ann.submit(&[]).await["verification"]["status"], "PENDING");
        }
    }
    assert_eq!(world.number("select count(*) from audit_events where action = 'verification.ended'").await, 5);
    // With a submission its tax id can be given, too.
    let taken = world.number("select count(*) from businesses where tax_id_sealed is null").await;
    assert_eq!(taken, 1);
}

async fn the_queue_has_the_oldest_submission_first_and_pages_both_ways(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let mut businesses = Vec::new();
    for name in ["ann", "ben", "cat", "dan", "eve"] {
        let (client, business) = register(&server, name).await;
        client.submitted().await;
        world.advance(SignedDuration::from_mins(1));
        businesses.push(business);
    }
    let staff = world.staff(&server, StaffRole::Support).await;
    let page = async |arguments: &str| {
        let document = format!(
            "{{ verificationQueue({arguments}) {{ nodes {{ id }} edges {{ cursor }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        staff.data(&document, json!({})).await["verificationQueue"].take()
    };
    let ids = |page: &Value| -> Vec<String> {
        page["nodes"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = page("first: 2").await;
    assert_eq!((ids(&first), &first["pageInfo"]["hasNextPage"]), (businesses[..2].to_vec(), &json!(true)));
    let second = page(&format!("first: 2, after: {}", first["pageInfo"]["endCursor"])).await;
    assert_eq!(ids(&second), businesses[2..4]);
    let third = page(&format!("first: 2, after: {}", second["pageInfo"]["endCursor"])).await;
    assert_eq!((ids(&third), &third["pageInfo"]["hasNextPage"]), (businesses[4..].to_vec(), &json!(false)));
    let last = page("last: 2").await;
    assert_eq!((ids(&last), &last["pageInfo"]["hasPreviousPage"]), (businesses[3..].to_vec(), &json!(true)));
    let back = page(&format!("last: 2, before: {}", last["pageInfo"]["startCursor"])).await;
    assert_eq!(ids(&back), businesses[1..3]);
    let filtered = staff.data("{ businesses(filter: { verification: [PENDING] }) { totalCount } }", json!({})).await;
    assert_eq!(filtered["businesses"]["totalCount"], 5);
}

async fn documents_are_for_those_who_manage_the_business(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    ann.submitted().await;
    let scope = TenantScope::proved(BusinessId::parse(&business).unwrap());
    let mut others = vec![program(&server, &make_key(&ann, &["READ"]).await.1)];
    for role in [Role::Member, Role::Billing] {
        let email = format!("{}@example.com", role.as_str().to_lowercase());
        world.colleague(scope, role, &email).await;
        others.push(sign_in(server.client(), "signIn", &email).await);
    }
    for other in &others {
        let answer = other.ask("{ verification { status documents { kind downloadUrl } } }", json!({})).await;
        assert_eq!(answer["data"]["verification"]["status"], "PENDING", "{answer:#}");
        assert_eq!(answer["data"]["verification"]["documents"][0]["downloadUrl"], Value::Null);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
        let (status, answer) = other.form(&crate::world_uploads::submission(&documents(&KENYAN))).await;
        assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (200, &json!("FORBIDDEN")));
    }
    let (_, key) = make_key(&ann, &["PROFILE_WRITE"]).await;
    let refused = program(&server, &key).submit(&[]).await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_TRANSITION", "the key may, and finds it under review");
    assert_eq!(world.number("select count(*) from verification_documents").await, 3);
}

async fn documents_count_as_storage(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    add_method(&ann, "SUCCEEDS").await;
    let plans = crate::world_lives::plans(&ann).await;
    let input = json!({ "planId": plans["erp"][0], "interval": "MONTHLY", "trial": false, "idempotencyKey": "s" });
    world.working(ann.mutate("subscribe", input, "subscription { id }")).await;
    // The plan has 10 GiB: 10,737,418,240 bytes. The product stores all of it but 250.
    let event = json!({ "eventId": "e", "product": "erp", "feature": "storage_bytes", "action": "SET", "quantity": "10737417990" });
    ann.mutate("recordUsage", json!({ "events": [event] }), "accepted").await;
    let (small, large) = (documents(&["DIRECTOR_ID"]).remove(0), pdf(&"x".repeat(300)));
    let refused = ann
        .submit(&[
            small.clone(),
            ("TAX_CERTIFICATE", "a.pdf", "application/pdf", large.clone()),
            ("CERTIFICATE_OF_INCORPORATION", "b.pdf", "application/pdf", large),
        ])
        .await;
    assert_eq!(
        (&refused["userErrors"][0]["code"], &refused["userErrors"][0]["field"]),
        (&json!("LIMIT_EXCEEDED"), &json!(["input", "documents"]))
    );
    assert_eq!(world.stored_files(), Vec::<std::path::PathBuf>::new(), "nothing was stored");
    let less = json!({ "eventId": "f", "product": "erp", "feature": "storage_bytes", "action": "SET", "quantity": "1000" });
    ann.mutate("recordUsage", json!({ "events": [less] }), "accepted").await;
    ann.submitted().await;
    let bytes: usize = KENYAN.iter().map(|kind| pdf(kind).len()).sum();
    let access = ann.data("{ featureAccess(product: \"erp\", feature: \"storage_bytes\") { used } usage(product: \"erp\") { metrics { used feature { key } } } }", json!({})).await;
    assert_eq!(access["featureAccess"]["used"], json!((1000 + bytes).to_string()));
    let metric = access["usage"]["metrics"].as_array().unwrap().iter().find(|one| one["feature"]["key"] == "storage_bytes").unwrap();
    assert_eq!(metric["used"], access["featureAccess"]["used"]);
    // What the product wants to store besides is weighed together with the documents.
    let most = 10_737_418_240 - bytes;
    for (id, quantity, accepted) in [("g", most + 1, 0), ("h", most, 1)] {
        let event =
            json!({ "eventId": id, "product": "erp", "feature": "storage_bytes", "action": "SET", "quantity": quantity.to_string() });
        let told =
            ann.mutate("recordUsage", json!({ "events": [event], "enforceLimits": true }), "accepted rejected { error { code } }").await;
        assert_eq!(told["accepted"], accepted, "{told}");
    }
}

async fn verifications_take_the_same_statements_for_one_and_for_many(db: TestDatabase) {
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Support).await;
    let document = "{ verificationQueue(first: 50) { nodes { id business { verification { status reason requirements { kind satisfied } documents { id downloadUrl } } } } } }";
    let mut counts = Vec::new();
    for (names, all) in [(["a"].as_slice(), 1), (["b", "c", "d", "e", "f", "g", "h"].as_slice(), 8)] {
        for name in names {
            register(&server, name).await.0.submitted().await;
        }
        world.run_due_jobs().await;
        let before = statements.count();
        let found = staff.data(document, json!({})).await;
        assert_eq!(found["verificationQueue"]["nodes"].as_array().unwrap().len(), all);
        counts.push(statements.count() - before);
    }
    assert_eq!(counts[0], counts[1], "{counts:?}");
}
