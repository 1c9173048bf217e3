//! Payments by M-Pesa at a simulator of Daraja, which alone knows who truly paid: each fault, and what comes by the way back.

use std::fmt::Write as _;
use std::sync::Arc;

use evolve_business::adapters::payment::MethodSource;
use evolve_business::adapters::payment::registry::Gateways;
use evolve_business::adapters::payment::transfer::TransferGateway;
use evolve_business::billing::cancel::{CancelTiming, UnusedTime};
use evolve_business::error::{Outcome, UserErrorCode as Code};
use evolve_business::ids::{InvoiceId, PaymentId, PaymentMethodId};
use evolve_business::security::envelope::BusinessKey;
use evolve_business::services::payments::{AddPaymentMethod, sweep_events};
use evolve_business::services::{Parts, Ports};
use jiff::SignedDuration;
use serde_json::json;

use crate::client::Server;
use crate::database::{Kind, TestDatabase};
use crate::mpesa_adapter::gateway_at;
use crate::mpesa_simulator::{CALLBACK_URL, Daraja, Fault, Holder};
use crate::world::World;
use crate::world_lives::register;
use crate::world_payments::{Payer, refused};
use crate::world_staff_money::{JUNE, MIDDLE};

both!(
    a_phone_is_added_sealed_and_prompted_over_the_api,
    each_fault_of_a_prompt_ends_in_one_prompt_at_most_and_the_truth,
    what_comes_twice_reordered_or_late_settles_once,
    what_is_forged_or_garbled_changes_nothing_and_is_answered_alike,
    a_success_after_the_attempt_was_over_is_account_credit_once,
    nothing_is_prompted_while_a_prompt_is_open,
    a_worker_that_dies_between_taking_and_prompting_prompts_nobody_twice,
    a_receipt_that_is_told_after_the_success_is_kept,
    a_refund_is_a_reversal_that_is_believed_when_it_is_confirmed,
    a_reversal_whose_answer_is_lost_is_not_sent_again,
    a_number_is_sealed_anew_under_a_new_key,
);

/// Noon in Nairobi.
const NOW: &str = "2027-01-31T09:00:00Z";
pub(crate) const PHONE: &str = "254712345678";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl World {
    /// The same world with M-Pesa and transfers beside the sandbox.
    pub(crate) fn with_mpesa(self, daraja: &Daraja) -> Self {
        let sandbox = Arc::new(self.gateway.clone());
        let mpesa = gateway_at(daraja, self.ports.clock.clone());
        let transfer = TransferGateway::new("Account 1234 at the bank; write the invoice's number on it.".to_owned());
        let gateways = Gateways::new(vec![sandbox.clone(), Arc::new(mpesa), Arc::new(transfer)]);
        let ports = Ports::new(Parts { gateways, ..self.parts(sandbox) });
        Self { ports, ..self }
    }

    /// A business with an owner and a key of its own, without a way to pay.
    pub(crate) async fn keyed_payer(&self) -> Payer {
        let (payer, rng) = (self.payer().await, self.ports.rng.as_ref());
        let business = payer.scope.business().uuid();
        let wrapped = self.ports.master.wrap(rng, business, &BusinessKey::generate(rng)).unwrap();
        let hex = wrapped.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let literal = if self.database.kind == Kind::Sqlite { format!("x'{hex}'") } else { format!("'\\x{hex}'") };
        self.sql(&format!("update businesses set wrapped_key = {literal} where business_id = {{id:{business}}}")).await;
        payer
    }

    /// Adds a way to pay and makes it the default.
    pub(crate) async fn try_source(&self, payer: Payer, source: MethodSource) -> Outcome<PaymentMethodId> {
        self.payments().add_payment_method(payer.caller, AddPaymentMethod { source, make_default: true }).await
    }

    /// The same, with that phone.
    pub(crate) async fn phone_payer(&self, phone: &str) -> Payer {
        let payer = self.keyed_payer().await;
        self.try_source(payer, MethodSource::MpesaPhone(format!("+{phone}"))).await.unwrap();
        payer
    }

    /// Hands over what Daraja has to tell, and runs what is due; answers how much it was.
    pub(crate) async fn hand_over(&self, server: &Server, daraja: &Daraja) -> usize {
        let told = daraja.callbacks();
        for one in &told {
            assert_eq!(Daraja::tell(&server.url, one).await.0, 200);
        }
        self.run_due_jobs().await;
        told.len()
    }

    /// How an attempt and its invoice stand.
    async fn stand(&self, payer: Payer, payment: PaymentId, invoice: InvoiceId) -> (&'static str, (&'static str, i64, i64)) {
        (self.status(payer, payment).await, self.invoice_is(payer, invoice).await)
    }
}

/// A world with M-Pesa, a server, and somebody whose phone does so.
async fn with_phone(db: TestDatabase, holder: Holder) -> (World, Server, Daraja, Payer) {
    let daraja = Daraja::start().await;
    let world = World::at(db, NOW).await.with_mpesa(&daraja);
    let server = Server::start(&world).await;
    daraja.holder(PHONE, holder);
    let payer = world.phone_payer(PHONE).await;
    (world, server, daraja, payer)
}

async fn a_phone_is_added_sealed_and_prompted_over_the_api(db: TestDatabase) {
    let daraja = Daraja::start().await;
    let world = World::shop_at(db, JUNE).await.with_mpesa(&daraja);
    let server = Server::start(&world).await;
    let (client, _) = register(&server, "ann").await;
    let options = client.data("{ paymentOptions { kind currencies limit { amount currency } instructions } }", json!({})).await;
    assert_eq!(
        options["paymentOptions"],
        json!([
            { "kind": "MPESA", "currencies": ["KES"], "limit": { "amount": "250000.00", "currency": "KES" }, "instructions": null },
            { "kind": "BANK_TRANSFER", "currencies": ["KES"], "limit": null, "instructions": "Account 1234 at the bank; write the invoice's number on it." },
            { "kind": "SANDBOX", "currencies": ["KES"], "limit": null, "instructions": null },
        ])
    );
    let foreign = client.payload("addPaymentMethod", json!({ "source": { "mpesaPhone": "+255712345678" } }), "paymentMethod { id }").await;
    assert_eq!(foreign["userErrors"][0]["code"], "PAYMENT_FAILED");
    let added = client
        .mutate(
            "addPaymentMethod",
            json!({ "source": { "mpesaPhone": "+254712345678" } }),
            "paymentMethod { kind label isDefault expiresOn }",
        )
        .await;
    assert_eq!(added["paymentMethod"], json!({ "kind": "MPESA", "label": "M-Pesa •••• 678", "isDefault": true, "expiresOn": null }));
    assert_eq!(world.count("payment_methods", "reference = '' and reference_sealed is not null").await, 1);

    daraja.holder(PHONE, Holder::Waits);
    let plan = world.plan("books", "basic").await.to_string();
    let input = json!({ "planId": plan, "interval": "MONTHLY", "idempotencyKey": "one" });
    let selection = "payment { id status amount { amount } methodLabel action { kind url clientSecret expiresAt } receipt } invoice { status issuedAt dueAt } subscription { status }";
    let bought = world.working(client.mutate("subscribe", input, selection)).await;
    // 30.00 and 16 %, in whole shillings; three minutes for the prompt, and seven days for the invoice.
    let action = json!({ "kind": "PHONE", "url": null, "clientSecret": null, "expiresAt": "2027-06-01T06:03:00Z" });
    assert_eq!(bought["payment"]["action"], action, "{bought:#}");
    assert_eq!((&bought["payment"]["status"], &bought["payment"]["amount"]["amount"]), (&json!("REQUIRES_ACTION"), &json!("35.00")));
    assert_eq!(bought["invoice"], json!({ "status": "OPEN", "issuedAt": "2027-06-01T06:00:00Z", "dueAt": "2027-06-08T06:00:00Z" }));
    assert_eq!(bought["subscription"]["status"], "INCOMPLETE");
    assert_eq!(world.count("payments", "gateway_method = '' and gateway = 'mpesa'").await, 1, "the number is on no payment");

    daraja.act(None);
    assert_eq!(world.hand_over(&server, &daraja).await, 1);
    let after = client
        .data("{ payments(first: 1) { nodes { status receipt action { kind } } } subscriptions(first: 1) { nodes { status } } }", json!({}))
        .await;
    let node = &after["payments"]["nodes"][0];
    assert_eq!((&node["status"], &node["action"]), (&json!("SUCCEEDED"), &json!(null)), "{node}");
    assert!(node["receipt"].as_str().is_some_and(|receipt| receipt.starts_with("SFC")), "{node}");
    assert_eq!(after["subscriptions"]["nodes"][0]["status"], "ACTIVE");
    // 35.00 was paid, and 34.80 was due.
    assert_eq!(world.count("credit_entries", "reason = 'ROUNDING' and amount_minor = 20").await, 1);
    assert_eq!((daraja.paid().len(), daraja.prompts().len()), (1, 1));
    assert_eq!(world.examine().await, [""; 0]);
}

async fn each_fault_of_a_prompt_ends_in_one_prompt_at_most_and_the_truth(db: TestDatabase) {
    let (world, server, daraja, payer) = with_phone(db, Holder::Pays).await;
    let mut paid = 0;
    for (fault, first, then) in [
        (Fault::RequestLost, "UNKNOWN", "FAILED"),
        (Fault::AnswerLost, "UNKNOWN", "SUCCEEDED"),
        (Fault::ErrorAfterEffect, "UNKNOWN", "SUCCEEDED"),
        (Fault::Slow(std::time::Duration::from_millis(200)), "REQUIRES_ACTION", "SUCCEEDED"),
        (Fault::Busy, "REQUIRES_ACTION", "SUCCEEDED"),
    ] {
        let invoice = world.invoice(payer, 500).await;
        daraja.fail([fault]);
        let attempt = world.pay(payer, invoice).await.unwrap().payment;
        assert_eq!(world.status(payer, attempt).await, first, "{fault:?}");
        assert_eq!(refused(world.pay(payer, invoice).await), [(Code::PaymentInProgress, "invoiceId".to_owned())], "{fault:?}");
        // Its callback, and where that is all there is, the answer to the question about its receipt.
        world.hand_over(&server, &daraja).await;
        world.hand_over(&server, &daraja).await;
        world.pass(MINUTE).await;
        assert_eq!(world.status(payer, attempt).await, if then == "FAILED" { "UNKNOWN" } else { then }, "{fault:?}");
        world.pass(HOUR).await;
        paid += usize::from(then == "SUCCEEDED");
        let expected = if then == "FAILED" { ("OPEN", 0, 500) } else { ("PAID", 500, 0) };
        assert_eq!(world.stand(payer, attempt, invoice).await, (then, expected), "{fault:?}");
        assert_eq!((daraja.paid().len(), daraja.prompts().len()), (paid, paid), "{fault:?}");
        let payment = world.payment(payer, attempt).await;
        assert_eq!(payment.receipt.is_some(), then == "SUCCEEDED", "{fault:?}");
        if then == "FAILED" {
            assert_eq!((payment.failure_code.as_deref(), payment.hard_decline), (Some("no_callback"), false));
        }
    }
    // Where no callback comes at all, asking by the prompt's id suffices.
    let invoice = world.invoice(payer, 500).await;
    let attempt = world.pay(payer, invoice).await.unwrap().payment;
    world.pass(SignedDuration::from_secs(5)).await;
    assert_eq!(world.stand(payer, attempt, invoice).await, ("SUCCEEDED", ("PAID", 500, 0)));
}

async fn what_comes_twice_reordered_or_late_settles_once(db: TestDatabase) {
    let (world, server, daraja, payer) = with_phone(db, Holder::Waits).await;
    let invoice = world.invoice(payer, 500).await;
    let attempt = world.pay(payer, invoice).await.unwrap().payment;
    daraja.act(None);
    let told = daraja.callbacks();
    for _ in 0..3 {
        assert_eq!(Daraja::tell(&server.url, &told[0]).await, (200, "{\"ResultCode\":0,\"ResultDesc\":\"Accepted\"}".to_owned()));
        world.run_due_jobs().await;
    }
    assert_eq!(world.stand(payer, attempt, invoice).await, ("SUCCEEDED", ("PAID", 500, 0)));
    assert_eq!((world.count("gateway_hints", "1 = 1").await, world.number("select count(*) from gateway_events").await), (1, 1));

    // The answer to the push is lost; the answer about the receipt comes before the callback comes again.
    let invoice = world.invoice(payer, 700).await;
    daraja.fail([Fault::AnswerLost]);
    let attempt = world.pay(payer, invoice).await.unwrap().payment;
    daraja.act(None);
    let first = daraja.callbacks();
    assert_eq!(Daraja::tell(&server.url, &first[0]).await.0, 200);
    world.run_due_jobs().await;
    assert_eq!(world.status(payer, attempt).await, "UNKNOWN", "the callback alone is not believed");
    let second = daraja.callbacks();
    for one in second.iter().chain(&first).chain(&second) {
        assert_eq!(Daraja::tell(&server.url, one).await.0, 200);
        world.run_due_jobs().await;
    }
    assert_eq!(world.stand(payer, attempt, invoice).await, ("SUCCEEDED", ("PAID", 700, 0)));
    assert_eq!((daraja.paid().len(), world.balance(payer).await), (2, 0));
    // What was said goes after thirty days.
    world.advance(SignedDuration::from_hours(30 * 24 + 1));
    sweep_events(&world.ports).await.unwrap();
    assert_eq!((world.count("gateway_hints", "1 = 1").await, world.number("select count(*) from gateway_events").await), (0, 0));
}

async fn what_is_forged_or_garbled_changes_nothing_and_is_answered_alike(db: TestDatabase) {
    let (world, server, daraja, payer) = with_phone(db, Holder::Waits).await;
    let (invoice, other) = (world.invoice(payer, 500).await, world.invoice(payer, 99_900).await);
    let attempt = world.pay(payer, invoice).await.unwrap().payment;
    let prompt = daraja.prompts().remove(0);
    let body = |id: &str, code: i64, amount: i64| {
        let item = json!([{ "Name": "Amount", "Value": amount }, { "Name": "MpesaReceiptNumber", "Value": "SFC999" }]);
        json!({ "Body": { "stkCallback": { "CheckoutRequestID": id, "ResultCode": code, "CallbackMetadata": { "Item": item } } } })
            .to_string()
    };
    let secret = prompt.callback.rsplit('/').next().unwrap();
    assert!(secret.len() >= 43, "32 random bytes are 43 letters");
    let changed = format!("{}{}", if secret.starts_with('A') { "B" } else { "A" }, &secret[1..]);
    let address = |secret: &str| format!("{CALLBACK_URL}/gateways/mpesa/events/{secret}");
    let taken = (200, "{\"ResultCode\":0,\"ResultDesc\":\"Accepted\"}".to_owned());
    for (to, body) in [
        // A success that nobody paid, as it was asked for, of another amount and of another prompt.
        (prompt.callback.clone(), body(&prompt.id, 0, 5)),
        (prompt.callback.clone(), body(&prompt.id, 0, 1)),
        (prompt.callback.clone(), body("ws_CO_999", 0, 5)),
        // A failure of what may still be paid.
        (prompt.callback.clone(), body(&prompt.id, 1032, 5)),
        // By addresses that were never given.
        (address(&changed), body(&prompt.id, 0, 5)),
        (address("x"), body(&prompt.id, 0, 5)),
        (address(&"A".repeat(2_000)), body(&prompt.id, 0, 5)),
        (prompt.callback.clone(), "nonsense".to_owned()),
        (prompt.callback.clone(), String::new()),
    ] {
        assert_eq!(Daraja::tell(&server.url, &(to.clone(), body.clone())).await, taken, "{to} {body}");
        world.run_due_jobs().await;
        assert_eq!(world.stand(payer, attempt, invoice).await, ("REQUIRES_ACTION", ("OPEN", 0, 500)), "{to} {body}");
    }
    assert_eq!(world.count("gateway_hints", "1 = 1").await, 4);
    for to in [prompt.callback.clone(), address(&changed)] {
        assert_eq!(Daraja::tell(&server.url, &(to, " ".repeat(32 * 1024 + 1))).await.0, 413);
    }
    // The truth is told all the same.
    daraja.act(None);
    world.hand_over(&server, &daraja).await;
    assert_eq!(world.stand(payer, attempt, invoice).await, ("SUCCEEDED", ("PAID", 500, 0)));
    assert_ne!(world.payment(payer, attempt).await.receipt.as_deref(), Some("SFC999"), "the receipt is the newest that fits");
    assert_eq!((world.invoice_is(payer, other).await, world.balance(payer).await), (("OPEN", 0, 99_900), 0));
    // None of it pays for another attempt, whose request was lost.
    daraja.fail([Fault::RequestLost]);
    let lost = world.pay(payer, other).await.unwrap().payment;
    let named = world.payment(payer, lost).await;
    assert_eq!((named.status.as_str(), named.gateway_reference), ("UNKNOWN", None));
    world.pass(HOUR).await;
    assert_eq!(world.stand(payer, lost, other).await, ("FAILED", ("OPEN", 0, 99_900)));
}

async fn a_success_after_the_attempt_was_over_is_account_credit_once(db: TestDatabase) {
    let (world, server, daraja, payer) = with_phone(db, Holder::Pays).await;
    let invoice = world.invoice(payer, 500).await;
    daraja.fail([Fault::AnswerLost]);
    let attempt = world.pay(payer, invoice).await.unwrap().payment;
    let told = daraja.callbacks();
    world.pass(HOUR).await;
    assert_eq!(world.stand(payer, attempt, invoice).await, ("FAILED", ("OPEN", 0, 500)));
    // Meanwhile it is paid otherwise.
    let again = world.pay(payer, invoice).await.unwrap().payment;
    world.hand_over(&server, &daraja).await;
    assert_eq!(world.stand(payer, again, invoice).await, ("SUCCEEDED", ("PAID", 500, 0)));
    for _ in 0..2 {
        assert_eq!(Daraja::tell(&server.url, &told[0]).await.0, 200);
        world.run_due_jobs().await;
    }
    assert_eq!(world.balance(payer).await, 0, "the callback alone is not believed");
    world.hand_over(&server, &daraja).await;
    assert_eq!(world.balance(payer).await, 500);
    assert_eq!(world.count("credit_entries", "reason = 'LATE_PAYMENT' and amount_minor = 500").await, 1);
    assert_eq!(world.status(payer, attempt).await, "FAILED", "what was over stays over");
    assert_eq!(world.count("payments", "status = 'SUCCEEDED' and gateway = 'mpesa'").await, 2);
    assert_eq!(world.count("audit_events", "action = 'payment.came_late'").await, 1);
    // Again, and the answer about its receipt again: nothing more.
    let status = daraja.callbacks();
    for one in told.iter().chain(&status) {
        assert_eq!(Daraja::tell(&server.url, one).await.0, 200);
    }
    world.pass(HOUR).await;
    assert_eq!((world.balance(payer).await, daraja.paid().len()), (500, 2));
    assert_eq!(world.subjects_to("support@evolve.test"), ["Money of Acme came late: KES 5.00"]);

    // Where the invoice is still open, the credit is used on it.
    let invoice = world.invoice(payer, 800).await;
    daraja.fail([Fault::AnswerLost]);
    let attempt = world.pay(payer, invoice).await.unwrap().payment;
    let told = daraja.callbacks();
    world.pass(HOUR).await;
    assert_eq!(world.status(payer, attempt).await, "FAILED");
    // The 5.00 that were there are used when it fails.
    assert_eq!(world.invoice_is(payer, invoice).await, ("OPEN", 0, 300));
    assert_eq!(Daraja::tell(&server.url, &told[0]).await.0, 200);
    world.run_due_jobs().await;
    world.hand_over(&server, &daraja).await;
    assert_eq!((world.invoice_is(payer, invoice).await, world.balance(payer).await), (("PAID", 0, 0), 500));
}

async fn nothing_is_prompted_while_a_prompt_is_open(db: TestDatabase) {
    let (world, server, daraja, payer) = with_phone(db, Holder::Waits).await;
    let invoice = world.invoice(payer, 500).await;
    let attempt = world.pay(payer, invoice).await.unwrap().payment;
    let busy = [(Code::PaymentInProgress, "invoiceId".to_owned())];
    assert_eq!(refused(world.pay(payer, invoice).await), busy);
    // Nor with another method: a prompt cannot be called off.
    let method = world.method(payer, evolve_business::adapters::payment::SandboxBehavior::Succeeds).await;
    let mut request = world.request(invoice);
    request.method = Some(Some(method));
    let asked = world.working(world.payments().pay_invoice(payer.caller, request)).await;
    assert_eq!(refused(asked), busy);
    // Its three minutes are over, and nobody knows: it is not taken for over.
    world.pass(SignedDuration::from_mins(3)).await;
    assert_eq!(world.status(payer, attempt).await, "UNKNOWN");
    assert_eq!(refused(world.pay(payer, invoice).await), busy);
    assert_eq!((daraja.prompts().len(), world.charges().await), (1, 0));
    // It has ended without money: a new one may be asked for.
    daraja.act(Some("1037"));
    world.hand_over(&server, &daraja).await;
    let payment = world.payment(payer, attempt).await;
    assert_eq!((payment.status.as_str(), payment.failure_code.as_deref()), ("FAILED", Some("unreachable")));
    world.pay(payer, invoice).await.unwrap();
    assert_eq!(world.invoice_is(payer, invoice).await, ("PAID", 500, 0));
}

async fn a_worker_that_dies_between_taking_and_prompting_prompts_nobody_twice(db: TestDatabase) {
    let (world, server, daraja, payer) = with_phone(db, Holder::Pays).await;
    let invoice = world.invoice(payer, 500).await;
    let attempt = world.begin(payer, invoice).await;
    // It is done whether or not its sender still waits; here, after the test.
    daraja.fail([Fault::Slow(std::time::Duration::from_mins(1))]);
    let worker = World::worker(&world.ports);
    let died = tokio::time::timeout(std::time::Duration::from_millis(1_500), worker.run_due_jobs()).await;
    assert!(died.is_err());
    assert_eq!(world.status(payer, attempt).await, "SENDING");
    // Its successor does not send it again, and says that nobody knows.
    world.pass(SignedDuration::from_secs(61)).await;
    assert_eq!(world.status(payer, attempt).await, "UNKNOWN");
    world.hand_over(&server, &daraja).await;
    world.hand_over(&server, &daraja).await;
    world.pass(HOUR).await;
    let (calls, paid) = (daraja.calls("/mpesa/stkpush/v1/processrequest"), daraja.paid().len());
    assert_eq!(calls, 1, "it was sent once");
    let expected = if paid == 1 { ("SUCCEEDED", ("PAID", 500, 0)) } else { ("FAILED", ("OPEN", 0, 500)) };
    assert_eq!(world.stand(payer, attempt, invoice).await, expected, "{paid}");
}

async fn a_receipt_that_is_told_after_the_success_is_kept(db: TestDatabase) {
    let (world, server, daraja, payer) = with_phone(db, Holder::Pays).await;
    let invoice = world.invoice(payer, 500).await;
    let attempt = world.pay(payer, invoice).await.unwrap().payment;
    world.pass(SignedDuration::from_secs(5)).await;
    let payment = world.payment(payer, attempt).await;
    assert_eq!((payment.status.as_str(), payment.receipt), ("SUCCEEDED", None));
    world.hand_over(&server, &daraja).await;
    let receipt = world.payment(payer, attempt).await.receipt;
    assert!(receipt.is_some_and(|receipt| receipt.starts_with("SFC")));
    assert_eq!((world.balance(payer).await, world.invoice_is(payer, invoice).await), (0, ("PAID", 500, 0)));
}

/// A world in which somebody has bought for 35 shillings on the first of June, in the middle of that month.
async fn bought(db: TestDatabase) -> (World, Server, Daraja, Payer, evolve_business::ids::SubscriptionId) {
    let daraja = Daraja::start().await;
    let world = World::shop_at(db, JUNE).await.with_mpesa(&daraja);
    let server = Server::start(&world).await;
    let payer = world.phone_payer(PHONE).await;
    let bought = world.subscribe(payer, "basic").await;
    world.hand_over(&server, &daraja).await;
    assert_eq!(world.subscription(payer, bought.subscription).await.status.as_str(), "ACTIVE");
    world.clock.set(MIDDLE.parse().unwrap());
    (world, server, daraja, payer, bought.subscription)
}

async fn a_refund_is_a_reversal_that_is_believed_when_it_is_confirmed(db: TestDatabase) {
    let (world, server, daraja, payer, subscription) = bought(db).await;
    world.try_cancel(payer, subscription, CancelTiming::Now, UnusedTime::Refund).await.unwrap();
    // Half of 34.80 is 17.40: 17 shillings are reversed, and 0.40 are credit beside the 0.20 that were rounded up.
    assert_eq!(daraja.reversed(), [17]);
    assert_eq!(world.count("refunds", "status = 'ACCEPTED' and amount_minor = 1700").await, 1);
    assert_eq!(world.hand_over(&server, &daraja).await, 1);
    assert_eq!(world.count("refunds", "status = 'ACCEPTED'").await, 1, "the result alone is not believed");
    assert_eq!(world.hand_over(&server, &daraja).await, 1);
    assert_eq!(world.count("refunds", "status = 'SUCCEEDED' and amount_minor = 1700").await, 1);
    // Who was paid back is not kept, in however it was told: two hints tell of the refund.
    assert_eq!(world.count("gateway_hints", "refund_id is not null and receiver is null").await, 2);
    assert_eq!(world.balance(payer).await, 60);
    assert_eq!(world.examine().await, [""; 0]);
}

async fn a_reversal_whose_answer_is_lost_is_not_sent_again(db: TestDatabase) {
    let (world, server, daraja, payer, subscription) = bought(db).await;
    daraja.fail([Fault::AnswerLost]);
    world.try_cancel(payer, subscription, CancelTiming::Now, UnusedTime::Refund).await.unwrap();
    assert_eq!(world.count("refunds", "status = 'UNKNOWN'").await, 1);
    world.pass(SignedDuration::from_hours(30)).await;
    assert_eq!((daraja.reversed(), world.count("refunds", "status = 'UNKNOWN'").await), (vec![17], 1));
    world.hand_over(&server, &daraja).await;
    world.hand_over(&server, &daraja).await;
    assert_eq!((daraja.reversed(), world.count("refunds", "status = 'SUCCEEDED'").await), (vec![17], 1));
}

async fn a_number_is_sealed_anew_under_a_new_key(db: TestDatabase) {
    let (world, _server, daraja, payer) = with_phone(db, Holder::Pays).await;
    world.advance(MINUTE);
    let rotated = world.rotate(true).await;
    assert_eq!((rotated.replaced, rotated.left), (1, Vec::<String>::new()));
    let invoice = world.invoice(payer, 500).await;
    world.pay(payer, invoice).await.unwrap();
    assert_eq!(daraja.prompts().remove(0).phone, PHONE);
}
