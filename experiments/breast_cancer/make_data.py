"""Write the breast cancer data of scikit-learn (Wolberg et al., 1995) as a competition's files."""

from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent


def main() -> None:
    frame = load_breast_cancer(as_frame=True).frame
    frame = frame.rename(columns=lambda name: name.replace(" ", "_")).rename_axis("id").reset_index()
    frame["malignant"] = 1 - frame.pop("target")
    train, test = train_test_split(frame, test_size=0.3, stratify=frame["malignant"], random_state=0)
    train.to_csv(FOLDER / "train.csv", index=False)
    test.drop(columns="malignant").to_csv(FOLDER / "test.csv", index=False)
    test[["id", "malignant"]].to_csv(FOLDER / "solution.csv", index=False)
    test[["id"]].assign(malignant=0.5).to_csv(FOLDER / "sample_submission.csv", index=False)


if __name__ == "__main__":
    main()
