"""The settings of a server made in Python: directives of redis.conf as keyword arguments, with underscores for hyphens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from emulator.config.directives import Config, ConfigError
from emulator.config.edition import REDIS_8_2, Edition, edition_named
from emulator.core.engine import Engine
from emulator.protocol.errors import CommandError
from emulator.protocol.inline import split_inline
from emulator.protocol.text import to_text
from emulator.suggestions import refuse_unknown

USER = "user"
COMPAT = "compat"


def configured(settings: Mapping[str, object], **before: object) -> Config:
    """A configuration with these settings, after those that they come `before` all others.

    A value is what redis.conf has, as text or as Python has it: ``True`` for ``yes``, a sequence for several words.  Raises
    TypeError for a name that there is not, ValueError for a value that it does not take.
    """
    given = before | {name.replace("-", "_"): value for name, value in settings.items()}
    config = Config(_edition(given.pop(COMPAT, REDIS_8_2.compat)))
    if any(name != USER and name.replace("_", "-") not in config.directives for name in given):
        known = [COMPAT, USER, *(name.replace("-", "_") for name in config.directives)]
        refuse_unknown("setting", given, known)
    for name, value in given.items():
        if name == USER:
            continue
        try:
            config.assign(name.replace("_", "-"), [as_directive(value)])
        except ConfigError as error:
            raise ValueError(f"{name}={value!r}: {error}") from None
    return config


def _edition(name: object) -> Edition:
    try:
        return edition_named(str(name))
    except ValueError as error:
        raise ValueError(f"{COMPAT}={name!r}: {error}") from None


def as_directive(value: object) -> str:
    """A value as Python has it, as redis.conf has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    return to_text(value) if isinstance(value, bytes) else str(value)


def enter_users(engine: Engine, settings: Mapping[str, object]) -> None:
    """Let an engine know the users of the setting ``user`` (a line of redis.conf or several) and of its ``aclfile``.

    Raises ValueError where they are not as they should be.
    """
    lines = settings.get(USER, ())
    try:
        engine.acl.declare([split_inline(line.encode()) or [] for line in _lines(lines)])
        if engine.config.aclfile:
            engine.acl.load()
    except CommandError as error:
        raise ValueError(str(error).removeprefix("ERR ")) from None


def _lines(value: object) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, (tuple, list)):
        return [str(line) for line in value]
    raise TypeError(f"user={value!r}: a line as in redis.conf, or a list of them")


def login(config: Config, given: Mapping[str, object]) -> dict[str, str]:
    """The argument by which a client is the default user, unless those `given` say who it is."""
    says = not given.keys().isdisjoint(("username", "password", "credential_provider"))
    return {} if says or not config.requirepass else {"password": config.requirepass}
