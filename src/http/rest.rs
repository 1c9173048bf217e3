//! The paths of the platform's REST API of before: each stands for one stored document of the business API, with the same guard.
//!
//! A read takes its arguments from the query string; the body of a change is that mutation's `input` as JSON. A change with an
//! idempotency key takes it from its body or from the header `Idempotency-Key`; without one it is derived from the caller, the document,
//! the input and the minute, and the answer says so.

use axum::Router;

use super::graphql::stored::{Kind, Stored, Takes};
use super::graphql::{Endpoint, Executor};
use crate::clock::SharedClock;

/// Where the paths lie.
const BASE: &str = "/api/business/v1";
/// What a list takes.
const PAGE: [(&str, Kind); 2] = [("first", Kind::Number), ("after", Kind::Text)];

/// Each path with its document. A path of two methods has two.
const PATHS: &[(&str, &[Stored])] = &[
    (
        "/profile/",
        &[
            Stored { document: include_str!("rest/profile.graphql"), takes: Takes::Parameters(&[]) },
            Stored { document: include_str!("rest/update_profile.graphql"), takes: Takes::Input { method: "PUT", is_keyed: false } },
        ],
    ),
    ("/verify/", &[Stored { document: include_str!("rest/verify.graphql"), takes: Takes::Input { method: "POST", is_keyed: false } }]),
    (
        "/subscription/",
        &[Stored { document: include_str!("rest/subscription.graphql"), takes: Takes::Parameters(&[("product", Kind::Text)]) }],
    ),
    (
        "/plans/",
        &[Stored { document: include_str!("rest/plans.graphql"), takes: Takes::Parameters(&[("product", Kind::Text), PAGE[0], PAGE[1]]) }],
    ),
    ("/subscribe/", &[Stored { document: include_str!("rest/subscribe.graphql"), takes: Takes::Input { method: "POST", is_keyed: true } }]),
    (
        "/subscription/change/",
        &[Stored { document: include_str!("rest/change.graphql"), takes: Takes::Input { method: "PUT", is_keyed: true } }],
    ),
    (
        "/subscription/cancel/",
        &[Stored { document: include_str!("rest/cancel.graphql"), takes: Takes::Input { method: "POST", is_keyed: true } }],
    ),
    (
        "/usage/",
        &[Stored {
            document: include_str!("rest/usage.graphql"),
            takes: Takes::Parameters(&[("product", Kind::Text), ("at", Kind::Text)]),
        }],
    ),
    ("/invoices/", &[Stored { document: include_str!("rest/invoices.graphql"), takes: Takes::Parameters(&PAGE) }]),
    ("/payments/", &[Stored { document: include_str!("rest/payments.graphql"), takes: Takes::Parameters(&PAGE) }]),
];

/// The routes, answered by `endpoint`.
pub fn router<E: Executor>(endpoint: &Endpoint<E>, clock: &SharedClock) -> Router {
    PATHS
        .iter()
        .fold(Router::new(), |router, (path, stored)| router.route(&format!("{BASE}{path}"), endpoint.stored(stored, clock.clone())))
}
