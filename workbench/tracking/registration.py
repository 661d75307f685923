"""Exported models in MLflow: a logged model of the blend's run, a registered version, and the alias ``champion``.

A challenger becomes champion when there is none, or when it is better on the same data, fold plan and metric. Scores on
anything else do not compare: the champion stays, and the challenger's tag ``wb.decision`` says why. What was decided
once is not decided again, so an alias that a person moves by hand stays there.
"""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from workbench.store.events import ModelExported
from workbench.tracking.mlflow_store import process_store
from workbench.types import better

ALIAS = "champion"


def register(client: MlflowClient, experiment: str, blend: Run | None, key: str, event: ModelExported) -> str:
    """Log and register an exported model, and return what was decided about the alias. Idempotent by ``key``.

    Args:
        client: of the store that holds the runs.
        experiment: id of the MLflow experiment.
        blend: the run that the model belongs to.
        key: unique to the event.
        event: says where the model's folder is and what it scored.
    """
    name = registered_name(event.experiment)
    version = _version(client, name, key)
    if version is None:
        model = _logged_model(client, experiment, blend, key, event)
        if model is None:
            return f"not registered: {event.folder} is gone"
        version = _create_version(client, name, blend, key, model, event)
    decided = version.tags.get("wb.decision")
    if decided:
        return str(decided)
    decision = _decide(_champion(client, name), version, event)
    if decision.startswith(ALIAS):
        client.set_registered_model_alias(name, ALIAS, version.version)
    client.set_model_version_tag(name, version.version, "wb.decision", decision)
    return decision


def registered_name(experiment: str) -> str:
    """Return the name in the registry, which takes neither ``/`` nor ``:``."""
    return experiment.replace("/", "_").replace(":", "_")


def _decide(champion: ModelVersion | None, challenger: ModelVersion, event: ModelExported) -> str:
    if champion is None:
        return f"{ALIAS}: there was none"
    if champion.version == challenger.version:
        return f"{ALIAS}: it is already"
    names = {"wb.data": "data", "wb.folds": "fold plan", "wb.metric": "metric"}
    other = [word for tag, word in names.items() if champion.tags.get(tag) != challenger.tags.get(tag)]
    if other:
        return f"kept version {champion.version}: scored on another {' and '.join(other)}"
    score = float(champion.tags.get("wb.score", "nan"))
    if better(event.direction, event.score, score):
        return f"{ALIAS}: {event.score:.6g} is better than {score:.6g} of version {champion.version}"
    return f"kept version {champion.version}: {event.score:.6g} is not better than its {score:.6g}"


def _champion(client: MlflowClient, name: str) -> ModelVersion | None:
    aliases = client.get_registered_model(name).aliases
    return client.get_model_version(name, aliases[ALIAS]) if ALIAS in aliases else None


def _version(client: MlflowClient, name: str, key: str) -> ModelVersion | None:
    found = client.search_model_versions(f"name = '{name}' AND tags.`wb.key` = '{key}'", max_results=1)
    return found[0] if found else None


def _logged_model(
    client: MlflowClient, experiment: str, blend: Run | None, key: str, event: ModelExported
) -> LoggedModel | None:
    """Return the model as a READY logged model, or ``None`` when its folder is gone before it was uploaded."""
    found = client.search_logged_models([experiment], f"tags.`wb.key` = '{key}'", max_results=1)
    model = found[0] if found else None
    if model is not None and model.status == LoggedModelStatus.READY:
        return model
    if not (event.folder / "MLmodel").is_file():
        return None
    if model is None:
        run_id = blend.info.run_id if blend else None
        tags = {"wb.key": key, **_tags(event)}
        params = {"metric": event.metric, "score": repr(event.score)}
        model = client.create_logged_model(
            experiment, f"{event.sweep:04d} blend", source_run_id=run_id, tags=tags, params=params, model_type="blend"
        )
    client.log_model_artifacts(model.model_id, str(event.folder))
    if blend is not None and blend.info.lifecycle_stage != "deleted":
        client.log_outputs(blend.info.run_id, [LoggedModelOutput(model.model_id, step=0)])
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def _create_version(
    client: MlflowClient, name: str, blend: Run | None, key: str, model: LoggedModel, event: ModelExported
) -> ModelVersion:
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(name)
    with process_store(client.tracking_uri):
        return client.create_model_version(
            name,
            source=f"models:/{model.model_id}",
            run_id=blend.info.run_id if blend else None,
            tags={"wb.key": key, **_tags(event)},
            model_id=model.model_id,
        )


def _tags(event: ModelExported) -> dict[str, str]:
    return {
        "wb.data": event.data_key,
        "wb.folds": event.plan_key,
        "wb.metric": event.metric,
        "wb.score": repr(event.score),
        "wb.sweep": f"{event.sweep:04d}",
    }
