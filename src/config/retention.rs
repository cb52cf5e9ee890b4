//! `retention`: classes, policies and presets, read with the place of every part at hand, and written back.

use std::cmp::Ordering;
use std::time::Duration;

use super::rules::{condition, name, object};
use super::section::Section;
use super::units::{duration_within, show_duration};
use super::yaml::ConfigError;
use super::{Chosen, Retention};
use crate::clock::UnixSeconds;
use crate::promote::retention::{POLICIES_MAX, Policy};
use crate::promote::rules::{Condition, Vocabulary, nearest};
use crate::record::canonical::Json;
use crate::retain::presets::{PRESETS, Preset, Scope};
use crate::retain::{Class, ClassIndex, Classes, Period};
use crate::worm::Mode;

const DAY: Duration = Duration::from_secs(86_400);
/// An attestation is a locked record of up to 64 KiB, and each reads the log: more often is for trying it out.
const ATTEST_MIN: Duration = Duration::from_secs(10);
/// What nobody has looked at for longer says little.
const ATTEST_MAX: Duration = Duration::from_secs(31 * 86_400);

const MODES: [(&str, Mode); 2] = [("GOVERNANCE", Mode::Governance), ("COMPLIANCE", Mode::Compliance)];

/// A policy whose class was not looked up yet.
struct Demand {
    id: String,
    version: Option<String>,
    when: Option<Condition>,
    class: String,
    /// What to say, where it stands, if there is no such class.
    unknown: ConfigError,
}

pub(super) fn read(mut at: Section<'_>, lift_ceiling: bool, now: UnixSeconds) -> Result<Retention, ConfigError> {
    let compliance_ceiling = at.value("compliance_ceiling", period("10y")?, str::parse)?;
    let attest_every = at.value("attest_every", Some(DAY), attest_every)?;
    let mut classes = match at.sections("classes")? {
        Some(list) if !list.is_empty() => list.into_iter().map(class).collect::<Result<Vec<_>, _>>()?,
        Some(_) => return Err(at.error("`retention.classes` is empty; at least one class is needed")),
        None => {
            vec![Class { name: "standard".to_owned(), mode: Mode::Governance, period: period("180d")?, claimable: false }]
        }
    };
    let default = at.text("default")?.unwrap_or_else(|| "standard".to_owned());
    let mut demands: Vec<Demand> = Vec::new();
    for one in at.sections("policies")?.unwrap_or_default() {
        demands.push(policy(one, &demands)?);
    }
    let mut presets = Vec::new();
    for one in at.named_sections("presets", "id")? {
        let (preset, demand, class) = preset(one, &presets)?;
        // A configuration that was printed has the classes of its presets among the others.
        match classes.iter().find(|other| other.name == class.name) {
            None => classes.push(class.clone()),
            Some(other) if *other == class => {}
            Some(other) => {
                return Err(at.error(format!(
                    "retention class `{}` is {} for {}, and the preset of that name makes it {} for {}; leave the class out, or give it another \
                     name",
                    class.name,
                    other.mode.as_str(),
                    other.period,
                    class.mode.as_str(),
                    class.period
                )));
            }
        }
        presets.push((preset, class.name));
        demands.push(demand);
    }
    if demands.len() > POLICIES_MAX {
        return Err(at.error(format!("`retention.policies` and `retention.presets` are more than {POLICIES_MAX} together")));
    }
    let (classes, beyond_ceiling) = match Classes::new(classes.clone(), &default, compliance_ceiling, now) {
        Ok(classes) => (classes, None),
        // What else is wrong refuses it again.
        Err(why) if lift_ceiling => (Classes::new(classes, &default, period("9000y")?, now).map_err(|why| at.error(why))?, Some(why)),
        Err(why) => return Err(at.error(why)),
    };
    let policies = demands.into_iter().map(|demand| {
        let Demand { id, version, when, class, unknown } = demand;
        classes.find(&class).map(|class| Policy { id, version, when, class }).ok_or(unknown)
    });
    let policies = policies.collect::<Result<Vec<_>, _>>()?;
    classes.check_met(policies.iter().map(|policy| policy.class)).map_err(|why| at.error(why))?;
    let chosen = |(preset, class): (&'static Preset, String)| Some(Chosen { preset, class: classes.find(&class)? });
    let presets = presets.into_iter().filter_map(chosen).collect();
    at.finish()?;
    Ok(Retention { classes, policies, presets, compliance_ceiling, attest_every, beyond_ceiling })
}

/// `off`, days as in 7d, or a duration.
fn attest_every(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    let days = text.strip_suffix('d').filter(|days| !days.is_empty() && days.bytes().all(|b| b.is_ascii_digit()));
    // More hours than any number holds are out of bounds too.
    let text = match days {
        Some(days) => format!("{}h", days.parse().unwrap_or(u32::MAX).saturating_mul(24)),
        None => text.to_owned(),
    };
    duration_within(&text, ATTEST_MIN, ATTEST_MAX).map(Some)
}

fn period(text: &str) -> Result<Period, ConfigError> {
    text.parse().map_err(ConfigError::new)
}

fn class(mut at: Section<'_>) -> Result<Class, ConfigError> {
    let name = at.text("name")?.ok_or_else(|| at.error("a retention class needs a `name`"))?;
    let mode = at.word("mode", Mode::Governance, &MODES)?;
    let period = at
        .optional("period", str::parse)?
        .ok_or_else(|| at.error(format!("retention class `{name}` needs a `period`, as in 180d or 7y")))?;
    let claimable = at.flag("claimable", false)?;
    at.finish()?;
    Ok(Class { name, mode, period, claimable })
}

/// What records name a policy by: no `@`, which parts it from its version.
fn label(text: &str) -> Result<String, String> {
    match name(text)? {
        text if text.contains('@') => Err(format!("`{text}` has an `@`, which in records parts a policy from its version")),
        text => Ok(text),
    }
}

fn policy(mut at: Section<'_>, before: &[Demand]) -> Result<Demand, ConfigError> {
    let id = at.optional("id", label)?.ok_or_else(|| at.error("a retention policy needs an `id`, by which records name it"))?;
    if before.iter().any(|other| other.id == id) {
        return Err(at.error(format!("two retention policies are called `{id}`; records could not say which of them chose their class")));
    }
    if let Some(preset) = Preset::find(&id) {
        return Err(
            at.error(format!("`{}` is the name of a preset, for which a reader would take this policy; give it another", preset.id))
        );
    }
    let version = at.optional("version", label)?;
    let when = at.scalar("when")?.map(|scalar| condition(&scalar, Vocabulary::Record)).transpose()?;
    let missing = at.error(format!("retention policy `{id}` needs a `class`, one of `retention.classes`"));
    let Some(scalar) = at.scalar("class")? else {
        // A key that is misspelt says more.
        at.finish()?;
        return Err(missing);
    };
    let unknown = scalar.error(format!(
        "`{}`: `{}` is none of `retention.classes` and no preset that stands in `retention.presets`",
        scalar.path, scalar.text
    ));
    at.finish()?;
    Ok(Demand { id, version, when, class: scalar.text, unknown })
}

fn preset(mut at: Section<'_>, before: &[(&'static Preset, String)]) -> Result<(&'static Preset, Demand, Class), ConfigError> {
    let Some(id) = at.scalar("id")? else { return Err(at.error("a preset is named by its `id`; `spanseal retention presets` lists them")) };
    let preset = id.parse(|text| {
        let ids = PRESETS.iter().filter(|preset| preset.scope == Scope::Evidence).map(|preset| preset.id);
        match Preset::find(text) {
            Some(preset) if preset.scope == Scope::Evidence => Ok(preset),
            Some(Preset { scope: Scope::Content, .. }) => {
                Err(format!("`{text}` limits how long content is kept, not evidence: set `content.vault.retention`"))
            }
            Some(_) => Err(format!("`{text}` is no class: `spanseal hold place` puts a hold on records, whatever their class")),
            None => {
                Err(format!("`{text}` is no preset; the nearest is `{}`, and `spanseal retention presets` lists them", nearest(text, ids)))
            }
        }
    })?;
    if before.iter().any(|(other, _)| other.id == preset.id) {
        return Err(id.error(format!("`{}`: `{}` stands there twice; join the two conditions with ||", id.path, preset.id)));
    }
    let name = preset.class();
    let as_of = at.scalar("as_of")?;
    if let Some(other) = as_of.filter(|scalar| scalar.text != preset.as_of) {
        return Err(other.error(format!(
            "`{}`: this version of spanseal knows the preset as of {}, not {}; look at what it says now with `spanseal retention presets --id \
             {}`, then change the date",
            other.path, preset.as_of, other.text, preset.id
        )));
    }
    let asked: Option<Period> = at.optional("period", str::parse)?;
    let period = match (asked, preset.minimum(), preset.suggested()) {
        (Some(asked), Some(minimum), _) if !matches!(asked.compare(minimum), Some(Ordering::Equal | Ordering::Greater)) => {
            return Err(at.error(format!(
                "{asked} is not always as long as the {minimum} that preset `{}` names as the least ({}, {}); if you know better, write a class and \
                 a policy of your own instead of the preset",
                preset.id, preset.law, preset.article
            )));
        }
        (Some(asked), _, _) => asked,
        (None, _, Some(suggested)) => suggested,
        (None, _, None) => {
            return Err(at.error(format!(
                "preset `{}` needs a `period`: what it is about states none ({}); see `spanseal retention presets --id {}`",
                preset.id, preset.minimum_says, preset.id
            )));
        }
    };
    let mode = at.word("mode", preset.mode, &MODES)?;
    let when = match at.scalar("when")? {
        Some(scalar) => Some(condition(&scalar, Vocabulary::Record)?),
        None => of_preset(preset).map_err(|why| at.error(why))?,
    };
    let unknown = at.error(format!("preset `{}` has no class", preset.id));
    at.finish()?;
    let demand = Demand { id: preset.id.to_owned(), version: Some(preset.as_of.to_owned()), when, class: name.clone(), unknown };
    Ok((preset, demand, Class { name, mode, period, claimable: false }))
}

/// Of which records a preset is.
fn of_preset(preset: &Preset) -> Result<Option<Condition>, String> {
    let read = |text| Condition::parse(text, Vocabulary::Record).map_err(|e| format!("preset `{}`: {}", preset.id, e.why));
    preset.when.map(read).transpose()
}

fn class_json(class: &Class) -> Json {
    object([
        ("name", Some(Json::string(&class.name))),
        ("mode", Some(Json::string(class.mode.as_str()))),
        ("period", Some(Json::String(class.period.to_string()))),
        ("claimable", Some(Json::Bool(class.claimable))),
    ])
}

/// As it is written, with every default.
pub(super) fn json(of: &Retention) -> Json {
    let name = |index: ClassIndex| Json::string(&of.classes.class(index).name);
    let when = |policy: &Policy| policy.when.as_ref().map(|when| Json::string(when.text()));
    let (policies, made) = of.policies.split_at(of.policies.len().saturating_sub(of.presets.len()));
    let policy = |policy: &Policy| {
        object([
            ("id", Some(Json::string(&policy.id))),
            ("version", policy.version.as_ref().map(Json::string)),
            ("when", when(policy)),
            ("class", Some(name(policy.class))),
        ])
    };
    let preset = |(chosen, policy): (&Chosen, &Policy)| {
        let class = of.classes.class(chosen.class);
        object([
            ("id", Some(Json::string(chosen.preset.id))),
            ("as_of", Some(Json::string(chosen.preset.as_of))),
            ("when", when(policy)),
            ("mode", Some(Json::string(class.mode.as_str()))),
            ("period", Some(Json::String(class.period.to_string()))),
        ])
    };
    let list = |all: Vec<Json>| (!all.is_empty()).then_some(Json::Array(all));
    object([
        // Those of presets too: whoever verifies reads here how long a class is kept.
        ("classes", Some(Json::Array(of.classes.iter().map(|(_, class)| class_json(class)).collect()))),
        ("default", Some(name(of.classes.default_class()))),
        ("policies", list(policies.iter().map(policy).collect())),
        ("presets", list(of.presets.iter().zip(made).map(preset).collect())),
        ("compliance_ceiling", Some(Json::String(of.compliance_ceiling.to_string()))),
        ("attest_every", Some(Json::String(of.attest_every.map_or_else(|| "off".to_owned(), show_duration)))),
    ])
}

/// What is allowed and an operator should know.
pub(super) fn doubts(of: &Retention) -> Vec<String> {
    let mut doubts = Vec::new();
    for chosen in &of.presets {
        let (preset, class) = (chosen.preset, of.classes.class(chosen.class));
        let id = preset.id;
        if !preset.checked {
            doubts.push(format!(
                "preset `{id}`: its period was not held against the primary text; do that before you rely on it ({})",
                preset.source
            ));
        }
        if !preset.from_record {
            doubts.push(format!(
                "preset `{id}` counts from when {}, and locks count from sealing: extend those records when that date is known",
                preset.trigger
            ));
        }
        if class.mode < preset.mode {
            doubts.push(format!(
                "preset `{id}` suggests {}, and you chose {}, which whoever may bypass governance can lift",
                preset.mode.as_str(),
                class.mode.as_str()
            ));
        }
    }
    let default = of.classes.default_class();
    for policy in &of.policies {
        if policy.class != default && of.classes.meet([policy.class]) == default {
            doubts.push(format!(
                "retention policy `{}` changes nothing: the default class `{}` keeps as long and as strongly as `{}`, and a policy never shortens",
                policy.id,
                of.classes.class(default).name,
                of.classes.class(policy.class).name
            ));
        }
    }
    doubts
}

#[cfg(test)]
mod tests;
