//! The ledger: entries and their postings.

/// `journal_entries`.
pub mod journal_entry {
    use sea_orm::entity::prelude::*;

    use crate::billing::ledger::EntryKind;
    use crate::ids::{BusinessId, JournalEntryId};
    use crate::money::Currency;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "journal_entries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: JournalEntryId,
        pub kind: EntryKind,
        pub subject_id: uuid::Uuid,
        pub currency: Currency,
        pub at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `postings`.
pub mod posting {
    use sea_orm::entity::prelude::*;

    use crate::billing::ledger::Account;
    use crate::ids::{BusinessId, JournalEntryId, PostingId};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "postings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: PostingId,
        pub entry_id: JournalEntryId,
        pub position: i32,
        pub account: Account,
        pub amount_minor: i64,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
