"""Factories of notebook cells and scripts travel as source: real cells, a real script, and the registry as the reader.

Each runs in a process of its own, because IPython takes over ``__main__``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from workbench.errors import FactoryError
from workbench.models.identity import code_identity, reached_files
from workbench.models.source import write_source
from workbench.registry import load

NOTEBOOK = """
import json, pathlib, sys
from IPython.core.interactiveshell import InteractiveShell
cells, name, folder = json.loads(sys.argv[1])
shell = InteractiveShell.instance()
for cell in cells:
    shell.run_cell(cell).raise_error()
from workbench.models.source import write_source
print("WRITTEN", json.dumps(write_source(shell.user_ns[name], pathlib.Path(folder)), default=str))
"""


def in_process(arguments: list[str], folder: Path) -> str:
    """Run Python in ``folder`` and return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), "IPYTHONDIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def notebook(tmp_path: Path, cells: list[str], name: str = "build") -> str:
    """Run cells, write the source of ``name``, and return what was printed."""
    arguments = json.dumps([[dedent(cell) for cell in cells], name, str(tmp_path / "cells")])
    return in_process(["-c", NOTEBOOK, arguments], tmp_path)


def reference_of(output: str) -> tuple[str, Path]:
    assert output.startswith("WRITTEN "), output
    reference, root = json.loads(output.removeprefix("WRITTEN "))
    return reference, Path(root)


def test_a_function_of_a_cell_brings_all_that_it_uses(tmp_path):
    cells = [
        """
        import math
        import os.path as osp
        import xml.etree.ElementTree
        import xml
        from collections import OrderedDict as Ordered
        from math import sqrt
        SCALE, NAMES, WORST = 3, ("a", {"b": [1.5, None]}), float("-inf")
        CHOICES = {"x", "y"}
        """,
        """
        # helpers
        def helper(x):
            return math.floor(sqrt(x)) * SCALE

        class Base:
            factor = 2

        class Block(Base):
            '''A class of a cell.'''
            def __init__(self, value):
                super().__init__()
                self.value = value * self.factor

            def other(self):
                return helper(self.value)

        class Plain: kind = "plain"

        BLOCKS = {"block": Block, "sqrt": sqrt, "helper": helper}
        """,
        """
        from functools import lru_cache

        @lru_cache(maxsize=None)
        def cached(n: "Anything") -> Ordered:
            return n if n < 2 else cached(n - 1) + cached(n - 2)

        def is_even(n): return n == 0 or is_odd(n - 1)
        def is_odd(n): return n != 0 and is_even(n - 1)
        alias = helper

        def build(hp, problem, times=SCALE):
            # an unused mention of a string: "helper"
            block = BLOCKS["block"](2)
            tree = xml.etree.ElementTree.Element(Plain.kind)
            return (helper(16), block.other(), alias(4), cached(10), is_even(4), NAMES, WORST, sorted(CHOICES), times,
                    Ordered(a=1)["a"], osp.join("a", "b"), tree.tag, BLOCKS["sqrt"](9.0))
        """,
    ]
    reference, root = reference_of(notebook(tmp_path, cells))
    built = load(reference, root)(None, None)
    expected = (12, 6, 6, 55, True, ("a", {"b": [1.5, None]}), float("-inf"), ["x", "y"], 3, 1, "a/b", "plain", 3.0)
    assert built == expected
    assert reference_of(notebook(tmp_path, cells)) == (reference, root), "the same cells give the same file"
    assert reached_files(reference, root) == ((root / f"{reference.partition(':')[0]}.py").resolve(),)


def test_the_latest_definition_counts_and_comments_do_not_change_identity(tmp_path):
    old, new = "def helper(): return 1", "def helper(): return 2"
    build = "def build(hp):\n    return helper()"
    reference, root = reference_of(notebook(tmp_path, [old, build, new]))
    assert load(reference, root)(None) == 2
    commented, _ = reference_of(notebook(tmp_path, [new + "  # two", build]))
    assert code_identity(commented, root) == code_identity(reference, root)
    first, _ = reference_of(notebook(tmp_path, [old, build]))
    assert code_identity(first, root) != code_identity(reference, root)


def test_a_class_of_a_cell_travels_with_its_decorators(tmp_path):
    cells = [
        """
        from dataclasses import dataclass
        def mark(cls):
            cls.marked = LIMIT
            return cls
        LIMIT = 4
        """,
        """
        @mark
        @dataclass
        class Model:
            width: int = LIMIT
            def build(self, hp):
                return self.width, self.marked, REGISTRY[0] is Model
        REGISTRY = [Model]
        """,
    ]
    reference, root = reference_of(notebook(tmp_path, cells, "Model"))
    assert load(reference, root)().build(None) == (4, 4, True)


def test_a_redefined_class_is_found_in_its_own_cell(tmp_path):
    cells = ["class M:\n    def build(self, hp): return 1", "class M:\n    def build(self, hp): return 2"]
    reference, root = reference_of(notebook(tmp_path, cells, "M"))
    assert load(reference, root)().build(None) == 2


def test_files_beside_the_notebook_travel_too(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "deep.py").write_text("from constants_of_mine import K\ndef deep(): return K\n")
    (tmp_path / "constants_of_mine.py").write_text("K = 7\n")
    (tmp_path / "late_of_mine.py").write_text("LATE = 8\n")
    cells = [
        "import pkg.deep\nimport pkg.deep as d\nfrom pkg.deep import deep as f\nfrom constants_of_mine import K",
        "def build(hp):\n    from late_of_mine import LATE\n    return pkg.deep.deep(), d.deep(), f(), K, LATE",
    ]
    reference, root = reference_of(notebook(tmp_path, cells))
    for name in ("pkg/deep.py", "constants_of_mine.py", "late_of_mine.py"):
        (tmp_path / name).unlink()
    reader = "import pathlib, sys, workbench.registry as r; print(r.load(sys.argv[1], pathlib.Path(sys.argv[2]))(0))"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert in_process(["-c", reader, reference, str(root)], elsewhere) == "(7, 7, 7, 7, 8)"
    assert len(reached_files(reference, root)) == 5


REFUSED = [
    ("build = lambda hp: 1", r"is a lambda"),
    ("def make(n):\n    def build(hp): return n\n    return build\nbuild = make(3)", r"closure over 'n'"),
    ("f = lambda x: x\ndef build(hp): return f(1)", r"'f', which factory 'build' uses, is a lambda"),
    ("model = object()\ndef build(hp): return model", r"'model', which factory 'build' uses, is an object of object"),
    ("TABLE = {'a': [object()]}\ndef build(hp): return TABLE", r"'TABLE', which factory 'build' uses, is an object"),
    ("BIG = list(range(100_000))\ndef build(hp): return BIG", r"'BIG'.* characters as source"),
    ("class M:\n    def build(self, hp): return 1\nbuild = M()", r"the class instead of its instance"),
    ("class M:\n    def build(self, hp): return 1\nbuild = M().build", r"is a method; expected a function"),
    ("def deco(f):\n    def g(hp): return f(hp)\n    return g\n@deco\ndef build(hp): return 1", r"closure over 'f'"),
    ("def f(hp): return 1\nimport functools\nbuild = functools.lru_cache(f)", r"wrapped by a call"),
    ("exec('def build(hp): return 1')", r"the source of factory 'build' is not known"),
    ("def build(hp):\n    %time 1\n    return 1", r"factory 'build' uses a notebook's magic"),
    ("def a():\n    class build: pass\n    return build\nbuild = a()", r"a class made inside a function"),
]

SEVERAL = """
import json, pathlib, sys
from IPython.core.interactiveshell import InteractiveShell
from workbench.errors import FactoryError
from workbench.models.source import write_source
shell = InteractiveShell.instance()
answers = []
for cell in json.loads(sys.argv[1]):
    shell.run_cell(cell).raise_error()
    try:
        answers.append(f"WRITTEN {write_source(shell.user_ns['build'], pathlib.Path('cells'))}")
    except FactoryError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> list[str]:
    """What is said to each of the refused cells, in one process: starting IPython is slow."""
    done = in_process(["-c", SEVERAL, json.dumps([cell for cell, _ in REFUSED])], tmp_path_factory.mktemp("refused"))
    found: list[str] = json.loads(done)
    return found


@pytest.mark.parametrize("case", range(len(REFUSED)), ids=[pattern for _, pattern in REFUSED])
def test_what_cannot_travel_is_named(answers, case):
    assert re.search(REFUSED[case][1], answers[case]), answers[case]
    assert not answers[case].startswith("WRITTEN")


def test_a_function_of_a_script_without_a_guard(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        dedent(
            """
            import json, math, sys
            from pathlib import Path
            from workbench.models.source import write_source

            DEPTH = 2

            class Part:
                depth = DEPTH

            def build(hp, problem):
                return Part.depth + math.floor(1.5)

            print("WRITTEN", json.dumps(write_source(build, Path(sys.argv[1])), default=str))
            """
        )
    )
    reference, root = reference_of(in_process([str(script), str(tmp_path / "cells")], tmp_path))
    assert load(reference, root)(None, None) == 3
    assert "Path" not in (root / f"{reference.partition(':')[0]}.py").read_text(), "only what is used travels"


def test_a_function_of_a_file_gives_the_files_reference(tmp_path, monkeypatch):
    (tmp_path / "lab_of_mine.py").write_text("def build(hp): return 5\nhidden = (lambda: (lambda hp: 1))()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import lab_of_mine  # type: ignore[import-not-found]

    reference, root = write_source(lab_of_mine.build, tmp_path / "cells")
    assert (reference, root) == ("lab_of_mine:build", tmp_path.resolve())
    assert load(reference, root)(None) == 5
    assert not (tmp_path / "cells").exists()
    with pytest.raises(FactoryError, match="has no attribute '<lambda>'"):
        write_source(lab_of_mine.hidden, tmp_path / "cells")


def test_an_installed_function_has_no_folder(tmp_path):
    from workbench.models.dummy import build

    assert write_source(build, tmp_path) == ("workbench.models.dummy:build", None)


def test_a_cell_of_a_running_kernel(tmp_path):
    """A kernel names its cells otherwise than IPython's shell: as files that do not exist."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    cells = [
        "class Width:\n    value = 3\n    def get(self): return self.value",
        "def build(hp): return Width().get()",
        "import pathlib\nfrom workbench.models.source import write_source\n"
        "reference, root = write_source(build, pathlib.Path('cells'))\nprint('WRITTEN', reference)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(book, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    reference = book.cells[-1].outputs[0].text.removeprefix("WRITTEN ").strip()
    assert load(reference, tmp_path / "cells")(None) == 3
