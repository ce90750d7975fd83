"""Large values: searches among a million places, bits of a bitmap of 100 MB; the answers must be the oracle's."""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable
from typing import Any

from conformance.bench.client import SERVERS, Failed, connect, encode, micros_each, pipeline
from conformance.resp import Connection

_PLACES, _BYTES = 1_000_000, 100_000_000
_SEARCHES, _BITS = 50, 5000
_COMPARED = 5


def _load(connection: Connection, places: int, size: int) -> dict[str, float]:
    rng = random.Random(1)

    def additions() -> Iterable[bytes]:
        for number in range(0, places, 10):
            words: list[bytes] = []
            for member in range(number, min(number + 10, places)):
                words += b"%.6f" % rng.uniform(-180, 180), b"%.6f" % rng.uniform(-80, 80), b"m%d" % member
            yield encode(b"GEOADD", b"g", *words)

    seconds = pipeline(connection, additions())
    grown = micros_each(connection, [encode(b"SETBIT", b"b", b"%d" % (size * 8 - 1), b"1")])
    return {"GEOADD, a member": seconds / places * 1e6, "SETBIT that grows": grown}


def _commands(places: int, size: int) -> dict[str, list[bytes]]:
    """What is timed; a search is as wide as to find about a hundred of the places."""
    rng = random.Random(2)
    radius = b"%d" % (20_000_000 * (100 / places) ** 0.5)
    centres = [(b"%.4f" % rng.uniform(-180, 180), b"%.4f" % rng.uniform(-60, 60)) for _ in range(_SEARCHES)]
    circles = [(b"FROMLONLAT", *centre, b"BYRADIUS", radius, b"m") for centre in centres]
    offsets = [b"%d" % rng.randrange(size * 8) for _ in range(_BITS)]
    whole = [b"BITCOUNT", b"b"], [b"BITPOS", b"b", b"1"], [b"BITOP", b"NOT", b"n", b"b"]
    return {
        "GEOSEARCH": [encode(b"GEOSEARCH", b"g", *circle) for circle in circles],
        "... BYBOX": [
            encode(b"GEOSEARCH", b"g", b"FROMLONLAT", *centre, b"BYBOX", radius, radius, b"m") for centre in centres
        ],
        "... COUNT 10": [encode(b"GEOSEARCH", b"g", *circle, b"COUNT", b"10", b"WITHDIST") for circle in circles],
        "... COUNT 10 ANY": [encode(b"GEOSEARCH", b"g", *circle, b"COUNT", b"10", b"ANY") for circle in circles],
        "GEODIST": [encode(b"GEODIST", b"g", b"m%d" % number, b"m%d" % (number + 1)) for number in range(_SEARCHES)],
        "SETBIT": [encode(b"SETBIT", b"b", offset, b"%d" % rng.randrange(2)) for offset in offsets],
        "GETBIT": [encode(b"GETBIT", b"b", offset) for offset in offsets],
        **{words[0].decode(): [encode(*words)] for words in whole},
    }


def _answers(connection: Connection, commands: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """The replies to the first commands of each kind."""
    answers: dict[str, list[str]] = {}
    for name, requests in commands.items():
        for request in requests[:_COMPARED]:
            connection.write(request)
            answers.setdefault(name, []).append(repr(connection.read()))
    return answers


def run(options: argparse.Namespace) -> dict[str, Any]:
    places, size = (2000, 10_000) if options.smoke else (_PLACES, _BYTES)
    if options.sizes:
        places = options.sizes[-1]
    commands = _commands(places, size)
    figures: dict[str, Any] = {"places": places, "bytes": size}
    answers: dict[str, dict[str, list[str]]] = {}
    for name, server in SERVERS.items():
        with server() as address:
            connection = connect(address)
            figures[name] = _load(connection, places, size)
            for operation, requests in commands.items():
                figures[name][operation] = micros_each(connection, requests)
            answers[name] = _answers(connection, commands)
    print(f"{places} places, a bitmap of {size} bytes")
    print(f"{'µs each':<20}" + "".join(f"{name:>14}" for name in SERVERS))
    for operation in figures["oracle"]:
        print(f"{operation:<20}" + "".join(f"{figures[name][operation]:>14.2f}" for name in SERVERS))
    if different := [name for name in commands if answers["emulator"][name] != answers["oracle"][name]]:
        raise Failed(f"other answers than the oracle's to {', '.join(different)}")
    return figures
