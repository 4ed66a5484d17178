# SPDX-License-Identifier: MIT
"""A database that is killed in the middle of its work.

Clients run transactions whose effect is known beforehand and say the number
of each that was committed. The server is killed, recovers, and must know every
transaction that a client was told of. Then a server without polyring does
exactly the transactions that are there: the checksums of all tables must be
equal.
"""

import shutil
import signal
import subprocess
import time

from served import Wrong, die_with_parent, wait_until

CLIENTS = 4
ROWS = 250  # to begin with, of each client
TABLES = "accounts, notes, done"

# Small, so that pages come and go.
OPTIONS = ["--no-defaults", "--user=root", "--skip-networking",
           "--innodb-buffer-pool-size=6M", "--innodb-log-file-size=8M",
           "--innodb-flush-log-at-trx-commit=1", "--innodb-io-capacity=2000",
           "--innodb-use-native-aio=1",
           "--innodb-max-dirty-pages-pct=5"]

CREATE = """
CREATE DATABASE bank; USE bank;
CREATE TABLE accounts (id INT PRIMARY KEY, client INT, amount BIGINT,
  filler CHAR(200), KEY (client, amount)) ENGINE=InnoDB;
CREATE TABLE notes (client INT, number INT, text VARCHAR(2000),
  PRIMARY KEY (client, number)) ENGINE=InnoDB;
CREATE TABLE done (client INT PRIMARY KEY, number INT) ENGINE=InnoDB;
INSERT INTO accounts SELECT seq, seq DIV {rows}, seq * 7,
  REPEAT(CHAR(65 + seq % 26), 200) FROM seq_0_to_{last};
INSERT INTO done SELECT seq, 0 FROM seq_0_to_{last_client};
"""

# The accounts of a client are its own, so the order among clients is free.
TRANSACTION = """BEGIN;
INSERT INTO notes VALUES ({c}, {n}, REPEAT('{n} ', {n} % 300));
UPDATE accounts SET amount = amount + {n}, filler = REPEAT('{n}', 30)
  WHERE client = {c} AND id % 31 = {n} % 31;
DELETE FROM notes WHERE client = {c} AND number = {n} - 40 AND {n} % 3 > 0;
INSERT INTO accounts VALUES (1000000 * ({c} + 1) + {n}, {c}, {n}, 'new');
SELECT COUNT(*), SUM(amount) FROM accounts WHERE client = {c} INTO @n, @s;
UPDATE accounts SET amount = @s DIV @n WHERE id = {c} * {rows};
UPDATE done SET number = {n} WHERE client = {c};
COMMIT; SELECT {n};
"""


def transactions(client, last):
    """The transactions as SQL, from the first on."""
    return "USE bank;\n" + "".join(
        TRANSACTION.format(c=client, n=n, rows=ROWS)
        for n in range(1, last + 1))


class Server:
    """mariadbd with its own directory, from start to SHUTDOWN or kill."""

    def __init__(self, world, name, served):
        self.directory = world.path(name)
        self.socket = world.path(name + ".sock")
        self.log = world.path(name + ".log")
        command = ["mariadbd", *OPTIONS, f"--datadir={self.directory}",
                   f"--socket={self.socket}"]
        if served:
            command = world.on_the_engine(*command)
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        wait_until("mariadbd", self.answers)
        if served and "InnoDB: Using io_uring" not in self.said():
            raise Wrong(f"mariadbd without io_uring: {self.said()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def said(self):
        """Its log."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def answers(self):
        """Does the server answer? Wrong when it has ended."""
        if self.process.poll() is not None:
            raise Wrong(f"mariadbd ended by itself: {self.said()[-1500:]}")
        return self.sql("SELECT 1", check=False).returncode == 0

    def client(self, *options):
        """The command line that starts a client."""
        return ["mariadb", "--no-defaults", "-uroot", "-N", "-B", "-n",
                "-S", self.socket, *options]

    def sql(self, text, check=True):
        """Run a script with one client, to its end."""
        result = subprocess.run(self.client(), input=text, text=True,
                                capture_output=True, check=False, timeout=120)
        if check and result.returncode:
            raise Wrong(f"SQL: {result.stderr} {self.said()[-1500:]}")
        return result

    def end(self):
        """In order."""
        self.sql("SHUTDOWN")
        if self.process.wait(timeout=120):
            raise Wrong(f"mariadbd: {self.said()[-1500:]}")

    def checksums(self):
        """Of what is there, after a look for damage.

        CHECK warns of what was deleted and not yet purged.
        """
        found = self.sql(f"USE bank; CHECK TABLE {TABLES} EXTENDED").stdout
        damaged = [line for line in found.splitlines()
                   if line.split("\t")[2:] != ["status", "OK"]
                   and line.split("\t")[2] != "Warning"]
        if damaged or found.count("\tstatus\tOK") != TABLES.count(",") + 1:
            raise Wrong(f"damaged: {found[-1500:]}")
        return self.sql(f"USE bank; CHECKSUM TABLE {TABLES}").stdout


def kill_in_the_middle(world, last):
    """The last transaction that each client knows to be committed."""
    told = [world.path(f"told-{client}") for client in range(CLIENTS)]
    with Server(world, "served", True) as server:
        clients = []
        for client in range(CLIENTS):
            script = world.path(f"script-{client}")
            with open(script, "w", encoding="utf-8") as out:
                out.write(transactions(client, last))
            with open(script, encoding="utf-8") as words, \
                    open(told[client], "wb") as out:
                clients.append(subprocess.Popen(
                    server.client(), stdin=words, stdout=out,
                    stderr=subprocess.DEVNULL, preexec_fn=die_with_parent))

        def far_enough():
            if any(c.poll() is not None for c in clients):
                raise Wrong(f"a client ended: {server.said()[-1500:]}")
            return min(map(last_told, told)) >= last // 2
        wait_until("transactions", far_enough, 120)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        for client in clients:
            client.wait(timeout=60)
    return [last_told(path) for path in told]


def last_told(path):
    """The number in the last complete line of a client."""
    with open(path, "rb") as lines:
        whole = lines.read().rpartition(b"\n")[0]
    return int(whole.rpartition(b"\n")[2] or 0)


def recovered(world, told):
    """The state after recovery: the last transaction of each client, and checksums."""
    with Server(world, "served", True) as server:
        if "Starting crash recovery" not in server.said():
            raise Wrong(f"no recovery took place: {server.said()}")
        there = [int(line) for line in server.sql(
            "SELECT number FROM bank.done ORDER BY client"
        ).stdout.split()]
        for client, (has, knows) in enumerate(zip(there, told)):
            if not knows <= has <= knows + 1:
                raise Wrong(f"client {client} was told of {knows}, "
                            f"there are {has}")
        sums = server.checksums()
        server.end()
    if not world.count():
        raise Wrong("recovery went through no ring")
    return there, sums


def replayed(world, there):
    """Checksums of a server without polyring that ran the same transactions."""
    with Server(world, "plain", False) as server:
        for client, last in enumerate(there):
            server.sql(transactions(client, last))
        sums = server.checksums()
        server.end()
    return sums


def prepare(world):
    """Two directories with the same tables in them, made by the engine."""
    world.plain("mariadb-install-db", *OPTIONS[:2], OPTIONS[4],
                "--auth-root-authentication-method=normal", "--skip-test-db",
                f"--datadir={world.path('served')}")
    with Server(world, "served", True) as server:
        server.sql(CREATE.format(rows=ROWS, last=CLIENTS * ROWS - 1,
                                 last_client=CLIENTS - 1))
        server.end()
    if not world.count():
        raise Wrong("the load went through no ring")
    shutil.copytree(world.path("served"), world.path("plain"))


def try_mariadb(world):
    """Load, kill, recover, compare."""
    prepare(world)
    told = kill_in_the_middle(world, 2000 if world.long else 300)
    there, sums = recovered(world, told)
    plain = replayed(world, there)
    if sums != plain:
        raise Wrong(f"checksums differ: recovered {sums}, replayed {plain}")
    return f"killed after {sum(told)} transactions, all are there"
