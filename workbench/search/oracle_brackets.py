"""Hyperband's brackets, rebuilt from what its trials were asked for as (Li et al., 2018).

Bracket ``i`` counts from 0; with ``count`` brackets a sweep, the most halving one comes first, and after the last one a
new sweep begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

State = Mapping[str, Any]
"""What `suggestion_state` gave."""


def oracle_state(asked: Iterable[tuple[str, State]], count: int, most: int) -> dict[str, Any]:
    """Return the part of a ``HyperbandOracle``'s state that says which trial is in which round.

    Args:
        asked: each trial's id and its suggestion's state, by rising number.
        count: brackets of a sweep.
        most: epochs of a last round; trials of another number are of another search.
    """
    brackets: dict[int, dict[str, Any]] = {}
    for trial_id, state in asked:
        if state.get("most") != most or "bracket" not in state:
            continue
        index = int(state["bracket"])
        halvings = count - 1 - index % count
        bracket = brackets.setdefault(
            index, {"index": index, "bracket_num": halvings, "rounds": [[] for _ in range(halvings + 1)]}
        )
        bracket["rounds"][int(state["round"])].append({"past_id": state["past"], "id": trial_id})
    if not brackets:
        return {}
    newest = max(brackets)
    return {
        "brackets": [brackets[index] for index in sorted(brackets)],
        "current_bracket": count - 1 - newest % count,
        "current_iteration": newest // count,
    }


def suggestion_state(oracle: Any, trial_id: str, known: State, most: int) -> dict[str, Any]:
    """Return where a ``HyperbandOracle`` has put a trial, as JSON.

    Args:
        oracle: after its ``populate_space``.
        trial_id: what it was asked for.
        known: the `oracle_state` before.
        most: epochs of a last round.
    """
    newest = max((bracket["index"] for bracket in known.get("brackets", ())), default=-1)
    for bracket in oracle._brackets:
        for number, entries in enumerate(bracket["rounds"]):
            for entry in entries:
                if entry["id"] == trial_id:
                    index = bracket.get("index", newest + 1)
                    return {"bracket": index, "round": number, "past": entry["past_id"], "most": most}
    raise AssertionError(f"trial {trial_id} is in no bracket")
