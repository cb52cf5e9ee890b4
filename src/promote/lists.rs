//! Lists of objects: retrieved documents, answers, feature attributions, inputs of a derivation.

use sha2::{Digest, Sha256};
use std::borrow::Cow;

use super::aside::Held;
use super::convert::{Converted, Marks, Who, from_json};
use super::draft::{Document, Draft, How, jcs, plain_json};
use super::scan::{self, Holds, parse_bounded};
use crate::otlp::view::Value;
use crate::otlp::wire::Malformed;
use crate::record::builder::{Record, Val};
use crate::record::canonical::Json;
use crate::record::content::Captured;
use crate::record::registry::{self as member, Member, TABLE};

/// Most objects of a list; the rest is cut and named. The line's own limit bounds them again.
const ITEMS_MAX: usize = 4096;

/// One answer of several: `record.md` section 5, rule 4.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) name: String,
    pub(crate) confidence: f64,
    pub(crate) threshold: Option<f64>,
}

/// `sha256:<hex>`, for what holds no person.
pub(crate) fn sha256_text(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A value as plain JSON.
pub(crate) fn plain(value: &Value<'_>) -> Result<Vec<u8>, Malformed> {
    plain_json(value)
}

/// The objects of a list that came as JSON text, as an array, or as one object alone. What is longer than [`parse_bounded`] takes is no list
/// of a few thousand objects.
fn objects(value: &Value<'_>) -> Result<Option<Vec<Json>>, Malformed> {
    let json = match value {
        Value::Text(text) => parse_bounded(text),
        Value::Array(_) | Value::KeyValues(_) => parse_bounded(&plain_json(value)?),
        _ => None,
    };
    Ok(match json {
        // `["{...}", "{...}"]`: an OTLP array of strings can hold objects only as JSON.
        Some(Json::Array(items)) => Some(
            items
                .into_iter()
                .map(|item| match item {
                    Json::String(text) => parse_bounded(text.as_bytes()).unwrap_or(Json::String(text)),
                    other => other,
                })
                .collect(),
        ),
        Some(object @ Json::Object(_)) => Some(vec![object]),
        _ => None,
    })
}

/// Content of one string.
fn text_content(who: &Who<'_>, text: &[u8]) -> Held {
    match scan::text_holds(text) {
        Holds::Content => who.aside.text(text),
        Holds::Redaction => Held::only(Captured::Redacted),
        Holds::Nothing => Held::only(Captured::Absent),
    }
}

/// Takes a list of documents. False: something in it has no member, so the value belongs to `rest` as well.
pub(crate) fn documents<'a>(draft: &mut Draft<'a>, who: &Who<'_>, value: &Value<'a>) -> Result<bool, Malformed> {
    let Some(list) = objects(value)? else {
        if !matches!(value, Value::Empty) {
            draft.conflict(member::RETRIEVAL_DOCUMENTS.path());
        }
        return Ok(false);
    };
    Ok(documents_of(draft, who, &list))
}

/// The same for a list that was read already.
pub(crate) fn documents_of(draft: &mut Draft<'_>, who: &Who<'_>, list: &[Json]) -> bool {
    let mut complete = list.len() <= ITEMS_MAX;
    for (index, json) in list.iter().take(ITEMS_MAX).enumerate() {
        let Some(members) = json.as_object() else {
            complete = false;
            continue;
        };
        for (name, value) in members {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            complete &= match name.as_str() {
                "id" => set(draft, who, index, member::RETRIEVAL_DOCUMENTS_ITEM_ID, value),
                "score" => set(draft, who, index, member::RETRIEVAL_DOCUMENTS_ITEM_SCORE, value),
                "content" | "text" | "page_content" => match value {
                    Json::String(text) => {
                        set_content(draft, index, text_content(who, text.as_bytes()));
                        true
                    }
                    _ => false,
                },
                _ => false,
            };
        }
    }
    complete
}

fn set(draft: &mut Draft<'_>, who: &Who<'_>, index: u32, member: Member, value: &Json) -> bool {
    let mut marks = Marks::default();
    match from_json(member, value, who, &mut marks) {
        Converted::To(value) => {
            draft.marks(member.path(), marks);
            document(draft, index).members.set(member, value);
            true
        }
        Converted::Empty => true,
        Converted::Mismatch => {
            draft.conflict(member.path());
            false
        }
    }
}

fn document<'d, 'a>(draft: &'d mut Draft<'a>, index: u32) -> &'d mut Document<'a> {
    draft.documents.entry(index).or_default()
}

/// The last value counts.
fn set_content(draft: &mut Draft<'_>, index: u32, held: Held) {
    let document = document(draft, index);
    document.members.set(member::RETRIEVAL_DOCUMENTS_ITEM_CONTENT, Val::Content(Box::new(held.content)));
    document.loose = held.loose;
}

/// Takes one leaf of an indexed document (`0.document.content`). False: it has no member.
pub(crate) fn document_leaf<'a>(
    draft: &mut Draft<'a>,
    who: &Who<'_>,
    index: u32,
    leaf: &[u8],
    key: &str,
    value: &Value<'a>,
) -> Result<bool, Malformed> {
    if draft.documents.len() >= ITEMS_MAX && !draft.documents.contains_key(&index) {
        draft.truncated.push(member::RETRIEVAL_DOCUMENTS.path());
        return Ok(false);
    }
    let json = |value: &Value<'_>| Ok(parse_bounded(&plain_json(value)?).unwrap_or(Json::Null));
    Ok(match leaf {
        b"document.id" => {
            let value = json(value)?;
            set(draft, who, index, member::RETRIEVAL_DOCUMENTS_ITEM_ID, &value)
        }
        b"document.score" => {
            let value = json(value)?;
            value != Json::Null && set(draft, who, index, member::RETRIEVAL_DOCUMENTS_ITEM_SCORE, &value)
        }
        b"document.content" => {
            let held = match value {
                Value::Text(text) => text_content(who, text),
                Value::Empty => Held::only(Captured::Absent),
                other => who.aside.attributes(|x| jcs(x, vec![(Cow::Borrowed(key), other.clone())]))?.0,
            };
            set_content(draft, index, held);
            true
        }
        _ => false,
    })
}

/// Writes the collected documents, in the order of their indexes.
pub(crate) fn finish_documents(draft: &mut Draft<'_>, who: &Who<'_>) {
    let documents = std::mem::take(&mut draft.documents);
    if draft.record.has(member::RETRIEVAL_DOCUMENTS) {
        return;
    }
    let mut items: Vec<Vec<u8>> = Vec::with_capacity(documents.len());
    for document in documents.into_values() {
        let item = item(&document.members, who.keyed.key_id());
        // `{}` says nothing.
        if item.len() > 2 {
            if let Some(loose) = document.loose {
                who.aside.keep(Cow::Owned(format!("retrieval.documents[{}].content", items.len())), loose);
            }
            items.push(item);
        }
    }
    if !items.is_empty() {
        draft.record.push(member::RETRIEVAL_DOCUMENTS, Val::Items(items));
    }
}

/// One object of a list, canonical: members by the last name of their path.
fn item(record: &Record<'_>, key_id: &str) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (member, value) in record.members() {
        if out.len() > 1 {
            out.push(b',');
        }
        let name = member.path().rsplit('.').next().unwrap_or_default();
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        crate::record::builder::write_value(&mut out, value, key_id);
    }
    out.push(b'}');
    out
}

/// Takes the objects of a list member, by the rows `member[].name` of the registry. False: the value belongs to `rest` as well.
pub(crate) fn items(draft: &mut Draft<'_>, who: &Who<'_>, member: Member, value: &Value<'_>) -> Result<bool, Malformed> {
    let Some(list) = objects(value)? else {
        if !matches!(value, Value::Empty) {
            draft.conflict(member.path());
        }
        return Ok(false);
    };
    if draft.record.has(member) {
        draft.conflict(member.path());
        return Ok(false);
    }
    let list = if member == member::EXPLANATION_ATTRIBUTIONS { by_feature(list) } else { list };
    let mut complete = list.len() <= ITEMS_MAX;
    if !complete {
        draft.truncated.push(member.path());
    }
    let mut out = Vec::new();
    for json in list.iter().take(ITEMS_MAX) {
        let Some(fields) = json.as_object() else {
            complete = false;
            continue;
        };
        let mut record = Record::default();
        for (name, value) in fields {
            let Some(row) = row_of(member, name) else {
                complete = false;
                continue;
            };
            let mut marks = Marks::default();
            match from_json(row, value, who, &mut marks) {
                Converted::To(value) => record.push_once(row, value),
                Converted::Empty => {}
                Converted::Mismatch => {
                    draft.conflict(row.path());
                    complete = false;
                }
            }
            draft.marks(row.path(), marks);
        }
        if member == member::DECISION_ANSWERS
            && let Some(Val::Num(confidence)) = record.get(member::DECISION_ANSWERS_ITEM_CONFIDENCE)
        {
            let name = match record.get(member::DECISION_ANSWERS_ITEM_NAME) {
                Some(Val::Str(name)) => name.to_string(),
                _ => String::new(),
            };
            let threshold = match record.get(member::DECISION_ANSWERS_ITEM_THRESHOLD) {
                Some(Val::Num(threshold)) => Some(*threshold),
                _ => None,
            };
            draft.answers.push(Answer { name, confidence: *confidence, threshold });
        }
        let bytes = item(&record, who.keyed.key_id());
        if bytes.len() > 2 {
            out.push(bytes);
        }
    }
    if !out.is_empty() {
        draft.record.push(member, Val::Items(out));
    }
    Ok(complete)
}

/// Attributions as SHAP libraries write them, one object of feature and number, as the list that they are.
fn by_feature(list: Vec<Json>) -> Vec<Json> {
    let is_number =
        |(name, value): &(String, Json)| matches!(value, Json::Number(_)) && row_of(member::EXPLANATION_ATTRIBUTIONS, name).is_none();
    match list.as_slice() {
        [Json::Object(features)] if !features.is_empty() && features.iter().all(is_number) => {
            let one = |(name, value): &(String, Json)| Json::object([("attribution", value.clone()), ("feature", Json::string(name))]);
            features.iter().map(one).collect()
        }
        _ => list,
    }
}

/// The row of one object's member, looked up by the registry.
fn row_of(member: Member, name: &str) -> Option<Member> {
    let from = usize::from(member.0) + 1;
    let rows = TABLE.get(from..)?.iter().take_while(|s| s.path.starts_with(member.path()));
    let at = rows.enumerate().find(|(_, s)| s.path.strip_prefix(member.path()).and_then(|p| p.strip_prefix("[].")) == Some(name))?.0;
    u16::try_from(from + at).ok().map(Member)
}

/// Rule 4: of several confidences the one with the smallest distance to its threshold; without thresholds the lowest.
pub(crate) fn weakest(answers: &[Answer]) -> Option<&Answer> {
    let with: Vec<(&Answer, f64)> = answers.iter().filter_map(|a| Some((a, a.confidence - a.threshold?))).collect();
    if with.is_empty() {
        return answers.iter().min_by(|a, b| a.confidence.total_cmp(&b.confidence));
    }
    with.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(a, _)| a)
}

/// Sets the confidence that the answers imply, unless one was stated: whether it did.
pub(crate) fn confidence_of_answers(draft: &mut Draft<'_>) -> bool {
    if draft.record.has(member::CONFIDENCE_SCORE) {
        return false;
    }
    let Some(answer) = weakest(&draft.answers).cloned() else { return false };
    draft.record.push(member::CONFIDENCE_SCORE, Val::Num(answer.confidence));
    draft.derived.push((member::CONFIDENCE_SCORE, How::Computed));
    if let Some(threshold) = answer.threshold
        && !draft.record.has(member::CONFIDENCE_THRESHOLD)
    {
        draft.record.push(member::CONFIDENCE_THRESHOLD, Val::Num(threshold));
        draft.derived.push((member::CONFIDENCE_THRESHOLD, How::Computed));
    }
    if !answer.name.is_empty() && !draft.record.has(member::CONFIDENCE_OF) {
        draft.record.push(member::CONFIDENCE_OF, Val::Str(Cow::Owned(answer.name)));
        draft.derived.push((member::CONFIDENCE_OF, How::Computed));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, confidence: f64, threshold: Option<f64>) -> Answer {
        Answer { name: name.into(), confidence, threshold }
    }

    #[test]
    fn the_weakest_answer_is_the_confidence() {
        let answers = [answer("a", 0.9, Some(0.5)), answer("b", 0.7, Some(0.6)), answer("c", 0.2, None)];
        assert_eq!(weakest(&answers).unwrap().name, "b");
        let without = [answer("a", 0.9, None), answer("c", 0.2, None)];
        assert_eq!(weakest(&without).unwrap().name, "c");
        assert_eq!(weakest(&[]), None);
    }

    #[test]
    fn rows_of_lists_come_from_the_registry() {
        assert_eq!(row_of(member::DECISION_ANSWERS, "threshold"), Some(member::DECISION_ANSWERS_ITEM_THRESHOLD));
        assert_eq!(row_of(member::DECISION_ANSWERS, "type"), None);
        assert_eq!(row_of(member::LINEAGE_DERIVATION_INPUTS, "collected_at"), Some(member::LINEAGE_DERIVATION_INPUTS_ITEM_COLLECTED_AT));
    }
}
