//! Content that telemetry names by reference, fetched from the places that the configuration names (`content.references`), and from nowhere
//! else.
//!
//! Whoever may send telemetry chooses the references, so this is a server that fetches addresses named by strangers. What holds it:
//!
//! - [`Place`]: a reference is fetched only if it begins with a configured place and goes on as a plain path; what is not asked cannot answer.
//! - One request, without credentials of a web server, cookies, proxies or further tries; a redirect is followed nowhere.
//! - In a folder no symbolic link is followed and nothing but a regular file is read.
//! - So many bytes, so many at a time, so long: all of it is bounded, and whoever asks pays the memory before it is taken.
//! - Nothing of an answer goes back to the sender, and neither logs nor figures name an address.
//!
//! What stays: a sender may name any object of a configured place, another application's too, and has it kept as its own content. Places are
//! best as narrow as an application.

mod folder;
mod place;
mod web;

pub use place::Place;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::worm::s3::{S3Options, S3Store};
use crate::worm::{ObjectKey, OpenError, ReadError, WormStore};
use place::Kind;
use web::Web;

/// `content.references`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `from`: where content may be fetched from; none by default. At most [`PLACES_MAX`].
    pub from: Vec<From>,
    /// `max_bytes`: of one content, bytes. Default 1MiB, of the order of a long conversation; 1KiB to 64MiB, and at most a quarter of
    /// `seal.pool_bytes`, from which twice as much is taken while it is fetched.
    pub bytes_max: usize,
    /// `timeout`: for all contents of one request together. Default 2s: a sender waits 10 s for its receipt, of which the seal takes some.
    /// 10ms to 5s.
    pub timeout: Duration,
    /// `parallel`: contents that are fetched at the same time, of all requests. Default 8, 1 to 256.
    pub parallel: usize,
}

/// One entry of `content.references.from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// `prefix`: what references to this place begin with.
    pub place: Place,
    /// `ca_file`: for https, PEM of the only certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
}

/// Most places: each reference is compared with all of them.
pub const PLACES_MAX: usize = 32;

/// Why the places cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A bucket.
    #[error("content.references: {0}")]
    Bucket(#[from] OpenError),
    /// A web server.
    #[error("content.references: `{place}`: {reason}")]
    Web {
        /// Which.
        place: String,
        /// What is wrong and what now.
        reason: String,
    },
}

/// Why a content was not fetched. The metric's label is [`Unfetched::label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unfetched {
    /// The reference lies in no configured place, or behind a symbolic link.
    Outside,
    /// It did not come in time, or its turn did not.
    TimedOut,
    /// It is longer than `max_bytes`.
    TooLarge,
    /// The pool had no room for it.
    NoRoom,
    /// The server sent elsewhere.
    Redirected,
    /// There is no such object.
    Absent,
    /// It is not UTF-8, and no scheme of a record covers anything else.
    NotText,
    /// The place refused, or could not be reached.
    Failed,
}

impl Unfetched {
    /// All of them.
    pub const ALL: [Unfetched; 8] = [
        Unfetched::Outside,
        Unfetched::TimedOut,
        Unfetched::TooLarge,
        Unfetched::NoRoom,
        Unfetched::Redirected,
        Unfetched::Absent,
        Unfetched::NotText,
        Unfetched::Failed,
    ];

    /// Stable word for the label.
    pub fn label(self) -> &'static str {
        match self {
            Unfetched::Outside => "outside",
            Unfetched::TimedOut => "timed_out",
            Unfetched::TooLarge => "too_large",
            Unfetched::NoRoom => "no_room",
            Unfetched::Redirected => "redirected",
            Unfetched::Absent => "absent",
            Unfetched::NotText => "not_text",
            Unfetched::Failed => "failed",
        }
    }
}

/// The configured places, ready to be asked. `Debug` shows how many.
pub struct Elsewhere {
    sources: Vec<(Place, Source)>,
    bytes_max: usize,
    timeout: Duration,
    parallel: usize,
    turns: Arc<Semaphore>,
}

enum Source {
    Web(Web),
    Folder(PathBuf),
    Bucket(Box<S3Store>),
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("places", &self.sources.len()).finish_non_exhaustive()
    }
}

impl Elsewhere {
    /// Makes the places ready; asks none of them. Buckets are reached with the options of `store.s3`.
    pub async fn open(options: &Options, s3: &S3Options) -> Result<Self, PlaceError> {
        let mut sources = Vec::with_capacity(options.from.len());
        for From { place, ca_file } in &options.from {
            let source = match &place.kind {
                Kind::Web => {
                    let web = Web::open(place.is_https(), ca_file.as_deref()).await;
                    Source::Web(web.map_err(|reason| PlaceError::Web { place: place.to_string(), reason })?)
                }
                Kind::Folder(folder) => Source::Folder(folder.clone()),
                Kind::Bucket { bucket, prefix } => {
                    // Nothing is written there, so whether it keeps versions need not be asked.
                    let options = S3Options { not_worm: false, ..s3.clone() };
                    Source::Bucket(Box::new(S3Store::open(bucket, prefix, options).await?))
                }
            };
            sources.push((place.clone(), source));
        }
        let turns = Arc::new(Semaphore::new(options.parallel));
        Ok(Elsewhere { sources, bytes_max: options.bytes_max, timeout: options.timeout, parallel: options.parallel, turns })
    }

    /// Until when everything of a request that begins now has to be there.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// How many contents are fetched at the same time.
    pub fn parallel(&self) -> usize {
        self.parallel
    }

    /// Whether a reference lies in one of the places.
    pub fn holds(&self, reference: &str) -> bool {
        self.source(reference).is_some()
    }

    /// Of two places that hold it the longer says more of it.
    fn source<'r>(&self, reference: &'r str) -> Option<(&'r str, &Source)> {
        let within = self.sources.iter().filter_map(|(place, source)| Some((place.within(reference)?, source)));
        within.min_by_key(|(rest, _)| rest.len())
    }

    /// Fetches what a reference names, once. `room` is asked for the memory of the longest content when its turn has come; what it gives
    /// is handed on with the content.
    pub async fn fetch<S>(
        &self,
        reference: &str,
        deadline: Instant,
        room: impl FnOnce(usize) -> Option<S>,
    ) -> Result<(Bytes, S), Unfetched> {
        let (rest, source) = self.source(reference).ok_or(Unfetched::Outside)?;
        let fetched = timeout_at(deadline, async {
            let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Unfetched::Failed)?;
            let share = room(self.bytes_max).ok_or(Unfetched::NoRoom)?;
            let max = self.bytes_max;
            let bytes = match source {
                Source::Web(web) => web.get(reference, max).await?,
                Source::Bucket(store) => of_bucket(store, rest, max).await?,
                Source::Folder(root) => {
                    let (root, rest) = (root.clone(), rest.to_owned());
                    let read = tokio::task::spawn_blocking(move || {
                        let read = folder::read(&root, &rest, max);
                        // A disk that hangs keeps its turn: as many threads wait for it as there are turns.
                        drop(turn);
                        read
                    });
                    read.await.map_err(|_| Unfetched::Failed)??
                }
            };
            Ok((bytes, share))
        });
        let (bytes, share) = fetched.await.unwrap_or(Err(Unfetched::TimedOut))?;
        if std::str::from_utf8(&bytes).is_err() {
            return Err(Unfetched::NotText);
        }
        Ok((bytes, share))
    }
}

async fn of_bucket(store: &S3Store, rest: &str, max: usize) -> Result<Bytes, Unfetched> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX);
    match store.get(&ObjectKey(rest.to_owned()), None, limit).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(Unfetched::Absent),
        Err(ReadError::TooLarge { .. }) => Err(Unfetched::TooLarge),
        Err(_) => Err(Unfetched::Failed),
    }
}

#[cfg(test)]
mod tests;
