"""Vector sets: loading, the first search, and searches; the emulator's answers must be the oracle's exact ones."""

from __future__ import annotations

import argparse
import random
from array import array
from collections.abc import Sequence
from typing import Any

from conformance.bench.client import SERVERS, Failed, connect, encode, micros_each
from conformance.resp import Connection

_SIZE, _DIMENSION, _SEARCHES = 100_000, 128, 20
_STORAGES = (b"Q8", b"NOQUANT", b"BIN")
_COMPARED = 3


def _vectors(count: int, dimension: int, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    return [array("f", [rng.gauss(0, 1) for _ in range(dimension)]).tobytes() for _ in range(count)]


def _search(query: bytes, *options: bytes) -> bytes:
    return encode(b"VSIM", b"v", b"FP32", query, *options)


def _similar(connection: Connection, query: bytes) -> list[str]:
    """The scores of an exact search: of equally similar elements any may be named."""
    reply = connection("VSIM", "v", "FP32", query, "WITHSCORES", "TRUTH").value
    if not isinstance(reply, list):
        raise Failed(f"VSIM answered {reply!r}")
    return [str(item) for item in reply[1::2]]


def _play(connection: Connection, storage: bytes, vectors: Sequence[bytes], queries: Sequence[bytes]) -> dict[str, Any]:
    loads = [encode(b"VADD", b"v", b"FP32", vector, b"e%d" % n, storage) for n, vector in enumerate(vectors)]
    figures: dict[str, Any] = {"load_us": micros_each(connection, loads)}
    figures["first_ms"] = micros_each(connection, [_search(queries[0])]) / 1000
    figures["search_ms"] = micros_each(connection, [_search(query) for query in queries]) / 1000
    figures["scores"] = [_similar(connection, query) for query in queries[:_COMPARED]]
    return figures


def run(options: argparse.Namespace) -> dict[str, Any]:
    size, dimension = (300, 16) if options.smoke else (_SIZE, _DIMENSION)
    if options.sizes:
        size = options.sizes[-1]
    vectors, queries = _vectors(size, dimension, 1), _vectors(_SEARCHES, dimension, 2)
    figures: dict[str, Any] = {"size": size, "dimension": dimension}
    print(f"{size} vectors of {dimension} dimensions")
    for storage in _STORAGES:
        row = {}
        for name, server in SERVERS.items():
            with server() as address:
                row[name] = _play(connect(address), storage, vectors, queries)
            print(
                f"{storage.decode():<8}{name:<10}VADD {row[name]['load_us']:.0f} us, first VSIM "
                f"{row[name]['first_ms']:.1f} ms, VSIM {row[name]['search_ms']:.2f} ms"
            )
        if row["emulator"]["scores"] != row["oracle"]["scores"]:
            raise Failed(f"other scores than the oracle's exact ones with {storage.decode()}")
        figures[storage.decode()] = row
    return figures
