//! What Daraja remembers, and what it does when it is asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::super::faults::Faults;
use super::super::kept::{Newest, push_newest};
use super::{CREDENTIAL, Callback, Holder, INITIATOR, Options, PASSKEY, Prompt, SHORT_CODE};

/// Prompts a phone.
pub(super) const PUSH: &str = "/mpesa/stkpush/v1/processrequest";
/// Asks what became of a prompt.
pub(super) const QUERY: &str = "/mpesa/stkpushquery/v1/query";
/// Asks about a transaction by its receipt.
pub(super) const STATUS: &str = "/mpesa/transactionstatus/v1/query";
/// Pays back.
pub(super) const REVERSAL: &str = "/mpesa/reversal/v1/request";
/// What one transaction may be of, in whole shillings.
const AMOUNTS: std::ops::RangeInclusive<i64> = 1..=250_000;

/// A status and a body.
pub(super) type Said = (u16, Value);
/// The same, or what is wrong with the request: something that the adapter would never leave out.
type Done = Result<Said, Wrong>;

/// What is wrong with a request, and how the original answers that.
struct Wrong {
    /// The answer.
    said: Said,
    /// For whoever looks into it.
    sentence: String,
}

/// A transaction that paid back.
#[derive(Debug, Clone)]
pub(super) struct Reversal {
    /// Its own receipt.
    pub(super) receipt: String,
    /// The receipt of what was paid.
    pub(super) of: String,
    /// Whole shillings.
    pub(super) amount: i64,
}

/// What somebody does to a prompt later.
pub(super) struct Later {
    /// Which.
    pub(super) prompt: String,
    /// How much later.
    pub(super) after: Duration,
    /// With which code it ends.
    pub(super) code: &'static str,
}

/// What is remembered.
pub(super) struct Books {
    /// How it behaves.
    pub(super) options: Options,
    /// What holders of numbers do of whom something was said.
    pub(super) holders: Newest<Holder>,
    /// Which token is good.
    pub(super) token: u64,
    /// How many were given.
    pub(super) tokens: usize,
    /// The oldest first.
    pub(super) prompts: VecDeque<Prompt>,
    /// The oldest first.
    pub(super) reversals: VecDeque<Reversal>,
    /// What is to be told.
    pub(super) callbacks: VecDeque<Callback>,
    /// What is to go wrong.
    pub(super) faults: Faults,
    /// What is still to arrive: paths and bodies.
    pub(super) late: VecDeque<(String, Value)>,
    /// What is to be done to prompts that were just sent.
    pub(super) later: Vec<Later>,
    /// How many ids were given.
    made: u64,
    /// What was asked, by its path.
    pub(super) calls: VecDeque<String>,
    /// What was asked that nobody may ask so.
    pub(super) malformed: VecDeque<String>,
    /// Rung when there is something to tell.
    pub(super) bell: Arc<Notify>,
}

/// A refusal.
pub(super) fn refused(status: u16, code: &str, message: &str) -> Said {
    (status, json!({ "requestId": "1", "errorCode": code, "errorMessage": message }))
}

/// What is wrong with one member of a request.
fn invalid(name: &str) -> Wrong {
    let sentence = format!("Bad Request - Invalid {name}");
    Wrong { said: refused(400, "400.002.02", &sentence), sentence }
}

/// A member that must be there and a text.
fn text<'a>(asked: &'a Value, name: &str) -> Result<&'a str, Wrong> {
    asked[name].as_str().ok_or_else(|| invalid(name))
}

/// A member that must be an amount, as text.
fn amount(asked: &Value) -> Result<i64, Wrong> {
    text(asked, "Amount")?.parse().map_err(|_| invalid("Amount"))
}

/// An address that is to be told of something.
fn address(asked: &Value, name: &str) -> Result<String, Wrong> {
    let given = text(asked, name)?;
    let is_url = given.starts_with("http://") || given.starts_with("https://");
    if is_url && url::Url::parse(given).is_ok() { Ok(given.to_owned()) } else { Err(invalid(name)) }
}

/// Where the result of a request is to be told: one address for all that may come of it.
fn way_back(asked: &Value) -> Result<String, Wrong> {
    let address = address(asked, "ResultURL")?;
    if text(asked, "QueueTimeOutURL")? == address { Ok(address) } else { Err(invalid("QueueTimeOutURL")) }
}

impl Books {
    /// Nothing yet.
    pub(super) fn new(options: Options) -> Self {
        let most = options.most;
        Self {
            options,
            holders: Newest::new(most),
            token: 0,
            tokens: 0,
            prompts: VecDeque::new(),
            reversals: VecDeque::new(),
            callbacks: VecDeque::new(),
            faults: Faults::default(),
            late: VecDeque::new(),
            later: Vec::new(),
            made: 0,
            calls: VecDeque::new(),
            malformed: VecDeque::new(),
            bell: Arc::default(),
        }
    }

    /// The token that is good now.
    pub(super) fn token(&self) -> String {
        format!("token_{}{}", self.options.run, self.token)
    }

    /// A new id, which no other run gives.
    fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}{}{}", self.options.run, self.made)
    }

    /// A new receipt.
    fn receipt(&mut self) -> String {
        self.id("SFC").to_ascii_uppercase()
    }

    /// Remembers that a request was not what it must be.
    pub(super) fn note_malformed(&mut self, path: &str, sentence: &str) {
        push_newest(&mut self.malformed, self.options.most, format!("{path}: {sentence}"));
        tracing::warn!(path, sentence, "a request is none that Daraja takes");
    }

    /// Does what is asked.
    pub(super) fn answer(&mut self, path: &str, asked: &Value) -> Said {
        let done = match path {
            PUSH => self.push(asked),
            QUERY => self.query(asked),
            STATUS => self.status(asked),
            REVERSAL => self.reverse(asked),
            _ => Err(Wrong { said: refused(404, "404.001.01", "Resource not found"), sentence: "there is no such path".to_owned() }),
        };
        done.unwrap_or_else(|Wrong { said, sentence }| {
            self.note_malformed(path, &sentence);
            said
        })
    }

    /// Prompts a phone.
    fn push(&mut self, asked: &Value) -> Done {
        check_password(asked)?;
        let (amount, phone) = (amount(asked)?, text(asked, "PhoneNumber")?.to_owned());
        for (name, expected) in [("PartyA", phone.as_str()), ("PartyB", SHORT_CODE), ("TransactionType", "CustomerPayBillOnline")] {
            if text(asked, name)? != expected {
                return Err(invalid(name));
            }
        }
        for (name, most) in [("AccountReference", 12), ("TransactionDesc", 13)] {
            if !(1..=most).contains(&text(asked, name)?.len()) {
                return Err(invalid(name));
            }
        }
        let callback = address(asked, "CallBackURL")?;
        if !AMOUNTS.contains(&amount) || phone.len() != 12 {
            return Ok(refused(400, "400.002.02", "Bad Request - Invalid Amount or PhoneNumber"));
        }
        if self.prompts.iter().any(|prompt| prompt.phone == phone && prompt.code.is_none()) {
            return Ok(refused(500, "500.001.1001", "Unable to lock subscriber, a transaction is already in process"));
        }
        let (id, account) = (self.id("ws_CO_"), text(asked, "AccountReference")?.to_owned());
        let timestamp = text(asked, "Timestamp")?.to_owned();
        let holder = self.holders.get(&phone).copied().unwrap_or_else(|| (self.options.holder)(&phone));
        let prompt = Prompt { id: id.clone(), phone, account, amount, callback, timestamp, code: None, receipt: None };
        push_newest(&mut self.prompts, self.options.most, prompt);
        match holder {
            Holder::Pays => drop(self.end(&id, "0")),
            Holder::Ends(code) => drop(self.end(&id, code)),
            Holder::After(after, code) => self.later.push(Later { prompt: id.clone(), after, code }),
            Holder::Waits => {}
        }
        Ok((200, json!({ "MerchantRequestID": "1", "CheckoutRequestID": id, "ResponseCode": "0", "ResponseDescription": "Accepted" })))
    }

    /// A prompt is over, and there is something to tell; none where it was over before.
    pub(super) fn end(&mut self, id: &str, code: &str) -> Option<()> {
        let receipt = (code == "0").then(|| self.receipt());
        let prompt = self.prompts.iter_mut().find(|prompt| prompt.id == id && prompt.code.is_none())?;
        (prompt.code, prompt.receipt) = (Some(code.to_owned()), receipt.clone());
        let mut told = json!({ "MerchantRequestID": "1", "CheckoutRequestID": id, "ResultCode": number(code), "ResultDesc": "." });
        if let Some(receipt) = receipt {
            told["CallbackMetadata"] = json!({ "Item": [
                { "Name": "Amount", "Value": prompt.amount }, { "Name": "MpesaReceiptNumber", "Value": receipt }, { "Name": "Balance" },
                { "Name": "PhoneNumber", "Value": number(&prompt.phone) },
            ] });
        }
        let address = prompt.callback.clone();
        self.tell(id.to_owned(), address, &json!({ "Body": { "stkCallback": told } }));
        Some(())
    }

    /// Says what became of a prompt.
    fn query(&mut self, asked: &Value) -> Done {
        check_password(asked)?;
        let id = text(asked, "CheckoutRequestID")?;
        let Some(prompt) = self.prompts.iter().find(|prompt| prompt.id == id) else {
            return Ok(refused(400, "400.002.02", "Bad Request - Invalid CheckoutRequestID"));
        };
        Ok(match &prompt.code {
            None => refused(500, "500.001.1001", "The transaction is being processed"),
            Some(code) => (200, json!({ "ResponseCode": "0", "CheckoutRequestID": id, "ResultCode": code, "ResultDesc": "." })),
        })
    }

    /// Looks a transaction up; what it finds is told.
    fn status(&mut self, asked: &Value) -> Done {
        let (receipt, id) = (text(asked, "TransactionID")?.to_owned(), self.id("conv-"));
        let address = way_back(asked)?;
        let paid = self.prompts.iter().find(|prompt| prompt.receipt.as_ref() == Some(&receipt));
        let back = self.reversals.iter().find(|reversal| reversal.receipt == receipt);
        let moved = paid.map(|prompt| (prompt.amount, SHORT_CODE)).or_else(|| back.map(|back| (back.amount, "254700000000")));
        let told = match moved.filter(|_| self.is_initiator(STATUS, asked)) {
            Some((amount, receiver)) => json!({ "ResultCode": 0, "ResultParameters": { "ResultParameter": [
                { "Key": "CreditPartyName", "Value": format!("{receiver} - Acme") }, { "Key": "TransactionStatus", "Value": "Completed" },
                { "Key": "Amount", "Value": amount }, { "Key": "ReceiptNo", "Value": receipt }, { "Key": "TransactionReason" },
            ] } }),
            None => json!({ "ResultCode": 2001 }),
        };
        Ok(self.taken(&id, address, told))
    }

    /// Pays back, where so much of the payment is left; what comes of it is told.
    fn reverse(&mut self, asked: &Value) -> Done {
        if text(asked, "RecieverIdentifierType")? != "11" {
            return Err(invalid("RecieverIdentifierType"));
        }
        let (of, amount, id) = (text(asked, "TransactionID")?.to_owned(), amount(asked)?, self.id("conv-"));
        if amount < 1 {
            return Err(invalid("Amount"));
        }
        let address = way_back(asked)?;
        if !self.is_initiator(REVERSAL, asked) {
            return Ok(self.taken(&id, address, json!({ "ResultCode": 2001 })));
        }
        let paid = self.prompts.iter().find(|prompt| prompt.receipt.as_ref() == Some(&of)).map(|prompt| prompt.amount);
        let back: i64 = self.reversals.iter().filter(|reversal| reversal.of == of).map(|reversal| reversal.amount).sum();
        let told = if paid.is_some_and(|paid| back.saturating_add(amount) <= paid) {
            let receipt = self.receipt();
            push_newest(&mut self.reversals, self.options.most, Reversal { receipt: receipt.clone(), of, amount });
            json!({ "ResultCode": 0, "TransactionID": receipt })
        } else {
            json!({ "ResultCode": "R000001" })
        };
        Ok(self.taken(&id, address, told))
    }

    /// Whether the initiator is who may ask: who is not is told so by the result.
    fn is_initiator(&mut self, path: &str, asked: &Value) -> bool {
        let is_it = asked["Initiator"] == INITIATOR && asked["SecurityCredential"] == CREDENTIAL;
        if !is_it {
            self.note_malformed(path, "the initiator information is invalid");
        }
        is_it
    }

    /// A request was taken, and its result is to be told.
    fn taken(&mut self, id: &str, address: String, mut told: Value) -> Said {
        told["OriginatorConversationID"] = json!(id);
        self.tell(id.to_owned(), address, &json!({ "Result": told }));
        (200, json!({ "OriginatorConversationID": id, "ConversationID": "AG_1", "ResponseCode": "0", "ResponseDescription": "." }))
    }

    /// Has something to tell.
    fn tell(&mut self, of: String, address: String, body: &Value) {
        let callback = Callback { of, address, body: body.to_string() };
        push_newest(&mut self.callbacks, self.options.most, callback);
        self.bell.notify_one();
    }
}

/// A number as Daraja writes it: as one where it is one.
fn number(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
}

/// The password is of the short code, the passkey and the time.
fn check_password(asked: &Value) -> Result<(), Wrong> {
    let timestamp = text(asked, "Timestamp")?;
    if timestamp.len() != 14 || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid("Timestamp"));
    }
    if text(asked, "BusinessShortCode")? != SHORT_CODE {
        return Err(invalid("BusinessShortCode"));
    }
    let expected = STANDARD.encode(format!("{SHORT_CODE}{PASSKEY}{timestamp}"));
    if text(asked, "Password")? == expected {
        return Ok(());
    }
    Err(Wrong { said: refused(500, "500.001.1001", "Wrong credentials"), sentence: "the password is wrong".to_owned() })
}
