//! One attribute of one application means one thing: what a rule reads as a person, nothing puts into the clear.
//!
//! The tables know many names of persons ([`super::Source::may_read`]). Where a team named its attributes itself, only its own rules say which
//! of them hold a person, and then they say it for every rule and for `promotion.keep_attributes`.

use super::{Key, Rule, Source};
use crate::promote::dialects::Delicate;

/// Where an attribute that holds a person would stand in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clear<'r> {
    /// `from.<path>` of a rule.
    Member {
        /// Place of the rule in the list.
        rule: usize,
        /// The member's dotted path.
        path: &'r str,
    },
    /// `keep` of a rule.
    Kept {
        /// Place of the rule in the list.
        rule: usize,
    },
    /// `promotion.keep_attributes`
    KeptForAll,
}

/// An attribute that one rule reads as a person, while something else puts it into the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposed<'r> {
    /// The attribute.
    pub key: &'r str,
    /// What puts it into the clear.
    pub by: Clear<'r>,
    /// The name of the rule that reads it as a person, and into which member.
    person: (&'r str, &'static str),
}

impl Exposed<'_> {
    /// What is wrong and what to write instead.
    pub fn sentence(&self) -> String {
        let (key, (name, path)) = (self.key, self.person);
        let clear = match self.by {
            Clear::Member { path, .. } => format!("`{path}` is kept in clear"),
            Clear::Kept { .. } | Clear::KeptForAll => "`attributes` are kept in clear".to_owned(),
        };
        let apart = match self.by {
            Clear::KeptForAll => "leave the key away",
            _ => {
                "leave it away here, or, where it is another application's attribute of the same name, give both rules a `match.resource` \
                 (or `match.scope`) that tells the two apart"
            }
        };
        format!("`{key}` holds a person, because rule `{name}` reads it into `{path}`, and {clear}; {apart}")
    }
}

/// The first attribute that is read as a person and put into the clear as well.
pub fn exposed<'r>(rules: &'r [Rule], keep_attributes: &'r [String]) -> Option<Exposed<'r>> {
    let persons = || rules.iter().flat_map(|rule| rule.from.iter().filter(|source| source.is_person()).map(move |source| (rule, source)));
    let read = |key: &Key, rule: &Rule| {
        let reads = |other: &Rule, source: &Source| source.keys.contains(key) && !other.is_apart_from(rule);
        persons().find(|(other, source)| reads(other, source)).map(|(other, source)| (other.name.as_str(), source.target.path()))
    };
    let mut inside = rules.iter().enumerate().flat_map(|(index, rule)| {
        let into = rule.from.iter().filter(|source| !source.target.takes(Delicate::Person));
        let members = into.flat_map(move |source| {
            let by = Clear::Member { rule: index, path: source.target.path() };
            source.keys.iter().map(move |key| (key, by))
        });
        members.chain(rule.keep.iter().map(move |key| (key, Clear::Kept { rule: index }))).map(move |(key, by)| (rule, key, by))
    });
    let found = inside.find_map(|(rule, key, by)| Some(Exposed { key: key.text(), by, person: read(key, rule)? }));
    found.or_else(|| {
        keep_attributes.iter().find_map(|kept| {
            let (rule, source) = persons().find(|(_, source)| source.keys.iter().any(|key| key.text() == kept))?;
            Some(Exposed { key: kept, by: Clear::KeptForAll, person: (&rule.name, source.target.path()) })
        })
    })
}

impl Rule {
    /// Whether two rules surely speak of different applications or libraries: by a scope or a resource that each writes out.
    fn is_apart_from(&self, other: &Rule) -> bool {
        let scopes = self.scope.as_ref().zip(other.scope.as_ref());
        let resources = self
            .resource
            .iter()
            .flat_map(|(key, value)| other.resource.iter().filter(move |(own, _)| own == key).map(move |(_, own)| (value, own)));
        scopes.is_some_and(|(one, two)| one.excludes(two)) || resources.into_iter().any(|(one, two)| one.excludes(two))
    }
}
