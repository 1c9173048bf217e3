//! Test clocks, in a sandbox.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::businesses::StaffBusiness;
use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{DateTime, show_id};
use crate::ids::{BusinessId, TestClockId};
use crate::services::staff::Right;
use crate::services::test_clocks::TestClockService;
use crate::store::test_clocks as rows;
use crate::store::types;

/// Where a test clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::TestClockStatus")]
pub enum TestClockStatus {
    /// It stands still.
    Ready,
    /// It moves to its goal, from one job to the next.
    Advancing,
    /// It stopped before its goal.
    Failed,
}

/// A clock that businesses are put on.
#[derive(Debug, Clone)]
pub struct TestClock {
    row: rows::TestClock,
}

impl TestClock {
    /// The clock of a row.
    pub const fn new(row: rows::TestClock) -> Self {
        Self { row }
    }

    /// The one of that id.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: TestClockId) -> Result<Option<Self>, Error> {
        Ok(request.view().loaders.test_clocks.load(id).await?.map(Self::new))
    }
}

/// A clock of the sandbox that stands still until it is advanced. Periods, trials, dunning and coupons of the businesses
/// on it go by it.
#[Object]
impl TestClock {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What it is called.
    async fn name(&self) -> &str {
        &self.row.name
    }
    /// What it shows.
    async fn now(&self) -> DateTime {
        DateTime(self.row.now)
    }
    /// Where it stands.
    async fn status(&self) -> TestClockStatus {
        self.row.status.into()
    }
    /// Why it stopped before its goal.
    async fn failure(&self) -> Option<&str> {
        self.row.failure.as_deref()
    }
}

/// A clock to make.
#[derive(Debug, InputObject)]
pub struct CreateTestClockInput {
    /// What it is to be called: 1 to 100 characters.
    name: String,
    /// What it is to show, in the years 2000 to 2199.
    now: DateTime,
}

/// What `createTestClock` answers.
#[derive(Debug, SimpleObject)]
pub struct CreateTestClockPayload {
    /// The clock.
    test_clock: Option<TestClock>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// How far to advance a clock.
#[derive(Debug, InputObject)]
pub struct AdvanceTestClockInput {
    /// Which clock.
    test_clock_id: ID,
    /// Up to when: later than it shows, and at most two years later.
    to: DateTime,
}

/// What `advanceTestClock` answers.
#[derive(Debug, SimpleObject)]
pub struct AdvanceTestClockPayload {
    /// The clock, ADVANCING.
    test_clock: Option<TestClock>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Which business to put on which clock.
#[derive(Debug, InputObject)]
pub struct AttachTestClockInput {
    /// The clock.
    test_clock_id: ID,
    /// The business, which must have no subscription yet.
    business_id: ID,
}

/// What `attachTestClock` answers.
#[derive(Debug, SimpleObject)]
pub struct AttachTestClockPayload {
    /// The clock.
    test_clock: Option<TestClock>,
    /// The business.
    business: Option<StaffBusiness>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Queries about test clocks.
#[derive(Debug, Default)]
pub struct TestClockQuery;

#[Object]
impl TestClockQuery {
    /// Every test clock, the newest first.
    async fn test_clocks(&self, context: &Context<'_>) -> Option<Result<Vec<TestClock>>> {
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let found = rows::all(&request.system().await?).await?;
            Ok(Some(found.into_iter().map(TestClock::new).collect()))
        })
        .await
    }
}

/// Making, advancing and attaching test clocks.
#[derive(Debug, Default)]
pub struct TestClockMutation;

/// The service.
fn service(context: &Context<'_>) -> TestClockService {
    TestClockService::new(request(context).ports.clone())
}

#[Object]
impl TestClockMutation {
    /// Makes a clock that businesses can be put on, so that a year of billing passes in seconds. In a sandbox alone. FINANCE
    /// and ADMIN.
    async fn create_test_clock(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CreateTestClockInput,
    ) -> Option<Result<CreateTestClockPayload>> {
        nullable(async {
            let request = request(context);
            let (row, user_errors) = split(service(context).create(request.caller, input.name, input.now.0.get()).await)?;
            request.refresh();
            Ok(Some(CreateTestClockPayload { test_clock: row.map(TestClock::new), user_errors }))
        })
        .await
    }
    /// Advances a clock, doing in their order the jobs that are due by it. Answers with ADVANCING; ask `node(id:)` until it is
    /// READY. At most two years at once. FINANCE and ADMIN.
    async fn advance_test_clock(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: AdvanceTestClockInput,
    ) -> Option<Result<AdvanceTestClockPayload>> {
        nullable(async {
            let request = request(context);
            let clock = TestClockId::parse(&input.test_clock_id);
            let (row, user_errors) = split(service(context).advance(request.caller, clock, input.to.0.get()).await)?;
            request.refresh();
            Ok(Some(AdvanceTestClockPayload { test_clock: row.map(TestClock::new), user_errors }))
        })
        .await
    }
    /// Puts a business on a clock. It must have no subscription yet. FINANCE and ADMIN.
    async fn attach_test_clock(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: AttachTestClockInput,
    ) -> Option<Result<AttachTestClockPayload>> {
        nullable(async {
            let request = request(context);
            let (clock, business) = (TestClockId::parse(&input.test_clock_id), BusinessId::parse(&input.business_id));
            let (attached, user_errors) = split(service(context).attach(request.caller, clock, business).await)?;
            request.refresh();
            let (test_clock, business) = attached.unzip();
            let (test_clock, business) = (test_clock.map(TestClock::new), business.map(StaffBusiness::new));
            Ok(Some(AttachTestClockPayload { test_clock, business, user_errors }))
        })
        .await
    }
}
