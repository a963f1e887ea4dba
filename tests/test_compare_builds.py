"""The tables of digests that `tools/compare_builds.py` makes and compares."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from steepest import _core

TOOLS = Path(__file__).parents[1] / "tools"
LEVELS = _core.isa_levels_supported()


@pytest.fixture(autouse=True)
def _tools(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


@pytest.fixture
def tables():
    return importlib.import_module("comparison.tables")


def call(*arguments):
    command = [sys.executable, TOOLS / "compare_builds.py", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def test_digests_are_the_same_again_and_on_any_number_of_threads(tmp_path):
    """A few cases of each part, each level, twice."""
    out = tmp_path / "a.json"
    few = ["softmax/float16/F/7x3/weights/", "step/Adam/", "row order/7/", "statistics/bfloat16/C/7x3/near"]
    only = [argument for pattern in few for argument in ("--only", pattern)]
    code, told = call("digests", out, "--quick", "--threads", "1", "--threads", "2", *only)
    assert code == 0, told
    assert "1 threads against 2" in told
    names = importlib.import_module("comparison.tables").Table.read(out).cases
    assert {name.partition("/")[0] for name in names} == set(LEVELS)
    for part in ("objective/softmax", "step/Adam/float32", "row order", "statistics"):
        assert any(f"/{part}" in name for name in names), part
    assert call("compare", out, out)[0] == 0


def table(tables, **results):
    return tables.Table.of({}, [(name, lambda result=result: result) for name, result in results.items()], keep=True)


def test_what_differs_was_added_or_is_gone_is_listed(tables, tmp_path):
    before = table(tables, same=1.5, other=np.array([1.0, 2.0]), gone=2.0, shape=np.zeros(2), text="a")
    moved = np.array([1.0, np.nextafter(np.nextafter(2.0, 3), 3)])
    after = table(tables, same=1.5, other=moved, added=1, shape=np.zeros((2, 1)), text="b")
    before.write(tmp_path / "before.json")
    after.write(tmp_path / "after.json")
    code, told = call("compare", tmp_path / "before.json", tmp_path / "after.json")
    assert code == 1
    lines = {line.split()[1]: line for line in told.splitlines()[:-1]}
    assert {name: line.split()[0] for name, line in lines.items()} == {
        "other": "differs", "gone": "gone", "added": "added", "shape": "differs", "text": "differs",
    }  # fmt: skip
    assert "2 ulp (2 of the largest)" in lines["other"]
    assert "float64 (2,) -> " in lines["shape"]
    assert "5 cases before, 5 after: 3 differ, 1 are gone, 1 were added" in told


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_distances_in_ulp(tables, dtype):
    """The first number counts the floats between two elements, across 0 too; the second is in ulp of the largest."""
    tiny = np.finfo(dtype).smallest_subnormal
    a, b = np.array([[-tiny, 4.0, 0.0], [1.0, 1.0, np.nan]], dtype)
    b[2] = -0.0
    apart = int(b[1].view(f"i{b.itemsize}") * 0 + a[1:2].view(f"i{a.itemsize}")[0] - b[1:2].view(f"i{b.itemsize}")[0])
    assert tables.distances(a, a) == (0, 0)
    assert tables.distances(np.array([tiny], dtype), np.array([-tiny], dtype)) == (2, 2)
    found = tables.distances(a[1:], b[1:])
    assert found == (apart, 3.0 / np.spacing(a[1]))
    assert tables.distances(np.array([np.nan, 1], dtype), np.array([1, 1], dtype)) == (np.inf, np.inf)


def test_results_become_bits(tables):
    """Every bit counts, dtype and shape too; an exception is a result by the name of its class."""

    def fail():
        raise ValueError("no")

    digest = tables.digest
    assert digest(np.array([0.0])) != digest(np.array([-0.0]))
    assert digest(np.zeros(2, np.float32)) != digest(np.zeros(1))
    assert digest(np.zeros((2, 1))) != digest(np.zeros(2))
    assert digest(np.asfortranarray([[1, 2], [3, 4]])) == digest(np.array([[1, 2], [3, 4]]))
    assert tables.Table.of({}, [("a", fail)], keep=False).cases == {"a": "'raises ValueError'"}
    with pytest.raises(ValueError, match="two cases are called a"):
        tables.Table.of({}, [("a", lambda: 1), ("a", lambda: 1)], keep=False)


def test_the_data_are_the_same_with_every_numpy():
    """The first word of PCG64(1), which NumPy promises to keep, and the number that its four pieces make."""
    data = importlib.import_module("comparison.data")
    word = 0x8306BDF37922E4FF
    assert int(np.random.PCG64(1).random_raw()) == word
    pieces = [word >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
    assert data.bell(1, 1).tolist() == [(sum(pieces) - 2 * 65535) / 32768]
    assert abs(data.bell(2, 100_000).std() - 2 / np.sqrt(3)) < 0.01
    assert data.bell(3, 1000).astype(np.float32).astype(float).tolist() == data.bell(3, 1000).tolist()
