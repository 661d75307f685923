"""Write XOR as a competition's files: noisy corners of a square to learn from, the four clean ones to predict."""

from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parent
ROWS = 400
NOISE = 0.1  # standard deviation: no corner strays into its neighbour


def main() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, size=(ROWS, 2))
    noisy = bits + rng.normal(0.0, NOISE, size=bits.shape)
    train = pd.DataFrame({"a": noisy[:, 0], "b": noisy[:, 1], "xor": bits[:, 0] ^ bits[:, 1]})
    clean = pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "xor": [0, 1, 1, 0]}, index=["00", "01", "10", "11"])
    clean = clean.rename_axis("id").reset_index()
    train.round(4).rename_axis("id").reset_index().to_csv(FOLDER / "train.csv", index=False)
    clean[["id", "a", "b"]].to_csv(FOLDER / "test.csv", index=False)
    clean[["id", "xor"]].to_csv(FOLDER / "solution.csv", index=False)


if __name__ == "__main__":
    main()
