# SPDX-License-Identifier: MIT
"""PostgreSQL 18 with io_method=io_uring: rings that processes share.

The postmaster makes a ring for each backend that there may be, and any backend
takes completions of another's ring. Clients read and write while a table is
vacuumed and indexed, a backend is killed, then the postmaster. What recovers
must add up, pg_amcheck and the checksums of the pages must be clean.

A server of at least 18 is looked for on the path, among Debian's, and in the
root directory that POLYRING_POSTGRES_ROOT names: one that debootstrap made of a
Debian that has it, with the package unpacked.
"""

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import time

from served import Wrong, die_with_parent, wait_until

OLDEST = 18
CLIENTS = 16
CONFIG = """
unix_socket_directories = '{data}'
listen_addresses = ''
shared_buffers = 16MB
io_method = {method}
fsync = off
restart_after_crash = on
"""
SUMS = """
SELECT (SELECT sum(abalance) FROM pgbench_accounts) =
       (SELECT sum(tbalance) FROM pgbench_tellers) AND
       (SELECT sum(bbalance) FROM pgbench_branches) =
       (SELECT sum(delta) FROM pgbench_history)
"""
SCAN = """
SET max_parallel_workers_per_gather = 4; SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT count(*), sum(aid::bigint) FROM pgbench_accounts
"""


class Skip(Exception):
    """No server of that release is installed."""


def age(postgres):
    """Its major release; 0: it is none."""
    with contextlib.suppress(OSError, ValueError):
        out = subprocess.run([postgres, "--version"], capture_output=True,
                             text=True, check=False).stdout
        return int(out.split()[2].split(".")[0].rstrip("abcdefrtv"))
    return 0


def find(root):
    """The directory of the programs, as it is named inside of @root."""
    found = glob.glob(root + "/usr/lib/postgresql/*/bin/postgres")
    if not root and shutil.which("postgres"):
        found.append(shutil.which("postgres"))
    for path in found:
        inside = path[len(root):]
        name = inside.split("/")[-3]
        old = age(path) if not root else int(name) if name.isdigit() else 0
        if old >= OLDEST:
            return os.path.dirname(inside)
    return None


class Place:
    """Where the server runs, and as whom: it refuses to be root."""

    def __init__(self, world):
        self.root, self.bin = "", find("")
        if not self.bin:
            self.root = os.environ.get("POLYRING_POSTGRES_ROOT", "")
            self.bin = find(self.root) if self.root else None
        if not self.bin:
            raise Skip(f"no PostgreSQL of at least {OLDEST}, which no package "
                       "of this release has")
        if self.root and os.geteuid():
            raise Skip("chroot is root's")
        self.home = "/var/tmp/polyring-postgres"
        self.data = self.home + "/data"
        shutil.rmtree(self.root + self.home, ignore_errors=True)
        os.mkdir(self.root + self.home)
        if os.geteuid() == 0:
            shutil.chown(self.root + self.home, "nobody", "nogroup")
        self.polyring = world.polyring
        if self.root:
            self.polyring = self.copy(world.build)

    def copy(self, build):
        """The command and its libraries, where they find each other."""
        to = self.root + "/opt/polyring-test"
        os.makedirs(to + "/src/intercept", exist_ok=True)
        shutil.copy(build + "/polyring", to)
        shutil.copy(build + "/src/libpolyring.so.0", to + "/src")
        shutil.copy(build + "/src/intercept/libpolyring-preload.so",
                    to + "/src/intercept")
        for path in glob.glob("/usr/lib/x86_64-linux-gnu/liburcu-*.so.8"):
            shutil.copy(path, self.root + "/usr/lib/x86_64-linux-gnu")
        return "/opt/polyring-test/polyring"

    def words(self, name, *arguments, served=False):
        """The command that runs a program of PostgreSQL's there."""
        command = [f"{self.bin}/{name}", *arguments]
        if served:
            command = [self.polyring, "deny", "--", self.polyring, "run",
                       "--quiet", "--counters", self.home + "/counters", "--",
                       *command]
        if self.root:
            return ["chroot", "--userspec=nobody:nogroup", self.root, *command]
        if os.geteuid() == 0:
            return ["setpriv", "--reuid=nobody", "--regid=nogroup",
                    "--clear-groups", *command]
        return command

    def run(self, name, *arguments, check=True):
        """Run to the end; returns the output."""
        result = subprocess.run(
            self.words(name, *arguments), capture_output=True, text=True,
            cwd="/", env=dict(os.environ, LC_ALL="C", PGHOST=self.data,
                              PGUSER="nobody", PGDATABASE="postgres"),
            timeout=600, check=False)
        if check and result.returncode:
            raise Wrong(f"{name}: {(result.stdout + result.stderr)[-1500:]}")
        return result.stdout.strip()

    def sql(self, text, check=True):
        """The result of the last statement."""
        return self.run("psql", "-qAtX", "-c", text, check=check)


class Server:
    """The postmaster."""

    def __init__(self, place, served=True):
        self.place = place
        self.log = place.root + place.home + "/log"
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                place.words("postgres", "-D", place.data, served=served),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                preexec_fn=die_with_parent)
        wait_until("postgres", self.answers, 120)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def answers(self):
        """Does it serve clients?"""
        if self.process.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise Wrong(f"postgres ended: {log.read()[-1500:]}")
        return self.place.sql("SELECT 1", check=False) == "1"

    def end(self):
        """In order."""
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(timeout=120):
            raise Wrong("postgres did not end well")


def bench(place, seconds):
    """Clients at work."""
    return subprocess.Popen(
        place.words("pgbench", "-n", "-h", place.data, "-U", "nobody", "-c",
                    str(CLIENTS), "-j", "2", "-T", str(seconds), "postgres"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
        preexec_fn=die_with_parent)


def backend(place):
    """One that is at work, as the system knows it."""
    def busy():
        return place.sql("SELECT pid FROM pg_stat_activity WHERE "
                         "application_name = 'pgbench' LIMIT 1", check=False)
    wait_until("a backend at work", busy)
    return int(busy())


def work(place, server, seconds):
    """Load, scans, VACUUM, an index; then a backend is killed."""
    place.run("pgbench", "-i", "-q", "-s", "5")
    if place.sql(SCAN) != "500000|125000250000":
        raise Wrong("a scan found other rows")
    clients = bench(place, seconds)
    time.sleep(seconds / 4)
    place.sql("VACUUM pgbench_accounts")
    place.sql("CREATE INDEX ON pgbench_accounts (abalance)")
    os.kill(backend(place), signal.SIGKILL)
    clients.wait(timeout=300)
    wait_until("recovery", server.answers, 120)
    if place.sql(SUMS) != "t":
        raise Wrong("after a backend's death the sums differ")


def count(world, place):
    """Requests, from the place's counters."""
    path = place.root + place.home + "/counters"
    if os.path.exists(path):
        shutil.move(path, world.path("counters"))
    if not world.count():
        raise Wrong("no request went through a ring")


def try_postgres(world):
    """Work, kill, recover, check."""
    place = Place(world)
    seconds = 60 if world.long else 8
    place.run("initdb", "-k", "-A", "trust", "-U", "nobody", "-D", place.data)
    with open(place.root + place.data + "/postgresql.conf", "a",
              encoding="utf-8") as config:
        config.write(CONFIG.format(data=place.data, method="io_uring"))
    with Server(place) as server:
        work(place, server, seconds)
        clients = bench(place, seconds)
        time.sleep(seconds / 4)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        clients.wait(timeout=300)
    time.sleep(2)  # its children notice that it is gone
    with Server(place) as server:
        if place.sql(SUMS) != "t":
            raise Wrong("after recovery the sums differ")
        place.sql("CREATE EXTENSION amcheck")
        place.run("pg_amcheck", "--heapallindexed", "-d", "postgres")
        server.end()
    place.run("pg_checksums", "--check", "-D", place.data)
    count(world, place)
    shutil.rmtree(place.root + place.home, ignore_errors=True)
    return "a backend and the postmaster killed, all adds up"
