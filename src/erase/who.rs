//! Who is meant: from an id or a pseudonym to every form under which evidence or the vault has the person; and who asks for it.

use std::collections::{BTreeSet, HashSet};

use super::plan::Plan;
use super::{EraseError, Eraser, Parts, Target, Wish};
use crate::query::person::{Label, Names, Wanted};
use crate::record::RecordId;
use crate::record::apart::{PersonEntry, as_kept};
use crate::record::identity::{IdentityKey, IdentityMode, pseudonym, vault_pseudonym};
use crate::vault::{Scope, Vault, VaultError, parse_pseudonym};

impl Eraser {
    /// Who is meant, and what the vault has of them.
    pub(super) async fn resolve(&self, wish: &Wish) -> Result<(Target, Vec<PersonEntry>), EraseError> {
        let Parts { vault, identity, realm_attribute, .. } = self.parts.as_ref();
        let who = wish.who.as_str();
        if wish.scope == Scope::Record {
            let id = RecordId::parse(&who.trim().to_ascii_lowercase());
            let id = id.ok_or_else(|| EraseError::Wrong(format!("`{who}` is no record id: it has 32 hexadecimal digits")))?;
            return Ok((Target::Record(id), Vec::new()));
        }
        if who.is_empty() {
            return Err(EraseError::Wrong("nobody is named".to_owned()));
        }
        let (entries, everybody) = match parse_pseudonym(who) {
            _ if !wish.is_stored_form() => {
                let known = vault.find(&HashSet::from([who]), Some(identity)).await?;
                let mut found = known.entries;
                found.retain(|entry| wish.realms.is_empty() || wish.realms.contains(&entry.realm));
                (found, Some(known.everybody.into()))
            }
            Some(pseudonym) => (vault.resolve(&HashSet::from([pseudonym])).await?, None),
            None => (Vec::new(), None),
        };
        let names = Names {
            key: Some(identity.clone()),
            realms: wish.realms.clone(),
            realm_attribute: realm_attribute.clone(),
            vault: Some(entries.clone()),
            everybody,
            as_sent: wish.as_sent,
        };
        Ok((Target::Person { scope: wish.scope, wanted: Wanted::new(Label::Person, who, &names) }, entries))
    }

    /// Every form under which evidence or the vault has the person, who must be one.
    pub(super) fn forms(&self, plan: &Plan, entries: &[PersonEntry], wish: &Wish) -> Result<BTreeSet<String>, EraseError> {
        let mut forms: BTreeSet<String> = entries.iter().map(|entry| vault_pseudonym(&entry.pseudonym)).collect();
        let mut realms: BTreeSet<&str> = entries.iter().map(|entry| entry.realm.as_str()).collect();
        for (form, realm) in &plan.forms {
            if let Some(realm) = realm {
                if !wish.realms.is_empty() && !wish.realms.contains(realm) {
                    continue;
                }
                realms.insert(realm);
            }
            forms.insert(form.clone());
        }
        if wish.realms.is_empty() && realms.len() > 1 {
            let shown = |realm: &&str| if realm.is_empty() { "\"\"".to_owned() } else { (*realm).to_owned() };
            return Err(EraseError::Ambiguous { realms: realms.iter().map(shown).collect() });
        }
        Ok(forms)
    }

    /// Who asks for an erasure, before anything is done. Who asks for their own has no entry afterwards.
    pub(super) async fn known<'w>(
        &self,
        by: &'w str,
        wish: &Wish,
        (forms, entries): (&BTreeSet<String>, &[PersonEntry]),
    ) -> Result<Asker<'w>, EraseError> {
        let Parts { vault, identity, identity_mode, .. } = self.parts.as_ref();
        let is_target = wish.scope != Scope::Record && by == wish.who || entries.iter().any(|entry| entry.id == as_kept(by));
        if let Some(own) = forms.iter().find(|form| is_target && form.starts_with("ps:")) {
            return Ok(Asker::Named(own.clone()));
        }
        if parse_pseudonym(by).is_some() && forms.contains(by) {
            return Ok(Asker::Named(by.to_owned()));
        }
        let known = Naming { vault: Some(vault), identity, mode: *identity_mode }.known(by).await?;
        known.ok_or_else(|| EraseError::Wrong(UNKNOWN_BY.to_owned()))
    }

    /// How evidence names who asked for an erasure.
    pub(super) async fn name(&self, by: Asker<'_>) -> Result<String, EraseError> {
        let Parts { vault, identity, identity_mode, .. } = self.parts.as_ref();
        Ok(Naming { vault: Some(vault), identity, mode: *identity_mode }.name(by).await?)
    }
}

/// What to say of a pseudonym that [`Naming::known`] does not know.
pub(crate) const UNKNOWN_BY: &str = "nobody in the vault has the pseudonym that was given for who asks for it (by); give the id";

/// Who asks for something to be done.
pub(crate) enum Asker<'w> {
    /// By the name that evidence has for them.
    Named(String),
    /// By an id, for which a name is found or made.
    Id(&'w str),
}

/// How evidence names a person who does something to it.
#[derive(Debug)]
pub(crate) struct Naming<'p> {
    /// `None`: this log has none, so no pseudonym of a vault is known.
    pub(crate) vault: Option<&'p Vault>,
    pub(crate) identity: &'p IdentityKey,
    pub(crate) mode: IdentityMode,
}

impl Naming<'_> {
    /// Who it is, before anything is done. `None`: a pseudonym of the vault that is nobody's.
    pub(crate) async fn known<'w>(&self, by: &'w str) -> Result<Option<Asker<'w>>, VaultError> {
        if let Some(pseudonym) = parse_pseudonym(by) {
            let known = match self.vault {
                Some(vault) => !vault.resolve(&HashSet::from([pseudonym])).await?.is_empty(),
                None => false,
            };
            return Ok(known.then(|| Asker::Named(by.to_owned())));
        }
        if is_keyed(by, self.identity) || self.mode == IdentityMode::Plain && by.starts_with("id:") {
            return Ok(Some(Asker::Named(by.to_owned())));
        }
        // Whatever else it is, it is an id, and is not sealed as it stands.
        Ok(Some(Asker::Id(by)))
    }

    /// A person like any other (`record.md`, `control.by`), so with persons in the vault they have an entry there, which is made if they have
    /// none.
    pub(crate) async fn name(&self, by: Asker<'_>) -> Result<String, VaultError> {
        let Naming { vault, identity, mode } = self;
        let by = match by {
            Asker::Named(name) => return Ok(name),
            Asker::Id(id) => id,
        };
        let keyed = identity.keyed();
        match (mode, vault) {
            (IdentityMode::Plain, _) => Ok(format!("id:{by}")),
            // The second is refused when a configuration is read.
            (IdentityMode::Keyed, _) | (IdentityMode::Vault, None) => Ok(pseudonym(&keyed, "person", "", by)),
            (IdentityMode::Vault, Some(vault)) => {
                let key = keyed.texts("person", &["", by]);
                let mut fresh = [0; 16];
                getrandom::fill(&mut fresh).map_err(|_| VaultError::Randomness)?;
                let given = vault.persons().pseudonym(key, || fresh);
                if !given.stored {
                    let entry = PersonEntry { key, pseudonym: given.pseudonym, realm: String::new(), id: as_kept(by).to_owned() };
                    vault.remember(&[entry]).await?;
                }
                Ok(vault_pseudonym(&given.pseudonym))
            }
        }
    }
}

/// Whether it is a whole pseudonym under the identity key.
fn is_keyed(by: &str, identity: &IdentityKey) -> bool {
    let digits = by.strip_prefix("ps:").and_then(|rest| rest.strip_prefix(identity.id())).and_then(|rest| rest.strip_prefix(':'));
    digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}
