//! The record of an erasure: who or what, on what ground, which records' content it took, and which it would have taken, had it been there.
//! What somebody else deletes is not taken for erased, and what is put back is found by it.

use super::{EraseError, Eraser, Parts, Sealed};
use crate::clock::UnixSeconds;
use crate::govern::{self, Erasure};
use crate::query::filter::Filter;
use crate::record::RecordId;
use crate::vault::told::Part;
use crate::vault::{Intent, Places, Scope, Told, pseudonym_text, told};

/// What of an erasure is sealed already.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Its first record, and when the seal of that closed; `None`: none is sealed.
    pub(super) first: Option<(Sealed, UnixSeconds)>,
    /// What its records say that it took.
    pub(super) named: Places,
    /// What they say that it meant too.
    absent: Places,
    /// How many they are.
    parts: u64,
}

impl Before {
    /// All that its records mean.
    pub(super) fn meant(&self) -> Places {
        let mut meant = self.named.clone();
        told::add(&mut meant, &self.absent);
        meant
    }
}

impl Eraser {
    /// What of an erasure is sealed already: evidence decides, whatever its intent says of itself, which may be an older copy.
    pub(super) async fn before(&self, intent: &Intent) -> Result<Before, EraseError> {
        let filter = Filter { kind: Some("erasure".to_owned()), own_acts: true, ..Filter::default() };
        let found = self.search_since(filter, intent.begun.or(intent.searched).unwrap_or(0)).await?;
        let mut before = Before::default();
        loop {
            let id = RecordId::derive("control", "", "", &hex::encode(intent.random_of(before.parts))).to_string();
            let Some(hit) = found.hits.iter().find(|hit| hit.text("id") == Some(&id)) else { return Ok(before) };
            let statement = &hit.place.seal.statement;
            before.first.get_or_insert((Sealed { record: id, seal: statement.index }, statement.sealed_at));
            if let Some(told) = Told::parse(&hit.record) {
                told::add(&mut before.named, &told.records.unwrap_or_default());
                told::add(&mut before.absent, &told.absent);
            }
            before.parts += 1;
        }
    }

    /// Seals what an erasure took, as far as it is not sealed already, and notes it in the vault's state.
    pub(super) async fn seal(&self, intent: &Intent) -> Result<Sealed, EraseError> {
        let before = self.before(intent).await?;
        let left_absent = told::without(&intent.absent, &before.meant());
        let (mut first, mut part) = (before.first.map(|(sealed, _)| sealed), before.parts);
        let mut left = told::parts(&told::without(&intent.taking, &before.named), &left_absent);
        if part == 0 && left.is_empty() {
            // Nothing but the person's entry: that is told too.
            left.push(Part::default());
        }
        for says in left {
            let sealed = self.seal_part(intent, part, &says).await?;
            first = first.or(Some(sealed));
            part += 1;
        }
        self.parts
            .vault
            .change_state(|state| {
                state.persons.extend(&intent.pseudonyms);
                told::add(&mut state.taken, &intent.taking);
                told::add(&mut state.taken, &intent.absent);
            })
            .await?;
        first.ok_or_else(|| EraseError::Wrong("nothing of it was sealed".to_owned()))
    }

    async fn seal_part(&self, intent: &Intent, part: u64, says: &Part) -> Result<Sealed, EraseError> {
        let Parts { sealer, clock, classes, .. } = self.parts.as_ref();
        let mut names = intent.pseudonyms.iter().map(pseudonym_text).chain(intent.forms.iter().cloned());
        let target = intent.record.map(|id| id.to_string()).or_else(|| names.next()).unwrap_or_default();
        // A form that is the id itself is evidence's own fault (`identity.mode: plain`); it is not written once more.
        let further = names.filter(|name| intent.scope != Scope::Record && name.starts_with("ps:"));
        let act = Erasure {
            random: intent.random_of(part),
            target,
            filter: Some(told::filter_text((intent.scope, intent.shared), &intent.despite, further, part, says)),
            ground: intent.ground.clone(),
            ticket: intent.ticket.clone(),
            count: told::count(&says.taken),
            by: intent.by.clone(),
        };
        let batch = govern::erasure(&act, clock.now(), classes);
        let record = batch.records.first().map(|record| record.id.to_string()).unwrap_or_default();
        let full = |e: crate::seal::Full| crate::seal::SubmitError::Stopped { reason: e.to_string() };
        let permit = sealer.pool.admit(batch.memory()).await.map_err(|e| EraseError::Unsealed(full(e)))?;
        let receipt = sealer.submit(batch, permit).await.map_err(EraseError::Unsealed)?;
        Ok(Sealed { record, seal: receipt.seal })
    }
}
