//! Between admission and promotion: the content that a request only names by reference, where the configuration lets it be fetched.
//!
//! Without configured places this is one comparison. With them a request is searched for the mark of a reference, and only one that has it
//! is walked. What cannot be fetched in time is no reason to refuse: its record says `by_reference`, and a figure counts why.

use std::sync::Arc;

use futures::StreamExt;

use super::Intake;
use super::export::{INLINE_BYTES_MAX, Request};
use crate::elsewhere::{Elsewhere, Unfetched};
use crate::otlp::answer::{Encoding, Signal};
use crate::otlp::json;
use crate::promote::{Fetched, REFERENCE_MARK};
use crate::seal::Permit;

/// What was fetched, and its share of the pool.
#[derive(Debug, Default)]
pub(super) struct Found {
    fetched: Fetched,
    shares: Vec<Permit>,
}

impl Found {
    /// For the promotion.
    pub(super) fn fetched(&self) -> Option<&Fetched> {
        (!self.fetched.is_empty()).then_some(&self.fetched)
    }
}

/// The request with what its references led to.
pub(super) async fn with_content(intake: &Arc<Intake>, request: Request) -> Request {
    match &intake.state.elsewhere {
        Some(elsewhere) => Request { found: found(intake, elsewhere, &request).await, ..request },
        None => request,
    }
}

async fn found(intake: &Arc<Intake>, elsewhere: &Arc<Elsewhere>, request: &Request) -> Found {
    let deadline = elsewhere.deadline();
    let references = if request.body.len() <= INLINE_BYTES_MAX {
        references(intake, elsewhere, request.signal, request.encoding, &request.body)
    } else {
        let (there, elsewhere, body) = (Arc::clone(intake), Arc::clone(elsewhere), request.body.clone());
        let (signal, encoding) = (request.signal, request.encoding);
        // A panic in there would be met again, and answered, by the promotion.
        intake.workers.run(move || references(&there, &elsewhere, signal, encoding, &body)).await.unwrap_or_default()
    };
    let pool = &intake.state.sealer.pool;
    let fetching = futures::stream::iter(references).map(async |reference| {
        // Nobody waits here for others, who may be waiting for this one.
        let fetched = elsewhere.fetch(&reference, deadline, |bytes| pool.try_admit(bytes)).await;
        let fetched = fetched.map(|(text, mut share)| {
            share.shrink(text.len() + reference.len());
            (text, share)
        });
        (reference, fetched)
    });
    let mut fetching = std::pin::pin!(fetching.buffer_unordered(elsewhere.parallel()));
    let mut found = Found::default();
    while let Some((reference, fetched)) = fetching.next().await {
        intake.state.metrics.fetched(fetched.as_ref().err().copied());
        if let Ok((text, share)) = fetched {
            found.fetched.insert(reference, text);
            found.shares.push(share);
        }
    }
    found
}

/// Most references of one request that are followed: four of each span of a large batch. No share of the pool counts them, and each may have
/// 4 KiB.
const FOLLOWED_MAX: usize = 4096;

/// The references of a request that lie in a configured place. What is no OTLP has none; the promotion says so.
fn references(intake: &Intake, elsewhere: &Elsewhere, signal: Signal, encoding: Encoding, body: &[u8]) -> Vec<String> {
    if memchr::memmem::find(body, REFERENCE_MARK).is_none() {
        return Vec::new();
    }
    let transcoded = match encoding {
        Encoding::Protobuf => None,
        Encoding::Json => match json::request(signal, body) {
            Ok(transcoded) => Some(transcoded),
            Err(_) => return Vec::new(),
        },
    };
    let request = transcoded.as_ref().map_or(body, |transcoded| &transcoded.protobuf);
    let named = intake.state.promoter.references(request, signal).unwrap_or_default();
    let mut followed = Vec::new();
    for reference in named {
        match elsewhere.holds(reference) {
            true if followed.len() < FOLLOWED_MAX => followed.push(reference.to_owned()),
            true => intake.state.metrics.fetched(Some(Unfetched::NoRoom)),
            false => intake.state.metrics.fetched(Some(Unfetched::Outside)),
        }
    }
    followed
}
