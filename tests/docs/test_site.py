"""The site builds without a warning, and without anything that is fetched from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(
    r'<(?:script|img|iframe)[^>]+src="https?://[^"]+|<link[^>]+rel="stylesheet"[^>]+href="https?://[^"]+'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a broken link, anchor, reference or docstring is a warning, and so an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "true"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


def test_nothing_is_fetched_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    assert [(page.name, found) for page in pages for found in FETCHED.findall(page.read_text())] == []


def test_every_key_of_the_configuration_is_on_its_page(site):
    from workbench.config.models import DataConfig, ExperimentConfig, FoldsConfig, TrainingConfig

    text = (site / "reference" / "configuration.html").read_text()
    models = (ExperimentConfig, DataConfig, FoldsConfig, TrainingConfig)
    assert [key for model in models for key in model.model_fields if f"<code>{key}</code>" not in text] == []


def test_what_the_package_exports_is_on_the_python_page(site):
    import workbench

    anchors = set(re.findall(r'id="workbench\.([\w.]+)"', (site / "reference" / "python.html").read_text()))
    assert set(workbench.__all__) <= {anchor.rpartition(".")[2] for anchor in anchors}
