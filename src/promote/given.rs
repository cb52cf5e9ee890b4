//! What conditions on records are answered with: by a record in the making, and by one that was sealed.

use std::borrow::Cow;

use super::draft::Draft;
use super::finish::Signal;
use super::rules::{Given, Named};
use crate::record::builder::Val;
use crate::record::canonical::Json;
use crate::record::registry::{self as member, Kind, Type};

/// What a record in the making says. Kind and signal are written last and known before.
pub(super) fn of_draft<'d>(draft: &'d Draft<'_>, named: &Named, kind: Kind, signal: Signal) -> Option<Given<'d>> {
    let Named::Member(member) = named else { return None };
    let text = |text: &'d str| Given::Text(Cow::Borrowed(text));
    match *member {
        member::KIND => return Some(text(kind.as_str())),
        member::SOURCE_SIGNAL => return Some(text(signal.as_str())),
        _ => {}
    }
    Some(match draft.record.get(*member)? {
        Val::Str(value) => text(value),
        Val::Hex(bytes, length) => Given::Text(Cow::Owned(hex::encode(bytes.get(..usize::from(*length)).unwrap_or_default()))),
        Val::Int(number) => Given::Int(*number),
        Val::Num(number) => Given::Num(*number),
        Val::Bool(flag) => Given::Bool(*flag),
        Val::Texts(texts) => Given::List(texts.iter().map(|t| text(t)).collect()),
        Val::Time(_) | Val::Items(_) | Val::Raw(_) | Val::Content(_) => return None,
    })
}

/// What a sealed record says: the same as [`of_draft`] said when it was made.
pub(super) fn of_record<'r>(record: &'r Json, named: &Named) -> Option<Given<'r>> {
    let Named::Member(member) = named else { return None };
    let value = record.path(member.path())?;
    let text = |text: &'r str| Given::Text(Cow::Borrowed(text));
    match member.spec().kind {
        Type::Text | Type::Person | Type::Ref => value.as_str().map(text),
        Type::Int => value.as_str()?.parse().ok().map(Given::Int),
        Type::Num => match value {
            Json::Number(number) => Some(Given::Num(*number)),
            _ => None,
        },
        Type::Bool => match value {
            Json::Bool(flag) => Some(Given::Bool(*flag)),
            _ => None,
        },
        Type::Texts | Type::Refs => Some(Given::List(value.as_array()?.iter().filter_map(Json::as_str).map(text).collect())),
        Type::Time | Type::Content | Type::Items | Type::Map => None,
    }
}
