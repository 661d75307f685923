import importlib.util

import pytest

from workbench.search.engine import Engine, EngineOptions, Outcome
from workbench.search.random_engine import RandomEngine
from workbench.search.samplers import make_engine
from workbench.testing import EngineContract, awkward_space, bowl


class SamplerContract(EngineContract):
    sampler = "auto"

    def make(self, options: EngineOptions) -> Engine:
        return make_engine(EngineOptions(options.direction, options.seed, options.startup, self.sampler))


class TestTpe(SamplerContract):
    sampler = "tpe"


class TestCmaEs(SamplerContract):
    sampler = "cmaes"


class TestNsga2(SamplerContract):
    sampler = "nsga2"


class TestQuasiRandom(SamplerContract):
    sampler = "qmc"


class TestGrid(SamplerContract):
    sampler = "grid"


class TestRandom(SamplerContract):
    sampler = "random"


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="sampler gp needs PyTorch, the extra 'gp'")
class TestGaussianProcess(SamplerContract):
    sampler = "gp"


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_it_searches_better_than_chance(sampler):
    def rest(make, seed):
        engine, space = make(EngineOptions("minimize", seed, startup=5, sampler=sampler)), awkward_space()
        scores = []
        for number in range(30):
            suggestion = engine.ask(number, space)
            scores.append(bowl(suggestion.values))
            engine.tell(number, Outcome(suggestion, "complete", (scores[-1],)), space)
        return sum(scores[10:])

    seeds = range(5)
    assert sum(rest(make_engine, s) for s in seeds) < 0.7 * sum(rest(RandomEngine, s) for s in seeds)
