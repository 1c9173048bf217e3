//! Who may do what at the business API.

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::{ApiScope, Role, StaffRole};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::matrix::{Asker, Everybody, Questions};
use crate::world::World;
use crate::world_keys::{make_key, program};
use crate::world_lives::Life;

/// `$business`, `$subscription`, `$invoice` and so on are ids that exist.
const REQUESTS: &[(&str, &str)] = &[
    ("auditEvents", " { nodes { id } }"),
    ("changePlanPreview", "(input: { subscriptionId: $subscription, planId: $plan }) { userErrors { code } }"),
    ("creditNotes", " { nodes { id } }"),
    ("featureAccess", "(product: \"erp\", feature: \"invoices.sent\") { allowed }"),
    ("invoice", "(id: $invoice) { id }"),
    ("invoices", " { nodes { id } }"),
    ("node", "(id: $business) { id }"),
    ("nodes", "(ids: [$business]) { id }"),
    ("notificationPreferences", " { kind }"),
    ("notifications", " { nodes { id } }"),
    ("payment", "(id: $payment) { id }"),
    ("paymentMethods", " { id }"),
    ("paymentOptions", " { kind }"),
    ("payments", " { nodes { id } }"),
    ("plans", " { nodes { id } }"),
    ("dataExports", " { id }"),
    ("products", " { id }"),
    ("profile", " { id }"),
    ("sessions", " { id }"),
    ("subscribePreview", "(input: { planId: $plan, interval: MONTHLY }) { userErrors { code } }"),
    ("subscription", "(product: \"erp\") { id }"),
    ("subscriptions", " { nodes { id } }"),
    ("supportTicket", "(id: $ticket) { id }"),
    ("supportTickets", " { nodes { id } }"),
    ("usage", "(product: \"erp\") { period { start } metrics { used history { quantity } feature { overage { model } } } }"),
    ("verification", " { status documents { id } }"),
    ("viewer", " { business { id } }"),
    ("webhookEndpoints", " { id }"),
    ("webhookEventTypes", ""),
    ("invoiceChanged", " { id }"),
    ("notificationAdded", " { id }"),
    ("paymentChanged", "(paymentId: $payment) { id }"),
    ("subscriptionChanged", " { id }"),
    ("supportTicketChanged", " { id }"),
    ("usageThresholdReached", " { threshold }"),
    ("verificationChanged", " { status }"),
    ("acceptInvitation", "(input: { token: \"none\", password: \"none\" }) { userErrors { code } }"),
    ("addPaymentMethod", "(input: { source: { sandbox: DECLINES } }) { userErrors { code } }"),
    ("beginTwoFactor", "(input: { password: \"wrong\" }) { userErrors { code } }"),
    ("cancel", "(input: { subscriptionId: \"sub_none\", timing: NOW, idempotencyKey: \"m\" }) { userErrors { code } }"),
    ("cancelPlanChange", "(input: { subscriptionId: \"sub_none\" }) { userErrors { code } }"),
    ("changeEmail", "(input: { email: \"new@example.com\", password: \"wrong\" }) { userErrors { code } }"),
    ("changePassword", "(input: { currentPassword: \"wrong\", newPassword: \"wrong\" }) { userErrors { code } }"),
    ("changePlan", "(input: { subscriptionId: \"sub_none\", planId: $plan, idempotencyKey: \"m\" }) { userErrors { code } }"),
    ("closeSupportTicket", "(input: { ticketId: \"tkt_none\" }) { userErrors { code } }"),
    ("confirmTwoFactor", "(input: { otp: \"none\" }) { userErrors { code } }"),
    ("disableTwoFactor", "(input: { password: \"wrong\", otp: \"none\" }) { userErrors { code } }"),
    ("confirmEmail", "(input: { token: \"none\" }) { userErrors { code } }"),
    (
        "createBusiness",
        "(input: { businessName: \"\", businessEmail: \"a@example.com\", industry: \"\", companySize: SIZE_1, country: \"KE\", postalCode: \"\" }) { userErrors { code } }",
    ),
    ("createApiKey", "(input: { name: \"\", scopes: [] }) { userErrors { code } }"),
    ("createWebhookEndpoint", "(input: { url: \"http://hooks.example.com\", events: [] }) { userErrors { code } }"),
    ("deleteWebhookEndpoint", "(input: { endpointId: \"whk_none\" }) { userErrors { code } }"),
    ("eraseBusiness", "(input: { password: \"wrong\", confirm: \"none\" }) { userErrors { code } }"),
    ("inviteMember", "(input: { email: \"ann@example.com\", role: MEMBER }) { userErrors { code } }"),
    ("markNotificationsRead", "(input: { ids: [\"ntf_none\"] }) { userErrors { code } }"),
    ("openSupportTicket", "(input: { subject: \"\", body: \"\" }) { userErrors { code } }"),
    ("payInvoice", "(input: { invoiceId: \"inv_none\", idempotencyKey: \"m\" }) { userErrors { code } }"),
    ("reactivate", "(input: { subscriptionId: \"sub_none\" }) { userErrors { code } }"),
    ("recordUsage", "(input: { events: [] }) { userErrors { code } }"),
    ("refreshSession", "(input: { refreshToken: \"none\" }) { userErrors { code } }"),
    (
        "register",
        "(input: { businessName: \"\", businessEmail: \"a@example.com\", industry: \"\", companySize: SIZE_1, country: \"KE\", postalCode: \"\", fullName: \"\", email: \"a@example.com\", password: \"\" }) { userErrors { code } }",
    ),
    ("removeMember", "(input: { memberId: \"mem_none\" }) { userErrors { code } }"),
    ("removePaymentMethod", "(input: { paymentMethodId: \"pm_none\" }) { userErrors { code } }"),
    ("replyToSupportTicket", "(input: { ticketId: \"tkt_none\", body: \"\" }) { userErrors { code } }"),
    ("requestDataExport", "(input: { password: \"wrong\" }) { userErrors { code } }"),
    ("requestPasswordReset", "(input: { email: \"nobody@example.com\" }) { userErrors { code } }"),
    ("resendConfirmation", "(input: { email: \"nobody@example.com\" }) { userErrors { code } }"),
    ("resendWebhookDelivery", "(input: { deliveryId: \"dlv_none\" }) { userErrors { code } }"),
    ("resetPassword", "(input: { token: \"none\", password: \"none\" }) { userErrors { code } }"),
    ("revokeApiKey", "(input: { apiKeyId: \"key_none\" }) { userErrors { code } }"),
    ("revokeInvitation", "(input: { invitationId: \"ivt_none\" }) { userErrors { code } }"),
    ("revokeSession", "(input: { sessionId: \"ses_none\" }) { userErrors { code } }"),
    ("rotateWebhookSecret", "(input: { endpointId: \"whk_none\" }) { userErrors { code } }"),
    ("setAutoRenewal", "(input: { subscriptionId: \"sub_none\", autoRenewal: true }) { userErrors { code } }"),
    ("setDefaultPaymentMethod", "(input: { paymentMethodId: \"pm_none\" }) { userErrors { code } }"),
    ("setNotificationPreference", "(input: { kind: \"none\", channel: EMAIL, enabled: true }) { userErrors { code } }"),
    ("signIn", "(input: { email: \"nobody@example.com\", password: \"wrong\" }) { userErrors { code } }"),
    ("signOut", "(input: {}) { userErrors { code } }"),
    ("submitVerification", "(input: { registrationNumber: \"\", documents: [] }) { userErrors { code } }"),
    ("subscribe", "(input: { planId: \"pln_none\", interval: MONTHLY, idempotencyKey: \"m\" }) { userErrors { code } }"),
    ("switchBusiness", "(input: { businessId: \"biz_none\" }) { userErrors { code } }"),
    ("updateMember", "(input: { memberId: \"mem_none\", role: MEMBER }) { userErrors { code } }"),
    ("updateProfile", "(input: {}) { userErrors { code } }"),
    ("updateUser", "(input: { locale: \"?\" }) { userErrors { code } }"),
    ("updateWebhookEndpoint", "(input: { endpointId: \"whk_none\" }) { userErrors { code } }"),
];

/// Each is one of the business's own, but for what is public; a person's own is the owner's.
const OBJECTS: &[(&str, &str)] = &[
    ("ApiKey", "node(id: $key) { ... on ApiKey { ? } }"),
    ("AuditEvent", "node(id: $event) { ... on AuditEvent { ? } }"),
    ("Business", "profile { ? }"),
    ("CreditEntry", "node(id: $movement) { ... on CreditEntry { ? } }"),
    ("CreditNote", "node(id: $note) { ... on CreditNote { ? } }"),
    ("DataExport", "node(id: $export) { ... on DataExport { ? } }"),
    ("Invitation", "node(id: $invitation) { ... on Invitation { ? } }"),
    ("Invoice", "invoice(id: $invoice) { ? }"),
    ("Member", "node(id: $member) { ... on Member { ? } }"),
    ("Notification", "node(id: $notification) { ... on Notification { ? } }"),
    ("Payment", "payment(id: $payment) { ? }"),
    ("PaymentMethod", "node(id: $method) { ... on PaymentMethod { ? } }"),
    ("Plan", "node(id: $plan) { ... on Plan { ? } }"),
    ("Product", "node(id: $product) { ... on Product { ? } }"),
    ("Refund", "node(id: $refund) { ... on Refund { ? } }"),
    ("Subscription", "subscription(product: \"erp\") { ? }"),
    ("SupportTicket", "node(id: $ticket) { ... on SupportTicket { ? } }"),
    ("TicketMessage", "node(id: $message) { ... on TicketMessage { ? } }"),
    ("User", "node(id: $user) { ... on User { ? } }"),
    ("UserSession", "node(id: $session) { ... on UserSession { ? } }"),
    ("Verification", "verification { ? }"),
    ("VerificationDocument", "node(id: $document) { ... on VerificationDocument { ? } }"),
    ("Viewer", "viewer { ? }"),
    ("WebhookDelivery", "node(id: $delivery) { ... on WebhookDelivery { ? } }"),
    ("WebhookEndpoint", "node(id: $endpoint) { ... on WebhookEndpoint { ? } }"),
];

both!(the_matrix_of_who_may_do_what_is_as_it_was_agreed);

/// Nobody, a person of each role, a key of each scope, and a key of a product that asks about the business.
async fn everybody(world: &World, server: &Server) -> Everybody {
    let life = Life::lived(world, server, "ann").await;
    // First, since somebody is invited: the plan is for no more people than come after it.
    let mut ids = life.named_ids(world).await;
    let scope = TenantScope::proved(BusinessId::parse(&life.business).unwrap());
    let mut askers = vec![Asker::new("nobody", server.client())];
    for role in [Role::Member, Role::Billing, Role::Admin] {
        let (name, email) = (role.as_str(), format!("{}@example.com", role.as_str().to_lowercase()));
        world.colleague(scope, role, &email).await;
        askers.push(Asker::signed_in(name, server.client(), "signIn", email).await);
    }
    askers.push(Asker::signed_in("OWNER", server.client(), "signIn", life.email.clone()).await);
    for scope in ApiScope::ALL {
        let (_, key) = make_key(&life.client, &[scope.as_str()]).await;
        askers.push(Asker::new(&format!("sk {}", scope.as_str()), program(server, &key)));
    }
    let mut product = program(server, &world.service_key().await);
    product.about = Some(life.business.clone());
    askers.push(Asker::new("svc", product));
    ids.insert("refund", life.refunded(world, &world.staff(server, StaffRole::Finance).await).await.1);
    Everybody { askers, ids }
}

async fn the_matrix_of_who_may_do_what_is_as_it_was_agreed(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let server = Server::start(&world).await;
    let everybody = everybody(&world, &server).await;
    let questions = Questions { sdl: include_str!("../../schema.graphql"), requests: REQUESTS, objects: OBJECTS, signs_out: "signOut" };
    insta::assert_snapshot!("who_may_do_what", questions.ask(&everybody).await);
}
