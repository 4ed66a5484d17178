# SPDX-License-Identifier: MIT
"""The work that each program is given, and the checks of its results.

try_it(world) runs it through world.served() and world.plain(), raises Wrong
where the two differ and Skip where it can't be tried, and returns a few words
for the result line.
"""

import collections
import hashlib
import json
import os
import re
import shutil

from mariadb import try_mariadb
from postgres import try_postgres
from served import Wrong
from tools import try_gdb, try_strace, try_valgrind

HERE = os.path.dirname(os.path.abspath(__file__))
PAGES = os.path.join(HERE, "pages")

Program = collections.namedtuple("Program", "name package commands try_it")


class Skip(Exception):
    """It can't be run here; the text says why."""


def digest(path):
    """Of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def equal(what, served, plain):
    """Wrong unless they are."""
    if served != plain:
        raise Wrong(f"{what} differs: with polyring {served}, "
                    f"without {plain}")


# ---- fio -------------------------------------------------------------------

# Each block holds its own offset, so that the files can be compared whatever
# the order of writes was.
FIO_COMMON = [
    "--name=job", "--size=8m", "--bs=4k", "--randrepeat=1",
    "--output-format=json", "--verify=pattern", "--verify_pattern=%o",
    "--do_verify=0",
]

WRITE_BACK = "--rw=randwrite --do_verify=1 --iodepth=16 "

FIO_JOBS = {
    "write, depth 1": "--rw=write --iodepth=1",
    "random write, depth 16": "--rw=randwrite --iodepth=16",
    "random write, depth 128": "--rw=randwrite --iodepth=128",
    "random write in batches":
        "--rw=randwrite --iodepth=64 --iodepth_batch=16 "
        "--iodepth_batch_complete_min=8 --iodepth_batch_complete_max=32",
    "write, direct": "--rw=write --iodepth=4 --direct=1",
    "read": "--rw=read --iodepth=4",
    "read, direct": "--rw=read --iodepth=8 --direct=1",
    "read, fixed buffers, depth 128":
        "--rw=read --iodepth=128 --fixedbufs=1",
    "random read": "--rw=randread --iodepth=32",
    "random read, direct": "--rw=randread --iodepth=32 --direct=1",
    "random read and write": "--rw=randrw --iodepth=32",
    "read back": WRITE_BACK,
    "read back, direct": WRITE_BACK + "--direct=1",
    "checksums": WRITE_BACK + "--verify=crc32c",
    "checksums, scattered sizes":
        WRITE_BACK + "--verify=crc32c --bsrange=512-64k",
    "fsync": "--rw=randwrite --iodepth=8 --fsync=16",
    "fdatasync": "--rw=randwrite --iodepth=8 --fdatasync=16",
    "sync_file_range":
        "--rw=write --iodepth=8 --sync_file_range=wait_before,write:16",
    "one buffer a request": WRITE_BACK + "--nonvectored=1",
    "registered files": WRITE_BACK + "--registerfiles=1",
    "fixed buffers": WRITE_BACK + "--fixedbufs=1",
    "fixed buffers, direct": WRITE_BACK + "--fixedbufs=1 --direct=1",
    "SQPOLL": WRITE_BACK + "--sqthread_poll=1",
    "SQPOLL, registered files, fixed buffers":
        WRITE_BACK + "--sqthread_poll=1 --registerfiles=1 --fixedbufs=1",
    "through workers": WRITE_BACK + "--force_async=4",
    "three jobs": WRITE_BACK + "--numjobs=3",
    "three jobs in one process": WRITE_BACK + "--numjobs=3 --thread",
}

# The kernel polls only devices that have queues for it: plain calls say what is
# right.
FIO_POLLED = {
    "polled, direct": WRITE_BACK + "--direct=1 --hipri=1",
    "polled, random, depth 32":
        "--rw=randread --iodepth=32 --direct=1 --hipri=1",
}

# fio 3.39 asks for a range without a length where no write is under way: on a
# kernel as well, io_uring answers EINVAL, and fio ends.
FIO_EMPTY_RANGE = "fio-3.39"

# What only fio's io_uring engine knows, or orders otherwise.
FIO_OF_IO_URING = re.compile(
    r"--(nonvectored|registerfiles|fixedbufs|sqthread_poll|force_async|hipri)"
    r"=\d+")


def fio_seed(world):
    """Files for those that only read: each block holds its offset."""
    directory = world.fresh("seed")
    world.plain("fio", *FIO_COMMON, f"--directory={directory}", "--rw=write",
                "--ioengine=psync")
    return os.path.join(directory, "job.0.0")


def fio_run(run, directory, engine, options):
    """The results of fio: counts of each job, and the digest of each file."""
    _, out = run("fio", *FIO_COMMON, f"--directory={directory}",
                 f"--ioengine={engine}", *options)
    report = json.loads(out[out.index("{"):])
    syncs = re.search(r"--(fsync|fdatasync|sync_file_range)=", str(options))
    jobs = []
    for job in report["jobs"]:
        sides = job["read"], job["write"]
        jobs.append({"error": job["error"],
                     "requests": [side["total_ios"] for side in sides],
                     "bytes": [side["io_bytes"] for side in sides],
                     # fio counts some syncs as short reads, on a kernel too.
                     "short": [side["short_ios"] for side in sides
                               if not syncs]})
    files = {name: digest(os.path.join(directory, name))
             for name in sorted(os.listdir(directory))}
    return jobs, files


def fio_sides(world, name, options, seed):
    """What a job did on the engine, and on the kernel or by plain calls."""
    plain = "io_uring", options
    if not world.kernel or name in FIO_POLLED:
        plain = "psync", [o for o in options if not FIO_OF_IO_URING.match(o)]
    sides = []
    for run, engine, words in ((world.served, "io_uring", options),
                               (world.plain, *plain)):
        directory = world.fresh("files")
        if "read" in options[0] or "randrw" in options[0]:
            shutil.copy(seed, directory)
        sides.append(fio_run(run, directory, engine, words))
    return sides


def try_fio(world):
    """Each job on the engine, and on the kernel or as plain system calls."""
    seed = fio_seed(world)
    jobs = FIO_JOBS | FIO_POLLED
    left_out = ""
    if world.plain("fio", "--version")[1].strip() == FIO_EMPTY_RANGE:
        del jobs["sync_file_range"]
        left_out = " (sync_file_range left out: this fio's is broken)"
    for name, words in jobs.items():
        try:
            sides = fio_sides(world, name, words.split(), seed)
        except Wrong as why:
            raise Wrong(f"{name}: {why}") from None
        # The header of a checksum holds more than the offset.
        if "checksums" in name:
            sides = [jobs for jobs, _ in sides]
        equal(name, *sides)
    return f"{len(jobs)} jobs{left_out}"


# ---- stress-ng -------------------------------------------------------------

# "fail: [7] io-uring: completion opcode=21 (IORING_OP_STATX), error=2 (...)"
STRESS_FAILURE = re.compile(r"\((IORING_OP_\w+)\), error=(\d+)")

# stress-ng 0.15 asks for STATX of a name that is not there; kernels say so.
STRESS_KNOWN = {("IORING_OP_STATX", "2")}


def stress_workers(world):
    """Each ends with its fifth failure."""
    return 128 if world.long else 32


def stress_run(run, world):
    """The exit status, and which requests failed how."""
    status, out = run(
        "stress-ng", "--io-uring", str(stress_workers(world)),
        "--io-uring-ops", "4000", "--verify", "--timeout", "30",
        "--temp-path", world.fresh("stress"), "--stdout",
        expect=None)
    return status, sorted(set(STRESS_FAILURE.findall(out)))


def try_stress(world):
    """stress-ng checks itself; its verdict must be the same on the kernel."""
    status, failures = stress_run(world.served, world)
    plain, plain_failures = stress_run(world.plain, world)
    if plain == 3 or not plain_failures and plain:  # io_uring refused here
        plain, plain_failures = status, sorted(STRESS_KNOWN & set(failures))
    equal("what it finds", (status, failures), (plain, plain_failures))
    names = ", ".join(name for name, _ in failures)
    return f"{stress_workers(world)} workers" + (
        f" (it fails with {names}, on a kernel too)" if failures else "")


# ---- qemu ------------------------------------------------------------------

QEMU_IO = [
    "write -P 0x5a 0 1M", "read -P 0x5a 0 1M", "aio_write -P 7 2M 64k",
    "aio_write -P 8 3M 4k", "aio_read -P 0x5a 4k 8k", "aio_flush",
    "read -P 7 2M 64k", "writev -P 9 5M 512 4096 1024", "readv 5M 512 1024",
    "write -z 6M 1M", "discard 7M 1M", "flush", "read 15M 1M",
]


def qemu_file(path, aio):
    return f"driver=raw,file.driver=file,file.filename={path},file.aio={aio}"


def qemu_all(run, world, directory, aio):
    """One round of all commands; the output, and the digests of the images."""
    image, copy, back = (os.path.join(directory, name)
                         for name in ("image.raw", "copy.qcow2", "back.raw"))
    shutil.copy(world.path("seed.raw"), image)
    said = []

    def qemu(*command):
        lines = run(*command)[1].replace(directory, "").splitlines()
        # Times differ, and so does the order of what runs at once.
        said.append(sorted(re.sub(r"[\d.]+ sec.*", "", l) for l in lines))

    qemu("qemu-io", "-f", "raw", "-i", aio,
         *[word for line in QEMU_IO for word in ("-c", line)], image)
    for options in (["-c", "2000", "-d", "64"],
                    ["-c", "2000", "-d", "32", "-t", "none"],
                    ["-w", "--pattern=65", "-c", "1000", "-d", "32",
                     "--flush-interval=50", "--no-drain", "-S", "8192"]):
        qemu("qemu-img", "bench", "-f", "raw", "-i", aio, *options, image)
    world.plain("qemu-img", "create", "-q", "-f", "qcow2", copy, "16M")
    qemu("qemu-img", "convert", "-n", "-W", "-m", "8", "--image-opts",
         "--target-image-opts", qemu_file(image, aio),
         f"driver=qcow2,file.driver=file,file.filename={copy},file.aio={aio}")
    world.plain("qemu-img", "convert", "-f", "qcow2", "-O", "raw", copy, back)
    qemu("qemu-img", "compare", "--image-opts", qemu_file(image, aio),
         qemu_file(back, aio))
    return said, digest(image), digest(back)


def try_qemu(world):
    """With aio=io_uring on the engine, and on the kernel or by threads."""
    with open(world.path("seed.raw"), "wb") as seed:
        seed.write(hashlib.shake_256(b"polyring").digest(8 << 20))
        seed.truncate(16 << 20)
    served = qemu_all(world.served, world, world.fresh("served"), "io_uring")
    plain = qemu_all(world.plain, world, world.fresh("plain"),
                     "io_uring" if world.kernel else "threads")
    equal("what it says and makes", served, plain)
    return "qemu-io, bench, convert, compare"


# ---- plocate ---------------------------------------------------------------

PLOCATE_PATTERNS = [
    ["file-77"], ["--existing", "file-0077"], ["--regex", "dir-1[0-3]/file-.*5$"],
    ["--ignore-case", "FILE-1234"], ["--count", "file"], ["no such thing"],
    ["file-00", "dir-3"],
]


def plocate_tree(world, files):
    tree = world.fresh("tree")
    for number in range(files):
        directory = os.path.join(tree, f"dir-{number % 97}")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, f"file-{number:06}"), "w",
                  encoding="ascii"):
            pass
    return tree


def try_plocate(world):
    """updatedb works without rings, plocate with them.

    It is installed setgid, which takes no preload library: a copy is not. A
    search that has to look at every name reads without rings.
    """
    files = 100000 if world.long else 20000
    tree, database = plocate_tree(world, files), world.path("database")
    world.served("updatedb.plocate", "-U", tree, "-o", database, "-l", "no",
                "--prunepaths", "", "--prunefs", "", "--prunenames", "",
                "--prune-bind-mounts", "no", always=False)
    program = world.path("plocate")
    shutil.copyfile(shutil.which("plocate"), program)
    os.chmod(program, 0o755)
    for pattern in PLOCATE_PATTERNS:
        command = [program, "-d", database, *pattern]
        found = []
        for status, out in (world.served(*command, expect=None, always=False),
                            world.plain(*command, expect=None)):
            found.append((status, sorted(out.splitlines())))
        equal(" ".join(pattern), *found)
    world.check_served("plocate")
    return f"{len(PLOCATE_PATTERNS)} searches among {files} files"


# ---- Node.js ---------------------------------------------------------------


def try_node(world):
    """The same script with rings and without.

    Debian 12 has a libuv that came before io_uring, and makes no call.
    """
    _, version = world.plain("node", "-p", "process.versions.uv")
    old = tuple(map(int, version.split(".")[:2])) < (1, 45)
    script = os.path.join(HERE, "files.js")
    count = "5000" if world.long else "1000"
    _, served = world.served("node", script, world.fresh("served"), count,
                             env={"UV_USE_IO_URING": "1"}, always=not old)
    if old and not world.requests:
        raise Skip(f"its libuv {version.strip()} makes no io_uring call")
    _, plain = world.plain("node", script, world.fresh("plain"), count,
                           env={"UV_USE_IO_URING": str(int(world.kernel))})
    equal("what it saw", served, plain)
    return served.strip()


# ---- programs of ours, as a newcomer to liburing writes them ----------------

# Whose answers tests/clients/pages/*.txt are.
RECORDED = "6.18."


def page_said(world, name):
    """The output of the page's program on the kernel."""
    if world.kernel and os.uname().release.startswith(RECORDED):
        return world.plain(world.program(name))[1]
    with open(os.path.join(PAGES, name + ".txt"), encoding="ascii") as said:
        return said.read()


def try_pages(world):
    """A program for a family of manual pages; each prints the same on both."""
    names = sorted(name[:-2] for name in os.listdir(PAGES)
                   if name.endswith(".c"))
    for name in names:
        _, served = world.served(world.program(name))
        equal(name, served, page_said(world, name))
    return f"{len(names)} families of manual pages"


def try_files(world):
    """Files by the thousand through one ring."""
    count = "100000" if world.long else "1000"
    _, served = world.served(world.program("files"), world.fresh("files"),
                             count)
    return served.strip()


PROGRAMS = [
    Program("fio", "fio", ["fio"], try_fio),
    Program("stress-ng", "stress-ng", ["stress-ng"], try_stress),
    Program("qemu", "qemu-utils", ["qemu-img", "qemu-io"], try_qemu),
    Program("plocate", "plocate", ["plocate", "updatedb.plocate"],
            try_plocate),
    Program("mariadb", "mariadb-server-core mariadb-client-core",
            ["mariadbd", "mariadb", "mariadb-install-db"], try_mariadb),
    Program("postgres", "postgresql-18", [], try_postgres),
    Program("node", "nodejs", ["node"], try_node),
    Program("pages", "liburing-dev", [], try_pages),
    Program("files", "liburing-dev", [], try_files),
    Program("strace", "strace", ["strace"], try_strace),
    Program("valgrind", "valgrind", ["valgrind"], try_valgrind),
    Program("gdb", "gdb", ["gdb"], try_gdb),
]
