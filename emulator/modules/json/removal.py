"""Taking values out of documents.

An object keeps its members in the order in which they came, but when one goes, the last one takes its place, as in the
real module.  Python's dicts close the gap instead; so who takes out several does it by a list, once for each object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from emulator.modules.json.document import Document
from emulator.modules.json.measure import Json, frame, text_size, weight
from emulator.modules.json.steps import Place


def remove(document: Document, places: Sequence[Place]) -> int:
    """Take out what stands at places; how many there were, those within others not counted.  O(n) of what is touched."""
    gone: set[int] = set()
    by_container: dict[int, tuple[Json, dict[str | int, None]]] = {}
    for container, key, value in places:
        if id(container) not in gone:
            by_container.setdefault(id(container), (container, {}))[1][key] = None
            _note(value, gone)
    if document.is_weighed:
        lost = [_weight_of(container, keys) for container, keys in by_container.values() if id(container) not in gone]
        document.grew(-sum(lost))
    for container, keys in by_container.values():
        if isinstance(container, list):
            container[:] = [value for at, value in enumerate(container) if at not in keys]
        else:
            _remove_members(container, reversed([str(key) for key in keys]))
    return sum(len(keys) for _, keys in by_container.values())


def _weight_of(container: Json, keys: Collection[str | int]) -> int:
    """By how many bytes a container is less without some of its parts.  O(n) of these."""
    kind, count = container.__class__, len(container)
    names = sum([text_size(key) for key in keys if isinstance(key, str)])
    parts = sum([weight(container[key]) for key in keys])
    return names + parts + frame(kind, count) - frame(kind, count - len(keys))


def _note(value: Json, gone: set[int]) -> None:
    """Enter the arrays and objects that go with a value."""
    if value.__class__ not in (dict, list) or id(value) in gone:
        return
    gone.add(id(value))
    for part in value.values() if isinstance(value, dict) else value:
        _note(part, gone)


def _remove_members(members: dict[str, Json], names: Iterable[str]) -> None:
    order = _Order(members)
    for name in names:
        order.remove(name)
        del members[name]
    order.impose(members)


class _Order:
    """The names of an object's members in the order that the real module has them in."""

    def __init__(self, members: dict[str, Json]) -> None:
        self.names = list(members)
        self.places = {name: at for at, name in enumerate(self.names)}

    def add(self, name: str) -> None:
        self.places[name] = len(self.names)
        self.names.append(name)

    def remove(self, name: str) -> None:
        """Take a name out: the last one comes in its place."""
        last = self.names.pop()
        at = self.places.pop(name)
        if last != name:
            self.names[at] = last
            self.places[last] = at

    def impose(self, members: dict[str, Json]) -> None:
        """Give the object, which has just these members, this order."""
        ordered = {name: members[name] for name in self.names}
        members.clear()
        members.update(ordered)


def merged(value: Json, patch: Json) -> Json:
    """A value with a patch merged into it, which it may keep parts of.  O(n)."""
    if not isinstance(patch, dict):
        return patch
    target: dict[str, Json] = value if isinstance(value, dict) else {}
    order = _Order(target) if None in patch.values() else None
    for name, part in patch.items():
        if part is not None:
            if order is not None and name not in target:
                order.add(name)
            target[name] = merged(target.get(name), part)
        elif order is not None and name in target:
            order.remove(name)
            del target[name]
    if order is not None:
        order.impose(target)
    return target
