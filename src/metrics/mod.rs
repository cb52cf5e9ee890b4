//! Figures of our own, for operators: one table of instruments ([`table`]), plain atomics where things happen, and two ways out, `/metrics`
//! in Prometheus text and OTLP to a Collector.
//!
//! Figures describe things, not requests, and their labels are words of enums: nothing that a sender chose ever becomes a label.

mod export;
mod hold;
mod instruments;
mod process;
mod prometheus;
mod receipts;
mod receive;
mod retention;
mod seal;
mod store;
mod stamping;
pub mod table;
mod witness;

use std::sync::{Arc, Mutex, PoisonError};

pub use export::{ExportError, Exporter};
pub use hold::HoldFigures;
pub use instruments::{Counter, Gauge, Histogram};
pub use process::Process;
pub use prometheus::CONTENT_TYPE;
pub use receipts::{Asked, ReceiptsFigures, ReceiptsOutcome};
pub use receive::ReceiveFigures;
pub use retention::RetentionFigures;
pub use seal::SealFigures;
pub use stamping::StampingFigures;
pub use store::ObservedStore;
pub use table::{Instrument, Kind};
pub use witness::WitnessFigures;

/// A histogram with its instrument and labels: the OTLP exporter cannot observe one from outside, so it is told of each.
pub type Distribution<'a> = (&'static Instrument, Option<(&'static str, &'static str)>, &'a Histogram);

/// Something that has figures.
pub trait Source: Send + Sync {
    /// Hands over what the figures are now.
    fn gather(&self, out: &mut Gather);
}

/// All sources of the process. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<Vec<Arc<dyn Source>>>>);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Adds a source; it stays until the process ends.
    pub fn register(&self, source: Arc<dyn Source>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// Everything as it is now, in the order of the table.
    pub fn gather(&self) -> Gather {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut out = Gather::default();
        for source in sources {
            source.gather(&mut out);
        }
        out
    }

    /// Prometheus text.
    pub fn prometheus(&self) -> String {
        prometheus::render(&self.gather())
    }
}

/// One value of an instrument.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Count(u64),
    /// A measure in the instrument's unit.
    Measure(f64),
    /// Cumulative buckets with their upper bounds, the number of values and their sum.
    Distribution {
        /// Upper bound and how many values were not above it.
        buckets: Vec<(f64, u64)>,
        /// How many values.
        count: u64,
        /// Their sum.
        sum: f64,
    },
}

/// A value with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Whose.
    pub instrument: &'static Instrument,
    /// Name and value, in the order of the table.
    pub labels: Vec<(&'static str, &'static str)>,
    /// What.
    pub value: Value,
}

/// What was gathered.
#[derive(Clone, Debug, Default)]
pub struct Gather(Vec<Sample>);

impl Gather {
    /// A whole number.
    pub fn count(&mut self, instrument: &'static Instrument, labels: &[(&'static str, &'static str)], value: u64) {
        self.0.push(Sample { instrument, labels: labels.to_vec(), value: Value::Count(value) });
    }

    /// A measure.
    pub fn measure(&mut self, instrument: &'static Instrument, labels: &[(&'static str, &'static str)], value: f64) {
        self.0.push(Sample { instrument, labels: labels.to_vec(), value: Value::Measure(value) });
    }

    /// A distribution.
    pub fn distribution(&mut self, instrument: &'static Instrument, labels: &[(&'static str, &'static str)], of: &Histogram) {
        self.0.push(Sample { instrument, labels: labels.to_vec(), value: of.value() });
    }

    /// The samples of one instrument.
    pub fn of(&self, instrument: &'static Instrument) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |s| std::ptr::eq(s.instrument, instrument))
    }
}
