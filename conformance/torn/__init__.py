"""``python -m conformance torn``: bytes that no client should send, in many pieces, to the emulator and to the oracle.

What both answer until they close must be equal, and another client must be served all the while.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from random import Random

from conformance import servers
from conformance.torn.generate import stream, torn
from conformance.torn.outside import Outside, Wrong


def compare(random: Random, inputs: int, emulator: Outside, oracle: Outside) -> list[str]:
    """Throw streams at both servers; what differs."""
    differences = []
    for _ in range(inputs):
        data = stream(random)
        if b"AUTH" in data.upper() or (b"MULTI" in data and b"REPLY" in data):
            # Redis leaves a failed AUTH unanswered while earlier replies are on their way, and what EXEC answers when
            # replies are switched off in it is no RESP
            continue
        pieces = torn(random, data)
        ours, theirs = emulator.play(pieces), oracle.play(pieces)
        if not ours.agrees(theirs):
            differences.append(f"{pieces!r}\n  oracle:  {theirs}\n  subject: {ours}")
    return differences


def main(arguments: Sequence[str]) -> int:
    """1 where a server answers otherwise or does what it must not."""
    parser = argparse.ArgumentParser(prog="python -m conformance torn", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--subject", metavar="URL", help="the server to test (default: an emulator started here)")
    parser.add_argument("--oracle", metavar="URL|PATH", help="the real server (default: the pip-installed one)")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        with servers.oracle(options.oracle) as oracle, servers.emulator(options.subject) as subject:
            differences = compare(Random(options.seed), options.inputs, Outside(subject), Outside(oracle))
    except Wrong as wrong:
        print(wrong)
        return 1
    for difference in differences:
        print(difference)
    seconds = time.monotonic() - started
    print(f"{options.inputs} streams in {seconds:.0f} s: {len(differences)} answered otherwise than by the oracle")
    return 1 if differences else 0
