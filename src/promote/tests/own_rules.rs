//! Own rules, one promise a test: what they promote, where values go, who wins, and what they can never do.

use super::*;
use crate::config::{Config, Environment, Overrides};
use crate::promote::testing::{event, log, span};

/// A promoter with the rules (and thresholds) of a configuration file.
pub(super) fn with(yaml: &str) -> Promoter {
    let config = Config::parse("spanseal.yaml", yaml, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_187_350));
    let config = config.unwrap_or_else(|e| panic!("{e}\n{yaml}"));
    let mut settings = settings();
    settings.rules = config.promotion.rules;
    settings.thresholds = config.confidence.thresholds;
    Promoter::new(settings).unwrap()
}

pub(super) fn rule(inside: &str) -> String {
    format!("promotion: {{rules: [{{name: r, {inside}}}]}}\n")
}

fn spans(promoter: &Promoter, items: &[Vec<u8>]) -> (Vec<Json>, Tally) {
    let (lines, tally, _) = lines(promoter, &request(&resource(), ("credit.model", "3.2.0"), items), false);
    (lines, tally)
}

fn one(yaml: &str, attributes: &[(&str, Any)]) -> Json {
    let (mut lines, _) = spans(&with(yaml), &[span("predict", attributes)]);
    assert_eq!(lines.len(), 1, "{yaml}");
    lines.remove(0)
}

fn person(id: &str) -> String {
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap();
    mac.update(format!("[\"person\",\"lending\",\"{id}\"]").as_bytes());
    format!("ps:66687aad:{}", hex::encode(&mac.finalize().into_bytes()[..16]))
}

/// Each part of a match alone lets in what it says and nothing else.
#[test]
fn a_rule_promotes_exactly_what_meets_all_of_its_match() {
    let met = span("predict", &[("audit.level", Any::int(3)), ("audit.flag", Any::bool(true)), ("tags", Any::array(&[Any::text("x")]))]);
    for (matched, yes) in [
        ("name: predict", true),
        ("name: predic", false),
        ("name: 'pre*'", true),
        ("name: '*dict'", true),
        ("name: 'p*d*t'", true),
        ("name: 'p*x*t'", false),
        ("scope: credit.model", true),
        ("scope: 'credit.*'", true),
        ("scope: other", false),
        ("has: [audit.level]", true),
        ("has: [audit.level, audit.missing]", false),
        ("attributes: {audit.level: 3}", true),
        ("attributes: {audit.level: 3.0}", true),
        ("attributes: {audit.level: 4}", false),
        ("attributes: {audit.flag: true}", true),
        ("attributes: {audit.flag: false}", false),
        ("attributes: {tags: x}", true),
        ("attributes: {tags: y}", false),
        ("name: predict, resource: {service.name: loans}", true),
        ("name: predict, resource: {service.name: 'lo*'}", true),
        ("name: predict, resource: {service.name: others}", false),
        ("name: predict, resource: {missing: x}", false),
        ("name: predict, when: 'attributes[\"audit.level\"] == 3'", true),
        ("name: predict, when: 'attributes[\"audit.level\"] > 3'", false),
        ("name: predict, when: 'resource[\"service.name\"] == \"loans\" && span.kind == \"client\" && scope.version == \"3.2.0\"'", true),
        ("signal: log, name: predict", false),
        ("signal: span_event, name: predict", false),
    ] {
        let promoter = with(&rule(&format!("match: {{{matched}}}, kind: decision")));
        let plain = span("GET /healthz", &[("http.route", Any::text("/healthz")), ("audit.other", Any::text("x"))]);
        let (lines, tally) = spans(&promoter, &[met.clone(), plain.clone(), met.clone()]);
        // Scope alone meets the plain span as well.
        let expected = if !yes {
            0
        } else if matched.starts_with("scope") {
            3
        } else {
            2
        };
        assert_eq!(lines.len(), expected, "{matched}");
        assert_eq!(tally.counts.skipped, 3 - expected as u64, "{matched}");
        assert_eq!(tally.undecided, 0, "{matched}");
        for line in &lines {
            assert_eq!((at(line, "kind"), at(line, "evidence.derived.kind")), ("decision", "configured"));
        }
    }
    // `promote: false` speaks of what is promoted anyway, and of nothing else.
    let enriching = with(&rule("match: {resource: {service.name: loans}}, promote: false, set: {system.risk_class: HIGH}"));
    let (lines, tally) = spans(&enriching, &[met, span("chat", &[("gen_ai.request.model", Any::text("m"))])]);
    assert_eq!((lines.len(), tally.counts.skipped), (1, 1));
    assert_eq!((at(&lines[0], "system.risk_class"), at(&lines[0], "evidence.derived.system.risk_class")), ("high", "(absent)"));
    let derived = lines[0].path("evidence.derived").unwrap().get("system.risk_class").and_then(Json::as_str);
    assert_eq!(derived, Some("configured"));
}

fn derived<'j>(json: &'j Json, path: &str) -> Option<&'j str> {
    json.path("evidence.derived")?.get(path)?.as_str()
}

#[test]
fn members_take_the_type_of_the_member_and_say_where_they_come_from() {
    let yaml = rule(
        "match: {name: predict}, from: {decision.outcome: app.out, confidence.score: app.conf, usage.input_tokens: app.n, \
         review.required: app.human, subject.id: app.who, actor.session_id: app.session, regulation.frameworks: app.laws, \
         policy.outcome: {attribute: app.passed, values: {\"true\": allow, \"false\": deny}}, model.id: [app.model, app.fallback]}, \
         set: {decision.type: credit, confidence.threshold: 0.5}",
    );
    let json = one(
        &yaml,
        &[
            ("app.out", Any::text("reject")),
            ("app.conf", Any::text("0.83")),
            ("app.n", Any::double(7.0)),
            ("app.human", Any::text("TRUE")),
            ("app.who", Any::text("alice@example.com")),
            ("app.session", Any::text("s-1")),
            ("app.laws", Any::array(&[Any::text("gdpr"), Any::text("eu-ai-act")])),
            ("app.passed", Any::bool(false)),
            ("app.fallback", Any::text("second")),
            ("app.model", Any::text("first")),
        ],
    );
    assert_eq!(at(&json, "decision.outcome"), "reject");
    assert_eq!(json.path("confidence.score"), Some(&Json::Number(0.83)));
    assert_eq!(json.path("confidence.threshold_met"), Some(&Json::Bool(true)));
    assert_eq!(at(&json, "usage.input_tokens"), "7");
    assert_eq!(json.path("review.required"), Some(&Json::Bool(true)));
    assert_eq!(at(&json, "subject.id"), person("alice@example.com"));
    assert_eq!(at(&json, "actor.session_id"), "s-1");
    assert_eq!(names(&json, "regulation.frameworks"), ["gdpr", "eu-ai-act"]);
    assert_eq!(at(&json, "policy.outcome"), "deny");
    assert_eq!((at(&json, "model.id"), at(&json, "kind")), ("first", "decision"));
    for (path, how) in [
        ("decision.outcome", "fallback:app.out"),
        ("subject.id", "fallback:app.who"),
        ("policy.outcome", "fallback:app.passed"),
        ("model.id", "fallback:app.model"),
        ("decision.type", "configured"),
        ("confidence.threshold", "configured"),
        ("confidence.threshold_met", "computed"),
    ] {
        assert_eq!(derived(&json, path), Some(how), "{path}");
    }
    // The one that was not preferred has no home, and only it.
    assert_eq!(at(&json, "rest.hash"), h("content", b"second"));
    assert!(json.path("evidence.conflicts").is_none(), "{json:?}");
}

/// What cannot be converted is named, and what was sent is kept where everything without a home is kept, as it was sent.
#[test]
fn a_value_of_the_wrong_type_is_a_conflict_and_goes_to_the_rest() {
    let yaml = rule(
        "match: {name: predict}, from: {confidence.score: app.conf, decision.outcome: app.out, \
         review.overridden: {attribute: app.word, values: {\"yes\": true}}}",
    );
    let json = one(&yaml, &[("app.conf", Any::text("high")), ("app.out", Any::text("no"))]);
    assert_eq!(names(&json, "evidence.conflicts"), ["confidence.score"]);
    assert_eq!(at(&json, "rest.hash"), h("content", b"high"));
    let json = one(&yaml, &[("app.word", Any::text("yes")), ("app.out", Any::text("no"))]);
    assert_eq!(json.path("review.overridden"), Some(&Json::Bool(true)));
    let json = one(&yaml, &[("app.word", Any::text("maybe")), ("app.out", Any::text("no"))]);
    assert_eq!(names(&json, "evidence.conflicts"), ["review.overridden"]);
    assert_eq!(at(&json, "rest.hash"), h("content", b"maybe"));
}

/// The operator knows the application; what a dialect says instead stays visible.
#[test]
fn a_rule_wins_over_dialects_and_nothing_is_lost() {
    let attributes = [
        ("gen_ai.operation.name", Any::text("chat")),
        ("ai_audit.decision.outcome", Any::text("approve")),
        ("gen_ai.request.temperature", Any::double(0.2)),
        ("app.out", Any::text("reject")),
        ("app.temperature", Any::double(0.9)),
    ];
    let yaml = rule(
        "match: {name: predict}, kind: decision, from: {decision.outcome: app.out, parameters.temperature: app.temperature, \
         actor.workflow: gen_ai.operation.name}",
    );
    let json = one(&yaml, &attributes);
    assert_eq!((at(&json, "decision.outcome"), at(&json, "kind")), ("reject", "decision"));
    assert_eq!(json.path("parameters.temperature"), Some(&Json::Number(0.9)));
    assert_eq!(names(&json, "evidence.conflicts"), ["decision.outcome", "parameters.temperature"]);
    let rest = br#"{"ai_audit.decision.outcome":"approve","gen_ai.request.temperature":0.2}"#;
    assert_eq!(at(&json, "rest.hash"), h("content", rest));
    // What a rule reads is still a dialect's to read.
    assert_eq!((at(&json, "actor.workflow"), at(&json, "attributes.gen_ai.operation.name")), ("chat", "(absent)"));
    assert_eq!(json.path("attributes").unwrap().get("gen_ai.operation.name").and_then(Json::as_str), Some("chat"));
    // What it reads as a person is not: the dialect would keep it as what it takes it for, in clear.
    let person_of =
        rule("match: {name: predict}, from: {subject.id: session.id, actor.user_id: gen_ai.operation.name, review.reviewer.id: user.id}");
    let ids = [("session.id", Any::text("s-1")), ("gen_ai.operation.name", Any::text("chat")), ("user.id", Any::text("u-1"))];
    let json = one(&person_of, &ids);
    assert_eq!((at(&json, "subject.id"), at(&json, "actor.session_id")), (person("s-1").as_str(), "(absent)"));
    assert!(at(&json, "actor.user_id") == person("chat") && json.path("attributes").is_none(), "{json:?}");
    assert_eq!(at(&json, "review.reviewer.id"), person("u-1"));
    // The same value twice contradicts nothing.
    let json = one(&yaml, &[("app.out", Any::text("approve")), ("ai_audit.decision.outcome", Any::text("approve"))]);
    assert!(json.path("evidence.conflicts").is_none() && json.path("rest").is_none());
    // A word with a meaning that does not count is kept as it was sent.
    let yaml = "promotion: {rules: [{name: a, match: {name: predict}, set: {policy.outcome: deny}}, {name: b, match: {name: predict}, \
                from: {policy.outcome: {attribute: ok, values: {\"yes\": allow}}}}]}";
    let json = one(yaml, &[("ok", Any::text("yes"))]);
    assert_eq!((at(&json, "policy.outcome"), at(&json, "rest.hash")), ("deny", h("content", b"yes").as_str()));
    // Of two rules the first counts.
    let two = "promotion: {rules: [{name: a, match: {name: predict}, set: {decision.type: one}}, {name: b, match: {has: [x]}, set: {decision.type: two}}]}";
    let json = one(two, &[("x", Any::int(1))]);
    assert_eq!((at(&json, "decision.type"), names(&json, "evidence.conflicts")), ("one", vec!["decision.type".to_owned()]));
}

/// Rule 10 of the record: a claim may raise a risk class and never lower it, also where an operator stated one.
#[test]
fn telemetry_raises_a_configured_risk_class_and_never_lowers_it() {
    let yaml = rule("match: {name: predict}, set: {system.risk_class: high}");
    for (claimed, stands, how) in
        [("minimal", "high", Some("configured")), ("prohibited", "prohibited", None), ("unheard-of", "high", Some("configured"))]
    {
        let json = one(&yaml, &[("ai_audit.system.risk_class", Any::text(claimed))]);
        assert_eq!((at(&json, "system.risk_class"), derived(&json, "system.risk_class")), (stands, how), "{claimed}");
        assert_eq!(names(&json, "evidence.conflicts"), ["system.risk_class"]);
    }
}

#[test]
fn content_of_a_rule_is_held_like_all_content() {
    let yaml =
        rule("match: {name: predict}, kind: decision, from: {input: [app.names, app.values], output: app.answer, review.reason: app.why}");
    let attributes = [
        ("app.values", Any::array(&[Any::double(0.5), Any::double(1.5)])),
        ("app.names", Any::array(&[Any::text("income"), Any::text("age")])),
        ("app.answer", Any::text("No, Alice.")),
        ("app.why", Any::text("x")),
    ];
    let json = one(&yaml, &attributes);
    assert_eq!(at(&json, "input.hash"), h("content", br#"{"app.names":["income","age"],"app.values":[0.5,1.5]}"#));
    assert_eq!((at(&json, "output.hash"), at(&json, "output.scheme")), (h("content", b"No, Alice.").as_str(), "utf8"));
    assert_eq!(derived(&json, "output"), Some("fallback:app.answer"));
    assert_eq!(derived(&json, "input"), None, "its keys stand in its preimage");
    assert!(json.path("rest").is_none(), "{json:?}");
    let sealed = json.to_jcs_string();
    assert!(!sealed.contains("Alice") && !sealed.contains("income"), "{sealed}");
}

/// A rule cannot put a person into the clear: what looks like one is scrubbed as everywhere.
#[test]
fn what_a_rule_reads_is_scrubbed_like_every_claim() {
    let yaml = rule(
        "match: {name: predict}, from: {decision.authority: app.by, decision.outcome: app.out, decision.id: app.id}, keep: [app.kept]",
    );
    let attributes = [
        ("app.by", Any::text("officer meier@bank.example")),
        ("app.out", Any::text(&"x".repeat(400))),
        ("app.id", Any::text("alice@example.com")),
        ("app.kept", Any::text("call +49 170 1234567")),
    ];
    let json = one(&yaml, &attributes);
    assert_eq!(at(&json, "decision.authority"), "officer [scrubbed]");
    assert_eq!(at(&json, "decision.outcome").len(), 256);
    assert!(at(&json, "decision.id").starts_with("ps:66687aad:"));
    assert_eq!(names(&json, "evidence.scrubbed"), ["attributes", "decision.authority", "decision.id"]);
    assert_eq!(names(&json, "evidence.truncated"), ["decision.outcome"]);
}

#[test]
fn keep_moves_a_key_into_the_clear_and_drop_takes_one_away_and_is_counted() {
    let yaml = rule(
        "match: {name: predict}, kind: event, keep: [app.channel], drop: [app.debug, gen_ai.usage.input_tokens, exception.stacktrace]",
    );
    let mut bytes = span(
        "predict",
        &[
            ("app.channel", Any::text("branch")),
            ("app.debug", Any::text("secret")),
            ("app.other", Any::text("rest")),
            ("gen_ai.usage.input_tokens", Any::int(5)),
        ],
    );
    bytes.extend(event("exception", 7, &[("exception.stacktrace", Any::text("at line 1")), ("exception.message", Any::text("boom"))]));
    let (mut lines, _) = spans(&with(&yaml), &[bytes]);
    let json = lines.remove(0);
    assert_eq!(json.path("attributes").unwrap().get("app.channel").and_then(Json::as_str), Some("branch"));
    assert_eq!(at(&json, "evidence.withheld"), "3");
    assert_eq!(at(&json, "rest.hash"), h("content", b"rest"));
    assert!(json.path("usage").is_none() && json.path("error.stacktrace").is_none());
    assert_eq!(at(&json, "error.message.hash"), h("content", b"boom"));
    // Whoever drops a key drops it, whatever another rule reads.
    let two = "promotion: {rules: [{name: a, match: {name: predict}, from: {model.id: x}}, {name: b, match: {name: predict}, drop: [x]}]}";
    let json = one(two, &[("x", Any::text("m"))]);
    assert_eq!((at(&json, "model.id"), at(&json, "evidence.withheld")), ("(absent)", "1"));
}

#[test]
fn an_event_that_a_rule_matches_is_a_record_of_its_own_and_so_is_its_span() {
    let yaml = rule(
        "match: {signal: span_event, name: audit.decision, has: [who]}, kind: decision, from: {decision.outcome: out, subject.id: who}, set: {decision.type: batch}",
    );
    let mut bytes = span("nightly", &[]);
    bytes.extend(event("audit.decision", 1_795_187_346_000_000_001, &[("who", Any::text("B-1")), ("out", Any::text("approve"))]));
    bytes.extend(event("audit.decision", 2, &[("out", Any::text("no who, no record"))]));
    bytes.extend(event("other", 3, &[("who", Any::text("B-2"))]));
    let promoter = with(&yaml);
    let (lines, tally) = spans(&promoter, &[bytes.clone(), span("plain", &[])]);
    assert_eq!((lines.len(), tally.counts.skipped), (2, 1));
    assert_eq!((at(&lines[0], "source.signal"), at(&lines[0], "kind")), ("span", "event"));
    assert!(lines[0].path("decision").is_none(), "a rule for events says nothing of their span");
    let decision = &lines[1];
    assert_eq!((at(decision, "source.signal"), at(decision, "source.event_name")), ("span_event", "audit.decision"));
    assert_eq!((at(decision, "decision.outcome"), at(decision, "decision.type")), ("approve", "batch"));
    assert_eq!(at(decision, "subject.id"), person("B-1"));
    let id = hex::encode(&Sha256::digest("[\"span_event\",\"0102030405060708090a0b0c0d0e0f10\",\"a1a2a3a4a5a6a7a8\",\"0\"]")[..16]);
    assert_eq!(at(decision, "id"), id);
}

#[test]
fn a_log_is_matched_by_its_scope_its_event_and_its_keys() {
    let attributes = [("decision", Any::text("reject")), ("model_version", Any::text("3.2.0"))];
    let promote = |yaml: &str, item: Vec<u8>| lines(&with(yaml), &request(&resource(), ("credit", ""), &[item]), true).0;
    let from = "kind: decision, from: {decision.outcome: decision, model.version: model_version}";
    for (matched, name, met) in [
        ("scope: credit, has: [decision]", "", true),
        ("name: app.decided", "app.decided", true),
        ("name: app.decided", "app.other", false),
        ("scope: other", "", false),
        ("has: [decision], when: 'event.name == \"app.decided\"'", "app.decided", true),
    ] {
        let found =
            promote(&rule(&format!("match: {{signal: log, {matched}}}, {from}")), log(name, Any::text("decision for A-1000"), &attributes));
        assert_eq!(found.len(), usize::from(met), "{matched}");
        for json in &found {
            assert_eq!((at(json, "decision.outcome"), at(json, "model.version"), at(json, "kind")), ("reject", "3.2.0", "decision"));
            assert_eq!(at(json, "rest.hash"), h("content", b"decision for A-1000"), "what the log said is content");
        }
    }
    // Without a kind, what the rule states decides.
    let found =
        promote(&rule("match: {signal: log, scope: credit}, from: {decision.outcome: decision}"), log("x", Any::empty(), &attributes));
    assert_eq!(at(&found[0], "kind"), "decision");
}

/// A condition that cannot be decided holds for nothing and is counted; what something else promotes is promoted all the same.
#[test]
fn an_undecided_condition_is_counted_and_its_rule_does_not_apply() {
    let promoter = with(&rule("match: {name: predict, when: 'attributes[\"app.n\"] > 5'}, set: {decision.type: x}"));
    let chat = |n: Option<Any>| {
        let mut attributes = vec![("gen_ai.request.model", Any::text("m"))];
        attributes.extend(n.map(|n| ("app.n", n)));
        span("predict", &attributes)
    };
    // What nothing else promotes, a rule that could not be asked does not promote either.
    let items = [chat(None), chat(Some(Any::text("six"))), chat(Some(Any::int(6))), span("predict", &[]), span("other", &[])];
    let (lines, tally) = spans(&promoter, &items);
    assert_eq!((lines.len(), tally.undecided, tally.counts.rejected, tally.counts.skipped), (3, 3, 0, 2));
    let typed: Vec<bool> = lines.iter().map(|l| l.path("decision.type").is_some()).collect();
    assert_eq!(typed, [false, false, true]);
}

/// A rule sees the attributes of a resource only where it asks for them, and a malformed span is refused and not skipped.
#[test]
fn broken_spans_are_refused_with_rules_as_without() {
    let promoter = with(&rule("match: {has: [x]}, kind: event"));
    let mut broken = span("predict", &[("x", Any::int(1))]);
    broken.extend([0x4a, 0x7f, 0x01]);
    let (lines, tally) = spans(&promoter, &[broken, span("predict", &[("x", Any::int(1))])]);
    assert_eq!((lines.len(), tally.counts.rejected, tally.counts.skipped), (1, 1, 0));
}

/// What a dialect calls the model is kept also where a rule took every member that it could have been.
#[test]
fn a_models_name_is_not_lost_where_a_rule_names_another() {
    let yaml = rule("match: {name: predict}, from: {model.id: app.id, model.version: app.version, model.requested: app.asked}");
    let json = one(
        &yaml,
        &[
            ("gen_ai.response.model", Any::text("gpt-a-1")),
            ("gen_ai.request.model", Any::text("gpt-a")),
            ("app.id", Any::text("credit")),
            ("app.version", Any::text("3")),
            ("app.asked", Any::text("credit")),
        ],
    );
    assert_eq!((at(&json, "model.id"), at(&json, "model.version"), at(&json, "model.requested")), ("credit", "3", "credit"));
    assert_eq!(at(&json, "rest.hash"), h("content", br#"{"gen_ai.request.model":"gpt-a","gen_ai.response.model":"gpt-a-1"}"#));
}

/// Of a repeated key the first value counts; the others are named and not lost, whoever reads the first.
#[test]
fn a_repeated_key_that_a_rule_reads_is_named_and_not_lost() {
    let twice = |key| [(key, Any::text("first")), (key, Any::text("second"))];
    let json = one(&rule("match: {name: predict}, from: {decision.outcome: app.out}"), &twice("app.out"));
    assert_eq!(at(&json, "decision.outcome"), "first");
    assert_eq!(names(&json, "evidence.conflicts"), ["decision.outcome"]);
    assert_eq!(at(&json, "rest.hash"), h("content", b"second"));

    let yaml = rule("match: {name: predict}, from: {input: [app.in, app.more]}");
    let json = one(&yaml, &[twice("app.in").to_vec(), vec![("app.more", Any::text("x"))]].concat());
    assert_eq!(at(&json, "input.hash"), h("content", br#"{"app.in":"first","app.more":"x"}"#));
    assert_eq!(names(&json, "evidence.conflicts"), ["input"]);
    assert_eq!(at(&json, "rest.hash"), h("content", b"second"));
}

/// A rule is sealed with the configuration: what the operator's own patterns call a person may not stand in it.
#[test]
fn a_text_that_the_operators_patterns_know_as_a_person_is_refused_at_start() {
    for inside in [
        "match: {name: x}, set: {decision.authority: desk EMP-1234}",
        "match: {name: EMP-1234}, kind: event",
        "match: {attributes: {user: EMP-1234}}",
        "match: {name: x, when: 'attributes.user == \"EMP-1234\"'}",
    ] {
        let yaml = format!("identity: {{scrub: ['EMP-####']}}\n{}", rule(inside));
        let now = UnixSeconds(1_795_187_350);
        let refused = Config::parse("spanseal.yaml", &yaml, &Overrides::default(), &Environment::default(), now).expect_err(inside);
        assert!(refused.to_string().contains("looks like a person (`identity.scrub`"), "{refused}");
    }
}

/// One promoter whose rules read an attribute `k.<member>` into every member that a rule can set, on spans, events and logs.
fn of_every_member() -> (Promoter, Vec<String>) {
    use crate::promote::rules::{Key, Rule, Settable, Source};
    use crate::record::registry::Member;
    let all: Vec<Settable> = Member::all().filter_map(|m| Settable::parse(m.path()).ok()).collect();
    assert!(all.len() > 150);
    let mut rules = Vec::new();
    for signal in [RecordSignal::Span, RecordSignal::SpanEvent, RecordSignal::Log] {
        for part in all.chunks(50) {
            let key = |target: &Settable| Key::parse(&format!("k.{}", target.path())).unwrap();
            let from = part.iter().map(|target| Source::new(*target, vec![key(target)], Vec::new()).unwrap()).collect();
            rules.push(Rule {
                name: format!("{signal:?} {}", rules.len()),
                signal,
                scope: None,
                item: Some(crate::promote::rules::Pattern::parse("app.*").unwrap()),
                resource: Vec::new(),
                has: Vec::new(),
                attributes: Vec::new(),
                when: None,
                promote: true,
                kind: None,
                from,
                set: Vec::new(),
                keep: Vec::new(),
                drop: Vec::new(),
            });
        }
    }
    let keys = all.iter().map(|target| format!("k.{}", target.path())).collect();
    (Promoter::new(Settings { rules, ..settings() }).unwrap(), keys)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 150, ..proptest::prelude::ProptestConfig::default() })]

    /// Whatever stands in the attributes that rules read: every line is canonical and has registered members only, and no person is in it.
    #[test]
    fn every_member_with_every_value_gives_a_valid_line(
        picks in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), hostile::any_value()), 0..30),
    ) {
        static ONCE: std::sync::OnceLock<(Promoter, Vec<String>)> = std::sync::OnceLock::new();
        let (promoter, keys) = ONCE.get_or_init(of_every_member);
        let attributes: Vec<(&str, Any)> = picks.iter().map(|(index, value)| (index.get(keys).as_str(), value.clone())).collect();
        let mut bytes = span("app.span", &attributes);
        bytes.extend(event("app.event", 5, &attributes));
        let (made, tally, _) = lines(promoter, &request(&resource(), ("s", "1"), &[bytes]), false);
        assert_eq!((made.len(), tally.counts.rejected), (2, 0));
        let (made, _, _) = lines(promoter, &request(&resource(), ("s", "1"), &[log("app.log", Any::empty(), &attributes)]), true);
        assert_eq!(made.len(), 1);
    }
}
