"""Write the diabetes data of scikit-learn (Efron et al., 2004) as a competition's files."""

from pathlib import Path

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent


def main() -> None:
    frame = load_diabetes(as_frame=True, scaled=False).frame
    frame = frame.rename(columns={"target": "progression"}).rename_axis("id").reset_index()
    train, test = train_test_split(frame, test_size=0.3, random_state=0)
    train.to_csv(FOLDER / "train.csv", index=False)
    test.drop(columns="progression").to_csv(FOLDER / "test.csv", index=False)
    test[["id", "progression"]].to_csv(FOLDER / "solution.csv", index=False)
    test[["id"]].assign(progression=0.0).to_csv(FOLDER / "sample_submission.csv", index=False)


if __name__ == "__main__":
    main()
