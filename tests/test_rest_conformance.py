"""Every command of the conformance cases by REST: what comes back is what SDKs can read."""

import base64
import json
from pathlib import Path

import pytest

import emulator
from conformance.cases import load_all
from tests.rest import TOKEN, Rest

pytest.importorskip("h11")

CASES = Path(__file__).parent.parent / "conformance" / "cases"
_NOT_HERE = (b"debug", b"shutdown", b"emulator", b"select", b"swapdb", b"migrate", b"acl", b"config", b"client")
GROUPS: dict[str, list] = {}
for case in load_all(CASES):
    if not case.restarts:
        GROUPS.setdefault(case.group, []).append(case)


@pytest.fixture(scope="module")
def rest():
    with emulator.Server(rest_port="auto", rest_token=TOKEN) as server:
        yield Rest(server.rest_url)


_DEEP = {b"local t={1} for i=1,1900 do t={t} end return t"}
"""Answers nested deeper than json.loads reads on Python 3.12 and later."""


def commands_of(group):
    for case in GROUPS[group]:
        yield [b"FLUSHALL"]
        for step in case.steps:
            if step.action != "command" or not step.replies or not step.words:
                continue
            if step.words[0].lower() not in _NOT_HERE and not _DEEP.intersection(step.words):
                yield step.words


def is_plain(value):
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in (str, int)


def is_encoded(value):
    """Whether every string within is base64 with its padding."""
    if isinstance(value, list):
        return all(map(is_encoded, value))
    return not isinstance(value, str) or bool(base64.b64decode(value, validate=True)) or value == ""


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("group", GROUPS)
def test_answers_are_made_of_strings_integers_null_and_arrays(rest, group):
    commands = [[word.decode("latin-1") for word in words] for words in commands_of(group)]
    for headers in ({}, {"Upstash-Encoding": "base64"}):
        status, answers = rest.post("/pipeline", json.dumps(commands), headers)
        assert status == 200 and len(answers) == len(commands)
        for command, answer in zip(commands, answers, strict=True):
            assert list(answer) in (["result"], ["error"]), command
            if "error" in answer:
                assert isinstance(answer["error"], str) and not answer["error"].startswith("ERR internal error"), (
                    command
                )
                continue
            assert is_plain(answer["result"]), command
            assert not headers or answer["result"] == "OK" or is_encoded(answer["result"]), command
