use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

use subtle::ConstantTimeEq;
use thiserror::Error;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

const HEADER: &str = "authorization";

/// The secret that all processes of a pool share. Never printed.
#[derive(Clone)]
pub struct Token(MetadataValue<Ascii>);

/// Why there is no token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The token's file cannot be read.
    #[error("cannot read the token from {path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        cause: io::Error,
    },
    /// It is empty, or has characters that a header cannot carry.
    #[error(
        "the token from {from} is empty or has characters other than visible ASCII; make one with `openssl rand -hex 32`"
    )]
    Unusable {
        /// The file or variable it came from.
        from: String,
    },
}

impl Token {
    /// Makes a token from its text. `from` names the source of the text for the error.
    ///
    /// # Errors
    /// When it is empty or not visible ASCII.
    pub fn new(text: &str, from: &str) -> Result<Self, TokenError> {
        let unusable = || TokenError::Unusable { from: from.to_owned() };
        let text = text.trim();
        if text.is_empty() {
            return Err(unusable());
        }
        let mut value: MetadataValue<Ascii> = format!("Bearer {text}").parse().map_err(|_| unusable())?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// Reads the token from a file.
    ///
    /// # Errors
    /// When the file cannot be read or has no valid token.
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let text =
            fs::read_to_string(path).map_err(|cause| TokenError::File { path: path.to_owned(), cause })?;
        Self::new(&text, &path.display().to_string())
    }

    /// Reads the token from this process's environment: from the file that `PARTITA_TOKEN_FILE` names, or
    /// from `PARTITA_TOKEN`. Returns `None` if neither is set.
    ///
    /// # Errors
    /// When one is set and has no valid token.
    pub fn from_env() -> Result<Option<Self>, TokenError> {
        if let Some(path) = env::var_os("PARTITA_TOKEN_FILE").filter(|path| !path.is_empty()) {
            return Self::from_file(Path::new(&path)).map(Some);
        }
        match env::var("PARTITA_TOKEN") {
            Ok(text) if !text.is_empty() => Self::new(&text, "PARTITA_TOKEN").map(Some),
            _ => Ok(None),
        }
    }

    /// Whether a header's value is this token. The time does not depend on where they differ.
    pub fn matches(&self, header: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(header).into()
    }

    /// An interceptor for clients: adds the token, if there is one, to every request.
    pub fn send(token: Option<Self>) -> impl Interceptor + Clone {
        move |mut request: Request<()>| {
            if let Some(token) = &token {
                request.metadata_mut().insert(HEADER, token.0.clone());
            }
            Ok(request)
        }
    }

    /// An interceptor for services: refuses every request without the token, if there is one.
    pub fn require(token: Option<Self>) -> impl Interceptor + Clone {
        move |request: Request<()>| {
            let Some(token) = &token else { return Ok(request) };
            match request.metadata().get(HEADER) {
                Some(theirs) if token.matches(theirs.as_bytes()) => Ok(request),
                Some(_) => Err(Status::unauthenticated("the token is not the pool's token")),
                None => Err(Status::unauthenticated(
                    "this pool requires a token: set PARTITA_TOKEN or PARTITA_TOKEN_FILE to the pool's",
                )),
            }
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(token: Option<Token>) -> Result<(), Status> {
        let request = Token::send(token).call(Request::new(())).unwrap();
        let pool = Token::new("correct horse\n", "the test").ok();
        Token::require(pool).call(request).map(drop)
    }

    #[test]
    fn only_the_same_token_is_let_in_and_none_is_ever_printed() {
        let token = |text| Token::new(text, "the test").unwrap();
        assert!(ask(Some(token("correct horse"))).is_ok());
        assert!(ask(Some(token("correct horsf"))).is_err());
        assert!(ask(Some(token("correct"))).is_err());
        let refusal = ask(None).unwrap_err();
        assert!(refusal.message().contains("PARTITA_TOKEN"), "{refusal}");
        assert!(!format!("{:?}", token("secret")).contains("secret"));
    }

    #[test]
    fn an_empty_token_is_an_error_that_says_how_to_make_one() {
        let error = Token::new(" \n", "pool.env").unwrap_err().to_string();
        assert!(error.contains("pool.env") && error.contains("openssl"), "{error}");
    }
}
