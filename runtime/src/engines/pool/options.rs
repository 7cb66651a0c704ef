use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use partita_wire::{TlsFiles, Token};
use tonic::transport::{Certificate, ClientTlsConfig};

use super::error::PoolError;

/// The master's port if an address names none.
const PORT: u16 = 7077;

/// The PEM files in which systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How to reach a pool. [`PoolOptions::new`] takes the rest from the environment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolOptions {
    /// `partita://host:port`, or `partitas://host:port` for TLS.
    pub address: String,
    /// The pool's token, if not the one in `PARTITA_TOKEN_FILE` or `PARTITA_TOKEN`.
    pub token: Option<String>,
    /// A PEM file with trusted certificates, if not the one in `PARTITA_TLS_CA` or the system's.
    pub ca: Option<PathBuf>,
    /// The session's name in the pool, for people.
    pub name: String,
    /// How long to wait for the master to answer.
    pub connect_timeout: Duration,
    /// How long to wait for a first worker.
    pub worker_timeout: Duration,
}

impl PoolOptions {
    /// Options for the pool at this address, with defaults for the rest.
    pub fn new(address: impl Into<String>) -> Self {
        let program = env::current_exe().ok();
        let program = program.as_deref().and_then(Path::file_stem).map(|name| name.to_string_lossy());
        Self {
            address: address.into(),
            token: None,
            ca: None,
            name: format!("{} ({})", program.as_deref().unwrap_or("session"), std::process::id()),
            connect_timeout: Duration::from_secs(5),
            worker_timeout: Duration::from_secs(3),
        }
    }
}

/// The parts of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub tls: bool,
    pub host: String,
    pub port: u16,
}

impl Address {
    pub fn parse(text: &str) -> Result<Self, PoolError> {
        let bad =
            |problem: &str| PoolError::Address { address: text.to_owned(), problem: problem.to_owned() };
        let (tls, rest) = if let Some(rest) = text.strip_prefix("partita://") {
            (false, rest)
        } else if let Some(rest) = text.strip_prefix("partitas://") {
            (true, rest)
        } else {
            return Err(bad("it does not begin with partita:// or partitas://"));
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // An IPv6 address has its colons inside brackets.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| bad(&format!("`{port}` is not a port")))?,
            None => PORT,
        };
        let named = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let good = match bracketed {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(named),
        };
        if !good {
            return Err(bad(&format!("`{host}` is not a host")));
        }
        Ok(Self { tls, host: host.to_owned(), port })
    }

    /// The address for the transport.
    pub fn uri(&self, tls: bool) -> String {
        format!("{}://{}:{}", if tls { "https" } else { "http" }, self.host, self.port)
    }

    /// The address for the name resolver.
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

pub(super) fn token(options: &PoolOptions) -> Result<Option<Token>, PoolError> {
    let found = match &options.token {
        Some(text) => Token::new(text, "PoolOptions::token").map(Some),
        None => Token::from_env(),
    };
    found.map_err(|error| PoolError::Settings(error.to_string()))
}

/// The TLS settings; `None` without TLS.
pub(super) fn tls(options: &PoolOptions, address: &Address) -> Result<Option<ClientTlsConfig>, PoolError> {
    let ca = options.ca.clone().or(TlsFiles::from_env().ca);
    if ca.is_none() && !address.tls {
        return Ok(None);
    }
    let set = |name: &str| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let system = || {
        let places = set("SSL_CERT_FILE").into_iter().chain(SYSTEM_CERTIFICATES.map(PathBuf::from));
        places.into_iter().find(|path| path.is_file())
    };
    let Some(ca) = ca.or_else(system) else {
        let text = "partitas:// needs trusted certificates: set PARTITA_TLS_CA to a PEM file";
        return Err(PoolError::Settings(text.into()));
    };
    let pem = fs::read(&ca)
        .map_err(|cause| PoolError::Settings(format!("cannot read {}: {cause}", ca.display())))?;
    let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
    Ok(Some(config.domain_name(address.host.trim_matches(['[', ']']))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_what_is_wrong_with_others_is_said() {
        let parse = |text: &str| Address::parse(text).map_err(|error| error.to_string());
        let address = |tls, host: &str, port| Address { tls, host: host.into(), port };
        assert_eq!(parse("partita://pool.example:9000"), Ok(address(false, "pool.example", 9000)));
        assert_eq!(parse("partitas://10.1.2.3/"), Ok(address(true, "10.1.2.3", PORT)));
        assert_eq!(parse("partita://[::1]:7077"), Ok(address(false, "[::1]", 7077)));
        assert_eq!(parse("partita://[::1]"), Ok(address(false, "[::1]", PORT)));
        for (text, said) in [
            ("spark://host:7077", "partita://"),
            ("partita://host:port", "`port` is not a port"),
            ("partita://:7077", "is not a host"),
            ("partita://a b", "is not a host"),
            ("partita://[zz]:1", "is not a host"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said) && error.contains(text), "{error}");
        }
    }
}
