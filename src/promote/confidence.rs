//! How sure, and how sure it had to be (`record.md` section 2, `confidence`; section 5, rules 3 and 4).
//!
//! # Where a score comes from
//!
//! As sent; else the weakest of several answers (rule 4), of a decision model with `method` `decision_model`; else, for a call of a model whose answer carries the probabilities of its tokens
//! (OpenAI's `logprobs`), their geometric mean, `method` `logprob_mean`, all of it marked `computed`: how likely the model found its own words,
//! to six decimals so that every machine computes the same. A score of a judge or of a guardrail is never taken for one.
//!
//! # Which threshold counts
//!
//! `confidence.thresholds` of the configuration is the operator's policy, a threshold in telemetry is the sender's claim of what it routed
//! by. As with retention and risk classes (rule 10), a claim may be stricter than the policy and never laxer: **the higher of the two
//! counts**. A configured one is marked `configured`, with `threshold_source` `configuration` or `configuration:<name>`, and `threshold_met`
//! is then computed anew. Where the two differ the member is named in `evidence.conflicts`, and what was sent and does not count goes
//! to `rest`: nothing is lost. Without a score there is nothing to hold against a threshold, and none is written.

use std::borrow::Cow;

use super::dialects::Side;
use super::draft::{Draft, How};
use super::finish::Signal;
use super::given;
use super::rules::Condition;
use super::{lists, scan};
use crate::otlp::view::Value;
use crate::record::builder::Val;
use crate::record::registry::{self as member, Kind, Member};

/// Most thresholds: each may be asked of every record with a score.
pub const THRESHOLDS_MAX: usize = 64;

/// What `confidence.threshold_source` says of a threshold of the configuration.
const SOURCE: &str = "configuration";

/// A threshold of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// `name`: said in `confidence.threshold_source`.
    pub name: Option<String>,
    /// `when`: of which records, asked of the record itself so that whoever holds it can ask again. `None`: of all that are left.
    pub when: Option<Condition>,
    /// `threshold`: a score below it does not meet it. On the scale on which scores are sent.
    pub threshold: f64,
}

/// Members that say what a sender knows of its threshold.
pub(crate) fn is_of_threshold(member: Member) -> bool {
    matches!(member, member::CONFIDENCE_THRESHOLD | member::CONFIDENCE_THRESHOLD_MET | member::CONFIDENCE_THRESHOLD_SOURCE)
}

/// The confidence that the probabilities of an answer's tokens give, where nobody states one.
pub(super) fn of_tokens(draft: &mut Draft<'_>, kind: Kind) {
    if kind != Kind::Inference || draft.record.has(member::CONFIDENCE_SCORE) || !draft.answers.is_empty() {
        return;
    }
    let means = draft.side_ref(Side::Output).iter().filter(|e| !e.is_frame()).find_map(|entry| match &entry.value {
        Value::Text(json) => Some(scan::logprobs(json)).filter(|means| !means.is_empty()),
        _ => None,
    });
    let Some(means) = means else { return };
    // Rule 4: of several choices the least likely.
    let weakest = means.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let Some((choice, mean)) = weakest else { return };
    let score = (mean.exp() * 1e6).round() / 1e6;
    draft.record.push(member::CONFIDENCE_SCORE, Val::Num(score));
    draft.derived.push((member::CONFIDENCE_SCORE, How::Computed));
    if !draft.record.has(member::CONFIDENCE_METHOD) {
        draft.record.push(member::CONFIDENCE_METHOD, Val::Str(Cow::Borrowed("logprob_mean")));
        draft.derived.push((member::CONFIDENCE_METHOD, How::Computed));
    }
    if means.len() > 1 && !draft.record.has(member::CONFIDENCE_OF) {
        draft.record.push(member::CONFIDENCE_OF, Val::Str(Cow::Owned(format!("choice {choice}"))));
        draft.derived.push((member::CONFIDENCE_OF, How::Computed));
    }
}

/// Rules 3 and 4.
pub(super) fn confidence(draft: &mut Draft<'_>, thresholds: &[Threshold], kind: Kind, signal: Signal) {
    if lists::confidence_of_answers(draft) && draft.decision_model && !draft.record.has(member::CONFIDENCE_METHOD) {
        draft.record.push(member::CONFIDENCE_METHOD, Val::Str(Cow::Borrowed("decision_model")));
        draft.derived.push((member::CONFIDENCE_METHOD, How::Computed));
    }
    for member in [member::CONFIDENCE_SCORE, member::DECISION_SCORE] {
        if let Some(Val::Num(score)) = draft.record.get(member)
            && !(0.0..=1.0).contains(score)
        {
            draft.conflict(member.path());
        }
    }
    let Some(score) = number(draft, member::CONFIDENCE_SCORE) else { return };
    if let Some(configured) = threshold_of(draft, thresholds, kind, signal) {
        configure(draft, configured, score);
    }
    let Some(threshold) = number(draft, member::CONFIDENCE_THRESHOLD) else { return };
    let met = score >= threshold;
    match draft.record.get(member::CONFIDENCE_THRESHOLD_MET) {
        None => {
            draft.record.push(member::CONFIDENCE_THRESHOLD_MET, Val::Bool(met));
            draft.derived.push((member::CONFIDENCE_THRESHOLD_MET, How::Computed));
        }
        // The claim stays, and that the numbers say otherwise is named.
        Some(Val::Bool(sent)) if *sent != met => draft.conflict(member::CONFIDENCE_THRESHOLD_MET.path()),
        Some(_) => {}
    }
}

/// The first threshold whose condition holds.
fn threshold_of<'t>(draft: &mut Draft<'_>, thresholds: &'t [Threshold], kind: Kind, signal: Signal) -> Option<&'t Threshold> {
    let mut undecided = 0;
    let found = thresholds.iter().find(|threshold| match &threshold.when {
        None => true,
        Some(condition) => condition.holds(&|named| given::of_draft(draft, named, kind, signal)).unwrap_or_else(|_| {
            undecided += 1;
            false
        }),
    });
    draft.undecided += undecided;
    found
}

/// Puts a configured threshold in place, unless the sender's own is as strict.
fn configure(draft: &mut Draft<'_>, configured: &Threshold, score: f64) {
    let sent = number(draft, member::CONFIDENCE_THRESHOLD);
    if sent.is_some_and(|sent| sent >= configured.threshold) {
        if sent != Some(configured.threshold) {
            draft.conflict(member::CONFIDENCE_THRESHOLD.path());
        }
        return;
    }
    if sent.is_some() {
        draft.conflict(member::CONFIDENCE_THRESHOLD.path());
    }
    let met = score >= configured.threshold;
    if matches!(draft.record.get(member::CONFIDENCE_THRESHOLD_MET), Some(Val::Bool(sent)) if *sent != met) {
        draft.conflict(member::CONFIDENCE_THRESHOLD_MET.path());
    }
    let said = std::mem::take(&mut draft.of_threshold);
    draft.rest.extend(said);
    draft.derived.retain(|(member, _)| !is_of_threshold(*member));
    let source = match &configured.name {
        Some(name) => format!("{SOURCE}:{name}"),
        None => SOURCE.to_owned(),
    };
    draft.record.set(member::CONFIDENCE_THRESHOLD, Val::Num(configured.threshold));
    draft.record.set(member::CONFIDENCE_THRESHOLD_SOURCE, Val::Str(Cow::Owned(source)));
    draft.record.set(member::CONFIDENCE_THRESHOLD_MET, Val::Bool(met));
    draft.derived.push((member::CONFIDENCE_THRESHOLD, How::Configured));
    draft.derived.push((member::CONFIDENCE_THRESHOLD_SOURCE, How::Configured));
    draft.derived.push((member::CONFIDENCE_THRESHOLD_MET, How::Computed));
}

fn number(draft: &Draft<'_>, member: Member) -> Option<f64> {
    match draft.record.get(member) {
        Some(Val::Num(number)) => Some(*number),
        _ => None,
    }
}
