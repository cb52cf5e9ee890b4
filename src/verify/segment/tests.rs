use super::*;
use crate::clock::UnixSeconds;
use crate::tlog::Hash;
use crate::worm::{Lock, Mode};

fn compressed(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 1).unwrap()
}

fn read(text: &[u8]) -> Result<Contents, SegmentError> {
    read_segment(&compressed(text), "standard", |_, _, _| {})
}

fn record(time: &str) -> String {
    format!("{{{NAMED},\"schema\":\"spanseal.record/1\",\"time\":{{{time}}}}}\n")
}

const NAMED: &str = r#""id":"00112233445566778899aabbccddeeff","kind":"event""#;

const EARLY: &str = "2026-11-20T10:00:00.000000001Z";
const LATE: &str = "2026-11-20T10:00:00.000000002Z";

#[test]
fn times_are_the_least_and_greatest_of_start_and_end() {
    let start_and_end = record(&format!("\"end\":\"{EARLY}\",\"received\":\"2020-01-01T00:00:00.000000000Z\",\"start\":\"{LATE}\""));
    let contents = read(start_and_end.as_bytes()).unwrap();
    let at = |text: &str| UnixNanos::parse(text);
    // A clock that ran backwards: the end is before the start, and `received` does not count beside them.
    assert_eq!((contents.first, contents.last), (at(EARLY), at(LATE)));
    let received = record(&format!("\"received\":\"{LATE}\""));
    let contents = read(received.as_bytes()).unwrap();
    assert_eq!((contents.first, contents.last), (at(LATE), at(LATE)));
    for wrong in ["2026-11-20T10:00:00Z", "2026-11-20T11:00:00.000000001+01:00", "1969-11-20T10:00:00.000000001Z", ""] {
        let record = record(&format!("\"start\":\"{wrong}\""));
        assert!(matches!(read(record.as_bytes()), Err(SegmentError::Record(0, _))), "{wrong}");
    }
    assert!(matches!(read(record("\"start\":1").as_bytes()), Err(SegmentError::Record(0, _))));
}

#[test]
fn the_leaf_is_the_line_without_its_newline() {
    let line = br#"{"schema":"x"}"#;
    let contents = read(&[&line[..], b"\n"].concat()).unwrap();
    assert_eq!(contents.root.0, leaf_hash(line).0);
    assert_eq!((contents.records, contents.other_schema, contents.first), (1, 1, None));
}

#[test]
fn other_schemas_leave_room_and_no_more() {
    let at = |text: &str| UnixNanos::parse(text).unwrap();
    let known = record(&format!("\"start\":\"{EARLY}\""));
    let contents = read(format!("{known}{{\"schema\":\"spanseal.record/2\"}}\n").as_bytes()).unwrap();
    let stated = |first: UnixNanos, last: UnixNanos| SegmentRef {
        key: String::new(),
        version_id: None,
        sha256: Hash([0; 32]),
        bytes: 1,
        records: 2,
        merkle_root: contents.root,
        class: "standard".into(),
        lock: Lock { mode: Mode::Governance, retain_until: UnixSeconds(0) },
        first,
        last,
    };
    assert_eq!(contradictions(&stated(at(EARLY), at(LATE)), &contents), vec![]);
    assert_eq!(contradictions(&stated(at(LATE), at(LATE)), &contents).len(), 1);
    // Those of other schemas may be earlier and later; none that is known is.
    let before = at("2026-11-20T10:00:00.000000000Z");
    assert_eq!(contradictions(&stated(before, at(LATE)), &contents), vec![]);
    assert_eq!(contradictions(&stated(before, before), &contents).len(), 1);
    let exact = Contents { other_schema: 0, ..contents.clone() };
    assert_eq!(contradictions(&stated(before, at(EARLY)), &exact).len(), 1);
    assert_eq!(contradictions(&stated(at(EARLY), at(LATE)), &exact).len(), 1);
}

/// Scenario: a member that readers go by is absent or of another type. Guarantee: the line is refused, and the member named.
#[test]
fn members_that_readers_go_by_have_their_type() {
    let good = format!(
        "{{{NAMED},\"retention\":{{\"class\":\"standard\"}},\"schema\":\"spanseal.record/1\",\"source\":{{\"signal\":\"span\"}},\
         \"time\":{{\"start\":\"{EARLY}\"}}}}\n"
    );
    assert_eq!(read(good.as_bytes()).map(|c| c.records), Ok(1));
    for (from, to, named) in [
        (r#""id":"00112233445566778899aabbccddeeff","#, "", "`id`"),
        (r#""id":"00112233445566778899aabbccddeeff""#, r#""id":7"#, "`id`"),
        ("00112233445566778899aabbccddeeff", "00112233445566778899AABBCCDDEEFF", "`id`"),
        ("00112233445566778899aabbccddeeff", "001122", "`id`"),
        (r#","kind":"event""#, "", "`kind`"),
        (r#""kind":"event""#, r#""kind":["event"]"#, "`kind`"),
        (r#""kind":"event""#, r#""kind":"""#, "`kind`"),
        (r#"{"class":"standard"}"#, r#"{"class":1}"#, "`retention.class`"),
        (r#"{"class":"standard"}"#, r#""standard""#, "`retention.class`"),
        (r#"{"signal":"span"}"#, r#"{"signal":true}"#, "`source.signal`"),
        (r#"{"signal":"span"}"#, r#"["control"]"#, "`source.signal`"),
        (r#"{"start":"2026-11-20T10:00:00.000000001Z"}"#, r#""2026-11-20T10:00:00.000000001Z""#, "without a time"),
        (r#","kind":"event""#, r#","kind":"event","model":{"provider":[]}"#, "`model.provider`"),
        (r#","kind":"event""#, r#","kind":"event","model":"gpt""#, "`model."),
    ] {
        let line = good.replacen(from, to, 1);
        assert_ne!(line, good);
        let refused = read(line.as_bytes()).unwrap_err();
        assert!(matches!(refused, SegmentError::Record(0, _)) && refused.to_string().contains(named), "{to}: {refused}");
        // What a later schema means by its members is not known.
        assert!(read(line.replace("record/1", "record/2").as_bytes()).is_ok(), "{to}");
    }
}
