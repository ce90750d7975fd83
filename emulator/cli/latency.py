"""``--latency`` and ``--latency-history``: how long PING takes, again and again."""

from __future__ import annotations

import time

from emulator.cli.conversation import Conversation
from emulator.cli.formatting import CSV, JSON, QUOTED_JSON, STANDARD

_BETWEEN_SAMPLES = 0.01
_HISTORY_RANGE = 15.0
_ONE_ANSWER = 1.0


def sample_latency(conversation: Conversation) -> int:
    """Measure for ever, or, where nobody looks on, for a second; milliseconds."""
    options = conversation.options
    connection = conversation.connection
    assert connection is not None
    history = options.mode == "latency-history"
    span = options.interval or (_HISTORY_RANGE if history else _ONE_ANSWER)
    samples: list[int] = []
    begun = time.monotonic()
    while True:
        sent = time.monotonic()
        connection.ask([b"PING"])
        samples.append(int(1000 * (time.monotonic() - sent)))
        passed = time.monotonic() - begun
        if options.output == STANDARD:
            conversation.write(b"\x1b[0G\x1b[2K" + _told(samples, STANDARD))
        elif history:
            conversation.write(_told(samples, options.output))
        elif passed > span:
            conversation.write(_told(samples, options.output))
            return 0
        if history and passed > span:
            conversation.write(f" -- {passed:.2f} seconds range\n".encode())
            samples.clear()
            begun = time.monotonic()
        time.sleep(_BETWEEN_SAMPLES)


def _told(samples: list[int], output: str) -> bytes:
    least, most, number = min(samples), max(samples), len(samples)
    average = sum(samples) / number
    if output == STANDARD:
        text = f"min: {least}, max: {most}, avg: {average:.2f} ({number} samples)"
    elif output in (JSON, QUOTED_JSON):
        text = f'{{"min": {least}, "max": {most}, "avg": {average:.2f}, "count": {number}}}\n'
    else:
        comma = "," if output == CSV else " "
        text = comma.join((str(least), str(most), f"{average:.2f}", str(number))) + "\n"
    return text.encode()
