#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command, as one types it: verbs, choices, messages, exit statuses.

Speaks TAP. What needs the kernel's io_uring or root is skipped without.
"""

import argparse
import contextlib
import ctypes
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys

from cases import Skip, run_all

BOUND_S = 60
TRANSCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                           "../conformance/transcripts")
EPERM = 1
EFAULT = 14
NOBODY = 65534

# The three calls, asked through libc; prints the errno of each.
ASK = ("import ctypes\n"
       "libc = ctypes.CDLL(None, use_errno=True)\n"
       "for number in (425, 426, 427):\n"
       "    ctypes.set_errno(0)\n"
       "    libc.syscall(number, -1, None, 987, 0, None, 0)\n"
       "    print(ctypes.get_errno())\n")

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def kernel_allows():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(425, 0, None)
    return ctypes.get_errno() not in (1, 13, 38)


def need_kernel():
    if not kernel_allows():
        raise Skip("the kernel refuses io_uring here")


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


class Case:
    """What tests share: where things are, and running them."""

    def __init__(self, polyring, programs, directory):
        self.polyring = polyring
        self.programs = programs
        self.directory = directory

    def __call__(self, *words, env=None, **options):
        kept = {k: v for k, v in os.environ.items()
                if not k.startswith("POLYRING_") and k != "LD_PRELOAD"}
        kept.update(env or {})
        return subprocess.run([self.polyring, *words], env=kept, text=True,
                              capture_output=True, check=False,
                              timeout=BOUND_S, **options)

    def file(self, name, text, mode=0o755):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def program(self, name):
        return os.path.join(self.programs, name)


def expect(got, status, *said):
    """Exit status, and words that must stand on stderr."""
    assert got.returncode == status, \
        f"status {got.returncode}, not {status}; {got.stderr}"
    for words in said:
        assert words in got.stderr, f"no '{words}' in: {got.stderr}"
    return got


# ---- deny --------------------------------------------------------------------


@test
def deny_answers_EPERM_to_all_three(case):
    got = expect(case("deny", "--", sys.executable, "-c", ASK), 0)
    assert got.stdout.split() == [str(EPERM)] * 3, got.stdout


@test
def deny_reaches_children_of_children(case):
    ask = case.file("ask.py", ASK)
    got = expect(case("deny", "sh", "-c", f"sh -c '{sys.executable} {ask}; :'"
                      "; exit 0"), 0)
    assert got.stdout.split() == [str(EPERM)] * 3, got.stdout


def copy_for_everybody(case):
    """The command and a program, where any user gets at them."""
    preload = os.path.join(case.polyring,
                           "../../intercept/libpolyring-preload.so")
    out = subprocess.run(["ldd", os.path.normpath(preload)],
                         capture_output=True, text=True, check=True).stdout
    libraries = [line.split()[2] for line in out.splitlines()
                 if "libpolyring" in line]
    for path in [case.polyring, case.program("static"), *libraries]:
        to = os.path.join(case.directory, os.path.basename(path))
        shutil.copyfile(path, to)
        os.chmod(to, 0o755)
    os.chmod(case.directory, 0o755)
    return [os.path.join(case.directory, name)
            for name in ("polyring", "static")]


def library_path(case):
    """A bare environment, but for what a sanitizer's build is told."""
    kept = {name: value for name, value in os.environ.items()
            if name.endswith("SAN_OPTIONS")}
    return {"LD_LIBRARY_PATH": case.directory, **kept}


@test
def deny_works_without_privileges(case):
    need_root()
    polyring, program = copy_for_everybody(case)
    got = subprocess.run([polyring, "deny", program, "ask"], user=NOBODY,
                         env=library_path(case), text=True,
                         capture_output=True, check=False, timeout=BOUND_S)
    expect(got, EPERM)


@test
def run_serves_without_privileges(case):
    need_root()
    polyring, _ = copy_for_everybody(case)
    for name, place in (("threads", case.programs),
                        ("libpolyring-preload.so",
                         os.path.join(case.polyring, "../../intercept"))):
        to = os.path.join(case.directory, name)
        shutil.copyfile(os.path.normpath(os.path.join(place, name)), to)
        os.chmod(to, 0o755)
    got = subprocess.run([polyring, "deny", polyring, "run", "-q",
                          os.path.join(case.directory, "threads")],
                         user=NOBODY, text=True, capture_output=True,
                         env=library_path(case),
                         check=False, timeout=BOUND_S)
    expect(got, 0)


@test
def deny_denies_nothing_else(case):
    got = expect(case("deny", "sh", "-c", "echo a | cat; exit 5"), 5)
    assert got.stdout == "a\n" and got.stderr == ""


# ---- run: who serves -----------------------------------------------------------


@test
def run_takes_the_kernel_when_it_answers(case):
    need_kernel()
    got = expect(case("run", "sh", "-c", "echo $POLYRING_ENGINE-$LD_PRELOAD"),
                 0, "the kernel's io_uring serves sh")
    assert got.stdout == "kernel-\n", got.stdout


@test
def run_takes_the_engine_when_the_kernel_refuses(case):
    got = expect(case("deny", case.polyring, "run", "--", "sh", "-c",
                      "echo $POLYRING_ENGINE"), 0,
                 "polyring's engine serves sh", "EPERM", "seccomp")
    assert got.stdout == "polyring\n", got.stdout
    assert got.stderr.count("\n") == 1, got.stderr


@test
def run_takes_the_engine_when_forced(case):
    expect(case("run", "--force", "true"), 0, "polyring's engine serves true")


@test
def run_is_quiet_when_asked(case):
    assert case("run", "--quiet", "--force", "true").stderr == ""


@test
def run_serves_the_programs_calls(case):
    used = os.path.join(case.directory, "used.json")
    expect(case("deny", case.polyring, "run", "-q", "--counters", used, "--",
                case.program("libc_calls")), 0)
    with open(used, encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    assert found and found[-1]["program"] == "libc_calls", found
    assert found[-1]["lanes"] == ["libc"], found
    assert any(found[-1]["counters"].values()), found


@test
def run_counts_the_provided_buffers(case):
    used = os.path.join(case.directory, "provided.json")
    expect(case("run", "-qfc", used, case.program("provided")), 0)
    with open(used, encoding="utf-8") as lines:
        counters = json.loads(lines.readline())["counters"]
    assert counters["buffers_claimed"] == 2, counters


@test
def run_does_not_wait_for_a_reader_of_the_counters(case):
    fifo = os.path.join(case.directory, "fifo")
    os.mkfifo(fifo)
    expect(case("run", "-qfc", fifo, case.program("libc_calls")), 0,
           "POLYRING_COUNTERS")


def lanes_used(case, program, lanes=None, **options):
    """Run it where the kernel refuses; what it said, and the lanes it took."""
    used = os.path.join(case.directory, "lanes.json")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(used)
    got = expect(case("deny", case.polyring, "run", "-qc", used,
                      case.program(program),
                      env={"POLYRING_LANES": lanes} if lanes else None,
                      **options), 0)
    with open(used, encoding="utf-8") as lines:
        return got, json.loads(lines.readline())["lanes"]


def filters_said(got):
    """Beside that of deny."""
    for line in got.stdout.splitlines():
        if line.startswith("Seccomp_filters:"):
            return int(line.split()[1]) - 1
    raise Skip("this kernel does not count filters")


@test
def run_patches_inline_calls(case):
    _, lanes = lanes_used(case, "threads")
    assert lanes == ["patch"], lanes


@test
def run_traps_inline_calls_when_patching_is_turned_off(case):
    _, lanes = lanes_used(case, "threads", "trap")
    assert lanes == ["trap"], lanes


@test
def run_traps_what_cannot_be_patched(case):
    _, lanes = lanes_used(case, "shapes")
    assert sorted(lanes) == ["patch", "trap"], lanes


def need_only_our_inline_calls():
    if any(name.endswith("SAN_OPTIONS") for name in os.environ):
        raise Skip("a sanitizer's runtime makes its system calls inline")


@test
def run_needs_no_filter_when_all_was_patched(case):
    need_only_our_inline_calls()
    patched, _ = lanes_used(case, "site_alone", "patch,trap")
    trapped, _ = lanes_used(case, "site_alone", "trap")
    # Others may have denied something around us already.
    assert filters_said(trapped) == filters_said(patched) + 1, patched.stdout


def refuse_new_code():
    """PR_SET_MDWE: memory that was writable never becomes executable."""
    if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
        os._exit(77)


@test
def run_traps_where_written_memory_may_not_be_executed(case):
    if subprocess.run(["true"], preexec_fn=refuse_new_code,
                      check=False).returncode == 77:
        raise Skip("this kernel has no PR_SET_MDWE")
    _, lanes = lanes_used(case, "site_alone",
                          preexec_fn=refuse_new_code)
    assert lanes == ["trap"], lanes


# Its parent has blocked every signal; prints whether SIGSYS still seems to be.
BLOCKED = ("import signal\n"
           "signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
           "print(signal.SIGSYS in signal.pthread_sigmask(0, []))\n")


def block_all():
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())


@test
def run_serves_where_every_signal_is_blocked(case):
    for lane in ("patch", "trap"):
        lanes_used(case, "threads", lane, preexec_fn=block_all)
    got = expect(case("run", "-qf", sys.executable, "-c", BLOCKED,
                      preexec_fn=block_all), 0)
    assert got.stdout == "True\n", got.stdout


@test
def run_says_which_lane_it_does_not_know(case):
    got, lanes = lanes_used(case, "site_alone", "patch,trop")
    assert "no lane is named trop" in got.stderr, got.stderr
    assert lanes == ["patch"], lanes


@test
def run_says_whose_calls_no_lane_is_open_to(case):
    got = case("run", "-qf", case.program("site_alone"),
               env={"POLYRING_LANES": "libc"})
    assert "stay with the kernel: the trap lane is closed" in got.stderr


@test
def run_counts_where_it_was_asked_to_from_any_directory(case):
    expect(case("run", "-qfc", "here.json", "--", "env", "-C", "/",
                case.program("libc_calls"), cwd=case.directory), 0)
    assert os.path.exists(os.path.join(case.directory, "here.json"))


@test
def run_leaves_no_line_for_a_program_without_calls(case):
    used = os.path.join(case.directory, "none.json")
    expect(case("run", "-qfc", used, "true"), 0)
    assert not os.path.exists(used)


@test
def run_keeps_what_was_preloaded(case):
    before = "libm.so.6"
    got = expect(case("run", "-f", "sh", "-c", "echo $LD_PRELOAD",
                      env={"LD_PRELOAD": before}), 0)
    words = got.stdout.strip().split(":")
    assert words[0].endswith("libpolyring-preload.so"), words
    assert words[1:] == [before], words


@test
def run_in_run_preloads_once(case):
    got = expect(case("run", "-qf", case.polyring, "run", "-qf", "sh", "-c",
                      "echo $LD_PRELOAD"), 0)
    assert got.stdout.count("preload.so") == 1, got.stdout


@test
def run_in_run_sees_the_kernel_as_it_is(case):
    need_kernel()
    expect(case("run", "-qf", case.polyring, "run", "true"), 0,
           "the kernel's io_uring serves true")


@test
def run_on_the_kernel_puts_an_outer_engine_aside(case):
    need_kernel()
    used = os.path.join(case.directory, "aside.json")
    expect(case("run", "-qfc", used, case.polyring, "run", "-q",
                case.program("libc_calls")), 0)
    assert not os.path.exists(used)


@test
def no_filter_for_a_program_without_inline_calls(case):
    need_only_our_inline_calls()

    def filters(*words):
        got = case(*words, "sed", "-n", "s/^Seccomp_filters:\t//p",
                   "/proc/self/status")
        return int(got.stdout)
    assert filters("run", "-qf") == filters("deny") - 1


@test
def the_environment_chooses_the_kernel(case):
    need_kernel()
    used = os.path.join(case.directory, "kernel.json")
    expect(case("run", "-qfc", used, "env", "POLYRING_ENGINE=kernel",
                case.program("threads")), 0)
    assert not os.path.exists(used)


@test
def the_environment_chooses_by_itself(case):
    used = os.path.join(case.directory, "auto.json")
    expect(case("deny", case.polyring, "run", "-qfc", used, "env",
                "POLYRING_ENGINE=auto", case.program("threads")), 0)
    assert os.path.exists(used)


@test
def a_wrong_engine_is_said(case):
    expect(case("run", "-qf", "env", "POLYRING_ENGINE=turbo",
                case.program("threads")), 0, "POLYRING_ENGINE=turbo")


# ---- run: where a filter does worse than refuse --------------------------------

KILL_PROCESS, KILL_THREAD, TRAP = 0x80000000, 0, 0x30000


def deadly_filter(answer):
    """Answers io_uring's three calls so, from exec on."""
    code = b"".join(struct.pack("HBBI", *row) for row in (
        (0x20, 0, 0, 0),  # the number
        (0x35, 0, 2, 425), (0x25, 1, 0, 427),
        (0x06, 0, 0, answer), (0x06, 0, 0, 0x7fff0000)))
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None)

    def install():
        libc.prctl(38, 1, 0, 0, 0)
        if libc.prctl(22, 2, program):
            os._exit(77)
    install.keeps = buffer
    return install


@test
def a_filter_that_kills_is_a_refusal(case):
    for answer in (KILL_PROCESS, KILL_THREAD, TRAP):
        deadly = deadly_filter(answer)
        expect(case("run", "true", preexec_fn=deadly), 0,
               "polyring's engine serves true", "SIGSYS", "filter kills")
        got = expect(case("probe", preexec_fn=deadly), 0)
        assert "SIGSYS: a seccomp filter kills" in got.stdout, got.stdout
        found = json.loads(case("probe", "--json",
                                preexec_fn=deadly).stdout)["kernel"]
        assert found["answers"] is False and found["errno"] == "SIGSYS"


@test
def run_serves_where_a_filter_kills(case):
    for answer in (KILL_PROCESS, KILL_THREAD, TRAP):
        expect(case("run", "-q", case.program("libc_calls"),
                    preexec_fn=deadly_filter(answer)), 0)
        expect(case("run", "-q", case.program("threads"),
                    preexec_fn=deadly_filter(answer)), 0)


@test
def run_asks_the_kernel_nothing_when_forced(case):
    """By any way: strace sees no call of the three, in no process."""
    if not shutil.which("strace"):
        raise Skip("strace is missing")
    log = os.path.join(case.directory, "strace")
    for words in (["--force"], ["--kernel", "6.1"]):
        got = subprocess.run(
            ["strace", "-fqo", log, "-e", "trace=425,426,427", case.polyring,
             "run", "-q", *words, "true"], capture_output=True, check=False,
            timeout=BOUND_S)
        if got.returncode:
            raise Skip("strace does not work here")
        with open(log, encoding="utf-8") as lines:
            assert "io_uring" not in lines.read()


# ---- run: the program ----------------------------------------------------------


@test
def the_programs_status_is_ours(case):
    for words in (["run", "-f"], ["deny"]):
        expect(case(*words, "sh", "-c", "exit 7"), 7)


@test
def the_programs_death_is_ours(case):
    got = case("run", "-qf", "sh", "-c", "kill -TERM $$")
    assert got.returncode == -signal.SIGTERM, got.returncode


@test
def the_program_takes_our_place(case):
    process = subprocess.Popen([case.polyring, "run", "-qf", "sh", "-c",
                                "echo $$"], stdout=subprocess.PIPE, text=True)
    assert int(process.communicate(timeout=BOUND_S)[0]) == process.pid


@test
def options_of_the_program_are_the_programs(case):
    got = expect(case("run", "-qf", "echo", "--force", "-q"), 0)
    assert got.stdout == "--force -q\n"


@test
def scripts_run(case):
    path = case.file("script", "#!/bin/sh\necho yes $1\n")
    assert expect(case("run", "-qf", path, "x"), 0).stdout == "yes x\n"


@test
def scripts_without_an_interpreter_run(case):
    path = case.file("bare", "echo yes $1\n")
    assert expect(case("run", "-qf", path, "x"), 0).stdout == "yes x\n"


@test
def a_missing_program_is_127(case):
    for verb in ("run", "deny"):
        expect(case(verb, "no-such-program"), 127, "no such program", "PATH")
        expect(case(verb, "/no/such/program"), 127, "no such program")


@test
def a_program_that_is_not_executable_is_126(case):
    path = case.file("data", "data", 0o644)
    for verb in ("run", "deny"):
        expect(case(verb, path), 126, "Permission denied")
        expect(case(verb, case.directory), 126, "directory")


def agent_is_there(case):
    return case("run", "-qf", case.program("static")).returncode == 0


@test
def a_static_program_is_served_or_refused_with_the_reason(case):
    path = case.program("static")
    script = case.file("static-script", f"#!{path}\n")
    if agent_is_there(case):
        expect(case("run", "--force", path), 0, "engine serves")
        # It has an argument, the script: the engine is asked.
        expect(case("run", "--force", script), EFAULT, "engine serves")
        return
    expect(case("run", "--force", path), 126, "statically linked",
           "dynamically linked build")
    expect(case("run", "--force", script), 126, "statically linked")


@test
def a_program_that_cannot_be_served_runs_without_unless_forced(case):
    words = ("deny", case.polyring, "run", case.program("static"), "ask")
    if agent_is_there(case):
        got = expect(case(*words), EFAULT, "engine serves")
        assert "cannot serve" not in got.stderr
        return
    got = expect(case(*words), EPERM, "cannot serve", "statically linked",
                 "It runs without")
    assert "engine serves" not in got.stderr


NO_PTRACE = """
#include <stddef.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = {4, f};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p))
		return 99;
	execv(argv[1], argv + 1);
	return 98;
}
"""


@test
def where_ptrace_is_refused_a_static_program_runs_unharmed(case):
    if not agent_is_there(case):
        raise Skip("this build has no agent")
    no_ptrace = built(case, "no-ptrace", NO_PTRACE, "gcc")
    words = [case.polyring, "run", case.program("static"), "ask"]
    got = case("deny", no_ptrace, *words)
    assert got.returncode == EPERM and "can't be traced" in got.stderr, got
    got = subprocess.run([no_ptrace, *words[:2], "-f", *words[2:]],
                         capture_output=True, text=True, check=False,
                         timeout=BOUND_S)
    assert got.returncode == 126 and "can't be traced" in got.stderr, got


@test
def a_program_that_does_not_exist_is_not_found_by_the_agent(case):
    script = case.file("nowhere", "#!/no/such/interpreter\n")
    expect(case("run", "-qf", script), 126, "interpreter")


EMPTY = "int main(void) { return 0; }\n"
SAY_PRELOAD = ("#include <stdio.h>\n#include <stdlib.h>\n"
               "int main(void) { puts(getenv(\"LD_PRELOAD\") ? "
               "getenv(\"LD_PRELOAD\") : \"none\"); return 0; }\n")


def built(case, name, text, compiler, *options):
    if not shutil.which(compiler):
        raise Skip(f"{compiler} is missing")
    source = case.file(name + ".c", text)
    path = os.path.join(case.directory, name)
    got = subprocess.run([compiler, "-o", path, *options, source],
                         capture_output=True, check=False, timeout=BOUND_S)
    if got.returncode:
        raise Skip(f"{compiler} {' '.join(options)} does not work here")
    return path


@test
def a_musl_program_is_served_or_runs_unharmed(case):
    path = built(case, "musl", EMPTY, "musl-gcc")
    if agent_is_there(case):
        expect(case("run", "--force", path), 0, "engine serves")
        return
    expect(case("run", "--force", path), 126, "glibc", "dynamically linked")
    expect(case("deny", case.polyring, "run", path), 0, "cannot serve",
           "glibc", "EPERM")
    expect(case("deny", case.polyring, "run", "-q", path), 0, "cannot serve")


@test
def a_musl_program_keeps_what_else_is_preloaded(case):
    path = built(case, "musl", SAY_PRELOAD, "musl-gcc")
    got = case("deny", case.polyring, "run", "-q", path)
    assert got.stdout == "none\n", got
    got = case("deny", "env", "LD_PRELOAD=/lib/none.so", case.polyring, "run",
               "-q", path)
    assert got.stdout == "/lib/none.so\n", got


LOST = "LD_PRELOAD in its environment"


def unserved_lines(path):
    with open(path, encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return {line["program"]: line["unserved"] for line in found
            if "unserved" in line}


@test
def what_is_started_unserved_is_said_and_runs_unharmed(case):
    static = case.program("static")
    used = os.path.join(case.directory, "unserved.json")
    script = case.file("script", f"#!/bin/sh\nset -e\n{static}\n"
                       "env -i /bin/true\nunset LD_PRELOAD\n/bin/echo on\n")
    said = [f"'/bin/true' is not served: {LOST}",
            f"'/bin/echo' is not served: {LOST}"]
    programs = {"/bin/true", "/bin/echo"}
    if not agent_is_there(case):
        said.append(f"'{static}' is not served: it is statically linked")
        programs.add(static)
    got = expect(case("run", "-f", "-c", used, script), 0, *said)
    assert got.stdout.endswith("on\n")
    assert got.stderr.count("not served") == len(said), got.stderr
    found = unserved_lines(used)
    assert set(found) == programs, found
    got = expect(case("run", "-qf", "-c", used, script), 0)
    assert "not served" not in got.stderr, got.stderr


@test
def what_another_kernel_serves_is_not_said(case):
    got = expect(case("run", "-f", "sh", "-c",
                      "POLYRING_ENGINE=kernel LD_PRELOAD= /bin/true"), 0)
    assert "not served" not in got.stderr, got.stderr


@test
def a_musl_program_that_is_started_runs_unharmed(case):
    path = built(case, "musl", SAY_PRELOAD, "musl-gcc")
    said = [] if agent_is_there(case) else \
        [f"'{path}' is not served: its dynamic linker is not glibc"]
    for words in (["sh", "-c", path + "; :"], ["env", path]):
        got = expect(case("run", "-f", *words), 0, *said)
        assert got.stdout == "none\n", got


# Starts its arguments from the second on, by the way that the first names.
STARTS = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int status_of(pid_t pid)
{
	int status = 99 << 8;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

int main(int argc, char **argv)
{
	char **next = argv + 2;
	pid_t pid = 0;
	(void)argc;
	if (!strcmp(argv[1], "execv"))
		execv(*next, next);
	else if (!strcmp(argv[1], "execvp"))
		execvp(*next, next);
	else if (!strcmp(argv[1], "execle"))
		execle(*next, "a name", next[1], (char *)0, environ);
	else if (!strcmp(argv[1], "execveat"))
		execveat(AT_FDCWD, *next, next, environ, 0);
	else if (!strcmp(argv[1], "system"))
		return WEXITSTATUS(system(*next));
	else if (!strcmp(argv[1], "vfork")) {
		pid = vfork();
		if (!pid) {
			execv(*next, next);
			_exit(97);
		}
		return status_of(pid);
	} else if (!strcmp(argv[1], "spawn")) {
		posix_spawn(&pid, *next, 0, 0, next, environ);
		return status_of(pid);
	} else if (!strcmp(argv[1], "spawnp")) {
		posix_spawnp(&pid, *next, 0, 0, next, environ);
		return status_of(pid);
	}
	return 96;
}
"""


@test
def a_static_program_that_a_dynamic_one_starts_is_served(case):
    if not agent_is_there(case):
        raise Skip("this build has no agent")
    starts = built(case, "starts", STARTS, "gcc")
    for way in ("execv", "execvp", "execle", "execveat", "vfork", "spawn",
                "spawnp"):
        got = case("deny", case.polyring, "run", "-q", starts, way,
                   case.program("static"), "ask")
        assert got.returncode == EFAULT, (way, got)
    expect(case("deny", case.polyring, "run", "-q", starts, "system",
                f"{case.program('static')} ask"), EFAULT)
    got = case("deny", case.polyring, "run", "-q", starts, "execv", "/no/such")
    assert got.returncode == 96, got


@test
def static_programs_are_patched_with_and_without_an_index(case):
    """gcc -static leaves out the index of functions. Each time: no thread of
    the agent's own may keep it from patching."""
    if not agent_is_there(case):
        raise Skip("this build has no agent")
    used = os.path.join(case.directory, "patched.json")
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                           "../../bench/call.c"), encoding="utf-8") as text:
        source = text.read()
    for kind in ("-static", "-static-pie"):
        path = built(case, "inline" + kind, source, "gcc", "-O2",
                     "-D_GNU_SOURCE", kind)
        for _ in range(5):
            expect(case("deny", case.polyring, "run", "-q", "-c", used, path,
                        "1"), 0)
    with open(used, encoding="utf-8") as lines:
        patched = ["patch" in json.loads(line)["lanes"] for line in lines]
    if not any(patched):
        raise Skip("FS can't be read without a call here")
    assert len(patched) == 10 and all(patched), patched


@test
def go_linked_to_libc_gets_the_agent_with_stacks_of_its_own(case):
    if not agent_is_there(case):
        raise Skip("this build has no agent")
    if not shutil.which("go"):
        raise Skip("go is not installed")
    path = os.path.join(case.directory, "go-echo")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "../everywhere/echo.go")
    cache = os.path.join(case.directory, "cache")
    done = subprocess.run(["go", "build", "-o", path, source],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, "CGO_ENABLED": "1",
                               "GOCACHE": cache}, timeout=600)
    assert not done.returncode, done.stderr
    got = expect(case("deny", case.polyring, "run", "-q", path), 0)
    assert got.stdout.startswith("ok "), got.stdout


@test
def only_who_has_address_sanitizer_gets_its_runtime(case):
    path = built(case, "asan", "#include <unistd.h>\nint main(void) { return "
                 "execl(\"/usr/bin/env\", \"env\", (char *)0); }\n", "gcc",
                 "-fsanitize=address")
    for words in ([path], ["sh", "-c", path + "; exit $?"]):
        got = expect(case("run", "-qf", *words), 0)
        preload = got.stdout.split("LD_PRELOAD=")[1].split("\n")[0]
        assert "polyring" in preload and "libasan" not in preload, preload


@test
def a_program_with_address_sanitizer_is_served(case):
    path = built(case, "asan", EMPTY, "gcc", "-fsanitize=address")
    expect(case("run", "-f", path), 0, "polyring's engine serves")
    libc_calls = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "libc_calls.c")
    served = os.path.join(case.directory, "served")
    include = os.path.dirname(os.path.dirname(os.path.dirname(libc_calls)))
    subprocess.run(["gcc", "-w", "-D_GNU_SOURCE", "-fsanitize=address", "-o", served,
                    "-I", os.path.join(include, "src"), "-I",
                    os.path.join(include, "include"), libc_calls,
                    "-lpthread"], check=True, timeout=BOUND_S)
    expect(case("deny", case.polyring, "run", "-q", served), 0)
    used = os.path.join(case.directory, "asan.json")
    expect(case("run", "-qfc", used, served), 0)
    assert os.path.exists(used)


@test
def a_static_program_runs_on_the_kernel(case):
    need_kernel()
    expect(case("run", case.program("static")), 0)


@test
def a_static_program_is_denied(case):
    expect(case("deny", case.program("static"), "ask"), EPERM)


@test
def a_setuid_program_is_refused_with_the_reason(case):
    need_root()
    path = os.path.join(case.directory, "setuid")
    shutil.copy(shutil.which("true"), path)
    os.chown(path, NOBODY, NOBODY)
    os.chmod(path, 0o4755)
    expect(case("run", "--force", path), 126, "setuid", "LD_PRELOAD")
    os.chmod(path, 0o2755)
    expect(case("run", "--force", path), 126, "setgid", "LD_PRELOAD")


# ---- usage, help, probe ----------------------------------------------------------


@test
def wrong_usage_is_2(case):
    expect(case(), 2, "usage:")
    expect(case("fly"), 2, "no verb 'fly'", "--help")
    expect(case("help", "fly"), 2, "no verb 'fly'")
    expect(case("run"), 2, "which program", "help run")
    expect(case("deny"), 2, "which program", "help deny")
    expect(case("run", "--fly", "true"), 2, "--fly")
    expect(case("probe", "fly"), 2, "fly")


@test
def kernels_that_are_not_known_are_refused(case):
    for name in ("4.9", "5.9", "6.19", "six", ""):
        for words in (["run", "true"], ["probe"]):
            words[1:1] = ["--kernel", name]
            expect(case(*words), 2, f"--kernel {name}:", "5.10 to 6.18")
    expect(case("run", "true", env={"POLYRING_KERNEL": "4.9"}), 2,
           "POLYRING_KERNEL=4.9:")
    expect(case("run", "-qf", "--kernel", "latest", "true"), 0)


@test
def an_older_kernel_is_played_by_the_engine(case):
    script = ("sh", "-c", "echo $POLYRING_ENGINE $POLYRING_KERNEL")
    got = expect(case("run", "--kernel", "6.1.192", *script), 0,
                 "engine serves sh as Linux 6.1.192: --kernel asks for it")
    assert got.stdout == "polyring 6.1.192\n", got.stdout
    got = expect(case("run", *script, env={"POLYRING_KERNEL": "5.15"}), 0,
                 "as Linux 5.15")
    assert got.stdout == "polyring 5.15\n", got.stdout


def offered_by(case, version):
    found = json.loads(expect(case("probe", "--json", "--kernel", version),
                              0).stdout)["polyring"]
    return {section: set(found[section]) for section in
            ("setup_flags", "features", "operations", "register")}


@test
def what_kernels_have_grows_from_one_to_the_next(case):
    versions = ("5.15", "6.1", "6.6", "6.12", "6.18")
    offers = [offered_by(case, version) for version in versions]
    for older, newer in zip(offers, offers[1:]):
        assert all(older[s] <= newer[s] for s in older)
        assert any(older[s] < newer[s] for s in older)
    assert "DEFER_TASKRUN" in offers[1]["setup_flags"]
    assert "DEFER_TASKRUN" not in offers[0]["setup_flags"]
    assert "PBUF_RING" in offers[1]["register"] - offers[0]["register"]
    assert "RECVSEND_BUNDLE" in offers[3]["features"] - offers[2]["features"]
    assert "FTRUNCATE" in offers[3]["operations"] - offers[2]["operations"]
    assert offers[-1] == offered_by(case, "latest")
    assert offers[0] == offered_by(case, "5.10")


@test
def older_kernels_have_what_they_said_they_have(case):
    """But for what the engine never has; see tests/oracle."""
    latest = offered_by(case, "latest")
    for version in ("6.1", "6.12"):
        with open(os.path.join(TRANSCRIPTS, version, "offer.json"),
                  encoding="utf-8") as recorded:
            theirs = json.load(recorded)
        ours = offered_by(case, version)
        for section, names in ours.items():
            wanted = set(theirs[section]) & latest[section]
            assert names == wanted, (version, section, names ^ wanted)


@test
def help_is_a_result(case):
    for words in (["--help"], ["help"], ["-h"]):
        assert "verbs:" in expect(case(*words), 0).stdout
    for verb in ("run", "deny", "probe"):
        for words in (["help", verb], [verb, "--help"]):
            got = expect(case(*words), 0)
            assert f"usage: polyring {verb}" in got.stdout
            assert "examples:" in got.stdout and not got.stderr
    assert expect(case("--version"), 0).stdout.startswith("polyring ")


@test
def a_result_that_cannot_be_written_is_a_failure(case):
    with open("/dev/full", "w", encoding="utf-8") as full:
        got = subprocess.run([case.polyring, "probe"], stdout=full,
                             check=False)
    assert got.returncode == 1, got.returncode


@test
def probe_shows_both_sides(case):
    lines = expect(case("probe"), 0).stdout.splitlines()
    assert any(line.split() == ["kernel", "polyring"] for line in lines)
    for name in ("setup flags", "features", "operations", "register"):
        assert any(line.startswith(name) for line in lines), name


@test
def probe_speaks_json(case):
    found = json.loads(expect(case("probe", "--json"), 0).stdout)
    for side in ("kernel", "polyring"):
        assert "version" in found[side] and "answers" in found[side]
    assert found["polyring"]["answers"] is True
    assert "NOP" in found["polyring"]["operations"]
    assert "PBUF_RING" in found["polyring"]["register"]
    assert "SINGLE_MMAP" in found["polyring"]["features"]
    assert "CQSIZE" in found["polyring"]["setup_flags"]


@test
def probe_knows_what_this_kernel_has(case):
    need_kernel()
    kernel = json.loads(case("probe", "--json").stdout)["kernel"]
    assert kernel["answers"] is True
    assert "NOP" in kernel["operations"], kernel
    assert "PROBE" in kernel["register"], kernel


@test
def probe_says_why_the_kernel_refuses(case):
    got = expect(case("deny", case.polyring, "probe"), 0)
    assert "EPERM" in got.stdout and "seccomp" in got.stdout, got.stdout
    found = json.loads(case("deny", case.polyring, "probe",
                            "--json").stdout)["kernel"]
    assert found["answers"] is False and found["errno"] == "EPERM"
    assert "seccomp" in found["reason"]


@test
def colours_are_for_terminals(case):
    def on_terminal(**env):
        kept = dict(os.environ, TERM="xterm", **env)
        if "NO_COLOR" not in env:
            kept.pop("NO_COLOR", None)
        ours, theirs = pty.openpty()
        subprocess.run([case.polyring, "--help"], stdout=theirs, env=kept,
                       check=True, timeout=BOUND_S)
        os.close(theirs)
        shown = b""
        # Linux answers EIO where a terminal has nothing more to come.
        with contextlib.suppress(OSError):
            while chunk := os.read(ours, 65536):
                shown += chunk
        os.close(ours)
        return b"\033[" in shown
    assert on_terminal()
    assert not on_terminal(NO_COLOR="1")
    assert "\033[" not in case("--help").stdout


# ---- all of it -------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("polyring", help="the command")
    parser.add_argument("programs", help="where the test programs are")
    arguments = parser.parse_args()
    case = Case(os.path.realpath(arguments.polyring),
                os.path.abspath(arguments.programs), None)
    return run_all(TESTS, case)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
