//! Which keys hold a person or content, as far as anybody knows: asked before a configuration puts a key into the clear.

use super::{Family, Tables, To, carriers};
use crate::record::registry::{Member, Type};

/// What a key holds that nothing in clear may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Delicate {
    /// A person.
    Person,
    /// Content.
    Content,
}

impl Delicate {
    /// To follow "holds".
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Delicate::Person => "a person",
            Delicate::Content => "content",
        }
    }
}

/// Keys that any instrumentation may use and that no table has a member for: what stands in them is content, or may be.
const CONTENT: &[&[u8]] = &[
    b"url.full",
    b"url.original",
    b"url.path",
    b"url.query",
    b"url.fragment",
    b"http.url",
    b"http.target",
    b"db.statement",
    b"db.query.text",
    b"log.record.original",
];
const CONTENT_PREFIXES: &[&[u8]] = &[b"db.query.parameter."];
const PERSON_PREFIXES: &[&[u8]] = &[b"user.", b"enduser."];
/// Last words of keys that hold a person in whatever namespace, without case, `_` and `-`.
const PERSON_ENDINGS: &[&[u8]] = &[b"user", b"userid", b"username", b"useremail", b"enduser", b"enduserid", b"email", b"fullname"];

impl Tables {
    /// What a key holds in anybody's mouth: by its own name, by the name that it has inside a carrier, by the words that only one dialect
    /// means so, and by names that are a person's or content's wherever they stand.
    pub(crate) fn says_who_or_what(&self, key: &[u8]) -> Option<Delicate> {
        let inner = carriers::inside(key);
        let told = self.told(key).or_else(|| self.told(inner?));
        // Where a table has a place in clear for the key, its name alone says no more.
        told.or_else(|| self.find(key).is_none().then(|| by_name(inner.unwrap_or(key))).flatten())
    }

    fn told(&self, key: &[u8]) -> Option<Delicate> {
        let own = self.own.get(key).into_iter().flatten().map(|(_, known)| *known);
        let rows = self.find(key).into_iter().chain(own).filter_map(|known| held(&known.to)).max();
        let family = || self.families.get(key).map(|(family, _)| *family).or_else(|| self.family(key).map(|(family, ..)| family));
        rows.or_else(|| family().filter(|family| *family != Family::Annotations).map(|_| Delicate::Content))
    }
}

fn held(to: &To) -> Option<Delicate> {
    let person = |member: &Member| (member.spec().kind == Type::Person).then_some(Delicate::Person);
    match to {
        To::Side(..) | To::Template | To::Invocation | To::Documents | To::Items(_) | To::Carrier => Some(Delicate::Content),
        To::Member(member) | To::Fallback(member) | To::Carried(member) | To::Means(_, member) => person(member),
        To::Object(members) => members.iter().find_map(|(_, member)| person(member)),
        To::Json(to) | To::When(_, to) => held(to),
        _ => None,
    }
}

fn by_name(key: &[u8]) -> Option<Delicate> {
    let begins = |prefixes: &[&[u8]]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    if CONTENT.contains(&key) || begins(CONTENT_PREFIXES) {
        return Some(Delicate::Content);
    }
    let last = key.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let last: Vec<u8> = last.iter().filter(|b| !matches!(b, b'_' | b'-')).map(u8::to_ascii_lowercase).collect();
    (begins(PERSON_PREFIXES) || PERSON_ENDINGS.contains(&last.as_slice())).then_some(Delicate::Person)
}
