"""``python -m workbench.config FILE`` writes the JSON schema of ``experiment.yaml``."""

import argparse
from pathlib import Path

from workbench.config.json_schema import write_json_schema

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m workbench.config", description=__doc__)
    parser.add_argument("file", type=Path, help="such as docs/experiment.schema.json")
    write_json_schema(parser.parse_args().file)
