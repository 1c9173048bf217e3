//! Who may do what at the staff API.

use evolve_business::ids::{DisputeId, GatewayDifferenceId, PaymentId};
use evolve_business::store::types::StaffRole;
use serde_json::json;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::matrix::{Asker, Everybody, Questions};
use crate::world::World;
use crate::world_lives::Life;
use crate::world_staff::text;

/// `$business`, `$subscription`, `$invoice` and so on are ids that exist.
const REQUESTS: &[(&str, &str)] = &[
    ("auditEvents", " { nodes { id } }"),
    ("business", "(id: $business) { id }"),
    ("businesses", " { nodes { id } }"),
    ("coupons", " { id }"),
    ("disputes", " { nodes { id } }"),
    ("failedMails", " { nodes { kind } }"),
    ("gatewayDifferences", " { nodes { id } }"),
    ("invoices", " { nodes { id } }"),
    ("ledger", " { nodes { id } }"),
    ("node", "(id: $invoice) { id }"),
    ("nodes", "(ids: [$invoice]) { id }"),
    ("payments", " { nodes { id } }"),
    ("revenue", "(from: \"2027-01-01\", to: \"2027-01-31\", currency: \"KES\") { start }"),
    ("collections", "(currency: \"KES\") { retrying }"),
    ("plans", " { id }"),
    ("serviceKeys", " { id }"),
    ("staffUsers", " { id }"),
    ("staffViewer", " { id }"),
    ("subscriptions", " { nodes { id } }"),
    ("supportTickets", " { nodes { id } }"),
    ("testClocks", " { id }"),
    ("verificationQueue", " { nodes { id } }"),
    ("reviewVerification", "(input: { businessId: \"biz_none\", decision: APPROVE }) { userErrors { code } }"),
    ("replyToSupportTicket", "(input: { ticketId: \"tkt_none\", body: \"\" }) { userErrors { code } }"),
    ("archivePlan", "(input: { planId: \"pln_none\" }) { userErrors { code } }"),
    (
        "createPlan",
        "(input: { product: \"none\", code: \"\", name: \"\", description: \"\", prices: [], features: [] }) { userErrors { code } }",
    ),
    ("createCoupon", "(input: { code: \"\", value: { percentOff: \"0\" } }) { userErrors { code } }"),
    ("createServiceKey", "(input: { name: \"\", product: \"none\" }) { userErrors { code } }"),
    ("createTestClock", "(input: { name: \"\", now: \"2030-01-01T00:00:00Z\" }) { userErrors { code } }"),
    ("advanceTestClock", "(input: { testClockId: \"clk_none\", to: \"2030-01-01T00:00:00Z\" }) { userErrors { code } }"),
    ("attachTestClock", "(input: { testClockId: \"clk_none\", businessId: \"biz_none\" }) { userErrors { code } }"),
    ("cancelForBusiness", "(input: { subscriptionId: \"sub_none\", idempotencyKey: \"matrix\" }) { userErrors { code } }"),
    (
        "changePlanForBusiness",
        "(input: { subscriptionId: \"sub_none\", planId: \"pln_none\", idempotencyKey: \"matrix\" }) { userErrors { code } }",
    ),
    (
        "issueCreditNote",
        "(input: { invoiceId: \"inv_none\", lines: [], reason: ERROR, idempotencyKey: \"matrix\" }) { userErrors { code } }",
    ),
    ("markInvoiceUncollectible", "(input: { invoiceId: \"inv_none\", reason: \"\", idempotencyKey: \"matrix\" }) { userErrors { code } }"),
    (
        "recordPayment",
        "(input: { invoiceId: \"inv_none\", amount: { amount: \"1\", currency: \"KES\" }, receipt: \"FT1\", receivedOn: \"2027-01-01\", idempotencyKey: \"matrix\" }) { userErrors { code } }",
    ),
    ("refundPayment", "(input: { paymentId: \"pay_none\", reason: ERROR, idempotencyKey: \"matrix\" }) { userErrors { code } }"),
    ("resolvePayment", "(input: { paymentId: \"pay_none\", resolution: FAILED, idempotencyKey: \"matrix\" }) { userErrors { code } }"),
    ("resolveRefund", "(input: { refundId: \"ref_none\", resolution: FAILED, idempotencyKey: \"matrix\" }) { userErrors { code } }"),
    ("restoreBusiness", "(input: { businessId: \"biz_none\" }) { userErrors { code } }"),
    ("revokeServiceKey", "(input: { serviceKeyId: \"skey_none\" }) { userErrors { code } }"),
    (
        "setPlanPrice",
        "(input: { planId: \"pln_none\", price: { interval: MONTHLY, amount: { amount: \"1\", currency: \"KES\" }, taxBehavior: EXCLUSIVE } }) { userErrors { code } }",
    ),
    ("setTaxExempt", "(input: { businessId: \"biz_none\", taxExempt: true, reason: \"\" }) { userErrors { code } }"),
    ("staffRefreshSession", "(input: { refreshToken: \"none\" }) { userErrors { code } }"),
    ("staffSignIn", "(input: { email: \"nobody@staff.example\", password: \"wrong\" }) { userErrors { code } }"),
    ("staffSignOut", "(input: {}) { userErrors { code } }"),
    ("suspendBusiness", "(input: { businessId: \"biz_none\", reason: \"\" }) { userErrors { code } }"),
    ("voidInvoice", "(input: { invoiceId: \"inv_none\", reason: \"\", idempotencyKey: \"matrix\" }) { userErrors { code } }"),
];

/// Those of a business are found by staff as those of its own people are. No key of a business is.
const OBJECTS: &[(&str, &str)] = &[
    ("ApiKey", "node(id: $key) { ... on ApiKey { ? } }"),
    ("AuditEvent", "node(id: $event) { ... on AuditEvent { ? } }"),
    ("Business", "business(id: $business) { business { ? } }"),
    ("Coupon", "node(id: $coupon) { ... on Coupon { ? } }"),
    ("CreditEntry", "node(id: $movement) { ... on CreditEntry { ? } }"),
    ("CreditNote", "node(id: $note) { ... on CreditNote { ? } }"),
    ("Dispute", "node(id: $dispute) { ... on Dispute { ? } }"),
    ("GatewayDifference", "node(id: $difference) { ... on GatewayDifference { ? } }"),
    ("Invitation", "node(id: $invitation) { ... on Invitation { ? } }"),
    ("Invoice", "node(id: $invoice) { ... on Invoice { ? } }"),
    ("JournalEntry", "node(id: $entry) { ... on JournalEntry { ? } }"),
    ("Member", "node(id: $member) { ... on Member { ? } }"),
    ("Payment", "node(id: $payment) { ... on Payment { ? } }"),
    ("PaymentMethod", "node(id: $method) { ... on PaymentMethod { ? } }"),
    ("Plan", "node(id: $plan) { ... on StaffPlan { plan { ? } } }"),
    ("Product", "node(id: $product) { ... on Product { ? } }"),
    ("Refund", "node(id: $refund) { ... on Refund { ? } }"),
    ("ServiceKey", "node(id: $serviceKey) { ... on ServiceKey { ? } }"),
    ("StaffBusiness", "business(id: $business) { ? }"),
    ("StaffPlan", "node(id: $plan) { ... on StaffPlan { ? } }"),
    ("StaffUser", "node(id: $colleague) { ... on StaffUser { ? } }"),
    ("Subscription", "node(id: $subscription) { ... on Subscription { ? } }"),
    ("SupportTicket", "node(id: $ticket) { ... on SupportTicket { ? } }"),
    ("TestClock", "node(id: $clock) { ... on TestClock { ? } }"),
    ("TicketMessage", "node(id: $message) { ... on TicketMessage { ? } }"),
    ("User", "node(id: $user) { ... on User { ? } }"),
    ("VerificationDocument", "node(id: $document) { ... on VerificationDocument { ? } }"),
];

both!(the_matrix_of_what_staff_may_do_is_as_it_was_agreed);

/// Nobody, a member of staff of each role, and two who belong to the other API.
async fn everybody(world: &World, server: &Server) -> Everybody {
    let life = Life::lived(world, server, "ann").await;
    let mut ids = life.named_ids(world).await;
    let mut askers = vec![Asker::new("nobody", server.staff())];
    for role in StaffRole::ALL {
        let email = world.add_staff(*role).await;
        askers.push(Asker::signed_in(role.as_str(), server.staff(), "staffSignIn", email).await);
    }
    let admin = &askers.last().unwrap().client;
    let made = admin.mutate("createServiceKey", json!({ "name": "ERP", "product": "erp" }), "serviceKey { id } secret").await;
    let coupon =
        json!({ "code": "TENTH", "value": { "amountOff": { "amount": "1.00", "currency": "KES" } }, "expiresAt": "2027-03-01T00:00:00Z" });
    let coupon = admin.mutate("createCoupon", coupon, "coupon { id }").await;
    ids.insert("refund", life.refunded(world, admin).await.1);
    let payment = ids["payment"].clone();
    ids.extend([("dispute", disputed(world, &payment).await), ("difference", differing(world, &payment).await)]);
    ids.insert("coupon", text(&coupon["coupon"]["id"]));
    ids.insert("serviceKey", text(&made["serviceKey"]["id"]));
    ids.insert("colleague", text(&admin.data("{ staffViewer { id } }", json!({})).await["staffViewer"]["id"]));
    let of = "query($business: ID) { ledger(businessId: $business, first: 1) { nodes { id } } }";
    let ledger = admin.data(of, json!({ "business": life.business })).await;
    ids.insert("entry", text(&ledger["ledger"]["nodes"][0]["id"]));
    let made = admin.mutate("createTestClock", json!({ "name": "A year", "now": "2030-01-01T00:00:00Z" }), "testClock { id }").await;
    ids.insert("clock", text(&made["testClock"]["id"]));
    for (name, token) in [("customer", life.client.token.clone()), ("svc", made["secret"].as_str().map(str::to_owned))] {
        let mut other = server.staff();
        other.token = token;
        askers.push(Asker::new(name, other));
    }
    Everybody { askers, ids }
}

/// An inquiry about a payment, under the payment's own number.
async fn disputed(world: &World, payment: &str) -> String {
    let payment = PaymentId::parse(payment).unwrap().uuid();
    world
        .sql(&format!(
            "insert into disputes (business_id, id, payment_id, ordinal, gateway, gateway_reference, currency, amount_minor, reason, status, funds, opened_at, created_at, updated_at)
               select business_id, id, id, 1, gateway, 'du_1', currency, amount_minor, 'fraudulent', 'INQUIRY', 'NOT_TAKEN', created_at, created_at, created_at
               from payments where id = {{id:{payment}}}"
        ))
        .await;
    DisputeId::from(payment).to_string()
}

/// Something that differs about a payment, under the payment's own number.
async fn differing(world: &World, payment: &str) -> String {
    let payment = PaymentId::parse(payment).unwrap().uuid();
    world
        .sql(&format!(
            "insert into gateway_differences (id, gateway, day, subject, kind, reference, concerned_id, payment_id, found_at)
               select id, gateway, '2027-01-30', 'CHARGE', 'STATUS', 'pi_1', business_id, id, created_at from payments where id = {{id:{payment}}}"
        ))
        .await;
    GatewayDifferenceId::from(payment).to_string()
}

async fn the_matrix_of_what_staff_may_do_is_as_it_was_agreed(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let server = Server::start(&world).await;
    let everybody = everybody(&world, &server).await;
    let questions =
        Questions { sdl: include_str!("../../schema.staff.graphql"), requests: REQUESTS, objects: OBJECTS, signs_out: "staffSignOut" };
    insta::assert_snapshot!("what_staff_may_do", questions.ask(&everybody).await);
}
