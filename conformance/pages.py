"""Parts of pages that are made instead of written: each stands between two marks, and a test holds that it is current."""

from __future__ import annotations

from conformance import servers

DOCS = servers.ROOT / "docs"


def written(page: str, command: str, made: str) -> str:
    """The text of a page with what ``python -m COMMAND`` has made between its marks; ValueError without marks."""
    begin = f"<!-- made by `python -m {command}` -->"
    end = f"<!-- end of {command} -->"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ValueError(f"the page has no marks for {command}")
    return f"{before}{begin}\n\n{made}\n\n{end}{after}"
