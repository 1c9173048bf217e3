//! Recurring revenue, as staff are told of it.

use jiff::civil::Date;

use crate::billing::revenue::{Bucket, BucketSize, buckets, starts};
use crate::error::Error;
use crate::money::Currency;
use crate::services::billing::rule;
use crate::store::types::Day;
use crate::store::{Reader, revenue};

/// Recurring revenue of a currency in the days or months from that of `from` to that of `to`, of all that the reader sees.
///
/// # Errors
/// [`Error::BadUserInput`] for days that do not follow each other, or for too many; the database's fault.
pub async fn revenue_of(reader: &Reader, currency: Currency, (from, to): (Date, Date), size: BucketSize) -> Result<Vec<Bucket>, Error> {
    let refused = || Error::BadUserInput("`from` comes before `to`, and a report shows 366 days or 120 months at most.".into());
    let starts = starts(from, to, size).ok_or_else(refused)?;
    let Some((first, last)) = starts.first().zip(starts.last()) else { return Err(refused()) };
    let until = crate::billing::revenue::end(*last, size).map(Day::from);
    let opening = revenue::before(reader, currency, Day::from(*first)).await?;
    let moved = revenue::within(reader, currency, Day::from(*first), until).await?;
    buckets(opening, &moved, &starts, size).map_err(rule)
}
