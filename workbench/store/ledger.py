"""The ledger: studies, sweeps, trials and attempts, and the only truth about them.

States of a trial: queued → running → complete | pruned | failed; terminal states never change. A trial that is
screened first goes queued → running → screened, and if it is promoted → running → … as a whole. A trial that loses its
attempt is queued again, and its next attempt names the lost one. Claims are transactions, so a budget of N is exactly N
however many drivers share the ledger. Who lost its lease cannot write.

A trial's origin is a search, or a person who tried a configuration. Both are numbered along; budgets count
searched ones. What a team member's ledger ran is recorded complete, in studies of its own.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from workbench.errors import LeaseLost
from workbench.store import event_log
from workbench.store.database import aware, insert_new, now, open_database, reading, unreadable, writing
from workbench.store.events import Event, SweepFinished, TrialFinished, TrialStarted
from workbench.store.owner import known_dead, this_process
from workbench.store.tables import attempts, studies, sweeps, trials
from workbench.types import (
    AttemptState,
    Failure,
    Origin,
    Reported,
    Space,
    Stage,
    TrialResult,
    TrialState,
    Values,
    trial_name,
)

LEASE = timedelta(seconds=180)
"""A driver that has not renewed for so long has lost its attempts; it renews every few seconds."""

LOSSES_ALLOWED = 1
"""So many workers may die under a trial before it counts as failed(lost): a second death is hardly chance."""

TERMINAL: tuple[TrialState, ...] = ("complete", "pruned", "failed")
ENDED: tuple[TrialState, ...] = (*TERMINAL, "screened")
"""States in which nothing is left to do of what a budget counts; a screened trial may be promoted yet."""


@dataclass(frozen=True)
class Study:
    """One family on one (training data, fold plan, metric, code identity)."""

    id: int
    key: str
    family: str
    space: Space | None
    ground: dict[str, Any] = field(default_factory=dict)
    """What its key was made of, by name: to say why a study is a new one."""


@dataclass(frozen=True)
class Claim:
    """The right to work on a trial. ``values`` is ``None`` until the engine was asked.

    What it said beside is in ``epochs`` and ``told``. ``turn`` is the trial's place among the searched ones of its
    study, from 0: what the engine is asked by, so that tries in between do not change what a search suggests.
    """

    attempt: int
    token: str
    study: Study
    trial: int
    number: int
    sweep: int
    values: Values | None
    turn: int = 0
    origin: Origin = "search"
    note: str = ""
    stage: Stage = "whole"
    epochs: int | None = None
    told: dict[str, Any] = field(default_factory=dict)
    parent: int | None = None
    """The attempt that this one takes up; of a promoted trial's first one the screening is none."""

    @property
    def name(self) -> str:
        """The trial's name, such as ``lightgbm#0017``."""
        return trial_name(self.study.family, self.number)


@dataclass(frozen=True)
class Trial:
    """A trial as the ledger knows it; ``result`` only when it is complete.

    ``attempt``, ``started`` and ``finished`` are its last attempt's; ``None`` before the first, and while it runs.
    """

    id: int
    study: int
    family: str
    number: int
    state: TrialState
    values: Values
    result: TrialResult | None
    failure: Failure | None
    seconds: float
    """Of its last attempt."""
    origin: Origin = "search"
    note: str = ""
    stage: Stage = "whole"
    epochs: int | None = None
    """As its engine said."""
    told: dict[str, Any] = field(default_factory=dict)
    """What its engine keeps with it."""
    screening: TrialResult | None = None
    attempt: int | None = None
    """The last one's id, by which the epoch reports are kept."""
    sweep: int | None = None
    """Of the last attempt."""
    started: datetime | None = None
    finished: datetime | None = None

    @property
    def name(self) -> str:
        """The trial's name, such as ``lightgbm#0017``."""
        return trial_name(self.family, self.number)


@dataclass(frozen=True)
class Shared:
    """Trials that several studies may have together, beside what each of them may have."""

    studies: tuple[int, ...]
    total: int


@dataclass(frozen=True)
class Screened:
    """A trial of a study that screens: what is to be known for choosing those that are promoted."""

    id: int
    state: TrialState
    stage: Stage
    score: float | None
    """Its screening's; ``None`` while there is none."""


class Ledger:
    """A store of studies and what became of them, in a SQL database."""

    def __init__(self, url: str) -> None:
        """Open the database at a SQLAlchemy URL; its tables are made where there are none."""
        self.url = url
        self.owner = this_process()
        self._engine = open_database(url)

    @classmethod
    def open(cls, url: str) -> Ledger:
        """Open the database at a SQLAlchemy URL."""
        return cls(url)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # --- sweeps ------------------------------------------------------------------------------------------------------

    def open_sweep(self, experiment: str) -> int:
        """Begin a sweep and return its number."""
        row = {"experiment": experiment, "state": "running", "owner": self.owner, "started": now()}
        with writing(self._engine) as connection:
            return int(connection.execute(insert(sweeps).values(row).returning(sweeps.c.id)).scalar_one())

    def close_sweep(self, event: SweepFinished) -> None:
        """End a sweep, once."""
        open_one = (sweeps.c.id == event.sweep) & (sweeps.c.state == "running")
        values = {"state": event.state, "finished": now()}
        with writing(self._engine) as connection:
            if connection.execute(update(sweeps).where(open_one).values(values)).rowcount:
                event_log.append(connection, event)

    def record_delivery(self, sweep: int, key: str) -> None:
        """Note what a sweep delivered: a key of everything that its delivery depends on."""
        with writing(self._engine) as connection:
            connection.execute(update(sweeps).where(sweeps.c.id == sweep).values(delivery=key))

    def last_delivery(self, experiment: str) -> tuple[int, str] | None:
        """Return the newest sweep of an experiment that delivered, and the key of what it delivered."""
        query = (
            select(sweeps.c.id, sweeps.c.delivery)
            .where(sweeps.c.experiment == experiment, sweeps.c.delivery.is_not(None), sweeps.c.state == "complete")
            .order_by(sweeps.c.id.desc())
            .limit(1)
        )
        row = self._one(query)
        return (row.id, row.delivery) if row else None

    def experiments(self) -> tuple[str, ...]:
        """Return the names of the experiments that have had a sweep."""
        return tuple(row.experiment for row in self._all(select(sweeps.c.experiment).distinct().order_by("experiment")))

    # --- studies -----------------------------------------------------------------------------------------------------

    def open_study(self, key: str, experiment: str, family: str, ground: Mapping[str, Any] | None = None) -> Study:
        """Return the study with this key, made if it is new; ``ground`` is what its key is made of."""
        about = json.dumps(ground or {}, sort_keys=True, default=str)
        values = {"key": key, "experiment": experiment, "family": family, "ground": about, "created": now()}
        with writing(self._engine) as connection:
            connection.execute(insert_new(connection, studies).values(values))
            return _study(connection.execute(select(studies).where(studies.c.key == key)).one())

    def studies(self, experiment: str, family: str | None = None) -> list[Study]:
        """Return the studies of a family, or of all, the newest first: each change of data or code began another."""
        same = studies.c.experiment == experiment
        if family is not None:
            same &= studies.c.family == family
        return [_study(row) for row in self._all(select(studies).where(same).order_by(studies.c.id.desc()))]

    def set_space(self, study: int, space: Space) -> None:
        """Keep what is known of a study's space."""
        with writing(self._engine) as connection:
            values = {"space": space.model_dump_json()}
            connection.execute(update(studies).where(studies.c.id == study).values(values))

    def trials(self, study: int) -> list[Trial]:
        """Return a study's trials by number."""
        a = attempts.c
        last = select(a.trial, func.max(a.id).label("id")).group_by(a.trial).subquery()
        query = (
            select(
                trials,
                studies.c.family,
                a.id.label("attempt"),
                *(a.sweep, a.result, a.failure, a.started, a.finished),
            )
            .join(studies, studies.c.id == trials.c.study)
            .outerjoin(last, last.c.trial == trials.c.id)
            .outerjoin(attempts, attempts.c.id == last.c.id)
            .where(trials.c.study == study)
            .order_by(trials.c.number)
        )
        return [_told(row) for row in self._all(query)]

    def counts(self, study: int) -> dict[TrialState, int]:
        """Return the number of a study's trials in each state."""
        query = (
            select(trials.c.state, func.count().label("total")).where(trials.c.study == study).group_by(trials.c.state)
        )
        return {row.state: row.total for row in self._all(query)}

    def searched(self, *studies: int) -> int:
        """Return how many trials of the studies a search began: those that their budget counts."""
        query = select(func.count().label("total")).where(_searched(*studies))
        return int(self._all(query)[0].total)

    def screenings(self, study: int) -> list[Screened]:
        """Return the searched trials of a study that were, or are to be, screened."""
        columns = (trials.c.id, trials.c.state, trials.c.stage, trials.c.screening)
        rows = self._all(select(*columns).where(_searched(study), trials.c.stage != "whole"))
        return [
            Screened(r.id, r.state, r.stage, json.loads(r.screening)["score"] if r.screening else None) for r in rows
        ]

    def spent(self, study: int) -> float:
        """Return the seconds that workers have spent on a study's search, lost attempts included."""
        query = (
            select(attempts.c.started, attempts.c.finished)
            .join(trials, trials.c.id == attempts.c.trial)
            .where(_searched(study), attempts.c.finished.is_not(None))
        )
        return sum((aware(row.finished) - aware(row.started)).total_seconds() for row in self._all(query))

    # --- attempts ----------------------------------------------------------------------------------------------------

    def claim(
        self, study: Study, sweep: int, total: int, stage: Stage = "whole", shared: Shared | None = None
    ) -> Claim | None:
        """Take a queued trial of the search, or a new one while it has fewer than ``total``; else ``None``.

        A new one begins with ``stage``; there is none either when those with which it shares have all that they may.
        """
        with writing(self._engine) as connection:
            trial = self._queued(connection, _searched(study.id))
            trial = trial or self._new_trial(connection, study.id, total, stage, shared)
            return None if trial is None else self._attempt(connection, study, trial, sweep)

    def promote(self, study: Study, sweep: int, trial: int) -> Claim | None:
        """Take a screened trial, to be worked on as a whole; ``None`` if another driver was faster."""
        with writing(self._engine) as connection:
            screened = select(trials).where(trials.c.id == trial, trials.c.state == "screened")
            row = connection.execute(screened.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            connection.execute(update(trials).where(trials.c.id == trial).values(stage="promoted"))
            return replace(self._attempt(connection, study, row, sweep), stage="promoted", parent=None)

    def claim_tried(self, study: Study, sweep: int, values: Values, note: str) -> Claim:
        """Take the trial of these values that an interrupted try left queued, or a new one beside the search's."""
        text = json.dumps(values)
        same = (trials.c.study == study.id) & (trials.c.origin == "try") & (trials.c["values"] == text)
        with writing(self._engine) as connection:
            trial = self._queued(connection, same)
            if trial is None:
                trial = self._insert_trial(connection, study.id, origin="try", values=text, note=note)
            return self._attempt(connection, study, trial, sweep)

    def record(self, study: Study, sweep: int, started: TrialStarted, result: TrialResult) -> int | None:
        """Write a complete trial that another ledger ran, whose number is kept where it is free; return its number.

        ``started`` says what is known of it; its ids and number are given here. ``None`` where the study has its fit.
        """
        with writing(self._engine) as connection:
            self._lock(connection, study.id)
            known = select(trials.c.number, attempts.c.result).outerjoin(attempts, attempts.c.trial == trials.c.id)
            rows = connection.execute(known.where(trials.c.study == study.id)).all()
            if any(row.result and json.loads(row.result)["fit_key"] == result.fit_key for row in rows):
                return None
            taken = {row.number for row in rows}
            number = max(taken) + 1 if started.number in taken else started.number
            about = {"study": study.id, "number": number, "values": json.dumps(result.values), "note": started.note}
            row = {**about, "state": "running", "origin": started.origin}
            trial = connection.execute(insert(trials).values(row).returning(*trials.c)).one()
            claim = self._attempt(connection, study, trial, sweep)
            ids = {"sweep": sweep, "study": study.id, "trial": trial.id, "attempt": claim.attempt, "number": number}
            event_log.append(connection, started.model_copy(update={**ids, "family": study.family}))
            self._end(
                connection, TrialFinished(**ids, family=study.family, state="complete", result=result), "complete"
            )
            return number

    def _attempt(self, connection: Connection, study: Study, trial: Row[Any], sweep: int) -> Claim:
        parent = connection.execute(select(func.max(attempts.c.id)).where(attempts.c.trial == trial.id)).scalar()
        row = {
            "trial": trial.id,
            "parent": parent,
            "sweep": sweep,
            "state": "running",
            "owner": self.owner,
            "token": secrets.token_hex(8),
            "lease_until": now() + LEASE,
            "started": now(),
        }
        attempt = connection.execute(insert(attempts).values(row).returning(attempts.c.id)).scalar_one()
        connection.execute(update(trials).where(trials.c.id == trial.id).values(state="running"))
        earlier = select(func.count()).where(_searched(study.id), trials.c.number < trial.number)
        return Claim(
            attempt=attempt,
            token=str(row["token"]),
            study=study,
            trial=trial.id,
            number=trial.number,
            sweep=sweep,
            values=None if trial.values is None else _values(trial.values),
            turn=connection.execute(earlier).scalar_one(),
            origin=trial.origin,
            note=trial.note,
            stage=trial.stage,
            parent=parent,
            **_suggestion(trial.suggestion),
        )

    def begin(
        self,
        claim: Claim,
        values: Values,
        event: TrialStarted,
        epochs: int | None = None,
        told: Mapping[str, Any] | None = None,
    ) -> None:
        """Fix a claimed trial's values, with what the engine said beside, and log that it started."""
        about = json.dumps({"epochs": epochs, "told": told}) if epochs is not None or told else ""
        with writing(self._engine) as connection:
            self._held(connection, claim)
            columns = {"values": json.dumps(values), "suggestion": about}
            connection.execute(update(trials).where(trials.c.id == claim.trial).values(columns))
            event_log.append(connection, event)

    def withdraw(self, claim: Claim) -> None:
        """Give a claim back that was never begun, as its engine has nothing to try: as if it had not been made."""
        last = select(func.max(trials.c.number)).where(trials.c.study == claim.study.id)
        with writing(self._engine) as connection:
            self._held(connection, claim)
            self._lock(connection, claim.study.id)
            connection.execute(delete(attempts).where(attempts.c.id == claim.attempt))
            if claim.values is None and connection.execute(last).scalar_one() == claim.number:
                connection.execute(delete(trials).where(trials.c.id == claim.trial))
            else:
                connection.execute(update(trials).where(trials.c.id == claim.trial).values(state="queued"))

    def finish(self, claim: Claim, event: TrialFinished) -> None:
        """End an attempt and its trial with one of the terminal states, or as screened.

        Raises:
            LeaseLost: the attempt is no longer this process's.
        """
        with writing(self._engine) as connection:
            self._held(connection, claim)
            self._end(connection, event, _ended(event.state))

    def lose(self, claim: Claim, failure: Failure | None) -> TrialState:
        """End an attempt without a result, and return what became of its trial.

        Without a failure the driver gave it back, and the trial is queued. With one a worker died under it: the trial
        is queued once more, then failed.
        """
        with writing(self._engine) as connection:
            self._held(connection, claim)
            return self._lose(connection, claim.attempt, failure)

    def give_back(self, sweep: int) -> None:
        """Queue every trial that this process holds in a sweep, also one that a signal kept from its caller."""
        mine = (attempts.c.sweep == sweep) & (attempts.c.owner == self.owner) & (attempts.c.state == "running")
        for row in self._all(select(attempts.c.id).where(mine)):
            with writing(self._engine) as connection:
                self._lose(connection, row.id, None)

    def renew(self, claims: Iterable[Claim]) -> None:
        """Extend the leases of attempts that are being worked on."""
        held = [claim.attempt for claim in claims]
        if held:
            mine = attempts.c.id.in_(held) & (attempts.c.owner == self.owner) & (attempts.c.state == "running")
            with writing(self._engine) as connection:
                connection.execute(update(attempts).where(mine).values(lease_until=now() + LEASE))

    def reap(self) -> int:
        """Queue the trials and close the sweeps of dead drivers; return how many trials were queued."""
        lost = sum(self._reap(row.id) for row in self._all(select(attempts.c.id).where(attempts.c.state == "running")))
        for row in self._all(select(sweeps).where(sweeps.c.state == "running")):
            if known_dead(row.owner):
                self.close_sweep(SweepFinished(sweep=row.id, state="interrupted", message="the driver died"))
        return lost

    def _reap(self, attempt: int) -> bool:
        """Lose one attempt if its driver is dead; in a transaction of its own, so that no two wait for each other."""
        same = (attempts.c.id == attempt) & (attempts.c.state == "running")
        with writing(self._engine) as connection:
            row = connection.execute(select(attempts).where(same).with_for_update(skip_locked=True)).one_or_none()
            if row is None or not (aware(row.lease_until) < now() or known_dead(row.owner)):
                return False
            self._lose(connection, row.id, None)
            return True

    def _queued(self, connection: Connection, among: ColumnElement[bool]) -> Row[Any] | None:
        query = select(trials).where(among, trials.c.state == "queued").order_by(trials.c.number)
        return connection.execute(query.limit(1).with_for_update(skip_locked=True)).one_or_none()

    def _new_trial(
        self, connection: Connection, study: int, total: int, stage: Stage, shared: Shared | None
    ) -> Row[Any] | None:
        limits = [((study,), total)] if shared is None else [((study,), total), (shared.studies, shared.total)]
        for each in sorted({each for among, _ in limits for each in among}):  # in one order: none waits in a ring
            self._lock(connection, each)
        for among, most in limits:
            if connection.execute(select(func.count()).where(_searched(*among))).scalar_one() >= most:
                return None
        return self._insert_trial(connection, study, origin="search", stage=stage)

    def _insert_trial(self, connection: Connection, study: int, **columns: str) -> Row[Any]:
        self._lock(connection, study)
        number = connection.execute(select(func.count()).where(trials.c.study == study)).scalar_one()
        row = {"study": study, "number": number, "state": "running", **columns}
        return connection.execute(insert(trials).values(row).returning(*trials.c)).one()

    def _lock(self, connection: Connection, study: int) -> None:
        """Lock a study's row (SQLite has one writer anyway), so that two drivers never count the same."""
        connection.execute(select(studies.c.id).where(studies.c.id == study).with_for_update())

    def _held(self, connection: Connection, claim: Claim) -> None:
        query = select(attempts.c.token, attempts.c.state).where(attempts.c.id == claim.attempt).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None or row.token != claim.token or row.state != "running":
            raise LeaseLost(f"{claim.name}: attempt {claim.attempt} was taken over; its result is dropped")

    def _end(self, connection: Connection, event: TrialFinished, trial_state: TrialState) -> None:
        values = {
            "state": event.state,
            "finished": now(),
            "result": event.result.model_dump_json() if event.result else None,
            "failure": event.failure.model_dump_json() if event.failure else None,
        }
        connection.execute(update(attempts).where(attempts.c.id == event.attempt).values(values))
        columns: dict[str, Any] = {"state": trial_state}
        if event.state == "screened":
            columns["screening"] = str(values["result"])
        connection.execute(update(trials).where(trials.c.id == event.trial).values(columns))
        event_log.append(connection, event)

    def _lose(self, connection: Connection, attempt: int, failure: Failure | None) -> TrialState:
        query = (
            select(attempts.c.sweep, trials.c.id, trials.c.study, trials.c.number, studies.c.family)
            .join(trials, trials.c.id == attempts.c.trial)
            .join(studies, studies.c.id == trials.c.study)
            .where(attempts.c.id == attempt)
        )
        row = connection.execute(query).one()
        deaths = connection.execute(
            select(func.count()).where(
                attempts.c.trial == row.id, attempts.c.state == "lost", attempts.c.failure.is_not(None)
            )
        ).scalar_one()
        final = failure is not None and deaths >= LOSSES_ALLOWED
        state: AttemptState = "failed" if final else "lost"
        becomes: TrialState = "failed" if final else "queued"
        event = TrialFinished(
            sweep=row.sweep,
            study=row.study,
            trial=row.id,
            attempt=attempt,
            family=row.family,
            number=row.number,
            state=state,
            failure=failure,
        )
        self._end(connection, event, becomes)
        return becomes

    # --- events and reports ------------------------------------------------------------------------------------------

    def append(self, event: Event) -> int:
        """Write an event and return its position."""
        with writing(self._engine) as connection:
            return event_log.append(connection, event)

    def events(self, after: int, limit: int = 1000) -> list[tuple[int, datetime, Event]]:
        """Return up to ``limit`` events behind position ``after``, in order."""
        return event_log.events(self._engine, after, limit)

    def last_position(self) -> int:
        """Return the position of the newest event, 0 if there is none."""
        return event_log.last_position(self._engine)

    def position(self, projection: str) -> int:
        """Return the position up to which a projection has applied events."""
        return event_log.position(self._engine, projection)

    def advance(self, projection: str, position: int) -> None:
        """Note that a projection has applied everything up to ``position``."""
        event_log.advance(self._engine, projection, position)

    def write_reports(self, rows: Sequence[tuple[int, Reported]]) -> None:
        """Write epoch reports of attempts."""
        event_log.write_reports(self._engine, rows)

    def reports(self, attempt: int) -> list[event_log.Report]:
        """Return an attempt's reports, by split and epoch."""
        return event_log.reports(self._engine, attempt)

    def _all(self, query: Any) -> Sequence[Row[Any]]:
        with reading(self._engine) as connection:
            return connection.execute(query).all()

    def _one(self, query: Any) -> Row[Any] | None:
        with reading(self._engine) as connection:
            return connection.execute(query).one_or_none()


def _searched(*studies: int) -> ColumnElement[bool]:
    return trials.c.study.in_(studies) & (trials.c.origin == "search")


def _ended(state: AttemptState) -> TrialState:
    if state not in ENDED:
        raise ValueError(f"'{state}' does not end a trial; expected one of {', '.join(ENDED)}")
    return state


def _study(row: Row[Any]) -> Study:
    space = Space.model_validate_json(row.space) if row.space else None
    return Study(id=row.id, key=row.key, family=row.family, space=space, ground=_values(row.ground))


def _values(text: str | None) -> Values:
    return json.loads(text) if text else {}


def _suggestion(text: str) -> dict[str, Any]:
    about = json.loads(text) if text else {}
    return {"epochs": about.get("epochs"), "told": about.get("told") or {}}


def _told(row: Row[Any]) -> Trial:
    """Return a trial; raise `StoreError` for one whose text a disk has changed, which SQLite does not see."""
    try:
        return _trial(row)
    except (ValueError, TypeError, AttributeError) as error:
        raise unreadable(f"{trial_name(row.family, row.number)} (row {row.id} of its trials)", error) from error


def _trial(row: Row[Any]) -> Trial:
    ended = row.finished is not None and row.state in TERMINAL
    return Trial(
        id=row.id,
        study=row.study,
        family=row.family,
        number=row.number,
        state=row.state,
        values=_values(row.values),
        result=TrialResult.model_validate_json(row.result) if ended and row.result else None,
        failure=Failure.model_validate_json(row.failure) if row.failure else None,
        seconds=(aware(row.finished) - aware(row.started)).total_seconds() if row.finished else 0.0,
        origin=row.origin,
        note=row.note,
        stage=row.stage,
        screening=TrialResult.model_validate_json(row.screening) if row.screening else None,
        attempt=row.attempt,
        sweep=row.sweep,
        started=aware(row.started) if row.started else None,
        finished=aware(row.finished) if row.finished else None,
        **_suggestion(row.suggestion),
    )
