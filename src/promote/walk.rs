//! One pass over a request: which of its spans or logs become records, and where it stops because they are enough for a part.

use std::ops::ControlFlow;

use super::aside::Aside;
use super::draft::Draft;
use super::origin::{Below, Origin};
use super::records::{self, Around};
use super::rules::{Matched, Within};
use super::{Context, Parts, Promoter, Tally, Unpromoted, detect};
use crate::otlp::view::{ResourceGroup, Scope, ScopeGroup, resource_groups};
use crate::otlp::wire::Malformed;
use crate::record::apart::Extent;
use crate::record::{Batch, PendingRecord};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    Spans,
    Logs,
}

/// A request on its way into a batch.
pub(super) struct Walk<'w, 'a> {
    promoter: &'a Promoter,
    context: Context<'a>,
    items: Items,
    parts: Option<Parts>,
    batch: &'w mut Batch,
    aside: &'w Aside<'a>,
    /// Before anything of this request was in the batch.
    start: Mark,
    /// The same space for every item.
    draft: Draft<'a>,
    /// Spans or logs that were come to.
    passed: usize,
    tally: Tally,
}

/// How far a batch was filled.
#[derive(Clone, Copy)]
struct Mark {
    lines: usize,
    records: usize,
    apart: Extent,
    /// Memory of lines and of what is kept apart from them.
    taken: usize,
}

impl<'w, 'a> Walk<'w, 'a> {
    pub(super) fn new(promoter: &'a Promoter, context: Context<'a>, items: Items, batch: &'w mut Batch, aside: &'w Aside<'a>) -> Self {
        let start = Mark::of(batch, aside);
        let parts = context.room.parts();
        Walk { promoter, context, items, parts, batch, aside, start, draft: Draft::default(), passed: 0, tally: Tally::default() }
    }

    /// Appends what the request becomes to the batch; after an error the batch is as it was.
    pub(super) fn over(mut self, request: &'a [u8]) -> Result<Tally, Unpromoted> {
        if let Err(unpromoted) = self.groups(request) {
            self.forget(self.start);
            return Err(unpromoted);
        }
        if self.tally.rest.is_some() && self.context.from == 0 {
            // Before a part of it is sealed: what would be refused further on becomes nothing.
            if let Err(malformed) = self.expect_groups(request) {
                self.forget(self.start);
                return Err(malformed.into());
            }
        }
        self.tally.counts.promoted = u64::try_from(self.batch.records.len() - self.start.records).unwrap_or(u64::MAX);
        Ok(self.tally)
    }

    /// Reads all of a whole request but its items, as the parts to come will. A span or log that is malformed is rejected by itself, when it is come
    /// to.
    ///
    /// KNOWN GAP: a malformed resource or scope above nothing that is AI is not looked at in a request that is sealed whole, and is refused here.
    fn expect_groups(&self, request: &'a [u8]) -> Result<(), Malformed> {
        for group in resource_groups(request) {
            let group = ResourceGroup::read(group?)?;
            self.promoter.rules.within(&group, self.items == Items::Logs)?;
            Origin::read(self.promoter, &group)?;
            for scope in group.scopes() {
                let scope = ScopeGroup::read(scope?)?;
                Below::read(self.promoter, &scope)?;
                scope.items().try_for_each(|item| item.map(|_| ()))?;
            }
        }
        Ok(())
    }

    /// Breaks where the tally says that there is more ([`Tally::rest`]); so do those below.
    fn groups(&mut self, request: &'a [u8]) -> Result<ControlFlow<()>, Unpromoted> {
        for group in resource_groups(request) {
            let group = ResourceGroup::read(group?)?;
            let within = self.promoter.rules.within(&group, self.items == Items::Logs)?;
            let mut origin = None;
            for scope in group.scopes() {
                let scope = ScopeGroup::read(scope?)?;
                if self.scope(request.len(), (&group, within.as_ref(), &mut origin), &scope)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The items of a scope. Resource and scope are read when the first record needs them.
    fn scope(
        &mut self,
        request: usize,
        (group, within, origin): (&ResourceGroup<'a>, Option<&Within<'a>>, &mut Option<Origin<'a>>),
        scope: &ScopeGroup<'a>,
    ) -> Result<ControlFlow<()>, Unpromoted> {
        let none_matched = Matched::default();
        let named = scope.scope()?;
        let mut below = None;
        let possible = within.map_or(0, |within| within.below(named.name));
        for item in scope.items() {
            let item = item?;
            self.passed += 1;
            if self.passed <= self.context.from {
                continue;
            }
            *self.counted() += 1;
            let (is_ai, matched) = match self.told_apart(item, named, within.map(|within| (within, possible))) {
                Ok(told) => told,
                Err(malformed) => {
                    self.tally.reject(malformed);
                    continue;
                }
            };
            if !is_ai {
                self.tally.counts.skipped += 1;
                let [no_ai_meaning] = &mut self.tally.skipped;
                *no_ai_meaning += 1;
                continue;
            }
            let origin = match origin {
                Some(origin) => origin,
                None => origin.insert(Origin::read(self.promoter, group)?),
            };
            let below = match &mut below {
                Some(below) => below,
                None => below.insert(Below::read(self.promoter, scope)?),
            };
            let around = Around {
                promoter: self.promoter,
                origin,
                below,
                aside: self.aside,
                context: self.context,
                matched: matched.as_ref().unwrap_or(&none_matched),
                taken_before: self.start.taken,
            };
            if self.promote(&around, request, item)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether an item is AI telemetry, by a dialect or by an own rule, and the rules that it meets where any can be met.
    fn told_apart(
        &mut self,
        item: &'a [u8],
        scope: Scope<'a>,
        within: Option<(&Within<'a>, u64)>,
    ) -> Result<(bool, Option<Matched<'a>>), Malformed> {
        let enabled = self.promoter.enabled;
        let is_ai = match self.items {
            Items::Spans => detect::is_ai_span(item, scope.name, enabled),
            Items::Logs => detect::is_ai_log(item, scope.name, enabled),
        }?;
        match within {
            Some((within, possible)) if possible != 0 => {
                let matched = matched_of(within, item, scope, (self.items, possible, is_ai))?;
                self.tally.undecided += matched.undecided;
                Ok((is_ai || matched.promotes, Some(matched)))
            }
            _ => Ok((is_ai, None)),
        }
    }

    /// Appends the records of one item.
    fn promote(&mut self, around: &Around<'_, 'a>, request: usize, item: &'a [u8]) -> Result<ControlFlow<()>, Unpromoted> {
        let before = Mark::of(self.batch, self.aside);
        let made = match self.items {
            Items::Spans => records::span(around, &mut self.draft, item, self.batch),
            Items::Logs => records::log(around, &mut self.draft, item, self.batch),
        };
        let made = match made {
            Ok(_) if self.aside.is_too_long(before.apart) => Err(Malformed("a content in it is longer than the vault takes (160 MiB)")),
            made => made,
        };
        match made {
            Ok(_) if self.aside.is_predictable() => Err(Unpromoted::NoRandomness),
            Ok(made) if made.cut_off || !self.context.room.has(self.taken()) => self.too_much(before, around.matched),
            Ok(made) => {
                self.tally.counts.dropped_attributes += made.dropped_attributes;
                self.tally.misshapen_ids += u64::from(made.misshapen_id);
                self.tally.undecided += made.undecided;
                if before.records == 0 {
                    expect_more(self.batch, request, item.len());
                }
                if self.parts.is_some_and(|parts| self.taken() >= parts.enough) {
                    self.tally.rest = Some(self.passed);
                    return Ok(ControlFlow::Break(()));
                }
                Ok(ControlFlow::Continue(()))
            }
            Err(malformed) => {
                self.forget(before);
                self.tally.reject(malformed);
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    /// An item became more than there is room for: it is come back to, or can never be taken.
    fn too_much(&mut self, before: Mark, matched: &Matched<'_>) -> Result<ControlFlow<()>, Unpromoted> {
        let Some(parts) = self.parts else { return Err(Unpromoted::NoRoom) };
        let needed = self.taken();
        self.forget(before);
        if self.batch.records.len() > self.start.records {
            // Counted when it is come back to, after what there is so far is sealed.
            *self.counted() -= 1;
            self.tally.undecided -= matched.undecided;
            self.tally.rest = Some(self.passed - 1);
            return Ok(ControlFlow::Break(()));
        }
        if needed <= parts.most {
            return Err(Unpromoted::NoRoom);
        }
        self.tally.reject(Malformed("it, or all of the request, becomes more than there is room for (`seal.pool_bytes`)"));
        Ok(ControlFlow::Continue(()))
    }

    fn counted(&mut self) -> &mut u64 {
        match self.items {
            Items::Spans => &mut self.tally.counts.spans,
            Items::Logs => &mut self.tally.counts.logs,
        }
    }

    /// Memory of what this request has become.
    fn taken(&self) -> usize {
        Mark::of(self.batch, self.aside).taken - self.start.taken
    }

    /// Takes back what came since.
    fn forget(&mut self, mark: Mark) {
        self.batch.lines.truncate(mark.lines);
        self.batch.records.truncate(mark.records);
        self.aside.cut_back(mark.apart);
    }
}

impl Mark {
    fn of(batch: &Batch, aside: &Aside<'_>) -> Mark {
        let lines = batch.lines.len();
        Mark { lines, records: batch.records.len(), apart: aside.extent(), taken: lines + aside.memory() }
    }
}

/// Makes room for the records that a request may still become, told by what its first became: lines that grow step by step are copied at
/// every step.
fn expect_more(batch: &mut Batch, request: usize, item: usize) {
    /// Requests of SDKs and Collectors become about as much as they are; what a stranger's first span promises is not believed.
    const LINES_MAX: usize = 4 * 1024 * 1024;
    let items = request / item.max(1);
    let lines = batch.lines.len().saturating_mul(items).min(LINES_MAX).min(request.saturating_mul(4));
    batch.lines.reserve(lines);
    batch.records.reserve(items.min(LINES_MAX / size_of::<PendingRecord>()));
}

/// The rules that an item meets; of one that no dialect knows only where one of them may promote it.
fn matched_of<'a>(
    within: &Within<'a>,
    item: &'a [u8],
    scope: Scope<'a>,
    (items, possible, is_ai): (Items, u64, bool),
) -> Result<Matched<'a>, Malformed> {
    let logs = items == Items::Logs;
    if !is_ai && !within.may_promote(item, possible, logs)? {
        return Ok(Matched::default());
    }
    if logs { within.log(item, scope, possible) } else { within.span(item, scope, possible) }
}
