"""YAML is read as people mean it, with lines, and nothing in it can do harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from workbench.config.source import Source
from workbench.config.yaml_text import MAX_DEPTH, parse
from workbench.errors import ConfigError

SOURCE = Source("experiment.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1e-3", 1e-3),
        ("1.", 1.0),
        ("-.5E+2", -50.0),
        ("1_000", "1_000"),
        ("2020-01-01", "2020-01-01"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'5'", "5"),
        ("-.inf", float("-inf")),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    found = parse(f"key: {text}", SOURCE).value["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text_however_they_look() -> None:
    assert list(parse("{no: 1, 2020: 1, true: 1, 1.50: 1, ~: 1}", SOURCE).value) == ["no", "2020", "true", "1.50", "~"]


def test_every_key_and_entry_has_its_line() -> None:
    text = "data:\n  train: a.csv\n  drop:\n    - a\n    - b\nmetric:\n  auc\n"
    lines = parse(text, SOURCE).lines
    assert lines["data",] == 1
    assert lines["data", "train"] == 2
    assert lines["data", "drop"] == 3
    assert lines["data", "drop", 1] == 5
    assert lines["metric",] == 6


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: !!python/object/apply:os.system [ls]", r"line 1, column 4: tags \(!\) are not accepted"),
        ("a: !!str 5", r"tags \(!\) are not accepted"),
        ("a: 1\nb: &x [1]\n", r"line 2, column 4: anchors \(&\) and aliases \(\*\)"),
        ("a: *x", r"anchors \(&\) and aliases"),
        ("a: 1\nb: 2\na: 3", r"line 3, column 1: the key 'a' is written twice, first in line 1"),
        ("x:\n  a: 1\n  'a': 2", r"line 3, column 3: the key 'x\.a' is written twice, first in line 2"),
        ("? [a]\n: b", "a key must be text, not a list or a mapping"),
        ("a: 1\n---\nb: 2", "found another document. One file holds one experiment"),
        ("a:\n\t- b", "line 2, column 1.*Indent with spaces, not tabs"),
        ("a: b: c", "Put text that holds ': ' in quotes"),
        ("a: [", "line 1.*not valid YAML"),
        ("a: \x01", r"line 1: the character U\+0001 is not allowed"),
        ('a: 1\nb: "\\U00110000"', "line 2: an escaped character does not exist"),
        ('a: "\\ud800"', "half of a surrogate pair"),
        ("a: " + "9" * 5000, "does not fit into 64 bits"),
        ("a: 0x" + "f" * 16, "the number 0xffffffffffffffff does not fit"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH} levels"),
        ("[" * 500_000, "nested deeper"),
        ("- " * 500_000, "nested deeper"),
    ],
)
def test_what_is_refused_is_told_with_its_line(text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        parse(text, SOURCE)


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(60))
    with pytest.raises(ConfigError, match="anchors"):
        parse(bomb, SOURCE)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


@given(PLAIN)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    assert parse(json.dumps(value), SOURCE).value == value


@given(st.text(alphabet="ab01 :-[]{},'\"\n\t#&*!|>%@`\\?~.=<\x00é\ud7ff", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = parse(text, SOURCE).value
    except ConfigError as error:
        assert str(error).startswith("experiment.yaml")  # noqa: PT017 - either outcome is right
    else:
        assert yaml.safe_dump(value) is not None
