//! Reading and writing the members that the formats of proofs share.

use super::{Inclusion, LIST_MAX, PATH_MAX, ProofError, Rotation, refused};
use crate::plain::brief;
use crate::record::canonical::Json;
use crate::tlog::note::parse_decimal;
use crate::tlog::seal_file::{SealError, Statement};
use crate::tlog::{Hash, LeafIndex, TreeSize};

/// Members that are named, of those that are not known.
const NAMES_MAX: usize = 16;
/// Characters of a name, or of a format, that are told.
const NAME_CHARS_MAX: usize = 120;

/// Members that this version does not know. Bounded: anybody can put millions into a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown {
    /// Paths of the first, each cut where it is long.
    pub names: Vec<String>,
    /// How many there are besides.
    pub more: u64,
}

impl Unknown {
    /// Adds the members of an object that are not listed.
    pub(super) fn look(&mut self, json: &Json, known: &[&str], path: &str) {
        for (name, _) in json.as_object().unwrap_or_default().iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            if self.names.len() < NAMES_MAX {
                self.names.push(format!("{path}{}", brief(name, NAME_CHARS_MAX)));
            } else {
                self.more = self.more.saturating_add(1);
            }
        }
    }
}

/// A format that is not known.
pub(super) fn unknown_format(what: &'static str, format: &str) -> ProofError {
    ProofError::UnknownFormat(what, brief(format, NAME_CHARS_MAX))
}

pub(super) fn statement(json: &Json) -> Result<Statement, ProofError> {
    Statement::parse(json).map_err(|error| match error {
        SealError::UnknownFormat(format) => unknown_format("statement", &format),
        other => refused(format!("statement: {other}")),
    })
}

pub(super) fn string(json: &Json, name: &str) -> Result<String, ProofError> {
    json.get(name).and_then(Json::as_str).map(str::to_owned).ok_or_else(|| refused(format!("`{name}` is missing or not a string")))
}

pub(super) fn object(json: &Json, name: &str) -> Result<Json, ProofError> {
    json.get(name).filter(|v| v.as_object().is_some()).cloned().ok_or_else(|| refused(format!("`{name}` is missing or not an object")))
}

pub(super) fn list<'a>(json: &'a Json, name: &str) -> Result<&'a [Json], ProofError> {
    let items = json.get(name).and_then(Json::as_array).ok_or_else(|| refused(format!("`{name}` is missing or not an array")))?;
    if items.len() > LIST_MAX { Err(refused(format!("`{name}` holds more than {LIST_MAX}"))) } else { Ok(items) }
}

pub(super) fn inclusion(json: &Json, name: &str, index: &str) -> Result<Inclusion, ProofError> {
    let place = json.get(name).ok_or_else(|| refused(format!("`{name}` is missing")))?;
    if place.as_object().is_none_or(|members| members.len() != 3) {
        return Err(refused(format!("`{name}` holds exactly {index}, tree_size and path")));
    }
    let number = |member: &str| {
        let parsed = place.get(member).and_then(Json::as_str).and_then(parse_decimal);
        parsed.ok_or_else(|| refused(format!("`{name}.{member}` is not a decimal number as a string")))
    };
    let nodes = list(place, "path")?;
    if nodes.len() > PATH_MAX {
        return Err(refused(format!("`{name}.path` is longer than {PATH_MAX}")));
    }
    let path = hashes(nodes, name)?;
    Ok(Inclusion { index: LeafIndex(number(index)?), size: TreeSize(number("tree_size")?), path })
}

pub(super) fn texts(json: &Json, name: &'static str) -> Result<Vec<String>, ProofError> {
    let text = |v: &Json| v.as_str().map(str::to_owned).ok_or_else(|| refused(format!("`{name}` holds something besides strings")));
    list(json, name)?.iter().map(text).collect()
}

pub(super) fn rotations(json: &Json) -> Result<Vec<Rotation>, ProofError> {
    let rotation = |v: &Json| {
        Ok(Rotation { statement: object(v, "statement")?, log: inclusion(v, "log", "index")?, checkpoint: string(v, "checkpoint")? })
    };
    list(json, "rotations")?.iter().map(rotation).collect()
}

/// What a rotation holds besides what is known.
pub(super) fn rotations_unknown(json: &Json, unknown: &mut Unknown) -> Result<(), ProofError> {
    for (at, rotation) in list(json, "rotations")?.iter().enumerate() {
        unknown.look(rotation, &["statement", "log", "checkpoint"], &format!("rotations.{at}."));
    }
    Ok(())
}

pub(super) fn texts_json(items: &[String]) -> Json {
    Json::Array(items.iter().map(Json::string).collect())
}

pub(super) fn path_json(path: &[Hash]) -> Json {
    Json::Array(path.iter().map(|h| Json::String(h.to_string())).collect())
}

pub(super) fn place_json(place: &Inclusion, index: &str) -> Json {
    Json::object([
        (index, Json::String(place.index.0.to_string())),
        ("tree_size", Json::String(place.size.0.to_string())),
        ("path", path_json(&place.path)),
    ])
}

pub(super) fn rotations_json(rotations: &[Rotation]) -> Json {
    let rotation = |r: &Rotation| {
        Json::object([
            ("statement", r.statement.clone()),
            ("log", place_json(&r.log, "index")),
            ("checkpoint", Json::string(&r.checkpoint)),
        ])
    };
    Json::Array(rotations.iter().map(rotation).collect())
}

pub(super) fn hashes(nodes: &[Json], name: &str) -> Result<Vec<Hash>, ProofError> {
    let path = nodes.iter().map(|n| n.as_str().and_then(Hash::parse_hex)).collect::<Option<Vec<_>>>();
    path.ok_or_else(|| refused(format!("`{name}.path` holds something besides 64 lower-case hex digits")))
}
