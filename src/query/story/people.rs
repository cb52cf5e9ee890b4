//! Persons get letters, so that a pseudonym of 44 characters stands once and not in every sentence.

use super::Item;
use super::words::{erased, list, quote};
use crate::query::Hit;
use crate::query::opening::Erasures;

/// The persons of a story, in the order of their first appearance.
#[derive(Debug, Default)]
pub(super) struct People {
    /// Stored id, and the parts they play.
    met: Vec<(String, Vec<String>)>,
}

impl People {
    /// The name of a person in this story; `part` is what they are in it ("the user").
    pub(super) fn name(&mut self, id: &str, part: &str) -> String {
        let at = match self.met.iter().position(|(known, _)| known == id) {
            Some(at) => at,
            None => {
                self.met.push((id.to_owned(), Vec::new()));
                self.met.len() - 1
            }
        };
        if let Some((_, parts)) = self.met.get_mut(at)
            && !parts.iter().any(|p| p == part)
        {
            parts.push(part.to_owned());
        }
        person(at)
    }

    /// Their stored ids, in order.
    pub(super) fn ids(&self) -> Vec<String> {
        self.met.iter().map(|(id, _)| id.clone()).collect()
    }

    /// Who they are, as far as the evidence knows.
    pub(super) fn tell(&self, hits: &[Hit], erasures: &Erasures) -> Vec<Item> {
        let mut items = Vec::new();
        for (i, (id, parts)) in self.met.iter().enumerate() {
            let what = match id.strip_prefix("id:") {
                Some(plain) => format!("the id {} as the application sent it", quote(plain)),
                None if id.starts_with("ps:vault:") => match erasures.of_person(id, hits) {
                    Some(erasure) => format!("{id}, a pseudonym; nobody can say any more whose: {}", erased(&erasure)),
                    None => format!("{id}, a pseudonym; when it was sealed, the vault knew whose"),
                },
                None if id.starts_with("ps:") => format!("{id}, a pseudonym; the evidence does not hold the name"),
                None => quote(id),
            };
            items.push(Item::Point(format!("{} ({}): {what}.", person(i), list(parts))));
        }
        items
    }
}

/// What the story calls the person in this place.
pub(super) fn person(at: usize) -> String {
    format!("Person {}", letter(at))
}

/// A, B, ... Z, then numbers.
fn letter(at: usize) -> String {
    u8::try_from(at).ok().filter(|n| *n < 26).map_or_else(|| (at + 1).to_string(), |n| char::from(b'A' + n).to_string())
}
