"""What an append-only file was made of before it was written anew: kept beside the backups, to come back to any moment.

Each base with the increments that came after it is a folder with a manifest, on which a server could be started.  It is named
for the moment of its base, in milliseconds, and reaches to the moment of the next one's.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from emulator.persistence.folder import Folder
from emulator.persistence.log_files import read_manifest, write_manifest
from emulator.persistence.manifest import BASE, INCREMENT, BadManifest, Manifest, Part
from emulator.persistence.moments import moment_of

logger = logging.getLogger("emulator")


class Past(NamedTuple):
    """A log from a moment on: its manifest, and the place of its files."""

    moment: int
    manifest: Manifest
    place: str


class History:
    """Past logs, in a `place` of a folder; ``name`` is that of the manifests."""

    def __init__(self, folder: Folder, place: str, name: str) -> None:
        self._folder = folder
        self._place = place
        self._name = name

    def take(self, path: Callable[[str], str], parts: Sequence[Part]) -> None:
        """Move the files of a log here that has a new base; what has no moment is left.  May take long, from any thread.

        The base is moved last: if that is interrupted, the same parts can be taken once more.
        """
        bases = [part for part in parts if not part.name.endswith(".incr.aof")]
        try:
            moment = moment_of(self._folder, path(bases[0].name)) if len(bases) == 1 else None
            if moment is not None:
                self._take(path, bases[0], [part for part in parts if part is not bases[0]], moment)
        except OSError as error:
            logger.warning("Can't keep the past of the append-only file: %s", error)

    def _take(self, path: Callable[[str], str], base: Part, increments: Sequence[Part], moment: int) -> None:
        place = os.path.join(self._place, str(moment))
        self._folder.make(place)
        manifest = Manifest(replace(base, kind=BASE), tuple(replace(part, kind=INCREMENT) for part in increments))
        write_manifest(self._folder, os.path.join(place, self._name), manifest)
        for part in (*increments, base):
            try:
                self._folder.move(path(part.name), os.path.join(place, part.name))
            except FileNotFoundError:
                if part is base:
                    raise

    def moments(self) -> list[int]:
        """The moments of the bases, the oldest first."""
        return sorted(int(name) for name in self._folder.names(self._place) if name.isdigit())

    def since(self, moment: int) -> Past:
        """The log from one of `moments` on; raises OSError, also where its manifest is damaged."""
        place = os.path.join(self._place, str(moment))
        try:
            manifest = read_manifest(self._folder, os.path.join(place, self._name))
        except BadManifest as error:
            raise OSError(f"{place}: {error.args[0]}") from None
        return Past(moment, manifest, place)

    def forget_before(self, moment: int) -> None:
        """Delete what reaches to no later moment.  May take long, from any thread."""
        moments = self.moments()
        for begins, ends in pairwise(moments):
            if ends <= moment:
                self._folder.remove_folder(os.path.join(self._place, str(begins)))
