//! Realms (`record.md` section 3): by which resource attribute's value equal ids of two applications are two people, from the asker's side.
//!
//! The asker may not know which attribute it was when a record was sealed, nor its value. Promotion keeps the attribute in the record, so
//! everything that a record shows of its resource is tried: a superfluous realm only costs a hash. Where the record says that the
//! attribute's value was altered before it was sealed, nobody can be compared in it.

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

/// The attribute that the configuration names (`identity.realm`), and where a record shows it.
#[derive(Clone, Debug)]
pub(super) struct Realm {
    attribute: String,
    /// Its member of `source`; `None`: it stands in `source.resource` under its own key.
    member: Option<&'static str>,
    source: Arc<Finder<'static>>,
    /// Where this is not in a line, the realm is not hidden in it.
    sign: Arc<Finder<'static>>,
}

impl Realm {
    pub(super) fn new(attribute: &str) -> Self {
        let member = MEMBERS.iter().find(|(key, _)| *key == attribute).map(|(_, member)| *member);
        let sign = match member {
            Some(member) if attribute == OLD_ENVIRONMENT => format!("\"{member}\":"),
            member => format!("\"{}\"", path(member)),
        };
        Realm {
            attribute: attribute.to_owned(),
            member,
            source: Arc::new(Finder::new(b"\"source\":{").into_owned()),
            sign: Arc::new(Finder::new(sign.as_bytes()).into_owned()),
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
        self.sign.find(line).is_some()
    }

    /// Whether a record says that its realm is another than the one it shows. One that shows none has the empty realm: promotion keeps
    /// the attribute wherever there is one.
    pub(super) fn is_hidden_in(&self, record: &Json) -> bool {
        let path = path(self.member);
        let listed = |list: &str| {
            let items = record.path(&format!("evidence.{list}")).and_then(Json::as_array).unwrap_or_default();
            items.iter().any(|item| item.as_str() == Some(path.as_str()))
        };
        if self.member.is_some() {
            let shared = self.attribute == OLD_ENVIRONMENT && record.path(&path).is_some();
            return shared || listed("scrubbed") || listed("truncated");
        }
        match record.path(&path).and_then(|resource| resource.get(&self.attribute)) {
            Some(Json::String(shown)) if !shown.is_empty() => listed("scrubbed") && shown.contains(SCRUBBED),
            // Stated twice, and the first time as no text: the realm is the other.
            Some(_) => listed("conflicts"),
            None => listed("truncated"),
        }
    }
}

fn path(member: Option<&str>) -> String {
    format!("source.{}", member.unwrap_or("resource"))
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
