//! Which format a proof has, and reading it: whoever is handed one does not know beforehand.

use super::{BUNDLE_BYTES_MAX, Bundle, FORMAT, FORMATS, Others, ProofError, Proved, RangeBundle, RangeProved, range};
use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::tlog::note::VerifierKey;
use crate::verify::CheckReport;

/// Most values in a proof, outside of the texts in it. As JSON in memory each takes some hundred bytes, and three bytes can make one.
const VALUES_MAX: usize = 4_000_000;

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
        if values(bytes) > VALUES_MAX {
            return no_proof(format!("it holds more values than any proof ({VALUES_MAX})"));
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
            Some(other) if other.starts_with(FORMATS) || other.starts_with(range::FORMATS) => {
                Err(ProofError::UnknownFormat("bundle", other.to_owned()))
            }
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

impl Checked {
    /// Checks what was parsed against the auditor's key, and what others say of its checkpoint whom the auditor trusts.
    pub fn of(proof: Result<&Proof, ProofError>, vkey: &VerifierKey, others: &Others, now: UnixSeconds) -> Self {
        match proof {
            Ok(Proof::Range(bundle)) => Checked::Range(Box::new(CheckReport::of(bundle.check_with(vkey, others, now)))),
            Ok(Proof::Record(bundle)) => Checked::Record(Box::new(CheckReport::of(bundle.check_with(vkey, others, now)))),
            Err(error) => Checked::Record(Box::new(CheckReport::of(Err::<Proved, _>(error)))),
        }
    }
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

    /// A small file that would fill the memory of whoever opens it is not opened.
    #[test]
    fn a_bundle_of_very_many_values_is_none() {
        let of = |more: usize| format!(r#"{{"format":"spanseal.proof/1","x":[{}]}}"#, vec!["0"; more].join(","));
        // The object, the list and the comma before it are three, and n values have n - 1 commas.
        assert!(matches!(Proof::parse(of(VALUES_MAX - 2).as_bytes()), Err(ProofError::Refused(_))));
        assert!(matches!(Proof::parse(of(VALUES_MAX - 1).as_bytes()), Err(ProofError::NotAProof(why)) if why.contains("values")));
    }
}
