//! Reading and writing the members that the formats of proofs share.

use super::{Inclusion, LIST_MAX, PATH_MAX, ProofError, Rotation, refused};
use crate::record::canonical::Json;
use crate::tlog::note::parse_decimal;
use crate::tlog::seal_file::{SealError, Statement};
use crate::tlog::{Hash, LeafIndex, TreeSize};

/// Paths of the members of an object that are not listed.
pub(super) fn others(json: &Json, known: &[&str], path: &str) -> Vec<String> {
    let members = json.as_object().unwrap_or_default().iter().map(|(name, _)| name.as_str());
    members.filter(|name| !known.contains(name)).map(|name| format!("{path}{name}")).collect()
}

pub(super) fn statement(json: &Json) -> Result<Statement, ProofError> {
    Statement::parse(json).map_err(|error| match error {
        SealError::UnknownFormat(format) => ProofError::UnknownFormat("statement", format),
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

/// Paths of what a rotation holds besides what is known.
pub(super) fn rotations_unknown(json: &Json) -> Result<Vec<String>, ProofError> {
    let all = list(json, "rotations")?.iter().enumerate();
    Ok(all.flat_map(|(at, rotation)| others(rotation, &["statement", "log", "checkpoint"], &format!("rotations.{at}."))).collect())
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
