import pytest

from tests.search.bench import Bench


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.ledger.close()


@pytest.fixture
def small_table(tmp_path):
    """A folder with ``train.csv``: 60 rows of a regression."""
    rows = "".join(f"{i},{i % 7},{(i % 7) * 2 + i % 3}\n" for i in range(60))
    (tmp_path / "train.csv").write_text(f"id,a,y\n{rows}", encoding="utf-8")
    return tmp_path
