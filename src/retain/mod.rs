//! Record -> retention class, and the arithmetic of lock dates. Pure.
//!
//! A class says how strongly and how long. The default class, every policy that matches a record, and a class that telemetry asks for and
//! that is `claimable` each demand one; the record gets the weakest class that meets all of them ([`Classes::meet`]). So the order of
//! policies says nothing, and one more demand never shortens and never lowers.

mod period;
pub mod presets;

pub use period::{Length, Period};

use std::cmp::Ordering;

use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::worm::{Lock, Mode, is_name};

/// Position of a class in [`Classes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassIndex(pub u16);

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
    /// Of each class, how its period stands among all.
    ranks: Vec<u16>,
    default: ClassIndex,
}

/// How a period passes the ceiling, if it does: that must not depend on the day of a start, or a configuration that was taken would be refused at
/// a later one.
fn beyond(period: Period, ceiling: Period) -> Option<&'static str> {
    match period.compare(ceiling) {
        Some(Ordering::Less | Ordering::Equal) => None,
        Some(Ordering::Greater) => Some("is"),
        None => Some("is on some days"),
    }
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
            if class.period.after(now) >= UnixSeconds::MAX {
                return Err(format!(
                    "retention class `{}`: {} reaches beyond the year 9999, the last one that a store can be told; name a shorter period",
                    class.name, class.period
                ));
            }
            if class.mode == Mode::Compliance
                && let Some(is) = beyond(class.period, ceiling)
            {
                return Err(format!(
                    "retention class `{}`: COMPLIANCE for {} {is} longer than compliance_ceiling ({ceiling}); nobody can shorten it later, \
                     so raise `retention.compliance_ceiling` only if that is really meant",
                    class.name, class.period
                ));
            }
        }
        // Seals and `log.json` take the strongest mode and the latest date of all classes together (`store.md`, "Evidence lock").
        let strict = classes.iter().find(|c| c.mode == Mode::Compliance);
        let longest = classes.iter().filter_map(|c| Some((c, beyond(c.period, ceiling)?))).max_by_key(|(c, _)| c.period.after(now));
        if let (Some(strict), Some((longest, is))) = (strict, longest) {
            return Err(format!(
                "retention classes `{}` and `{}`: seals are locked in the strongest mode and for the longest time of any class, so they would \
                 be COMPLIANCE for {}, which {is} longer than compliance_ceiling ({ceiling}) and which nobody can shorten later; give the two \
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
        let ranks = ranks(&classes)?;
        Ok(Classes { classes, ranks, default })
    }

    /// Checks that whatever is demanded of one record can be met by one class: by policies, presets and the default, and by telemetry where a
    /// class is claimable. The error is a sentence.
    pub fn check_met(&self, demanded: impl IntoIterator<Item = ClassIndex>) -> Result<(), String> {
        let claimable = self.iter().filter(|(_, class)| class.claimable).map(|(index, _)| index);
        let all: Vec<ClassIndex> = demanded.into_iter().chain(claimable).chain([self.default]).collect();
        let most = |key: fn(&(Mode, u16)) -> u32| all.iter().copied().max_by_key(|index| key(&self.order(*index)));
        let (Some(strongest), Some(longest)) = (most(|order| u32::from(order.0 == Mode::Compliance)), most(|order| u32::from(order.1)))
        else {
            return Ok(());
        };
        let (strong, long) = (self.class(strongest), self.class(longest));
        let meets = |index: ClassIndex| self.order(index).0 >= strong.mode && self.order(index).1 >= self.order(longest).1;
        if self.iter().any(|(index, _)| meets(index)) {
            return Ok(());
        }
        Err(format!(
            "retention classes `{}` ({} for {}) and `{}` ({} for {}) may both be asked for by one record, and no class is as strong as the one \
             and as long as the other; add one, as in {{name: {}-strict, mode: {}, period: {}}}, which those records then get, or give both the same mode",
            strong.name,
            strong.mode.as_str(),
            strong.period,
            long.name,
            long.mode.as_str(),
            long.period,
            long.name,
            strong.mode.as_str(),
            long.period
        ))
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

    /// The weakest class that keeps as long and as strongly as each of these and as the default: what a record gets of which they are
    /// demanded. Never below any of them, whatever their order and however often they come.
    pub fn meet(&self, demanded: impl IntoIterator<Item = ClassIndex>) -> ClassIndex {
        let (mut mode, mut longest) = self.order(self.default);
        let mut best = self.default;
        for index in demanded {
            let order = self.order(index);
            // A class that is all that is asked for stays, also where an equal one comes.
            if order.0 >= mode && order.1 >= longest && order != (mode, longest) {
                best = index;
            }
            (mode, longest) = (mode.max(order.0), longest.max(order.1));
        }
        if self.order(best) == (mode, longest) {
            return best;
        }
        let enough = self.iter().map(|(index, _)| index).filter(|i| self.order(*i).0 >= mode && self.order(*i).1 >= longest);
        // That one is among them was looked at when the classes were checked.
        enough.min_by_key(|index| (self.order(*index).1, self.order(*index).0)).unwrap_or(best)
    }

    /// The class that telemetry asks for, if it may.
    pub fn claimed(&self, name: &str) -> Option<ClassIndex> {
        self.find(name).filter(|index| self.class(*index).claimable)
    }

    /// Mode and rank of a class: whose rank is higher keeps longer, whenever it begins.
    fn order(&self, index: ClassIndex) -> (Mode, u16) {
        let rank = self.ranks.get(usize::from(index.0)).copied().unwrap_or_default();
        (self.class(index).mode, rank)
    }
}

/// How the classes stand by their periods, the shortest as 0 and equal ones alike. The error is a sentence.
fn ranks(classes: &[Class]) -> Result<Vec<u16>, String> {
    let all: Vec<(&Class, Length)> = classes.iter().map(|class| (class, class.period.length())).collect();
    let unclear = |(a, of_a): &(&Class, Length), (b, of_b): &(&Class, Length)| {
        let (months, length) = if of_a.fewest == of_a.most { (b, of_b) } else { (a, of_a) };
        format!(
            "retention classes `{}` ({}) and `{}` ({}): which of them keeps longer depends on the day, as {} is {} to {} days; write both in \
             days, or both in months or years",
            a.name, a.period, b.name, b.period, months.period, length.fewest, length.most
        )
    };
    for (i, one) in all.iter().enumerate() {
        if let Some(other) = all.iter().skip(i).find(|other| one.1.compare(&other.1).is_none()) {
            return Err(unclear(one, other));
        }
    }
    // No two of them are unclear now.
    let less = |a: &Length, b: &Length| a.compare(b) == Some(Ordering::Less);
    let mut lengths: Vec<Length> = all.iter().map(|(_, length)| *length).collect();
    lengths.sort_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
    lengths.dedup_by(|a, b| !less(a, b) && !less(b, a));
    let rank = |length: &Length| u16::try_from(lengths.partition_point(|other| less(other, length))).unwrap_or(u16::MAX);
    Ok(all.iter().map(|(_, length)| rank(length)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixSeconds {
        UnixSeconds::parse_strict(text).unwrap()
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
        let endless = Class { name: "endless".into(), mode: Mode::Governance, period: "8000y".parse().unwrap(), claimable: false };
        let refused = Classes::new(vec![endless], "endless", "10y".parse().unwrap(), now).unwrap_err();
        assert!(refused.contains("9999"), "{refused}");
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

    fn find(all: &Classes, name: &str) -> ClassIndex {
        all.find(name).unwrap()
    }

    #[test]
    fn a_claim_lengthens_and_never_shortens() {
        let now = at("2026-11-20T00:00:00Z");
        let all = Classes::new(classes(), "standard", "10y".parse().unwrap(), now).unwrap();
        let name = |claim: &str| all.class(all.meet(all.claimed(claim))).name.clone();
        assert_eq!(name("long"), "long");
        assert_eq!(name("short"), "standard");
        assert_eq!(name("strict"), "standard", "not claimable");
        assert_eq!(name("unheard-of"), "standard");
    }

    #[test]
    fn what_no_single_class_meets_is_refused_before_a_record_asks_for_it() {
        let now = at("2026-11-20T00:00:00Z");
        let all = Classes::new(classes(), "standard", "10y".parse().unwrap(), now).unwrap();
        // `long` can be claimed for a record that a policy sends to `strict`.
        let refused = all.check_met([find(&all, "strict")]).unwrap_err();
        assert!(refused.contains("`strict` (COMPLIANCE for 1y)") && refused.contains("`long` (GOVERNANCE for 7y)"), "{refused}");
        assert!(refused.contains("{name: long-strict, mode: COMPLIANCE, period: 7y}"), "{refused}");
        assert!(all.check_met([]).is_ok() && all.check_met([find(&all, "short")]).is_ok());
        let mut more = classes();
        more.push(Class { name: "long-strict".into(), mode: Mode::Compliance, period: "84mo".parse().unwrap(), claimable: false });
        let all = Classes::new(more, "standard", "10y".parse().unwrap(), now).unwrap();
        all.check_met([find(&all, "strict")]).unwrap();
        let both = [find(&all, "strict"), find(&all, "long")];
        assert_eq!(all.class(all.meet(both)).name, "long-strict");
    }

    #[test]
    fn periods_of_which_no_one_can_say_which_is_longer_are_refused() {
        let now = at("2026-11-20T00:00:00Z");
        let class = |name: &str, period: &str| Class {
            name: name.into(),
            mode: Mode::Governance,
            period: period.parse().unwrap(),
            claimable: false,
        };
        let refused = Classes::new(vec![class("a", "182d"), class("b", "6mo")], "a", "10y".parse().unwrap(), now).unwrap_err();
        assert!(refused.contains("`a` (182d) and `b` (6mo)") && refused.contains("6mo is 181 to 184 days"), "{refused}");
    }

    mod any {
        use proptest::prelude::*;

        use super::*;

        fn class() -> impl Strategy<Value = Class> {
            // Of no two of these does it depend on the day which is longer.
            let periods = prop::sample::select(vec![
                "1d", "2w", "14d", "27d", "1mo", "90d", "180d", "6mo", "365d", "1y", "12mo", "366d", "24mo", "2y", "7y", "2557d", "10y",
            ]);
            (prop::bool::ANY, periods, prop::bool::ANY).prop_map(|(strict, period, claimable)| Class {
                name: String::new(),
                mode: if strict { Mode::Compliance } else { Mode::Governance },
                period: period.parse().unwrap(),
                claimable,
            })
        }

        /// Classes with one that meets all, and which of them are demanded.
        fn demands() -> impl Strategy<Value = (Classes, Vec<ClassIndex>, ClassIndex)> {
            let many = prop::collection::vec(class(), 1..12);
            (many, prop::collection::vec(any::<u16>(), 0..8), any::<u16>(), any::<u16>()).prop_map(|(mut all, demanded, more, default)| {
                all.push(Class { name: String::new(), mode: Mode::Compliance, period: "10y".parse().unwrap(), claimable: false });
                for (i, class) in all.iter_mut().enumerate() {
                    class.name = format!("c{i}");
                }
                let count = u16::try_from(all.len()).unwrap();
                let default = format!("c{}", default % count);
                let classes = Classes::new(all, &default, "10y".parse().unwrap(), at("2026-11-20T00:00:00Z")).unwrap();
                (classes, demanded.into_iter().map(|i| ClassIndex(i % count)).collect(), ClassIndex(more % count))
            })
        }

        fn moment() -> impl Strategy<Value = UnixSeconds> {
            // 1970 to 2200, and the days around which calendars go wrong.
            let days = prop::sample::select(vec![
                "2028-02-29T23:59:59Z",
                "2100-02-28T23:59:59Z",
                "2027-01-31T00:00:00Z",
                "2027-12-31T23:59:59Z",
                "2026-03-29T01:00:00Z",
                "2026-10-25T01:00:00Z",
            ]);
            prop_oneof![(0..7_258_118_400_i64).prop_map(UnixSeconds), days.prop_map(at)]
        }

        proptest! {
            /// What a record gets is below none of what is demanded of it, whenever it is sealed.
            #[test]
            fn no_demand_is_left_unmet((classes, demanded, _) in demands(), sealed_at in moment()) {
                let got = classes.lock(classes.meet(demanded.iter().copied()), sealed_at);
                for index in demanded.iter().copied().chain([classes.default_class()]) {
                    let asked = classes.lock(index, sealed_at);
                    prop_assert!(got.mode >= asked.mode && got.retain_until >= asked.retain_until, "{got:?} {asked:?}");
                }
            }

            /// One more demand never shortens and never lowers.
            #[test]
            fn more_is_never_less((classes, demanded, more) in demands(), sealed_at in moment()) {
                let before = classes.lock(classes.meet(demanded.iter().copied()), sealed_at);
                let after = classes.lock(classes.meet(demanded.iter().copied().chain([more])), sealed_at);
                prop_assert!(after.mode >= before.mode && after.retain_until >= before.retain_until, "{before:?} {after:?}");
            }

            /// Neither the order nor repeats change mode or date.
            #[test]
            fn order_says_nothing((classes, mut demanded, _) in demands(), sealed_at in moment()) {
                let first = classes.lock(classes.meet(demanded.iter().copied()), sealed_at);
                demanded.reverse();
                demanded.extend(demanded.clone());
                prop_assert_eq!(first, classes.lock(classes.meet(demanded), sealed_at));
            }

            /// Nothing is locked more strongly or longer than some demand names, where one class is enough.
            #[test]
            fn no_more_than_is_demanded((classes, demanded, _) in demands(), sealed_at in moment()) {
                let got = classes.meet(demanded.iter().copied());
                let all: Vec<ClassIndex> = demanded.into_iter().chain([classes.default_class()]).collect();
                let locks: Vec<Lock> = all.iter().map(|index| classes.lock(*index, sealed_at)).collect();
                let strongest = locks.iter().map(|lock| lock.mode).max().unwrap();
                prop_assert_eq!(classes.class(got).mode, strongest);
                let enough = all.iter().find(|one| all.iter().all(|other| {
                    classes.order(**one).0 >= classes.order(*other).0 && classes.order(**one).1 >= classes.order(*other).1
                }));
                if let Some(enough) = enough {
                    prop_assert_eq!(classes.lock(got, sealed_at), classes.lock(*enough, sealed_at));
                }
            }
        }
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
