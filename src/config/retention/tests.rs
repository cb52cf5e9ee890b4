//! What an operator sees who says how long records are kept: what loads, where a mistake is told, and what is on record.

use crate::clock::UnixSeconds;
use crate::config::{Config, ConfigError, Environment, Overrides, PrintFormat};
use crate::record::canonical::Json;
use crate::retain::Classes;
use crate::retain::presets::{PRESETS, Scope};

const NOW: UnixSeconds = UnixSeconds(1_795_000_000);

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::parse("spanseal.yaml", text, &Overrides::default(), &Environment::of([("CLASS", "credit")]), NOW)
}

/// The sentence without the drawn line.
fn sentence(text: &str) -> String {
    load(text).expect_err(text).to_string().lines().next().unwrap_or_default().to_owned()
}

const FULL: &str = r#"
retention:
  classes:
    - {name: standard, mode: GOVERNANCE, period: 180d}
    - {name: credit, mode: COMPLIANCE, period: 5y}
  default: standard
  policies:
    - {id: credit, version: "2026-11", when: 'record.decision.type == "credit"', class: "${env:CLASS}"}
    - {id: everything, class: eu-ai-act-deployer-logs}
  presets:
    - eu-ai-act-deployer-logs
    - {id: us-ecoa-25m, as_of: 2026-11-20, when: 'record.decision.type == "credit"', period: 5y, mode: GOVERNANCE}
    - {id: cftc-1.31}
"#;

#[test]
fn policies_and_presets_are_read_and_printed_so_that_they_load_again() {
    let config = load(FULL).unwrap();
    let of = &config.retention;
    let class = |name: &str| of.classes.class(of.classes.find(name).unwrap());
    assert_eq!((class("eu-ai-act-deployer-logs").period.to_string(), class("cftc-1-31").period.to_string()), ("24mo".into(), "5y".into()));
    assert_eq!(class("us-ecoa-25m").mode.as_str(), "GOVERNANCE");
    let labels: Vec<String> = of.policies.iter().map(|policy| policy.label()).collect();
    assert_eq!(
        labels,
        ["credit@2026-11", "everything", "eu-ai-act-deployer-logs@2026-11-20", "us-ecoa-25m@2026-11-20", "cftc-1.31@2026-11-20"]
    );
    for format in [PrintFormat::Yaml, PrintFormat::Json] {
        let printed = config.print(format);
        let again = load(&printed).unwrap_or_else(|e| panic!("{e}\n{printed}"));
        assert_eq!(again.sha256("00"), config.sha256("00"), "{printed}");
        assert_eq!(again.retention.policies, of.policies);
    }
}

/// Guarantee: whoever reads an old configuration on record finds the locks that evidence had under it, presets included.
#[test]
fn evidence_written_under_presets_has_their_locks() {
    let config = load(FULL).unwrap();
    let on_record = Json::parse(config.sealed_text("00").as_bytes()).unwrap();
    for from in [NOW, UnixSeconds(1_835_395_200)] {
        assert_eq!(Classes::evidence_lock_under(&on_record, from, []), Some(config.retention.classes.evidence_lock(from, [])));
    }
}

/// Guarantee: every preset that is about evidence can be chosen, alone, with nothing but what it lacks.
#[test]
fn every_preset_can_be_chosen() {
    for preset in PRESETS.iter().filter(|preset| preset.scope == Scope::Evidence) {
        let (id, period) = (preset.id, if preset.suggested.is_none() { ", period: 9y" } else { "" });
        let config = load(&format!("retention: {{presets: [{{id: {id}{period}}}]}}\n")).unwrap_or_else(|e| panic!("{id}: {e}"));
        assert_eq!(config.retention.policies.len(), 1);
        let warned = |part: &str| config.warnings.iter().any(|warning| warning.contains(id) && warning.contains(part));
        assert_eq!(warned("not held against the primary text"), !preset.checked, "{id}");
        assert_eq!(warned("extend those records"), !preset.from_record, "{id}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_at_its_place() {
    for (text, said) in [
        (
            "presets: [eu-ai-act-deployer-log]",
            "1:23: `retention.presets[0].id`: `eu-ai-act-deployer-log` is no preset; the nearest is `eu-ai-act-deployer-logs`",
        ),
        ("presets: [gdpr-storage-limited]", "limits how long content is kept, not evidence: set `content.vault.retention`"),
        ("presets: [legal-hold]", "`spanseal hold place`"),
        ("presets: [sec-17a4-6y, sec-17a4-6y]", "`retention.presets[1].id`: `sec-17a4-6y` stands there twice"),
        (
            "presets: [{id: eu-ai-act-deployer-logs, period: 5mo}]",
            "5mo is not always as long as the 6mo that preset `eu-ai-act-deployer-logs` names as the least",
        ),
        ("presets: [{id: eu-ai-act-deployer-logs, period: 182d}]", "182d is not always as long as the 6mo"),
        ("presets: [{id: fda-part11}]", "preset `fda-part11` needs a `period`"),
        ("presets: [{id: dora-5y, as_of: 2020-01-01}]", "knows the preset as of 2026-11-20, not 2020-01-01"),
        ("presets: [{id: sec-17a4-6y}, {id: iso-42001, period: 8y}]", "{name: iso-42001-strict, mode: COMPLIANCE, period: 8y}"),
        (
            "classes: [{name: standard, period: 180d}, {name: sox-7y, period: 8y}], presets: [sox-7y]",
            "retention class `sox-7y` is GOVERNANCE for 8y, and the preset of that name makes it COMPLIANCE for 7y",
        ),
        ("presets: [{id: eu-ai-act-technical-docs, period: 11y}]", "longer than compliance_ceiling (10y)"),
        ("policies: [{when: 'record.kind == \"tool\"', class: standard}]", "a retention policy needs an `id`"),
        ("policies: [{id: a, class: nobody}]", "`retention.policies[0].class`: `nobody` is none of `retention.classes`"),
        ("policies: [{id: a}]", "retention policy `a` needs a `class`"),
        ("policies: [{id: a, class: standard}, {id: a, class: standard}]", "two retention policies are called `a`"),
        ("policies: [{id: a@b, class: standard}]", "has an `@`"),
        ("policies: [{id: sox-7y, class: standard}]", "the name of a preset"),
        ("policies: [{id: a, when: 'record.kynd == \"tool\"', class: standard}]", "`kynd` is no member of the record"),
        ("policies: [{id: a, when: 'attributes[\"x\"] == 1', class: standard}]", "attributes"),
        ("policies: [{id: a, when: 'record.source.service == \"a@b.example\"', class: standard}]", "looks like a person"),
        ("policies: [{id: a, clas: standard}]", "unknown key `clas`"),
    ] {
        let got = sentence(&format!("retention: {{{text}}}\n"));
        assert!(got.contains(said), "{text}\n  {got}\n  {said}");
    }
    let many: Vec<String> = (0..65).map(|i| format!("{{id: p{i}, class: standard}}")).collect();
    assert!(sentence(&format!("retention: {{policies: [{}]}}", many.join(", "))).contains("more than 64"));
}

#[test]
fn a_policy_that_changes_nothing_is_told() {
    let config =
        load("retention: {classes: [{name: standard, period: 1y}, {name: short, period: 30d}], policies: [{id: debug, class: short}]}")
            .unwrap();
    assert!(config.warnings.iter().any(|warning| warning.contains("`debug` changes nothing")), "{:?}", config.warnings);
}

/// Guarantee: how often locks are attested is once a day, may be said in days, and may be nothing.
#[test]
fn how_often_locks_are_attested_is_read_and_printed() {
    for (said, seconds, printed) in [
        ("", Some(86_400), "24h"),
        ("retention: {attest_every: 7d}", Some(7 * 86_400), "168h"),
        ("retention: {attest_every: 1h30m}", Some(5400), "1h30m"),
        ("retention: {attest_every: 10s}", Some(10), "10s"),
        ("retention: {attest_every: 31d}", Some(31 * 86_400), "744h"),
        ("retention: {attest_every: off}", None, "off"),
    ] {
        let config = load(said).unwrap();
        assert_eq!(config.retention.attest_every.map(|every| every.as_secs()), seconds, "{said}");
        let json = Json::parse(config.print(PrintFormat::Json).as_bytes()).unwrap();
        assert_eq!(json.path("retention.attest_every").and_then(Json::as_str), Some(printed));
        assert_eq!(load(&config.print(PrintFormat::Yaml)).unwrap().retention.attest_every, config.retention.attest_every);
    }
    for wrong in ["9s", "32d", "d", "99999999999999999999d", "-1d", "often", "0"] {
        let said = sentence(&format!("retention: {{attest_every: {wrong}}}"));
        assert!(said.contains("`retention.attest_every`"), "{said}");
    }
}
