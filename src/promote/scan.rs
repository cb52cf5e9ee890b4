//! A look inside JSON text without building a tree: message lists that instrumentations put into one string attribute.
//!
//! Lenient on purpose: it answers "is there content" and "which texts", never "is this valid". What it cannot follow ends the walk, and
//! the caller then treats the value as plain text.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::record::canonical::Json;

/// Deepest nesting that is walked into.
const DEPTH_MAX: usize = 24;

/// Longest text that is made a tree of: one takes up to twenty times the memory of its text, and no share of the pool counts it.
const JSON_TEXT_MAX: usize = 1 << 20;

/// A JSON text as a tree, unless it is none, or too long to be made one.
pub(crate) fn parse_bounded(text: &[u8]) -> Option<Json> {
    if text.len() > JSON_TEXT_MAX { None } else { Json::parse(text).ok() }
}

/// Members that say what a message is, not what it says.
const STRUCTURE: &[&str] =
    &["role", "type", "id", "name", "finish_reason", "tool_call_id", "call_id", "index", "status", "modality", "mime_type", "media_type"];

/// What instrumentations write in place of content that they were told to hide.
const MARKERS: &[&str] = &[
    "__REDACTED__",
    "[REDACTED]",
    "<REDACTED>",
    "REDACTED",
    "[redacted]",
    "<redacted>",
    "redacted",
    "[masked]",
    "[MASKED]",
    "<masked>",
    "***",
    "redacted-by-litellm",
];

/// Longest marker, with room for quotes.
const MARKER_MAX: usize = 24;

/// What a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Nothing, or the bare frame of messages.
    Nothing,
    /// A mark that something was hidden.
    Redaction,
    /// Content.
    Content,
}

impl Holds {
    /// The stronger of two.
    pub(crate) fn join(self, other: Holds) -> Holds {
        match (self, other) {
            (Holds::Content, _) | (_, Holds::Content) => Holds::Content,
            (Holds::Redaction, _) | (_, Holds::Redaction) => Holds::Redaction,
            _ => Holds::Nothing,
        }
    }
}

/// What a text attribute holds: empty, an empty JSON value and "N/A" (what ADK writes with capture off) are nothing.
pub(crate) fn text_holds(text: &[u8]) -> Holds {
    let text = text.trim_ascii();
    // Everything that is nothing or a marker is short; content mostly is not.
    if text.len() > MARKER_MAX {
        return Holds::Content;
    }
    let text = match text {
        [b'"', inner @ .., b'"'] => inner,
        _ => text,
    };
    match text {
        b"" | b"{}" | b"[]" | b"null" | b"N/A" | b"None" => Holds::Nothing,
        _ if MARKERS.iter().any(|m| m.as_bytes() == text) => Holds::Redaction,
        _ => Holds::Content,
    }
}

/// What a list of messages (or of parts) holds.
pub(crate) fn messages_hold(json: &[u8]) -> Holds {
    let json = json.trim_ascii();
    match json.first() {
        Some(b'[' | b'{') if says_something(json) => Holds::Content,
        // `[masked]` begins like a list.
        Some(b'[' | b'{') if text_holds(json) == Holds::Redaction => Holds::Redaction,
        Some(b'[' | b'{') => match holds(json, 0) {
            Holds::Content => Holds::Content,
            // Prose that begins with a bracket: what is no JSON is text. Frames are short and rare, so a strict look is cheap.
            _ if parse_bounded(json).is_none() => text_holds(json),
            frame => frame,
        },
        _ => text_holds(json),
    }
}

/// The common case at a glance: a member `content` with a string that is too long to be a marker. Inside a string the quotes of such a
/// name would be escaped, so what is found is a name.
fn says_something(json: &[u8]) -> bool {
    static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"content\""));
    let Some(at) = NAME.find(json) else { return false };
    let value = json.get(at + NAME.needle().len()..).unwrap_or_default().trim_ascii_start();
    let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
    value.strip_prefix(b"\"").and_then(|text| text.get(..MARKER_MAX + 1)).is_some_and(|text| memchr::memchr(b'"', text).is_none())
}

fn holds(value: &[u8], depth: usize) -> Holds {
    if depth > DEPTH_MAX {
        return Holds::Content;
    }
    match value.first() {
        Some(b'[') => fold(items(value).map(|item| holds(item, depth + 1))),
        Some(b'{') => fold(
            members(value).filter(|(name, _)| !STRUCTURE.iter().any(|s| s.as_bytes() == *name)).map(|(_, inner)| holds(inner, depth + 1)),
        ),
        Some(b'"') => text_holds(value),
        Some(b'n') | None => Holds::Nothing,
        Some(_) => Holds::Content,
    }
}

fn fold(each: impl Iterator<Item = Holds>) -> Holds {
    let mut all = Holds::Nothing;
    for one in each {
        all = all.join(one);
        // The first content decides: the rest of a long list is not looked at.
        if all == Holds::Content {
            break;
        }
    }
    all
}

/// The texts of a system instruction: a JSON list of text parts, one such part, a JSON string, or plain text.
pub(crate) fn instruction_texts<'a>(text: &'a [u8], each: &mut dyn FnMut(Cow<'a, str>)) {
    let json = text.trim_ascii();
    match json.first() {
        Some(b'[' | b'{') if end_of(json, 0) == Some(json.len()) => {
            // A document that happens to be JSON but has no text part is one text.
            let mut any = false;
            part_texts(json, 0, &mut |t| {
                any = true;
                each(t);
            });
            if !any && messages_hold(json) == Holds::Content {
                each(String::from_utf8_lossy(text));
            }
        }
        _ if text_holds(text) == Holds::Content => each(String::from_utf8_lossy(text)),
        _ => {}
    }
}

/// The texts of the system and developer messages of a list, in order. Of a request as one object (`{"system": ..., "messages": [...]}`,
/// as Vercel, MLflow and Langfuse write it) first its own instructions.
pub(crate) fn system_texts<'a>(json: &'a [u8], each: &mut dyn FnMut(Cow<'a, str>)) {
    // Most calls have no instructions of their own: then nothing is walked.
    static ROLES: LazyLock<[Finder<'static>; 3]> =
        LazyLock::new(|| [Finder::new(b"\"system\""), Finder::new(b"\"developer\""), Finder::new(b"\"instructions\"")]);
    if !ROLES.iter().any(|role| role.find(json).is_some()) {
        return;
    }
    let json = json.trim_ascii();
    if json.first() != Some(&b'{') {
        return system_messages(json, each);
    }
    for wanted in [&[&b"system"[..], b"instructions"], &[&b"messages"[..], b"input"]] {
        for (_, value) in members(json).filter(|(name, _)| wanted.contains(name)) {
            match value.first() {
                Some(b'[') if wanted.contains(&&b"messages"[..]) => system_messages(value, each),
                Some(b'[' | b'"') if wanted.contains(&&b"system"[..]) => part_texts(value, 0, each),
                _ => {}
            }
        }
    }
}

fn system_messages<'a>(json: &'a [u8], each: &mut dyn FnMut(Cow<'a, str>)) {
    for message in items(json) {
        let is_system = members(message).any(|(name, value)| name == b"role" && matches!(value, b"\"system\"" | b"\"developer\""));
        if !is_system {
            continue;
        }
        for (name, value) in members(message) {
            match name {
                b"parts" => part_texts(value, 0, each),
                b"content" => part_texts(value, 0, each),
                _ => {}
            }
        }
    }
}

/// Texts of parts: a string; `{"type":"text","content":...}` of GenAI; `{"text":...}` of others; lists of these.
fn part_texts<'a>(value: &'a [u8], depth: usize, each: &mut dyn FnMut(Cow<'a, str>)) {
    match value.first() {
        Some(b'[') if depth < DEPTH_MAX => items(value).for_each(|item| part_texts(item, depth + 1, each)),
        Some(b'{') => {
            let kind = members(value).find(|(name, _)| *name == b"type").map(|(_, v)| v);
            if kind.is_some_and(|k| !matches!(k, b"\"text\"" | b"\"input_text\"" | b"\"output_text\"")) {
                return;
            }
            let text = members(value).find(|(name, v)| matches!(*name, b"content" | b"text") && v.first() == Some(&b'"'));
            if let Some((_, text)) = text {
                part_texts(text, depth + 1, each);
            }
        }
        Some(b'"') if text_holds(value) == Holds::Content => each(unescaped(value)),
        _ => {}
    }
}

/// The `finish_reason` of each message of a list, and how many messages there are.
pub(crate) fn finish_reasons(json: &[u8]) -> (Vec<String>, usize) {
    let mut reasons = Vec::new();
    let mut count = 0;
    for message in items(json.trim_ascii()) {
        count += 1;
        let reason = members(message).find(|(name, v)| *name == b"finish_reason" && v.len() > 2 && v.first() == Some(&b'"'));
        reasons.extend(reason.map(|(_, v)| unescaped(v).into_owned()));
    }
    (reasons, count)
}

/// A provider's answer: the finish reason of each choice (OpenAI's `choices`, Anthropic's `stop_reason`), how many choices there are, and
/// the answer's id.
pub(crate) fn answer(json: &[u8]) -> (Vec<String>, usize, Option<String>) {
    let text = |raw: &[u8]| (raw.len() > 2 && raw.first() == Some(&b'"')).then(|| unescaped(raw).into_owned());
    let (mut reasons, mut count, mut id) = (Vec::new(), 0, None);
    for (name, raw) in members(json.trim_ascii()) {
        match name {
            b"id" => id = text(raw),
            b"choices" => (reasons, count) = finish_reasons(raw),
            b"stop_reason" => reasons.extend(text(raw)),
            _ => {}
        }
    }
    (reasons, count, id)
}

/// The mean logarithm of the probabilities of each choice's tokens, by the choice's place: OpenAI's `choices[].logprobs.content[].logprob`
/// and, of its Responses API, `output[].content[].logprobs[].logprob`. Choices without them are left out.
pub(crate) fn logprobs(json: &[u8]) -> Vec<(usize, f64)> {
    static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"logprob\""));
    // Most answers carry none: then nothing is walked.
    if NAME.find(json).is_none() {
        return Vec::new();
    }
    fn member<'j>(object: &'j [u8], wanted: &[u8]) -> &'j [u8] {
        members(object).find(|(name, _)| *name == wanted).map(|(_, value)| value).unwrap_or_default()
    }
    let json = json.trim_ascii();
    let choices = items(member(json, b"choices")).map(|choice| vec![member(member(choice, b"logprobs"), b"content")]);
    let texts = items(member(json, b"output")).map(|part| items(member(part, b"content")).map(|text| member(text, b"logprobs")).collect());
    let mean = |lists: Vec<&[u8]>| {
        let (mut sum, mut count) = (0.0, 0_u32);
        for token in lists.into_iter().flat_map(items) {
            match parse_bounded(member(token, b"logprob")) {
                Some(Json::Number(number)) if number <= 0.0 => (sum, count) = (sum + number, count.saturating_add(1)),
                _ => {}
            }
        }
        (count > 0).then(|| sum / f64::from(count))
    };
    choices.chain(texts).enumerate().filter_map(|(place, lists)| Some((place, mean(lists)?))).collect()
}

/// The elements of an array, as they stand. Empty where the bytes are no array.
pub(crate) fn items(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = (array.first() == Some(&b'[')).then_some(1);
    std::iter::from_fn(move || {
        let start = space(array, at?);
        let end = (array.get(start) != Some(&b']')).then(|| end_of(array, start)).flatten();
        let Some(end) = end else {
            at = None;
            return None;
        };
        let next = space(array, end);
        at = (array.get(next) == Some(&b',')).then_some(next + 1);
        array.get(start..end)
    })
}

/// The members of an object: name without quotes and with its escapes, value as it stands.
pub(crate) fn members(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = (object.first() == Some(&b'{')).then_some(1);
    std::iter::from_fn(move || {
        let Some((name, value, end)) = member_at(object, at?) else {
            at = None;
            return None;
        };
        let next = space(object, end);
        at = (object.get(next) == Some(&b',')).then_some(next + 1);
        Some((name, value))
    })
}

/// Whether [`members`] gives all of an object: what breaks off, or is none, says less than was sent.
pub(crate) fn is_whole(object: &[u8]) -> bool {
    if object.first() != Some(&b'{') {
        return false;
    }
    let mut at = 1;
    while let Some((_, _, end)) = member_at(object, at) {
        at = space(object, end);
        match object.get(at) {
            Some(b',') => at += 1,
            _ => break,
        }
    }
    let close = space(object, at);
    object.get(close) == Some(&b'}') && close + 1 == object.len()
}

/// The member that begins at `from`: its name and value, and where it ends.
fn member_at(object: &[u8], from: usize) -> Option<(&[u8], &[u8], usize)> {
    let start = space(object, from);
    let name_end = (object.get(start) == Some(&b'"')).then(|| end_of(object, start)).flatten()?;
    let colon = space(object, name_end);
    (object.get(colon) == Some(&b':')).then_some(())?;
    let value = space(object, colon + 1);
    let end = end_of(object, value)?;
    Some((object.get(start + 1..name_end - 1)?, object.get(value..end)?, end))
}

fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Where the value that begins at `at` ends. Brackets are counted, not matched by kind: enough to step over.
fn end_of(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    let mut open = 0_usize;
    loop {
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at)?,
            b'[' | b'{' => {
                open += 1;
                at += 1;
            }
            b']' | b'}' => {
                open = open.checked_sub(1)?;
                at += 1;
            }
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if open > 0 => at += 1,
            _ => {
                let length = bytes.get(at..)?.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')).count();
                at += (length > 0).then_some(length)?;
            }
        }
        if open == 0 {
            return Some(at);
        }
    }
}

fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The text of a JSON string with its quotes. Lone surrogates become U+FFFD.
pub(crate) fn unescaped(string: &[u8]) -> Cow<'_, str> {
    let inner = string.get(1..string.len().saturating_sub(1)).unwrap_or_default();
    if memchr::memchr(b'\\', inner).is_none() {
        return String::from_utf8_lossy(inner);
    }
    let text = String::from_utf8_lossy(inner);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let high = hex4(&mut rest);
                let mut ahead = rest.clone();
                let scalar = match high {
                    Some(high @ 0xd800..0xdc00) if ahead.next() == Some('\\') && ahead.next() == Some('u') => {
                        hex4(&mut ahead).filter(|low| (0xdc00..0xe000).contains(low)).map(|low| {
                            rest = ahead;
                            0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
                        })
                    }
                    other => other,
                };
                out.push(scalar.and_then(char::from_u32).unwrap_or('\u{fffd}'));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Cow::Owned(out)
}

fn hex4(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value * 16 + chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(json: &str) -> Vec<String> {
        let mut out = Vec::new();
        system_texts(json.as_bytes(), &mut |t| out.push(t.into_owned()));
        out
    }

    #[test]
    fn frames_without_content_are_nothing() {
        for frame in [
            r#"[{"role":"user","parts":[{"type":"text"}]}]"#,
            r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"call_1","name":"get_policy"}],"finish_reason":"tool_call"}]"#,
            r#"[{"role":"user","parts":[]},{"role":"user","content":""}]"#,
            "[]",
            "{}",
            " [ ] ",
            "",
            "\"\"",
            "null",
            "N/A",
        ] {
            assert_eq!(messages_hold(frame.as_bytes()), Holds::Nothing, "{frame}");
        }
        for hidden in ["__REDACTED__", "\"__REDACTED__\"", r#"[{"role":"user","content":"[redacted]"}]"#, "[masked]"] {
            assert_eq!(messages_hold(hidden.as_bytes()), Holds::Redaction, "{hidden}");
        }
        for content in [
            r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#,
            r#"[{"role":"a","parts":[{"type":"tool_call","arguments":{"x":0}}]}]"#,
            r#"[{"role":"user","content":"[redacted]"},{"content":"x"}]"#,
            "no",
            "0",
            "[!!! not a list",
            "{oops}",
        ] {
            assert_eq!(messages_hold(content.as_bytes()), Holds::Content, "{content}");
        }
    }

    #[test]
    fn texts_of_instructions_in_order() {
        let json = r#"[ {"parts":[{"content":"Use \u00fc\ud83d\ude4f\n","type":"text"},{"type":"blob","content":"AA"}],"role":"system"},
            {"role":"user","parts":[{"type":"text","content":"secret"}]}, {"role":"developer","content":"Be brief."},
            {"role":"system","content":[{"type":"text","text":"third"}]} ]"#;
        assert_eq!(system(json), ["Use \u{fc}\u{1f64f}\n", "Be brief.", "third"]);
        let mut out = Vec::new();
        for text in [r#"[{"type":"text","content":"a"}]"#, "plain", r#""quoted""#, r#"{"policy":1}"#, "{}", r#"[{"type":"text"}]"#] {
            instruction_texts(text.as_bytes(), &mut |t| out.push(t.into_owned()));
        }
        assert_eq!(out, ["a", "plain", "\"quoted\"", r#"{"policy":1}"#]);
    }

    #[test]
    fn finish_reasons_are_read_in_choice_order() {
        let json = br#"[{"role":"assistant","finish_reason":"stop"},{"finish_reason":null},{"finish_reason":"length"}]"#;
        assert_eq!(finish_reasons(json), (vec!["stop".into(), "length".into()], 3));
    }

    #[test]
    fn lone_surrogates_are_repaired() {
        assert_eq!(unescaped(br#""\ud800x\udc00\"\/""#), "\u{fffd}x\u{fffd}\"/");
        assert_eq!(unescaped(br#""\ud800\u0041""#), "\u{fffd}A");
        assert_eq!(unescaped(b"\""), "");
    }

    #[test]
    fn an_object_that_breaks_off_is_not_whole() {
        for whole in ["{}", " {} ", r#"{"a":1}"#, r#"{ "a" : {"b":[1,2]} , "c":"}" }"#] {
            assert!(is_whole(whole.trim().as_bytes()), "{whole}");
        }
        for broken in ["", "[]", "{", r#"{"a""#, r#"{"a":1"#, r#"{"a":1,oops}"#, r#"{"a":1}x"#, r#"{"a":1,"b":}"#, r#"{"a":"1}"#] {
            assert!(!is_whole(broken.as_bytes()), "{broken}");
        }
    }

    proptest::proptest! {
        #[test]
        fn anything_is_survived(bytes in proptest::collection::vec(proptest::sample::select(&b"[]{}\",:\\u0d8abc \xff"[..]), 0..80)) {
            let _ = messages_hold(&bytes);
            let _ = finish_reasons(&bytes);
            system_texts(&bytes, &mut |_| {});
            instruction_texts(&bytes, &mut |_| {});
            let _ = unescaped(&bytes);
            let _ = (is_whole(&bytes), answer(&bytes));
        }
    }
}
