use super::*;
use crate::record::canonical::Json;
use crate::record::content::{Captured, Scheme};

fn line(record: &mut Record<'_>) -> (String, [u8; 16]) {
    let mut out = b"before".to_vec();
    let written = record.write(&mut out, "66687aad");
    let text = String::from_utf8(out[written.line].to_vec()).unwrap();
    assert!(Json::parse_canonical(text.as_bytes()).is_ok(), "{text}");
    (text, written.sameness)
}

fn text(value: &'static str) -> Val<'static> {
    Val::Str(Cow::Borrowed(value))
}

#[test]
fn members_come_out_nested_and_in_canonical_order() {
    let mut record = Record::default();
    record.push(member::SCHEMA, text("spanseal.record/1"));
    record.push(member::MODEL_TRAINING_DATA_ID, text("loans"));
    record.push(member::OUTPUT_FINISH_REASONS, Val::Texts(vec!["stop".into(), "a\"b".into()]));
    record.push(member::OUTPUT_RESPONSE_ID, text("r-1"));
    record.push(member::OUTPUT_CHOICES, Val::Int(2));
    record.push(
        member::OUTPUT,
        Val::Content(Box::new(Content {
            scheme: Some(Scheme::Utf8),
            hash: Some([0xab; 32]),
            bytes: Some(5),
            ..Content::only(Captured::Hash)
        })),
    );
    record.push(member::MODEL_ID, text("m"));
    record.push(member::MODEL_VERSION, text("1"));
    record.push(member::CONFIDENCE_INTERVAL_LEVEL, Val::Num(0.95));
    record.push(member::CONFIDENCE_SCORE, Val::Num(1.0));
    record.push(member::KIND, text("inference"));
    record.push(member::TIME_START, Val::Time(UnixNanos(1_795_187_346_226_909_356)));
    record.push(member::EVIDENCE_DROPPED_LINKS, Val::Int(1));
    record.push(member::EVIDENCE_WRITER, text("w"));
    let (text, _) = line(&mut record);
    let hash = "ab".repeat(32);
    assert_eq!(
        text,
        format!(
            r#"{{"confidence":{{"interval":{{"level":0.95}},"score":1}},"evidence":{{"dropped":{{"links":"1"}},"writer":"w"}},"kind":"inference","model":{{"id":"m","training_data":{{"id":"loans"}},"version":"1"}},"output":{{"bytes":"5","captured":"hash","choices":"2","finish_reasons":["stop","a\"b"],"hash":"hmac-sha256:66687aad:{hash}","response_id":"r-1","scheme":"utf8"}},"schema":"spanseal.record/1","time":{{"start":"2026-11-20T15:09:06.226909356Z"}}}}"#
        )
    );
}

#[test]
fn an_output_without_content_is_a_plain_group() {
    let mut record = Record::default();
    record.push(member::OUTPUT_RESPONSE_ID, text("r"));
    assert_eq!(line(&mut record).0, r#"{"output":{"response_id":"r"}}"#);
}

/// Scenario: a span is sent again and received later, over another connection, under another retention. Guarantee: it is the same.
#[test]
fn sameness_leaves_out_what_a_resend_changes() {
    let make = |received: u64, peer: bool, class: &'static str, conflicts: bool, model: &'static str| {
        let mut record = Record::default();
        record.push(member::TIME_RECEIVED, Val::Time(UnixNanos(received)));
        record.push(member::TIME_END, Val::Time(UnixNanos(5)));
        record.push(member::MODEL_ID, text(model));
        record.push(member::SOURCE_DIALECTS, Val::Texts(vec!["otel_genai".into()]));
        record.push(member::SOURCE_SIGNAL, text("span"));
        record.push(member::RETENTION_CLASS, text(class));
        record.push(member::EVIDENCE_WRITER, text("w"));
        if peer {
            record.push(member::SOURCE_PEER_ID, text("app-1"));
            record.push(member::SOURCE_PEER_METHOD, text("mtls"));
        }
        if conflicts {
            record.push(member::EVIDENCE_DROPPED_EVENTS, Val::Int(2));
            record.push(member::EVIDENCE_CONFLICTS, Val::Texts(vec!["model.id".into()]));
        }
        line(&mut record).1
    };
    let first = make(1, false, "standard", false, "m");
    assert_eq!(first, make(2, true, "long", true, "m"));
    assert_ne!(first, make(1, false, "standard", false, "n"));
}

#[test]
fn long_lines_are_trimmed_and_say_so() {
    let mut record = Record::default();
    record.push(member::MODEL_ID, Val::Str("\u{1}\u{e9}".repeat(400_000).into()));
    record.push(member::ATTRIBUTES, Val::Raw(format!("{{\"k\":\"{}\"}}", "x".repeat(900_000)).into_bytes()));
    record.push(member::RETRIEVAL_DOCUMENTS, Val::Items(vec![br#"{"id":"d"}"#.to_vec(); 120_000]));
    record.push(member::SCHEMA, text("s"));
    let (text, _) = line(&mut record);
    assert!(text.len() <= LINE_MAX);
    let json = Json::parse(text.as_bytes()).unwrap();
    let named: Vec<&str> = json.path("evidence.truncated").unwrap().as_array().unwrap().iter().filter_map(Json::as_str).collect();
    assert!(named.contains(&"model.id") && named.is_sorted(), "{named:?}");
    // At the limit itself nothing is cut.
    for (extra, cut) in [(0, false), (1, true)] {
        let mut record = Record::default();
        let frame = r#"{"model":{"id":""}}"#.len();
        record.push(member::MODEL_ID, Val::Str("x".repeat(LINE_MAX - frame + extra).into()));
        assert_eq!(line(&mut record).0.contains("truncated"), cut);
    }
}

#[test]
fn times_are_those_of_the_clock() {
    for nanos in [0, 1, 999_999_999, 951_782_399_123_456_789, 1_795_187_346_226_909_356, u64::MAX] {
        let mut out = Vec::new();
        write_time(&mut out, UnixNanos(nanos));
        assert_eq!(String::from_utf8(out).unwrap(), format!("\"{}\"", UnixNanos(nanos).rfc3339()));
    }
}

#[test]
fn debug_shows_no_value() {
    let mut record = Record::default();
    record.push(member::MODEL_ID, text("secret-value"));
    assert!(!format!("{record:?}").contains("secret"));
}

/// Scenario: a line is written, sealed, and read again after a restart. Guarantee: its sameness is the same, whichever members stand
/// first or alone in their groups.
#[test]
fn sameness_is_the_same_when_it_is_read_from_the_line() {
    let content = |commitment: u8| {
        let vault = Content { scheme: Some(Scheme::Utf8), bytes: Some(5), ..Content::only(Captured::Vault) };
        Content { commitment: Some([commitment; 32]), ..vault }
    };
    let document = |commitment: u8| {
        // A text that looks like a commitment is none.
        let mut item = br#"{"content":"#.to_vec();
        content(commitment).write(&mut item, "66687aad");
        item.extend_from_slice(br#","id":"\",\"commitment\":\"salted-sha256:"}"#);
        item
    };
    let members: [(Member, Val<'static>); 14] = [
        (member::ATTRIBUTES, Val::Raw(br#"{"commitment":"x"}"#.to_vec())),
        (member::EVIDENCE_CONFLICTS, Val::Texts(vec!["model.id".into()])),
        (member::EVIDENCE_DROPPED_EVENTS, Val::Int(2)),
        (member::EVIDENCE_WRITER, text("w")),
        (member::MODEL_ID, text("m")),
        (member::OUTPUT, Val::Content(Box::new(content(1)))),
        (member::RETENTION_CLASS, text("standard")),
        (member::RETRIEVAL_DOCUMENTS, Val::Items(vec![document(2), document(3)])),
        (member::SOURCE_DIALECTS, Val::Texts(vec!["otel_genai".into()])),
        (member::SOURCE_PEER_METHOD, text("none")),
        (member::SOURCE_SIGNAL, text("span")),
        (member::TIME_END, Val::Time(UnixNanos(5))),
        (member::TIME_RECEIVED, Val::Time(UnixNanos(9))),
        (member::TIME_START, Val::Time(UnixNanos(4))),
    ];
    for chosen in 0..1_u32 << members.len() {
        let mut record = Record::default();
        record.push(member::SCHEMA, text(crate::record::SCHEMA));
        record.push(member::ID, text("00000000000000000000000000000001"));
        for (n, (member, value)) in members.iter().enumerate() {
            if chosen >> n & 1 == 1 {
                record.push(*member, value.clone());
            }
        }
        let (text, written) = line(&mut record);
        assert_eq!(crate::record::sameness_of_line(text.as_bytes()).unwrap().1, written, "{text}");
        // And it is salted anew.
        if record.has(member::OUTPUT) {
            record.set(member::OUTPUT, Val::Content(Box::new(content(7))));
            assert_eq!(line(&mut record).1, written, "{text}");
        }
    }
}
