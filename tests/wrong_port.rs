//! A sender that was given the port of the API.

use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::Site;

/// Scenario: OTLP of both kinds, of every signal, comes to the API, which asks for a token that no sender has. Guarantee: each is asked to
/// come again and told where, with the answer that its protocol has for that, and the log says once that it came; whatever else asks there
/// is refused as ever.
#[test]
fn otlp_at_the_port_of_the_api_is_kept_by_its_sender() {
    let site = Site::local();
    let tokens = site.path("tokens");
    std::fs::write(&tokens, "operator:s3cret").unwrap();
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let api = format!("api: {{endpoint: '127.0.0.1:0', auth: {{token_file: '{}'}}}}", tokens.display());
    std::fs::write(&site.config, yaml.replace("api: {endpoint: '127.0.0.1:0'}", &api)).unwrap();
    let receiver = site.serve();
    // More than buffers hold: whoever is asked to come again has been read to the end. Others are answered at once, and send none.
    let body = [b' '; 300_000];
    let ask = |method, path: &str, kind: &str, token: bool, bytes: usize| {
        let mut headers = vec![("content-type", kind)];
        headers.extend(token.then_some(("authorization", "Bearer s3cret")));
        http(receiver.api, &HttpRequest { method, path, headers, body: &body[..bytes], chunked: bytes > 0 })
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    };
    for service in ["trace.v1.Trace", "logs.v1.Logs", "metrics.v1.Metrics"] {
        let (status, answer) =
            ask("POST", &format!("/opentelemetry.proto.collector.{service}Service/Export"), "application/grpc+proto", false, body.len());
        assert_eq!((status, answer.headers["grpc-status"].as_str()), (200, "14"), "{service}");
        assert!(answer.headers["grpc-message"].contains("4317") && answer.headers.contains_key("grpc-status-details-bin"), "{answer:?}");
    }
    for (path, kind) in [
        ("/v1/traces", "application/x-protobuf"),
        ("/v1/logs", "application/json"),
        ("/v1/metrics", "text/plain"),
        ("/v1/traces/", "application/x-protobuf"),
    ] {
        let (status, answer) = ask("POST", path, kind, false, body.len());
        assert_eq!((status, answer.headers["retry-after"].as_str()), (503, "30"), "{path}");
        assert_eq!(answer.headers["content-type"].split(';').next(), Some(kind), "{path}");
        assert!(String::from_utf8_lossy(&answer.body).contains("4318"), "{answer:?}");
    }
    for (path, kind, without, with) in [
        ("/status", "application/json", 401, 405),
        ("/nonsense", "application/json", 401, 404),
        ("/otlp/v1/traces", "application/x-protobuf", 401, 503),
    ] {
        assert_eq!((ask("POST", path, kind, false, 0).0, ask("POST", path, kind, true, 0).0), (without, with), "{path}");
    }
    let headers = vec![("authorization", "Bearer s3cret")];
    let headers_of_otlp = vec![("content-type", "application/x-protobuf")];
    let request = HttpRequest { method: "POST", path: "/otlp/v1/traces", headers: headers_of_otlp, body: b"", chunked: false };
    assert_eq!(http(receiver.http, &request).unwrap().0, 503);
    let (_, answer) = http(receiver.api, &HttpRequest { method: "GET", path: "/metrics", headers, body: b"", chunked: false }).unwrap();
    let counted = "spanseal_receiver_requests_total{signal=\"unknown\",outcome=\"unsupported\"} 9\n";
    let figures = String::from_utf8(answer.body).unwrap();
    assert!(figures.contains(counted), "{figures}");
    let said = receiver.stderr();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("sender.refused") && line.contains("port of the API")).collect();
    assert!(lines.len() == 1 && lines[0].contains("peer=127.0.0.1 ") && lines[0].contains("4317"), "{said}");
    let lines = said.lines().filter(|line| line.contains("sender.refused") && line.contains("at a path where none is served")).count();
    assert_eq!(lines, 1, "{said}");
    assert!(receiver.stop().success());
}
