use std::fs;
use std::path::Path;

use partita_master::{Page, PageError};
use partita_wire::{Identity, TlsFiles, Token};
use tokio::net::TcpListener;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::served::{Served, agent, recorded};

#[test]
fn with_a_token_only_those_who_know_it_may_look() {
    let served = Served::new(&recorded(), None, Some("correct horse"));
    for path in ["/api/v1/pool", "/api/v1/applications", "/metrics", "/", "/api/v1/events"] {
        let (status, text) = served.get(path);
        assert_eq!(status, 401, "{path}");
        assert!(text.contains("/login") && !text.contains("taxi lesson"), "{path}: {text}");
    }
    assert_eq!(served.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(served.get_with("/metrics", &[("Authorization", "Bearer correct horse")]).0, 200);
    assert_eq!(served.get_with("/metrics", &[("Authorization", "Bearer correct hors")]).0, 401);
    // A browser is redirected to the login.
    assert_eq!(served.get_with("/", &[("Accept", "text/html")]).0, 303);
    let (status, form) = served.get("/login");
    assert!(status == 200 && form.contains("type=\"password\""), "{form}");

    let wrong = agent().post(served.url("/login")).send_form([("token", "wrong")]).unwrap();
    assert_eq!((wrong.status().as_u16(), wrong.headers().get("set-cookie")), (401, None));
    let right = agent().post(served.url("/login")).send_form([("token", "correct horse")]).unwrap();
    assert_eq!(right.status(), 303);
    let cookie = right.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains("correct horse"), "the cookie must not contain the token: {cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(served.get_with("/", &[("Cookie", pair)]).0, 200);
    assert_eq!(served.get_with("/", &[("Cookie", "partita-page=0000")]).0, 401);
    let elsewhere = agent().post(served.url("/login")).header("Origin", "https://evil.example");
    assert_eq!(elsewhere.send_form([("token", "correct horse")]).unwrap().status(), 403);
}

#[test]
fn without_a_token_other_sites_and_other_names_are_refused() {
    let served = Served::new(&recorded(), None, None);
    let port = served.address.port();
    assert_eq!(served.get_with("/", &[("Host", &format!("localhost:{port}"))]).0, 200);
    // A name that was made to resolve to this machine.
    assert_eq!(served.get_with("/api/v1/pool", &[("Host", "evil.example")]).0, 403);
    assert_eq!(served.get_with("/api/v1/pool", &[("Origin", "https://evil.example")]).0, 403);
    let posted = agent().post(served.url("/api/v1/pool")).send_empty().unwrap();
    assert_eq!(posted.status(), 405, "the page can only be read");
    let answer = agent().get(served.url("/")).call().unwrap();
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
}

#[test]
fn a_page_that_anybody_could_read_is_not_served() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let page = Page { history: recorded(), view: None, token: None, tls: TlsFiles::default() };
    let refused = runtime.block_on(async {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        page.serve(listener, std::future::pending()).await.unwrap_err()
    });
    assert!(matches!(refused, PageError::NoToken { .. }));
    assert!(refused.to_string().contains("PARTITA_TOKEN_FILE"), "{refused}");
}

/// A certificate for localhost and its key as files, and the certificate as PEM.
fn certificate(directory: &Path) -> (TlsFiles, String) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (directory.join("page.pem"), directory.join("page.key"));
    fs::write(&certificate, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    (TlsFiles { ca: None, identity: Some(Identity { certificate, key }) }, pair.cert.pem())
}

#[test]
fn with_a_certificate_the_page_is_encrypted_and_the_login_stays_so() {
    let directory = tempfile::tempdir().unwrap();
    let (tls, pem) = certificate(directory.path());
    let token = Some(Token::new("correct horse", "the test").unwrap());
    let served = Served::page(Page { history: recorded(), view: None, token, tls });
    let url = |path: &str| format!("https://localhost:{}{path}", served.address.port());
    let roots = RootCerts::new_with_certs(&[Certificate::from_pem(pem.as_bytes()).unwrap()]);
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
    let trusting: ureq::Agent =
        config.tls_config(TlsConfig::builder().root_certs(roots).build()).build().into();

    let answer =
        trusting.get(url("/metrics")).header("Authorization", "Bearer correct horse").call().unwrap();
    assert_eq!(answer.status(), 200);
    let login = trusting.post(url("/login")).header("Origin", url("").trim_end_matches('/'));
    let login = login.send_form([("token", "correct horse")]).unwrap();
    let cookie = login.headers()["set-cookie"].to_str().unwrap();
    assert!(login.status() == 303 && cookie.ends_with("; Secure"), "{cookie}");

    assert!(agent().get(url("/healthz")).call().is_err(), "a certificate that no authority signed");
    assert!(agent().get(served.url("/healthz")).call().is_err(), "nothing is answered unencrypted");
    assert_eq!(trusting.get(url("/healthz")).call().unwrap().status(), 200, "it is still there");
}

#[test]
fn a_certificate_that_cannot_be_used_is_an_error_that_says_which() {
    let directory = tempfile::tempdir().unwrap();
    let (right, _) = certificate(directory.path());
    let serve = |change: &dyn Fn(&mut Identity)| {
        let mut tls = right.clone();
        change(tls.identity.as_mut().unwrap());
        let page = Page { history: recorded(), view: None, token: None, tls };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let refused = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            page.serve(listener, std::future::pending()).await.unwrap_err()
        });
        refused.to_string()
    };
    let error = serve(&|identity| identity.key = "/nowhere/page.key".into());
    assert!(error.contains("/nowhere/page.key"), "{error}");
    let error = serve(&|identity| identity.key = identity.certificate.clone());
    assert!(error.contains("--tls-key"), "{error}");
    let other = tempfile::tempdir().unwrap();
    let (others, _) = certificate(other.path());
    let key = others.identity.unwrap().key;
    let error = serve(&|identity| identity.key = key.clone());
    assert!(error.contains("--tls-key"), "another certificate's key: {error}");
}
