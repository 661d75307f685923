"""Packs that are damaged, or that an enemy has written: refused by name, nothing written elsewhere, nothing run."""

import io
import json
import os
import re
import stat
import zipfile

import numpy as np
import pytest

from tests.exchange.tampering import Tampered
from workbench.errors import DataError, StoreError
from workbench.exchange import opening
from workbench.exchange.safety import check_files
from workbench.types import FamilyRef

OOF = "oof.npz"
BUNDLE = "split0/bundle.json"


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def link(pack):
    entry = zipfile.ZipInfo(next(iter(pack.entries)))
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    del pack.entries[entry.filename]
    pack.extra.append((entry, b"/etc/passwd"))


def first_file(**changes):
    return lambda pack: pack.manifest["trials"][0]["files"][0].update(changes)


def manifest(**changes):
    return lambda pack: pack.manifest.update(changes)


def bomb(pack):
    pack.put(pack.trial("lightgbm"), "split0/model.txt", bytes(16 * 2**20))


WHOLE = {
    "slip": (lambda pack: pack.entries.update({"../../evil.py": b"x"}), "an entry '../../evil.py' that its list"),
    "listed slip": (first_file(path="../../evil.npy"), "no part of a fit"),
    "absolute": (first_file(path="/tmp/evil.npy"), "no part of a fit"),
    "pickle": (
        lambda pack: pack.put(pack.trial("ridge"), "split0/model.pkl", b"x"),
        "'split0/model.pkl', which is no part",
    ),
    "code slip": (lambda pack: pack.manifest["code"][0].update(path="0/../evil.py"), "a file of code is called"),
    "link": (link, "is a link, a folder or a device"),
    "twice": (lambda pack: pack.extra.append((next(iter(pack.entries)), b"x")), "two entries"),
    "sizes": (first_file(size=1), "bytes, its list says 1"),
    "absent": (lambda pack: pack.entries.popitem(), "on its list and not there"),
    "bomb": (bomb, r"unpacks to [\d,]+ bytes"),
    "newer": (manifest(version=2), "version 2, this program knows up to 1: upgrade"),
    "no version": (manifest(version="1"), "names no version"),
    "unknown field": (manifest(run="rm"), "run: Extra inputs are not permitted"),
    "escapes": (manifest(author="\x1b[2J"), "author: String should match"),
    "name": (lambda pack: pack.trial("lightgbm")["family"].update(name="a@b#1"), "its family's name is none"),
    "the base": (lambda pack: pack.trial("lightgbm")["family"].update(name="dummy"), "its family's name is none"),
    "key": (lambda pack: pack.trial("lightgbm")["result"].update(fit_key="../x"), "it has no whole fit"),
    "nested": (lambda pack: pack.manifest.update(classes=json.loads("[" * 900 + "]" * 900)), "recursion limit"),
}


@pytest.mark.parametrize("attack", WHOLE)
def test_a_pack_is_refused_as_a_whole(copied, attack, monkeypatch):
    monkeypatch.setattr(opening, "SLACK", 2**20)
    tamper, said = WHOLE[attack]
    pack = Tampered(copied)
    tamper(pack)
    pack.write()
    with pytest.raises(DataError, match=said), opening.opened(copied):
        pass


def test_what_is_no_pack_or_cut_off_is_told(bob, packed, copied, tmp_path, monkeypatch):
    copied.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(DataError, match="no pack, or was cut off"):
        bob.merge(copied)
    with zipfile.ZipFile(copied, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(DataError, match=r"a zip without manifest\.json"):
        bob.merge(copied)
    with pytest.raises(DataError, match="there is no pack"):
        bob.merge(tmp_path / "none.wbz")
    monkeypatch.setattr(opening, "free_mb", lambda _: 60.0)
    with pytest.raises(StoreError, match="60 MiB are free"):
        bob.merge(packed)


def faked(_pack, trial):
    trial["result"]["score"] = 0.001


def faked_splits(_pack, trial):
    trial["result"].update(score=0.001, scores=[0.001, 0.001])


def damaged(pack, trial):
    name = f"fits/{trial['result']['fit_key']}/split0/model.txt"
    pack.entries[name] = pack.entries[name][:-1] + b"X"


def put(path, content):
    return lambda pack, trial: pack.put(trial, path, content)


def rows(value, *shape):
    return np.full(shape, value)


def huge():
    """An archive whose array says that it is larger than its bytes."""
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, np.zeros(1))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("split0.npy", array.getvalue().replace(b"(1,), }     ", b"(999999,), }"))
    return archive.getvalue()


OBJECTS = npz(split0=np.array([{}], dtype=object), split1=np.zeros(1))
TRIAL = {
    "checksum": (damaged, "its checksum or size differs"),
    "score": (faked, "is not the mean of those of its splits"),
    "scores": (faked_splits, "it says the score 0.001, and its predictions have"),
    "objects": (put(OOF, OBJECTS), "objects are pickles"),
    "huge": (put(OOF, huge()), r"array of shape \(999999,\) does not fit"),
    "not finite": (put(OOF, npz(split0=rows(np.nan, 30, 1), split1=rows(0.0, 30, 1))), "30 predictions are not"),
    "shape": (put(OOF, npz(split0=rows(0.0, 9, 1), split1=rows(0.0, 30, 1))), r"expected float64 of shape \(30, 1\)"),
    "splits": (put(OOF, npz(split0=rows(0.0, 30, 1))), "one array for each of 2 splits"),
    "no arrays": (put(OOF, b"PK nothing"), "oof.npz is damaged"),
    "kind": (put(BUNDLE, b'{"kind": "pickle"}'), "a model of the kind 'pickle'"),
    "json": (put(BUNDLE, b"[" * 100_000), "bundle.json is damaged"),
    "no skops": (put("split0/model.skops", b"x"), "model.skops is damaged"),
}


def test_a_trial_is_refused_and_the_others_come(bob, copied):
    pack = Tampered(copied)
    *bad, good = pack.copies("lightgbm", len(TRIAL) + 1)
    for trial, (tamper, _) in zip(bad, TRIAL.values(), strict=True):
        tamper(pack, trial)
    pack.write()
    *refused, taken = bob.merge(copied).fates
    assert [fate.outcome for fate in refused] == ["refused"] * len(TRIAL)
    for fate, (_, said) in zip(refused, TRIAL.values(), strict=True):
        assert re.search(said, fate.remark), (said, fate.remark)
    assert taken.outcome == "new"
    assert not list((bob.experiment.store / "vault" / "tmp").glob("*"))
    with bob.workspace() as workspace:
        assert [trial.name for trial in workspace.trials()] == [f"lightgbm@alice#{good['number']:04d}"]
        assert len(workspace.vault.fit_keys()) == 1


UNKNOWN = {
    "no built-in family": {"factory": "os:system"},
    "'os:system' is not in the code": {"factory": "os:system", "root": "code/0"},
    "'factories:ridge' is not in the code": {"factory": "factories:ridge", "root": "/etc"},
    "is no 'module:attribute'": {"factory": "factories:ridge;x", "root": "code/0"},
    "no preparation": {"preparation": "os:system"},
    "another version here": {"code": "built-in:workbench.models.lightgbm:build:99"},
}


def test_models_whose_code_is_not_known_stay_out(bob, copied):
    pack = Tampered(copied)
    for trial, changes in zip(pack.copies("lightgbm", len(UNKNOWN)), UNKNOWN.values(), strict=True):
        trial["family"].update(changes)
    pack.write()
    for fate, said in zip(bob.merge(copied).fates, UNKNOWN, strict=True):
        assert said in fate.remark
    with bob.workspace() as workspace:
        assert not workspace.candidates(1)
    assert not list(bob.experiment.store.joinpath("vault").rglob("model.txt"))


def test_types_that_execute_are_refused_where_no_code_of_the_authors_comes(tmp_path):
    import functools

    import skops.io
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import FunctionTransformer

    family = FamilyRef(name="x", factory="workbench.models.linear:build", code="1")
    skops.io.dump(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), tmp_path / "model.skops")
    check_files(tmp_path, family)
    for function in (os.system, functools.partial(eval, "1"), np.testing.rundocs):
        skops.io.dump(FunctionTransformer(function), tmp_path / "model.skops")
        with pytest.raises(DataError, match="types that are not trusted"):
            check_files(tmp_path, family)
