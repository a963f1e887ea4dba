"""What `steepest fit` says of tables in parts: their columns, digits, measures, progress and memory."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import run
from steepest.cli import parts_fit
from steepest.cli.bars import RowBar
from steepest.cli.outline import budget_of, outline_of
from steepest.cli.tally import ClassTally, NumberTally
from streamed_tables import FRAME, N, assert_same_measures, write


def test_what_is_said_of_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", FRAME[["a", "y"]].assign(row_id=np.arange(N), same=2.5))
    result = run("fit", path, "--target", "y", "--stream", "--memory", "20 MB")
    assert "column 'row_id' has the name of an identifier; --drop 'row_id' leaves it out" in result.stdout
    assert "column 'same' has only the value 2.5; --drop 'same' leaves it out" in result.stdout
    far = write(tmp_path, "csv", FRAME[["a", "y"]].assign(far=1e7 + FRAME.a))
    result = run("fit", far, "--target", "y", "--stream", "--memory", "20 MB", "--dtype", "float32")
    assert "column 'far' loses most of its digits in float32: take --dtype float64" in result.stderr


def test_digits_that_the_dtype_loses(tmp_path: Path) -> None:
    table = FRAME[["a"]].assign(code=np.where(FRAME.a > 0, 2**24 + 2, 2**24), y=1e7 + FRAME.y, big=2**60 + np.arange(N))
    path = write(tmp_path, "parquet", table)
    options = (path, "--stream", "--memory", "100 MB", "--loss", "logistic", "--target", "code", "--drop", "y")
    result = run("fit", *options, "--drop", "big", "--dtype", "float32")
    assert (result.exit_code, "'code' has classes that float32 cannot tell" in result.stderr) == (2, True)
    assert run("fit", *options, "--drop", "big", "--quiet").exit_code == 0
    assert "column 'big' loses most of its digits in float64" in run("fit", *options).stderr
    options = (
        path,
        "--stream",
        "--memory",
        "100 MB",
        "--loss",
        "least-squares",
        "--target",
        "y",
        "--drop",
        "code",
        "--drop",
        "big",
    )
    assert "column 'y' loses most of its digits in float32" in run("fit", *options, "--dtype", "float32").stderr
    assert "digits" not in run("fit", *options).stderr


def test_the_outline_of_a_table(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", FRAME)
    found = outline_of([path])
    assert found is not None
    assert found.names == list(FRAME)
    assert found.odd == {"bought": "text"}
    assert found.rows == pytest.approx(N, rel=0.05)
    assert outline_of([tmp_path / "t.npz"]) is None
    assert budget_of("2 MiB") == 2 << 20
    assert budget_of(None) >= 1 << 26


def test_ctrl_c_keeps_what_the_fit_has_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = parts_fit.estimator_of

    def interrupting(options: Any, target: Any, rows: int, callbacks: Any) -> Any:
        def stop(progress: Any) -> None:
            if progress.epoch == 3:
                raise KeyboardInterrupt

        return made(options, target, rows, [stop])

    monkeypatch.setattr(parts_fit, "estimator_of", interrupting)
    path = write(tmp_path, "csv", FRAME[["a", "b", "c", "y"]])
    options = ("--target", "y", "--optimizer", "adam", "--stream", "--memory", "20 MB")
    result = run("fit", path, *options, "--model", tmp_path / "model.json")
    assert result.exit_code == 130
    assert "no measures: the fit was interrupted" in result.stdout
    model = json.loads((tmp_path / "model.json").read_text())
    assert len(model["coefficients"]) == 3
    assert model["metrics"] == {}


def test_the_bar_tells_rows_and_time(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((120, 30)))
    bar = RowBar(None)
    bar.read(600)
    bar.read(400)
    assert "opening" in capsys.readouterr().err
    bar.opened(1000)
    for _ in range(2):  # two readings
        bar.read(500)
        time.sleep(0.15)  # longer than the bar waits between two pictures
        bar.read(500)
    text = capsys.readouterr().err
    assert "reading 2: 100%" in text
    assert re.search(r"1.00k/1.00k \[\d\d:\d\d<\d\d:\d\d, *[0-9.]+k? rows/s", text)
    bar.close()


class TestTallies:
    """Sums over parts give the measures of all rows."""

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("scale", [1.0, 1e200, 1e-200])
    def test_of_numbers(self, weighted: bool, scale: float) -> None:
        from steepest.cli.measures import of_numbers

        random = np.random.default_rng(0)
        y = random.normal(size=200) * scale * np.repeat([1, 30, 2, 1], 50)
        predicted, weight = 0.9 * y, random.integers(1, 4, 200).astype(float) if weighted else None
        tally = NumberTally(0.1 * scale)
        for rows in np.split(np.arange(200), 4):
            tally.add(y[rows], predicted[rows], None if weight is None else weight[rows])
        assert tally.measures() == pytest.approx(of_numbers(y, predicted, 0.1 * scale, weight), rel=1e-12)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_of_classes(self, weighted: bool) -> None:
        from steepest.cli.measures import of_classes

        random = np.random.default_rng(0)
        y, weight = random.integers(0, 3, 200), random.integers(0, 4, 200).astype(float) if weighted else None
        chances = random.dirichlet(np.ones(3), 200)
        tally = ClassTally(np.array([0.5, 0.3, 0.2]), ["a", "b", "c"])
        for rows in np.split(np.arange(200), 4):
            tally.add(y[rows], chances[rows], None if weight is None else weight[rows])
        used = slice(None) if weight is None else weight > 0
        some = None if weight is None else weight[used]
        assert_same_measures(
            tally.measures(), of_classes(y[used], chances[used], np.array([0.5, 0.3, 0.2]), ["a", "b", "c"], some)
        )


_PEAK = """
import sys
from pathlib import Path
from steepest.cli.commands import steepest
try:
    steepest.main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_the_memory_stays_bounded(tmp_path: Path) -> None:
    # The table has 240 MB. The packages take about 190 MB, and --memory allows 40 MB for its rows.
    random = np.random.default_rng(0)
    path, model = tmp_path / "t.npy", tmp_path / "model.json"
    table = np.lib.format.open_memmap(path, "w+", np.float64, (1_000_000, 30))
    for first in range(0, len(table), 50_000):
        table[first : first + 50_000] = random.normal(size=(50_000, 30))
    del table
    fit = ("fit", path, "--target", "-1", "--memory", "40 MB", "--model", model, "--quiet")
    predict = ("predict", model, path, "--memory", "40 MB", "--output", tmp_path / "p.npy")
    for command in (fit, predict):
        arguments = [sys.executable, "-c", _PEAK, *map(str, command)]
        found = subprocess.run(arguments, capture_output=True, text=True, check=True)
        assert int(found.stderr.split()[-1]) < 290, command[0]
    assert np.load(tmp_path / "p.npy", mmap_mode="r").shape == (1_000_000,)
