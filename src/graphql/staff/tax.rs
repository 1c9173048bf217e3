//! Whether a business pays tax.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::account::service;
use super::businesses::StaffBusiness;
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::ids::BusinessId;
use crate::services::staff::SetTaxExempt;

/// Which business, and whether it is exempt.
#[derive(Debug, InputObject)]
pub struct SetTaxExemptInput {
    /// The business.
    business_id: ID,
    /// Whether it pays no tax.
    tax_exempt: bool,
    /// 1 to 500 characters, kept in the business's audit trail.
    reason: String,
}

/// What `setTaxExempt` answers.
#[derive(Debug, SimpleObject)]
pub struct SetTaxExemptPayload {
    /// The business as it is now.
    business: Option<StaffBusiness>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Tax.
#[derive(Debug, Default)]
pub struct TaxMutation;

#[Object]
impl TaxMutation {
    /// Exempts a business from tax, or takes that back; it counts for invoices that are issued from then on. FINANCE and ADMIN.
    async fn set_tax_exempt(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SetTaxExemptInput,
    ) -> Option<Result<SetTaxExemptPayload>> {
        nullable(async {
            let request = request(context);
            let input =
                SetTaxExempt { business: BusinessId::parse(&input.business_id), tax_exempt: input.tax_exempt, reason: input.reason };
            let (row, user_errors) = split(service(context).set_tax_exempt(request.caller, input).await)?;
            request.refresh();
            Ok(Some(SetTaxExemptPayload { business: row.map(StaffBusiness::new), user_errors }))
        })
        .await
    }
}
