//! Whether what is asked for was erased before, and nothing of it came since: then there is nothing to do and nothing to seal.

use std::collections::BTreeSet;

use super::plan::Plan;
use super::wish::Earlier;
use super::{EraseError, Eraser, Target};
use crate::query::Hit;
use crate::query::filter::Filter;
use crate::vault::{Places, Told, told};

impl Eraser {
    /// How many of these records, whose content is not in the vault, no erasure took: its time was over, or somebody else deleted it.
    pub(super) async fn untaken(&self, gone: &Places) -> Result<u64, EraseError> {
        if gone.is_empty() {
            return Ok(0);
        }
        let mut taken = Places::new();
        for told in self.sealed().await?.iter().filter_map(|hit| Told::parse(&hit.record)) {
            told::add(&mut taken, &told.records.unwrap_or_default());
        }
        Ok(told::count(&told::without(gone, &taken)))
    }

    /// Every record of an erasure in the own log, in order.
    async fn sealed(&self) -> Result<Vec<Hit>, EraseError> {
        let filter = Filter { kind: Some("erasure".to_owned()), own_acts: true, ..Filter::default() };
        let mut sealed = self.search_since(filter, 0).await?.hits;
        sealed.sort_by_key(|hit| (hit.place.seal.statement.index, hit.place.leaf_index));
        Ok(sealed)
    }

    /// The erasures after which nothing is left of this plan, of a person of whom the vault has no entry. Empty where anything is left: a
    /// record that none of them means, a form of the person that none of them names, or what somebody put back.
    pub(super) async fn already(&self, target: &Target, plan: &Plan, forms: &BTreeSet<String>) -> Result<Vec<Earlier>, EraseError> {
        let sealed = self.sealed().await?;
        let wanted: BTreeSet<String> = match target {
            Target::Record(id) => BTreeSet::from([id.to_string()]),
            // Of the forms that are the id itself an erasure names one at most, and only where there is no other.
            Target::Person { .. } if forms.iter().any(|form| form.starts_with("ps:")) => {
                forms.iter().filter(|form| form.starts_with("ps:")).cloned().collect()
            }
            Target::Person { .. } => forms.clone(),
        };
        let (mut meant, mut named, mut earlier) = (Places::new(), BTreeSet::new(), Vec::new());
        for (hit, said) in sealed.iter().filter_map(|hit| Told::parse(&hit.record).map(|said| (hit, said))) {
            let is_of_person = !wanted.is_disjoint(&said.targets);
            let is_of_records = plan.records.iter().any(|((seal, _), ids)| ids.iter().any(|id| said.meant(*seal, *id)));
            if !is_of_person && !is_of_records {
                continue;
            }
            told::add(&mut meant, &said.records.unwrap_or_default());
            told::add(&mut meant, &said.absent);
            named.extend(said.targets);
            let text = |path: &str| hit.text(path).unwrap_or("not recorded").to_owned();
            let (at, ground) = (text("time.start"), text("control.ground"));
            earlier.push(Earlier { at, ground, record: text("id"), seal: hit.place.seal.statement.index });
        }
        let all_records = told::without(&plan.records, &meant).is_empty();
        let all_named = wanted.is_subset(&named);
        // A record may have been erased with the person whom it names.
        let all = match target {
            Target::Record(_) => all_records && (all_named || !plan.records.is_empty()),
            Target::Person { .. } => all_records && all_named,
        };
        if !all {
            return Ok(Vec::new());
        }
        let (there, unread) = self.parts.vault.holding(&plan.records).await?;
        Ok(if there.is_empty() && unread.is_none() { earlier } else { Vec::new() })
    }
}
