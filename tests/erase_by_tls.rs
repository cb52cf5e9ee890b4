//! Erasing over an API port with TLS: the port is known by its own certificate, whoever issued it for whatever name, and is shown one where
//! it asks. A port that does not let the command in is no sign that no `serve` runs.

use std::net::TcpListener;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::erase::{ALICE, GONE, STAYS, everything, found, holds, vault_bytes};
use crate::support::receiver::{Finished, Site};

/// An authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for a name, and its key.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// One that nobody issued.
fn self_signed(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    (CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn write(site: &Site, name: &str, text: &str) -> PathBuf {
    let path = site.path(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A site whose API listens on `host` with this certificate, and lets in clients of an authority only, if one is named.
fn site(host: &str, (cert, key): &(String, String), clients: Option<&Authority>) -> Site {
    let site = Site::local();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (cert, key) = (write(&site, "cert.pem", cert), write(&site, "cert.key", key));
    let clients = clients.map(|ca| format!(", client_ca_file: '{}'", write(&site, "clients.pem", &ca.pem).display())).unwrap_or_default();
    let tls = format!("{{cert_file: '{}', key_file: '{}'{clients}}}", cert.display(), key.display());
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let api = "api: {endpoint: '127.0.0.1:0'}";
    assert!(yaml.contains(api));
    std::fs::write(&site.config, yaml.replace(api, &format!("api: {{endpoint: '{host}:{port}', tls: {tls}}}"))).unwrap();
    site
}

const ASK: [&str; 6] = ["erase", "--person", ALICE, "--ground", "asked", "--yes"];

const READ: [&str; 3] = ["show", "00000000000000000000000000000001", "--content"];

/// The running process has recorded the reading.
fn expect_read(site: &Site, told: &Finished) {
    assert!(told.status.success() && told.stdout.contains(GONE[0]) && told.stderr.contains("this reading is record "), "{told}");
    assert_eq!(found(site, &["--kind", "access"]).len(), 1);
}

fn expect_untouched(site: &Site, refused: &Finished, words: &str) {
    assert_eq!(refused.status.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains(words) && !refused.stderr.contains("opened here"), "{refused}");
    let all = vault_bytes(site);
    assert!(GONE.iter().all(|text| holds(&all, text)) && holds(&all, ALICE), "{refused}");
    assert!(found(site, &["--kind", "erasure"]).is_empty());
}

fn expect_erased(site: &Site, told: &Finished) {
    assert!(told.status.success() && told.stdout.contains("what was said in 3 records"), "{told}");
    let all = vault_bytes(site);
    assert!(GONE.iter().all(|text| !holds(&all, text)) && STAYS.iter().all(|text| holds(&all, text)) && !holds(&all, ALICE));
    assert_eq!(found(site, &["--kind", "erasure"]).len(), 1);
}

/// Scenario: the certificate is self-signed, or of an authority that this machine does not know and whose own certificate stands behind it
/// or not; it names the address by which the command comes, or the name by which others know the service; the port is on loopback or on
/// every address. Guarantee: the running process erases.
#[test]
fn a_port_is_known_by_its_own_certificate() {
    let authority = Authority::new("an authority");
    let chained = |(cert, key): (String, String)| (format!("{cert}{}", authority.pem), key);
    for (what, host, certificate) in [
        ("self-signed, by address", "127.0.0.1", self_signed("127.0.0.1")),
        ("self-signed, by name", "127.0.0.1", self_signed("audit.example.com")),
        ("issued, alone in its file", "0.0.0.0", authority.issue("audit.example.com")),
        ("issued, with its authority", "0.0.0.0", chained(authority.issue("audit.example.com"))),
    ] {
        let site = site(host, &certificate, None);
        let mut receiver = site.serve();
        everything(&receiver);
        expect_read(&site, &site.run(&READ));
        let told = site.run(&ASK);
        assert!(told.status.success(), "{what}: {told}");
        expect_erased(&site, &told);
        receiver.assert_healthy();
        assert!(receiver.stop().success());
    }
}

/// Scenario: the certificate of the configuration is not the one that the port shows: it was renewed and `serve` was not started again, or
/// somebody else listens. Guarantee: nobody is told whom to erase, the log is not opened beside whoever writes it, and it is said what to do.
#[test]
fn another_certificate_is_refused() {
    let site = site("127.0.0.1", &self_signed("127.0.0.1"), None);
    let mut receiver = site.serve();
    everything(&receiver);
    let (other, _) = self_signed("127.0.0.1");
    write(&site, "cert.pem", &other);
    let refused = site.run(&ASK);
    expect_untouched(&site, &refused, "if `api.tls.cert_file` was renewed since `serve` started, start it again");
    receiver.assert_healthy();
    assert!(receiver.stop().success());
    // Nobody listens any more.
    expect_erased(&site, &site.run(&ASK));
}

/// Scenario: the port asks for a client certificate, and its own is of another authority than its clients'. Guarantee: without one the
/// command says what is missing, and does not take the port that turns it away for no port; with one of that authority it is done, with
/// one of any other not.
#[test]
fn a_port_that_asks_for_a_client_certificate_gets_one() {
    let operators = Authority::new("operators");
    let site = site("127.0.0.1", &Authority::new("servers").issue("audit.example.com"), Some(&operators));
    let mut receiver = site.serve();
    everything(&receiver);
    let files = |site: &Site, name: &str, (cert, key): (String, String)| {
        let (cert, key) = (write(site, &format!("{name}.pem"), &cert), write(site, &format!("{name}.key"), &key));
        [cert, key].map(|path| path.to_str().unwrap().to_owned())
    };
    let ask = |[cert, key]: &[String; 2]| site.run(&[&ASK[..], &["--client-cert", cert, "--client-key", key]].concat());
    let asks =
        "it asks for a client certificate of the authority in `api.tls.client_ca_file`; give one with --client-cert and --client-key";
    expect_untouched(&site, &site.run(&ASK), asks);
    let stranger = files(&site, "stranger", Authority::new("others").issue("stranger"));
    expect_untouched(&site, &ask(&stranger), asks);
    let operator = files(&site, "operator", operators.issue("dpo"));
    let mixed = [operator[0].clone(), stranger[1].clone()];
    expect_untouched(&site, &ask(&mixed), "is not the key of the certificate in");
    // Who reads shows it too.
    let refused = site.run(&READ);
    assert!(refused.status.code() == Some(2) && refused.stderr.contains(asks) && refused.stdout.is_empty(), "{refused}");
    expect_read(&site, &site.run(&[&READ[..], &["--client-cert", &operator[0], "--client-key", &operator[1]]].concat()));
    let alone = site.run(&[&ASK[..], &["--client-cert", &operator[0]]].concat());
    assert_eq!(alone.status.code(), Some(64), "{alone}");
    receiver.assert_healthy();
    expect_erased(&site, &ask(&operator));
    receiver.assert_healthy();
    assert!(receiver.stop().success());
}

/// Scenario: one authority issues for the port and for its clients. Guarantee: nothing more has to be said; the port's own certificate will do.
#[test]
fn the_ports_own_certificate_will_do_where_its_authority_issues_for_both() {
    let authority = Authority::new("an authority");
    let site = site("127.0.0.1", &authority.issue("audit.example.com"), Some(&authority));
    let receiver = site.serve();
    everything(&receiver);
    expect_erased(&site, &site.run(&ASK));
    assert!(receiver.stop().success());
}
