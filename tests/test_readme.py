"""What the README and the documentation print works: examples, recipes, options, what is installed and what is linked to."""

import base64
import re
import shlex
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest
import redis

import emulator
from emulator.config.directives import Config
from emulator.server.options import read_options
from tests.test_pytest_plugin import pytest_on

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)

SECTION = re.compile(r"^##+ (.*)$", re.MULTILINE)
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")
"""The first line of a block that is a file of a recipe, which is a section with nothing but files."""


def sections():
    """The blocks of Python of each section, with where it stands and its title."""
    for page in PAGES:
        title = page.stem
        for position, part in enumerate(SECTION.split(page.read_text())):
            if position % 2:
                title = part
            elif blocks := BLOCK.findall(part):
                yield f"{page.name}: {title}", title, blocks


RECIPES, SUITES, EXAMPLES = [], [], []
for place, title, blocks in sections():
    if any(map(FILE.match, blocks)):
        RECIPES.append(pytest.param(title, blocks, id=place))
        continue
    for block in blocks:
        (SUITES if "def test_" in block else EXAMPLES).append(pytest.param(block, id=place))


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with emulator.Server() as server:  # in the place of the one that the README has started
        text = example.replace("port=6379", f"port={server.port}")
        exec(compile(text, "example", "exec"), {"__name__": "example"})


@pytest.mark.parametrize("suite", SUITES)
def test_an_example_of_tests_passes(tmp_path, suite):
    passes(tmp_path, {"test_example.py": suite})


@pytest.mark.parametrize(("framework", "files"), RECIPES)
def test_a_recipe_works(tmp_path, framework, files):
    pytest.importorskip(framework.lower())
    passes(tmp_path, {FILE.match(text)[1]: text for text in files})


def passes(folder, files):
    """pytest finds tests in these files, and they pass."""
    for name, text in files.items():
        (folder / name).write_text(text)
    output, status = pytest_on(folder, "-p", "no:warnings", beside=("anyio", "asyncio"))
    assert status == 0 and " passed" in output and "skipped" not in output, output


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
    of_others = {"health-cmd", "health-interval", "upstream", "directive", "smoke", "sizes"}
    of_us = {"cluster", "cluster-replicas", "compat", "sentinel"}
    of_redis_cli = set(
        "cluster-yes scan bigkeys stat latency pipe rdb functions-rdb replica keystats ldb tls cacert".split()
    )
    of_rdb = {"largest", "summary", "load", "to", "drop", "replace"}
    of_upstash = {"backup-id", "db-id", "import", "input-type", "name", "region"}
    of_pytest = {"redis-emulator-url", "redis-emulator-strict", "redis-emulator-keyspaces", "redis-emulator-compat"}
    named = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", TEXT))
    assert named - of_others - of_us - of_redis_cli - of_rdb - of_upstash - of_pytest <= set(Config.directives)


@pytest.mark.parametrize(
    "line",
    sorted(
        {line for line in re.findall(r"`(--[^`]+ [^`]+)`", TEXT) if line[2:].partition(" ")[0] in Config.directives}
        | set(re.findall(r"python -m emulator (--[^`\n&|>]+)", TEXT))
    ),
)
def test_a_server_takes_the_options(line, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()  # a folder that is named has to be there
    monkeypatch.chdir(tmp_path)
    options = read_options(shlex.split(line), {})
    assert not options.unresolved


@pytest.mark.parametrize("line", sorted(set(re.findall(r"^curl .*http://127.*", TEXT, re.MULTILINE))))
def test_a_request_is_answered(line):
    words = [word for word in shlex.split(line) if word != "-N"]
    given = dict(zip(words[2::2], words[3::2], strict=True))
    account = given.get("-u", "")
    basic = f"Authorization: Basic {base64.b64encode(account.encode()).decode()}"
    name, _, value = given.get("-H", basic).partition(": ")
    with emulator.Server(rest_port="auto", rest_token="dev", cloud_port="auto", cloud_account=account) as server:
        url = (
            words[1]
            .replace("http://127.0.0.1:8079", server.rest_url)
            .replace("http://127.0.0.1:8080", server.cloud_url)
        )
        request = urllib.request.Request(url, given.get("-d", "").encode() or None, {name: value})
        with urllib.request.urlopen(request, timeout=60) as answer:
            expected = r'{"result":"OK"}|\[{"result":1},{"result":"1"}\]|data: subscribe,chat,1|{"database_id": '
            assert re.match(expected, answer.readline().decode())


def test_all_that_is_public_is_on_the_page_of_the_api():
    described = set(re.findall(r"^::: emulator\.(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE))
    assert described == set(emulator.__all__) - {"StrictRedis", "__version__"}


def test_the_readme_is_read_in_five_minutes():
    assert len(README.read_text().splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert all((page.parent / link).exists() for link in links)


def test_every_page_of_the_documentation_is_reached_from_its_home():
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "index.md").read_text()))
    assert linked == {page.name for page in PAGES[1:]} - {"index.md"}


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("REPLICAOF host 6379", "cannot be a replica"),
        ("CLUSTER INFO", "This instance has cluster support disabled"),
        *((f"{name} a b", "unknown command") for name in ("FT.SEARCH", "FT.CREATE")),
    ],
)
def test_what_it_is_not_is_answered_by_an_error(command, answer):
    with pytest.raises(redis.ResponseError, match=answer):
        emulator.connect().execute_command(*command.split())
    assert emulator.connect().wait(1, 1) == 0


def test_a_server_that_it_is_not_does_not_start():
    command = [sys.executable, "-m", "emulator", "--port", "auto", "--loadmodule", "search.so"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "Ready to accept" not in done.stdout


def test_there_are_examples_and_recipes():
    assert EXAMPLES and SUITES and RECIPES
    assert len(EXAMPLES) + len(SUITES) + sum(len(recipe.values[1]) for recipe in RECIPES) == TEXT.count("```python")
