//! Time: the one place that reads a clock, and the two units that everything else speaks.
//!
//! Pure folders (`otlp`, `record`, `promote`, `retain`, `tlog`) are handed times; they never ask for one.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, UTC, as OTLP's `fixed64 *_unix_nano` fields carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNanos(pub u64);

/// Whole seconds since the Unix epoch, UTC: the unit of seals and of Object Lock dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct UnixSeconds(pub i64);

impl UnixNanos {
    /// The same moment in whole seconds, rounded **up**, as `sealed_at` and lock dates are.
    pub fn ceil_seconds(self) -> UnixSeconds {
        UnixSeconds(i64::try_from(self.0.div_ceil(1_000_000_000)).unwrap_or(i64::MAX))
    }

    /// RFC 3339 in UTC with nine decimals, the record's type `t`.
    pub fn rfc3339(self) -> String {
        let mut out = String::with_capacity(30);
        let whole = UnixSeconds(i64::try_from(self.0 / 1_000_000_000).unwrap_or(i64::MAX));
        whole.write_date_time(&mut out);
        let _ = fmt::Write::write_fmt(&mut out, format_args!(".{:09}Z", self.0 % 1_000_000_000));
        out
    }

    /// Parses the nine-decimal form, and any RFC 3339 time with an offset.
    pub fn parse(text: &str) -> Option<Self> {
        let at = jiff::Timestamp::from_str(text).ok()?;
        u64::try_from(at.as_nanosecond()).ok().map(UnixNanos)
    }
}

impl UnixSeconds {
    /// The latest moment that a date may name here: 9999-12-30T21:59:59Z (what the date library can parse back).
    pub const MAX: UnixSeconds = UnixSeconds(253_402_207_199);

    /// Parses RFC 3339; a fraction is rounded up (some stores return nine digits).
    pub fn parse(text: &str) -> Option<Self> {
        let at = jiff::Timestamp::from_str(text).ok()?;
        let up = i64::from(at.subsec_nanosecond() > 0);
        Some(UnixSeconds(at.as_second().checked_add(up)?))
    }

    /// Strict form of stored files: `YYYY-MM-DDTHH:MM:SSZ` and nothing else.
    pub fn parse_strict(text: &str) -> Option<Self> {
        let parsed = Self::parse(text)?;
        // There is no year 0 in the calendar that others count by.
        (text.len() == 20 && !text.starts_with("0000") && parsed <= Self::MAX && parsed.to_string() == text).then_some(parsed)
    }

    /// Year, month and day in UTC.
    pub fn date(self) -> (i64, u32, u32) {
        // Days since 0000-03-01 in the proleptic Gregorian calendar; the classic era arithmetic.
        let days = self.0.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_index + 2) / 5 + 1;
        let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
    }

    fn write_date_time(self, out: &mut String) {
        let (year, month, day) = self.date();
        let second = self.0.rem_euclid(86_400);
        let _ = fmt::Write::write_fmt(
            out,
            format_args!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60),
        );
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(20);
        self.write_date_time(&mut text);
        write!(f, "{text}Z")
    }
}

/// Where a process takes the time from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now, in UTC.
    fn now(&self) -> UnixNanos;
}

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> UnixNanos {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixNanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// A clock that a test moves by hand. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Starts at `at`.
    pub fn new(at: UnixNanos) -> Self {
        ManualClock(Arc::new(AtomicU64::new(at.0)))
    }

    /// Moves forward.
    pub fn advance(&self, by: std::time::Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Sets the time, also backwards.
    pub fn set(&self, at: UnixNanos) {
        self.0.store(at.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixNanos {
        UnixNanos(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_an_independent_calendar() {
        for seconds in [-1, 0, 951_782_399, 951_782_400, 1_709_164_800, 4_107_542_399, 253_402_207_199_i64] {
            let other = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            assert_eq!(UnixSeconds(seconds).to_string(), other);
            assert_eq!(UnixSeconds::parse_strict(&other), Some(UnixSeconds(seconds)));
        }
    }

    #[test]
    fn rounds_up_and_keeps_nine_decimals() {
        assert_eq!(UnixNanos(1_000_000_001).ceil_seconds(), UnixSeconds(2));
        assert_eq!(UnixNanos(1_000_000_000).ceil_seconds(), UnixSeconds(1));
        assert_eq!(UnixNanos(1).rfc3339(), "1970-01-01T00:00:00.000000001Z");
        assert_eq!(UnixNanos::parse("1970-01-01T00:00:00.000000001Z"), Some(UnixNanos(1)));
        assert_eq!(UnixSeconds::parse("2026-01-01T00:00:00.000000001Z").unwrap().to_string(), "2026-01-01T00:00:01Z");
        assert_eq!(UnixSeconds::parse_strict("2026-01-01T00:00:00.0Z"), None);
    }
}
