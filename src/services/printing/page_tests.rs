//! What an invoice's page shows of figures and names.

use uuid::Uuid;

use super::*;
use crate::billing::invoice::LineKind;
use crate::billing::lifecycle::InvoiceStatus;
use crate::ids::{BusinessId, InvoiceId};

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn party(name: &str) -> Party {
    let address_line = Some("Moi Avenue 1".to_owned());
    Party { name: name.to_owned(), tax_id: None, address_line, city: None, postal_code: None, country: "KE".to_owned() }
}

/// An invoice of one line over so many minor units, without tax, that nobody has paid.
fn facts(currency: &str, minor: i64, name: &str) -> Facts {
    let (business, id) = (BusinessId::from(Uuid::nil()), InvoiceId::from(Uuid::nil()));
    let at = Instant::from("2027-06-30T21:00:00Z".parse::<jiff::Timestamp>().unwrap());
    let invoice = Invoice {
        business_id: business,
        id,
        subscription_id: None,
        number: Some("INV-2027-000001".to_owned()),
        status: InvoiceStatus::Open,
        currency: Currency::from_code(currency).unwrap(),
        seller: String::new(),
        billed_to: String::new(),
        billed_tax_id_sealed: None,
        subtotal_minor: minor,
        discount_minor: 0,
        tax_minor: 0,
        total_minor: minor,
        credit_applied_minor: 0,
        amount_paid_minor: 0,
        amount_credited_minor: 0,
        amount_due_minor: minor,
        exclusive_tax_minor: 0,
        attempts: 0,
        next_attempt_at: None,
        issued_at: Some(at),
        due_at: Some(at),
        paid_at: None,
        voided_at: None,
        created_at: at,
        draft_until: None,
        draft_plan_id: None,
        draft_plan_version: None,
        draft_tax_behavior: None,
    };
    let line = InvoiceLine {
        business_id: business,
        id: Uuid::nil().into(),
        invoice_id: id,
        position: 0,
        kind: LineKind::Usage,
        description: name.to_owned(),
        period_start: Some(at),
        period_end: Some(Instant::from("2027-07-31T21:00:00Z".parse::<jiff::Timestamp>().unwrap())),
        quantity: rate("1200"),
        unit_price: rate("0.0035"),
        amount_minor: minor,
        discount_minor: 0,
        tax_minor: 0,
        tax_rate: rate("0.165"),
        tax_behavior: TaxBehavior::Exclusive,
        period_id: None,
    };
    Facts {
        invoice,
        lines: vec![line],
        taxes: Vec::new(),
        payments: Vec::new(),
        notes: Vec::new(),
        seller: party("Evolve"),
        billed_to: party(name),
        zone: Zone::parse("Africa/Nairobi").unwrap(),
    }
}

#[test]
fn amounts_are_written_with_the_digits_of_their_currency() {
    for (currency, minor, shown) in [
        ("UGX", 1_234_567, "UGX 1,234,567<"),
        ("KES", 1_234_567, "KES 12,345.67<"),
        ("KWD", 1_234_567, "KWD 1,234.567<"),
        ("KES", 5, "KES 0.05<"),
    ] {
        let page = print(&facts(currency, minor, "Ann"), "en").unwrap();
        // Subtotal, total and what is due.
        assert_eq!(page.matches(shown).count(), 3, "{page}");
    }
    // A unit price may be finer, a quantity is grouped too, a rate is in percent; the period is July in Nairobi, its last day included.
    let page = print(&facts("KES", 420, "Ann"), "en").unwrap();
    for shown in [">0.0035<", ">1,200<", ">16.5\u{a0}%<", "1 July 2027 \u{2013} 31 July 2027"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
}

#[test]
fn a_name_cannot_leave_its_place_on_the_page() {
    let page = print(&facts("KES", 100, "<script>alert(1)</script> & \"Co\" '</style>"), "sw").unwrap();
    assert!(!page.contains("<script") && page.matches("</style>").count() == 1, "{page}");
    // The buyer and the line's description.
    assert_eq!(page.matches("&lt;script&gt;alert(1)&lt;&#x2f;script&gt; &amp; &quot;Co&quot;").count(), 2, "{page}");
    assert!(page.starts_with("<!doctype html>\n<html lang=\"sw\">"), "{page}");
}

#[test]
fn nothing_on_the_page_may_run_or_be_loaded() {
    let page = print(&facts("KES", 100, "Ann"), "en").unwrap();
    for forbidden in ["<script", "http:", "https:", "url(", "@import", "style=", " on", "<img", "<link"] {
        // The style has words of its own; nothing in it loads.
        let body = page.split_once("<body>").unwrap().1;
        assert!(!body.contains(forbidden) && (forbidden == " on" || !page.contains(forbidden)), "{forbidden}");
    }
    let style = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).unwrap().0;
    let hash = STANDARD.encode(Sha256::digest(style));
    assert!(POLICY.starts_with("default-src 'none';") && POLICY.contains(&format!("style-src 'sha256-{hash}';")), "{}", *POLICY);
}
