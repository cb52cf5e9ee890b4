//! Promise: a server that takes locks and does not enforce them is found out by trying, and no log is made on it.

use crate::support::pretender::{self, Lie};
use crate::support::receiver::{Finished, Options, Site};

fn site(port: u16, mode: &str, store_lines: &str) -> Site {
    site_of(port, &format!("{{name: standard, mode: {mode}, period: 1d}}"), store_lines)
}

fn site_of(port: u16, classes: &str, store_lines: &str) -> Site {
    Site::with(Options {
        store: "s3://bucket/p".into(),
        store_lines: format!("  s3: {{endpoint: 'http://127.0.0.1:{port}', region: us-east-1, path_style: true}}\n{store_lines}"),
        more: format!("retention: {{classes: [{classes}]}}\ncontent: {{mode: hash}}\n"),
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
        (Lie::Weakens, "COMPLIANCE", "made GOVERNANCE of a lock in COMPLIANCE"),
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

/// Scenario: classes in both modes, on a store that does what it says; and one that shows legal holds and deletes what is on hold. Guarantee: each
/// mode is tried, GOVERNANCE with what its bypass may do; a hold is tried where nothing but the hold keeps the object, and the canary of it does
/// not stay; a store that ignores holds is a problem.
#[tokio::test(flavor = "multi_thread")]
async fn each_mode_and_a_hold_are_tried() {
    const BOTH: &str = "{name: standard, mode: GOVERNANCE, period: 1d}, {name: strict, mode: COMPLIANCE, period: 1d}";
    let port = pretender::start(Lie::Nothing).await;
    let (_, doctor) = run(site_of(port, BOTH, ""), &["doctor"]).await;
    for line in [
        "ok        canary         deleting it with the governance bypass was refused",
        "ok        canary         in GOVERNANCE: deleting the locked version was refused",
        "ok        canary         in GOVERNANCE: shortening the lock was refused",
        "warning   canary         in GOVERNANCE: these credentials may bypass governance, and lifted",
        "warning   canary         in GOVERNANCE: these credentials may bypass governance, and deleted",
        "ok        canary         deleting a version on legal hold was refused",
        "ok        canary         deleting a version on legal hold with the governance bypass was refused",
        "ok        canary         the legal hold was lifted; and then the canary could be deleted: nothing of it stays",
    ] {
        assert!(doctor.stdout.lines().any(|said| said.starts_with(line)), "{line}: {doctor}");
    }
    assert!(!doctor.stdout.contains("problem   canary") && !doctor.stdout.contains("unchecked canary"), "{doctor}");
    let put = doctor.stdout.lines().filter(|line| line.contains("was put with a")).count();
    assert_eq!(put, 2, "one canary a mode: {doctor}");

    let port = pretender::start(Lie::IgnoresHolds).await;
    let (_, doctor) = run(site(port, "COMPLIANCE", ""), &["doctor"]).await;
    let said = "problem   canary         the store deleted a version on legal hold: `spanseal hold place` keeps nothing here";
    assert!(doctor.stdout.contains(said) && doctor.status.code() == Some(1), "{doctor}");
}
