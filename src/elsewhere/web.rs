//! A web server that is asked once, without credentials.

use std::path::Path;

use bytes::Bytes;
use reqwest::{Client, StatusCode};

use super::Unfetched;
use crate::http_client::{self, BodyError};

/// The client of one place.
#[derive(Debug)]
pub(super) struct Web(Client);

impl Web {
    pub(super) async fn open(is_https: bool, ca_file: Option<&Path>) -> Result<Self, String> {
        http_client::client(is_https, ca_file, None).await.map(Web)
    }

    /// The body of a plain success. Whoever calls says how long it may take.
    pub(super) async fn get(&self, url: &str, max: usize) -> Result<Bytes, Unfetched> {
        let answer = self.0.get(url).send().await.map_err(|_| Unfetched::Failed)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Unfetched::Absent),
            status if status.is_redirection() => return Err(Unfetched::Redirected),
            _ => return Err(Unfetched::Failed),
        }
        http_client::read_at_most(answer, max).await.map_err(|e| match e {
            BodyError::TooLong(_) => Unfetched::TooLarge,
            BodyError::Lost(_) => Unfetched::Failed,
        })
    }
}
