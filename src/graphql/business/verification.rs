//! The verification of a business, and the documents that it submits.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::profile::VerificationStatus;
use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{BigInt, DateTime, Upload, Url, show_id};
use crate::ids::DocumentId;
use crate::services::access::Need;
use crate::services::verification::{self as service, NewDocument, SubmitVerification, VerificationService};
use crate::store::customers;
use crate::store::types;
use crate::store::verification as rows;

/// What a document shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::DocumentKind")]
pub enum DocumentKind {
    /// That the business was founded.
    CertificateOfIncorporation,
    /// That the tax office knows it.
    TaxCertificate,
    /// That it may trade.
    BusinessPermit,
    /// Who directs it.
    DirectorId,
    /// Where it is.
    ProofOfAddress,
    /// That it may take savings.
    SaccoLicence,
}

/// What is thought of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::DocumentStatus")]
pub enum DocumentStatus {
    /// Nobody has accepted it yet.
    Quarantined,
    /// It was accepted.
    Accepted,
    /// It does not suffice.
    Rejected,
}

/// How far a business has proved who it is.
#[derive(Debug, Clone)]
pub struct Verification {
    business: customers::Business,
}

impl Verification {
    /// The verification of a business.
    pub const fn of(business: customers::Business) -> Self {
        Self { business }
    }

    /// What it submitted.
    async fn row(&self, context: &Context<'_>) -> Result<Option<rows::Verification>, Error> {
        request(context).view().loaders.verifications.load(self.business.business_id).await
    }

    /// Its documents, newest first.
    async fn rows(&self, context: &Context<'_>) -> Result<Vec<rows::Document>, Error> {
        let found = request(context).view().loaders.verification_documents.load(self.business.business_id).await?;
        Ok(found.unwrap_or_default())
    }
}

/// How far a business has proved who it is.
#[Object]
impl Verification {
    /// How far it has come.
    async fn status(&self) -> VerificationStatus {
        self.business.verification_status.into()
    }
    /// Under which number it is registered.
    async fn registration_number(&self, context: &Context<'_>) -> Option<Result<String>> {
        let number = async {
            let Some(row) = self.row(context).await? else { return Ok(None) };
            Ok(Some(service::registration_number(&request(context).ports, &self.business, &row)?))
        };
        nullable(number).await
    }
    /// When an approval runs out.
    async fn expires_at(&self, context: &Context<'_>) -> Option<Result<DateTime>> {
        nullable(async { Ok(self.row(context).await?.and_then(|row| row.expires_at).map(DateTime)) }).await
    }
    /// When it was submitted last.
    async fn submitted_at(&self, context: &Context<'_>) -> Option<Result<DateTime>> {
        nullable(async { Ok(self.row(context).await?.map(|row| DateTime(row.submitted_at))) }).await
    }
    /// When what was submitted last was reviewed.
    async fn reviewed_at(&self, context: &Context<'_>) -> Option<Result<DateTime>> {
        nullable(async { Ok(self.row(context).await?.and_then(|row| row.reviewed_at).map(DateTime)) }).await
    }
    /// Why it was rejected or what is missing, in words for the customer.
    async fn reason(&self, context: &Context<'_>) -> Option<Result<String>> {
        nullable(async { Ok(self.row(context).await?.and_then(|row| row.reason)) }).await
    }
    /// What this country asks for and what is still missing.
    async fn requirements(&self, context: &Context<'_>) -> Result<Vec<VerificationRequirement>> {
        let rules = request(context).view().loaders.verification_rules.load(()).await?.unwrap_or_default();
        let missing = self.row(context).await?.map(|row| row.missing).unwrap_or_default();
        let rule = service::rule_of(&rules, &self.business.country);
        let asked = service::requirements(&rule, &missing, &self.rows(context).await?);
        Ok(asked.into_iter().map(|one| VerificationRequirement { kind: one.kind.into(), satisfied: one.satisfied }).collect())
    }
    /// What was submitted, newest first.
    async fn documents(&self, context: &Context<'_>) -> Result<Vec<VerificationDocument>> {
        Ok(self.rows(context).await?.into_iter().map(VerificationDocument::new).collect())
    }
}

/// Something that is to be shown.
#[derive(Debug, Clone, SimpleObject)]
pub struct VerificationRequirement {
    /// What.
    kind: DocumentKind,
    /// Whether a document is there that was not rejected.
    satisfied: bool,
}

/// A document that a business submitted.
#[derive(Debug, Clone)]
pub struct VerificationDocument {
    row: rows::Document,
}

impl VerificationDocument {
    /// The document of a row.
    pub const fn new(row: rows::Document) -> Self {
        Self { row }
    }

    /// The document of an id, if the caller may see it.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: DocumentId) -> Result<Option<Self>, Error> {
        Ok(rows::document(&request.reader().await?, id).await?.map(Self::new))
    }
}

/// A document that a business submitted.
#[Object]
impl VerificationDocument {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What it shows.
    async fn kind(&self) -> DocumentKind {
        self.row.kind.into()
    }
    /// What its file is called.
    async fn file_name(&self) -> &str {
        &self.row.file_name
    }
    /// What its file is: `application/pdf`, `image/jpeg` or `image/png`.
    async fn content_type(&self) -> &str {
        &self.row.content_type
    }
    /// How many bytes its file has.
    async fn byte_size(&self) -> BigInt {
        BigInt(self.row.byte_size)
    }
    /// The SHA-256 of its file, in hexadecimal digits.
    async fn sha256(&self) -> &str {
        &self.row.sha256
    }
    /// What is thought of it.
    async fn status(&self) -> DocumentStatus {
        self.row.status.into()
    }
    /// Why it was rejected.
    async fn reason(&self) -> Option<&str> {
        self.row.reason.as_deref()
    }
    /// When it was submitted.
    async fn uploaded_at(&self) -> DateTime {
        DateTime(self.row.uploaded_at)
    }
    /// Whoever holds this link can download the file for 15 minutes. For owners and admins; null for a file in which something harmful was found.
    async fn download_url(&self, context: &Context<'_>) -> Option<Result<Url>> {
        nullable(async {
            request(context).require(Need::ReadDocuments).await?;
            Ok(service::link(&request(context).ports, &self.row).map(Url))
        })
        .await
    }
}

/// What is submitted.
#[derive(Debug, InputObject)]
pub struct SubmitVerificationInput {
    /// Under which number the business is registered: 1 to 60 characters.
    registration_number: String,
    /// As the tax office gave it; left out, it stays as it is.
    tax_id: Option<String>,
    /// At most five at once.
    documents: Vec<VerificationDocumentInput>,
}

/// A document to submit.
#[derive(Debug, InputObject)]
pub struct VerificationDocumentInput {
    /// What it shows.
    kind: DocumentKind,
    /// A PDF, a JPEG or a PNG of at most 10 MiB.
    file: Upload,
}

/// What `submitVerification` answers.
#[derive(Debug, SimpleObject)]
pub struct SubmitVerificationPayload {
    /// The verification as it is now.
    verification: Option<Verification>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Queries of the verification.
#[derive(Debug, Default)]
pub struct VerificationQuery;

#[Object]
impl VerificationQuery {
    /// How far the caller's business has proved who it is.
    async fn verification(&self, context: &Context<'_>) -> Option<Result<Verification>> {
        nullable(async {
            request(context).require(Need::Read).await?;
            Ok(of_caller(request(context)).await?)
        })
        .await
    }
}

/// Submitting.
#[derive(Debug, Default)]
pub struct VerificationMutation;

#[Object]
impl VerificationMutation {
    /// Submits the business for review. Files come as parts of a multipart request (graphql-multipart-request-spec) with the header `GraphQL-Require-Preflight`.
    async fn submit_verification(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SubmitVerificationInput,
    ) -> Option<Result<SubmitVerificationPayload>> {
        nullable(async {
            let request = request(context);
            let document = |one: VerificationDocumentInput| NewDocument { kind: one.kind.into(), file: request.uploads.get(&one.file.0) };
            let input = SubmitVerification {
                registration_number: input.registration_number,
                tax_id: input.tax_id,
                documents: input.documents.into_iter().map(document).collect(),
            };
            let service = VerificationService::new(request.ports.clone());
            let (submitted, user_errors) = split(service.submit(request.caller, input).await)?;
            request.refresh();
            let verification = match submitted {
                Some(()) => of_caller(request).await?,
                None => None,
            };
            Ok(Some(SubmitVerificationPayload { verification, user_errors }))
        })
        .await
    }
}

/// The verification of the caller's business.
pub(super) async fn of_caller(request: &RequestContext) -> Result<Option<Verification>, Error> {
    let scope = request.view().caller.require_scope()?;
    Ok(request.view().loaders.businesses.load(scope.business()).await?.map(Verification::of))
}
