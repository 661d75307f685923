"""What an error of a training means for the trial."""

from __future__ import annotations

import traceback

from workbench.errors import TrialFailed, TrialStopped, causes
from workbench.store.disk import is_full

OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "bad_alloc", "OOM when allocating", "out of memory", "CUDA_ERROR_OUT_OF_MEMORY")
"""What XLA, the boosters' C++ libraries, TensorFlow and CUDA say (in any case of letters)."""
_SIGNS = tuple(sign.lower() for sign in OUT_OF_MEMORY)


def diagnosed(error: BaseException) -> TrialFailed | None:
    """Return the failure that an error is a sign of: ``oom`` or ``disk``; ``None`` for all others.

    The error itself counts and those that it was raised from: a factory, or a library, may have wrapped them.
    """
    if isinstance(error, TrialStopped):
        return None
    if is_full(error):
        return TrialFailed("disk", f"no space left on the disk: {_short(error)}")
    for each in causes(error):
        if isinstance(each, MemoryError) or type(each).__name__ == "ResourceExhaustedError" or _says_memory(each):
            return TrialFailed("oom", f"out of memory: {_short(each)}")
    return None


def forget(error: BaseException) -> None:
    """Let go of what the frames of an error hold: the arrays for which memory was short."""
    for each in causes(error):
        traceback.clear_frames(each.__traceback__)


def _says_memory(error: BaseException) -> bool:
    """Say whether a library's error speaks of memory; a user's text in an error of ours does not count."""
    if not isinstance(error, Exception) or type(error).__module__.startswith("workbench."):
        return False
    text = str(error).lower()
    return any(sign in text for sign in _SIGNS)


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:500]
