//! What is said with an operator's act besides what it does: why, the request that it answers, and who asks for it.

use crate::erase::{Text, has_word};
use crate::promote::scrub::{Look, Scrub};
use crate::vault::parse_pseudonym;

/// The words of one act. Ground and ticket are sealed as they stand; who asks is sealed as evidence names persons.
pub(crate) struct Words<'w> {
    /// Why.
    pub(crate) ground: Option<&'w str>,
    /// The request that it answers.
    pub(crate) ticket: Option<&'w str>,
    /// Who asks for it.
    pub(crate) by: Option<&'w str>,
}

/// Refuses words that no record of an act could say, before anything is done for it. `patterns` are `identity.scrub`.
pub fn check_words(ground: Option<&str>, ticket: Option<&str>, by: Option<&str>, patterns: &[String]) -> Result<(), String> {
    let words = Words { ground, ticket, by };
    words.check(&Scrub::new(patterns)?)?;
    match by {
        Some(by) if parse_pseudonym(by).is_none() => words.expect_unnamed([by.strip_prefix("id:").unwrap_or(by)].into_iter()),
        _ => Ok(()),
    }
}

impl Words<'_> {
    /// Refuses what no record could say, and what it should not say for years. What is refused may be anybody's name: it is not repeated.
    pub(crate) fn check(&self, scrub: &Scrub) -> Result<(), String> {
        for (of, name, text) in [(Text::Ground, "ground", self.ground), (Text::Ticket, "ticket", self.ticket), (Text::By, "by", self.by)] {
            let Some(text) = text else { continue };
            of.check(text).map_err(|why| format!("the {name} is {why}"))?;
        }
        match self.sealed().find(|(_, text)| scrub.scrubbed(text, Look::Everything).is_some()) {
            None => Ok(()),
            Some((name, _)) => Err(format!(
                "the {name} holds what looks like an e-mail address, a telephone number, a network address or a pattern of `identity.scrub`; it \
                 is sealed as it stands and cannot be erased: say it without"
            )),
        }
    }

    /// Refuses a ground or ticket in which one of these ids stands as a word, in whatever case.
    pub(crate) fn expect_unnamed<'i>(&self, mut ids: impl Iterator<Item = &'i str>) -> Result<(), String> {
        let named = ids.find_map(|id| self.sealed().find(|(_, text)| has_word(text, id)));
        named.map_or(Ok(()), |(name, _)| {
            Err(format!("the {name} holds the id of a person; it is sealed as it stands and cannot be erased: say it without"))
        })
    }

    /// What stands in the record as it was given.
    fn sealed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("ground", self.ground), ("ticket", self.ticket)].into_iter().filter_map(|(name, text)| Some((name, text?)))
    }
}
