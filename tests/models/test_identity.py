"""Code identity: what must change it, and what must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import FactoryError
from workbench.models.identity import code_identity, reached_files

BASE = {
    "factories.py": '''
"""Two factories."""
import math
import layers
from shared import SCALE, width as base_width
from numpy import exp

LIMIT = 3
SIZES = {}
SIZES["small"] = 8

def helper(x):
    return x + LIMIT

def first(hp, problem):
    """Docstring."""
    # comment
    return helper(hp.Int("n", 1, 4)) * SCALE

def second(hp, problem):
    from late import Late
    return Late(layers.Dense(base_width(exp(1)), SIZES["small"]))

def third(hp, problem):
    helper = layers.Other   # a local name: not the function above
    return helper
''',
    "layers.py": """
import shared
class Dense:
    def __init__(self, *args): self.args = args, shared.width(1)
class Other: pass
""",
    "shared.py": """
SCALE = 2
def width(x): return x
""",
    "late.py": """
class Late: pass
class Unused: pass
""",
    "untouched.py": "x = 1\n",
}
FACTORIES = ("first", "second", "third")


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def identities(root: Path) -> dict[str, str]:
    return {name: code_identity(f"factories:{name}", root) for name in FACTORIES}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("factories.py", "# comment", "# another\n    # comment", set()),
        ("factories.py", '"""Docstring."""', '"""Other words."""', set()),
        ("factories.py", '"""Two factories."""', "", set()),
        ("factories.py", 'helper(hp.Int("n", 1, 4))', "helper( hp.Int('n',1,4) )", set()),
        ("factories.py", "import math\n", "", set()),
        ("factories.py", "1, 4", "1, 5", {"first"}),
        ("factories.py", "LIMIT = 3", "LIMIT = 4", {"first"}),
        ("factories.py", "x + LIMIT", "x - LIMIT", {"first"}),
        ("factories.py", '"small"] = 8', '"small"] = 9', {"second"}),
        ("factories.py", "from numpy import exp", "from math import exp", {"second"}),
        ("factories.py", "exp(1)", "exp(2)", {"second"}),
        ("factories.py", "LIMIT = 3", "import keras\nkeras.config.set_floatx('float16')\nLIMIT = 3", set(FACTORIES)),
        ("factories.py", "LIMIT = 3", "LIMIT = 3\nif __name__ == '__main__':\n    print(first)", set()),
        ("layers.py", "class Other: pass", "class Other: x = 1", {"third"}),
        ("layers.py", "width(1)", "width(2)", {"second"}),
        ("shared.py", "SCALE = 2", "SCALE = 3", {"first"}),
        ("shared.py", "return x", "return x + 1", {"second"}),
        ("late.py", "class Late: pass", "class Late: x = 1", {"second"}),
        ("late.py", "class Unused: pass", "class Unused: x = 1", set()),
        ("untouched.py", "x = 1", "x = 2", set()),
    ],
)
def test_an_edit_changes_the_factories_that_reach_it_and_no_other(tmp_path, file, old, new, changed):
    before = identities(write(tmp_path, BASE))
    assert old in BASE[file]
    # The new text has another length, or the cache by modification time could hide a second write at once.
    write(tmp_path / "edited", {**BASE, file: BASE[file].replace(old, new)})
    after = identities(tmp_path / "edited")
    assert {name for name in FACTORIES if before[name] != after[name]} == changed


def test_the_folder_and_the_file_name_do_not_count(tmp_path):
    one = write(tmp_path / "one", {"a.py": "def build(hp): return 1\n"})
    two = write(tmp_path / "two", {"b.py": "def build(hp): return 1\n"})
    assert code_identity("a:build", one) == code_identity("b:build", two)


def test_an_edit_in_place_is_seen(tmp_path):
    write(tmp_path, {"a.py": "def build(hp): return 1\n"})
    before = code_identity("a:build", tmp_path)
    write(tmp_path, {"a.py": "def build(hp): return 22\n"})
    assert code_identity("a:build", tmp_path) != before


@pytest.mark.parametrize(
    "entry",
    [
        "from pkg.deep import thing\ndef build(hp): return thing()",
        "from pkg import deep\ndef build(hp): return deep.thing()",
        "import pkg.deep\ndef build(hp): return pkg.deep.thing()",
        "import pkg.deep as d\ndef build(hp): return d.thing()",
        "import pkg\ndef build(hp): return pkg.deep.thing()",
        "from pkg.stars import *\ndef build(hp): return thing()",
        "def build(hp):\n    import pkg.deep as d\n    return d.thing()",
        "from pkg.deep import thing as build",
        "from pkg.stars import thing as build",
        "from pkg.stars import *\nbuild = thing",
        "import pkg.deep\nclass build:\n    build = pkg.deep.thing",
        "import pkg.deep as d\ndef build(hp): return getattr(d, 'th' + 'ing')()",
        "from pkg import deep\ndef other(): return deep.thing()\ndef build(hp): return globals()['other']()",
        "from pkg import deep as d\ntry:\n    import nowhere\nexcept ImportError:\n    nowhere = d.thing\n"
        "def build(hp): return nowhere()",
    ],
)
def test_every_way_to_import_is_followed(tmp_path, entry):
    def files(value: int) -> dict[str, str]:
        return {
            "f.py": entry + "\n",
            "pkg/__init__.py": "",
            "pkg/stars.py": "from .deep import *\n",
            "pkg/deep.py": f"from .constants import K\ndef thing(hp=None): return K\ndef unused(): return {value}\n",
            "pkg/constants.py": f"K = {value}\n",
        }

    one, two = write(tmp_path / "one", files(1)), write(tmp_path / "two", files(2))
    assert code_identity("f:build", one) != code_identity("f:build", two)
    assert code_identity("f:build", one) == code_identity("f:build", write(tmp_path / "three", files(1)))
    names = {path.relative_to(one.resolve()).as_posix() for path in reached_files("f:build", one)}
    assert {"f.py", "pkg/__init__.py", "pkg/deep.py", "pkg/constants.py"} - names <= (
        {"pkg/deep.py", "pkg/constants.py"} if entry.startswith("import pkg\n") else set()
    )


def test_files_that_import_each_other_end(tmp_path):
    write(
        tmp_path,
        {
            "a.py": "from b import *\nfrom b import g\ndef build(hp): return g() + missing\n",
            "b.py": "from a import *\nimport a\ndef g(): return a.build\n",
        },
    )
    assert code_identity("a:build", tmp_path)
    assert [path.name for path in reached_files("a:build", tmp_path)] == ["a.py", "b.py"]


def test_calls_at_the_top_of_a_file_count(tmp_path):
    text = "import keras\ndef configure(): keras.config.set_floatx('{}')\nconfigure()\ndef build(hp): return 1\n"
    one = write(tmp_path / "one", {"f.py": text.format("float16")})
    two = write(tmp_path / "two", {"f.py": text.format("float64")})
    assert code_identity("f:build", one) != code_identity("f:build", two)


def test_a_file_imported_for_its_effect_counts(tmp_path):
    for name in ("one", "two"):
        effect = f"import keras\nkeras.config.set_floatx('{name}')\n"
        write(tmp_path / name, {"f.py": "import setup_all\ndef build(hp): return 1\n", "setup_all.py": effect})
    assert code_identity("f:build", tmp_path / "one") != code_identity("f:build", tmp_path / "two")


def test_files_that_travel_are_those_that_importing_needs(tmp_path):
    write(tmp_path, BASE)
    names = [path.name for path in reached_files("factories:first", tmp_path)]
    assert names[0] == "factories.py"
    assert set(names) == {"factories.py", "layers.py", "shared.py", "late.py"}


def test_a_built_in_is_identified_by_its_version():
    from workbench.models.dummy import FAMILY

    assert code_identity(FAMILY.build, None) == FAMILY.code
    assert reached_files(FAMILY.build, None) == ()


def test_a_built_in_is_the_same_from_an_experiments_folder(tmp_path):
    from workbench.models.dummy import FAMILY

    assert code_identity(FAMILY.build, tmp_path) == FAMILY.code
    assert reached_files(FAMILY.build, tmp_path) == ()


@pytest.mark.parametrize("folder", [None, "empty"])
def test_an_installed_module_is_followed_within_its_package_and_does_not_travel(tmp_path, monkeypatch, folder):
    root = None if folder is None else tmp_path
    for name in ("one", "two"):
        write(
            tmp_path / name,
            {
                f"plugin_{name}/__init__.py": "",
                f"plugin_{name}/a.py": "import math\nfrom .b import f\ndef build(hp): return f()\n",
                f"plugin_{name}/b.py": f"def f(): return '{name}'\n",
            },
        )
        monkeypatch.syspath_prepend(tmp_path / name)
    assert reached_files("plugin_one.a:build", root) == ()
    assert code_identity("plugin_one.a:build", root) != code_identity("plugin_two.a:build", root)


def test_what_cannot_be_read_is_named(tmp_path):
    write(tmp_path, {"broken.py": "def build(hp):\n    return (\n"})
    with pytest.raises(FactoryError, match=r"broken\.py, line 2 is not valid Python"):
        code_identity("broken:build", tmp_path)
    with pytest.raises(FactoryError, match="no Python file for the module 'absent'"):
        code_identity("absent:build", tmp_path)
