//! The ledger: what each event of money posts, and what the doctor says of a database that contradicts itself.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::cancel::{CancelTiming, UnusedTime};
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::store::types::StaffRole;
use evolve_business::store::{Snapshot, invoices};
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::Life;
use crate::world_staff::text;

both!(
    each_event_of_money_is_entered_with_what_it_posts,
    what_is_given_up_on_is_written_off_and_comes_back_with_its_payment,
    what_contradicts_itself_is_found_by_its_check,
    staff_read_the_ledger_by_business_and_account,
);

/// The entries so far, in their order, each with its postings: `KIND: ACCOUNT amount, …`.
pub(crate) async fn entries(world: &World) -> Vec<String> {
    let sql = "select e.kind || ': ' || p.account || ' ' || cast(p.amount_minor as text) from journal_entries e
               join postings p on p.business_id = e.business_id and p.entry_id = e.id order by e.id, p.position";
    let mut read: Vec<String> = Vec::new();
    for posting in world.read_texts(sql).await {
        let (kind, side) = posting.split_once(": ").unwrap();
        // The entry before it goes on until it adds up to zero.
        match read.last_mut() {
            Some(last) if last.starts_with(kind) && !is_whole(last) => {
                last.push_str(", ");
                last.push_str(side);
            }
            _ => read.push(posting),
        }
    }
    read
}

/// Whether the postings so far add up to zero.
fn is_whole(entry: &str) -> bool {
    let amounts = entry.split([',', ':']).filter_map(|part| part.split(' ').next_back()?.parse::<i64>().ok());
    amounts.sum::<i64>() == 0
}

async fn each_event_of_money_is_entered_with_what_it_posts(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    // 30.00 and 16 % tax: 34.80, taken by the gateway.
    let id = world.subscribe(payer, "basic").await.subscription;
    let mut expected = vec![
        "INVOICE_ISSUED: RECEIVABLE 3480, REVENUE -3000, TAX_PAYABLE -480".to_owned(),
        "PAYMENT_CAPTURED: CASH 3480, RECEIVABLE -3480".to_owned(),
    ];
    assert_eq!(entries(&world).await, expected);
    // On 16 June 15 of 30 days are left: 45.00 − 15.00 = 30.00 more, 34.80 with tax.
    world.clock.set("2027-06-16T06:00:00Z".parse().unwrap());
    world.change(payer, id, "max", ChangeTiming::Now, Proration::ProrateNow).await;
    expected.push("INVOICE_ISSUED: RECEIVABLE 3480, REVENUE -3000, TAX_PAYABLE -480".to_owned());
    expected.push("PAYMENT_CAPTURED: CASH 3480, RECEIVABLE -3480".to_owned());
    assert_eq!(entries(&world).await, expected);
    // And back on that day: −45.00 + 15.00 and tax become account credit, by one note on the newest invoice.
    world.change(payer, id, "basic", ChangeTiming::Now, Proration::ProrateNow).await;
    expected.push("CREDIT_NOTE_ISSUED: REVENUE 3000, TAX_PAYABLE 480, ACCOUNT_CREDIT -3480".to_owned());
    assert_eq!(entries(&world).await, expected);
    // July is paid by that credit alone.
    world.run_at("2027-06-30T21:00:00Z").await;
    expected.push("INVOICE_ISSUED: RECEIVABLE 3480, REVENUE -3000, TAX_PAYABLE -480".to_owned());
    expected.push("CREDIT_USED: ACCOUNT_CREDIT 3480, RECEIVABLE -3480".to_owned());
    assert_eq!(entries(&world).await, expected);
    // On 16 July 16 of 31 days are left: 15.48 and tax 2.48.
    world.clock.set("2027-07-16T06:00:00Z".parse().unwrap());
    world.try_cancel(payer, id, CancelTiming::Now, UnusedTime::Credit).await.unwrap();
    expected.push("CREDIT_NOTE_ISSUED: REVENUE 1548, TAX_PAYABLE 248, ACCOUNT_CREDIT -1796".to_owned());
    assert_eq!(entries(&world).await, expected);
    assert_eq!(world.balance(payer).await, 1796);
    assert_eq!(world.examine().await, [""; 0]);
}

async fn what_is_given_up_on_is_written_off_and_comes_back_with_its_payment(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    world.subscribe(payer, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.run_at("2027-06-30T21:00:00Z").await;
    let view = Snapshot::new(world.ports.store.clone(), Some(payer.scope));
    let invoice = invoices::open(&view.tenant().await.unwrap(), None).await.unwrap()[0].id;
    drop(view);
    for now in [
        "2027-07-01T21:00:00Z",
        "2027-07-03T21:00:00Z",
        "2027-07-05T21:00:00Z",
        "2027-07-07T21:00:00Z", // suspended
        "2027-08-06T21:00:00Z", // canceled
        "2027-09-05T21:00:00Z", // given up on
    ] {
        world.run_at(now).await;
    }
    let written_off = "WRITTEN_OFF: WRITE_OFF 3480, WRITE_OFF_ALLOWANCE -3480";
    assert_eq!(entries(&world).await.last().unwrap(), written_off);
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.working(Box::pin(world.pay(payer, invoice))).await.unwrap();
    let entries = entries(&world).await;
    let paid = ["PAYMENT_CAPTURED: CASH 3480, RECEIVABLE -3480", "RECOVERED: WRITE_OFF -3480, WRITE_OFF_ALLOWANCE 3480"];
    assert_eq!(entries[entries.len() - 2..], paid.map(str::to_owned));
    assert_eq!(world.examine().await, [""; 0]);
}

/// What is done to a sound database, what undoes it, and the check that finds it.
const CONTRADICTIONS: &[(&str, &str, &str)] = &[
    (
        "update payments set action_client_secret = 'pi_1_secret_x' where status = 'SUCCEEDED'",
        "update payments set action_client_secret = null where status = 'SUCCEEDED'",
        "client secrets",
    ),
    (
        "update subscriptions set counted_annual_minor = counted_annual_minor + 1",
        "update subscriptions set counted_annual_minor = counted_annual_minor - 1",
        "recurring revenue",
    ),
    (
        "update postings set amount_minor = amount_minor + 1 where account = 'CASH'",
        "update postings set amount_minor = amount_minor - 1 where account = 'CASH'",
        "entries balance",
    ),
    (
        "update invoices set amount_due_minor = 5, amount_paid_minor = amount_paid_minor - 5 where number like '%000001'",
        "update invoices set amount_due_minor = 0, amount_paid_minor = amount_paid_minor + 5 where number like '%000001'",
        "receivables",
    ),
    (
        "update invoices set amount_due_minor = 5, amount_paid_minor = amount_paid_minor - 5 where number like '%000001'",
        "update invoices set amount_due_minor = 0, amount_paid_minor = amount_paid_minor + 5 where number like '%000001'",
        "amounts due",
    ),
    (
        "update invoices set credit_applied_minor = 5, amount_paid_minor = amount_paid_minor - 5 where number like '%000001'",
        "update invoices set credit_applied_minor = 0, amount_paid_minor = amount_paid_minor + 5 where number like '%000001'",
        "paid amounts",
    ),
    (
        "update businesses set balance_minor = balance_minor + 7",
        "update businesses set balance_minor = balance_minor - 7",
        "account credit",
    ),
    (
        "update credit_entries set amount_minor = amount_minor + 7",
        "update credit_entries set amount_minor = amount_minor - 7",
        "account credit",
    ),
    (
        "update invoices set status = 'UNCOLLECTIBLE', amount_due_minor = 3, amount_paid_minor = amount_paid_minor - 3 where number like '%000001'",
        "update invoices set status = 'PAID', amount_due_minor = 0, amount_paid_minor = amount_paid_minor + 3 where number like '%000001'",
        "write-offs",
    ),
    ("update invoice_lines set amount_minor = amount_minor + 1", "update invoice_lines set amount_minor = amount_minor - 1", "lines"),
    ("update invoice_taxes set amount_minor = amount_minor + 1", "update invoice_taxes set amount_minor = amount_minor - 1", "lines"),
    (
        "update invoice_counters set last_number = last_number + 1 where series = 'INV'",
        "update invoice_counters set last_number = last_number - 1 where series = 'INV'",
        "numbers",
    ),
    (
        "update invoice_register set number = 99 where number = 2 and series = 'INV'",
        "update invoice_register set number = 2 where number = 99 and series = 'INV'",
        "numbered documents",
    ),
    (
        "update invoice_register set year = 2000 where number = 2 and series = 'INV'",
        "update invoice_register set year = 2027 where number = 2 and series = 'INV'",
        "numbers",
    ),
    (
        "update journal_entries set kind = 'DISPUTE_WON' where kind = 'INVOICE_ISSUED'",
        "update journal_entries set kind = 'INVOICE_ISSUED' where kind = 'DISPUTE_WON'",
        "documents are booked",
    ),
    (
        "update journal_entries set kind = 'DISPUTE_WON' where kind = 'PAYMENT_CAPTURED'",
        "update journal_entries set kind = 'PAYMENT_CAPTURED' where kind = 'DISPUTE_WON'",
        "captured payments",
    ),
    (
        "update payments set status = 'FAILED' where status = 'SUCCEEDED'",
        "update payments set status = 'SUCCEEDED' where status = 'FAILED'",
        "captured payments",
    ),
    (
        "update credit_notes set amount_minor = amount_minor + 10000, to_credit_minor = to_credit_minor + 10000",
        "update credit_notes set amount_minor = amount_minor - 10000, to_credit_minor = to_credit_minor - 10000",
        "credit notes",
    ),
    ("update periods set number = 7 where number = 2", "update periods set number = 2 where number = 7", "periods"),
    (
        "update periods set ends_at = starts_at where number = 1",
        "update periods set ends_at = (select n.starts_at from periods n where n.number = 2) where number = 1",
        "periods",
    ),
    ("update businesses set verification_status = 'APPROVED'", "update businesses set verification_status = 'UNVERIFIED'", "verifications"),
    ("update subscriptions set period_number = 1", "update subscriptions set period_number = 2", "running periods"),
    (
        "update jobs set status = 'DEAD' where kind = 'renewal' and status = 'READY'",
        "update jobs set status = 'READY' where kind = 'renewal' and status = 'DEAD'",
        "jobs",
    ),
    (
        "update jobs set status = 'DEAD' where kind = 'renewal' and status = 'READY'",
        "update jobs set status = 'READY' where kind = 'renewal' and status = 'DEAD'",
        "renewals",
    ),
];

async fn what_contradicts_itself_is_found_by_its_check(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "max").await.subscription;
    world.clock.set("2027-06-16T06:00:00Z".parse().unwrap());
    world.change(payer, id, "basic", ChangeTiming::Now, Proration::ProrateNow).await;
    world.run_at("2027-06-30T21:00:00Z").await;
    let checks = evolve_business::store::doctor::CHECKS.iter().map(|check| check.name).chain(["renewals"]);
    let contradictions = CONTRADICTIONS.iter().chain(crate::refunds::CONTRADICTIONS).chain(crate::disputes::CONTRADICTIONS);
    let contradictions = contradictions.chain(crate::webhooks_waiting::CONTRADICTIONS);
    let untried: Vec<_> = checks.filter(|name| contradictions.clone().all(|(_, _, found)| found != name)).collect();
    // A number that no register has is one that no document has lost: the statement that would do it is refused by no key.
    assert_eq!(untried, ["documents have numbers"]);
    for (done, undone, check) in CONTRADICTIONS {
        assert!(world.run_sql(done).await > 0, "{done}");
        let wrong = world.examine().await;
        assert!(wrong.iter().any(|finding| finding.starts_with(&format!("{check}: "))), "{done}: {wrong:#?}");
        assert!(world.run_sql(undone).await > 0, "{undone}");
        assert_eq!(world.examine().await, [""; 0], "{undone}");
    }
    world.run_sql("delete from invoice_register where number = 2 and series = 'INV'").await;
    let wrong = world.examine().await;
    assert!(wrong.iter().any(|finding| finding.starts_with("documents have numbers: inv_")), "{wrong:#?}");
}

async fn staff_read_the_ledger_by_business_and_account(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let server = Server::start(&world).await;
    let life = Life::lived(&world, &server, "ann").await;
    let other = Life::lived(&world, &server, "ben").await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let query = "query($business: ID, $account: LedgerAccount) { ledger(businessId: $business, account: $account, first: 100) { totalCount
      nodes { id businessId kind subject at postings { account amount { amount currency } } } } }";
    let all = staff.data(query, json!({})).await["ledger"].take();
    let (first, second) = (
        staff.data(query, json!({ "business": life.business })).await["ledger"].take(),
        staff.data(query, json!({ "business": other.business })).await["ledger"].take(),
    );
    let nodes = |list: &Value| list["nodes"].as_array().unwrap().clone();
    assert!(nodes(&first).len() >= 3);
    assert_eq!(nodes(&all).len(), nodes(&first).len() + nodes(&second).len());
    assert_eq!(all["totalCount"], nodes(&all).len());
    for entry in nodes(&first) {
        assert_eq!(entry["businessId"], json!(life.business));
        let postings = entry["postings"].as_array().unwrap();
        let minor = |posting: &Value| text(&posting["amount"]["amount"]).replace('.', "").parse::<i64>().unwrap();
        assert_eq!(postings.iter().map(minor).sum::<i64>(), 0, "{entry:#}");
        let subject = text(&entry["subject"]);
        let prefix = if entry["kind"] == "PAYMENT_CAPTURED" { "pay_" } else { "inv_" };
        assert!(subject.starts_with(prefix), "{entry:#}");
        let node = staff.data("query($id: ID!) { node(id: $id) { ... on JournalEntry { kind } } }", json!({ "id": entry["id"] })).await;
        assert_eq!(node["node"]["kind"], entry["kind"]);
    }
    let cash = staff.data(query, json!({ "business": life.business, "account": "CASH" })).await["ledger"].take();
    assert!(nodes(&cash).iter().all(|entry| entry["kind"] == "PAYMENT_CAPTURED") && !nodes(&cash).is_empty());
    assert_eq!(staff.data(query, json!({ "business": "biz_x" })).await["ledger"]["nodes"], json!([]));
}
