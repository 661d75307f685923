"""TensorBoard without TensorFlow: ``python -m workbench.ui.tensorboard_server OPTIONS …``.

TensorBoard imports TensorFlow when it is there, which costs many seconds and 800 MB, and needs it for graphs and remote
file systems alone. It looks for a module ``tensorboard.compat.notf`` to be told not to.
"""

from __future__ import annotations

import sys
from types import ModuleType


def main() -> None:
    """Run TensorBoard with this process's arguments."""
    sys.modules["tensorboard.compat.notf"] = ModuleType("tensorboard.compat.notf")
    from tensorboard.main import run_main

    run_main()


if __name__ == "__main__":
    main()
