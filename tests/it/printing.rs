//! Invoices as pages to print, behind links.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::ids::{BusinessId, InvoiceId};
use evolve_business::services::printing;
use evolve_business::store::types::StaffRole;
use evolve_business::store::{Snapshot, invoices};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::manual_payments::{came, owing};
use crate::world_staff::text;
use crate::world_staff_money::invoice;

both!(
    the_page_of_an_invoice_is_as_it_was_agreed,
    every_amount_on_the_page_is_the_invoices_own,
    a_page_is_open_for_a_quarter_of_an_hour_to_whoever_holds_its_link,
);

/// The link to an invoice's page.
async fn link(staff: &Client, invoice: &str) -> String {
    text(
        &staff.data("query($i: ID!) { node(id: $i) { ... on Invoice { documentUrl } } }", json!({ "i": invoice })).await["node"]["documentUrl"],
    )
}

/// What a link answers, asked of the server under test.
async fn fetch(server: &Server, link: &str) -> reqwest::Response {
    let (_, path) = link.split_once("/files/").unwrap();
    reqwest::get(format!("{}/files/{path}", server.client().server())).await.unwrap()
}

/// The page without its style.
async fn page(server: &Server, link: &str) -> String {
    let answer = fetch(server, link).await;
    assert_eq!(answer.status(), 200);
    let page = answer.text().await.unwrap();
    let (head, rest) = page.split_once("<style>").unwrap();
    format!("{head}{}", rest.split_once("</style>").unwrap().1)
}

async fn the_page_of_an_invoice_is_as_it_was_agreed(db: TestDatabase) {
    let (world, server, _, _) = owing(db, SandboxBehavior::Declines).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let second = invoice(&staff, 2).await;
    staff.payload("recordPayment", came(&second, "10.00", "FT2716A"), "payment { id }").await;
    insta::assert_snapshot!("page_of_an_invoice", page(&server, &link(&staff, &second).await).await);
}

async fn every_amount_on_the_page_is_the_invoices_own(db: TestDatabase) {
    let (world, server, _, _) = owing(db, SandboxBehavior::Declines).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let second = invoice(&staff, 2).await;
    staff.payload("recordPayment", came(&second, "10.00", "FT2716A"), "payment { id }").await;
    let amounts = "subtotal { amount } total { amount } tax { amount } amountPaid { amount } amountDue { amount } paymentReference
      lines { amount { amount } } payments { status receipt amount { amount } } taxes { taxable { amount } amount { amount } }";
    let document = format!("query($i: ID!) {{ node(id: $i) {{ ... on Invoice {{ {amounts} }} }} }}");
    let said = staff.data(&document, json!({ "i": second })).await["node"].take();
    let page = page(&server, &link(&staff, &second).await).await;
    let figures: Vec<&str> = page.split("class=\"figure\">").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    let shown = |value: &Value| text(&value["amount"]).replace('-', "\u{2212}");
    let lines: Vec<String> = said["lines"].as_array().unwrap().iter().map(|line| shown(&line["amount"])).collect();
    // After the six heads of columns, the last of each line's five figures is its amount.
    assert_eq!([figures[9], figures[14]], [lines[0].as_str(), lines[1].as_str()], "{figures:?}");
    assert_eq!(lines, ["\u{2212}15.00", "30.00"]);
    let of = |field: &str| format!("KES {}", shown(&said[field]));
    let totals = [of("subtotal"), of("tax"), of("total"), of("amountPaid").replace("KES ", "KES \u{2212}"), of("amountDue")];
    assert_eq!(figures[15..20], totals.each_ref().map(String::as_str), "{figures:?}");
    assert_eq!(totals.each_ref().map(String::as_str), ["KES 15.00", "KES 2.40", "KES 17.40", "KES \u{2212}10.00", "KES 7.40"]);
    assert!(page.contains(&format!("({})", of("subtotal"))) && page.contains(&text(&said["paymentReference"])), "{page}");
    // The attempt that failed is no payment.
    assert_eq!((said["payments"].as_array().unwrap().len(), page.matches("FT2716A").count()), (2, 1));
}

async fn a_page_is_open_for_a_quarter_of_an_hour_to_whoever_holds_its_link(db: TestDatabase) {
    let (world, server, payer, _) = owing(db, SandboxBehavior::Declines).await;
    let staff = world.staff(&server, StaffRole::Support).await;
    let id = invoice(&staff, 1).await;
    let good = link(&staff, &id).await;
    let answer = fetch(&server, &good).await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!((header("x-content-type-options"), header("cache-control")), ("nosniff".to_owned(), "no-store".to_owned()));
    assert_eq!(header("content-disposition"), "inline; filename=\"INV-2027-000001.html\"; filename*=UTF-8''INV-2027-000001.html");
    assert!(header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    // One letter changed, or one missing, makes it a link that never was.
    let never = fetch(&server, "/files/none").await.text().await.unwrap();
    for forged in [good[..good.len() - 1].to_owned(), format!("{good}A"), good.replacen("/files/", "/files/A", 1)] {
        let answer = fetch(&server, &forged).await;
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (404, never.clone()));
    }
    // Another business has no invoice of that id, were a link signed that says so.
    let view = Snapshot::new(world.ports.store.clone(), Some(payer.scope));
    let mut row = invoices::find(&view.tenant().await.unwrap(), InvoiceId::parse(&id).unwrap()).await.unwrap().unwrap();
    row.business_id = world.payer().await.scope.business();
    assert_ne!(row.business_id, payer.scope.business());
    let foreign = printing::link(&world.ports, &row).unwrap();
    assert_eq!(fetch(&server, &foreign).await.text().await.unwrap(), never);
    row.business_id = BusinessId::from(uuid::Uuid::nil());
    assert_eq!(fetch(&server, &printing::link(&world.ports, &row).unwrap()).await.text().await.unwrap(), never);
    world.advance(SignedDuration::from_millis(15 * 60 * 1_000 - 1));
    assert_eq!(fetch(&server, &good).await.status(), 200);
    world.advance(SignedDuration::from_millis(1));
    let over = fetch(&server, &good).await;
    assert_eq!((over.status().as_u16(), over.text().await.unwrap()), (404, never));
}
