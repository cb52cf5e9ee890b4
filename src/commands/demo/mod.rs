//! `spanseal demo`: the whole story on the embedded default, with real OTLP exporters: send, seal, find, read, verify, forge.
//!
//! Whatever is printed was just now measured or read back; a step that fails ends the demo with its sentence.

mod checks;
mod folders;
mod running;
mod sender;
mod tamper;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::{output, prove, read, show};
use crate::cli::DemoArgs;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::query::log::{KeySource, TrustedKey};
use crate::query::opening::Erasures;
use crate::query::person::Names;
use crate::query::print;
use crate::query::scan::{Answer, Request, scan};
use crate::query::story::{Item, Trust, tell};
use crate::verify::Wanted;
use crate::worm::{ServiceEndpoint, StoreUrl, WormStore};
use running::{Places, Running};

/// Columns where there is no terminal to ask, and never more for sentences.
const WIDTH: usize = 110;
/// Columns of the table where there is no terminal: what a page of documentation shows without scrolling.
const TABLE_WIDTH: usize = 120;

/// Vault of a demo whose store does not say where.
const VAULT: &str = "./spanseal-demo-vault";

/// Runs it.
pub async fn run(args: DemoArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now().ceil_seconds();
    let places = places(config, now)?;
    folders::make_anew(&places.keys)?;
    folders::make_anew(&places.vault)?;
    if let StoreUrl::File(path) = StoreUrl::parse(&places.store)? {
        folders::make_anew(&path)?;
    }
    let config = places.configure(now)?;
    let running = Box::pin(Running::start(&config)).await.context("the demo's server did not start")?;
    say("spanseal demo: one credit decision, from the application to the auditor\n")?;
    let told = story(&running, &config, &places).await;
    if let Err(error) = told {
        let _ = running.stop().await;
        return Err(error);
    }
    if args.stay {
        stay(running, &places).await
    } else {
        running.stop().await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where everything lies: beside each other, the keys never in the store.
fn places(config: &Config, now: crate::clock::UnixSeconds) -> anyhow::Result<Places> {
    let url = &config.store.url;
    let folder = |store: String, keys: PathBuf, vault: PathBuf| Places {
        store,
        keys,
        vault,
        log: "demo".to_owned(),
        store_options: String::new(),
        period: "180d",
    };
    Ok(match url {
        StoreUrl::File(_) if url.to_string() == read::DEFAULT_STORE => {
            folder("./spanseal-demo".to_owned(), "./spanseal-demo-keys".into(), VAULT.into())
        }
        StoreUrl::File(path) => {
            let name = path.file_name().and_then(|n| n.to_str()).context("the store's folder needs a name of its own")?;
            let beside = |what: &str| path.with_file_name(format!("{name}-{what}"));
            folder(url.to_string(), beside("keys"), beside("vault"))
        }
        // A bucket forgets nothing, so each demo there is a log of its own; its locks end after a day.
        StoreUrl::S3 { .. } | StoreUrl::Azure { .. } | StoreUrl::Gcs { .. } => Places {
            store: url.to_string(),
            keys: "./spanseal-demo-keys".into(),
            // Not a bucket: this one is locked, and what is erased from a vault must be gone.
            vault: VAULT.into(),
            log: format!("demo-{}", now.0),
            store_options: match url {
                StoreUrl::Azure { .. } => endpoint_lines("azure", &config.store.azure),
                StoreUrl::Gcs { .. } => endpoint_lines("gcs", &config.store.gcs),
                _ => s3_lines(config),
            },
            period: "1d",
        },
    })
}

/// A scalar of YAML.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''").replace('$', "$$"))
}

fn endpoint_lines(section: &str, of: &ServiceEndpoint) -> String {
    let ca_file = of.ca_file.as_ref().map(|path| path.display().to_string());
    let texts = [("endpoint", &of.url), ("ca_file", &ca_file)];
    let texts = texts.into_iter().filter_map(|(name, value)| Some(format!("    {name}: {}\n", quoted(value.as_deref()?))));
    format!("  {section}:\n    allow_http: {}\n{}", of.allow_http, texts.collect::<String>())
}

fn s3_lines(config: &Config) -> String {
    let s3 = &config.store.s3;
    let ca_file = s3.ca_file.as_ref().map(|path| path.display().to_string());
    let texts = [("endpoint", &s3.endpoint), ("region", &s3.region), ("ca_file", &ca_file), ("sse_kms_key_id", &s3.sse_kms_key_id)];
    let texts = texts.into_iter().filter_map(|(name, value)| Some(format!("    {name}: {}\n", quoted(value.as_deref()?))));
    format!(
        "  not_worm: {}\n  s3:\n    path_style: {}\n    allow_http: {}\n{}",
        config.store.not_worm,
        s3.path_style,
        s3.allow_http,
        texts.collect::<String>()
    )
}

fn say(text: &str) -> anyhow::Result<()> {
    output::answer(&format!("{text}\n"))
}

async fn story(running: &Running, config: &Config, places: &Places) -> anyhow::Result<()> {
    let store = Arc::clone(&running.serving.store);
    let vkey = running.serving.vkey.clone();

    let sent = sender::send(&format!("http://{}", running.grpc), &format!("http://{}", running.http)).await?;
    say("1. An application reports through the official OpenTelemetry SDK")?;
    say(&format!("   {} spans by OTLP/gRPC: acknowledged after {} ms, and acknowledged means sealed", sent.spans, sent.took.as_millis()))?;
    say(&format!("   1 log by OTLP/HTTP:   receipt for seal {}, root {}\n", sent.receipt.seal, sent.receipt.root))?;

    let request = Request { trusted: vec![TrustedKey { key: vkey.clone(), source: KeySource::Pinned }], ..Request::default() };
    let mut answer = find(&store, &request).await?;
    // What spanseal records of itself is for another day.
    answer.hits.retain(|hit| hit.text("source.signal") != Some("control"));
    let left = (sent.spans + 1).saturating_sub(answer.hits.len());
    say(&format!("2. {} of them carry AI meaning and are evidence now; {left} were ordinary web traffic", answer.hits.len()))?;
    say(&indent(&print::table(&answer.hits, Some(read::width().unwrap_or(TABLE_WIDTH).saturating_sub(2)))))?;

    let mut request = Request { filter: Default::default(), ..request };
    let related = show::related(&store, &mut request, sender::DECISION_ID, &Names::default()).await?;
    let trust = Trust { key: show::key_source(&related), complete: true, flags: "" };
    let told = tell(&related.hits, sender::DECISION_ID, trust, &Erasures::default());
    let short = told.sections.iter().find(|s| s.heading == "In short").context("the story has no beginning")?;
    say("3. What a reader gets who is no engineer (the beginning of `spanseal show`)")?;
    for item in &short.items {
        if let Item::Text(text) = item {
            say(&indent(&crate::query::story::paragraph(text, read::width().unwrap_or(WIDTH).min(WIDTH).saturating_sub(2))))?;
        }
    }

    let decided = related.hits.iter().find(|h| h.text("kind") == Some("decision") || h.text("decision.outcome") == Some("declined"));
    let decided = decided.context("the decision was not found")?;
    let (bundle, _) = prove::bundle(&store, &related, decided, (Vec::new(), &Wanted::default())).await?;
    let proof = places.keys.join("proof.json");
    let mut bytes = bundle.to_jcs();
    bytes.push(b'\n');
    std::fs::write(&proof, &bytes).with_context(|| format!("`{}` cannot be written", proof.display()))?;
    let key_file = places.vkey_file();
    std::fs::write(&key_file, format!("{vkey}\n")).with_context(|| format!("`{}` cannot be written", key_file.display()))?;
    say("4. What an auditor checks with nothing but the public key")?;
    say(&format!("   the public key    {vkey}"))?;
    say(&format!("   the whole store   {}", checks::verified(&store, &config.log.name, &vkey).await?))?;
    say(&format!("   one record        {}\n", checks::checked(&bytes, &vkey)?))?;

    say("5. What a forger gets: a copy of the store, \"declined\" made \"approved\" inside one record")?;
    let (key, forged) = tamper::forge(store.as_ref(), decided, "\"outcome\":\"declined\"", "\"outcome\":\"approved\"").await?;
    let copy = tamper::copy_forged(store.as_ref(), &config.log.name, &places.keys.join("forged-copy"), &key, forged).await?;
    let copy: Arc<dyn WormStore> = Arc::new(copy);
    for line in checks::found(&copy, &config.log.name, &vkey).await? {
        let line = crate::query::story::paragraph(&line, WIDTH);
        say(indent(&line).trim_end())?;
    }
    say("")?;
    say(&closing(places, decided.text("id").unwrap_or_default()))
}

async fn find(store: &Arc<dyn WormStore>, request: &Request) -> anyhow::Result<Answer> {
    let answer = scan(store, request, &indicatif::ProgressBar::hidden()).await?;
    if let Some(problem) = answer.problems.first() {
        bail!("what was sealed cannot be read back: {problem}");
    }
    Ok(answer)
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// What this was, honestly, and where to go on.
fn closing(places: &Places, record: &str) -> String {
    let worm = match StoreUrl::parse(&places.store) {
        Ok(StoreUrl::S3 { .. }) => {
            "The bucket's Object Lock, if it has one, keeps these objects for a day; `spanseal doctor` tries whether it does."
        }
        Ok(StoreUrl::Azure { .. } | StoreUrl::Gcs { .. }) => {
            "The store's locks keep these objects for a day, as far as is known: this adapter was never run against the real service.\n\
             `spanseal doctor` tries whether they do."
        }
        _ => {
            "This store is a folder, and a folder is not WORM: a change is found, not prevented. An S3 bucket with Object Lock\n\
             prevents it. Every seal written here says \"not_worm\"."
        }
    };
    let (config, vkey) = (shell(&places.config_file()), shell(&places.vkey_file()));
    format!(
        "{worm}\n\nGo on from here:\n  spanseal show {decision} --config {config}\n  spanseal query --subject alice@example.com --config {config}\n  \
         spanseal prove {record} --config {config} > proof.json\n  spanseal check proof.json --vkey {vkey}\n  \
         spanseal verify --config {config} --vkey {vkey}",
        decision = sender::DECISION_ID,
    )
}

fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"./_-".contains(&b));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Serves on, until interrupted.
async fn stay(mut running: Running, places: &Places) -> anyhow::Result<ExitCode> {
    // Before the addresses are told: whoever reads them may interrupt at once.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    say(&format!(
        "\nStill serving, until you press Ctrl-C:\n   OTLP/gRPC  http://{}\n   OTLP/HTTP  http://{}\n   API        http://{}/readyz\n   \
         store      {}\nYour own application:\n   OTEL_EXPORTER_OTLP_ENDPOINT=http://{} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf COMMAND",
        running.grpc, running.http, running.serving.api, places.store, running.http
    ))?;
    // All arms are cancel-safe: the losers are not asked again.
    tokio::select! {
        error = running.serving.failed() => return Err(error.into()),
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    running.stop().await?;
    Ok(ExitCode::SUCCESS)
}
