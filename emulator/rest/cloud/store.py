"""The folder in which an account is kept: ``account.json``, and a folder for each database: ``database.json`` and its data.

A file is written under another name, brought to the disk and renamed, before the change is answered for.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

from emulator.rest.cloud.record import Record

_ACCOUNT: Final = "account.json"
_DATABASE: Final = "database.json"
_KNOWN: Final = frozenset(field.name for field in fields(Record))


class Store:
    """Keeps what it is given in a folder, which is made where there is none.  Everything raises OSError."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._changed: set[str] = set()
        self._account = ""
        self._writing = asyncio.Lock()
        self._path.mkdir(parents=True, exist_ok=True)

    def folder(self, database_id: str) -> str:
        """The folder of a database, which is there from now on."""
        path = self._path / database_id
        path.mkdir(exist_ok=True)
        return str(path)

    def account(self) -> dict[str, Any]:
        """What was kept of the account; ValueError is raised where it is damaged, here and by `records`."""
        path = self._path / _ACCOUNT
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def records(self) -> Iterable[Record]:
        """The databases that are kept, the oldest first."""
        kept = [json.loads(path.read_text()) for path in self._path.glob(f"*/{_DATABASE}")]
        records = [Record(**{name: value for name, value in found.items() if name in _KNOWN}) for found in kept]
        return sorted(records, key=lambda record: (record.creation_time, record.database_id))

    def note(self, database_id: str) -> None:
        """A database may have changed, come or gone."""
        self._changed.add(database_id)

    async def flush(self, account: Mapping[str, Any], records: Mapping[str, Record]) -> None:
        """Write the account, and the databases that were noted; those that are not among `records` go with their data."""
        changed, self._changed = self._changed, set()
        before, self._account = self._account, json.dumps(account)
        if not changed and self._account == before:
            return
        written = {self._path / _ACCOUNT: self._account}
        written |= {
            self._path / name / _DATABASE: json.dumps(asdict(records[name])) for name in changed & records.keys()
        }
        gone = [self._path / name for name in changed - records.keys()]
        try:
            async with self._writing:
                await asyncio.get_running_loop().run_in_executor(None, partial(_write, written, gone))
        except OSError:
            self._changed |= changed  # it is all kept with the next change
            self._account = ""
            raise


def _write(written: Mapping[Path, str], gone: Iterable[Path]) -> None:
    for path, text in written.items():
        temporary = path.with_suffix(".temp")
        with open(temporary, "w") as file:
            os.chmod(temporary, 0o600)  # it has passwords
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
