"""The REST API beside the RESP port of the same server: single commands and pipelines of a hundred, on fifty connections.

What a request costs is the server's own CPU time, so that the client's does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from conformance import servers
from conformance.bench.client import Failed
from conformance.bench.idle import cpu_seconds
from conformance.resp import encoded

_CONNECTIONS = 50
_PIPELINE = 100
_MOST_TIMES_RESP = 2.0
_TOKEN = "bench"

Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _http(path: str, body: object, encoding: str = "") -> Exchange:
    text = json.dumps(body).encode()
    extra = f"Upstash-Encoding: {encoding}\r\n" if encoding else ""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {_TOKEN}\r\n{extra}Content-Length: {len(text)}\r\n\r\n"
    sent = head.encode() + text

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise Failed(answer.decode())
        size = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(size))

    return exchange


def _resp(*commands: list[str]) -> Exchange:
    sent = b"".join(encoded([word.encode() for word in words]) for words in commands)

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        for _ in commands:
            line = await reader.readuntil(b"\r\n")
            if line.startswith(b"$"):
                await reader.readexactly(int(line[1:]) + 2)
            elif line.startswith(b"-"):
                raise Failed(line.decode())

    return exchange


async def _exchanges(port: int, exchange: Exchange, count: int) -> float:
    """Exchanges a second, with `_CONNECTIONS` connections that take turns until so many have been done."""
    left = count

    async def work() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        while left > 0:
            left -= 1
            await exchange(reader, writer)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))
    return count / (time.perf_counter() - started)


def run(options: argparse.Namespace) -> dict[str, Any]:
    port, rest_port = servers.free_port(), servers.free_port()
    command = servers.emulator_command(port, "--rest-port", str(rest_port), "--rest-token", _TOKEN)
    value = base64.b64encode(b"x" * 48).decode()
    many = [["SET", f"k{number}", value] if number % 2 else ["GET", f"k{number + 1}"] for number in range(_PIPELINE)]
    filled = [["SET", f"k{number}", value] for number in range(_PIPELINE + 1)]
    kinds: dict[str, tuple[int, Exchange, Exchange]] = {
        "SET": (20_000, _http("/", ["SET", "k", value]), _resp(["SET", "k", value])),
        "GET": (20_000, _http("/", ["GET", "k"]), _resp(["GET", "k"])),
        "GET, base64": (20_000, _http("/", ["GET", "k"], "base64"), _resp(["GET", "k"])),
        f"pipeline of {_PIPELINE}": (2_000, _http("/pipeline", many), _resp(*many)),
        f"pipeline of {_PIPELINE}, base64": (2_000, _http("/pipeline", many, "base64"), _resp(*many)),
    }
    figures: dict[str, Any] = {}
    with servers.running(command, port) as process:
        asyncio.run(_exchanges(port, _resp(*filled), 1))
        for name, (count, by_rest, by_resp) in kinds.items():
            size = _CONNECTIONS if options.smoke else count
            rest = _measure(process.pid, rest_port, by_rest, size)
            resp = _measure(process.pid, port, by_resp, size)
            figures[name] = {"rest": rest, "resp": resp, "times": rest["us"] / max(resp["us"], 0.1)}
            print(
                f"{name:<28}{rest['a_second']:>7.0f} requests a second, {rest['us']:.0f} us each; on the RESP port "
                f"{resp['a_second']:.0f} and {resp['us']:.0f} us: {figures[name]['times']:.2f} times as much"
            )
    if not options.smoke:
        dear = [name for name, found in figures.items() if "pipeline" in name and found["times"] > _MOST_TIMES_RESP]
        if dear:
            raise Failed(f"more than {_MOST_TIMES_RESP} times the cost on the RESP port: {', '.join(dear)}")
    return figures


def _measure(pid: int, port: int, exchange: Exchange, count: int) -> dict[str, float]:
    """Exchanges a second, and microseconds of the server's CPU time for each."""
    before = cpu_seconds(pid)
    a_second = asyncio.run(_exchanges(port, exchange, count))
    return {"a_second": a_second, "us": (cpu_seconds(pid) - before) / count * 1e6}
