"""The documentation is run: `pages.py` says what of it, and how."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import blocks, courses, script
from workbench.config import config_from_mapping

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
SMALLEST = {"data": {"train": "train.csv", "target": "y"}, "metric": "accuracy"}
EXEMPT = 18
"""At most so many blocks of all pages are not run."""


def programs():
    for course in courses(PAGES):
        text = script(course)
        if text:
            marks = [pytest.mark.slow, pytest.mark.timeout(300)]
            marks += [pytest.mark.keras] if "keras" in text else []
            yield pytest.param(text, id=" ".join(page.relative_to(DOCS).as_posix() for page in course), marks=marks)


def every_block():
    return [(page, block) for page in PAGES for block in blocks(page)]


@pytest.mark.parametrize("text", list(programs()))
def test_pages_run(text, tmp_path):
    program = tmp_path / "page.py"
    program.write_text(text)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]


def test_yaml_is_a_valid_experiment():
    yamls = [(page, block) for page, block in every_block() if block.language == "yaml" and not block.exempt]
    assert yamls
    for page, block in yamls:
        given = yaml.safe_load(block.text)
        data = {**SMALLEST["data"], **given.get("data", {})}
        config_from_mapping({**SMALLEST, **given, "data": data}, f"{page.name}, line {block.line}")


def test_what_is_not_run_says_why_and_stays_rare():
    exempt = [block for _, block in every_block() if block.exempt]
    assert all(len(block.exempt) >= 8 for block in exempt)
    assert len(exempt) <= EXEMPT


def test_every_block_has_a_language_that_is_checked_or_is_output():
    known = {"python", "sh", "yaml", "toml", "text"}
    unknown = [
        f"{page.name}, line {block.line}: {block.language}"
        for page, block in every_block()
        if block.language not in known and not block.exempt
    ]
    assert unknown == []
