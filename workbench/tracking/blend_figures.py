"""Pictures of a blend: how its members correlate, and what each of them weighs and gains."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.blending.result import BlendResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Array = NDArray[Any]
DPI = 120
WITH_VALUES = 15
"""Up to so many members, cells tell their numbers."""
WITH_NAMES = 60
"""Up to so many members, rows and columns have names."""
MOST_BARS = 40
WIDEST = 9.6
"""Inches of what names and scale stand around."""
LONGEST_NAME = 30
NEARLY_EQUAL = 1e-6
"""The colours tell apart at least so much."""
HELPS, HARMS = "#0072B2", "#D55E00"
"""Told apart by everybody: after Okabe and Ito, 2008."""


def correlations_png(blend: BlendResult) -> bytes:
    """Draw the correlations of the members' out-of-fold predictions, heaviest member first."""
    table = np.asarray(blend.correlations)
    count = len(table)
    cell = 0.52 if count <= WITH_VALUES else 0.27 if count <= WITH_NAMES / 2 else 0.16
    side = min(max(2.0, cell * count), WIDEST)
    figure = _figure(1.15 * side, side)
    axes = figure.add_axes((0.0, 0.0, 1.0 / 1.15, 1.0))
    image = axes.imshow(table, cmap="viridis_r", vmin=min(float(table.min()), 1.0 - NEARLY_EQUAL), vmax=1.0)
    axes.set_title("Correlation of out-of-fold predictions", loc="left", fontsize=11, pad=10)
    _names(axes, blend, cell)
    if count <= WITH_VALUES:
        _values(axes, image, table)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8 if count <= WITH_NAMES else 0.0)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, cax=figure.add_axes((0.9, 0.0, 0.035, 1.0)))
    bar.outline.set_visible(False)
    bar.ax.ticklabel_format(useOffset=False)
    bar.ax.tick_params(labelsize=8)
    return _png(figure)


def _names(axes: Axes, blend: BlendResult, cell: float) -> None:
    if len(blend.members) > WITH_NAMES:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_ylabel(f"{len(blend.members)} members, heaviest first")
        return
    places, size = np.arange(len(blend.members)), max(5.0, min(9.0, cell * 30.0))
    names = [_short(member.trial) for member in blend.members]
    axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(places, names, fontsize=size)


def _values(axes: Axes, image: AxesImage, table: Array) -> None:
    low = float(table.min())
    digits = 2 if low < 0.95 else 3 if low < 0.995 else 4
    brightness = image.to_rgba(table)[:, :, :3] @ np.array([0.299, 0.587, 0.114])
    for (row, column), value in np.ndenumerate(table):
        text = "1" if row == column else f"{value:.{digits}f}"
        color = "white" if brightness[row, column] < 0.5 else "black"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8 if digits < 4 else 7)


def members_png(blend: BlendResult, metric: str) -> bytes:
    """Draw the weight and the gain of each member as bars, heaviest first."""
    shown = blend.members[:MOST_BARS]
    figure = _figure(8.6, 0.5 + 0.25 * len(shown))
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.08})
    names = [_short(member.trial) for member in shown]
    _bars(left, [member.weight for member in shown], "{:.3f}")
    left.set_yticks(np.arange(len(shown)), names, fontsize=9)
    left.set_title("Weight", loc="left", fontsize=11)
    if len(shown) < len(blend.members):
        left.set_xlabel(f"the {len(shown)} heaviest of {len(blend.members)} members", fontsize=9)
    _bars(right, [member.gain for member in shown], "{:+.2g}")
    right.set_title(f"Gain: nested {metric} lost without it", loc="left", fontsize=11)
    if blend.gains_by:
        right.set_xlabel(f"by the weights of {blend.gains_by}", fontsize=9)
    return _png(figure)


def _bars(axes: Axes, values: Sequence[float | None], style: str) -> None:
    places = np.arange(len(values))
    lengths = [value or 0.0 for value in values]
    bars = axes.barh(places, lengths, height=0.72, color=[HELPS if length >= 0.0 else HARMS for length in lengths])
    labels = ["not known" if value is None else style.format(value) for value in values]
    axes.bar_label(bars, labels, padding=3, fontsize=8)
    axes.axvline(0.0, color="0.3", linewidth=0.8)
    axes.margins(x=0.18, y=0.02)
    axes.locator_params(axis="x", nbins=5)
    axes.invert_yaxis()
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # without pyplot: no window system is looked for, no state is kept

    return Figure((width, height))


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", bbox_inches="tight", pad_inches=0.15)
    return buffer.getvalue()


def _short(name: str) -> str:
    """Return a name without its middle where it is too long: family and number tell most."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 12]}…{name[-11:]}"
