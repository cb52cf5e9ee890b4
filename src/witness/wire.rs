//! The body of `add-checkpoint` (C2SP tlog-witness), both ways and strictly: pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::tlog::note::{SUBMITTED_BYTES_MAX, parse_decimal};
use crate::tlog::{Hash, TreeSize};

/// The path below a witness's submission prefix.
pub const ADD_CHECKPOINT: &str = "/add-checkpoint";
/// Type of an answer 409 that tells the size which the witness has cosigned last.
pub const SIZE_TYPE: &str = "text/x.tlog.size";
/// Most hashes of a consistency proof ("The client MUST NOT send more than 63").
pub const PROOF_MAX: usize = 63;
/// Longest body that is read, bytes: the longest note that is taken, 63 hashes of 45, and the line of the old size.
pub const BODY_BYTES_MAX: usize = SUBMITTED_BYTES_MAX + PROOF_MAX * 45 + 64;

/// What a log submits: from which size it goes on, the proof, and its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Size of the checkpoint that the witness has cosigned last, as the log believes; 0 for none.
    pub old: TreeSize,
    /// Consistency proof from `old` to the checkpoint (RFC 6962 section 2.1.2).
    pub proof: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
}

impl Submission {
    /// Takes a body apart. The checkpoint itself is not looked into.
    pub fn parse(body: &str) -> Result<Self, &'static str> {
        let (head, checkpoint) = body.split_once("\n\n").ok_or("there is no empty line before the checkpoint")?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_decimal);
        let old = old.ok_or("the first line is not `old` and a decimal number")?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_MAX {
                return Err("a consistency proof has at most 63 hashes");
            }
            let hash = STANDARD.decode(line).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            proof.push(Hash(hash.ok_or("a line of the proof is not a hash in base64")?));
        }
        Ok(Submission { old: TreeSize(old), proof, checkpoint: checkpoint.to_owned() })
    }

    /// The body.
    pub fn to_body(&self) -> String {
        let mut body = format!("old {}\n", self.old.0);
        for hash in &self.proof {
            body.push_str(&STANDARD.encode(hash.0));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(&self.checkpoint);
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    #[test]
    fn the_example_is_read_and_written() {
        let read = Submission::parse(EXAMPLE).unwrap();
        assert_eq!((read.old, read.proof.len()), (TreeSize(20_852_014), 4));
        assert!(read.checkpoint.starts_with("example.com/behind-the-sofa\n20852163\n") && read.checkpoint.ends_with("AYQ8=\n"));
        assert_eq!(read.to_body(), EXAMPLE);
        let first = Submission { old: TreeSize(0), proof: vec![], checkpoint: "x".into() };
        assert_eq!((first.to_body().as_str(), Submission::parse("old 0\n\nx")), ("old 0\n\nx", Ok(first.clone())));
    }

    #[test]
    fn what_is_not_of_that_form_is_refused() {
        let hash = format!("{}\n", STANDARD.encode([7; 32]));
        let proof = |n: usize| format!("old 1\n{}\nx", hash.repeat(n));
        assert!(Submission::parse(&proof(PROOF_MAX)).is_ok() && Submission::parse(&proof(PROOF_MAX + 1)).is_err());
        for bad in [
            "",
            "old 1",
            "old 1\nx",
            "\n\nx",
            "1\n\nx",
            "old 01\n\nx",
            "old -1\n\nx",
            "old +1\n\nx",
            "old  1\n\nx",
            "old 1 \n\nx",
            "old 18446744073709551616\n\nx",
            "Old 1\n\nx",
            "old 1\r\n\r\nx",
            "old 1\nAAAA\n\nx",
            "old 1\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\n\nx",
            "old 1\n BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\nx",
        ] {
            assert!(Submission::parse(bad).is_err(), "{bad:?}");
        }
    }
}
