//! What was said comes back out through the commands, word for word as it was sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{coordinates, replayed};
use crate::support::otlp::{HttpRequest, http};

/// Keys whose values are what was said to a model, a tool or an agent, and what it answered; of indexed ones how they begin.
const MESSAGES: [&str; 26] = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "llm.input_messages.",
    "llm.output_messages.",
    "input.value",
    "output.value",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "mlflow.spanInputs",
    "mlflow.spanOutputs",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "ai.prompt",
    "ai.prompt.messages",
    "ai.response.text",
    "ai.toolCall.args",
    "ai.toolCall.result",
    "pydantic_ai.all_messages",
    "all_messages_events",
    "final_result",
    "events",
];

/// The library of a recording: the name of its folder up to the transport.
fn library(from: &str) -> &str {
    let folder = from.split("/corpus/").nth(1).and_then(|rest| rest.split('/').next());
    folder.and_then(|name| name.split('.').next()).unwrap_or_else(|| panic!("{from} is not in the corpus"))
}

fn is_message(key: &str) -> bool {
    // The key of an event's attribute stands last.
    let (event, key) = key.rsplit_once('/').map_or((false, key), |(_, key)| (true, key));
    let indexed = |rest: &str| rest.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    MESSAGES.iter().any(|m| key == *m || key.strip_prefix(m).is_some_and(indexed))
        || event && matches!(key, "content" | "message" | "tool_calls" | "parts")
}

/// Whether a key and the member that holds its value are of two sides.
fn is_other_side(key: &str, member: &str) -> bool {
    let asked = ["input", "prompt", "spanInputs", "arguments", "args"].iter().any(|word| key.contains(word));
    let answered = ["output", "completion", "spanOutputs", "result", "response"].iter().any(|word| key.contains(word));
    match member.split('.').next_back() {
        Some("input" | "arguments" | "query" | "instructions") => answered && !asked,
        Some("output" | "result") => asked && !answered,
        _ => false,
    }
}

/// The contents of every record, as `query --content` gives them.
fn queried() -> Vec<Value> {
    let out = replayed().site.run(&["query", "--format", "json", "--content"]).success();
    serde_json::from_str(&out.stdout).unwrap()
}

/// Guarantee: of every library of the corpus, each message that a span carried is given back by `query --content`, the very text, under its
/// record, on the side where it was said, and said to be checked against the commitment.
#[test]
fn every_message_is_given_back_as_it_was_sent() {
    let found = queried();
    let mut contents: BTreeMap<(String, String), Vec<&Value>> = BTreeMap::new();
    for found in found.iter().filter(|f| f["record"]["source"]["signal"] == "span") {
        let of_record = found["content"].as_array().unwrap();
        assert!(of_record.iter().all(|c| c["state"] == "checked"), "{}: {of_record:?}", found["record"]["id"]);
        contents.entry(coordinates(&found["record"])).or_default().extend(of_record);
    }
    let parsed: BTreeMap<*const Value, Value> = contents
        .values()
        .flatten()
        .filter(|c| c["scheme"] == "attributes")
        .map(|c| (std::ptr::from_ref(*c), serde_json::from_str(c["content"].as_str().unwrap()).unwrap()))
        .collect();
    let (mut libraries, mut lost) = (BTreeMap::<&str, u32>::new(), Vec::new());
    for said in replayed().truth.whole.iter().filter(|said| is_message(&said.key)) {
        // Nothing was said, or the sender took it out: `redacted` says so.
        if ["", "__REDACTED__", "[masked]"].contains(&said.text.trim()) {
            continue;
        }
        let of_span = &contents[&(said.trace_id.clone(), said.span_id.clone())];
        let holds = |content: &&&Value| match parsed.get(&std::ptr::from_ref(**content)) {
            Some(attributes) => attributes[&said.key] == said.text,
            None => content["content"] == said.text,
        };
        match of_span.iter().filter(holds).find(|content| !is_other_side(&said.key, content["member"].as_str().unwrap())) {
            Some(_) => *libraries.entry(library(&said.from)).or_default() += 1,
            None => lost.push(format!("{}: {}: {:?}", said.from, said.key, said.text.chars().take(60).collect::<String>())),
        }
    }
    assert!(lost.is_empty(), "{} messages did not come back:\n{}", lost.len(), lost.join("\n"));
    assert!(libraries.len() >= 20 && libraries.values().sum::<u32>() > 1000, "only {libraries:?}");
}

/// A line as a terminal may show it: what would steer it is spelled out.
fn shown_line(line: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    line.chars().map(|c| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// Guarantee: of one trace of each library, `show --content` tells all that its records keep apart, line for line, and nothing else.
#[test]
fn a_story_tells_what_was_said_word_for_word() {
    let (replayed, found) = (replayed(), queried());
    let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
    for found in found.iter().filter(|f| f["record"]["trace"]["trace_id"].is_string()) {
        *kept.entry(found["record"]["trace"]["trace_id"].as_str().unwrap()).or_default() += found["content"].as_array().unwrap().len();
    }
    // Of each library the trace that keeps most apart.
    let mut traces: BTreeMap<&str, &str> = BTreeMap::new();
    for said in replayed.truth.whole.iter().filter(|said| is_message(&said.key)) {
        let best = traces.entry(library(&said.from)).or_insert(&said.trace_id);
        if kept[said.trace_id.as_str()] > kept[*best] {
            *best = &said.trace_id;
        }
    }
    assert!(traces.len() >= 20, "{traces:?}");
    let mut lines_seen = 0;
    for (library, trace) in traces {
        let mut expected = Vec::new();
        for of_trace in found.iter().filter(|f| f["record"]["trace"]["trace_id"] == trace) {
            let contents = of_trace["content"].as_array().unwrap().iter();
            expected.extend(contents.map(|c| c["content"].as_str().unwrap().lines().map(shown_line).collect::<Vec<_>>()));
        }
        let story: Value = serde_json::from_str(&replayed.site.run(&["show", trace, "--content", "--json"]).success().stdout).unwrap();
        let sections = story["sections"].as_array().unwrap();
        let said = sections.iter().find(|s| s["heading"].as_str().unwrap().starts_with("What was said, word for word")).unwrap();
        let mut shown: Vec<Vec<String>> = Vec::new();
        for item in said["items"].as_array().unwrap() {
            match item["verbatim"].as_str() {
                Some(line) => shown.last_mut().unwrap().push(line.to_owned()),
                None => shown.push(Vec::new()),
            }
        }
        lines_seen += shown.iter().map(Vec::len).sum::<usize>();
        assert!(!expected.is_empty());
        expected.sort();
        shown.sort();
        assert_eq!(shown, expected, "{library}: trace {trace}");
    }
    assert!(lines_seen > 100, "only {lines_seen} lines");
}

/// Scenario: what was said would steer a terminal, or turn its text around. Guarantee: `show` spells that out, line for line, and `query` gives
/// it back as it was.
#[test]
fn what_was_said_does_not_steer_the_terminal() {
    let said = "one \u{1b}[2Jtwo\nthree \u{202e}four\u{7}";
    let site = crate::erase::site();
    let receiver = site.serve();
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let attributes = [attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.output.messages", said)];
    let span = json!({"traceId": format!("{:032x}", 1), "spanId": format!("{:016x}", 1), "name": "chat", "attributes": attributes});
    let body = json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}).to_string();
    let headers = vec![("Content-Type", "application/json")];
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    assert_eq!(http(receiver.http, &request).unwrap().0, 200);
    let trace = format!("{:032x}", 1);
    let shown = site.run(&["show", &trace, "--content"]).success().stdout;
    assert!(said.lines().all(|line| shown.lines().any(|l| l.trim() == shown_line(line))), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{shown}");
    let queried = site.run(&["query", "--trace-id", &trace, "--format", "json", "--content"]).success().stdout;
    let queried: Value = serde_json::from_str(&queried).unwrap();
    assert_eq!(queried[0]["content"][0]["content"], said);
    assert!(receiver.stop().success());
}

/// The own reading of this file looks at what it says.
#[test]
fn messages_are_known_by_their_keys() {
    for key in ["input.value", "llm.input_messages.0.message.content", "gen_ai.prompt.0.content", "0/gen_ai.user.message/content"] {
        assert!(is_message(key), "{key}");
    }
    for key in
        ["input.values", "ai.prompt.toolChoice", "gen_ai.prompt_name", "gen_ai.request.model", "content", "0/exception/exception.message"]
    {
        assert!(!is_message(key), "{key}");
    }
    assert!(is_other_side("input.value", "output") && !is_other_side("input.value", "tool.arguments"));
    assert_eq!(library("/x/tests/corpus/vercel-ai-6.json.on/0001.json"), "vercel-ai-6");
    assert_eq!(BTreeSet::from(MESSAGES).len(), MESSAGES.len());
}
