//! What one request carries: the caller, and the view of the database that all its resolvers share.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, Guard, Result};
use tokio::sync::OnceCell;

use super::loaders::Loaders;
use super::page::MAX_PAGE;
use super::uploads::Uploads;
use crate::error::Error;
use crate::ids::BusinessId;
use crate::security::cursor::CursorKey;
use crate::services::Ports;
use crate::services::access::{self, Access, Caller, Need};
use crate::services::staff::{self, StaffAccess};
use crate::store::tenant::Catalogue;
use crate::store::{Reader, Snapshot, System, Tenant};

/// One consistent view of the database with what was loaded from it.
pub struct View {
    /// The snapshot.
    snapshot: Arc<Snapshot>,
    /// Rows that were loaded for relations.
    pub loaders: Loaders,
    /// Whose view it is: the caller's, or after a registration or sign-in that of the person who came in.
    pub caller: Caller,
    /// The caller's access, once it was checked in this snapshot.
    access: OnceCell<Access>,
    /// The access of a member of staff, once it was checked in this snapshot.
    staff_access: OnceCell<StaffAccess>,
}

/// What one request carries.
pub struct RequestContext {
    /// The ports of the services.
    pub ports: Ports,
    /// Who is calling.
    pub caller: Caller,
    /// Where the caller says they are, for the list of sessions.
    pub user_agent: Option<String>,
    /// The address of the network that the request comes from, where it is known.
    pub address: Option<IpAddr>,
    /// The files that came with it.
    pub uploads: Uploads,
    /// Seals paging cursors.
    pub cursors: Arc<CursorKey>,
    /// The most rows of a page.
    pub page_rows: i32,
    /// The view; a mutation replaces it, so that its payload shows what it did.
    view: Mutex<Arc<View>>,
    /// Paths of fields that answered from an idempotency key.
    replays: Mutex<Vec<String>>,
}

impl RequestContext {
    /// A context with a view that is not opened yet.
    pub fn new(ports: Ports, caller: Caller, cursors: Arc<CursorKey>, user_agent: Option<String>) -> Self {
        let view = Mutex::new(new_view(&ports, caller));
        let (address, uploads, replays) = (None, Uploads::default(), Mutex::new(Vec::new()));
        Self { ports, caller, user_agent, address, uploads, cursors, page_rows: MAX_PAGE, view, replays }
    }

    /// The same, with pages of so many rows at most.
    #[must_use]
    pub fn paging_by(self, page_rows: i32) -> Self {
        Self { page_rows, ..self }
    }

    /// The same, of a request that comes from there.
    #[must_use]
    pub fn coming_from(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// The same, of a request with which files came.
    #[must_use]
    pub fn bringing(self, uploads: Uploads) -> Self {
        Self { uploads, ..self }
    }

    /// The present view.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a new view after something was changed.
    pub fn refresh(&self) {
        self.show_as(self.caller);
    }

    /// Opens a new view for somebody who has just come in, so that the payload can show them what is theirs. Who may
    /// run a mutation is still decided by [`RequestContext::caller`], which stays.
    pub fn show_as(&self, caller: Caller) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = new_view(&self.ports, caller);
    }

    /// The caller's rows.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody.
    pub async fn tenant(&self) -> Result<Tenant, Error> {
        self.view().snapshot.tenant().await
    }

    /// The rows that the caller may read: their business's, or for staff every business's.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody.
    pub async fn reader(&self) -> Result<Reader, Error> {
        self.view().snapshot.reader().await
    }

    /// The rows of the business of a row that was read. What is shown of a thing is always its own business's.
    ///
    /// # Errors
    /// As [`RequestContext::reader`].
    pub async fn reader_of(&self, business: BusinessId) -> Result<Reader, Error> {
        Ok(self.reader().await?.within(business))
    }

    /// The business of a row that was read, as whoever reads it: the caller's own, or any for staff.
    ///
    /// # Errors
    /// As [`RequestContext::reader`].
    pub async fn tenant_of(&self, business: BusinessId) -> Result<Tenant, Error> {
        match self.view().caller {
            Caller::Staff { .. } => Ok(staff::tenant(&self.system().await?, self.staff_access().await?, business)),
            Caller::Anonymous | Caller::User { .. } | Caller::Key { .. } | Caller::Service { .. } => self.tenant().await,
        }
    }

    /// Every row, for staff.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for anybody else.
    pub async fn system(&self) -> Result<System, Error> {
        self.view().snapshot.system().await
    }

    /// The catalogue.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn catalogue(&self) -> Result<Catalogue, Error> {
        self.view().snapshot.catalogue().await
    }

    /// The caller's access, checked once a view.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] where the session is over.
    pub async fn access(&self) -> Result<Access, Error> {
        let view = self.view();
        let check = async || access::check(&view.snapshot.tenant().await?, view.caller).await;
        view.access.get_or_try_init(check).await.copied()
    }

    /// The access of a member of staff, checked once a view.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for anybody else, and where the session is over.
    pub async fn staff_access(&self) -> Result<StaffAccess, Error> {
        let view = self.view();
        let check = async || staff::check(&view.snapshot.system().await?, view.caller).await;
        view.staff_access.get_or_try_init(check).await.copied()
    }

    /// Lets only a caller whose role allows it go on. Staff read whatever is a customer's; they change it by operations of
    /// their own alone.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Forbidden`].
    pub async fn require(&self, need: Need) -> Result<(), Error> {
        match (self.view().caller, need) {
            (Caller::Staff { .. }, Need::Read | Need::ReadMoney | Need::ReadDocuments | Need::ReadAudit) => {
                self.staff_access().await.map(drop)
            }
            (Caller::Staff { .. }, _) => Err(Error::Forbidden),
            (Caller::Anonymous | Caller::User { .. } | Caller::Key { .. } | Caller::Service { .. }, _) => {
                self.access().await?.require(need)
            }
        }
    }

    /// Notes that the field at `path` answered from an idempotency key.
    pub fn note_replay(&self, path: String) {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner).push(path);
    }

    /// The paths that answered from an idempotency key, for `extensions.idempotentReplay`.
    pub fn replays(&self) -> Vec<String> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A view that is not opened yet.
fn new_view(ports: &Ports, caller: Caller) -> Arc<View> {
    let store = ports.store.clone();
    let snapshot = Arc::new(match caller {
        Caller::Staff { .. } => Snapshot::of_system(store),
        Caller::Anonymous | Caller::User { .. } | Caller::Key { .. } | Caller::Service { .. } => Snapshot::new(store, caller.scope()),
    });
    Arc::new(View { loaders: Loaders::new(&snapshot), snapshot, caller, access: OnceCell::new(), staff_access: OnceCell::new() })
}

/// The request's context, from a resolver's.
pub fn request<'c>(context: &Context<'c>) -> &'c RequestContext {
    context.data_unchecked::<Arc<RequestContext>>()
}

/// What a nullable field answers: a fault makes this field null and leaves its siblings standing. (A resolver that
/// answers `Result<Option<T>>`, or has a guard, would take its parent with it.)
pub async fn nullable<T>(work: impl Future<Output = Result<Option<T>>>) -> Option<Result<T>> {
    work.await.transpose()
}

/// Lets a field that is never null run only for a caller whose role allows it.
pub struct Allow(pub Need);

impl Guard for Allow {
    async fn check(&self, context: &Context<'_>) -> Result<()> {
        request(context).require(self.0).await?;
        Ok(())
    }
}
