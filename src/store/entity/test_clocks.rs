//! Test clocks, and which business is on which.

/// `test_clocks`.
pub mod test_clock {
    use sea_orm::entity::prelude::*;

    use crate::ids::TestClockId;
    use crate::store::types::{Instant, TestClockStatus};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "test_clocks")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: TestClockId,
        pub name: String,
        pub now: Instant,
        pub status: TestClockStatus,
        pub goal: Option<Instant>,
        pub failure: Option<String>,
        pub advanced_at: Instant,
        pub created_at: Instant,
    }

    crate::store::entity::system_entity!();
}

/// `clock_attachments`.
pub mod clock_attachment {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, TestClockId};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "clock_attachments")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        pub test_clock_id: TestClockId,
    }

    crate::store::entity::tenant_entity!(BusinessId, BusinessId);
}
