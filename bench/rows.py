# SPDX-License-Identifier: MIT
"""What is measured: one Row for each line of the report."""

import statistics
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional

import sides


@dataclass
class Verdict:
    """A target and what became of it."""
    text: str
    value: Optional[float] = None
    low: Optional[float] = None
    high: Optional[float] = None
    ok: Optional[bool] = None  # None: could not be told

    def said(self):
        return {True: "ok", False: "falls short", None: "not told"}[self.ok]


@dataclass
class Result:
    """All samples of a row: by side, one dictionary a round."""
    samples: Dict[str, List[dict]] = field(default_factory=dict)
    failures: Dict[str, str] = field(default_factory=dict)
    verdicts: List[Verdict] = field(default_factory=list)

    def values(self, side, key):
        return [one[key] for one in self.samples.get(side, []) if key in one]

    def median(self, side, key):
        values = self.values(side, key)
        return statistics.median(values) if values else None


@dataclass
class Row:
    name: str
    title: str
    unit: str  # of key
    measures: Dict[str, Callable[[], dict]]  # side: one sample
    targets: List[Callable[[Result], Verdict]] = field(default_factory=list)
    key: str = "ns"
    rounds: int = 7
    group: str = ""


def _judge(text, values, good):
    if not values:
        return Verdict(text)
    value = statistics.median(values)
    return Verdict(text, value, min(values), max(values), good(value))


def ratio(over, under, key, good, text):
    """Judge the median of over/under, round by round. Several names under a
    side mean the best of them: the least."""
    def judge(result):
        def least(names, i):
            found = [result.samples[name][i][key] for name in names
                     if len(result.samples.get(name, [])) > i]
            return min(found) if len(found) == len(names) else None

        rounds = max((len(s) for s in result.samples.values()), default=0)
        pairs = [(least(over, i), least(under, i)) for i in range(rounds)]
        return _judge(text, [a / b for a, b in pairs if a and b], good)
    return judge


def times_faster(side, than, least, key="ns"):
    return ratio([than], [side], key, lambda value: value >= least,
                 f"{side}: {least:g} times faster than {than}")


def at_most(side, than, most, key="ns", what=""):
    names = [than] if isinstance(than, str) else list(than)
    text = " and ".join(names)
    return ratio([side], names, key, lambda value: value <= most,
                 f"{side}: {what}at most {most:g} of {text}")


def value_at_most(side, key, most, unit):
    def judge(result):
        return _judge(f"{side}: at most {most:g} {unit}",
                      result.values(side, key), lambda value: value <= most)
    return judge


def difference_at_most(side, than, most, unit, key="ns"):
    def judge(result):
        pairs = zip(result.values(side, key), result.values(than, key))
        return _judge(f"{side}: at most {most:g} {unit} above {than}",
                      [a - b for a, b in pairs], lambda value: value <= most)
    return judge


# ---- small requests ---------------------------------------------------------

def small(build, side, arguments, ms):
    """Judged by processor time: the work never waits, and neighbours who
    take the processor away do not show in it."""
    def measure():
        name = "small-direct" if side == "library" else "small"
        call = ["-c", "-k", "none"] if side == "read(2)" else []
        said = sides.run(build.prefix(side) + [build.program(name), "-t",
                                               str(ms)] + arguments + call,
                         side)
        return {"ns": said["cpu_ns"] / said["ops"],
                "wall_ns": said["wall_ns"] / said["ops"]}
    return measure


def small_row(build, ms, name, title, arguments, bare, targets):
    names = ["kernel", "library", "patch", "trap"]
    if bare:
        names.append("read(2)")
    return Row(name, title, "ns", {
        side: small(build, side, arguments, ms) for side in names
    }, targets, group="Small requests")


def small_rows(build, ms):
    for batch in (1, 8, 64):
        targets = [times_faster("patch", "kernel", 4)] if batch == 64 else []
        yield small_row(build, ms, f"nop-{batch}", f"nop, batch {batch}",
                        ["-b", str(batch)], False, targets)
    kinds = {
        "plain": ("plain buffers", "none", []),
        "ring": ("ring buffers", "ring",
                 [times_faster("patch", "kernel", 1.9),
                  at_most("patch", "read(2)", 1.2)]),
        "inc": ("INC ring buffers", "inc", []),
        "classic": ("classic buffers, each provided again", "classic",
                    [times_faster("patch", "kernel", 3)]),
    }
    for where, path in (("zero", "/dev/zero"), ("cache", build.scratch)):
        for size in (64, 4096):
            for kind, (words, option, targets) in kinds.items():
                source = "page cache" if where == "cache" else path
                yield small_row(
                    build, ms, f"read-{size}-{where}-{kind}",
                    f"read {size} B of {source}, {words}, batch 64",
                    ["-n", str(size), "-f", path, "-k", option], True,
                    targets if where == "zero" and size == 64 else [])


def engine_cost_row(build, ms):
    arguments = ["-n", "64", "-f", "/dev/zero", "-k", "ring"]
    return Row("engine-ns", "ring-buffer read: time beyond the system call",
               "ns", {side: small(build, side, arguments, ms)
                      for side in ("library", "read(2)")},
               [difference_at_most("library", "read(2)", 25, "ns")],
               group="The engine's own cost")


def all_rows(build, quick=False):
    ms = 60 if quick else 200
    rows = list(small_rows(build, ms))
    rows.append(engine_cost_row(build, ms))
    return rows
