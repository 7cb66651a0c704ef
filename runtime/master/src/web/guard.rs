use axum::Form;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use partita_wire::Token;
use serde::Deserialize;
use uuid::Uuid;

use super::{Shared, assets, plain};

const COOKIE: &str = "partita-page";

/// Decides who may see the page.
///
/// With a token: a client that sends it as a bearer token, or a browser with the cookie that the login set.
/// The cookie is not the token but a secret of this process, so the token stays out of browsers' storage.
/// Without a token (on loopback) any local program may see it, but no web page open in a browser on this
/// machine: such requests have another origin, or a host name that was made to resolve to this machine.
pub(crate) struct Guard {
    token: Option<Token>,
    /// The cookie's value, as text and for comparison.
    cookie: Option<(String, Token)>,
    /// With TLS, browsers send the cookie over encrypted connections only.
    encrypted: bool,
}

#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
}

impl Guard {
    pub fn new(token: Option<Token>, encrypted: bool) -> Self {
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let cookie = Token::new(&secret, "the login").ok().map(|token| (secret, token));
        Self { cookie: cookie.filter(|_| token.is_some()), token, encrypted }
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let bearer = headers.get(header::AUTHORIZATION).is_some_and(|value| token.matches(value.as_bytes()));
        bearer
            || self
                .cookie
                .as_ref()
                .is_some_and(|(_, ours)| cookies(headers).any(|theirs| matches(ours, theirs)))
    }
}

/// Compares in constant time, as with the token.
fn matches(token: &Token, text: &str) -> bool {
    token.matches(format!("Bearer {}", text.trim()).as_bytes())
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == COOKIE).then_some(value.trim())
    })
}

/// Rejects requests from those who may not see the page.
pub(super) async fn check(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if *request.method() != Method::GET && *request.method() != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "This page is read-only.\n");
    }
    if let Some(refusal) = stranger(&shared, &request) {
        return refusal;
    }
    if shared.guard.lets_in(request.headers()) {
        return next.run(request).await;
    }
    let wants_page = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if request.uri().path() == "/" && wants_page.is_some_and(|kinds| kinds.contains("text/html")) {
        return Redirect::to("/login").into_response();
    }
    let mut refusal = plain(
        StatusCode::UNAUTHORIZED,
        "This page wants the pool's token: open /login in a browser, or send the header \
         `Authorization: Bearer …`.\n",
    );
    refusal.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refusal
}

/// Headers of every answer.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let is_asset = request.uri().path().starts_with("/assets/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                  connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With "no-referrer" browsers would send the login without its origin.
        (header::REFERRER_POLICY, "same-origin"),
        // Assets change with the program, everything else all the time.
        (header::CACHE_CONTROL, if is_asset { "no-cache" } else { "no-store" }),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The form that asks for the token.
pub(super) async fn form(State(shared): State<Shared>, request: Request) -> Response {
    if let Some(refusal) = stranger(&shared, &request) {
        return refusal;
    }
    if shared.guard.lets_in(request.headers()) {
        return Redirect::to("/").into_response();
    }
    Html(assets::LOGIN.replace("<!--wrong-->", "")).into_response()
}

/// Checks the token and sets the cookie.
pub(super) async fn login(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    form: Result<Form<Login>, axum::extract::rejection::FormRejection>,
) -> Response {
    if !same_origin(&uri, &headers) {
        return plain(StatusCode::FORBIDDEN, "This login was sent by another site.\n");
    }
    let right = match (&form, &shared.guard.token) {
        (Ok(Form(login)), Some(token)) => matches(token, &login.token),
        (_, None) => return Redirect::to("/").into_response(),
        (Err(_), _) => false,
    };
    let Some((cookie, _)) = shared.guard.cookie.as_ref().filter(|_| right) else {
        let wrong = "<p class=\"wrong\" role=\"alert\">This is not the pool's token.</p>";
        let page = Html(assets::LOGIN.replace("<!--wrong-->", wrong));
        return (StatusCode::UNAUTHORIZED, page).into_response();
    };
    let mut response = Redirect::to("/").into_response();
    let secure = if shared.guard.encrypted { "; Secure" } else { "" };
    let value = format!("{COOKIE}={cookie}; HttpOnly; SameSite=Strict; Path=/{secure}");
    if let Ok(mut value) = HeaderValue::from_str(&value) {
        value.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

fn stranger(shared: &Shared, request: &Request) -> Option<Response> {
    let (uri, headers) = (request.uri(), request.headers());
    if !same_origin(uri, headers) {
        return Some(plain(StatusCode::FORBIDDEN, "Other sites may not read this page.\n"));
    }
    if shared.guard.token.is_none() && !host(uri, headers).is_some_and(|host| is_local(&host)) {
        let text = format!(
            "Without a token this page answers to localhost and to addresses only, not to names: open it as \
             {}://127.0.0.1, or start the master with a token.\n",
            if shared.guard.encrypted { "https" } else { "http" }
        );
        return Some(plain(StatusCode::FORBIDDEN, text));
    }
    None
}

/// The host that the request is meant for: HTTP/2 has it in the address, HTTP/1.1 in a header.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    match uri.authority() {
        Some(authority) => Some(authority.clone()),
        None => headers.get(header::HOST)?.to_str().ok()?.parse().ok(),
    }
}

/// A name may have been made to resolve to this machine; an address cannot.
fn is_local(host: &Authority) -> bool {
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok()
}

/// Browsers send the origin of a request; other programs send none and need none.
fn same_origin(uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some((_, theirs)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    host(uri, headers).is_some_and(|host| host.as_str().eq_ignore_ascii_case(theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_localhost_and_addresses_are_local() {
        for (host, local) in [
            ("localhost:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("172.17.0.2", true),
            ("localhost.evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("evil.example:8080", false),
        ] {
            assert_eq!(is_local(&host.parse().unwrap()), local, "{host}");
        }
    }

    #[test]
    fn a_request_of_another_site_is_known_by_its_origin() {
        let ask = |host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            same_origin(&Uri::from_static("/"), &headers)
        };
        assert!(ask("localhost:8080", None));
        assert!(ask("localhost:8080", Some("http://localhost:8080")));
        assert!(!ask("localhost:8080", Some("http://localhost:9090")));
        assert!(!ask("localhost:8080", Some("https://evil.example")));
        assert!(!ask("localhost:8080", Some("null")));
    }

    #[test]
    fn in_http_2_the_address_says_whom_a_request_is_meant_for() {
        let ask = |origin: &'static str| {
            let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]);
            same_origin(&Uri::from_static("https://pool.example:8080/login"), &headers)
        };
        assert!(ask("https://pool.example:8080"));
        assert!(!ask("https://evil.example"));
    }
}
