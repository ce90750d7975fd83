"""A server that is killed again and again on one folder, with ``appendfsync always``: nothing acknowledged may be lost.

Each server is a child that was forked, so it is there in some milliseconds.  Half of them are killed at a random moment, half
kill themselves in the midst of a random call to the disk, a write half done.  Clients count up in transactions meanwhile, the
log is rewritten and the data are saved; the next server must have all that was acknowledged, at most one transaction more of
each client, and nothing torn.  ``python -m tests.kills 200`` does so at length.
"""

import argparse
import asyncio
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from emulator.config.directives import Config
from emulator.core.engine import Engine
from emulator.persistence import disk
from emulator.persistence.disk import Disk
from emulator.persistence.loading import Loading
from emulator.persistence.work import run_through
from emulator.protocol.client_side import encoded, read_reply
from emulator.rdb.errors import BadFile
from emulator.rdb.file_reader import FileReader
from emulator.server.server import NetworkServer

WRITERS = 4
_BALLAST = 1500
"""Keys that make an image take several slices."""
_LONGEST_LIFE = 0.06
_MOST_CALLS = 120
"""The seconds after which a server is killed at most, and the calls to the disk after which it kills itself."""
_START_SECONDS = 20.0


class Wrong(Exception):
    """Something acknowledged was lost, or something is torn."""


class Client:
    """A connection to the server's socket, for blocking calls and for a stream of transactions."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.replies = self.socket.makefile("rb")

    def ask(self, *words: bytes) -> Any:
        self.socket.sendall(encoded(words))
        return read_reply(self.replies)

    def close(self) -> None:
        self.replies.close()
        self.socket.close()


class Writer:
    """Counts up: the number is the length of a list, its last element and the only key of its own that there is."""

    def __init__(self, mine: int) -> None:
        self._mine = mine
        self.acknowledged = self.begun = 0
        self._client: Client | None = None

    def check(self, client: Client) -> None:
        """Go on from what the server has, which must be what was acknowledged or begun."""
        name, mine = b"list:%d" % self._mine, self._mine
        number = client.ask(b"LLEN", name)
        if not self.acknowledged <= number <= self.begun:
            raise Wrong(f"writer {mine}: {number}, but {self.acknowledged} was acknowledged and {self.begun} begun")
        last, keys = client.ask(b"LINDEX", name, b"-1"), client.ask(b"KEYS", b"%d:*" % mine)
        if number and (last != b"%d" % number or keys != [b"%d:%d" % (mine, number)]):
            raise Wrong(f"writer {mine}: {number} is torn: {last!r} {keys!r}")
        self.acknowledged = self.begun = number

    def begin(self, path: Path) -> Client:
        self._client = Client(path)
        self._send()
        return self._client

    def _send(self) -> None:
        assert self._client is not None
        self.begun += 1
        number, mine = self.begun, self._mine
        batch = [
            [b"MULTI"],
            [b"RPUSH", b"list:%d" % mine, b"%d" % number],
            [b"SET", b"%d:%d" % (mine, number), b"x" * (number % 300)],
            [b"DEL", b"%d:%d" % (mine, number - 1)],
            [b"EXEC"],
        ]
        self._client.socket.sendall(b"".join(map(encoded, batch)))

    def go_on(self) -> None:
        """Read the answer to a transaction, and begin the next; raises EOFError or OSError where there is none."""
        assert self._client is not None
        for _ in range(4):
            read_reply(self._client.replies)
        if not isinstance(read_reply(self._client.replies), list):
            raise Wrong("a transaction was refused")
        self.acknowledged = self.begun
        self._send()


def _suicidal(calls: int) -> None:
    """Let this process be killed in the midst of its n-th call to the disk."""
    left = calls

    def dies() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    write, sync, rename = disk.OnDisk.write, disk.OnDisk.sync, Disk.rename

    def dying_write(self: disk.OnDisk, data: bytes) -> None:
        if dies():
            write(self, data[: len(data) // 2])
            kill()
        write(self, data)

    def dying_sync(self: disk.OnDisk) -> None:
        if dies():
            kill()
        sync(self)

    def dying_rename(self: Disk, name: str, new: str) -> None:
        if dies():
            kill()
        rename(self, name, new)
        if dies():
            kill()

    disk.OnDisk.write, disk.OnDisk.sync, Disk.rename = dying_write, dying_sync, dying_rename  # type: ignore[method-assign]


def _serve(folder: Path, path: Path) -> None:
    """Be a server until somebody kills it; a file that cannot be loaded is told, and ends it."""
    config = Config()
    config.dir, config.unixsocket, config.port = str(folder), str(path), 0
    config.appendonly, config.appendfsync, config.save = True, "always", ()
    engine = Engine(config)
    engine.persistence.folder = Disk(config)

    async def live() -> None:
        server = NetworkServer(engine)
        await server.start()
        await server.load()
        await server.wait_closed()

    try:
        asyncio.run(live())
    except BadFile as error:
        print("\n".join(error.args), file=sys.stderr, flush=True)
    os._exit(1)


class Run:
    """Kills on one folder; ``ends`` counts how servers ended, ``acknowledged`` transactions."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.folder = folder
        self._path = folder / "socket"
        self._random = random
        self._writers = [Writer(mine) for mine in range(WRITERS)]
        self.ends = Counter[str]()
        self.acknowledged = 0

    def kill_once(self) -> None:
        """Start a server, look at what it has, let it write, kill it; raises `Wrong`."""
        random = self._random
        calls = random.randrange(_MOST_CALLS) if random.random() < 0.5 else None
        child = self._start(calls)
        status = None
        try:
            with suppress(EOFError, OSError):
                self._live(time.monotonic() + _LONGEST_LIFE * random.random() if calls is None else None)
        finally:
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            raise Wrong("a server ended by itself")
        self.ends["at a moment" if calls is None else "at a call to the disk"] += 1
        self._check_dump()

    def _start(self, calls: int | None) -> int:
        self._path.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            try:
                if calls is not None:
                    _suicidal(calls)
                _serve(self.folder, self._path)
            finally:
                os._exit(1)
        return child

    def _connected(self) -> Client:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                client = Client(self._path)
                while not isinstance(client.ask(b"PING"), bytes):
                    time.sleep(0.001)  # it is loading
                return client
            time.sleep(0.001)
        raise OSError("there is no server")

    def _live(self, until: float | None) -> None:
        control = self._connected()
        for writer in self._writers:
            writer.check(control)
        if not control.ask(b"EXISTS", b"ballast"):
            control.ask(
                b"EVAL",
                b"for i=1,%d do redis.call('SET', 'b'..i, i) end redis.call('SET', 'ballast', 1)" % _BALLAST,
                b"0",
            )
        clients = {writer.begin(self._path).socket: writer for writer in self._writers}
        before = sum(writer.acknowledged for writer in self._writers)
        try:
            self._write(control, clients, until)
        finally:
            self.acknowledged += sum(writer.acknowledged for writer in self._writers) - before
            for client in (control, *(writer._client for writer in self._writers)):
                assert client is not None
                client.close()

    def _write(self, control: Client, clients: dict[socket.socket, Writer], until: float | None) -> None:
        jobs = self._jobs()
        while until is None or time.monotonic() < until:
            if self._random.random() < 0.02 or until is None:
                control.ask(next(jobs))
            ready = select.select(list(clients), [], [], 0.001)[0]
            for one in ready:
                clients[one].go_on()

    def _jobs(self) -> Iterator[bytes]:
        while True:
            yield self._random.choice((b"BGREWRITEAOF", b"BGSAVE", b"PING", b"PING", b"PING"))

    def _check_dump(self) -> None:
        """A dump that is there is whole."""
        path = self.folder / "dump.rdb"
        if path.exists():
            with path.open("rb") as source:
                engine = Engine(Config())
                run_through(Loading(engine, FileReader(source.read), source, path.stat().st_size).job())


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill as often as asked for; 1 where something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", help="keep the files here")
    options = parser.parse_args(arguments)
    folder = Path(options.folder or tempfile.mkdtemp(prefix="kills-"))
    run, started = Run(folder, Random(options.seed)), time.monotonic()
    try:
        for _ in range(options.kills):
            run.kill_once()
    except (Wrong, BadFile) as wrong:
        print(f"after {run.ends.total()} kills in {folder}: {wrong}")
        return 1
    if options.folder is None:
        shutil.rmtree(folder)
    ends = ", ".join(f"{count} {how}" for how, count in sorted(run.ends.items()))
    seconds = time.monotonic() - started
    print(f"{run.ends.total()} kills ({ends}) in {seconds:.0f} s; {run.acknowledged} transactions acknowledged")
    return 0


if __name__ == "__main__":
    sys.exit(main())
