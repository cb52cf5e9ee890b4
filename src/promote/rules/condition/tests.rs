use super::*;

fn read(text: &str) -> Result<Condition, Mistake> {
    Condition::parse(text, Vocabulary::Telemetry)
}

fn holds(text: &str, given: &[(Named, Given<'static>)]) -> Result<bool, Undecided> {
    let value = |named: &Named| given.iter().find(|(known, _)| known == named).map(|(_, value)| value.clone());
    read(text).unwrap_or_else(|e| panic!("{text}: {e:?}")).holds(&value)
}

fn attribute(key: &str, value: Given<'static>) -> (Named, Given<'static>) {
    (Named::Attribute(key.to_owned()), value)
}

fn text(text: &'static str) -> Given<'static> {
    Given::Text(Cow::Borrowed(text))
}

/// The vocabulary that the manual promises, each word of it once.
#[test]
fn every_word_of_the_vocabulary_means_what_the_manual_says() {
    let given = [
        attribute("score", Given::Num(0.5)),
        attribute("a.b", text("yes")),
        attribute("n", Given::Int(7)),
        attribute("flag", Given::Bool(true)),
        attribute("tags", Given::List(vec![text("x"), text("y")])),
        (Named::Resource("service.name".into()), text("loans")),
        (Named::Field("span", "name"), text("predict")),
        (Named::Field("span", "kind"), text("server")),
        (Named::Field("span", "status"), text("error")),
        (Named::Field("event", "name"), text("audit.decision")),
        (Named::Field("scope", "name"), text("credit.model")),
        (Named::Field("scope", "version"), text("3.2.0")),
    ];
    for yes in [
        "attributes.score < 0.6",
        "attributes[\"score\"] >= 0.5 && attributes['n'] == 7",
        "attributes[\"n\"] > 6.5",
        "\"a.b\" in attributes",
        "!(\"a.c\" in attributes)",
        "has(attributes.score) && !has(attributes.other)",
        "attributes.flag",
        "'y' in attributes.tags",
        "size(attributes.tags) == 2",
        "resource[\"service.name\"] == \"loans\"",
        "span.name.startsWith(\"pre\") && span.name.endsWith(\"ct\") && span.name.contains('edi')",
        "span.kind in [\"server\", \"consumer\"] && span.status == \"error\"",
        "event.name == \"audit.decision\" || scope.name == \"nothing\"",
        "scope.version != \"3.1.0\"",
        "(attributes.n > 5 ? \"many\" : \"few\") == \"many\"",
        "string(attributes.n) == \"7\"",
        // What is not there does not matter where the other side decides.
        "attributes.nothing == 1 || attributes.flag",
    ] {
        assert_eq!(holds(yes, &given), Ok(true), "{yes}");
    }
    assert_eq!(holds("attributes.score > 0.6", &given), Ok(false));
}

#[test]
fn what_is_missing_or_of_another_type_is_undecided_and_no_panic() {
    let given = [attribute("t", text("x")), attribute("n", Given::Int(i64::MAX)), attribute("list", Given::List(vec![text("a")]))];
    for undecided in [
        "attributes.nothing == 1",
        "attributes.t > 5",
        "attributes.n + 1 > 0",
        "attributes.n / 0 == 1",
        "attributes.list[7] == \"a\"",
        "attributes.t",
        "int(attributes.t) == 1",
        "span.name == \"x\"",
        "size(attributes.n) == 1",
    ] {
        assert_eq!(holds(undecided, &given), Err(Undecided), "{undecided}");
    }
    let long = [attribute("t", Given::Text(Cow::Owned("x".repeat(TEXT_MAX + 1))))];
    assert_eq!(holds("attributes.t == \"x\"", &long), Err(Undecided));
    let fits = [attribute("t", Given::Text(Cow::Owned("x".repeat(TEXT_MAX))))];
    assert_eq!(holds("attributes.t == \"x\"", &fits), Ok(false));
}

#[test]
fn mistakes_name_their_place_and_the_nearest_word() {
    for (text, offset, why) in [
        ("span.nmae == \"x\"", 0, "`span` has no `nmae`; the nearest is `span.name`"),
        ("true && spam.name == \"x\"", 8, "`spam` is no variable here; the nearest is `span`"),
        ("attributes.gen_ai.system == \"x\"", 0, "a key with dots stands in quotes: attributes[\"gen_ai.system\"]"),
        ("attributes[span.name] == 1", 11, "write out which key of `attributes` is meant, as in attributes[\"my.key\"]"),
        ("attributes == 1", 0, "name a key of `attributes`, as in attributes[\"my.key\"]"),
        ("span == 1", 0, "name a field of `span`, as in span.name"),
        ("span.name.startswith(\"x\")", 10, "`startswith` is no function here; the nearest is `startsWith`"),
        (
            "attributes.tags.exists(t, t == \"x\")",
            16,
            "loops (all, exists, map, filter) and patterns (matches) are not for conditions; startsWith, endsWith, contains and `in` are",
        ),
        ("1 == 1", 0, "asks nothing of the telemetry, so it is always the same; write for example span.kind == \"server\""),
        (
            "attributes.user == 'alice@example.com'",
            19,
            "looks like a person (an e-mail address or a telephone number), and the configuration is sealed in clear",
        ),
        ("  ", 0, "is empty"),
        ("record.kind == \"decision\"", 0, "`record` is for thresholds: a rule is asked before there is a record, so ask for `attributes`"),
    ] {
        let mistake = read(text).expect_err(text);
        assert_eq!((mistake.offset, mistake.why.as_str()), (offset, why), "{text}");
    }
    // The parser's own words come after ours, at its own place.
    let mistake = read("span.name = \"x\"").unwrap_err();
    assert_eq!(mistake.offset, 10, "{mistake:?}");
    assert!(mistake.why.starts_with("cannot be read: "), "{mistake:?}");
    assert!(!mistake.why.contains('\n'));
    for broken in [
        "(",
        "\"",
        "a b",
        "span.",
        "&&",
        "attributes[",
        "#",
        "\u{0}",
        "span.name == 'x",
        "99999999999999999999 == span.name",
        "'\\q' == span.name",
    ] {
        assert!(read(broken).is_err(), "{broken}");
    }
}

#[test]
fn thresholds_ask_the_record_and_nothing_else() {
    let read = |text: &str| Condition::parse(text, Vocabulary::Record);
    for fine in [
        "record.kind == \"decision\"",
        "has(record.decision.type) && record.model.training_data.id == \"x\"",
        "record.confidence.score < 0.1",
    ] {
        assert!(read(fine).is_ok(), "{fine}: {:?}", read(fine));
    }
    for (text, why) in [
        ("record.decsion.type == \"x\"", "`decsion.type` is no member of the record; the nearest is `decision.type`"),
        ("record.subject.id == \"x\"", "`subject.id` is a person, of whom the record holds a pseudonym only"),
        ("record.input == \"x\"", "`input` is content, which the record does not hold"),
        ("record == 1", "name a member of the record, as in record.decision.type"),
        ("attributes.x == 1", "`attributes` is no variable here: a threshold asks for `record`, as in record.decision.type"),
        ("record.evidence.writer == \"x\"", "`evidence.writer` is nothing that a condition can compare"),
    ] {
        assert_eq!(read(text).expect_err(text).why, why, "{text}");
    }
    let condition = read("record.model.id == \"a\" && !has(record.decision.type)").unwrap();
    let model = Member::find("model.id").unwrap();
    let value = |named: &Named| (*named == Named::Member(model)).then(|| text("a"));
    assert_eq!(condition.holds(&value), Ok(true));
}

/// The parser and the evaluation recurse: an expression that is as deep and as long as allowed must fit the stack of a test's thread, and
/// what is deeper must be refused before either sees it.
#[test]
fn depth_and_length_are_bounded_before_anything_recurses() {
    let nested = |depth: usize| format!("{}span.name == 'x'{}", "(".repeat(depth), ")".repeat(depth));
    assert!(read(&nested(NESTING_MAX)).is_ok());
    assert_eq!(read(&nested(NESTING_MAX + 1)).unwrap_err().why, "is nested deeper than 8");
    assert!(read(&nested(400)).is_err());
    let signs = |count: usize| format!("{}attributes.flag", "!".repeat(count));
    assert!(read(&signs(NESTING_MAX)).is_ok());
    assert!(read(&signs(NESTING_MAX + 1)).is_err());
    for link in [" + 1", " - 1", " && true", " || false", " == 1", " ? 1 : 2"] {
        let long = format!("attributes.n{}", link.repeat(2 * OPERATORS_MAX + 1));
        assert!(read(&long).unwrap_err().why.starts_with("has more than"), "{link}");
        // As many as are let through are read and asked without an end of the stack, whatever they mean.
        for count in [OPERATORS_MAX / 2, OPERATORS_MAX - 2] {
            if let Ok(condition) = read(&format!("attributes.n{}", link.repeat(count))) {
                let _ = condition.holds(&|_| Some(Given::Int(1)));
            }
        }
    }
    let mixed = format!("{}attributes.n{} == 3", "-(".repeat(NESTING_MAX - 1), ")".repeat(NESTING_MAX - 1));
    let _ = read(&mixed);
    // In texts nothing is counted.
    assert!(read(&format!("span.name == \"{}\"", "(".repeat(200))).is_ok());
    let padded = |length: usize| format!("span.name == '{}'", "x".repeat(length - "span.name == ''".len()));
    assert!(read(&padded(EXPRESSION_MAX)).is_ok());
    assert!(read(&padded(EXPRESSION_MAX + 1)).unwrap_err().why.starts_with("is longer than 1024 bytes"));
}

/// Senders choose the values, so what an expression makes of them is bounded by what it looks at, not by how often it says so.
#[test]
fn what_an_expression_makes_is_no_longer_than_what_it_looks_at() {
    let of = |bytes: usize| [attribute("t", Given::Text(Cow::Owned("x".repeat(bytes)))), attribute("c", Given::Bool(true))];
    let many = format!("size(attributes.t{}) > 0", " + attributes.t".repeat(44));
    for (makes, copies) in [
        ("attributes.t + attributes.t != \"x\"", 2),
        ("size(attributes.t + attributes.t + attributes.t) > 0", 3),
        (many.as_str(), 45),
        ("(attributes.c ? attributes.t : attributes.t) + \"y\" != \"x\"", 2),
        ("size([attributes.t, [attributes.t]]) == 2", 2),
        ("attributes.t in [attributes.t, attributes.t, \"x\"]", 2),
        ("string(attributes.t) + attributes.t != \"x\"", 2),
        ("attributes.t + \"y\" != \"x\" && attributes.t != \"x\"", 1),
    ] {
        assert_eq!(holds(makes, &of(TEXT_MAX / copies)), Ok(true), "{makes}");
        assert_eq!(holds(makes, &of(TEXT_MAX / copies + 1)), Err(Undecided), "{makes}");
    }
    // What is only compared is not copied, however often it is named.
    let compared = (0..16).map(|n| format!("attributes.t == \"{n}\"")).collect::<Vec<_>>().join(" || ");
    assert_eq!(holds(&compared, &of(TEXT_MAX)), Ok(false));
    let list = |length: usize| [attribute("l", Given::List(vec![Given::Int(1); length]))];
    let twice = "size(attributes.l + attributes.l) > 0";
    assert_eq!(holds(twice, &list(TEXT_MAX / 2 / ELEMENT_BYTES)), Ok(true));
    assert_eq!(holds(twice, &list(TEXT_MAX / 2 / ELEMENT_BYTES + 1)), Err(Undecided));
    assert_eq!(holds("size(attributes.l) == 1024", &list(LIST_MAX)), Ok(true));
    assert_eq!(holds("size(attributes.l) == 1025", &list(LIST_MAX + 1)), Err(Undecided));
}
