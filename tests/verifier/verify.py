"""A second verifier of spanseal logs and proofs, written from src/format.rs alone; "section n" below means there.
    verify.py FOLDER --vkey KEY [--log NAME]    verify.py check BUNDLE --vkey KEY [--witness KEY]... [--quorum N]    both: [--now TIME]
Prints one JSON object. Exit: 0 verified, 1 findings, 2 unchecked, 64 wrong usage. Needs Python 3.9, PyNaCl and zstandard."""
import argparse, base64, calendar, datetime as dt, decimal, functools, hashlib, json, math, pathlib, re, sys
import nacl.bindings, nacl.exceptions, nacl.signing, zstandard
SMALL_MAX, NOTE_MAX, SEGMENT_MAX, VALUES_MAX = 65536, 262144, 67108864, 4194304
DECODED_MAX, WINDOW_MAX, LINE_MAX = 268435456, 8388608, 1048576
COUNTS, MODES = "spans logs promoted skipped rejected duplicates dropped_attributes".split(), ("GOVERNANCE", "COMPLIANCE")
TEXTS = [path.split(".") for path in """actor.conversation_id actor.session_id actor.user_id change.approval.by change.by control.by
    decision.id model.id model.provider model.requested model.version prompt.hash prompt.template_hash
    retention.class review.reviewer.id source.signal subject.id trace.trace_id""".split()]
NAME, KEY_NAME, OURS, LATEST = "[a-z0-9][a-z0-9-]{0,62}", r"[^\s+\x00-\x1f\x7f-\x9f]+", "spanseal.record/1", "9999-12-30T21:59:59Z"
SEGMENT = f"segments/{NAME}/[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}/([0-9]{{20}})-([0-9a-f]{{16}})[.]jsonl[.]zst"
NOTE, PERIOD = re.compile(r"((.+)\n(.+)\n([^=\n]{43}=)\n((?:.+\n)*))\n((?:.+\n)+)"), re.compile("(0*[1-9][0-9]{0,9})(d|w|mo|y)")
IMPRINT = re.compile(rb"\x60\x86\x48\x01\x65\x03\x04\x02\x01(?:\x05\x00)?\x04\x20(.{32})", re.DOTALL)  # SHA-256 and 32 bytes, in DER
REFUSED = (ValueError, LookupError, TypeError, AttributeError, RecursionError, zstandard.ZstdError)  # Also a missing member, another type.
class Unknown(Exception): """A format of another version, or no proof at all: nothing can be concluded."""
def refuse(error): raise error
def need(condition, why, value=None): return value if condition else refuse(ValueError(why))
def number_text(value):  # Section 1. Each of these functions refuses a value that is not of its kind.
    if need(math.isfinite(value), "a number beyond IEEE 754 doubles", value) == 0: return "0"
    return format(decimal.Decimal(repr(value)).normalize(), "f") if 1e-6 <= abs(value) < 1e21 else re.sub("e([+-])0*", r"e\1", repr(value))
def jcs(value, depth=0):
    if isinstance(need(depth <= 128, "too deep", value), list): return "[" + ",".join(jcs(item, depth + 1) for item in value) + "]"
    if not isinstance(value, dict): return number_text(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return "{" + ",".join(f"{jcs(n)}:{jcs(value[n], depth + 1)}" for n in sorted(value, key=lambda n: n.encode("utf-16-be"))) + "}"
def unique(pairs): return need(len(dict(pairs)) == len(pairs), "a member name repeats", dict(pairs))
STRICT = {"object_pairs_hook": unique, "parse_int": float, "parse_float": float, "parse_constant": float}
def parse(data): return (value := json.loads(data.decode(), **STRICT)), jcs(value).encode()
def canonical(data): return need(len(data) <= LINE_MAX and parse(data)[1] == data, "not canonical, or too long", thing(parse(data)[0]))
def at(value, path): return functools.reduce(lambda v, name: v.get(name) if isinstance(v, dict) else None, path.split("."), value)
def text(value, form=".*"): return need(isinstance(value, str) and re.fullmatch(form, value, re.DOTALL), f"not a text like {form}", value)
def only_text(v): return isinstance(v, str) or isinstance(v, (dict, list)) and all(map(only_text, v.values() if isinstance(v, dict) else v))
def number(value, most=2 ** 64 - 1): return need(int(text(value, "0|[1-9][0-9]{0,19}")) <= most, "too large a number", int(value))
def digest(value): return bytes.fromhex(text(value, "[0-9a-f]{64}"))
def second(value, more=""): return need(dt.datetime.fromisoformat(text(value, f".{{19}}{more}Z")[:19]).isoformat() == value[:19], "", value)
def nano(value): return need("1970" <= second(value, "[.][0-9]{9}") <= "2554-07-21T23:34:33.709551615Z", "not a time of records", value)
def items(value, most=1000): return need(isinstance(value, list) and len(value) <= most, "not a list, or too long", value)
def hashes(value, most=DECODED_MAX): return list(map(digest, items(value, most)))
def thing(value): return need(isinstance(value, dict), "not an object", value)
def members(value, required, optional={}):
    for name, form in {**required, **{name: optional[name] for name in optional if name in thing(value)}}.items():
        text(value[name], form) if isinstance(form, str) else form(value[name])
    return value
def exactly(value, form): return need(len(members(value, form)) == len(form), "other members", value)
def each(form, most=DECODED_MAX): return lambda value: [exactly(one, form) for one in items(value, most)]
def later(time, count, unit="s"):
    when, months, seconds = dt.datetime.fromisoformat(time[:19]), {"mo": 1, "y": 12}, {"s": 1, "d": 86400, "w": 604800}
    year, month = divmod(when.year * 12 + when.month - 1 + count * months.get(unit, 0), 12)
    add = dt.timedelta(seconds=min(count * seconds.get(unit, 0), 10 ** 12))
    try: return min(LATEST, (when.replace(year, month + 1, min(when.day, calendar.monthrange(year, month + 1)[1])) + add).isoformat() + "Z")
    except (OverflowError, ValueError): return LATEST
def unbase64(value): return need(base64.b64encode(raw := base64.b64decode(text(value))).decode() == value, "not base64", raw)
def sha256(data): return hashlib.sha256(data).digest()  # Section 3: trees, keys, notes, checkpoints.
def leaf_hash(entry): return sha256(b"\x00" + entry)
def node(left, right): return sha256(b"\x01" + left + right)
def append(nodes, size, leaf): return append(nodes[:-1], size >> 1, node(nodes[-1], leaf)) if size & 1 else [*nodes, leaf]
def fold(nodes): return functools.reduce(lambda right, left: node(left, right), reversed(nodes)) if nodes else sha256(b"")
def tree(leaves): return fold(functools.reduce(lambda nodes, leaf: append(nodes, *leaf), enumerate(leaves), []))
def climb(leaves, first, end, path):  # Several leaves of one tree (section 14), of one leaf its inclusion path.
    if not leaves or end - first == 1: return leaves[0][1] if leaves else path.pop(0)
    split = first + (1 << (end - first - 1).bit_length() - 1)
    left, right = [leaf for leaf in leaves if leaf[0] < split], [leaf for leaf in leaves if leaf[0] >= split]
    if left: return node(climb(left, first, split, path), climb(right, split, end, path))
    return node(*[climb(right, split, end, path), path.pop(0)][::-1])
def root_of(leaves, size, path):
    need(leaves and sorted({n for n, _ in leaves}) == [n for n, _ in leaves] and leaves[-1][0] < size, "not places in the tree")
    return [climb(leaves, 0, size, path), need(not path, "the path is too long")][0]
class Key:
    def __init__(self, value, kind=1):
        self.text, (self.name, key_id, rest) = value, text(value, KEY_NAME + "[+][0-9a-f]{8}[+].+").split("+", 2)
        self.public, self.who = nacl.signing.VerifyKey((pk := unbase64(rest))[1:]), (self.name, sha256(self.name.encode() + b"\n" + pk)[:4])
        need(pk[0] == kind and self.who[1].hex() == key_id and nacl.bindings.crypto_core_ed25519_is_valid_point(pk[1:]), "not a key")
    def __eq__(self, other): return self.text == other.text
    def signed(self, data, signature):
        try: return self.public.verify(data, signature) is not None
        except (nacl.exceptions.BadSignatureError, ValueError): return False
def signature_line(line):
    _, name, encoded = text(line, f"\u2014 {KEY_NAME} [^ ]+").split(" ")
    return need(len(unbase64(encoded)) > 4, "a signature is too short", ((name, unbase64(encoded)[:4]), unbase64(encoded)[4:]))
class Checkpoint:
    def __init__(self, note):
        need(len(text(note).encode()) <= NOTE_MAX and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", note), "not a note")
        self.text, (self.body, self.origin, size, root, self.more, lines) = note, NOTE.fullmatch(note).groups()
        self.lines, self.size, self.root = list(map(signature_line, lines[:-1].split("\n"))), number(size), unbase64(root)
    def is_of(self, key):
        return self.origin == key.name and {True} == {key.signed(self.body.encode(), raw) for who, raw in self.lines if who == key.who}
    def seen_by(self, lines, tokens, witnesses):  # Section 9. Signatures inside time tokens are left to a program that knows CMS.
        message = lambda raw: f"cosignature/v1\ntime {int.from_bytes(raw[:8], 'big')}\n{self.body}".encode()
        found = ((key, raw) for who, raw in lines for key in witnesses if who == key.who)
        fit = sum(sha256(self.text.encode()) in IMPRINT.findall(token) for token in tokens)
        return {"cosigned_by": sorted({key.name for key, raw in found if key.signed(message(raw), raw[8:])}), "unverified_tokens": fit}
def check_statement(statement, entry):  # Sections 5 and 6: statements and seals.
    if text(at(statement, "format")) != "spanseal.seal/1": raise Unknown(f"the statement has format {statement['format']}")
    need(only_text(statement) and len(entry) <= 65535, "a statement with other values than texts, or too long")
    members(statement, {"log": text, "index": number, "sealed_at": second, "started": second, "segments": items, "config_sha256": digest},
            {"previous": digest, "next_by": second, "next_vkey": Key, "not_worm": "true"})
    need(("previous" in statement) == (statement["index"] != "0"), "previous stands in all statements but that of seal 0")
    number(statement.get("decrees", "0"), int(statement["index"]))
    members(statement["counts"], dict.fromkeys(COUNTS, number))
    for segment in statement["segments"]:
        members(segment, {"sha256": digest, "merkle_root": digest, "bytes": number, "records": number, "class": NAME,
                          "mode": "|".join(MODES), "retain_until": second, "first": nano, "last": nano}, {"version_id": ".+"})
        need(1 <= int(segment["bytes"]) <= SEGMENT_MAX and segment["records"] != "0" and segment["first"] <= segment["last"], "sizes")
        day, name = statement["sealed_at"][:10].replace("-", "/"), f"{int(statement['index']):020}-{segment['sha256'][:16]}.jsonl.zst"
        need(segment["key"] == f"segments/{segment['class']}/{day}/{name}" and segment["retain_until"] >= statement["sealed_at"], "no name")
    need([s["key"] for s in statement["segments"]] == sorted({s["key"] for s in statement["segments"]}), "segments out of order")
def impossible(statement, now):
    sealed_at, (spans, logs, _, skipped, rejected, *_) = statement["sealed_at"], [int(statement["counts"][name]) for name in COUNTS]
    kinds = ["statement_time"] * (statement["started"] > sealed_at or statement.get("next_by", sealed_at) < sealed_at)
    return kinds + ["count_received"] * (skipped + rejected > spans + logs) + ["sealed_ahead"] * (sealed_at > later(now, 300))
class Seal:
    def __init__(self, data, index, key):
        file, self.index, self.name = canonical(data), index, f"seals/{index:020}.json"
        self.statement, self.frontier, point = file["statement"], hashes(file["frontier"]), Checkpoint(file["checkpoint"])
        entry = need(len(file) == 3 and len(self.frontier) == bin(index).count("1"), "not a seal's members", jcs(self.statement).encode())
        self.leaf, self.after = leaf_hash(entry), append(self.frontier, index, leaf_hash(entry))
        need(point.is_of(key) and point.size == index + 1 and point.root == fold(self.after), "not signed, or for another tree")
        check_statement(self.statement, entry)
        self.entry, self.keys = len(entry).to_bytes(2, "big") + entry, [key] + [Key(v) for v in [self.statement.get("next_vkey")] if v]
        need(len(point.lines) == len(self.keys) == len({k.text for k in self.keys}) and not point.more, "other signatures, or more lines")
        need(all(map(point.is_of, self.keys)) and self.statement["log"] == key.name and self.statement["index"] == str(index), "of another")
    def follows(self, before, gap):
        in_time, previous = self.statement["sealed_at"] >= before.statement["sealed_at"], digest(self.statement["previous"])
        return in_time and (gap > 1 or self.frontier == append(before.after, before.index + 1, previous) if gap else
                            self.frontier == before.after and previous == before.leaf)
def lines_of(data):  # Section 7: segments, records, configurations.
    header, decoder = zstandard.get_frame_parameters(data), zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX).decompressobj()
    decoded = need(data[:4] == b"\x28\xb5\x2f\xfd" and data[4] & 3 == 0 and header.window_size <= WINDOW_MAX, "no such frame", bytearray())
    for offset in range(0, len(data), 4096):
        decoded += decoder.decompress(need(not decoder.eof and len(decoded) <= DECODED_MAX, "too much", data[offset:offset + 4096]))
    *lines, rest = need(decoder.eof and not decoder.unused_data and len(decoded) <= DECODED_MAX, "other", bytes(decoded).split(b"\n"))
    return need(lines and not rest and max(map(len, lines)) <= LINE_MAX, "not lines that each end in a newline", lines)
def times_of(record):
    members(record, {"id": "[0-9a-f]{32}", "kind": ".+"})
    for *groups, name in TEXTS: text(functools.reduce(lambda value, group: thing(value.get(group, {})), groups, record).get(name, ""))
    time = {name: nano(value) for name, value in thing(record["time"]).items() if name in ("start", "end", "received")}
    return min(own := [time[name] for name in ("start", "end") if name in time] or [time["received"]]), max(own), time.get("received", "")
def against(record, stated, sealed_at):  # The members of a statement that a record contradicts.
    if record.get("schema") != OURS: return []
    (first, last, received), latest = times_of(record), later(sealed_at, 300).replace("Z", ".000000000Z")
    wrong = {"class": at(record, "retention.class") not in (None, stated["class"]), "time.received": received > latest}
    return [*filter(wrong.get, wrong), *["first"] * (first < stated["first"]), *["last"] * (last > stated["last"])]
def configuration(after):  # Its name, its classes, and whether these are all.
    try: listed = items(at(parse(after.encode())[0], "retention.classes"))
    except REFUSED: listed = []
    known = [(e["name"], (e["mode"], int(p[1]), p[2])) for e in listed for p in [PERIOD.fullmatch(str(at(e, "period")))]
             if p and isinstance(at(e, "name"), str) and at(e, "mode") in MODES and int(p[1]) < 2 ** 32]
    return sha256(after.encode()).hex(), dict(reversed(known)), 0 < len(known) == len(listed)
def decree(d):  # Section 7: holds and extensions.
    lock = {"mode": "|".join(MODES), "until": second} if at(d, "order") == "extend" else {"order": "hold"}
    return members(d, {"id": "[A-Za-z0-9._-]{1,64}", "query": thing, "since": second, "through": number, **lock})
def entry_of(record):  # Its step, decree, segments, and what is open behind it. None where it is none.
    try: e = thing(parse(at(record, "control.filter").encode())[0])
    except REFUSED: return False
    if record["kind"] not in ("hold", "retention") or not str(at(e, "format")).startswith("spanseal.decrees/"): return False
    if e["format"] != "spanseal.decrees/1": raise Unknown(e["format"])
    ids, opened = [(number(n), text(h, "[0-9a-f]{16}")) for s in items(e["segments"], LINE_MAX) for n, h in [s.split("-")]], e["open"]
    need(ids == sorted({*ids}) and (names := [decree(d)["id"] for d in items(opened)]) == sorted({*names}), "not in order")
    return text(e["step"], "open|apply|close"), decree(e["of"]), ids, opened
class Walk:  # Section 10.
    def __init__(self, base, pinned, now):
        self.base, self.pinned, self.now, self.findings, self.unchecked = base, pinned, now, [], []
        self.named, self.in_force, self.leaves, self.entries, self.gone, self.steps = set(), configuration(""), [], [], [], {}
    def find(self, kind, key="", seal=None, why=""): self.findings.append({"kind": kind, "object": key, "seal": seal, "found": str(why)})
    def attempt(self, kind, key, seal, make):
        try: return make()
        except (*REFUSED, Unknown) as why: return self.unchecked.append(key) if type(why) is Unknown else self.find(kind, key, seal, why)
    def keys(self, form):
        found = (re.fullmatch(form, path.relative_to(self.base).as_posix()) for path in sorted(self.base.rglob("*")) if path.is_file())
        return [(match[0], int(match[1]), match[match.lastindex]) for match in found if match and int(match[1]) < 2 ** 64]
    def read(self, key, most): return None if not (p := self.base / key).is_file() else p.read_bytes() if p.stat().st_size <= most else b""
    def log_file(self):
        if text((file := canonical(self.read("log.json", SMALL_MAX)))["format"]) != "spanseal.log/1": raise Unknown("it has another format")
        key = Key(members(file, {"created": second, "origin": text})["vkey"])
        if not key.name.endswith("/" + self.base.name): self.find("log_file", "log.json", why=key.name)
        return need(only_text(file) and key.name == file["origin"], "other values than texts, or another origin", key)
    def segment(self, seal, stated):  # Lines not of control, lines of other schemas, configurations. None where it cannot be read.
        find, data = functools.partial(self.find, key=stated["key"], seal=seal.index), self.read(stated["key"], SEGMENT_MAX)
        if data is None: return find("segment_missing") if stated["retain_until"] > self.now else self.gone.append((seal.index, stated))
        if len(data) != int(stated["bytes"]) or sha256(data) != digest(stated["sha256"]): return find("segment_bytes")
        read_all = lambda: [(leaf_hash(t), r, r.get("schema") == OURS and times_of(r)) for t in lines_of(data) for r in [canonical(t)]]
        if not (lines := self.attempt("segment_form", stated["key"], seal.index, read_all)): return None
        ours, times, exact = [line[1] for line in lines if line[2]], [line[2] for line in lines if line[2]], all(line[2] for line in lines)
        wrong = {"records": len(lines) != int(stated["records"]), "merkle_root": tree([l[0] for l in lines]).hex() != stated["merkle_root"],
                 "first": exact and min(times)[0] != stated["first"], "last": exact and max(time[1] for time in times) != stated["last"]}
        said = (member for record in ours for member in against(record, stated, seal.statement["sealed_at"]))
        for member in {*said, *filter(wrong.get, wrong)}: find("segment_content", why=member)
        control = [record for record in ours if at(record, "source.signal") == "control"]
        changes = [at(record, "change.after") for record in control if record["kind"] == "config_change"]
        steps = [step for r in control for step in [self.attempt("decrees_wrong", stated["key"], seal.index, lambda: entry_of(r))]]
        return len(lines) - len(control), len(lines) - len(ours), [configuration(c) for c in changes if isinstance(c, str)][-1:], steps
    def contents(self, seal, before):
        statement, read = seal.statement, [self.segment(seal, stated) for stated in seal.statement["segments"]]
        self.named.update(stated["key"] for stated in statement["segments"])
        most, other, promoted = sum(r[0] for r in read if r), sum(r[1] for r in read if r), int(statement["counts"]["promoted"])
        if all(read) and not most - other <= promoted <= most: self.find("count_promoted", seal.name, seal.index, most)
        steps, said = [step for r in read if r for step in r[3] if step is not False], statement.get("decrees")
        wrong = all(read) and not other if said == statement["index"] else before and said != before.statement.get("decrees")
        if said != statement["index"] if steps else wrong: self.find("decrees_wrong", seal.name, seal.index, said)
        self.steps[seal.index] = list(filter(None, steps))
        self.in_force = next((c for r in read if r for c in r[2] if c[0] == statement["config_sha256"]), self.in_force)
        for stated in statement["segments"] if self.in_force[0] == statement["config_sha256"] else []:
            mode, *period = self.in_force[1].get(stated["class"], ["GOVERNANCE"])
            least = later(statement["sealed_at"], *period) if period else LATEST + "!" if self.in_force[2] else ""
            if stated["retain_until"] < least or (stated["mode"], mode) == MODES: self.find("retention_short", stated["key"], seal.index)
    def decreed(self, stood):  # What open holds and extensions keep is not gone as planned.
        index, chain, held, until, opened = max(stood, default=-1), [], {}, {}, []
        while index in stood and "decrees" in stood[index].statement:
            chain, index = [n := int(stood[index].statement["decrees"])] + chain, n - 1
        for step, of, ids, opened in [step for n in chain for step in self.steps.get(n, [])]:
            if of["order"] == "hold": held[of["id"]] = [] if step == "close" else held.get(of["id"], []) + ids * (step == "apply")
            elif step != "open": until.update({i: max(until.get(i, ""), of["until"]) for i in ids})
        names, read = [d["id"] for d in opened if d["order"] == "hold"], [bool(self.steps.get(n)) for n in chain]
        for index, stated in self.gone:
            place, kept = (index, stated["sha256"][:16]), [i for name in names for i in held.get(name, []) if read[-1]]
            if until.get(place, "") > self.now or place in kept: self.find("segment_missing", stated["key"], index)
        lost = max([stood[n].statement["sealed_at"] for n in chain if n in stood and not self.steps[n]], default="")
        self.unchecked += [d["id"] for d in opened if d["order"] == "hold" and d["since"] <= lost]
    def tiles(self, size):
        hashes, level = self.leaves[:size], 0
        while hashes:
            for n in range(0, len(hashes) if len(self.leaves) >= size else len(hashes) - 255, 256):
                groups, part = [group.zfill(3) for group in f"{n // 256:,}".split(",")], hashes[n:n + 256]
                path = "/".join(["x" + group for group in groups[:-1]] + groups[-1:]) + f".p/{len(part)}" * (len(part) < 256)
                made = {f"tile/{level}/{path}": b"".join(part), f"tile/entries/{path}": b"".join(self.entries[n:n + len(part)])}
                for k in list(made)[:1 + (level == 0)]: self.read(k, len(made[k])) in (None, made[k]) or self.find("tile_wrong", k)
            hashes, level = [tree(hashes[n:n + 256]) for n in range(0, len(hashes) - 255, 256)], level + 1
    def run(self):
        own, data = self.attempt("log_file", "log.json", None, self.log_file), self.read("checkpoint", NOTE_MAX)
        point = self.attempt("checkpoint_invalid", "checkpoint", None, lambda: Checkpoint(data.decode())) if data is not None else None
        given, seen, stood, before, listed, expected = [key for key in (self.pinned, own) if key], [], {}, None, 0, 0
        late, alien, left = [], [], {}  # Findings if there is a gap, seals by strangers, the sizes that keys end with that were left.
        signs = lambda: any(point.is_of(k) and point.size <= left.get(k.text, point.size) for k in seen + given * (self.pinned not in seen))
        for name, index, _ in self.keys("seals/([0-9]{20})[.]json"):
            late += [{"kind": "seal_missing", "object": f"seals/{listed:020}.json", "seal": listed}] * (index > listed)
            trial, gap, listed = Walk(self.base, self.pinned, ""), index - before.index - 1 if before else 0, index + 1
            tried, data = seen[-1:] + [k for k in given if (gap or not before) and k not in seen], self.read(name, 262144)
            signer = next((key for key in tried if Walk(self.base, key, "").attempt("", "", 0, lambda: Seal(data, index, key))), tried[0])
            seal = trial.attempt("seal_broken", name, index, lambda: Seal(data, index, signer))
            if (other := seal and before and signer != seen[-1]) and self.pinned not in seen: self.find("wrong_key", stood[min(stood)].name)
            elif other: alien, seal = alien + [name], trial.find("seal_broken", name, index, "of another key")
            late += trial.findings
            note = lambda: Checkpoint(json.loads(re.search(rb'"checkpoint":("(?:[^"\\]|\\.)*")', data)[1]))
            own_note = Walk(self.base, signer, "").attempt("", "", 0, lambda: note().is_of(tried[0]) and note().size > index)
            if not (seal or trial.unchecked or own_note or point and index < point.size and signs()): continue
            self.findings, self.unchecked, late, expected = self.findings + late, self.unchecked + trial.unchecked, [], index + 1
            if not seal: continue
            broken, back = before and not seal.follows(before, gap), any(key in seen for key in seal.keys[1:])
            if broken or back: self.find("seal_chain", name, index, "it does not follow from the seal before")
            if len(self.leaves) == index and not broken: self.leaves, self.entries = self.leaves + [seal.leaf], self.entries + [seal.entry]
            if seal.keys[1:] and not back: left[signer.text] = index + 1
            before, seen, stood[index] = seal, seen + [key for key in seal.keys if key not in seen], seal
            for kind in impossible(seal.statement, self.now):
                if kind != "sealed_ahead" or kind not in [found["kind"] for found in self.findings]: self.find(kind, name, index)
            self.contents(seal, stood.get(index - 1))
        place = stood.get(point.size - 1) if point else None
        signed = not point or (any(map(point.is_of, place.keys)) if place else signs())
        right = not place and point and point.size or not point or (point.root, point.more) == (fold(place.after if place else []), "")
        if not (signed and right): self.find("checkpoint_invalid", "checkpoint", why="not signed, or another tree")
        elif point and point.size and self.read(f"seals/{point.size - 1:020}.json", 0) is None: self.find("rollback", "checkpoint")
        late = [found["object"] for found in late if found["kind"] == "seal_broken" and found["object"] not in alien]
        for kind, key in [("seal_foreign", key) for key in late[:1]] + [("wrong_key", key) for key in alien[:1]]: self.find(kind, key)
        for key, index, short in [stray for stray in self.keys(SEGMENT) if stray[0] not in self.named]:
            if index > expected or not sha256(self.read(key, SEGMENT_MAX)).hex().startswith(short): self.find("segment_unnamed", key, index)
        self.decreed(stood)
        self.tiles(point.size if point else 0)
        if self.pinned not in (seen or given[1:]): self.find("wrong_key")
        if own and 0 in stood and own.text != seen[0].text: self.find("log_file", "log.json", why="it names another key")
        return self.findings, self.unchecked + ["no seal stands"] * (not seen), {}
def placed(index): return lambda value: exactly(value, {index: number, "tree_size": number, "path": lambda v: hashes(v, 64)})
SEALS = each({"statement": thing, "segments": each({"records": each({"leaf_index": number, "record": text}), "path": hashes})}, 100000)
def TURNS(value): return [members(turn, {"statement": thing, "log": placed("index"), "checkpoint": text}) for turn in items(value)]
def included(statements, log, note, key):
    leaves, point, index = [(int(s["index"]), leaf_hash(jcs(s).encode())) for s in statements], Checkpoint(note), statements[0]["index"]
    need(point.is_of(key) and not point.more and all(s["log"] == point.origin for s in statements), "not a checkpoint of key and log")
    need((log.get("index", index), log["tree_size"]) == (index, str(point.size)), "another place than the statement's, or another tree")
    need(root_of(leaves, point.size, hashes(log["path"])) == point.root, "not in the log")
    news = [Key(s["next_vkey"]) for s in statements[-1:] if "next_vkey" in s and leaves[-1][0] + 1 == point.size]
    return point, leaves, need(all(point.is_of(k) and k.text != key.text for k in news), "a false next_vkey", news)
def between(ends, places, records, leaves):  # How many records, and how many of them are not shown.
    a, b = [(int(end["index"]), end["segment"], int(end["leaf_index"])) for end in ends]
    whole = (leaves[0][0], leaves[-1][0], len(leaves)) == (a[0], b[0], b[0] - a[0] + 1)
    need(whole and {a, b} <= {*places} and (a[:2] != b[:2] or a < b), "a seal is left out, or the ends are not shown, or not in order")
    need(not any(p[:2] == a[:2] and p < a or p[:2] == b[:2] and p > b for p in places), "a record outside of the range")
    return {"between": (count := sum(records.values()) - a[2] - 1 - records[b[:2]] + b[2]), "withheld": count - len(places) + 2}
def values_of(data): return len(re.findall(rb"[,[{]", re.sub(rb'"(?:[^"\\]|\\.)*"', b"", data)))
def check(data, pinned, witnesses, quorum, now):
    try: bundle = parse(need(values_of(data) <= max(len(data) // 16, VALUES_MAX), "too much", data))[0]
    except REFUSED as error: raise Unknown(error) from None
    most = {"spanseal.proof/1": 67108864, "spanseal.proof-range/1": 268435456}.get(str(at(bundle, "format")), -1)
    if len(data) > most: raise Unknown("not a proof of a format that is known, or too long")
    members(bundle, {"checkpoint": text, "cosignatures": items, "timestamps": items, "rotations": TURNS})
    many, size, key, turns, places, records, own = most > 67108864, 0, pinned, {}, [], {}, bundle.get("segment")
    one = {"record": lambda v: canonical(text(v).encode()), "statement": thing, "segment": placed("leaf_index"), "log": placed("index")}
    several = {"seals": SEALS, "log": lambda log: exactly(log, {"tree_size": number, "path": hashes})}
    members(bundle, several if many else one, {"incomplete": text} if many else {"openings": items})
    ends = [exactly(bundle[n], {"index": number, "segment": text, "leaf_index": number}) for n in ("from", "to") if many and n in bundle]
    statements = [seal["statement"] for seal in need(len(ends) != 1, "one end", bundle["seals"] if many else [bundle])]
    for s in statements + [part["statement"] for part in bundle["rotations"]]: check_statement(s, jcs(s).encode())
    for part in bundle["rotations"]:
        point, turn, (news,) = included([part["statement"]], part["log"], part["checkpoint"], key)
        size, key, turns = need(size < point.size, "not a later change of key", (point.size, news, {**turns, **dict(turn)}))
    point, leaves, _ = included(statements, bundle["log"], bundle["checkpoint"], key)
    before = [(n, s["next_vkey"]) for (n, _), s in zip(leaves, statements) if "next_vkey" in s and n not in turns and n + 1 < point.size]
    need(not before or not many or before[-1] < (min(turns, default=point.size),) and before[-1][1] == pinned.text, "a key left out")
    need(point.size >= size and all(turns.get(n, leaf) == leaf for n, leaf in leaves), "an older checkpoint, or another change of key")
    findings = [kind for s in statements for kind in impossible(s, now)]
    findings += ["seal_chain" for (n, leaf), s, t in zip(leaves, statements, statements[1:])
                 if int(t["index"]) == n + 1 and digest(t["previous"]) != leaf or t["sealed_at"] < s["sealed_at"]]
    for (index, _), s, seal in zip(leaves, statements, bundle["seals"] if many else [bundle]):
        need(not many or len(seal["segments"]) == len(s["segments"]), "a segment is left out")
        for g, part in zip(s["segments"], seal["segments"] if many else [{**own, "records": [{**bundle, **own}]}] * len(s["segments"])):
            if not many and (g["records"] != own["tree_size"] or places): continue  # Of several the first is meant.
            lines, records[index, g["key"]] = [(int(v["leaf_index"]), v["record"].encode()) for v in part["records"]], int(g["records"])
            hashed, path = [(n, leaf_hash(line)) for n, line in lines], hashes(part["path"])
            root = root_of(hashed, int(g["records"]), path).hex() if hashed or path else g["merkle_root"]
            if root != g["merkle_root"] and need(not many, "not the records that were sealed", True): continue
            shown = [canonical(line) for _, line in lines]
            findings += ["segment_content" for record in shown if against(record, g, s["sealed_at"])]
            places += [(index, g["key"], n) for n, _ in lines]
    for opening in need(0 < len(places) <= 200000, "no record is shown, or too many", {} if many else bundle).get("openings", []):
        path, found = members(opening, {"member": text, "salt": digest, "content": text})["member"].split("."), shown[0]
        need(path[0] not in ("attributes", "source") and [o["member"] for o in bundle["openings"]].count(opening["member"]) == 1, "no")
        for name in path: found = found[number(name)] if isinstance(found, list) else found[name]
        need(thing(found)["commitment"] == "salted-sha256:" + sha256(digest(opening["salt"]) + opening["content"].encode()).hex(), "others")
    lines, tokens = [signature_line(text(l).removesuffix("\n")) for l in bundle["cosignatures"]], list(map(unbase64, bundle["timestamps"]))
    seen = {**point.seen_by(lines + point.lines, tokens, witnesses), **(between(ends, places, records, leaves) if ends else {})}
    return [{"kind": k} for k in findings], ["too few"] * (len(seen["cosigned_by"]) < (quorum or len({w.name for w in witnesses}))), seen
def main(arguments):
    add = (parser := argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)).add_argument
    for n in ("--vkey", "--log", "--now", "--quorum", "--witness"): add(n, action="append" if n == "--witness" else "store")
    (given, target), found, unread, seen = parser.parse_known_args(arguments), [], [], {}
    now, key, path = given.now or f"{dt.datetime.now(dt.timezone.utc):%Y-%m-%dT%H:%M:%SZ}", Key(given.vkey), pathlib.Path(target[-1])
    base, witnesses = path / (given.log or key.name.rpartition("/")[2]), [Key(witness, 4) for witness in given.witness or []]
    try:
        if target[0] == "check": found, unread, seen = check(path.read_bytes(), key, witnesses, int(given.quorum or 0), second(now))
        elif (base / "log.json").exists() or (base / "seals").exists(): found, unread, seen = Walk(base, key, second(now)).run()
        else: raise Unknown("there is no such log")
    except REFUSED as error: found = [{"kind": "refused", "found": str(error)}]
    except (Unknown, OSError) as error: unread = [str(error)]
    return {"verdict": "findings" if found else "unchecked" if unread else "verified", "findings": found, "unchecked": unread, **seen}
if __name__ == "__main__":
    try: answer = main(sys.argv[1:])
    except (*REFUSED, SystemExit) as error: sys.exit(str(error) != "0" and (print(f"verify.py: {error}", file=sys.stderr) or 64))
    sys.exit(print(json.dumps(answer, indent=1)) or ["verified", "findings", "unchecked"].index(answer["verdict"]))
