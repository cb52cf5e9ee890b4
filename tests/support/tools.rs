//! Tools of others that some tests need. What is missing is skipped aloud, never silently, and never where it was demanded.
//!
//! `SPANSEAL_TEST_TOOLS` names the folder that `tests/run` fills; `SPANSEAL_TEST_REQUIRE` lists tools (`python,node,go,rgw,...` or `all`)
//! whose absence is a failure.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::receiver::Finished;

/// The folder of tools: outside the repository, kept between runs.
pub(crate) fn folder() -> PathBuf {
    let named = |key: &str| std::env::var_os(key).filter(|v| !v.is_empty()).map(PathBuf::from);
    named("SPANSEAL_TEST_TOOLS").unwrap_or_else(|| {
        let cache = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
        cache.unwrap_or_else(std::env::temp_dir).join("spanseal-test-tools")
    })
}

/// Says that a test could not run, what for and how to have it run; fails where `SPANSEAL_TEST_REQUIRE` names the tool.
#[track_caller]
pub(crate) fn skip(tool: &str, what: &str, why: &str, how: &str) {
    let line = format!("\nSKIPPED: {what}: {why}. To run it: {how}\n");
    let required = std::env::var("SPANSEAL_TEST_REQUIRE").unwrap_or_default();
    let demanded = required.split(',').any(|name| matches!(name.trim(), "all") || name.trim() == tool);
    assert!(!demanded, "SPANSEAL_TEST_REQUIRE demands {tool}, but:{line}");
    // Not `eprint!`: the test harness would swallow it.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The script folder of the repository.
pub(crate) fn scripts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/support")
}

/// Brings the tool of `setup.sh NAME`, or says why the test is skipped.
pub(crate) fn tool(name: &str, what: &str) -> Option<String> {
    let mut setup = Command::new("bash");
    setup.arg(scripts().join("clients/setup.sh")).arg(name);
    let finished = Finished::of(setup);
    if finished.status.code() == Some(77) {
        skip(name, what, finished.stdout.trim(), "install it with its package installer, then run tests/run");
        return None;
    }
    Some(finished.success().stdout.trim().to_owned())
}
