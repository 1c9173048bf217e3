//! Which media types are spoken: what `Accept` asks for, and what a body's `Content-Type` says.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

/// The type of an event stream.
const EVENTS: &str = "text/event-stream";

/// A media type that answers are written in. They differ in statuses, not in content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`: a request error has a status of 4xx.
    Response,
    /// `application/json`: a well-formed request is answered 200, whatever comes of it.
    Json,
    /// `application/json` of a path that stands for a document: the data alone, with statuses as for [`Media::Response`].
    Plain,
}

impl Media {
    /// The value of `Content-Type`.
    pub(crate) const fn content_type(self) -> HeaderValue {
        match self {
            Self::Response => HeaderValue::from_static("application/graphql-response+json; charset=utf-8"),
            Self::Json | Self::Plain => HeaderValue::from_static("application/json; charset=utf-8"),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Response => "application/graphql-response+json",
            Self::Json | Self::Plain => "application/json",
        }
    }
}

/// How closely a range names a type: by itself, by its half, or at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Anything,
    Half,
    Exact,
}

/// The media type to answer in; `None` when `Accept` leaves none. Without `Accept`, and for `*/*`, it is JSON.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<Media> {
    if !headers.contains_key(ACCEPT) {
        return Some(Media::Json);
    }
    let named = headers.get_all(ACCEPT).iter();
    let ranges: Vec<&str> = named.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    let weigh = |media: Media| {
        let best = ranges.iter().filter_map(|range| fit(range, media)).max_by_key(|(fit, _)| *fit)?;
        // The closest range alone decides: `application/json;q=0, */*` refuses JSON.
        (best.1 > 0).then_some((best.1, best.0))
    };
    match (weigh(Media::Response), weigh(Media::Json)) {
        (None, None) => None,
        (Some(_), None) => Some(Media::Response),
        (Some(response), Some(json)) if response > json || (response == json && response.1 == Fit::Exact) => Some(Media::Response),
        (_, Some(_)) => Some(Media::Json),
    }
}

/// Whether `Accept` asks for an event stream: by its name, and no less than for anything else that is spoken here.
pub(crate) fn wants_events(headers: &HeaderMap) -> bool {
    let named = headers.get_all(ACCEPT).iter();
    let ranges: Vec<&str> = named.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    let most =
        |name: &str| ranges.iter().filter_map(|range| fit_name(range, name)).filter(|(fit, _)| *fit == Fit::Exact).map(|(_, q)| q).max();
    let events = most(EVENTS).unwrap_or(0);
    events > 0 && [Media::Response, Media::Json].into_iter().all(|media| most(media.name()).unwrap_or(0) <= events)
}

/// How closely `range` names `media`, and its weight in thousandths.
fn fit(range: &str, media: Media) -> Option<(Fit, u16)> {
    fit_name(range, media.name())
}

/// The same of a type by its name.
fn fit_name(range: &str, own: &str) -> Option<(Fit, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?;
    let fit = match name {
        "*/*" => Fit::Anything,
        "application/*" => Fit::Half,
        name if name.eq_ignore_ascii_case(own) => Fit::Exact,
        _ => return None,
    };
    let mut weight = 1_000;
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        if key.eq_ignore_ascii_case("q") {
            weight = thousandths(value)?;
        } else if key.eq_ignore_ascii_case("charset") && !is_utf8(value) {
            return None;
        }
    }
    Some((fit, weight))
}

/// `0.75` as 750: at most three digits after the point, as HTTP has it.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{digits:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

fn is_utf8(charset: &str) -> bool {
    charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
}

/// Whether a body is JSON in UTF-8. What a form of another site can send without asking (`text/plain`, the two form
/// types, none at all) never is, so such a site cannot make a browser act for its user.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    if !parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json")) {
        return false;
    }
    parts.filter(|part| !part.is_empty()).all(|part| match part.split_once('=') {
        Some((key, charset)) if key.eq_ignore_ascii_case("charset") => is_utf8(charset),
        _ => true,
    })
}

/// Whether a body is a form with files.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let name = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next());
    name.is_some_and(|name| name.trim().eq_ignore_ascii_case("multipart/form-data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(accept: &str) -> Option<Media> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        negotiate(&headers)
    }

    #[test]
    fn accept_is_negotiated_by_weight_and_closeness() {
        for (accept, expected) in [
            ("*/*", Some(Media::Json)),
            ("application/*", Some(Media::Json)),
            ("application/json", Some(Media::Json)),
            ("application/graphql-response+json", Some(Media::Response)),
            ("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", Some(Media::Response)),
            ("application/json, application/graphql-response+json;q=0.9", Some(Media::Json)),
            ("application/graphql-response+json;q=0.5, application/json;q=0.25", Some(Media::Response)),
            ("application/graphql-response+json, */*", Some(Media::Response)),
            ("application/json, */*", Some(Media::Json)),
            ("application/json;q=0, */*", Some(Media::Response)),
            ("text/html, application/xhtml+xml, */*;q=0.8", Some(Media::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json; charset=iso-8859-1", None),
            ("", None),
        ] {
            assert_eq!(asking(accept), expected, "{accept:?}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), Some(Media::Json));
    }

    #[test]
    fn only_json_in_utf_8_is_json() {
        for (content_type, expected) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("Application/JSON;charset=\"UTF-8\"", true),
            ("application/json; charset=utf-16", false),
            ("text/plain", false),
            ("text/plain; application/json", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("application/jsonp", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            assert_eq!(is_json(&headers), expected, "{content_type:?}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
