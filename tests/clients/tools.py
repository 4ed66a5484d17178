# SPDX-License-Identifier: MIT
"""Tracers and debuggers: they see all that the engine does.

The program in their hands is the page about provided buffers; what it says must
be what it says without them.
"""

import os
import re

from served import Wrong

PAGE = "buffers"


def read(path):
    """All of a file."""
    with open(path, encoding="utf-8", errors="replace") as text:
        return text.read()


def page_alone(world):
    """The output of the page without a tool."""
    return world.served(world.program(PAGE))[1]


def equal(served, alone):
    """Wrong unless they are."""
    if served != alone:
        raise Wrong(f"it says {served}, alone {alone}")


def try_strace(world):
    """Each transfer is a call with its bytes; io_uring is not called."""
    trace = world.path("trace")
    _, said = world.served("strace", "-f", "-o", trace,
                           world.program(PAGE))
    equal(said, page_alone(world))
    calls = read(trace)
    for bytes_seen in ("classic", "longer than one "):
        if not re.search(rf'recvfrom\(\d+, "{bytes_seen}"', calls):
            raise Wrong(f"strace saw no recvfrom of {bytes_seen}")
    if "io_uring_" in calls:
        raise Wrong("strace saw a call of io_uring")
    return f"{calls.count('recvfrom(')} receives seen, each with its bytes"


def try_valgrind(world):
    """No errors, no leaks, no messages, the program's own status."""
    log = world.path("log")
    _, said = world.served(
        "valgrind", "-q", f"--log-file={log}", "--leak-check=full",
        "--error-exitcode=99", world.program(PAGE))
    equal(said, page_alone(world))
    if read(log):
        raise Wrong(f"valgrind says {read(log)[:1500]}")
    status, _ = world.served("valgrind", "-q", f"--log-file={log}",
                             world.program("files"), os.devnull, "1",
                             expect=None, always=False)
    if status != 2:
        raise Wrong(f"status {status}, not 2")
    return "no errors, no leaks"


def try_gdb(world):
    """From the system call up through the engine to main().

    Then it lets go: gdb 13 may lose a process whose last threads end at once.
    """
    _, out = world.served(
        "gdb", "-q", "-batch", "-ex", "set debuginfod enabled off",
        "-ex", "catch syscall recvfrom", "-ex", "run", "-ex", "bt",
        "-ex", "detach", world.program(PAGE))
    if page_alone(world) not in out:
        raise Wrong(f"under gdb: {out[-1500:]}")
    for function in ("polyring_enter", "main"):
        if not re.search(rf"^#\d+ .*\b{function} \(", out, re.MULTILINE):
            raise Wrong(f"{function} is not in the backtrace: {out[:1500]}")
    return "stopped in a receive, seen from main() to the call"
