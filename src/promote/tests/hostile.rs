//! Bytes and values from outside: nothing panics, and what comes out is always a valid line.

use super::*;
use crate::promote::testing::{SPAN, TRACE, event, field, log, pair, span};
use proptest::prelude::*;

pub(super) fn any_value() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        Just(Any::empty()),
        ".{0,40}".prop_map(|t| Any::text(&t)),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(|b| Any::raw(&b)),
        any::<bool>().prop_map(Any::bool),
        any::<i64>().prop_map(Any::int),
        any::<f64>().prop_map(Any::double),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(|b| Any::bytes(&b)),
        Just(Any::text(r#"[{"role":"system","parts":[{"type":"text","content":"x"}]}]"#)),
        Just(Any::text(r#"[{"name":"a","confidence":0.2,"feature":"f","id":1,"score":null,"content":"c"},3]"#)),
        Just(Any::text(r#"{"model":"m","n":1e400,"stop":["a",1],"user":"bob"#)),
        Just(Any::text("__REDACTED__")),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|v| Any::array(&v)),
            proptest::collection::vec(inner, 0..4).prop_map(|v| {
                let pairs: Vec<(&str, Any)> = ["role", "content", "content", "\u{e9}"].into_iter().zip(v).collect();
                Any::map(&pairs)
            }),
        ]
    })
}

/// Our own keys inside two carriers, one that passes values on as they are and one that makes them JSON.
fn carried(keys: &[String]) -> Vec<String> {
    let own = keys.iter().filter(|k| k.starts_with("ai_audit."));
    own.flat_map(|k| ["traceloop.association.properties.", "langfuse.trace.metadata."].map(|carrier| format!("{carrier}{k}"))).collect()
}

fn key() -> impl Strategy<Value = String> {
    let mut keys: Vec<String> = dialects::testing_keys();
    keys.extend(carried(&keys));
    for family in [
        "llm.input_messages",
        "retrieval.documents",
        "annotations",
        "embedding.embeddings",
        "reranker.output_documents",
        "gen_ai.prompt",
        "gen_ai.completion",
        "llm.request.functions",
        "gen_ai.tool",
    ] {
        for leaf in [
            "message.content",
            "document.id",
            "document.score",
            "document.content",
            "annotation.score",
            "embedding.vector",
            "role",
            "finish_reason",
        ] {
            keys.push(format!("{family}.1.{leaf}"));
        }
    }
    prop_oneof![9 => proptest::sample::select(keys), 1 => ".{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_mapped_key_with_every_value_gives_a_valid_line(
        pairs in proptest::collection::vec((key(), any_value()), 0..14),
        inner in proptest::collection::vec((key(), any_value()), 0..5),
        event_name in proptest::sample::select(vec!["gen_ai.choice", "exception", "ai_audit.review.completed", "\u{0}x", "gen_ai.evaluation.result",
            "gen_ai.client.inference.operation.details"]),
    ) {
        let borrow = |list: &[(String, Any)]| list.iter().map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>();
        let (pairs, inner) = (borrow(&pairs), borrow(&inner));
        let pairs: Vec<(&str, Any)> = pairs.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        let inner: Vec<(&str, Any)> = inner.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        let mut bytes = span("name", &pairs);
        bytes.extend(event(event_name, 1, &inner));
        let promoter = promoter();
        let (_, tally, _) = lines(&promoter, &request(&inner, ("s", ""), &[bytes]), false);
        prop_assert_eq!(tally.counts.rejected, 0);
        let body = pairs.first().map_or_else(Any::empty, |p| p.1.clone());
        let (_, tally, _) = lines(&promoter, &request(&inner, ("s", ""), &[log(event_name, body, &pairs)]), true);
        prop_assert_eq!(tally.counts.rejected, 0);
    }

    #[test]
    fn random_and_cut_bytes_never_panic(noise in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..400, flip in 0_usize..400) {
        let promoter = promoter();
        let context = Context::new(RECEIVED);
        let mut sound = request(&[("service.name", Any::text("x"))], ("s", "1"), &[span("chat", &[
            ("gen_ai.operation.name", Any::text("chat")),
            ("gen_ai.input.messages", Any::array(&[Any::map(&[("role", Any::text("user"))])])),
        ])]);
        if let Some(byte) = sound.get_mut(flip) {
            *byte ^= noise.first().copied().unwrap_or(1);
        }
        sound.truncate(sound.len().saturating_sub(cut % 60));
        for bytes in [noise.clone(), sound, request(&[], ("s", ""), &[[field(9, b"\x0a\x06gen_ai"), noise].concat()])] {
            let mut batch = Batch::default();
            let _ = promoter.traces(&bytes, context, &mut batch);
            let _ = promoter.logs(&bytes, context, &mut batch);
            for record in &batch.records {
                checked(batch.line(record));
            }
        }
    }
}

#[test]
fn a_line_is_never_longer_than_the_limit() {
    let huge = "x".repeat(700_000);
    let documents: Vec<(String, Any)> =
        (0..4000).map(|i| (format!("retrieval.documents.{i}.document.id"), Any::text(&"d".repeat(256)))).collect();
    let mut pairs: Vec<(&str, Any)> = documents.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    pairs.push(("gen_ai.operation.name", Any::text("retrieval")));
    pairs.push(("gen_ai.response.status", Any::text(&huge)));
    pairs.push(("gen_ai.request.model", Any::text(&huge)));
    let record = one_span(span("retrieval", &pairs));
    let truncated = names(&record, "evidence.truncated");
    assert!(truncated.contains(&"retrieval.documents".into()) || truncated.contains(&"attributes".into()), "{truncated:?}");
    // The raw line was checked against the limit by `one_span`.
}

/// What a sender writes where ids, content and names go never shows, in any dialect that is read.
#[test]
fn nothing_personal_is_visible() {
    let secret = "Jane Roe +49 170 1234567";
    let pairs: Vec<String> = dialects::testing_keys();
    let personal: Vec<&str> = pairs
        .iter()
        .map(String::as_str)
        .filter(|k| {
            [
                "messages",
                "value",
                "content",
                "instructions",
                "arguments",
                "result",
                "query.text",
                "text",
                "reason",
                "user",
                "subject",
                "message",
                "stacktrace",
            ]
            .iter()
            .any(|part| k.rsplit('.').next().is_some_and(|last| last == *part || last.starts_with(part)) || k.ends_with("user.id"))
                && !k.contains("finish_reason")
                && !k.contains("reason_code")
                && !k.contains("reasoning")
        })
        .collect();
    assert!(personal.len() > 20);
    for key in personal {
        let bytes = span("x", &[("gen_ai.operation.name", Any::text("chat")), (key, Any::text(secret))]);
        let (_, _, batch) = lines(&promoter(), &request(&[], ("s", ""), &[bytes]), false);
        let text = String::from_utf8_lossy(&batch.lines).into_owned();
        assert!(!text.contains("Roe"), "{key}: {text}");
    }
    // Content and persons of coding agents, whose keys are nobody's own.
    for key in ["prompt", "user_prompt", "new_context", "response.model_output", "tool_input", "full_command", "file_path", "error"] {
        said_by_an_agent("claude_code.user_prompt", key, secret);
    }
    for key in ["user.account_uuid", "user.account_id", "user.email", "organization.id", "user.name", "enduser.id", "user.id"] {
        said_by_an_agent("claude_code.user_prompt", key, secret);
        said_by_an_agent("codex.user_prompt", key, secret);
    }
    for key in ["prompt", "arguments", "output", "error.message"] {
        said_by_an_agent("codex.tool_result", key, secret);
    }
}

fn said_by_an_agent(event: &str, key: &str, secret: &str) {
    let bytes = log("", Any::text(event), &[(key, Any::text(secret))]);
    let (_, _, batch) = lines(&promoter(), &request(&[], ("s", ""), &[bytes]), true);
    let text = String::from_utf8_lossy(&batch.lines).into_owned();
    assert!(text.contains(event) && !text.contains("Roe"), "{key}: {text}");
}

/// A scope below which a dialect's own words count.
fn speaking(dialect: dialects::Dialect) -> &'static str {
    use dialects::Dialect;
    match dialect {
        Dialect::PydanticAi => "pydantic-ai",
        Dialect::Logfire => "logfire.openai",
        Dialect::AwsStrands => "strands.telemetry.tracer",
        Dialect::MsAgentFramework => "agent_framework",
        Dialect::SemanticKernel => "semantic_kernel.functions",
        Dialect::GuardrailsAi => "guardrails-ai",
        Dialect::ClaudeCode => "com.anthropic.claude_code.events",
        _ => "s",
    }
}

/// The same as a span's name, where the scope says nothing.
fn name_of(dialect: dialects::Dialect) -> &'static str {
    match dialect {
        dialects::Dialect::NemoGuardrails => "guardrails.rail",
        _ => "x",
    }
}

/// Wherever a sender puts an address or a number that reaches a person, it does not stand in evidence: any key that the tables know, the
/// names around a span, resource, scope, events and links, in every shape of value.
#[test]
fn what_reaches_a_person_stands_nowhere_in_clear() {
    let settings = Settings { keep_attributes: vec!["app.kept".to_owned()], ..settings() };
    let promoter = Promoter::new(settings).unwrap();
    let visible = |what: &str, resource: &[(&str, Any)], scope: (&str, &str), span: Vec<u8>| {
        let (_, _, batch) = lines(&promoter, &request(resource, scope, &[span]), false);
        assert!(!batch.records.is_empty(), "{what}");
        let text = String::from_utf8_lossy(&batch.lines).into_owned();
        for part in ["roe", "example.com", "170 1234567", "555-2671"] {
            assert!(!text.contains(part), "{what}: {text}");
        }
    };
    let said = "to jane.roe@example.com, +49 170 1234567 or 415-555-2671";
    let shapes = [
        Any::text(said),
        Any::array(&[Any::text(said)]),
        Any::map(&[("deep", Any::array(&[Any::text(said)]))]),
        Any::text(&format!(r#"[{{"name":"{said}","outcome":"{said}","feature":"{said}","field":"{said}","id":"{said}"}}]"#)),
    ];
    let mut keys = dialects::testing_keys();
    keys.push("app.kept".to_owned());
    keys.extend(carried(&keys));
    for key in &keys {
        for shape in &shapes {
            visible(key, &[], ("s", ""), span("x", &[("gen_ai.operation.name", Any::text("chat")), (key, shape.clone())]));
            visible(key, &[(key, shape.clone())], ("s", ""), span("x", &[("gen_ai.operation.name", Any::text("chat"))]));
        }
    }
    for (dialect, key) in dialects::testing_own_keys() {
        for shape in &shapes {
            let pairs = [("gen_ai.operation.name", Any::text("chat")), (key, shape.clone())];
            visible(key, &[], (speaking(dialect), ""), span(name_of(dialect), &pairs));
        }
    }
    let ai = [("gen_ai.operation.name", Any::text("chat"))];
    visible("span name", &[], ("s", ""), span(said, &ai));
    visible("scope", &[], (said, said), span("x", &ai));
    for key in
        ["service.name", "service.namespace", "service.version", "service.instance.id", "deployment.environment.name", "cloud.region"]
    {
        visible(key, &[(key, Any::text(said))], ("s", ""), span("x", &ai));
    }
    let relation = pair(b"relation", &Any::text(said));
    let link = [field(1, &TRACE), field(2, &SPAN), field(4, &relation)].concat();
    visible("link", &[], ("s", ""), [span("x", &ai), field(13, &link)].concat());
    for name in ["ai_audit.review.completed", "gen_ai.choice", said] {
        let attributes =
            ["finish_reason", "role", "ai_audit.review.trigger"].map(|k| field(3, &pair(k.as_bytes(), &Any::text(said)))).concat();
        visible(name, &[], ("s", ""), [span("x", &ai), field(11, &[field(2, name.as_bytes()), attributes].concat())].concat());
    }
    let reasons = format!(r#"[{{"role":"assistant","finish_reason":"{said}"}}]"#);
    visible("reasons", &[], ("s", ""), span("x", &[("gen_ai.output.messages", Any::text(&reasons))]));
}

/// Scenario: a resource and a scope far longer than anybody's, over many small spans. Guarantee: who sent it is said, the rest is carried
/// up to a bound and named as cut, so that the lines stay a small multiple of the spans.
#[test]
fn a_long_resource_is_not_multiplied() {
    let long = "x".repeat(200_000);
    let resource = [
        ("app.notes", Any::text(&long)),
        ("container.image.tags", Any::array(&vec![Any::text("tag"); 20_000])),
        ("ai_audit.decision.purpose", Any::text(&long)),
        ("service.name", Any::text("claims")),
        ("service.namespace", Any::text("lending")),
    ];
    let spans: Vec<Vec<u8>> = (1..=200_u64)
        .map(|i| [field(1, &TRACE), field(2, &i.to_be_bytes()), field(9, &pair(b"gen_ai.system", &Any::text("openai")))].concat())
        .collect();
    let (records, tally, batch) = lines(&promoter(), &request(&resource, (&long, ""), &spans), false);
    assert_eq!((records.len(), tally.counts.rejected), (200, 0));
    assert!(batch.lines.len() < 200 * 3_000, "{}", batch.lines.len());
    assert_eq!(records[0].path("source.service").and_then(Json::as_str), Some("claims"));
    assert_eq!(names(&records[0], "evidence.truncated"), ["rest", "source.scope"]);
}

/// A text of any length stays out of evidence, whatever member it was sent in: content has its own place.
#[test]
fn long_texts_stand_nowhere_in_clear() {
    let said = "please tell me of my claim ".repeat(60);
    for key in dialects::testing_keys() {
        for value in [Any::text(&said), Any::array(&[Any::text(&said)])] {
            let bytes = span("x", &[("gen_ai.operation.name", Any::text("chat")), (&key, value)]);
            let (_, _, batch) = lines(&promoter(), &request(&[], ("s", ""), &[bytes]), false);
            let text = String::from_utf8_lossy(&batch.lines).into_owned();
            assert!(!text.contains(&said[..1100]), "{key}: {text}");
        }
    }
}

/// A realm stands in clear in every record: it is no person and no content.
#[test]
fn a_realm_is_no_person_and_no_content() {
    for key in ["gen_ai.prompt", "gen_ai.input.messages", "user.id", "enduser.id"] {
        let realm = Promoter::new(Settings { realm: key.to_owned(), ..settings() });
        assert!(realm.unwrap_err().starts_with("identity.realm: `"), "{key}");
    }
}

/// Nobody can order what is never stored to be stored.
#[test]
fn what_is_never_stored_cannot_be_kept_by_order() {
    for key in ["host.name", "http.request.header.authorization", "client.address", "baggage.user"] {
        let kept = Promoter::new(Settings { keep_attributes: vec![key.to_owned()], ..settings() });
        assert!(kept.unwrap_err().starts_with("promotion.keep_attributes: `"), "{key}");
        let realm = Promoter::new(Settings { realm: key.to_owned(), ..settings() });
        assert!(realm.unwrap_err().starts_with("identity.realm: `"), "{key}");
    }
}

/// A version is no address of a machine, a model's name no telephone number: what auditors ask for stays as it was sent.
#[test]
fn words_of_machines_stay() {
    for (key, path, said) in [
        ("ai_audit.model.version", "model.version", "1.2.3.4"),
        ("ai_audit.model.id", "model.id", "claude-3-5-sonnet@20240620"),
        ("gen_ai.response.model", "model.version", "model@2024.08"),
        ("ai_audit.policy.version", "policy.version", "2026.11.20.1"),
        ("ai_audit.model.checksum", "model.checksum", "sha256:4155552671415555267141555526714155552671415555267141555526714155"),
        ("ai_audit.decision.id", "decision.id", "2026-11-20/415/7"),
    ] {
        let bytes = span("x", &[("gen_ai.operation.name", Any::text("chat")), (key, Any::text(said))]);
        let (lines, ..) = lines(&promoter(), &request(&[], ("s", ""), &[bytes]), false);
        let json = &lines[0];
        assert_eq!(json.path(path).and_then(Json::as_str), Some(said), "{key}");
        assert!(json.path("evidence.scrubbed").is_none(), "{key}");
    }
}

/// Records that name the same decision by a person's address still name the same decision.
#[test]
fn an_id_that_is_a_person_still_joins() {
    let decision =
        span("x", &[("ai_audit.decision.id", Any::text("jane.roe@example.com-7")), ("ai_audit.decision.outcome", Any::text("deny"))]);
    let review =
        span("y", &[("ai_audit.decision.id", Any::text("jane.roe@example.com-7")), ("ai_audit.review.status", Any::text("pending"))]);
    let (lines, ..) = lines(&promoter(), &request(&[], ("s", ""), &[decision, review]), false);
    let ids: Vec<&str> = lines.iter().filter_map(|l| l.path("decision.id")?.as_str()).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1] && ids[0].starts_with("ps:"), "{ids:?}");
}

#[test]
fn debug_shows_nothing() {
    let promoter = promoter();
    let (_, _, batch) = lines(&promoter, &request(&[], ("s", ""), &[span("x", &[("gen_ai.input.messages", Any::text("secret"))])]), false);
    let shown = format!("{promoter:?} {batch:?} {:?}", batch.records);
    assert!(!shown.contains("secret"));
}

/// Scenario: ids of every length. Guarantee: each span and log is promoted, one whose trace, span or parent id has a wrong length is counted
/// (once) and names it; no id at all and one of zeros only, which some SDKs write for "no parent", are not counted.
#[test]
fn ids_of_wrong_length_are_counted() {
    let with = |trace: &[u8], span_id: &[u8], parent: &[u8]| {
        let ai = field(9, &pair(b"gen_ai.operation.name", &Any::text("chat")));
        [field(1, trace), field(2, span_id), field(4, parent), ai].concat()
    };
    let spans = [
        with(&[1; 16], &[1; 8], &[1; 8]),
        with(&[], &[], &[]),
        with(&[0; 16], &[0; 8], &[0; 8]),
        with(&[1; 15], &[1; 8], &[]),
        with(&[1; 16], &[1; 9], &[1; 7]),
        with(&[1; 16], &[1; 8], &[0]),
    ];
    let (lines_of_spans, tally, _) = lines(&promoter(), &request(&[], ("s", ""), &spans), false);
    assert_eq!((tally.counts.promoted, tally.counts.rejected, tally.misshapen_ids), (2, 4, 1));
    assert!(tally.rejected_why.unwrap().contains("span id"));
    assert_eq!(names(&lines_of_spans[1], "evidence.conflicts"), ["trace.parent_span_id"]);
    let logs = [&[1_u8; 16][..], &[], &[0; 16], &[1; 3]].map(|trace| [log("gen_ai.choice", Any::empty(), &[]), field(9, trace)].concat());
    let (_, tally, _) = lines(&promoter(), &request(&[], ("s", ""), &logs), true);
    assert_eq!((tally.counts.promoted, tally.misshapen_ids), (4, 1));
}

/// Scenario: the first span of a request becomes a record many times its size, and nothing else of it becomes one. Guarantee: what waits
/// for its seal takes no more memory than it is, because only that is paid for.
#[test]
fn what_the_first_span_promises_takes_no_memory() {
    let plain = span("GET", &[("http.route", Any::text(&"x".repeat(200)))]);
    let mut items = vec![span("chat", &[("gen_ai.operation.name", Any::text("chat"))])];
    items.extend(std::iter::repeat_n(plain, 2000));
    let mut batch = Batch::default();
    promoter().traces(&request(&[], ("app", ""), &items), Context::new(RECEIVED), &mut batch).unwrap();
    assert_eq!(batch.records.len(), 1);
    assert!(batch.lines.capacity() < 2 * batch.lines.len(), "{} of {}", batch.lines.capacity(), batch.lines.len());
    assert!(batch.records.capacity() < 8, "{}", batch.records.capacity());
}

/// Scenario: beside an ordinary span one whose attributes, events, attributes of an event or of a link are two bytes each, or have a key made for
/// each of them out of a long name, a million times. Guarantee: it is rejected before they take memory, and the other is promoted.
#[test]
fn a_flood_of_little_things_is_rejected() {
    let flood = |number: u64, times: usize| field(number, b"").repeat(times);
    let ai = || span("chat", &[("gen_ai.operation.name", Any::text("chat"))]);
    let own = |more: Vec<u8>| [ai(), more].concat();
    let named = field(11, &[field(2, "n".repeat(100_000).as_bytes()), flood(3, 1000)].concat());
    let link = [field(1, &TRACE), field(2, &SPAN), flood(4, 1_000_000)].concat();
    let nested = Any(field(6, &flood(1, 1_000_000)));
    let deep = (0..10).fold(Any::text("x"), |inner, _| Any(field(6, &[field(1, &pair(b"in", &inner)), flood(1, 50_000)].concat())));
    for (what, flooded) in [
        ("attributes", own(flood(9, 1_000_000))),
        ("events", own(flood(11, 1_000_000))),
        ("attributes of an event", own(field(11, &[field(2, b"e"), flood(3, 1_000_000)].concat()))),
        ("a long name", own(named)),
        ("attributes of a link", own(field(13, &link))),
        ("keys in a value", own(field(9, &pair(b"gen_ai.input.messages", &nested)))),
        ("keys in keys", own(field(9, &pair(b"app.own", &deep)))),
    ] {
        let (lines, tally, _) = lines(&promoter(), &request(&[], ("s", ""), &[flooded, ai()]), false);
        assert_eq!((lines.len(), tally.counts.rejected), (1, 1), "{what}");
        assert!(tally.rejected_why.unwrap().contains("more than 16 MiB"), "{what}");
    }
    let many = [log("gen_ai.x", Any::empty(), &[]), flood(6, 1_000_000)].concat();
    let (_, tally, _) = lines(&promoter(), &request(&[], ("s", ""), &[many]), true);
    assert_eq!((tally.counts.promoted, tally.counts.rejected), (0, 1));
    // Of a resource they are left out, as what is too long is.
    let resource = [flood(1, 1_000_000), field(1, &pair(b"service.name", &Any::text("shop")))].concat();
    let whole = field(1, &[field(1, &resource), field(2, &field(2, &ai()))].concat());
    let (lines, _, batch) = lines(&promoter(), &whole, false);
    assert!(lines.len() == 1 && batch.lines.len() < 100_000, "{}", batch.lines.len());
}

/// So much room, in parts.
#[derive(Debug)]
struct Narrow {
    parts: Parts,
    asked: std::sync::atomic::AtomicUsize,
}

impl Narrow {
    fn new(enough: usize, most: usize) -> Self {
        Narrow { parts: Parts { enough, most }, asked: 0.into() }
    }
}

impl Room for Narrow {
    fn has(&self, bytes: usize) -> bool {
        self.asked.fetch_max(bytes, std::sync::atomic::Ordering::Relaxed);
        bytes <= self.parts.most
    }

    fn parts(&self) -> Option<Parts> {
        Some(self.parts)
    }
}

/// Scenario: a request of spans, plain ones and a malformed one among them, promoted in parts of several sizes; in it a span whose events become more
/// than there ever is room for. Guarantee: together the parts are what the request is as a whole, each span once; of the large one nothing is left,
/// it is rejected, and was never asked much more for than there is.
#[test]
fn parts_are_the_whole() {
    let act =
        |n: usize| event("ai_audit.decision", 1_795_187_346_000_000_000, &[("ai_audit.decision.outcome", Any::text(&format!("o{n}")))]);
    let ai = |n: u8| span(&format!("chat {n}"), &[("gen_ai.operation.name", Any::text("chat")), ("gen_ai.request.model", Any::text("m"))]);
    let mut spans: Vec<Vec<u8>> = (0..20).flat_map(|n| [ai(n), span("plain", &[]), [ai(n), act(0), act(1)].concat()]).collect();
    spans.insert(7, field(9, b"gen_ai"));
    let plain = request(&[("service.name", Any::text("shop"))], ("s", ""), &spans);
    // A condition that cannot be decided at any of them.
    let promoter = own_rules::with(&own_rules::rule("match: {scope: s, when: 'attributes[\"app.n\"] > 5'}, set: {decision.type: x}"));
    let (whole, expected, _) = lines(&promoter, &plain, false);
    assert_eq!(expected.undecided, 60);
    let in_parts = |request: &[u8], room: &Narrow| {
        let (mut from, mut tally, mut found, mut parts) = (Some(0), Tally::default(), Vec::new(), 0);
        while let Some(at) = from {
            let mut batch = Batch::default();
            let made = promoter.traces(request, Context { room, from: at, ..Context::new(RECEIVED) }, &mut batch).unwrap();
            from = made.rest;
            tally.go_on(made);
            found.extend(batch.records.iter().map(|record| checked(batch.line(record))));
            parts += 1;
        }
        (found, tally, parts)
    };
    for (enough, most, least) in [(1, 100_000, 40), (3000, 100_000, 10), (3000, 5000, 10), (100_000, 5000, 10), (1_000_000, 1_000_000, 1)] {
        let (found, tally, parts) = in_parts(&plain, &Narrow::new(enough, most));
        assert_eq!((found == whole, &tally), (true, &expected), "{enough}, {most}");
        assert!(parts >= least, "{enough}, {most}: {parts}");
    }
    // 2,000 records of some 700 bytes.
    let large = [ai(200), (0..2000).flat_map(act).collect()].concat();
    for at in [0, 30, spans.len()] {
        let mut spans = spans.clone();
        spans.insert(at, large.clone());
        let request = request(&[("service.name", Any::text("shop"))], ("s", ""), &spans);
        let room = Narrow::new(20_000, 40_000);
        let (found, tally, _) = in_parts(&request, &room);
        assert!(found == whole, "{at}");
        assert_eq!((tally.counts.spans, tally.counts.rejected), (expected.counts.spans + 1, expected.counts.rejected + 1), "{at}");
        assert!(room.asked.into_inner() < 45_000, "{at}: all of it was made");
    }
}
