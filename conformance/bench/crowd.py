"""Many clients at once: a thousand that pipeline, one that sends everything before it reads, and hostile ones."""

from __future__ import annotations

import argparse
import contextlib
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from conformance.bench.client import SERVERS, Failed, connect, encode, ping_latencies, show_spread, spread
from conformance.servers import Address

_PIPELINE = 100
_LEAST_SHARE = 0.2
"""What the client served least must get of the median."""

_PATIENCE = 60.0


class _Client:
    """One of the crowd: sends its pipeline anew whenever it is answered."""

    request = encode(b"INCR", b"n") * _PIPELINE

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address, _PATIENCE)
        self.replies = 0

    def send(self) -> None:
        self.socket.sendall(self.request)

    def receive(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise Failed("one of the crowd was disconnected")
        before = self.replies
        self.replies += data.count(b"\n")
        if self.replies // _PIPELINE > before // _PIPELINE:
            self.send()


def _crowd(address: Address, count: int, seconds: float) -> dict[str, float]:
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        clients = [_Client(address) for _ in range(count)]
        for client in clients:
            stack.callback(client.socket.close)
            selector.register(client.socket, selectors.EVENT_READ, client)
        for client in clients:
            client.send()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key, _ in selector.select(1):
                key.data.receive()
    replies = [client.replies for client in clients]
    figures = {"min": min(replies), "median": statistics.median(replies), "max": max(replies)}
    print(
        f"{count} clients with pipelines of {_PIPELINE}, {seconds:g} s: replies to each "
        f"{figures['min']} / {figures['median']:g} / {figures['max']} (least, median, most)"
    )
    return figures


def _before_reading(address: Address, commands: int) -> float:
    """Seconds until all of so many commands are answered, none of which was read before the last was sent."""
    received = bytearray()
    with socket.create_connection(address, _PATIENCE) as sock:
        started = time.perf_counter()
        try:
            sock.sendall(encode(b"PING") * commands)
            while len(received) < 7 * commands and (data := sock.recv(1 << 20)):
                received += data
        except TimeoutError:
            raise Failed(f"the server stopped reading or answering: {len(received)} bytes of replies") from None
        seconds = time.perf_counter() - started
    if received != b"+PONG\r\n" * commands:
        raise Failed(f"{commands} commands sent before the first read: {received.count(b'+PONG')} answered")
    print(f"{commands} commands sent before the first read: all answered in {seconds:.2f} s")
    return seconds


def _garbage(address: Address, stop: threading.Event) -> None:
    """Connects again and again and talks no protocol."""
    while not stop.wait(0.01):
        with contextlib.suppress(OSError), socket.create_connection(address, 5) as sock:
            sock.sendall(b"\xff\x00garbage\r\n*1\r\n$x\r\n" * 20)


def _half_a_command(address: Address, stop: threading.Event) -> None:
    """Sends a large command in small pieces and never ends it."""
    with socket.create_connection(address, 5) as sock:
        sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n")
        while not stop.wait(0.001):
            sock.sendall(b"x")


def _never_reads(address: Address, stop: threading.Event) -> None:
    """Asks for 10 MB each second and reads none of it; no more, since nothing bounds what the server must keep."""
    with socket.create_connection(address, 5) as sock:
        while not stop.wait(0.01):
            sock.sendall(encode(b"GET", b"large") * 10)


_HOSTILE: tuple[Callable[[Address, threading.Event], None], ...] = (_garbage, _half_a_command, _never_reads)


@contextlib.contextmanager
def _hostile(address: Address) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(address, stop)) for work in _HOSTILE]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _beside_hostile(address: Address, seconds: float) -> dict[str, float]:
    connection = connect(address)
    connection("SET", "large", b"x" * 10_000)
    with _hostile(address):
        end = time.monotonic() + seconds
        figures = spread(ping_latencies(connection, lambda: time.monotonic() < end))
    print(f"beside hostile clients: PING {show_spread(figures)}")
    return figures


def run(options: argparse.Namespace) -> dict[str, Any]:
    seconds = options.seconds or (0.3 if options.smoke else 5)
    figures: dict[str, Any] = {}
    for name, server in SERVERS.items():
        print(name)
        with server() as address:
            figures[name] = {
                "replies": _crowd(address, 50 if options.smoke else 1000, seconds),
                "before_reading_s": _before_reading(address, 5_000 if options.smoke else 200_000),
                "beside_hostile": _beside_hostile(address, seconds),
            }
    replies = figures["emulator"]["replies"]
    if not options.smoke and replies["min"] < _LEAST_SHARE * replies["median"]:
        raise Failed(f"a client starves: {replies['min']} replies where the median is {replies['median']:g}")
    return figures
