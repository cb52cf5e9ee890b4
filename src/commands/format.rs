//! `spanseal format`: the format of a log as a document, for whoever writes a verifier of their own and has nothing but this program.

use std::process::ExitCode;

use super::output;

/// The documentation of [`crate::format`], which is that module's text and nothing else.
const SOURCE: &str = include_str!("../format.rs");

/// Runs it.
pub fn run() -> anyhow::Result<ExitCode> {
    output::answer(&document())?;
    Ok(ExitCode::SUCCESS)
}

/// The text without the marks of a documentation comment.
fn document() -> String {
    let line = |line: &'static str| line.strip_prefix("//!").map(|text| text.strip_prefix(' ').unwrap_or(text));
    SOURCE.lines().filter_map(line).fold(String::new(), |text, line| text + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever prints it has all of it: the module is nothing but this text.
    #[test]
    fn the_document_is_the_whole_module() {
        let document = document();
        assert!(document.starts_with("The format of a log: everything that somebody needs who writes a verifier"), "{document}");
        assert!(document.contains("\n# 14. The bundle of several records\n") && !document.contains("//!"));
        // Nothing in it is said by code that he does not have.
        assert!(!document.contains("[`crate::"), "{document}");
        assert_eq!(document.lines().count(), SOURCE.lines().count());
    }
}
