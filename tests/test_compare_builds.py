"""The tables of digests that `tools/compare_builds.py` makes and compares."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import steepest
from steepest import _core

TOOLS = Path(__file__).parents[1] / "tools"
LEVEL = _core.isa_levels_supported()[0]


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


@pytest.mark.slow
def test_digests_are_the_same_again_and_on_any_number_of_threads(tmp_path):
    """A few cases of each part, at one level, twice."""
    out = tmp_path / "a.json"
    few = ["softmax/float16/F/7x3/weights/", "step/Adam/", "row order/7/", "statistics/bfloat16/C/7x3/near"]
    only = [argument for pattern in few for argument in ("--only", pattern)]
    code, told = call("digests", out, "--quick", "--threads", "1", "--threads", "2", "--levels", LEVEL, *only)
    assert code == 0, told
    assert "1 threads against 2" in told
    names = importlib.import_module("comparison.tables").Table.read(out).cases
    assert {name.partition("/")[0] for name in names} == {LEVEL}
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


@pytest.mark.slow
def test_timings_of_two_builds_stand_in_one_table(tmp_path):
    """A build against itself; both are folders for PYTHONPATH."""
    ratios = tmp_path / "ratios.json"
    build = str(Path(steepest.__file__).parents[1])
    few = ["--size", "quick", "--only", "update", "--rounds", "2", "--turns", "1", "--seconds", "0.0001"]
    code, told = call("timings", "--before", build, "--after", build, *few, "--json", ratios)
    assert code == 0, told
    rows = [line for line in told.splitlines() if line.startswith("update/float32/1000: ")]
    found = json.loads(ratios.read_text())
    assert [row[:64].rstrip() for row in rows] == list(found)
    assert {"update/float32/1000: Adam", "update/float32/1000: Momentum nesterov"} <= set(found)
    assert all(len(each) == 2 and min(each) > 0 for each in found.values())
    assert call("timings", "--before", build, "--after", build, "--only", "nothing")[0] == 2
    code, told = call("timings", "--before", "nowhere", "--after", build)
    assert (code, "folder for PYTHONPATH or a Python executable, got nowhere" in told) == (1, True)


def test_ratios_are_of_the_shortest_times_of_a_round():
    times = importlib.import_module("comparison.timings").Times([[2.0, 9.0], [4.0, 5.0]], [[3.0, 2.2], [4.2, 8.0]])
    assert times.ratios() == [1.1, 1.05]
    assert "  1.075  1.050 to 1.100 *" in times.line("a")


def test_the_data_are_the_same_with_every_numpy():
    """The first word of PCG64(1), which NumPy promises to keep, and the number that its four pieces make."""
    data = importlib.import_module("comparison.data")
    word = 0x8306BDF37922E4FF
    assert int(np.random.PCG64(1).random_raw()) == word
    pieces = [word >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
    assert data.bell(1, 1).tolist() == [(sum(pieces) - 2 * 65535) / 32768]
    assert abs(data.bell(2, 100_000).std() - 2 / np.sqrt(3)) < 0.01
    assert data.bell(3, 1000).astype(np.float32).astype(float).tolist() == data.bell(3, 1000).tolist()
