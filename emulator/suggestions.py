"""What somebody may have meant who wrote a word that there is not."""

from __future__ import annotations

from collections.abc import Iterable

_LIKENESS = 0.7


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, if any is."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), 1, _LIKENESS)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The question to put behind an error, with a space before it; nothing where no known word is like it."""
    near = nearest(word, known)
    return f" Did you mean {near!r}?" if near else ""


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise TypeError for the first of the arguments that is not known: ``there is no setting 'maxmemroy'.``"""
    known = list(known)
    for name in given:
        if name not in known:
            raise TypeError(f"there is no {what} {name!r}.{did_you_mean(name, known)}")
