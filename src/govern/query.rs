//! The query of a decree as it stands in its record: conditions as evidence has them, so that whoever carries it out years later matches the
//! same records without knowing anybody's name. Persons stand there by pseudonym only.
//!
//! KNOWN GAP: a person is meant under the pseudonyms that were known when the decree was placed. In `identity.mode` keyed or vault one who
//! turns up later in a realm that had no record of them then has another pseudonym there, as has one who was erased and comes back; a decree
//! for such records is placed anew.

use std::collections::{BTreeMap, BTreeSet};

use super::decrees::QUERY_BYTES_MAX;
use crate::clock::UnixNanos;
use crate::promote::scrub::{Look, Scrub};
use crate::query::filter::Filter;
use crate::query::person::{Wanted, is_stored_form};
use crate::record::canonical::Json;

/// Conditions with one value.
const SINGLE: [&str; 7] = ["trace_id", "record_id", "model", "kind", "prompt_hash", "from", "to"];
/// Conditions on persons and references: any of these forms.
const PERSONS: [&str; 3] = ["user", "subject", "person"];
const REFERENCES: [&str; 2] = ["session", "decision"];
/// Stands alone, with the value "records": every record.
const ALL: &str = "all";

/// See the module. `Debug` says which conditions there are, not on whom.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query(BTreeMap<String, BTreeSet<String>>);

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Query {
    /// Every record.
    pub fn everything() -> Self {
        Query(BTreeMap::from([(ALL.to_owned(), BTreeSet::from(["records".to_owned()]))]))
    }

    /// Of a filter, whose persons and references have these forms, by condition. The error is a sentence.
    pub fn new(filter: &Filter, forms: &BTreeMap<&'static str, BTreeSet<String>>) -> Result<Self, String> {
        let mut query = Query::default();
        let single = [
            ("trace_id", filter.trace_id.clone()),
            ("record_id", filter.record_id.clone()),
            ("model", filter.model.clone()),
            ("kind", filter.kind.clone()),
            ("prompt_hash", filter.prompt_hash.clone()),
            ("from", filter.from.map(UnixNanos::rfc3339)),
            ("to", filter.to.map(UnixNanos::rfc3339)),
        ];
        for (name, value) in single {
            query.0.extend(value.map(|value| (name.to_owned(), BTreeSet::from([value]))));
        }
        for (name, ..) in filter.named() {
            let forms = forms.get(name).filter(|forms| !forms.is_empty());
            let forms = forms.ok_or_else(|| {
                format!(
                    "nobody and nothing that evidence or the vault has is meant by --{name}: there is no name under which later records could \
                     be known"
                )
            })?;
            query.0.insert(name.to_owned(), forms.clone());
        }
        if query.0.is_empty() {
            return Err("no condition is given".to_owned());
        }
        query.check()?;
        Ok(query)
    }

    /// Reads the record's. One with a condition that is not known here is not read at all: without it more would match than is meant. The
    /// error is a sentence.
    pub fn parse(json: &Json) -> Result<Self, String> {
        let members = json.as_object().ok_or("it is no object")?;
        let mut query = Query::default();
        for (name, value) in members {
            let values: Vec<&str> = match (value.as_str(), value.as_array()) {
                (Some(one), _) => vec![one],
                (None, Some(several)) => several.iter().filter_map(Json::as_str).collect(),
                (None, None) => Vec::new(),
            };
            query.0.insert(name.clone(), values.into_iter().map(str::to_owned).collect());
        }
        query.check()?;
        Ok(query)
    }

    /// Refuses what no decree's query is.
    fn check(&self) -> Result<(), String> {
        for (name, values) in &self.0 {
            let name = name.as_str();
            let known = SINGLE.contains(&name) || PERSONS.contains(&name) || REFERENCES.contains(&name) || name == ALL;
            if !known {
                return Err(format!("it has a condition `{name}`, which this version does not know"));
            }
            let single = SINGLE.contains(&name) || name == ALL;
            if values.is_empty() || values.contains("") || single && values.len() != 1 {
                return Err(format!("its condition `{name}` does not have the values that it may have"));
            }
            if PERSONS.contains(&name) && !values.iter().all(|value| is_stored_form(value)) {
                return Err(format!("its condition `{name}` names somebody otherwise than evidence does"));
            }
            if matches!(name, "from" | "to") && self.time(name).is_none() {
                return Err(format!("its `{name}` is no time"));
            }
        }
        if self.0.is_empty() || self.0.contains_key(ALL) && self.0.len() > 1 {
            return Err("it says neither that all records are meant nor which".to_owned());
        }
        match self.to_json().to_jcs().len() {
            0..=QUERY_BYTES_MAX => Ok(()),
            n => Err(format!(
                "it has {n} bytes with every name under which evidence knows who or what is meant, and may have {QUERY_BYTES_MAX}: place several, \
                 each for a part (--realm, --from and --to)"
            )),
        }
    }

    /// Refuses a text that would name somebody for years. The error is a sentence.
    pub(super) fn expect_unnamed(&self, scrub: &Scrub) -> Result<(), String> {
        let texts =
            self.0.iter().filter(|(name, _)| REFERENCES.contains(&name.as_str()) || matches!(name.as_str(), "model" | "prompt_hash"));
        for (name, values) in texts {
            if values.iter().any(|value| scrub.scrubbed(value, Look::NotAddresses).is_some()) {
                return Err(format!(
                    "the condition on {name} holds what looks like an e-mail address, a telephone number or a pattern of `identity.scrub`; it is \
                     sealed as it stands and cannot be erased: ask by what evidence has in its place (`spanseal query` shows it)"
                ));
            }
        }
        Ok(())
    }

    /// As it stands in a record.
    pub fn to_json(&self) -> Json {
        let value = |name: &str, values: &BTreeSet<String>| match values.first() {
            Some(one) if SINGLE.contains(&name) || name == ALL => Json::string(one),
            _ => Json::Array(values.iter().map(Json::string).collect()),
        };
        Json::Object(self.0.iter().map(|(name, values)| (name.clone(), value(name, values))).collect())
    }

    fn one(&self, name: &str) -> Option<String> {
        self.0.get(name)?.first().cloned()
    }

    fn time(&self, name: &str) -> Option<UnixNanos> {
        UnixNanos::parse(self.0.get(name)?.first()?)
    }

    /// What it looks for.
    pub fn filter(&self) -> Filter {
        let any = |name: &str| self.0.get(name).map(|forms| Wanted::stored(forms.iter().cloned()));
        Filter {
            trace_id: self.one("trace_id"),
            record_id: self.one("record_id"),
            user: any("user"),
            subject: any("subject"),
            person: any("person"),
            session: any("session"),
            model: self.one("model"),
            kind: self.one("kind"),
            decision: any("decision"),
            prompt_hash: self.one("prompt_hash"),
            from: self.time("from"),
            to: self.time("to"),
            ..Filter::default()
        }
    }

    /// For a reader.
    pub fn words(&self) -> String {
        if self.0.contains_key(ALL) {
            return "every record".to_owned();
        }
        let said = self.0.iter().map(|(name, values)| {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            format!("{} {}", name.replace('_', " "), values.join(" or "))
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::filter::{Look as Found, Matcher};
    use crate::query::person::Names;
    use crate::record::identity::IdentityKey;

    const RECORD: &str = r#"{"actor":{"session_id":"s-1","user_id":"ps:vault:00"},"id":"1dba67c70ef7d7906342e3d531ba6ffd","kind":"inference","model":{"id":"gpt"},"schema":"spanseal.record/1","source":{"signal":"span"},"time":{"start":"2026-11-20T10:00:08.000000001Z"}}"#;

    fn forms(of: &[(&'static str, &[&str])]) -> BTreeMap<&'static str, BTreeSet<String>> {
        of.iter().map(|(name, forms)| (*name, forms.iter().map(|form| (*form).to_owned()).collect())).collect()
    }

    fn matches(query: &Query) -> bool {
        matches!(Matcher::new(query.filter()).look(RECORD.as_bytes()), Found::Yes(_))
    }

    /// Guarantee: what is recorded finds the same records, names nobody but by pseudonym, and is read back as it was written.
    #[test]
    fn a_query_is_read_as_it_was_written() {
        let names = Names { key: Some(IdentityKey::new([7; 32])), ..Names::default() };
        let filter = Filter {
            user: Some(Filter::person("alice@example.com", &names)),
            session: Some(Filter::reference("s-1", &names)),
            model: Some("gpt".into()),
            from: UnixNanos::parse("2026-11-20T00:00:00Z"),
            ..Filter::default()
        };
        let query = Query::new(&filter, &forms(&[("user", &["ps:vault:00", "ps:vault:01"]), ("session", &["s-1"])])).unwrap();
        let text = query.to_json().to_jcs_string();
        assert!(!text.contains("alice"), "{text}");
        assert_eq!(Query::parse(&Json::parse(text.as_bytes()).unwrap()), Ok(query.clone()));
        assert!(matches(&query));
        assert_eq!(query.words(), "from 2026-11-20T00:00:00.000000000Z, model gpt, session s-1, user ps:vault:00 or ps:vault:01");
        let other = Query::new(&filter, &forms(&[("user", &["ps:vault:02"]), ("session", &["s-1"])])).unwrap();
        assert!(!matches(&other));
        assert!(matches(&Query::everything()));
        let nobody = Query::new(&filter, &forms(&[("session", &["s-1"])])).unwrap_err();
        assert!(nobody.contains("--user"), "{nobody}");
    }

    #[test]
    fn what_could_match_more_than_is_meant_is_no_query() {
        for (text, why) in [
            ("[]", "object"),
            ("{}", "neither"),
            (r#"{"all":"records","model":"x"}"#, "neither"),
            (r#"{"later":"x"}"#, "does not know"),
            (r#"{"model":["x","y"]}"#, "values"),
            (r#"{"user":[]}"#, "values"),
            (r#"{"user":["alice@example.com"]}"#, "otherwise"),
            (r#"{"from":"yesterday"}"#, "time"),
        ] {
            let said = Query::parse(&Json::parse(text.as_bytes()).unwrap()).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        let long = |n: usize| Json::object([("session", Json::Array(vec![Json::String("x".repeat(n))]))]);
        let room = QUERY_BYTES_MAX - long(0).to_jcs().len();
        assert!(Query::parse(&long(room)).is_ok());
        assert!(Query::parse(&long(room + 1)).unwrap_err().contains("bytes"));
    }

    #[test]
    fn texts_name_nobody() {
        let scrub = Scrub::new(&[]).unwrap();
        let query = |text: &str| Query::parse(&Json::parse(text.as_bytes()).unwrap()).unwrap();
        assert!(query(r#"{"session":["s-1"]}"#).expect_unnamed(&scrub).is_ok());
        assert!(query(r#"{"session":["alice@example.com"]}"#).expect_unnamed(&scrub).unwrap_err().contains("session"));
    }
}
