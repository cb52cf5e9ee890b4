"""The second verifier with what holds and extensions add to it (src/format.rs, the sections on statements, records and the walk): the same
arguments, the same answer as verify.py. What open holds and extensions keep is not gone as planned, and each statement says where the newest
record of one is."""
import sys

import verify
from verify import LINE_MAX, MODES, REFUSED, Unknown, at, each, fit, later, lines_of, need, number, parse, record_of, second, text

ID = "[A-Za-z0-9._-]{1,64}"


def decree(value):
    lock = {"mode": "|".join(MODES), "until": second} if at(value, "order") == "extend" else {"order": "hold"}
    return fit(value, {"id": ID, "query": {}, "since": second, "through": number, **lock})


def segment_id(value):
    index, short = text(value).split("-")
    return number(index), text(short, "[0-9a-f]{16}")


def step_of(record):
    """Step, decree, segments and what is open behind it; None where a record is of no decree."""
    try:
        entry = fit(parse(at(record, "control.filter").encode())[0], {})
    except REFUSED:
        return None
    if record["kind"] not in ("hold", "retention") or not str(at(entry, "format")).startswith("spanseal.decrees/"):
        return None
    if entry["format"] != "spanseal.decrees/1":
        raise Unknown(entry["format"])
    segments = [segment_id(value) for value in each(text, LINE_MAX)(entry["segments"])]
    opened = each(decree)(entry["open"])
    names = [one["id"] for one in opened]
    need(segments == sorted({*segments}) and names == sorted({*names}))
    return text(entry["step"], "open|apply|close|give_up"), decree(entry["of"]), segments, opened


class Decreed(verify.Walk):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.gone, self.steps, self.read_of, self.claims = [], {}, [], False

    def segment(self, seal, stated):
        read = super().segment(seal, stated)
        if self.read(stated["key"], verify.SEGMENT_MAX) is None and stated["retain_until"] <= self.now:
            self.gone.append((seal.index, stated))
        if read:
            records = [record for record, _ in map(record_of, lines_of(self.read(stated["key"], verify.SEGMENT_MAX)))]
            for record in records:
                if record.get("schema") == verify.OURS and at(record, "source.signal") == "control":
                    before = len(self.findings) + len(self.unchecked)
                    step = self.attempt("decrees_wrong", stated["key"], lambda: step_of(record))
                    self.claims |= step is not None or len(self.findings) + len(self.unchecked) > before
                    own = [(seal.index, stated["sha256"][:16])] * (seal.statement["sealed_at"] < later(self.now, -172800))
                    self.steps.setdefault(seal.index, []).extend([(*step, own)] if step else [])
        self.read_of.append(read)
        return read

    def stands(self, seal):
        before, self.read_of, self.claims = self.stood.get(seal.index - 1), [], False
        super().stands(seal)
        said, whole = seal.statement.get("decrees"), all(self.read_of) and not any(read[1] for read in self.read_of)
        wrong = whole if said == seal.statement["index"] else before and said != before.statement.get("decrees")
        if said != seal.statement["index"] if self.claims else wrong:
            self.find("decrees_wrong", seal.name, said)
        self.steps.setdefault(seal.index, [])

    def run(self):
        _, unread, seen = super().run()
        index, chain, held, until, opened = max(self.stood, default=-1), [], {}, {}, []
        while index in self.stood and "decrees" in self.stood[index].statement:
            chain.insert(0, int(self.stood[index].statement["decrees"]))
            index = chain[0] - 1
        for step, of, segments, opened, own in [step for n in chain for step in self.steps.get(n, [])]:
            if of["order"] == "hold":
                held[of["id"]] = [] if step == "close" else held.get(of["id"], []) + segments * (step == "apply") + own * (step != "give_up")
            elif step in ("apply", "close"):
                until.update({one: max(until.get(one, ""), of["until"]) for one in segments + own})
        holds = [one for one in opened if one["order"] == "hold"]
        kept = {one for hold in holds for one in held.get(hold["id"], []) if self.steps.get(chain[-1])}
        for index, stated in self.gone:
            place = (index, stated["sha256"][:16])
            if until.get(place, "") > self.now or place in kept:
                self.find("segment_missing", stated["key"])
        late, behind = later(self.now, -172800), []
        for n, statement in [(n, seal.statement) for n, seal in self.stood.items() if int(seal.statement["counts"]["promoted"])]:
            for one in opened if chain and self.steps.get(chain[-1]) else []:
                due = statement["sealed_at"] < late if one["order"] == "hold" else one["since"] < late and statement["sealed_at"] <= one["since"]
                behind += [one["id"]] * (due and n >= int(one["through"]) and one.get("until", "~") > self.now)
        lost = max((self.stood[n].statement["sealed_at"] for n in chain if n in self.stood and not self.steps[n]), default="")
        return self.findings, unread + behind + [hold["id"] for hold in holds if hold["since"] <= lost], seen


def main(arguments):
    return verify.main(arguments, Decreed)


if __name__ == "__main__":
    verify.tell(main(sys.argv[1:]))
