//! Lines by hand: every expected text is written from `record.md`, hashes are computed beside it.

use super::*;
use crate::promote::testing::{event, log, span};

const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";
const SPAN: &str = "a1a2a3a4a5a6a7a8";

/// First 16 bytes of SHA-256 over the literal JCS array.
fn id(signal: &str, ordinal: &str) -> String {
    hex::encode(&Sha256::digest(format!("[\"{signal}\",\"{TRACE}\",\"{SPAN}\",\"{ordinal}\"]"))[..16])
}

fn line_of(request: &[u8], logs: bool) -> String {
    let (_, _, batch) = lines(&promoter(), request, logs);
    assert_eq!(batch.records.len(), 1);
    assert_eq!(batch.records[0].first, if logs { UnixNanos(1_795_187_346_226_909_356) } else { UnixNanos(1_795_187_346_000_000_000) });
    String::from_utf8(batch.line(&batch.records[0]).to_vec()).unwrap()
}

#[test]
fn a_chat_span_of_semconv_1_37() {
    let input = r#"[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"Grant A-1047?"}]}]"#;
    let output = r#"[{"role":"assistant","parts":[{"type":"text","content":"No."}],"finish_reason":"stop"}]"#;
    let bytes = span(
        "chat gpt-4o",
        &[
            ("gen_ai.operation.name", Any::text("chat")),
            ("gen_ai.provider.name", Any::text("openai")),
            ("gen_ai.request.model", Any::text("gpt-4o")),
            ("gen_ai.response.model", Any::text("gpt-4o-2026-05-13")),
            ("gen_ai.response.id", Any::text("r-1")),
            ("gen_ai.response.finish_reasons", Any::array(&[Any::text("stop")])),
            ("gen_ai.request.temperature", Any::double(0.2)),
            ("gen_ai.request.max_tokens", Any::int(200)),
            ("gen_ai.usage.input_tokens", Any::int(34)),
            ("gen_ai.usage.output_tokens", Any::int(61)),
            ("gen_ai.input.messages", Any::text(input)),
            ("gen_ai.output.messages", Any::text(output)),
            ("server.port", Any::int(443)),
            ("user_agent.original", Any::text("curl/8")),
            ("user.id", Any::text("alice@example.com")),
            ("app.ticket", Any::text("T-77")),
        ],
    );
    let person = {
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap();
        mac.update(br#"["person","lending","alice@example.com"]"#);
        format!("ps:66687aad:{}", hex::encode(&mac.finalize().into_bytes()[..16]))
    };
    let expected = format!(
        concat!(
            r#"{{"actor":{{"user_id":"{person}"}},"#,
            r#""attributes":{{"gen_ai.operation.name":"chat","server.port":{{"intValue":"443"}}}},"#,
            r#""evidence":{{"derived":{{"model.version":"fallback:gen_ai.response.model","prompt.hash":"computed"}},"late_ms":"2750","withheld":"1","writer":"spanseal/test"}},"#,
            r#""id":"{id}","#,
            r#""input":{{"bytes":"{in_len}","captured":"hash","hash":"{in_hash}","scheme":"utf8"}},"#,
            r#""kind":"inference","#,
            r#""model":{{"id":"gpt-4o-2026-05-13","provider":"openai","requested":"gpt-4o","version":"gpt-4o-2026-05-13"}},"#,
            r#""output":{{"bytes":"{out_len}","captured":"hash","finish_reasons":["stop"],"hash":"{out_hash}","response_id":"r-1","scheme":"utf8"}},"#,
            r#""parameters":{{"max_tokens":"200","temperature":0.2}},"#,
            r#""prompt":{{"hash":"{prompt}","hash_source":"receiver"}},"#,
            r#""rest":{{"bytes":"4","captured":"hash","hash":"{rest}","scheme":"utf8"}},"#,
            r#""retention":{{"class":"standard"}},"schema":"spanseal.record/1","#,
            r#""source":{{"dialects":["otel_genai"],"peer":{{"method":"none"}},"resource":{{"telemetry.sdk.language":"rust"}},"scope":"genai","scope_version":"1.3","service":"loans","service_namespace":"lending","signal":"span"}},"#,
            r#""time":{{"end":"2026-11-20T15:09:07.500000000Z","received":"2026-11-20T15:09:10.250000000Z","start":"2026-11-20T15:09:06.000000000Z"}},"#,
            r#""trace":{{"name":"chat gpt-4o","span_id":"{span}","span_kind":"client","trace_id":"{trace}"}},"#,
            r#""usage":{{"input_tokens":"34","output_tokens":"61"}}}}"#
        ),
        id = id("span", "0"),
        in_len = input.len(),
        in_hash = h("content", input.as_bytes()),
        out_len = output.len(),
        out_hash = h("content", output.as_bytes()),
        prompt = h("prompt", br#"["Be brief."]"#),
        person = person,
        span = SPAN,
        trace = TRACE,
        rest = h("content", b"T-77"),
    );
    assert_eq!(line_of(&request(&resource(), ("genai", "1.3"), &[bytes]), false), expected);
}

#[test]
fn an_openinference_span_with_flat_messages() {
    let bytes = span(
        "ChatCompletion",
        &[
            ("openinference.span.kind", Any::text("LLM")),
            ("llm.system", Any::text("openai")),
            ("llm.model_name", Any::text("gpt-4o-2026-05-13")),
            ("llm.invocation_parameters", Any::text(r#"{"model": "gpt-4o", "max_tokens": 200, "stop": ["END"], "user": "user-7731"}"#)),
            ("llm.input_messages.0.message.role", Any::text("system")),
            ("llm.input_messages.0.message.content", Any::text("Be brief.")),
            ("llm.input_messages.1.message.role", Any::text("user")),
            ("llm.input_messages.1.message.content", Any::text("Grant?")),
            ("llm.output_messages.0.message.role", Any::text("assistant")),
            ("llm.output_messages.0.message.content", Any::text("No.")),
            ("llm.token_count.prompt", Any::int(34)),
            ("llm.token_count.completion_details.reasoning", Any::int(3)),
            ("llm.finish_reason", Any::text("stop")),
            ("session.id", Any::text("sess-9")),
        ],
    );
    let input = br#"{"llm.input_messages.0.message.content":"Be brief.","llm.input_messages.0.message.role":"system","llm.input_messages.1.message.content":"Grant?","llm.input_messages.1.message.role":"user"}"#;
    let output = br#"{"llm.output_messages.0.message.content":"No.","llm.output_messages.0.message.role":"assistant"}"#;
    let person = {
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap();
        mac.update(br#"["person","","user-7731"]"#);
        format!("ps:66687aad:{}", hex::encode(&mac.finalize().into_bytes()[..16]))
    };
    let expected = format!(
        concat!(
            r#"{{"actor":{{"session_id":"sess-9","user_id":"{person}"}},"#,
            r#""attributes":{{"openinference.span.kind":"LLM"}},"#,
            r#""evidence":{{"derived":{{"actor.user_id":"carrier:llm.invocation_parameters","model.version":"fallback:llm.model_name","prompt.hash":"computed"}},"late_ms":"2750","missing":["source.service"],"writer":"spanseal/test"}},"#,
            r#""id":"{id}","#,
            r#""input":{{"bytes":"{in_len}","captured":"hash","hash":"{in_hash}","scheme":"attributes"}},"#,
            r#""kind":"inference","#,
            r#""model":{{"id":"gpt-4o-2026-05-13","provider":"openai","requested":"gpt-4o","version":"gpt-4o-2026-05-13"}},"#,
            r#""output":{{"bytes":"{out_len}","captured":"hash","finish_reasons":["stop"],"hash":"{out_hash}","scheme":"attributes"}},"#,
            r#""parameters":{{"max_tokens":"200","stop_sequences":["END"]}},"#,
            r#""prompt":{{"hash":"{prompt}","hash_source":"receiver"}},"#,
            r#""retention":{{"class":"standard"}},"schema":"spanseal.record/1","#,
            r#""source":{{"dialects":["openinference"],"peer":{{"method":"none"}},"scope":"openinference.instrumentation.openai","scope_version":"0.1","signal":"span"}},"#,
            r#""time":{{"end":"2026-11-20T15:09:07.500000000Z","received":"2026-11-20T15:09:10.250000000Z","start":"2026-11-20T15:09:06.000000000Z"}},"#,
            r#""trace":{{"name":"ChatCompletion","span_id":"{span}","span_kind":"client","trace_id":"{trace}"}},"#,
            r#""usage":{{"input_tokens":"34","reasoning_output_tokens":"3"}}}}"#
        ),
        id = id("span", "0"),
        in_len = input.len(),
        in_hash = h("content", input),
        out_len = output.len(),
        out_hash = h("content", output),
        prompt = h("prompt", br#"["Be brief."]"#),
        person = person,
        span = SPAN,
        trace = TRACE,
    );
    assert_eq!(line_of(&request(&[], ("openinference.instrumentation.openai", "0.1"), &[bytes]), false), expected);
}

/// A message of semconv up to 1.36: a log event of its own, with the body as content.
#[test]
fn a_legacy_choice_log() {
    let body = Any::map(&[
        ("index", Any::int(0)),
        ("finish_reason", Any::text("stop")),
        ("message", Any::map(&[("role", Any::text("assistant")), ("content", Any::text("No."))])),
    ]);
    let bytes = log("gen_ai.choice", body, &[("gen_ai.system", Any::text("az.ai.openai"))]);
    let x = br#"{"body":{"kvlistValue":{"finish_reason":"stop","index":{"intValue":"0"},"message":{"kvlistValue":{"content":"No.","role":"assistant"}}}}}"#;
    let ordinal = h("log", &bytes).rsplit(':').next().unwrap().to_owned();
    let expected = format!(
        concat!(
            r#"{{"evidence":{{"derived":{{"time.start":"fallback:observed_time_unix_nano"}},"late_ms":"4023","missing":["source.service"],"writer":"spanseal/test"}},"#,
            r#""id":"{id}","kind":"event","model":{{"provider":"azure.ai.openai"}},"#,
            r#""output":{{"bytes":"{len}","captured":"hash","finish_reasons":["stop"],"hash":"{hash}","scheme":"attributes"}},"#,
            r#""retention":{{"class":"standard"}},"schema":"spanseal.record/1","#,
            r#""source":{{"dialects":["otel_genai"],"event_name":"gen_ai.choice","peer":{{"method":"none"}},"scope":"s","signal":"log"}},"#,
            r#""time":{{"received":"2026-11-20T15:09:10.250000000Z","start":"2026-11-20T15:09:06.226909356Z"}},"#,
            r#""trace":{{"span_id":"{span}","trace_id":"{trace}"}}}}"#
        ),
        id = id("log", &ordinal),
        len = x.len(),
        hash = h("content", x),
        span = SPAN,
        trace = TRACE,
    );
    assert_eq!(line_of(&request(&[], ("s", ""), &[bytes]), true), expected);
}

/// Our own namespace on a classical model: paths of the record, names of the attribute study, claims of the resource.
#[test]
fn a_decision_in_our_own_words() {
    let bytes = span(
        "score",
        &[
            ("ai_audit.decision.outcome", Any::bool(false)),
            ("ai_audit.decision.type", Any::text("credit_approval")),
            ("ai_audit.model.id", Any::text("credit-pd")),
            ("ai_audit.model.version", Any::text("4.2.1")),
            ("ai.audit.confidence.score", Any::double(0.83)),
            ("ai_audit.confidence.threshold", Any::double(0.9)),
            ("ai_audit.regulation.risk_class", Any::text("HIGH")),
            ("ai_audit.regulation.system_id", Any::text("EU-123")),
            ("ai_audit.data_subject.id", Any::text("A-1047")),
            ("ai_audit.data.lawful_basis", Any::text("contract")),
            ("ai_audit.explanation.feature_attributions", Any::text(r#"[{"feature":"dti","value":0.61,"attribution":-0.34}]"#)),
            ("ai_audit.explanation.text", Any::text("Debt is 61% of income.")),
            ("ai_audit.output.hash", Any::text("sha256:abc")),
            ("ai_audit.retention.class", Any::text("long")),
        ],
    );
    let subject = {
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap();
        mac.update(br#"["person","","A-1047"]"#);
        format!("ps:66687aad:{}", hex::encode(&mac.finalize().into_bytes()[..16]))
    };
    let claimed = {
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap();
        mac.update(br#"["claimed","sha256:abc"]"#);
        format!("hmac-sha256:66687aad:{}", hex::encode(mac.finalize().into_bytes()))
    };
    let expected = format!(
        concat!(
            r#"{{"confidence":{{"score":0.83,"threshold":0.9,"threshold_met":false}},"#,
            r#""decision":{{"automation_level":"fully_automated","id":"{id}","outcome":"false","type":"credit_approval"}},"#,
            r#""evidence":{{"derived":{{"confidence.threshold_met":"computed","decision.automation_level":"resource","decision.id":"computed","policy.id":"resource"}},"#,
            r#""late_ms":"2750","missing":["input","output","policy.version","source.service"],"writer":"spanseal/test"}},"#,
            r#""explanation":{{"attributions":[{{"attribution":-0.34,"feature":"dti","value":0.61}}],"text":{{"bytes":"22","captured":"hash","hash":"{text}","scheme":"utf8"}}}},"#,
            r#""id":"{id}","input":{{"captured":"absent"}},"kind":"decision","lineage":{{"lawful_basis":"contract"}},"#,
            r#""model":{{"id":"credit-pd","version":"4.2.1"}},"output":{{"captured":"absent","claimed_hash":"{claimed}"}},"policy":{{"id":"underwriting"}},"#,
            r#""retention":{{"claimed":"long","class":"long"}},"schema":"spanseal.record/1","#,
            r#""source":{{"dialects":["ai_audit"],"peer":{{"method":"none"}},"scope":"s","signal":"span"}},"#,
            r#""subject":{{"id":"{subject}"}},"system":{{"registration_id":"EU-123","risk_class":"high"}},"#,
            r#""time":{{"end":"2026-11-20T15:09:07.500000000Z","received":"2026-11-20T15:09:10.250000000Z","start":"2026-11-20T15:09:06.000000000Z"}},"#,
            r#""trace":{{"name":"score","span_id":"{span}","span_kind":"client","trace_id":"{trace}"}}}}"#
        ),
        id = id("span", "0"),
        text = h("content", b"Debt is 61% of income."),
        claimed = claimed,
        subject = subject,
        span = SPAN,
        trace = TRACE,
    );
    let resource = [
        ("ai_audit.policy.id", Any::text("underwriting")),
        ("ai_audit.decision.automation_level", Any::text("fully_automated")),
        ("ai_audit.model.id", Any::text("overridden")),
    ];
    let without_rest = line_of(&request(&resource, ("s", ""), &[bytes]), false);
    // The overridden claim of the resource went to `rest`: 10 bytes, and nothing else is there.
    let rest = format!(r#""rest":{{"bytes":"10","captured":"hash","hash":"{}","scheme":"utf8"}},"#, h("content", b"overridden"));
    assert_eq!(without_rest.replace(&rest, ""), expected);
    assert!(without_rest.contains(&rest));
}

#[test]
fn messages_as_span_events_fold_into_their_span() {
    let mut bytes = span("chat", &[("gen_ai.operation.name", Any::text("chat"))]);
    bytes.extend(event("gen_ai.system.message", 5, &[("content", Any::text(r#"[{"text": "Be brief."}]"#))]));
    bytes.extend(event("gen_ai.user.message", 6, &[("content", Any::text("Grant?")), ("role", Any::text("user"))]));
    bytes.extend(event("gen_ai.choice", 7, &[("message", Any::text("No.")), ("finish_reason", Any::text("end_turn"))]));
    bytes.extend(event("exception", 8, &[("exception.type", Any::text("Boom")), ("exception.message", Any::text("for alice"))]));
    let record = one_span(bytes);
    assert_eq!(at(&record, "prompt.instructions.scheme"), "utf8");
    assert_eq!(at(&record, "prompt.hash"), h("prompt", br#"["Be brief."]"#));
    let x = br#"{"1/gen_ai.user.message/content":"Grant?","1/gen_ai.user.message/role":"user"}"#;
    assert_eq!(at(&record, "input.hash"), h("content", x));
    assert_eq!(at(&record, "output.hash"), h("content", b"No."));
    assert_eq!(names(&record, "output.finish_reasons"), ["end_turn"]);
    assert_eq!(at(&record, "error.type"), "Boom");
    assert_eq!(at(&record, "error.message.hash"), h("content", b"for alice"));
    assert!(record.get("rest").is_none());
}
