//! Refunds.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};

use super::credit_notes::CreditNote;
use super::payments::Payment;
use crate::billing::lifecycle;
use crate::error::Error;
use crate::graphql::context::request;
use crate::graphql::scalars::{DateTime, Money, show_id, stored_money};
use crate::store::reads::refunds as rows;

/// A refund that fails becomes account credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum RefundStatus {
    /// On its way.
    Pending,
    /// The gateway's answer was lost; it is being found out.
    Unknown,
    /// The money was paid back.
    Succeeded,
    /// It was not paid back, and became account credit.
    Failed,
}

impl From<lifecycle::RefundStatus> for RefundStatus {
    fn from(status: lifecycle::RefundStatus) -> Self {
        match status {
            lifecycle::RefundStatus::Created | lifecycle::RefundStatus::Sending | lifecycle::RefundStatus::Accepted => Self::Pending,
            lifecycle::RefundStatus::Unknown => Self::Unknown,
            lifecycle::RefundStatus::Succeeded => Self::Succeeded,
            lifecycle::RefundStatus::Failed => Self::Failed,
        }
    }
}

/// A part of a payment that is paid back.
#[derive(Clone)]
pub struct Refund {
    row: Arc<rows::Refund>,
}

impl Refund {
    /// The refund of a row.
    pub fn new(row: rows::Refund) -> Self {
        Self { row: Arc::new(row) }
    }
}

/// A part of a payment that is paid back.
#[Object]
impl Refund {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What is paid back a part of.
    async fn payment(&self, context: &Context<'_>) -> Result<Payment> {
        let payment = request(context).view().loaders.payments.load((self.row.business_id, self.row.payment_id)).await?;
        Ok(Payment::new(payment.ok_or_else(|| Error::Corrupt("a refund's payment is gone".into()))?))
    }
    /// Why.
    async fn credit_note(&self, context: &Context<'_>) -> Result<CreditNote> {
        let note = request(context).view().loaders.credit_notes.load((self.row.business_id, self.row.credit_note_id)).await?;
        Ok(CreditNote::new(note.ok_or_else(|| Error::Corrupt("a refund's credit note is gone".into()))?))
    }
    /// How much.
    async fn amount(&self) -> Result<Money> {
        Ok(stored_money(self.row.amount_minor, self.row.currency)?)
    }
    /// Where it stands.
    async fn status(&self) -> RefundStatus {
        self.row.status.into()
    }
    /// Why it failed, in words.
    async fn failure_message(&self) -> Option<&str> {
        self.row.failure_message.as_deref()
    }
    /// When it was begun.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
    /// When its outcome was known.
    async fn settled_at(&self) -> Option<DateTime> {
        self.row.settled_at.map(DateTime)
    }
}
