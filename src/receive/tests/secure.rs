use std::path::{Path, PathBuf};

use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tonic::transport::Endpoint as Remote;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;

/// An authority, and where its files lie.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "test authority");
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { folder: tempfile::tempdir().unwrap(), issuer: Issuer::new(params, key), pem }
}

impl Authority {
    /// A certificate and its key, both PEM.
    fn issue(&self, names: Vec<SanType>, common_name: &str) -> (String, String) {
        self.issue_for(&KeyPair::generate().unwrap(), names, common_name)
    }

    fn issue_for(&self, key: &KeyPair, names: Vec<SanType>, common_name: &str) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names;
        params.distinguished_name = rcgen::DistinguishedName::new();
        if !common_name.is_empty() {
            params.distinguished_name.push(DnType::CommonName, common_name);
        }
        (params.signed_by(key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn endpoint(&self, clients_of: Option<&Authority>) -> Endpoint {
        let (cert, key) = self.issue(vec![SanType::DnsName("localhost".try_into().unwrap())], "server");
        let client_ca_file = clients_of.map(|ca| self.write("clients.pem", &ca.pem));
        let tls = TlsFiles { cert_file: self.write("cert.pem", &cert), key_file: self.write("key.pem", &key), client_ca_file };
        Endpoint { tls: Some(tls), ..plain() }
    }

    /// Connects over TLS, with this certificate if any.
    async fn connect(&self, rig: &Rig, identity: Option<(String, String)>) -> Result<Channel, tonic::transport::Error> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let address = rig.receiver.grpc_address().unwrap();
        Remote::from_static("http://localhost")
            .connect_with_connector(tower::service_fn(move |_| {
                let connector = connector.clone();
                async move {
                    let tcp = tokio::net::TcpStream::connect(address).await?;
                    let tls = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await?;
                    Ok::<_, std::io::Error>(TokioIo::new(tls))
                }
            }))
            .await
    }

    async fn export(&self, rig: &Rig, identity: Option<(String, String)>) -> Result<(), String> {
        let channel = self.connect(rig, identity).await.map_err(|e| e.to_string())?;
        TraceServiceClient::new(channel).export(traces(vec![plain_span()])).await.map(drop).map_err(|e| e.to_string())
    }
}

fn pool() -> Pool {
    Pool::new(1_000_000, Duration::from_secs(5))
}

#[tokio::test]
async fn a_client_certificate_says_who_sent() {
    let (server, clients) = (authority(), authority());
    let rig = rig_with(server.endpoint(Some(&clients)), pool()).await;
    let uri = || SanType::URI("spiffe://example.org/agent".try_into().unwrap());
    let dns = || SanType::DnsName("agent.example.org".try_into().unwrap());
    let mail = || SanType::Rfc822Name("agent@example.org".try_into().unwrap());
    for (names, common_name, id) in [
        (vec![mail(), dns(), uri()], "cn", "spiffe://example.org/agent"),
        (vec![mail(), dns()], "cn", "agent.example.org"),
        (vec![mail()], "cn", "cn"),
        (vec![], "cn", "cn"),
    ] {
        server.export(&rig, Some(clients.issue(names, common_name))).await.unwrap();
        let peer = rig.fake.seen.lock().unwrap().last().unwrap().peer.clone().unwrap();
        assert_eq!((peer.id.as_str(), peer.method), (id, "mtls"));
    }
    // Who is named by nothing but a mail address, or by nothing, is known by the public key: also with the next certificate for it.
    for (names, common_name) in [(vec![mail()], ""), (vec![], "agent@example.org"), (vec![], "")] {
        let key = KeyPair::generate().unwrap();
        let id = format!("sha256:{}", Hash::of(&key.subject_public_key_info()));
        for _ in 0..2 {
            server.export(&rig, Some(clients.issue_for(&key, names.clone(), common_name))).await.unwrap();
            let peer = rig.fake.seen.lock().unwrap().last().unwrap().peer.clone().unwrap();
            assert_eq!((peer.id.as_str(), peer.method), (id.as_str(), "mtls"));
        }
    }
}

#[tokio::test]
async fn without_the_right_certificate_nobody_is_let_in() {
    let (server, clients, strangers) = (authority(), authority(), authority());
    let rig = rig_with(server.endpoint(Some(&clients)), pool()).await;
    server.export(&rig, None).await.unwrap_err();
    server.export(&rig, Some(strangers.issue(vec![], "clients"))).await.unwrap_err();
    server.export(&rig, Some(clients.issue(vec![], "one of them"))).await.unwrap();
    assert_eq!(rig.fake.seen.lock().unwrap().len(), 1);
    assert_eq!(rig.metrics.handshakes_failed(), 2);
}

#[tokio::test]
async fn tls_alone_knows_nobody_and_plain_text_does_not_pass() {
    let server = authority();
    let rig = rig_with(server.endpoint(None), pool()).await;
    server.export(&rig, None).await.unwrap();
    assert_eq!(rig.fake.seen.lock().unwrap()[0].peer, None);
    assert!(reqwest::Client::new().post(rig.url("/v1/traces")).body("{}").send().await.is_err());
}

async fn with_tokens(endpoint: Endpoint, folder: &Path) -> Rig {
    let token_file = folder.join("tokens");
    std::fs::write(&token_file, "billing:s3cret\n").unwrap();
    rig_with(Endpoint { token_file: Some(token_file), ..endpoint }, pool()).await
}

#[tokio::test]
async fn a_token_is_asked_for_over_both_transports() {
    let folder = tempfile::tempdir().unwrap();
    let rig = with_tokens(plain(), folder.path()).await;
    let mut client = rig.client().await;
    let with = |token: &'static str| {
        let mut request = Request::new(traces(vec![plain_span()]));
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        request
    };
    for status in [client.export(traces(vec![])).await.unwrap_err(), client.export(with("Bearer wrong")).await.unwrap_err()] {
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(!status.message().contains("wrong"));
    }
    client.export(with("Bearer s3cret")).await.unwrap();
    let post = |token: &'static str| {
        let request = reqwest::Client::new().post(rig.url("/v1/traces")).header("content-type", "application/json").body("{}");
        request.header("authorization", token).send()
    };
    let refused = post("Bearer s3cret2").await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
    assert_eq!(refused.headers()["content-type"].to_str().unwrap(), "application/json");
    let status: serde_json::Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(status["code"], 16);
    assert_eq!(post("bearer s3cret").await.unwrap().status(), 200);
    let seen = rig.fake.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.peer == Some(Peer { id: "billing".to_owned(), method: "token" })));
    assert_eq!(rig.metrics.requests(None, Outcome::Unauthenticated), 3);
    // Load balancers have no token.
    let mut health = HealthClient::new(rig.channel().await);
    assert_eq!(health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status, 1);
}

/// What the log says from now on, on this thread, where the connections of a test are served too.
pub(super) fn log() -> (Arc<Mutex<Vec<u8>>>, tracing::subscriber::DefaultGuard) {
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let said = Arc::<Mutex<Vec<u8>>>::default();
    let lines = Arc::clone(&said);
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || Lines(Arc::clone(&lines))).finish();
    (said, tracing::subscriber::set_default(subscriber))
}

/// Scenario: senders with a wrong token, without one, with the port of the other transport, without a certificate and without TLS, each
/// several times. Guarantee: the log says of each listener and reason once that somebody was refused, from which address, and what to do;
/// nothing of what they showed.
#[tokio::test]
async fn who_is_refused_is_said_in_the_log_and_not_what_they_showed() {
    let (server, clients) = (authority(), authority());
    let (said, _guard) = log();
    let rig = with_tokens(plain(), server.folder.path()).await;
    let (grpc, http) = (rig.receiver.grpc_address().unwrap(), rig.receiver.http_address().unwrap());
    for token in ["Bearer hush-hush", "Bearer hush-hush-2", "Basic aHVzaA=="] {
        for at in [grpc, http] {
            let request = reqwest::Client::new().post(format!("http://{at}/v1/traces")).header("authorization", token).body("{}");
            assert_eq!(request.send().await.unwrap().status(), 401);
        }
    }
    for (at, media_type, status) in [(grpc, "application/json", 503), (http, "application/grpc", 200), (http, "application/grpc", 200)] {
        let request = reqwest::Client::new().post(format!("http://{at}/v1/traces")).header("content-type", media_type).body("hush");
        assert_eq!(request.header("authorization", "Bearer s3cret").send().await.unwrap().status(), status);
    }
    let shut = rig_with(server.endpoint(Some(&clients)), pool()).await;
    for _ in 0..2 {
        server.export(&shut, None).await.unwrap_err();
        assert!(reqwest::Client::new().post(shut.url("/v1/traces")).body("hush").send().await.is_err());
    }
    let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
    let of = |listener: SocketAddr, why: &str| {
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("sender.refused") && line.contains(why)).collect();
        let lines: Vec<&str> = lines.into_iter().filter(|line| line.contains(&format!("listener={listener} peer=127.0.0.1 "))).collect();
        assert!(lines.iter().all(|line| line.contains("WARN") && line.contains("times=1") && line.contains("advice=")), "{lines:?}");
        lines.len()
    };
    assert_eq!([of(grpc, "bearer token"), of(http, "bearer token"), of(grpc, "transport"), of(http, "transport")], [1; 4], "{said}");
    let shut = [shut.receiver.grpc_address().unwrap(), shut.receiver.http_address().unwrap()];
    assert_eq!([of(shut[0], "client certificate"), of(shut[1], "TLS connection")], [1; 2], "{said}");
    assert_eq!(said.matches("sender.refused").count(), 6, "{said}");
    assert!(!said.contains("hush") && !said.contains("s3cret") && !said.contains("aHVza"), "{said}");
}

#[tokio::test]
async fn with_both_a_sender_is_known_by_its_certificate() {
    let (server, clients) = (authority(), authority());
    let rig = with_tokens(server.endpoint(Some(&clients)), server.folder.path()).await;
    let channel = server.connect(&rig, Some(clients.issue(vec![], "agent"))).await.unwrap();
    let mut client = TraceServiceClient::new(channel);
    assert_eq!(client.export(traces(vec![])).await.unwrap_err().code(), Code::Unauthenticated);
    let mut request = Request::new(traces(vec![plain_span()]));
    request.metadata_mut().insert("authorization", "Bearer s3cret".parse().unwrap());
    client.export(request).await.unwrap();
    assert_eq!(rig.fake.seen.lock().unwrap()[0].peer.clone().unwrap().id, "agent");
}

#[tokio::test]
async fn files_that_do_not_serve_are_named_in_one_sentence() {
    let ca = authority();
    let good = ca.endpoint(None);
    let tls = good.tls.clone().unwrap();
    let (other_cert, other_key) = ca.issue(vec![], "other");
    let other_key = ca.write("other.pem", &other_key);
    let empty = ca.write("empty.pem", "");
    let missing = ca.folder.path().join("missing.pem");
    let error = |tls: TlsFiles| {
        let endpoint = Endpoint { tls: Some(tls), ..plain() };
        async move { listen::bind(&endpoint).await.unwrap_err().to_string() }
    };
    let shown = |path: &Path| path.display().to_string();
    let text = error(TlsFiles { cert_file: missing.clone(), ..tls.clone() }).await;
    assert!(text.starts_with(&format!("cannot read the certificate `{}`", shown(&missing))) && text.contains("tls.cert_file"), "{text}");
    let text = error(TlsFiles { key_file: missing.clone(), ..tls.clone() }).await;
    assert!(text.starts_with(&format!("cannot read the private key `{}`", shown(&missing))), "{text}");
    let text = error(TlsFiles { client_ca_file: Some(empty.clone()), ..tls.clone() }).await;
    assert_eq!(text, format!("`{}` holds no PEM certificate; `tls.client_ca_file` must name one", shown(&empty)));
    let text = error(TlsFiles { key_file: empty.clone(), ..tls.clone() }).await;
    assert_eq!(text, format!("`{}` holds no PEM private key", shown(&empty)));
    let text = error(TlsFiles { key_file: other_key.clone(), ..tls.clone() }).await;
    assert_eq!(text, format!("`{}` is not the private key of the certificate in `{}`", shown(&other_key), shown(&tls.cert_file)));
    assert!(!text.contains("PRIVATE KEY") && !other_cert.is_empty());
}

/// Scenario: a connection to a TLS port that begins a handshake and says no more. Guarantee: it ends and is counted; others are let in.
#[tokio::test]
async fn a_handshake_that_stops_is_ended() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = authority();
    let timeouts = Timeouts { handshake: Duration::from_secs(1), ..Timeouts::default() };
    let rig = rig_within(server.endpoint(None), pool(), timeouts).await;
    let mut stopped = tokio::net::TcpStream::connect(rig.receiver.grpc_address().unwrap()).await.unwrap();
    // The header of a TLS record that holds a ClientHello of 512 bytes, and one of them.
    stopped.write_all(b"\x16\x03\x01\x02\0\x01").await.unwrap();
    server.export(&rig, None).await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(120), stopped.read(&mut [0])).await.expect("it never ended");
    assert!(!matches!(end, Ok(1..)), "{end:?}");
    assert_eq!(rig.metrics.handshakes_failed(), 1);
}
