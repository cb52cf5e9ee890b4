//! What only a network shows: nobody there, half an answer, none, and a private certificate authority.

use super::suite::{bytes, key, lock};
use bytes::Bytes;
use spanseal::worm::canary::Probed;
use spanseal::worm::s3::{S3Credentials, S3Options, S3Store};
use spanseal::worm::{Condition, Mode, PutError, ReadError, StoreOptions, StoreUrl, Tag, WormStore};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn fake(port: u16) -> S3Options {
    S3Options {
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        region: Some("us-east-1".into()),
        credentials: Some(S3Credentials { access_key_id: "a".into(), secret_access_key: "s".into(), session_token: None }),
        put_timeout: Duration::from_millis(300),
        ..S3Options::default()
    }
}

/// Nobody listens: the put is known not to have left, and a read gives up after its few tries.
#[tokio::test]
async fn an_unreachable_store_stored_nothing() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let store = S3Store::open("bucket", "", fake(port)).await.unwrap();
    let put = store.put(&key("x"), bytes("x"), Condition::CreateOnly, None).await.unwrap_err();
    assert!(matches!(put, PutError::NotStored { .. }), "{put}");
    let read = store.get(&key("x"), None, 10).await.unwrap_err();
    assert!(matches!(read, ReadError::Unavailable { .. }), "{read}");
    assert_eq!(store.clock_skew_seconds(), None);
}

/// Somebody takes the request and never answers, or hangs up half-way: nobody knows, and it was sent exactly once.
#[tokio::test]
async fn a_lost_answer_is_unknown_and_never_sent_twice() {
    for hang_up in [false, true] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let mut requests = 0;
            let mut open = Vec::new();
            while let Ok(Ok((mut stream, _))) = tokio::time::timeout(Duration::from_millis(700), listener.accept()).await {
                requests += 1;
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                if !hang_up {
                    open.push(stream);
                }
            }
            requests
        });
        let store = S3Store::open("bucket", "", fake(port)).await.unwrap();
        let begun = Instant::now();
        let put = store.put(&key("x"), bytes("x"), Condition::CreateOnly, None).await.unwrap_err();
        assert!(put.is_unknown(), "hang up {hang_up}: {put}");
        assert!(begun.elapsed() < Duration::from_secs(2), "not beyond its timeout");
        assert_eq!(server.await.unwrap(), 1, "one attempt");
    }
}

/// A read is asked again after passing trouble, and an object longer than said in its head is not read to its end.
#[tokio::test]
async fn reads_survive_a_bad_minute() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let answers = [
            "HTTP/1.1 503 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ndate: Sat, 01 Jan 2000 00:00:00 GMT\r\nconnection: close\r\n\r\nfull",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\nlarge\r\n",
        ];
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let store = S3Store::open("bucket", "", fake(port)).await.unwrap();
    assert_eq!(store.get(&key("x"), None, 10).await.unwrap().unwrap(), Bytes::from_static(b"full"));
    assert!(store.clock_skew_seconds().unwrap() < -800_000_000, "the store's clock is far behind");
    assert!(matches!(store.get(&key("x"), None, 4).await, Err(ReadError::TooLarge { limit: 4, .. })));
    server.await.unwrap();
}

/// `ca_file` is the only authority: with it a private CA works, without it the system's roots refuse, known not stored.
#[tokio::test]
async fn a_private_ca_is_trusted_when_named() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, made.cert.pem()).unwrap();
    let key_der = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key_der).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-amz-version-id: v1\r\nconnection: close\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let endpoint = Some(format!("https://localhost:{port}"));
    let trusting = S3Options { endpoint: endpoint.clone(), ca_file: Some(ca_file), put_timeout: Duration::from_secs(10), ..fake(port) };
    let store = S3Store::open("bucket", "", trusting).await.unwrap();
    let id = store.put(&key("x"), bytes("x"), Condition::CreateOnly, None).await.unwrap();
    assert_eq!(id.unwrap().0, "v1");
    let store = S3Store::open("bucket", "", S3Options { endpoint, put_timeout: Duration::from_secs(10), ..fake(port) }).await;
    // An image without any system roots cannot even open it; that is a refusal too.
    if let Ok(store) = store {
        let put = store.put(&key("x"), bytes("x"), Condition::CreateOnly, None).await.unwrap_err();
        assert!(matches!(put, PutError::NotStored { .. }), "{put}");
        assert!(put.to_string().contains("certificate"), "{put}");
    }
    let broken = folder.path().join("broken.pem");
    std::fs::write(&broken, "no certificate").unwrap();
    for ca_file in [broken, folder.path().join("missing.pem")] {
        let options = S3Options { ca_file: Some(ca_file), ..fake(port) };
        assert!(S3Store::open("bucket", "", options).await.unwrap_err().to_string().contains("ca_file"));
    }
}

/// A store that says where its listing goes on, and it is where it was before: the place of a page ago, of two, an earlier key. It is refused
/// after a few pages, whatever is asked for.
#[tokio::test]
async fn a_listing_that_goes_round_is_refused() {
    let place = |key: &str, version: &str| {
        format!("<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{version}</NextVersionIdMarker><IsTruncated>true</IsTruncated>")
    };
    let own = |version: &str| place("contract/x", version);
    for round in [vec![own("a")], vec![own("a"), own("b")], vec![own("a"), place("contract/a", "a")], vec![own("a"), own("b"), own("c")]] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, told) = tokio::sync::watch::channel(0_usize);
        let pages = round.clone();
        let server = tokio::spawn(async move {
            for page in pages.iter().cycle().take(100) {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 8192]).await;
                asked.send_modify(|asked| *asked += 1);
                let body = format!("<ListVersionsResult>{page}</ListVersionsResult>");
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        });
        let store = S3Store::open("bucket", "", fake(port)).await.unwrap();
        for error in [store.versions(&key("x")).await.unwrap_err(), store.list("contract/", None, 10).await.unwrap_err()] {
            assert!(matches!(&error, ReadError::Refused { reason, .. } if reason.contains("does not advance")), "{round:?}: {error}");
        }
        assert!(*told.borrow() <= 10, "{round:?}: {} pages", *told.borrow());
        server.abort();
    }
}

/// From an address to a store, as the command line does it.
#[tokio::test]
async fn an_address_opens_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::parse(folder.path().to_str().unwrap()).unwrap();
    let store = spanseal::worm::open(&url, &StoreOptions::default()).await.unwrap();
    assert_eq!(store.describe(), format!("file://{}", folder.path().display()));
    let url = StoreUrl::parse("s3://bucket/some/prefix/").unwrap();
    let store = spanseal::worm::open(&url, &StoreOptions { s3: fake(9), ..StoreOptions::default() }).await.unwrap();
    assert_eq!(store.describe(), "s3://bucket/some/prefix");
    let beyond = S3Options { endpoint: Some("http://s3.example.com".into()), ..fake(9) };
    let error = spanseal::worm::open(&url, &StoreOptions { s3: beyond, ..StoreOptions::default() }).await.unwrap_err();
    assert!(error.to_string().contains("allow_http"), "{error}");
}

/// Everything that makes a put what it is stands in its signature.
#[tokio::test]
async fn every_header_is_signed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 8192];
        let read = stream.read(&mut head).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let store = S3Store::open("bucket", "p", S3Options { sse_kms_key_id: Some("kms".into()), ..fake(port) }).await.unwrap();
    let want = lock(Mode::Compliance, 60);
    store.put(&key("x y"), bytes("abc"), Condition::CreateOnly, Some(want)).await.unwrap();
    let head = server.await.unwrap();
    assert!(head.starts_with("PUT /bucket/p/contract/x%20y HTTP/1.1"), "{head}");
    let signed = head.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    for (name, value) in [
        ("if-none-match", "*".to_owned()),
        ("x-amz-checksum-sha256", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=".to_owned()),
        ("x-amz-content-sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned()),
        ("x-amz-object-lock-mode", "COMPLIANCE".to_owned()),
        ("x-amz-object-lock-retain-until-date", want.retain_until.to_string()),
        ("x-amz-sdk-checksum-algorithm", "SHA256".to_owned()),
        ("x-amz-server-side-encryption", "aws:kms".to_owned()),
        ("x-amz-server-side-encryption-aws-kms-key-id", "kms".to_owned()),
    ] {
        assert!(signed.split(';').any(|s| s == name), "{name} is not signed: {signed}");
        assert!(head.contains(&format!("\r\n{name}: {value}\r\n")), "{name}: {head}");
    }
}

/// Scenario: credentials that may put objects and not tags, as AWS answers them; then such that may neither. Guarantee: the object is stored
/// without the tag, which is not tried again for an hour once it was refused twice in a row, and the reason is kept; a refusal that is not the
/// tag's doing stays a refusal, and decides nothing about tags.
#[tokio::test]
async fn a_denied_tag_keeps_no_object_out() {
    for only_the_tag in [true, false] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, mut requests) = tokio::sync::mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let n = stream.read(&mut head).await.unwrap();
                let head = String::from_utf8_lossy(&head[..n]).to_lowercase();
                let tagged = head.contains("\r\nx-amz-tagging: spanseal=partial\r\n");
                asked.send(tagged).await.unwrap();
                let denied = "<Error><Code>AccessDenied</Code><Message>not authorized to perform: s3:PutObjectTagging</Message></Error>";
                let answer = if tagged || !only_the_tag {
                    format!("HTTP/1.1 403 x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{denied}", denied.len())
                } else {
                    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-amz-version-id: v1\r\nconnection: close\r\n\r\n".to_owned()
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let store = S3Store::open("bucket", "", S3Options { put_timeout: Duration::from_secs(10), ..fake(port) }).await.unwrap();
        assert_eq!(store.tags_refused(), None);
        for nth in 0..5 {
            if nth == 4 {
                tokio::time::pause();
                tokio::time::advance(Duration::from_secs(3600)).await;
                tokio::time::resume();
            }
            let put = store.put_tagged(&key("x"), bytes("x"), None, Tag::PARTIAL).await;
            match put {
                Ok(id) => assert!(only_the_tag && id.unwrap().0 == "v1"),
                Err(error) => assert!(!only_the_tag && matches!(error, PutError::Refused { .. }), "{error}"),
            }
        }
        let mut seen = Vec::new();
        while let Ok(tagged) = requests.try_recv() {
            seen.push(tagged);
        }
        let (pair, off) = ([true, false], [false]);
        assert_eq!(seen, if only_the_tag { [&pair[..], &pair, &off, &off, &pair].concat() } else { pair.repeat(5) });
        assert_eq!(store.tags_refused().is_some_and(|why| why.contains("s3:PutObjectTagging")), only_the_tag);
    }
}

/// Scenario: one refusal passes, as that of a clock that was just set right. Guarantee: the next object has its tag again.
#[tokio::test]
async fn a_passing_refusal_turns_no_tags_off() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, mut requests) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        for nth in 0.. {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut head = [0; 4096];
            let n = stream.read(&mut head).await.unwrap();
            asked.send(String::from_utf8_lossy(&head[..n]).to_lowercase().contains("x-amz-tagging: ")).await.unwrap();
            let skewed = "<Error><Code>RequestTimeTooSkewed</Code><Message>the clocks differ</Message></Error>";
            let answer = match nth {
                0 | 3 => format!("HTTP/1.1 403 x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{skewed}", skewed.len()),
                _ => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-amz-version-id: v1\r\nconnection: close\r\n\r\n".to_owned(),
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let store = S3Store::open("bucket", "", S3Options { put_timeout: Duration::from_secs(10), ..fake(port) }).await.unwrap();
    let mut refused = Vec::new();
    for _ in 0..4 {
        store.put_tagged(&key("x"), bytes("x"), None, Tag::PARTIAL).await.unwrap();
        refused.push(store.tags_refused().is_some());
    }
    assert_eq!(refused, [true, false, true, false]);
    let mut seen = Vec::new();
    while let Ok(tagged) = requests.try_recv() {
        seen.push(tagged);
    }
    assert_eq!(seen, [true, false, true, true, false, true]);
}
