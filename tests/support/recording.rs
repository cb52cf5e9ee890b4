//! What the pretended clouds share: every request is written down, and what is not as documented is a violation that fails the test, whatever
//! the adapter made of the answer. They are stricter than the real services: a header or parameter that an operation does not list is wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use axum::response::Response;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Decoded.
    pub(crate) query: BTreeMap<String, String>,
    /// Names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

impl Seen {
    fn of(method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Result<Seen, String> {
        let mut query = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            if query.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(format!("parameter `{name}` stands twice"));
            }
        }
        let mut named = BTreeMap::new();
        for (name, value) in headers {
            let value = value.to_str().map_err(|_| format!("header `{name}` is no ASCII"))?;
            if named.insert(name.as_str().to_owned(), value.to_owned()).is_some() {
                return Err(format!("header `{name}` stands twice"));
            }
        }
        Ok(Seen { method, path: uri.path().to_owned(), query, headers: named, body })
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Method, path and query in one line, parameters in the order of their names.
    pub(crate) fn line(&self) -> String {
        let query: Vec<_> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {}{}{}", self.method, self.path, if query.is_empty() { "" } else { "?" }, query.join("&"))
    }

    /// Refuses parameters and headers that the operation does not list.
    pub(crate) fn expect_only(&self, parameters: &[&str], headers: &[&str]) -> Result<(), String> {
        const COMMON: [&str; 6] = ["host", "accept", "user-agent", "connection", "content-length", "authorization"];
        if let Some(name) = self.query.keys().find(|name| !parameters.contains(&name.as_str())) {
            return Err(format!("unknown parameter `{name}`"));
        }
        match self.headers.keys().find(|name| !headers.contains(&name.as_str()) && !COMMON.contains(&name.as_str())) {
            Some(name) => Err(format!("unknown header `{name}`")),
            None => Ok(()),
        }
    }
}

/// A service: its documented behaviour.
pub(crate) trait Service: Send + 'static {
    /// The answer; an error is what is wrong with the request.
    fn answer(&mut self, seen: &Seen) -> Result<Response, String>;
    /// An answer in the service's own form, for one that is told to fail.
    fn fail(&self, status: StatusCode, code: &str) -> Response;
}

struct Inner<S> {
    service: S,
    seen: Vec<Seen>,
    violations: Vec<String>,
    /// What the next request is answered with, whatever it asks.
    next: Option<(StatusCode, String)>,
    /// What happens after the next answer, before anything else is asked.
    meanwhile: Option<Meanwhile<S>>,
}

type Meanwhile<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A pretended cloud on a free port of loopback; it ends with the test.
pub(crate) struct Recording<S> {
    pub(crate) port: u16,
    inner: Arc<Mutex<Inner<S>>>,
}

impl<S: Service> Recording<S> {
    pub(crate) async fn start(service: S) -> Recording<S> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Mutex::new(Inner { service, seen: Vec::new(), violations: Vec::new(), next: None, meanwhile: None }));
        // Bodies of any length: axum's own limit is 2 MiB.
        let app = Router::new().fallback(answer::<S>).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Recording { port, inner }
    }

    /// Every request since the last call.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.inner.lock().unwrap().seen)
    }

    /// Lets the next request fail.
    pub(crate) fn fail_next(&self, status: u16, code: &str) {
        self.inner.lock().unwrap().next = Some((StatusCode::from_u16(status).unwrap(), code.to_owned()));
    }

    /// Lets somebody else act between the next request and the one after it.
    pub(crate) fn meanwhile(&self, act: impl FnOnce(&mut S) + Send + 'static) {
        self.inner.lock().unwrap().meanwhile = Some(Box::new(act));
    }

    /// The service itself.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut S) -> T) -> T {
        act(&mut self.inner.lock().unwrap().service)
    }

    /// Fails if any request was not as documented.
    #[track_caller]
    pub(crate) fn expect_no_violation(&self) {
        let inner = self.inner.lock().unwrap();
        assert!(inner.violations.is_empty(), "not as documented:\n{}", inner.violations.join("\n"));
    }
}

async fn answer<S: Service>(State(inner): State<Arc<Mutex<Inner<S>>>>, request: Request<axum::body::Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut inner = inner.lock().unwrap();
    let seen = Seen::of(parts.method, &parts.uri, &parts.headers, body);
    let answered = seen.and_then(|seen| {
        let answer = match inner.next.take() {
            Some((status, code)) => Ok(inner.service.fail(status, &code)),
            None => inner.service.answer(&seen).map_err(|why| format!("{}: {why}", seen.line())),
        };
        inner.seen.push(seen);
        if let Some(act) = inner.meanwhile.take() {
            act(&mut inner.service);
        }
        answer
    });
    answered.unwrap_or_else(|violation| {
        inner.violations.push(violation.clone());
        inner.service.fail(StatusCode::BAD_REQUEST, "NotAsDocumented")
    })
}
