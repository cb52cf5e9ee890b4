//! The record of an erasure: who or what, on what ground, which records' content it took, and which it would have taken, had it been there.
//! What somebody else deletes is not taken for erased, and what is put back is found by it.

use super::{EraseError, Eraser, Parts, Sealed};
use crate::govern::{self, Erasure};
use crate::query::filter::Filter;
use crate::record::RecordId;
use crate::vault::told::Part;
use crate::vault::{Intent, Places, Scope, Told, pseudonym_text, told};

impl Eraser {
    /// Seals what an erasure took, as far as it is not sealed already, and notes it in the vault's state.
    pub(super) async fn seal(&self, intent: &Intent) -> Result<Sealed, EraseError> {
        let filter = Filter { kind: Some("erasure".to_owned()), own_acts: true, ..Filter::default() };
        let before = self.search_since(filter, intent.searched.unwrap_or(0)).await?;
        let (mut first, mut named, mut absent, mut part) = (None, Places::new(), Places::new(), 0);
        loop {
            let id = RecordId::derive("control", "", "", &hex::encode(intent.random_of(part))).to_string();
            let Some(hit) = before.hits.iter().find(|hit| hit.text("id") == Some(&id)) else { break };
            first = first.or(Some(Sealed { record: id, seal: hit.place.seal.statement.index }));
            if let Some(told) = Told::parse(&hit.record) {
                told::add(&mut named, &told.records.unwrap_or_default());
                told::add(&mut absent, &told.absent);
            }
            part += 1;
        }
        let mut left = told::parts(&told::without(&intent.taking, &named), &told::without(&intent.absent, &absent));
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
            filter: Some(told::filter_text(intent.scope, intent.shared, further, part, says)),
            ground: intent.ground.clone(),
            ticket: intent.ticket.clone(),
            count: says.taken.values().map(|ids| u64::try_from(ids.len()).unwrap_or(u64::MAX)).sum(),
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
