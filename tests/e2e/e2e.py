#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The examples as unmodified programs, with io_uring denied.

Each case starts a server of its own, does to it what clients on a network do,
and then asks for three things: every byte that was owed has come, the process
is back at the descriptors and threads it started with, and every buffer is
home. Speaks TAP. With --direct the servers run on the kernel's own io_uring:
a case that fails there is wrong.
"""

import argparse
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys

sys.dont_write_bytecode = True

from served import Server, Wrong, check_denied, load, wait_until  # noqa: E402

PROGRAMS = ("echo", "echo-classic")
HOST = "127.0.0.1"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


class Setting:
    """What the cases are told: where the programs are, which one to start."""

    def __init__(self, build, direct, program):
        self.build = build
        self.direct = direct
        self.program = program

    def server(self, *options):
        server = Server(self.build, self.program, *options,
                        direct=self.direct)
        server.check_out_of_reach()
        return server

    def load(self, server, *options):
        return load(self.build, server.port, *options)


def connect(server):
    client = socket.create_connection((HOST, server.port))
    client.settimeout(60)
    return client


def receive_exactly(client, size):
    parts = []
    while size:
        part = client.recv(min(size, 1 << 16))
        if not part:
            raise Wrong(f"the stream ended {size} bytes early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def round_trip(client, data):
    client.sendall(data)
    if receive_exactly(client, len(data)) != data:
        raise Wrong("what came back is not what was sent")


def visit(server):
    """
    A client comes and goes. The stream ends when the server has closed the
    connection, and that it does when nothing is in flight for it any more.
    """
    with connect(server) as client:
        round_trip(client, b"hello")
        client.shutdown(socket.SHUT_WR)
        if client.recv(1) != b"":
            raise Wrong("a byte too many")


class Base:
    """The descriptors and threads of a server that serves nobody."""

    def __init__(self, server):
        visit(server)  # what is opened lazily is open after it
        self.server = server
        self.descriptors = server.descriptors()
        self.threads = server.threads()

    def check_again(self):
        """Back there, with clients coming and going meanwhile."""
        def back():
            visit(self.server)
            return (len(self.server.descriptors()) <= len(self.descriptors)
                    and self.server.threads() <= self.threads)
        try:
            wait_until("back at the base", back)
        except Wrong as wrong:
            left = self.server.descriptors()
            raise Wrong(
                f"{wrong}; descriptors {len(self.descriptors)} -> "
                f"{len(left)}: {sorted(left.values())}; threads "
                f"{self.threads} -> {self.server.threads()}") from None


def descriptor_limit():
    """Raises the soft limit, which servers inherit, as far as it goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = min(hard, 16384) if hard != resource.RLIM_INFINITY else 16384
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def end(server):
    """When all connections are closed, no buffer can be elsewhere."""
    server.stop()
    if server.statistics["buffers out"]:
        raise Wrong(f"{server.statistics['buffers out']} buffers not home")


# ---- cases -----------------------------------------------------------------


def every_byte_of_many_connections_comes_back(setting):
    with setting.server() as server:
        base = Base(server)
        setting.load(server, "--connections", "64", "--messages", "20000")
        base.check_again()
        end(server)
        if server.statistics["bytes"] < 20000:
            raise Wrong("the server has not served the load")


def a_group_of_four_small_buffers_is_enough(setting):
    """ENOBUFS again and again: nothing may be lost or left waiting."""
    with setting.server("--buffers", "4", "--buffer-size", "512") as server:
        setting.load(server, "--connections", "16", "--messages", "2000",
                     "--max-size", "8192")
        end(server)


def one_buffer_serves_many_connections(setting):
    with setting.server("--buffers", "1") as server:
        setting.load(server, "--connections", "32", "--messages", "2000")
        end(server)


def a_slow_reader_gets_every_byte_in_order(setting):
    """Sends are partial or must wait when the peer's window is full."""
    data = random.Random(1).randbytes(8 << 20)
    with setting.server("--buffers", "16",
                        "--buffer-size", "1000000") as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((HOST, server.port))
            client.settimeout(60)
            echoed = bytearray()
            left = memoryview(data)
            client.setblocking(False)
            while left:
                try:
                    left = left[client.send(left):]
                except BlockingIOError:
                    client.setblocking(True)
                    echoed += client.recv(1 << 16)
                    client.setblocking(False)
            client.setblocking(True)
            client.settimeout(60)
            client.shutdown(socket.SHUT_WR)
            echoed += receive_exactly(client, len(data) - len(echoed))
            if client.recv(1) != b"" or bytes(echoed) != data:
                raise Wrong("the echo differs")
        end(server)


def killed_clients_leave_nothing_behind(setting):
    with setting.server() as server:
        base = Base(server)
        for _ in range(3):
            client = subprocess.Popen(
                [os.path.join(setting.build, "examples", "echo-load"),
                 "--port", str(server.port), "--messages", "100000000"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            try:
                wait_until("64 connections", lambda: len(
                    server.descriptors()) >= len(base.descriptors) + 60)
            finally:
                client.send_signal(signal.SIGKILL)
                client.wait()
        base.check_again()
        setting.load(server, "--messages", "5000")
        base.check_again()
        end(server)


def idle_connections_hold_no_buffer(setting):
    """S1: a thousand armed receives, four buffers, and service goes on."""
    many = min(1000, (descriptor_limit() - 100) // 3)
    with setting.server("--buffers", "4", "--connections", "2000") as server:
        base = Base(server)
        idle = [connect(server) for _ in range(many)]
        setting.load(server, "--connections", "8", "--messages", "1000")
        for client in idle[::97]:
            round_trip(client, b"awake")
        for client in idle:
            client.close()
        base.check_again()
        end(server)


def reset_while_armed_is_closed(setting):
    with setting.server() as server:
        base = Base(server)
        clients = [connect(server) for _ in range(200)]
        for client in clients:
            round_trip(client, b"armed after this")
        for i, client in enumerate(clients):
            if i % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
        base.check_again()
        end(server)


def a_client_that_never_reads_may_be_killed(setting):
    """Its echo fills the socket; the send in flight ends with an error."""
    with setting.server("--buffers", "64") as server:
        base = Base(server)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.connect((HOST, server.port))
            client.settimeout(0.5)
            try:
                while True:
                    client.send(b"x" * 65536)
            except TimeoutError:
                pass
        base.check_again()
        end(server)


def ends_while_connections_are_armed(setting):
    with setting.server() as server:
        clients = [connect(server) for _ in range(100)]
        for client in clients:
            round_trip(client, b"armed")
        server.stop()
        for client in clients:
            if client.recv(1) != b"":
                raise Wrong("a client was not told of the end")
            client.close()


def killed_server_leaves_no_process(setting):
    """SIGKILL: peers see the end, no helper process outlives it."""
    with setting.server() as server:
        clients = [connect(server) for _ in range(50)]
        for client in clients:
            round_trip(client, b"armed")
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        for client in clients:
            try:
                if client.recv(1) != b"":
                    raise Wrong("a byte came from nowhere")
            except ConnectionResetError:
                pass
            client.close()
        try:
            os.killpg(server.pid, 0)
        except ProcessLookupError:
            return
        raise Wrong("a process of its group is left")


CASES = (
    every_byte_of_many_connections_comes_back,
    a_group_of_four_small_buffers_is_enough,
    one_buffer_serves_many_connections,
    a_slow_reader_gets_every_byte_in_order,
    killed_clients_leave_nothing_behind,
    idle_connections_hold_no_buffer,
    reset_while_armed_is_closed,
    a_client_that_never_reads_may_be_killed,
    ends_while_connections_are_armed,
    killed_server_leaves_no_process,
)


def run_case(number, case, setting):
    """Prints a TAP line; returns whether the case passed."""
    name = f"{setting.program}: {case.__name__}"
    try:
        case(setting)
    except (Wrong, OSError) as wrong:
        why = str(wrong).replace("\n", "\n# ")
        print(f"not ok {number} - {name}\n# {why}", flush=True)
        return False
    print(f"ok {number} - {name}", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--only", default="", help="part of a case's name")
    arguments = parser.parse_args()
    chosen = [(case, program) for program in PROGRAMS for case in CASES
              if arguments.only in f"{program}: {case.__name__}"]
    print(f"1..{len(chosen)}", flush=True)
    if not arguments.direct:
        check_denied(os.path.join(arguments.build, "polyring"))
    good = [run_case(number, case,
                     Setting(arguments.build, arguments.direct, program))
            for number, (case, program) in enumerate(chosen, 1)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
