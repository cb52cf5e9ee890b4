//! Which policies a record matches, and that a sealed record matches the same ones.

use super::*;
use crate::config::{Config, Environment, Overrides};
use crate::promote::retention::of_record;
use crate::promote::testing::span;

fn config(yaml: &str) -> Config {
    let config = Config::parse("spanseal.yaml", yaml, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_187_350));
    config.unwrap_or_else(|e| panic!("{e}\n{yaml}"))
}

fn with(config: &Config) -> Promoter {
    let settings =
        Settings { classes: Arc::new(config.retention.classes.clone()), policies: config.retention.policies.clone(), ..settings() };
    Promoter::new(settings).unwrap()
}

const YAML: &str = r#"
retention:
  classes:
    - {name: standard, period: 180d}
    - {name: credit, mode: COMPLIANCE, period: 5y}
    - {name: long, period: 5y, claimable: true}
    - {name: year, period: 1y}
  policies:
    - {id: credit, version: "3", when: 'record.decision.type == "credit"', class: credit}
    - {id: risky, when: 'has(record.system.risk_class) && record.system.risk_class != "minimal"', class: year}
    - {id: unsure, when: 'record.confidence.score < 0.5', class: long}
    - {id: mistaken, when: 'record.confidence.score < "low"', class: credit}
    - {id: calls, when: 'record.kind in ["inference", "tool"]', class: year}
"#;

#[test]
fn every_policy_that_matches_is_named_and_the_longest_counts() {
    let config = config(YAML);
    let promoter = with(&config);
    let text = |key: &'static str, value: &str| (key, Any::text(value));
    let kind = || text("ai_audit.decision.type", "credit");
    let risk = || text("ai_audit.system.risk_class", "high");
    let claim = |class: &str| text("ai_audit.retention.class", class);
    let score = |score: f64| ("ai_audit.confidence.score", Any::double(score));
    for (sent, class, policies, undecided) in [
        (vec![kind()], "credit", vec!["credit@3"], 0),
        (vec![kind(), risk()], "credit", vec!["credit@3", "risky"], 0),
        (vec![risk(), text("ai_audit.decision.outcome", "no")], "year", vec!["risky"], 0),
        // What asks for a member that is not there does not hold, and that is no mistake.
        (vec![text("ai_audit.decision.outcome", "no")], "standard", vec![], 0),
        // A text is no number: that is one, and is counted.
        (vec![kind(), score(0.4)], "credit", vec!["credit@3", "unsure"], 1),
        (vec![text("ai_audit.decision.outcome", "no"), score(0.9)], "standard", vec![], 1),
        (vec![text("gen_ai.operation.name", "chat")], "year", vec!["calls"], 0),
        // A claim lengthens what a policy says, and neither shortens nor lowers it.
        (vec![text("gen_ai.operation.name", "chat"), claim("long")], "long", vec!["calls"], 0),
        (vec![kind(), claim("long")], "credit", vec!["credit@3"], 0),
        (vec![kind(), claim("standard")], "credit", vec!["credit@3"], 0),
        (vec![risk(), text("ai_audit.decision.outcome", "no"), claim("credit")], "year", vec!["risky"], 0),
    ] {
        let (lines, tally, batch) = lines(&promoter, &request(&resource(), ("s", "1"), &[span("decide", &sent)]), false);
        let json = &lines[0];
        assert_eq!(at(json, "retention.class"), class, "{sent:?}");
        assert_eq!(names(json, "retention.policies"), policies, "{sent:?}");
        assert_eq!(tally.undecided, undecided, "{sent:?}");
        assert_eq!(config.retention.classes.class(batch.records[0].class).name, class, "the segment that it goes to");
        let again = of_record(&config.retention.classes, &config.retention.policies, json);
        assert_eq!((again.class, again.policies), (batch.records[0].class, names(json, "retention.policies")), "{sent:?}");
        assert_eq!(again.undecided, undecided, "{sent:?}");
    }
}

/// Guarantee: in whatever order policies stand, records get the same class.
#[test]
fn the_order_of_policies_says_nothing() {
    let yaml = |policies: [&str; 3]| {
        format!(
            "retention:\n  classes:\n    - {{name: standard, period: 180d}}\n    - {{name: a, period: 3y}}\n    - {{name: b, mode: COMPLIANCE, period: 1y}}\n    \
             - {{name: both, mode: COMPLIANCE, period: 36mo}}\n  policies:\n    - {}\n    - {}\n    - {}\n",
            policies[0], policies[1], policies[2]
        )
    };
    let (a, b, c) = (
        "{id: a, when: 'record.kind == \"decision\"', class: a}",
        "{id: b, when: 'has(record.decision.outcome)', class: b}",
        "{id: c, when: 'record.decision.type == \"x\"', class: standard}",
    );
    for order in [[a, b, c], [b, a, c], [c, b, a], [a, c, b], [b, c, a], [c, a, b]] {
        let promoter = with(&config(&yaml(order)));
        let sent = [("ai_audit.decision.outcome", Any::text("no")), ("ai_audit.decision.type", Any::text("x"))];
        let (lines, ..) = lines(&promoter, &request(&[], ("s", "1"), &[span("decide", &sent)]), false);
        // Neither class is enough for both demands.
        assert_eq!(at(&lines[0], "retention.class"), "both", "{order:?}");
        assert_eq!(names(&lines[0], "retention.policies").len(), 3);
    }
}

#[test]
fn a_preset_is_a_policy_whose_version_is_the_day_it_was_looked_at() {
    let config = config("retention:\n  presets:\n    - eu-ai-act-deployer-logs\n    - {id: dpdp-consent-manager, period: 8y}\n");
    let promoter = with(&config);
    let outcome = ("ai_audit.decision.outcome", Any::text("no"));
    let (first, ..) = lines(&promoter, &request(&[], ("s", "1"), &[span("decide", std::slice::from_ref(&outcome))]), false);
    assert_eq!(at(&first[0], "retention.class"), "eu-ai-act-deployer-logs");
    assert_eq!(names(&first[0], "retention.policies"), ["eu-ai-act-deployer-logs@2026-11-20"]);
    let consent = ("ai_audit.lineage.consent.id", Any::text("c-1"));
    let (second, ..) = lines(&promoter, &request(&[], ("s", "1"), &[span("decide", &[outcome, consent])]), false);
    assert_eq!(at(&second[0], "retention.class"), "dpdp-consent-manager");
    assert_eq!(names(&second[0], "retention.policies").len(), 2);
}
