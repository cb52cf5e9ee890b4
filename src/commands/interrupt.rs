//! Ctrl-C (SIGINT) while an operator's order is carried out: the command stops between two steps, has recorded what it did, and says where it
//! stands and what goes on from there. A second one leaves at once; that is as safe as a crash, which every order survives.

use std::future::Future;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output;

/// What a shell reports for a process that SIGINT ended (128 + SIGINT).
const EXIT_INTERRUPTED: u8 = 130;

/// It was asked to stop, and did.
#[derive(Debug, thiserror::Error)]
#[error("it was interrupted")]
struct Interrupted;

/// Whether somebody asked to stop, and what they are to be told.
#[derive(Debug)]
pub(super) struct Interrupt {
    asked: CancellationToken,
    stands: Mutex<String>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Interrupt { asked: CancellationToken::new(), stands: Mutex::new("nothing was recorded, and nothing was changed".to_owned()) }
    }
}

impl Interrupt {
    /// Where it stands from now on, and what goes on: half a sentence.
    pub(super) fn stands(&self, words: String) {
        *self.stands.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// Does what may be dropped wherever it is, because it changes nothing or may be done again; not begun, or dropped, where somebody asked
    /// to stop.
    pub(super) fn or<'w, T: 'w>(
        &'w self,
        work: impl Future<Output = anyhow::Result<T>> + 'w,
    ) -> Pin<Box<impl Future<Output = anyhow::Result<T>> + 'w>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = self.asked.cancelled() => Err(Interrupted.into()),
                done = work => done,
            }
        })
    }

    /// Does it to its end, or to where it stops by itself once that is asked for. What was over by then counts as done.
    pub(super) async fn watch(&self, work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
        let mut signals = signal(SignalKind::interrupt()).context("Ctrl-C cannot be listened for")?;
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = signals.recv() => {}
        }
        self.asked.cancel();
        output::tell("Stopping: what was done is being recorded. Ctrl-C once more leaves at once.");
        let done = tokio::select! {
            biased;
            done = &mut work => done,
            _ = signals.recv() => Err(Interrupted.into()),
        };
        match done {
            Err(why) if why.is::<Interrupted>() => {
                let stands = self.stands.lock().unwrap_or_else(PoisonError::into_inner).clone();
                output::tell(&format!("Interrupted: {stands}."));
                Ok(ExitCode::from(EXIT_INTERRUPTED))
            }
            done => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: what was asked to stop is neither begun nor waited for, through whatever its caller adds to the error; and what is over counts
    /// as done.
    #[tokio::test]
    async fn what_may_be_dropped_is_dropped() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.or(async { Ok(1) }).await.unwrap(), 1);
        interrupt.asked.cancel();
        let never = interrupt.or(std::future::pending::<anyhow::Result<()>>()).await.context("while it was done").unwrap_err();
        assert!(never.is::<Interrupted>(), "{never:?}");
        let begun = std::cell::Cell::new(false);
        let one = async {
            begun.set(true);
            Ok(())
        };
        assert!(interrupt.or(one).await.is_err() && !begun.get());
    }
}
