//! What was said, brought back from the vault for `show --content`, `query --content` and `prove --content`, with a plain word wherever it
//! is not there.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{output, read};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::config::Config;
use crate::query::collapse::{Contents, divide, same_content};
use crate::query::filter::{Filter, persons_of};
use crate::query::log::TrustedKey;
use crate::query::opening::{Erasure, Erasures, Gone, Held, Opened, Reasons, held, open};
use crate::query::scan::Request;
use crate::query::story::{Item, Section, Story, clean, erased as erased_in_words, list, member_in_words, sentence};
use crate::query::{Again, Hit, Sameness, Standing, print};
use crate::record::RecordId;
use crate::record::canonical::Json;
use crate::record::content::referred;
use crate::tlog::Hash;
use crate::vault::{Entry, Intent, State, VaultError, Vaults};
use crate::worm::WormStore;

/// One content of one record.
#[derive(Debug)]
pub(super) struct Said {
    /// Its dotted path in the record.
    pub(super) member: String,
    pub(super) what: What,
    /// The later seal of which it is, where the record was sealed again and nothing shows that it said the same before. `None`: of the record.
    pub(super) again: Option<u64>,
}

/// What can be shown of it.
#[derive(Debug)]
pub(super) enum What {
    /// It, checked against its commitment.
    Content(Entry),
    /// Why it is not there; nothing is wrong.
    Gone(Gone),
    /// It was erased, and an older copy of it was put back; it is not shown.
    Undone(Erasure),
    /// An erasure of it is under way, since then; it is not shown, whether it is still there or not.
    UnderWay(Option<UnixSeconds>),
    /// It could not be brought back, and that is a problem.
    Problem(String),
    /// Where the application keeps it: it never was here.
    Elsewhere(String),
}

impl What {
    /// Half a sentence about content that is not there.
    pub(super) fn why_not(&self) -> Option<String> {
        match self {
            What::Content(_) => None,
            What::Gone(gone) => Some(in_words(gone)),
            What::Undone(erasure) => Some(undone_in_words(erasure)),
            What::UnderWay(since) => Some(under_way_in_words(*since)),
            What::Problem(why) => Some(why.clone()),
            What::Elsewhere(reference) => Some(elsewhere(reference)),
        }
    }
}

/// Records and what they say, as far as it could be brought back.
#[derive(Debug)]
pub(super) struct Compared {
    /// In order of time. Those sealed more than once under equal lines that do not say the same stand apart, and contradict each other.
    pub(super) hits: Vec<Hit>,
    /// What each says.
    pub(super) said: Vec<Vec<Said>>,
    /// Whether each is there or explained.
    pub(super) complete: bool,
}

/// The content of all these records, and of what was sealed again under lines that do not show whether it was the same, compared.
pub(super) async fn compare(
    config: &Config,
    store: &Arc<dyn WormStore>,
    hits: Vec<Hit>,
    trusted: &[TrustedKey],
) -> anyhow::Result<Compared> {
    let mut each = Vec::with_capacity(hits.len());
    let mut many = Vec::with_capacity(hits.len());
    for mut hit in hits {
        let (unread, shown): (Vec<Again>, Vec<Again>) = hit.copies.into_iter().partition(|again| again.sameness == Sameness::Unread);
        hit.copies = shown;
        many.push(unread.len() + 1);
        let places = [&hit].into_iter().chain(unread.iter().map(|again| &again.hit)).map(|hit| &hit.place);
        let seals: HashSet<(&str, u64)> = places.map(|place| (place.log.as_str(), place.seal.statement.index)).collect();
        // Where they share a seal, the vault has several under one id there, and what does not fit one may be another's.
        let standing = if seals.len() > unread.len() { hit.standing } else { Standing::Conflict };
        let own = hit.standing;
        each.push((Hit { standing, ..hit }, own));
        each.extend(unread.into_iter().map(|again| (Hit { standing, ..again.hit }, own)));
    }
    let (each, standings): (Vec<Hit>, Vec<Standing>) = each.into_iter().unzip();
    let (said, complete) = bring_back(config, store, &each, trusted).await?;
    let mut all = each.into_iter().zip(said).zip(standings);
    let mut told = Vec::with_capacity(many.len());
    for many in many {
        told.extend(settled(all.by_ref().take(many).map(|((hit, said), standing)| (Hit { standing, ..hit }, said)).collect()));
    }
    // A record of which nobody says when it happened stands at its receipt.
    told.sort_by_cached_key(|(hit, _)| hit.time());
    let (hits, said) = told.into_iter().unzip();
    Ok(Compared { hits, said, complete })
}

/// What was sealed more than once under equal lines, in order of its seals, each with what it says: told once, or apart where it differs.
fn settled(each: Vec<(Hit, Vec<Said>)>) -> Vec<(Hit, Vec<Said>)> {
    let read: Vec<Contents> = each.iter().map(|(_, said)| contents_of(said)).collect();
    let groups = divide(&read);
    let is_conflict = groups.len() > 1;
    let mut each: Vec<Option<(Hit, Vec<Said>)>> = each.into_iter().map(Some).collect();
    let mut told = Vec::with_capacity(groups.len());
    for group in groups {
        let mut of_group = group.into_iter().filter_map(|at| Some((read.get(at)?, each.get_mut(at)?.take()?)));
        let Some((first, (mut hit, mut says))) = of_group.next() else { continue };
        for (contents, (again, said)) in of_group {
            let sameness = match same_content(first, contents) {
                Some(_) => Sameness::Read,
                None => Sameness::Untold(untold(&says, &said)),
            };
            let seal = again.place.seal.statement.index;
            if sameness != Sameness::Read {
                // Nothing that was brought back is left out because it could not be compared.
                let new: Vec<Said> =
                    said.into_iter().filter(|one| is_new(one, &says)).map(|one| Said { again: Some(seal), ..one }).collect();
                says.extend(new);
            }
            hit.copies.push(Again { hit: again, sameness });
        }
        hit.copies.sort_by(|a, b| a.hit.place.order().cmp(&b.hit.place.order()));
        if is_conflict {
            hit.standing = Standing::Conflict;
        }
        told.push((hit, says));
    }
    told
}

/// What was read of a record's content, to be compared.
fn contents_of(said: &[Said]) -> Contents {
    let of_vault = said.iter().filter(|said| !matches!(said.what, What::Elsewhere(_)));
    let digest = |what: &What| match what {
        What::Content(entry) => Some(Hash::of(&entry.content)),
        _ => None,
    };
    of_vault.map(|said| (said.member.clone(), digest(&said.what))).collect()
}

/// Whether it is content that is not among these.
fn is_new(one: &Said, among: &[Said]) -> bool {
    let What::Content(entry) = &one.what else { return false };
    let is_it = |other: &Said| matches!(&other.what, What::Content(known) if known.content == entry.content);
    !among.iter().any(|other| other.member == one.member && is_it(other))
}

/// Why two that were sealed under equal lines could not be compared.
fn untold(first: &[Said], again: &[Said]) -> String {
    let of = |said: &[Said], when: &str| {
        let why = said.iter().filter(|said| said.again.is_none() && !matches!(said.what, What::Elsewhere(_)));
        why.filter_map(|said| said.what.why_not()).next().map(|why| format!("of {when}, part of what was said is not there ({why})"))
    };
    let why = of(first, "the first").or_else(|| of(again, "the later one"));
    why.unwrap_or_else(|| "their contents have other names".to_owned())
}

/// The content of all these records, in their order, and whether each is there or explained.
pub(super) async fn bring_back(
    config: &Config,
    store: &Arc<dyn WormStore>,
    hits: &[Hit],
    trusted: &[TrustedKey],
) -> anyhow::Result<(Vec<Vec<Said>>, bool)> {
    let vaults = read::vaults(config).await?;
    let mut found = Vec::with_capacity(hits.len());
    let mut unreadable = BTreeSet::new();
    for hit in hits {
        found.push(match &vaults {
            Some(vaults) => {
                let (opened, problems) = open(vaults, hit).await;
                unreadable.extend(problems);
                opened
            }
            None => held(&hit.record).into_iter().map(|held| (held, Opened::Unasked(no_vault(config)))).collect(),
        });
    }
    for problem in &unreadable {
        output::tell(&format!("problem: {problem}: what it holds could not be looked at"));
    }
    let absent = |opened: &[(Held, Opened)]| opened.iter().any(|(_, opened)| matches!(opened, Opened::Absent));
    let missing: Vec<&Hit> = hits.iter().zip(&found).filter(|(_, found)| absent(found)).map(|(hit, _)| hit).collect();
    // What is there is compared with the erasures too: an older copy may have been put back.
    let held = found.iter().any(|found| !found.is_empty()) && vaults.is_some();
    let known = if held { explain(store, &missing, trusted).await? } else { Explained::default() };
    let reasons = Reasons {
        erasures: &known.erasures,
        of_traces: &known.of_traces,
        retention: config.content.vault.as_ref().map(|vault| vault.retention),
        now: SystemClock.now().ceil_seconds(),
    };
    let mut complete = known.complete;
    let states = match &vaults {
        Some(vaults) if held => states(vaults, hits.iter().map(|hit| hit.place.log.as_str())).await,
        _ => HashMap::new(),
    };
    let mut said = Vec::with_capacity(hits.len());
    for (hit, found) in hits.iter().zip(found) {
        let of_hit = found.into_iter().map(|(held, opened)| {
            let what = match opened {
                Opened::Content(entry) => match known.erasures.that_means(hit) {
                    Some(erasure) => What::Undone(erasure),
                    None => withheld(&states, hit, &known.erasures).unwrap_or(What::Content(entry)),
                },
                Opened::Absent => match reasons.of(hit) {
                    Gone::Unexplained => {
                        let knows = states.get(&hit.place.log).and_then(|knows| knows.as_ref().ok());
                        let leaving = knows.and_then(|knows| knows.leaving(hit, &known.erasures));
                        leaving.map_or(What::Gone(Gone::Unexplained), |intent| What::UnderWay(intent.asked))
                    }
                    gone => What::Gone(gone),
                },
                Opened::Other => What::Problem("what the vault has in its place is not what the record commits to".to_owned()),
                Opened::Unasked(why) => What::Problem(why),
            };
            complete &= !matches!(what, What::Problem(_) | What::Undone(_) | What::UnderWay(_) | What::Gone(Gone::Unexplained));
            Said { member: held.member, what, again: None }
        });
        let mut of_hit: Vec<Said> = of_hit.collect();
        let named = referred(&hit.record).into_iter().filter(|named| !named.is_fetched);
        of_hit.extend(named.map(|named| Said { member: named.member, what: What::Elsewhere(named.reference), again: None }));
        said.push(of_hit);
    }
    Ok((said, complete))
}

fn no_vault(config: &Config) -> String {
    match &config.content.vault {
        Some(vault) => format!(
            "the vault could not be opened: its key file (content.vault.key_file) `{}` does not exist; without it nobody reads what it keeps",
            vault.key_file.display()
        ),
        None => "the configuration names no vault (content.vault.url)".to_owned(),
    }
}

/// What a vault knows of erasures itself.
struct Knows {
    /// Of those that are done: should evidence of one be lost, what it took is not shown all the same.
    state: State,
    /// Those under way, but older copies that somebody put back of those that are done.
    under_way: Vec<Intent>,
}

impl Knows {
    /// The erasure under way that takes this record's content.
    fn leaving(&self, hit: &Hit, erasures: &Erasures) -> Option<&Intent> {
        let (seal, id) = (hit.place.seal.statement.index, hit.text("id").and_then(RecordId::parse)?);
        self.under_way(erasures).find(|intent| intent.concerns(seal, id, persons_of(&hit.record)))
    }

    /// Erasures under way: of which no record is sealed.
    fn under_way(&self, erasures: &Erasures) -> impl Iterator<Item = &Intent> {
        self.under_way.iter().filter(|intent| !erasures.has(&intent.record_id().to_string()))
    }
}

/// What the vault of each log knows of erasures itself, by the name of the log. Where that cannot be read, why.
async fn states<'h>(vaults: &Vaults, logs: impl Iterator<Item = &'h str>) -> HashMap<String, Result<Knows, String>> {
    let mut states = HashMap::new();
    for log in logs {
        if !states.contains_key(log) {
            let vault = vaults.of(log);
            // What is finished in between is in the state by then.
            let knows = async { Ok(Knows { under_way: vault.intents().await?, state: vault.stored_state().await? }) };
            states.insert(log.to_owned(), knows.await.map_err(|e: VaultError| e.to_string()));
        }
    }
    states
}

/// Why content that the vault has is not shown although no erasure that could be read means it.
fn withheld(states: &HashMap<String, Result<Knows, String>>, hit: &Hit, erasures: &Erasures) -> Option<What> {
    match states.get(&hit.place.log)? {
        Ok(knows) => {
            let id = hit.text("id").and_then(RecordId::parse)?;
            if knows.state.means(hit.place.seal.statement.index, id) {
                return Some(What::Problem(UNTOLD.to_owned()));
            }
            knows.leaving(hit, erasures).map(|intent| What::UnderWay(intent.asked))
        }
        Err(why) => Some(What::Problem(format!("what the vault knows of erasures cannot be read: {why}"))),
    }
}

/// Of what the vault has, and knows to be erased, while evidence does not say so.
const UNTOLD: &str = "it was erased, as the vault itself knows, and is there again; the record of that erasure could not be read";

struct Explained {
    erasures: Erasures,
    of_traces: Vec<Hit>,
    complete: bool,
}

impl Default for Explained {
    fn default() -> Self {
        Explained { erasures: Erasures::default(), of_traces: Vec::new(), complete: true }
    }
}

/// What may say why content is gone: all erasures, and whom the traces concerned name.
async fn explain(store: &Arc<dyn WormStore>, missing: &[&Hit], trusted: &[TrustedKey]) -> anyhow::Result<Explained> {
    let (erasures, mut complete) = read::erasures(store, trusted).await?;
    let traces: HashSet<String> = missing.iter().filter_map(|hit| hit.text("trace.trace_id")).map(str::to_owned).collect();
    let of_traces = if traces.is_empty() || !erasures.any_silent() {
        Vec::new()
    } else {
        let filter = Filter { traces: Some(Arc::new(traces)), ..Filter::default() };
        let found = read::search(store, &Request { filter, trusted: trusted.to_vec(), ..Request::default() }).await?;
        complete &= found.problems.is_empty();
        found.hits
    };
    Ok(Explained { erasures, of_traces, complete })
}

/// The sentence about content that is not there.
fn in_words(gone: &Gone) -> String {
    match gone {
        Gone::Erased(erasure) => erased_in_words(erasure),
        Gone::Expired(period) => format!("no longer kept: content.vault.retention is {period}"),
        Gone::Unexplained => "not in the vault, and no erasure and no retention explains it".to_owned(),
    }
}

/// The sentence about content that telemetry only named.
fn elsewhere(reference: &str) -> String {
    format!("kept by the application at {}, and not fetched from there when it was received (content.references)", clean(reference))
}

/// The sentence about what was erased and is there all the same.
fn undone_in_words(erasure: &Erasure) -> String {
    format!(
        "{}, and yet in the vault again: somebody put back an older copy of an object; it is not shown, and `serve` erases it again when it \
         starts",
        erased_in_words(erasure)
    )
}

/// The sentence about what an erasure takes that is not finished.
fn under_way_in_words(since: Option<UnixSeconds>) -> String {
    let since = since.map_or_else(String::new, |since| format!(" since {since}"));
    format!("an erasure of this is under way{since}, so it is not shown; `serve` finishes it, and its log says what is in the way")
}

/// Content that is not there for one reason.
struct Lost {
    why: String,
    /// By the number of the record.
    what: Vec<(usize, Vec<String>)>,
}

/// For `show`: every content under its record's number, then what is not there: each reason once, with all that it is the reason of.
pub(super) fn section(hits: &[Hit], said: &[Vec<Said>]) -> Section {
    let mut items = Vec::new();
    let mut lost: Vec<Lost> = Vec::new();
    // Numbered as the story numbers them: records of unknown formats stand last there and have none.
    let known = hits.iter().zip(said).filter(|(hit, _)| hit.is_known());
    for (number, (hit, of_hit)) in (1..).zip(known) {
        let named = referred(&hit.record);
        for Said { member, what, again } in of_hit {
            let again = again.map_or_else(String::new, |seal| format!(", as it was sealed again in seal {seal}"));
            let why = match what {
                What::Content(entry) => {
                    let words = member_in_words(member, Some(entry.scheme.as_str()));
                    let from = named.iter().find(|named| named.is_fetched && named.member == *member);
                    let from = from.map_or_else(String::new, |from| format!(", as it was fetched from {}", clean(&from.reference)));
                    items.push(Item::Text(format!("Record {number}, {words}{from}{again}:")));
                    let text = String::from_utf8_lossy(&entry.content);
                    items.extend(text.lines().map(|line| Item::Verbatim(clean(line))));
                    continue;
                }
                What::Gone(gone) => sentence(&in_words(gone)),
                What::Undone(erasure) => sentence(&undone_in_words(erasure)),
                What::UnderWay(since) => sentence(&under_way_in_words(*since)),
                What::Problem(why) => format!("Not shown: {}", clean(why)),
                What::Elsewhere(reference) => sentence(&elsewhere(reference)),
            };
            let words = member_in_words(member, None);
            let of_reason = match lost.iter_mut().find(|lost| lost.why == why) {
                Some(lost) => &mut lost.what,
                None => &mut lost.push_mut(Lost { why, what: Vec::new() }).what,
            };
            match of_reason.last_mut() {
                Some((record, of_record)) if *record == number => of_record.push(words),
                _ => of_reason.push((number, vec![words])),
            }
        }
    }
    for Lost { why, what } in lost {
        items.push(Item::Text(format!("{why}:")));
        items.extend(what.into_iter().map(|(number, words)| Item::Point(format!("record {number}: {}", list(&words)))));
    }
    if items.is_empty() {
        items.push(Item::Text("No record of this story keeps content in the vault.".to_owned()));
    }
    Section { heading: "What was said, word for word (each checked against its record)".to_owned(), items }
}

/// For `query`: the `content` of each record.
pub(super) fn json(said: &[Vec<Said>]) -> Vec<Json> {
    let one = |Said { member, what, again }: &Said| {
        let mut members = vec![("member".to_owned(), Json::string(member))];
        let mut add = |name: &str, value: Json| members.push((name.to_owned(), value));
        if let Some(seal) = again {
            add("seal", print::number(*seal));
        }
        match what {
            What::Content(entry) => {
                add("state", Json::string("checked"));
                add("scheme", Json::string(entry.scheme.as_str()));
                match std::str::from_utf8(&entry.content) {
                    Ok(text) => add("content", Json::string(text)),
                    Err(_) => add("content_base64", Json::String(base64(&entry.content))),
                }
            }
            What::Gone(gone) => {
                match gone {
                    Gone::Erased(erasure) => of_erasure("erased", erasure, &mut add),
                    Gone::Expired(_) => add("state", Json::string("expired")),
                    Gone::Unexplained => add("state", Json::string("missing")),
                }
                add("meaning", Json::String(in_words(gone)));
            }
            What::Undone(erasure) => {
                of_erasure("undone", erasure, &mut add);
                add("meaning", Json::String(undone_in_words(erasure)));
            }
            What::UnderWay(since) => {
                add("state", Json::string("under_way"));
                if let Some(since) = since {
                    add("at", Json::String(since.to_string()));
                }
                add("meaning", Json::String(under_way_in_words(*since)));
            }
            What::Problem(why) => {
                add("state", Json::string("unchecked"));
                add("meaning", Json::string(why));
            }
            What::Elsewhere(reference) => {
                add("state", Json::string("elsewhere"));
                add("reference", Json::string(reference));
                add("meaning", Json::String(elsewhere(reference)));
            }
        }
        Json::Object(members)
    };
    said.iter().map(|of_hit| Json::Array(of_hit.iter().map(one).collect())).collect()
}

fn of_erasure(state: &str, erasure: &Erasure, add: &mut impl FnMut(&str, Json)) {
    add("state", Json::string(state));
    add("at", Json::string(&erasure.at));
    add("ground", Json::string(&erasure.ground));
    add("erasure", Json::string(&erasure.record));
}

fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes)
}

/// Who the persons of a story are.
#[derive(Debug)]
pub(super) struct Identities {
    pub(super) section: Section,
    /// The pseudonyms of those whom it names.
    pub(super) named: BTreeSet<String>,
    /// Whether all are known, or known to be erased.
    pub(super) complete: bool,
}

/// For `show --identities`: who the persons of the story are, as far as that can be told, and whether all of them are known or known to be
/// erased.
pub(super) async fn identities(
    config: &Config,
    store: &Arc<dyn WormStore>,
    hits: &[Hit],
    (story, trusted): (&Story, &[TrustedKey]),
) -> anyhow::Result<Identities> {
    let wanted = crate::query::opening::pseudonyms(hits);
    let vaults = read::vaults(config).await?;
    let (mut items, mut complete, mut named) = (Vec::new(), true, BTreeSet::new());
    let erasures = if wanted.is_empty() || vaults.is_none() {
        Erasures::default()
    } else {
        let (erasures, all) = read::erasures(store, trusted).await?;
        complete &= all;
        erasures
    };
    for (log, pseudonyms) in wanted {
        let erased = erasures.of_persons(&log);
        let state = match &vaults {
            Some(vaults) => states(vaults, std::iter::once(log.as_str())).await.remove(&log),
            None => None,
        };
        let known = match &vaults {
            Some(_) if let Some(Err(why)) = &state => Err(format!("what the vault knows of erasures cannot be read: {why}")),
            Some(vaults) => resolve(vaults, &log, &pseudonyms).await,
            None => Err(no_vault(config)),
        };
        let known = match known {
            Ok(known) => known,
            Err(why) => {
                complete = false;
                items.push(Item::Text(format!("Not resolved: {}.", clean(&why))));
                continue;
            }
        };
        let knows = state.as_ref().and_then(|knows| knows.as_ref().ok());
        let leaving = |pseudonym: &[u8; 16]| knows?.under_way(&erasures).find(|intent| intent.pseudonyms.contains(pseudonym));
        for pseudonym in &pseudonyms {
            let shown = crate::vault::pseudonym_text(pseudonym);
            let who = match (known.iter().find(|entry| entry.pseudonym == *pseudonym), erased.get(pseudonym)) {
                (Some(_), Some(erasure)) => {
                    complete = false;
                    undone_in_words(erasure)
                }
                (None, Some(erasure)) => format!("nobody: {}", erased_in_words(erasure)),
                (Some(_), None) if matches!(&state, Some(Ok(knows)) if knows.state.persons.contains(pseudonym)) => {
                    complete = false;
                    UNTOLD.to_owned()
                }
                (_, None) if let Some(intent) = leaving(pseudonym) => {
                    complete = false;
                    format!("not told: {}", under_way_in_words(intent.asked))
                }
                (Some(entry), None) => {
                    named.insert(shown.clone());
                    let realm = if entry.realm.is_empty() { String::new() } else { format!(" (in {})", clean(&entry.realm)) };
                    clean(&entry.id) + &realm
                }
                (None, None) => {
                    complete = false;
                    "nobody: not in the vault, and no erasure explains it".to_owned()
                }
            };
            items.push(person(story, &shown, &who));
        }
    }
    // In the order of the story; whom it does not name stands last, and a sentence first.
    items.sort_by_key(|item| match item {
        Item::Verbatim(line) if line.starts_with(NOBODY) => (2, String::new()),
        Item::Verbatim(line) => (1, line.clone()),
        _ => (0, String::new()),
    });
    let keyed = hits.iter().flat_map(|hit| persons_of(&hit.record));
    if keyed.into_iter().any(|id| id.starts_with("ps:") && !id.starts_with("ps:vault:")) {
        let text = "Keyed pseudonyms are one-way: ask `spanseal query --person ID` whether one is a person that you have in mind.";
        items.push(Item::Text(text.to_owned()));
    }
    if items.is_empty() {
        items.push(Item::Text("No person of this story has a pseudonym of the vault.".to_owned()));
    }
    Ok(Identities { section: Section { heading: "Who they are (from the vault)".to_owned(), items }, named, complete })
}

/// In place of a name that the story has for somebody.
const NOBODY: &str = "(not told)";

fn person(story: &Story, pseudonym: &str, who: &str) -> Item {
    let name = story.name_of(pseudonym).unwrap_or_else(|| NOBODY.to_owned());
    Item::Verbatim(format!("{name:<10} {pseudonym}  {who}"))
}

async fn resolve(vaults: &Vaults, log: &str, pseudonyms: &BTreeSet<[u8; 16]>) -> Result<Vec<crate::record::apart::PersonEntry>, String> {
    vaults.of(log).resolve(&pseudonyms.iter().copied().collect()).await.map_err(|e| e.to_string())
}
