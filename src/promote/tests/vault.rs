//! With a vault the records say the same and hold what was said by commitment; what the vault is given opens every one of them.

use super::*;
use crate::promote::testing::{event, field, log, pair, span};
use crate::record::apart::Apart;
use crate::record::content::COMMITMENT_PREFIX;
use crate::record::identity::{Given, PersonBook};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

/// A book in memory, whose entries are stored when the test says so.
#[derive(Debug, Default)]
pub(super) struct Book(Mutex<HashMap<[u8; 32], Given>>);

impl Book {
    fn store_all(&self) {
        self.0.lock().unwrap().values_mut().for_each(|given| given.stored = true);
    }

    fn forget_all(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl PersonBook for Book {
    fn pseudonym(&self, key: [u8; 32], fresh: &mut dyn FnMut() -> Option<[u8; 16]>) -> Option<Given> {
        let mut book = self.0.lock().unwrap();
        let given = book.get(&key).copied().or_else(|| fresh().map(|pseudonym| Given { pseudonym, stored: false }))?;
        book.insert(key, given);
        Some(given)
    }

    fn give_back(&self, key: &[u8; 32], pseudonym: &[u8; 16]) {
        self.0.lock().unwrap().retain(|k, given| k != key || given.pseudonym != *pseudonym || given.stored);
    }
}

pub(super) fn vault(equality: bool) -> Settings {
    Settings { content: ContentMode::Vault { equality }, ..settings() }
}

pub(super) fn promote(promoter: &Promoter, request: &[u8], logs: bool) -> Batch {
    let mut batch = Batch::default();
    let context = Context::new(RECEIVED);
    let promoted = if logs { promoter.logs(request, context, &mut batch) } else { promoter.traces(request, context, &mut batch) };
    promoted.unwrap();
    batch
}

/// Content objects of a record by their paths.
fn contents<'j>(json: &'j Json, path: &str, found: &mut Vec<(String, &'j Json)>) {
    match json {
        Json::Object(members) => {
            if !path.is_empty() && json.get("captured").is_some() {
                found.push((path.to_owned(), json));
            }
            for (name, value) in members.iter().filter(|(name, _)| name != "attributes") {
                contents(value, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
            }
        }
        Json::Array(items) => items.iter().enumerate().for_each(|(i, item)| contents(item, &format!("{path}[{i}]"), found)),
        _ => {}
    }
}

/// Every content object that says `vault` is opened by one piece of its record, and there are no other pieces (unless the line had to be
/// trimmed to its greatest length). The commitment is computed here as `sha256sum` would.
fn expect_open(batch: &Batch) -> usize {
    let mut opened = 0;
    for record in &batch.records {
        let json = checked(batch.line(record));
        let mut found = Vec::new();
        contents(&json, "", &mut found);
        let pieces = batch.pieces(record);
        let mut used = HashSet::new();
        for (path, content) in found.iter().filter(|(_, content)| at(content, "captured") == "vault") {
            let is_own = |piece: &&crate::record::apart::Piece| {
                let digest = Sha256::digest([&piece.salt, batch.apart.content(piece)].concat());
                piece.member == **path && format!("{COMMITMENT_PREFIX}{}", hex::encode(digest)) == at(content, "commitment")
            };
            let piece = pieces.iter().find(is_own).unwrap_or_else(|| panic!("{path} does not open"));
            assert_eq!(piece.record, record.id, "{path}");
            assert_eq!(at(content, "scheme"), piece.scheme.as_str(), "{path}");
            assert_eq!(at(content, "bytes"), batch.apart.content(piece).len().to_string(), "{path}");
            assert!(used.insert(piece.salt), "{path}: a salt twice");
            opened += 1;
        }
        let is_trimmed = names(&json, "evidence.truncated").contains(&"retrieval.documents".to_owned());
        assert!(is_trimmed || used.len() == pieces.len(), "{} pieces for {} members", pieces.len(), used.len());
    }
    opened
}

/// A line of the vault as one without would be: `captured` says so, and no commitment.
fn without_vault(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            let is_content = json.get("captured").is_some();
            let kept = members.iter().filter(|(name, _)| !(is_content && name == "commitment"));
            Json::Object(
                kept.map(|(name, value)| {
                    let is_vault = is_content && name == "captured" && value.as_str() == Some("vault");
                    (name.clone(), if is_vault { Json::string("hash") } else { without_vault(value) })
                })
                .collect(),
            )
        }
        Json::Array(items) => Json::Array(items.iter().map(without_vault).collect()),
        other => other.clone(),
    }
}

/// What [`lines`] does for every request of every test here: it is promoted with a vault too. The records are the same in all that is not
/// the vault's, by the keyed hashes of a vault with equality to the byte of every preimage, and each content opens.
pub(super) fn expect_the_same_with_a_vault(promoter: &Promoter, request: &[u8], logs: bool, expected: &[Json]) {
    // The promoter itself with another place for content: its tables take long to build.
    let settings = Settings { content: ContentMode::Vault { equality: true }, ..promoter.settings.clone() };
    let aside = Aside::new(&settings, &promoter.keyed, Apart::default());
    let mut batch = Batch::default();
    let items = if logs { Items::Logs } else { Items::Spans };
    Walk::new(promoter, Context::new(RECEIVED), items, &mut batch, &aside).over(request).unwrap();
    batch.apart = aside.into_apart();
    let found: Vec<Json> = batch.records.iter().map(|r| without_vault(&checked(batch.line(r)))).collect();
    // A line that had to be trimmed is trimmed elsewhere when it is longer.
    if expected.iter().chain(&found).all(|r| names(r, "evidence.truncated").is_empty()) {
        assert_eq!(found, expected);
    }
    expect_open(&batch);
}

fn said(attributes: &[(&str, Any)]) -> Vec<u8> {
    let chat = [("gen_ai.operation.name", Any::text("chat"))];
    span("chat", &[&chat, attributes].concat())
}

/// Scenario: one string carried the prompt, two attributes the answer. Guarantee: x is the string's bytes, or the JCS text; the record has
/// no hash of it unless it was asked for.
#[test]
fn preimages_are_those_of_the_contract() {
    let attributes = [
        ("gen_ai.input.messages", Any::text("[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"who?\"}]}]")),
        ("gen_ai.completion.0.content", Any::text("me")),
        ("gen_ai.completion.0.role", Any::text("assistant")),
    ];
    let request = request(&[], ("s", ""), &[said(&attributes)]);
    let batch = promote(&Promoter::new(vault(false)).unwrap(), &request, false);
    let json = checked(batch.line(&batch.records[0]));
    let x = |member: &str| {
        let piece = batch.apart.pieces.iter().find(|p| p.member == member).unwrap();
        std::str::from_utf8(batch.apart.content(piece)).unwrap()
    };
    assert_eq!(x("input"), "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"who?\"}]}]");
    assert_eq!(x("output"), r#"{"gen_ai.completion.0.content":"me","gen_ai.completion.0.role":"assistant"}"#);
    assert_eq!((at(&json, "input.scheme"), at(&json, "output.scheme")), ("utf8", "attributes"));
    assert!(json.path("input.hash").is_none() && json.path("output.hash").is_none(), "{}", json.to_jcs_string());
    assert_eq!(expect_open(&batch), 2);

    let batch = promote(&Promoter::new(vault(true)).unwrap(), &request, false);
    let json = checked(batch.line(&batch.records[0]));
    assert_eq!(at(&json, "output.hash"), h("content", br#"{"gen_ai.completion.0.content":"me","gen_ai.completion.0.role":"assistant"}"#));
}

/// Scenario: attributes of resource, scope and link that no table knows, members of JSON objects that nobody knows beside some that are
/// known, and frames without content. Guarantee: none of it is lost; it is all content of the record, each under its own name and as sent.
#[test]
fn what_has_no_home_is_kept_in_rest() {
    let frame = r#"[{"role":"user","parts":[]}]"#;
    let parameters = r#"{"temperature":0.5,"mirostat":2}"#;
    let usage = r#"{"input":7,"pondering":{"deep":3}}"#;
    let mut chat = said(&[
        ("gen_ai.input.messages", Any::text(frame)),
        ("llm.input_messages.0.message.role", Any::text("user")),
        ("llm.invocation_parameters", Any::text(parameters)),
        ("langfuse.observation.usage_details", Any::text(usage)),
    ]);
    let link = [field(1, &[9; 16]), field(2, &[8; 8]), field(4, &pair(b"why", &Any::text("of a link")))].concat();
    chat.extend(field(13, &link));
    let resource = field(1, &pair(b"team.motto", &Any::text("of a resource")));
    let scope = [field(1, b"s"), field(3, &pair(b"variant", &Any::text("of a scope")))].concat();
    let request = field(1, &[field(1, &resource), field(2, &[field(1, &scope), field(2, &chat)].concat())].concat());
    let batch = promote(&Promoter::new(vault(false)).unwrap(), &request, false);
    let record = checked(batch.line(&batch.records[0]));
    assert_eq!((record.path("parameters.temperature"), at(&record, "usage.input_tokens")), (Some(&Json::Number(0.5)), "7"));
    assert_eq!(at(&record, "input.captured"), "absent");
    let rest = batch.apart.pieces.iter().find(|piece| piece.member == "rest").unwrap();
    let text = |text: &str| Json::string(text);
    let expected = Json::object([
        ("gen_ai.input.messages", text(frame)),
        ("langfuse.observation.usage_details", text(usage)),
        ("link/0/why", text("of a link")),
        ("llm.input_messages.0.message.role", text("user")),
        ("llm.invocation_parameters", text(parameters)),
        ("resource/team.motto", text("of a resource")),
        ("scope/variant", text("of a scope")),
    ]);
    assert_eq!(String::from_utf8_lossy(batch.apart.content(rest)), expected.to_jcs_string());
    expect_open(&batch);
}

/// Scenario: three documents, of which the first says nothing and the last has its text twice. Guarantee: members are named as they lie in
/// evidence, and the text that counts is the one that is kept.
#[test]
fn documents_are_named_as_they_lie_in_evidence() {
    let list = r#"[{"id":""},{"id":"d1","text":"one"},{"id":"d2","text":"two","content":"deux"}]"#;
    let span = span("r", &[("gen_ai.operation.name", Any::text("retrieval")), ("gen_ai.retrieval.documents", Any::text(list))]);
    let batch = promote(&Promoter::new(vault(false)).unwrap(), &request(&[], ("s", ""), &[span]), false);
    let pieces = batch.apart.pieces.iter().filter(|p| p.member.starts_with("retrieval."));
    let named: Vec<(&str, &[u8])> = pieces.map(|p| (p.member.as_ref(), batch.apart.content(p))).collect();
    assert_eq!(named, [("retrieval.documents[0].content", &b"one"[..]), ("retrieval.documents[1].content", b"deux")]);
    expect_open(&batch);
}

/// Scenario: a span is sent again, as it was and with other words of the same length. Guarantee: the copy is known as one, the other words
/// are not taken for a copy although nothing in the line but the commitment differs.
#[test]
fn content_counts_when_records_are_compared() {
    let promoter = Promoter::new(vault(false)).unwrap();
    let of = |words: &str| {
        let span = said(&[("gen_ai.output.messages", Any::text(words))]);
        let batch = promote(&promoter, &request(&[], ("s", ""), &[span]), false);
        (batch.records[0].sameness, batch.records[0].line_sameness)
    };
    let (first, copy, other) = (of("approve loan 1000"), of("approve loan 1000"), of("approve loan 9999"));
    assert_eq!(first, copy);
    assert_eq!(first.1, other.1);
    assert_ne!(first.0, other.0);
}

/// Scenario: a person on two spans, again in the next request, and after the vault has stored them. Guarantee: one pseudonym, which says
/// nothing of the id; the person goes along until the vault has them, once a batch; another realm is another person.
#[test]
fn a_person_has_one_pseudonym_that_the_vault_gave() {
    let book = Arc::new(Book::default());
    let settings = || Settings { identity_mode: IdentityMode::Vault, persons: Some(book.clone()), ..vault(false) };
    let promoter = Promoter::new(settings()).unwrap();
    let of = |realm: &str, id: &str| {
        let mut second = said(&[("user.id", Any::text(id))]);
        second.extend(field(2, &[9; 8]));
        let spans = [said(&[("user.id", Any::text(id))]), second];
        let batch = promote(&promoter, &request(&[("service.namespace", Any::text(realm))], ("s", ""), &spans), false);
        let users: HashSet<String> = batch.records.iter().map(|r| at(&checked(batch.line(r)), "actor.user_id").to_owned()).collect();
        assert_eq!(users.len(), 1, "{users:?}");
        (users.into_iter().next().unwrap(), batch.apart.persons)
    };
    let (alice, persons) = of("shop", "alice@example.com");
    let digits = alice.strip_prefix("ps:vault:").unwrap();
    assert_eq!(digits.len(), 32);
    let [person] = persons.as_slice() else { panic!("{} persons", persons.len()) };
    assert_eq!((person.realm.as_str(), person.id.as_str(), hex::encode(person.pseudonym).as_str()), ("shop", "alice@example.com", digits));
    // HMAC under a key of zeros of the literal JCS text.
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap();
    mac.update(br#"["person","shop","alice@example.com"]"#);
    assert_eq!(person.key, <[u8; 32]>::from(mac.finalize().into_bytes()));
    assert!(!hex::encode(person.key).contains(digits), "the pseudonym can be computed");

    let (again, persons) = of("shop", "alice@example.com");
    assert_eq!((&again, persons.len()), (&alice, 1), "not stored yet");
    book.store_all();
    let (again, persons) = of("shop", "alice@example.com");
    assert_eq!((&again, persons.len()), (&alice, 0), "stored");
    assert_ne!(of("bank", "alice@example.com").0, alice);
    book.forget_all();
    assert_ne!(of("shop", "alice@example.com").0, alice, "who was erased comes back as another");

    let refused = Promoter::new(Settings { persons: None, ..settings() }).unwrap_err();
    assert!(refused.contains("content.vault.url"), "{refused}");
}

/// Scenario: an id of a megabyte, and another that begins alike. Guarantee: they are two persons, and the vault keeps a kilobyte of each.
#[test]
fn an_endless_id_takes_little_room() {
    let book = Arc::new(Book::default());
    let promoter = Promoter::new(Settings { identity_mode: IdentityMode::Vault, persons: Some(book), ..vault(false) }).unwrap();
    let of = |id: String| {
        let batch = promote(&promoter, &request(&[], ("s", ""), &[said(&[("user.id", Any::text(&id))])]), false);
        let [person] = batch.apart.persons.as_slice() else { panic!() };
        assert_eq!(person.id.len(), 1024);
        person.pseudonym
    };
    assert_ne!(of("a".repeat(1 << 20)), of(format!("{}b", "a".repeat(1 << 20))));
}

/// Scenario: a span breaks off after its content and its person were read; a request breaks off after a whole span. Guarantee: of what became
/// no record, nothing goes to the vault, and the person goes along with the next record that names them.
#[test]
fn what_becomes_no_record_leaves_nothing_apart() {
    let book = Arc::new(Book::default());
    let promoter = Promoter::new(Settings { identity_mode: IdentityMode::Vault, persons: Some(book), ..vault(false) }).unwrap();
    let sound = || said(&[("gen_ai.input.messages", Any::text("hello")), ("user.id", Any::text("alice"))]);
    let broken = [sound(), event("gen_ai.choice", 1, &[("message", Any::text("hi"))]), field(9, &[0x0a, 0x7f])].concat();
    let batch = promote(&promoter, &request(&[], ("s", ""), std::slice::from_ref(&broken)), false);
    assert!(batch.apart.is_empty() && batch.apart.bytes.is_empty());
    let batch = promote(&promoter, &request(&[], ("s", ""), &[broken, sound()]), false);
    assert_eq!((batch.records.len(), batch.apart.pieces.len(), batch.apart.persons.len()), (1, 1, 1));
    expect_open(&batch);

    let mut batch = Batch::default();
    let whole = [request(&[], ("s", ""), &[sound()]), vec![0x0a, 0x7f]].concat();
    assert!(promoter.traces(&whole, Context::new(RECEIVED), &mut batch).is_err());
    assert!(batch.apart.is_empty() && batch.apart.bytes.is_empty());
    // A batch goes on behind what it has.
    for (request, logs) in
        [(request(&[], ("s", ""), &[sound()]), false), (request(&[], ("s", ""), &[log("gen_ai.x", Any::text("body"), &[])]), true)]
    {
        let context = Context::new(RECEIVED);
        if logs { promoter.logs(&request, context, &mut batch) } else { promoter.traces(&request, context, &mut batch) }.unwrap();
    }
    assert_eq!((expect_open(&batch), batch.apart.persons.len()), (2, 1));
}

/// Scenario: requests that name persons whom nobody met before become no records: malformed, no room, no randomness. Guarantee: nobody stays
/// in the book for whom no entry is on its way to the vault, and whoever another request has brought stays.
#[test]
fn persons_of_what_becomes_no_record_are_given_back() {
    #[derive(Debug)]
    struct None;
    impl Room for None {
        fn has(&self, _bytes: usize) -> bool {
            false
        }
    }
    let persons = crate::vault::Persons::default();
    let of = |random| Settings { identity_mode: IdentityMode::Vault, persons: Some(Arc::new(persons.clone())), random, ..vault(false) };
    let promoter = Promoter::new(of(getrandom::fill)).unwrap();
    let naming = |who: &str| said(&[("user.id", Any::text(who))]);
    let send = |promoter: &Promoter, span: Vec<u8>, room: &dyn Room| {
        let mut batch = Batch::default();
        let context = Context { room, ..Context::new(RECEIVED) };
        let promoted = promoter.traces(&request(&[], ("s", ""), &[span]), context, &mut batch);
        (promoted, batch.records.len())
    };
    assert_eq!(send(&promoter, naming("alice"), &Unbounded).1, 1);
    for who in ["alice", "bob"] {
        let broken = [naming(who), field(9, &[0x0a, 0x7f])].concat();
        assert_eq!(send(&promoter, broken, &Unbounded).1, 0);
        assert_eq!(persons.len(), 1, "malformed: {who}");
        assert_eq!(send(&promoter, naming(who), &None).0, Err(Unpromoted::NoRoom));
        assert_eq!(persons.len(), 1, "no room: {who}");
        let without = Promoter::new(of(|_| Err(getrandom::Error::UNEXPECTED))).unwrap();
        let _ = send(&without, naming(who), &Unbounded);
        assert_eq!(persons.len(), 1, "no randomness: {who}");
    }
}

/// Scenario: a content one byte longer than a vault takes. Guarantee: its span is refused, and the others of the request are not.
#[test]
fn content_that_cannot_be_kept_is_refused() {
    let long = said(&[("gen_ai.input.messages", Any::text(&"x".repeat(crate::record::apart::PIECE_BYTES_MAX + 1)))]);
    let mut second = said(&[("gen_ai.input.messages", Any::text("hello"))]);
    second.extend(field(2, &[9; 8]));
    let mut batch = Batch::default();
    let promoter = Promoter::new(vault(false)).unwrap();
    let tally = promoter.traces(&request(&[], ("s", ""), &[long, second]), Context::new(RECEIVED), &mut batch).unwrap();
    assert_eq!((tally.counts.rejected, tally.counts.promoted), (1, 1));
    assert!(tally.rejected_why.unwrap().contains("longer than the vault takes"));
    assert!(batch.apart.bytes.len() < 1000);
}

/// Guarantee: no salt comes twice, also over the border of what is taken from the system at once; and where it has no randomness, there is
/// no record, rather than one whose content can be guessed.
#[test]
fn salts_are_random_or_there_is_no_record() {
    let spans: Vec<Vec<u8>> = (1_u16..1500)
        .map(|n| [said(&[("gen_ai.input.messages", Any::text("yes"))]), field(2, &[&[7; 6][..], &n.to_be_bytes()].concat())].concat())
        .collect();
    let request = request(&[], ("s", ""), &spans);
    let batch = promote(&Promoter::new(vault(false)).unwrap(), &request, false);
    let salts: HashSet<[u8; 32]> = batch.apart.pieces.iter().map(|p| p.salt).collect();
    assert_eq!((salts.len(), batch.records.len()), (1499, 1499));
    assert!(!salts.contains(&[0; 32]));

    let without = Settings { random: |_| Err(getrandom::Error::UNEXPECTED), ..vault(false) };
    let mut batch = Batch::default();
    let refused = Promoter::new(without).unwrap().traces(&request, Context::new(RECEIVED), &mut batch);
    assert_eq!(refused, Err(Unpromoted::NoRandomness));
    assert!(batch.records.is_empty() && batch.lines.is_empty() && batch.apart.is_empty());
}

/// Guarantee: what is kept apart is paid for like lines.
#[test]
fn content_apart_needs_room() {
    #[derive(Debug)]
    struct Small(usize);
    impl Room for Small {
        fn has(&self, bytes: usize) -> bool {
            bytes <= self.0
        }
    }
    let request = request(&[], ("s", ""), &[said(&[("gen_ai.input.messages", Any::text(&"x".repeat(5000)))])]);
    for (settings, room, fits) in [(settings(), 4000, true), (vault(false), 4000, false), (vault(false), 8000, true)] {
        let mut batch = Batch::default();
        let room = Small(room);
        let promoted = Promoter::new(settings).unwrap().traces(&request, Context { room: &room, ..Context::new(RECEIVED) }, &mut batch);
        assert_eq!(promoted.is_ok(), fits, "{room:?}");
    }
}
