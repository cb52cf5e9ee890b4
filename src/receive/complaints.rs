//! What a listener says in the log of whom it did not let in: a line for each reason and address, and no other of these within a minute.
//! Whoever is refused goes on asking, a Collector many times a second, and one line tells its operator as much as a thousand; the next one says
//! how often it was meanwhile. Of more addresses than a few a minute only how often is told.
//!
//! A line has the address that a sender connects from, without its port, so that it can be found; never what it showed.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// No second line of a reason and an address comes sooner.
const BETWEEN: Duration = Duration::from_secs(60);

/// Addresses of one reason that have a line of their own within that time: strangers could fill the log, and one of them must not hide a sender that
/// is set up wrongly.
const PEERS_MAX: usize = 8;

/// Why somebody was refused who could mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// No bearer token, or one that the token file does not have.
    Token,
    /// No client certificate, or none of an authority of `client_ca_file`.
    Certificate,
    /// TLS did not come about for another reason.
    Handshake,
    /// OTLP over the other transport.
    Transport,
    /// OTLP where none is served.
    Api,
    /// OTLP at a path where none is served.
    Path,
}

impl Reason {
    const ALL: [Reason; 6] = [Reason::Token, Reason::Certificate, Reason::Handshake, Reason::Transport, Reason::Api, Reason::Path];

    fn why(self) -> &'static str {
        match self {
            Reason::Token => "no bearer token, or one that is not in the token file",
            Reason::Certificate => "no client certificate, or none that the client CA file vouches for",
            Reason::Handshake => "no TLS connection came about",
            Reason::Transport => "OTLP over the other transport: gRPC at the port for HTTP, or HTTP at the port for gRPC",
            Reason::Api => "OTLP at the port of the API, which takes none",
            Reason::Path => "OTLP at a path where none is served",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Reason::Token => "give the sender a token of `auth.token_file`; what it sends is refused for good",
            Reason::Certificate => {
                "give the sender a certificate that an authority of `tls.client_ca_file` signed, and that is not out of date"
            }
            Reason::Handshake => "see that the sender speaks TLS 1.2 or later and trusts the authority of `tls.cert_file`",
            Reason::Transport | Reason::Api => {
                "give the sender the port of its protocol (4317 is usual for gRPC, 4318 for HTTP); until then it is told to try again"
            }
            Reason::Path => {
                "take the path out of the sender's endpoint, to which it adds /v1/traces and the others itself; where the endpoint is that of one signal, \
                 its path is exactly that. What comes to `/` or behind another path it is told to send again, anything else is refused for good"
            }
        }
    }

    /// Of a handshake that failed; `None`: whoever came went away again without a word, as probes of a port do.
    pub(super) fn of_handshake(error: &io::Error) -> Option<Self> {
        use rustls::Error;
        match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
            Some(Error::NoCertificatesPresented | Error::InvalidCertificate(_)) => Some(Reason::Certificate),
            None if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => None,
            _ => Some(Reason::Handshake),
        }
    }
}

/// What was said of one reason, by address.
type Told = HashMap<IpAddr, Peer>;

#[derive(Debug)]
struct Peer {
    last: Instant,
    /// Since then.
    untold: u64,
}

/// Of one listener.
#[derive(Debug)]
pub(super) struct Complaints {
    listener: SocketAddr,
    told: [Mutex<Told>; Reason::ALL.len()],
}

impl Complaints {
    pub(super) fn new(listener: SocketAddr) -> Self {
        Complaints { listener, told: Default::default() }
    }

    /// Somebody was refused.
    pub(super) fn refused(&self, reason: Reason, peer: IpAddr) {
        let (listener, peer) = (self.listener, peer.to_canonical());
        let Some(times) = self.due(reason, peer, Instant::now()) else { return };
        tracing::warn!(%listener, %peer, why = reason.why(), times, advice = reason.advice(), "sender.refused");
    }

    /// Whether a line is due, and how many it speaks for.
    fn due(&self, reason: Reason, peer: IpAddr, now: Instant) -> Option<u64> {
        let told = Reason::ALL.iter().position(|of| *of == reason).and_then(|at| self.told.get(at))?;
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |last: Instant| now.saturating_duration_since(last) >= BETWEEN;
        if let Some(told) = told.get_mut(&peer) {
            told.untold = told.untold.saturating_add(1);
            if !is_over(told.last) {
                return None;
            }
            told.last = now;
            return Some(std::mem::take(&mut told.untold));
        }
        if told.len() >= PEERS_MAX {
            told.retain(|_, peer| !is_over(peer.last));
        }
        if told.len() >= PEERS_MAX {
            return None;
        }
        told.insert(peer, Peer { last: now, untold: 0 });
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: one line a minute and reason, which speaks for all since the last one.
    #[test]
    fn a_reason_is_told_once_a_minute_with_how_often_it_was() {
        let complaints = Complaints::new(([127, 0, 0, 1], 4317).into());
        let begun = Instant::now();
        let from = |peer: u8, reason, seconds| complaints.due(reason, [127, 0, 0, peer].into(), begun + Duration::from_secs(seconds));
        let at = |reason, seconds| from(1, reason, seconds);
        assert_eq!([0, 1, 59].map(|seconds| at(Reason::Token, seconds)), [Some(1), None, None]);
        assert_eq!([at(Reason::Transport, 59), at(Reason::Handshake, 59), at(Reason::Certificate, 59)], [Some(1); 3]);
        assert_eq!([60, 61, 119, 120].map(|seconds| at(Reason::Token, seconds)), [Some(3), None, None, Some(3)]);
        // One address hides no other; of many at once some are told, and later others.
        assert_eq!([2, 3, 2].map(|peer| from(peer, Reason::Token, 121)), [Some(1), Some(1), None]);
        assert_eq!((4..20).filter_map(|peer| from(peer, Reason::Token, 122)).count(), PEERS_MAX - 3);
        assert_eq!(from(99, Reason::Token, 130), None);
        assert_eq!((from(99, Reason::Token, 182), from(1, Reason::Token, 182)), (Some(1), Some(1)));
    }

    /// A probe of a load balancer that opens the port and closes it is nobody who was refused.
    #[test]
    fn who_went_away_is_no_complaint() {
        let of = |error: io::Error| Reason::of_handshake(&error);
        assert_eq!([io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset].map(|kind| of(kind.into())), [None; 2]);
        let tls = |error| of(io::Error::new(io::ErrorKind::InvalidData, error));
        assert_eq!(tls(rustls::Error::NoCertificatesPresented), Some(Reason::Certificate));
        assert_eq!(tls(rustls::CertificateError::Expired.into()), Some(Reason::Certificate));
        assert_eq!(tls(rustls::Error::HandshakeNotComplete), Some(Reason::Handshake));
    }
}
