# SPDX-License-Identifier: MIT
"""The sides of a comparison: how one and the same work is started.

A side is a way in front of a program: the kernel's io_uring, or polyring in
one of its lanes. Programs say at their end, in one line of JSON, what they did.
"""

import contextlib
import json
import os
import re
import resource
import select
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
        "call": ("call.c", []),
        "call-avx": ("call.c", ['-DVECTORS="vmovaps %ymm9,%ymm9"']),
        "call-avx512": ("call.c", ['-DVECTORS="vmovaps %zmm19,%zmm9"']),
        "call-static": ("call.c", ["-static"]),
        "start": ("start.c", []),
        "start-static": ("start.c", ["-static"]),
        "call-direct": ("call.c", ["-DDIRECT", "-lpolyring"]),
        "load": ("load.c", []),
        "echo-epoll": ("echo-epoll.c", []),
        "echo-libuv": ("echo-uv.c", ["-luv"]),
        "echo-libevent": ("echo-event.c", ["-levent"]),
        "pairs": ("pairs.c", ["-luring"]),
        "udp": ("udp.c", ["-luring"]),
        "proxy": ("proxy.c", ["-luring"]),
        "rings": ("rings.c", ["-luring", "-pthread"]),
        "timeouts": ("timeouts.c", ["-luring"]),
        "share": ("share.c", ["-lpolyring", "-lpthread"]),
        "wakeups": ("wakeups.c", ["-luring", "-lpthread"]),
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
        needs = [source, os.path.join(HERE, "common.h")]
        if (os.path.exists(path) and os.path.getmtime(path) >
                max(os.path.getmtime(one) for one in needs)):
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
    env = {key: value for key, value in os.environ.items()
           if not key.startswith("POLYRING_")}
    if side in ("patch", "trap"):
        env["POLYRING_LANES"] = side
    return env


def allow_files(count):
    """For preexec_fn: so many, or as many as may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count)),
                                                hard))


def pin(cpu):
    """For preexec_fn; a machine with one core has nothing to separate. None:
    all there are."""
    if cpu is None:
        return None
    usable = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {usable[min(cpu, len(usable) - 1)]})


def run(command, side="kernel", cpu=LOAD_CPU, seconds=60, says=None):
    """Run to the end; the JSON of the last line it prints. @cpu None: on all of
    them. @says goes to its standard input."""
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              input=says,
                              env=environment(side), timeout=seconds,
                              preexec_fn=None if cpu is None else pin(cpu),
                              check=False)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{command[0]}: not done in {seconds} s") from late
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise Failed(f"exit status {done.returncode}: {said}")
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise Failed(f"no result: {done.stdout[-200:]!r}") from error


class Server:
    """A server on its own core, for as long as the block lasts."""

    FILES = 65536

    def __init__(self, command, side="kernel", prefix=()):
        pinned = pin(SERVER_CPU)

        def before():
            pinned()
            allow_files(self.FILES)

        self.complaint = ""
        self.process = subprocess.Popen(
            [*prefix, *command], env=environment(side), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=before)

    def __enter__(self):
        line = self.process.stdout.readline()
        found = re.search(r":(\d+)", line)
        if not found:
            self.end()
            raise Failed("the server did not start: "
                         + (self.complaint.strip() or line)[-200:])
        self.port = found.group(1)
        return self

    def __exit__(self, *_):
        self.end()

    @property
    def pid(self):
        return self.process.pid

    def end(self):
        """Returns what it said at its end."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            said, self.complaint = self.process.communicate(timeout=10)
            return said
        except (subprocess.TimeoutExpired, ValueError):
            self.process.kill()
            self.process.wait()
            return ""


class Load:
    """Who asks a server: a program that works a slice for each line it reads,
    and says in a line of JSON what became of it."""

    SECONDS = 30

    def __init__(self, command):
        pinned = pin(LOAD_CPU)

        def before():
            pinned()
            allow_files(Server.FILES)

        self.process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, preexec_fn=before,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def work(self, ms):
        """A slice of so many milliseconds."""
        try:
            self.process.stdin.write(f"{ms}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        if not select.select([self.process.stdout], [], [], self.SECONDS)[0]:
            raise Failed(f"the load: no answer in {self.SECONDS} s")
        line = self.process.stdout.readline()
        if not line:
            raise Failed("the load: " + self.process.stderr.read().strip())
        return json.loads(line)


def kernel_answers():
    """Is there an io_uring of the kernel's to compare with?"""
    code = ("import ctypes; libc = ctypes.CDLL(None, use_errno=True); "
            "libc.syscall(425, 0, None); print(ctypes.get_errno())")
    said = subprocess.run(["python3", "-c", code], capture_output=True,
                          text=True, check=False).stdout.strip()
    return said not in ("1", "13", "38", "")
