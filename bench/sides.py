# SPDX-License-Identifier: MIT
"""The sides of a comparison: how one and the same work is started.

A side is a way in front of a program: the kernel's io_uring, or polyring in
one of its lanes. Programs say at their end, in one line of JSON, what they did.
"""

import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, "bench")

# Who serves runs here, who asks runs there.
SERVER_CPU = 0
LOAD_CPU = 1


class Failed(Exception):
    """A measurement that could not be made; the text says why."""


class Build:
    """The programs of this directory, compiled against one build of polyring."""

    SOURCES = {
        # program: (source, arguments to the compiler)
        "small": ("small.c", ["-luring"]),
        "small-direct": ("small.c", ["-DDIRECT", "-lpolyring"]),
    }

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.out = os.path.join(self.build, "bench")
        self.polyring = os.path.join(self.build, "polyring")
        self.scratch = os.path.join(self.out, "file")

    def program(self, name):
        """Path of a program; compiles it when its source is newer."""
        source, arguments = self.SOURCES[name]
        source = os.path.join(HERE, source)
        path = os.path.join(self.out, name)
        if (os.path.exists(path) and
                os.path.getmtime(path) > os.path.getmtime(source)):
            return path
        os.makedirs(self.out, exist_ok=True)
        library = os.path.join(self.build, "src")
        done = subprocess.run(
            ["cc", "-O2", "-g", "-Wall", "-Wextra", "-D_GNU_SOURCE",
             "-I" + os.path.join(ROOT, "include"), "-o", path, source,
             "-L" + library, "-Wl,-rpath," + library] + arguments,
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{name} does not compile:\n{done.stderr}")
        return path

    def prefix(self, side):
        """What stands in front of a program's name on this side."""
        if side in ("patch", "trap"):
            return [self.polyring, "run", "--force", "--quiet", "--"]
        return []


def environment(side):
    env = dict(os.environ)
    env.pop("POLYRING_LANES", None)
    if side in ("patch", "trap"):
        env["POLYRING_LANES"] = side
    return env


def pin(cpu):
    """For preexec_fn; a machine with one core has nothing to separate."""
    usable = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {usable[min(cpu, len(usable) - 1)]})


def run(command, side="kernel", cpu=LOAD_CPU, seconds=60):
    """Run to the end; the JSON of the last line it prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              env=environment(side), timeout=seconds,
                              preexec_fn=pin(cpu), check=False)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{command[0]}: not done in {seconds} s") from late
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise Failed(f"exit status {done.returncode}: {said}")
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise Failed(f"no result: {done.stdout[-200:]!r}") from error


def kernel_answers():
    """Is there an io_uring of the kernel's to compare with?"""
    code = ("import ctypes; libc = ctypes.CDLL(None, use_errno=True); "
            "libc.syscall(425, 0, None); print(ctypes.get_errno())")
    said = subprocess.run(["python3", "-c", code], capture_output=True,
                          text=True, check=False).stdout.strip()
    return said not in ("1", "13", "38", "")
