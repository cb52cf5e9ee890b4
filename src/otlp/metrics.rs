//! Metrics are received so that one exporter configuration serves all signals; they hold no AI decisions, so they are only counted.

use super::view::{each_in, resource_groups};
use super::wire::{Fields, Malformed, Payload};

/// Data points of an `ExportMetricsServiceRequest` (metrics.proto): those of gauges (5), sums (7), histograms (9), exponential
/// histograms (10) and summaries (11). An error means that the request is not protobuf.
pub fn data_points(request: &[u8]) -> Result<u64, Malformed> {
    let mut points = 0_u64;
    for group in resource_groups(request) {
        for scope in each_in(group?, 2) {
            for metric in each_in(scope?, 2) {
                for field in Fields::new(metric?) {
                    let field = field?;
                    if let (5 | 7 | 9 | 10 | 11, Payload::Bytes(data)) = (field.number, field.value) {
                        for point in each_in(data, 1) {
                            point?;
                            points += 1;
                        }
                    }
                }
            }
        }
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::*;
    use prost::Message as _;

    fn request() -> ExportMetricsServiceRequest {
        let data = [
            Data::Gauge(Gauge { data_points: vec![NumberDataPoint::default(); 1] }),
            Data::Sum(Sum { data_points: vec![NumberDataPoint { time_unix_nano: 5, ..Default::default() }; 2], ..Default::default() }),
            Data::Histogram(Histogram {
                data_points: vec![HistogramDataPoint { count: 3, ..Default::default() }; 4],
                ..Default::default()
            }),
            Data::ExponentialHistogram(ExponentialHistogram { data_points: vec![Default::default(); 8], ..Default::default() }),
            Data::Summary(Summary { data_points: vec![SummaryDataPoint { sum: 1.5, ..Default::default() }; 16] }),
        ];
        let metrics = data.map(|data| Metric { name: "m".to_owned(), data: Some(data), ..Default::default() }).to_vec();
        let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
        ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] }
    }

    #[test]
    fn points_of_every_kind_are_counted_in_both_encodings() {
        let request = request();
        let bytes = request.encode_to_vec();
        assert_eq!(data_points(&bytes), Ok(31));
        assert_eq!(data_points(&[]), Ok(0));
        assert!(data_points(&bytes[..bytes.len() - 1]).is_err());
        let json = crate::otlp::json::metrics(&serde_json::to_vec(&request).unwrap()).unwrap();
        assert_eq!(data_points(&json), Ok(31));
    }
}
