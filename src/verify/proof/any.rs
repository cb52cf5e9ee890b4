//! Which format a proof has, and reading it: whoever is handed one does not know beforehand.

use super::read::unknown_format;
use super::{BUNDLE_BYTES_MAX, Bundle, FORMAT, FORMATS, Others, ProofError, Proved, RangeBundle, RangeProved, range};
use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::tlog::note::VerifierKey;
use crate::verify::CheckReport;

/// Bytes of a proof for each value outside of the texts in it. As JSON in memory each takes some hundred bytes, and three bytes can make one, so
/// a small file could fill the memory. What the formats demand has more: a heartbeat 21 bytes a value, a segment 28, a hash 67, a record (of at
/// least 30 bytes) 20; so whatever is within the other limits is read.
const BYTES_A_VALUE_MIN: usize = 16;

/// A parsed proof of any format that is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// Of one record.
    Record(Box<Bundle>),
    /// Of several.
    Range(Box<RangeBundle>),
}

/// What `check` says of either.
#[derive(Clone, Debug)]
pub enum Checked {
    /// Of one record, or of what is no proof.
    Record(Box<CheckReport>),
    /// Of several.
    Range(Box<CheckReport<RangeProved>>),
}

impl Proof {
    /// Reads a proof: any JSON layout, but no name twice, no type but those of its format, nothing beyond its limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let no_proof = |why: String| Err(ProofError::NotAProof(why));
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return no_proof("it is empty".to_owned());
        }
        if bytes.len() > range::BUNDLE_BYTES_MAX {
            return no_proof(format!("it is longer than any proof ({} bytes)", range::BUNDLE_BYTES_MAX));
        }
        let values_max = values_max(bytes.len());
        if values(bytes) > values_max {
            return no_proof(format!("it holds more values than any proof of its length ({values_max})"));
        }
        let json = match Json::parse(bytes) {
            Ok(json) => json,
            Err(error) => return no_proof(format!("it is not JSON as a proof is: {error}")),
        };
        match json.get("format").and_then(Json::as_str) {
            Some(FORMAT) if bytes.len() > BUNDLE_BYTES_MAX => {
                no_proof(format!("it is longer than any proof of one record ({BUNDLE_BYTES_MAX} bytes)"))
            }
            Some(FORMAT) => Bundle::of(&json).map(|bundle| Proof::Record(Box::new(bundle))),
            Some(range::FORMAT) => RangeBundle::of(json).map(|bundle| Proof::Range(Box::new(bundle))),
            Some(other) if other.starts_with(FORMATS) || other.starts_with(range::FORMATS) => Err(unknown_format("bundle", other)),
            _ => no_proof(format!("it is JSON, but its `format` is neither `{FORMAT}` nor `{}`", range::FORMAT)),
        }
    }

    /// The log that it says it is of; unchecked.
    pub fn log(&self) -> Option<&str> {
        let statement = match self {
            Proof::Record(bundle) => Some(&bundle.statement),
            Proof::Range(bundle) => bundle.seals.first().map(|seal| &seal.statement),
        };
        statement?.get("log")?.as_str()
    }
}

impl Proof {
    /// Whether it claims to begin with this key; unchecked.
    pub fn begins_with(&self, vkey: &VerifierKey) -> bool {
        match self {
            Proof::Record(bundle) => bundle.outer().begins_with(vkey),
            Proof::Range(bundle) => bundle.outer().begins_with(vkey),
        }
    }
}

impl Checked {
    /// Whether it was refused: it proves nothing under this key.
    pub fn is_refused(&self) -> bool {
        let refused = |error: &ProofError| matches!(error, ProofError::Refused(_));
        match self {
            Checked::Record(report) => report.result.as_ref().is_err_and(refused),
            Checked::Range(report) => report.result.as_ref().is_err_and(refused),
        }
    }

    /// Checks what was parsed against the auditor's key, and what others say of its checkpoint whom the auditor trusts.
    pub fn of(proof: Result<&Proof, ProofError>, vkey: &VerifierKey, others: &Others, now: UnixSeconds) -> Self {
        match proof {
            Ok(Proof::Range(bundle)) => Checked::Range(Box::new(CheckReport::of(bundle.check_with(vkey, others, now)))),
            Ok(Proof::Record(bundle)) => Checked::Record(Box::new(CheckReport::of(bundle.check_with(vkey, others, now)))),
            Err(error) => Checked::Record(Box::new(CheckReport::of(Err::<Proved, _>(error)))),
        }
    }
}

/// Most values of a file: what is shorter than the longest proof of one record may be as dense as that one.
fn values_max(bytes: usize) -> usize {
    bytes.max(BUNDLE_BYTES_MAX) / BYTES_A_VALUE_MIN
}

/// Commas and opening brackets outside of strings: no text holds more values than these and one.
fn values(bytes: &[u8]) -> usize {
    let (mut values, mut rest) = (0, bytes);
    while let Some(quote) = memchr::memchr(b'"', rest) {
        let (before, string) = rest.split_at(quote);
        values += openers(before);
        rest = string.get(1..).unwrap_or_default();
        loop {
            match memchr::memchr2(b'"', b'\\', rest).map(|at| (rest.get(at), rest.get(at + 1..).unwrap_or_default())) {
                None => return values,
                Some((Some(b'\\'), after)) => rest = after.get(1..).unwrap_or_default(),
                Some((_, after)) => {
                    rest = after;
                    break;
                }
            }
        }
    }
    values + openers(rest)
}

fn openers(bytes: &[u8]) -> usize {
    memchr::memchr3_iter(b',', b'[', b'{', bytes).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (text, count) in
            [("1", 0), ("[]", 1), ("[1,2]", 2), (r#"{"a,[{":"\",\\","b":[{}]}"#, 4), (r#""\\",1"#, 1), (r#"["#, 1), (r#"",,,"#, 0), ("", 0)]
        {
            assert_eq!(values(text.as_bytes()), count, "{text}");
        }
    }

    /// What the format demands at least, of a seal without a segment and of one with a segment whose names and numbers are the shortest.
    #[test]
    fn whatever_is_within_the_other_limits_has_no_more_values() {
        let (hash, time) = ("0".repeat(64), "2026-11-21T00:00:00Z");
        let counts =
            r#""counts":{"dropped_attributes":"0","duplicates":"0","logs":"0","promoted":"0","rejected":"0","skipped":"0","spans":"0"}"#;
        let seal = |segments: &str, shown: &str| {
            format!(
                r#",{{"segments":[{shown}],"statement":{{"config_sha256":"{hash}",{counts},"format":"spanseal.seal/1","index":"0","log":"a/b","#
            ) + &format!(r#""previous":"{hash}","sealed_at":"{time}","segments":[{segments}],"started":"{time}"}}}}"#)
        };
        let name = format!("segments/a/2026/11/21/{}-{}.jsonl.zst", "0".repeat(20), "0".repeat(16));
        let segment = format!(
            r#"{{"bytes":"1","class":"a","first":"{time}","key":"{name}","last":"{time}","merkle_root":"{hash}","mode":"GOVERNANCE","records":"1","retain_until":"{time}","sha256":"{hash}"}}"#
        );
        for text in [seal("", ""), seal(&segment, r#"{"path":[],"records":[]}"#), format!(r#","{hash}""#)] {
            assert!(text.len() / values(text.as_bytes()) >= BYTES_A_VALUE_MIN, "{text}: {}", values(text.as_bytes()));
        }
    }

    /// A small file that would fill the memory of whoever opens it is not opened.
    #[test]
    fn a_bundle_of_very_many_values_is_none() {
        let of = |more: usize| format!(r#"{{"format":"spanseal.proof/1","x":[{}]}}"#, vec!["0"; more].join(","));
        // The object, the list and the comma before it are three, and n values have n - 1 commas.
        assert!(matches!(Proof::parse(of(values_max(0) - 2).as_bytes()), Err(ProofError::Refused(_))));
        assert!(matches!(Proof::parse(of(values_max(0) - 1).as_bytes()), Err(ProofError::NotAProof(why)) if why.contains("values")));
    }
}
