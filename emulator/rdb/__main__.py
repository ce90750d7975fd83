"""``python -m emulator.rdb FILE``: what an RDB file holds, one line of JSON for each key, or in short."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from heapq import nlargest
from importlib import import_module
from typing import Any

from emulator.config.directives import Config
from emulator.datatypes.types import type_name
from emulator.protocol.errors import as_text
from emulator.rdb import file
from emulator.rdb.file_reader import NEWEST_VERSION, BadFile, FileReader, records

Row = dict[str, Any]


def main() -> int:
    """Read the command line and print; the exit status."""
    import_module("emulator.keyspace.types")  # which enters Redis's own types: a program may reach above its room
    parser = argparse.ArgumentParser(prog="python -m emulator.rdb", description=__doc__)
    parser.add_argument("file", help="a file of Redis up to 8.6, or of Valkey up to 9.1")
    parser.add_argument("--largest", type=int, metavar="N", help="only the N keys that take most bytes in the file")
    parser.add_argument("--summary", action="store_true", help="only how much there is of what")
    options = parser.parse_args()
    try:
        with open(options.file, "rb") as source:
            rows = _rows(FileReader(source.read, newest=NEWEST_VERSION))
            if options.summary:
                rows = iter([_summary(rows)])
            elif options.largest is not None:
                rows = iter(
                    nlargest(options.largest, (row for row in rows if "key" in row), key=lambda row: row["bytes"])
                )
            for row in rows:
                print(json.dumps(row))
    except (BadFile, OSError) as error:
        for line in error.args if isinstance(error, BadFile) else (str(error),):
            print(line, file=sys.stderr)
        return 1
    return 0


def _rows(reader: FileReader) -> Iterator[Row]:
    """What is in a file: its own properties, functions, and keys with the bytes that they take there."""
    db, before = 0, 0
    for record in records(reader, Config()):
        size, before = reader.offset - before, reader.offset
        if isinstance(record, file.Key):
            yield _key(db, size, record)
        elif isinstance(record, file.DatabaseBegins):
            db = record.number
        elif isinstance(record, file.Aux):
            yield {"about": _text(record.name), "value": _text(record.value)}
        elif isinstance(record, file.Library):
            yield {"library": as_text(record.code).partition("\n")[0], "bytes": size}


def _key(db: int, size: int, record: file.Key) -> Row:
    value = record.value
    is_string = isinstance(value, bytes | bytearray)
    kind = "none" if value is None else type_name(value).decode()
    row: Row = {"db": db, "key": _text(record.key), "type": kind, "bytes": size}
    if value is not None and not is_string:
        row |= {"encoding": value.encoding.decode(), "elements": len(value)}
    told = {"expires_at_ms": record.deadline, "idle_seconds": record.idle, "frequency": record.frequency}
    return row | {name: number for name, number in told.items() if number is not None}


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _summary(rows: Iterator[Row]) -> Row:
    about: Row = {}
    keys, sizes = Counter[str](), Counter[str]()
    expiring = libraries = 0
    for row in rows:
        if "about" in row:
            about[row["about"]] = row["value"]
        elif "library" in row:
            libraries += 1
        else:
            keys[row["type"]] += 1
            sizes[row["type"]] += row["bytes"]
            expiring += "expires_at_ms" in row
    types = {name: {"keys": count, "bytes": sizes[name]} for name, count in sorted(keys.items())}
    return {"about": about, "keys": keys.total(), "expiring": expiring, "libraries": libraries, "types": types}


if __name__ == "__main__":
    sys.exit(main())
