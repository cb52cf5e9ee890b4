//! Promise: how long a record is kept is what the policies say, it says so itself, and an operator sees what a change means beforehand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{Options, Receiver, Site};

const CLASSES: &str = "    - {name: standard, period: 180d}\n    - {name: credit, mode: COMPLIANCE, period: 5y}\n    - {name: long, period: 5y, claimable: true}\n";
const POLICIES: &str = "  policies:\n    - {id: credit, version: '3', when: 'record.decision.type == \"credit\"', class: credit}\n";

fn yaml(more: &str) -> String {
    format!("retention:\n  classes:\n{CLASSES}{POLICIES}{more}")
}

fn site(retention: &str) -> Site {
    Site::with(Options { more: retention.to_owned(), ..Options::default() })
}

/// Sends one decision a span.
pub(crate) fn send(receiver: &Receiver, decisions: &[&[(&str, &str)]]) {
    let spans: Vec<Value> = (1_u64..)
        .zip(decisions)
        .map(|(n, decision)| {
            let attribute = |(key, value): &(&str, &str)| json!({"key": key, "value": {"stringValue": value}});
            let attributes: Vec<Value> = decision.iter().map(attribute).collect();
            json!({
                "traceId": format!("{n:032x}"), "spanId": format!("{n:016x}"), "name": "decide", "attributes": attributes,
                "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
            })
        })
        .collect();
    let body = json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": spans}]}]}).to_string();
    let headers = vec![("Content-Type", "application/json")];
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    assert_eq!(http(receiver.http, &request).unwrap().0, 200);
}

pub(crate) const CREDIT: &[(&str, &str)] = &[("ai_audit.decision.outcome", "declined"), ("ai_audit.decision.type", "credit")];
pub(crate) const OTHER: &[(&str, &str)] = &[("ai_audit.decision.outcome", "routed"), ("ai_audit.decision.type", "ticket")];
const ASKS: &[(&str, &str)] = &[("ai_audit.decision.outcome", "routed"), ("ai_audit.retention.class", "long")];

/// A site with three decisions in it.
fn sealed(retention: &str) -> Site {
    let site = site(retention);
    let receiver = site.serve();
    send(&receiver, &[CREDIT, OTHER, ASKS]);
    assert!(receiver.stop().success());
    site
}

fn rewrite(site: &Site, retention: &str) {
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let kept = yaml.split_once("retention:").unwrap().0;
    std::fs::write(&site.config, format!("{kept}{retention}")).unwrap();
}

fn plan(site: &Site) -> (Value, Option<i32>) {
    let out = site.run(&["retention", "plan", "--format", "json"]);
    (serde_json::from_str(&out.stdout).unwrap_or_else(|e| panic!("{e}: {out}")), out.status.code())
}

fn changes(plan: &Value) -> BTreeSet<(String, String, String, u64)> {
    let text = |change: &Value, name: &str| change[name].as_str().unwrap().to_owned();
    let all = plan["changes"].as_array().unwrap().iter();
    all.map(|c| (text(c, "from"), text(c, "to"), text(c, "change"), c["records"].as_u64().unwrap())).collect()
}

fn change(from: &str, to: &str, what: &str) -> (String, String, String, u64) {
    (from.to_owned(), to.to_owned(), what.to_owned(), 1)
}

/// Scenario: decisions of three kinds come in one request. Guarantee: each goes to the class that its policies and its claim say, says why, and
/// its object has that lock; and `verify` finds nothing to say.
#[test]
fn each_record_has_the_class_that_its_policies_say() {
    let site = sealed(&yaml("  presets: [{id: dpdp-consent-manager}]\n"));
    let lines = site.sealed_lines();
    let mut classes = BTreeMap::new();
    for line in &lines {
        let record: Value = serde_json::from_str(line).unwrap();
        let policies = record["retention"]["policies"].as_array().cloned().unwrap_or_default();
        classes.insert(record["retention"]["class"].as_str().unwrap().to_owned(), json!(policies));
    }
    let want = [("credit", json!(["credit@3"])), ("long", json!([])), ("standard", json!([]))];
    assert_eq!(classes, want.map(|(class, policies)| (class.to_owned(), policies)).into());
    let found = site.run(&["query", "--kind", "decision", "--format", "json"]).success();
    for hit in serde_json::from_str::<Vec<Value>>(&found.stdout).unwrap() {
        let class = hit["record"]["retention"]["class"].as_str().unwrap();
        assert!(hit["segment"].as_str().unwrap().starts_with(&format!("segments/{class}/")), "{hit}");
    }
    site.verified();
    let story = site.run(&["show", &format!("{:032x}", 1)]).success();
    assert!(story.stdout.contains("credit@3"), "{story}");
}

/// Guarantee: a plan says of every record what it would get under another configuration, and changes nothing.
#[test]
fn a_plan_says_what_would_be_longer_shorter_stronger_and_weaker() {
    let site = sealed(&yaml(""));
    let lines = site.sealed_lines();
    let (same, code) = plan(&site);
    assert_eq!(code, Some(0));
    let expected = ["standard", "credit", "long"].map(|class| change(class, class, "same"));
    assert_eq!(changes(&same), expected.into());
    assert_eq!((&same["records"], &same["undecided"]), (&json!(3), &json!(0)));
    // Under the same configuration there would be the same objects, whatever of spanseal's own is among them; and it is said what is counted.
    assert_eq!(same["objects"], same["objects_now"], "{same:#}");
    let told = site.run(&["retention", "plan"]).success().stdout;
    for part in [
        "the 3 records that applications reported",
        "The 1 record of spanseal's own acts, which the table does not count, would be kept as long as the longest class, `credit`.",
        "that hold records",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }

    // The default is longer, credit is no longer COMPLIANCE but longer, and whoever asks for `long` gets less.
    rewrite(
        &site,
        "retention:\n  classes:\n    - {name: standard, period: 1y}\n    - {name: credit, period: 7y}\n    - {name: long, period: 2y, claimable: true}\n  \
         policies:\n    - {id: credit, when: 'record.decision.type == \"credit\"', class: credit}\n    - {id: none, when: 'record.kind == \"tool\"', class: long}\n",
    );
    let (other, code) = plan(&site);
    assert_eq!(code, Some(0));
    let expected = [change("standard", "standard", "longer"), change("credit", "credit", "weaker"), change("long", "long", "shorter")];
    assert_eq!(changes(&other), expected.into());
    assert_eq!(other["policies"], json!([{"policy": "credit", "records": 1}, {"policy": "none", "records": 0}]));
    let text = site.run(&["retention", "plan"]).success();
    for part in ["(none: is its condition what you mean?)", "weaker", "now they are in COMPLIANCE", "kept for less time"] {
        assert!(text.stdout.contains(part), "{part}\n{text}");
    }

    // Two of three are in another class, stronger than before.
    rewrite(
        &site,
        "retention:\n  presets: [{id: eu-ai-act-deployer-logs, when: 'record.decision.type == \"ticket\"'}, {id: cftc-1.31, when: 'record.decision.type == \"credit\"'}]\n",
    );
    let (other, _) = plan(&site);
    let expected = [
        change("standard", "eu-ai-act-deployer-logs", "stronger"),
        change("credit", "cftc-1-31", "same"),
        change("long", "standard", "shorter"),
    ];
    assert_eq!(changes(&other), expected.into());
    assert_eq!(site.sealed_lines(), lines, "a plan changes nothing");
    let (none, _) = {
        let out = site.run(&["retention", "plan", "--to", "2020-01-01", "--format", "json"]);
        (serde_json::from_str::<Value>(&out.stdout).unwrap(), out.status.code())
    };
    assert_eq!(none["records"], json!(0));
}

/// Guarantee: what is irreversible and beyond the ceiling is named by a plan, with exit code 1, and refused by `serve` until the ceiling is
/// raised.
#[test]
fn compliance_beyond_the_ceiling_is_planned_and_not_served() {
    let site = sealed(&yaml(""));
    let long = "retention:\n  classes: [{name: standard, mode: COMPLIANCE, period: 11y}]\n";
    rewrite(&site, long);
    let (planned, code) = plan(&site);
    assert_eq!(code, Some(1));
    assert!(planned["refused"].as_str().unwrap().contains("compliance_ceiling"), "{planned}");
    let told = site.run(&["retention", "plan"]);
    assert!(told.stdout.starts_with("`serve` refuses this configuration"), "{told}");
    assert!(told.stdout.contains("nobody, not even the account's owner"), "{told}");
    let served = site.run(&["serve"]);
    assert_eq!(served.status.code(), Some(2), "{served}");
    assert!(served.stderr.contains("compliance_ceiling"), "{served}");
    rewrite(&site, &format!("{long}  compliance_ceiling: 12y\n"));
    assert_eq!(plan(&site).1, Some(0));
}

/// Guarantee: a policy that changes is on record, with its text before and after.
#[test]
fn a_changed_policy_is_on_record() {
    let site = sealed(&yaml(""));
    rewrite(&site, &yaml("").replace("version: '3'", "version: '4'"));
    assert!(site.serve().stop().success());
    let out = site.run(&["query", "--kind", "config_change", "--format", "jsonl"]).success();
    let records: Vec<Value> = out.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let versions: BTreeSet<String> = records
        .iter()
        .map(|record| serde_json::from_str::<Value>(record["change"]["after"].as_str().unwrap()).unwrap())
        .map(|after| after["retention"]["policies"][0]["version"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(versions, ["3".to_owned(), "4".to_owned()].into());
}

#[test]
fn presets_are_listed_and_explained() {
    let site = Site::local();
    let all = site.run(&["retention", "presets", "--format", "json"]).success();
    assert!(serde_json::from_str::<Vec<Value>>(&all.stdout).unwrap().len() >= 20);
    let one = site.run(&["retention", "presets", "--id", "eu-ai-act-provider-logs"]).success();
    assert!(one.stdout.contains("Art. 19(1)") && one.stdout.contains("six months"), "{one}");
    let unknown = site.run(&["retention", "presets", "--id", "eu-ai-act"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("the nearest is `eu-ai-act-"), "{unknown}");
    let slip = site.run(&["retention", "presets", "--id", "eu-ai-act-provider-log"]);
    assert!(slip.stderr.contains("the nearest is `eu-ai-act-provider-logs`"), "{slip}");
    let stranger = site.run(&["retention", "presets", "--id", "foo"]);
    assert!(!stranger.stderr.contains("nearest") && stranger.stderr.contains("`spanseal retention presets` lists them"), "{stranger}");
}

/// Guarantee: `retention plan` ends with 0 where the configuration would be taken, with 1 where `serve` would refuse it for what a plan can tell,
/// with 2 where not all could be read or the configuration is none, and with 64 where the command line is wrong; its help says so.
#[test]
fn the_exit_codes_of_a_plan_are_as_its_help_says() {
    let site = sealed(&yaml(""));
    let code = |arguments: &[&str]| site.run(&[&["retention", "plan"], arguments].concat()).status.code();
    assert_eq!((code(&[]), code(&["--from", "tomorrow"])), (Some(0), Some(64)));
    rewrite(&site, &yaml("  compliance_ceiling: 4y\n"));
    assert_eq!(code(&[]), Some(1));
    let segments = site.path("store/spanseal/segments");
    std::fs::rename(&segments, site.path("elsewhere")).unwrap();
    assert_eq!(code(&[]), Some(2), "what could not be read outweighs what would be refused");
    rewrite(&site, &yaml(""));
    assert_eq!(code(&[]), Some(2));
    std::fs::rename(site.path("elsewhere"), &segments).unwrap();
    rewrite(&site, "retention: {classes: [{name: standard, period: forever}]}\n");
    assert_eq!(code(&[]), Some(2));
    let help = site.run(&["retention", "plan", "--help"]).success().stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("Exit codes: 0 ") && help.contains("64 the command line is wrong"), "{help}");
}
