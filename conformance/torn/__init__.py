"""``python -m conformance streams``: bytes that no client should send, thrown at the emulator in many pieces.

Most inputs go to the parser: however a stream is torn, it yields the same commands and the same error.  One in ten goes
to a connection with a transport that only remembers: the same replies however torn, nothing in the log, no session
left over.  A sample goes to the emulator and to the oracle over sockets, where the replies must be equal.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from conformance import servers
from conformance.torn.generate import stream, torn
from conformance.torn.inside import Inside, Wrong, parse
from conformance.torn.outside import Outside, until_closed

_CONNECTIONS = 10
_SLOWEST = 1.0
_GROWTH = 4 << 20
"""One in so many inputs goes to a connection; the seconds that one input may take; the bytes that memory may grow by."""


def _resident() -> int:
    """Bytes of memory that this process has, 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * 4096


def inside(random: Random, inputs: int) -> dict[str, float]:
    """Throw streams at parsers and connections of this process; raises `Wrong`."""
    both = [(Inside(), Inside()), (Inside("secret"), Inside("secret"))]
    complaints = [one.complaints for pair in both for one in pair]
    logger = logging.getLogger("emulator")
    logger.setLevel(logging.ERROR)
    for handler in complaints[:1]:
        logger.addHandler(handler)
    slowest = 0.0
    errors = commands = settled = 0
    for number in range(inputs):
        data = stream(random)
        pieces = torn(random, data)
        restricted = random.random() < 0.2
        started = time.perf_counter()
        whole, parts = parse([data], restricted), parse(pieces, restricted)
        if whole != parts:
            raise Wrong(f"torn, it is parsed otherwise: {pieces!r}\n{whole!r}\n{parts!r}")
        if number % _CONNECTIONS == 0:
            one, other = both[restricted]
            if one.play([data]) != other.play(pieces):
                raise Wrong(f"torn, it is answered otherwise: {pieces!r}")
        slowest = max(slowest, time.perf_counter() - started)
        if slowest > _SLOWEST:
            raise Wrong(f"it takes {slowest:.1f} s: {pieces!r}")
        commands += len(whole[0])
        errors += whole[1] is not None
        if number == inputs // 10:
            settled = _resident()
    growth = _resident() - settled
    if growth > _GROWTH:
        raise Wrong(f"memory has grown by {growth} bytes")
    return {"inputs": inputs, "commands": commands, "errors": errors, "slowest_ms": slowest * 1000, "growth": growth}


def outside(random: Random, inputs: int, emulator: Outside, oracle: Outside) -> list[str]:
    """Throw streams at both servers; what differs."""
    differences = []
    for _ in range(inputs):
        data = stream(random)
        if b"MULTI" in data and b"REPLY" in data:
            continue  # what EXEC answers when replies are switched off in it is no RESP
        pieces = until_closed(torn(random, data))
        ours, theirs = emulator.play(pieces), oracle.play(pieces)
        if ours != theirs:
            differences.append(f"{pieces!r}\n  oracle:  {theirs!r}\n  subject: {ours!r}")
    return differences


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance streams", description=__doc__)
    parser.add_argument(
        "--inputs", type=int, default=100_000, help="streams for the parser, one in ten for a connection"
    )
    parser.add_argument("--sample", type=int, default=1000, help="streams for both servers over sockets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--subject", metavar="URL", help="the server to test (default: an emulator started here)")
    parser.add_argument("--oracle", metavar="URL|PATH", help="the real server (default: the pip-installed one)")
    options = parser.parse_args(arguments)
    random = Random(options.seed)
    started = time.monotonic()
    try:
        figures = inside(random, options.inputs)
        print(
            f"{figures['inputs']} streams in {time.monotonic() - started:.0f} s: {figures['commands']} commands, "
            f"{figures['errors']} protocol errors; the slowest took {figures['slowest_ms']:.1f} ms, "
            f"memory grew by {figures['growth'] / 1024:.0f} KiB"
        )
        with servers.oracle(options.oracle) as oracle, servers.emulator(options.subject) as subject:
            differences = outside(random, options.sample, Outside(subject), Outside(oracle))
    except Wrong as wrong:
        print(wrong)
        return 1
    for difference in differences:
        print(difference)
    print(f"{options.sample} streams over sockets: {len(differences)} answered otherwise than by the oracle")
    return 1 if differences else 0
