"""What the README prints works: its examples, its recipes, its options, what it installs and what it links to."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import redis

import emulator
from emulator.config import Config
from tests.test_pytest_plugin import pytest_on

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text()
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
BEFORE, _, REST = TEXT.partition("## Recipes\n")
RECIPES, _, AFTER = REST.partition("\n## ")
EXAMPLES = BLOCK.findall(BEFORE + AFTER)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example):
    with emulator.Server() as server:  # in the place of the one that the README has started
        text = example.replace("port=6379", f"port={server.port}")
        exec(compile(text, str(README), "exec"), {"__name__": "example"})


@pytest.mark.parametrize("recipe", RECIPES.split("\n### ")[1:], ids=lambda recipe: recipe.partition("\n")[0])
def test_a_recipe_works(tmp_path, recipe):
    pytest.importorskip(recipe.partition("\n")[0].lower())
    for block in BLOCK.findall(recipe):
        name, _, text = block.partition("\n")
        (tmp_path / name.removeprefix("# ")).write_text(text)
    output, status = pytest_on(tmp_path, "-p", "no:warnings")
    assert status == 0 and " passed" in output, output


def test_what_is_installed_is_there():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    installed = [
        word for line in re.findall(r"pip install ([^`&\n]+)", TEXT) for word in shlex.split(line.partition(")")[0])
    ]
    assert len(installed) > 8
    for word in installed:
        place, _, extra = word.partition("[")
        assert word in ("-e", "pytest", "redis") or place in (".", "./redis-emulator"), word
        assert not extra or extra.rstrip("]") in extras


def test_options_are_known():
    of_others = {"health-cmd", "health-interval", "upstream", "directive"}
    of_redis_cli = {"scan", "bigkeys", "stat", "latency", "pipe"}
    of_pytest = {"redis-emulator-url", "redis-emulator-strict", "redis-emulator-keyspaces"}
    named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", TEXT))
    assert named - of_others - of_redis_cli - of_pytest <= set(Config.directives)


@pytest.mark.parametrize("page", [README, *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert links and all((page.parent / link).exists() for link in links)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("SAVE", "persistence is not supported"),
        ("BGSAVE", "persistence is not supported"),
        ("BGREWRITEAOF", "persistence is not supported"),
        ("REPLICAOF host 6379", "replication is not supported"),
        ("PSYNC ? -1", "replication is not supported"),
        ("CLUSTER INFO", "This instance has cluster support disabled"),
        *(
            (f"{name} a b", "unknown command")
            for name in ("FT.SEARCH", "JSON.GET", "TS.ADD", "BF.ADD", "CMS.INFO", "TOPK.ADD")
        ),
    ],
)
def test_what_it_is_not_is_answered_by_an_error(command, answer):
    with pytest.raises(redis.ResponseError, match=answer):
        emulator.connect().execute_command(*command.split())
    assert emulator.connect().wait(1, 1) == 0


@pytest.mark.parametrize("option", ["--cluster-enabled yes", "--replicaof host 6379", "--sentinel"])
def test_a_server_that_it_is_not_does_not_start(option):
    command = [sys.executable, "-m", "emulator", "--port", "auto", *option.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "Ready to accept" not in done.stdout


def test_there_are_examples_and_recipes():
    assert len(EXAMPLES) >= 8 and len(BLOCK.findall(RECIPES)) >= 8
