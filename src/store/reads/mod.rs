//! What the API shows of subscriptions and money: pages, rows by id, and the rows of many parents in one statement.

pub mod audit;
pub mod businesses;
pub mod collections;
pub mod credit;
pub mod disputes;
pub mod invoices;
pub mod ledger;
pub mod payments;
pub mod refunds;
pub mod subscriptions;
pub mod support;
pub mod verification;
pub mod webhooks;

use std::collections::HashMap;
use std::hash::Hash;

use crate::ids::BusinessId;

/// A thing of a business: what staff read across businesses is always shown with its own.
pub type Of<I> = (BusinessId, I);

/// Rows by what they belong to, each group in the order it was read.
fn grouped<K: Eq + Hash, V>(rows: Vec<V>, key: impl Fn(&V) -> K) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}
