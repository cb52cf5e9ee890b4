//! What a request keeps out of its lines while its records are made: content and ids of persons, on their way to the vault
//! (`record.md` sections 3 and 4).
//!
//! A preimage is written once, behind those of the records before it, and hashed where it lies. Where content is held by keyed hash alone,
//! nothing stays here.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use super::settings::Settings;
use crate::record::apart::{Apart, Extent, PIECE_BYTES_MAX, PersonEntry, Piece, SALT_BYTES, as_kept};
use crate::record::content::{Captured, Content, ContentMode, Scheme, commitment};
use crate::record::identity::{Given, Keyed, PersonBook, vault_pseudonym};
use crate::record::{RecordId, sameness_of_content, sameness_with};

/// A content object, and its preimage if that goes to the vault.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) content: Content,
    pub(crate) loose: Option<Loose>,
}

impl Held {
    /// Content that is not held.
    pub(crate) fn only(captured: Captured) -> Self {
        Held { content: Content::only(captured), loose: None }
    }
}

/// A preimage that no record has claimed yet.
#[derive(Clone)]
pub(crate) struct Loose {
    scheme: Scheme,
    salt: [u8; SALT_BYTES],
    content: Range<usize>,
}

impl fmt::Debug for Loose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loose").field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

/// Where the records of one request put what does not stand in them. Shared by all that convert values, hence the inner mutability; one
/// thread walks a request.
#[derive(Debug)]
pub(crate) struct Aside<'p> {
    mode: ContentMode,
    keyed: &'p Keyed,
    book: Option<&'p dyn PersonBook>,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    apart: Apart,
    /// First piece of the record that is being made.
    first: usize,
    /// Pseudonyms of the persons in `apart`, by their keys.
    met: HashMap<[u8; 32], [u8; 16]>,
    /// Those among them whom nobody had met before.
    new: HashSet<[u8; 16]>,
    /// Bytes of their realms and ids.
    named: usize,
    random: Random,
}

impl<'p> Aside<'p> {
    /// Goes on behind what a batch holds already.
    pub(crate) fn new(settings: &'p Settings, keyed: &'p Keyed, apart: Apart) -> Self {
        let met = apart.persons.iter().map(|person| (person.key, person.pseudonym)).collect();
        let named = apart.persons.iter().map(|person| person.realm.len() + person.id.len()).sum();
        let random = Random::new(settings.random);
        let state = State { first: apart.pieces.len(), apart, met, new: HashSet::new(), named, random };
        Aside { mode: settings.content, keyed, book: settings.persons.as_deref(), state: RefCell::new(state) }
    }

    /// Everything, for the batch.
    pub(crate) fn into_apart(self) -> Apart {
        self.state.into_inner().apart
    }

    /// Whether the system had no randomness to give: then nothing that was made here may be used.
    pub(crate) fn is_predictable(&self) -> bool {
        self.state.borrow().random.failed
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        let state = self.state.borrow();
        let Apart { bytes, pieces, persons } = &state.apart;
        bytes.len() + pieces.len() * size_of::<Piece>() + persons.len() * size_of::<PersonEntry>() + state.named
    }

    /// How much there is now, for [`Aside::cut_back`].
    pub(crate) fn extent(&self) -> Extent {
        self.state.borrow().apart.extent()
    }

    /// Whether what came after `extent` cannot be kept whole: the record that it is for must not be made.
    pub(crate) fn is_too_long(&self, extent: Extent) -> bool {
        self.state.borrow().apart.has_too_long(extent, PIECE_BYTES_MAX)
    }

    /// Forgets what came after `extent`: the record that it was for is not made.
    pub(crate) fn cut_back(&self, extent: Extent) {
        let state = &mut *self.state.borrow_mut();
        for person in state.apart.persons.get(extent.persons..).unwrap_or_default() {
            state.met.remove(&person.key);
            if let (Some(book), true) = (self.book, state.new.remove(&person.pseudonym)) {
                book.give_back(&person.key, &person.pseudonym);
            }
            state.named -= person.realm.len() + person.id.len();
        }
        state.apart.cut_back(extent);
        state.first = state.apart.pieces.len();
    }

    /// Content that one text carried: x is the text.
    pub(crate) fn text(&self, x: &[u8]) -> Held {
        let mut content = Content { scheme: Some(Scheme::Utf8), bytes: u64::try_from(x.len()).ok(), ..Content::only(self.captured()) };
        let loose = match self.mode {
            ContentMode::Hash => {
                content.hash = Some(self.keyed.bytes("content", x));
                None
            }
            ContentMode::Vault { equality } => {
                let state = &mut *self.state.borrow_mut();
                let start = state.apart.bytes.len();
                state.apart.bytes.extend_from_slice(x);
                Some(self.commit(state, &mut content, start, Scheme::Utf8, equality))
            }
        };
        Held { content, loose }
    }

    /// Content that several values carried: `write` appends x, and answers what it found on the way.
    pub(crate) fn attributes<T, E>(&self, write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>) -> Result<(Held, T), E> {
        let state = &mut *self.state.borrow_mut();
        let start = state.apart.bytes.len();
        let written = write(&mut state.apart.bytes)?;
        let x = state.apart.bytes.get(start..).unwrap_or_default();
        let bytes = u64::try_from(x.len()).ok();
        let mut content = Content { scheme: Some(Scheme::Attributes), bytes, ..Content::only(self.captured()) };
        let loose = match self.mode {
            ContentMode::Hash => {
                content.hash = Some(self.keyed.bytes("content", x));
                state.apart.bytes.truncate(start);
                None
            }
            ContentMode::Vault { equality } => Some(self.commit(state, &mut content, start, Scheme::Attributes, equality)),
        };
        Ok((Held { content, loose }, written))
    }

    fn captured(&self) -> Captured {
        match self.mode {
            ContentMode::Hash => Captured::Hash,
            ContentMode::Vault { .. } => Captured::Vault,
        }
    }

    /// Commits to what lies from `start` on.
    fn commit(&self, state: &mut State, content: &mut Content, start: usize, scheme: Scheme, equality: bool) -> Loose {
        let salt = state.random.take();
        let x = state.apart.bytes.get(start..).unwrap_or_default();
        content.commitment = Some(commitment(&salt, x));
        content.hash = equality.then(|| self.keyed.bytes("content", x));
        Loose { scheme, salt, content: start..state.apart.bytes.len() }
    }

    /// Gives a preimage to a member of the record that is being made.
    pub(crate) fn keep(&self, member: Cow<'static, str>, loose: Loose) {
        let Loose { scheme, salt, content } = loose;
        // Whose it is, is said when the record is finished.
        let record = RecordId([0; 16]);
        self.state.borrow_mut().apart.pieces.push(Piece { record, member, scheme, salt, content });
    }

    /// The record is made: what was kept since the one before is its own.
    pub(crate) fn finish(&self, id: RecordId) -> Range<usize> {
        let state = &mut *self.state.borrow_mut();
        let pieces = state.first..state.apart.pieces.len();
        state.first = pieces.end;
        for piece in state.apart.pieces.get_mut(pieces.clone()).unwrap_or_default() {
            piece.record = id;
        }
        pieces
    }

    /// A record's sameness, of that of its line and of what it keeps here.
    pub(crate) fn sameness(&self, line: [u8; 16], pieces: Range<usize>) -> [u8; 16] {
        let Apart { bytes, pieces: all, .. } = &self.state.borrow().apart;
        let pieces = all.get(pieces).unwrap_or_default();
        sameness_with(
            line,
            pieces.iter().map(|piece| sameness_of_content(&piece.member, bytes.get(piece.content.clone()).unwrap_or_default())),
        )
    }

    /// A person's pseudonym in the vault: `ps:vault:<32 hex digits>`.
    pub(crate) fn person(&self, realm: &str, id: &str) -> String {
        let key = self.keyed.texts("person", &[realm, id]);
        let state = &mut *self.state.borrow_mut();
        // The book is asked once: whom it is asked for again it takes for met by another request.
        if let Some(pseudonym) = state.met.get(&key) {
            return vault_pseudonym(pseudonym);
        }
        let (random, new) = (&mut state.random, &mut state.new);
        let fresh = &mut || {
            let pseudonym = random.take();
            (!random.failed).then(|| {
                new.insert(pseudonym);
                pseudonym
            })
        };
        // Promoters of mode `vault` have a book; a pseudonym that nobody remembers is the worst that could come of having none. Without
        // randomness nothing that is made here is used.
        let given = match self.book {
            Some(book) => book.pseudonym(key, fresh),
            None => fresh().map(|pseudonym| Given { pseudonym, stored: true }),
        };
        let given = given.unwrap_or(Given { pseudonym: [0; 16], stored: true });
        if !given.stored {
            state.met.insert(key, given.pseudonym);
            // The key knows the whole id; the vault need not keep what nobody is called.
            let (realm, id) = (as_kept(realm), as_kept(id));
            state.named += realm.len() + id.len();
            let (realm, id) = (realm.to_owned(), id.to_owned());
            state.apart.persons.push(PersonEntry { key, pseudonym: given.pseudonym, realm, id });
        }
        vault_pseudonym(&given.pseudonym)
    }
}

/// Random bytes, taken from the system in bulk: one call for many salts.
#[derive(Debug)]
struct Random {
    source: super::Randomness,
    bytes: Vec<u8>,
    at: usize,
    /// Whether the source failed once.
    failed: bool,
}

/// What is taken at first: the salts of one record, usually.
const FIRST_BYTES: usize = 8 * SALT_BYTES;
/// Most that is taken at once.
const BULK_BYTES: usize = 512 * SALT_BYTES;

impl Random {
    fn new(source: super::Randomness) -> Self {
        Random { source, bytes: Vec::new(), at: 0, failed: false }
    }

    /// Bytes that nobody had before.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        if let Some(bytes) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            self.at += N;
            return *bytes;
        }
        let size = (self.bytes.len() * 4).clamp(FIRST_BYTES, BULK_BYTES);
        self.bytes.resize(size, 0);
        self.failed |= (self.source)(&mut self.bytes).is_err();
        self.at = N;
        self.bytes.first_chunk().copied().unwrap_or([0; N])
    }
}
