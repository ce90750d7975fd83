"""The examples of the README run as they stand, but for those that want a port of their own."""

import re
from pathlib import Path

import pytest

from tests.test_pytest_plugin import pytest_on

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
BEFORE, _, REST = README.read_text().partition("## Recipes\n")
RECIPES, _, AFTER = REST.partition("\n## ")
EXAMPLES = BLOCK.findall(BEFORE + AFTER)


@pytest.mark.parametrize("example", [text for text in EXAMPLES if not re.search(r"port ?=", text)])
def test_an_example_runs(example):
    exec(compile(example, str(README), "exec"), {"__name__": "example"})


@pytest.mark.parametrize("recipe", RECIPES.split("\n### ")[1:], ids=lambda recipe: recipe.partition("\n")[0])
def test_a_recipe_works(tmp_path, recipe):
    pytest.importorskip(recipe.partition("\n")[0].lower())
    for block in BLOCK.findall(recipe):
        name, _, text = block.partition("\n")
        (tmp_path / name.removeprefix("# ")).write_text(text)
    output, status = pytest_on(tmp_path, "-p", "no:warnings")
    assert status == 0 and " passed" in output, output


def test_there_are_examples_and_recipes():
    assert len(EXAMPLES) >= 8 and len(BLOCK.findall(RECIPES)) >= 8
