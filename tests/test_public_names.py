"""The public names and their signatures are those of the kept list, `public_names.txt`."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture
def public_names(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module("public_names")


def test_names_and_signatures_are_those_of_the_kept_list(public_names):
    found = public_names.changes(public_names.LIST.read_text().splitlines(), public_names.public_lines())
    assert not found, "if this is meant: python tools/public_names.py --write\n" + "\n".join(found)


def test_what_is_taken_away_added_or_changed_is_named(public_names, monkeypatch, capsys, tmp_path):
    kept = public_names.public_lines()
    changed = [line.replace("max_epochs=100", "max_epochs=99") for line in kept if line != "info()"]
    monkeypatch.setattr(public_names, "public_lines", lambda: sorted([*changed, "added()"]))
    monkeypatch.setattr(public_names, "LIST", tmp_path / "list.txt")
    public_names.LIST.write_text("\n".join(kept) + "\n")
    monkeypatch.setattr("sys.argv", ["public_names.py"])
    assert public_names.main() == 1
    told = capsys.readouterr().out
    assert {"-info()", "+added()"} <= set(told.splitlines())
    assert "-minimize(objective" in told
    assert "max_epochs=99" in told
    monkeypatch.setattr("sys.argv", ["public_names.py", "--write"])
    assert public_names.main() == 0
    monkeypatch.setattr("sys.argv", ["public_names.py"])
    assert public_names.main() == 0


FUNCTIONS = ["minimize", "objectives.column_statistics", "plot.contour"]
CLASSES = ["LeastSquares", "stop.GradientNorm", "LogisticClassifier"]
MEMBERS = [
    "Softmax.value_and_gradient",
    "Momentum.step",
    "Result.history",
    "Progress.loss",
    "LinearRegressor.partial_fit",
]


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES, *MEMBERS])
def test_the_list_holds(public_names, name):
    """Functions, classes, inherited members, submodules, fields and what needs an optional package are in the list."""
    assert any(line.partition("(")[0] == name for line in public_names.public_lines())
