"""A blend in a few lines of Markdown: MLflow shows them on the run's own page."""

from __future__ import annotations

from workbench.blending.result import BlendResult, MemberRef
from workbench.blending.wording import NONE, calibration_in_words, decision_in_words
from workbench.wording import counted

MOST_MEMBERS = 12


def describe(blend: BlendResult, metric: str) -> str:
    """Return the scores by name, what follows the mix, and the heaviest members as a table."""
    return "\n".join([*_scores(blend, metric), "", *_members(blend, metric)])


def _scores(blend: BlendResult, metric: str) -> list[str]:
    bounds = "" if blend.nested_low is None else f", 95 % from {blend.nested_low:.5g} to {blend.nested_high:.5g}"
    lines = [
        f"**{blend.method}** of {counted(len(blend.members), 'member')}: nested {metric} "
        f"**{blend.nested:.5g}** ± {blend.nested_se:.2g}{bounds}",
        "",
        f"- best single member {blend.best_single:.5g}; in-sample {blend.in_sample:.5g}, which is optimistic",
    ]
    if blend.holdout is not None:
        held = blend.holdout
        lines.append(f"- holdout {held.holdout:.5g} ± {held.holdout_se:.2g}, {counted(held.holdout_rows, 'row')}")
    if blend.gap is not None:
        lines.append(f"- no other weights are better in-sample by more than {blend.gap:.1g}")
    if blend.fitted is not None:
        after = (calibration_in_words(blend.fitted.calibration), decision_in_words(blend.fitted.decision))
        lines += [f"- after the mix: {words}" for words in after if words != NONE]
    if blend.gains_by:
        lines.append(f"- gains by the weights of {blend.gains_by}")
    lines += [f"- {_escaped(reason)}" for reason in blend.left_out]
    return lines


def _members(blend: BlendResult, metric: str) -> list[str]:
    """Return a table; a gain is what the nested score would lose without the member."""
    rows = ["| member | weight | gain | " + _escaped(metric) + " |", "| :-- | --: | --: | --: |"]
    rows += map(_member, blend.members[:MOST_MEMBERS])
    more = len(blend.members) - MOST_MEMBERS
    return [*rows, "", f"… and {more} more in `weights.json`"] if more > 0 else rows


def _member(member: MemberRef) -> str:
    gain = "" if member.gain is None else f"{member.gain:+.2g}"
    return f"| {_escaped(member.trial)} | {member.weight:.3f} | {gain} | {member.score:.5g} |"


def _escaped(text: str) -> str:
    """Return text that Markdown leaves as it is; user's names may hold anything."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]<>()#+!|~" else letter for letter in text)
