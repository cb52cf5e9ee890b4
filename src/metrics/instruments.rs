//! Counters, gauges and histograms: atomics that anything may touch at any time, without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Value;

/// Only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Its value.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Its value.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets, milliseconds: from a local file's sync to a put that nearly timed out.
const BOUNDS_MS: [u32; 14] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/// Durations in fixed buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One a bound, and one for everything above; not cumulative.
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    nanos: AtomicU64,
    /// The same instrument of the OTLP exporter, once there is one: a distribution cannot be observed from outside.
    mirror: OnceLock<Mirror>,
}

#[derive(Debug)]
struct Mirror {
    histogram: opentelemetry::metrics::Histogram<f64>,
    labels: Vec<opentelemetry::KeyValue>,
}

impl Histogram {
    /// Upper bounds in seconds.
    pub fn bounds() -> Vec<f64> {
        BOUNDS_MS.iter().map(|ms| f64::from(*ms) / 1000.0).collect()
    }

    /// Takes a duration in.
    pub fn record(&self, duration: Duration) {
        let at = BOUNDS_MS.iter().position(|ms| duration <= Duration::from_millis(u64::from(*ms))).unwrap_or(BOUNDS_MS.len());
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.nanos.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Some(mirror) = self.mirror.get() {
            mirror.histogram.record(duration.as_secs_f64(), &mirror.labels);
        }
    }

    /// From now on also records there.
    pub(super) fn mirror(&self, histogram: opentelemetry::metrics::Histogram<f64>, labels: &[(&'static str, &'static str)]) {
        let labels = labels.iter().map(|(n, v)| opentelemetry::KeyValue::new(*n, *v)).collect();
        let _ = self.mirror.set(Mirror { histogram, labels });
    }

    pub(super) fn value(&self) -> Value {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(BOUNDS_MS.len());
        for (bucket, bound) in self.buckets.iter().zip(Self::bounds()) {
            count += bucket.load(Ordering::Relaxed);
            buckets.push((bound, count));
        }
        count += self.buckets.last().map_or(0, |above| above.load(Ordering::Relaxed));
        Value::Distribution { buckets, count, sum: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_counts_below_it() {
        let histogram = Histogram::default();
        for ms in [1, 2, 3, 30_000, 30_001] {
            histogram.record(Duration::from_millis(ms));
        }
        let Value::Distribution { buckets, count, sum } = histogram.value() else { panic!() };
        assert_eq!(buckets[..3], [(0.001, 1), (0.002, 2), (0.005, 3)]);
        assert_eq!(buckets[13], (30.0, 4));
        assert_eq!(count, 5);
        assert!((sum - 60.007).abs() < 1e-9, "{sum}");
    }
}
