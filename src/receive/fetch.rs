//! Between admission and promotion: the content that a request only names by reference, where the configuration lets it be fetched.
//!
//! Without configured places this is one comparison. With them a request is searched for the mark of a reference, and only one that has it
//! is walked. What cannot be fetched in time is no reason to refuse: its record says `by_reference`, and a figure counts why.

use std::sync::Arc;

use futures::StreamExt;

use super::Intake;
use super::export::{INLINE_BYTES_MAX, Request};
use super::panics::{Doing, caught};
use super::status::Refusal;
use crate::elsewhere::{Elsewhere, Unfetched};
use crate::otlp::answer::Encoding;
use crate::otlp::json;
use crate::promote::REFERENCE_MARK;

/// The request with what its references led to, by which its share of the pool grows. For the copy that its records keep apart they have a share
/// of their own.
pub(super) async fn with_content(intake: &Arc<Intake>, request: Request) -> Result<Request, Refusal> {
    let Some(elsewhere) = &intake.state.elsewhere else { return Ok(request) };
    let doing = Doing::references(request.signal, request.body.len());
    let (mut request, references) = if request.body.len() <= INLINE_BYTES_MAX {
        let references = caught(doing, || references(intake, elsewhere, &request))?;
        (request, references)
    } else {
        let (there, elsewhere) = (Arc::clone(intake), Arc::clone(elsewhere));
        // The share goes along, as it does when the request is promoted.
        let look = move || {
            let references = references(&there, &elsewhere, &request);
            (request, references)
        };
        intake.workers.run(doing, look).await?
    };
    let (pool, deadline) = (&intake.state.sealer.pool, elsewhere.deadline());
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
    while let Some((reference, fetched)) = fetching.next().await {
        intake.state.metrics.fetched(fetched.as_ref().err().copied());
        if let Ok((text, share)) = fetched {
            request.fetched.insert(reference, text);
            request.permit.join(share);
        }
    }
    Ok(request)
}

/// Most references of one request that are followed: four of each span of a large batch. No share of the pool counts them, and each may have
/// 4 KiB.
const FOLLOWED_MAX: usize = 4096;

/// The references of a request that lie in a configured place. What is no OTLP has none; the promotion says so.
fn references(intake: &Intake, elsewhere: &Elsewhere, request: &Request) -> Vec<String> {
    if memchr::memmem::find(&request.body, REFERENCE_MARK).is_none() {
        return Vec::new();
    }
    let transcoded = match request.encoding {
        Encoding::Protobuf => None,
        Encoding::Json => match json::request(request.signal, &request.body) {
            Ok(transcoded) => Some(transcoded),
            Err(_) => return Vec::new(),
        },
    };
    let protobuf = transcoded.as_ref().map_or(&*request.body, |transcoded| &transcoded.protobuf);
    let named = intake.state.promoter.references(protobuf, request.signal).unwrap_or_default();
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
