use std::sync::Arc;

use super::described::{MEMBERS, RESOURCE};
use super::*;
use crate::clock::{UnixNanos, UnixSeconds};
use crate::config::{Config, Environment, Overrides};
use crate::otlp::answer::Signal;
use crate::promote::testing::{Any, event, field, log, request, span};
use crate::promote::vocabulary::keys_for;
use crate::promote::{Context, IdentityKey, Promoter, Settings};
use crate::record::Batch;
use crate::record::canonical::Json;
use crate::record::registry::{Member, Type};
use crate::retain::{Class, Classes};
use crate::worm::Mode;

const RECEIVED: UnixNanos = UnixNanos(1_795_187_350_250_000_000);

fn settings() -> Settings {
    let class = Class { name: "standard".into(), mode: Mode::Governance, period: "180d".parse().unwrap(), claimable: false };
    let classes = Classes::new(vec![class], "standard", "10y".parse().unwrap(), UnixSeconds(1_795_187_350)).unwrap();
    Settings::new(Arc::new(classes), IdentityKey::new([0; 32]))
}

fn promoter() -> Promoter {
    Promoter::new(settings()).unwrap()
}

/// What is found in requests of traces.
fn linted(frameworks: &[&str], requests: &[Vec<u8>]) -> Report {
    let mut linter = Linter::new(promoter(), &frameworks.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>());
    requests.iter().for_each(|request| drop(linter.body(Signal::Traces, request, RECEIVED).unwrap()));
    linter.finish(Vec::new())
}

fn traces(spans: &[Vec<u8>]) -> Vec<u8> {
    request(&[("service.name", Any::text("loans"))], ("app", "1"), spans)
}

/// An example as an SDK would send it.
fn any(kind: Type, example: &str) -> Any {
    match kind {
        Type::Int => Any::int(example.parse().unwrap()),
        Type::Num => Any::double(example.parse().unwrap()),
        Type::Bool => Any::bool(example.parse().unwrap()),
        Type::Texts | Type::Refs => {
            let Ok(Json::Array(items)) = Json::parse(example.as_bytes()) else { panic!("{example} is no list") };
            Any::array(&items.iter().map(|item| Any::text(item.as_str().unwrap())).collect::<Vec<_>>())
        }
        _ => Any::text(example),
    }
}

/// Scenario: an application sets every attribute of the reference to its example, by each of its keys. Guarantee: each becomes the member
/// that the reference names, and none is in conflict with it.
#[test]
fn every_example_is_taken() {
    let promoter = promoter();
    let record = |resource: &[(&str, Any)], attributes: &[(&str, Any)]| {
        let mut batch = Batch::default();
        promoter.traces(&request(resource, ("app", "1"), &[span("s", attributes)]), Context::new(RECEIVED), &mut batch).unwrap();
        Json::parse(batch.line(&batch.records[0])).unwrap()
    };
    let mut tried = 0;
    for (member, example, _) in MEMBERS {
        for key in keys_for(member.path()) {
            // What only qualifies a decision needs one.
            let decision = ("ai_audit.decision.id", Any::text("loan-2026-0042"));
            let mut attributes = vec![(key.as_str(), any(member.spec().kind, example))];
            if key != decision.0 {
                attributes.push(decision);
            }
            let record = record(&[], &attributes);
            let held = record.path(member.path());
            let shown = || String::from_utf8_lossy(&record.to_jcs()).into_owned();
            assert!(
                held.is_some_and(|held| held.get("captured").and_then(Json::as_str) != Some("absent")),
                "{key} = {example}: {}",
                shown()
            );
            let conflicts = record.path("evidence.conflicts").and_then(Json::as_array).unwrap_or_default();
            assert!(!conflicts.iter().any(|path| path.as_str() == Some(member.path())), "{key} = {example}: {}", shown());
            if matches!(member.spec().kind, Type::Text | Type::Bool) && !["prompt.hash", "review.context_hash"].contains(&member.path()) {
                let said = match held {
                    Some(Json::Bool(flag)) => flag.to_string(),
                    other => other.and_then(Json::as_str).unwrap_or_default().to_owned(),
                };
                assert_eq!(said, *example, "{key}");
            }
            tried += 1;
        }
    }
    assert!(tried > 200, "only {tried} keys were tried");
    for (member, example, _) in RESOURCE {
        let key = keys_for(member.path()).remove(0);
        let record = record(&[(key.as_str(), Any::text(example))], &[("ai_audit.decision.id", Any::text("d"))]);
        assert_eq!(record.path(member.path()).and_then(Json::as_str), Some(*example), "{key}");
    }
}

/// The committed reference is what the tables say today.
#[test]
fn the_reference_is_fresh() {
    let committed = include_str!("ATTRIBUTES.md");
    let fresh = reference::markdown();
    let differs = committed.lines().zip(fresh.lines()).find(|(old, new)| old != new);
    assert!(committed == fresh, "src/lint/ATTRIBUTES.md is stale ({differs:?}); renew it: {}", reference::RENEW);
    assert!(fresh.is_ascii() && fresh.contains("| `ai_audit.decision.outcome` | string | `declined` | **required**: decision |"));
    let json: serde_json::Value = serde_json::from_str(&reference::json().unwrap()).unwrap();
    assert_eq!(json["format"], "spanseal.attributes/1");
    assert_eq!(json["members"].as_array().unwrap().len(), MEMBERS.len() + RESOURCE.len());
}

fn records<'r>(report: &'r Report, name: &str, kind: &str) -> &'r Records {
    let group = report.groups.iter().find(|group| group.name.as_deref() == Some(name)).unwrap();
    group.records.iter().find(|records| records.kind == kind).unwrap()
}

fn lacks<'r>(records: &'r Records, level: &str) -> Vec<&'r str> {
    records.missing.iter().filter(|wanted| wanted.level == level).map(|wanted| wanted.path).collect()
}

/// Scenario: three calls of a model, of which one says its version. Guarantee: what all lack and what two lack is counted so, with the
/// attribute that sets it, an example and who asks.
#[test]
fn what_is_missing_is_said_with_how_to_add_it_and_for_whom() {
    let chat = |more: &[(&str, Any)]| {
        let own = [
            ("gen_ai.operation.name", Any::text("chat")),
            ("gen_ai.provider.name", Any::text("openai")),
            ("gen_ai.request.model", Any::text("gpt-4o")),
        ];
        span("chat gpt-4o", &[&own, more].concat())
    };
    let report = linted(&[], &[traces(&[chat(&[]), chat(&[]), chat(&[("gen_ai.response.model", Any::text("gpt-4o-2026-05-13"))])])]);
    let records = records(&report, "chat gpt-4o", "inference");
    assert_eq!((records.count, records.dialects.as_slice()), (3, &["otel_genai".to_owned()][..]));
    assert_eq!(lacks(records, "required"), ["input", "model.version", "output", "prompt.hash"]);
    let version = records.missing.iter().find(|wanted| wanted.path == "model.version").unwrap();
    assert_eq!(
        (version.count, version.set.as_slice(), version.example),
        (2, &["ai_audit.model.version".to_owned(), "gen_ai.response.model".to_owned()][..], "4.2.1")
    );
    assert!(version.asked_by.iter().any(|by| by.framework == "eu_ai_act" && by.reference.contains("Art. 12(1)")));
    let besides = lacks(records, "recommended");
    assert!(besides.contains(&"prompt.version") && besides.contains(&"confidence.score") && besides.contains(&"source.service_version"));
    // A method is asked for only where there is a score.
    assert!(!besides.contains(&"confidence.method"));
    assert_eq!((report.totals.missing, report.verdict), (4, Verdict::Fine));
    // The standard's word for what a library reports, our own for what an application does.
    let set = |records: &Records, path: &str| records.missing.iter().find(|wanted| wanted.path == path).unwrap().set[0].clone();
    assert_eq!(set(records, "output"), "gen_ai.output.messages");
    let decision = linted(&[], &[traces(&[span("d", &[("ai_audit.decision.type", Any::text("loan"))])])]);
    assert_eq!(set(self::records(&decision, "d", "decision"), "output"), "ai_audit.output");
    // One framework: what others ask for besides is left out, what records require is not.
    let report = linted(&["eu_ai_act"], &[traces(&[chat(&[])])]);
    let records = self::records(&report, "chat gpt-4o", "inference");
    assert_eq!(lacks(records, "required").len(), 4);
    assert_eq!(lacks(records, "recommended"), ["confidence.score", "prompt.version"]);
}

/// Scenario: a decision whose explanation and action come in spans of their own; another that has none. Guarantee: what another record says of
/// the same decision, or in the same trace, is not missing; conditions that depend on a value are looked at.
#[test]
fn what_another_record_says_is_not_missing() {
    let decision = |id: &str, more: &[(&str, Any)]| {
        span("decide", &[&[("ai_audit.decision.id", Any::text(id)), ("ai_audit.decision.outcome", Any::text("declined"))], more].concat())
    };
    let of_own_trace = |mut bytes: Vec<u8>| {
        bytes.extend(field(1, &[9; 16]));
        bytes
    };
    let alone = linted(&[], &[traces(&[decision("a", &[("ai_audit.review.required", Any::bool(true))])])]);
    let lone = lacks(records(&alone, "decide", "decision"), "recommended");
    assert!(lone.contains(&"explanation.text") && lone.contains(&"action.name") && lone.contains(&"review.deadline"));
    assert!(!lone.contains(&"review.required"));
    let explained = of_own_trace(span(
        "explain",
        &[("ai_audit.explanation.text", Any::text("debt")), ("ai_audit.explanation.method", Any::text("shap"))],
    ));
    let id = field(9, &crate::promote::testing::pair(b"ai_audit.decision.id", &Any::text("a")));
    let event =
        event("ai_audit.action", 1, &[("ai_audit.action.name", Any::text("letter")), ("ai_audit.action.status", Any::text("executed"))]);
    let report = linted(
        &[],
        &[
            traces(&[
                decision("a", &[]),
                [span("act", &[("ai_audit.action.name", Any::text("letter")), ("ai_audit.action.status", Any::text("executed"))]), event]
                    .concat(),
            ]),
            traces(&[[explained, id].concat()]),
        ],
    );
    let joined = lacks(records(&report, "decide", "decision"), "recommended");
    assert!(!joined.contains(&"action.name"), "an action of the same trace: {joined:?}");
    assert!(joined.contains(&"review.required"));
}

/// Scenario: keys that are nearly right, on spans that are AI, on spans that are not, inside a carrier and on a resource. Guarantee: each is
/// named with what was meant, and keys of others are not.
#[test]
fn misspelt_keys_are_named() {
    let resource = [("service.name", Any::text("loans")), ("ai_audit.policy.versoin", Any::text("7"))];
    let spans = [
        span(
            "ai",
            &[
                ("ai_audit.decison.outcome", Any::text("x")),
                ("traceloop.association.properties.ai_audit.modle.id", Any::text("y")),
                ("app.ticket", Any::text("T")),
            ],
        ),
        span(
            "plain",
            &[("genai.request.model", Any::text("gpt")), ("http.request.method", Any::text("GET")), ("http.method", Any::text("GET"))],
        ),
    ];
    let report = linted(&[], &[request(&resource, ("app", "1"), &spans)]);
    let found: Vec<(&str, &str)> =
        report.groups.iter().flat_map(|g| g.unknown.iter().map(|u| (u.key.as_str(), u.nearest.as_str()))).collect();
    assert_eq!(
        found,
        [
            ("ai_audit.decison.outcome", "ai_audit.decision.outcome"),
            ("ai_audit.policy.versoin", "ai_audit.policy.version"),
            ("traceloop.association.properties.ai_audit.modle.id", "ai_audit.model.id"),
            ("ai_audit.policy.versoin", "ai_audit.policy.version"),
            ("genai.request.model", "gen_ai.request.model"),
        ]
    );
}

/// Scenario: spans that are nearly AI. Guarantee: each says why it is not, and which keys were looked at.
#[test]
fn why_a_span_is_not_ai() {
    let mut settings = settings();
    settings.dialects = vec!["ai_audit".into(), "otel_mcp".into(), "litellm".into()];
    let mut linter = Linter::new(Promoter::new(settings).unwrap(), &[]);
    let resource = |key: &'static str| vec![("service.name", Any::text("s")), (key, Any::text("v"))];
    for (name, resource, scope, attributes) in [
        ("off", vec![], "app", vec![("gen_ai.operation.name", Any::text("chat"))]),
        ("value", vec![], "app", vec![("mcp.method.name", Any::text("ping"))]),
        ("carried", vec![], "app", vec![("baggage.ai_audit.decision.id", Any::text("d"))]),
        ("named", vec![], "litellm", vec![("x", Any::text("y"))]),
        ("resource", resource("ai_audit.model.version"), "app", vec![]),
        ("none", vec![], "app", vec![("http.route", Any::text("/"))]),
    ] {
        linter.body(Signal::Traces, &request(&resource, (scope, "1"), &[span(name, &attributes)]), RECEIVED).unwrap();
    }
    let report = linter.finish(Vec::new());
    let why = |name: &str| {
        let group = report.groups.iter().find(|group| group.name.as_deref() == Some(name)).unwrap();
        let not_ai = group.not_ai.as_ref().unwrap();
        assert_eq!((not_ai.count, group.promoted), (1, 0), "{name}");
        (not_ai.why.iter().map(|why| why.reason).collect::<Vec<_>>(), not_ai.keys.clone())
    };
    assert_eq!(why("off"), (vec!["switched_off"], vec!["gen_ai.operation.name".to_owned()]));
    assert_eq!(why("value").0, ["value"]);
    assert_eq!(why("carried").0, ["carried"]);
    assert_eq!(why("named").0, ["name_only"]);
    assert_eq!(why("resource").0, ["resource_only"]);
    assert_eq!(why("none"), (vec!["no_ai_key"], vec!["http.route".to_owned()]));
}

/// Scenario: own rules, and spans and logs that meet all but one part of them, all, or next to nothing. Guarantee: the rule is named with the
/// part that is not met, and what was merely meant for another span is not told.
#[test]
fn rules_that_nearly_apply_are_named() {
    let rules = r#"
promotion:
  rules:
    - name: credit
      match:
        resource: {service.name: loans}
        scope: app
        name: predict
        has: [audit.output]
        attributes: {audit.live: true}
        when: attributes["audit.confidence"] < 0.9
      kind: decision
    - {name: checks, match: {signal: span_event, name: policy.check, has: [rule]}, from: {policy.id: rule}}
    - {name: overrides, match: {signal: log, has: [audit.by, audit.reason]}, kind: review}
"#;
    let told = |signal: Signal, body: &[u8]| {
        let config = Config::parse("c.yaml", rules, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_187_350)).unwrap();
        let mut linter = Linter::new(Promoter::new(Settings { rules: config.promotion.rules, ..settings() }).unwrap(), &[]);
        linter.body(signal, body, RECEIVED).unwrap();
        let group = linter.finish(Vec::new()).groups.remove(0);
        let near: Vec<String> = group.near_rules.iter().map(|near| format!("{}: {} ({})", near.rule, near.lacks, near.count)).collect();
        (near, group.promoted, group.not_ai.map(|not_ai| not_ai.why[0].reason).unwrap_or_default())
    };
    let all = || vec![("audit.output", Any::text("yes")), ("audit.live", Any::bool(true)), ("audit.confidence", Any::double(0.5))];
    let with =
        |key: &'static str, value: Any| all().into_iter().filter(|(other, _)| *other != key).chain([(key, value)]).collect::<Vec<_>>();
    let without = |key: &str| all().into_iter().filter(|(other, _)| *other != key).collect::<Vec<_>>();
    let loans = [("service.name", Any::text("loans"))];
    let one = |resource: &[(&str, Any)], scope: &str, name: &str, attributes: &[(&str, Any)]| {
        told(Signal::Traces, &request(resource, (scope, "1"), &[span(name, attributes)]))
    };
    assert_eq!(one(&loans, "app", "predict", &all()), (vec![], 1, ""), "all is met");
    for (attributes, lacks) in [
        (without("audit.output"), "it has no `audit.output`"),
        (without("audit.live"), "it has no `audit.live`"),
        (without("audit.confidence"), "the condition of the rule cannot be decided for it: `audit.confidence` is not there"),
        (
            with("audit.confidence", Any::text("high")),
            "the condition of the rule cannot be decided for it: `audit.confidence` was sent as a text",
        ),
        (with("audit.confidence", Any::double(0.95)), "the condition of the rule does not hold for it"),
        (with("audit.live", Any::int(1)), "its `audit.live`, sent as a whole number, is not `true`"),
        (with("audit.live", Any::bool(false)), "its `audit.live`, sent as a truth value, is not `true`"),
    ] {
        assert_eq!(one(&loans, "app", "predict", &attributes), (vec![format!("credit: {lacks} (1)")], 0, "rule"));
        // Of what is a record anyway, only what the rule got no answer to.
        let ai = [attributes, vec![("gen_ai.operation.name", Any::text("chat"))]].concat();
        let is_answer = lacks.ends_with("hold for it") || lacks.contains("truth");
        assert_eq!(one(&loans, "app", "predict", &ai), (if is_answer { vec![] } else { vec![format!("credit: {lacks} (1)")] }, 1, ""));
    }
    for (resource, scope, name, lacks) in [
        (&loans[..], "app", "predictions", "its name is not `predict`"),
        (&loans, "other", "predict", "its scope is not `app`"),
        (&[], "app", "predict", "its resource has no `service.name`"),
        (&[("service.name", Any::text("shop"))], "app", "predict", "`service.name` of its resource is not `loans`"),
    ] {
        assert_eq!(one(resource, scope, name, &all()).0, [format!("credit: {lacks} (1)")]);
    }
    // Two parts, or nothing but what all of the service have.
    assert!(one(&loans, "other", "predict", &without("audit.output")).0.is_empty());
    assert!(one(&loans, "app", "GET /", &[]).0.is_empty());
    let check = event("policy.check", 1, &[("rules", Any::text("r-1"))]);
    let body = request(&loans, ("x", "1"), &[[span("s", &[]), check.clone(), check].concat()]);
    assert_eq!(told(Signal::Traces, &body).0, ["checks: an event of it has no `rule` (2)"]);
    let body = request(&loans, ("x", "1"), &[log("o", Any::empty(), &[("audit.by", Any::text("alice@example.com"))])]);
    assert_eq!(told(Signal::Logs, &body), (vec!["overrides: it has no `audit.reason` (1)".to_owned()], 0, "rule"));
}

/// Scenario: a value of the wrong type, one that is far too long, a span without ids, a log. Guarantee: each is counted where it belongs.
#[test]
fn trouble_is_counted() {
    let broken = field(5, b"nameless");
    let ai = span("s", &[("ai_audit.confidence.score", Any::text("very sure")), ("ai_audit.decision.type", Any::text(&"x".repeat(5000)))]);
    let without = [broken, field(9, &crate::promote::testing::pair(b"ai_audit.decision.id", &Any::text("d")))].concat();
    let mut linter = Linter::new(promoter(), &[]);
    let tally = linter.body(Signal::Traces, &traces(&[ai, without]), RECEIVED).unwrap();
    assert_eq!((tally.counts.spans, tally.counts.rejected, tally.counts.skipped), (2, 1, 0));
    assert!(tally.rejected_why.unwrap().contains("without a valid trace id"));
    let asked = log("ai_audit.review.completed", Any::empty(), &[("ai_audit.decision.id", Any::text("d"))]);
    linter.body(Signal::Logs, &request(&[], ("app", "1"), &[asked]), RECEIVED).unwrap();
    linter.body(Signal::Metrics, b"", RECEIVED).unwrap();
    let report = linter.finish(Vec::new());
    let of = |name: &str| report.groups.iter().find(|group| group.name.as_deref() == Some(name)).unwrap();
    let made = &of("s").records[0];
    assert_eq!(made.conflicts, [Path { path: "confidence.score".into(), count: 1 }]);
    assert_eq!(made.truncated, [Path { path: "decision.type".into(), count: 1 }]);
    assert_eq!((of("nameless").rejected, of("nameless").promoted), (1, 0));
    let review = of("ai_audit.review.completed");
    assert_eq!((review.signal, review.records[0].kind.as_str()), ("log", "review"));
    assert!(lacks(&review.records[0], "required").contains(&"review.reviewer.id"));
    assert_eq!((report.totals.rejected, report.totals.conflicts, report.totals.truncated, report.totals.logs), (1, 1, 1, 1));
}

/// Scenario: prompts, persons, and names that hold a person. Guarantee: nothing of it is in the report.
#[test]
fn a_report_holds_no_value_and_no_person() {
    let secret = span(
        "reset of alice@example.com",
        &[
            ("ai_audit.input", Any::text("very secret words")),
            ("user.id", Any::text("bob-77")),
            ("ai_audit.decision.outcome", Any::text("outcome-of-him")),
            ("key.of.carol@example.com", Any::text("v")),
        ],
    );
    let plain = span("mail to dave@example.com", &[("to.erin@example.com", Any::text("frank"))]);
    let resource = [("service.name", Any::text("for grace@example.com"))];
    let report = linted(&[], &[request(&resource, ("app", "1"), &[secret, plain])]);
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains("reset of [scrubbed]"), "{json}");
    for leak in ["alice", "secret", "bob-77", "outcome-of-him", "carol", "dave", "erin", "frank", "grace"] {
        assert!(!json.contains(leak), "{leak}: {json}");
    }
}

/// Scenario: requests that break off or are something else. Guarantee: the place where they do not hold together is named; nothing of them is
/// counted.
#[test]
fn broken_requests_say_where() {
    let whole = traces(&[span("s", &[("ai_audit.decision.id", Any::text("d"))])]);
    assert_eq!(body(&whole, None).unwrap().signal, Signal::Traces);
    let cut = &whole[..whole.len() - 3];
    assert_eq!(body(cut, None).unwrap_err().at, 0);
    // The second group's scope is longer than the group that holds it.
    let second = field(1, &[0x12, 0x7f, 0x0a]);
    let broken = [whole.clone(), second].concat();
    assert_eq!(body(&broken, None).unwrap_err(), Broken { at: whole.len() + 2, what: "a field is longer than the message" });
    assert_eq!(body(b"{\"resourceSpans\": [}", None).unwrap_err().at, 19);
    assert!(body(b"{\"hello\": {\"a\": 1}}", None).unwrap_err().what.contains("resourceSpans"));
    let logs = request(&[], ("app", "1"), &[log("x", Any::empty(), &[])]);
    assert_eq!(body(&logs, None).unwrap().signal, Signal::Logs);
    assert_eq!(
        body(b" \n{\"resourceLogs\": [{\"scopeLogs\": [{\"logRecords\": [{\"timeUnixNano\": \"5\"}]}]}]}", None).unwrap().signal,
        Signal::Logs
    );
    // 123 is both the length of a group and an opening brace.
    let brace = [vec![b'\n', b'{'], vec![0x0a; 1], vec![121], vec![0; 121]].concat();
    assert!(is_protobuf(&brace) && !is_protobuf(b"\n{\"resourceSpans\": []}"));
    let mut linter = Linter::new(promoter(), &[]);
    assert!(linter.body(Signal::Traces, cut, RECEIVED).is_err());
    assert_eq!(linter.items(), 0);
    assert_eq!(linter.finish(Vec::new()).verdict, Verdict::Unread);
}

/// Every member that can be missing has an example and a key.
#[test]
fn whatever_is_missing_can_be_set() {
    let described = |path: &str| MEMBERS.iter().chain(RESOURCE).any(|(member, ..)| member.path() == path);
    for row in asked::ASKED {
        let path = row.member.path();
        let by_the_sdk = ["time.start", "trace.trace_id"].contains(&path);
        assert!(by_the_sdk || described(path) && !keys_for(path).is_empty(), "{path}");
    }
    for member in Member::all().filter(|m| !m.spec().required.is_empty()) {
        assert!(described(member.path()) || ["time.start", "trace.trace_id"].contains(&member.path()), "{}", member.path());
    }
}

/// Scenario: a sender whose service and span names all hold an id. Guarantee: what is remembered has an end; all are counted.
#[test]
fn names_without_end_are_bounded() {
    use super::observe::{GROUPS_MAX, NAMELESS_MAX};
    let all = GROUPS_MAX + NAMELESS_MAX + 50;
    let mut linter = Linter::new(promoter(), &[]);
    for i in 0..all {
        let (service, name) = (format!("service-{i}"), format!("step {i}"));
        let body = request(&[("service.name", Any::text(&service))], ("app", "1"), &[span(&name, &[])]);
        drop(linter.body(Signal::Traces, &body, RECEIVED).unwrap());
    }
    let report = linter.finish(Vec::new());
    assert_eq!(report.groups.len(), GROUPS_MAX + NAMELESS_MAX + 1);
    assert_eq!(report.groups.iter().map(|group| group.seen).sum::<u64>(), u64::try_from(all).unwrap());
    let rest = report.groups.iter().find(|group| group.service.is_none() && group.name.is_none()).unwrap();
    assert_eq!(rest.seen, 50);
}
