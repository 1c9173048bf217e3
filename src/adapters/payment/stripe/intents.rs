//! Charging: what is asked of Stripe, and what its answers come to.

use super::super::{Action, ActionKind, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, Decline, LookUpAnswer, Success};
use super::client::{Form, Refusal};
use super::declines::{self, asks_for_customer};
use super::methods::Reference;
use super::objects::{Intent, IntentStatus, PAYMENT, Page};
use super::{ACTION_LIFETIME, RESEND_WITHIN, StripeGateway, amounts};
use crate::money::Money;

/// How many of a customer's intents are read at once.
const PAGE: usize = 100;
/// The most pages that are read: a method that was charged more often than that is asked about by hand.
const MOST_PAGES: usize = 20;

/// The answer was lost, or makes no sense.
#[derive(Debug)]
pub(super) struct Lost;

impl From<Refusal> for Lost {
    fn from(_: Refusal) -> Self {
        Self
    }
}

/// What an intent says of the money.
enum Fate {
    /// It was taken.
    Taken(Success),
    /// The customer must act first.
    Waits(Action),
    /// It was called off for good.
    Off,
    /// It failed, or was never confirmed: nothing was taken, but it could still be confirmed by somebody.
    Open(Option<Decline>),
    /// Nobody knows yet.
    Unknown,
}

/// What an intent says of the money.
fn fate(intent: &Intent) -> Fate {
    match intent.status {
        IntentStatus::Succeeded => Fate::Taken(Success { reference: intent.id.clone(), receipt: None }),
        IntentStatus::Canceled => Fate::Off,
        IntentStatus::RequiresAction => Fate::Waits(action(intent)),
        IntentStatus::RequiresPaymentMethod => match intent.last_payment_error.as_deref() {
            Some(error) if asks_for_customer(error) => Fate::Waits(action(intent)),
            Some(error) => Fate::Open(Some(declines::decline(error))),
            None => Fate::Open(None),
        },
        IntentStatus::RequiresConfirmation => Fate::Open(None),
        IntentStatus::Processing | IntentStatus::RequiresCapture | IntentStatus::Other => Fate::Unknown,
    }
}

/// What the customer must do for an intent.
fn action(intent: &Intent) -> Action {
    Action {
        kind: ActionKind::ClientSecret,
        url: None,
        client_secret: intent.client_secret.clone(),
        expires_in: ACTION_LIFETIME,
        reference: Some(intent.id.clone()),
    }
}

/// What was called off before anything was taken.
fn canceled() -> Decline {
    declines::own("canceled", "The payment was called off before anything was charged.", false)
}

/// What an intent has come to once nobody can confirm it any more.
enum Closed {
    /// Nothing was taken, and nothing will be; why it failed, if it did.
    Off(Option<Decline>),
    /// It was too late: money was taken.
    Taken(Success),
}

impl StripeGateway {
    /// Takes the money, once per key.
    pub(super) async fn charge_now(&self, request: &ChargeRequest) -> ChargeAnswer {
        let (Some(wire), Some(method)) = (amounts::wire(request.amount), Reference::parse(&request.method_reference)) else {
            return ChargeAnswer::Failed(declines::own("invalid_request", "The payment request is not valid.", false));
        };
        let begun = BegunCharge {
            key: request.key.clone(),
            amount: request.amount,
            method_reference: request.method_reference.clone(),
            reference: None,
            age: request.age,
            back: request.back.clone(),
        };
        if request.age > RESEND_WITHIN {
            return self.answer_of_first(&begun, ChargeAnswer::Unknown).await;
        }
        let mut form = intent_form(&request.key, request.amount, wire, &method);
        form.extend([
            ("payment_method", method.method.clone()),
            ("confirm", "true".to_owned()),
            ("off_session", "true".to_owned()),
            ("description", request.description.clone()),
        ]);
        match self.client.post::<Intent>("/v1/payment_intents", &form, Some(&request.key)).await {
            Ok(intent) => charge_answer(&intent),
            Err(Refusal::Lost) => ChargeAnswer::Unknown,
            Err(Refusal::Refused { error, .. }) if error.kind == "idempotency_error" => {
                self.answer_of_first(&begun, ChargeAnswer::KeyReused).await
            }
            Err(Refusal::Refused { error, .. }) => match &error.payment_intent {
                Some(intent) if asks_for_customer(&error) => ChargeAnswer::RequiresAction(action(intent)),
                // What was taken all the same is believed before what is said.
                Some(intent) if intent.status == IntentStatus::Succeeded => charge_answer(intent),
                _ => {
                    tracing::info!(payment = request.key, kind = error.kind, message = error.message, "Stripe declines a charge");
                    ChargeAnswer::Failed(declines::decline(&error))
                }
            },
        }
    }

    /// What became of the first request of a key that must not be sent again; `unheard` where Stripe does not know it.
    async fn answer_of_first(&self, begun: &BegunCharge, unheard: ChargeAnswer) -> ChargeAnswer {
        match self.find(begun).await {
            Ok(Some(intent)) => charge_answer(&intent),
            Ok(None) => unheard,
            Err(Lost) => ChargeAnswer::Unknown,
        }
    }

    /// Asks what became of a charge. One that failed is called off with it, so that nobody confirms it any more.
    pub(super) async fn look_up_now(&self, charge: &BegunCharge) -> LookUpAnswer {
        let intent = match self.find(charge).await {
            Ok(Some(intent)) => intent,
            Ok(None) => return LookUpAnswer::NotFound,
            Err(Lost) => return LookUpAnswer::Unknown,
        };
        match fate(&intent) {
            Fate::Taken(success) => LookUpAnswer::Succeeded(success),
            Fate::Waits(action) => LookUpAnswer::RequiresAction(action),
            Fate::Off => LookUpAnswer::Canceled,
            Fate::Unknown => LookUpAnswer::Unknown,
            Fate::Open(_) => match self.close(&intent).await {
                Ok(Closed::Off(Some(decline))) => LookUpAnswer::Failed(decline),
                Ok(Closed::Off(None)) => LookUpAnswer::Canceled,
                Ok(Closed::Taken(success)) => LookUpAnswer::Succeeded(success),
                Err(Lost) => LookUpAnswer::Unknown,
            },
        }
    }

    /// Calls a charge off, and bars a request that is still on its way.
    pub(super) async fn cancel_now(&self, charge: &BegunCharge) -> CancelAnswer {
        let closed = match self.find(charge).await {
            Ok(Some(intent)) => self.close(&intent).await,
            Ok(None) => self.bar(charge).await,
            Err(Lost) => Err(Lost),
        };
        match closed {
            Ok(Closed::Off(Some(decline))) => CancelAnswer::AlreadyFailed(decline),
            Ok(Closed::Off(None)) => CancelAnswer::Canceled,
            Ok(Closed::Taken(success)) => CancelAnswer::AlreadySucceeded(success),
            Err(Lost) => CancelAnswer::Unknown,
        }
    }

    /// Takes the key of a charge that Stripe does not know with an intent that nobody confirms, and calls that off. Where the key is
    /// taken already, the charge has come meanwhile, and is called off.
    async fn bar(&self, charge: &BegunCharge) -> Result<Closed, Lost> {
        let (Some(wire), Some(method)) = (amounts::wire(charge.amount), Reference::parse(&charge.method_reference)) else {
            return Err(Lost);
        };
        let form = intent_form(&charge.key, charge.amount, wire, &method);
        match self.client.post::<Intent>("/v1/payment_intents", &form, Some(&charge.key)).await {
            Ok(intent) => self.close(&intent).await,
            Err(Refusal::Refused { error, .. }) if error.kind == "idempotency_error" => match self.find(charge).await? {
                Some(intent) => self.close(&intent).await,
                None => Err(Lost),
            },
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Calls an intent off, unless it has taken money. Stripe does not call one off that a bank is still at.
    async fn close(&self, intent: &Intent) -> Result<Closed, Lost> {
        let decline = match fate(intent) {
            Fate::Taken(success) => return Ok(Closed::Taken(success)),
            Fate::Off => return Ok(Closed::Off(None)),
            Fate::Unknown => return Err(Lost),
            Fate::Waits(_) => None,
            Fate::Open(decline) => decline,
        };
        let path = format!("/v1/payment_intents/{}/cancel", intent.id);
        let now = match self.client.post::<Intent>(&path, &Form::new(), None).await {
            Ok(now) => now,
            Err(Refusal::Refused { error, .. }) => *error.payment_intent.ok_or(Lost)?,
            Err(Refusal::Lost) => return Err(Lost),
        };
        match fate(&now) {
            Fate::Off => Ok(Closed::Off(decline)),
            Fate::Taken(success) => Ok(Closed::Taken(success)),
            Fate::Waits(_) | Fate::Open(_) | Fate::Unknown => Err(Lost),
        }
    }

    /// Finds the intent of a charge.
    async fn find(&self, charge: &BegunCharge) -> Result<Option<Intent>, Lost> {
        let method = Reference::parse(&charge.method_reference).ok_or(Lost)?;
        let found = match &charge.reference {
            Some(id) => Some(self.client.get::<Intent>(&format!("/v1/payment_intents/{id}"), &Form::new()).await?),
            None => self.find_among(&method.customer, &charge.key).await?,
        };
        let Some(intent) = found else { return Ok(None) };
        let is_it = intent.metadata.get(PAYMENT) == Some(&charge.key)
            && amounts::wire(charge.amount) == Some(intent.amount)
            && intent.currency.eq_ignore_ascii_case(charge.amount.currency().code());
        if !is_it {
            tracing::error!(payment = charge.key, intent = intent.id, "an intent is not of the payment that names it; somebody must look");
            return Err(Lost);
        }
        Ok(Some(intent))
    }

    /// The intent among those of a customer that carries this key.
    async fn find_among(&self, customer: &str, key: &str) -> Result<Option<Intent>, Lost> {
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query: Form<'_> = vec![("customer", customer.to_owned()), ("limit", PAGE.to_string())];
            query.extend(after.take().map(|id| ("starting_after", id)));
            let page = self.client.get::<Page<Intent>>("/v1/payment_intents", &query).await?;
            after = page.data.last().map(|intent| intent.id.clone());
            if let Some(found) = page.data.into_iter().find(|intent| intent.metadata.get(PAYMENT).is_some_and(|named| named == key)) {
                return Ok(Some(found));
            }
            if !page.has_more || after.is_none() {
                return Ok(None);
            }
        }
        tracing::error!(payment = key, customer, "a customer has more intents than are read; somebody must look");
        Err(Lost)
    }
}

/// What an intent's answer to a charge comes to.
fn charge_answer(intent: &Intent) -> ChargeAnswer {
    match fate(intent) {
        Fate::Taken(success) => ChargeAnswer::Succeeded(success),
        Fate::Waits(action) => ChargeAnswer::RequiresAction(action),
        Fate::Off => ChargeAnswer::Failed(canceled()),
        Fate::Open(Some(decline)) => ChargeAnswer::Failed(decline),
        // Not confirmed, by us or the bank: a look-up closes it.
        Fate::Open(None) | Fate::Unknown => ChargeAnswer::Unknown,
    }
}

/// What a charge and its bar have in common.
fn intent_form<'a>(key: &str, amount: Money, wire: i64, method: &Reference) -> Form<'a> {
    vec![
        ("amount", wire.to_string()),
        ("currency", amount.currency().code().to_ascii_lowercase()),
        ("customer", method.customer.clone()),
        ("payment_method_types[0]", "card".to_owned()),
        ("metadata[evolve_payment]", key.to_owned()),
    ]
}
