//! Which rules a span or log meets: what is shared by many is asked once, what is cheap first, a condition last.

use super::condition::{LIST_MAX, TEXT_MAX};
use super::{Given, Named, Planned, Rules, Slots, Sort};
use crate::otlp::view::{Event, KeyValue, LogRecord, ResourceGroup, Scope, Span, Value, elements};
use crate::otlp::wire::{Field, Fields, Malformed, Payload};
use crate::promote::detect;
use crate::promote::records;

/// The values of the keys that rules speak of, by slot; of a repeated key the first.
type Values<'a> = Vec<Option<Value<'a>>>;

/// The rules that a resource leaves possible.
#[derive(Debug)]
pub(crate) struct Within<'a> {
    pub(super) rules: &'a Rules,
    pub(super) resource: Values<'a>,
    pub(super) possible: u64,
}

/// The rules that one span or log meets.
#[derive(Debug, Default)]
pub(crate) struct Matched<'a> {
    /// Rules of the span or log itself.
    pub(crate) own: u64,
    /// Rules of its events, by their indexes.
    pub(crate) events: Vec<(usize, u64)>,
    /// Values of the span's or log's own attributes.
    pub(crate) values: Values<'a>,
    /// Whether one of them promotes.
    pub(crate) promotes: bool,
    /// Conditions that could not be decided.
    pub(crate) undecided: u64,
}

impl Matched<'_> {
    /// The rules of an event.
    pub(crate) fn of_event(&self, index: usize) -> u64 {
        // They stand in the order of the events.
        let at = self.events.binary_search_by_key(&index, |(i, _)| *i).ok();
        at.and_then(|at| self.events.get(at)).map_or(0, |(_, bits)| *bits)
    }
}

/// What conditions and plain parts are asked of.
pub(super) struct Scene<'s, 'a> {
    pub(super) within: &'s Within<'a>,
    pub(super) scope: Scope<'a>,
    pub(super) values: &'s [Option<Value<'a>>],
    /// Name of the span, span event or log event, as `match.name` means it.
    pub(super) item: &'a [u8],
    pub(super) span: Option<&'s Span<'a>>,
    pub(super) event: &'a [u8],
}

impl Rules {
    /// Reads a resource for the rules of these signals. `None`: no rule can be met below it.
    pub(crate) fn within<'a>(&'a self, group: &ResourceGroup<'a>, logs: bool) -> Result<Option<Within<'a>>, Malformed> {
        let mut possible = if logs { self.logs.all } else { self.spans.all | self.events.all };
        if possible == 0 {
            return Ok(None);
        }
        let mut resource = Vec::new();
        if !self.resource_slots.is_empty() {
            resource = gather(&self.resource_slots, group.attributes())?;
            for (bit, planned) in self.of(possible) {
                if !holds(&planned.rule.resource, &planned.resource, &resource) {
                    possible &= !bit;
                }
            }
        }
        Ok((possible != 0).then_some(Within { rules: self, resource, possible }))
    }
}

impl<'a> Within<'a> {
    /// The rules that a scope leaves possible.
    pub(crate) fn below(&self, scope: &[u8]) -> u64 {
        let mut possible = self.possible;
        for (bit, planned) in self.rules.of(possible) {
            if planned.rule.scope.as_ref().is_some_and(|pattern| !pattern.matches(scope)) {
                possible &= !bit;
            }
        }
        possible
    }

    /// Whether a span or log that no dialect knows may meet a rule that promotes, by its names and keys alone.
    pub(crate) fn may_promote(&self, item: &[u8], possible: u64, logs: bool) -> Result<bool, Malformed> {
        let rules = self.rules;
        let (own, events) = if logs { (&rules.logs, None) } else { (&rules.spans, Some(&rules.events)) };
        let own_set = possible & own.promoting;
        let event_set = events.map_or(0, |sort| possible & sort.promoting);
        if own_set | event_set == 0 {
            return Ok(false);
        }
        if own_set & own.loose != 0 {
            return Ok(true);
        }
        // A log's event name may stand in three places: its rules are rare, so the whole looks at it.
        if logs && own_set & own.by_name != 0 {
            return Ok(true);
        }
        let (name_field, key_field) = if logs { (u32::MAX, 6) } else { (5, 9) };
        for field in Fields::new(item) {
            let Field { number, value: Payload::Bytes(bytes) } = field? else { continue };
            let met = if number == key_field {
                own_set & own.by_key != 0 && self.anchored(detect::quick_key(bytes)?) & own_set != 0
            } else if number == name_field {
                self.named(own_set & own.by_name, bytes)
            } else if number == 11 && event_set != 0 {
                self.may_promote_event(bytes, event_set)?
            } else {
                false
            };
            if met {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn may_promote_event(&self, bytes: &[u8], set: u64) -> Result<bool, Malformed> {
        let sort: &Sort = &self.rules.events;
        if set & sort.loose != 0 {
            return Ok(true);
        }
        let event = Event::read(bytes)?;
        if self.named(set & sort.by_name, event.name) {
            return Ok(true);
        }
        for pair in event.attributes() {
            if self.anchored(pair?.key) & set != 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[inline]
    fn anchored(&self, key: &[u8]) -> u64 {
        if self.rules.shapes.has(key) { self.rules.anchors.get(key).copied().unwrap_or(0) } else { 0 }
    }

    fn named(&self, set: u64, name: &[u8]) -> bool {
        set != 0 && self.rules.of(set).any(|(_, planned)| planned.rule.item.as_ref().is_some_and(|pattern| pattern.matches(name)))
    }

    /// The rules that a span and its events meet.
    pub(crate) fn span(&self, bytes: &'a [u8], scope: Scope<'a>, possible: u64) -> Result<Matched<'a>, Malformed> {
        let rules = self.rules;
        let span = Span::read(bytes)?;
        let values = gather(&rules.slots, span.attributes())?;
        let mut matched = Matched::default();
        let scene = Scene { within: self, scope, values: &values, item: span.name, span: Some(&span), event: b"" };
        matched.own = scene.met(possible & rules.spans.all, &mut matched.undecided);
        let of_events = possible & rules.events.all;
        for (index, event) in span.events().enumerate().take_while(|_| of_events != 0) {
            let event = event?;
            if !rules.of(of_events).any(|(_, planned)| planned.rule.item.as_ref().is_none_or(|name| name.matches(event.name))) {
                continue;
            }
            let values = gather(&rules.slots, event.attributes())?;
            let scene = Scene { within: self, scope, values: &values, item: event.name, span: Some(&span), event: event.name };
            let met = scene.met(of_events, &mut matched.undecided);
            if met != 0 {
                matched.events.push((index, met));
            }
        }
        matched.values = values;
        let events = matched.events.iter().fold(0, |all, (_, bits)| all | bits);
        matched.promotes = matched.own & rules.spans.promoting != 0 || events & rules.events.promoting != 0;
        Ok(matched)
    }

    /// The rules that a log meets.
    pub(crate) fn log(&self, bytes: &'a [u8], scope: Scope<'a>, possible: u64) -> Result<Matched<'a>, Malformed> {
        let log = LogRecord::read(bytes)?;
        let name = records::event_name(&log, &Value::read(&log.body)?)?;
        let values = gather(&self.rules.slots, log.attributes())?;
        let mut matched = Matched::default();
        let scene = Scene { within: self, scope, values: &values, item: name, span: None, event: name };
        matched.own = scene.met(possible & self.rules.logs.all, &mut matched.undecided);
        matched.promotes = matched.own & self.rules.logs.promoting != 0;
        matched.values = values;
        Ok(matched)
    }
}

/// Values of the keys that have a slot.
pub(super) fn gather<'a>(slots: &Slots, pairs: impl Iterator<Item = Result<KeyValue<'a>, Malformed>>) -> Result<Values<'a>, Malformed> {
    let mut values: Values<'a> = Vec::new();
    values.resize_with(slots.len(), || None);
    for pair in pairs {
        let pair = pair?;
        if let Some(place) = slots.get(pair.key).and_then(|slot| values.get_mut(usize::from(*slot)))
            && place.is_none()
        {
            *place = Some(pair.value()?);
        }
    }
    Ok(values)
}

/// The value of a slot.
pub(super) fn at<'v, 'a>(values: &'v [Option<Value<'a>>], slot: u16) -> Option<&'v Value<'a>> {
    values.get(usize::from(slot))?.as_ref()
}

fn holds(expected: &[(super::Key, super::Expected)], slots: &[u16], values: &[Option<Value<'_>>]) -> bool {
    expected.iter().zip(slots).all(|((_, expected), slot)| at(values, *slot).is_some_and(|value| expected.holds(value)))
}

impl<'a> Scene<'_, 'a> {
    fn met(&self, set: u64, undecided: &mut u64) -> u64 {
        let mut met = 0;
        for (bit, planned) in self.within.rules.of(set) {
            if self.meets(planned, undecided) {
                met |= bit;
            }
        }
        met
    }

    fn meets(&self, planned: &Planned, undecided: &mut u64) -> bool {
        let rule = &planned.rule;
        let plain = rule.item.as_ref().is_none_or(|pattern| pattern.matches(self.item))
            && planned.has.iter().all(|slot| at(self.values, *slot).is_some())
            && holds(&rule.attributes, &planned.attributes, self.values);
        match &rule.when {
            Some(condition) if plain => condition.holds(&|named| self.given(named)).unwrap_or_else(|_| {
                *undecided += 1;
                false
            }),
            _ => plain,
        }
    }

    pub(super) fn given<'g>(&'g self, named: &Named) -> Option<Given<'g>> {
        let rules = self.within.rules;
        let text = |bytes: &'a [u8]| Some(text(bytes));
        match named {
            Named::Attribute(key) => given(at(self.values, *rules.slots.get(key.as_bytes())?)?),
            Named::Resource(key) => given(at(&self.within.resource, *rules.resource_slots.get(key.as_bytes())?)?),
            Named::Field("span", "name") => text(self.span.map_or(b"", |span| span.name)),
            Named::Field("span", "kind") => text(self.span.and_then(|span| records::span_kind(span.kind)).unwrap_or_default().as_bytes()),
            Named::Field("span", "status") => {
                let code = self.span.and_then(|span| span.status().ok()).map_or(0, |(code, _)| code);
                text(records::status(code).unwrap_or_default().as_bytes())
            }
            Named::Field("event", _) => text(self.event),
            Named::Field("scope", "name") => text(self.scope.name),
            Named::Field("scope", _) => text(self.scope.version),
            Named::Field(..) | Named::Member(_) => None,
        }
    }
}

/// A text for a condition. One that is too long to be looked at is not repaired first: each condition of each rule would do so again.
fn text(bytes: &[u8]) -> Given<'_> {
    if bytes.len() > TEXT_MAX { Given::TooLong } else { Given::Text(String::from_utf8_lossy(bytes)) }
}

/// A value for a condition: scalars, and lists of them.
fn given<'g>(value: &Value<'g>) -> Option<Given<'g>> {
    Some(match value {
        Value::Text(bytes) => text(bytes),
        Value::Bool(flag) => Given::Bool(*flag),
        Value::Int(number) => Given::Int(*number),
        Value::Double(number) => Given::Num(*number),
        Value::Array(array) => {
            let scalars = elements(array).filter_map(|element| match element {
                Ok(Value::Array(_) | Value::KeyValues(_)) | Err(_) => None,
                Ok(scalar) => given(&scalar),
            });
            // One more than is looked at tells that there are too many; the rest would only take memory.
            Given::List(scalars.take(LIST_MAX + 1).collect())
        }
        Value::Empty | Value::KeyValues(_) | Value::Bytes(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::wire::Message;
    use crate::promote::testing::Any;

    /// A condition looks at no longer text than it may, and nobody repairs megabytes for it before.
    #[test]
    fn a_text_too_long_for_a_condition_is_not_even_read() {
        let of = |length: usize| {
            let text = vec![0xff; length];
            given(&Value::Text(&text)).map(|given| matches!(given, Given::Text(_)))
        };
        assert_eq!(of(64 * 1024), Some(true));
        // It is there all the same: what asks whether it is cannot be decided by its length.
        assert_eq!(of(64 * 1024 + 1), Some(false));
    }

    /// A list of millions of numbers is a few megabytes on the wire and hundreds of them as values: what no condition looks at is not read.
    #[test]
    fn a_list_too_long_for_a_condition_is_read_no_further_than_that() {
        let numbers = |count: i64| {
            let any = Any::array(&(0..count).map(Any::int).collect::<Vec<_>>());
            match given(&Value::read(&Message::new(&any.0)).unwrap()) {
                Some(Given::List(items)) => items.len(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((numbers(3), numbers(1024), numbers(5000)), (3, 1024, 1025));
    }
}
