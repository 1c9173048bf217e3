//! Where a webhook goes, as a customer writes it.

use std::net::IpAddr;

use http::Uri;
use url::{Host, Url};

use super::address::Reach;

/// An address on the web that a webhook may be sent to, as far as it can be told without asking for its name.
#[derive(Debug, Clone)]
pub struct Target {
    /// As it is called.
    uri: Uri,
    /// Its host's name or address.
    host: String,
}

/// Why a text is no target. Each is a sentence for whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no URL.
    #[error("This is no URL.")]
    Malformed,
    /// It is not encrypted.
    #[error("A webhook goes to an https:// URL.")]
    NotHttps,
    /// A name and password stand in it.
    #[error("A webhook's URL holds no user name or password.")]
    UserInfo,
    /// It ends in a fragment, which is never sent.
    #[error("A webhook's URL has no part behind #.")]
    Fragment,
    /// Its host is no part of the public internet.
    #[error("A webhook goes to the public internet alone.")]
    NotPublic,
}

impl Target {
    /// Reads a URL. Unencrypted it may be to this machine alone, where that is reached at all.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str, reach: Reach) -> Result<Self, TargetError> {
        let url = Url::parse(text).map_err(|_| TargetError::Malformed)?;
        // Numbers in any notation are addresses by now: `http://2130706433` and `http://0x7f.1` are 127.0.0.1.
        let (address, is_here) = match url.host().ok_or(TargetError::Malformed)? {
            Host::Ipv4(address) => (Some(IpAddr::V4(address)), address.is_loopback()),
            Host::Ipv6(address) => (Some(IpAddr::V6(address)), address.is_loopback()),
            Host::Domain(name) => (None, name == "localhost"),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_here && reach == Reach::PublicAndLoopback => {}
            _ => return Err(TargetError::NotHttps),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        // What a name stands for is looked at when it is connected to.
        let allowed = address.map_or(reach == Reach::PublicAndLoopback || !is_here, |address| reach.allows(address));
        if !allowed {
            return Err(TargetError::NotPublic);
        }
        let host = url.host_str().ok_or(TargetError::Malformed)?.to_owned();
        Ok(Self { uri: url.as_str().parse().map_err(|_| TargetError::Malformed)?, host })
    }

    /// As it is called.
    pub(super) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Its host: what may be told of it, since the rest may hold secrets of the receiver's.
    pub fn host(&self) -> &str {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_https_url_is_a_target() {
        for text in [
            "https://hooks.example.com",
            "https://hooks.example.com/evolve?tenant=7&sig=a%20b",
            "https://hooks.example.com:8443/a/b",
            "https://1.1.1.1/hook",
            "https://[2606:4700:4700::1111]/hook",
            "https://bücher.example/hook",
            "HTTPS://Hooks.Example.com/",
        ] {
            assert!(Target::parse(text, Reach::Public).is_ok(), "{text}: {:?}", Target::parse(text, Reach::Public));
        }
        assert_eq!(Target::parse("https://Hooks.Example.com:8443/secret", Reach::Public).unwrap().host(), "hooks.example.com");
    }

    #[test]
    fn any_other_is_refused() {
        use TargetError::{Fragment, Malformed, NotHttps, NotPublic, UserInfo};
        for (text, why) in [
            ("", Malformed),
            ("hooks.example.com", Malformed),
            ("https://", Malformed),
            ("https://a b.example/", Malformed),
            ("http://hooks.example.com/", NotHttps),
            ("ftp://hooks.example.com/", NotHttps),
            ("file:///etc/passwd", Malformed),
            ("gopher://hooks.example.com/", NotHttps),
            ("http://localhost/", NotHttps),
            ("https://ann:secret@hooks.example.com/", UserInfo),
            ("https://ann@hooks.example.com/", UserInfo),
            ("https://hooks.example.com/#token", Fragment),
            ("https://localhost/", NotPublic),
            ("https://LOCALHOST/", NotPublic),
            ("https://127.0.0.1/", NotPublic),
            ("https://2130706433/", NotPublic),
            ("https://0x7f.1/", NotPublic),
            ("https://0177.0.0.1/", NotPublic),
            ("https://127.1/", NotPublic),
            ("https://10.1.2.3:9200/_search", NotPublic),
            ("https://169.254.169.254/latest/meta-data/", NotPublic),
            ("https://[::1]/", NotPublic),
            ("https://[::ffff:10.0.0.1]/", NotPublic),
            ("https://[64:ff9b::a00:1]/", NotPublic),
            ("https://0/", NotPublic),
        ] {
            assert_eq!(Target::parse(text, Reach::Public).err(), Some(why), "{text}");
        }
    }

    #[test]
    fn unencrypted_it_goes_to_this_machine_alone_and_where_that_is_reached() {
        for (text, allowed) in [
            ("http://localhost:3000/hook", true),
            ("http://127.0.0.1:3000/hook", true),
            ("http://[::1]:3000/hook", true),
            ("https://localhost/hook", true),
            ("http://hooks.example.com/", false),
            ("http://10.0.0.1/", false),
            ("http://localhost.example.com/", false),
            ("https://10.0.0.1/", false),
        ] {
            assert_eq!(Target::parse(text, Reach::PublicAndLoopback).is_ok(), allowed, "{text}");
        }
    }
}
