//! Promise: Ctrl-C leaves an order where it says that it stands, and the command that it names goes on.

use std::process::{Child, Output};

use serde_json::Value;

use crate::erase::{ALICE, SUBJECT, found, send, span};
use crate::support::pretender::{self, Gate, Lie};
use crate::support::receiver::{Options, Site};

fn interrupt(child: &Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::INT).unwrap();
}

/// What it said, and that it said nothing on stdout and ended as a shell knows it of SIGINT.
fn interrupted(child: Child) -> String {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stdout.as_slice()), (Some(130), &b""[..]), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("Interrupted: ")).count(), 1, "{said}");
    said
}

/// Scenario: an API port that takes connections and answers nothing, while a hold, a release and an extension wait for it; SIGINT. Guarantee: it
/// says that nothing was recorded, which is so.
#[test]
fn before_anything_is_recorded_nothing_is() {
    let site = Site::local();
    let receiver = site.serve();
    send(&receiver, &[span(1, 1, "a", &[(SUBJECT, ALICE)])]);
    assert!(receiver.stop().success());
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let free = "api: {endpoint: '127.0.0.1:0'}";
    assert!(yaml.contains(free));
    for arguments in [
        &["hold", "place", "--matter", "M", "--all", "--reason", "r"][..],
        &["retention", "extend", "--all", "--for", "2y", "--reason", "r", "--yes"],
    ] {
        // One each: whoever connected to it before is not taken for the next.
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = format!("api: {{endpoint: '127.0.0.1:{}'}}", deaf.local_addr().unwrap().port());
        std::fs::write(&site.config, yaml.replace(free, &taken)).unwrap();
        let child = site.spawn(arguments);
        // It is at the port: before that it only looked.
        let _connection = deaf.accept().unwrap();
        interrupt(&child);
        let said = interrupted(child);
        assert!(said.contains("Interrupted: nothing was recorded, and nothing was changed."), "{said}");
    }
    std::fs::write(&site.config, yaml).unwrap();
    assert_eq!((found(&site, &["--kind", "hold"]).len(), found(&site, &["--kind", "retention"]).len()), (0, 0));
}

/// Scenario: a hold, its release and an extension, each interrupted while the store does not answer the first change of an object. Guarantee: each
/// says that it is on record, by which record, and which command goes on; that command does, and then nothing is left to do.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_record_is_said_and_gone_on_with() {
    let gate = Gate::default();
    let port = pretender::start_with(Lie::Nothing, gate.clone()).await;
    let site = Site::with(Options {
        store: "s3://bucket/p".into(),
        store_lines: format!("  s3: {{endpoint: 'http://127.0.0.1:{port}', region: us-east-1, path_style: true}}\n"),
        more: "retention: {classes: [{name: standard, mode: COMPLIANCE, period: 1d}]}\ncontent: {mode: hash}\n".into(),
        identity: "mode: keyed, ".into(),
        env: vec![("AWS_ACCESS_KEY_ID".into(), "a".into()), ("AWS_SECRET_ACCESS_KEY".into(), "s".into())],
        ..Options::default()
    });
    let site = std::sync::Arc::new(site);
    let run = async |arguments: Vec<String>| {
        let site = std::sync::Arc::clone(&site);
        tokio::task::spawn_blocking(move || site.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())).await.unwrap()
    };
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    {
        let site = std::sync::Arc::clone(&site);
        let serve = move || {
            let receiver = site.serve();
            send(&receiver, &[span(1, 1, "a", &[(SUBJECT, ALICE)])]);
            assert!(receiver.stop().success());
        };
        tokio::task::spawn_blocking(serve).await.unwrap();
    }
    let trace = format!("{:032x}", 1);
    for (line, record, goes_on) in [
        (
            format!("hold place --matter M --trace-id {trace} --reason r"),
            "the hold `M` is on record",
            "spanseal hold place --matter M --resume",
        ),
        ("hold release --matter M --reason r".to_owned(), "the release of `M` is record ", "spanseal hold release --matter M"),
        (
            format!("retention extend --trace-id {trace} --for 2y --reason r --yes"),
            "is on record and stays in force",
            "spanseal retention extend --resume ",
        ),
    ] {
        gate.arm();
        let child = site.spawn(&line.split(' ').collect::<Vec<_>>());
        gate.reached().await;
        interrupt(&child);
        let said = tokio::task::spawn_blocking(move || interrupted(child)).await.unwrap();
        assert!(said.contains(record), "{said}");
        let named = said.split('`').find(|part| part.starts_with(goes_on)).unwrap_or_else(|| panic!("no `{goes_on}` in {said}"));
        let again = named.strip_prefix("spanseal ").unwrap().replace("TEXT", "on");
        let again = if again.starts_with("retention") { again + " --yes" } else { again };
        run(words(&again)).await.success();
        let listed: Value = serde_json::from_str(&run(words("hold list --format json")).await.success().stdout).unwrap();
        let (holds, extensions) = (listed["holds"].as_array().unwrap(), listed["extensions"].as_array().unwrap());
        assert_eq!((holds.len(), extensions.len()), (usize::from(line.contains("place")), 0), "{line}: {listed}");
        assert_eq!(listed["released_not_lifted"].as_array().unwrap().len(), 0, "{line}: {listed}");
        // Done once more it finds everything done; of an extension that came to its end its own records are looked at.
        if line.starts_with("retention") {
            let once_more = run(words(&again)).await.success();
            assert!(once_more.stdout.contains("was carried out to its end before, in seal "), "{once_more}");
            assert!(once_more.stdout.contains("0 objects were extended now"), "{once_more}");
        }
    }
}
