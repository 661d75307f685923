"""``python -m benchmarks.contest CONTENDER FOLDER``: one contender's process."""

import sys
from pathlib import Path

from benchmarks.contest.contenders import take_part

if __name__ == "__main__":
    take_part(sys.argv[1], Path(sys.argv[2]))
