#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The client that checks every byte must see what is wrong.

Each case is an echo server of a few lines with one fault in it; echo-load has
to fail and to name the fault. The first server has none. Speaks TAP.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import threading


def honest(data, at):
    return data


def flips_a_bit(data, at):
    if not data or at <= 5000:
        return data
    return data[:-1] + bytes([data[-1] ^ 1])


def loses_a_byte(data, at):
    return data[1:] if at <= 5000 < at + len(data) else data


def says_a_byte_twice(data, at):
    return data[:1] + data if at <= 5000 < at + len(data) else data


def swaps_halves(data, at):
    half = len(data) // 2
    return data[half:] + data[:half] if at > 5000 else data


def hangs_up(data, at):
    return data if at < 5000 else None


def adds_at_the_end(data, at):
    return data if data else b"x"


CASES = (
    (honest, None),
    (flips_a_bit, "a wrong byte"),
    (loses_a_byte, "a wrong byte|ended after"),
    (says_a_byte_twice, "a wrong byte"),
    (swaps_halves, "a wrong byte"),
    (hangs_up, "ended after|reset|Broken pipe"),
    (adds_at_the_end, "more came back"),
)


def serve_one(client, fault):
    at = 0
    try:
        while data := client.recv(1 << 16):
            echo = fault(data, at)
            if echo is None:
                break
            client.sendall(echo)
            at += len(data)
        else:
            client.sendall(fault(b"", at))
    except OSError:
        pass
    client.close()


def serve(listener, fault):
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve_one, args=(client, fault),
                         daemon=True).start()


def run_case(program, fault, wanted):
    """What is wrong, or an empty text."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, fault),
                     daemon=True).start()
    out = subprocess.run(
        [program, "--port", str(listener.getsockname()[1]), "--connections",
         "2", "--messages", "200", "--timeout", "60"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    listener.close()
    if wanted is None:
        good = out.returncode == 0 and ", 200 messages, 0 lost" in out.stdout
    else:
        good = out.returncode == 1 and re.search(wanted, out.stderr)
    return "" if good else f"{out.returncode}: {out.stdout}{out.stderr}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    program = os.path.join(parser.parse_args().build, "examples", "echo-load")
    print(f"1..{len(CASES)}")
    failed = 0
    for number, (fault, wanted) in enumerate(CASES, 1):
        wrong = run_case(program, fault, wanted)
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {fault.__name__}"
              + (f"\n# {wrong}" if wrong else ""), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
