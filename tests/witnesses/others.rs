//! A witness that others wrote: the public Go witness (omniwitness), asked by our client as any witness is.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;

const NAME: &str = "go.test/witness";
/// Seed of its key.
const SEED: [u8; 32] = [9; 32];

/// The program, or why the test is skipped.
fn program() -> Option<PathBuf> {
    let mut build = Command::new("bash");
    build.arg(tools::scripts().join("gowitness/build.sh")).arg(tools::folder().join("gowitness"));
    let finished = Finished::of(build);
    if finished.status.code() == Some(77) {
        tools::skip("omniwitness", "our client with a Go witness", finished.stdout.trim(), "install Go, then run tests/run");
        return None;
    }
    Some(PathBuf::from(finished.success().stdout.trim()))
}

/// Killed when dropped; its state is a file.
struct Omniwitness(Child);

impl Omniwitness {
    fn start(program: &Path, folder: &Path, address: &str) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).args(["--private_key_path", "key", "--additional_logs", "logs.yaml", "--db_file", "state.db"]);
        command.args(["--metrics_listen", "", "--listen", address]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(folder.join("said")).unwrap());
        let mut child = child.spawn().unwrap();
        eventually("the Go witness listens", || {
            let ended = child.try_wait().unwrap();
            let said = || std::fs::read_to_string(folder.join("said")).unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}): {}", said());
            std::net::TcpStream::connect(address).ok()
        });
        Omniwitness(child)
    }
}

impl Drop for Omniwitness {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Scenario: the log is cosigned by the public Go witness, which is killed and comes back on its own state, and once forgets everything.
/// Guarantee: it takes our checkpoints and proofs, from the first on, from where it was, and anew; its answers are cosignatures to us; one
/// that is behind names its size, and ours is no longer the log where it saw a longer one.
#[test]
fn our_log_is_cosigned_by_a_go_witness() {
    use base64::Engine;
    let Some(program) = program() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (site, vkey) = site(String::new());
    // A key as Go writes it: type 1 and the seed. What it cosigns with is of type 4.
    let signer = spanseal::tlog::note::NoteSigner::new(NAME, &SEED).unwrap().verifier().to_string();
    let secret = base64::engine::general_purpose::STANDARD.encode([vec![1], SEED.to_vec()].concat());
    std::fs::write(folder.path().join("key"), format!("PRIVATE+KEY+{NAME}+{}+{secret}", signer.split('+').nth(1).unwrap())).unwrap();
    let witness = spanseal::tlog::cosignature::Cosigner::new(NAME, &SEED).unwrap().public().to_string();
    let origin = vkey.split('+').next().unwrap();
    let logs = format!("Logs:\n  - Origin: {origin}\n    PublicKey: {vkey}\n    URL: http://127.0.0.1:1/\n");
    std::fs::write(folder.path().join("logs.yaml"), logs).unwrap();
    let address = dead().strip_prefix("http://").unwrap().to_owned();
    ask_others(&site, &asked(&[(&witness, &format!("http://{address}"))], 1));

    let go = Omniwitness::start(&program, folder.path(), &address);
    let receiver = site.serve();
    for n in 1..=3 {
        let sealed = send(&receiver, n);
        wait_cosigned(&receiver, 1, sealed + 1);
    }
    drop(go);
    let away = send(&receiver, 4);
    eventually("it is away", || (outcome(&receiver, 1, "unreachable") > 0).then_some(()));
    let go = Omniwitness::start(&program, folder.path(), &address);
    wait_cosigned(&receiver, 1, away + 1);
    assert_eq!(["refused", "bad_answer", "ahead", "contradicted", "no_proof"].map(|word| outcome(&receiver, 1, word)), [0; 5]);
    assert!(receiver.stop().success());
    // The next process believes nothing; the witness tells it.
    let receiver = site.serve();
    let sealed = send(&receiver, 5);
    wait_cosigned(&receiver, 1, sealed + 1);
    assert_eq!(["refused", "bad_answer", "ahead", "contradicted"].map(|word| outcome(&receiver, 1, word)), [0; 4]);
    assert!(receiver.stop().success());

    let (code, report) = verify(&site, &vkey, &[&witness], 1);
    let log = &report["logs"][0];
    assert_eq!((code, log["cosigned"]["up_to"].as_u64()), (Some(0), log["tree_size"].as_u64()), "{report:#}");
    let (_, proof) = prove(&site, 2);
    let out = check(&site, &proof, &vkey, &["--witness", &witness]).success();
    assert!(out.stdout.contains(&format!("seen by    {NAME} at 20")), "{out}");

    // Set back to nothing under the same key: the witness has seen more.
    for name in ["store", "store-vault", "log.key.mark"] {
        let path = site.path(name);
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).ok().unwrap_or_default() }
    }
    let unused = std::fs::read_to_string(site.path("log.key")).unwrap();
    let unused: Vec<&str> = unused.lines().filter(|line| !line.starts_with("log: ")).collect();
    std::fs::write(site.path("log.key"), unused.join("\n") + "\n").unwrap();
    drop(go);
    let _go = Omniwitness::start(&program, folder.path(), &address);
    let receiver = site.serve();
    eventually("the Go witness is ahead of the log", || (outcome(&receiver, 1, "ahead") > 0).then_some(()));
    assert_eq!(cosigned_by(&receiver, 1), 0);
}
