//! Realms (`record.md` section 3): by which resource attribute's value equal ids of two applications are two people, from the asker's side.
//!
//! The asker may not know which attribute it was when a record was sealed, nor its value. Promotion keeps the attribute in the record, so
//! everything that a record shows of its resource is tried: a superfluous realm only costs a hash. Where anything of it was altered before it
//! was sealed, that may have been the realm, and whoever is not found in it cannot be said to be somebody else.

use std::sync::Arc;

use memchr::memmem::Finder;

use crate::record::canonical::Json;

/// Members of `source` that hold a resource attribute, and how many attributes share them.
const MEMBERS: &[(&str, &str)] = &[
    ("service.namespace", "service_namespace"),
    ("service.name", "service"),
    ("service.version", "service_version"),
    ("service.instance.id", "instance"),
    ("deployment.environment.name", "environment"),
    // The older name: where both are sent, the member holds the other.
    (OLD_ENVIRONMENT, "environment"),
];

const OLD_ENVIRONMENT: &str = "deployment.environment";

/// What a sealed text has in place of what looked like a person.
const SCRUBBED: &str = "[scrubbed]";

/// Where records show the realm, and by which signs it is hidden.
#[derive(Clone, Debug)]
pub(super) struct Realm {
    /// The configuration names (`identity.realm`) an attribute whose member may hold another instead.
    shared: bool,
    source: Arc<Finder<'static>>,
    /// Where none of these is in a line, the realm is not hidden in it.
    signs: Arc<[Finder<'static>]>,
}

impl Realm {
    pub(super) fn new(attribute: &str) -> Self {
        let shared = attribute == OLD_ENVIRONMENT;
        let marks = [SCRUBBED, "\"scrubbed\":[", "\"truncated\":[", "\"conflicts\":["];
        let signs = marks.into_iter().chain(shared.then_some("\"environment\":"));
        Realm {
            shared,
            source: Arc::new(Finder::new(b"\"source\":{").into_owned()),
            signs: signs.map(|sign| Finder::new(sign.as_bytes()).into_owned()).collect(),
        }
    }

    /// Hands over the bytes of every object called `source` in a line: one, and perhaps some attribute's.
    pub(super) fn sources<'a>(&self, line: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        const BEFORE_BRACE: usize = b"\"source\":".len();
        let starts: Vec<usize> = self.source.find_iter(line).collect();
        starts.into_iter().filter_map(move |at| line.get(at + BEFORE_BRACE..).and_then(object_at))
    }

    /// Cheap look: whether the realm of a line may be hidden.
    pub(super) fn may_be_hidden_in(&self, line: &[u8]) -> bool {
        self.signs.iter().any(|sign| sign.find(line).is_some())
    }

    /// Whether the realm may be another than all those that a record shows. Which attribute it was when the record was sealed is not known,
    /// so anything altered in what the record says of its source hides it. A record without any such mark shows its realm, or has the empty
    /// one: promotion keeps the attribute wherever there is one.
    pub(super) fn is_hidden_in(&self, record: &Json) -> bool {
        let listed = |list: &str, is: &dyn Fn(&str) -> bool| {
            let items = record.path(&format!("evidence.{list}")).and_then(Json::as_array).unwrap_or_default();
            items.iter().filter_map(Json::as_str).any(is)
        };
        let of_source = |path: &str| path == "source" || path.starts_with("source.");
        // Two attributes have this member; the other may stand in it.
        let shared = self.shared && record.path("source.environment").is_some();
        shared
            || listed("scrubbed", &of_source)
            || listed("conflicts", &of_source)
            // A resource that was cut before it was divided is named by what remains of it.
            || listed("truncated", &|path| of_source(path) || path == "rest")
            || record.get("source").is_some_and(holds_scrubbed)
    }
}

/// Whether any text below, or any name, has something blacked out.
fn holds_scrubbed(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains(SCRUBBED),
        Json::Array(items) => items.iter().any(holds_scrubbed),
        Json::Object(members) => members.iter().any(|(name, value)| name.contains(SCRUBBED) || holds_scrubbed(value)),
        _ => false,
    }
}

/// Every text by which a record's resource may have given the realm.
pub(super) fn realms_of(source: &[u8]) -> Vec<String> {
    let Ok(source) = Json::parse(source) else { return Vec::new() };
    let resource = source.get("resource").and_then(Json::as_object).unwrap_or_default();
    let members = MEMBERS.iter().filter_map(|(_, member)| source.get(member));
    members.chain(resource.iter().map(|(_, value)| value)).filter_map(Json::as_str).map(str::to_owned).collect()
}

/// The JSON object that these bytes begin with.
fn object_at(bytes: &[u8]) -> Option<&[u8]> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => depth += 1,
            b'}' if !in_text => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return bytes.get(..=at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_ends_at_its_own_brace() {
        for (text, object) in [
            ("{}x", Some("{}")),
            (r#"{"a":{"b":1},"c":"}\"}"}}"#, Some(r#"{"a":{"b":1},"c":"}\"}"}"#)),
            (r#"{"a":"\\"}}"#, Some(r#"{"a":"\\"}"#)),
            (r#"{"a":"}"#, None),
            ("", None),
        ] {
            assert_eq!(object_at(text.as_bytes()), object.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn all_that_a_resource_shows_may_be_the_realm() {
        let source = br#"{"environment":"e","event_name":"no","resource":{"app.id":"a","n":1},"scope":"no","service":"s","signal":"span"}"#;
        assert_eq!(realms_of(source), ["s", "e", "e", "a"]);
    }
}
