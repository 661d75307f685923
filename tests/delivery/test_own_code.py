"""Errors of a model's own copy of the package arrive as ours."""

from __future__ import annotations

import pytest

from workbench.delivery.own_code import translated
from workbench.errors import DataError, WorkbenchError


@pytest.mark.parametrize(("name", "ours"), [("DataError", DataError), ("ErrorOfLater", WorkbenchError)])
def test_errors_of_a_copy_are_translated_by_name(name: str, ours: type[WorkbenchError]) -> None:
    copy = type(name, (Exception,), {"__module__": "workbench.errors"})
    with pytest.raises(ours, match="what is wrong") as caught, translated():
        raise copy("what is wrong")
    assert type(caught.value) is ours


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError, match="x"), translated():
        raise KeyError("x")
    error = DataError("ours")
    with pytest.raises(DataError, match="ours") as caught, translated():
        raise error
    assert caught.value is error
