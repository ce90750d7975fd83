"""The examples of the README run as they stand, but for those that want a port of their own."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.parametrize("example", [text for text in EXAMPLES if not re.search(r"port ?=", text)])
def test_an_example_runs(example):
    exec(compile(example, str(README), "exec"), {"__name__": "example"})


def test_there_are_examples():
    assert len(EXAMPLES) >= 4
