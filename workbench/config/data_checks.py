"""What the data, folds and holdout sections ask for that does not fit together, and encodings that nobody knows."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from encodings.aliases import aliases

from workbench.config.models import ExperimentConfig
from workbench.config.source import KeyPath, Problem, shortened
from workbench.errors import nearest

GIVEN = ("column", "function", "file")
"""Keys of the folds section that give a plan; each is a kind too."""
REPEATED = ("kfold", "stratified", "group")


def encoding_problems(config: ExperimentConfig) -> Iterator[Problem]:
    """Yield a problem for an encoding of text tables that Python does not know."""
    encoding = config.data.encoding
    try:
        known = codecs.lookup(encoding)._is_text_encoding
    except (LookupError, ValueError):
        known = False
    if not known:
        names = sorted({name.replace("_", "-") for name in (*aliases, *aliases.values())})
        hint = nearest(encoding.lower().replace("_", "-"), names)
        text = f"expected an encoding of text such as utf-8, cp1252 or utf-16, received {shortened(encoding)}.{hint}"
        yield Problem(("data", "encoding"), text.removesuffix("."))


def fold_problems(config: ExperimentConfig) -> Iterator[Problem]:
    """Yield a problem for each key of the folds section that contradicts another one."""
    folds, time = config.folds, config.data.time
    given = [key for key in GIVEN if getattr(folds, key) is not None]
    kind: str = folds.kind
    if kind == "auto":
        kind = given[0] if given else "time" if time is not None else "auto"
    for key in given:
        if key != kind and folds.kind == "auto":
            yield _problem(key, f"folds.{kind} is set as well; keep one of them")
        elif key != kind:
            yield _problem(key, f"folds.kind '{kind}' does not look at it; remove it, or set folds.kind to '{key}'")
    if kind in GIVEN and kind not in given:
        yield _problem("kind", f"'{kind}' needs folds.{kind}; set it")
    if kind == "time" and time is None:
        yield _problem("kind", "'time' needs data.time, the column that orders the rows; set it")
    if kind in REPEATED and time is not None:
        text = f"'{kind}' mixes past and future, but data.time is set; set it to 'time', or remove data.time"
        yield _problem("kind", text)
    if folds.gap and kind != "time":
        yield _problem("gap", "only folds in time have a gap; set data.time, or remove it")
    if folds.repeats > 1 and kind in (*GIVEN, "time"):
        yield _problem("repeats", f"folds of kind '{kind}' are the same each time; remove it")


def holdout_problems(config: ExperimentConfig) -> Iterator[Problem]:
    """Yield a problem where the holdout asks for a column that the data section does not name."""
    by, named = config.holdout.by, {"time": config.data.time, "group": config.data.group}
    if config.holdout.share and by in named and named[by] is None:
        yield Problem(("holdout", "by"), f"'{by}' needs data.{by}, the column that says so; set it")


def _problem(key: str, text: str) -> Problem:
    path: KeyPath = ("folds", key)
    return Problem(path, text)
