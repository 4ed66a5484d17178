# SPDX-License-Identifier: MIT
"""Tests that are functions of a case, played one by one and told as TAP."""

import subprocess
import tempfile


class Skip(Exception):
    """The text says what is missing here."""


def run_one(function, case):
    """ok, not ok or a skip, as TAP has it."""
    with tempfile.TemporaryDirectory(prefix="polyring-test") as directory:
        case.directory = directory
        try:
            function(case)
        except Skip as skip:
            return "ok", f" # skip {skip}"
        except (AssertionError, OSError, ValueError, KeyError,
                subprocess.SubprocessError) as wrong:
            text = f"{type(wrong).__name__}: {wrong}"
            return "not ok", "".join(f"\n# {line}"
                                     for line in text.splitlines())
    return "ok", ""


def run_all(tests, case):
    """Returns the exit status."""
    failed = 0
    print(f"1..{len(tests)}")
    for number, function in enumerate(tests, 1):
        word, rest = run_one(function, case)
        failed += word != "ok"
        print(f"{word} {number} - {function.__name__}{rest}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0
