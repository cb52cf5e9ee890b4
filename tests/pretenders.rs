//! Promise: a server that takes locks and does not enforce them is found out by trying, and no log is made on it.

use crate::support::pretender::{self, Lie};
use crate::support::receiver::{Finished, Options, Site};

fn site(port: u16, mode: &str, store_lines: &str) -> Site {
    Site::with(Options {
        store: "s3://bucket/p".into(),
        store_lines: format!("  s3: {{endpoint: 'http://127.0.0.1:{port}', region: us-east-1, path_style: true}}\n{store_lines}"),
        more: format!("retention: {{classes: [{{name: standard, mode: {mode}, period: 1d}}]}}\ncontent: {{mode: hash}}\n"),
        identity: "mode: keyed, ".into(),
        env: vec![("AWS_ACCESS_KEY_ID".into(), "a".into()), ("AWS_SECRET_ACCESS_KEY".into(), "s".into())],
        ..Options::default()
    })
}

async fn run(site: Site, arguments: &'static [&'static str]) -> (Site, Finished) {
    tokio::task::spawn_blocking(move || {
        let finished = site.run(arguments);
        (site, finished)
    })
    .await
    .unwrap()
}

/// Scenario: each lie alone, in both modes. Guarantee: `doctor` names it as a problem, and `serve` makes no log there.
#[tokio::test(flavor = "multi_thread")]
async fn each_lie_about_locks_is_named_and_refused() {
    for (lie, mode, words) in [
        (Lie::DropsLocks, "COMPLIANCE", "lock"),
        (Lie::Deletes, "COMPLIANCE", "the store deleted a locked version"),
        (Lie::Deletes, "GOVERNANCE", "the store deleted a locked version"),
        (Lie::Shortens, "COMPLIANCE", "the store shortened a lock"),
        (Lie::Overwrites, "COMPLIANCE", "writing over the locked version changed it"),
        (Lie::Bypasses, "COMPLIANCE", "deleted a version in COMPLIANCE"),
        (Lie::Lifts, "COMPLIANCE", "the governance bypass lifted a lock in COMPLIANCE"),
    ] {
        let port = pretender::start(lie).await;
        let (site, doctor) = run(site(port, mode, ""), &["doctor"]).await;
        assert_eq!(doctor.status.code(), Some(1), "{lie:?} {mode}: {doctor}");
        let named = doctor.stdout.lines().any(|line| line.starts_with("problem   canary") && line.contains(words));
        assert!(named, "{lie:?} {mode}: {doctor}");
        let (site, serve) = run(site, &["serve"]).await;
        assert_eq!(serve.status.code(), Some(2), "{lie:?} {mode}: {serve}");
        assert!(serve.stderr.contains("does not enforce them") && serve.stderr.contains("store.not_worm: true"), "{lie:?} {mode}: {serve}");
        assert!(!site.path("log.key").exists(), "no key is made for a log that is not");
    }
}

/// Guarantee: who may bypass governance is told so, and that is no reason to refuse: it is what GOVERNANCE means.
#[tokio::test(flavor = "multi_thread")]
async fn the_right_to_bypass_governance_is_told() {
    let port = pretender::start(Lie::Bypasses).await;
    let (_, doctor) = run(site(port, "GOVERNANCE", ""), &["doctor"]).await;
    for words in ["lifted the canary's lock", "deleted the canary"] {
        let told =
            |line: &str| line.starts_with("warning   canary") && line.contains(words) && line.contains("s3:BypassGovernanceRetention");
        assert!(doctor.stdout.lines().any(told), "{words}: {doctor}");
    }
    assert!(!doctor.stdout.contains("problem   canary"), "{doctor}");
}
