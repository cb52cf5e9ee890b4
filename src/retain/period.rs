//! Periods of the UTC calendar: how long something is kept, and which of two keeps longer.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::clock::UnixSeconds;

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

impl Period {
    /// Which of two keeps longer, whenever they begin. `None`: that depends on the day, as with `1mo` and `30d`.
    pub fn compare(self, other: Period) -> Option<Ordering> {
        self.length().compare(&other.length())
    }

    /// How long it is, to be compared with many others.
    pub fn length(self) -> Length {
        let count = u64::from(self.count);
        let (months, days) = match self.unit {
            Unit::Day => (None, count),
            Unit::Week => (None, 7 * count),
            Unit::Month => (Some(count), 0),
            Unit::Year => (Some(12 * count), 0),
        };
        match months {
            None => Length { months, fewest: days, most: days },
            Some(count) => Length { months, fewest: days_in(count, Clamped::Most), most: days_in(count, Clamped::Never) },
        }
    }
}

/// The length of a [`Period`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    months: Option<u64>,
    /// The fewest days that it lasts, whenever it begins.
    pub fewest: u64,
    /// The most.
    pub most: u64,
}

impl Length {
    /// See [`Period::compare`].
    pub fn compare(&self, other: &Length) -> Option<Ordering> {
        match (self.months, other.months) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ if self == other || (self.fewest, self.most, other.fewest) == (other.most, other.fewest, self.most) => Some(Ordering::Equal),
            _ if self.most <= other.fewest => Some(Ordering::Less),
            _ if self.fewest >= other.most => Some(Ordering::Greater),
            _ => None,
        }
    }
}

/// On which day of its month something begins.
#[derive(Clone, Copy, PartialEq)]
enum Clamped {
    /// One that every month has.
    Never,
    /// The last one, which a shorter month takes the most from.
    Most,
}

/// Months after which the Gregorian calendar repeats, to the day.
const CYCLE_MONTHS: u64 = 4800;
const CYCLE_DAYS: u64 = 146_097;

/// Days before each month and days in it, of two cycles, so that every month of the first has a later one in them.
static MONTHS: LazyLock<Vec<(u64, u64)>> = LazyLock::new(|| {
    let lengths = (0..2 * CYCLE_MONTHS).map(month_days);
    lengths.scan(0, |sum, days| Some((std::mem::replace(sum, *sum + days), days))).collect()
});

/// The most days of so many months over all months in which they begin ([`Clamped::Never`]), or the fewest.
fn days_in(months: u64, clamped: Clamped) -> u64 {
    let whole = (months / CYCLE_MONTHS).saturating_mul(CYCLE_DAYS);
    let later = usize::try_from(months % CYCLE_MONTHS).unwrap_or(usize::MAX);
    let spans = MONTHS.iter().zip(MONTHS.iter().skip(later)).take(MONTHS.len() / 2);
    let days = spans.map(|((from, first), (to, last))| match clamped {
        Clamped::Never => to - from,
        Clamped::Most => (to - from).saturating_sub(first.saturating_sub(*last)),
    });
    let bound = match clamped {
        Clamped::Never => days.max(),
        Clamped::Most => days.min(),
    };
    whole.saturating_add(bound.unwrap_or_default())
}

/// Days of a month, counted from January of the year 2000.
fn month_days(month: u64) -> u64 {
    let (year, month) = (2000 + month / 12, month % 12);
    match month {
        1 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
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

    #[test]
    fn which_period_is_longer_is_told_only_where_it_never_depends_on_the_day() {
        let compare = |a: &str, b: &str| a.parse::<Period>().unwrap().compare(b.parse().unwrap());
        for (a, b, told) in [
            ("24mo", "2y", Some(Ordering::Equal)),
            ("2w", "14d", Some(Ordering::Equal)),
            ("6mo", "180d", Some(Ordering::Greater)),
            ("6mo", "181d", Some(Ordering::Greater)),
            ("6mo", "182d", None),
            ("6mo", "184d", Some(Ordering::Less)),
            ("1mo", "30d", None),
            ("1mo", "28d", Some(Ordering::Greater)),
            ("1mo", "31d", Some(Ordering::Less)),
            ("1y", "365d", Some(Ordering::Greater)),
            ("1y", "366d", Some(Ordering::Less)),
            ("7y", "2555d", Some(Ordering::Greater)),
            // Seven years around 2100 have no leap day.
            ("7y", "2556d", None),
            ("7y", "2557d", Some(Ordering::Less)),
            ("400y", "146097d", Some(Ordering::Equal)),
        ] {
            assert_eq!(compare(a, b), told, "{a} {b}");
            assert_eq!(compare(b, a), told.map(Ordering::reverse), "{b} {a}");
        }
    }

    /// Scenario: every day of eight years and around 2100, as the beginning of periods of months and years. Guarantee: the bounds are never
    /// left, and each is met on some day of the calendar's 400 years.
    #[test]
    fn the_bounds_of_months_are_those_of_the_calendar() {
        for text in ["1mo", "2mo", "6mo", "11mo", "1y", "25mo", "4y", "7y", "10y"] {
            let period: Period = text.parse().unwrap();
            let Length { fewest, most, .. } = period.length();
            let (mut least, mut greatest) = (u64::MAX, 0);
            let mut day = at("2000-01-01T12:00:00Z").0;
            while day < at("2400-01-01T12:00:00Z").0 {
                let days = u64::try_from((period.after(UnixSeconds(day)).0 - day) / 86_400).unwrap();
                (least, greatest) = (least.min(days), greatest.max(days));
                day += 86_400;
            }
            assert_eq!((fewest, most), (least, greatest), "{text}");
        }
    }
}
