//! Changes to ways of paying, and paying.

use std::borrow::Cow;

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};

use super::invoices::Invoice;
use super::payments::{Payment, PaymentMethod};
use crate::error::{self, Error};
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{Url, show_id};
use crate::ids::{InvoiceId, PaymentId, PaymentMethodId};
use crate::services::access::Need;
use crate::services::payments::{AddPaymentMethod, MethodSource, PayInvoice, PaymentService, SandboxBehavior as Behavior};
use crate::store::reads::{invoices, payments};

/// How a sandbox payment method behaves; refused outside sandbox mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Behavior")]
pub enum SandboxBehavior {
    /// Every charge succeeds.
    Succeeds,
    /// Every charge is declined, softly.
    Declines,
    /// The customer must act first.
    RequiresAction,
    /// The charge never reaches the gateway, and no answer comes.
    TimesOut,
    /// The charge is made, but its answer is lost.
    SucceedsLate,
}

/// Exactly one: the token that the gateway's own form gave (card numbers never come here), a phone (E.164), or true to pay invoices by transfer.
#[derive(OneofObject)]
pub enum PaymentMethodSource {
    /// The token that the gateway's own form gave.
    CardToken(String),
    /// A phone number in E.164.
    MpesaPhone(String),
    /// True: invoices are paid by transfer.
    BankTransfer(bool),
    /// A sandbox method.
    Sandbox(SandboxBehavior),
}

/// A way to pay to add.
#[derive(InputObject)]
pub struct AddPaymentMethodInput {
    /// What to charge.
    source: PaymentMethodSource,
    /// Whether it is charged where no other is named.
    #[graphql(default = true)]
    make_default: bool,
}

/// What became of adding a way to pay.
#[derive(SimpleObject)]
pub struct AddPaymentMethodPayload {
    /// The way to pay.
    payment_method: Option<PaymentMethod>,
    /// What the caller can put right; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// A way to pay to remove.
#[derive(InputObject)]
pub struct RemovePaymentMethodInput {
    /// Which.
    payment_method_id: ID,
}

/// What became of removing a way to pay.
#[derive(SimpleObject)]
pub struct RemovePaymentMethodPayload {
    /// The way to pay that is gone.
    removed_id: Option<ID>,
    /// What the caller can put right; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// A way to pay to charge where no other is named.
#[derive(InputObject)]
pub struct SetDefaultPaymentMethodInput {
    /// Which.
    payment_method_id: ID,
}

/// What became of choosing the default way to pay.
#[derive(SimpleObject)]
pub struct SetDefaultPaymentMethodPayload {
    /// The default way to pay.
    payment_method: Option<PaymentMethod>,
    /// What the caller can put right; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// An invoice to pay. `returnUrl`: where the gateway sends the customer after 3-D Secure; its origin must be allowed by settings.
#[derive(InputObject)]
pub struct PayInvoiceInput {
    /// Which.
    invoice_id: ID,
    /// With what; default: the default way to pay.
    payment_method_id: Option<ID>,
    /// Where the gateway sends the customer afterwards.
    return_url: Option<Url>,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// What became of paying an invoice. A charge that fails is a payment with status FAILED, not a user error.
#[derive(SimpleObject)]
pub struct PayInvoicePayload {
    /// The attempt.
    payment: Option<Payment>,
    /// The invoice as it is now.
    invoice: Option<Invoice>,
    /// What the caller can put right; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// The payment method of an id, as it is now.
async fn method_of(context: &Context<'_>, id: Option<PaymentMethodId>) -> Result<Option<PaymentMethod>> {
    let Some(id) = id else { return Ok(None) };
    Ok(payments::method_by_id(&request(context).reader().await?, id).await?.map(PaymentMethod::new))
}

/// The payment of an id, as it is now.
pub(in crate::graphql) async fn payment_of(context: &Context<'_>, id: Option<PaymentId>) -> Result<Option<Payment>> {
    let Some(id) = id else { return Ok(None) };
    Ok(payments::by_id(&request(context).reader().await?, id).await?.map(Payment::new))
}

/// The invoice of an id, as it is now.
pub(in crate::graphql) async fn invoice_of(context: &Context<'_>, id: Option<InvoiceId>) -> Result<Option<Invoice>> {
    let Some(id) = id else { return Ok(None) };
    Ok(invoices::by_id(&request(context).reader().await?, id).await?.map(Invoice::new))
}

/// Notes for `extensions.idempotentReplay` that this field answered from an idempotency key.
pub(in crate::graphql) fn note_replay(context: &Context<'_>, replayed: bool) {
    if replayed {
        let path = context.path_node.as_ref().map(ToString::to_string).unwrap_or_default();
        request(context).note_replay(path);
    }
}

/// The most characters of a token that a gateway's form gives.
const MAX_TOKEN_CHARS: usize = 255;
/// The digits of a phone number of E.164.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Refuses a text that is no token and no phone number before a gateway sees it.
fn check_source(source: &PaymentMethodSource) -> std::result::Result<(), error::UserError> {
    let refuse = |field: &'static str, code, message: &str| {
        let field = vec![Cow::Borrowed("source"), Cow::Borrowed(field)];
        Err(error::UserError { code, message: message.to_owned(), field })
    };
    match source {
        PaymentMethodSource::CardToken(token) if token.len() > MAX_TOKEN_CHARS => {
            refuse("cardToken", error::UserErrorCode::TooLong, "A token has 255 characters at most.")
        }
        PaymentMethodSource::CardToken(token) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            refuse("cardToken", error::UserErrorCode::Invalid, "Give the token that the gateway's form gave.")
        }
        PaymentMethodSource::MpesaPhone(phone) => {
            let digits = phone.strip_prefix('+').unwrap_or_default();
            if PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0') {
                return Ok(());
            }
            refuse("mpesaPhone", error::UserErrorCode::Invalid, "Give a phone number with its country code, e.g. +254712345678.")
        }
        _ => Ok(()),
    }
}

/// Mutations of ways to pay and of payments.
#[derive(Default)]
pub struct MoneyMutation;

#[Object]
impl MoneyMutation {
    /// Adds a way to pay.
    async fn add_payment_method(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: AddPaymentMethodInput,
    ) -> Option<Result<AddPaymentMethodPayload>> {
        nullable(async {
            let request = request(context);
            if let Err(refusal) = check_source(&input.source) {
                // Who may not add one is told that, whatever they sent.
                request.require(Need::ChangeMoney).await?;
                return Ok(Some(AddPaymentMethodPayload { payment_method: None, user_errors: vec![refusal.into()] }));
            }
            let source = match input.source {
                PaymentMethodSource::CardToken(token) => MethodSource::CardToken(token),
                PaymentMethodSource::MpesaPhone(phone) => MethodSource::MpesaPhone(phone),
                PaymentMethodSource::BankTransfer(true) => MethodSource::BankTransfer,
                PaymentMethodSource::BankTransfer(false) => {
                    return Err(Error::BadUserInput("`bankTransfer` is true or left out.".into()).into());
                }
                PaymentMethodSource::Sandbox(behavior) => MethodSource::Sandbox(behavior.into()),
            };
            let service = PaymentService::new(request.ports.clone());
            let (added, user_errors) =
                split(service.add_payment_method(request.caller, AddPaymentMethod { source, make_default: input.make_default }).await)?;
            request.refresh();
            Ok(Some(AddPaymentMethodPayload { payment_method: method_of(context, added).await?, user_errors }))
        })
        .await
    }

    /// Removes a way to pay; the default moves to the newest other one.
    async fn remove_payment_method(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RemovePaymentMethodInput,
    ) -> Option<Result<RemovePaymentMethodPayload>> {
        nullable(async {
            let request = request(context);
            let method = PaymentMethodId::parse(&input.payment_method_id);
            let service = PaymentService::new(request.ports.clone());
            let (removed, user_errors) = split(service.remove_payment_method(request.caller, method).await)?;
            request.refresh();
            Ok(Some(RemovePaymentMethodPayload { removed_id: removed.map(show_id), user_errors }))
        })
        .await
    }

    /// Chooses the way to pay that is charged where no other is named. What is overdue is tried with it at once.
    async fn set_default_payment_method(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SetDefaultPaymentMethodInput,
    ) -> Option<Result<SetDefaultPaymentMethodPayload>> {
        nullable(async {
            let request = request(context);
            let method = PaymentMethodId::parse(&input.payment_method_id);
            let service = PaymentService::new(request.ports.clone());
            let (chosen, user_errors) = split(service.set_default_payment_method(request.caller, method).await)?;
            request.refresh();
            Ok(Some(SetDefaultPaymentMethodPayload { payment_method: method_of(context, chosen).await?, user_errors }))
        })
        .await
    }

    /// Pays what is due on an invoice. Waits up to 5 seconds for the outcome.
    async fn pay_invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: PayInvoiceInput,
    ) -> Option<Result<PayInvoicePayload>> {
        nullable(async {
            let request = request(context);
            let asked = PayInvoice {
                invoice: InvoiceId::parse(&input.invoice_id),
                method: input.payment_method_id.map(|id| PaymentMethodId::parse(&id)),
                return_url: input.return_url.map(|url| url.0),
                idempotency_key: input.idempotency_key,
            };
            let (paid, user_errors) = split(PaymentService::new(request.ports.clone()).pay_invoice(request.caller, asked).await)?;
            request.refresh();
            note_replay(context, paid.as_ref().is_some_and(|paid| paid.replayed));
            let (payment, invoice) = (paid.as_ref().map(|paid| paid.payment), paid.as_ref().map(|paid| paid.invoice));
            Ok(Some(PayInvoicePayload {
                payment: payment_of(context, payment).await?,
                invoice: invoice_of(context, invoice).await?,
                user_errors,
            }))
        })
        .await
    }
}
