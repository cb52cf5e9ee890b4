//! DNS rebinding: a web page whose name's owner lets it lead to this machine's loopback talks to a port there as to its own server. What serves this
//! machine alone, and asks for no token, has nothing but the name in the request to tell such a page by.

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{Method, Request};

/// What is answered.
pub(super) const MISDIRECTED: &str =
    "this port serves programs of this machine, under `localhost` or a loopback address; the request names another host\n";

/// Whether a request to a loopback listener may come from such a page: it names a host that is not this machine, and is what browsers send, a GET or
/// something with an `Origin`. Senders of OTLP send neither, so that a name of their own for this machine (`/etc/hosts`) goes on to serve them.
pub(super) fn may_be_rebound<B>(request: &Request<B>) -> bool {
    let is_of_browsers = request.headers().contains_key(ORIGIN) || matches!(*request.method(), Method::GET | Method::HEAD);
    is_of_browsers && !names_this_machine(request)
}

fn names_this_machine<B>(request: &Request<B>) -> bool {
    let of_header = || request.headers().get(HOST).map(|host| host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()));
    // HTTP/2 names it in the address. HTTP/1.0 need not name any; browsers do.
    let Some(authority) = request.uri().authority().cloned().map(Some).or_else(of_header) else { return true };
    authority.is_some_and(|authority| is_local(authority.host()))
}

fn is_local(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    match address {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_of_another_name_sends_is_told() {
        let request = |method: &str, host: Option<&str>, origin: bool, uri: &str| {
            let mut request = Request::builder().method(method).uri(uri);
            if let Some(host) = host {
                request = request.header("host", host);
            }
            if origin {
                request = request.header("origin", "http://evil.example");
            }
            may_be_rebound(&request.body(()).unwrap())
        };
        for host in
            ["evil.example", "evil.example:8720", "192.0.2.1", "localhost.evil.example", "127.0.0.1.evil.example", "[::2]:1", "a b", ""]
        {
            assert!(request("GET", Some(host), false, "/status"), "{host}");
            assert!(request("POST", Some(host), true, "/v1/traces"), "{host}");
            assert!(!request("POST", Some(host), false, "/v1/traces"), "no page: {host}");
        }
        for host in
            ["localhost", "LocalHost:8720", "localhost.", "a.localhost", "127.0.0.1:8720", "127.9.9.9", "[::1]:8720", "[::ffff:127.0.0.1]"]
        {
            assert!(!request("GET", Some(host), false, "/status") && !request("POST", Some(host), true, "/v1/traces"), "{host}");
        }
        assert!(!request("GET", None, false, "/status"));
        assert!(request("GET", None, false, "http://evil.example/status") && !request("GET", None, false, "http://localhost/status"));
    }
}
