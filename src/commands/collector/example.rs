//! `spanseal collector example`: the Collector configurations that the tests run, for who has nothing but this program.

use std::process::ExitCode;

use crate::cli::CollectorExampleArgs;
use crate::collector::examples::EXAMPLES;
use crate::commands::output;

/// Runs it.
pub(super) fn run(args: &CollectorExampleArgs) -> anyhow::Result<ExitCode> {
    let name = args.name.as_deref();
    // The command line lets no other name through; without one, the list.
    match EXAMPLES.iter().find(|example| [example.name, example.file].map(Some).contains(&name)) {
        Some(example) => output::answer_bytes(example.text.as_bytes())?,
        None => output::answer(&list())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> String {
    let mut text = "Collector configurations; `spanseal collector example NAME` prints one:\n\n".to_owned();
    for example in EXAMPLES {
        text.push_str(&format!("  {:<15}{}\n", example.name, example.about));
    }
    text
}
