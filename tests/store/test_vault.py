import contextlib
import random

import numpy as np
import pytest

from workbench.errors import StoreError
from workbench.store import vault as vault_module
from workbench.store.disk import is_full
from workbench.store.vault import Vault, write_predictions, write_result
from workbench.types import TrialResult

RESULT = TrialResult(score=float("inf"), score_se=0.1, scores=(0.4, 0.6), values={"lr": 0.1})


def fill(vault, key, oof=((0.5, 0.25), (1.0,)), test=None):
    with vault.writing(key) as folder:
        write_predictions(folder, [np.array(part)[:, None] for part in oof], test, "t1")
        write_result(folder, RESULT)
        (folder / "split0").mkdir()
        (folder / "split0" / "bundle.json").write_text("{}")


def test_what_is_written_is_read_again(tmp_path):
    vault = Vault(tmp_path)
    assert not vault.has("abcd")
    fill(vault, "abcd", test=np.array([[0.5], [0.75]]))
    assert vault.has("abcd")
    assert vault.result("abcd") == RESULT
    assert [part.tolist() for part in vault.oof("abcd")] == [[[0.5], [0.25]], [[1.0]]]
    assert vault.test("abcd", "t1").tolist() == [[0.5], [0.75]]
    with pytest.raises(StoreError, match="test-t2"):
        vault.test("abcd", "t2")


def test_a_fit_that_is_not_finished_leaves_nothing(tmp_path):
    vault = Vault(tmp_path)

    def begin():
        with vault.writing("abcd") as folder:
            (folder / "result.json").write_text("{}")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        begin()
    assert not vault.has("abcd")
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("damaged", ["result.json", "oof.npz"])
@pytest.mark.parametrize("content", [b"", b"{", b"PK\x03\x04garbage"])
def test_a_damaged_fit_is_set_aside_and_written_anew(tmp_path, damaged, content):
    vault = Vault(tmp_path)
    fill(vault, "abcd")
    (vault.folder("abcd") / damaged).write_bytes(content)
    assert not vault.has("abcd")
    (aside,) = (tmp_path / "damaged").iterdir()
    assert (aside / damaged).read_bytes() == content
    fill(vault, "abcd")
    assert vault.has("abcd")


def test_the_first_writer_of_a_fit_stays(tmp_path):
    vault = Vault(tmp_path)
    with vault.writing("abcd") as late:
        write_predictions(late, [np.zeros((1, 1))], None, "")
        write_result(late, RESULT)
        fill(vault, "abcd")
    assert len(vault.oof("abcd")) == 2


def test_bundles_are_dropped_and_predictions_stay(tmp_path):
    vault = Vault(tmp_path)
    for key in ("aa01", "bb02"):
        fill(vault, key)
    vault.keep_bundles(["aa01"], ["aa01", "bb02"])
    assert (vault.folder("aa01") / "split0").exists()
    assert not (vault.folder("bb02") / "split0").exists()
    assert vault.has("bb02")


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises((StoreError, NotADirectoryError), match="file"):
        fill(Vault(blocked), "abcd")


def test_every_file_of_a_fit_is_sealed_and_what_is_added_later_may_change(tmp_path):
    vault = Vault(tmp_path)
    fill(vault, "abcd", test=np.array([[0.5]]))
    (vault.folder("abcd") / "test-later.npy").write_bytes(b"of another table")
    assert vault.damage("abcd") == ""
    (vault.folder("abcd") / "split0" / "bundle.json").write_text("{ }")
    assert vault.damage("abcd") == "split0/bundle.json is not what was written"
    vault.keep_bundles([], ["abcd"])
    assert vault.damage("abcd") == ""
    (vault.folder("abcd") / "test-t1.npy").unlink()
    assert vault.damage("abcd") == "test-t1.npy is gone"
    assert not vault.has("abcd")
    assert vault.damage("abcd") == "it is absent"


@pytest.mark.parametrize("name", ["result.json", "oof.npz", "test-t1.npy", "sums.json", "split0/bundle.json"])
def test_no_damage_raises_anything_but_ours(tmp_path, name):
    vault, chance = Vault(tmp_path), random.Random(0)
    fill(vault, "abcd", test=np.array([[0.5]]))
    file = vault.folder("abcd") / name
    good = file.read_bytes()
    for _ in range(60):
        at, length = chance.randrange(len(good)), chance.choice([1, 4, 30])
        changed = chance.choice([good[:at], good[:at] + chance.randbytes(length) + good[at + length :]])
        file.write_bytes(changed)
        with contextlib.suppress(StoreError):
            vault.test("abcd", "t1")
        assert changed == good or vault.damage("abcd") or name == "sums.json"


def test_a_library_that_hides_that_the_disk_is_full_is_seen_through(tmp_path, monkeypatch):
    vault = Vault(tmp_path)

    def write():
        with vault.writing("abcd"):
            raise RuntimeError("could not save the model")

    with pytest.raises(RuntimeError, match="could not save"):
        write()
    monkeypatch.setattr(vault_module, "free_mb", lambda _: 0.0)
    with pytest.raises(StoreError, match=r"could not save the model.*No space left on device") as told:
        write()
    assert is_full(told.value)
    assert list((tmp_path / "tmp").iterdir()) == []
