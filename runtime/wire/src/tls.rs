use std::path::{Path, PathBuf};
use std::{env, fs, io};

use thiserror::Error;
use tonic::transport::{Certificate, ClientTlsConfig, ServerTlsConfig};

/// The PEM files of certificates. All may be absent: then nothing is encrypted.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// The authorities to trust when connecting.
    pub ca: Option<PathBuf>,
    /// The certificate of this process when it listens.
    pub identity: Option<Identity>,
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The contents of an [`Identity`]'s files. Not printed, because the key is a secret.
pub struct Pem {
    /// The certificate chain.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
}

/// A certificate that cannot be read.
#[derive(Debug, Error)]
#[error("cannot read {path}: {cause}")]
pub struct TlsError {
    path: PathBuf,
    cause: io::Error,
}

impl TlsFiles {
    /// The files for processes that only connect: the authority from `PARTITA_TLS_CA`.
    pub fn from_env() -> Self {
        let ca = env::var_os("PARTITA_TLS_CA").filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { ca, identity: None }
    }

    /// The configuration for connecting; `None` without TLS.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn client(&self) -> Result<Option<ClientTlsConfig>, TlsError> {
        let Some(ca) = &self.ca else { return Ok(None) };
        Ok(Some(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?))))
    }

    /// The configuration for listening; `None` without TLS.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn server(&self) -> Result<Option<ServerTlsConfig>, TlsError> {
        let Some(Pem { certificate, key }) = self.pem()? else { return Ok(None) };
        let pair = tonic::transport::Identity::from_pem(certificate, key);
        Ok(Some(ServerTlsConfig::new().identity(pair)))
    }

    /// Reads the files of this process's identity; `None` without TLS.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn pem(&self) -> Result<Option<Pem>, TlsError> {
        let Some(identity) = &self.identity else { return Ok(None) };
        Ok(Some(Pem { certificate: read(&identity.certificate)?, key: read(&identity.key)? }))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|cause| TlsError { path: path.to_owned(), cause })
}
