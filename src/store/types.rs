//! How values of the house are kept in columns: ids as UUIDs, instants as timestamps, closed lists as their names.

use std::fmt;

use rust_decimal::Decimal;
use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, StringLen, ValueType, ValueTypeErr};
use sea_orm::{ColIdx, DbErr, QueryResult, TryFromU64, TryGetError, TryGetable, Value};

use crate::billing::dispute::{DisputeFunds, DisputeStatus};
use crate::billing::invoice::LineKind;
use crate::billing::ledger::{Account, EntryKind};
use crate::billing::lifecycle::{InvoiceStatus, PaymentStatus, RefundStatus, SubscriptionStatus};
use crate::billing::period::{Granularity, Interval};
use crate::billing::revenue::MovementKind;
use crate::billing::tax::TaxBehavior;
use crate::ids::{Id, Kind};
use crate::money::{Currency, Rate};

/// An instant in whole microseconds, as both databases keep it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(jiff::Timestamp);

impl Instant {
    /// The instant.
    pub const fn get(self) -> jiff::Timestamp {
        self.0
    }
}

impl From<jiff::Timestamp> for Instant {
    fn from(at: jiff::Timestamp) -> Self {
        Self(crate::clock::truncate_to_micros(at))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A calendar day without a zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(jiff::civil::Date);

impl Day {
    /// The day.
    pub const fn get(self) -> jiff::civil::Date {
        self.0
    }
}

impl From<jiff::civil::Date> for Day {
    fn from(day: jiff::civil::Date) -> Self {
        Self(day)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a column holds that the house does not know.
fn foreign(what: &'static str) -> TryGetError {
    TryGetError::DbErr(DbErr::Type(format!("a column holds no {what}")))
}

/// Keeps `$type` in a column of `$raw`, by a function there and a fallible one back.
macro_rules! column_value {
    ([$($generics:tt)*] $type:ty, $raw:ty, $array:expr, $column:expr, $to:expr, $from:expr) => {
        impl<$($generics)*> From<$type> for Value {
            fn from(value: $type) -> Self {
                let raw: $raw = ($to)(value);
                raw.into()
            }
        }
        impl<$($generics)*> Nullable for $type {
            fn null() -> Value {
                <$raw as Nullable>::null()
            }
        }
        impl<$($generics)*> TryGetable for $type {
            fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
                let raw = <$raw as TryGetable>::try_get_by(row, index)?;
                ($from)(raw).ok_or_else(|| foreign(std::any::type_name::<$type>()))
            }
        }
        impl<$($generics)*> ValueType for $type {
            fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
                ($from)(<$raw as ValueType>::try_from(value)?).ok_or(ValueTypeErr)
            }
            fn type_name() -> String {
                std::any::type_name::<$type>().to_owned()
            }
            fn array_type() -> ArrayType {
                $array
            }
            fn column_type() -> ColumnType {
                $column
            }
        }
        impl<$($generics)*> TryFromU64 for $type {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(std::any::type_name::<$type>()))
            }
        }
    };
}

column_value!([K: Kind] Id<K>, uuid::Uuid, ArrayType::Uuid, ColumnType::Uuid, |id: Id<K>| id.uuid(), |raw| Some(Id::<K>::from(raw)));
column_value!([] Instant, chrono::DateTime<chrono::Utc>, ArrayType::ChronoDateTimeUtc, ColumnType::TimestampWithTimeZone, to_chrono, from_chrono);
column_value!([] Day, chrono::NaiveDate, ArrayType::ChronoDate, ColumnType::Date, day_to_chrono, day_from_chrono);
column_value!([] Currency, String, ArrayType::String, ColumnType::String(StringLen::None), |currency: Currency| currency.code().to_owned(), |raw: String| Currency::from_code(&raw));
column_value!([] Rate, String, ArrayType::String, ColumnType::String(StringLen::None), |rate: Rate| rate.to_string(), rate_from_column);

column_value!([] Scopes, String, ArrayType::String, ColumnType::String(StringLen::None), scopes_to_column, scopes_from_column);

/// A plain decimal. It may have a digit more than a client may send: a third has 28 behind the point.
#[expect(clippy::needless_pass_by_value, reason = "the columns' macro hands over what was read")]
fn rate_from_column(raw: String) -> Option<Rate> {
    let is_plain = raw.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    if is_plain { Decimal::from_str_exact(&raw).ok().map(Rate::from) } else { None }
}

/// jiff to chrono, at the database's border. Every jiff timestamp is within chrono's range.
pub(super) fn to_chrono(at: Instant) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_micros(at.0.as_microsecond()).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC)
}

/// chrono to jiff; `None` outside jiff's years −9999 to 9999.
fn from_chrono(at: chrono::DateTime<chrono::Utc>) -> Option<Instant> {
    jiff::Timestamp::from_microsecond(at.timestamp_micros()).ok().map(Instant)
}

/// jiff to chrono. Every jiff date is within chrono's range.
fn day_to_chrono(day: Day) -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(day.0.year().into(), day.0.month().unsigned_abs().into(), day.0.day().unsigned_abs().into())
        .unwrap_or(chrono::NaiveDate::MAX)
}

/// chrono to jiff; `None` outside jiff's years.
fn day_from_chrono(day: chrono::NaiveDate) -> Option<Day> {
    use chrono::Datelike as _;
    let (year, month, date) = (day.year().try_into().ok()?, day.month().try_into().ok()?, day.day().try_into().ok()?);
    jiff::civil::Date::new(year, month, date).ok().map(Day)
}

/// Keeps a closed list, which has `as_str` and `parse`, in a text column by its names.
macro_rules! text_column {
    ($($type:ty),* $(,)?) => {
        $(column_value!([] $type, String, ArrayType::String, ColumnType::String(StringLen::None), |value: $type| value.as_str().to_owned(), |raw: String| <$type>::parse(&raw));)*
    };
}

/// Declares a closed list with the names it has in the database and at the API.
macro_rules! closed_list {
    ($($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub enum $type { $($(#[$variant_doc])* $variant),* }

            impl $type {
                /// Each of the list, in its order.
                pub const ALL: &'static [Self] = &[$(Self::$variant),*];

                /// The name in the database.
                pub const fn as_str(self) -> &'static str {
                    match self { $(Self::$variant => $text),* }
                }

                /// The one of that name.
                pub fn parse(text: &str) -> Option<Self> {
                    match text { $($text => Some(Self::$variant),)* _ => None }
                }
            }
            text_column!($type);
        )*
    };
}

/// The scopes of a key: a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// With one more.
    #[must_use]
    pub const fn with(self, scope: ApiScope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    /// Whether it is among them.
    pub const fn has(self, scope: ApiScope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }

    /// Each, in the order of the list.
    pub fn iter(self) -> impl Iterator<Item = ApiScope> {
        ApiScope::ALL.iter().copied().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<ApiScope> for Scopes {
    fn from_iter<I: IntoIterator<Item = ApiScope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::default(), Self::with)
    }
}

/// Kinds of documents, each once, in the order of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentKinds(Vec<DocumentKind>);

impl DocumentKinds {
    /// Whether it is among them.
    pub fn has(&self, kind: DocumentKind) -> bool {
        self.0.contains(&kind)
    }

    /// Each, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = DocumentKind> {
        self.0.iter().copied()
    }
}

impl FromIterator<DocumentKind> for DocumentKinds {
    fn from_iter<I: IntoIterator<Item = DocumentKind>>(kinds: I) -> Self {
        let given: Vec<DocumentKind> = kinds.into_iter().collect();
        Self(DocumentKind::ALL.iter().copied().filter(|kind| given.contains(kind)).collect())
    }
}

/// Their names, with a space between them.
#[expect(clippy::needless_pass_by_value, reason = "the columns' macro hands over what is written")]
fn kinds_to_column(kinds: DocumentKinds) -> String {
    kinds.iter().map(DocumentKind::as_str).collect::<Vec<_>>().join(" ")
}

/// What [`kinds_to_column`] wrote; a name that is not of the list makes it none.
#[expect(clippy::needless_pass_by_value, reason = "the columns' macro hands over what was read")]
fn kinds_from_column(raw: String) -> Option<DocumentKinds> {
    raw.split_whitespace().map(DocumentKind::parse).collect()
}

/// Their names, with a space between them.
fn scopes_to_column(scopes: Scopes) -> String {
    scopes.iter().map(ApiScope::as_str).collect::<Vec<_>>().join(" ")
}

/// What [`scopes_to_column`] wrote; a name that is not of the list makes it none.
#[expect(clippy::needless_pass_by_value, reason = "the columns' macro hands over what was read")]
fn scopes_from_column(raw: String) -> Option<Scopes> {
    raw.split_whitespace().map(ApiScope::parse).collect()
}

column_value!([] DocumentKinds, String, ArrayType::String, ColumnType::String(StringLen::None), kinds_to_column, kinds_from_column);

text_column!(
    Interval,
    Granularity,
    TaxBehavior,
    LineKind,
    SubscriptionStatus,
    InvoiceStatus,
    PaymentStatus,
    RefundStatus,
    DisputeStatus,
    DisputeFunds,
    Account,
    EntryKind,
    MovementKind
);

closed_list! {
    /// What a person may do in a business. From least to most: MEMBER, BILLING, ADMIN, OWNER.
    Role {
        /// Everything.
        Owner = "OWNER",
        /// All but erasure, export and making owners.
        Admin = "ADMIN",
        /// Reads and changes all of money.
        Billing = "BILLING",
        /// Reads profile, subscription, usage and its own notifications; opens tickets.
        Member = "MEMBER",
    }
    /// What a key of a business lets a program do.
    ApiScope {
        /// The queries.
        Read = "READ",
        /// `featureAccess` and `usage` alone.
        AccessRead = "ACCESS_READ",
        /// The mutations of subscriptions, payment methods and payments.
        BillingWrite = "BILLING_WRITE",
        /// Recording usage.
        UsageWrite = "USAGE_WRITE",
        /// Changing the profile.
        ProfileWrite = "PROFILE_WRITE",
        /// Opening and answering tickets.
        SupportWrite = "SUPPORT_WRITE",
        /// Changing webhooks.
        WebhookWrite = "WEBHOOK_WRITE",
    }
    /// What a member of the platform's staff may do.
    StaffRole {
        /// Answers customers: reads everything, changes nothing.
        Support = "SUPPORT",
        /// Prices and money.
        Finance = "FINANCE",
        /// Who may be a customer.
        Compliance = "COMPLIANCE",
        /// Everything.
        Admin = "ADMIN",
    }
    /// How far a ticket of support has come.
    TicketStatus {
        /// Staff are to answer.
        Open = "OPEN",
        /// The customer is to answer.
        WaitingForCustomer = "WAITING_FOR_CUSTOMER",
        /// The customer has said nothing more.
        Resolved = "RESOLVED",
        /// Over.
        Closed = "CLOSED",
    }
    /// Where a delivery of an event to an endpoint stands.
    DeliveryStatus {
        /// Waiting for its turn, or to be tried again.
        Pending = "PENDING",
        /// The receiver has it.
        Delivered = "DELIVERED",
        /// Given up.
        Failed = "FAILED",
    }
    /// How much a ticket of support presses.
    TicketPriority {
        /// It can wait.
        Low = "LOW",
        /// As usual.
        Normal = "NORMAL",
        /// Work is hindered.
        High = "HIGH",
        /// Work has stopped.
        Urgent = "URGENT",
    }
    /// How many people work in a business.
    CompanySize {
        /// One.
        Size1 = "SIZE_1",
        /// Two to ten.
        Size2To10 = "SIZE_2_10",
        /// 11 to 50.
        Size11To50 = "SIZE_11_50",
        /// 51 to 200.
        Size51To200 = "SIZE_51_200",
        /// 201 to 500.
        Size201To500 = "SIZE_201_500",
        /// More than 500.
        Size501Plus = "SIZE_501_PLUS",
    }
    /// How far a business has proved who it is.
    VerificationStatus {
        /// Nothing was submitted.
        Unverified = "UNVERIFIED",
        /// Under review.
        Pending = "PENDING",
        /// Something is missing.
        NeedsInformation = "NEEDS_INFORMATION",
        /// Approved.
        Approved = "APPROVED",
        /// Rejected.
        Rejected = "REJECTED",
        /// An approval that ran out.
        Expired = "EXPIRED",
    }
    /// What a document of a verification shows.
    DocumentKind {
        /// That the business was founded.
        CertificateOfIncorporation = "CERTIFICATE_OF_INCORPORATION",
        /// That the tax office knows it.
        TaxCertificate = "TAX_CERTIFICATE",
        /// That it may trade.
        BusinessPermit = "BUSINESS_PERMIT",
        /// Who directs it.
        DirectorId = "DIRECTOR_ID",
        /// Where it is.
        ProofOfAddress = "PROOF_OF_ADDRESS",
        /// That it may take savings.
        SaccoLicence = "SACCO_LICENCE",
    }
    /// What is thought of a document.
    DocumentStatus {
        /// Nobody has accepted it yet.
        Quarantined = "QUARANTINED",
        /// It was accepted.
        Accepted = "ACCEPTED",
        /// It does not suffice.
        Rejected = "REJECTED",
    }
    /// What the scanner says of a file.
    ScanStatus {
        /// Nothing yet.
        Waiting = "WAITING",
        /// It found nothing.
        Clean = "CLEAN",
        /// It found something.
        Infected = "INFECTED",
        /// There is no scanner.
        NotScanned = "NOT_SCANNED",
    }
    /// What kind of thing a feature of a plan is.
    FeatureKind {
        /// On or off.
        Switch = "SWITCH",
        /// Caps a standing quantity.
        Limit = "LIMIT",
        /// Counts within a usage period.
        Metered = "METERED",
    }
    /// What an event of usage does to a quantity.
    UsageAction {
        /// It adds to it, or where it stands gives back.
        Add = "ADD",
        /// It says what the whole of it is.
        Set = "SET",
    }
    /// A way to pay.
    PaymentMethodKind {
        /// A card.
        Card = "CARD",
        /// M-Pesa.
        Mpesa = "MPESA",
        /// Bank transfer.
        BankTransfer = "BANK_TRANSFER",
        /// The sandbox's.
        Sandbox = "SANDBOX",
    }
    /// What a gateway that signs nothing told of.
    HeardKind {
        /// A charge.
        Charge = "CHARGE",
        /// A question about what moved.
        Status = "STATUS",
        /// A refund.
        Refund = "REFUND",
    }
    /// Of what a gateway's list and our rows differ.
    DifferenceSubject {
        /// A charge.
        Charge = "CHARGE",
        /// A refund.
        Refund = "REFUND",
        /// A dispute.
        Dispute = "DISPUTE",
    }
    /// How they differ.
    DifferenceKind {
        /// The gateway has it, and we do not.
        NotHere = "NOT_HERE",
        /// We have it, and the gateway does not.
        NotThere = "NOT_THERE",
        /// They come to different amounts.
        Amount = "AMOUNT",
        /// By the one money moved, by the other it did not.
        Status = "STATUS",
        /// What became of it is not known here a day later.
        Unsettled = "UNSETTLED",
    }
    /// Where a job stands.
    JobStatus {
        /// Waiting until it is due, or leased.
        Ready = "READY",
        /// Done.
        Done = "DONE",
        /// Given up; somebody must look.
        Dead = "DEAD",
    }
    /// Where a test clock stands.
    TestClockStatus {
        /// It stands still.
        Ready = "READY",
        /// It moves to its goal, from one job to the next.
        Advancing = "ADVANCING",
        /// It stopped before its goal.
        Failed = "FAILED",
    }
    /// Whether a period is a trial or charged.
    PeriodKind {
        /// A trial: nothing is charged.
        Trial = "TRIAL",
        /// Charged.
        Paid = "PAID",
    }
    /// Why a credit note was issued.
    CreditNoteReason {
        /// A change of plan that is worth less than the unused time.
        PlanChange = "PLAN_CHANGE",
        /// A cancellation that credits unused time.
        Cancellation = "CANCELLATION",
        /// Billed twice.
        Duplicate = "DUPLICATE",
        /// Billed wrongly.
        Error = "ERROR",
        /// A kindness.
        Goodwill = "GOODWILL",
        /// A dispute that was lost.
        Dispute = "DISPUTE",
    }
    /// How the account credit came about or where it went.
    CreditReason {
        /// By a credit note.
        CreditNote = "CREDIT_NOTE",
        /// Used on an invoice.
        AppliedToInvoice = "APPLIED_TO_INVOICE",
        /// More was paid than was due.
        Overpayment = "OVERPAYMENT",
        /// Collected in whole units of the gateway.
        Rounding = "ROUNDING",
        /// A payment that came after the invoice was settled otherwise.
        LatePayment = "LATE_PAYMENT",
        /// Given back by a void invoice.
        VoidedInvoice = "VOIDED_INVOICE",
        /// A refund that failed.
        FailedRefund = "FAILED_REFUND",
        /// Granted by staff.
        GrantedByStaff = "GRANTED_BY_STAFF",
    }
    /// How word reaches a person.
    Channel {
        /// In the application.
        InApp = "IN_APP",
        /// By mail.
        Email = "EMAIL",
    }
    /// Where a mail stands.
    MailStatus {
        /// Not handed over yet.
        Queued = "QUEUED",
        /// Handed over.
        Sent = "SENT",
        /// Refused for good, or tried too often.
        Failed = "FAILED",
    }
    /// Where an export stands.
    ExportStatus {
        /// Its file is being made.
        Pending = "PENDING",
        /// Its file can be downloaded.
        Ready = "READY",
        /// Its file is gone.
        Expired = "EXPIRED",
    }
    /// What a link in a mail lets its holder do.
    LinkPurpose {
        /// Confirm that the address is theirs.
        ConfirmEmail = "CONFIRM_EMAIL",
        /// Choose a new password.
        ResetPassword = "RESET_PASSWORD",
    }
}
