# SPDX-License-Identifier: MIT
"""An unmodified server that runs where the kernel refuses io_uring.

Server starts `polyring deny -- polyring run -- PROGRAM` and proves, rather
than assumes, that the kernel's io_uring was out of reach of that very process
and that polyring's engine did the work: a seccomp filter is in force, a bare
io_uring_setup under the same command answers EPERM, no descriptor of the
process is a ring of the kernel's, and the engine's own counters have grown by
what the program says it did.
"""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

BOUND_S = 60

# The three calls, asked with nothing in between; prints the errno of each.
ASK_KERNEL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for number in (425, 426, 427):
    ctypes.set_errno(0)
    libc.syscall(number, -1, None, -1, 0, None, 0)
    print(ctypes.get_errno())
"""
EPERM = 1


PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    """Runs in the child: a test that is killed leaves no server behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Wrong(Exception):
    """A check failed; the text names it."""


def wait_until(what, condition, bound_s=BOUND_S):
    """The first true value of condition(); Wrong when none comes in time."""
    end = time.monotonic() + bound_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Wrong(f"{what}: not within {bound_s} s")
        time.sleep(0.01)


def check_denied(polyring):
    """Under `polyring deny` all three calls must answer EPERM."""
    out = subprocess.run([polyring, "deny", "--", sys.executable, "-c",
                          ASK_KERNEL], capture_output=True, text=True,
                         check=False, timeout=BOUND_S)
    if out.stdout.split() != [str(EPERM)] * 3:
        raise Wrong("polyring deny: io_uring_setup, _enter, _register answer "
                    f"errno {out.stdout.split()}, not EPERM; {out.stderr}")


class Server:
    """One server process, from start to the proof of what it did."""

    def __init__(self, build, program, *options, direct=False):
        self.polyring = os.path.join(build, "polyring")
        self.direct = direct  # on the kernel's io_uring, to try a test out
        self.counters_file = tempfile.NamedTemporaryFile(prefix="counters")
        self.errors = tempfile.TemporaryFile("w+")
        command = [os.path.join(build, "examples", program), *options]
        if not direct:
            command = [self.polyring, "deny", "--",
                       self.polyring, "run",
                       "--counters", self.counters_file.name, "--", *command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, start_new_session=True,
            preexec_fn=die_with_parent)
        self.pid = self.process.pid
        self.stopped = False
        self.statistics = {}
        self.counters = {}
        self.lanes = []
        first = self.process.stdout.readline()
        match = re.match(r"listening on 127\.0\.0\.1:(\d+)$", first)
        if not match:
            self.kill()
            raise Wrong(f"{program} did not start: {first}{self.said()}")
        self.port = int(match.group(1))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        status = self.process.poll()
        self.kill()
        try:
            if error and status is not None and not self.stopped:
                raise Wrong(f"{error!r}; {self.ended(status)}") from error
        finally:
            self.close()

    def ended(self, status):
        """The exit status and output of a server that ended by itself."""
        return f"the server ended with {status}: {self.said()[-3000:]}"

    def close(self):
        self.process.stdout.close()
        self.errors.close()
        self.counters_file.close()

    def said(self):
        """The text on standard error."""
        self.errors.seek(0)
        return self.errors.read().strip()

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def descriptors(self):
        """Open files: fd -> what it refers to."""
        directory = f"/proc/{self.pid}/fd"
        found = {}
        for fd in os.listdir(directory):
            try:
                found[int(fd)] = os.readlink(f"{directory}/{fd}")
            except FileNotFoundError:
                pass
        return found

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def check_out_of_reach(self):
        """The kernel's io_uring is out of reach of this very process."""
        if self.direct:
            return
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            if "Seccomp:\t2\n" not in status.read():
                raise Wrong("the server runs without a seccomp filter")
        kernels = [what for what in self.descriptors().values()
                   if "io_uring" in what and "anon_inode" in what]
        if kernels:
            raise Wrong(f"the server has a ring of the kernel's: {kernels}")

    def stop(self):
        """SIGTERM, a clean end, and what the server and the engine counted."""
        self.stopped = True
        self.process.send_signal(signal.SIGTERM)
        try:
            out, _ = self.process.communicate(timeout=BOUND_S)
        except subprocess.TimeoutExpired:
            raise Wrong("the server did not end after SIGTERM") from None
        if self.process.returncode:
            raise Wrong(self.ended(self.process.returncode))
        self.statistics = {
            name: int(number) for number, name in
            re.findall(r"(\d+) ([a-z ]+?)(?=,|$)", out.strip())}
        home = re.search(r"(\d+) of (\d+) buffers home", out)
        if not home:
            raise Wrong(f"the server printed no statistics: {out}")
        self.statistics["buffers out"] = int(home[2]) - int(home[1])
        if not self.direct:
            self.read_counters()

    def read_counters(self):
        """A line of JSON for each process that used io_uring: one, ours."""
        with open(self.counters_file.name, encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        if [record["pid"] for record in records] != [self.pid]:
            raise Wrong(f"not one line of counters, the server's: {records}")
        self.counters = records[0]["counters"]
        self.lanes = records[0]["lanes"]
        sends, receives = (self.statistics[n] for n in ("sends", "receives"))
        for name, least in (("requests", sends),
                            ("completions", sends + receives)):
            if self.counters.get(name, 0) < least:
                raise Wrong(f"the engine counted {self.counters} but the "
                            f"server had {receives} receives, {sends} sends")


def load(build, port, *options, quiet=True):
    """Runs echo-load to its end: (connections, messages, lost)."""
    out = subprocess.run(
        [os.path.join(build, "examples", "echo-load"), "--port", str(port),
         *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if quiet else None, text=True, check=False)
    match = re.search(r"load: (\d+) connections, (\d+) messages, (\d+) lost",
                      out.stdout)
    if out.returncode or not match:
        raise Wrong(f"echo-load: {out.stdout.strip()} {out.stderr or ''}")
    return tuple(map(int, match.groups()))
