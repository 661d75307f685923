"""Durations as people write and read them."""

from __future__ import annotations

import re

from workbench.errors import ConfigError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def parse_duration(text: str) -> float:
    """Return the seconds of ``90``, ``90s``, ``5m``, ``1h30m`` or ``2d``.

    Raises:
        ConfigError: it is none of these, or not above zero.
    """
    plain = text.strip().lower().replace(" ", "")
    if _WHOLE.fullmatch(plain):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(plain))
    else:
        try:
            seconds = float(plain)
        except ValueError:
            seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        raise ConfigError(f"'{text}' is not a time: expected seconds, or something like 90s, 5m, 1h30m")
    return seconds


def format_duration(seconds: float) -> str:
    """Return ``4.2s``, ``42s``, ``3m12s`` or ``2h05m``."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
