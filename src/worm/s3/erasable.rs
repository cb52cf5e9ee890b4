//! What a vault needs of a bucket and a store of evidence must never have: to delete. No part of [`WormStore`].

use http::StatusCode;

use super::answer::{classify_put, is_unknown, refuse_read};
use super::bucket::Asked;
use super::{S3Store, xml};
use crate::worm::wire::{Call, SMALL_ANSWER_MAX};
use crate::worm::{ObjectKey, PutError, ReadError, WormStore};

/// Whether a bucket keeps what is replaced and deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// It does.
    Enabled,
    /// It did once; old versions are still there.
    Suspended,
    /// It never did.
    Never,
}

impl S3Store {
    /// Asks the bucket. A server that has no such thing as versions never kept any.
    pub async fn versioning_status(&self) -> Result<Versioning, ReadError> {
        match self.versioning_asked().await? {
            Asked::Is(versioning) => Ok(versioning),
            Asked::None | Asked::Unknown(_) => Ok(Versioning::Never),
        }
    }

    /// The same, and whether the server knows the question.
    pub(super) async fn versioning_asked(&self) -> Result<Asked<Versioning>, ReadError> {
        let answer = self.read_bucket("versioning").await?;
        match answer.status {
            StatusCode::OK => {
                let root = xml::Node::parse(&answer.body).filter(|n| n.name == "VersioningConfiguration");
                let root = root.ok_or_else(|| self.unreadable(&self.shown, "?versioning"))?;
                match root.text_of("Status") {
                    Some("Enabled") => Ok(Asked::Is(Versioning::Enabled)),
                    Some("Suspended") => Ok(Asked::Is(Versioning::Suspended)),
                    None | Some("") => Ok(Asked::Is(Versioning::Never)),
                    Some(_) => Err(self.unreadable(&self.shown, "?versioning")),
                }
            }
            _ if is_unknown(&answer) => Ok(Asked::Unknown(answer.asked)),
            _ => Err(refuse_read(&self.shown, &answer)),
        }
    }

    /// Deletes an object of a bucket without versions; an absent one is fine. Refuses where versions are kept: there it would only be hidden.
    pub async fn remove(&self, key: &ObjectKey) -> Result<(), PutError> {
        let refused = |reason: &str| PutError::Refused { key: key.clone(), reason: reason.to_owned() };
        let full = self.full_key(key).map_err(refused)?;
        if self.versioned() || !self.options.not_worm {
            return Err(refused("this bucket keeps versions, or is used as write-once storage: what is deleted there is only hidden"));
        }
        let call = Call {
            method: http::Method::DELETE,
            key: full,
            timeout: self.options.put_timeout,
            answer_max: SMALL_ANSWER_MAX,
            ..Call::default()
        };
        let result = self.client.call(call).await;
        if let Ok(answer) = &result
            && answer.status == StatusCode::NOT_FOUND
            && super::answer::store_words(answer).0 == "NoSuchKey"
        {
            return Ok(());
        }
        classify_put(key, None, result).map(|_| ())
    }
}
