//! Walking DER, item by item. [`der`] reads tags and lengths, and takes only their one right form; nothing here recurses, so depth is
//! bounded by what the callers ask for.

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Reader, SliceReader, Tag, TagNumber};

use super::TokenError;

/// Half a sentence: what was read when it went wrong.
pub(super) type What = &'static str;

pub(super) fn malformed(what: What, why: impl std::fmt::Display) -> TokenError {
    TokenError::Malformed(format!("{what}: {why}"))
}

/// One value with its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) tag: Tag,
    /// Tag, length and value.
    pub(super) whole: &'a [u8],
    pub(super) value: &'a [u8],
}

/// The values inside a constructed one.
pub(super) struct Items<'a> {
    reader: SliceReader<'a>,
    what: What,
}

/// `[number]`, constructed: explicit tags, and implicit ones of constructed types.
pub(super) fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// `[number]`, primitive.
pub(super) fn context_primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

impl<'a> Items<'a> {
    pub(super) fn new(bytes: &'a [u8], what: What) -> Result<Self, TokenError> {
        Ok(Items { reader: SliceReader::new(bytes).map_err(|e| malformed(what, e))?, what })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reader.is_finished()
    }

    /// The next value, whatever its tag.
    pub(super) fn any(&mut self) -> Result<Item<'a>, TokenError> {
        let wrong = |e: der::Error| malformed(self.what, e);
        let whole = self.reader.tlv_bytes().map_err(wrong)?;
        let any = AnyRef::from_der(whole).map_err(wrong)?;
        Ok(Item { tag: der::Tagged::tag(&any), whole, value: any.value() })
    }

    /// The next value, which must have this tag.
    pub(super) fn expect(&mut self, tag: Tag) -> Result<Item<'a>, TokenError> {
        let item = self.any()?;
        if item.tag != tag {
            return Err(malformed(self.what, format_args!("{} stands where {tag} is expected", item.tag)));
        }
        Ok(item)
    }

    /// The next value if it has this tag.
    pub(super) fn optional(&mut self, tag: Tag) -> Result<Option<Item<'a>>, TokenError> {
        let next = if self.reader.is_finished() { None } else { Some(Tag::peek(&self.reader).map_err(|e| malformed(self.what, e))?) };
        if next == Some(tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// The items of the next value, a SEQUENCE.
    pub(super) fn sequence(&mut self, what: What) -> Result<Items<'a>, TokenError> {
        self.expect(Tag::Sequence)?.items(what)
    }

    pub(super) fn oid(&mut self) -> Result<ObjectIdentifier, TokenError> {
        let item = self.expect(Tag::ObjectIdentifier)?;
        ObjectIdentifier::from_bytes(item.value).map_err(|e| malformed(self.what, e))
    }

    /// An INTEGER's bytes, big-endian two's complement, in their shortest form.
    pub(super) fn integer(&mut self) -> Result<&'a [u8], TokenError> {
        self.expect(Tag::Integer)?.integer(self.what)
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), TokenError> {
        if self.is_empty() { Ok(()) } else { Err(malformed(self.what, "something follows its last member")) }
    }
}

impl<'a> Item<'a> {
    pub(super) fn items(&self, what: What) -> Result<Items<'a>, TokenError> {
        Items::new(self.value, what)
    }

    pub(super) fn integer(&self, what: What) -> Result<&'a [u8], TokenError> {
        match self.value {
            [] => Err(malformed(what, "an integer without bytes")),
            [0, second, ..] if *second < 0x80 => Err(malformed(what, "an integer with a needless byte")),
            [0xff, second, ..] if *second >= 0x80 => Err(malformed(what, "an integer with a needless byte")),
            bytes => Ok(bytes),
        }
    }
}

/// A small number that is not negative.
pub(super) fn small(bytes: &[u8], what: What) -> Result<u64, TokenError> {
    if bytes.len() > 8 || bytes.first().is_none_or(|b| *b >= 0x80) {
        return Err(malformed(what, "a number that is negative or too large"));
    }
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// An AlgorithmIdentifier: which algorithm, and its parameters as they stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Algorithm<'a> {
    pub(super) oid: ObjectIdentifier,
    /// OID and parameters without the outer SEQUENCE.
    pub(super) value: &'a [u8],
    /// Absent, or NULL.
    pub(super) plain: bool,
}

pub(super) fn algorithm<'a>(items: &mut Items<'a>, what: What) -> Result<Algorithm<'a>, TokenError> {
    let item = items.expect(Tag::Sequence)?;
    let mut inner = item.items(what)?;
    let oid = inner.oid()?;
    let parameters = if inner.is_empty() { None } else { Some(inner.any()?) };
    inner.end()?;
    Ok(Algorithm { oid, value: item.value, plain: parameters.is_none_or(|p| p.tag == Tag::Null && p.value.is_empty()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who asks for one kind of value gets no other, nor anything behind it.
    #[test]
    fn a_value_of_another_kind_is_refused() {
        let items = |bytes: &'static [u8]| Items::new(bytes, "a test").unwrap();
        assert_eq!(items(&[4, 1, 7]).expect(Tag::OctetString).map(|item| item.value), Ok(&[7][..]));
        for (bytes, tag) in [
            (&[0x0c, 1, 7][..], Tag::OctetString),
            (&[0x31, 0], Tag::Sequence),
            (&[0x30, 0], Tag::Set),
            (&[0xa1, 0], context(0)),
            (&[0xa0, 0], context_primitive(0)),
        ] {
            assert!(items(bytes).expect(tag).is_err(), "{bytes:?}");
        }
        assert!(items(&[4, 1, 7]).integer().is_err() && items(&[2, 1, 7]).oid().is_err() && items(&[0x31, 0]).sequence("a test").is_err());
        let mut one = items(&[2, 1, 7, 5, 0]);
        assert_eq!(one.integer(), Ok(&[7][..]));
        assert!(one.end().is_err());
    }

    /// A number has one form: no needless byte, whatever its sign.
    #[test]
    fn numbers_have_one_form() {
        let read = |bytes: &'static [u8]| Items::new(bytes, "a test").unwrap().integer().ok();
        for good in [&[2, 1, 0][..], &[2, 1, 0xff], &[2, 2, 0, 0x80], &[2, 2, 0xff, 0x7f]] {
            assert_eq!(read(good), good.get(2..), "{good:?}");
        }
        for bad in [&[2, 0][..], &[2, 2, 0, 0x7f], &[2, 2, 0xff, 0x80]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
