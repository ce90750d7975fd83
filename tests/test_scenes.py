"""Scenes of several clients: a short play against the real Redis, and what comes of a difference."""

import contextlib
from random import Random

import pytest

from conformance import servers
from conformance.scenes import main
from conformance.scenes.scene import CLIENTS, Author, text_of


@pytest.mark.parametrize("seed", [1, 2])
def test_a_short_play_finds_nothing(seed, oracle_present, capsys):
    assert main(["--seed", str(seed), "--scenes", "25"]) == 0, capsys.readouterr().out


def test_a_difference_is_found_and_shrunk(capsys):
    """The emulator against itself, one of the two without a command by which clients are served."""
    with contextlib.ExitStack() as stack:
        ports = [servers.free_port(), servers.free_port()]
        for port, options in zip(ports, [(), ("--rename-command", "RPUSH", "")], strict=True):
            stack.enter_context(servers.running(servers.emulator_command(port, *options), port))
        addresses = ["--subject", f"127.0.0.1:{ports[1]}", "--oracle", f"127.0.0.1:{ports[0]}"]
        assert main([*addresses, "--scenes", "3", "--differences", "1"]) == 1
    shown, clients = capsys.readouterr().out.split("client ", 1)
    assert "RPUSH" in shown
    assert len(shown.strip().splitlines()) <= 2
    assert "unknown command 'RPUSH'" in clients


def test_the_same_seed_makes_the_same_scene():
    scenes = [Author(Random(seed)).scene() for seed in (3, 3, 4)]
    assert scenes[0] == scenes[1] != scenes[2]
    assert {client for client, _ in scenes[0]} == set(range(CLIENTS))
    assert "{" not in text_of(scenes[0])
