//! What comes back from a place, and all that does not.

use super::*;
use std::os::unix::fs::symlink;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const MAX: usize = 1024;

async fn open(place: &str) -> Elsewhere {
    let from = vec![From { place: Place::parse(place).unwrap(), ca_file: None }];
    let options = Options { from, bytes_max: MAX, timeout: Duration::from_millis(300), parallel: 1 };
    Elsewhere::open(&options, &S3Options::default()).await.unwrap()
}

async fn get(elsewhere: &Elsewhere, reference: &str) -> Result<Bytes, Unfetched> {
    elsewhere.fetch(reference, elsewhere.deadline(), Some).await.map(|(bytes, asked)| {
        assert_eq!(asked, MAX, "room for the longest is asked for");
        bytes
    })
}

/// Answers each connection with what stands for its path; `None` never answers. Says what it was asked.
async fn server(answers: &'static [(&'static str, Option<&'static str>)]) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let asked = Arc::<std::sync::Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).await.is_ok_and(|n| n > 0) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                seen.lock().unwrap().push(head);
                match answers.iter().find(|(of, _)| *of == path).and_then(|(_, answer)| *answer) {
                    Some(answer) => drop(socket.write_all(answer.as_bytes()).await),
                    None => std::future::pending().await,
                }
            });
        }
    });
    (base, asked)
}

const UNTIL_CLOSED: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";

/// Guarantee: a plain success is fetched with one plain request; everything else is a reason, and no other address is asked.
#[tokio::test]
async fn a_web_server_is_asked_once_and_believed_only_plainly() {
    let (elsewhere_too, never) = server(&[("/stolen", Some("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen"))]).await;
    let redirect: &'static str =
        Box::leak(format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere_too}stolen\r\ncontent-length: 0\r\n\r\n").into_boxed_str());
    let exact: &'static str = Box::leak(format!("{UNTIL_CLOSED}{}", "x".repeat(MAX)).into_boxed_str());
    let more: &'static str = Box::leak(format!("{UNTIL_CLOSED}{}", "x".repeat(MAX + 1)).into_boxed_str());
    let answers: &'static [(&str, Option<&str>)] = Box::leak(Box::new([
        ("/in/good", Some("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n[\"a\"]")),
        ("/in/exact", Some(exact)),
        ("/in/more", Some(more)),
        ("/in/announced", Some("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n")),
        ("/in/short", Some("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort")),
        ("/in/redirect", Some(redirect)),
        ("/in/back", Some("HTTP/1.1 307 Temporary Redirect\r\nlocation: /in/good\r\ncontent-length: 0\r\n\r\n")),
        ("/in/none", Some("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")),
        ("/in/part", Some("HTTP/1.1 206 Partial Content\r\ncontent-length: 1\r\n\r\nx")),
        ("/in/refused", Some("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")),
        ("/in/rubbish", Some("SSH-2.0-OpenSSH\r\n\r\n")),
        ("/in/hangs", None),
    ]));
    let (base, asked) = server(answers).await;
    let place = open(&format!("{base}in/")).await;
    assert_eq!(get(&place, &format!("{base}in/good")).await.unwrap(), "[\"a\"]");
    assert_eq!(get(&place, &format!("{base}in/exact")).await.unwrap().len(), MAX);
    let first = asked.lock().unwrap()[0].to_lowercase();
    assert!(!["cookie", "authorization", "referer", "accept-encoding"].iter().any(|header| first.contains(header)), "{first}");
    for (path, why) in [
        ("more", Unfetched::TooLarge),
        ("announced", Unfetched::TooLarge),
        ("redirect", Unfetched::Redirected),
        ("back", Unfetched::Redirected),
        ("none", Unfetched::Absent),
        ("hangs", Unfetched::TimedOut),
        ("part", Unfetched::Failed),
        ("refused", Unfetched::Failed),
        ("short", Unfetched::Failed),
        ("rubbish", Unfetched::Failed),
        ("good?x=y", Unfetched::Outside),
        ("../good", Unfetched::Outside),
    ] {
        assert_eq!(get(&place, &format!("{base}in/{path}")).await.unwrap_err(), why, "{path}");
    }
    assert!(never.lock().unwrap().is_empty(), "a redirect was followed");
    let asked = asked.lock().unwrap().len();
    for foreign in
        ["http://169.254.169.254/latest/meta-data/", &format!("{elsewhere_too}stolen"), &format!("{base}out/x"), "file:///etc/hostname"]
    {
        assert_eq!(get(&place, foreign).await.unwrap_err(), Unfetched::Outside, "{foreign}");
    }
    assert!(never.lock().unwrap().is_empty());
    assert_eq!(asked, 12, "each once, and nothing that lies outside");
}

/// Guarantee: bytes that are no text, and a pool that is full, are reasons too; a full pool asks nobody.
#[tokio::test]
async fn what_is_no_text_and_what_has_no_room_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let base = format!("file://{}/", folder.path().display());
    std::fs::write(folder.path().join("image"), b"\x89PNG\xff").unwrap();
    let place = open(&base).await;
    assert_eq!(get(&place, &format!("{base}image")).await.unwrap_err(), Unfetched::NotText);
    let none = place.fetch(&format!("{base}image"), place.deadline(), |_| None::<()>).await;
    assert_eq!(none.unwrap_err(), Unfetched::NoRoom);
}

/// Guarantee: no link, pipe or folder is read, wherever it leads, and no file beyond the limit.
#[tokio::test]
async fn a_folder_is_not_left() {
    let around = tempfile::tempdir().unwrap();
    let root = around.path().join("in");
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    std::fs::write(around.path().join("secret"), "secret").unwrap();
    std::fs::write(root.join("a/b/good"), "good").unwrap();
    std::fs::write(root.join("exact"), "x".repeat(MAX)).unwrap();
    std::fs::write(root.join("more"), "x".repeat(MAX + 1)).unwrap();
    symlink("../secret", root.join("link")).unwrap();
    symlink("..", root.join("up")).unwrap();
    symlink("a/b/good", root.join("inside")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let base = format!("file://{}/", root.display());
    let place = open(&base).await;
    assert_eq!(get(&place, &format!("{base}a/b/good")).await.unwrap(), "good");
    assert_eq!(get(&place, &format!("{base}exact")).await.unwrap().len(), MAX);
    for (path, why) in [
        ("link", Unfetched::Outside),
        ("inside", Unfetched::Outside),
        ("more", Unfetched::TooLarge),
        ("none", Unfetched::Absent),
        ("a/b", Unfetched::Failed),
        ("pipe", Unfetched::Failed),
        ("../secret", Unfetched::Outside),
        ("a/../../secret", Unfetched::Outside),
    ] {
        assert_eq!(get(&place, &format!("{base}{path}")).await.unwrap_err(), why, "{path}");
    }
    // A link in the middle of the way: refused as a link or as no folder, as the system says it.
    let up = get(&place, &format!("{base}up/secret")).await.unwrap_err();
    assert!(matches!(up, Unfetched::Outside | Unfetched::Absent), "{up:?}");
    assert_eq!(get(&place, "file:///etc/hostname").await.unwrap_err(), Unfetched::Outside);
}

/// Scenario: one turn, taken by a server that hangs. Guarantee: the next waits until its own deadline and no longer.
#[tokio::test]
async fn a_turn_that_does_not_come_is_not_waited_for_longer_than_the_deadline() {
    let (base, _) = server(&[("/hangs", None)]).await;
    let place = Arc::new(open(&base).await);
    let hanging = tokio::spawn({
        let (place, reference) = (Arc::clone(&place), format!("{base}hangs"));
        async move { place.fetch(&reference, Instant::now() + Duration::from_secs(60), Some).await.map(|_| ()) }
    });
    while place.turns.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let mut asked_for_room = false;
    let other = format!("{base}other");
    let waited = place.fetch(&other, place.deadline(), |_| {
        asked_for_room = true;
        Some(())
    });
    assert_eq!(waited.await.unwrap_err(), Unfetched::TimedOut);
    assert!(!asked_for_room, "memory is taken when the turn comes");
    hanging.abort();
}

/// Scenario: a server over TLS, whose certificate is of an authority of its own. Guarantee: it is asked where that authority is named, and where
/// it is not, or the certificate is another's, it gets no request to answer.
#[tokio::test]
async fn a_server_is_believed_only_by_its_certificate() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let asked = Arc::<std::sync::atomic::AtomicUsize>::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut head = [0; 4096];
            if stream.read(&mut head).await.is_ok_and(|n| n > 0) {
                seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntext").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let pem = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (ours, theirs) = (pem("own", own.cert.pem()), pem("other", other.cert.pem()));
    for (ca_file, want) in [(Some(&ours), Ok(1)), (Some(&theirs), Err(Unfetched::Failed)), (None, Err(Unfetched::Failed))] {
        let from = vec![From { place: Place::parse(&base).unwrap(), ca_file: ca_file.cloned() }];
        let options = Options { from, bytes_max: MAX, timeout: Duration::from_secs(5), parallel: 1 };
        let place = Elsewhere::open(&options, &S3Options::default()).await.unwrap();
        let got = get(&place, &format!("{base}a")).await.map(|text| {
            assert_eq!(text, "text");
            asked.load(std::sync::atomic::Ordering::SeqCst)
        });
        assert_eq!(got, want, "{ca_file:?}");
    }
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
    for wrong in [folder.path().join("none"), pem("rubbish", "rubbish".to_owned())] {
        let from = vec![From { place: Place::parse(&base).unwrap(), ca_file: Some(wrong.clone()) }];
        let options = Options { from, bytes_max: MAX, timeout: Duration::from_secs(5), parallel: 1 };
        let why = Elsewhere::open(&options, &S3Options::default()).await.unwrap_err().to_string();
        assert!(why.contains("`ca_file`") && why.contains(&base), "{why}");
    }
}
