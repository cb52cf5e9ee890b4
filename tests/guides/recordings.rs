//! What the guides say that libraries send and leave out, held against the recordings in `tests/corpus`.

use serde_json::{Value, json};

use super::{capture, linted, page, replayed};
/// The table of the guide `sdk`: how many calls each library made, and what of them is missing.
#[test]
fn what_libraries_leave_out_is_counted_in_the_recordings() {
    let page = page("sdk");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `") && line.matches('|').count() == 6)
        .map(|line| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let name = row[0].trim_matches('`');
        let report = linted(&capture(name));
        let groups = report["groups"].as_array().unwrap();
        let made: Vec<_> =
            groups.iter().flat_map(|group| group["records"].as_array().unwrap()).filter(|r| r["kind"] == "inference").collect();
        let calls: u64 = made.iter().map(|record| record["count"].as_u64().unwrap()).sum();
        let lacking = |path: &str| -> u64 {
            let missing = made.iter().flat_map(|record| record["missing"].as_array().unwrap());
            missing.filter(|missing| missing["path"] == path).map(|missing| missing["count"].as_u64().unwrap()).sum()
        };
        let counted = [calls, lacking("input"), lacking("output"), lacking("prompt.hash")].map(|n| n.to_string());
        assert_eq!(row[1..], counted, "{name}");
    }
}

/// A recording, the attribute that decides, and what each of its values becomes.
type Table = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The kinds that the tables of the guides promise, by the key that decides.
#[test]
fn what_spans_become_is_what_the_tables_say() {
    let kept = |record: &Value, key: &str| record["attributes"][key].as_str().unwrap_or_default().trim_matches('"').to_owned();
    let tables: [Table; 3] = [
        (
            "langfuse-openai.http.on",
            "langfuse.observation.type",
            &[("generation", "inference"), ("embedding", "embedding"), ("tool", "tool"), ("guardrail", "guardrail"), ("span", "event")],
        ),
        (
            "mlflow-openai.http.on",
            "mlflow.spanType",
            &[
                ("CHAT_MODEL", "inference"),
                ("EMBEDDING", "embedding"),
                ("RETRIEVER", "retrieval"),
                ("TOOL", "tool"),
                ("AGENT", "agent"),
                ("UNKNOWN", "event"),
            ],
        ),
        (
            "vercel-ai-6.json.on",
            "ai.operationId",
            &[
                ("ai.generateText", "agent"),
                ("ai.streamText", "agent"),
                ("ai.generateObject", "agent"),
                ("ai.generateText.doGenerate", "inference"),
                ("ai.streamText.doStream", "inference"),
                ("ai.generateObject.doGenerate", "inference"),
                ("ai.toolCall", "tool"),
                ("ai.embed", "embedding"),
                ("ai.embed.doEmbed", "embedding"),
                ("ai.embedMany", "embedding"),
                ("ai.embedMany.doEmbed", "embedding"),
            ],
        ),
    ];
    for (recording, key, table) in tables {
        let records = replayed(recording);
        for record in &records {
            let (said, kind) = (kept(record, key), record["kind"].as_str().unwrap());
            assert!(table.contains(&(said.as_str(), kind)), "{recording}: {key}={said} became {kind}");
        }
        for (said, _) in table {
            assert!(records.iter().any(|record| kept(record, key) == *said), "{recording} has no {key}={said}");
        }
    }
}

/// What switches for content leave, as the guides say of each: a mask and a redaction mark are told, an embedding's text and an error's get
/// through, and what is off is absent.
#[test]
fn what_switches_for_content_leave() {
    let captured = |record: &Value, side: &str| record[side]["captured"].clone();
    let of = |records: &[Value], kind: &str| records.iter().filter(|record| record["kind"] == kind).cloned().collect::<Vec<_>>();
    for recording in ["langfuse-openai.http.masked", "openinference-openai.grpc.hidden"] {
        let records = replayed(recording);
        let calls = of(&records, "inference");
        assert!(!calls.is_empty() && calls.iter().all(|call| captured(call, "input") == "redacted"), "{recording}");
        assert!(calls.iter().all(|call| call["input"].get("commitment").is_none()), "{recording}");
        if recording.starts_with("openinference") {
            assert!(of(&records, "embedding").iter().all(|record| captured(record, "input") == "vault"));
            assert!(calls.iter().any(|call| call["error"]["message"]["captured"] == "vault"));
        }
    }
    let records = replayed("vercel-ai-6.http.off");
    for call in of(&records, "inference") {
        assert_eq!((captured(&call, "input"), captured(&call, "output")), (json!("absent"), json!("absent")));
        assert!(call.get("prompt").is_none() && call["actor"]["user_id"].is_string(), "{call}");
    }
}
