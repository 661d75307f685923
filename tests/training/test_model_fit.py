"""Models whose class has a ``fit`` of its own: it trains them."""

from __future__ import annotations

import pytest

from workbench.errors import FactoryError
from workbench.training.runner import run
from workbench.types import Description, TrialResult

pytestmark = pytest.mark.keras

SOURCE = """
import keras
from workbench import Recipe

class Contrary(keras.Model):
    def fit(self, x, y, batch_size, validation_data, **options):
        assert batch_size == 20
        return super().fit(x, 1 - y, batch_size=batch_size, **options)

def build(hp):
    inputs = keras.Input((4,))
    model = Contrary(inputs, keras.layers.Dense(1, "sigmoid")(inputs))
    model.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
    return Recipe(model=model, batch_size=20)
"""


def silent(_: object) -> bool:
    return False


def test_a_model_is_trained_by_its_own_fit(make_job, own_factory) -> None:
    """It learns the opposite, which no loop over the model's train_step would; its best epoch is the first."""
    result = run(make_job("binary", own_factory(SOURCE), metric="auc", vault=None), silent)
    assert isinstance(result, TrialResult)
    assert result.score < 0.6
    assert (result.fused, result.unfused) == ("", "the factory trains the model itself")
    described = run(make_job("binary", own_factory(SOURCE), kind="describe"), silent)
    assert isinstance(described, Description)
    assert any("fit of its own" in notice for notice in described.notices)


def test_a_fit_that_takes_no_weights_is_refused_where_rows_have_weights(make_job, own_factory) -> None:
    source = SOURCE.replace("**options):", "epochs, callbacks, verbose):").replace(
        "**options)", "epochs=epochs, callbacks=callbacks, verbose=verbose)"
    )
    with pytest.raises(FactoryError, match="the model's fit takes no sample_weight"):
        run(make_job("binary", own_factory(source), weight=True, kind="describe"), silent)
