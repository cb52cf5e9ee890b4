//! The environment: the one place of the crate that reads it.
//!
//! Only `SPANSEAL_CONFIG`, `SPANSEAL_STORE`, `SPANSEAL_VKEY` and the `AWS_*` family mean something by themselves; any other variable
//! counts only where the configuration names it as `${env:NAME}`. (Credentials in `AWS_*`, `AZURE_*` and `GOOGLE_*` are
//! read by the storage library's own chain.)

use std::collections::BTreeMap;
use std::fmt;

/// What the process was started with. `Debug` shows names, never values: a credential may be among them.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

impl Environment {
    /// The process's own. Variables that are not UTF-8 count as absent.
    pub fn of_process() -> Self {
        Environment(std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?))).collect())
    }

    /// One made by hand, for tests and embedded use.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Environment(variables.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Replaces `${env:NAME}` and `${env:NAME:-default}` in one scalar, and `$$` by `$`, as the OpenTelemetry Collector does.
    ///
    /// Unlike there, a variable that is not set and has no default is refused: an empty endpoint or path is never what was meant.
    pub(crate) fn substitute(&self, raw: &str) -> Result<String, String> {
        let mut out = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(literal) = after.strip_prefix('$') {
                out.push('$');
                rest = literal;
            } else if let Some(inside) = after.strip_prefix('{') {
                let (reference, behind) = inside.split_once('}').ok_or("`${` has no closing brace; a plain dollar sign is written `$$`")?;
                out.push_str(&self.resolve(reference)?);
                rest = behind;
            } else {
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn resolve(&self, reference: &str) -> Result<String, String> {
        let Some(named) = reference.strip_prefix("env:") else {
            return Err(format!(
                "`${{{reference}}}`: write `${{env:NAME}}` or `${{env:NAME:-default}}`; a plain dollar sign is written `$$`"
            ));
        };
        let (name, default) = match named.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (named, None),
        };
        let mut letters = name.bytes();
        let is_name =
            letters.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') && letters.all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            return Err(format!("`{name}` is no name of an environment variable"));
        }
        match (self.0.get(name), default) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(format!("the environment variable `{name}` is not set; set it, or write `${{env:{name}:-default}}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substitution_follows_the_collector() {
        let env = Environment::of([("HOST", "db"), ("EMPTY", "")]);
        for (raw, want) in [
            ("plain", "plain"),
            ("${env:HOST}", "db"),
            ("a-${env:HOST}-${env:NONE:-x}-b", "a-db-x-b"),
            ("${env:NONE:-}", ""),
            ("${env:EMPTY:-full}", ""),
            ("${env:NONE:-http://a:1/b}", "http://a:1/b"),
            ("$$", "$"),
            ("$${env:HOST}", "${env:HOST}"),
            ("$1 and $", "$1 and $"),
        ] {
            assert_eq!(env.substitute(raw).as_deref(), Ok(want), "{raw}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_sentence() {
        let env = Environment::default();
        for (raw, want) in [
            ("${env:NONE}", "the environment variable `NONE` is not set; set it, or write `${env:NONE:-default}`"),
            ("${HOME}", "`${HOME}`: write `${env:NAME}` or `${env:NAME:-default}`; a plain dollar sign is written `$$`"),
            ("${env:A", "`${` has no closing brace; a plain dollar sign is written `$$`"),
            ("${env:1A}", "`1A` is no name of an environment variable"),
        ] {
            assert_eq!(env.substitute(raw).unwrap_err(), want);
        }
        assert!(!format!("{:?}", Environment::of([("SECRET", "hush")])).contains("hush"));
    }
}
