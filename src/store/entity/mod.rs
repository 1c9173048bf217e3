//! The tables as sea-orm sees them, one file per aggregate; what a column means stands in the migration that
//! makes it. Private to the store: others see the `Model`s, as plain structs, under the names the store gives them.
#![cfg_attr(not(test), expect(clippy::missing_docs_in_private_items, reason = "columns are described by their tables' migrations"))]
#![expect(unreachable_pub, reason = "sea-orm derives public items; what leaves the store is re-exported by name")]

/// What every entity needs beside its model; with the word `placed`, but for how its rows are read.
macro_rules! system_entity {
    () => {
        impl crate::store::rows::Rows for Entity {
            crate::store::rows::columns!();
        }

        crate::store::entity::system_entity!(placed);
    };
    (placed) => {
        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}
    };
}

/// An entity whose rows belong to businesses: the column that names the business, and the one that names the row; with the word `placed`,
/// but for how its rows are read.
macro_rules! tenant_entity {
    ($business:ident, $id:ident $(, $placed:tt)?) => {
        crate::store::entity::system_entity!($($placed)?);

        impl crate::store::tenant::TenantEntity for Entity {
            fn business_column() -> Column {
                Column::$business
            }
            fn id_column() -> Column {
                Column::$id
            }
        }
    };
}

/// An entity that everybody may read; with the word `placed`, but for how its rows are read.
macro_rules! catalogue_entity {
    ($($placed:tt)?) => {
        crate::store::entity::system_entity!($($placed)?);

        impl crate::store::tenant::CatalogueEntity for Entity {}
    };
}

pub(crate) use {catalogue_entity, system_entity, tenant_entity};

pub(crate) mod catalog;
pub(crate) mod coupons;
pub(crate) mod customers;
pub(crate) mod invoices;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod notifications;
pub(crate) mod outbox;
pub(crate) mod payments;
pub(crate) mod privacy;
pub(crate) mod revenue;
pub(crate) mod staff;
pub(crate) mod subscriptions;
pub(crate) mod support;
pub(crate) mod test_clocks;
pub(crate) mod usage;
pub(crate) mod verification;
pub(crate) mod webhooks;
pub(crate) mod work;
