//! The Collectors of the guides: each configuration starts as it stands there, carries what the product's own library sent when it was recorded,
//! and the records are sealed before the sender is answered, while the other product gets its copy.

use std::path::Path;
use std::process::Command;

use super::{Other, block, capture, linted, records, seen, send};
use crate::support::eventually;
use crate::support::otelcol::{self, Collector};
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{BINARY, Finished, Site};

/// Sends what was recorded to a Collector with this block of a guide between us and the other product.
fn carries(guide: &str, at: usize, recording: &str, other: &Other, env: &[(&str, String)]) {
    let Some(program) = otelcol::program(&format!("the Collector of the guide `{guide}`")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("otelcol.yaml");
    std::fs::write(&file, block(guide, at)).unwrap();
    checked(&file);
    let site = Site::local();
    let receiver = site.serve();
    let mut env = env.to_vec();
    env.push(("SPANSEAL_GRPC_ENDPOINT", receiver.grpc.to_string()));
    // The Collector's own figures would want a port that another one has.
    let quiet = folder.path().join("quiet.yaml");
    std::fs::write(&quiet, "service: {telemetry: {metrics: {level: none}}}\n").unwrap();
    let collector = Collector::start(&program, &[&file, &quiet], &env, folder.path());
    let capture = capture(recording);
    send(&capture, collector.http);
    // The answers were receipts.
    receiver.kill();
    let expected = linted(&capture);
    assert_eq!(Some(records(&site).len() as u64), expected["totals"]["records"].as_u64(), "{guide}: {}", collector.said());
    seen(&site, guide);
    site.verified();
    let spans = expected["totals"]["spans"].as_u64().unwrap();
    eventually(&format!("the other product of `{guide}` gets its copy"), || {
        assert!(other.refused().is_empty(), "{guide}: {:?}\n{}", other.refused(), collector.said());
        (other.spans().len() as u64 == spans).then_some(())
    });
}

/// Nothing in it that would lose or weaken evidence.
#[track_caller]
fn checked(file: &Path) {
    let mut check = Command::new(BINARY);
    check.args(["collector", "check"]).arg(file).env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    let checked = Finished::of(check);
    assert_eq!(checked.status.code(), Some(0), "{checked}");
    assert!(checked.stdout.contains("0 found, 0 not judged"), "{checked}");
}

#[test]
fn beside_the_backend_that_one_has() {
    let backend = Other::taking(&["/v1/traces", "/v1/logs"], &[]);
    carries("collector", 0, "genai-openai-1.3b0.grpc.event-only", &backend, &[("BACKEND_URL", format!("http://{}", backend.address))]);
}

#[test]
fn beside_langfuse() {
    // The base64 of pk-lf-1:sk-lf-2.
    let auth = "cGstbGYtMTpzay1sZi0y";
    let headers = [("authorization", "Basic cGstbGYtMTpzay1sZi0y"), ("x-langfuse-ingestion-version", "4")];
    let langfuse = Other::taking(&["/api/public/otel/v1/traces"], &headers);
    let env = [("LANGFUSE_BASE_URL", format!("http://{}", langfuse.address)), ("LANGFUSE_AUTH", auth.to_owned())];
    carries("langfuse", 1, "langfuse-openai.http.on", &langfuse, &env);
}

#[test]
fn beside_phoenix() {
    let phoenix = Other::taking(&["/v1/traces"], &[("authorization", "Bearer key-1")]);
    let env = [("PHOENIX_URL", format!("http://{}", phoenix.address)), ("PHOENIX_API_KEY", "key-1".to_owned())];
    carries("phoenix", 1, "openinference-openai.http.on", &phoenix, &env);
}

#[test]
fn beside_mlflow() {
    let mlflow = Other::taking(&["/v1/traces"], &[("x-mlflow-experiment-id", "123")]);
    let env = [("MLFLOW_TRACKING_URI", format!("http://{}", mlflow.address)), ("MLFLOW_EXPERIMENT_ID", "123".to_owned())];
    carries("mlflow", 2, "mlflow-openai.http.on", &mlflow, &env);
}

/// The products that are played refuse what they should: a wrong path, a missing header, JSON. Else the tests above would hold nothing.
#[test]
fn other_products_are_strict() {
    let other = Other::taking(&["/v1/traces"], &[("authorization", "Bearer key-1")]);
    let (key, proto, json) =
        (("authorization", "Bearer key-1"), ("content-type", "application/x-protobuf"), ("content-type", "application/json"));
    for (path, headers, status) in [
        ("/v1/traces", vec![key, proto], 200),
        ("/api/v1/traces", vec![key, proto], 404),
        ("/v1/traces", vec![proto], 401),
        ("/v1/traces", vec![("authorization", "Bearer key-2"), proto], 401),
        ("/v1/traces", vec![key, json], 415),
    ] {
        let body: &[u8] = b"";
        assert_eq!(http(other.address, &HttpRequest { method: "POST", path, headers, body, chunked: false }).unwrap().0, status, "{path}");
    }
    assert_eq!(other.refused().len(), 4);
}
