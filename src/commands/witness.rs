//! `spanseal witness`: a small witness for other people's logs, until told to stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::output::{absolute, tell, tell_lines};
use super::serve::Signals;
use crate::cli::WitnessArgs;
use crate::clock::SystemClock;
use crate::plain::shown;
use crate::receive::TlsFiles;
use crate::receive::listen::{self, Endpoint};
use crate::witness::state::Witness;
use crate::witness::{key, server};

/// How long open requests may take when it is told to stop; each is one write to the disk.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// Runs it.
pub async fn run(args: WitnessArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let cosigner = key::load(&args.key_file)?;
    let (state, logs) = (args.state.clone(), args.log.clone());
    let witness = tokio::task::spawn_blocking(move || Witness::open(&state, cosigner, &logs, Arc::new(SystemClock))).await??;
    let witness = Arc::new(witness);
    let tls = args.tls_cert.zip(args.tls_key).map(|(cert_file, key_file)| TlsFiles { cert_file, key_file, client_ca_file: None });
    let scheme = if tls.is_some() { "https" } else { "http" };
    let bound = match listen::bind(&Endpoint { address: args.listen.to_string(), tls, token_file: None }).await {
        // A witness has no configuration with an `endpoint`.
        Err(listen::ListenError::Bind { source, .. }) => {
            let address = args.listen;
            anyhow::bail!(
                "cannot listen on {address}: {source}; stop what listens there, or choose another place with `--listen HOST:PORT`"
            )
        }
        bound => bound?,
    };
    let address = bound.address();
    let mut listening = bound.serve(server::router(Arc::clone(&witness)), &[], Arc::default());
    let mut said = format!(
        "spanseal {} witness\nkey       {}  (auditors verify with --witness '{}')\nstate     {}",
        env!("CARGO_PKG_VERSION"),
        absolute(&args.key_file),
        witness.cosigner().public(),
        absolute(&args.state)
    );
    for (origin, size) in witness.logs() {
        let why =
            witness.forgotten().find(|(other, _)| *other == origin).map(|(_, why)| format!("NOT SERVED: {}", shown(&why.to_string())));
        let size = size.map_or_else(|| "nothing cosigned yet".to_owned(), |size| format!("cosigned up to tree size {}", size.0));
        let size = why.unwrap_or(size);
        said.push_str(&format!("\nfollows   {origin}: {size}"));
    }
    said.push_str(&format!("\nlistening {scheme}://{address}"));
    tell_lines(&said);
    tokio::select! {
        () = listening.failed() => anyhow::bail!("the accept loop stopped by itself; start again, what was cosigned is remembered"),
        () = signals.next() => {}
    }
    let _ = listening.drain(DRAIN_WITHIN).await;
    tell("stopped");
    Ok(ExitCode::SUCCESS)
}
