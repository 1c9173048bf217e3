//! A gateway that moves no money and otherwise behaves like one: it remembers, in a database file of its own, what
//! it really charged, and commits that before it answers. So a test that has killed the server can ask it for the truth.
//!
//! It must never see our database, and nothing but its own calls may write its file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use self::memory::{Attempt, Memory, State, Writing};
pub use self::memory::{SandboxCharge, SandboxError, SandboxRefund};
use super::books::BooksAnswer;
use super::{
    Action, ActionKind, AmountTerms, AttachError, AttachedMethod, BegunCharge, CALL_LIMIT, CancelAnswer, ChargeAnswer, ChargeRequest,
    Decline, GatewayKind, LookUpAnswer, MAX_KEY_BYTES, MethodKind, MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer,
    RefundRequest, SandboxBehavior, within,
};
use crate::clock::SharedClock;
use crate::money::{Currency, MAX_MINOR};

mod books;
mod memory;
mod refunds;
#[cfg(test)]
mod tests;

/// The file, below the data directory.
pub const FILE_NAME: &str = "sandbox-gateway.db";

/// How long a customer has to act.
pub const ACTION_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

const AMOUNT_TERMS: AmountTerms = AmountTerms { unit_minor: 1, least_minor: 1, most_minor: MAX_MINOR };

/// How the sandbox is set up.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where the customer acts; the key is added after a `/`.
    pub action_url: String,
    /// How long to wait between committing a charge and answering, so that a process can be killed in between.
    pub hold_after_commit: Option<Duration>,
    /// When an answer counts as lost.
    pub call_limit: Duration,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self { action_url: "http://127.0.0.1:8080/gateways/sandbox/actions".to_owned(), hold_after_commit: None, call_limit: CALL_LIMIT }
    }
}

/// Why a customer's action did not settle a charge.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// There is no such charge.
    #[error("There is no such payment.")]
    NotFound,
    /// It is settled, canceled or lapsed.
    #[error("The payment does not wait for anybody.")]
    NotWaiting,
    /// The sandbox's own file failed.
    #[error(transparent)]
    Memory(#[from] SandboxError),
}

/// The gateway. Cloning it shares it; several processes may open the same file.
#[derive(Clone)]
pub struct SandboxGateway {
    memory: Memory,
    clock: SharedClock,
    options: Arc<SandboxOptions>,
}

impl SandboxGateway {
    /// Opens the gateway whose file lies in `data_dir`, and makes the file when there is none.
    ///
    /// # Errors
    /// [`SandboxError`] when the file cannot be opened.
    pub async fn open(data_dir: &Path, clock: SharedClock, options: SandboxOptions) -> Result<Self, SandboxError> {
        let memory = Memory::open(&data_dir.join(FILE_NAME), &clock).await?;
        Ok(Self { memory, clock, options: Arc::new(options) })
    }

    /// Every charge that took money, in the order in which it did.
    ///
    /// # Errors
    /// [`SandboxError`] when the file cannot be read.
    pub async fn charges(&self) -> Result<Vec<SandboxCharge>, SandboxError> {
        self.memory.charges().await
    }

    /// The charge that took money under `key`, if one did.
    ///
    /// # Errors
    /// [`SandboxError`] when the file cannot be read.
    pub async fn charge_of(&self, key: &str) -> Result<Option<SandboxCharge>, SandboxError> {
        Ok(self.charges().await?.into_iter().find(|charge| charge.key == key))
    }

    /// The customer acts: passes the check (`success`) or fails it.
    ///
    /// # Errors
    /// [`ActionError`]; nothing has changed then.
    pub async fn complete_action(&self, key: &str, success: bool) -> Result<(), ActionError> {
        let now = self.clock.now();
        let mut writing = self.memory.begin(key, now).await?;
        match writing.find().await?.map(|attempt| attempt.state) {
            None => return Err(ActionError::NotFound),
            Some(State::Waiting { .. }) => {}
            Some(_) => return Err(ActionError::NotWaiting),
        }
        if success {
            writing.settle_as_charged(now).await?;
        } else {
            writing.settle_as_failed(now, &authentication_failed()).await?;
        }
        Ok(writing.commit().await?)
    }

    /// Closes the file, so that it can be copied or removed.
    pub async fn close(&self) {
        self.memory.close().await;
    }

    /// What became of a key: all that the sandbox needs to find a charge by.
    pub async fn look_up(&self, key: &str) -> LookUpAnswer {
        let call = async { lost_when_failed(self.look_up_now(key).await, LookUpAnswer::Unknown) };
        within(self.options.call_limit, call, LookUpAnswer::Unknown).await
    }

    /// Calls the charge of a key off, if it has not taken money yet.
    pub async fn cancel(&self, key: &str) -> CancelAnswer {
        let call = async { lost_when_failed(self.cancel_now(key).await, CancelAnswer::Unknown) };
        within(self.options.call_limit, call, CancelAnswer::Unknown).await
    }

    /// What became of a refund's key.
    pub async fn look_up_refund(&self, key: &str) -> RefundLookUpAnswer {
        let call = async { lost_when_failed(self.look_up_refund_now(key).await, RefundLookUpAnswer::Unknown) };
        within(self.options.call_limit, call, RefundLookUpAnswer::Unknown).await
    }

    async fn charge_now(&self, request: &ChargeRequest, behavior: SandboxBehavior) -> Result<ChargeAnswer, SandboxError> {
        let now = self.clock.now();
        let mut writing = self.memory.begin(&request.key, now).await?;
        if let Some(attempt) = writing.find().await? {
            writing.commit().await?;
            return Ok(self.replay(request, behavior, &attempt, now));
        }
        self.write_new(&mut writing, request, behavior, now).await?;
        let made = writing.find().await?.ok_or(SandboxError::Corrupt("an attempt that was just written"))?;
        writing.commit().await?;
        if let Some(hold) = self.options.hold_after_commit {
            self.clock.sleep(hold).await;
        }
        Ok(self.replay(request, behavior, &made, now))
    }

    async fn write_new(
        &self,
        writing: &mut Writing,
        request: &ChargeRequest,
        behavior: SandboxBehavior,
        now: Timestamp,
    ) -> Result<(), SandboxError> {
        match behavior {
            SandboxBehavior::RequiresAction => {
                let expires_at = now.saturating_add(ACTION_LIFETIME).unwrap_or(Timestamp::MAX);
                writing.insert_waiting(request, now, expires_at).await
            }
            SandboxBehavior::Declines => {
                writing.insert_waiting(request, now, now).await?;
                writing.settle_as_failed(now, &card_declined()).await
            }
            SandboxBehavior::Succeeds | SandboxBehavior::SucceedsLate => {
                writing.insert_waiting(request, now, now).await?;
                writing.settle_as_charged(now).await
            }
            // Its requests are lost before they get here.
            SandboxBehavior::TimesOut => Ok(()),
        }
    }

    /// What `request` is answered once `attempt` stands for its key: the first time and every time after.
    fn replay(&self, request: &ChargeRequest, behavior: SandboxBehavior, attempt: &Attempt, now: Timestamp) -> ChargeAnswer {
        if attempt.asked_for.as_ref().is_some_and(|asked| *asked != (request.amount, request.method_reference.clone())) {
            return ChargeAnswer::KeyReused;
        }
        match &attempt.state {
            State::Charged(success) if behavior == SandboxBehavior::SucceedsLate => {
                tracing::debug!(reference = success.reference, "sandbox gateway: the charge is made and its answer is lost");
                ChargeAnswer::Unknown
            }
            State::Charged(success) => ChargeAnswer::Succeeded(success.clone()),
            State::Failed(decline) => ChargeAnswer::Failed(decline.clone()),
            State::Waiting { expires_at } => ChargeAnswer::RequiresAction(self.action(&request.key, *expires_at, now)),
            State::Canceled => ChargeAnswer::Failed(canceled()),
        }
    }

    fn action(&self, key: &str, expires_at: Timestamp, now: Timestamp) -> Action {
        Action {
            kind: ActionKind::Redirect,
            url: Some(format!("{}/{key}", self.options.action_url.trim_end_matches('/'))),
            client_secret: None,
            expires_in: Duration::try_from(expires_at.duration_since(now)).unwrap_or_default(),
            reference: None,
        }
    }

    async fn look_up_now(&self, key: &str) -> Result<LookUpAnswer, SandboxError> {
        let now = self.clock.now();
        let mut writing = self.memory.begin(key, now).await?;
        let found = writing.find().await?;
        writing.commit().await?;
        Ok(match found.map(|attempt| attempt.state) {
            None => LookUpAnswer::NotFound,
            Some(State::Charged(success)) => LookUpAnswer::Succeeded(success),
            Some(State::Failed(decline)) => LookUpAnswer::Failed(decline),
            Some(State::Waiting { expires_at }) => LookUpAnswer::RequiresAction(self.action(key, expires_at, now)),
            Some(State::Canceled) => LookUpAnswer::Canceled,
        })
    }

    async fn cancel_now(&self, key: &str) -> Result<CancelAnswer, SandboxError> {
        let now = self.clock.now();
        let mut writing = self.memory.begin(key, now).await?;
        let answer = match writing.find().await?.map(|attempt| attempt.state) {
            Some(State::Charged(success)) => CancelAnswer::AlreadySucceeded(success),
            Some(State::Failed(decline)) => CancelAnswer::AlreadyFailed(decline),
            Some(State::Canceled) => CancelAnswer::Canceled,
            Some(State::Waiting { .. }) => {
                writing.settle_as_canceled(now).await?;
                CancelAnswer::Canceled
            }
            None => {
                writing.insert_canceled(now).await?;
                CancelAnswer::Canceled
            }
        };
        writing.commit().await?;
        Ok(answer)
    }
}

#[async_trait]
impl PaymentGateway for SandboxGateway {
    fn kind(&self) -> GatewayKind {
        GatewayKind::Sandbox
    }

    fn terms(&self, _currency: Currency) -> Option<AmountTerms> {
        Some(AMOUNT_TERMS)
    }

    async fn attach(&self, source: MethodSource) -> Result<AttachedMethod, AttachError> {
        let MethodSource::Sandbox(behavior) = source else { return Err(AttachError::Unsupported) };
        Ok(AttachedMethod {
            kind: MethodKind::Sandbox,
            reference: reference_of(behavior).to_owned(),
            label: label_of(behavior).to_owned(),
            expires_on: None,
        })
    }

    async fn charge(&self, request: ChargeRequest) -> ChargeAnswer {
        if !is_good_key(&request.key) || !AMOUNT_TERMS.take(request.amount.minor()) {
            return ChargeAnswer::Failed(invalid_request());
        }
        let Some(behavior) = behavior_of(&request.method_reference) else { return ChargeAnswer::Failed(method_unknown()) };
        if behavior == SandboxBehavior::TimesOut {
            return ChargeAnswer::Unknown;
        }
        let call = async { lost_when_failed(self.charge_now(&request, behavior).await, ChargeAnswer::Unknown) };
        within(self.options.call_limit, call, ChargeAnswer::Unknown).await
    }

    async fn look_up(&self, charge: &BegunCharge) -> LookUpAnswer {
        Self::look_up(self, &charge.key).await
    }

    async fn cancel(&self, charge: &BegunCharge) -> CancelAnswer {
        Self::cancel(self, &charge.key).await
    }

    async fn refund(&self, request: RefundRequest) -> RefundAnswer {
        let call = async { lost_when_failed(self.refund_now(&request).await, RefundAnswer::Unknown) };
        within(self.options.call_limit, call, RefundAnswer::Unknown).await
    }

    async fn look_up_refund(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        Self::look_up_refund(self, &refund.key).await
    }

    async fn books(&self, from: Timestamp, until: Timestamp) -> BooksAnswer {
        lost_when_failed(self.books_now(from, until).await, BooksAnswer::Unknown)
    }
}

/// To its caller, a gateway whose disk fails has not answered.
fn lost_when_failed<T>(answer: Result<T, SandboxError>, lost: T) -> T {
    answer.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the sandbox gateway failed");
        lost
    })
}

fn is_good_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= MAX_KEY_BYTES && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

const BEHAVIORS: [SandboxBehavior; 5] = [
    SandboxBehavior::Succeeds,
    SandboxBehavior::Declines,
    SandboxBehavior::RequiresAction,
    SandboxBehavior::TimesOut,
    SandboxBehavior::SucceedsLate,
];

const fn reference_of(behavior: SandboxBehavior) -> &'static str {
    match behavior {
        SandboxBehavior::Succeeds => "sandbox_succeeds",
        SandboxBehavior::Declines => "sandbox_declines",
        SandboxBehavior::RequiresAction => "sandbox_requires_action",
        SandboxBehavior::TimesOut => "sandbox_times_out",
        SandboxBehavior::SucceedsLate => "sandbox_succeeds_late",
    }
}

fn behavior_of(reference: &str) -> Option<SandboxBehavior> {
    BEHAVIORS.into_iter().find(|behavior| reference_of(*behavior) == reference)
}

const fn label_of(behavior: SandboxBehavior) -> &'static str {
    match behavior {
        SandboxBehavior::Succeeds => "Sandbox: succeeds",
        SandboxBehavior::Declines => "Sandbox: declines",
        SandboxBehavior::RequiresAction => "Sandbox: asks the customer to act",
        SandboxBehavior::TimesOut => "Sandbox: times out",
        SandboxBehavior::SucceedsLate => "Sandbox: succeeds late",
    }
}

fn decline(code: &str, message: &str, hard: bool) -> Decline {
    Decline { code: code.to_owned(), message: message.to_owned(), hard }
}

fn card_declined() -> Decline {
    decline("card_declined", "The payment was declined.", false)
}

fn authentication_failed() -> Decline {
    decline("authentication_failed", "The payment was not confirmed.", false)
}

fn canceled() -> Decline {
    decline("canceled", "The payment was called off before anything was charged.", false)
}

fn invalid_request() -> Decline {
    decline("invalid_request", "The payment request is not valid.", false)
}

fn method_unknown() -> Decline {
    decline("method_unknown", "The payment method does not exist.", true)
}
