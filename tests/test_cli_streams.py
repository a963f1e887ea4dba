"""`steepest fit` of tables that are read in parts: the model of all rows in memory, and what needs these."""

from __future__ import annotations

import io
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
import pandas as pd
import pytest

from command_line import run
from steepest.cli import parts_fit
from steepest.cli.bars import RowBar
from steepest.cli.outline import budget_of, outline_of
from steepest.cli.tally import ClassTally, NumberTally

N = 3000


def frame() -> pd.DataFrame:
    """Return a table of numbers: y is linear in a, b and c, up to noise; the classes depend on a and b."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(N, 3)) * [1.0, 20.0, 0.1] + [0.0, 5.0, 3.0], columns=["a", "b", "c"])
    noise = random.normal(size=N)
    table["y"] = 2.0 * table.a - 0.3 * table.b + 4.0 * table.c + 7.0 + noise
    table["bought"] = (table.a + table.b / 20 + noise > 0).map({True: "yes", False: "no"})
    table["grade"] = np.digitize(table.a + noise, [-1.0, 1.0])
    table["w"] = random.integers(0, 4, N).astype(float)
    return table


FRAME = frame()
ALL = ["y", "bought", "grade", "w"]


def write(folder: Path, kind: str, table: pd.DataFrame) -> Path:
    path = folder / f"t.{kind}"
    if kind == "npy":
        np.save(path, table.to_numpy(np.float64))
    elif kind == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


def model_of(folder: Path, *arguments: object) -> dict[str, Any]:
    result = run("fit", *arguments, "--model", folder / "model.json", "--quiet")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return found


def assert_same(found: dict[str, Any], expected: dict[str, Any], tolerance: float = 1e-5) -> None:
    assert list(found["coefficients"]) == list(expected["coefficients"])
    for name, value in {**expected["coefficients"], "": expected["intercept"]}.items():
        mine = found["coefficients"][name] if name else found["intercept"]
        np.testing.assert_allclose(mine, value, rtol=tolerance, atol=tolerance, err_msg=name)
    assert found["classes"] == expected["classes"]
    assert found["loss"] == expected["loss"]
    if found["format"] == 1:  # sparse rows have none
        assert (found["standard_errors"] is None) == (expected["standard_errors"] is None)
        for name, error in (expected["standard_errors"] or {}).items():
            np.testing.assert_allclose(found["standard_errors"][name], error, rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(found["base"], expected["base"], rtol=1e-12)
    if "weight" in expected["settings"]:  # in memory, the deviations do not count the weights
        return
    for name, deviation in expected["deviations"].items():
        assert found["deviations"][name] == pytest.approx(deviation, rel=1e-9)


def assert_same_measures(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """The measures in parts are those of all rows, but for the AUC."""
    assert found["auc"] is None
    for name in set(expected) - {"auc"}:
        if isinstance(expected[name], float):
            assert found[name] == pytest.approx(expected[name], rel=1e-5), name
        elif name in ("precision", "recall"):
            assert found[name] == pytest.approx(expected[name], rel=1e-5)
        else:
            assert found[name] == expected[name], name


TARGETS = {
    "numbers": ("--target", "y", "--drop", "bought", "--drop", "grade", "--drop", "w"),
    "text": ("--target", "bought", "--drop", "y", "--drop", "grade", "--drop", "w"),
    "three classes": ("--target", "grade", "--drop", "y", "--drop", "bought", "--drop", "w"),
    "weights": (
        "--target",
        "y",
        "--weight",
        "w",
        "--drop",
        "bought",
        "--drop",
        "grade",
        "--loss",
        "huber",
        "--delta",
        1,
    ),
}


@pytest.mark.parametrize("kind", ["csv", "parquet", "tsv"])
@pytest.mark.parametrize("target", TARGETS)
def test_the_model_is_that_of_all_rows_in_memory(tmp_path: Path, kind: str, target: str) -> None:
    path = write(tmp_path, kind, FRAME)
    options = (path, *TARGETS[target], "--test-fraction", 0, "--tol", 1e-9)
    found = model_of(tmp_path, *options, "--stream", "--memory", "100 MB")
    expected = model_of(tmp_path, *options)
    assert_same(found, expected)
    mine, whole = found["metrics"]["training"], expected["metrics"]["training"]
    assert_same_measures(mine, whole) if "auc" in whole else assert_same_measures({"auc": None, **mine}, whole)
    assert found["data"] == expected["data"]


def test_npy_tables_have_numbers_for_names(tmp_path: Path) -> None:
    path = write(tmp_path, "npy", FRAME[["a", "b", "y", "c", "grade"]])
    options = (path, "--target", "2", "--drop", "-1", "--test-fraction", 0)
    found = model_of(tmp_path, *options, "--stream", "--memory", "2 MB")
    assert list(found["coefficients"]) == ["0", "1", "3"]
    assert_same(found, model_of(tmp_path, *options))


def test_svmlight_files_stay_sparse(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows = [sorted(random.choice(np.arange(1, 500), 8, replace=False)) for _ in range(400)]
    values = random.normal(size=(400, 8))
    y = [sum(v for j, v in zip(js, vs, strict=True) if j < 250) for js, vs in zip(rows, values, strict=True)]
    lines = [
        f"{t} " + " ".join(f"{j}:{v}" for j, v in zip(js, vs, strict=True))
        for t, js, vs in zip(y, rows, values, strict=True)
    ]
    path = tmp_path / "t.svm"
    path.write_text("\n".join(lines) + "\n")
    options = (path, "--loss", "least-squares", "--alpha", 0.1, "--test-fraction", 0, "--no-standardize", "--tol", 1e-9)
    found = model_of(tmp_path, *options, "--stream", "--memory", "10 MB")
    expected = model_of(tmp_path, *options)
    assert found["format"] == 2
    assert_same(found, expected)


def test_truth_values_are_categories(tmp_path: Path) -> None:
    table = FRAME[["a", "y"]].assign(flag=FRAME.b > 5, late=FRAME.y > 7)
    path = write(tmp_path, "parquet", table)
    for target, drop in (("y", "late"), ("late", "y")):
        options = (path, "--target", target, "--drop", drop, "--test-fraction", 0, "--tol", 1e-9)
        found = model_of(tmp_path, *options, "--stream", "--memory", "100 MB")
        assert "flag=True" in found["coefficients"]
        assert_same(found, model_of(tmp_path, *options))
    assert found["classes"] == [False, True]


def test_rows_above_the_memory_are_read_in_parts_by_itself(tmp_path: Path) -> None:
    # 3,000 rows of 4 numbers are 96,000 bytes; a fit in memory needs about 8 times as much, 750 KiB.
    many = pd.concat([FRAME[["a", "b", "c", "y"]]] * 4)
    path = write(tmp_path, "npy", many)
    for memory, is_streamed in (("1 MiB", True), ("4 MiB", False)):
        result = run("fit", path, "--target", "-1", "--memory", memory)
        assert result.exit_code == 0, result.output
        assert ("rows read in" in result.output) == is_streamed
        assert ("all rows would need about 2.93 MiB; --memory allows 1 MiB" in result.output) == is_streamed
    assert "rows read in" in run("fit", path, "--target", "-1", "--stream").output
    assert "rows read in" not in run("fit", path, "--target", "-1", "--no-stream", "--memory", "1 MiB").output


def test_several_files_are_one_table(tmp_path: Path) -> None:
    table = FRAME[["a", "b", "c", "y"]]
    folder = tmp_path / "parts"
    folder.mkdir()
    table[:1000].to_csv(folder / "0.csv", index=False)
    table[1000:].to_csv(folder / "1.csv", index=False)
    whole = write(tmp_path, "csv", table)
    options = ("--target", "y", "--test-fraction", 0)
    expected = model_of(tmp_path, whole, *options)
    for tables in ([folder], [folder / "*.csv"], [folder / "0.csv", folder / "1.csv"]):
        found = model_of(tmp_path, *tables, *options)
        assert_same(found, expected)
        assert found["data"]["name"] == "0.csv and 1 others"
        assert found["data"]["rows"] == N


def test_rows_that_test_the_model_are_held_out(tmp_path: Path) -> None:
    path = write(tmp_path, "parquet", FRAME[["a", "b", "c", "y"]])
    options = (path, "--target", "y", "--stream", "--memory", "100 MB")
    for fractions, sizes in (
        ((), (0.8, 0, 0.2)),
        (("--validation-fraction", 0.3, "--test-fraction", 0.1), (0.6, 0.3, 0.1)),
    ):
        result = run("fit", *options, *fractions, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        rows = [found["rows"][name] for name in ("training", "validation", "test")]
        assert sum(rows) == N
        np.testing.assert_allclose(rows, np.array(sizes) * N, atol=0.02 * N)
        assert [found["metrics"][name]["rows"] for name in found["metrics"]] == [size for size in rows if size]
        assert found["metrics"]["test"]["rmse"] == pytest.approx(1.0, rel=0.1)  # the deviation of the noise
        again = json.loads(run("fit", *options, *fractions, "--json").stdout)
        assert again["coefficients"] == found["coefficients"]
    other = json.loads(run("fit", *options, "--random-state", 1, "--json").stdout)
    assert other["coefficients"] != found["coefficients"]


def test_early_stopping_keeps_the_best_epoch(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", FRAME[["a", "b", "c", "y"]])
    mine = ("--optimizer", "adam", "--batch-size", 50, "--patience", 3, "--max-epochs", 20)
    result = run("fit", path, "--target", "y", "--stream", "--memory", "20 MB", *mine, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["best_epoch"] is not None
    held = write(tmp_path, "tsv", FRAME[["a", "b", "c", "y"]][:500])
    result = run("fit", path, "--target", "y", "--stream", "--memory", "20 MB", *mine, "--validation", held, "--json")
    assert json.loads(result.stdout)["metrics"]["validation"]["rows"] == 500


def test_checkpoints_and_the_cache(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", FRAME[["a", "b", "c", "bought"]])
    options = (path, "--target", "bought", "--stream", "--memory", "20 MB", "--tol", 0)
    whole = model_of(tmp_path, *options, "--max-epochs", 9)
    saved = (*options, "--cache", tmp_path / "cache", "--checkpoint", tmp_path / "run.steepest")
    model_of(tmp_path, *saved, "--max-epochs", 4)
    assert list((tmp_path / "cache").iterdir())
    found = model_of(tmp_path, *saved, "--resume", "--max-epochs", 9)
    assert found["coefficients"] == whole["coefficients"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--target", "y"),
            "has 2 columns that hold no numbers: 'bought' (text), 'day' (timestamp[",
        ),
        (("--target", "y", "--drop", "day"), "has a column that holds no numbers: 'bought' (text); "),
        (("--target", "day", "--drop", "bought"), "a column that holds no numbers: 'day' (timestamp["),
        (("--target", "z"), "no column 'z'; the columns are a, b, c, y, bought, grade, w, day"),
        ((), "no target column was named: add --target"),
        (("--target", "y", "--missing", "mean"), "--missing mean needs all rows in memory: leave it out, or raise"),
        (("--target", "y", "--categorical", "a"), "--categorical needs all rows in memory"),
        (("--target", "y", "--sep", ";"), "--sep needs all rows in memory"),
        (("--target", "y", "--decimal", ","), "--decimal needs all rows in memory"),
        (("--target", "y", "--na", "none"), "--na needs all rows in memory"),
        (("--target", "y", "--encoding", "latin-1"), "--encoding needs all rows in memory"),
        (("--target", "y", "--memory", "lots"), "--memory must be a number of bytes, of at least 1 MiB, or a text"),
        (("--target", "y", "--memory", "2 MB"), "--memory 1.91 MiB is too little: memory must be at least "),
        (("--target", "bought", "--loss", "huber", "--drop", "day"), "column 'bought' holds text such as 'no'"),
    ],
)
def test_what_cannot_be_read_in_parts(tmp_path: Path, arguments: tuple[object, ...], message: str) -> None:
    path = write(tmp_path, "parquet", FRAME.assign(day=pd.Timestamp("2020-01-01")))
    memory = () if "--memory" in arguments else ("--memory", "100 MB")
    if arguments[-2:] == ("--memory", "2 MB"):
        path = write(tmp_path, "parquet", FRAME[["a", "y"]])
    result = run("fit", path, "--stream", *memory, *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_missing_numbers_are_refused(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, FRAME[["a", "b", "y"]].assign(b=FRAME.b.where(FRAME.index != 2345)))
    result = run("fit", path, "--target", "y", "--stream", "--memory", "100 MB")
    assert result.exit_code == 2
    assert f"got one in row 2345 of {path}" in result.stderr or f"nan as float64 in row 2345 of {path}" in result.stderr
    assert "--no-stream with --missing reads all rows at once" in result.stderr


def test_codes_and_late_text_are_refused(tmp_path: Path) -> None:
    table = FRAME[["a", "y"]].assign(zip="01234")
    path = write(tmp_path, "csv", table)
    result = run("fit", path, "--target", "y", "--stream", "--memory", "20 MB")
    assert "'zip' (digits with leading zeros, which are text)" in result.stderr
    big = pd.concat([FRAME[["a", "b", "y"]]] * 4).astype(object).reset_index(drop=True)
    big.loc[len(big) - 1, "a"] = "none?"
    path = write(tmp_path, "csv", big)
    result = run("fit", path, "--target", "y", "--stream", "--memory", "20 MB")
    assert f"column 'a' must hold a number, got 'none?' in row {len(big) - 1} of" in result.stderr
    assert "--drop leaves a column out" in result.stderr


def test_a_column_without_a_name_is_refused(tmp_path: Path) -> None:
    FRAME[["a", "y"]].to_csv(tmp_path / "t.csv")
    options = (tmp_path / "t.csv", "--target", "y", "--stream", "--memory", "20 MB")
    assert "a column that holds no numbers: '' (which has no name)" in run("fit", *options).stderr
    assert list(model_of(tmp_path, *options, "--drop", "")["coefficients"]) == ["a"]


def test_the_memory_of_the_error_suffices(tmp_path: Path) -> None:
    path = write(tmp_path, "parquet", pd.concat([FRAME] * 3))
    result = run("fit", path, "--target", "y", "--memory", "1 MiB")
    advice = re.search(
        r"--drop leaves a column out; --no-stream, or --memory '([0-9.]+ MiB)', reads all", result.stderr
    )
    assert advice is not None
    assert run("fit", path, "--target", "y", "--memory", advice[1]).exit_code == 0


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", FRAME[["a", "y"]])
    for arguments, message in (
        ((path, path, "--no-stream"), "--no-stream: only one file can be read at once"),
        ((path, "--no-stream", "--cache", tmp_path), "--no-stream and --cache exclude each other"),
        ((path, "--cache", tmp_path), "--cache: all rows fit into memory ("),
        (("-", "--stream"), "only Parquet, CSV, TSV, .npy and svmlight files can be read in parts, got -"),
        ((tmp_path / "no*.csv",), "no file matches"),
    ):
        result = run("fit", *arguments, "--target", "y")
        assert result.exit_code == 2
        assert message in result.stderr


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


class TestModels:
    """`predict` and `evaluate` go through a table chunk by chunk, with any model, and say what they say in memory."""

    SMALL = ("--stream", "--memory", "1 MiB")

    @pytest.fixture
    def made(self, tmp_path: Path) -> tuple[Path, pd.DataFrame]:
        """Return the model of a table with text, dates and missing numbers, and the table."""
        table = FRAME.drop(columns=["y", "w", "grade"])
        table["town"] = np.random.default_rng(2).choice(["x", "01", "z"], N)
        table["day"] = pd.date_range("2020-01-01", periods=N, freq="D").strftime("%Y-%m-%d")
        table.loc[::50, "a"] = np.nan
        path = write(tmp_path, "csv", table[:1500])
        model = tmp_path / "model.json"
        assert run("fit", path, "--target", "bought", "--missing", "drop", "--model", model, "--quiet").exit_code == 0
        return model, table

    @pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
    @pytest.mark.parametrize("output", [".csv", ".tsv", ".parquet", ".arrow", ".npy"])
    def test_predictions_are_those_of_all_rows(
        self, tmp_path: Path, made: tuple[Path, pd.DataFrame], kind: str, output: str
    ) -> None:
        model, table = made
        path = write(tmp_path, kind, table)
        keep = ("--keep", "c") if output == ".npy" else ("--keep", "town", "--keep", "c")
        found = []
        for name, how in (("parts", self.SMALL), ("whole", ("--no-stream",))):
            result = run("predict", model, path, *keep, *how, "--output", tmp_path / f"{name}{output}")
            assert result.exit_code == 0, result.output
            assert "60 rows have missing values and get no prediction" in result.stderr
            found.append(_read(tmp_path / f"{name}{output}"))
        assert len(found[0]) == N
        pd.testing.assert_frame_equal(*found, rtol=1e-12)

    def test_predictions_to_stdout(self, tmp_path: Path, made: tuple[Path, pd.DataFrame]) -> None:
        model, table = made
        path = write(tmp_path, "csv", table)
        found = run("predict", model, path, *self.SMALL)
        assert found.stdout.count("class,") == 1
        mine, whole = (pd.read_csv(io.StringIO(each.stdout)) for each in (found, run("predict", model, path)))
        pd.testing.assert_frame_equal(mine, whole, rtol=1e-12)

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_measures_are_those_of_all_rows(self, tmp_path: Path, made: tuple[Path, pd.DataFrame], kind: str) -> None:
        model, table = made
        path = write(tmp_path, kind, table.assign(w=FRAME.w))
        for more in ((), ("--weight", "w")):
            mine, whole = (
                json.loads(run("evaluate", model, path, *more, *how, "--json").stdout) for how in (self.SMALL, ())
            )
            if more:  # rows of weight 0 do not count in parts
                assert whole.pop("rows") > mine.pop("rows")
                mine.pop("better_than_base"), whole.pop("better_than_base")
            assert_same_measures(mine, whole)
            assert mine["left_out"] == 60

    def test_numbers_of_an_estimator_without_a_base(self, tmp_path: Path) -> None:
        import steepest as st

        model = st.LinearRegressor().fit(FRAME[["a", "b", "c"]], FRAME.y)
        st.save_model(model, tmp_path / "model.json")
        path = write(tmp_path, "parquet", FRAME[["a", "b", "c", "y"]])
        options = ("evaluate", tmp_path / "model.json", path, "--target", "y", "--json")
        mine, whole = (json.loads(run(*options, *how).stdout) for how in (self.SMALL, ()))
        assert_same_measures({"auc": None, **mine}, whole)

    def test_errors_name_the_row_of_the_table(self, tmp_path: Path, made: tuple[Path, pd.DataFrame]) -> None:
        model, table = made
        table.loc[2901, "town"] = "nowhere"
        result = run("predict", model, write(tmp_path, "parquet", table), *self.SMALL, "--output", tmp_path / "p.csv")
        assert "column 'town', row 2902: level 'nowhere' is not one that the model knows" in result.stderr
        assert not (tmp_path / "p.csv").exists()
        result = run("predict", model, write(tmp_path, "parquet", table.drop(columns="b")), *self.SMALL)
        assert "no column 'b'" in result.stderr

    def test_missing_targets_are_named_with_their_rows(self, tmp_path: Path) -> None:
        path = write(tmp_path, "csv", FRAME[["a", "y"]])
        model = tmp_path / "model.json"
        assert run("fit", path, "--target", "y", "--model", model, "--quiet").exit_code == 0
        path = write(tmp_path, "csv", FRAME[["a", "y"]].assign(y=FRAME.y.where(FRAME.index != 2500)))
        result = run("evaluate", model, path, *self.SMALL)
        assert re.search(r"rows [\d,]+ to [\d,]+: a column has missing values in [\d,]+ rows: 'y' \(1\)", result.stderr)

    def test_npy_tables_and_several_files(self, tmp_path: Path) -> None:
        path = write(tmp_path, "npy", FRAME[["a", "b", "y", "c"]])
        model = tmp_path / "model.json"
        assert run("fit", path, "--target", "2", "--model", model, "--quiet").exit_code == 0
        whole = run("predict", model, path).stdout
        assert run("predict", model, path, *self.SMALL).stdout == whole
        np.save(tmp_path / "u.npy", FRAME[["a", "b", "y", "c"]].to_numpy()[:5])
        lines = run("predict", model, path, tmp_path / "u.npy").stdout.splitlines()
        assert lines == [*whole.splitlines(), *whole.splitlines()[1:6]]


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".npy":
        return pd.DataFrame(np.load(path))
    if path.suffix in (".csv", ".tsv"):
        return pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", dtype={"town": str})
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_feather(path)
