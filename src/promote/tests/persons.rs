//! Persons whom no pattern knows, and patterns at the places that other tests do not reach.

use super::vault::{Book, promote, vault};
use super::*;
use crate::promote::testing::{event, field, log, span};
use crate::record::registry::{TABLE, Type};

/// Scenario: a name without any pattern under every key that some dialect uses for a person, in both modes of pseudonyms. Guarantee: where a
/// record has a pseudonym of it, the name stands nowhere else in that record: not under the key itself, not in another member.
#[test]
fn who_has_a_pseudonym_is_not_named_beside_it() {
    let persons: Vec<&str> = TABLE.iter().filter(|s| s.kind == Type::Person).map(|s| s.path).collect();
    let in_vault = Settings { identity_mode: IdentityMode::Vault, persons: Some(Arc::new(Book::default())), ..vault(false) };
    for promoter in [promoter(), Promoter::new(in_vault).unwrap()] {
        let mut seen = Vec::new();
        for key in dialects::testing_keys() {
            let span = span("x", &[("gen_ai.operation.name", Any::text("chat")), (&key, Any::text("Jane Roe"))]);
            let batch = promote(&promoter, &request(&[], ("s", ""), &[span]), false);
            let line = batch.line(&batch.records[0]);
            let json = checked(line);
            if persons.iter().any(|path| json.path(path).is_some()) {
                assert!(!String::from_utf8_lossy(line).contains("Roe"), "{key}: {}", String::from_utf8_lossy(line));
                seen.push(key);
            }
        }
        let dialects = ["user.id", "enduser.id", "langfuse.", "traceloop.", "litellm.", "langsmith.", "mlflow.", "ai_audit.subject.id"];
        let known = dialects.iter().filter(|d| seen.iter().any(|key| key.starts_with(*d))).count();
        assert!(seen.len() >= 12 && known >= 4, "{seen:?}");
    }
}

/// Scenario: an address where a finish reason belongs, wherever a dialect or an event has one. Guarantee: the reason is in the record, and
/// the address is not.
#[test]
fn a_finish_reason_is_scrubbed_wherever_it_stands() {
    let said = "stop jane.roe@example.com";
    let chat = ("gen_ai.operation.name", Any::text("chat"));
    let messages = format!(r#"[{{"role":"assistant","parts":[{{"type":"text","content":"hello"}}],"finish_reason":"{said}"}}]"#);
    let choice = event("gen_ai.choice", 1, &[("finish_reason", Any::text(said)), ("content", Any::text("hello"))]);
    let body = Any::map(&[("finish_reason", Any::text(said)), ("message", Any::map(&[("content", Any::text("No."))]))]);
    for (what, json) in [
        ("own key", one_span(span("x", &[chat.clone(), ("gen_ai.response.finish_reasons", Any::array(&[Any::text(said)]))]))),
        ("messages", one_span(span("x", &[chat.clone(), ("gen_ai.output.messages", Any::text(&messages))]))),
        ("indexed", one_span(span("x", &[chat.clone(), ("gen_ai.completion.0.finish_reason", Any::text(said))]))),
        ("event", one_span([span("x", &[chat]), choice].concat())),
        ("log", one_log(log("gen_ai.choice", body, &[]))),
    ] {
        assert_eq!(names(&json, "output.finish_reasons"), ["stop [scrubbed]"], "{what}");
        assert!(names(&json, "evidence.scrubbed").contains(&"output.finish_reasons".to_owned()), "{what}");
        assert!(!json.to_jcs_string().contains("roe"), "{what}");
    }
}

/// Scenario: a span with a trace state, who called it and with what, below a resource that names its machine and its user. Guarantee: each is
/// counted, and stands neither in the line nor in what goes to the vault.
#[test]
fn what_is_withheld_is_stored_nowhere() {
    let promoter = Promoter::new(vault(false)).unwrap();
    let keys = ["client.address", "user_agent.original", "http.request.header.cookie", "ai.request.headers.authorization"];
    let mut attributes = vec![("gen_ai.operation.name", Any::text("chat"))];
    attributes.extend(keys.map(|key| (key, Any::text("SECRET"))));
    let span = [span("x", &attributes), field(3, b"vendor=SECRET")].concat();
    let resource = ["host.name", "process.command_args", "process.owner"].map(|key| (key, Any::text("SECRET")));
    let batch = promote(&promoter, &request(&resource, ("s", ""), &[span]), false);
    let json = checked(batch.line(&batch.records[0]));
    assert_eq!(at(&json, "evidence.withheld"), "8", "{}", json.to_jcs_string());
    for bytes in [&batch.lines, &batch.apart.bytes] {
        assert!(!String::from_utf8_lossy(bytes).contains("SECRET"), "{}", String::from_utf8_lossy(bytes));
    }
}
