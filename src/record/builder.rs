//! A record under construction: the few members it has, each with its value, written as one canonical line without a tree between.
//!
//! Members are sorted by their position in the registry, which is canonical order; objects are opened and closed as paths change.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use super::canonical::{write_number, write_string};
use super::content::{Content, commitments};
use super::registry::{self as member, Member};
use super::sameness::Sameness;
use crate::clock::{UnixNanos, UnixSeconds};

/// Longest line (`record.md` section 1). What is longer is trimmed and named in `evidence.truncated`.
pub const LINE_MAX: usize = 1 << 20;

/// Longest string that trimming leaves.
const TRIMMED_TEXT: usize = 1024;

/// The value of a member, in the type that the registry says.
#[derive(Clone, PartialEq)]
pub enum Val<'a> {
    /// `s`, `P`, `R`
    Str(Cow<'a, str>),
    /// An id of up to 16 bytes, written as lower-case hex: two or three stand in every record.
    Hex([u8; 16], u8),
    /// `i`
    Int(i64),
    /// `n`, finite.
    Num(f64),
    /// `b`
    Bool(bool),
    /// `t`
    Time(UnixNanos),
    /// `[]` of strings.
    Texts(Vec<Cow<'a, str>>),
    /// A list of objects, each canonical.
    Items(Vec<Vec<u8>>),
    /// An object, canonical.
    Raw(Vec<u8>),
    /// `C`
    Content(Box<Content>),
}

impl Val<'_> {
    /// An id as hex.
    pub fn hex(bytes: &[u8]) -> Self {
        let mut id = [0; 16];
        let length = bytes.len().min(id.len());
        for (slot, byte) in id.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        Val::Hex(id, u8::try_from(length).unwrap_or(16))
    }
}

impl fmt::Debug for Val<'_> {
    /// Shows the type only: values are the senders' business, not the log's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Val::Str(_) => "Str",
            Val::Hex(..) => "Hex",
            Val::Int(_) => "Int",
            Val::Num(_) => "Num",
            Val::Bool(_) => "Bool",
            Val::Time(_) => "Time",
            Val::Texts(_) => "Texts",
            Val::Items(_) => "Items",
            Val::Raw(_) => "Raw",
            Val::Content(_) => "Content",
        })
    }
}

/// Parts of a line that do not count when two records are compared (`record.md` section 5, rule 9).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Volatile {
    No,
    Received,
    Peer,
    Retention,
    Evidence,
}

fn volatile(member: Member) -> Volatile {
    match member {
        member::TIME_RECEIVED => Volatile::Received,
        member::SOURCE_PEER_ID | member::SOURCE_PEER_METHOD => Volatile::Peer,
        member::RETENTION_CLASS | member::RETENTION_CLAIMED | member::RETENTION_POLICIES => Volatile::Retention,
        m if (member::EVIDENCE_CONFLICTS..=member::EVIDENCE_WRITER).contains(&m) => Volatile::Evidence,
        _ => Volatile::No,
    }
}

impl Volatile {
    /// The object that such a part is cut out of, and that stays.
    fn anchor(self) -> &'static str {
        match self {
            Volatile::No | Volatile::Retention | Volatile::Evidence => "",
            Volatile::Received => "time",
            Volatile::Peer => "source",
        }
    }
}

/// What the writer needs of a member, worked out once: a line has some fifty of them.
struct Shape {
    /// The object that holds it, and a number that is equal where this is.
    parent: &'static str,
    group: usize,
    /// `"name":`
    name: Box<[u8]>,
    volatile: Volatile,
}

/// The group of the top of a line is 0.
const NO_GROUP: usize = usize::MAX;

static SHAPES: LazyLock<Box<[Shape]>> = LazyLock::new(|| {
    let mut parents = vec![""];
    let shape = |member: Member| {
        let (parent, name) = member.split();
        let group = parents.iter().position(|p| *p == parent).unwrap_or_else(|| {
            parents.push(parent);
            parents.len() - 1
        });
        let mut quoted = Vec::new();
        write_name(&mut quoted, name);
        Shape { parent, group, name: quoted.into(), volatile: volatile(member) }
    };
    Member::all().map(shape).collect()
});

/// What stands between a member of one group and the next of another.
struct Step {
    braces: usize,
    names: Box<[u8]>,
}

/// All of them, and how many groups there are: a square of the groups, by the one left and the one entered.
type Steps = (usize, Box<[Step]>);

static STEPS: LazyLock<Steps> = LazyLock::new(|| {
    let groups = SHAPES.iter().map(|s| s.group).max().unwrap_or(0) + 1;
    let parent = |group: usize| SHAPES.iter().find(|s| s.group == group).map_or("", |s| s.parent);
    let step = |from: usize, to: usize| {
        let mut braces = Vec::new();
        let common = close(&mut braces, parent(from), parent(to));
        // As behind an opened object: the first comma is the place's, not the step's.
        let mut names = vec![b'{'];
        open_objects(&mut names, parent(to).get(common..).unwrap_or_default());
        Step { braces: braces.len(), names: names.split_off(1).into() }
    };
    (groups, (0..groups * groups).map(|at| step(at / groups, at % groups)).collect())
});

/// Goes from one group to the next: closes what is left, opens what is entered.
fn step(out: &mut Vec<u8>, steps: &Steps, open: &str, from: usize, to: &Shape) {
    let (groups, steps) = steps;
    // Behind a part that does not count the place is no group's own.
    let known = (from < *groups).then(|| steps.get(from * groups + to.group)).flatten();
    let Some(step) = known else {
        let common = close(out, open, to.parent);
        return open_objects(out, to.parent.get(common..).unwrap_or_default());
    };
    out.resize(out.len() + step.braces, b'}');
    if !step.names.is_empty() {
        comma(out);
        out.extend_from_slice(&step.names);
    }
}

/// Iterates over the members that have a value.
#[derive(Clone)]
pub struct Members<'r, 'a> {
    record: &'r Record<'a>,
    /// Bits that are still to come; the first word's position.
    words: [u64; 4],
    base: usize,
}

impl<'r, 'a> Iterator for Members<'r, 'a> {
    type Item = (Member, &'r Val<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let word = self.words.get_mut(self.base)?;
            if *word == 0 {
                self.base += 1;
                continue;
            }
            let at = self.base * 64 + usize::try_from(word.trailing_zeros()).unwrap_or(0);
            *word &= *word - 1;
            let position = self.record.positions.get(at)?;
            let member = Member(u16::try_from(at).unwrap_or(u16::MAX));
            return self.record.values.get(usize::from(*position)).map(|value| (member, value));
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where the line lies.
    pub line: Range<usize>,
    /// See [`super::PendingRecord::sameness`].
    pub sameness: [u8; 16],
}

/// The members of one record. Reused from record to record, so that its memory is.
#[derive(Clone, Debug, Default)]
pub struct Record<'a> {
    /// In the order in which they were set.
    values: Vec<Val<'a>>,
    /// Which members have a value, one bit each: asked for every attribute.
    present: [u64; 4],
    /// Where a member that has one lies in `values`.
    positions: Vec<u16>,
}

impl<'a> Record<'a> {
    /// Forgets all members and keeps the memory.
    pub fn clear(&mut self) {
        self.values.clear();
        self.present = [0; 4];
    }

    /// Sets a member; the last value counts.
    #[inline]
    pub fn set(&mut self, member: Member, value: Val<'a>) {
        match self.get_mut(member) {
            Some(slot) => *slot = value,
            None => self.append(member, value),
        }
    }

    /// Sets a member that is not there yet.
    #[inline]
    pub fn push(&mut self, member: Member, value: Val<'a>) {
        debug_assert!(!self.has(member), "{}", member.path());
        self.set(member, value);
    }

    /// Sets a member unless it has a value.
    pub fn push_once(&mut self, member: Member, value: Val<'a>) {
        if !self.has(member) {
            self.append(member, value);
        }
    }

    /// Inlined: a value that is handed on by reference is written in parts and read as a whole, and the processor waits for that.
    #[inline(always)]
    fn append(&mut self, member: Member, value: Val<'a>) {
        if self.positions.is_empty() {
            self.make_room();
        }
        let (word, bit) = place(member);
        // The registry is tested to fit into the bits, so both are there.
        if let (Some(word), Some(position)) = (self.present.get_mut(word), self.positions.get_mut(usize::from(member.0))) {
            *word |= bit;
            *position = u16::try_from(self.values.len()).unwrap_or(u16::MAX);
            self.values.push(value);
        }
    }

    #[cold]
    fn make_room(&mut self) {
        let members = self.present.len() * 64;
        self.positions.resize(members, 0);
        self.values.reserve(members);
    }

    #[inline]
    fn position(&self, member: Member) -> Option<usize> {
        self.has(member).then(|| self.positions.get(usize::from(member.0)).map(|p| usize::from(*p))).flatten()
    }

    /// A member's value.
    pub fn get(&self, member: Member) -> Option<&Val<'a>> {
        self.values.get(self.position(member)?)
    }

    /// A member's value, to change.
    pub fn get_mut(&mut self, member: Member) -> Option<&mut Val<'a>> {
        let at = self.position(member)?;
        self.values.get_mut(at)
    }

    /// Whether a member has a value.
    #[inline]
    pub fn has(&self, member: Member) -> bool {
        let (word, bit) = place(member);
        self.present.get(word).is_some_and(|w| w & bit != 0)
    }

    /// Whether any member between these two (inclusive) has a value: a group's first and last.
    pub fn has_any(&self, from: Member, to: Member) -> bool {
        (from.0..=to.0).any(|m| self.has(Member(m)))
    }

    /// All members in canonical order: the bits are in that order, so nothing is sorted.
    pub fn members<'r>(&'r self) -> Members<'r, 'a> {
        Members { record: self, words: self.present, base: 0 }
    }

    /// Appends the canonical line, trimmed to [`LINE_MAX`].
    pub fn write(&mut self, out: &mut Vec<u8>, key_id: &str) -> Written {
        let start = out.len();
        // A line is longer than its values: what is too long already is cut before anything is written.
        while self.values.iter().map(size).sum::<usize>() > LINE_MAX && self.trim() {}
        loop {
            let ranges = self.write_once(out, key_id);
            if out.len() - start <= LINE_MAX || !self.trim() {
                return Written { line: start..out.len(), sameness: sameness(out, start, &ranges) };
            }
            out.truncate(start);
        }
    }

    fn write_once(&self, out: &mut Vec<u8>, key_id: &str) -> Vec<Range<usize>> {
        let (shapes, steps): (&[Shape], &Steps) = (&SHAPES, &STEPS);
        let mut skipped: Vec<Range<usize>> = Vec::with_capacity(4);
        let mut current = Volatile::No;
        let mut since = 0;
        let mut open: &'static str = "";
        let mut group = 0;
        out.push(b'{');
        let mut rest = self.members();
        while let Some((member, value)) = rest.next() {
            let Some(shape) = shapes.get(usize::from(member.0)) else { continue };
            if shape.volatile != current {
                // A part ends where its own braces are closed; what it is cut out of stays open, or is opened before it begins.
                if current != Volatile::No {
                    close(out, open, current.anchor());
                    open = current.anchor();
                    skipped.push(since..out.len());
                }
                current = shape.volatile;
                if current != Volatile::No {
                    let common = close(out, open, current.anchor());
                    open_objects(out, current.anchor().get(common..).unwrap_or_default());
                    open = current.anchor();
                    since = out.len();
                }
                group = NO_GROUP;
            }
            if shape.group != group {
                step(out, steps, open, group, shape);
                open = shape.parent;
                group = shape.group;
            }
            comma(out);
            out.extend_from_slice(&shape.name);
            if let Val::Content(content) = value {
                out.push(b'{');
                // `output` is content and a group at once: its own members are woven into those of the content.
                let mut woven = |out: &mut Vec<u8>, next: Option<&str>| {
                    let mut ahead = rest.clone();
                    while let Some((m, value)) = ahead.next()
                        && let Some(name) = m.path().strip_prefix(member.path()).and_then(|p| p.strip_prefix('.'))
                        && next.is_none_or(|next| name < next)
                    {
                        comma(out);
                        write_name(out, name);
                        write_value(out, value, key_id);
                        rest = ahead.clone();
                    }
                };
                skipped.extend(content.write_members(out, key_id, |out, next| woven(out, Some(next))));
                woven(out, None);
                out.push(b'}');
            } else {
                let start = out.len();
                write_value(out, value, key_id);
                // The one list whose objects hold content.
                if member == member::RETRIEVAL_DOCUMENTS {
                    let written = out.get(start..).unwrap_or_default();
                    skipped.extend(commitments(written).map(|at| start + at.start..start + at.end));
                }
            }
        }
        if current != Volatile::No {
            close(out, open, current.anchor());
            open = current.anchor();
            skipped.push(since..out.len());
        }
        close(out, open, "");
        out.push(b'}');
        skipped
    }

    /// Makes the largest value smaller and names it; false where nothing is left to cut.
    fn trim(&mut self) -> bool {
        // Of equal ones the last that was set.
        let sizes = self.members().filter_map(|(m, v)| Some((size(v), self.position(m)?, m)));
        let Some((.., member)) = sizes.max() else { return false };
        let Some(value) = self.get_mut(member) else { return false };
        match value {
            Val::Str(text) if text.len() > TRIMMED_TEXT => *text = Cow::Owned(shorten(text, TRIMMED_TEXT).to_owned()),
            Val::Texts(texts) if texts.len() > 1 => texts.truncate(texts.len() / 2),
            Val::Texts(texts) => match texts.first_mut() {
                Some(text) if text.len() > TRIMMED_TEXT => *text = Cow::Owned(shorten(text, TRIMMED_TEXT).to_owned()),
                _ => return false,
            },
            Val::Items(items) if items.len() > 1 => items.truncate(items.len() / 2),
            // A value that cannot be cut is left out.
            Val::Items(_) | Val::Raw(_) => {
                *value = Val::Bool(false);
                let (word, bit) = place(member);
                if let Some(word) = self.present.get_mut(word) {
                    *word &= !bit;
                }
            }
            Val::Content(content) if content.reference.is_some() || content.media_type.is_some() => {
                content.reference = None;
                content.media_type = None;
            }
            _ => return false,
        }
        match self.get_mut(member::EVIDENCE_TRUNCATED) {
            Some(Val::Texts(texts)) => {
                if let Err(at) = texts.binary_search_by(|t| t.as_ref().cmp(member.path())) {
                    texts.insert(at, Cow::Borrowed(member.path()));
                }
            }
            _ => self.set(member::EVIDENCE_TRUNCATED, Val::Texts(vec![Cow::Borrowed(member.path())])),
        }
        true
    }
}

/// Word and bit of a member.
#[inline]
fn place(member: Member) -> (usize, u64) {
    (usize::from(member.0 / 64), 1 << (member.0 % 64))
}

/// Bytes of a value that trimming can take away.
fn size(value: &Val<'_>) -> usize {
    match value {
        Val::Str(text) => text.len(),
        Val::Texts(texts) => texts.iter().map(|t| t.len() + 3).sum(),
        Val::Items(items) => items.iter().map(|i| i.len() + 1).sum(),
        Val::Raw(raw) => raw.len(),
        Val::Content(content) => content.reference.as_ref().map_or(0, String::len) + content.media_type.as_ref().map_or(0, String::len),
        _ => 0,
    }
}

/// Text cut to at most `max` bytes at a character.
pub fn shorten(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

fn sameness(out: &[u8], start: usize, skipped: &[Range<usize>]) -> [u8; 16] {
    let mut sameness = Sameness::default();
    let mut from = start;
    for range in skipped {
        sameness.update(out.get(from..range.start).unwrap_or_default());
        from = range.end;
        // A part that stood first leaves the comma behind it.
        if out.get(range.start) != Some(&b',') && out.get(from) == Some(&b',') {
            from += 1;
        }
    }
    sameness.update(out.get(from..).unwrap_or_default());
    sameness.finish()
}

/// Closes the objects of `open` that `next` does not share. Answers how many bytes of `next` stay open.
fn close(out: &mut Vec<u8>, open: &str, next: &str) -> usize {
    if open == next {
        return next.len();
    }
    let (a, b) = (open.as_bytes(), next.as_bytes());
    // Both end where the shorter ends, or at the last dot before the first difference.
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let ends = |path: &[u8]| path.get(same).is_none_or(|byte| *byte == b'.');
    let common = if ends(a) && ends(b) { same } else { a.get(..same).and_then(|p| p.iter().rposition(|x| *x == b'.')).unwrap_or(0) };
    let rest = a.get(common..).unwrap_or_default();
    if !rest.is_empty() {
        let objects = usize::from(common == 0) + rest.iter().filter(|x| **x == b'.').count();
        out.resize(out.len() + objects, b'}');
    }
    common
}

fn open_objects(out: &mut Vec<u8>, rest: &str) {
    if rest.is_empty() {
        return;
    }
    for name in rest.strip_prefix('.').unwrap_or(rest).split('.') {
        comma(out);
        write_name(out, name);
        out.push(b'{');
    }
}

/// A comma, unless an object was just opened.
pub(super) fn comma(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

/// Names of members are words: nothing in them needs an escape.
fn write_name(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// A string that needs no escape.
pub(super) fn quoted(out: &mut Vec<u8>, plain: &str) {
    out.push(b'"');
    out.extend_from_slice(plain.as_bytes());
    out.push(b'"');
}

/// Appends one value.
pub(crate) fn write_value(out: &mut Vec<u8>, value: &Val<'_>, key_id: &str) {
    match value {
        Val::Str(text) => write_string(out, text),
        Val::Hex(bytes, length) => {
            let bytes = bytes.get(..usize::from(*length)).unwrap_or(bytes);
            let mut digits = [0; 32];
            let digits = digits.get_mut(..bytes.len() * 2).unwrap_or_default();
            let _ = const_hex::encode_to_slice(bytes, digits);
            out.push(b'"');
            out.extend_from_slice(digits);
            out.push(b'"');
        }
        Val::Int(number) => quoted(out, itoa::Buffer::new().format(*number)),
        Val::Num(number) => write_number(out, *number),
        Val::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Val::Time(at) => write_time(out, *at),
        Val::Texts(texts) => {
            out.push(b'[');
            for (i, text) in texts.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(out, text);
            }
            out.push(b']');
        }
        Val::Items(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(item);
            }
            out.push(b']');
        }
        Val::Raw(raw) => out.extend_from_slice(raw),
        Val::Content(content) => content.write(out, key_id),
    }
}

/// RFC 3339 with nine decimals, as [`UnixNanos::rfc3339`] prints it, without the formatting machinery: three of them stand in a record.
pub fn write_time(out: &mut Vec<u8>, at: UnixNanos) {
    let seconds = at.0 / 1_000_000_000;
    let (year, month, day) = UnixSeconds(i64::try_from(seconds).unwrap_or(i64::MAX)).date();
    let of_day = seconds % 86_400;
    let mut text = *b"\"0000-00-00T00:00:00.000000000Z\"";
    let mut digits = |mut at: usize, count: usize, mut value: u64| {
        at += count;
        for _ in 0..count {
            at -= 1;
            if let (Some(slot), Ok(digit)) = (text.get_mut(at), u8::try_from(value % 10)) {
                *slot = b'0' + digit;
            }
            value /= 10;
        }
    };
    digits(1, 4, year.unsigned_abs());
    digits(6, 2, u64::from(month));
    digits(9, 2, u64::from(day));
    digits(12, 2, of_day / 3600);
    digits(15, 2, of_day / 60 % 60);
    digits(18, 2, of_day % 60);
    digits(21, 9, at.0 % 1_000_000_000);
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests;
