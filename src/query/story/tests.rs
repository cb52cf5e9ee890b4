//! Stories over records made by hand. The expected texts in `tests/golden/story` were read aloud before they were accepted.

use super::*;
use crate::query::collapse::collapse;
use crate::query::fixtures::hit;

/// Some stories go on after the hour at which hits made by hand are sealed.
fn sealed_a_day_later(mut hit: Hit) -> Hit {
    let mut seal = (*hit.place.seal).clone();
    seal.statement.sealed_at.0 += 86_400;
    hit.place.seal = std::sync::Arc::new(seal);
    hit
}

fn story_of(records: &str, asked: &str, key: KeySource) -> Story {
    let hits = collapse(records.lines().enumerate().map(|(i, line)| sealed_a_day_later(hit(i as u64, line))).collect());
    tell(&hits, asked, Trust { key, complete: true, flags: " --config audit.yaml" }, &Erasures::default())
}

macro_rules! golden {
    ($name:ident, $asked:expr, $key:expr) => {
        #[test]
        fn $name() {
            let file = concat!("../../../tests/golden/story/", stringify!($name));
            let records = include_str!(concat!("../../../tests/golden/story/", stringify!($name), ".jsonl"));
            let text = story_of(records, $asked, $key).to_text(90);
            if option_env!("SPANSEAL_BLESS").is_some() {
                let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/query/story").join(format!("{file}.txt"));
                std::fs::write(path, &text).unwrap();
                return;
            }
            assert_eq!(text, include_str!(concat!("../../../tests/golden/story/", stringify!($name), ".txt")));
        }
    };
}

golden!(credit, "22222222222222222222222222222222", KeySource::Pinned);
golden!(bare, "55555555555555555555555555555555", KeySource::Unpinned);
golden!(agent, "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", KeySource::Configured);
golden!(several, "case-7", KeySource::Pinned);

/// One decision told by a span and by a log is one decision.
#[test]
fn two_records_of_one_decision_are_not_two_decisions() {
    let record = |id: &str, trace: &str| {
        format!(
            r#"{{"decision":{{"id":"d","outcome":"no"}},"id":"{id}","kind":"decision","schema":"spanseal.record/1","source":{{"service":"s"}},"time":{{"start":"2026-11-20T10:00:00.000000000Z"}}{trace}}}"#
        )
    };
    let in_trace = |t: &str| format!(r#","trace":{{"trace_id":"{t}"}}"#);
    let short = |records: &[String]| story_of(&records.join("\n"), "d", KeySource::Pinned).sections[0].items.clone();
    assert_eq!(short(&[record("1", &in_trace("a")), record("2", "")]).len(), 1);
    assert_eq!(short(&[record("1", &in_trace("a")), record("2", &in_trace("b"))]).len(), 3, "the beginning, and two decisions");
}

/// Whoever reads only the beginning must know that it may not be all.
#[test]
fn an_incomplete_story_says_so_at_once() {
    let hits = [hit(0, include_str!("../../../tests/golden/story/bare.jsonl").trim_end())];
    let story = tell(&hits, "x", Trust { key: KeySource::Pinned, complete: false, flags: "" }, &Erasures::default());
    assert!(matches!(&story.sections[0].items[0], Item::Text(text) if text.contains("could not be read")));
}

/// A record of the service "s" in trace "a", with these groups besides.
fn record(id: &str, kind: &str, groups: &str) -> String {
    let trace = if groups.contains("\"trace\"") { "" } else { r#","trace":{"span_id":"1","trace_id":"a"}"# };
    let json = format!(
        r#"{{"id":"{id}","kind":"{kind}","schema":"spanseal.record/1","source":{{"service":"s"}},"time":{{"start":"2026-11-20T10:00:00.000000000Z"}}{trace},{groups}}}"#
    );
    Json::parse(json.as_bytes()).unwrap().to_jcs_string()
}

/// The whole story on one line, so that a sentence is found wherever it breaks.
fn told(records: &[String], key: KeySource) -> String {
    story_of(&records.join("\n"), "a", key).to_text(90).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn short_of(records: &[String]) -> String {
    let text = told(records, KeySource::Pinned);
    text.split("What it was found by").next().unwrap_or_default().to_owned()
}

fn assert_says(text: &str, says: &[&str], not: &[&str]) {
    for words in says {
        assert!(text.contains(words), "lacks `{words}`:\n{text}");
    }
    for words in not {
        assert!(!text.contains(words), "says `{words}`:\n{text}");
    }
}

/// Scenario: a decision states that a review of it is required and pending. Guarantee: it is told as a decision, and no review as done.
#[test]
fn a_decision_that_waits_for_its_review_is_a_decision() {
    let groups = r#""decision":{"id":"d","outcome":"declined"},"review":{"required":true,"status":"pending"}"#;
    for kind in ["inference", "decision", "event"] {
        let all = told(&[record("1", kind, groups)], KeySource::Pinned);
        assert_says(
            &all,
            &[
                "the service \"s\" gave the outcome \"declined\"",
                "A human review was required, but no completed review of it is recorded: one is pending.",
                "The outcome was \"declined\".",
                "A human review was required. A review of it was recorded as pending.",
            ],
            &["among them", "No outcome", "outcome of the review", "reviewed it"],
        );
    }
}

/// Scenario: what was asked of a reviewer, and what a reviewer began. Guarantee: neither is a review that was done, and the outcome that
/// such a record names is not the review's.
#[test]
fn only_a_concluded_review_is_told_as_done() {
    let decision = record("1", "decision", r#""decision":{"id":"d","outcome":"declined"}"#);
    let review = |review: &str| record("2", "review", &format!(r#""decision":{{"id":"d","outcome":"declined"}},"review":{{{review}}}"#));
    for (members, words) in [
        (r#""status":"pending""#, "one is pending"),
        (r#""status":"in_progress""#, "one was begun"),
        (r#""started_at":"2026-11-20T10:00:09.000000000Z""#, "one was begun"),
        (r#""status":"expired""#, "one was not done in time"),
        (r#""status":"waived""#, "one was waived"),
        (r#""status":"parked""#, "one has the status \"parked\""),
        (r#""status":"pending","overridden":false"#, "one is pending"),
        (r#""reviewer":{"kind":"human"}"#, "one is told of, without its status"),
    ] {
        let all = told(&[decision.clone(), review(members)], KeySource::Pinned);
        let open = format!("No completed review of it is recorded: {words}.");
        let names = "The outcome it names is \"declined\"; no outcome of a review is recorded with it.";
        assert_says(&all, &[&open, names], &["reviewed it", "outcome of the review", "left the AI's", "concluded"]);
    }
    for members in [
        r#""status":"completed""#,
        r#""completed_at":"2026-11-20T10:00:09.000000000Z""#,
        r#""decision":"approved""#,
        r#""overridden":true"#,
    ] {
        let text = short_of(&[decision.clone(), review(members)]);
        assert_says(&text, &["reviewed it"], &["No completed review"]);
    }
}

/// Scenario: a record of a review that only names the decision, which is not among the records found. Guarantee: no decision is denied.
#[test]
fn a_review_alone_does_not_deny_its_decision() {
    let lone = |kind: &str, review: &str| short_of(&[record("1", kind, &format!(r#""decision":{{"id":"d"}},"review":{{{review}}}"#))]);
    assert_says(&lone("review", r#""status":"completed""#), &["1 record was found: it tells of a review. No outcome of a decision"], &[]);
    // The kind of what carries a decision's id, and else tells of a review only.
    assert_says(&lone("decision", r#""status":"completed""#), &["1 record was found: it tells of a review."], &["of a decision and"]);
    assert_says(&lone("decision", r#""status":"pending""#), &["it tells of a decision and of a review that is not recorded as done."], &[]);
    let named = record("1", "review", r#""decision":{"id":"d","outcome":"no"},"review":{"status":"pending"}"#);
    assert_says(&short_of(&[named]), &["An outcome is named only where a review is told"], &["No outcome"]);
}

/// Scenario: one span holds the decision and its review. Guarantee: both are told, each as what it is.
#[test]
fn a_decision_reviewed_in_its_own_record_is_both() {
    let groups =
        r#""decision":{"id":"d","outcome":"declined"},"review":{"decision":"rejected","reviewer":{"kind":"human"},"status":"completed"}"#;
    let all = told(&[record("1", "inference", groups)], KeySource::Pinned);
    assert_says(
        &all,
        &[
            "gave the outcome \"declined\"",
            "A human reviewer reviewed it. The review's conclusion was \"rejected\".",
            "The outcome was \"declined\".",
        ],
        &["outcome of the review", "later"],
    );
}

/// Scenario: two decisions in one trace, and an explanation, a review and an action that name neither. Guarantee: none speaks for both.
#[test]
fn what_names_no_decision_speaks_for_none_of_several() {
    let decision = |n: &str, outcome: &str| {
        record(n, "decision", &format!(r#""decision":{{"id":"d{n}","outcome":"{outcome}"}},"trace":{{"span_id":"{n}","trace_id":"a"}}"#))
    };
    let loose = |span: &str| {
        let at = |groups: &str| format!(r#"{groups},"trace":{{"span_id":"{span}","trace_id":"a"}}"#);
        [
            record("7", "explanation", &at(r#""explanation":{"reason_codes":["R1"]}"#)),
            record("8", "review", &at(r#""review":{"decision":"approved","status":"completed"}"#)),
            record("9", "action", &at(r#""action":{"name":"pay","status":"executed"}"#)),
        ]
    };
    let both = [decision("1", "yes"), decision("2", "no")];
    let text = short_of(&[&both[..], &loose("7")[..]].concat());
    for what in ["An explanation", "A review", "An action"] {
        let sentence = format!("{what} is recorded in the same trace; which decision it concerns is not recorded.");
        assert_eq!(text.matches(&sentence).count(), 2, "{sentence}\n{text}");
    }
    assert_says(&text, &[], &["R1", "reviewed it", "pay", "not recorded. Whether"]);
    // One decision alone, or a record of the very span of one of them.
    let text = short_of(&[&both[..1], &loose("7")[..]].concat());
    assert_says(&text, &["\"R1\"", "reviewed it", "\"pay\" was executed"], &["which decision"]);
    let text = short_of(&[&both[..], &loose("2")[..]].concat());
    assert_eq!(text.matches("R1").count(), 1, "{text}");
    let (first, second) = text.split_once("gave the outcome \"no\"").unwrap();
    assert_says(first, &["Why it came out so is not recorded."], &["R1", "pay", "which decision"]);
    assert_says(second, &["\"R1\"", "reviewed it", "\"pay\" was executed"], &["which decision"]);
}

/// Scenario: two services decide under one id, and a review names that id only. Guarantee: it speaks for neither, unless its trace tells.
#[test]
fn what_names_an_id_of_several_decisions_speaks_for_none() {
    let decision = |n: &str, outcome: &str| {
        record(n, "decision", &format!(r#""decision":{{"id":"d","outcome":"{outcome}"}},"trace":{{"span_id":"{n}","trace_id":"{n}"}}"#))
    };
    let review = |trace: &str| {
        record(
            "8",
            "review",
            &format!(r#""decision":{{"id":"d"}},"review":{{"status":"completed"}},"trace":{{"span_id":"8","trace_id":"{trace}"}}"#),
        )
    };
    let text = short_of(&[decision("1", "yes"), decision("2", "no"), review("8")]);
    let sentence = "A review is recorded under the same id; which decision it concerns is not recorded.";
    assert_eq!((text.matches(sentence).count(), text.matches("reviewed it").count()), (2, 0), "{text}");
    let text = short_of(&[decision("1", "yes"), decision("2", "no"), review("1")]);
    assert_eq!((text.matches(sentence).count(), text.matches("reviewed it").count()), (0, 1), "{text}");
}

/// Scenario: a review states that nothing was overridden, and another outcome than the AI's. Guarantee: both outcomes are told, and that they
/// contradict the statement.
#[test]
fn an_override_that_is_denied_is_a_contradiction() {
    let decision = record("1", "decision", r#""decision":{"id":"d","outcome":"declined"}"#);
    let own = |groups: &str| record("2", "review", &format!(r#""decision":{{"id":"d"}},"review":{{{groups}}}"#));
    let stated = r#""final_outcome":"approved","original_outcome":"declined","overridden":false,"status":"completed""#;
    let says = [
        "did not override the AI's outcome",
        "\"declined\" before the review",
        "\"approved\" after it: these statements contradict each other",
    ];
    assert_says(&short_of(&[decision.clone(), own(stated)]), &says, &["as it was"]);
    assert_says(&told(&[own(stated)], KeySource::Pinned), &says, &["as it was"]);
    // The outcome of the AI stands in the same record, in its own place, or in the decision's record.
    let unnamed = r#""final_outcome":"approved","overridden":false,"status":"completed""#;
    let one = record("1", "decision", &format!(r#""decision":{{"id":"d","outcome":"declined"}},"review":{{{unnamed}}}"#));
    assert_says(&short_of(&[one]), &says, &["as it was"]);
    assert_says(&short_of(&[decision.clone(), own(unnamed)]), &["\"approved\"", "as \"declined\": the two do not agree"], &[]);
    let same = r#""final_outcome":"declined","original_outcome":"declined","overridden":true,"status":"completed""#;
    assert_says(&short_of(&[decision.clone(), own(same)]), &["overrode", "\"declined\" both before and after", "contradict"], &["instead"]);
    let agrees = r#""final_outcome":"declined","original_outcome":"declined","overridden":false,"status":"completed""#;
    assert_says(&short_of(&[decision, own(agrees)]), &["left the AI's outcome \"declined\" as it was"], &["contradict"]);
}

/// Scenario: a review has a status that is in no list, and an outcome besides. Guarantee: the status is told, and no review as done.
#[test]
fn a_status_of_no_list_is_told_as_it_is() {
    let decision = record("1", "decision", r#""decision":{"id":"d","outcome":"declined"}"#);
    for (status, besides) in [
        ("cancelled", r#""final_outcome":"approved""#),
        ("rejected", r#""decision":"approved""#),
        ("cancelled", r#""completed_at":"2026-11-20T10:00:09.000000000Z","overridden":true,"final_outcome":"approved""#),
    ] {
        let members = format!(r#""review":{{{besides},"status":"{status}"}}"#);
        let review = record("2", "review", &format!(r#""decision":{{"id":"d"}},{members}"#));
        let all = told(&[decision.clone(), review], KeySource::Pinned);
        let open = format!("No completed review of it is recorded: one has the status \"{status}\".");
        let lead = format!("A review was reported, with the status \"{status}\".");
        let doubt = "That is stated although the review is not recorded as completed.";
        assert_says(&all, &[&open, &lead, "\"approved\"", doubt], &["reviewed it", "concluded a review"]);
        let one = record("1", "decision", &format!(r#""decision":{{"id":"d","outcome":"declined"}},{members}"#));
        assert_says(&told(&[one], KeySource::Pinned), &[&open, "\"approved\"", doubt], &["reviewed it"]);
    }
}

/// Scenario: a record's time of receipt is later than the seal that holds it. Guarantee: spanseal does not vouch for that time, and says why.
#[test]
fn what_arrived_after_its_seal_is_not_vouched_for() {
    let at = |id: &str, received: &str| {
        let start = r#""time":{"start":"2026-11-20T10:00:00.000000000Z""#;
        record(id, "decision", r#""decision":{"id":"d","outcome":"no"}"#)
            .replace(start, &format!(r#""time":{{"received":"{received}","start":"2026-11-20T10:00:00.000000000Z""#))
    };
    // Sealed on 21 November at 10:01:00, and a second later for each record that follows; rounded up.
    let (good, late) = (at("1", "2026-11-21T10:00:59.900000000Z"), at("2", "2027-01-01T00:00:00.000000000Z"));
    assert_says(
        &told(std::slice::from_ref(&good), KeySource::Pinned),
        &["the reports arrived on 21 November 2026 at 10:00:59 UTC;"],
        &["which cannot be"],
    );
    let impossible = "(1 January 2027 at 00:00:00 UTC) is later than its seal (21 November 2026 at 10:01:00 UTC), which cannot be;";
    assert_says(
        &told(std::slice::from_ref(&late), KeySource::Pinned),
        &["not when record 1 arrived", impossible],
        &["the reports arrived"],
    );
    let both = told(&[good, late.replace(r#""id":"d""#, r#""id":"e""#)], KeySource::Pinned);
    assert_says(&both, &["arrived on 21 November 2026 at 10:00:59 UTC;", "not when record 2 arrived"], &["arrived between"]);
}

/// Scenario: nobody brought a key, so the seals were checked with the one that the store itself supplied. Guarantee: nothing is vouched for.
#[test]
fn a_key_from_the_store_vouches_for_nothing() {
    let records = [record("1", "decision", r#""decision":{"id":"d","outcome":"declined"}"#)];
    let same = "since they were sealed, the records are the same to the byte";
    assert_says(&told(&records, KeySource::Pinned), &[same, "What spanseal itself vouches for:"], &["agrees with itself"]);
    assert_says(
        &told(&records, KeySource::Unpinned),
        &["the store agrees with itself; pin the log's key with --vkey to know more"],
        &[same, "itself vouches for"],
    );
}

/// Scenario: the seal says that its segments were locked; the locks were not read. Guarantee: the story says what was sealed, and what would
/// look at the lock.
#[test]
fn a_lock_that_was_not_read_is_not_vouched_for() {
    let line = record("1", "decision", r#""decision":{"id":"d","outcome":"declined"}"#);
    for (mode, what) in [(crate::worm::Mode::Compliance, "COMPLIANCE"), (crate::worm::Mode::Governance, "GOVERNANCE")] {
        let mut found = hit(0, &line);
        let mut seal = (*found.place.seal).clone();
        seal.statement.not_worm = false;
        let mut segment = (*found.place.segment).clone();
        segment.lock.mode = mode;
        (found.place.seal, found.place.segment) = (std::sync::Arc::new(seal), std::sync::Arc::new(segment));
        let story = tell(&[found], "d", Trust { key: KeySource::Pinned, complete: true, flags: "" }, &Erasures::default());
        let text = story.to_text(90).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_says(
            &text,
            &["was sealed with a lock until 19 May 2027", what, "`spanseal verify` checks whether the store still holds"],
            &["Nobody can delete", "is kept at least", "can delete it earlier"],
        );
    }
}

/// Scenario: a score that is no confidence, in a record that says that it meets its threshold. Guarantee: nobody reads it as if it did.
#[test]
fn a_confidence_out_of_range_is_not_told_as_meeting_its_threshold() {
    let told_with = |confidence: &str| {
        told(
            &[record("1", "decision", &format!(r#""confidence":{{{confidence}}},"decision":{{"id":"d","outcome":"no"}}"#))],
            KeySource::Pinned,
        )
    };
    for (confidence, words) in [
        (
            r#""method":"m","score":1.7,"threshold":0.9,"threshold_met":true"#,
            "It gave its confidence as 1.7, by the method \"m\"; that is out of range, which is 0 to 1; as sent it is not below the threshold of \
             0.9, which shows nothing unless both are on one scale.",
        ),
        (
            r#""score":-3,"threshold":0.9,"threshold_met":false"#,
            "It gave its confidence as -3, by a method that is not recorded; that is out of range, which is 0 to 1; as sent it is below the \
             threshold of 0.9, which shows nothing unless both are on one scale.",
        ),
        (r#""method":"m","score":1.7"#, "that is out of range, which is 0 to 1; no threshold is recorded."),
        (r#""method":"m","score":1.7,"threshold_met":true"#, "0 to 1; it was reported as meeting a threshold that is not recorded."),
    ] {
        assert_says(&told_with(confidence), &[words], &["which meets the threshold"]);
    }
    let meets = told_with(r#""method":"m","score":1,"threshold":0.9,"threshold_met":true"#);
    assert_says(&meets, &["as 1, by the method \"m\", which meets the threshold of 0.9."], &["out of range"]);
}

/// Scenario: attributes without a home, one and several. Guarantee: where the record keeps the value of one without its name, the reader is
/// told so; the names of several stand with their values.
#[test]
fn a_further_attribute_without_a_name_is_told_as_such() {
    let held = |scheme: &str| {
        let rest = format!(r#""rest":{{"bytes":"1","captured":"vault","commitment":"c","scheme":"{scheme}"}}"#);
        told(&[record("1", "event", &rest)], KeySource::Pinned)
    };
    assert_says(&held("utf8"), &["the value of one further attribute, whose name is not kept"], &["further attributes"]);
    assert_says(&held("attributes"), &["further attributes"], &["whose name"]);
}

/// Scenario: what the vault was given, before and after an erasure of the one person and one of the two records. Guarantee: nothing is said of
/// what the vault has now, and of what was erased when and why, also in the pieces that nobody brings back.
#[test]
fn what_was_erased_is_told_from_the_log_alone() {
    let id = |n: u8| format!("{n:032x}");
    let person = |n: u8| format!("ps:vault:{n:032x}");
    let of = |n: u8| {
        let held = r#"{"bytes":"1","captured":"vault","commitment":"c","scheme":"utf8"}"#;
        record(&id(n), "inference", &format!(r#""input":{held},"subject":{{"id":"{}"}}"#, person(n)))
    };
    let hits = [hit(0, &of(1)), hit(1, &of(2))];
    let filter = Json::string(format!(r#"{{"records":[["20261120","0","{}"]],"scope":"person"}}"#, id(1))).to_jcs_string();
    let erasure = format!(
        r#"{{"control":{{"act":"erase","filter":{filter},"ground":"asked\u001b","target":"{}"}},"id":"{}","kind":"erasure","schema":"spanseal.record/1","source":{{"signal":"control"}},"time":{{"start":"2026-11-21T10:00:00.000000000Z"}}}}"#,
        person(1),
        id(9)
    );
    let told = |erasures: &Erasures| {
        let trust = Trust { key: KeySource::Pinned, complete: true, flags: "" };
        tell(&hits, "a", trust, erasures).to_text(90).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let knew = |n: u8| format!("{}, a pseudonym; when it was sealed, the vault knew whose.", person(n));
    let kept = "Kept in the vault when it was sealed, from where it can be erased without harm to any proof: the input";
    let before = told(&Erasures::default());
    assert_says(&before, &[&knew(1), &knew(2), &format!("{kept} (all records).")], &["erased on", "is in the vault", "the vault knows"]);
    let why = format!("rased on 2026-11-21 on the ground \"asked{}\" (erasure record {})", clean("\u{1b}"), id(9));
    let gone = format!("{}, a pseudonym; nobody can say any more whose: e{why}.", person(1));
    let after = told(&Erasures::new(vec![hit(2, &erasure)]));
    assert_says(&after, &[&gone, &knew(2), &format!("{kept} (record 2)."), &format!("E{why}: the input (record 1).")], &[&knew(1)]);
    // What telemetry calls an erasure is none.
    let claimed = Erasures::new(vec![hit(2, &erasure.replace(r#""signal":"control""#, r#""signal":"log""#))]);
    assert_eq!(told(&claimed), before);
}

/// Scenario: the operator's configuration has a stricter threshold than the application sent. Guarantee: it is told whose the threshold is,
/// which one, and that there was another; what is configured is not called worked out.
#[test]
fn a_threshold_of_the_configuration_is_told_as_the_operators() {
    let told_with = |source: &str, evidence: &str| {
        let confidence = format!(r#""confidence":{{"score":0.7,"threshold":0.8,"threshold_met":false{source}}}"#);
        let evidence = format!(r#""evidence":{{{evidence}}}"#);
        told(&[record("1", "decision", &format!(r#"{confidence},"decision":{{"id":"d","outcome":"no"}},{evidence}"#))], KeySource::Pinned)
    };
    let derived = r#""confidence.threshold":"configured","confidence.threshold_met":"computed""#;
    let source = r#","threshold_source":"configuration:credit""#;
    let whole = format!(
        r#""conflicts":["confidence.threshold"],"derived":{{{derived},"confidence.threshold_source":"configured","kind":"configured"}},"withheld":2"#
    );
    assert_says(
        &told_with(source, &whole),
        &[
            "below the threshold of 0.8, set by the operator's configuration (\"credit\"); the application sent another, which does not count.",
            "it worked out itself: whether the confidence met its threshold;",
            "it took from the operator's configuration: the threshold for the confidence, what kind of record it is and where the threshold \
             comes from;",
            "Some attributes were left out on purpose: by a rule of the operator, or because they could identify a person or a machine",
        ],
        &["confidence.threshold_source", "(from its configuration)"],
    );
    // Without a name, and without another; and a threshold of the application's is nobody else's.
    let alone = told_with("", &format!(r#""derived":{{{derived}}}"#));
    assert_says(&alone, &["the threshold of 0.8, set by the operator's configuration."], &["sent another"]);
    assert_says(&told_with(r#","threshold_source":"policy""#, ""), &["below the threshold of 0.8."], &["configuration", "sent another"]);
}

/// Scenario: spanseal recorded that its own configuration changed. Guarantee: no sender is spoken of, because there was none.
#[test]
fn a_control_record_has_no_sender() {
    let change =
        record("1", "config_change", r#""change":{"after":"{}","before":"{}"}"#).replace(r#"{"service":"s"}"#, r#"{"signal":"control"}"#);
    let own = "spanseal made the record itself: no application sent it;";
    let sent = record("2", "decision", r#""decision":{"id":"d","outcome":"no"}"#);
    let unknown = "the sender did not have to identify itself";
    assert_says(&told(std::slice::from_ref(&change), KeySource::Pinned), &[own], &[unknown, "the reports arrived"]);
    assert_says(&told(&[change, sent], KeySource::Pinned), &[unknown], &[own]);
}

/// Scenario: records of one trace, whoever sent them. Guarantee: where that were several senders, it is told which record came from whom.
#[test]
fn who_sent_which_record_is_told_where_senders_differ() {
    let sent = |id: &str, peer: &str| {
        let peer = format!(r#"{{"peer":{{{peer}}},"service":"s"}}"#);
        record(id, "decision", r#""decision":{"id":"d","outcome":"no"}"#).replace(r#"{"service":"s"}"#, &peer)
    };
    let token = |id: &str, name: &str| sent(id, &format!(r#""id":"{name}","method":"token""#));
    let unknown = sent("4", r#""method":"none""#);
    let one = [token("1", "lending"), token("2", "lending")];
    assert_says(&told(&one, KeySource::Pinned), &[r#"they came from "lending" (shown by a token);"#], &["several senders"]);
    assert_says(
        &told(&[token("1", "lending"), token("2", "reviews"), token("3", "lending"), unknown], KeySource::Pinned),
        &[
            "they came from several senders, records 1 and 3 from \"lending\" (shown by a token), record 2 from \"reviews\" (shown by a token) \
           and record 4 from senders that did not have to identify themselves;",
        ],
        &["nothing about who sent them"],
    );
}

/// Guarantee: content that was only named is told apart by whether it was fetched, and a hash that is another's is named as such and not as
/// something that was set aside.
#[test]
fn content_that_was_only_named_is_told_as_that() {
    let fetched = r#""evidence":{"conflicts":["input.claimed_hash"],"derived":{"input":"fallback:gen_ai.input.messages_ref"}},"input":{"captured":"vault","commitment":"salted-sha256:00","reference":"s3://content/a"},"output":{"captured":"by_reference","reference":"s3://content/b"}"#;
    // Sent, with a reference beside it.
    let sent = r#""input":{"captured":"hash","hash":"hmac-sha256:00:00","reference":"s3://content/c"}"#;
    let text = told(&[record("1", "inference", fetched), record("2", "inference", sent)], KeySource::Pinned);
    for said in [
        "Not sent but only named by the application, and fetched from where it said when it was received: the input (record 1).",
        "Kept elsewhere by the application, and not fetched from there when it was received: the answer (record 1).",
        "The hash that the application reported of the input is not that of what was fetched from where it said (in record 1)",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("set aside"), "{text}");
}

/// Guarantee: what was looked at and what a canary showed is told in words, findings and what could not be found out above all; an act of
/// another version is named and not told as one of these.
#[test]
fn acts_on_retention_are_told_by_what_came_of_them() {
    let act = |act: &str, filter: &str| {
        let filter = Json::string(filter).to_jcs_string();
        let groups = format!(r#""control":{{"act":"{act}","count":"44","filter":{filter},"ground":"quarterly audit","target":"x/log"}}"#);
        told(&[record("1", "retention", &groups)], KeySource::Pinned)
    };
    let sums = r#""objects":{"seals":{"compliance":"42","objects":"42"},"segments/standard":{"due":"1","governance":"1","held":"1","objects":"2","unlocked":"1"}}"#;
    let head = r#"{"covered":{"first":"0","last":"41"},"due_before":"2026-12-20T00:00:00Z","key":"configured""#;
    let of = |locks: &str, verdict: &str, more: &str| {
        act("attestation", &format!(r#"{head},"locks":"{locks}",{sums},"tree_size":"42"{more},"verdict":"{verdict}"}}"#))
    };
    assert_says(
        &of("checked", "verified", ""),
        &[
            "It was looked whether the locks of the evidence hold.",
            "The locks of 44 objects that belong to seals 0 to 41 were read back from the store (1 in GOVERNANCE, 42 in COMPLIANCE, 1 not locked and 1 on hold)",
            "1 lock ends before 20 December 2026.",
            "No lock was shorter, weaker or missing",
            "The ground given is \"quarterly audit\".",
        ],
        &["The act was", "Not all was as promised"],
    );
    assert_says(
        &of("checked", "findings", r#","findings":{"hidden":"1","lock_weak":"2"},"first":[{"kind":"hidden","object":"seals/7.json"}]"#),
        &["Not all was as promised: \"hidden\" (1) and \"lock_weak\" (2). It was found of \"seals/7.json\"."],
        &["No lock was shorter"],
    );
    assert_says(
        &of("unchecked", "unchecked", r#","unchecked":"3""#),
        &["nothing is concluded from it", "3 objects could not be looked at"],
        &["No lock was"],
    );
    assert_says(&of("none", "verified", ""), &["The store has no locks for objects"], &["were read back"]);
    assert_says(
        &act(
            "canary",
            r#"{"mode":"GOVERNANCE","tried":{"bypass_lift":"odd","delete":"bad","shorten":"unknown"},"verdict":"not_enforced"}"#,
        ),
        &[
            "It was tried whether the store enforces locks.",
            "attacked, in 3 attempts.",
            "it is no write-once storage",
            "and was not: to delete it.",
            "is to be known: to lift its lock with the governance bypass.",
            "could not be found out: to shorten its lock.",
        ],
        &["The store enforced the lock"],
    );
    assert_says(
        &act("canary", r#"{"mode":"GOVERNANCE","tried":{"bypass_delete":"odd","delete":"good"},"verdict":"with_exceptions"}"#),
        &["against some of these attempts only", "is to be known: to delete it with the governance bypass."],
        &["The store enforced the lock.", "could not be found out"],
    );
    assert_says(
        &act("amnesty", "{}"),
        &["A change of how long evidence is kept was recorded.", "The act was \"amnesty\" on \"x/log\"."],
        &["looked"],
    );
}

/// Guarantee: each step of a hold and of an extension says what was ordered or done, of what, how far and why; an order that was given up is not
/// told as one that was carried out.
#[test]
fn steps_of_holds_and_extensions_are_told_apart() {
    use crate::clock::UnixSeconds;
    use crate::govern::decrees::{Decree, Entry, Order, SegmentId, Step};
    use crate::worm::{Lock, Mode};
    let said = |kind: &str, step: Step, order: Order| {
        let query = Json::object([("model", Json::Array(vec![Json::string("gpt-4o")]))]);
        let of = Decree { id: "LH-1".into(), order, query, since: UnixSeconds(1_800_000_000), through: 7 };
        let segments = vec![SegmentId { seal: 2, short: 1 }, SegmentId { seal: 5, short: 2 }];
        let filter = Json::String(Entry { step, of, segments, open: vec![] }.to_text()).to_jcs_string();
        let groups = format!(r#""control":{{"act":"x","count":"2","filter":{filter},"ground":"file 12","target":"LH-1"}}"#);
        let own = record("1", kind, &groups).replace(r#"{"service":"s"}"#, r#"{"signal":"control"}"#);
        told(&[own], KeySource::Pinned)
    };
    let until = Order::Extend(Lock { mode: Mode::Compliance, retain_until: UnixSeconds(1_900_000_000) });
    let carried = "Since the record before this one it was carried out on 2 record files; by then the first 7 seals were looked at.";
    for (kind, step, order, says, never) in [
        ("hold", Step::Open, Order::Hold, ["A legal hold was placed", "Nothing had been done for it yet"], "carried out"),
        ("hold", Step::Apply, Order::Hold, ["A legal hold was carried out.", carried], "placed"),
        ("hold", Step::Close, Order::Hold, ["A legal hold was released.", "may be deleted from then on"], "carried out"),
        ("retention", Step::Open, until, ["It was ordered to keep evidence longer.", "Nothing had been done for it yet"], "carried out"),
        ("retention", Step::Apply, until, ["carried out in part.", carried], "to its end"),
        ("retention", Step::Close, until, ["carried out to its end.", carried], "in part"),
        ("retention", Step::GiveUp, until, ["given up before its end.", "what was done there stays"], "carried out"),
    ] {
        let of = match order {
            Order::Hold => "The matter is \"LH-1\"; it means \"model gpt-4o\".",
            Order::Extend(_) => "is kept until 17 March 2030 at least, under a lock that nobody can lift.",
        };
        let text = said(kind, step, order);
        assert_says(&text, &[says[0], says[1], of, "The ground given is \"file 12\"."], &[never, "The act was"]);
    }
}

/// Scenario: the sender asks for a class that the record does not have, for the one that it has, for none; and an act of our own. Guarantee: a
/// wish that was not granted is told with what that can mean; an act of our own says why it has its class, whatever the name.
#[test]
fn a_class_that_was_asked_for_is_told() {
    let of = |groups: &str| told(&[record("1", "inference", groups)], KeySource::Pinned);
    let refused = of(r#""retention":{"claimed":"seven-years","class":"standard"}"#);
    assert_says(
        &refused,
        &[
            "The sender asked for the class \"seven-years\", which was not given:",
            "it is not marked as claimable",
            "the class \"standard\" keeps it as long",
        ],
        &["longest class"],
    );
    let given = of(r#""retention":{"claimed":"standard","class":"standard"}"#);
    assert_says(&given, &["The sender asked for that class."], &["was not given"]);
    assert_says(&of(r#""retention":{"class":"standard"}"#), &[], &["The sender asked", "longest class"]);
    let own = r#"{"control":{"act":"place"},"id":"1","kind":"hold","retention":{"class":"standard"},"schema":"spanseal.record/1","source":{"signal":"control"},"time":{"start":"2026-11-20T10:00:00.000000000Z"}}"#;
    assert_says(
        &told(&[own.to_owned()], KeySource::Pinned),
        &["Spanseal's own acts are kept as long as the longest class, which was \"standard\""],
        &[],
    );
}
