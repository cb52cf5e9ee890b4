//! Presets: what laws, rules and standards say about keeping such records, as data.
//!
//! A preset names its source and claims no more than that. What could not be held against the primary text says `checked: false`. It demands
//! a retention class of its own; several presets combine as policies do ([`super::Classes::meet`]). None makes anybody compliant.

mod table;

pub use table::PRESETS;

use super::Period;
use crate::worm::Mode;

/// What a preset is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Evidence: it can stand in `retention.presets`.
    Evidence,
    /// Content, of which a law limits how long it is kept: `content.vault.retention`.
    Content,
    /// A hold, which an order begins and ends: `spanseal hold`.
    Hold,
}

/// What somebody says about how long such records are kept. Texts are plain words for a reader who is no engineer.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub id: &'static str,
    /// The law, rule or standard.
    pub law: &'static str,
    /// Where in it.
    pub article: &'static str,
    /// What it is about.
    pub scope: Scope,
    /// What starts the clock there.
    pub trigger: &'static str,
    /// Whether the record is made when the clock starts. Otherwise `retain_until`, which is counted from sealing, is too early, and a record
    /// has to be extended when the date is known.
    pub from_record: bool,
    /// The least, as a period of [`Period`]; `None`: it states none.
    pub minimum: Option<&'static str>,
    /// The least in words, with what is not a number.
    pub minimum_says: &'static str,
    /// What spanseal suggests, at least the minimum; `None`: the operator has to say.
    pub suggested: Option<&'static str>,
    /// Why that much, where it is neither the least nor our own choice.
    pub suggested_why: Option<&'static str>,
    /// Suggested mode.
    pub mode: Mode,
    /// Of which records, as a condition of retention policies, where it is not all.
    pub when: Option<&'static str>,
    /// Members of the record that a reader of such evidence looks for (suggested by spanseal; the source may ask for more or for less).
    pub fields: &'static [&'static str],
    /// The day on which this was last looked at, `YYYY-MM-DD`: the version of the preset.
    pub as_of: &'static str,
    /// From when it applies, in words with dates.
    pub applies_from: &'static str,
    /// Where to read it.
    pub source: &'static str,
    /// Whether minimum and trigger were seen in the source. Otherwise they are general knowledge.
    pub checked: bool,
    /// What a reader should know beside.
    pub remarks: &'static [&'static str],
}

impl Preset {
    /// The preset of this name.
    pub fn find(id: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|preset| preset.id == id)
    }

    /// The name of its retention class: names of classes have no points.
    pub fn class(&self) -> String {
        self.id.replace('.', "-")
    }

    /// [`Preset::minimum`] as a period.
    pub fn minimum(&self) -> Option<Period> {
        self.minimum.and_then(|text| text.parse().ok())
    }

    /// Why that period is suggested. `None`: none is.
    pub fn why_so_long(&self) -> Option<String> {
        let (text, suggested) = (self.suggested?, self.suggested()?);
        let why = match (self.suggested_why, self.minimum) {
            (Some(why), _) => why.to_owned(),
            (None, Some(least)) if self.minimum().is_some_and(|least| suggested.compare(least).is_some_and(|order| order.is_eq())) => {
                format!("it is the least that is named above ({least})")
            }
            (None, Some(least)) => format!("spanseal's own choice, above the least ({least}); the source names no such period"),
            (None, None) => "spanseal's own choice; the source names no period".to_owned(),
        };
        Some(format!("{text}: {why}"))
    }

    /// Why that mode is suggested.
    pub fn why_that_mode(&self) -> String {
        let mode = self.mode.as_str();
        match self.mode {
            Mode::Compliance => format!(
                "{mode}: spanseal's own choice, so that nobody can delete such records before their date; `mode: GOVERNANCE` leaves that to whoever \
                 has the permission"
            ),
            Mode::Governance => {
                format!(
                    "{mode}: spanseal's own choice, so that a period which was set too long can be taken back by whoever has the permission"
                )
            }
        }
    }

    /// Why it is about these records, unless `when` says otherwise.
    pub fn why_those_records(&self) -> &'static str {
        match self.when {
            Some(_) => "spanseal's own reading of what the place speaks of; `when` says it otherwise",
            None => "which of your records the place means only you know, so it is all until `when` says less",
        }
    }

    /// [`Preset::suggested`] as a period.
    pub fn suggested(&self) -> Option<Period> {
        self.suggested.and_then(|text| text.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;
    use crate::record::registry::Member;
    use crate::worm::is_name;

    #[test]
    fn every_preset_says_what_it_has_to() {
        for (i, preset) in PRESETS.iter().enumerate() {
            let id = preset.id;
            assert!(is_name(&preset.class()) && PRESETS.iter().take(i).all(|other| other.id != id), "{id}");
            for text in [preset.law, preset.article, preset.trigger, preset.minimum_says, preset.applies_from, preset.source] {
                assert!(!text.is_empty() && text.trim() == text, "{id}: {text:?}");
            }
            assert!(preset.source.starts_with("https://"), "{id}: {}", preset.source);
            assert!(preset.as_of.parse::<jiff::civil::Date>().is_ok(), "{id}");
            assert_eq!(preset.minimum().is_some(), preset.minimum.is_some(), "{id}");
            assert_eq!(preset.suggested().is_some(), preset.suggested.is_some(), "{id}");
            if let (Some(minimum), Some(suggested)) = (preset.minimum(), preset.suggested()) {
                assert_ne!(suggested.compare(minimum), Some(Ordering::Less), "{id} suggests less than it says is the least");
                assert!(suggested.compare(minimum).is_some(), "{id}");
            }
            if preset.scope != Scope::Evidence {
                assert!(preset.suggested.is_none() && preset.when.is_none() && preset.fields.is_empty(), "{id} is not about evidence");
            }
            for path in preset.fields {
                assert!(Member::all().any(|member| member.path() == *path), "{id}: {path} is no member of the record");
            }
        }
    }

    /// Guarantee: no text claims what no record can do for anybody.
    #[test]
    fn no_preset_claims_more_than_its_source() {
        for preset in PRESETS {
            let mut texts = vec![preset.law, preset.article, preset.trigger, preset.minimum_says, preset.applies_from];
            texts.extend(preset.remarks);
            for text in texts {
                let lower = text.to_lowercase();
                for word in ["compliant", "compliance with", "tamper", "guarantee", "ensures"] {
                    assert!(!lower.contains(word), "{}: {text}", preset.id);
                }
            }
        }
    }
}
