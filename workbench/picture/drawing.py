"""The whole picture: what the model sees, the model, and what of it is searched."""

from __future__ import annotations

from workbench.evaluation.values import completed
from workbench.experiment import Experiment
from workbench.models.hyperparameters import HyperParameters
from workbench.models.space import discover
from workbench.picture.estimator import draw_estimator
from workbench.picture.ranges import draw_space
from workbench.picture.subject import Subject, subject_of
from workbench.search.spaces import with_ranges
from workbench.training.build import Built, build
from workbench.types import Space, Values


def draw(family: str, experiment: Experiment | None = None, values: Values | None = None) -> str:
    """Return a picture of the model that a family's defaults build, and a table of its hyperparameters.

    Args:
        family: a family's name, or ``module:attribute`` of a factory.
        experiment: whose table the model sees, and whose own families may be named; a small usual one if absent.
        values: hyperparameters that are not to have their defaults.

    Raises:
        ConfigError: there is no such family or hyperparameter, or a value is out of its range.
        FactoryError: the factory cannot be built.
        DataError: the experiment's table cannot be used.
    """
    subject = subject_of(family, experiment)

    def probe(hp: HyperParameters) -> None:
        _built(subject, hp)

    space = discover(probe)
    if subject.ranges:
        # Values that are possible now may declare parameters that nobody has met.
        space = discover(probe, given=with_ranges(space, subject.ranges, subject.family.name))
    built = _built(subject, HyperParameters(completed(family, space, {}, values or {}), space=space))
    return "\n".join([*_title(subject), "", *_model(subject, built), "", *_hyperparameters(space, built.values)])


def _built(subject: Subject, hp: HyperParameters) -> Built:
    return build(subject.family, subject.problem, hp, subject.seed)


def _title(subject: Subject) -> list[str]:
    return [f"{subject.family.name}  on  {subject.origin}", f"    {subject.table}"]


def _model(subject: Subject, built: Built) -> list[str]:
    if built.neural:
        from workbench.picture.network import draw_network  # imports Keras, whose backend has been chosen by now

        return draw_network(built, subject.problem, subject.family.preparation)
    return draw_estimator(built, subject.problem, subject.family.preparation)


def _hyperparameters(space: Space, values: Values) -> list[str]:
    if not space.parameters:
        return ["There are no hyperparameters."]
    return draw_space(space, values)
