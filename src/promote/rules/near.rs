//! Near misses, for `spanseal lint`: what meets all of a rule but one part. Not on the way of a span: everything is looked at.

use super::matching::{Scene, Within, at, gather};
use super::{Named, Planned, Rules};
use crate::otlp::view::{LogRecord, ResourceGroup, Scope, Span, Value, resource_groups};
use crate::otlp::wire::Malformed;
use crate::promote::Promoter;
use crate::promote::records;

/// A rule that nearly applies to a span or log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearRule {
    /// Its name.
    pub rule: String,
    /// The one part that is not met, in words; names of the configuration and types of values, never a value.
    pub lacks: String,
    /// Whether something is missing or has a type that the rule has no use for. Else it is there and says something else, which may be
    /// what the rule is there to tell apart.
    pub is_unanswered: bool,
}

impl Promoter {
    /// The rules that each span or log of a request nearly meets; none where it cannot be read.
    pub fn near_rules(&self, request: &[u8], logs: bool) -> Vec<NearRule> {
        let mut near = Vec::new();
        if !self.rules.all.is_empty() {
            // What cannot be read is rejected, and its reason told elsewhere.
            for group in resource_groups(request).flatten().flat_map(ResourceGroup::read) {
                self.rules.near(&group, logs, &mut near).unwrap_or_default();
            }
        }
        near
    }
}

impl Rules {
    fn near(&self, group: &ResourceGroup<'_>, logs: bool, near: &mut Vec<NearRule>) -> Result<(), Malformed> {
        let within = Within { rules: self, resource: gather(&self.resource_slots, group.attributes())?, possible: 0 };
        for scope in group.scopes() {
            let group = crate::otlp::view::ScopeGroup::read(scope?)?;
            let scope = group.scope()?;
            for item in group.items() {
                if logs { self.near_log(&within, scope, item?, near)? } else { self.near_span(&within, scope, item?, near)? }
            }
        }
        Ok(())
    }

    fn near_span<'a>(&self, within: &Within<'a>, scope: Scope<'a>, item: &'a [u8], near: &mut Vec<NearRule>) -> Result<(), Malformed> {
        let span = Span::read(item)?;
        let values = gather(&self.slots, span.attributes())?;
        let scene = Scene { within, scope, values: &values, item: span.name, span: Some(&span), event: b"" };
        near.extend(self.of(self.spans.all).filter_map(|(_, planned)| scene.nearly_meets(planned, ("it", "its"))));
        for event in span.events().take_while(|_| self.events.all != 0) {
            let event = event?;
            let values = gather(&self.slots, event.attributes())?;
            let scene = Scene { within, scope, values: &values, item: event.name, span: Some(&span), event: event.name };
            near.extend(self.of(self.events.all).filter_map(|(_, planned)| scene.nearly_meets(planned, ("an event of it", "an event's"))));
        }
        Ok(())
    }

    fn near_log<'a>(&self, within: &Within<'a>, scope: Scope<'a>, item: &'a [u8], near: &mut Vec<NearRule>) -> Result<(), Malformed> {
        let log = LogRecord::read(item)?;
        let name = records::event_name(&log, &Value::read(&log.body)?)?;
        let values = gather(&self.slots, log.attributes())?;
        let scene = Scene { within, scope, values: &values, item: name, span: None, event: name };
        near.extend(self.of(self.logs.all).filter_map(|(_, planned)| scene.nearly_meets(planned, ("it", "its"))));
        Ok(())
    }
}

/// A part of a match that is not met.
struct Miss<'r> {
    lacks: String,
    is_unanswered: bool,
    /// The key that is missing.
    missing: Option<&'r str>,
}

impl<'r> Miss<'r> {
    fn other(lacks: String) -> Miss<'r> {
        Miss { lacks, is_unanswered: false, missing: None }
    }

    fn missing(lacks: String, key: &'r str) -> Miss<'r> {
        Miss { lacks, is_unanswered: true, missing: Some(key) }
    }
}

impl Scene<'_, '_> {
    /// A rule is near where one part alone is not met, and a part that speaks of this very item is: what it shares with all of its service
    /// or library says nothing.
    fn nearly_meets(&self, planned: &Planned, (who, whose): (&str, &str)) -> Option<NearRule> {
        let rule = &planned.rule;
        let mut misses: Vec<Miss<'_>> = Vec::new();
        let mut own = 0_usize;
        if let Some(scope) = rule.scope.as_ref().filter(|scope| !scope.matches(self.scope.name)) {
            misses.push(Miss::other(format!("its scope is not `{}`", scope.text())));
        }
        match &rule.item {
            Some(name) if !name.matches(self.item) => misses.push(Miss::other(format!("{whose} name is not `{}`", name.text()))),
            Some(_) => own += 1,
            None => {}
        }
        for ((key, expected), slot) in rule.resource.iter().zip(&planned.resource) {
            match at(&self.within.resource, *slot) {
                None => misses.push(Miss::missing(format!("its resource has no `{}`", key.text()), key.text())),
                Some(value) if !expected.holds(value) => {
                    misses.push(Miss::other(format!("`{}` of its resource is not `{}`", key.text(), expected.text())));
                }
                Some(_) => {}
            }
        }
        for (key, slot) in rule.has.iter().zip(&planned.has) {
            match at(self.values, *slot) {
                None => misses.push(Miss::missing(format!("{who} has no `{}`", key.text()), key.text())),
                Some(_) => own += 1,
            }
        }
        for ((key, expected), slot) in rule.attributes.iter().zip(&planned.attributes) {
            let (key, wanted) = (key.text(), expected.text());
            match at(self.values, *slot) {
                // Asked for twice, missing once.
                None if misses.iter().any(|miss| miss.missing == Some(key)) => {}
                None => misses.push(Miss::missing(format!("{who} has no `{key}`"), key)),
                Some(value) if !expected.holds(value) => {
                    let lacks = format!("{whose} `{key}`, sent as {}, is not `{wanted}`", type_of(value));
                    misses.push(Miss { lacks, is_unanswered: !expected.can_be(value), missing: None });
                }
                Some(_) => own += 1,
            }
        }
        misses.extend(self.condition(planned, who, &misses));
        match (misses.pop(), misses.is_empty()) {
            (Some(miss), true) if own > 0 => {
                Some(NearRule { rule: rule.name.clone(), lacks: miss.lacks, is_unanswered: miss.is_unanswered })
            }
            _ => None,
        }
    }

    /// What is wrong with the condition, beside what is known to be missing.
    fn condition<'r>(&self, planned: &'r Planned, who: &str, known: &[Miss<'_>]) -> Option<Miss<'r>> {
        let condition = planned.rule.when.as_ref()?;
        if let Ok(holds) = condition.holds(&|named| self.given(named)) {
            return (!holds).then(|| Miss::other(format!("the condition of the rule does not hold for {who}")));
        }
        let rules = self.within.rules;
        let mut found: Vec<String> = Vec::new();
        for named in condition.named() {
            let (key, value, of) = match named {
                Named::Attribute(key) => (key, rules.slots.get(key.as_bytes()).and_then(|slot| at(self.values, *slot)), ""),
                Named::Resource(key) => {
                    let value = rules.resource_slots.get(key.as_bytes()).and_then(|slot| at(&self.within.resource, *slot));
                    (key, value, " of the resource")
                }
                Named::Field(..) | Named::Member(_) => continue,
            };
            match value {
                // The same lack is told once.
                None if known.iter().any(|miss| miss.missing == Some(key)) => return None,
                None => found.push(format!("`{key}`{of} is not there")),
                Some(value) => found.push(format!("`{key}`{of} was sent as {}", type_of(value))),
            }
        }
        let lacks = format!("the condition of the rule cannot be decided for {who}: {}", found.join(", "));
        Some(Miss { lacks, is_unanswered: true, missing: None })
    }
}

/// To follow "sent as".
fn type_of(value: &Value<'_>) -> &'static str {
    match value {
        Value::Empty => "nothing",
        Value::Text(text) if text.len() > super::condition::TEXT_MAX => "a text too long to be looked at",
        Value::Text(_) => "a text",
        Value::Bool(_) => "a truth value",
        Value::Int(_) => "a whole number",
        Value::Double(_) => "a number",
        Value::Array(_) => "a list",
        Value::KeyValues(_) => "a map",
        Value::Bytes(_) => "bytes",
    }
}
