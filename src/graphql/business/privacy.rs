//! What is held of a business: its export, and its erasure.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use secrecy::SecretString;

use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{DateTime, Url, show_id};
use crate::ids::DataExportId;
use crate::services::access::Need;
use crate::services::privacy::{self as service, PrivacyService};
use crate::store::data_exports as rows;
use crate::store::types;

/// Where an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::ExportStatus")]
pub enum ExportStatus {
    /// Its file is being made.
    Pending,
    /// Its file can be downloaded.
    Ready,
    /// Its file is gone.
    Expired,
}

/// An export of what is held of a business and of its people.
#[derive(Debug, Clone)]
pub struct DataExport {
    row: rows::DataExport,
}

impl DataExport {
    /// The export of a row.
    pub const fn new(row: rows::DataExport) -> Self {
        Self { row }
    }

    /// The export of an id, if the caller may see it.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: DataExportId) -> Result<Option<Self>, Error> {
        Ok(rows::find(&*request.tenant().await?, id).await?.map(Self::new))
    }
}

/// An export of what is held of a business and of its people: a zip with a JSON file for each kind of thing, and the documents.
#[Object]
impl DataExport {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Where it stands.
    async fn status(&self, context: &Context<'_>) -> ExportStatus {
        service::status(&request(context).ports, &self.row).into()
    }
    /// Whoever holds this link can download the file for 15 minutes. Null while it is being made, and once it is gone.
    async fn url(&self, context: &Context<'_>) -> Option<Url> {
        service::link(&request(context).ports, &self.row).map(Url)
    }
    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
    /// When its file goes: seven days after it was made.
    async fn expires_at(&self) -> Option<DateTime> {
        self.row.expires_at.map(DateTime)
    }
}

/// The password of the owner who wants an export.
#[derive(InputObject)]
pub struct RequestDataExportInput {
    /// Asks for the password again.
    password: String,
}

/// What `requestDataExport` answers.
#[derive(Debug, SimpleObject)]
pub struct RequestDataExportPayload {
    /// The export that is being made.
    export: Option<DataExport>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// What an owner gives who wants their business erased.
#[derive(InputObject)]
pub struct EraseBusinessInput {
    /// The present password.
    password: String,
    /// The business's name, typed out.
    confirm: String,
}

/// What `eraseBusiness` answers.
#[derive(Debug, SimpleObject)]
pub struct EraseBusinessPayload {
    /// When it was erased.
    erased_at: Option<DateTime>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Queries of exports.
#[derive(Debug, Default)]
pub struct PrivacyQuery;

#[Object]
impl PrivacyQuery {
    /// The business's exports, the newest first: the last 50. For owners.
    async fn data_exports(&self, context: &Context<'_>) -> Option<Result<Vec<DataExport>>> {
        nullable(async {
            request(context).require(Need::Own).await?;
            let newest = rows::newest(&*request(context).tenant().await?).await?;
            Ok(Some(newest.into_iter().map(DataExport::new).collect()))
        })
        .await
    }
}

/// Exports and erasure.
#[derive(Debug, Default)]
pub struct PrivacyMutation;

#[Object]
impl PrivacyMutation {
    /// Begins to make an export of all that is held of the business and of its people; a mail says when it is ready. While one is being made,
    /// that one is answered. For owners.
    async fn request_data_export(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RequestDataExportInput,
    ) -> Option<Result<RequestDataExportPayload>> {
        nullable(async {
            let (request, password) = (request(context), SecretString::from(input.password));
            let service = PrivacyService::new(request.ports.clone());
            let (export, user_errors) = split(Box::pin(service.request_export(request.caller, password)).await)?;
            request.refresh();
            Ok(Some(RequestDataExportPayload { export: export.map(DataExport::new), user_errors }))
        })
        .await
    }
    /// Erases the business for good, and its people who work for no other: what is personal goes, sessions end, subscriptions end at once
    /// without anything being paid back, and what is left of account credit is given up. Issued invoices stay, as tax law asks. Not while a
    /// payment is under way or an invoice is open. For owners.
    async fn erase_business(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: EraseBusinessInput,
    ) -> Option<Result<EraseBusinessPayload>> {
        nullable(async {
            let (request, password) = (request(context), SecretString::from(input.password));
            let service = PrivacyService::new(request.ports.clone());
            let (erased, user_errors) = split(Box::pin(service.erase(request.caller, password, &input.confirm)).await)?;
            request.refresh();
            Ok(Some(EraseBusinessPayload { erased_at: erased.map(DateTime), user_errors }))
        })
        .await
    }
}
