//! Record -> retention class, and the arithmetic of lock dates. Pure.
//!
//! A class says how strongly and how long; policies that match on record fields come to choose among classes (all that match count,
//! the longest wins). Until then every record has the default class, unless it claims one that is marked `claimable`.

use std::fmt;
use std::str::FromStr;

use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::worm::{Lock, Mode, is_name};

/// Position of a class in [`Classes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassIndex(pub u16);

/// A period `Nd`, `Nw`, `Nmo` or `Ny` in the UTC calendar; month ends are clamped (31 January + 1mo = 28 or 29 February).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    count: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

impl Period {
    /// `from` plus this period, at the same time of day. Saturates at [`UnixSeconds::MAX`].
    pub fn after(self, from: UnixSeconds) -> UnixSeconds {
        let count = i64::from(self.count);
        let span = match self.unit {
            Unit::Day => jiff::Span::new().try_days(count),
            Unit::Week => jiff::Span::new().try_weeks(count),
            Unit::Month => jiff::Span::new().try_months(count),
            Unit::Year => jiff::Span::new().try_years(count),
        };
        let later = || {
            let at = jiff::Timestamp::from_second(from.0).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
            Some(UnixSeconds(at.checked_add(span.ok()?).ok()?.timestamp().as_second()))
        };
        later().unwrap_or(UnixSeconds::MAX).min(UnixSeconds::MAX)
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a period: write a whole number and d, w, mo or y, as in 180d or 7y");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let count: u32 = number.parse().map_err(|_| wrong())?;
        let unit = match unit {
            "d" => Unit::Day,
            "w" => Unit::Week,
            "mo" => Unit::Month,
            "y" => Unit::Year,
            _ => return Err(wrong()),
        };
        if count == 0 {
            return Err(format!("`{text}`: a period is at least 1"));
        }
        Ok(Period { count, unit })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Day => "d",
            Unit::Week => "w",
            Unit::Month => "mo",
            Unit::Year => "y",
        };
        write!(f, "{}{unit}", self.count)
    }
}

/// A retention class: records of different classes never share an object, because the lock is per object version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Name, `[a-z0-9][a-z0-9-]{0,62}`; part of segment keys.
    pub name: String,
    /// Object Lock mode.
    pub mode: Mode,
    /// How long, counted from `sealed_at`.
    pub period: Period,
    /// Whether telemetry may ask for it (`ai_audit.retention.class`).
    pub claimable: bool,
}

/// Most classes of a configuration. A seal names a segment of every class that came together in it, at most some 700 bytes each with a
/// version id of 100, and its statement is at most 65,535 bytes (`store.md`, "The seal"): 64 classes leave a quarter of that for what else
/// stands there, and for a class whose records fill several segments.
pub const CLASSES_MAX: usize = 64;

/// All classes of a configuration, checked once.
#[derive(Clone, Debug)]
pub struct Classes {
    classes: Vec<Class>,
    default: ClassIndex,
}

impl Classes {
    /// Checks names, the default and the ceiling. `now` is the moment from which the ceiling is measured.
    pub fn new(classes: Vec<Class>, default: &str, ceiling: Period, now: UnixSeconds) -> Result<Self, String> {
        if classes.len() > CLASSES_MAX {
            return Err(format!(
                "retention.classes has {} classes, and {CLASSES_MAX} is the most: a seal names a segment of each; records that need one more \
                 class belong in another log",
                classes.len()
            ));
        }
        for (i, class) in classes.iter().enumerate() {
            if !is_name(&class.name) {
                return Err(format!(
                    "retention class `{}`: a name is 1 to 63 of a-z, 0-9 and `-`, and does not begin with `-`",
                    class.name
                ));
            }
            if classes.iter().take(i).any(|c| c.name == class.name) {
                return Err(format!("retention class `{}` is defined twice", class.name));
            }
            if class.mode == Mode::Compliance && class.period.after(now) > ceiling.after(now) {
                return Err(format!(
                    "retention class `{}`: COMPLIANCE for {} is longer than compliance_ceiling ({ceiling}); nobody can shorten it later, \
                     so raise `retention.compliance_ceiling` only if that is really meant",
                    class.name, class.period
                ));
            }
        }
        // Seals and `log.json` take the strongest mode and the latest date of all classes together (`store.md`, "Evidence lock").
        let strict = classes.iter().find(|c| c.mode == Mode::Compliance);
        let longest = classes.iter().max_by_key(|c| c.period.after(now));
        if let (Some(strict), Some(longest)) = (strict, longest)
            && longest.period.after(now) > ceiling.after(now)
        {
            return Err(format!(
                "retention classes `{}` and `{}`: seals are locked in the strongest mode and for the longest time of any class, so they would \
                 be COMPLIANCE for {}, which is longer than compliance_ceiling ({ceiling}) and which nobody can shorten later; give the two \
                 classes logs of their own, or raise `retention.compliance_ceiling` only if that is really meant",
                strict.name, longest.name, longest.period
            ));
        }
        let default = classes
            .iter()
            .position(|c| c.name == default)
            .and_then(|i| u16::try_from(i).ok())
            .map(ClassIndex)
            .ok_or_else(|| format!("retention.default names `{default}`, which is none of retention.classes"))?;
        Ok(Classes { classes, default })
    }

    /// The class at this index (an index comes from this same value).
    pub fn class(&self, index: ClassIndex) -> &Class {
        let fallback = usize::from(self.default.0);
        #[expect(clippy::indexing_slicing, reason = "the default was found in this vector when it was checked")]
        self.classes.get(usize::from(index.0)).unwrap_or(&self.classes[fallback])
    }

    /// The default class.
    pub fn default_class(&self) -> ClassIndex {
        self.default
    }

    /// All classes with their indexes.
    pub fn iter(&self) -> impl Iterator<Item = (ClassIndex, &Class)> {
        self.classes.iter().enumerate().filter_map(|(i, c)| Some((ClassIndex(u16::try_from(i).ok()?), c)))
    }

    /// Index of a class by name.
    pub fn find(&self, name: &str) -> Option<ClassIndex> {
        self.iter().find(|(_, c)| c.name == name).map(|(i, _)| i)
    }

    /// The lock of a segment of this class.
    pub fn lock(&self, index: ClassIndex, sealed_at: UnixSeconds) -> Lock {
        let class = self.class(index);
        Lock { mode: class.mode, retain_until: class.period.after(sealed_at) }
    }

    /// The lock of evidence that names segments with these locks: the strongest mode and the latest date that any configured class,
    /// or any of them, has at that moment (`store.md`, "Evidence lock").
    pub fn evidence_lock(&self, sealed_at: UnixSeconds, segments: impl IntoIterator<Item = Lock>) -> Lock {
        let configured = self.iter().map(|(i, _)| self.lock(i, sealed_at));
        configured.chain(segments).fold(self.lock(self.default, sealed_at), Lock::join)
    }

    /// The same for evidence that was written under another configuration, as a `config_change` record holds it in `change.after`. `None`:
    /// it names no classes that can be read.
    pub fn evidence_lock_under(configuration: &Json, written: UnixSeconds, segments: impl IntoIterator<Item = Lock>) -> Option<Lock> {
        let mut locks = Vec::new();
        for class in configuration.path("retention.classes")?.as_array()? {
            let text = |name: &str| class.get(name).and_then(Json::as_str);
            let period: Period = text("period")?.parse().ok()?;
            locks.push(Lock { mode: Mode::parse(text("mode")?)?, retain_until: period.after(written) });
        }
        // A configuration has at least one class.
        let configured = locks.into_iter().reduce(Lock::join)?;
        Some(segments.into_iter().fold(configured, Lock::join))
    }

    /// The strongest mode and the longest period of all classes: the evidence lock of a seal whose segments are of these classes.
    pub fn evidence(&self, now: UnixSeconds) -> (Mode, Period) {
        let default = self.class(self.default);
        self.classes.iter().fold((default.mode, default.period), |(mode, period), class| {
            let longer = class.period.after(now) > period.after(now);
            (mode.max(class.mode), if longer { class.period } else { period })
        })
    }

    /// Decides the class of a record. A claim lengthens only, and only to a class that allows it.
    pub fn decide(&self, claimed: Option<&str>, now: UnixSeconds) -> Decision {
        let claimed_class = claimed.and_then(|name| self.find(name)).filter(|i| {
            let class = self.class(*i);
            let default = self.class(self.default);
            class.claimable && class.period.after(now) >= default.period.after(now) && class.mode >= default.mode
        });
        Decision { class: claimed_class.unwrap_or(self.default), policies: Vec::new() }
    }
}

/// Which class a record was given, and which policies chose it (ids and versions, for `retention.policies[]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The class.
    pub class: ClassIndex,
    /// What chose it; empty for the default.
    pub policies: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixSeconds {
        UnixSeconds::parse_strict(text).unwrap()
    }

    fn after(period: &str, from: &str) -> String {
        period.parse::<Period>().unwrap().after(at(from)).to_string()
    }

    #[test]
    fn periods_follow_the_utc_calendar_and_clamp_month_ends() {
        assert_eq!(after("180d", "2026-11-20T10:01:17Z"), "2027-05-19T10:01:17Z");
        assert_eq!(after("6mo", "2026-11-20T10:01:17Z"), "2027-05-20T10:01:17Z");
        assert_eq!(after("1mo", "2027-01-31T23:59:59Z"), "2027-02-28T23:59:59Z");
        assert_eq!(after("1mo", "2028-01-31T00:00:00Z"), "2028-02-29T00:00:00Z");
        assert_eq!(after("1y", "2028-02-29T00:00:00Z"), "2029-02-28T00:00:00Z");
        assert_eq!(after("4y", "2028-02-29T00:00:00Z"), "2032-02-29T00:00:00Z");
        assert_eq!(after("2w", "2026-12-25T00:00:00Z"), "2027-01-08T00:00:00Z");
        assert_eq!("4000000000y".parse::<Period>().unwrap().after(at("2026-01-01T00:00:00Z")), UnixSeconds::MAX);
        for bad in ["", "d", "0d", "-1d", "1", "1m", "1.5y", "1 d", "99999999999d", "1D"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    fn classes() -> Vec<Class> {
        let class =
            |name: &str, mode, period: &str, claimable| Class { name: name.into(), mode, period: period.parse().unwrap(), claimable };
        vec![
            class("standard", Mode::Governance, "180d", false),
            class("short", Mode::Governance, "1d", true),
            class("long", Mode::Governance, "7y", true),
            class("strict", Mode::Compliance, "1y", false),
        ]
    }

    #[test]
    fn the_ceiling_holds_for_compliance_only_and_to_the_day() {
        let now = at("2026-11-20T00:00:00Z");
        let short = || classes().into_iter().filter(|c| c.name != "long").collect::<Vec<_>>();
        assert!(Classes::new(short(), "standard", "1y".parse().unwrap(), now).is_ok());
        let refused = Classes::new(short(), "standard", "364d".parse().unwrap(), now).unwrap_err();
        assert!(refused.starts_with("retention class `strict`") && refused.contains("compliance_ceiling"), "{refused}");
        // What is locked for evidence takes the mode of one and the time of another.
        let refused = Classes::new(classes(), "standard", "1y".parse().unwrap(), now).unwrap_err();
        assert!(refused.starts_with("retention classes `strict` and `long`") && refused.contains("COMPLIANCE for 7y"), "{refused}");
        assert!(Classes::new(classes(), "standard", "7y".parse().unwrap(), now).is_ok());
        let governance: Vec<Class> = classes().into_iter().filter(|c| c.mode == Mode::Governance).collect();
        assert!(Classes::new(governance, "standard", "1d".parse().unwrap(), now).is_ok());
        assert!(Classes::new(classes(), "none", "10y".parse().unwrap(), now).is_err());
    }

    #[test]
    fn a_configuration_has_64_classes_at_most() {
        let now = at("2026-11-20T00:00:00Z");
        let many = |n: usize| -> Vec<Class> {
            (0..n)
                .map(|i| Class { name: format!("c{i}"), mode: Mode::Governance, period: "1d".parse().unwrap(), claimable: true })
                .collect()
        };
        for (n, fine) in [(63, true), (64, true), (65, false)] {
            let made = Classes::new(many(n), "c0", "10y".parse().unwrap(), now);
            assert_eq!(made.is_ok(), fine, "{n} classes: {:?}", made.err());
        }
    }

    #[test]
    fn a_claim_lengthens_and_never_shortens() {
        let now = at("2026-11-20T00:00:00Z");
        let all = Classes::new(classes(), "standard", "10y".parse().unwrap(), now).unwrap();
        let name = |claim: Option<&str>| all.class(all.decide(claim, now).class).name.clone();
        assert_eq!(name(None), "standard");
        assert_eq!(name(Some("long")), "long");
        assert_eq!(name(Some("short")), "standard");
        assert_eq!(name(Some("strict")), "standard", "not claimable");
        assert_eq!(name(Some("unheard-of")), "standard");
    }

    #[test]
    fn evidence_takes_the_strongest_mode_and_the_latest_date() {
        let now = at("2026-11-20T00:00:00Z");
        let all = Classes::new(classes(), "standard", "10y".parse().unwrap(), now).unwrap();
        let lock = all.evidence_lock(now, []);
        assert_eq!(lock, Lock { mode: Mode::Compliance, retain_until: at("2033-11-20T00:00:00Z") });
        let held = Lock { mode: Mode::Governance, retain_until: at("2040-01-01T00:00:00Z") };
        assert_eq!(all.evidence_lock(now, [held]).retain_until, held.retain_until);
        assert_eq!(all.evidence(now), (Mode::Compliance, "7y".parse().unwrap()));
    }
}
