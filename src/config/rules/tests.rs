//! What an operator sees who writes a rule: what loads, where a mistake is told, and that every rule is part of the hash.

use crate::clock::UnixSeconds;
use crate::config::{Config, ConfigError, Environment, Overrides, PrintFormat};
use crate::record::canonical::Json;

const NOW: UnixSeconds = UnixSeconds(1_795_000_000);

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::parse("spanseal.yaml", text, &Overrides::default(), &Environment::of([("CLASS", "limited")]), NOW)
}

/// The sentence without the drawn line.
fn sentence(text: &str) -> String {
    load(text).expect_err(text).to_string().lines().next().unwrap_or_default().to_owned()
}

/// Every key that a rule and a threshold may have.
const FULL: &str = r#"
promotion:
  rules:
    - name: credit decisions
      match:
        signal: span
        scope: credit.*
        name: "*.predict"
        resource: {service.name: credit-scoring}
        has: [b, a, b]
        attributes: {audit.decision: true, audit.level: "3"}
        when: attributes["audit.confidence"] < 0.9 && span.kind != "client"
      promote: true
      kind: decision
      from:
        decision.outcome: audit.output
        model.id: [audit.model.id, audit.model]
        input: [audit.features.names, audit.features.values]
        policy.outcome: {attribute: passed, values: {"true": allow, "false": deny}}
      set:
        system.risk_class: ${env:CLASS}
        regulation.frameworks: [eu-ai-act, gdpr]
        confidence.threshold: 0.5
      keep: [audit.channel, "genkit:type"]
      drop: [audit.debug]
    - {name: all of them, match: {resource: {service.name: x}}, promote: false, set: {system.id: s-1}}
confidence:
  thresholds:
    - {name: credit, when: 'record.decision.type == "credit_approval"', threshold: 0.8}
    - {threshold: 0.5}
"#;

#[test]
fn a_rule_is_read_and_printed_so_that_it_loads_again() {
    let config = load(FULL).unwrap();
    let rule = &config.promotion.rules[0];
    assert_eq!(rule.has.iter().map(|k| k.text()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(rule.set[2].written(), ["limited"]);
    assert!(!config.promotion.rules[1].promote);
    assert_eq!(config.confidence.thresholds[1].threshold, 0.5);
    for format in [PrintFormat::Yaml, PrintFormat::Json] {
        let printed = config.print(format);
        let again = load(&printed).unwrap_or_else(|e| panic!("{e}\n{printed}"));
        assert_eq!(again.promotion, config.promotion, "{printed}");
        assert_eq!(again.confidence, config.confidence, "{printed}");
        assert_eq!(again.sha256("id"), config.sha256("id"));
    }
}

/// The effective rules and thresholds are part of what every seal names by hash.
#[test]
fn every_part_of_a_rule_changes_the_hash_of_the_configuration() {
    let hash = |text: &str| load(text).unwrap_or_else(|e| panic!("{e}")).sha256("id");
    let whole = hash(FULL);
    assert_ne!(whole, hash(""));
    for (from, to) in [
        ("name: credit decisions", "name: decisions"),
        ("scope: credit.*", "scope: credit.model"),
        ("\"*.predict\"", "predict"),
        ("credit-scoring", "scoring"),
        ("has: [b, a, b]", "has: [a]"),
        ("audit.decision: true", "audit.decision: false"),
        ("< 0.9", "< 0.8"),
        ("promote: true", "promote: false"),
        ("kind: decision", "kind: inference"),
        ("decision.outcome: audit.output", "decision.outcome: audit.out"),
        ("[audit.model.id, audit.model]", "[audit.model, audit.model.id]"),
        ("\"false\": deny", "\"false\": escalate"),
        ("confidence.threshold: 0.5", "confidence.threshold: 0.6"),
        ("keep: [audit.channel, ", "keep: ["),
        ("drop: [audit.debug]", "drop: [audit.trace]"),
        ("threshold: 0.8", "threshold: 0.9"),
        ("name: credit, when", "name: loans, when"),
        ("\"credit_approval\"", "\"loan\""),
        ("- {threshold: 0.5}", ""),
    ] {
        assert!(FULL.contains(from), "{from}");
        assert_ne!(hash(&FULL.replace(from, to)), whole, "{from} -> {to}");
    }
    // What says nothing changes nothing.
    assert_eq!(hash(&FULL.replace("has: [b, a, b]", "has: [a, b]")), whole);
    let sealed = Json::parse(load(FULL).unwrap().sealed_text("id").as_bytes()).unwrap();
    assert!(sealed.path("promotion.rules").is_some() && sealed.path("confidence.thresholds").is_some());
}

/// A rule in flow style on one line behind `promotion: {rules: [`, which is 20 characters.
fn rule(inside: &str) -> String {
    format!("promotion: {{rules: [{{name: r, match: {{name: x}}, {inside}}}]}}")
}

#[test]
fn mistakes_in_rules_are_told_at_their_place() {
    let mut wrong = Vec::new();
    for (text, want) in [
        (
            rule("from: {modl.id: a}"),
            "1:56: `promotion.rules[0].from`: `modl.id` is no member of the record that a rule can set; the nearest is `model.id`",
        ),
        (
            rule("set: {time.received: a}"),
            "1:55: `promotion.rules[0].set`: `time.received` is what the receiver itself knows or was told on the wire; no rule sets it",
        ),
        (
            rule("set: {source.signal: control}"),
            "1:55: `promotion.rules[0].set`: `source.signal` is what the receiver itself knows or was told on the wire; no rule sets it",
        ),
        (
            rule("set: {retention.class: short}"),
            "1:55: `promotion.rules[0].set`: `retention.class` is not for rules: how long a record is kept is said in `retention`",
        ),
        (
            rule("set: {confidence.threshold: high}"),
            "1:77: `promotion.rules[0].set.confidence.threshold`: `confidence.threshold` is a number, and `high` is none",
        ),
        (
            rule("set: {decision.authority: officer.meier@bank.example}"),
            "1:75: `promotion.rules[0].set.decision.authority`: looks like a person (an e-mail address or a telephone number), and the configuration is sealed in clear",
        ),
        (
            rule("set: {subject.id: alice}"),
            "1:67: `promotion.rules[0].set.subject.id`: `subject.id` is a person, and the configuration is sealed in clear; let an attribute hold the person, under `from`",
        ),
        (
            rule("kind: erasure"),
            "1:55: `promotion.rules[0].kind`: `erasure` is no kind of record that telemetry makes; the nearest is `rerank`",
        ),
        (
            rule("from: {decision.outcome: gen_ai.input.messages}"),
            "1:74: `promotion.rules[0].from.decision.outcome`: `gen_ai.input.messages` holds what belongs to one person, and `decision.outcome` is kept in clear",
        ),
        (
            rule("from: {decision.outcome: llm.input_messages.0.message.content}"),
            "1:74: `promotion.rules[0].from.decision.outcome`: `llm.input_messages.0.message.content` holds what belongs to one person, and `decision.outcome` is kept in clear",
        ),
        (
            rule("from: {input: http.request.header.cookie}"),
            "1:63: `promotion.rules[0].from.input`: `http.request.header.cookie` is never stored (client addresses, user agents, headers, cookies, processes, hosts and their users)",
        ),
        (rule("keep: [user.id]"), "1:56: `promotion.rules[0].keep[0]`: `user.id` holds a person, and `attributes` are kept in clear"),
        (rule("from: {policy.outcome: {attribute: p, values: {yes: }}}"), "1:96: say which word of the record `yes` is"),
        (
            rule("from: {review.overridden: {attribute: p, values: {yes: maybe}}}"),
            "1:104: `promotion.rules[0].from.review.overridden.values.yes`: `review.overridden` is true or false, and `maybe` is none",
        ),
        (rule("form: {model.id: a}"), "1:49: unknown key `form` in `promotion.rules[0]`; the nearest known key is `from`"),
        (rule("drop: [a], keep: [a]"), "1:21: rule `r` drops `a`, which it also reads or keeps"),
        (
            rule("from: {subject.id: a}, keep: [a]"),
            "1:21: rule `r` keeps `a` in `attributes`, which it also reads into `subject.id`; an attribute has one home",
        ),
        (rule("from: {model.id: a}, set: {model.id: b}"), "1:21: rule `r` has `model.id` both under `from` and under `set`"),
        (
            "promotion: {rules: [{name: r, match: {resource: {a: b}}, kind: decision}]}".to_owned(),
            "1:21: rule `r` promotes whatever its resource sends: a resource never suffices, so add `scope`, `name`, `has` or `attributes` to its `match`, \
             or write `promote: false` to speak only of what is promoted anyway",
        ),
        (
            "promotion: {rules: [{name: r, promote: false, kind: event}]}".to_owned(),
            "1:21: rule `r` matches everything; write what it is for under `match`",
        ),
        (
            "promotion: {rules: [{name: r, match: {name: x}, promote: false}]}".to_owned(),
            "1:21: rule `r` does nothing: it neither promotes, nor states a kind, nor has `from`, `set`, `keep` or `drop`",
        ),
        ("promotion: {rules: [{match: {name: x}}]}".to_owned(), "1:21: a rule needs a `name`, by which messages speak of it"),
        (
            "promotion: {rules: [{name: r, match: {name: x}}, {name: r, match: {name: y}}]}".to_owned(),
            "1:50: two rules are called `r`; a name tells one from the other",
        ),
        (
            "promotion: {rules: [{name: r, match: {nmae: x}}]}".to_owned(),
            "1:39: unknown key `nmae` in `promotion.rules[0].match`; the nearest known key is `name`",
        ),
        (
            "promotion: {rules: [{name: r, match: {signal: metric}}]}".to_owned(),
            "1:47: `promotion.rules[0].match.signal`: `metric` is not one of `span`, `span_event`, `log`",
        ),
        (
            "promotion: {rules: [{name: r, match: {name: '*'}}]}".to_owned(),
            "1:45: `promotion.rules[0].match.name`: `*` alone is everything; leave the key away",
        ),
        (
            "promotion: {rules: [{name: r, match: {attributes: {a: }}}]}".to_owned(),
            "1:52: say what `a` has to be; that it is there at all is asked under `has`",
        ),
        ("confidence: {thresholds: [{when: record.kind == 'a'}]}".to_owned(), "1:27: a threshold needs a `threshold`, as in 0.8"),
        (
            "confidence: {thresholds: [{threshold: high}]}".to_owned(),
            "1:39: `confidence.thresholds[0].threshold`: `high` is no number; write it as scores are sent, as in 0.8",
        ),
        (
            "confidence: {thresholds: [{threshold: 1}, {threshold: 2}]}".to_owned(),
            "1:43: the threshold before this one has no `when` and holds for everything, so this one never counts",
        ),
    ] {
        let (got, want) = (sentence(&text), format!("spanseal.yaml:{want}"));
        if got != want {
            wrong.push(format!("{text}\n  want {want}\n  got  {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An expression is told at the very character, however YAML wrapped it.
#[test]
fn mistakes_in_conditions_are_told_inside_the_expression() {
    let want = |place: &str, at: usize| {
        format!(
            "spanseal.yaml:{place}: `promotion.rules[0].match.when` at character {at} of the condition: `span` has no `nmae`; the nearest is `span.name`"
        )
    };
    let with = |when: &str| format!("promotion:\n  rules:\n    - name: r\n      match:\n        name: x\n        when: {when}\n");
    assert_eq!(sentence(&with("true && span.nmae == \"x\"")), want("6:23", 9));
    assert_eq!(sentence(&with("'true && span.nmae == \"x\"'")), want("6:24", 9));
    assert_eq!(sentence(&with("|\n          true &&\n          span.nmae == \"x\"")), want("8:11", 9));
    // Where quotes change the letters the value's own place is told, and the character still.
    assert_eq!(sentence(&with("\"true && span.nmae == \\\"x\\\"\"")), want("6:15", 9));
    let shown = load(&with("true && span.nmae == \"x\"")).unwrap_err().to_string();
    assert!(shown.ends_with("6 |         when: true && span.nmae == \"x\"\n  |                       ^"), "{shown}");
    let threshold = sentence("confidence:\n  thresholds:\n    - when: record.kid == \"decision\"\n      threshold: 0.8\n");
    assert_eq!(
        threshold,
        "spanseal.yaml:3:13: `confidence.thresholds[0].when` at character 1 of the condition: `kid` is no member of the record; the nearest is `kind`"
    );
}

/// What any vocabulary knows as a person or as content is not put into the clear: not by its own name, not inside a carrier.
#[test]
fn nothing_known_as_a_person_or_content_is_put_into_the_clear() {
    let mut accepted = Vec::new();
    for key in [
        "prompt",
        "user_prompt",
        "tool_input",
        "user.id",
        "user.email",
        "user.full_name",
        "enduser.name",
        "mlflow.trace.user",
        "langfuse.trace.metadata.user_id",
        "gen_ai.request.user",
        "ai_audit.subject.id",
        "baggage.ai_audit.subject.id",
        "traceloop.association.properties.ai_audit.subject.id",
        "ai_audit.explanation.attributions",
        "llm.input_messages",
        "retrieval.documents",
        "metadata",
        "url.full",
        "url.query",
        "http.url",
        "http.target",
        "db.statement",
        "db.query.text",
        "db.query.parameter.0",
        "log.record.original",
        "exception.message",
    ] {
        for text in [
            rule(&format!("keep: ['{key}']")),
            rule(&format!("from: {{decision.outcome: '{key}'}}")),
            format!("promotion: {{keep_attributes: ['{key}']}}"),
            format!("identity: {{realm: '{key}'}}"),
        ] {
            if load(&text).is_ok() {
                accepted.push(text);
            }
        }
    }
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
    for inside in [
        "keep: [audit.channel, enduser.role, error.type, db.system, service.user_count]",
        "from: {decision.outcome: decision, model.id: model, tool.name: tool_name}",
        "from: {subject.id: user.email, input: prompt, actor.user_id: gen_ai.request.user, tool.arguments: [db.query.text, url.full]}",
        "from: {retrieval.documents: retrieval.documents, explanation.attributions: ai_audit.explanation.attributions}",
    ] {
        load(&rule(inside)).unwrap_or_else(|e| panic!("{e}"));
    }
    load("promotion: {keep_attributes: [app.kept]}\nidentity: {realm: tenant.name}").unwrap();
}

/// No table knows the names that a team made up: once a rule says that an attribute holds a person, nothing puts it into the clear, and the
/// place that would is told.
#[test]
fn what_a_rule_reads_as_a_person_is_put_into_the_clear_by_nobody() {
    let two = |person: &str, clear: &str| {
        format!("promotion:\n  rules:\n    - {{name: who, {person}, from: {{subject.id: cust}}}}\n    - {{name: what, {clear}}}\n")
    };
    let because = "`cust` holds a person, because rule `who` reads it into `subject.id`, and";
    let apart = "leave it away here, or, where it is another application's attribute of the same name, give both rules a `match.resource` (or \
                 `match.scope`) that tells the two apart";
    let mut wrong = Vec::new();
    for (text, want) in [
        (
            rule("from: {subject.id: cust, decision.outcome: cust}"),
            format!(
                "1:92: `promotion.rules[0].from.decision.outcome`: `cust` holds a person, because rule `r` reads it into `subject.id`, and \
                 `decision.outcome` is kept in clear; {apart}"
            ),
        ),
        (
            two("match: {name: a}", "match: {name: b}, from: {model.id: [m, cust]}"),
            format!("4:59: `promotion.rules[1].from.model.id[1]`: {because} `model.id` is kept in clear; {apart}"),
        ),
        (
            two("match: {name: a}", "match: {signal: span_event, name: b}, from: {actor.session_id: {attribute: cust}}"),
            format!("4:95: `promotion.rules[1].from.actor.session_id.attribute`: {because} `actor.session_id` is kept in clear; {apart}"),
        ),
        (
            two("match: {name: a}", "match: {name: a}, keep: [b, cust]"),
            format!("4:48: `promotion.rules[1].keep[1]`: {because} `attributes` are kept in clear; {apart}"),
        ),
        (
            two("match: {name: a, resource: {service.name: 'x*'}}", "match: {name: a, resource: {service.name: y}}, keep: [cust]"),
            format!("4:74: `promotion.rules[1].keep[0]`: {because} `attributes` are kept in clear; {apart}"),
        ),
        (
            format!(
                "{}  keep_attributes: [b, cust]\n",
                two("match: {name: a, resource: {service.name: x}}", "match: {name: a}, kind: event")
            ),
            format!("5:24: `promotion.keep_attributes[1]`: {because} `attributes` are kept in clear; leave the key away"),
        ),
    ] {
        let (got, want) = (sentence(&text), format!("spanseal.yaml:{want}"));
        if got != want {
            wrong.push(format!("{text}\n  want {want}\n  got  {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for fine in [
        // Two roles of one person, content, and another application's or library's attribute.
        rule("from: {subject.id: cust, actor.user_id: cust, input: [cust, other]}"),
        two(
            "match: {name: a, resource: {service.name: x}}",
            "match: {name: a, resource: {service.name: y}}, from: {decision.outcome: cust}",
        ),
        two("match: {scope: x}", "match: {scope: y}, keep: [cust]"),
    ] {
        load(&fine).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// Rules and thresholds are sealed in clear: no text of theirs may hold a person, whatever it is for.
#[test]
fn no_text_of_a_rule_or_threshold_may_hold_a_person() {
    let rules = |place: &str, inside: &str| (format!("promotion.rules[0]{place}"), format!("promotion: {{rules: [{inside}]}}"));
    let thresholds =
        |place: &str, inside: &str| (format!("confidence.thresholds[0]{place}"), format!("confidence: {{thresholds: [{inside}]}}"));
    let mut wrong = Vec::new();
    for who in ["EMP-1234", "alice.meier@bank.example"] {
        for (place, text) in [
            rules(".name", &format!("{{name: '{who}', match: {{name: x}}}}")),
            rules(".match.scope", &format!("{{name: r, match: {{scope: '{who}'}}}}")),
            rules(".match.has[1]", &format!("{{name: r, match: {{has: [a, 'z {who}']}}}}")),
            rules(".match.attributes", &format!("{{name: r, match: {{attributes: {{'{who}': x}}}}}}")),
            rules(".match.resource", &format!("{{name: r, match: {{name: x, resource: {{'{who}': x}}}}}}")),
            rules(".match.when", &format!("{{name: r, match: {{name: x, when: 'attributes.a == \"{who}\"'}}}}")),
            rules(".from.model.id", &format!("{{name: r, match: {{name: x}}, from: {{model.id: '{who}'}}}}")),
            rules(
                ".from.policy.outcome.values",
                &format!("{{name: r, match: {{name: x}}, from: {{policy.outcome: {{attribute: p, values: {{'{who}': allow}}}}}}}}"),
            ),
            rules(
                ".from.decision.outcome.values",
                &format!("{{name: r, match: {{name: x}}, from: {{decision.outcome: {{attribute: p, values: {{a: '{who}'}}}}}}}}"),
            ),
            rules(".set.decision.authority", &format!("{{name: r, match: {{name: x}}, set: {{decision.authority: 'desk {who}'}}}}")),
            rules(".keep[0]", &format!("{{name: r, match: {{name: x}}, keep: ['{who}']}}")),
            rules(".drop[0]", &format!("{{name: r, match: {{name: x}}, drop: ['{who}']}}")),
            thresholds(".name", &format!("{{name: '{who}', threshold: 0.5}}")),
            thresholds(".when", &format!("{{when: 'record.decision.type == \"{who}\"', threshold: 0.5}}")),
        ] {
            match load(&format!("identity: {{scrub: ['EMP-####']}}\n{text}")).map_err(|e| e.to_string()) {
                Err(told) if told.contains(&place) && told.contains("looks like a person") => {}
                other => wrong.push(format!("{text}: {:?}", other.err())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is allowed because vocabularies are open, and yet is surely a mistake, is said at start.
#[test]
fn what_is_surely_a_mistake_is_warned_of() {
    let mut silent = Vec::new();
    for (text, wants) in [
        ("confidence: {thresholds: [{threshold: 1.8}]}".to_owned(), ["`confidence.thresholds[0].threshold`", "1.8", "between 0 and 1"]),
        ("confidence: {thresholds: [{threshold: -0.1}]}".to_owned(), ["`confidence.thresholds[0].threshold`", "-0.1", "between 0 and 1"]),
        (rule("set: {confidence.threshold: 80}"), ["`promotion.rules[0].set.confidence.threshold`", "80", "between 0 and 1"]),
        (rule("set: {system.risk_class: huge}"), ["`promotion.rules[0].set.system.risk_class`", "`huge`", "`high`"]),
        (
            rule("from: {policy.outcome: {attribute: p, values: {ok: alow}}}"),
            ["`promotion.rules[0].from.policy.outcome.values`", "`alow`", "`allow`"],
        ),
    ] {
        let warnings = load(&text).unwrap().warnings;
        if !warnings.iter().any(|warning| wants.iter().all(|want| warning.contains(want))) {
            silent.push(format!("{text}: {warnings:?}"));
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    // What is spelled as listed, in whatever case, or has no list, is not spoken of.
    let quiet = load(&rule("set: {system.risk_class: HIGH, decision.type: anything, confidence.threshold: 1}")).unwrap();
    assert_eq!(quiet.warnings, load("").unwrap().warnings);
}
