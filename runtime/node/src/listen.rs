//! The address a process listens on, and the condition for it: beyond this machine, a token.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, bail};
use partita_wire::{Identity, TlsFiles, Token};
use tokio::net::TcpListener;

/// Options of every process of a pool.
#[derive(clap::Args)]
pub struct Secrets {
    /// The file with the pool's token; without it, PARTITA_TOKEN is read.
    #[arg(long, env = "PARTITA_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM certificates of the authorities that this process trusts when it connects; without it, nothing
    /// that it sends is encrypted.
    #[arg(long, env = "PARTITA_TLS_CA", value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// This process's own certificate chain in PEM, for processes that connect to it.
    #[arg(long, env = "PARTITA_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert.
    #[arg(long, env = "PARTITA_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl Secrets {
    pub fn token(&self) -> anyhow::Result<Option<Token>> {
        Ok(match &self.token_file {
            Some(path) if !path.as_os_str().is_empty() => Some(Token::from_file(path)?),
            _ => Token::from_env()?,
        })
    }

    pub fn tls(&self) -> TlsFiles {
        let identity = self.tls_cert.clone().zip(self.tls_key.clone());
        TlsFiles {
            ca: self.tls_ca.clone(),
            identity: identity.map(|(certificate, key)| Identity { certificate, key }),
        }
    }
}

/// The URL scheme of a page that is served with these files.
pub fn scheme(tls: &TlsFiles) -> &'static str {
    if tls.identity.is_some() { "https" } else { "http" }
}

/// Resolves the address that `text` names. Beyond loopback there must be a token, because anybody who reaches
/// the port could run tasks and read results.
///
/// # Errors
/// When `text` is not an address, or others can reach it and there is no token.
pub async fn address(text: &str, token: Option<&Token>) -> anyhow::Result<SocketAddr> {
    let address = tokio::net::lookup_host(text)
        .await
        .with_context(|| format!("cannot listen on `{text}`: write it as 127.0.0.1:7077 or 0.0.0.0:7077"))?
        .next()
        .with_context(|| format!("cannot listen on `{text}`: the name has no address"))?;
    if !address.ip().is_loopback() && token.is_none() {
        bail!(
            "will not listen on {address} without a token: others reach that address, and whoever does \
             could run tasks here. Make a token with `partita-node token --file pool.token`, set \
             PARTITA_TOKEN_FILE=pool.token for every process of the pool and every session; or listen on \
             127.0.0.1"
        );
    }
    Ok(address)
}

/// Binds the address that `text` names.
///
/// # Errors
/// As [`address`], and when the address cannot be bound.
pub async fn listen(text: &str, token: Option<&Token>) -> anyhow::Result<TcpListener> {
    let address = address(text, token).await?;
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another address or port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_this_machine_nothing_listens_without_a_token() {
        for open in ["0.0.0.0:7077", "[::]:7077", "192.0.2.1:7077"] {
            let error = address(open, None).await.unwrap_err().to_string();
            assert!(error.contains("partita-node token") && error.contains("PARTITA_TOKEN_FILE"), "{error}");
            let token = Token::new("secret", "the test").unwrap();
            assert!(address(open, Some(&token)).await.is_ok());
        }
        assert!(address("127.0.0.1:0", None).await.is_ok());
        assert!(address("[::1]:0", None).await.is_ok());
        let error = address("7077", None).await.unwrap_err().to_string();
        assert!(error.contains("127.0.0.1:7077"), "{error}");
    }
}
