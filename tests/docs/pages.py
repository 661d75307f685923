"""Pages of the documentation as programs.

- A Python block is run, all of a page's in one script and in one namespace.
- A `sh` block is run by bash, in the same folder, at its place between the Python blocks.
- A block with a title, as ```` ```yaml title="titanic/experiment.yaml" ````, is a file that is written there.
- A comment `<!-- not run: reason -->` on the line above exempts a block.
- YAML that is not a file is part of an experiment.yaml, and must be valid in one.
- `text` blocks are output. They are not compared: they hold seconds, dates and folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?:<!-- (?P<comment>[^\n]*) -->\n)?(?P<indent> *)```(?P<language>\w+)(?P<options>[^\n]*)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


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


def script(page: Path) -> str:
    """Return a page as one Python program; empty if nothing of it is to be run."""
    parts = [_statement(block, page.name) for block in blocks(page) if not block.exempt]
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


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, without those inside code."""
    return _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as MkDocs and GitHub make them of plain words."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in _HEADING.findall(text)}
