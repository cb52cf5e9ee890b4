//! The rules of `record.md` sections 3 to 5, one by one.

use super::*;
use crate::promote::testing::{event, field, fixed, log, pair, span};

fn chat(more: &[(&str, Any)]) -> Vec<u8> {
    span("chat", &[&[("gen_ai.operation.name", Any::text("chat"))], more].concat())
}

/// Scenario: content capture is off, in the ways that instrumentations do it. Guarantee: nothing of it looks like content.
#[test]
fn skeletons_are_not_content() {
    let frame = r#"[{"role":"user","parts":[{"type":"text"}]}]"#;
    let record = one_span(chat(&[("gen_ai.input.messages", Any::text(frame)), ("gen_ai.output.messages", Any::text("[]"))]));
    assert_eq!((at(&record, "input.captured"), at(&record, "output.captured")), ("absent", "absent"));
    assert!(record.path("input.hash").is_none() && record.path("prompt.hash").is_none());
    assert_eq!(at(&record, "rest.captured"), "hash", "what was sent stays findable");
    let missing = names(&record, "evidence.missing");
    assert!(missing.contains(&"input".into()) && missing.contains(&"output".into()));

    let structured =
        Any::array(&[Any::map(&[("role", Any::text("user")), ("parts", Any::array(&[Any::map(&[("type", Any::text("text"))])]))])]);
    let details = log(
        "gen_ai.client.inference.operation.details",
        Any::empty(),
        &[("gen_ai.operation.name", Any::text("chat")), ("gen_ai.input.messages", structured)],
    );
    let record = one_log(details);
    assert_eq!((at(&record, "kind"), at(&record, "input.captured")), ("inference", "absent"));

    let hidden = span(
        "ChatCompletion",
        &[
            ("openinference.span.kind", Any::text("LLM")),
            ("input.value", Any::text("__REDACTED__")),
            ("llm.input_messages.0.message.role", Any::text("user")),
            ("llm.input_messages.0.message.content", Any::text("__REDACTED__")),
            ("output.value", Any::text("{}")),
        ],
    );
    let record = one_span(hidden);
    assert_eq!((at(&record, "input.captured"), at(&record, "output.captured")), ("redacted", "absent"));
    assert!(record.path("input.hash").is_none());
}

#[test]
fn an_empty_value_carries_nothing_beside_content() {
    let record = one_span(chat(&[("input.value", Any::text("hello")), ("gen_ai.input.messages", Any::text("[]"))]));
    assert_eq!((at(&record, "input.scheme"), at(&record, "input.hash")), ("utf8", h("content", b"hello").as_str()));
    assert_eq!(at(&record, "rest.hash"), h("content", b"[]"));
}

#[test]
fn tools_and_retrievals_have_their_own_content() {
    let record = one_span(span(
        "get_credit_report",
        &[
            ("openinference.span.kind", Any::text("TOOL")),
            ("tool.name", Any::text("get_credit_report")),
            ("input.value", Any::text("{\"id\": 5}")),
            ("output.value", Any::text("612")),
        ],
    ));
    assert_eq!(at(&record, "tool.arguments.hash"), h("content", b"{\"id\": 5}"));
    assert_eq!(at(&record, "tool.result.hash"), h("content", b"612"));
    assert!(record.get("input").is_none());

    let record = one_span(span(
        "retrieve",
        &[
            ("openinference.span.kind", Any::text("RETRIEVER")),
            ("input.value", Any::text("minimum income?")),
            ("retrieval.documents.1.document.content", Any::text("B")),
            ("retrieval.documents.0.document.id", Any::text("doc of alice@example.com")),
            ("retrieval.documents.0.document.score", Any::double(0.5)),
            ("retrieval.documents.0.document.metadata", Any::text("{\"page\": 4}")),
        ],
    ));
    assert_eq!(at(&record, "retrieval.query.hash"), h("content", b"minimum income?"));
    let documents = record.path("retrieval.documents").unwrap().to_jcs_string();
    let expected = format!(
        r#"[{{"id":"doc of [scrubbed]","score":0.5}},{{"content":{{"bytes":"1","captured":"hash","hash":"{}","scheme":"utf8"}}}}]"#,
        h("content", b"B")
    );
    assert_eq!(documents, expected);
    assert_eq!(names(&record, "evidence.scrubbed"), ["retrieval.documents[].id"]);
    assert_eq!(at(&record, "rest.hash"), h("content", b"{\"page\": 4}"));

    let list = Any::text(r#"[{"id":"d1","score":0.9},{"id":"d2"}]"#);
    let record = one_span(span("retrieval", &[("gen_ai.operation.name", Any::text("retrieval")), ("gen_ai.retrieval.documents", list)]));
    assert_eq!(record.path("retrieval.documents").unwrap().to_jcs_string(), r#"[{"id":"d1","score":0.9},{"id":"d2"}]"#);
}

#[test]
fn models_fall_back_in_order() {
    let model = |more: &[(&str, Any)]| {
        let record = one_span(chat(more));
        let derived = |path| record.path("evidence.derived").and_then(|d| d.get(path)).and_then(Json::as_str).unwrap_or("-").to_owned();
        [at(&record, "model.id").to_owned(), at(&record, "model.version").to_owned(), derived("model.id"), derived("model.version")]
    };
    let (asked, answered) = (("gen_ai.request.model", Any::text("a")), ("gen_ai.response.model", Any::text("b")));
    assert_eq!(model(std::slice::from_ref(&asked)), ["a", "(absent)", "fallback:gen_ai.request.model", "-"]);
    assert_eq!(model(&[asked.clone(), answered.clone()]), ["b", "b", "-", "fallback:gen_ai.response.model"]);
    assert_eq!(model(&[answered.clone(), ("triton.model_version", Any::int(3))]), ["b", "3", "-", "-"]);
    let own = [
        answered,
        ("ai_audit.model.version", Any::text("4.2")),
        ("triton.model_version", Any::int(3)),
        ("ai_audit.model.id", Any::text("o")),
    ];
    assert_eq!(model(&own), ["o", "4.2", "-", "-"]);
}

#[test]
fn older_names_lose_and_contradictions_are_named() {
    let record = one_span(chat(&[
        ("gen_ai.usage.prompt_tokens", Any::int(7)),
        ("gen_ai.usage.input_tokens", Any::int(34)),
        ("gen_ai.system", Any::text("langchain")),
        ("gen_ai.provider.name", Any::text("openai")),
        ("gen_ai.usage.completion_tokens", Any::int(61)),
        ("gen_ai.usage.output_tokens", Any::int(61)),
    ]));
    assert_eq!((at(&record, "usage.input_tokens"), at(&record, "model.provider")), ("34", "openai"));
    assert_eq!(names(&record, "evidence.conflicts"), ["usage.input_tokens"]);
    let x = br#"{"gen_ai.system":"langchain","gen_ai.usage.prompt_tokens":{"intValue":"7"}}"#;
    assert_eq!(at(&record, "rest.hash"), h("content", x));
}

#[test]
fn what_cannot_be_converted_is_named_and_kept_in_rest() {
    let record = one_span(chat(&[
        ("ai_audit.confidence.score", Any::double(f64::NAN)),
        ("gen_ai.request.max_tokens", Any::text("many")),
        ("gen_ai.request.top_k", Any::double(3.0)),
        ("gen_ai.request.model", Any::text("")),
    ]));
    assert!(record.get("confidence").is_none());
    assert_eq!(at(&record, "parameters.top_k"), "3");
    assert_eq!(names(&record, "evidence.conflicts"), ["confidence.score", "parameters.max_tokens"]);
    let x = br#"{"ai_audit.confidence.score":{"doubleValue":"NaN"},"gen_ai.request.max_tokens":"many","gen_ai.request.model":""}"#;
    assert_eq!(at(&record, "rest.hash"), h("content", x));
}

#[test]
fn repeated_keys_keep_the_first_value() {
    let record = one_span(chat(&[
        ("server.port", Any::int(1)),
        ("server.port", Any::int(2)),
        ("gen_ai.request.model", Any::text("a")),
        ("gen_ai.request.model", Any::text("b")),
        ("x", Any::text("1")),
        ("x", Any::text("2")),
    ]));
    assert_eq!(record.path("attributes").unwrap().get("server.port").unwrap().to_jcs_string(), r#"{"intValue":"1"}"#);
    assert_eq!(at(&record, "model.requested"), "a");
    assert_eq!(names(&record, "evidence.conflicts"), ["attributes", "rest"]);
    assert_eq!(at(&record, "rest.hash"), h("content", br#"{"gen_ai.request.model":"b","x":"1"}"#));
}

#[test]
fn broken_text_is_repaired_and_named() {
    let record = one_span(chat(&[("gen_ai.response.id", Any::raw(b"r\xff")), ("gen_ai.input.messages", Any::raw(b"hello \xed\xa0\x80"))]));
    assert_eq!(at(&record, "output.response_id"), "r\u{fffd}");
    assert_eq!(at(&record, "input.hash"), h("content", b"hello \xed\xa0\x80"), "the preimage is the bytes as sent");
    assert_eq!(names(&record, "evidence.conflicts"), ["input", "output.response_id"]);
}

#[test]
fn a_parent_id_of_wrong_length_is_none_and_a_log_needs_no_ids() {
    let mut bytes = chat(&[]);
    bytes.extend(field(4, &[1; 9]));
    let record = one_span(bytes);
    assert!(record.path("trace.parent_span_id").is_none());
    assert_eq!(names(&record, "evidence.conflicts"), ["trace.parent_span_id"]);
    let item = [log("gen_ai.choice", Any::empty(), &[]), field(9, b"short"), field(10, &[0; 8])].concat();
    let (records, tally, _) = lines(&promoter(), &request(&[], ("s", ""), std::slice::from_ref(&item)), true);
    assert!(records[0].path("trace").is_none() && tally.misshapen_ids == 1);
    let ordinal = hex::encode(promoter().keyed.bytes("log", &item));
    assert_eq!(at(&records[0], "id"), hex::encode(&Sha256::digest(format!(r#"["log","","","{ordinal}"]"#))[..16]));
}

#[test]
fn links_and_dropped_counts_and_tracestate() {
    let mut bytes = chat(&[]);
    let relation = field(4, &pair(b"relation", &Any::text("review_of")));
    bytes.extend(field(13, &[field(1, &[7; 16]), field(2, &[8; 8]), relation].concat()));
    bytes.extend(field(3, b"vendor=secret"));
    bytes.extend([0x50, 5, 0x60, 6, 0x70, 7]);
    let (records, tally, _) = lines(&promoter(), &request(&[], ("s", ""), &[bytes]), false);
    let links = records[0].path("trace.links").unwrap().to_jcs_string();
    assert_eq!(links, r#"[{"relation":"review_of","span_id":"0808080808080808","trace_id":"07070707070707070707070707070707"}]"#);
    assert_eq!(records[0].path("evidence.dropped").unwrap().to_jcs_string(), r#"{"attributes":"5","events":"6","links":"7"}"#);
    assert_eq!(at(&records[0], "evidence.withheld"), "1");
    assert_eq!(tally.counts.dropped_attributes, 5);
}

#[test]
fn merged_and_unknown_fields() {
    // A status in two parts is one status; an unknown field changes nothing.
    let mut bytes = chat(&[]);
    bytes.extend(field(15, &field(2, b"rate limited for alice")));
    bytes.extend(field(15, &[0x18, 2]));
    bytes.extend(field(999, b"future"));
    let record = one_span(bytes);
    assert_eq!(at(&record, "error.status"), "error");
    assert_eq!(at(&record, "error.message.hash"), h("content", b"rate limited for alice"));
}

#[test]
fn persons_and_references() {
    let with = |settings: Settings| {
        let bytes =
            chat(&[("user.id", Any::text("bob")), ("session.id", Any::text("s-1")), ("gen_ai.conversation.id", Any::text("a@b.de"))]);
        let resource = [("service.namespace", Any::text("lending"))];
        let (records, _, _) = lines(&Promoter::new(settings).unwrap(), &request(&resource, ("s", ""), &[bytes]), false);
        ["actor.user_id", "actor.session_id", "actor.conversation_id"].map(|p| at(&records[0], p).to_owned())
    };
    let hmac = |text: &str| {
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap();
        mac.update(text.as_bytes());
        format!("ps:66687aad:{}", hex::encode(&mac.finalize().into_bytes()[..16]))
    };
    let bob = hmac(r#"["person","lending","bob"]"#);
    let reference = |v: &str| hmac(&format!(r#"["ref","lending","{v}"]"#));
    assert_eq!(with(settings()), [bob.clone(), "s-1".into(), reference("a@b.de")]);
    let keyed = Settings { references: References::Keyed, ..settings() };
    assert_eq!(with(keyed), [bob, reference("s-1"), reference("a@b.de")]);
    let plain = Settings { identity_mode: IdentityMode::Plain, acknowledge_plain: true, ..settings() };
    assert_eq!(with(plain)[0], "id:bob");
    let refused = Promoter::new(Settings { identity_mode: IdentityMode::Plain, ..settings() }).unwrap_err();
    assert!(refused.contains("acknowledge_plain"));
    assert!(Promoter::new(Settings { identity_mode: IdentityMode::Vault, ..settings() }).is_err());
    assert!(Promoter::new(Settings { dialects: vec!["otel_genia".into()], ..settings() }).unwrap_err().contains("`otel_genai`"));
}

#[test]
fn claims_lengthen_retention_only_where_allowed() {
    for (claim, class) in [("long", "long"), ("short", "standard"), ("unheard-of", "standard")] {
        let record = one_span(chat(&[("ai_audit.retention.class", Any::text(claim))]));
        assert_eq!((at(&record, "retention.claimed"), at(&record, "retention.class")), (claim, class));
    }
}

#[test]
fn answers_give_the_weakest_confidence() {
    let answers = r#"[{"name":"fraud","outcome":"no","confidence":0.9,"threshold":0.5},{"name":"income","outcome":true,"confidence":0.6,"threshold":0.7}]"#;
    let record = one_span(span("decide", &[("ai_audit.decision.answers", Any::text(answers))]));
    let confidence = record.get("confidence").unwrap().to_jcs_string();
    assert_eq!(confidence, r#"{"of":"income","score":0.6,"threshold":0.7,"threshold_met":false}"#);
    assert_eq!(at(&record, "kind"), "decision");
    let outcomes = record.path("decision.answers").unwrap().to_jcs_string();
    assert!(outcomes.contains(r#"{"confidence":0.6,"name":"income","outcome":"true","threshold":0.7}"#), "{outcomes}");
}

#[test]
fn scores_are_never_rescaled() {
    let record = one_span(chat(&[
        ("ai_audit.confidence.score", Any::int(83)),
        ("ai_audit.confidence.threshold_met", Any::bool(false)),
        ("ai_audit.confidence.threshold", Any::int(80)),
    ]));
    assert_eq!(record.path("confidence.score"), Some(&Json::Number(83.0)));
    assert_eq!(names(&record, "evidence.conflicts"), ["confidence.score", "confidence.threshold_met"]);
    assert_eq!(record.path("confidence.threshold_met"), Some(&Json::Bool(false)), "the claim stays");
}

#[test]
fn a_score_at_its_threshold_meets_it() {
    for (score, met) in [(0.5 - f64::EPSILON, false), (0.5, true), (0.5 + f64::EPSILON, true)] {
        let record =
            one_span(chat(&[("gen_ai.confidence.score", Any::double(score)), ("ai_audit.confidence.threshold", Any::double(0.5))]));
        assert_eq!(record.path("confidence.threshold_met"), Some(&Json::Bool(met)));
    }
}

#[test]
fn a_qualifier_alone_makes_no_decision() {
    let record = one_span(chat(&[("ai_audit.decision.automation_level", Any::text("advisory"))]));
    assert!(record.get("decision").is_none());
    assert_eq!(at(&record, "rest.hash"), h("content", b"advisory"));
}

#[test]
fn aggregates_are_marked() {
    let usage = ("gen_ai.usage.input_tokens", Any::int(5));
    let agent = one_span(span("a", &[("gen_ai.operation.name", Any::text("invoke_agent")), usage.clone()]));
    assert_eq!(agent.path("usage.aggregate"), Some(&Json::Bool(true)));
    let fetched = one_span(span("f", &[("gen_ai.operation.name", Any::text("fetch_response")), usage.clone()]));
    assert_eq!((at(&fetched, "kind"), fetched.path("usage.aggregate")), ("event", Some(&Json::Bool(true))));
    assert_eq!(one_span(chat(&[usage])).path("usage.aggregate"), None);
}

#[test]
fn dialects_without_a_table_are_promoted_and_lose_nothing() {
    let record = one_span(span("call", &[("lmnr.span.type", Any::text("LLM")), ("lmnr.span.input", Any::text("secret"))]));
    assert_eq!((at(&record, "kind"), names(&record, "source.dialects")), ("event", vec!["laminar".to_owned()]));
    let x = br#"{"lmnr.span.input":"secret","lmnr.span.type":"LLM"}"#;
    assert_eq!(at(&record, "rest.hash"), h("content", x));
}

#[test]
fn every_span_is_counted_once() {
    let promoter = promoter();
    let mut act = chat(&[]);
    act.extend(event("ai_audit.policy", 3, &[("ai_audit.policy.id", Any::text("p"))]));
    let broken = [chat(&[]), field(9, &[0x0a, 0x7f])].concat();
    let items = [chat(&[]), span("GET /", &[("http.route", Any::text("/"))]), broken, act];
    let (_, tally, batch) = lines(&promoter, &request(&[], ("s", ""), &items), false);
    let counts = tally.counts;
    assert_eq!((counts.spans, counts.promoted, counts.skipped, counts.rejected), (4, 3, 1, 1));
    assert_eq!((batch.records.len(), tally.skipped[0]), (3, 1));
    assert!(tally.rejected_why.is_some());
    // A request that is no protobuf appends nothing.
    let mut batch = Batch::default();
    let whole = [request(&[], ("s", ""), &[chat(&[])]), vec![0x0a, 0x7f]].concat();
    assert!(promoter.traces(&whole, Context::new(RECEIVED), &mut batch).is_err());
    assert!(batch.records.is_empty() && batch.lines.is_empty());
}

#[test]
fn a_resend_over_another_connection_is_the_same_record() {
    let bytes = request(&resource(), ("s", ""), &[chat(&[("gen_ai.request.model", Any::text("m"))])]);
    let peer = Peer { id: "app-1".into(), method: "mtls" };
    let send = |received, peer: Option<&Peer>| {
        let mut batch = Batch::default();
        promoter().traces(&bytes, Context { peer, ..Context::new(UnixNanos(received)) }, &mut batch).unwrap();
        let json = checked(batch.line(&batch.records[0]));
        (batch.records[0].id, batch.records[0].sameness, at(&json, "source.peer.method").to_owned())
    };
    let (first, second) = (send(RECEIVED.0, None), send(RECEIVED.0 + 9_000_000_000, Some(&peer)));
    assert_eq!((first.0, first.1), (second.0, second.1));
    assert_eq!((first.2.as_str(), second.2.as_str()), ("none", "mtls"));
}

#[test]
fn a_span_without_times_stands_at_its_reception() {
    let mut bytes = chat(&[]);
    bytes.extend([fixed(7, 0), fixed(8, 0)].concat());
    let (records, _, batch) = lines(&promoter(), &request(&[], ("s", ""), &[bytes]), false);
    assert!(records[0].path("time.start").is_none() && names(&records[0], "evidence.missing").contains(&"time.start".into()));
    assert_eq!((batch.records[0].first, batch.records[0].last), (RECEIVED, RECEIVED));
}
