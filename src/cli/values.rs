//! Values of options, read so that a wrong one is a usage error with a sentence.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::builder::TypedValueParser;

use crate::clock::{UnixNanos, UnixSeconds};
use crate::config::{self, Endpoint};
use crate::erase::Text;
use crate::govern::decrees::is_id;
use crate::lint;
use crate::record::canonical::Json;
use crate::timestamp::Roots;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::note::{NoteError, UnverifiedCheckpoint, VerifierKey, parse_decimal};
use crate::tlog::{Hash, RootHash};
use crate::verify::{Bound, Receipt};
use crate::worm::StoreUrl;

/// Every kind of `spanseal.record/1`.
pub(super) const KINDS: [&str; 27] = [
    "inference",
    "embedding",
    "retrieval",
    "rerank",
    "tool",
    "agent",
    "workflow",
    "guardrail",
    "evaluation",
    "decision",
    "review",
    "explanation",
    "lineage",
    "action",
    "event",
    "model_version",
    "deployment",
    "prompt_version",
    "dataset_version",
    "training",
    "policy",
    "config_change",
    "access",
    "hold",
    "erasure",
    "retention",
    "alert",
];

pub(super) fn parse_kind(text: &str) -> Result<String, String> {
    if KINDS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no kind of record; kinds are {}", KINDS.join(", ")))
}

/// An id of 32 hexadecimal digits, in the lower case in which it is kept.
pub(super) fn parse_id(text: &str) -> Result<String, String> {
    let id = text.trim();
    if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(id.to_ascii_lowercase());
    }
    Err(format!("`{id}` is not 32 hexadecimal digits; `spanseal show` takes any id, `--decision` a decision's own"))
}

/// Why something is erased, short enough to stand in a record.
pub(super) fn parse_ground(text: &str) -> Result<String, String> {
    parse_text(text, Text::Ground)
}

/// The request that an erasure answers.
pub(super) fn parse_ticket(text: &str) -> Result<String, String> {
    parse_text(text, Text::Ticket)
}

/// Who asks for an erasure: an id, so it stays as it is.
pub(super) fn parse_by(text: &str) -> Result<String, String> {
    Text::By.check(text).map(|()| text.to_owned())
}

fn parse_text(text: &str, of: Text) -> Result<String, String> {
    of.check(text.trim()).map(|()| text.trim().to_owned())
}

pub(super) fn parse_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("a limit of 0 asks for nothing; leave it away to see all".to_owned()),
        Ok(limit) => Ok(limit),
        Err(_) => Err(format!("`{text}` is no number of records")),
    }
}

/// A Go duration of at least 10ms.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text)
}

/// A host with the usual port of OTLP/gRPC, or host and port.
pub(super) fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    const GRPC_PORT: u16 = 4317;
    text.parse().or_else(|why| format!("{text}:{GRPC_PORT}").parse().map_err(|_: String| why))
}

pub(super) fn parse_framework(text: &str) -> Result<String, String> {
    if lint::is_framework(text) {
        return Ok(text.to_owned());
    }
    let known: Vec<&str> = lint::FRAMEWORKS.iter().map(|(id, _)| *id).collect();
    Err(format!("`{text}` is no framework that is known here; known are {}", known.join(", ")))
}

/// An address of a store. What is refused may have credentials in it, and clap would repeat it.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreParser;

impl TypedValueParser for StoreParser {
    type Value = String;

    fn parse_ref(&self, command: &clap::Command, arg: Option<&clap::Arg>, value: &OsStr) -> Result<String, clap::Error> {
        let text = clap::builder::StringValueParser::new().parse_ref(command, arg, value)?;
        StoreUrl::parse(&text).map_err(|e| {
            let name = arg.map_or_else(|| "--store <URL>".to_owned(), ToString::to_string);
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("invalid value for '{name}': {e}\n")).with_cmd(command)
        })?;
        Ok(text)
    }
}

/// Longest file that may hold a public key, bytes.
const VKEY_FILE_MAX: u64 = 4096;

/// How a secret key begins in its file.
const SECRET: &str = "PRIVATE+KEY";

const SECRET_GIVEN: &str = "that is the log's secret key, which signs as this log: never give it away; print the public key that belongs \
                            to it with `spanseal keygen --public`";
const WITNESS_SECRET_GIVEN: &str = "that is a secret key, which cosigns as a witness: never give it away; a witness prints its public key when \
                                    it starts, and `spanseal keygen --public --key-file` prints it";

pub(super) fn parse_vkey(text: &str) -> Result<VerifierKey, String> {
    let form = "a key looks like <origin>+<8 hex digits>+<base64>, and `spanseal keygen --public` prints one";
    parse_public(text, VerifierKey::parse, form)
}

pub(super) fn parse_witness(text: &str) -> Result<WitnessKey, String> {
    let form = "a witness's key looks like <name>+<8 hex digits>+<base64>, and whoever runs the witness gives it to you";
    parse_public(text, WitnessKey::parse, form)
}

/// What to say of a secret key that was given for a public one: by the type of its signatures it is a log's or a witness's, whatever was asked for.
fn secret_given(text: &str) -> Option<&'static str> {
    let key = text.get(text.find(SECRET)?..)?.split_whitespace().next()?;
    // PRIVATE+KEY+<name>+<id>+<base64>, of which base64 may hold plus signs.
    let algorithm = key.splitn(5, '+').nth(4).and_then(|encoded| STANDARD.decode(encoded).ok()).and_then(|bytes| bytes.first().copied());
    Some(if algorithm == Some(0x04) { WITNESS_SECRET_GIVEN } else { SECRET_GIVEN })
}

fn parse_public<K>(text: &str, parse: fn(&str) -> Result<K, NoteError>, form: &str) -> Result<K, String> {
    if let Some(secret) = secret_given(text) {
        return Err(secret.to_owned());
    }
    let why = match parse(text.trim()) {
        Ok(key) => return Ok(key),
        Err(why) => why,
    };
    // Auditors keep keys in files.
    let inside = match read_key_file(text) {
        Ok(inside) => inside,
        Err(error) if error.kind() == ErrorKind::NotFound && looks_like_path(text) => {
            return Err(format!("no file `{}` exists, and it is no key itself: {form}", crate::plain::address_without_secrets(text)));
        }
        Err(error) if looks_like_path(text) => return Err(format!("`{text}` cannot be read: {error}")),
        Err(_) => return Err(format!("{why}; {form}")),
    };
    if let Some(secret) = secret_given(&inside) {
        return Err(format!("`{text}` is the secret key file: {secret}"));
    }
    parse(inside.trim()).map_err(|why| format!("`{text}` holds no public key: {why}; {form}"))
}

fn read_key_file(path: &str) -> std::io::Result<String> {
    let mut inside = String::new();
    let read = File::open(path)?.take(VKEY_FILE_MAX + 1).read_to_string(&mut inside)?;
    if u64::try_from(read).is_ok_and(|bytes| bytes <= VKEY_FILE_MAX) {
        return Ok(inside);
    }
    Err(std::io::Error::other(format!("it is longer than any public key ({VKEY_FILE_MAX} bytes)")))
}

/// Longest file that may hold a checkpoint, bytes: that of a proof, of which the checkpoint is a part.
const CHECKPOINT_FILE_MAX: u64 = 64 * 1024 * 1024;

/// A file with a checkpoint that was kept: the signed note itself, or a proof or seal file, which hold one.
pub(super) fn parse_checkpoint(path: &str) -> Result<UnverifiedCheckpoint, String> {
    checkpoint_in(read_checkpoint_file(path)?)
}

fn read_checkpoint_file(path: &str) -> Result<Vec<u8>, String> {
    let mut inside = Vec::new();
    let read = File::open(path).and_then(|file| file.take(CHECKPOINT_FILE_MAX).read_to_end(&mut inside));
    read.map_err(|error| format!("the checkpoint that was kept cannot be read: {error}"))?;
    Ok(inside)
}

fn checkpoint_in(inside: Vec<u8>) -> Result<UnverifiedCheckpoint, String> {
    let held = Json::parse(&inside).ok().and_then(|json| json.get("checkpoint").and_then(Json::as_str).map(str::to_owned));
    let note = match held {
        Some(note) => Ok(note),
        None => String::from_utf8(inside).map_err(|_| "it is not text".to_owned()),
    };
    let read = note.and_then(|note| UnverifiedCheckpoint::parse(&note).map_err(|why| why.to_string()));
    read.map_err(|why| format!("the file holds no signed checkpoint ({why}); give a log's `checkpoint`, or a proof, as it was kept"))
}

/// A checkpoint that was kept, and the file that it stands in.
#[derive(Clone, Debug)]
pub struct KeptFile {
    /// What it holds.
    pub checkpoint: UnverifiedCheckpoint,
    /// Its path.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

/// The same, where what it is compared with may be the very file.
pub(super) fn parse_kept(path: &str) -> Result<KeptFile, String> {
    let inside = read_checkpoint_file(path)?;
    let sha256 = Hash::of(&inside);
    Ok(KeptFile { checkpoint: checkpoint_in(inside)?, path: path.into(), sha256 })
}

/// The seal and the root of a receipt, as the answer's headers write them.
pub(super) fn parse_receipt(text: &str) -> Result<Receipt, String> {
    let wrong = || format!("`{text}` is no receipt: write the answer's spanseal-seal and spanseal-root as SEAL:ROOT, as in 17:W4Jt...=");
    let (seal, root) = text.trim().split_once(':').ok_or_else(wrong)?;
    let seal = parse_decimal(seal).ok_or_else(wrong)?;
    Ok(Receipt { seal, root: RootHash::parse_base64(root.trim()).ok_or_else(wrong)? })
}

/// The name of whom a token lets in: it becomes `source.peer.id` of what they send.
pub(super) fn parse_token_name(name: &str) -> Result<String, String> {
    let fits = (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/@".contains(&byte));
    match fits && name != "sha256" {
        true => Ok(name.to_owned()),
        false => Err("a name has 1 to 128 letters, digits, and . _ - / @".to_owned()),
    }
}

/// Longest file that may hold roots, bytes: the bundles that systems ship have a quarter of a megabyte.
const ROOTS_FILE_MAX: u64 = 4 * 1024 * 1024;

/// A file of root certificates.
pub(super) fn parse_roots(path: &str) -> Result<Roots, String> {
    let mut inside = Vec::new();
    let read = File::open(path).and_then(|file| file.take(ROOTS_FILE_MAX).read_to_end(&mut inside));
    read.map_err(|error| format!("the roots cannot be read: {error}"))?;
    Roots::from_pem(&inside).map_err(|why| format!("the file holds no roots that could be used: {why}"))
}

/// A key holds two plus signs, which a path hardly does; a path holds a slash or a dot.
fn looks_like_path(text: &str) -> bool {
    let begins = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    begins || std::fs::metadata(text).is_ok() || (text.matches('+').count() < 2 && text.contains(['/', '.']))
}

/// [`parse_vkey`] for the command line. A secret key given by mistake is not printed once more, as clap does with what it refuses.
#[derive(Clone, Copy, Debug)]
pub(super) struct VkeyParser;

impl TypedValueParser for VkeyParser {
    type Value = VerifierKey;

    fn parse_ref(&self, command: &clap::Command, arg: Option<&clap::Arg>, value: &OsStr) -> Result<VerifierKey, clap::Error> {
        expect_public(command, arg, value)?;
        parse_vkey.parse_ref(command, arg, value)
    }
}

/// The same for the key of a witness.
#[derive(Clone, Copy, Debug)]
pub(super) struct WitnessParser;

impl TypedValueParser for WitnessParser {
    type Value = WitnessKey;

    fn parse_ref(&self, command: &clap::Command, arg: Option<&clap::Arg>, value: &OsStr) -> Result<WitnessKey, clap::Error> {
        expect_public(command, arg, value)?;
        parse_witness.parse_ref(command, arg, value)
    }
}

fn expect_public(command: &clap::Command, arg: Option<&clap::Arg>, value: &OsStr) -> Result<(), clap::Error> {
    let Some(secret) = secret_given(&value.to_string_lossy()) else { return Ok(()) };
    let name = arg.map_or_else(|| "--vkey <KEY>".to_owned(), ToString::to_string);
    let sentence = format!("invalid value for '{name}': {secret}\n");
    Err(clap::Error::raw(clap::error::ErrorKind::ValueValidation, sentence).with_cmd(command))
}

/// A date (`2026-11-20`) or a time (RFC 3339).
fn parse_time(text: &str) -> Result<(UnixNanos, bool), String> {
    let wrong = || format!("`{text}` is neither a date (2026-11-20) nor a time (2026-11-20T10:01:17Z)");
    if text.len() == 10 && !text.contains('T') {
        return UnixNanos::parse(&format!("{text}T00:00:00Z")).map(|t| (t, true)).ok_or_else(wrong);
    }
    UnixNanos::parse(text).map(|t| (t, false)).ok_or_else(wrong)
}

const DAY_NANOS: u64 = 86_400_000_000_000;

pub(super) fn parse_from(text: &str) -> Result<UnixNanos, String> {
    parse_time(text).map(|(at, _)| at)
}

pub(super) fn parse_to(text: &str) -> Result<UnixNanos, String> {
    let (at, whole_day) = parse_time(text)?;
    Ok(if whole_day { UnixNanos(at.0.saturating_add(DAY_NANOS - 1)) } else { at })
}

/// A moment until which something is kept: a date means its end.
pub(super) fn parse_until(text: &str) -> Result<UnixSeconds, String> {
    parse_to(text).map(UnixNanos::ceil_seconds)
}

/// The name of a hold or an extension.
pub(super) fn parse_decree(text: &str) -> Result<String, String> {
    if is_id(text) {
        return Ok(text.to_owned());
    }
    Err("a name has 1 to 64 letters, digits, `.`, `_` and `-`".to_owned())
}

fn parse_bound(text: &str, time: impl Fn(&str) -> Result<UnixNanos, String>) -> Result<Bound, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map(Bound::Seal).map_err(|_| format!("`{text}` is no seal index"));
    }
    let at = time(text)
        .map_err(|_| format!("`{text}` is neither the index of a seal (17) nor a date (2026-11-20) nor a time (2026-11-20T10:01:17Z)"))?;
    let seconds = i64::try_from(at.0 / 1_000_000_000).unwrap_or(i64::MAX);
    Ok(Bound::Time(UnixSeconds(seconds)))
}

pub(super) fn parse_bound_from(text: &str) -> Result<Bound, String> {
    parse_bound(text, parse_from)
}

pub(super) fn parse_bound_to(text: &str) -> Result<Bound, String> {
    parse_bound(text, parse_to)
}
