//! Whose certificates are good for TLS: the authorities that browsers trust, and those that the operator names beside them.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::error::Cause;

/// TLS that trusts the authorities that browsers trust, and those of `beside` (PEM).
///
/// # Errors
/// Where `beside` holds no certificate, or one that is none.
pub(super) fn trusting(beside: Option<&[u8]>) -> Result<ClientConfig, Cause> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = beside {
        let public = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate?)?;
        }
        if roots.len() == public {
            return Err("there is no certificate in it".into());
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(trusting(None).is_ok());
        assert!(trusting(Some(include_bytes!("../../tests/it/smtp/authority.pem"))).is_ok());
        for none in
            [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"-----BEGIN CERTIFICATE-----\n"]
        {
            assert!(trusting(Some(none)).is_err(), "{}", String::from_utf8_lossy(none));
        }
    }
}
