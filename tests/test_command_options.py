"""The reader of commands' options: what it takes, where it stops, and which error it raises."""

import pytest

from emulator.commands.options import (
    FLAG,
    TEXT,
    at_least,
    if_any,
    last_given,
    leading_options,
    once,
    read_options,
    rivals,
)
from emulator.protocol.errors import SYNTAX, CommandError

KNOWN = {
    b"FLAG": FLAG,
    b"OTHER": FLAG,
    b"TEXT": TEXT,
    b"COUNT": at_least(1, "ERR too small", "ERR no integer", most=9),
    b"REST": (len, lambda *words: words),
    b"NAMED": (if_any, lambda *words: words),
}


def refusal(*words, rules=None, error=SYNTAX):
    with pytest.raises(CommandError) as raised:
        read_options(words, KNOWN, rules or {}, error)
    return str(raised.value)


def test_words_of_any_case_and_their_values():
    assert read_options((b"flag", b"Text", b"x", b"COUNT", b"3"), KNOWN) == {b"FLAG": True, b"TEXT": b"x", b"COUNT": 3}
    assert read_options((), KNOWN) == {}


def test_the_number_of_words_may_depend_on_those_that_are_left():
    assert read_options((b"REST", b"FLAG", b"x"), KNOWN) == {b"REST": (b"FLAG", b"x")}
    assert read_options((b"NAMED",), KNOWN) == {b"NAMED": ()}


def test_the_last_one_given_counts():
    given = read_options((b"FLAG", b"COUNT", b"1", b"OTHER", b"COUNT", b"2", b"FLAG"), KNOWN)
    assert given[b"COUNT"] == 2
    assert last_given(given, (b"FLAG", b"OTHER")) == b"FLAG"
    assert last_given(given, (b"TEXT",), b"none") == b"none"


def test_the_error_names_the_word_that_is_no_option():
    assert refusal(b"FLAG", b"so-{}-so") == SYNTAX
    assert refusal(b"FLAG", b"so-{}-so", error="ERR not '{}'") == "ERR not 'so-{}-so'"
    assert refusal(b"TEXT", error="ERR not '{}'") == "ERR not 'TEXT'"


def test_the_first_mistake_is_answered():
    assert refusal(b"COUNT", b"x", b"nosuch") == "ERR no integer"
    assert refusal(b"COUNT", b"0", b"COUNT", b"x") == "ERR too small"
    assert refusal(b"COUNT", b"10", b"TEXT") == "ERR too small"
    assert refusal(b"nosuch", b"COUNT", b"x") == SYNTAX


def test_rivals_may_be_repeated_and_not_joined():
    rules = rivals(b"FLAG", b"OTHER", error="ERR one of them")
    assert read_options((b"FLAG", b"FLAG"), KNOWN, rules) == {b"FLAG": True}
    assert refusal(b"FLAG", b"OTHER", rules=rules) == "ERR one of them"


def test_once_is_once():
    rules = once(b"FLAG", b"OTHER") | once(b"TEXT", error="ERR one text")
    assert refusal(b"FLAG", b"FLAG", rules=rules) == SYNTAX
    assert refusal(b"FLAG", b"OTHER", rules=rules) == SYNTAX
    assert refusal(b"TEXT", b"a", b"TEXT", b"b", rules=rules) == "ERR one text"


def test_leading_options_end_at_the_first_other_word():
    assert leading_options((b"FLAG", b"x", b"FLAG"), KNOWN) == ({b"FLAG": True}, (b"x", b"FLAG"))
    assert leading_options((b"FLAG", b"TEXT"), KNOWN) == ({b"FLAG": True}, (b"TEXT",))
    assert leading_options((b"FLAG", b"FLAG"), KNOWN, once(b"FLAG")) == ({b"FLAG": True}, (b"FLAG",))
