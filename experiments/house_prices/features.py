"""Feature sets: what an appraiser would work out from the columns, and what houses of a neighbourhood are sold for."""

import numpy as np

from workbench import feature_set

GRADES = {"none": 0.0, "Po": 1.0, "Fa": 2.0, "TA": 3.0, "Gd": 4.0, "Ex": 5.0}
GRADED = (
    "ExterQual",
    "ExterCond",
    "BsmtQual",
    "BsmtCond",
    "HeatingQC",
    "KitchenQual",
    "FireplaceQu",
    "GarageQual",
    "GarageCond",
)
AREAS = ("LotArea", "GrLivArea", "1stFlrSF", "TotalBsmtSF", "MasVnrArea", "GarageArea", "WoodDeckSF", "OpenPorchSF")
PORCHES = ("WoodDeckSF", "OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch")


@feature_set
def areas(frame):
    """The area that a buyer pays for: floors and basement."""
    frame["total_area"] = frame["GrLivArea"] + frame["TotalBsmtSF"].fillna(0.0)
    return frame


@feature_set(after=areas)
def v1(frame):
    """What a row says by itself."""
    for name in GRADED:  # NA means that there is none
        frame[name] = frame[name].fillna("none").map(GRADES)
    for name in AREAS:
        frame[f"log_{name}"] = np.log1p(frame[name])
    frame["log_total_area"] = np.log(frame["total_area"])
    frame["quality_area"] = frame["OverallQual"] * frame["total_area"]
    frame["baths"] = frame["FullBath"] + 0.5 * frame["HalfBath"]
    frame["baths"] += frame["BsmtFullBath"].fillna(0.0) + 0.5 * frame["BsmtHalfBath"].fillna(0.0)
    frame["porch_area"] = frame[list(PORCHES)].sum(axis=1)
    frame["age"] = frame["YrSold"] - frame["YearBuilt"]
    frame["years_since_remodelling"] = frame["YrSold"] - frame["YearRemodAdd"]
    frame["unfinished"] = frame["SaleCondition"] == "Partial"
    return frame


@feature_set(after=v1)
class v2:
    """What houses of the neighbourhood and of the quality are sold for: the median of the logarithm of the price.

    Learnt from the training rows alone; a group of few houses is pulled towards all houses.
    """

    GROUPS = ("Neighborhood", "MSSubClass", "OverallQual")
    SMOOTHING = 10.0  # a group of so many houses counts as much as all houses

    def fit_transform(self, frame, y):
        price = np.log(y)
        self.everywhere = price.median()
        self.levels = {name: self.level(price.groupby(frame[name])) for name in self.GROUPS}
        self.dearness = self.level((price - np.log(frame["total_area"])).groupby(frame["Neighborhood"]))
        return self.transform(frame)

    def transform(self, frame):
        for name in self.GROUPS:
            frame[f"{name}_price"] = frame[name].map(self.levels[name]).astype(float).fillna(self.everywhere)
        frame["area_price"] = frame["Neighborhood"].map(self.dearness).astype(float) + frame["log_total_area"]
        return frame

    def level(self, groups):
        """Return the smoothed median of each group."""
        middle, count = groups.median(), groups.count()
        everywhere = groups.obj.median()
        return (count * middle + self.SMOOTHING * everywhere) / (count + self.SMOOTHING)


@feature_set
def month_parity(frame):
    """A useless one, to see that `workbench try` calls it noise: was the house sold in an odd month?"""
    frame["odd_month"] = frame["MoSold"] % 2
    return frame
