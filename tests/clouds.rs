//! Promise: on Azure and GCS a log is made, sealed and verified as anywhere, and whoever starts it is told that these adapters were never run
//! against the real services.

use crate::erase::{send, span};
use crate::support::receiver::{Finished, Options, Site};
use crate::support::recording::{Recording, Service};
use crate::support::{azure, gcs};

const CAVEAT: &str = "never run against the real service";

fn on_azure(server: &Recording<azure::Azure>, mode: &str) -> Site {
    Site::with(Options {
        store: format!("az://{}/{}/evidence", azure::ACCOUNT, azure::CONTAINER),
        store_lines: format!("  azure: {{endpoint: '{}'}}", server.endpoint()),
        env: vec![("AZURE_STORAGE_ACCOUNT_KEY".into(), azure::KEY.into())],
        ..options(mode)
    })
}

fn on_gcs(server: &Recording<gcs::Gcs>, mode: &str) -> Site {
    Site::with(Options {
        store: format!("gs://{}/evidence", gcs::BUCKET),
        store_lines: format!("  gcs: {{endpoint: '{}'}}", server.endpoint()),
        env: vec![("GOOGLE_BEARER_TOKEN".into(), gcs::TOKEN.into())],
        ..options(mode)
    })
}

fn options(mode: &str) -> Options {
    Options {
        more: format!("retention: {{classes: [{{name: standard, mode: {mode}, period: 1d}}]}}\ncontent: {{mode: hash}}\n"),
        identity: "mode: keyed, ".into(),
        ..Options::default()
    }
}

/// From a checked container to a verified log, and on after a restart.
fn a_whole_life(site: &Site) {
    let doctor = site.run(&["doctor"]);
    let has = |state: &str, words: &str| doctor.stdout.lines().any(|line| line.starts_with(state) && line.contains(words));
    assert_eq!(doctor.status.code(), Some(0), "{doctor}");
    assert!(has("warning   store", CAVEAT) && has("ok        canary", "deleting the locked version was refused"), "{doctor}");
    for round in 1..=2 {
        let receiver = site.serve();
        send(&receiver, &[span(round, 1, "said on a cloud", &[])]);
        let said = receiver.stderr();
        assert!(said.contains(CAVEAT), "{said}");
        assert!(receiver.stop().success());
    }
    assert_eq!(site.sealed_lines().len(), 2);
    let report = site.verified();
    assert_eq!(report["locks"], "checked", "{report}");
}

async fn blocking<S: Service>(server: Recording<S>, act: impl FnOnce(&Recording<S>) + Send + 'static) {
    tokio::task::spawn_blocking(move || {
        act(&server);
        server.expect_no_violation();
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_lives_on_azure() {
    blocking(azure::Azure::start(azure::Behaviour::default()).await, |server| a_whole_life(&on_azure(server, "COMPLIANCE"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_lives_on_gcs() {
    blocking(gcs::Gcs::start(gcs::Behaviour::default()).await, |server| a_whole_life(&on_gcs(server, "COMPLIANCE"))).await;
}

#[track_caller]
fn refused(site: &Site, words: &str) {
    let serve: Finished = site.run(&["serve"]);
    assert_eq!(serve.status.code(), Some(2), "{serve}");
    assert!(serve.stderr.contains(words), "{serve}");
    assert!(!site.path("log.key").exists(), "no key is made for a log that is not");
}

/// Guarantee: where there are no locks, or none that hold, no log is made.
#[tokio::test(flavor = "multi_thread")]
async fn no_log_is_made_without_locks() {
    let without = azure::Behaviour { not_immutable: true, ..azure::Behaviour::default() };
    blocking(azure::Azure::start(without).await, |server| refused(&on_azure(server, "COMPLIANCE"), "no version-level immutability")).await;
    let deletes = azure::Behaviour { deletes: true, ..azure::Behaviour::default() };
    blocking(azure::Azure::start(deletes).await, |server| refused(&on_azure(server, "COMPLIANCE"), "does not enforce them")).await;
    let without = gcs::Behaviour { no_retention: true, ..gcs::Behaviour::default() };
    blocking(gcs::Gcs::start(without).await, |server| refused(&on_gcs(server, "COMPLIANCE"), "per-object retention")).await;
    let deletes = gcs::Behaviour { deletes: true, ..gcs::Behaviour::default() };
    blocking(gcs::Gcs::start(deletes).await, |server| refused(&on_gcs(server, "GOVERNANCE"), "does not enforce them")).await;
}

/// Guarantee: on Azure GOVERNANCE is weaker than its name, and `doctor` says so.
#[tokio::test(flavor = "multi_thread")]
async fn governance_on_azure_is_told_for_what_it_is() {
    blocking(azure::Azure::start(azure::Behaviour::default()).await, |server| {
        let doctor = on_azure(server, "GOVERNANCE").run(&["doctor"]);
        let told =
            doctor.stdout.lines().any(|line| line.starts_with("warning   canary") && line.contains("only COMPLIANCE binds the writer"));
        assert!(told && doctor.status.success(), "{doctor}");
    })
    .await;
}
