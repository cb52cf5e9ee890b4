"""A second verifier of spanseal logs and proofs, written from src/format.rs alone; "section n" below means there.
    verify.py FOLDER --vkey KEY [--log NAME]    verify.py check BUNDLE --vkey KEY [--witness KEY]... [--quorum N]    both: [--now TIME]
Prints one JSON object. Exit: 0 verified, 1 findings, 2 unchecked, 64 wrong usage. Needs Python 3.10, PyNaCl and zstandard."""
import argparse, base64, calendar, datetime as dt, decimal, functools, hashlib, json, math, pathlib, re, sys, zstandard
from nacl import bindings, exceptions, signing
NOTE_MAX, ENTRY_MAX, LINE_MAX, WINDOW_MAX, SEGMENT_MAX, DECODED_MAX = 262144, 65535, 1048576, 8388608, 67108864, 268435456
COUNTS, MODES = "spans logs promoted skipped rejected duplicates dropped_attributes".split(), ("GOVERNANCE", "COMPLIANCE")
TEXTS = """actor.conversation_id actor.session_id actor.user_id change.approval.by change.by control.by decision.id model.id model.provider
model.requested model.version prompt.hash prompt.template_hash retention.class review.reviewer.id source.signal subject.id trace.trace_id"""
NAME, KEY_NAME, OURS, LATEST = "[a-z0-9][a-z0-9-]{0,62}", r"[^\s+\x00-\x1f\x7f-\x9f]+", "spanseal.record/1", "9999-12-30T21:59:59Z"
SEGMENT = f"segments/{NAME}/[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}/([0-9]{{20}})-([0-9a-f]{{16}})[.]jsonl[.]zst"
NOTE, STRING = re.compile(r"((.+)\n(.+)\n([^=\n]{43}=)\n((?:.+\n)*))\n((?:.+\n)+)"), rb'"(?:[^"\\]|\\.)*"'
IMPRINT = re.compile(rb"\x60\x86\x48\x01\x65\x03\x04\x02\x01(?:\x05\x00)?\x04\x20(.{32})", re.DOTALL)  # SHA-256 and 32 bytes, in DER
UNITS = {"s": (0, 1), "d": (0, 86400), "w": (0, 604800), "mo": (1, 0), "y": (12, 0)}  # Months and seconds.
class Unknown(ValueError): """A format of another version, or no proof at all: nothing can be concluded."""
REFUSED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, zstandard.ZstdError, exceptions.CryptoError)
def need(condition, value=None):
    if not condition: raise ValueError("it is not as the format says")
    return value
def tried(make, default=None):
    try: return make()
    except REFUSED: return default
def number_text(value):  # Section 1. Each of these functions refuses a value that is not of its kind.
    plain = need(math.isfinite(value), value == 0 or 1e-6 <= abs(value) < 1e21)
    return format(decimal.Decimal(repr(value)).normalize() + 0, "f") if plain else re.sub("e([+-])0*", r"e\1", repr(value))
def jcs(value, depth=0):
    if isinstance(need(depth <= 128, value), list): return "[" + ",".join(jcs(item, depth + 1) for item in value) + "]"
    if not isinstance(value, dict): return number_text(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return "{" + ",".join(f"{jcs(n)}:{jcs(value[n], depth + 1)}" for n in sorted(value, key=lambda n: n.encode("utf-16-be"))) + "}"
def unique(pairs): return need(len(dict(pairs)) == len(pairs), dict(pairs))
def parse(data): return (value := json.loads(data.decode(), object_pairs_hook=unique, parse_int=float)), jcs(value).encode()
def canonical(data): return need((read := parse(need(len(data) <= LINE_MAX, data)))[1] == data, fit(read[0], {}))
def only_texts(data): return need(not re.sub(STRING, b"", data).strip(b"[]{}:,"), data)
def at(value, path, default=None):  # Whatever stands on the way is an object.
    return at(value.get(path.split(".")[0], {}), path.split(".", 1)[1], default) if "." in path else value.get(path, default)
def text(value, form=".*"): return need(isinstance(value, str) and re.fullmatch(form, value, re.DOTALL), value)
def number(value): return need(int(text(value, "0|[1-9][0-9]{0,19}")) < 2 ** 64, int(value))
def digest(value): return bytes.fromhex(text(value, "[0-9a-f]{64}"))
def second(value, more=""):
    return need(dt.datetime.fromisoformat(text(value, f".{{19}}{more}Z")[:19]).isoformat() == value[:19] <= LATEST, value)
def nano(value): return need("1970" <= second(value, "[.][0-9]{9}") <= "2554-07-21T23:34:33.709551615Z", value)
def unbase64(value): return need(base64.b64encode(raw := base64.b64decode(text(value))).decode() == value, raw)
def fit(value, form):  # A form is a pattern of texts, a function that refuses, or the forms of an object's members ("name?": or absent).
    if not isinstance(form, dict): return text(value, form) if isinstance(form, str) else form(value)
    for name in [name for name in form if name[-1] != "?" or name[:-1] in value]: fit(value[name.rstrip("?")], form[name])
    return need(isinstance(value, dict), value)
def exactly(form): return lambda value: need(len(fit(value, form)) == len(form), value)
def each(form, most=math.inf): return lambda v: [fit(item, form) for item in need(isinstance(v, list) and len(v) <= most, v)]
def later(time, count, unit="s"):
    y, m = divmod((when := dt.datetime.fromisoformat(time[:19])).year * 12 + when.month - 1 + count * UNITS[unit][0], 12)
    day = min(when.day, calendar.monthrange(y, m + 1)[1])
    return min(LATEST, tried(lambda: f"{(when.replace(y, m + 1, day) + dt.timedelta(0, count * UNITS[unit][1])).isoformat()}Z", LATEST))
def sha256(data): return hashlib.sha256(data).digest()  # Section 3: trees, keys, notes, checkpoints.
leaf_hash, node = lambda entry: sha256(b"\x00" + entry), lambda left, right: sha256(b"\x01" + left + right)
def append(nodes, size, leaf): return append(nodes[:-1], size >> 1, node(nodes[-1], leaf)) if size & 1 else [*nodes, leaf]
def fold(nodes): return functools.reduce(lambda right, left: node(left, right), reversed(nodes)) if nodes else sha256(b"")
def tree(leaves): return fold(functools.reduce(lambda nodes, leaf: append(nodes, *leaf), enumerate(leaves), []))
def climb(leaves, a, b, path):  # Several leaves of one tree (section 14), of one leaf its inclusion path.
    if not leaves or b - a == 1: return leaves[0][1] if leaves else path.pop(0)
    k = a + (1 << (b - a - 1).bit_length() - 1)
    left, right = [leaf for leaf in leaves if leaf[0] < k], [leaf for leaf in leaves if leaf[0] >= k]
    return node(climb(left, a, k, path), climb(right, k, b, path)) if left else node(right=climb(right, k, b, path), left=path.pop(0))
def root_of(entries, size, path):
    places, leaves, path = [n for n, _ in entries], [(n, leaf_hash(entry)) for n, entry in entries], each(digest)(path)
    return need(places[-1] < size and places == sorted({*places}), [climb(leaves, 0, size, path), need(not path)][0])
class Key(str):
    def __init__(self, value):
        self.name, key_id, rest = text(value, KEY_NAME + "[+][0-9a-f]{8}[+].+").split("+", 2)
        self.public, self.who = signing.VerifyKey((pk := unbase64(rest))[1:]), (self.name, sha256(self.name.encode() + b"\n" + pk)[:4])
        need(pk[0] == getattr(self, "kind", 1) and self.who[1].hex() == key_id and bindings.crypto_core_ed25519_is_valid_point(pk[1:]))
    def signed(self, message, signature): return bool(tried(lambda: self.public.verify(message.encode(), signature)))
class Witness(Key): kind = 4
def as_log(key, name):  # The same key, as that of a log.
    pk = b"\x01" + bytes(key.public)
    return Key("+".join([name, sha256(name.encode() + b"\n" + pk)[:4].hex(), base64.b64encode(pk).decode()]))
def many_of(witnesses): return min(len({key.name for key in witnesses}), len({bytes(key.public) for key in witnesses}))
def signature_line(line):  # Name and id of its key, and the signature.
    return need(len(raw := unbase64((parts := text(line, f"\u2014 {KEY_NAME} [^ ]+").split(" "))[2])) > 4, ((parts[1], raw[:4]), raw[4:]))
class Checkpoint:
    def __init__(self, note):
        need(len(note.encode()) <= NOTE_MAX and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", note))
        self.note, (self.body, self.origin, size, root, self.more, lines) = note, NOTE.fullmatch(note).groups()
        self.lines, self.size, self.root = list(map(signature_line, lines[:-1].split("\n"))), number(size), unbase64(root)
    def is_of(self, key): return self.origin == key.name and {True} == {key.signed(self.body, s) for who, s in self.lines if who == key.who}
    def seen_by(self, key, s): return s[0] < 128 and key.signed(f"cosignature/v1\ntime {int.from_bytes(s[:8], 'big')}\n{self.body}", s[8:])
PART = {"class": NAME, "sha256": digest, "merkle_root": digest, "bytes": lambda v: need(0 < number(v) <= SEGMENT_MAX), "version_id?": ".+",
        "records": lambda v: need(number(v)), "mode": "|".join(MODES), "retain_until": second, "first": nano, "last": nano}
STATEMENT = {"not_worm?": "true", "index": number, "sealed_at": second, "started": second, "segments": each(PART), "config_sha256": digest,
 "counts": dict.fromkeys(COUNTS, number), "previous?": digest, "next_by?": second, "next_vkey?": Key, "log": text, "decrees?": number}
def check_statement(statement):  # Sections 5 and 6: statements and seals. Answers with the key that it announces.
    if text(statement["format"]) != "spanseal.seal/1": raise Unknown(f"the statement has format {statement['format']}")
    need(len(only_texts(jcs(fit(statement, STATEMENT)).encode())) <= ENTRY_MAX and ("previous" in statement) == (statement["index"] != "0"))
    need(int(statement.get("decrees", "0")) <= int(statement["index"]))
    day = f"{(on := statement['sealed_at'])[:10].replace('-', '/')}/{int(statement['index']):020}-"
    for s in statement["segments"]:
        need(s["key"] == f"segments/{s['class']}/{day}{s['sha256'][:16]}.jsonl.zst" and s["first"] <= s["last"] and on <= s["retain_until"])
    return need((keys := [s["key"] for s in statement["segments"]]) == sorted({*keys}), [Key(v) for v in [statement.get("next_vkey")] if v])
def impossible(statement, now):  # The kinds of what cannot be true, though it is signed.
    when, (spans, logs, _, skipped, rejected, *_) = statement["sealed_at"], [int(statement["counts"][name]) for name in COUNTS]
    wrong = ["statement_time"] * (statement["started"] > when or statement.get("next_by", when) < when)
    return wrong + ["count_received"] * (skipped + rejected > spans + logs) + ["sealed_ahead"] * (when > later(now, 300))
class Seal:
    def __init__(self, data, index, key):
        file, self.index, self.name = need(len(read := canonical(data)) == 3, read), index, f"seals/{index:020}.json"
        self.statement, self.frontier, note = file["statement"], each(digest)(file["frontier"]), Checkpoint(file["checkpoint"])
        self.entry, self.leaf, self.after = (e := jcs(self.statement).encode()), leaf_hash(e), append(self.frontier, index, leaf_hash(e))
        need(note.is_of(key) and (len(self.frontier), note.size, note.root) == (bin(index).count("1"), index + 1, fold(self.after)))
        self.keys, o = [key] + check_statement(self.statement), (self.statement["log"], self.statement["index"], len(note.lines))
        need(o == (key.name, str(index), len(self.keys)) and not note.more and key not in self.keys[1:] and all(map(note.is_of, self.keys)))
    def follows(self, last):
        size, previous = last.index + 1, digest(self.statement["previous"])
        shared = bin(size >> (size ^ self.index).bit_length()).count("1") if self.index > size + 1 else None
        before = append(last.after, size, previous) if self.index == size + 1 else last.after if shared or previous == last.leaf else [0]
        return before[:shared] == self.frontier[:shared] and self.statement["sealed_at"] >= last.statement["sealed_at"]
def lines_of(data):  # Section 7: segments, records, configurations.
    window, size = zstandard.get_frame_parameters(data).window_size, zstandard.frame_content_size(data)
    need(data[:4] == b"\x28\xb5\x2f\xfd" and data[4] & 3 == 0 and window <= WINDOW_MAX and size <= DECODED_MAX)
    decoded = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX).decompress(data, DECODED_MAX, allow_extra_data=False)
    return need(decoded[-1:] == b"\n", decoded[:-1].split(b"\n"))
def record_of(line):  # An object, and if it is a record of our schema its first time, its last and that of its receipt.
    if (record := canonical(line)).get("schema") != OURS: return record, None
    time = fit(record, {"id": "[0-9a-f]{32}", "kind": ".+", "time": {"start?": nano, "end?": nano, "received?": nano}})["time"]
    for path in TEXTS.split(): text(at(record, path, ""))
    return record, (min(own := [time[n] for n in ("start", "end") if n in time] or [time["received"]]), max(own), time.get("received", ""))
def against(record, times, stated, sealed_at):  # The members of a statement that a record contradicts.
    wrong = ["first"] * (times[0] < stated["first"]) + ["last"] * (times[1] > stated["last"])
    wrong += ["time.received"] * (times[2] > later(sealed_at, 300).replace("Z", ".000000000Z"))
    return wrong + ["class"] * (at(record, "retention.class", stated["class"]) != stated["class"])
def class_of(entry):  # Its name, mode and period.
    mode, (count, unit) = entry["mode"], re.fullmatch("0*([1-9][0-9]{0,9})(d|w|mo|y)", entry["period"]).groups()
    return need(mode in MODES and int(count) < 2 ** 32, (text(entry["name"]), (mode, int(count), unit)))
def configuration(after):  # Its name, its classes (of several of one name the first), and whether these are all.
    listed = tried(lambda: each(lambda entry: tried(lambda: class_of(entry)))(at(parse(after.encode())[0], "retention.classes")), [])
    return sha256(after.encode()).hex(), dict(filter(None, reversed(listed))), bool(listed) and all(listed)
class Walk:  # Section 10. `until`: the keys that signed or were announced, in their order, each with the greatest size that it may sign.
    def __init__(self, base, pinned, now):
        self.base, self.pinned, self.now, self.findings, self.unchecked, self.strangers = base, pinned, now, [], [], []
        self.stood, self.before, self.chain, self.until, self.in_force = {}, None, [], {}, configuration("")
    def find(self, kind, key="", why=""): self.findings.append({"kind": kind, "object": key, "found": str(why)})
    def attempt(self, kind, key, make):
        try: return make()
        except Unknown: self.unchecked.append(key)
        except REFUSED as why: self.find(kind, key, why)
    def keys(self, form): return [(m[0], int(m[1])) for m in (re.fullmatch(form, path) for path in self.paths) if m and int(m[1]) < 2 ** 64]
    def read(self, key, most): return None if not (p := self.base / key).is_file() else p.read_bytes() if p.stat().st_size <= most else b""
    def log_file(self):
        if text((file := canonical(data := self.read("log.json", 65536)))["format"]) != "spanseal.log/1": raise Unknown("another format")
        if not (key := Key(fit(file, {"created": second})["vkey"])).name.endswith("/" + self.base.name): self.find("log_file", "log.json")
        return need(only_texts(data) and key.name == file["origin"], key)
    def segment(self, seal, stated):  # Lines not of control, lines of other schemas, configurations. None where it cannot be read.
        key, data, sealed_at = stated["key"], self.read(stated["key"], SEGMENT_MAX), seal.statement["sealed_at"]
        if data is None: return self.find("segment_missing", key) if stated["retain_until"] > self.now else None
        if (len(data), sha256(data).hex()) != (int(stated["bytes"]), stated["sha256"]): return self.find("segment_bytes", key)
        if not (lines := self.attempt("segment_form", key, lambda: [(leaf_hash(t), *record_of(t)) for t in lines_of(data)])): return None
        ours, said = [line[1:] for line in lines if line[2]], {"records": str(len(lines)), "merkle_root": tree(l[0] for l in lines).hex()}
        if len(ours) == len(lines): said.update(first=min(times[0] for _, times in ours), last=max(times[1] for _, times in ours))
        contradicted = {member for record, times in ours for member in against(record, times, stated, sealed_at)}
        for member in contradicted.union(name for name in said if said[name] != stated[name]): self.find("segment_content", key, member)
        control = [record for record, _ in ours if at(record, "source.signal") == "control"]
        changes = [at(record, "change.after") for record in control if record["kind"] == "config_change"]
        return len(lines) - len(control), len(lines) - len(ours), [configuration(c) for c in changes if isinstance(c, str)][-1:]
    def tiles(self, size):  # Section 8.
        hashes, level, chain = [leaf for leaf, _ in self.chain[:size]], 0, self.chain
        while parts := [hashes[n:n + 256] for n in range(0, len(hashes), 256)]:
            for n, part in enumerate(parts if len(chain) >= size else parts[:len(hashes) // 256]):
                path = "".join("/".join(f"x{g:0>3}" for g in f"{n:,}".split(",")).rsplit("x", 1)) + f".p/{len(part)}" * (len(part) < 256)
                made = {f"tile/{level}/{path}": b"".join(part), f"tile/entries/{path}": b"".join(e for _, e in chain[256 * n:][:len(part)])}
                for k in list(made)[:1 + (level == 0)]: self.read(k, len(made[k])) in (None, made[k]) or self.find("tile_wrong", k)
            hashes, level = [tree(part) for part in parts if len(part) == 256], level + 1
    def signed_by_walk(self, point):
        keys = [*self.until] + self.given * (self.pinned not in self.until)
        return any(point.is_of(key) and point.size <= self.until.get(key, math.inf) for key in keys)
    def seal(self, name, index):  # The seal that stands there, if one does, and whether the log reaches so far.
        walked, data, gap = list(self.until), self.read(name, NOTE_MAX), not self.before or index > self.before.index + 1
        keys = walked[-1:] + [key for key in self.given if gap and key not in walked]
        signer = next((key for key in keys if tried(lambda: Seal(data, index, key))), keys[0])
        seal = self.attempt("seal_broken", name, lambda: Seal(data, index, signer))
        note = tried(lambda: Checkpoint(json.loads(re.search(rb'"checkpoint":(' + STRING + b")", data)[1])))
        if (other := walked and signer != keys[0]) and self.pinned not in walked: self.find("wrong_key", self.stood[min(self.stood)].name)
        elif other: self.strangers, seal = self.strangers + [name], self.find("seal_broken", name, "of another key")
        return seal, seal or name in self.unchecked or note and note.size > index and note.is_of(keys[0])
    def stands(self, seal):
        broken, back = self.before and not seal.follows(self.before), any(key in self.until for key in seal.keys[1:])
        if broken or back: self.find("seal_chain", seal.name, "it does not follow from the seal before")
        if not broken and len(self.chain) == seal.index: self.chain.append((seal.leaf, len(seal.entry).to_bytes(2, "big") + seal.entry))
        self.until |= {key: seal.index + 1 if key in seal.keys[:-1] * (not back) else self.until.get(key, math.inf) for key in seal.keys}
        self.before, self.stood[seal.index], statement = seal, seal, seal.statement
        for kind in {*impossible(statement, self.now)} - ({"sealed_ahead"} & {f["kind"] for f in self.findings}): self.find(kind, seal.name)
        read = [self.segment(seal, stated) for stated in statement["segments"]]
        most, other = [sum(part[n] for part in read if part) for n in (0, 1)]
        if all(read) and not most - other <= int(statement["counts"]["promoted"]) <= most: self.find("count_promoted", seal.name, most)
        self.in_force = name, known, whole = next((c for p in read if p for c in p[2] if c[0] == statement["config_sha256"]), self.in_force)
        for s, (mode, *period) in [(s, known.get(s["class"], [""])) for s in statement["segments"] if name == statement["config_sha256"]]:
            short = s["retain_until"] < later(statement["sealed_at"], *period) if period else whole
            if short or (s["mode"], mode) == MODES: self.find("retention_short", s["key"])
    def run(self):
        if not (self.base / "log.json").exists() and not (self.base / "seals").exists(): raise Unknown("there is no such log")
        own, data = self.attempt("log_file", "log.json", self.log_file), self.read("checkpoint", NOTE_MAX)
        self.point = point = None if data is None else self.attempt("checkpoint_invalid", "checkpoint", lambda: Checkpoint(data.decode()))
        self.paths = [path.relative_to(self.base).as_posix() for path in sorted(self.base.rglob("*")) if path.is_file()]
        self.given, listed, end, sure = [self.pinned] + [own] * bool(own), 0, 0, len(self.findings)
        for name, index in self.keys("seals/([0-9]{20})[.]json"):
            if index > listed: self.find("seal_missing", f"seals/{listed:020}.json")
            (seal, reached), listed = self.seal(name, index), index + 1
            if seal: self.stands(seal)
            if reached or point and index < point.size and self.signed_by_walk(point): end, sure = listed, len(self.findings)
        behind, self.findings = self.findings[sure:], self.findings[:sure]  # Of what lies behind the end only that it is there.
        foreign = [("seal_foreign", f["object"]) for f in behind if f["kind"] == "seal_broken" and f["object"] not in self.strangers]
        for kind, key in foreign[:1] + [("wrong_key", key) for key in self.strangers[:1]]: self.find(kind, key)
        if point:
            place = self.stood.get(point.size - 1)
            signed = any(map(point.is_of, place.keys)) if place else self.signed_by_walk(point)
            right = (point.root, point.more) == (fold(place.after if place else []), "") or point.size and not place
            if not (signed and right): self.find("checkpoint_invalid", "checkpoint")
            elif point.size and self.read(f"seals/{point.size - 1:020}.json", 0) is None: self.find("rollback", "checkpoint")
            self.tiles(point.size)
        named = {stated["key"] for seal in self.stood.values() for stated in seal.statement["segments"]}
        for key, index in [stray for stray in self.keys(SEGMENT) if stray[0] not in named]:
            if index > end or sha256(self.read(key, SEGMENT_MAX)).hex()[:16] != key[-26:-10]: self.find("segment_unnamed", key)
        if self.pinned not in (self.until or [own]): self.find("wrong_key")
        if own and 0 in self.stood and own != self.stood[0].keys[0]: self.find("log_file", "log.json", "it names another key")
        return self.findings, self.unchecked + ["no seal stands"] * (not self.stood), {}
def place(index): return exactly({index: number, "tree_size": number, "path": each(digest, 64)})  # Sections 13 and 14: proofs.
END, SHOWN = exactly({"index": number, "segment": text, "leaf_index": number}), exactly({"leaf_index": number, "record": text})
SEALS = each(exactly({"statement": {}, "segments": each(exactly({"records": each(SHOWN), "path": each(digest)}))}), 100000)
ALL = {"checkpoint": text, "cosignatures": each(text, 1000), "timestamps": each(text, 1000),
       "rotations": each({"statement": {}, "log": place("index"), "checkpoint": text}, 1000)}
ONE = {**ALL, "record": lambda record: canonical(record.encode()), "statement": {}, "segment": place("leaf_index"),
       "log": place("index"), "openings?": each({"member": text, "salt": text, "content": text}, 1000)}
MANY = {**ALL, "seals": SEALS, "log": exactly({"tree_size": number, "path": each(digest)}), "incomplete?": text, "from?": END, "to?": END}
def included(statements, log, note, key):  # The checkpoint, the entries, and the key that the last of all statements announces.
    entries, point, n = [(int(s["index"]), jcs(s).encode()) for s in statements], Checkpoint(note), statements[0]["index"]
    need(point.is_of(key) and not point.more and all(s["log"] == point.origin for s in statements))
    need((log.get("index", n), log["tree_size"]) == (n, str(point.size)) and root_of(entries, point.size, log["path"]) == point.root)
    news = [Key(s["next_vkey"]) for s in statements if "next_vkey" in s and int(s["index"]) + 1 == point.size]
    return point, dict(entries), need(all(point.is_of(new) and new != key for new in news), news)
def alone(bundle):  # The segments of a proof of one record, as section 14 shows them: the first that it fits shows it.
    own, stated = bundle["segment"], bundle["statement"]["segments"]
    root = root_of([(int(own["leaf_index"]), bundle["record"].encode())], int(own["tree_size"]), own["path"]).hex()
    at = [(s["merkle_root"], s["records"]) for s in stated].index((root, own["tree_size"]))
    return [{"records": [{**bundle, **own}] * (n == at), "path": own["path"] * (n == at)} for n in range(len(stated))]
def between(ends, shown, records, indices):  # How many records, and how many of them are not shown.
    a, b = [(int(end["index"]), end["segment"], int(end["leaf_index"])) for end in ends]
    need(indices == list(range(a[0], b[0] + 1)) and {a, b} <= {*shown} and (a[:2] != b[:2] or a < b))
    need(not any(p[:2] == a[:2] and p < a or p[:2] == b[:2] and p > b for p in shown))
    return {"between": (count := sum(records.values()) - a[2] - 1 - records[b[:2]] + b[2]), "withheld": count - len(shown) + 2}
def opened(given, shown):
    part, path = shown[0], given["member"].split(".")
    for name in need(path[0] not in ("attributes", "source"), path): part = part[number(name)] if isinstance(part, list) else part[name]
    return need(part["commitment"] == "salted-sha256:" + sha256(digest(given["salt"]) + given["content"].encode()).hex(), given["member"])
def check(data, pinned, witnesses, quorum, now):
    bundle = tried(lambda: parse(need(len(re.findall(rb"[,[{]", re.sub(STRING, b"", data))) <= max(len(data) // 16, 4194304), data))[0])
    cap, form = tried(lambda: {"spanseal.proof/1": (67108864, ONE), "spanseal.proof-range/1": (268435456, MANY)}[bundle["format"]], (-1, 0))
    if len(data) > cap: raise Unknown("not a proof of a format that is known, or too long")
    many, bundle, size, keys, turns, shown, records = form is MANY, fit(bundle, form), 0, [pinned], {}, {}, {}
    ends, seals = [bundle[name] for name in ("from", "to") if many and name in bundle], bundle["seals"] if many else [bundle]
    of_log = [check_statement(part["statement"]) for part in need(len(ends) != 1, seals + bundle["rotations"])] + [[pinned]]
    for turn in bundle["rotations"]:
        point, entry, (new,) = included([turn["statement"]], turn["log"], turn["checkpoint"], keys[-1])
        size, turns, keys = need(size < point.size and new not in keys, point.size), {**turns, **entry}, [*keys, new]
    point, entries, _ = included(statements := [seal["statement"] for seal in seals], bundle["log"], bundle["checkpoint"], keys[-1])
    need(point.size >= size and all(turns.get(n, entries[n]) == entries[n] for n in entries))
    passed = [(s["next_vkey"], n) for n, s in zip(entries, statements) if "next_vkey" in s and n not in turns and n + 1 < point.size]
    need(not passed or len(dict(passed)) == len(passed) and passed[-1][0] == pinned and passed[-1][1] < min(turns, default=point.size))
    times, findings = [s["sealed_at"] for s in statements], [kind for s in statements for kind in impossible(s, now)]
    due = {n + 1: leaf_hash(entries[n]).hex() for n in entries} if many else {n: bundle["log"]["path"][0] for n in entries if n % 2}
    findings += ["seal_chain"] * (times != sorted(times) or any(n in due and due[n] != s["previous"] for n, s in zip(entries, statements)))
    for n, statement, parts in zip(entries, statements, [seal["segments"] for seal in seals] if many else [alone(bundle)]):
        for s, part in zip(statement["segments"], parts, strict=True):
            lines, records[n, s["key"]] = [(int(r["leaf_index"]), r["record"].encode()) for r in part["records"]], int(s["records"])
            need(not lines and not part["path"] or root_of(lines, int(s["records"]), part["path"]).hex() == s["merkle_root"])
            shown.update(read := {(n, s["key"], place): record_of(line) for place, line in lines})
            findings += ["segment_content" for found in read.values() if found[1] and against(*found, s, statement["sealed_at"])]
    members = [opened(o, *shown.values()) for o in need(0 < len(shown) <= 200000, [] if many else bundle.get("openings", []))]
    lines = [signature_line(one.removesuffix("\n")) for one in need(len(members) == len({*members}), bundle["cosignatures"])] + point.lines
    told = [(key, raw) for who, raw in lines for key in witnesses if who == key.who]
    need(not {bytes(key.public) for key, _ in told} & {bytes(key.public) for keys in of_log for key in keys})
    need(not any(Checkpoint(n["checkpoint"]).is_of(as_log(key, point.origin)) for key, _ in told for n in [bundle, *bundle["rotations"]]))
    by, other = [key for key, raw in told if point.seen_by(key, raw)], sum(not parsed[1] for parsed in shown.values())
    seen = {"cosigned_by": sorted({key.name for key in by}), "other_schema": other, "unverified_tokens": sum(
        sha256(point.note.encode()) in IMPRINT.findall(unbase64(token)) for token in bundle["timestamps"])}  # Their CMS is not read.
    if ends: seen.update(between(ends, shown, records, list(entries)))
    return [{"kind": k} for k in findings], ["too few"] * (many_of(by) < (quorum or many_of(witnesses))), seen
def main(arguments, walk=Walk):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error, now = lambda why: parser.exit(64, f"verify.py: {why}\n"), f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    options = {"target": {"nargs": "+"}, "--vkey": {"type": Key, "required": True}, "--log": {}, "--quorum": {"type": int},
               "--witness": {"type": Witness, "action": "append", "default": []}, "--now": {"type": second, "default": now}}
    for name in options: parser.add_argument(name, **options[name])
    o, found, unread, seen = parser.parse_intermixed_args(arguments), [], [], {}
    try:
        if o.target[0] == "check": found, unread, seen = check(pathlib.Path(o.target[-1]).read_bytes(), o.vkey, o.witness, o.quorum, o.now)
        else: found, unread, seen = walk(pathlib.Path(o.target[-1], o.log or o.vkey.name.rpartition("/")[2]), o.vkey, o.now).run()
    except (Unknown, OSError) as why: unread = [str(why)]
    except REFUSED as why: found = [{"kind": "refused", "found": str(why)}]
    return {"verdict": "findings" if found else "unchecked" if unread else "verified", "findings": found, "unchecked": unread, **seen}
def tell(answer):
    print(json.dumps(answer, indent=1))
    sys.exit(["verified", "findings", "unchecked"].index(answer["verdict"]))
if __name__ == "__main__": tell(main(sys.argv[1:]))
