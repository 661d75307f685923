"""YAML to plain values, safely, with the line of every key.

The text is read by the rules of YAML 1.2's core schema, whatever the text says of itself: `no`, `on`, `1:30`, `010`
and `2020-01-01` are what they look like, and `1e-3` is a number. (PyYAML follows YAML 1.1, in which they are a boolean,
a boolean, 90, 8, a date, and a text.) Tags, anchors, aliases and repeated keys are refused, and size and depth are
bounded: nothing in a text can run code or grow without end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from workbench.config.source import KeyPath, Problem, Source, dotted
from workbench.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
_TAG = "tag:yaml.org,2002:"
_LARGEST = 2**63


@dataclass(frozen=True)
class Document:
    """A parsed text: mappings with text keys, lists, and scalars; ``lines`` are 1-based."""

    value: Any
    lines: dict[KeyPath, int]


class _Refused(yaml.error.MarkedYAMLError):
    """Valid YAML that is not accepted here."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader up to its nodes, with the core schema's scalars and without tags, anchors and aliases."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Compose the next node, if it is of a kind that is accepted."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        for name, what in (("anchor", "anchors (&) and aliases (*)"), ("tag", "tags (!)")):
            if getattr(event, name, None) is not None:
                advice = f"{what} are not accepted; write the value out, and text that begins so in quotes"
                raise _Refused(problem=advice, problem_mark=event.start_mark)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_SCALARS: tuple[tuple[str, str, str, Callable[[str], Any]], ...] = (
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN", lambda _: None),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF", lambda text: text.lower() == "true"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789", lambda text: _integer(text)),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+.0123456789",
        lambda text: float(re.sub(r"\.(?=[iInN])", "", text)),
    ),
)
_MAKERS = {_TAG + name: make for name, _, _, make in _SCALARS}
_Loader.yaml_implicit_resolvers = {}  # drops those of YAML 1.1
for _name, _pattern, _first, _ in _SCALARS:
    _starts = [*_first, ""] if _name == "null" else list(_first)
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _starts)


def parse(text: str, source: Source) -> Document:
    """Parse one YAML document.

    Args:
        text: at most 1 MiB.
        source: names the text in errors.

    Raises:
        ConfigError: the text is not valid YAML, or is refused; the message has the line.
    """
    lines: dict[KeyPath, int] = {}
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        value = None if node is None else _plain(node, (), lines)
    except yaml.error.MarkedYAMLError as error:
        raise _told(error, source) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        advice = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML; remove it"
        raise source.error([Problem((), advice, f"line {line}")]) from None
    except ValueError as error:  # an escape such as "\U00110000", which PyYAML hands to chr()
        line = loader.line + 1 if loader else 1
        raise source.error([Problem((), f"an escaped character does not exist: {error}", f"line {line}")]) from None
    return Document(value, lines)


def _plain(node: Node, path: KeyPath, lines: dict[KeyPath, int]) -> Any:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, SequenceNode):
        return [_plain(item, (*path, position), lines) for position, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: MappingNode, path: KeyPath, lines: dict[KeyPath, int]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node)
        here = (*path, key)
        if key in values:
            problem = f"the key '{dotted(here)}' is written twice, first in line {lines[here]}; remove one"
            raise _Refused(problem=problem, problem_mark=key_node.start_mark)
        values[key] = _plain(value_node, here, lines)
        lines[here] = key_node.start_mark.line + 1
    return values


def _key(node: Node) -> str:
    """Return a key as text, however it looks: a column may be called ``2020`` or ``no``."""
    if not isinstance(node, ScalarNode):
        raise _Refused(problem="a key must be text, not a list or a mapping", problem_mark=node.start_mark)
    return _text(node)


def _scalar(node: Node) -> Any:
    make = _MAKERS.get(node.tag)
    text = _text(node)
    if make is None:
        return text
    try:
        return make(text)
    except ValueError as error:
        raise _Refused(problem=str(error), problem_mark=node.start_mark) from None


def _text(node: Node) -> str:
    r"""Return a scalar's text, with surrogate pairs joined: JSON writes ``\\ud83d\\ude00`` for one character."""
    text = str(node.value)
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        problem = "text with half of a surrogate pair (\\ud800 to \\udfff)"
        raise _Refused(problem=problem, problem_mark=node.start_mark) from None


def _integer(text: str) -> int:
    too_large = f"the number {text[:20]}{'…' if len(text) > 20 else ''} does not fit into 64 bits"
    if len(text) > 30:
        raise ValueError(too_large)
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    value = int(text, base)
    if not -_LARGEST <= value < _LARGEST:
        raise ValueError(too_large)
    return value


def _told(error: yaml.error.MarkedYAMLError, source: Source) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    refused = isinstance(error, _Refused)
    words = error.problem or "it cannot be read"
    if words.startswith("but") and error.context:
        words = f"{error.context}, {words}"
    return source.error([Problem((), words if refused else f"not valid YAML: {words}{_advice(words)}", where)])


def _advice(words: str) -> str:
    advice = {
        "'\\t'": "Indent with spaces, not tabs",
        "mapping values are not allowed": "Put text that holds ': ' in quotes",
        "could not find expected ':'": "Is a colon, or a space behind one, missing?",
        "but found another document": "One file holds one experiment; remove what follows '---'",
        "that cannot start any token": "Put the text in quotes",
    }
    return next((f". {text}" for part, text in advice.items() if part in words), "")
