//! `host:port` as listeners name it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::plain::HIDDEN;

/// Where something listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// An address or a name; names are looked up when the listener starts.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
}

impl Endpoint {
    /// On 127.0.0.1.
    pub fn loopback(port: u16) -> Self {
        Endpoint { host: Ipv4Addr::LOCALHOST.to_string(), port }
    }

    /// The host as an address. `localhost` is 127.0.0.1; other names are not known before they are looked up.
    pub fn ip(&self) -> Option<IpAddr> {
        if self.host == "localhost" { Some(Ipv4Addr::LOCALHOST.into()) } else { self.host.parse().ok() }
    }

    /// Reachable from this machine only.
    pub fn is_loopback(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_loopback())
    }

    /// Whether both cannot be bound at once.
    pub fn collides(&self, other: &Endpoint) -> bool {
        let everywhere = |e: &Endpoint| e.ip().is_some_and(|ip| ip.is_unspecified());
        let same_host = self.host == other.host || (self.ip().is_some() && self.ip() == other.ip());
        self.port != 0 && self.port == other.port && (same_host || everywhere(self) || everywhere(other))
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let shown = if text.contains('@') { HIDDEN } else { text };
            format!("`{shown}` is not an endpoint: write host:port, as in 127.0.0.1:4317 or [::1]:4317")
        };
        if text.contains("://") {
            return Err(format!("`{text}`: an endpoint that listens has no scheme; write host:port, as in 127.0.0.1:4317"));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        if host.is_empty() {
            return Err(format!("`{text}` names no host; write 0.0.0.0:{port} to listen on every address, or 127.0.0.1:{port}"));
        }
        let host = match host.strip_prefix('[') {
            Some(inside) => {
                let inside = inside.strip_suffix(']').ok_or_else(wrong)?;
                inside.parse::<Ipv6Addr>().map_err(|_| wrong())?.to_string()
            }
            None => host.to_owned(),
        };
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.parse::<Ipv6Addr>().is_ok() && text.starts_with('[') || host.chars().all(letters) {
            return Ok(Endpoint { host, port });
        }
        Err(wrong())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_written_and_compared() {
        let read = |text: &str| text.parse::<Endpoint>();
        for text in ["127.0.0.1:4317", "localhost:0", "[::1]:4318", "0.0.0.0:65535", "otel-1.example.com:1"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        for bad in ["", "4317", ":4317", "127.0.0.1", "127.0.0.1:65536", "http://127.0.0.1:1", "::1:4317", "[::1:1", "a b:1", "a/b:1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let collides = |a: &str, b: &str| read(a).unwrap().collides(&read(b).unwrap());
        assert!(collides("127.0.0.1:1", "localhost:1"));
        assert!(collides("0.0.0.0:1", "127.0.0.1:1"));
        assert!(collides("[::]:1", "127.0.0.1:1"));
        assert!(!collides("127.0.0.1:0", "127.0.0.1:0"));
        assert!(!collides("127.0.0.1:1", "127.0.0.2:1"));
        assert!(!collides("127.0.0.1:1", "127.0.0.1:2"));
    }
}
