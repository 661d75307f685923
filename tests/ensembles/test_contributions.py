"""What groups of members add to a blend: errors of one's own count, echoes and noise do not."""

import numpy as np
import pytest

from workbench.ensembles.contributions import Group, contributions
from workbench.ensembles.members import Candidate, Members
from workbench.metrics import load_metric
from workbench.types import MetricRef


@pytest.mark.parametrize(("metric", "classification"), [("rmse", False), ("mae", False), ("auc", True)])
def test_what_errs_elsewhere_adds_and_an_echo_does_not(metric, classification):
    generator, rows = np.random.default_rng(0), 600
    signal = generator.normal(size=rows)
    y = (signal > 0).astype(int) if classification else signal
    noise = generator.normal(size=(3, rows))
    seen = [signal + error for error in (noise[0], noise[1], 3.0 * noise[1], 3.0 * noise[2])]
    predictions = np.stack([1 / (1 + np.exp(-each)) if classification else each for each in seen])[:, :, None]
    members = Members(
        refs=tuple(Candidate("f", place, str(place), "p", 0.0, 0.0) for place in range(4)),
        predictions=predictions,
        y=y,
        weight=None,
        split=np.repeat(np.arange(3), rows // 3),
        row=np.arange(rows),
        metric=load_metric(MetricRef(name=metric)),
        plan_key="p",
        classification=classification,
    )
    groups = {"same": Group((0,), (0,)), "grown": Group((1,), (2,)), "noise": Group((3,), ()), "none": Group((), ())}
    found = contributions(members, groups)
    assert set(found) == {"same", "grown", "noise"}
    assert min(found["same"].gain, found["grown"].gain) > 3.0 * found["noise"].gain >= 0.0
    assert found["same"].growth == 0.0
    assert found["grown"].gain > found["grown"].growth > 0.0, "what it was before added something too"
    assert found["noise"].growth == found["noise"].gain, "all of it is new"
    assert contributions(members, {"same": groups["same"], "none": groups["none"]}) == {}
