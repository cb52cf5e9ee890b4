//! The same figures, pushed to a Collector by the official SDK. Never to our own receiver: `config` refuses that.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{MetricExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};

use super::{Distribution, Instrument, Kind, Metrics, Value, table};
use crate::config::OtlpExport;

/// Why the exporter could not be built.
#[derive(Debug, thiserror::Error)]
#[error("`telemetry.otlp`: own metrics cannot be pushed to `{endpoint}`: {reason}")]
pub struct ExportError {
    endpoint: String,
    reason: String,
}

/// How long one push may take; at the end of the process it is waited for.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// The running exporter.
#[derive(Debug)]
pub struct Exporter(SdkMeterProvider);

impl Exporter {
    /// Starts pushing. A Collector that is not there is no error: the SDK says so in the log and goes on.
    pub fn start<'a>(
        export: &OtlpExport,
        metrics: &Metrics,
        distributions: impl Iterator<Item = Distribution<'a>>,
    ) -> Result<Self, ExportError> {
        let wrong = |reason: String| ExportError { endpoint: export.endpoint.clone(), reason };
        // What is not said here, the SDK takes from OTEL_EXPORTER_OTLP_* in the environment, which is no part of our configuration; and it
        // adds the headers named there in any case, so they are taken out again.
        let exporter = MetricExporter::builder()
            .with_tonic()
            .with_endpoint(&export.endpoint)
            .with_timeout(PUSH_TIMEOUT)
            .with_temporality(Temporality::Cumulative)
            .with_interceptor(without_metadata)
            .build()
            .map_err(|e| wrong(e.to_string()))?;
        let reader = PeriodicReader::builder(exporter).with_interval(export.interval).build();
        let resource = Resource::builder_empty()
            .with_attributes([KeyValue::new("service.name", "spanseal"), KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))])
            .build();
        let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build();
        let meter = provider.meter("spanseal");
        for instrument in table::ALL {
            register(&meter, instrument, metrics);
        }
        for (instrument, label, figures) in distributions {
            // The SDK gives all that are built under one name one stream.
            let histogram = meter
                .f64_histogram(instrument.name)
                .with_unit(instrument.unit)
                .with_description(instrument.meaning)
                .with_boundaries(super::Histogram::bounds())
                .build();
            figures.mirror(histogram, label.as_slice());
        }
        Ok(Exporter(provider))
    }

    /// Pushes what is left and stops. Blocks for as long as the Collector takes, at most [`PUSH_TIMEOUT`].
    pub fn stop(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "telemetry.stopped");
        }
    }
}

fn without_metadata(mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
    request.metadata_mut().clear();
    Ok(request)
}

fn register(meter: &opentelemetry::metrics::Meter, instrument: &'static Instrument, metrics: &Metrics) {
    let metrics = metrics.clone();
    let observe = move |each: &dyn Fn(f64, &[KeyValue])| {
        for sample in metrics.gather().of(instrument) {
            let labels: Vec<KeyValue> = sample.labels.iter().map(|(n, v)| KeyValue::new(*n, *v)).collect();
            match sample.value {
                Value::Count(n) => each(lossy(n), &labels),
                Value::Measure(n) => each(n, &labels),
                Value::Distribution { .. } => {}
            }
        }
    };
    match instrument.kind {
        Kind::Counter => {
            let _ = meter
                .f64_observable_counter(instrument.name)
                .with_unit(instrument.unit)
                .with_description(instrument.meaning)
                .with_callback(move |o| observe(&|value, labels| o.observe(value, labels)))
                .build();
        }
        Kind::Gauge => {
            let _ = meter
                .f64_observable_gauge(instrument.name)
                .with_unit(instrument.unit)
                .with_description(instrument.meaning)
                .with_callback(move |o| observe(&|value, labels| o.observe(value, labels)))
                .build();
        }
        // Distributions cannot be observed; they are recorded twice (`Histogram::mirror`).
        Kind::Histogram => {}
    }
}

#[expect(clippy::as_conversions, reason = "above 2^53 a figure may be off by one in 10^15; there is no exact conversion")]
fn lossy(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::metrics::{ObservedStore, Process, SealFigures};
    use crate::receive::listen;
    use crate::worm::local::{LocalOptions, LocalStore};
    use crate::worm::{Condition, WormStore, seal_key};
    use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{MetricsService, MetricsServiceServer};
    use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
    use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use std::sync::Arc;
    use tokio::sync::mpsc;

    struct Collector(mpsc::Sender<ExportMetricsServiceRequest>);

    #[tonic::async_trait]
    impl MetricsService for Collector {
        async fn export(
            &self,
            request: tonic::Request<ExportMetricsServiceRequest>,
        ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
            assert!(!request.metadata().contains_key("x-of-environment"));
            self.0.send(request.into_inner()).await.unwrap();
            Ok(tonic::Response::new(ExportMetricsServiceResponse::default()))
        }
    }

    /// Scenario: a Collector that other hands wrote receives a push at the end. Guarantee: counters, gauges and distributions arrive
    /// under the names of the table.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_receives_the_table() {
        let (sender, mut received) = mpsc::channel(8);
        let endpoint = listen::Endpoint { address: "127.0.0.1:0".into(), tls: None, token_file: None };
        let listener = listen::bind(&endpoint).await.unwrap();
        let endpoint = format!("http://{}", listener.address());
        let _listening = listener.serve(MetricsServiceServer::new(Collector(sender)), &[], Arc::default());

        let folder = tempfile::tempdir().unwrap();
        let store = ObservedStore::new(Arc::new(LocalStore::open(folder.path(), LocalOptions::default()).unwrap()));
        let metrics = Metrics::default();
        let clock = Arc::new(SystemClock);
        metrics.register(Arc::new(Process::new(clock.clone(), Arc::new(crate::api::Standing::new(clock, None)))));
        metrics.register(Arc::new(store.clone()));
        let to = OtlpExport { endpoint, allow_http: false, interval: Duration::from_secs(3600) };
        let sealing = SealFigures { stats: Arc::default(), pool: crate::seal::Pool::new(1, Duration::ZERO), clock: Arc::new(SystemClock) };
        let exporter = Exporter::start(&to, &metrics, store.distributions().chain(sealing.distributions())).unwrap();
        sealing.stats.duration.record(Duration::from_millis(3));
        store.put(&seal_key("log", 0), "x".into(), Condition::CreateOnly, None).await.unwrap();
        tokio::task::spawn_blocking(move || exporter.stop()).await.unwrap();

        let request = tokio::time::timeout(Duration::from_secs(60), received.recv()).await.expect("nothing arrived").unwrap();
        let resource = &request.resource_metrics[0];
        assert!(resource.resource.as_ref().unwrap().attributes.iter().any(|a| a.key == "service.name"));
        for metric in resource.scope_metrics.iter().flat_map(|s| &s.metrics) {
            let temporality = match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => sum.aggregation_temporality(),
                Data::Histogram(histogram) => histogram.aggregation_temporality(),
                _ => continue,
            };
            assert_eq!(temporality, AggregationTemporality::Cumulative, "{}", metric.name);
        }
        let names: Vec<&str> = resource.scope_metrics.iter().flat_map(|s| &s.metrics).map(|m| m.name.as_str()).collect();
        for name in [
            "spanseal.build",
            "process.uptime",
            "spanseal.ready",
            "spanseal.worm.puts",
            "spanseal.worm.put.duration",
            "spanseal.seal.duration",
        ] {
            assert_eq!(names.iter().filter(|n| **n == name).count(), 1, "{name}: {names:?}");
        }
    }
    /// Scenario: the environment says how applications should export. Guarantee: it changes nothing here. (A process cannot change its own
    /// environment without danger: the test above runs again in another.)
    #[test]
    fn the_environment_does_not_configure_it() {
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "metrics::export::tests::a_collector_receives_the_table"])
            .env("OTEL_EXPORTER_OTLP_HEADERS", "x-of-environment=1")
            .env("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0")
            .env("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
            .env("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf")
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
            .env("OTEL_EXPORTER_OTLP_INSECURE", "false")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && said.contains("1 passed"), "{said}");
    }
}
