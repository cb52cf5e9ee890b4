//! The format of a log: everything that somebody needs who writes a verifier of his own and trusts none of this code.
//!
//! A verifier is given a store (a bucket or a folder), the key of the log, and a clock; nothing else is believed. Each rule below is one
//! that the verifier of this program (`spanseal verify`) holds, also against a log whose own key signed something else.
//! `tests/verifier/verify.py` is a second verifier, written from this page alone, and the test suite holds the two to the same answers. A
//! sample log, written by a third implementation, lies in `tests/golden/format`; the examples here are taken from it.
//!
//! # 1. Words and bytes
//!
//! - *Hash* is SHA-256; in JSON it is 64 lower-case hexadecimal digits, in notes and keys standard base64 with padding, and of the
//!   several base64 texts that decode to the same bytes only the one an encoder makes is accepted.
//! - *Number* in JSON is a string: decimal digits without sign and without leading zeros (`"0"` itself is one), at most 2^64-1.
//! - *Second*: `YYYY-MM-DDTHH:MM:SSZ`, exactly 20 bytes, a date that exists (no second 60, no hour 24), from year 0001 to 9999-12-30T21:59:59Z.
//!   The form orders like time, so texts may be compared. *Nano*: `YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ`, exactly nine decimals, from 1970 to 2554-07-21T23:34:33.709551615Z.
//! - *Name* of a log or a class: `[a-z0-9][a-z0-9-]{0,62}`.
//! - *Strict JSON* is one value of RFC 8259 in UTF-8 without a byte order mark, and besides: no member name twice in one object, no lone
//!   surrogate, no number that is beyond an IEEE 754 double, nothing after the value but white space, and no value inside more than 128
//!   arrays and objects.
//! - *Canonical* (RFC 8785, JCS) is strict JSON in its one byte form: no white space; members ordered by the UTF-16 code units of their
//!   names; in strings only `"`, `\` and characters below U+0020 escaped, as `\b \t \n \f \r` or else `\u00xx` in lower case; numbers as
//!   ECMAScript prints doubles (`1`, `0.1`, `1e-7`, `123456789012345680000`, `1.7976931348623157e+308`; minus zero is `0`). To check it:
//!   parse, write again, compare bytes.
//!
//! # 2. The store
//!
//! A store holds objects under keys. In a bucket a key has versions, which the store lists newest first, some of them delete markers. In
//! a folder the key is the path below it, and each file is the one version of its key, without id; names directly below the folder that
//! begin with `_` are the program's own (`_tmp`, `_locks`) and no part of any log. A log lies below `<log>/`, and its key's name (its
//! *origin*) ends in `/<log>`. A log is there when `<log>/log.json` or something below `<log>/seals/` is. Keys below `<log>/`:
//!
//! | key | holds | most bytes | lock |
//! |---|---|---|---|
//! | `log.json` | section 4 | 65536 | evidence |
//! | `seals/<index, 20 digits>.json` | section 5 | 262144 | evidence |
//! | `segments/<class>/<YYYY>/<MM>/<DD>/<index, 20 digits>-<16 hex>.jsonl.zst` | section 7 | 67108864 | that of its class |
//! | `checkpoint` | newest published checkpoint, section 3 | 262144 | none |
//! | `tile/...`, `tile/entries/...` | section 8 | | full ones: evidence |
//! | `cosignatures/<index, 20 digits>/<16 hex>.note` | section 9 | 262144 | evidence |
//! | `timestamps/<index, 20 digits>/<16 hex>.tsr` | section 9 | 65536 | evidence |
//!
//! `<16 hex>` are the first 16 digits of the SHA-256 of the object's bytes. Indices are at most 2^64-1. A key that has none of these
//! forms is no part of the log and is ignored. An object longer than its limit is not what its key says it is.
//!
//! # 3. Trees, keys, notes, checkpoints
//!
//! **Trees** are those of RFC 6962 section 2.1: leaf = SHA-256(`00` || entry), node = SHA-256(`01` || left || right), the empty root is
//! SHA-256 of nothing. There are two levels of them. In a segment the entries are its lines, without their newline. In the log the
//! entries are the *statements* of seals, as canonical bytes, and an entry's index is its seal's.
//!
//! The *compact range* of a tree of n leaves is the list of the roots of its perfect subtrees, one for each one-bit of n, the largest
//! first; n = 5 gives the root over leaves 0 to 3, then leaf 4. *Fold* it from the right: take the last, then again and again node(next
//! on the left, so far); the result is the root. To append a leaf to a range of size n: while the lowest bit of n is one, take the last
//! of the list off and let leaf = node(that, leaf), and halve n; then put the leaf at the end.
//!
//! An *inclusion path* is checked as RFC 9162 section 2.1.3.2 says. Refuse index >= size. Let i = index, last = size - 1, h = leaf; for
//! each p of the path: refuse if last = 0; if i is odd or i = last, let h = node(p, h) and, while i is even and not 0, halve both; else
//! let h = node(h, p); then halve both. At the end last must be 0, and h is the root.
//!
//! **A verifier key** is `<name>+<id>+<base64 of (01 || 32 bytes of the Ed25519 key)>`; `id` is 8 lower-case hexadecimal digits, the
//! first four bytes of SHA-256(name || `0A` || `01` || key), and is checked. A name is not empty and holds no white space, no `+` and no
//! control character. *Control characters*, here and below, are U+0000 to U+001F and U+007F to U+009F. The key is a point of the curve in
//! its canonical encoding (y less than 2^255 - 19), of the prime-order group and not its zero. A signature (RFC 8032) is 64 bytes, R and S;
//! S is less than the group's order, R not of small order. It verifies where the canonical encoding of `[S]B - [k]A` is `R`, byte by byte, with k =
//! SHA-512(R || A || text) modulo the order: without the cofactor.
//!
//! **A signed note** (C2SP signed-note) is at most 262144 bytes of UTF-8 with no control character but the newline. The last empty line
//! divides it: before it the text, with its newline, which is what is signed; behind it at least one line, each ended by a newline: EM
//! DASH (U+2014, bytes `E2 80 94`), a space, the key's name, a space, base64 of (4 bytes of key id || signature, not empty). A key
//! *signed the note* if at least one line has its name and id, and each such line verifies. Lines of other keys are left aside.
//!
//! **A checkpoint** (C2SP tlog-checkpoint) is a note whose text has three lines: the origin, the tree size as a decimal number, the root
//! hash in base64 (32 bytes). Extension lines may follow in the specification; this log writes none, and where a checkpoint of this log
//! is demanded they are refused. *A checkpoint of key K* is one that K signed and whose origin is K's name.
//!
//! Example: key `spanseal.example/vectors+845f03b5+AQUcAWj1wCuhANYeY8a1NnMSVIIV/8ssl8Yot9HFk1hE`, and its checkpoint of size 1, as JSON
//! shows it (`\u2014` is the dash):
//!
//! ```text
//! "spanseal.example/vectors\n1\n+igtg2DBac0I5QNACsHL7SrQwLAGJOURsH1wzDPPjr0=\n\n\u2014 spanseal.example/vectors hF8DtdsXzyqdkQ6W2PLI/UbGTgGCTAZevw799ubQsCKfdveBJhDK0RMv+FsVASv2upcf1D50MleFuK7uuR53p3hiFg4=\n"
//! ```
//!
//! Its root in hexadecimal is `fa282d8360c169cd08e503400ac1cbed2ad0c0b00624e511b07d70cc33cf8ebd`: in a tree of one leaf, the leaf hash of
//! entry 0.
//!
//! # 4. `log.json`
//!
//! Canonical, an object; strings, arrays and objects only. `format` is `spanseal.log/1` (another text: unchecked), `vkey` a verifier key,
//! `origin` its name, which ends in `/<log>`; `created` a second. Further members are ignored. It proves nothing; trust comes from the
//! key that the auditor brings.
//!
//! # 5. A seal
//!
//! The file is canonical, an object with exactly the members `statement`, `checkpoint` (a string) and `frontier` (an array of hashes).
//! The statement holds strings, arrays and objects only, and its canonical bytes are at most 65535. Its members:
//!
//! | member | is |
//! |---|---|
//! | `format` | `spanseal.seal/1`; see section 10 for another |
//! | `log` | the origin |
//! | `index` | number |
//! | `sealed_at`, `started` | seconds: when the batch closed, and when the writing process started; the writer rounds both up |
//! | `previous` | leaf hash of the entry before; stands in every statement but that of seal 0 |
//! | `segments` | array, section 6; in ascending byte order of their `key`, no key twice |
//! | `counts` | object of numbers `spans`, `logs`, `promoted`, `skipped`, `rejected`, `duplicates`, `dropped_attributes` (others are ignored) |
//! | `config_sha256` | hash: which configuration was in force |
//! | `next_by` | optional second: the promise of the next seal |
//! | `next_vkey` | optional verifier key: a change of key |
//! | `not_worm` | `"true"` or absent: the store enforced no locks |
//! | `decrees` | optional number, not greater than `index`: the newest seal that holds a record of a hold or an extension |
//!
//! Members that are not in this table are ignored, but the leaf covers them. `frontier` is the compact range of tree size `index`, so it
//! has as many hashes as `index` has one-bits.
//!
//! **A seal stands by itself under key K** if the file is as above and `checkpoint` is a checkpoint of K without extension lines, its
//! size is `index` + 1, its root is that of `frontier` with this entry's leaf appended, `log` is K's name, and it has exactly one
//! signature line; with `next_vkey` exactly two: that key has K's name, is not K, and the note is a checkpoint of it too. From the next
//! seal on that key alone signs. The index in the file's key is `index`.
//!
//! **It extends the seal before** if that one's index is one less, `previous` is its leaf hash, `frontier` is its range with its leaf
//! appended, and `sealed_at` is not less than its.
//!
//! Example: seal 1 of the sample has no segment. Its statement has 487 canonical bytes, and `previous` = `frontier[0]` =
//! `fa282d8360c169cd08e503400ac1cbed2ad0c0b00624e511b07d70cc33cf8ebd`. Its leaf hash is
//! `d5fd31644b1d1c954201c499530c20d5497c77e3450b9c2aa06004b77eb0862a`; node of the two is
//! `ea656e70035a97aae54648cbcd2056f190caf36ff10927b0a6cd4d25a056433a`, which its checkpoint signs for size 2 and which is the frontier of
//! seal 2.
//!
//! **What cannot be true**, though it is signed, is a finding on a seal that stands: `started` after `sealed_at`, or `next_by` before it
//! (`statement_time`); `skipped` + `rejected` more than `spans` + `logs` (`count_received`); `sealed_at` more than 300 seconds after the
//! reader's clock (`sealed_ahead`: one finding, at the first such seal, since all behind it are too).
//!
//! # 6. What a statement says of a segment
//!
//! `class` is a name, `sha256` a hash, `bytes` a number from 1 to 67108864, `records` a number of at least 1, `merkle_root` a hash,
//! `mode` `GOVERNANCE` or `COMPLIANCE`, `retain_until` a second not before `sealed_at`, `first` and `last` nanos with `first` <= `last`,
//! `version_id` a string that is not empty, or absent. Further members are ignored. `key` is exactly
//! `segments/<class>/<YYYY>/<MM>/<DD>/<index, 20 digits>-<first 16 digits of sha256>.jsonl.zst` with the date of `sealed_at`.
//!
//! `mode` and `retain_until` are minima of the object's lock. `version_id` is a locator: the segment is any version of the key with this
//! `sha256` and these `bytes`, that one first.
//!
//! # 7. A segment
//!
//! **Frame.** The bytes are exactly one zstd frame (RFC 8878): it begins `28 B5 2F FD`, so neither a skippable frame nor anything else
//! comes before; the two low bits of the next byte are zero (no dictionary); the window is at most 8388608 bytes (of a frame in a single
//! segment the window is its content size); a content checksum, if the frame has one, is right; nothing follows the frame. Decoded it is at most 268435456 bytes, and a content size in the
//! header that is larger is refused at once. The text is at least one line; each line ends in a newline and is at most 1048576 bytes
//! without it.
//!
//! **Lines.** Each line is canonical, whatever its schema, and an object. A line whose `schema` is not `spanseal.record/1` is hashed and
//! counted as *other*, and nothing more is asked of it. A record of that schema has:
//!
//! - `id`: 32 lower-case hexadecimal digits; `kind`: a string that is not empty;
//! - strings, if they are there at all, at these paths, and objects on the way to them: `actor.conversation_id`, `actor.session_id`,
//!   `actor.user_id`, `change.approval.by`, `change.by`, `control.by`, `decision.id`, `model.id`, `model.provider`, `model.requested`,
//!   `model.version`, `prompt.hash`, `prompt.template_hash`, `retention.class`, `review.reviewer.id`, `source.signal`, `subject.id`,
//!   `trace.trace_id`;
//! - nanos, if they are there, at `time.start`, `time.end` and `time.received`, and at least one of the three.
//!
//! Its *times* are `time.start` and `time.end`, or `time.received` if it has neither.
//!
//! **Against the statement.** `records` is the number of lines, `merkle_root` the root over them; `first` and `last` are the least and
//! the greatest of the times of all records (where there are *other* lines: not after the least, not before the greatest);
//! `retention.class` of a record, where it is there, is `class`; `time.received` of a record is at most 300 seconds after `sealed_at`.
//! `counts.promoted` of the seal is the number of lines of all its segments without those whose `source.signal` is `control` (where there
//! are *other* lines: that number or up to as many less), looked at only where every segment of the seal could be read.
//!
//! Example: the one line of the sample's seal 0 (544 bytes with its newline) begins
//! `{"id":"6e8a2a04cce024153640d4353a5ef462","kind":"inference","model":{`. Its leaf hash,
//! `9460c2868a02151bb80231fc0dda3b96143663d3eb0c5dae990378a6843d0c70`, is the segment's `merkle_root`. The id is the first 16 bytes of
//! SHA-256 over the canonical `["span","be94b770ad92e0757ece16f482d65ae3","932044374002f692","0"]`.
//!
//! **Configuration.** A line of our schema with `source.signal` `control`, `kind` `config_change` and a string `change.after` records a
//! configuration: the SHA-256 of that string's bytes is its name in `config_sha256`. Of several in one segment the last counts. If the
//! string is strict JSON, `retention.classes` in it is a list of objects with `name`, `mode` and `period` (`<n>d`, `<n>w`, `<n>mo` or
//! `<n>y`; n from 1 to 4294967295; in the UTC calendar at the same time of day, a day that the month does not have becoming its last;
//! nothing is later than `9999-12-30T21:59:59Z`). An entry that is not of that form is not known, and then the list is not *complete*; an
//! absent or empty list is not complete either. A configuration is *in force* from the seal whose segments record it under that seal's
//! own `config_sha256`, for all seals with that `config_sha256` until another is in force. Where it is in force, a segment's `mode` and
//! `retain_until` are at least those of its class: `sealed_at` plus the period; and the class is in the list, if the list is complete.
//! The contrary is `retention_short`. A seal from which on another `config_sha256` stands without its record is a note.
//!
//! **Holds and extensions.** A *hold* keeps segments from being deleted until it is released; an *extension* gives segments a longer or
//! stronger lock. Both are *decrees*, and stand in the log: a line of our schema with `source.signal` `control` and `kind` `hold` or
//! `retention`, whose `control.filter` is a string of strict JSON, an object with a string `format` that begins `spanseal.decrees/`, is a
//! *step* of a decree. (What is not so says nothing of decrees.) Of another `format` than `spanseal.decrees/1` the segment is *unchecked*. Its
//! members (others are ignored):
//!
//! | member | is |
//! |---|---|
//! | `step` | `open`: ordered; `apply`: carried out on `segments`; `close`: over; `give_up`: over, and not carried out to its end |
//! | `of` | the decree |
//! | `segments` | array of `<index>-<16 hex>`: index of the seal, as a number, and first 16 digits of the segment's `sha256`; ascending by index, then digits, none twice |
//! | `open` | array of all decrees that are open behind this step, ascending by `id`, none twice |
//!
//! A decree is an object: `id`, 1 to 64 of letters, digits, `.`, `_`, `-`; `order`, `hold` or `extend`; `query`, an object; `since`, a second;
//! `through`, a number; and of `extend`: `mode` and `until` (a second), the least lock. A step that is not of that form is `decrees_wrong`, at
//! the segment.
//!
//! A statement's `decrees` is its own `index` if one of its segments holds a step, of whatever form; else what the statement before says, absent
//! if that is. The contrary is `decrees_wrong`, at the seal (where a segment could not be read, or holds *other* lines, it may hold a step; where
//! the seal directly before does not stand, only its own index is judged). **The chain** is followed back from the newest seal: it names a seal
//! that holds steps, the statement before that one names the next, and so on until one names none. Its steps are taken oldest first, in a
//! seal in the order of segments and lines:
//!
//! - a hold is *open* if the last step has it in `open`. It keeps the `segments` of its steps `apply`, those after the last `close` of its `id`
//!   (a writer names there, too, what was missing before its date when it was looked at, and may hold a record that the hold means);
//! - the lock of an extension is that of its steps `apply` and `close`, for their `segments`; of several the strongest mode and the latest date;
//! - the segment that holds a step `open` or `apply` of a hold, or `apply` or `close` of an extension, counts among that step's `segments`, if its
//!   seal's `sealed_at` is more than 48 hours before now: what has to be kept would not be known without it.
//!
//! If part of the chain cannot be read, or is signed by a key to which what was read does not lead, the log is *unchecked*, and where it is the
//! newest seal of the chain, no hold counts as open. Exception: segments of a seal of the chain are gone since their `retain_until`, and none of
//! its steps could be read. Then it is *unchecked* only if a hold is in `open` of the last step that could be, with `since` not after that
//! seal's `sealed_at`; else a note.
//!
//! A decree in `open` of the last step that the log does not say to be carried out leaves the log *unchecked*: a hold, at a seal that stands, with
//! `index` from `through` on, `counts.promoted` not 0, and `sealed_at` more than 48 hours before now; an extension whose `until` is not past
//! and whose `since` is more than 48 hours before now, at such a seal with `sealed_at` not after `since`.
//!
//! A segment that an open hold keeps, or that is extended beyond now, is not gone as planned: it is `segment_missing` whatever its statement says.
//! What was on hold and is released may be gone. For the locks see section 11. Tiles, cosignatures and time stamps are to be kept as the seals are
//! that need them; no verifier is asked to judge that yet. A seal has no step of its own: it is kept as what it names.
//!
//! # 8. Tiles (C2SP tlog-tiles)
//!
//! The log of seals in tiles of 256 hashes. `tile/<level>/<number>` holds 256 hashes of 32 bytes: at level 0 leaf hashes, at level l the
//! roots of the tiles of the level below. The number is written in groups of three digits, all but the last with an `x` and a slash: tile
//! 1234067 is `x001/x234/067`. An incomplete tile of n hashes has `.p/<n>` behind it: `tile/0/000.p/9`. `tile/entries/<number>` and
//! `tile/entries/<number>.p/<n>` hold the entries of the tile of level 0: each with its length before it in two bytes, big-endian.
//!
//! Tiles are derived from the seals, so a verifier makes them and compares: every full tile within the size of the published
//! `checkpoint`, and the incomplete ones of exactly that size (one a level, where size / 256^level, rounded down, is no multiple of 256).
//! One that differs is `tile_wrong`. One that is not there is nothing but a note.
//! Others are not looked at. Behind a missing, broken or contradicting seal tiles are not compared any more.
//!
//! # 9. Cosignatures and time stamps
//!
//! **A cosignature** (C2SP tlog-cosignature, v1) is a signature line over a checkpoint by a witness. The witness's verifier key is as in
//! section 3 but with type byte `04` in the place of `01`, in the key and in the id. In the line the key id is followed by the time in
//! seconds since 1970, 8 bytes, big-endian, and by the 64 bytes of an Ed25519 signature over `cosignature/v1\n`, `time <seconds in
//! decimal>\n` and the checkpoint's text, one after the other. `cosignatures/<index>/...note` holds the text of the checkpoint of size
//! `index` + 1, an empty line, and such lines; the lines of the log's own key may stand there too. The object `checkpoint` carries none; a
//! writer hands them out, below the log's own line of the newest checkpoint that enough witnesses cosigned, as `cosigned/checkpoint` of its
//! API only, with the same tiles at `cosigned/tile/...`.
//!
//! **A time stamp** is a DER token of RFC 3161. Its message imprint is SHA-256 (OID 2.16.840.1.101.3.4.2.1) of the exact `checkpoint`
//! string of the seal whose index its folder names, or, as a renewal, of the bytes of another `.tsr` in that folder. It is the
//! `TimeStampToken` alone, not the answer that it came in. A sound one is DER throughout, of at most 65536 bytes, with nothing behind the end and
//! no part that no signature covers (unsigned attributes, CRLs) but certificates; a `SignedData` of version 3 with one `SignerInfo` (RFC 5652),
//! whose signed attributes stand in the order of DER, `contentType` and `messageDigest` among them, each once, and are signed as a SET OF with RSA
//! (PKCS#1 v1.5 or PSS, 2048 to 8192 bits), ECDSA over P-256 or P-384, or Ed25519, over SHA-256, SHA-384 or SHA-512; a `TSTInfo` of version 1
//! without a critical extension (RFC 3161, section 2.4.2). `signingCertificate` or `signingCertificateV2` names the signer's certificate by its
//! hash (RFC 5816), whose one extended key usage is `timeStamping`, critical (RFC 3161, section 2.3), and from which a path leads to a root that
//! the auditor brings, valid at the time that the token names (RFC 5280). Revocation is not looked at.
//!
//! They attest that a checkpoint was *seen*, and add to what the log's key proves. Anybody may put more of them beside a log, so one that
//! does not fit, or whose signer the reader does not know, counts for nothing and proves nothing against the log. A reader that has the keys
//! of witnesses, or the roots of authorities, may say more, and may name what was put beside the log; what he finds there never makes of a
//! seal that does not stand one that does. A log that would be verified is *unchecked* for him where a seal with segments is older than ten
//! minutes, or any seal older than two hours, and fewer of his witnesses than he asks for cosigned it or a later one; and where he brings
//! roots and no token leads to one of them. A reader that has no parser of CMS can still compare the imprint.
//!
//! # 10. Which version is the truth, and the walk
//!
//! Versions are listed; a plain read of a key, or its absence from a plain listing, proves nothing. Only `checkpoint` and tiles are read
//! as they are, in their newest version: they prove nothing by themselves. Of `log.json` the oldest version counts. Of a seal the first
//! 256 versions, oldest first, are read (markers do not count as versions), and **the seal n is the oldest that stands by itself and
//! extends seal n-1**; where seal n-1 is not there or does not stand, the oldest that stands by itself. All others are never the log.
//!
//! The key of the walk is at first the auditor's; where it signed nothing at a seal before any stood, or behind a gap, those of
//! `log.json` and of the configuration are tried as well, so that a log under another key is still read, and told as such (`wrong_key`);
//! but none that signed or was announced before, for a log never comes back to a key. Behind a seal with `next_vkey` it is that key; where
//! that key signed or was announced before, the seal is `seal_chain`, and the key stays the one that signed it. A key *is of the walk for*
//! trees up to the size at which a seal announced its successor.
//!
//! Where behind a gap another key than that of the walk signs, nothing joins the two sides. If the auditor's key signed or was announced
//! on the near side, the far side is a stranger's: its seals do not stand and are not counted, and all of them are one `wrong_key`, at the
//! first. If it is the key that signs the far side, the near side is `wrong_key`, at its first seal, and the walk goes on with the far side.
//!
//! A *signed size* is that of a checkpoint, the published one or one that the auditor kept, that a key of the walk for its size signed
//! (or, while the auditor's key neither signed nor was announced, that key or that of `log.json`). Both were there before the seals are
//! listed, so seals up to a signed size must be there. So is `index` + 1 where the file of a seal is none, but the JSON string behind the
//! first `"checkpoint":` in its bytes is a checkpoint of that size, or a greater, by the key of the walk. **The end of the log** lies behind its last seal that stands, and behind each seal
//! below a signed size. What lies behind the end anybody could have put there.
//!
//! 1. Read `log.json` and `checkpoint`, before anything else.
//! 2. List the seals in order of their index. Before a seal that stands, or lies below a signed size, a missing run of indices is one
//!    `seal_missing`, at its first.
//! 3. Of each key: if no version is a seal of this log, `seal_broken`, and what is behind it is behind a gap. If it lies behind the end, it
//!    is no `seal_broken`: all that lies there is one `seal_foreign`, at the first, and no index there is missing. Exception: the file is
//!    canonical, its `format` is another string, and yet its `checkpoint` is a checkpoint of the key, of size `index` + 1, and `frontier`
//!    with the leaf of `statement` gives its root: then a newer program can read it, it is *unchecked*, and no end lies before it. If one
//!    stands by itself but
//!    none extends the seal before: `seal_chain`, and the walk goes on from it. Behind a gap of one seal, the range of the seal before
//!    the gap with `previous` appended must be `frontier`, else `seal_chain`; behind any gap `sealed_at` must not go back.
//! 4. Of each seal that stands: what cannot be true (section 5), its segments (6, 7), its tiles (8), its configuration (7).
//! 5. The published checkpoint, which may be older than the newest seal, is of a signed size, and of a seal's tree: same root, no extension
//!    lines, signed by the key of that seal (or its `next_vkey`). It may also be of size 0 with the empty root. Otherwise it is
//!    `checkpoint_invalid`; if it is signed and its seal is not there, `rollback`. If its seal is there but the listing ended before it,
//!    the listing hides seals, and the log is *unchecked*. So it is if a seal behind the last one of the listing stands when it is asked for by
//!    its name, and its `sealed_at` is more than 300 seconds before the time at which the verification began.
//! 6. Segments that no standing seal names: with an index greater than that of the last seal before the end plus one, `segment_unnamed`; else, if
//!    the name does not fit the SHA-256 of the bytes, `segment_unnamed`; else a note, since a writer that stops before its commit leaves
//!    such. (Behind the end of a log that is being written there may be more by now, but only if seals follow the end that extend it.)
//! 7. The auditor's key must be one that signed or was announced (in a log without a seal: that of `log.json`), else `wrong_key`; and
//!    where seal 0 stands, `log.json` names the key that signed it, else `log_file`.
//!
//! # 11. Locks
//!
//! Where the store has locks, they are read back: mode and date of every segment against the statement's; of seals, full tiles and
//! `log.json` against the *evidence lock*: the strongest mode and the latest date of all classes of the configuration in force and of all
//! segments that the seal names, counted from `sealed_at` (of `log.json`: from `created`, under the configuration of seal 0).
//! A segment that is extended (section 7), and its seal, have that lock: the strongest mode and the latest date of both, or that of the extension
//! alone once the other date is past. A segment that an open hold keeps, and its seal, are on legal hold (`hold_missing`); a log that is being
//! written is asked again before that is said.
//! `COMPLIANCE` is stronger than `GOVERNANCE`. Past the date nothing is demanded. Nothing is demanded of a seal with `not_worm`. A copy
//! of a log in a folder has no locks, and that is said, not found.
//!
//! # 12. The answer
//!
//! *Findings* if there is one; else *unchecked* if something could not be read, has an unknown `format`, or no seal was there to be
//! checked at all; else *verified*. Exit codes: 0 verified, 1 findings, 2 unchecked, 64 wrong usage.
//!
//! | finding | when |
//! |---|---|
//! | `log_file` | `log.json` is absent, is not as in section 4, or names another key than the first seal's |
//! | `wrong_key` | the auditor's key signed nothing here, or not what lies on the other side of a gap |
//! | `seal_missing`, `seal_broken`, `seal_chain`, `seal_foreign` | section 10 |
//! | `fork` | a further version of a seal is signed too |
//! | `foreign_version` | a version over a seal, segment or `log.json` that is another object |
//! | `flooded` | more than 256 versions of a seal |
//! | `hidden` | a delete marker over a seal, `log.json`, or a segment whose date is not past or which a hold keeps |
//! | `segment_missing` | no version, and `retain_until` not past, or kept by a hold or an extension (section 7); else a note |
//! | `segment_bytes` | no version with `sha256` and `bytes` |
//! | `segment_form` | frame, lines or records are not as in section 7 |
//! | `segment_content` | a member of the statement, the class or `time.received` contradicts the lines; one for each member |
//! | `count_promoted`, `count_received`, `statement_time`, `sealed_ahead`, `retention_short` | sections 5 and 7 |
//! | `lock_missing`, `lock_weak`, `hold_missing` | section 11 |
//! | `decrees_wrong` | section 7 |
//! | `segment_unnamed`, `checkpoint_invalid`, `rollback` | section 10 |
//! | `tile_wrong` | section 8 |
//! | `kept_checkpoint` | no key of the log for its size signed the checkpoint that the auditor kept; its root differing is a `fork`, its size being greater than the log's a `rollback` |
//!
//! Notes change nothing: `extends`, `config_unrecorded`, `orphan` (an unnamed segment), `duplicate` (a further version with the same
//! bytes), `marker_past_date`, `segment_expired` (one a class), `silence` (a seal later than the one before promised by `next_by`), `restart` (another
//! `started`), `not_worm`, `copy`, `other_schema`, `not_covered`, `checkpoint_absent`, `tile_absent`.
//!
//! # 13. The proof bundle
//!
//! One record, offline. Strict JSON in any layout, at most 67108864 bytes, in which `,`, `[` and `{` stand at most 4194304 times outside of
//! strings, an object with `format` `spanseal.proof/1`; anything else (but what section 14 tells) is no proof, and *unchecked*. Members, all
//! of them present but `openings`:
//!
//! | member | is |
//! |---|---|
//! | `record` | a string: the exact line |
//! | `segment` | object of exactly `leaf_index`, `tree_size` (numbers), `path` (array of at most 64 hashes) |
//! | `statement` | the seal's statement, in any layout |
//! | `log` | object of exactly `index`, `tree_size`, `path`, as above |
//! | `checkpoint` | a string: a signed note |
//! | `cosignatures` | array of strings: signature lines over the checkpoint's text, with or without their newline |
//! | `timestamps` | array of strings: base64 of DER |
//! | `rotations` | array of objects with `statement`, `log`, `checkpoint`: the seals that announced each key between the auditor's and the signing one, in order |
//! | `openings` | array of objects of strings `member`, `salt`, `content` |
//!
//! A list other than a path has at most 1000 elements. Further members are ignored, and said not to be covered. The proof is refused (a
//! finding) unless all of the following holds; an unknown `format` of a statement makes it *unchecked* instead, if members and `record`
//! are as they should be:
//!
//! 1. `record` is at most 1048576 bytes, canonical, and an object;
//! 2. the leaf of `record` with `segment` gives a root, and one of the statement's segments has that `merkle_root` and `records` =
//!    `segment.tree_size` (of several the first is meant); the statement is as in sections 5 and 6;
//! 3. for each rotation, with K at first the auditor's key: its statement is as in section 5 and has `next_vkey`, a key of K's
//!    name that is none of those before, the auditor's among them; it is *included* under K; its `checkpoint` is a checkpoint of `next_vkey` too; its size is its `index` + 1, greater than that
//!    of the rotation before. Then K = `next_vkey`;
//! 4. the statement is *included* under K, in a tree not smaller than that of the last rotation; and no change of key is passed over, as in
//!    section 14 (4), with the one statement;
//! 5. each of `cosignatures` is a signature line, and each of `timestamps` base64, of whatever length (a token is at most 65536 bytes, and a
//!    longer one counts for nothing); the checkpoint is then the very text that they are over, of this seal or a later one;
//! 6. a record of schema `spanseal.record/1` has the form of section 7 (of another, the answer says that what it means was not judged);
//! 7. for each opening: `member` is a path of names and array indices, divided by dots (`input`, `retrieval.documents.0.content`), not in
//!    `attributes` or `source`, no path twice; the object there has a string `commitment`; `salt` is 32 bytes in hexadecimal; and
//!    `commitment` is `salted-sha256:` and the hexadecimal SHA-256(salt || `content` in UTF-8).
//!
//! *Included* under K: `checkpoint` is a checkpoint of K without extension lines (further signature lines are cosignatures);
//! `statement.log` is its origin; `log.index` = `statement.index`; `log.tree_size` = its size; where that is `index` + 1 and the
//! statement has `next_vkey`, that is another key of K's name and signed it as well; and the leaf of the statement's canonical bytes with
//! `log` gives its root.
//!
//! A proof that is not refused is *findings* all the same where the statement says what cannot be true (section 5, the clock included),
//! or the record's times lie outside `first` to `last`, its `retention.class` is not `class`, or its `time.received` more than 300
//! seconds after `sealed_at`; or where `index` is odd, and `previous` is not the first hash of `log.path` (`seal_chain`). Else it is verified: the record was *signed* into the log. That the log was *published*, and shown alike to
//! everyone, needs a cosignature or a checkpoint that the reader kept. A time stamp does not prove it: an authority gets one hash, and shows it
//! to nobody; what it proves is that the log *existed* by its time.
//!
//! **A reader who brings more than the log's key** judges it by these rules. No signature covers `cosignatures` and `timestamps`, so whoever
//! passes a bundle on can add to them:
//!
//! - a line in the name and id of one of his witnesses that does not verify counts for nothing, and refuses nothing; nor does one count whose
//!   time is 2^63 or more. A line in the name and id of a witness whose public key is that of any key of the log refuses the proof: a log is no
//!   witness of itself. Such keys are the reader's, those that rotations and statements announce, and whichever, under the log's name and with type
//!   byte `01`, signed the checkpoint, that of a rotation, or the one that the reader kept. Of a key that the log had at another time, and that
//!   nothing of this shows, no proof tells;
//! - so does a token that is unsound, over something else than this checkpoint, or by an authority that leads to none of his roots, also
//!   where it names an authority that he trusts. A sound one over this checkpoint, of an authority that leads to one of his roots, proves that
//!   the log existed by its time; where that is more than 300 seconds before `sealed_at` of the (last) statement, it is *findings*;
//! - a proof that would be verified is *unchecked* where fewer of his witnesses cosigned than he asks for: all of them, or
//!   fewer if he says so (`--quorum`). How many witnesses some keys are is the number of their different names, or that of their different public
//!   keys (of whatever name), whichever is less. Lines in the checkpoint itself count like those of `cosignatures`. Enough of them show it *published*;
//! - one that would be verified is *unchecked*, too, where he brings roots and no sound token over this checkpoint leads to one of them;
//! - of a checkpoint that he kept, of this log: of another size it is *unchecked* (only the store can tell whether one extends the other); of
//!   the same size but signed by no key that the bundle shows to sign that size, *unchecked* (that is the key of the checkpoint; and, where a seal of
//!   the bundle or its last rotation, of `index` + 1 = that size, announces a key, that key and the one that it replaces); with the same root it shows
//!   it *published*; with another root the key signed two histories, *findings* (`fork`).
//!
//! The content of a record is not in it. `C` objects hold `captured`, `scheme`, `commitment` and `bytes`; the content x that was
//! committed to is, by `scheme`, `utf8`: the bytes of one string; `attributes`: canonical JSON of an object of all attributes that
//! carried it. An opening gives x as text.
//!
//! Example: with salt 32 times `00` and content `yes`, the commitment is
//! `salted-sha256:672450f5fca51bfa9a9e2009d7e68cd42a004d8d5fdb1422101021667e42956f`.
//!
//! # 14. The bundle of several records
//!
//! Several records of one log, each sealed; or two of them, and all that the log sealed between them. What is not shown is withheld: its
//! number is stated by the log's key, and not proved, and no line of it is handed out. Statements tell of each segment, also where all of it is
//! withheld, class, bytes, number of records, first and last time, and of each seal its counts; and a hash of the path over one leaf alone is
//! the unsalted hash of a line, which whoever has that line, or guesses all of it, can confirm.
//!
//! JSON as in section 13, but at most 268435456 bytes, in which `,`, `[` and `{` stand outside of strings at most once for each 16 bytes (or
//! 4194304 times, if that is more), with `format` `spanseal.proof-range/1`. Members, all of them present but `incomplete`, and `from` and `to`,
//! which stand together or not at all:
//!
//! | member | is |
//! |---|---|
//! | `from`, `to` | objects of exactly `index` (number: of the seal), `segment` (a string: its `key` in the statement), `leaf_index` (number) |
//! | `seals` | array of 1 to 100000 objects of exactly `statement`, an object as in section 13, and `segments`, an array |
//! | `segments` | objects of exactly `records`, an array, and `path`, an array of hashes |
//! | `records` | objects of exactly `leaf_index`, a number, and `record`, a string: the exact line; at most 200000 in the bundle |
//! | `log` | object of exactly `tree_size` (number) and `path` (array of hashes) |
//! | `checkpoint`, `cosignatures`, `timestamps`, `rotations` | as in section 13 |
//! | `incomplete` | a string: what whoever made the bundle could not look at, so that there may be more of what was asked for; no signature covers it |
//!
//! **Several leaves of one tree** are proved at once. Given are the tree's size, leaves with their indices, and a path. At least one leaf is
//! given; the indices ascend, none twice, and each is less than the size. The tree over the leaves a to b-1 (at first 0 to size - 1) is: if no
//! given leaf is among them, the next hash of the path; else, if b = a + 1, the leaf itself; else node(left, right), with k the largest power
//! of two that is less than b - a, left over a to a+k-1, right over a+k to b-1. Left is made first, unless a given leaf is in right and none
//! in left; then right is made first. At the end the path must be used up. (Of one leaf this is its inclusion path.)
//!
//! The proof is refused unless all of the following holds; an unknown `format` of a statement makes it *unchecked* instead, if all members
//! are of their types:
//!
//! 1. each statement is as in sections 5 and 6; their `index` ascends, none twice; all have the same `log`;
//! 2. the rotations hold as in section 13 (3), and lead to K. `checkpoint` is a checkpoint of K without extension lines, its origin is `log`, its
//!    size is `log.tree_size` and not less than that of the last rotation; where that is the last statement's `index` + 1 and it has
//!    `next_vkey`, that is another key of K's name and signed it as well;
//! 3. the leaves of the statements, at their `index`, with `log` give the checkpoint's root;
//! 4. no change of key is passed over. A rotation of the same `index` as one of the statements is of that very statement. Each other statement
//!    that has `next_vkey`, and whose `index` + 1 is not `log.tree_size`, stands before the first rotation; and the last of them, if there
//!    is one, has the reader's key as its `next_vkey` (the reader's key is then a later one), and no two of them have the same;
//! 5. `cosignatures` and `timestamps` as in section 13 (5);
//! 6. `segments` has one element for each segment of the statement, in its order. Where `records` is empty, so is `path`. Else the leaves of the
//!    records, at their `leaf_index`, with `path` and the segment's `records` as the size give its `merkle_root`; and each record is as
//!    in section 13 (1 and 6). At least one record is shown in the bundle;
//! 7. where there are `from` and `to`: the first statement's `index` is `from.index`, the last one's `to.index`, and none between them is left
//!    out; the records at both places are shown; if both are in one segment, `from` is before `to`; and no record is shown in the segment of
//!    `from` before it, or in that of `to` behind it.
//!
//! A proof that is not refused is *findings* all the same where a statement says what cannot be true (section 5), where two statements
//! of which one follows the other contradict each other (`previous` is not the leaf hash of the one before; and of any two neighbours in the
//! bundle, `sealed_at` goes back: `seal_chain`), or where a record contradicts its statement as in section 13. Else it is verified.
//!
//! **What is between.** Records are in the order of the log: by seal, and within a segment by line. That is the order of sealing and not of
//! events: that nothing else happened between the two times is not proved, because a record stands where it was sealed, and one reported late
//! stands behind. Segments of one seal are written
//! together and have no order among each other. *Between* `from` and `to` are all lines of all segments of all these seals, but those of the
//! segment of `from` up to it and those of the segment of `to` from it on; so also the lines of other segments of the first and the last
//! seal, which may as well be before `from` or behind `to`. Their number is the sum of what the statements say: the log's signed word, which
//! its `merkle_root` does not show (a hash may stand for any number of lines), and which a verifier of the whole log finds false if it is, as
//! long as the segment is kept.
//! Withheld are those that are not shown. What never reached the log, or was set aside by it, is in no proof; what it counted of that stands in
//! `counts`: of what came from the seal before on, which is no count of what lies between; requests refused as a whole are not in it.
