"""Feature sets: what a passenger's name, ticket and cabin say, and what became of those who travelled with them."""

import pandas as pd

from workbench import feature_set

COMMON_TITLES = ("Mr", "Mrs", "Miss", "Master")
FRENCH = {"Mlle": "Miss", "Ms": "Miss", "Mme": "Mrs"}


@feature_set
def v1(frame):
    """What a row says by itself."""
    name, ticket = frame["Name"].str, frame["Ticket"].str
    title = name.extract(r",\s*([^.]*)\.", expand=False).replace(FRENCH)
    frame["title"] = title.where(title.isin(COMMON_TITLES), "rare")
    frame["surname"] = name.partition(",")[0]
    frame["family_size"] = frame["SibSp"] + frame["Parch"] + 1
    frame["deck"] = frame["Cabin"].str[0]
    frame["ticket_prefix"] = ticket.replace(r"[\d\s./]", "", regex=True).str.upper().replace("", "none")
    frame["fare_per_person"] = frame["Fare"] / frame["family_size"]
    return frame


@feature_set(after=v1)
class v2:
    """What became of those on the same ticket or of the same name: better or worse than their sex lets expect.

    Learnt from the training rows alone. A training row does not count its own fate: in prediction no row can.
    """

    SMOOTHING = 1.0  # so many companions of whom nothing is known

    def fit_transform(self, frame, y):
        self.expected = y.groupby(frame["Sex"]).mean()
        surprise = y - frame["Sex"].map(self.expected)
        self.groups = {name: surprise.groupby(keys).agg(["sum", "count"]) for name, keys in companions(frame)}
        return self.with_fates(frame, surprise)

    def transform(self, frame):
        return self.with_fates(frame, None)

    def with_fates(self, frame, own):
        """Add the columns; ``own`` is each row's part in what was learnt, if it has one."""
        for name, keys in companions(frame):
            known = self.groups[name]
            total, count = (keys.map(known[what]).fillna(0.0).astype(float) for what in ("sum", "count"))
            if own is not None:
                total, count = total - own.where(keys.notna(), 0.0), count - keys.notna()
            frame[f"{name}_fate"] = total / (count + self.SMOOTHING)
            frame[f"{name}_companions"] = count
        return frame.drop(columns=["surname", "Ticket", "Cabin"])  # nothing to learn by for those who come later


def companions(frame):
    """Yield the name of each kind of group, and every row's group; missing for those who have none."""
    yield "ticket", frame["Ticket"]
    yield "family", (frame["surname"] + frame["family_size"].astype(str)).where(frame["family_size"] > 1)


@feature_set
def lucky_number(frame):
    """A useless one, to see that `workbench try` calls it noise: the last digit of the ticket."""
    frame["lucky_number"] = pd.to_numeric(frame["Ticket"].str[-1], errors="coerce")
    return frame
