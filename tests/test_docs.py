"""What the documents say is so: links lead somewhere, Python blocks run, commands exist."""

import ast
import re
import subprocess
import sys

import pytest

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def documents(repository):
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=repository, capture_output=True, text=True, check=True)
    return [repository / name for name in listed.stdout.split()]


@pytest.fixture(scope="module")
def readme_blocks(repository):
    return BLOCK.findall((repository / "README.md").read_text())


def test_links_lead_to_files(documents):
    broken = [
        f"{document.name}: {target}"
        for document in documents
        for target in LINK.findall(document.read_text())
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


def test_python_blocks_are_python(documents):
    blocks = [block for document in documents for block in BLOCK.findall(document.read_text())]
    assert len(blocks) >= 2
    for block in blocks:
        ast.parse(block)


def test_the_readme_names_every_command(repository):
    from workbench.cli import app

    text = (repository / "README.md").read_text()
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert [name for name in names if not re.search(rf"workbench [a-z\\|]*{name}", text)] == []


@pytest.mark.slow
def test_the_readmes_python_runs(readme_blocks, tmp_path):
    """The block 'From Python', on a table like its own, with fewer trials and trees."""
    from tests.sweep.conftest import write_tables

    (tmp_path / "titanic").mkdir()
    write_tables(tmp_path / "titanic")
    for name in ("train", "test"):
        path = tmp_path / "titanic" / f"{name}.csv"
        path.write_text(
            path.read_text().replace("id,a,b,kind,y", "PassengerId,a,b,kind,Survived").replace("id,", "PassengerId,", 1)
        )
    (block,) = [block for block in readme_blocks if "workbench.run" in block]
    (tmp_path / "run.py").write_text(
        block.replace('"trials": 10', '"trials": 1').replace("n_estimators=300", "n_estimators=20")
    )
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("submission.csv")


@pytest.mark.keras
def test_the_readmes_factory_builds(readme_blocks, tmp_path):
    from workbench import registry
    from workbench.models.factory import call_factory
    from workbench.models.hyperparameters import HyperParameters
    from workbench.models.problem import Problem
    from workbench.types import InputSchema

    (block,) = [block for block in readme_blocks if "def my_model" in block]
    (tmp_path / "factories.py").write_text(block)
    problem = Problem("binary", "auc", (0, 1), InputSchema(numeric=("a",), categorical=("b",), sizes=(3,)), 100)
    hp = HyperParameters()
    model = call_factory(registry.load("factories:my_model", tmp_path), hp, problem)
    assert model.output_shape == (None, 1)
    assert set(hp.used) == {"embedding", "depth", "units", "lr"}
