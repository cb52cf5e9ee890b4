//! The snippets of the guides, run by the libraries that they speak of, with nothing changed in them but addresses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use serde_json::{Value, json};

use super::{Other, block, one, put, records, report, seen, shell};
use crate::support::receiver::{Finished, Site};
use crate::support::runtime;
use crate::support::tools::tool;

/// A folder for a snippet, and the snippet in it.
fn written(name: &str, text: &str, beside: Option<&str>) -> (tempfile::TempDir, PathBuf) {
    let builder = tempfile::Builder::new().prefix("guide-").to_owned();
    let folder = beside.map_or_else(|| builder.tempdir(), |beside| builder.tempdir_in(beside)).unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// The lines of a page's environment, then the snippet with this interpreter.
fn run(interpreter: &str, lines: &str, (folder, snippet): &(tempfile::TempDir, PathBuf), env: &[(&str, String)]) -> Finished {
    shell(folder.path(), lines, &format!("exec '{interpreter}' '{}'", snippet.display()), env).success()
}

/// What `sdk` promises of its example, whichever language spoke.
fn as_promised(site: &Site) {
    let record = one(&records(site), "inference");
    let model = json!({"id": "gpt-4o-2026-05-13", "provider": "openai", "requested": "gpt-4o", "version": "gpt-4o-2026-05-13"});
    assert_eq!((&record["model"], &record["usage"]), (&model, &json!({"input_tokens": "12", "output_tokens": "5"})));
    assert_eq!((&record["input"]["captured"], &record["output"]["captured"]), (&json!("vault"), &json!("absent")));
    assert!(record["actor"]["user_id"].as_str().is_some_and(|person| person.starts_with("ps:")), "{record}");
    seen(site, "sdk");
    site.verified();
}

/// The same of its resource.
fn named(site: &Site) {
    let source = &one(&records(site), "inference")["source"];
    let said =
        ["service", "service_namespace", "service_version", "environment"].map(|member| source[member].as_str().unwrap_or("nothing"));
    assert_eq!(said, ["claims", "insurance", "1.4.2", "production"]);
}

#[test]
fn from_the_python_sdk() {
    let Some(interpreter) = tool("python", "the Python snippet of the guide `sdk`") else { return };
    let site = Site::local();
    let receiver = site.serve();
    let lines = put(&block("sdk", 0), "127.0.0.1:4318", receiver.http);
    run(&interpreter, &lines, &written("app.py", &block("sdk", 1), None), &[]);
    receiver.kill();
    as_promised(&site);
    named(&site);
}

#[test]
fn from_the_javascript_sdk() {
    let Some(folder) = tool("node", "the JavaScript snippet of the guide `sdk`") else { return };
    let site = Site::local();
    let receiver = site.serve();
    let lines = put(&block("sdk", 0), "127.0.0.1:4318", receiver.http);
    run("node", &lines, &written("app.mjs", &block("sdk", 2), Some(&folder)), &[]);
    receiver.kill();
    as_promised(&site);
    named(&site);
}

/// Rust cannot be taken out of a page while a test runs: the page holds what is compiled here.
#[test]
fn from_the_rust_sdk() {
    let compiled = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guides/report.rs")).unwrap();
    assert_eq!(block("sdk", 3), compiled);
    let site = Site::local();
    let receiver = site.serve();
    let endpoint = format!("http://{}", receiver.grpc);
    let reported = runtime()
        .block_on(async { tokio::task::spawn_blocking(move || report::report(&endpoint).map_err(|e| e.to_string())).await.unwrap() });
    reported.unwrap();
    receiver.kill();
    as_promised(&site);
}

/// Langfuse's SDK with the lines of the guide: both get the observation. `env` is added to Langfuse's own.
fn langfuse(more: &[(&str, String)]) -> Option<(Vec<Value>, Vec<String>)> {
    let interpreter = tool("guides", "the Python snippet of the guide `langfuse`")?;
    let site = Site::local();
    let receiver = site.serve();
    let headers = [("authorization", "Basic cGstbGYtMTpzay1sZi0y"), ("x-langfuse-ingestion-version", "4")];
    let langfuse = Other::taking(&["/api/public/otel/v1/traces"], &headers);
    let mut env = vec![
        ("LANGFUSE_PUBLIC_KEY", "pk-lf-1".to_owned()),
        ("LANGFUSE_SECRET_KEY", "sk-lf-2".to_owned()),
        ("LANGFUSE_BASE_URL", format!("http://{}", langfuse.address)),
        ("OTEL_SERVICE_NAME", "claims".to_owned()),
    ];
    env.extend(more.iter().cloned());
    run(&interpreter, "", &written("app.py", &put(&block("langfuse", 0), "127.0.0.1:4318", receiver.http), None), &env);
    receiver.kill();
    if more.is_empty() {
        seen(&site, "langfuse");
    }
    site.verified();
    assert!(langfuse.refused().is_empty(), "{:?}", langfuse.refused());
    Some((records(&site), langfuse.spans()))
}

#[test]
fn from_langfuse() {
    let Some((records, copy)) = langfuse(&[]) else { return };
    assert_eq!(copy, ["decide claim"]);
    let record = one(&records, "inference");
    assert_eq!((&record["model"]["id"], &record["model"]["provider"]), (&json!("gpt-4o"), &json!("openai")));
    assert_eq!((&record["decision"]["outcome"], &record["source"]["service"]), (&json!("refer"), &json!("claims")));
    assert_eq!(record["usage"], json!({"input_tokens": "12", "output_tokens": "5"}));
    assert_eq!((&record["input"]["captured"], &record["output"]["captured"]), (&json!("vault"), &json!("vault")));
    assert_eq!(record["evidence"]["missing"], json!(["prompt.hash"]), "the example has no system message");
}

/// A sampler that is set for Langfuse is one of the provider, so of evidence, too.
#[test]
fn what_langfuse_samples_nobody_gets() {
    let Some((records, copy)) = langfuse(&[("LANGFUSE_SAMPLE_RATE", "0".to_owned())]) else { return };
    assert_eq!((records.len(), copy.len()), (0, 0));
}

/// `phoenix.otel` with the lines of the guide, and without the one on which it depends.
#[test]
fn from_phoenix() {
    let Some(interpreter) = tool("guides", "the Python snippet of the guide `phoenix`") else { return };
    for (kept, copies) in [(true, 1), (false, 0)] {
        let site = Site::local();
        let receiver = site.serve();
        let phoenix = Other::taking(&["/v1/traces"], &[("authorization", "Bearer key-1")]);
        let mut code = put(&block("phoenix", 0), "127.0.0.1:4318", receiver.http);
        code = put(&code, "127.0.0.1:6006", phoenix.address);
        if !kept {
            code = put(&code, "    replace_default_processor=False,", "    # replace_default_processor=False,");
        }
        let env = [("PHOENIX_API_KEY", "key-1".to_owned()), ("OTEL_SERVICE_NAME", "claims".to_owned())];
        run(&interpreter, "", &written("app.py", &code, None), &env);
        receiver.kill();
        let record = one(&records(&site), "inference");
        assert_eq!((&record["source"]["dialects"], &record["trace"]["name"]), (&json!(["openinference"]), &json!("decide")));
        let missing = json!(["model.id", "model.provider", "model.version", "prompt.hash"]);
        assert_eq!((&record["evidence"]["missing"], &record["input"]["captured"]), (&missing, &json!("vault")));
        assert_eq!((phoenix.spans().len(), phoenix.refused()), (copies, vec![]), "replace_default_processor=False: {kept}");
        seen(&site, "phoenix");
        site.verified();
    }
}

/// MLflow's tracing with the lines of the guide, and with its own sampling.
#[test]
fn from_mlflow() {
    let Some(interpreter) = tool("guides", "the Python snippet of the guide `mlflow`") else { return };
    for (ratio, kinds) in [("1", vec!["agent", "inference"]), ("0", vec![])] {
        let site = Site::local();
        let receiver = site.serve();
        let lines = put(&block("mlflow", 0), "127.0.0.1:4318", receiver.http);
        run(&interpreter, &lines, &written("app.py", &block("mlflow", 1), None), &[("MLFLOW_TRACE_SAMPLING_RATIO", ratio.to_owned())]);
        receiver.kill();
        let records = records(&site);
        let mut found: Vec<&str> = records.iter().map(|record| record["kind"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, kinds, "MLFLOW_TRACE_SAMPLING_RATIO={ratio}");
        if ratio == "1" {
            let asked = one(&records, "inference");
            assert_eq!((&asked["model"]["id"], &asked["model"]["provider"]), (&json!("gpt-4o"), &json!("openai")));
            assert_eq!((&asked["source"]["service"], &asked["input"]["captured"]), (&json!("claims"), &json!("vault")));
            // MLflow sends both as JSON.
            assert_eq!((&asked["confidence"]["score"], &asked["policy"]["id"]), (&json!(0.83), &json!("claims-7")));
            assert_eq!(one(&records, "agent")["actor"]["agent"]["name"], "decide");
            seen(&site, "mlflow");
        }
        site.verified();
    }
}

/// What stands in for OpenAI's: one answer, and how often it was asked and with which headers.
struct Model {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

type Asked = (Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>);

async fn answer(
    State((asked, elsewhere)): State<Asked>,
    uri: Uri,
    headers: HeaderMap,
) -> ([(header::HeaderName, &'static str); 1], String) {
    asked.fetch_add(1, Ordering::SeqCst);
    if uri.path() != "/v1/chat/completions" || headers.get("authorization").is_none_or(|key| key != "Bearer key-1") {
        elsewhere.lock().unwrap().push(uri.to_string());
    }
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "Ask a human."}, "finish_reason": "stop"});
    let usage = json!({"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17});
    let said =
        json!({"id": "c-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2026-05-13", "choices": [choice], "usage": usage});
    ([(header::CONTENT_TYPE, "application/json")], said.to_string())
}

impl Model {
    fn serve() -> Model {
        let asked = Arc::new(AtomicUsize::new(0));
        let runtime = runtime();
        let state: Asked = (Arc::clone(&asked), Arc::default());
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(state)).await.unwrap() });
            address
        });
        Model { address, asked, _runtime: runtime }
    }
}

#[test]
fn from_the_vercel_ai_sdk() {
    let Some(folder) = tool("vercel", "the snippet of the guide `vercel-ai`") else { return };
    let site = Site::local();
    let receiver = site.serve();
    let model = Model::serve();
    let lines = put(&block("vercel-ai", 1), "127.0.0.1:4318", receiver.http);
    let env = [("OPENAI_BASE_URL", format!("http://{}/v1", model.address)), ("OPENAI_API_KEY", "key-1".to_owned())];
    run("node", &lines, &written("app.mjs", &block("vercel-ai", 0), Some(&folder)), &env);
    receiver.kill();
    assert_eq!(model.asked.load(Ordering::SeqCst), 1);
    let records = records(&site);
    let (outer, inner) = (one(&records, "agent"), one(&records, "inference"));
    assert_eq!((&outer["actor"]["agent"]["name"], &outer["usage"]["aggregate"]), (&json!("assess-claim"), &json!(true)));
    assert_eq!((&inner["model"]["requested"], &inner["model"]["id"]), (&json!("gpt-4o"), &json!("gpt-4o-2026-05-13")));
    assert_eq!(inner["trace"]["parent_span_id"], outer["trace"]["span_id"]);
    for record in [&outer, &inner] {
        assert_eq!((&record["policy"]["id"], &record["source"]["service"]), (&json!("claims-ai-policy"), &json!("claims")));
        assert!(record["actor"]["user_id"].as_str().is_some_and(|person| person.starts_with("ps:")), "{record}");
        assert_eq!((&record["prompt"]["hash_source"], &record["input"]["captured"]), (&json!("receiver"), &json!("vault")));
    }
    assert_eq!(outer["prompt"]["hash"], inner["prompt"]["hash"], "the same system prompt");
    seen(&site, "vercel-ai");
    site.verified();
}
