"""Write the digits of scikit-learn (Alpaydin and Kaynak, 1998) as a competition's files: an image is a row of 64."""

from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent


def main() -> None:
    frame = load_digits(as_frame=True).frame
    frame = frame.astype(int).rename(columns={"target": "digit"}).rename_axis("id").reset_index()
    train, test = train_test_split(frame, test_size=0.3, stratify=frame["digit"], random_state=0)
    train.to_csv(FOLDER / "train.csv", index=False)
    test.drop(columns="digit").to_csv(FOLDER / "test.csv", index=False)
    test[["id", "digit"]].to_csv(FOLDER / "solution.csv", index=False)
    test[["id"]].assign(digit=0).to_csv(FOLDER / "sample_submission.csv", index=False)


if __name__ == "__main__":
    main()
