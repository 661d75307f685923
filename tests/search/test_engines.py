from workbench.search.engine import Engine, EngineOptions, Outcome
from workbench.search.optuna_engine import OptunaEngine
from workbench.search.random_engine import RandomEngine
from workbench.testing import EngineContract, awkward_space, bowl


class TestOptunaEngine(EngineContract):
    def make(self, options: EngineOptions) -> Engine:
        return OptunaEngine(options)

    def test_it_searches_better_than_chance(self):
        def best(make, seed):
            engine, space = make(EngineOptions("minimize", seed=seed, startup=5)), awkward_space()
            scores = []
            for number in range(30):
                suggestion = engine.ask(number, space)
                scores.append(bowl(suggestion.values))
                engine.tell(number, Outcome(suggestion, "complete", (scores[-1],)), space)
            return sum(scores[10:])

        seeds = range(5)
        assert sum(best(OptunaEngine, s) for s in seeds) < 0.7 * sum(best(RandomEngine, s) for s in seeds)


class TestRandomEngine(EngineContract):
    def make(self, options: EngineOptions) -> Engine:
        return RandomEngine(options)
