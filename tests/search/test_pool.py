"""The last part of a budget goes to families by what they add: exact, by merit, resumed alike, by several drivers."""

import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.search.bench import Bench, Telling
from workbench.config.models import SearchConfig
from workbench.execution.contract import ExecutorOptions
from workbench.execution.inline import InlineExecutor
from workbench.experiment import Experiment
from workbench.listening import Listener
from workbench.search.driver import Driver
from workbench.search.pool import EXPLORATION, Pool, chances
from workbench.search.progress import Silent
from workbench.search_budget import has_work, planned, resolve_budget
from workbench.search_stage import open_search
from workbench.store.events import TrialFinished
from workbench.store.ledger import Ledger, Shared
from workbench.store.vault import write_predictions, write_result
from workbench.types import Parameter, Space, TrialResult
from workbench.workspace import open_workspace

NAMES = ("a", "b", "useless")
OWN, IN_ALL = 3, 24


class Pooled(Bench):
    """Three families with 3 trials of their own and 24 in all; what they add grows with what they find."""

    def pool(self, observer=None, ledger=None, seed=0):
        lanes = [self.lane(name, total=OWN, seed=place) for place, name in enumerate(NAMES)]
        shared = Shared(tuple(lane.study.id for lane in lanes), IN_ALL)
        for lane in lanes:
            lane.shared = shared
            lane.restore(self.ledger.trials(lane.study.id), self.ledger.reports)
        telling = observer or Silent()
        return lanes, Pool(
            ledger or self.ledger, shared, seed, lambda: self.merits(shared.studies), 0.3, telling.notice
        )

    def merits(self, studies):
        best = {}
        for study in studies[:2]:
            trials = self.ledger.trials(study)
            if scores := [trial.result.score for trial in trials if trial.result]:
                best[trials[0].family] = 1.0 / min(scores)
        return {**best, "useless": 0.0}

    def run(self, observer=None, **options):
        lanes, pool = self.pool(observer)
        return self.search(*lanes, observer=observer, pool=pool, **options), pool

    def started(self):
        return [(e.family, e.number, e.values) for _, _, e in self.ledger.events(0) if e.kind == "trial.started"]


@pytest.fixture
def bench(tmp_path):
    made = Pooled(tmp_path)
    yield made
    made.ledger.close()


def test_the_pool_is_given_out_exactly_and_a_useless_family_gets_its_part_of_the_exploration(bench):
    telling = Telling()
    trials, pool = bench.run(telling)
    counts = Counter(trial.family for trial in trials)
    drawn = IN_ALL - OWN * len(NAMES)
    assert (len(trials), pool.drawn.total()) == (IN_ALL, drawn)
    assert counts == {name: OWN + pool.drawn[name] for name in NAMES}
    assert pool.drawn["useless"] <= 3 * drawn * EXPLORATION / len(NAMES) < min(pool.drawn["a"], pool.drawn["b"])
    (told,) = telling.notices
    assert told.startswith("the last 15 trials go to families by what they add to the blend; the odds are now ")
    assert "useless 7 %" in told
    assert pool.summary.startswith("the last 15 trials went to families by what they add to the blend: ")
    assert bench.run()[1].summary == "", "nothing is left"


def test_a_search_that_goes_on_draws_what_an_uninterrupted_one_draws(tmp_path):
    class Interrupting(Silent):
        def __init__(self, end):
            self.end, self.heard = end, 0

        def trial(self, news):  # noqa: ARG002
            self.heard += 1
            if self.heard == self.end:
                raise KeyboardInterrupt

    found = {}
    for name, ends in {"whole": (), "stopped": (5, 6, 5)}.items():
        (tmp_path / name).mkdir()
        bench = Pooled(tmp_path / name)
        for end in ends:
            with pytest.raises(KeyboardInterrupt):
                bench.run(Interrupting(end))
        bench.run()
        found[name] = bench.started()
        bench.ledger.close()
    assert len(found["whole"]) == IN_ALL
    assert found["stopped"] == found["whole"]


def test_several_drivers_share_the_pool_exactly(bench):
    def drive():
        ledger = Ledger.open(bench.ledger.url)
        lanes, pool = bench.pool(ledger=ledger)
        executor = InlineExecutor(ExecutorOptions(runner="tests.stub_runner:run", logs=bench.folder))
        Driver(ledger, executor, bench.sweep, lanes, Silent(), pool=pool).run()
        executor.close()
        ledger.close()

    threads = [threading.Thread(target=drive) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    studies = bench.pool()[1].shared.studies
    states = [trial.state for study in studies for trial in bench.ledger.trials(study)]
    assert states == ["complete"] * IN_ALL


def test_in_the_last_part_of_the_time_all_draw_and_no_more_than_there_is(bench):
    telling = Telling()
    lanes, pool = bench.pool(telling)
    pool.share = 0.999
    trials = bench.search(*lanes, pool=pool, seconds=60.0)
    assert telling.notices[0].startswith("the last part of the time goes to families by what they add")
    assert len(trials) == IN_ALL
    assert Counter(t.family for t in trials)["useless"] < 8
    assert pool.drawn.total() > IN_ALL - OWN * len(NAMES), "their own parts were not used up"


def test_odds_are_merits_beside_the_exploration_and_the_unknown_counts_as_the_best():
    assert chances(["a", "b"], {}) == chances(["a", "b"], {"a": 0.0, "b": 0.0}) == {"a": 0.5, "b": 0.5}
    odds = chances(["a", "b", "new"], {"a": 2.0, "b": 0.0})
    alike = EXPLORATION / 3
    assert odds == pytest.approx({"a": alike + 0.4, "b": alike, "new": alike + 0.4})


# --- the budget, and what families add, of an experiment -------------------------------------------------------------


@pytest.fixture
def experiment(small_table):
    def made(**search):
        return Experiment(
            name="pool",
            root=small_table,
            train="train.csv",
            target="y",
            metric="rmse",
            families=["dummy", "lightgbm", "xgboost", {"name": "linear", "trials": 2}],
            search={"engine": "random", "listen": 0.3, **search},
            training={"executor": "inline"},
        )

    return made


def test_what_is_shared_is_the_last_part_of_the_trials_of_families_without_their_own(experiment):
    searched, fixed = Space(parameters=(Parameter(name="x", kind="float", low=0.0, high=1.0, default=0.0),)), Space()
    spaces = {"dummy": fixed, "lightgbm": searched, "xgboost": searched, "linear": searched}
    for search, own, shared in (
        ({"trials": 10}, 7, 20),
        ({"trials": 1}, 1, 2),
        ({"trials_in_all": 23}, 7, 20),
    ):
        with open_workspace(experiment(**search)) as workspace:
            budget = planned(workspace, resolve_budget(workspace, None, 0, None), spaces)
            assert (budget.own, budget.shared) == ({"lightgbm": own, "xgboost": own}, shared)
            argued = planned(workspace, resolve_budget(workspace, None, 5, None), spaces)
            assert (argued.own, argued.shared) == ({"lightgbm": 3, "xgboost": 3}, 10)
    with pytest.raises(ValueError, match="listen and screen are both given"):
        SearchConfig(listen=0.3, screen={})


def test_an_experiment_listens_and_ends_and_what_cannot_be_read_fails_no_search(experiment):
    telling = Telling()
    with open_workspace(experiment(trials=6)) as workspace:
        budget = resolve_budget(workspace, None, 0, None)
        with open_search(workspace, budget, telling, "tests.stub_runner:run") as search:
            search.run(workspace.ledger.open_sweep("pool"))
        known = replace(workspace)  # knows the spaces now
        assert not has_work(known, resolve_budget(known, None, 0, None))
        counts = {study.family: workspace.ledger.searched(study.id) for study in workspace.studies}
    # The stub searches dummy too, and writes predictions of rows that this plan does not have.
    assert counts["linear"] == 2
    assert counts["dummy"] + counts["lightgbm"] + counts["xgboost"] == 18
    assert any("the odds are now dummy 33 %" in text for text in telling.notices)
    assert any("trials went to families by what they add" in text for text in telling.notices)


def test_a_listener_knows_what_families_add_and_leaves_out_what_is_damaged(experiment):
    with open_workspace(experiment()) as workspace:
        listener, sweep = Listener(workspace, print), workspace.ledger.open_sweep("pool")
        plan, y = workspace.plan, workspace.dataset.y
        generator = np.random.default_rng(0)
        noise = {name: generator.normal(size=len(y)) for name in ("lightgbm", "xgboost", "more")}

        def complete(family, errors):
            study = next(study for study in workspace.studies if study.family == family)
            claim = workspace.ledger.claim(study, sweep, 99)
            oof = [(y + errors)[plan.validate(split)][:, None] for split in range(plan.splits)]
            scores = tuple(float(np.sqrt(np.mean(errors[plan.validate(s)] ** 2))) for s in range(plan.splits))
            key = f"{family}{claim.number:04d}"
            about = {"score": float(np.mean(scores)), "score_se": 0.1, "scores": scores, "fit_key": key}
            nothing = {"values": {}, "best_epochs": (), "epochs": (), "fit_s": 0.0}
            result = TrialResult(**about, **nothing)
            with workspace.vault.writing(key) as folder:
                write_predictions(folder, oof, None, "")
                write_result(folder, result)
            ended = {"sweep": sweep, "study": study.id, "trial": claim.trial, "attempt": claim.attempt}
            finished = TrialFinished(**ended, family=family, number=claim.number, state="complete", result=result)
            workspace.ledger.finish(claim, finished)
            return workspace.vault.folder(key)

        assert listener() == {}
        complete("lightgbm", noise["lightgbm"])
        complete("linear", noise["lightgbm"] * 1.5)  # says what lightgbm says, and less well
        assert listener()["linear"] == pytest.approx(0.0, abs=1e-6)
        complete("xgboost", noise["xgboost"])
        merits = listener()
        assert min(merits["lightgbm"], merits["xgboost"]) > 0.1 > merits["linear"] >= 0.0
        better = complete("xgboost", noise["xgboost"] * 0.5)
        assert listener()["xgboost"] > merits["xgboost"]
        next(better.glob("oof*")).write_bytes(b"damaged")
        fresh = Listener(workspace, print)()
        assert fresh["xgboost"] > 0.1
