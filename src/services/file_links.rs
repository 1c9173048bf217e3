//! Links by which a file or a page can be had at `GET /files/{token}`: signed for one purpose, good for a quarter of an hour, and for that
//! one thing. The token is all that is needed.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Ports;
use crate::ids::BusinessId;

/// How long a link is good.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(15);

/// A link to a thing of a business's, signed for `purpose`: no other purpose opens it.
pub(super) fn link(ports: &Ports, purpose: &str, business: BusinessId, thing: Uuid) -> String {
    let until = ports.real_now().saturating_add(GOOD_FOR).unwrap_or(Timestamp::MAX);
    let said = [business.uuid().as_bytes().as_slice(), thing.as_bytes(), &until.as_microsecond().to_be_bytes()].concat();
    format!("{}/files/{}", ports.public_url, ports.previews.seal(purpose, &said))
}

/// The business and the thing that a link's token names, where it was signed for that purpose and is still good.
pub(super) fn named_by(ports: &Ports, purpose: &str, token: &str) -> Option<(BusinessId, Uuid)> {
    read(&ports.previews.open(purpose, token)?, ports.real_now())
}

/// What is signed, where it is still good.
fn read(said: &[u8], now: Timestamp) -> Option<(BusinessId, Uuid)> {
    let (business, rest) = said.split_first_chunk::<16>()?;
    let (thing, rest) = rest.split_first_chunk::<16>()?;
    let until = i64::from_be_bytes(rest.try_into().ok()?);
    (now.as_microsecond() < until).then(|| (BusinessId::from(Uuid::from_bytes(*business)), Uuid::from_bytes(*thing)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_its_instant_and_only_as_a_whole() {
        let until = Timestamp::from_second(1_000).unwrap();
        let said = [[1_u8; 16].as_slice(), &[2; 16], &until.as_microsecond().to_be_bytes()].concat();
        let at = |micros: i64| Timestamp::from_microsecond(micros).unwrap();
        let expected = (BusinessId::from(Uuid::from_bytes([1; 16])), Uuid::from_bytes([2; 16]));
        assert_eq!(read(&said, at(999_999_999)), Some(expected));
        assert_eq!(read(&said, at(1_000_000_000)), None);
        assert_eq!(read(&said[..39], at(0)), None);
        assert_eq!(read(&[said.as_slice(), &[0]].concat(), at(0)), None);
        assert_eq!(read(&[], at(0)), None);
    }
}
