"""A built-in network that was trained before trains with other rates without being built again, to the same end."""

from __future__ import annotations

import pytest

from workbench.errors import TrialStopped
from workbench.training import fit, keras_architecture
from workbench.training.material import open_material
from workbench.training.runner import run
from workbench.types import Job, TrialResult

pytestmark = pytest.mark.keras
RATES = {"lr": 1e-2, "dropout": 0.0, "weight_decay": 0.1}
SMALL = {"depth": 1, "members": 1, "numbers": "plain"}
"""A network that is soon compiled."""


@pytest.fixture
def builds(monkeypatch) -> list[int]:
    """The seeds under which models were built since."""
    keras_architecture.forget()
    made: list[int] = []
    build = fit.build
    monkeypatch.setattr(fit, "build", lambda *given: (made.append(given[3]), build(*given))[1])
    return made


def trained(job: Job, **values: object) -> TrialResult:
    result = run(job.model_copy(update={"values": {**job.values, **values}}), lambda _: False)
    assert isinstance(result, TrialResult)
    return result


@pytest.mark.parametrize(("family", "fuse", "values"), [("mlp", "map", SMALL), ("wide_and_deep", "off", {})])
def test_other_rates_train_the_same_model(make_job, builds, family: str, fuse: str, values: dict[str, object]) -> None:
    job = make_job("binary", family, vault=None, values=values | RATES)
    job = job.model_copy(update={"settings": job.settings.model_copy(update={"fuse": fuse})})
    trained(job)
    first = len(builds)
    found = trained(job, lr=3e-3, dropout=0.4)
    assert first > 0
    assert len(builds) == first, "nothing was built"
    keras_architecture.forget()
    slowly = trained(job, lr=3e-3, dropout=0.4)
    assert len(builds) > first
    assert found.scores == slowly.scores
    assert found.values == slowly.values
    assert found.setup_s < slowly.setup_s


def test_whatever_is_no_rate_is_built(make_job, builds) -> None:
    job = make_job("binary", "mlp", vault=None, values=SMALL | RATES, epochs=1)
    trained(job)
    assert builds
    known = job.model_copy(update={"values": {**job.values, "lr": 3e-3}})
    assert keras_architecture.recall(open_material(known)) is not None
    for name, other in {
        "a value": {"values": {**job.values, "depth": 2}},
        "a shape": {"values": {**job.values, "batch_size": 64}},
        "a default": {"values": SMALL | {"lr": 1e-2}},
        "the seed": {"seed": 1},
        "a setting": {"settings": job.settings.model_copy(update={"fuse": "off"})},
    }.items():
        assert keras_architecture.recall(open_material(job.model_copy(update=other))) is None, name


FACTORY = """
import keras
from workbench.models.rates import rates

@rates(lr="learning_rate")
def build(hp, problem):
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    rate = hp.Float("lr", 1e-4, 1e-1)
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="binary_crossentropy")
    return model
"""


def test_a_user_s_own_factory_is_always_built(make_job, own_factory, builds) -> None:
    """Whoever marks rates may be wrong; what is traced tells which program it is."""
    job = make_job("binary", own_factory(FACTORY), vault=None, epochs=1)
    trained(job, lr=1e-3)
    before = len(builds)
    trained(job, lr=1e-1)
    assert len(builds) > before


def test_a_trial_with_one_split_left_does_not_decide_for_later_ones(make_job, builds) -> None:
    job = make_job("binary", "mlp", values=SMALL | RATES, epochs=1, checkpoint_s=0.0, splits=2)
    one_by_one = job.model_copy(update={"settings": job.settings.model_copy(update={"fuse": "off"})})
    with pytest.raises(TrialStopped):
        run(one_by_one, lambda told: told.split == 1)
    keras_architecture.forget()
    job = job.model_copy(update={"settings": job.settings.model_copy(update={"fuse": "map"})})
    assert trained(job).unfused == "there is one split"
    before = len(builds)
    assert trained(job.model_copy(update={"vault": None})).fused == "map"
    assert len(builds) == before
