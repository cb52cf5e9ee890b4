//! `spanseal guide`: the guides as they stand in the documentation, for who has nothing but this program.

use std::process::ExitCode;

use super::output;
use crate::cli::GuideArgs;
use crate::guides::GUIDES;

/// Runs it.
pub fn run(args: &GuideArgs) -> anyhow::Result<ExitCode> {
    // The command line lets no other name through; without one, the list.
    match GUIDES.iter().find(|guide| args.name.as_deref() == Some(guide.name)) {
        Some(guide) => output::answer(guide.text)?,
        None => output::answer(&list())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> String {
    let line = |text: String, guide: &crate::guides::Guide| text + &format!("  {:<14}{}\n", guide.name, guide.about);
    GUIDES.iter().fold("Guides; `spanseal guide NAME` prints one:\n\n".to_owned(), line)
}
