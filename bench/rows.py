# SPDX-License-Identifier: MIT
"""What is measured: one Row for each line of the report."""

import contextlib
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional

import sides


@dataclass
class Verdict:
    """A target and what became of it: the median, the quartiles, and the
    least and the greatest of the rounds."""
    text: str
    value: Optional[float] = None
    half: Optional[List[float]] = None
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
    short: int = 3  # rounds of a first impression
    group: str = ""


def _judge(text, values, good):
    if not values:
        return Verdict(text)
    value = statistics.median(values)
    half = statistics.quantiles(values, method="inclusive") if (
        len(values) > 1) else [value] * 3
    return Verdict(text, value, [half[0], half[2]], min(values), max(values),
                   good(value))


def ratio(over, under, key, good, text):
    """Judge the median of over/under, round by round. Several names under a
    side mean the best of them, by its median: the least of each round would be
    whom the noise favoured."""
    def judge(result):
        def best(names):
            medians = {name: result.median(name, key) for name in names}
            if None in medians.values():
                return []
            return result.values(min(medians, key=medians.get), key)

        pairs = zip(best(over), best(under))
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
    yield from lonely_rows(build, ms)


def lonely_rows(build, ms):
    """Reads that no other continues, so that each is a call of its own."""
    for name, title, arguments in (
            ("read-64-zero-files", "64 B of /dev/zero, opened 64 times, in "
             "turn", ["-f", "/dev/zero", "-m", "64"]),
            ("read-64-cache-random", "64 B of page cache at random",
             ["-f", build.scratch, "-r"]),
            ("read-4096-cache-random", "4096 B of page cache at random",
             ["-f", build.scratch, "-r", "-n", "4096"])):
        yield small_row(build, ms, name, f"read {title}, ring buffers, "
                        "batch 64", ["-n", "64", "-k", "ring"] + arguments,
                        True, [])


# ---- the way in, and the engine alone ---------------------------------------

def call(build, program, side, ms):
    def measure():
        said = sides.run(build.prefix(side) + [build.program(program),
                                               str(ms)], side)
        return {"ns": said["cpu_ns"] / said["ops"]}
    return measure


def lane_row(build, ms):
    measures = {"library": call(build, "call-direct", "library", ms),
                "patch": call(build, "call", "patch", ms),
                "patch, AVX": call(build, "call-avx", "patch", ms),
                "patch, AVX-512": call(build, "call-avx512", "patch", ms),
                "agent, patch": call(build, "call-static", "patch", ms),
                "trap": call(build, "call", "trap", ms),
                "agent, trap": call(build, "call-static", "trap", ms),
                "kernel": call(build, "call", "kernel", ms)}
    # Where FS can't be read without a call the agent patches nothing.
    return Row("lanes", "io_uring_enter that does nothing, inline", "ns",
               measures, [difference_at_most("patch", "library", 10, "ns"),
                          difference_at_most("agent, patch", "patch", 10,
                                             "ns")],
               rounds=15, group="The engine's own cost")


STARTS = 20


def processor_ms():
    """Of all children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (spent.ru_utime + spent.ru_stime) * 1e3


def start(build, program, side):
    """Milliseconds of processor time, the command's too, and the program's own
    kB."""
    def measure():
        command = build.prefix(side) + [build.program(program)]
        kb = sides.run(command, side)["kb"]
        before = processor_ms()
        for _ in range(STARTS):
            sides.run(command, side)
        return {"ms": (processor_ms() - before) / STARTS, "kb": kb}
    return measure


def start_rows(build):
    """The same measures, told by time and by memory. The kernel's rings are
    not a program's memory."""
    measures = {"preload": start(build, "start", "patch"),
                "agent": start(build, "start-static", "patch"),
                "kernel": start(build, "start", "kernel"),
                "kernel, static": start(build, "start-static", "kernel")}
    title = "a program that makes a ring and ends: "
    return [Row("start", title + "time", "ms", measures,
                [difference_at_most("agent", "kernel, static", 5, "ms",
                                    key="ms")],
                key="ms", rounds=5, group="The engine's own cost"),
            Row("start-memory", title + "its anonymous memory", "kB", measures,
                [difference_at_most("agent", "kernel, static", 1024, "kB",
                                    key="kb")],
                key="kb", rounds=3, group="The engine's own cost")]


def engine_time_row(build, ms):
    arguments = ["-n", "64", "-f", "/dev/zero", "-k", "ring"]
    return Row("engine-ns", "ring-buffer read: time beyond the system call",
               "ns", {side: small(build, side, arguments, ms)
                      for side in ("library", "read(2)")},
               [difference_at_most("library", "read(2)", 25, "ns")],
               group="The engine's own cost")


def trace_row(build, ms):
    """A request has two events. One a call, or the table would not keep up
    and events would be dropped, which is cheaper."""
    arguments = ["-b", "1", "-n", "4096", "-f", "/dev/zero", "-k", "ring"]

    def traced():
        said = sides.run(
            [build.polyring, "trace", "-c", "-o", "/dev/null", "--",
             build.program("small-direct"), "-t", str(ms)] + arguments)
        return {"ns": said["cpu_ns"] / said["ops"]}
    return Row("trace", "ring-buffer read, batch 1, two events each", "ns",
               {"library": small(build, "library", arguments, ms),
                "traced": traced},
               [difference_at_most("traced", "library", 80, "ns")],
               group="The engine's own cost")


def collected(build, command, side="library"):
    """Instructions of polyring_enter() and of all it calls."""
    out = os.path.join(build.out, "callgrind.out")
    done = subprocess.run(
        build.prefix(side) + [
            "valgrind", "--tool=callgrind", "--callgrind-out-file=" + out,
            "--toggle-collect=polyring_enter"] + command,
        capture_output=True, text=True, check=False,
        env=sides.environment(side))
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode or not found:
        raise sides.Failed("callgrind: " + done.stderr[-200:])
    return int(found.group(1))


def engine_instructions(build, arguments):
    """An operation: the difference of two runs, so that nothing that happens
    once is in it."""
    def count(operations):
        return collected(build, [build.program("small-direct"), "-o",
                                 str(operations)] + arguments)

    def measure():
        few, many = 640, 6400
        # Both warm up with as many as they measure.
        return {"instructions": (count(many) - count(few)) / (many - few) / 2}
    return measure


def echo_instructions(build):
    """A message, received and sent."""
    def measure():
        few, many = (collected(build, [build.program("pairs"), str(turns)],
                               "patch") for turns in (10, 110))
        return {"instructions": (many - few) / 100 / 64}
    return measure


def engine_instructions_row(build):
    kinds = {"ring": "ring", "plain": "none", "classic": "classic"}
    measures = {kind: engine_instructions(
        build, ["-n", "64", "-f", "/dev/zero", "-k", option])
        for kind, option in kinds.items()}
    measures["nop"] = engine_instructions(build, [])
    return Row("engine-instructions",
               "instructions of the engine a request, batch 64",
               "instr", measures,
               [value_at_most("ring", "instructions", 250, "instructions")],
               key="instructions", rounds=1, group="The engine's own cost")


def echo_instructions_row(build):
    return Row("engine-instructions-echo", "instructions of the engine a "
               "message, a multishot receive and a send, 64 sockets ready",
               "instr", {"message": echo_instructions(build)},
               key="instructions", rounds=1, group="The engine's own cost")


# ---- connections ------------------------------------------------------------

URING_ECHO = {"multishot": "echo", "single": "echo-classic"}


def server(build, side, kind="multishot", connections=1024, buffers=2048):
    """What the io_uring servers are to make room for; others need not know."""
    if side in ("epoll", "libuv", "libevent"):
        return sides.Server([build.program("echo-" + side)])
    program = os.path.join(build.build, "examples", URING_ECHO[kind])
    return sides.Server([program, "--connections", str(connections),
                         "--buffers", str(buffers)], side, build.prefix(side))


class Standing:
    """A server and its load, up and connected for as long as the row lasts. A
    sample is a slice of work, so that sides take turns every few hundredths
    of a second, and nothing is measured that happens once. @looks: the server
    never waits, and is stopped while it is not its turn."""

    def __init__(self, ms, server_of, load_of, looks=False):
        self.ms, self.server_of, self.load_of = ms, server_of, load_of
        self.looks = looks

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            one = stack.enter_context(self.server_of())
            self.load = stack.enter_context(sides.Load(self.load_of(one)))
            self.load.work(self.ms)  # warms up, and is not counted
            self.process = one.process
            self.goes_on(not self.looks)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.goes_on(True)
        self.stack.close()

    def goes_on(self, yes):
        if self.looks:
            self.process.send_signal(signal.SIGCONT if yes else signal.SIGSTOP)

    def __call__(self):
        self.goes_on(True)
        try:
            said = self.load.work(self.ms)
        finally:
            self.goes_on(False)
        if not said["ops"]:
            raise sides.Failed("nothing came")
        sample = {"cpu_ns": said["cpu_ns"] / said["ops"],
                  "wall_ns": said["wall_ns"] / said["ops"]}
        if "sent" in said:
            sample["dropped_percent"] = 100 - 100 * said["ops"] / said["sent"]
            sample["a_wait"] = said["ops"] / max(1, said["waits"])
        return sample


SLICES = {"rounds": 21, "short": 7, "key": "cpu_ns"}


def load_command(build, one, connections, size):
    return [build.program("load"), one.port, str(one.pid), str(connections),
            str(size)]


def echo(build, side, connections, size, ms, kind="multishot"):
    return Standing(ms, lambda: server(build, side, kind),
                    lambda one: load_command(build, one, connections, size),
                    looks=kind == "single")


def echo_targets(connections, size):
    if size != 64 or connections == 1:
        return []
    best = at_most("patch", ["kernel", "epoll"], 1.0, "cpu_ns", "CPU time ")
    return [best] + [at_most("patch", peer, 0.85, "cpu_ns", "CPU time ")
                     for peer in ("libuv", "libevent")]


def echo_rows(build, ms):
    names = ("kernel", "patch", "trap", "epoll", "libuv", "libevent")
    for size in (64, 4096):
        for connections in (1, 64, 1000):
            yield Row(f"echo-{size}-{connections}",
                      f"TCP echo {size} B, {connections} connections, "
                      "CPU time of the server a message", "ns",
                      {side: echo(build, side, connections, size, ms)
                       for side in names if side != "trap"
                       or connections == 64},
                      echo_targets(connections, size), group="Connections",
                      **SLICES)
    yield Row("echo-64-64-single",
              "TCP echo 64 B, 64 connections, single-shot, classic buffers, "
              "by a server that looks and never waits: time a message", "ns",
              {side: echo(build, side, 64, 64, ms, "single")
               for side in ("kernel", "patch")}, group="Connections",
              **{**SLICES, "key": "wall_ns"})
    yield Row("accept", "accept, echo of one byte, close: CPU time of the "
              "server a connection", "ns",
              {side: echo(build, side, 1, 0, ms)
               for side in ("kernel", "patch", "epoll", "libuv", "libevent")},
              group="Connections", **SLICES)


def system_calls(build, side, connections, size, ms):
    """Of the server, a message. Tracing is slow, so little is traced; the
    number hardly depends on that."""
    def measure():
        out = os.path.join(build.out, "strace.out")
        with server(build, side) as one, sides.Load(
                load_command(build, one, connections, size)) as load:
            load.work(ms)  # the connections are made
            tracer = subprocess.Popen(
                ["strace", "-f", "-qq", "-c", "-o", out, "-p", str(one.pid)],
                stderr=subprocess.DEVNULL)
            try:
                time.sleep(0.3)  # to attach; calls missed are not counted
                said = load.work(ms)
            finally:
                tracer.send_signal(signal.SIGINT)
                tracer.wait()
        with open(out, encoding="utf-8") as file:
            total = re.search(r"^\s*100\.00\s+\S+\s+\S*\s+(\d+).*total$",
                              file.read(), re.M)
        if not total:
            raise sides.Failed("strace counted nothing")
        return {"calls": int(total.group(1)) / said["ops"]}
    return measure


def system_calls_row(build, ms):
    return Row("echo-64-64-calls",
               "TCP echo 64 B, 64 connections: system calls a message",
               "calls", {side: system_calls(build, side, 64, 64, ms)
                         for side in ("kernel", "patch", "epoll", "libuv",
                                      "libevent")},
               key="calls", rounds=1, group="Connections")


# ---- other work -------------------------------------------------------------

def served(build, side, program, ms, asker):
    """A program that serves until its time is over, and who asks it."""
    with sides.Server([build.program(program), str(ms)], side,
                      build.prefix(side)) as one:
        load = subprocess.Popen(
            [build.program(program), *asker(one.port)],
            preexec_fn=sides.pin(sides.LOAD_CPU))
        try:
            said = one.process.communicate(timeout=30)[0]
        finally:
            load.kill()
            load.wait()
    said = json.loads(said.strip().splitlines()[-1])
    return {"cpu_ns": said["cpu_ns"] / said["ops"],
            "wall_ns": said["wall_ns"] / said["ops"]}


def udp(build, side, size, at_once, ms):
    how = ["plain"] if side == "recvmmsg" else []
    return Standing(
        ms, lambda: sides.Server([build.program("udp")] + how, side,
                                 build.prefix(side)),
        lambda one: [build.program("udp"), "send", one.port, str(size),
                     str(at_once)])


def udp_rows(build, ms):
    """What a receiver can do shows when it is kept busy. One by one, it sleeps
    before nearly every datagram: that is of interest, and judges nothing."""
    for name, words, at_once in (
            ("", "which arrive in bursts of 64", 64),
            ("-single", "one by one: a wake-up for each", 1)):
        for size in (64, 1200):
            judged = size == 64 and at_once > 1
            yield Row(f"udp-{size}{name}", f"UDP multishot receive of {size} "
                      f"B, {words}, CPU time a datagram", "ns",
                      {side: udp(build, side, size, at_once, ms)
                       for side in ("kernel", "patch", "recvmmsg")},
                      [times_faster("patch", "kernel", 1.3, "cpu_ns")]
                      if judged else [], group="Other work", **SLICES)


def proxy(build, side, ms):
    return lambda: served(build, side, "proxy", ms,
                          lambda port: ["load", port])


def proxy_row(build, ms):
    return Row("proxy", "a proxy of 32 B messages in bundles, CPU time a "
               "message", "ns", {side: proxy(build, side, ms)
                                 for side in ("kernel", "patch")},
               key="cpu_ns", rounds=5, group="Other work")


def rings(build, side, threads, ms):
    def measure():
        said = sides.run(build.prefix(side) + [
            build.program("rings"), str(threads), str(ms)], side, cpu=None)
        return {"cpu_ns": said["cpu_ns"] / said["ops"],
                "wall_ns": said["wall_ns"] / said["ops"]}
    return measure


def rings_rows(build, ms):
    for threads in (1, 2, 4):
        yield Row(f"rings-{threads}", f"64 B reads, batch 64, {threads} rings "
                  f"on {threads} threads, CPU time each", "ns",
                  {side: rings(build, side, threads, ms)
                   for side in ("kernel", "patch")}, key="cpu_ns", rounds=5,
                  group="Other work")


def timeouts(build, side):
    def measure():
        said = sides.run(build.prefix(side) + [build.program("timeouts")],
                         side)
        return {"cpu_ns": said["cpu_ns"] / said["ops"],
                "wall_ms": said["wall_ns"] / 1e6}
    return measure


def timeouts_row(build):
    return Row("timeouts", "100,000 timeouts armed at once, CPU time each",
               "ns", {side: timeouts(build, side)
                      for side in ("kernel", "patch")}, key="cpu_ns",
               rounds=5, group="Other work")


WAKEUPS = {
    # name: (arguments, title)
    "armed-1": (["armed", "1"], "a receive armed on a socket, an event"),
    "armed-64": (["armed", "64"], "64 receives armed on a socket, an event"),
    "level": (["level"], "a level-triggered epoll on a ring fd, an event"),
    "cancel": (["cancel"], "a receive armed and canceled"),
    "polls": (["polls", "1000"], "1,000 polls woken on one pipe, each"),
    "pong": (["pong"], "MSG_RING to and fro between two threads, both ways"),
    "splice": (["splice"], "socket to pipe to socket by linked splices"),
}


def wakeups(build, side, arguments):
    def measure():
        said = sides.run(build.prefix(side) + [build.program("wakeups")] +
                         arguments, side, cpu=None)
        return {"cpu_ns": said["cpu_ns"] / said["ops"]}
    return measure


def wakeups_rows(build):
    for name, (arguments, title) in WAKEUPS.items():
        yield Row(f"wakeups-{name}", f"{title}: CPU time", "ns",
                  {side: wakeups(build, side, arguments)
                   for side in ("kernel", "patch")}, key="cpu_ns", rounds=5,
                  group="Waiting and waking")


FIO = {
    # how: (what, its options, whether it is judged)
    "cached": ("cached", ["--direct=0", "--invalidate=0", "--pre_read=1"],
               True),
    "cold": ("from a cold cache", ["--direct=0", "--invalidate=1"], False),
    "direct": ("direct", ["--direct=1"], True),
}


def fio(build, side, how, ms):
    def measure():
        done = subprocess.run(
            build.prefix(side) + [
                "fio", "--name=bench", "--ioengine=io_uring", "--rw=randread",
                "--bs=4k", "--size=64m", "--iodepth=32", "--time_based",
                "--randrepeat=1", f"--runtime={max(1, ms // 300)}",
                "--filename=" + build.scratch + ".fio",
                "--output-format=json"] + FIO[how][1],
            capture_output=True, text=True, env=sides.environment(side),
            check=False)
        try:
            job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
            if job["error"] or not job["read"]["iops"]:
                raise ValueError
        except (ValueError, KeyError) as error:
            raise sides.Failed("fio: " + done.stderr[-200:]) from error
        return {"ns": 1e9 / job["read"]["iops"],
                "cpu_percent": job["usr_cpu"] + job["sys_cpu"]}
    return measure


def fio_rows(build, ms):
    for how, (what, _, judged) in FIO.items():
        yield Row(f"fio-{how}", f"fio {what}, random read 4 KiB, depth 32",
                  "ns", {side: fio(build, side, how, ms)
                         for side in ("kernel", "patch")},
                  [times_faster("patch", "kernel", 1.0)] if judged else [],
                  rounds=5, group="Other work")


def memory_of(pid):
    """Bytes that are the process's own, shared memory included."""
    total = 0
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(("RssAnon:", "RssShmem:")):
                total += int(line.split()[1]) * 1024
    return total


def idle(build, side, connections):
    """With four buffers in the group: if idle connections held any, there would
    be none for the echoes."""
    def measure():
        with server(build, side, connections=connections + 64,
                    buffers=4) as one:
            before = memory_of(one.pid)
            with sides.Load(load_command(build, one, connections, 64)) as load:
                load.work(0)  # the last are accepted
                after = memory_of(one.pid)
                load.work(0)
        return {"bytes": (after - before) / connections}
    return measure


def idle_row(build):
    return Row("idle", "10,000 idle connections, memory of the process each",
               "bytes", {side: idle(build, side, 10000)
                         for side in ("kernel", "patch")},
               [difference_at_most("patch", "kernel", 512, "bytes", "bytes")],
               key="bytes", rounds=3, group="Other work")


def share(build, side, ms):
    """Endings with ENOBUFS in a hundred bursts, and the time of a message."""
    mode = side.split(",")[0].split()[1]

    def measure():
        said = sides.run([build.program("share"), mode, str(ms)] +
                         (["classic"] if "classic" in side else []), cpu=None)
        return {"dry": 100 * said["dry"] / said["bursts"],
                "cpu_ns": said["cpu_ns"] / said["ops"]}
    return measure


def share_row(build, ms):
    names = ("four pools", "one pool", "four pools, classic",
             "one pool, classic")
    return Row("share", "4 rings, skewed load: ENOBUFS endings in 100 bursts",
               "endings", {side: share(build, side, ms) for side in names},
               key="dry", rounds=5, group="Other work")


def all_rows(build, quick=False):
    ms = 60 if quick else 200
    rows = list(small_rows(build, ms))
    rows += start_rows(build)
    rows += [lane_row(build, ms), engine_time_row(build, ms),
             trace_row(build, ms),
             engine_instructions_row(build), echo_instructions_row(build)]
    rows += echo_rows(build, ms // 2)
    rows.append(system_calls_row(build, 2 * ms))
    rows += udp_rows(build, ms // 2)
    rows += wakeups_rows(build)
    rows.append(proxy_row(build, 2 * ms))
    rows += rings_rows(build, ms)
    rows.append(timeouts_row(build))
    rows += fio_rows(build, 3 * ms)
    rows += [idle_row(build), share_row(build, 2 * ms)]
    return rows
