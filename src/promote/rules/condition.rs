//! Conditions in CEL (the Common Expression Language): what the plain keys of a match cannot say.
//!
//! A condition is read, and everything it names is checked, when the configuration is: a variable, function or member that does not exist
//! is a mistake at start, not an expression that never holds. What is left for the moment of a span is a value that is not there or has
//! another type than the expression asks for; then the condition does not hold, and the caller counts it.
//!
//! Bounds, because senders choose the values: no loops (`all`, `exists`, `map`, `filter` are refused), keys are written out, so that an
//! attribute is looked up and never searched for, a text of more than [`TEXT_MAX`] bytes is not looked at, and length and nesting of
//! the expression are bounded before the parser, which recurses, sees it. What an expression makes of values (`a + a`, `[a, a]`,
//! `string(a)`) is at most [`TEXT_MAX`] bytes too: it is added up from the values before anything is put together.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, LiteralValue, operators};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelString};
use cel::common::value::Val;
use cel::parser::Expression;
use cel::{Context, Env, Program};

use super::names::nearest;
use super::parts::nobody;
use crate::record::registry::{Member, Type};

/// Longest expression, bytes.
pub const EXPRESSION_MAX: usize = 1024;
/// Deepest nesting of brackets, and most signs that stand before one operand. The parser takes some 110 KB of stack for a bracket in a debug
/// build: these fit into the 2 MiB of a thread twice.
const NESTING_MAX: usize = 8;
/// Most operators of one expression: a chain of them is as deep as it is long.
const OPERATORS_MAX: usize = 48;
/// Longest text of telemetry that a condition looks at, bytes.
pub(super) const TEXT_MAX: usize = 64 * 1024;
/// Most elements of a list that a condition looks at.
pub(super) const LIST_MAX: usize = 1024;
/// What a list takes for each element beside its bytes.
const ELEMENT_BYTES: usize = 48;

/// What a condition may speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// What arrived: `attributes`, `resource`, `span`, `event`, `scope` (conditions of rules).
    Telemetry,
    /// What the record will hold: `record` (conditions of thresholds), so that whoever has the record can ask again.
    Record,
}

/// Variables with the fields that each has.
const FIELDS: &[(&str, &[&str])] = &[("span", &["name", "kind", "status"]), ("event", &["name"]), ("scope", &["name", "version"])];
/// Variables whose fields are keys of telemetry.
const MAPS: [&str; 2] = ["attributes", "resource"];
/// Functions that copy what they are given.
const COPYING: [&str; 1] = ["string"];
/// Functions of the standard library that conditions may call.
const FUNCTIONS: [&str; 7] = ["size", "contains", "startsWith", "endsWith", "string", "int", "double"];
/// Macros that are loops, for a sentence of their own.
const LOOPS: [&str; 7] = ["all", "exists", "exists_one", "existsOne", "map", "filter", "matches"];

/// What is wrong with an expression, and where: bytes from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Bytes before the place.
    pub offset: usize,
    /// The sentence.
    pub why: String,
}

impl Mistake {
    fn new(offset: usize, why: impl Into<String>) -> Self {
        Mistake { offset, why: why.into() }
    }
}

/// Something that a condition names: a variable and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// `attributes["key"]`
    Attribute(String),
    /// `resource["key"]`
    Resource(String),
    /// `span.name` and the like.
    Field(&'static str, &'static str),
    /// `record.decision.type`
    Member(Member),
}

/// The value of something named.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Given<'v> {
    Text(Cow<'v, str>),
    Bool(bool),
    Int(i64),
    Num(f64),
    List(Vec<Given<'v>>),
    /// A text longer than [`TEXT_MAX`], which is there and is not looked at.
    TooLong,
}

/// Why a condition could not be decided: something it names was not there, too long, or of a type that the expression has no use for.
/// Nothing of the value is in it: values are the senders' business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecided;

/// A condition that was read and checked.
#[derive(Clone)]
pub struct Condition {
    text: String,
    named: Vec<Named>,
    /// How often the expression copies the value of each into something that it makes.
    copies: Vec<usize>,
    program: Arc<Program>,
}

impl Condition {
    /// Reads an expression.
    pub fn parse(text: &str, vocabulary: Vocabulary) -> Result<Condition, Mistake> {
        bounded(text)?;
        let program = ENVIRONMENT.compile(text).map_err(|errors| match errors.errors.first() {
            Some(first) => Mistake::new(offset_of(text, first.pos), sentence(&first.msg)),
            None => Mistake::new(0, "cannot be read"),
        })?;
        let mut reader = Reader { vocabulary, program: &program, named: Vec::new(), copies: Vec::new(), copying: false };
        reader.read(program.expression())?;
        let (named, copies) = (reader.named, reader.copies);
        if named.is_empty() {
            let example = if vocabulary == Vocabulary::Record { "record.kind == \"decision\"" } else { "span.kind == \"server\"" };
            return Err(Mistake::new(0, format!("asks nothing of the telemetry, so it is always the same; write for example {example}")));
        }
        Ok(Condition { text: text.to_owned(), named, copies, program: Arc::new(program) })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it names, each once.
    pub(crate) fn named(&self) -> &[Named] {
        &self.named
    }

    /// Whether it holds for what `value` gives.
    pub(crate) fn holds<'v>(&self, value: &dyn Fn(&Named) -> Option<Given<'v>>) -> Result<bool, Undecided> {
        let mut roots = Tree::default();
        let mut made = 0_usize;
        for (named, copies) in self.named.iter().zip(&self.copies) {
            let given = value(named);
            made = made.saturating_add(given.as_ref().map_or(0, Given::bytes).saturating_mul(*copies));
            if made > TEXT_MAX {
                return Err(Undecided);
            }
            match named {
                Named::Attribute(key) => roots.put(&["attributes", key], given)?,
                Named::Resource(key) => roots.put(&["resource", key], given)?,
                Named::Field(root, field) => roots.put(&[root, field], given)?,
                Named::Member(member) => {
                    let path: Vec<&str> = std::iter::once("record").chain(member.path().split('.')).collect();
                    roots.put(&path, given)?;
                }
            }
        }
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        for (name, tree) in roots.branches {
            context.add_variable_as_val(name, tree.into_val());
        }
        let answer = cel::Value::resolve_val(self.program.expression(), &context).map_err(|_| Undecided)?;
        answer.downcast_ref::<CelBool>().map(|b| *b.inner()).ok_or(Undecided)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

/// One environment for the process: its functions are the same for every condition.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// Length, nesting and operators, counted outside of texts.
fn bounded(text: &str) -> Result<(), Mistake> {
    if text.trim().is_empty() {
        return Err(Mistake::new(0, "is empty"));
    }
    if text.len() > EXPRESSION_MAX {
        return Err(Mistake::new(0, format!("is longer than {EXPRESSION_MAX} bytes; set a record member by a rule and ask for that")));
    }
    let (mut depth, mut signs, mut operators) = (0_usize, 0_usize, 0_usize);
    let mut quote: Option<u8> = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(open) = quote {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                _ if byte == open => quote = None,
                _ => {}
            }
            continue;
        }
        signs = match byte {
            b'!' | b'-' => signs + 1,
            b' ' | b'\t' | b'\n' | b'\r' => signs,
            _ => 0,
        };
        match byte {
            b'"' | b'\'' => quote = Some(byte),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'=' | b'!' | b'?' | b'&' | b'|' | b'.' => operators += 1,
            _ => {}
        }
        if depth > NESTING_MAX || signs > NESTING_MAX {
            return Err(Mistake::new(at, format!("is nested deeper than {NESTING_MAX}")));
        }
        // `==` and `&&` are two of these signs.
        if operators > 2 * OPERATORS_MAX {
            return Err(Mistake::new(at, format!("has more than {OPERATORS_MAX} operators")));
        }
    }
    Ok(())
}

/// Bytes before a line and column, both from 1, as the parser counts them.
fn offset_of(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    (before + column - 1).min(text.len())
}

/// The parser's words, in one line.
fn sentence(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default().trim();
    match message {
        "" => "cannot be read".to_owned(),
        _ if message.contains("has() macro") => {
            "`has` asks for a field, as in has(attributes.score); for a key with dots write \"a.b\" in attributes".to_owned()
        }
        _ => format!("cannot be read: {message}"),
    }
}

/// Checks an expression and collects what it names.
struct Reader<'p> {
    vocabulary: Vocabulary,
    program: &'p Program,
    named: Vec<Named>,
    copies: Vec<usize>,
    /// Whether what is read becomes part of something that the expression makes.
    copying: bool,
}

impl Reader<'_> {
    fn mistake(&self, at: &Expression, why: impl Into<String>) -> Mistake {
        // A path is told at its variable, not at one of its dots.
        let mut first = at;
        while let Expr::Select(select) = &first.expr {
            first = &select.operand;
        }
        let offset = self.program.source_info().offset_for(first.id).map_or(0, |(start, _)| start);
        Mistake::new(usize::try_from(offset).unwrap_or(0), why)
    }

    fn name(&mut self, named: Named) {
        let at = self.named.iter().position(|known| *known == named).unwrap_or_else(|| {
            self.named.push(named);
            self.copies.push(0);
            self.named.len() - 1
        });
        if let Some(copies) = self.copies.get_mut(at) {
            *copies += usize::from(self.copying);
        }
    }

    /// Reads the parts of something that an expression makes of them.
    fn read_into<'e>(&mut self, made: bool, parts: impl Iterator<Item = &'e Expression>) -> Result<(), Mistake> {
        let around = self.copying;
        self.copying |= made;
        let read = parts.into_iter().try_for_each(|part| self.read(part));
        self.copying = around;
        read
    }

    fn read(&mut self, at: &Expression) -> Result<(), Mistake> {
        match &at.expr {
            Expr::Literal(LiteralValue::Bytes(_)) => Err(self.mistake(at, "bytes are not compared; write a text")),
            Expr::Literal(LiteralValue::String(text)) => nobody(text.inner()).map_err(|why| self.mistake(at, why)),
            Expr::Literal(_) => Ok(()),
            Expr::List(list) => self.read_into(true, list.elements.iter()),
            Expr::Ident(name) => Err(self.variable(at, name)),
            Expr::Select(_) => self.path(at),
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::INDEX, [map, key]) if map_name(map).is_some() => self.key(map, key),
                (operators::IN, [key, map]) if map_name(map).is_some() => self.key(map, key),
                (name, args) => {
                    let is_operator = name.contains(['_', '@']) && !LOOPS.contains(&name);
                    if !is_operator && !FUNCTIONS.contains(&name) {
                        return Err(self.function(at, name));
                    }
                    let makes = name == operators::ADD || COPYING.contains(&name);
                    self.read_into(makes, call.target.iter().map(|target| &**target).chain(args))
                }
            },
            Expr::Comprehension(_) => Err(self.function(at, "exists")),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => Err(self.mistake(at, "a map has no use in a condition")),
        }
    }

    fn function(&self, at: &Expression, name: &str) -> Mistake {
        let is_loop = LOOPS.contains(&name);
        let mut mistake = self.mistake(
            at,
            if is_loop {
                "loops (all, exists, map, filter) and patterns (matches) are not for conditions; startsWith, endsWith, contains and `in` are"
                    .to_owned()
            } else {
                format!("`{name}` is no function here; the nearest is `{}`", nearest(name, FUNCTIONS))
            },
        );
        // The parser tells a call at its bracket.
        let before = self.program.source_info().source.get(..mistake.offset).unwrap_or_default();
        let called = LOOPS.iter().filter(|_| is_loop).copied().chain([name]).find(|called| before.ends_with(called));
        mistake.offset -= called.map_or(0, str::len);
        mistake
    }

    fn variable(&self, at: &Expression, name: &str) -> Mistake {
        match self.vocabulary {
            Vocabulary::Record if name == "record" => self.mistake(at, "name a member of the record, as in record.decision.type"),
            Vocabulary::Record => {
                self.mistake(at, format!("`{name}` is no variable here: a threshold asks for `record`, as in record.decision.type"))
            }
            Vocabulary::Telemetry if name == "record" => {
                self.mistake(at, "`record` is for thresholds: a rule is asked before there is a record, so ask for `attributes`")
            }
            Vocabulary::Telemetry if MAPS.contains(&name) => self.mistake(at, format!("name a key of `{name}`, as in {name}[\"my.key\"]")),
            Vocabulary::Telemetry => match FIELDS.iter().find(|(root, _)| *root == name) {
                Some((root, [field, ..])) => self.mistake(at, format!("name a field of `{root}`, as in {root}.{field}")),
                _ => {
                    let known = FIELDS.iter().map(|(root, _)| *root).chain(MAPS);
                    self.mistake(at, format!("`{name}` is no variable here; the nearest is `{}`", nearest(name, known)))
                }
            },
        }
    }

    /// `attributes["a.b"]`, `"a.b" in attributes`
    fn key(&mut self, map: &Expression, key: &Expression) -> Result<(), Mistake> {
        let name = map_name(map).unwrap_or_default();
        if self.vocabulary == Vocabulary::Record {
            return Err(self.variable(map, name));
        }
        let Expr::Literal(LiteralValue::String(text)) = &key.expr else {
            return Err(self.mistake(key, format!("write out which key of `{name}` is meant, as in {name}[\"my.key\"]")));
        };
        self.map_key(name, text.inner());
        Ok(())
    }

    fn map_key(&mut self, map: &str, key: &str) {
        let key = key.to_owned();
        self.name(if map == "attributes" { Named::Attribute(key) } else { Named::Resource(key) });
    }

    /// `span.name`, `attributes.score`, `record.decision.type`, each also inside `has(...)`.
    fn path(&mut self, at: &Expression) -> Result<(), Mistake> {
        let Some(segments) = segments(at) else {
            return Err(self.mistake(at, "only variables have fields"));
        };
        let (root, fields) = segments.split_first().map(|(root, fields)| (*root, fields)).unwrap_or_default();
        if self.vocabulary == Vocabulary::Record {
            if root != "record" {
                return Err(self.variable(at, root));
            }
            let member = askable(&fields.join(".")).map_err(|why| self.mistake(at, why))?;
            self.name(Named::Member(member));
            return Ok(());
        }
        if MAPS.contains(&root) {
            if let [key] = fields {
                self.map_key(root, key);
                return Ok(());
            }
            return Err(self.mistake(at, format!("a key with dots stands in quotes: {root}[\"{}\"]", fields.join("."))));
        }
        let Some((root, known)) = FIELDS.iter().find(|(name, _)| *name == root) else {
            return Err(self.variable(at, root));
        };
        match fields {
            [field] => match known.iter().find(|k| *k == field) {
                Some(field) => {
                    self.name(Named::Field(root, field));
                    Ok(())
                }
                None => {
                    let near = nearest(field, known.iter().copied());
                    Err(self.mistake(at, format!("`{root}` has no `{field}`; the nearest is `{root}.{near}`")))
                }
            },
            _ => Err(self.mistake(at, format!("`{root}.{}` has no fields", fields.first().copied().unwrap_or_default()))),
        }
    }
}

/// The member of the record that a threshold may ask for: one whose value stands in the record as it is.
fn askable(path: &str) -> Result<Member, String> {
    let ask = |member: &Member| {
        !path_is_ours(member.path())
            && matches!(member.spec().kind, Type::Text | Type::Int | Type::Num | Type::Bool | Type::Ref | Type::Texts | Type::Refs)
    };
    match Member::find(path) {
        Some(member) if ask(&member) => Ok(member),
        Some(member) => Err(match member.spec().kind {
            Type::Person => format!("`{path}` is a person, of whom the record holds a pseudonym only"),
            Type::Content => format!("`{path}` is content, which the record does not hold"),
            _ => format!("`{path}` is nothing that a condition can compare"),
        }),
        None => {
            let near = nearest(path, Member::all().filter(ask).map(Member::path));
            Err(format!("`{path}` is no member of the record; the nearest is `{near}`"))
        }
    }
}

/// Members that are written after thresholds are asked.
fn path_is_ours(path: &str) -> bool {
    path.contains("[]")
        || ["evidence.", "retention.", "change.", "control.", "source.peer."].iter().any(|group| path.starts_with(group))
        || matches!(path, "id" | "schema" | "source.dialects")
}

fn map_name(at: &Expression) -> Option<&str> {
    match &at.expr {
        Expr::Ident(name) if MAPS.contains(&name.as_str()) => Some(name),
        _ => None,
    }
}

/// The names of `a.b.c`, or nothing where something else than a variable has the fields.
fn segments(at: &Expression) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut at = at;
    loop {
        match &at.expr {
            Expr::Ident(name) => {
                names.push(name.as_str());
                names.reverse();
                return Some(names);
            }
            Expr::Select(select) => {
                names.push(select.field.as_str());
                at = &select.operand;
            }
            _ => return None,
        }
    }
}

/// Variables in the making: maps of maps, whose branches exist even where a value is missing, so that `has` can ask for it.
#[derive(Default)]
struct Tree<'v> {
    leaf: Option<Box<dyn Val + 'v>>,
    branches: HashMap<String, Tree<'v>>,
}

impl<'v> Tree<'v> {
    fn put(&mut self, path: &[&str], given: Option<Given<'v>>) -> Result<(), Undecided> {
        let Some((last, above)) = path.split_last() else { return Ok(()) };
        let mut at = self;
        for name in above {
            at = at.branches.entry((*name).to_owned()).or_default();
        }
        if let Some(given) = given {
            let leaf = Tree { leaf: Some(given.into_val()?), branches: HashMap::new() };
            at.branches.insert((*last).to_owned(), leaf);
        }
        Ok(())
    }

    fn into_val(self) -> Box<dyn Val + 'v> {
        match self.leaf {
            Some(leaf) => leaf,
            None => {
                let branches = self.branches.into_iter().map(|(name, tree)| (CelMapKey::String(CelString::from(name)), tree.into_val()));
                Box::new(CelMap::from(branches.collect::<HashMap<_, _>>()))
            }
        }
    }
}

impl<'v> Given<'v> {
    /// Memory that a copy of it takes beyond a few words.
    fn bytes(&self) -> usize {
        match self {
            Given::Text(text) => text.len(),
            Given::List(items) => items.iter().map(|item| ELEMENT_BYTES.saturating_add(item.bytes())).fold(0, usize::saturating_add),
            Given::Bool(_) | Given::Int(_) | Given::Num(_) | Given::TooLong => 0,
        }
    }

    fn into_val(self) -> Result<Box<dyn Val + 'v>, Undecided> {
        Ok(match self {
            Given::TooLong => return Err(Undecided),
            Given::Text(text) if text.len() > TEXT_MAX => return Err(Undecided),
            Given::Text(Cow::Borrowed(text)) => Box::new(CelString::from(text)),
            Given::Text(Cow::Owned(text)) => Box::new(CelString::from(text)),
            Given::Bool(flag) => Box::new(CelBool::from(flag)),
            Given::Int(number) => Box::new(CelInt::from(number)),
            Given::Num(number) => Box::new(CelDouble::from(number)),
            Given::List(items) if items.len() > LIST_MAX => return Err(Undecided),
            Given::List(items) => {
                let items = items.into_iter().map(Given::into_val).collect::<Result<Vec<_>, _>>()?;
                Box::new(CelList::from(items))
            }
        })
    }
}

#[cfg(test)]
mod tests;
