//! The page on which a sandbox customer confirms or refuses a payment.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::http::sandbox_action::router;
use evolve_business::ids::{InvoiceId, PaymentId};
use tower::ServiceExt as _;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_payments::{Payer, until};

both!(
    the_page_shows_two_buttons_and_runs_nothing,
    what_the_customer_chooses_settles_the_payment_at_once_and_only_once,
    an_unknown_payment_or_choice_does_nothing,
);

/// A payment that waits for its customer.
async fn waiting(world: &World) -> (Payer, InvoiceId, PaymentId) {
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::RequiresAction).await;
    let invoice = world.invoice(payer, 500).await;
    let paid = world.pay(payer, invoice).await.unwrap();
    assert_eq!(world.status(payer, paid.payment).await, "REQUIRES_ACTION");
    (payer, invoice, paid.payment)
}

async fn ask(world: &World, method: &str, path: &str) -> Response {
    let path = format!("/gateways/sandbox/actions/{path}");
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    router(world.gateway.clone(), world.ports.clone()).oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 16).await.unwrap().to_vec()).unwrap()
}

async fn the_page_shows_two_buttons_and_runs_nothing(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let (_, _, payment) = waiting(&world).await;
    let response = ask(&world, "GET", &payment.to_string()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let html = text(response).await;
    assert_eq!((html.matches("<button").count(), html.matches("<script").count()), (2, 0));
    assert!(html.contains(&format!("<code>{payment}</code>")), "{html}");
    assert_eq!(world.charges().await, 0, "looking charges nothing");
}

async fn what_the_customer_chooses_settles_the_payment_at_once_and_only_once(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    for (outcome, status, invoice_is) in [("confirm", "SUCCEEDED", ("PAID", 500, 0)), ("refuse", "FAILED", ("OPEN", 0, 500))] {
        let (payer, invoice, payment) = waiting(&world).await;
        let path = format!("{payment}?outcome={outcome}");
        // The clock stands still: the look-up is not due by itself.
        world
            .working(async {
                assert_eq!(ask(&world, "POST", &path).await.status(), StatusCode::OK);
                until(async || world.status(payer, payment).await == status).await;
            })
            .await;
        assert_eq!(world.invoice_is(payer, invoice).await, invoice_is);
        assert_eq!(ask(&world, "POST", &path).await.status(), StatusCode::CONFLICT);
        assert!(!text(ask(&world, "GET", &payment.to_string()).await).await.contains("<button"));
    }
    assert_eq!(world.charges().await, 1);
}

async fn an_unknown_payment_or_choice_does_nothing(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let (payer, _, payment) = waiting(&world).await;
    for (method, path, status) in [
        ("GET", "pay_2".to_owned(), StatusCode::NOT_FOUND),
        ("POST", "pay_2?outcome=confirm".to_owned(), StatusCode::NOT_FOUND),
        ("POST", format!("{payment}?outcome=maybe"), StatusCode::BAD_REQUEST),
        ("POST", payment.to_string(), StatusCode::BAD_REQUEST),
        ("PUT", payment.to_string(), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(ask(&world, method, &path).await.status(), status, "{method} {path}");
    }
    assert_eq!((world.run_due_jobs().await, world.status(payer, payment).await), (0, "REQUIRES_ACTION"));
}
