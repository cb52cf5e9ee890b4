//! The `spanseal` command.
fn main() {}
