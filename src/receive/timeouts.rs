//! How long a port waits for the other end. None of it is configurable in YAML: each is far beyond what a working sender needs, and a
//! sender that is cut off may try again.

use std::time::Duration;

/// What the other end owes, and how long it has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The TLS handshake; else a silent connection holds its place for ever.
    pub handshake: Duration,
    /// The first bytes of a connection, as many as tell HTTP/1 from HTTP/2.
    pub first_bytes: Duration,
    /// The whole head of an HTTP/1.1 request, and the pause between two requests.
    pub head: Duration,
    /// The whole body of a request, from the first wait for it on; else its sender holds memory for nothing.
    pub body: Duration,
    /// After this a body that is still not whole holds the share of the pool that has arrived of it, no longer what it announced: a few
    /// connections that announce much and send nothing must not keep everybody else out until `body` is over.
    pub announced: Duration,
    /// The rest of a refused body, which is read for its sender's sake.
    pub discard: Duration,
    /// The next byte that we write; else who sends and never reads holds its connection for ever.
    pub write: Duration,
    /// On HTTP/2, silence until we send a ping.
    pub ping_after: Duration,
    /// On HTTP/2, the answer to the ping.
    pub ping_answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            handshake: Duration::from_secs(10),
            first_bytes: Duration::from_secs(60),
            head: Duration::from_secs(120),
            body: Duration::from_secs(60),
            // Less than the default `admission_wait`, so that whoever waits for the share gets it.
            announced: Duration::from_secs(2),
            discard: Duration::from_secs(5),
            write: Duration::from_secs(60),
            ping_after: Duration::from_secs(60),
            ping_answer: Duration::from_secs(20),
        }
    }
}
