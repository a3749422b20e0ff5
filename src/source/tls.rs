//! TLS as a client, with ring, set up by hand so that no process-wide default is needed.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Trusts the machine's certificate authorities, and the certificates in the file `ca`.
pub(crate) fn client(ca: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        let shown = || format!("reading certificates from {}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).with_context(shown)? {
            roots.add(certificate.with_context(shown)?).with_context(shown)?;
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().context("setting up TLS")?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
