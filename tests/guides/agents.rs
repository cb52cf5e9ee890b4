//! Guides whose product is not among the test tools: LiteLLM's callback is replayed as it was recorded, coding agents are played by a sender that reads
//! their configuration as their documentation says.

use serde_json::{Value, json};

use super::{block, capture, linted, one, put, records, seen, send, shell};
use crate::support::receiver::{Options, Site};
use crate::support::tools::{scripts, tool};

/// The address that the guide names, as the callback reads it, takes what the callback sent; what the guide says of content, of the second span and of
/// persons holds for it.
#[test]
fn behind_litellm() {
    let config: Value = serde_saphyr::from_str(&block("litellm", 0)).unwrap();
    assert_eq!(config["litellm_settings"]["callbacks"], json!(["otel"]));
    for (recording, inferences, calls) in [("litellm-otel-callback.grpc.on", 8, 5), ("litellm-otel-callback.http.off", 5, 5)] {
        let site = Site::local();
        let receiver = site.serve();
        let lines = put(&block("litellm", 1), "127.0.0.1:4318", receiver.http);
        // The callback posts to `/v1/traces` below OTEL_ENDPOINT where OTEL_EXPORTER is `otlp_http`.
        let said = shell(site.dir.path(), &lines, "echo $OTEL_EXPORTER $OTEL_ENDPOINT", &[]).success().stdout;
        send(&capture(recording), said.trim().strip_prefix("otlp_http http://").unwrap().parse().unwrap());
        receiver.kill();
        let records = records(&site);
        let made: Vec<&Value> = records.iter().filter(|record| record["kind"] == "inference").collect();
        assert_eq!(made.len(), inferences, "{recording}");
        // The raw request below a call repeats it, without tokens.
        let raw = |record: &Value| record["trace"]["parent_span_id"].is_string();
        assert_eq!(made.iter().filter(|record| !raw(record)).count(), calls, "{recording}");
        assert!(made.iter().filter(|record| raw(record)).all(|record| record.get("usage").is_none()), "{recording}");
        for record in made.iter().filter(|record| !raw(record)) {
            assert!(record["evidence"]["withheld"].is_string() && record["usage"].get("currency").is_none(), "{record}");
            assert_eq!(record["input"]["captured"] == "absent", recording.ends_with("off"), "{record}");
        }
        seen(&site, "litellm");
        site.verified();
    }
    assert_eq!(linted(&capture("litellm-otel-callback.grpc.on"))["totals"]["not_ai"], 1);
}

/// Runs the player of `agents.py` with what the guide says.
fn played(site: &Site, lines: &str, agent: &str, configuration: Option<(&str, String)>) -> Option<Vec<Value>> {
    let interpreter = tool("python", &format!("the guide `coding-agents`, {agent}"))?;
    let script = scripts().parent().unwrap().join("guides/agents.py");
    let file = configuration.map_or_else(String::new, |(name, text)| {
        let path = site.path(name);
        std::fs::write(&path, text).unwrap();
        format!(" '{}'", path.display())
    });
    let before = records(site).len();
    shell(site.dir.path(), lines, &format!("exec '{interpreter}' '{}' {agent}{file}", script.display()), &[]).success();
    Some(records(site).split_off(before))
}

/// What no page may lead into evidence.
fn nobody_is_named(site: &Site) {
    let lines = site.sealed_lines().join("\n");
    for secret in ["Jane", "jane.roe", "installation-1", "account-1"] {
        assert!(!lines.contains(secret), "{secret}");
    }
}

#[test]
fn from_claude_code() {
    let site = Site::local();
    let receiver = site.serve();
    let lines = put(&block("coding-agents", 0), "127.0.0.1:4318", receiver.http);
    let Some(records) = played(&site, &lines, "claude", None) else { return };
    assert_eq!(records.len(), 5, "{records:#?}");
    let call = one(&records, "inference");
    assert_eq!((&call["model"]["requested"], &call["usage"]["cost"]), (&json!("claude-sonnet-5"), &json!(0.0123)));
    assert_eq!((&call["input"]["captured"], &call["output"]["captured"]), (&json!("absent"), &json!("absent")));
    assert_eq!((&call["source"]["service"], &call["source"]["service_namespace"]), (&json!("claude-code"), &json!("engineering")));
    let review = one(&records, "review");
    assert_eq!((&review["review"]["decision"], &review["tool"]["name"]), (&json!("approved"), &json!("Bash")));
    assert!(review["review"]["reviewer"]["id"].as_str().is_some_and(|person| person.starts_with("ps:")), "{review}");
    assert_eq!(one(&records, "tool")["tool"]["call_id"], "t-1");
    let events: Vec<&Value> = records.iter().filter(|record| record["kind"] == "event").collect();
    assert!(events.iter().any(|event| event["policy"]["outcome"] == "allow"), "{events:#?}");
    assert!(events.iter().any(|event| event["input"]["captured"] == "redacted"), "{events:#?}");
    // What the page says of the switch for prompts.
    let typed = played(&site, &(lines + "export OTEL_LOG_USER_PROMPTS=1\n"), "claude", None).unwrap();
    assert!(typed.iter().any(|record| record["input"]["captured"] == "vault"), "{typed:#?}");
    nobody_is_named(&site);
    seen(&site, "coding-agents");
    receiver.kill();
    site.verified();
}

#[test]
fn from_codex() {
    let site = Site::local();
    let receiver = site.serve();
    let toml = put(&block("coding-agents", 1), "127.0.0.1:4318", receiver.http);
    let Some(records) = played(&site, "", "codex", Some(("config.toml", toml))) else { return };
    assert_eq!(records.len(), 4, "{records:#?}");
    let review = one(&records, "review");
    assert_eq!((&review["review"]["decision"], &review["actor"]["conversation_id"]), (&json!("rejected"), &json!("conv-1")));
    let ran = one(&records, "tool");
    assert_eq!((&ran["tool"]["name"], &ran["tool"]["result"]["captured"]), (&json!("shell"), &json!("vault")));
    let events: Vec<&Value> = records.iter().filter(|record| record["kind"] == "event").collect();
    assert!(events.iter().any(|event| event["input"]["captured"] == "redacted"), "{events:#?}");
    assert!(events.iter().any(|event| event["usage"]["input_tokens"] == "12"), "{events:#?}");
    nobody_is_named(&site);
    receiver.kill();
    site.verified();
}

/// With no rule the calls alone become records; with the guide's rule the tools do, too.
#[test]
fn from_gemini_cli() {
    for (more, kinds) in [(String::new(), vec!["inference"]), (block("coding-agents", 3), vec!["inference", "tool"])] {
        let site = Site::with(Options { more, ..Options::default() });
        let receiver = site.serve();
        let settings = put(&block("coding-agents", 2), "127.0.0.1:4317", receiver.grpc);
        let Some(records) = played(&site, "", "gemini", Some(("settings.json", settings))) else { return };
        let mut found: Vec<&str> = records.iter().map(|record| record["kind"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, kinds, "{records:#?}");
        let call = one(&records, "inference");
        assert_eq!((&call["model"]["requested"], &call["input"]["captured"]), (&json!("gemini-3-pro"), &json!("absent")));
        if let Some(tool) = records.iter().find(|record| record["kind"] == "tool") {
            assert_eq!((&tool["tool"]["name"], &tool["attributes"]["decision"]), (&json!("run_shell_command"), &json!("accept")));
            assert_eq!(tool["tool"]["arguments"]["captured"], "vault");
        }
        nobody_is_named(&site);
        receiver.kill();
        site.verified();
    }
}
