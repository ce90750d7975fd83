"""``python -m emulator.rdb FILE``: what an RDB file holds, one line of JSON for each key, or in short.

``--to VERSION -o OUT`` writes it for another version, ``--load URL`` loads it into a running server.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nlargest
from importlib import import_module
from typing import Any, Final

from emulator.config.directives import Config
from emulator.config.edition import EDITIONS
from emulator.datatypes.types import type_name
from emulator.protocol.errors import as_text
from emulator.rdb import file
from emulator.rdb.convert import Conversion, Unfit
from emulator.rdb.errors import BadFile
from emulator.rdb.file_reader import NEWEST_VERSION, FileReader, records

Row = dict[str, Any]
_PARTS: Final = 40
"""Of the bar that tells how far it is."""


def main() -> int:
    """Read the command line and print; the exit status."""
    import_module("emulator.keyspace.types")  # which enters Redis's own types: a program may reach above its room
    parser = argparse.ArgumentParser(prog="python -m emulator.rdb", description=__doc__)
    parser.add_argument("file", help="a file of Redis up to 8.6, or of Valkey up to 9.1")
    parser.add_argument("--largest", type=int, metavar="N", help="only the N keys that take most bytes in the file")
    parser.add_argument("--summary", action="store_true", help="only how much there is of what")
    parser.add_argument("--to", choices=sorted(EDITIONS), help="write the file as this version has it; -o says where")
    parser.add_argument("-o", metavar="OUT", dest="output", help="the file that --to writes")
    parser.add_argument("--drop", action="store_true", help="with --to: leave out what the version cannot hold")
    parser.add_argument(
        "--load", metavar="URL", help="load into the server at redis://host:port; with /db all into one"
    )
    parser.add_argument("--replace", action="store_true", help="with --load: replace keys that are there")
    options = parser.parse_args()
    if (options.to is None) != (options.output is None):
        parser.error("--to and -o go together")
    if options.to is not None and options.load is not None:
        parser.error("--to and --load are two different things")
    try:
        with open(options.file, "rb") as source:
            reader = FileReader(source.read, newest=NEWEST_VERSION)
            progress = Progress(reader, os.path.getsize(options.file))
            if options.to is not None:
                _convert(reader, options, progress)
            elif options.load is not None:
                return _load(reader, options, progress)
            else:
                _show(_rows(reader), options)
    except (BadFile, OSError, Unfit) as error:
        return _failed(error.args if isinstance(error, BadFile) else (str(error),))
    return 0


def _failed(lines: Iterable[str]) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return 1


def _show(rows: Iterator[Row], options: argparse.Namespace) -> None:
    if options.summary:
        rows = iter([_summary(rows)])
    elif options.largest is not None:
        rows = iter(nlargest(options.largest, (row for row in rows if "key" in row), key=lambda row: row["bytes"]))
    for row in rows:
        print(json.dumps(row))


class Progress:
    """How far a file has been read, told on a terminal."""

    def __init__(self, reader: FileReader, total: int) -> None:
        self._reader = reader
        self._total = total
        self._tells = sys.stderr.isatty()
        self._told = -1

    def tell(self) -> None:
        """To be called again and again."""
        share = _PARTS * self._reader.offset // max(self._total, 1)
        if self._tells and share != self._told:
            self._told = share
            bar = "#" * share + "." * (_PARTS - share)
            sys.stderr.write(f"\r[{bar}]{'' if share < _PARTS else chr(10)}")
            sys.stderr.flush()


def _convert(reader: FileReader, options: argparse.Namespace, progress: Progress) -> None:
    """Write the file as another version has it; there is none until it is whole."""
    conversion = Conversion(reader, EDITIONS[options.to], options.drop)
    temporary = f"{options.output}.{os.getpid()}.temp"
    try:
        with open(temporary, "wb") as target:
            for piece in conversion.pieces():
                target.write(piece)
                progress.tell()
        os.replace(temporary, options.output)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    print(f"{conversion.keys} keys")
    for reason, count in conversion.dropped.items():
        print(f"{count} keys dropped: {reason}")


def _load(reader: FileReader, options: argparse.Namespace, progress: Progress) -> int:
    """Load into a running server."""
    connection, restore = import_module("emulator.cli.connection"), import_module("emulator.cli.restore")
    try:
        restoration = restore.Restoration(reader, options.load, options.replace)
        for _ in restoration.steps():
            progress.tell()
    except (connection.Unreachable, connection.Lost, restore.Refused) as error:
        return _failed([str(error)])
    print(f"{restoration.taken['key']} keys, {restoration.taken['library']} libraries")
    errors = [f"{count} x {reason} ({restoration.first[reason]})" for reason, count in restoration.errors.items()]
    return _failed(errors) if errors else 0


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
        elif isinstance(record, file.ModuleData):
            yield {"about": "data of a module that is not here", "value": record.module, "bytes": size}
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
