//! Prometheus text exposition format 0.0.4.

use std::fmt::Write;

use super::{Gather, Kind, Value, table};

/// `Content-Type` of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes everything that was gathered, in the order of the table.
pub(super) fn render(gathered: &Gather) -> String {
    let mut out = String::with_capacity(8 * 1024);
    for instrument in table::ALL {
        let mut samples = gathered.of(instrument).peekable();
        if samples.peek().is_none() {
            continue;
        }
        let name = instrument.prometheus;
        let kind = match instrument.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {name} {}", escape_help(instrument.meaning));
        let _ = writeln!(out, "# TYPE {name} {kind}");
        for sample in samples {
            let labels = labels(&sample.labels);
            match &sample.value {
                Value::Count(n) => line(&mut out, name, "", &labels, &n.to_string()),
                Value::Measure(n) => line(&mut out, name, "", &labels, &number(*n)),
                Value::Distribution { buckets, count, sum } => {
                    let comma = if labels.is_empty() { "" } else { "," };
                    for (bound, below) in buckets {
                        line(&mut out, name, "_bucket", &format!("{labels}{comma}le=\"{}\"", number(*bound)), &below.to_string());
                    }
                    line(&mut out, name, "_bucket", &format!("{labels}{comma}le=\"+Inf\""), &count.to_string());
                    line(&mut out, name, "_sum", &labels, &number(*sum));
                    line(&mut out, name, "_count", &labels, &count.to_string());
                }
            }
        }
    }
    out
}

fn line(out: &mut String, name: &str, suffix: &str, labels: &str, value: &str) {
    let _ = if labels.is_empty() { writeln!(out, "{name}{suffix} {value}") } else { writeln!(out, "{name}{suffix}{{{labels}}} {value}") };
}

fn labels(pairs: &[(&'static str, &'static str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escape_label(value))).collect::<Vec<_>>().join(",")
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

fn escape_help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn escape_label(text: &str) -> String {
    escape_help(text).replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Histogram;
    use std::time::Duration;

    #[test]
    fn the_text_is_that_of_the_format() {
        let mut gathered = Gather::default();
        let put = Histogram::default();
        put.record(Duration::from_millis(3));
        put.record(Duration::from_secs(60));
        gathered.distribution(&table::STORE_PUT_SECONDS, &[("kind", "seal")], &put);
        gathered.count(&table::SEALS, &[("content", "records")], 7);
        gathered.count(&table::SEALS, &[("content", "heartbeat")], 2);
        gathered.measure(&table::UPTIME, &[], 1.5);
        gathered.count(&table::BUILD, &[("version", "a\"b\\c\nd")], 1);
        let want = "\
# HELP spanseal_build_info Always 1; the version stands in the label.
# TYPE spanseal_build_info gauge
spanseal_build_info{version=\"a\\\"b\\\\c\\nd\"} 1
# HELP process_uptime_seconds How long this process has been running.
# TYPE process_uptime_seconds gauge
process_uptime_seconds 1.5
# HELP spanseal_seal_seals_total Seals committed, with records or as heartbeats.
# TYPE spanseal_seal_seals_total counter
spanseal_seal_seals_total{content=\"records\"} 7
spanseal_seal_seals_total{content=\"heartbeat\"} 2
# HELP spanseal_worm_put_duration_seconds How long puts take by kind of object.
# TYPE spanseal_worm_put_duration_seconds histogram
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"0.001\"} 0
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"0.002\"} 0
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"0.005\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"0.01\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"0.025\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"0.05\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"0.1\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"0.25\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"0.5\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"1\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"2.5\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"5\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"10\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"30\"} 1
spanseal_worm_put_duration_seconds_bucket{kind=\"seal\",le=\"+Inf\"} 2
spanseal_worm_put_duration_seconds_sum{kind=\"seal\"} 60.003
spanseal_worm_put_duration_seconds_count{kind=\"seal\"} 2
";
        assert_eq!(render(&gathered), want);
    }
}
