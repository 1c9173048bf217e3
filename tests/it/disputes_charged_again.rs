//! What a payer's bank keeps is charged once more, and gives access back when that is settled. 16 % comes on top of every price.

use evolve_business::billing::cancel::{CancelTiming, UnusedTime};
use evolve_business::ids::InvoiceId;
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::disputes::Case;
use crate::world_staff::text;
use crate::world_staff_money::{correct, invoice};

both!(
    what_a_bank_keeps_is_charged_once_more_and_access_is_back_when_that_is_paid,
    staff_who_call_off_or_give_up_on_what_was_charged_once_more_give_access_back,
    account_credit_that_pays_what_was_charged_once_more_leaves_access_as_it_was,
    what_was_paid_back_before_suspends_nobody,
    an_ended_subscription_is_charged_nothing_once_more,
);

impl Case {
    /// The bank takes so much and keeps it.
    async fn lose(&self, amount: i64) {
        let id = self.dispute(amount);
        self.simulator.dispute_goes(&id, "lost", &[-amount]);
        self.hear().await;
    }

    /// The invoices that are open, as the customer sees them: number, amount due, tax and what they are for.
    async fn open(&self) -> Vec<[String; 4]> {
        let query =
            "{ invoices(filter: { status: [OPEN] }) { nodes { number amountDue { amount } tax { amount } lines { description kind } } } }";
        let shown = self.staff.data(query, json!({})).await["invoices"]["nodes"].take();
        let one = |node: &Value| {
            assert_eq!((node["lines"].as_array().unwrap().len(), &node["lines"][0]["kind"]), (1, &json!("ONE_OFF")), "{node:#}");
            [&node["number"], &node["amountDue"]["amount"], &node["tax"]["amount"], &node["lines"][0]["description"]].map(text)
        };
        shown.as_array().unwrap().iter().map(one).collect()
    }

    /// The id of the second invoice, which charges once more.
    async fn claim(&self) -> InvoiceId {
        InvoiceId::parse(&invoice(&self.staff, 2).await).unwrap()
    }
}

async fn what_a_bank_keeps_is_charged_once_more_and_access_is_back_when_that_is_paid(db: TestDatabase) {
    let case = Case::new(db).await;
    case.lose(3_480).await;
    let claim =
        ["INV-2027-000002", "34.80", "4.80", "Taken back by the payer's bank of what was paid for INV-2027-000001"].map(str::to_owned);
    assert_eq!((case.open().await, case.stand().await[2]), (vec![claim], "SUSPENDED"));
    let claim = case.claim().await;
    // No method is charged for it unasked.
    let charged = case.simulator.calls("POST /v1/payment_intents");
    case.world.run_at("2027-06-20T06:00:00Z").await;
    assert_eq!((case.simulator.calls("POST /v1/payment_intents"), case.stand().await[2]), (charged, "SUSPENDED"));
    let told = case.world.read_texts("select body from notifications where kind = 'subscription.suspended'").await;
    assert_eq!(told, ["Acme has no access to basic for the time being: the payer's bank has taken a payment back."]);

    Box::pin(case.world.working(case.world.pay(case.payer, claim))).await.unwrap();
    assert_eq!((case.stand().await, case.world.count("invoices", "status = 'OPEN'").await), (["DISPUTED", "PAID", "ACTIVE"], 0));
    assert_eq!((case.world.invoice_is(case.payer, claim).await.0, case.world.examine().await), ("PAID", Vec::new()));
    // June is paid, and July is billed as ever.
    assert_eq!(case.world.count("invoices", "1 = 1").await, 2);
    case.world.run_at("2027-06-30T21:00:00Z").await;
    assert_eq!((case.stand().await[2], case.world.billed(3, "total_minor").await), ("ACTIVE", 3_480));
    case.world.run_at("2027-07-08T06:00:00Z").await;
    assert_eq!(case.stand().await[2], "ACTIVE", "its end is not counted any more");
}

async fn staff_who_call_off_or_give_up_on_what_was_charged_once_more_give_access_back(db: TestDatabase) {
    let case = Case::new(db).await;
    for (at, field, status) in [("one", "markInvoiceUncollectible", "UNCOLLECTIBLE"), ("two", "voidInvoice", "VOID")] {
        let (amount, number) = if at == "one" { (1_160, 2) } else { (1_740, 3) };
        case.lose(amount).await;
        assert_eq!((case.stand().await[2], case.open().await.len()), ("SUSPENDED", 1), "{field}");
        let claim = invoice(&case.staff, number).await;
        let done = correct(&case.world, &case.staff, field, &claim, at).await;
        assert_eq!(done["invoice"]["status"], status, "{done:#}");
        assert_eq!((case.stand().await[2], case.world.examine().await), ("ACTIVE", Vec::new()), "{field}");
    }
    // The whole of July is billed.
    case.world.run_at("2027-06-30T21:00:00Z").await;
    assert_eq!((case.stand().await[2], case.world.billed(4, "total_minor").await), ("ACTIVE", 3_480));
}

async fn account_credit_that_pays_what_was_charged_once_more_leaves_access_as_it_was(db: TestDatabase) {
    let case = Case::new(db).await;
    // 50.00 come for an invoice that is paid: account credit.
    let transfer = json!({
        "invoiceId": case.invoice.to_string(), "amount": { "amount": "50.00", "currency": "KES" }, "receipt": "one",
        "receivedOn": "2027-06-01", "idempotencyKey": "one",
    });
    let recorded = case.staff.payload("recordPayment", transfer, "payment { status }").await;
    assert_eq!(recorded["payment"]["status"], "SUCCEEDED", "{recorded:#}");
    case.lose(3_480).await;
    assert_eq!((case.stand().await, case.world.balance(case.payer).await), (["DISPUTED", "PAID", "ACTIVE"], 1_520));
    assert_eq!((case.open().await.len(), case.world.examine().await), (0, Vec::new()));
}

async fn what_was_paid_back_before_suspends_nobody(db: TestDatabase) {
    let case = Case::new(db).await;
    let id = case.simulator.dispute(&case.payment.to_string(), 3_480, "warning_needs_response", &[]);
    case.hear().await;
    assert_eq!(case.pay_back(None, "one").await["payment"]["status"], "REFUNDED");
    case.simulator.dispute_goes(&id, "lost", &[-3_480]);
    case.hear().await;
    // All of it is a cost, and nothing is owed.
    assert_eq!(case.entered().await.last().unwrap(), "WRITTEN_OFF: WRITE_OFF 3480, DISPUTES -3480");
    assert_eq!((case.stand().await[2], case.open().await.len(), case.world.examine().await), ("ACTIVE", 0, Vec::new()));
}

async fn an_ended_subscription_is_charged_nothing_once_more(db: TestDatabase) {
    let case = Case::new(db).await;
    case.world.try_cancel(case.payer, case.subscription, CancelTiming::Now, UnusedTime::None).await.unwrap();
    case.lose(3_480).await;
    assert_eq!((case.stand().await, case.open().await.len()), (["DISPUTED", "PAID", "CANCELED"], 0));
    assert_eq!((case.world.count("credit_notes", "reason = 'DISPUTE'").await, case.world.examine().await), (1, Vec::new()));
}
