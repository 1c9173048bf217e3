use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{ASK_AGAIN_AFTER, KEYS_FRESH, KEYS_KEPT, OidcProvider};
use crate::clock::{Clock as _, ManualClock};
use crate::config::OidcSettings;
use crate::error::Error;
use crate::security::oidc::signing::Signer;

/// A provider that answers as a test has it.
#[derive(Default)]
struct Answers {
    /// How often it was asked for anything.
    asked: AtomicUsize,
    /// Whether it answers nothing but errors.
    down: AtomicBool,
    /// The discovery, and the keys.
    texts: Mutex<(String, String)>,
    /// A status in the place of 200, with the headers that go with it.
    status: Mutex<Option<&'static str>>,
}

/// One of them, on a port of its own, and the house's view of it.
struct Setting {
    answers: Arc<Answers>,
    issuer: String,
    clock: Arc<ManualClock>,
    provider: OidcProvider,
}

async fn answer(answers: Arc<Answers>, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let (mut asked, mut chunk) = (Vec::new(), [0; 1024]);
    while !asked.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await.unwrap();
        if read == 0 {
            return;
        }
        asked.extend_from_slice(&chunk[..read]);
    }
    answers.asked.fetch_add(1, Ordering::SeqCst);
    let (discovery, keys) = answers.texts.lock().unwrap().clone();
    let body = if asked.starts_with(b"GET /.well-known/openid-configuration ") { discovery } else { keys };
    let status = if answers.down.load(Ordering::SeqCst) { "503 Down" } else { answers.status.lock().unwrap().unwrap_or("200 OK") };
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    // Who has read enough goes away.
    drop(stream.write_all(text.as_bytes()).await);
    drop(stream.shutdown().await);
}

impl Setting {
    async fn new(keys: &[&Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Answers::default());
        let shared = Arc::clone(&answers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(Arc::clone(&shared), stream));
            }
        });
        let clock = Arc::new(ManualClock::at("2027-01-31T09:00:00Z".parse().unwrap()));
        let (audiences, algorithms) = (vec!["billing".into()], vec!["EdDSA".into()]);
        let settings = OidcSettings { issuer: issuer.clone(), audiences, algorithms, ca_file: None };
        let provider = OidcProvider::new(&settings, None, clock.clone()).unwrap();
        let setting = Self { answers, issuer, clock, provider };
        setting.says(&json!({ "issuer": setting.issuer, "jwks_uri": format!("{}/keys", setting.issuer) }));
        setting.publishes(keys);
        setting
    }

    fn says(&self, discovery: &Value) {
        self.answers.texts.lock().unwrap().0 = discovery.to_string();
    }

    fn publishes(&self, keys: &[&Signer]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.published()).collect();
        self.answers.texts.lock().unwrap().1 = json!({ "keys": keys }).to_string();
    }

    /// A token that is good for two days' worth of tests, begun anew each time.
    fn token(&self, key: &Signer) -> String {
        let now = self.clock.now().as_second();
        key.sign(&json!({ "iss": self.issuer, "aud": "billing", "sub": "ann-7", "iat": now, "exp": now + 86_400 }))
    }

    async fn verify(&self, token: &str) -> Result<String, Error> {
        self.provider.verify(token).await.map(|claims| claims.subject.clone())
    }

    async fn is_good(&self, key: &Signer) -> bool {
        match self.verify(&self.token(key)).await {
            Ok(subject) => subject == "ann-7",
            Err(Error::Unauthenticated) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    fn asked(&self) -> usize {
        self.answers.asked.load(Ordering::SeqCst)
    }

    /// Waits for what is asked beside a request.
    async fn asked_so_often(&self, times: usize) {
        for _ in 0..500 {
            if self.asked() == times {
                return;
            }
            tokio::task::yield_now().await;
            self.clock.sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("asked {} times and not {times}", self.asked());
    }
}

#[tokio::test]
async fn keys_are_asked_for_once_and_used_while_they_are_fresh() {
    let one = Signer::of("one", 1);
    let setting = Setting::new(&[&one]).await;
    assert_eq!(setting.asked(), 0, "a provider may be down when we start");
    for _ in 0..5 {
        assert!(setting.is_good(&one).await);
        setting.clock.advance(SignedDuration::from_mins(2));
    }
    assert_eq!(setting.asked(), 2, "discovery and keys");
    setting.clock.advance(KEYS_FRESH);
    assert!(setting.is_good(&one).await, "what is getting old is used while it is asked for");
    setting.asked_so_often(4).await;
}

#[tokio::test]
async fn many_tokens_of_unknown_keys_ask_the_provider_once_in_a_while() {
    let (one, other) = (Signer::of("one", 1), Signer::of("other", 2));
    let setting = Setting::new(&[&one]).await;
    assert!(setting.is_good(&one).await);
    for _ in 0..50 {
        assert!(!setting.is_good(&other).await);
    }
    assert_eq!(setting.asked(), 2, "they were asked for a moment ago");
    setting.clock.advance(ASK_AGAIN_AFTER);
    let token = setting.token(&other);
    let many = futures::future::join_all((0..50).map(|_| setting.verify(&token))).await;
    assert!(many.iter().all(|found| matches!(found, Err(Error::Unauthenticated))));
    assert_eq!(setting.asked(), 4, "all who come at once wait for one");
    // What can be told to be bad without a key asks nobody.
    setting.clock.advance(ASK_AGAIN_AFTER);
    for bad in ["", "x", "a.b.c", &token.replacen('.', "", 1)] {
        assert!(matches!(setting.verify(bad).await, Err(Error::Unauthenticated)), "{bad}");
    }
    assert_eq!(setting.asked(), 4);
}

#[tokio::test]
async fn a_new_key_is_found_and_one_that_was_taken_back_is_no_longer_good() {
    let (old, new) = (Signer::of("old", 1), Signer::of("new", 2));
    let setting = Setting::new(&[&old]).await;
    let shown = setting.token(&old);
    assert!(setting.verify(&shown).await.is_ok());
    setting.publishes(&[&new]);
    setting.clock.advance(ASK_AGAIN_AFTER);
    assert!(setting.verify(&shown).await.is_ok(), "nobody has said yet that there is a new one");
    assert!(setting.is_good(&new).await);
    assert!(matches!(setting.verify(&shown).await, Err(Error::Unauthenticated)), "it is looked at anew, though it was good before");
    // The same name for another key: the signature tells.
    let again = Signer::of("new", 3);
    assert!(!setting.is_good(&again).await);
}

#[tokio::test]
async fn known_keys_serve_a_day_while_the_provider_is_down_and_no_longer() {
    let (one, other) = (Signer::of("one", 1), Signer::of("other", 2));
    let setting = Setting::new(&[&one]).await;
    assert!(setting.is_good(&one).await);
    setting.answers.down.store(true, Ordering::SeqCst);
    setting.clock.advance(KEYS_KEPT - SignedDuration::from_secs(1));
    assert!(setting.is_good(&one).await);
    setting.asked_so_often(3).await;
    assert!(!setting.is_good(&other).await, "an unknown key is not good because nobody can be asked");
    setting.clock.advance(SignedDuration::from_secs(1));
    assert!(matches!(setting.verify(&setting.token(&one)).await, Err(Error::Adapter(_))), "nobody can tell any more");
    setting.answers.down.store(false, Ordering::SeqCst);
    assert!(matches!(setting.verify(&setting.token(&one)).await, Err(Error::Adapter(_))), "it was asked a moment ago");
    setting.clock.advance(ASK_AGAIN_AFTER);
    assert!(setting.is_good(&one).await);
}

#[tokio::test]
async fn a_provider_that_is_another_or_leads_elsewhere_is_not_believed() {
    let one = Signer::of("one", 1);
    let setting = Setting::new(&[&one]).await;
    let keys = format!("{}/keys", setting.issuer);
    let port = setting.issuer.rsplit(':').next().unwrap().to_owned();
    for (what, discovery) in [
        ("another issuer", json!({ "issuer": format!("{}/", setting.issuer), "jwks_uri": keys })),
        ("no keys", json!({ "issuer": setting.issuer })),
        // The same machine by another name is another host, and no public one.
        ("a private host", json!({ "issuer": setting.issuer, "jwks_uri": format!("http://localhost:{port}/keys") })),
        ("a private host by TLS", json!({ "issuer": setting.issuer, "jwks_uri": "https://169.254.169.254/keys" })),
        ("a file", json!({ "issuer": setting.issuer, "jwks_uri": "file:///etc/passwd" })),
        ("too much", json!({ "issuer": setting.issuer, "jwks_uri": keys, "more": "x".repeat(64 * 1024) })),
    ] {
        setting.says(&discovery);
        let before = setting.asked();
        assert!(matches!(setting.verify(&setting.token(&one)).await, Err(Error::Adapter(_))), "{what}");
        assert_eq!(setting.asked(), before + 1, "{what}: nothing but the discovery is asked for");
        setting.clock.advance(ASK_AGAIN_AFTER);
    }
    setting.says(&json!({ "issuer": setting.issuer, "jwks_uri": keys }));
    *setting.answers.status.lock().unwrap() = Some("302 Found\r\nlocation: /elsewhere");
    let before = setting.asked();
    assert!(matches!(setting.verify(&setting.token(&one)).await, Err(Error::Adapter(_))));
    assert_eq!(setting.asked(), before + 1, "a redirect is not followed");
    *setting.answers.status.lock().unwrap() = None;
    setting.clock.advance(ASK_AGAIN_AFTER);
    assert!(setting.is_good(&one).await);
}

/// What makes TLS of a connection, by a certificate that an authority of the tests has signed for this machine.
fn encrypting() -> TlsAcceptor {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(include_bytes!("../../../tests/it/smtp/server.pem")).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../tests/it/smtp/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()))
}

#[tokio::test]
async fn a_provider_whose_authority_the_operator_names_is_believed_and_by_nobody_else() {
    let authority = include_bytes!("../../../tests/it/smtp/authority.pem");
    let (one, plain) = (Signer::of("one", 1), Setting::new(&[&Signer::of("one", 1)]).await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("https://{}", listener.local_addr().unwrap());
    plain.says(&json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") }));
    let (answers, acceptor) = (Arc::clone(&plain.answers), encrypting());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever does not trust the certificate goes away.
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(answer(Arc::clone(&answers), stream));
            }
        }
    });
    let now = plain.clock.now().as_second();
    let token = one.sign(&json!({ "iss": issuer, "aud": "billing", "sub": "ann-7", "iat": now, "exp": now + 600 }));
    let settings =
        OidcSettings { issuer: issuer.clone(), audiences: vec!["billing".into()], algorithms: vec!["EdDSA".into()], ca_file: None };
    let stranger = OidcProvider::new(&settings, None, plain.clock.clone()).unwrap();
    assert!(matches!(stranger.verify(&token).await, Err(Error::Adapter(_))));
    assert_eq!(plain.asked(), 0, "nothing is asked of whom nobody vouches for");
    let trusting = OidcProvider::new(&settings, Some(authority), plain.clock.clone()).unwrap();
    assert_eq!(trusting.verify(&token).await.unwrap().subject, "ann-7");
    assert_eq!(plain.asked(), 2);
    for none in [&b""[..], b"no certificate"] {
        assert!(OidcProvider::new(&settings, Some(none), plain.clock.clone()).is_err());
    }
}
