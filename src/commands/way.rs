//! Who does what only the log's one writer can: the running `serve`, asked over its API port, or, where none runs, this process as the
//! writer. An erasure, the record of a reading and that of an operator's act go this way.

mod server;
mod tls;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpStream;

use super::output;
use crate::access::{self, AccessError};
use crate::api::{self, Act, Secret, Whose};
use crate::cli::ClientArgs;
use crate::clock::SystemClock;
use crate::config::{Config, Listener};
use crate::erase::{self, Outcome, Sealed};
use crate::govern::{self, GovernError};
use crate::http_client;
use crate::record::identity::IdentityKey;
use crate::seal::keys::KeyError;
use crate::serve::keys::{load_identity, load_vault_key};
use crate::serve::{Promise, ServeError, Writer};
use crate::worm;
use server::{Refused, Server, body_of};
use tls::{Identity, client_config};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Longest answer of a probe, bytes.
const HEALTH_BYTES_MAX: usize = 4096;

/// Who does it.
pub(super) enum Way {
    /// A running `serve`.
    Server(Box<Server>),
    /// This process.
    Own(Box<Writer>),
}

/// Whether an act was refused because of what was asked for.
pub(super) fn is_refusal(error: &anyhow::Error) -> bool {
    error.is::<Refused>()
        || matches!(error.downcast_ref(), Some(AccessError::Wrong(_)))
        || matches!(error.downcast_ref(), Some(GovernError::Wrong(_)))
}

impl Way {
    /// Looks whether a server runs; else opens the log.
    pub(super) async fn open(config: &Config, act: Act, promise: Promise, client: &ClientArgs) -> anyhow::Result<Self> {
        if let Some(way) = Self::running(config, act, client).await? {
            return Ok(way);
        }
        let writer = Writer::open(config, Arc::new(SystemClock), promise, &output::tell_made)
            .await
            .context("no `serve` answers at `api.endpoint`, so the log is opened here")?;
        if let (Act::Erase, Some(eraser)) = (act, &writer.eraser) {
            eraser.finish().await.context("an erasure from before could not be finished")?;
        }
        Ok(Way::Own(Box::new(writer)))
    }

    /// The server that runs; `None` where nobody listens.
    pub(super) async fn running(config: &Config, act: Act, client: &ClientArgs) -> anyhow::Result<Option<Self>> {
        expect_place(config, act)?;
        // Port 0 was a free one, which nobody here knows.
        if config.api.endpoint.port == 0 {
            return Ok(None);
        }
        let secret = secret(config, act)?;
        let identity = client.client_cert.as_deref().zip(client.client_key.as_deref()).map(|(cert, key)| Identity { cert, key });
        let (http, url) = (http(&config.api, identity)?, url(&config.api));
        if !listens(&config.api).await {
            return Ok(None);
        }
        expect_spanseal(&http, &url, &config.api).await?;
        let unread = match act {
            Act::Erase => !config.api.is_in_the_clear(),
            // It names nobody but who reads, and does not leave this machine where the port is open on all its addresses.
            Act::Access | Act::Govern => !config.api.is_in_the_clear() || is_here(&config.api),
        };
        match (unread, act) {
            (false, Act::Erase) => bail!(read_by_others(config, "who is to be erased")),
            (false, Act::Access) => bail!(read_by_others(config, "who reads")),
            // It depends on what is asked for ([`govern`](Self::govern)).
            (_, Act::Govern) | (true, _) => {}
        }
        let store = worm::open(&config.store.url, &config.store.options()).await?;
        let whose = Whose::of(store.as_ref(), &config.log.name, &config.log.origin).await?;
        let whose = whose.ok_or_else(|| ServeError::NoLog { log: config.log.name.clone(), store: store.describe() })?;
        let overheard = (!unread).then(|| read_by_others(config, "who asks for it (--by)"));
        Ok(Some(Way::Server(Box::new(Server { http, url, secret, whose, overheard }))))
    }

    /// The newest seal that the running `serve` has committed. This process, as the writer, knows it only once the log is open.
    pub(super) async fn committed(&self, act: Act) -> anyhow::Result<Option<u64>> {
        match self {
            Way::Own(_) => Ok(None),
            Way::Server(server) => Ok(server.committed(act).await?.checked_sub(1)),
        }
    }

    /// Has an erasure done.
    pub(super) async fn erase(&self, wish: &erase::Wish) -> anyhow::Result<Outcome> {
        match self {
            Way::Own(writer) => {
                let eraser = writer.eraser.as_ref().context("this log has no vault")?;
                Ok(eraser.erase(wish).await?)
            }
            Way::Server(server) => server.ask(Act::Erase, wish).await,
        }
    }

    /// Has a reading recorded.
    pub(super) async fn record(&self, wish: &access::Wish) -> anyhow::Result<Sealed> {
        match self {
            Way::Own(writer) => {
                let recorder = writer.recorder.as_ref().context("this log has no vault")?;
                Ok(recorder.record(wish).await?)
            }
            Way::Server(server) => server.ask(Act::Access, wish).await,
        }
    }

    /// Has an operator's act recorded.
    pub(super) async fn govern(&self, wish: &govern::Wish) -> anyhow::Result<Sealed> {
        match self {
            Way::Own(writer) => Ok(writer.governor.seal(wish).await?),
            Way::Server(server) => match &server.overheard {
                Some(why) if wish.by.is_some() => bail!("{why}; or leave --by away"),
                _ => server.ask(Act::Govern, wish).await,
            },
        }
    }

    /// Lets a log that was opened here go.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        match self {
            Way::Server(_) => Ok(()),
            Way::Own(writer) => Ok(writer.close().await?),
        }
    }
}

/// Whether there is what the act is about.
fn expect_place(config: &Config, act: Act) -> anyhow::Result<()> {
    let without = match act {
        Act::Erase => {
            "the configuration names no vault (`content.vault.url`), so nothing can be erased one by one; only destroying the identity \
             key makes keyed pseudonyms say nothing, and everybody's"
        }
        Act::Access => "the configuration names no vault (`content.vault.url`), so nothing of it can be read",
        Act::Govern => return Ok(()),
    };
    if config.content.vault.is_some() { Ok(()) } else { bail!(without) }
}

/// What this side shows to have.
fn secret(config: &Config, act: Act) -> anyhow::Result<Secret> {
    match (act, &config.content.vault) {
        (Act::Erase | Act::Access, Some(place)) => match load_vault_key(&place.key_file) {
            Err(KeyError::Missing(path)) => {
                bail!("`content.vault.key_file` `{}` does not exist, and without it nothing in the vault can be found", path.display())
            }
            other => Ok(Secret::from(&other?)),
        },
        (Act::Erase | Act::Access | Act::Govern, _) => match load_identity(&config.identity.key_file) {
            Err(KeyError::Missing(path)) => bail!(
                "`identity.key_file` `{}` does not exist, and the running `serve` records an operator's act only for who has it",
                path.display()
            ),
            other => Ok(Secret::from(&IdentityKey::new(*other?.0))),
        },
    }
}

fn read_by_others(config: &Config, what: &str) -> String {
    format!(
        "spanseal answers at `api.endpoint` `{}`, but over plain HTTP beyond this machine, where others read {what}: set `api.tls`, or \
         `api.endpoint` to a loopback address, and start `serve` again; or stop it, and ask again",
        config.api.endpoint
    )
}

/// Somebody listens. Whoever is no spanseal, or does not let this process in, is an error: it might be the log's writer.
async fn expect_spanseal(http: &reqwest::Client, url: &str, api: &Listener) -> anyhow::Result<()> {
    let asked = http.get(format!("{url}/healthz")).timeout(CONNECT_WITHIN).send().await;
    match asked {
        Ok(response) => {
            let said = body_of(response, HEALTH_BYTES_MAX).await.unwrap_or_default();
            if said.trim_ascii() == api::HEALTHY.as_bytes() {
                return Ok(());
            }
            bail!("something else than spanseal answers at {url} (`api.endpoint`); stop it, or configure another port")
        }
        Err(error) => Err(error.without_url()).with_context(|| {
            let advice = match &api.tls {
                Some(tls) if tls.client_ca_file.is_some() => {
                    ": it asks for a client certificate of the authority in `api.tls.client_ca_file`; give one with --client-cert and \
                     --client-key"
                }
                Some(_) => ": if `api.tls.cert_file` was renewed since `serve` started, start it again",
                None => "",
            };
            format!("what listens at {url} (`api.endpoint`) does not answer as spanseal does{advice}")
        }),
    }
}

/// The address by which the API is reached from here.
fn host(api: &Listener) -> String {
    match api.endpoint.ip() {
        Some(IpAddr::V4(ip)) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        Some(IpAddr::V6(ip)) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        _ => api.endpoint.host.clone(),
    }
}

/// Whether that address is this machine itself.
fn is_here(api: &Listener) -> bool {
    host(api).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn url(api: &Listener) -> String {
    let scheme = if api.tls.is_some() { "https" } else { "http" };
    let host = host(api);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    format!("{scheme}://{host}:{}", api.endpoint.port)
}

/// Whether anybody listens there at all. Asked below TLS: a port that turns this process away is no sign that no `serve` runs.
async fn listens(api: &Listener) -> bool {
    let connected = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect((host(api), api.endpoint.port))).await;
    matches!(connected, Ok(Ok(_)))
}

fn http(api: &Listener, identity: Option<Identity<'_>>) -> anyhow::Result<reqwest::Client> {
    let builder = http_client::builder().connect_timeout(CONNECT_WITHIN);
    let builder = match &api.tls {
        None => builder.tls_certs_only([]),
        Some(tls) => builder.tls_backend_preconfigured(client_config(tls, identity)?),
    };
    builder.build().context("no client for the API")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::{Deed, Trial, Wish};
    use crate::worm::Mode;
    use crate::worm::canary::{Attempt, Finding, Tried};

    /// Guarantee: who asks for a record is said nowhere where others listen, and the rest may be.
    #[tokio::test]
    async fn who_asks_is_not_said_over_plain_http_beyond_this_machine() {
        let whose = Whose { log: "audit".into(), origin: "x".into(), store: "file:///x".into(), made: "00".into() };
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", taken.local_addr().unwrap());
        drop(taken);
        let tried = [Tried { attempt: Attempt::Delete, finding: Finding::Good(String::new()) }];
        let wish = |by: Option<&str>| Wish { by: by.map(str::to_owned), ..Wish::of(Deed::Canary(Trial::of(Mode::Compliance, &tried))) };
        for (overheard, by, said) in [
            (Some("others read it"), Some("alice"), "others read it; or leave --by away"),
            (Some("others read it"), None, "did not answer"),
            (None, Some("alice"), "did not answer"),
        ] {
            let secret = Secret::from(&IdentityKey::new([7; 32]));
            let http = http_client::builder().build().unwrap();
            let server = Server { http, url: url.clone(), secret, whose: whose.clone(), overheard: overheard.map(str::to_owned) };
            let refused = Way::Server(Box::new(server)).govern(&wish(by)).await.unwrap_err().to_string();
            assert!(refused.contains(said) && !refused.contains("alice"), "{refused}");
        }
    }
}
