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


Command = Annotated[Hello | Submit | Stop, Field(discriminator="kind")]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
EVENT: TypeAdapter[WorkerEvent] = TypeAdapter(WorkerEvent, config=ConfigDict(ser_json_inf_nan="constants"))
