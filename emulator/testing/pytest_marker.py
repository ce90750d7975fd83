"""What a test asks of its Redis: ``@pytest.mark.redis(config={...}, db=3)``, and what all tests ask by ini options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from emulator.suggestions import refuse_unknown

MARKER: Final = (
    "redis(config, compat, db, decode_responses, protocol, patched_time): settings of the server for this test, as CONFIG "
    "SET takes them; which version it stands for; what its clients are like; whether the server's clock follows "
    "freezegun and time-machine"
)
_CONFIG: Final = "config"
_COMPAT: Final = "compat"
PATCHED_TIME: Final = "patched_time"
_OF_CLIENTS: Final = {"db": "string", "decode_responses": "bool", "protocol": "string"}
_HELP: Final = {
    "db": "the database of redis_client, async_redis_client and redis_url",
    "decode_responses": "whether redis_client and async_redis_client answer text instead of bytes",
    "protocol": "the protocol of redis_client and async_redis_client: 2 or 3",
    PATCHED_TIME: "let the clock of the server follow freezegun and time-machine",
}


def add_ini_options(parser: pytest.Parser) -> None:
    """``redis-emulator-db`` and its kin."""
    for name, help in _HELP.items():
        kind: Any = _OF_CLIENTS.get(name, "bool")
        parser.addini(_ini(name), help=help, type=kind, default=None)


def _ini(name: str) -> str:
    return f"redis-emulator-{name.replace('_', '-')}"


def asked(node: pytest.Item | pytest.Collector) -> dict[str, Any]:
    """All that the markers of a test or a module say; the nearest one counts."""
    said: dict[str, Any] = {}
    for marker in node.iter_markers("redis"):
        said = {**marker.kwargs, **said}
    return said


def settings_of(node: pytest.Item | pytest.Collector) -> dict[str, str]:
    """The directives that the markers of a test or a module set, as CONFIG SET takes them."""
    from emulator.testing.settings import as_directive

    return {name: as_directive(value) for name, value in asked(node).get(_CONFIG, {}).items()}


def check(item: pytest.Item) -> None:
    """Let a test fail whose markers ask for what there is not."""
    try:
        for marker in item.iter_markers("redis"):
            if marker.args:
                raise TypeError(f"the marker redis takes arguments by name only, not {marker.args[0]!r}")
            refuse_unknown("argument of the marker redis named", marker.kwargs, [_CONFIG, _COMPAT, *_HELP])
            if _COMPAT in marker.kwargs:
                _check_compat(marker.kwargs[_COMPAT])
            if _CONFIG in marker.kwargs:
                _check_settings(marker.kwargs[_CONFIG])
        said = asked(item)
        if _CONFIG in said:
            _try_settings(settings_of(item), said.get(_COMPAT))
    except TypeError as error:
        pytest.fail(str(error), pytrace=False)


def _check_compat(compat: object) -> None:
    from emulator.config.edition import edition_named

    try:
        edition_named(str(compat))
    except ValueError as error:
        raise TypeError(f"compat={compat!r}: {error}") from None


def _check_settings(settings: object) -> None:
    from emulator.config.directives import Config

    if not isinstance(settings, Mapping):
        raise TypeError(f"config={settings!r}: a dict of directives of redis.conf is wanted")
    refuse_unknown("setting", settings, Config.directives)


def _try_settings(settings: Mapping[str, str], compat: object) -> None:
    """Find out what CONFIG SET of an edition does not take, before a server is asked."""
    from emulator.config.directives import Config
    from emulator.config.edition import REDIS_8_2, edition_named
    from emulator.protocol.errors import CommandError
    from emulator.protocol.text import to_bytes

    config = Config(edition_named(str(compat or REDIS_8_2.compat)))
    for name, value in settings.items():
        try:
            config.set((to_bytes(name), to_bytes(value)), local=True)
        except CommandError as error:
            reason = str(error).rpartition(" - ")[2]
            raise TypeError(f"config={{{name!r}: {value!r}}}: {reason}") from None


def client_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The arguments of the clients that a test, or a module, uses."""
    said = asked(request.node)
    options = {name: _wish(request, said, name) for name in _OF_CLIENTS}
    numbers = {name: int(options[name]) for name in ("db", "protocol") if options[name] is not None}
    return numbers | ({"decode_responses": True} if options["decode_responses"] else {})


def wants_patched_time(request: pytest.FixtureRequest) -> bool:
    """Whether the clock of a test's server is to follow Python's, patched or not."""
    return bool(_wish(request, asked(request.node), PATCHED_TIME))


def _wish(request: pytest.FixtureRequest, said: Mapping[str, Any], name: str) -> Any:
    return said[name] if name in said else request.config.getini(_ini(name)) or None
