"""Pages of the documentation as programs.

- A Python block is run, all of a page's in one script and in one namespace.
- A `sh` block is run by bash, in the same folder, at its place between the Python blocks.
- A block with a title, as ```` ```yaml title="titanic/experiment.yaml" ````, is a file that is written there.
- A page that says `<!-- continues ../tutorial.md -->` goes on in the folder and the namespace of that page.
- A comment `<!-- not run: reason -->` on the line above exempts a block.
- YAML that is not a file is part of an experiment.yaml, and must be valid in one.
- `text` blocks are output. They are not compared: they hold seconds, dates and folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?:<!-- (?P<comment>[^\n]*) -->\n)?(?P<indent> *)```(?P<language>\w+)(?P<options>[^\n]*)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_CONTINUES = re.compile(r"^<!-- continues (\S+) -->$", re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    line: int
    language: str
    text: str
    file: str | None
    exempt: str | None
    """Why it is not run."""


def blocks(page: Path) -> Iterator[Block]:
    """Yield a page's blocks in order."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        comment, title = found["comment"] or "", _TITLE.search(found["options"])
        yield Block(
            line=text.count("\n", 0, found.start()) + 1,
            language=found["language"],
            text=re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            file=title[1] if title else None,
            exempt=comment.removeprefix("not run: ") if comment.startswith("not run:") else None,
        )


def courses(pages: Iterable[Path]) -> list[tuple[Path, ...]]:
    """Return the pages that begin by themselves, each with those that continue it."""
    continued = {page: _continued(page) for page in pages}
    return [
        (page, *(other for other, first in continued.items() if first == page))
        for page, first in continued.items()
        if first is None
    ]


def _continued(page: Path) -> Path | None:
    found = _CONTINUES.search(page.read_text(encoding="utf-8"))
    return (page.parent / found[1]).resolve() if found else None


def script(course: Iterable[Path]) -> str:
    """Return pages as one Python program; empty if nothing of them is to be run."""
    parts = [_statement(block, page.name) for page in course for block in blocks(page) if not block.exempt]
    if not any(part.runs for part in parts if part):
        return ""
    head = "import subprocess as _subprocess\nfrom pathlib import Path as _Path\n"
    return head + "\n".join(part.text for part in parts if part)


@dataclass(frozen=True)
class _Part:
    text: str
    runs: bool


def _statement(block: Block, page: str) -> _Part | None:
    place = f"# {page}, line {block.line}\n"
    if block.file:
        file = f"_Path({block.file!r})"
        return _Part(
            f"{place}{file}.parent.mkdir(parents=True, exist_ok=True)\n{file}.write_text({block.text!r})", False
        )
    if block.language == "python":
        return _Part(place + block.text, True)
    if block.language == "sh":
        return _Part(f"{place}_subprocess.run(['bash', '-euo', 'pipefail', '-c', {block.text!r}], check=True)", True)
    return None
