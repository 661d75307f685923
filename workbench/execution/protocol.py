"""The lines that a driver and its workers exchange: one JSON object each, no pickles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from workbench.types import Job, Value, WorkerEvent


class Hello(Value):
    """The first line to a worker."""

    kind: Literal["hello"] = "hello"
    runner: str
    runner_root: Path | None


class Submit(Value):
    """Run this job after those before it."""

    kind: Literal["submit"] = "submit"
    job: Job


class Stop(Value):
    """End the job at its next report."""

    kind: Literal["stop"] = "stop"
    job_id: str


def worth_sending(epoch: int) -> bool:
    """Say whether a report of this epoch or round goes to the driver: boosters make thousands, each costs it a row.

    Each up to 100, then each tenth up to 1000, then each hundredth of each split.
    """
    return epoch <= 100 or (epoch <= 1000 and epoch % 10 == 0) or epoch % 100 == 0


Command = Annotated[Hello | Submit | Stop, Field(discriminator="kind")]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
EVENT: TypeAdapter[WorkerEvent] = TypeAdapter(WorkerEvent, config=ConfigDict(ser_json_inf_nan="constants"))
