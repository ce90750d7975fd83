"""A node as a line of text: what CLUSTER NODES tells and what the file of nodes keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from emulator.cluster.state import (
    FAIL,
    HANDSHAKE,
    MASTER,
    MYSELF,
    NOADDR,
    NOFAILOVER,
    PFAIL,
    REPLICA,
    Node,
    State,
    ranges,
)

_WORDS: Final = {
    MYSELF: b"myself",
    MASTER: b"master",
    REPLICA: b"slave",
    PFAIL: b"fail?",
    FAIL: b"fail",
    HANDSHAKE: b"handshake",
    NOADDR: b"noaddr",
    NOFAILOVER: b"nofailover",
}
_FLAGS: Final = {word: flag for flag, word in _WORDS.items()}
_NO_FLAGS: Final = b"noflags"


class BadLine(Exception):
    """The file of nodes cannot be read."""


def flag_words(flags: int) -> bytes:
    """The flags of a node in words."""
    return b",".join([word for flag, word in _WORDS.items() if flags & flag]) or _NO_FLAGS


def slot_words(slots: int) -> Iterator[bytes]:
    """Slots as ``0-100`` and ``7``."""
    for first, last in ranges(slots):
        yield b"%d" % first if first == last else b"%d-%d" % (first, last)


def node_line(
    node: Node, state: State, auxiliary: Sequence[tuple[bytes, bytes]] = (), port: int | None = None
) -> bytes:
    """The line of a node, for CLUSTER NODES or with `auxiliary` fields for the file; `port` where it is not the usual one."""
    address = b"%b:%d@%d" % (node.ip, node.port if port is None else port, node.cport)
    if auxiliary or node.hostname:
        address += b"," + node.hostname
    words = [
        node.id,
        address + b"".join([b",%b=%b" % field for field in auxiliary]),
        flag_words(node.flags),
        b"-" if node.master is None else node.master.id,
        b"%d" % node.ping_sent,
        b"%d" % node.pong_received,
        b"%d" % (node if node.master is None else node.master).config_epoch,
        b"connected" if node.is_connected else b"disconnected",
        *slot_words(node.slots),
    ]
    if node.is_myself:
        moved = [(slot, b"[%d->-%b]" % (slot, other.id)) for slot, other in state.migrating.items()]
        moved += [(slot, b"[%d-<-%b]" % (slot, other.id)) for slot, other in state.importing.items()]
        words += [word for _, word in sorted(moved)]
    return b" ".join(words)


def state_text(state: State) -> bytes:
    """The file of nodes."""
    lines = [node_line(node, state, _auxiliary(node)) for node in state.nodes.values() if not node.flags & HANDSHAKE]
    lines.append(b"vars currentEpoch %d lastVoteEpoch %d" % (state.current_epoch, state.last_vote_epoch))
    return b"\n".join(lines) + b"\n"


def _auxiliary(node: Node) -> list[tuple[bytes, bytes]]:
    fields = [(b"nodename", node.human_name), (b"availability-zone", node.availability_zone)]
    told = [(name, value) for name, value in fields if value]
    return [*told, (b"tls-port", b"%d" % node.other_port), (b"shard-id", node.shard_id)]


def read_state(text: bytes, state: State) -> None:
    """Take over what a file of nodes tells, into a state of this node alone; raises `BadLine`."""
    reader = _Reader(state)
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == b"vars":
            reader.variables(words[1:])
        elif words:
            try:
                reader.node(words)
            except (ValueError, LookupError):
                raise BadLine(line.decode(errors="replace")) from None
    if not reader.found_myself:
        raise BadLine("no line of this node")


class _Reader:
    """Fills a state with nodes, line by line."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.found_myself = False

    def variables(self, words: Sequence[bytes]) -> None:
        for name, value in zip(words[::2], words[1::2], strict=False):
            if name == b"currentEpoch":
                self._state.current_epoch = int(value)
            elif name == b"lastVoteEpoch":
                self._state.last_vote_epoch = int(value)

    def node(self, words: Sequence[bytes]) -> None:
        state = self._state
        flags = sum(_FLAGS[word] for word in words[2].split(b",") if word != _NO_FLAGS)
        node = self._named(words[0])
        if flags & MYSELF:
            if state.myself is not node:
                state.remove(state.myself)
            state.myself = node
            self.found_myself = True
        node.flags = flags
        self._address(node, words[1])
        if words[3] != b"-":
            state.set_master(node, self._named(words[3]))
        node.config_epoch = int(words[6])
        for word in words[8:]:
            self._slots(node, word)

    def _named(self, node_id: bytes) -> Node:
        """The node of an id, which may be told of later."""
        known = self._state.nodes.get(node_id)
        return known or self._state.add(Node(node_id, node_id))

    def _address(self, node: Node, word: bytes) -> None:
        address, *more = word.split(b",")
        ip, _, ports = address.rpartition(b":")
        port, _, cport = ports.partition(b"@")
        node.ip, node.port, node.cport = ip, int(port), int(cport or 0)
        if more:
            node.hostname = more[0]
        for field in more[1:]:
            name, _, value = field.partition(b"=")
            if name == b"shard-id":
                node.shard_id = value
            elif name == b"nodename":
                node.human_name = value
            elif name == b"availability-zone":
                node.availability_zone = value
            elif name in (b"tls-port", b"tcp-port"):
                node.other_port = int(value)

    def _slots(self, node: Node, word: bytes) -> None:
        state = self._state
        if word.startswith(b"["):
            slot, arrow, other = word[1:-1].split(b"-", 2)
            moved = state.migrating if arrow == b">" else state.importing
            moved[int(slot)] = self._named(other)
            return
        first, _, last = word.partition(b"-")
        state.assign(node, range(int(first), int(last or first) + 1))
