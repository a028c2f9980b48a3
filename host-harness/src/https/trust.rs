//! Whose certificates are believed.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// The authorities that the machine trusts, or, if `SSL_CERT_FILE` or `SSL_CERT_DIR`
/// is set, those and no others (as OpenSSL reads them). Where there are none, as in
/// an empty container, those of Mozilla that are built in.
static AUTHORITIES: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    let mut authorities = RootCertStore::empty();
    let (read, unreadable) = authorities.add_parsable_certificates(found.certs);
    for error in &found.errors {
        tracing::warn!(%error, "certificates of trusted authorities could not be read");
    }
    if unreadable > 0 {
        tracing::debug!(unreadable, "certificates of trusted authorities are left out");
    }
    if read == 0 {
        tracing::debug!("the machine trusts nobody: the built-in authorities are used");
        authorities.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    authorities.into()
});

/// TLS with the servers of those authorities.
pub(super) fn tls() -> ClientConfig {
    ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of both versions")
        .with_root_certificates(Arc::clone(&AUTHORITIES))
        .with_no_client_auth()
}
