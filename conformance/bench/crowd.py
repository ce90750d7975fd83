"""Many clients at once: a thousand that pipeline, one that sends everything before it reads, and hostile ones."""

from __future__ import annotations

import contextlib
import selectors
import socket
import statistics
import threading
import time

from conformance import servers
from conformance.bench.client import connect, encode, percentile
from conformance.servers import Address

_PIPELINE = 100


def _thousand(address: Address, clients: int, seconds: float) -> None:
    request = encode(b"INCR", b"n") * _PIPELINE
    selector = selectors.DefaultSelector()
    replies: dict[int, int] = {}
    with contextlib.ExitStack() as stack:
        for _ in range(clients):
            sock = stack.enter_context(socket.create_connection(address, 30))
            sock.setblocking(False)
            replies[sock.fileno()] = 0
            selector.register(sock, selectors.EVENT_READ, [0])
            sock.send(request)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key, _ in selector.select(1):
                sock = key.fileobj  # type: ignore[assignment]
                count = sock.recv(1 << 16).count(b"\n")
                replies[sock.fileno()] += count
                key.data[0] += count
                if key.data[0] >= _PIPELINE:
                    key.data[0] -= _PIPELINE
                    sock.send(request)
    counts = list(replies.values())
    least, middle, most = min(counts), statistics.median(counts), max(counts)
    print(
        f"{clients} clients with pipelines of {_PIPELINE}, {seconds:g} s: replies to each {least} / {middle:g} / {most}"
    )
    if least < 0.2 * middle:
        raise AssertionError(f"a client starves: {least} replies where the median is {middle:g}")


def _before_reading(address: Address, commands: int) -> None:
    with socket.create_connection(address, 60) as sock:
        started = time.perf_counter()
        sock.sendall(encode(b"PING") * commands)
        received = 0
        while received < 7 * commands:
            received += len(sock.recv(1 << 20))
    print(f"{commands} commands sent before the first read: all answered in {time.perf_counter() - started:.2f} s")


def _hostile(address: Address, seconds: float) -> None:
    stop = threading.Event()

    def garbage() -> None:
        while not stop.wait(0.01):
            with contextlib.suppress(OSError), socket.create_connection(address, 5) as sock:
                sock.sendall(b"\xff\x00garbage\r\n*1\r\n$x\r\n" * 20)

    def halves() -> None:
        with socket.create_connection(address, 5) as sock:
            sock.sendall(b"*3\r\n$3\r\nSET\r\n$1000000\r\n")
            while not stop.wait(0.001):
                sock.sendall(b"x")

    def deaf() -> None:
        with contextlib.suppress(OSError), socket.create_connection(address, 1) as sock:
            while not stop.is_set():
                sock.sendall(encode(b"GET", b"large") * 10)

    connection = connect(address)
    connection("SET", b"large", b"x" * 10_000)
    threads = [threading.Thread(target=work) for work in (garbage, halves, deaf)]
    for thread in threads:
        thread.start()
    latencies = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        connection("PING")
        latencies.append((time.perf_counter() - started) * 1000)
        time.sleep(0.002)
    stop.set()
    for thread in threads:
        thread.join()
    print(
        f"beside hostile clients: PING p50 {percentile(latencies, 0.5):.2f} ms, p99 {percentile(latencies, 0.99):.2f} ms"
    )


def run(smoke: bool) -> None:
    for name, server in (("emulator", servers.emulator), ("oracle", servers.oracle)):
        print(name)
        with server() as address:
            _thousand(address, 50 if smoke else 1000, 0.5 if smoke else 5.0)
            _before_reading(address, 5_000 if smoke else 200_000)
            _hostile(address, 0.5 if smoke else 5.0)
