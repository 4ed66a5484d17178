#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`polyring trace`: every event, once, with the right words, at nobody's cost.

Speaks TAP. Programs are `traced`, in this directory, dynamic and static.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys

from cases import Skip, run_all

BOUND_S = 60
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Case:
    """Where things are, and running them."""

    def __init__(self, polyring, traced, static):
        self.polyring, self.traced, self.static = polyring, traced, static
        self.directory = None
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith("POLYRING_") and k != "LD_PRELOAD"}

    def path(self, name):
        return os.path.join(self.directory, name)

    def trace(self, options, *words, program=None, env=None):
        out = subprocess.run(
            [self.polyring, "trace", *options, "--", program or self.traced,
             *words], env=dict(self.env, **(env or {})), text=True,
            capture_output=True, check=False, timeout=BOUND_S)
        assert out.returncode == 0, (out.returncode, out.stderr)
        return out

    def events(self, *words, options=(), program=None, env=None):
        lines = self.path("lines")
        self.trace(["--json", "-o", lines, *options], *words, program=program,
                   env=env)
        with open(lines, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


def of(events, what):
    return [event for event in events if event["event"] == what]


def check_mixed(events):
    submitted = {e["user_data"]: e["op"] for e in of(events, "submit")}
    assert submitted == {1: "NOP", 2: "READ", 3: "READ", 4: "POLL_ADD"}, events
    assert [e["user_data"] for e in of(events, "end")] == [1], events
    done = {e["user_data"]: e for e in of(events, "complete")}
    assert set(done) >= {2, 3}, events
    assert (done[2]["res"], done[2]["fd"], done[2]["op"]) == (-9, 987, "READ")
    assert done[3]["res"] == 5 and done[3]["took_ns"] > 20_000_000, done[3]
    assert 0 <= done[2]["took_ns"] < done[3]["took_ns"], done
    times = [e["ns"] for e in events]
    assert times == sorted(times), times


@test
def events_have_what_was_submitted(case):
    check_mixed(case.events("mixed"))


@test
def events_of_a_static_program(case):
    check_mixed(case.events("mixed", program=case.static))


@test
def lines_have_words(case):
    text = case.trace([], "mixed").stderr
    assert re.search(r"-> READ fd=987 len=4 user_data=0x2\n", text), text
    assert re.search(r"<- READ fd=987 user_data=0x2 = EBADF \+", text), text
    assert "NOP CQE_SKIP_SUCCESS" in text, text
    assert re.search(r"POLL_ADD fd=\d+ POLLIN user_data=0x4", text), text
    assert "\033[" not in text, text


@test
def filters_choose(case):
    assert {e["op"] for e in case.events(
        "mixed", options=["-e", "op=nop,poll_add"])} == {"NOP", "POLL_ADD"}
    assert {e["user_data"] for e in case.events(
        "mixed", options=["-e", "fd=987"])} == {2}
    assert not case.events("mixed", options=["-e", "op=NOP,fd=987"])
    for wrong in ("op=NOTHING", "fd=x", "eleven", "of=1"):
        out = subprocess.run([case.polyring, "trace", "-e", wrong, "true"],
                             env=case.env, capture_output=True, check=False,
                             timeout=BOUND_S)
        assert out.returncode == 2, wrong


def counters(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line)["counters"] for line in file]


@test
def summary_agrees_with_the_counters(case):
    file = case.path("counters")
    rows = case.events("nops", "4000", options=["-c"],
                       env={"POLYRING_COUNTERS": file})
    engine, = counters(file)
    total, = (r for r in rows if r.get("op") == "total")
    assert rows[-1] == {"dropped": 0}, rows
    assert total["submissions"] == engine["requests"] == 4000, (rows, engine)
    assert total["completions"] == engine["completions"] == 4000, rows


@test
def children_are_traced(case):
    events = case.events("fork")
    by_process = {}
    for event in of(events, "complete"):
        by_process[event["pid"]] = by_process.get(event["pid"], 0) + 1
    assert sorted(by_process.values()) == [8, 16], by_process


@test
def program_sees_no_fd(case):
    plain = subprocess.run(
        [case.polyring, "run", "-fq", "--", case.traced, "look"],
        env=case.env, text=True, capture_output=True, check=True,
        timeout=BOUND_S).stdout
    watched = case.trace(["-o", "/dev/null"], "look").stdout
    assert "mapped 0" in plain, plain
    assert watched == plain.replace("mapped 0", "mapped 1"), (plain, watched)


@contextlib.contextmanager
def waiting(case, *options):
    process = subprocess.Popen(
        [case.polyring, "trace", *options, "--", case.traced, "wait"],
        env=case.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.stdin.close()
        process.kill()
        process.wait(BOUND_S)
        process.stdout.close()
        process.stderr.close()


def turn(process):
    process.stdin.write(b"x")
    process.stdin.flush()
    assert process.stdout.read(1) == b"x"


@test
def program_outlives_a_killed_tracer(case):
    with waiting(case, "-o", "/dev/null") as process:
        turn(process)
        process.kill()
        process.wait(BOUND_S)
        turn(process)
        turn(process)


@test
def program_does_not_wait_and_losses_are_counted(case):
    with waiting(case, "-c", "-j") as process:
        turn(process)
        process.send_signal(signal.SIGSTOP)
        turn(process)
        process.send_signal(signal.SIGCONT)
        process.stdin.close()
        rows = [json.loads(line) for line in process.stderr]
        assert process.wait(BOUND_S) == 0
        total, = (r for r in rows if r.get("op") == "total")
        dropped = rows[-1]["dropped"]
        assert dropped > 0, rows
        seen = total["submissions"] + total["completions"]
        assert seen + dropped == 2 * 2 * 4096 * 8, rows


@test
def status_is_the_programs(case):
    for script, status in (("exit 7", 7), ("kill -9 $$", 137)):
        out = subprocess.run([case.polyring, "trace", "--", "sh", "-c",
                              script], env=case.env, capture_output=True,
                             text=True, check=False, timeout=BOUND_S)
        assert out.returncode == status, (script, out)
        assert "made no ring" in out.stderr, out.stderr
    out = subprocess.run([case.polyring, "trace", "--", "no-such-program"],
                         env=case.env, capture_output=True, check=False,
                         timeout=BOUND_S)
    assert out.returncode == 127, out


def summary_of(case, *words):
    out = subprocess.run([case.polyring, "run", "-fqs", "--", *words],
                         env=case.env, text=True, capture_output=True,
                         check=True, timeout=BOUND_S)
    return out.stderr.splitlines()


@test
def run_says_at_the_end_what_was_served(case):
    served = "1 rings, {0} requests, {0} completions"
    line, = summary_of(case, case.traced, "nops", "800")
    assert served.format(800) in line, line
    lines = summary_of(case, case.traced, "fork")
    assert len(lines) == 2, lines
    assert served.format(16) in lines[0] and served.format(8) in lines[1]
    line, = summary_of(case, "sh", "-c", "true; true; exit 0")
    assert "made no io_uring call" in line, line


@test
def static_program_says_what_was_served(case):
    line, = summary_of(case, case.static, "nops", "800")
    assert "800 requests, 800 completions" in line, line


# ---- trace points ------------------------------------------------------------

POINTS = {"submit", "arm", "claim", "commit", "recycle", "starve", "complete",
          "punt", "claim_many", "commit_many"}


@test
def readelf_shows_the_trace_points(case):
    if not shutil.which("readelf"):
        raise Skip("readelf is not installed")
    library = os.path.join(os.path.dirname(case.polyring), "..",
                           "libpolyring.so")
    notes = subprocess.run(["readelf", "-n", library], text=True, check=True,
                           capture_output=True, timeout=BOUND_S).stdout
    assert set(re.findall(r"Provider: polyring\n\s+Name: (\w+)",
                          notes)) == POINTS, notes
    for arguments in re.findall(r"Arguments: (.*)", notes):
        assert re.fullmatch(r"(-?[1248]@\S+ ?)+", arguments), arguments


@test
def gdb_stops_at_a_trace_point(case):
    if not shutil.which("gdb"):
        raise Skip("gdb is not installed")
    if "ASAN_OPTIONS" in os.environ:
        raise Skip("gdb itself has no sanitizer's runtime")
    shown = subprocess.run(
        [case.polyring, "run", "-fq", "--", "gdb", "-q", "-nx", "-batch",
         "-ex", "set breakpoint pending on",
         "-ex", "handle SIGSYS nostop noprint pass",
         "-ex", "break -probe-stap polyring:submit", "-ex", "run",
         "-ex", "printf \"opcode %d of %d\\n\", $_probe_arg2, $_probe_argc",
         "--args", case.traced, "nops", "8"], env=case.env, text=True,
        capture_output=True, check=False, timeout=BOUND_S,
        stdin=subprocess.DEVNULL).stdout
    assert "opcode 0 of 4" in shown, shown


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("polyring", help="the command")
    parser.add_argument("traced", help="the program")
    parser.add_argument("static", nargs="?", help="the same, static")
    arguments = parser.parse_args()
    case = Case(os.path.realpath(arguments.polyring), arguments.traced, arguments.static)
    tests = [t for t in TESTS
             if case.static or t not in (events_of_a_static_program,
                                         static_program_says_what_was_served)]
    return run_all(tests, case)


if __name__ == "__main__":
    sys.exit(main())
