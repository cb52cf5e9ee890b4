//! Own rules (`promotion.rules`): the operator's words for telemetry that no vocabulary names.
//!
//! ```yaml
//! promotion:
//!   rules:
//!     - name: credit decisions            # told in errors; each its own
//!       match:                            # all of it has to hold
//!         signal: span                    # span (default), span_event or log
//!         scope: credit.model             # scope, name and values may hold `*`
//!         name: credit-model.predict      # of the span, the span event, or the log's event
//!         resource: {service.name: credit-scoring}
//!         has: [audit.decision]           # attributes that are there
//!         attributes: {audit.decision: true}
//!         when: attributes["audit.confidence"] < 0.9
//!       promote: true                     # default; false: only what is promoted for another reason
//!       kind: decision
//!       from:                             # record member: the attribute that holds it
//!         decision.outcome: audit.output
//!         subject.id: audit.subject
//!         input: [audit.features.names, audit.features.values]
//!         policy.outcome: {attribute: passed, values: {"true": allow, "false": deny}}
//!       set: {system.risk_class: high}    # record member: a constant
//!       keep: [audit.channel]             # in clear, in `attributes`
//!       drop: [audit.debug]               # never stored, counted in `evidence.withheld`
//! ```
//!
//! # What a rule decides
//!
//! - A member from an attribute is converted, scrubbed, and where it fails named in `evidence.conflicts`, as if the application had sent it
//!   as `ai_audit.<member>`. It stays a claim of the sender; `evidence.derived` says `fallback:<key>`, so that a reader knows which of the
//!   sender's attributes was read. A constant is `configured`.
//! - **A rule wins over every dialect**: the operator knows this application, a table knows many. What a dialect would have put into the
//!   same member goes to `rest`, and where it says otherwise the member is named in `evidence.conflicts`: nothing is lost. Of two rules
//!   the first counts. Only `system.risk_class` can still be raised by what telemetry claims (`record.md` section 5, rule 10).
//! - Several attributes for one member stand in order of preference; for content they are its parts, all of them.
//! - What a rule reads stays readable for dialects too, and goes to `rest` only where nobody has a home for it; what it reads as a person or
//!   as content is hidden from them. `keep` moves a key from
//!   `rest` to `attributes`; a key that a dialect has a member for stays there. `drop` comes before everything and takes a key away from
//!   whoever would read it, in the events that fold into the record as well.
//! - A rule sets no fact, no retention and no kind of a control record; it puts no attribute that the tables know as a person or as content
//!   into a member that stands in clear, and no constant into a person, a reference or content. What one rule reads as a person, no other rule
//!   of that application and no `promotion.keep_attributes` puts into the clear ([`exposed`]).
//!
//! # What a condition may ask
//!
//! `attributes["key"]`, `resource["key"]` (also `"key" in attributes`, and `attributes.key` for keys without dots), `span.name`, `span.kind`,
//! `span.status`, `event.name`, `scope.name`, `scope.version`. The last six are texts, empty where there is none. Thresholds ask
//! `record.<member>` instead, of every member that stands in the record as it is. These names never change their meaning; more may come.
//!
//! A condition that cannot be decided (a value is missing, too long or of another type) does not hold: the rule does not apply to that span,
//! which is then promoted only if something else promotes it, and it is counted.
//!
//! # What it costs
//!
//! Nothing without rules. With them, a scope that no rule can meet costs one look; below others, a plain span costs a pass over its name
//! and keys, and a condition is asked only of what all plain parts of its rule meet.

mod apply;
mod condition;
mod matching;
mod names;
mod near;
mod parts;
mod persons;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::dialects::KeyHasher;
use super::finish::Signal;
pub(crate) use apply::{Ruled, Said};
pub use condition::{Condition, EXPRESSION_MAX, Mistake, Vocabulary};
pub(crate) use condition::{Given, Named};
pub(crate) use matching::{Matched, Within};
pub(crate) use names::{distance, nearest};
pub use near::NearRule;
pub(crate) use parts::doubt_of;
pub use parts::{Constant, Expected, Key, Pattern, Settable, Source, kind};
pub use persons::{Clear, Exposed, exposed};

use crate::record::registry::Kind;

/// Most rules: a set of them is one word, which is what a span is matched with.
pub const RULES_MAX: usize = 64;
/// Most different attribute keys of all rules: their values are looked up together, for each span that may meet one.
pub const KEYS_MAX: usize = 512;
/// Most keys, members and constants of one rule.
pub const PARTS_MAX: usize = 64;

/// One rule, as it was written. Each part is checked when it is made, the whole by [`Rule::check`].
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// `name`
    pub name: String,
    /// `match.signal`
    pub signal: Signal,
    /// `match.scope`
    pub scope: Option<Pattern>,
    /// `match.name`
    pub item: Option<Pattern>,
    /// `match.resource`
    pub resource: Vec<(Key, Expected)>,
    /// `match.has`
    pub has: Vec<Key>,
    /// `match.attributes`
    pub attributes: Vec<(Key, Expected)>,
    /// `match.when`
    pub when: Option<Condition>,
    /// `promote`
    pub promote: bool,
    /// `kind`
    pub kind: Option<Kind>,
    /// `from`
    pub from: Vec<Source>,
    /// `set`
    pub set: Vec<Constant>,
    /// `keep`
    pub keep: Vec<Key>,
    /// `drop`
    pub drop: Vec<Key>,
}

impl Rule {
    /// The attribute keys that it asks for, reads or keeps, of the resource too.
    pub fn reads(&self) -> impl Iterator<Item = &str> {
        let asked = self.resource.iter().chain(&self.attributes).map(|(key, _)| key);
        let read = self.from.iter().flat_map(|source| &source.keys);
        let named = self.when.iter().flat_map(Condition::named).filter_map(|named| match named {
            Named::Attribute(key) | Named::Resource(key) => Some(&**key),
            Named::Field(..) | Named::Member(_) => None,
        });
        asked.chain(&self.has).chain(read).chain(&self.keep).map(Key::text).chain(named)
    }

    /// What only the whole shows.
    pub fn check(&self) -> Result<(), String> {
        let parts = [
            self.resource.len(),
            self.has.len() + self.attributes.len(),
            self.from.len() + self.set.len(),
            self.keep.len() + self.drop.len(),
        ];
        if parts.iter().any(|count| *count > PARTS_MAX) {
            return Err(format!("has more than {PARTS_MAX} keys of one sort; split it"));
        }
        let own = self.scope.is_some() || self.item.is_some() || !self.has.is_empty() || !self.attributes.is_empty();
        if self.promote && !own {
            return Err(
                "promotes whatever its resource sends: a resource never suffices, so add `scope`, `name`, `has` or `attributes` to its \
                        `match`, or write `promote: false` to speak only of what is promoted anyway"
                    .to_owned(),
            );
        }
        if !own && self.resource.is_empty() && self.when.is_none() {
            return Err("matches everything; write what it is for under `match`".to_owned());
        }
        let nothing = !self.promote && self.kind.is_none() && self.from.is_empty() && self.set.is_empty();
        if nothing && self.keep.is_empty() && self.drop.is_empty() {
            return Err("does nothing: it neither promotes, nor states a kind, nor has `from`, `set`, `keep` or `drop`".to_owned());
        }
        if let Some(constant) = self.set.iter().find(|c| self.from.iter().any(|s| s.target == c.target)) {
            return Err(format!("has `{}` both under `from` and under `set`", constant.target.path()));
        }
        let twice = self.keep.iter().find_map(|key| Some((key, self.from.iter().find(|source| source.keys.contains(key))?)));
        if let Some((key, source)) = twice {
            let (key, path) = (key.text(), source.target.path());
            return Err(format!("keeps `{key}` in `attributes`, which it also reads into `{path}`; an attribute has one home"));
        }
        let read = self.from.iter().flat_map(|s| &s.keys).chain(&self.keep);
        if let Some(key) = self.drop.iter().find(|key| read.clone().any(|k| k == *key)) {
            return Err(format!("drops `{}`, which it also reads or keeps", key.text()));
        }
        Ok(())
    }
}

/// Keys with a small number each.
type Slots = HashMap<Box<[u8]>, u16, BuildHasherDefault<KeyHasher>>;

/// All rules, ready for spans.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    all: Vec<Planned>,
    /// Attribute keys that any rule asks for, reads, keeps or drops.
    slots: Slots,
    /// The same of resources.
    resource_slots: Slots,
    /// By slot: which rules read the key, read it as content, keep it, drop it.
    uses: Vec<Uses>,
    /// Rules that cannot be met without this key, and the shape of such keys.
    anchors: HashMap<Box<[u8]>, u64, BuildHasherDefault<KeyHasher>>,
    shapes: Shapes,
    spans: Sort,
    events: Sort,
    logs: Sort,
}

/// Rules of one signal, as sets.
#[derive(Clone, Copy, Debug, Default)]
struct Sort {
    all: u64,
    promoting: u64,
    /// Met by scope (and resource) alone until the whole is looked at; by a name; by a key.
    loose: u64,
    by_name: u64,
    by_key: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    read: u64,
    taken: u64,
    keep: u64,
    drop: u64,
}

/// Lengths and last bytes of keys: two looks turn most others away.
#[derive(Clone, Copy, Debug, Default)]
struct Shapes {
    lengths: u64,
    ends: [u64; 4],
}

/// A rule with the slots of its keys.
#[derive(Debug)]
struct Planned {
    rule: Rule,
    has: Vec<u16>,
    attributes: Vec<u16>,
    resource: Vec<u16>,
    from: Vec<Vec<u16>>,
}

impl Shapes {
    fn add(&mut self, key: &[u8]) {
        self.lengths |= 1 << (key.len() & 63);
        if let Some(last) = key.last()
            && let Some(word) = self.ends.get_mut(usize::from(last >> 6))
        {
            *word |= 1 << (last & 63);
        }
    }

    #[inline]
    fn has(&self, key: &[u8]) -> bool {
        let Some(last) = key.last() else { return false };
        self.lengths >> (key.len() & 63) & 1 != 0 && self.ends.get(usize::from(last >> 6)).is_some_and(|word| word >> (last & 63) & 1 != 0)
    }
}

fn slot(slots: &mut Slots, key: &str) -> u16 {
    let next = u16::try_from(slots.len()).unwrap_or(u16::MAX);
    *slots.entry(key.as_bytes().into()).or_insert(next)
}

impl Rules {
    /// Builds the sets. Rules beyond [`RULES_MAX`] are an error, and so are those that put a person into the clear, alone or with
    /// `promotion.keep_attributes`.
    pub(crate) fn new(rules: &[Rule], keep_attributes: &[String]) -> Result<Rules, String> {
        if rules.len() > RULES_MAX {
            return Err(format!("promotion.rules: more than {RULES_MAX} rules"));
        }
        let mut all = Rules::default();
        for (index, rule) in rules.iter().enumerate() {
            rule.check().map_err(|why| format!("promotion.rules: rule `{}` {why}", rule.name))?;
            all.add(1 << index, rule);
        }
        if let Some(exposed) = exposed(rules, keep_attributes) {
            return Err(format!("promotion: {}", exposed.sentence()));
        }
        if all.slots.len().max(all.resource_slots.len()) > KEYS_MAX {
            return Err(format!("promotion.rules: more than {KEYS_MAX} different attribute keys"));
        }
        Ok(all)
    }

    fn add(&mut self, bit: u64, rule: &Rule) {
        let slots = &mut self.slots;
        let mut of = |keys: &mut dyn Iterator<Item = &Key>| -> Vec<u16> { keys.map(|key| slot(slots, key.text())).collect() };
        let has = of(&mut rule.has.iter());
        let attributes = of(&mut rule.attributes.iter().map(|(key, _)| key));
        let from: Vec<Vec<u16>> = rule.from.iter().map(|source| of(&mut source.keys.iter())).collect();
        let (keep, drop) = (of(&mut rule.keep.iter()), of(&mut rule.drop.iter()));
        for named in rule.when.iter().flat_map(Condition::named) {
            match named {
                Named::Attribute(key) => slot(&mut self.slots, key),
                Named::Resource(key) => slot(&mut self.resource_slots, key),
                Named::Field(..) | Named::Member(_) => 0,
            };
        }
        let resource = rule.resource.iter().map(|(key, _)| slot(&mut self.resource_slots, key.text())).collect();
        self.uses.resize(self.slots.len(), Uses::default());
        let mut mark = |slots: &[u16], set: fn(&mut Uses) -> &mut u64| {
            for slot in slots {
                if let Some(uses) = self.uses.get_mut(usize::from(*slot)) {
                    *set(uses) |= bit;
                }
            }
        };
        for (source, slots) in rule.from.iter().zip(&from) {
            for (key, slot) in source.keys.iter().zip(slots) {
                let taken = source.target.takes_several() || source.hides(key);
                mark(&[*slot], if taken { |uses| &mut uses.taken } else { |uses| &mut uses.read });
            }
        }
        mark(&keep, |uses| &mut uses.keep);
        mark(&drop, |uses| &mut uses.drop);

        let sort = match rule.signal {
            Signal::Span => &mut self.spans,
            Signal::SpanEvent => &mut self.events,
            Signal::Log => &mut self.logs,
        };
        sort.all |= bit;
        if rule.promote {
            sort.promoting |= bit;
        }
        let key = rule.has.first().or(rule.attributes.first().map(|(key, _)| key));
        match (&rule.item, key) {
            (Some(_), _) => sort.by_name |= bit,
            (None, Some(key)) => {
                sort.by_key |= bit;
                *self.anchors.entry(key.text().as_bytes().into()).or_default() |= bit;
                self.shapes.add(key.text().as_bytes());
            }
            (None, None) => sort.loose |= bit,
        }
        self.all.push(Planned { rule: rule.clone(), has, attributes, resource, from });
    }

    /// The rules of a set, in order.
    fn of(&self, bits: u64) -> impl Iterator<Item = (u64, &Planned)> {
        self.all.iter().enumerate().map(|(index, planned)| (1_u64 << index, planned)).filter(move |(bit, _)| bits & bit != 0)
    }

    /// Whether a rule speaks of an attribute key.
    pub(crate) fn speak_of(&self, key: &[u8]) -> bool {
        self.slots.contains_key(key)
    }

    fn uses(&self, key: &[u8]) -> Option<&Uses> {
        self.uses.get(usize::from(*self.slots.get(key)?))
    }
}
