"""Searches in a large geospatial index, and single bits of a large bitmap, which must not be copied for each of them."""

from __future__ import annotations

import argparse
import random
from typing import Any

from conformance.bench.client import SERVERS, Failed, connect, encode, micros_each, pipeline
from conformance.resp import Connection

_MEMBERS = 1_000_000
_BYTES = 100_000_000
_OPERATIONS = 2000
_SEARCHES = 200


def _geo_commands(seed: int) -> dict[str, list[bytes]]:
    rng = random.Random(seed)
    places = [(b"%f" % rng.uniform(-180, 180), b"%f" % rng.uniform(-80, 80)) for _ in range(_SEARCHES)]
    return {
        "GEOSEARCH 50 km": [
            encode(b"GEOSEARCH", b"g", b"FROMLONLAT", *place, b"BYRADIUS", b"50", b"km") for place in places
        ],
        "GEOSEARCH 200 km": [
            encode(b"GEOSEARCH", b"g", b"FROMLONLAT", *place, b"BYBOX", b"200", b"200", b"km", b"ASC", b"WITHDIST")
            for place in places
        ],
        "GEOSEARCH ANY 10": [
            encode(b"GEOSEARCH", b"g", b"FROMLONLAT", *place, b"BYRADIUS", b"500", b"km", b"COUNT", b"10", b"ANY")
            for place in places
        ],
        "GEODIST": [encode(b"GEODIST", b"g", b"m%d" % number, b"m%d" % (number + 1)) for number in range(_SEARCHES)],
        "GEOADD": [encode(b"GEOADD", b"g", *place, b"new%d" % n) for n, place in enumerate(places)],
    }


def _load_geo(connection: Connection, members: int) -> None:
    rng = random.Random(1)
    pipeline(
        connection,
        (
            encode(b"GEOADD", b"g", b"%f" % rng.uniform(-180, 180), b"%f" % rng.uniform(-80, 80), b"m%d" % number)
            for number in range(members)
        ),
    )


def _bit_commands(size: int) -> dict[str, list[bytes]]:
    rng = random.Random(3)
    places = [b"%d" % rng.randrange(size * 8) for _ in range(_OPERATIONS)]
    return {
        "SETBIT": [encode(b"SETBIT", b"b", place, b"1") for place in places],
        "GETBIT": [encode(b"GETBIT", b"b", place) for place in places],
        "BITCOUNT of all": [encode(b"BITCOUNT", b"b")],
        "BITPOS of all": [encode(b"BITPOS", b"b", b"1", b"%d" % (size - 1))],
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    members, size = (2000, 1_000_000) if options.smoke else (_MEMBERS, _BYTES)
    if options.sizes:
        members = options.sizes[-1]
    figures: dict[str, dict[str, float]] = {}
    answers: dict[str, set[str]] = {}
    for name, server in SERVERS.items():
        with server() as address:
            connection = connect(address)
            _load_geo(connection, members)
            if connection("SETBIT", "b", str(size * 8 - 1), "1").value != b"0":
                raise Failed("SETBIT")
            for operation, requests in {**_geo_commands(2), **_bit_commands(size)}.items():
                figures.setdefault(operation, {})[name] = micros_each(connection, requests)
            answers.setdefault("BITCOUNT", set()).add(str(connection("BITCOUNT", "b")))
    if any(len(different) > 1 for different in answers.values()):
        raise Failed(f"different answers: {answers}")
    print(f"{members} members, a bitmap of {size} bytes; us each")
    for operation, row in figures.items():
        print(f"{operation:<18}" + "".join(f"{name:>12} {value:10.1f}" for name, value in row.items()))
    return figures
